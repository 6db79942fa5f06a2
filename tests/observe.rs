//! Traffic tells how servers are (manual 5.2 "observe", "error-limit", "on-error").

use anyhow::Result;
use haproxy_compat::harness::{Message, Proxy, Server, Web, eventually};

use crate::proxy;

const DEFAULTS: &str = "global
    stats socket {cli} level admin
defaults
    mode http
    retries 0
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen fe
    bind {fe}
";

fn start(options: &str, address: std::net::SocketAddr) -> Result<Proxy> {
    let line = format!("    server s1 {{s1}} check inter 30s {options}\n");
    let proxy = proxy(&format!("{DEFAULTS}{line}")).name("s1", address).start()?;
    eventually("the first check is over", || {
        Ok(["L4OK", "L7OK"].contains(&proxy.stats()?.get("fe", "s1", "check_status")?))
    })?;
    Ok(proxy)
}

/// Answers with the status that the target names.
fn answer(request: &Message) -> Vec<u8> {
    let status = request.target().trim_start_matches('/');
    format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
}

fn get(proxy: &Proxy, statuses: &[u16]) -> Result<()> {
    for status in statuses {
        let answer = proxy.connect("fe")?.get(&format!("/{status}"), "Connection: close\r\n")?;
        assert_eq!(answer.status(), *status);
    }
    Ok(())
}

#[test]
fn wrong_responses_in_a_row_mark_a_server_down() -> Result<()> {
    let web = Web::answering(answer)?;
    let proxy = start("observe layer7 error-limit 3 on-error mark-down", web.address())?;
    get(&proxy, &[500, 502, 404, 500, 501, 503])?;
    assert_eq!(proxy.stats()?.get("fe", "s1", "hanafail")?, "0");
    get(&proxy, &[500, 504])?;
    let line = proxy.wait_for_line("Server fe/s1 is DOWN")?;
    let expected = "Server fe/s1 is DOWN, reason: Health analyze, info: \"Detected 3 consecutive errors, last one was: Wrong http response\"";
    assert!(line.contains(expected), "{line}");
    let stats = proxy.stats()?;
    for (column, value) in
        [("status", "DOWN"), ("check_status", "HANA"), ("hanafail", "1"), ("chkfail", "1")]
    {
        assert_eq!(stats.get("fe", "s1", column)?, value, "{column}");
    }
    Ok(())
}

#[test]
fn errors_count_as_failed_checks() -> Result<()> {
    let web = Web::answering(answer)?;
    let proxy = start("fall 3 observe layer7 error-limit 1", web.address())?;
    get(&proxy, &[500])?;
    assert_eq!(proxy.stats()?.get("fe", "s1", "status")?, "UP 2/3");
    assert_eq!(proxy.stats()?.get("fe", "s1", "hanafail")?, "1");
    Ok(())
}

#[test]
fn sudden_death_leaves_one_step() -> Result<()> {
    let web = Web::answering(answer)?;
    let proxy = start("fall 5 observe layer7 error-limit 1 on-error sudden-death", web.address())?;
    get(&proxy, &[500])?;
    assert_eq!(proxy.stats()?.get("fe", "s1", "status")?, "UP 1/5");
    get(&proxy, &[500])?;
    proxy.wait_for_line("Server fe/s1 is DOWN")?;
    Ok(())
}

#[test]
fn errors_bring_the_next_check_forward() -> Result<()> {
    let web = Web::answering(answer)?;
    let options = "fastinter 100ms observe layer7 error-limit 1 on-error fastinter
    option httpchk GET /200";
    let proxy = start(options, web.address())?;
    get(&proxy, &[500])?;
    // The first check, the request, and a check that comes long before its time.
    let requests = web.wait_for_requests(3)?;
    assert_eq!(requests.last().map(Message::target), Some("/200"));
    assert_eq!(proxy.stats()?.get("fe", "s1", "status")?, "UP");
    Ok(())
}

#[test]
fn refused_connections_mark_a_server_down() -> Result<()> {
    let (web, mut server) = (Web::start("a")?, Server::listen()?);
    let port = web.address().port();
    let options = format!("port {port} observe layer4 error-limit 2 on-error mark-down");
    let proxy = start(&options, server.address())?;
    server.close();
    for _ in 0..2 {
        assert_eq!(proxy.connect("fe")?.get("/", "Connection: close\r\n")?.status(), 503);
    }
    let line = proxy.wait_for_line("Server fe/s1 is DOWN")?;
    assert!(line.contains("last one was: L4 unsuccessful connection"), "{line}");
    Ok(())
}
