//! `http-check expect` and `tcp-check expect`: how they are read, and what they say of the bytes
//! received so far (manual 4.2). No sockets, no clock.

use std::borrow::Cow;

use memchr::memmem;

use crate::check::CheckStatus;
use crate::check::agent::Said;
use crate::check::answers::Heard;
use crate::check::health::Verdict;
use crate::check::response::Response;
use crate::check::scene::{self, Scene, Text};
use crate::check::step::{Expect, HeaderPattern, Match, Pattern, RegexWord, Step};
use crate::config::args::{Line, parse_lenient};
use crate::config::diagnostic::Diagnostic;
use crate::sample::pattern::compile_regex;

/// What an expectation says of the bytes received so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is fulfilled.
    Fulfilled,
    /// More bytes are needed.
    Wait,
    /// It cannot be fulfilled.
    Failed(Verdict),
}

impl Expect {
    /// Looks for an expectation without any options.
    pub fn new(pattern: Pattern) -> Expect {
        Expect {
            pattern,
            inverse: false,
            min_recv: None,
            ok_status: None,
            error_status: None,
            timeout_status: None,
            on_success: None,
            on_error: None,
            status_code: None,
            quotes_answer: false,
        }
    }

    /// Evaluates on the bytes of a `tcp-check`; `last` says that no more will come.
    pub fn on_bytes(
        &self,
        step: &Step,
        bytes: &[u8],
        last: bool,
        scene: Option<&Scene<'_>>,
    ) -> Answer {
        if let Pattern::Protocol(protocol) = &self.pattern {
            return match protocol.hear(bytes, last) {
                Heard::Wait => Answer::Wait,
                Heard::Well(..) => Answer::Fulfilled,
                Heard::Ill(status, code, info) => Answer::Failed(Verdict { status, code, info }),
            };
        }
        if self.pattern == Pattern::Agent {
            return match Said::read(bytes) {
                None if !last => Answer::Wait,
                _ => Answer::Fulfilled,
            };
        }
        let text = match self.text(step, scene) {
            Ok(text) => text,
            Err(failure) => return failure,
        };
        let wanted = text.as_ref().map_or(0, |text| text.len());
        if !last && bytes.len() < wanted.max(self.min_recv.unwrap_or(0)) {
            return Answer::Wait;
        }
        let found = match &self.pattern {
            Pattern::Text(_)
            | Pattern::Binary(_)
            | Pattern::TextFormat(_)
            | Pattern::BinaryFormat(_) => {
                text.as_ref().is_some_and(|text| memmem::find(bytes, text).is_some())
            }
            Pattern::TextRegex(regex) => regex.is_match(bytes),
            Pattern::BinaryRegex(regex) => regex.is_match(hexadecimal(bytes).as_bytes()),
            _ => false,
        };
        self.decide(found, last, || {
            let status = self.error_status.unwrap_or(CheckStatus::L7Response);
            let info = match &self.on_error {
                _ if self.quotes_answer => first_line(bytes),
                Some(text) => text.words(scene),
                None => self.tcp_failure(step, found),
            };
            let code = self.code(scene).unwrap_or(0);
            Verdict { status, code, info: commented(info, step) }
        })
    }

    /// The bytes that are looked for, if any are; a format that gives none is a failure.
    fn text(
        &self,
        step: &Step,
        scene: Option<&Scene<'_>>,
    ) -> Result<Option<Cow<'_, [u8]>>, Answer> {
        let failed = |text: &str| {
            let info = commented(text.to_owned(), step);
            Answer::Failed(Verdict::new(CheckStatus::L7Response, info))
        };
        let empty = || failed("log-format string evaluated to an empty string");
        Ok(match &self.pattern {
            Pattern::Text(text) | Pattern::Binary(text) => Some(Cow::Borrowed(text.as_slice())),
            Pattern::TextFormat(text) => {
                Some(text.say(scene)).filter(|text| !text.is_empty()).ok_or_else(empty)?.into()
            }
            Pattern::BinaryFormat(text) => match binary(&text.say(scene)) {
                Ok(bytes) if !bytes.is_empty() => Some(Cow::Owned(bytes)),
                Ok(_) => return Err(empty()),
                Err(_) => {
                    let text =
                        "Failed to parse hexastring resulting of eval of a log-format string";
                    return Err(failed(text));
                }
            },
            _ => None,
        })
    }

    /// `status-code`, where it has a value.
    pub fn code(&self, scene: Option<&Scene<'_>>) -> Option<u16> {
        let number = scene?.number(self.status_code.as_ref()?)?;
        Some(number as u16)
    }

    /// Evaluates on an HTTP response; `last` says that no more will come.
    pub fn on_response(
        &self,
        step: &Step,
        response: &Response,
        last: bool,
        scene: Option<&Scene<'_>>,
    ) -> Answer {
        let text = match self.text(step, scene) {
            Ok(text) => text,
            Err(failure) => return failure,
        };
        let failure = |default, text: &str| {
            let status = self.error_status.unwrap_or(default);
            let info = self.on_error.as_ref().map(|text| text.words(scene));
            let code = self.code(scene).unwrap_or(response.status);
            Verdict { status, code, info: commented(info.unwrap_or_else(|| text.to_owned()), step) }
        };
        let body = &response.body;
        let in_body = matches!(
            self.pattern,
            Pattern::Text(_) | Pattern::TextFormat(_) | Pattern::TextRegex(_)
        );
        if in_body && body.is_empty() {
            let text = "HTTP content check could not find a response body";
            return if last {
                Answer::Failed(failure(CheckStatus::L7Response, text))
            } else {
                Answer::Wait
            };
        }
        let wanted = text.as_ref().map_or(0, |text| text.len());
        if in_body && !last && body.len() < wanted.max(self.min_recv.unwrap_or(0)) {
            return Answer::Wait;
        }
        let found = match &self.pattern {
            Pattern::Status(ranges) => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&response.status))
            }
            Pattern::StatusRegex(regex) => regex.is_match(response.status.to_string().as_bytes()),
            Pattern::Header(header) => header.found_in(response, scene),
            Pattern::Text(_)
            | Pattern::Binary(_)
            | Pattern::TextFormat(_)
            | Pattern::BinaryFormat(_) => {
                text.as_ref().is_some_and(|text| memmem::find(body, text).is_some())
            }
            Pattern::TextRegex(regex) | Pattern::BinaryRegex(regex) => regex.is_match(body),
            Pattern::Protocol(_) | Pattern::Agent => false,
        };
        let last = last || !in_body;
        self.decide(found, last, || match (in_body, self.inverse) {
            (false, _) => failure(CheckStatus::L7Status, &response.reason),
            (true, true) => failure(CheckStatus::L7Response, "HTTP check matched unwanted content"),
            (true, false) => failure(CheckStatus::L7Response, "HTTP content check did not match"),
        })
    }

    /// Without `min-recv`, what was not found may still come.
    fn decide(&self, found: bool, last: bool, failure: impl FnOnce() -> Verdict) -> Answer {
        if !found && !last && self.min_recv.is_none() {
            Answer::Wait
        } else if found != self.inverse {
            Answer::Fulfilled
        } else {
            Answer::Failed(failure())
        }
    }

    fn tcp_failure(&self, step: &Step, found: bool) -> String {
        let what =
            if found { "TCPCHK matched unwanted content" } else { "TCPCHK did not match content" };
        let which = match &self.pattern {
            Pattern::Text(text) => format!(" '{}'", String::from_utf8_lossy(text)),
            Pattern::Binary(_) => " (binary)".to_owned(),
            Pattern::TextFormat(_) => " (log-format string)".to_owned(),
            Pattern::BinaryFormat(_) => " (log-format binary)".to_owned(),
            Pattern::BinaryRegex(_) => " (binary regex)".to_owned(),
            _ => " (regex)".to_owned(),
        };
        format!("{what}{which} at step {}", step.number)
    }

    /// How a failure at this step names it: ` (expect string 'foo')`.
    pub fn name(&self) -> String {
        match &self.pattern {
            Pattern::Text(text) => format!(" (expect string '{}')", String::from_utf8_lossy(text)),
            Pattern::Binary(text) => {
                format!(" (expect binary '{}')", String::from_utf8_lossy(text))
            }
            Pattern::TextFormat(_) => " (expect log-format string)".to_owned(),
            Pattern::BinaryFormat(_) => " (expect log-format binary)".to_owned(),
            Pattern::TextRegex(_) => " (expect regex)".to_owned(),
            Pattern::BinaryRegex(_) => " (expect binary regex)".to_owned(),
            Pattern::Status(_) => " (expect HTTP status codes)".to_owned(),
            Pattern::StatusRegex(_) => " (expect HTTP status regex)".to_owned(),
            Pattern::Header(_) => " (expect HTTP header pattern)".to_owned(),
            Pattern::Protocol(_) | Pattern::Agent => String::new(),
        }
    }
}

fn first_line(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|c| matches!(c, b'\r' | b'\n')).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

fn commented(info: String, step: &Step) -> String {
    match &step.comment {
        Some(comment) => format!("{info} comment: {comment}"),
        None => info,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

impl HeaderPattern {
    fn found_in(&self, response: &Response, scene: Option<&Scene<'_>>) -> bool {
        let named = response.headers.iter().filter(|(name, _)| self.name.holds(name, true, scene));
        let Some(wanted) = &self.value else { return named.count() > 0 };
        let mut values = named.map(|(_, value)| value.as_slice());
        if self.full {
            return values.any(|value| wanted.holds(value, false, scene));
        }
        values.any(|value| {
            value.split(|c| *c == b',').any(|part| wanted.holds(part.trim_ascii(), false, scene))
        })
    }
}

/// Whether the words belong to `http-check` or `tcp-check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `http-check`
    Http,
    /// `tcp-check`
    Tcp,
}

/// Reads the words after `expect`; gives the comment too.
pub fn parse(line: &mut Line<'_>, family: Family) -> Result<(Expect, Option<String>), Diagnostic> {
    let mut reader = Reader { line, family, expect: None, inverse: false, comment: None };
    if reader.line.is_empty() {
        return Err(reader.refuse("expects at least a matching pattern as arguments"));
    }
    let mut options = Expect::new(Pattern::Status(Vec::new()));
    while let Some(word) = reader.line.word() {
        reader.word(&word.str(), &mut options)?;
    }
    let (inverse, comment) = (reader.inverse, reader.comment.take());
    match reader.expect.take() {
        Some(pattern) => Ok((Expect { pattern, inverse, ..options }, comment)),
        None => Err(reader.refuse("pattern not found")),
    }
}

struct Reader<'r, 'l> {
    line: &'r mut Line<'l>,
    family: Family,
    expect: Option<Pattern>,
    inverse: bool,
    comment: Option<String>,
}

impl Reader<'_, '_> {
    fn refuse(&self, text: impl AsRef<str>) -> Diagnostic {
        let name = self.line.keyword.name;
        self.line.alert(format!("'{name}' : {}.", text.as_ref()))
    }

    fn argument(&mut self, name: &str, what: &str) -> Result<String, Diagnostic> {
        let word = self.line.word().map(|w| w.str().into_owned());
        word.ok_or_else(|| self.refuse(format!("'{name}' expects a{what} as argument")))
    }

    fn word(&mut self, word: &str, options: &mut Expect) -> Result<(), Diagnostic> {
        let bare = word.trim_start_matches('!');
        let marks = word.len() - bare.len();
        if marks > 0 {
            self.inverse ^= marks % 2 == 1;
            if bare.is_empty() {
                let next = self.line.word().map(|w| w.str().into_owned()).unwrap_or_default();
                return self.pattern(&next, true);
            }
            return self.pattern(bare, true);
        }
        match word {
            "min-recv" => {
                let number = parse_lenient(self.argument(word, " integer")?.as_bytes());
                if !(-1..=i64::from(i32::MAX)).contains(&number) {
                    return Err(
                        self.refuse("'min-recv' expects -1 or an integer from 0 to INT_MAX")
                    );
                }
                options.min_recv = usize::try_from(number).ok();
            }
            "comment" => self.comment = Some(self.argument(word, " string")?),
            "on-success" => options.on_success = Some(self.message(word)?),
            "on-error" => options.on_error = Some(self.message(word)?),
            "ok-status" => options.ok_status = Some(self.status(word, OK_STATUSES)?),
            "error-status" => options.error_status = Some(self.status(word, ERROR_STATUSES)?),
            "tout-status" => options.timeout_status = Some(self.status(word, TIMEOUT_STATUSES)?),
            "status-code" => {
                let text = self.argument(word, "n expression")?;
                let expr = scene::expression(self.line, &text).map_err(|e| {
                    let why = e.of_argument();
                    self.refuse(format!(
                        "error detected while parsing status-code expression : {why}"
                    ))
                })?;
                options.status_code = Some(Box::new(expr));
            }
            _ => return self.pattern(word, false),
        }
        Ok(())
    }

    /// A log-format string.
    fn message(&mut self, name: &str) -> Result<Text, Diagnostic> {
        let text = self.argument(name, " string")?;
        Text::format(self.line, text.as_bytes(), text.as_bytes())
    }

    fn status(&mut self, name: &str, table: Statuses) -> Result<CheckStatus, Diagnostic> {
        let word = self.argument(name, " string")?;
        let found = table.1.iter().find(|status| status.word().eq_ignore_ascii_case(&word));
        found.copied().ok_or_else(|| {
            self.refuse(format!("'{name}' only supports {} status (got '{word}').", table.0))
        })
    }

    fn pattern(&mut self, word: &str, marked: bool) -> Result<(), Diagnostic> {
        let http = self.family == Family::Http;
        let known = match word {
            "string" | "rstring" | "string-lf" => true,
            "binary" | "rbinary" | "binary-lf" => !http,
            "status" | "rstatus" | "hdr" | "fhdr" => http,
            _ => false,
        };
        if !known {
            return Err(self.unknown(word, marked));
        }
        if self.expect.is_some() {
            return Err(self.refuse("only on pattern expected"));
        }
        if matches!(word, "hdr" | "fhdr") {
            let header = self.header(word)?;
            self.expect = Some(Pattern::Header(header));
            return Ok(());
        }
        let text = self.line.word().map(|w| w.bytes().to_vec());
        let text =
            text.ok_or_else(|| self.refuse(format!("'{word}' expects a <pattern> as argument")))?;
        let pattern = match word {
            "string" => Pattern::Text(text),
            "string-lf" => Pattern::TextFormat(Text::format(self.line, &text, &text)?),
            "binary-lf" => Pattern::BinaryFormat(Text::format(self.line, &text, &text)?),
            "binary" => Pattern::Binary(
                binary(&text).map_err(|e| self.refuse(format!("invalid binary string ({e})")))?,
            ),
            "rstring" => Pattern::TextRegex(self.regex(&text, false)?),
            "rbinary" => Pattern::BinaryRegex(self.regex(&text, false)?),
            "rstatus" => Pattern::StatusRegex(self.regex(&text, false)?),
            _ => Pattern::Status(ranges(&text).map_err(|e| self.refuse(e))?),
        };
        self.expect = Some(pattern);
        Ok(())
    }

    fn regex(&self, text: &[u8], fold: bool) -> Result<RegexWord, Diagnostic> {
        let text = String::from_utf8_lossy(text);
        compile_regex(&text, fold).map_err(|e| self.refuse(e))?;
        RegexWord::new(&text, fold).map_err(|e| self.refuse(e))
    }

    fn unknown(&self, word: &str, marked: bool) -> Diagnostic {
        if marked && matches!(word, "min-recv" | "comment" | "on-success" | "on-error") {
            return self.refuse(format!("[!] not supported with '{word}'"));
        }
        self.refuse(match self.family {
            Family::Http => format!(
                "'only supports min-recv, [!]string', '[!]rstring', '[!]string-lf', '[!]status', '[!]rstatus', [!]hdr, [!]fhdr or comment but got '{word}' as argument."
            ),
            Family::Tcp => format!(
                "'only supports min-recv, '[!]binary', '[!]string', '[!]rstring', '[!]string-lf''[!]rbinary', '[!]binary-lf' or comment but got '{word}' as argument."
            ),
        })
    }

    /// `hdr name [-m METHOD] NAME [value [-m METHOD] VALUE]`
    fn header(&mut self, word: &str) -> Result<HeaderPattern, Diagnostic> {
        let expected = "expects at the name keyword as first argument followed by a pattern";
        let first = self.line.word().map(|w| w.str().into_owned()).unwrap_or_default();
        if !matches!(first.as_str(), "name" | "name-lf") || self.line.is_empty() {
            return Err(self.refuse(format!("'{word}' {expected}")));
        }
        let shown = self.line.peek().map(|w| w.bytes().to_vec()).unwrap_or_default();
        let name = self.matcher(word, &first, true, &shown)?;
        let next = self.line.peek().map(|w| w.str().into_owned()).unwrap_or_default();
        let mut value = None;
        if matches!(next.as_str(), "value" | "value-lf") {
            self.line.word();
            value = Some(self.matcher(word, &next, false, &shown)?);
        }
        Ok(HeaderPattern { name, value, full: word == "fhdr" })
    }

    /// `-m METHOD PATTERN`; a mistake in a format shows `shown`.
    fn matcher(
        &mut self,
        word: &str,
        kind: &str,
        fold: bool,
        shown: &[u8],
    ) -> Result<Match, Diagnostic> {
        let mut method = "str".to_owned();
        if self.line.accept("-m") {
            let given = self.line.word().map(|w| w.str().into_owned());
            method = given.ok_or_else(|| {
                self.refuse(format!("'{word}' : '-m' expects at a matching pattern ('str', 'beg', 'end', 'sub' or 'reg')"))
            })?;
        }
        let pattern = self.line.word().map(|w| w.str().into_owned());
        let pattern = pattern.ok_or_else(|| {
            self.refuse(format!("'{word}' expect a pattern with the {kind} keyword"))
        })?;
        let text = |line: &mut Line<'_>| match kind.ends_with("-lf") {
            true => Text::format(line, pattern.as_bytes(), shown),
            false => Ok(Text::from(pattern.as_str())),
        };
        Ok(match method.as_str() {
            "str" => Match::Exactly(text(self.line)?),
            "beg" => Match::Beginning(text(self.line)?),
            "end" => Match::End(text(self.line)?),
            "sub" => Match::Contained(text(self.line)?),
            "reg" => Match::Regex(self.regex(pattern.as_bytes(), fold)?),
            other => {
                return Err(self.refuse(format!("'{word}' : '-m' only supports 'str', 'beg', 'end', 'sub' or 'reg' (got '{other}')")));
            }
        })
    }
}

/// How HAProxy lists them, and what they are.
type Statuses = (&'static str, &'static [CheckStatus]);

const OK_STATUSES: Statuses = (
    "'L4OK', 'L6OK', 'L7OK' or 'L7OKC'",
    &[CheckStatus::L4Ok, CheckStatus::L6Ok, CheckStatus::L7Ok, CheckStatus::L7OkConditional],
);
const ERROR_STATUSES: Statuses = (
    "'L4CON', 'L6RSP', 'L7RSP' or 'L7STS'",
    &[CheckStatus::L4Con, CheckStatus::L6Response, CheckStatus::L7Response, CheckStatus::L7Status],
);
const TIMEOUT_STATUSES: Statuses = (
    "'L4TOUT', 'L6TOUT' or 'L7TOUT'",
    &[CheckStatus::L4Timeout, CheckStatus::L6Timeout, CheckStatus::L7Timeout],
);

/// `200,300-399`
fn ranges(text: &[u8]) -> Result<Vec<(u16, u16)>, String> {
    let whole = String::from_utf8_lossy(text);
    let mut list = Vec::new();
    for part in whole.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let number = |word: &str| {
            let odd = word.chars().find(|c| !c.is_ascii_digit());
            match odd {
                Some(c) => Err(format!("invalid character '{c}' in the list of status codes")),
                None => Ok(word.parse().unwrap_or(if word.is_empty() { 0 } else { u16::MAX })),
            }
        };
        let (low, high) = (number(low)?, number(high)?);
        if low > high {
            return Err(format!("invalid range of status codes '{whole}'"));
        }
        list.push((low, high));
    }
    Ok(list)
}

/// Bytes from hexadecimal digits.
pub fn binary(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    if text.len() % 2 == 1 {
        return Err("an even number of hex digit is expected");
    }
    let digit = |c: u8| char::from(c).to_digit(16).ok_or("an hex digit is expected");
    let mut out = Vec::with_capacity(text.len() / 2);
    for pair in text.chunks_exact(2) {
        if let [high, low] = *pair {
            out.push((digit(high)? * 16 + digit(low)?) as u8);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::step::Action;

    fn step() -> Step {
        Step { number: 2, comment: None, action: Action::Comment }
    }

    fn text(pattern: &str) -> Expect {
        Expect::new(Pattern::Text(pattern.as_bytes().to_vec()))
    }

    #[test]
    fn a_string_is_waited_for_until_the_end() {
        let expect = text("PONG");
        assert_eq!(expect.on_bytes(&step(), b"PO", false, None), Answer::Wait);
        assert_eq!(expect.on_bytes(&step(), b"+PONG\r\n", false, None), Answer::Fulfilled);
        assert_eq!(
            expect.on_bytes(&step(), b"-ERR", true, None),
            Answer::Failed(Verdict::new(
                CheckStatus::L7Response,
                "TCPCHK did not match content 'PONG' at step 2"
            ))
        );
    }

    #[test]
    fn what_is_unwanted_fails_when_it_comes() {
        let expect = Expect { inverse: true, ..text("ERR") };
        assert_eq!(expect.on_bytes(&step(), b"OK so far", false, None), Answer::Wait);
        assert_eq!(expect.on_bytes(&step(), b"OK", true, None), Answer::Fulfilled);
        let failed = expect.on_bytes(&step(), b"-ERR", false, None);
        assert!(
            matches!(failed, Answer::Failed(v) if v.info.starts_with("TCPCHK matched unwanted content 'ERR'"))
        );
    }

    #[test]
    fn min_recv_decides_early() {
        let expect = Expect { min_recv: Some(4), ..text("x") };
        assert_eq!(expect.on_bytes(&step(), b"abc", false, None), Answer::Wait);
        assert!(matches!(expect.on_bytes(&step(), b"abcd", false, None), Answer::Failed(_)));
    }

    #[test]
    fn a_status_out_of_its_ranges_tells_the_reason() {
        let expect = Expect::new(Pattern::Status(vec![(200, 399)]));
        let response = Response { status: 503, reason: "Nope Sorry".into(), ..Response::default() };
        let verdict =
            Verdict { status: CheckStatus::L7Status, code: 503, info: "Nope Sorry".to_owned() };
        assert_eq!(expect.on_response(&step(), &response, false, None), Answer::Failed(verdict));
        let fine = Response { status: 302, ..Response::default() };
        assert_eq!(expect.on_response(&step(), &fine, false, None), Answer::Fulfilled);
    }

    #[test]
    fn headers_are_split_at_commas_unless_full() {
        let headers = vec![(b"x-a".to_vec(), b"one, two".to_vec())];
        let response = Response { status: 200, headers, ..Response::default() };
        let pattern = |full| HeaderPattern {
            name: Match::Exactly("X-A".into()),
            value: Some(Match::Exactly("two".into())),
            full,
        };
        assert!(pattern(false).found_in(&response, None));
        assert!(!pattern(true).found_in(&response, None));
    }

    #[test]
    fn status_lists_are_ranges() {
        assert_eq!(ranges(b"200,300-399"), Ok(vec![(200, 200), (300, 399)]));
        assert_eq!(ranges(b"3-2"), Err("invalid range of status codes '3-2'".into()));
        assert_eq!(ranges(b"2x"), Err("invalid character 'x' in the list of status codes".into()));
    }
}
