//! What becomes of messages that cannot be parsed or are refused: page, log line, counters, and what `show
//! errors` keeps of them (management.txt 9.3, 13.1).

use anyhow::{Context, Result, ensure};
use haproxy_compat::harness::{Proxy, Server, Syslog};

use crate::{GET, http_with_cli, testing_reference};

/// What is refused, and how `show errors` tells it.
struct Bad {
    text: &'static [u8],
    /// Where the mistake is.
    position: usize,
    /// What was being parsed.
    state: &'static str,
    /// Flags of the message.
    flags: &'static str,
    /// Announced length, and body so far.
    lengths: (u64, u64),
    /// Whether 2.3.0 lets it through, which is not to be repeated.
    ours_alone: bool,
}

const fn bad(
    text: &'static [u8],
    position: usize,
    state: &'static str,
    flags: &'static str,
    lengths: (u64, u64),
) -> Bad {
    Bad { text, position, state, flags, lengths, ours_alone: false }
}

const fn refused_here(
    text: &'static [u8],
    position: usize,
    state: &'static str,
    flags: &'static str,
) -> Bad {
    Bad { ours_alone: true, ..bad(text, position, state, flags, (0, 0)) }
}

const REQUESTS: &[Bad] = &[
    bad(b"garbage\r\n\r\n", 7, "MSG_DATA(27)", "1400", (0, 0)),
    bad(b"GET HTTP/1.1\r\nHost: h\r\n\r\n", 12, "MSG_DATA(27)", "1400", (0, 0)),
    bad(b"GET / HTTP/11\r\nHost: h\r\n\r\n", 6, "MSG_DATA(27)", "1400", (0, 0)),
    bad(b"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 14, "MSG_RQVER(6)", "1400", (0, 0)),
    bad(b"GET / HTTQ/1.1\r\nHost: h\r\n\r\n", 9, "MSG_RQVER(6)", "1400", (0, 0)),
    bad(b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 0, "MSG_RQBEFORE(0)", "1400", (0, 0)),
    bad(b"G\x00T / HTTP/1.1\r\n\r\n", 1, "MSG_RQMETH(2)", "1400", (0, 0)),
    bad(b"G\x01", 1, "MSG_RQMETH(2)", "1400", (0, 0)),
    bad(b"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 5, "MSG_RQURI(4)", "1400", (0, 0)),
    bad(b"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", 5, "MSG_RQURI(4)", "1400", (0, 0)),
    bad(b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 20, "MSG_HDR_NAME(17)", "1410", (0, 0)),
    bad(b"\r\nGET / HTTP/1.1\r\nHost : h\r\n\r\n", 22, "MSG_HDR_NAME(17)", "1410", (0, 0)),
    bad(b"GET / HTTP/1.1\r\n Host: h\r\n\r\n", 16, "MSG_HDR_NAME(17)", "1410", (0, 0)),
    bad(b"GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 27, "MSG_HDR_NAME(17)", "1410", (0, 0)),
    bad(b"GET / HTTP/1.1\r\nHo st", 18, "MSG_HDR_NAME(17)", "1410", (0, 0)),
    bad(b"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", 24, "MSG_HDR_L2_LF(23)", "1410", (0, 0)),
    bad(
        b"GET / HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\na b: x\r\n\r\n",
        55,
        "MSG_HDR_NAME(17)",
        "1431",
        (5, 5),
    ),
    bad(
        b"GET / HTTP/1.1\r\nHost: h\r\nHost: other\r\n\r\n",
        31,
        "MSG_HDR_L2_LWS(24)",
        "1410",
        (0, 0),
    ),
    bad(b"GET http://h/ HTTP/1.1\r\nHost: other\r\n\r\n", 30, "MSG_HDR_L2_LWS(24)", "1410", (0, 0)),
    bad(
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        52,
        "MSG_HDR_L2_LWS(24)",
        "1411",
        (1, 1),
    ),
    bad(
        b"POST / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\nab",
        33,
        "MSG_HDR_L2_LWS(24)",
        "1411",
        (1, 1),
    ),
    bad(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 33, "MSG_HDR_L2_LWS(24)", "1410", (0, 0)),
    bad(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        48,
        "MSG_DATA(27)",
        "1610",
        (0, 0),
    ),
    bad(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        47,
        "MSG_CHUNK_SIZE(26)",
        "1712",
        (0, 0),
    ),
    bad(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        53,
        "MSG_CHUNK_CRLF(28)",
        "1712",
        (0, 3),
    ),
    refused_here(b"GET / HTTP/1.1\r\n: v\r\n\r\n", 16, "MSG_HDR_NAME(17)", "1410"),
    refused_here(b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n", 20, "MSG_HDR_VAL(22)", "1410"),
    refused_here(b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 6, "MSG_RQURI(4)", "1400"),
    refused_here(b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 6, "MSG_DATA(27)", "1400"),
];

const RESPONSES: &[Bad] = &[
    bad(b"nonsense\r\n\r\n", 0, "MSG_RPVER(10)", "1404", (0, 0)),
    bad(b"<html>hello</html>", 0, "MSG_RPBEFORE(8)", "1404", (0, 0)),
    bad(b"HTTP/1.1 abc OK\r\n\r\n", 9, "MSG_RPCODE(12)", "1414", (0, 0)),
    bad(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 19, "MSG_HDR_NAME(17)", "1414", (0, 0)),
    bad(b"HTTP/1.1 200 OK\r\nA\x00B: c\r\n\r\n", 18, "MSG_HDR_NAME(17)", "1414", (0, 0)),
    bad(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        52,
        "MSG_HDR_L2_LWS(24)",
        "1415",
        (1, 1),
    ),
    bad(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
        55,
        "MSG_CHUNK_SIZE(26)",
        "1716",
        (0, 3),
    ),
    refused_here(b"HTTP/1.1 1000 OK\r\n\r\n", 13, "MSG_RPCODE(12)", "1414"),
];

const MAIN: &str = "    log {log} format raw local0
    log-format \"%ST %tsc %B %{+Q}r\"
frontend fe
    bind {fe}
    default_backend be
backend be
    server s1 {s1}
";

struct Bench {
    proxy: Proxy,
    server: Server,
    log: Syslog,
}

fn bench() -> Result<Bench> {
    let server = Server::listen()?;
    let log = Syslog::udp()?;
    let proxy = http_with_cli(MAIN).name("s1", server.address()).name("log", log.address()?);
    Ok(Bench { proxy: proxy.start()?, server, log })
}

/// The parts of a capture that are the same in every run.
fn captured(shown: &str, direction: &str) -> Result<String> {
    let start = shown.find("invalid ").context("nothing was captured")?;
    let text = &shown[start..];
    ensure!(text.starts_with(&format!("invalid {direction}\n")), "{shown}");
    Ok(text.lines().filter(|line| !line.contains("buffer starts")).collect::<Vec<_>>().join("\n"))
}

fn expect_capture(shown: &str, row: &Bad, direction: &str) -> Result<()> {
    let text = captured(shown, direction)?;
    let name = row.text.escape_ascii();
    let (announced, body) = row.lengths;
    for part in [
        format!("  len {}, ", row.text.len()),
        format!("error at position {}\n", row.position),
        format!("H1 msg state {}, H1 msg flags 0x0000{}\n", row.state, row.flags),
        format!("H1 chunk len {announced} bytes, H1 body len {body} bytes :\n  \n  00000  "),
    ] {
        // What is announced is not what is left of a chunk, which is none here.
        ensure!(text.contains(&part), "{name}: no {part:?} in\n{shown}");
    }
    Ok(())
}

#[test]
fn bad_requests_are_answered_logged_counted_and_kept() -> Result<()> {
    let mut bench = bench()?;
    let rows = REQUESTS.iter().filter(|row| !(row.ours_alone && testing_reference()));
    for (number, row) in rows.enumerate() {
        let name = row.text.escape_ascii();
        let mut client = bench.proxy.connect("fe")?;
        client.send(row.text)?;
        assert_eq!(client.response()?.status(), 400, "{name}");
        client.expect_close()?;
        drop(client);
        let line = bench.log.wait_for(number + 1)?[number].trim().to_owned();
        assert_eq!(line, "400 PR-- 211 \"<BADREQ>\"", "{name}");
        expect_capture(&bench.proxy.cli("show errors fe request")?, row, "request")?;
        let stats = bench.proxy.stats()?;
        for (column, value) in [("ereq", number + 1), ("hrsp_4xx", number + 1), ("bin", 0)] {
            assert_eq!(stats.number("fe", "FRONTEND", column)?, value as i64, "{name}: {column}");
        }
    }
    bench.server.expect_no_connection(std::time::Duration::from_millis(10))
}

#[test]
fn bad_responses_are_a_502_and_kept() -> Result<()> {
    let mut bench = bench()?;
    let rows = RESPONSES.iter().filter(|row| !(row.ours_alone && testing_reference()));
    for (number, row) in rows.enumerate() {
        let name = row.text.escape_ascii();
        let mut client = bench.proxy.connect("fe")?;
        client.send(GET)?;
        let mut backend = bench.server.accept()?;
        backend.request()?;
        backend.send(row.text)?;
        assert_eq!(client.response()?.status(), 502, "{name}");
        drop(client);
        let line = bench.log.wait_for(number + 1)?[number].trim().to_owned();
        assert_eq!(line, "502 PH-- 214 \"GET / HTTP/1.1\"", "{name}");
        expect_capture(&bench.proxy.cli("show errors be response")?, row, "response")?;
        let stats = bench.proxy.stats()?;
        for holder in ["s1", "BACKEND"] {
            assert_eq!(stats.number("be", holder, "eresp")?, number as i64 + 1, "{name}");
        }
        assert_eq!(stats.number("fe", "FRONTEND", "hrsp_5xx")?, number as i64 + 1, "{name}");
    }
    Ok(())
}

#[test]
fn mistakes_behind_a_head_that_is_on_its_way_end_the_exchange() -> Result<()> {
    let mut bench = bench()?;
    let mut client = bench.proxy.connect("fe")?;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")?;
    let mut backend = bench.server.accept()?;
    backend.head()?;
    backend.read_through("abc\r\n")?;
    client.send("4\r\nabcd\r\nzz\r\n")?;
    assert_eq!(client.response()?.status(), 400);
    assert!(bench.log.wait_for(1)?[0].starts_with("400 PH-- "));
    let shown = bench.proxy.cli("show errors fe")?;
    for part in [
        "backend be (#3), server <NONE> (#-1), ",
        "  len 13, ",
        "error at position 9\n",
        "MSG_CHUNK_SIZE(26), H1 msg flags 0x00001712\n",
        "body len 7 bytes",
        "  00000  4\\r\\n\n  00003  abcd\\r\\n\n  00009  zz\\r\\n\n",
    ] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    let mut client = bench.proxy.connect("fe")?;
    client.send(GET)?;
    let mut backend = bench.server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")?;
    client.read_through("abc\r\n")?;
    backend.send("4\r\nabcd\r\nzz\r\n")?;
    client.drain()?;
    assert!(bench.log.wait_for(2)?[1].starts_with("200 SD-- "));
    let shown = bench.proxy.cli("show errors -1 response")?;
    assert!(shown.contains("error at position 9\n"), "{shown}");
    let stats = bench.proxy.stats()?;
    assert_eq!(stats.number("fe", "FRONTEND", "ereq")?, 1);
    assert_eq!(stats.number("be", "s1", "eresp")?, 1);
    assert_eq!(stats.number("be", "s1", "srv_abrt")?, 0);
    Ok(())
}

#[test]
fn uploads_and_responses_that_break_off_are_counted() -> Result<()> {
    let mut bench = bench()?;
    let mut client = bench.proxy.connect("fe")?;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n123")?;
    let mut backend = bench.server.accept()?;
    backend.head()?;
    backend.read_through("123")?;
    client.half_close()?;
    assert_eq!(client.read_to_end()?, b"");
    assert_eq!(bench.log.wait_for(1)?[0].trim(), "-1 CD-- 0 \"POST / HTTP/1.1\"");
    let mut client = bench.proxy.connect("fe")?;
    client.send(GET)?;
    let mut backend = bench.server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123")?;
    client.read_through("123")?;
    drop(backend);
    client.drain()?;
    assert!(bench.log.wait_for(2)?[1].starts_with("200 SD-- "));
    let stats = bench.proxy.stats()?;
    for holder in ["s1", "BACKEND"] {
        assert_eq!(stats.number("be", holder, "cli_abrt")?, 1);
        assert_eq!(stats.number("be", holder, "srv_abrt")?, 1);
        assert_eq!(stats.number("be", holder, "eresp")?, 1);
    }
    Ok(())
}

#[test]
fn show_errors_keeps_the_last_one_and_filters() -> Result<()> {
    let bench = bench()?;
    let shown = bench.proxy.cli("show errors")?;
    assert!(shown.starts_with("Total events captured on [") && shown.ends_with(" : 0\n\n"));
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\nBad name: \t\\\x1b\r\n\r\n", "x".repeat(100));
    for request in ["first\r\n\r\n", &long] {
        let mut client = bench.proxy.connect("fe")?;
        client.send(request)?;
        client.drain()?;
    }
    let all = bench.proxy.cli("show errors")?;
    assert!(all.contains("] : 2\n \n[") && !all.contains("first"), "{all}");
    let x = |count: usize| "x".repeat(count);
    let lines = format!(
        "  \n  00000  GET / HTTP/1.1\\r\\n\n  00016  A: {}\n  00086+ {}\\r\\n\n  00121  Bad name: \\t\\\\\\e\\r\\n\n  00136  \\r\\n\n\n",
        x(67),
        x(33)
    );
    assert!(all.ends_with(&lines), "{all}\n{lines}");
    assert!(all.contains("] frontend fe (#2): invalid request\n  backend <NONE> (#-1), "), "{all}");
    assert!(all.contains("), event #1, src 127.0.0.1:"), "{all}");
    let body = |command: &str| -> Result<String> {
        let shown = bench.proxy.cli(command)?;
        Ok(shown.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default())
    };
    let whole = body("show errors")?;
    for command in ["show errors -1", "show errors fe", "show errors 2", "show errors fe request"] {
        assert_eq!(body(command)?, whole, "{command}");
    }
    for command in ["show errors fe response", "show errors be", "show errors 3", "show errors 99"]
    {
        assert_eq!(body(command)?, "\n", "{command}");
    }
    assert_eq!(bench.proxy.cli("show errors none")?, "No such proxy.\n\n");
    Ok(())
}

#[test]
fn heads_that_are_too_large_are_kept_within_a_buffer() -> Result<()> {
    let bench = bench()?;
    let mut client = bench.proxy.connect("fe")?;
    client.send(format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(17_000)))?;
    assert_eq!(client.response()?.status(), 400);
    let shown = bench.proxy.cli("show errors")?;
    assert!(shown.contains("MSG_HDR_VAL(22), "), "{}", &shown[..600]);
    let length = shown.split("  len ").nth(1).and_then(|rest| rest.split(',').next());
    let length: usize = length.context("no length")?.parse()?;
    assert!((15_360..=16_384).contains(&length), "{length}");
    Ok(())
}
