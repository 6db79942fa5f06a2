//! Deflate streams (RFC 1950 to 1952). In: data in pieces. Out: its compressed form. Level 1, which is what
//! runs unless `tune.comp.maxlevel` says more, is our own (`fixed`); the others are zlib's, whose compressors are
//! large: each thread keeps a few of those that ended for the next ones.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::flow::response::compression::CompressionLimits;
use crate::flow::response::fixed::Fixed;
use crate::flow::threads::Shared;

/// What is put around the compressed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Nothing (RFC 1951).
    Raw,
    /// zlib's header and checksum (RFC 1950).
    Zlib,
    /// gzip's header and checksum (RFC 1952).
    Gzip,
}

/// How much is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// As much as helps compression.
    None,
    /// Nothing: what went in can be read from what came out.
    Sync,
    /// Nothing, and the stream ends.
    Finish,
}

/// A compressor of one stream.
#[derive(Debug)]
pub struct Engine {
    coder: Coder,
    level: u8,
    /// Something went in since the last flush.
    held: bool,
    /// Bytes counted as in use.
    memory: u64,
    process: Arc<Shared>,
}

#[derive(Debug)]
enum Coder {
    Fixed(Box<Wrapped>),
    /// Always there but while it is given back.
    Zlib(Option<Compress>, Kind),
}

/// Format and window.
type Kind = (Format, u8);

/// Bytes that one of zlib's compressors takes: its window, hash chains and output in waiting.
const MEMORY: u64 = 300_000;
/// Compressors that a thread keeps for the next responses.
const KEPT: usize = 16;
/// Small pieces are gathered until there are this many bytes, or a flush.
const GATHERED: usize = 8_192;

thread_local! {
    static FREE: RefCell<Vec<(Kind, Compress)>> = const { RefCell::new(Vec::new()) };
}

impl Engine {
    /// A compressor, unless `maxzlibmem` is used up.
    pub fn take(
        format: Format,
        limits: &CompressionLimits,
        process: &Arc<Shared>,
    ) -> Option<Engine> {
        let memory = if limits.level > 1 { MEMORY } else { GATHERED as u64 };
        let total = &process.counters.compression_memory;
        let used = total.fetch_add(memory, Relaxed) + memory;
        if limits.memory > 0 && used > limits.memory {
            total.fetch_sub(memory, Relaxed);
            return None;
        }
        let (level, kind) = (limits.level, (format, limits.window.clamp(9, 15)));
        let coder = match level {
            ..=1 => Coder::Fixed(Box::new(Wrapped::new(kind))),
            _ => Coder::Zlib(Some(compressor(kind, level)), kind),
        };
        Some(Engine { coder, level, held: true, memory, process: process.clone() })
    }

    /// Whether it does more than copy.
    pub fn compresses(&self) -> bool {
        self.level > 0
    }

    /// The present level.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Changes the level for what comes; what went in so far comes out first.
    pub fn set_level(&mut self, level: u8, out: &mut Vec<u8>) {
        if level == self.level {
            return;
        }
        self.run(&[], Flush::Sync, out);
        match &mut self.coder {
            Coder::Fixed(_) => self.level = level,
            Coder::Zlib(compress, _) => {
                let changed =
                    compress.as_mut().map(|c| c.set_level(Compression::new(level.into())));
                if matches!(changed, Some(Ok(()))) {
                    self.level = level;
                }
            }
        }
    }

    /// Takes `data`, adds what comes out of it to `out`.
    pub fn run(&mut self, data: &[u8], flush: Flush, out: &mut Vec<u8>) {
        self.held |= !data.is_empty();
        if flush == Flush::Sync && !self.held {
            return;
        }
        self.held &= flush == Flush::None;
        match &mut self.coder {
            Coder::Fixed(wrapped) => wrapped.run(data, (flush, self.level > 0), out),
            Coder::Zlib(Some(compress), _) => run(compress, data, flush, out),
            Coder::Zlib(None, _) => {}
        }
    }
}

/// One of zlib's compressors.
fn run(compress: &mut Compress, data: &[u8], flush: Flush, out: &mut Vec<u8>) {
    let flush = match flush {
        Flush::None => FlushCompress::None,
        Flush::Sync => FlushCompress::Sync,
        Flush::Finish => FlushCompress::Finish,
    };
    let mut rest = data;
    loop {
        out.reserve(rest.len() / 2 + 256);
        let before = compress.total_in();
        let result = compress.compress_vec(rest, out, flush);
        rest = rest.get((compress.total_in() - before) as usize..).unwrap_or_default();
        // As long as it fills all the room there is, more may be waiting.
        let full = out.len() == out.capacity();
        match result {
            Ok(Status::Ok) if full || !rest.is_empty() => {}
            Ok(Status::Ok) if flush == FlushCompress::Finish => {}
            _ => return,
        }
    }
}

fn compressor(kind: Kind, level: u8) -> Compress {
    let kept = FREE.with_borrow_mut(|free| {
        let at = free.iter().rposition(|(of, _)| *of == kind)?;
        Some(free.swap_remove(at).1)
    });
    match kept {
        Some(mut compress) => {
            // Nothing went in yet, so that nothing can be in the way.
            let _ = compress.set_level(Compression::new(level.into()));
            compress
        }
        None => new(kind, level),
    }
}

fn new((format, window): Kind, level: u8) -> Compress {
    let level = Compression::new(level.into());
    match format {
        Format::Raw => Compress::new_with_window_bits(level, false, window),
        Format::Zlib => Compress::new_with_window_bits(level, true, window),
        Format::Gzip => Compress::new_gzip(level, window),
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.process.counters.compression_memory.fetch_sub(self.memory, Relaxed);
        let Coder::Zlib(compress, kind) = &mut self.coder else { return };
        let Some(mut compress) = compress.take() else { return };
        FREE.with_borrow_mut(|free| {
            if free.len() < KEPT {
                compress.reset();
                free.push((*kind, compress));
            }
        });
    }
}

/// Our own compressor with what its format puts around.
#[derive(Debug)]
struct Wrapped {
    fixed: Fixed,
    kind: Kind,
    begun: bool,
    gathered: Vec<u8>,
    length: u32,
    crc: crc32fast::Hasher,
    adler: (u32, u32),
}

impl Wrapped {
    fn new(kind: Kind) -> Wrapped {
        Wrapped {
            fixed: Fixed::default(),
            kind,
            begun: false,
            gathered: Vec::new(),
            length: 0,
            crc: crc32fast::Hasher::new(),
            adler: (1, 0),
        }
    }

    fn run(&mut self, data: &[u8], (flush, compresses): (Flush, bool), out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            self.begin(out);
        }
        self.sum(data);
        if self.gathered.len() + data.len() < GATHERED
            && (flush == Flush::None || !self.gathered.is_empty())
        {
            self.gathered.extend_from_slice(data);
            if flush != Flush::None {
                self.gathered(compresses, out);
            }
        } else {
            self.gathered(compresses, out);
            self.piece(data, compresses, out);
        }
        match flush {
            Flush::None => {}
            Flush::Sync => self.fixed.flush(out),
            Flush::Finish => {
                self.fixed.finish(out);
                self.end(out);
            }
        }
    }

    fn gathered(&mut self, compresses: bool, out: &mut Vec<u8>) {
        let mut gathered = std::mem::take(&mut self.gathered);
        self.piece(&gathered, compresses, out);
        gathered.clear();
        self.gathered = gathered;
    }

    fn piece(&mut self, data: &[u8], compresses: bool, out: &mut Vec<u8>) {
        match compresses {
            _ if data.is_empty() => {}
            true => self.fixed.compress(data, 1 << self.kind.1, out),
            false => self.fixed.store(data, out),
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        match self.kind.0 {
            Format::Raw => {}
            Format::Zlib => {
                let method = (self.kind.1 - 8) << 4 | 8;
                out.extend_from_slice(&[method, 31 - (u16::from(method) * 256 % 31) as u8]);
            }
            // No name, no date, fastest, Unix.
            Format::Gzip => out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 3]),
        }
    }

    fn sum(&mut self, data: &[u8]) {
        match self.kind.0 {
            Format::Raw => {}
            Format::Zlib => self.adler = adler(self.adler, data),
            Format::Gzip => {
                self.crc.update(data);
                self.length = self.length.wrapping_add(data.len() as u32);
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        match self.kind.0 {
            Format::Raw => {}
            Format::Zlib => {
                let sum = self.adler.1 << 16 | self.adler.0;
                out.extend_from_slice(&sum.to_be_bytes());
            }
            Format::Gzip => {
                out.extend_from_slice(&self.crc.clone().finalize().to_le_bytes());
                out.extend_from_slice(&self.length.to_le_bytes());
            }
        }
    }
}

/// Adler-32 (RFC 1950 8.2), both of its sums.
fn adler((mut a, mut b): (u32, u32), data: &[u8]) -> (u32, u32) {
    const MODULUS: u32 = 65_521;
    // As many bytes as the sums can take before they have to be reduced.
    for part in data.chunks(5_552) {
        for byte in part {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % MODULUS, b % MODULUS);
    }
    (a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::threads;
    use flate2::Decompress;

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|n| b"a page of words, some of them again "[(n * n / 7 + n) % 36]).collect()
    }

    fn inflate(format: Format, data: &[u8]) -> Vec<u8> {
        let mut inflate = match format {
            Format::Raw => Decompress::new(false),
            Format::Zlib => Decompress::new(true),
            Format::Gzip => Decompress::new_gzip(15),
        };
        let mut out = Vec::with_capacity(1 << 20);
        inflate.decompress_vec(data, &mut out, flate2::FlushDecompress::None).unwrap();
        out
    }

    fn limits(level: u8) -> CompressionLimits {
        CompressionLimits { level, ..CompressionLimits::default() }
    }

    /// Bytes that look like nothing.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn what_goes_in_comes_out_whatever_the_pieces_and_levels() {
        let shared = threads::tests::thread().shared.clone();
        let mixed = [text(50_000), noise(30_000), vec![7; 70_000], text(9)].concat();
        let formats = [Format::Raw, Format::Zlib, Format::Gzip];
        for (format, most) in formats.into_iter().flat_map(|format| [(format, 1), (format, 9)]) {
            for (data, pieces) in [
                (text(100_000), [1_000, 33_000, 100_000]),
                (mixed.clone(), [3, 7_000, 80_000]),
                (noise(200_000), [5_000, 66_000, 200_000]),
                (Vec::new(), [1, 2, 3]),
            ] {
                for piece in pieces {
                    let mut engine = Engine::take(format, &limits(most), &shared).unwrap();
                    let mut out = Vec::new();
                    for (number, piece) in data.chunks(piece).enumerate() {
                        engine.run(piece, Flush::None, &mut out);
                        if number % 5 == 2 {
                            engine.set_level(most.min((number % 3) as u8), &mut out);
                        }
                        if number % 7 == 3 {
                            engine.run(&[], Flush::Sync, &mut out);
                        }
                    }
                    engine.run(&[], Flush::Finish, &mut out);
                    assert!(inflate(format, &out) == data, "{format:?} {most} {piece}");
                    assert!(
                        out.len() < data.len() + data.len() / 50 + 40 + data.len() / piece * 16
                    );
                }
            }
        }
    }

    #[test]
    fn matches_stay_within_the_window_and_their_lengths() {
        let shared = threads::tests::thread().shared.clone();
        for window in [9, 12, 15] {
            let limits = CompressionLimits { window, ..limits(1) };
            // Runs of each length, and repetitions at each distance around the window's end.
            let mut data = Vec::new();
            for n in 1..700 {
                data.extend(vec![b'a' + (n % 26) as u8; n]);
            }
            let unlike = noise(600);
            for distance in [500, 510, 511, 512, 513, 600] {
                data.extend_from_slice(&unlike[..distance.min(600)]);
            }
            let mut engine = Engine::take(Format::Zlib, &limits, &shared).unwrap();
            let mut out = Vec::new();
            engine.run(&data, Flush::Finish, &mut out);
            let mut inflate = Decompress::new_with_window_bits(true, window);
            let mut back = Vec::with_capacity(data.len() + 1);
            inflate.decompress_vec(&out, &mut back, flate2::FlushDecompress::Finish).unwrap();
            assert!(back == data, "{window}");
        }
    }

    #[test]
    fn a_flush_holds_nothing_back() {
        let shared = threads::tests::thread().shared.clone();
        for level in [1, 2] {
            let mut engine = Engine::take(Format::Gzip, &limits(level), &shared).unwrap();
            let mut out = Vec::new();
            engine.run(b"first", Flush::Sync, &mut out);
            assert_eq!(inflate(Format::Gzip, &out), b"first");
            let length = out.len();
            engine.run(b"", Flush::Sync, &mut out);
            assert_eq!(out.len(), length);
        }
    }

    #[test]
    fn memory_is_counted_and_limited() {
        let shared = threads::tests::thread().shared.clone();
        for (level, memory) in [(9, 500_000), (1, 10_000)] {
            let limits = CompressionLimits { memory, ..limits(level) };
            let first = Engine::take(Format::Gzip, &limits, &shared).unwrap();
            assert!(Engine::take(Format::Gzip, &limits, &shared).is_none());
            drop(first);
            assert_eq!(shared.counters.compression_memory.load(Relaxed), 0);
            assert!(Engine::take(Format::Gzip, &limits, &shared).is_some());
        }
    }
}
