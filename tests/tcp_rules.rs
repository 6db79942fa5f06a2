//! The TCP rule sets (manual 4.2 "tcp-request", "tcp-response"): what they refuse, what they wait for,
//! how it is logged and counted.

use std::time::{Duration, Instant};

use anyhow::Result;
use haproxy_compat::harness::{Connection, Ending, Proxy, Server, Syslog, Web, eventually};

use crate::{CLI, GET, proxy};

const TCP: &str = "
global
    stats socket {cli} level admin
    log {log} format raw local0
defaults
    mode tcp
    log global
    option tcplog
    timeout client 20s
    timeout server 20s
    timeout connect 20s
";

/// A server that sends back what it receives.
fn echo() -> Result<std::net::SocketAddr> {
    let server = Server::listen()?;
    let address = server.address();
    std::thread::spawn(move || {
        while let Ok(mut connection) = server.accept() {
            std::thread::spawn(move || {
                while let Ok(bytes) = connection.read_exactly(1) {
                    if connection.send(bytes).is_err() {
                        break;
                    }
                }
            });
        }
    });
    Ok(address)
}

fn start(sections: &str) -> Result<(Proxy, Syslog)> {
    let log = Syslog::udp()?;
    let config = format!("{TCP}{sections}");
    let proxy = proxy(&config).name("log", log.address()?).name("s1", echo()?).start()?;
    Ok((proxy, log))
}

/// Sends bytes; gives what came back until the end.
fn send(proxy: &Proxy, name: &str, bytes: &str) -> Result<(Vec<u8>, Ending)> {
    // A refusal may come before the connection is ready, or before the bytes have gone.
    let Ok(mut client) = proxy.connect(name) else { return Ok((Vec::new(), Ending::Reset)) };
    let _ = client.send(bytes);
    client.drain()
}

/// The line of a log without its beginning, up to the connection counts.
fn tail(line: &str) -> &str {
    line.split("] ").nth(1).unwrap_or(line).trim_end()
}

#[test]
fn connections_and_sessions_are_refused_and_counted() -> Result<()> {
    let (proxy, _log) = start(
        "frontend a\n bind {a}\n tcp-request connection accept if { src 127.0.0.2 }\n\
         tcp-request connection reject\n default_backend be\n\
         frontend b\n bind {b}\n tcp-request session reject if { dst_port gt 0 }\n default_backend be\n\
         backend be\n server s1 {s1}\n",
    )?;
    assert!(send(&proxy, "a", "x")?.0.is_empty());
    assert!(send(&proxy, "b", "x")?.0.is_empty());
    let from = Connection::from_to("127.0.0.2:0".parse()?, proxy.address("a")?);
    let mut accepted = from?;
    accepted.send("x")?;
    accepted.expect("x")?;
    let stats = proxy.stats()?;
    let number = |name: &str, column: &str| stats.number(name, "FRONTEND", column);
    assert_eq!((number("a", "dcon")?, number("a", "dses")?, number("a", "stot")?), (1, 0, 1));
    assert_eq!((number("b", "dcon")?, number("b", "dses")?, number("b", "stot")?), (0, 1, 0));
    assert_eq!((number("a", "conn_tot")?, number("b", "conn_tot")?), (2, 1));
    Ok(())
}

#[test]
fn content_rules_wait_for_bytes_until_they_can_decide() -> Result<()> {
    let (proxy, mut log) = start(
        "frontend fe\n bind {fe}\n tcp-request inspect-delay 10s\n\
         tcp-request content reject if { req.payload(0,3) -m str bad }\n\
         tcp-request content accept if { req.payload(0,2) -m str ok }\n\
         tcp-request content reject if { req.len gt 5 }\n\
         default_backend be\nbackend be\n server s1 {s1}\n",
    )?;
    let mut client = proxy.connect("fe")?;
    client.send("o")?;
    client.expect_silence(Duration::from_millis(100))?;
    client.send("kk")?;
    client.expect("okk")?;
    drop(client);
    assert!(tail(&log.wait_for_line("be/s1")?).starts_with("fe be/s1 1"));
    assert!(send(&proxy, "fe", "bad")?.0.is_empty());
    let line = log.wait_for_line("<NOSRV>")?;
    let end = " 0 PR 1/1/0/0/0 0/0";
    assert!(
        tail(&line).starts_with("fe fe/<NOSRV> -1/-1/") && line.trim_end().ends_with(end),
        "{line}"
    );
    assert!(send(&proxy, "fe", "xxxxxx")?.0.is_empty());
    proxy.wait_for_stat("fe", "FRONTEND", "dreq", "2")?;
    // The end of what the client sends decides too.
    let mut client = proxy.connect("fe")?;
    client.send("x")?;
    client.half_close()?;
    assert_eq!(client.read_to_end()?, b"x");
    Ok(())
}

#[test]
fn the_delay_ends_the_wait() -> Result<()> {
    let (proxy, _log) = start(
        "frontend fe\n bind {fe}\n tcp-request inspect-delay 200ms\n\
         tcp-request content accept if { req.len gt 3 }\n\
         tcp-request content reject if WAIT_END\n\
         default_backend be\nbackend be\n server s1 {s1}\n",
    )?;
    let begun = Instant::now();
    assert!(send(&proxy, "fe", "x")?.0.is_empty());
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(190) && waited < Duration::from_secs(5), "{waited:?}");
    let mut client = proxy.connect("fe")?;
    client.send("four")?;
    client.expect("four")
}

#[test]
fn backends_look_too_and_choose_by_content() -> Result<()> {
    let other = Web::start("other")?;
    let log = Syslog::udp()?;
    let config = format!(
        "{TCP}frontend fe\n bind {{fe}}\n tcp-request inspect-delay 10s\n\
         tcp-request content accept if {{ req.len gt 3 }}\n\
         use_backend web if HTTP\n use_backend two if {{ req.payload(0,1) -m str 2 }}\n\
         default_backend be\n\
         backend be\n server s1 {{s1}}\n\
         backend two\n tcp-request inspect-delay 10s\n\
         tcp-request content reject if {{ req.payload(1,1) -m str x }}\n server s1 {{s1}}\n\
         backend web\n tcp-request content reject if {{ path /no }}\n server s2 {{s2}}\n"
    );
    let proxy = proxy(&config)
        .name("log", log.address()?)
        .name("s1", echo()?)
        .name("s2", other.address())
        .start()?;
    assert!(send(&proxy, "fe", "2x..")?.0.is_empty());
    let mut client = proxy.connect("fe")?;
    client.send("2y..")?;
    client.expect("2y..")?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "other");
    assert!(send(&proxy, "fe", "GET /no HTTP/1.0\r\n\r\n")?.0.is_empty());
    let stats = proxy.stats()?;
    assert_eq!(stats.number("fe", "FRONTEND", "dreq")?, 2);
    assert_eq!(stats.number("two", "BACKEND", "stot")?, 2);
    Ok(())
}

#[test]
fn content_rules_see_requests_in_http_mode() -> Result<()> {
    let web = Web::start("here")?;
    let config = format!(
        "{CLI}{}listen fe\n bind {{fe}}\n tcp-request inspect-delay 100ms\n\
         stick-table type ip size 10 store http_req_cnt,gpc0\n\
         tcp-request content track-sc0 src\n\
         tcp-request content sc-inc-gpc0(0) if {{ path /count }}\n\
         tcp-request content set-var(txn.seen) path\n\
         tcp-request content reject if {{ path /no }}\n\
         tcp-request content accept if {{ path /now }}\n\
         tcp-request content reject if {{ path /late }} WAIT_END\n\
         http-request set-header x-seen %[var(txn.seen)]\n\
         server s1 {{s1}}\n",
        crate::HTTP
    );
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    for path in ["/now", "/count", "/now"] {
        assert_eq!(client.get(path, "")?.text(), "here");
    }
    assert_eq!(web.requests()[1].header("x-seen"), Some("/count"));
    let table = proxy.cli("show table fe")?;
    assert!(table.contains(" gpc0=1 http_req_cnt=3"), "{table}");
    for path in ["/no", "/late"] {
        client = proxy.connect("fe")?;
        client.send(GET.replace("/ ", &format!("{path} ")))?;
        assert!(client.drain()?.0.is_empty(), "{path}");
    }
    proxy.wait_for_stat("fe", "FRONTEND", "dreq", "2")?;
    assert_eq!(proxy.stats()?.number("fe", "FRONTEND", "req_tot")?, 3);
    Ok(())
}

#[test]
fn responses_are_looked_at_before_they_pass() -> Result<()> {
    let (proxy, mut log) = start(
        "listen fe\n bind {fe}\n tcp-response inspect-delay 10s\n\
         tcp-response content reject if { res.payload(0,2) -m str no }\n\
         tcp-response content close if { res.payload(0,2) -m str cl }\n\
         tcp-response content accept if { res.len gt 2 }\n server s1 {s1}\n",
    )?;
    let mut client = proxy.connect("fe")?;
    client.send("ab")?;
    client.expect_silence(Duration::from_millis(100))?;
    client.send("c")?;
    client.expect("abc")?;
    client.send("no longer looked at")?;
    client.expect("no longer looked at")?;
    drop(client);
    log.wait_for(1)?;
    assert!(send(&proxy, "fe", "no")?.0.is_empty());
    let line = log.wait_for_line(" PD ")?;
    assert!(line.contains("fe fe/s1 ") && line.contains(" 2 PD 1/1/"), "{line}");
    assert_eq!(send(&proxy, "fe", "cl")?.0, b"cl");
    let line = log.wait_for(3)?[2].clone();
    assert!(line.contains(" 2 -- 1/1/"), "{line}");
    let stats = proxy.stats()?;
    for name in ["FRONTEND", "BACKEND", "s1"] {
        assert_eq!(stats.number("fe", name, "dresp")?, 1, "{name}");
    }
    Ok(())
}

#[test]
fn a_response_in_http_mode_is_refused_or_its_server_closed() -> Result<()> {
    let web = Web::start("here")?;
    let config = format!(
        "{CLI}{}listen fe\n bind {{fe}}\n http-request set-var(txn.path) path\n\
         tcp-response content reject if {{ var(txn.path) -m str /no }}\n\
         tcp-response content close if {{ var(txn.path) -m str /close }}\n\
         server s1 {{s1}}\n",
        crate::HTTP
    );
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "here");
    assert_eq!(proxy.connect("fe")?.get("/close", "")?.status(), 502);
    let mut client = proxy.connect("fe")?;
    client.send(GET.replace("/ ", "/no "))?;
    assert!(client.drain()?.0.is_empty());
    proxy.wait_for_stat("fe", "BACKEND", "dresp", "1")
}

#[test]
fn a_dropped_connection_learns_nothing() -> Result<()> {
    let (proxy, _log) = start(
        "frontend a\n bind {a}\n tcp-request connection silent-drop\n default_backend be\n\
         frontend b\n bind {b}\n tcp-request inspect-delay 5s\n\
         tcp-request content silent-drop if { req.len gt 0 }\n default_backend be\n\
         backend be\n server s1 {s1}\n",
    )?;
    let mut first = proxy.connect("a")?;
    let mut second = proxy.connect("b")?;
    second.send("x")?;
    proxy.wait_for_stat("a", "FRONTEND", "dreq", "1")?;
    proxy.wait_for_stat("b", "FRONTEND", "dreq", "1")?;
    proxy.wait_for_stat("b", "FRONTEND", "scur", "0")?;
    if nix_is_root() {
        first.expect_silence(Duration::from_millis(100))?;
        second.expect_silence(Duration::from_millis(100))?;
    }
    Ok(())
}

/// Without the rights of root a drop is told to the loopback interface all the same.
fn nix_is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

#[test]
fn connection_and_session_rules_track_keep_and_rename() -> Result<()> {
    let web = Web::start("here")?;
    let config = format!(
        "{CLI}{}frontend fe\n bind {{fe}}\n\
         tcp-request connection set-src-port int(7)\n\
         tcp-request connection set-src ipv4(10.1.2.3)\n\
         tcp-request connection track-sc0 src table t\n\
         tcp-request connection sc-inc-gpc0(0)\n\
         tcp-request connection reject if {{ sc0_conn_cnt gt 2 }}\n\
         tcp-request session set-var(sess.from) src\n\
         tcp-request session sc-set-gpt0(0) 5\n\
         tcp-request session track-sc1 dst_port table p\n\
         http-request set-dst ipv4(10.9.9.9)\n\
         http-request set-dst-port int(99)\n\
         http-request set-header x-ends %[var(sess.from)]:%[src_port]-%[dst]:%[dst_port]\n\
         option forwardfor\n default_backend be\n\
         backend be\n server s1 {{s1}}\n\
         backend t\n stick-table type ip size 10 store conn_cnt,conn_cur,gpc0,gpt0,sess_cnt,http_req_cnt,bytes_in_cnt\n\
         backend p\n stick-table type integer size 10 store conn_cnt\n",
        crate::HTTP
    );
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    for _ in 0..2 {
        assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "here");
    }
    let request = &web.requests()[0];
    assert_eq!(request.header("x-ends"), Some("10.1.2.3:7-10.9.9.9:99"));
    assert_eq!(request.header("x-forwarded-for"), Some("10.1.2.3"));
    assert!(send(&proxy, "fe", GET)?.0.is_empty());
    eventually("nothing is tracked any more", || {
        Ok(proxy.cli("show table t")?.contains("key=10.1.2.3 use=0 "))
    })?;
    let table = proxy.cli("show table t")?;
    let expected = " gpt0=5 gpc0=3 conn_cnt=3 conn_cur=0 sess_cnt=2 http_req_cnt=2 ";
    assert!(table.contains(expected), "{table}");
    assert!(!table.contains("bytes_in_cnt=0"), "{table}");
    assert!(proxy.cli("show table p")?.contains(" conn_cnt=2"));
    Ok(())
}

#[test]
fn what_content_rules_capture_is_logged() -> Result<()> {
    let (proxy, mut log) = start(
        "frontend fe\n bind {fe}\n tcp-request inspect-delay 10s\n log-format %hr\n\
         tcp-request content capture req.payload(1,3) len 2\n default_backend be\n\
         backend be\n server s1 {s1}\n",
    )?;
    let mut client = proxy.connect("fe")?;
    client.send("xabcd")?;
    assert_eq!(client.read_exactly(5)?, b"xabcd");
    drop(client);
    assert_eq!(log.wait_for(1)?[0].trim_end(), "{ab}");
    Ok(())
}
