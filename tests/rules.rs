//! Rules that change requests and responses, or answer by themselves (manual 4.2 "http-request" and its kin).

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Message, Proxy, Web, eventually};

use crate::proxy;

const DEFAULTS: &str = "
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
    timeout tarpit 100ms
";

/// A proxy whose frontend has these rules, and the server behind it.
fn start(rules: &str) -> Result<(Proxy, Web)> {
    let web = Web::answering(|request| {
        let kind = request.header("x-t").unwrap_or("0");
        let answer = format!("HTTP/1.1 200 Fine\r\nX-T: {kind}\r\nContent-Length: 3\r\n\r\nabc");
        answer.into_bytes()
    })?;
    let config = format!(
        "{DEFAULTS}frontend fe\n bind {{fe}}\n{rules}\n default_backend be\nbackend be\n server s1 {{s1}}\n"
    );
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    Ok((proxy, web))
}

/// What the server sees of a request.
fn forwarded(proxy: &Proxy, web: &Web, path: &str, headers: &str) -> Result<Message> {
    let before = web.requests().len();
    proxy.connect("fe")?.get(path, headers)?;
    let requests = web.requests();
    ensure!(requests.len() == before + 1, "the request did not arrive");
    Ok(requests[before].clone())
}

/// The head of the response, line ends made plain.
fn head(response: &Message) -> String {
    String::from_utf8_lossy(&response.head).replace("\r\n", "\n")
}

#[test]
fn request_headers_are_changed() -> Result<()> {
    let (proxy, web) = start(
        "http-request set-header X-A \"a %[src] %{+Q}[path] %f\"\n\
         http-request add-header X-B 1\n http-request add-header x-b 2,3\n\
         http-request del-header X-Del\n\
         http-request replace-header X-R ^(.*)b(.*)$ \\2-\\1\n\
         http-request replace-value X-V ^(.)(.)$ \\2\\1\n\
         http-request replace-value X-W foo(.*) [\\0]\n\
         http-request set-header X-E \"%[req.hdr(nonexistent)]\"",
    )?;
    let headers = "X-Del: 1\r\nX-A: old\r\nX-R: 1b2\r\nX-R: xx, 3b4\r\nX-V: ab, cd,xyz\r\nX-W: foobar, bar foo1\r\n";
    let request = forwarded(&proxy, &web, "/c", headers)?;
    assert_eq!(request.all("x-a"), ["a 127.0.0.1 /c fe"]);
    assert_eq!(request.all("x-b"), ["1", "2,3"]);
    assert_eq!(request.all("x-del"), [""; 0]);
    assert_eq!(request.all("x-r"), ["2-1", "4-xx, 3"]);
    assert_eq!(request.all("x-v"), ["ba,dc,xyz"]);
    assert_eq!(request.all("x-w"), ["[foobar],[foo1]"]);
    assert_eq!(request.all("x-e"), [""]);
    Ok(())
}

#[test]
fn the_request_line_is_changed() -> Result<()> {
    let (proxy, web) = start(
        "http-request set-path /p%[path] if { path_beg /sp }\n\
         http-request set-pathq /pq?x=%[query] if { path_beg /sq }\n\
         http-request set-query y=1 if { path_beg /qq }\n\
         http-request set-uri http://h.x/%[path] if { path_beg /su }\n\
         http-request set-method PUT if { path_beg /m }\n\
         http-request replace-path (.*)/foo /bar\\1 if { path_beg /rp }\n\
         http-request replace-pathq ^(.*)\\?(.*)$ /z\\1?\\2&q if { path_beg /rq }\n\
         http-request replace-uri ^/(.*) /u/\\1 if { path_beg /ru }",
    )?;
    let cases = [
        ("/sp1", "GET /p/sp1 HTTP/1.1"),
        ("/sp1?a", "GET /p/sp1?a HTTP/1.1"),
        ("/sq?a=b", "GET /pq?x=a=b HTTP/1.1"),
        ("/qq?z", "GET /qq?y=1 HTTP/1.1"),
        ("/su?k", "GET http://h.x//su HTTP/1.1"),
        ("/m", "PUT /m HTTP/1.1"),
        ("/rp/foo?x", "GET /bar/rp?x HTTP/1.1"),
        ("/rq?a", "GET /z/rq?a&q HTTP/1.1"),
        ("/ru?b=c", "GET /u/ru?b=c HTTP/1.1"),
    ];
    for (path, line) in cases {
        assert_eq!(forwarded(&proxy, &web, path, "")?.start, line);
    }
    Ok(())
}

#[test]
fn responses_are_changed_or_replaced() -> Result<()> {
    let web = Web::answering(|_| {
        b"HTTP/1.1 200 Fine\r\nX-T: a\r\nContent-Length: 3\r\n\r\nabc".to_vec()
    })?;
    let cases = [
        (
            "set-header X-S \"%ST %s %b\"",
            "200 Fine\nx-t: a\ncontent-length: 3\nx-s: 200 s1 be\n",
            "abc",
        ),
        ("del-header X-T", "200 Fine\ncontent-length: 3\n", "abc"),
        ("add-header X-T b", "200 Fine\nx-t: a\ncontent-length: 3\nx-t: b\n", "abc"),
        ("replace-value X-T (.*) <\\1>", "200 Fine\nx-t: <a>\ncontent-length: 3\n", "abc"),
        ("set-status 418", "418 I'm a teapot\nx-t: a\ncontent-length: 3\n", "abc"),
        ("set-status 299 reason \"I see\"", "299 I see\nx-t: a\ncontent-length: 3\n", "abc"),
        (
            "redirect location /moved",
            "302 Found\ncontent-length: 0\nlocation: /moved\ncache-control: no-cache\n",
            "",
        ),
        (
            "return status 203 content-type text/plain string new",
            "203 Non-Authoritative Information\ncontent-length: 3\ncontent-type: text/plain\n",
            "new",
        ),
        (
            "deny status 404 content-type text/plain string no",
            "404 Not Found\ncontent-length: 2\ncontent-type: text/plain\n",
            "no",
        ),
        (
            "deny",
            "502 Bad Gateway\ncontent-length: 107\ncache-control: no-cache\ncontent-type: text/html\n",
            "<html><body><h1>502 Bad Gateway</h1>\nThe server returned an invalid or incomplete response.\n</body></html>\n",
        ),
    ];
    let sections: String = cases
        .iter()
        .enumerate()
        .map(|(at, (rule, ..))| {
            format!(
                "frontend f{at}\n bind {{f{at}}}\n http-response {rule}\n http-after-response set-header X-After yes\n default_backend be\n"
            )
        })
        .collect();
    let config = format!("{DEFAULTS}{sections}backend be\n server s1 {{s1}}\n");
    let proxy = proxy(&config).name("s1", web.address()).start()?;
    for (at, (rule, expected, body)) in cases.into_iter().enumerate() {
        let response = proxy.connect(&format!("f{at}"))?.get("/", "")?;
        let head = head(&response).replace("connection: close\n", "");
        assert_eq!(head, format!("HTTP/1.1 {expected}x-after: yes\n\n"), "{rule}");
        assert_eq!(response.text(), body, "{rule}");
    }
    Ok(())
}

#[test]
fn our_own_answers_have_haproxys_bytes() -> Result<()> {
    let (proxy, _web) = start(
        "http-after-response set-header X-After yes\n\
         http-request return status 200 if { path /r1 }\n\
         http-request return status 204 if { path /r2 }\n\
         http-request return status 404 default-errorfiles if { path /r3 }\n\
         http-request return status 299 content-type a/b string x hdr X-A \"%[src]\" hdr X-Empty \"%[req.hdr(none)]\" if { path /r5 }\n\
         http-request return content-type text/plain lf-string \"%[path]!\" if { path /r6 }\n\
         http-request deny status 429 content-type text/plain string slow if { path /d1 }\n\
         http-request deny deny_status 404 if { path /d2 }\n\
         http-request deny status 404 if { path /d4 }\n\
         http-request deny if { path /d5 }\n\
         http-request redirect location \"http://x/%[path]?a=%[src]\" code 303 if { path /l1 }\n\
         http-request redirect prefix / if { path /l2 }\n\
         http-request redirect prefix http://y drop-query append-slash if { path /l3 }\n\
         http-request redirect scheme https code 308 if { path /l6 }\n\
         redirect prefix http://z code 301 if { path /l4 }\n\
         redirect location /%[path] clear-cookie X if { path /l5 }",
    )?;
    let page = "cache-control: no-cache\ncontent-type: text/html\n";
    let cases: [(&str, &str, &str); 15] = [
        ("/r1", "200 OK\ncontent-length: 0\n", ""),
        ("/r2", "204 No Content\ncontent-length: 0\n", ""),
        (
            "/r3",
            &format!("404 Not Found\ncontent-length: 83\n{page}"),
            "<html><body><h1>404 Not Found</h1>\nThe resource could not be found.\n</body></html>\n",
        ),
        ("/r5", "299 Success\nx-a: 127.0.0.1\ncontent-length: 1\ncontent-type: a/b\n", "x"),
        ("/r6", "200 OK\ncontent-length: 4\ncontent-type: text/plain\n", "/r6!"),
        ("/d1", "429 Too Many Requests\ncontent-length: 4\ncontent-type: text/plain\n", "slow"),
        (
            "/d2",
            &format!("404 Not Found\ncontent-length: 83\n{page}"),
            "<html><body><h1>404 Not Found</h1>\nThe resource could not be found.\n</body></html>\n",
        ),
        ("/d4", "404 Not Found\ncontent-length: 0\n", ""),
        (
            "/d5",
            &format!("403 Forbidden\ncontent-length: 93\n{page}"),
            "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n",
        ),
        (
            "/l1",
            "303 See Other\ncontent-length: 0\nlocation: http://x//l1?a=127.0.0.1\ncache-control: no-cache\n",
            "",
        ),
        ("/l2?a", "302 Found\ncontent-length: 0\nlocation: /l2?a\ncache-control: no-cache\n", ""),
        (
            "/l3?a",
            "302 Found\ncontent-length: 0\nlocation: http://y/l3/\ncache-control: no-cache\n",
            "",
        ),
        ("/l6", "308 Permanent Redirect\ncontent-length: 0\nlocation: https://h/l6\n", ""),
        ("/l4", "301 Moved Permanently\ncontent-length: 0\nlocation: http://z/l4\n", ""),
        (
            "/l5",
            "302 Found\ncontent-length: 0\nlocation: /%[path]\ncache-control: no-cache\nset-cookie: X; path=/; Max-Age=0;\n",
            "",
        ),
    ];
    // All on one connection: none of these answers ends it.
    let mut client = proxy.connect("fe")?;
    for (path, expected, body) in cases {
        let response = client.get(path, "")?;
        assert_eq!(head(&response), format!("HTTP/1.1 {expected}x-after: yes\n\n"), "{path}");
        assert_eq!(response.text(), body, "{path}");
    }
    Ok(())
}

#[test]
fn variables_keep_values_as_long_as_their_scope_says() -> Result<()> {
    let (proxy, web) = start(
        "http-request set-var(txn.path) path,upper\n http-request set-var(req.path) path\n\
         http-request set-var(sess.first) path if ! { var(sess.first) -m found }\n\
         http-request set-var(txn.gone) path\n http-request unset-var(txn.gone)\n\
         http-request set-header X-Vars \"%[var(txn.path)] %[var(req.path)] %[var(sess.first)] <%[var(txn.gone)]>\"\n\
         http-response set-header X-Vars \"%[var(txn.path)] <%[var(req.path)]>\"",
    )?;
    let mut client = proxy.connect("fe")?;
    let first = client.get("/a", "")?;
    assert_eq!(first.header("x-vars"), Some("/A <>"));
    client.get("/b", "")?;
    let seen = web.requests();
    assert_eq!(seen[0].header("x-vars"), Some("/A /a /a <>"));
    assert_eq!(seen[1].header("x-vars"), Some("/B /b /a <>"));
    Ok(())
}

#[test]
fn a_tarpit_waits_and_then_answers() -> Result<()> {
    let (proxy, web) = start(
        "http-request tarpit if { path /t1 }\n\
         http-request tarpit deny_status 429 content-type text/plain string slow if { path /t2 }",
    )?;
    let begin = std::time::Instant::now();
    assert_eq!(proxy.connect("fe")?.get("/t1", "")?.status(), 500);
    ensure!(begin.elapsed() >= std::time::Duration::from_millis(100), "answered at once");
    let response = proxy.connect("fe")?.get("/t2", "")?;
    assert_eq!((response.status(), response.text().as_str()), (429, "slow"));
    ensure!(web.requests().is_empty(), "the server was asked");
    Ok(())
}

#[test]
fn mistakes_are_refused_in_haproxys_words() -> Result<()> {
    let rule = |action: &str, text: &str| {
        format!("error detected in frontend 'fe' while parsing '{action}' rule : {text}.")
    };
    let cases = [
        ("http-request set-header a", rule("http-request set-header", "expects exactly 2 arguments")),
        ("http-request del-header", rule("http-request del-header", "expects exactly 1 arguments")),
        (
            "http-request del-header a b",
            "'http-request del-header' expects either 'if' or 'unless' followed by a condition but found 'b'."
                .to_owned(),
        ),
        (
            "http-request replace-header a [ b",
            rule(
                "http-request replace-header",
                "regex '[' is invalid (error=missing terminating ] for character class, erroffset=1)",
            ),
        ),
        ("http-request set-path a b", rule("http-request set-path", "expects exactly 1 argument <format>")),
        (
            "http-response set-status 20",
            rule("http-response set-status", "expects an integer status code between 100 and 999"),
        ),
        ("http-request return status 100", rule("http-request return", "Unexpected status code '100'")),
        (
            "http-request return string a",
            rule(
                "http-request return",
                "a content type must be defined when non-empty payload is configured",
            ),
        ),
        (
            "http-request redirect code 200 location /",
            rule(
                "http-request redirect",
                "'code': unsupported HTTP code '200' (must be one of 301, 302, 303, 307 or 308)",
            ),
        ),
        (
            "http-response redirect prefix /",
            rule("http-response redirect", "response only supports redirect type 'location'"),
        ),
        (
            "redirect location",
            "error detected in frontend 'fe' while parsing redirect rule : missing argument for 'location'."
                .to_owned(),
        ),
        (
            "http-request set-log-level foo",
            rule(
                "http-request set-log-level",
                "expects exactly 1 argument (log level name or 'silent')",
            ),
        ),
        ("http-request capture path len 0", rule("http-request capture", "length must be > 0")),
        (
            "http-request capture path id 0",
            "Proxy 'fe': unable to find capture id '0' referenced by http-request capture rule."
                .to_owned(),
        ),
        (
            "http-request set-header a %[res.hdr(x)]",
            rule(
                "http-request set-header",
                "sample fetch <res.hdr(x)]> may not be reliably used here because it needs 'HTTP response headers' which is not available here",
            ),
        ),
    ];
    for (line, message) in cases {
        let config = format!("{DEFAULTS}frontend fe\n bind {{fe}}\n {line}\n");
        let finished = proxy(&config).args(&["-c"]).run()?;
        ensure!(finished.status.code() == Some(1), "{line}: {:?}", finished.status);
        ensure!(finished.stderr.contains(&message), "{line}: {}", finished.stderr);
    }
    Ok(())
}

#[test]
fn variables_take_no_more_memory_than_they_may() -> Result<()> {
    let config = |limit: &str| {
        format!(
            "global\n tune.vars.{limit}\n{DEFAULTS}frontend fe\n bind {{fe}}\n\
             http-request set-var(txn.a) req.hdr(a)\n http-request set-var(txn.b) req.hdr(b)\n\
             http-request set-var(req.c) req.hdr(c)\n http-request set-var(sess.d) req.hdr(d)\n\
             http-request set-var(txn.a) req.hdr(e)\n\
             http-request return status 200 content-type text/plain lf-string \"a=%[var(txn.a)] b=%[var(txn.b)] c=%[var(req.c)] d=%[var(sess.d)]\"\n"
        )
    };
    let long = |count: usize| "x".repeat(count);
    // A variable counts for 72 bytes and its text.
    let cases = [
        (
            "txn-max-size 200",
            "a: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n".to_owned(),
            "a=1 b=2 c= d=4".to_owned(),
        ),
        (
            "txn-max-size 200",
            format!("a: 1\r\nb: {}\r\n", long(55)),
            format!("a=1 b={} c= d=", long(55)),
        ),
        ("txn-max-size 200", format!("a: 1\r\nb: {}\r\n", long(56)), "a=1 b=0 c= d=".to_owned()),
        (
            "txn-max-size 200",
            format!("a: {}\r\nb: 1\r\ne: y\r\n", long(60)),
            "a=y b= c= d=".to_owned(),
        ),
        (
            "reqres-max-size 100",
            format!("a: 1\r\nb: 2\r\nc: {}\r\n", long(28)),
            format!("a=1 b=2 c={} d=", long(28)),
        ),
        ("reqres-max-size 100", format!("c: {}\r\n", long(29)), "a= b= c=0 d=".to_owned()),
        ("sess-max-size 150", "a: 1\r\nc: 2\r\nd: 3\r\n".to_owned(), "a=1 b= c=2 d=".to_owned()),
        ("proc-max-size 100", "a: 1\r\nb: 2\r\nd: 3\r\n".to_owned(), "a=1 b= c= d=".to_owned()),
        ("global-max-size 80", "d: 3\r\na: 1\r\n".to_owned(), "a=1 b= c= d=".to_owned()),
    ];
    for (limit, headers, expected) in cases {
        let proxy = proxy(&config(limit)).start()?;
        let ask = || anyhow::Ok(proxy.connect("fe")?.get("/", &headers)?.text());
        assert_eq!(ask()?, expected, "{limit}");
        // What one connection kept is free again once it is over.
        eventually(limit, || Ok(ask()? == expected))?;
    }
    Ok(())
}
