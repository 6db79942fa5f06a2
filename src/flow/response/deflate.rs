//! Deflate streams (RFC 1950 to 1952). In: data in pieces. Out: its compressed form. Compressors are large,
//! and each thread keeps a few of those that ended for the next ones.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::flow::response::compression::CompressionLimits;
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
    /// Always there but while it is given back.
    compress: Option<Compress>,
    kind: (Format, u8),
    level: u8,
    /// Something went in since the last flush.
    held: bool,
    process: Arc<Shared>,
}

/// Bytes that a compressor takes: its window, hash chains and output in waiting.
const MEMORY: u64 = 300_000;
/// Compressors that a thread keeps for the next responses.
const KEPT: usize = 16;

thread_local! {
    static FREE: RefCell<Vec<((Format, u8), Compress)>> = const { RefCell::new(Vec::new()) };
}

impl Engine {
    /// A compressor, unless `maxzlibmem` is used up.
    pub fn take(
        format: Format,
        limits: &CompressionLimits,
        process: &Arc<Shared>,
    ) -> Option<Engine> {
        let memory = &process.counters.compression_memory;
        let used = memory.fetch_add(MEMORY, Relaxed) + MEMORY;
        if limits.memory > 0 && used > limits.memory {
            memory.fetch_sub(MEMORY, Relaxed);
            return None;
        }
        let (level, kind) = (limits.level, (format, limits.window.clamp(9, 15)));
        let mut compress = FREE.with_borrow_mut(|free| {
            let at = free.iter().rposition(|(of, _)| *of == kind)?;
            Some(free.swap_remove(at).1)
        });
        let compress = match compress.take() {
            Some(mut compress) => {
                // Nothing went in yet, so that nothing can be in the way.
                let _ = compress.set_level(Compression::new(level.into()));
                compress
            }
            None => new(kind, level),
        };
        let process = process.clone();
        Some(Engine { compress: Some(compress), kind, level, held: true, process })
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
        let changed = self.compress.as_mut().map(|c| c.set_level(Compression::new(level.into())));
        if matches!(changed, Some(Ok(()))) {
            self.level = level;
        }
    }

    /// Takes `data`, adds what comes out of it to `out`.
    pub fn run(&mut self, data: &[u8], flush: Flush, out: &mut Vec<u8>) {
        self.held |= !data.is_empty();
        let flush = match flush {
            Flush::None => FlushCompress::None,
            Flush::Sync if !self.held => return,
            Flush::Sync => FlushCompress::Sync,
            Flush::Finish => FlushCompress::Finish,
        };
        self.held &= flush == FlushCompress::None;
        let Some(compress) = &mut self.compress else { return };
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
}

fn new((format, window): (Format, u8), level: u8) -> Compress {
    let level = Compression::new(level.into());
    match format {
        Format::Raw => Compress::new_with_window_bits(level, false, window),
        Format::Zlib => Compress::new_with_window_bits(level, true, window),
        Format::Gzip => Compress::new_gzip(level, window),
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.process.counters.compression_memory.fetch_sub(MEMORY, Relaxed);
        let Some(mut compress) = self.compress.take() else { return };
        FREE.with_borrow_mut(|free| {
            if free.len() < KEPT {
                compress.reset();
                free.push((self.kind, compress));
            }
        });
    }
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

    #[test]
    fn what_goes_in_comes_out_whatever_the_pieces_and_levels() {
        let shared = threads::tests::thread().shared.clone();
        let data = text(100_000);
        for format in [Format::Raw, Format::Zlib, Format::Gzip] {
            for piece in [1_000, 33_000, 100_000] {
                let limits = CompressionLimits::default();
                let mut engine = Engine::take(format, &limits, &shared).unwrap();
                let mut out = Vec::new();
                for (number, piece) in data.chunks(piece).enumerate() {
                    engine.run(piece, Flush::None, &mut out);
                    engine.set_level((number % 3) as u8, &mut out);
                }
                engine.run(&[], Flush::Finish, &mut out);
                assert!(inflate(format, &out) == data, "{format:?} {piece}");
            }
        }
    }

    #[test]
    fn a_flush_holds_nothing_back() {
        let shared = threads::tests::thread().shared.clone();
        let mut engine =
            Engine::take(Format::Gzip, &CompressionLimits::default(), &shared).unwrap();
        let mut out = Vec::new();
        engine.run(b"first", Flush::Sync, &mut out);
        assert_eq!(inflate(Format::Gzip, &out), b"first");
        let length = out.len();
        engine.run(b"", Flush::Sync, &mut out);
        assert_eq!(out.len(), length);
    }

    #[test]
    fn memory_is_counted_and_limited() {
        let shared = threads::tests::thread().shared.clone();
        let limits = CompressionLimits { memory: 500_000, ..CompressionLimits::default() };
        let first = Engine::take(Format::Gzip, &limits, &shared).unwrap();
        assert!(Engine::take(Format::Gzip, &limits, &shared).is_none());
        drop(first);
        assert_eq!(shared.counters.compression_memory.load(Relaxed), 0);
        assert!(Engine::take(Format::Gzip, &limits, &shared).is_some());
    }
}
