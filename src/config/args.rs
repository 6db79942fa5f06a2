//! The arguments of a directive: in come the words of a line, out come typed values, or a
//! `Diagnostic` worded as HAProxy's (manual 2.4, "Time format", and 2.2).

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::catalog::Keyword;
use crate::config::diagnostic::{Diagnostic, Diagnostics, Level, Place};
use crate::config::environment::Environment;
use crate::config::global::GlobalSpec;
use crate::config::outside::Outside;
use crate::config::proxy::Mode;
use crate::config::section::Sections;
use crate::config::spec::{NamedSection, ProxySpec, Spec};
use crate::config::words::Word;

/// What reading a directive gives: the `Spec` was filled in, or the first mistake.
pub type Parsed = Result<(), Diagnostic>;

/// `no` or `default` before a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inversion {
    /// Nothing stands before it.
    Plain,
    /// `no`.
    No,
    /// `default`.
    Default,
}

impl Inversion {
    /// Takes it off the words of a line. After `default` the last word counts twice, as in 2.3: most
    /// lines that begin so are refused for it.
    pub fn split(words: &[Word]) -> (Inversion, Cow<'_, [Word]>) {
        match words.split_first() {
            Some((first, rest)) if *first == *"no" => (Inversion::No, rest.into()),
            Some((first, rest)) if *first == *"default" => {
                let twice = rest.iter().chain(rest.last());
                (Inversion::Default, twice.cloned().collect())
            }
            _ => (Inversion::Plain, words.into()),
        }
    }
}

/// The words of one line and how many have been read.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    /// All words of the line.
    pub all: &'a [Word],
    /// Index of the next unread word.
    pub next: usize,
    /// Where the line stands.
    pub place: &'a Place,
}

impl<'a> Words<'a> {
    /// The next word, read.
    pub fn word(&mut self) -> Option<&'a Word> {
        let word = self.all.get(self.next)?;
        self.next += 1;
        Some(word)
    }

    /// The next word, left unread.
    pub fn peek(&self) -> Option<&'a Word> {
        self.all.get(self.next)
    }

    /// Reads the next word if it is this one.
    pub fn accept(&mut self, text: &str) -> bool {
        let found = self.peek().is_some_and(|word| *word == *text);
        self.next += usize::from(found);
        found
    }

    /// The words not read yet; they count as read afterwards.
    pub fn rest(&mut self) -> &'a [Word] {
        let rest = self.all.get(self.next..).unwrap_or_default();
        self.next = self.all.len();
        rest
    }

    /// Whether every word has been read.
    pub fn is_empty(&self) -> bool {
        self.next >= self.all.len()
    }

    /// The next word as text, or HAProxy's message `text` as an alert.
    pub fn required(&mut self, text: &str) -> Result<&'a Word, Diagnostic> {
        self.word().ok_or_else(|| self.alert(text))
    }

    /// Place of the word read last, for the caret.
    pub fn last_place(&self) -> Place {
        let read = self.next.checked_sub(1).and_then(|i| self.all.get(i));
        self.place.at(read.map_or(0, Word::column))
    }

    /// `parsing [file:line] : text`, pointing at the word read last.
    pub fn alert(&self, text: impl AsRef<str>) -> Diagnostic {
        Diagnostic::alert(
            Some(&self.last_place()),
            format!("parsing [{}] : {}", self.place, text.as_ref()),
        )
    }

    /// `parsing [file:line]: text`: some of HAProxy's messages have no blank before the colon.
    pub fn bare(&self, text: impl AsRef<str>) -> Diagnostic {
        let text = format!("parsing [{}]: {}", self.place, text.as_ref());
        Diagnostic::alert(Some(&self.last_place()), text)
    }

    /// The same as a warning.
    pub fn warning(&self, text: impl AsRef<str>) -> Diagnostic {
        Diagnostic { level: Level::Warning, ..self.alert(text) }.harmless()
    }

    /// Refuses words that are left over, as HAProxy's `alertif_too_many_args` does.
    pub fn end(&mut self, keyword: &str) -> Parsed {
        match self.word() {
            None => Ok(()),
            Some(extra) => {
                Err(self.alert(format!("'{keyword}' cannot handle unexpected argument '{extra}'.")))
            }
        }
    }
}

/// A directive being read: its words, where it stands, and the `Spec` it fills in.
pub struct Line<'a> {
    /// The words; the keyword itself is read already.
    pub words: Words<'a>,
    /// The row that matched.
    pub keyword: &'static Keyword,
    /// The section the line stands in: exactly one bit.
    pub section: Sections,
    /// What stood before the keyword.
    pub inversion: Inversion,
    /// What is filled in.
    pub spec: &'a mut Spec,
    /// The world outside: files, names, environment.
    pub outside: &'a mut dyn Outside,
    /// Where warnings go.
    pub diagnostics: &'a mut Diagnostics,
}

impl Line<'_> {
    /// The text of an address, with variables of the environment in their places.
    pub fn expand(&mut self, text: &str) -> String {
        self.spec.environment.expand(text, self.outside)
    }
}

impl<'a> Deref for Line<'a> {
    type Target = Words<'a>;
    fn deref(&self) -> &Self::Target {
        &self.words
    }
}

impl DerefMut for Line<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.words
    }
}

impl<'a> Line<'a> {
    /// What an option at this point of the line reads its arguments from; `subject` is how HAProxy
    /// names the line. The words it reads are given back by `line.words = option.words`.
    pub fn option(&mut self, name: &'static str, subject: String) -> OptionLine<'a, '_> {
        let mode = self.proxy().basics.mode;
        OptionLine {
            words: self.words.clone(),
            name,
            subject,
            in_default: false,
            mode,
            environment: &self.spec.environment,
            outside: &mut *self.outside,
            diagnostics: &mut *self.diagnostics,
        }
    }

    /// The proxy section being read (the defaults are one too); of a small section, the proxy inside it.
    pub fn proxy(&mut self) -> &mut ProxySpec {
        match self.section {
            Sections::DEFAULTS => &mut self.spec.defaults,
            section if section.intersects(Sections::PROXIES) => self.spec.current_proxy(),
            section => match self.spec.sections.iter().rposition(|s| s.section == section) {
                Some(index) => &mut self.spec.sections[index].proxy,
                None => self.spec.current_proxy(),
            },
        }
    }

    /// The small section being read.
    pub fn named_section(&mut self) -> Option<&mut NamedSection> {
        self.spec.sections.last_mut().filter(|s| s.section == self.section)
    }

    /// The global section.
    pub fn global(&mut self) -> &mut GlobalSpec {
        &mut self.spec.global
    }

    /// Says something that does not refuse the configuration.
    pub fn warn(&mut self, text: impl AsRef<str>) {
        let warning = self.words.warning(text);
        self.diagnostics.push(warning);
    }

    /// Refuses left-over words.
    pub fn end(&mut self) -> Parsed {
        self.words.end(self.keyword.name)
    }

    /// `Some(true)` for the plain keyword, `Some(false)` after `no`, `None` after `default`.
    pub fn switch(&self) -> Option<bool> {
        match self.inversion {
            Inversion::Plain => Some(true),
            Inversion::No => Some(false),
            Inversion::Default => None,
        }
    }
}

/// An option of a `bind` or `server` line being read.
pub struct OptionLine<'a, 'b> {
    /// The words; the option's name is read already.
    pub words: Words<'a>,
    /// The option's name.
    pub name: &'static str,
    /// How HAProxy names the line in messages (`server web1`, `bind`).
    pub subject: String,
    /// Whether this is a `default-server` line.
    pub in_default: bool,
    /// What the proxy speaks, as far as was read.
    pub mode: Mode,
    /// The variables of the environment, as the lines so far leave them.
    pub environment: &'b Environment,
    /// The world outside.
    pub outside: &'b mut dyn Outside,
    /// Where warnings go.
    pub diagnostics: &'b mut Diagnostics,
}

impl OptionLine<'_, '_> {
    /// The text of an address, with variables of the environment in their places.
    pub fn expand(&mut self, text: &str) -> String {
        self.environment.expand(text, self.outside)
    }
}

impl<'a> Deref for OptionLine<'a, '_> {
    type Target = Words<'a>;
    fn deref(&self) -> &Self::Target {
        &self.words
    }
}

impl DerefMut for OptionLine<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.words
    }
}

impl OptionLine<'_, '_> {
    /// The name in `server NAME`; the whole subject when there is none.
    pub fn server_name(&self) -> &str {
        self.subject.split_once(' ').map_or(&self.subject, |(_, name)| name)
    }
}

/// Why a time or size is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberError {
    /// Larger than HAProxy's 2^31-1.
    Overflow,
    /// This character does not belong there.
    Unexpected(char),
}

/// The unit of a time without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Milliseconds, as most timeouts.
    Milliseconds,
    /// Seconds.
    Seconds,
}

/// Reads a time: digits and `us`, `ms`, `s`, `m`, `h` or `d` (manual 2.4), rounded up to whole units.
/// 2.3 looks at the unit's first letter, and whether an `s` follows `u` and `m`; the rest it ignores.
pub fn parse_time(text: &[u8], unit: TimeUnit) -> Result<Duration, NumberError> {
    let (number, suffix) = split_number(text);
    let number =
        number.iter().fold(0u64, |sum, c| sum.wrapping_mul(10).wrapping_add(u64::from(c - b'0')));
    let default: u64 = match unit {
        TimeUnit::Milliseconds => 1_000,
        TimeUnit::Seconds => 1_000_000,
    };
    let micros = match suffix {
        b"" => default,
        [b'u', b's', ..] => 1,
        [b'm', b's', ..] => 1_000,
        [b's' | b'u', ..] => 1_000_000,
        [b'm', ..] => 60_000_000,
        [b'h', ..] => 3_600_000_000,
        [b'd', ..] => 86_400_000_000,
        [first, ..] => return Err(NumberError::Unexpected(char::from(*first))),
    };
    let units = (u128::from(number) * u128::from(micros)).div_ceil(default.into());
    let units = i32::try_from(units).map_err(|_| NumberError::Overflow)?;
    Ok(Duration::from_micros(u64::from(units.unsigned_abs()) * default))
}

/// Reads a size: digits and `k`, `m` or `g`, powers of 1,024.
pub fn parse_size(text: &[u8]) -> Result<u64, NumberError> {
    let (number, suffix) = split_number(text);
    let shift = match suffix {
        b"" => 0,
        b"k" | b"K" => 10,
        b"m" | b"M" => 20,
        b"g" | b"G" => 30,
        [b'k' | b'K' | b'm' | b'M' | b'g' | b'G', next, ..] => {
            return Err(NumberError::Unexpected(char::from(*next)));
        }
        [first, ..] => return Err(NumberError::Unexpected(char::from(*first))),
    };
    let number: u64 = match number {
        [] => 0,
        digits => parse_number(digits).ok_or(NumberError::Overflow)?,
    };
    let size = number.checked_mul(1 << shift).ok_or(NumberError::Overflow)?;
    if size > u64::from(u32::MAX) { Err(NumberError::Overflow) } else { Ok(size) }
}

/// Reads a decimal number as C's `atol` does: what follows the digits is ignored.
pub fn parse_lenient(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let value = digits
        .iter()
        .take_while(|c| c.is_ascii_digit())
        .fold(0u64, |sum, c| sum.saturating_mul(10).saturating_add(u64::from(c - b'0')));
    match i64::try_from(value) {
        Ok(value) if negative => -value,
        Ok(value) => value,
        Err(_) if negative => i64::MIN,
        Err(_) => i64::MAX,
    }
}

/// Reads a decimal number that fills the whole word.
pub fn parse_number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The digits at the beginning, and the rest.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.iter().take_while(|c| c.is_ascii_digit()).count();
    text.split_at(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_a_unit_or_the_default_one() {
        let ms = |n| Ok(Duration::from_millis(n));
        assert_eq!(parse_time(b"10s", TimeUnit::Milliseconds), ms(10_000));
        assert_eq!(parse_time(b"250", TimeUnit::Milliseconds), ms(250));
        assert_eq!(parse_time(b"2", TimeUnit::Seconds), ms(2_000));
        assert_eq!(parse_time(b"1d", TimeUnit::Milliseconds), ms(86_400_000));
        assert_eq!(parse_time(b"1us", TimeUnit::Milliseconds), ms(1));
        assert_eq!(parse_time(b"1001us", TimeUnit::Milliseconds), ms(2));
        assert_eq!(parse_time(b"1ms", TimeUnit::Seconds), ms(1_000));
        assert_eq!(parse_time(b"5u", TimeUnit::Milliseconds), ms(5_000));
        assert_eq!(parse_time(b"5sx", TimeUnit::Milliseconds), ms(5_000));
        assert_eq!(parse_time(b"", TimeUnit::Milliseconds), ms(0));
        assert_eq!(parse_time(b"25d", TimeUnit::Milliseconds), Err(NumberError::Overflow));
        assert_eq!(parse_time(b"5x", TimeUnit::Milliseconds), Err(NumberError::Unexpected('x')));
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_size(b"16k"), Ok(16_384));
        assert_eq!(parse_size(b"1g"), Ok(1 << 30));
        assert_eq!(parse_size(b"1t"), Err(NumberError::Unexpected('t')));
    }
}
