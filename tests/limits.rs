//! Limits (manual 3.2 `tune.bufsize`, `tune.http.maxhdr`, `maxconn`; 5.2 `maxconn`; `ulimit -n`).

use std::time::Duration;

use anyhow::Result;
use haproxy_compat::harness::{Connection, Proxy, Server, Web, eventually};

use crate::{CLI, HTTP, http_with_cli, proxy};

const MAIN: &str = "listen main
    bind {fe}
    server s1 {s1}
";

fn before_web(global: &str) -> Result<(Proxy, Web)> {
    let web = Web::start("v1")?;
    let config = format!("global\n{global}{HTTP}{MAIN}");
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    Ok((proxy, web))
}

/// A request whose head has this many bytes.
fn request_of(bytes: usize) -> String {
    let frame = "GET / HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n";
    format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "a".repeat(bytes - frame.len()))
}

#[test]
fn a_head_that_fits_the_buffer_passes_and_a_larger_one_is_a_400() -> Result<()> {
    let (proxy, _web) = before_web("")?;
    let mut client = proxy.connect("fe")?;
    client.send(request_of(15_000))?;
    assert_eq!(client.response()?.status(), 200);
    client.send(request_of(17_000))?;
    assert_eq!(client.response()?.status(), 400);
    Ok(())
}

#[test]
fn bufsize_moves_the_limit() -> Result<()> {
    let (proxy, _web) = before_web("    tune.bufsize 8192\n    tune.maxrewrite 1024\n")?;
    let mut client = proxy.connect("fe")?;
    client.send(request_of(6_500))?;
    assert_eq!(client.response()?.status(), 200);
    client.send(request_of(9_000))?;
    assert_eq!(client.response()?.status(), 400);
    Ok(())
}

#[test]
fn too_many_headers_are_a_400() -> Result<()> {
    let (proxy, _web) = before_web("    tune.http.maxhdr 20\n")?;
    let request = |count: usize| {
        let headers: String = (0..count).map(|n| format!("X-{n}: y\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n")
    };
    let mut client = proxy.connect("fe")?;
    client.send(request(15))?;
    assert_eq!(client.response()?.status(), 200);
    client.send(request(25))?;
    assert_eq!(client.response()?.status(), 400);
    Ok(())
}

#[test]
fn an_answer_with_too_large_a_head_is_a_502() -> Result<()> {
    let (proxy, web) = before_web("")?;
    web.answer_with(|_| {
        let long = "a".repeat(20_000);
        format!("HTTP/1.1 200 OK\r\nX: {long}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    });
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 502);
    Ok(())
}

#[test]
fn a_servers_maxconn_queues_in_order() -> Result<()> {
    let server = Server::listen()?;
    let config = "listen main\n bind {fe}\n server s1 {s1} maxconn 1\n";
    let proxy = http_with_cli(config).name("s1", server.address()).start()?;
    let mut clients = Vec::new();
    for n in 0..4 {
        let mut client = proxy.connect("fe")?;
        client.send(format!("GET /{n} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))?;
        clients.push(client);
        // The order of the queue is the order of arrival, so each waits until the last has its place.
        let queued = n.to_string();
        proxy.wait_for_stat("main", "BACKEND", "qcur", &queued)?;
    }
    for (n, mut client) in clients.into_iter().enumerate() {
        let mut backend = server.accept()?;
        assert_eq!(backend.request()?.target(), format!("/{n}"));
        server.expect_no_connection(Duration::from_millis(50))?;
        backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")?;
        assert_eq!(client.response()?.text(), "ok");
    }
    assert_eq!(proxy.stats()?.get("main", "BACKEND", "qmax")?, "3");
    Ok(())
}

#[test]
fn a_client_that_leaves_the_queue_frees_its_place() -> Result<()> {
    let server = Server::listen()?;
    let config = "listen main\n bind {fe}\n timeout queue 400ms\n server s1 {s1} maxconn 1\n";
    let proxy = http_with_cli(config).name("s1", server.address()).start()?;
    let ask = |path: &str| -> Result<Connection> {
        let mut client = proxy.connect("fe")?;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))?;
        Ok(client)
    };
    let mut served = ask("/0")?;
    let mut backend = server.accept()?;
    assert_eq!(backend.request()?.target(), "/0");
    let mut leaves = ask("/1")?;
    proxy.wait_for_stat("main", "BACKEND", "qcur", "1")?;
    assert_eq!(leaves.response()?.status(), 503);
    proxy.wait_for_stat("main", "BACKEND", "qcur", "0")?;
    let mut stays = ask("/2")?;
    proxy.wait_for_stat("main", "BACKEND", "qcur", "1")?;
    for (client, last) in [(&mut served, false), (&mut stays, true)] {
        backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")?;
        assert_eq!(client.response()?.text(), "ok");
        if !last {
            backend = server.accept()?;
            assert_eq!(backend.request()?.target(), "/2");
        }
    }
    proxy.wait_for_stat("main", "BACKEND", "qcur", "0")?;
    server.expect_no_connection(Duration::from_millis(50))
}

#[test]
fn memory_does_not_grow_with_the_limit_of_open_files() -> Result<()> {
    let mut resident = Vec::new();
    for limit in [1_024, most_open_files()] {
        let config =
            format!("{CLI}    maxconn 100\n    nbthread 1\n{HTTP}listen main\n bind {{fe}}\n");
        let proxy = proxy(&config).open_files(limit).start()?;
        assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
        resident.push(proxy.usage()?.resident_kb);
    }
    assert!(resident[1] < resident[0] + 4_096, "{resident:?} kB");
    Ok(())
}

/// What Docker gives, if the kernel allows it; else the most that this process may have.
fn most_open_files() -> u64 {
    const DOCKERS: u64 = 1_073_741_816;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(4)?.parse().ok());
    hard.unwrap_or(1_024).min(DOCKERS)
}

#[test]
fn a_connection_at_rest_costs_little() -> Result<()> {
    let (proxy, _web) = before_web("    maxconn 3000\n    nbthread 1\n")?;
    for _ in 0..50 {
        proxy.connect("fe")?.get("/", "")?;
    }
    let before = proxy.usage()?.resident_kb;
    let mut clients = Vec::new();
    for _ in 0..1000 {
        let mut client = proxy.connect("fe")?;
        client.get("/", "")?;
        clients.push(client);
    }
    // About one is needed; benches/compare measures it.
    eventually("memory settles", || Ok(proxy.usage()?.resident_kb < before + 1000 * 2))
}
