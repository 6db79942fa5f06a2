//! The process: exit codes, signals, background, pid files, rights, succession (management.txt 3 and 4).

use crate::{proxy, testing_reference};
use anyhow::{Context, Result, ensure};
use haproxy_compat::harness::{Builder, PATIENCE, Proxy, Signal, Web, eventually};
use nix::sys::signal::kill;
use nix::unistd::{Pid, geteuid};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// A frontend and a server; `{s1}` is to be named.
pub const FORWARDING: &str = "
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend fe
    bind {fe}
    default_backend be
backend be
    server s1 {s1}
";

/// Above a configuration, for what belongs to the whole process.
fn with_global(lines: &str) -> String {
    format!("global\n{lines}\n{FORWARDING}")
}

fn forwarding(web: &Web, config: &str, args: &[&str]) -> Builder {
    proxy(config).name("s1", web.address()).args(args)
}

fn get(proxy: &Proxy) -> Result<u16> {
    Ok(proxy.connect("fe")?.get("/", "")?.status())
}

/// Says that a test did not run, and why.
fn not_run_without_root(test: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        println!("not run: {test} needs root");
    }
    !root
}

#[test]
fn checking_tells_by_the_exit_status() -> Result<()> {
    let check = |config: &str| proxy(config).args(&["-c"]).run();
    let valid = check("listen l\n    bind {fe}\n")?;
    assert_eq!(valid.status.code(), Some(0));
    assert!(valid.stdout.ends_with("Configuration file is valid\n"), "{}", valid.stdout);
    let invalid = check("listen l\n    bind {fe}\n    nonsense\n")?;
    assert_eq!(invalid.status.code(), Some(1));
    assert!(invalid.stderr.contains("unknown keyword 'nonsense' in 'listen' section"));
    let idle = check("backend b\n    balance roundrobin\n")?;
    assert_eq!(idle.status.code(), Some(2));
    let text = "Configuration file has no error but will not start (no listener) => exit(2).";
    assert!(idle.stdout.contains(text), "{}", idle.stdout);
    Ok(())
}

#[test]
fn the_command_line_is_checked_too() -> Result<()> {
    let run = |args: &[&str]| Proxy::without_config().binary(crate::binary()).args(args).run();
    assert_eq!(run(&["-v"])?.status.code(), Some(0));
    assert!(run(&["-vv"])?.stdout.starts_with("HA-Proxy version 2.") || testing_reference());
    for wrong in [&[][..], &["-z"], &["-f", "/nonexistent.cfg"], &["-c", "-C", "/nonexistent"]] {
        assert_eq!(run(wrong)?.status.code(), Some(1), "{wrong:?}");
    }
    Ok(())
}

#[test]
fn nothing_starts_without_a_listener() -> Result<()> {
    let finished = proxy("backend b\n    balance roundrobin\n").args(&["-db"]).run()?;
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stderr.contains("No enabled listener found"), "{}", finished.stderr);
    Ok(())
}

#[test]
fn an_occupied_address_refuses_the_start() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let config = format!(
        "frontend fe\n    mode http\n    bind {}\n    timeout client 1s\n",
        taken.local_addr()?
    );
    let finished = proxy(&config).args(&["-db"]).run()?;
    assert_eq!(finished.status.code(), Some(1));
    let line = format!(
        "Starting frontend fe: cannot bind socket (Address already in use) [{}]",
        taken.local_addr()?
    );
    assert!(finished.stderr.contains(&line), "{}", finished.stderr);
    Ok(())
}

/// Whether `SIGINT` was ignored when this process began: its children inherit that.
fn started_ignoring_interrupts() -> Result<bool> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).context("SigIgn")?;
    let mask = u64::from_str_radix(ignored.trim(), 16)?;
    Ok(mask & 1 << (Signal::SIGINT as i32 - 1) != 0)
}

#[test]
fn alone_it_dies_by_the_signal() -> Result<()> {
    let web = Web::start("s1")?;
    let ignored = started_ignoring_interrupts()?;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        if signal == Signal::SIGINT && ignored {
            println!("not run: SIGINT is ignored here, as shells have it in the background");
            continue;
        }
        let proxy = forwarding(&web, FORWARDING, &["-db"]).start()?;
        assert_eq!(get(&proxy)?, 200);
        proxy.signal(signal)?;
        assert_eq!(proxy.wait_for_exit()?.signal(), Some(signal as i32));
    }
    Ok(())
}

#[test]
fn alone_it_finishes_what_it_had_begun() -> Result<()> {
    let web = Web::answering(|_| {
        std::thread::sleep(Duration::from_millis(300));
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()
    })?;
    let proxy = forwarding(&web, FORWARDING, &["-db"]).start()?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    web.wait_for_requests(1)?;
    proxy.signal(Signal::SIGUSR1)?;
    assert_eq!(client.response()?.status(), 200);
    client.expect_close()?;
    assert_eq!(proxy.wait_for_exit()?.code(), Some(0));
    Ok(())
}

#[test]
fn pausing_leaves_connections_waiting() -> Result<()> {
    let web = Web::start("s1")?;
    let proxy = forwarding(&web, FORWARDING, &["-W", "-db"]).start()?;
    assert_eq!(get(&proxy)?, 200);
    if testing_reference() {
        return Ok(());
    }
    proxy.signal(Signal::SIGTTOU)?;
    proxy.wait_for_line("Paused frontend fe.")?;
    let mut waiting = proxy.connect("fe")?;
    waiting.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    waiting.expect_silence(Duration::from_millis(200))?;
    proxy.signal(Signal::SIGTTIN)?;
    proxy.wait_for_line("Resumed frontend fe.")?;
    assert_eq!(waiting.response()?.status(), 200);
    Ok(())
}

#[test]
fn a_quit_signal_shows_the_pools_and_is_survived() -> Result<()> {
    let web = Web::start("s1")?;
    let config = format!(
        "{FORWARDING}    stick-table type ip size 10 store http_req_cnt\n    http-request track-sc0 src\n"
    );
    let proxy = forwarding(&web, &config, &["-db"]).start()?;
    let mut client = proxy.connect("fe")?;
    assert_eq!(client.get("/", "")?.status(), 200);
    proxy.signal(Signal::SIGQUIT)?;
    proxy.wait_for_line("Dumping pools usage.")?;
    let buffer = proxy.wait_for_line("  - Pool buffer (16384 bytes) : ")?;
    assert!(buffer.contains(" 0 failures, "), "{buffer}");
    let total = proxy.wait_for_line("Total: ")?;
    assert!(total.contains(" bytes allocated, ") && total.ends_with(" used."), "{total}");
    assert_eq!(get(&proxy)?, 200);
    if testing_reference() {
        return Ok(());
    }
    let counted = |pool: &str| -> Result<Vec<u64>> {
        let line = proxy.wait_for_line(&format!("  - Pool {pool} ("))?;
        let words = line.split(|c: char| !c.is_ascii_digit()).filter_map(|w| w.parse().ok());
        Ok(words.collect())
    };
    // Bytes of one, how many, their bytes, how many in use.
    let [size, allocated, bytes, used] = counted("session")?[..4] else { panic!("no numbers") };
    assert_eq!((allocated, bytes, used), (1, size, 1));
    assert_eq!(counted("sticktables")?[1], 1);
    assert_eq!(counted("stream")?[1], 0, "a connection at rest has none");
    Ok(())
}

#[test]
fn a_master_ends_with_haproxys_codes_and_lines() -> Result<()> {
    let web = Web::start("s1")?;
    let endings = [
        (Signal::SIGUSR1, 0, "code 0 (Exit)", "Exiting... (0)"),
        (Signal::SIGTERM, 0, "code 143 (Terminated)", "Exiting... (0)"),
        (Signal::SIGINT, 130, "code 130 (Interrupt)", "Exiting... (130)"),
    ];
    for (signal, status, worker, all) in endings {
        let proxy = forwarding(&web, FORWARDING, &["-W", "-db"]).start()?;
        assert_eq!(get(&proxy)?, 200);
        let pid = proxy.workers()[0];
        proxy.wait_for_line(&format!("New worker #1 ({pid}) forked"))?;
        proxy.signal(signal)?;
        assert_eq!(proxy.wait_for_exit()?.code(), Some(status), "{signal}");
        proxy.wait_for_line("Exiting Master process...")?;
        proxy.wait_for_line(&format!("Current worker #1 ({pid}) exited with {worker}"))?;
        proxy.wait_for_line(&format!("All workers exited. {all}"))?;
    }
    Ok(())
}

#[test]
fn a_worker_that_dies_takes_its_master_along() -> Result<()> {
    let web = Web::start("s1")?;
    let proxy = forwarding(&web, FORWARDING, &["-W", "-db"]).start()?;
    assert_eq!(get(&proxy)?, 200);
    let pid = proxy.workers()[0];
    kill(Pid::from_raw(pid), Signal::SIGKILL)?;
    assert_eq!(proxy.wait_for_exit()?.code(), Some(137));
    proxy.wait_for_line(&format!("Current worker #1 ({pid}) exited with code 137 (Killed)"))?;
    proxy.wait_for_line("exit-on-failure: killing every processes with SIGTERM")?;
    proxy.wait_for_line("All workers exited. Exiting... (137)")?;
    Ok(())
}

#[test]
fn a_worker_that_cannot_start_ends_the_master() -> Result<()> {
    if not_run_without_root("a_worker_that_cannot_start_ends_the_master") {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let config = with_global("    chroot /nonexistent");
    let finished = forwarding(&web, &config, &["-W", "-db"]).run()?;
    assert_eq!(finished.status.code(), Some(1));
    let lines = ["Cannot chroot(/nonexistent).", "exited with code 1 (Exit)", "Exiting... (1)"];
    for line in lines {
        assert!(finished.stderr.contains(line), "{}", finished.stderr);
    }
    Ok(())
}

#[test]
fn a_worker_does_not_outlive_its_master() -> Result<()> {
    let web = Web::start("s1")?;
    let proxy = forwarding(&web, FORWARDING, &["-W", "-db"]).start()?;
    let worker = Pid::from_raw(proxy.workers()[0]);
    proxy.signal(Signal::SIGKILL)?;
    proxy.wait_for_exit()?;
    eventually("the worker ends", || Ok(!is_alive(worker)))
}

/// A process that has ended but was not reaped by whoever inherited it counts as ended.
fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn stopping_a_container_does_not_wait_for_idle_clients() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let proxy = forwarding(&web, FORWARDING, &["-W", "-db"]).start()?;
    let mut client = proxy.connect("fe")?;
    assert_eq!(client.get("/", "")?.status(), 200);
    let start = Instant::now();
    proxy.signal(Signal::SIGUSR1)?;
    assert_eq!(proxy.wait_for_exit()?.code(), Some(0));
    client.expect_close()?;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    Ok(())
}

#[test]
fn a_soft_stop_has_a_limit() -> Result<()> {
    let web = Web::answering(|_| {
        std::thread::sleep(Duration::from_secs(3));
        Vec::new()
    })?;
    let config = with_global("    hard-stop-after 300ms");
    let proxy = forwarding(&web, &config, &["-W", "-db"]).start()?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    web.wait_for_requests(1)?;
    let start = Instant::now();
    proxy.signal(Signal::SIGUSR1)?;
    proxy.wait_for_exit()?;
    let took = start.elapsed();
    assert!((Duration::from_millis(250)..Duration::from_secs(2)).contains(&took), "{took:?}");
    Ok(())
}

#[test]
fn a_daemon_is_up_when_the_command_returns() -> Result<()> {
    let web = Web::start("s1")?;
    for mode in [&["-D", "-p", "{dir}/pid"][..], &["-W", "-D", "-p", "{dir}/pid"]] {
        let proxy = forwarding(&web, FORWARDING, mode).spawn()?;
        assert_eq!(proxy.wait_for_exit()?.code(), Some(0), "{}", proxy.report());
        let pid = std::fs::read_to_string(proxy.folder().join("pid"))?;
        let pid = Pid::from_raw(pid.trim().parse()?);
        assert_eq!(get(&proxy)?, 200);
        assert_eq!(nix::unistd::getsid(Some(pid))?, pid, "it leads a session of its own");
        kill(pid, Signal::SIGUSR1)?;
        eventually("the daemon ends", || Ok(!is_alive(pid)))?;
    }
    Ok(())
}

#[test]
fn a_daemon_that_cannot_start_says_so() -> Result<()> {
    let config = with_global("    chroot /nonexistent");
    let web = Web::start("s1")?;
    let finished = forwarding(&web, &config, &["-D"]).run()?;
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stderr.contains("Cannot chroot(/nonexistent)."), "{}", finished.stderr);
    Ok(())
}

#[test]
fn rights_are_really_given_up() -> Result<()> {
    if not_run_without_root("rights_are_really_given_up") {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let config = with_global("    chroot {dir}\n    uid 65534\n    gid 65534");
    let proxy = forwarding(&web, &config, &["-W", "-db"]).start()?;
    assert_eq!(get(&proxy)?, 200);
    let worker = proxy.workers()[0];
    for (pid, id) in [(proxy.pid(), 0), (worker, 65534)] {
        for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let status = std::fs::read_to_string(thread?.path().join("status"))?;
            let field = |name: &str| {
                let line = status.lines().find(|line| line.starts_with(name));
                line.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
            };
            assert_eq!(field("Uid:"), Some(format!("{id} {id} {id} {id}")));
            assert_eq!(field("Gid:"), Some(format!("{id} {id} {id} {id}")));
            assert!(id == 0 || field("Groups:").is_some_and(|groups| groups.is_empty()));
        }
    }
    assert_eq!(std::fs::read_link(format!("/proc/{worker}/root"))?, proxy.folder());
    if testing_reference() {
        return Ok(());
    }
    // The master can still do for it what it cannot.
    proxy.rewrite_config(&format!(
        "{config}frontend more\n    bind {{more}}\n    default_backend be\n"
    ))?;
    proxy.signal(Signal::SIGHUP)?;
    proxy.wait_for_line(&format!("reloaded in place by worker #1 ({worker})"))?;
    assert_eq!(proxy.connect("more")?.get("/", "")?.status(), 200);
    Ok(())
}

#[test]
fn alone_and_without_rights_it_says_why_it_cannot_reload() -> Result<()> {
    if not_run_without_root("alone_and_without_rights_it_says_why_it_cannot_reload")
        || testing_reference()
    {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let config = with_global("    uid 65534\n    gid 65534");
    let proxy = forwarding(&web, &config, &["-db"]).start()?;
    proxy.signal(Signal::SIGHUP)?;
    let line = proxy.wait_for_line("Reload impossible")?;
    assert!(line.contains("[ALERT]") && line.contains("-W"), "{line}");
    assert_eq!(get(&proxy)?, 200);
    Ok(())
}

#[test]
fn a_successor_takes_over() -> Result<()> {
    let web = Web::start("s1")?;
    for mode in [&["-db"][..], &["-W", "-db"]] {
        let old = forwarding(&web, FORWARDING, mode).start()?;
        let mut begun = old.connect("fe")?;
        assert_eq!(begun.get("/", "")?.status(), 200);
        let pid = old.pid().to_string();
        let mut args = mode.to_vec();
        args.extend(["-sf", &pid]);
        let new = forwarding(&web, FORWARDING, &args).in_place_of(&old).start()?;
        begun.set_patience(PATIENCE);
        begun.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").ok();
        assert_eq!(old.wait_for_exit()?.code(), Some(0), "{}", new.report());
        assert_eq!(get(&new)?, 200);
    }
    Ok(())
}

#[test]
fn a_process_that_finishes_takes_no_new_connections() -> Result<()> {
    let web = Web::answering(|message| {
        if message.target() == "/slow" {
            std::thread::sleep(Duration::from_millis(500));
        }
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()
    })?;
    let old = forwarding(&web, FORWARDING, &["-db"]).start()?;
    let mut begun = old.connect("fe")?;
    begun.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")?;
    web.wait_for_requests(1)?;
    let pid = old.pid().to_string();
    let new = forwarding(&web, FORWARDING, &["-db", "-sf", &pid]).in_place_of(&old).spawn()?;
    old.wait_for_line("Proxy fe stopped")?;
    for _ in 0..20 {
        assert_eq!(get(&new)?, 200);
    }
    assert_eq!(begun.response()?.status(), 200);
    assert_eq!(old.wait_for_exit()?.code(), Some(0));
    Ok(())
}

#[test]
fn a_successor_that_fails_leaves_the_old_process_alone() -> Result<()> {
    let web = Web::start("s1")?;
    let old = forwarding(&web, FORWARDING, &["-db"]).start()?;
    let pid = old.pid().to_string();
    let wrong = format!("{FORWARDING}    nonsense\n");
    let finished = forwarding(&web, &wrong, &["-db", "-sf", &pid]).run()?;
    assert_eq!(finished.status.code(), Some(1));
    assert_eq!(get(&old)?, 200);
    Ok(())
}

#[test]
fn systemd_hears_of_start_and_reload() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let builder = forwarding(&web, FORWARDING, &["-Ws"]);
    let path = builder.folder()?.join("notify");
    let systemd = UnixDatagram::bind(&path)?;
    systemd.set_read_timeout(Some(PATIENCE))?;
    let proxy = builder.env("NOTIFY_SOCKET", path.to_str().context("path")?).start()?;
    let hear = || -> Result<String> {
        let mut buffer = [0; 256];
        let length = systemd.recv(&mut buffer)?;
        Ok(String::from_utf8(buffer[..length].to_vec())?)
    };
    let ready = format!("READY=1\nMAINPID={}", proxy.pid());
    assert_eq!(hear()?, ready);
    proxy.signal(Signal::SIGUSR2)?;
    assert_eq!(hear()?, "RELOADING=1");
    assert_eq!(hear()?, ready);
    proxy.signal(Signal::SIGTERM)?;
    assert_eq!(hear()?, "STOPPING=1");
    Ok(())
}

#[test]
fn the_masters_socket_shows_and_reloads() -> Result<()> {
    let web = Web::start("s1")?;
    let proxy = forwarding(&web, FORWARDING, &["-W", "-db", "-S", "{master}"]).start()?;
    let worker = proxy.workers()[0];
    let shown = proxy.master_cli("show proc")?;
    let rows: Vec<Vec<&str>> = shown.lines().map(|l| l.split_whitespace().collect()).collect();
    let (master, pid) = (proxy.pid().to_string(), worker.to_string());
    assert_eq!(rows[1][..4], [master.as_str(), "master", "0", "0"], "{shown}");
    assert_eq!(rows[2], ["#", "workers"]);
    assert_eq!(rows[3][..4], [pid.as_str(), "worker", "1", "0"], "{shown}");
    assert!(proxy.master_cli("nonsense")?.contains("show proc      : show processes status"));
    if testing_reference() {
        return Ok(());
    }
    assert!(proxy.master_cli("reload")?.starts_with("Success=1"));
    proxy.rewrite_config(&format!("{FORWARDING}    nonsense\n"))?;
    let refused = proxy.master_cli("reload")?;
    assert!(refused.starts_with("Success=0") && refused.contains("'nonsense'"), "{refused}");
    let shown = proxy.master_cli("show proc")?;
    assert!(shown.lines().any(|line| line.starts_with(&pid) && !line.contains("was")), "{shown}");
    let info = proxy.master_cli("@1 show info")?;
    assert!(info.contains(&format!("Pid: {pid}\n")), "{info}");
    ensure!(proxy.master_cli("@!1 show info")?.contains("Can't find the target PID"));
    Ok(())
}

/// The reference to hand over to and take over from, if this machine has one.
fn reference() -> Option<String> {
    let path = std::env::var("HAPROXY_REFERENCE_BINARY").unwrap_or("/usr/sbin/haproxy".into());
    std::path::Path::new(&path).exists().then_some(path)
}

#[test]
fn listening_sockets_change_hands() -> Result<()> {
    let web = Web::start("s1")?;
    let config = with_global("    stats socket {cli} mode 600 level admin expose-fd listeners");
    let mut pairs = vec![(crate::binary(), crate::binary())];
    match reference() {
        Some(path) => {
            pairs.push((path.clone(), crate::binary()));
            pairs.push((crate::binary(), path));
        }
        None => println!("not run: handing over to a reference haproxy, there is none"),
    }
    for (from, to) in pairs {
        // Without SO_REUSEPORT there is no second socket at one address: it must be the same one.
        let old = forwarding(&web, &config, &["-db", "-dR"]).binary(&from).start()?;
        assert_eq!(get(&old)?, 200);
        let pid = old.pid().to_string();
        let new = forwarding(&web, &config, &["-db", "-dR", "-x", "{cli}", "-sf", &pid]);
        let new = new.binary(&to).in_place_of(&old).start()?;
        assert_eq!(old.wait_for_exit()?.code(), Some(0), "{from} to {to}");
        assert_eq!(get(&new)?, 200, "{from} to {to}");
    }
    Ok(())
}

#[test]
fn a_runtime_socket_gives_nothing_away_unless_told_to() -> Result<()> {
    let web = Web::start("s1")?;
    let config = with_global("    stats socket {cli} mode 600 level admin");
    let proxy = forwarding(&web, &config, &["-db"]).start()?;
    assert_eq!(proxy.cli("_getsocks")?, "");
    Ok(())
}

#[test]
fn the_configuration_sets_its_own_variables() -> Result<()> {
    let web = Web::start("s1")?;
    let config = with_global(
        "    presetenv MODE tcp\n    setenv FRONT fe\n    setenv GONE x\n    unsetenv GONE\n    \
         presetenv GONE http\n    presetenv FRONT nothing",
    );
    let config = config
        .replace("mode http", "mode \"${GONE}\"")
        .replace("frontend fe", "frontend \"${FRONT}\"");
    let proxy = forwarding(&web, &config, &["-db"]).env("MODE", "http").start()?;
    assert_eq!(get(&proxy)?, 200);
    proxy.signal(Signal::SIGUSR1)?;
    proxy.wait_for_line("Proxy fe stopped")?;
    Ok(())
}

#[test]
fn threads_stay_on_their_cpus() -> Result<()> {
    let web = Web::start("s1")?;
    let config = with_global("    nbthread 1\n    cpu-map 1/1 0");
    let proxy = forwarding(&web, &config, &["-db"]).start()?;
    assert_eq!(get(&proxy)?, 200);
    let mut allowed = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{}/task", proxy.pid()))? {
        let status = std::fs::read_to_string(thread?.path().join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        allowed.push(line.unwrap_or_default().trim().to_owned());
    }
    assert!(allowed.contains(&"0".to_owned()), "{allowed:?}");
    Ok(())
}

#[test]
fn descriptors_suffice_for_the_connections_that_are_allowed() -> Result<()> {
    let web = Web::start("s1")?;
    let limit = |proxy: &Proxy| -> Result<u64> {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", proxy.pid()))?;
        let line =
            limits.lines().find(|line| line.starts_with("Max open files")).context("line")?;
        Ok(line.split_whitespace().nth(3).context("soft limit")?.parse()?)
    };
    let proxy = forwarding(&web, &with_global("    ulimit-n 3000"), &["-db"]).start()?;
    assert_eq!(limit(&proxy)?, 3000);
    let proxy = forwarding(&web, FORWARDING, &["-db", "-n", "1500"]).start()?;
    assert!(limit(&proxy)? > 3000);
    Ok(())
}

#[test]
fn warnings_can_be_forbidden() -> Result<()> {
    let warned = "frontend fe\n    mode http\n    bind {fe}\n";
    let check = |config: &str, args: &[&str]| proxy(config).args(args).run();
    let finished = check(warned, &["-c"])?;
    assert_eq!(finished.status.code(), Some(0));
    assert!(finished.stdout.contains("Warnings were found."), "{}", finished.stdout);
    let forbidden = format!("global\n    zero-warning\n{warned}");
    for finished in [check(warned, &["-c", "-dW"])?, check(&forbidden, &["-c"])?] {
        assert_eq!(finished.status.code(), Some(1));
        let text = "Some warnings were found and 'zero-warning' is set. Aborting.";
        assert!(finished.stderr.contains(text), "{}", finished.stderr);
    }
    Ok(())
}

#[test]
fn sockets_need_not_share_their_port() -> Result<()> {
    let web = Web::start("s1")?;
    let config = with_global("    noreuseport");
    let first = forwarding(&web, &config, &["-db"]).start()?;
    let second = forwarding(&web, &config, &["-db"]).in_place_of(&first).run()?;
    assert_eq!(second.status.code(), Some(1), "{}", second.stderr);
    let second = forwarding(&web, FORWARDING, &["-db", "-dR"]).in_place_of(&first).run()?;
    assert_eq!(second.status.code(), Some(1), "{}", second.stderr);
    Ok(())
}

#[test]
fn what_is_not_built_yet_is_named_and_does_not_start() -> Result<()> {
    if testing_reference() {
        return Ok(());
    }
    let web = Web::start("s1")?;
    let config = with_global("    lua-load /nonexistent.lua");
    let checked = forwarding(&web, &config, &["-c"]).run()?;
    assert_eq!(checked.status.code(), Some(0), "{}", checked.stderr);
    let started = forwarding(&web, &config, &["-db"]).run()?;
    assert_eq!(started.status.code(), Some(1));
    for (finished, level) in [(checked, "[WARNING]"), (started, "[ALERT]")] {
        let line =
            finished.stderr.lines().find(|line| line.contains("'lua-load' is not built yet"));
        assert!(line.is_some_and(|line| line.starts_with(level)), "{}", finished.stderr);
    }
    Ok(())
}
