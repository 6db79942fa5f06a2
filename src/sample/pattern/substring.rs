//! Texts that hold one of many others (`sub`): of each pattern one short piece is hashed, a rare one;
//! a text is looked through once, piece by piece. An Aho-Corasick automaton for 100,000 patterns takes
//! 0.37 s to build and cannot be changed afterwards; this takes a tenth and can. Manual 7.1.3.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::elements::Elements;
use super::{Method, text_matches};

/// Up to so many patterns are searched for one by one.
const FEW: usize = 4;

/// The lengths of pieces: a pattern has a piece of the longest that it is long enough for.
const LENGTHS: [usize; 4] = [8, 4, 2, 1];

/// How many places of a pattern are tried for its piece.
const PLACES: usize = 64;

/// A piece of a pattern.
#[derive(Debug, Clone, Copy)]
struct Piece {
    bytes: u64,
    id: u32,
    /// Where it ends in the pattern.
    end: u16,
    /// Its length's place in `LENGTHS`.
    class: u8,
}

/// Finds patterns of `Elements` within texts.
#[derive(Debug, Clone)]
pub struct Substrings {
    fold: bool,
    seed: u64,
    table: HashTable<Piece>,
    /// How many pieces there are of each length.
    classes: [u32; LENGTHS.len()],
}

impl Substrings {
    /// Without patterns; `fold` ignores the case of ASCII letters.
    pub fn new(fold: bool) -> Substrings {
        let seed = RandomState::new().hash_one(0u8) | 1;
        Substrings { fold, seed, table: HashTable::new(), classes: [0; LENGTHS.len()] }
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
                self.index(elements.key(id), id);
            }
        } else {
            self.index(elements.key(id), id);
        }
    }

    fn index(&mut self, pattern: &[u8], id: u32) {
        let Some(class) = LENGTHS.iter().position(|length| *length <= pattern.len()) else {
            return;
        };
        let mut rarest: Option<(usize, Piece, u64)> = None;
        for (bytes, end) in self.pieces(pattern, class) {
            let hash = self.hash(bytes, class as u8);
            let alike = self.table.iter_hash(hash).take(16).count();
            if rarest.as_ref().is_none_or(|(least, ..)| alike < *least) {
                rarest = Some((alike, Piece { bytes, id, end, class: class as u8 }, hash));
            }
            if alike == 0 {
                break;
            }
        }
        let Some((_, piece, hash)) = rarest else { return };
        self.classes[class] += 1;
        let seed = self.seed;
        self.table.insert_unique(hash, piece, |piece| hash_of(seed, piece.bytes, piece.class));
    }

    /// Forgets an element, which is still there.
    pub fn remove(&mut self, elements: &Elements, id: u32) {
        let pattern = elements.key(id);
        let Some(class) = LENGTHS.iter().position(|length| *length <= pattern.len()) else {
            return;
        };
        for (bytes, _) in self.pieces(pattern, class) {
            let hash = self.hash(bytes, class as u8);
            if let Ok(entry) = self.table.find_entry(hash, |piece| piece.id == id) {
                entry.remove();
                self.classes[class] -= 1;
                return;
            }
        }
    }

    /// The first element that the text holds, or with `any` whichever is found first.
    pub fn find(&self, elements: &Elements, text: &[u8], any: bool) -> Option<u32> {
        if self.table.is_empty() {
            let matches = |id: &u32| text_matches(Method::Sub, self.fold, text, elements.key(*id));
            return elements.ids().find(matches);
        }
        let mut best: Option<u32> = None;
        let mut window = 0u64;
        for (at, byte) in text.iter().enumerate() {
            window = window << 8 | u64::from(self.folded(*byte));
            for (class, length) in LENGTHS.iter().enumerate() {
                if self.classes[class] == 0 || at + 1 < *length {
                    continue;
                }
                let bytes = window & mask(*length);
                for piece in self.table.iter_hash(self.hash(bytes, class as u8)) {
                    let better = best.is_none_or(|best| piece.id < best);
                    if better && self.holds_at(elements, text, at + 1, *piece) {
                        best = Some(piece.id);
                        if any {
                            return best;
                        }
                    }
                }
            }
        }
        best
    }

    /// Whether the piece's whole pattern stands in the text where its piece ends at `end`.
    fn holds_at(&self, elements: &Elements, text: &[u8], end: usize, piece: Piece) -> bool {
        let pattern = elements.key(piece.id);
        let Some(start) = end.checked_sub(usize::from(piece.end)) else { return false };
        match text.get(start..start + pattern.len()) {
            Some(part) if self.fold => part.eq_ignore_ascii_case(pattern),
            Some(part) => part == pattern,
            None => false,
        }
    }

    /// The pieces of a pattern that may stand for it, and where they end.
    fn pieces(&self, pattern: &[u8], class: usize) -> impl Iterator<Item = (u64, u16)> + use<> {
        let length = LENGTHS[class];
        let fold = self.fold;
        let windows: Vec<(u64, u16)> = pattern
            .windows(length)
            .take(PLACES)
            .enumerate()
            .map(|(at, window)| {
                let byte = |b: &u8| u64::from(if fold { b.to_ascii_lowercase() } else { *b });
                let bytes = window.iter().fold(0, |sum, b| sum << 8 | byte(b));
                (bytes, (at + length) as u16)
            })
            .collect();
        windows.into_iter()
    }

    fn folded(&self, byte: u8) -> u8 {
        if self.fold { byte.to_ascii_lowercase() } else { byte }
    }

    fn hash(&self, bytes: u64, class: u8) -> u64 {
        hash_of(self.seed, bytes, class)
    }
}

fn mask(length: usize) -> u64 {
    u64::MAX >> (64 - 8 * length)
}

fn hash_of(seed: u64, bytes: u64, class: u8) -> u64 {
    let product =
        u128::from(bytes ^ seed) * u128::from(0x9e37_79b9_7f4a_7c15 ^ (u64::from(class) << 32));
    let mixed = (product >> 64) as u64 ^ product as u64;
    mixed.wrapping_mul(0x9fb2_1c65_1e98_df25) ^ (mixed >> 31)
}
