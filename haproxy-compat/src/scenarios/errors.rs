//! What the proxy answers by itself (manual 1.3.1, 4.2 `errorfile`, `timeout …`): refusals and failures.

use super::{HTTP, HTTP_S1, deliberate, later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

const fn refused(name: &'static str, steps: &'static [crate::scenario::Step]) -> Scenario {
    scenario(name, HTTP_S1, "", steps)
}

pub(super) const SCENARIOS: &[Scenario] = &[
    refused("errors/garbage", &[Send("garbage\r\n\r\n"), End]),
    refused("errors/space-before-colon", &[Send("GET / HTTP/1.1\r\nHost : h\r\n\r\n"), End]),
    refused("errors/bad-version", &[Send("GET / HTTP/9.9x\r\n\r\n"), End]),
    refused("errors/http-0.9", &[Send("GET /\r\n"), End]),
    refused("errors/no-target", &[Send("GET HTTP/1.1\r\n\r\n"), End]),
    refused("errors/control-byte-in-target", &[Send("GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"), End]),
    refused("errors/utf8-in-target", &[Send("GET /é HTTP/1.1\r\nHost: h\r\n\r\n"), End]),
    refused(
        "errors/two-content-lengths",
        &[
            Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            End,
        ],
    ),
    refused(
        "errors/negative-content-length",
        &[Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"), End],
    ),
    refused(
        "errors/leading-empty-lines-are-skipped",
        &[Send("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), Request],
    ),
    refused("errors/bare-line-feeds-are-taken", &[Send("GET / HTTP/1.1\nHost: h\n\n"), Request]),
    refused(
        "errors/bad-chunk-size",
        &[Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), End],
    ),
    refused("errors/tls-hello", &[Send("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"), End]),
    scenario("errors/half-a-request-then-closed", HTTP_S1, "", &[Send("GET / HT"), HalfClose, End]),
    scenario("errors/nothing-then-closed", HTTP_S1, "", &[Send(""), HalfClose, End]),
    scenario(
        "errors/slow-request-408",
        HTTP,
        "    timeout http-request 300ms\nlisten main\n bind {fe}\n server s1 {s1}\n",
        &[Send("GET / HTTP/1.1\r\nHo"), End],
    ),
    scenario(
        "errors/idle-connection-408",
        HTTP,
        "    timeout http-request 300ms\nlisten main\n bind {fe}\n server s1 {s1}\n",
        &[Connect("fe"), End],
    ),
    deliberate(
        "HAProxy 2.3.0 applies `timeout client` to a connection that had a request already; 2.3.1 and later follow the manual",
        scenario(
            "errors/keep-alive-idle",
            HTTP,
            "    timeout http-keep-alive 300ms\n timeout client 2s\nlisten main\n bind {fe}\n server s1 {web1}\n",
            &[Send(GET), Response, End],
        ),
    ),
    scenario(
        "errors/server-refuses-503",
        HTTP,
        "    retries 0\nlisten main\n bind {fe}\n server s1 {dead}\n",
        &[Send(GET), Response],
    ),
    scenario("errors/no-server-503", HTTP, "listen main\n bind {fe}\n", &[Send(GET), Response]),
    scenario(
        "errors/queue-timeout-503",
        HTTP,
        "    timeout queue 300ms\nlisten main\n bind {fe}\n server s1 {s1} maxconn 1\n",
        &[Send(GET), Request, Connect("fe"), Send(GET), Response],
    ),
    scenario(
        "errors/slow-server-504",
        HTTP,
        "    timeout server 300ms\nlisten main\n bind {fe}\n server s1 {s1}\n",
        &[Send(GET), Request, Response],
    ),
    scenario(
        "errors/server-closes-early-502",
        HTTP_S1,
        "",
        &[Send(GET), Request, ServerClose, Response],
    ),
    deliberate(
        "HAProxy 2.3.0 closes without a word; later releases answer 502, as the manual says",
        later(
            "they keep the connection of the client after a 502",
            scenario(
                "errors/server-resets-502",
                HTTP_S1,
                "",
                &[Send(GET), Request, ServerReset, End],
            ),
        ),
    ),
    scenario(
        "errors/server-talks-garbage-502",
        HTTP_S1,
        "",
        &[Send(GET), Request, Answer("garbage\r\n\r\n"), Response],
    ),
    scenario(
        "errors/response-cut-short",
        HTTP_S1,
        "",
        &[
            Send(GET),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
            ServerClose,
            End,
        ],
    ),
    scenario(
        "errors/head-of-error-page",
        HTTP,
        "listen main\n bind {fe}\n",
        &[Send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"), ResponseTo("HEAD")],
    ),
    scenario(
        "errors/server-timeout-in-body",
        HTTP,
        "    timeout server 300ms\nlisten main\n bind {fe}\n server s1 {s1}\n",
        &[Send(GET), Request, Answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), End],
    ),
];
