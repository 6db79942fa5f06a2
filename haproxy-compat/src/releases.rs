//! What releases word otherwise everywhere, so that scenarios compare what else they say. In: what was seen of
//! one binary. Out: the same in the words of 2.3. What a release does otherwise in one place is said by
//! [`Scenario::later`](crate::scenario::Scenario::later).

use regex::Regex;

use crate::binaries::Reference;
use crate::scenario::Record;

/// One change of words.
#[derive(Debug)]
pub struct Change {
    /// What changed.
    pub what: &'static str,
    /// Whether releases after 2.3 do it; otherwise only 2.3.0 does.
    later: bool,
    /// Who sees it: `client`, `log` …
    who: &'static str,
    /// What is replaced.
    pattern: &'static str,
    /// By what.
    replacement: &'static str,
}

/// The changes, in the order in which they are taken back.
pub const CHANGES: &[Change] = &[
    Change {
        what: "error pages of later releases spell and order their headers in another way",
        later: true,
        who: "client",
        pattern: "Content-length: ([0-9]+)\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n",
        replacement: "content-length: $1\r\ncache-control: no-cache\r\ncontent-type: text/html\r\nconnection: close\r\n",
    },
    Change {
        what: "2.3.0 writes the machine's name into every log header, 2.3.21 and later releases only on demand",
        later: false,
        who: "log",
        pattern: "^(<[0-9]+>DATE) {host} ",
        replacement: "$1 ",
    },
];

/// Takes back what a reference words otherwise everywhere.
pub fn as_ours(reference: &Reference, record: &mut Record) {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    for change in CHANGES.iter().filter(|change| change.later != reference.is_2_3) {
        let pattern = change.pattern.replace("{host}", &regex::escape(host.trim()));
        let Ok(pattern) = Regex::new(&pattern) else { continue };
        for (_, text) in
            record.iter_mut().filter(|(who, _)| who.split(' ').next() == Some(change.who))
        {
            *text = pattern.replace_all(text, change.replacement).into_owned();
        }
    }
}

/// Takes away what ours says after HAProxy's first line of a message: the place, the usage, the chapter.
pub fn without_help(record: &mut Record) {
    const HELP: &[&str] = &["  |", "  usage: ", "  manual: ", "  did you mean "];
    for (_, text) in record.iter_mut().filter(|(who, _)| who == "stderr" || who == "start") {
        let is_help = |line: &&str| HELP.iter().any(|begin| line.starts_with(begin));
        let lines = text.split_inclusive('\n').filter(|line| !is_help(line));
        *text = lines.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_loses_its_help_and_nothing_else() {
        let text = "[ALERT] x\n  |  foo\n  | ^\n  manual: chapter 3\n   | While\n[ALERT] y\n";
        let mut record = vec![("stderr".to_owned(), text.to_owned())];
        without_help(&mut record);
        assert_eq!(record[0].1, "[ALERT] x\n   | While\n[ALERT] y\n");
    }

    #[test]
    fn error_pages_of_later_releases_are_those_of_2_3() {
        let page = "Content-length: 90\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n";
        let mut record = vec![("client".to_owned(), page.to_owned())];
        let reference = Reference { path: "x".into(), is_2_3: false, openssl: true };
        as_ours(&reference, &mut record);
        assert!(record[0].1.starts_with("content-length: 90\r\ncache-control"), "{record:?}");
    }
}
