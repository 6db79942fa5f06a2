//! What an ACL's or a map's file holds: in come its bytes, out come keys and values, which stay where
//! they are in the file's bytes (16 bytes an entry beside them). Changes at run time add to them.
//! Manual 7.1 "-f", 7.3.1 "map".

use std::sync::Arc;

/// One line of a file, or one word of a configuration.
#[derive(Debug, Clone, Copy)]
struct Element {
    key_at: u32,
    key_len: u32,
    value_at: u32,
    value_len: u32,
}

/// The length of what is not there: an element's value, or a removed element's key.
const NONE: u32 = u32::MAX;

/// Keys and values by number, in their order; a removed one's number is not used again.
#[derive(Debug, Clone)]
pub struct Elements {
    file: Arc<[u8]>,
    /// Follows the file in the space that elements point into.
    added: Vec<u8>,
    list: Vec<Element>,
    removed: usize,
    /// Bytes of `added` that nothing points to.
    wasted: usize,
}

impl Default for Elements {
    fn default() -> Elements {
        Elements::of_words(std::iter::empty())
    }
}

impl Elements {
    /// The patterns of a file of one column: one a line, without the blanks before it; a line that
    /// begins with `#` is a comment.
    pub fn of_patterns(file: Arc<[u8]>) -> Result<Elements, String> {
        Elements::of_file(file, |line, at| {
            let blanks = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let key_len = (line.len() - blanks) as u32;
            Element { key_at: at + blanks as u32, key_len, value_at: 0, value_len: NONE }
        })
    }

    /// The entries of a file of two columns: a key without blanks, and what follows the blanks after it.
    pub fn of_entries(file: Arc<[u8]>) -> Result<Elements, String> {
        Elements::of_file(file, |line, at| {
            let is_blank = |b: &u8| matches!(b, b' ' | b'\t');
            let start = line.iter().take_while(|b| is_blank(b)).count();
            let key = line[start..].iter().take_while(|b| !is_blank(b)).count();
            let value =
                start + key + line[start + key..].iter().take_while(|b| is_blank(b)).count();
            let end = line.iter().rposition(|b| !is_blank(b)).map_or(value, |e| e + 1).max(value);
            Element {
                key_at: at + start as u32,
                key_len: key as u32,
                value_at: at + value as u32,
                value_len: (end - value) as u32,
            }
        })
    }

    /// Each line up to its CR or LF, with its place.
    fn of_file(file: Arc<[u8]>, read: impl Fn(&[u8], u32) -> Element) -> Result<Elements, String> {
        if file.len() >= NONE as usize / 2 {
            return Err("too large a pattern file".to_owned());
        }
        let mut list = Vec::with_capacity(memchr::memchr_iter(b'\n', &file).count() + 1);
        let mut at = 0;
        while at < file.len() {
            let rest = &file[at..];
            let line_end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..line_end];
            let line = &line[..memchr::memchr2(b'\r', b'\0', line).unwrap_or(line.len())];
            if line.first() != Some(&b'#') {
                let element = read(line, at as u32);
                if element.key_len > 0 {
                    list.push(element);
                }
            }
            at += line_end + 1;
        }
        list.shrink_to_fit();
        Ok(Elements { file, added: Vec::new(), list, removed: 0, wasted: 0 })
    }

    /// Patterns that stand in a configuration.
    pub fn of_words<'w>(words: impl Iterator<Item = &'w [u8]>) -> Elements {
        let (mut bytes, mut list) = (Vec::new(), Vec::new());
        for word in words {
            let (key_at, key_len) = (bytes.len() as u32, word.len() as u32);
            list.push(Element { key_at, key_len, value_at: 0, value_len: NONE });
            bytes.extend_from_slice(word);
        }
        Elements { file: bytes.into(), added: Vec::new(), list, removed: 0, wasted: 0 }
    }

    /// The bytes it was read from.
    pub fn file(&self) -> &Arc<[u8]> {
        &self.file
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len() - self.removed
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the highest number.
    pub fn end(&self) -> u32 {
        self.list.len() as u32
    }

    /// The numbers in use, in order.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        let list = self.list.iter().zip(0u32..);
        list.filter(|(element, _)| element.key_len != NONE).map(|(_, id)| id)
    }

    /// Whether this number is in use.
    pub fn contains(&self, id: u32) -> bool {
        self.list.get(id as usize).is_some_and(|element| element.key_len != NONE)
    }

    /// A key; empty for one that was removed.
    pub fn key(&self, id: u32) -> &[u8] {
        let Some(element) = self.list.get(id as usize) else { return &[] };
        self.bytes(element.key_at, element.key_len)
    }

    /// A value, if it has one.
    pub fn value(&self, id: u32) -> Option<&[u8]> {
        let element = self.list.get(id as usize)?;
        (element.value_len != NONE).then(|| self.bytes(element.value_at, element.value_len))
    }

    /// The line that it stands on in its file, from 1.
    pub fn line(&self, id: u32) -> usize {
        let at = self.list.get(id as usize).map_or(0, |element| element.key_at as usize);
        memchr::memchr_iter(b'\n', self.file.get(..at).unwrap_or_default()).count() + 1
    }

    /// Adds one behind the others; gives its number. `None` when there is no space left.
    pub fn add(&mut self, key: &[u8], value: Option<&[u8]>) -> Option<u32> {
        let (key_at, key_len) = self.store(key)?;
        let (value_at, value_len) = match value {
            Some(value) => self.store(value)?,
            None => (0, NONE),
        };
        let id = self.end();
        self.list.push(Element { key_at, key_len, value_at, value_len });
        Some(id)
    }

    /// Gives one another value; `false` when there is no space left.
    pub fn set_value(&mut self, id: u32, value: &[u8]) -> bool {
        let Some((value_at, value_len)) = self.store(value) else { return false };
        let file = self.file.len();
        let Some(element) = self.list.get_mut(id as usize) else { return false };
        if element.value_len != NONE && element.value_at as usize >= file {
            self.wasted += element.value_len as usize;
        }
        (element.value_at, element.value_len) = (value_at, value_len);
        self.tidy();
        true
    }

    /// Removes one.
    pub fn remove(&mut self, id: u32) {
        let file = self.file.len();
        if let Some(element) = self.list.get_mut(id as usize).filter(|e| e.key_len != NONE) {
            for (at, len) in
                [(element.key_at, element.key_len), (element.value_at, element.value_len)]
            {
                if len != NONE && at as usize >= file {
                    self.wasted += len as usize;
                }
            }
            *element = Element { key_at: 0, key_len: NONE, value_at: 0, value_len: NONE };
            self.removed += 1;
        }
    }

    /// Whether so many were removed that numbering anew is worth it.
    pub fn is_sparse(&self) -> bool {
        self.removed > 256 && self.removed > self.list.len() / 2
    }

    /// Numbers anew.
    pub fn renumber(&mut self) {
        self.list.retain(|element| element.key_len != NONE);
        self.removed = 0;
        self.tidy();
    }

    fn bytes(&self, at: u32, len: u32) -> &[u8] {
        let (at, len) = (at as usize, if len == NONE { 0 } else { len as usize });
        match at.checked_sub(self.file.len()) {
            Some(at) => self.added.get(at..at + len).unwrap_or_default(),
            None => self.file.get(at..at + len).unwrap_or_default(),
        }
    }

    fn store(&mut self, bytes: &[u8]) -> Option<(u32, u32)> {
        let at = u32::try_from(self.file.len() + self.added.len()).ok()?;
        let len = u32::try_from(bytes.len()).ok()?;
        at.checked_add(len).filter(|end| *end < NONE)?;
        self.added.extend_from_slice(bytes);
        Some((at, len))
    }

    /// Drops the bytes that nothing points to once they are the greater part.
    fn tidy(&mut self) {
        if self.wasted < 65_536 || self.wasted < self.added.len() / 2 {
            return;
        }
        let file = self.file.len() as u32;
        let old = std::mem::take(&mut self.added);
        let mut added = Vec::with_capacity(old.len() - self.wasted);
        let mut keep = |at: &mut u32, len: u32| {
            if len != NONE && *at >= file {
                let from = (*at - file) as usize;
                *at = file + added.len() as u32;
                added.extend_from_slice(old.get(from..from + len as usize).unwrap_or_default());
            }
        };
        for element in &mut self.list {
            keep(&mut element.key_at, element.key_len);
            keep(&mut element.value_at, element.value_len);
        }
        self.added = added;
        self.wasted = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(elements: &Elements) -> Vec<String> {
        let show = |id| {
            let key = String::from_utf8_lossy(elements.key(id)).into_owned();
            match elements.value(id) {
                Some(value) => format!("{key}={}", String::from_utf8_lossy(value)),
                None => key,
            }
        };
        elements.ids().map(show).collect()
    }

    #[test]
    fn files_have_one_column_or_two() {
        let file = b"# c\n  a A value \n\nab\tAB\r\n x\n #n v\nlast";
        let patterns = Elements::of_patterns(Arc::from(&file[..])).unwrap();
        assert_eq!(text(&patterns), ["a A value ", "ab\tAB", "x", "#n v", "last"]);
        let entries = Elements::of_entries(Arc::from(&file[..])).unwrap();
        assert_eq!(text(&entries), ["a=A value", "ab=AB", "x=", "#n=v", "last="]);
        assert_eq!(entries.line(1), 4);
    }

    #[test]
    fn what_is_added_and_removed_takes_no_space_for_ever() {
        let mut elements = Elements::of_entries(Arc::from(&b"a 1\n"[..])).unwrap();
        for round in 0..100_000 {
            assert!(elements.set_value(0, format!("{round:010}").as_bytes()));
            let id = elements.add(b"key", Some(b"value")).unwrap();
            elements.remove(id);
            if elements.is_sparse() {
                elements.renumber();
            }
        }
        assert_eq!(text(&elements), ["a=0000099999"]);
        assert!(elements.added.len() < 1_000_000 && elements.list.len() < 1_000);
    }
}
