//! The scenarios, one family a file. A new scenario is one entry in its family's table.

mod bad_messages;
mod balance;
mod cache;
mod checks;
mod cli;
mod compression;
mod config;
mod cookies;
mod errors;
mod http1;
mod http_options;
mod lists;
mod log_variables;
mod logs;
mod redirects;
mod resolvers;
mod retries;
mod rules;
mod samples;
mod stats;
mod tcp;
mod tcp_rules;

use crate::scenario::{Scenario, Step};

/// Every scenario, family by family.
pub fn all() -> Vec<Scenario> {
    let families: &[&[Scenario]] = &[
        http1::SCENARIOS,
        http_options::SCENARIOS,
        errors::SCENARIOS,
        bad_messages::SCENARIOS,
        tcp::SCENARIOS,
        tcp_rules::SCENARIOS,
        balance::SCENARIOS,
        cookies::SCENARIOS,
        cache::SCENARIOS,
        redirects::SCENARIOS,
        resolvers::SCENARIOS,
        retries::SCENARIOS,
        rules::SCENARIOS,
        logs::SCENARIOS,
        stats::SCENARIOS,
        cli::SCENARIOS,
        lists::SCENARIOS,
        config::SCENARIOS,
        checks::SCENARIOS,
        compression::SCENARIOS,
    ];
    let mut all = families.concat();
    all.extend(samples::scenarios());
    all.extend(log_variables::scenarios());
    all
}

/// Whether releases after 2.3 do otherwise, so that only a 2.3 can be the reference: they word
/// messages, write log headers and error pages anew, and answer some commands differently.
pub fn changed_after_2_3(name: &str) -> bool {
    let families = [
        "config/",
        "errors/",
        "bad-messages/",
        "log-variables/",
        "logs/",
        "resolvers/",
        "cli/",
        "checks/",
        "rules/",
    ];
    let single = [
        "cookies/insert",
        "samples/log-flags",
        "samples/log-variables",
        "samples/log-variables-that-vary",
        "samples/of-2.3",
        "http1/upgrade",
        "http1/upgrade-refused",
        "http1/connect-tunnel",
        "http1/empty-content-length",
        "http1/fragment-in-target",
        "retries/redispatch-to-the-other-server",
        "retries/one-retry-then-503",
        "lists/maps-asked",
        "lists/acls",
        "stats/after-two-requests",
        "tcp-rules/content-accept-then-reject",
        "tcp-rules/silent-drop",
        "tcp-rules/track-and-count",
        "tcp-rules/wait-end",
    ];
    families.iter().any(|family| name.starts_with(family)) || single.contains(&name)
}

/// HTTP mode with time-outs long enough not to matter.
const HTTP: &str = "defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
";

/// The same with a listener and one scripted server.
const HTTP_S1: &str = "defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
listen main
    bind {fe}
    server s1 {s1}
";

/// TCP mode, a listener and one scripted server.
const TCP_S1: &str = "defaults
    mode tcp
    timeout client 10s
    timeout server 10s
    timeout connect 10s
listen main
    bind {fe}
    server s1 {s1}
";

const fn scenario(
    name: &'static str,
    base: &'static str,
    config: &'static str,
    steps: &'static [Step],
) -> Scenario {
    Scenario { name, base, config, files: &[], steps, deliberate: "" }
}

const fn with_files(
    files: &'static [(&'static str, &'static str)],
    scenario: Scenario,
) -> Scenario {
    Scenario { files, ..scenario }
}

const fn deliberate(why: &'static str, scenario: Scenario) -> Scenario {
    Scenario { deliberate: why, ..scenario }
}
