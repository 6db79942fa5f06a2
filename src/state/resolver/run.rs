//! The sockets and the clock of the `resolvers` sections (manual 5.3): on the first thread, each section
//! of the running configuration has a task. One socket a name server, connected to it, so that nobody
//! else can answer.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::resolution::{Effect, Ended};
use super::section::Nameserver;
use super::{Resolvers, servers};
use crate::flow::threads::Thread;
use crate::state::clock;

/// The task of a section; ends with this value.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Resolves names for the running configuration, whichever that is, until the thread ends.
pub async fn run(thread: Rc<Thread>) {
    let mut swapped = thread.shared.swapped();
    let mut tasks: HashMap<*const Resolvers, Running> = HashMap::new();
    loop {
        let world = thread.world();
        let wanted = |at: &*const Resolvers| world.resolvers.iter().any(|r| Arc::as_ptr(r) == *at);
        tasks.retain(|at, _| wanted(at));
        for section in &world.resolvers {
            servers::follow(&world, section);
            tasks.entry(Arc::as_ptr(section)).or_insert_with(|| {
                let serve = serve(thread.clone(), section.clone());
                Running(tokio::task::spawn_local(serve))
            });
        }
        drop(world);
        if swapped.changed().await.is_err() {
            return;
        }
    }
}

/// What wakes a section's task.
enum Event {
    /// Something is due, or a name is new.
    Due,
    /// A name server has sent so many bytes.
    Received { server: usize, length: usize },
}

/// The task of one section.
async fn serve(thread: Rc<Thread>, section: Arc<Resolvers>) {
    let mut sockets = Sockets::new(&section);
    // One byte more than is taken shows what is too long.
    let mut bytes = vec![0; usize::from(section.spec.settings.payload) + 1];
    loop {
        let effects = {
            let mut resolutions = section.resolutions.lock();
            resolutions.tick(clock::now_ms())
        };
        for effect in effects {
            perform(&thread, &section, &mut sockets, effect);
        }
        let rest = section.resolutions.lock().rest(clock::now_ms());
        let event = tokio::select! {
            () = sleep(rest) => Event::Due,
            () = section.wake.notified() => Event::Due,
            (server, length) = sockets.receive(&mut bytes) => Event::Received { server, length },
        };
        let Event::Received { server, length } = event else { continue };
        let answer = bytes.get(..length).unwrap_or_default();
        let from = (server, sockets.count());
        let (kind, effect) = section.resolutions.lock().receive(from, answer, clock::now_ms());
        if let Some(nameserver) = section.nameservers.get(server) {
            nameserver.counters.count(kind);
        }
        if let Some(effect) = effect {
            perform(&thread, &section, &mut sockets, effect);
        }
    }
}

fn perform(thread: &Thread, section: &Resolvers, sockets: &mut Sockets, effect: Effect) {
    match effect {
        Effect::Send(bytes) => sockets.send(section, &bytes),
        Effect::Ended(ended) => servers::tell(&thread.world(), section, &ended),
    }
}

async fn sleep(rest: Option<Duration>) {
    match rest {
        Some(rest) => tokio::time::sleep(rest).await,
        None => std::future::pending().await,
    }
}

/// A socket for each name server; `None` as long as there is none.
struct Sockets(Vec<Option<UdpSocket>>);

impl Sockets {
    fn new(section: &Resolvers) -> Sockets {
        Sockets(section.nameservers.iter().map(|n| connect(n).ok()).collect())
    }

    /// How many name servers can be asked.
    fn count(&self) -> usize {
        self.0.iter().flatten().count()
    }

    fn send(&mut self, section: &Resolvers, bytes: &[u8]) {
        for (socket, nameserver) in self.0.iter_mut().zip(&section.nameservers) {
            if socket.is_none() {
                *socket = connect(nameserver).ok();
            }
            let Some(socket) = socket else { continue };
            // Not asked whether it is ready: that is not known of a socket that is new.
            match SockRef::from(&*socket).send(bytes) {
                Ok(_) => nameserver.counters.sent.inc(),
                // It is asked again after `timeout retry`.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => nameserver.counters.snd_error.inc(),
            }
        }
    }

    /// Waits for a message: the place of the name server, and how long it is.
    async fn receive(&self, bytes: &mut [u8]) -> (usize, usize) {
        poll_fn(|cx| self.poll_receive(cx, bytes)).await
    }

    fn poll_receive(&self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<(usize, usize)> {
        for (server, socket) in self.0.iter().enumerate() {
            let Some(socket) = socket else { continue };
            // An error, such as a refused port, ends nothing: the next message may come all the same.
            for _ in 0..ERRORS_AT_ONCE {
                let mut buffer = ReadBuf::new(bytes);
                match socket.poll_recv(cx, &mut buffer) {
                    Poll::Ready(Ok(())) => return Poll::Ready((server, buffer.filled().len())),
                    Poll::Ready(Err(_)) => {}
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }
}

/// How many errors of a socket are taken in a row: there is one for each message that was sent.
const ERRORS_AT_ONCE: usize = 1_000;

/// Opens the socket to one name server, from a port that the system chooses.
fn connect(nameserver: &Nameserver) -> io::Result<UdpSocket> {
    let any: SocketAddr = match nameserver.address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.connect(nameserver.address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

impl Ended {
    /// The name server that answered.
    pub fn nameserver<'r>(&self, section: &'r Resolvers) -> Option<&'r Nameserver> {
        section.nameservers.get(self.by?)
    }
}
