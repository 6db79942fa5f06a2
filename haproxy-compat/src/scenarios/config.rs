//! `-c` and the start (manual 2; management guide 3): verdicts, messages, exit statuses.

use super::{deliberate, later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::{self, Run};

const CHECK: &[Step] = &[Run(&["-c"])];

const fn check(name: &'static str, config: &'static str) -> Scenario {
    later("they word their messages anew", scenario(name, "", config, CHECK))
}

const GOOD: &str = "defaults
    mode http
    timeout client 1s
    timeout server 1s
    timeout connect 1s
frontend f
    bind {fe}
    default_backend b
backend b
    server s 127.0.0.1:1
";

pub(super) const SCENARIOS: &[Scenario] = &[
    check("config/good", GOOD),
    scenario("config/good-quiet", "", GOOD, &[Run(&["-c", "-q"])]),
    scenario("config/good-verbose", "", GOOD, &[Run(&["-c", "-V"])]),
    check("config/empty", ""),
    check("config/no-listener", "defaults\n mode http\n"),
    check("config/unknown-section", "nonsense\n mode http\n"),
    check("config/unknown-keyword-global", "global\n nonsense 1\n"),
    check("config/unknown-keyword-listen", "listen a\n bind {fe}\n nonsense 1\n"),
    check("config/typo", "listen a\n bind {fe}\n timeot client 5s\n"),
    check("config/missing-timeouts", "listen a\n bind {fe}\n server s 127.0.0.1:1\n"),
    check("config/no-bind", "frontend a\n timeout client 1s\n"),
    check(
        "config/unknown-backend",
        "frontend a\n bind {fe}\n timeout client 1s\n default_backend nowhere\n",
    ),
    check("config/bad-time", "defaults\n timeout client 5parsecs\n"),
    check("config/time-too-long", "defaults\n timeout client 99999999999s\n"),
    check("config/bad-mode", "listen a\n mode udp\n"),
    check("config/bad-balance", "backend a\n balance nonsense\n"),
    deliberate(
        "2.3 lists every word it knows; ours names the nearest",
        check("config/bad-server-option", "backend a\n server s 127.0.0.1:1 nonsense\n"),
    ),
    deliberate(
        "2.3 ends a message of servers in other words",
        check("config/bad-server-address", "backend a\n server s 300.0.0.1.2:1\n"),
    ),
    check("config/bad-weight", "backend a\n server s 127.0.0.1:1 weight 300\n"),
    deliberate(
        "2.3 lists every word it knows; ours names the nearest",
        check("config/bad-bind-option", "listen a\n bind {fe} nonsense\n"),
    ),
    check("config/bad-bind-port", "listen a\n bind 127.0.0.1:99999\n"),
    check("config/bind-without-port", "listen a\n bind 127.0.0.1\n"),
    check(
        "config/two-servers-one-name",
        "backend a\n server s 127.0.0.1:1\n server s 127.0.0.1:2\n",
    ),
    check("config/two-backends-one-name", "backend a\nbackend a\n"),
    check("config/unbalanced-quote", "defaults\n mode \"http\n"),
    check("config/unknown-variable-is-empty", "defaults\n mode \"${NOT_SET_ANYWHERE}\"\n"),
    check("config/missing-argument", "defaults\n mode\n"),
    check("config/too-many-arguments", "defaults\n mode http tcp\n"),
    deliberate(
        "2.3 gives up at such a line; ours reads on and tells all mistakes",
        check(
            "config/unknown-acl",
            "listen a\n mode http\n bind {fe}\n http-request deny if nobody\n",
        ),
    ),
    check("config/unknown-fetch", "listen a\n mode http\n bind {fe}\n acl x nonsense y\n"),
    deliberate(
        "2.3 gives up at such a line; ours reads on and tells all mistakes",
        check(
            "config/unknown-action",
            "listen a\n mode http\n bind {fe}\n http-request nonsense\n",
        ),
    ),
    check("config/bad-option", "defaults\n option nonsense\n"),
    check("config/no-option", "defaults\n no option httplog\n no mode\n"),
    check("config/removed-keyword", "defaults\n clitimeout 5000\n"),
    deliberate(
        "2.3 runs without listening anywhere; ours says so",
        check("config/wrong-section", "backend a\n bind {fe}\n"),
    ),
    check("config/two-mistakes", "global\n nonsense\ndefaults\n mode udp\nlisten a\n foo\n"),
    check("config/missing-line-feed", "defaults\n mode http"),
    check(
        "config/httplog-in-tcp-mode",
        "listen a\n bind {fe}\n mode tcp\n option httplog\n timeout client 1s\n",
    ),
    check("config/bad-log", "global\n log 127.0.0.1 nowhere\n"),
    check("config/missing-errorfile", "defaults\n errorfile 503 /nonexistent/503.http\n"),
    check("config/bad-maxconn", "global\n maxconn x\n"),
    check("config/bad-nbthread", "global\n nbthread 0\n"),
];
