//! Which sockets are ready: one epoll set a thread, of our own, inside the runtime's. In come sockets that
//! had nothing to read or no room to write, out come wake-ups.
//!
//! The runtime's registration costs two system calls a connection and three hundred bytes at rest. Here
//! a socket is registered when it first has to wait, which a short connection never does, and closing it
//! is all that takes it out again.

use std::cell::RefCell;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use parking_lot::{Mutex, RwLock};

use crate::sys;

/// Where a socket is registered: a thread's set, and the place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    home: u32,
    place: u32,
}

/// A way to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// For something to read, or the end of it.
    Read,
    /// For room to write.
    Write,
}

/// What is known of a socket's directions before it is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// There may be something to read.
    pub read: bool,
    /// There may be room to write.
    pub write: bool,
}

impl Ready {
    /// Of one direction.
    pub fn of(self, interest: Interest) -> bool {
        match interest {
            Interest::Read => self.read,
            Interest::Write => self.write,
        }
    }

    /// The same, with one direction known not to be ready.
    pub fn without(self, interest: Interest) -> Ready {
        match interest {
            Interest::Read => Ready { read: false, ..self },
            Interest::Write => Ready { write: false, ..self },
        }
    }
}

/// One registered socket.
#[derive(Debug)]
struct Slot {
    /// Events of a socket that had this place before are told by another number.
    generation: u32,
    ready: Ready,
    /// The other side has ended, or the connection is broken: reading says so at once, every time.
    ended: bool,
    /// The system tells of room to write: asked for by the first that has to wait for it.
    watches_room: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A thread's registered sockets.
struct Set {
    home: u32,
    epoll: Arc<Epoll>,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

thread_local! {
    static SET: RefCell<Option<Set>> = const { RefCell::new(None) };
}

/// What other threads may touch of a set.
struct Home {
    epoll: Arc<Epoll>,
    /// Places of sockets that were closed on other threads.
    orphans: Mutex<Vec<u32>>,
}

/// All sets that were ever made, one a thread.
static HOMES: RwLock<Vec<Home>> = RwLock::new(Vec::new());

/// Events taken from the system at a time.
const EVENTS: usize = 256;

/// Makes this thread's set and wakes those whose sockets became ready, until it is dropped. Call inside a
/// runtime.
///
/// # Errors
/// The system gives no epoll instance.
pub async fn drive() -> io::Result<()> {
    let watch = {
        let set = Set::new()?;
        let watch = sys::watch_readable(Arc::new(set.epoll.0.try_clone()?))?;
        SET.set(Some(set));
        watch
    };
    let mut events = vec![EpollEvent::empty(); EVENTS];
    let mut wakers = Vec::new();
    loop {
        let mut guard = watch.readable().await?;
        let count = dispatch(&mut events, &mut wakers)?;
        if count < events.len() {
            guard.clear_ready();
        }
        wakers.drain(..).for_each(Waker::wake);
    }
}

/// Takes events from the system; gives their number and whom to wake.
fn dispatch(events: &mut [EpollEvent], wakers: &mut Vec<Waker>) -> io::Result<usize> {
    SET.with_borrow_mut(|set| {
        let Some(set) = set else { return Ok(0) };
        set.free_orphans();
        let count = set.epoll.wait(events, EpollTimeout::ZERO)?;
        for event in events.iter().take(count) {
            set.note(event, wakers);
        }
        Ok(count)
    })
}

impl Set {
    fn new() -> io::Result<Set> {
        let epoll = Arc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        let mut homes = HOMES.write();
        homes.push(Home { epoll: epoll.clone(), orphans: Mutex::default() });
        let home = homes.len() as u32 - 1;
        Ok(Set { home, epoll, slots: Vec::new(), free: Vec::new() })
    }

    fn note(&mut self, event: &EpollEvent, wakers: &mut Vec<Waker>) {
        let (place, generation) = (event.data() as u32, (event.data() >> 32) as u32);
        let Some(slot) = self.slots.get_mut(place as usize) else { return };
        if slot.generation != generation {
            return;
        }
        let flags = event.events();
        let broken = flags.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        let ended = broken || flags.contains(EpollFlags::EPOLLRDHUP);
        slot.ended |= ended;
        if ended || flags.contains(EpollFlags::EPOLLIN) {
            slot.ready.read = true;
            wakers.extend(slot.reader.take());
        }
        if broken || flags.contains(EpollFlags::EPOLLOUT) {
            slot.ready.write = true;
            wakers.extend(slot.writer.take());
        }
    }

    fn register(&mut self, fd: BorrowedFd<'_>, ready: Ready) -> io::Result<Registration> {
        let place = self.free.pop().unwrap_or(self.slots.len() as u32);
        let slot = Slot {
            generation: 0,
            ready,
            ended: false,
            watches_room: !ready.write,
            reader: None,
            writer: None,
        };
        let generation = match self.slots.get_mut(place as usize) {
            Some(before) => {
                *before = Slot { generation: before.generation, ..slot };
                before.generation
            }
            None => {
                self.slots.push(slot);
                0
            }
        };
        match self.epoll.add(fd, wanted(place, generation, !ready.write)) {
            Ok(()) => Ok(Registration { home: self.home, place }),
            Err(error) => {
                self.release(place);
                Err(error.into())
            }
        }
    }

    fn release(&mut self, place: u32) -> Option<(Option<Waker>, Option<Waker>)> {
        let slot = self.slots.get_mut(place as usize)?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(place);
        Some((slot.reader.take(), slot.writer.take()))
    }

    fn free_orphans(&mut self) {
        let homes = HOMES.read();
        let Some(home) = homes.get(self.home as usize) else { return };
        for place in std::mem::take(&mut *home.orphans.lock()) {
            // A closed socket's task is gone: nobody is left to be woken.
            self.release(place);
        }
    }
}

/// The events of a place: room to write is left out where there is some, as it would be told at once.
fn wanted(place: u32, generation: u32, room: bool) -> EpollEvent {
    let mut flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
    flags.set(EpollFlags::EPOLLOUT, room);
    EpollEvent::new(flags, u64::from(place) | u64::from(generation) << 32)
}

/// Registers a socket with this thread.
///
/// # Errors
/// The system's, `NotConnected` on a thread that no `drive` serves.
pub fn register(fd: BorrowedFd<'_>, ready: Ready) -> io::Result<Registration> {
    SET.with_borrow_mut(|set| match set {
        Some(set) => set.register(fd, ready),
        None => Err(io::ErrorKind::NotConnected.into()),
    })
}

/// Takes an open socket out, so that another thread can have it.
pub fn forget(registration: Registration, fd: BorrowedFd<'_>) {
    let sets = HOMES.read();
    if let Some(home) = sets.get(registration.home as usize) {
        // It was registered there, or is closed and gone from there already.
        let _ = home.epoll.delete(fd);
    }
    drop(sets);
    registration.release();
}

impl Registration {
    /// Ready when the socket may be; otherwise its task is woken when it is.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub fn poll_ready(
        self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let waiting = self.with_slot(|slot| {
            if slot.ready.of(interest) {
                return None;
            }
            let waker = match interest {
                Interest::Read => &mut slot.reader,
                Interest::Write => &mut slot.writer,
            };
            match waker {
                Some(waker) if waker.will_wake(cx.waker()) => Some(None),
                // What was there before is dropped outside, where it may do what it likes.
                waker => Some(waker.replace(cx.waker().clone())),
            }
        });
        if waiting.flatten().is_none() {
            return Poll::Ready(Ok(()));
        }
        if interest == Interest::Write {
            self.watch_room(fd)?;
        }
        Poll::Pending
    }

    fn watch_room(self, fd: BorrowedFd<'_>) -> io::Result<()> {
        SET.with_borrow_mut(|set| {
            let Some(set) = set.as_mut().filter(|set| set.home == self.home) else { return Ok(()) };
            let Some(slot) = set.slots.get_mut(self.place as usize) else { return Ok(()) };
            if !std::mem::replace(&mut slot.watches_room, true) {
                let mut event = wanted(self.place, slot.generation, true);
                set.epoll.modify(fd, &mut event)?;
            }
            Ok(())
        })
    }

    /// Whether something may be read, if this thread knows.
    pub fn is_readable(self) -> Option<bool> {
        self.with_slot(|slot| slot.ready.read)
    }

    /// The system had nothing more to read, or no room to write.
    pub fn clear(self, interest: Interest) {
        self.with_slot(|slot| {
            slot.ready = slot.ready.without(interest);
            slot.ready.read |= slot.ended;
        });
    }

    /// The socket is about to be closed, or leaves this thread.
    pub fn release(self) {
        let wakers = SET.try_with(|set| {
            let mut set = set.try_borrow_mut().ok()?;
            let set = set.as_mut().filter(|set| set.home == self.home)?;
            Some(set.release(self.place))
        });
        if matches!(wakers, Ok(Some(_))) {
            return;
        }
        if let Some(home) = HOMES.read().get(self.home as usize) {
            home.orphans.lock().push(self.place);
        }
    }

    fn with_slot<R>(self, look: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        SET.with_borrow_mut(|set| {
            let set = set.as_mut().filter(|set| set.home == self.home)?;
            set.slots.get_mut(self.place as usize).map(look)
        })
    }
}
