//! When a request is sent again (manual 4.2 "retry-on", "http-request disable-l7-retry"). In come the words,
//! out comes what a failed attempt is looked up in.

use crate::catalog::{ActionRow, Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, RuleSets, Verdict};
use crate::flow::session::Stream;

/// Reasons to try again, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryOn(u16);

impl Default for RetryOn {
    fn default() -> RetryOn {
        RetryOn::CONNECTION
    }
}

/// Statuses that may be a reason, in the order of their bits.
const STATUSES: [u16; 8] = [404, 408, 425, 500, 501, 502, 503, 504];

impl RetryOn {
    /// `conn-failure`
    pub const CONNECTION: RetryOn = RetryOn(1);
    /// `empty-response`: the server closes without an answer.
    pub const EMPTY: RetryOn = RetryOn(1 << 1);
    /// `response-timeout`
    pub const TIMEOUT: RetryOn = RetryOn(1 << 2);
    /// `junk-response`: the answer cannot be parsed.
    pub const JUNK: RetryOn = RetryOn(1 << 3);
    /// `0rtt-rejected`
    pub const EARLY_DATA: RetryOn = RetryOn(1 << 4);
    const ALL: RetryOn = RetryOn(
        0b1_1111 | Self::status(500) | Self::status(502) | Self::status(503) | Self::status(504),
    );

    const fn status(status: u16) -> u16 {
        let mut bit = 0;
        while bit < STATUSES.len() {
            if STATUSES[bit] == status {
                return 1 << (bit + 5);
            }
            bit += 1;
        }
        0
    }

    fn of_word(word: &str) -> Option<RetryOn> {
        let set = match word {
            "none" => return Some(RetryOn(0)),
            "conn-failure" => RetryOn::CONNECTION,
            "empty-response" => RetryOn::EMPTY,
            "response-timeout" => RetryOn::TIMEOUT,
            "junk-response" => RetryOn::JUNK,
            "0rtt-rejected" => RetryOn::EARLY_DATA,
            "all-retryable-errors" => RetryOn::ALL,
            number => RetryOn(RetryOn::status(number.parse().ok()?)),
        };
        Some(set).filter(|set| set.0 != 0)
    }

    /// Whether this reason is one.
    pub const fn has(self, reason: RetryOn) -> bool {
        self.0 & reason.0 != 0
    }

    /// Whether a response of this status is one.
    pub const fn has_status(self, status: u16) -> bool {
        self.0 & RetryOn::status(status) != 0
    }

    /// Whether more than connecting may be tried again, so that requests must be kept.
    pub const fn beyond_connecting(self) -> bool {
        self.0 & !RetryOn::CONNECTION.0 != 0
    }
}

fn retry_on(line: &mut Line<'_>) -> Parsed {
    let mut set = RetryOn(0);
    let mut seen = 0;
    let mut none = false;
    while let Some(word) = line.word() {
        let word = word.str();
        let Some(reason) = RetryOn::of_word(&word) else {
            return Err(line.alert(format!("'retry-on': unknown keyword '{word}'")));
        };
        seen += 1;
        none |= word == "none";
        set.0 |= reason.0;
    }
    match (seen, none) {
        (0, _) => Err(line.alert("'retry-on' needs at least one keyword to specify when to retry")),
        (2.., true) => Err(line.alert("'retry-on' 'none' keyworld only usable alone")),
        _ => {
            line.proxy().http.retry_on = Some(set);
            Ok(())
        }
    }
}

/// `disable-l7-retry`
#[derive(Debug, Clone)]
struct Disable;

impl Action for Disable {
    fn run(&self, stream: &mut Stream<'_>, _: Phase) -> Verdict {
        stream.retries_disabled = true;
        Verdict::Continue
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "retry-on",
        sections: Sections::BACKENDS,
        args: "[<reason>...]",
        doc: "When a request is sent again: conn-failure, empty-response, junk-response, response-timeout, 0rtt-rejected, a status, all-retryable-errors, or none.",
        examples: &["retry-on conn-failure empty-response 503", "retry-on none"],
        status: Status::Works,
        parse: retry_on,
        ..Keyword::NEW
    }],
    actions: &[ActionRow {
        name: "disable-l7-retry",
        rule_sets: RuleSets::HTTP_REQUEST,
        args: "",
        doc: "Does not send this request again once it reached a server.",
        examples: &["disable-l7-retry"],
        status: Status::Works,
        parse: |_| Ok(Box::new(Disable)),
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_reasons() {
        let set = RetryOn::of_word("all-retryable-errors").unwrap();
        assert!(set.has(RetryOn::CONNECTION) && set.has(RetryOn::JUNK) && set.has_status(504));
        assert!(!set.has_status(404) && !set.has_status(501) && !set.has_status(200));
        assert!(RetryOn::of_word("501").unwrap().has_status(501));
        assert!(!RetryOn::of_word("501").unwrap().has_status(500));
        assert_eq!(RetryOn::of_word("505"), None);
        assert_eq!(RetryOn::of_word("never"), None);
        assert!(!RetryOn::of_word("none").unwrap().beyond_connecting());
        assert!(!RetryOn::default().beyond_connecting());
    }
}
