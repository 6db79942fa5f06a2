//! What proxies ask of their sockets (manual 4.2 "option tcpka", "option nolinger"; 5.1 "mss", "defer-accept"; 3.2
//! "tune.rcvbuf.client").

use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use haproxy_compat::harness::{Connection, Ending, Server, Web, eventually};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{GET, HTTP, OK, http, http_with_cli, proxy};

/// Seconds until the keep-alive timer of the socket between these two ports runs out; `None` without one.
fn keep_alive_timer(local: u16, remote: u16) -> Result<Option<u64>> {
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp")?;
    let line = table.lines().find(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let port = |at: usize| fields.get(at).and_then(|f| f.rsplit(':').next());
        port(1) == Some(&format!("{local:04X}")) && port(2) == Some(&format!("{remote:04X}"))
    });
    let timer = line.and_then(|l| l.split_whitespace().nth(5)).context("no such connection")?;
    let (kind, when) = timer.split_once(':').context("no timer")?;
    // The kernel counts in steps of 10 ms.
    let seconds = u64::from_str_radix(when, 16)?.div_ceil(100);
    Ok((kind == "02").then_some(seconds))
}

#[test]
fn probes_are_sent_on_the_sides_that_ask_for_them() -> Result<()> {
    let cases: [(&str, Option<u64>, Option<u64>); 5] = [
        ("", None, None),
        (
            "option clitcpka\n clitcpka-idle 60s\n clitcpka-intvl 10s\n clitcpka-cnt 3",
            Some(60),
            None,
        ),
        ("option srvtcpka\n srvtcpka-idle 70\n srvtcpka-intvl 10\n srvtcpka-cnt 3", None, Some(70)),
        ("option tcpka\n clitcpka-idle 50s\n srvtcpka-idle 1m", Some(50), Some(60)),
        ("clitcpka-idle 60s\n srvtcpka-idle 60s", None, None),
    ];
    for (lines, client_timer, server_timer) in cases {
        let server = Server::listen()?;
        let config = format!("listen fe\n bind {{fe}}\n {lines}\n server s1 {{s1}}\n");
        let proxy = http(&config).name("s1", server.address()).start()?;
        let mut client = proxy.connect("fe")?;
        client.send(GET)?;
        let mut backend = server.accept()?;
        backend.request()?;
        let front = (proxy.address("fe")?.port(), client.local_address()?.port());
        let back = (backend.peer_address()?.port(), server.address().port());
        for ((local, remote), expected) in [(front, client_timer), (back, server_timer)] {
            // Acknowledgements have timers of their own, which come first.
            let mut seen = None;
            let what = format!("{lines}: {expected:?}");
            eventually(&what, || {
                seen = keep_alive_timer(local, remote)?;
                Ok(match (seen, expected) {
                    (Some(seen), Some(expected)) => seen <= expected && seen + 9 > expected,
                    (seen, expected) => seen == expected,
                })
            })
            .with_context(|| format!("{seen:?}"))?;
        }
        backend.send(OK)?;
        client.response()?;
    }
    Ok(())
}

#[test]
fn without_lingering_what_is_over_is_reset() -> Result<()> {
    for (mode, frontend, backend) in [
        ("tcp", "", ""),
        ("tcp", "option nolinger", ""),
        ("tcp", "", "option nolinger"),
        ("http", "", ""),
        ("http", "option nolinger", ""),
    ] {
        let server = Server::listen()?;
        let config = format!(
            "defaults\n mode {mode}\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend fe\n bind {{fe}}\n {frontend}\n default_backend be\nbackend be\n {backend}\n server s1 {{s1}}\n"
        );
        let proxy = proxy(&config).name("s1", server.address()).start()?;
        let mut client = proxy.connect("fe")?;
        client.send(GET)?;
        client.half_close()?;
        let mut connection = loop {
            // The test's own look at the port may have come through.
            let mut connection = server.accept()?;
            if connection.request().is_ok() {
                break connection;
            }
        };
        if mode == "tcp" {
            let expected = if backend.is_empty() { Ending::Closed } else { Ending::Reset };
            assert_eq!(connection.drain()?.1, expected, "server: {frontend}|{backend}");
        }
        if !backend.is_empty() {
            continue;
        }
        connection.send(OK)?;
        drop(connection);
        let expected = if frontend.is_empty() { Ending::Closed } else { Ending::Reset };
        assert_eq!(client.response()?.text(), "ok");
        assert_eq!(client.drain()?.1, expected, "client: {mode} {frontend}|{backend}");
    }
    Ok(())
}

#[test]
fn segments_to_a_client_are_no_larger_than_mss() -> Result<()> {
    let web = Web::start("v1")?;
    let config = "listen fe\n bind {fe} mss 1200\n server s1 {s1}\nlisten plain\n bind {plain}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let mut tuned = proxy.connect("fe")?;
    ensure!(tuned.socket().tcp_mss()? <= 1200, "{}", tuned.socket().tcp_mss()?);
    assert_eq!(tuned.get("/", "")?.text(), "v1");
    ensure!(proxy.connect("plain")?.socket().tcp_mss()? > 1200);
    Ok(())
}

#[test]
fn a_deferred_connection_is_accepted_when_it_says_something() -> Result<()> {
    let web = Web::start("v1")?;
    let config = "listen fe\n bind {fe} defer-accept\n server s1 {s1}\nlisten plain\n bind {plain}\n server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", web.address()).start()?;
    // The test's own look at the port was a connection, too.
    let before = proxy.stats()?.number("fe", "FRONTEND", "stot")?;
    let mut client = proxy.connect("fe")?;
    let _later = proxy.connect("plain")?;
    eventually("a connection that came later is accepted", || {
        Ok(proxy.stats()?.number("plain", "FRONTEND", "stot")? >= 1)
    })?;
    assert_eq!(proxy.stats()?.number("fe", "FRONTEND", "stot")?, before);
    assert_eq!(client.get("/", "")?.text(), "v1");
    assert_eq!(proxy.stats()?.number("fe", "FRONTEND", "stot")?, before + 1);
    Ok(())
}

#[test]
fn options_of_one_protocol_let_traffic_through() -> Result<()> {
    let web = Web::start("v1")?;
    // Release 2.3 has no name for its first protocol.
    let proto = if crate::testing_reference() { "" } else { "proto h1" };
    let config = format!("defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s
 option tcp-smart-accept\n option tcp-smart-connect\n option http-no-delay\n option http-use-proxy-header
listen fe\n bind {{fe}} {proto} tcp-ut 5s tfo\n server s1 {{s1}} {proto} tcp-ut 5s tfo\n");
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    for _ in 0..3 {
        assert_eq!(client.get("/", "")?.text(), "v1");
    }
    Ok(())
}

/// Sends until nothing more is taken for a while; says how much was.
fn fill(connection: &mut Connection) -> Result<usize> {
    connection.socket().set_send_buffer_size(16_384)?;
    connection.socket().set_nonblocking(true)?;
    let (mut sent, bytes) = (0, [b'x'; 16_384]);
    loop {
        let mut wanted = [PollFd::new(connection.socket().as_fd(), PollFlags::POLLOUT)];
        if poll(&mut wanted, PollTimeout::try_from(Duration::from_millis(400))?)? == 0 {
            return Ok(sent);
        }
        match connection.socket().write(&bytes) {
            Ok(count) => sent += count,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e.into()),
        }
        ensure!(sent < 64 << 20, "nothing holds it back");
    }
}

/// How much of an upload that nobody reads is taken, and how much of a download.
fn taken(global: &str) -> Result<(usize, usize)> {
    let server = Server::listen()?;
    let config = format!("global\n{global}\n{HTTP}listen fe\n bind {{fe}}\n server s1 {{s1}}\n");
    let proxy = proxy(&config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n")?;
    let _stalled = server.accept()?;
    let up = fill(&mut client)?;
    let mut client = proxy.connect("fe")?;
    client.socket().set_recv_buffer_size(8_192)?;
    client.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")?;
    Ok((up, fill(&mut backend)?))
}

#[test]
fn small_kernel_buffers_hold_less() -> Result<()> {
    let (up, down) = taken("")?;
    let (small_up, small_down) = taken(
        " tune.rcvbuf.client 4096\n tune.sndbuf.client 4096\n tune.rcvbuf.server 4096\n tune.sndbuf.server 4096",
    )?;
    ensure!(small_up < up, "up: {small_up}, without: {up}");
    ensure!(small_down < down, "down: {small_down}, without: {down}");
    Ok(())
}
