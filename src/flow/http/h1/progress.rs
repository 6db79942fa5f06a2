//! How far the parsing of a message has come, as `show errors` tells it (management.txt 9.3, 13.1). In: the
//! text of a message up to a mistake. Out: the state and what was known of the message then.

/// A point within a message, numbered and named as HAProxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Progress {
    /// Before a request.
    RequestBefore = 0,
    /// In the method.
    Method = 2,
    /// In the target.
    Target = 4,
    /// In a request's version.
    RequestVersion = 6,
    /// At the end of the request line.
    RequestLineEnd = 7,
    /// Before a response.
    ResponseBefore = 8,
    /// In a response's version.
    ResponseVersion = 10,
    /// In the status code.
    StatusCode = 12,
    /// In the reason.
    Reason = 14,
    /// At the end of the status line.
    ResponseLineEnd = 15,
    /// In a header's name.
    HeaderName = 17,
    /// In a header's value.
    HeaderValue = 22,
    /// At the end of a header.
    HeaderEnd = 23,
    /// Behind a header.
    BehindHeader = 24,
    /// At the end of the blank line.
    LastLine = 25,
    /// In a chunk's size.
    ChunkSize = 26,
    /// Behind the head.
    Data = 27,
    /// Behind a chunk's data.
    ChunkEnd = 28,
    /// In the trailers.
    Trailers = 29,
}

impl Progress {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Progress::RequestBefore => "MSG_RQBEFORE",
            Progress::Method => "MSG_RQMETH",
            Progress::Target => "MSG_RQURI",
            Progress::RequestVersion => "MSG_RQVER",
            Progress::RequestLineEnd => "MSG_RQLINE_END",
            Progress::ResponseBefore => "MSG_RPBEFORE",
            Progress::ResponseVersion => "MSG_RPVER",
            Progress::StatusCode => "MSG_RPCODE",
            Progress::Reason => "MSG_RPREASON",
            Progress::ResponseLineEnd => "MSG_RPLINE_END",
            Progress::HeaderName => "MSG_HDR_NAME",
            Progress::HeaderValue => "MSG_HDR_VAL",
            Progress::HeaderEnd => "MSG_HDR_L2_LF",
            Progress::BehindHeader => "MSG_HDR_L2_LWS",
            Progress::LastLine => "MSG_LAST_LF",
            Progress::ChunkSize => "MSG_CHUNK_SIZE",
            Progress::Data => "MSG_DATA",
            Progress::ChunkEnd => "MSG_CHUNK_CRLF",
            Progress::Trailers => "MSG_TRAILERS",
        }
    }
}

/// What was known of a message when the mistake was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Bits, as HAProxy has them.
    pub flags: u32,
    /// The body's announced length in bytes.
    pub length: u64,
}

impl Known {
    const LENGTH: u32 = 1;
    const CHUNKED: u32 = 1 << 1;
    const RESPONSE: u32 = 1 << 2;
    const VERSION_11: u32 = 1 << 4;
    const CLOSE: u32 = 1 << 5;
    const KEEP_ALIVE: u32 = 1 << 6;
    const UPGRADE: u32 = 1 << 7;
    /// The end of the body can be told.
    const DELIMITED: u32 = 1 << 8;
    const TRANSFER_ENCODING: u32 = 1 << 9;
    /// `Connection` is rewritten, pseudo headers are found: always so.
    const ALWAYS: u32 = 1 << 10 | 1 << 12;

    /// Looks at the part of `head` before `position`.
    pub fn of(head: &[u8], position: usize, response: bool) -> Known {
        let mut known = Known { flags: Known::ALWAYS, length: 0 };
        if response {
            known.flags |= Known::RESPONSE;
        }
        let mut start = 0;
        for line in head.split_inclusive(|b| *b == b'\n') {
            let end = start + line.len();
            if start == 0 {
                let read = if response { 9 } else { end };
                if position >= read && is_1_1(line.trim_ascii_end(), response) {
                    known.flags |= Known::VERSION_11;
                }
            } else if let Some(colon) = memchr::memchr(b':', line) {
                let (name, value) = (line.get(..colon), line.get(colon + 1..));
                let value = value.unwrap_or_default();
                let blanks = value.len() - value.trim_ascii_start().len();
                if start + colon + 1 + blanks > position {
                    break;
                }
                known.header(name.unwrap_or_default(), value.trim_ascii());
            }
            start = end;
        }
        known
    }

    /// With what the head has told about the body that follows.
    pub fn with_body(self) -> Known {
        Known { flags: self.flags | Known::DELIMITED, ..self }
    }

    fn header(&mut self, name: &[u8], value: &[u8]) {
        let mut elements = value.split(|b| *b == b',').map(<[u8]>::trim_ascii);
        if name.eq_ignore_ascii_case(b"content-length") {
            let first = elements.next().and_then(|e| std::str::from_utf8(e).ok()?.parse().ok());
            if let Some(length) = first.filter(|_| self.flags & Known::LENGTH == 0) {
                self.flags |= Known::LENGTH;
                self.length = length;
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.flags |= Known::TRANSFER_ENCODING;
            if elements.next_back().is_some_and(|e| e.eq_ignore_ascii_case(b"chunked")) {
                self.flags |= Known::CHUNKED;
            }
        } else if name.eq_ignore_ascii_case(b"connection") {
            for element in elements {
                self.flags |= match element.to_ascii_lowercase().as_slice() {
                    b"close" => Known::CLOSE,
                    b"keep-alive" => Known::KEEP_ALIVE,
                    b"upgrade" => Known::UPGRADE,
                    _ => 0,
                };
            }
        }
    }
}

fn is_1_1(line: &[u8], response: bool) -> bool {
    let version = match response {
        true => line.get(..8),
        false => line.len().checked_sub(8).and_then(|at| line.get(at..)),
    };
    matches!(version, Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
        if *major > b'1' || (*major == b'1' && *minor >= b'1'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(head: &str, position: usize, response: bool) -> (u32, u64) {
        let known = Known::of(head.as_bytes(), position, response);
        (known.flags, known.length)
    }

    #[test]
    fn only_what_stands_before_the_mistake_is_known() {
        let head = "GET / HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\na b: x\r\n\r\n";
        assert_eq!(known(head, 3, false), (0x1400, 0));
        assert_eq!(known(head, 17, false), (0x1410, 0));
        assert_eq!(known(head, 55, false), (0x1431, 5));
        let head = "GET / HTTP/1.0\r\nConnection: upgrade, keep-alive\r\na b: x\r\n\r\n";
        assert_eq!(known(head, 50, false), (0x14c0, 0));
        assert_eq!(known("HTTP/1.1 abc OK\r\n\r\n", 9, true), (0x1414, 0));
        assert_eq!(known("nonsense\r\n\r\n", 0, true), (0x1404, 0));
    }

    #[test]
    fn a_list_of_lengths_is_known_by_its_first() {
        let head = "POST / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n";
        assert_eq!(known(head, 33, false), (0x1411, 1));
        assert_eq!(known("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 33, false), (0x1410, 0));
    }
}
