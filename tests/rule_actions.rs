//! Actions that act on the connection or fail for lack of room (manual 4.2: `strict-mode`, `early-hint`,
//! `silent-drop`, `set-tos`, `set-mark`, `wait-for-handshake`).

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result};
use haproxy_compat::harness::{Proxy, Syslog, Web};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{CLI, GET, HTTP, OK, proxy, testing_reference};

/// 130 bytes of text in a variable, and buffers that hold about fifteen of it.
const SMALL: &str = "global
    stats socket {cli} level admin
    log {log} format raw local0
    tune.bufsize 2048
    tune.maxrewrite 1024
";

/// Sets `x-a` to that many bytes.
fn long(name: &str, bytes: usize) -> String {
    format!("set-header {name} {}", "a".repeat(bytes))
}

/// A proxy with small buffers and these rules, its server and its log.
fn small(rules: &str) -> Result<(Proxy, Web, Syslog)> {
    let web = Web::answering(|_| OK.into())?;
    let log = Syslog::udp()?;
    let config = format!(
        "{SMALL}{HTTP} log global\n option httplog\nfrontend fe\n bind {{fe}}\n{rules}\n default_backend be\n\
         backend be\n server s1 {{s1}}\n"
    );
    let builder = proxy(&config).name("s1", web.address()).name("log", log.address()?);
    Ok((builder.start()?, web, log))
}

#[test]
fn a_change_without_room_fails_the_request() -> Result<()> {
    let rules = format!(
        "http-request strict-mode off if {{ path_beg /soft }}\n http-request {} if {{ path_beg /head }} or {{ path_beg /soft }}\n\
         http-request {} if {{ path_beg /head }} or {{ path_beg /soft }}\n\
         http-request set-path /{} if {{ path_beg /path }}\n\
         http-request replace-path ^/again.* /{} if {{ path_beg /again }}\n\
         http-request replace-header x-v .* {} if {{ path_beg /value }}",
        long("x-a", 1100),
        long("x-b", 1000),
        "p".repeat(2000),
        "q".repeat(2000),
        "r".repeat(2000),
    );
    let (proxy, web, mut log) = small(&rules)?;
    let mut client = proxy.connect("fe")?;
    for path in ["/head", "/path", "/again", "/value"] {
        assert_eq!(client.get(path, "x-v: 1\r\n")?.status(), 500, "{path}");
        let line = log.wait_for_line(&format!("GET {path} "))?;
        assert!(line.contains(" fe/<NOSRV> -1/-1/-1/-1/") && line.contains(" PR-- "), "{line}");
    }
    assert!(web.requests().is_empty());
    // A rule that cannot is skipped, those after it are not.
    assert_eq!(client.get("/soft", "")?.status(), 200);
    let request = web.requests().pop().context("a request")?;
    assert_eq!(request.all("x-a"), ["a".repeat(1100)]);
    assert_eq!(request.all("x-b"), [""; 0]);
    let stats = proxy.stats()?;
    assert_eq!(stats.number("fe", "FRONTEND", "wrew")?, 5);
    assert_eq!(stats.number("fe", "FRONTEND", "eint")?, 4);
    assert_eq!(stats.number("fe", "FRONTEND", "dreq")?, 0);
    Ok(())
}

#[test]
fn the_room_is_the_whole_buffer() -> Result<()> {
    // A head costs 48 bytes, 8 for each part, and what its parts hold.
    let start = 8 + 24 + "GET".len() + "/".len() + "HTTP/1.1".len();
    let host = 8 + "hosth".len();
    let ends = 9 + 9;
    let most = 2048 - 48 - start - host - ends - 8 - "x-a".len();
    for (bytes, status) in [(most, 200), (most + 1, 500)] {
        let (proxy, web, _log) = small(&format!("http-request {}", long("x-a", bytes)))?;
        let mut client = proxy.connect("fe")?;
        client.send(GET)?;
        assert_eq!(client.response()?.status(), status, "{bytes}");
        assert_eq!(web.requests().len(), usize::from(status == 200));
    }
    // What options add must fit as well.
    let rules = format!("option forwardfor\n http-request {}", long("x-a", most));
    let (proxy, web, mut log) = small(&rules)?;
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    assert_eq!(client.response()?.status(), 500);
    assert!(web.requests().is_empty());
    assert!(log.wait_for_line("GET / ")?.contains(" be/<NOSRV> -1/-1/-1/-1/"));
    assert_eq!(proxy.stats()?.number("be", "BACKEND", "eint")?, 1);
    Ok(())
}

#[test]
fn a_change_without_room_fails_the_response() -> Result<()> {
    let rules = format!(
        "http-request set-var(txn.p) path\n\
         http-response {0} if {{ var(txn.p) -m str /hard }}\n\
         http-response strict-mode off\n\
         http-response {0} if {{ var(txn.p) -m str /soft }}\n\
         http-response set-header x-then 1\n\
         http-after-response strict-mode off if {{ var(txn.p) -m str /later-soft }}\n\
         http-after-response {0} if {{ var(txn.p) -m beg /later }} or {{ var(txn.p) -m str /own }}\n\
         http-request return status 204 if {{ path /own }}",
        long("x-b", 2000)
    );
    let (proxy, _web, mut log) = small(&rules)?;
    let mut client = proxy.connect("fe")?;
    for (path, status, letters) in [
        ("/hard", 500, " 500 269 - - PH-- "),
        ("/soft", 200, " ---- "),
        ("/later", 500, " PH-- "),
        ("/later-soft", 200, " ---- "),
        ("/own", 500, " 500 213 - - PR-- "),
    ] {
        let response = client.get(path, "")?;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.header("x-b"), None);
        assert_eq!(response.header("x-then").is_some(), status == 200, "{path}");
        let line = log.wait_for_line(&format!("GET {path} "))?;
        assert!(line.contains(letters), "{line}");
        assert_eq!(line.contains("/-1/"), status == 500, "{line}");
    }
    let stats = proxy.stats()?;
    // The page of a failed response goes through the rules too.
    assert_eq!(stats.number("fe", "FRONTEND", "wrew")?, 1 + 1 + 2 + 1 + 2);
    assert_eq!(stats.number("fe", "FRONTEND", "eint")?, 3);
    assert_eq!(stats.number("be", "BACKEND", "eint")?, 2);
    assert_eq!(stats.number("be", "s1", "wrew")?, 5);
    Ok(())
}

#[test]
fn hints_go_ahead_of_the_response() -> Result<()> {
    let web = Web::answering(|_| OK.into())?;
    let log = Syslog::udp()?;
    let config = format!(
        "global\n log {{log}} format raw local0\n{HTTP} log global\n option httplog\n\
         frontend fe\n bind {{fe}}\n http-request early-hint Link <%[path]>\n\
         http-request early-hint X-Two 2\n http-request set-header x-seen 1\n\
         http-request early-hint X-Three 3\n http-request deny if {{ path /no }}\n\
         default_backend be\nbackend be\n server s1 {{s1}}\n"
    );
    let builder = proxy(&config).name("s1", web.address()).name("log", log.address()?);
    let (proxy, mut log) = (builder.start()?, log);
    let hints = |path: &str| {
        format!(
            "HTTP/1.1 103 Early Hints\r\nlink: <{path}>\r\nx-two: 2\r\n\r\n\
             HTTP/1.1 103 Early Hints\r\nx-three: 3\r\n\r\n"
        )
    };
    let mut client = proxy.connect("fe")?;
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    client.expect(hints("/a") + ok)?;
    assert!(log.wait_for_line("GET /a ")?.contains(" 200 172 "), "hints are counted");
    client.send("GET /no HTTP/1.1\r\nHost: h\r\n\r\n")?;
    client.expect(hints("/no") + "HTTP/1.1 403 Forbidden\r\n")?;
    let mut old = proxy.connect("fe")?;
    old.send("GET /old HTTP/1.0\r\nHost: h\r\n\r\n")?;
    old.expect("HTTP/1.1 200 OK\r\n")?;
    assert_eq!(web.requests().len(), 2);
    Ok(())
}

#[test]
fn a_client_that_is_dropped_learns_nothing() -> Result<()> {
    let web = Web::answering(|_| OK.into())?;
    let log = Syslog::udp()?;
    let config = format!(
        "{CLI} log {{log}} format raw local0\n{HTTP} log global\n option httplog\n\
         frontend fe\n bind {{fe}}\n http-request set-var(txn.p) path\n\
         http-request silent-drop if {{ path /fe }}\n\
         http-response silent-drop if {{ var(txn.p) -m str /res }}\n default_backend be\n\
         backend be\n http-request silent-drop if {{ path /be }}\n server s1 {{s1}}\n"
    );
    let builder = proxy(&config).name("s1", web.address()).name("log", log.address()?);
    let (proxy, mut log) = (builder.start()?, log);
    for (path, written) in
        [("/fe", " -1 0 - - PR-- "), ("/be", " -1 0 - - PR-- "), ("/res", " 200 56 - - PR-- ")]
    {
        let mut client = proxy.connect("fe")?;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))?;
        let line = log.wait_for_line(&format!("GET {path} "))?;
        assert!(line.contains(written), "{line}");
        proxy.wait_for_stat("fe", "FRONTEND", "scur", "0")?;
        if nix::unistd::geteuid().is_root() {
            // Others have not the right to close without a word to the same machine.
            client.expect_silence(Duration::from_millis(50))?;
        }
    }
    let stats = proxy.stats()?;
    assert_eq!(stats.number("fe", "FRONTEND", "dreq")?, 3);
    assert_eq!(stats.number("fe", "FRONTEND", "hrsp_other")?, 2);
    assert_eq!(stats.number("be", "BACKEND", "dreq")?, 2);
    assert_eq!(stats.number("be", "BACKEND", "hrsp_other")?, 1);
    Ok(())
}

#[test]
fn a_refused_response_leaves_the_client_connected() -> Result<()> {
    let rules = "http-response deny if { status 200 }";
    let (proxy, _web, mut log) = small(rules)?;
    let mut client = proxy.connect("fe")?;
    for _ in 0..2 {
        assert_eq!(client.get("/x", "")?.status(), 502);
    }
    let line = log.wait_for_line("GET /x ")?;
    assert!(line.contains("/-1/") && line.contains(" 502 270 - - PH-- "), "{line}");
    Ok(())
}

/// What the kernel says of the TCP socket between these ports: its type of service, and its mark if we
/// have the right to know (`struct inet_diag_msg`, attributes 5 and 15).
fn diagnosis(source: u16, destination: u16) -> Result<(Option<u8>, Option<u32>)> {
    const NETLINK: i32 = 16;
    const SOCK_DIAG: i32 = 4;
    let socket = Socket::new(Domain::from(NETLINK), Type::RAW, Some(Protocol::from(SOCK_DIAG)))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    request.extend(72u32.to_ne_bytes());
    // By family; all that match are listed.
    request.extend([20u16, 0x301].map(u16::to_ne_bytes).concat());
    request.extend([0u8; 8]);
    // AF_INET, IPPROTO_TCP, the type of service as well, any state.
    request.extend([2u8, 6, 1 << 4, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    request.extend([source, destination].map(u16::to_be_bytes).concat());
    request.extend([0u8; 36]);
    request.extend(u32::MAX.to_ne_bytes().repeat(2));
    socket.send(&request)?;
    let mut answer = vec![0; 1 << 20];
    loop {
        let length = (&socket).read(&mut answer)?;
        let mut rest = &answer[..length];
        while rest.len() >= 16 {
            let length = u32::from_ne_bytes(rest[..4].try_into()?) as usize;
            let kind = u16::from_ne_bytes(rest[4..6].try_into()?);
            anyhow::ensure!(kind == 20, "no such socket");
            let (message, after) = rest.split_at(length.next_multiple_of(4).min(rest.len()));
            let ports =
                [&message[20..22], &message[22..24]].map(|b| u16::from_be_bytes([b[0], b[1]]));
            if ports == [source, destination] {
                return Ok(attributes(&message[16 + 72..]));
            }
            rest = after;
        }
    }
}

fn attributes(mut rest: &[u8]) -> (Option<u8>, Option<u32>) {
    let (mut tos, mut mark) = (None, None);
    while rest.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        match (u16::from_ne_bytes([rest[2], rest[3]]), &rest[4..length]) {
            (5, [value, ..]) => tos = Some(*value),
            (15, value) => mark = value.try_into().ok().map(u32::from_ne_bytes),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    (tos, mark)
}

#[test]
fn packets_to_the_client_are_marked() -> Result<()> {
    let web = Web::answering(|_| OK.into())?;
    let config = format!(
        "{HTTP}frontend fe\n bind {{fe}}\n http-request set-tos 0x20 if {{ path /request }}\n\
         http-request set-mark 07 if {{ path /request }}\n default_backend be\n\
         backend be\n http-response set-tos 8\n http-response set-mark 0x10\n server s1 {{s1}}\n\
         frontend own\n bind {{own}}\n http-request set-tos 0x20\n http-request set-mark 9\n http-request deny\n"
    );
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    for (name, tos, mark) in [("fe", 8, 16), ("own", 0x20, 9)] {
        let mut client = proxy.connect(name)?;
        let (ours, theirs) = (client.local_address()?.port(), client.peer_address()?.port());
        assert_eq!(diagnosis(theirs, ours)?.0, Some(0));
        client.get("/request", "")?;
        let (found, marked) = diagnosis(theirs, ours)?;
        assert_eq!(found, Some(tos), "{name}");
        if nix::unistd::geteuid().is_root() {
            assert_eq!(marked, Some(mark), "{name}");
        }
    }
    Ok(())
}

#[test]
fn a_request_behind_a_handshake_is_served_at_once() -> Result<()> {
    if testing_reference() {
        // Built without TLS it does not know the action.
        return Ok(());
    }
    let web = Web::answering(|_| OK.into())?;
    let config = format!(
        "{HTTP}frontend fe\n bind {{fe}}\n bind {{proxied}} accept-proxy\n\
         http-request wait-for-handshake\n http-request set-header x-src %[src]\n default_backend be\n\
         backend be\n server s1 {{s1}}\n"
    );
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
    let mut client = proxy.connect("proxied")?;
    client.send(format!("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n{GET}"))?;
    assert_eq!(client.response()?.status(), 200);
    let sources: Vec<_> = web.requests().iter().map(|r| r.all("x-src").concat()).collect();
    assert_eq!(sources, ["127.0.0.1", "1.2.3.4"]);
    Ok(())
}
