//! The ledger: files that list the names HAProxy 2.3 knows. In: a folder. Out: one entry a name.
//!
//! The folder is given on the command line; its files are data about HAProxy, not part of this project.

use std::path::Path;

use anyhow::{Context, Result};
use haproxy::config::section::Sections;

/// A name that HAProxy knows, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name, as it is written in a configuration.
    pub name: String,
}

/// The kinds of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directive, and the sections it may stand in.
    Keyword(Sections),
    /// A word after `bind`.
    BindOption,
    /// A word after `server`.
    ServerOption,
    /// A rule's action, with the directive of its rule set.
    Action(String),
    /// A sample fetch.
    Fetch,
    /// A converter.
    Converter,
    /// An ACL name that is a fetch and a match method.
    AclKeyword,
    /// A variable of log-format.
    LogVariable,
    /// A runtime socket command.
    Command,
    /// A column of the statistics.
    StatColumn,
    /// A line of `show info`.
    InfoField,
}

impl Kind {
    /// The word that heads its rows in a report.
    pub fn heading(&self) -> String {
        match self {
            Kind::Keyword(sections) if *sections == Sections::GLOBAL => "global keyword".to_owned(),
            Kind::Keyword(sections) if sections.intersects(Sections::PROXIES) => {
                "proxy keyword".to_owned()
            }
            Kind::Keyword(_) => "keyword of a small section".to_owned(),
            Kind::BindOption => "bind option".to_owned(),
            Kind::ServerOption => "server option".to_owned(),
            Kind::Action(_) => "action".to_owned(),
            Kind::Fetch => "fetch".to_owned(),
            Kind::Converter => "converter".to_owned(),
            Kind::AclKeyword => "ACL keyword".to_owned(),
            Kind::LogVariable => "log variable".to_owned(),
            Kind::Command => "command".to_owned(),
            Kind::StatColumn => "statistics column".to_owned(),
            Kind::InfoField => "show info field".to_owned(),
        }
    }
}

/// Reads every list of the folder.
pub fn read(folder: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let of = |kind: Kind| move |row: &[&str]| one(kind.clone(), row.first()?);
    table(folder, "global.tsv", &mut entries, |row| {
        one(Kind::Keyword(Sections::GLOBAL), row.get(1)?)
    })?;
    table(folder, "proxy.tsv", &mut entries, proxy_keyword)?;
    table(folder, "sections.tsv", &mut entries, |row| {
        let is_it = |(name, _): &&(&str, Sections)| row.first() == Some(name);
        let section = Sections::NAMES.iter().find(is_it).map_or(Sections::NONE, |(_, bit)| *bit);
        one(Kind::Keyword(section), row.get(1)?)
    })?;
    table(folder, "bind-options.tsv", &mut entries, of(Kind::BindOption))?;
    table(folder, "server-options.tsv", &mut entries, of(Kind::ServerOption))?;
    table(folder, "actions.tsv", &mut entries, |row| {
        one(Kind::Action((*row.first()?).to_owned()), row.get(1)?)
    })?;
    table(folder, "fetches.tsv", &mut entries, of(Kind::Fetch))?;
    table(folder, "converters.tsv", &mut entries, of(Kind::Converter))?;
    table(folder, "acl-keywords.tsv", &mut entries, of(Kind::AclKeyword))?;
    table(folder, "log-variables.tsv", &mut entries, of(Kind::LogVariable))?;
    let commands = text(folder, "cli.txt")?;
    entries.extend(
        commands.lines().filter_map(|line| one(Kind::Command, command_words(line).as_str())),
    );
    let columns = text(folder, "stat-csv-header.txt")?;
    let columns = columns.trim().trim_start_matches("# ").trim_end_matches(',').split(',');
    entries.extend(columns.filter_map(|name| one(Kind::StatColumn, name)));
    let fields = text(folder, "info-fields.txt")?;
    entries.extend(fields.lines().filter_map(|name| one(Kind::InfoField, name)));
    Ok(entries)
}

fn one(kind: Kind, name: &str) -> Option<Entry> {
    (!name.is_empty()).then(|| Entry { kind, name: name.to_owned() })
}

/// A row `keyword defaults frontend listen backend invertible`.
fn proxy_keyword(row: &[&str]) -> Option<Entry> {
    let all = [Sections::DEFAULTS, Sections::FRONTEND, Sections::LISTEN, Sections::BACKEND];
    let marked = all.into_iter().zip(row.iter().skip(1)).filter(|(_, mark)| **mark == "y");
    let sections = marked.fold(Sections::NONE, |sum, (section, _)| sum | section);
    one(Kind::Keyword(sections), row.first()?)
}

/// A command without its arguments: `add ssl crt-list <file>` is `add ssl crt-list`.
fn command_words(line: &str) -> String {
    let is_word = |word: &&str| {
        word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    line.split_whitespace().take_while(is_word).collect::<Vec<_>>().join(" ")
}

fn table(
    folder: &Path,
    name: &str,
    entries: &mut Vec<Entry>,
    entry: impl Fn(&[&str]) -> Option<Entry>,
) -> Result<()> {
    let text = text(folder, name)?;
    let rows = text.lines().skip(1).map(|line| line.split('\t').map(str::trim).collect::<Vec<_>>());
    entries.extend(rows.filter_map(|row| entry(&row)));
    Ok(())
}

fn text(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join(name);
    std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_lose_their_arguments() {
        assert_eq!(command_words("add ssl crt-list <filename> [options]"), "add ssl crt-list");
        assert_eq!(command_words("show info [desc|json|typed]"), "show info");
    }

    #[test]
    fn proxy_rows_name_their_sections() {
        let entry = proxy_keyword(&["balance", "y", "", "y", "y", "y"]).unwrap();
        let sections = Sections::DEFAULTS | Sections::LISTEN | Sections::BACKEND;
        assert_eq!(entry.kind, Kind::Keyword(sections));
    }
}
