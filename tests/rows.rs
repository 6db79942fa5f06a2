//! What single words of the configuration do, where no other theme shows it: each row that is called
//! `Works` has an example that runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use haproxy_compat::harness::{Connection, Proxy, Server, Signal, Syslog, Web, eventually};

use crate::{CLI, GET, HTTP, http, http_with_cli, proxy, testing_reference};

fn before_web(options: &str, server: &str) -> Result<(Proxy, Web)> {
    let web = Web::start("v1")?;
    let config = format!(
        "global\n    nbthread 1\n{HTTP}listen main\n    bind {{fe}}\n{options}    server s1 {{s1}} {server}\n"
    );
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    Ok((proxy, web))
}

#[test]
fn pidfile_names_the_master() -> Result<()> {
    let config = format!("global\n    pidfile {{dir}}/pid\n{HTTP}listen l\n    bind {{fe}}\n");
    let proxy = proxy(&config).args(&["-W", "-db"]).start()?;
    let text = std::fs::read_to_string(proxy.folder().join("pid"))?;
    assert_eq!(text.trim(), proxy.pid().to_string());
    Ok(())
}

#[test]
fn quiet_hides_warnings() -> Result<()> {
    for (line, lines) in [("", true), ("    quiet\n", false)] {
        let config = format!("global\n{line}{HTTP}listen l\n    bind {{fe}}\n    grace 1ms\n");
        let proxy = proxy(&config).args(&["-db"]).start()?;
        proxy.signal(Signal::SIGUSR1)?;
        proxy.wait_for_exit()?;
        let said = proxy.report().contains("the 'grace' is deprecated");
        assert_eq!(said, lines, "{}", proxy.report());
    }
    Ok(())
}

/// The times between the checks of a server, shortest first.
fn times_between_checks(global: &str) -> Result<Vec<Duration>> {
    let server = Server::listen()?;
    let config = format!(
        "global\n{global}{HTTP}listen l\n    bind {{fe}}\n    option httpchk\n    server s1 {{s1}} check inter 100ms\n"
    );
    let _proxy = proxy(&config).name("s1", server.address()).start()?;
    let mut last = None;
    let mut times = Vec::new();
    for _ in 0..20 {
        server.accept()?;
        let now = Instant::now();
        times.extend(last.replace(now).map(|before| now - before));
    }
    times.sort_unstable();
    Ok(times)
}

#[test]
fn spread_checks_makes_intervals_vary() -> Result<()> {
    let times = times_between_checks("")?;
    assert!(times[3] >= Duration::from_millis(90), "{times:?}");
    let times = times_between_checks("    spread-checks 50\n")?;
    assert!(times[1] < Duration::from_millis(90), "{times:?}");
    Ok(())
}

#[test]
fn max_spread_checks_limits_the_time_of_the_first_checks() -> Result<()> {
    let mut took = Vec::new();
    for line in ["", "    max-spread-checks 50ms\n"] {
        let server = Server::listen()?;
        let lines = (0..10).map(|n| format!("    server s{n} {{s1}} check inter 2s\n"));
        let servers: String = lines.collect();
        let config =
            format!("global\n{line}{HTTP}listen l\n    bind {{fe}}\n    option httpchk\n{servers}");
        let start = Instant::now();
        let _proxy = proxy(&config).name("s1", server.address()).start()?;
        for _ in 0..10 {
            server.accept()?;
        }
        took.push(start.elapsed());
    }
    assert!(took[0] > took[1] + Duration::from_secs(1), "{took:?}");
    Ok(())
}

#[test]
fn logurilen_cuts_the_request_line() -> Result<()> {
    let mut lengths = Vec::new();
    for line in ["", "    tune.http.logurilen 64\n"] {
        let mut syslog = Syslog::udp()?;
        let config = format!(
            "global\n{line}{HTTP}    log {{log}} local0\n    log-format %{{+Q}}r\nlisten l\n    bind {{fe}}\n    http-request return status 200\n"
        );
        let proxy = proxy(&config).name("log", syslog.address()?).start()?;
        proxy.connect("fe")?.get(&format!("/{}", "a".repeat(200)), "")?;
        let logged = syslog.wait_for_line("GET /")?;
        let quoted = logged.split('"').nth(1).context("a quoted request")?;
        lengths.push(quoted.len());
    }
    assert_eq!(lengths, ["GET / HTTP/1.1".len() + 200, 64]);
    Ok(())
}

/// How many connections can be made to a frontend that accepts only one.
fn connections_made(proxy: &Proxy) -> Result<usize> {
    let mut first = proxy.connect("fe")?;
    assert_eq!(first.get("/", "")?.status(), 200);
    let mut waiting = Vec::new();
    for _ in 0..12 {
        let address = proxy.address("fe")?;
        let made = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(150));
        let Ok(made) = made else { break };
        waiting.push(made);
    }
    Ok(waiting.len())
}

#[test]
fn backlog_limits_what_the_kernel_holds() -> Result<()> {
    let answer = "    http-request return status 200\n";
    let forms = [
        "    bind {fe} backlog 2\n    maxconn 1\n",
        "    backlog 2\n    bind {fe}\n    maxconn 1\n",
    ];
    for form in forms {
        let proxy = http(&format!("frontend f\n{form}{answer}")).start()?;
        // Two, one more as the kernel counts, and one that was about to be accepted.
        let made = connections_made(&proxy)?;
        assert!((2..=4).contains(&made), "{form}: {made}");
    }
    let proxy = http(&format!("frontend f\n    bind {{fe}} backlog 100\n    maxconn 1\n{answer}"))
        .start()?;
    assert_eq!(connections_made(&proxy)?, 12);
    Ok(())
}

#[test]
fn default_server_counts_for_the_servers_that_follow() -> Result<()> {
    let config = "listen l
    bind {fe}
    server a 127.0.0.1:1 weight 7
    default-server weight 5 backup
    server b 127.0.0.1:1
    server c 127.0.0.1:1 weight 6
    default-server weight 4
    server d 127.0.0.1:1
";
    let proxy = http_with_cli(config).start()?;
    let stats = proxy.stats()?;
    let rows = ["a", "b", "c", "d"].map(|name| {
        let get = |column| stats.get("l", name, column).unwrap_or("?").to_owned();
        (get("weight"), get("bck"))
    });
    let wanted = [("7", "0"), ("5", "1"), ("6", "1"), ("4", "1")];
    assert_eq!(rows, wanted.map(|(weight, backup)| (weight.to_owned(), backup.to_owned())));
    Ok(())
}

#[test]
fn a_servers_check_is_undone_by_no_check() -> Result<()> {
    let config = "listen l
    bind {fe}
    default-server check
    server a 127.0.0.1:1
    server b 127.0.0.1:1 no-check
";
    let proxy = http_with_cli(config).start()?;
    proxy.wait_for_stat("l", "a", "status", "DOWN")?;
    assert_eq!(proxy.stats()?.get("l", "b", "status")?, "no check");
    Ok(())
}

#[test]
fn init_addr_says_where_a_server_begins() -> Result<()> {
    let web = Web::start("v1")?;
    let config = "listen l
    bind {fe}
    server a none.invalid:{port} init-addr none
    server b some.invalid:{port} init-addr 127.0.0.1
";
    let port = web.address().port().to_string();
    let proxy = http_with_cli(config).text("port", &port).start()?;
    assert_eq!(proxy.stats()?.get("l", "a", "status")?, "MAINT (resolution)");
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "v1");
    Ok(())
}

/// Connections that two clients with two requests each cost at the server.
fn server_connections(options: &str, server: &str) -> Result<usize> {
    let (proxy, web) = before_web(options, server)?;
    for _ in 0..2 {
        let mut client = proxy.connect("fe")?;
        for _ in 0..2 {
            assert_eq!(client.get("/", "")?.status(), 200);
        }
    }
    Ok(web.connections())
}

#[test]
fn http_reuse_says_who_shares_a_server_connection() -> Result<()> {
    assert_eq!(server_connections("    http-reuse never\n", "")?, 2);
    assert_eq!(server_connections("    http-reuse safe\n", "")?, 2);
    assert_eq!(server_connections("    http-reuse aggressive\n", "")?, 1);
    assert_eq!(server_connections("    http-reuse always\n", "")?, 1);
    Ok(())
}

#[test]
fn pool_max_conn_0_keeps_no_connection() -> Result<()> {
    assert_eq!(server_connections("    http-reuse always\n", "pool-max-conn 0")?, 4);
    assert_eq!(server_connections("    http-reuse always\n", "pool-max-conn 1")?, 1);
    Ok(())
}

#[test]
fn the_last_of_the_modes_of_keeping_alive_counts() -> Result<()> {
    let (proxy, web) = before_web("    option httpclose\n    option http-keep-alive\n", "")?;
    let mut client = proxy.connect("fe")?;
    assert_eq!(client.get("/", "")?.status(), 200);
    assert_eq!(client.get("/", "")?.status(), 200);
    assert_eq!(web.connections(), 1);
    Ok(())
}

/// A TCP proxy with these time-outs, a client and its server's end.
fn through(timeouts: &str) -> Result<(Proxy, Connection, Connection)> {
    let server = Server::listen()?;
    let config = format!(
        "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 20s\n    timeout server 20s\nlisten l\n    bind {{fe}}\n{timeouts}    server s1 {{s1}}\n"
    );
    let proxy = proxy(&config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send("hello")?;
    let mut far = server.accept()?;
    far.expect("hello")?;
    Ok((proxy, client, far))
}

#[test]
fn a_side_that_is_half_closed_has_its_own_timeout() -> Result<()> {
    let (_proxy, mut client, far) = through("    timeout client-fin 300ms\n")?;
    let start = Instant::now();
    far.half_close()?;
    client.expect_close()?;
    let mut far = far;
    far.expect_close()?;
    assert!(start.elapsed() < Duration::from_secs(5), "client-fin {:?}", start.elapsed());
    let (_proxy, client, mut far) = through("    timeout server-fin 300ms\n")?;
    let start = Instant::now();
    client.half_close()?;
    far.expect_close()?;
    let mut client = client;
    client.drain()?;
    assert!(start.elapsed() < Duration::from_secs(5), "server-fin {:?}", start.elapsed());
    Ok(())
}

#[test]
fn v6_sockets_hear_v4_clients_as_they_are_told() -> Result<()> {
    if !std::path::Path::new("/proc/sys/net/ipv6").exists() {
        println!("not run: v6_sockets_hear_v4_clients_as_they_are_told needs IPv6");
        return Ok(());
    }
    let port = haproxy_compat::harness::Port::reserve()?;
    let config = |option: &str| {
        format!(
            "frontend f\n    bind ipv6@::ffff:127.0.0.1:{{port}} {option}\n    http-request return status 200\n"
        )
    };
    let text = port.address().port().to_string();
    let running =
        http(&config("v4v6")).text("port", &text).ready_line("haproxy version").spawn()?;
    eventually("an IPv4 client is served", || Ok(Connection::to(port.address()).is_ok()))?;
    assert_eq!(Connection::to(port.address())?.get("/", "")?.status(), 200);
    drop(running);
    let refused = http(&config("v6only")).text("port", &text).args(&["-db"]).run()?;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("cannot bind socket"), "{}", refused.stderr);
    Ok(())
}

#[test]
fn checks_connect_and_comment_as_written() -> Result<()> {
    let (service, other) = (Web::start("service")?, Web::start("other")?);
    let config = "backend be
    option httpchk
    http-check connect port {other}
    http-check send uri /up hdr X-Asked yes
    http-check comment \"first try\"
    http-check expect status 204
    server s1 {s1} check inter 100ms
listen l
    bind {fe}
";
    let port = other.address().port().to_string();
    let proxy = http_with_cli(config).name("s1", service.address()).text("other", &port).start()?;
    let asked = other.wait_for_requests(1)?;
    assert_eq!((asked[0].target(), asked[0].header("x-asked")), ("/up", Some("yes")));
    proxy.wait_for_stat("be", "s1", "check_status", "L7STS")?;
    let text = proxy.stats()?.get("be", "s1", "last_chk")?.to_owned();
    assert!(text.contains("comment: first try"), "{text}");
    assert_eq!(service.requests().len(), 0);
    Ok(())
}

#[test]
fn tcp_checks_send_bytes_and_formats() -> Result<()> {
    let server = Server::listen()?;
    let config = "backend be
    mode tcp
    timeout check 2s
    option tcp-check
    tcp-check connect
    tcp-check send-binary 00ff41
    tcp-check send-lf <formatted>
    tcp-check send-binary-lf 4243
    tcp-check comment told
    tcp-check expect string fine
    server s1 {s1} check inter 100ms
listen l
    bind {fe}
";
    let proxy = http_with_cli(config).name("s1", server.address()).start()?;
    let mut check = server.accept()?;
    check.expect(b"\x00\xffA<formatted>BC")?;
    check.send("fine")?;
    check.drain()?;
    proxy.wait_for_stat("be", "s1", "check_status", "L7OK")?;
    let mut check = server.accept()?;
    check.expect(b"\x00\xffA<formatted>BC")?;
    check.send("not so")?;
    check.half_close()?;
    check.drain()?;
    let bad = |text: &str| text.contains("comment: 'told'");
    eventually("the comment is told", || Ok(bad(proxy.stats()?.get("be", "s1", "last_chk")?)))
}

#[test]
fn rules_of_responses_do_what_they_say() -> Result<()> {
    let mut syslog = Syslog::udp()?;
    let web = Web::answering(|_| {
        b"HTTP/1.1 200 OK\r\nX-A: one, two\r\nX-B: b\r\nContent-Length: 0\r\n\r\n".to_vec()
    })?;
    let config = "global
    log {log} local0
backend table
    stick-table type ip size 10 store gpc0,gpc1,gpt0
frontend f
    bind {fe}
    log global
    log-format %[capture.res.hdr(0)]
    declare capture response len 10
    http-request track-sc1 src table table
    http-response track-sc2 src table table
    http-response capture res.hdr(x-b) id 0
    http-response replace-header X-A ^(.*),(.*)$ \\2,\\1
    http-response sc-inc-gpc0(1)
    http-response sc-inc-gpc1(2)
    http-response sc-set-gpt0(1) 42
    http-response set-var(txn.x) res.hdr(x-b)
    http-response set-header X-Var %[var(txn.x)]
    http-response unset-var(txn.x)
    http-response set-header X-Gone %[var(txn.x)]
    http-response set-log-level alert
    http-response set-header X-Told %[sc1_get_gpc0],%[sc2_get_gpc1],%[sc1_get_gpt0]
    http-response allow
    http-response set-header X-Never yes
    http-after-response add-header X-B c
    http-after-response replace-header X-Told ^(.*)$ <\\1>
    http-after-response replace-value X-B ^c$ d
    http-after-response del-header X-Gone
    http-after-response set-status 299 reason Fine
    http-after-response set-var(txn.y) str(y)
    http-after-response set-header X-Y %[var(txn.y)]
    http-after-response unset-var(txn.y)
    http-after-response set-header X-No %[var(txn.y)]
    http-after-response allow
    http-after-response set-header X-Never yes
    default_backend b
backend b
    server s1 {s1}
";
    let proxy = http(config).name("s1", web.address()).name("log", syslog.address()?).start()?;
    let answer = proxy.connect("fe")?.get("/", "")?;
    let head = String::from_utf8_lossy(&answer.head).into_owned();
    assert!(head.starts_with("HTTP/1.1 299 Fine\r\n"), "{head}");
    for (name, value) in [
        ("x-a", Some(" two,one")),
        ("x-var", Some("b")),
        ("x-told", Some("<1,1,42>")),
        ("x-y", Some("y")),
        ("x-gone", None),
        ("x-never", None),
    ] {
        let value = value.map(str::trim);
        assert_eq!(answer.header(name).map(str::trim), value, "{name}: {head}");
    }
    assert!(head.contains("\r\nx-b: b\r\n") && head.contains("\r\nx-b: d\r\n"), "{head}");
    let logged = syslog.wait_for_line("haproxy")?;
    assert!(logged.starts_with("<129>") && logged.trim_end().ends_with(": b"), "{logged}");
    Ok(())
}

#[test]
fn each_way_of_matching_has_its_acl() -> Result<()> {
    const PATH: &str = "/one/two.three/four";
    let cases = [
        ("hdr_beg(x-h)", "alpha", "beta"),
        ("hdr_dir(x-h)", "beta.gamma", "beta"),
        ("hdr_dom(x-h)", "gamma", "gam"),
        ("hdr_end(x-h)", "delta", "alpha"),
        ("hdr_len(x-h)", "22", "21"),
        ("hdr_reg(x-h)", "^al.*a$", "^b"),
        ("hdr_sub(x-h)", "ha/be", "ha/ga"),
        ("path_beg", "/one", "/two"),
        ("path_dir", "two.three", "two"),
        ("path_dom", "three", "thre"),
        ("path_end", "/four", "/one"),
        ("path_len", "19", "18"),
        ("path_reg", "two.three", "^two"),
        ("path_sub", "e/t", "x/f"),
        ("url_beg", "/one", "/two"),
        ("url_dir", "two.three", "two"),
        ("url_dom", "three", "thre"),
        ("url_end", "?q", "/four"),
        ("url_len", "21", "19"),
        ("url_reg", "q$", "r$"),
        ("url_sub", "four?", "fours"),
    ];
    let rules: String = cases
        .iter()
        .enumerate()
        .map(|(at, (acl, yes, no))| {
            format!("    http-request add-header X-Yes {at} if {{ {acl} {yes} }}\n    http-request add-header X-No {at} if {{ {acl} {no} }}\n")
        })
        .collect();
    let web = Web::start("v1")?;
    let proxy = http(&format!("listen l\n    bind {{fe}}\n{rules}    server s1 {{s1}}\n"))
        .name("s1", web.address())
        .start()?;
    proxy.connect("fe")?.get(&format!("{PATH}?q"), "X-H: alpha/beta.gamma/delta\r\n")?;
    let request = web.wait_for_requests(1)?[0].clone();
    let head = String::from_utf8_lossy(&request.head).into_owned();
    for (at, (acl, yes, _)) in cases.iter().enumerate() {
        assert!(head.contains(&format!("x-yes: {at}\r\n")), "{acl} {yes}: {head}");
        assert!(!head.contains(&format!("x-no: {at}\r\n")), "{acl}: {head}");
    }
    Ok(())
}

#[test]
fn log_variables_of_time_and_place() -> Result<()> {
    let mut syslog = Syslog::udp()?;
    let web = Web::start("v1")?;
    let config = "global
    log {log} local0
listen l
    bind {fe}
    log global
    log-format \"%H|%bi|%bp|%fp|%rt|%Ta|%Tc|%Td|%Th|%Ti|%Tq|%TR|%Tr|%Tt|%Tu|%Tw|%Tl|%trg|%trl|%Ts|%CS|%B|%U\"
    server s1 {s1}
";
    let proxy = http(config).name("s1", web.address()).name("log", syslog.address()?).start()?;
    proxy.connect("fe")?.get("/", "")?;
    let logged = syslog.wait_for_line("|")?;
    let text = logged.split(": ").nth(1).context("a line")?.trim_end();
    let fields: Vec<&str> = text.split('|').collect();
    assert_eq!(fields.len(), 23, "{text}");
    let port = proxy.address("fe")?.port().to_string();
    assert_eq!((fields[1], fields[3]), ("127.0.0.1", &*port), "{text}");
    assert!(fields[2].parse::<u16>()? > 0, "{text}");
    for timer in &fields[5..16] {
        assert!((0..5_000).contains(&timer.parse::<i64>()?), "{timer}: {text}");
    }
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    assert!(seconds.abs_diff(fields[19].parse()?) < 60, "{text}");
    for date in &fields[16..19] {
        assert!(date.len() == 26 && date.as_bytes()[11] == b':', "{date}: {text}");
    }
    Ok(())
}

#[test]
fn checks_are_disabled_and_enabled_while_running() -> Result<()> {
    let server = Server::listen()?;
    let config =
        "listen l\n    bind {fe}\n    option httpchk\n    server s1 {s1} check inter 100ms\n";
    let proxy = http_with_cli(config).name("s1", server.address()).start()?;
    server.accept()?;
    assert_eq!(proxy.cli("disable health l/s1")?, "\n");
    // Those that have come wait to be accepted, and one may be under way.
    let waiting = std::iter::from_fn(|| server.accept_within(Duration::from_millis(300)).ok()?);
    assert!(waiting.take(20).count() < 20, "checks go on");
    assert_eq!(proxy.cli("enable health l/s1")?, "\n");
    server.accept()?;
    Ok(())
}

#[test]
fn the_process_shows_what_is_inside() -> Result<()> {
    let config = format!("{CLI}    nbthread 2\n{HTTP}listen l\n    bind {{fe}}\n");
    let proxy = proxy(&config).start()?;
    proxy.connect("fe")?.send(GET)?;
    let sockets = proxy.cli("show cli sockets")?;
    assert!(
        sockets.starts_with("# socket lvl processes\n") && sockets.contains("cli.sock admin all\n"),
        "{sockets}"
    );
    let pools = proxy.cli("show pools")?;
    assert!(pools.contains("  - Pool buffer (16384 bytes) : "), "{pools}");
    let threads = proxy.cli("show threads")?;
    assert!(threads.contains("Thread 1 ") && threads.contains("Thread 2 "), "{threads}");
    let activity = proxy.cli("show activity")?;
    assert!(activity.contains("thread_id: ") && activity.contains("date_now: "), "{activity}");
    let descriptors = proxy.cli("show fd")?;
    let lines = descriptors.lines().filter(|line| line.contains(" : ")).count();
    assert!(lines > 3 || testing_reference(), "{descriptors}");
    Ok(())
}

#[test]
fn columns_of_modules_are_shown_where_asked_for() -> Result<()> {
    for (line, shown) in [("", false), ("    stats show-modules\n", true)] {
        let config = format!(
            "listen l\n    bind {{fe}}\n    stats enable\n{line}    server s 127.0.0.1:1\n"
        );
        let page = http(&config).start()?.connect("fe")?.get("/haproxy?stats", "")?.text();
        assert_eq!(page.contains("Extra modules"), shown);
    }
    Ok(())
}
