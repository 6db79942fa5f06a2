//! Fetches whose value stands in the configuration (manual 7.3.2).

use crate::catalog::{Fetch, Part, Status};
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Argument, Arguments, valid};

fn ip<'a>(args: &'a Arguments) -> Option<Value<'a>> {
    match args.0.first()? {
        Argument::Ip(ip) => Some(Value::Ip(*ip)),
        _ => None,
    }
}

fn read_bool(args: &mut Arguments) -> Result<(), String> {
    let value = match args.str(0) {
        Some(text) if text.eq_ignore_ascii_case(b"true") || text == b"1" => 1,
        Some(text) if text.eq_ignore_ascii_case(b"false") || text == b"0" => 0,
        _ => return Err("Expects 'true', 'false', '0' or '1'".to_owned()),
    };
    args.0 = vec![Argument::Int(value)];
    Ok(())
}

fn read_hex(args: &mut Arguments) -> Result<(), String> {
    let text = args.str(0).unwrap_or_default();
    if text.is_empty() {
        // What HAProxy prints for a message that it does not have.
        return Err("(null)".to_owned());
    }
    if !text.len().is_multiple_of(2) {
        return Err("an even number of hex digit is expected".to_owned());
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Box<[u8]>> = text.chunks(2).map(pair).collect();
    let bytes = bytes.ok_or("an hex digit is expected")?;
    args.0 = vec![Argument::Str(bytes)];
    Ok(())
}

const CONSTANT: Fetch =
    Fetch { required: 1, valid: valid::ANYWHERE, status: Status::Works, ..Fetch::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "bin",
            args: &[ArgType::Str],
            gives: Type::Bin,
            doc: "These bytes, written in hexadecimal.",
            examples: &["bin(48656c6c6f)"],
            check: read_hex,
            run: |_, args| Some(Value::Bin(args.str(0)?.into())),
            ..CONSTANT
        },
        Fetch {
            name: "bool",
            args: &[ArgType::Str],
            gives: Type::Bool,
            doc: "True or false.",
            examples: &["bool(true)"],
            check: read_bool,
            run: |_, args| Some(Value::Bool(args.int(0)? != 0)),
            ..CONSTANT
        },
        Fetch {
            name: "int",
            args: &[ArgType::Int],
            gives: Type::Int,
            doc: "This integer.",
            examples: &["int(-5)"],
            run: |_, args| args.int(0).map(Value::Int),
            ..CONSTANT
        },
        Fetch {
            name: "ipv4",
            args: &[ArgType::Ipv4],
            gives: Type::Ipv4,
            doc: "This IPv4 address.",
            examples: &["ipv4(127.0.0.1)"],
            run: |_, args| ip(args),
            ..CONSTANT
        },
        Fetch {
            name: "ipv6",
            args: &[ArgType::Ipv6],
            gives: Type::Ipv6,
            doc: "This IPv6 address.",
            examples: &["ipv6(::1)"],
            run: |_, args| ip(args),
            ..CONSTANT
        },
        Fetch {
            name: "meth",
            args: &[ArgType::Str],
            gives: Type::Method,
            doc: "This HTTP method.",
            examples: &["meth(GET)"],
            run: |_, args| Some(Value::Method(args.str(0)?.into())),
            ..CONSTANT
        },
        Fetch {
            name: "str",
            args: &[ArgType::Str],
            gives: Type::Str,
            doc: "This text.",
            examples: &["str(hello)"],
            run: |_, args| Some(Value::text(args.str(0)?)),
            ..CONSTANT
        },
    ],
    ..Part::NONE
};
