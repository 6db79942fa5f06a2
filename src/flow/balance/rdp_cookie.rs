//! `balance rdp-cookie`: the cookie of a remote desktop's first packet chooses (manual 4.2 "balance").

use crate::catalog::{Part, Status};
use crate::config::args::Words;
use crate::config::diagnostic::Diagnostic;
use crate::flow::balance::Algorithm;
use crate::flow::balance::hash::{HashFunction, Hashing, Source};
use crate::flow::phase::Phase;
use crate::flow::session::Stream;
use crate::sample::fetch::l6;

/// The cookie that is looked for when none is named.
const DEFAULT: &str = "mstshash";

#[derive(Debug)]
struct Cookie(Vec<u8>);

impl Source for Cookie {
    fn hash(&self, stream: &Stream<'_>, function: HashFunction) -> Option<u32> {
        let context = stream.sample_context(Phase::RequestContent);
        let value = l6::rdp_cookie(&context, &self.0).filter(|value| !value.is_empty())?;
        Some(function.of(value))
    }
}

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
        doc: "The cookie of an RDP request chooses the server; connections without it take turns.",
        examples: &["rdp-cookie", "rdp-cookie(mstshash)"],
        status: Status::Works,
        parse,
        build: |spec, servers| {
            let name = spec.bracket().unwrap_or_else(|| DEFAULT.to_owned()).into_bytes();
            Box::new(Hashing::new(spec, servers, Cookie(name)))
        },
    }],
    ..Part::NONE
};
