//! The cache (manual 6): what is stored, for whom it is served, what it costs, what is told about it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use haproxy_compat::harness::{Message, Proxy, Server, Signal, Syslog, Web, eventually};

use crate::{http_with_cli, proxy, testing_reference};

/// A backend with a cache whose responses tell whether they came from it.
const CONFIG: &str = "
global
    stats socket {cli} level admin
    log {log} format raw local0
defaults
    mode http
    log global
    timeout client 20s
    timeout server 20s
    timeout connect 20s
frontend fe
    bind {fe}
    option httplog
    http-request deny if { path /denied }
    default_backend be
backend be
    http-request cache-use stock
    http-request deny if { hdr(x-refuse) 1 }
    http-response cache-store stock
    http-response set-header x-hit %[res.cache_hit]
    http-response set-header x-cache %[res.cache_name]
    server s1 {s1}
cache stock
    total-max-size 1
    max-object-size 4000
    max-age 240
";

/// The path says which headers the response has, after a `?` what its status is; the body counts requests.
fn web() -> Result<Web> {
    let asked = std::sync::atomic::AtomicU32::new(0);
    Web::answering(move |request| {
        let number = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (headers, status) =
            request.target().split_once('?').unwrap_or((request.target(), "200"));
        let headers = headers.rsplit('/').next().unwrap_or_default().replace('_', " ");
        let headers: String = headers
            .split(';')
            .filter_map(|header| header.split_once(':'))
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let body = format!("number {number:03}");
        let status = status.replace('_', " ");
        format!("HTTP/1.1 {status} Fine\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    })
}

struct Running {
    proxy: Proxy,
    log: Syslog,
    web: Web,
}

fn start(config: &str) -> Result<Running> {
    let (web, log) = (web()?, Syslog::udp()?);
    let builder = proxy(config).name("s1", web.address()).name("log", log.address()?);
    Ok(Running { proxy: builder.start()?, log, web })
}

impl Running {
    /// Sends a request on a connection of its own.
    fn ask(&self, line: &str, headers: &str) -> Result<Message> {
        let mut client = self.proxy.connect("fe")?;
        client.send(format!("{line} HTTP/1.1\r\n{headers}\r\n"))?;
        client.response_to(line.split(' ').next().unwrap_or("GET"))
    }

    fn get(&self, path: &str) -> Result<Message> {
        self.ask(&format!("GET {path}"), "Host: h\r\n")
    }
}

fn is_hit(response: &Message) -> bool {
    response.header("x-hit") == Some("1")
}

/// Whether the second of two equal requests is answered from the cache.
fn is_stored(running: &Running, path: &str) -> Result<bool> {
    ensure!(!is_hit(&running.get(path)?), "{path} was known before");
    Ok(is_hit(&running.get(path)?))
}

#[test]
fn the_second_request_is_answered_from_the_cache() -> Result<()> {
    let mut running = start(CONFIG)?;
    let first = running.get("/x:y;age:17")?;
    assert_eq!((first.header("x"), first.header("age")), (Some("y"), None));
    assert_eq!((first.header("x-hit"), first.header("x-cache")), (Some("0"), Some("")));
    let second = running.get("/x:y;age:17")?;
    assert_eq!((second.status(), second.text()), (200, first.text()));
    assert_eq!((second.header("x-hit"), second.header("x-cache")), (Some("1"), Some("stock")));
    let age: u32 = second.header("age").context("an age")?.parse()?;
    assert!((17..=20).contains(&age), "{age}");
    assert_eq!(running.web.requests().len(), 1);
    let line = running.log.wait_for_line("<CACHE>")?;
    for part in
        [" fe be/<CACHE> 0/0/0/0/", " 200 74 - - LR-- ", " 0/0 \"GET /x:y;age:17 HTTP/1.1\""]
    {
        assert!(line.contains(part), "{part} in {line}");
    }
    Ok(())
}

#[test]
fn hits_are_counted_and_what_is_stored_is_shown() -> Result<()> {
    let running = start(CONFIG)?;
    for path in ["/1", "/1", "/2", "/1", "/cache-control:private"] {
        running.get(path)?;
    }
    let stats = running.proxy.stats()?;
    let of = |name: &str, column: &str| stats.number("be", name, column);
    assert_eq!((of("BACKEND", "cache_lookups")?, of("BACKEND", "cache_hits")?), (5, 2));
    assert_eq!((of("BACKEND", "stot")?, of("BACKEND", "hrsp_2xx")?), (5, 5));
    assert_eq!((of("s1", "stot")?, of("BACKEND", "lbtot")?), (3, 3));
    assert_eq!(stats.number("fe", "FRONTEND", "cache_lookups")?, 0);
    assert_eq!(stats.number("fe", "FRONTEND", "intercepted")?, 0);
    let shown = running.proxy.cli("show cache")?;
    let lines: Vec<&str> = shown.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines[0].contains(": stock (shctx:0x"), "{shown}");
    assert!(lines[0].ends_with(", available blocks:1024)"), "{shown}");
    assert_eq!(lines.len(), 3, "{shown}");
    let mut hashes = Vec::new();
    for line in &lines[1..] {
        ensure!(line.starts_with("0x"), "{line}");
        let rest = line.split_once(" hash:").context("a hash")?.1;
        let (hash, rest) = rest.split_once(' ').context("more")?;
        hashes.push(hash.parse::<u32>()?);
        assert!(rest.starts_with("size:183 (1 blocks), refcount:0, expire:2"), "{line}");
    }
    // The first bytes of SHA-1 of `GEThttps://h/1` and `GEThttps://h/2`.
    assert_eq!(hashes, [HASHES.0, HASHES.1]);
    Ok(())
}

const HASHES: (u32, u32) = (3_197_033_631, 3_261_662_381);

#[test]
fn responses_say_whether_they_are_stored() -> Result<()> {
    let running = start(CONFIG)?;
    for (path, stored) in [
        ("/a", true),
        ("/cache-control:private", false),
        ("/cache-control:no-store", false),
        ("/cache-control:no-cache", false),
        ("/cache-control:no-cache=\"set-cookie\"", false),
        ("/cache-control:max-age=0", false),
        ("/cache-control:s-maxage=0", false),
        ("/cache-control:public,_no-store", false),
        ("/cache-control:no-store,_public", true),
        ("/cache-control:max-age=5", true),
        ("/cache-control:max-age=00", true),
        ("/pragma:no-cache", false),
        ("/vary:accept", false),
        ("/set-cookie:a=b", true),
        ("/expires:0", false),
        ("/expires:Thu,_01_Jan_1970_00.00.00_GMT", false),
        ("/expires:0;cache-control:max-age=9", true),
        ("/a?404", false),
        ("/a?301", false),
        ("/a?203", false),
        ("/a?206", false),
        ("/a?500", false),
    ] {
        assert_eq!(is_stored(&running, path)?, stored, "{path}");
    }
    Ok(())
}

#[test]
fn requests_say_whether_they_are_answered_from_the_cache() -> Result<()> {
    let running = start(CONFIG)?;
    assert!(is_stored(&running, "/a")?);
    let hit =
        |line: &str, headers: &str| Ok::<_, anyhow::Error>(is_hit(&running.ask(line, headers)?));
    for (line, headers, answered) in [
        ("GET /a", "Host: h\r\n", true),
        ("HEAD /a", "Host: h\r\n", true),
        ("GET /a", "Host: h\r\nCookie: a=b\r\n", true),
        ("GET /a", "Host: h\r\nCache-Control: no-store\r\n", true),
        ("GET /a", "Host: h\r\nPragma: no-cache\r\nCache-Control: x\r\n", true),
        ("GET /a", "Host: h\r\nCache-Control: max-age=100\r\n", false),
        ("GET /a", "Host: h\r\nCache-Control: x, No-Cache\r\n", false),
        ("GET /a", "Host: h\r\nPragma: no-cache\r\n", false),
        ("GET /a", "Host: h\r\nAuthorization: Basic eA==\r\n", false),
        ("POST /a", "Host: h\r\nContent-Length: 0\r\n", false),
        ("PUT /a", "Host: h\r\nContent-Length: 0\r\n", false),
        ("DELETE /a", "Host: h\r\n", false),
        ("OPTIONS /a", "Host: h\r\n", false),
        ("GET /a", "Host: other\r\n", false),
        ("GET /a", "Host: H\r\n", false),
        ("GET /b", "Host: h\r\n", false),
        ("GET /a?", "Host: h\r\n", false),
        ("GET /a", "Host: h\r\n", true),
    ] {
        assert_eq!(hit(line, headers)?, answered, "{line} {headers}");
    }
    let mut old = running.proxy.connect("fe")?;
    old.send("GET /a HTTP/1.0\r\nHost: h\r\n\r\n")?;
    assert_eq!(old.response()?.header("x-hit"), Some("0"));
    assert!(hit("GET http://abs/c", "Host: abs\r\n").is_ok_and(|hit| !hit));
    assert!(hit("GET http://abs/c", "Host: abs\r\n").is_ok_and(|hit| hit));
    Ok(())
}

#[test]
fn a_request_for_a_fresh_response_has_it_stored_anew() -> Result<()> {
    let running = start(CONFIG)?;
    let first = running.get("/a")?.text();
    let fresh = running.ask("GET /a", "Host: h\r\nCache-Control: no-cache\r\n")?.text();
    assert_ne!(first, fresh);
    assert_eq!(running.get("/a")?.text(), fresh);
    for headers in ["Cache-Control: no-store\r\n", "Authorization: Basic eA==\r\n"] {
        let asked = format!("Host: {}\r\n{headers}", headers.len());
        assert!(!is_hit(&running.ask("GET /b", &asked)?));
        assert!(!is_hit(&running.ask("GET /b", &format!("Host: {}\r\n", headers.len()))?));
    }
    // The answer to HEAD is not stored.
    running.ask("HEAD /h", "Host: h\r\n")?;
    assert!(!is_hit(&running.get("/h")?));
    Ok(())
}

#[test]
fn conditions_are_answered_from_what_is_stored() -> Result<()> {
    let running = start(CONFIG)?;
    let tagged = "/etag:\"a\"";
    let dated = "/date:Thu,_22_Oct_2020_16.51.12_GMT";
    for path in [tagged, dated] {
        running.get(path)?;
    }
    let status = |path: &str, condition: &str| {
        let response =
            running.ask(&format!("GET {path}"), &format!("Host: h\r\n{condition}\r\n"))?;
        assert!(is_hit(&response));
        let body = response.text();
        ensure!(body.is_empty() == (response.status() == 304), "{body}");
        Ok(response.status())
    };
    assert_eq!(status(tagged, "If-None-Match: \"a\"")?, 304);
    assert_eq!(status(tagged, "If-None-Match: W/\"a\"")?, 304);
    assert_eq!(status(tagged, "If-None-Match: \"x\", \"a\"")?, 304);
    assert_eq!(status(tagged, "If-None-Match: \"x\"")?, 200);
    assert_eq!(status(tagged, "If-None-Match: *")?, 304);
    let later = "If-Modified-Since: Thu, 22 Oct 2037 16:51:12 GMT";
    assert_eq!(status(dated, "If-Modified-Since: Thu, 22 Oct 2020 16:51:12 GMT")?, 200);
    assert_eq!(status(dated, later)?, 304);
    assert_eq!(status(tagged, &format!("If-None-Match: \"x\"\r\n{later}"))?, 200);
    let whole = running.ask(&format!("GET {tagged}"), "Host: h\r\nIf-None-Match: *\r\n")?;
    assert_eq!((whole.header("etag"), whole.header("content-length")), (Some("\"a\""), Some("10")));
    Ok(())
}

/// A server's answer to one request, then whether a second request is answered from the cache.
fn answered(answer: &str, close: bool) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
    let (server, log) = (Server::listen()?, Syslog::udp()?);
    let builder = proxy(CONFIG).name("s1", server.address()).name("log", log.address()?);
    let proxy = builder.start()?;
    let request = "GET /r HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let mut client = proxy.connect("fe")?;
    client.send(request)?;
    let mut link = server.accept()?;
    link.request()?;
    link.send(answer)?;
    if close {
        drop(link);
    }
    let first = client.read_to_end()?;
    let mut client = proxy.connect("fe")?;
    client.send(request)?;
    let second = client.read_for(Duration::from_millis(200))?.0;
    let hit = second.windows(8).any(|part| part == b"x-hit: 1");
    Ok((first, hit.then_some(second)))
}

#[test]
fn bodies_are_kept_however_their_end_is_told() -> Result<()> {
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                  5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trail: t\r\n\r\n";
    let (_, second) = answered(chunks, false)?;
    let second = String::from_utf8(second.context("a hit")?)?;
    let body = second.split_once("\r\n\r\n").context("a body")?.1;
    assert_eq!(body, "B\r\nhello world\r\n0\r\nx-trail: t\r\n\r\n");
    let (_, second) = answered("HTTP/1.1 200 OK\r\nX: y\r\n\r\nto the end", true)?;
    assert!(second.context("a hit")?.ends_with(b"\r\n\r\nto the end"));
    let (_, second) = answered("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", true)?;
    assert!(second.context("a hit")?.starts_with(b"HTTP/1.0 200 OK\r\n"));
    let (_, second) = answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false)?;
    assert!(second.context("a hit")?.ends_with(b"\r\n\r\n"));
    Ok(())
}

#[test]
fn what_breaks_off_is_never_stored() -> Result<()> {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trail: t\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ] {
        let (_, second) = answered(answer, true)?;
        assert!(second.is_none(), "{answer}");
    }
    Ok(())
}

#[test]
fn what_is_larger_than_an_object_may_be_is_passed_on_and_not_stored() -> Result<()> {
    for (length, stored) in [(3827, true), (3828, false), (100_000, false)] {
        let body = "x".repeat(length);
        let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        let (first, second) = answered(&whole, false)?;
        assert!(first.ends_with(body.as_bytes()));
        assert_eq!(second.is_some(), stored, "{length}");
        // HAProxy counts each piece of a body that comes in several.
        let chunks = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        );
        let (_, second) = answered(&chunks, false)?;
        assert_eq!(second.is_some(), stored && length < 3816, "{length} in chunks");
    }
    let end = "HTTP/1.1 200 OK\r\n\r\n".to_owned() + &"x".repeat(5_000);
    assert!(answered(&end, true)?.1.is_none());
    Ok(())
}

#[test]
fn rules_around_the_cache_are_run() -> Result<()> {
    let mut running = start(CONFIG)?;
    assert!(is_stored(&running, "/a")?);
    let refused = running.ask("GET /a", "Host: h\r\nX-Refuse: 1\r\n")?;
    assert_eq!(refused.status(), 403);
    let line = running.log.wait_for_line(" 403 ")?;
    assert!(line.contains("be/<CACHE> 0/-1/-1/-1/0 403 ") && line.contains(" PR-- "), "{line}");
    let mut client = running.proxy.connect("fe")?;
    for _ in 0..3 {
        let response = client.get("/a", "Content-Length: 3\r\n\r\nabc")?;
        assert!(is_hit(&response));
    }
    Ok(())
}

#[test]
fn a_frontend_answers_without_choosing_a_backend() -> Result<()> {
    let config = "frontend fe\n bind {fe}\n default_backend be\n\
         http-request cache-use stock\n http-response cache-store stock\n\
         http-response set-header x-hit %[res.cache_hit]\n\
         http-after-response set-header x-path %b/%s\n\
         http-response deny if { res.cache_hit } { var(txn.refuse) -m str 1 }\n\
         http-request set-var(txn.refuse) str(1) if { hdr(x-refuse) 1 }\n\
         backend be\n server s1 {s1}\n cache stock\n total-max-size 1\n";
    let web = web()?;
    let proxy = http_with_cli(config).name("s1", web.address()).start()?;
    let first = proxy.connect("fe")?.get("/a", "")?;
    assert_eq!(first.header("x-path"), Some("be/s1"));
    let second = proxy.connect("fe")?.get("/a", "")?;
    assert_eq!((second.header("x-hit"), second.header("x-path")), (Some("1"), Some("fe/<CACHE>")));
    assert_eq!(second.text(), first.text());
    let refused = proxy.connect("fe")?.get("/a", "X-Refuse: 1\r\n")?;
    assert_eq!(refused.status(), 502);
    let stats = proxy.stats()?;
    assert_eq!(stats.number("fe", "FRONTEND", "cache_hits")?, 2);
    assert_eq!(stats.number("fe", "FRONTEND", "cache_lookups")?, 3);
    assert_eq!(stats.number("fe", "FRONTEND", "intercepted")?, 2);
    assert_eq!(stats.number("be", "BACKEND", "stot")?, 1);
    Ok(())
}

#[test]
fn what_was_used_longest_ago_makes_room() -> Result<()> {
    let body = "x".repeat(100_000);
    let web = Web::answering(move |_| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    })?;
    let config = "listen fe\n bind {fe}\n http-request cache-use c\n http-response cache-store c\n\
         http-response set-header x-hit %[res.cache_hit]\n server s1 {s1}\n\
         cache c\n total-max-size 1\n max-object-size 200000\n";
    let proxy = http_with_cli(config).name("s1", web.address()).start()?;
    let hit = |path: &str| Ok::<_, anyhow::Error>(is_hit(&proxy.connect("fe")?.get(path, "")?));
    // Ten of them fit into a megabyte.
    for number in 0..10 {
        assert!(!hit(&format!("/{number}"))?);
    }
    assert!(hit("/0")?);
    assert!(!hit("/new")?);
    assert!(!hit("/1")?, "it was used longest ago");
    assert!(hit("/0")? && hit("/new")?);
    eventually("all is sent", || Ok(proxy.cli("show cache")?.contains("available blocks:1024")))?;
    let shown = proxy.cli("show cache")?;
    let blocks: Vec<u64> = shown
        .lines()
        .filter_map(|line| line.split_once('(')?.1.split_once(" blocks)")?.0.parse().ok())
        .collect();
    assert_eq!((blocks.len(), blocks.iter().all(|b| *b == 98)), (10, true), "{shown}");
    Ok(())
}

#[test]
fn entries_expire() -> Result<()> {
    let running = start(&CONFIG.replace("max-age 240", "max-age 1"))?;
    assert!(is_stored(&running, "/a")?);
    eventually("it has expired", || Ok(!is_hit(&running.get("/a")?)))?;
    assert!(!is_stored(&running, "/cache-control:max-age=0;expires:0")?);
    let never = start(&CONFIG.replace("max-age 240", "max-age 0"))?;
    assert!(!is_stored(&never, "/a")?);
    assert!(!is_stored(&never, "/cache-control:max-age=9")?);
    Ok(())
}

#[test]
fn a_slow_reader_gets_what_it_was_promised() -> Result<()> {
    // More than the kernel takes off the proxy's hands.
    let size = 32 << 20;
    let web = Web::answering(move |request| {
        let fill = request.target().as_bytes().get(1).copied().unwrap_or(b'?');
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
        [head.into_bytes(), vec![fill; size]].concat()
    })?;
    let config = "listen fe\n bind {fe}\n http-request cache-use c\n http-response cache-store c\n\
         http-response set-header x-hit %[res.cache_hit]\n server s1 {s1}\n\
         cache c\n total-max-size 80\n max-object-size 40000000\n";
    let proxy = http_with_cli(config).name("s1", web.address()).start()?;
    proxy.connect("fe")?.get("/a", "")?;
    let mut slow = proxy.connect("fe")?;
    slow.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")?;
    assert!(is_hit(&slow.head()?));
    eventually("it is being sent", || Ok(proxy.cli("show cache")?.contains("refcount:1")))?;
    // Others take its place meanwhile, as far as there is any.
    for path in ["/b", "/c", "/d"] {
        let other = proxy.connect("fe")?.get(path, "")?;
        assert!(other.body.iter().all(|byte| *byte == path.as_bytes()[1]), "{path}");
    }
    let body = slow.read_exactly(size)?;
    assert!(body.iter().all(|byte| *byte == b'a'));
    eventually("nothing is in use", || {
        Ok(proxy.cli("show cache")?.contains("available blocks:81920"))
    })
}

#[test]
fn a_reader_has_its_time_for_each_piece() -> Result<()> {
    let size = 20 << 20;
    let web = Web::answering(move |_| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; size]].concat()
    })?;
    let config = "listen fe\n bind {fe}\n timeout client 500ms\n\
         http-request cache-use c\n http-response cache-store c\n\
         http-response set-header x-hit %[res.cache_hit]\n server s1 {s1}\n\
         cache c\n total-max-size 60\n max-object-size 25000000\n";
    let proxy = http_with_cli(config).name("s1", web.address()).start()?;
    proxy.connect("fe")?.get("/a", "")?;
    let mut slow = proxy.connect("fe")?;
    slow.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")?;
    assert!(is_hit(&slow.head()?));
    for _ in 0..20 {
        // Slower than the time-out in all, never for one piece.
        std::thread::sleep(Duration::from_millis(60));
        slow.read_exactly(1 << 20)?;
    }
    Ok(())
}

#[test]
fn a_reload_keeps_what_is_stored() -> Result<()> {
    if testing_reference() {
        // It starts another process.
        return Ok(());
    }
    let running = start(CONFIG)?;
    let stored = running.get("/a")?.text();
    let reload = |times: usize| {
        running.proxy.signal(Signal::SIGHUP)?;
        let patience = haproxy_compat::harness::PATIENCE;
        running.proxy.output().wait_for_nth_line("Configuration reloaded in place", times, patience)
    };
    running.proxy.rewrite_config(&CONFIG.replace("x-cache", "x-name"))?;
    reload(1)?;
    let kept = running.get("/a")?;
    assert_eq!((kept.text(), kept.header("x-name")), (stored, Some("stock")));
    running.proxy.rewrite_config(&CONFIG.replace("max-age 240", "max-age 241"))?;
    reload(2)?;
    assert!(!is_hit(&running.get("/a")?), "its settings have changed");
    Ok(())
}
