//! Names resolved at run time (manual 5.3), and server-state files: what is logged, counted and shown.

use super::{scenario, with_files};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

/// A name server that is asked once, by the zone in the file `zone`.
const BASE: &str = "global
    stats socket {cli} level admin
    log {log} format raw local0
resolvers dns
    nameserver ns1 {dns}
    timeout resolve 1h
    timeout retry 1h
defaults
    mode http
    log global
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend main
    bind {fe}
";

const STATE: &str = "global
    stats socket {cli} level admin
    server-state-base {dir}
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend main
    bind {fe}
    default_backend be
backend be
    load-server-state-from-file local
    server down 127.0.0.1:1
    server drain 127.0.0.1:2
    server wrong 127.0.0.1:3
    server stopping 127.0.0.1:4 backup
";

const ROW: &[&str] = &["status", "weight", "addr"];

pub(super) const SCENARIOS: &[Scenario] = &[
    with_files(
        &[("zone", "web.test A 127.0.0.2\nweb.test A 127.0.0.3\n")],
        scenario(
            "resolvers/servers-share-a-name",
            BASE,
            "backend be\n server-template s 3 web.test:80 resolvers dns resolve-prefer ipv4 init-addr none\n",
            &[
                Log,
                Log,
                Log,
                Log,
                Log,
                Log,
                Stat("be", "s1", ROW),
                Stat("be", "s2", ROW),
                Stat("be", "s3", ROW),
                Cli("show resolvers"),
                Cli("show resolvers nosuch"),
            ],
        ),
    ),
    with_files(
        &[(
            "zone",
            "_http._tcp.test SRV 60000 81 n1.test\n_http._tcp.test WITH n1.test 127.0.0.2\n\
             _http._tcp.test SRV 0 82 n2.test\n_http._tcp.test WITH n2.test 127.0.0.3\n",
        )],
        scenario(
            "resolvers/services",
            BASE,
            "backend be\n server-template s 3 _http._tcp.test resolvers dns\n",
            &[
                Log,
                Log,
                Log,
                Log,
                Log,
                Log,
                Stat("be", "s1", ROW),
                Stat("be", "s2", ROW),
                Stat("be", "s3", ROW),
                Cli("show resolvers dns"),
            ],
        ),
    ),
    with_files(
        &[(
            "zone",
            "a.test A 127.0.0.2\na.test AAAA ::2\nb.test CNAME c.test\nc.test A 127.0.0.3\n",
        )],
        scenario(
            "resolvers/rules-ask",
            BASE,
            "    http-request do-resolve(txn.four,dns,ipv4) hdr(host),lower\n\
             http-request do-resolve(txn.six,dns) hdr(host),lower\n\
             http-request return status 200 content-type text/plain lf-string \"%[var(txn.four)] %[var(txn.six)]\"\n",
            &[
                Send("GET / HTTP/1.1\r\nHost: A.test\r\n\r\n"),
                Response,
                Send("GET / HTTP/1.1\r\nHost: b.test\r\n\r\n"),
                Response,
                Send("GET / HTTP/1.1\r\nHost: no..name\r\n\r\n"),
                Response,
                Cli("show resolvers"),
            ],
        ),
    ),
    with_files(
        &[("zone", "a.test A 127.0.0.2\n")],
        scenario(
            "resolvers/another-name",
            BASE,
            "backend be\n server s1 a.test:80 resolvers dns resolve-prefer ipv4 init-addr none\n server s2 127.0.0.1:80\n",
            &[
                Log,
                Log,
                Log,
                Cli("set server be/s1 fqdn a.test"),
                Cli("set server be/s1 fqdn b.test"),
                Cli("set server be/s1 fqdn no!"),
                Cli("set server be/s1 fqdn"),
                Cli("set server be/s2 fqdn a.test"),
            ],
        ),
    ),
    with_files(
        &[(
            "be",
            "1\n2 be 1 down 127.0.0.1 0 0 1 1 100 6 3 0 6 0 0 0 - 1 -\n\
             2 be 2 drain 127.0.0.1 2 8 1 1 100 6 3 4 6 0 0 0 - 2 -\n\
             2 be 3 wrong 127.0.0.1 9 99 999 1 100 6 3 4 6 0 0 0 - 3 -\n\
             3 be 4 stopping 127.0.0.1 3 0 7 1 100 6 3 4 6 0 0 0 - 4 -\n\
             3 be 4 nosuch 127.0.0.1 3 0 7 1 100 6 3 4 6 0 0 0 - 4 -\n",
        )],
        scenario(
            "resolvers/state-of-servers",
            STATE,
            "",
            &[
                Stat("be", "down", ROW),
                Stat("be", "drain", ROW),
                Stat("be", "wrong", ROW),
                Stat("be", "stopping", ROW),
            ],
        ),
    ),
];
