//! `haproxy-compat corpus`: `-c` over a folder of real configurations, against recorded verdicts.
//!
//! In: `DIR/NAME/haproxy.cfg`, and `DIR/expected.tsv` with a row for each: name, class, exit status of
//! 2.3.0, exit status of 2.6.12, first alert of 2.3.0. Out: how often ours agrees, and for how many of the
//! valid ones what `-dC` prints parses to the same `Spec`.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use haproxy::config::diagnostic::Diagnostics;
use haproxy::config::outside::RealOutside;
use haproxy::config::source::{self, Source};
use haproxy::config::spec::Spec;

use crate::check::{Answer, ask};

/// One configuration, what was expected and what came.
#[derive(Debug)]
pub struct Row {
    name: String,
    expected: Answer,
    ours: Answer,
    /// Of a valid one: why what was understood is not the same when read again, if it is not.
    understood: Option<Result<(), String>>,
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
        let file = folder.join(name).join("haproxy.cfg");
        let answer = ask(ours, &file)?;
        let understood = (expected.first_alert.is_none()).then(|| understood(ours, &file));
        Ok(Row { name: (*name).to_owned(), expected, ours: answer, understood })
    });
    Ok(Corpus { rows: rows.collect::<Result<_>>()? })
}

/// Whether `-dC` prints a text that parses to the `Spec` of the file itself.
fn understood(ours: &Path, file: &Path) -> Result<(), String> {
    let folder = file.parent().unwrap_or(Path::new("."));
    // Files are named from the configuration's folder, as for the binary.
    std::env::set_current_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let name = Path::new("haproxy.cfg");
    let run = Command::new(ours).arg("-dC").arg("-f").arg(name).output();
    let printed = run.map_err(|e| e.to_string())?;
    if !printed.status.success() {
        return Err(format!("-dC ended with {}", printed.status));
    }
    let original = source::read(name, &mut RealOutside::default()).map_err(|alert| alert.text)?;
    let again = Source { name: "what -dC printed".into(), text: printed.stdout.into() };
    match spec(&original)? == spec(&again)? {
        true => Ok(()),
        false => Err("what -dC printed parses to another Spec".to_owned()),
    }
}

fn spec(source: &Source) -> Result<Spec, String> {
    let mut diagnostics = Diagnostics::default();
    let sources = std::slice::from_ref(source);
    let spec = haproxy::config::parse(sources, &mut RealOutside::default(), &mut diagnostics);
    match diagnostics.list.into_iter().find(|d| d.refuses) {
        None => Ok(spec),
        Some(alert) => Err(format!("{}: {}", source.name, alert.text)),
    }
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
    /// Whether every verdict agrees, the first alert in at least 95 of 100 rejected ones, and `-dC` of every
    /// valid one parses to the same `Spec`.
    pub fn is_good(&self) -> bool {
        let (alerts, rejected) = self.alerts();
        let (same, valid) = self.understood();
        self.verdicts() == self.rows.len() && alerts * 100 >= rejected * 95 && same == valid
    }

    fn verdicts(&self) -> usize {
        self.rows.iter().filter(|row| row.same_verdict()).count()
    }

    /// Of how many valid ones `-dC` parses to the same `Spec`, and how many there are.
    fn understood(&self) -> (usize, usize) {
        let all = self.rows.iter().filter_map(|row| row.understood.as_ref());
        (all.clone().filter(|same| same.is_ok()).count(), all.count())
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
        for row in &self.rows {
            if let Some(Err(why)) = &row.understood {
                writeln!(f, "{}\n    {why}", row.name)?;
            }
        }
        let (alerts, rejected) = self.alerts();
        let (same, valid) = self.understood();
        writeln!(f, "verdicts: {} of {} as HAProxy 2.3.0", self.verdicts(), self.rows.len())?;
        writeln!(f, "first alerts: {alerts} of {rejected} name the same line and keyword")?;
        writeln!(f, "what -dC prints parses to the same Spec: {same} of {valid}")
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
