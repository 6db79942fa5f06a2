//! How servers are chosen and reached (manual 4.2 and 5.2): `dispatch`, `transparent`, `source`, `redir`,
//! `http-send-name-header`, `minconn` and `fullconn`, priorities in queues, `hash-balance-factor`.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Connection, Proxy, Server, Web};

use crate::{GET, OK, http, http_with_cli};

/// What one request on a connection of its own is answered with.
fn ask(proxy: &Proxy, headers: &str) -> Result<String> {
    Ok(proxy.connect("fe")?.get("/", headers)?.text())
}

#[test]
fn requests_go_where_dispatch_says() -> Result<()> {
    let (first, second) = (Web::start("dispatched")?, Web::start("server")?);
    let config = "listen fe\n bind {fe}\n cookie C\n dispatch {d}\n server s1 {s1} cookie one\n\
                  http-response set-header x-to \"%s %sp\"\n";
    let proxy = http(config).name("d", first.address()).name("s1", second.address()).start()?;
    let response = proxy.connect("fe")?.get("/", "")?;
    assert_eq!(response.text(), "dispatched");
    let expected = format!("<NOSRV> {}", first.address().port());
    assert_eq!(response.header("x-to"), Some(expected.as_str()));
    assert_eq!(ask(&proxy, "Cookie: C=one\r\n")?, "server");
    Ok(())
}

#[test]
fn a_refused_dispatch_is_retried_and_told() -> Result<()> {
    let refused = Server::silent()?;
    let config = "listen fe\n bind {fe}\n timeout connect 100ms\n retries 1\n dispatch {d}\n";
    let proxy = http(config).name("d", refused.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    Ok(())
}

#[test]
fn a_transparent_proxy_goes_where_the_client_went() -> Result<()> {
    let web = Web::start("there")?;
    for lines in ["option transparent", "transparent", "server s1 0.0.0.0"] {
        let config = format!(
            "listen fe\n bind {{fe}}\n http-request set-dst-port int({})\n {lines}\n",
            web.address().port()
        );
        assert_eq!(ask(&http(&config).start()?, "")?, "there", "{lines}");
    }
    Ok(())
}

/// Where the first connection that reaches the server comes from.
fn source_of(proxy: &Proxy, server: &Server) -> Result<SocketAddr> {
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    let mut connection = server.accept()?;
    connection.request()?;
    connection.send(OK)?;
    client.response()?;
    connection.peer_address()
}

#[test]
fn connections_come_from_the_source() -> Result<()> {
    let server = Server::listen()?;
    let start = |lines: &str, option: &str| {
        let config = format!("listen fe\n bind {{fe}}\n{lines} server s1 {{s1}} {option}\n");
        http(&config).name("s1", server.address()).start()
    };
    assert_eq!(source_of(&start("", "")?, &server)?.ip().to_string(), "127.0.0.1");
    let proxy = start(" source 127.0.0.7\n", "")?;
    assert_eq!(source_of(&proxy, &server)?.ip().to_string(), "127.0.0.7");
    let proxy = start(" source 127.0.0.7\n", "source 127.0.0.8")?;
    assert_eq!(source_of(&proxy, &server)?.ip().to_string(), "127.0.0.8");
    let free = Server::silent()?.address().port();
    let proxy = start("", &format!("source 127.0.0.9:{free}-{}", free.saturating_add(1)))?;
    let source = source_of(&proxy, &server)?;
    assert_eq!(source.ip().to_string(), "127.0.0.9");
    ensure!((free..=free + 1).contains(&source.port()), "{source}");
    // Not an address of this machine: nothing can be connected.
    let proxy = start(" retries 0\n source 192.0.2.1\n", "")?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    Ok(())
}

#[test]
fn clients_are_sent_to_the_server() -> Result<()> {
    let web = Web::start("w")?;
    let config = "listen fe\n bind {fe}\n server s1 {s1} redir http://x.y/p\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let response = proxy.connect("fe")?.get("/a?b", "")?;
    assert_eq!((response.status(), response.header("location")), (302, Some("http://x.y/p/a?b")));
    assert_eq!(response.header("connection"), Some("close"));
    let mut client = proxy.connect("fe")?;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")?;
    assert_eq!(client.response()?.text(), "w");
    assert_eq!(web.requests().len(), 1);
    Ok(())
}

#[test]
fn the_servers_name_is_sent() -> Result<()> {
    let web = Web::start("w")?;
    let config = "listen fe\n bind {fe}\n http-send-name-header X-Server\n server first {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    proxy.connect("fe")?.get("/", "X-Server: forged\r\nx-server: again\r\n")?;
    assert_eq!(web.requests()[0].all("x-server"), ["first"]);
    Ok(())
}

/// Clients whose requests have reached the server, or wait for it.
fn send_requests(proxy: &Proxy, count: usize) -> Result<Vec<Connection>> {
    let one = |_| {
        let mut client = proxy.connect("fe")?;
        client.send(GET)?;
        Ok(client)
    };
    (0..count).map(one).collect()
}

#[test]
fn the_limit_grows_with_the_backends_load() -> Result<()> {
    let server = Server::listen()?;
    // At 2 sessions of 4 the limit is half of 4.
    let config = "frontend fe\n bind {fe}\n default_backend be\n\
                  backend be\n fullconn 4\n server s1 {s1} minconn 1 maxconn 4\n";
    let proxy = http_with_cli(config).name("s1", server.address()).start()?;
    let mut clients = send_requests(&proxy, 1)?;
    let mut reached = vec![server.accept()?];
    for (sessions, served) in [(2, 2), (3, 3), (4, 4), (5, 4)] {
        clients.extend(send_requests(&proxy, 1)?);
        proxy.wait_for_stat("be", "BACKEND", "scur", &sessions.to_string())?;
        while reached.len() < served {
            reached.push(server.accept()?);
        }
        proxy.wait_for_stat("be", "s1", "scur", &served.to_string())?;
    }
    proxy.wait_for_stat("be", "BACKEND", "qcur", "1")?;
    Ok(())
}

#[test]
fn at_low_load_the_least_limit_holds() -> Result<()> {
    let server = Server::listen()?;
    let config = "frontend fe\n bind {fe}\n default_backend be\n\
                  backend be\n fullconn 1000\n server s1 {s1} minconn 2 maxconn 100\n";
    let proxy = http_with_cli(config).name("s1", server.address()).start()?;
    let _clients = send_requests(&proxy, 4)?;
    proxy.wait_for_stat("be", "BACKEND", "qcur", "2")?;
    proxy.wait_for_stat("be", "s1", "scur", "2")?;
    Ok(())
}

#[test]
fn the_lowest_class_is_served_first() -> Result<()> {
    let server = Server::listen()?;
    let config = "frontend fe\n bind {fe}\n http-request set-priority-class req.hdr(x-class),add(0)\n\
                  http-request set-priority-offset req.hdr(x-offset),add(0)\n\
                  http-request set-header x-is \"%[prio_class] %[prio_offset]\"\n default_backend be\n\
                  backend be\n server s1 {s1} maxconn 1\n";
    let proxy = http_with_cli(config).name("s1", server.address()).start()?;
    let _first = send_requests(&proxy, 1)?;
    let mut connection = server.accept()?;
    connection.request()?;
    let mut waiting = Vec::new();
    let requests = [("late", 0, 0), ("worst", 9, -5000), ("early", 0, -5000), ("best", -9, 5000)];
    for (at, (name, class, offset)) in requests.into_iter().enumerate() {
        let mut client = proxy.connect("fe")?;
        client.send(format!(
            "GET /{name} HTTP/1.1\r\nHost: h\r\nX-Class: {class}\r\nX-Offset: {offset}\r\n\r\n"
        ))?;
        proxy.wait_for_stat("be", "BACKEND", "qcur", &(at + 1).to_string())?;
        waiting.push(client);
    }
    let mut order = Vec::new();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    drop(connection);
    for _ in requests {
        let mut next = server.accept()?;
        let request = next.request()?;
        order.push(format!("{} {}", request.start, request.header("x-is").unwrap_or_default()));
        next.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    }
    let expected = ["best -9 5000", "early 0 -5000", "late 0 0", "worst 9 -5000"].map(|line| {
        let (name, rest) = line.split_once(' ').unwrap();
        format!("GET /{name} HTTP/1.1 {rest}")
    });
    assert_eq!(order, expected);
    Ok(())
}

#[test]
fn a_hash_may_not_overload_a_server() -> Result<()> {
    let servers = [Server::listen()?, Server::listen()?];
    let config = |factor: &str| {
        format!(
            "frontend fe\n bind {{fe}}\n default_backend be\nbackend be\n balance hdr(x-key)\n hash-type consistent\n{factor} server s1 {{s1}}\n server s2 {{s2}}\n"
        )
    };
    let spread = |factor: &str| -> Result<Vec<String>> {
        let proxy = http_with_cli(&config(factor));
        let proxy = proxy.name("s1", servers[0].address()).name("s2", servers[1].address());
        let proxy = proxy.start()?;
        let mut clients = Vec::new();
        for count in 1..=6 {
            let mut client = proxy.connect("fe")?;
            client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Key: same\r\n\r\n")?;
            clients.push(client);
            proxy.wait_for_stat("be", "BACKEND", "scur", &count.to_string())?;
            // Balanced as well as counted.
            haproxy_compat::harness::eventually("balanced", || {
                let stats = proxy.stats()?;
                let sessions = |name| stats.number("be", name, "scur");
                Ok(sessions("s1")? + sessions("s2")? == i64::from(count))
            })?;
        }
        let stats = proxy.stats()?;
        let of = |name: &str| stats.get("be", name, "scur").unwrap_or_default().to_owned();
        let mut found = vec![of("s1"), of("s2")];
        found.sort();
        Ok(found)
    };
    assert_eq!(spread("")?, ["0", "6"]);
    assert_eq!(spread(" hash-balance-factor 110\n")?, ["2", "4"]);
    Ok(())
}

/// Two servers that tell their name and how many connections they have accepted.
fn two() -> Result<[Web; 2]> {
    Ok([Web::start("s1")?, Web::start("s2")?])
}

fn start_two(webs: &[Web; 2], lines: &str) -> Result<Proxy> {
    let config = format!("listen fe\n bind {{fe}}\n{lines} server s1 {{s1}}\n server s2 {{s2}}\n");
    http_with_cli(&config).name("s1", webs[0].address()).name("s2", webs[1].address()).start()
}

/// The servers that answer four requests on one connection.
fn four(proxy: &Proxy) -> Result<Vec<String>> {
    let mut client = proxy.connect("fe")?;
    (0..4).map(|_| Ok(client.get("/", "")?.text())).collect()
}

#[test]
fn a_client_keeps_its_own_connections_with_reuse_never() -> Result<()> {
    let webs = two()?;
    let proxy = start_two(&webs, " http-reuse never\n")?;
    assert_eq!(four(&proxy)?, ["s1", "s2", "s1", "s2"]);
    assert_eq!((webs[0].connections(), webs[1].connections()), (1, 1));
    // Nobody else gets them.
    assert_eq!(four(&proxy)?, ["s1", "s2", "s1", "s2"]);
    assert_eq!((webs[0].connections(), webs[1].connections()), (2, 2));
    let webs = two()?;
    let proxy = start_two(&webs, " http-reuse never\n max-session-srv-conns 1\n")?;
    four(&proxy)?;
    assert_eq!((webs[0].connections(), webs[1].connections()), (1, 2));
    Ok(())
}

#[test]
fn the_last_server_is_preferred() -> Result<()> {
    let webs = two()?;
    let proxy = start_two(&webs, " http-reuse never\n option prefer-last-server\n")?;
    assert_eq!(four(&proxy)?, ["s1"; 4]);
    assert_eq!(four(&proxy)?, ["s2"; 4]);
    let mut client = proxy.connect("fe")?;
    assert_eq!(client.get("/", "")?.text(), "s1");
    proxy.cli("set server fe/s1 state maint")?;
    assert_eq!(client.get("/", "")?.text(), "s2");
    Ok(())
}

#[test]
fn a_long_queue_ends_the_preference() -> Result<()> {
    let start = |line: &str, servers: &[Server; 2]| -> Result<(Proxy, Vec<Connection>)> {
        let config = format!(
            "frontend fe\n bind {{fe}}\n default_backend be\nbackend be\n http-reuse never\n option prefer-last-server\n{line} server s1 {{s1}} maxconn 1 cookie one\n server s2 {{s2}} cookie two\n cookie C\n"
        );
        let proxy = http_with_cli(&config);
        let proxy = proxy.name("s1", servers[0].address()).name("s2", servers[1].address());
        let proxy = proxy.start()?;
        let mut client = proxy.connect("fe")?;
        client.send(GET)?;
        let mut link = servers[0].accept()?;
        link.request()?;
        link.send(OK)?;
        client.response()?;
        // The server is full now, and somebody waits for it.
        let mut all = vec![client];
        for _ in 0..2 {
            let mut other = proxy.connect("fe")?;
            other.send("GET / HTTP/1.1\r\nHost: h\r\nCookie: C=one\r\n\r\n")?;
            all.push(other);
        }
        proxy.wait_for_stat("be", "s1", "qcur", "1")?;
        all.push(link);
        Ok((proxy, all))
    };
    let servers = [Server::listen()?, Server::listen()?];
    let (proxy, mut all) = start("", &servers)?;
    all[0].send(GET)?;
    proxy.wait_for_stat("be", "s1", "qcur", "2")?;
    let servers = [Server::listen()?, Server::listen()?];
    let (proxy, mut all) = start(" max-keep-alive-queue 1\n", &servers)?;
    all[0].send(GET)?;
    servers[1].accept()?.request()?;
    proxy.wait_for_stat("be", "s1", "qcur", "1")?;
    Ok(())
}

#[test]
fn a_connection_that_is_authenticated_belongs_to_its_client() -> Result<()> {
    let web = Web::answering(|request| {
        let known = request.header("authorization").is_some();
        let head = match known {
            true => "200 OK\r\nX: y",
            false => "401 Unauthorized\r\nWWW-Authenticate: NTLM",
        };
        format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    })?;
    let config = "listen fe\n bind {fe}\n http-reuse always\n server s1 {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let mut first = proxy.connect("fe")?;
    assert_eq!(first.get("/", "")?.status(), 401);
    assert_eq!(first.get("/", "Authorization: NTLM x\r\n")?.status(), 200);
    assert_eq!(web.connections(), 1);
    assert_eq!(proxy.connect("fe")?.get("/", "Authorization: x\r\n")?.status(), 200);
    assert_eq!(web.connections(), 2);
    Ok(())
}

#[test]
fn idle_connections_are_reused_as_told() -> Result<()> {
    // Connections after: two requests of one client, one of a second client, two of a third.
    let cases = [
        ("never", [1, 2, 3]),
        ("safe", [1, 2, 3]),
        ("aggressive", [1, 1, 1]),
        ("always", [1, 1, 1]),
    ];
    for (mode, expected) in cases {
        let web = Web::start("w")?;
        // One thread: another could serve the next client before this one has kept the connection.
        let config = format!(
            "global\n nbthread 1\nlisten fe\n bind {{fe}}\n http-reuse {mode}\n server s1 {{s1}}\n"
        );
        let proxy = http(&config).name("s1", web.address()).start()?;
        let mut found = Vec::new();
        for requests in [2, 1, 2] {
            let mut client = proxy.connect("fe")?;
            for _ in 0..requests {
                client.get("/", "")?;
            }
            found.push(web.connections());
        }
        assert_eq!(found, expected, "{mode}");
    }
    Ok(())
}
