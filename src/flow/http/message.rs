//! One message model for HTTP/1 and HTTP/2: a start line and an ordered list of fields in one
//! buffer, names in lower case (RFC 9110 section 5). Rules, samples, logs and filters see only this.

/// A range of the message's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Where `part`, a piece of `whole`, stands in it.
    pub fn within(part: &[u8], whole: &[u8]) -> Span {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        match start.checked_add(part.len()) {
            Some(end) if end <= whole.len() => Span { start: start as u32, end: end as u32 },
            // An empty piece may stand anywhere.
            _ => Span::default(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Field {
    name: Span,
    value: Span,
}

impl Field {
    /// The length is looked at first: it tells most names apart.
    fn is_named(&self, text: &[u8], name: &[u8]) -> bool {
        (self.name.end - self.name.start) as usize == name.len()
            && text.get(self.name.start as usize..self.name.end as usize) == Some(name)
    }
}

/// An HTTP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version {
    /// Major number.
    pub major: u8,
    /// Minor number.
    pub minor: u8,
}

/// Bytes of `HTTP/1.1`.
const VERSION_LEN: u64 = 8;
/// What HAProxy's representation of a head costs besides its bytes: for each part, for the whole with the
/// end of the message, and for the start line and the end of the head.
const PART: usize = 8;
const OVERHEAD: usize = 49;
const START: usize = 36;

impl Version {
    /// HTTP/1.0
    pub const HTTP_10: Version = Version { major: 1, minor: 0 };
    /// HTTP/1.1
    pub const HTTP_11: Version = Version { major: 1, minor: 1 };
}

/// A request or response head. Empty until it is filled in; reused from one request to the next.
#[derive(Debug, Clone, Default)]
pub struct Message {
    text: Vec<u8>,
    fields: Vec<Field>,
    /// The method, or nothing in a response.
    method: Span,
    /// The target as received, or the reason phrase in a response.
    target: Span,
    /// The version on the start line.
    pub version: Version,
    /// The status code; 0 in a request.
    pub status: u16,
    /// Which of `FRAMING` have been added; one that was removed again may still be set.
    framing: u8,
}

/// Fields that say how a message is framed. They are looked for in each message and rarely there.
const FRAMING: [&[u8]; 3] = [b"connection", b"content-length", b"transfer-encoding"];

/// `Host` is there, and is there again.
const HOST: u8 = 1 << 6;
const HOST_AGAIN: u8 = 1 << 7;

fn framing_bit(name: &[u8]) -> u8 {
    match name.len() {
        4 if name == b"host" => HOST,
        10 | 14 | 17 => FRAMING.iter().position(|f| *f == name).map_or(0, |index| 1 << index),
        _ => 0,
    }
}

impl Message {
    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        self.method = Span::default();
        self.target = Span::default();
        self.version = Version::default();
        self.status = 0;
        self.framing = 0;
    }

    /// Becomes the same as another message, in its own memory.
    pub fn copy(&mut self, other: &Message) {
        self.text.clear();
        self.text.extend_from_slice(&other.text);
        self.fields.clear();
        self.fields.extend_from_slice(&other.fields);
        (self.method, self.target) = (other.method, other.target);
        (self.version, self.status, self.framing) = (other.version, other.status, other.framing);
    }

    /// The same in no more memory than it needs: without what was removed or replaced.
    pub fn compacted(&self) -> Message {
        let mut copy = Message {
            text: Vec::with_capacity(self.text_len()),
            fields: Vec::with_capacity(self.fields.len()),
            version: self.version,
            status: self.status,
            ..Message::default()
        };
        copy.method = copy.keep(self.method());
        copy.target = copy.keep(self.target());
        for (name, value) in self.fields() {
            copy.add(name, value);
        }
        copy
    }

    /// Bytes of memory that it keeps beside itself.
    pub fn memory(&self) -> usize {
        self.text.capacity() + self.fields.capacity() * size_of::<Field>()
    }

    /// Whether nothing has been filled in.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Bytes of the start line's parts and of the fields' names and values.
    pub fn text_len(&self) -> usize {
        let len = |s: Span| (s.end - s.start) as usize;
        let start = len(self.method) + len(self.target);
        self.fields.iter().fold(start, |sum, f| sum + len(f.name) + len(f.value))
    }

    /// What HAProxy counts for this head in `%B`, `%U` and the statistics: the parts of its internal
    /// representation, 24 bytes for the start line and one for the end of the head included.
    pub fn counted_size(&self) -> u64 {
        let len = |s: Span| u64::from(s.end - s.start);
        let status = if self.status == 0 { 0 } else { 3 };
        let start = 24 + VERSION_LEN + len(self.method) + len(self.target) + status;
        self.fields.iter().fold(start + 1, |sum, f| sum + len(f.name) + len(f.value))
    }

    /// Whether one more field, of `bytes` together, fits in a buffer of this size beside the rest, as
    /// HAProxy keeps a head: with 8 bytes for each of its parts.
    pub fn has_room(&self, bytes: usize, buffer: usize) -> bool {
        self.has_room_to_grow(bytes + PART, buffer)
    }

    /// Whether the head may grow by so many bytes.
    pub fn has_room_to_grow(&self, bytes: usize, buffer: usize) -> bool {
        // Start line, end of the head and end of the message are parts too.
        let kept = OVERHEAD + PART * (self.fields.len() + 3) + bytes;
        // What was removed is still in the text: most heads fit without being counted.
        self.text.len() + START + kept <= buffer || self.counted_size() as usize + kept <= buffer
    }

    fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(bytes);
        Span { start, end: self.text.len() as u32 }
    }

    fn keep_lower(&mut self, bytes: &[u8]) -> Span {
        let span = self.keep(bytes);
        if let Some(text) = self.text.get_mut(span.start as usize..) {
            text.make_ascii_lowercase();
        }
        span
    }

    fn get_span(&self, span: Span) -> &[u8] {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Fills in a request's start line.
    pub fn set_request_line(&mut self, method: &[u8], target: &[u8], version: Version) {
        self.method = self.keep(method);
        self.target = self.keep(target);
        self.version = version;
        self.status = 0;
    }

    /// Fills in a response's start line.
    pub fn set_status_line(&mut self, version: Version, status: u16, reason: &[u8]) {
        self.method = Span::default();
        self.target = self.keep(reason);
        self.version = version;
        self.status = status;
    }

    /// The request's method.
    pub fn method(&self) -> &[u8] {
        self.get_span(self.method)
    }

    /// Changes the method.
    pub fn set_method(&mut self, method: &[u8]) {
        self.method = self.keep(method);
    }

    /// The request's target as it will be sent: path, absolute form, authority or `*`.
    pub fn target(&self) -> &[u8] {
        self.get_span(self.target)
    }

    /// Changes the target.
    pub fn set_target(&mut self, target: &[u8]) {
        self.target = self.keep(target);
    }

    /// The response's reason phrase.
    pub fn reason(&self) -> &[u8] {
        self.get_span(self.target)
    }

    /// The target from its path on, query included: what follows the authority in the absolute
    /// form; `None` for `*`, the authority form, and an absolute form without a path.
    pub fn path_and_query(&self) -> Option<&[u8]> {
        path_of(self.target())
    }

    /// The host and port that the target names, without what stands before an `@`; all of a target that
    /// only begins like an absolute one.
    pub fn authority(&self) -> Option<&[u8]> {
        let target = self.target();
        if matches!(target.first(), None | Some(b'*' | b'/')) {
            return None;
        }
        let Some(rest) = behind_scheme(target) else { return Some(target) };
        let authority = rest.get(..memchr::memchr(b'/', rest).unwrap_or(rest.len()))?;
        let from = memchr::memrchr(b'@', authority).map_or(0, |at| at + 1);
        authority.get(from..)
    }

    /// The path without the query.
    pub fn path(&self) -> Option<&[u8]> {
        let path = self.path_and_query()?;
        Some(memchr::memchr(b'?', path).map_or(path, |at| &path[..at]))
    }

    /// What follows the `?`.
    pub fn query(&self) -> Option<&[u8]> {
        let path = self.path_and_query()?;
        memchr::memchr(b'?', path).and_then(|at| path.get(at + 1..))
    }

    /// Keeps a received head whole, in an empty message: its parts are then told by where they are in it,
    /// which costs one copy instead of one for each.
    pub fn keep_head(&mut self, head: &[u8]) {
        self.text.extend_from_slice(head);
    }

    /// Fills in a request's start line from the head that was kept.
    pub fn set_kept_request_line(&mut self, method: Span, target: Span, version: Version) {
        (self.method, self.target, self.version, self.status) = (method, target, version, 0);
    }

    /// Fills in a response's start line from the head that was kept.
    pub fn set_kept_status_line(&mut self, version: Version, status: u16, reason: Span) {
        (self.method, self.target) = (Span::default(), reason);
        (self.version, self.status) = (version, status);
    }

    /// Adds a field of the head that was kept; the name is lower-cased.
    pub fn add_kept(&mut self, name: Span, value: Span) {
        if let Some(name) = self.text.get_mut(name.start as usize..name.end as usize) {
            name.make_ascii_lowercase();
            let bit = framing_bit(name);
            self.framing |= bit | (self.framing & bit & HOST) << 1;
        }
        self.fields.push(Field { name, value });
    }

    /// Adds a field at the end; the name is lower-cased.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = self.keep_lower(name);
        let bit = framing_bit(self.get_span(name));
        self.framing |= bit | (self.framing & bit & HOST) << 1;
        let value = self.keep(value);
        self.fields.push(Field { name, value });
    }

    /// Whether a field that says how the message is framed (`Connection`, `Content-Length`,
    /// `Transfer-Encoding`) may be there; asked first because it costs nothing.
    pub fn may_have(&self, name: &[u8]) -> bool {
        self.framing & framing_bit(name) != 0
    }

    /// Whether `Host` may have been added more than once.
    pub fn may_repeat_host(&self) -> bool {
        self.framing & HOST_AGAIN != 0
    }

    /// The target's scheme and authority, without credentials: of the absolute form, and of the target of
    /// CONNECT, which has no scheme (RFC 9112 3.2).
    pub fn scheme_and_authority(&self) -> Option<(&[u8], &[u8])> {
        let target = self.target();
        if matches!(target.first(), Some(b'/' | b'*') | None) {
            return None;
        }
        let (scheme, rest) = match memchr::memmem::find(target, b"://") {
            Some(at) => (target.get(..at)?, target.get(at + 3..)?),
            None => (&b""[..], target),
        };
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
        let authority = rest.get(..end)?;
        let host = memchr::memrchr(b'@', authority).map_or(0, |at| at + 1);
        Some((scheme, authority.get(host..)?))
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// All fields in their order: lower-case name, value without surrounding space.
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + ExactSizeIterator {
        self.fields.iter().map(|f| (self.get_span(f.name), self.get_span(f.value)))
    }

    /// Whole values of the fields of this name (lower case), in their order.
    pub fn values<'a, 'n>(
        &'a self,
        name: &'n [u8],
    ) -> impl DoubleEndedIterator<Item = &'a [u8]> + use<'a, 'n> {
        self.fields.iter().filter(move |f| self.is_named(f, name)).map(|f| self.get_span(f.value))
    }

    fn is_named(&self, field: &Field, name: &[u8]) -> bool {
        field.is_named(&self.text, name)
    }

    /// The first field of this name (lower case), whole.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let field = self.fields.iter().find(|f| self.is_named(f, name))?;
        Some(self.get_span(field.value))
    }

    /// Whether there is a field of this name.
    pub fn has(&self, name: &[u8]) -> bool {
        self.get(name).is_some()
    }

    /// The comma-separated elements of all fields of this name, quoted commas respected, without
    /// surrounding space; empty elements are left out.
    pub fn elements<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.values(name).flat_map(Elements::new)
    }

    /// Whether a comma-separated field has this element, whatever the case.
    pub fn has_element(&self, name: &[u8], element: &[u8]) -> bool {
        self.fields
            .iter()
            .filter(|f| self.is_named(f, name))
            .flat_map(|f| Elements::new(self.get_span(f.value)))
            .any(|e| e.eq_ignore_ascii_case(element))
    }

    /// Removes every field of this name (lower case); says whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let before = self.fields.len();
        let text = &self.text;
        self.fields.retain(|f| !f.is_named(text, name));
        before != self.fields.len()
    }

    /// Removes the fields for which `unwanted(name, value)` holds; says whether there was one.
    pub fn remove_if(&mut self, mut unwanted: impl FnMut(&[u8], &[u8]) -> bool) -> bool {
        let before = self.fields.len();
        let text = &self.text;
        let get = |s: Span| text.get(s.start as usize..s.end as usize).unwrap_or_default();
        self.fields.retain(|f| !unwanted(get(f.name), get(f.value)));
        before != self.fields.len()
    }

    /// Looks at each field of this name (lower case) in its order, and changes or removes it.
    pub fn edit(&mut self, name: &[u8], mut edit: impl FnMut(&[u8]) -> Edit) {
        let mut index = 0;
        while let Some(field) = self.fields.get(index).copied() {
            if self.is_named(&field, name) {
                match edit(self.get_span(field.value)) {
                    Edit::Keep => {}
                    Edit::Set(value) => self.set_value(index, &value),
                    Edit::Remove => {
                        self.fields.remove(index);
                        continue;
                    }
                }
            }
            index += 1;
        }
    }

    /// Removes every field of this name, then adds one.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let lower = name.to_ascii_lowercase();
        self.remove(&lower);
        self.add(&lower, value);
    }

    /// Changes the value of the field at `index` (its place in `fields`).
    pub fn set_value(&mut self, index: usize, value: &[u8]) {
        let value = self.keep(value);
        if let Some(field) = self.fields.get_mut(index) {
            field.value = value;
        }
    }
}

/// A target from its path on; `None` for `*`, the authority form, and an absolute form without a path.
pub fn path_of(target: &[u8]) -> Option<&[u8]> {
    if target.first() == Some(&b'/') {
        return Some(target);
    }
    let rest = behind_scheme(target)?;
    memchr::memchr(b'/', rest).and_then(|at| rest.get(at..))
}

/// A target without `http://` or another scheme; `None` for `*` and for what only begins like one.
fn behind_scheme(target: &[u8]) -> Option<&[u8]> {
    match target.first()? {
        b'*' => None,
        first if first.is_ascii_alphabetic() => {
            let part_of_scheme =
                |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
            let end = target.iter().position(|b| !part_of_scheme(b))?;
            target.get(end..)?.strip_prefix(b"://")
        }
        _ => Some(target),
    }
}

/// What becomes of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// It stays as it is.
    Keep,
    /// It gets this value.
    Set(Vec<u8>),
    /// It is removed.
    Remove,
}

/// Comma-separated elements of a value.
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// Elements of one field's value.
    pub fn new(value: &'a [u8]) -> Elements<'a> {
        Elements { rest: value }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = element_end(self.rest);
            let (element, rest) = self.rest.split_at(end);
            self.rest = rest.get(1..).unwrap_or_default();
            let element = element.trim_ascii();
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// A value without the blanks around it.
pub fn trim_blanks(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// What stands between the commas of a value, quoted commas respected, without surrounding blanks; what
/// is empty counts too.
pub fn raw_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let value = rest?;
        let (element, after) = value.split_at(element_end(value));
        rest = after.get(1..);
        Some(trim_blanks(element))
    })
}

/// Index of the first comma outside quotes, or the length.
pub fn element_end(value: &[u8]) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return at,
            _ => {}
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_head_is_read_in_place() {
        let head = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: \r\n\r\n";
        let span = |part: std::ops::Range<usize>| Span::within(&head[part], head);
        let mut message = Message::default();
        message.keep_head(head);
        message.set_kept_request_line(span(0..3), span(4..6), Version::HTTP_11);
        message.add_kept(span(17..21), span(23..24));
        message.add_kept(span(26..36), Span::within(b"", head));
        assert_eq!((message.method(), message.target()), (&b"GET"[..], &b"/a"[..]));
        let fields: Vec<_> = message.fields().collect();
        assert_eq!(fields, [(&b"host"[..], &b"h"[..]), (b"connection", b"")]);
        assert!(message.may_have(b"connection") && !message.may_have(b"content-length"));
        assert_eq!(message.text_len(), 3 + 2 + 5 + 10);
    }

    fn request(target: &[u8]) -> Message {
        let mut message = Message::default();
        message.set_request_line(b"GET", target, Version::HTTP_11);
        message
    }

    #[test]
    fn path_and_query_of_every_target_form() {
        let path = |t: &[u8]| request(t).path().map(<[u8]>::to_vec);
        assert_eq!(path(b"/a/b?c=d"), Some(b"/a/b".to_vec()));
        assert_eq!(path(b"http://x.y/a?z"), Some(b"/a".to_vec()));
        assert_eq!(path(b"http://x.y"), None);
        assert_eq!(path(b"*"), None);
        assert_eq!(path(b"x.y:443"), None);
        assert_eq!(request(b"/a?b?c").query(), Some(&b"b?c"[..]));
    }

    #[test]
    fn bytes_are_counted_as_haproxy_counts_them() {
        let mut m = request(b"/x?a=b");
        m.add(b"Host", b"example.com");
        assert_eq!(m.counted_size() + 1, 58);
        let mut m = Message::default();
        m.set_status_line(Version::HTTP_11, 200, b"Fine");
        m.add(b"x-t", b"abcdef");
        m.add(b"content-length", b"3");
        assert_eq!(m.counted_size() + 1 + 3, 68);
    }

    #[test]
    fn fields_keep_their_order_and_lose_their_case() {
        let mut m = request(b"/");
        m.add(b"Host", b"x");
        m.add(b"Accept", b"a, b");
        m.add(b"ACCEPT", b"\"c,d\",e");
        let names: Vec<_> = m.fields().map(|(n, _)| n.to_vec()).collect();
        assert_eq!(names, [b"host".to_vec(), b"accept".to_vec(), b"accept".to_vec()]);
        let elements: Vec<_> = m.elements(b"accept").collect();
        assert_eq!(elements, [&b"a"[..], b"b", b"\"c,d\"", b"e"]);
        m.set(b"Accept", b"z");
        assert_eq!(m.values(b"accept").collect::<Vec<_>>(), [b"z"]);
        assert!(m.remove(b"host"));
        assert!(!m.has(b"host"));
    }
}
