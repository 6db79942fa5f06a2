//! `haproxy-compat corpus`: `-c` over a folder of real configurations, against recorded verdicts.
//!
//! In: `DIR/NAME/haproxy.cfg`, and `DIR/expected.tsv` with a row for each: name, class, exit status of
//! 2.3.0, exit status of 2.6.12, first alert of 2.3.0. Out: how often ours agrees.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::check::{Answer, ask};

/// One configuration, what was expected and what came.
#[derive(Debug)]
pub struct Row {
    name: String,
    expected: Answer,
    ours: Answer,
}

/// All of them.
#[derive(Debug)]
pub struct Corpus {
    rows: Vec<Row>,
}

/// Runs `ours` over every configuration that `DIR/expected.tsv` names.
pub fn run(folder: &Path, ours: &Path) -> Result<Corpus> {
    let list = folder.join("expected.tsv");
    let text = std::fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    let rows = text.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let (Some(name), Some(status)) = (fields.first(), fields.get(2)) else {
            anyhow::bail!("not a row of expected.tsv: {line:?}")
        };
        let alert = fields.get(4).filter(|text| !text.is_empty());
        let status = status.parse().with_context(|| format!("an exit status in {line:?}"))?;
        let expected = Answer { status, first_alert: alert.map(|text| (*text).to_owned()) };
        let ours = ask(ours, &folder.join(name).join("haproxy.cfg"))?;
        Ok(Row { name: (*name).to_owned(), expected, ours })
    });
    Ok(Corpus { rows: rows.collect::<Result<_>>()? })
}

impl Row {
    fn same_verdict(&self) -> bool {
        self.expected.status == self.ours.status
    }

    /// Whether the first alert names the same line and the same keyword (its first quoted word).
    fn same_alert(&self) -> bool {
        let key = |answer: &Answer| answer.first_alert.as_deref().map(line_and_keyword);
        key(&self.expected) == key(&self.ours)
    }
}

/// `[haproxy.cfg:12]` and the first word in quotes, of an alert's text.
fn line_and_keyword(alert: &str) -> (Option<String>, Option<String>) {
    let between = |open: &str, close: &str| {
        let (_, rest) = alert.split_once(open)?;
        rest.split_once(close).map(|(inside, _)| inside.to_owned())
    };
    (between("haproxy.cfg:", "]"), between("'", "'"))
}

impl Corpus {
    /// Whether every verdict agrees, and the first alert in at least 95 of 100 rejected ones.
    pub fn is_good(&self) -> bool {
        let (alerts, rejected) = self.alerts();
        self.verdicts() == self.rows.len() && alerts * 100 >= rejected * 95
    }

    fn verdicts(&self) -> usize {
        self.rows.iter().filter(|row| row.same_verdict()).count()
    }

    /// How many first alerts agree, of how many that HAProxy rejects.
    fn alerts(&self) -> (usize, usize) {
        let rejected = self.rows.iter().filter(|row| row.expected.first_alert.is_some());
        (rejected.clone().filter(|row| row.same_alert()).count(), rejected.count())
    }
}

impl fmt::Display for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows.iter().filter(|row| !row.same_verdict() || !row.same_alert()) {
            writeln!(f, "{}\n    expected {}\n    ours     {}", row.name, row.expected, row.ours)?;
        }
        let (alerts, rejected) = self.alerts();
        writeln!(f, "verdicts: {} of {} as HAProxy 2.3.0", self.verdicts(), self.rows.len())?;
        writeln!(f, "first alerts: {alerts} of {rejected} name the same line and keyword")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_compared_by_line_and_keyword() {
        let ours = "parsing [haproxy.cfg:12] : unknown keyword 'x' here";
        let theirs = "parsing [haproxy.cfg:12] : unknown keyword 'x' in 'frontend' section";
        assert_eq!(line_and_keyword(ours), line_and_keyword(theirs));
        assert_ne!(line_and_keyword(ours), line_and_keyword(&theirs.replace("12", "13")));
    }
}
