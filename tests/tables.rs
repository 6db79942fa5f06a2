//! Stick tables (manual 4.2 "stick-table", "http-request track-sc0", 7.3): counted, shown, kept.

use std::time::Duration;

use anyhow::{Context, Result};
use haproxy_compat::harness::{Proxy, Signal, Web, eventually};

use crate::{proxy, testing_reference};

const CONFIG: &str = "
global
    stats socket {cli} level admin
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend fe
    bind {fe}
    http-request track-sc0 src table clients
    http-request track-sc1 path table paths
    http-request sc-inc-gpc0(0) if { path /gpc0 }
    http-request sc-set-gpt0(0) 7 if { path /gpt0 }
    http-request deny deny_status 429 if { path /limited } { sc_http_req_cnt(1) gt 2 }
    http-request deny if { path /known } { path,table_http_req_cnt(paths) gt 1 }
    http-request deny if { src_get_gpc0(clients) gt 8 }
    default_backend be
backend be
    server s1 {s1}
backend clients
    stick-table type ip size 1k expire 1m store gpt0,gpc0,conn_cnt,conn_cur,http_req_cnt,http_req_rate(10s),http_err_cnt,bytes_in_cnt,bytes_out_cnt
backend paths
    stick-table type string len 20 size 3 store http_req_cnt
backend numbers
    stick-table type integer size 100 expire 1s store gpc0
";

fn start() -> Result<(Proxy, Web)> {
    let web = Web::start("here")?;
    let started = proxy(CONFIG).name("s1", web.address()).start()?;
    Ok((started, web))
}

fn status(proxy: &Proxy, path: &str) -> Result<u16> {
    Ok(proxy.connect("fe")?.get(path, "")?.status())
}

/// A datum of the entry with this key, as `show table` prints it.
fn datum(proxy: &Proxy, table: &str, key: &str, name: &str) -> Result<i64> {
    let text = proxy.cli(&format!("show table {table}"))?;
    let line = text.lines().find(|line| line.contains(&format!(": key={key} ")));
    let line = line.with_context(|| format!("no {key} in {text}"))?;
    let word = line.split(' ').find_map(|word| word.strip_prefix(&format!("{name}=")));
    Ok(word.with_context(|| format!("no {name} in {line}"))?.parse()?)
}

#[test]
fn what_is_tracked_is_counted_and_shown() -> Result<()> {
    let (proxy, _web) = start()?;
    for path in ["/a", "/a", "/gpc0", "/gpt0"] {
        assert_eq!(status(&proxy, path)?, 200);
    }
    let of = |name: &str| datum(&proxy, "clients", "127.0.0.1", name);
    eventually("the last connection is no longer tracked", || Ok(of("use")? == 0))?;
    assert_eq!((of("gpc0")?, of("gpt0")?), (1, 7));
    assert_eq!((of("conn_cnt")?, of("conn_cur")?), (4, 0));
    assert_eq!((of("http_req_cnt")?, of("http_req_rate(10000)")?, of("http_err_cnt")?), (4, 4, 0));
    assert!(of("bytes_in_cnt")? > 100 && of("bytes_out_cnt")? > 100);
    assert!((50_000..=60_000).contains(&of("exp")?));
    assert_eq!(datum(&proxy, "paths", "/a", "http_req_cnt")?, 2);
    let all = proxy.cli("show table")?;
    let headers = "# table: numbers, type: integer, size:100, used:0\n\
                   # table: paths, type: string, size:3, used:3\n\
                   # table: clients, type: ip, size:1024, used:1\n\n";
    assert_eq!(all, headers);
    Ok(())
}

#[test]
fn counters_decide_in_conditions() -> Result<()> {
    let (proxy, _web) = start()?;
    let limited: Vec<_> = (0..4).map(|_| status(&proxy, "/limited")).collect::<Result<_>>()?;
    assert_eq!(limited, [200, 200, 429, 429]);
    let known: Vec<_> = (0..2).map(|_| status(&proxy, "/known")).collect::<Result<_>>()?;
    assert_eq!(known, [200, 403]);
    assert_eq!(status(&proxy, "/a")?, 200);
    assert_eq!(proxy.cli("set table clients key 127.0.0.1 data.gpc0 9")?, "\n");
    assert_eq!(status(&proxy, "/a")?, 403);
    Ok(())
}

#[test]
fn a_full_table_forgets_the_oldest_and_long_keys_are_cut() -> Result<()> {
    let (proxy, _web) = start()?;
    for path in ["/a", "/b", "/0123456789012345678901234", "/d"] {
        status(&proxy, path)?;
    }
    let text = proxy.cli("show table paths")?;
    let keys: Vec<_> = text.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(keys.get(1..), Some(&["key=/0123456789012345678", "key=/b", "key=/d"][..]));
    Ok(())
}

#[test]
fn entries_are_set_filtered_and_cleared() -> Result<()> {
    let (proxy, _web) = start()?;
    let cli = |line: &str| proxy.cli(line);
    for (key, value) in [(5, 1), (70, 2), (9, 3)] {
        assert_eq!(cli(&format!("set table numbers key {key} data.gpc0 {value}"))?, "\n");
    }
    let text = cli("show table numbers data.gpc0 ge 2")?;
    let keys: Vec<_> = text.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(keys, ["table:", "key=9", "key=70"]);
    assert_eq!(cli("clear table numbers key 5")?, "\n");
    assert_eq!(cli("clear table numbers data.gpc0 eq 3")?, "\n");
    assert!(cli("show table numbers")?.contains("used:1\n"));
    let cases = [
        ("show table no", "No such table\n"),
        ("show table numbers key", "Key value expected\n"),
        ("show table numbers data.x", "Filter entry #1: Unknown data type\n"),
        (
            "show table numbers data.gpc1 eq 0",
            "Filter entry #1: Data type not stored in this table\n",
        ),
        (
            "show table numbers data.gpc0 eq x",
            "Filter entry #1: Require a valid integer value to compare against\n",
        ),
        ("set table numbers key x", "Invalid key\n"),
        ("set table numbers key 1 data.gpc0", "Require a valid integer value to store\n"),
        ("set table numbers key 1 foo 1", "\"data.<type>\" followed by a value expected\n"),
    ];
    for (command, answer) in cases {
        assert_eq!(cli(command)?, format!("{answer}\n"), "{command}");
    }
    eventually("the entries have expired", || Ok(cli("show table numbers")?.contains("used:0\n")))
}

#[test]
fn a_tracked_entry_is_in_use() -> Result<()> {
    let web = Web::answering(|_| {
        std::thread::sleep(Duration::from_millis(300));
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()
    })?;
    let proxy = proxy(CONFIG).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    web.wait_for_requests(1)?;
    assert_eq!(datum(&proxy, "clients", "127.0.0.1", "use")?, 1);
    assert_eq!(datum(&proxy, "clients", "127.0.0.1", "conn_cur")?, 1);
    let refused = proxy.cli("clear table clients key 127.0.0.1")?;
    assert_eq!(refused, "Entry currently in use, cannot remove\n\n");
    assert_eq!(client.response()?.status(), 200);
    eventually(
        "the request is over",
        || Ok(datum(&proxy, "clients", "127.0.0.1", "conn_cur")? == 0),
    )
}

#[test]
fn entries_outlive_a_reload() -> Result<()> {
    // HAProxy needs peers for that.
    if testing_reference() {
        return Ok(());
    }
    let web = Web::start("here")?;
    let proxy = proxy(CONFIG).name("s1", web.address()).args(&["-W", "-db"]).start()?;
    status(&proxy, "/a")?;
    proxy.rewrite_config(&CONFIG.replace("size 1k expire 1m", "size 2k expire 2m"))?;
    proxy.signal(Signal::SIGUSR2)?;
    eventually("the new configuration runs", || {
        Ok(proxy.cli("show table")?.contains("clients, type: ip, size:2048"))
    })?;
    assert_eq!(datum(&proxy, "clients", "127.0.0.1", "http_req_cnt")?, 1);
    Ok(())
}

#[test]
fn mistakes_in_the_directive_are_named() -> Result<()> {
    let cases = [
        ("type ip", "stick-table: missing size."),
        ("size 1k", "stick-table: missing type."),
        ("type foo size 1k", "stick-table: unknown type 'foo'."),
        ("type ip size x", "stick-table: unexpected character 'x' in argument of 'size'."),
        ("type ip size 1k foo", "stick-table: unknown argument 'foo'."),
        ("type ip size 1k store foo", "stick-table: unknown store option 'foo'."),
        (
            "type ip size 1k store conn_rate",
            "stick-table: missing argument to store option 'conn_rate'.",
        ),
        (
            "type ip size 1k store gpc0(1)",
            "stick-table: unexpected argument to store option 'gpc0'.",
        ),
    ];
    for (words, message) in cases {
        let config = format!("listen l\n    bind {{fe}}\n    stick-table {words}\n");
        let finished = proxy(&config).args(&["-c"]).run()?;
        assert_eq!(finished.status.code(), Some(1), "{words}");
        assert!(finished.stderr.contains(message), "{words}: {}", finished.stderr);
    }
    Ok(())
}
