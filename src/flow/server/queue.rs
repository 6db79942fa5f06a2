//! Requests that wait for a server's free slot (manual 5.2 "maxconn"). A freed slot wakes the head of
//! the queue on whichever thread it waits.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A queue: of a server, or of a backend when any server will do.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Mutex<VecDeque<oneshot::Sender<usize>>>,
}

impl Queue {
    /// Joins the end of the queue. The receiver gets the index of the server whose slot was freed.
    pub fn join(&self) -> oneshot::Receiver<usize> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().push_back(sender);
        receiver
    }

    /// Gives a slot of a server to the first request that still waits; says whether there was one.
    pub fn give(&self, server: usize) -> bool {
        loop {
            let Some(first) = self.waiting.lock().pop_front() else { return false };
            if first.send(server).is_ok() {
                return true;
            }
        }
    }

    /// Sends everyone who waits here to the end of another queue; says how many.
    pub fn move_to(&self, other: &Queue) -> u32 {
        let mut moved = std::mem::take(&mut *self.waiting.lock());
        moved.retain(|waiting| !waiting.is_closed());
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
