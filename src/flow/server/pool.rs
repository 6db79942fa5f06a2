//! Idle connections to a server, kept for the next request (manual 4.2 "http-reuse", 5.2
//! "pool-max-conn"). Each thread has its own; one that has none takes another's.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::flow::transport::socket::Socket;
use crate::state::clock::Moment;

/// A connection that waits for its next request.
#[derive(Debug)]
struct Idle {
    socket: Socket,
    since: Moment,
    /// It has served more than one request: a first request may risk it (`http-reuse aggressive`).
    proven: bool,
}

/// Idle connections of one server.
#[derive(Debug, Default)]
pub struct ServerPool {
    threads: Box<[Mutex<Vec<Idle>>]>,
    count: AtomicU32,
    /// Connections in use, the most of them since the last purge, and how many are expected to be
    /// needed: what goes beyond is not worth keeping.
    used: AtomicU32,
    most_used: AtomicU32,
    expected: AtomicU32,
}

impl ServerPool {
    /// An empty pool for this many threads.
    pub fn new(threads: usize) -> ServerPool {
        let threads = (0..threads).map(|_| Mutex::default()).collect();
        ServerPool { threads, ..ServerPool::default() }
    }

    /// How many connections are idle.
    pub fn idle(&self) -> u32 {
        self.count.load(Relaxed)
    }

    /// How many connections are in use.
    pub fn used(&self) -> u32 {
        self.used.load(Relaxed)
    }

    /// How many connections are expected to be needed at once.
    pub fn expected(&self) -> u32 {
        self.expected.load(Relaxed)
    }

    /// One more connection is in use.
    pub fn begin_use(&self) {
        let used = self.used.fetch_add(1, Relaxed) + 1;
        if self.most_used.load(Relaxed) < used {
            self.most_used.fetch_max(used, Relaxed);
            self.expected.fetch_max(used, Relaxed);
        }
    }

    /// A connection's use is over.
    pub fn end_use(&self) {
        self.used.fetch_sub(1, Relaxed);
    }

    /// Forgets half of the need that the last period did not show.
    pub fn estimate(&self) {
        let most = self.most_used.swap(self.used(), Relaxed);
        let expected = self.expected();
        self.expected.store(most.max(expected.midpoint(most)), Relaxed);
    }

    /// How many connections each thread holds.
    pub fn idle_by_thread(&self) -> Vec<usize> {
        self.threads.iter().map(|list| list.lock().len()).collect()
    }

    /// How many idle connections have served one request only, and how many have served several.
    pub fn idle_by_proof(&self) -> (u32, u32) {
        let lists = self.threads.iter().map(Mutex::lock);
        lists.fold((0, 0), |(new, proven), list| {
            let count = list.iter().filter(|idle| idle.proven).count();
            (new + (list.len() - count) as u32, proven + count as u32)
        })
    }

    /// Takes a living connection for this thread, its own first; `proven_only` when the request could
    /// not be repeated. Other threads' are taken while there are `least` of them together.
    pub fn take(&self, thread: usize, proven_only: bool, least: u32) -> Option<Socket> {
        if self.idle() == 0 {
            return None;
        }
        if let Some(socket) = self.take_from(thread, proven_only) {
            return Some(socket);
        }
        if self.idle() < least {
            return None;
        }
        let others = (0..self.threads.len()).filter(|t| *t != thread);
        others.into_iter().find_map(|other| {
            let socket = self.take_from(other, proven_only)?;
            socket.leave_thread();
            Some(socket)
        })
    }

    fn take_from(&self, thread: usize, proven_only: bool) -> Option<Socket> {
        let mut list = self.threads.get(thread)?.lock();
        loop {
            let at = list.iter().rposition(|idle| idle.proven || !proven_only)?;
            let idle = list.swap_remove(at);
            self.count.fetch_sub(1, Relaxed);
            if idle.socket.is_silent() {
                return Some(idle.socket);
            }
        }
    }

    /// Keeps a connection (still counted as in use), unless there are `limit` already or more than
    /// will be needed.
    pub fn put(&self, thread: usize, socket: Socket, proven: bool, limit: Option<u32>) {
        let too_many = limit.is_some_and(|limit| self.idle() >= limit)
            || self.idle() + self.used() > self.expected();
        if too_many || !socket.is_silent() {
            // No TIME_WAIT for a port that the next connection may need.
            socket.reset_on_close();
            return;
        }
        if let Some(list) = self.threads.get(thread) {
            self.count.fetch_add(1, Relaxed);
            list.lock().push(Idle { socket, since: Moment::now(), proven });
        }
    }

    /// Closes what the server has closed, and half of what has been idle since before `limit`.
    pub fn purge(&self, thread: usize, limit: Moment) {
        let Some(list) = self.threads.get(thread) else { return };
        let mut list = list.lock();
        let before = list.len();
        list.retain(|idle| idle.socket.is_silent());
        let old = list.iter().filter(|idle| idle.since < limit).count().div_ceil(2);
        let old = old.min(list.len());
        list.drain(..old);
        self.count.fetch_sub((before - list.len()) as u32, Relaxed);
    }

    /// Closes all of them: the server went down or moved.
    pub fn clear(&self) {
        for list in &self.threads {
            let idle = std::mem::take(&mut *list.lock());
            self.count.fetch_sub(idle.len() as u32, Relaxed);
        }
    }
}
