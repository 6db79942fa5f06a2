//! Compression (manual 4.2 "compression", 9.2). Bodies are compared as they were before.

use super::{HTTP_S1, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

/// The same with a runtime socket.
const WITH_CLI: &str = "global
    stats socket {cli} level admin
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
listen main
    bind {fe}
    server s1 {s1}
";

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "compression/gzip",
        HTTP_S1,
        " compression algo gzip\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: \"tag\"\r\nVary: Origin\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/deflate",
        HTTP_S1,
        " compression algo deflate\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: deflate\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/raw-deflate",
        HTTP_S1,
        " compression algo raw-deflate\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: deflate\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/identity",
        HTTP_S1,
        " compression algo identity\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nETag: \"tag\"\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/what-the-client-takes",
        HTTP_S1,
        " compression algo gzip raw-deflate\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: GZIP\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: x-gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip;q=0\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip;q=0.5, deflate;q=0.8\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: *\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip ; x=1 ; q=0.3\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip;q=.1, deflate;q=0.9\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/old-browsers",
        HTTP_S1,
        " compression algo gzip\n",
        &[
            Send(
                "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nUser-Agent: Mozilla/4\r\n\r\n",
            ),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send(
                "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)\r\n\r\n",
            ),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send(
                "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)\r\n\r\n",
            ),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send(
                "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nUser-Agent: Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1)\r\n\r\n",
            ),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send(
                "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nUser-Agent: Mozilla/5.0\r\n\r\n",
            ),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/types",
        HTTP_S1,
        " compression algo gzip\n compression type text/ application/json\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Type: TEXT/plain; charset=x\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/what-passes-as-it-is",
        HTTP_S1,
        " compression algo gzip\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nCache-Control: public, No-Transform\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nETag: bare\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nETag: \"b\"\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Type: Multipart/mixed\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/weak-tag",
        HTTP_S1,
        " compression algo gzip\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nETag: W/\"tag\"\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/statuses",
        HTTP_S1,
        " compression algo gzip\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok"),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 201 X\r\nContent-Length: 2\r\n\r\nok"),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 202 X\r\nContent-Length: 2\r\n\r\nok"),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 203 X\r\nContent-Length: 2\r\n\r\nok"),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 206 X\r\nContent-Length: 2\r\n\r\nok"),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 300 X\r\nContent-Length: 2\r\n\r\nok"),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nok"),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\nok"),
            Decoded,
        ],
    ),
    scenario(
        "compression/chunks-and-trailers",
        HTTP_S1,
        " compression algo gzip\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            Decoded,
        ],
    ),
    scenario(
        "compression/until-close",
        HTTP_S1,
        " compression algo gzip\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 200 OK\r\n\r\nto the end"),
            ServerClose,
            Response,
        ],
    ),
    scenario(
        "compression/version-1.0",
        HTTP_S1,
        " compression algo gzip\n",
        &[
            Send("GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Response,
            End,
        ],
    ),
    scenario(
        "compression/head",
        HTTP_S1,
        " compression algo gzip\n",
        &[
            Send("HEAD / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"),
            ResponseTo("HEAD"),
        ],
    ),
    scenario(
        "compression/offload",
        HTTP_S1,
        " compression algo gzip\n compression offload\n",
        &[
            Send(
                "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nAccept-Encoding: br\r\n\r\n",
            ),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/fetches",
        HTTP_S1,
        " compression algo gzip\n http-response set-header x-comp %[res.comp],%[res.comp_algo]\n http-after-response set-header x-coding a%[res.hdr(content-encoding)]\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/rules-decide-before",
        HTTP_S1,
        " compression algo gzip\n http-request set-header accept-encoding gzip\n http-response del-header content-encoding\n http-response set-header content-type text/plain\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
    scenario(
        "compression/own-answers-are-not-compressed",
        HTTP_S1,
        " compression algo gzip\n http-request return status 200 content-type text/plain string \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" if { path /r }\n http-request deny if { path /d }\n",
        &[
            Send("GET /r HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Response,
            Send("GET /d HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Response,
        ],
    ),
    scenario(
        "compression/counters",
        WITH_CLI,
        " compression algo gzip\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Close,
            Until("main", "BACKEND", "comp_rsp", "1"),
            Stat("main", "FRONTEND", &["comp_in", "comp_byp", "comp_rsp", "bout"]),
            Stat("main", "BACKEND", &["comp_in", "comp_byp", "comp_rsp", "bout"]),
        ],
    ),
    scenario(
        "compression/log",
        HTTP_S1,
        " option httplog\n log {log} local0\n compression algo gzip\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
            Log,
        ],
    ),
    scenario(
        "compression/limits",
        WITH_CLI,
        " compression algo gzip\n",
        &[
            Cli("set rate-limit http-compression global 5"),
            Cli("set rate-limit http-compression global x"),
            Cli("set rate-limit http-compression global"),
            Send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 61\r\n\r\na page, a page, a page, a page, a page, a page, a page, page\n",
            ),
            Decoded,
        ],
    ),
];
