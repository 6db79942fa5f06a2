//! Actions that act on the connection, or fail for lack of room (manual 4.2, "http-request" and its kin).

use super::{BYTES, later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

/// Small buffers, a log and a runtime socket.
const SMALL: &str = "global
    log {log} format raw local0
    stats socket {cli} level admin
    tune.bufsize 2048
    tune.maxrewrite 1024
defaults
    mode http
    log global
    log-format \"%b %s %ST %B %ts %r\"
    timeout client 10s
    timeout server 10s
    timeout connect 10s
";

const GET: &str = "GET /p HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const FAILURES: &[&str] = &["wrew", "eint", "dreq", "dresp", "hrsp_2xx", "hrsp_5xx", "hrsp_other"];

/// 1,000 bytes: two of these do not fit.
macro_rules! header {
    ($name:literal) => {
        concat!(
            "set-header ",
            $name,
            " %[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]"
        )
    };
}

/// A listener with these rules and a server that answers `OK`.
macro_rules! rules {
    ($name:literal, $steps:expr, $($line:expr),+) => {
        later(BYTES, scenario(
            concat!("rules/", $name),
            SMALL,
            concat!(
                "listen main\n bind {fe}\n http-request set-var(txn.x) str(0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789)\n",
                $(" ", $line, "\n",)+
                " server s1 {s1}\n"
            ),
            $steps,
        ))
    };
}

/// The server is asked.
const ASKED: &[crate::scenario::Step] = &[
    Send(GET),
    Request,
    Answer(OK),
    Response,
    Log,
    Stat("main", "FRONTEND", FAILURES),
    Stat("main", "BACKEND", FAILURES),
    Stat("main", "s1", &["wrew", "eint"]),
];

/// The server is not asked.
const ALONE: &[crate::scenario::Step] =
    &[Send(GET), Response, Log, Stat("main", "FRONTEND", FAILURES)];

/// The client is told nothing.
const DROPPED: &[crate::scenario::Step] = &[
    Send(GET),
    Log,
    Until("main", "FRONTEND", "scur", "0"),
    Stat("main", "FRONTEND", FAILURES),
    Stat("main", "BACKEND", FAILURES),
];

pub(super) const SCENARIOS: &[Scenario] = &[
    rules!(
        "no-room-in-a-request",
        ALONE,
        concat!("http-request ", header!("x-a")),
        concat!("http-request ", header!("x-b"))
    ),
    rules!(
        "strict-mode-off-in-a-request",
        ASKED,
        "http-request strict-mode off",
        concat!("http-request ", header!("x-a")),
        concat!("http-request ", header!("x-b")),
        "http-request set-header x-c 1"
    ),
    rules!(
        "no-room-for-a-path",
        ALONE,
        concat!("http-request ", header!("x-a")),
        "http-request set-path /%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]%[var(txn.x)]"
    ),
    rules!(
        "no-room-in-a-response",
        ASKED,
        concat!("http-response ", header!("x-a")),
        concat!("http-response ", header!("x-b"))
    ),
    rules!(
        "strict-mode-off-in-a-response",
        ASKED,
        "http-response strict-mode off",
        concat!("http-response ", header!("x-a")),
        concat!("http-response ", header!("x-b")),
        "http-response strict-mode on",
        "http-response set-header x-c 1"
    ),
    rules!(
        "no-room-after-a-response",
        ASKED,
        concat!("http-after-response ", header!("x-a")),
        concat!("http-after-response ", header!("x-b"))
    ),
    rules!(
        "strict-mode-off-after-a-response",
        ASKED,
        "http-after-response strict-mode off",
        concat!("http-after-response ", header!("x-a")),
        concat!("http-after-response ", header!("x-b"))
    ),
    rules!(
        "no-room-in-an-own-response",
        ALONE,
        "http-request return status 204",
        concat!("http-after-response ", header!("x-a")),
        concat!("http-after-response ", header!("x-b"))
    ),
    rules!(
        "hints-joined",
        &[Send(GET), Request, Answer(OK), Bytes(92), Log],
        "http-request early-hint Link <%[path]>",
        "http-request early-hint X-Two two"
    ),
    rules!(
        "hints-apart",
        &[Send(GET), Request, Answer(OK), Bytes(120), Log],
        "http-request early-hint Link <%[path]>",
        "http-request set-header x-a 1",
        "http-request early-hint X-Two two"
    ),
    rules!(
        "hints-before-a-page",
        &[Send(GET), Bytes(80), Log],
        "http-request early-hint Link <%[path]>",
        "http-request deny"
    ),
    rules!(
        "hints-for-an-old-client",
        &[Send("GET /p HTTP/1.0\r\n\r\n"), Request, Answer(OK), Response, Log],
        "http-request early-hint Link <%[path]>"
    ),
    rules!("dropped-request", DROPPED, "http-request silent-drop"),
    rules!("rejected-request", DROPPED, "http-request reject"),
    rules!(
        "dropped-response",
        &[
            Send(GET),
            Request,
            Answer(OK),
            Log,
            Stat("main", "FRONTEND", FAILURES),
            Stat("main", "BACKEND", FAILURES),
        ],
        "http-response silent-drop"
    ),
    rules!("denied-response", ASKED, "http-response deny"),
];
