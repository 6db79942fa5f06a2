//! Fetches from the headers of requests and responses (manual 7.3.6). In: a message. Out: one value of
//! a header, how many there are, or all of them.

use std::net::{IpAddr, Ipv6Addr};

use crate::catalog::{AclKeyword, Fetch, Part, Status};
use crate::flow::http::h1::write;
use crate::flow::http::message::{Message, raw_elements, trim_blanks};
use crate::flow::phase::Phase;
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext};

/// How far back a negative occurrence may count.
const HISTORY: i64 = 10;

/// The request, while rules look at it; later it is gone, as in HAProxy.
pub fn request<'a>(context: &SampleContext<'a>) -> Option<&'a Message> {
    let message = &context.stream?.request;
    (context.phase < Phase::ResponseContent && !message.is_empty()).then_some(message)
}

/// The response, while rules look at it.
pub fn response<'a>(context: &SampleContext<'a>) -> Option<&'a Message> {
    let message = &context.stream?.response;
    let here = context.phase >= Phase::ResponseContent && context.phase != Phase::Log;
    (here && !message.is_empty()).then_some(message)
}

/// Whether what a header holds counts as one value, or each element between commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Line,
    Element,
}

/// Calls `found` with each value, until it says that it is enough.
fn each<'a>(
    message: &'a Message,
    name: &[u8],
    unit: Unit,
    mut found: impl FnMut(&'a [u8]) -> bool,
) {
    let mut enough = |value| match unit {
        Unit::Line => found(trim_blanks(value)),
        Unit::Element => raw_elements(value).any(&mut found),
    };
    if name.is_empty() {
        // Without a name any header counts.
        message.fields().any(|(_, value)| enough(value));
    } else {
        message.values(name).any(enough);
    }
}

/// The value at an index from 0, and whether another one follows.
fn nth<'a>(
    message: &'a Message,
    name: &[u8],
    unit: Unit,
    index: usize,
) -> Option<(&'a [u8], bool)> {
    let (mut here, mut more, mut at) = (None, false, 0);
    each(message, name, unit, |value| {
        if at == index {
            here = Some(value);
        }
        more = at > index;
        at += 1;
        more
    });
    here.map(|value| (value, more))
}

/// The value at an occurrence counted from the end, 1 being the last.
fn from_end<'a>(
    message: &'a Message,
    name: &[u8],
    unit: Unit,
    occurrence: usize,
) -> Option<&'a [u8]> {
    let (mut count, mut last) = (0usize, None);
    each(message, name, unit, |value| {
        count += 1;
        last = Some(value);
        false
    });
    if occurrence == 1 {
        return last;
    }
    nth(message, name, unit, count.checked_sub(occurrence)?).map(|(value, _)| value)
}

/// One value: the occurrence that is asked for, each in turn for an ACL, otherwise the last.
fn one<'a>(
    message: Option<&'a Message>,
    context: &SampleContext<'_>,
    args: &Arguments,
    unit: Unit,
) -> Option<&'a [u8]> {
    let (message, name) = (message?, args.str(0)?);
    let turn = context.occurrence.get();
    match args.int(1) {
        None | Some(0) if turn == SampleContext::LAST => from_end(message, name, unit, 1),
        None | Some(0) => {
            let (value, more) = nth(message, name, unit, turn)?;
            context.more.set(more);
            Some(value)
        }
        Some(n) if n > 0 => {
            let index = usize::try_from(n - 1).ok()?;
            nth(message, name, unit, index).map(|(value, _)| value)
        }
        Some(n) => from_end(message, name, unit, usize::try_from(n.unsigned_abs()).ok()?),
    }
}

fn text<'a>(
    message: Option<&'a Message>,
    context: &SampleContext<'_>,
    args: &Arguments,
    unit: Unit,
) -> Option<Value<'a>> {
    one(message, context, args, unit).map(Value::text)
}

fn number<'a>(
    message: Option<&'a Message>,
    context: &SampleContext<'_>,
    args: &Arguments,
) -> Option<Value<'a>> {
    let value = one(message, context, args, Unit::Element)?;
    Some(Value::Int(i64::from(integer(value))))
}

/// The integer that a header's or parameter's value is taken for, as HAProxy reads it: in 32 bits, to the
/// first character above `9`. What stands below `0` is taken for a negative digit.
pub fn integer(text: &[u8]) -> i32 {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let digits = digits.iter().map(|b| i32::from(*b as i8) - 48).take_while(|digit| *digit <= 9);
    let sign = if negative { -1 } else { 1 };
    digits.fold(0i32, |sum, digit| sum.wrapping_mul(10).wrapping_add(sign * digit))
}

/// The value as an address; an ACL passes over values that are none.
fn address<'a>(
    message: Option<&'a Message>,
    context: &SampleContext<'_>,
    args: &Arguments,
) -> Option<Value<'a>> {
    loop {
        context.more.set(false);
        let value = one(message, context, args, Unit::Element)?;
        if let Some(ip) = read_address(value) {
            return Some(Value::Ip(ip));
        }
        if !context.more.get() {
            return None;
        }
        context.occurrence.set(context.occurrence.get() + 1);
    }
}

fn read_address(value: &[u8]) -> Option<IpAddr> {
    if let Some((ip, _)) = leading_ipv4(value) {
        return Some(ip);
    }
    let v6: Ipv6Addr = std::str::from_utf8(value).ok()?.parse().ok()?;
    Some(v6.into())
}

/// The IPv4 address that a text begins with, and what follows it: anything but digits and dots.
pub fn leading_ipv4(text: &[u8]) -> Option<(IpAddr, &[u8])> {
    let end = text.iter().position(|b| !(b.is_ascii_digit() || *b == b'.')).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let mut octets = [0u8; 4];
    let mut parts = digits.split(|b| *b == b'.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| !part.is_empty())?;
        *octet = part
            .iter()
            .try_fold(0u8, |sum, digit| sum.checked_mul(10)?.checked_add(digit - b'0'))?;
    }
    parts.next().is_none().then(|| (IpAddr::from(octets), rest))
}

fn count<'a>(message: Option<&'a Message>, args: &Arguments, unit: Unit) -> Option<Value<'a>> {
    let mut count = 0;
    each(message?, args.str(0).unwrap_or_default(), unit, |_| {
        count += 1;
        false
    });
    Some(Value::Int(count))
}

fn names<'a>(message: Option<&'a Message>, args: &Arguments) -> Option<Value<'a>> {
    // A delimiter of no character is a NUL.
    let delimiter = args.str(0).map_or(b',', |text| text.first().copied().unwrap_or(0));
    let mut out = Vec::new();
    for (name, _) in message?.fields() {
        if !out.is_empty() {
            out.push(delimiter);
        }
        out.extend_from_slice(name);
    }
    Some(Value::string(out))
}

fn all(message: Option<&Message>) -> Option<Value<'static>> {
    let mut out = Vec::new();
    for (name, value) in message?.fields() {
        write::field(name, value, &mut out);
    }
    out.extend_from_slice(b"\r\n");
    Some(Value::string(out))
}

/// Each name and value behind its length, then an empty name and value (as in SPOE).
fn all_binary(message: Option<&Message>) -> Option<Value<'static>> {
    let mut out = Vec::new();
    for (name, value) in message?.fields() {
        for text in [name, value] {
            write_length(&mut out, text.len() as u64);
            out.extend_from_slice(text);
        }
    }
    out.extend_from_slice(&[0, 0]);
    Some(Value::Bin(out.into()))
}

/// A number in as few bytes as it needs (HAProxy's SPOE.txt, "Variable-length integer").
fn write_length(out: &mut Vec<u8>, mut number: u64) {
    if number < 240 {
        out.push(number as u8);
        return;
    }
    out.push(number as u8 | 240);
    number = (number - 240) >> 4;
    while number >= 128 {
        out.push(number as u8 | 128);
        number = (number - 128) >> 7;
    }
    out.push(number as u8);
}

/// Header names are compared in lower case; occurrences are counted back only so far.
fn check(args: &mut Arguments) -> Result<(), String> {
    if args.int(1).is_some_and(|n| n < -HISTORY) {
        return Err(format!("header occurrence must be >= {}", -HISTORY));
    }
    args.lower(0);
    Ok(())
}

fn check_name(args: &mut Arguments) -> Result<(), String> {
    args.lower(0);
    Ok(())
}

const ONE: Fetch = Fetch {
    args: &[ArgType::Str, ArgType::Int],
    gives: Type::Str,
    status: Status::Works,
    check,
    ..Fetch::NEW
};

const COUNT: Fetch = Fetch { args: &[ArgType::Str], gives: Type::Int, check: check_name, ..ONE };

const fn acl(name: &'static str, fetch: &'static str, method: &'static str) -> AclKeyword {
    AclKeyword { name, fetch, method }
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "hdr",
            valid: valid::MESSAGE,
            doc: "A value of a request header.",
            examples: &["hdr(host)", "hdr"],
            run: |c, args| text(request(c), c, args, Unit::Element),
            ..ONE
        },
        Fetch {
            name: "hdr_cnt",
            valid: valid::REQUEST,
            doc: "How many values a request header has, or all of them together.",
            examples: &["hdr_cnt(accept)"],
            run: |c, args| count(request(c), args, Unit::Element),
            ..COUNT
        },
        Fetch {
            name: "hdr_ip",
            gives: Type::Ipv4,
            valid: valid::REQUEST,
            doc: "A value of a request header as an address.",
            examples: &["hdr_ip(x-forwarded-for,-1)"],
            run: |c, args| address(request(c), c, args),
            ..ONE
        },
        Fetch {
            name: "hdr_val",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "A value of a request header as an integer.",
            examples: &["hdr_val(content-length)"],
            run: |c, args| number(request(c), c, args),
            ..ONE
        },
        Fetch {
            name: "req.fhdr",
            valid: valid::REQUEST,
            doc: "A whole request header line, commas included.",
            examples: &["req.fhdr(user-agent)"],
            run: |c, args| text(request(c), c, args, Unit::Line),
            ..ONE
        },
        Fetch {
            name: "req.fhdr_cnt",
            valid: valid::REQUEST,
            doc: "How many request header lines have this name.",
            examples: &["req.fhdr_cnt(accept)"],
            run: |c, args| count(request(c), args, Unit::Line),
            ..COUNT
        },
        Fetch {
            name: "req.hdr",
            valid: valid::REQUEST,
            doc: "A value of a request header: the last one, the one asked for, or for an ACL each in turn.",
            examples: &["req.hdr(host)", "req.hdr(x-forwarded-for,-1)"],
            run: |c, args| text(request(c), c, args, Unit::Element),
            ..ONE
        },
        Fetch {
            name: "req.hdr_cnt",
            valid: valid::REQUEST,
            doc: "How many values a request header has.",
            examples: &["req.hdr_cnt(accept)"],
            run: |c, args| count(request(c), args, Unit::Element),
            ..COUNT
        },
        Fetch {
            name: "req.hdr_ip",
            gives: Type::Ipv4,
            valid: valid::REQUEST,
            doc: "A value of a request header as an address.",
            examples: &["req.hdr_ip(x-forwarded-for)"],
            run: |c, args| address(request(c), c, args),
            ..ONE
        },
        Fetch {
            name: "req.hdr_names",
            args: &[ArgType::Str],
            check: |_| Ok(()),
            valid: valid::REQUEST,
            doc: "All request header names, joined by a comma or another character.",
            examples: &["req.hdr_names", "req.hdr_names(;)"],
            run: |c, args| names(request(c), args),
            ..ONE
        },
        Fetch {
            name: "req.hdr_val",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "A value of a request header as an integer.",
            examples: &["req.hdr_val(content-length)"],
            run: |c, args| number(request(c), c, args),
            ..ONE
        },
        Fetch {
            name: "req.hdrs",
            args: &[],
            check: |_| Ok(()),
            gives: Type::Bin,
            valid: valid::REQUEST,
            doc: "All request headers as text.",
            examples: &["req.hdrs"],
            run: |c, _| all(request(c)),
            ..ONE
        },
        Fetch {
            name: "req.hdrs_bin",
            args: &[],
            check: |_| Ok(()),
            gives: Type::Bin,
            valid: valid::REQUEST,
            doc: "All request headers in a binary form.",
            examples: &["req.hdrs_bin"],
            run: |c, _| all_binary(request(c)),
            ..ONE
        },
        Fetch {
            name: "res.fhdr",
            valid: valid::RESPONSE,
            doc: "A whole response header line, commas included.",
            examples: &["res.fhdr(server)"],
            run: |c, args| text(response(c), c, args, Unit::Line),
            ..ONE
        },
        Fetch {
            name: "res.fhdr_cnt",
            valid: valid::RESPONSE,
            doc: "How many response header lines have this name.",
            examples: &["res.fhdr_cnt(vary)"],
            run: |c, args| count(response(c), args, Unit::Line),
            ..COUNT
        },
        Fetch {
            name: "res.hdr",
            valid: valid::RESPONSE,
            doc: "A value of a response header; commas separate values.",
            examples: &["res.hdr(server)"],
            run: |c, args| text(response(c), c, args, Unit::Element),
            ..ONE
        },
        Fetch {
            name: "res.hdr_cnt",
            valid: valid::RESPONSE,
            doc: "How many values a response header has.",
            examples: &["res.hdr_cnt(vary)"],
            run: |c, args| count(response(c), args, Unit::Element),
            ..COUNT
        },
        Fetch {
            name: "res.hdr_ip",
            gives: Type::Ipv4,
            valid: valid::RESPONSE,
            doc: "A value of a response header as an address.",
            examples: &["res.hdr_ip(x-server)"],
            run: |c, args| address(response(c), c, args),
            ..ONE
        },
        Fetch {
            name: "res.hdr_names",
            args: &[ArgType::Str],
            check: |_| Ok(()),
            valid: valid::RESPONSE,
            doc: "All response header names, joined by a comma or another character.",
            examples: &["res.hdr_names"],
            run: |c, args| names(response(c), args),
            ..ONE
        },
        Fetch {
            name: "res.hdr_val",
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "A value of a response header as an integer.",
            examples: &["res.hdr_val(content-length)"],
            run: |c, args| number(response(c), c, args),
            ..ONE
        },
        Fetch {
            name: "res.hdrs",
            args: &[],
            check: |_| Ok(()),
            gives: Type::Bin,
            valid: valid::RESPONSE,
            doc: "All response headers as text.",
            examples: &["res.hdrs"],
            run: |c, _| all(response(c)),
            ..ONE
        },
        Fetch {
            name: "res.hdrs_bin",
            args: &[],
            check: |_| Ok(()),
            gives: Type::Bin,
            valid: valid::RESPONSE,
            doc: "All response headers in a binary form.",
            examples: &["res.hdrs_bin"],
            run: |c, _| all_binary(response(c)),
            ..ONE
        },
        Fetch {
            name: "shdr",
            valid: valid::RESPONSE,
            doc: "A value of a response header.",
            examples: &["shdr(server)"],
            run: |c, args| text(response(c), c, args, Unit::Element),
            ..ONE
        },
        Fetch {
            name: "shdr_cnt",
            valid: valid::RESPONSE,
            doc: "How many values a response header has.",
            examples: &["shdr_cnt(vary)"],
            run: |c, args| count(response(c), args, Unit::Element),
            ..COUNT
        },
        Fetch {
            name: "shdr_ip",
            gives: Type::Ipv4,
            valid: valid::RESPONSE,
            doc: "A value of a response header as an address.",
            examples: &["shdr_ip(x-server)"],
            run: |c, args| address(response(c), c, args),
            ..ONE
        },
        Fetch {
            name: "shdr_val",
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "A value of a response header as an integer.",
            examples: &["shdr_val(content-length)"],
            run: |c, args| number(response(c), c, args),
            ..ONE
        },
    ],
    acl_keywords: &[
        acl("hdr", "req.hdr", "str"),
        acl("hdr_beg", "req.hdr", "beg"),
        acl("hdr_dir", "req.hdr", "dir"),
        acl("hdr_dom", "req.hdr", "dom"),
        acl("hdr_end", "req.hdr", "end"),
        acl("hdr_len", "req.hdr", "len"),
        acl("hdr_reg", "req.hdr", "reg"),
        acl("hdr_sub", "req.hdr", "sub"),
        acl("shdr", "res.hdr", "str"),
        acl("shdr_beg", "res.hdr", "beg"),
        acl("shdr_dir", "res.hdr", "dir"),
        acl("shdr_dom", "res.hdr", "dom"),
        acl("shdr_end", "res.hdr", "end"),
        acl("shdr_len", "res.hdr", "len"),
        acl("shdr_reg", "res.hdr", "reg"),
        acl("shdr_sub", "res.hdr", "sub"),
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::http::message::Version;

    fn message() -> Message {
        let mut message = Message::default();
        message.set_request_line(b"GET", b"/", Version::HTTP_11);
        for (name, value) in [("a", "1, 2"), ("b", ""), ("a", "3,"), ("c", "\"x,y\"")] {
            message.add(name.as_bytes(), value.as_bytes());
        }
        message
    }

    #[test]
    fn values_are_counted_from_both_ends() {
        let message = message();
        let at = |index| nth(&message, b"a", Unit::Element, index);
        assert_eq!(at(0), Some((&b"1"[..], true)));
        assert_eq!(at(3), Some((&b""[..], false)));
        assert_eq!(at(4), None);
        assert_eq!(from_end(&message, b"a", Unit::Element, 2), Some(&b"3"[..]));
        assert_eq!(from_end(&message, b"a", Unit::Line, 1), Some(&b"3,"[..]));
        assert_eq!(from_end(&message, b"", Unit::Element, 1), Some(&b"\"x,y\""[..]));
        assert_eq!(from_end(&message, b"a", Unit::Line, 3), None);
    }

    #[test]
    fn an_address_may_be_followed_by_something() {
        let read = |text: &[u8]| read_address(text).map(|ip| ip.to_string());
        assert_eq!(read(b"10.1.2.3"), Some("10.1.2.3".into()));
        assert_eq!(read(b"10.1.2.3:80"), Some("10.1.2.3".into()));
        assert_eq!(read(b"010.1.2.003x"), Some("10.1.2.3".into()));
        assert_eq!(read(b"10.1.2"), None);
        assert_eq!(read(b"10.1.2.256"), None);
        assert_eq!(read(b"10.1.2.3.4"), None);
        assert_eq!(read(b"2001:db8::1"), Some("2001:db8::1".into()));
    }

    #[test]
    fn lengths_take_as_few_bytes_as_they_need() {
        let bytes = |number| {
            let mut out = Vec::new();
            write_length(&mut out, number);
            out
        };
        assert_eq!(bytes(239), [239]);
        assert_eq!(bytes(240), [240, 0]);
        assert_eq!(bytes(2287), [255, 127]);
        assert_eq!(bytes(2288), [240, 128, 0]);
    }
}
