//! Bounds and order of a cache, without a connection.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::flow::http::message::Version;

fn cache(blocks: u64, max_object: u64) -> Arc<Cache> {
    Cache::adopt("c", CacheSettings { blocks, max_object, max_age: 60 }, None)
}

fn draft(name: &str) -> Draft {
    let mut head = Message::default();
    head.set_status_line(Version::HTTP_11, 200, b"OK");
    head.add(b"content-length", b"5");
    Draft {
        key: key(Some(b"h"), name.as_bytes()),
        head: head.compacted(),
        delimited: Delimited::Length,
        age: 0,
        received: 100,
        expires: 200,
        last_modified: 100,
    }
}

/// Stores a body of this length; says whether it was stored.
fn store(cache: &Arc<Cache>, name: &str, length: usize) -> bool {
    let Some(mut storing) = cache.begin(draft(name), length as u64) else { return false };
    let piece = [b'x'; 700];
    let mut left = length;
    while left > 0 {
        let count = left.min(piece.len());
        if !storing.data(&piece[..count]) {
            return false;
        }
        left -= count;
    }
    storing.finish();
    cache.find(&key(Some(b"h"), name.as_bytes()), 150).is_some()
}

fn has(cache: &Cache, name: &str) -> bool {
    let mut shown = Vec::new();
    let mut from = Some(0);
    while let Some(at) = from {
        from = cache.show(at, &mut shown);
    }
    let wanted = hash(&key(Some(b"h"), name.as_bytes()));
    shown.iter().any(|entry| entry.hash == wanted)
}

fn used(cache: &Cache) -> u64 {
    cache.used.load(Relaxed)
}

/// Bytes of memory that the entries have, counted one by one.
fn memory(entries: &[Arc<Entry>]) -> usize {
    let of = |e: &Arc<Entry>| {
        size_of::<Entry>()
            + e.draft.key.len()
            + e.draft.head.memory()
            + e.body.len()
            + e.trailers.len()
    };
    entries.iter().map(of).sum()
}

#[test]
fn the_hash_and_the_size_are_haproxys() {
    // Told by 2.3.0 for `GET /a?x=1` with `Host: h` and a body of five bytes.
    let cache = cache(64, 65_536);
    assert!(store(&cache, "/a?x=1", 5));
    let mut shown = Vec::new();
    assert_eq!(cache.show(0, &mut shown), None);
    let [entry] = shown[..] else { panic!("{shown:?}") };
    assert_eq!((entry.size, entry.blocks, entry.users, entry.expires), (175, 1, 0, 200));
    assert_eq!(entry.hash, 3_794_706_557);
    assert_ne!(key(Some(b"h/a"), b"/b"), key(Some(b"h"), b"/a/b"));
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let cache = cache(4, 2048);
    for name in ["/1", "/2", "/3", "/4"] {
        assert!(store(&cache, name, 5));
    }
    assert_eq!(used(&cache), 4);
    assert!(cache.find(&key(Some(b"h"), b"/1"), 150).is_some());
    assert!(store(&cache, "/5", 5));
    assert!(has(&cache, "/1") && !has(&cache, "/2") && has(&cache, "/3"));
    assert!(store(&cache, "/6", 1500));
    assert!(!has(&cache, "/3") && !has(&cache, "/4") && has(&cache, "/1") && has(&cache, "/5"));
    assert_eq!(used(&cache), 4);
}

#[test]
fn what_is_being_sent_stays_and_counts_until_it_is_sent() {
    let cache = cache(2, 1024);
    assert!(store(&cache, "/1", 5) && store(&cache, "/2", 5));
    let first = cache.find(&key(Some(b"h"), b"/1"), 150);
    let second = cache.find(&key(Some(b"h"), b"/2"), 150);
    assert!(!store(&cache, "/3", 5), "all of it is in use");
    drop(second);
    assert!(store(&cache, "/3", 5));
    assert!(has(&cache, "/1") && !has(&cache, "/2"));
    // Replaced, but its memory is still there.
    assert!(store(&cache, "/1", 5));
    assert!(!has(&cache, "/3"));
    assert_eq!(used(&cache), 2);
    drop(first);
    assert_eq!(used(&cache), 1);
}

#[test]
fn what_is_too_large_or_breaks_off_leaves_nothing() {
    let cache = cache(64, 2048);
    assert!(store(&cache, "/1", 5));
    assert!(!store(&cache, "/large", 4000));
    assert!(has(&cache, "/1"));
    let mut broken = cache.begin(draft("/1"), 100).unwrap();
    assert!(broken.data(b"abc"));
    assert!(!has(&cache, "/1"), "what is fetched anew is not served meanwhile");
    drop(broken);
    assert_eq!(used(&cache), 0);
}

#[test]
fn an_entry_is_served_until_it_expires() {
    let cache = cache(64, 2048);
    assert!(store(&cache, "/1", 5));
    assert!(cache.find(&key(Some(b"h"), b"/1"), 199).is_some());
    assert!(cache.find(&key(Some(b"h"), b"/1"), 200).is_none());
    assert!(!has(&cache, "/1"));
    assert_eq!(used(&cache), 0);
}

#[test]
fn a_reload_keeps_a_cache_whose_settings_are_the_same() {
    let old = cache(64, 2048);
    assert!(store(&old, "/1", 5));
    assert!(has(&Cache::adopt("c", old.settings, Some(&old)), "/1"));
    let other = CacheSettings { max_age: 61, ..old.settings };
    assert!(!has(&Cache::adopt("c", other, Some(&old)), "/1"));
}

/// A generator of numbers that repeat.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn whatever_happens_the_total_is_kept() {
    for seed in 1..=20 {
        let mut numbers = Numbers(seed);
        let blocks = 8 + numbers.below(60);
        let cache = cache(blocks, blocks * BLOCK / 2);
        let (mut coming, mut sending) = (Vec::new(), Vec::new());
        // Names from the one used longest ago to the latest, as far as nothing was in the way.
        for _ in 0..2_000 {
            let name = format!("/{}", numbers.below(40));
            match numbers.below(7) {
                0 | 1 => drop(store(&cache, &name, numbers.below(20_000) as usize)),
                2 => coming.extend(cache.begin(draft(&name), numbers.below(2_000))),
                3 if !coming.is_empty() => {
                    let at = numbers.below(coming.len() as u64) as usize;
                    if !coming[at].data(&vec![b'y'; numbers.below(3_000) as usize]) {
                        coming.swap_remove(at);
                    }
                }
                4 if !coming.is_empty() => coming.swap_remove(0).finish(),
                5 => sending.extend(cache.find(&key(Some(b"h"), name.as_bytes()), 150)),
                6 if !sending.is_empty() => {
                    sending.swap_remove(numbers.below(sending.len() as u64) as usize);
                }
                _ => coming.truncate(3),
            }
            assert!(used(&cache) <= blocks, "seed {seed}: {} of {blocks}", used(&cache));
            let mut shown = Vec::new();
            cache.show(0, &mut shown);
            let stored: u64 = shown.iter().map(|e| e.blocks).sum();
            assert!(stored <= used(&cache));
            assert!(memory(&sending) as u64 <= blocks * BLOCK * sending.len() as u64);
        }
        drop((coming, sending));
        let mut shown = Vec::new();
        cache.show(0, &mut shown);
        assert_eq!(used(&cache), shown.iter().map(|e| e.blocks).sum::<u64>());
        assert_eq!(cache.available(&shown), blocks);
    }
}

#[test]
fn the_order_of_use_is_kept_whatever_happens() {
    let mut numbers = Numbers(7);
    let cache = cache(10, 1024);
    let mut order: Vec<u64> = Vec::new();
    for _ in 0..5_000 {
        let number = numbers.below(25);
        let name = format!("/{number}");
        let known = order.iter().position(|n| *n == number).map(|at| order.remove(at));
        if numbers.below(2) == 0 {
            assert!(store(&cache, &name, 5));
            order.push(number);
            if order.len() > 10 {
                order.remove(0);
            }
        } else {
            let found = cache.find(&key(Some(b"h"), name.as_bytes()), 150).is_some();
            assert_eq!(found, known.is_some(), "{name} {order:?}");
            order.extend(known);
        }
    }
}

#[test]
fn an_entry_takes_no_more_memory_than_its_blocks() {
    let cache = cache(1 << 14, 1 << 22);
    for length in [0, 1, 700, 800, 900, 1000, 5_000, 100_000, 1_000_000] {
        assert!(store(&cache, "/x", length));
        let entry = cache.find(&key(Some(b"h"), b"/x"), 150).unwrap();
        assert!(memory(std::slice::from_ref(&entry)) as u64 <= entry.room.blocks * BLOCK);
        assert_eq!(entry.body.len(), length);
    }
}
