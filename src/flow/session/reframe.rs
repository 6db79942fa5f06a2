//! A body's framing comes off and, where it goes on in chunks, ours goes on (RFC 9112 7).

use std::cell::Cell;

use crate::flow::http::h1::body::{BadBody, Decoder, Step};
use crate::flow::http::h1::write;
use crate::flow::transport::buffer::Buffer;

/// Takes a body's framing off and, where it goes on in chunks, puts ours on.
pub(super) struct Reframe {
    chunked: bool,
    ended: bool,
}

impl Reframe {
    /// `chunked`: it goes on in chunks.
    pub(super) fn new(chunked: bool) -> Reframe {
        Reframe { chunked, ended: false }
    }

    /// Moves what is in `input` to `out`; data bytes are added to `count`.
    pub(super) fn run(
        &mut self,
        decoder: &mut Decoder,
        input: &mut Buffer,
        out: &mut Vec<u8>,
        count: &Cell<u64>,
    ) -> Result<(), BadBody> {
        loop {
            let bytes = input.filled();
            let taken = match decoder.step(bytes)? {
                Step::More => return Ok(()),
                Step::Done => {
                    self.end(out);
                    return Ok(());
                }
                Step::Skip(n) => n,
                Step::Trailer(n) => {
                    self.last_chunk(out);
                    let line = bytes.get(..n).unwrap_or_default().trim_ascii_end();
                    self.trailer(line, out);
                    count.set(count.get() + (line.len() as u64).saturating_sub(2));
                    n
                }
                Step::Data(n) => {
                    let data = bytes.get(..n).unwrap_or_default();
                    count.set(count.get() + n as u64);
                    self.data(data, out);
                    n
                }
            };
            input.consume(taken);
        }
    }

    /// Some bytes of data go on, as one chunk.
    pub(super) fn data(&self, data: &[u8], out: &mut Vec<u8>) {
        if self.chunked {
            write::chunk_size(data.len(), out);
            out.extend_from_slice(data);
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(data);
        }
    }

    /// A trailer goes on as headers do: with its name in lower case.
    pub(super) fn trailer(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if self.chunked {
            let start = out.len();
            out.extend_from_slice(line);
            let name = line.iter().position(|b| *b == b':').unwrap_or(line.len());
            if let Some(name) = out.get_mut(start..start + name) {
                name.make_ascii_lowercase();
            }
            out.extend_from_slice(b"\r\n");
        }
    }

    /// The last chunk, once.
    pub(super) fn last_chunk(&mut self, out: &mut Vec<u8>) {
        if self.chunked && !self.ended {
            out.extend_from_slice(b"0\r\n");
        }
        self.ended = true;
    }

    /// The body is complete.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.last_chunk(out);
        if self.chunked {
            out.extend_from_slice(b"\r\n");
            self.chunked = false;
        }
    }
}
