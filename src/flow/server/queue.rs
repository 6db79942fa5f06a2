//! Requests that wait for a server's free slot (manual 5.2 "maxconn"). A freed slot wakes the head of
//! the queue on whichever thread it waits: the lowest class first, then who waits longest, as
//! `set-priority-class` and `set-priority-offset` say.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::flow::rules::priority::Priority;
use crate::state::clock;

/// A place in a queue: class, then milliseconds, then who came first.
type Place = (i32, i64, u64);

/// A queue: of a server, or of a backend when any server will do.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Mutex<BTreeMap<Place, oneshot::Sender<usize>>>,
}

/// Numbers those who join any queue.
static ARRIVALS: AtomicU64 = AtomicU64::new(0);

impl Queue {
    /// Joins the queue. The receiver gets the index of the server whose slot was freed.
    pub fn join(&self, priority: Priority) -> oneshot::Receiver<usize> {
        let (sender, receiver) = oneshot::channel();
        let now = i64::try_from(clock::now_ms()).unwrap_or(i64::MAX);
        let at = now.saturating_add(i64::from(priority.offset));
        let place = (priority.class, at, ARRIVALS.fetch_add(1, Relaxed));
        self.waiting.lock().insert(place, sender);
        receiver
    }

    /// Gives a slot of a server to the first request that still waits; says whether there was one.
    pub fn give(&self, server: usize) -> bool {
        loop {
            let Some((_, first)) = self.waiting.lock().pop_first() else { return false };
            if first.send(server).is_ok() {
                return true;
            }
        }
    }

    /// Whether its first one comes before the other queue's.
    pub fn comes_before(&self, other: &Queue) -> bool {
        let first = |queue: &Queue| queue.waiting.lock().keys().next().copied();
        match (first(self), first(other)) {
            (Some(own), Some(others)) => own <= others,
            (own, _) => own.is_some(),
        }
    }

    /// Sends everyone who waits here to another queue; says how many.
    pub fn move_to(&self, other: &Queue) -> u32 {
        let mut moved = std::mem::take(&mut *self.waiting.lock());
        moved.retain(|_, waiting| !waiting.is_closed());
        let count = moved.len() as u32;
        other.waiting.lock().append(&mut moved);
        count
    }

    /// Tells everyone who waits that no server can come.
    pub fn give_up(&self) {
        self.waiting.lock().clear();
    }

    /// Whether nobody waits; requests that gave up may still be counted.
    pub fn is_empty(&self) -> bool {
        self.waiting.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_come_before_times() {
        let queue = Queue::default();
        let places = [(0, 0), (0, -10_000), (-1, 5_000), (1, -500_000)];
        let mut waiting = places.map(|(class, offset)| queue.join(Priority { class, offset }));
        let mut order = Vec::new();
        while queue.give(order.len()) {
            order.push(waiting.iter_mut().position(|w| w.try_recv() == Ok(order.len())));
        }
        assert_eq!(order, [Some(2), Some(1), Some(0), Some(3)]);
    }

    #[test]
    fn the_queue_of_who_comes_first() {
        let (one, other) = (Queue::default(), Queue::default());
        assert!(!one.comes_before(&other));
        let _first = other.join(Priority::default());
        assert!(!one.comes_before(&other));
        let _second = one.join(Priority { class: -1, offset: 0 });
        assert!(one.comes_before(&other));
        assert!(!other.comes_before(&one));
    }
}
