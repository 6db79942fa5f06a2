//! Bodies on their way: in come bytes as received, out come runs of data, without the chunks' framing
//! (RFC 9112 section 7). No IO here.

use crate::flow::http::h1::framing::Body;
use crate::flow::http::h1::head::is_token;
use crate::flow::http::h1::progress::Progress;

/// Where in a body the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoder {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// This much data before the body, or the connection, ends.
    Data(u64),
    /// Data until the connection is closed.
    UntilClose,
    /// In the line with a chunk's size: the size so far and how many digits were seen.
    Size(u64, u8),
    /// Behind a chunk's size: spaces or an extension.
    Extension(u64),
    /// After the CR of the size line.
    SizeEnd(u64),
    /// Data of a chunk.
    Chunk(u64),
    /// The CR or LF behind a chunk's data.
    ChunkEnd,
    /// The LF behind a chunk's data.
    ChunkLf,
    /// In the trailers: how many bytes of them so far.
    Trailers(u32),
    /// The LF that ends everything.
    LastLf,
    /// The body is complete.
    Done,
}

/// What a step over some bytes gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Take this many bytes as data and call again with what follows.
    Data(usize),
    /// Skip this many bytes of framing and call again.
    Skip(usize),
    /// These bytes are a trailer line, its line end included.
    Trailer(usize),
    /// More bytes are needed.
    More,
    /// The body is complete.
    Done,
}

/// The body's framing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadBody;

/// A mistake in what has come of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mistake {
    /// Offset of the offending byte.
    pub position: usize,
    /// What was being read.
    pub progress: Progress,
    /// Bytes of data before it.
    pub data: u64,
}

/// Looks at what has come of a body; gives the first mistake.
pub fn first_mistake(body: Body, bytes: &[u8]) -> Option<Mistake> {
    let mut decoder = Decoder::new(body);
    let (mut position, mut data) = (0, 0);
    loop {
        match decoder.step(bytes.get(position..).unwrap_or_default()) {
            Ok(Step::Data(count)) => {
                position += count;
                data += count as u64;
            }
            Ok(Step::Skip(count) | Step::Trailer(count)) => position += count,
            Ok(Step::More | Step::Done) => return None,
            Err(BadBody) => return Some(Mistake { position, progress: decoder.progress(), data }),
        }
    }
}

/// Bytes of data in what has come of a body, and whether it is complete.
pub fn at_hand(body: Body, bytes: &[u8]) -> (u64, bool) {
    let mut decoder = Decoder::new(body);
    let (mut rest, mut data) = (bytes, 0);
    loop {
        let count = match decoder.step(rest) {
            Ok(Step::Data(count)) => {
                data += count as u64;
                count
            }
            Ok(Step::Skip(count) | Step::Trailer(count)) => count,
            Ok(Step::More | Step::Done) | Err(BadBody) => return (data, decoder.is_done()),
        };
        rest = rest.get(count..).unwrap_or_default();
    }
}

/// Bytes of trailers that are accepted.
const MAX_TRAILERS: u32 = 8192;

impl Decoder {
    /// At the beginning of a body.
    pub fn new(body: Body) -> Decoder {
        let state = match body {
            Body::None => State::Done,
            Body::Length(0) => State::Done,
            Body::Length(length) => State::Data(length),
            Body::Chunked => State::Size(0, 0),
            Body::UntilClose => State::UntilClose,
        };
        Decoder { state }
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// What is being read.
    pub fn progress(&self) -> Progress {
        match self.state {
            State::Size(..) | State::Extension(_) | State::SizeEnd(_) => Progress::ChunkSize,
            State::ChunkEnd | State::ChunkLf => Progress::ChunkEnd,
            State::Trailers(_) | State::LastLf => Progress::Trailers,
            State::Data(_) | State::UntilClose | State::Chunk(_) | State::Done => Progress::Data,
        }
    }

    /// Whether closing the connection now is the body's proper end.
    pub fn may_close(&self) -> bool {
        matches!(self.state, State::Done | State::UntilClose)
    }

    /// Bytes of data that are known to follow without framing in between.
    pub fn run(&self) -> u64 {
        match self.state {
            State::Data(left) | State::Chunk(left) => left,
            State::UntilClose => u64::MAX,
            _ => 0,
        }
    }

    /// Counts data that was moved without being looked at (at most `run()` bytes).
    pub fn moved(&mut self, count: u64) {
        match &mut self.state {
            State::Data(left) if *left == count => self.state = State::Done,
            State::Chunk(left) if *left == count => self.state = State::ChunkEnd,
            State::Data(left) | State::Chunk(left) => *left = left.saturating_sub(count),
            _ => {}
        }
    }

    /// Looks at the bytes that come next.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Step, BadBody> {
        if self.state == State::Done {
            return Ok(Step::Done);
        }
        let Some(first) = bytes.first() else { return Ok(Step::More) };
        match self.state {
            State::Data(left) | State::Chunk(left) => {
                let count = left.min(bytes.len() as u64);
                self.moved(count);
                Ok(Step::Data(count as usize))
            }
            State::UntilClose => Ok(Step::Data(bytes.len())),
            State::Trailers(seen) => self.trailer(bytes, seen),
            _ => {
                self.byte(*first)?;
                Ok(Step::Skip(1))
            }
        }
    }

    /// One byte of framing.
    fn byte(&mut self, byte: u8) -> Result<(), BadBody> {
        self.state = match (self.state, byte) {
            (State::Size(size, digits), byte) if byte.is_ascii_hexdigit() && digits < 16 => {
                let digit = (byte as char).to_digit(16).ok_or(BadBody)?;
                let size = size.checked_mul(16).ok_or(BadBody)?;
                State::Size(size | u64::from(digit), digits + 1)
            }
            (State::Size(_, 0), _) => return Err(BadBody),
            (State::Size(size, _) | State::SizeEnd(size), b'\n') => State::after_size(size),
            (State::Size(size, _), b'\r') => State::SizeEnd(size),
            (State::Size(size, _), b';' | b' ' | b'\t') => State::Extension(size),
            (State::Extension(size), b'\r') => State::SizeEnd(size),
            (State::Extension(size), byte) if byte == b'\t' || (byte >= b' ' && byte != 0x7f) => {
                State::Extension(size)
            }
            (State::ChunkEnd, b'\r') => State::ChunkLf,
            (State::ChunkEnd | State::ChunkLf, b'\n') => State::Size(0, 0),
            (State::LastLf, b'\n') => State::Done,
            _ => return Err(BadBody),
        };
        Ok(())
    }

    /// A whole trailer line, or the blank line that ends the body.
    fn trailer(&mut self, bytes: &[u8], seen: u32) -> Result<Step, BadBody> {
        match bytes {
            [b'\n', ..] => {
                self.state = State::Done;
                return Ok(Step::Skip(1));
            }
            [b'\r', ..] => {
                self.state = State::LastLf;
                return Ok(Step::Skip(1));
            }
            _ => {}
        }
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            let long = seen as usize + bytes.len() > MAX_TRAILERS as usize;
            return if long { Err(BadBody) } else { Ok(Step::More) };
        };
        let line = bytes.get(..end).unwrap_or_default();
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        let fine = !name.is_empty()
            && name.len() < line.len()
            && name.iter().copied().all(is_token)
            && !line.contains(&0);
        let seen = seen.saturating_add(end as u32 + 1);
        if !fine || seen > MAX_TRAILERS {
            return Err(BadBody);
        }
        self.state = State::Trailers(seen);
        Ok(Step::Trailer(end + 1))
    }
}

impl State {
    fn after_size(size: u64) -> State {
        if size == 0 { State::Trailers(0) } else { State::Chunk(size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Data, trailers and where the body ended.
    type Taken = (Vec<u8>, Vec<u8>, Option<usize>);

    /// Feeds `text` in pieces of `piece` bytes.
    fn run(body: Body, text: &[u8], piece: usize) -> Result<Taken, BadBody> {
        let mut decoder = Decoder::new(body);
        let (mut data, mut trailers, mut at, mut end) = (Vec::new(), Vec::new(), 0, 0);
        loop {
            let bytes = &text[at..end];
            match decoder.step(bytes)? {
                Step::Data(n) => {
                    data.extend_from_slice(&bytes[..n]);
                    at += n;
                }
                Step::Trailer(n) => {
                    trailers.extend_from_slice(&bytes[..n]);
                    at += n;
                }
                Step::Skip(n) => at += n,
                Step::Done => return Ok((data, trailers, Some(at))),
                Step::More if end == text.len() => return Ok((data, trailers, None)),
                Step::More => end = (end + piece).min(text.len()),
            }
        }
    }

    #[test]
    fn chunks_are_taken_apart_whatever_the_pieces() {
        let text = b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nA: b\r\n\r\nGET";
        for piece in 1..text.len() {
            let (data, trailers, end) = run(Body::Chunked, text, piece).unwrap();
            assert_eq!((&data[..], &trailers[..]), (&b"hello!"[..], &b"A: b\r\n"[..]));
            assert_eq!(end, Some(text.len() - 3));
        }
    }

    #[test]
    fn lengths_end_where_they_say() {
        assert_eq!(run(Body::Length(3), b"abcdef", 2).unwrap(), (b"abc".to_vec(), vec![], Some(3)));
        assert_eq!(run(Body::Length(9), b"abc", 2).unwrap().2, None);
    }

    #[test]
    fn mistakes_have_their_place() {
        let mistake =
            |text: &[u8]| first_mistake(Body::Chunked, text).map(|m| (m.position, m.data));
        assert_eq!(mistake(b"3\r\nabc\r\nzz\r\n"), Some((8, 3)));
        assert_eq!(mistake(b"3\r\nabcd\r\n"), Some((6, 3)));
        assert_eq!(mistake(b"3\r\nabc\r\n0\r\n\r\nGET"), None);
        assert_eq!(mistake(b"3\r\nab"), None);
    }

    #[test]
    fn broken_chunks_are_refused() {
        for text in [
            &b"\r\n"[..],
            b"g\r\n",
            b"-1\r\n",
            b"0x1\r\n",
            b"1\r\nab\r\n",
            b"10000000000000000\r\n",
            b"1\rX",
            b"0\r\nbad trailer\r\n\r\n",
            b"0\r\n: x\r\n\r\n",
        ] {
            assert_eq!(run(Body::Chunked, text, 1), Err(BadBody), "{}", text.escape_ascii());
        }
    }
}
