//! `log-forward`: log messages of others are taken and sent on (manual 3.10). In: datagrams and streams of
//! messages. Out: each message to every target, in its own format or the target's.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, UdpSocket, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{sleep, timeout};

use crate::catalog::{self, Keyword, Part, Status};
use crate::config::address::{Accepts, AddressSpec, PortsSpec};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::config::outside::{Bound, ListenAddress, ListenOptions};
use crate::config::section::Sections;
use crate::config::spec::NamedSection;
use crate::control::cli::spec::CliBindSpec;
use crate::flow::listener::bind::BindSpec;
use crate::flow::listener::proxy_protocol::Expected;
use crate::flow::log::message::{Frame, Message, next_frame};
use crate::flow::log::syslog::Target;
use crate::flow::log::target::Header;
use crate::flow::threads::Thread;

/// A section that runs.
#[derive(Debug)]
pub struct Forwarder {
    targets: Vec<ForwardTarget>,
    sockets: Vec<Socket>,
    /// Connections at once.
    maxconn: usize,
    /// How long a client may be silent.
    client_timeout: Option<Duration>,
}

/// Where messages go.
#[derive(Debug)]
struct ForwardTarget {
    target: Target,
    /// `None` to keep a message's own.
    format: Option<Header>,
}

#[derive(Debug)]
struct Socket {
    address: ListenAddress,
    /// `None` when only checking a configuration.
    bound: Option<Bound>,
}

/// The default of `maxconn`.
const MAXCONN: usize = 10;

impl Forwarder {
    /// Opens the sockets and targets of every section.
    pub fn compile_all(compiler: &mut Compiler<'_>) -> Vec<Arc<Forwarder>> {
        let sections = compiler.spec.sections.iter();
        sections
            .filter(|section| section.section == Sections::LOG_FORWARD)
            .map(|section| Arc::new(Forwarder::compile(section, compiler)))
            .collect()
    }

    fn compile(section: &NamedSection, compiler: &mut Compiler<'_>) -> Forwarder {
        let owner = format!("log-forward '{}' ", section.name);
        let opened = |spec: &super::target::TargetSpec| {
            let target = super::open(spec, &owner, compiler)?;
            Some(ForwardTarget { target, format: spec.header })
        };
        let targets = section.proxy.log.targets.iter().filter_map(opened).collect();
        let (mut maxconn, mut client_timeout, mut backlog) = (MAXCONN, None, None);
        for (_, words) in &section.lines {
            let texts: Vec<_> = words.iter().map(|word| word.str()).collect();
            let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
            match texts.as_slice() {
                ["maxconn", number, ..] => {
                    maxconn = usize::try_from(parse_lenient(number.as_bytes())).unwrap_or(0);
                }
                ["backlog", number, ..] => {
                    backlog = u32::try_from(parse_lenient(number.as_bytes())).ok();
                }
                ["timeout", "client", time, ..] => {
                    client_timeout = parse_time(time.as_bytes(), TimeUnit::Milliseconds).ok();
                }
                _ => {}
            }
        }
        let mut sockets = Vec::new();
        for bind in &section.proxy.binds {
            let mut bind = bind.clone();
            bind.options.backlog = bind.options.backlog.or(backlog);
            sockets.extend(open_sockets(&bind, &section.name, compiler));
        }
        Forwarder { targets, sockets, maxconn, client_timeout }
    }

    /// Whether it takes messages at all.
    pub fn listens(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// Sends a message on; gives how many targets lost it.
    fn send(&self, bytes: &[u8]) -> u64 {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        let message = Message::parse(bytes);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let takes = |t: &&ForwardTarget| t.target.takes(message.level().unwrap_or(0));
        let sent = |t: &ForwardTarget| {
            LINE.with_borrow_mut(|line| t.target.forward(&message, t.format, now, line))
        };
        let lost =
            self.targets.iter().filter(takes).filter(|t| {
                sent(t).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
            });
        lost.count() as u64
    }
}

fn open_sockets(bind: &BindSpec, name: &str, compiler: &mut Compiler<'_>) -> Vec<Socket> {
    let listens = match bind.listens() {
        Ok(listens) => listens,
        Err(diagnostic) => {
            compiler.diagnostics.push(diagnostic);
            return Vec::new();
        }
    };
    let mut sockets = Vec::new();
    for listen in listens {
        let bound = match compiler.purpose.bind.then(|| compiler.outside.bind(&listen)) {
            Some(Err(error)) => {
                let text = format!("Starting frontend {name}: {error}");
                compiler.diagnostics.push(Diagnostic::alert(None, text));
                None
            }
            Some(Ok(bound)) => Some(bound),
            None => None,
        };
        sockets.push(Socket { address: listen.address, bound });
    }
    sockets
}

/// Takes messages for every section of the running configuration until the process stops. Connections outlive
/// reloads, with the targets they began with.
pub async fn run(thread: Rc<Thread>) {
    let mut swapped = thread.shared.swapped();
    loop {
        swapped.borrow_and_update();
        let mut tasks = Vec::new();
        for forwarder in &thread.world().forwarders {
            let places = Arc::new(Semaphore::new(forwarder.maxconn));
            for socket in &forwarder.sockets {
                let Some(bound) = &socket.bound else { continue };
                let Ok(fd) = bound.socket.try_clone() else { continue };
                let receiver = Receiver { thread: thread.clone(), forwarder: forwarder.clone() };
                tasks.extend(receiver.start(fd, &socket.address, places.clone()));
            }
        }
        let changed = swapped.changed().await;
        tasks.iter().for_each(JoinHandle::abort);
        if changed.is_err() {
            return;
        }
    }
}

#[derive(Clone)]
struct Receiver {
    thread: Rc<Thread>,
    forwarder: Arc<Forwarder>,
}

/// How long nothing is accepted when descriptors or memory have run out.
const PAUSE: Duration = Duration::from_millis(100);

impl Receiver {
    fn start(
        self,
        fd: OwnedFd,
        address: &ListenAddress,
        places: Arc<Semaphore>,
    ) -> Option<JoinHandle<()>> {
        crate::sys::set_nonblocking(std::os::fd::AsFd::as_fd(&fd)).ok()?;
        match address {
            ListenAddress::Udp(_) => {
                let socket = UdpSocket::from_std(std::net::UdpSocket::from(fd)).ok()?;
                Some(spawn_local(self.datagrams(socket)))
            }
            ListenAddress::Unix(_) | ListenAddress::Abstract(_) => {
                let listener = std::os::unix::net::UnixListener::from(fd);
                let listener = UnixListener::from_std(listener).ok()?;
                Some(spawn_local(async move {
                    while let Some(place) = place(&places).await {
                        match listener.accept().await {
                            Ok((stream, _)) => self.serve(stream, place),
                            Err(_) => sleep(PAUSE).await,
                        }
                    }
                }))
            }
            ListenAddress::Tcp(_) | ListenAddress::Inherited(_) => {
                let listener = TcpListener::from_std(std::net::TcpListener::from(fd)).ok()?;
                Some(spawn_local(async move {
                    while let Some(place) = place(&places).await {
                        match listener.accept().await {
                            Ok((stream, _)) => self.serve(stream, place),
                            Err(_) => sleep(PAUSE).await,
                        }
                    }
                }))
            }
        }
    }

    async fn datagrams(self, socket: UdpSocket) {
        let mut bytes = vec![0; self.longest()];
        loop {
            match socket.recv(&mut bytes).await {
                Ok(count) => self.take(bytes.get(..count).unwrap_or_default()),
                // What a target's host has answered concerns other sockets.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// Bytes of a message: a buffer's size.
    fn longest(&self) -> usize {
        self.thread.world().global.bufsize
    }

    fn take(&self, message: &[u8]) {
        let counters = &self.thread.shared.counters;
        counters.received_logs.inc();
        counters.dropped_logs.add(self.forwarder.send(message));
    }

    fn serve(&self, stream: impl AsyncRead + Unpin + 'static, place: OwnedSemaphorePermit) {
        let receiver = self.clone();
        spawn_local(async move {
            let counters = &receiver.thread.shared.counters;
            counters.connections_total.inc();
            counters.requests_total.inc();
            counters.connections.enter();
            receiver.stream(stream).await;
            counters.connections.leave();
            drop(place);
        });
    }

    /// Takes messages until the client closes, is silent for too long or sends something else.
    async fn stream(&self, mut stream: impl AsyncRead + Unpin) {
        let longest = self.longest();
        let mut bytes = Vec::new();
        loop {
            let mut taken = 0;
            loop {
                match next_frame(bytes.get(taken..).unwrap_or_default(), longest) {
                    Frame::Message(message, length) => {
                        self.take(message);
                        taken += length;
                    }
                    Frame::More => break,
                    Frame::Bad => return,
                }
            }
            bytes.drain(..taken);
            bytes.reserve(longest);
            let reading = stream.read_buf(&mut bytes);
            let read = match self.forwarder.client_timeout {
                Some(limit) => timeout(limit, reading).await.unwrap_or(Ok(0)),
                None => reading.await,
            };
            if !matches!(read, Ok(count) if count > 0) {
                return;
            }
        }
    }
}

async fn place(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    places.clone().acquire_owned().await.ok()
}

/// `bind` and `dgram-bind`.
fn bind(line: &mut Line<'_>) -> Parsed {
    let datagrams = line.keyword.name == "dgram-bind";
    let Some(word) = line.word() else { return Ok(()) };
    let text = word.str().into_owned();
    let subject = format!("'{} {text}'", line.keyword.name);
    let place = line.last_place();
    let mut addresses = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let part = &line.expand(part);
        let address = AddressSpec::accept(part, Accepts::BIND, line.outside);
        // As 2.3 does, a stream's address without a port is taken, and nothing listens there.
        let portless = |error| match AddressSpec::parse(part) {
            Ok(address @ AddressSpec::Inet { ports: PortsSpec::None, .. }) if !datagrams => {
                Ok(address)
            }
            _ => Err(error),
        };
        let address = address.or_else(portless);
        let address = address.map_err(|e| line.alert(format!("{subject} : {e}")))?;
        if datagrams && !matches!(address, AddressSpec::Inet { .. }) {
            return Err(line
                .alert(format!("{subject} : unsupported protocol family 1 for address '{part}'")));
        }
        addresses.push(address);
    }
    let mut spec = BindSpec {
        addresses,
        place,
        options: ListenOptions::default(),
        name: None,
        id: None,
        maxconn: None,
        text,
        proto: None,
        expected: Expected::default(),
        cli: CliBindSpec::default(),
        datagrams,
    };
    while let Some(word) = line.word() {
        let Some(row) = catalog::bind_option(&word.str()) else {
            return Err(line.alert(format!(
                "unknown keyword '{word}' in 'log-forward' section. Registered keywords :"
            )));
        };
        line.spec.note(&format!("bind {}", row.name), row.status, line.words.place);
        let mut option = line.option(row.name, subject.clone());
        (row.parse)(&mut option, &mut spec)?;
        line.words = option.words;
    }
    if spec.expected != Expected::default() {
        let place = spec.place.clone();
        line.spec.note_planned("bind accept-proxy in log-forward", &place);
    }
    line.proxy().binds.push(spec);
    Ok(())
}

fn number(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let word = line.required(&format!("'{name}' expects an integer argument."))?;
    let _ = parse_lenient(word.bytes());
    line.end()
}

fn client_timeout(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(line.alert("missing timeout client value."));
    };
    match parse_time(word.bytes(), TimeUnit::Milliseconds) {
        Ok(_) => Ok(()),
        Err(NumberError::Unexpected(c)) => Err(line.bare(format!(
            "unexpected character '{c}' in argument to <timeout client>."
        ))),
        Err(NumberError::Overflow) => Err(line.alert(format!(
            "timeout : timer overflow in argument '{word}' to 'timeout client' (maximum value is 2147483647 ms or ~24.8 days)"
        ))),
    }
}

const ROW: Keyword =
    Keyword { sections: Sections::LOG_FORWARD, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "backlog",
            args: "<conns>",
            doc: "How many connections the kernel holds until they are accepted.",
            examples: &["backlog 100"],
            parse: number,
            ..ROW
        },
        Keyword {
            name: "bind",
            args: "<address> [<option>...]",
            doc: "Takes log messages over TCP or a unix socket: lines that begin with `<`, or messages with their length in front.",
            examples: &["bind 127.0.0.1:1514"],
            parse: bind,
            ..ROW
        },
        Keyword {
            name: "dgram-bind",
            args: "<address> [<option>...]",
            doc: "Takes log messages as datagrams on this address.",
            examples: &["dgram-bind 127.0.0.1:1514"],
            parse: bind,
            ..ROW
        },
        Keyword {
            name: "maxconn",
            args: "<conns>",
            default: "10",
            doc: "Connections at once.",
            examples: &["maxconn 10"],
            parse: number,
            ..ROW
        },
        Keyword {
            name: "timeout client",
            args: "<time>",
            doc: "How long a client may be silent.",
            examples: &["timeout client 10s"],
            parse: client_timeout,
            ..ROW
        },
    ],
    ..Part::NONE
};
