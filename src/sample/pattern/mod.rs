//! Patterns that a sample is matched against (manual 7.1): `-m METHOD` and what an ACL's values mean.

use std::net::IpAddr;

use regex::bytes::{Regex, RegexBuilder};

use crate::sample::value::{Type, Value};

/// A match method, as after `-m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `found`: there is a sample at all.
    Found,
    /// `bool`: the sample is true.
    Bool,
    /// `int`: the sample is one of these numbers or in one of these ranges.
    Int,
    /// As `int`, of versions such as `3.1`: major times 65,536 plus minor. Cannot be named.
    Version,
    /// `ip`: the sample is in one of these networks.
    Ip,
    /// `bin`: the sample is one of these bytes, written in hexadecimal.
    Bin,
    /// `len`: the sample's length is one of these numbers.
    Len,
    /// `str`: the sample is one of these texts.
    Str,
    /// `beg`: it begins with one of them.
    Beg,
    /// `end`: it ends with one of them.
    End,
    /// `sub`: it contains one of them.
    Sub,
    /// `dir`: one of them stands between slashes.
    Dir,
    /// `dom`: one of them stands between dots.
    Dom,
    /// `reg`: it matches one of these regular expressions.
    Reg,
}

impl Method {
    /// Names as after `-m`.
    pub const NAMES: &[(&str, Method)] = &[
        ("found", Method::Found),
        ("bool", Method::Bool),
        ("int", Method::Int),
        ("ip", Method::Ip),
        ("bin", Method::Bin),
        ("len", Method::Len),
        ("str", Method::Str),
        ("beg", Method::Beg),
        ("end", Method::End),
        ("sub", Method::Sub),
        ("dir", Method::Dir),
        ("dom", Method::Dom),
        ("reg", Method::Reg),
    ];

    /// The method of this name.
    pub fn of_name(name: &str) -> Option<Method> {
        Method::NAMES.iter().find(|(n, _)| *n == name).map(|(_, method)| *method)
    }

    /// What the sample is cast to before it is compared.
    pub fn takes(self) -> Type {
        match self {
            Method::Found => Type::Any,
            Method::Bool | Method::Int | Method::Version => Type::Int,
            Method::Ip => Type::Addr,
            Method::Bin => Type::Bin,
            _ => Type::Str,
        }
    }

    /// The method an expression of this type is matched with when none is named.
    pub fn of_type(kind: Type) -> Option<Method> {
        Some(match kind {
            Type::Bool => Method::Bool,
            Type::Int => Method::Int,
            Type::Addr | Type::Ipv4 | Type::Ipv6 => Method::Ip,
            Type::Str => Method::Str,
            Type::Method | Type::Bin | Type::Any => return None,
        })
    }
}

/// The values of one ACL, ready to match.
#[derive(Debug, Clone)]
pub enum Patterns {
    /// `found`
    Found,
    /// `bool`
    Bool,
    /// Inclusive ranges of integers.
    Int(Vec<(i64, i64)>),
    /// Inclusive ranges of lengths.
    Len(Vec<(i64, i64)>),
    /// Networks: address and prefix length.
    Ip(Vec<(IpAddr, u8)>),
    /// Exact bytes.
    Bin(Vec<Vec<u8>>),
    /// Texts with the way of comparing.
    Text(Method, bool, Vec<Vec<u8>>),
    /// Regular expressions.
    Reg(Vec<Regex>),
}

impl Patterns {
    /// Reads the values of an ACL. The error is worded as HAProxy's.
    pub fn parse(method: Method, ignore_case: bool, words: &[&[u8]]) -> Result<Patterns, String> {
        Ok(match method {
            Method::Found => Patterns::Found,
            Method::Bool => Patterns::Bool,
            Method::Int => Patterns::Int(ranges(words)?),
            Method::Version => {
                let plain: Result<Vec<_>, _> = words.iter().map(|w| versions(w)).collect();
                let plain = plain?;
                let words: Vec<&[u8]> = plain.iter().map(String::as_bytes).collect();
                Patterns::Int(ranges(&words)?)
            }
            Method::Len => Patterns::Len(ranges(words)?),
            Method::Ip => Patterns::Ip(networks(words)?),
            Method::Bin => Patterns::Bin(words.iter().map(|w| hex(w)).collect::<Result<_, _>>()?),
            Method::Reg => Patterns::Reg(
                words.iter().map(|w| regex(w, ignore_case)).collect::<Result<_, _>>()?,
            ),
            text => Patterns::Text(text, ignore_case, words.iter().map(|w| w.to_vec()).collect()),
        })
    }

    /// Whether the sample matches one of them.
    pub fn matches(&self, value: &Value<'_>) -> bool {
        match self {
            Patterns::Found => true,
            Patterns::Bool => matches!(value.clone().cast(Type::Bool), Some(Value::Bool(true))),
            Patterns::Int(ranges) => match value.clone().cast(Type::Int) {
                Some(Value::Int(number)) => within(ranges, number),
                _ => false,
            },
            Patterns::Len(ranges) => within(ranges, value.to_text().len() as i64),
            Patterns::Ip(networks) => match value.clone().cast(Type::Addr) {
                Some(Value::Ip(address)) => networks.iter().any(|n| in_network(address, *n)),
                _ => false,
            },
            Patterns::Bin(list) => list.iter().any(|p| *p == *value.to_text()),
            Patterns::Text(method, ignore_case, list) => {
                let text = value.to_text();
                list.iter().any(|p| text_matches(*method, *ignore_case, &text, p))
            }
            Patterns::Reg(list) => list.iter().any(|r| r.is_match(&value.to_text())),
        }
    }
}

fn within(ranges: &[(i64, i64)], number: i64) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&number))
}

/// `5`, `1:10`, `ge 3`, `lt 8` … (manual 7.1.2).
fn ranges(words: &[&[u8]]) -> Result<Vec<(i64, i64)>, String> {
    let mut list = Vec::new();
    let mut operator = "eq";
    for word in words {
        let text = String::from_utf8_lossy(word);
        match &*text {
            "eq" => operator = "eq",
            "ge" => operator = "ge",
            "gt" => operator = "gt",
            "le" => operator = "le",
            "lt" => operator = "lt",
            number => list.push(range(operator, number)?),
        }
    }
    Ok(list)
}

fn range(operator: &str, text: &str) -> Result<(i64, i64), String> {
    let plain = !text.contains([':', '-']);
    if plain && operator != "eq" {
        let number: i64 = text
            .parse()
            .map_err(|_| format!("'{text}' is neither a number nor a supported operator"))?;
        return Ok(match operator {
            "ge" => (number, i64::MAX),
            "gt" => (number.saturating_add(1), i64::MAX),
            "le" => (i64::MIN, number),
            _ => (i64::MIN, number.saturating_sub(1)),
        });
    }
    let parse = |t: &str| t.parse::<i64>().map_err(|_| format!("'{text}' is not a number"));
    let bounds = text.split_once(':').or_else(|| {
        let (low, high) = text.split_at_checked(1)?.1.split_once('-')?;
        Some((&text[..low.len() + 1], high))
    });
    let Some((low, high)) = bounds else { return parse(text).map(|n| (n, n)) };
    let low = if low.is_empty() { i64::MIN } else { parse(low)? };
    let high = if high.is_empty() { i64::MAX } else { parse(high)? };
    if low > high {
        return Err(format!("'{text}' is not a valid number range"));
    }
    Ok((low, high))
}

/// `3.1` or `3.0-3.1` as the numbers that ranges are made of; operators stay.
fn versions(word: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(word).into_owned();
    if matches!(&*text, "eq" | "ge" | "gt" | "le" | "lt") {
        return Ok(text);
    }
    let number = |part: &str| -> Result<String, String> {
        if part.is_empty() {
            return Ok(String::new());
        }
        let (major, minor) = part.split_once('.').unwrap_or((part, "0"));
        match (major.parse::<u16>(), minor.parse::<u16>()) {
            (Ok(major), Ok(minor)) => Ok((u32::from(major) << 16 | u32::from(minor)).to_string()),
            _ => Err(format!("'{text}' is not a dotted version")),
        }
    };
    match text.split_once(['-', ':']) {
        Some((low, high)) => Ok(format!("{}:{}", number(low)?, number(high)?)),
        None => number(&text),
    }
}

fn networks(words: &[&[u8]]) -> Result<Vec<(IpAddr, u8)>, String> {
    words.iter().map(|word| network(&String::from_utf8_lossy(word))).collect()
}

/// `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `::1`, `2001:db8::/32`.
pub fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let invalid = || format!("'{text}' is not a valid IPv4 or IPv6 address");
    let (address, mask) = text.split_once('/').map_or((text, None), |(a, m)| (a, Some(m)));
    let address: IpAddr = address.parse().map_err(|_| invalid())?;
    let full = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match mask {
        None => full,
        Some(mask) => match mask.parse::<u8>() {
            Ok(prefix) => prefix,
            Err(_) => {
                let mask: std::net::Ipv4Addr = mask.parse().map_err(|_| invalid())?;
                u32::from(mask).leading_ones() as u8
            }
        },
    };
    if prefix > full { Err(invalid()) } else { Ok((address, prefix)) }
}

/// Whether an address lies in a network; IPv4-mapped IPv6 addresses are looked at as IPv4.
pub fn in_network(address: IpAddr, (network, prefix): (IpAddr, u8)) -> bool {
    match (address.to_canonical(), network.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let prefix = if network.is_ipv6() { prefix.saturating_sub(96) } else { prefix };
            (u32::from(a) ^ u32::from(n)).checked_shr(32 - u32::from(prefix)).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            (u128::from(a) ^ u128::from(n)).checked_shr(128 - u32::from(prefix)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

fn hex(word: &[u8]) -> Result<Vec<u8>, String> {
    let invalid = || "an hex digit is expected".to_owned();
    if !word.len().is_multiple_of(2) {
        return Err("an even number of hex digit is expected".to_owned());
    }
    word.chunks(2)
        .map(|pair| {
            let text = std::str::from_utf8(pair).map_err(|_| invalid())?;
            u8::from_str_radix(text, 16).map_err(|_| invalid())
        })
        .collect()
}

fn regex(word: &[u8], ignore_case: bool) -> Result<Regex, String> {
    compile_regex(&String::from_utf8_lossy(word), ignore_case)
}

/// A regular expression on bytes. The error is worded as HAProxy words PCRE's.
pub fn compile_regex(text: &str, ignore_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(text).unicode(false).case_insensitive(ignore_case).build().map_err(|e| {
        let (error, offset) = pcre_error(text, &e.to_string());
        format!("regex '{text}' is invalid (error={error}, erroffset={offset})")
    })
}

/// PCRE's words for the commonest mistakes, and where it sees them.
fn pcre_error(text: &str, error: &str) -> (String, usize) {
    let known = [
        ("unclosed group", "missing closing parenthesis", text.len()),
        ("unclosed character class", "missing terminating ] for character class", text.len()),
        ("unopened group", "unmatched closing parenthesis", text.rfind(')').unwrap_or_default()),
        (
            "repetition operator missing expression",
            "quantifier does not follow a repeatable item",
            text.find(['*', '+', '?']).unwrap_or_default(),
        ),
        ("incomplete escape sequence", "\\ at end of pattern", text.len()),
    ];
    match known.into_iter().find(|(ours, _, _)| error.contains(ours)) {
        Some((_, pcre, offset)) => (pcre.to_owned(), offset),
        None => {
            let last = error.lines().last().unwrap_or_default();
            (last.trim_start_matches("error: ").to_owned(), 0)
        }
    }
}

fn text_matches(method: Method, ignore_case: bool, text: &[u8], pattern: &[u8]) -> bool {
    let same = |a: &[u8], b: &[u8]| if ignore_case { a.eq_ignore_ascii_case(b) } else { a == b };
    let length = pattern.len();
    match method {
        Method::Beg => text.get(..length).is_some_and(|t| same(t, pattern)),
        Method::End => text.len().checked_sub(length).is_some_and(|at| same(&text[at..], pattern)),
        Method::Sub if length == 0 => true,
        Method::Sub => text.windows(length).any(|t| same(t, pattern)),
        Method::Dir => between(text, pattern, b"/?", &same),
        Method::Dom => between(text, pattern, b"/?.:", &same),
        _ => same(text, pattern),
    }
}

/// Whether the pattern, without the delimiters around it, stands between delimiters in the text.
fn between(
    text: &[u8],
    pattern: &[u8],
    delimiters: &[u8],
    same: &dyn Fn(&[u8], &[u8]) -> bool,
) -> bool {
    let is_delimiter = |b: &u8| delimiters.contains(b);
    let start = pattern.iter().position(|b| !is_delimiter(b)).unwrap_or(pattern.len());
    let end = pattern.iter().rposition(|b| !is_delimiter(b)).map_or(start, |e| e + 1);
    let pattern = pattern.get(start..end).unwrap_or_default();
    if pattern.is_empty() || pattern.len() > text.len() {
        return pattern.is_empty();
    }
    (0..=text.len() - pattern.len()).any(|at| {
        let stop = at + pattern.len();
        let opens = at == 0 || text.get(at - 1).is_some_and(is_delimiter);
        let closes = stop == text.len() || text.get(stop).is_some_and(is_delimiter);
        opens && closes && same(&text[at..stop], pattern)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(method: Method, words: &[&str], text: &str) -> bool {
        let words: Vec<&[u8]> = words.iter().map(|w| w.as_bytes()).collect();
        Patterns::parse(method, false, &words).unwrap().matches(&Value::text(text.as_bytes()))
    }

    #[test]
    fn text_methods_compare_where_they_say() {
        assert!(matches(Method::Beg, &["/a", "/b"], "/bc"));
        assert!(!matches(Method::Beg, &["/abc"], "/ab"));
        assert!(matches(Method::End, &[".png"], "/x.png"));
        assert!(matches(Method::Sub, &["ell"], "hello"));
        assert!(matches(Method::Dir, &["img"], "/a/img/b.png"));
        assert!(!matches(Method::Dir, &["im"], "/a/img/b.png"));
        assert!(matches(Method::Dom, &["example"], "www.example.com:80"));
        assert!(matches(Method::Reg, &["^/[0-9]+$"], "/42"));
    }

    #[test]
    fn integers_take_operators_and_ranges() {
        assert!(matches(Method::Int, &["ge", "3"], "4"));
        assert!(!matches(Method::Int, &["lt", "3"], "3"));
        assert!(matches(Method::Int, &["1:5"], "5"));
    }

    #[test]
    fn networks_hold_their_addresses() {
        assert!(matches(Method::Ip, &["10.0.0.0/8"], "10.1.2.3"));
        assert!(matches(Method::Ip, &["10.0.0.0/255.0.0.0"], "10.1.2.3"));
        assert!(!matches(Method::Ip, &["10.0.0.0/8"], "11.1.2.3"));
        assert!(matches(Method::Ip, &["0.0.0.0/0"], "11.1.2.3"));
        assert!(matches(Method::Ip, &["2001:db8::/32"], "2001:db8::5"));
    }
}
