//! Bodies, as far as they have arrived (manual 7.3.6 "req.body", "res.body"). In comes `Stream::body`, which
//! is filled in when some proxy has an expression of this family: with the request's, then with the response's.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::catalog::{Fetch, Part, Status};
use crate::flow::http::h1::framing::Body;
use crate::flow::phase::Phase;
use crate::sample::fetch::header;
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext};

/// Whether some expression of the configuration looks at requests' bodies: they are copied only then. Never
/// unset.
pub static LOOKED_AT: AtomicBool = AtomicBool::new(false);
/// The same for responses.
pub static RESPONSES_LOOKED_AT: AtomicBool = AtomicBool::new(false);

/// An expression begins with this fetch.
pub fn note(fetch: &Fetch) {
    if PART.fetches.iter().any(|row| row.name == fetch.name) {
        let which = if fetch.name.starts_with("res") { &RESPONSES_LOOKED_AT } else { &LOOKED_AT };
        which.store(true, Relaxed);
    }
}

/// The response's body, while rules look at the response.
fn response_body<'a>(context: &SampleContext<'a>) -> Option<&'a [u8]> {
    header::response(context)?;
    Some(&*context.stream?.body)
}

/// What is announced, or has arrived when nothing is.
fn response_size<'a>(context: &SampleContext<'a>, _: &'a Arguments) -> Option<Value<'a>> {
    let arrived = response_body(context)?.len() as i64;
    let announced = header::response(context)?.get(b"content-length");
    let announced = announced.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    Some(Value::Int(announced.unwrap_or(arrived)))
}

fn body<'a>(context: &SampleContext<'a>) -> Option<&'a [u8]> {
    (context.phase < Phase::ResponseContent).then_some(&*context.stream?.body)
}

fn size<'a>(context: &SampleContext<'a>, _: &'a Arguments) -> Option<Value<'a>> {
    let size = match context.stream?.framing.body {
        Body::None => 0,
        Body::Length(length) => i64::try_from(length).unwrap_or(i64::MAX),
        Body::Chunked | Body::UntilClose => body(context)?.len() as i64,
    };
    Some(Value::Int(size))
}

/// `name=value` pairs joined by `&`; without a name the first pair's value.
fn param<'a>(context: &SampleContext<'a>, arguments: &'a Arguments) -> Option<Value<'a>> {
    let name = arguments.str(0).filter(|name| !name.is_empty());
    find(body(context)?, name).map(|value| Value::Bin(value.into()))
}

/// The value of the first pair of this name.
pub fn find<'b>(form: &'b [u8], name: Option<&[u8]>) -> Option<&'b [u8]> {
    form.split(|byte| *byte == b'&').find_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (key, value) = pair.split_at(at);
        name.is_none_or(|name| name == key).then_some(value.get(1..)?)
    })
}

const ROW: Fetch = Fetch { valid: valid::REQUEST, status: Status::Works, ..Fetch::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "req.body",
            gives: Type::Bin,
            doc: "The part of the request's body that has arrived.",
            examples: &["req.body"],
            run: |context, _| Some(Value::Bin(body(context)?.into())),
            ..ROW
        },
        Fetch {
            name: "req.body_len",
            gives: Type::Int,
            doc: "How many bytes of the request's body have arrived.",
            examples: &["req.body_len"],
            run: |context, _| Some(Value::Int(body(context)?.len() as i64)),
            ..ROW
        },
        Fetch {
            name: "req.body_param",
            args: &[ArgType::Str],
            gives: Type::Bin,
            doc: "A parameter of a form in the request's body.",
            examples: &["req.body_param"],
            run: param,
            ..ROW
        },
        Fetch {
            name: "req.body_size",
            gives: Type::Int,
            doc: "The announced length of the request's body.",
            examples: &["req.body_size"],
            run: size,
            ..ROW
        },
        Fetch {
            name: "res.body",
            gives: Type::Bin,
            valid: valid::RESPONSE,
            doc: "The part of the response's body that has arrived.",
            examples: &["res.body"],
            run: |context, _| Some(Value::Bin(response_body(context)?.into())),
            ..ROW
        },
        Fetch {
            name: "res.body_len",
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "How many bytes of the response's body have arrived.",
            examples: &["res.body_len"],
            run: |context, _| Some(Value::Int(response_body(context)?.len() as i64)),
            ..ROW
        },
        Fetch {
            name: "res.body_size",
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "The announced length of the response's body.",
            examples: &["res.body_size"],
            run: response_size,
            ..ROW
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pair_of_a_name_counts() {
        let form = b"a=1&b=2%20&a=3";
        assert_eq!(find(form, Some(b"a")), Some(&b"1"[..]));
        assert_eq!(find(form, Some(b"b")), Some(&b"2%20"[..]));
        assert_eq!(find(form, None), Some(&b"1"[..]));
        assert_eq!(find(form, Some(b"c")), None);
        assert_eq!(find(b"text", None), None);
    }
}
