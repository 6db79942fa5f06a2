//! Reloads under load, ours and the reference's in the same run: 20 in ten seconds, `-W`, the same
//! configuration and the same clients. Measured is the time from the signal to the first answer of the new
//! configuration. The reference may lose requests meanwhile; ours may not.

// A test may stop at the first surprise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use haproxy_compat::binaries::{ours, reference};
use haproxy_compat::harness::{PATIENCE, Proxy, Signal, Web};

const RELOADS: usize = 20;
const BETWEEN: Duration = Duration::from_millis(500);

/// `{generation}` tells the configurations apart.
fn config(generation: usize) -> String {
    let backends = (0..20).map(|n| {
        format!("backend be{n}\n    option httpchk\n    server s1 {{s1}} check\n    server s2 {{s1}} check weight 5\n")
    });
    format!(
        "global
    nbthread 1
    maxconn 1000
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend fe
    bind {{fe}}
    http-request return status 200 content-type text/plain string g{generation}. if {{ path /generation }}
    default_backend be0
{}",
        backends.collect::<String>()
    )
}

#[derive(Default)]
struct Load {
    over: AtomicBool,
    answered: AtomicUsize,
    failed: AtomicUsize,
}

impl Load {
    /// Asks until it is over, on one connection or on a new one each time.
    fn run(&self, proxy: &Proxy, keep_alive: bool) {
        let mut kept = None;
        while !self.over.load(Relaxed) {
            let mut asked = || -> Result<_> {
                let mut client = match kept.take() {
                    Some(client) => client,
                    None => proxy.connect("fe")?,
                };
                let answer = client.get("/", "")?;
                ensure!(answer.status() == 200);
                Ok(client)
            };
            match asked() {
                Ok(client) => {
                    kept = keep_alive.then_some(client);
                    self.answered.fetch_add(1, Relaxed);
                }
                Err(_) => _ = self.failed.fetch_add(1, Relaxed),
            }
        }
    }
}

/// What one binary did.
struct Measured {
    /// From signal to first new answer, shortest first.
    waits: Vec<Duration>,
    answered_a_second: f64,
    failed: usize,
}

impl Measured {
    fn median(&self) -> Duration {
        self.waits[self.waits.len() / 2]
    }
}

/// Reloads, and waits for the first answer of the new configuration.
fn reload(proxy: &Proxy, generation: usize) -> Result<Duration> {
    proxy.rewrite_config(&config(generation))?;
    let wanted = format!("g{generation}.");
    let start = Instant::now();
    proxy.signal(Signal::SIGUSR2)?;
    while start.elapsed() < PATIENCE {
        let asked = proxy.connect("fe").and_then(|mut client| client.get("/generation", ""));
        if asked.is_ok_and(|answer| answer.text() == wanted) {
            return Ok(start.elapsed());
        }
    }
    anyhow::bail!("generation {generation} never answered")
}

fn measure(binary: &Path) -> Result<Measured> {
    let web = Web::start("s1")?;
    let start = Proxy::config(&config(0)).binary(binary).name("s1", web.address());
    let proxy = start.args(&["-W", "-db"]).quiet().start()?;
    let load = Load::default();
    let begin = Instant::now();
    let mut waits = std::thread::scope(|scope| -> Result<Vec<Duration>> {
        for keep_alive in [false, false, true] {
            let (load, proxy) = (&load, &proxy);
            scope.spawn(move || load.run(proxy, keep_alive));
        }
        let waits = (1..=RELOADS).map(|generation| {
            let next = begin + BETWEEN * generation as u32;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            reload(&proxy, generation)
        });
        let waits = waits.collect();
        load.over.store(true, Relaxed);
        waits
    })?;
    waits.sort_unstable();
    let answered_a_second = load.answered.load(Relaxed) as f64 / begin.elapsed().as_secs_f64();
    Ok(Measured { waits, answered_a_second, failed: load.failed.load(Relaxed) })
}

#[test]
fn the_new_configuration_answers_no_later_and_no_request_fails() -> Result<()> {
    let theirs = measure(&reference()?)?;
    let own = measure(&ours()?)?;
    for (name, measured) in [("reference", &theirs), ("ours", &own)] {
        println!(
            "{name}: {RELOADS} reloads, new answer after {:?} (median), {:?} at most; {:.0} requests/s, {} failed",
            measured.median(),
            measured.waits[RELOADS - 1],
            measured.answered_a_second,
            measured.failed,
        );
    }
    ensure!(own.failed == 0, "{} requests failed", own.failed);
    let (own, theirs) = (own.median(), theirs.median());
    ensure!(own <= theirs, "ours answers after {own:?}, the reference after {theirs:?}");
    Ok(())
}
