//! The last request and the last response of each proxy that could not be parsed or was refused, kept for
//! `show errors` (management.txt 9.3, 13.1). One of each at most, of a buffer's size at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use crate::flow::http::h1::progress::{Known, Progress};
use crate::flow::session::Address;

/// How many there were in this process.
static EVENTS: AtomicU32 = AtomicU32::new(0);

/// A message as it was received.
#[derive(Debug)]
pub struct BadMessage {
    /// Its number in this process, from 0.
    pub event: u32,
    /// When it was refused, since 1970.
    pub at: Duration,
    /// The proxy on the other side: name and number.
    pub other: Option<(String, u32)>,
    /// The server: name and number.
    pub server: Option<(String, u32)>,
    /// The client.
    pub source: Address,
    /// What was in the buffer.
    pub bytes: Box<[u8]>,
    /// Where in the buffer that began.
    pub offset: usize,
    /// Where in `bytes` the mistake is.
    pub position: usize,
    /// What was being parsed.
    pub progress: Progress,
    /// What was known of the message.
    pub known: Known,
    /// Bytes of its body so far, or as announced.
    pub body: u64,
    /// Whether the buffer was full.
    pub full: bool,
    /// Flags of the stream, as HAProxy has them.
    pub stream_flags: u32,
}

/// Where the last one is kept.
#[derive(Debug, Default)]
pub struct LastBad(Mutex<Option<Arc<BadMessage>>>);

impl LastBad {
    /// Keeps this one instead of the one before.
    pub fn keep(&self, message: BadMessage) {
        *self.0.lock() = Some(Arc::new(message));
    }

    /// The last one.
    pub fn get(&self) -> Option<Arc<BadMessage>> {
        self.0.lock().clone()
    }
}

/// The next message's number.
pub fn next_event() -> u32 {
    EVENTS.fetch_add(1, Relaxed)
}

/// How many there were.
pub fn events() -> u32 {
    EVENTS.load(Relaxed)
}
