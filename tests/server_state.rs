//! Server-state files (manual 4.2 "load-server-state-from-file"; management.txt 9.3 "show servers state"):
//! servers begin as they ended, and what is wrong with a file is told.

use anyhow::Result;
use haproxy_compat::harness::{Proxy, Signal, Web, eventually};

use crate::{CLI, HTTP, proxy, testing_reference};

const FILES: &str = "global
    server-state-file global.state
    server-state-base {dir}
";

/// Nine servers, of which no one is asked.
const SERVERS: &str = "    load-server-state-from-file global
frontend fe
    bind {fe}
    default_backend be
backend be
    server down 127.0.0.1:1
    server maint 127.0.0.1:2
    server weight 127.0.0.1:3 weight 10
    server disabled 127.0.0.1:4 disabled
    server drain 127.0.0.1:6
    server other-weight 127.0.0.1:7 weight 3
    server wrong 127.0.0.1:8
    server stopping 127.0.0.1:9 id 40
    server ready 127.0.0.1:10 disabled
    server backup 127.0.0.1:11 backup
";

/// The lines of `show servers state`, from the server's name on and without what changes.
fn states(proxy: &Proxy) -> Result<Vec<String>> {
    let table = proxy.cli("show servers state be")?;
    let lines = table.lines().skip(2).filter(|line| !line.is_empty());
    Ok(lines.map(|line| line.splitn(4, ' ').last().unwrap_or_default().to_owned()).collect())
}

fn config(sections: &str) -> String {
    format!("{CLI}{FILES}{HTTP}{sections}")
}

const LINES: &str = "1
# a comment

3 be 1 down 127.0.0.50 0 0 1 1 100 6 3 0 6 0 0 0 - 81 -
3 be 1 down 127.0.0.50 2 0 9 1 300 6 3 0 6 0 0 0 - 91 -
3 be 2 maint 127.0.0.51 2 1 1 1 200 6 3 4 6 0 0 0 - 82 -
3 be 3 weight 127.0.0.52 2 0 5 10 200 6 3 4 6 0 0 0 - 83 -
3 be 4 disabled 127.0.0.52 2 0 1 1 200 6 3 4 6 0 0 0 - 84 -
3 be 6 drain 127.0.0.55 2 8 1 1 200 6 3 4 6 0 0 0 - 86 -
3 be 7 other-weight 127.0.0.55 2 0 9 2 200 6 3 4 2 0 0 0 - 87 -
3 be 8 wrong 127.0.0.55 9 99 999 -1 x 99 99 y 999 999 5 5 bad!name 99999 -
3 be 9 stopping 127.0.0.55 3 0 1 1 200 6 3 4 6 0 0 0 - 89 -
3 be 10 ready 127.0.0.50 2 4 1 1 100 6 3 0 6 0 0 0 - 90 -
3 be 11 backup 127.0.0.50 0 0 1 1 100 6 3 0 6 0 0 0 - 91 -
3 be 77 nosuch 127.0.0.55 2 0 1 1 200 6 3 4 6 0 0 0 - 89 -
3 be short
";

#[test]
fn servers_begin_as_the_file_says() -> Result<()> {
    let started = proxy(&config(SERVERS)).file("global.state", LINES)?.start()?;
    for line in [
        "Server be/down is DOWN, changed from server-state after a reload. 6 active and 1 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
        "Server be/drain remains in forced drain mode.",
        "server-state application failed for server 'be/wrong', invalid srv_op_state value '9', invalid srv_admin_state value '99'",
        "Server be/stopping is stopping, changed from server-state after a reload.",
        "Server be/ready is UP/READY (leaving forced maintenance).",
        "Backup Server be/backup is DOWN, changed from server-state after a reload.",
    ] {
        started.wait_for_line(line)?;
    }
    let all = states(&started)?;
    let state = |name: &str| -> Vec<&str> {
        let line = all.iter().find(|line| line.split(' ').next() == Some(name));
        let words: Vec<&str> = line.map(|l| l.split(' ').collect()).unwrap_or_default();
        // Address, operational, administrative, weights; health; port.
        [1, 2, 3, 4, 5, 9, 15].iter().filter_map(|at| words.get(*at).copied()).collect()
    };
    assert_eq!(state("down"), ["127.0.0.1", "0", "0", "1", "1", "0", "81"]);
    assert_eq!(state("maint"), ["127.0.0.1", "0", "1", "1", "1", "0", "82"]);
    assert_eq!(state("weight"), ["127.0.0.1", "2", "0", "5", "10", "4", "83"]);
    assert_eq!(state("disabled"), ["127.0.0.1", "0", "5", "1", "1", "4", "84"]);
    assert_eq!(state("drain"), ["127.0.0.1", "2", "8", "1", "1", "4", "86"]);
    assert_eq!(state("other-weight"), ["127.0.0.1", "2", "0", "3", "3", "4", "87"]);
    assert_eq!(state("wrong"), ["127.0.0.1", "2", "0", "1", "1", "2", "8"]);
    assert_eq!(state("stopping"), ["127.0.0.1", "3", "0", "1", "1", "2", "89"]);
    assert_eq!(state("ready"), ["127.0.0.1", "2", "4", "1", "1", "4", "90"]);
    let stats = started.stats()?;
    assert!((100..130).contains(&stats.number("be", "down", "lastchg")?));
    assert_eq!(stats.get("be", "drain", "status")?, "DRAIN");
    Ok(())
}

#[test]
fn what_is_shown_is_read_back() -> Result<()> {
    let sections = SERVERS.replace("default_backend be\n", "");
    let first = proxy(&config(&sections)).start()?;
    for command in [
        "set server be/down health down",
        "set server be/maint state maint",
        "set server be/weight weight 5",
        "set server be/drain state drain",
        "set server be/stopping health stopping",
        "set server be/ready state ready",
    ] {
        assert_eq!(first.cli(command)?, "\n", "{command}");
    }
    let shown = first.cli("show servers state")?;
    let before = states(&first)?;
    let second = proxy(&config(&sections))
        .file("global.state", shown.trim_end_matches('\n').to_owned() + "\n")?
        .start()?;
    let settled = |line: &String| -> String {
        // Without the time since the last change, and how many checks a server without checks has passed.
        let words = line.split(' ').enumerate();
        words.filter(|(at, _)| ![6, 9].contains(at)).map(|(_, word)| format!("{word} ")).collect()
    };
    let (before, after): (Vec<_>, Vec<_>) =
        (before.iter().map(settled).collect(), states(&second)?.iter().map(settled).collect());
    assert_eq!(before, after);
    Ok(())
}

#[test]
fn proxies_have_files_of_their_own() -> Result<()> {
    let sections = "frontend fe\n bind {fe}\n default_backend be\n\
                    backend be\n load-server-state-from-file local\n server s1 127.0.0.1:1\n\
                    backend named\n load-server-state-from-file local\n server-state-file-name {dir}/two\n server s1 127.0.0.1:1\n\
                    backend none\n load-server-state-from-file none\n server s1 127.0.0.1:1\n\
                    backend unread\n load-server-state-from-file local\n server s1 127.0.0.1:1\n";
    let rest = "127.0.0.60 2 0 7 1 100 6 3 0 6 0";
    let lines = format!(
        "1\n9 be 1 s1 {rest} 0 0 - 81 -\n3 other 1 s1 {rest} 0 0 - 82 -\n3 be 1 zz {rest} 0 0 - 83 -\n3 be 1 s1 {rest} 0 0 - 84 -"
    );
    let builder = proxy(&config(sections)).file("be", &lines)?.file("two", "2\n")?;
    let builder = builder.file("none", &lines)?.file("global.state", "1\n")?;
    let started = builder.start()?;
    for line in [
        "backend ID mismatch: from server state file: '9', from running config '3'",
        "backend name mismatch: from server state file: 'other', from running config 'be'",
        "can't find server 'zz' in backend 'be'",
        "Can't get version of the server state file '",
    ] {
        started.wait_for_line(line)?;
    }
    let weight = |backend: &str| started.stats()?.number(backend, "s1", "weight");
    assert_eq!((weight("be")?, weight("named")?, weight("none")?, weight("unread")?), (7, 1, 1, 1));
    // The line without an end does not count.
    assert_eq!(states(&started)?[0].split(' ').nth(15), Some("81"));
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_told() -> Result<()> {
    let started = proxy(&config(SERVERS)).start()?;
    started.wait_for_line("Can't open global server state file '")?;
    started.wait_for_line("global.state': No such file or directory")?;
    // Another version is passed over in silence.
    let started =
        proxy(&config(SERVERS)).file("global.state", LINES.replacen('1', "7", 1))?.start()?;
    assert_eq!(started.stats()?.get("be", "down", "status")?, "no check");
    Ok(())
}

#[test]
fn names_have_their_last_addresses() -> Result<()> {
    let web = Web::start("web")?;
    let port = web.address().port();
    let sections = " load-server-state-from-file global\n\
                    resolvers dns\n nameserver n 127.0.0.1:9\n timeout resolve 1h\n timeout retry 1h\n\
                    frontend fe\n bind {fe}\n default_backend be\n\
                    backend be\n server s1 nosuch.invalid:80 init-addr last,none\n\
                    server-template t 2 _h._t.x resolvers dns\n\
                    server s2 a.invalid:80 init-addr last,none resolvers dns\n";
    let rest = "1 1 200 6 3 4 6 0 0 0";
    let lines = format!(
        "1\n3 be 1 s1 127.0.0.1 2 0 {rest} nosuch.invalid {port} -\n\
         3 be 2 t1 127.0.0.56 2 64 {rest} n1.x 8001 _h._t.x\n\
         3 be 3 t2 127.0.0.57 2 64 {rest} n2.x 8002 _other._t.x\n\
         3 be 4 s2 127.0.0.58 2 64 {rest} b.invalid 8003 -\n"
    );
    let started = proxy(&config(sections)).file("global.state", &lines)?.start()?;
    started.wait_for_line("server-state application failed for server 'be/t2', SRV record mismatch between configuration ('_h._t.x') and state file ('_other._t.x) for server 't2'. Previous state not applied")?;
    let all = states(&started)?;
    let words = |at: usize| -> Vec<&str> {
        let line: Vec<&str> = all[at].split(' ').collect();
        [0, 1, 2, 14, 15].iter().map(|at| line[*at]).collect()
    };
    assert_eq!(words(1), ["t1", "127.0.0.56", "2", "n1.x", "8001"]);
    assert_eq!(words(2)[..2], ["t2", "127.0.0.57"]);
    assert_eq!(words(3), ["s2", "127.0.0.58", "2", "b.invalid", "8003"]);
    started.cli("set server be/s2 state maint")?;
    started.cli("set server be/t1 state maint")?;
    started.cli("set server be/t2 state maint")?;
    assert_eq!(started.connect("fe")?.get("/", "")?.text(), "web");
    Ok(())
}

#[test]
fn a_state_that_is_adopted_beats_the_file() -> Result<()> {
    // HAProxy 2.3 starts a second process, which has nothing but the file.
    if testing_reference() {
        return Ok(());
    }
    let started = proxy(&config(SERVERS)).file("global.state", LINES)?.start()?;
    started.cli("set server be/drain state ready")?;
    started.cli("set server be/weight weight 8")?;
    started.rewrite_config(&config(&format!("{SERVERS} server fresh 127.0.0.1:12\n")))?;
    let line = "3 be 12 fresh 127.0.0.1 2 8 1 1 200 6 3 4 6 0 0 0 - 12 -\n";
    started.write_file("global.state", &format!("{LINES}{line}"))?;
    started.signal(Signal::SIGHUP)?;
    let column = |name: &str, at: usize| -> Result<Option<String>> {
        let all = states(&started)?;
        let line = all.iter().find(|line| line.split(' ').next() == Some(name));
        Ok(line.and_then(|line| line.split(' ').nth(at)).map(str::to_owned))
    };
    eventually("the new server is there", || Ok(column("fresh", 3)?.is_some()))?;
    assert_eq!(column("fresh", 3)?.as_deref(), Some("8"));
    assert_eq!(column("drain", 3)?.as_deref(), Some("0"));
    assert_eq!(column("weight", 4)?.as_deref(), Some("8"));
    Ok(())
}
