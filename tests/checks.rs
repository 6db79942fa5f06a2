//! Health checks (manual 4.2 "option httpchk", "option tcp-check"; 5.2 "check"): what servers are sent,
//! when they are up or down, and what is said about it.

use anyhow::Result;
use haproxy_compat::harness::{Message, Proxy, Server, Signal, Syslog, Web, eventually};

use crate::{HTTP, proxy, testing_reference};

const DEFAULTS: &str = "defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
listen stats
    bind {stats}
    stats enable
    stats uri /
frontend fe
    bind {fe}
    default_backend be
";

fn start(backend: &str, servers: &[(&str, std::net::SocketAddr)]) -> Result<Proxy> {
    let mut builder = proxy(&format!("{DEFAULTS}backend be\n{backend}"));
    for (name, address) in servers {
        builder = builder.name(name, *address);
    }
    builder.start()
}

/// A column of the statistics of the backend, or of one of its servers.
fn stat(proxy: &Proxy, name: &str, column: &str) -> Result<String> {
    let page = proxy.connect("stats")?.get("/;csv", "")?;
    let csv = haproxy_compat::harness::Csv::parse(&page.text())?;
    Ok(csv.get("be", name, column)?.to_owned())
}

fn wait_for(proxy: &Proxy, name: &str, column: &str, value: &str) -> Result<()> {
    eventually(
        &format!("{column} of {name} is {value}"),
        || Ok(stat(proxy, name, column)? == value),
    )
}

fn status(proxy: &Proxy) -> Result<u16> {
    Ok(proxy.connect("fe")?.get("/", "Connection: close\r\n")?.status())
}

/// The text behind the date and the process number of a line on the terminal.
fn said(line: &str) -> &str {
    line.split_once(" : ").map_or(line, |(_, text)| text)
}

fn answer(status: &'static str) -> impl Fn(&Message) -> Vec<u8> + Send + Sync {
    move |_| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
        format!("{head}hi").into_bytes()
    }
}

#[test]
fn a_dead_server_is_noticed_at_once_and_named() -> Result<()> {
    let (web, dead) = (Web::start("a")?, Server::silent()?);
    let servers = [("s1", web.address()), ("s2", dead.address())];
    let proxy =
        start("    server s1 {s1} check inter 30s\n    server s2 {s2} check inter 1s\n", &servers)?;
    let line = proxy.wait_for_line("Server be/s2 is DOWN")?;
    let expected = "Server be/s2 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 0ms. 1 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.";
    assert_eq!(said(&line), expected);
    assert!(line.starts_with("[WARNING]"), "{line}");
    assert_eq!(stat(&proxy, "s2", "status")?, "DOWN");
    assert_eq!(stat(&proxy, "s2", "check_status")?, "L4CON");
    assert_eq!(stat(&proxy, "s2", "chkfail")?, "1");
    assert_eq!(stat(&proxy, "s2", "chkdown")?, "1");
    for _ in 0..4 {
        assert_eq!(proxy.connect("fe")?.get("/", "Connection: close\r\n")?.body, b"a");
    }
    Ok(())
}

#[test]
fn without_servers_the_backend_is_down_until_one_comes_back() -> Result<()> {
    let mut server = Server::silent()?;
    let mut log = Syslog::udp()?;
    let options = format!("    log {} local0\n    option httpchk\n", log.address()?);
    let line = "    server s1 {s1} check inter 100ms rise 2 fall 2\n";
    let proxy = start(&format!("{options}{line}"), &[("s1", server.address())])?;
    let alert = proxy.wait_for_line("has no server available!")?;
    assert_eq!(said(&alert), "backend 'be' has no server available!");
    assert!(alert.starts_with("[ALERT]"), "{alert}");
    assert!(log.wait_for_line("Server be/s1 is DOWN")?.starts_with("<129>"));
    assert!(log.wait_for_line("backend be has no server available!")?.starts_with("<128>"));
    assert_eq!(status(&proxy)?, 503);
    server.open()?;
    let serving = std::thread::spawn(move || -> Result<Server> {
        for _ in 0..2 {
            let mut check = server.accept()?;
            check.request()?;
            check.send("HTTP/1.0 200 OK\r\n\r\n")?;
        }
        Ok(server)
    });
    let line = proxy.wait_for_line("Server be/s1 is UP")?;
    assert!(
        said(&line).starts_with(
            "Server be/s1 is UP, reason: Layer7 check passed, code: 200, check duration: "
        ),
        "{line}"
    );
    assert!(
        line.ends_with(
            "ms. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue."
        ),
        "{line}"
    );
    assert!(log.wait_for_line("Server be/s1 is UP")?.starts_with("<133>"));
    drop(serving.join());
    Ok(())
}

#[test]
fn fall_and_rise_count_checks() -> Result<()> {
    let web = Web::answering(answer("200 OK"))?;
    let options = "    option httpchk GET /health\n    option log-health-checks\n";
    let line = "    server s1 {s1} check inter 200ms fastinter 50ms downinter 50ms rise 3 fall 2\n";
    let proxy = start(&format!("{options}{line}"), &[("s1", web.address())])?;
    let first = proxy.wait_for_line("Health check for server be/s1 succeeded")?;
    assert!(said(&first).contains(", reason: Layer7 check passed, code: 200, check duration: "));
    assert!(first.ends_with(", status: 2/2 UP."), "{first}");
    wait_for(&proxy, "s1", "check_health", "4")?;
    web.answer_with(answer("500 Broken"));
    let once = proxy.wait_for_line("status: 1/2 UP.")?;
    assert!(
        once.contains("failed, reason: Layer7 wrong status, code: 500, info: \"Broken\""),
        "{once}"
    );
    proxy.wait_for_line("status: 0/3 DOWN.")?;
    let down = proxy.wait_for_line("Server be/s1 is DOWN")?;
    assert!(said(&down).starts_with("Server be/s1 is DOWN. 0 active"), "{down}");
    assert_eq!(stat(&proxy, "s1", "check_status")?.trim_start_matches("* "), "L7STS");
    assert_eq!(stat(&proxy, "s1", "check_code")?, "500");
    assert_eq!(stat(&proxy, "BACKEND", "status")?, "DOWN");
    web.answer_with(answer("200 OK"));
    for count in ["1/3 DOWN.", "2/3 DOWN.", "2/2 UP."] {
        proxy.wait_for_line(&format!("status: {count}"))?;
    }
    wait_for(&proxy, "s1", "status", "UP")?;
    assert_eq!(status(&proxy)?, 200);
    assert!(
        web.requests()
            .iter()
            .any(|r| r.raw == b"GET /health HTTP/1.0\r\ncontent-length: 0\r\n\r\n")
    );
    Ok(())
}

/// Starts one proxy with a backend for each list of options, each with a server of its own.
fn start_many<'a>(cases: impl Iterator<Item = (&'a str, &'a Web)>) -> Result<Proxy> {
    let mut config = DEFAULTS.replace("    default_backend be\n", "");
    let mut names = Vec::new();
    for (number, (options, web)) in cases.enumerate() {
        let server = format!("    server s1 {{s{number}}} check inter 500ms\n");
        config.push_str(&format!("backend be{number}\n    option httpchk\n{options}{server}"));
        names.push((format!("s{number}"), web.address()));
    }
    let mut builder = proxy(&config);
    for (name, address) in names {
        builder = builder.name(&name, address);
    }
    builder.start()
}

#[test]
fn requests_are_written_as_haproxy_writes_them() -> Result<()> {
    let cases = [
        ("", "OPTIONS / HTTP/1.0\r\ncontent-length: 0\r\n\r\n"),
        ("    http-check send meth GET uri /\n", "GET / HTTP/1.0\r\ncontent-length: 0\r\n\r\n"),
        (
            "    http-check send meth POST uri /p ver HTTP/1.1 hdr Host h hdr X-Y \"a b\" body hello\n",
            "POST /p HTTP/1.1\r\nhost: h\r\nx-y: a b\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
        ),
        (
            "    option httpchk HEAD /x HTTP/1.1\n",
            "HEAD /x HTTP/1.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ),
        ("    http-check send-state\n", ""),
    ];
    let webs: Result<Vec<Web>> = cases.iter().map(|_| Web::answering(answer("200 OK"))).collect();
    let webs = webs?;
    let _proxy = start_many(cases.iter().map(|(options, _)| *options).zip(&webs))?;
    let first = |web: &Web| -> Result<String> {
        let requests = web.wait_for_requests(1)?;
        Ok(String::from_utf8_lossy(&requests.first().unwrap().raw).into_owned())
    };
    for ((options, expected), web) in cases.iter().zip(&webs).take(4) {
        assert_eq!(first(web)?, *expected, "{options}");
    }
    let state = first(&webs[4])?;
    let start = "\r\nx-haproxy-server-state: UP 1/3; address=127.0.0.1; port=";
    assert!(state.contains(start) && state.contains("; name=be4/s1; node="), "{state}");
    assert!(state.contains("; weight=1/1; scur=0/0; qcur=0\r\ncontent-length: 0\r\n"), "{state}");
    Ok(())
}

#[test]
fn expectations_decide() -> Result<()> {
    const OK: &str = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nX-A: one, two\r\n\r\nhi";
    const SORRY: &str = "HTTP/1.1 503 Nope Sorry\r\nContent-Length: 0\r\n\r\n";
    let cases = [
        (OK, "status 200", "L7OK", ""),
        (OK, "status 100,200-299", "L7OK", ""),
        (OK, "rstatus ^2", "L7OK", ""),
        (OK, "! rstatus ^3", "L7OK", ""),
        (OK, "string hi", "L7OK", ""),
        (OK, "! string ho", "L7OK", ""),
        (OK, "rstring ^h", "L7OK", ""),
        (OK, "hdr name X-A value two", "L7OK", ""),
        (OK, "! hdr name X-B", "L7OK", ""),
        (OK, "status 201-299", "L7STS", "OK"),
        (OK, "! rstatus ^2", "L7STS", "OK"),
        (OK, "string ho", "L7RSP", "HTTP content check did not match"),
        (OK, "! string hi", "L7RSP", "HTTP check matched unwanted content"),
        (SORRY, "", "L7STS", "Nope Sorry"),
        ("", "", "L7RSP", "TCPCHK got an empty response at step 1"),
    ];
    let rules = cases.map(|(_, rule, _, _)| match rule {
        "" => String::new(),
        rule => format!("    http-check expect {rule}\n"),
    });
    let web = |(reply, ..): &(&'static str, &str, &str, &str)| {
        let reply = *reply;
        Web::answering(move |_| reply.as_bytes().to_vec())
    };
    let webs: Result<Vec<Web>> = cases.iter().map(web).collect();
    let webs = webs?;
    let proxy = start_many(rules.iter().map(String::as_str).zip(&webs))?;
    for (number, (_, rule, word, text)) in cases.iter().enumerate() {
        let backend = format!("be{number}");
        let column = |name: &str| -> Result<String> {
            let page = proxy.connect("stats")?.get("/;csv", "")?;
            let csv = haproxy_compat::harness::Csv::parse(&page.text())?;
            Ok(csv.get(&backend, "s1", name)?.trim_start_matches("* ").to_owned())
        };
        eventually("a check has ended", || Ok(column("check_status")? != "INI"))?;
        assert_eq!(column("check_status")?, *word, "{rule}");
        // While the next check runs, the text of the last one is not shown.
        eventually(&format!("{rule} says {text}"), || Ok(column("last_chk")? == *text))?;
    }
    Ok(())
}

#[test]
fn a_404_may_mean_no_new_sessions() -> Result<()> {
    let web = Web::answering(answer("404 Gone"))?;
    let options = "    option httpchk\n    http-check disable-on-404\n";
    let proxy = start(
        &format!("{options}    server s1 {{s1}} check inter 1s\n"),
        &[("s1", web.address())],
    )?;
    let line = proxy.wait_for_line("Server be/s1 is stopping")?;
    assert!(said(&line).starts_with("Server be/s1 is stopping, reason: Layer7 check conditionally passed, code: 404, check duration: "), "{line}");
    assert_eq!(stat(&proxy, "s1", "status")?, "NOLB");
    assert_eq!(status(&proxy)?, 503);
    Ok(())
}

#[test]
fn silence_is_a_timeout() -> Result<()> {
    let server = Server::listen()?;
    let options = "    timeout check 100ms\n    option httpchk\n";
    let proxy = start(
        &format!("{options}    server s1 {{s1}} check inter 1s\n"),
        &[("s1", server.address())],
    )?;
    let line = proxy.wait_for_line("Server be/s1 is DOWN")?;
    assert!(
        said(&line).starts_with("Server be/s1 is DOWN, reason: Layer7 timeout, check duration: "),
        "{line}"
    );
    Ok(())
}

#[test]
fn a_dialogue_of_bytes() -> Result<()> {
    let server = Server::listen()?;
    let address = server.address();
    let serving = std::thread::spawn(move || -> Result<()> {
        let mut good = server.accept()?;
        good.send("+OK ready\r\n")?;
        good.expect("PING\r\n")?;
        good.send("+PONG\r\n")?;
        let mut bad = server.accept()?;
        bad.send("+OK ready\r\n")?;
        bad.expect("PING\r\n")?;
        bad.send("-LOADING\r\n")?;
        bad.half_close()
    });
    let rules = "    mode tcp\n    option tcp-check\n    tcp-check connect\n    tcp-check expect rstring ^\\+OK\n    tcp-check send PING\\r\\n\n    tcp-check expect string +PONG comment pong\n";
    let line = "    server s1 {s1} check inter 200ms fall 1\n";
    let config = DEFAULTS.replace("    default_backend be\n", "");
    let proxy = proxy(&format!("{config}backend be\n{rules}{line}")).name("s1", address).start()?;
    let line = proxy.wait_for_line("Server be/s1 is DOWN")?;
    assert!(said(&line).starts_with("Server be/s1 is DOWN, reason: Layer7 invalid response, info: \"TCPCHK did not match content '+PONG' at step 4 comment: pong\""), "{line}");
    assert_eq!(stat(&proxy, "s1", "chkfail")?, "1");
    drop(serving.join());
    Ok(())
}

#[test]
fn checks_go_where_port_and_addr_say() -> Result<()> {
    let (web, other) = (Web::start("web")?, Web::start("other")?);
    let port = other.address().port();
    let options = "    option httpchk\n";
    let line = format!("    server s1 {{s1}} check inter 1s addr 127.0.0.1 port {port}\n");
    let proxy = start(&format!("{options}{line}"), &[("s1", web.address())])?;
    other.wait_for_requests(1)?;
    assert_eq!(web.requests().len(), 0);
    assert_eq!(proxy.connect("fe")?.get("/", "Connection: close\r\n")?.body, b"web");
    Ok(())
}

#[test]
fn a_server_is_no_backup_though_the_others_are() -> Result<()> {
    let (one, two) = (Web::start("one")?, Web::start("two")?);
    let config = format!(
        "{HTTP}listen fe\n    bind {{fe}}\n    default-server backup\n    server s1 {{s1}}\n    server s2 {{s2}} no-backup\n"
    );
    let proxy = proxy(&config).name("s1", one.address()).name("s2", two.address()).start()?;
    for _ in 0..3 {
        assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "two");
    }
    Ok(())
}

#[test]
fn a_backup_takes_over() -> Result<()> {
    let (mut main, spare) = (Web::start("main")?, Web::start("spare")?);
    let lines = "    server s1 {s1} check inter 100ms fall 1\n    server s2 {s2} backup\n";
    let proxy = start(lines, &[("s1", main.address()), ("s2", spare.address())])?;
    assert_eq!(proxy.connect("fe")?.get("/", "Connection: close\r\n")?.body, b"main");
    main.stop();
    let line = proxy.wait_for_line("Server be/s1 is DOWN")?;
    assert!(
        line.contains("0 active and 1 backup servers left. Running on backup. 0 sessions active"),
        "{line}"
    );
    assert_eq!(proxy.connect("fe")?.get("/", "Connection: close\r\n")?.body, b"spare");
    main.restart()?;
    proxy.wait_for_line("Server be/s1 is UP")?;
    assert_eq!(proxy.connect("fe")?.get("/", "Connection: close\r\n")?.body, b"main");
    Ok(())
}

#[test]
fn redis_and_ssl_servers_are_greeted() -> Result<()> {
    let server = |reply: &'static [u8]| -> Result<(Server, &'static [u8])> {
        Ok((Server::listen()?, reply))
    };
    let alert: &[u8] = b"\x15\x03\x00\x00\x02\x02\x28";
    let servers = [
        server(b"+PONG\r\n")?,
        server(b"-NOAUTH wanted\r\n")?,
        server(alert)?,
        server(b"HTTP/1.0 400 Bad\r\n\r\n")?,
    ];
    let options = ["redis-check", "redis-check", "ssl-hello-chk", "ssl-hello-chk"];
    let mut config = DEFAULTS.replace("    default_backend be\n", "");
    for (number, option) in options.iter().enumerate() {
        let line = format!("    server s1 {{s{number}}} check inter 5s\n");
        let mode = "    mode tcp\n    option log-health-checks\n";
        config.push_str(&format!("backend be{number}\n{mode}    option {option}\n{line}"));
    }
    let mut builder = proxy(&config);
    for (number, (server, _)) in servers.iter().enumerate() {
        builder = builder.name(&format!("s{number}"), server.address());
    }
    let proxy = builder.spawn()?;
    for (number, (server, reply)) in servers.iter().enumerate() {
        let mut check = server.accept()?;
        if number < 2 {
            check.expect("*1\r\n$4\r\nPING\r\n")?;
        } else {
            let hello = check.read_exactly(126)?;
            assert!(
                hello.starts_with(b"\x16\x03\x00\x00\x79\x01\x00\x00\x75\x03\x00"),
                "{hello:?}"
            );
            assert!(hello.ends_with(b"\x00\x39\x00\x3a\x01\x00"), "{hello:?}");
        }
        check.send(reply)?;
    }
    let lines = [
        ("be0/s1 succeeded", "reason: Layer7 check passed, code: 0, info: \"Redis server is ok\""),
        ("be1/s1 failed", "reason: Layer7 wrong status, code: 0, info: \"-NOAUTH wanted\""),
        ("be2/s1 succeeded", "reason: Layer6 check passed, check duration: "),
        ("be3/s1 failed", "reason: Layer6 invalid response, check duration: "),
    ];
    for (server, reason) in lines {
        let line = proxy.wait_for_line(&format!("Health check for server {server}"))?;
        assert!(line.contains(reason), "{line}");
    }
    Ok(())
}

#[test]
fn a_reload_keeps_what_is_known_of_servers() -> Result<()> {
    if testing_reference() {
        // HAProxy starts a new process, which takes every server for alive again.
        return Ok(());
    }
    let (web, dead) = (Web::start("a")?, Server::silent()?);
    let lines = "    server s2 {s2} check inter 1s\n    server s1 {s1} check inter 100ms\n";
    let servers = [("s1", web.address()), ("s2", dead.address())];
    let proxy = start(lines, &servers)?;
    proxy.wait_for_line("Server be/s2 is DOWN")?;
    wait_for(&proxy, "s1", "check_health", "4")?;
    let other = lines.replace("    server s1", "    retries 1\n    server s1");
    proxy.rewrite_config(&format!("{DEFAULTS}backend be\n{other}"))?;
    proxy.signal(Signal::SIGHUP)?;
    proxy.wait_for_line("Configuration reloaded in place")?;
    assert_eq!(stat(&proxy, "s2", "status")?, "DOWN");
    assert_eq!(stat(&proxy, "s2", "check_status")?, "L4CON");
    assert_eq!(stat(&proxy, "s2", "chkdown")?, "1");
    let checks = web.connections();
    eventually("s1 is checked on", || Ok(web.connections() > checks))?;
    assert_eq!(stat(&proxy, "s1", "check_health")?, "4");
    proxy.rewrite_config(&format!("{DEFAULTS}backend be\n{}", lines.replace("1s", "1100ms")))?;
    proxy.signal(Signal::SIGHUP)?;
    // A changed line is a new server: taken for alive until its first check.
    let patience = haproxy_compat::harness::PATIENCE;
    proxy.output().wait_for_nth_line("Server be/s2 is DOWN", 2, patience)?;
    Ok(())
}
