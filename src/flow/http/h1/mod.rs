//! HTTP/1 on the wire (RFC 9112): heads are parsed into and written from `Message`, bodies are framed.

pub mod body;
pub mod framing;
pub mod head;
pub mod progress;
pub mod write;
