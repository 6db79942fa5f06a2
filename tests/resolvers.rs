//! Names that are resolved while the process runs (manual 5.3): servers follow their names' addresses and
//! services, rules ask for names, forgers are not believed.

use std::time::Duration;

use anyhow::Result;
use haproxy_compat::harness::{Dns, Proxy, Signal, Syslog, Web, eventually};

use crate::{GET_CLOSE, proxy, testing_reference};

/// A name server `ns1` that is asked often.
const BASE: &str = "
global
    stats socket {cli} level admin
    log {log} format raw local0
resolvers dns
    nameserver ns1 {dns}
    timeout resolve 100ms
    timeout retry 100ms
    hold nx 100ms
    hold other 100ms
    hold refused 100ms
    hold timeout 100ms
defaults
    mode http
    log global
    timeout client 20s
    timeout server 20s
    timeout connect 20s
    retries 0
frontend fe
    bind {fe}
    default_backend be
";

/// Everything a test needs beside the proxy.
struct Place {
    dns: Dns,
    log: Syslog,
    web: Web,
}

/// A proxy with these sections, `{port}` being a web server's on 127.0.0.1.
fn start(zone: &str, sections: &str) -> Result<(Proxy, Place)> {
    let place = Place { dns: Dns::start(zone)?, log: Syslog::udp()?, web: Web::start("web")? };
    let (dns, log) = (place.dns.address(), place.log.address()?);
    let port = place.web.address().port().to_string();
    let config = format!("{BASE}{sections}");
    let proxy = proxy(&config).name("dns", dns).name("log", log).text("port", &port).start()?;
    Ok((proxy, place))
}

/// A column of `show servers state`: 4 for the address, 6 for the administrative state, 7 for the weight,
/// 17 for the name, 18 for the port.
fn state(proxy: &Proxy, server: &str, column: usize) -> Result<String> {
    let table = proxy.cli("show servers state be")?;
    let line = table.lines().find(|line| line.split(' ').nth(3) == Some(server));
    Ok(line.and_then(|line| line.split(' ').nth(column)).unwrap_or("no such server").to_owned())
}

fn wait_for_state(proxy: &Proxy, server: &str, column: usize, value: &str) -> Result<()> {
    let what = format!("column {column} of {server} is {value}");
    eventually(&what, || Ok(state(proxy, server, column)? == value))
}

#[test]
fn a_server_follows_its_name() -> Result<()> {
    let (proxy, mut place) = start(
        "",
        "backend be\n server s1 web.test:{port} resolvers dns resolve-prefer ipv4 init-addr none\n",
    )?;
    assert_eq!(proxy.stats()?.get("be", "s1", "status")?, "MAINT (resolution)");
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    place.dns.set("web.test A 127.0.0.1");
    let lines = [
        "be/s1 changed its IP from (none) to 127.0.0.1 by dns/ns1.",
        "Server be/s1 ('web.test') is UP/READY (resolves again).",
        "Server be/s1 administratively READY thanks to valid DNS answer.",
    ];
    for line in lines {
        place.log.wait_for_line(line)?;
        proxy.wait_for_line(line)?;
    }
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "web");
    place.dns.set("web.test A 127.0.0.9");
    place.log.wait_for_line("be/s1 changed its IP from 127.0.0.1 to 127.0.0.9 by dns/ns1.")?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    Ok(())
}

#[test]
fn a_server_without_an_address_is_in_maintenance_once_it_was_held() -> Result<()> {
    let (proxy, mut place) = start(
        "web.test A 127.0.0.1",
        "backend be\n server s1 web.test:{port} resolvers dns init-addr none\n",
    )?;
    let status = |value: &str| proxy.wait_for_stat("be", "s1", "status", value);
    for (fault, cause) in [
        ("CODE 3", "DNS NX status"),
        ("CODE 5", "DNS refused status"),
        ("CODE 2", "unspecified DNS error"),
        ("SILENT", "DNS timeout status"),
        ("CUT", "unspecified DNS error"),
    ] {
        place.dns.set("web.test A 127.0.0.1");
        status("no check")?;
        place.dns.set(&format!("web.test {fault}"));
        status("MAINT (resolution)")?;
        let line = format!("Server be/s1 is going DOWN for maintenance ({cause}).");
        place.log.wait_for_line(&line)?;
    }
    place.dns.set("web.test CNAME real.test\nreal.test A 127.0.0.1");
    status("no check")?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "web");
    Ok(())
}

#[test]
fn servers_of_one_name_share_its_addresses() -> Result<()> {
    let sections = "backend be\n server-template s 2-4 web.test:{port} resolvers dns \
                    resolve-prefer ipv4 init-addr none\n";
    let zone = "web.test A 127.0.0.2\nweb.test A 127.0.0.3";
    let (proxy, _place) = start(zone, sections)?;
    wait_for_state(&proxy, "s3", 4, "127.0.0.3")?;
    assert_eq!(state(&proxy, "s2", 4)?, "127.0.0.2");
    assert_eq!((state(&proxy, "s4", 4)?, state(&proxy, "s4", 6)?), ("-".into(), "32".into()));
    // Two servers only: what is gone stays for up to a second, and a third would take what is new.
    drop(proxy);
    let (proxy, mut place) = start(zone, &sections.replace("2-4", "2-3"))?;
    wait_for_state(&proxy, "s3", 4, "127.0.0.3")?;
    place.log.wait_for_line("be/s3 changed its IP from (none) to 127.0.0.3 by DNS cache.")?;
    place.dns.set("web.test A 127.0.0.3\nweb.test A 127.0.0.4");
    wait_for_state(&proxy, "s2", 4, "127.0.0.4")?;
    assert_eq!(state(&proxy, "s3", 4)?, "127.0.0.3");
    let (proxy, _place) =
        start("web.test A 127.0.0.2", &sections.replace("init", "resolve-opts allow-dup-ip init"))?;
    for server in ["s2", "s3", "s4"] {
        wait_for_state(&proxy, server, 4, "127.0.0.2")?;
    }
    Ok(())
}

#[test]
fn family_and_network_are_preferred() -> Result<()> {
    let (proxy, _place) = start(
        "a.test A 127.0.0.2\na.test AAAA ::2\nb.test A 127.0.0.2\nb.test A 127.1.0.3",
        "backend be\n default-server resolvers dns init-addr none\n\
         server six a.test:80\n server four a.test:80 resolve-prefer ipv4\n\
         server near b.test:80 resolve-prefer ipv4 resolve-net 127.1.0.0/16\n",
    )?;
    wait_for_state(&proxy, "six", 4, "::2")?;
    wait_for_state(&proxy, "four", 4, "127.0.0.2")?;
    wait_for_state(&proxy, "near", 4, "127.1.0.3")
}

#[test]
fn services_give_servers_names_ports_and_weights() -> Result<()> {
    let sections =
        "backend be\n server-template s 2 _http._tcp.test resolvers dns resolve-prefer ipv4\n";
    let (proxy, mut place) = start("", sections)?;
    let port = place.web.address().port();
    let first = format!("_http._tcp.test SRV 60000 {port} n1.test\nn1.test A 127.0.0.1\n");
    let second = "_http._tcp.test SRV 10 9 n2.test\n_http._tcp.test WITH n2.test 127.0.0.9\n";
    place.dns.set(&first);
    wait_for_state(&proxy, "s1", 4, "127.0.0.1")?;
    let line = "be/s1 changed its FQDN from (null) to n1.test by 'SRV record'";
    place.log.wait_for_line(line)?;
    let columns = |server: &str| -> Result<Vec<String>> {
        [6, 7, 17, 18, 19].iter().map(|column| state(&proxy, server, *column)).collect()
    };
    wait_for_state(&proxy, "s1", 6, "64")?;
    let port = port.to_string();
    assert_eq!(columns("s1")?, ["64", "235", "n1.test", &port, "_http._tcp.test"]);
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "web");
    place.dns.set(&format!("{first}{second}"));
    wait_for_state(&proxy, "s2", 4, "127.0.0.9")?;
    place
        .log
        .wait_for_line("be/s2 changed its IP from (none) to 127.0.0.9 by DNS additional record")?;
    place.log.wait_for_line("Server be/s2 ('n2.test') is UP/READY (resolves again).")?;
    assert_eq!(columns("s2")?, ["64", "1", "n2.test", "9", "_http._tcp.test"]);
    place.dns.set(&first);
    place.log.wait_for_line(
        "Server be/s2 is going DOWN for maintenance (entry removed from SRV record).",
    )?;
    assert_eq!(columns("s2")?, ["96", "1", "-", "9", "_http._tcp.test"]);
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "web");
    Ok(())
}

#[test]
fn weights_of_services_can_be_ignored() -> Result<()> {
    let (proxy, _place) = start(
        "_http._tcp.test SRV 60000 9 n1.test\n_http._tcp.test WITH n1.test 127.0.0.9",
        "backend be\n server-template s 1 _http._tcp.test resolvers dns resolve-opts ignore-weight weight 7\n",
    )?;
    wait_for_state(&proxy, "s1", 18, "9")?;
    assert_eq!(state(&proxy, "s1", 7)?, "7");
    Ok(())
}

#[test]
fn a_forger_is_not_believed() -> Result<()> {
    // HAProxy 2.3 ends a resolution that is answered about another name.
    if testing_reference() {
        return Ok(());
    }
    let (proxy, _place) = start(
        "web.test FORGED 127.0.0.66\nweb.test STRANGER 127.0.0.66\nweb.test A 127.0.0.1\nweb.test LONG",
        "backend be\n server s1 web.test:{port} resolvers dns resolve-prefer ipv4 init-addr none\n",
    )?;
    wait_for_state(&proxy, "s1", 4, "127.0.0.1")?;
    let counters = proxy.cli("show resolvers")?;
    let count = |name: &str| {
        let line = counters.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)).map(str::parse::<u64>)
    };
    assert!(count("other:").unwrap()? > 0 && count("valid:").unwrap()? > 0, "{counters}");
    assert_eq!(count("invalid:").unwrap()?, 0, "{counters}");
    assert!(!counters.contains("127.0.0.66"));
    assert_eq!(state(&proxy, "s1", 4)?, "127.0.0.1");
    Ok(())
}

#[test]
fn what_name_servers_answer_is_counted() -> Result<()> {
    let sections = "backend be\n server s1 web.test:80 resolvers dns resolve-prefer ipv4 init-addr none\n\
                    server s2 web.test:80 resolvers dns resolve-prefer ipv4 init-addr none\n\
                    resolvers more\n nameserver other 127.0.0.1:9\n nameserver last 127.0.0.1:9\n";
    let (proxy, place) = start("web.test A 127.0.0.1\nweb.test A 127.0.0.2", sections)?;
    wait_for_state(&proxy, "s2", 4, "127.0.0.2")?;
    let answer = proxy.cli("show resolvers dns")?;
    let names: Vec<&str> = answer.lines().map(|l| l.get(..15).unwrap_or(l)).collect();
    let expected = [
        "Resolvers secti",
        " nameserver ns1",
        "  sent:        ",
        "  snd_error:   ",
        "  valid:       ",
        "  update:      ",
        "  cname:       ",
        "  cname_error: ",
        "  any_err:     ",
        "  nx:          ",
        "  timeout:     ",
        "  refused:     ",
        "  other:       ",
        "  invalid:     ",
        "  too_big:     ",
        "  truncated:   ",
        "  outdated:    ",
        "",
        "",
    ];
    assert_eq!(names, expected);
    // The second server was served by what the first had asked.
    assert!(answer.contains("  update:      1\n"), "{answer}");
    for (zone, counter) in [
        ("web.test CODE 3", "nx"),
        ("web.test CODE 5", "refused"),
        ("web.test CODE 2", "other"),
        ("web.test CUT\nweb.test A 127.0.0.1", "truncated"),
        ("web.test CNAME no.test", "cname_error"),
        ("web.test LONG", "too_big"),
        ("", "any_err"),
    ] {
        place.dns.set(zone);
        let counted = || {
            let none = format!("  {:<12} 0", format!("{counter}:"));
            Ok(!proxy.cli("show resolvers dns")?.lines().any(|line| line == none))
        };
        eventually(counter, counted)?;
    }
    let all = proxy.cli("show resolvers")?;
    assert_eq!(all.matches("Resolvers section ").count(), 2);
    assert_eq!(all.matches(" nameserver ").count(), 3);
    let table = proxy.cli("show stat domain dns")?;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines.first(),
        Some(
            &"# id,send_error,valid,update,cname,cname_error,any_err,nx,timeout,refused,other,invalid,too_big,truncated,outdated,"
        )
    );
    assert!(
        lines[1].starts_with("ns1,0,") && lines[3] == "last,0,0,0,0,0,0,0,0,0,0,0,0,0,0,",
        "{table}"
    );
    assert_eq!(proxy.cli("show resolvers nosuch")?, "Can't find that resolvers section\n\n");
    Ok(())
}

#[test]
fn a_question_is_repeated_as_often_as_it_says() -> Result<()> {
    let sections = "resolvers few\n nameserver ns1 {dns}\n timeout resolve 10s\n timeout retry 50ms\n\
                    resolve_retries 4\n accepted_payload_size 1232\n\
                    backend be\n server s1 web.test:80 resolvers few init-addr none\n";
    let (_proxy, place) = start("web.test SILENT", sections)?;
    let asked = || place.dns.asked().len();
    eventually("it is asked four times", || Ok(asked() == 4))?;
    // The fifth would come 50 ms later.
    place.dns.expect_silence(Duration::from_millis(300))
}

#[test]
fn a_server_gets_another_name() -> Result<()> {
    let (proxy, place) = start(
        "a.test A 127.0.0.2\nb.test A 127.0.0.1",
        "backend be\n server s1 a.test:{port} resolvers dns resolve-prefer ipv4 init-addr none\n\
         server s2 127.0.0.1:80 backup\n",
    )?;
    wait_for_state(&proxy, "s1", 4, "127.0.0.2")?;
    let rename =
        |server: &str, name: &str| proxy.cli(&format!("set server be/{server} fqdn {name}"));
    let by = "by 'stats socket command'\n\n";
    assert_eq!(rename("s1", "a.test")?, format!("no need to change the FDQN {by}"));
    assert_eq!(rename("s1", "no!")?, format!("invalid fqdn 'no!' {by}"));
    assert_eq!(rename("s2", "b.test")?, format!("could not update be/s2 FQDN {by}"));
    let changed = format!("be/s1 changed its FQDN from a.test to b.test {by}");
    assert_eq!(rename("s1", "b.test")?, changed);
    wait_for_state(&proxy, "s1", 4, "127.0.0.1")?;
    assert_eq!(state(&proxy, "s1", 17)?, "b.test");
    assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "web");
    place.dns.wait_for("b.test A")?;
    assert!(!place.dns.asked().contains(&"a.test A".to_owned()));
    Ok(())
}

#[test]
fn an_address_given_by_hand_ends_the_maintenance() -> Result<()> {
    let (proxy, _place) = start(
        "",
        "backend be\n server s1 web.test:{port} resolvers dns init-addr none\n server s2 127.0.0.9:9\n",
    )?;
    let refused = "Update for the current server address family is only supported through configuration file by 'stats socket command'\n\n";
    assert_eq!(proxy.cli("set server be/s1 addr 127.0.0.1")?, refused);
    proxy.wait_for_stat("be", "s1", "status", "no check")
}

#[test]
fn rules_ask_for_names() -> Result<()> {
    let sections = "frontend ask\n bind {ask}\n http-request do-resolve(txn.four,dns,ipv4) hdr(host),lower\n\
                    http-request do-resolve(txn.six,dns) hdr(host),lower\n\
                    http-request return status 200 content-type text/plain \
                    lf-string \"%[var(txn.four)] %[var(txn.six)]\"\nbackend be\n";
    let (proxy, place) =
        start("a.test A 127.0.0.2\na.test AAAA ::2\nb.test A 127.0.0.3", sections)?;
    let ask = |host: &str| -> Result<String> {
        let mut client = proxy.connect("ask")?;
        client.send(GET_CLOSE.replace("Host: h", &format!("Host: {host}")))?;
        Ok(client.response()?.text())
    };
    assert_eq!(ask("A.test")?, "127.0.0.2 ::2");
    assert_eq!(place.dns.asked(), ["a.test A", "a.test AAAA"]);
    assert_eq!(ask("b.test")?, "127.0.0.3 127.0.0.3");
    assert_eq!(ask("c.test")?, " ");
    assert_eq!(ask("bad..name")?, " ");
    assert!(proxy.cli("show info")?.contains("FailedResolutions: 2\n"));
    Ok(())
}

#[test]
fn a_rule_is_served_by_what_a_server_has_asked() -> Result<()> {
    let sections = "resolvers slow\n nameserver ns1 {dns}\n timeout resolve 20s\n hold valid 20s\n\
                    frontend ask\n bind {ask}\n http-request do-resolve(txn.ip,slow,ipv4) str(a.test)\n\
                    http-request return status 200 content-type text/plain lf-string \"%[var(txn.ip)]\"\n\
                    backend be\n server s1 a.test:80 resolvers slow resolve-prefer ipv4 init-addr none\n";
    let (proxy, place) = start("a.test A 127.0.0.2", sections)?;
    wait_for_state(&proxy, "s1", 4, "127.0.0.2")?;
    for _ in 0..3 {
        assert_eq!(proxy.connect("ask")?.get("/", "")?.text(), "127.0.0.2");
    }
    assert_eq!(place.dns.asked(), ["a.test A"]);
    Ok(())
}

#[test]
fn a_connection_goes_where_a_name_says() -> Result<()> {
    let content = "mode tcp\n tcp-request content do-resolve(sess.ip,dns,ipv4) str(web.test)\n\
                   tcp-request content set-dst var(sess.ip)\n\
                   tcp-request content set-dst-port int({port})\n\
                   tcp-request content reject unless { var(sess.ip) -m found }\n default_backend there\n";
    let sections = format!(
        "frontend waits\n bind {{waits}}\n tcp-request inspect-delay 10s\n {content}\
         frontend cannot\n bind {{cannot}}\n {content}\
         backend there\n mode tcp\n server s1 0.0.0.0:0\nbackend be\n"
    );
    let (proxy, _place) = start("web.test A 127.0.0.1", &sections)?;
    assert_eq!(proxy.connect("waits")?.get("/", "")?.text(), "web");
    // Without a delay nothing can be waited for.
    assert!(proxy.connect("cannot")?.read_to_end()?.is_empty());
    Ok(())
}

#[test]
fn a_reload_keeps_what_is_known() -> Result<()> {
    // HAProxy 2.3 starts a second process that knows nothing.
    if testing_reference() {
        return Ok(());
    }
    let sections =
        "backend be\n server s1 web.test:{port} resolvers dns resolve-prefer ipv4 init-addr none\n";
    let (proxy, place) = start("web.test A 127.0.0.1", sections)?;
    wait_for_state(&proxy, "s1", 4, "127.0.0.1")?;
    place.dns.set("web.test SILENT");
    let config =
        format!("{BASE}{sections} server s2 web.test:{{port}} resolvers dns init-addr none\n");
    proxy.rewrite_config(&config)?;
    proxy.signal(Signal::SIGHUP)?;
    wait_for_state(&proxy, "s2", 4, "-")?;
    assert_eq!(state(&proxy, "s1", 4)?, "127.0.0.1");
    assert!(!proxy.cli("show resolvers")?.contains("  valid:       0\n"));
    place.dns.set("web.test A 127.0.0.1\nweb.test A 127.0.0.2");
    wait_for_state(&proxy, "s2", 4, "127.0.0.2")
}

#[test]
fn first_addresses_are_found_in_their_order() -> Result<()> {
    let config = "frontend fe\n bind {fe}\n timeout client 1s\nbackend be\n timeout server 1s\n timeout connect 1s\n";
    let check = |lines: &str, args: &[&str]| {
        let mut all = vec!["-c"];
        all.extend(args);
        proxy(&format!("{config}{lines}")).args(&all).run()
    };
    let done = check(" server s1 nosuch.invalid:80 init-addr last\n", &[])?;
    assert!(
        done.stderr.contains("'server s1' : no method found to resolve address 'nosuch.invalid'")
    );
    assert!(done.stderr.contains("Failed to initialize server(s) addr."), "{}", done.stderr);
    let done = check(" server s1 nosuch.invalid:80\n", &["-dr"])?;
    let line = "'server s1' : could not resolve address 'nosuch.invalid', disabling server.";
    assert!(done.status.success() && done.stderr.contains(line), "{}", done.stderr);
    let done = check(" server s1 nosuch.invalid:80 init-addr libc,127.0.0.1\n", &[])?;
    assert!(done.stderr.contains("'nosuch.invalid', falling back to configured address."));
    let done = check(" server s1 nosuch.invalid:80 init-addr none,127.0.0.1\n", &[])?;
    assert!(!done.stderr.contains("nosuch.invalid"), "{}", done.stderr);
    Ok(())
}

#[test]
fn resolvers_that_are_missing_are_named() -> Result<()> {
    let config = "frontend fe\n mode http\n bind {fe}\n timeout client 1s\n\
                  http-request do-resolve(txn.ip,nosuch,ipv4) hdr(host)\n";
    let done = proxy(config).args(&["-c"]).run()?;
    let line = "Proxy 'fe': Can't find resolvers section 'nosuch' for do-resolve action.";
    assert!(!done.status.success() && done.stderr.contains(line), "{}", done.stderr);
    Ok(())
}

#[test]
fn the_systems_name_servers_are_taken() -> Result<()> {
    // Without such a file 2.3 refuses the line.
    let Ok(known) = std::fs::read_to_string("/etc/resolv.conf") else { return Ok(()) };
    let sections = "resolvers system\n parse-resolv-conf\nbackend be\n";
    let (proxy, _place) = start("", sections)?;
    let shown = proxy.cli("show resolvers system")?;
    let words = known.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    for words in words.filter(|words| words.first() == Some(&"nameserver")) {
        let line = format!(" nameserver {}:\n", words.get(1).copied().unwrap_or_default());
        assert!(shown.contains(&line), "{shown}");
    }
    Ok(())
}
