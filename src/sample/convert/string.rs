//! Converters of text and bytes (manual 7.3.1). In: text or bytes. Out: text or bytes.

use std::borrow::Cow;

use crate::catalog::{Converter, Part, Status};
use crate::flow::rules::header;
use crate::sample::args::ArgType;
use crate::sample::pattern::regex::compile_regex;
use crate::sample::value::{Type, Value};
use crate::sample::{Argument, Arguments};

/// The bytes of a text or binary value.
fn into_bytes(value: Value<'_>) -> Option<Cow<'_, [u8]>> {
    match value {
        Value::Str(bytes) | Value::Bin(bytes) | Value::Method(bytes) => Some(bytes),
        _ => None,
    }
}

/// A part of what a value holds, borrowed where the value borrows.
fn cut<'a>(bytes: Cow<'a, [u8]>, from: usize, to: usize) -> Cow<'a, [u8]> {
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(from..to).unwrap_or_default()),
        Cow::Owned(bytes) => Cow::Owned(bytes.get(from..to).unwrap_or_default().to_vec()),
    }
}

fn text(bytes: impl Into<Vec<u8>>) -> Option<Value<'static>> {
    Some(Value::Str(Cow::Owned(bytes.into())))
}

fn bytes<'a>(value: Value<'a>, args: &Arguments) -> Option<Value<'a>> {
    let is_text = matches!(value, Value::Str(_));
    let bytes = into_bytes(value)?;
    let of_kind = if is_text { Value::Str } else { Value::Bin };
    // A negative offset is beyond any end, and a negative length no limit.
    let Some(offset) = usize::try_from(args.int(0)?).ok().filter(|at| *at < bytes.len()) else {
        return Some(of_kind(Cow::Borrowed(b"")));
    };
    let length = args.int(1).and_then(|n| usize::try_from(n).ok()).unwrap_or(bytes.len());
    let end = offset.saturating_add(length).min(bytes.len());
    Some(of_kind(cut(bytes, offset, end)))
}

fn cut_crlf(value: Value<'_>) -> Option<Value<'_>> {
    let bytes = into_bytes(value)?;
    let end = memchr::memchr2(b'\r', b'\n', &bytes).unwrap_or(bytes.len());
    Some(Value::Str(cut(bytes, 0, end)))
}

fn trim<'a>(value: Value<'a>, args: &Arguments, at_start: bool) -> Option<Value<'a>> {
    let (bytes, set) = (into_bytes(value)?, args.str(0)?);
    let other = |b: &u8| !set.contains(b);
    let (from, to) = if at_start {
        (bytes.iter().position(other).unwrap_or(bytes.len()), bytes.len())
    } else {
        (0, bytes.iter().rposition(other).map_or(0, |at| at + 1))
    };
    Some(Value::Str(cut(bytes, from, to)))
}

/// The ranges between delimiters; `words` leaves out the empty ones.
fn pieces(bytes: &[u8], delimiters: &[u8], words: bool) -> Vec<(usize, usize)> {
    let mut list = Vec::new();
    let mut from = 0;
    for (at, b) in bytes.iter().enumerate() {
        if delimiters.contains(b) {
            list.push((from, at));
            from = at + 1;
        }
    }
    list.push((from, bytes.len()));
    list.retain(|(from, to)| !words || from < to);
    list
}

/// `field` and `word`: the piece at an index from 1, from the end when negative, and the pieces
/// after it (before it, from the end) as the count says; 0 takes all of them.
fn piece<'a>(value: Value<'a>, args: &Arguments, words: bool) -> Option<Value<'a>> {
    let bytes = into_bytes(value)?;
    let list = pieces(&bytes, args.str(1)?, words);
    let index = args.int(0)?;
    // As 0, a negative count takes all.
    let count = usize::try_from(args.int(2).unwrap_or(1)).unwrap_or(0);
    let steps = usize::try_from(index.unsigned_abs()).ok()?.checked_sub(1)?;
    let (from, to) = if index > 0 {
        let first = list.get(steps)?;
        let last = match count {
            0 => None,
            n => list.get(steps + n - 1),
        };
        (first.0, last.map_or(bytes.len(), |last| last.1))
    } else {
        let last = list.len().checked_sub(steps + 1)?;
        let first = match count {
            0 => None,
            n => last.checked_sub(n - 1),
        };
        (first.map_or(0, |first| list[first].0), list[last].1)
    };
    Some(Value::Str(cut(bytes, from, to)))
}

fn check_piece(args: &mut Arguments) -> Result<(), String> {
    match args.int(0) {
        Some(0) => Err("Unexpected value 0 for index".to_owned()),
        _ if args.str(1).is_none_or(<[u8]>::is_empty) => Err("Empty separators list".to_owned()),
        _ => Ok(()),
    }
}

fn hex_digits(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).collect()
}

fn hex2i(value: Value<'_>) -> Option<Value<'static>> {
    let bytes = into_bytes(value)?;
    if !bytes.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let number = bytes.iter().fold(0u64, |sum, b| {
        let digit = char::from(*b).to_digit(16).unwrap_or(0);
        (sum << 4) | u64::from(digit)
    });
    Some(Value::Int(number as i64))
}

/// `%xx`, and `+` for a blank: behind the first `?`, or everywhere when the argument is not 0.
fn url_dec(value: Value<'_>, args: &Arguments) -> Option<Value<'static>> {
    let bytes = into_bytes(value)?;
    let mut in_query = args.int(0).unwrap_or(0) != 0;
    let mut out = Vec::with_capacity(bytes.len());
    // A NUL ends the text.
    let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
    let mut rest = &bytes[..end];
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' if in_query => out.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return None;
                }
                out.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[2..];
            }
            b => {
                in_query |= *b == b'?';
                out.push(*b);
            }
        }
    }
    text(out)
}

/// The language among those of the first argument that an `Accept-Language` header likes best (RFC 9110
/// 12.5.4), as HAProxy reads it; else the second argument, if there is one.
fn language<'a>(value: &Value<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    let known = args.str(0)?;
    let mut best: (&[u8], u32) = (b"", 0);
    for entry in value.bytes()?.split(|b| *b == b',').map(trim_spaces) {
        let end = entry.iter().position(|b| *b == b';' || is_space(b)).unwrap_or(entry.len());
        let (range, rest) = entry.split_at(end);
        if range.is_empty() {
            continue;
        }
        let mut tags = known.split(|b| *b == b';');
        let Some(tag) = tags.find(|tag| in_range(range, tag)) else { continue };
        let Some(quality) = quality(trim_spaces(rest)) else { continue };
        if quality > best.1 {
            best = (tag, quality);
        }
        if quality >= 1000 {
            break;
        }
    }
    let found = if best.0.is_empty() { args.str(1)? } else { best.0 };
    (!found.is_empty()).then(|| Value::text(found))
}

fn is_space(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == 0x0b
}

fn trim_spaces(text: &[u8]) -> &[u8] {
    let from = text.iter().position(|b| !is_space(b)).unwrap_or(text.len());
    let to = text.iter().rposition(|b| !is_space(b)).map_or(from, |at| at + 1);
    &text[from..to]
}

/// Whether a header's language (`en-US`) is the tag (`en`) or more special than it.
fn in_range(range: &[u8], tag: &[u8]) -> bool {
    range.strip_prefix(tag).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"))
}

/// What stands behind a language: nothing or `;q=0.5`, in thousandths; `None` for anything else than a
/// semicolon.
fn quality(text: &[u8]) -> Option<u32> {
    let Some((first, rest)) = text.split_first() else { return Some(1000) };
    if *first != b';' {
        return None;
    }
    let value = trim_spaces(rest)
        .strip_prefix(b"q")
        .and_then(|rest| trim_spaces(rest).strip_prefix(b"="))
        .map(trim_spaces);
    Some(value.map_or(1000, thousandths))
}

/// A quality value (RFC 9110 12.4.2) in thousandths; 1000 when it does not begin with a digit.
fn thousandths(text: &[u8]) -> u32 {
    let digit =
        |at: usize| text.get(at).filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0'));
    let Some(whole) = digit(0) else { return 1000 };
    let mut sum = whole * 1000;
    if text.get(1) == Some(&b'.') {
        for (place, weight) in [(2, 100), (3, 10), (4, 1)] {
            let Some(digit) = digit(place) else { break };
            sum += digit * weight;
        }
    }
    sum.min(1000)
}

fn iif<'a>(value: Value<'a>, args: &Arguments) -> Option<Value<'static>> {
    match value {
        Value::Bool(true) => text(args.str(0)?),
        Value::Bool(false) => text(args.str(1)?),
        _ => None,
    }
}

/// Replaces the first match, or all with the flag `g`; `\0` to `\9` stand for groups.
fn regsub(value: Value<'_>, args: &Arguments) -> Option<Value<'static>> {
    let bytes = into_bytes(value)?;
    let Argument::Regex(regex) = args.0.first()? else { return None };
    let template = args.str(1)?;
    let all = args.str(2).is_some_and(|flags| flags.contains(&b'g'));
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(found) = regex.captures_at(&bytes, from) {
        let Some(whole) = found.get(0) else { break };
        out.extend_from_slice(&bytes[from..whole.start()]);
        header::fill_in(&mut out, template, &found);
        // After the end of the text there is nothing to look for; the empty text there counts once.
        if from >= bytes.len() {
            break;
        }
        if whole.end() == from {
            out.push(bytes[from]);
            from += 1;
        } else {
            from = whole.end();
        }
        if !all {
            break;
        }
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    text(out)
}

fn check_regsub(args: &mut Arguments) -> Result<(), String> {
    let flags = args.str(2).unwrap_or_default();
    if let Some(flag) = flags.iter().find(|f| !b"ig".contains(f)) {
        return Err(format!(
            "invalid regex flag '{}', only 'i' and 'g' are supported",
            char::from(*flag)
        ));
    }
    if args.str(0).is_none_or(<[u8]>::is_empty) {
        return Err("missing regex".to_owned());
    }
    let ignore_case = flags.contains(&b'i');
    let source = String::from_utf8_lossy(args.str(0).unwrap_or_default()).into_owned();
    let built = compile_regex(&source, ignore_case)?;
    if let Some(first) = args.0.first_mut() {
        *first = Argument::Regex(built);
    }
    Ok(())
}

const TEXT: Converter =
    Converter { takes: Type::Str, gives: Type::Str, status: Status::Works, ..Converter::NEW };

const BYTES: Converter = Converter { takes: Type::Bin, gives: Type::Bin, ..TEXT };

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "bytes",
            args: &[ArgType::Int, ArgType::Int],
            required: 1,
            doc: "The bytes from an offset on, at most so many.",
            examples: &[
                ("str(abcdef),bytes(2)", "cdef"),
                ("str(abcdef),bytes(1,3)", "bcd"),
                ("str(abc),bytes(1,9)", "bc"),
                ("str(abc),bytes(5)", ""),
            ],
            run: |value, _, args| bytes(value, args),
            ..BYTES
        },
        Converter {
            name: "cut_crlf",
            doc: "The text up to the first CR or LF.",
            examples: &[(r#"str("a\r\nb"),cut_crlf"#, "a")],
            run: |value, _, _| cut_crlf(value),
            ..TEXT
        },
        Converter {
            name: "field",
            args: &[ArgType::Int, ArgType::Str, ArgType::Int],
            required: 2,
            doc: "The field at an index, counted from 1, or from the end when negative; a count takes that many, 0 all.",
            examples: &[
                ("str(f1_f2_f3__f5),field(5,_)", "f5"),
                ("str(f1_f2_f3__f5),field(2,_,0)", "f2_f3__f5"),
                ("str(f1_f2_f3__f5),field(2,_,2)", "f2_f3"),
                ("str(f1_f2_f3__f5),field(-2,_,3)", "f2_f3_"),
                ("str(f1_f2_f3__f5),field(-2,_,0)", "f1_f2_f3_"),
                ("str(a.b-c),field(2,.-)", "b"),
            ],
            check: check_piece,
            run: |value, _, args| piece(value, args, false),
            ..TEXT
        },
        Converter {
            name: "hex",
            gives: Type::Str,
            doc: "The bytes in hexadecimal, upper case.",
            examples: &[("str(abc),hex", "616263"), ("int(258),hex", "0000000000000102")],
            run: |value, _, _| text(hex_digits(&into_bytes(value)?)),
            ..BYTES
        },
        Converter {
            name: "hex2i",
            gives: Type::Int,
            doc: "The integer that is written in hexadecimal.",
            examples: &[("str(1f),hex2i", "31"), ("str(ab),hex,hex2i", "24930")],
            run: |value, _, _| hex2i(value),
            ..TEXT
        },
        Converter {
            name: "iif",
            takes: Type::Bool,
            args: &[ArgType::Str, ArgType::Str],
            required: 2,
            doc: "One text when true, another when false.",
            examples: &[("bool(true),iif(yes,no)", "yes"), ("int(0),iif(a,b)", "b")],
            run: |value, _, args| iif(value, args),
            ..TEXT
        },
        Converter {
            name: "language",
            args: &[ArgType::Str, ArgType::Str],
            required: 1,
            doc: "Which of the given languages an Accept-Language header likes best, or the default.",
            examples: &[
                (r#"str("fr;q=0.2,en;q=0.9"),language("fr;en")"#, "en"),
                (r#"str("fr;q=0.2,de"),language("en;es",xx)"#, "xx"),
                (r#"str("en-US"),language("en")"#, "en"),
            ],
            run: |value, _, args| language(&value, args),
            ..TEXT
        },
        Converter {
            name: "length",
            gives: Type::Int,
            doc: "The length in bytes.",
            examples: &[("str(hello),length", "5"), ("int(5),length", "1")],
            run: |value, _, _| {
                let length = into_bytes(value)?.len();
                Some(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
            },
            ..TEXT
        },
        Converter {
            name: "lower",
            doc: "Lower case, ASCII only.",
            examples: &[("str(AbC),lower", "abc"), ("meth(GET),lower", "get")],
            run: |value, _, _| text(into_bytes(value)?.to_ascii_lowercase()),
            ..TEXT
        },
        Converter {
            name: "ltrim",
            args: &[ArgType::Str],
            required: 1,
            doc: "Takes the given characters off the beginning.",
            examples: &[("str(xxabc),ltrim(x)", "abc")],
            run: |value, _, args| trim(value, args, true),
            ..TEXT
        },
        Converter {
            name: "regsub",
            args: &[ArgType::Regex, ArgType::Str, ArgType::Str],
            required: 2,
            doc: "Replaces what a regular expression matches; flags: g for all, i to ignore case.",
            examples: &[
                ("str(aabb),regsub(a,x)", "xabb"),
                ("str(aabb),regsub(a,x,g)", "xxbb"),
                (r#"str(aabbaa),regsub("(a)(b)",\2\1)"#, "ababaa"),
                ("str(AbA),regsub(a,x,ig)", "xbx"),
            ],
            check: check_regsub,
            run: |value, _, args| regsub(value, args),
            ..TEXT
        },
        Converter {
            name: "rtrim",
            args: &[ArgType::Str],
            required: 1,
            doc: "Takes the given characters off the end.",
            examples: &[("str(abcxx),rtrim(x)", "abc")],
            run: |value, _, args| trim(value, args, false),
            ..TEXT
        },
        Converter {
            name: "upper",
            doc: "Upper case, ASCII only.",
            examples: &[("str(AbC),upper", "ABC")],
            run: |value, _, _| text(into_bytes(value)?.to_ascii_uppercase()),
            ..TEXT
        },
        Converter {
            name: "url_dec",
            args: &[ArgType::Int],
            doc: "Decodes percent escapes, and plus signs behind a question mark.",
            examples: &[
                ("str(a%20b),url_dec", "a b"),
                ("str(a+b?c+d),url_dec", "a+b?c d"),
                ("str(a+b),url_dec(1)", "a b"),
            ],
            run: |value, _, args| url_dec(value, args),
            ..TEXT
        },
        Converter {
            name: "word",
            args: &[ArgType::Int, ArgType::Str, ArgType::Int],
            required: 2,
            doc: "As field, but empty fields are skipped.",
            examples: &[
                ("str(f1_f2_f3__f5),word(4,_)", "f5"),
                ("str(f1_f2_f3__f5),word(2,_,0)", "f2_f3__f5"),
                ("str(f1_f2_f3__f5),word(3,_,2)", "f3__f5"),
                ("str(f1_f2_f3__f5),word(-2,_,2)", "f2_f3"),
                ("str(f1_f2_f3__f5),word(-2,_,0)", "f1_f2_f3"),
                ("str(__a__b__),word(-1,_)", "b"),
                ("str(__a__b__),word(1,_,0)", "a__b__"),
            ],
            check: check_piece,
            // A word that is not there is empty; a field that is not there is none.
            run: |value, _, args| Some(piece(value, args, true).unwrap_or(Value::text(b""))),
            ..TEXT
        },
    ],
    ..Part::NONE
};
