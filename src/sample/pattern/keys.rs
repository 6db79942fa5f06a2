//! Texts compared as a whole, at their beginning or end, or word by word (`str`, `beg`, `end`, `dir`,
//! `dom`): one hash table, asked once for each length that some key has. Manual 7.1.3.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::elements::Elements;
use super::{DIR, DOM, Method, strip, text_matches};

/// Up to so many keys are compared one by one.
const FEW: usize = 4;

/// Which part of a text is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Beginning,
    End,
    Words(&'static [u8]),
}

/// Finds keys of `Elements`.
#[derive(Debug, Clone)]
pub struct Keys {
    method: Method,
    part: Part,
    fold: bool,
    seed: u64,
    /// The first element of each key; empty while there are few.
    table: HashTable<u32>,
    /// The lengths of keys and how many have each, ascending.
    lengths: Vec<(u32, u32)>,
    /// How many delimiters a key holds at most.
    inner: usize,
    /// Whether some key was there twice.
    doubled: bool,
}

impl Keys {
    /// Without keys; `fold` ignores the case of ASCII letters.
    pub fn new(method: Method, fold: bool) -> Keys {
        let part = match method {
            Method::Beg => Part::Beginning,
            Method::End => Part::End,
            Method::Dir => Part::Words(DIR),
            Method::Dom => Part::Words(DOM),
            _ => Part::Whole,
        };
        Keys {
            method,
            part,
            fold,
            seed: RandomState::new().hash_one(0u8) | 1,
            table: HashTable::new(),
            lengths: Vec::new(),
            inner: 0,
            doubled: false,
        }
    }

    /// Takes in an element; the table is made when there are more than a few.
    pub fn insert(&mut self, elements: &Elements, id: u32) {
        if elements.end() as usize <= FEW {
            return;
        }
        if self.table.is_empty() {
            self.table.reserve(elements.len(), |_| 0);
            // Those that came before it too: they were few.
            for id in elements.ids().take_while(|other| *other <= id) {
                self.index(elements, id);
            }
        } else {
            self.index(elements, id);
        }
    }

    fn index(&mut self, elements: &Elements, id: u32) {
        let key = self.key(elements, id);
        if key.is_empty() && matches!(self.part, Part::Words(_)) {
            return;
        }
        let hash = self.hash(key);
        let old = self.table.find(hash, |other| self.same(key, self.key(elements, *other)));
        if let Some(old) = old {
            self.doubled |= *old != id;
            return;
        }
        let length = key.len() as u32;
        let inner = match self.part {
            Part::Words(delimiters) => key.iter().filter(|b| delimiters.contains(b)).count(),
            _ => 0,
        };
        let hasher =
            |id: &u32| hash_of(self.seed, self.fold, self.part, part_key(self.part, elements, *id));
        self.table.insert_unique(hash, id, hasher);
        self.inner = self.inner.max(inner);
        match self.lengths.binary_search_by_key(&length, |(l, _)| *l) {
            Ok(at) => self.lengths[at].1 += 1,
            Err(at) => self.lengths.insert(at, (length, 1)),
        }
    }

    /// Whether some key may be there twice.
    pub fn may_repeat(&self) -> bool {
        self.doubled || self.table.is_empty()
    }

    /// Forgets an element, which is still there.
    pub fn remove(&mut self, elements: &Elements, id: u32) {
        let key = self.key(elements, id);
        let hash = self.hash(key);
        let Ok(entry) = self.table.find_entry(hash, |other| *other == id) else { return };
        entry.remove();
        let length = key.len() as u32;
        if let Ok(at) = self.lengths.binary_search_by_key(&length, |(l, _)| *l) {
            self.lengths[at].1 -= 1;
            if self.lengths[at].1 == 0 {
                self.lengths.remove(at);
            }
        }
        if self.doubled {
            let mut others = elements.ids().filter(|other| *other != id);
            if let Some(next) = others.find(|other| self.same(key, self.key(elements, *other))) {
                self.index(elements, next);
            }
        }
    }

    /// The element that matches the text: the first, or with `longest` the first of the longest.
    pub fn find(&self, elements: &Elements, text: &[u8], longest: bool) -> Option<u32> {
        if self.table.is_empty() {
            return self.find_among_few(elements, text, longest);
        }
        match self.part {
            Part::Whole => self.get(elements, self.hash(text), text),
            Part::Beginning => self.find_prefix(elements, text, longest),
            Part::End => self.find_suffix(elements, text),
            Part::Words(delimiters) => self.find_word(elements, text, delimiters),
        }
    }

    fn find_among_few(&self, elements: &Elements, text: &[u8], longest: bool) -> Option<u32> {
        let mut matching = elements
            .ids()
            .filter(|id| text_matches(self.method, self.fold, text, elements.key(*id)));
        if !longest {
            return matching.next();
        }
        matching.reduce(|best, id| match elements.key(id).len() > elements.key(best).len() {
            true => id,
            false => best,
        })
    }

    fn find_prefix(&self, elements: &Elements, text: &[u8], longest: bool) -> Option<u32> {
        let mut state = self.seed;
        let mut done = 0;
        let mut best = None;
        for (length, _) in &self.lengths {
            let Some(prefix) = text.get(..*length as usize) else { break };
            state = extend(state, self.seed, self.fold, prefix.get(done..).unwrap_or_default());
            done = prefix.len();
            let found = self.get(elements, finish(state), prefix);
            best = match (best, found) {
                (Some(best), Some(id)) if !longest => Some(id.min(best)),
                (best, found) => found.or(best),
            };
        }
        best
    }

    fn find_suffix(&self, elements: &Elements, text: &[u8]) -> Option<u32> {
        let mut state = self.seed;
        let mut done = 0;
        let mut best: Option<u32> = None;
        for (length, _) in &self.lengths {
            let Some(start) = text.len().checked_sub(*length as usize) else { break };
            let more = text.get(start..text.len() - done).unwrap_or_default();
            state = extend_back(state, self.seed, self.fold, more);
            done = *length as usize;
            if let Some(id) = self.get(elements, finish(state), &text[start..]) {
                best = Some(best.map_or(id, |best| best.min(id)));
            }
        }
        best
    }

    fn find_word(&self, elements: &Elements, text: &[u8], delimiters: &[u8]) -> Option<u32> {
        let is_delimiter = |b: u8| delimiters.contains(&b);
        let most = self.lengths.last().map_or(0, |(length, _)| *length as usize);
        let mut best: Option<u32> = None;
        for start in 0..text.len() {
            let opens = start == 0 || is_delimiter(text[start - 1]);
            if !opens || is_delimiter(text[start]) {
                continue;
            }
            let (mut state, mut boundaries) = (self.seed, 0);
            for (end, byte) in text.iter().enumerate().skip(start).take(most) {
                state = extend(state, self.seed, self.fold, &[*byte]);
                if text.get(end + 1).is_some_and(|next| !is_delimiter(*next)) {
                    continue;
                }
                if let Some(id) = self.get(elements, finish(state), &text[start..=end]) {
                    best = Some(best.map_or(id, |best| best.min(id)));
                }
                boundaries += 1;
                if boundaries > self.inner {
                    break;
                }
            }
        }
        best
    }

    fn get(&self, elements: &Elements, hash: u64, key: &[u8]) -> Option<u32> {
        self.table.find(hash, |id| self.same(key, self.key(elements, *id))).copied()
    }

    fn same(&self, a: &[u8], b: &[u8]) -> bool {
        if self.fold { a.eq_ignore_ascii_case(b) } else { a == b }
    }

    fn key<'e>(&self, elements: &'e Elements, id: u32) -> &'e [u8] {
        part_key(self.part, elements, id)
    }

    fn hash(&self, key: &[u8]) -> u64 {
        hash_of(self.seed, self.fold, self.part, key)
    }
}

/// The part of an element's key that is compared.
fn part_key(part: Part, elements: &Elements, id: u32) -> &[u8] {
    let key = elements.key(id);
    match part {
        Part::Words(delimiters) => strip(key, delimiters),
        _ => key,
    }
}

fn hash_of(seed: u64, fold: bool, part: Part, key: &[u8]) -> u64 {
    finish(match part {
        Part::End => extend_back(seed, seed, fold, key),
        _ => extend(seed, seed, fold, key),
    })
}

/// Goes on hashing, byte by byte, so that the hash of every beginning of a text is seen on the way.
fn extend(state: u64, seed: u64, fold: bool, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |state, byte| step(state, seed, fold, *byte))
}

fn extend_back(state: u64, seed: u64, fold: bool, bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(state, |state, byte| step(state, seed, fold, *byte))
}

fn step(state: u64, seed: u64, fold: bool, byte: u8) -> u64 {
    let byte = if fold { byte.to_ascii_lowercase() } else { byte };
    (state.rotate_left(5) ^ u64::from(byte)).wrapping_mul(seed ^ 0x9e37_79b9_7f4a_7c14)
}

fn finish(state: u64) -> u64 {
    let mixed = (state ^ (state >> 32)).wrapping_mul(0x9fb2_1c65_1e98_df25);
    mixed ^ (mixed >> 29)
}
