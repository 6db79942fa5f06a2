//! `haproxy-compat compare`: every scenario on two binaries, and a table of what differs.

use std::fmt;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::binaries::Reference;
use crate::releases;
use crate::scenario::{Record, Scenario};

/// How many differences of one scenario are worth reading.
const SHOWN: usize = 4;

/// What came of one scenario.
#[derive(Debug)]
pub struct Comparison {
    /// The scenario's name.
    pub name: &'static str,
    /// Why a difference is meant; empty when none is.
    pub deliberate: &'static str,
    /// The rows that differ; none when the two binaries did the same.
    pub differences: Vec<Difference>,
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// Who saw it: `client`, `server`, `log`, `csv`, `stderr` …
    pub what: String,
    /// What the reference did.
    pub reference: String,
    /// What ours did.
    pub ours: String,
}

/// The scenarios whose name contains one of `wanted`; all, if none is wanted.
pub fn select(wanted: &[String]) -> Vec<Scenario> {
    let matches = |scenario: &Scenario| {
        wanted.is_empty() || wanted.iter().any(|part| scenario.name.contains(part.as_str()))
    };
    crate::scenarios::all().into_iter().filter(matches).collect()
}

/// Why a reference cannot tell what is right in a scenario; `None` when it can.
pub fn unfit(scenario: &Scenario, reference: &Reference) -> Option<String> {
    if scenario.openssl && !reference.openssl {
        return Some("the reference is built without OpenSSL".to_owned());
    }
    let differs = !scenario.later.is_empty() && !reference.is_2_3;
    differs.then(|| format!("the reference is later than 2.3: {}", scenario.later))
}

/// Runs one scenario on both binaries.
pub fn compare(scenario: &Scenario, reference: &Reference, ours: &Path) -> Result<Comparison> {
    let mut expected = scenario.run(&reference.path)?;
    let stuck = expected.iter().any(|(who, _)| who.starts_with("failed") || who == "start");
    ensure!(!stuck, "the scenario does not fit the reference: {expected:#?}");
    releases::as_ours(reference, &mut expected);
    let mut found = scenario.run(ours)?;
    releases::without_help(&mut found);
    let differences = differences(&expected, &found);
    Ok(Comparison { name: scenario.name, deliberate: scenario.deliberate, differences })
}

/// The rows in which two records differ, side by side by position.
fn differences(reference: &Record, ours: &Record) -> Vec<Difference> {
    let rows = reference.len().max(ours.len());
    let row = |at: usize| {
        let (left, right) = (reference.get(at), ours.get(at));
        let text = |side: Option<&(String, String)>| match side {
            Some((who, what)) => format!("{who}: {what}"),
            None => "(nothing)".to_owned(),
        };
        let what = left.or(right).map(|(who, _)| who.clone()).unwrap_or_default();
        (left != right).then(|| Difference { what, reference: text(left), ours: text(right) })
    };
    (0..rows).filter_map(row).collect()
}

impl Comparison {
    /// Whether ours refused to start because the scenario uses a name that is `Planned`.
    pub fn is_planned(&self) -> bool {
        self.differences
            .first()
            .is_some_and(|d| d.ours.starts_with("start: ") && d.ours.contains("is not built yet."))
    }

    /// Whether this is neither the same, nor a deliberate difference, nor planned.
    pub fn is_wrong(&self) -> bool {
        !self.differences.is_empty() && self.deliberate.is_empty() && !self.is_planned()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.differences.is_empty(), self.deliberate) {
            (true, _) => "same",
            _ if self.is_planned() => "planned",
            (false, "") => "DIFFERENT",
            (false, _) => "deliberate",
        };
        writeln!(f, "{verdict:<10} {}", self.name)?;
        if !self.differences.is_empty() && !self.deliberate.is_empty() {
            writeln!(f, "           {}", self.deliberate)?;
        }
        for difference in self.differences.iter().take(SHOWN) {
            let (reference, ours) = differing_lines(&difference.reference, &difference.ours);
            writeln!(f, "    reference {reference:?}")?;
            writeln!(f, "    ours      {ours:?}")?;
        }
        if self.differences.len() > SHOWN {
            writeln!(f, "    and {} more", self.differences.len() - SHOWN)?;
        }
        Ok(())
    }
}

/// The lines in which two texts with as many lines differ; else both whole.
fn differing_lines(left: &str, right: &str) -> (String, String) {
    if left.lines().count() != right.lines().count() {
        return (left.to_owned(), right.to_owned());
    }
    let (left, right) = (left.split_inclusive('\n'), right.split_inclusive('\n'));
    left.zip(right).filter(|(left, right)| left != right).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_differ_by_position() {
        let row = |who: &str, what: &str| (who.to_owned(), what.to_owned());
        let left = vec![row("client", "a"), row("log", "b")];
        let right = vec![row("client", "a")];
        assert_eq!(differences(&left, &left), []);
        let found = differences(&left, &right);
        assert_eq!((found.len(), found[0].ours.as_str()), (1, "(nothing)"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = crate::scenarios::all().iter().map(|s| s.name).collect();
        names.sort_unstable();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
