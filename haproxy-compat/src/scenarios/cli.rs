//! The runtime socket (management guide 9.3): commands, answers, levels.

use super::scenario;
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const ADMIN: &str = "global
    stats socket {cli} level admin
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend front
    bind {fe}
    default_backend back
backend back
    server w1 {web1}
    server w2 {web2}
";

const USER: &str = "global
    stats socket {cli} level user
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
listen front
    bind {fe}
    server w1 {web1}
";

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("cli/unknown-command", ADMIN, "", &[Cli("nonsense")]),
    scenario("cli/show-backend", ADMIN, "", &[Cli("show backend")]),
    scenario(
        "cli/show-servers-state-names",
        ADMIN,
        "",
        &[Cli("show servers conn back"), Cli("show servers state nowhere")],
    ),
    scenario(
        "cli/set-server-weight",
        ADMIN,
        "",
        &[
            Cli("set server back/w1 weight 50%"),
            Cli("get weight back/w1"),
            Stat("back", "w1", &["weight", "uweight"]),
            Cli("set server back/w1 weight 300"),
            Cli("set server back/w1 weight x"),
        ],
    ),
    scenario(
        "cli/set-server-state",
        ADMIN,
        "",
        &[
            Cli("set server back/w1 state maint"),
            Stat("back", "w1", &["status"]),
            Cli("set server back/w1 state drain"),
            Stat("back", "w1", &["status"]),
            Cli("set server back/w1 state ready"),
            Stat("back", "w1", &["status"]),
            Cli("set server back/w1 state asleep"),
        ],
    ),
    scenario(
        "cli/disable-enable-server",
        ADMIN,
        "",
        &[
            Cli("disable server back/w1"),
            Stat("back", "w1", &["status"]),
            Cli("enable server back/w1"),
            Stat("back", "w1", &["status"]),
            Cli("disable server back/nobody"),
            Cli("disable server nothing"),
        ],
    ),
    scenario(
        "cli/set-server-addr",
        ADMIN,
        "",
        &[
            Cli("set server back/w1 addr 127.0.0.9 port 99"),
            Cli("set server back/w1 addr nonsense"),
        ],
    ),
    scenario(
        "cli/several-commands-on-a-line",
        ADMIN,
        "",
        &[Cli("show backend;show backend; nonsense")],
    ),
    scenario(
        "cli/level-user-may-not",
        USER,
        "",
        &[Cli("disable server front/w1"), Cli("set server front/w1 state maint"), Cli("show sess")],
    ),
    scenario("cli/show-stat-of-no-proxy", ADMIN, "", &[Cli("show stat nowhere")]),
    scenario("cli/help", USER, "", &[Cli("help")]),
];
