//! Syslog messages as others send them (RFC 3164, RFC 5424, framed over TCP by RFC 6587). In: bytes. Out: the
//! message's parts, and a header in another format made of them.

use std::time::Duration;

use crate::flow::log::date;
use crate::flow::log::target::Header;

/// A message's parts; what is missing is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Message<'a> {
    /// Facility and level in one number.
    pub priority: Option<u32>,
    time: &'a [u8],
    host: &'a [u8],
    tag: &'a [u8],
    pid: &'a [u8],
    id: &'a [u8],
    data: &'a [u8],
    /// What it says.
    pub text: &'a [u8],
}

/// Length of `Jan  1 00:00:00`.
const LEGACY_TIME: usize = 15;
/// The least length of `1970-01-01T00:00:00Z`.
const ISO_TIME: usize = 20;

impl<'a> Message<'a> {
    /// Takes a message apart. What follows no format is all text.
    pub fn parse(bytes: &'a [u8]) -> Message<'a> {
        let Some((priority, rest)) = priority(bytes) else {
            return Message { text: bytes, ..Message::default() };
        };
        let plain = Message { priority: Some(priority), text: rest, ..Message::default() };
        let parsed = match rest.strip_prefix(b"1 ") {
            Some(rest) if !rest.is_empty() => rfc5424(rest),
            _ => rfc3164(rest),
        };
        parsed.map_or(plain, |parsed| Message { priority: Some(priority), ..parsed })
    }

    /// Its level, 0 `emerg` to 7 `debug`.
    pub fn level(&self) -> Option<u8> {
        Some((self.priority? % 8) as u8)
    }

    /// The format it came in.
    fn format(&self) -> Header {
        match () {
            () if self.host.is_empty() && self.priority.is_some() => Header::Priority,
            () if self.host.is_empty() => Header::Raw,
            () if self.time == b"-" || self.time.len() >= ISO_TIME => Header::Rfc5424,
            () => Header::Rfc3164,
        }
    }

    /// Appends a header: in this format, or in the one the message came in.
    pub fn write_header(
        &self,
        format: Option<Header>,
        (facility, level): (u32, u32),
        now: Duration,
        out: &mut Vec<u8>,
    ) {
        let format = format.unwrap_or_else(|| self.format());
        let number = match format {
            Header::Rfc3164 | Header::Local | Header::Rfc5424 | Header::Priority => {
                Some(facility * 8 + level)
            }
            Header::Timed | Header::Short => Some(level),
            Header::Iso | Header::Raw => None,
        };
        if let Some(number) = number {
            out.push(b'<');
            // Three digits are all that there is room for.
            out.extend_from_slice(itoa::Buffer::new().format(number % 1000).as_bytes());
            out.push(b'>');
        }
        match format {
            Header::Rfc3164 | Header::Local => self.legacy_header(now, out),
            Header::Rfc5424 => {
                out.extend_from_slice(b"1 ");
                match self.time {
                    b"-" => out.push(b'-'),
                    _ => self.iso_time(now, out),
                }
                for part in [self.host, self.tag, self.pid, self.id, self.data] {
                    out.push(b' ');
                    out.extend_from_slice(if part.is_empty() { b"-" } else { part });
                }
                out.push(b' ');
            }
            Header::Timed | Header::Iso => {
                self.iso_time(now, out);
                out.push(b' ');
            }
            Header::Priority | Header::Short | Header::Raw => {}
        }
    }

    fn legacy_header(&self, now: Duration, out: &mut Vec<u8>) {
        match legacy_of_iso(self.time) {
            Some(time) => out.extend_from_slice(&time),
            None if self.time.len() == LEGACY_TIME => out.extend_from_slice(self.time),
            None => date::write_rfc3164(out, now),
        }
        out.push(b' ');
        out.extend_from_slice(if self.host.is_empty() { b"localhost" } else { self.host });
        out.push(b' ');
        if !self.tag.is_empty() {
            out.extend_from_slice(self.tag);
            if !self.pid.is_empty() {
                out.push(b'[');
                out.extend_from_slice(self.pid);
                out.push(b']');
            }
            out.extend_from_slice(b": ");
        }
    }

    fn iso_time(&self, now: Duration, out: &mut Vec<u8>) {
        if self.time.len() >= ISO_TIME {
            out.extend_from_slice(self.time);
        } else if !iso_of_legacy(self.time, now, out) {
            date::write_iso(out, now);
        }
    }
}

/// `<134>` and what follows.
fn priority(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let rest = bytes.strip_prefix(b"<")?;
    let end = memchr::memchr(b'>', rest)?;
    let (digits, rest) = (rest.get(..end)?, rest.get(end + 1..)?);
    let digit = |number: u32, b: &u8| {
        let value = b.is_ascii_digit().then(|| u32::from(b - b'0'))?;
        number.checked_mul(10)?.checked_add(value)
    };
    Some((digits.iter().try_fold(0, digit)?, rest))
}

/// Cuts at the first blank; neither part may be missing.
fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', bytes).filter(|end| *end > 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// What follows `1 `: time, host, program, process, message's name, structured data, text.
fn rfc5424(bytes: &[u8]) -> Option<Message<'_>> {
    let (time, rest) = word(bytes)?;
    if time != b"-" && !is_iso_time(time) {
        return None;
    }
    let given = |part| if part == b"-" { &[][..] } else { part };
    let (host, rest) = word(rest)?;
    let (tag, rest) = word(rest)?;
    let (pid, rest) = word(rest)?;
    let (id, rest) = word(rest)?;
    let (data, text) = match rest.first()? {
        b'[' => {
            let end = structured_data(rest)?;
            (rest.get(..end)?, rest.get(end + 1..)?)
        }
        b'-' => (&[][..], rest.strip_prefix(b"- ")?),
        _ => return None,
    };
    let (host, tag, pid, id) = (given(host), given(tag), given(pid), given(id));
    Some(Message { priority: None, time, host, tag, pid, id, data, text })
}

/// `1970-01-01T00:00:00`, perhaps a fraction, then `Z` or an offset.
fn is_iso_time(time: &[u8]) -> bool {
    let Some((_, rest)) = time.split_at_checked(19) else { return false };
    let zone = match rest.strip_prefix(b".") {
        Some(rest) => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            rest.get(digits..).unwrap_or_default()
        }
        None => rest,
    };
    zone == b"Z" || zone.len() == 6
}

/// Where elements in brackets end; a blank must follow.
fn structured_data(bytes: &[u8]) -> Option<usize> {
    let mut inside = false;
    let mut before = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match (inside, byte) {
            (true, b']') if before != b'\\' => inside = false,
            (false, b'[') => inside = true,
            (false, b' ') => return Some(at),
            (false, _) => return None,
            (true, _) => {}
        }
        before = *byte;
    }
    None
}

/// Time, host, perhaps program and process, text.
fn rfc3164(bytes: &[u8]) -> Option<Message<'_>> {
    let (time, rest) = bytes.split_at_checked(LEGACY_TIME)?;
    month_number(time)?;
    let (host, text) = word(rest.strip_prefix(b" ")?)?;
    let mut message = Message { time, host, text, ..Message::default() };
    let Some(end) = memchr::memchr2(b' ', b':', text) else { return Some(message) };
    let (name, after) = text.split_at(end);
    let Some(after) = after.strip_prefix(b": ") else { return Some(message) };
    let (tag, pid) = match memchr::memchr(b'[', name) {
        Some(open) => (name.get(..open)?, name.get(open + 1..)?),
        None => (name, &[][..]),
    };
    message.tag = if tag.is_empty() { name } else { tag };
    match memchr::memchr(b']', pid) {
        Some(close) if close + 1 == pid.len() => message.pid = pid.get(..close)?,
        // More than a process's number: that is no tag.
        Some(_) => return Some(message),
        None => {}
    }
    message.text = after;
    Some(message)
}

/// The month that a legacy time begins with, from 0.
fn month_number(time: &[u8]) -> Option<usize> {
    date::MONTHS.iter().position(|month| time.starts_with(*month))
}

/// `Oct 11 22:14:15` of `2003-10-11T22:14:15.003Z`.
fn legacy_of_iso(time: &[u8]) -> Option<Vec<u8>> {
    if time.len() < ISO_TIME {
        return None;
    }
    let digit = |at: usize| time.get(at).map(|b| usize::from(b.wrapping_sub(b'0')));
    let month = date::MONTHS.get((digit(5)? * 10 + digit(6)?).saturating_sub(1))?;
    let day = time.get(8..10)?;
    let mut legacy = Vec::with_capacity(LEGACY_TIME);
    legacy.extend_from_slice(*month);
    legacy.push(b' ');
    legacy.push(if day.first() == Some(&b'0') { b' ' } else { *day.first()? });
    legacy.push(*day.last()?);
    legacy.push(b' ');
    legacy.extend_from_slice(time.get(11..19)?);
    Some(legacy)
}

/// Appends `2003-10-11T22:14:15-00:00`, the zone being unknown, of `Oct 11 22:14:15`.
fn iso_of_legacy(time: &[u8], now: Duration, out: &mut Vec<u8>) -> bool {
    let (Some(month), [.., ten, one, b' ', _, _, _, _, _, _, _, _]) = (month_number(time), time)
    else {
        return false;
    };
    let today = date::local(now.as_secs());
    // A month that is still to come was last year's.
    let year = if (today.month as usize) < month + 1 { today.year - 1 } else { today.year };
    let ten = if *ten == b' ' { '0' } else { char::from(*ten) };
    let day = format!("{year:04}-{:02}-{ten}{}T", month + 1, char::from(*one));
    out.extend_from_slice(day.as_bytes());
    out.extend_from_slice(time.get(7..).unwrap_or_default());
    out.extend_from_slice(b"-00:00");
    true
}

/// What a stream of messages begins with.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message, and how many bytes it took.
    Message(&'a [u8], usize),
    /// More bytes are needed.
    More,
    /// No message.
    Bad,
}

/// The next message of a stream: lines that begin with `<`, or messages with their length in front, of
/// `longest` bytes at most (RFC 6587 3.4).
pub fn next_frame(bytes: &[u8], longest: usize) -> Frame<'_> {
    let incomplete = if bytes.len() > longest { Frame::Bad } else { Frame::More };
    match bytes.first() {
        None => Frame::More,
        Some(b'<') => match memchr::memchr(b'\n', bytes) {
            None => incomplete,
            Some(end) => {
                let line = bytes.get(..end).unwrap_or_default();
                Frame::Message(line.strip_suffix(b"\r").unwrap_or(line), end + 1)
            }
        },
        Some(b'1'..=b'9') => {
            let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
            let number = bytes
                .get(..digits)
                .and_then(|b| std::str::from_utf8(b).ok()?.parse::<usize>().ok());
            let Some(length) = number.filter(|length| *length <= longest) else {
                return Frame::Bad;
            };
            match bytes.get(digits) {
                None => Frame::More,
                Some(b' ') => match bytes.get(digits + 1..digits + 1 + length) {
                    Some(message) => Frame::Message(message, digits + 1 + length),
                    None => Frame::More,
                },
                Some(_) => Frame::Bad,
            }
        }
        Some(_) => Frame::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message with the header of another format; dates that are made up are those of 2026.
    fn told(text: &str, format: Option<Header>) -> String {
        let message = Message::parse(text.as_bytes());
        let priority = message.priority.unwrap_or(152);
        let mut out = Vec::new();
        let now = Duration::from_secs(1_795_360_583);
        message.write_header(format, (priority / 8, priority % 8), now, &mut out);
        out.extend_from_slice(message.text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn messages_come_out_as_they_came_in() {
        for text in [
            "<134>Nov 22 21:15:00 myhost app[5820]: GET /1",
            "<134>Nov  2 21:15:00 myhost app: hello",
            "<134>Dec  2 21:15:00 myhost just text",
            "<165>1 2003-10-11T22:14:15.003Z m.example evntslog - ID47 [a@1 b=\"c\\]\"][d] An event",
            "<34>1 2003-10-11T22:14:15+02:00 host su 123 - - msg",
            "<34>1 - h - - - - x",
            "<34>hello there",
            "<34>1 bad",
            "<34>Foo 22 21:15:00 h x: y",
            "<34>Nov 22 21:15:00 h",
            "plain text",
            "<3",
            "",
        ] {
            assert_eq!(told(text, None), text);
        }
        assert_eq!(told("<34>1 - - - - - - nothing", None), "<34>nothing");
        assert_eq!(told("<>abc", None), "<0>abc");
    }

    #[test]
    fn messages_change_their_format() {
        let legacy = "<134>Dec  2 21:15:00 h app[5]: x";
        let modern = "<165>1 2003-10-01T22:14:15.003Z h su 1 ID [a] x";
        let of = |text, header| told(text, Some(header));
        assert_eq!(of(legacy, Header::Rfc5424), "<134>1 2025-12-02T21:15:00-00:00 h app 5 - - x");
        assert_eq!(of(legacy, Header::Timed), "<6>2025-12-02T21:15:00-00:00 x");
        assert_eq!(of(legacy, Header::Short), "<6>x");
        assert_eq!(of(legacy, Header::Raw), "x");
        assert_eq!(of(modern, Header::Rfc3164), "<165>Oct  1 22:14:15 h su[1]: x");
        assert_eq!(of(modern, Header::Iso), "2003-10-01T22:14:15.003Z x");
        assert_eq!(of("<34>1 - - - - - - x", Header::Rfc5424), "<34>1 - - - - - - x");
        assert!(of("x", Header::Rfc3164).ends_with(" localhost x"));
        assert_eq!(of("<34>Nov 22 21:15:00 h t[1]x: m", Header::Priority), "<34>t[1]x: m");
    }

    #[test]
    fn streams_are_cut_into_messages() {
        let frame = |text: &'static str| next_frame(text.as_bytes(), 20);
        assert_eq!(frame("<3>a\r\n<4>"), Frame::Message(b"<3>a", 6));
        assert_eq!(frame("<3>a"), Frame::More);
        assert_eq!(frame("7 <34>abc8 "), Frame::Message(b"<34>abc", 9));
        assert_eq!(frame("7 <34>ab"), Frame::More);
        assert_eq!(frame("7"), Frame::More);
        assert_eq!(frame("7x"), Frame::Bad);
        assert_eq!(frame("21 "), Frame::Bad);
        assert_eq!(frame("0 "), Frame::Bad);
        assert_eq!(frame("\n"), Frame::Bad);
        assert_eq!(frame("<3>aaaaaaaaaaaaaaaaaaaaaaaaaaaa"), Frame::Bad);
    }
}
