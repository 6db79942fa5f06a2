//! The head of an HTTP/1 message: in come bytes, out comes a `Message`, or the place of the first
//! mistake (RFC 9112 sections 2 to 5). `httparse` takes what is well-formed; what it refuses or lets
//! through is decided here.

use crate::flow::http::h1::progress::Progress;
use crate::flow::http::message::{Message, Span, Version};

/// What is accepted.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Fields a head may have (`tune.http.maxhdr`).
    pub fields: usize,
    /// `option accept-invalid-http-request` or `-response`.
    pub accept_invalid: bool,
}

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadError {
    /// Offset of the offending byte.
    pub position: usize,
    /// What was being parsed.
    pub progress: Progress,
    /// What is wrong.
    pub reason: &'static str,
}

/// Fields that `httparse` is given room for without a heap allocation.
const FAST_FIELDS: usize = 64;

/// Length of the head at the beginning of `bytes`, its blank line included, once it is complete.
/// `seen` bytes were looked at before.
pub fn length(bytes: &[u8], seen: usize) -> Option<usize> {
    let mut at = seen.saturating_sub(3);
    while let Some(found) = memchr::memchr(b'\n', bytes.get(at..)?) {
        at += found + 1;
        match bytes.get(at..) {
            Some([b'\n', ..]) => return Some(at + 1),
            Some([b'\r', b'\n', ..]) => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// How many bytes of line ends come before a request line; they are skipped (RFC 9112 2.2).
pub fn leading_line_ends(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count()
}

/// Parses a complete request head (`length` found its end) into an empty message.
pub fn parse_request(head: &[u8], limits: Limits, message: &mut Message) -> Result<(), HeadError> {
    let mut fields = [const { std::mem::MaybeUninit::uninit() }; FAST_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    if let Ok(httparse::Status::Complete(_)) = request.parse_with_uninit_headers(head, &mut fields)
        && let (Some(method), Some(target), Some(minor)) =
            (request.method, request.path, request.version)
        && request.headers.len() <= limits.fields
        && target_is_plain(target.as_bytes())
    {
        let span = |part: &str| Span::within(part.as_bytes(), head);
        message.keep_head(head);
        message.set_kept_request_line(span(method), span(target), Version { major: 1, minor });
        add_fields(message, head, request.headers);
        return Ok(());
    }
    message.clear();
    Slow::new(head, limits).request(message)
}

/// Looks at a head while it comes: a mistake is found before the rest is there.
#[derive(Debug, Clone, Copy)]
pub struct Partial {
    /// Where the first line begins that was not complete yet.
    at: usize,
    fields: usize,
    /// What its end is part of.
    pub progress: Progress,
}

impl Default for Partial {
    fn default() -> Partial {
        Partial { at: 0, fields: 0, progress: Progress::RequestBefore }
    }
}

impl Partial {
    /// Looks at a request head's part.
    pub fn check_request(&mut self, part: &[u8], limits: Limits) -> Result<(), HeadError> {
        self.check(part, limits, |slow, line| slow.request_line(line))
    }

    /// Looks at a response head's part.
    pub fn check_response(&mut self, part: &[u8], limits: Limits) -> Result<(), HeadError> {
        self.check(part, limits, |slow, line| slow.status_line(line))
    }

    fn check(
        &mut self,
        part: &[u8],
        limits: Limits,
        first_line: fn(&mut Slow<'_>, &mut Message) -> Result<(), HeadError>,
    ) -> Result<(), HeadError> {
        if part.is_empty() {
            return Ok(());
        }
        let mut slow = Slow { at: self.at, ..Slow::new(part, limits) };
        let found = match self.at {
            0 => first_line(&mut slow, &mut Message::default()),
            _ => Ok(()),
        };
        let found = found.and_then(|()| self.lines(&mut slow));
        self.progress = slow.progress;
        match found {
            Err(error) if error.position < part.len() => Err(error),
            // What ends too early may go on.
            _ => Ok(()),
        }
    }

    fn lines(&mut self, slow: &mut Slow<'_>) -> Result<(), HeadError> {
        let mut value = Vec::new();
        while slow.at < slow.head.len() {
            self.at = slow.at;
            if slow.blank_line()? {
                return Ok(());
            }
            slow.name()?;
            value.clear();
            slow.value(&mut value)?;
            if slow.at < slow.head.len() {
                slow.count(self.fields)?;
                self.fields += 1;
            }
        }
        Ok(())
    }
}

/// Parses a complete response head into an empty message.
pub fn parse_response(head: &[u8], limits: Limits, message: &mut Message) -> Result<(), HeadError> {
    let mut fields = [const { std::mem::MaybeUninit::uninit() }; FAST_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    if let Ok(httparse::Status::Complete(_)) =
        config.parse_response_with_uninit_headers(&mut response, head, &mut fields)
        && let (Some(minor), Some(code), Some(reason)) =
            (response.version, response.code, response.reason)
        && response.headers.len() <= limits.fields
        && reason_is_kept(head, reason)
    {
        let reason = Span::within(reason.as_bytes(), head);
        message.keep_head(head);
        message.set_kept_status_line(Version { major: 1, minor }, code, reason);
        add_fields(message, head, response.headers);
        return Ok(());
    }
    message.clear();
    Slow::new(head, limits).response(message)
}

/// httparse gives an empty reason for one that is not ASCII.
fn reason_is_kept(head: &[u8], reason: &str) -> bool {
    !reason.is_empty() || matches!(head.get(12), Some(b'\r' | b'\n'))
}

fn add_fields(message: &mut Message, head: &[u8], fields: &[httparse::Header<'_>]) {
    for field in fields {
        let name = Span::within(field.name.as_bytes(), head);
        message.add_kept(name, Span::within(field.value.trim_ascii_end(), head));
    }
}

/// Whether a target holds only what a URI may (RFC 3986) and no fragment.
fn target_is_plain(target: &[u8]) -> bool {
    target.iter().all(|b| (0x21..0x7f).contains(b) && *b != b'#')
}

/// The careful way: byte by byte, with the place of the mistake.
struct Slow<'a> {
    head: &'a [u8],
    at: usize,
    progress: Progress,
    limits: Limits,
}

impl<'a> Slow<'a> {
    fn new(head: &'a [u8], limits: Limits) -> Slow<'a> {
        Slow { head, at: 0, progress: Progress::RequestBefore, limits }
    }

    fn error(&self, reason: &'static str) -> HeadError {
        HeadError { position: self.at, progress: self.progress, reason }
    }

    /// A mistake that is only seen once a line is there.
    fn line_error(&mut self, position: usize, reason: &'static str) -> HeadError {
        HeadError { position, progress: Progress::Data, reason }
    }

    fn request(&mut self, message: &mut Message) -> Result<(), HeadError> {
        self.request_line(message)?;
        self.fields(message)
    }

    fn request_line(&mut self, message: &mut Message) -> Result<(), HeadError> {
        let method = self.until_space(Progress::Method, is_token, "invalid character in method")?;
        if method.is_empty() {
            return Err(self.error("empty method"));
        }
        let lenient = self.limits.accept_invalid;
        let in_target = move |b: u8| {
            ((0x21..0x7f).contains(&b) && (b != b'#' || lenient)) || (lenient && b >= 0x80)
        };
        self.progress = Progress::Target;
        let reason = "invalid character in target";
        let target = self.until_space(Progress::Target, in_target, reason)?;
        if target.is_empty() {
            return Err(self.error("empty target"));
        }
        self.progress = Progress::RequestVersion;
        let old = lenient && matches!(self.peek(), Some(b'\r' | b'\n'));
        let version = match old {
            // HTTP/0.9 names none.
            true => Version::HTTP_10,
            false => self.version(|b| matches!(b, b'\r' | b'\n'))?,
        };
        self.line_end(Progress::RequestLineEnd)?;
        message.set_request_line(method, target, version);
        Ok(())
    }

    fn response(&mut self, message: &mut Message) -> Result<(), HeadError> {
        self.status_line(message)?;
        self.fields(message)
    }

    fn status_line(&mut self, message: &mut Message) -> Result<(), HeadError> {
        self.progress = match self.peek() {
            Some(b) if is_token(b) => Progress::ResponseVersion,
            _ => Progress::ResponseBefore,
        };
        let version = self.version(|b| b == b' ')?;
        self.skip_spaces();
        self.progress = Progress::StatusCode;
        let start = self.at;
        let mut status = 0u16;
        while let Some(b) = self.peek().filter(u8::is_ascii_digit) {
            status = status.saturating_mul(10).saturating_add(u16::from(b - b'0'));
            self.at += 1;
        }
        let ends = matches!(self.peek(), None | Some(b' ' | b'\t' | b'\r' | b'\n'));
        if self.at == self.head.len() || !ends || self.at != start + 3 || status < 100 {
            return Err(self.error("invalid status code"));
        }
        self.skip_spaces();
        self.progress = Progress::Reason;
        let start = self.at;
        while let Some(b) = self.peek().filter(|b| !matches!(b, b'\r' | b'\n')) {
            if b == 0 {
                return Err(self.error("NUL in reason"));
            }
            self.at += 1;
        }
        let reason = self.slice(start, self.at);
        self.line_end(Progress::ResponseLineEnd)?;
        message.set_status_line(version, status, reason);
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.head.get(self.at).copied()
    }

    fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.head.get(start..end).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// A part of the start line, up to the spaces behind it.
    fn until_space(
        &mut self,
        progress: Progress,
        allowed: impl Fn(u8) -> bool,
        reason: &'static str,
    ) -> Result<&'a [u8], HeadError> {
        let start = self.at;
        loop {
            match self.peek() {
                Some(b' ') => break,
                Some(b) if allowed(b) => {
                    self.at += 1;
                    self.progress = progress;
                }
                Some(b'\r' | b'\n')
                    if self.limits.accept_invalid && self.progress == Progress::Target =>
                {
                    break;
                }
                Some(b'\r' | b'\n') if self.at > 0 => {
                    return Err(self.line_error(self.at, "incomplete start line"));
                }
                _ => return Err(self.error(reason)),
            }
        }
        let end = self.at;
        self.skip_spaces();
        Ok(self.slice(start, end))
    }

    /// `HTTP/1.1`: one digit, a dot, one digit. HTTP/2 and later do not come this way.
    fn version(&mut self, ends: fn(u8) -> bool) -> Result<Version, HeadError> {
        let start = self.at;
        while self.peek().is_some_and(|b| b"HTP/.".contains(&b) || b.is_ascii_digit()) {
            self.at += 1;
        }
        if !self.peek().is_some_and(ends) {
            return Err(self.error("invalid character in version"));
        }
        let digit = |b: u8| b.is_ascii_digit().then(|| b - b'0');
        let parsed = match self.slice(start, self.at) {
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] => {
                digit(*major).zip(digit(*minor)).map(|(major, minor)| Version { major, minor })
            }
            [b'H', b'T', b'T', b'P', b'/', digits @ ..] if self.limits.accept_invalid => {
                long_version(digits)
            }
            _ => None,
        };
        let version = parsed.filter(|v| v.major == 1);
        version.ok_or_else(|| self.line_error(start, "unsupported version"))
    }

    fn line_end(&mut self, progress: Progress) -> Result<(), HeadError> {
        if self.peek() == Some(b'\r') {
            self.at += 1;
        }
        self.progress = progress;
        if self.peek() != Some(b'\n') {
            return Err(self.error("invalid line end"));
        }
        self.at += 1;
        Ok(())
    }

    fn fields(&mut self, message: &mut Message) -> Result<(), HeadError> {
        let mut value = Vec::new();
        while self.at < self.head.len() && !self.blank_line()? {
            let name = self.name()?;
            value.clear();
            self.value(&mut value)?;
            self.count(message.len())?;
            message.add(name, value.trim_ascii());
        }
        Ok(())
    }

    /// Whether there is room for one more than `count` fields.
    fn count(&mut self, count: usize) -> Result<(), HeadError> {
        if count < self.limits.fields {
            return Ok(());
        }
        self.progress = Progress::BehindHeader;
        Err(self.error("too many headers"))
    }

    /// Takes the line that ends a head.
    fn blank_line(&mut self) -> Result<bool, HeadError> {
        let blank = matches!(self.peek(), Some(b'\r' | b'\n'));
        if blank {
            self.line_end(Progress::LastLine)?;
        }
        Ok(blank)
    }

    fn name(&mut self) -> Result<&'a [u8], HeadError> {
        self.progress = Progress::HeaderName;
        let start = self.at;
        let lenient = self.limits.accept_invalid;
        while let Some(b) = self.peek().filter(|b| *b != b':') {
            let accepted = is_token(b) || lenient && b > b' ' && b != 0x7f;
            if !accepted {
                return Err(self.error("invalid character in header name"));
            }
            self.at += 1;
        }
        if self.at == start || self.at == self.head.len() {
            return Err(self.error("empty header name"));
        }
        let name = self.slice(start, self.at);
        self.at += 1;
        Ok(name)
    }

    /// The value up to the line's end; folded lines are joined by spaces.
    fn value(&mut self, value: &mut Vec<u8>) -> Result<(), HeadError> {
        self.progress = Progress::HeaderValue;
        self.skip_spaces();
        loop {
            match self.peek() {
                Some(b'\r' | b'\n') => self.line_end(Progress::HeaderEnd)?,
                Some(0) | None => return Err(self.error("invalid character in header value")),
                Some(b) => {
                    value.push(b);
                    self.at += 1;
                    continue;
                }
            }
            if !matches!(self.peek(), Some(b' ' | b'\t')) {
                return Ok(());
            }
            self.progress = Progress::HeaderValue;
            value.push(b' ');
            self.skip_spaces();
        }
    }
}

/// A version of several digits; what is newer than 1.1 is that.
fn long_version(digits: &[u8]) -> Option<Version> {
    let (major, minor) = std::str::from_utf8(digits).ok()?.split_once('.')?;
    match (major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?) {
        (1, 0) => Some(Version::HTTP_10),
        (1, _) => Some(Version::HTTP_11),
        _ => None,
    }
}

/// Whether a byte may stand in a method or a field name (RFC 9110 5.6.2).
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Limits = Limits { fields: 101, accept_invalid: false };

    fn request(text: &[u8]) -> Result<Message, HeadError> {
        let mut message = Message::default();
        assert_eq!(length(text, 0), Some(text.len()), "{}", String::from_utf8_lossy(text));
        parse_request(text, STRICT, &mut message).map(|()| message)
    }

    #[test]
    fn the_end_of_a_head_is_found_wherever_reading_stopped() {
        let text = b"GET / HTTP/1.1\r\na: b\r\n\r\nrest";
        for seen in 0..24 {
            assert_eq!(length(text, seen), Some(24));
        }
        assert_eq!(length(b"GET / HTTP/1.1\n\n", 0), Some(16));
        assert_eq!(length(b"GET / HTTP/1.1\r\n\r", 0), None);
    }

    #[test]
    fn well_formed_heads_are_taken() {
        let m = request(b"GET /x?y HTTP/1.1\r\nHost: a\r\nX-Y:  b c \r\n\r\n").unwrap();
        assert_eq!((m.method(), m.target()), (&b"GET"[..], &b"/x?y"[..]));
        let fields: Vec<_> = m.fields().collect();
        assert_eq!(fields, [(&b"host"[..], &b"a"[..]), (b"x-y", b"b c")]);
    }

    #[test]
    fn folded_lines_are_joined() {
        let m = request(b"GET / HTTP/1.1\r\na: b\r\n c\r\n\td\r\nx: y\r\n\r\n").unwrap();
        assert_eq!(m.get(b"a"), Some(&b"b c d"[..]));
        assert_eq!(m.get(b"x"), Some(&b"y"[..]));
    }

    #[test]
    fn mistakes_have_their_place() {
        let at = |text: &[u8]| request(text).unwrap_err().position;
        assert_eq!(at(b"GET / HTTP/1.1\r\n: v\r\n\r\n"), 16);
        assert_eq!(at(b"GET / HTTP/1.1\r\na b: v\r\n\r\n"), 17);
        assert_eq!(at(b"GET / HTTP/1.1\r\na : v\r\n\r\n"), 17);
        assert_eq!(at(b"GET / HTTP/1.1\r\na: v\0w\r\n\r\n"), 20);
        assert_eq!(at(b"GET /#x HTTP/1.1\r\n\r\n"), 5);
        assert_eq!(at("GET /é HTTP/1.1\r\n\r\n".as_bytes()), 5);
        assert_eq!(at(b"GET /\r\n\r\n"), 5);
        assert_eq!(at(b"GET / HTTP/2.0\r\n\r\n"), 6);
        assert_eq!(at(b"GET / HTTQ/1.1\r\n\r\n"), 9);
        assert_eq!(at(b"GET / HTTP/1.1 \r\n\r\n"), 14);
        assert_eq!(at(b"GET / HTTP/1.1\r\na: b\rc\r\n\r\n"), 21);
    }

    #[test]
    fn mistakes_are_found_while_a_head_comes() {
        let wrong = b"GET / HTTP/1.1\r\na: b\r\nc d: e\r\n\r\n";
        let right = b"GET / HTTP/1.1\r\na: b\r\n c\r\nd: e\r\n\r\n";
        let mut partial = Partial::default();
        let found = (1..=wrong.len()).find_map(|end| {
            partial.check_request(&wrong[..end], STRICT).err().map(|e| (end, e.position))
        });
        assert_eq!(found, Some((24, 23)));
        let mut partial = Partial::default();
        for end in 1..=right.len() {
            assert_eq!(partial.check_request(&right[..end], STRICT), Ok(()), "{end}");
        }
        let status = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n";
        let mut partial = Partial::default();
        for end in 1..=status.len() {
            assert_eq!(partial.check_response(&status[..end], STRICT), Ok(()), "{end}");
        }
        assert!(Partial::default().check_response(b"<html>", STRICT).is_err());
    }

    #[test]
    fn too_many_fields_are_refused() {
        let mut text = b"GET / HTTP/1.1\r\n".to_vec();
        for _ in 0..102 {
            text.extend_from_slice(b"a: b\r\n");
        }
        text.extend_from_slice(b"\r\n");
        assert_eq!(request(&text).unwrap_err().reason, "too many headers");
    }

    #[test]
    fn responses_keep_their_reason() {
        let mut m = Message::default();
        parse_response("HTTP/1.0 404 Où\r\na: b\r\n\r\n".as_bytes(), STRICT, &mut m).unwrap();
        assert_eq!((m.status, m.reason()), (404, "Où".as_bytes()));
        m.clear();
        parse_response(b"HTTP/1.1 200\r\n\r\n", STRICT, &mut m).unwrap();
        assert_eq!((m.status, m.reason()), (200, &b""[..]));
        m.clear();
        assert!(parse_response(b"HTTP/1.1 20 OK\r\n\r\n", STRICT, &mut m).is_err());
    }
}
