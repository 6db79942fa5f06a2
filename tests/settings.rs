//! Settings of the whole process (manual 3.1 and 3.2): what they do to it, seen from outside.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use haproxy_compat::harness::{
    Connection, PATIENCE, Proxy, Server, Signal, Syslog, Web, eventually,
};
use nix::sys::signal::kill;
use nix::unistd::{Pid, geteuid};

use crate::process::FORWARDING;
use crate::{CLI, GET_CLOSE, HTTP, proxy};

/// A frontend that answers by itself.
const ANSWERING: &str = "frontend fe
    bind {fe}
    http-request return status 200 content-type text/plain string ok
";

fn answering(global: &str) -> String {
    format!("global\n{global}{HTTP}{ANSWERING}")
}

#[test]
fn unix_bind_completes_unix_sockets() -> Result<()> {
    let config = format!(
        "global\n    unix-bind prefix {{dir}}/run mode 612\n{HTTP}frontend fe
    bind /a.sock
    bind unix@/b.sock mode 600
    bind {{fe}}
    http-request return status 200 content-type text/plain string ok\n"
    );
    let builder = proxy(&config);
    std::fs::create_dir(builder.folder()?.join("run"))?;
    let proxy = builder.start()?;
    for (name, mode) in [("a.sock", 0o612), ("b.sock", 0o600)] {
        let path = proxy.folder().join("run").join(name);
        assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, mode, "{name}");
        assert_eq!(Connection::to_path(&path)?.get("/", "")?.text(), "ok");
    }
    Ok(())
}

#[test]
fn unix_bind_gives_sockets_to_a_user() -> Result<()> {
    if !geteuid().is_root() {
        println!("not run: unix_bind_gives_sockets_to_a_user needs root");
        return Ok(());
    }
    let config = format!(
        "global\n    unix-bind uid 65534 gid 12\n{HTTP}frontend fe\n    bind {{dir}}/a.sock\n    bind {{fe}}\n"
    );
    let proxy = proxy(&config).start()?;
    let made = std::fs::metadata(proxy.folder().join("a.sock"))?;
    assert_eq!((made.uid(), made.gid()), (65534, 12));
    Ok(())
}

#[test]
fn too_few_descriptors_refuse_the_start_unless_limits_are_not_strict() -> Result<()> {
    let limits = "    maxconn 200\n    ulimit-n 40\n    nbthread 1\n";
    let finished = proxy(&answering(limits)).args(&["-db"]).run()?;
    assert_eq!(finished.status.code(), Some(1));
    let text = "FD limit (40) too low for maxconn=200/maxsock=414. Please raise 'ulimit-n' to 414 or more to avoid any trouble.";
    assert!(finished.stderr.contains(text), "{}", finished.stderr);
    let lax = answering(&format!("    no strict-limits\n{limits}"));
    let proxy = proxy(&lax).args(&["-db"]).start()?;
    proxy.wait_for_line(text)?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
    Ok(())
}

#[test]
fn out_of_descriptors_accepting_pauses_and_resumes() -> Result<()> {
    let mut syslog = Syslog::udp()?;
    let config = format!(
        "global\n    no strict-limits\n    maxconn 200\n    ulimit-n 40\n    nbthread 1\n{HTTP}    log {{log}} local0\n    option dontlognull\n{ANSWERING}"
    );
    let proxy = proxy(&config).name("log", syslog.address()?).args(&["-db"]).start()?;
    let mut clients = Vec::new();
    for _ in 0..60 {
        let mut client = proxy.connect("fe")?;
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
        clients.push(client);
    }
    let line = syslog.wait_for_line("reached process FD limit")?;
    let text =
        "Proxy fe reached process FD limit (maxsock=414). Please check 'ulimit-n' and restart.";
    assert!(line.starts_with("<128>") && line.contains(text), "{line}");
    let waiting = clients.split_off(45);
    for mut client in clients.into_iter().take(15) {
        assert_eq!(client.response()?.status(), 200);
    }
    // The places of those that are gone now are taken by those that waited.
    for mut client in waiting {
        assert_eq!(client.response()?.status(), 200);
    }
    Ok(())
}

#[test]
fn a_full_process_lets_the_next_client_wait() -> Result<()> {
    let proxy = proxy(&answering("    maxconn 1\n")).start()?;
    let mut first = proxy.connect("fe")?;
    assert_eq!(first.get("/", "")?.status(), 200);
    let mut second = proxy.connect("fe")?;
    second.send(GET_CLOSE)?;
    second.expect_silence(Duration::from_millis(200))?;
    drop(first);
    assert_eq!(second.response()?.status(), 200);
    Ok(())
}

#[test]
fn programs_cannot_gain_rights_unless_wanted() -> Result<()> {
    for (line, expected) in [("", "1"), ("    insecure-setuid-wanted\n", "0")] {
        let proxy = proxy(&answering(line)).args(&["-W", "-db"]).start()?;
        assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
        let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.workers()[0]))?;
        let value = status.lines().find_map(|line| line.strip_prefix("NoNewPrivs:"));
        assert_eq!(value.map(str::trim), Some(expected));
    }
    Ok(())
}

#[test]
fn a_core_may_be_dumped_where_wanted() -> Result<()> {
    if !geteuid().is_root() {
        println!("not run: a_core_may_be_dumped_where_wanted needs root");
        return Ok(());
    }
    for (line, owner) in [("", 0), ("    set-dumpable\n", 65534)] {
        let config = answering(&format!("    uid 65534\n{line}"));
        let proxy = proxy(&config).args(&["-W", "-db"]).start()?;
        assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
        // The files of a process that must not be dumped belong to root.
        let worker = proxy.workers()[0];
        assert_eq!(std::fs::metadata(format!("/proc/{worker}/environ"))?.uid(), owner, "{line}");
    }
    Ok(())
}

/// A new worker each time: the number of threads is something that a live one cannot change.
fn with_threads(global: &str, threads: u32) -> String {
    format!("global\n    nbthread {threads}\n{global}{FORWARDING}")
}

/// A download that has begun, and its server's end.
fn begin_download(proxy: &Proxy, server: &Server) -> Result<(Connection, Connection)> {
    let mut client = proxy.connect("fe")?;
    client.send(GET_CLOSE)?;
    let mut sending = server.accept()?;
    sending.request()?;
    sending.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na")?;
    client.head()?;
    client.expect("a")?;
    Ok((client, sending))
}

/// Has another worker take over for the `nth` time, and gives its number.
fn replace_worker(proxy: &Proxy, config: &str, nth: usize) -> Result<i32> {
    let before = proxy.workers();
    proxy.rewrite_config(config)?;
    proxy.signal(Signal::SIGUSR2)?;
    proxy.output().wait_for_nth_line("Proxy fe stopped", nth, PATIENCE)?;
    let new = || proxy.workers().into_iter().find(|pid| !before.contains(pid));
    eventually("a new worker", || Ok(new().is_some()))?;
    new().context("a new worker")
}

#[test]
fn an_old_worker_lives_through_so_many_reloads() -> Result<()> {
    let server = Server::listen()?;
    let global = "    mworker-max-reloads 1\n";
    let start = proxy(&with_threads(global, 1)).name("s1", server.address());
    let proxy = start.args(&["-W", "-db"]).start()?;
    let old = proxy.workers()[0];
    let (mut client, mut sending) = begin_download(&proxy, &server)?;
    replace_worker(&proxy, &with_threads(global, 2), 1)?;
    sending.send("b")?;
    client.expect("b")?;
    assert!(proxy.workers().contains(&old));
    replace_worker(&proxy, &with_threads(global, 1), 2)?;
    proxy.wait_for_line(&format!("Former worker #1 ({old}) exited with code 143 (Terminated)"))?;
    client.drain()?;
    Ok(())
}

#[test]
fn a_failure_leaves_the_other_workers_alone_where_wanted() -> Result<()> {
    let server = Server::listen()?;
    let config = |threads| with_threads("    master-worker no-exit-on-failure\n", threads);
    let proxy = proxy(&config(1)).name("s1", server.address()).args(&["-db"]).start()?;
    let (mut client, mut sending) = begin_download(&proxy, &server)?;
    let new = replace_worker(&proxy, &config(2), 1)?;
    kill(Pid::from_raw(new), Signal::SIGKILL)?;
    proxy.wait_for_line(&format!("Current worker #1 ({new}) exited with code 137 (Killed)"))?;
    sending.send("bc")?;
    client.expect("bc")?;
    assert_eq!(proxy.wait_for_exit()?.code(), Some(137));
    proxy.wait_for_line("All workers exited. Exiting... (137)")?;
    assert!(!proxy.report().contains("exit-on-failure: killing"), "{}", proxy.report());
    Ok(())
}

#[test]
fn a_proxy_with_grace_serves_on_after_a_soft_stop() -> Result<()> {
    let config = format!(
        "{HTTP}frontend fe
    grace 800ms
    bind {{fe}}
    http-request return status 200 content-type text/plain string ok
frontend other
    bind {{other}}
    http-request return status 200 content-type text/plain string ok\n"
    );
    let proxy = proxy(&config).args(&["-db"]).start()?;
    proxy.wait_for_line("the 'grace' is deprecated and will be removed in a future version.")?;
    let start = Instant::now();
    proxy.signal(Signal::SIGUSR1)?;
    proxy.wait_for_line("Stopping frontend fe in 800 ms.")?;
    proxy.wait_for_line("Proxy other stopped (cumulated conns: FE: 0, BE: 0).")?;
    eventually("the other one is closed", || Ok(proxy.connect("other").is_err()))?;
    let mut client = proxy.connect("fe")?;
    assert_eq!(client.get("/", "Connection: close\r\n")?.status(), 200);
    proxy.wait_for_line("Proxy fe stopped (cumulated conns: FE: 1, BE: 0).")?;
    assert!(start.elapsed() >= Duration::from_millis(750), "{:?}", start.elapsed());
    assert_eq!(proxy.wait_for_exit()?.code(), Some(0));
    Ok(())
}

/// How long this many connections take, one after the other.
fn time_of(proxy: &Proxy, connections: usize) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..connections {
        assert_eq!(proxy.connect("fe")?.get("/", "Connection: close\r\n")?.status(), 200);
    }
    Ok(start.elapsed())
}

#[test]
fn rates_hold_connections_back() -> Result<()> {
    for limit in ["maxconnrate", "maxsessrate"] {
        let proxy = proxy(&answering(&format!("    {limit} 5\n"))).start()?;
        let time = time_of(&proxy, 8)?;
        assert!(
            (Duration::from_millis(350)..Duration::from_secs(4)).contains(&time),
            "{limit} {time:?}"
        );
    }
    let config = format!("{HTTP}{ANSWERING}    rate-limit sessions 5\n");
    let time = time_of(&proxy(&config).start()?, 8)?;
    assert!((Duration::from_millis(350)..Duration::from_secs(4)).contains(&time), "{time:?}");
    let unlimited = time_of(&proxy(&answering("")).start()?, 8)?;
    assert!(unlimited < Duration::from_millis(350), "{unlimited:?}");
    Ok(())
}

#[test]
fn rates_are_shown_and_set_while_running() -> Result<()> {
    let config = format!(
        "{CLI}    maxconnrate 2000\n    maxsessrate 1000\n{HTTP}{ANSWERING}    rate-limit sessions 500\n"
    );
    let proxy = proxy(&config).start()?;
    assert_eq!(proxy.stats()?.get("fe", "FRONTEND", "rate_lim")?, "500");
    let info = |name: &str| -> Result<String> {
        let text = proxy.cli("show info")?;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        Ok(line.context("no such line")?.to_owned())
    };
    assert_eq!((info("ConnRateLimit")?, info("SessRateLimit")?), ("2000".into(), "1000".into()));
    assert_eq!(proxy.cli("set rate-limit connections global 0")?, "\n");
    assert_eq!(proxy.cli("set rate-limit sessions global 5")?, "\n");
    assert_eq!((info("ConnRateLimit")?, info("SessRateLimit")?), ("0".into(), "5".into()));
    let time = time_of(&proxy, 8)?;
    assert!(time > Duration::from_millis(350), "{time:?}");
    for (command, answer) in [
        ("set rate-limit connections global", "Expects an integer value.\n\n"),
        ("set rate-limit connections global -5", "Value out of range.\n\n"),
    ] {
        assert_eq!(proxy.cli(command)?, answer);
    }
    let usage = proxy.cli("set rate-limit x global 1")?;
    assert!(usage.starts_with("'set rate-limit' only supports :\n   - 'connections global' to set the per-process maximum connection rate\n"), "{usage}");
    Ok(())
}

#[test]
fn variables_of_the_environment_are_seen_everywhere() -> Result<()> {
    let config = format!(
        "{CLI}    setenv SET one
    presetenv SET two
    presetenv PRESET \"${{SET}}-more\"
    setenv GONE x
    unsetenv GONE
{HTTP}frontend fe
    bind {{fe}}
    http-request set-header written \"${{PRESET}}\"
    http-request return status 200 content-type text/plain lf-string \"%[env(SET)] %[env(PRESET)] %[env(OUTER)] %[env(GONE)] %[req.hdr(written)]\"\n"
    );
    let proxy = proxy(&config).env("OUTER", "own").start()?;
    let answer = proxy.connect("fe")?.get("/", "")?;
    assert_eq!(answer.text(), "one one-more own  one-more");
    assert_eq!(proxy.cli("show env SET")?, "SET=one\n\n");
    assert_eq!(proxy.cli("show env PRESET")?, "PRESET=one-more\n\n");
    assert_eq!(proxy.cli("show env OUTER")?, "OUTER=own\n\n");
    assert_eq!(proxy.cli("show env GONE")?, "Variable not found\n\n");
    Ok(())
}

#[test]
fn addresses_know_variables_without_quotes() -> Result<()> {
    let web = Web::start("web")?;
    let (host, port) = (web.address().ip().to_string(), web.address().port().to_string());
    let config = format!(
        "{HTTP}listen fe\n    bind {{fe}}\n    server s1 $HOST:${{PORT}}${{NOTHING}} check addr ${{HOST}} port \"$PORT\"\n"
    );
    let proxy = proxy(&config).env("HOST", &host).env("PORT", &port).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "web");
    Ok(())
}

#[test]
fn resetenv_keeps_what_it_names() -> Result<()> {
    let config = format!("{CLI}    resetenv KEPT\n{HTTP}{ANSWERING}");
    let proxy = proxy(&config).env("KEPT", "a").env("LOST", "b").start()?;
    assert_eq!(proxy.cli("show env KEPT")?, "KEPT=a\n\n");
    assert_eq!(proxy.cli("show env LOST")?, "Variable not found\n\n");
    Ok(())
}

#[test]
fn node_and_description_are_shown() -> Result<()> {
    let config = format!("{CLI}    node lb7\n    description Front door\n{HTTP}{ANSWERING}");
    let proxy = proxy(&config).start()?;
    let info = proxy.cli("show info")?;
    assert!(
        info.contains("\nnode: lb7\n") && info.contains("\ndescription: Front door\n"),
        "{info}"
    );
    Ok(())
}
