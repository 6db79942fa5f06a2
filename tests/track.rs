//! Servers that follow others (manual 5.2 "track"), and sessions that end with a server's change ("on-marked-
//! down", "on-marked-up").

use anyhow::Result;
use haproxy_compat::harness::{Proxy, Server, Syslog, Web, eventually};

use crate::proxy;

const DEFAULTS: &str = "global
    stats socket {cli} level admin
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
";

const CHAIN: &str = "backend a
    server s {s} check inter 100ms rise 1 fall 1
listen b
    bind {fe}
    server t {t} track a/s
    server u {t} track t
";

fn wait_for(proxy: &Proxy, (backend, name): (&str, &str), column: &str, value: &str) -> Result<()> {
    eventually(&format!("{column} of {backend}/{name} is {value}"), || {
        Ok(proxy.stats()?.get(backend, name, column)? == value)
    })
}

#[test]
fn followers_go_down_and_come_back() -> Result<()> {
    let (mut watched, web) = (Server::silent()?, Web::start("t")?);
    let proxy = proxy(&format!("{DEFAULTS}{CHAIN}"))
        .name("s", watched.address())
        .name("t", web.address())
        .start()?;
    proxy.wait_for_line("Server b/t is DOWN via a/s. 1 active and 0 backup servers left.")?;
    proxy.wait_for_line("Server b/u is DOWN via b/t. 0 active and 0 backup servers left.")?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    let stats = proxy.stats()?;
    for (column, value) in
        [("status", "DOWN"), ("tracked", "b/t"), ("check_status", ""), ("chkfail", "")]
    {
        assert_eq!(stats.get("b", "u", column)?, value, "{column}");
    }
    watched.open()?;
    proxy.wait_for_line("Server b/t is UP via a/s. 1 active and 0 backup servers online.")?;
    proxy.wait_for_line("Server b/u is UP via b/t. 2 active and 0 backup servers online.")?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.body, b"t");
    Ok(())
}

#[test]
fn followers_share_maintenance_and_drain() -> Result<()> {
    let (watched, web) = (Web::start("s")?, Web::start("t")?);
    let proxy = proxy(&format!("{DEFAULTS}{CHAIN}"))
        .name("s", watched.address())
        .name("t", web.address())
        .start()?;
    wait_for(&proxy, ("a", "s"), "check_status", "L4OK")?;
    assert_eq!(proxy.stats()?.get("b", "t", "status")?, "UP");
    proxy.cli("set server a/s state maint")?;
    proxy.wait_for_line("Server b/t is going DOWN for maintenance via a/s. 1 active")?;
    proxy.wait_for_line("Server b/u is going DOWN for maintenance via b/t. 0 active")?;
    wait_for(&proxy, ("b", "u"), "status", "MAINT (via b/t)")?;
    proxy.cli("set server a/s state ready")?;
    proxy.wait_for_line("Server b/t is UP/READY (leaving maintenance).")?;
    proxy.wait_for_line("Server b/u is UP/READY (leaving maintenance).")?;
    proxy.cli("set server a/s state drain")?;
    wait_for(&proxy, ("b", "u"), "status", "DRAIN")?;
    proxy.cli("set server a/s state ready")?;
    proxy.wait_for_line("Server b/u is UP (leaving forced drain).")?;
    wait_for(&proxy, ("b", "u"), "status", "UP")?;
    let refused = "cannot change health on a tracking server.\n\n";
    assert_eq!(proxy.cli("set server b/t health down")?, refused);
    Ok(())
}

#[test]
fn a_server_that_goes_down_takes_its_sessions_along() -> Result<()> {
    let (server, mut log) = (Server::listen()?, Syslog::udp()?);
    let config = "listen fe
    bind {fe}
    log {log} local0
    option httplog
    server s1 {s1} on-marked-down shutdown-sessions
    server s2 {s1} backup
";
    let proxy = proxy(&format!("{DEFAULTS}{config}"))
        .name("s1", server.address())
        .text("log", &log.address()?.to_string())
        .start()?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut link = server.accept()?;
    link.request()?;
    link.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")?;
    client.read_through("hello")?;
    proxy.cli("set server fe/s1 state maint")?;
    client.drain()?;
    let line = log.wait_for_line("GET /")?;
    assert!(line.contains(" fe/s1 ") && line.contains(" 200 ") && line.contains(" DD"), "{line}");
    Ok(())
}

#[test]
fn a_server_that_comes_up_takes_the_sessions_of_backups() -> Result<()> {
    let (main, backup, mut log) = (Server::listen()?, Server::listen()?, Syslog::udp()?);
    let config = "listen fe
    bind {fe}
    log {log} local0
    option httplog
    server s1 {s1} on-marked-up shutdown-backup-sessions
    server s2 {s2} backup
";
    let proxy = proxy(&format!("{DEFAULTS}{config}"))
        .name("s1", main.address())
        .name("s2", backup.address())
        .text("log", &log.address()?.to_string())
        .start()?;
    proxy.cli("set server fe/s1 state maint")?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut link = backup.accept()?;
    link.request()?;
    link.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")?;
    client.read_through("hello")?;
    proxy.cli("set server fe/s1 state ready")?;
    client.drain()?;
    let line = log.wait_for_line("GET /")?;
    assert!(line.contains(" fe/s2 ") && line.contains(" UD"), "{line}");
    Ok(())
}
