//! Connection failures: retries, redispatch, the queue (manual 4.2 `retries`, `option redispatch`).

use super::{BYTES, HTTP, later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

pub(super) const SCENARIOS: &[Scenario] = &[
    later(
        BYTES,
        scenario(
            "retries/redispatch-to-the-other-server",
            HTTP,
            "    log {log} local0
    option httplog
    option redispatch 1
    retries 2
listen main
    bind {fe}
    balance first
    server s1 {dead} id 1
    server w1 {web1} id 2
",
            &[Send(GET), End, Log],
        ),
    ),
    later(
        BYTES,
        scenario(
            "retries/one-retry-then-503",
            HTTP,
            "    log {log} local0
    option httplog
    retries 1
listen main
    bind {fe}
    server s1 {dead}
",
            &[Send(GET), End, Log],
        ),
    ),
    scenario(
        "retries/counted",
        "global\n stats socket {cli} level admin\n",
        "defaults
            mode http
            timeout client 10s
            timeout server 10s
            timeout connect 10s
        listen main
            bind {fe}
            retries 1
            server s1 {dead}
",
        &[
            Send(GET),
            End,
            Stat("main", "s1", &["wretr", "wredis", "econ", "eresp", "stot", "status", "connect"]),
            Stat("main", "BACKEND", &["wretr", "wredis", "econ", "hrsp_5xx", "stot"]),
        ],
    ),
    scenario(
        "retries/retry-on-empty-response",
        HTTP,
        "    retry-on empty-response
    retries 1
listen main
    bind {fe}
    server s1 {s1}
",
        &[
            Send(GET),
            Request,
            ServerClose,
            Accept("s1"),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            End,
        ],
    ),
    scenario(
        "retries/queue-lets-the-next-one-in",
        HTTP,
        "listen main\n bind {fe}\n server s1 {s1} maxconn 1\n",
        &[
            Send(GET),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
            Response,
            Connect("fe"),
            Send(GET),
            Accept("s1"),
            Request,
        ],
    ),
];
