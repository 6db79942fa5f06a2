//! Which server a request goes to: `balance` (manual 4.2). One file an algorithm; each decides without
//! sockets from the servers' weights, and makes the choices that HAProxy 2.3 makes.

pub mod first;
pub mod hash;
pub mod hdr;
pub mod leastconn;
mod map;
pub mod random;
pub mod rdp_cookie;
mod ring;
pub mod roundrobin;
pub mod source;
pub mod static_rr;
pub mod uri;
pub mod url_param;

use std::fmt;

use crate::catalog::{self, Keyword, Part, Status};
use crate::config::args::{Line, Parsed, Words};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;
use crate::config::words::Word;
use crate::flow::session::Stream;
use crate::state::server_status;
use crate::state::world::Server;

/// A balance algorithm.
#[derive(Debug, Clone, Copy)]
pub struct Algorithm {
    /// The word after `balance`; `(*)` at the end says that it takes an argument in brackets.
    pub name: &'static str,
    /// Its arguments, as a usage line.
    pub args: &'static str,
    /// For the manual page.
    pub doc: &'static str,
    /// Whole arguments of `balance` that are valid.
    pub examples: &'static [&'static str],
    /// How far its effect goes.
    pub status: Status,
    /// Checks the arguments; the name is the word read last.
    pub parse: fn(&mut Words<'_>) -> Result<(), Diagnostic>,
    /// Makes the balancer of one backend.
    pub build: fn(&BalanceSpec, &[Server]) -> Box<dyn Balancer>,
}

/// Chooses servers of one backend.
pub trait Balancer: fmt::Debug + Send + Sync {
    /// Index of the chosen server, `None` when none is usable or all that would do are saturated.
    /// `avoid` is the server that has just failed: it is chosen only when there is no other.
    fn pick(&self, servers: &[Server], stream: &Stream<'_>, avoid: Option<usize>) -> Option<usize>;

    /// A server was given a session, which its counters show already.
    fn entered(&self, _servers: &[Server], _server: usize) {}

    /// A server's session is over, which its counters show already.
    fn left(&self, _servers: &[Server], _server: usize) {}
}

/// The servers that may be chosen now: the usable ones, or, when there are none, the usable backup
/// servers (only the first without `option allbackups`).
pub fn candidates(servers: &[Server], all_backups: bool) -> impl Iterator<Item = &Server> {
    let active = servers.iter().any(|s| !s.backup && s.status.is_usable());
    let limit = if active || all_backups { usize::MAX } else { 1 };
    servers.iter().filter(move |s| s.backup != active && s.status.is_usable()).take(limit)
}

/// Parts that one unit of weight is divided into, so that `slowstart` can raise weights slowly.
pub const SCALE: u32 = 16;

/// What an algorithm remembers of its servers: their weights in parts of `SCALE`, 0 for those that
/// may not be chosen, as of the last change anywhere.
#[derive(Debug, Default)]
struct Seen {
    changes: Option<u64>,
    weights: Vec<u32>,
}

impl Seen {
    /// Gives the weights from before and those of now if something has changed since the last call.
    fn refresh(&mut self, servers: &[Server]) -> Option<Vec<u32>> {
        if !self.is_stale() {
            return None;
        }
        // Read before the weights: a change in between makes this stale at once.
        self.changes = Some(server_status::changes());
        let weight = |s: &Server| if s.status.is_usable() { s.weight_in_parts(SCALE) } else { 0 };
        let weights: Vec<u32> = servers.iter().map(weight).collect();
        Some(std::mem::replace(&mut self.weights, weights))
    }

    /// Whether something has changed since the last refresh.
    fn is_stale(&self) -> bool {
        self.changes != Some(server_status::changes())
    }

    /// Which servers are in the game.
    fn group(&self, servers: &[Server], all_backups: bool) -> Group {
        let usable = || servers.iter().zip(&self.weights).filter(|(_, weight)| **weight > 0);
        if usable().any(|(server, _)| !server.backup) {
            return Group::Active;
        }
        match usable().next() {
            None => Group::None,
            Some((first, _)) if !all_backups => Group::One(first.index),
            Some(_) => Group::Backups,
        }
    }
}

/// Which servers are in the game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    /// Nobody.
    None,
    /// Those without `backup`.
    Active,
    /// The first usable backup server.
    One(usize),
    /// All backup servers.
    Backups,
}

/// `option allbackups` of the stream's backend.
fn all_backups(stream: &Stream<'_>) -> bool {
    stream.backend().is_some_and(|b| b.options.all_backups)
}

/// Whether a server has a free slot and nobody waits for it.
fn has_slot(server: &Server) -> bool {
    let limit = server.limit();
    let counters = &server.status.counters;
    limit == 0 || (counters.queued.get() == 0 && counters.sessions.get() < limit)
}

/// `balance`, `hash-type`, `hash-balance-factor` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BalanceSpec {
    /// The words after `balance`; roundrobin when there are none.
    pub words: Vec<Word>,
    /// `hash-type`
    pub hash_type: hash::HashType,
    /// `hash-balance-factor`, in percent; 0 for none.
    pub hash_balance_factor: u32,
}

impl BalanceSpec {
    /// The algorithm that was chosen.
    pub fn algorithm(&self) -> &'static Algorithm {
        let name = self.words.first().map(|w| w.str().into_owned()).unwrap_or_default();
        find(&name).unwrap_or(&roundrobin::ALGORITHM)
    }

    /// The text in brackets after the name: `Host` of `hdr(Host)`.
    fn bracket(&self) -> Option<String> {
        let word = self.words.first()?.str().into_owned();
        let (_, rest) = word.split_once('(')?;
        Some(rest.trim_end_matches(')').to_owned())
    }

    /// Whether this word stands after the name.
    fn says(&self, word: &str) -> bool {
        self.words.iter().skip(1).any(|w| *w == *word)
    }

    /// The number after this word.
    fn number(&self, word: &str) -> Option<usize> {
        let at = self.words.iter().skip(1).position(|w| *w == *word)?;
        self.words.get(at + 2)?.str().parse().ok()
    }
}

/// The algorithm a word names: `hdr(host)` is `hdr(*)`, `random(3)` is `random`.
fn find(word: &str) -> Option<&'static Algorithm> {
    let Some((name, _)) = word.split_once('(') else { return catalog::algorithm(word) };
    catalog::algorithm(&format!("{name}(*)")).or_else(|| catalog::algorithm(name))
}

fn balance(line: &mut Line<'_>) -> Parsed {
    let start = line.words.next;
    let word = line.word().map(|w| w.str().into_owned());
    let row = word.as_deref().map_or(Some(&roundrobin::ALGORITHM), find);
    let Some(row) = row else {
        return Err(line.alert("balance only supports 'roundrobin', 'static-rr', 'leastconn', 'source', 'uri', 'url_param', 'hdr(name)' and 'rdp-cookie(name)' options."));
    };
    if row.status == Status::Planned {
        let place = line.words.place.clone();
        line.spec.note_planned(&format!("balance {}", row.name), &place);
    }
    (row.parse)(&mut line.words)?;
    line.rest();
    let words = line.words.all.get(start..).unwrap_or_default().to_vec();
    line.proxy().balance.words = words;
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "balance",
        sections: Sections::BACKENDS,
        args: "<algorithm> [<arguments>]",
        default: "roundrobin",
        doc: "How a server is chosen for each request or connection. The algorithms have a section of their own below.",
        examples: &["balance roundrobin", "balance uri depth 2"],
        status: Status::Works,
        parse: balance,
        ..Keyword::NEW
    }],
    ..Part::NONE
};
