//! The runtime socket (management.txt 9.3): commands, their answers and their effect on traffic.

use std::time::Duration;

use anyhow::{Context, Result};
use haproxy_compat::harness::{Cli, Proxy, Web, eventually};

use crate::{proxy, testing_reference};

const CONFIG: &str = "
global
    stats socket {cli} level admin
    stats timeout 4s
    stats socket {dir}/user.sock level user
    stats socket {dir}/operator.sock
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
    server s2 {s2}
backend other
    server s1 {s1}
";

struct Setup {
    proxy: Proxy,
    _web: [Web; 2],
}

fn start() -> Result<Setup> {
    let web = [Web::start("one")?, Web::start("two")?];
    let builder = proxy(CONFIG).name("s1", web[0].address()).name("s2", web[1].address());
    Ok(Setup { proxy: builder.start()?, _web: web })
}

/// Asks on another runtime socket.
fn ask(proxy: &Proxy, socket: &str, command: &str) -> Result<String> {
    Cli::at(&proxy.folder().join(format!("{socket}.sock"))).ask(command)
}

/// The bodies of four requests, each on a connection of its own.
fn four(proxy: &Proxy) -> Result<Vec<String>> {
    (0..4).map(|_| Ok(proxy.connect("fe")?.get("/", "")?.text())).collect()
}

fn column(proxy: &Proxy, server: &str, index: usize) -> Result<String> {
    let text = proxy.cli("show servers state be")?;
    let line = text.lines().find(|line| line.split(' ').nth(3) == Some(server));
    let line = line.with_context(|| format!("no {server} in {text}"))?;
    Ok(line.split(' ').nth(index).unwrap_or_default().to_owned())
}

#[test]
fn commands_stand_on_one_line_and_each_answer_ends_in_an_empty_one() -> Result<()> {
    let setup = start()?;
    let cli = |line: &str| setup.proxy.cli(line);
    assert_eq!(cli("show cli level")?, "admin\n\n");
    let three = cli("show cli level;show env NOT_THERE; show  backend")?;
    assert_eq!(three, "admin\n\nVariable not found\n\n# name\nbe\nother\n\n");
    assert_eq!(cli("show cli level;quit;show backend")?, "admin\n\n");
    assert_eq!(cli("show ta\\ble a\\;b")?, "No such table\n\n");
    let unknown = cli("nonsense")?;
    let first = "Unknown command. Please enter one of the following commands only :\n";
    assert!(unknown.starts_with(first) && unknown.contains("\n  prompt  "), "{unknown}");
    assert_eq!(cli("help")?, unknown);
    Ok(())
}

#[test]
fn a_prompt_keeps_the_connection_open() -> Result<()> {
    let setup = start()?;
    let mut connection = setup.proxy.cli_socket().connect()?;
    connection.send("prompt\n")?;
    connection.expect("\n> ")?;
    connection.send("show cli level\n")?;
    connection.expect("admin\n\n> ")?;
    connection.send("operator;show cli level\n")?;
    connection.expect("\n> operator\n\n> ")?;
    connection.send("set severity-output number;set table no key x\n")?;
    connection.expect("\n> [3]: No such table\n\n> ")?;
    connection.send("quit\n")?;
    connection.expect_close()
}

#[test]
fn the_level_decides() -> Result<()> {
    let setup = start()?;
    let denied = "Permission denied\n\n";
    for command in ["set server be/s1 state maint", "show env HOME", "clear counters", "operator"] {
        assert_eq!(ask(&setup.proxy, "user", command)?, denied, "{command}");
    }
    assert_eq!(ask(&setup.proxy, "user", "get weight be/s1")?, "1 (initial 1)\n\n");
    assert_eq!(ask(&setup.proxy, "operator", "clear counters")?, "\n");
    assert_eq!(ask(&setup.proxy, "operator", "clear counters all")?, denied);
    assert_eq!(ask(&setup.proxy, "operator", "disable server be/s1")?, denied);
    assert_eq!(ask(&setup.proxy, "operator", "user;operator")?, format!("\n{denied}"));
    Ok(())
}

#[test]
fn servers_are_drained_weighed_and_put_into_maintenance() -> Result<()> {
    let setup = start()?;
    let proxy = &setup.proxy;
    assert_eq!(four(proxy)?.iter().filter(|body| *body == "two").count(), 2);
    for state in ["drain", "maint"] {
        assert_eq!(proxy.cli(&format!("set server be/s1 state {state}"))?, "\n");
        assert_eq!(four(proxy)?, ["two"; 4], "{state}");
    }
    assert_eq!(column(proxy, "s1", 6)?, "1");
    assert_eq!(proxy.cli("enable server be/s1")?, "\n");
    assert_eq!(column(proxy, "s1", 6)?, "0");
    assert_eq!(proxy.cli("set server be/s2 weight 0")?, "\n");
    assert_eq!(four(proxy)?, ["one"; 4]);
    assert_eq!(proxy.cli("set weight be/s2 300%;get weight be/s2")?, "\n3 (initial 1)\n\n");
    assert_eq!(four(proxy)?.iter().filter(|body| *body == "two").count(), 3);
    Ok(())
}

#[test]
fn mistakes_are_named() -> Result<()> {
    let setup = start()?;
    let cases = [
        ("set server be", "Require 'backend/server'.\n"),
        ("set server no/s1 state ready", "No such backend.\n"),
        ("set server be/no state ready", "No such server.\n"),
        (
            "set server be/s1 state x",
            "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n",
        ),
        (
            "set server be/s1 weight 257",
            "Absolute weight can only be between 0 and 256 inclusive.\n",
        ),
        ("set weight be/s1 -5%", "Relative weight must be positive.\n"),
        ("set weight be/s1", "Require <weight> or <weight%>.\n"),
        ("set server be/s1 addr x", "Invalid addr 'x' by 'stats socket command'\n"),
        ("set maxconn server be/s1", "Require <maxconn>.\n"),
        ("set maxconn frontend fe -1", "Value out of range.\n"),
        ("disable frontend", "A frontend name is expected.\n"),
        ("disable frontend be", "No such frontend.\n"),
        ("show servers state no", "Can't find backend.\n"),
        ("set timeout cli 0", "Invalid timeout value.\n"),
        ("set severity-output x", "one of 'none', 'number', 'string' is a required argument\n"),
    ];
    for (command, answer) in cases {
        assert_eq!(setup.proxy.cli(command)?, format!("{answer}\n"), "{command}");
    }
    Ok(())
}

#[test]
fn an_address_changes_while_the_server_runs() -> Result<()> {
    let setup = start()?;
    let proxy = &setup.proxy;
    let (one, two) = (setup._web[0].address().port(), setup._web[1].address().port());
    let answer = proxy.cli(&format!("set server be/s1 addr 127.0.0.1 port {two}"))?;
    let expected = format!(
        "no need to change the addr, port changed from '{one}' to '{two}' by 'stats socket command'\n\n"
    );
    assert_eq!(answer, expected);
    assert_eq!(four(proxy)?, ["two"; 4]);
    Ok(())
}

#[test]
fn a_disabled_frontend_refuses_and_an_enabled_one_accepts_again() -> Result<()> {
    let setup = start()?;
    let proxy = &setup.proxy;
    assert_eq!(proxy.cli("disable frontend fe")?, "\n");
    assert_eq!(proxy.cli("disable frontend fe")?, "All sockets are already disabled.\n\n");
    let address = proxy.address("fe")?;
    assert!(std::net::TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_err());
    assert_eq!(proxy.cli("enable frontend fe")?, "\n");
    assert_eq!(proxy.cli("enable frontend fe")?, "All sockets are already enabled.\n\n");
    assert_eq!(four(proxy)?.len(), 4);
    assert_eq!(proxy.cli("shutdown frontend fe")?, "\n");
    assert!(std::net::TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_err());
    Ok(())
}

#[test]
fn the_process_tells_about_itself() -> Result<()> {
    let setup = start()?;
    let proxy = &setup.proxy;
    four(proxy)?;
    let info = proxy.cli("show info")?;
    let value = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_default().to_owned()
    };
    assert_eq!(value("Name"), "HAProxy");
    assert_eq!(value("Pid"), proxy.pid().to_string());
    assert!(value("CumReq").parse::<u32>()? >= 4, "{info}");
    let typed = proxy.cli("show info typed desc")?;
    assert!(typed.starts_with("0.Name.1:POS:str:HAProxy:\"Product name\"\n"), "{typed}");
    let json = proxy.cli("show info json")?;
    assert!(json.starts_with("[{\"field\":{\"pos\":0,\"name\":\"Name\"}"), "{json}");
    let csv = proxy.stats()?;
    assert_eq!(csv.number("be", "BACKEND", "stot")?, 4);
    assert_eq!(csv.number("fe", "FRONTEND", "iid")?, 2);
    let one = proxy.cli("show stat be 4 -1")?;
    assert_eq!(one.lines().filter(|line| line.starts_with("be,s")).count(), 2);
    assert_eq!(one.lines().filter(|line| line.contains("BACKEND")).count(), 0);
    Ok(())
}

#[test]
fn counters_are_cleared() -> Result<()> {
    let setup = start()?;
    let proxy = &setup.proxy;
    four(proxy)?;
    assert_eq!(proxy.cli("clear counters")?, "\n");
    assert_eq!(proxy.stats()?.number("be", "BACKEND", "stot")?, 4);
    assert_eq!(proxy.stats()?.number("fe", "FRONTEND", "smax")?, 0);
    assert_eq!(proxy.cli("clear counters all")?, "\n");
    assert_eq!(proxy.stats()?.number("be", "BACKEND", "stot")?, 0);
    Ok(())
}

#[test]
fn endless_and_silent_clients_cost_only_their_own_connection() -> Result<()> {
    let setup = start()?;
    let proxy = &setup.proxy;
    let _silent: Vec<_> = (0..5).map(|_| proxy.cli_socket().connect()).collect::<Result<_>>()?;
    let mut endless = proxy.cli_socket().connect()?;
    // It may be closed before everything is sent.
    let _ = endless.send(vec![b'x'; 40_000]);
    // HAProxy leaves it open as long as it likes.
    if !testing_reference() {
        eventually("the endless line is given up", || {
            Ok(endless.read_for(Duration::from_millis(50))?.1.is_some())
        })?;
    }
    assert_eq!(proxy.cli("show cli level")?, "admin\n\n");
    assert_eq!(four(proxy)?.len(), 4);
    Ok(())
}

#[test]
fn streams_are_listed_and_ended() -> Result<()> {
    let setup = start()?;
    let proxy = &setup.proxy;
    // Longer than the test: the answer never comes.
    setup._web[0].answer_with(|_| {
        std::thread::sleep(Duration::from_secs(8));
        Vec::new()
    });
    proxy.cli("set server be/s2 state maint")?;
    let lines = || -> Result<Vec<String>> {
        let text = proxy.cli("show sess")?;
        Ok(text.lines().filter(|l| l.contains(" be=be srv=s1 ")).map(str::to_owned).collect())
    };
    for command in ["shutdown session", "shutdown sessions server be/s1"] {
        let mut client = proxy.connect("fe")?;
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
        eventually("the stream is listed", || Ok(lines()?.len() == 1))?;
        let line = lines()?.remove(0);
        let source = client.local_address()?;
        assert!(
            line.contains(&format!(": proto=tcpv4 src={source} fe=fe be=be srv=s1 ")),
            "{line}"
        );
        let id = line.split(':').next().unwrap_or_default().to_owned();
        let long = proxy.cli(&format!("show sess {id}"))?;
        assert!(long.contains("\n  server=s1 (id=1)"), "{long}");
        let command =
            if command.ends_with("session") { format!("{command} {id}") } else { command.into() };
        assert_eq!(proxy.cli(&command)?, "\n");
        assert_eq!(client.response()?.status(), 502);
        eventually("the stream is gone", || Ok(lines()?.is_empty()))?;
    }
    assert_eq!(proxy.cli("show sess 0x1")?, "Session not found.\n\n");
    assert_eq!(proxy.cli("shutdown session 0x1")?, "No such session (use 'show sess').\n\n");
    Ok(())
}

#[test]
fn a_limit_holds_connections_back_until_it_is_raised() -> Result<()> {
    let setup = start()?;
    let proxy = &setup.proxy;
    for (limit, unlimited) in [
        ("set maxconn global 1", "set maxconn global 0"),
        ("set maxconn frontend fe 1", "set maxconn frontend fe 100"),
    ] {
        let mut first = proxy.connect("fe")?;
        assert_eq!(first.get("/", "")?.status(), 200);
        // The reference counts the runtime socket's connections too.
        if testing_reference() && limit.contains("global") {
            continue;
        }
        assert_eq!(proxy.cli(limit)?, "\n");
        // One that was about to be accepted may still be.
        let _slip = proxy.connect("fe")?;
        let mut second = proxy.connect("fe")?;
        second.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
        second.expect_silence(Duration::from_millis(200))?;
        assert_eq!(proxy.cli(unlimited)?, "\n");
        assert_eq!(second.response()?.status(), 200);
    }
    Ok(())
}

#[test]
fn what_was_said_at_the_start_can_be_asked_for() -> Result<()> {
    let config = "global
    stats socket {cli} level admin
frontend fe
    bind {fe}
    option tcplog
";
    let started = proxy(config).start()?;
    let shown = started.cli("show startup-logs")?;
    for line in [
        " : config : missing timeouts for frontend 'fe'.\n   | While not properly invalid, ",
        " : config : log format ignored for frontend 'fe' since it has no log address.\n",
    ] {
        assert!(shown.starts_with("[WARNING] ") && shown.contains(line), "{shown}");
    }
    let denied = started.cli("user;show startup-logs")?;
    assert!(denied.contains("Permission denied"), "{denied}");
    let quiet = proxy("global\n    stats socket {cli} level admin\n").start()?;
    assert_eq!(quiet.cli("show startup-logs")?, "\n\n");
    Ok(())
}

#[test]
fn the_profiling_setting_is_kept_and_shown() -> Result<()> {
    let config = "global
    stats socket {cli} level admin
    profiling.tasks on
listen l
    mode http
    timeout client 1s
    timeout server 1s
    timeout connect 1s
    bind {l}
";
    let started = proxy(config).start()?;
    let shown = |setting: &str| {
        format!(
            "Per-task CPU profiling              : {setting}      # set profiling tasks {{on|auto|off}}\n\n"
        )
    };
    assert_eq!(started.cli("show profiling")?, shown("on"));
    for setting in ["off", "auto", "on"] {
        assert_eq!(started.cli(&format!("set profiling tasks {setting}"))?, "\n");
        assert_eq!(started.cli("show profiling")?, shown(setting));
    }
    assert_eq!(started.cli("set profiling tasks x")?, "Expects 'on', 'auto', or 'off'.\n\n");
    assert_eq!(started.cli("set profiling memory on")?, "Expects 'tasks'.\n\n");
    Ok(())
}
