//! Buffers: taken from the thread's pool when a connection has something to say, given back when it
//! is silent.

use std::cell::RefCell;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { size: 16_384, free: Vec::new() }) };
    static LARGE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of a large buffer, for bodies that are only copied: fewer system calls, and still in the cache.
const LARGE_SIZE: usize = 262_144;
/// Large buffers kept for the next transfer.
const LARGE_KEPT: usize = 16;

struct Pool {
    size: usize,
    free: Vec<Box<[u8]>>,
}

/// Buffers kept for the next connection; more are given back to the system.
const KEPT: usize = 64;

/// Sets the size of this thread's buffers (`tune.bufsize`), in bytes.
pub fn set_size(size: usize) {
    POOL.with_borrow_mut(|pool| {
        if pool.size != size {
            pool.size = size;
            pool.free.clear();
        }
    });
}

/// A buffer: bytes that were received are between `start` and `end`.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer from the pool.
    pub fn take() -> Buffer {
        let bytes = POOL.with_borrow_mut(|pool| {
            pool.free.pop().unwrap_or_else(|| vec![0; pool.size].into_boxed_slice())
        });
        Buffer { bytes, start: 0, end: 0 }
    }

    /// An empty large buffer.
    pub fn take_large() -> Buffer {
        let bytes = LARGE.with_borrow_mut(Vec::pop);
        let bytes = bytes.unwrap_or_else(|| vec![0; LARGE_SIZE].into_boxed_slice());
        Buffer { bytes, start: 0, end: 0 }
    }

    /// Bytes received and not consumed.
    pub fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing is left to consume.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes fit in altogether.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Marks bytes as consumed.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Room for more bytes; what is there is moved to the front if the end is reached.
    pub fn space(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Whether no more bytes fit in.
    pub fn is_full(&self) -> bool {
        self.start == 0 && self.end == self.bytes.len()
    }

    /// Says that bytes were written to `space`.
    pub fn advance(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() == LARGE_SIZE {
            LARGE.with_borrow_mut(|free| {
                if free.len() < LARGE_KEPT {
                    free.push(bytes);
                }
            });
            return;
        }
        POOL.with_borrow_mut(|pool| {
            if bytes.len() == pool.size && pool.free.len() < KEPT {
                pool.free.push(bytes);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumed_room_is_used_again() {
        set_size(8);
        let mut buffer = Buffer::take();
        buffer.space()[..8].copy_from_slice(b"abcdefgh");
        buffer.advance(8);
        assert!(buffer.is_full());
        buffer.consume(6);
        assert_eq!(buffer.space().len(), 6);
        assert_eq!(buffer.filled(), b"gh");
        buffer.consume(2);
        assert!(buffer.is_empty());
        assert_eq!(buffer.space().len(), 8);
        set_size(16_384);
    }
}
