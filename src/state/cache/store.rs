//! The entries of a cache by name and in their order of use. In: lookups, new entries. Out: entries; the one
//! used longest ago when room is needed. All of it happens under the cache's lock.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use super::{Entry, Shown};

/// The entries, found by name, in a list from the one used longest ago to the latest.
#[derive(Debug)]
pub struct Store {
    hasher: RandomState,
    /// Slots by name.
    index: HashTable<usize>,
    slots: Vec<Slot>,
    /// Slots without entry.
    free: Vec<usize>,
    /// Neighbours of the list's ends: `next` is the first slot, `previous` the last.
    ends: Links,
}

#[derive(Debug)]
struct Slot {
    entry: Option<Arc<Entry>>,
    hash: u64,
    links: Links,
}

/// Neighbours in the list; `END` where there is none.
#[derive(Debug, Clone, Copy)]
struct Links {
    previous: usize,
    next: usize,
}

const END: usize = usize::MAX;
const NONE: Links = Links { previous: END, next: END };

/// Entries told in one go.
const SHOWN_AT_ONCE: usize = 1024;

impl Default for Store {
    fn default() -> Store {
        Store {
            hasher: RandomState::new(),
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            ends: NONE,
        }
    }
}

impl Store {
    /// The entry of this name if it is still good at `now`, which makes it the latest one; beside it, the
    /// entry that was removed because it is not.
    pub fn find(&mut self, key: &[u8], now: u32) -> (Option<Arc<Entry>>, Option<Arc<Entry>>) {
        let Some(at) = self.slot_of(key) else { return (None, None) };
        let entry = self.slots.get(at).and_then(|slot| slot.entry.clone());
        if entry.as_ref().is_some_and(|entry| entry.draft.expires > now) {
            self.unlink(at);
            self.link_last(at);
            return (entry, None);
        }
        (None, self.take(at))
    }

    /// Adds an entry as the latest one; gives the one that had its name.
    pub fn insert(&mut self, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        let old = self.remove(&entry.draft.key);
        let hash = self.hasher.hash_one(&*entry.draft.key);
        let slot = Slot { entry: Some(entry), hash, links: NONE };
        let at = match self.free.pop() {
            Some(at) => at,
            None => self.slots.len(),
        };
        match self.slots.get_mut(at) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |at| slots.get(*at).map_or(0, |slot| slot.hash));
        self.link_last(at);
        old
    }

    /// Removes the entry of this name.
    pub fn remove(&mut self, key: &[u8]) -> Option<Arc<Entry>> {
        self.slot_of(key).and_then(|at| self.take(at))
    }

    /// Removes the entry used longest ago of those that nobody is being served from; false if there is
    /// none. Those in use become the latest ones.
    pub fn evict(&mut self) -> bool {
        for _ in 0..self.index.len() {
            let at = self.ends.next;
            let busy = |slot: &Slot| slot.entry.as_ref().is_some_and(|e| Arc::strong_count(e) > 1);
            if !self.slots.get(at).is_some_and(busy) {
                return self.take(at).is_some();
            }
            self.unlink(at);
            self.link_last(at);
        }
        false
    }

    /// See [`super::Cache::show`].
    pub fn show(&self, from: usize, out: &mut Vec<Shown>) -> Option<usize> {
        let end = (from + SHOWN_AT_ONCE).min(self.slots.len());
        let slots = self.slots.get(from..end).unwrap_or_default();
        out.extend(slots.iter().filter_map(|slot| slot.entry.as_ref()).map(|entry| Shown {
            address: Arc::as_ptr(entry).addr(),
            hash: entry.hash,
            size: entry.size,
            blocks: entry.room.blocks,
            users: Arc::strong_count(entry) - 1,
            expires: entry.draft.expires,
        }));
        (end < self.slots.len()).then_some(end)
    }

    fn slot_of(&self, key: &[u8]) -> Option<usize> {
        let named = |at: &usize| {
            let slot = self.slots.get(*at).and_then(|slot| slot.entry.as_ref());
            slot.is_some_and(|entry| *entry.draft.key == *key)
        };
        self.index.find(self.hasher.hash_one(key), named).copied()
    }

    /// Takes the entry of a slot out.
    fn take(&mut self, at: usize) -> Option<Arc<Entry>> {
        let slot = self.slots.get_mut(at)?;
        let (entry, hash) = (slot.entry.take()?, slot.hash);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == at) {
            found.remove();
        }
        self.unlink(at);
        self.free.push(at);
        Some(entry)
    }

    fn links(&mut self, at: usize) -> &mut Links {
        match self.slots.get_mut(at) {
            Some(slot) => &mut slot.links,
            None => &mut self.ends,
        }
    }

    fn unlink(&mut self, at: usize) {
        let Links { previous, next } = std::mem::replace(self.links(at), NONE);
        self.links(previous).next = next;
        self.links(next).previous = previous;
    }

    fn link_last(&mut self, at: usize) {
        let last = std::mem::replace(&mut self.ends.previous, at);
        self.links(last).next = at;
        *self.links(at) = Links { previous: last, next: END };
    }
}
