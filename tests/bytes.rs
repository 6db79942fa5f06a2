//! Bytes in logs and counters (manual 8.2.3 "bytes_read"; management guide 9.1 `bin`, `bout`).
//!
//! What HAProxy 2.3 counts in HTTP mode is its own form of a message, not the wire's: 24 bytes and the
//! words of the start line, name and value of each field, one byte each for the end of the head and of
//! the message, and the body without its framing. What it adds (`connection: close`) does not count.

use anyhow::Result;
use haproxy_compat::harness::{Csv, Message, Syslog, Web};

use crate::{CLI, GET_CLOSE, HTTP, http_with_cli, proxy};

fn counted(message: &Message) -> usize {
    let words: usize = message.start.splitn(3, ' ').map(str::len).sum();
    let fields = message.headers.iter().filter(|(name, _)| name != "connection");
    let fields: usize = fields.map(|(name, value)| name.len() + value.len()).sum();
    24 + words + fields + 1 + message.body.len() + 1
}

#[test]
fn a_log_line_has_the_bytes_of_the_answer() -> Result<()> {
    let (web, mut log) = (Web::start("v1")?, Syslog::udp()?);
    let config = format!(
        "{CLI}    log {{log}} local0\n{HTTP}    log global\n    log-format %B|%U\nlisten main\n    bind {{fe}}\n    server s1 {{s1}}\n"
    );
    let builder = proxy(&config).name("s1", web.address()).name("log", log.address()?);
    let proxy = builder.start()?;
    let mut client = proxy.connect("fe")?;
    client.send(GET_CLOSE)?;
    let answer = counted(&client.response()?);
    let line = log.wait_for(1)?[0].clone();
    // The client's `connection` does not count either.
    let request = 24 + "GET/HTTP/1.1hosth".len() + 2;
    assert!(line.trim_end().ends_with(&format!(" {answer}|{request}")), "{line}");
    Ok(())
}

#[test]
fn counters_add_up_bytes_both_ways() -> Result<()> {
    let web = Web::start("v1")?;
    let config = "frontend front\n    bind {fe}\n    default_backend back\nbackend back\n    server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    let (mut sent, mut received) = (0, 0);
    for _ in 0..3 {
        sent += 24 + "GET/aHTTP/1.1hosth".len() + 2;
        received += counted(&client.get("/a", "")?);
    }
    drop(client);
    proxy.wait_for_stat("front", "FRONTEND", "scur", "0")?;
    let csv: Csv = proxy.stats()?;
    for (name, row) in [("front", "FRONTEND"), ("back", "s1"), ("back", "BACKEND")] {
        assert_eq!(csv.number(name, row, "bin")?, sent as i64, "{row}");
        assert_eq!(csv.number(name, row, "bout")?, received as i64, "{row}");
    }
    Ok(())
}
