//! Which server a request goes to: `balance` (manual 4.2). One file an algorithm.

pub mod planned;
pub mod roundrobin;

use std::fmt;

use crate::catalog::{self, Keyword, Part, Status};
use crate::config::args::{Line, Parsed, Words};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;
use crate::config::words::Word;
use crate::flow::session::Stream;
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
    /// Checks the arguments that follow the name.
    pub parse: fn(&mut Words<'_>) -> Result<(), Diagnostic>,
    /// Makes the balancer of one backend from the words after `balance`.
    pub build: fn(&[Word], &[Server]) -> Box<dyn Balancer>,
}

/// Chooses servers of one backend.
pub trait Balancer: fmt::Debug + Send + Sync {
    /// Index of the chosen server, `None` when none is usable. `avoid` is the server that has just
    /// failed: it is chosen only when there is no other.
    fn pick(&self, servers: &[Server], stream: &Stream<'_>, avoid: Option<usize>) -> Option<usize>;

    /// A server was given a session.
    fn entered(&self, _servers: &[Server], _server: usize) {}

    /// A server's session is over.
    fn left(&self, _servers: &[Server], _server: usize) {}
}

/// The servers that may be chosen now: the usable ones, or, when there are none, the usable backup
/// servers (only the first without `option allbackups`).
pub fn candidates(servers: &[Server], all_backups: bool) -> impl Iterator<Item = &Server> {
    let active = servers.iter().any(|s| !s.backup && s.status.is_usable());
    let limit = if active || all_backups { usize::MAX } else { 1 };
    servers.iter().filter(move |s| s.backup != active && s.status.is_usable()).take(limit)
}

/// `balance` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BalanceSpec {
    /// The words after `balance`; roundrobin when there are none.
    pub words: Vec<Word>,
}

impl BalanceSpec {
    /// The algorithm that was chosen.
    pub fn algorithm(&self) -> &'static Algorithm {
        let name = self.words.first().map(|w| key(&w.str())).unwrap_or_default();
        catalog::algorithm(&name).unwrap_or(&roundrobin::ALGORITHM)
    }
}

/// `hdr(host)` to `hdr(*)`.
fn key(word: &str) -> String {
    word.split_once('(').map_or_else(|| word.to_owned(), |(name, _)| format!("{name}(*)"))
}

fn balance(line: &mut Line<'_>) -> Parsed {
    let start = line.words.next;
    let word = line.word().map_or_else(|| "roundrobin".to_owned(), |w| w.str().into_owned());
    let Some(row) = catalog::algorithm(&key(&word)) else {
        return Err(line.alert("balance only supports 'roundrobin', 'static-rr', 'leastconn', 'source', 'uri', 'url_param', 'hdr(name)' and 'rdp-cookie(name)' options."));
    };
    if row.status == Status::Planned {
        let place = line.words.place.clone();
        line.spec.note_planned(&format!("balance {}", row.name), &place);
    }
    (row.parse)(&mut line.words)?;
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
        doc: "How a server is chosen for each request.",
        examples: &["balance roundrobin"],
        status: Status::Works,
        parse: balance,
        ..Keyword::NEW
    }],
    ..Part::NONE
};
