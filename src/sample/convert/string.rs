//! Converters of text and bytes (manual 7.3.1). In: text or bytes. Out: text or bytes.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::catalog::{Converter, Part, Status};
use crate::sample::args::ArgType;
use crate::sample::pattern::regex::{Groups, compile_regex};
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
    let bytes = into_bytes(value)?;
    let offset = usize::try_from(args.int(0)?).ok()?;
    if offset >= bytes.len() {
        return Some(Value::Bin(Cow::Borrowed(b"")));
    }
    let length = args.int(1).map_or(bytes.len(), |n| usize::try_from(n).unwrap_or(0));
    let end = offset.saturating_add(length).min(bytes.len());
    Some(Value::Bin(cut(bytes, offset, end)))
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
    let count = usize::try_from(args.int(2).unwrap_or(1)).ok()?;
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
        _ => Ok(()),
    }
}

fn hex_digits(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).collect()
}

fn hex2i(value: Value<'_>) -> Option<Value<'static>> {
    let bytes = into_bytes(value)?;
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let number = bytes.iter().fold(0u64, |sum, b| {
        let digit = char::from(*b).to_digit(16).unwrap_or(0);
        (sum << 4) | u64::from(digit)
    });
    Some(Value::Int(number as i64))
}

fn base64_decode(value: Value<'_>) -> Option<Value<'static>> {
    let engine = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
    );
    let decoded = engine.decode(into_bytes(value)?).ok()?;
    Some(Value::Bin(decoded.into()))
}

/// `%xx`, and `+` for a blank: behind the first `?`, or everywhere when the argument is not 0.
fn url_dec(value: Value<'_>, args: &Arguments) -> Option<Value<'static>> {
    let bytes = into_bytes(value)?;
    let mut in_query = args.int(0).unwrap_or(0) != 0;
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = &bytes[..];
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

/// `[+|-]value;q=0.5, …`: the listed language the header likes best, `None` without a match.
fn language<'a>(value: Value<'a>, args: &Arguments) -> Option<Value<'a>> {
    let header = into_bytes(value)?;
    let header = String::from_utf8_lossy(&header).into_owned();
    let known = String::from_utf8_lossy(args.str(0)?).into_owned();
    let mut best: Option<(&str, u32)> = None;
    for entry in header.split(',') {
        let mut parts = entry.split(';').map(str::trim);
        let tag = parts.next().unwrap_or("");
        let quality = parts.find_map(|p| p.strip_prefix("q=")).map_or(1000, thousandths);
        let primary = tag.split('-').next().unwrap_or(tag);
        let same = |k: &&str| k.eq_ignore_ascii_case(tag) || k.eq_ignore_ascii_case(primary);
        let Some(found) = known.split(';').find(same) else { continue };
        if best.is_none_or(|(_, q)| quality > q) {
            best = Some((found, quality));
        }
    }
    match best {
        Some((found, quality)) if quality > 0 => text(found),
        _ => text(args.str(1)?),
    }
}

/// A quality value (RFC 9110 12.4.2) in thousandths.
fn thousandths(text: &str) -> u32 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = part.bytes().chain(std::iter::repeat(b'0')).take(3);
    let part = digits.fold(0, |sum, d| sum * 10 + u32::from(d.wrapping_sub(b'0') % 10));
    (whole.parse::<u32>().unwrap_or(0) * 1000 + part).min(1000)
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
    while from <= bytes.len() {
        let Some(found) = regex.captures(&bytes[from..]) else { break };
        let Some(whole) = found.get(0) else { break };
        out.extend_from_slice(&bytes[from..from + whole.start()]);
        fill_in(&mut out, template, &found);
        from += whole.end();
        if whole.is_empty() {
            out.extend(bytes.get(from));
            from += 1;
        }
        if !all {
            break;
        }
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    text(out)
}

fn fill_in(out: &mut Vec<u8>, template: &[u8], found: &Groups<'_>) {
    let mut rest = template.iter();
    while let Some(b) = rest.next() {
        match (b, rest.as_slice().first()) {
            (b'\\', Some(digit @ b'0'..=b'9')) => {
                rest.next();
                if let Some(group) = found.get(usize::from(digit - b'0')) {
                    out.extend_from_slice(group.as_bytes());
                }
            }
            _ => out.push(*b),
        }
    }
}

fn check_regsub(args: &mut Arguments) -> Result<(), String> {
    let flags = args.str(2).unwrap_or_default();
    if let Some(flag) = flags.iter().find(|f| !b"ig".contains(f)) {
        return Err(format!(
            "invalid regex flag '{}', only 'i' and 'g' are supported",
            char::from(*flag)
        ));
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
            name: "b64dec",
            gives: Type::Bin,
            doc: "Decodes base64.",
            examples: &[("str(aGVsbG8=),b64dec", "hello")],
            run: |value, _, _| base64_decode(value),
            ..TEXT
        },
        Converter {
            name: "base64",
            gives: Type::Str,
            doc: "Encodes in base64.",
            examples: &[("str(hello),base64", "aGVsbG8="), ("bin(ff00),base64", "/wA=")],
            run: |value, _, _| {
                text(base64::engine::general_purpose::STANDARD.encode(into_bytes(value)?))
            },
            ..BYTES
        },
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
            run: |value, _, args| language(value, args),
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
            run: |value, _, args| piece(value, args, true),
            ..TEXT
        },
    ],
    ..Part::NONE
};
