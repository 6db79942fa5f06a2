//! HTTP/1 messages as they pass (manual 1.2, 4.2 `option http-*`; RFC 9110, 9112).

use super::{HTTP_S1, deliberate, later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const REFUSED: &str = "HAProxy 2.3.0 forwards it; later releases and this one refuse it";

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "http1/keep-alive",
        HTTP_S1,
        "",
        &[Send(GET), Request, Answer(OK), Response, Send(GET), Request, Answer(OK), Response],
    ),
    scenario(
        "http1/names-lower-case-order-kept",
        HTTP_S1,
        "",
        &[
            Send("GET /a?b HTTP/1.1\r\nX-B: 1\r\nHOST: Example.com\r\nx-A:2\r\nX-b:  3  \r\n\r\n"),
            Request,
            Answer(
                "HTTP/1.1 200 Fine by me\r\nSet-Cookie: a\r\nX-Y:b\r\nset-cookie: c\r\nContent-Length: 0\r\n\r\n",
            ),
            Response,
        ],
    ),
    scenario(
        "http1/case-adjust",
        "global\n h1-case-adjust host Host\n h1-case-adjust x-a X-A\n",
        "defaults
            mode http
            timeout client 10s
            timeout server 10s
            timeout connect 10s
        listen main
            bind {fe}
            option h1-case-adjust-bogus-server
            option h1-case-adjust-bogus-client
            server s1 {s1}
",
        &[
            Send("GET / HTTP/1.1\r\nhost: h\r\nx-a: 1\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 0\r\n\r\n"),
            Response,
        ],
    ),
    scenario(
        "http1/client-closes",
        HTTP_S1,
        "",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
            End,
        ],
    ),
    scenario(
        "http1/server-closes",
        HTTP_S1,
        "",
        &[
            Send(GET),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"),
            Response,
            ServerClose,
            Send(GET),
            Request,
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "http1/version-1.0",
        HTTP_S1,
        "",
        &[Send("GET / HTTP/1.0\r\n\r\n"), Request, Answer(OK), Response, End],
    ),
    scenario(
        "http1/version-1.0-keep-alive",
        HTTP_S1,
        "",
        &[
            Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
            Send("GET / HTTP/1.0\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
            End,
        ],
    ),
    scenario(
        "http1/server-answers-1.0",
        HTTP_S1,
        "",
        &[
            Send(GET),
            Request,
            Answer("HTTP/1.0 200 OK\r\n\r\nto the end"),
            ServerClose,
            Response,
            End,
        ],
    ),
    scenario(
        "http1/body-until-close",
        HTTP_S1,
        "",
        &[
            Send(GET),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end"),
            ServerClose,
            Response,
        ],
    ),
    scenario(
        "http1/head",
        HTTP_S1,
        "",
        &[
            Send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"),
            ResponseTo("HEAD"),
            Send(GET),
            Request,
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "http1/status-204-and-304",
        HTTP_S1,
        "",
        &[
            Send(GET),
            Request,
            Answer("HTTP/1.1 204 No Content\r\n\r\n"),
            Response,
            Send(GET),
            Request,
            Answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\nETag: \"x\"\r\n\r\n"),
            Response,
            Send(GET),
            Request,
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "http1/chunked-request",
        HTTP_S1,
        "",
        &[
            Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"),
            RequestHead,
            Send("3\r\nabc\r\n"),
            ServerBytes(8),
            Send("2;ext=1\r\nde\r\n0\r\n\r\n"),
            ServerBytes(12),
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "http1/chunked-response",
        HTTP_S1,
        "",
        &[
            Send(GET),
            Request,
            Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            Bytes(54),
            Answer("0\r\n\r\n"),
            Bytes(5),
            Send(GET),
            Request,
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "http1/trailers",
        HTTP_S1,
        "",
        &[
            Send(
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
            ),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-T: 2\r\nx-u: 3\r\n\r\n",
            ),
            Response,
        ],
    ),
    deliberate(
        "an HTTP/1.0 client cannot read chunks; HAProxy 2.3.0 sends them all the same",
        scenario(
            "http1/chunked-to-1.0-client",
            HTTP_S1,
            "",
            &[
                Send("GET / HTTP/1.0\r\n\r\n"),
                Request,
                Answer(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                ),
                End,
            ],
        ),
    ),
    scenario(
        "http1/body-with-length",
        HTTP_S1,
        "",
        &[
            Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345"),
            Request,
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "http1/expect-100-continue",
        HTTP_S1,
        "",
        &[
            Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
            RequestHead,
            Answer("HTTP/1.1 100 Continue\r\n\r\n"),
            Response,
            Send("ab"),
            ServerBytes(2),
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "http1/interim-103",
        HTTP_S1,
        "",
        &[
            Send(GET),
            Request,
            Answer("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
            Response,
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "http1/pipelining",
        HTTP_S1,
        "",
        &[
            Send(
                "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            ),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"),
            Request,
            Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3"),
            End,
        ],
    ),
    scenario(
        "http1/connection-header-names",
        HTTP_S1,
        "",
        &[
            Send(
                "GET / HTTP/1.1\r\nHost: h\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\n\r\n",
            ),
            Request,
            Answer(
                "HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n",
            ),
            Response,
        ],
    ),
    later(
        "they want an upgrade to name its key",
        scenario(
            "http1/upgrade",
            HTTP_S1,
            "",
            &[
                Send(
                    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                ),
                Request,
                Answer(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                ),
                Response,
                Send("\x01\x02"),
                ServerBytes(2),
                Answer("\x03\x04\x05"),
                Bytes(3),
                HalfClose,
                ServerEnd,
                ServerClose,
                End,
            ],
        ),
    ),
    later(
        "they want an upgrade to name its key",
        scenario(
            "http1/upgrade-refused",
            HTTP_S1,
            "",
            &[
                Send(
                    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                ),
                Request,
                Answer(OK),
                Response,
                Send(GET),
                Request,
                Answer(OK),
                Response,
            ],
        ),
    ),
    later(
        "they take the default port from the host of CONNECT",
        scenario(
            "http1/connect-tunnel",
            HTTP_S1,
            "",
            &[
                Send("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"),
                Request,
                Answer("HTTP/1.1 200 OK\r\n\r\n"),
                ResponseTo("CONNECT"),
                Send("abc"),
                ServerBytes(3),
                Answer("de"),
                Bytes(2),
            ],
        ),
    ),
    scenario(
        "http1/http-server-close",
        HTTP_S1,
        "    option http-server-close\n",
        &[Send(GET), Request, Answer(OK), Response, ServerEnd, Send(GET), Accept("s1"), Request],
    ),
    scenario(
        "http1/httpclose",
        HTTP_S1,
        "    option httpclose\n",
        &[Send(GET), Request, Answer(OK), Response, End],
    ),
    scenario(
        "http1/half-closed-client",
        HTTP_S1,
        "",
        &[Send(GET), HalfClose, Request, Answer(OK), Response, End],
    ),
    scenario(
        "http1/server-answers-before-body-is-whole",
        HTTP_S1,
        "",
        &[
            Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123"),
            RequestHead,
            ServerBytes(3),
            Answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
            Response,
        ],
    ),
    scenario(
        "http1/forwardfor",
        HTTP_S1,
        "    option forwardfor\n",
        &[
            Send("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
        ],
    ),
    scenario(
        "http1/set-header-return-deny-redirect",
        "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n",
        "listen main
            bind {fe}
            http-request set-header X-New %[path]
            http-request return status 200 content-type text/plain string hello if { path /hello }
            http-request deny if { path /no }
            http-request deny deny_status 429 if { path_beg /slow }
            http-request redirect location /new if { path /old }
            http-request redirect prefix https://x code 301 if { path_beg /pre }
            server s1 {s1}
",
        &[
            Send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Send("GET /no HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Connect("fe"),
            Send("GET /slow/x HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Connect("fe"),
            Send("GET /old HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Connect("fe"),
            Send("GET /pre/a?b HTTP/1.1\r\nHost: h\r\n\r\n"),
            Response,
            Connect("fe"),
            Send("GET /else HTTP/1.1\r\nHost: h\r\nX-New: old\r\n\r\n"),
            Request,
            Answer(OK),
            Response,
        ],
    ),
    deliberate(
        REFUSED,
        later(
            "they refuse it as ours does, with other pages",
            scenario(
                "http1/empty-content-length",
                HTTP_S1,
                "",
                &[
                    Send("GET / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n"),
                    Request,
                    Answer(OK),
                    Response,
                ],
            ),
        ),
    ),
    deliberate(
        REFUSED,
        later(
            "they refuse a fragment",
            scenario(
                "http1/fragment-in-target",
                HTTP_S1,
                "",
                &[Send("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"), Request, Answer(OK), Response],
            ),
        ),
    ),
];
