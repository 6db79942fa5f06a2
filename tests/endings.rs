//! How a stream ended, as its log line tells it (manual 8.4, 8.5): timers, status, termination letters.

use anyhow::Result;
use haproxy_compat::harness::{Connection, Proxy, Server, Syslog, Web};

use crate::{GET_CLOSE, proxy};

const HTTPLOG: &str = "global
    log {log} local0
defaults
    mode http
    log global
    option httplog
    timeout client 20s
    timeout server 20s
    timeout connect 20s
";

const MAIN: &str = "frontend front
    bind {fe}
    default_backend back
backend back
    server s1 {s1}
";

/// A proxy with a log receiver, before a server that is scripted.
fn logging(config: &str) -> Result<(Proxy, Server, Syslog)> {
    let (server, log) = (Server::listen()?, Syslog::udp()?);
    let builder = proxy(config).name("s1", server.address()).name("log", log.address()?);
    Ok((builder.start()?, server, log))
}

/// A line's text, after the header of the transport: what follows `haproxy[PID]: `.
fn text(line: &str) -> &str {
    let after = line.split_once("haproxy[").and_then(|(_, rest)| rest.split_once("]: "));
    after.map_or(line, |(_, text)| text).trim_end()
}

/// The fields of an HTTP or TCP log line: client, date, frontend, server, timers and what follows.
fn fields(line: &str) -> Vec<&str> {
    text(line).split(' ').collect()
}

/// Whether `timers` has this shape: `-1` where it must be, `N` for a number of milliseconds.
fn timers_match(timers: &str, shape: &str) -> bool {
    let (given, wanted): (Vec<&str>, Vec<&str>) =
        (timers.split('/').collect(), shape.split('/').collect());
    given.len() == wanted.len()
        && given.iter().zip(wanted).all(|(given, wanted)| match wanted {
            "N" => given.parse::<u32>().is_ok(),
            exact => *given == exact,
        })
}

/// What a termination is about: what the client sends, what happens, and the line's fields.
struct Ending {
    config: &'static str,
    send: &'static str,
    then: fn(Connection, &Server) -> Result<()>,
    server: &'static str,
    timers: &'static str,
    status: &'static str,
    letters: &'static str,
}

fn answered(mut client: Connection, _: &Server) -> Result<()> {
    client.drain().map(|_| ())
}

const ENDINGS: &[Ending] = &[
    Ending {
        config: "",
        send: "garb\x01age\r\n\r\n",
        then: answered,
        server: "front/<NOSRV>",
        timers: "-1/-1/-1/-1/N",
        status: "400",
        letters: "PR--",
    },
    Ending {
        config: "    timeout http-request 200ms\n",
        send: "GET / HTTP/1.1\r\n",
        then: answered,
        server: "front/<NOSRV>",
        timers: "-1/-1/-1/-1/N",
        status: "408",
        letters: "cR--",
    },
    Ending {
        config: "",
        send: "GET / HT",
        then: |client, _| {
            drop(client);
            Ok(())
        },
        server: "front/<NOSRV>",
        timers: "-1/-1/-1/-1/N",
        status: "400",
        letters: "CR--",
    },
    Ending {
        config: "",
        send: "GET /no HTTP/1.0\r\n\r\n",
        then: answered,
        server: "front/<NOSRV>",
        timers: "N/-1/-1/-1/N",
        status: "403",
        letters: "PR--",
    },
    Ending {
        config: "",
        send: "GET /yes HTTP/1.0\r\n\r\n",
        then: answered,
        server: "front/<NOSRV>",
        timers: "N/-1/-1/-1/N",
        status: "200",
        letters: "LR--",
    },
    Ending {
        config: "",
        send: GET_CLOSE,
        then: |mut client, server| {
            server.accept()?.request()?;
            client.drain().map(|_| ())
        },
        server: "back/s1",
        timers: "N/N/N/-1/N",
        status: "502",
        letters: "SH--",
    },
    Ending {
        config: "    timeout server 200ms\n",
        send: GET_CLOSE,
        then: |mut client, server| {
            let mut backend = server.accept()?;
            backend.request()?;
            client.drain().map(|_| ())
        },
        server: "back/s1",
        timers: "N/N/N/-1/N",
        status: "504",
        letters: "sH--",
    },
    Ending {
        config: "",
        send: GET_CLOSE,
        then: |mut client, server| {
            let mut backend = server.accept()?;
            backend.request()?;
            backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")?;
            client.head()?;
            drop(backend);
            client.drain().map(|_| ())
        },
        server: "back/s1",
        timers: "N/N/N/N/N",
        status: "200",
        letters: "SD--",
    },
    Ending {
        config: "    timeout server 200ms\n",
        send: GET_CLOSE,
        then: |mut client, server| {
            let mut backend = server.accept()?;
            backend.request()?;
            backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")?;
            client.drain().map(|_| ())
        },
        server: "back/s1",
        timers: "N/N/N/N/N",
        status: "200",
        letters: "sD--",
    },
    Ending {
        config: "",
        send: GET_CLOSE,
        then: |mut client, server| {
            let mut backend = server.accept()?;
            backend.request()?;
            backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")?;
            client.head()?;
            client.reset()?;
            let _ = backend.send("d");
            backend.drain().map(|_| ())
        },
        server: "back/s1",
        timers: "N/N/N/N/N",
        status: "200",
        letters: "CD--",
    },
];

#[test]
fn termination_letters_and_timers_tell_how_it_ended() -> Result<()> {
    for ending in ENDINGS {
        let config = format!(
            "{HTTPLOG}{}frontend front
    bind {{fe}}
    http-request deny if {{ path /no }}
    http-request return status 200 if {{ path /yes }}
    default_backend back
backend back
    server s1 {{s1}}
",
            ending.config
        );
        let (proxy, server, mut log) = logging(&config)?;
        let mut client = proxy.connect("fe")?;
        client.send(ending.send)?;
        (ending.then)(client, &server)?;
        let line = log.wait_for(1)?[0].clone();
        let fields = fields(&line);
        let frontend_and_server = [fields[2], fields[3]];
        assert_eq!(frontend_and_server, ["front", ending.server], "{line}");
        assert!(timers_match(fields[4], ending.timers), "{} expected: {line}", ending.timers);
        assert_eq!([fields[5], fields[9]], [ending.status, ending.letters], "{line}");
    }
    Ok(())
}

#[test]
fn an_unreachable_server_is_sc() -> Result<()> {
    let (dead, mut log) = (Server::silent()?, Syslog::udp()?);
    let config = format!("{HTTPLOG}    retries 1\n{MAIN}");
    let builder = proxy(&config).name("s1", dead.address()).name("log", log.address()?);
    let proxy = builder.start()?;
    proxy.connect("fe")?.get("/", "")?;
    let line = log.wait_for(1)?[0].clone();
    let fields = fields(&line);
    assert_eq!([fields[3], fields[5], fields[9]], ["back/s1", "503", "SC--"], "{line}");
    assert!(timers_match(fields[4], "N/N/-1/-1/N"), "{line}");
    assert!(fields[10].ends_with("/1"), "one retry: {line}");
    Ok(())
}

#[test]
fn a_receiver_that_is_gone_does_not_stop_traffic() -> Result<()> {
    let web = Web::start("v1")?;
    let gone = Syslog::udp()?.address()?;
    let config = format!("{HTTPLOG}{MAIN}");
    let proxy = proxy(&config).name("log", gone).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    for _ in 0..50 {
        assert_eq!(client.get("/", "")?.text(), "v1");
    }
    Ok(())
}
