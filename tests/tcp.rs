//! TCP mode (manual 4.2 `mode tcp`): bytes, half-closes and resets pass from end to end.

use std::time::Duration;

use anyhow::Result;
use haproxy_compat::harness::{Connection, Ending, Proxy, Server};

use crate::proxy;

const MAIN: &str = "defaults
    mode tcp
    timeout client 20s
    timeout server 20s
    timeout connect 20s
listen main
    bind {fe}
    server s1 {s1}
";

/// A proxy and the two ends of one connection through it.
fn through(options: &str) -> Result<(Proxy, Connection, Connection)> {
    let server = Server::listen()?;
    let proxy = proxy(&format!("{MAIN}{options}")).name("s1", server.address()).start()?;
    let client = proxy.connect("fe")?;
    let backend = server.accept()?;
    Ok((proxy, client, backend))
}

#[test]
fn bytes_pass_both_ways() -> Result<()> {
    let (_proxy, mut client, mut backend) = through("")?;
    backend.send("220 the server speaks first\r\n")?;
    client.expect("220 the server speaks first\r\n")?;
    for n in 0..50u8 {
        client.send([n, 0, 255])?;
        backend.expect([n, 0, 255])?;
        backend.send([255, n])?;
        client.expect([255, n])?;
    }
    Ok(())
}

#[test]
fn a_client_may_close_its_half() -> Result<()> {
    let (_proxy, mut client, mut backend) = through("")?;
    client.send("all of it")?;
    client.half_close()?;
    assert_eq!(backend.read_to_end()?, b"all of it");
    backend.send("answer after the end")?;
    drop(backend);
    assert_eq!(client.read_to_end()?, b"answer after the end");
    Ok(())
}

#[test]
fn a_server_may_close_its_half() -> Result<()> {
    let (_proxy, mut client, mut backend) = through("")?;
    backend.send("bye")?;
    backend.half_close()?;
    assert_eq!(client.read_to_end()?, b"bye");
    client.send("still talking")?;
    backend.expect("still talking")?;
    drop(client);
    backend.expect_close()
}

#[test]
fn a_reset_ends_the_other_side() -> Result<()> {
    let (_proxy, mut client, mut backend) = through("")?;
    client.send("x")?;
    backend.expect("x")?;
    client.reset()?;
    assert!(backend.drain()?.0.is_empty());
    let (_proxy, mut client, mut backend) = through("")?;
    client.send("x")?;
    backend.expect("x")?;
    backend.reset()?;
    assert!(client.drain()?.0.is_empty());
    Ok(())
}

#[test]
fn a_lot_passes_unchanged_both_ways_at_once() -> Result<()> {
    for options in
        ["", "    option splice-auto\n", "    option splice-request\n    option splice-response\n"]
    {
        let (_proxy, client, backend) = through(options)?;
        let up: Vec<u8> = (0..4_000_000u32).map(|n| (n / 3 % 253) as u8).collect();
        let down: Vec<u8> = (0..4_000_000u32).map(|n| (n / 5 % 241) as u8).collect();
        let send = |mut end: Connection, bytes: Vec<u8>| {
            let mut writer = Connection::over(end.socket().try_clone()?)?;
            let sender = std::thread::spawn(move || -> Result<()> {
                writer.send(bytes)?;
                writer.half_close()
            });
            let got = std::thread::spawn(move || end.read_to_end());
            anyhow::Ok((sender, got))
        };
        let (up_sender, down_got) = send(client, up.clone())?;
        let (down_sender, up_got) = send(backend, down.clone())?;
        up_sender.join().expect("no panic")?;
        down_sender.join().expect("no panic")?;
        assert!(up_got.join().expect("no panic")? == up, "upload changed, {options:?}");
        assert!(down_got.join().expect("no panic")? == down, "download changed, {options:?}");
    }
    Ok(())
}

#[test]
fn a_slow_reader_stops_the_sender() -> Result<()> {
    let (proxy, mut client, backend) = through("")?;
    let before = proxy.usage()?.resident_kb;
    let mut writer = Connection::over(backend.socket().try_clone()?)?;
    let sender = std::thread::spawn(move || writer.send(vec![7; 64_000_000]));
    client.expect(vec![7; 1000])?;
    // While nobody reads, the proxy must not take the rest into its own memory.
    client.read_for(Duration::from_millis(1))?;
    assert!(proxy.usage()?.resident_kb < before + 8_000);
    drop(client);
    let _ = sender.join().expect("no panic");
    Ok(())
}

#[test]
fn an_unreachable_server_closes_the_client() -> Result<()> {
    let dead = Server::silent()?;
    let proxy = proxy(&format!("{MAIN}    retries 0\n")).name("s1", dead.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send("x")?;
    let (bytes, ending) = client.drain()?;
    assert!(bytes.is_empty());
    assert!(matches!(ending, Ending::Closed | Ending::Reset));
    Ok(())
}

#[test]
fn several_addresses_ports_and_a_unix_socket_are_listened_on() -> Result<()> {
    let web = haproxy_compat::harness::Web::start("v1")?;
    let config = "defaults
    mode tcp
    timeout client 20s
    timeout server 20s
    timeout connect 20s
listen main
    bind {a},{b}
    bind {c} name third
    bind unix@{dir}/fe.sock mode 600
    server s1 {s1}
";
    let proxy = proxy(config).name("s1", web.address()).start()?;
    for name in ["a", "b", "c"] {
        assert_eq!(proxy.connect(name)?.get("/", "")?.text(), "v1", "{name}");
    }
    let mut unix = Connection::to_path(&proxy.folder().join("fe.sock"))?;
    assert_eq!(unix.get("/", "")?.text(), "v1");
    Ok(())
}
