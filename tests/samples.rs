//! Samples: what fetches take from requests and responses, and what converters make of it (manual 7.3).

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Proxy, Web};

use crate::{http, testing_reference};

/// What each expression gives for one request.
struct Case {
    /// The request line's method and target, and header lines.
    request: (&'static str, &'static str),
    /// Expressions and their values as text.
    rows: &'static [(&'static str, &'static str)],
}

const HEADERS: &str = "Host: h.example,x\r\nA: 1, 2\r\nA: \"x,y\",\r\nB:\r\nIp: x, 10.1.2.3:80, 2001:db8::1\r\nN: -12x, 7\r\nAuthorization: Basic dXNlcjpwYTpzcw==\r\n";

const CASES: &[Case] = &[
    Case {
        request: ("GET /a/b?a=1&b=%41;a=3&c HTTP/1.1", HEADERS),
        rows: &[
            ("base", "h.example/a/b"),
            ("base32", "544365041"),
            ("base32+src,hex", "207259F17F000001"),
            ("hdr(a)", ""),
            ("hdr(a,1)", "1"),
            ("hdr(A,3)", "\"x,y\""),
            ("hdr(a,-2)", "\"x,y\""),
            ("hdr", ""),
            ("hdr_cnt(a)", "4"),
            ("hdr_ip(ip)", "2001:db8::1"),
            ("hdr_ip(ip,2)", "10.1.2.3"),
            ("hdr_val(n)", "7"),
            ("hdr_val(n,1)", "-12"),
            ("http_auth_pass", "pa:ss"),
            ("http_auth_type", "Basic"),
            ("http_auth_user", "user"),
            ("http_first_req", "1"),
            ("path", "/a/b"),
            ("pathq", "/a/b?a=1&b=%41;a=3&c"),
            ("query", "a=1&b=%41;a=3&c"),
            ("req.fhdr(a)", "\"x,y\","),
            ("req.fhdr(a,1)", "1, 2"),
            ("req.fhdr_cnt(a)", "2"),
            ("req.hdr(host)", "x"),
            ("req.hdr_cnt(b)", "1"),
            ("req.hdr_cnt(none)", "0"),
            ("req.hdr_ip(ip,-1)", "2001:db8::1"),
            ("req.hdr_names", "host,a,a,b,ip,n,authorization,x-row"),
            ("req.hdr_names(;)", "host;a;a;b;ip;n;authorization;x-row"),
            ("req.hdr_val(n,-1)", "7"),
            ("req.hdrs,field(2,:),cut_crlf", " h.example,x"),
            ("req.hdrs_bin,bytes(0,18),hex", "04686F73740B682E6578616D706C652C7801"),
            ("req.proto_http", "1"),
            ("req_proto_http", "1"),
            ("req.ver", "1.1"),
            ("req_ver", "1.1"),
            ("url", "/a/b?a=1&b=%41;a=3&c"),
            ("url32", "1088505595"),
            ("url32+src,hex", "40E146FB7F000001"),
            ("url_param(a)", "1"),
            ("url_param(b),url_dec", "A"),
            ("url_param(c)", ""),
            ("url_param", "1"),
            ("urlp(b,&)", "%41"),
            ("urlp_val(a)", "1"),
            ("url_ip", ""),
            ("url_port", ""),
        ],
    },
    Case {
        request: ("GET http://1.2.3.4:8080/x;a=2 HTTP/1.1", "Host: 1.2.3.4:8080\r\n"),
        rows: &[
            ("url_ip", "1.2.3.4"),
            ("url_port", "8080"),
            ("path", "/x;a=2"),
            ("urlp(a,;)", "2"),
            ("query", ""),
            ("http_first_req", "0"),
            ("http_auth_user", ""),
        ],
    },
    Case {
        request: ("GET / HTTP/1.0", "Host: a\r\n"),
        rows: &[
            ("req.ver", "1.0"),
            ("int(5),add(txn.seven)", "12"),
            ("int(5),sub(txn.none)", ""),
            ("int(-5),sub(3)", "9223372036854775807"),
            ("int(6),and(3),or(8),xor(1)", "11"),
            ("int(7),mul(txn.seven),div(2),mod(10)", "4"),
            ("str(a),concat(<,txn.seven,>)", "a<7>"),
            ("str(7),strcmp(txn.seven)", "0"),
            ("str(8),strcmp(txn.seven)", "1"),
            ("str(x),set-var(txn.new),concat(,txn.new)", "xx"),
            ("var(txn.seven),unset-var(txn.seven),concat(,txn.seven)", "7"),
            ("int(1600000000),http_date(60)", "Sun, 13 Sep 2020 12:27:40 GMT"),
            ("int(1600000000123456),http_date(0,us)", "Sun, 13 Sep 2020 12:26:40.123456 GMT"),
            ("int(1600000000),utime(%d/%b/%Y %T)", "13/Sep/2020 12:26:40"),
            ("int(1600000000),ltime(%Y,100000000)", "2023"),
            ("bin(12076162636465666718ff01),protobuf(2)", "abcdefg"),
            ("bin(1a03089601),protobuf(3.1,int64)", "150"),
            ("bin(0000000003089601),ungrpc(1,uint32)", "150"),
            ("str(be),nbsrv", "1"),
            ("str(nowhere),nbsrv", ""),
            ("str(f1_f2),word(5,_),length", "0"),
            ("str(f1_f2_f3),field(2,_,-1)", "f2_f3"),
            ("str(a%00b),url_dec,bytes(0,3),length", "3"),
            ("bin(e282acff),json(utf8s)", "\\u20ac"),
            ("ipv6(::ffff:1.2.3.4),ipmask(8)", "1.0.0.0"),
            ("ipv6(::1.2.3.4)", "::1.2.3.4"),
            ("bin(610062),lower", "a"),
            ("str(fr;q=0.2),language(\"en;fr\",de)", "fr"),
        ],
    },
];

/// A proxy that answers request number N (`X-Row`) with what expression N gives.
fn start(rows: &[(&str, &str)], web: &Web) -> Result<Proxy> {
    let rules: String = rows
        .iter()
        .enumerate()
        .map(|(at, (expression, _))| {
            let expression = expression.replace('\\', "\\\\").replace('"', "\\\"");
            format!(" http-request return status 200 content-type text/plain lf-string \"<%[{expression}]>\" if {{ hdr(x-row) r{at} }}\n")
        })
        .collect();
    let config = format!(
        "frontend fe\n bind {{fe}}\n http-request set-var(txn.seven) int(7)\n{rules} default_backend be\nbackend be\n server s1 {{s1}}\n"
    );
    http(&config).name("s1", web.address()).start()
}

#[test]
fn expressions_give_their_values() -> Result<()> {
    let web = Web::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())?;
    for case in CASES {
        let proxy = start(case.rows, &web)?;
        let (line, headers) = case.request;
        let mut wrong = Vec::new();
        for (at, (expression, expected)) in case.rows.iter().enumerate() {
            let mut client = proxy.connect("fe")?;
            let second = *expression == "http_first_req" && *expected == "0";
            if second {
                client.get("/", "")?;
            }
            client.send(format!("{line}\r\n{headers}X-Row: r{at}\r\n\r\n"))?;
            let answer = client.response()?.text();
            if answer != format!("<{expected}>") {
                wrong.push(format!("{expression}: {answer}, not <{expected}>"));
            }
        }
        ensure!(wrong.is_empty(), "{line}:\n{}", wrong.join("\n"));
    }
    Ok(())
}

#[test]
fn digests_and_ciphers_work_on_traffic() -> Result<()> {
    if testing_reference() {
        // The reference may have been built without OpenSSL.
        return Ok(());
    }
    let web = Web::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())?;
    let rows = [
        (
            "hdr(x),digest(sha256),hex",
            "2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881",
        ),
        ("hdr(x),hmac(md5,YQ==),hex", "8132142DDFC0EA24D44D18B9FED348C1"),
        ("hdr(x),set-var(txn.x),secure_memcmp(txn.x)", "1"),
        ("hdr(x),secure_memcmp(txn.none)", ""),
        // The second test case of GCM's authors, and the same with another tag.
        (
            "bin(0388dace60b6a392f328c2b971b2fe78),aes_gcm_dec(128,AAAAAAAAAAAAAAAA,\
             AAAAAAAAAAAAAAAAAAAAAA==,q25H1CzsE731OmeyEle93w==),hex",
            "00000000000000000000000000000000",
        ),
        (
            "bin(0388dace60b6a392f328c2b971b2fe78),aes_gcm_dec(128,AAAAAAAAAAAAAAAA,\
             AAAAAAAAAAAAAAAAAAAAAA==,q25H1CzsE731OmeyEle93g==),hex",
            "",
        ),
    ];
    let proxy = start(&rows, &web)?;
    for (at, (expression, expected)) in rows.iter().enumerate() {
        let mut client = proxy.connect("fe")?;
        let answer = client.get("/", &format!("X: x\r\nX-Row: r{at}\r\n"))?.text();
        assert_eq!(answer, format!("<{expected}>"), "{expression}");
    }
    Ok(())
}

#[test]
fn responses_have_samples_too() -> Result<()> {
    let web = Web::answering(|_| {
        b"HTTP/1.1 207 Fine\r\nA: 1, 2\r\nA: 3\r\nIp: 10.0.0.1\r\nContent-Length: 3\r\n\r\nabc"
            .to_vec()
    })?;
    let rows = [
        ("status", "207"),
        ("res.ver", "1.1"),
        ("resp_ver", "1.1"),
        ("res.hdr(a)", "3"),
        ("shdr(a,1)", "1"),
        ("res.hdr_cnt(a)", "3"),
        ("shdr_cnt(a)", "3"),
        ("res.fhdr(a,1)", "1, 2"),
        ("res.fhdr_cnt(a)", "2"),
        ("res.hdr_val(content-length)", "3"),
        ("shdr_val(content-length)", "3"),
        ("res.hdr_ip(ip)", "10.0.0.1"),
        ("shdr_ip(ip)", "10.0.0.1"),
        ("res.hdr_names,field(1,:)", "a,a,ip,content-length"),
        ("res.hdrs,cut_crlf", "a: 1, 2"),
        ("res.hdrs_bin,bytes(0,8),hex", "016104312C203201"),
        ("hdr(host)", ""),
    ];
    let rules: String = rows
        .iter()
        .enumerate()
        .map(|(at, (row, _))| format!(" http-response set-header X-{at} \"<%[{row}]>\"\n"))
        .collect();
    // Header names that the rules have added come last; the table looks at the server's own.
    let config = format!(
        "frontend fe\n bind {{fe}}\n default_backend be\nbackend be\n http-response set-var(txn.names) res.hdr_names\n{rules} server s1 {{s1}}\n"
    );
    let proxy = http(&config).name("s1", web.address()).start()?;
    let answer = proxy.connect("fe")?.get("/", "")?;
    for (at, (row, expected)) in rows.iter().enumerate() {
        let seen = answer.header(&format!("x-{at}")).unwrap_or("no header");
        if row.starts_with("res.hdr_names") {
            let own = format!("<{expected},");
            ensure!(seen.starts_with(&own), "{row}: {seen}");
        } else {
            assert_eq!(seen, format!("<{expected}>"), "{row}");
        }
    }
    Ok(())
}

#[test]
fn acls_look_at_every_value() -> Result<()> {
    let web = Web::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())?;
    let acls = [
        ("hdr(a) -m str 2", "A: 1, 2, 3\r\n", true),
        ("hdr_val(a) 2", "A: 1, 2, 3\r\n", true),
        ("hdr_ip(ip) 10.0.0.0/8", "Ip: x, 10.1.1.1, y\r\n", true),
        ("hdr_ip(ip) 10.0.0.0/8", "Ip: x, 11.1.1.1, y\r\n", false),
        ("req.fhdr(a) -m beg 4", "A: 1\r\nA: 4,5\r\n", true),
        ("url_param(k) v2", "", true),
        ("url_param(k) v4", "", false),
        ("urlp_val(n) gt 1", "", true),
        ("hdr_cnt(a) 0", "", true),
        ("base_beg h/", "", true),
        ("urlp_end(k) 2", "", true),
    ];
    let rules: String = acls
        .iter()
        .enumerate()
        .map(|(at, (acl, ..))| format!(" http-request set-header X-{at} yes if {{ {acl} }}\n"))
        .collect();
    let config = format!(
        "frontend fe\n bind {{fe}}\n{rules} default_backend be\nbackend be\n server s1 {{s1}}\n"
    );
    let proxy = http(&config).name("s1", web.address()).start()?;
    for (at, (acl, headers, expected)) in acls.into_iter().enumerate() {
        proxy.connect("fe")?.get("/p?k=v1&k=v2;k=v3&n=1&n=2", headers)?;
        let requests = web.requests();
        let seen = requests.last().and_then(|r| r.header(&format!("x-{at}"))).is_some();
        assert_eq!(seen, expected, "{acl} with {headers}");
    }
    Ok(())
}
