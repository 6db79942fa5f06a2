//! Cookies within header values (RFC 6265; RFC 2965 for `Set-Cookie2` and `$` attributes). In comes a
//! value, out come its NAME=VALUE pairs as places in it.

use std::ops::Range;

/// The header that a value belongs to: they are separated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieHeader {
    /// `Cookie`: pairs separated by `;` or `,`.
    Cookie,
    /// `Set-Cookie`: one pair, then attributes to the end.
    SetCookie,
    /// `Set-Cookie2`: pairs with attributes, separated by `,`.
    SetCookie2,
}

impl CookieHeader {
    /// The header's name.
    pub fn name(self) -> &'static [u8] {
        match self {
            CookieHeader::Cookie => b"cookie",
            CookieHeader::SetCookie => b"set-cookie",
            CookieHeader::SetCookie2 => b"set-cookie2",
        }
    }
}

/// One pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Where the pair begins: at the separator before it, or at the value's beginning.
    pub start: usize,
    /// The name without space around it.
    pub name: Range<usize>,
    /// The value without space around it; `None` without an equal sign.
    pub value: Option<Range<usize>>,
    /// Where the pair ends, attributes included: at the separator or at the end.
    pub end: usize,
}

impl Pair {
    /// Whether it is an attribute of the pair before it (`$Path`).
    pub fn is_attribute(&self, text: &[u8]) -> bool {
        text.get(self.name.start) == Some(&b'$')
    }
}

/// The pairs of a header's value, in their order.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    text: &'a [u8],
    header: CookieHeader,
    at: usize,
}

impl<'a> Pairs<'a> {
    /// Of this value.
    pub fn new(text: &'a [u8], header: CookieHeader) -> Pairs<'a> {
        Pairs { text, header, at: 0 }
    }

    fn ends_name(&self, byte: u8) -> bool {
        byte == b'=' || byte == b';' || byte == b',' && self.header != CookieHeader::SetCookie
    }

    /// The end of a pair whose value ends here: attributes are skipped.
    fn end_of_pair(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        match self.header {
            CookieHeader::Cookie => at,
            CookieHeader::SetCookie => self.text.len(),
            CookieHeader::SetCookie2 => at + crate::flow::http::message::element_end(rest),
        }
    }
}

impl Iterator for Pairs<'_> {
    type Item = Pair;

    fn next(&mut self) -> Option<Pair> {
        let start = self.at;
        let text = self.text;
        if start >= text.len() {
            return None;
        }
        let after = |from: usize, skip: fn(u8) -> bool| {
            let rest = text.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|b| skip(**b)).count()
        };
        let first = after(start + usize::from(start > 0), is_blank);
        let rest = text.get(first..).unwrap_or_default();
        let stop = first + rest.iter().position(|b| self.ends_name(*b)).unwrap_or(rest.len());
        let name = first..trimmed_end(text, first, stop);
        let mut end = stop;
        let value = (text.get(stop) == Some(&b'=')).then(|| {
            let begin = after(stop + 1, is_blank);
            end = value_end(text, begin);
            begin..trimmed_end(text, begin, end)
        });
        let end = self.end_of_pair(end);
        self.at = end;
        Some(Pair { start, name, value, end })
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trimmed_end(text: &[u8], from: usize, to: usize) -> usize {
    let part = text.get(from..to).unwrap_or_default();
    from + part.iter().rposition(|b| !is_blank(*b)).map_or(0, |last| last + 1)
}

/// The first separator from here on that is not within quotes.
fn value_end(text: &[u8], from: usize) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    let rest = text.get(from..).unwrap_or_default();
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b';' if !quoted => return from + at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str, header: CookieHeader) -> Vec<(String, Option<String>)> {
        let part = |r: Range<usize>| text[r].to_owned();
        Pairs::new(text.as_bytes(), header).map(|p| (part(p.name), p.value.map(part))).collect()
    }

    #[test]
    fn pairs_of_a_request() {
        let found = pairs("a = b c ;d;e=\"x;y\", f=;$Path=/", CookieHeader::Cookie);
        let expected = [
            ("a", Some("b c")),
            ("d", None),
            ("e", Some("\"x;y\"")),
            ("f", Some("")),
            ("$Path", Some("/")),
        ];
        let expected = expected.map(|(n, v)| (n.to_owned(), v.map(str::to_owned)));
        assert_eq!(found, expected);
    }

    #[test]
    fn attributes_belong_to_the_pair_of_a_response() {
        let one = pairs("a=b; Expires=Thu, 01-Jan-1970", CookieHeader::SetCookie);
        assert_eq!(one, [("a".to_owned(), Some("b".to_owned()))]);
        let two = pairs("a=b; Max-Age=0, c=d; Discard", CookieHeader::SetCookie2);
        assert_eq!(two.len(), 2);
        assert_eq!(two[1], ("c".to_owned(), Some("d".to_owned())));
    }
}
