//! Clients that mean harm (RFC 9112 11): each costs its own connection only, and nothing ambiguous passes.

use std::time::Duration;

use anyhow::Result;
use haproxy_compat::harness::{Ending, Proxy, Server, Web};

use crate::{GET, OK, http, testing_reference};

const MAIN: &str = "    timeout http-request 2s
listen main
    bind {fe}
    server s1 {s1}
";

fn before_web() -> Result<(Proxy, Web)> {
    let web = Web::start("v1")?;
    let proxy = http(MAIN).name("s1", web.address()).start()?;
    Ok((proxy, web))
}

/// The status that `request` gets, or 0 if the connection just ends.
fn status_of(proxy: &Proxy, request: &[u8]) -> Result<u16> {
    let mut client = proxy.connect("fe")?;
    client.send(request)?;
    client.half_close()?;
    let (bytes, _) = client.drain()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0))
}

#[test]
fn malformed_requests_are_a_400_and_reach_no_server() -> Result<()> {
    let (proxy, web) = before_web()?;
    let requests: &[&[u8]] = &[
        b"garbage\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        b"GET HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1x\r\nHost: h\r\n\r\n",
        b"GET / HTTQ/1.1\r\nHost: h\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x10\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nA\x00B: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nHost: other\r\n\r\n",
        b"GET http://h/ HTTP/1.1\r\nHost: other\r\n\r\n",
    ];
    for request in requests {
        let shown = String::from_utf8_lossy(request);
        assert_eq!(status_of(&proxy, request)?, 400, "{shown:?}");
    }
    assert_eq!(web.requests().len(), 0);
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "v1");
    Ok(())
}

#[test]
fn what_2_3_0_lets_through_is_refused() -> Result<()> {
    if testing_reference() {
        println!("not run: HAProxy 2.3.0 forwards these");
        return Ok(());
    }
    let (proxy, web) = before_web()?;
    let requests: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: h\r\n: empty name\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ];
    for request in requests {
        let shown = String::from_utf8_lossy(request);
        let status = status_of(&proxy, request)?;
        assert!([400, 422, 501].contains(&status), "{shown:?}: {status}");
    }
    assert_eq!(web.requests().len(), 0);
    Ok(())
}

#[test]
fn a_bad_chunk_ends_the_exchange() -> Result<()> {
    let (proxy, _web) = before_web()?;
    for body in ["xyz\r\n", "3\r\nabcd\r\n0\r\n\r\n", "-1\r\n\r\n", "100000000000000000\r\n"] {
        let request =
            format!("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let status = status_of(&proxy, request.as_bytes())?;
        assert!([400, 0].contains(&status), "{body:?}: {status}");
    }
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "v1");
    Ok(())
}

#[test]
fn length_and_chunked_together_are_not_two_requests() -> Result<()> {
    let (proxy, web) = before_web()?;
    let smuggled =
        b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
                     1c\r\nGET /smuggled HTTP/1.1\r\nX: y\r\n0\r\n\r\n";
    status_of(&proxy, smuggled)?;
    for request in web.requests() {
        assert_eq!(request.target(), "/a");
        assert_eq!(request.header("content-length"), None, "both lengths were passed on");
    }
    Ok(())
}

#[test]
fn endless_headers_end_in_a_400() -> Result<()> {
    let (proxy, _web) = before_web()?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HTTP/1.1\r\n")?;
    let line = format!("X: {}\r\n", "a".repeat(998));
    let mut sent = 0;
    loop {
        // An error here is the proxy having closed, which the answer below must explain.
        if client.send(&line).is_err() || sent > 1_000 {
            break;
        }
        sent += 1;
        let (bytes, ending) = client.read_for(Duration::from_millis(2))?;
        if !bytes.is_empty() || ending.is_some() {
            assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 400 "));
            break;
        }
    }
    assert!(sent < 100, "the proxy read {sent} kB of headers");
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "v1");
    Ok(())
}

#[test]
fn slow_clients_do_not_keep_others_waiting() -> Result<()> {
    let (proxy, _web) = before_web()?;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut client = proxy.connect("fe")?;
        client.send("GET / HTTP/1.1\r\nX: ")?;
        slow.push(client);
    }
    for _ in 0..20 {
        assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "v1");
    }
    for mut client in slow {
        assert_eq!(client.response()?.status(), 408);
    }
    Ok(())
}

#[test]
fn resets_in_every_state_harm_nobody() -> Result<()> {
    let server = Server::listen()?;
    let proxy = http(MAIN).name("s1", server.address()).start()?;
    // Before anything, within the head, within the body, while the server thinks, within the answer.
    proxy.connect("fe")?.reset()?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HT")?;
    client.reset()?;
    let mut client = proxy.connect("fe")?;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n123")?;
    let mut backend = server.accept()?;
    backend.head()?;
    client.reset()?;
    backend.drain()?;
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    client.reset()?;
    let _ = backend.send(OK);
    drop(backend);
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123")?;
    client.head()?;
    client.reset()?;
    let _ = backend.send("456");
    backend.drain()?;
    // A server's reset, in its answer and before it.
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123"] {
        let mut client = proxy.connect("fe")?;
        client.send(GET)?;
        let mut backend = server.accept()?;
        backend.request()?;
        backend.send(answer)?;
        if !answer.is_empty() {
            client.head()?;
        }
        backend.reset()?;
        client.read_for(Duration::from_millis(500))?;
    }
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send(OK)?;
    assert_eq!(client.response()?.text(), "ok");
    assert!(proxy.is_running());
    Ok(())
}

#[test]
fn random_bytes_harm_nobody() -> Result<()> {
    let (proxy, _web) = before_web()?;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        // xorshift: the same bytes in every run.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..100 {
        let length = (next() % 400) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| next() as u8).collect();
        bytes.extend_from_slice(b"\r\n\r\n");
        let mut client = proxy.connect("fe")?;
        client.send(&bytes)?;
        let _ = client.half_close();
        let (_, ending) = client.drain()?;
        assert!(matches!(ending, Ending::Closed | Ending::Reset));
    }
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "v1");
    Ok(())
}

#[test]
fn malformed_answers_are_a_502() -> Result<()> {
    let server = Server::listen()?;
    let proxy = http(MAIN).name("s1", server.address()).start()?;
    let answers: &[&[u8]] = &[
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nA\x00B: c\r\n\r\n",
    ];
    for answer in answers {
        let mut client = proxy.connect("fe")?;
        client.send(GET)?;
        let mut backend = server.accept()?;
        backend.request()?;
        backend.send(answer)?;
        let shown = String::from_utf8_lossy(answer);
        assert_eq!(client.response()?.status(), 502, "{shown:?}");
    }
    Ok(())
}
