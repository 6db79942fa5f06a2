//! The cache (configuration manual 6, 7.3.6 `res.cache_hit`): what is stored and served, what the client
//! is sent and the log tells.

use super::scenario;
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const BASE: &str = "global
    stats socket {cli} level admin
    log {log} format raw local0
defaults
    mode http
    log global
    option httplog
    timeout client 10s
    timeout server 10s
    timeout connect 10s
cache stock
    total-max-size 1
    max-object-size 1000
    max-age 3600
frontend front
    bind {fe}
    default_backend main
backend main
    server s1 {s1}
";

const RULES: &str = "    http-request cache-use stock
    http-response set-header x-before %[res.cache_hit]
    http-response cache-store stock
    http-response set-header x-after %[res.cache_hit],%[res.cache_name]
    http-after-response replace-value age ^[0-9]$ SECONDS
";

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nEtag: \"a\"\r\n\r\nhello";
const PRIVATE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: private\r\n\r\nhello";

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "cache/hit",
        BASE,
        RULES,
        &[
            Send(GET),
            Request,
            Answer(OK),
            Response,
            Log,
            Send(GET),
            Response,
            Log,
            Send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n"),
            ResponseTo("HEAD"),
            Log,
            Stat("main", "BACKEND", &["cache_lookups", "cache_hits", "stot", "lbtot", "hrsp_2xx"]),
            Stat("front", "FRONTEND", &["cache_lookups", "cache_hits", "intercepted"]),
        ],
    ),
    scenario(
        "cache/conditions",
        BASE,
        RULES,
        &[
            Send(GET),
            Request,
            Answer(OK),
            Response,
            Log,
            Send("GET /a HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"b\", W/\"a\"\r\n\r\n"),
            ResponseTo("HEAD"),
            Log,
            Send("GET /a HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"b\"\r\n\r\n"),
            Response,
            Log,
            Send(
                "GET /a HTTP/1.1\r\nHost: h\r\nIf-Modified-Since: Thu, 22 Oct 2037 16:51:12 GMT\r\n\r\n",
            ),
            ResponseTo("HEAD"),
            Log,
        ],
    ),
    scenario(
        "cache/chunks-and-trailers",
        BASE,
        RULES,
        &[
            Send(GET),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nAge: 7\r\n\r\nB\r\nhello there\r\n0\r\nX-Sum: 11\r\n\r\n",
            ),
            Response,
            Log,
            Send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
            End,
            Log,
        ],
    ),
    scenario(
        "cache/refused-by-the-response",
        BASE,
        RULES,
        &[
            Send(GET),
            Request,
            Answer(PRIVATE),
            Response,
            Log,
            Send(GET),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nVary: Accept\r\n\r\nhello"),
            Response,
            Log,
            Send(GET),
            Request,
            Answer("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello"),
            Response,
            Log,
            Send(GET),
            Request,
            Answer(OK),
            Response,
            Log,
        ],
    ),
    scenario(
        "cache/refused-by-the-request",
        BASE,
        RULES,
        &[
            Send("GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: Basic eA==\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
            Log,
            Send("GET /a HTTP/1.1\r\nHost: h\r\nCache-Control: no-store\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
            Log,
            Send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
            Log,
            Send("GET /a HTTP/1.1\r\nHost: h\r\nCache-Control: max-age=60\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
            Log,
            Send(GET),
            Response,
            Log,
        ],
    ),
    scenario(
        "cache/denied-after-a-hit",
        BASE,
        "    http-request cache-use stock
    http-request deny if { hdr(x-deny) 1 }
    http-response cache-store stock
    http-response deny if { res.cache_hit } { var(txn.refuse) -m str 1 }
    http-request set-var(txn.refuse) str(1) if { hdr(x-refuse) 1 }
",
        &[
            Send(GET),
            Request,
            Answer(OK),
            Response,
            Log,
            Send("GET /a HTTP/1.1\r\nHost: h\r\nX-Refuse: 1\r\nConnection: close\r\n\r\n"),
            End,
            Log,
            Connect("fe"),
            Send("GET /a HTTP/1.1\r\nHost: h\r\nX-Deny: 1\r\nConnection: close\r\n\r\n"),
            End,
            Log,
        ],
    ),
];
