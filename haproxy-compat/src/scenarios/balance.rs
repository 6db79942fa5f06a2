//! Which server comes next (manual 4.2 `balance`, 5.2 `weight`, `backup`, `disabled`).

use super::{HTTP, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const CLOSE: &str = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const OTHER: &str = "GET /b HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n";

/// Six requests on six connections.
const SIX: &[crate::scenario::Step] = &[
    Send(CLOSE),
    End,
    Connect("fe"),
    Send(CLOSE),
    End,
    Connect("fe"),
    Send(CLOSE),
    End,
    Connect("fe"),
    Send(OTHER),
    End,
    Connect("fe"),
    Send(CLOSE),
    End,
    Connect("fe"),
    Send(OTHER),
    End,
];

const fn six(name: &'static str, config: &'static str) -> Scenario {
    scenario(name, HTTP, config, SIX)
}

pub(super) const SCENARIOS: &[Scenario] = &[
    six(
        "balance/roundrobin",
        "listen main
            bind {fe}
            balance roundrobin
            server w1 {web1}
            server w2 {web2}
            server w3 {web3}
",
    ),
    six(
        "balance/roundrobin-weights",
        "listen main
            bind {fe}
            balance roundrobin
            server w1 {web1} weight 3
            server w2 {web2} weight 1
",
    ),
    six(
        "balance/static-rr-weights",
        "listen main
            bind {fe}
            balance static-rr
            server w1 {web1} weight 2
            server w2 {web2} weight 1
",
    ),
    six(
        "balance/leastconn-at-rest",
        "listen main
            bind {fe}
            balance leastconn
            server w1 {web1}
            server w2 {web2}
",
    ),
    six(
        "balance/first",
        "listen main
            bind {fe}
            balance first
            server w1 {web1}
            server w2 {web2}
",
    ),
    six(
        "balance/uri",
        "listen main
            bind {fe}
            balance uri
            server w1 {web1}
            server w2 {web2}
            server w3 {web3}
            server w4 {web4}
",
    ),
    six(
        "balance/hdr-consistent",
        "listen main
            bind {fe}
            balance hdr(host)
            hash-type consistent
            server w1 {web1}
            server w2 {web2}
            server w3 {web3}
            server w4 {web4}
",
    ),
    six(
        "balance/disabled-and-backup",
        "listen main
            bind {fe}
            server w1 {web1} disabled
            server w2 {web2} backup
            server w3 {web3} backup
",
    ),
    six(
        "balance/use_backend",
        "frontend main
            bind {fe}
            use_backend two if { path /b }
            use_backend two if { hdr(host) nobody }
            default_backend one
        backend one
            server w1 {web1}
        backend two
            server w2 {web2}
",
    ),
];
