//! Answers of well-known servers, as `option smtpchk` and its kin judge them (manual 4.2): in come the
//! bytes received so far, out comes what they mean. No sockets.

use crate::check::CheckStatus;

/// Whose answers they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP (RFC 5321): the greeting.
    SmtpGreeting,
    /// SMTP: the answer to the hello.
    SmtpReply,
    /// LDAP version 3 (RFC 4511): the answer to a bind.
    Ldap,
    /// MySQL: the greeting.
    MySqlGreeting,
    /// MySQL: the greeting and the answer to a log-in.
    MySqlLogin,
    /// PostgreSQL: the answer to the start of a session.
    Postgres,
    /// SPOP: the agent's hello.
    Spop,
}

/// What the bytes mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// More are needed.
    Wait,
    /// All is well: a code and a text.
    Well(u16, String),
    /// It is not: the result, a code and a text.
    Ill(CheckStatus, u16, String),
}

impl Protocol {
    /// Judges; `last` says that no more will come.
    pub fn hear(self, bytes: &[u8], last: bool) -> Heard {
        let enough = match self {
            Protocol::SmtpGreeting | Protocol::SmtpReply => 4,
            Protocol::Ldap => 14,
            Protocol::MySqlGreeting | Protocol::MySqlLogin => 5,
            Protocol::Postgres if bytes.first() == Some(&b'E') => 5,
            Protocol::Postgres => 9,
            Protocol::Spop => 4,
        };
        if bytes.len() < enough && !last {
            return Heard::Wait;
        }
        match self {
            Protocol::SmtpGreeting => smtp(bytes, b" \r"),
            Protocol::SmtpReply => smtp(bytes, b"- \r"),
            Protocol::Ldap => ldap(bytes),
            Protocol::MySqlGreeting => mysql(bytes, false, last),
            Protocol::MySqlLogin => mysql(bytes, true, last),
            Protocol::Postgres => postgres(bytes),
            Protocol::Spop => spop(bytes, last),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn until<'b>(bytes: &'b [u8], ends: &[u8]) -> &'b [u8] {
    let end = bytes.iter().position(|b| ends.contains(b)).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}

/// Three digits and one of these characters; the code must begin with 2.
fn smtp(bytes: &[u8], after_code: &[u8]) -> Heard {
    let line = until(bytes, b"\r\n");
    let Some((code, rest)) = bytes.split_at_checked(3) else {
        return Heard::Ill(CheckStatus::L7Response, 0, text(line));
    };
    let shaped = code.iter().all(u8::is_ascii_digit)
        && rest.first().is_some_and(|next| after_code.contains(next));
    if !shaped {
        return Heard::Ill(CheckStatus::L7Response, 0, text(line));
    }
    let number = code.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let said = text(line.get(4..).unwrap_or_default().trim_ascii_start());
    match code.first() {
        Some(b'2') => Heard::Well(number, said),
        _ => Heard::Ill(CheckStatus::L7Status, number, said),
    }
}

/// A BER length (X.690 8.1.3): how many bytes follow its first one.
fn length_bytes(first: u8) -> usize {
    if first & 0x80 == 0 { 0 } else { usize::from(first & 0x7f) }
}

/// A bind's response (RFC 4511 4.2.2): message 1, and a result code of 0.
fn ldap(bytes: &[u8]) -> Heard {
    let foreign = || Heard::Ill(CheckStatus::L7Response, 0, "Not LDAPv3 protocol".to_owned());
    let response = |bytes: &[u8]| {
        let outer = length_bytes(*bytes.get(1)?);
        let operation = bytes.get(2 + outer..)?.strip_prefix(b"\x02\x01\x01\x61")?;
        let inner = length_bytes(*operation.first()?);
        let result = operation.get(1 + inner..)?.strip_prefix(b"\x0a\x01")?;
        let sane = outer <= 2 && outer + inner <= 4;
        result.first().copied().filter(|_| sane)
    };
    match response(bytes) {
        None => foreign(),
        Some(0) => Heard::Well(0, "Success".to_owned()),
        Some(code) => {
            let more = "See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9".to_owned();
            Heard::Ill(CheckStatus::L7Status, u16::from(code), more)
        }
    }
}

/// A packet of MySQL's protocol at the beginning, and what follows it.
fn mysql_packet(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(4)?;
    let length = head.iter().take(3).rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    rest.split_at_checked(length)
}

/// The greeting, and the answer to a log-in when there is one: an error begins with a byte of 255.
fn mysql(bytes: &[u8], logs_in: bool, last: bool) -> Heard {
    let missing = || match last {
        true => Heard::Ill(CheckStatus::L7Response, 0, String::new()),
        false => Heard::Wait,
    };
    let Some((greeting, rest)) = mysql_packet(bytes) else { return missing() };
    if let Some(failure) = mysql_error(greeting) {
        return failure;
    }
    if logs_in {
        let Some((answer, _)) = mysql_packet(rest) else { return missing() };
        if let Some(failure) = mysql_error(answer) {
            return failure;
        }
    }
    Heard::Well(0, text(until(greeting.get(1..).unwrap_or_default(), b"\0")))
}

fn mysql_error(packet: &[u8]) -> Option<Heard> {
    let (code, said) = packet.strip_prefix(b"\xff")?.split_at_checked(2)?;
    let code = code.iter().rev().fold(0, |sum, byte| sum << 8 | u16::from(*byte));
    Some(Heard::Ill(CheckStatus::L7Status, code, text(until(said, b"\0"))))
}

/// An error, or a request to authenticate by one of the ways there are.
fn postgres(bytes: &[u8]) -> Heard {
    if bytes.first() == Some(&b'E') {
        let said = until(bytes.get(6..).unwrap_or_default(), b"\0");
        return Heard::Ill(CheckStatus::L7Response, 0, text(said));
    }
    let asks = matches!(bytes, [b'R', 0, 0, 0, 8 | 10 | 12, 0, 0, 0, 0 | 2..=6, ..]);
    match asks {
        true => Heard::Well(0, "PostgreSQL server is ok".to_owned()),
        false => Heard::Ill(CheckStatus::L7Status, 0, "PostgreSQL unknown error".to_owned()),
    }
}

/// A frame that is the agent's hello (SPOE.txt 3.2.5), with all that must be in it.
fn spop(bytes: &[u8], last: bool) -> Heard {
    let ill = |why: &str| Heard::Ill(CheckStatus::L7Response, 0, why.to_owned());
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return ill("invalid frame received");
    };
    let length = u32::from_be_bytes(*length) as usize;
    let frame = match rest.get(..length) {
        Some(frame) => frame,
        None if !last => return Heard::Wait,
        None => rest,
    };
    let Some((&[0x65, _, _, _, flags, 0, 0], pairs)) = frame.split_first_chunk::<7>() else {
        return ill("invalid frame received");
    };
    if flags & 1 == 0 {
        return ill("fragmentation not supported");
    }
    let has = |name: &[u8]| memchr::memmem::find(pairs, name).is_some();
    if !has(b"\x07version\x08") {
        return ill("version value not found");
    }
    if !has(b"\x07version\x08\x032.") {
        return ill("unsupported version");
    }
    if !has(b"\x0emax-frame-size") {
        return ill("max-frame-size value not found");
    }
    if !has(b"\x0ccapabilities\x08") {
        return ill("capabilities value not found");
    }
    Heard::Well(0, "SPOA server is ok".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well(code: u16, text: &str) -> Heard {
        Heard::Well(code, text.to_owned())
    }

    fn ill(status: CheckStatus, code: u16, text: &str) -> Heard {
        Heard::Ill(status, code, text.to_owned())
    }

    #[test]
    fn mail_servers_greet() {
        let greeting = |bytes| Protocol::SmtpGreeting.hear(bytes, false);
        assert_eq!(greeting(b"220 hi\r\n"), well(220, "hi"));
        assert_eq!(greeting(b"220"), Heard::Wait);
        assert_eq!(greeting(b"554 no\r\n"), ill(CheckStatus::L7Status, 554, "no"));
        assert_eq!(greeting(b"220-hi\r\n"), ill(CheckStatus::L7Response, 0, "220-hi"));
        assert_eq!(Protocol::SmtpReply.hear(b"250-ok\r\n250 X\r\n", false), well(250, "ok"));
    }

    #[test]
    fn directories_bind() {
        let hear = |bytes| Protocol::Ldap.hear(bytes, false);
        assert_eq!(hear(b"0\x0c\x02\x01\x01a\x07\x0a\x01\0\x04\0\x04\0"), well(0, "Success"));
        let refused = hear(b"0\x84\0\0\0\x10\x02\x01\x01a\x84\0\0\0\x07\x0a\x01\x02\x04\0\x04\0");
        assert_eq!(refused, ill(CheckStatus::L7Response, 0, "Not LDAPv3 protocol"));
        let foreign = hear(b"HTTP/1.0 400 Bad\r\n");
        assert_eq!(foreign, ill(CheckStatus::L7Response, 0, "Not LDAPv3 protocol"));
    }

    #[test]
    fn stream_agents_greet() {
        let invalid = |why| ill(CheckStatus::L7Response, 0, why);
        let hear = |frame: &[u8]| {
            let length = (frame.len() as u32).to_be_bytes();
            Protocol::Spop.hear(&[&length[..], frame].concat(), false)
        };
        assert_eq!(hear(b""), invalid("invalid frame received"));
        assert_eq!(hear(b"\x65\0\0\0\0\0\0"), invalid("fragmentation not supported"));
        assert_eq!(hear(b"\x65\0\0\0\x01\0\0"), invalid("version value not found"));
        let old = hear(b"\x65\0\0\0\x01\0\0\x07version\x08\x031.0");
        assert_eq!(old, invalid("unsupported version"));
        let short = hear(b"\x65\0\0\0\x01\0\0\x07version\x08\x032.0");
        assert_eq!(short, invalid("max-frame-size value not found"));
    }

    #[test]
    fn databases_greet() {
        let greeting = b"\x07\0\0\0\x0a5.7.3\0";
        assert_eq!(Protocol::MySqlGreeting.hear(greeting, false), well(0, "5.7.3"));
        assert_eq!(Protocol::MySqlLogin.hear(greeting, false), Heard::Wait);
        let denied = [&greeting[..], b"\x09\0\0\x02\xff\x15\x04Denied"].concat();
        let expected = ill(CheckStatus::L7Status, 1045, "Denied");
        assert_eq!(Protocol::MySqlLogin.hear(&denied, false), expected);
        let start = |bytes| Protocol::Postgres.hear(bytes, false);
        assert_eq!(start(b"R\0\0\0\x08\0\0\0\x05"), well(0, "PostgreSQL server is ok"));
        let fatal = ill(CheckStatus::L7Response, 0, "FATAL");
        assert_eq!(start(b"E\0\0\0\x08SFATAL\0C28P01\0"), fatal);
    }
}
