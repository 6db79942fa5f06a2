//! `balance uri`: the request's target chooses (manual 4.2 "balance").

use crate::catalog::{Part, Status};
use crate::config::args::{Words, parse_lenient};
use crate::config::diagnostic::Diagnostic;
use crate::flow::balance::Algorithm;
use crate::flow::balance::hash::{HashFunction, Hashing, Source};
use crate::flow::session::Stream;

#[derive(Debug, Default)]
struct Uri {
    /// `whole`: the query too.
    whole: bool,
    /// `path-only`: without scheme and host.
    path_only: bool,
    /// `len`
    len: Option<usize>,
    /// `depth`
    depth: Option<usize>,
}

impl Source for Uri {
    fn hash(&self, stream: &Stream<'_>, function: HashFunction) -> Option<u32> {
        if stream.request.is_empty() {
            return None;
        }
        let target = match self.path_only {
            true => stream.request.path_and_query().unwrap_or_default(),
            false => stream.request.target(),
        };
        Some(function.of(self.part(target)))
    }
}

impl Uri {
    /// What is hashed of a target.
    fn part<'a>(&self, target: &'a [u8]) -> &'a [u8] {
        let length = self.len.map_or(target.len(), |len| len.min(target.len()));
        let target = target.get(..length).unwrap_or(target);
        let mut slashes = 0;
        let end = target.iter().position(|byte| match byte {
            b'/' => {
                slashes += 1;
                self.depth.is_some_and(|depth| slashes > depth)
            }
            b'?' => !self.whole,
            _ => false,
        });
        target.get(..end.unwrap_or(length)).unwrap_or(target)
    }
}

fn parse(words: &mut Words<'_>) -> Result<(), Diagnostic> {
    while let Some(word) = words.word() {
        match &*word.str() {
            "whole" | "path-only" => {}
            name @ ("len" | "depth") => {
                let given = words.word().map(|w| w.str().into_owned()).unwrap_or_default();
                if parse_lenient(given.as_bytes()) <= 0 {
                    return Err(words.alert(format!(
                        "balance uri : '{name}' expects a positive integer (got '{given}')."
                    )));
                }
            }
            other => {
                return Err(words.alert(format!("balance uri only accepts parameters 'len', 'depth', 'path-only', and 'whole' (got '{other}').")));
            }
        }
    }
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    algorithms: &[Algorithm {
        name: "uri",
        args: "[len <len>] [depth <depth>] [path-only] [whole]",
        doc: "The request's target up to the query chooses the server.",
        examples: &["uri", "uri len 20 depth 3", "uri whole"],
        status: Status::Works,
        parse,
        build: |spec, servers| {
            let uri = Uri {
                whole: spec.says("whole"),
                path_only: spec.says("path-only"),
                len: spec.number("len"),
                depth: spec.number("depth"),
            };
            Box::new(Hashing::new(spec, servers, uri))
        },
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_cut_at_query_length_and_depth() {
        let plain = Uri::default();
        assert_eq!(plain.part(b"/a/b?c"), b"/a/b");
        assert_eq!(Uri { whole: true, ..Uri::default() }.part(b"/a/b?c"), b"/a/b?c");
        assert_eq!(Uri { len: Some(3), ..Uri::default() }.part(b"/a/b?c"), b"/a/");
        assert_eq!(Uri { depth: Some(1), ..Uri::default() }.part(b"/a/b/c"), b"/a");
        assert_eq!(Uri { depth: Some(2), ..Uri::default() }.part(b"/a/b/c"), b"/a/b");
    }
}
