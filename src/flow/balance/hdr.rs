//! `balance hdr(<name>)`: a header of the request chooses (manual 4.2 "balance").

use crate::catalog::{Part, Status};
use crate::config::args::Words;
use crate::config::diagnostic::Diagnostic;
use crate::flow::balance::Algorithm;
use crate::flow::balance::hash::{HashFunction, Hashing, Source};
use crate::flow::session::Stream;

#[derive(Debug)]
struct Header {
    /// In lower case.
    name: Vec<u8>,
    /// `use_domain_only`
    domain_only: bool,
}

impl Source for Header {
    fn hash(&self, stream: &Stream<'_>, function: HashFunction) -> Option<u32> {
        let value = stream.request.elements(&self.name).next().filter(|v| !v.is_empty())?;
        Some(function.of(if self.domain_only { domain(value) } else { value }))
    }
}

/// `example` of `www.example.com`; nothing of a name without dots.
fn domain(host: &[u8]) -> &[u8] {
    let Some(end) = host.iter().rposition(|byte| *byte == b'.').filter(|end| *end > 0) else {
        return &[];
    };
    let before = host.get(..end).unwrap_or_default();
    let start = before.iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
    before.get(start..).unwrap_or_default()
}

fn parse(words: &mut Words<'_>) -> Result<(), Diagnostic> {
    let name = words.next.checked_sub(1).and_then(|at| words.all.get(at));
    let name = name.map(|w| w.str().into_owned()).unwrap_or_default();
    let inside = name.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    if inside.is_none_or(|(name, _)| name.is_empty()) {
        return Err(words.alert("balance hdr requires an http header field name."));
    }
    match words.word() {
        Some(word) if *word != *"use_domain_only" => Err(words.alert(format!(
            "balance {name} only accepts 'use_domain_only' modifier (got '{word}')."
        ))),
        _ => Ok(()),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    algorithms: &[Algorithm {
        name: "hdr(*)",
        args: "[use_domain_only]",
        doc: "A header chooses the server; requests without it take turns.",
        examples: &["hdr(User-Agent)", "hdr(Host) use_domain_only"],
        status: Status::Works,
        parse,
        build: |spec, servers| {
            let name = spec.bracket().unwrap_or_default().to_ascii_lowercase().into_bytes();
            let domain_only = spec.says("use_domain_only");
            Box::new(Hashing::new(spec, servers, Header { name, domain_only }))
        },
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_stands_before_the_last_dot() {
        assert_eq!(domain(b"www.example.com"), b"example");
        assert_eq!(domain(b"example.com"), b"example");
        assert_eq!(domain(b"localhost"), b"");
    }
}
