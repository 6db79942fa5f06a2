//! `log-forward` (manual 3.10): messages of others, over UDP and TCP, in their own and in other formats.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use haproxy_compat::harness::{Proxy, Server, Syslog, eventually};

use crate::{http_with_cli, proxy, testing_reference};

/// Sends datagrams to the section.
struct Sender {
    socket: UdpSocket,
}

impl Sender {
    fn to(proxy: &Proxy) -> Result<Sender> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(proxy.address("udp")?)?;
        Ok(Sender { socket })
    }

    fn send(&self, message: &str) -> Result<()> {
        self.socket.send(message.as_bytes())?;
        Ok(())
    }
}

/// A port that is free for datagrams.
fn datagram_address() -> Result<SocketAddr> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?)
}

/// A section with these lines, which takes datagrams and connections and sends to `{log}`.
fn section(lines: &str, log: &Syslog) -> Result<Proxy> {
    let config = format!(
        "listen unused\n    bind {{fe}}\nlog-forward fwd\n    dgram-bind {{udp}}\n    bind {{tcp}}\n{lines}"
    );
    let builder = http_with_cli(&config).name("log", log.address()?);
    builder.name("udp", datagram_address()?).start()
}

const LEGACY: &str = "<134>Nov  2 21:15:00 myhost app[5820]: GET /1";
const MODERN: &str =
    "<165>1 2003-10-11T22:14:15.003Z h.example evntslog - ID47 [e@1 a=\"b\\]\"] event";

#[test]
fn messages_keep_their_format() -> Result<()> {
    let mut log = Syslog::udp()?;
    let proxy = section("    log {log} local0\n", &log)?;
    let sender = Sender::to(&proxy)?;
    let messages = [
        LEGACY,
        MODERN,
        "<34>1 2003-10-11T22:14:15+02:00 host su 123 - - msg",
        "<34>1 - h - - - - x",
        "<34>hello there",
        "plain text",
        "<34>1 bad",
    ];
    for (number, message) in messages.into_iter().enumerate() {
        sender.send(message)?;
        assert_eq!(log.wait_for(number + 1)?[number], format!("{message}\n"));
    }
    let info = proxy.cli("show info")?;
    assert!(info.contains("\nCumRecvLogs: 7\n"), "{info}");
    Ok(())
}

#[test]
fn messages_take_the_format_of_their_target() -> Result<()> {
    let rows = [
        ("rfc3164", LEGACY, LEGACY),
        ("rfc3164", MODERN, "<165>Oct 11 22:14:15 h.example evntslog: event"),
        ("rfc5424", MODERN, MODERN),
        ("priority", LEGACY, "<134>GET /1"),
        ("short", LEGACY, "<6>GET /1"),
        ("timed", MODERN, "<5>2003-10-11T22:14:15.003Z event"),
        ("iso", MODERN, "2003-10-11T22:14:15.003Z event"),
        ("raw", LEGACY, "GET /1"),
        ("priority", "plain", "<152>plain"),
    ];
    for format in ["rfc3164", "rfc5424", "priority", "short", "timed", "iso", "raw"] {
        let mut log = Syslog::udp()?;
        let proxy = section(&format!("    log {{log}} format {format} local3\n"), &log)?;
        let sender = Sender::to(&proxy)?;
        let rows = rows.iter().filter(|row| row.0 == format);
        for (number, (_, message, expected)) in rows.enumerate() {
            sender.send(message)?;
            assert_eq!(log.wait_for(number + 1)?[number], format!("{expected}\n"), "{format}");
        }
    }
    Ok(())
}

#[test]
fn targets_choose_by_level_length_and_turn() -> Result<()> {
    let (mut few, mut short, mut second) = (Syslog::udp()?, Syslog::udp()?, Syslog::udp()?);
    let config = "listen unused\n    bind {fe}\nlog-forward fwd\n    dgram-bind {udp}\n    log {few} local0 err warning\n    log {short} len 80 local0\n    log {second} sample 2:2 local0\n";
    let proxy = http_with_cli(config)
        .name("few", few.address()?)
        .name("short", short.address()?)
        .name("second", second.address()?)
        .name("udp", datagram_address()?)
        .start()?;
    let sender = Sender::to(&proxy)?;
    for message in ["<14>info", "<10>crit", &format!("<11>{}", "x".repeat(100))] {
        sender.send(message)?;
    }
    assert_eq!(short.wait_for(3)?[2].len(), 81);
    // Levels more urgent than the third word are lowered to it.
    assert_eq!(few.wait_for(1)?[0], "<12>crit\n");
    assert_eq!(second.wait_for(1)?[0], "<10>crit\n");
    Ok(())
}

#[test]
fn streams_of_lines_are_taken_over_tcp() -> Result<()> {
    let mut log = Syslog::udp()?;
    let proxy = section("    log {log} local0\n", &log)?;
    let mut client = proxy.connect("tcp")?;
    client.send("<34>one\n<34>two\r\n<34>thr")?;
    assert_eq!(log.wait_for(2)?[..2], ["<34>one\n", "<34>two\n"]);
    client.send("ee\n")?;
    assert_eq!(log.wait_for(3)?[2], "<34>three\n");
    // Anything else ends the connection.
    for bad in ["garbage\n", "0 x", "\n<34>x\n", "7x <34>abc", "99999 <34>abc"] {
        let mut client = proxy.connect("tcp")?;
        client.send(bad)?;
        client.expect_close().with_context(|| format!("after {bad:?}"))?;
    }
    Ok(())
}

#[test]
fn counted_messages_are_taken_over_tcp() -> Result<()> {
    if testing_reference() {
        println!("not run: HAProxy 2.3.0 refuses them, which later releases and the manual do not");
        return Ok(());
    }
    let mut log = Syslog::udp()?;
    let proxy = section("    log {log} local0\n", &log)?;
    let mut client = proxy.connect("tcp")?;
    client.send("7 <34>abc8 <34>ab")?;
    assert_eq!(log.wait_for(1)?[0], "<34>abc\n");
    client.send("cd8 <34>a\nbc<34>line\n")?;
    let lines = log.wait_for(4)?;
    assert_eq!(lines[1..4], ["<34>abcd\n", "<34>a\nbc\n", "<34>line\n"]);
    Ok(())
}

#[test]
fn rings_are_targets_too() -> Result<()> {
    let log = Syslog::udp()?;
    let server = Server::listen()?;
    let config = "listen unused\n    bind {fe}\nring r\n    format rfc5424\n    server s {s}\nlog-forward fwd\n    dgram-bind {udp}\n    log ring@r local0\n";
    let proxy = http_with_cli(config).name("s", server.address()).name("log", log.address()?);
    let proxy = proxy.name("udp", datagram_address()?).start()?;
    Sender::to(&proxy)?.send("<12>1 2003-10-11T22:14:15Z h su - - - x")?;
    // The ring's line tells the target's facility.
    server.accept()?.expect("<132>1 2003-10-11T22:14:15Z h su - - - x\n")?;
    Ok(())
}

#[test]
fn silent_and_surplus_clients_are_not_served() -> Result<()> {
    if testing_reference() {
        println!("not run: HAProxy 2.3.0 keeps silent clients in spite of the time-out");
        return Ok(());
    }
    let mut log = Syslog::udp()?;
    let lines = "    log {log} local0\n    maxconn 1\n    backlog 10\n    timeout client 300ms\n";
    let proxy = section(lines, &log)?;
    let mut first = proxy.connect("tcp")?;
    first.send("<34>first\n")?;
    log.wait_for(1)?;
    let mut second = proxy.connect("tcp")?;
    second.send("<34>second\n")?;
    assert_eq!(log.lines_within(Duration::from_millis(100))?.len(), 1);
    first.expect_close()?;
    assert_eq!(log.wait_for(2)?[1], "<34>second\n");
    Ok(())
}

#[test]
fn a_section_alone_is_enough_to_run_and_lives_through_reloads() -> Result<()> {
    let mut log = Syslog::udp()?;
    let config = |format: &str| {
        format!(
            "global\n    stats socket {{cli}} level admin\nlog-forward fwd\n    dgram-bind {{udp}}\n    log {{log}} {format} local0\n"
        )
    };
    let builder = proxy(&config("")).name("log", log.address()?);
    let proxy = builder.name("udp", datagram_address()?).start()?;
    let sender = Sender::to(&proxy)?;
    sender.send("<34>one")?;
    assert_eq!(log.wait_for(1)?[0], "<34>one\n");
    if testing_reference() {
        println!("not run: HAProxy without a master does not reload");
        return Ok(());
    }
    proxy.rewrite_config(&config("format raw"))?;
    proxy.signal(nix::sys::signal::Signal::SIGUSR2)?;
    let mut sent = 1;
    eventually("the new configuration runs", || {
        sender.send("<34>two")?;
        sent += 1;
        Ok(log.wait_for(sent)?[sent - 1] == "two\n")
    })
}

#[test]
fn log_global_takes_the_targets_of_the_global_section_once() -> Result<()> {
    let mut log = Syslog::udp()?;
    let config = "global
    log {log} format short local0
listen unused
    bind {fe}
log-forward fwd
    dgram-bind {udp}
    log global
    log global
";
    let builder = http_with_cli(config).name("log", log.address()?);
    let proxy = builder.name("udp", datagram_address()?).start()?;
    Sender::to(&proxy)?.send("<14>once")?;
    log.wait_for(1)?;
    let lines = log.lines_within(Duration::from_millis(100))?;
    assert_eq!(
        lines.iter().filter(|line| line.contains("once")).collect::<Vec<_>>(),
        ["<6>once\n"]
    );
    Ok(())
}
