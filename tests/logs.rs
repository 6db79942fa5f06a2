//! Log lines (manual 8): what they say, where they go, and which are left out.

use std::time::Duration;

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Builder, Folder, Proxy, Syslog, Web};
use regex::bytes::{Regex, RegexBuilder};

use crate::{http_with_cli, proxy, testing_reference};

/// Above every configuration: lines go to `{log}` as they are.
const DEFAULTS: &str = "
global
    log {log} format raw local0
defaults
    mode http
    timeout client 1s
    timeout server 1s
    timeout connect 1s
    log global
";

/// A web server whose answers' bytes are known.
fn web() -> Result<Web> {
    Web::answering(|request| match request.target() {
        "/die" => Vec::new(),
        _ => b"HTTP/1.1 200 Fine\r\nX-T: abcdef\r\nContent-Length: 3\r\n\r\nabc".to_vec(),
    })
}

fn start(sections: &str, web: &Web, log: &Syslog) -> Result<Proxy> {
    builder(&format!("{DEFAULTS}{sections}"), web, log)?.start()
}

fn builder(config: &str, web: &Web, log: &Syslog) -> Result<Builder> {
    Ok(proxy(config).name("s1", web.address()).name("log", log.address()?))
}

/// The line with dates, ports and times made equal.
fn plain(line: &str) -> String {
    let rules = [
        (r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d", "DATE"),
        (r"DATE\.\d{3}", "DATE"),
        (r"127\.0\.0\.1:\d+", "IP:PORT"),
        (r"(-?\d+/){4}(\+?)-?\d+ ", "TIMES$2 "),
        (r"(tb/\S+) -?\d+/-?\d+/\d+ ", "$1 TIMES "),
    ];
    rules.iter().fold(line.trim_end().to_owned(), |line, (from, to)| {
        let replaced = regex(from).replace_all(line.as_bytes(), to.as_bytes()).into_owned();
        String::from_utf8_lossy(&replaced).into_owned()
    })
}

fn regex(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).unicode(false).build().unwrap()
}

fn matches(pattern: &str, line: &str) -> bool {
    regex(pattern).is_match(line.as_bytes())
}

/// Sends these bytes, waits for the answer's end, and gives the answer.
fn exchange(proxy: &Proxy, name: &str, bytes: &str) -> Result<String> {
    let mut client = proxy.connect(name)?;
    client.send(bytes)?;
    Ok(String::from_utf8_lossy(&client.read_to_end()?).into_owned())
}

fn get(proxy: &Proxy, name: &str, path: &str) -> Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n");
    exchange(proxy, name, &request)
}

#[test]
fn http_requests_are_logged_with_everything() -> Result<()> {
    let (web, mut log) = (web()?, Syslog::udp()?);
    let proxy = start(
        "frontend fe\n bind {fe}\n option httplog\n default_backend be\n\
         http-request deny if { path /deny }\n\
         http-request redirect location /x if { path /moved }\n\
         http-request return content-type text/plain string hello if { path /hello }\n\
         backend be\n server s1 {s1}\n",
        &web,
        &log,
    )?;
    let cases = [
        ("/a?b=c", "be/s1", "200 68", "----"),
        ("/die", "be/s1", "502 214", "SH--"),
        ("/deny", "fe/<NOSRV>", "403 197", "PR--"),
        ("/moved", "fe/<NOSRV>", "302 88", "LR--"),
        ("/hello", "fe/<NOSRV>", "200 81", "LR--"),
    ];
    for (number, (path, server, result, letters)) in cases.into_iter().enumerate() {
        get(&proxy, "fe", path)?;
        let line = plain(&log.wait_for(number + 1)?[number]);
        let expected = format!(
            "IP:PORT [DATE] fe {server} TIMES {result} - - {letters} TIMES 0/0 \"GET {path} HTTP/1.1\""
        );
        assert_eq!(line, expected);
    }
    Ok(())
}

#[test]
fn timers_are_minus_one_for_what_did_not_happen() -> Result<()> {
    let (web, mut log) = (web()?, Syslog::udp()?);
    // The address of a server that is gone.
    let closed = Web::start("")?.address();
    let config = format!(
        "{DEFAULTS}frontend fe\n bind {{fe}}\n option httplog\n http-request deny\n\
         frontend dead\n bind {{dead}}\n option httplog\n default_backend be\n\
         backend be\n retries 0\n server s1 {{closed}}\n"
    );
    let proxy = builder(&config, &web, &log)?.name("closed", closed).start()?;
    get(&proxy, "fe", "/")?;
    let line = log.wait_for_line("fe fe/<NOSRV>")?;
    ensure!(matches(r"<NOSRV> \d+/-1/-1/-1/\d+ 403 ", &line), "{line}");
    get(&proxy, "dead", "/")?;
    let line = log.wait_for_line("dead be/s1")?;
    ensure!(matches(r"be/s1 \d+/\d+/-1/-1/\d+ 503 .* SC-- ", &line), "{line}");
    exchange(&proxy, "fe", "GET\r\n\r\n")?;
    let line = log.wait_for_line("<BADREQ>")?;
    ensure!(line.contains(" -1/-1/-1/-1/") && line.contains(" 400 211 - - PR-- "), "{line}");
    Ok(())
}

#[test]
fn tcp_connections_are_logged() -> Result<()> {
    let (web, mut log) = (web()?, Syslog::udp()?);
    let proxy = start(
        "frontend fe\n mode tcp\n bind {fe}\n option tcplog\n default_backend tb\n\
         frontend bare\n mode tcp\n bind {bare}\n default_backend tb\n\
         frontend web\n mode http\n bind {web}\n http-request return status 200\n\
         backend tb\n mode tcp\n server s1 {s1}\n",
        &web,
        &log,
    )?;
    let mut client = proxy.connect("fe")?;
    let length = client.get("/", "")?.raw.len();
    client.half_close()?;
    client.read_to_end()?;
    let line = plain(&log.wait_for(1)?[0]);
    assert_eq!(line, format!("IP:PORT [DATE] fe tb/s1 TIMES {length} -- TIMES 0/0"));

    let client = proxy.connect("bare")?;
    let (from, to) = (client.local_address()?, proxy.address("bare")?);
    assert_eq!(log.wait_for(2)?[1].trim_end(), format!("Connect from {from} to {to} (bare/TCP)"));

    // One line for each request, not for each connection.
    let mut client = proxy.connect("web")?;
    client.get("/", "")?;
    client.get("/", "")?;
    let (from, to) = (client.local_address()?, proxy.address("web")?);
    let line = format!("Connect from {from} to {to} (web/HTTP)");
    let lines = log.wait_for(4)?;
    assert_eq!((lines[2].trim_end(), lines[3].trim_end()), (&*line, &*line));
    Ok(())
}

#[test]
fn the_common_log_format() -> Result<()> {
    let (web, mut log) = (web()?, Syslog::udp()?);
    let proxy = start(
        "frontend fe\n bind {fe}\n option httplog clf\n default_backend be\n\
         backend be\n server s1 {s1}\n",
        &web,
        &log,
    )?;
    get(&proxy, "fe", "/x")?;
    let line = log.wait_for(1)?[0].clone();
    let pattern = r#"^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:[0-9:]{8} \+0000\] "GET /x HTTP/1.1" 200 68 "" "" \d+ \d{3} "fe" "be" "s1" \d+ \d+ \d+ \d+ \d+ ---- 1 1 0 0 0 0 0 "" "" \n$"#;
    ensure!(matches(pattern, &line), "{line}");
    Ok(())
}

#[test]
fn each_header_format() -> Result<()> {
    let (web, mut log) = (web()?, Syslog::udp()?);
    let formats = [
        ("rfc3164", r"^<134>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ front\[\d+\]: "),
        (
            "rfc5424",
            r"^<134>1 \d{4}-\d\d-\d\dT[0-9:]{8}\.\d{6}[+-]\d\d:\d\d \S+ front \d+ - \[id x=.127\.0\.0\.1.\] ",
        ),
        ("priority", r"^<134>"),
        ("short", r"^<6>"),
        ("timed", r"^<6>\d{4}-\d\d-\d\dT[0-9:]{8}\.\d{6}[+-]\d\d:\d\d "),
        ("iso", r"^\d{4}-\d\d-\d\dT[0-9:]{8}\.\d{6}[+-]\d\d:\d\d "),
        ("raw", "^"),
    ];
    let logs: String =
        formats.iter().map(|(name, _)| format!(" log {{log}} format {name} local0\n")).collect();
    let config = format!(
        "global\n{logs}defaults\n mode http\n timeout client 1s\n log global\n\
         frontend fe\n bind {{fe}}\n log-tag front\n log-format \"said %ST\"\n\
         log-format-sd \"[id x=\\\"%ci\\\"]\"\n http-request return status 200\n"
    );
    let proxy = builder(&config, &web, &log)?.start()?;
    get(&proxy, "fe", "/")?;
    for (line, (name, header)) in log.wait_for(formats.len())?.iter().zip(formats) {
        let pattern = format!("{header}said 200\n$");
        ensure!(matches(&pattern, line), "{name}: {line}");
    }
    Ok(())
}

#[test]
fn without_a_format_the_host_is_left_out_unless_asked_for() -> Result<()> {
    if testing_reference() {
        // 2.3.0 sends the host always; 2.3's last releases do not.
        return Ok(());
    }
    for (line, host) in [("", ""), ("log-send-hostname lb1", "lb1 ")] {
        let (web, mut log) = (web()?, Syslog::udp()?);
        let config = format!(
            "global\n log {{log}} local0\n{line}\ndefaults\n mode http\n timeout client 1s\n log global\n\
             frontend fe\n bind {{fe}}\n log-format said\n http-request return status 200\n"
        );
        let proxy = builder(&config, &web, &log)?.start()?;
        get(&proxy, "fe", "/")?;
        let line = log.wait_for(1)?[0].clone();
        let pattern = format!(r"^<134>... .. ..:..:.. {host}haproxy\[\d+\]: said\n$");
        ensure!(matches(&pattern, &line), "{line}");
    }
    Ok(())
}

#[test]
fn lines_go_to_descriptors_and_unix_sockets_and_are_cut() -> Result<()> {
    let folder = Folder::new();
    let path = folder.path().join("log.sock");
    folder.make()?;
    let (web, log) = (web()?, Syslog::udp()?);
    let mut unix = Syslog::unix(&path)?;
    let config = "global\n log stdout format raw local0\n log {unix} len 80 format raw local0\n\
         defaults\n mode http\n timeout client 1s\n log global\n\
         frontend fe\n bind {fe}\n log-format \"%HP\"\n http-request return status 200\n";
    let proxy = builder(config, &web, &log)?.text("unix", &path.display().to_string()).start()?;
    let long = format!("/{}", "x".repeat(100));
    get(&proxy, "fe", &long)?;
    proxy.wait_for_line(&long)?;
    assert_eq!(unix.wait_for(1)?[0], format!("{}\n", &long[..80]));
    Ok(())
}

#[test]
fn samples_and_levels_choose_lines() -> Result<()> {
    let (web, mut log) = (web()?, Syslog::udp()?);
    let config = "global\n log {log} format short sample 2-3:4 local0\n log {log} format raw local0 err\n\
         log {log} format priority local1 err notice\n\
         defaults\n mode http\n timeout client 1s\n log global\n\
         frontend fe\n bind {fe}\n log-format \"%HP %ts\"\n\
         http-request set-log-level silent if { path /silent }\n\
         http-request set-log-level crit if { path /crit }\n http-request return status 200\n";
    let proxy = builder(config, &web, &log)?.start()?;
    for path in ["/1", "/2", "/silent", "/3", "/4", "/5", "/crit"] {
        get(&proxy, "fe", path)?;
    }
    let lines = log.wait_for(5)?;
    assert_eq!(
        lines,
        ["<6>/2 LR\n", "<6>/3 LR\n", "<2>/crit LR\n", "/crit LR\n", "<141>/crit LR\n"]
    );
    ensure!(log.lines_within(Duration::from_millis(100))?.len() == 5, "too many lines");
    Ok(())
}

#[test]
fn what_need_not_be_logged_is_not() -> Result<()> {
    let (web, mut log) = (web()?, Syslog::udp()?);
    let proxy = start(
        "frontend null\n bind {null}\n option httplog\n option dontlognull\n http-request return status 200\n\
         frontend normal\n bind {normal}\n option httplog\n option dontlog-normal\n option log-separate-errors\n\
         http-request return status 500 if { path /error }\n http-request return status 200\n\
         frontend probes\n bind {probes}\n option httplog\n option http-ignore-probes\n http-request return status 200\n\
         frontend fe\n bind {fe}\n option httplog\n http-request return status 200\n",
        &web,
        &log,
    )?;
    let closes = |name: &str| -> Result<String> {
        let mut client = proxy.connect(name)?;
        client.half_close()?;
        Ok(String::from_utf8_lossy(&client.read_to_end()?).into_owned())
    };
    ensure!(closes("null")?.starts_with("HTTP/1.1 400 "), "no answer");
    ensure!(closes("probes")?.is_empty(), "an answer");
    get(&proxy, "normal", "/")?;
    get(&proxy, "normal", "/error")?;
    closes("fe")?;
    let lines: Vec<String> = log.wait_for(2)?.iter().map(|line| plain(line)).collect();
    let none = "IP:PORT [DATE] fe fe/<NOSRV> TIMES 400 211 - - CR-- TIMES 0/0 \"<BADREQ>\"";
    ensure!(lines[0].contains("normal normal/<NOSRV> TIMES 500 "), "{lines:?}");
    assert_eq!(lines[1], none);
    Ok(())
}

#[test]
fn captures_are_logged_encoded() -> Result<()> {
    let (web, mut log) = (web()?, Syslog::udp()?);
    let proxy = start(
        "frontend fe\n bind {fe}\n log-format \"%hr %hs %hrl|%hsl %{+Q}hr\"\n\
         capture request header X-A len 4\n capture request header X-B len 10\n\
         declare capture request len 3\n http-request capture path id 2\n\
         capture response header X-T len 3\n default_backend be\n\
         backend be\n server s1 {s1}\n",
        &web,
        &log,
    )?;
    let headers = "Host: h\r\nX-A: first\r\nX-A: a{b|cd\r\nConnection: close\r\n";
    exchange(&proxy, "fe", &format!("GET /path HTTP/1.1\r\n{headers}\r\n"))?;
    assert_eq!(
        log.wait_for(1)?[0],
        "{a#7Bb#7C||/pa} {abc} a#7Bb#7C - /pa|abc \"{a#7Bb#7C||/pa}\"\n"
    );
    Ok(())
}

#[test]
fn a_format_says_what_it_names() -> Result<()> {
    let (web, mut log) = (web()?, Syslog::udp()?);
    let proxy = start(
        "frontend fe\n bind {fe}\n log-format \"%f %ft %b %s %ci %{+X}ci %HM %HP %HQ %HU %HV %ST %B %U %ts %tsc %rc %sq %bq %ac/%fc/%bc/%sc %ID %{+Q}ID %lc %CC %si:%sp %{+Q,+E}[src] 100%% %Th\"\n\
         default_backend be\n backend be\n server s1 {s1}\n",
        &web,
        &log,
    )?;
    get(&proxy, "fe", "/a?b=c")?;
    let server = web.address();
    assert_eq!(
        log.wait_for(1)?[0],
        format!(
            "fe fe be s1 127.0.0.1 7F000001 GET /a ?b=c /a?b=c HTTP/1.1 200 68 58 -- ---- 0 0 0 1/1/0/0 - \"\" 0 - {server} \"127.0.0.1\" 100% 0\n"
        )
    );
    Ok(())
}

#[test]
fn as_soon_as_possible_means_before_the_body() -> Result<()> {
    let (web, mut log) = (web()?, Syslog::udp()?);
    let server = haproxy_compat::harness::Server::listen()?;
    let config = format!(
        "{DEFAULTS}frontend fe\n bind {{fe}}\n option httplog\n option logasap\n default_backend be\n\
         backend be\n server s1 {{slow}}\n"
    );
    let proxy = builder(&config, &web, &log)?.name("slow", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut peer = server.accept()?;
    peer.request()?;
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")?;
    let line = log.wait_for(1)?[0].clone();
    ensure!(matches(r"/\+\d+ 200 \+\d+ - - ---- ", &line), "{line}");
    peer.send("abc")?;
    assert_eq!(client.response()?.body, b"abc");
    drop(client);
    ensure!(log.lines_within(Duration::from_millis(100))?.len() == 1, "logged twice");
    Ok(())
}

#[test]
fn mistakes_are_refused_in_haproxys_words() -> Result<()> {
    let cases = [
        (
            " log 127.0.0.1 len 10 local0",
            "log : invalid log length '10', must be between 80 and 65535",
        ),
        (" log 127.0.0.1 nofac", "log : unknown log facility 'nofac'"),
        (" log 127.0.0.1", "log : expects <address> and <facility> or global as arguments"),
        (" log-format", "log-format expects an argument."),
        (" log-format a b", "log-format expects only one argument, don't forget to escape spaces!"),
        (" log-tag", "'log-tag' expects a tag for use in syslog."),
        (" option httplog foo", "keyword 'httplog' only supports option 'clf'."),
        (
            " log-format %foo",
            "failed to parse log-format : no such format variable 'foo'. If you wanted to emit the '%' character verbatim, you need to use '%%'.",
        ),
        (
            " log-format %[path]",
            "failed to parse log-format : sample fetch <path]> may not be reliably used here because it needs 'HTTP request headers' which is not available here.",
        ),
    ];
    for (line, message) in cases {
        let config = format!(
            "defaults\n mode http\n timeout client 1s\nfrontend fe\n bind {{fe}}\n{line}\n"
        );
        let finished = proxy(&config).args(&["-c"]).run()?;
        ensure!(finished.status.code() == Some(1), "{line}: {:?}", finished.status);
        ensure!(finished.stderr.contains(message), "{line}: {}", finished.stderr);
    }
    Ok(())
}

#[test]
fn rings_keep_lines_and_what_is_debugged() -> Result<()> {
    let config = "ring events\n format iso\n maxlen 60\n description \"what happened\"\n\
        ring plain\n\
        frontend fe\n bind {fe}\n log ring@events local0\n log ring@plain local1\n log ring@plain local1 err\n\
         log-format \"line %HP\"\n\
         http-request return status 200 content-type text/plain lf-string \"%[path,debug(p,plain)]\"\n";
    let proxy = http_with_cli(config).start()?;
    for path in ["/a", "/bcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"] {
        let mut client = proxy.connect("fe")?;
        client.send(format!("GET {path} HTTP/1.0\r\n\r\n"))?;
        let (answer, _) = client.drain()?;
        ensure!(String::from_utf8_lossy(&answer).ends_with(path), "the value did not pass");
    }
    let shown = proxy.cli("show events events")?;
    let lines: Vec<&str> = shown.lines().filter(|line| !line.is_empty()).collect();
    ensure!(lines.len() == 2 && lines.iter().all(|line| line.len() <= 60), "{lines:?}");
    ensure!(lines[0].ends_with(" line /a") && lines[1].contains(" line /bcdef"), "{lines:?}");
    let plain = proxy.cli("show events plain")?;
    let expected = "[debug] p: type=str </a>\nline /a\n[debug] p: type=str </bcdef";
    ensure!(plain.starts_with(expected), "{plain}");
    let list = proxy.cli("show events")?;
    ensure!(list.contains("    events     : type=buffer, 0 dropped, what happened\n"), "{list}");
    assert_eq!(proxy.cli("show events stdout")?.trim(), "Nothing to report for this sink");
    assert_eq!(proxy.cli("show events none")?.trim(), "No such event sink");
    Ok(())
}
