//! Statistics (management guide 9.1): the CSV's columns, and who asks for the page.

use super::{deliberate, later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

const MAIN: &str = base!(
    "http",
    "global\n    stats socket {cli} level admin\n",
    "",
    "frontend front\n    bind {fe}\n    default_backend back\nbackend back\n    server w1 {web1}\n    server w2 {web2} weight 5 backup\n    server w3 {web3} disabled\n"
);

const PAGE: &str =
    base!("http", "", "", "listen main\n    bind {fe}\n    stats enable\n    stats uri /stats\n");

pub(super) const SCENARIOS: &[Scenario] = &[
    later(
        "they have more columns",
        deliberate(
            "ours has columns of 2.3.21, and other limits of descriptors",
            scenario(
                "stats/after-two-requests",
                MAIN,
                "",
                &[
                    Send(GET),
                    Response,
                    Send(GET),
                    Response,
                    Close,
                    Until("front", "FRONTEND", "scur", "0"),
                    Stat(
                        "front",
                        "FRONTEND",
                        &[
                            "scur",
                            "slim",
                            "stot",
                            "bin",
                            "bout",
                            "dreq",
                            "ereq",
                            "status",
                            "type",
                            "hrsp_2xx",
                            "hrsp_5xx",
                            "req_tot",
                            "conn_tot",
                            "mode",
                            "iid",
                            "pid",
                            "sid",
                            "intercepted",
                        ],
                    ),
                    Stat(
                        "back",
                        "w1",
                        &[
                            "qcur",
                            "qmax",
                            "scur",
                            "slim",
                            "stot",
                            "bin",
                            "bout",
                            "econ",
                            "eresp",
                            "wretr",
                            "status",
                            "weight",
                            "act",
                            "bck",
                            "type",
                            "hrsp_2xx",
                            "lbtot",
                            "mode",
                            "connect",
                            "reuse",
                            "check_status",
                            "iid",
                            "sid",
                            "addr",
                        ],
                    ),
                    Stat("back", "w2", &["status", "weight", "act", "bck", "stot", "sid"]),
                    Stat("back", "w3", &["status", "weight", "act", "bck", "stot", "sid"]),
                    Stat(
                        "back",
                        "BACKEND",
                        &[
                            "stot", "bin", "bout", "status", "weight", "act", "bck", "type",
                            "hrsp_2xx", "lbtot", "algo", "connect", "reuse", "slim",
                        ],
                    ),
                ],
            ),
        ),
    ),
    scenario("stats/page-needs-its-uri", PAGE, "", &[Send("GET /other HTTP/1.0\r\n\r\n"), End]),
    scenario(
        "stats/page-needs-a-password",
        PAGE,
        "    stats auth a:b\n",
        &[Send("GET /stats;csv HTTP/1.0\r\n\r\n"), End],
    ),
    scenario(
        "stats/admin-post-without-admin",
        PAGE,
        "",
        &[
            Send(
                "POST /stats HTTP/1.1\r\nHost: h\r\nContent-Length: 22\r\n\r\ns=x&action=ready&b=main",
            ),
            Response,
        ],
    ),
];
