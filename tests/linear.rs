//! Reading a configuration takes time in proportion to its size: eight times as much of each shape must
//! not take much more than eight times the CPU time.

use std::io::Write;
use std::time::Duration;

use haproxy::config::compile::Purpose;
use haproxy::config::load;
use haproxy::config::outside::{RealOutside, Sockets};
use nix::time::{ClockId, clock_gettime};

/// How much larger the large configuration is.
const FACTOR: usize = 8;
/// Quadratic work would take 64 times as long; what grows with a logarithm, or misses caches, some more than 8.
const MOST: f64 = 24.0;

fn cpu_time() -> Duration {
    Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap())
}

/// CPU time of one load, the least of three, and the number of refusals.
fn load_time(text: &str, name: &str) -> (Duration, usize) {
    let path = std::env::temp_dir().join(format!("linear-{}-{name}.cfg", std::process::id()));
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    let once = || {
        let mut outside = RealOutside::new(Sockets::default());
        let start = cpu_time();
        let loaded = load(
            std::slice::from_ref(&path),
            &mut outside,
            None,
            Purpose { bind: false, cpus: 1, tolerates_names: false },
        );
        (cpu_time() - start, loaded.diagnostics.refusals())
    };
    let best = (0..3).map(|_| once()).min().unwrap();
    std::fs::remove_file(path).unwrap();
    best
}

/// Compares `count` with eight times `count` of a shape.
fn judge(name: &str, count: usize, shape: impl Fn(usize) -> String) {
    let (small, refused) = load_time(&shape(count), name);
    assert!(refused == 0 || name.starts_with("mistakes"), "{name} is refused");
    let (large, _) = load_time(&shape(count * FACTOR), name);
    let ratio = large.as_secs_f64() / small.as_secs_f64().max(1e-4);
    assert!(ratio < MOST, "{name}: {count} took {small:?}, {FACTOR} times as many {large:?}");
}

/// `head`, and a line for each number.
fn lines(head: &str, count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(head.to_owned(), |text, n| text + &line(n) + "\n")
}

const FRONTEND: &str = "frontend f\n mode http\n bind 127.0.0.1:1\n timeout client 1s\n";
const BACKEND: &str = "backend b\n timeout server 1s\n timeout connect 1s\n";

#[test]
fn proxies_and_servers() {
    judge("backends", 500, |n| {
        lines("", n, |i| {
            format!("backend b{i}\n stick-table type ip size 10\n server s 127.0.0.1:1 check\n")
        })
    });
    judge("servers", 500, |n| {
        lines(BACKEND, n, |i| format!(" server s{i} 127.0.0.1:1 id {}", i + 1))
    });
    judge("tracks", 500, |n| {
        lines(&format!("{BACKEND} server s 127.0.0.1:1 check\n"), n, |i| {
            format!(" server s{i} 127.0.0.1:1 track s")
        })
    });
    judge("use_backend", 300, |n| {
        lines(FRONTEND, n, |i| format!(" use_backend b{i} if {{ path /{i} }}"))
            + &lines("", n, |i| format!("backend b{i}\n mode http"))
    });
    judge("use-server", 300, |n| {
        lines(BACKEND, n, |i| {
            format!(" server s{i} 127.0.0.1:1\n use-server s{i} if {{ src 127.0.0.1 }}")
        })
    });
    judge("binds", 500, |n| {
        lines(FRONTEND, n, |i| format!(" bind 127.0.0.1:{} id {}", i % 60_000 + 1, i + 2))
    });
}

#[test]
fn rules() {
    judge("acls", 500, |n| {
        lines(FRONTEND, n, |i| format!(" acl a{i} path /{i}\n http-request deny if a{i}"))
    });
    judge("one acl", 500, |n| lines(FRONTEND, n, |i| format!(" acl a path /{i}")));
    judge("headers", 500, |n| {
        lines(FRONTEND, n, |i| format!(" http-request set-header x{i} %[src]"))
    });
    judge("tables", 300, |n| {
        let own = "backend t\n stick-table type ip size 10 store gpc0\n";
        lines(&format!("{own}{FRONTEND}"), n, |i| {
            format!(" http-request deny if {{ src_get_gpc0(t) gt {i} }}")
        })
    });
    judge("patterns", 500, |n| {
        lines(FRONTEND, n / 50, |_| format!(" acl a path{}", " /some/path".repeat(50)))
    });
}

#[test]
fn everything_else() {
    judge("variables", 500, |n| lines("global\n", n, |i| format!(" setenv A{i} b")));
    judge("users", 500, |n| {
        lines("userlist u\n", n, |i| format!(" user u{i} insecure-password p groups g"))
            + " group g\n"
    });
    judge("userlists", 500, |n| lines("", n, |i| format!("userlist u{i}")));
    judge("name servers", 200, |n| {
        lines("resolvers r\n", n, |i| format!(" nameserver n{i} 127.0.0.1:53"))
    });
    judge("errors", 200, |n| {
        lines("http-errors e\n", n, |_| " errorfile 503 /dev/null".to_owned())
    });
    judge("comments", 5_000, |n| lines("", n, |i| format!("# {i} {}", "x".repeat(80))));
    judge("mistakes", 500, |n| lines("frontend f\n", n, |i| format!(" bimd{i} x")));
    judge("mistakes in rules", 500, |n| {
        lines(FRONTEND, n, |i| format!(" http-request deny if nosuch{i}"))
    });
    judge("one long line", 2_000, |n| {
        format!("frontend f\n description {}\n", "x".repeat(n * 100))
    });
}
