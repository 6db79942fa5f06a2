//! What a ring holds goes to syslog servers over TCP (manual 3.9 "server", RFC 6587). In: the rings of the
//! running configuration. Out: a connection to each server, kept as long as the ring is there.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::address::{AddressSpec, Family, HostSpec, PortsSpec};
use crate::config::outside::Outside;
use crate::flow::log::ring::{Reader, Sink};
use crate::flow::threads::Thread;

/// A `server` of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingServer {
    address: Address,
    /// `log-proto octet-count`: each message has its length in front; otherwise a line end behind.
    octet_count: bool,
    timeouts: Timeouts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Inet(SocketAddr),
    Unix(PathBuf),
}

/// `timeout connect` and `timeout server` of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// How long connecting may take.
    pub connect: Option<Duration>,
    /// How long what was sent may stay unread.
    pub server: Option<Duration>,
}

impl RingServer {
    /// The server at this address; `None` when that is no place to connect to.
    pub fn new(
        address: &AddressSpec,
        octet_count: bool,
        timeouts: Timeouts,
        outside: &mut dyn Outside,
    ) -> Option<RingServer> {
        let address = match address {
            AddressSpec::Unix(path) => Address::Unix(path.clone()),
            AddressSpec::Inet { host, ports } => {
                let port = match ports {
                    PortsSpec::Range(port, _) => *port,
                    _ => 0,
                };
                Address::Inet(SocketAddr::new(ip(host, outside)?, port))
            }
            _ => return None,
        };
        Some(RingServer { address, octet_count, timeouts })
    }

    async fn connect(&self) -> io::Result<Connection> {
        let connecting = async {
            Ok(match &self.address {
                Address::Inet(address) => Connection::Inet(TcpStream::connect(address).await?),
                Address::Unix(path) => Connection::Unix(UnixStream::connect(path).await?),
            })
        };
        within(self.timeouts.connect, connecting).await
    }

    /// Sends what the reader gives until the server closes or takes no more.
    async fn feed(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), reader: &mut Reader) {
        let ring = reader.ring.clone();
        let mut unread = [0; 1024];
        let mut out = Vec::new();
        loop {
            let mut changed = pin!(ring.changed());
            changed.as_mut().enable();
            out.clear();
            while reader.next(|message| self.frame(message, &mut out)) && out.len() < PIECE {}
            if !out.is_empty() {
                if within(self.timeouts.server, stream.write_all(&out)).await.is_err() {
                    return;
                }
                continue;
            }
            tokio::select! {
                () = changed => {}
                // What a syslog server says is of no interest, but its end is.
                read = stream.read(&mut unread) => if !matches!(read, Ok(count) if count > 0) { return },
            }
        }
    }

    fn frame(&self, message: &[u8], out: &mut Vec<u8>) {
        if self.octet_count {
            out.extend_from_slice(itoa::Buffer::new().format(message.len()).as_bytes());
            out.push(b' ');
            out.extend_from_slice(message);
        } else {
            out.extend_from_slice(message);
            out.push(b'\n');
        }
    }
}

/// Bytes that are sent at once, a message more at most.
const PIECE: usize = 16_384;

/// The least time between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

enum Connection {
    Inet(TcpStream),
    Unix(UnixStream),
}

fn ip(host: &HostSpec, outside: &mut dyn Outside) -> Option<IpAddr> {
    let (name, family) = match host {
        // As HAProxy does for servers of rings.
        HostSpec::Literal(ip) if ip.is_unspecified() => return Some(Ipv4Addr::LOCALHOST.into()),
        HostSpec::Literal(ip) => return Some(*ip),
        HostSpec::Name(name, family) => (name, family),
    };
    let fits = |ip: &IpAddr| match family {
        None => true,
        Some(Family::V4) => ip.is_ipv4(),
        Some(Family::V6) => ip.is_ipv6(),
    };
    outside.resolve(name).ok()?.into_iter().find(fits)
}

async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match limit {
        Some(limit) => timeout(limit, work).await?,
        None => work.await,
    }
}

/// Feeds the servers of all rings until the process stops; a ring that a reload keeps keeps its
/// connections.
pub async fn run(thread: Rc<Thread>) {
    let mut tasks: HashMap<usize, (Arc<Sink>, Vec<JoinHandle<()>>)> = HashMap::new();
    let mut swapped = thread.shared.swapped();
    loop {
        swapped.borrow_and_update();
        let world = thread.world();
        let key = |sink: &Arc<Sink>| Arc::as_ptr(sink).addr();
        tasks.retain(|old, (_, tasks)| {
            let kept = world.sinks.iter().any(|sink| key(sink) == *old);
            if !kept {
                tasks.iter().for_each(JoinHandle::abort);
            }
            kept
        });
        for sink in world.sinks.iter().filter(|sink| !sink.servers.is_empty()) {
            tasks.entry(key(sink)).or_insert_with(|| (sink.clone(), start(sink)));
        }
        drop(world);
        if swapped.changed().await.is_err() {
            return;
        }
    }
}

fn start(sink: &Arc<Sink>) -> Vec<JoinHandle<()>> {
    let numbers = 0..sink.servers.len();
    numbers.map(|number| spawn_local(serve(sink.clone(), number))).collect()
}

/// Feeds one server, again and again.
async fn serve(sink: Arc<Sink>, number: usize) {
    let Some(server) = sink.servers.get(number) else { return };
    // What a ring holds is kept for a server only once there was a connection to it.
    let mut reader: Option<Reader> = None;
    loop {
        let begun = Instant::now();
        if let Ok(mut connection) = server.connect().await {
            if reader.is_none() {
                reader = sink.reader(false);
            }
            let Some(reader) = &mut reader else { return };
            match &mut connection {
                Connection::Inet(stream) => server.feed(stream, reader).await,
                Connection::Unix(stream) => server.feed(stream, reader).await,
            }
        }
        sleep_until(begun + PAUSE).await;
    }
}
