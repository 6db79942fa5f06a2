//! Clients and origin in one thread, one epoll set. In: where to send how many requests. Out: how
//! long they took. Every wait is bounded.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// A piece of work that takes longer than this is broken.
const DEADLINE: Duration = Duration::from_secs(40);
const LARGE: usize = 1 << 20;
const SMALL: usize = 128;

/// What one request asks for.
#[derive(Clone, Copy, PartialEq)]
pub enum Answer {
    Small,
    OneMebibyte,
    /// 100 kB of HTML, which the client takes compressed.
    Page,
}

/// Where requests travel.
#[derive(Clone, Copy, PartialEq)]
pub enum Connections {
    /// `at_once` connections, opened first, each used again and again.
    Reused,
    /// A new one for each request, closed by the proxy after the answer.
    Fresh,
    /// A new one for each request, kept open and idle until `hang_up`.
    Held,
}

pub struct Work {
    pub to: SocketAddr,
    pub answer: Answer,
    pub connections: Connections,
    pub at_once: usize,
    pub requests: usize,
}

/// How a piece of work went. Latencies in µs, from before the request (and the connection, if it is
/// new) to the last byte of the answer.
pub struct Timing {
    pub elapsed: Duration,
    pub p50: f64,
    pub p99: f64,
}

pub struct Traffic {
    epoll: Epoll,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
    small: Vec<u8>,
    large: Vec<u8>,
    page: Vec<u8>,
    /// What is sent in turn in the place of the usual request, if not empty.
    pub varied: Vec<Vec<u8>>,
    /// Which of them is next. Goes on from run to run, so that the same one comes again late.
    turn: usize,
    pub origin: SocketAddr,
}

enum Peer {
    Door(TcpListener),
    Origin(Origin),
    Client(Client),
}

/// One connection to the origin: requests have no body, so a blank line ends one.
struct Origin {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Answer,
    sent: usize,
    sending: bool,
}

struct Client {
    stream: TcpStream,
    since: Instant,
    head: Vec<u8>,
    /// Body bytes still to come, once the header is complete.
    left: Option<usize>,
    chunked: bool,
}

/// What a client saw in one turn.
enum Seen {
    Nothing,
    Answer,
    End,
}

/// One `run` in progress.
struct Progress<'a> {
    work: &'a Work,
    request: Vec<u8>,
    to_start: usize,
    to_finish: usize,
    idle: VecDeque<usize>,
    latencies: Vec<f64>,
}

impl Traffic {
    pub fn new() -> Result<Traffic> {
        let door = TcpListener::bind(("127.0.0.1", 0))?;
        let origin = door.local_addr()?;
        let mut traffic = Traffic {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            peers: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; 256 << 10],
            small: response(SMALL),
            large: response(LARGE),
            page: page(),
            varied: Vec::new(),
            turn: 0,
            origin,
        };
        door.set_nonblocking(true)?;
        traffic.add(Peer::Door(door))?;
        Ok(traffic)
    }

    /// Sends `work.requests` requests, `at_once` of them in flight, until all are answered with 200.
    pub fn run(&mut self, work: &Work) -> Result<Timing> {
        let mut progress = Progress {
            request: request(work),
            to_start: work.requests,
            to_finish: work.requests,
            idle: VecDeque::new(),
            latencies: Vec::with_capacity(work.requests),
            work,
        };
        if work.connections == Connections::Reused {
            for _ in 0..work.at_once {
                let client = self.connect(work.to)?;
                progress.idle.push_back(client);
            }
        }
        let begin = Instant::now();
        for _ in 0..work.at_once {
            self.start_one(&mut progress)?;
        }
        while progress.to_finish > 0 {
            ensure!(begin.elapsed() < DEADLINE, "{} requests unanswered", progress.to_finish);
            self.turn(Some(&mut progress), Duration::from_secs(1))?;
        }
        let elapsed = begin.elapsed();
        if work.connections == Connections::Reused {
            self.hang_up();
        }
        Ok(timing(elapsed, progress.latencies))
    }

    /// The time from `since` until a request to `to` is answered, however often it takes to
    /// connect; `alive` ends the waiting with its error.
    pub fn first_answer(
        &mut self,
        to: SocketAddr,
        since: Instant,
        mut alive: impl FnMut() -> Result<()>,
    ) -> Result<Duration> {
        let work = Work {
            to,
            answer: Answer::Small,
            connections: Connections::Held,
            at_once: 1,
            requests: 1,
        };
        while TcpStream::connect(to).is_err() {
            ensure!(since.elapsed() < DEADLINE, "nobody listens on {to}");
            alive()?;
            self.turn(None, Duration::ZERO)?;
            std::thread::sleep(Duration::from_micros(50));
        }
        self.run(&work)?;
        let elapsed = since.elapsed();
        self.hang_up();
        Ok(elapsed)
    }

    /// Closes the clients' connections and lets the origin notice what the proxy closes in turn.
    pub fn hang_up(&mut self) {
        for at in 0..self.peers.len() {
            if matches!(self.peers[at], Some(Peer::Client(_))) {
                self.remove(at);
            }
        }
    }

    fn turn(&mut self, mut progress: Option<&mut Progress>, wait: Duration) -> Result<()> {
        let mut events = [EpollEvent::empty(); 256];
        let wait = EpollTimeout::try_from(wait).context("wait too long")?;
        let count = match self.epoll.wait(&mut events, wait) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => bail!(error),
        };
        for event in &events[..count] {
            let at = event.data() as usize;
            match self.peers.get_mut(at).and_then(Option::take) {
                Some(Peer::Door(door)) => self.accept(at, door)?,
                Some(Peer::Origin(origin)) => self.serve(at, origin)?,
                Some(Peer::Client(client)) => self.receive(at, client, progress.as_deref_mut())?,
                None => {}
            }
        }
        Ok(())
    }

    fn accept(&mut self, at: usize, door: TcpListener) -> Result<()> {
        while let Ok((stream, _)) = door.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let request = Vec::with_capacity(512);
            self.add(Peer::Origin(Origin {
                stream,
                request,
                answer: Answer::Small,
                sent: 0,
                sending: false,
            }))?;
        }
        self.peers[at] = Some(Peer::Door(door));
        Ok(())
    }

    fn serve(&mut self, at: usize, mut origin: Origin) -> Result<()> {
        let was_sending = origin.sending;
        let alive = origin
            .turn(&mut self.buffer, |answer| match answer {
                Answer::Small => &self.small,
                Answer::OneMebibyte => &self.large,
                Answer::Page => &self.page,
            })
            .unwrap_or(false);
        if !alive {
            self.free.push(at);
            return Ok(());
        }
        if origin.sending != was_sending {
            let interest = if origin.sending { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
            self.epoll.modify(&origin.stream, &mut EpollEvent::new(interest, at as u64))?;
        }
        self.peers[at] = Some(Peer::Origin(origin));
        Ok(())
    }

    fn receive(
        &mut self,
        at: usize,
        mut client: Client,
        progress: Option<&mut Progress>,
    ) -> Result<()> {
        let seen = client.turn(&mut self.buffer)?;
        let Some(progress) = progress else {
            self.peers[at] = Some(Peer::Client(client));
            return Ok(());
        };
        let fresh = progress.work.connections == Connections::Fresh;
        let answered = match seen {
            Seen::End => {
                ensure!(fresh && client.left == Some(0), "the proxy closed a connection too early");
                true
            }
            Seen::Answer => !fresh,
            Seen::Nothing => false,
        };
        if answered {
            progress.latencies.push(client.since.elapsed().as_secs_f64() * 1e6);
            progress.to_finish -= 1;
        }
        if fresh && answered {
            self.free.push(at);
        } else {
            self.peers[at] = Some(Peer::Client(client));
        }
        if answered {
            if progress.work.connections == Connections::Reused {
                progress.idle.push_back(at);
            }
            self.start_one(progress)?;
        }
        Ok(())
    }

    fn start_one(&mut self, progress: &mut Progress) -> Result<()> {
        if progress.to_start == 0 {
            return Ok(());
        }
        let since = Instant::now();
        let at = match progress.work.connections {
            Connections::Reused => progress.idle.pop_front().context("no idle connection")?,
            Connections::Fresh | Connections::Held => self.connect(progress.work.to)?,
        };
        let Some(Some(Peer::Client(client))) = self.peers.get_mut(at) else {
            bail!("a client got lost");
        };
        client.since = since;
        client.left = None;
        client.chunked = false;
        client.head.clear();
        let request = self.varied.get(self.turn % self.varied.len().max(1));
        client.stream.write_all(request.unwrap_or(&progress.request))?;
        self.turn = self.turn.wrapping_add(1);
        progress.to_start -= 1;
        Ok(())
    }

    fn connect(&mut self, to: SocketAddr) -> Result<usize> {
        let stream = TcpStream::connect(to).with_context(|| format!("connecting to {to}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let since = Instant::now();
        let head = Vec::with_capacity(512);
        self.add(Peer::Client(Client { stream, since, head, left: None, chunked: false }))
    }

    fn add(&mut self, peer: Peer) -> Result<usize> {
        let at = self.free.pop().unwrap_or_else(|| {
            self.peers.push(None);
            self.peers.len() - 1
        });
        let event = EpollEvent::new(EpollFlags::EPOLLIN, at as u64);
        match &peer {
            Peer::Door(door) => self.epoll.add(door, event)?,
            Peer::Origin(origin) => self.epoll.add(&origin.stream, event)?,
            Peer::Client(client) => self.epoll.add(&client.stream, event)?,
        }
        self.peers[at] = Some(peer);
        Ok(at)
    }

    fn remove(&mut self, at: usize) {
        if self.peers[at].take().is_some() {
            self.free.push(at);
        }
    }
}

impl Origin {
    /// Reads a request or goes on writing an answer; false once the proxy has closed.
    fn turn<'a>(&mut self, buffer: &mut [u8], bytes: impl Fn(Answer) -> &'a [u8]) -> Result<bool> {
        if !self.sending {
            let Some(count) = read(&mut self.stream, buffer)? else { return Ok(true) };
            if count == 0 {
                return Ok(false);
            }
            self.request.extend_from_slice(&buffer[..count]);
            if !self.request.ends_with(b"\r\n\r\n") {
                return Ok(true);
            }
            self.answer = match &self.request[..] {
                [b'G', b'E', b'T', b' ', b'/', b'l', ..] => Answer::OneMebibyte,
                [b'G', b'E', b'T', b' ', b'/', b'p', ..] => Answer::Page,
                _ => Answer::Small,
            };
            self.request.clear();
            self.sent = 0;
        }
        let answer = bytes(self.answer);
        while self.sent < answer.len() {
            match self.stream.write(&answer[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => bail!(error),
            }
        }
        self.sending = self.sent < answer.len();
        Ok(true)
    }
}

impl Client {
    fn turn(&mut self, buffer: &mut [u8]) -> Result<Seen> {
        let count = match read(&mut self.stream, buffer)? {
            None => return Ok(Seen::Nothing),
            Some(0) => return Ok(Seen::End),
            Some(count) => count,
        };
        if self.chunked {
            return Ok(self.chunks(&buffer[..count]));
        }
        let left = match self.left {
            Some(left) => left.checked_sub(count).context("more bytes than announced")?,
            None => {
                self.head.extend_from_slice(&buffer[..count]);
                if let Some(end) = chunks_begin(&self.head)? {
                    self.chunked = true;
                    let head = std::mem::take(&mut self.head);
                    return Ok(self.chunks(&head[end..]));
                }
                let Some(left) = left_after_head(&self.head)? else { return Ok(Seen::Nothing) };
                left
            }
        };
        self.left = Some(left);
        Ok(if left == 0 { Seen::Answer } else { Seen::Nothing })
    }

    /// Some of a body in chunks: `head` keeps its last bytes, which tell the end.
    fn chunks(&mut self, bytes: &[u8]) -> Seen {
        let last = bytes.len().saturating_sub(LAST_CHUNK.len());
        self.head.extend_from_slice(&bytes[last..]);
        let old = self.head.len().saturating_sub(LAST_CHUNK.len());
        self.head.drain(..old);
        if self.head == LAST_CHUNK { Seen::Answer } else { Seen::Nothing }
    }
}

/// The end of a chunk, then the last one.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// Where the body begins, if the head is complete and says that it comes in chunks.
fn chunks_begin(read: &[u8]) -> Result<Option<usize>> {
    let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&read[..end])?;
    Ok(head.contains("\r\ntransfer-encoding: chunked").then_some(end + 4))
}

/// The body bytes that follow what has been read, or none while the header is incomplete.
fn left_after_head(read: &[u8]) -> Result<Option<usize>> {
    let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200 "), "unexpected answer: {head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.context("an answer without content-length")?.trim().parse()?;
    let body = read.len() - end - 4;
    Ok(Some(length.checked_sub(body).context("more bytes than announced")?))
}

/// None when nothing can be read now; an error of the connection is its end.
fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<Option<usize>> {
    match stream.read(buffer) {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => bail!(error),
    }
}

fn request(work: &Work) -> Vec<u8> {
    let path = match work.answer {
        Answer::Small => "/small",
        Answer::OneMebibyte => "/large",
        Answer::Page => "/page",
    };
    let accept = match work.answer {
        Answer::Page => "Accept-Encoding: gzip\r\n",
        _ => "",
    };
    let close = match work.connections {
        Connections::Fresh => "Connection: close\r\n",
        Connections::Reused | Connections::Held => "",
    };
    format!("GET {path} HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\nAccept: */*\r\n{accept}{close}\r\n")
        .into_bytes()
}

fn response(length: usize) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    bytes.resize(bytes.len() + length, b'x');
    bytes
}

/// A page as programs write them: markup that repeats, words and numbers that do so less.
fn page() -> Vec<u8> {
    const WORDS: &[&str] = &[
        "order",
        "invoice",
        "customer",
        "pending",
        "shipped",
        "warehouse",
        "quarter",
        "region",
        "north",
        "south",
        "delivery",
        "note",
        "returned",
        "partial",
        "refund",
        "credit",
        "pallet",
        "supplier",
        "urgent",
        "standard",
        "express",
        "archived",
        "draft",
        "approved",
        "rejected",
    ];
    let mut state = 1u64;
    let mut number = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut body =
        String::from("<!DOCTYPE html>\n<html><head><title>Orders</title></head><body><table>\n");
    while body.len() < 100_000 {
        let (id, price) = (number(1_000_000), number(99_999));
        let text: Vec<_> = (0..3 + number(8)).map(|_| WORDS[number(WORDS.len())]).collect();
        body += &format!(
            "<tr class=\"row\"><td><a href=\"/orders/{id}\">{id}</a></td><td>{}</td><td class=\"price\">{}.{:02}</td></tr>\n",
            text.join(" "),
            price / 100,
            price % 100,
        );
    }
    body.truncate(100_000);
    let head = "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n";
    [head.as_bytes(), body.as_bytes()].concat()
}

fn timing(elapsed: Duration, mut latencies: Vec<f64>) -> Timing {
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies.get(index.min(latencies.len().saturating_sub(1))).copied().unwrap_or(0.0)
    };
    Timing { elapsed, p50: at(0.50), p99: at(0.99) }
}
