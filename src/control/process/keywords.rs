//! `-dK`: every name this program knows, class by class. In: classes, as later HAProxy releases name them. Out:
//! the names, sorted, one a line, in those releases' layout, from the rows of the catalog.

use std::fmt::Write;

use crate::catalog::{PARTS, Status};
use crate::config::section::Sections;
use crate::flow::rules::RuleSets;
use crate::flow::rules::planned::SERVICES;
use crate::flow::session::filter::FILTERS;
use crate::sample::args::signature;
use crate::sample::valid::Place;

/// What `-dK` can list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The classes.
    Help,
    /// Everything.
    All,
    /// ACL names that are a fetch and a match method.
    Acls,
    /// Directives, options of `bind` and `server`, rule actions.
    Configuration,
    /// Commands of the runtime socket and of the master's.
    Commands,
    /// Converters.
    Converters,
    /// Filters.
    Filters,
    /// Sample fetches.
    Fetches,
    /// Services.
    Services,
}

/// Every class with its word and what it holds, in the order of the listing.
const CLASSES: &[(&str, Class, &str)] = &[
    ("all", Class::All, "list all keywords"),
    ("acl", Class::Acls, "ACL keywords"),
    ("cfg", Class::Configuration, "configuration keywords"),
    ("cli", Class::Commands, "CLI keywords"),
    ("cnv", Class::Converters, "sample converter keywords"),
    ("flt", Class::Filters, "filter names"),
    ("smp", Class::Fetches, "sample fetch functions"),
    ("svc", Class::Services, "service names"),
];

impl Class {
    /// The class of a word; no word at all asks for help.
    pub fn of(word: &str) -> Option<Class> {
        if matches!(word, "" | "help") {
            return Some(Class::Help);
        }
        CLASSES.iter().find(|(name, ..)| *name == word).map(|(_, class, _)| *class)
    }
}

/// The lists that were asked for, each once, in HAProxy's order; help alone when it was asked for.
pub fn listing(wanted: &[Class]) -> String {
    if wanted.contains(&Class::Help) {
        return help();
    }
    let is_wanted = |class: Class| wanted.contains(&class) || wanted.contains(&Class::All);
    let lists = [
        (Class::Acls, "ACL keywords", acls as fn() -> Vec<String>),
        (Class::Configuration, "configuration keywords", configuration),
        (Class::Commands, "CLI keywords", commands),
        (Class::Converters, "sample converter functions", converters),
        (Class::Filters, "filter names", filters),
        (Class::Fetches, "sample fetch functions", fetches),
        (Class::Services, "service names", services),
    ];
    let mut text = String::new();
    for (_, title, lines) in lists.into_iter().filter(|(class, ..)| is_wanted(*class)) {
        let _ = writeln!(text, "# List of registered {title}:");
        for line in lines() {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

fn help() -> String {
    let lines = CLASSES.iter().map(|(word, _, doc)| format!("{word}: {doc}\n"));
    "# List of supported keyword classes:\n".to_owned() + &lines.collect::<String>()
}

/// ` - planned` behind a name that is understood without having its effect yet.
fn planned(status: Status) -> &'static str {
    if status == Status::Planned { " - planned" } else { "" }
}

fn acls() -> Vec<String> {
    let rows = PARTS.iter().flat_map(|part| part.acl_keywords);
    sorted(rows.map(|row| format!("{} = {} -m {}", row.name, row.fetch, row.method)))
}

/// Section by section; all proxies' together under `listen`, with the sides that each belongs to.
fn configuration() -> Vec<String> {
    let mut lines = Vec::new();
    for (name, section) in Sections::NAMES {
        if section.intersects(Sections::PROXIES) && *section != Sections::LISTEN {
            continue;
        }
        lines.push((*name).to_owned());
        let of_proxies = *section == Sections::LISTEN;
        lines.extend(directives(if of_proxies { Sections::PROXIES } else { *section }));
        if of_proxies {
            lines.extend(bind_options());
            lines.extend(server_options());
            lines.extend(actions());
        }
    }
    lines
}

/// Rows without an example only say what is wrong with their form.
fn directives(sections: Sections) -> Vec<String> {
    let rows = PARTS.iter().flat_map(|part| part.keywords);
    let rows = rows.filter(|row| row.sections.intersects(sections) && !row.examples.is_empty());
    sorted(rows.map(|row| {
        let sides = sides(row.sections);
        format!("\t{}{sides}{}", usage(&[row.name, row.args]), planned(row.status))
    }))
}

/// ` [ DF FE BE ]`: the defaults, frontends, backends. Empty for what is not a proxy's.
fn sides(sections: Sections) -> String {
    let sides = [("DF", Sections::DEFAULTS), ("FE", Sections::FRONTEND), ("BE", Sections::BACKEND)];
    let sides: Vec<_> =
        sides.iter().filter(|(_, bit)| sections.contains(*bit)).map(|(word, _)| *word).collect();
    if sides.is_empty() { String::new() } else { format!(" [ {} ]", sides.join(" ")) }
}

fn bind_options() -> Vec<String> {
    let rows = PARTS.iter().flat_map(|part| part.bind_options);
    sorted(rows.map(|row| {
        format!("\t{}{}", usage(&["bind <addr>", row.name, row.args]), planned(row.status))
    }))
}

fn server_options() -> Vec<String> {
    let rows = PARTS.iter().flat_map(|part| part.server_options);
    sorted(rows.map(|row| {
        let line = usage(&["server <name> <addr>", row.name, row.args]);
        format!("\t{line}{}", planned(row.status))
    }))
}

fn actions() -> Vec<String> {
    let rows = || PARTS.iter().flat_map(|part| part.actions);
    let of = |(directive, set): &(&str, RuleSets)| {
        let rows = rows().filter(|row| row.rule_sets.contains(*set) && !row.examples.is_empty());
        sorted(rows.map(|row| {
            let line = usage(&[directive, &row.name.replace("(*)", "*"), row.args]);
            format!("\t{line}{}", planned(row.status))
        }))
    };
    RuleSets::NAMES.iter().flat_map(of).collect()
}

fn commands() -> Vec<String> {
    /// What only the master's own socket knows.
    const MASTER: &[&str] = &["@!<pid>", "@<relative pid>", "@master", "reload", "show proc"];
    /// What both know.
    const BOTH: &[&str] =
        &["help", "operator", "prompt", "quit", "show cli level", "show cli sockets", "user"];
    let rows = PARTS.iter().flat_map(|part| part.commands);
    let worker = rows.map(|row| {
        let who = if BOTH.contains(&row.name) { "[MASTER] [WORKER]" } else { "[WORKER]" };
        format!("{} {who}{}", usage(&[row.name, row.args]), planned(row.status))
    });
    sorted(worker.chain(MASTER.iter().map(|name| format!("{name} [MASTER]"))))
}

/// `name(arguments): input => output`.
fn converters() -> Vec<String> {
    let rows = PARTS.iter().flat_map(|part| part.converters);
    sorted(rows.map(|row| {
        let args = signature(row.args, row.required);
        let (takes, gives) = (row.takes.word(), row.gives.word());
        format!("{}{args}: {takes} => {gives}{}", row.name, planned(row.status))
    }))
}

fn filters() -> Vec<String> {
    sorted(FILTERS.iter().map(|name| (*name).to_owned()))
}

/// The places a fetch can be used at, then `[ Y . … ] name(arguments): type`.
fn fetches() -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (index, place) in Place::ALL.iter().enumerate() {
        let (before, after) = ("| ".repeat(index), "--".repeat(Place::ALL.len() - index));
        lines.push(format!("# {before}.{after} {}", place.word()));
    }
    let rows = PARTS.iter().flat_map(|part| part.fetches);
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable_by_key(|row| row.name);
    lines.extend(rows.iter().map(|row| {
        let places: String = row.valid.chars().flat_map(|c| [c, ' ']).collect();
        let args = signature(row.args, row.required);
        let gives = row.gives.word();
        format!("[ {places}] {}{args}: {gives}{}", row.name, planned(row.status))
    }));
    lines
}

fn services() -> Vec<String> {
    sorted(SERVICES.iter().map(|name| (*name).to_owned()))
}

/// The words of a usage line, without those that are empty.
fn usage(words: &[&str]) -> String {
    words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_in_the_help_and_in_the_list_of_all() {
        let all = listing(&[Class::All]);
        for (word, class, _) in CLASSES {
            assert_eq!(Class::of(word), Some(*class));
            assert!(help().contains(&format!("\n{word}: ")), "{word}");
            assert!(all.contains(&listing(&[*class])), "{word}");
        }
        assert_eq!(listing(&[Class::Help, Class::All]), help());
        assert_eq!(listing(&[]), "");
    }

    #[test]
    fn every_row_is_listed_where_it_belongs() {
        let cfg = listing(&[Class::Configuration]);
        let global = cfg.find("\nglobal\n").unwrap()..cfg.find("\nlisten\n").unwrap();
        assert!(cfg[global.clone()].contains("\n\tmaxconn <number>\n"), "{}", &cfg[global]);
        for line in [
            "timeout client <timeout> [ DF FE ]",
            "bind <addr> name <name>",
            "server <name> <addr> weight <weight>",
            "http-request set-header <name> <format>",
            "http-request set-var* <expression>",
        ] {
            assert!(cfg.contains(&format!("\n\t{line}\n")), "{line}");
        }
        assert!(listing(&[Class::Converters]).contains("\nlower: str => str\n"));
        let src = "\n[ Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y Y . . ] src: ip";
        assert!(listing(&[Class::Fetches]).contains(src));
        assert!(listing(&[Class::Acls]).contains("\npath_beg = path -m beg\n"));
        assert!(listing(&[Class::Commands]).contains("\nshow info "));
    }

    #[test]
    fn listed_filters_and_services_are_known_to_the_parser() {
        use crate::config::diagnostic::Diagnostics;
        use crate::config::outside::{RealOutside, Sockets};
        use crate::config::source::Source;
        let alerts = |line: &str| {
            let text = format!("defaults\n mode http\nfrontend f\n {line}\n");
            let source = Source { name: "a.cfg".into(), text: text.into_bytes().into() };
            let mut diagnostics = Diagnostics::default();
            let mut outside = RealOutside::new(Sockets::default());
            crate::config::parse(&[source], &mut outside, &mut diagnostics);
            diagnostics.list.iter().map(|d| d.text.clone()).collect::<String>()
        };
        for (directive, names) in [("filter", FILTERS), ("http-request use-service", SERVICES)] {
            assert!(alerts(&format!("{directive} nonsense")).contains("unknown"), "{directive}");
            for name in names {
                let told = alerts(&format!("{directive} {name}"));
                assert!(!told.contains("unknown"), "{told}");
            }
        }
    }
}
