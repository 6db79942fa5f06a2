//! The life of a connection: `run` names every phase on a line of its own.

pub mod abort;
pub mod bad_message;
pub mod collect;
pub mod exchange;
pub mod filter;
pub mod forward;
pub mod handshake;
pub mod hit;
pub mod http;
pub mod inspect;
pub mod outcome;
mod reframe;
pub mod registry;
pub mod reply;
pub mod request_body;
pub mod target;
pub mod tcp;
pub mod timeouts;
pub mod trace;
pub mod tunnel;
mod way_back;

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;

use crate::config::outside::{Listen, ListenAddress, ListenOptions};
use crate::config::proxy::Mode;
use crate::flow::http::case::CaseAdjust;
use crate::flow::http::h1::framing::{Body, Framing};
use crate::flow::http::message::Message;
use crate::flow::listener::bind::Listener;
use crate::flow::listener::proxy_protocol::Proxied;
use crate::flow::log::LogLevel;
use crate::flow::phase::Phase;
use crate::flow::response::cache::Cached;
use crate::flow::rules::capture::Values;
use crate::flow::rules::priority::Priority;
use crate::flow::rules::resolve::Resolving;
use crate::flow::rules::track::Trackers;
use crate::flow::server::own_links::OwnLinks;
use crate::flow::server::persist::Persisted;
use crate::flow::threads::{Shared, Thread};
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::Socket;
use crate::flow::transport::timer::Timer;
use crate::sample::SampleContext;
use crate::sample::vars::Variables;
use crate::state::clock::{self, Moment};
use crate::state::world::{FrontendState, Proxy, Server, World};
use filter::Filters;
use inspect::Preread;
use outcome::Outcome;
use registry::{Entry, Registered, Registry};

/// Serves one connection from its accept to its end, as a task of its own.
pub fn spawn(
    thread: Rc<Thread>,
    socket: Socket,
    source: Address,
    admission: Admission,
    accepted: Moment,
) {
    let Some((mut session, mode, guarded)) =
        Session::open(thread, &socket, source, admission, accepted)
    else {
        return;
    };
    let no_linger = session.no_linger();
    let mut client = Client { socket, input: None, timer: Timer::default(), no_linger };
    if guarded {
        drop(tokio::task::spawn_local(async move {
            if Box::pin(handshake::run(&mut session, &mut client)).await {
                session.admit();
                let run: Pin<Box<dyn Future<Output = ()>>> = match mode {
                    Mode::Http => Box::pin(http::run(&session, &mut client)),
                    Mode::Tcp | Mode::Health => Box::pin(tcp::run(&session, &mut client)),
                };
                let mut run = run;
                poll_fn(|cx| clock::standing_still(|| run.as_mut().poll(cx))).await;
                drop(run);
                client.end();
            }
        }));
        return;
    }
    session.admit();
    // What a block captures is kept once; an async function would keep its arguments twice.
    match mode {
        Mode::Http => drop(tokio::task::spawn_local(async move {
            {
                let mut run = pin!(http::run(&session, &mut client));
                poll_fn(|cx| clock::standing_still(|| run.as_mut().poll(cx))).await;
            }
            client.end();
        })),
        Mode::Tcp | Mode::Health => drop(tokio::task::spawn_local(async move {
            {
                let mut run = Box::pin(tcp::run(&session, &mut client));
                poll_fn(|cx| clock::standing_still(|| run.as_mut().poll(cx))).await;
            }
            client.end();
        })),
    }
}

/// The client's side of a connection.
#[derive(Debug)]
pub struct Client {
    /// The socket.
    pub socket: Socket,
    /// What was received and not used yet; no buffer while there is nothing.
    pub input: Option<Buffer>,
    /// The connection's timer.
    pub timer: Timer,
    /// `option nolinger` of its frontend.
    pub no_linger: bool,
}

impl Client {
    /// `option nolinger`: a client that has ended its direction is not waited for.
    fn end(&self) {
        if self.no_linger && self.socket.is_half_closed() {
            self.socket.reset_on_close();
        }
    }
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// IPv4 or IPv6.
    Inet(SocketAddr),
    /// A unix socket's path, empty when it has none.
    Unix(PathBuf),
}

impl Address {
    /// The IP address, if it has one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Address::Inet(address) => Some(address.ip()),
            Address::Unix(_) => None,
        }
    }

    /// The port, if it has one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Address::Inet(address) => Some(address.port()),
            Address::Unix(_) => None,
        }
    }
}

/// A client connection.
#[derive(Debug)]
pub struct Session {
    /// The thread it stays on.
    pub thread: Rc<Thread>,
    /// Where it came in.
    pub listener: Arc<Listener>,
    source: RefCell<Address>,
    /// When it was accepted.
    pub accepted: Moment,
    /// Time that handshakes (PROXY protocol, TLS) took.
    pub handshake: Duration,
    /// What a PROXY protocol header said, if there was one.
    pub proxied: Option<Box<Proxied>>,
    /// Requests so far.
    pub requests: Cell<u32>,
    /// Idle connections to servers that no other client may use.
    pub own_links: OwnLinks,
    /// What `tcp-request connection` and `session` rules track.
    pub tracked: Trackers,
    /// What rules keep.
    pub variables: Variables,
    /// Its place within the limits, until it is dropped.
    admission: Option<Admission>,
    /// What the frontend counts.
    frontend: Arc<FrontendState>,
    /// Its frontend's index, and the `World` it is an index into.
    place: Cell<(u64, usize)>,
    fd: RawFd,
    destination: RefCell<Destination>,
}

/// Where the client connected to, as far as somebody has asked.
#[derive(Debug, Default)]
enum Destination {
    /// Nobody has asked the system yet.
    #[default]
    Unasked,
    Known(Option<Box<Address>>),
}

impl Session {
    /// Counts a new connection, and says what it speaks and whether rules or handshakes stand before it;
    /// `None` when its frontend is gone.
    fn open(
        thread: Rc<Thread>,
        socket: &Socket,
        source: Address,
        admission: Admission,
        accepted: Moment,
    ) -> Option<(Session, Mode, bool)> {
        let world = thread.world();
        let listener = admission.listener.clone();
        let index = find_frontend(&world, &listener)?;
        let proxy = world.proxies.get(index)?;
        let frontend = proxy.frontend.as_ref()?;
        if let Some(tuning) = &frontend.tuning {
            tuning.apply(&SockRef::from(socket));
        }
        let frontend = frontend.state.clone();
        let now_ms = accepted.ms();
        let process = &thread.shared.counters;
        process.connections_total.inc();
        process.session_rate.event(now_ms);
        frontend.counters.connections_total.inc();
        frontend.counters.connection_rate.event(now_ms);
        let session = Session {
            place: Cell::new((world.generation, index)),
            fd: socket.fd(),
            admission: Some(admission),
            thread,
            listener,
            source: RefCell::new(source),
            accepted,
            handshake: Duration::ZERO,
            proxied: None,
            requests: Cell::new(0),
            own_links: OwnLinks::default(),
            frontend,
            destination: RefCell::default(),
            tracked: Trackers::default(),
            variables: Variables::default(),
        };
        let guarded = handshake::is_needed(proxy, &session.listener);
        Some((session, proxy.mode, guarded))
    }

    /// The session of a health check, which has no client.
    pub fn of_check(thread: Rc<Thread>, world: &World, proxy: &Proxy) -> Session {
        let listener = Listener {
            name: String::new(),
            id: 0,
            proxy: proxy.index,
            proxy_name: proxy.name.clone(),
            listen: Listen {
                address: ListenAddress::Inherited(-1),
                options: ListenOptions::default(),
            },
            is_named: false,
            maxconn: 0,
            expected: Default::default(),
            counters: Arc::default(),
        };
        Session {
            thread,
            listener: Arc::new(listener),
            source: RefCell::new(Address::Unix(PathBuf::new())),
            accepted: Moment::now(),
            handshake: Duration::ZERO,
            proxied: None,
            requests: Cell::new(0),
            own_links: OwnLinks::default(),
            tracked: Trackers::default(),
            variables: Variables::default(),
            admission: None,
            frontend: Arc::default(),
            place: Cell::new((world.generation, proxy.index)),
            fd: -1,
            destination: RefCell::new(Destination::Known(None)),
        }
    }

    /// Counts it as a session: the rules and handshakes before it are over.
    fn admit(&self) {
        let counters = &self.frontend.counters;
        counters.sessions_total.inc();
        counters.session_rate.event(self.accepted.ms());
        self.listener.counters.sessions_total.inc();
    }

    /// The client, as the PROXY protocol or rules have it.
    pub fn source(&self) -> Ref<'_, Address> {
        self.source.borrow()
    }

    /// Takes another address for the client's.
    pub fn set_source(&self, address: Address) {
        self.source.replace(address);
    }

    /// Takes another address for the one the client connected to.
    pub fn set_destination(&self, address: Address) {
        self.destination.replace(Destination::Known(Some(Box::new(address))));
    }

    /// The running configuration and the index of this session's frontend in it; `None` when a reload
    /// has removed it.
    pub fn view(&self) -> Option<(Rc<Arc<World>>, usize)> {
        let world = self.thread.world();
        let (generation, index) = self.place.get();
        if generation == world.generation {
            return Some((world, index));
        }
        let index = world.frontend(&self.listener.proxy_name)?.index;
        self.place.set((world.generation, index));
        Some((world, index))
    }

    /// Whether its frontend has `option nolinger`.
    fn no_linger(&self) -> bool {
        let view = self.view();
        view.is_some_and(|(world, at)| world.proxies.get(at).is_some_and(|p| p.options.no_linger))
    }

    /// Where the client connected to.
    pub fn destination(&self) -> Option<Ref<'_, Address>> {
        if matches!(*self.destination.borrow(), Destination::Unasked) {
            let found = local_address(self.fd).map(Box::new);
            self.destination.replace(Destination::Known(found));
        }
        Ref::filter_map(self.destination.borrow(), |destination| match destination {
            Destination::Known(address) => address.as_deref(),
            Destination::Unasked => None,
        })
        .ok()
    }

    /// The client's socket, for questions to the system.
    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// What fetches may look at before there is a stream.
    pub fn sample_context(&self, phase: Phase) -> SampleContext<'_> {
        SampleContext {
            session: self,
            stream: None,
            phase,
            occurrence: Cell::new(SampleContext::LAST),
            more: Cell::new(false),
            changing: Cell::new(false),
        }
    }

    /// What the frontend counts.
    pub fn frontend_state(&self) -> &FrontendState {
        &self.frontend
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.admission.take().is_some() {
            self.thread.connection_ended();
        }
    }
}

/// A connection counted against the limits of the process, its frontend and its listener, from its
/// accept on, whichever thread serves it.
#[derive(Debug)]
pub struct Admission {
    shared: Arc<Shared>,
    frontend: Arc<FrontendState>,
    listener: Arc<Listener>,
    /// The thread that serves it.
    thread: usize,
}

impl Admission {
    /// Counts a connection in; `None` when its frontend is gone.
    pub fn enter(thread: &Thread, chosen: usize, listener: Arc<Listener>) -> Option<Admission> {
        let world = thread.world();
        let frontend = world.proxies.get(find_frontend(&world, &listener)?)?.frontend.as_ref()?;
        let frontend = frontend.state.clone();
        let shared = thread.shared.clone();
        shared.counters.connections.enter();
        frontend.counters.sessions.enter();
        listener.counters.sessions.enter();
        shared.load_begins(chosen);
        Some(Admission { shared, frontend, listener, thread: chosen })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.frontend.counters.sessions.leave();
        self.listener.counters.sessions.leave();
        self.shared.counters.connections.leave();
        self.shared.load_ends(self.thread);
    }
}

fn find_frontend(world: &World, listener: &Listener) -> Option<usize> {
    let same = world.proxies.get(listener.proxy).filter(|p| p.name == listener.proxy_name);
    match same {
        Some(proxy) if proxy.frontend.is_some() => Some(proxy.index),
        _ => world.frontend(&listener.proxy_name).map(|p| p.index),
    }
}

/// `getsockname`.
pub fn local_address(fd: RawFd) -> Option<Address> {
    use nix::sys::socket::{SockaddrLike, SockaddrStorage, getsockname};
    let storage = getsockname::<SockaddrStorage>(fd).ok()?;
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(Address::Inet(SocketAddr::new(v4.ip().into(), v4.port())));
    }
    if let Some(v6) = storage.as_sockaddr_in6() {
        return Some(Address::Inet(SocketAddr::new(v6.ip().into(), v6.port())));
    }
    storage.family()?;
    let path = storage.as_unix_addr()?.path().map(Into::into).unwrap_or_default();
    Some(Address::Unix(path))
}

/// The points in time that the log's timers are computed from (manual 8.4). Each is the duration since
/// `start`; `None` when it was not reached.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Accepted (first request) or end of the previous response.
    pub start: Moment,
    /// First byte of the request (`Ti` ends).
    pub first_byte: Option<Duration>,
    /// End of the request's head (`TR` ends).
    pub request: Option<Duration>,
    /// Left the queue (`Tw` ends).
    pub queued: Option<Duration>,
    /// Connected to the server (`Tc` ends).
    pub connected: Option<Duration>,
    /// End of the response's head (`Tr` ends).
    pub response: Option<Duration>,
    /// All is over (`Ta`, `Tt`).
    pub end: Option<Duration>,
}

impl Times {
    /// Nothing but the start is reached.
    pub fn new(start: Moment) -> Times {
        Times {
            start,
            first_byte: None,
            request: None,
            queued: None,
            connected: None,
            response: None,
            end: None,
        }
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        Moment::now().since(self.start)
    }
}

/// A request in progress, or a TCP connection.
#[derive(Debug)]
pub struct Stream<'s> {
    /// The client's connection.
    pub session: &'s Session,
    /// The configuration it began under.
    pub world: Rc<Arc<World>>,
    /// Index of the frontend in `World::proxies`.
    pub frontend: usize,
    /// Index of the backend, once chosen.
    pub backend: Option<usize>,
    /// Index of the server in the backend, once chosen.
    pub server: Option<usize>,
    /// The request's head; empty in TCP mode.
    pub request: Message,
    /// The response's head; empty until there is one.
    pub response: Message,
    /// Body of a response of our own.
    pub reply_body: Vec<u8>,
    /// What has come of the request's body, where some proxy looks at it.
    pub body: Box<[u8]>,
    /// Whether the body need not be looked at again.
    pub body_complete: bool,
    /// The request line as received, for logs.
    pub request_line: Vec<u8>,
    /// What the request's head says of its body and its connection; nothing is kept before it is read.
    pub framing: Framing,
    /// Bytes that rules look at before they go on; `None` when no rule does.
    pub preread: Option<Box<Preread>>,
    /// The name that a rule waits for.
    pub resolving: Option<Box<Resolving>>,
    /// Points in time.
    pub times: Times,
    /// How it ended.
    pub outcome: Outcome,
    /// The status that the client was sent; 0 for none.
    pub status: u16,
    /// The status of our own answer in logs and counters, where its page may say another; 0 for the page's.
    pub logged_status: u16,
    /// Bytes received from the client.
    pub bytes_in: u64,
    /// Bytes sent to the client.
    pub bytes_out: u64,
    /// Attempts repeated.
    pub retries: u32,
    /// The body as it was sent, all of it, while the request may be sent again (`retry-on`).
    pub kept_body: Option<Box<[u8]>>,
    /// `http-request disable-l7-retry`
    pub retries_disabled: bool,
    /// Whether the server was changed after a failed attempt.
    pub redispatched: bool,
    /// Requests before this one in the server's and in the backend's queue.
    pub queue_position: (u32, u32),
    /// The connection to the server while there is one, and where it comes from once somebody asked.
    server_socket: Cell<Option<RawFd>>,
    server_source: OnceCell<Option<Box<Address>>>,
    /// The number of this request within the process.
    pub number: u64,
    /// Values that rules captured, by slot: request and response.
    pub captures: RefCell<(Values, Values)>,
    /// What `content` and `http` rules track.
    pub tracked: Trackers,
    /// Its place in the list of its thread's streams.
    pub registered: Registered,
    /// What rules keep.
    pub variables: Variables,
    /// What answered instead of a server, as `%s` names it (`<STATS>`).
    pub applet: Option<&'static str>,
    /// The unique id, once somebody asked for it.
    pub unique_id: RefCell<Option<Rc<[u8]>>>,
    /// Responses of status 103 that go to the client first (`http-request early-hint`).
    pub hints: Vec<Message>,
    /// Where the request's target leads (`option http_proxy`).
    pub target: Option<Box<SocketAddr>>,
    /// `strict-mode off`, as long as the rule set runs.
    pub skips_failed_rules: bool,
    /// What `set-log-level` said.
    pub log_level: LogLevel,
    /// What persistence and captured cookies found, `None` where neither is configured.
    pub persisted: Option<Box<Persisted>>,
    /// Where it stands among those that wait for a server.
    pub priority: Priority,
    /// The filters of its proxies, `None` where there are none.
    pub filters: Option<Box<Filters>>,
    /// What caches have to do with it, `None` where no rule has asked.
    pub cached: Option<Box<Cached>>,
    /// Whether the log line was written already (`option logasap`).
    pub logged: Cell<bool>,
}

impl<'s> Stream<'s> {
    /// A stream at its beginning.
    pub fn new(
        session: &'s Session,
        world: Rc<Arc<World>>,
        frontend: usize,
        start: Moment,
    ) -> Stream<'s> {
        let source = session.source().clone();
        let listener = session.listener.id;
        // A check's stream is not counted.
        let number = if session.fd == -1 { 0 } else { session.thread.shared.number() };
        let entry = Entry::new(number, source, listener, world.clone(), frontend, start);
        // A check's stream is nobody's to see.
        let registered = match session.fd {
            -1 => Rc::<Registry>::default().enter(entry),
            _ => session.thread.registry.enter(entry),
        };
        let parts = RECYCLED.with_borrow_mut(Vec::pop).unwrap_or_default();
        Stream {
            session,
            world,
            frontend,
            backend: None,
            server: None,
            request: parts.request,
            response: parts.response,
            reply_body: parts.reply_body,
            body: Box::default(),
            body_complete: false,
            request_line: parts.request_line,
            framing: Framing { body: Body::None, keep_alive: false, upgrade: false },
            preread: None,
            resolving: None,
            times: Times::new(start),
            outcome: Outcome::default(),
            status: 0,
            logged_status: 0,
            bytes_in: 0,
            bytes_out: 0,
            retries: 0,
            kept_body: None,
            retries_disabled: false,
            redispatched: false,
            queue_position: (0, 0),
            server_socket: Cell::new(None),
            server_source: OnceCell::new(),
            number,
            captures: RefCell::default(),
            tracked: Trackers::default(),
            registered,
            variables: Variables::default(),
            applet: None,
            unique_id: RefCell::default(),
            hints: Vec::new(),
            target: None,
            skips_failed_rules: false,
            log_level: LogLevel::Usual,
            persisted: None,
            priority: Priority::default(),
            filters: None,
            cached: None,
            logged: Cell::new(false),
        }
    }

    /// The proxy that accepted it.
    pub fn frontend(&self) -> Option<&Proxy> {
        self.world.proxies.get(self.frontend)
    }

    /// How header names are written to the client, if not all in lower case.
    pub fn client_names(&self) -> Option<&CaseAdjust> {
        self.frontend()?.options.adjust_client.as_deref()
    }

    /// The same for the server.
    pub fn server_names(&self) -> Option<&CaseAdjust> {
        self.backend()?.options.adjust_server.as_deref()
    }

    /// Tells those who look at streams which backend and server it was given to.
    pub fn show_target(&self) {
        self.registered.set_target(self.backend, self.server);
    }

    /// The proxy that serves it, once chosen.
    pub fn backend(&self) -> Option<&Proxy> {
        self.world.proxies.get(self.backend?)
    }

    /// The server it was given to, once chosen.
    pub fn server(&self) -> Option<&Server> {
        self.backend()?.servers().get(self.server?)
    }

    /// A connection to the server begins. Where it comes from is asked for only when somebody wants to
    /// know: the log, which is written when it is over, is asked at once.
    pub fn server_connected(&self, fd: RawFd) {
        self.server_socket.set(Some(fd));
        if self.frontend().is_some_and(|p| p.log.needs_server_source) {
            self.server_source();
        }
    }

    /// The connection to the server is over.
    pub fn server_disconnected(&self) {
        self.server_socket.set(None);
    }

    /// Where the proxy connects from, once connected.
    pub fn server_source(&self) -> Option<&Address> {
        let ask = || local_address(self.server_socket.get()?).map(Box::new);
        self.server_source.get_or_init(ask).as_deref()
    }

    /// What fetches may look at, at a checkpoint.
    pub fn sample_context(&self, phase: Phase) -> SampleContext<'_> {
        SampleContext {
            session: self.session,
            stream: Some(self),
            phase,
            occurrence: Cell::new(SampleContext::LAST),
            more: Cell::new(false),
            changing: Cell::new(false),
        }
    }
}

/// Memory of ended streams, empty but allocated.
#[derive(Debug, Default)]
struct Recycled {
    request: Message,
    response: Message,
    reply_body: Vec<u8>,
    request_line: Vec<u8>,
}

thread_local! {
    static RECYCLED: RefCell<Vec<Recycled>> = const { RefCell::new(Vec::new()) };
}

/// Streams whose memory is kept for the next ones, and how many bytes of each part at most.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 65_536;

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        let mut parts = Recycled {
            request: std::mem::take(&mut self.request),
            response: std::mem::take(&mut self.response),
            reply_body: std::mem::take(&mut self.reply_body),
            request_line: std::mem::take(&mut self.request_line),
        };
        parts.request.clear();
        parts.response.clear();
        parts.reply_body.clear();
        parts.request_line.clear();
        RECYCLED.with_borrow_mut(|kept| {
            if kept.len() < KEPT && parts.reply_body.capacity() <= KEPT_BYTES {
                kept.push(parts);
            }
        });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::flow::threads;

    /// An idle connection from 127.0.0.1:80 to itself.
    pub(crate) fn session() -> Session {
        let address: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let listener = Listener {
            name: "sock-1".into(),
            id: 1,
            proxy: 0,
            proxy_name: "test".into(),
            listen: Listen {
                address: ListenAddress::Tcp(address),
                options: ListenOptions::default(),
            },
            is_named: false,
            maxconn: 0,
            expected: Default::default(),
            counters: Arc::default(),
        };
        Session {
            thread: threads::tests::thread(),
            listener: Arc::new(listener),
            source: RefCell::new(Address::Inet(address)),
            accepted: Moment::now(),
            handshake: Duration::ZERO,
            requests: Cell::new(0),
            own_links: OwnLinks::default(),
            admission: None,
            frontend: Arc::default(),
            place: Cell::new((0, 0)),
            fd: -1,
            destination: RefCell::new(Destination::Known(Some(Box::new(Address::Inet(address))))),
            proxied: None,
            tracked: Trackers::default(),
            variables: Variables::default(),
        }
    }
}
