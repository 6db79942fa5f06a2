//! Rules that run before those that stand above them (manual 4.2: "tcp-request", "http-request",
//! "redirect", "use_backend" …). In: the directives of a proxy, one after the other. Out: HAProxy's warning.

use crate::config::diagnostic::{Diagnostic, Place};

/// Directives in the order in which their rules run, and what the warning calls each.
const ORDER: &[(&str, &str)] = &[
    ("tcp-request connection", "tcp-request"),
    ("tcp-request session", "tcp-request"),
    ("tcp-request content", "tcp-request"),
    ("monitor fail", "monitor fail"),
    ("http-request", "http-request"),
    ("redirect", "redirect"),
    ("use_backend", "use_backend"),
    ("use-server", "use-server"),
];

/// Which of them a proxy has so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen(u8);

impl Seen {
    /// Takes note of a directive; a warning when one that runs later stands above it.
    pub fn note(&mut self, directive: &str, place: &Place) -> Option<Diagnostic> {
        let rank = ORDER.iter().position(|(name, _)| *name == directive)?;
        self.0 |= 1 << rank;
        if rank + 2 >= ORDER.len() {
            // HAProxy says nothing of what chooses backends and servers.
            return None;
        }
        let (_, said) = ORDER.get(rank)?;
        let later = (rank + 1..ORDER.len()).find(|later| self.0 & (1 << later) != 0)?;
        let (later, _) = ORDER.get(later)?;
        let article = if *later == "http-request" { "an" } else { "a" };
        Some(Diagnostic::warning(
            Some(place),
            format!(
                "parsing [{place}] : a '{said}' rule placed after {article} '{later}' rule will still be processed before."
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_later_rule_is_named() {
        let place = Place { file: "a.cfg".into(), line: 7, column: 0 };
        let mut seen = Seen::default();
        let mut told = |directive: &str| seen.note(directive, &place).map(|d| d.text);
        assert_eq!(told("use_backend"), None);
        assert_eq!(
            told("redirect").as_deref(),
            Some(
                "parsing [a.cfg:7] : a 'redirect' rule placed after a 'use_backend' rule will still be processed before."
            )
        );
        assert_eq!(
            told("http-request").as_deref(),
            Some(
                "parsing [a.cfg:7] : a 'http-request' rule placed after a 'redirect' rule will still be processed before."
            )
        );
        assert_eq!(
            told("tcp-request content").as_deref(),
            Some(
                "parsing [a.cfg:7] : a 'tcp-request' rule placed after an 'http-request' rule will still be processed before."
            )
        );
        assert_eq!(told("use-server"), None);
        assert_eq!(told("bind"), None);
    }
}
