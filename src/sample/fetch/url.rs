//! Fetches from the target of a request (manual 7.3.6). In: a request. Out: its path, its query, a
//! parameter, or a hash of what it asks for.

use std::net::IpAddr;

use crate::catalog::{AclKeyword, Fetch, Part, Status};
use crate::flow::http::message::{Message, raw_elements, trim_blanks};
use crate::sample::convert::hash::avalanche;
use crate::sample::fetch::header::{integer, leading_ipv4, request};
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext};

/// What stands before the first question mark.
fn without_query(path: &[u8]) -> &[u8] {
    memchr::memchr(b'?', path).map_or(path, |at| &path[..at])
}

fn base<'a>(request: &'a Message) -> Option<Value<'a>> {
    let host = request.get(b"host").and_then(|host| raw_elements(host).next()).unwrap_or_default();
    let path = request.path_and_query().map(without_query);
    if host.is_empty() {
        return path.map(Value::text);
    }
    let path = path.unwrap_or_default();
    Some(Value::string([host, path].concat()))
}

/// A hash of the host, by default its first element, and of the path.
fn base32(request: &Message) -> u32 {
    let host = request.get(b"host").and_then(|host| raw_elements(host).next()).unwrap_or_default();
    let path = request.path_and_query().map(without_query).unwrap_or_default();
    avalanche(sdbm(sdbm(0, host), path))
}

/// A hash of the host and of the path with the query.
fn url32(request: &Message) -> u32 {
    let host = request.get(b"host").map(trim_blanks).unwrap_or_default();
    let path = request.path_and_query().unwrap_or_default();
    avalanche(sdbm(sdbm(0, host), path))
}

/// Goes on with an SDBM hash; bytes above 127 count as negative, as in HAProxy.
fn sdbm(start: u32, text: &[u8]) -> u32 {
    let next = |hash: u32, b: &u8| hash.wrapping_mul(65_599).wrapping_add(*b as i8 as u32);
    text.iter().fold(start, next)
}

/// A hash and the client's address behind it.
fn with_source<'a>(context: &SampleContext<'a>, hash: u32) -> Option<Value<'a>> {
    let mut bytes = hash.to_be_bytes().to_vec();
    match context.session.source().ip()? {
        IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
    }
    Some(Value::Bin(bytes.into()))
}

/// The IPv4 address and port of `http://1.2.3.4:80/…`.
fn absolute(target: &[u8]) -> Option<(IpAddr, u16)> {
    let at = memchr::memmem::find(target, b"://")?;
    let (scheme, rest) = (target.get(..at)?, target.get(at + 3..)?);
    let usual = match scheme.to_ascii_lowercase().as_slice() {
        b"http" => 80,
        b"https" => 443,
        _ => return None,
    };
    let (ip, rest) = leading_ipv4(rest)?;
    let port = match rest.strip_prefix(b":") {
        None => usual,
        Some(rest) => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit());
            digits.fold(0u32, |sum, b| sum.wrapping_mul(10).wrapping_add(u32::from(b - b'0')))
                as u16
        }
    };
    Some((ip, port))
}

/// A parameter: the first of its name, or each in turn for an ACL. Without a name, each of them.
fn parameter<'a>(context: &SampleContext<'a>, args: &Arguments) -> Option<&'a [u8]> {
    let target = request(context)?.target();
    let name = args.str(0).unwrap_or_default();
    // An argument of no character is a NUL.
    let delimiter = args.str(1).map_or(b'?', |text| text.first().copied().unwrap_or(0));
    let mut rest = target.get(memchr::memchr(delimiter, target)? + 1..)?;
    let turn = match context.occurrence.get() {
        SampleContext::LAST => 0,
        turn => turn,
    };
    let mut value = next_parameter(&mut rest, name, delimiter)?;
    for _ in 0..turn {
        value = next_parameter(&mut rest, name, delimiter)?;
    }
    context.more.set(!rest.is_empty());
    Some(value)
}

/// The value of the next parameter of this name; `rest` becomes what follows it.
pub fn next_parameter<'a>(rest: &mut &'a [u8], name: &[u8], delimiter: u8) -> Option<&'a [u8]> {
    let ends = |b: &u8| matches!(b, b'&' | b';') || *b == delimiter;
    let value = if name.is_empty() {
        rest.get(memchr::memchr(b'=', rest)? + 1..)?
    } else {
        let mut here = *rest;
        loop {
            if *here.get(name.len())? == b'=' && here.starts_with(name) {
                break here.get(name.len() + 1..)?;
            }
            here = here.get(here.iter().position(ends)? + 1..)?;
        }
    };
    let (value, after) = value.split_at(value.iter().position(ends).unwrap_or(value.len()));
    *rest = after;
    Some(value)
}

const REQUEST: Fetch =
    Fetch { gives: Type::Str, valid: valid::REQUEST, status: Status::Works, ..Fetch::NEW };

const HASH: Fetch = Fetch { gives: Type::Int, ..REQUEST };

const KEY: Fetch = Fetch { gives: Type::Bin, ..REQUEST };

const PARAMETER: Fetch = Fetch { args: &[ArgType::Str, ArgType::Str], ..REQUEST };

const fn acl(name: &'static str, fetch: &'static str, method: &'static str) -> AclKeyword {
    AclKeyword { name, fetch, method }
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "base",
            doc: "The Host header and the path up to the query, joined.",
            examples: &["base"],
            run: |c, _| base(request(c)?),
            ..REQUEST
        },
        Fetch {
            name: "base32",
            doc: "A 32-bit hash of base.",
            examples: &["base32"],
            run: |c, _| Some(Value::Int(base32(request(c)?).into())),
            ..HASH
        },
        Fetch {
            name: "base32+src",
            doc: "The hash of base followed by the client's address, for stick tables.",
            examples: &["base32+src"],
            run: |c, _| with_source(c, base32(request(c)?)),
            ..KEY
        },
        Fetch {
            name: "path",
            doc: "The target's path, without the query.",
            examples: &["path"],
            run: |c, _| request(c)?.path_and_query().map(|path| Value::text(without_query(path))),
            ..REQUEST
        },
        Fetch {
            name: "pathq",
            doc: "The path of the request's target, with the query.",
            examples: &["pathq"],
            run: |c, _| request(c)?.path_and_query().map(Value::text),
            ..REQUEST
        },
        Fetch {
            name: "query",
            doc: "What follows the question mark.",
            examples: &["query"],
            run: |c, _| {
                let target = request(c)?.target();
                memchr::memchr(b'?', target).and_then(|at| target.get(at + 1..)).map(Value::text)
            },
            ..REQUEST
        },
        Fetch {
            name: "url",
            doc: "The target as received.",
            examples: &["url"],
            run: |c, _| Some(Value::text(request(c)?.target())),
            ..REQUEST
        },
        Fetch {
            name: "url32",
            doc: "A 32-bit hash of the Host header and the whole target.",
            examples: &["url32"],
            run: |c, _| Some(Value::Int(url32(request(c)?).into())),
            ..HASH
        },
        Fetch {
            name: "url32+src",
            doc: "The hash of url32 followed by the client's address, for stick tables.",
            examples: &["url32+src"],
            run: |c, _| with_source(c, url32(request(c)?)),
            ..KEY
        },
        Fetch {
            name: "url_ip",
            gives: Type::Ipv4,
            doc: "The address in an absolute target.",
            examples: &["url_ip"],
            run: |c, _| absolute(request(c)?.target()).map(|(ip, _)| Value::Ip(ip)),
            ..REQUEST
        },
        Fetch {
            name: "url_param",
            doc: "A parameter of the query, or of what follows another delimiter.",
            examples: &["url_param(id)", "url_param(id,;)", "url_param"],
            run: |c, args| parameter(c, args).map(Value::text),
            ..PARAMETER
        },
        Fetch {
            name: "url_port",
            doc: "The port in an absolute target.",
            examples: &["url_port"],
            run: |c, _| absolute(request(c)?.target()).map(|(_, port)| Value::Int(port.into())),
            ..HASH
        },
        Fetch {
            name: "urlp",
            doc: "A parameter of the query, or of what follows another delimiter.",
            examples: &["urlp(id)"],
            run: |c, args| parameter(c, args).map(Value::text),
            ..PARAMETER
        },
        Fetch {
            name: "urlp_val",
            gives: Type::Int,
            doc: "A parameter of the query as an integer.",
            examples: &["urlp_val(id)"],
            run: |c, args| parameter(c, args).map(|value| Value::Int(integer(value).into())),
            ..PARAMETER
        },
    ],
    acl_keywords: &[
        acl("base", "base", "str"),
        acl("base_beg", "base", "beg"),
        acl("base_dir", "base", "dir"),
        acl("base_dom", "base", "dom"),
        acl("base_end", "base", "end"),
        acl("base_len", "base", "len"),
        acl("base_reg", "base", "reg"),
        acl("base_sub", "base", "sub"),
        acl("path", "path", "str"),
        acl("path_beg", "path", "beg"),
        acl("path_dir", "path", "dir"),
        acl("path_dom", "path", "dom"),
        acl("path_end", "path", "end"),
        acl("path_len", "path", "len"),
        acl("path_reg", "path", "reg"),
        acl("path_sub", "path", "sub"),
        acl("url", "url", "str"),
        acl("url_beg", "url", "beg"),
        acl("url_dir", "url", "dir"),
        acl("url_dom", "url", "dom"),
        acl("url_end", "url", "end"),
        acl("url_len", "url", "len"),
        acl("url_reg", "url", "reg"),
        acl("url_sub", "url", "sub"),
        acl("urlp", "urlp", "str"),
        acl("urlp_beg", "urlp", "beg"),
        acl("urlp_dir", "urlp", "dir"),
        acl("urlp_dom", "urlp", "dom"),
        acl("urlp_end", "urlp", "end"),
        acl("urlp_len", "urlp", "len"),
        acl("urlp_reg", "urlp", "reg"),
        acl("urlp_sub", "urlp", "sub"),
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    fn values(query: &str, name: &str) -> Vec<String> {
        let mut rest = query.as_bytes();
        std::iter::from_fn(|| next_parameter(&mut rest, name.as_bytes(), b'?'))
            .map(|value| String::from_utf8(value.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn parameters_stand_between_delimiters() {
        assert_eq!(values("a=1&b=2;a=3?a=", "a"), ["1", "3", ""]);
        assert_eq!(values("aa=1&xa=2&a", "a"), [""; 0]);
        assert_eq!(values("a=1&b&c=3", ""), ["1", "3"]);
        assert_eq!(values("", "a"), [""; 0]);
    }

    #[test]
    fn absolute_targets_have_an_address_and_a_port() {
        let read = |t: &str| absolute(t.as_bytes()).map(|(ip, port)| format!("{ip} {port}"));
        assert_eq!(read("http://1.2.3.4/x"), Some("1.2.3.4 80".into()));
        assert_eq!(read("HTTPS://1.2.3.4"), Some("1.2.3.4 443".into()));
        assert_eq!(read("http://1.2.3.4:8080"), Some("1.2.3.4 8080".into()));
        assert_eq!(read("ftp://1.2.3.4/"), None);
        assert_eq!(read("http://x.y/"), None);
        assert_eq!(read("/x"), None);
    }
}
