//! JSON (manual 7.3.1, "json").

use crate::catalog::{Converter, Part, Status};
use crate::sample::Arguments;
use crate::sample::args::ArgType;
use crate::sample::value::{Type, Value};

/// How the input is read: as ASCII, or as UTF-8 with what happens to what it may not hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Ascii,
    Utf8 {
        /// Whether overlong sequences are refused too.
        strict: bool,
        /// Whether what is refused is left out; otherwise the conversion fails.
        skip: bool,
    },
}

fn input(args: &Arguments) -> Option<Input> {
    Some(match args.str(0).unwrap_or_default() {
        b"" | b"ascii" => Input::Ascii,
        b"utf8" => Input::Utf8 { strict: true, skip: false },
        b"utf8s" => Input::Utf8 { strict: true, skip: true },
        b"utf8p" => Input::Utf8 { strict: false, skip: false },
        b"utf8ps" => Input::Utf8 { strict: false, skip: true },
        _ => return None,
    })
}

fn check(args: &mut Arguments) -> Result<(), String> {
    let known = "Allowed value are 'ascii', 'utf8', 'utf8s', 'utf8p' and 'utf8ps'";
    input(args).map(|_| ()).ok_or_else(|| format!("Unexpected input code type. {known}"))
}

fn json(value: &Value<'_>, args: &Arguments) -> Option<Value<'static>> {
    let mut rest = value.bytes()?;
    let mut out = String::new();
    match input(args)? {
        Input::Ascii => rest.iter().for_each(|b| escape(&mut out, u32::from(*b))),
        Input::Utf8 { strict, skip } => {
            while !rest.is_empty() {
                match next(&mut rest, strict) {
                    Some(code) => escape(&mut out, code),
                    None if skip => {}
                    None => return None,
                }
            }
        }
    }
    Some(Value::string(out))
}

/// Takes the next sequence, of up to six bytes as UTF-8 once had them; `None` for one that is broken,
/// a surrogate or no character, beyond 16 bits, or overlong if that is not allowed.
fn next(rest: &mut &[u8], strict: bool) -> Option<u32> {
    let (first, after) = rest.split_first()?;
    let ones = first.leading_ones();
    if ones == 0 {
        *rest = after;
        return Some(u32::from(*first));
    }
    let length = ones as usize;
    if !(2..=6).contains(&length) || rest.len() < length {
        *rest = after;
        return None;
    }
    let mut code = u32::from(first & (0x7f >> ones));
    for at in 1..length {
        let byte = rest[at];
        if byte & 0xc0 != 0x80 {
            *rest = &rest[at..];
            return None;
        }
        code = (code << 6) | u32::from(byte & 0x3f);
    }
    *rest = &rest[length..];
    let needed = match code {
        0..=0x7f => 1,
        0x80..=0x7ff => 2,
        0x800..=0xffff => 3,
        _ => 4,
    };
    let refused = (strict && length > needed)
        || (0xd800..=0xdfff).contains(&code)
        || code == 0xfffe
        || code >= 0xffff;
    (!refused).then_some(code)
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
        _ => out.push_str(&format!("\\u{:04x}", code)),
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
        run: |value, _, args| json(&value, args),
        ..Converter::NEW
    }],
    ..Part::NONE
};
