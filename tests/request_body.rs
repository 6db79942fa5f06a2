//! Bodies that rules look at (manual 4.2 "option http-buffer-request", "balance url_param"; 7.3.6 "req.body").

use std::time::Duration;

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Message, Proxy, Web};

use crate::http;

const RULES: &str = "http-request set-header X-B \"%[req.body]\" if { req.body_len lt 100 }
 http-request set-header X-L %[req.body_len]
 http-request set-header X-S %[req.body_size]
 http-request set-header X-P \"%[req.body_param(a)]|%[req.body_param]|%[req.body_param(b)]\"
";

fn start(frontend: &str, backend: &str) -> Result<(Proxy, Web)> {
    let web = Web::start("v1")?;
    let config = format!(
        "frontend fe\n bind {{fe}}\n timeout http-request 300ms\n {frontend}\n default_backend be\nbackend be\n {backend}\n server s1 {{s1}}\n"
    );
    let proxy = http(&config).name("s1", web.address()).start()?;
    Ok((proxy, web))
}

/// Sends a request in parts, each when the one before has surely arrived by itself; gives what the server saw.
fn seen(proxy: &Proxy, web: &Web, parts: &[&str]) -> Result<Message> {
    let before = web.requests().len();
    let mut client = proxy.connect("fe")?;
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            client.expect_silence(Duration::from_millis(30))?;
        }
        client.send(part)?;
    }
    ensure!(client.response()?.status() == 200, "not answered");
    Ok(web.requests()[before].clone())
}

fn look(request: &Message) -> [&str; 4] {
    ["x-b", "x-l", "x-s", "x-p"].map(|name| request.header(name).unwrap_or("none"))
}

const HEAD: &str = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n";

#[test]
fn rules_wait_for_the_body_where_that_is_asked_for() -> Result<()> {
    let whole = ["a=1&b=2%20&c", "12", "12", "1|1|2%20"];
    let places: [(String, String); 2] = [
        (format!("option http-buffer-request\n {RULES}"), String::new()),
        (String::new(), format!("option http-buffer-request\n {RULES}")),
    ];
    for (frontend, backend) in &places {
        let (proxy, web) = start(frontend, backend)?;
        let all = format!("{HEAD}a=1&b=2%20&c");
        for parts in [&[all.as_str()][..], &[HEAD, "a=1&", "b=2%20&c"]] {
            let request = seen(&proxy, &web, parts)?;
            assert_eq!(look(&request), whole);
            assert_eq!(request.text(), "a=1&b=2%20&c");
        }
        let chunks =
            "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n";
        let request = seen(&proxy, &web, &[chunks, "2\r\n&c\r\n0\r\n\r\n"])?;
        assert_eq!(look(&request), ["a=b&c", "5", "5", "b|b|"]);
        assert_eq!(request.text(), "a=b&c");
        let request = seen(&proxy, &web, &["GET /x HTTP/1.1\r\nHost: h\r\n\r\n"])?;
        assert_eq!(look(&request), ["", "0", "0", "||"]);
    }
    Ok(())
}

#[test]
fn without_waiting_there_is_what_came_with_the_head() -> Result<()> {
    let (proxy, web) = start(RULES, "")?;
    let request = seen(&proxy, &web, &[&format!("{HEAD}a=1&b=2%20&c")])?;
    assert_eq!(look(&request), ["a=1&b=2%20&c", "12", "12", "1|1|2%20"]);
    let mut client = proxy.connect("fe")?;
    client.send(HEAD)?;
    haproxy_compat::harness::eventually("the server is connected to", || {
        Ok(web.open_connections() == 2)
    })?;
    client.send("a=1&b=2%20&c")?;
    client.response()?;
    assert_eq!(look(&web.requests()[1]), ["", "0", "12", "||"]);
    Ok(())
}

#[test]
fn a_long_body_fills_the_buffer_and_goes_on() -> Result<()> {
    let (proxy, web) = start(&format!("option http-buffer-request\n {RULES}"), "")?;
    let body = "x".repeat(40_000);
    let request = format!("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 40000\r\n\r\n{body}");
    let request = seen(&proxy, &web, &[&request])?;
    assert_eq!(look(&request), ["none", "15209", "40000", "||"]);
    assert_eq!(request.body.len(), 40_000);
    Ok(())
}

#[test]
fn a_client_that_waits_gets_its_leave_from_the_proxy() -> Result<()> {
    let (proxy, web) = start(&format!("option http-buffer-request\n {RULES}"), "")?;
    let mut client = proxy.connect("fe")?;
    client
        .send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")?;
    client.expect("HTTP/1.1 100 Continue\r\n\r\n")?;
    client.send("abc")?;
    assert_eq!(client.response()?.status(), 200);
    let request = &web.requests()[0];
    assert_eq!((request.header("x-b"), request.header("expect")), (Some("abc"), None));
    Ok(())
}

#[test]
fn a_body_that_does_not_come_or_makes_no_sense_is_refused() -> Result<()> {
    let (proxy, web) = start("option http-buffer-request", "")?;
    let mut client = proxy.connect("fe")?;
    client.send(format!("{HEAD}a=1"))?;
    assert_eq!(client.response()?.status(), 408);
    let mut client = proxy.connect("fe")?;
    client.send("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")?;
    assert_eq!(client.response()?.status(), 400);
    ensure!(web.requests().is_empty(), "the server was asked");
    Ok(())
}

#[test]
fn balancing_finds_its_parameter_in_a_post() -> Result<()> {
    let (one, two) = (Web::start("1")?, Web::start("2")?);
    let config = "listen main\n bind {fe}\n balance url_param id check_post\n server s1 {s1}\n server s2 {s2}\n";
    let proxy = http(config).name("s1", one.address()).name("s2", two.address()).start()?;
    let mut client = proxy.connect("fe")?;
    for id in 0..8 {
        let by_query = client.get(&format!("/?id={id}"), "")?.text();
        let form = format!("a=b&id={id}");
        let length = form.len();
        client.send(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n"))?;
        client.send(form)?;
        assert_eq!(client.response()?.text(), by_query, "{id}");
    }
    ensure!(!one.requests().is_empty() && !two.requests().is_empty(), "all on one server");
    Ok(())
}
