//! The HTTP response to a check: in come the bytes received so far, out come status, headers and as
//! much of the body as has arrived (RFC 7230). Lenient where the data path is not: a check only asks
//! whether a server answers as expected.

use memchr::memmem;

/// A response, perhaps not whole yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// 1 for HTTP/1.1.
    pub minor_version: u8,
    /// The reason phrase.
    pub reason: String,
    /// Names as received, and values.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body, decoded, as far as it has arrived.
    pub body: Vec<u8>,
    /// Whether the message's end has been seen.
    pub complete: bool,
}

/// What the bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// The head is not whole yet.
    Partial,
    /// Not HTTP.
    Invalid,
    /// A response.
    Response(Response),
}

/// Headers a response may have.
const MAX_HEADERS: usize = 101;

/// Reads a response; interim ones (1xx) are skipped.
pub fn parse(mut bytes: &[u8]) -> Parsed {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Parsed::Partial,
            Err(_) => return Parsed::Invalid,
        };
        let rest = bytes.get(length..).unwrap_or_default();
        let status = head.code.unwrap_or(0);
        if (100..200).contains(&status) && status != 101 {
            bytes = rest;
            continue;
        }
        let headers: Vec<_> =
            head.headers.iter().map(|h| (h.name.as_bytes().to_vec(), h.value.to_vec())).collect();
        let (body, complete) = body(status, &headers, rest);
        let reason = head.reason.unwrap_or_default().to_owned();
        let minor_version = head.version.unwrap_or(0);
        let response = Response { status, minor_version, reason, headers, body, complete };
        return Parsed::Response(response);
    }
}

fn header<'a>(headers: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    let found = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, value)| value.as_slice())
}

fn body(status: u16, headers: &[(Vec<u8>, Vec<u8>)], rest: &[u8]) -> (Vec<u8>, bool) {
    if matches!(status, 204 | 304) {
        return (Vec::new(), true);
    }
    let coding = header(headers, "transfer-encoding").unwrap_or_default();
    if coding.to_ascii_lowercase().ends_with(b"chunked") {
        return chunks(rest);
    }
    let length = header(headers, "content-length")
        .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok());
    match length {
        Some(length) => {
            let have = rest.len().min(length);
            (rest.get(..have).unwrap_or_default().to_vec(), have == length)
        }
        None => (rest.to_vec(), false),
    }
}

fn chunks(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = memmem::find(rest, b"\r\n") else { return (body, false) };
        let line = rest.get(..end).unwrap_or_default();
        let digits = line.iter().take_while(|c| c.is_ascii_hexdigit()).count();
        let size = line.get(..digits).and_then(|d| std::str::from_utf8(d).ok());
        let Some(size) = size.and_then(|d| usize::from_str_radix(d, 16).ok()) else {
            return (body, false);
        };
        let data = rest.get(end + 2..).unwrap_or_default();
        if size == 0 {
            return (body, true);
        }
        let have = data.len().min(size);
        body.extend_from_slice(data.get(..have).unwrap_or_default());
        match data.get(size + 2..) {
            Some(next) if have == size => rest = next,
            _ => return (body, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(bytes: &[u8]) -> Response {
        match parse(bytes) {
            Parsed::Response(response) => response,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_body_is_as_long_as_it_says() {
        let whole = response(b"HTTP/1.1 200 All fine\r\nContent-Length: 2\r\n\r\nhix");
        assert_eq!((whole.status, whole.reason.as_str()), (200, "All fine"));
        assert_eq!((whole.body.as_slice(), whole.complete), (&b"hi"[..], true));
        assert!(!response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi").complete);
        assert!(!response(b"HTTP/1.0 200 OK\r\n\r\nhi").complete);
    }

    #[test]
    fn chunks_are_joined() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = response(format!("{head}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").as_bytes());
        assert_eq!((whole.body.as_slice(), whole.complete), (&b"abcde"[..], true));
        let part = response(format!("{head}3\r\nabc\r\n2\r\nd").as_bytes());
        assert_eq!((part.body.as_slice(), part.complete), (&b"abcd"[..], false));
    }

    #[test]
    fn interim_responses_are_skipped() {
        let whole = response(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!((whole.status, whole.complete), (204, true));
    }

    #[test]
    fn what_is_not_http_is_refused() {
        assert_eq!(parse(b"garbage\r\n\r\n"), Parsed::Invalid);
        assert_eq!(parse(b"HTTP/1.1 2"), Parsed::Partial);
    }
}
