//! Quoting and escaping of logged values (manual 8.6; RFC 5424 6.3.3).

use crate::flow::log::format::Options;

/// A set of bytes.
pub type Set = [bool; 256];

/// In captured headers: `{`, `|`, `}`, `"`, `#` and what is not printable.
pub const HEADER: Set = unprintable(b"\"#{|}");
/// In the request line: `"`, `#` and what is not printable.
pub const URI: Set = unprintable(b"\"#");
/// In a header's value: control characters except the tabulator.
pub const HTTP: Set = controls();
/// In structured data.
const STRUCTURED: Set = set(b"\"\\]");

const fn set(bytes: &[u8]) -> Set {
    let mut set = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        set[bytes[at] as usize] = true;
        at += 1;
    }
    set
}

const fn unprintable(more: &[u8]) -> Set {
    let mut set = set(more);
    let mut byte = 0;
    while byte < 256 {
        if byte < 32 || byte >= 127 {
            set[byte] = true;
        }
        byte += 1;
    }
    set
}

const fn controls() -> Set {
    let mut set = set(b"\x7f");
    let mut byte = 0;
    while byte < 32 {
        set[byte] = byte != 9;
        byte += 1;
    }
    set
}

/// A plain value: `-` when it is missing and mandatory, in quotes when asked for.
pub fn text(out: &mut Vec<u8>, options: Options, value: Option<&[u8]>) {
    let quoted = options.has(Options::QUOTE);
    if quoted {
        out.push(b'"');
    }
    match value.filter(|v| !v.is_empty()) {
        Some(value) => {
            // As for HAProxy, whose texts are C's, a zero byte ends the value.
            let end = memchr::memchr(0, value).unwrap_or(value.len());
            let value = value.get(..end).unwrap_or_default();
            match options.has(Options::ESCAPE) {
                true => escape(out, value),
                false => out.extend_from_slice(value),
            }
        }
        None if options.has(Options::MANDATORY) && !quoted => out.push(b'-'),
        None => {}
    }
    if quoted {
        out.push(b'"');
    }
}

/// A value with the bytes of `set` as `mark` and two hexadecimal digits; never in quotes.
pub fn encode(out: &mut Vec<u8>, options: Options, mark: u8, set: &Set, value: &[u8]) {
    let escaping = options.has(Options::ESCAPE);
    let special = |b: &u8| set[usize::from(*b)] || (escaping && STRUCTURED[usize::from(*b)]);
    let mut rest = value;
    while let Some(at) = rest.iter().position(special) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, tail)) = tail.split_first() else { break };
        if set[usize::from(*byte)] {
            out.push(mark);
            hex(out, *byte);
        } else {
            out.extend_from_slice(&[b'\\', *byte]);
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
}

/// The same between quotes when asked for.
pub fn quoted(out: &mut Vec<u8>, options: Options, set: &Set, value: &[u8]) {
    let quote = options.has(Options::QUOTE);
    if quote {
        out.push(b'"');
    }
    encode(out, options, b'#', set, value);
    if quote {
        out.push(b'"');
    }
}

/// Two hexadecimal digits, upper case.
pub fn hex(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push(DIGITS[usize::from(byte >> 4)]);
    out.push(DIGITS[usize::from(byte & 15)]);
}

fn escape(out: &mut Vec<u8>, value: &[u8]) {
    for byte in value {
        if STRUCTURED[usize::from(*byte)] {
            out.push(b'\\');
        }
        out.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts() {
        let (m, q, e) = (Options::MANDATORY, Options::QUOTE, Options::ESCAPE);
        assert_eq!(of(|o| text(o, m, None)), "-");
        assert_eq!(of(|o| text(o, m.and(q), None)), "\"\"");
        assert_eq!(of(|o| text(o, Options::default(), Some(b""))), "");
        assert_eq!(of(|o| text(o, q, Some(b"a"))), "\"a\"");
        assert_eq!(of(|o| text(o, e, Some(b"a]\"\\"))), "a\\]\\\"\\\\");
    }

    #[test]
    fn encodings() {
        let none = Options::default();
        assert_eq!(of(|o| encode(o, none, b'#', &URI, b"GET /a\"{#\xff")), "GET /a#22{#23#FF");
        assert_eq!(of(|o| encode(o, none, b'#', &HEADER, b"a{b|c}")), "a#7Bb#7Cc#7D");
        assert_eq!(of(|o| encode(o, none, b'%', &HTTP, b"a\tb\r\n")), "a\tb%0D%0A");
        assert_eq!(of(|o| encode(o, Options::ESCAPE, b'#', &URI, b"a]\"")), "a\\]#22");
        assert_eq!(of(|o| quoted(o, Options::QUOTE, &URI, b"x")), "\"x\"");
    }
}
