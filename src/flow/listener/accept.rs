//! Accepting connections: each listening socket belongs to one thread, which may hand a connection
//! to a less loaded one. Limits (`maxconn` of the process, the frontend, the listener) pause
//! accepting; connections then wait in the kernel's queue.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nix::errno::Errno;
use tokio::io::unix::AsyncFd;
use tokio::task::{JoinHandle, coop};

use crate::flow::listener::bind::Listener;
use crate::flow::listener::rate;
use crate::flow::session::{self, Address, Admission};
use crate::flow::threads::Thread;
use crate::flow::transport::socket::Socket;
use crate::state::clock::Moment;
use crate::state::world::World;
use crate::sys;

/// A connection that was just accepted, not tied to a thread yet.
#[derive(Debug)]
pub struct Accepted {
    /// The socket.
    pub socket: Socket,
    /// The client.
    pub source: Address,
    /// Its place within the limits.
    pub admission: Admission,
    /// When.
    pub moment: Moment,
}

/// The listening sockets that a thread accepts from.
#[derive(Debug, Default)]
pub struct Acceptors {
    tasks: Vec<Acceptor>,
}

#[derive(Debug)]
struct Acceptor {
    socket: Arc<OwnedFd>,
    listening: Rc<AsyncFd<Arc<OwnedFd>>>,
    listener: Rc<std::cell::RefCell<Arc<Listener>>>,
    task: JoinHandle<()>,
}

impl Acceptors {
    /// Accepts from this thread's share of the present `World`'s sockets: one that was there before is
    /// never closed in between.
    pub fn follow(&mut self, thread: &Rc<Thread>) {
        let mut before = std::mem::take(&mut self.tasks);
        if thread.stopping.get() {
            before.iter().for_each(|a| a.task.abort());
            return;
        }
        for (socket, listener) in share(&thread.world(), thread) {
            match before.iter().position(|a| Arc::ptr_eq(&a.socket, &socket)) {
                Some(at) => {
                    let acceptor = before.swap_remove(at);
                    *acceptor.listener.borrow_mut() = listener;
                    self.tasks.push(acceptor);
                }
                None => self.tasks.extend(Acceptor::start(thread, socket, listener)),
            }
        }
        before.iter().for_each(|a| a.task.abort());
    }

    /// Accepts what the kernel holds already, then no more: streams that go on would keep the sockets
    /// open otherwise, and a successor beside this process is to get every new connection.
    pub fn close(&mut self, thread: &Rc<Thread>) {
        for acceptor in self.tasks.drain(..) {
            acceptor.task.abort();
            acceptor.accept_waiting(thread);
            for fd in [acceptor.socket.as_fd(), acceptor.listening.get_ref().as_fd()] {
                if let Err(error) = sys::close_shared(fd) {
                    tracing::error!(%error, "cannot close a listening socket");
                }
            }
        }
    }
}

/// The sockets of the `World` that belong to this thread: each socket to one, in turn.
fn share(world: &World, thread: &Thread) -> Vec<(Arc<OwnedFd>, Arc<Listener>)> {
    let threads = thread.shared.threads();
    world
        .proxies
        .iter()
        .filter_map(|p| p.frontend.as_ref())
        .flat_map(|f| f.sockets.iter().zip(&f.listeners).map(move |pair| (f, pair)))
        .filter_map(|(f, (bound, listener))| {
            Some((f, bound.as_ref()?.socket.clone(), listener.clone()))
        })
        .enumerate()
        .filter(|(index, _)| index % threads == thread.index)
        .filter(|(_, (f, ..))| !f.state.paused.load(Relaxed) && !f.state.stopped.load(Relaxed))
        .map(|(_, (_, socket, listener))| (socket, listener))
        .collect()
}

impl Acceptor {
    fn start(
        thread: &Rc<Thread>,
        socket: Arc<OwnedFd>,
        listener: Arc<Listener>,
    ) -> Option<Acceptor> {
        let listening = match open(&socket) {
            Ok(listening) => listening,
            Err(error) => {
                tracing::error!(listener = %listener.name, %error, "cannot accept from a listening socket");
                return None;
            }
        };
        let listening = Rc::new(listening);
        let listener = Rc::new(std::cell::RefCell::new(listener));
        let task = accept(thread.clone(), listening.clone(), listener.clone());
        Some(Acceptor { socket, listening, listener, task: tokio::task::spawn_local(task) })
    }

    /// Serves connections that were made before the end and wait to be accepted.
    fn accept_waiting(&self, thread: &Rc<Thread>) {
        while let Ok((accepted, source)) = accept_one(&self.socket) {
            place(thread, accepted, source, self.listener.borrow().clone());
        }
    }
}

/// Takes one connection that waits to be accepted.
fn accept_one(socket: &OwnedFd) -> io::Result<(Socket, Address)> {
    let (accepted, from) = sys::accept(socket.as_fd())?;
    let source = match from.as_socket() {
        Some(address) => Address::Inet(address),
        None => Address::Unix(from.as_pathname().map(Into::into).unwrap_or_default()),
    };
    Ok((Socket::accepted(accepted), source))
}

fn poll_accept(
    listening: &AsyncFd<Arc<OwnedFd>>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<(Socket, Address)>> {
    // However many come, those that are served already have their turn.
    let turn = ready!(coop::poll_proceed(cx));
    loop {
        let mut guard = ready!(listening.poll_read_ready(cx))?;
        match accept_one(listening.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
            result => {
                turn.made_progress();
                return Poll::Ready(result);
            }
        }
    }
}

/// A descriptor of the listening socket that this thread watches.
fn open(socket: &OwnedFd) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    let socket = socket2::Socket::from(socket.try_clone()?);
    socket.set_nonblocking(true)?;
    if !socket.local_addr()?.is_unix() {
        // Accepted sockets inherit it: a system call less for each.
        socket.set_tcp_nodelay(true)?;
    }
    sys::watch_readable(Arc::new(socket.into()))
}

/// Pause after an error that is not the connection's: descriptors or memory ran out.
const PAUSE: Duration = Duration::from_millis(100);

async fn accept(
    thread: Rc<Thread>,
    listening: Rc<AsyncFd<Arc<OwnedFd>>>,
    listener: Rc<std::cell::RefCell<Arc<Listener>>>,
) {
    loop {
        wait_for_room(&thread, &listener).await;
        let Some(accepted) = poll_fn(|cx| {
            // Accepting may have been paused while this waited for a connection.
            if !has_room(&thread, &listener.borrow()) {
                return Poll::Ready(None);
            }
            poll_accept(&listening, cx).map(Some)
        })
        .await
        else {
            continue;
        };
        match accepted {
            Ok((socket, source)) => {
                let listener = listener.borrow().clone();
                place(&thread, socket, source, listener);
            }
            Err(e) if is_connections_own(&e) => {}
            Err(error) => {
                tell_exhausted(&thread.world(), &listener.borrow(), &error);
                let room = thread.shared.room.notified();
                thread.shared.waiting_for_room.fetch_add(1, Relaxed);
                // Whichever comes first: a connection ends, or the pause.
                let _ = tokio::time::timeout(PAUSE, room).await;
                thread.shared.waiting_for_room.fetch_sub(1, Relaxed);
            }
        }
    }
}

/// Says what ran out.
fn tell_exhausted(world: &World, listener: &Listener, error: &io::Error) {
    let (what, advice) = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE) => ("process FD", "Please check 'ulimit-n' and restart."),
        Some(Errno::ENFILE) => ("system FD", "Please check system tunables."),
        Some(Errno::ENOBUFS | Errno::ENOMEM) => ("system memory", "Please check system tunables."),
        _ => {
            tracing::warn!(%error, "accepting pauses");
            return;
        }
    };
    let (name, maxsock) = (&listener.proxy_name, world.global.maxsock);
    let text = format!("Proxy {name} reached {what} limit (maxsock={maxsock}). {advice}");
    if let Some(proxy) = world.proxies.get(listener.proxy) {
        proxy.log.event(EMERGENCY, &text);
    }
}

/// Syslog's number.
const EMERGENCY: u8 = 0;

/// Whether an error concerns only the connection that was about to be accepted.
fn is_connections_own(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Waits while a limit is reached.
async fn wait_for_room(thread: &Thread, listener: &std::cell::RefCell<Arc<Listener>>) {
    while !has_room(thread, &listener.borrow()) {
        let shared = &thread.shared;
        let rest = too_fast(thread, &listener.borrow());
        if let Some(time) = rest {
            // Whichever comes first: the time is over, or a limit is changed.
            let _ = tokio::time::timeout(time, shared.room.notified()).await;
            continue;
        }
        shared.waiting_for_room.fetch_add(1, Relaxed);
        let room = shared.room.notified();
        if !has_room(thread, &listener.borrow()) {
            room.await;
        }
        shared.waiting_for_room.fetch_sub(1, Relaxed);
    }
}

/// How long a limit of rates keeps this listener from accepting.
fn too_fast(thread: &Thread, listener: &Listener) -> Option<Duration> {
    let world = thread.world();
    let frontend = world.proxies.get(listener.proxy).and_then(|p| p.frontend.as_ref())?;
    rate::pause(&thread.shared.counters, &frontend.state)
}

fn has_room(thread: &Thread, listener: &Listener) -> bool {
    let world = thread.world();
    let limit = match thread.shared.counters.maxconn.load(Relaxed) {
        0 => world.global.maxconn,
        set => set,
    };
    let below = |now: u32, limit: u32| limit == 0 || now < limit;
    let frontend = world.proxies.get(listener.proxy).and_then(|p| p.frontend.as_ref());
    below(thread.shared.counters.connections.get(), limit)
        && below(listener.counters.sessions.get(), listener.maxconn)
        && frontend.is_none_or(|f| {
            below(f.state.counters.sessions.get(), f.state.maxconn.load(Relaxed))
                && !f.state.paused.load(Relaxed)
                && !f.state.stopped.load(Relaxed)
                && rate::pause(&thread.shared.counters, &f.state).is_none()
        })
}

/// Serves a connection here, or on a thread that has clearly fewer.
fn place(thread: &Rc<Thread>, socket: Socket, source: Address, listener: Arc<Listener>) {
    let moment = Moment::now();
    let now_ms = moment.ms();
    thread.shared.counters.connection_rate.event(now_ms);
    let chosen = match thread.shared.threads() {
        1 => thread.index,
        // Another thread may have ended already.
        _ if thread.shared.stopping.load(Relaxed) => thread.index,
        _ => thread.shared.least_loaded(thread.index),
    };
    let Some(admission) = Admission::enter(thread, chosen, listener) else { return };
    if chosen == thread.index {
        session::spawn(thread.clone(), socket, source, admission, moment);
        return;
    }
    thread.shared.hand_over(chosen, Accepted { socket, source, admission, moment });
}

/// Serves a connection that another thread has accepted.
pub fn serve(thread: &Rc<Thread>, accepted: Accepted) {
    let Accepted { socket, source, admission, moment } = accepted;
    session::spawn(thread.clone(), socket, source, admission, moment);
}
