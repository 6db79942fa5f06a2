//! Compression on the way to the client (manual 4.2 "compression", 9.2).

use std::io::Read;

use anyhow::{Context, Result};
use haproxy_compat::harness::{Connection, Message, Proxy, Server, Web, eventually};

use crate::{http, http_with_cli};

const TEXT: &str = "a line of a page that is like the others\n";

const GZIP: &str = "listen main
    bind {fe}
    server s1 {s1}
    compression algo gzip
";

fn page() -> String {
    TEXT.repeat(100)
}

fn decoded(answer: &Message) -> Result<String> {
    let mut text = String::new();
    let body = &answer.body[..];
    match answer.header("content-encoding") {
        Some("gzip") => flate2::read::GzDecoder::new(body).read_to_string(&mut text)?,
        Some("deflate") if body.first().is_some_and(|b| b & 15 == 8) => {
            flate2::read::ZlibDecoder::new(body).read_to_string(&mut text)?
        }
        Some("deflate") => flate2::read::DeflateDecoder::new(body).read_to_string(&mut text)?,
        _ => return Ok(answer.text()),
    };
    Ok(text)
}

/// A server that answers the page with these header lines.
fn web(headers: &str) -> Result<Web> {
    let web = Web::start("v1")?;
    answer_with(&web, headers);
    Ok(web)
}

fn answer_with(web: &Web, headers: &str) {
    let page = page();
    let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n", page.len());
    web.answer_with(move |_| format!("{head}{page}").into_bytes());
}

fn before(web: &Web, config: &str) -> Result<Proxy> {
    http(config).name("s1", web.address()).start()
}

/// The algorithm that a request with these header lines gets.
fn coding(client: &mut Connection, headers: &str) -> Result<Option<String>> {
    let answer = client.get("/", headers)?;
    assert_eq!(decoded(&answer)?, page(), "{headers}");
    Ok(answer.header("content-encoding").map(str::to_owned))
}

fn scripted(options: &str) -> Result<(Proxy, Server, Connection)> {
    let server = Server::listen()?;
    let proxy = http(&format!("{GZIP}{options}")).name("s1", server.address()).start()?;
    let client = proxy.connect("fe")?;
    Ok((proxy, server, client))
}

#[test]
fn a_page_is_compressed_and_its_head_says_so() -> Result<()> {
    let web = web("Content-Type: text/html\r\nETag: \"tag\"\r\nX: y\r\n")?;
    let proxy = before(&web, GZIP)?;
    let mut client = proxy.connect("fe")?;
    for _ in 0..3 {
        let answer = client.get("/", "Accept-Encoding: gzip\r\n")?;
        let expected = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\netag: W/\"tag\"\r\nx: y\r\n\
            content-encoding: gzip\r\ntransfer-encoding: chunked\r\nvary: Accept-Encoding\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&answer.head), expected);
        assert_eq!(decoded(&answer)?, page());
        assert!(answer.body.len() < 400, "{} bytes", answer.body.len());
    }
    assert_eq!(web.connections(), 1);
    Ok(())
}

#[test]
fn the_client_says_what_it_takes() -> Result<()> {
    let web = web("")?;
    let config = "listen main\n bind {fe}\n server s1 {s1}\n compression algo gzip raw-deflate\n";
    let proxy = before(&web, config)?;
    let mut client = proxy.connect("fe")?;
    for (accepted, expected) in [
        ("", None),
        ("br", None),
        ("gzip", Some("gzip")),
        ("GZIP", Some("gzip")),
        ("x-gzip", None),
        ("br, gzip;q=0.2", Some("gzip")),
        ("gzip;q=0", None),
        ("gzip;q=0.5, deflate;q=0.4", Some("gzip")),
        ("gzip;q=0.5, deflate;q=0.8", Some("deflate")),
        // What was written last is tried first.
        ("*", Some("deflate")),
        ("gzip;q=0, *;q=0.1", Some("deflate")),
    ] {
        let header = format!("Accept-Encoding: {accepted}\r\n");
        let header = if accepted.is_empty() { "" } else { &header };
        assert_eq!(coding(&mut client, header)?.as_deref(), expected, "{accepted}");
    }
    let old = "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)\r\n";
    assert_eq!(coding(&mut client, &format!("Accept-Encoding: gzip\r\n{old}"))?, None);
    Ok(())
}

#[test]
fn what_must_not_be_compressed_passes_as_it_is() -> Result<()> {
    let web = web("")?;
    let config = format!("{GZIP} compression type text/ application/json\n");
    let proxy = before(&web, &config)?;
    let mut client = proxy.connect("fe")?;
    for (headers, compressed) in [
        ("Content-Type: TEXT/plain; charset=utf-8\r\n", true),
        ("Content-Type: application/json\r\nCache-Control: max-age=3\r\n", true),
        ("Content-Type: text/plain\r\nETag: W/\"a\"\r\n", true),
        ("Content-Type: image/png\r\n", false),
        ("X: no content type\r\n", false),
        ("Content-Type: text/plain\r\nCache-Control: public, No-Transform\r\n", false),
        ("Content-Type: text/plain\r\nContent-Encoding: identity\r\n", false),
        ("Content-Type: text/plain\r\nETag: bare\r\n", false),
        ("Content-Type: text/plain\r\nETag: \"a\"\r\nETag: \"b\"\r\n", false),
    ] {
        answer_with(&web, headers);
        let answer = client.get("/", "Accept-Encoding: gzip\r\n")?;
        assert_eq!(answer.header("content-encoding") == Some("gzip"), compressed, "{headers}");
        assert_eq!(answer.header("vary").is_some(), compressed, "{headers}");
        assert_eq!(decoded(&answer)?, page());
    }
    Ok(())
}

#[test]
fn statuses_methods_and_versions_decide() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    let mut backend: Option<Connection> = None;
    let mut compressed = |request: &str, status: u16| -> Result<bool> {
        client.send(format!(
            "{request}\r\nHost: h\r\nConnection: keep-alive\r\nAccept-Encoding: gzip\r\n\r\n"
        ))?;
        let backend = match &mut backend {
            Some(backend) => backend,
            none => none.insert(server.accept()?),
        };
        backend.request()?;
        let body = if request.starts_with("HEAD") { "" } else { "ok" };
        backend.send(format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{body}"))?;
        let answer = client.response_to(request.split(' ').next().unwrap_or_default())?;
        Ok(answer.header("content-encoding").is_some())
    };
    for status in [200, 201, 202, 203] {
        assert!(compressed("GET / HTTP/1.1", status)?, "{status}");
    }
    for status in [206, 300, 404, 500] {
        assert!(!compressed("GET / HTTP/1.1", status)?, "{status}");
    }
    assert!(compressed("POST / HTTP/1.1", 200)?);
    assert!(!compressed("HEAD / HTTP/1.1", 200)?);
    assert!(!compressed("GET / HTTP/1.0", 200)?);
    Ok(())
}

#[test]
fn a_body_without_a_known_end_is_not_compressed() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\n\r\nto the end")?;
    drop(backend);
    let answer = client.response()?;
    assert_eq!((answer.header("content-encoding"), answer.text().as_str()), (None, "to the end"));
    Ok(())
}

#[test]
fn what_comes_slowly_is_not_held_back() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nevent 1\r\n")?;
    client.read_through("\r\n\r\n")?;
    let mut decoder = flate2::Decompress::new_gzip(15);
    let mut text = Vec::with_capacity(1000);
    let mut until = |text: &mut Vec<u8>, expected: &str| -> Result<()> {
        while text != expected.as_bytes() {
            let line = client.read_through("\r\n")?;
            let size = usize::from_str_radix(std::str::from_utf8(&line)?.trim(), 16)?;
            let chunk = client.read_exactly(size + 2)?;
            let data = chunk.get(..size).context("a chunk")?;
            decoder.decompress_vec(data, text, flate2::FlushDecompress::None)?;
        }
        Ok(())
    };
    until(&mut text, "event 1")?;
    backend.send("8\r\n, event2\r\n")?;
    until(&mut text, "event 1, event2")?;
    backend.send("0\r\n\r\n")?;
    Ok(())
}

#[test]
fn chunks_and_trailers_go_on_behind_the_compressed_body() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    let mut backend: Option<Connection> = None;
    for (body, text) in [
        ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
        ("5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n", "hello"),
        ("0\r\n\r\n", ""),
    ] {
        client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")?;
        let backend = match &mut backend {
            Some(backend) => backend,
            none => none.insert(server.accept()?),
        };
        backend.request()?;
        backend.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))?;
        let answer = client.response()?;
        assert_eq!(decoded(&answer)?, text);
        let sum: Vec<_> = answer.trailers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
        assert_eq!(sum, if body.contains("Sum") { vec!["x-sum: 5"] } else { vec![] });
    }
    Ok(())
}

#[test]
fn large_bodies_arrive_whole() -> Result<()> {
    let web = web("")?;
    let body: Vec<u8> = (0..3_000_000u64).map(|n| (n * n / 7 % 251 * (n % 3)) as u8).collect();
    let sent = body.clone();
    web.answer_with(move |_| {
        [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len()).as_bytes(), &sent]
            .concat()
    });
    let config = "listen main\n bind {fe}\n server s1 {s1}\n compression algo identity deflate raw-deflate gzip\n";
    let proxy = before(&web, config)?;
    let mut client = proxy.connect("fe")?;
    for accepted in ["gzip", "deflate", "identity"] {
        let answer = client.get("/", &format!("Accept-Encoding: {accepted}\r\n"))?;
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        let mut text = Vec::new();
        match accepted {
            "gzip" => flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut text)?,
            "deflate" => {
                flate2::read::DeflateDecoder::new(&answer.body[..]).read_to_end(&mut text)?
            }
            _ => (&answer.body[..]).read_to_end(&mut text)?,
        };
        assert!(text == body, "{accepted}: the body was changed");
    }
    Ok(())
}

#[test]
fn offload_keeps_the_server_from_compressing() -> Result<()> {
    let web = web("")?;
    let proxy = before(&web, &format!("{GZIP} compression offload\n"))?;
    let mut client = proxy.connect("fe")?;
    assert_eq!(
        coding(&mut client, "Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n")?.as_deref(),
        Some("gzip")
    );
    assert_eq!(coding(&mut client, "Accept-Encoding: br\r\n")?, None);
    let seen: Vec<_> = web.requests().iter().map(|r| r.all("accept-encoding").len()).collect();
    assert_eq!(seen, [0, 1]);
    Ok(())
}

#[test]
fn defaults_are_taken_over_and_the_backend_decides_first() -> Result<()> {
    let web = web("Content-Type: text/html\r\n")?;
    let config = "defaults
    compression algo gzip
    compression offload
    mode http
    timeout client 20s
    timeout server 20s
    timeout connect 20s
frontend front
    bind {fe}
    default_backend back
backend back
    compression algo deflate
    server s1 {s1}
";
    let proxy = before(&web, config)?;
    let mut client = proxy.connect("fe")?;
    assert_eq!(coding(&mut client, "Accept-Encoding: *\r\n")?.as_deref(), Some("deflate"));
    assert_eq!(coding(&mut client, "Accept-Encoding: gzip\r\n")?.as_deref(), Some("gzip"));
    // `offload` is not taken over.
    assert_eq!(web.requests()[0].header("accept-encoding"), Some("*"));
    Ok(())
}

#[test]
fn identity_changes_the_framing_alone() -> Result<()> {
    let web = web("ETag: \"tag\"\r\n")?;
    let config = "listen main\n bind {fe}\n server s1 {s1}\n compression algo identity\n";
    let proxy = before(&web, config)?;
    let answer = proxy.connect("fe")?.get("/", "")?;
    let expected = "HTTP/1.1 200 OK\r\netag: W/\"tag\"\r\ntransfer-encoding: chunked\r\nvary: Accept-Encoding\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&answer.head), expected);
    assert_eq!(answer.text(), page());
    Ok(())
}

#[test]
fn rules_know_what_is_compressed() -> Result<()> {
    let web = web("")?;
    let rules = " http-response set-header x-comp %[res.comp],%[res.comp_algo]\n \
        http-after-response set-header x-coding a%[res.hdr(content-encoding)]\n";
    let proxy = before(&web, &format!("{GZIP}{rules}"))?;
    let mut client = proxy.connect("fe")?;
    let answer = client.get("/", "Accept-Encoding: gzip\r\n")?;
    assert_eq!(answer.header("x-comp"), Some("1,gzip"));
    // Rules see the head as it was.
    assert_eq!(answer.header("x-coding"), Some("a"));
    assert_eq!(client.get("/", "")?.header("x-comp"), Some("0,"));
    Ok(())
}

#[test]
fn the_statistics_page_is_compressed_and_error_pages_are_not() -> Result<()> {
    let web = web("")?;
    let more = " stats uri /stats\n http-request return status 200 content-type text/plain string \"a page\" if { path /return }\n";
    let proxy = before(&web, &format!("{GZIP}{more}"))?;
    let mut client = proxy.connect("fe")?;
    let answer = client.get("/stats", "Accept-Encoding: gzip\r\n")?;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert!(decoded(&answer)?.contains("Statistics Report"));
    let answer = client.get("/return", "Accept-Encoding: gzip\r\n")?;
    assert_eq!((answer.header("content-encoding"), answer.text().as_str()), (None, "a page"));
    Ok(())
}

#[test]
fn bytes_and_responses_are_counted() -> Result<()> {
    let web = web("")?;
    let config = "frontend front\n bind {fe}\n default_backend back\n compression algo gzip identity\nbackend back\n server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.get("/", "Accept-Encoding: gzip\r\n")?;
    client.get("/", "Accept-Encoding: gzip\r\n")?;
    client.get("/", "")?;
    let length = page().len() as i64 + 1;
    proxy.wait_for_stat("back", "BACKEND", "comp_rsp", "3")?;
    let stats = proxy.stats()?;
    for (name, side) in [("front", "FRONTEND"), ("back", "BACKEND")] {
        let number = |column| stats.number(name, side, column);
        assert_eq!((number("comp_in")?, number("comp_byp")?), (2 * length, length), "{name}");
        assert_eq!(number("comp_rsp")?, 3);
        assert!((1..1_000).contains(&number("comp_out")?), "{}", number("comp_out")?);
        assert!(number("bout")? > 3 * length);
    }
    let info = proxy.cli("show info")?;
    let rate = |name: &str| -> Result<i64> {
        let line = info.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
        Ok(line.context("a field")?.parse()?)
    };
    assert!(rate("CompressBpsIn")? > rate("CompressBpsOut")?);
    assert_eq!((rate("CompressBpsRateLim")?, rate("MaxZlibMemUsage")?), (0, 0));
    Ok(())
}

#[test]
fn limits_of_the_process_are_kept() -> Result<()> {
    let web = web("")?;
    let global = "global\n maxcomprate 1\n maxzlibmem 1\n";
    let proxy = http_with_cli(&format!("{global}{GZIP}")).name("s1", web.address()).start()?;
    let info = proxy.cli("show info")?;
    assert!(
        info.contains("CompressBpsRateLim: 1024\n") && info.contains("MaxZlibMemUsage: 1048576\n")
    );
    let mut client = proxy.connect("fe")?;
    assert_eq!(coding(&mut client, "Accept-Encoding: gzip\r\n")?.as_deref(), Some("gzip"));
    // More than a kilobyte went in within this second.
    assert_eq!(coding(&mut client, "Accept-Encoding: gzip\r\n")?, None);
    proxy.cli("set rate-limit http-compression global 0")?;
    assert_eq!(coding(&mut client, "Accept-Encoding: gzip\r\n")?.as_deref(), Some("gzip"));
    proxy.cli("set rate-limit http-compression global 3")?;
    assert!(proxy.cli("show info")?.contains("CompressBpsRateLim: 3072\n"));
    Ok(())
}

#[test]
fn the_window_and_the_level_are_settings() -> Result<()> {
    let web = web("")?;
    let page: String =
        (0..3_000u32).map(|n| format!("line {} of {}\n", n * n % 977, n * 7 % 131)).collect();
    let sent = page.clone();
    web.answer_with(move |_| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{sent}", sent.len()).into_bytes()
    });
    let header = |global: &str| -> Result<(u8, usize)> {
        let config = "listen main\n bind {fe}\n server s1 {s1}\n compression algo deflate\n";
        let proxy = before(&web, &format!("global\n{global}{config}"))?;
        let answer = proxy.connect("fe")?.get("/", "Accept-Encoding: deflate\r\n")?;
        assert_eq!(decoded(&answer)?, page);
        Ok((*answer.body.first().context("a body")?, answer.body.len()))
    };
    // zlib's header tells the window in its upper four bits (RFC 1950 2.2).
    assert_eq!(header("")?.0, 0x78);
    assert_eq!(header(" tune.zlib.windowsize 9\n")?.0, 0x18);
    let (least, most) = (header("")?.1, header(" tune.comp.maxlevel 9\n")?.1);
    assert!(most < least, "{most} bytes at the highest level, {least} at the lowest");
    Ok(())
}

#[test]
fn a_body_that_breaks_off_is_not_ended() -> Result<()> {
    let (_proxy, server, mut client) = scripted("")?;
    client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")?;
    client.read_through("\r\n\r\n")?;
    drop(backend);
    let rest = client.read_to_end()?;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{}", rest.escape_ascii());
    Ok(())
}

#[test]
fn a_trace_tells_what_passes() -> Result<()> {
    let web = web("")?;
    let config = "frontend front
    bind {fe}
    filter trace name mine hexdump
    default_backend back
backend back
    filter trace
    filter compression
    compression algo gzip
    server s1 {s1}
";
    web.answer_with(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world".to_vec());
    let proxy = before(&web, config)?;
    let answer = proxy.connect("fe")?.get("/path", "Accept-Encoding: gzip\r\n")?;
    assert_eq!(decoded(&answer)?, "hello world");
    for part in [
        "[mine/front          ] filter initialized [read random=false - fwd random=false - hexdump=true]",
        "[TRACE/back          ] filter initialized [read random=false - fwd random=false - hexdump=false]",
        "trace_attach             : filter-type=frontend",
        "trace_http_headers       : channel=REQUEST    - mode=HTTP  (backend)\tGET /path HTTP/1.1",
        "\thost: ",
        "trace_http_headers       : channel=RESPONSE   - mode=HTTP  (backend)\tHTTP/1.1 200 OK",
        "\tcontent-length: 11",
        "\t0x000000: 68 65 6c 6c 6f 20 77 6f   72 6c 64                  |hello world|",
        "trace_http_end           : channel=RESPONSE   - mode=HTTP  (backend)",
        "trace_detach             : filter-type=backend",
    ] {
        proxy.wait_for_line(part)?;
    }
    Ok(())
}

#[test]
fn a_trace_with_random_forwarding_loses_nothing() -> Result<()> {
    let web = web("")?;
    let config = "listen main
    bind {fe}
    filter trace random-parsing random-forwarding
    server s1 {s1}
";
    let proxy = before(&web, config)?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), page());
    proxy.wait_for_line("[read random=true - fwd random=true - hexdump=false]")?;
    proxy.wait_for_line("trace_http_end           : channel=RESPONSE")?;
    Ok(())
}

#[test]
fn what_a_cache_holds_is_compressed_for_who_takes_it() -> Result<()> {
    let web = web("Cache-Control: max-age=60\r\nContent-Type: text/plain\r\n")?;
    let config = "cache store
    total-max-size 4
frontend front
    bind {fe}
    http-request cache-use store
    http-response cache-store store
    compression algo gzip
    default_backend back
backend back
    server s1 {s1}
";
    let proxy = before(&web, config)?;
    let mut client = proxy.connect("fe")?;
    for (accepted, coding) in [
        ("Accept-Encoding: gzip\r\n", Some("gzip")),
        ("", None),
        ("Accept-Encoding: gzip\r\n", Some("gzip")),
    ] {
        let answer = client.get("/", accepted)?;
        assert_eq!((answer.header("content-encoding"), decoded(&answer)?), (coding, page()));
    }
    // The page was stored as it came.
    assert_eq!(web.requests().len(), 1);
    Ok(())
}

#[test]
fn no_more_is_compressed_at_once_than_there_is_memory_for() -> Result<()> {
    let server = Server::listen()?;
    let global = "global\n maxzlibmem 1\n tune.comp.maxlevel 9\n";
    let proxy = http_with_cli(&format!("{global}{GZIP}")).name("s1", server.address()).start()?;
    let mut streams = Vec::new();
    let mut compressed = Vec::new();
    for _ in 0..6 {
        let mut client = proxy.connect("fe")?;
        client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")?;
        let mut backend = server.accept()?;
        backend.request()?;
        backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")?;
        let head = client.read_through("\r\n\r\n")?;
        compressed.push(String::from_utf8_lossy(&head).contains("content-encoding: gzip"));
        streams.push((client, backend));
    }
    assert_eq!(compressed, [true, true, true, false, false, false]);
    let used = |proxy: &Proxy| -> Result<u64> {
        let info = proxy.cli("show info")?;
        let line = info.lines().find_map(|line| line.strip_prefix("ZlibMemUsage: "));
        Ok(line.context("the field")?.parse()?)
    };
    assert!((500_000..=1_048_576).contains(&used(&proxy)?), "{}", used(&proxy)?);
    drop(streams);
    eventually("memory is given back", || Ok(used(&proxy)? == 0))
}

#[test]
fn a_busy_thread_compresses_no_more() -> Result<()> {
    let web = web("")?;
    let body = TEXT.repeat(20_000);
    web.answer_with(move |_| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    });
    let proxy = before(&web, &format!("global\n maxcompcpuusage 1\n{GZIP}"))?;
    let mut client = proxy.connect("fe")?;
    eventually("a page passes as it is", || {
        let answer = client.get("/", "Accept-Encoding: gzip\r\n")?;
        Ok(answer.header("content-encoding").is_none())
    })
}
