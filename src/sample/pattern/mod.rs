//! Patterns that a sample is matched against (manual 7.1): `-m METHOD` and what an ACL's or a map's
//! entries mean. `elements` holds what was written, `index` finds in it; one file a kind of index.

pub mod elements;
pub mod index;
mod integer;
mod ip;
mod keys;
pub mod regex;
mod substring;

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

pub use ip::{in_network, network};
pub use regex::{Regex, compile_regex};

use crate::config::words::Word;
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
    /// `regm`: the same; a map's value is filled in with the groups that matched.
    Regm,
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
        ("regm", Method::Regm),
    ];

    /// The method of this name.
    pub fn of_name(name: &str) -> Option<Method> {
        Method::NAMES.iter().find(|(n, _)| *n == name).map(|(_, method)| *method)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Method::NAMES.iter().find(|(_, method)| *method == self).map_or("int", |(name, _)| name)
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

    /// The sample as this method looks at it; `None` when it cannot.
    pub fn probe<'v>(self, value: &'v Value<'_>) -> Option<Probe<'v>> {
        let int = || match value {
            Value::Int(number) => Some(*number),
            Value::Bool(truth) => Some(i64::from(*truth)),
            other => match other.clone().cast(Type::Int) {
                Some(Value::Int(number)) => Some(number),
                _ => None,
            },
        };
        Some(match self {
            Method::Found => Probe::Present,
            Method::Bool | Method::Int | Method::Version => Probe::Int(int()?),
            Method::Ip => match value {
                Value::Ip(address) => Probe::Ip(*address),
                other => match other.clone().cast(Type::Addr) {
                    Some(Value::Ip(address)) => Probe::Ip(address),
                    _ => return None,
                },
            },
            Method::Len => Probe::Int(text_of(value).len() as i64),
            Method::Bin => match value {
                Value::Int(_) | Value::Ip(_) => match value.clone().cast(Type::Bin)? {
                    Value::Bin(bytes) => Probe::Text(Cow::Owned(bytes.into_owned())),
                    _ => return None,
                },
                other => Probe::Text(other.to_text()),
            },
            _ => Probe::Text(text_of(value)),
        })
    }
}

/// A value as text; of bytes, what stands before the first NUL.
fn text_of<'v>(value: &'v Value<'_>) -> Cow<'v, [u8]> {
    match value {
        Value::Bin(bytes) => {
            Cow::Borrowed(&bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())])
        }
        other => other.to_text(),
    }
}

/// A sample as a method looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe<'v> {
    /// There is one.
    Present,
    /// A number, or a length.
    Int(i64),
    /// An address.
    Ip(IpAddr),
    /// Bytes.
    Text(Cow<'v, [u8]>),
}

/// The numbers of an ACL, written as ranges: `gt 3 5` is `4:` and `6:` (manual 7.1.2).
pub fn operators(words: &[Word], versions: bool) -> Result<Vec<Vec<u8>>, String> {
    let mut operator = "eq";
    let mut list = Vec::new();
    for word in words {
        let text = word.str();
        match integer::OPERATORS.iter().find(|known| ***known == *text) {
            Some(known) => operator = known,
            None => list.push(integer::with_operator(operator, &text, versions)?.into_bytes()),
        }
    }
    Ok(list)
}

/// Finds the IPv4 address of a host name that stands among addresses.
pub type Resolve<'r> = &'r mut dyn FnMut(&str) -> Option<Ipv4Addr>;

/// Whether one text matches one pattern: what every index of texts must agree with.
pub fn text_matches(method: Method, fold: bool, text: &[u8], pattern: &[u8]) -> bool {
    let same = |a: &[u8], b: &[u8]| if fold { a.eq_ignore_ascii_case(b) } else { a == b };
    let length = pattern.len();
    match method {
        Method::Beg => text.get(..length).is_some_and(|t| same(t, pattern)),
        Method::End => text.len().checked_sub(length).is_some_and(|at| same(&text[at..], pattern)),
        Method::Sub if length == 0 => false,
        Method::Sub if !fold => memchr::memmem::find(text, pattern).is_some(),
        Method::Sub => holds_folded(text, pattern),
        Method::Dir => between(text, strip(pattern, DIR), DIR, &same),
        Method::Dom => between(text, strip(pattern, DOM), DOM, &same),
        _ => same(text, pattern),
    }
}

/// Whether the text holds the pattern, whatever the case: each place where its first letter stands is
/// looked at.
fn holds_folded(text: &[u8], pattern: &[u8]) -> bool {
    let Some(first) = pattern.first() else { return false };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let places = memchr::memchr2_iter(lower, upper, text);
    places
        .filter_map(|at| text.get(at..at + pattern.len()))
        .any(|t| t.eq_ignore_ascii_case(pattern))
}

/// What stands around directories.
const DIR: &[u8] = b"/?";
/// What stands around parts of domain names.
const DOM: &[u8] = b"/?.:";

/// The pattern without the delimiters around it.
fn strip<'p>(pattern: &'p [u8], delimiters: &[u8]) -> &'p [u8] {
    let is_delimiter = |b: &u8| delimiters.contains(b);
    let start = pattern.iter().position(|b| !is_delimiter(b)).unwrap_or(pattern.len());
    let end = pattern.iter().rposition(|b| !is_delimiter(b)).map_or(start, |e| e + 1);
    pattern.get(start..end).unwrap_or_default()
}

/// Whether the pattern stands between delimiters in the text. An empty one never does.
fn between(
    text: &[u8],
    pattern: &[u8],
    delimiters: &[u8],
    same: &dyn Fn(&[u8], &[u8]) -> bool,
) -> bool {
    let is_delimiter = |b: &u8| delimiters.contains(b);
    if pattern.is_empty() || pattern.len() > text.len() {
        return false;
    }
    (0..=text.len() - pattern.len()).any(|at| {
        let stop = at + pattern.len();
        let opens = at == 0 || text.get(at - 1).is_some_and(is_delimiter);
        let closes = stop == text.len() || text.get(stop).is_some_and(is_delimiter);
        opens && closes && same(&text[at..stop], pattern)
    })
}

/// Bytes written in hexadecimal.
fn hex(word: &[u8]) -> Result<Vec<u8>, String> {
    if !word.len().is_multiple_of(2) {
        return Err("an even number of hex digit is expected".to_owned());
    }
    let digit = |byte: u8| {
        let value = char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        value.ok_or_else(|| format!("an hex digit is expected (found '{}')", char::from(byte)))
    };
    let pairs = word.chunks_exact(2);
    pairs.map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_methods_compare_where_they_say() {
        let matches = |method, pattern: &str, text: &str| {
            text_matches(method, false, text.as_bytes(), pattern.as_bytes())
        };
        assert!(matches(Method::Beg, "/b", "/bc"));
        assert!(!matches(Method::Beg, "/abc", "/ab"));
        assert!(matches(Method::End, ".png", "/x.png"));
        assert!(matches(Method::Sub, "ell", "hello"));
        assert!(matches(Method::Dir, "img", "/a/img/b.png"));
        assert!(matches(Method::Dir, "/a/img/", "/a/img/b.png"));
        assert!(!matches(Method::Dir, "im", "/a/img/b.png"));
        assert!(matches(Method::Dom, "example", "www.example.com:80"));
        assert!(!matches(Method::Dom, ".", "www.example.com:80"));
    }

    #[test]
    fn bytes_are_read_from_hexadecimal() {
        assert_eq!(hex(b"0aFf"), Ok(vec![0x0a, 0xff]));
        assert_eq!(hex(b"2"), Err("an even number of hex digit is expected".into()));
        assert_eq!(hex(b"2g"), Err("an hex digit is expected (found 'g')".into()));
    }

    #[test]
    fn samples_are_cast_to_what_a_method_compares() {
        let text = |bytes: &'static [u8]| Some(Probe::Text(Cow::Borrowed(bytes)));
        assert_eq!(Method::Int.probe(&Value::text(b"42x")), Some(Probe::Int(42)));
        assert_eq!(Method::Len.probe(&Value::text(b"42x")), Some(Probe::Int(3)));
        assert_eq!(Method::Str.probe(&Value::Int(7)), text(b"7"));
        assert_eq!(Method::Bin.probe(&Value::Int(7)), text(b"\0\0\0\0\0\0\0\x07"));
        assert_eq!(Method::Ip.probe(&Value::text(b"x")), None);
    }
}
