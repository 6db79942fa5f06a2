//! Lists of certificates (manual 5.1 "crt-list"): in comes a file's text, out come its entries, each a
//! certificate with the options and names it is used for, or the first mistake as HAProxy words it.

use std::path::Path;

use crate::catalog;
use crate::config::args::{OptionLine, Parsed, Words};
use crate::config::spec::BindSpec;
use crate::config::words::Word;

/// A line holds at most this many bytes, its LF included.
const LONGEST_LINE: usize = 65_535;
/// A line holds at most this many words.
const MOST_WORDS: usize = 2_048;

/// The options of `bind` that a line may give for its certificate, and whether they take a value.
const OPTIONS: &[(&str, bool)] = &[
    ("allow-0rtt", false),
    ("alpn", true),
    ("ca-file", true),
    ("ca-verify-file", true),
    ("ciphers", true),
    ("ciphersuites", true),
    ("crl-file", true),
    ("curves", true),
    ("ecdhe", true),
    ("no-ca-names", false),
    ("npn", true),
    ("ssl-max-ver", true),
    ("ssl-min-ver", true),
    ("verify", true),
];

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEntry {
    /// The certificate's file as written, under `crt-base` when it is relative.
    pub certificate: String,
    /// Options with their values, empty for those without one.
    pub options: Vec<(String, String)>,
    /// The names it is used for; `!` before a name excludes it.
    pub filters: Vec<String>,
    /// 1-based.
    pub line: u32,
}

/// Says what is wrong with an option and its value.
pub type CheckOption<'a> = &'a mut dyn FnMut((&str, &str)) -> Result<(), String>;

/// Reads the file that `crt-list` names on a `bind` line.
pub fn option(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let Some(name) = line.word().map(|word| word.str().into_owned()) else {
        return Err(line.alert("'crt-list' : missing certificate location"));
    };
    let text = match line.outside.read_file(Path::new(&name)) {
        Ok(text) => text,
        // 2.3 reads nothing from a directory.
        Err(e) if e.kind() == std::io::ErrorKind::IsADirectory => return Ok(()),
        Err(e) => {
            let why = crate::config::source::reason(&e);
            return Err(line.alert(format!("'crt-list' : cannot open file '{name}' : {why}")));
        }
    };
    let entries = read(&name, &text, &mut |words| check_option(line, bind, words));
    entries.map(drop).map_err(|e| line.alert(format!("'crt-list' : {e}")))
}

/// Reads the options of an entry as those of the `bind` line are read.
fn check_option(
    line: &mut OptionLine<'_, '_>,
    bind: &BindSpec,
    (name, value): (&str, &str),
) -> Result<(), String> {
    let Some(row) = catalog::bind_option(name) else { return Ok(()) };
    let words: Vec<Word> = [name, value].map(Word::new).into();
    let mut inner = OptionLine {
        words: Words { all: &words, next: 1, place: line.words.place },
        name: row.name,
        subject: line.subject.clone(),
        in_default: false,
        mode: line.mode,
        environment: line.environment,
        outside: &mut *line.outside,
        diagnostics: &mut *line.diagnostics,
    };
    let before = format!("parsing [{}] : ", line.words.place);
    (row.parse)(&mut inner, &mut bind.clone())
        .map_err(|e| e.text.strip_prefix(&before).unwrap_or(&e.text).to_owned())
}

/// Reads a list. `check` is asked about every option and its value.
///
/// # Errors
/// The first mistake, in HAProxy's words.
pub fn read(
    name: &str,
    text: &[u8],
    check: CheckOption<'_>,
) -> Result<Vec<CertificateEntry>, String> {
    let mut entries = Vec::new();
    let mut rest = text;
    let mut number = 0u32;
    while !rest.is_empty() {
        number += 1;
        let end = memchr::memchr(b'\n', rest);
        let (raw, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        rest = after;
        let at = format!("parsing [{name}:{number}]");
        let line = raw.split(|b| *b == 0).next().unwrap_or_default();
        if raw.len() > LONGEST_LINE || (raw.len() == LONGEST_LINE && end.is_none()) {
            return Err(format!("{at}: line too long, limit is {LONGEST_LINE} characters"));
        }
        if matches!(line.first(), Some(b'#' | b'\n' | b'\r')) {
            continue;
        }
        let whole = line.strip_suffix(b"\n");
        if let Some(mut entry) = parse_line(whole.unwrap_or(line), &at, check)? {
            entry.line = number;
            entries.push(entry);
        }
        if whole.is_none() {
            let position = line.len() + 1;
            return Err(match rest.is_empty() {
                true => format!(
                    "{at}: Missing LF on last line, file might have been truncated at position {position}."
                ),
                false => format!("{at}: Stray NUL character at position {position}."),
            });
        }
    }
    Ok(entries)
}

/// The words of a line, and between which of them its brackets stand.
struct Split {
    words: Vec<String>,
    open: Option<usize>,
    close: Option<usize>,
}

fn split(line: &[u8], at: &str) -> Result<Split, String> {
    let mut split = Split { words: Vec::new(), open: None, close: None };
    let mut word: Vec<u8> = Vec::new();
    let flush = |word: &mut Vec<u8>, words: &mut Vec<String>| {
        if !word.is_empty() {
            words.push(String::from_utf8_lossy(word).into_owned());
            word.clear();
        }
        match words.len() > MOST_WORDS {
            true => Err(format!("{at}: too many args ")),
            false => Ok(()),
        }
    };
    for byte in line {
        if !(byte.is_ascii_whitespace() || *byte == 0x0b || b"[]".contains(byte)) {
            word.push(*byte);
            continue;
        }
        flush(&mut word, &mut split.words)?;
        match byte {
            b'[' if split.open.is_some() => return Err(format!("{at}: too many '['")),
            b'[' if split.words.is_empty() => {
                return Err(format!("{at}: file must start with a cert"));
            }
            b'[' => split.open = Some(split.words.len()),
            b']' if split.close.is_some() => return Err(format!("{at}: too many ']'")),
            b']' if split.open.is_none() => return Err(format!("{at}: missing '['")),
            b']' => split.close = Some(split.words.len()),
            _ => {}
        }
    }
    flush(&mut word, &mut split.words)?;
    Ok(split)
}

fn parse_line(
    line: &[u8],
    at: &str,
    check: CheckOption<'_>,
) -> Result<Option<CertificateEntry>, String> {
    let Split { words, open, close } = split(line, at)?;
    let Some(certificate) = words.first() else { return Ok(None) };
    let mut next = open.unwrap_or(1);
    // Without its end there are no options: what follows the bracket are names.
    let close = close.unwrap_or(0);
    let mut options = Vec::new();
    while next < close {
        let name = words.get(next).map_or("", String::as_str);
        let Some((_, takes_value)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
            return Err(format!("{at}: unknown ssl keyword {name}"));
        };
        let after = next + 1 + usize::from(*takes_value);
        if after > close {
            return Err(format!("{at}: ssl args out of '[]' for {name}"));
        }
        let value = if *takes_value { words.get(next + 1).map_or("", String::as_str) } else { "" };
        check((name, value))?;
        options.push((name.to_owned(), value.to_owned()));
        next = after;
    }
    let filters = words.get(next..).unwrap_or_default().to_vec();
    Ok(Some(CertificateEntry { certificate: certificate.clone(), options, filters, line: 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<CertificateEntry>, String> {
        read("l", text.as_bytes(), &mut |_| Ok(()))
    }

    #[test]
    fn entries_have_options_and_names() {
        let entry = |certificate: &str, options: &[(&str, &str)], filters: &[&str], line| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            CertificateEntry {
                certificate: certificate.to_owned(),
                options: options.iter().map(owned).collect(),
                filters: filters.iter().map(|f| (*f).to_owned()).collect(),
                line,
            }
        };
        let text = "# all\n\n a.pem [alpn h2 allow-0rtt] *.a.org !b.a.org\r\n \nb.pem[verify none]c\nd.pem [alpn h2\ne.pem []\nf.pem x # y\n";
        let expected = vec![
            entry("a.pem", &[("alpn", "h2"), ("allow-0rtt", "")], &["*.a.org", "!b.a.org"], 3),
            entry("b.pem", &[("verify", "none")], &["c"], 5),
            entry("d.pem", &[], &["alpn", "h2"], 6),
            entry("e.pem", &[], &[], 7),
            entry("f.pem", &[], &["x", "#", "y"], 8),
        ];
        assert_eq!(list(text), Ok(expected));
    }

    /// Recorded from 2.3.0 with TLS.
    #[test]
    fn mistakes_are_worded_as_2_3_does() {
        let long = format!("{}\n", "a".repeat(LONGEST_LINE));
        let cases = [
            ("a", "Missing LF on last line, file might have been truncated at position 2."),
            ("a\0b\nc\n", "Stray NUL character at position 2."),
            ("a\0b\n", "Missing LF on last line, file might have been truncated at position 2."),
            ("a alpn h2]\n", "missing '['"),
            ("[alpn h2] a\n", "file must start with a cert"),
            ("a [[alpn h2]]\n", "too many '['"),
            ("a [alpn h2] [x]\n", "too many '['"),
            ("a [alpn h2]]\n", "too many ']'"),
            ("a [alpn] b\n", "ssl args out of '[]' for alpn"),
            ("a [nosuch x]\n", "unknown ssl keyword nosuch"),
            ("a [crt b]\n", "unknown ssl keyword crt"),
            (&long, "line too long, limit is 65535 characters"),
        ];
        for (text, told) in cases {
            assert_eq!(list(text), Err(format!("parsing [l:1]: {told}")), "{}", text.len());
        }
        let told = read("l", b"a [alpn h2]\nb [verify x]\n", &mut |(name, value)| match name {
            "verify" => Err(format!("no {value}")),
            _ => Ok(()),
        });
        assert_eq!(told, Err("no x".to_owned()));
    }
}
