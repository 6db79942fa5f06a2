//! What the rules of checks say and look at (manual 4.2 "http-check send", "http-check set-var", "tcp-check
//! connect"): formats, variables, the response's parts; where checks come from.

use anyhow::Result;
use haproxy_compat::harness::{Proxy, Server, Web};

use crate::{proxy, testing_reference};

const DEFAULTS: &str = "global
    max-spread-checks 100ms
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    option log-health-checks
listen fe
    bind {fe}
";

fn start(backend: &str, servers: &[(&str, std::net::SocketAddr)]) -> Result<Proxy> {
    let mut builder = proxy(&format!("{DEFAULTS}{backend}"));
    for (name, address) in servers {
        builder = builder.name(name, *address);
    }
    builder.start()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn variables_go_from_one_connection_of_a_check_to_the_next() -> Result<()> {
    let server = Server::listen()?;
    let rules = "    option httpchk
    http-check connect
    http-check set-var(check.server) str(srv)
    http-check set-var(check.path) str(/req1)
    http-check set-var(txn.lost) str(x)
    http-check send meth GET uri-lf \"%[var(check.path)]%[var(txn.lost)]\" ver HTTP/1.1 hdr X-Test \"server=%[var(check.server)]\" hdr X-None \"%[var(check.none)]\"
    http-check expect status 200
    http-check connect
    http-check unset-var(check.server)
    http-check set-var(check.path) res.hdr(x-next)
    http-check send meth GET uri-lf \"%[var(check.path)]\" hdr X-Test \"server=%[var(check.server)]\" body-lf \"%[be_name]-%[srv_name]\"
    http-check expect status 200
    server s1 {s1} check inter 30s
";
    let proxy = start(rules, &[("s1", server.address())])?;
    let mut check = server.accept()?;
    let request = text(&check.request()?.raw);
    let expected = "GET /req1 HTTP/1.1\r\nx-test: server=srv\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert_eq!(request, expected);
    check.send("HTTP/1.1 200 OK\r\nX-Next: /req2\r\nContent-Length: 0\r\n\r\n")?;
    let mut check = server.accept()?;
    let request = text(&check.request()?.raw);
    // The last response can still be looked at.
    let expected = "GET /req2 HTTP/1.0\r\nx-test: server=\r\ncontent-length: 5\r\n\r\nfe-s1";
    assert_eq!(request, expected);
    check.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    proxy.wait_for_line("Health check for server fe/s1 succeeded")?;
    Ok(())
}

#[test]
fn variables_of_checks_take_no_more_memory_than_they_may() -> Result<()> {
    let server = Server::listen()?;
    // A variable counts for 72 bytes and its text: the first fits, the second does not.
    let limited = DEFAULTS.replace("global\n", "global\n    tune.vars.check-max-size 100\n");
    let rules = "    option httpchk
    http-check set-var(check.a) str(one)
    http-check set-var(check.b) str(two)
    http-check send meth GET uri / hdr X-Test \"a=%[var(check.a)] b=%[var(check.b)]\"
    server s1 {s1} check inter 30s
";
    let _proxy = proxy(&format!("{limited}{rules}")).name("s1", server.address()).start()?;
    let request = text(&server.accept()?.request()?.raw);
    assert!(request.contains("\r\nx-test: a=one b=\r\n"), "{request}");
    Ok(())
}

#[test]
fn expectations_tell_what_came() -> Result<()> {
    let web = Web::answering(|_| {
        b"HTTP/1.1 200 OK\r\nX-A: one\r\nX-Name: x-a\r\nContent-Length: 5\r\n\r\nhello".to_vec()
    })?;
    // 2.3.0 does not survive a look at the body itself.
    let body = if testing_reference() { "str(hello)" } else { "res.body" };
    let rules = "    option httpchk
    http-check send meth GET uri /
    http-check expect string hello min-recv 5
    http-check set-var(check.name) res.fhdr(x-name)
    http-check set-var(check.body) {body}
    http-check expect hdr name-lf \"%[var(check.name)]\" value-lf -m beg \"%[str(on)]\"
    http-check expect string-lf \"%[var(check.body)]\" on-success \"%[res.body_len] %[res.body_size] %[res.hdr(x-a)] %[res.ver] %[res.hdr_names]\" status-code int(42)
    server s1 {s1} check inter 30s
";
    let rules = rules.replace("{body}", body);
    let proxy = start(&rules, &[("s1", web.address())])?;
    let line = proxy.wait_for_line("Health check for server fe/s1")?;
    let expected = "succeeded, reason: Layer7 check passed, code: 42, info: \"5 5 one 1.1 x-a,x-name,content-length\", check duration: ";
    assert!(line.contains(expected), "{line}");
    Ok(())
}

#[test]
fn a_failure_says_what_a_format_says() -> Result<()> {
    let web = Web::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec())?;
    let rules = "    option httpchk
    http-check expect string nope on-error \"%[res.body_len] of %[srv_name]\"
    server s1 {s1} check inter 30s
";
    let proxy = start(rules, &[("s1", web.address())])?;
    let line = proxy.wait_for_line("Health check for server fe/s1")?;
    assert!(line.contains("failed, reason: Layer7 invalid response, info: \"5 of s1\""), "{line}");
    Ok(())
}

#[test]
fn a_dialogue_of_bytes_says_what_formats_say() -> Result<()> {
    let (server, other) = (Server::listen()?, Server::listen()?);
    let port = other.address().port();
    let rules = format!(
        "backend be
    mode tcp
    option tcp-check
    tcp-check connect
    tcp-check set-var(check.name) srv_name
    tcp-check send-lf \"HELLO %[var(check.name)]\\r\\n\"
    tcp-check send-binary-lf \"%[str(PING),hex]\"
    tcp-check expect string-lf \"+%[var(check.name)]\"
    tcp-check set-var(check.port) int({port})
    tcp-check connect port var(check.port)
    tcp-check expect binary-lf \"%[str(OK),hex]\"
    server s1 {{s1}} check inter 30s
"
    );
    let proxy = start(&rules, &[("s1", server.address())])?;
    let mut check = server.accept()?;
    check.expect("HELLO s1\r\nPING")?;
    check.send("+s1")?;
    let mut check = other.accept()?;
    check.send("OK")?;
    proxy.wait_for_line("Health check for server be/s1 succeeded, reason: Layer7 check passed, code: 0, info: \"(tcp-check)\"")?;
    Ok(())
}

#[test]
fn a_written_connection_sends_a_proxy_header_only_when_told() -> Result<()> {
    let servers: Result<Vec<Server>> = (0..4).map(|_| Server::listen()).collect();
    let servers = servers?;
    let connections = ["connect send-proxy", "connect", "connect default", "connect send-proxy"];
    let options = ["", "check-send-proxy", "check-send-proxy", "send-proxy-v2"];
    let mut config = String::new();
    for (number, (connect, option)) in connections.iter().zip(options).enumerate() {
        config.push_str(&format!("backend be{number}\n    mode tcp\n    option tcp-check\n    tcp-check {connect}\n    tcp-check send hello\n    tcp-check expect string x\n    server s1 {{s{number}}} check inter 30s {option}\n"));
    }
    let named: Vec<_> = (0..4).map(|number| format!("s{number}")).collect();
    let list: Vec<_> =
        named.iter().map(String::as_str).zip(servers.iter().map(Server::address)).collect();
    let _proxy = start(&config, &list)?;
    for (number, server) in servers.iter().enumerate() {
        let mut check = server.accept()?;
        let from = check.peer_address()?.port();
        let to = server.address().port();
        match number {
            0 | 2 => {
                check.expect(format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {to}\r\nhello"))?
            }
            1 => check.expect("hello")?,
            _ => check.expect(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0hello")?,
        }
    }
    Ok(())
}

#[test]
fn checks_come_from_where_requests_do() -> Result<()> {
    let server = Server::listen()?;
    let rules = "backend be
    mode tcp
    option tcp-check
    tcp-check expect string x
    server s1 {s1} check inter 30s source 127.0.0.2
";
    let _proxy = start(rules, &[("s1", server.address())])?;
    let check = server.accept()?;
    assert_eq!(check.peer_address()?.ip().to_string(), "127.0.0.2");
    Ok(())
}

#[test]
fn rules_see_what_has_come_of_a_response_body() -> Result<()> {
    let server = Server::listen()?;
    let rules = "    http-response set-header x-b \"%[res.body] %[res.body_len] %[res.body_size]\"
    server s1 {s1}
";
    let proxy = start(rules, &[("s1", server.address())])?;
    let cases = [
        ("Content-Length: 8\r\n\r\nhello", "xyz", "hello 5 8"),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "0\r\n\r\n", "abc 3 3"),
    ];
    for (first, rest, seen) in cases {
        let mut client = proxy.connect("fe")?;
        client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
        let mut link = server.accept()?;
        link.request()?;
        link.send(format!("HTTP/1.1 200 OK\r\n{first}"))?;
        assert_eq!(client.head()?.header("x-b"), Some(seen));
        link.send(rest)?;
    }
    Ok(())
}
