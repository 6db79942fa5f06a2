//! How long a message's body is and whether its connection can be kept (RFC 9112 sections 6 and 9).
//! In comes a parsed head, out comes its framing; heads whose framing is ambiguous are refused.

use crate::flow::http::h1::head::HeadError;
use crate::flow::http::h1::progress::Progress;
use crate::flow::http::message::{Elements, Message, Version};

/// The extent of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Until the connection is closed (responses only).
    UntilClose,
}

/// What a head says about its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// The body that follows.
    pub body: Body,
    /// Whether the sender lets the connection live on.
    pub keep_alive: bool,
    /// Whether the sender wants to change the protocol (`Upgrade`).
    pub upgrade: bool,
}

/// Why a head that could be parsed is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramingError {
    /// What is wrong.
    pub reason: &'static str,
    /// The header that is to blame, and which of its occurrences from 0.
    header: Option<(&'static str, usize)>,
}

impl FramingError {
    /// With its place in the head that was parsed.
    pub fn within(self, head: &[u8]) -> HeadError {
        let found = self.header.and_then(|(name, number)| value_position(head, name, number));
        let progress = match found {
            Some(_) => Progress::BehindHeader,
            None => Progress::Data,
        };
        HeadError { position: found.unwrap_or(head.len()), progress, reason: self.reason }
    }
}

/// Where a header's value begins.
fn value_position(head: &[u8], name: &str, number: usize) -> Option<usize> {
    let mut start = 0;
    let mut seen = 0;
    for line in head.split_inclusive(|b| *b == b'\n') {
        let (before, after) = line.split_at_checked(name.len()).unwrap_or_default();
        if before.eq_ignore_ascii_case(name.as_bytes())
            && let Some(value) = after.strip_prefix(b":")
        {
            if seen == number {
                return Some(start + line.len() - value.trim_ascii_start().len());
            }
            seen += 1;
        }
        start += line.len();
    }
    None
}

const fn refuse(reason: &'static str) -> FramingError {
    FramingError { reason, header: None }
}

/// Blames an occurrence of a header.
const fn refuse_header(reason: &'static str, name: &'static str, number: usize) -> FramingError {
    FramingError { reason, header: Some((name, number)) }
}

/// Framing of a request. Connection tokens that concern only this hop are taken out of the message, and so
/// is a `Host` that says the same again.
pub fn of_request(message: &mut Message, accept_invalid: bool) -> Result<Framing, FramingError> {
    if !accept_invalid {
        host(message)?;
    }
    let chunked = transfer_encoding(message)?;
    let length = content_length(message)?;
    if chunked && message.version < Version::HTTP_11 {
        return Err(refuse("transfer-encoding in HTTP/1.0"));
    }
    if chunked && length.is_some() {
        message.remove(b"content-length");
    }
    let mut connection = connection_header(message);
    if chunked && length.is_some() {
        // RFC 9112 6.1: what follows such a message cannot be trusted.
        connection.keep_alive = false;
    }
    if message.method() == b"CONNECT" && (chunked || length.is_some_and(|n| n > 0)) {
        return Err(refuse("body in CONNECT"));
    }
    let body = match length {
        _ if chunked => Body::Chunked,
        Some(0) | None => Body::None,
        Some(length) => Body::Length(length),
    };
    Ok(Framing { body, ..connection })
}

/// Framing of a response to a request with this method.
pub fn of_response(message: &mut Message, method: &[u8]) -> Result<Framing, FramingError> {
    let chunked = transfer_encoding(message)?;
    let length = content_length(message)?;
    if chunked && length.is_some() {
        message.remove(b"content-length");
    }
    let mut framing = connection_header(message);
    framing.body = match message.status {
        100..=199 | 204 | 304 => Body::None,
        _ if method == b"HEAD" => Body::None,
        200..=299 if method == b"CONNECT" => Body::None,
        _ if chunked => Body::Chunked,
        _ => length.map_or(Body::UntilClose, |n| if n == 0 { Body::None } else { Body::Length(n) }),
    };
    Ok(framing)
}

/// One `Host`, and the one that the target names: who routes by the one and who serves by the other would
/// disagree (RFC 9112 3.2; HAProxy's later releases forgive a port that the scheme implies).
fn host(message: &mut Message) -> Result<(), FramingError> {
    if message.may_repeat_host() {
        let first = message.get(b"host").unwrap_or_default();
        let differs = |value: &[u8]| !value.eq_ignore_ascii_case(first);
        if let Some(number) = message.values(b"host").position(differs) {
            return Err(refuse_header("host headers that differ", "host", number));
        }
        let mut seen = false;
        message.remove_if(|name, _| name == b"host" && std::mem::replace(&mut seen, true));
    }
    let Some((scheme, authority)) = message.scheme_and_authority() else { return Ok(()) };
    let Some(host) = message.get(b"host") else { return Ok(()) };
    let ports: &[&[u8]] = match scheme.to_ascii_lowercase().as_slice() {
        b"http" => &[b":80"],
        b"https" => &[b":443"],
        _ => &[b":80", b":443"],
    };
    let bare = |name: &[u8]| {
        let implied = ports.iter().find_map(|port| name.strip_suffix(*port));
        implied.unwrap_or(name).to_ascii_lowercase()
    };
    if bare(host) == bare(authority) {
        return Ok(());
    }
    Err(refuse_header("host header and target differ", "host", 0))
}

/// Whether the body is chunked. Anything but one final `chunked` is refused.
fn transfer_encoding(message: &Message) -> Result<bool, FramingError> {
    let mut chunked = false;
    if !message.may_have(b"transfer-encoding") {
        return Ok(false);
    }
    for value in message.values(b"transfer-encoding") {
        if value.iter().all(u8::is_ascii_whitespace) || value.last() == Some(&b',') {
            return Err(refuse("invalid transfer-encoding"));
        }
        for element in Elements::new(value) {
            if chunked || !element.eq_ignore_ascii_case(b"chunked") {
                return Err(refuse("unsupported transfer-encoding"));
            }
            chunked = true;
        }
    }
    Ok(chunked)
}

/// The announced length; a list or a repeated header is taken only if all say the same.
fn content_length(message: &Message) -> Result<Option<u64>, FramingError> {
    if !message.may_have(b"content-length") {
        return Ok(None);
    }
    let mut values = message.values(b"content-length");
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refuse_header("repeated content-length", "content-length", 1));
    }
    if first.is_empty() || !first.iter().all(u8::is_ascii_digit) {
        return Err(refuse_header("invalid content-length", "content-length", 0));
    }
    let length = first
        .iter()
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    length.map(Some).ok_or(refuse_header("content-length is too large", "content-length", 0))
}

/// Reads `Connection` and removes `close` and `keep-alive` from it, as those concern only this hop.
fn connection_header(message: &mut Message) -> Framing {
    let mut framing = Framing {
        body: Body::None,
        keep_alive: message.version >= Version::HTTP_11,
        upgrade: false,
    };
    if !message.may_have(b"connection") {
        return framing;
    }
    if let Some(close) = sole_hop_token(message) {
        framing.keep_alive = !close;
        message.remove(b"connection");
        return framing;
    }
    let mut close = false;
    let mut hop = false;
    let mut named_upgrade = false;
    for element in message.elements(b"connection") {
        if element.eq_ignore_ascii_case(b"close") {
            (close, hop) = (true, true);
        } else if element.eq_ignore_ascii_case(b"keep-alive") {
            (framing.keep_alive, hop) = (true, true);
        } else if element.eq_ignore_ascii_case(b"upgrade") {
            named_upgrade = true;
        }
    }
    framing.keep_alive &= !close;
    framing.upgrade = named_upgrade && message.has(b"upgrade");
    if hop {
        drop_hop_tokens(message);
    }
    framing
}

/// Whether `Connection` says `close`, or else `keep-alive`, and nothing beside it, as it mostly does.
fn sole_hop_token(message: &Message) -> Option<bool> {
    let mut values = message.values(b"connection");
    let value = values.next().filter(|_| values.next().is_none())?;
    match value.len() {
        5 if value.eq_ignore_ascii_case(b"close") => Some(true),
        10 if value.eq_ignore_ascii_case(b"keep-alive") => Some(false),
        _ => None,
    }
}

/// What is left stays where the first `Connection` header was.
fn drop_hop_tokens(message: &mut Message) {
    let mut kept: Vec<u8> = Vec::new();
    let is_hop =
        |e: &[u8]| e.eq_ignore_ascii_case(b"close") || e.eq_ignore_ascii_case(b"keep-alive");
    for element in message.elements(b"connection").filter(|e| !is_hop(e)) {
        if !kept.is_empty() {
            kept.extend_from_slice(b", ");
        }
        kept.extend_from_slice(element);
    }
    if kept.is_empty() {
        message.remove(b"connection");
        return;
    }
    let mut seen = false;
    message.remove_if(|name, _| name == b"connection" && std::mem::replace(&mut seen, true));
    let index = message.fields().position(|(name, _)| name == b"connection");
    if let Some(index) = index {
        message.set_value(index, &kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::http::h1::head::{Limits, parse_request, parse_response};

    const STRICT: Limits = Limits { fields: 101, accept_invalid: false };

    fn request(fields: &str) -> Result<(Framing, Message), HeadError> {
        let mut message = Message::default();
        let text = format!("POST / HTTP/1.1\r\n{fields}\r\n");
        parse_request(text.as_bytes(), STRICT, &mut message)?;
        let framing = of_request(&mut message, false).map_err(|e| e.within(text.as_bytes()))?;
        Ok((framing, message))
    }

    #[test]
    fn a_request_names_one_host() {
        let judge = |head: &str, accept_invalid| {
            let mut message = Message::default();
            parse_request(format!("{head}\r\n\r\n").as_bytes(), STRICT, &mut message).unwrap();
            let result = of_request(&mut message, accept_invalid);
            result.map(|_| message.values(b"host").count()).map_err(|error| error.reason)
        };
        let hosts = |head| judge(head, false);
        assert_eq!(hosts("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nHost: A"), Ok(1));
        assert_eq!(hosts("GET http://A.b/ HTTP/1.1\r\nHost: a.B"), Ok(1));
        assert_eq!(hosts("GET http://u@a.b?q HTTP/1.1\r\nHost: a.b"), Ok(1));
        assert_eq!(hosts("GET http://a.b:80/ HTTP/1.1\r\nHost: a.b"), Ok(1));
        assert_eq!(hosts("GET https://a.b/ HTTP/1.1\r\nHost: a.b:443"), Ok(1));
        assert_eq!(hosts("GET http://a.b/ HTTP/1.1"), Ok(0));
        assert_eq!(hosts("CONNECT a.b:80 HTTP/1.1\r\nHost: a.b"), Ok(1));
        for bad in [
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b",
            "GET http://a.b/ HTTP/1.1\r\nHost: c.d",
            "GET http://a.b/ HTTP/1.1\r\nHost: ",
            "GET http://a.b:8080/ HTTP/1.1\r\nHost: a.b",
            "CONNECT a.b:80 HTTP/1.1\r\nHost: c.d",
        ] {
            assert!(hosts(bad).is_err(), "{bad}");
            assert!(judge(bad, true).is_ok(), "{bad}");
        }
    }

    #[test]
    fn bodies_of_requests() {
        let body = |fields| request(fields).map(|(f, _)| f.body).map_err(|e| e.reason);
        assert_eq!(body(""), Ok(Body::None));
        assert_eq!(body("Content-Length: 5\r\n"), Ok(Body::Length(5)));
        assert_eq!(body("Transfer-Encoding: Chunked\r\n"), Ok(Body::Chunked));
        assert!(body("Content-Length: \r\n").is_err());
        assert!(body("Content-Length: 5\r\nContent-Length: 5\r\n").is_err());
        assert!(body("Content-Length: 5, 5\r\n").is_err());
        assert!(body("Content-Length: +5\r\n").is_err());
        assert!(body("Content-Length: 18446744073709551616\r\n").is_err());
        assert!(body("Transfer-Encoding: chunked,\r\n").is_err());
        assert!(body("Transfer-Encoding: gzip, chunked\r\n").is_err());
        assert!(body("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n").is_err());
    }

    #[test]
    fn refused_headers_have_their_place() {
        let at = |fields| request(fields).map(drop).unwrap_err().position;
        assert_eq!(at("Host: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n"), 61);
        assert_eq!(at("Host: h\r\nContent-Length:  1, 2\r\n"), 43);
        assert_eq!(at("Host: h\r\nX: y\r\nHost: other\r\n"), 38);
        assert_eq!(at("Transfer-Encoding: x\r\n"), 41);
    }

    #[test]
    fn length_beside_chunks_is_dropped_and_ends_the_connection() {
        let (framing, message) =
            request("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n").unwrap();
        assert_eq!((framing.body, framing.keep_alive), (Body::Chunked, false));
        assert!(!message.has(b"content-length"));
    }

    #[test]
    fn connection_tokens_of_this_hop_are_removed() {
        let (framing, message) =
            request("Connection: keep-alive, Upgrade\r\nUpgrade: x\r\n").unwrap();
        assert!(framing.keep_alive && framing.upgrade);
        assert_eq!(message.get(b"connection"), Some(&b"Upgrade"[..]));
        let (framing, message) = request("Connection: close\r\n").unwrap();
        assert!(!framing.keep_alive && !message.has(b"connection"));
    }

    #[test]
    fn bodies_of_responses_depend_on_the_request() {
        let body = |text: &str, method: &[u8]| {
            let mut message = Message::default();
            parse_response(text.as_bytes(), STRICT, &mut message).unwrap();
            of_response(&mut message, method).map(|f| f.body)
        };
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(body(long, b"GET"), Ok(Body::Length(5)));
        assert_eq!(body(long, b"HEAD"), Ok(Body::None));
        assert_eq!(body("HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", b"GET"), Ok(Body::None));
        assert_eq!(body("HTTP/1.0 200 OK\r\n\r\n", b"GET"), Ok(Body::UntilClose));
    }
}
