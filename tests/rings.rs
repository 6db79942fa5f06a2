//! Rings that are followed: by servers over TCP and on the runtime socket (manual 3.9; management.txt 9.3).

use std::time::Duration;

use anyhow::Result;
use haproxy_compat::harness::{Connection, Proxy, Server, eventually};

use crate::http_with_cli;

const MAIN: &str = "    log ring@lines local0
    log ring@counted len 8192 local1
    log-format %r
frontend fe
    bind {fe}
    http-request return status 200
ring lines
    format rfc3164
    timeout connect 1s
    timeout server 2s
    server a {a}
ring counted
    format short
    server b {b} log-proto octet-count
global
    tune.http.logurilen 8000
";

fn start(a: &Server, b: &Server) -> Result<Proxy> {
    http_with_cli(MAIN).name("a", a.address()).name("b", b.address()).start()
}

fn ask(proxy: &Proxy, path: &str) -> Result<()> {
    assert_eq!(proxy.connect("fe")?.get(path, "Connection: close\r\n")?.status(), 200);
    Ok(())
}

/// A line of an RFC 3164 ring without its date, host and process.
fn plain(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line).into_owned();
    let (head, text) = line.split_once("]: ").unwrap_or(("", &line));
    assert!(head.starts_with("<134>") && head.contains(" haproxy["), "{line}");
    text.to_owned()
}

#[test]
fn servers_are_sent_what_a_ring_holds_and_gets() -> Result<()> {
    let (a, b) = (Server::listen()?, Server::listen()?);
    let proxy = start(&a, &b)?;
    let (mut lines, mut counted) = (a.accept()?, b.accept()?);
    ask(&proxy, "/1")?;
    ask(&proxy, "/2")?;
    assert_eq!(plain(&lines.read_through("\n")?), "GET /1 HTTP/1.1\n");
    assert_eq!(plain(&lines.read_through("\n")?), "GET /2 HTTP/1.1\n");
    counted.expect("18 <6>GET /1 HTTP/1.1")?;
    counted.expect("18 <6>GET /2 HTTP/1.1")?;
    // What is said back is of no interest.
    lines.send("thanks\n")?;
    ask(&proxy, "/3")?;
    assert_eq!(plain(&lines.read_through("\n")?), "GET /3 HTTP/1.1\n");
    Ok(())
}

#[test]
fn a_server_that_comes_late_or_again_gets_what_was_kept() -> Result<()> {
    let (mut a, b) = (Server::silent()?, Server::listen()?);
    let proxy = start(&a, &b)?;
    ask(&proxy, "/1")?;
    a.open()?;
    let mut lines = a.accept()?;
    assert_eq!(plain(&lines.read_through("\n")?), "GET /1 HTTP/1.1\n");
    drop(lines);
    let mut lines = a.accept()?;
    ask(&proxy, "/2")?;
    assert_eq!(plain(&lines.read_through("\n")?), "GET /2 HTTP/1.1\n");
    Ok(())
}

fn watching(proxy: &Proxy, command: &str) -> Result<Connection> {
    let mut client = proxy.cli_socket().connect()?;
    client.send(format!("{command}\n"))?;
    Ok(client)
}

/// Asks until the watcher, which begins some time, is shown a request.
fn ask_until_shown(proxy: &Proxy, client: &mut Connection) -> Result<Vec<u8>> {
    let mut shown = Vec::new();
    eventually("the watcher is shown a request", || {
        ask(proxy, "/new")?;
        shown.extend(client.read_for(Duration::from_millis(50))?.0);
        Ok(!shown.is_empty())
    })?;
    Ok(shown)
}

#[test]
fn events_are_shown_as_they_come_until_a_key_is_pressed() -> Result<()> {
    let (a, b) = (Server::silent()?, Server::silent()?);
    let proxy = start(&a, &b)?;
    ask(&proxy, "/old")?;
    let mut client = watching(&proxy, "show events counted -w")?;
    client.expect("<6>GET /old HTTP/1.1\n")?;
    ask(&proxy, "/next")?;
    client.expect("<6>GET /next HTTP/1.1\n")?;
    client.send("\n")?;
    assert_eq!(client.read_to_end()?, b"\n");
    for command in ["show events counted -w -n", "show events counted -nw"] {
        let mut client = watching(&proxy, command)?;
        let shown = ask_until_shown(&proxy, &mut client)?;
        assert!(shown.starts_with(b"<6>GET /new HTTP/1.1\n"), "{}", shown.escape_ascii());
        client.half_close()?;
        assert!(client.read_to_end()?.ends_with(b"\n"));
    }
    let mut client = watching(&proxy, "prompt\nshow events counted -wn")?;
    client.expect("\n> ")?;
    ask_until_shown(&proxy, &mut client)?;
    client.send("x\n")?;
    client.read_through("\n> ")?;
    client.send("show version\n")?;
    client.read_through("\n> ")?;
    assert_eq!(proxy.cli("show events counted -x")?, "unknown option\n");
    assert_eq!(proxy.cli("show events counted -n")?, "\n");
    Ok(())
}

#[test]
fn a_reload_keeps_what_a_ring_holds_and_its_connections() -> Result<()> {
    if crate::testing_reference() {
        println!("not run: HAProxy without a master does not reload");
        return Ok(());
    }
    let (a, b) = (Server::listen()?, Server::listen()?);
    let proxy = start(&a, &b)?;
    let mut counted = b.accept()?;
    ask(&proxy, "/1")?;
    counted.expect("18 <6>GET /1 HTTP/1.1")?;
    proxy.rewrite_config(&format!("{}{}{MAIN}    # changed\n", crate::CLI, crate::HTTP))?;
    let before = proxy.cli("show events counted")?;
    proxy.signal(nix::sys::signal::Signal::SIGUSR2)?;
    proxy.wait_for_line("reloaded")?;
    assert_eq!(proxy.cli("show events counted")?, before);
    ask(&proxy, "/2")?;
    counted.expect("18 <6>GET /2 HTTP/1.1")?;
    Ok(())
}

#[test]
fn a_reader_that_stalls_costs_new_messages_only() -> Result<()> {
    let (a, b) = (Server::silent()?, Server::listen()?);
    let proxy = start(&a, &b)?;
    // Connected, but it reads nothing: its socket and the ring fill up.
    let _stalled = b.accept()?;
    let path = format!("/{}", "x".repeat(7000));
    eventually("messages are lost", || {
        for _ in 0..50 {
            ask(&proxy, &path)?;
        }
        let shown = proxy.cli("show events")?;
        let ring = shown.lines().find(|line| line.contains("counted")).unwrap_or_default();
        Ok(ring.contains("type=buffer, ") && !ring.contains(", 0 dropped"))
    })?;
    assert!(proxy.cli("show events counted")?.len() <= 16_384 + 2);
    Ok(())
}
