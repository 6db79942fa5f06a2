//! The TCP rule sets, the PROXY protocol, stickiness, and samples of connection and state (manual 4.2, 5.1,
//! 5.2, 7.3.2, 7.3.3, 7.3.5).

use super::{HTTP, RETRIES, later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

/// TCP mode with a log and a runtime socket.
const TCP: &str = base!(
    "tcp",
    "global\n    log {log} format raw local0\n    stats socket {cli} level admin\n",
    "    log global\n    option tcplog\n",
    ""
);

const GET: &str = "GET /p HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const DENIED: &[&str] = &["dreq", "dresp", "dcon", "dses", "conn_tot", "stot"];

/// Takes this sample of an HTTP request.
macro_rules! sample {
    ($name:literal, $($sample:literal),+) => {
        scenario(
            concat!("samples/", $name),
            HTTP,
            concat!(
                "listen main\n id 77\n bind {fe} name door id 9\n",
                $(" http-request set-header x-sample <%[", $sample, "]>\n",)+
                " server s1 {s1} id 5 weight 3\n",
                "backend x\n server u {dead}\n server v {dead} maxconn 10 maxqueue 5\n",
                " server d {dead} disabled weight 20\n server b {dead} backup\n",
                "backend limited\n server v {dead} maxconn 10 maxqueue 5\n server q {dead} maxconn 4 maxqueue 3\n"
            ),
            &[Send(GET), Request, Answer(OK), Response],
        )
    };
}

/// Decides by this condition about what the client sends in TCP mode.
macro_rules! content {
    ($name:literal, $condition:literal, $bytes:literal) => {
        scenario(
            concat!("tcp-rules/", $name),
            TCP,
            concat!(
                "listen main\n bind {fe}\n tcp-request inspect-delay 5s\n",
                " tcp-request content reject unless ",
                $condition,
                "\n server s1 {s1}\n"
            ),
            &[Send($bytes), ServerBytes($bytes.len()), Answer("seen"), Bytes(4)],
        )
    };
}

/// What a server with these options is told of a client who came through another proxy.
macro_rules! told {
    ($name:literal, $options:literal, $bytes:literal) => {
        scenario(
            concat!("proxy-protocol/", $name),
            HTTP,
            concat!("listen main\n bind {fe} accept-proxy\n server s1 {s1} ", $options, "\n"),
            &[
                Send("PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\nGET /p HTTP/1.1\r\nHost: h\r\n\r\n"),
                ServerBytes($bytes),
                Answer(OK),
                Response,
            ],
        )
    };
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "tcp-rules/session-reject",
        TCP,
        "listen main\n bind {fe}\n tcp-request session reject if { src 127.0.0.1 }\n server s1 {s1}\n",
        &[Connect("fe"), End, Stat("main", "FRONTEND", DENIED)],
    ),
    later(
        RETRIES,
        scenario(
            "tcp-rules/content-accept-then-reject",
            TCP,
            "listen main\n bind {fe}\n tcp-request inspect-delay 5s\n tcp-request content accept if { req.payload(0,2) -m str ok }\n tcp-request content reject\n server s1 {s1}\n",
            &[
                Send("ok"),
                ServerBytes(2),
                ServerClose,
                End,
                Log,
                Connect("fe"),
                Send("no"),
                End,
                Log,
                Stat("main", "FRONTEND", DENIED),
            ],
        ),
    ),
    later(
        RETRIES,
        scenario(
            "tcp-rules/wait-end",
            TCP,
            "listen main\n bind {fe}\n tcp-request inspect-delay 200ms\n tcp-request content reject if WAIT_END\n server s1 {s1}\n",
            &[Send("x"), End, Log, Stat("main", "FRONTEND", DENIED)],
        ),
    ),
    scenario(
        "tcp-rules/response-reject",
        TCP,
        "listen main\n bind {fe}\n tcp-response inspect-delay 5s\n tcp-response content reject if { res.payload(0,2) -m str no }\n server s1 {s1}\n",
        &[
            Send("x"),
            ServerBytes(1),
            Answer("no"),
            End,
            Log,
            Stat("main", "s1", &["dresp"]),
            Stat("main", "BACKEND", &["dresp"]),
        ],
    ),
    scenario(
        "tcp-rules/response-close",
        TCP,
        "listen main\n bind {fe}\n tcp-response inspect-delay 5s\n tcp-response content close if { res.payload(0,2) -m str cl }\n server s1 {s1}\n",
        &[Send("x"), ServerBytes(1), Answer("cl"), End, Log],
    ),
    later(
        RETRIES,
        scenario(
            "tcp-rules/silent-drop",
            TCP,
            "listen main\n bind {fe}\n tcp-request inspect-delay 5s\n tcp-request content silent-drop if { req.len gt 0 }\n server s1 {s1}\n",
            &[Send("x"), Log, Stat("main", "FRONTEND", DENIED)],
        ),
    ),
    scenario(
        "tcp-rules/http-in-tcp-mode",
        TCP,
        "frontend main\n bind {fe}\n tcp-request inspect-delay 5s\n tcp-request content accept if HTTP\n use_backend two if { path /p }\n default_backend one\nbackend one\n server s1 {s1}\nbackend two\n server s2 {s2}\n",
        &[Send(GET), Accept("s2"), ServerBytes(27), Answer(OK), Response],
    ),
    scenario(
        "tcp-rules/http-content",
        HTTP,
        "listen main\n bind {fe}\n tcp-request inspect-delay 200ms\n tcp-request content set-var(txn.p) path\n tcp-request content reject if { path /no }\n http-request set-header x-p %[var(txn.p)]\n server s1 {s1}\n",
        &[
            Send(GET),
            Request,
            Answer(OK),
            Response,
            Send("GET /no HTTP/1.1\r\nHost: h\r\n\r\n"),
            End,
        ],
    ),
    later(
        RETRIES,
        scenario(
            "tcp-rules/track-and-count",
            TCP,
            "listen main\n bind {fe}\n stick-table type string len 9 size 10 store conn_cnt,gpc0,gpt0,sess_cnt\n tcp-request connection track-sc0 src\n tcp-request connection sc-inc-gpc0(0)\n tcp-request session sc-set-gpt0(0) 7\n tcp-request inspect-delay 5s\n tcp-request content track-sc1 req.payload(0,2)\n tcp-request content reject if { sc1_conn_cnt gt 0 } { req.payload(0,2) -m str no }\n server s1 {s1}\n",
            &[Send("no"), End, Log],
        ),
    ),
    scenario(
        "tcp-rules/set-src-and-dst",
        HTTP,
        "listen main\n bind {fe}\n tcp-request connection set-src ipv4(10.1.2.3)\n tcp-request session set-src-port int(7)\n http-request set-dst ipv4(10.9.9.9)\n http-request set-dst-port int(99)\n http-request set-header x-ends %[src]:%[src_port]-%[dst]:%[dst_port]\n option forwardfor\n server s1 {s1}\n",
        &[Send(GET), Request, Answer(OK), Response],
    ),
    content!("req-len", "{ req.len ge 3 }", "abc"),
    content!("payload", "{ req.payload(1,2) -m str bc }", "abc"),
    content!("payload-lv", "{ req.payload_lv(0,1) -m str abc }", "\x03abcd"),
    content!("payload-lv-offset", "{ req.payload_lv(0,1,+1) -m str cd }", "\x02bcdef"),
    content!("ssl-hello-type-of-none", "{ req.ssl_hello_type 1 } or { req.len 3 }", "abc"),
    content!(
        "rdp-cookie",
        "{ req.rdp_cookie(msts) -m str abc }",
        "\x03\x00\x00\x1d\x18\x60\x00\x00\x00\x00\x00Cookie: msts=abc\r\n"
    ),
    content!("distcc-param", "{ distcc_param(DIST) eq 2 }", "DIST00000002"),
    content!("distcc-body", "{ distcc_body(ARGV) -m str gcc }", "ARGV00000003gcc"),
    content!("proto-http", "HTTP", "GET / HTTP/1.0\r\n\r\n"),
    told!("send-v1", "send-proxy", 63),
    told!("send-v2", "send-proxy-v2", 55),
    told!("send-v2-crc32c", "send-proxy-v2 proxy-v2-options crc32c", 62),
    told!("no-send", "send-proxy no-send-proxy", 27),
    scenario(
        "proxy-protocol/accept",
        HTTP,
        "listen main\n bind {fe} accept-proxy\n http-request set-header x-ends %[src]:%[src_port]-%[dst]:%[dst_port]/%[fc_rcvd_proxy]\n server s1 {s1}\n",
        &[
            Send("PROXY TCP6 2001:db8::1 ::1 1 2\r\nGET /p HTTP/1.1\r\nHost: h\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "proxy-protocol/expect",
        HTTP,
        "listen main\n bind {fe}\n tcp-request connection expect-proxy layer4 if { src 127.0.0.1 }\n http-request set-header x-src %[src]\n server s1 {s1}\n",
        &[
            Send("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /p HTTP/1.1\r\nHost: h\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "proxy-protocol/none",
        HTTP,
        "listen main\n bind {fe} accept-proxy\n server s1 {s1}\n",
        &[Send(GET), End],
    ),
    scenario(
        "stick/on",
        HTTP,
        "listen main\n bind {fe}\n stick-table type string len 9 size 10\n stick on url_param(u)\n server s1 {web1}\n server s2 {web2}\n",
        &[
            Send("GET /?u=a HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Send("GET /?u=b HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Send("GET /?u=b HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Send("GET /?u=a HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
        ],
    ),
    scenario(
        "stick/store-response",
        HTTP,
        "listen main\n bind {fe}\n stick-table type string len 9 size 10\n stick store-response res.hdr(x-s)\n stick match url_param(s)\n server s1 {s1}\n server s2 {s2}\n",
        &[
            Send(GET),
            Accept("s1"),
            Request,
            Answer("HTTP/1.1 200 OK\r\nX-S: abc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            Response,
            Send("GET /?s=abc HTTP/1.1\r\nHost: h\r\n\r\n"),
            Accept("s1"),
            Request,
            Answer(OK),
            Response,
        ],
    ),
    sample!("always", "always_true", "always_false"),
    sample!("connection-addresses", "src", "dst", "src_is_local", "dst_is_local", "dst_conn"),
    sample!("frontend", "fe_id", "fe_name", "fe_conn", "fe_sess_rate", "fe_req_rate"),
    sample!("default-backend", "fe_defbe"),
    sample!("listener", "so_id", "so_name"),
    sample!("backend", "be_conn", "be_sess_rate", "be_conn(x)"),
    sample!("connection", "fc_http_major", "fc_rcvd_proxy", "fc_pp_authority"),
    sample!(
        "kernel",
        "fc_lost",
        "fc_retrans",
        "fc_sacked",
        "fc_unacked",
        "fc_fackets",
        "fc_reordering"
    ),
    sample!(
        "servers",
        "nbsrv(x)",
        "srv_is_up(x/d)",
        "srv_is_up(x/u)",
        "srv_conn(x/u)",
        "srv_queue(x/u)"
    ),
    sample!(
        "weights",
        "srv_weight(x/d)",
        "srv_iweight(main/s1)",
        "srv_uweight(main/s1)",
        "srv_sess_rate(x/u)"
    ),
    sample!(
        "free",
        "be_conn_free(x)",
        "be_conn_free(limited)",
        "srv_conn_free(x/u)",
        "srv_conn_free(x/v)"
    ),
    sample!("slots", "connslots(x)", "connslots(limited)", "queue(x)", "avg_queue(x)"),
    sample!("process", "nbproc", "stopping", "rand(1)", "hostname", "env(HOME)"),
    sample!("priority", "prio_class", "prio_offset"),
];
