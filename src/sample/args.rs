//! Argument lists of sample fetches and converters: `(a,'b c',5)` becomes typed arguments (manual
//! 7.3, and 2.2 for the quotes within). Errors are worded as HAProxy 2.3 words them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::args::{TimeUnit, parse_size, parse_time};

/// The kinds of argument a fetch or converter may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgType {
    /// An integer.
    Int,
    /// Text.
    Str,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// An IPv4 mask.
    Mask4,
    /// An IPv6 mask.
    Mask6,
    /// A time.
    Time,
    /// A size.
    Size,
    /// The name of a frontend.
    Frontend,
    /// The name of a backend.
    Backend,
    /// The name of a stick table.
    Table,
    /// `server` or `backend/server`.
    Server,
    /// The name of a userlist.
    Userlist,
    /// A regular expression.
    Regex,
    /// Numbers separated by dots: a field within a Protocol Buffers message.
    FieldNumber,
}

impl ArgType {
    /// How HAProxy names the kind.
    pub fn word(self) -> &'static str {
        match self {
            ArgType::Int => "integer",
            ArgType::Str => "string",
            ArgType::Ipv4 => "IPv4 address",
            ArgType::Ipv6 => "IPv6 address",
            ArgType::Mask4 => "IPv4 mask",
            ArgType::Mask6 => "IPv6 mask",
            ArgType::Time => "delay",
            ArgType::Size => "size",
            ArgType::Frontend => "frontend",
            ArgType::Backend => "backend",
            ArgType::Table => "table",
            ArgType::Server => "server",
            ArgType::Userlist => "user list",
            ArgType::Regex => "regex",
            ArgType::FieldNumber => "Protocol buffers field number",
        }
    }
}

/// An argument list as usage lines have it: `(integer,string[,integer])`; empty when there are none.
pub fn signature(types: &[ArgType], required: usize) -> String {
    if types.is_empty() {
        return String::new();
    }
    let words: Vec<&str> = types.iter().map(|kind| kind.word()).collect();
    let (must, may) = words.split_at(required.min(words.len()));
    let (must, may) = (must.join(","), may.join(","));
    match (must.is_empty(), may.is_empty()) {
        (_, true) => format!("({must})"),
        (true, _) => format!("([{may}])"),
        _ => format!("({must}[,{may}])"),
    }
}

/// An argument that was given; names are resolved when the `World` is built.
#[derive(Debug, Clone)]
pub enum Argument {
    /// An integer, a time in milliseconds or a size in bytes.
    Int(i64),
    /// Text, or a name that stands for itself.
    Str(Box<[u8]>),
    /// An address or mask.
    Ip(IpAddr),
    /// An index into `World::proxies`.
    Proxy(usize),
    /// Indices of the proxy and of its server.
    Server(usize, usize),
    /// A variable's name.
    Variable(Box<[u8]>),
    /// What a file holds.
    Patterns(crate::state::map_file::Patterns),
    /// A compiled regular expression.
    Regex(crate::sample::pattern::Regex),
}

/// Why an argument list is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgsError {
    /// HAProxy's words.
    pub message: String,
    /// 0-based position of the argument in question.
    pub position: usize,
}

/// Reads an argument list at the beginning of `text`; gives the arguments and what follows the
/// closing bracket. Without an opening bracket there are no arguments, except that each required
/// name becomes an empty text, which later stands for the proxy at hand.
pub fn parse<'a>(
    text: &'a str,
    types: &[ArgType],
    required: usize,
) -> Result<(Vec<Argument>, &'a str), ArgsError> {
    let mut args = Vec::new();
    let open = text.strip_prefix('(');
    let mut rest = open.unwrap_or("");
    if !types.is_empty() && (open.is_some() || required > 0) {
        for (position, kind) in types.iter().enumerate() {
            let (word, after) = word(rest, *kind, position)?;
            match argument(&word, *kind) {
                Ok(argument) => args.push(argument),
                Err(true) if position >= required => {
                    rest = after;
                    break;
                }
                Err(empty) => return Err(refused(&word, *kind, position, empty)),
            }
            rest = after;
            match rest.strip_prefix(',') {
                Some(after) if position + 1 < types.len() => rest = after,
                _ => break,
            }
        }
    }
    if args.len() < required {
        let kind = types.get(args.len()).map_or("", |kind| kind.word());
        let message =
            format!("missing arguments (got {}/{required}), type '{kind}' expected", args.len());
        return Err(ArgsError { message, position: args.len() });
    }
    if open.is_none() {
        return Ok((args, text));
    }
    match rest.strip_prefix(')') {
        Some(after) => Ok((args, after)),
        None => Err(ArgsError {
            message: format!("expected ')' before '{rest}'"),
            position: if args.len() > 1 { args.len() - 1 } else { args.len() },
        }),
    }
}

fn refused(word: &str, kind: ArgType, position: usize, empty: bool) -> ArgsError {
    let (kind, place) = (kind.word(), position + 1);
    let message = if empty {
        format!("expected type '{kind}' at position {place}, but got nothing")
    } else {
        format!("failed to parse '{word}' as type '{kind}' at position {place}")
    };
    ArgsError { message, position }
}

/// One argument without its quotes and escapes, up to an unquoted comma or closing bracket.
fn word(text: &str, kind: ArgType, position: usize) -> Result<(String, &str), ArgsError> {
    let mut out = String::new();
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None | Some('"'), '\\') => {
                let escaped = match text[at + 1..].chars().next() {
                    Some(c @ ('\\' | ' ' | '"' | '\'')) => c,
                    Some('r') => '\r',
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(_) => {
                        out.push('\\');
                        continue;
                    }
                    None => {
                        let (kind, place) = (kind.word(), position + 1);
                        let message = format!(
                            "failed to parse '\\' after '{out}' as type '{kind}' at position {place}"
                        );
                        return Err(ArgsError { message, position });
                    }
                };
                out.push(escaped);
                chars.next();
            }
            (None, ',' | ')') => return Ok((out, &text[at..])),
            (_, c) => out.push(c),
        }
    }
    Ok((out, ""))
}

/// The typed argument; an error says whether the word was empty.
fn argument(word: &str, kind: ArgType) -> Result<Argument, bool> {
    let by_name = matches!(
        kind,
        ArgType::Str
            | ArgType::Frontend
            | ArgType::Backend
            | ArgType::Table
            | ArgType::Server
            | ArgType::Userlist
            | ArgType::Regex
    );
    if by_name {
        return Ok(Argument::Str(word.as_bytes().into()));
    }
    if word.is_empty() {
        return Err(true);
    }
    let parsed = match kind {
        ArgType::Int => int(word).map(Argument::Int),
        ArgType::Ipv4 => word.parse::<Ipv4Addr>().ok().map(|ip| Argument::Ip(ip.into())),
        ArgType::Ipv6 => word.parse::<Ipv6Addr>().ok().map(|ip| Argument::Ip(ip.into())),
        ArgType::Mask4 => mask4(word).map(|ip| Argument::Ip(ip.into())),
        ArgType::Mask6 => mask6(word).map(|ip| Argument::Ip(ip.into())),
        ArgType::Time => parse_time(word.as_bytes(), TimeUnit::Milliseconds)
            .ok()
            .and_then(|time| i64::try_from(time.as_millis()).ok())
            .map(Argument::Int),
        ArgType::Size => parse_size(word.as_bytes())
            .ok()
            .and_then(|size| i64::try_from(size).ok())
            .map(Argument::Int),
        _ => field_path(word).map(|path| Argument::Str(path.into())),
    };
    parsed.ok_or(false)
}

/// A decimal integer with an optional sign; beyond 64 bits it saturates, as in HAProxy.
fn int(word: &str) -> Option<i64> {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(crate::config::args::parse_lenient(word.as_bytes()))
}

/// Numbers between dots; none stands for 0, but not at the end.
fn field_path(word: &str) -> Option<Vec<u8>> {
    let mut numbers: Vec<&str> = word.split('.').collect();
    let digits = |text: &&str| text.bytes().all(|b| b.is_ascii_digit());
    if !numbers.iter().all(digits) || (numbers.len() > 1 && word.ends_with('.')) {
        return None;
    }
    numbers.iter_mut().filter(|number| number.is_empty()).for_each(|number| *number = "0");
    Some(numbers.join(".").into_bytes())
}

/// An IPv4 mask, as a prefix length or as an address.
pub fn mask4(word: &str) -> Option<Ipv4Addr> {
    if let Ok(bits) = word.parse::<u32>() {
        let shift = 32u32.checked_sub(bits)?;
        return Some(u32::MAX.checked_shl(shift).unwrap_or(0).into());
    }
    word.parse().ok()
}

/// An IPv6 mask, as a prefix length or as an address.
pub fn mask6(word: &str) -> Option<Ipv6Addr> {
    if let Ok(bits) = word.parse::<u32>() {
        let shift = 128u32.checked_sub(bits)?;
        return Some(u128::MAX.checked_shl(shift).unwrap_or(0).into());
    }
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::ArgType::*;
    use super::*;

    fn list(text: &str, types: &[ArgType], required: usize) -> Result<(usize, String), String> {
        parse(text, types, required)
            .map(|(args, rest)| (args.len(), rest.to_owned()))
            .map_err(|e| e.message)
    }

    #[test]
    fn lists_end_at_the_bracket() {
        assert_eq!(list("(a,5),lower", &[Str, Int], 1), Ok((2, ",lower".into())));
        assert_eq!(list("(a)]", &[Str, Int], 1), Ok((1, "]".into())));
        assert_eq!(list(",lower", &[], 0), Ok((0, ",lower".into())));
        assert_eq!(list("()", &[Int], 0), Ok((0, "".into())));
        assert_eq!(list("", &[Table], 1), Ok((1, "".into())));
    }

    #[test]
    fn quotes_protect_commas_and_brackets() {
        let (args, rest) = parse(r#"('a,)',"b\" ",c\\)x"#, &[Str, Str, Str], 3).unwrap();
        let texts: Vec<_> = args
            .iter()
            .map(|a| match a {
                Argument::Str(text) => String::from_utf8_lossy(text).into_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((texts, rest), (vec!["a,)".into(), "b\" ".into(), "c\\".into()], "x"));
    }

    #[test]
    fn mistakes_are_worded_as_2_3_does() {
        let told = |text, types: &[ArgType], required| list(text, types, required).unwrap_err();
        assert_eq!(told("(x)", &[Int], 1), "failed to parse 'x' as type 'integer' at position 1");
        assert_eq!(told("()", &[Int], 1), "expected type 'integer' at position 1, but got nothing");
        assert_eq!(
            told("(1)", &[Int, Str], 2),
            "missing arguments (got 1/2), type 'string' expected"
        );
        assert_eq!(told("(a,b)", &[Str], 1), "expected ')' before ',b)'");
        assert_eq!(told("(x)", &[], 0), "expected ')' before 'x)'");
        assert_eq!(told("(host", &[Str, Int], 0), "expected ')' before ''");
    }

    #[test]
    fn masks() {
        assert_eq!(mask4("24"), Some(Ipv4Addr::new(255, 255, 255, 0)));
        assert_eq!(mask4("255.255.0.0"), Some(Ipv4Addr::new(255, 255, 0, 0)));
        assert_eq!(mask4("33"), None);
        assert_eq!(mask4("0"), Some(Ipv4Addr::UNSPECIFIED));
        assert_eq!(mask6("64"), Some("ffff:ffff:ffff:ffff::".parse().unwrap()));
    }
}
