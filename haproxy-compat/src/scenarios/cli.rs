//! The runtime socket (management guide 9.3): commands, answers, levels.

use super::{deliberate, later, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const ADMIN: &str = base!(
    "http",
    "global\n    stats socket {cli} level admin\n",
    "",
    "frontend front\n    bind {fe}\n    default_backend back\nbackend back\n    server w1 {web1}\n    server w2 {web2}\n"
);

const USER: &str = base!(
    "http",
    "global\n    stats socket {cli} level user\n",
    "",
    "listen front\n    bind {fe}\n    server w1 {web1}\n"
);

pub(super) const SCENARIOS: &[Scenario] = &[
    later(
        "they list more commands",
        deliberate(
            "ours lists its own commands",
            scenario("cli/unknown-command", ADMIN, "", &[Cli("nonsense")]),
        ),
    ),
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
    later(
        "they list more commands",
        deliberate(
            "ours lists its own commands",
            scenario(
                "cli/several-commands-on-a-line",
                ADMIN,
                "",
                &[Cli("show backend;show backend; nonsense")],
            ),
        ),
    ),
    scenario(
        "cli/level-user-may-not",
        USER,
        "",
        &[Cli("disable server front/w1"), Cli("set server front/w1 state maint"), Cli("show sess")],
    ),
    later(
        "they have more columns",
        deliberate(
            "ours has columns of 2.3.21, and other limits of descriptors",
            scenario("cli/show-stat-of-no-proxy", ADMIN, "", &[Cli("show stat nowhere")]),
        ),
    ),
    later(
        "they list more commands",
        deliberate("ours lists its own commands", scenario("cli/help", USER, "", &[Cli("help")])),
    ),
];
