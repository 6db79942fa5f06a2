//! Health checks in the protocols of well-known servers (manual 4.2 "option smtpchk", "option mysql-check",
//! "option pgsql-check", "option ldap-check", "option spop-check"): what is asked, and what answers mean.

use anyhow::Result;
use haproxy_compat::harness::{Connection, Server};

use crate::proxy;

const DEFAULTS: &str = "global
    max-spread-checks 100ms
defaults
    mode tcp
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    option log-health-checks
listen fe
    bind {fe}
";

/// What happens on a check's connection.
type Script = fn(&mut Connection) -> Result<()>;

/// Runs one check for each option, and expects that the log says so of it.
fn run(cases: &[(&str, Script, &str)]) -> Result<()> {
    let servers: Result<Vec<Server>> = cases.iter().map(|_| Server::listen()).collect();
    let servers = servers?;
    let mut config = DEFAULTS.to_owned();
    for (number, (option, ..)) in cases.iter().enumerate() {
        config.push_str(&format!(
            "backend be{number}\n    option {option}\n    server s1 {{s{number}}} check inter 30s\n"
        ));
    }
    let mut builder = proxy(&config);
    for (number, server) in servers.iter().enumerate() {
        builder = builder.name(&format!("s{number}"), server.address());
    }
    let proxy = builder.start()?;
    for (number, (option, script, expected)) in cases.iter().enumerate() {
        let mut check = servers[number].accept()?;
        script(&mut check)?;
        let line = proxy.wait_for_line(&format!("Health check for server be{number}/s1"))?;
        assert!(line.contains(expected), "{option}: {line}");
    }
    Ok(())
}

#[test]
fn mail_servers() -> Result<()> {
    run(&[
        (
            "smtpchk",
            |check| {
                check.send("220 hi there\r\n")?;
                check.expect("HELO localhost\r\n")?;
                check.send("250 fine\r\n")
            },
            "succeeded, reason: Layer7 check passed, code: 250, info: \"fine\", check duration: ",
        ),
        (
            "smtpchk EHLO example.com",
            |check| {
                check.send("220 hi\r\n")?;
                check.expect("EHLO example.com\r\n")?;
                check.send("500 unknown\r\n")
            },
            "failed, reason: Layer7 wrong status, code: 500, info: \"unknown\", check duration: ",
        ),
        (
            "smtpchk",
            |check| check.send("554 no service\r\n"),
            "failed, reason: Layer7 wrong status, code: 554, info: \"no service\", check duration: ",
        ),
        (
            "smtpchk",
            |check| check.send("220-several\r\n220 lines\r\n"),
            "failed, reason: Layer7 invalid response, info: \"220-several\", check duration: ",
        ),
    ])
}

#[test]
fn directories() -> Result<()> {
    run(&[
        (
            "ldap-check",
            |check| {
                check.expect(b"0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\0\x80\0")?;
                check.send(b"0\x0c\x02\x01\x01a\x07\x0a\x01\0\x04\0\x04\0")
            },
            "succeeded, reason: Layer7 check passed, code: 0, info: \"Success\", check duration: ",
        ),
        (
            "ldap-check",
            |check| check.send(b"0\x0c\x02\x01\x01a\x07\x0a\x01\x02\x04\0\x04\0"),
            "failed, reason: Layer7 wrong status, code: 2, info: \"See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9\", check duration: ",
        ),
        (
            "ldap-check",
            |check| check.send("HTTP/1.0 400 Bad request\r\n\r\n"),
            "failed, reason: Layer7 invalid response, info: \"Not LDAPv3 protocol\", check duration: ",
        ),
    ])
}

#[test]
fn databases() -> Result<()> {
    const GREETING: &[u8] = b"\x07\0\0\0\x0a5.7.3\0";
    run(&[
        (
            "pgsql-check user haproxy",
            |check| {
                check.expect(b"\0\0\0\x16\0\x03\0\0user\0haproxy\0\0")?;
                check.send(b"R\0\0\0\x08\0\0\0\0")
            },
            "succeeded, reason: Layer7 check passed, code: 0, info: \"PostgreSQL server is ok\", check duration: ",
        ),
        (
            "pgsql-check user haproxy",
            |check| check.send(b"E\0\0\0\x0dSFATAL\0\0"),
            "failed, reason: Layer7 invalid response, info: \"FATAL\", check duration: ",
        ),
        (
            "pgsql-check user haproxy",
            |check| check.send("something else"),
            "failed, reason: Layer7 wrong status, code: 0, info: \"PostgreSQL unknown error\", check duration: ",
        ),
        (
            "mysql-check",
            |check| check.send(GREETING),
            "succeeded, reason: Layer7 check passed, code: 0, info: \"5.7.3\", check duration: ",
        ),
        (
            "mysql-check",
            |check| check.send(b"\x0a\0\0\0\xff\x15\x04Blocked"),
            "failed, reason: Layer7 wrong status, code: 1045, info: \"Blocked\", check duration: ",
        ),
        (
            "mysql-check user hap",
            |check| {
                check.send(GREETING)?;
                let login = check.read_exactly(46)?;
                assert!(login.starts_with(b"%\0\0\x01\0\x82\0\0\0\x80\0\x01!"), "{login:?}");
                assert!(login.ends_with(b"\0hap\0\0\x01\0\0\0\x01"), "{login:?}");
                check.send(b"\x07\0\0\x02\0\0\0\x02\0\0\0")
            },
            "succeeded, reason: Layer7 check passed, code: 0, info: \"5.7.3\", check duration: ",
        ),
        (
            "mysql-check user hap pre-41",
            |check| {
                check.send(GREETING)?;
                check.expect(b"\x0a\0\0\x01\0\x80\0\0\x01hap\0\0\x01\0\0\0\x01")?;
                check.send(b"\x09\0\0\x02\xff\x15\x04Denied")
            },
            "failed, reason: Layer7 wrong status, code: 1045, info: \"Denied\", check duration: ",
        ),
    ])
}

#[test]
fn agents_of_streams() -> Result<()> {
    run(&[
        (
            "spop-check",
            |check| {
                check.expect(b"\0\0\0\x4e\x01\0\0\0\x01\0\0\x12supported-versions\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x06\x0ccapabilities\x08\0\x0bhealthcheck\x11")?;
                check.send(b"\0\0\0\x36\x65\0\0\0\x01\0\0\x07version\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x06\x0ccapabilities\x08\0")
            },
            "succeeded, reason: Layer7 check passed, code: 0, info: \"SPOA server is ok\", check duration: ",
        ),
        (
            "spop-check",
            |check| check.send(b"\0\0\0\x0bHTTP/1.0 40"),
            "failed, reason: Layer7 invalid response, info: \"invalid frame received\", check duration: ",
        ),
    ])
}
