//! JSON (manual 7.3.1, "json").

use crate::catalog::{Converter, Part, Status};
use crate::sample::Arguments;
use crate::sample::args::ArgType;
use crate::sample::value::{Type, Value};

/// How the input is read and what happens to what cannot be read.
#[derive(Clone, Copy)]
enum Input {
    Ascii,
    /// UTF-8; a broken sequence makes the conversion fail.
    Strict,
    /// UTF-8; a broken sequence is left out.
    Skip,
    /// UTF-8; the bytes of a broken sequence are taken one by one.
    Lenient,
}

fn input(args: &Arguments) -> Option<Input> {
    Some(match args.str(0).unwrap_or(b"ascii") {
        b"" | b"ascii" => Input::Ascii,
        b"utf8" => Input::Strict,
        b"utf8s" | b"utf8ps" => Input::Skip,
        b"utf8p" => Input::Lenient,
        _ => return None,
    })
}

fn check(args: &mut Arguments) -> Result<(), String> {
    let known = "Allowed value are 'ascii', 'utf8', 'utf8s', 'utf8p' and 'utf8ps'";
    input(args).map(|_| ()).ok_or_else(|| format!("Unexpected input code type. {known}"))
}

fn json(value: Value<'_>, args: &Arguments) -> Option<Value<'static>> {
    let (Value::Str(bytes) | Value::Bin(bytes)) = value else { return None };
    let input = input(args)?;
    let mut out = String::new();
    if matches!(input, Input::Ascii) {
        bytes.iter().for_each(|b| escape(&mut out, u32::from(*b)));
        return Some(Value::string(out));
    }
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| escape(&mut out, u32::from(c)));
        match input {
            _ if chunk.invalid().is_empty() => {}
            Input::Strict => return None,
            Input::Skip => {}
            _ => chunk.invalid().iter().for_each(|b| escape(&mut out, u32::from(*b))),
        }
    }
    Some(Value::string(out))
}

fn escape(out: &mut String, code: u32) {
    match char::from_u32(code) {
        Some(c @ ('"' | '\\' | '/')) => out.extend(['\\', c]),
        Some('\u{8}') => out.push_str("\\b"),
        Some('\u{c}') => out.push_str("\\f"),
        Some('\r') => out.push_str("\\r"),
        Some('\n') => out.push_str("\\n"),
        Some('\t') => out.push_str("\\t"),
        Some(c @ ' '..='~') => out.push(c),
        _ => out.push_str(&format!("\\u{:04x}", code & 0xffff)),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[Converter {
        name: "json",
        args: &[ArgType::Str],
        takes: Type::Str,
        gives: Type::Str,
        doc: "Escapes the text for use in a JSON string; reads it as ascii, utf8, utf8s, utf8p or utf8ps.",
        examples: &[
            ("str(a/b),json", r"a\/b"),
            ("str(aé),json(utf8)", r"a\u00e9"),
            ("str(aé),json(ascii)", r"a\u00c3\u00a9"),
            (r#"str("a\tb"),json"#, r"a\tb"),
        ],
        status: Status::Works,
        check,
        run: |value, _, args| json(value, args),
        ..Converter::NEW
    }],
    ..Part::NONE
};
