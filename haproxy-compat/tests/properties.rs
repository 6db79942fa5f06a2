//! Random header lists through random chains of rules: what the server and the client see is the same with
//! a reference haproxy and with ours. Seeds are fixed, so that a failure comes again.

// A test may stop at the first surprise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use anyhow::{Context, Result, ensure};
use haproxy_compat::binaries::{ours, reference};
use haproxy_compat::harness::{Message, Proxy, Web};

/// Configurations, each with so many proxies, each asked so many times.
const ROUNDS: u64 = 6;
const PROXIES: usize = 12;
const REQUESTS: usize = 6;

/// Marsaglia's xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn one<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const NAMES: &[&str] = &["x-a", "X-B", "x-c", "Accept", "User-Agent", "x-long-name"];

const VALUES: &[&str] = &[
    "",
    "1",
    "a",
    "a,b",
    "a, b ,c",
    "\"q,r\",s",
    "abc123",
    "  spaced  ",
    ",",
    "a=b; c=d",
    "x\ty",
    "%41",
    "back\\slash",
    "00012",
    "a,,b",
];

const TARGETS: &[&str] = &[
    "/",
    "/a",
    "/a/b/c",
    "/a?b=c",
    "/?",
    "/a//b?x=1&y=2",
    "/img/1.png?v=12",
    "/%41b?q=%20",
    "/a;b?c;d",
];

const METHODS: &[&str] = &["GET", "GET", "PUT", "DELETE", "OPTIONS"];

const REGEXES: &[&str] = &[
    "^(.*)$",
    "(.)(.)",
    "[0-9]+",
    "a",
    ",",
    "^$",
    "(.*),(.*)",
    "x*",
    "(a|b)c?",
    "^/(.*)",
    "b=([^&]*)",
];

const TEMPLATES: &[&str] =
    &["<\\\\0>", "\\\\1-\\\\2", "z", "", "\\\\1", "%[src]:\\\\0", "\\\\x41\\\\.", "/n\\\\0"];

const FORMATS: &[&str] = &[
    "new",
    "%[req.hdr(x-a)]",
    "%[req.hdr(x-b,1)]/%[req.hdr_cnt(x-b)]",
    "%[path]",
    "%[query]",
    "%HM",
    "%[var(txn.v)]",
    "%[req.fhdr(accept),upper]",
    "%[req.hdr_names]",
    "a\\ %[src]",
    "%[url,length]",
];

const PATHS: &[&str] = &["/new", "/p%[path]", "/%[req.hdr_cnt(x-a)]/x", "/a?b", "/%[path,lower]/"];

const URIS: &[&str] = &["/u", "http://other:81/u?v", "http://other/", "/%[req.hdr(x-b)]"];

const CONDITIONS: &[&str] = &[
    "",
    "",
    "",
    "if { req.hdr(x-a) -m found }",
    "unless { req.hdr_cnt(x-b) gt 1 }",
    "if { path_beg /a }",
    "if { req.hdr(x-c) -m sub b } or { method PUT }",
    "if { query -m found } !{ req.hdr(accept) 1 }",
    "unless { req.fhdr(x-a) -m reg ^[a-z,]*$ }",
];

const RESPONSE_CONDITIONS: &[&str] =
    &["", "", "if { res.hdr(x-a) -m found }", "unless { status 200 }", "if { res.hdr_cnt(x-b) 2 }"];

/// One rule on headers, which may stand in any rule set.
fn header_rule(random: &mut Random, formats: &[&str]) -> String {
    let name = random.one(NAMES);
    match random.below(6) {
        0 => format!("set-header {name} \"{}\"", random.one(formats)),
        1 => format!("add-header {name} \"{}\"", random.one(formats)),
        2 => format!("del-header {name}"),
        3 => format!("replace-header {name} {}", replacement(random)),
        _ => format!("replace-value {name} {}", replacement(random)),
    }
}

fn replacement(random: &mut Random) -> String {
    let template = random.one(TEMPLATES);
    // An empty word is not accepted.
    let template = if template.is_empty() { "-" } else { template };
    format!("'{}' \"{template}\"", random.one(REGEXES))
}

/// What a target becomes begins with a slash: releases differ in what they take for a path otherwise.
fn target_replacement(random: &mut Random) -> String {
    let template = random.one(&["/n\\\\0", "/\\\\1", "/x?\\\\0", "/%[req.hdr_cnt(x-a)]"]);
    format!("'{}' \"{template}\"", random.one(REGEXES))
}

fn request_rule(random: &mut Random) -> String {
    let rule = match random.below(14) {
        0 => format!("set-path \"{}\"", random.one(PATHS)),
        1 => format!("set-pathq \"{}\"", random.one(PATHS)),
        2 => format!("set-query \"{}\"", random.one(&["n=1", "%[query]&z", "%[req.hdr(x-a)]"])),
        3 => format!("set-method {}", random.one(METHODS)),
        4 => format!("replace-path {}", target_replacement(random)),
        5 => format!("replace-pathq {}", target_replacement(random)),
        6 => format!("replace-uri {}", target_replacement(random)),
        7 => format!("set-uri \"{}\"", random.one(URIS)),
        8 => format!(
            "set-var(txn.v) {}",
            random.one(&["path", "req.hdr(x-a)", "int(7)", "url_param(b)"])
        ),
        _ => header_rule(random, FORMATS),
    };
    format!("    http-request {rule} {}\n", random.one(CONDITIONS))
}

fn response_rule(random: &mut Random, set: &str) -> String {
    let formats = [
        "new",
        "%[res.hdr(x-a)]",
        "%[status]",
        "%[var(txn.v)]",
        "%[res.fhdr(x-b)]",
        "%[res.hdr_names]",
    ];
    let rule = match random.below(8) {
        0 => format!("set-status {}", random.one(&["200", "404", "299", "503 reason \"I see\""])),
        _ => header_rule(random, &formats),
    };
    format!("    {set} {rule} {}\n", random.one(RESPONSE_CONDITIONS))
}

/// Proxies `f0`, `f1` …, each with a chain of its own.
fn configuration(random: &mut Random) -> String {
    let mut text = "defaults\n    mode http\n    timeout client 10s\n    timeout server 10s\n    timeout connect 10s\n".to_owned();
    for proxy in 0..PROXIES {
        text += &format!("listen f{proxy}\n    bind {{f{proxy}}}\n    server s1 {{s1}}\n");
        (0..random.below(7)).for_each(|_| text += &request_rule(random));
        (0..random.below(4)).for_each(|_| text += &response_rule(random, "http-response"));
        (0..random.below(3)).for_each(|_| text += &response_rule(random, "http-after-response"));
    }
    text
}

fn headers(random: &mut Random) -> String {
    let line = |random: &mut Random| format!("{}: {}\r\n", random.one(NAMES), random.one(VALUES));
    (0..random.below(7)).map(|_| line(random)).collect()
}

fn requests(random: &mut Random) -> Vec<(usize, String)> {
    let request = |random: &mut Random, proxy| {
        let (method, target) = (random.one(METHODS), random.one(TARGETS));
        let headers = headers(random);
        (proxy, format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{headers}\r\n"))
    };
    (0..PROXIES * REQUESTS).map(|at| request(random, at % PROXIES)).collect()
}

/// A response whose headers depend on the request's length alone.
fn answer(request: &Message) -> Vec<u8> {
    let mut random = Random::new(request.head.len() as u64);
    let status = random.one(&["200 OK", "404 Not Found", "299 Odd"]);
    let headers = headers(&mut random);
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 2\r\n\r\nok").into_bytes()
}

/// What the server and the client saw of each request.
fn play(
    binary: &Path,
    config: &str,
    requests: &[(usize, String)],
) -> Result<Vec<(String, String)>> {
    let web = Web::answering(answer)?;
    let proxy = Proxy::config(config).binary(binary).name("s1", web.address()).quiet().start()?;
    let mut seen = Vec::new();
    for (proxy_number, request) in requests {
        let mut client = proxy.connect(&format!("f{proxy_number}"))?;
        let before = web.requests().len();
        client.send(request)?;
        let answer = String::from_utf8_lossy(&client.response()?.raw).into_owned();
        let forwarded = web.requests();
        let forwarded = forwarded.get(before).map(|m| String::from_utf8_lossy(&m.raw).into_owned());
        seen.push((forwarded.unwrap_or_default(), answer));
    }
    Ok(seen)
}

/// The lines of a proxy's section.
fn section(config: &str, proxy: usize) -> String {
    let head = format!("listen f{proxy}\n");
    let from = config.find(&head).unwrap_or(0);
    let text = &config[from..];
    let end = text[1..].find("listen ").map_or(text.len(), |at| at + 1);
    text[..end].to_owned()
}

#[test]
fn random_rules_do_the_same_to_random_headers() -> Result<()> {
    let (reference, ours) = (reference()?, ours()?);
    for seed in 1..=ROUNDS {
        let mut random = Random::new(seed);
        let config = configuration(&mut random);
        let requests = requests(&mut random);
        let expected = play(&reference, &config, &requests).context("the reference")?;
        let found = play(&ours, &config, &requests).context("ours")?;
        for (((proxy, request), expected), found) in requests.iter().zip(&expected).zip(&found) {
            ensure!(
                expected == found,
                "seed {seed}\n{}{request}\nreference: {expected:#?}\nours: {found:#?}",
                section(&config, *proxy)
            );
        }
    }
    Ok(())
}
