//! Options of proxies that show in what servers and clients are sent (manual 4.2): addresses in headers, unique
//! ids, the monitored address, how connections are named.

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Message, Proxy, Syslog, Web};

use crate::{GET, http};

/// A frontend and a backend with these lines, and the server behind them.
fn start(frontend: &str, backend: &str) -> Result<(Proxy, Web)> {
    let web = Web::start("v1")?;
    let config = format!(
        "frontend fe\n bind {{fe}}\n{frontend}\n default_backend be\nbackend be\n{backend}\n server s1 {{s1}}\n"
    );
    let proxy = http(&config).name("s1", web.address()).start()?;
    Ok((proxy, web))
}

/// What the server sees of a request with these headers.
fn forwarded(frontend: &str, backend: &str, headers: &str) -> Result<Message> {
    let (proxy, web) = start(frontend, backend)?;
    proxy.connect("fe")?.get("/x", headers)?;
    let requests = web.requests();
    ensure!(requests.len() == 1, "the request did not arrive");
    Ok(requests[0].clone())
}

#[test]
fn forwardfor_adds_the_clients_address() -> Result<()> {
    let there = "X-Forwarded-For: 1.2.3.4\r\nX-Client: 5.6.7.8\r\n";
    let (own, client) = ("x-forwarded-for", "x-client");
    let cases: [(&str, &str, &str, &str, &[&str]); 10] = [
        ("option forwardfor", "", "", own, &["127.0.0.1"]),
        ("option forwardfor", "", there, own, &["1.2.3.4", "127.0.0.1"]),
        ("option forwardfor except 127.0.0.0/8", "", "", own, &[]),
        ("option forwardfor", "option forwardfor except 127.0.0.1", "", own, &[]),
        ("option forwardfor header X-Client", "option forwardfor", "", client, &[]),
        ("option forwardfor header X-Client", "option forwardfor", "", own, &["127.0.0.1"]),
        ("option forwardfor if-none", "", there, own, &["1.2.3.4"]),
        ("option forwardfor if-none", "", "", own, &["127.0.0.1"]),
        ("", "option forwardfor if-none header X-Client", there, client, &["5.6.7.8"]),
        (
            "option forwardfor if-none",
            "option forwardfor header X-Client",
            there,
            client,
            &["5.6.7.8", "127.0.0.1"],
        ),
    ];
    for (frontend, backend, headers, name, expected) in cases {
        let request = forwarded(frontend, backend, headers)?;
        assert_eq!(request.all(name), expected, "{frontend} | {backend}");
    }
    Ok(())
}

#[test]
fn originalto_adds_the_address_the_client_connected_to() -> Result<()> {
    let there = "X-Original-To: 9.9.9.9\r\n";
    let (own, other) = ("x-original-to", "x-dst");
    let cases: [(&str, &str, &str, &str, &[&str]); 7] = [
        ("option originalto", "", "", own, &["127.0.0.1"]),
        ("option originalto", "", there, own, &["9.9.9.9", "127.0.0.1"]),
        ("option originalto except 127.0.0.1", "", "", own, &[]),
        ("option originalto except 10.0.0.0/8", "", "", own, &["127.0.0.1"]),
        ("option originalto header X-Dst", "option originalto", "", other, &[]),
        ("option originalto", "option originalto header X-Dst", "", other, &["127.0.0.1"]),
        ("", "option originalto except 127.0.0.0/8 header X-Dst", "", other, &[]),
    ];
    for (frontend, backend, headers, name, expected) in cases {
        let request = forwarded(frontend, backend, headers)?;
        assert_eq!(request.all(name), expected, "{frontend} | {backend}");
    }
    Ok(())
}

#[test]
fn a_request_has_one_unique_id_everywhere() -> Result<()> {
    let mut log = Syslog::udp()?;
    let web = Web::start("v1")?;
    let config = "frontend fe
 bind {fe}
 log {log} local0
 log-format \"%ID %ST\"
 unique-id-format %{+X}o%rt-%[path]-%cp
 unique-id-header X-Unique
 default_backend be
backend be
 http-request set-header X-U %[unique-id]
 server s1 {s1}
";
    let proxy = http(config).name("s1", web.address()).name("log", log.address()?).start()?;
    let mut client = proxy.connect("fe")?;
    for path in ["/a", "/b"] {
        client.get(path, "")?;
    }
    let port = client.local_address()?.port();
    let seen = web.requests();
    let ids: Vec<_> = seen.iter().map(|r| r.header("x-unique").unwrap_or("").to_owned()).collect();
    assert_ne!(ids[0], ids[1]);
    for (id, (request, path)) in ids.iter().zip(seen.iter().zip(["/a", "/b"])) {
        ensure!(id.ends_with(&format!("-{path}-{port:X}")), "{id}");
        assert_eq!(request.header("x-u"), Some(id.as_str()));
        log.wait_for_line(&format!(": {id} 200"))?;
    }
    Ok(())
}

#[test]
fn without_a_format_there_is_no_unique_id() -> Result<()> {
    let request =
        forwarded("unique-id-header X-Unique", "http-request set-header X-U <%[unique-id]>", "")?;
    assert_eq!((request.header("x-unique"), request.header("x-u")), (None, Some("<>")));
    Ok(())
}

#[test]
fn the_monitored_address_is_answered_before_rules_and_not_logged() -> Result<()> {
    let mut log = Syslog::udp()?;
    let web = Web::start("v1")?;
    let config = "frontend fe
 bind {fe}
 log {log} local0
 option httplog
 monitor-uri /mon
 monitor fail if { hdr(x-fail) 1 }
 monitor fail unless { method GET HEAD POST }
 http-request deny if { path_beg /mon } { query -m found }
 default_backend be
frontend other
 bind {other}
 monitor-uri http://x/mon
 http-error status 200 content-type text/plain string fine
 http-after-response set-header x-after yes
 http-request deny
backend be
 server s1 {s1}
";
    let proxy = http(config).name("s1", web.address()).name("log", log.address()?).start()?;
    let mut client = proxy.connect("fe")?;
    let page = client.get("/mon", "")?;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 58\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&page.head), head);
    assert_eq!(page.text(), "<html><body><h1>200 OK</h1>\nService ready.\n</body></html>\n");
    client.send("POST http://y/mon HTTP/1.1\r\nHost: y\r\nContent-Length: 3\r\n\r\nabc")?;
    assert_eq!(client.response()?.status(), 200);
    assert_eq!(client.get("/mon", "X-Fail: 1\r\n")?.status(), 503);
    client.send("PUT /mon HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")?;
    assert_eq!(client.response()?.status(), 503);
    assert_eq!(client.get("/mon?a=b", "")?.status(), 403);
    assert_eq!(client.get("/other", "")?.status(), 200);
    let lines = log.wait_for(2)?;
    ensure!(lines[0].contains("/mon?a=b") && lines[1].contains("/other"), "{lines:?}");
    let mut client = proxy.connect("other")?;
    assert_eq!(client.get("/mon", "")?.status(), 403);
    client.send("GET http://x/mon HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let answer = client.response()?;
    assert_eq!((answer.text().as_str(), answer.header("x-after")), ("fine", Some("yes")));
    assert_eq!(web.requests().len(), 1);
    Ok(())
}

#[test]
fn a_server_is_not_told_of_the_end_with_pretend_keepalive() -> Result<()> {
    let told = |backend: &str| -> Result<Option<String>> {
        let (proxy, web) = start("", backend)?;
        let mut client = proxy.connect("fe")?;
        client.send(GET)?;
        client.response()?;
        haproxy_compat::harness::eventually("the server's connection is closed", || {
            Ok(web.open_connections() == 0)
        })?;
        // The client's lives on.
        client.send(GET)?;
        client.response()?;
        Ok(web.requests()[0].header("connection").map(str::to_owned))
    };
    assert_eq!(told("option http-server-close")?.as_deref(), Some("close"));
    assert_eq!(told("option http-server-close\n option http-pretend-keepalive")?, None);
    assert_eq!(told("option httpclose\n option http-pretend-keepalive")?, None);
    Ok(())
}
