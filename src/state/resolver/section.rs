//! The `resolvers` section (manual 5.3): where name servers are, how they are asked, and how long what
//! they say holds. In: its lines. Out: what was written, and each name server's counters.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Resolvers;
use super::message::Fault;
use super::resolution::Kind;
use crate::catalog::{Keyword, Part, Status};
use crate::config::address::{Accepts, AddressSpec, HostSpec};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::diagnostic::{Diagnostic, Level, Place};
use crate::config::section::Sections;
use crate::config::spec::Spec;
use crate::state::counters::Counter;
use crate::state::world::World;

/// A `resolvers` section as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResolversSpec {
    /// Its name.
    pub name: String,
    /// How long, how often, how much.
    pub settings: Settings,
    /// `nameserver`, `parse-resolv-conf`
    pub nameservers: Vec<NameserverSpec>,
}

/// A name server as written.
#[derive(Debug, Clone, PartialEq)]
pub struct NameserverSpec {
    /// Its name; its address when it was found in /etc/resolv.conf.
    pub name: String,
    /// Where it is asked, over UDP.
    pub address: SocketAddr,
    /// Where it is declared.
    pub place: Place,
}

/// How name servers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `hold`
    pub hold: Hold,
    /// `timeout resolve`: between two resolutions of a name.
    pub resolve: Duration,
    /// `timeout retry`: between two queries that are not answered.
    pub retry: Duration,
    /// `resolve_retries`: how many queries are sent.
    pub retries: i32,
    /// `accepted_payload_size`: the longest answer, in bytes.
    pub payload: u16,
}

/// How long something holds that a later answer does not confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// A good answer serves other rules.
    pub valid: Duration,
    /// A record that is missing from answers, in whole seconds.
    pub obsolete: Duration,
    /// The last good answer, while the name does not exist any more.
    pub nx: Duration,
    /// The same while name servers refuse.
    pub refused: Duration,
    /// The same while nobody answers.
    pub timeout: Duration,
    /// The same for any other error.
    pub other: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        let long = Duration::from_secs(30);
        Settings {
            hold: Hold {
                valid: Duration::from_secs(10),
                obsolete: Duration::ZERO,
                nx: long,
                refused: long,
                timeout: long,
                other: long,
            },
            resolve: Duration::from_secs(1),
            retry: Duration::from_secs(1),
            retries: 3,
            payload: 512,
        }
    }
}

/// A DNS header's and the shortest record's length, in bytes.
const HEADER: usize = 12;
const SHORTEST_RECORD: usize = 6;

impl Settings {
    /// How long a resolution takes at most: every query is sent, of either family, and not answered.
    pub fn longest(&self) -> Duration {
        let tries = u32::try_from(self.retries).unwrap_or(0).saturating_add(1);
        self.retry.saturating_mul(tries.saturating_mul(2)) + self.resolve
    }

    /// How many records an answer may announce: as many as could fit.
    pub fn most_records(&self) -> usize {
        usize::from(self.payload).saturating_sub(HEADER) / SHORTEST_RECORD
    }
}

/// A name server that is asked.
#[derive(Debug)]
pub struct Nameserver {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// What it has answered.
    pub counters: NameserverCounters,
}

/// Numbers of a name server, as `show resolvers` names them. HAProxy 2.3 has `cname` and `timeout` too,
/// which it never counts.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct NameserverCounters {
    pub sent: Counter,
    pub snd_error: Counter,
    pub valid: Counter,
    pub update: Counter,
    pub cname_error: Counter,
    pub any_err: Counter,
    pub nx: Counter,
    pub refused: Counter,
    pub other: Counter,
    pub invalid: Counter,
    pub too_big: Counter,
    pub truncated: Counter,
    pub outdated: Counter,
}

impl Nameserver {
    /// One that has not been asked yet.
    pub fn new(spec: &NameserverSpec) -> Nameserver {
        let (name, address) = (spec.name.clone(), spec.address);
        Nameserver { name, address, counters: NameserverCounters::default() }
    }
}

impl NameserverCounters {
    /// Counts a message.
    pub fn count(&self, kind: Kind) {
        let counter = match kind {
            Kind::Valid => &self.valid,
            Kind::TooBig => &self.too_big,
            Kind::Outdated => &self.outdated,
            Kind::Fault(Fault::Invalid) => &self.invalid,
            Kind::Fault(Fault::Nx) => &self.nx,
            Kind::Fault(Fault::Refused) => &self.refused,
            Kind::Fault(Fault::Empty) => &self.any_err,
            Kind::Fault(Fault::Cname) => &self.cname_error,
            Kind::Fault(Fault::Truncated) => &self.truncated,
            Kind::Fault(Fault::Foreign | Fault::Other) => &self.other,
        };
        counter.inc();
    }
}

/// The sections of a configuration; one whose lines say what they said before goes on as it is.
pub fn compile_all(spec: &Spec, previous: Option<&World>) -> Vec<Arc<Resolvers>> {
    let sections = spec.sections.iter().filter(|s| s.section == Sections::RESOLVERS);
    let compile = |section: &crate::config::spec::NamedSection| {
        let spec = ResolversSpec { name: section.name.clone(), ..section.resolvers.clone() };
        let mut before = previous.map_or(&[][..], |w| &w.resolvers).iter();
        let same = before.find(|r| r.spec.says_the_same(&spec)).cloned();
        same.unwrap_or_else(|| Arc::new(Resolvers::new(spec)))
    };
    sections.map(compile).collect()
}

impl ResolversSpec {
    /// Whether both are the same, wherever they stand.
    fn says_the_same(&self, other: &ResolversSpec) -> bool {
        let servers = |spec: &ResolversSpec| -> Vec<(String, SocketAddr)> {
            spec.nameservers.iter().map(|n| (n.name.clone(), n.address)).collect()
        };
        self.name == other.name
            && self.settings == other.settings
            && servers(self) == servers(other)
    }
}

/// What the section says so far.
fn section<'l>(line: &'l mut Line<'_>) -> Option<&'l mut ResolversSpec> {
    line.named_section().map(|section| &mut section.resolvers)
}

fn settings(line: &mut Line<'_>, set: impl FnOnce(&mut Settings)) -> Parsed {
    if let Some(section) = section(line) {
        set(&mut section.settings);
    }
    Ok(())
}

fn timeout(line: &mut Line<'_>, set: fn(&mut Settings) -> &mut Duration) -> Parsed {
    let name = line.keyword.name;
    let word = line.required(&format!("'{name}' expects <time> as argument."))?;
    let value = parse_time(word.bytes(), TimeUnit::Milliseconds).map_err(|e| match e {
        NumberError::Unexpected(c) => {
            line.bare(format!("unexpected character '{c}' in argument to <{name}>."))
        }
        NumberError::Overflow => line.bare(format!(
            "timer overflow in argument <{word}> to <{name}>, maximum value is 2147483647 ms (~24.8 days)."
        )),
    })?;
    settings(line, |settings| *set(settings) = value)
}

fn hold(line: &mut Line<'_>) -> Parsed {
    let (Some(event), Some(word)) = (line.word(), line.word()) else {
        return Err(line.alert("'hold' expects an <event> and a <time> as arguments."));
    };
    let value = parse_time(word.bytes(), TimeUnit::Milliseconds).map_err(|e| match e {
        NumberError::Unexpected(c) => {
            line.bare(format!("unexpected character '{c}' in argument to <hold>."))
        }
        NumberError::Overflow => line.bare(format!(
            "timer overflow in argument <{event}> to <hold>, maximum value is 2147483647 ms (~24.8 days)."
        )),
    })?;
    let Some(section) = section(line) else { return Ok(()) };
    let hold = &mut section.settings.hold;
    let period = match &*event.str() {
        "nx" => &mut hold.nx,
        "other" => &mut hold.other,
        "refused" => &mut hold.refused,
        "timeout" => &mut hold.timeout,
        "valid" => &mut hold.valid,
        "obsolete" => &mut hold.obsolete,
        other => {
            let text = format!(
                "'hold' unknown <event>: '{other}', expects either 'nx', 'timeout', 'valid', 'obsolete' or 'other'."
            );
            return Err(line.alert(text));
        }
    };
    *period = value;
    Ok(())
}

fn nameserver(line: &mut Line<'_>) -> Parsed {
    let (Some(name), Some(word)) = (line.word(), line.word()) else {
        return Err(line.alert("'nameserver' expects <name> and <addr>[:<port>] as arguments."));
    };
    if let Some(bad) = crate::config::section::invalid_char(name) {
        return Err(
            line.alert(format!("character '{bad}' is not permitted in server name '{name}'."))
        );
    }
    let name = name.str().into_owned();
    let place = line.words.place.clone();
    let before = section(line).and_then(|s| s.nameservers.iter().find(|n| n.name == name));
    if let Some(other) = before {
        let text = format!(
            "Parsing [{place}]: nameserver '{name}' has same name as another nameserver (declared at {}).",
            other.place
        );
        return Err(Diagnostic::alert(Some(&place), text));
    }
    let accepts = Accepts { datagram: true, ..Accepts::PLACE };
    let address = AddressSpec::accept(&line.expand(&word.str()), accepts, line.outside);
    let address = address.map_err(|e| line.alert(format!("'nameserver {name}' : {e}")))?;
    let Some(address) = address.socket() else {
        let text = format!("'nameserver {name}' : '{word}' is no internet address");
        return Err(line.alert(text));
    };
    if let Some(section) = section(line) {
        section.nameservers.push(NameserverSpec { name, address, place });
    }
    Ok(())
}

/// The system's own list of name servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The port of name servers.
const PORT: u16 = 53;

fn parse_resolv_conf(line: &mut Line<'_>) -> Parsed {
    line.rest();
    let Ok(content) = line.outside.read_file(Path::new(RESOLV_CONF)) else {
        return Err(line.alert("failed to open /etc/resolv.conf."));
    };
    for (index, text) in content.split(|b| *b == b'\n').enumerate() {
        let Some(rest) = text.strip_prefix(b"nameserver") else { continue };
        if rest.first().is_some_and(|b| !b.is_ascii_whitespace()) {
            continue;
        }
        let rest = String::from_utf8_lossy(rest);
        let number = index as u32 + 1;
        if let Err(text) = system_nameserver(line, rest.split_whitespace().next(), number) {
            let place = Some(line.words.place.clone());
            let warning =
                Diagnostic { level: Level::Warning, ..Diagnostic::alert(place.as_ref(), text) };
            line.diagnostics.push(warning.harmless());
        }
    }
    Ok(())
}

/// Adds one name server of /etc/resolv.conf, whose address is its name.
fn system_nameserver(line: &mut Line<'_>, word: Option<&str>, number: u32) -> Result<(), String> {
    let at = format!("arsing [{RESOLV_CONF}:{number}] :");
    let Some(name) = word else { return Err(format!("p{at} nameserver line is missing address.")) };
    let before = section(line).and_then(|s| s.nameservers.iter().find(|n| n.name == name));
    if let Some(other) = before {
        return Err(format!(
            "P{at} generated name for /etc/resolv.conf nameserver '{name}' conflicts with another nameserver (declared at {}), it appears to be a duplicate and will be excluded.",
            other.place
        ));
    }
    let literal: Option<IpAddr> = name.parse().ok();
    let ip =
        literal.or_else(|| HostSpec::Name(name.to_owned(), None).first_address(&mut *line.outside));
    let Some(ip) = ip else {
        return Err(format!(
            "p{at} address '{name}' could not be recognized, nameserver will be excluded."
        ));
    };
    let place = Place { file: RESOLV_CONF.into(), line: number, column: 0 };
    let address = SocketAddr::new(ip, PORT);
    if let Some(section) = section(line) {
        section.nameservers.push(NameserverSpec { name: name.to_owned(), address, place });
    }
    Ok(())
}

fn payload_size(line: &mut Line<'_>) -> Parsed {
    let word = line.required("'accepted_payload_size' expects <nb> as argument.")?;
    match u16::try_from(parse_lenient(word.bytes())) {
        Ok(size @ 12..=8192) => settings(line, |settings| settings.payload = size),
        _ => Err(line.alert(format!(
            "'accepted_payload_size' must be between 12 and 8192 inclusive (was {word})."
        ))),
    }
}

fn retries(line: &mut Line<'_>) -> Parsed {
    let word = line.required("'resolve_retries' expects <nb> as argument.")?;
    // C's `atoi`.
    let value = parse_lenient(word.bytes()) as i32;
    settings(line, |settings| settings.retries = value)
}

const RESOLVERS: Keyword =
    Keyword { sections: Sections::RESOLVERS, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "accepted_payload_size",
            args: "<nb>",
            default: "512",
            doc: "The largest answer over UDP that is taken and announced, in bytes, up to 8192.",
            examples: &["accepted_payload_size 4096"],
            parse: payload_size,
            ..RESOLVERS
        },
        Keyword {
            name: "hold",
            args: "<status> <period>",
            default: "10s for valid, 0s for obsolete, 30s for the others",
            doc: "How long an answer is kept that is `valid`, was so (`obsolete`), or says `nx`, `refused`, `timeout` or `other`.",
            examples: &["hold valid 10s"],
            parse: hold,
            ..RESOLVERS
        },
        Keyword {
            name: "nameserver",
            args: "<id> <address>:<port>",
            doc: "A name server, asked over UDP.",
            examples: &["nameserver ns1 127.0.0.1:53"],
            parse: nameserver,
            ..RESOLVERS
        },
        Keyword {
            name: "parse-resolv-conf",
            doc: "Takes the name servers of /etc/resolv.conf.",
            examples: &["parse-resolv-conf"],
            parse: parse_resolv_conf,
            ..RESOLVERS
        },
        Keyword {
            name: "resolve_retries",
            args: "<nb>",
            default: "3",
            doc: "How many queries are sent before a resolution has failed.",
            examples: &["resolve_retries 3"],
            parse: retries,
            ..RESOLVERS
        },
        Keyword {
            name: "timeout resolve",
            args: "<time>",
            default: "1s",
            doc: "The time between two resolutions of a name.",
            examples: &["timeout resolve 1s"],
            parse: |line| timeout(line, |s| &mut s.resolve),
            ..RESOLVERS
        },
        Keyword {
            name: "timeout retry",
            args: "<time>",
            default: "1s",
            doc: "The time between two queries when no answer comes.",
            examples: &["timeout retry 1s"],
            parse: |line| timeout(line, |s| &mut s.retry),
            ..RESOLVERS
        },
    ],
    ..Part::NONE
};
