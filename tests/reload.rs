//! Reloads lose nothing (DESIGN section 4): under load, with slow transfers, with mistakes.

use crate::process::FORWARDING;
use crate::{proxy, testing_reference};
use anyhow::{Context, Result};
use haproxy_compat::harness::{Builder, Connection, Port, Proxy, Server, Signal, Web};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

fn forwarding(web: &Web, config: &str, args: &[&str]) -> Builder {
    proxy(config).name("s1", web.address()).args(args)
}

/// Reloads once and waits until the new configuration runs.
fn reload(proxy: &Proxy, times_before: usize) -> Result<()> {
    proxy.signal(Signal::SIGHUP)?;
    let patience = haproxy_compat::harness::PATIENCE;
    let line = "Configuration reloaded in place";
    proxy.output().wait_for_nth_line(line, times_before + 1, patience)?;
    Ok(())
}

/// The configuration with another answer, to see which one is running.
fn answering(text: &str) -> String {
    format!(
        "{FORWARDING}frontend which\n    mode http\n    bind {{which}}\n    default_backend {text}\nbackend one\n    mode http\n    timeout connect 1s\n    timeout server 1s\n    server s {{s1}}\nbackend two\n    mode http\n    timeout connect 1s\n    timeout server 1s\n    server s {{s2}}\n"
    )
}

fn which(proxy: &Proxy) -> Result<String> {
    Ok(proxy.connect("which")?.get("/", "")?.text())
}

#[test]
fn the_new_configuration_answers_in_the_same_process() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let (one, two) = (Web::start("one")?, Web::start("two")?);
    for mode in [&["-db"][..], &["-W", "-db"]] {
        let proxy = forwarding(&one, &answering("one"), mode).name("s2", two.address()).start()?;
        let workers = proxy.workers();
        assert_eq!(which(&proxy)?, "one");
        proxy.rewrite_config(&answering("two"))?;
        reload(&proxy, 0)?;
        assert_eq!(which(&proxy)?, "two");
        assert_eq!(proxy.workers(), workers);
        proxy.rewrite_config(&answering("one"))?;
        proxy.signal(Signal::SIGUSR2)?;
        proxy.output().wait_for_nth_line(
            "reloaded in place",
            2,
            haproxy_compat::harness::PATIENCE,
        )?;
        assert_eq!(which(&proxy)?, "one");
    }
    Ok(())
}

#[test]
fn a_kept_alive_connection_sees_the_new_configuration() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let (one, two) = (Web::start("one")?, Web::start("two")?);
    let start = forwarding(&one, &answering("one"), &["-W", "-db"]).name("s2", two.address());
    let proxy = start.start()?;
    let mut client = proxy.connect("which")?;
    assert_eq!(client.get("/", "")?.text(), "one");
    proxy.rewrite_config(&answering("two"))?;
    reload(&proxy, 0)?;
    assert_eq!(client.get("/", "")?.text(), "two");
    Ok(())
}

#[test]
fn a_mistake_changes_nothing() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let web = Web::start("s1")?;
    for mode in [&["-db"][..], &["-W", "-db"]] {
        let proxy = forwarding(&web, FORWARDING, mode).start()?;
        let workers = proxy.workers();
        let mut client = proxy.connect("fe")?;
        assert_eq!(client.get("/", "")?.status(), 200);
        proxy.rewrite_config(&format!("{FORWARDING}    nonsense\n"))?;
        proxy.signal(Signal::SIGHUP)?;
        proxy.wait_for_line("unknown keyword 'nonsense' in 'backend' section")?;
        proxy.wait_for_line("Reload refused")?;
        assert_eq!(client.get("/", "")?.status(), 200);
        assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
        assert_eq!(proxy.workers(), workers);
        proxy.rewrite_config(FORWARDING)?;
        reload(&proxy, 0)?;
        assert_eq!(client.get("/", "")?.status(), 200);
    }
    Ok(())
}

#[test]
fn an_address_that_cannot_be_bound_changes_nothing() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let port = Port::reserve()?;
    let address = port.address();
    let taken = std::net::TcpListener::bind(address)?;
    let web = Web::start("s1")?;
    let proxy = forwarding(&web, FORWARDING, &["-W", "-db"]).start()?;
    let more = format!("{FORWARDING}frontend more\n    bind {address}\n    default_backend be\n");
    proxy.rewrite_config(&more)?;
    proxy.signal(Signal::SIGHUP)?;
    proxy.wait_for_line("Starting frontend more: cannot bind socket (Address already in use)")?;
    proxy.wait_for_line("Reload refused")?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
    drop(taken);
    reload(&proxy, 0)?;
    assert_eq!(Connection::to(address)?.get("/", "")?.status(), 200);
    Ok(())
}

#[test]
fn a_removed_listener_is_closed() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let more = format!("{FORWARDING}frontend more\n    bind {{more}}\n    default_backend be\n");
    let proxy = forwarding(&web, &more, &["-W", "-db"]).start()?;
    assert_eq!(proxy.connect("more")?.get("/", "")?.status(), 200);
    proxy.rewrite_config(FORWARDING)?;
    reload(&proxy, 0)?;
    haproxy_compat::harness::eventually("nobody listens there any more", || {
        Ok(std::net::TcpStream::connect(proxy.address("more")?).is_err())
    })?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
    Ok(())
}

#[test]
fn what_a_worker_cannot_change_gets_a_new_worker() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let threads = |n: u32| format!("global\n    nbthread {n}\n{FORWARDING}");
    let proxy = forwarding(&web, &threads(1), &["-W", "-db"]).start()?;
    let old = proxy.workers()[0];
    proxy.rewrite_config(&threads(2))?;
    proxy.signal(Signal::SIGHUP)?;
    proxy.wait_for_line(&format!("Former worker #1 ({old}) exited with code 0 (Exit)"))?;
    assert_eq!(proxy.workers().len(), 1);
    assert_ne!(proxy.workers()[0], old);
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
    proxy.signal(Signal::SIGTERM)?;
    assert_eq!(proxy.wait_for_exit()?.code(), Some(0));
    Ok(())
}

/// What the clients of a test with reloads have seen.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    answered: AtomicU32,
}

impl Load {
    /// Asks until told to stop: on one connection, or on a new one each time.
    fn run(&self, proxy: &Proxy, keep_alive: bool) -> Result<()> {
        let mut kept = proxy.connect("fe")?;
        while !self.stop.load(Ordering::Relaxed) {
            let answered = self.answered.load(Ordering::Relaxed);
            let ask = |client: &mut Connection| client.get("/", "");
            let answer = match keep_alive {
                true => ask(&mut kept),
                false => ask(&mut proxy.connect("fe")?),
            };
            let answer = answer.with_context(|| format!("after {answered} answers"))?;
            anyhow::ensure!(answer.status() == 200, "{}", answer.text());
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[test]
fn reloads_under_load_fail_no_request() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let proxy = forwarding(&web, FORWARDING, &["-W", "-db"]).start()?;
    let workers = proxy.workers();
    let load = Load::default();
    std::thread::scope(|scope| -> Result<()> {
        let clients: Vec<_> = [true, false, false, true]
            .map(|keep_alive| {
                scope.spawn({
                    let (load, proxy) = (&load, &proxy);
                    move || load.run(proxy, keep_alive)
                })
            })
            .into();
        let mut reloaded = Ok(());
        for times in 0..20 {
            let before = load.answered.load(Ordering::Relaxed);
            reloaded = reload(&proxy, times);
            if reloaded.is_err() {
                break;
            }
            // Requests between one reload and the next.
            haproxy_compat::harness::eventually("requests go on", || {
                Ok(load.answered.load(Ordering::Relaxed) > before + 20
                    || clients.iter().any(|client| client.is_finished()))
            })?;
        }
        load.stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        reloaded
    })?;
    assert_eq!(proxy.workers(), workers, "one worker all the time");
    assert!(load.answered.load(Ordering::Relaxed) >= 400);
    Ok(())
}

#[test]
fn slow_transfers_live_through_reloads() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let server = Server::listen()?;
    let tunnel = format!(
        "{FORWARDING}listen tunnel\n    mode tcp\n    bind {{tunnel}}\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n    server t {{s1}}\n"
    );
    let proxy = proxy(&tunnel).name("s1", server.address()).args(&["-W", "-db"]).start()?;
    let mut download = proxy.connect("fe")?;
    download.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut sending = server.accept()?;
    sending.request()?;
    sending.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\na")?;
    download.head()?;
    download.expect("a")?;
    let mut upload = proxy.connect("fe")?;
    upload.send("POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n1")?;
    let mut receiving = server.accept()?;
    receiving.head()?;
    receiving.expect("1")?;
    let mut client = proxy.connect("tunnel")?;
    client.send("hello")?;
    let mut far = server.accept()?;
    far.expect("hello")?;
    for times in 0..5 {
        reload(&proxy, times)?;
        let byte = [b'b' + times as u8];
        sending.send(byte)?;
        download.expect(byte)?;
        upload.send(byte)?;
        receiving.expect(byte)?;
        far.send(byte)?;
        client.expect(byte)?;
    }
    receiving.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    assert_eq!(upload.response()?.status(), 200);
    Ok(())
}

#[test]
fn a_connection_that_waits_in_the_backlog_is_served() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let proxy = forwarding(&web, FORWARDING, &["-W", "-db"]).start()?;
    proxy.signal(Signal::SIGTTOU)?;
    proxy.wait_for_line("Paused frontend fe.")?;
    let (sender, answers) = mpsc::channel();
    std::thread::scope(|scope| -> Result<()> {
        for _ in 0..8 {
            let (sender, mut client) = (sender.clone(), proxy.connect("fe")?);
            scope.spawn(move || sender.send(client.get("/", "").map(|answer| answer.status())));
        }
        reload(&proxy, 0)?;
        proxy.signal(Signal::SIGTTIN)?;
        for _ in 0..8 {
            assert_eq!(answers.recv_timeout(Duration::from_secs(10))??, 200);
        }
        Ok(())
    })
}

#[test]
fn what_is_known_is_kept() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let (web, gone) = (Web::start("s1")?, Server::listen()?);
    let down = gone.address();
    drop(gone);
    let config = "
global
    stats socket {cli} mode 600 level admin
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend fe
    bind {fe}
    http-request track-sc0 src table seen
    default_backend be
backend be
    balance roundrobin
    server up {s1} check inter 100ms weight 10
    server down {down} check inter 100ms fall 1
    server drained {s1} weight 20
    server lighter {s1} weight 20
backend seen
    stick-table type ip size 100 expire 10m store http_req_cnt
";
    let start = forwarding(&web, config, &["-W", "-db"]).name("down", down);
    let proxy = start.start()?;
    proxy.wait_for_stat("be", "down", "status", "DOWN")?;
    proxy.cli("set server be/drained state drain")?;
    proxy.cli("set server be/lighter weight 5")?;
    for _ in 0..5 {
        assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
    }
    let known = |proxy: &Proxy| -> Result<Vec<String>> {
        let stats = proxy.stats()?;
        let wanted = [
            ("fe", "FRONTEND", "req_tot"),
            ("be", "BACKEND", "stot"),
            ("be", "up", "stot"),
            ("be", "up", "status"),
            ("be", "down", "status"),
            ("be", "down", "chkdown"),
            ("be", "drained", "status"),
            ("be", "lighter", "weight"),
        ];
        let mut known = Vec::new();
        for (proxy, name, column) in wanted {
            known.push(format!("{proxy}/{name} {column} {}", stats.get(proxy, name, column)?));
        }
        let table = proxy.cli("show table seen")?;
        known.push(table.split("http_req_cnt=").nth(1).unwrap_or("no entry").trim().to_owned());
        Ok(known)
    };
    let before = known(&proxy)?;
    assert!(before.contains(&"fe/FRONTEND req_tot 5".to_owned()), "{before:?}");
    assert!(before.contains(&"be/down status DOWN".to_owned()), "{before:?}");
    assert_eq!(before.last().map(String::as_str), Some("5"), "{before:?}");
    // Another line changes, so that this is another configuration.
    proxy.rewrite_config(&config.replace("timeout connect 5s", "timeout connect 4s"))?;
    for times in 0..3 {
        reload(&proxy, times)?;
        assert_eq!(known(&proxy)?, before);
    }
    for _ in 0..4 {
        assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200, "none goes to the dead one");
    }
    // A server whose own line is another one begins anew.
    proxy.rewrite_config(&config.replace("lighter {s1} weight 20", "lighter {s1} weight 21"))?;
    reload(&proxy, 3)?;
    proxy.wait_for_stat("be", "lighter", "weight", "21")
}

#[test]
fn memory_does_not_grow_with_reloads() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let proxy = forwarding(&web, FORWARDING, &["-W", "-db"]).start()?;
    let resident = |pid: i32| -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    let after = |times: std::ops::Range<usize>| -> Result<[u64; 2]> {
        for time in times {
            reload(&proxy, time)?;
            assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
        }
        Ok([resident(proxy.pid())?, resident(proxy.workers()[0])?])
    };
    let early = after(0..10)?;
    let late = after(10..110)?;
    for (early, late) in early.into_iter().zip(late) {
        assert!(late <= early + early / 10, "{early} kB after 10 reloads, {late} after 110");
    }
    Ok(())
}
