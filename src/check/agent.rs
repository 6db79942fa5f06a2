//! An agent on the server tells how it is (manual 5.2 "agent-check"). In comes its line, out comes what
//! it wants: a weight, a `maxconn`, an administrative state, up or down. No sockets, no clock.

use std::net::SocketAddr;

use crate::check::health::{CheckResult, CheckStatus, Health, Verdict};

/// What is known of a server's agent; what people change of it while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agent {
    /// What it has said.
    pub health: Health,
    /// `set server … agent-addr`
    pub address: Option<SocketAddr>,
    /// `set server … agent-send`
    pub send: Option<Vec<u8>>,
}

impl Agent {
    /// An agent that is asked: what it says counts at once, and until then all is well.
    pub fn asked() -> Agent {
        Agent { health: Health { is_agent: true, ..Health::watched(1, 1) }, ..Agent::default() }
    }

    /// Whether it keeps the server down.
    pub fn says_down(&self) -> bool {
        self.health.enabled && self.health.health < self.health.rise
    }
}

/// An administrative state that an agent may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// `ready`
    Ready,
    /// `drain`
    Drain,
    /// `maint`
    Maintenance,
}

/// What a line says; of words of one kind the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// `ready`, `drain`, `maint`
    pub wish: Option<Wish>,
    /// `75%`
    pub weight: Option<String>,
    /// The number of `maxconn:30`.
    pub maxconn: Option<String>,
    /// `up`, `down`, `stopped` or `fail`, as it was written.
    pub health: Option<String>,
    /// What stands behind a `#`.
    pub description: String,
    /// The first word that means nothing.
    pub unknown: Option<String>,
}

impl Said {
    /// Reads a line up to its end; `None` while the end has not come.
    pub fn read(bytes: &[u8]) -> Option<Said> {
        let end = bytes.iter().position(|b| matches!(b, b'\r' | b'\n' | 0))?;
        let line = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
        let (words, description) = match line.find([' ', '\t', ',', '#']) {
            None => (line.as_str(), ""),
            Some(_) => split_description(&line),
        };
        let mut said = Said { description: description.to_owned(), ..Said::default() };
        let words = words.split([' ', '\t', ',']).filter(|word| !word.is_empty());
        words.for_each(|word| said.take(word));
        Some(said)
    }

    fn take(&mut self, word: &str) {
        let lower = word.to_ascii_lowercase();
        let wish = match lower.as_str() {
            "ready" => Some(Wish::Ready),
            "drain" => Some(Wish::Drain),
            "maint" => Some(Wish::Maintenance),
            _ => None,
        };
        if wish.is_some() {
            self.wish = wish;
        } else if matches!(lower.as_str(), "up" | "down" | "stopped" | "fail") {
            self.health = Some(word.to_owned());
        } else if word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('%') {
            self.weight = Some(word.to_owned());
        } else if lower.starts_with("maxconn:") {
            self.maxconn = word.get("maxconn:".len()..).map(str::to_owned);
        } else if self.unknown.is_none() {
            self.unknown = Some(word.to_owned());
        }
    }

    /// Whether it says up or down.
    pub fn is_up(&self) -> Option<bool> {
        self.health.as_ref().map(|word| word.eq_ignore_ascii_case("up"))
    }

    /// The result; `warning` tells that a weight or limit could not be taken.
    pub fn verdict(&self, warning: Option<&str>) -> Verdict {
        let odd = self.unknown.as_deref().or(warning.map(str::trim_end));
        let Some((word, up)) = self.health.as_ref().zip(self.is_up()) else {
            let text = match (&self.unknown, warning) {
                (Some(word), _) => format!("agent reports an error : {word}"),
                (None, Some(warning)) => format!("agent warns : {warning}"),
                (None, None) => String::new(),
            };
            return Verdict::new(CheckStatus::Checked, text);
        };
        let status = if up { CheckStatus::L7Ok } else { CheckStatus::L7Status };
        let more = match (up || self.description.is_empty(), odd) {
            (true, Some(odd)) => odd,
            _ => &self.description,
        };
        let more = if more.is_empty() { String::new() } else { format!(" ({more})") };
        Verdict::new(status, format!("via agent : {word}{more}"))
    }
}

/// A description begins with a `#` at a word's beginning.
fn split_description(line: &str) -> (&str, &str) {
    let starts = |(at, c): (usize, char)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        (c == '#' && before.is_none_or(|c| matches!(c, ' ' | '\t' | ','))).then_some(at)
    };
    match line.char_indices().find_map(starts) {
        None => (line, ""),
        Some(at) => {
            let (words, rest) = line.split_at(at);
            (words, rest.trim_start_matches('#').trim_start_matches([' ', '\t']))
        }
    }
}

/// Whether a result counts: an agent that is not there or says nothing changes nothing.
pub fn counts(verdict: &Verdict) -> bool {
    verdict.status.result() != CheckResult::Failed || verdict.status.has_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Said {
        Said::read(line.as_bytes()).unwrap()
    }

    #[test]
    fn a_line_says_several_things() {
        let all = said("75%,maxconn:30\tDrain down # not  well\r\nup\n");
        assert_eq!(all.weight.as_deref(), Some("75%"));
        assert_eq!(all.maxconn.as_deref(), Some("30"));
        assert_eq!(all.wish, Some(Wish::Drain));
        assert_eq!(all.is_up(), Some(false));
        assert_eq!(all.description, "not  well");
        assert_eq!(said("up down\n").is_up(), Some(false));
        assert_eq!(Said::read(b"up"), None);
    }

    #[test]
    fn verdicts_are_worded_as_haproxy_words_them() {
        let verdict = |line: &str, warning| said(line).verdict(warning);
        let cases = [
            ("up\n", None, CheckStatus::L7Ok, "via agent : up"),
            ("foo up\n", None, CheckStatus::L7Ok, "via agent : up (foo)"),
            ("Down #x\n", Some("w"), CheckStatus::L7Status, "via agent : Down (x)"),
            ("fail\n", Some("w"), CheckStatus::L7Status, "via agent : fail (w)"),
            ("foo bar\n", None, CheckStatus::Checked, "agent reports an error : foo"),
            ("3x%\n", Some("w"), CheckStatus::Checked, "agent warns : w"),
            ("ready\n", None, CheckStatus::Checked, ""),
        ];
        for (line, warning, status, text) in cases {
            let found = verdict(line, warning);
            assert_eq!((found.status, found.info.as_str()), (status, text), "{line}");
        }
    }

    #[test]
    fn an_agent_that_is_not_there_changes_nothing() {
        assert!(!counts(&Verdict::new(CheckStatus::L4Con, "")));
        assert!(!counts(&Verdict::new(CheckStatus::L7Timeout, "")));
        assert!(counts(&Verdict::new(CheckStatus::L7Status, "")));
        assert!(counts(&Verdict::new(CheckStatus::Checked, "")));
    }
}
