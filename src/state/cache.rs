//! What answers are kept (manual 6). In: complete responses under the texts that name them. Out: entries
//! that any thread may serve from, shared by reference. A cache never holds more bytes than it was given:
//! what was used longest ago makes room for what comes.

mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use sha1::{Digest, Sha1};

use crate::flow::http::message::Message;
use store::Store;

/// Memory is given out in pieces of this many bytes.
pub const BLOCK: u64 = 1024;

/// What a cache may do, as its section says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSettings {
    /// `total-max-size`, in blocks.
    pub blocks: u64,
    /// `max-object-size`: bytes of an object with what it costs, see [`Draft::size`].
    pub max_object: u64,
    /// `max-age`, in seconds.
    pub max_age: u32,
}

/// A cache: one for the whole process.
#[derive(Debug)]
pub struct Cache {
    /// The name of its section.
    pub name: String,
    /// What was written. A reload that changes none of it keeps the cache.
    pub settings: CacheSettings,
    store: Mutex<Store>,
    /// Blocks in use: by entries, also those that are gone but still being sent, and by what is coming in.
    used: Arc<AtomicU64>,
}

/// Memory of a cache: given back when this is dropped.
#[derive(Debug)]
pub struct Room {
    used: Arc<AtomicU64>,
    blocks: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.used.fetch_sub(self.blocks, Relaxed);
    }
}

/// How the end of a stored body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimited {
    /// By its length.
    Length,
    /// By a last chunk.
    Chunks,
    /// By the end of the connection.
    Close,
}

/// A response that is being stored or is stored.
#[derive(Debug)]
pub struct Draft {
    /// What names it: see [`key`].
    pub key: Box<[u8]>,
    /// Its head as it was when the rule ran.
    pub head: Message,
    /// How its end is told.
    pub delimited: Delimited,
    /// `Age` of the server's answer, in seconds.
    pub age: u32,
    /// When it was received, in seconds since 1970.
    pub received: u32,
    /// Until when it may be served, in seconds since 1970.
    pub expires: u32,
    /// When it was changed last, in seconds since 1970.
    pub last_modified: i64,
}

impl Draft {
    /// Bytes that HAProxy counts for the head: with what it keeps beside it.
    fn head_size(&self) -> u64 {
        ENTRY + self.head.counted_size() + PART * (self.head.len() as u64 + 2)
    }

    /// Bytes that HAProxy counts for an object of this kind: `max-object-size` limits them.
    pub fn size(&self, body: u64, trailers: u64) -> u64 {
        let body = if body > 0 { PART + body } else { 0 };
        let end = match self.delimited {
            Delimited::Length => PART + 1,
            Delimited::Chunks => 2 * (PART + 1) + trailers,
            Delimited::Close => 0,
        };
        self.head_size() + body + end
    }

    /// Blocks for this many bytes of body and trailers: as HAProxy counts them, or as they take memory.
    fn blocks(&self, body: u64, trailers: u64) -> u64 {
        let kept = (size_of::<Entry>() + self.key.len() + self.head.memory()) as u64;
        let taken = kept + INDEX + body + trailers;
        self.size(body, trailers).max(taken).div_ceil(BLOCK)
    }
}

/// What HAProxy keeps beside an object, and beside each of its parts.
const ENTRY: u64 = 96;
const PART: u64 = 4;
/// What the index and the order of use keep of an entry, in bytes.
const INDEX: u64 = 64;

/// A stored response.
#[derive(Debug)]
pub struct Entry {
    /// All but what follows the head.
    pub draft: Draft,
    /// The body, without framing.
    pub body: Box<[u8]>,
    /// Trailers, as lines.
    pub trailers: Box<[u8]>,
    /// The first bytes of the hash by which HAProxy finds it: `show cache` tells them.
    pub hash: u32,
    /// Bytes that HAProxy counts for it.
    pub size: u64,
    room: Room,
}

/// The text that names a response: of a request with this host and target, or with a target that names
/// the host itself. No host or target has the byte between them.
pub fn key(host: Option<&[u8]>, target: &[u8]) -> Box<[u8]> {
    match host {
        Some(host) => [SCHEME, host, b"\0", target].concat().into(),
        None => target.into(),
    }
}

const SCHEME: &[u8] = b"https://";

/// HAProxy's hash of a key.
fn hash(key: &[u8]) -> u32 {
    let mut sha = Sha1::new_with_prefix(b"GET");
    for part in key.splitn(2, |byte| *byte == 0) {
        sha.update(part);
    }
    let digest = sha.finalize();
    digest.first_chunk::<4>().map_or(0, |first| u32::from_le_bytes(*first))
}

/// What `show cache` tells of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Where it is in memory.
    pub address: usize,
    /// See [`Entry::hash`].
    pub hash: u32,
    /// Bytes, as HAProxy counts them.
    pub size: u64,
    /// Blocks in use.
    pub blocks: u64,
    /// How many streams are being served from it.
    pub users: usize,
    /// Until when it may be served, in seconds since 1970.
    pub expires: u32,
}

impl Cache {
    /// An empty one, or the previous one of this name if its settings are the same.
    pub fn adopt(name: &str, settings: CacheSettings, previous: Option<&Arc<Cache>>) -> Arc<Cache> {
        match previous.filter(|old| old.settings == settings) {
            Some(old) => old.clone(),
            None => Arc::new(Cache {
                name: name.to_owned(),
                settings,
                store: Mutex::default(),
                used: Arc::default(),
            }),
        }
    }

    /// The entry of this name, if it may still be served at `now` (seconds since 1970).
    pub fn find(&self, key: &[u8], now: u32) -> Option<Arc<Entry>> {
        // What has expired is dropped when the lock is free again.
        let (found, _expired) = self.store.lock().find(key, now);
        found
    }

    /// Begins to store a response whose body has this many bytes, as far as that is known; `None` if it
    /// does not fit. What was stored under its name is gone.
    pub fn begin(self: &Arc<Cache>, draft: Draft, expected: u64) -> Option<Storing> {
        let old = self.store.lock().remove(&draft.key);
        // Its room is free for this one, unless somebody is being served from it.
        drop(old);
        if draft.head_size() > self.settings.max_object {
            return None;
        }
        let room = Room { used: self.used.clone(), blocks: 0 };
        let mut storing = Storing {
            cache: self.clone(),
            draft,
            expected: usize::try_from(expected).unwrap_or(usize::MAX),
            body: Vec::new(),
            trailers: Vec::new(),
            trailers_size: 0,
            room,
        };
        storing.make_room(0).then_some(storing)
    }

    /// Enlarges `room` to so many blocks; entries that were used longest ago and are not being sent go.
    /// False when even that does not help.
    fn enlarge(&self, room: &mut Room, blocks: u64) -> bool {
        let Some(more) = blocks.checked_sub(room.blocks).filter(|more| *more > 0) else {
            return true;
        };
        let mut store = self.store.lock();
        // Whoever takes room holds the lock; others can only give some back meanwhile.
        while self.used.load(Relaxed) + more > self.settings.blocks {
            if !store.evict() {
                return false;
            }
        }
        self.used.fetch_add(more, Relaxed);
        room.blocks = blocks;
        true
    }

    /// Tells what is stored, from a place in the store on; gives the place to go on from, `None` at the end.
    /// The lock is held for a few entries at a time.
    pub fn show(&self, from: usize, out: &mut Vec<Shown>) -> Option<usize> {
        self.store.lock().show(from, out)
    }

    /// Blocks that what comes could have: those that are free, and those of entries that nobody is being
    /// served from.
    pub fn available(&self, entries: &[Shown]) -> u64 {
        let idle: u64 = entries.iter().filter(|e| e.users == 0).map(|e| e.blocks).sum();
        (self.settings.blocks + idle).saturating_sub(self.used.load(Relaxed))
    }
}

/// A response that is coming in. Dropped before `finish`, it leaves nothing behind.
#[derive(Debug)]
pub struct Storing {
    cache: Arc<Cache>,
    draft: Draft,
    expected: usize,
    body: Vec<u8>,
    trailers: Vec<u8>,
    trailers_size: u64,
    room: Room,
}

impl Storing {
    /// Adds to the body; false when it does not fit any more.
    pub fn data(&mut self, data: &[u8]) -> bool {
        let length = self.body.len() + data.len();
        if self.draft.size(length as u64, 0) > self.cache.settings.max_object {
            return false;
        }
        if length > self.body.capacity() {
            let capacity = self.capacity_for(length);
            if !self.make_room(capacity) {
                return false;
            }
            self.body.reserve_exact(capacity - self.body.len());
        }
        self.body.extend_from_slice(data);
        true
    }

    /// The memory to take for a body of at least this length: what is known of it, or some more.
    fn capacity_for(&self, length: usize) -> usize {
        if length <= self.expected {
            return self.expected;
        }
        let most = usize::try_from(self.cache.settings.max_object).unwrap_or(usize::MAX);
        (length + length / 4).min(most).max(length)
    }

    /// Adds a trailer, as a line without its end; false when it does not fit any more.
    pub fn trailer(&mut self, line: &[u8]) -> bool {
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        self.trailers_size += PART + (name.len() + value.len()) as u64;
        if self.size() > self.cache.settings.max_object {
            return false;
        }
        self.trailers.extend_from_slice(&name.to_ascii_lowercase());
        self.trailers.extend_from_slice(b": ");
        self.trailers.extend_from_slice(value);
        self.trailers.extend_from_slice(b"\r\n");
        self.make_room(self.body.capacity())
    }

    fn size(&self) -> u64 {
        self.draft.size(self.body.len() as u64, self.trailers_size)
    }

    fn make_room(&mut self, body: usize) -> bool {
        let trailers = self.trailers.capacity() as u64;
        let blocks = self.draft.blocks(body as u64, trailers.max(self.trailers_size));
        self.cache.enlarge(&mut self.room, blocks)
    }

    /// The response is complete: it can be served from now on.
    pub fn finish(self) {
        let size = self.size();
        if size > self.cache.settings.max_object {
            return;
        }
        let Storing { cache, draft, body, trailers, mut room, trailers_size, expected: _ } = self;
        let (body, trailers) = (body.into_boxed_slice(), trailers.into_boxed_slice());
        let kept = (trailers.len() as u64).max(trailers_size);
        let blocks = draft.blocks(body.len() as u64, kept).min(room.blocks);
        room.used.fetch_sub(room.blocks - blocks, Relaxed);
        room.blocks = blocks;
        let hash = hash(&draft.key);
        let entry = Arc::new(Entry { draft, body, trailers, hash, size, room });
        let _old = cache.store.lock().insert(entry);
    }
}

#[cfg(test)]
mod tests;
