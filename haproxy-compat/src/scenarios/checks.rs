//! Health checks: what servers are asked, and what is said of their answers (manual 4.2, 5.2).

use super::{later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

/// With a runtime socket, a log, and a listener with a scripted server.
const BASE: &str = "global
    stats socket {cli} level admin
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
    log {log} local0
    option log-health-checks
";

pub(super) const SCENARIOS: &[Scenario] = &[
    later("they send no content-length with a check without a body", scenario(
        "checks/formats-and-variables",
        BASE,
        "listen main
    bind {fe}
    option httpchk
    http-check connect
    http-check set-var(check.path) str(/req1)
    http-check send meth GET uri-lf \"%[var(check.path)]\" ver HTTP/1.1 hdr X-Of \"%[be_name] %[srv_name] %[srv_id]\" body-lf \"%[var(check.path)]\"
    http-check expect status 200
    http-check connect
    http-check set-var(check.path) res.hdr(x-next)
    http-check send meth GET uri-lf \"%[var(check.path)]\" hdr X-Src \"%[src]\"
    http-check expect hdr name-lf \"%[str(x-next)]\" on-success \"%[res.body_len] %[res.ver]\" status-code int(42)
    server s1 {s1} check inter 30s
",
        &[
            Accept("s1"),
            Request,
            Answer("HTTP/1.1 200 OK\r\nX-Next: /req2\r\nContent-Length: 0\r\n\r\n"),
            Accept("s1"),
            Request,
            Answer("HTTP/1.1 204 None\r\nX-Next: /req3\r\n\r\n"),
            Log,
            Stat("main", "s1", &["check_code", "check_health", "status"]),
        ],
    )),
    scenario(
        "checks/formats-in-a-dialogue",
        BASE,
        "listen main
    bind {fe}
    option tcp-check
    tcp-check connect send-proxy
    tcp-check set-var(check.name) srv_name
    tcp-check send-lf \"HELLO %[var(check.name)]\\r\\n\"
    tcp-check expect string-lf \"%[var(check.none)]\" comment lost
    server s1 {s1} check inter 30s
",
        &[Accept("s1"), Answer("x"), Log, Stat("main", "s1", &["check_status", "status"])],
    ),
];
