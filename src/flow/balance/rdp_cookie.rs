//! `balance rdp-cookie`: the cookie of a remote desktop's first packet chooses (manual 4.2 "balance").
//! Parsed; the bytes of a TCP request are not at hand yet when a server is chosen.

use crate::catalog::{Part, Status};
use crate::config::args::Words;
use crate::config::diagnostic::Diagnostic;
use crate::flow::balance::{Algorithm, roundrobin};

fn parse(words: &mut Words<'_>) -> Result<(), Diagnostic> {
    let name = words.next.checked_sub(1).and_then(|at| words.all.get(at));
    let name = name.map(|w| w.str().into_owned()).unwrap_or_default();
    let inside = name.split_once('(').map(|(_, rest)| rest.split_once(')'));
    match inside {
        None => Ok(()),
        Some(Some((cookie, _))) if !cookie.is_empty() => Ok(()),
        Some(_) => Err(words.alert("balance rdp-cookie : missing cookie name.")),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    algorithms: &[Algorithm {
        name: "rdp-cookie",
        args: "",
        doc: "The cookie of an RDP request chooses the server.",
        examples: &["rdp-cookie", "rdp-cookie(mstshash)"],
        status: Status::Planned,
        parse,
        build: roundrobin::ALGORITHM.build,
    }],
    ..Part::NONE
};
