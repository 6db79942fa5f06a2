//! Buffers: taken from the thread's pool when a connection has something to say, given back when it
//! is silent.

use std::cell::RefCell;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool::new(16_384)) };
    static LARGE: RefCell<Pool> = const { RefCell::new(Pool::new(LARGE_SIZE)) };
}

/// Bytes of a large buffer, for bodies that are only copied: fewer system calls, and still in the cache.
const LARGE_SIZE: usize = 262_144;
/// Large buffers kept for the next transfer.
const LARGE_KEPT: usize = 16;

/// Buffers of one thread: all that it has, and those that nobody uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffers {
    /// Bytes of each.
    pub size: usize,
    /// How many there are.
    pub allocated: usize,
    /// How many of them are not in use.
    pub free: usize,
}

/// This thread's buffers, and its large ones.
pub fn of_this_thread() -> (Buffers, Buffers) {
    (POOL.with_borrow(Pool::told), LARGE.with_borrow(Pool::told))
}

struct Pool {
    size: usize,
    free: Vec<Box<[u8]>>,
    /// Counted only when one is made or freed.
    allocated: usize,
}

impl Pool {
    const fn new(size: usize) -> Pool {
        Pool { size, free: Vec::new(), allocated: 0 }
    }

    fn told(&self) -> Buffers {
        Buffers { size: self.size, allocated: self.allocated, free: self.free.len() }
    }

    fn take(&mut self) -> Box<[u8]> {
        self.free.pop().unwrap_or_else(|| {
            self.allocated += 1;
            vec![0; self.size].into_boxed_slice()
        })
    }

    /// Keeps a buffer for the next user, if it fits and fewer than `most` are kept.
    fn put(&mut self, bytes: Box<[u8]>, most: usize) {
        if bytes.len() == self.size && self.free.len() < most {
            self.free.push(bytes);
        } else {
            self.allocated = self.allocated.saturating_sub(1);
        }
    }
}

/// Buffers kept for the next connection; more are given back to the system.
const KEPT: usize = 64;

/// Sets the size of this thread's buffers (`tune.bufsize`), in bytes.
pub fn set_size(size: usize) {
    POOL.with_borrow_mut(|pool| {
        if pool.size != size {
            pool.size = size;
            pool.allocated = pool.allocated.saturating_sub(pool.free.len());
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
        Buffer { bytes: POOL.with_borrow_mut(Pool::take), start: 0, end: 0 }
    }

    /// A buffer without room, to stand where another was taken from.
    pub fn empty() -> Buffer {
        Buffer { bytes: Box::default(), start: 0, end: 0 }
    }

    /// An empty large buffer.
    pub fn take_large() -> Buffer {
        Buffer { bytes: LARGE.with_borrow_mut(Pool::take), start: 0, end: 0 }
    }

    /// Bytes received and not consumed.
    pub fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// The last `count` bytes that were consumed, as far as they are still here, and those that were not.
    pub fn with_consumed(&self, count: usize) -> &[u8] {
        self.bytes.get(self.start.saturating_sub(count)..self.end).unwrap_or_default()
    }

    /// Where in the buffer the bytes begin that were not consumed.
    pub fn offset(&self) -> usize {
        self.start
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
            LARGE.with_borrow_mut(|pool| pool.put(bytes, LARGE_KEPT));
        } else {
            POOL.with_borrow_mut(|pool| pool.put(bytes, KEPT));
        }
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
