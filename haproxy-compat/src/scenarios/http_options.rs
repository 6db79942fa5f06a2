//! How messages are read and written beyond the usual (manual 3.1 "h1-case-adjust", 4.2 "option
//! accept-invalid-http-request").

use super::{HTTP, scenario};
use crate::scenario::Step::*;
use crate::scenario::{Scenario, Step};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\nX-Two: 2\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nX-Two: 2\r\nContent-Length: 2\r\n\r\nok";
const TWICE: &[Step] = &[
    Send(GET),
    Request,
    Answer(OK),
    Response,
    Send("GET / HTTP/1.0\r\n\r\n"),
    Accept("s1"),
    Request,
    Answer(OK),
    Response,
];

/// Names in a case of their own, where a side asks for it.
macro_rules! adjusted {
    ($name:literal, $option:literal) => {
        scenario(
            concat!("http-options/", $name),
            concat!(
                "global\n h1-case-adjust x-two X-Two\n h1-case-adjust host HOST\n",
                "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n"
            ),
            concat!(
                "listen main\n bind {fe}\n option http-server-close\n ",
                $option,
                "\n server s1 {s1}\n"
            ),
            TWICE,
        )
    };
}

/// A message that is refused unless it is wanted.
macro_rules! accepted {
    ($name:literal, $option:literal, $request:literal, $answer:literal) => {
        scenario(
            concat!("http-options/", $name),
            HTTP,
            concat!("listen main\n bind {fe}\n ", $option, "\n server s1 {s1}\n"),
            &[Send($request), Request, Answer($answer), Response],
        )
    };
}

pub(super) const SCENARIOS: &[Scenario] = &[
    adjusted!("case-of-clients", "option h1-case-adjust-bogus-client"),
    adjusted!("case-of-servers", "option h1-case-adjust-bogus-server"),
    accepted!(
        "invalid-name-in-request",
        "option accept-invalid-http-request",
        "GET / HTTP/1.1\r\nHost: h\r\nX(y): 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    ),
    accepted!(
        "invalid-target",
        "option accept-invalid-http-request",
        "GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    ),
    accepted!(
        "no-version",
        "option accept-invalid-http-request",
        "GET /\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    ),
    accepted!(
        "invalid-name-in-response",
        "option accept-invalid-http-response",
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX(y): 1\r\nContent-Length: 0\r\n\r\n"
    ),
];
