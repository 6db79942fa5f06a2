//! What differs between two runs of the same thing, replaced by names: dates, ports, process ids,
//! timers.

use anyhow::Result;
use regex::Regex;

use crate::harness::Proxy;

/// The replacements for one run.
#[derive(Debug, Default)]
pub struct Mask {
    /// Literal texts and what stands for them, longest first.
    names: Vec<(String, String)>,
    /// The numbers of the ports that have names.
    ports: Vec<String>,
}

/// Patterns and their replacements, in order.
const PATTERNS: &[(&str, &str)] = &[
    // A log's accept date, and the header's date.
    (r"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8}(\.[0-9]{3})?\]", "[DATE]"),
    (r"(^|>)[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} ", "${1}DATE "),
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+([+-][0-9:]{5}|Z)", "DATE"),
    (r"haproxy\[[0-9]+\]", "haproxy[PID]"),
    // 2.3.0 to 2.3.2 alone send the host's name unasked.
    (r"DATE [^ ]+ haproxy\[PID\]", "DATE haproxy[PID]"),
    (r" haproxy [0-9]+ - ", " haproxy PID - "),
    // A message of the start.
    (r"\] [0-9]{3}/[0-9]{6} \([0-9]+\) :", "] DATE (PID) :"),
    (r"127\.0\.0\.1:[0-9]+", "127.0.0.1:PORT"),
    (r"\[([A-Z]+)\] *\([0-9]+\) :", "[$1] (PID) :"),
    // What each binary says about itself.
    (r"haproxy version is .*", "haproxy version is VERSION"),
    (r"path to executable is .*", "path to executable is PATH"),
    // How long a cache has held a response.
    (r"\nage: [0-9]+\r", "\nage: N\r"),
    // A duration of a check.
    (r"check duration: [0-9]+ms", "check duration: Tms"),
];

/// The timers of an HTTP or TCP log line: what stands after the names of backend and server.
const TIMERS: &str = r" (-?[0-9]+(?:/\+?-?[0-9]+){4}|-?[0-9]+/-?[0-9]+/\+?-?[0-9]+) ";

impl Mask {
    /// The replacements for a proxy's addresses and folder.
    pub fn of(proxy: &Proxy) -> Mask {
        let (ports, mut names): (Vec<_>, Vec<_>) =
            proxy.names().into_iter().partition(|(name, _)| name.ends_with(".port"));
        names.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let names = names.into_iter().map(|(name, value)| (value, format!("{{{name}}}"))).collect();
        Mask { names, ports: ports.into_iter().map(|(_, value)| value).collect() }
    }

    /// The text with everything that varies replaced.
    pub fn apply(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for (value, name) in &self.names {
            masked = masked.replace(value, name);
        }
        for (pattern, replacement) in PATTERNS {
            masked = replace(pattern, &masked, replacement).unwrap_or(masked);
        }
        for port in &self.ports {
            masked =
                replace(&format!(r"(?-u:\b){port}(?-u:\b)"), &masked, "PORT").unwrap_or(masked);
        }
        numbers(&masked).and_then(|masked| timers(&masked)).unwrap_or(masked)
    }
}

fn replace(pattern: &str, text: &str, replacement: &str) -> Result<String> {
    Ok(Regex::new(pattern)?.replace_all(text, replacement).into_owned())
}

/// Masks the numbers between two tildes, which a scenario puts around what varies.
fn numbers(text: &str) -> Result<String> {
    let marked = Regex::new("~[^~]+~")?;
    let number = Regex::new("[0-9]+")?;
    let mask = |found: &regex::Captures<'_>| number.replace_all(&found[0], "N").into_owned();
    Ok(marked.replace_all(text, mask).into_owned())
}

/// Masks the timers that are times (`-1` says that a phase was not reached, which counts). Of
/// several slashed groups in a line, the first are the timers.
fn timers(text: &str) -> Result<String> {
    let group = Regex::new(TIMERS)?;
    let number = Regex::new(r"(^|[/+ ])[0-9]+")?;
    let mask = |found: &regex::Captures<'_>| number.replace_all(&found[0], "${1}T").into_owned();
    Ok(group.replace(text, mask).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_masked_and_nothing_else() {
        let line = "<134>Nov  2 14:35:34 haproxy[77]: 127.0.0.1:4711 [22/Nov/2026:14:35:34.123] \
                    fe be/s1 0/0/-1/5/+17 200 130 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"";
        let masked = "<134>DATE haproxy[PID]: 127.0.0.1:PORT [DATE] fe be/s1 T/T/-1/T/+T 200 130 \
                      - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"";
        assert_eq!(Mask::default().apply(line), masked);
        assert_eq!(Mask::default().apply("a1 ~22/Nov/2026~ ~-1~"), "a1 ~N/Nov/N~ ~-N~");
        let alert = "[ALERT] 326/143534 (1234) : parsing [haproxy.cfg:3] : x";
        assert_eq!(
            Mask::default().apply(alert),
            "[ALERT] DATE (PID) : parsing [haproxy.cfg:3] : x"
        );
    }
}
