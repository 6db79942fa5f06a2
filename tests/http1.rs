//! HTTP/1 in HTTP mode (manual 1.2, 4.2 `option http-*`): messages from client to server and back.

use anyhow::Result;
use haproxy_compat::harness::{Connection, Ending, Proxy, Server, Web};

use crate::{GET, GET_CLOSE, HTTP, OK, http, proxy};

const MAIN: &str = "listen main
    bind {fe}
    server s1 {s1}
";

/// A proxy before a scripted server, a client connected to it.
fn scripted(options: &str) -> Result<(Proxy, Server, Connection)> {
    let server = Server::listen()?;
    let proxy = http(&format!("{MAIN}{options}")).name("s1", server.address()).start()?;
    let client = proxy.connect("fe")?;
    Ok((proxy, server, client))
}

/// A proxy before a server that answers "v1".
fn before_web(options: &str) -> Result<(Proxy, Web)> {
    let web = Web::start("v1")?;
    let proxy = http(&format!("{MAIN}{options}")).name("s1", web.address()).start()?;
    Ok((proxy, web))
}

#[test]
fn a_request_reaches_the_server_and_its_answer_the_client() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send("GET /a?b=c HTTP/1.1\r\nHost: Example\r\nX-B: 1\r\nx-a:2 \r\nX-b: 3\r\n\r\n")?;
    let mut backend = server.accept()?;
    backend.expect("GET /a?b=c HTTP/1.1\r\nhost: Example\r\nx-b: 1\r\nx-a: 2\r\nx-b: 3\r\n\r\n")?;
    backend.send(
        "HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nX:y\r\nset-cookie: c\r\nContent-Length: 1\r\n\r\nz",
    )?;
    client.expect(
        "HTTP/1.1 200 Fine\r\nset-cookie: a\r\nx: y\r\nset-cookie: c\r\ncontent-length: 1\r\n\r\nz",
    )
}

#[test]
fn connections_on_both_sides_are_kept_and_reused() -> Result<()> {
    let (proxy, web) = before_web("")?;
    let mut client = proxy.connect("fe")?;
    for _ in 0..5 {
        assert_eq!(client.get("/", "")?.body, b"v1");
    }
    assert_eq!((web.connections(), web.requests().len()), (1, 5));
    Ok(())
}

#[test]
fn idle_server_connections_are_shared_after_a_sessions_first_request() -> Result<()> {
    let (proxy, web) = before_web("")?;
    for sessions in 1..=3 {
        let mut client = proxy.connect("fe")?;
        client.get("/", "")?;
        assert_eq!(web.connections(), sessions, "a first request has a connection of its own");
        client.get("/", "")?;
        assert_eq!(web.connections(), sessions);
    }
    Ok(())
}

#[test]
fn pipelined_requests_are_answered_in_order() -> Result<()> {
    let (proxy, web) = before_web("")?;
    web.answer_with(|request| {
        let path = request.target();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).into_bytes()
    });
    let mut client = proxy.connect("fe")?;
    let many: String = (0..50).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: h\r\n\r\n")).collect();
    client.send(many)?;
    for n in 0..50 {
        assert_eq!(client.response()?.text(), format!("/{n}"));
    }
    Ok(())
}

#[test]
fn a_client_that_asks_for_the_end_gets_it() -> Result<()> {
    let (proxy, web) = before_web("")?;
    let mut client = proxy.connect("fe")?;
    client.send(GET_CLOSE)?;
    let answer = client.response()?;
    assert_eq!(answer.header("connection"), Some("close"));
    client.expect_close()?;
    assert_eq!(web.requests()[0].header("connection"), None);
    Ok(())
}

#[test]
fn an_http_1_0_client_gets_the_end_unless_it_asks_to_keep() -> Result<()> {
    let (proxy, _web) = before_web("")?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")?;
    let answer = client.response()?;
    assert_eq!(answer.start, "HTTP/1.1 200 OK");
    assert_eq!(answer.header("connection"), Some("keep-alive"));
    client.send("GET / HTTP/1.0\r\n\r\n")?;
    assert_eq!(client.response()?.body, b"v1");
    client.expect_close()
}

#[test]
fn a_server_that_closes_costs_the_client_nothing() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    for _ in 0..3 {
        client.send(GET)?;
        let mut backend = server.accept()?;
        backend.request()?;
        backend.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")?;
        drop(backend);
        let answer = client.response()?;
        assert_eq!((answer.text().as_str(), answer.header("connection")), ("ok", None));
    }
    Ok(())
}

#[test]
fn a_body_without_length_ends_with_the_connection() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the ")?;
    backend.send("end")?;
    drop(backend);
    assert_eq!(client.response()?.text(), "to the end");
    Ok(())
}

#[test]
fn responses_that_have_no_body_leave_the_connection_usable() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")?;
    client.expect("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n")?;
    for head in ["204 No Content\r\nx: y", "304 Not Modified\r\ncontent-length: 9\r\netag: \"e\""] {
        client.send(GET)?;
        backend.request()?;
        backend.send(format!("HTTP/1.1 {head}\r\n\r\n"))?;
        client.expect(format!("HTTP/1.1 {head}\r\n\r\n"))?;
    }
    client.send(GET)?;
    backend.request()?;
    backend.send(OK)?;
    assert_eq!(client.response()?.text(), "ok");
    Ok(())
}

#[test]
fn chunks_pass_both_ways_as_they_come() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let mut backend = server.accept()?;
    assert_eq!(backend.head()?.header("transfer-encoding"), Some("chunked"));
    client.send("3\r\nabc\r\n")?;
    backend.expect("3\r\nabc\r\n")?;
    client.send("2;ext=1\r\nde\r\n0\r\n\r\n")?;
    backend.expect("2\r\nde\r\n0\r\n\r\n")?;
    backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n")?;
    client.expect("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nxyz\r\n")?;
    backend.send("0\r\n\r\n")?;
    client.expect("0\r\n\r\n")?;
    client.send(GET)?;
    assert_eq!(backend.request()?.target(), "/");
    Ok(())
}

#[test]
fn large_bodies_arrive_whole_both_ways() -> Result<()> {
    let (proxy, web) = before_web("")?;
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7 % 251) as u8).collect();
    web.answer_with(|request| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
        [head.as_bytes(), &request.body].concat()
    });
    let mut client = proxy.connect("fe")?;
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
    client.send([head.as_bytes(), &body].concat())?;
    assert!(client.response()?.body == body, "the body came back changed");
    assert!(web.requests()[0].body == body, "the body reached the server changed");
    Ok(())
}

#[test]
fn a_body_waits_for_100_continue() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client
        .send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")?;
    let mut backend = server.accept()?;
    assert_eq!(backend.head()?.header("expect"), Some("100-continue"));
    backend.send("HTTP/1.1 100 Continue\r\n\r\n")?;
    client.expect("HTTP/1.1 100 Continue\r\n\r\n")?;
    client.send("ab")?;
    backend.expect("ab")?;
    backend.send(OK)?;
    assert_eq!(client.response()?.text(), "ok");
    Ok(())
}

#[test]
fn interim_responses_pass_before_the_final_one() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")?;
    client.expect("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")?;
    backend.send(OK)?;
    assert_eq!(client.response()?.status(), 200);
    Ok(())
}

#[test]
fn an_answer_may_come_before_the_request_is_whole() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123")?;
    let mut backend = server.accept()?;
    backend.head()?;
    backend.expect("123")?;
    backend.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")?;
    assert_eq!(client.response()?.status(), 401);
    Ok(())
}

#[test]
fn an_upgrade_becomes_a_tunnel() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client
        .send("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")?;
    let mut backend = server.accept()?;
    let request = backend.request()?;
    assert_eq!(request.header("upgrade"), Some("websocket"));
    assert!(request.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("upgrade")));
    backend.send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    )?;
    assert_eq!(client.response()?.status(), 101);
    client.send([0, 1, 2, 255])?;
    backend.expect([0, 1, 2, 255])?;
    backend.send(b"\r\n\r\nanything")?;
    client.expect(b"\r\n\r\nanything")?;
    client.half_close()?;
    backend.expect_close()?;
    drop(backend);
    client.expect_close()
}

#[test]
fn a_connect_request_becomes_a_tunnel() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n")?;
    let mut backend = server.accept()?;
    assert_eq!(backend.request()?.start, "CONNECT h:443 HTTP/1.1");
    backend.send("HTTP/1.1 200 OK\r\n\r\n")?;
    assert_eq!(client.response_to("CONNECT")?.status(), 200);
    client.send("abc")?;
    backend.expect("abc")?;
    backend.send("de")?;
    client.expect("de")
}

#[test]
fn http_server_close_keeps_the_client_only() -> Result<()> {
    let (proxy, web) = before_web("    option http-server-close\n")?;
    let mut client = proxy.connect("fe")?;
    for _ in 0..3 {
        assert_eq!(client.get("/", "")?.header("connection"), None);
    }
    assert_eq!(web.connections(), 3);
    assert_eq!(web.requests()[0].header("connection"), Some("close"));
    Ok(())
}

#[test]
fn httpclose_ends_both_sides() -> Result<()> {
    let (proxy, web) = before_web("    option httpclose\n")?;
    let mut client = proxy.connect("fe")?;
    assert_eq!(client.get("/", "")?.header("connection"), Some("close"));
    client.expect_close()?;
    assert_eq!(web.requests()[0].header("connection"), Some("close"));
    Ok(())
}

#[test]
fn a_half_closed_client_still_gets_its_answer() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send(GET)?;
    client.half_close()?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send(OK)?;
    assert_eq!(client.response()?.text(), "ok");
    client.expect_close()
}

#[test]
fn forwardfor_adds_the_clients_address() -> Result<()> {
    let (proxy, web) = before_web("    option forwardfor except 127.0.0.2 header X-Client\n")?;
    let mut client = proxy.connect("fe")?;
    client.get("/", "X-Client: 1.2.3.4\r\n")?;
    let source = "127.0.0.2:0".parse()?;
    Connection::from_to(source, proxy.address("fe")?)?.get("/", "")?;
    let requests = web.requests();
    assert_eq!(requests[0].all("x-client"), ["1.2.3.4", "127.0.0.1"]);
    assert_eq!(requests[1].all("x-client"), [""; 0]);
    Ok(())
}

#[test]
fn rules_answer_deny_and_rewrite() -> Result<()> {
    let web = Web::start("v1")?;
    let config = "listen main
    bind {fe}
    http-request set-header X-New %[path]
    http-request return status 200 content-type text/plain string hello if { path /hello }
    http-request deny if { path /no }
    http-request deny deny_status 429 if { path_beg /slow }
    http-request redirect location /new if { path /old }
    server s1 {s1}
";
    let proxy = http(config).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    let hello = client.get("/hello", "")?;
    assert_eq!(
        (hello.header("content-type"), hello.text().as_str()),
        (Some("text/plain"), "hello")
    );
    assert_eq!(proxy.connect("fe")?.get("/no", "")?.status(), 403);
    assert_eq!(proxy.connect("fe")?.get("/slow/x", "")?.status(), 429);
    let moved = proxy.connect("fe")?.get("/old", "")?;
    assert_eq!((moved.status(), moved.header("location")), (302, Some("/new")));
    proxy.connect("fe")?.get("/else", "X-New: theirs\r\n")?;
    assert_eq!(web.requests()[0].all("x-new"), ["/else"]);
    Ok(())
}

#[test]
fn use_backend_chooses_by_path_header_method_and_source() -> Result<()> {
    let (one, two) = (Web::start("one")?, Web::start("two")?);
    let config = "frontend main
    bind {fe}
    acl files path_beg /files /img
    acl named hdr(host) -i Two.Example
    use_backend two if files or named
    use_backend two if METH_POST
    use_backend two if { src 127.0.0.3 }
    default_backend one
backend one
    server s1 {s1}
backend two
    server s2 {s2}
";
    let builder = http(config).name("s1", one.address()).name("s2", two.address());
    let proxy = builder.start()?;
    let mut client = proxy.connect("fe")?;
    assert_eq!(client.get("/", "")?.text(), "one");
    assert_eq!(client.get("/files/a", "")?.text(), "two");
    client.send("GET / HTTP/1.1\r\nHost: two.example\r\n\r\n")?;
    assert_eq!(client.response()?.text(), "two");
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")?;
    assert_eq!(client.response()?.text(), "two");
    let mut third = Connection::from_to("127.0.0.3:0".parse()?, proxy.address("fe")?)?;
    assert_eq!(third.get("/", "")?.text(), "two");
    Ok(())
}

#[test]
fn a_custom_error_file_replaces_the_page() -> Result<()> {
    let page = "HTTP/1.1 503 Closed for lunch\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nlunch!";
    let config = format!("{HTTP}listen main\n bind {{fe}}\n errorfile 503 {{dir}}/lunch.http\n");
    let proxy = proxy(&config).file("lunch.http", page)?.start()?;
    let answer = proxy.connect("fe")?.get("/", "")?;
    assert_eq!((answer.status(), answer.text().as_str()), (503, "lunch!"));
    Ok(())
}

#[test]
fn error_pages_are_haproxys() -> Result<()> {
    let proxy = http("listen main\n bind {fe}\n").start()?;
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    client.expect(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\ncache-control: no-cache\r\n\
         content-type: text/html\r\n\r\n<html><body><h1>503 Service Unavailable</h1>\n\
         No server is available to handle this request.\n</body></html>\n",
    )?;
    client.send("garbage\r\n\r\n")?;
    let (bytes, ending) = client.drain()?;
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        "HTTP/1.1 400 Bad request\r\ncontent-length: 90\r\ncache-control: no-cache\r\n\
         content-type: text/html\r\nconnection: close\r\n\r\n<html><body><h1>400 Bad request</h1>\n\
         Your browser sent an invalid request.\n</body></html>\n",
    );
    assert_eq!(ending, Ending::Closed);
    Ok(())
}

#[test]
fn a_server_that_fails_to_answer_is_a_502() -> Result<()> {
    let (proxy, server, mut client) = scripted("")?;
    for answer in ["", "garbage\r\n\r\n"] {
        client.send(GET)?;
        let mut backend = server.accept()?;
        backend.request()?;
        backend.send(answer)?;
        drop(backend);
        assert_eq!(client.response()?.status(), 502, "after {answer:?}");
        client = proxy.connect("fe")?;
    }
    Ok(())
}

#[test]
fn an_answer_cut_short_is_cut_short_for_the_client() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")?;
    drop(backend);
    let (bytes, _) = client.drain()?;
    assert!(bytes.ends_with(b"\r\n\r\nabc"));
    Ok(())
}

#[test]
fn many_clients_at_once_get_their_own_answers() -> Result<()> {
    let (proxy, web) = before_web("")?;
    web.answer_with(|request| {
        let path = request.target();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).into_bytes()
    });
    let address = proxy.address("fe")?;
    let clients: Vec<_> = (0..20)
        .map(|client| {
            std::thread::spawn(move || -> Result<()> {
                let mut connection = Connection::to(address)?;
                for n in 0..30 {
                    let path = format!("/{client}/{n}");
                    assert_eq!(connection.get(&path, "")?.text(), path);
                }
                Ok(())
            })
        })
        .collect();
    for client in clients {
        client.join().expect("a client thread does not panic")?;
    }
    assert_eq!(web.requests().len(), 600);
    Ok(())
}
