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

    /// Whether nobody waits; requests that gave up may still be counted.
    pub fn is_empty(&self) -> bool {
        self.waiting.lock().is_empty()
    }
}
