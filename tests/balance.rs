//! Balance algorithms (manual 4.2 "balance", "hash-type"): who answers is what HAProxy 2.3.0 was seen to
//! choose; the fixtures say so.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use haproxy_compat::harness::{Connection, Proxy, Server, Web};

use crate::proxy;

const DEFAULTS: &str = "global
    nbthread 2
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
";

/// Five servers that answer with a letter.
fn letters() -> Result<Vec<Web>> {
    ["a", "b", "c", "d", "e"].into_iter().map(Web::start).collect()
}

/// A proxy with one listener for each list of lines; `{a}` to `{e}` are the servers.
fn start(webs: &[Web], backends: &[Vec<String>]) -> Result<Proxy> {
    let mut config = DEFAULTS.to_owned();
    for (number, lines) in backends.iter().enumerate() {
        config.push_str(&format!("listen l{number}\n    bind {{l{number}}}\n"));
        lines.iter().for_each(|line| config.push_str(&format!("    {line}\n")));
    }
    let mut builder = proxy(&config);
    for (web, name) in webs.iter().zip(["a", "b", "c", "d", "e"]) {
        builder = builder.name(name, web.address());
    }
    builder.start()
}

fn servers(weights: &str) -> impl Iterator<Item = String> {
    let names = ["a", "b", "c", "d", "e"];
    let list: Vec<_> = weights
        .split(',')
        .zip(names)
        .map(|(w, n)| format!("server {n} {{{n}}} weight {w}"))
        .collect();
    list.into_iter()
}

/// The lines of a fixture, in two halves.
fn fixture(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once(" : "))
}

fn ask(connection: &mut Connection, path: &str) -> Result<String> {
    Ok(connection.get(path, "Host: h\r\n")?.text())
}

#[test]
fn turns_are_taken_as_in_haproxy() -> Result<()> {
    let webs = letters()?;
    let turns = fixture(include_str!("../fixtures/balance/roundrobin.txt"));
    // Lines with changes of weights in between are played without sockets.
    let turns =
        turns.filter_map(|(script, who)| Some(("roundrobin", script.strip_suffix(" 60")?, who)));
    let turns = turns.filter(|(_, weights, _)| !weights.contains(' '));
    let fixed = fixture(include_str!("../fixtures/balance/static-rr.txt"));
    let cases: Vec<_> =
        turns.chain(fixed.map(|(weights, who)| ("static-rr", weights, who))).collect();
    let backend = |(name, weights, _): &(&str, &str, &str)| {
        std::iter::once(format!("balance {name}")).chain(servers(weights)).collect()
    };
    let proxy = start(&webs, &cases.iter().map(backend).collect::<Vec<_>>())?;
    assert!(cases.len() > 20);
    for (number, (name, weights, who)) in cases.iter().enumerate() {
        let mut client = proxy.connect(&format!("l{number}"))?;
        let seen: Result<String> = (0..30).map(|_| ask(&mut client, "/")).collect();
        assert_eq!(seen?, who.get(..30).unwrap(), "{name} {weights}");
    }
    Ok(())
}

#[test]
fn one_round_is_shared_by_all_threads() -> Result<()> {
    let webs = letters()?;
    let proxy = start(&webs, &[servers("1,1,1").collect()])?;
    let mut seen = String::new();
    for _ in 0..12 {
        seen.push_str(&ask(&mut proxy.connect("l0")?, "/")?);
    }
    assert_eq!(seen, "abcabcabcabc");
    Ok(())
}

#[test]
fn hashes_choose_as_in_haproxy() -> Result<()> {
    let webs = letters()?;
    let cases: Vec<(&str, &str)> = fixture(include_str!("../fixtures/balance/hash.txt")).collect();
    let mut backends = Vec::new();
    for (case, _) in &cases {
        let mut parts = case.split(';').map(str::trim);
        let mut next = || parts.next().context("a part is missing");
        let (balance, hash_type, weights) = (next()?, next()?, next()?);
        let mut lines = vec![format!("balance {balance}")];
        if !hash_type.is_empty() {
            lines.push(format!("hash-type {hash_type}"));
        }
        lines.extend(servers(weights));
        backends.push(lines);
    }
    assert!(cases.len() > 40);
    let proxy = start(&webs, &backends)?;
    for (number, (case, who)) in cases.iter().enumerate() {
        let address = proxy.address(&format!("l{number}"))?;
        let seen: Result<String> = (0..20).map(|request| numbered(address, request)).collect();
        assert_eq!(seen?, who.get(..20).unwrap(), "{case}");
    }
    Ok(())
}

/// The request that the fixture numbers so, from an address of its own.
fn numbered(address: SocketAddr, number: u8) -> Result<String> {
    let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, number + 1), 0));
    let mut client = Connection::from_to(source, address)?;
    let line = format!("GET /p{number}/x{}/y?id=u{number}&z={number} HTTP/1.1\r\n", number % 7);
    let headers =
        format!("Host: www.d{number}.example\r\nX-Key: k{number}\r\nConnection: close\r\n");
    client.send(format!("{line}{headers}\r\n"))?;
    Ok(client.response()?.text())
}

#[test]
fn the_least_busy_server_is_chosen() -> Result<()> {
    let webs = letters()?;
    let busy = Server::listen()?;
    let lines = ["balance leastconn", "server busy {busy}", "server a {a}", "server b {b}"];
    let config = format!("{DEFAULTS}listen l0\n    bind {{l0}}\n    {}\n", lines.join("\n    "));
    let mut builder = proxy(&config).name("busy", busy.address());
    for (web, name) in webs.iter().zip(["a", "b"]) {
        builder = builder.name(name, web.address());
    }
    let proxy = builder.start()?;
    let mut held = proxy.connect("l0")?;
    held.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut at_busy = busy.accept()?;
    at_busy.request()?;
    let mut client = proxy.connect("l0")?;
    let seen: Result<String> = (0..6).map(|_| ask(&mut client, "/")).collect();
    assert_eq!(seen?, "ababab");
    at_busy.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy")?;
    assert_eq!(held.response()?.body, b"busy");
    Ok(())
}

#[test]
fn first_fills_servers_in_the_order_of_their_numbers() -> Result<()> {
    let webs = letters()?;
    let full = Server::listen()?;
    let lines = [
        "balance first",
        "server b {b} id 30",
        "server full {full} id 10 maxconn 1",
        "server a {a} id 20",
    ];
    let config = format!("{DEFAULTS}listen l0\n    bind {{l0}}\n    {}\n", lines.join("\n    "));
    let mut builder = proxy(&config).name("full", full.address());
    for (web, name) in webs.iter().zip(["a", "b"]) {
        builder = builder.name(name, web.address());
    }
    let proxy = builder.start()?;
    let mut held = proxy.connect("l0")?;
    held.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut at_full = full.accept()?;
    at_full.request()?;
    let mut client = proxy.connect("l0")?;
    let seen: Result<String> = (0..3).map(|_| ask(&mut client, "/")).collect();
    assert_eq!(seen?, "aaa");
    at_full.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull")?;
    assert_eq!(held.response()?.body, b"full");
    Ok(())
}

#[test]
fn random_follows_the_weights() -> Result<()> {
    let webs = letters()?;
    let backend = |name: &str, weights: &str| {
        std::iter::once(format!("balance {name}")).chain(servers(weights)).collect::<Vec<_>>()
    };
    let proxy = start(&webs, &[backend("random(1)", "3,1,0"), backend("random", "1,1")])?;
    for (listener, least) in [("l0", [100, 20]), ("l1", [40, 40])] {
        let mut client = proxy.connect(listener)?;
        let seen: Result<String> = (0..200).map(|_| ask(&mut client, "/")).collect();
        let seen = seen?;
        let count = |letter| seen.chars().filter(|c| *c == letter).count();
        assert!(count('a') >= least[0] && count('b') >= least[1] && count('c') == 0, "{seen}");
    }
    Ok(())
}

#[test]
fn backups_serve_when_all_others_are_away() -> Result<()> {
    let webs = letters()?;
    let lines = |option: &str| {
        let lines = ["server a {a} disabled", "server b {b} backup", "server c {c} backup"];
        lines.into_iter().chain([option]).filter(|l| !l.is_empty()).map(str::to_owned).collect()
    };
    let proxy = start(&webs, &[lines(""), lines("option allbackups")])?;
    for (listener, expected) in [("l0", "bbbb"), ("l1", "bcbc")] {
        let mut client = proxy.connect(listener)?;
        let seen: Result<String> = (0..4).map(|_| ask(&mut client, "/")).collect();
        assert_eq!(seen?, expected, "{listener}");
    }
    Ok(())
}
