//! Stickiness (manual 4.2 "stick on" and its kin, "persist rdp-cookie", "balance rdp-cookie"): who comes
//! again meets the same server.

use anyhow::Result;
use haproxy_compat::harness::{Proxy, Server, Web, eventually};

use crate::{CLI, HTTP, proxy};

/// Three servers that say who they are; `/login` gives a session.
fn servers() -> Result<Vec<Web>> {
    let answer = |name: &'static str| {
        move |request: &haproxy_compat::harness::Message| {
            let session = match request.target() {
                "/login" => format!("X-Session: of-{name}\r\n"),
                _ => String::new(),
            };
            let length = name.len();
            format!("HTTP/1.1 200 OK\r\n{session}Content-Length: {length}\r\n\r\n{name}")
                .into_bytes()
        }
    };
    ["v1", "v2", "v3"].into_iter().map(|name| Web::answering(answer(name))).collect()
}

fn start(backend: &str) -> Result<(Proxy, Vec<Web>)> {
    let web = servers()?;
    let config = format!(
        "{CLI}{HTTP}frontend fe\n bind {{fe}}\n default_backend be\nbackend be\n{backend}\
         server s1 {{s1}}\n server s2 {{s2}}\n server s3 {{s3}}\n"
    );
    let proxy = proxy(&config)
        .name("s1", web[0].address())
        .name("s2", web[1].address())
        .name("s3", web[2].address())
        .start()?;
    Ok((proxy, web))
}

fn get(proxy: &Proxy, path: &str, headers: &str) -> Result<String> {
    Ok(proxy.connect("fe")?.get(path, headers)?.text())
}

#[test]
fn clients_stick_to_their_first_server() -> Result<()> {
    let (proxy, _web) = start(
        " stick-table type string len 20 size 10 expire 1m\n stick on req.hdr(x-user) unless { path /free }\n",
    )?;
    let user = |name: &str| get(&proxy, "/", &format!("X-User: {name}\r\n"));
    assert_eq!((user("ann")?, user("bob")?, user("eve")?), ("v1".into(), "v2".into(), "v3".into()));
    assert_eq!((user("bob")?, user("bob")?, user("ann")?), ("v2".into(), "v2".into(), "v1".into()));
    // Nothing sticks without a key, or where the condition does not hold.
    let free: Vec<_> =
        (0..3).map(|_| get(&proxy, "/free", "X-User: bob\r\n")).collect::<Result<_>>()?;
    assert_eq!(free, ["v1", "v2", "v3"]);
    assert_eq!((get(&proxy, "/", "")?, get(&proxy, "/", "")?), ("v1".into(), "v2".into()));
    let table = proxy.cli("show table be")?;
    assert!(table.starts_with("# table: be, type: string, size:10, used:3\n"), "{table}");
    let bob = table.lines().find(|l| l.contains("key=bob ")).unwrap_or_default();
    assert!(bob.contains(" use=0 exp=") && bob.ends_with(" server_id=2 server_name=s2"), "{bob}");
    // A server that is down is left, and what is stored with it.
    proxy.cli("set server be/s2 state maint")?;
    assert_eq!(user("bob")?, "v3");
    proxy.cli("set server be/s2 state ready")?;
    assert_eq!(user("bob")?, "v3");
    proxy.cli("set table be key ann data.server_id 3")?;
    proxy.cli("clear table be key eve")?;
    assert!(!proxy.cli("show table be")?.contains("key=eve "));
    Ok(())
}

#[test]
fn what_a_response_says_is_stored_and_matched() -> Result<()> {
    let web = servers()?;
    let config = format!(
        "{CLI}{HTTP}listen fe\n bind {{fe}}\n\
         stick store-response res.hdr(x-session) table sessions\n\
         stick match req.hdr(x-session) table sessions\n\
         server s1 {{s1}}\n server s2 {{s2}} id 42\n\
         backend sessions\n stick-table type string len 30 size 10\n"
    );
    let proxy = proxy(&config).name("s1", web[0].address()).name("s2", web[1].address()).start()?;
    assert_eq!((get(&proxy, "/", "")?, get(&proxy, "/login", "")?), ("v1".into(), "v2".into()));
    for _ in 0..3 {
        assert_eq!(get(&proxy, "/", "X-Session: of-v2\r\n")?, "v2");
    }
    let table = proxy.cli("show table sessions")?;
    assert!(table.contains("key=of-v2 use=0 exp=0 server_id=42 server_name=s2\n"), "{table}");
    assert!(table.contains("used:1\n"), "{table}");
    Ok(())
}

#[test]
fn requests_store_without_matching_and_some_servers_are_not_stored() -> Result<()> {
    let web = servers()?;
    let config = format!(
        "{CLI}{HTTP}listen fe\n bind {{fe}}\n stick-table type string len 30 size 10\n\
         stick store-request path\n\
         server s1 {{s1}}\n server s2 {{s2}} non-stick\n"
    );
    let proxy = proxy(&config).name("s1", web[0].address()).name("s2", web[1].address()).start()?;
    for (path, server) in [("/a", "v1"), ("/b", "v2"), ("/a", "v1"), ("/a", "v2")] {
        assert_eq!(get(&proxy, path, "")?, server);
    }
    let table = proxy.cli("show table fe")?;
    assert!(table.contains("key=/a ") && table.contains("used:1\n"), "{table}");
    Ok(())
}

#[test]
fn tcp_connections_stick_too() -> Result<()> {
    let servers = [Server::listen()?, Server::listen()?];
    let config = format!(
        "{CLI}defaults\n mode tcp\n timeout client 20s\n timeout server 20s\n timeout connect 20s\n\
         listen fe\n bind {{fe}}\n stick-table type binary len 4 size 10\n\
         tcp-request inspect-delay 5s\n tcp-request content accept if {{ req.len ge 4 }}\n\
         stick on req.payload(0,4)\n server s1 {{s1}}\n server s2 {{s2}}\n"
    );
    let proxy =
        proxy(&config).name("s1", servers[0].address()).name("s2", servers[1].address()).start()?;
    for (key, server) in [("aaaa", 0), ("bbbb", 1), ("bbbb", 1), ("aaaa", 0), ("aaaa", 0)] {
        let mut client = proxy.connect("fe")?;
        client.send(key)?;
        servers[server].accept()?.expect(key)?;
    }
    eventually("both are stored", || Ok(proxy.cli("show table fe")?.contains("used:2\n")))
}

/// A remote desktop's connection request with this cookie.
fn desktop(cookie: &str) -> Vec<u8> {
    let text = format!("Cookie: {cookie}\r\n");
    let length = u8::try_from(text.len()).expect("short") + 6;
    let mut packet = vec![3, 0, 0, length + 5, length, 0xe0, 0, 0, 0, 0, 0];
    packet.extend(text.as_bytes());
    packet
}

#[test]
fn remote_desktops_are_known_by_their_cookie() -> Result<()> {
    let servers = [Server::listen()?, Server::listen()?];
    let config = "defaults\n mode tcp\n timeout client 20s\n timeout server 20s\n timeout connect 20s\n\
         frontend fe\n bind {fe}\n tcp-request inspect-delay 5s\n\
         tcp-request content accept if RDP_COOKIE\n tcp-request content reject if WAIT_END\n\
         use_backend hashed if { req.rdp_cookie(mstshash) -m found }\n default_backend be\n\
         backend be\n persist rdp-cookie\n server s1 {s1}\n server s2 {s2}\n\
         backend hashed\n balance rdp-cookie\n hash-type consistent\n server s1 {s1}\n server s2 {s2}\n";
    let proxy =
        proxy(config).name("s1", servers[0].address()).name("s2", servers[1].address()).start()?;
    for server in [1, 0, 1, 1, 0] {
        let port = servers[server].address().port().swap_bytes();
        let packet = desktop(&format!("msts=16777343.{port}.0000"));
        let mut client = proxy.connect("fe")?;
        client.send(&packet)?;
        servers[server].accept()?.expect(&packet)?;
    }
    // Two users who are on different servers stay there.
    let mut places = Vec::new();
    for user in ["ann", "ann", "ann"] {
        let packet = desktop(&format!("mstshash={user}"));
        let mut client = proxy.connect("fe")?;
        client.send(&packet)?;
        let found = eventually_one(&servers)?;
        places.push(found);
    }
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
    Ok(())
}

/// Which of the servers was connected to.
fn eventually_one(servers: &[Server]) -> Result<usize> {
    let mut found = None;
    eventually("a server is connected to", || {
        for (index, server) in servers.iter().enumerate() {
            if server.accept_within(std::time::Duration::from_millis(20))?.is_some() {
                found = Some(index);
                return Ok(true);
            }
        }
        Ok(false)
    })?;
    Ok(found.unwrap_or_default())
}
