//! `haproxy-compat coverage`: every name of the ledger and how far its effect goes here.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use haproxy::catalog::{self, Status};
use haproxy::config::section::Sections;
use haproxy::flow::rules::RuleSets;

use crate::harness::{Csv, Proxy};
use crate::ledger::{Entry, Kind};

/// How far a name's effect goes, or that nothing here has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It has the effect.
    Works,
    /// Accepted, there is nothing it could change here.
    NoEffect,
    /// Parsed and checked only.
    Planned,
    /// Not a row.
    Missing,
}

/// The ledger with a verdict for each name.
#[derive(Debug)]
pub struct Coverage {
    rows: Vec<(Entry, Verdict)>,
}

/// Looks up every entry in the catalog; columns and fields are read off the running binary `ours`.
pub fn coverage(entries: Vec<Entry>, ours: &Path) -> Coverage {
    let observed = observe(ours).unwrap_or_default();
    let verdict = |entry: Entry| {
        let verdict = match &entry.kind {
            Kind::StatColumn => seen(observed.columns.contains(&entry.name)),
            Kind::InfoField => seen(observed.fields.contains(&entry.name)),
            _ => look_up(&entry).map_or(Verdict::Missing, of_status),
        };
        (entry, verdict)
    };
    Coverage { rows: entries.into_iter().map(verdict).collect() }
}

/// What the running binary shows to monitoring.
#[derive(Debug, Default)]
struct Observed {
    columns: Vec<String>,
    fields: Vec<String>,
}

fn observe(ours: &Path) -> Result<Observed> {
    let config =
        "global\n stats socket {cli}\ndefaults\n timeout client 1s\nfrontend f\n bind {fe}\n";
    let proxy = Proxy::config(config).binary(ours).quiet().start()?;
    let info = proxy.cli("show info")?;
    let fields = info.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect();
    Ok(Observed {
        columns: Csv::parse(&proxy.cli("show stat")?).context("show stat")?.columns,
        fields,
    })
}

fn seen(is_there: bool) -> Verdict {
    if is_there { Verdict::Works } else { Verdict::Missing }
}

fn of_status(status: Status) -> Verdict {
    match status {
        Status::Works => Verdict::Works,
        Status::NoEffect(_) => Verdict::NoEffect,
        Status::Planned => Verdict::Planned,
    }
}

/// The status of the entry's row, if there is one.
fn look_up(entry: &Entry) -> Option<Status> {
    let name = entry.name.as_str();
    match &entry.kind {
        Kind::Keyword(sections) => keyword(*sections, name),
        Kind::BindOption => catalog::bind_option(name).map(|row| row.status),
        Kind::ServerOption => catalog::server_option(name).map(|row| row.status),
        Kind::Action(directive) => action(directive, name),
        Kind::Fetch => catalog::fetch(name).map(|row| row.status),
        Kind::Converter => catalog::converter(name).map(|row| row.status),
        Kind::AclKeyword => {
            let fetch = catalog::acl_keyword(name).map_or(name, |row| row.fetch);
            catalog::fetch(fetch).map(|row| row.status)
        }
        Kind::LogVariable => catalog::log_variable(name).map(|row| row.status),
        Kind::Command => command(name),
        Kind::StatColumn | Kind::InfoField => None,
    }
}

/// The least of the statuses in each of the sections; `None` if it has no row in one of them.
fn keyword(sections: Sections, name: &str) -> Option<Status> {
    // The heading in 2.3's manual lacks a letter that the program asks for.
    let name = if sections == Sections::PEERS && name == "enable" { "enabled" } else { name };
    let bits = Sections::NAMES.iter().map(|(_, bit)| *bit).filter(|bit| sections.contains(*bit));
    let found: Option<Vec<Status>> = bits.map(|bit| in_section(bit, name)).collect();
    found?.into_iter().max_by_key(|status| of_status(*status))
}

/// A name's own row, or the least of those whose first word it is: `stats` of `stats socket` and its kin.
fn in_section(section: Sections, name: &str) -> Option<Status> {
    if let Some(row) = catalog::keyword(section, name) {
        return Some(row.status);
    }
    let begins = |row: &&catalog::Keyword| {
        row.sections.contains(section)
            && row.name.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '))
    };
    let rows = catalog::PARTS.iter().flat_map(|part| part.keywords).filter(begins);
    rows.map(|row| row.status).max_by_key(|status| of_status(*status))
}

fn action(directive: &str, name: &str) -> Option<Status> {
    let set = RuleSets::NAMES.iter().find(|(word, _)| *word == directive).map(|(_, set)| *set);
    let Some(set) = set else {
        // `http-check` and `tcp-check` are directives of several words; brackets glue to the last.
        let whole = format!("{directive} {}", name.replace("(*)", ""));
        return keyword(Sections::BACKEND, &whole);
    };
    // `track-sc(*)` stands for `track-sc0` and its kin.
    let names = [name.to_owned(), name.replace("(*)", "0"), name.replace("(*)", "")];
    names.iter().find_map(|name| catalog::action(set, name)).map(|row| row.status)
}

fn command(name: &str) -> Option<Status> {
    let mut rows = catalog::PARTS.iter().flat_map(|part| part.commands);
    rows.find(|row| row.name == name).map(|row| row.status)
}

impl Coverage {
    /// Each name with its verdict, one a line, those that match `wanted` or all.
    pub fn names(&self, wanted: Option<Verdict>) -> String {
        let rows = self.rows.iter().filter(|(_, v)| wanted.is_none_or(|wanted| wanted == *v));
        let line = |(entry, verdict): &(Entry, Verdict)| {
            let name = match &entry.kind {
                Kind::Action(directive) => format!("{directive} {}", entry.name),
                _ => entry.name.clone(),
            };
            format!("{verdict:<9} {:<27} {name}\n", entry.kind.heading())
        };
        rows.map(line).collect()
    }

    /// How many names have no row at all.
    pub fn missing(&self) -> usize {
        self.rows.iter().filter(|(_, verdict)| *verdict == Verdict::Missing).count()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Works => "works",
            Verdict::NoEffect => "no effect",
            Verdict::Planned => "planned",
            Verdict::Missing => "missing",
        })
    }
}

impl fmt::Display for Coverage {
    /// A table: one row for each kind of name, one column for each verdict.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<String, [usize; 4]> = BTreeMap::new();
        for (entry, verdict) in &self.rows {
            counts.entry(entry.kind.heading()).or_default()[*verdict as usize] += 1;
            counts.entry("~ together".to_owned()).or_default()[*verdict as usize] += 1;
        }
        writeln!(
            f,
            "{:<27} {:>6} {:>9} {:>8} {:>8}",
            "", "works", "no effect", "planned", "missing"
        )?;
        for (kind, [works, no_effect, planned, missing]) in counts {
            let kind = kind.trim_start_matches("~ ");
            writeln!(f, "{kind:<27} {works:>6} {no_effect:>9} {planned:>8} {missing:>8}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_catalog_is_found_and_an_invention_is_not() {
        let entry = |kind, name: &str| Entry { kind, name: name.to_owned() };
        assert!(look_up(&entry(Kind::Keyword(Sections::GLOBAL), "maxconn")).is_some());
        assert!(look_up(&entry(Kind::Action("http-request".to_owned()), "deny")).is_some());
        assert!(look_up(&entry(Kind::Keyword(Sections::GLOBAL), "nonsense")).is_none());
    }
}
