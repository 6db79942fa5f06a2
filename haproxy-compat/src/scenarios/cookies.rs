//! Cookies that keep clients on their server (manual 4.2 `cookie`, `force-persist`, `use-server`), and
//! captured ones.

use super::{later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

/// A log receiver that gets the backend, the server and all four letters; one server.
const BASE: &str = base!(
    "http",
    "global\n    log {log} format raw local0\n",
    "    log global\n",
    "frontend main\n    bind {fe}\n    capture cookie SES len 20\n    log-format \"%b/%s %tsc %CC %CS\"\n    default_backend be\nbackend be\n    server s1 {s1} cookie one\n"
);

/// Two servers; the second one is never connected to unless it is chosen.
const TWO: &str = base!(
    "http",
    "global\n    log {log} format raw local0\n",
    "    log global\n",
    "frontend main\n    bind {fe}\n    log-format \"%b/%s %tsc\"\n    default_backend be\nbackend be\n    server w1 {web1} cookie one\n    server w2 {web2} cookie two\n"
);

const NONE: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const ONE: &str = "GET / HTTP/1.1\r\nHost: h\r\nCookie: SRV=one\r\nConnection: close\r\n\r\n";
const TWO_OF: &str = "GET / HTTP/1.1\r\nHost: h\r\nCookie: SRV=two\r\nConnection: close\r\n\r\n";
const AMONG: &str = "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=b; SRV = one ;c=d, $Path=/; SESSION=x\r\nCookie: SRV=one\r\nConnection: close\r\n\r\n";
const WRONG: &str = "GET / HTTP/1.1\r\nHost: h\r\nCookie: SRV=nobody\r\nConnection: close\r\n\r\n";
const PREFIXED: &str =
    "GET / HTTP/1.1\r\nHost: h\r\nCookie: SRV=one~app; x=y\r\nConnection: close\r\n\r\n";
const PLAIN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SETS: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: SESSION=1; path=/\r\nSet-Cookie: SRV = app ; path=/\r\nContent-Length: 2\r\n\r\nok";

pub(super) const SCENARIOS: &[Scenario] = &[
    later(
        "they add no cache-control to an answer that may not be cached anyway",
        scenario(
            "cookies/insert",
            BASE,
            "    cookie SRV insert nocache httponly secure domain .a.b attr X=y\n",
            &[Send(NONE), Request, Answer(PLAIN), End, Log],
        ),
    ),
    scenario(
        "cookies/insert-over-the-servers-own",
        BASE,
        "    cookie SRV insert\n",
        &[Send(NONE), Request, Answer(SETS), End, Log],
    ),
    scenario(
        "cookies/indirect-among-others",
        BASE,
        "    cookie SRV insert indirect\n",
        &[Send(AMONG), Request, Answer(SETS), End, Log],
    ),
    scenario(
        "cookies/preserve",
        BASE,
        "    cookie SRV insert preserve\n",
        &[Send(ONE), Request, Answer(SETS), End, Log],
    ),
    scenario(
        "cookies/rewrite",
        BASE,
        "    cookie SRV rewrite\n",
        &[Send(AMONG), Request, Answer(SETS), End, Log],
    ),
    scenario(
        "cookies/prefix",
        BASE,
        "    cookie SRV prefix\n",
        &[Send(PREFIXED), Request, Answer(SETS), End, Log],
    ),
    scenario(
        "cookies/wrong",
        BASE,
        "    cookie SRV insert indirect\n",
        &[Send(WRONG), Request, Answer(PLAIN), End, Log],
    ),
    scenario(
        "cookies/passive",
        BASE,
        "    cookie SRV\n",
        &[Send(ONE), Request, Answer(SETS), End, Log],
    ),
    scenario(
        "cookies/postonly",
        BASE,
        "    cookie SRV insert postonly\n",
        &[Send(NONE), Request, Answer(PLAIN), End, Log],
    ),
    scenario(
        "cookies/followed",
        TWO,
        "    cookie SRV insert indirect\n",
        &[Send(TWO_OF), End, Log, Connect("fe"), Send(TWO_OF), End, Log],
    ),
    scenario(
        "cookies/ignore-persist",
        TWO,
        "    cookie SRV insert indirect\n    ignore-persist if { path / }\n",
        &[Send(TWO_OF), End, Log, Connect("fe"), Send(TWO_OF), End, Log],
    ),
    scenario(
        "cookies/force-persist",
        TWO,
        "    cookie SRV insert indirect\n    force-persist if { path / }\n    server w3 {web3} cookie three disabled\n    use-server w3 if { path / }\n",
        &[Send(TWO_OF), End, Log],
    ),
    scenario(
        "cookies/use-server",
        TWO,
        "    cookie SRV insert indirect\n    use-server w2 if { path / }\n",
        &[Send(ONE), End, Log, Connect("fe"), Send(NONE), End, Log],
    ),
];
