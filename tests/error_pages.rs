//! The operator's own answers for errors (manual 4.2 "errorfile", "errorloc", "http-error", and 4.3 "http-errors").

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Builder, Proxy, Syslog};

use crate::{http, proxy};

const LENGTH: &str = "HTTP/1.0 503 Mine\r\nCache-Control: no-cache\r\nContent-Length: 5\r\nConnection: close\r\nX-A: b\r\n\r\nhello";
const NO_LENGTH: &str = "HTTP/1.1 404 Mine\r\nX-A: b\r\n\r\nhello";
const EMPTY_BODY: &str = "HTTP/1.1 403 Mine\r\nX-A: b\r\nContent-Length: 0\r\n\r\n";

const SECTIONS: &str = "http-errors site
 errorfile 404 no-length.http
 errorfile 503 length.http
http-errors other
 errorfile 403 empty-body.http
 errorfile 404 empty.http
";

fn with_files(builder: Builder) -> Result<Builder> {
    builder
        .file("length.http", LENGTH)?
        .file("no-length.http", NO_LENGTH)?
        .file("empty-body.http", EMPTY_BODY)?
        .file("empty.http", "")?
        .file("lf.txt", "Hi %[src] %f\n")
}

fn start(lines: &str) -> Result<Proxy> {
    let config = format!("{SECTIONS}frontend fe\n bind {{fe}}\n{lines}");
    with_files(http(&config))?.start()
}

/// All that the client gets for a path, until the end or as long as the answer says.
fn answer(proxy: &Proxy, path: &str) -> Result<String> {
    let mut client = proxy.connect("fe")?;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))?;
    let bytes = client.read_to_end()?;
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    Ok(text.replace("connection: close\n", ""))
}

#[test]
fn each_line_about_a_status_gives_its_answer() -> Result<()> {
    let mut rules = String::from(
        " errorloc 401 http://x/401\n errorloc302 407 http://x/407\n errorloc303 405 http://x/405?a=b
 errorfiles site\n errorfile 408 no-length.http\n errorfiles other 403
 http-error status 410 content-type text/plain lf-string \"gone %[path]\" hdr X-Y \"%[path]\" hdr X-Z %[req.hdr(none)]
 http-error status 429 content-type text/plain file lf.txt
 http-error status 500 content-type text/plain lf-file lf.txt
 http-error status 425 content-type text/plain string Early
 http-error status 400 errorfile no-length.http
 http-error status 502 errorfiles other2\n http-error status 504 default-errorfiles\n http-error status 413\n",
    )
    .replace(" http-error status 502 errorfiles other2\n", "");
    let cases: [(u16, &str); 15] = [
        (401, "302 Found\ncache-control: no-cache\ncontent-length: 0\nlocation: http://x/401\n\n"),
        (407, "302 Found\ncache-control: no-cache\ncontent-length: 0\nlocation: http://x/407\n\n"),
        (
            405,
            "303 See Other\ncache-control: no-cache\ncontent-length: 0\nlocation: http://x/405?a=b\n\n",
        ),
        (403, "403 Mine\nx-a: b\ncontent-length: 0\n\n"),
        (404, "404 Mine\nx-a: b\n\nhello"),
        (408, "404 Mine\nx-a: b\n\nhello"),
        (400, "404 Mine\nx-a: b\n\nhello"),
        (410, "410 Gone\nx-y: /410\ncontent-length: 9\ncontent-type: text/plain\n\ngone /410"),
        (413, "413 Request Entity Too Large\ncontent-length: 0\n\n"),
        (425, "425 Too Early\ncontent-length: 5\ncontent-type: text/plain\n\nEarly"),
        (
            429,
            "429 Too Many Requests\ncontent-length: 13\ncontent-type: text/plain\n\nHi %[src] %f\n",
        ),
        (
            500,
            "500 Internal Server Error\ncontent-length: 16\ncontent-type: text/plain\n\nHi 127.0.0.1 fe\n",
        ),
        (
            504,
            "504 Gateway Time-out\ncontent-length: 92\ncache-control: no-cache\ncontent-type: text/html\n\n<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n",
        ),
        (
            502,
            "502 Bad Gateway\ncontent-length: 107\ncache-control: no-cache\ncontent-type: text/html\n\n<html><body><h1>502 Bad Gateway</h1>\nThe server returned an invalid or incomplete response.\n</body></html>\n",
        ),
        (503, "503 Mine\ncache-control: no-cache\ncontent-length: 5\nx-a: b\n\nhello"),
    ];
    for (status, _) in cases {
        rules += &format!(" http-request deny deny_status {status} if {{ path /{status} }}\n");
    }
    let proxy = start(&rules)?;
    for (status, expected) in cases {
        let version = if status == 503 { "1.0" } else { "1.1" };
        let got = answer(&proxy, &format!("/{status}"))?;
        assert_eq!(got, format!("HTTP/{version} {expected}"), "{status}");
    }
    Ok(())
}

#[test]
fn rules_take_pages_of_sections_and_files() -> Result<()> {
    let proxy = start(
        " http-request return status 404 errorfiles other if { path /nothing }
 http-request return status 404 errorfiles site if { path /site }
 http-request deny status 403 errorfiles other if { path /deny }
 http-request return status 200 errorfiles other if { path /missing }
 http-request return status 200 errorfile length.http if { path /file }
 http-request deny status 504 content-type text/html lf-file lf.txt if { path /format }
 http-error status 410 content-type text/plain string \"long gone\"
 http-request return status 410 default-errorfiles if { path /default }\n",
    )?;
    let cases = [
        ("/nothing", ""),
        ("/site", "HTTP/1.1 404 Mine\nx-a: b\n\nhello"),
        ("/deny", "HTTP/1.1 403 Mine\nx-a: b\ncontent-length: 0\n\n"),
        ("/missing", "HTTP/1.1 200 OK\ncontent-length: 0\n\n"),
        ("/file", "HTTP/1.0 503 Mine\ncache-control: no-cache\ncontent-length: 5\nx-a: b\n\nhello"),
        (
            "/format",
            "HTTP/1.1 504 Gateway Time-out\ncontent-length: 16\ncontent-type: text/html\n\nHi 127.0.0.1 fe\n",
        ),
        ("/default", "HTTP/1.1 410 Gone\ncontent-length: 9\ncontent-type: text/plain\n\nlong gone"),
    ];
    for (path, expected) in cases {
        assert_eq!(answer(&proxy, path)?, expected, "{path}");
    }
    Ok(())
}

#[test]
fn a_page_without_a_length_ends_with_the_connection() -> Result<()> {
    let proxy = start(" errorfile 403 no-length.http\n http-request deny\n")?;
    let mut client = proxy.connect("fe")?;
    client.send(crate::GET)?;
    let bytes = client.read_to_end()?;
    assert_eq!(bytes, b"HTTP/1.1 404 Mine\r\nx-a: b\r\nconnection: close\r\n\r\nhello");
    Ok(())
}

#[test]
fn the_log_shows_the_status_that_was_asked_for() -> Result<()> {
    let mut log = Syslog::udp()?;
    let config = format!(
        "{SECTIONS}frontend fe\n bind {{fe}}\n log {{log}} local0\n log-format \"%ST %B %tsc\"\n errorloc 403 http://x/\n http-request return status 200 errorfile no-length.http if {{ path /r }}\n http-request deny\n"
    );
    let proxy = with_files(http(&config))?.name("log", log.address()?).start()?;
    for (path, line) in [("/d", "403 95 PR--"), ("/r", "200 50 LR--")] {
        answer(&proxy, path)?;
        log.wait_for_line(line)?;
    }
    Ok(())
}

#[test]
fn mistakes_are_refused_in_haproxys_words() -> Result<()> {
    let cases = [
        ("errorloc 403", "errorloc : expects <status_code> and <url> as arguments."),
        ("errorloc 402 /", "errorloc : status code '402' not handled."),
        ("errorfiles", "errorfiles : expects <name> as argument."),
        ("errorfiles site 402", "errorfiles : status code '402' not handled."),
        ("errorfiles none", "config : proxy 'fe': unknown http-errors section 'none' (at "),
        (
            "errorfiles site 500",
            "config: proxy 'fe' : status '500' not declared in http-errors section 'site' (at ",
        ),
        (
            "errorfile 403 bad.http",
            "errorfile : unable to convert custom error message file 'bad.http' in HTX.",
        ),
        ("errorfile 403 missing.http", "errorfile : error opening file 'missing.http'."),
        ("http-error", "http-error : expects at least a <status> as arguments."),
        ("http-error status 402", "http-error: status code '402' not handled."),
        ("http-error status 403 foo", "http-error : unknown keyword 'foo'."),
        (
            "http-error status 403 string a",
            "http-error : a content type must be defined when non-empty payload is configured",
        ),
        (
            "http-error status 403 errorfiles none",
            "config : proxy 'fe': unknown http-errors section 'none' (at ",
        ),
        (
            "http-request return status 404 errorfiles none",
            "Proxy 'fe': unknown http-errors section 'none' referenced by an http reply ",
        ),
        (
            "http-request return status 500 errorfiles site",
            "Proxy 'fe': status '500' referenced by an http reply not declared in http-errors section 'site'.",
        ),
    ];
    for (line, message) in cases {
        let config = format!(
            "{SECTIONS}defaults\n mode http\n timeout client 1s\nfrontend fe\n bind {{fe}}\n {line}\n"
        );
        let finished = with_files(proxy(&config))?
            .file("bad.http", "HTTP/1.1 403 Mine\r\nContent-Length: 1\r\n\r\nhello")?
            .args(&["-c"])
            .run()?;
        ensure!(finished.stderr.contains(message), "{line}: {}", finished.stderr);
    }
    Ok(())
}
