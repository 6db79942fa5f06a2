//! Deflate with the fixed codes (RFC 1951 3.2.6): one look into a table of what was seen, no second thoughts.
//! In: data in pieces. Out: blocks. Each piece is compressed by itself, so that between them nothing is kept
//! but a few bits: a stream costs no memory, and a page takes two thirds of the time that zlib's level 1
//! does, at nearly the same size.

use std::cell::RefCell;

/// Bits to be sent, the first of them lowest.
#[derive(Debug, Clone, Copy)]
struct Code {
    bits: u32,
    count: u32,
}

/// Writes blocks; keeps the bits that do not fill a byte yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fixed {
    bits: u64,
    count: u32,
}

/// Bytes of a stored block at most.
const BLOCK: usize = 65_535;
/// Bytes that a match can have.
const SHORTEST: usize = 4;
const LONGEST: usize = 258;
/// How far a match can be away.
const FARTHEST: usize = 32_768;

impl Fixed {
    /// Adds a block with `data`, compressed; what is repeated is looked for `reach` bytes back. If that is
    /// no shorter, it is stored.
    pub(super) fn compress(&mut self, data: &[u8], reach: usize, out: &mut Vec<u8>) {
        out.reserve(data.len() / 2 + 64);
        let (length, bits) = (out.len(), *self);
        self.put(0b010, 3);
        SEEN.with_borrow_mut(|seen| self.body(data, reach.min(FARTHEST), seen, out));
        self.put(0, 7);
        self.spill(out);
        if out.len() - length > data.len() + 5 {
            out.truncate(length);
            *self = bits;
            self.store(data, out);
        }
    }

    /// Adds blocks with `data` as it is.
    pub(super) fn store(&mut self, data: &[u8], out: &mut Vec<u8>) {
        for block in data.chunks(BLOCK) {
            self.store_one(block, out);
        }
    }

    /// Ends what was written at a whole byte, so that all of it can be read.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        self.store_one(&[], out);
    }

    /// Ends the stream.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        // The last block: fixed codes, and nothing but its end.
        self.put(0b011, 10);
        self.fill_byte(out);
    }

    fn body(&mut self, data: &[u8], reach: usize, seen: &mut Seen, out: &mut Vec<u8>) {
        // By themselves they stay in registers.
        let mut bits = *self;
        let base = seen.begin(data.len());
        let places = &mut *seen.places;
        let mut at = 0;
        // Where the last match ended: the longer ago, the longer the steps.
        let mut since = 0;
        let last = data.len().saturating_sub(SHORTEST);
        while at < last {
            let next = four(data, at);
            let place = base + at as u32;
            let slot = (next.wrapping_mul(0x9e37_79b1) >> (32 - SLOT_BITS)) as usize;
            // What is farther than the piece goes back was in an earlier one.
            let distance = (place - replace(places, slot, place)) as usize;
            if distance <= reach && distance <= at && four(data, at - distance) == next {
                let length = repeated(data, at - distance, at);
                bits.code(LENGTHS.get(length).copied().unwrap_or(NOTHING));
                bits.code(distance_code(distance as u32));
                bits.spill(out);
                at += length;
                since = at;
            } else {
                bits.code(LITERALS[(next & 255) as usize]);
                bits.spill(out);
                at += 1;
                if at - since >= 64 {
                    let skipped = (at - since) >> 6;
                    let end = last.min(at + skipped);
                    bits.literals(data.get(at..end).unwrap_or_default(), out);
                    at = end;
                }
            }
        }
        bits.literals(data.get(at..).unwrap_or_default(), out);
        *self = bits;
    }

    #[inline(always)]
    fn literals(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            self.code(LITERALS[usize::from(*byte)]);
            self.spill(out);
        }
    }

    fn store_one(&mut self, block: &[u8], out: &mut Vec<u8>) {
        self.put(0, 3);
        self.fill_byte(out);
        let length = block.len() as u16;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }

    #[inline(always)]
    fn code(&mut self, code: Code) {
        self.put(code.bits, code.count);
    }

    /// Adds bits; there is room for 32 of them after `spill`.
    #[inline(always)]
    fn put(&mut self, bits: u32, count: u32) {
        self.bits |= u64::from(bits) << self.count;
        self.count += count;
    }

    /// Writes out half of the bits when there are that many.
    #[inline(always)]
    fn spill(&mut self, out: &mut Vec<u8>) {
        if self.count >= 32 {
            out.extend_from_slice(&(self.bits as u32).to_le_bytes());
            self.bits >>= 32;
            self.count -= 32;
        }
    }

    fn fill_byte(&mut self, out: &mut Vec<u8>) {
        let bytes = self.count.div_ceil(8) as usize;
        out.extend_from_slice(self.bits.to_le_bytes().get(..bytes).unwrap_or_default());
        (self.bits, self.count) = (0, 0);
    }
}

/// Where four bytes were seen last, by their hash. Places are counted on from piece to piece, so that the
/// table need not be cleared for each.
struct Seen {
    places: Box<[u32; SLOTS]>,
    /// The place of the next piece's first byte.
    next: u32,
}

const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 13;

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::new(Seen { places: Box::new([0; SLOTS]), next: 1 });
}

impl Seen {
    /// A piece of this length begins: gives the place of its first byte.
    fn begin(&mut self, length: usize) -> u32 {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        if self.next.checked_add(length).is_none() {
            self.places.fill(0);
            self.next = 1;
        }
        let first = self.next;
        self.next = first.saturating_add(length);
        first
    }
}

#[inline(always)]
fn replace(places: &mut [u32; SLOTS], slot: usize, place: u32) -> u32 {
    places.get_mut(slot).map_or(0, |seen| std::mem::replace(seen, place))
}

/// The four bytes at a place.
#[inline(always)]
fn four(data: &[u8], at: usize) -> u32 {
    let bytes = data.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Whether they are there, the eight bytes at a place.
#[inline(always)]
fn eight(data: &[u8], at: usize) -> Option<u64> {
    let bytes = data.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

/// How many bytes at `at` are those at `old`, of which the first four are known to be.
#[inline(always)]
fn repeated(data: &[u8], old: usize, at: usize) -> usize {
    let mut length = SHORTEST;
    while length < LONGEST
        && let Some(new) = eight(data, at + length)
    {
        let differ = new ^ eight(data, old + length).unwrap_or_default();
        if differ != 0 {
            return LONGEST.min(length + (differ.trailing_zeros() / 8) as usize);
        }
        length += 8;
    }
    while length < LONGEST
        && data.get(at + length).is_some_and(|b| data.get(old + length) == Some(b))
    {
        length += 1;
    }
    length.min(LONGEST)
}

const NOTHING: Code = Code { bits: 0, count: 0 };

/// Codes are sent with their first bit first.
const fn reversed(code: u32, count: u32) -> u32 {
    code.reverse_bits() >> (32 - count)
}

static LITERALS: [Code; 256] = {
    let mut table = [NOTHING; 256];
    let mut byte = 0;
    while byte < 256 {
        let (code, count) = match byte {
            0..144 => (0x30 + byte as u32, 8),
            _ => (0x190 + byte as u32 - 144, 9),
        };
        table[byte] = Code { bits: reversed(code, count), count };
        byte += 1;
    }
    table
};

/// Lengths by themselves: the code with its extra bits (RFC 1951 3.2.5).
static LENGTHS: [Code; LONGEST + 1] = {
    let mut table = [NOTHING; LONGEST + 1];
    let mut length = 3;
    while length <= LONGEST {
        let past = length as u32 - 3;
        let (symbol, extra) = match length {
            258 => (285, 0),
            3..11 => (257 + past, 0),
            _ => {
                let extra = past.ilog2() - 2;
                (257 + 4 * extra + (past >> extra), extra)
            }
        };
        let (code, count) = match symbol {
            256..280 => (symbol - 256, 7),
            _ => (0xc0 + symbol - 280, 8),
        };
        let rest = past & ((1 << extra) - 1);
        table[length] = Code { bits: reversed(code, count) | rest << count, count: count + extra };
        length += 1;
    }
    table
};

/// The code of a distance with its extra bits (RFC 1951 3.2.5).
#[inline(always)]
fn distance_code(distance: u32) -> Code {
    let past = distance - 1;
    if past < 2 {
        return Code { bits: reversed(past, 5), count: 5 };
    }
    let extra = past.ilog2() - 1;
    let symbol = 2 * extra + (past >> extra);
    let rest = past & ((1 << extra) - 1);
    Code { bits: reversed(symbol, 5) | rest << 5, count: 5 + extra }
}
