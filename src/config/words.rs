//! One configuration line becomes words (manual 2.1 to 2.3).
//!
//! In: the bytes of one line, without its LF, and a look-up of environment variables. Out: the
//! words with their columns, or the one [`WordsError`] that HAProxy reports for such a line.
//!
//! What HAProxy 2.3 does and its manual leaves open, found by running it: a CR or NUL ends the
//! line wherever it stands, even between quotes; `#` starts a comment even in the middle of a
//! word; a backslash before the end of the line is a backslash, there are no continuation lines;
//! `\$` is an escape only between double quotes, where alone variables are expanded; the word
//! `a\x00b` is `a`; blanks after the 64th word already count as a 65th.

use std::borrow::Cow;
use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till1, take_while, take_while_m_n, take_while1};
use nom::character::complete::anychar;
use nom::combinator::{map, opt, peek, recognize, value, verify};
use nom::error::{ErrorKind, ParseError};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// A line holds at most this many words.
pub const MAX_WORDS: usize = 64;

/// How many characters of a line are shown in an error's excerpt.
const EXCERPT: usize = 80;

/// One word of a configuration line, after quoting, escapes and environment variables.
///
/// May be empty (`""`, or an unset variable). Compares equal to another word with the same bytes,
/// wherever it stands.
#[derive(Debug, Clone, Eq)]
pub struct Word {
    bytes: Box<[u8]>,
    column: u32,
}

impl Word {
    /// A word that stands in no file; its column is 0.
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self::at(text, 0)
    }

    /// A word whose first byte stands in the 1-based byte column `column` of its line.
    pub fn at(text: impl Into<Vec<u8>>, column: u32) -> Self {
        Self { bytes: text.into().into_boxed_slice(), column }
    }

    /// The word as HAProxy stores it; need not be UTF-8.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The word as text, with U+FFFD for what is not UTF-8.
    pub fn str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// 1-based byte column of the word's first byte (or opening quote) in the raw line.
    pub fn column(&self) -> u32 {
        self.column
    }

    /// True for `""`. Most of HAProxy's parsers take an empty word for the end of the line.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Word) -> bool {
        self.bytes == other.bytes
    }
}

impl PartialEq<str> for Word {
    fn eq(&self, other: &str) -> bool {
        &*self.bytes == other.as_bytes()
    }
}

impl PartialEq<&str> for Word {
    fn eq(&self, other: &&str) -> bool {
        &*self.bytes == other.as_bytes()
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.str())
    }
}

/// What is wrong with a line that cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mistake {
    /// A quote without its partner.
    Quote,
    /// `${NAME` without `}`.
    Brace,
    /// `$` before something that cannot begin a name.
    VariableName,
    /// `\x` without two hexadecimal digits.
    Hex,
    /// `[` after a name, but not `[*]`.
    WordExpansion,
    /// More than [`MAX_WORDS`] words.
    TooManyWords,
}

/// Why a line cannot be split. `Display` gives what HAProxy writes after `parsing [file:line]: `,
/// which for all but too many words includes an excerpt and a caret on lines of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordsError {
    mistake: Mistake,
    column: u32,
    message: String,
}

impl WordsError {
    /// What is wrong.
    pub fn mistake(&self) -> Mistake {
        self.mistake
    }

    /// 1-based byte column of the offending character in the raw line.
    pub fn column(&self) -> u32 {
        self.column
    }

    /// The first line of the message.
    pub fn headline(&self) -> &str {
        self.message.split('\n').next().unwrap_or_default()
    }
}

impl fmt::Display for WordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WordsError {}

/// Splits one line, without its LF, into words. `env` answers the value of an environment
/// variable. A line that is empty or a comment has no words.
///
/// # Errors
/// The first mistake in the line; too many words only when nothing else is wrong.
pub fn split(line: &[u8], env: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Vec<Word>, WordsError> {
    let mut out = Splitter { line, env, words: Vec::new(), too_many: false, emitted: 0, last: 0 };
    let mut rest = blanks(line);
    loop {
        match word(rest) {
            Ok((after, pieces)) => {
                out.push(rest, pieces);
                if !after.first().is_some_and(|b| is_blank(*b) && !is_end(*b)) {
                    return out.finish();
                }
                out.separate();
                rest = blanks(after);
            }
            Err(nom::Err::Failure(problem)) => return Err(problem.describe(line)),
            Err(_) => return out.finish(),
        }
    }
}

/// Prints a word so that [`split`] gives the same word again, in any environment.
pub fn quote(word: &Word) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./:,;@%+=*?!^~&|<>{}()".contains(b);
    if !word.is_empty() && word.bytes().iter().all(plain) {
        return word.str().into_owned();
    }
    let mut out = String::from("\"");
    for chunk in word.bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' | '$' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if c.is_ascii_control() => out.push_str(&hex_escape(c as u8)),
                c => out.push(c),
            }
        }
        out.extend(chunk.invalid().iter().map(|b| hex_escape(*b)));
    }
    out.push('"');
    out
}

fn hex_escape(byte: u8) -> String {
    format!("\\x{byte:02x}")
}

/// Collects words, and counts as HAProxy counts.
struct Splitter<'a> {
    line: &'a [u8],
    env: &'a dyn Fn(&str) -> Option<Vec<u8>>,
    words: Vec<Word>,
    /// A word beyond [`MAX_WORDS`] was begun.
    too_many: bool,
    /// Bytes of all words so far, with a terminator each: the positions of "too many words".
    emitted: usize,
    /// Where in that output the last kept word begins.
    last: usize,
}

impl Splitter<'_> {
    /// Adds what stands at `at`: one word, or several where `[*]` expands a list.
    fn push(&mut self, at: &[u8], pieces: Vec<Piece<'_>>) {
        let column = column_of(self.line, at);
        let mut bytes = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => bytes.extend_from_slice(text),
                Piece::Byte(byte) => bytes.push(byte),
                Piece::Variable { name, list: false } => {
                    bytes.extend((self.env)(name).unwrap_or_default());
                }
                Piece::Variable { name, list: true } => {
                    for item in items(&(self.env)(name).unwrap_or_default()) {
                        match item {
                            Item::Text(text) => bytes.extend_from_slice(text),
                            Item::Next => self.close(std::mem::take(&mut bytes), column),
                        }
                    }
                }
            }
        }
        self.close(bytes, column);
    }

    fn close(&mut self, mut bytes: Vec<u8>, column: u32) {
        if self.words.len() == MAX_WORDS {
            self.too_many = true;
        } else {
            self.last = self.emitted;
            self.emitted += bytes.len() + 1;
            // A word is a C string: what follows `\x00` is not seen.
            if let Some(end) = memchr::memchr(0, &bytes) {
                bytes.truncate(end);
            }
            self.words.push(Word::at(bytes, column));
        }
    }

    /// A blank after the last word that fits opens one too many, even if none follows.
    fn separate(&mut self) {
        self.too_many |= self.words.len() == MAX_WORDS;
    }

    fn finish(self) -> Result<Vec<Word>, WordsError> {
        match self.words.last() {
            Some(last) if self.too_many => Err(WordsError {
                mistake: Mistake::TooManyWords,
                column: last.column,
                message: format!(
                    "too many words, truncating after word {MAX_WORDS}, position {}: <{last}>.",
                    self.last + 1
                ),
            }),
            _ => Ok(self.words),
        }
    }
}

/// A list variable's value, taken apart at its blanks.
enum Item<'a> {
    Text(&'a [u8]),
    Next,
}

/// A run of blanks separates; at either end it makes an empty word there, as in 2.3.
fn items(value: &[u8]) -> Vec<Item<'_>> {
    value
        .chunk_by(|a, b| is_blank(*a) == is_blank(*b))
        .map(
            |run| {
                if run.first().is_some_and(|b| is_blank(*b)) { Item::Next } else { Item::Text(run) }
            },
        )
        .collect()
}

/// A part of a word, as written.
#[derive(Debug, Clone, PartialEq)]
enum Piece<'a> {
    Text(&'a [u8]),
    Byte(u8),
    Variable { name: &'a str, list: bool },
}

/// A mistake and the rest of the line from where it stands.
#[derive(Debug)]
struct Problem<'a> {
    mistake: Mistake,
    at: &'a [u8],
}

impl<'a> ParseError<&'a [u8]> for Problem<'a> {
    fn from_error_kind(at: &'a [u8], _: ErrorKind) -> Self {
        // Only ever seen inside `Err::Error`, which means "not here", never reported.
        Self { mistake: Mistake::Quote, at }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl Problem<'_> {
    fn describe(&self, line: &[u8]) -> WordsError {
        let what = match self.mistake {
            Mistake::Quote => "unmatched quote",
            Mistake::Brace => "unmatched brace in environment variable name",
            Mistake::VariableName => "forbidden first char in environment variable name",
            Mistake::Hex => "truncated or invalid hexadecimal sequence",
            Mistake::WordExpansion => "truncated or invalid word expansion sequence",
            Mistake::TooManyWords => "too many words",
        };
        let column = column_of(line, self.at);
        let shown = blanks(line);
        let (text, caret) = excerpt(shown, shown.len().saturating_sub(self.at.len()));
        let message = format!("{what} at position {column}:\n  {text}\n  {:>1$}", "^", caret + 1);
        WordsError { mistake: self.mistake, column, message }
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T, Problem<'a>>;

fn fail<T>(mistake: Mistake, at: &[u8]) -> Parsed<'_, T> {
    Err(nom::Err::Failure(Problem { mistake, at }))
}

/// 1-based column of `rest`, which is a tail of `line`.
fn column_of(line: &[u8], rest: &[u8]) -> u32 {
    u32::try_from(line.len() - rest.len() + 1).unwrap_or(u32::MAX)
}

/// C's `isspace`.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_end(byte: u8) -> bool {
    matches!(byte, 0 | b'\n' | b'\r')
}

/// The line without the blanks it begins with.
fn blanks(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|b| !is_blank(*b)).unwrap_or(line.len());
    &line[start..]
}

/// word = 1*(weak | strong | escape | text); nothing at the end of the line or at a comment.
fn word(line: &[u8]) -> Parsed<'_, Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = line;
    loop {
        match alt((weak, strong, map(escape(false), |p| vec![p]), map(text, |p| vec![p])))
            .parse(rest)
        {
            Ok((after, more)) => {
                pieces.extend(more);
                rest = after;
            }
            Err(nom::Err::Error(_)) if rest.len() < line.len() => return Ok((rest, pieces)),
            Err(other) => return Err(other),
        }
    }
}

fn text(line: &[u8]) -> Parsed<'_, Piece<'_>> {
    let stops = |b: u8| is_end(b) || is_blank(b) || matches!(b, b'#' | b'"' | b'\'' | b'\\');
    map(take_till1(stops), Piece::Text).parse(line)
}

fn strong(line: &[u8]) -> Parsed<'_, Vec<Piece<'_>>> {
    let (rest, _) = tag("'")(line)?;
    let (rest, inside) = take_while(|b| b != b'\'' && !is_end(b))(rest)?;
    match rest.split_first() {
        Some((b'\'', rest)) => Ok((rest, vec![Piece::Text(inside)])),
        _ => fail(Mistake::Quote, line),
    }
}

fn weak(line: &[u8]) -> Parsed<'_, Vec<Piece<'_>>> {
    let (mut rest, _) = tag("\"")(line)?;
    let mut pieces = Vec::new();
    let stops = |b: u8| is_end(b) || matches!(b, b'"' | b'\\' | b'$');
    while let Some(first) = rest.first().copied().filter(|b| !is_end(*b)) {
        if first == b'"' {
            return Ok((&rest[1..], pieces));
        }
        let (after, piece) =
            alt((escape(true), variable, map(take_till1(stops), Piece::Text))).parse(rest)?;
        pieces.push(piece);
        rest = after;
    }
    fail(Mistake::Quote, line)
}

/// A backslash and what it stands for; before anything else it stands for itself.
fn escape<'a>(weak: bool) -> impl Parser<&'a [u8], Output = Piece<'a>, Error = Problem<'a>> {
    preceded(
        peek(tag("\\")),
        alt((
            hex,
            value(Piece::Byte(b'\t'), tag("\\t")),
            value(Piece::Byte(b'\n'), tag("\\n")),
            value(Piece::Byte(b'\r'), tag("\\r")),
            map(
                preceded(
                    tag("\\"),
                    recognize(verify(anychar, move |c| {
                        matches!(c, ' ' | '\\' | '#' | '\'' | '"') || (weak && *c == '$')
                    })),
                ),
                Piece::Text,
            ),
            map(tag("\\"), Piece::Text),
        )),
    )
}

fn hex(line: &[u8]) -> Parsed<'_, Piece<'_>> {
    let (rest, _) = tag("\\x")(line)?;
    let mut digits = take_while_m_n(2, 2, |b: u8| b.is_ascii_hexdigit());
    match digits.parse(rest) {
        Ok((rest, digits)) => {
            let value = digits.iter().fold(0, |sum, d| sum * 16 + hex_value(*d));
            Ok((rest, Piece::Byte(value)))
        }
        Err(nom::Err::Error(Problem { .. })) => fail(Mistake::Hex, line),
        Err(other) => Err(other),
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

/// `$NAME`, `${NAME}` or `${NAME[*]}`.
fn variable(line: &[u8]) -> Parsed<'_, Piece<'_>> {
    let (rest, _) = tag("$")(line)?;
    let (at, brace) = opt(tag("{")).parse(rest)?;
    if !at.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
        return fail(Mistake::VariableName, at);
    }
    let (mut after, name) = take_while1(|b: u8| b.is_ascii_alphanumeric() || b == b'_')(at)?;
    let mut list = false;
    if brace.is_some() {
        if after.first() == Some(&b'[') {
            match after.strip_prefix(b"[*]") {
                Some(rest) => after = rest,
                None => return fail(Mistake::WordExpansion, after),
            }
            list = true;
        }
        match after.split_first() {
            Some((b'}', rest)) => after = rest,
            _ => return fail(Mistake::Brace, rest),
        }
    }
    let name = str::from_utf8(name).unwrap_or_default();
    Ok((after, Piece::Variable { name, list }))
}

/// About [`EXCERPT`] characters of `line` around the offset `at`, and where `at` is in them.
fn excerpt(line: &[u8], at: usize) -> (String, usize) {
    let line = &line[..memchr::memchr(0, line).unwrap_or(line.len())];
    let show = |part: &[u8]| -> String {
        part.iter()
            .map(|b| match b {
                b if is_blank(*b) => ' ',
                0x20..=0x7e => char::from(*b),
                _ => '?',
            })
            .collect()
    };
    if at < EXCERPT {
        return (show(&line[..line.len().min(EXCERPT)]), at);
    }
    let skipped = at - EXCERPT / 2;
    let from = (skipped + 3).min(line.len());
    let until = (from + EXCERPT - 6).min(line.len());
    (format!("...{}...", show(&line[from..until])), at - skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<Vec<u8>> {
        match name {
            "HOME" => Some(b"/root".to_vec()),
            "LIST" => Some(b"a  b\tc".to_vec()),
            "PADDED" => Some(b" x ".to_vec()),
            "QUOTED" => Some(b"\"a b\" #\\n$HOME".to_vec()),
            _ => None,
        }
    }

    fn words(line: &str) -> Vec<String> {
        split(line.as_bytes(), &env).unwrap().iter().map(Word::to_string).collect()
    }

    fn error(line: &[u8]) -> String {
        split(line, &env).unwrap_err().to_string()
    }

    #[test]
    fn blanks_separate_and_comments_end() {
        assert_eq!(words("  bind \t:80\x0b name  x "), ["bind", ":80", "name", "x"]);
        assert_eq!(words("mode http# and so on"), ["mode", "http"]);
        assert_eq!(words("# all of it"), [""; 0]);
        assert_eq!(words(""), [""; 0]);
        assert_eq!(words("maxconn 10\r"), ["maxconn", "10"]);
        assert_eq!(words("maxconn 10\r 20"), ["maxconn", "10"]);
        assert_eq!(words("\r maxconn \r 10"), ["maxconn", "10"]);
        assert_eq!(words("maxconn 10\0 20"), ["maxconn", "10"]);
    }

    #[test]
    fn quotes_join_and_protect() {
        assert_eq!(words(r##"a"b c"'d "e#'f"##), [r#"ab cd "e#f"#]);
        assert_eq!(words(r#"a "" '' b"#), ["a", "", "", "b"]);
        assert_eq!(words(r"'a\ b\n$HOME'"), [r"a\ b\n$HOME"]);
    }

    #[test]
    fn escapes() {
        assert_eq!(
            words(r##"a\ b \#c \\ \" \' \t\n\r \x41\x7a"##),
            ["a b", "#c", "\\", "\"", "'", "\t\n\r", "Az"]
        );
        assert_eq!(
            words(r#"\1 \. \$HOME "\$HOME" "\'\"\#\ ""#),
            [r"\1", r"\.", r"\$HOME", "$HOME", "'\"# "]
        );
        assert_eq!(words(r"a \"), ["a", "\\"]);
        assert_eq!(words(r"a\x00b c"), ["a", "c"]);
    }

    #[test]
    fn variables_only_between_double_quotes() {
        assert_eq!(
            words(r#"$HOME "$HOME/x" "${HOME}y" '$HOME'"#),
            ["$HOME", "/root/x", "/rooty", "$HOME"]
        );
        assert_eq!(words(r#"a "$NONE" b"#), ["a", "", "b"]);
        assert_eq!(words(r#""$QUOTED""#), ["\"a b\" #\\n$HOME"]);
    }

    #[test]
    fn list_variables_become_words() {
        assert_eq!(words(r#"x "${LIST[*]}" y"#), ["x", "a", "b", "c", "y"]);
        assert_eq!(words(r#"x "<${LIST[*]}>""#), ["x", "<a", "b", "c>"]);
        assert_eq!(words(r#"x "${PADDED[*]}" y"#), ["x", "", "x", "", "y"]);
        assert_eq!(words(r#""$LIST[*]""#), ["a  b\tc[*]"]);
    }

    #[test]
    fn columns_count_bytes_of_the_raw_line() {
        let found = split("  é \"q\"  'r' s".as_bytes(), &env).unwrap();
        assert_eq!(found.iter().map(Word::column).collect::<Vec<_>>(), [3, 6, 11, 15]);
    }

    #[test]
    fn mistakes_are_worded_and_placed_as_2_3_does() {
        assert_eq!(error(b"  foo \"abc"), "unmatched quote at position 7:\n  foo \"abc\n      ^");
        assert_eq!(error(b" a 'b\r'"), "unmatched quote at position 4:\n  a 'b '\n    ^");
        assert_eq!(
            error(b" a \"${AB\" b"),
            "unmatched brace in environment variable name at position 6:\n  a \"${AB\" b\n      ^"
        );
        assert_eq!(
            error(b" a \"${AB[*}\" b"),
            "truncated or invalid word expansion sequence at position 9:\n  a \"${AB[*}\" b\n         ^"
        );
        assert_eq!(
            error(b" a \"${9}\" b"),
            "forbidden first char in environment variable name at position 7:\n  a \"${9}\" b\n       ^"
        );
        assert_eq!(
            error(b" a \\x4 b"),
            "truncated or invalid hexadecimal sequence at position 4:\n  a \\x4 b\n    ^"
        );
    }

    #[test]
    fn excerpts_stay_short() {
        let line = [&b" "[..], &[b'a'; 60], b" \"b\xe9\x01\t", &[b'c'; 60]].concat();
        let told = error(&line);
        assert!(
            told.contains(&format!("\n  {} \"b?? {}\n", "a".repeat(60), "c".repeat(14))),
            "{told}"
        );
        let line = [&[b'a'; 109][..], b" \"a ", &[b'b'; 32]].concat();
        assert_eq!(
            error(&line),
            format!(
                "unmatched quote at position 111:\n  ...{} \"a {}...\n  {:>41}",
                "a".repeat(36),
                "b".repeat(32),
                "^"
            )
        );
    }

    #[test]
    fn at_most_64_words() {
        let numbers = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(split(numbers(64).as_bytes(), &env).unwrap().len(), 64);
        let told = "too many words, truncating after word 64, position 180: <63>.";
        for line in [numbers(65), numbers(64) + " ", numbers(99) + "\r", numbers(64) + " # x"] {
            assert_eq!(error(line.as_bytes()), told, "{line}");
        }
        let line = numbers(70) + " 'x";
        assert_eq!(split(line.as_bytes(), &env).unwrap_err().mistake(), Mistake::Quote);
    }

    /// A small generator (xorshift) is enough to walk the space of words.
    fn random_bytes(state: &mut u64) -> Vec<u8> {
        let mut next = || {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            *state
        };
        let special = b" \"'\\$#{}[]*\t\n\rxnrt\x80\xc3\xa9\x01/:";
        let length = next() % 12;
        (0..length)
            .map(|_| match next() {
                n if n % 4 == 0 => u8::try_from(next() % 255 + 1).unwrap_or(1),
                n => special[usize::try_from(n / 4).unwrap_or(0) % special.len()],
            })
            .collect()
    }

    #[test]
    fn quoted_words_split_to_the_same_words() {
        let mut state = 0x2545_f491_4f6c_dd1d;
        for _ in 0..20_000 {
            let original: Vec<Word> = (0..3).map(|_| Word::new(random_bytes(&mut state))).collect();
            let line = original.iter().map(quote).collect::<Vec<_>>().join(" ");
            let back = split(line.as_bytes(), &env).unwrap();
            let bytes = |list: &[Word]| list.iter().map(|w| w.bytes().to_vec()).collect::<Vec<_>>();
            assert_eq!(bytes(&back), bytes(&original), "{line}");
        }
    }

    #[test]
    fn any_bytes_split_or_are_refused() {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..20_000 {
            let line = (0..4).flat_map(|_| random_bytes(&mut state)).collect::<Vec<_>>();
            match split(&line, &env) {
                Ok(words) => assert!(words.iter().all(|w| w.column() as usize <= line.len())),
                Err(e) => assert!(e.column() as usize <= line.len() + 1),
            }
        }
    }
}
