//! Connection failures (manual 4.2 `retries`, `option redispatch`, `retry-on`).

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Server, Web};

use crate::{GET, http, http_with_cli};

#[test]
fn an_unreachable_server_is_tried_again_and_then_a_503() -> Result<()> {
    let dead = Server::silent()?;
    let config = "listen main\n bind {fe}\n retries 2\n server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", dead.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    let stats = proxy.stats()?;
    assert_eq!(stats.number("main", "s1", "wretr")?, 2);
    assert_eq!(stats.number("main", "s1", "econ")?, 1);
    assert_eq!(stats.number("main", "BACKEND", "hrsp_5xx")?, 1);
    Ok(())
}

#[test]
fn without_retries_it_fails_at_once() -> Result<()> {
    let dead = Server::silent()?;
    let config = "listen main\n bind {fe}\n retries 0\n server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", dead.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    assert_eq!(proxy.stats()?.number("main", "s1", "wretr")?, 0);
    Ok(())
}

#[test]
fn redispatch_takes_the_other_server() -> Result<()> {
    let (dead, web) = (Server::silent()?, Web::start("v1")?);
    let config = "listen main
    bind {fe}
    balance roundrobin
    retries 1
    option redispatch
    server s1 {s1}
    server s2 {s2}
";
    let proxy =
        http_with_cli(config).name("s1", dead.address()).name("s2", web.address()).start()?;
    for _ in 0..4 {
        assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "v1");
    }
    assert!(proxy.stats()?.number("main", "s1", "wredis")? >= 2);
    Ok(())
}

#[test]
fn a_server_that_comes_up_between_two_tries_gets_the_request() -> Result<()> {
    let mut server = Server::silent()?;
    let config = "listen main\n bind {fe}\n retries 5\n server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    // Tries are a second apart; the first has failed once it is counted.
    haproxy_compat::harness::eventually("a try has failed", || {
        Ok(proxy.stats()?.number("main", "s1", "wretr")? >= 1)
    })?;
    server.open()?;
    let mut backend = server.accept()?;
    assert_eq!(backend.request()?.target(), "/");
    backend.send(crate::OK)?;
    assert_eq!(client.response()?.text(), "ok");
    Ok(())
}

#[test]
fn an_idle_server_connection_that_was_closed_is_replaced() -> Result<()> {
    let web = Web::start("v1")?;
    let config = "listen main\n bind {fe}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    for n in 1..=3 {
        assert_eq!(client.get("/", "")?.text(), "v1");
        assert_eq!(web.connections(), n);
        web.close_connections();
        haproxy_compat::harness::eventually("the proxy closed its side too", || {
            Ok(web.open_connections() == 0)
        })?;
    }
    Ok(())
}

/// What a server does with a request.
#[derive(Clone, Copy)]
enum Deed {
    Close,
    Reset,
    Say(&'static str),
    Nothing,
}

const OK: Deed = Deed::Say(crate::OK);
const GARBAGE: Deed = Deed::Say("garbage\r\n\r\n");
const NOT_FOUND: Deed = Deed::Say("HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nno");
const UNAVAILABLE: Deed = Deed::Say("HTTP/1.1 503 X\r\nContent-Length: 2\r\n\r\nno");
const GET_X: &str = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
const POST: &str = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
const CHUNKS: &str =
    "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

/// The status the client gets, how often the server was asked, and the statistics `wretr` and `eresp`.
fn repeated(lines: &str, request: &str, deeds: &[Deed]) -> Result<(u16, usize, [i64; 2])> {
    let server = Server::listen()?;
    let config = format!(
        "listen main\n bind {{fe}}\n timeout server 300ms\n retries 2\n {lines}\n server s1 {{s1}}\n"
    );
    let proxy = http_with_cli(&config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send(request)?;
    let mut kept = Vec::new();
    let mut first = None;
    for deed in deeds {
        let mut connection = server.accept()?;
        let seen = connection.request()?;
        let text = (seen.start.clone(), seen.text());
        ensure!(*first.get_or_insert_with(|| text.clone()) == text, "another request: {text:?}");
        match deed {
            Deed::Close => {}
            Deed::Reset => connection.reset()?,
            Deed::Say(text) => {
                connection.send(text)?;
                kept.push(connection);
            }
            Deed::Nothing => kept.push(connection),
        }
    }
    let status = client.response()?.status();
    server.expect_no_connection(std::time::Duration::from_millis(50))?;
    let stats = proxy.stats()?;
    let numbers = [stats.number("main", "s1", "wretr")?, stats.number("main", "s1", "eresp")?];
    Ok((status, deeds.len(), numbers))
}

#[test]
fn failed_responses_are_reasons_to_try_again() -> Result<()> {
    use Deed::{Close, Nothing, Reset};
    type Case<'a> = (&'a str, &'a str, &'a [Deed], u16, [i64; 2]);
    let cases: &[Case<'_>] = &[
        ("retry-on none", GET_X, &[Close], 502, [0, 1]),
        ("", GET_X, &[Close], 502, [0, 1]),
        ("retry-on empty-response", GET_X, &[Close, OK], 200, [2, 0]),
        ("retry-on empty-response", POST, &[Close, OK], 200, [2, 0]),
        ("retry-on empty-response", CHUNKS, &[Close, OK], 200, [2, 0]),
        ("retry-on empty-response", GET_X, &[Close, Close, Close], 502, [4, 1]),
        ("retry-on empty-response", GET_X, &[Reset, OK], 200, [2, 1]),
        ("retry-on junk-response", GET_X, &[GARBAGE, OK], 200, [2, 1]),
        ("retry-on junk-response", GET_X, &[GARBAGE, GARBAGE, GARBAGE], 502, [4, 3]),
        ("retry-on response-timeout", GET_X, &[Nothing, OK], 200, [2, 0]),
        ("retry-on empty-response", GET_X, &[Nothing], 504, [0, 1]),
        ("retry-on 503", GET_X, &[UNAVAILABLE, OK], 200, [2, 0]),
        ("retry-on 503", GET_X, &[UNAVAILABLE, UNAVAILABLE, UNAVAILABLE], 503, [4, 0]),
        ("retry-on 404", GET_X, &[UNAVAILABLE], 503, [0, 0]),
        ("retry-on 425 404", GET_X, &[NOT_FOUND, OK], 200, [2, 0]),
        ("retry-on all-retryable-errors", GET_X, &[UNAVAILABLE, Close, OK], 200, [4, 0]),
        ("retry-on all-retryable-errors", GET_X, &[NOT_FOUND], 404, [0, 0]),
        (
            "retry-on all-retryable-errors\n http-request disable-l7-retry if { path /x }",
            GET_X,
            &[UNAVAILABLE],
            503,
            [0, 0],
        ),
    ];
    for (lines, request, deeds, status, numbers) in cases {
        let got = repeated(lines, request, deeds)?;
        assert_eq!(got, (*status, deeds.len(), *numbers), "{lines}: {request}");
    }
    Ok(())
}

#[test]
fn a_request_that_was_not_all_there_is_not_sent_again() -> Result<()> {
    let server = Server::listen()?;
    let config = "listen main\n bind {fe}\n retry-on all-retryable-errors\n server s1 {s1}\n";
    let proxy = http(config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na")?;
    let mut connection = server.accept()?;
    connection.head()?;
    connection.read_exactly(1)?;
    client.send("bc")?;
    connection.read_exactly(2)?;
    drop(connection);
    assert_eq!(client.response()?.status(), 502);
    server.expect_no_connection(std::time::Duration::from_millis(50))
}

#[test]
fn a_repeated_request_goes_to_another_server_with_redispatch() -> Result<()> {
    let (failing, web) = (
        Web::answering(|_| b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n".to_vec())?,
        Web::start("v2")?,
    );
    let config = "listen main\n bind {fe}\n balance roundrobin\n retries 3\n retry-on 503\n option redispatch\n server s1 {s1}\n server s2 {s2}\n";
    let proxy =
        http_with_cli(config).name("s1", failing.address()).name("s2", web.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "v2");
    assert_eq!(failing.requests().len(), 1);
    let stats = proxy.stats()?;
    assert_eq!(stats.number("main", "s1", "wretr")?, 1);
    assert_eq!(stats.number("main", "s1", "wredis")?, 1);
    Ok(())
}

#[test]
fn connections_are_not_tried_again_unless_that_is_a_reason() -> Result<()> {
    let dead = Server::silent()?;
    let config = "listen main\n bind {fe}\n retries 3\n retry-on empty-response\n server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", dead.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    assert_eq!(proxy.stats()?.number("main", "s1", "wretr")?, 0);
    Ok(())
}
