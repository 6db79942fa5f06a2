//! Log lines (manual 8): formats, fields, termination letters, headers of the transport.

use super::{BYTES, HTTP, RETRIES, later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const GET: &str = "GET /p?q HTTP/1.1\r\nHost: h\r\nUser-Agent: me\r\nConnection: close\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: s\r\n\r\nok";

/// A log receiver, HTTP mode and `option httplog`.
const HTTPLOG: &str =
    base!("http", "global\n    log {log} local0\n", "    log global\n    option httplog\n", "");

const HTTPLOG_MAIN: &str = base!(
    "http",
    "global\n    log {log} local0\n",
    "    log global\n    option httplog\n    timeout http-request 400ms\n",
    "listen main\n    bind {fe}\n    server s1 {s1}\n"
);

const TCPLOG_MAIN: &str = base!(
    "tcp",
    "global\n    log {log} local0\n",
    "    log global\n    option tcplog\n",
    "listen main\n    bind {fe}\n    server s1 {s1}\n"
);

pub(super) const SCENARIOS: &[Scenario] = &[
    later(
        BYTES,
        scenario("logs/httplog", HTTPLOG_MAIN, "", &[Send(GET), Request, Answer(OK), End, Log]),
    ),
    later(
        BYTES,
        scenario(
            "logs/httplog-post-with-body",
            HTTPLOG_MAIN,
            "",
            &[
                Send("POST /u HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"),
                Request,
                Answer(OK),
                End,
                Log,
            ],
        ),
    ),
    later(
        BYTES,
        scenario(
            "logs/httplog-captures",
            HTTPLOG_MAIN,
            "    capture request header User-Agent len 10
    capture request header Nothing len 10
    capture response header Server len 10
    capture cookie SID len 10
",
            &[
                Send(
                    "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: 12345678901234\r\nCookie: SID=abc\r\nConnection: close\r\n\r\n",
                ),
                Request,
                Answer(OK),
                End,
                Log,
            ],
        ),
    ),
    later(
        RETRIES,
        scenario("logs/bad-request", HTTPLOG_MAIN, "", &[Send("garb\x01age\r\n\r\n"), End, Log]),
    ),
    later(
        RETRIES,
        scenario("logs/request-timeout", HTTPLOG_MAIN, "", &[Send("GET / HTTP/1.1\r\n"), End, Log]),
    ),
    later(
        RETRIES,
        scenario("logs/client-aborts-request", HTTPLOG_MAIN, "", &[Send("GET / HT"), Close, Log]),
    ),
    later(
        RETRIES,
        scenario("logs/empty-connection", HTTPLOG_MAIN, "", &[Connect("fe"), Close, Log]),
    ),
    later(
        BYTES,
        scenario(
            "logs/server-closes-early",
            HTTPLOG_MAIN,
            "",
            &[Send(GET), Request, ServerClose, End, Log],
        ),
    ),
    later(
        BYTES,
        scenario(
            "logs/response-cut-short",
            HTTPLOG_MAIN,
            "",
            &[
                Send(GET),
                Request,
                Answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
                ServerClose,
                End,
                Log,
            ],
        ),
    ),
    later(
        BYTES,
        scenario(
            "logs/server-timeout",
            HTTPLOG,
            "    timeout server 300ms\nlisten main\n    bind {fe}\n    server s1 {s1}\n",
            &[Send(GET), Request, End, Log],
        ),
    ),
    later(
        RETRIES,
        scenario(
            "logs/denied-returned-redirected",
            HTTPLOG_MAIN,
            "    http-request deny if { path /no }
    http-request return status 200 if { path /yes }
    http-request redirect location /x if { path /old }
",
            &[
                Send("GET /no HTTP/1.0\r\n\r\n"),
                End,
                Log,
                Connect("fe"),
                Send("GET /yes HTTP/1.0\r\n\r\n"),
                End,
                Log,
                Connect("fe"),
                Send("GET /old HTTP/1.0\r\n\r\n"),
                End,
                Log,
            ],
        ),
    ),
    scenario(
        "logs/tcplog",
        TCPLOG_MAIN,
        "",
        &[Send("ping"), ServerBytes(4), Answer("pong!"), ServerClose, End, Log],
    ),
    scenario(
        "logs/tcplog-client-resets",
        TCPLOG_MAIN,
        "",
        &[Send("ping"), ServerBytes(4), Reset, ServerEnd, Log],
    ),
    scenario(
        "logs/default-format",
        HTTP,
        "    log {log} local1 notice\n    log {log} daemon\nlisten main\n    bind {fe}\n    server s1 {s1}\n",
        &[Send(GET), Request, Answer(OK), End, Log],
    ),
    later(
        BYTES,
        scenario(
            "logs/log-format",
            HTTP,
            "    log {log} format rfc5424 local0
    log-format \"%ci %b %s %ST %B %tsc %hr %hs %{+Q}r %HM %HP %HQ %HV %ac %sq %rc\"
listen main
    bind {fe}
    server s1 {s1}
",
            &[Send(GET), Request, Answer(OK), End, Log],
        ),
    ),
    later(
        BYTES,
        scenario(
            "logs/format-raw-and-tag",
            "global\n log-tag other\n",
            "defaults
            mode http
            log {log} format raw local0
            option httplog
            timeout client 10s
            timeout server 10s
            timeout connect 10s
        listen main
            bind {fe}
            server s1 {s1}
",
            &[Send(GET), Request, Answer(OK), End, Log],
        ),
    ),
    later(
        BYTES,
        scenario(
            "logs/format-short",
            HTTP,
            "    log {log} format short local0\n    option httplog\nlisten main\n    bind {fe}\n    server s1 {s1}\n",
            &[Send(GET), Request, Answer(OK), End, Log],
        ),
    ),
    scenario(
        "logs/samples-and-levels",
        HTTP,
        "    log {log} format priority sample 1,3:4 local2 info notice
    log-format \"%HP %rt\"
listen main
    bind {fe}
    http-request return status 200
",
        &[
            Send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"),
            Send("GET /3 HTTP/1.1\r\nHost: h\r\n\r\nGET /4 HTTP/1.1\r\nHost: h\r\n\r\n"),
            Send("GET /5 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
            End,
            Log,
            Log,
            Log,
        ],
    ),
    scenario(
        "logs/cut-and-timed",
        HTTP,
        "    log {log} len 90 format timed local0
    log-format \"%r\"
listen main
    bind {fe}
    http-request return status 200
",
        &[
            Send(
                "GET /1234567890123456789012345678901234567890123456789012345678901234567890 HTTP/1.0\r\n\r\n",
            ),
            End,
            Log,
        ],
    ),
    later(
        "they name no host where none is asked for",
        scenario(
            "logs/structured-data",
            HTTP,
            "    log {log} format rfc5424 local0
    log-format \"%ST\"
    log-format-sd \"[a@1 path=\\\"%{+E}HP\\\" from=\\\"%ci\\\"]\"
listen main
    bind {fe}
    http-request return status 200
",
            &[Send("GET /a\"]b HTTP/1.0\r\nX: 1\r\n\r\n"), End, Log],
        ),
    ),
    later(
        BYTES,
        scenario(
            "logs/errors-separately",
            HTTP,
            "    log {log} format priority local0
    option httplog
    option log-separate-errors
    option logasap
listen main
    bind {fe}
    server s1 {s1}
",
            &[
                Send("GET /ok HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
                Request,
                Answer(OK),
                End,
                Log,
                Connect("fe"),
                Send("bad\r\n\r\n"),
                End,
                Log,
            ],
        ),
    ),
    scenario(
        "logs/no-proxy-header",
        HTTP,
        "    log {log} format priority local0
    option httplog
frontend main
    bind {fe} accept-proxy
    bind {fe2} accept-proxy name second
",
        &[
            Send("GET / HTTP/1.0\r\n\r\n"),
            End,
            Log,
            Connect("fe2"),
            HalfClose,
            End,
            Log,
            Connect("fe2"),
            Send("PROXY TCP9 1.2.3.4 5.6.7.8 1 2\r\n"),
            End,
            Log,
        ],
    ),
    later(
        "they profile more",
        scenario(
            "logs/ring-and-startup-logs",
            "global
    stats socket {cli} level admin
",
            "ring r
    format short
frontend main
    mode http
    timeout client 1s
    log ring@r local0
    log-format \"%HP\"
    bind {fe}
    http-request return status 200
",
            &[
                Send("GET /1 HTTP/1.0\r\n\r\n"),
                End,
                Cli("show events r"),
                Cli("show events r -n"),
                Cli("show events none"),
                Cli("show profiling"),
                Cli("set profiling tasks off"),
                Cli("show profiling"),
                Cli("set profiling x"),
            ],
        ),
    ),
    scenario(
        "logs/health-check-down-and-up",
        HTTP,
        "    log {log} local0
    option log-health-checks
listen main
    bind {fe}
    option httpchk
    server w1 {web1} check inter 100ms rise 1 fall 1
    server d1 {dead} check inter 100ms rise 1 fall 1
",
        &[Log, Log],
    ),
];
