//! Answers of our own: error pages and what rules put together. In comes a stream with a status or a
//! response, out go bytes to the client.

use crate::flow::http::h1::framing::Body;
use crate::flow::http::h1::head::{self, Limits};
use crate::flow::http::h1::write::{self, Connection};
use crate::flow::http::message::{Message, Version};
use crate::flow::phase::Phase;
use crate::flow::response::error_page;
use crate::flow::session::Stream;

/// Fills in the page of an error: the backend's, the frontend's, or the built-in one.
pub fn error_page(stream: &mut Stream<'_>, status: u16) {
    let pages = stream.backend().and_then(|p| p.error_pages.get(status));
    let page = pages.or_else(|| stream.frontend()?.error_pages.get(status)).cloned();
    match page {
        Some(page) => page.fill_in(stream, Phase::Request),
        None => {
            stream.response.clear();
            stream.reply_body.clear();
            stream.logged_status = status;
            built_in(status, &mut stream.response, &mut stream.reply_body);
        }
    }
}

/// An operator's page is a whole response; an empty one leaves nothing to send.
pub fn from_file(page: &[u8], response: &mut Message, body: &mut Vec<u8>) {
    let limits = Limits { fields: 101, accept_invalid: true };
    let Some(length) = head::length(page, 0) else { return };
    if head::parse_response(page.get(..length).unwrap_or_default(), limits, response).is_err() {
        response.clear();
        return;
    }
    body.extend_from_slice(page.get(length..).unwrap_or_default());
}

fn is_bodyless(stream: &Stream<'_>) -> bool {
    stream.request.method() == b"HEAD" || matches!(stream.response.status, 100..=199 | 204 | 304)
}

/// The body of our own answer.
pub fn body(stream: &Stream<'_>) -> Body {
    match is_bodyless(stream) {
        true => Body::None,
        false if stream.response.has(b"transfer-encoding") => Body::Chunked,
        false if stream.response.has(b"content-length") => {
            Body::Length(stream.reply_body.len() as u64)
        }
        false => Body::UntilClose,
    }
}

/// Whether the end of our own answer is told otherwise than by closing.
pub fn is_delimited(stream: &Stream<'_>) -> bool {
    let response = &stream.response;
    is_bodyless(stream) || response.has(b"content-length") || response.has(b"transfer-encoding")
}

fn built_in(status: u16, response: &mut Message, body: &mut Vec<u8>) {
    let (title, text) = error_page::built_in(status);
    let html = format!("<html><body><h1>{title}</h1>\n{text}\n</body></html>\n");
    let reason = title.get(4..).unwrap_or_default();
    response.set_status_line(Version::HTTP_11, status, reason.as_bytes());
    response.add(b"content-length", html.len().to_string().as_bytes());
    response.add(b"cache-control", b"no-cache");
    response.add(b"content-type", b"text/html");
    body.extend_from_slice(html.as_bytes());
}

/// The bytes of `stream.response` with `stream.reply_body`.
pub fn bytes(stream: &mut Stream<'_>, keep_alive: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + stream.reply_body.len());
    let connection = connection(stream, keep_alive);
    write::response(&stream.response, connection, stream.client_names(), &mut out);
    if is_bodyless(stream) {
        return out;
    }
    if stream.response.has_element(b"transfer-encoding", b"chunked") {
        // The whole body is at hand: one chunk, then the last one.
        if !stream.reply_body.is_empty() {
            out.extend_from_slice(format!("{:X}\r\n", stream.reply_body.len()).as_bytes());
            out.extend_from_slice(&stream.reply_body);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n\r\n");
    } else {
        out.extend_from_slice(&stream.reply_body);
    }
    out
}

/// The `Connection` header that tells this client what becomes of its connection; closing goes without
/// saying where the response is of HTTP/1.0.
pub fn connection(stream: &Stream<'_>, keep_alive: bool) -> Connection {
    let modern_request = stream.request.version >= Version::HTTP_11;
    let modern_response = stream.response.version >= Version::HTTP_11;
    match (keep_alive, modern_request, modern_response) {
        (true, true, true) | (false, _, false) => Connection::Implied,
        (true, _, _) => Connection::KeepAlive,
        (false, _, true) => Connection::Close,
    }
}

/// Whether the body is all there in what was received already, and how long it is then.
pub fn body_at_hand(body: Body, received: &[u8]) -> Option<usize> {
    match body {
        Body::None => Some(0),
        Body::Length(length) => usize::try_from(length).ok().filter(|l| *l <= received.len()),
        Body::Chunked | Body::UntilClose => None,
    }
}
