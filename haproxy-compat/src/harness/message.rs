//! One HTTP/1 message as it was on the wire (RFC 9112), read by code that is not the proxy's.

use anyhow::{Context, Result, bail};

/// A request or a response, with the exact bytes it had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The start line, without its line end.
    pub start: String,
    /// The header fields in order, names as written, values trimmed.
    pub headers: Vec<(String, String)>,
    /// The body, without the chunk framing.
    pub body: Vec<u8>,
    /// The trailer fields of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// The bytes from start line to blank line.
    pub head: Vec<u8>,
    /// All bytes, with the chunk framing.
    pub raw: Vec<u8>,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

impl Message {
    /// Reads the bytes of a head, blank line included.
    pub(super) fn from_head(head: &[u8]) -> Result<Message> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines.take_while(|line| !line.is_empty()).map(field).collect();
        Ok(Message {
            start,
            headers,
            head: head.to_vec(),
            raw: head.to_vec(),
            ..Message::default()
        })
    }

    /// A response's status code; 0 if the start line has none.
    pub fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or(0)
    }

    /// A request's method.
    pub fn method(&self) -> &str {
        self.word(0)
    }

    /// A request's target.
    pub fn target(&self) -> &str {
        self.word(1)
    }

    /// The first value of a header field, its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All values of a header field, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The framing of a request.
    pub(super) fn request_framing(&self) -> Framing {
        self.declared_framing().unwrap_or(Framing::None)
    }

    /// The framing of a response to a request with `method`.
    pub(super) fn response_framing(&self, method: &str) -> Framing {
        match self.status() {
            100..=199 | 204 | 304 => Framing::None,
            200..=299 if method == "CONNECT" => Framing::None,
            _ if method == "HEAD" => Framing::None,
            _ => self.declared_framing().unwrap_or(Framing::UntilClose),
        }
    }

    /// Takes over a whole body read from the wire, framing included.
    pub(super) fn take_body(&mut self, framing: Framing, bytes: &[u8]) -> Result<()> {
        self.raw.extend_from_slice(bytes);
        if framing == Framing::Chunked {
            (self.body, self.trailers) = dechunk(bytes)?;
        } else {
            self.body = bytes.to_vec();
        }
        Ok(())
    }

    fn declared_framing(&self) -> Option<Framing> {
        let chunked =
            self.all("transfer-encoding").iter().any(|v| v.eq_ignore_ascii_case("chunked"));
        let length = || self.header("content-length")?.parse().ok().map(Framing::Length);
        if chunked { Some(Framing::Chunked) } else { length() }
    }

    fn word(&self, nth: usize) -> &str {
        self.start.split(' ').nth(nth).unwrap_or_default()
    }
}

/// How many bytes the chunked body at the start of `bytes` takes; `None` if it is not yet whole.
pub(super) fn chunked_length(bytes: &[u8]) -> Result<Option<usize>> {
    let mut at = 0;
    loop {
        let Some((line, next)) = line_at(bytes, at) else { return Ok(None) };
        let size = chunk_size(line)?;
        if size > 0 {
            at = next + size + 2;
            continue;
        }
        let mut trailer = next;
        while let Some((line, after)) = line_at(bytes, trailer) {
            if line.is_empty() {
                return Ok(Some(after));
            }
            trailer = after;
        }
        return Ok(None);
    }
}

type Fields = Vec<(String, String)>;

fn dechunk(bytes: &[u8]) -> Result<(Vec<u8>, Fields)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let (line, next) = line_at(bytes, at).context("a chunk has a size line")?;
        let size = chunk_size(line)?;
        if size == 0 {
            let rest = String::from_utf8_lossy(&bytes[next..]);
            let lines = rest.split("\r\n").take_while(|line| !line.is_empty());
            return Ok((body, lines.map(field).collect()));
        }
        body.extend_from_slice(bytes.get(next..next + size).context("a whole chunk")?);
        at = next + size + 2;
    }
}

fn chunk_size(line: &[u8]) -> Result<usize> {
    let text = String::from_utf8_lossy(line);
    let digits = text.split(';').next().unwrap_or_default().trim();
    match usize::from_str_radix(digits, 16) {
        Ok(size) => Ok(size),
        Err(_) => bail!("not a chunk size: {text:?}"),
    }
}

/// The line that begins at `at`, without CR LF, and where the next one begins.
fn line_at(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..)?;
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    Some((&rest[..end], at + end + 2))
}

fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.to_owned(), value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_bodies_are_measured_and_unpacked() {
        let bytes = b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nSum: 1\r\n\r\nrest";
        assert_eq!(chunked_length(bytes).unwrap(), Some(bytes.len() - 4));
        assert_eq!(chunked_length(&bytes[..20]).unwrap(), None);
        let (body, trailers) = dechunk(bytes).unwrap();
        assert_eq!(body, b"abcde");
        assert_eq!(trailers, [("Sum".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn heads_keep_order_case_and_bytes() {
        let head = b"HTTP/1.1 204 No Content\r\nA: 1\r\nb:2\r\na:  3\r\n\r\n";
        let message = Message::from_head(head).unwrap();
        assert_eq!(message.status(), 204);
        assert_eq!(message.all("A"), ["1", "3"]);
        assert_eq!(message.response_framing("GET"), Framing::None);
        assert_eq!(message.head, head);
    }
}
