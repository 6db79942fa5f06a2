//! `haproxy-compat check`: what of a user's own file is supported here, and whether a reference agrees.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use haproxy::catalog::{self, Status};
use haproxy::config::diagnostic::Diagnostics;
use haproxy::config::outside::RealOutside;
use haproxy::config::source;

/// What came of looking at one file.
#[derive(Debug)]
pub struct Checked {
    /// Names whose effect is not built yet, and the lines they stand on.
    pub planned: BTreeMap<String, Vec<u32>>,
    /// Names that are accepted without an effect, why, and the lines.
    pub no_effect: BTreeMap<String, (&'static str, Vec<u32>)>,
    /// What our binary says to `-c`.
    pub ours: Answer,
    /// What the reference says, if there is one.
    pub reference: Option<Answer>,
}

/// What a binary says to `-c -f FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its exit status: 0 valid, 1 rejected, 2 valid but nothing to start.
    pub status: i32,
    /// The text of its first `[ALERT]`, without date and process id.
    pub first_alert: Option<String>,
}

/// Looks at `file` with this program's parser, and asks both binaries; a reference that is not
/// there is not asked.
pub fn check(file: &Path, ours: &Path, reference: &Path) -> Result<Checked> {
    let mut outside = RealOutside::default();
    let files = source::expand(&[file.to_owned()], &mut outside);
    let files: Vec<PathBuf> = files.map_err(|alert| anyhow::anyhow!("{}", alert.text))?;
    let sources = files.iter().map(|file| source::read(file, &mut outside));
    let sources: Vec<_> =
        sources.collect::<Result<_, _>>().map_err(|alert| anyhow::anyhow!("{}", alert.text))?;
    let spec = haproxy::config::parse(&sources, &mut outside, &mut Diagnostics::default());
    let mut planned: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for used in &spec.planned {
        planned.entry(used.name.clone()).or_default().push(used.place.line);
    }
    let mut no_effect = BTreeMap::new();
    for (number, line) in std::fs::read_to_string(file).unwrap_or_default().lines().enumerate() {
        if let Some((name, why)) = without_effect(line) {
            let entry: &mut (_, Vec<u32>) = no_effect.entry(name).or_insert((why, Vec::new()));
            entry.1.push(number as u32 + 1);
        }
    }
    let reference = reference.exists().then(|| ask(reference, file)).transpose()?;
    Ok(Checked { planned, no_effect, ours: ask(ours, file)?, reference })
}

/// Runs `BINARY -c -f FILE` in the file's folder.
pub fn ask(binary: &Path, file: &Path) -> Result<Answer> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?;
    let mut command = Command::new(binary);
    command.arg("-c").arg("-f").arg(name).current_dir(folder.unwrap_or(Path::new(".")));
    let output = command.output().with_context(|| format!("running {}", binary.display()))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let first_alert = text.lines().find_map(alert_text).map(str::to_owned);
    Ok(Answer { status: output.status.code().unwrap_or(-1), first_alert })
}

/// What follows `[ALERT] date (pid) : `, of 2.3, or `[ALERT]    (pid) : `, of later releases.
fn alert_text(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("[ALERT]")?;
    Some(rest.split_once(") : ").map_or(rest, |(_, text)| text))
}

/// The directive of a line that is accepted without an effect, and why.
fn without_effect(line: &str) -> Option<(String, &'static str)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    (1..=words.len().min(3)).rev().find_map(|count| {
        let name = words[..count].join(" ");
        let reason = catalog::keywords(&name).iter().find_map(|row| match row.status {
            Status::NoEffect(why) => Some(why),
            _ => None,
        })?;
        Some((name, reason))
    })
}

impl Checked {
    /// Whether the file runs here and the reference, if asked, gave the same verdict.
    pub fn is_supported(&self) -> bool {
        let agree = self.reference.as_ref().is_none_or(|answer| answer.status == self.ours.status);
        self.planned.is_empty() && self.ours.status == 0 && agree
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, lines) in &self.planned {
            writeln!(f, "not built yet   {name} (line {})", numbers(lines))?;
        }
        for (name, (why, lines)) in &self.no_effect {
            writeln!(f, "without effect  {name} (line {}): {why}", numbers(lines))?;
        }
        writeln!(f, "this program    {}", self.ours)?;
        match &self.reference {
            Some(answer) => writeln!(f, "the reference   {answer}")?,
            None => writeln!(f, "the reference   was not there to be asked")?,
        }
        let verdict = if self.is_supported() { "supported" } else { "not supported as it is" };
        writeln!(f, "{verdict}")
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.status {
            0 => "valid",
            1 => "rejected",
            2 => "valid, but nothing to start",
            _ => "ended by a signal",
        };
        match &self.first_alert {
            Some(alert) => write!(f, "{verdict}: {alert}"),
            None => f.write_str(verdict),
        }
    }
}

fn numbers(lines: &[u32]) -> String {
    lines.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_lose_date_and_pid() {
        let text = "parsing [haproxy.cfg:2] : x (y) : z";
        assert_eq!(alert_text(&format!("[ALERT] 326/143534 (1234) : {text}")), Some(text));
        assert_eq!(alert_text(&format!("[ALERT]    (1234) : {text}")), Some(text));
        assert_eq!(alert_text("[WARNING] 1 (2) : x"), None);
    }
}
