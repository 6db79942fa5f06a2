//! The life of a connection: `run` names every phase on a line of its own.

pub mod outcome;
pub mod timeouts;

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::flow::http::message::Message;
use crate::flow::listener::bind::Listener;
use crate::flow::log::LogLevel;
use crate::flow::phase::Phase;
use crate::flow::rules::track::Trackers;
use crate::flow::threads::Thread;
use crate::sample::SampleContext;
use crate::state::clock::Moment;
use crate::state::world::{Proxy, Server, World};
use outcome::Outcome;

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
    /// The client; rules may change it.
    pub source: Address,
    /// Where the client connected to.
    pub destination: Address,
    /// When it was accepted.
    pub accepted: Moment,
    /// Time that handshakes (PROXY protocol, TLS) took.
    pub handshake: Duration,
    /// Number of the session in this process (`show sess`, unique ids).
    pub number: u64,
    /// Requests so far.
    pub requests: Cell<u32>,
    /// What `tcp-request connection` and `session` rules track.
    pub tracked: Trackers,
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
    /// The request line as received, for logs.
    pub request_line: Vec<u8>,
    /// Points in time.
    pub times: Times,
    /// How it ended.
    pub outcome: Outcome,
    /// The status that the client was sent; 0 for none.
    pub status: u16,
    /// Bytes received from the client.
    pub bytes_in: u64,
    /// Bytes sent to the client.
    pub bytes_out: u64,
    /// Connection attempts repeated.
    pub retries: u32,
    /// Whether the server was changed after a failed attempt.
    pub redispatched: bool,
    /// Requests before this one in the server's and in the backend's queue.
    pub queue_position: (u32, u32),
    /// Where the address the proxy connects from and to are kept, once connected.
    pub server_source: Option<Address>,
    /// The number of this request within the process.
    pub number: u64,
    /// What answered instead of a server, as `%s` names it (`<STATS>`).
    pub applet: Option<&'static str>,
    /// The unique id, empty without `unique-id-format`.
    pub unique_id: Vec<u8>,
    /// What `set-log-level` said.
    pub log_level: LogLevel,
    /// Whether the log line was written already (`option logasap`).
    pub logged: Cell<bool>,
    /// Values that rules captured, by slot: request and response.
    pub captures: RefCell<(Vec<Option<Vec<u8>>>, Vec<Option<Vec<u8>>>)>,
    /// What `content` and `http` rules track.
    pub tracked: Trackers,
}

impl<'s> Stream<'s> {
    /// The proxy that accepted it.
    pub fn frontend(&self) -> Option<&Proxy> {
        self.world.proxies.get(self.frontend)
    }

    /// The proxy that serves it, once chosen.
    pub fn backend(&self) -> Option<&Proxy> {
        self.world.proxies.get(self.backend?)
    }

    /// The server it was given to, once chosen.
    pub fn server(&self) -> Option<&Server> {
        self.backend()?.servers().get(self.server?)
    }

    /// What fetches may look at, at a checkpoint.
    pub fn sample_context(&self, phase: Phase) -> SampleContext<'_> {
        SampleContext {
            session: self.session,
            stream: Some(self),
            phase,
            occurrence: Cell::new(SampleContext::LAST),
            more: Cell::new(false),
        }
    }
}
