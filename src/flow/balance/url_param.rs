//! `balance url_param`: a parameter of the query chooses (manual 4.2 "balance").

use crate::catalog::{Part, Status};
use crate::config::args::Words;
use crate::config::diagnostic::Diagnostic;
use crate::flow::balance::Algorithm;
use crate::flow::balance::hash::{HashFunction, Hashing, Source};
use crate::flow::session::Stream;

#[derive(Debug)]
struct Parameter {
    name: Vec<u8>,
    /// `check_post`: also in the body of a POST.
    in_body: bool,
}

impl Source for Parameter {
    fn hash(&self, stream: &Stream<'_>, function: HashFunction) -> Option<u32> {
        let target = stream.request.target();
        let query = target.iter().position(|byte| *byte == b'?');
        let in_query = || value(target.get(query? + 1..)?, &self.name);
        let in_body = || {
            let form =
                (self.in_body && stream.request.method() == b"POST").then_some(&stream.body)?;
            value(form, &self.name)
        };
        in_query().or_else(in_body).map(|value| function.of(value))
    }

    fn always(&self) -> bool {
        true
    }
}

/// The first value of a parameter.
fn value<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    query.split(|byte| *byte == b'&').find_map(|part| {
        let at = part.iter().position(|byte| *byte == b'=')?;
        (part.get(..at)? == name).then_some(part.get(at + 1..)?)
    })
}

fn parse(words: &mut Words<'_>) -> Result<(), Diagnostic> {
    if words.word().is_none() {
        return Err(words.alert("balance url_param requires an URL parameter name."));
    }
    match words.word() {
        Some(word) if *word != *"check_post" => Err(words.alert(format!(
            "balance url_param only accepts 'check_post' modifier (got '{word}')."
        ))),
        _ => Ok(()),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    algorithms: &[Algorithm {
        name: "url_param",
        args: "<param> [check_post]",
        doc: "A parameter of the query chooses the server; requests without it take turns.",
        examples: &["url_param userid", "url_param userid check_post"],
        status: Status::Works,
        parse,
        build: |spec, servers| {
            let name = spec.words.get(1).map(|w| w.bytes().to_vec()).unwrap_or_default();
            let in_body = spec.words.get(2).is_some_and(|w| *w == *"check_post");
            Box::new(Hashing::new(spec, servers, Parameter { name, in_body }))
        },
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_counts() {
        assert_eq!(value(b"a=1&id=x&id=y", b"id"), Some(&b"x"[..]));
        assert_eq!(value(b"a=1&grid=x", b"id"), None);
        assert_eq!(value(b"id=", b"id"), Some(&b""[..]));
        assert_eq!(value(b"id", b"id"), None);
    }
}
