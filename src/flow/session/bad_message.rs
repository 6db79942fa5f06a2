//! Keeps what could not be parsed for `show errors` (management.txt 9.3, 13.1). In: a stream, the bytes in
//! its buffer, the place of the mistake. Out: the proxy's last bad request or response.

use crate::flow::http::h1::body::Mistake;
use crate::flow::http::h1::head::HeadError;
use crate::flow::http::h1::progress::{Known, Progress};
use crate::flow::session::Stream;
use crate::flow::transport::buffer::Buffer;
use crate::state::bad_message::{BadMessage, next_event};
use crate::state::world::Proxy;

/// What HAProxy keeps free at a buffer's beginning.
const BUFFER_HEAD: usize = 48;
/// What HAProxy keeps free at a buffer's end; it takes no more than the rest of a message's head.
const BUFFER_TAIL: usize = 64;

// Flags of a stream, as HAProxy has them.
const REQUEST_ERROR: u32 = 1 << 1;
const RESPONSE_ERROR: u32 = 1 << 2;
const WANTS_KEEP_ALIVE: u32 = 1 << 4;
const NOT_FIRST: u32 = 1 << 7;
const HAS_CONNECTION: u32 = 1 << 14;

/// A request's head was refused; `skipped` bytes of line ends were consumed before it.
pub fn request(stream: &Stream<'_>, input: &Buffer, skipped: usize, error: HeadError) {
    let bytes = input.with_consumed(skipped);
    let skipped = bytes.len() - input.filled().len();
    let known = Known::of(input.filled(), error.position, false);
    let found =
        Found { position: skipped + error.position, progress: error.progress, known, body: None };
    keep_request(stream, bytes, input.offset() - skipped, found);
}

/// A request's body was refused together with its head, of `length` bytes.
pub fn request_body(
    stream: &Stream<'_>,
    input: &Buffer,
    (skipped, length): (usize, usize),
    mistake: Mistake,
) {
    let bytes = input.with_consumed(skipped);
    let skipped = bytes.len() - input.filled().len();
    let known = Known::of(input.filled(), length, false).with_body();
    let found = Found {
        position: skipped + length + mistake.position,
        progress: mistake.progress,
        known,
        body: Some(mistake.data),
    };
    keep_request(stream, bytes, input.offset() - skipped, found);
}

/// A later part of a request's body was refused, after `consumed` bytes of what came last.
pub fn later_request_body(
    stream: &Stream<'_>,
    input: &Buffer,
    (consumed, progress, data): (usize, Progress, u64),
) {
    let bytes = input.with_consumed(consumed);
    let known = Known::of(b"HTTP/1.1\nTransfer-Encoding:chunked\n", usize::MAX, false).with_body();
    let found = Found { position: consumed, progress, known, body: Some(data) };
    keep_request(stream, bytes, input.offset().saturating_sub(consumed), found);
}

/// A response's head was refused.
pub fn response(stream: &Stream<'_>, input: &Buffer, error: HeadError) {
    let known = Known::of(input.filled(), error.position, true);
    let found = Found { position: error.position, progress: error.progress, known, body: None };
    keep_response(stream, input.filled(), input.offset(), found);
}

/// A response's body was refused together with its head, of `length` bytes.
pub fn response_body(stream: &Stream<'_>, input: &Buffer, length: usize, mistake: Mistake) {
    let known = Known::of(input.filled(), length, true).with_body();
    let found = Found {
        position: length + mistake.position,
        progress: mistake.progress,
        known,
        body: Some(mistake.data),
    };
    keep_response(stream, input.filled(), input.offset(), found);
}

/// A later part of a response's body was refused, after `consumed` bytes of what came last.
pub fn later_response_body(
    stream: &Stream<'_>,
    input: &Buffer,
    (consumed, progress, data): (usize, Progress, u64),
) {
    let bytes = input.with_consumed(consumed);
    let known = Known::of(b"HTTP/1.1 \nTransfer-Encoding:chunked\n", usize::MAX, true).with_body();
    let found = Found { position: consumed, progress, known, body: Some(data) };
    keep_response(stream, bytes, input.offset().saturating_sub(consumed), found);
}

struct Found {
    position: usize,
    progress: Progress,
    known: Known,
    /// Bytes of data so far, when the mistake is in the body.
    body: Option<u64>,
}

fn keep_request(stream: &Stream<'_>, bytes: &[u8], offset: usize, found: Found) {
    // What has a backend side: a frontend alone is no other end.
    let other = stream.backend().or(stream.frontend().filter(|p| p.backend.is_some()));
    let mut flags = REQUEST_ERROR | WANTS_KEEP_ALIVE;
    if stream.session.requests.get() > 0 {
        flags |= NOT_FIRST;
    }
    let message = message(stream, (bytes, offset), found, (other, flags), None);
    stream.session.frontend_state().last_bad.keep(message);
}

fn keep_response(stream: &Stream<'_>, bytes: &[u8], offset: usize, found: Found) {
    let Some(backend) = stream.backend().and_then(|p| p.backend.as_ref()) else { return };
    let server = stream.server().map(|s| (s.name.clone(), s.id));
    let flags = RESPONSE_ERROR | WANTS_KEEP_ALIVE | HAS_CONNECTION;
    let message = message(stream, (bytes, offset), found, (stream.frontend(), flags), server);
    backend.state.last_bad.keep(message);
}

fn message(
    stream: &Stream<'_>,
    (bytes, offset): (&[u8], usize),
    found: Found,
    (other, stream_flags): (Option<&Proxy>, u32),
    server: Option<(String, u32)>,
) -> BadMessage {
    let room = stream.world.global.bufsize.saturating_sub(BUFFER_TAIL);
    let full = bytes.len() >= room;
    let bytes = bytes.get(..room).unwrap_or(bytes);
    BadMessage {
        event: next_event(),
        at: crate::state::clock::Moment::now().date(),
        other: other.map(|p| (p.name.clone(), p.id)),
        server,
        source: stream.session.source().clone(),
        bytes: bytes.into(),
        offset: offset + BUFFER_HEAD,
        position: found.position.min(bytes.len()),
        progress: found.progress,
        body: found.body.unwrap_or(found.known.length),
        known: Known { length: found.body.map_or(found.known.length, |_| 0), ..found.known },
        full,
        stream_flags,
    }
}
