//! Options that change how HTTP is written, read, waited for and connected (manual 3.1, 4.2, 5.2).

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use haproxy_compat::harness::{Server, Syslog, Web};

use crate::{CLI, GET, HTTP, OK, http, http_with_cli, proxy, testing_reference};

#[test]
fn header_names_are_written_as_the_operator_wants() -> Result<()> {
    let server = Server::listen()?;
    let config = format!(
        "global\n h1-case-adjust x-resp X-Resp\n h1-case-adjust-file {{dir}}/names\n{HTTP}\
         frontend fe\n bind {{fe}}\n option h1-case-adjust-bogus-client\n\
         http-request early-hint x-resp 1 if {{ path /hint }}\n\
         http-request deny if {{ path /deny }}\n default_backend be\n\
         frontend plain\n bind {{plain}}\n default_backend be\n\
         backend be\n option h1-case-adjust-bogus-server\n server s1 {{s1}}\n"
    );
    let names = "# names\n\n host   hOST\ncontent-length Content-Length\nconnection CONNection\n";
    let builder = proxy(&config).name("s1", server.address());
    let proxy = builder.file("names", names)?.start()?;
    let answer = "HTTP/1.1 200 OK\r\nx-RESP: 1\r\nX-Other: 2\r\nContent-length: 0\r\n\r\n";
    let mut client = proxy.connect("fe")?;
    client.send("GET /hint HTTP/1.1\r\nHost: h\r\nX-RESP: 3\r\n\r\n")?;
    let mut backend = server.accept()?;
    backend.expect("GET /hint HTTP/1.1\r\nhOST: h\r\nX-Resp: 3\r\n\r\n")?;
    backend.send(answer)?;
    client.expect("HTTP/1.1 103 Early Hints\r\nX-Resp: 1\r\n\r\n")?;
    let head = "HTTP/1.1 200 OK\r\nX-Resp: 1\r\nx-other: 2\r\nContent-Length: 0\r\n\r\n";
    client.expect(head)?;
    client.send("GET /deny HTTP/1.0\r\n\r\n")?;
    client.expect("HTTP/1.1 403 Forbidden\r\nContent-Length: 93\r\n")?;
    assert!(String::from_utf8(client.read_to_end()?)?.contains("\r\nCONNection: close\r\n"));
    // The other frontend's clients get them in lower case.
    let mut client = proxy.connect("plain")?;
    client.send("GET / HTTP/1.0\r\n\r\n")?;
    let mut backend = server.accept()?;
    backend.expect("GET / HTTP/1.0\r\nCONNection: keep-alive\r\n\r\n")?;
    backend.send(answer)?;
    client.expect("HTTP/1.1 200 OK\r\nx-resp: 1\r\nx-other: 2\r\ncontent-length: 0\r\n")
}

#[test]
fn invalid_messages_pass_where_they_are_wanted() -> Result<()> {
    let web = Web::answering(|request| match request.header("x-answer") {
        Some(line) => format!("HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 2\r\n\r\nok").into(),
        None => OK.into(),
    })?;
    let config = "frontend strict\n bind {strict}\n default_backend strict\n\
         frontend fe\n bind {fe}\n option accept-invalid-http-request\n default_backend be\n\
         backend strict\n server s1 {s1}\nbackend be\n option accept-invalid-http-response\n server s1 {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let requests: [&[u8]; 6] = [
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX(y): 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX\xe9: 1\r\n\r\n",
        b"GET / HTTP/1.12\r\nHost: h\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Answer: X(y): 1\r\n\r\n",
    ];
    for request in requests {
        let shown = String::from_utf8_lossy(request);
        let mut client = proxy.connect("fe")?;
        client.send(request)?;
        assert_eq!(client.response()?.status(), 200, "{shown}");
        let mut client = proxy.connect("strict")?;
        client.send(request)?;
        assert!(matches!(client.response()?.status(), 400 | 502), "{shown}");
    }
    for hopeless in ["GET /\x01 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"] {
        let mut client = proxy.connect("fe")?;
        client.send(hopeless)?;
        assert_eq!(client.response()?.status(), 400, "{hopeless}");
    }
    Ok(())
}

#[test]
fn a_request_is_given_up_when_its_client_closes() -> Result<()> {
    let server = Server::listen()?;
    let log = Syslog::udp()?;
    // HAProxy heeds the option only where the frontend has it too, and 2.3.0 not at all.
    let config = format!(
        "{CLI} log {{log}} format raw local0\n{HTTP} option abortonclose\n log global\n option httplog\n\
         frontend fe\n bind {{fe}}\n default_backend be\nbackend be\n server s1 {{s1}} maxconn 1\n"
    );
    let builder = proxy(&config).name("s1", server.address()).name("log", log.address()?);
    let (proxy, mut log) = (builder.start()?, log);
    let mut served = proxy.connect("fe")?;
    served.send("GET /served HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut backend = server.accept()?;
    backend.request()?;
    let mut queued = proxy.connect("fe")?;
    queued.send("GET /queued HTTP/1.1\r\nHost: h\r\n\r\n")?;
    proxy.wait_for_stat("be", "BACKEND", "qcur", "1")?;
    queued.half_close()?;
    assert_eq!(queued.drain()?.0, b"");
    let line = log.wait_for_line("GET /queued ")?;
    assert!(line.contains(" be/<NOSRV> 0/") && line.contains(" -1 0 - - CQ-- "), "{line}");
    proxy.wait_for_stat("be", "BACKEND", "qcur", "0")?;
    served.half_close()?;
    assert_eq!(served.response()?.status(), 400);
    let line = log.wait_for_line("GET /served ")?;
    assert!(line.contains(" be/s1 0/0/") && line.contains(" - - CH-- "), "{line}");
    backend.drain()?;
    let stats = proxy.stats()?;
    assert_eq!(stats.number("be", "s1", "cli_abrt")?, 1);
    assert_eq!(stats.number("be", "BACKEND", "hrsp_other")?, 1);
    // The place is free again.
    let mut next = proxy.connect("fe")?;
    next.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send(OK)?;
    assert_eq!(next.response()?.status(), 200);
    Ok(())
}

#[test]
fn the_target_names_the_server() -> Result<()> {
    let web = Web::start("here")?;
    let config = "frontend fe\n bind {fe}\n default_backend be\nbackend be\n option http_proxy\n";
    let proxy = http_with_cli(config).start()?;
    let host = web.address();
    let mut client = proxy.connect("fe")?;
    client.send(format!("GET http://{host}/a?b HTTP/1.1\r\nHost: {host}\r\n\r\n"))?;
    assert_eq!(client.response()?.text(), "here");
    let request = web.requests().pop().context("a request")?;
    assert_eq!(request.header("host"), Some(host.to_string().as_str()));
    if !testing_reference() {
        // 2.3.0 leaves parts of the absolute form behind the path.
        assert_eq!(request.start, "GET /a?b HTTP/1.1");
    }
    for target in ["/here", "http://localhost:1/"] {
        let host = target.trim_start_matches("http://").trim_end_matches('/');
        let mut client = proxy.connect("fe")?;
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"))?;
        assert_eq!(client.response()?.status(), 400, "{target}");
    }
    assert_eq!(proxy.stats()?.number("fe", "FRONTEND", "ereq")?, 2);
    assert_eq!(proxy.stats()?.number("be", "BACKEND", "hrsp_4xx")?, 2);
    Ok(())
}

#[test]
fn what_is_sent_to_a_side_renews_its_patience_or_not() -> Result<()> {
    let server = Server::listen()?;
    let config = "defaults\n mode tcp\n timeout client 400ms\n timeout server 20s\n timeout connect 20s\n\
         listen fe\n bind {fe}\n server s1 {s1}\n\
         listen own\n bind {own}\n option independent-streams\n server s1 {s1}\n";
    let proxy = proxy(config).name("s1", server.address()).start()?;
    for (name, ends) in [("fe", false), ("own", true)] {
        let mut client = proxy.connect(name)?;
        client.send("x")?;
        let mut backend = server.accept()?;
        backend.expect("x")?;
        for _ in 0..20 {
            backend.send("y")?;
            client.expect("y")?;
            std::thread::sleep(Duration::from_millis(50));
        }
        // Its direction is closed, the other one goes on.
        let (bytes, ending) = backend.read_for(Duration::from_millis(10))?;
        assert_eq!((bytes.len(), ending.is_some()), (0, ends), "{name}");
    }
    Ok(())
}

#[test]
fn idle_connections_are_kept_for_as_long_as_their_server_says() -> Result<()> {
    for (options, kept) in [("pool-purge-delay 0", false), ("pool-purge-delay 100ms", true)] {
        let web = Web::start("v1")?;
        let config = format!(
            "global\n nbthread 1\n stats socket {{cli}} level admin\n{HTTP}listen fe\n bind {{fe}}\n\
             http-reuse always\n server s1 {{s1}} {options}\n"
        );
        let proxy = proxy(&config).name("s1", web.address()).start()?;
        assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "v1");
        if kept {
            proxy.wait_for_stat("fe", "s1", "idle_conn_cur", "1")?;
        }
        // Purged long before the five seconds that are usual.
        let start = Instant::now();
        haproxy_compat::harness::eventually("no idle connection is left", || {
            Ok(web.open_connections() == 0)
        })?;
        assert!(start.elapsed() < Duration::from_secs(4), "{options}");
    }
    Ok(())
}

#[test]
fn threads_take_each_others_idle_connections_if_they_may() -> Result<()> {
    for (global, option, shared) in
        [("", "", true), ("tune.idle-pool.shared off", "", false), ("", "pool-low-conn 100", false)]
    {
        let web = Web::start("v1")?;
        let config = format!(
            "global\n nbthread 2\n {global}\n stats socket {{cli}} level admin\n{HTTP}\
             listen one\n bind {{one}} process 1/1\n use_backend be if TRUE\n\
             listen two\n bind {{two}} process 1/2\n use_backend be if TRUE\n\
             backend be\n http-reuse always\n server s1 {{s1}} {option}\n"
        );
        let proxy = proxy(&config).name("s1", web.address()).start()?;
        assert_eq!(proxy.connect("one")?.get("/", "")?.text(), "v1");
        proxy.wait_for_stat("be", "s1", "idle_conn_cur", "1")?;
        // This thread has none of its own, its neighbour has.
        assert_eq!(proxy.connect("two")?.get("/", "")?.text(), "v1");
        let connections = if shared { 1 } else { 2 };
        assert_eq!(web.connections(), connections, "{global}{option}");
    }
    Ok(())
}

#[test]
fn an_expression_that_takes_too_many_steps_matches_nothing() -> Result<()> {
    let web = Web::start("v1")?;
    let config = "frontend fe\n bind {fe}\n\
         http-request deny if { url_param(q) -m reg ^(?=a)(a|aa|a(?!b))+$ }\n\
         default_backend be\nbackend be\n server s1 {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    assert_eq!(client.get("/?q=aaaa", "")?.status(), 403);
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(client.get(&format!("/?q={}!", "a".repeat(200)), "")?.text(), "v1");
    }
    assert!(start.elapsed() < Duration::from_secs(8));
    if !testing_reference() {
        // Said at the first and at the second, not at the third.
        proxy.wait_for_line("took too many steps")?;
        let lines = proxy.output().lines();
        let said = lines.iter().filter(|line| line.text.contains("too many steps")).count();
        assert_eq!(said, 2);
    }
    assert_eq!(web.requests().len(), 3);
    Ok(())
}
