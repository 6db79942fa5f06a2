//! The PROXY protocol (proxy-protocol.txt; manual 5.1 "accept-proxy", 5.2 "send-proxy"): who the client
//! is said to be, to us and by us.

use anyhow::Result;
use haproxy_compat::harness::{Connection, Proxy, Server, Syslog, Web};

use crate::{CLI, GET, GET_CLOSE, HTTP, OK, proxy, testing_reference};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2 with these addresses and values.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    [SIGNATURE, &[command, family], &length, body].concat()
}

/// 1.2.3.4:1111 to 5.6.7.8:2222.
const ENDS: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8, 0x04, 0x57, 0x08, 0xae];

/// Sends a header and a request; the status of the answer, 0 without one.
fn ask(proxy: &Proxy, name: &str, header: &[u8]) -> Result<u16> {
    let mut client = proxy.connect(name)?;
    client.send([header, GET_CLOSE.as_bytes()].concat())?;
    let answer = client.drain()?.0;
    let status = answer.get(9..12).and_then(|s| std::str::from_utf8(s).ok()?.parse().ok());
    Ok(status.unwrap_or(0))
}

fn accepting(log: &Syslog, web: &Web) -> Result<Proxy> {
    let config = format!(
        "global\n log {{log}} format raw local0\n{HTTP} log global\n\
         log-format \"%ci:%cp %fi:%fp %[src] %[dst]:%[dst_port] %[fc_rcvd_proxy] %[fc_pp_authority] %[fc_pp_unique_id]\"\n\
         default_backend be\n\
         frontend fe\n bind {{fe}} accept-proxy\n\
         frontend cip\n bind {{cip}} name nets accept-netscaler-cip 9\n\
         frontend some\n bind {{some}}\n tcp-request connection expect-proxy layer4 if {{ src 127.0.0.1 }}\n\
         frontend quiet\n bind {{quiet}} accept-proxy\n option dontlognull\n\
         backend be\n server s1 {{s1}}\n"
    );
    proxy(&config).name("log", log.address()?).name("s1", web.address()).start()
}

#[test]
fn the_header_says_who_the_client_is() -> Result<()> {
    let (mut log, web) = (Syslog::udp()?, Web::start("here")?);
    let proxy = accepting(&log, &web)?;
    let values = [ENDS, &[2, 0, 4], b"name", &[5, 0, 2], b"id", &[4, 0, 1, 0]].concat();
    let v6 = [&[0; 15][..], &[1], &[0; 15], &[2, 0, 3, 0, 4]].concat();
    let cases: &[(&[u8], &str)] = &[
        (
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n",
            "1.2.3.4:1111 5.6.7.8:80 1.2.3.4 5.6.7.8:80 1 - -",
        ),
        (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1:1 ::1:2 2001:db8::1 ::1:2 1 - -"),
        (&v2(0x21, 0x11, ENDS), "1.2.3.4:1111 5.6.7.8:2222 1.2.3.4 5.6.7.8:2222 1 - -"),
        (&v2(0x21, 0x21, &v6), "::1:3 ::2:4 ::1 ::2:4 1 - -"),
        (&v2(0x21, 0x11, &values), "1.2.3.4:1111 5.6.7.8:2222 1.2.3.4 5.6.7.8:2222 1 name id"),
    ];
    for (index, (header, line)) in cases.iter().enumerate() {
        assert_eq!(ask(&proxy, "fe", header)?, 200, "{line}");
        assert_eq!(log.wait_for(index + 1)?[index].trim_end(), *line);
    }
    for header in [&b"PROXY UNKNOWN\r\n"[..], &v2(0x20, 0, b""), &v2(0x20, 0x11, ENDS)] {
        assert_eq!(ask(&proxy, "fe", header)?, 200);
    }
    assert!(
        log.wait_for(8)?[5..].iter().all(|l| l.starts_with("127.0.0.1:") && l.contains(" 1 - -"))
    );
    assert_eq!(ask(&proxy, "some", b"PROXY TCP4 9.9.9.9 5.6.7.8 1 2\r\n")?, 200);
    assert!(log.wait_for(9)?[8].starts_with("9.9.9.9:1 5.6.7.8:2 "));
    let other = Connection::from_to("127.0.0.2:0".parse()?, proxy.address("some")?);
    assert_eq!(other?.get("/", "")?.status(), 200);
    let mut packet = vec![0, 0, 0, 9, 0, 0, 0, 40, 0x45, 0, 0, 40, 0, 0, 0, 0, 0, 6, 0, 0];
    packet.extend(ENDS);
    packet.resize(48, 0);
    assert_eq!(ask(&proxy, "cip", &packet)?, 200);
    let line = "1.2.3.4:1111 5.6.7.8:2222 1.2.3.4 5.6.7.8:2222 0 - -";
    assert_eq!(log.wait_for(11)?[10].trim_end(), line);
    Ok(())
}

#[test]
fn what_is_no_header_is_refused_and_logged() -> Result<()> {
    let (mut log, web) = (Syslog::udp()?, Web::start("here")?);
    let proxy = accepting(&log, &web)?;
    let invalid = "Received an invalid PROXY protocol header";
    let overrun = [ENDS, &[2, 0, 16, b'a']].concat();
    let cases: &[(&str, &[u8], &str)] = &[
        ("fe", b"", "Received something which does not look like a PROXY protocol header"),
        (
            "fe",
            b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
            "Received an unhandled protocol in the PROXY protocol header",
        ),
        ("fe", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", invalid),
        ("fe", b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", invalid),
        ("fe", &v2(0x22, 0x11, ENDS), invalid),
        ("fe", &v2(0x21, 0x31, ENDS), invalid),
        ("fe", &v2(0x21, 0x11, &overrun), invalid),
        ("cip", b"", "Received an invalid NetScaler Client IP magic number"),
    ];
    for (index, (name, header, words)) in cases.iter().enumerate() {
        assert_eq!(ask(&proxy, name, header)?, 0, "{words}");
        let line = log.wait_for(index + 1)?[index].trim_end().to_owned();
        let listener = if *name == "cip" { "nets" } else { "1" };
        assert!(line.ends_with(&format!("] {name}/{listener}: {words}")), "{line}");
    }
    let mut half = proxy.connect("fe")?;
    half.send("PROXY TCP4 1.2.3.4 5.6")?;
    assert!(half.drain()?.0.is_empty());
    log.wait_for_line(": Truncated PROXY protocol header received")?;
    for name in ["quiet", "fe"] {
        proxy.connect(name)?.half_close()?;
    }
    let closed = "fe/1: Connection closed while waiting for PROXY protocol header";
    assert!(log.wait_for(cases.len() + 2)?[cases.len() + 1].trim_end().ends_with(closed));
    Ok(())
}

/// What a server with these options receives first, for a client that sent this header.
fn sent(options: &str, header: &[u8]) -> Result<Vec<u8>> {
    let server = Server::listen()?;
    let config = format!(
        "{HTTP} unique-id-format id\nlisten fe\n bind {{fe}} accept-proxy\n server s1 {{s1}} {options}\n"
    );
    let proxy = proxy(&config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send([header, GET.as_bytes()].concat())?;
    let mut backend = server.accept()?;
    let bytes = backend.read_through("\r\nhost: h\r\n\r\n")?;
    backend.send(OK)?;
    client.response()?;
    // The connection was opened in this client's name and is kept for it.
    client.send(GET)?;
    assert!(backend.read_through("\r\n\r\n")?.starts_with(b"GET / HTTP/1.1\r\n"));
    backend.send(OK)?;
    client.response()?;
    let rest = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";
    Ok(bytes.strip_suffix(rest).expect("a request").to_vec())
}

#[test]
fn servers_are_told_who_the_client_is() -> Result<()> {
    let v1 = b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 2222\r\n";
    let header = v2(0x21, 0x11, ENDS);
    let named = v2(0x21, 0x11, &[ENDS, &[2, 0, 4], b"name"].concat());
    assert_eq!(sent("send-proxy", &header)?, v1);
    assert_eq!(sent("send-proxy", b"PROXY TCP6 ::1 ::2 1 2\r\n")?, b"PROXY TCP6 ::1 ::2 1 2\r\n");
    assert_eq!(sent("send-proxy-v2", &header)?, header);
    assert_eq!(sent("send-proxy send-proxy-v2 no-send-proxy-v2", &header)?, v1);
    let v6 = [&[0; 15][..], &[1], &[0; 15], &[2, 0, 3, 0, 4]].concat();
    assert_eq!(sent("send-proxy-v2", b"PROXY TCP6 ::1 ::2 3 4\r\n")?, v2(0x21, 0x21, &v6));
    let crc = sent("send-proxy-v2 proxy-v2-options crc32c", &header)?;
    let sum = [ENDS, &[3, 0, 4, 0xd1, 0x7a, 0x2c, 0x97]].concat();
    assert_eq!(crc, v2(0x21, 0x11, &sum));
    let all = "send-proxy-v2 proxy-v2-options authority,unique-id";
    let values = [ENDS, &[2, 0, 4], b"name", &[5, 0, 2], b"id"].concat();
    assert_eq!(sent(all, &named)?, v2(0x21, 0x11, &values));
    Ok(())
}

#[test]
fn a_connection_in_a_clients_name_serves_nobody_else() -> Result<()> {
    let web = Web::start("here")?;
    let config = format!(
        "{HTTP}listen fe\n bind {{fe}}\n http-reuse always\n server s1 {{via}} send-proxy\n\
         listen via\n bind {{via}} accept-proxy\n http-request set-header x-from %[src]\n server s1 {{s1}}\n"
    );
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    let fe = proxy.address("fe")?;
    for source in ["127.0.0.2:0", "127.0.0.3:0", "127.0.0.2:0"] {
        let mut client = Connection::from_to(source.parse()?, fe)?;
        client.get("/", "")?;
        client.get("/", "")?;
        let last = web.requests().pop().expect("a request");
        assert_eq!(last.header("x-from"), source.strip_suffix(":0"));
    }
    Ok(())
}

#[test]
fn checks_begin_with_a_header_of_their_own() -> Result<()> {
    let (first, second, third) = (Server::listen()?, Server::listen()?, Server::listen()?);
    let config = format!(
        "{CLI}{HTTP}backend be\n option httpchk\n default-server inter 100ms\n\
         server s1 {{s1}} check check-send-proxy\n server s2 {{s2}} check send-proxy-v2\n\
         server s3 {{s1}} check port {} send-proxy\n",
        third.address().port()
    );
    let started = proxy(&config).name("s1", first.address()).name("s2", second.address()).start();
    let _proxy = started?;
    let mut check = first.accept()?;
    let from = check.peer_address()?;
    let line =
        format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n", from.port(), first.address().port());
    check.expect([line.as_bytes(), b"OPTIONS / HTTP/1.0\r\n"].concat())?;
    second.accept()?.expect([&v2(0x20, 0, b"")[..], b"OPTIONS / "].concat())?;
    third.accept()?.expect("OPTIONS / ")
}

#[test]
fn options_about_tls_need_it() -> Result<()> {
    if testing_reference() {
        // Built without TLS, it does not know them.
        return Ok(());
    }
    let header = v2(0x21, 0x11, ENDS);
    let told = [ENDS, &[0x20, 0, 5, 0, 0, 0, 0, 0]].concat();
    let options = "send-proxy-v2 proxy-v2-options ssl,cert-cn";
    assert_eq!(sent(options, &header)?, v2(0x21, 0x11, &told));
    Ok(())
}
