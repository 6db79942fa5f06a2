//! The streams of a thread, so that people can look at them and end them (management.txt 9.3, "show
//! sess", "shutdown session"). In come streams as they begin, out come summaries. A connection at rest
//! has no stream and is not listed, as in HAProxy.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::flow::session::Address;
use crate::flow::session::outcome::Who;
use crate::state::clock::Moment;
use crate::state::world::{Proxy, Server, World};

/// The streams of one thread.
#[derive(Debug, Default)]
pub struct Registry {
    entries: RefCell<Vec<Option<Rc<Entry>>>>,
    free: RefCell<Vec<usize>>,
}

/// What is told about a stream.
#[derive(Debug)]
pub struct Entry {
    place: usize,
    /// Number of its session.
    pub session: u64,
    /// The client.
    pub source: Address,
    /// The listener's number.
    pub listener: u32,
    /// The configuration it began under.
    pub world: Rc<Arc<World>>,
    /// Index of its frontend.
    pub frontend: usize,
    /// Indices of its backend and server, once chosen.
    target: Cell<(Option<usize>, Option<usize>)>,
    /// When it began.
    pub began: Moment,
    /// Who has ended it.
    killed: Cell<Option<Who>>,
    waker: RefCell<Option<Waker>>,
}

impl Registry {
    /// Lists a stream until what is given back is dropped.
    pub fn enter(self: &Rc<Self>, entry: Entry) -> Registered {
        let mut entries = self.entries.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or(entries.len());
        let entry = Rc::new(Entry { place, ..entry });
        match entries.get_mut(place) {
            Some(slot) => *slot = Some(entry.clone()),
            None => entries.push(Some(entry.clone())),
        }
        Registered { registry: self.clone(), entry }
    }

    /// Every stream at this moment.
    pub fn all(&self) -> Vec<Rc<Entry>> {
        self.entries.borrow().iter().flatten().cloned().collect()
    }

    /// Ends the streams that a server serves (management.txt 9.3, "shutdown sessions server").
    pub fn kill_on_server(&self, backend: &str, server: &str, who: Who) {
        for entry in self.all() {
            let names = entry.backend().zip(entry.server());
            if names.is_some_and(|(p, s)| p.name == backend && s.name == server) {
                entry.kill(who);
            }
        }
    }
}

impl Entry {
    /// A stream that begins.
    pub fn new(
        session: u64,
        source: Address,
        listener: u32,
        world: Rc<Arc<World>>,
        frontend: usize,
        began: Moment,
    ) -> Entry {
        Entry {
            place: 0,
            session,
            source,
            listener,
            world,
            frontend,
            target: Cell::default(),
            began,
            killed: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// Tells which backend and server it was given to.
    pub fn set_target(&self, backend: Option<usize>, server: Option<usize>) {
        self.target.set((backend, server));
    }

    /// Its backend and server, as indices.
    pub fn target(&self) -> (Option<usize>, Option<usize>) {
        self.target.get()
    }

    /// Its backend, once chosen.
    pub fn backend(&self) -> Option<&Proxy> {
        self.world.proxies.get(self.target().0?)
    }

    /// Its server, once chosen.
    pub fn server(&self) -> Option<&Server> {
        self.backend()?.servers().get(self.target().1?)
    }

    /// What HAProxy calls the stream's address: a number that names it while it lives.
    pub fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Who has ended it from outside.
    pub fn killed_by(&self) -> Who {
        self.killed.get().unwrap_or(Who::Killed)
    }

    /// Ends the stream.
    pub fn kill(&self, who: Who) {
        self.killed.set(Some(who));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Does the work until the stream is killed; `None` when it was. It takes the work by reference: a
    /// function that took the future would keep it twice.
    pub async fn unless_killed<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        poll_fn(|cx| {
            if self.killed.get().is_some() {
                return Poll::Ready(None);
            }
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            drop(waker);
            work.as_mut().poll(cx).map(Some)
        })
        .await
    }
}

/// A stream that is listed.
#[derive(Debug)]
pub struct Registered {
    registry: Rc<Registry>,
    entry: Rc<Entry>,
}

impl Registered {
    /// The entry itself, to be held beside the stream.
    pub fn entry(&self) -> Rc<Entry> {
        self.entry.clone()
    }
}

impl Deref for Registered {
    type Target = Entry;
    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(slot) = self.registry.entries.borrow_mut().get_mut(self.entry.place) {
            *slot = None;
        }
        self.registry.free.borrow_mut().push(self.entry.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(session: u64) -> Entry {
        let source = Address::Unix("/s".into());
        Entry::new(session, source, 1, Rc::default(), 0, Moment::now())
    }

    #[test]
    fn streams_are_listed_while_they_live() {
        let registry: Rc<Registry> = Rc::default();
        let first = registry.enter(entry(1));
        let second = registry.enter(entry(2));
        drop(first);
        let third = registry.enter(entry(3));
        let numbers: Vec<_> = registry.all().iter().map(|e| e.session).collect();
        assert_eq!(numbers, [3, 2]);
        drop((second, third));
        assert!(registry.all().is_empty());
    }
}
