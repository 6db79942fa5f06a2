//! The entries of a stick table, shared by all threads: in come keys, out come entries. Many small
//! locks; a look-up takes one of them for a moment.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::data::Datum;

/// One key and what is stored for it.
#[derive(Debug)]
pub struct Entry {
    key: Box<[u8]>,
    /// Last use, in microseconds on the process's clock: fine enough to tell which of two was first.
    touched: AtomicU64,
    /// How many sessions and streams track it; it is not removed while they do.
    trackers: AtomicU32,
    /// No longer in the table.
    gone: AtomicBool,
    /// One datum for each stored type, in the table's order.
    pub(super) data: Mutex<Box<[Datum]>>,
}

impl Entry {
    /// The key's bytes, as the table's type lays them out.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Sessions and streams that track it.
    pub fn trackers(&self) -> u32 {
        self.trackers.load(Relaxed)
    }

    /// Last use, in microseconds on the process's clock.
    pub fn touched(&self) -> u64 {
        self.touched.load(Relaxed)
    }

    pub(super) fn touch(&self, now: u64) {
        self.touched.store(now, Relaxed);
    }

    pub(super) fn track(&self) {
        self.trackers.fetch_add(1, Relaxed);
    }

    pub(super) fn untrack(&self) {
        self.trackers.fetch_sub(1, Relaxed);
    }

    /// Whether its time is over; never while it is tracked.
    fn is_expired(&self, now: u64, lifetime: Option<u64>) -> bool {
        let over = lifetime.is_some_and(|us| self.touched() + us <= now);
        over && self.trackers() == 0
    }
}

/// An entry in a set, found by its key.
#[derive(Debug)]
struct Held(Arc<Entry>);

impl Borrow<[u8]> for Held {
    fn borrow(&self) -> &[u8] {
        &self.0.key
    }
}

impl Hash for Held {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Held) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Held {}

#[derive(Debug, Default)]
struct Shard {
    entries: HashSet<Held>,
    /// Entries by the time at which they were queued and a serial number; brought up to date when they
    /// reach the front, so that using an entry costs no queue operation.
    queue: BTreeMap<(u64, u64), Arc<Entry>>,
    serial: u64,
}

impl Shard {
    /// Brings the front of the queue up to date; gives the time of the longest unused entry.
    fn oldest(&mut self) -> Option<u64> {
        loop {
            let front = self.queue.first_entry()?;
            let queued = front.key().0;
            let touched = front.get().touched();
            let gone = front.get().gone.load(Relaxed);
            if !gone && touched <= queued {
                return Some(touched);
            }
            let entry = front.remove();
            if !gone {
                self.enqueue(touched, entry);
            }
        }
    }

    fn enqueue(&mut self, touched: u64, entry: Arc<Entry>) {
        self.serial += 1;
        self.queue.insert((touched, self.serial), entry);
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        let Some(Held(entry)) = self.entries.take(key) else { return false };
        entry.gone.store(true, Relaxed);
        if self.queue.len() > 2 * self.entries.len() + 64 {
            self.queue.retain(|_, entry| !entry.gone.load(Relaxed));
        }
        true
    }
}

const SHARDS: usize = 16;

/// The entries of one table.
#[derive(Debug, Default)]
pub struct Store {
    shards: [Mutex<Shard>; SHARDS],
    used: AtomicU64,
}

/// What a store is told about its table's limits: they may change at a reload, the store stays.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most entries.
    pub size: u64,
    /// Microseconds after its last use until an entry is removed; `None` for never.
    pub lifetime: Option<u64>,
    /// When full, new entries are refused instead of old ones removed.
    pub nopurge: bool,
}

impl Store {
    fn shard(&self, key: &[u8]) -> &Mutex<Shard> {
        let fold = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        let hash = key.iter().fold(0x811c_9dc5, fold);
        // The low bits select one of SHARDS; the constant index cannot miss.
        &self.shards[(hash ^ (hash >> 16)) as usize % SHARDS]
    }

    /// How many entries there are.
    pub fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// The entry of this key, unless its time is over.
    pub fn find(&self, key: &[u8], now: u64, limits: Limits) -> Option<Arc<Entry>> {
        let shard = self.shard(key).lock();
        let found = shard.entries.get(key).map(|held| &held.0);
        found.filter(|entry| !entry.is_expired(now, limits.lifetime)).cloned()
    }

    /// The entry of this key, a new one if there is none; `None` when the table is full.
    pub fn find_or_add(
        &self,
        key: &[u8],
        now: u64,
        limits: Limits,
        empty: impl FnOnce() -> Box<[Datum]>,
    ) -> Option<Arc<Entry>> {
        if let Some(entry) = self.find(key, now, limits) {
            return Some(entry);
        }
        if self.used() >= limits.size && (limits.nopurge || !self.make_room(limits)) {
            return None;
        }
        let mut shard = self.shard(key).lock();
        if let Some(Held(entry)) = shard.entries.get(key) {
            if !entry.is_expired(now, limits.lifetime) {
                return Some(entry.clone());
            }
            self.used.fetch_sub(u64::from(shard.remove(key)), Relaxed);
        }
        let entry = Arc::new(Entry {
            key: key.into(),
            touched: AtomicU64::new(now),
            trackers: AtomicU32::new(0),
            gone: AtomicBool::new(false),
            data: Mutex::new(empty()),
        });
        shard.entries.insert(Held(entry.clone()));
        shard.enqueue(now, entry.clone());
        self.used.fetch_add(1, Relaxed);
        Some(entry)
    }

    /// Removes the longest unused entries, 1 in 256 of the table's size and at least one; says whether
    /// there is room now.
    fn make_room(&self, limits: Limits) -> bool {
        for _ in 0..=limits.size / 256 {
            let mut oldest: Vec<_> = self
                .shards
                .iter()
                .filter_map(|shard| Some((shard.lock().oldest()?, shard)))
                .collect();
            oldest.sort_by_key(|(time, _)| *time);
            if !oldest.iter().any(|(_, shard)| self.remove_oldest(&mut shard.lock())) {
                break;
            }
        }
        self.used() < limits.size
    }

    /// Removes the longest unused entry of a shard that nobody tracks; says whether there was one.
    fn remove_oldest(&self, shard: &mut Shard) -> bool {
        let free = |entry: &&Arc<Entry>| entry.trackers() == 0 && !entry.gone.load(Relaxed);
        let Some(entry) = shard.queue.values().find(free).cloned() else { return false };
        let removed = shard.remove(entry.key());
        self.used.fetch_sub(u64::from(removed), Relaxed);
        removed
    }

    /// Removes the entries whose time is over, at most `most` of each shard; says whether some may be
    /// left.
    pub fn expire(&self, now: u64, lifetime: u64, most: usize) -> bool {
        let mut more = false;
        for shard in &self.shards {
            let mut shard = shard.lock();
            let mut left = most;
            while shard.oldest().is_some_and(|touched| touched + lifetime <= now) {
                if left == 0 {
                    more = true;
                    break;
                }
                left -= 1;
                let Some((_, entry)) = shard.queue.pop_first() else { break };
                if entry.trackers() > 0 {
                    // In use: looked at again a lifetime later.
                    entry.touch(now);
                    shard.enqueue(now, entry);
                    continue;
                }
                let removed = shard.remove(entry.key());
                self.used.fetch_sub(u64::from(removed), Relaxed);
            }
        }
        more
    }

    /// Removes an entry; `Some(false)` when it is tracked and stays, `None` when there is none.
    pub fn remove(&self, key: &[u8]) -> Option<bool> {
        let mut shard = self.shard(key).lock();
        let tracked = shard.entries.get(key)?.0.trackers() > 0;
        if !tracked {
            self.used.fetch_sub(u64::from(shard.remove(key)), Relaxed);
        }
        Some(!tracked)
    }

    /// All entries, ordered by their keys' bytes.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        let mut list = Vec::with_capacity(usize::try_from(self.used()).unwrap_or(0));
        for shard in &self.shards {
            list.extend(shard.lock().entries.iter().map(|held| held.0.clone()));
        }
        list.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_LIMIT: Limits = Limits { size: 1_000, lifetime: Some(100), nopurge: false };

    fn add(store: &Store, key: &[u8], now: u64, limits: Limits) -> Option<Arc<Entry>> {
        store.find_or_add(key, now, limits, || Box::new([]))
    }

    #[test]
    fn an_entry_lives_for_its_time_after_the_last_use() {
        let store = Store::default();
        let entry = add(&store, b"a", 0, NO_LIMIT).unwrap();
        entry.touch(50);
        assert!(store.find(b"a", 149, NO_LIMIT).is_some());
        assert!(store.find(b"a", 150, NO_LIMIT).is_none());
        store.expire(149, 100, 10);
        assert_eq!(store.used(), 1);
        store.expire(150, 100, 10);
        assert_eq!(store.used(), 0);
    }

    #[test]
    fn a_tracked_entry_stays() {
        let store = Store::default();
        let entry = add(&store, b"a", 0, NO_LIMIT).unwrap();
        entry.track();
        store.expire(1_000, 100, 10);
        assert_eq!((store.used(), store.remove(b"a")), (1, Some(false)));
        entry.untrack();
        assert_eq!((store.remove(b"a"), store.used()), (Some(true), 0));
        assert_eq!(store.remove(b"a"), None);
    }

    #[test]
    fn a_full_table_forgets_what_was_not_used_longest() {
        let store = Store::default();
        let limits = Limits { size: 3, ..NO_LIMIT };
        for (at, key) in [b"a", b"b", b"c"].iter().enumerate() {
            add(&store, *key, at as u64, limits).unwrap();
        }
        store.find(b"a", 10, limits).unwrap().touch(10);
        assert!(add(&store, b"d", 11, limits).is_some());
        let keys: Vec<_> = store.all().iter().map(|e| e.key().to_vec()).collect();
        assert_eq!(keys, [b"a", b"c", b"d"]);
    }

    #[test]
    fn with_nopurge_a_full_table_refuses() {
        let store = Store::default();
        let limits = Limits { size: 1, nopurge: true, ..NO_LIMIT };
        assert!(add(&store, b"a", 0, limits).is_some());
        assert!(add(&store, b"b", 0, limits).is_none());
        assert!(add(&store, b"a", 0, limits).is_some());
    }

    #[test]
    fn a_table_whose_entries_are_all_tracked_refuses() {
        let store = Store::default();
        let limits = Limits { size: 1, ..NO_LIMIT };
        add(&store, b"a", 0, limits).unwrap().track();
        assert!(add(&store, b"b", 0, limits).is_none());
    }
}
