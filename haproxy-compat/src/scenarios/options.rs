//! The options of proxies (manual 4.2) that other families do not show: what they change in messages, checks,
//! logs and statistics. Those that change sockets only are shown to leave the bytes alone.

use super::actions::{ECHOED, Rules};
use super::{BYTES, HTTP, later, scenario, with_files};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const CLOSE: &str = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// One proxy a row, in front of one that echoes its request.
pub(super) const TABLES: &[Rules] = &[
    Rules {
        name: "options/requests",
        delay: "",
        last: ECHOED,
        rows: &[
            "option originalto",
            "option originalto header X-To",
            "option originalto except 127.0.0.0/8",
            "option forwardfor\noption originalto",
            "option http-keep-alive",
            "option http-pretend-keepalive\noption http-server-close",
            "option http-buffer-request",
            "option httpclose",
            "http-send-name-header X-Server",
            "unique-id-format %{+X}o%fi:%HM:%HU\nunique-id-header X-Id",
            "unique-id-header X-Id",
            "description anything\nbacklog 10\nfullconn 7\nmax-keep-alive-queue 3",
            "http-reuse always\noption prefer-last-server\noption persist\noption allbackups",
            "option nolinger\noption tcpka\noption clitcpka\noption srvtcpka\noption tcp-smart-accept\noption tcp-smart-connect\nclitcpka-cnt 3\nclitcpka-idle 5s\nclitcpka-intvl 2s\nsrvtcpka-cnt 3\nsrvtcpka-idle 5s\nsrvtcpka-intvl 2s",
            "source 127.0.0.7\nhttp-request set-header x-here yes",
            "max-session-srv-conns 1\nrate-limit sessions 100\nenabled",
            "capture cookie x len 3\ndeclare capture request len 3\nhttp-request capture url id 0\nhttp-request set-header x-captured %[capture.req.hdr(0)]",
            "default-server weight 3 maxconn 7\nhttp-request set-header x-slots %[connslots(r17)]",
            "option http-use-proxy-header",
        ],
        later: "",
        deliberate: "",
    },
    Rules {
        name: "options/answers",
        delay: "",
        last: ECHOED,
        rows: &[
            "errorfiles shared\nhttp-request deny deny_status 503",
            "errorfiles shared 404\nhttp-request deny deny_status 503",
            "errorfile 503 {dir}/503.http\nhttp-request deny deny_status 503",
            "errorloc 503 /sorry\nhttp-request deny deny_status 503",
            "errorloc302 503 http://sorry/x\nhttp-request deny deny_status 503",
            "errorloc303 503 /sorry\nhttp-request deny deny_status 503",
            "http-error status 503 content-type text/plain lf-string \"no %[path]\" hdr X-E \"%[src]\"\nhttp-request deny deny_status 503",
            "http-error status 503 errorfile {dir}/503.http\nhttp-request deny deny_status 503",
            "http-error status 503 errorfiles shared\nhttp-request deny deny_status 503",
            "errorfiles shared\nhttp-request deny deny_status 404",
            "monitor-uri /a/b",
            "monitor-uri /a/b\nmonitor fail if { src 127.0.0.1 }",
            "monitor-uri /other",
            "stats enable\nstats uri /a/b\nstats auth u:p\nstats realm a\\ b",
            "stats enable\nstats uri /a/b\nstats http-request deny",
            "stats enable\nstats uri /a/b\nstats http-request auth realm other",
            "redirect prefix http://to if { path /a/b }",
            "http-after-response set-header x-after %[status]",
        ],
        later: "",
        deliberate: "",
    },
    Rules {
        name: "options/forceclose",
        delay: "",
        last: ECHOED,
        rows: &["option forceclose"],
        later: "they do not know it any more",
        deliberate: "",
    },
    Rules {
        name: "options/checkcache",
        delay: "",
        last: ECHOED,
        rows: &[
            "option checkcache",
            "option checkcache\nhttp-response set-header set-cookie a=b",
            "option checkcache\nhttp-response set-header set-cookie a=b\nhttp-response set-header cache-control no-cache",
        ],
        later: "they let a cookie pass that a rule has set",
        deliberate: "2.3 answers 200 with a page of that status where it blocks a cookie, ours 502",
    },
];

/// Waits for what a check has found.
macro_rules! checked {
    ($name:literal, $lines:literal, $status:literal, $steps:expr) => {
        scenario(
            concat!("options/", $name),
            HTTP,
            concat!(
                "global\n stats socket {cli} level admin\nlisten main\n bind {fe}\n timeout check 2s\n",
                $lines,
                " server s1 {s1} check inter 60s rise 1 fall 1\n"
            ),
            $steps,
        )
    };
}

const FOUND: &[&str] =
    &["status", "check_status", "check_code", "last_chk", "check_desc", "check_health"];

/// HTTP mode and a log.
const LOGGED: &str = base!(
    "http",
    "global\n    log {log} format raw local0\n",
    "    log global\n    option httplog\n",
    ""
);

pub(super) const SCENARIOS: &[Scenario] = &[
    checked!(
        "http-check-send",
        " option httpchk\n http-check connect\n http-check comment first\n http-check send meth PUT uri /check ver HTTP/1.1 hdr Host h hdr X-C 1 body abc\n http-check expect status 201\n",
        "UP",
        &[
            Accept("s1"),
            Request,
            Answer("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
            Until("main", "s1", "status", "DOWN"),
            Stat("main", "s1", FOUND),
        ]
    ),
    later(
        "they send no content-length with a check without a body",
        checked!(
            "http-check-disable-on-404",
            " option httpchk GET /x\n http-check disable-on-404\n http-check send-state\n",
            "NOLB",
            &[
                Accept("s1"),
                RequestHead,
                Answer("HTTP/1.1 404 Nowhere\r\n\r\n"),
                ServerClose,
                Until("main", "s1", "status", "NOLB"),
                Stat("main", "s1", FOUND),
            ]
        ),
    ),
    checked!(
        "tcp-check",
        " option tcp-check\n tcp-check connect\n tcp-check comment greets\n tcp-check expect string hello\n tcp-check send ping\\r\\n\n tcp-check send-lf <%[str(x),upper]>\n tcp-check send-binary 0a0b\n tcp-check send-binary-lf 0c%[str(0d)]\n tcp-check expect rstring ^po[mn]g\n",
        "UP",
        &[
            Accept("s1"),
            Answer("hello\r\n"),
            ServerBytes(13),
            Answer("none"),
            Until("main", "s1", "status", "DOWN"),
            Stat("main", "s1", FOUND),
        ]
    ),
    checked!(
        "redis-check",
        " option redis-check\n",
        "UP",
        &[
            Accept("s1"),
            ServerBytes(14),
            Answer("-ERR no\r\n"),
            Until("main", "s1", "status", "DOWN"),
            Stat("main", "s1", FOUND)
        ]
    ),
    checked!(
        "ssl-hello-chk",
        " option ssl-hello-chk\n",
        "UP",
        &[
            Accept("s1"),
            ServerBytes(5),
            Answer("\x15\x03\x00\x00\x02\x02\x28"),
            ServerClose,
            Stat("main", "s1", &["check_rise"])
        ]
    ),
    scenario(
        "options/of-bind-and-server",
        base!(
            "http",
            "global\n    stats socket {cli} level admin mode 600 uid 0 gid 0 user root group root severity-output number expose-fd listeners\n",
            "",
            ""
        ),
        "listen main\n bind {fe} backlog 10 defer-accept maxconn 100 mss 1400 tcp-ut 5s tfo interface lo\n stick-table type ip size 10\n stick on src\n server s1 {s1} init-addr last,libc minconn 1 maxconn 5 pool-max-conn 1 source 127.0.0.3 tcp-ut 5s tfo no-tfo stick non-stick enabled no-check no-send-proxy-v2 no-check-send-proxy\n",
        &[
            Send(CLOSE),
            Accept("s1"),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
            End,
            Cli("show table main"),
            Cli("disable server main/none"),
        ],
    ),
    scenario(
        "options/check-elsewhere",
        base!("http", "global\n    stats socket {cli} level admin\n", "", ""),
        "listen main\n bind {fe}\n server s1 {dead} check addr 127.0.0.1 port {s1.port} check-send-proxy inter 60s fastinter 1s downinter 1s fall 1\n server s2 {s1} disabled\n",
        &[Accept("s1"), ServerBytes(15), Stat("main", "s1", &["check_rise", "check_fall", "addr"])],
    ),
    scenario(
        "options/cache",
        base!("http", "cache small\n    total-max-size 1\n    max-age 60\n", "", ""),
        "listen main\n bind {fe}\n http-request cache-use small\n http-response cache-store small\n http-after-response set-header x-hit \"%[res.cache_hit] %[res.cache_name]\"\n server s1 {s1}\n",
        &[
            Send(GET),
            Request,
            Answer("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok"),
            Response,
            Send(GET),
            Response,
        ],
    ),
    scenario(
        "options/timeout-tunnel",
        LOGGED,
        "listen main\n bind {fe}\n mode tcp\n option tcplog\n timeout tunnel 200ms\n server s1 {s1}\n",
        &[Send("x"), ServerBytes(1), Answer("y"), Bytes(1), End, Log],
    ),
    scenario(
        "options/timeout-server-fin",
        LOGGED,
        "listen main\n bind {fe}\n mode tcp\n option tcplog\n timeout server-fin 200ms\n server s1 {s1}\n",
        &[Send("x"), HalfClose, ServerBytes(1), ServerEnd, End, Log],
    ),
    scenario(
        "options/timeout-client-fin",
        LOGGED,
        "listen main\n bind {fe}\n mode tcp\n option tcplog\n timeout client-fin 200ms\n server s1 {s1}\n",
        &[Send("x"), ServerBytes(1), ServerHalfClose, End, Log],
    ),
    later(
        BYTES,
        scenario(
            "options/dontlog-normal",
            LOGGED,
            "listen main\n bind {fe}\n option dontlog-normal\n option log-separate-errors\n http-request deny if { path /no }\n server s1 {web1}\n",
            &[
                Send(GET),
                Response,
                Send("GET /no HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
                End,
                Log,
            ],
        ),
    ),
    later(
        BYTES,
        scenario(
            "options/logasap",
            LOGGED,
            "listen main\n bind {fe}\n option logasap\n option dontlognull\n server s1 {s1}\n",
            &[
                Connect("fe"),
                Close,
                Connect("fe"),
                Send(GET),
                RequestHead,
                Answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
                Log,
                Answer("ok"),
                Response,
            ],
        ),
    ),
    later(
        "they name no host where none is asked for",
        scenario(
            "options/log-format-sd",
            HTTP,
            "listen main\n bind {fe}\n log {log} format rfc5424 local0\n log-format done\n log-format-sd [x@1\\ m=\\\"%HM\\\"\\ p=\\\"%{+E}HP\\\"]\n server s1 {web1}\n",
            &[Send(CLOSE), End, Log],
        ),
    ),
    later(
        "they answer half a request that was cut",
        scenario(
            "options/http-ignore-probes",
            HTTP,
            "listen main\n bind {fe}\n option http-ignore-probes\n timeout http-request 200ms\n server s1 {web1}\n",
            &[
                Connect("fe"),
                HalfClose,
                End,
                Connect("fe"),
                End,
                Connect("fe"),
                Send("GE"),
                HalfClose,
                End,
            ],
        ),
    ),
    scenario(
        "options/transparent",
        HTTP,
        "frontend main\n bind {fe}\n use_backend one if { path /a }\n default_backend two\nbackend one\n option transparent\nbackend two\n transparent\n",
        &[Connect("fe"), Close],
    ),
    scenario(
        "options/disabled",
        HTTP,
        "listen off\n disabled\n bind {dir}/off.sock\n server s1 {web2}\nlisten main\n bind {fe}\n server s1 {web1}\n",
        &[Send(GET), Response],
    ),
    scenario(
        "options/socket-stats",
        base!("http", "global\n    stats socket {cli} level admin\n", "", ""),
        "listen main\n bind {fe} name door\n option socket-stats\n stats scope main\n stats admin if { always_true }\n server s1 {web1}\n",
        &[
            Send(CLOSE),
            End,
            Until("main", "door", "scur", "0"),
            Stat("main", "door", &["status", "stot", "type", "conn_tot", "dreq"]),
        ],
    ),
    scenario(
        "options/stats-scope",
        HTTP,
        "listen main\n bind {fe}\n stats enable\n stats uri /s\n stats scope other\n stats admin if { always_true }\nlisten other\n bind {other}\n server s1 {web1}\n",
        &[Send("GET /s;csv HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), Bytes(15)],
    ),
    scenario(
        "options/dynamic-cookies",
        HTTP,
        "listen main\n bind {fe}\n cookie SRV insert dynamic\n dynamic-cookie-key magic\n server s1 127.0.0.1:1 disabled\n server s2 {web1} cookie fixed\n",
        &[Send(CLOSE), End],
    ),
    scenario(
        "options/hash-balance-factor",
        HTTP,
        "listen main\n bind {fe}\n balance hdr(host)\n hash-type consistent\n hash-balance-factor 150\n server s1 {web1} id 1\n server s2 {web2} id 2\n server s3 {web3} id 3\n",
        &[
            Send(GET),
            Response,
            Send(GET),
            Response,
            Send("GET /a HTTP/1.1\r\nHost: other\r\n\r\n"),
            Response,
        ],
    ),
    scenario(
        "options/stick-store-request",
        HTTP,
        "listen main\n bind {fe}\n stick-table type string len 9 size 10\n stick match url_param(u)\n stick store-request url_param(u)\n server s1 {web1}\n server s2 {web2}\n",
        &[
            Send("GET /?u=a HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Send("GET /?u=b HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Send("GET /?u=a HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
        ],
    ),
    scenario(
        "options/persist-rdp-cookie",
        base!("tcp", "", "", ""),
        "listen main\n bind {fe}\n tcp-request inspect-delay 5s\n tcp-request content accept if { req.rdp_cookie_cnt gt 0 }\n persist rdp-cookie\n balance rdp-cookie\n server s1 {s1}\n server s2 {s1}\n",
        &[
            Send("\x03\x00\x00\x1d\x18\x60\x00\x00\x00\x00\x00Cookie: msts=abc\r\n"),
            ServerBytes(29),
            Answer("y"),
            Bytes(1),
        ],
    ),
    scenario(
        "options/balance-of-one",
        HTTP,
        "listen main\n bind {fe}\n use_backend x1 if { path /source }\n use_backend x2 if { path /url_param }\n use_backend x3 if { path /hdr }\n default_backend x4\nbackend x1\n balance source\n server s1 {web1}\n server s2 {web2}\n server s3 {web3}\nbackend x2\n balance url_param u\n server s1 {web1}\n server s2 {web2}\n server s3 {web3}\nbackend x3\n balance hdr(x-u)\n server s1 {web1}\n server s2 {web2}\n server s3 {web3}\nbackend x4\n balance random\n server s1 {web1}\n",
        &[
            Send("GET /source HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Send("GET /url_param?u=a HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Send("GET /url_param?u=b HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Send("GET /hdr HTTP/1.1\r\nHost: h\r\nX-U: a\r\n\r\n"),
            Response,
            Send("GET /hdr HTTP/1.1\r\nHost: h\r\nX-U: bcd\r\n\r\n"),
            Response,
            Send("GET /random HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
        ],
    ),
    with_files(
        &[("503.http", "HTTP/1.0 503 Own\r\nX-Own: 1\r\n\r\nmine")],
        later(
            "they do not know grace any more",
            scenario(
                "options/force-and-grace",
                HTTP,
                "listen main\n bind {fe}\n grace 1ms\n errorfile 503 {dir}/503.http\n cookie s\n force-persist if { path /force }\n server s1 {web1} disabled cookie one\n",
                &[
                    Send("GET /force HTTP/1.1\r\nHost: h\r\nCookie: s=one\r\n\r\n"),
                    Response,
                    Send("GET /a HTTP/1.1\r\nHost: h\r\nCookie: s=one\r\n\r\n"),
                    End,
                ],
            ),
        ),
    ),
];
