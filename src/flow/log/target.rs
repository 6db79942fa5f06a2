//! `log ADDRESS …`: where lines go and which (manual 4.2 "log", 3.1 "log"). In come the words of the
//! line, out comes a target as written.

use crate::config::address::{AddressSpec, HostSpec, PortsSpec};
use crate::config::args::{Line, Words, parse_lenient};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::outside::Outside;

/// Facilities in the order of their codes (RFC 5424 6.2.1).
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2",
    "ftp", "ntp", "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

/// Levels in the order of their codes.
const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// The code of a level's name.
pub fn level(name: &str) -> Option<u8> {
    LEVELS.iter().position(|l| *l == name).map(|i| i as u8)
}

/// What stands before a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// As RFC 3164, without the host: the default.
    Local,
    /// RFC 3164.
    Rfc3164,
    /// RFC 5424.
    Rfc5424,
    /// The priority alone.
    Priority,
    /// The level alone.
    Short,
    /// The level and an ISO date.
    Timed,
    /// An ISO date.
    Iso,
    /// Nothing.
    Raw,
}

impl Header {
    /// The header of this name.
    pub fn of_name(name: &str) -> Option<Header> {
        Some(match name {
            // Since 2.3.3.
            "local" => Header::Local,
            "rfc3164" => Header::Rfc3164,
            "rfc5424" => Header::Rfc5424,
            "priority" => Header::Priority,
            "short" => Header::Short,
            "timed" => Header::Timed,
            "iso" => Header::Iso,
            "raw" => Header::Raw,
            _ => return None,
        })
    }
}

/// `sample 1,3-4:5`: of each `size` lines those whose number, from 1, is in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleSpec {
    /// First and last number of each range.
    pub ranges: Vec<(u32, u32)>,
    /// After how many lines the count begins anew.
    pub size: u32,
}

/// A `log` line as written.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetSpec {
    /// Where lines go.
    pub address: TargetAddress,
    /// Bytes of a line, header included.
    pub length: usize,
    /// What stands before a message; `None` for the default.
    pub header: Option<Header>,
    /// Which lines are taken, all if `None`.
    pub sample: Option<SampleSpec>,
    /// The facility's code.
    pub facility: u8,
    /// Lines less urgent than this are left out.
    pub level: u8,
    /// Lines more urgent than this are sent with this level.
    pub least: u8,
    /// Its place in `global`, for one that `log global` copied.
    pub global: Option<usize>,
    /// Where it stands.
    pub place: Place,
}

impl TargetSpec {
    /// Whether its host has an address, where nothing else looks it up.
    ///
    /// # Errors
    /// HAProxy's words for a host without one.
    pub fn check_host(&self, outside: &mut dyn Outside) -> Result<(), String> {
        let TargetAddress::Address(AddressSpec::Inet { host, .. }) = &self.address else {
            return Ok(());
        };
        match host {
            HostSpec::Name(name, _) if host.first_address(outside).is_none() => {
                Err(format!("log : invalid address: '{name}' in '{name}'"))
            }
            _ => Ok(()),
        }
    }
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetAddress {
    /// A socket or an inherited descriptor.
    Address(AddressSpec),
    /// The ring of this name.
    Ring(String),
}

/// The default of `len`, in bytes.
const LENGTH: usize = 1024;

/// Reads what follows `log`. `in_global` words one message.
pub fn parse(line: &mut Line<'_>, in_global: bool) -> Result<TargetSpec, Diagnostic> {
    let (environment, outside) = (&line.spec.environment, &mut *line.outside);
    read(&mut line.words, in_global, &mut |text| environment.expand(text, outside))
}

/// The same of words alone; `expand` puts variables in their places.
fn read(
    words: &mut Words<'_>,
    in_global: bool,
    expand: &mut dyn FnMut(&str) -> String,
) -> Result<TargetSpec, Diagnostic> {
    let or_global = if in_global { "" } else { "or global" };
    let missing = format!("log : expects <address> and <facility> {or_global} as arguments");
    let (Some(address), Some(_)) = (words.word(), words.peek()) else {
        return Err(words.alert(missing));
    };
    let place = words.last_place();
    let mut target = TargetSpec {
        address: TargetAddress::Ring(String::new()),
        length: LENGTH,
        header: None,
        sample: None,
        facility: 0,
        level: 7,
        least: 0,
        global: None,
        place,
    };
    read_options(words, &mut target)?;
    read_levels(words, &mut target)?;
    if let Some(extra) = words.word() {
        return Err(words.alert(format!("log : cannot handle unexpected argument '{extra}'")));
    }
    let text = expand(&address.str());
    target.address = read_address(&text).map_err(|e| words.alert(format!("log : {e}")))?;
    Ok(target)
}

/// `len`, `format` and `sample`, which must stand in this order.
fn read_options(words: &mut Words<'_>, target: &mut TargetSpec) -> Result<(), Diagnostic> {
    let argument = |words: &mut Words<'_>| words.word().map(|w| w.str().into_owned());
    if words.accept("len") {
        let text = argument(words).unwrap_or_default();
        let length = parse_lenient(text.as_bytes());
        target.length = usize::try_from(length)
            .ok()
            .filter(|l| (80..=65_535).contains(l))
            .ok_or_else(|| {
                words.alert(format!(
                    "log : invalid log length '{text}', must be between 80 and 65535"
                ))
            })?;
    }
    if words.accept("format") {
        let text = argument(words).unwrap_or_default();
        let unknown = || words.alert(format!("log : unknown log format '{text}'"));
        target.header = Some(Header::of_name(&text).ok_or_else(unknown)?);
    }
    if words.accept("sample") {
        let text = argument(words).unwrap_or_default();
        let sample = read_sample(&text).map_err(|e| words.alert(format!("log : {e}")))?;
        target.sample = Some(sample);
    }
    Ok(())
}

fn read_levels(words: &mut Words<'_>, target: &mut TargetSpec) -> Result<(), Diagnostic> {
    let name = words.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let code = FACILITIES.iter().position(|f| *f == name);
    let unknown = || words.alert(format!("log : unknown log facility '{name}'"));
    target.facility = code.ok_or_else(unknown)? as u8;
    if let Some(word) = words.word() {
        let unknown = || words.alert(format!("log : unknown optional log level '{word}'"));
        target.level = level(&word.str()).ok_or_else(unknown)?;
    }
    if let Some(word) = words.word() {
        let unknown = || words.alert(format!("log : unknown optional minimum log level '{word}'"));
        target.least = level(&word.str()).ok_or_else(unknown)?;
    }
    Ok(())
}

fn read_address(text: &str) -> Result<TargetAddress, String> {
    let text = match text {
        "stdout" => "fd@1",
        "stderr" => "fd@2",
        other => other,
    };
    if let Some(ring) = text.strip_prefix("ring@") {
        return Ok(TargetAddress::Ring(ring.to_owned()));
    }
    let address = AddressSpec::parse(text)?;
    if let AddressSpec::Inet { ports, .. } = &address {
        match ports {
            PortsSpec::Range(low, high) if low != high => {
                return Err(format!("port range not permitted here in '{text}'"));
            }
            PortsSpec::Offset(_) => {
                return Err(format!("port offset not permitted here in '{text}'"));
            }
            _ => {}
        }
    }
    Ok(TargetAddress::Address(address))
}

fn whole_number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|n| *n > 0 && text.bytes().all(|b| b.is_ascii_digit()))
}

fn read_sample(text: &str) -> Result<SampleSpec, String> {
    let (ranges, size) = text.split_once(':').ok_or("Missing sample size")?;
    let mut list: Vec<(u32, u32)> = Vec::new();
    let mut rest = ranges;
    while !rest.is_empty() {
        let (one, after) = rest.split_once(',').unwrap_or((rest, ""));
        let (low, high) = one.split_once('-').unwrap_or((one, one));
        let wrong = || format!("wrong sample range '{rest}'");
        let (low, high) = whole_number(low).zip(whole_number(high)).ok_or_else(wrong)?;
        if high < low || (high == low && one.contains('-')) {
            return Err(wrong());
        }
        let inside = |n: u32| list.iter().any(|(l, h)| (*l..=*h).contains(&n));
        if inside(low) || inside(high) {
            return Err("ranges are overlapping".to_owned());
        }
        list.push((low, high));
        rest = after;
    }
    let highest = list.iter().map(|(_, high)| *high).max().ok_or("no sampling ranges given")?;
    let number = whole_number(size)
        .ok_or_else(|| format!("wrong sample size '{size}' for sample range '{ranges}'"))?;
    if number < highest {
        return Err(format!(
            "sample size {number} should be greater or equal to {highest} the maximum of the high ranges limits"
        ));
    }
    Ok(SampleSpec { ranges: list, size: number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::words::Word;

    fn read_text(text: &str) -> Result<TargetSpec, String> {
        let words: Vec<Word> = text.split_whitespace().map(Word::new).collect();
        let place = Place { file: "f".into(), line: 1, column: 0 };
        let mut words = Words { all: &words, next: 0, place: &place };
        read(&mut words, false, &mut str::to_owned).map_err(|d| d.text)
    }

    #[test]
    fn every_part_of_a_line() {
        let target =
            read_text("127.0.0.1:514 len 2000 format raw sample 2-3,5:10 local0 notice err");
        let target = target.unwrap();
        assert_eq!((target.length, target.header), (2000, Some(Header::Raw)));
        let sample = SampleSpec { ranges: vec![(2, 3), (5, 5)], size: 10 };
        assert_eq!(target.sample, Some(sample));
        assert_eq!((target.facility, target.level, target.least), (16, 5, 3));
        let target = read_text("stdout local7").unwrap();
        assert_eq!(target.address, TargetAddress::Address(AddressSpec::Inherited(1)));
        assert_eq!((target.facility, target.level, target.least), (23, 7, 0));
    }

    #[test]
    fn mistakes_are_worded_as_haproxy_words_them() {
        let cases = [
            ("x len 10 local0", "invalid log length '10', must be between 80 and 65535"),
            ("x format foo local0", "unknown log format 'foo'"),
            ("x nofac", "unknown log facility 'nofac'"),
            ("x local0 foo", "unknown optional log level 'foo'"),
            ("x local0 info foo", "unknown optional minimum log level 'foo'"),
            ("x local0 info info foo", "cannot handle unexpected argument 'foo'"),
            ("x sample 1:0 local0", "wrong sample size '0' for sample range '1'"),
            ("x sample 3-2:5 local0", "wrong sample range '3-2'"),
            ("x sample 1,1:5 local0", "ranges are overlapping"),
            (
                "x sample 7:5 local0",
                "sample size 5 should be greater or equal to 7 the maximum of the high ranges limits",
            ),
            ("x sample 7 local0", "Missing sample size"),
            ("x", "expects <address> and <facility> or global as arguments"),
            ("fd@x local0", "file descriptor 'x' is not a valid integer in 'fd@x'"),
            ("127.0.0.1:1-2 local0", "port range not permitted here in '127.0.0.1:1-2'"),
        ];
        for (text, error) in cases {
            assert_eq!(
                read_text(text).unwrap_err(),
                format!("parsing [f:1] : log : {error}"),
                "{text}"
            );
        }
    }
}
