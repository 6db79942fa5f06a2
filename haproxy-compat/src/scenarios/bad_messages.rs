//! Messages that cannot be parsed or are refused (manual 8.5; management.txt 9.3, 13.1): page, log line,
//! counters, and what `show errors` tells.

use super::{BYTES, later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::{self, *};

const BASE: &str = "global
    stats socket {cli} level admin
defaults
    mode http
    log {log} format raw local0
    option httplog
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend fe
    bind {fe}
    default_backend be
backend be
    server s1 {s1}
";

const COUNTERS: Step = Stat("fe", "FRONTEND", &["ereq", "req_tot", "hrsp_4xx", "hrsp_5xx", "bin"]);
const FAILURES: Step = Stat("be", "s1", &["eresp", "srv_abrt", "cli_abrt"]);
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

const fn request(name: &'static str, steps: &'static [Step]) -> Scenario {
    later(BYTES, scenario(name, BASE, "", steps))
}

macro_rules! of_request {
    ($name:literal, $text:literal) => {
        request(
            $name,
            &[Send($text), End, Log, COUNTERS, Cli("show errors"), Cli("show errors be")],
        )
    };
}

macro_rules! of_response {
    ($name:literal, $text:literal) => {
        request(
            $name,
            &[
                Send(GET),
                Request,
                Answer($text),
                Response,
                Close,
                Log,
                COUNTERS,
                FAILURES,
                Cli("show errors be response"),
            ],
        )
    };
}

pub(super) const SCENARIOS: &[Scenario] = &[
    of_request!("bad-messages/no-version", "garbage\r\n\r\n"),
    of_request!("bad-messages/version", "GET / HTTQ/1.1\r\nHost: h\r\n\r\n"),
    of_request!("bad-messages/method", "G\x01T / HTTP/1.1\r\nHost: h\r\n\r\n"),
    of_request!("bad-messages/target", "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"),
    of_request!("bad-messages/space-before-colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n"),
    of_request!("bad-messages/no-colon", "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"),
    of_request!("bad-messages/lone-carriage-return", "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"),
    of_request!("bad-messages/part-of-a-head", "GET / HTTP/1.1\r\nHo st"),
    of_request!("bad-messages/two-hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: other\r\n\r\n"),
    of_request!(
        "bad-messages/lengths",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    ),
    of_request!(
        "bad-messages/chunk-size",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n"
    ),
    of_request!(
        "bad-messages/long-lines-and-escapes",
        "GET / HTTP/1.1\r\nA: 12345678901234567890123456789012345678901234567890123456789012345678901234567890\r\nB: \t\\\x1b\x7f\r\nC d: e\r\n\r\n"
    ),
    of_response!("bad-messages/response-nonsense", "nonsense\r\n\r\n"),
    of_response!("bad-messages/response-code", "HTTP/1.1 abc OK\r\n\r\n"),
    of_response!("bad-messages/response-header", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
    of_response!(
        "bad-messages/response-lengths",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    ),
    of_response!(
        "bad-messages/response-chunk-size",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"
    ),
];
