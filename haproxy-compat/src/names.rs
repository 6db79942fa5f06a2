//! Which names of the catalog the scenarios use, each in its role: an action in its rule set, a fetch where an
//! expression begins, a converter after it. In: the scenarios' configurations. Out: names. The tests below
//! hold every row that works to a scenario, but for a list with reasons.

use std::collections::BTreeSet;

use haproxy::catalog;
use haproxy::config::words;
use haproxy::flow::rules::RuleSets;

use crate::scenario::Scenario;

/// A name in its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A directive.
    Keyword(&'static str),
    /// A word after `bind ADDRESS`.
    BindOption(&'static str),
    /// A word after `server NAME ADDRESS`.
    ServerOption(&'static str),
    /// A rule set's directive, and its action.
    Action(&'static str, &'static str),
    /// A sample fetch.
    Fetch(&'static str),
    /// A converter.
    Converter(&'static str),
    /// A fetch with a match method.
    AclKeyword(&'static str),
    /// A variable of log-format.
    LogVariable(&'static str),
    /// A word after `balance`.
    Algorithm(&'static str),
}

/// Every name that the scenarios use.
pub fn used(scenarios: &[Scenario]) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for scenario in scenarios {
        for line in scenario.base.lines().chain(scenario.config.lines()) {
            let split = words::split(line.as_bytes(), &|_| Some(b"x".to_vec())).unwrap_or_default();
            let words: Vec<String> = split.iter().map(|word| word.str().into_owned()).collect();
            line_names(&words, &mut names);
        }
    }
    names
}

fn line_names(words: &[String], names: &mut BTreeSet<Name>) {
    let words = if words.first().is_some_and(|word| word == "no") { &words[1..] } else { words };
    let Some((directive, rest)) = directive(words) else { return };
    names.insert(Name::Keyword(directive));
    // The row of a family (`http-check` of `http-check send`) is used with each of its rows.
    let first = directive.split(' ').next().unwrap_or(directive);
    names.extend(catalog::keywords(first).first().map(|row| Name::Keyword(row.name)));
    match directive {
        "bind" | "stats socket" => rest.iter().for_each(|word| {
            let row = catalog::bind_option(word);
            names.extend(row.map(|row| Name::BindOption(row.name)));
        }),
        "server" | "default-server" => rest.iter().for_each(|word| {
            let row = catalog::server_option(word);
            names.extend(row.map(|row| Name::ServerOption(row.name)));
        }),
        "balance" => names.extend(rest.first().and_then(|word| {
            let starred = format!("{}(*)", word.split('(').next()?);
            let row = catalog::algorithm(word).or_else(|| catalog::algorithm(&starred));
            Some(Name::Algorithm(row?.name))
        })),
        _ => names.extend(action(directive, rest)),
    }
    expressions(words, names);
    formats(words, names);
}

/// The longest directive that a line begins with, and the words after it.
fn directive(words: &[String]) -> Option<(&'static str, &[String])> {
    let of_length = |count: usize| {
        let rows = catalog::keywords(&words.get(..count)?.join(" "));
        Some((rows.first()?.name, &words[count..]))
    };
    (1..=3).rev().find_map(of_length)
}

/// A rule's action, as the catalog names it.
fn action(directive: &str, rest: &[String]) -> Option<Name> {
    let (set_name, set) = RuleSets::NAMES.iter().find(|(name, _)| *name == directive)?;
    let word = rest.first()?;
    let starred = format!("{}(*)", word.split('(').next()?);
    let row = catalog::action(*set, word).or_else(|| catalog::action(*set, &starred))?;
    Some(Name::Action(set_name, row.name))
}

/// The words after which an expression stands.
fn announces(word: &str) -> bool {
    const FIRST: &[&str] = &["set-var", "track-sc", "set-src", "set-dst", "set-priority-"];
    const WHOLE: &[&str] = &["{", "capture", "on", "match", "store-request", "store-response"];
    FIRST.iter().any(|begin| word.starts_with(begin)) || WHOLE.contains(&word)
}

/// The expressions of conditions and arguments.
fn expressions(words: &[String], names: &mut BTreeSet<Name>) {
    if words.first().is_some_and(|word| word == "acl") {
        words.get(2).into_iter().for_each(|word| expression(word, names));
    }
    for pair in words.windows(2) {
        if announces(pair[0].trim_start_matches('!')) {
            expression(&pair[1], names);
        }
    }
}

/// The expressions and variables of log-formats.
fn formats(words: &[String], names: &mut BTreeSet<Name>) {
    for word in words {
        for part in word.split('%').skip(1) {
            let part = match part.strip_prefix('{') {
                Some(flags) => flags.split_once('}').map_or("", |(_, rest)| rest),
                None => part,
            };
            match part.strip_prefix('[') {
                Some(text) => expression(text, names),
                None => {
                    let end = part.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(part.len());
                    let row = catalog::log_variable(&part[..end]);
                    names.extend(row.map(|row| Name::LogVariable(row.name)));
                }
            }
        }
    }
}

/// `fetch(args),converter(args),…` at the beginning of a text.
fn expression(text: &str, names: &mut BTreeSet<Name>) {
    let (name, mut rest) = haproxy::sample::expr::split_name(text);
    names.extend(catalog::fetch(name).map(|row| Name::Fetch(row.name)));
    names.extend(catalog::acl_keyword(name).map(|row| Name::AclKeyword(row.name)));
    rest = after_arguments(rest);
    while let Some(after) = rest.strip_prefix(',') {
        let (name, after) = haproxy::sample::expr::split_name(after);
        names.extend(catalog::converter(name).map(|row| Name::Converter(row.name)));
        rest = after_arguments(after);
    }
}

/// What follows a list of arguments, if there is one.
fn after_arguments(text: &str) -> &str {
    if !text.starts_with('(') {
        return text;
    }
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b')' if !quoted => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use haproxy::catalog::{PARTS, Status};
    use haproxy::config::section::Sections;

    /// Every name that a proxy can use and that works.
    fn working() -> BTreeSet<Name> {
        let mut names = BTreeSet::new();
        let works = |status: Status| status == Status::Works;
        for part in PARTS {
            let keywords = part.keywords.iter().filter(|row| works(row.status));
            // A row without examples is only there to be refused.
            let proxies = keywords.filter(|row| {
                row.sections.intersects(Sections::PROXIES) && !row.examples.is_empty()
            });
            names.extend(proxies.map(|row| Name::Keyword(row.name)));
            let rows = part.bind_options.iter().filter(|row| works(row.status));
            names.extend(rows.map(|row| Name::BindOption(row.name)));
            let rows = part.server_options.iter().filter(|row| works(row.status));
            names.extend(rows.map(|row| Name::ServerOption(row.name)));
            let rows = part.fetches.iter().filter(|row| works(row.status));
            names.extend(rows.map(|row| Name::Fetch(row.name)));
            let rows = part.converters.iter().filter(|row| works(row.status));
            names.extend(rows.map(|row| Name::Converter(row.name)));
            let fetch_works = |name| catalog::fetch(name).is_some_and(|fetch| works(fetch.status));
            let rows = part.acl_keywords.iter().filter(|row| fetch_works(row.fetch));
            names.extend(rows.map(|row| Name::AclKeyword(row.name)));
            let rows = part.log_variables.iter().filter(|row| works(row.status));
            names.extend(rows.map(|row| Name::LogVariable(row.name)));
            let rows = part.algorithms.iter().filter(|row| works(row.status));
            names.extend(rows.map(|row| Name::Algorithm(row.name)));
            for row in part.actions.iter().filter(|row| works(row.status)) {
                let sets = RuleSets::NAMES.iter().filter(|(_, set)| row.rule_sets.contains(*set));
                names.extend(sets.map(|(set, _)| Name::Action(set, row.name)));
            }
        }
        names
    }

    /// What works and has no scenario, and why.
    const WITHOUT: &[(Name, &str)] = &[
        (Name::Action("tcp-request connection", "expect-netscaler-cip"), NETSCALER),
        (Name::BindOption("accept-netscaler-cip"), NETSCALER),
        (Name::BindOption("proto"), "needs HTTP/2 to name a protocol that 2.3 knows by name"),
        (Name::ServerOption("proto"), "needs HTTP/2 to name a protocol that 2.3 knows by name"),
        (Name::BindOption("transparent"), "needs routes of its own"),
        (Name::BindOption("v4v6"), "needs a listener on every address"),
        (Name::BindOption("v6only"), "needs a listener on every address"),
        (Name::Keyword("filter"), FILTERS),
        (Name::Keyword("http-check set-var"), NEW),
        (Name::Keyword("http-check unset-var"), NEW),
        (Name::Keyword("option ldap-check"), NEW),
        (Name::Keyword("option mysql-check"), NEW),
        (Name::Keyword("option pgsql-check"), NEW),
        (Name::Keyword("option smtpchk"), NEW),
        (Name::Keyword("option spop-check"), NEW),
        (Name::Keyword("tcp-check set-var"), NEW),
        (Name::Keyword("tcp-check unset-var"), NEW),
        (Name::ServerOption("agent-addr"), NEW),
        (Name::ServerOption("agent-check"), NEW),
        (Name::ServerOption("agent-inter"), NEW),
        (Name::ServerOption("agent-port"), NEW),
        (Name::ServerOption("agent-send"), NEW),
        (Name::ServerOption("no-agent-check"), NEW),
        (Name::ServerOption("resolve-net"), NEW),
        (Name::ServerOption("resolve-opts"), NEW),
        (Name::Action("tcp-request content", "do-resolve(*)"), NEW),
        (Name::Keyword("server-state-file-name"), NEW),
        (Name::ServerOption("error-limit"), NEW),
        (Name::ServerOption("observe"), NEW),
        (Name::ServerOption("on-error"), NEW),
        (Name::ServerOption("on-marked-down"), NEW),
        (Name::ServerOption("on-marked-up"), NEW),
        (Name::ServerOption("track"), NEW),
        (Name::Keyword("option abortonclose"), NEW),
        (Name::Keyword("option http_proxy"), NEW),
        (Name::Keyword("option independent-streams"), NEW),
        (Name::ServerOption("log-proto"), NEW),
        (Name::ServerOption("no-backup"), NEW),
        (Name::ServerOption("pool-low-conn"), NEW),
        (Name::ServerOption("pool-purge-delay"), NEW),
        (Name::ServerOption("slowstart"), NEW),
        (Name::Keyword("stats hide-version"), PAGE),
        (Name::Keyword("stats refresh"), PAGE),
        (Name::Keyword("stats show-desc"), PAGE),
        (Name::Keyword("stats show-legends"), PAGE),
        (Name::Keyword("stats show-modules"), PAGE),
        (Name::Keyword("stats show-node"), PAGE),
    ];

    const NETSCALER: &str = "needs bytes that are no text, which a script cannot hold";
    const NEW: &str = "new; shown on traffic by the first suite, a script is to come";
    const FILTERS: &str = "tells what passes on stdout, which a script does not see";
    const PAGE: &str = "shows on the page only, whose markup is this program's own";

    #[test]
    fn every_name_has_a_scenario() {
        let used = used(&crate::scenarios::all());
        let excused: BTreeSet<Name> = WITHOUT.iter().map(|(name, _)| *name).collect();
        let missing: Vec<_> = working().difference(&used).copied().collect();
        let unexcused: Vec<_> = missing.iter().filter(|name| !excused.contains(name)).collect();
        assert!(unexcused.is_empty(), "{} without: {unexcused:?}", unexcused.len());
        let needless: Vec<_> = excused.iter().filter(|name| !missing.contains(name)).collect();
        assert!(needless.is_empty(), "these have a scenario, or do not work: {needless:?}");
    }

    #[test]
    fn names_count_in_their_roles_only() {
        let mut names = BTreeSet::new();
        let line = "http-request set-header path %[src,ipmask(8),hex] if { url_beg(a,\"b)\") x } !{ hdr(n),lower -m str y }";
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        line_names(&words, &mut names);
        let expected = [
            Name::Keyword("http-request"),
            Name::Action("http-request", "set-header"),
            Name::Fetch("hdr"),
            Name::Fetch("src"),
            Name::Converter("hex"),
            Name::Converter("ipmask"),
            Name::Converter("lower"),
            Name::AclKeyword("hdr"),
            Name::AclKeyword("url_beg"),
        ];
        let expected = BTreeSet::from(expected);
        assert_eq!(names, expected);
    }
}
