//! Heads as bytes: in comes a `Message`, out comes what goes on the wire. Names are sent as they are
//! in the message: in lower case, as HAProxy does (manual 1.3 and "h1-case-adjust").

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
pub fn request(message: &Message, connection: Connection, out: &mut Vec<u8>) {
    out.extend_from_slice(message.method());
    out.push(b' ');
    out.extend_from_slice(message.target());
    out.push(b' ');
    version(message.version, out);
    out.extend_from_slice(b"\r\n");
    fields(message, connection, out);
}

/// Appends a response's head.
pub fn response(message: &Message, connection: Connection, out: &mut Vec<u8>) {
    version(message.version, out);
    out.push(b' ');
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(message.status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(message.reason());
    out.extend_from_slice(b"\r\n");
    fields(message, connection, out);
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
