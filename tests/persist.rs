//! Clients stay on their server: cookies, `use-server`, `force-persist`, `ignore-persist` (manual 4.2).

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Message, Proxy, Server, Web};

use crate::{http, http_with_cli};

/// Two servers that tell their name and the cookies they saw, and set what `X-Set` says.
fn servers() -> Result<[Web; 2]> {
    let web = |name: &'static str| {
        Web::answering(move |request| {
            let seen = request.all("cookie").join(" & ");
            let set = request.header("x-set");
            let set = set.map_or(String::new(), |s| format!("Set-Cookie: {s}\r\n"));
            let cache = request.header("x-cache");
            let cache = cache.map_or(String::new(), |s| format!("Cache-Control: {s}\r\n"));
            let length = name.len() + 1 + seen.len();
            format!("HTTP/1.1 200 OK\r\n{set}{cache}Content-Length: {length}\r\n\r\n{name} {seen}")
                .into_bytes()
        })
    };
    Ok([web("s1")?, web("s2")?])
}

/// A backend with these lines and servers s1 (cookie one) and s2 (cookie two).
fn start(lines: &str) -> Result<(Proxy, [Web; 2])> {
    let webs = servers()?;
    let config = format!(
        "frontend fe\n bind {{fe}}\n http-after-response set-header x-tsc %tsc\n default_backend be\n\
         backend be\n{lines}\n server s1 {{s1}} cookie one\n server s2 {{s2}} cookie two\n"
    );
    let proxy = http_with_cli(&config);
    let proxy = proxy.name("s1", webs[0].address()).name("s2", webs[1].address()).start()?;
    Ok((proxy, webs))
}

/// What one request on a connection of its own brings: the server with what it saw, what is set, the
/// letters.
fn ask(proxy: &Proxy, headers: &str) -> Result<(String, String, String)> {
    let response = proxy.connect("fe")?.get("/", headers)?;
    let letters = response.header("x-tsc").unwrap_or_default()[2..].to_owned();
    Ok((response.text(), response.all("set-cookie").join(" & "), letters))
}

fn expect(proxy: &Proxy, headers: &str, expected: (&str, &str, &str)) -> Result<()> {
    let found = ask(proxy, headers)?;
    let found = (found.0.as_str(), found.1.as_str(), found.2.as_str());
    ensure!(found == expected, "{headers:?} brought {found:?}, not {expected:?}");
    Ok(())
}

#[test]
fn a_cookie_is_inserted_and_followed() -> Result<()> {
    let (proxy, _webs) = start(" cookie SRV insert")?;
    expect(&proxy, "", ("s1 ", "SRV=one; path=/", "NI"))?;
    expect(&proxy, "Cookie: SRV=two\r\n", ("s2 SRV=two", "", "VN"))?;
    expect(&proxy, "Cookie: SRV=two\r\n", ("s2 SRV=two", "", "VN"))?;
    expect(&proxy, "Cookie: a=b; SRV = one\r\n", ("s1 a=b; SRV=one", "", "VN"))?;
    expect(&proxy, "Cookie: SRV=none\r\n", ("s2 SRV=none", "SRV=two; path=/", "II"))?;
    // A server that sets the cookie itself does not get through with it.
    expect(&proxy, "X-Set: SRV=own\r\n", ("s1 ", "SRV=one; path=/", "NI"))?;
    expect(&proxy, "X-Set: SRV=own\r\nCookie: SRV=two\r\n", ("s2 SRV=two", "", "VD"))
}

#[test]
fn an_indirect_cookie_is_hidden_from_servers() -> Result<()> {
    let (proxy, _webs) = start(" cookie SRV insert indirect")?;
    expect(&proxy, "Cookie: SRV=two\r\n", ("s2 ", "", "VN"))?;
    expect(&proxy, "Cookie: SRV=two; a=1\r\n", ("s2 a=1", "", "VN"))?;
    expect(&proxy, "Cookie: a=1 ;SRV=two;b=2,c=3\r\n", ("s2 a=1; b=2,c=3", "", "VN"))?;
    expect(&proxy, "Cookie: a=1; SRV=two; $Path=/\r\n", ("s2 a=1", "", "VN"))?;
    expect(&proxy, "Cookie: SRV=two; SRV=one; x\r\n", ("s2 x", "", "VN"))?;
    expect(&proxy, "Cookie: a=1\r\nCookie: SRV=two\r\n", ("s2 a=1", "", "VN"))
}

#[test]
fn a_cookie_is_rewritten_or_prefixed() -> Result<()> {
    let (proxy, _webs) = start(" cookie SRV rewrite")?;
    expect(&proxy, "", ("s1 ", "", "NN"))?;
    let set = "X-Set: SRV=app; path=/x\r\n";
    expect(&proxy, &format!("{set}Cookie: SRV=two\r\n"), ("s2 SRV=two", "SRV=two; path=/x", "VR"))?;
    let (proxy, _webs) = start(" cookie SRV prefix")?;
    expect(&proxy, set, ("s1 ", "SRV=one~app; path=/x", "NR"))?;
    expect(&proxy, "Cookie: SRV=two~app; a=b\r\n", ("s2 SRV=app; a=b", "", "VN"))?;
    expect(&proxy, "Cookie: SRV=app\r\n", ("s2 SRV=app", "", "IN"))
}

#[test]
fn a_cookie_is_only_followed_or_left_alone() -> Result<()> {
    let (proxy, _webs) = start(" cookie SRV")?;
    expect(&proxy, "Cookie: SRV=two\r\nX-Set: SRV=x\r\n", ("s2 SRV=two", "SRV=x", "--"))?;
    let (proxy, _webs) = start(" cookie SRV insert preserve")?;
    expect(&proxy, "X-Set: SRV=x\r\n", ("s1 ", "SRV=x", "NP"))?;
    expect(&proxy, "", ("s2 ", "SRV=two; path=/", "NI"))?;
    let (proxy, _webs) = start(" cookie SRV insert postonly")?;
    expect(&proxy, "", ("s1 ", "", "NN"))?;
    let mut client = proxy.connect("fe")?;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")?;
    assert_eq!(client.response()?.header("set-cookie"), Some("SRV=two; path=/"));
    Ok(())
}

#[test]
fn attributes_and_caches() -> Result<()> {
    let line = " cookie SRV insert nocache httponly secure domain .a.b domain .c.d attr X=1 attr Y";
    let (proxy, _webs) = start(line)?;
    let response = proxy.connect("fe")?.get("/", "")?;
    let set = "SRV=one; path=/; domain=.a.b; domain=.c.d; HttpOnly; Secure; X=1; Y";
    assert_eq!(response.header("set-cookie"), Some(set));
    assert_eq!(response.header("cache-control"), Some("private"));
    let response = proxy.connect("fe")?.get("/", "X-Cache: no-store\r\n")?;
    assert_eq!(response.all("cache-control"), ["no-store"]);
    Ok(())
}

#[test]
fn a_cookie_carries_dates() -> Result<()> {
    let (proxy, _webs) = start(" cookie SRV insert indirect maxidle 1h maxlife 1d")?;
    let (_, set, letters) = ask(&proxy, "")?;
    let value = set.strip_suffix("; path=/").unwrap_or_default().to_owned();
    let parts: Vec<_> = value.split('|').collect();
    assert_eq!((parts[0], letters.as_str()), ("SRV=one", "NI"));
    assert!(parts.len() == 3 && parts[1].len() == 5 && parts[1] == parts[2], "{set}");
    // The date is not older than the moment, so it needs no renewal yet.
    expect(&proxy, &format!("Cookie: {value}\r\n"), ("s1 ", "", "VN"))?;
    let old = format!("SRV=two|{}|{}", parts[1], "X14QA");
    let (body, set, letters) = ask(&proxy, &format!("Cookie: {old}\r\n"))?;
    assert_eq!(letters, "OI", "{body} {set}");
    let idle = format!("SRV=two|{}|{}", "X14QA", parts[1]);
    let (_, set, letters) = ask(&proxy, &format!("Cookie: {idle}\r\n"))?;
    assert_eq!(letters, "EI");
    assert!(!set.contains("X14QA"), "{set}");
    // Without dates they are added.
    let (body, set, letters) = ask(&proxy, "Cookie: SRV=two\r\n")?;
    assert_eq!((body.as_str(), letters.as_str()), ("s2 ", "VU"), "{set}");
    Ok(())
}

#[test]
fn a_server_without_a_value_removes_the_cookie() -> Result<()> {
    let web = Web::start("w")?;
    let config = "listen fe\n bind {fe}\n cookie SRV insert\n server s1 {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let set = proxy.connect("fe")?.get("/", "")?;
    let gone = "SRV=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/";
    assert_eq!(set.header("set-cookie"), Some(gone));
    Ok(())
}

#[test]
fn cookies_are_made_of_addresses() -> Result<()> {
    let web = Web::start("w")?;
    let config = "listen fe\n bind {fe}\n cookie SRV insert dynamic\n dynamic-cookie-key secret\n server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", web.address()).start()?;
    let set = |proxy: &Proxy| -> Result<String> {
        Ok(proxy.connect("fe")?.get("/", "")?.header("set-cookie").unwrap_or_default().to_owned())
    };
    let first = set(&proxy)?;
    let value = first.strip_prefix("SRV=").and_then(|v| v.strip_suffix("; path=/"));
    assert!(value.is_some_and(|v| v.len() == 16), "{first}");
    let followed = proxy.connect("fe")?.get("/", &format!("Cookie: SRV={}\r\n", value.unwrap()))?;
    assert_eq!(followed.header("set-cookie"), None);
    proxy.cli("set dynamic-cookie-key backend fe other")?;
    assert_ne!(set(&proxy)?, first);
    proxy.cli("set dynamic-cookie-key backend fe secret")?;
    assert_eq!(set(&proxy)?, first);
    proxy.cli("disable dynamic-cookie backend fe")?;
    assert!(set(&proxy)?.starts_with("SRV=; Expires"));
    proxy.cli("enable dynamic-cookie backend fe")?;
    assert_eq!(set(&proxy)?, first);
    Ok(())
}

#[test]
fn a_server_in_maintenance_is_left_and_a_drained_one_is_not() -> Result<()> {
    let (proxy, _webs) = start(
        " cookie SRV insert indirect\n force-persist if { req.hdr(x-force) yes }\n ignore-persist if { req.hdr(x-ignore) yes }",
    )?;
    proxy.cli("set server be/s2 state drain")?;
    expect(&proxy, "Cookie: SRV=two\r\n", ("s2 ", "", "VN"))?;
    proxy.cli("set server be/s2 state maint")?;
    expect(&proxy, "Cookie: SRV=two\r\n", ("s1 ", "SRV=one; path=/", "DI"))?;
    expect(&proxy, "Cookie: SRV=two\r\nX-Force: yes\r\n", ("s2 ", "", "DN"))?;
    proxy.cli("set server be/s2 state ready")?;
    expect(&proxy, "Cookie: SRV=one\r\n", ("s1 ", "", "VN"))?;
    let (_, set, letters) = ask(&proxy, "Cookie: SRV=one\r\nX-Ignore: yes\r\n")?;
    assert_eq!((set.as_str(), letters.as_str()), ("", "UN"));
    Ok(())
}

#[test]
fn option_persist_follows_cookies_to_servers_that_are_down() -> Result<()> {
    let (proxy, _webs) = start(" option persist\n cookie SRV insert indirect")?;
    proxy.cli("set server be/s2 state maint")?;
    expect(&proxy, "Cookie: SRV=two\r\n", ("s2 ", "", "DN"))
}

#[test]
fn a_refused_connection_is_redispatched_only_when_told() -> Result<()> {
    let web = Web::start("w")?;
    let refused = Server::silent()?;
    let config = |line: &str| {
        format!(
            "listen fe\n bind {{fe}}\n timeout connect 200ms\n retries 1\n{line} cookie SRV insert\n server s1 {{s1}} cookie one\n server s2 {{s2}} cookie two\n http-after-response set-header x-tsc %tsc\n"
        )
    };
    let ask = |line: &str| -> Result<Message> {
        let proxy = http(&config(line));
        let proxy = proxy.name("s1", refused.address()).name("s2", web.address()).start()?;
        proxy.connect("fe")?.get("/", "Cookie: SRV=one\r\n")
    };
    let response = ask("")?;
    assert_eq!((response.status(), response.header("x-tsc")), (503, Some("--VN")));
    let response = ask(" option redispatch\n")?;
    assert_eq!(response.header("set-cookie"), Some("SRV=two; path=/"));
    assert_eq!((response.status(), response.header("x-tsc")), (200, Some("--DI")));
    Ok(())
}

#[test]
fn use_server_names_a_server() -> Result<()> {
    let (proxy, _webs) = start(
        " cookie SRV insert\n use-server s2 if { req.hdr(x-two) yes }\n use-server %[req.hdr(x-name)] if { req.hdr(x-name) -m found }",
    )?;
    expect(&proxy, "X-Two: yes\r\nCookie: SRV=one\r\n", ("s2 SRV=one", "", "UN"))?;
    expect(&proxy, "X-Name: s2\r\n", ("s2 ", "", "NN"))?;
    expect(&proxy, "X-Name: nobody\r\n", ("s1 ", "SRV=one; path=/", "NI"))?;
    proxy.cli("set server be/s2 state maint")?;
    expect(&proxy, "X-Two: yes\r\n", ("s1 ", "SRV=one; path=/", "NI"))
}

#[test]
fn use_server_works_in_tcp_mode() -> Result<()> {
    let (first, second) = (Web::start("a")?, Web::start("b")?);
    let config = "defaults\n mode tcp\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n\
                  listen fe\n bind {fe}\n use-server s2 if { src 127.0.0.1 }\n server s1 {s1}\n server s2 {s2}\n";
    let proxy = crate::proxy(config).name("s1", first.address()).name("s2", second.address());
    let proxy = proxy.start()?;
    for _ in 0..3 {
        assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "b");
    }
    Ok(())
}

#[test]
fn a_backend_is_named_by_a_format() -> Result<()> {
    let (first, second) = (Web::start("a")?, Web::start("b")?);
    let config = "frontend fe\n bind {fe}\n use_backend be_%[req.hdr(x-be)] if { req.hdr(x-be) -m found }\n default_backend be_a\n\
                  backend be_a\n server s1 {s1}\nbackend be_b\n server s2 {s2}\n";
    let proxy = http(config).name("s1", first.address()).name("s2", second.address()).start()?;
    for (headers, expected) in [("", "a"), ("X-Be: b\r\n", "b"), ("X-Be: none\r\n", "a")] {
        assert_eq!(proxy.connect("fe")?.get("/", headers)?.text(), expected);
    }
    Ok(())
}

#[test]
fn a_cacheable_cookie_is_blocked() -> Result<()> {
    let (proxy, _webs) = start(" option checkcache")?;
    assert_eq!(proxy.connect("fe")?.get("/", "X-Set: a=b\r\nX-Cache: private\r\n")?.status(), 200);
    assert_eq!(proxy.connect("fe")?.get("/", "X-Cache: public\r\n")?.status(), 200);
    let blocked = proxy.connect("fe")?.get("/", "X-Set: a=b\r\n")?;
    assert_eq!(blocked.header("set-cookie"), None);
    // 2.3.0 sends its page for 200.
    if !crate::testing_reference() {
        assert_eq!(blocked.status(), 502);
    }
    assert_eq!(blocked.header("x-tsc"), Some("----"));
    Ok(())
}

#[test]
fn cookies_are_fetched() -> Result<()> {
    let (proxy, _webs) = start(
        " http-request set-var(txn.a) cook(a)\n http-request set-var(txn.n) req.cook_cnt(a)\n\
         http-request set-var(txn.v) cook_val(v)\n http-request deny status 400 if { cook(a) -m str first }\n\
         http-request deny status 410 if { cook_beg(b) x }\n\
         http-response set-header x-got \"%[var(txn.a)] %[var(txn.n)] %[var(txn.v)] %[res.cook(s)] %[scook_cnt(s)] %[scook_val(s)] %[cookie(s)]\"\n\
         http-response set-header x-acl yes if { scook(s) 12 }",
    )?;
    let response = proxy
        .connect("fe")?
        .get("/", "Cookie: a=1; v=7x\r\nCookie: a=2\r\nX-Set: s=12; path=/\r\n")?;
    assert_eq!(response.header("x-got"), Some("2 2 7 12 1 12 12"));
    assert_eq!(response.header("x-acl"), Some("yes"));
    // An ACL looks at every one, not at the last only.
    let status = |cookie: &str| -> Result<u16> {
        Ok(proxy.connect("fe")?.get("/", &format!("Cookie: {cookie}\r\n"))?.status())
    };
    assert_eq!(status("a=first; a=last")?, 400);
    assert_eq!(status("b=y; b=xy")?, 410);
    assert_eq!(status("b=y")?, 200);
    Ok(())
}

#[test]
fn cookies_and_headers_are_captured() -> Result<()> {
    let web = Web::answering(|_| {
        b"HTTP/1.1 200 OK\r\nSet-Cookie: SESSION=response; path=/\r\nContent-Length: 0\r\n\r\n"
            .to_vec()
    })?;
    let config = "frontend fe\n bind {fe}\n capture cookie SES len 12\n declare capture request len 6\n declare capture response len 6\n capture request header User-Agent len 4\n\
        http-request capture req.hdr(x-a) id 0\n http-request set-header x-b \"%[capture.req.hdr(0)] %[capture.req.method] %[capture.req.uri] %[capture.req.ver]\"\n\
        http-request set-method PUT\n http-request set-path /other\n\
        http-response set-header x-c \"%[str(kept-long),capture-res(0)] %[capture.res.hdr(0)] %[capture.req.hdr(1)] %[capture.req.method]\"\n\
        http-response set-header x-d \"%[str(new),capture-req(0)] %[capture.req.hdr(0)] %hr %hs %hrl\"\n\
        http-after-response set-header x-e \"%CC %CS\"\n default_backend be\nbackend be\n server s1 {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let headers = "X-A: abcdefgh\r\nUser-Agent: me/1.0\r\nCookie: a=b; SESS = 0123456789\r\n";
    let response = proxy.connect("fe")?.get("/p?q", headers)?;
    let version = if crate::testing_reference() { "" } else { "HTTP/1.1" };
    let request = &web.requests()[0];
    assert_eq!(request.header("x-b"), Some(format!("abcdef GET /p?q {version}").trim_end()));
    assert_eq!(response.header("x-c"), Some("kept-long kept-l me/1 GET"));
    assert_eq!(response.header("x-d"), Some("new new {new|me/1} {kept-l} new me/1"));
    assert_eq!(response.header("x-e"), Some("SESS=0123456 SESSION=resp"));
    Ok(())
}
