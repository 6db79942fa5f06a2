//! Heads as bytes: in comes a `Message`, out comes what goes on the wire. Names are sent as they are
//! in the message, in lower case, but for those that `h1-case-adjust` writes otherwise (manual 1.3, 3.1).

use crate::flow::http::case::CaseAdjust;
use crate::flow::http::message::{Message, Version};

/// The `Connection` header that is added for this hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// None: the version's default is meant.
    Implied,
    /// `connection: close`
    Close,
    /// `connection: keep-alive`
    KeepAlive,
}

/// Appends a request's head.
pub fn request(
    message: &Message,
    connection: Connection,
    names: Option<&CaseAdjust>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(message.method());
    out.push(b' ');
    out.extend_from_slice(message.target());
    out.push(b' ');
    version(message.version, out);
    out.extend_from_slice(b"\r\n");
    match names {
        None => fields(message, connection, out),
        Some(names) => adjusted_fields(message, connection, names, out),
    }
}

/// Appends a response's head.
pub fn response(
    message: &Message,
    connection: Connection,
    names: Option<&CaseAdjust>,
    out: &mut Vec<u8>,
) {
    version(message.version, out);
    out.push(b' ');
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(message.status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(message.reason());
    out.extend_from_slice(b"\r\n");
    match names {
        None => fields(message, connection, out),
        Some(names) => adjusted_fields(message, connection, names, out),
    }
}

fn version(version: Version, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.");
    out.push(b'0' + version.minor.min(9));
}

fn fields(message: &Message, connection: Connection, out: &mut Vec<u8>) {
    for (name, value) in message.fields() {
        field(name, value, out);
    }
    out.extend_from_slice(match connection {
        Connection::Implied => b"\r\n",
        Connection::Close => b"connection: close\r\n\r\n",
        Connection::KeepAlive => b"connection: keep-alive\r\n\r\n",
    });
}

fn adjusted_fields(
    message: &Message,
    connection: Connection,
    names: &CaseAdjust,
    out: &mut Vec<u8>,
) {
    for (name, value) in message.fields() {
        field(names.name(name), value, out);
    }
    match connection {
        Connection::Implied => {}
        Connection::Close => field(names.name(b"connection"), b"close", out),
        Connection::KeepAlive => field(names.name(b"connection"), b"keep-alive", out),
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a field's line.
pub fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends the line that opens a chunk of `length` bytes, in capitals as HAProxy does.
pub fn chunk_size(length: usize, out: &mut Vec<u8>) {
    use std::io::Write;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{length:X}\r\n");
}
