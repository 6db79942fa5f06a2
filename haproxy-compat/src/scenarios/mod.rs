//! The scenarios, one family a file. A new scenario is one entry in its family's table.

/// A configuration in a mode: global lines, defaults with time-outs long enough not to matter and more lines of
/// theirs, and the sections that follow.
macro_rules! base {
    ($mode:literal, $global:literal, $defaults:literal, $sections:literal) => {
        concat!(
            $global,
            "defaults\n    mode ",
            $mode,
            "\n    timeout client 10s\n    timeout server 10s\n    timeout connect 10s\n",
            $defaults,
            $sections
        )
    };
}

mod actions;
mod bad_messages;
mod balance;
mod cache;
mod checks;
mod cli;
mod compression;
mod config;
mod cookies;
mod errors;
mod expressions;
mod http1;
mod http_options;
mod lists;
mod log_variables;
mod logs;
mod options;
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
        redirects::SCENARIOS,
        retries::SCENARIOS,
        rules::SCENARIOS,
        logs::SCENARIOS,
        stats::SCENARIOS,
        cli::SCENARIOS,
        lists::SCENARIOS,
        config::SCENARIOS,
        checks::SCENARIOS,
        options::SCENARIOS,
    ];
    let mut all = families.concat();
    let of_family = |family: &[Scenario], what| -> Vec<Scenario> {
        family.iter().map(|scenario| later(what, *scenario)).collect()
    };
    all.extend(of_family(cache::SCENARIOS, BYTES));
    all.extend(of_family(resolvers::SCENARIOS, "they tell more of resolvers"));
    all.extend(of_family(
        compression::SCENARIOS,
        "they put the headers of coding in another order",
    ));
    all.extend(samples::scenarios());
    all.extend(log_variables::scenarios());
    all.extend(expressions::scenarios());
    all.extend(actions::scenarios());
    all
}

/// HTTP mode with time-outs long enough not to matter.
const HTTP: &str = base!("http", "", "", "");

/// The same with a listener and one scripted server.
const HTTP_S1: &str = base!("http", "", "", "listen main\n    bind {fe}\n    server s1 {s1}\n");

/// TCP mode, a listener and one scripted server.
const TCP_S1: &str = base!("tcp", "", "", "listen main\n    bind {fe}\n    server s1 {s1}\n");

/// What later releases do otherwise in many logs.
const BYTES: &str = "they count the bytes of heads in another way";

/// The same, where no server was asked.
const RETRIES: &str = "they log no retries where no server was asked, 2.3 as many as are allowed";

/// A scenario to copy from.
const NEW: Scenario = Scenario {
    name: "",
    base: "",
    config: "",
    files: &[],
    steps: &[],
    deliberate: "",
    later: "",
    openssl: false,
};

const fn scenario(
    name: &'static str,
    base: &'static str,
    config: &'static str,
    steps: &'static [Step],
) -> Scenario {
    Scenario { name, base, config, steps, ..NEW }
}

const fn with_files(
    files: &'static [(&'static str, &'static str)],
    scenario: Scenario,
) -> Scenario {
    Scenario { files, ..scenario }
}

/// Ours does as 2.3 does; this is what later releases do otherwise.
const fn later(what: &'static str, scenario: Scenario) -> Scenario {
    Scenario { later: what, ..scenario }
}

const fn deliberate(why: &'static str, scenario: Scenario) -> Scenario {
    Scenario { deliberate: why, ..scenario }
}
