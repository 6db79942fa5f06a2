//! One check: in come the steps, a server's address and the time limits; connections are made, bytes
//! exchanged; out comes the verdict (manual 4.2, "http-check", "tcp-check").

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use crate::check::answers::Heard;
use crate::check::expect::{Answer, binary};
use crate::check::health::Verdict;
use crate::check::response::{self, Parsed};
use crate::check::scene::{Scene, Text};
use crate::check::step::{Action, Connect, Expect, Pattern, Step};
use crate::check::{Check, CheckKind, CheckStatus, ServerCheck, protocols};
use crate::flow::server::source::SourceSpec;
use crate::state::server_status::ServerAddress;
use crate::sys;

/// What is checked, and how.
#[derive(Debug)]
pub struct Dialogue<'a> {
    /// The backend's steps and timeouts.
    pub check: &'a Check,
    /// The server's own settings.
    pub server: &'a ServerCheck,
    /// Where the server is.
    pub address: &'a ServerAddress,
    /// The header of `http-check send-state`.
    pub state: Option<String>,
    /// Whether a 404 may mean "no new sessions": the server is up and `disable-on-404` is set.
    pub stopping_on_404: bool,
    /// Bytes of an answer that are looked at.
    pub bufsize: usize,
    /// Where the server is connected from.
    pub source: Option<&'a SourceSpec>,
    /// What formats and expressions look at, when the steps have some.
    pub scene: Option<Scene<'a>>,
}

/// A connection of any kind.
trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// Makes closing it a reset, which spares the kernel a TIME_WAIT for each check.
    fn reset_on_close(&self);
}

impl Socket for TcpStream {
    fn reset_on_close(&self) {
        // A connection that is gone already needs no reset.
        let _ = socket2::SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

impl Socket for UnixStream {
    fn reset_on_close(&self) {}
}

/// Where the dialogue stands.
struct Talk {
    socket: Option<Box<dyn Socket>>,
    linger: bool,
    received: Vec<u8>,
    ended: bool,
    /// Whether the next expectation waits for bytes first.
    must_read: bool,
    deadline: Instant,
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.close();
    }
}

impl Talk {
    fn close(&mut self) {
        if let Some(socket) = self.socket.take()
            && !self.ended
            && !self.linger
        {
            socket.reset_on_close();
        }
    }
}

/// Why a step ended the check.
enum Problem {
    /// The system says so.
    Io(io::Error),
    /// The time is over.
    Late,
    /// The answer is not as expected.
    Verdict(Verdict),
}

impl Dialogue<'_> {
    /// Goes through the steps.
    pub async fn run(&self) -> Verdict {
        self.hear().await.0
    }

    /// The same; gives what was received at the end, too.
    pub async fn hear(&self) -> (Verdict, Vec<u8>) {
        let mut talk = Talk {
            socket: None,
            linger: false,
            received: Vec::new(),
            ended: false,
            must_read: true,
            deadline: Instant::now() + self.server.inter,
        };
        let steps = &self.check.steps;
        let mut code = 0;
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            let done = match &step.action {
                Action::Connect(connect) => self.connect(&mut talk, connect).await,
                Action::Send(bytes) => self.send(&mut talk, bytes).await,
                Action::SendFormat { text, binary } => match self.formatted(step, text, *binary) {
                    Ok(bytes) => self.send(&mut talk, &bytes).await,
                    Err(problem) => Err(problem),
                },
                Action::SendHello => {
                    let seconds = crate::state::clock::Moment::now().date().as_secs();
                    self.send(&mut talk, &protocols::client_hello(seconds as u32)).await
                }
                Action::SendSpopHello => {
                    let hello = protocols::spop_hello(self.bufsize.saturating_sub(4));
                    self.send(&mut talk, &hello).await
                }
                Action::SendHttp(request) => {
                    let scene = self.scene.as_ref();
                    self.send(&mut talk, &request.bytes(self.state.as_deref(), scene)).await
                }
                Action::Expect(_) => match self.expect(&mut talk, at).await {
                    Ok((next, status)) => {
                        (at, code) = (next, status);
                        Ok(())
                    }
                    Err(problem) => Err(problem),
                },
                Action::Set { name, expr } => {
                    if let Some(scene) = &self.scene {
                        scene.set(name, expr);
                    }
                    Ok(())
                }
                Action::Unset(name) => {
                    if let Some(scene) = &self.scene {
                        scene.unset(name);
                    }
                    Ok(())
                }
                Action::Comment => Ok(()),
            };
            if let Err(problem) = done {
                return (self.failure(problem, step, talk.socket.is_some()), Vec::new());
            }
            at += 1;
        }
        let verdict = self.success(code, &talk.received);
        (verdict, std::mem::take(&mut talk.received))
    }

    async fn connect(&self, talk: &mut Talk, connect: &Connect) -> Result<(), Problem> {
        talk.close();
        talk.received.clear();
        (talk.ended, talk.must_read) = (false, true);
        talk.linger = connect.linger;
        let now = Instant::now();
        let inter = self.server.inter;
        talk.deadline = now + self.check.connect_timeout.map_or(inter, |limit| limit.min(inter));
        let opened = timeout_at(talk.deadline, self.open(connect)).await;
        talk.socket = Some(opened.map_err(|_| Problem::Late)?.map_err(Problem::Io)?);
        Ok(())
    }

    async fn open(&self, connect: &Connect) -> io::Result<Box<dyn Socket>> {
        if let Some(address) = self.inet_address(connect) {
            let mut socket = self.reach(address).await?;
            let elsewhere = self.server.addr.is_some() || self.server.port.is_some();
            let ends = socket.local_addr().ok().map(|own| (own, address));
            let send_proxy = &self.server.send_proxy;
            let header = match connect {
                Connect { send_proxy: true, .. } => send_proxy.of_own(ends),
                Connect { as_server: true, .. } => send_proxy.of_check(ends, elsewhere),
                _ => Vec::new(),
            };
            if !header.is_empty() {
                socket.write_all(&header).await?;
            }
            return Ok(Box::new(socket));
        }
        Ok(match self.address {
            ServerAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
            ServerAddress::Abstract(name) => {
                use std::os::linux::net::SocketAddrExt;
                let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
                let socket = std::os::unix::net::UnixStream::connect_addr(&address)?;
                socket.set_nonblocking(true)?;
                Box::new(UnixStream::from_std(socket)?)
            }
            ServerAddress::Inet(_) | ServerAddress::Named(_) | ServerAddress::None => {
                return Err(io::ErrorKind::AddrNotAvailable.into());
            }
        })
    }

    /// A TCP connection, from where the server's connections come.
    async fn reach(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let Some(source) = self.source else { return TcpStream::connect(address).await };
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = socket2::Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        source.bind(&socket, address, None)?;
        TcpSocket::from_std_stream(socket.into()).connect(address).await
    }

    /// What a format says now.
    fn formatted(&self, step: &Step, text: &Text, hexadecimal: bool) -> Result<Vec<u8>, Problem> {
        let said = text.say(self.scene.as_ref()).into_owned();
        if !hexadecimal {
            return Ok(said);
        }
        binary(&said).map_err(|_| {
            let number = step.number;
            let text =
                format!("tcp-check send : failed to build log-format string at step {number}");
            Problem::Verdict(Verdict::new(CheckStatus::L7Response, text))
        })
    }

    /// The step's address, else the check's, else the server's; the port likewise.
    fn inet_address(&self, connect: &Connect) -> Option<SocketAddr> {
        let own = match self.address {
            ServerAddress::Inet(address) => Some(*address),
            _ => None,
        };
        let mut address = connect.address.or(self.server.addr).or(own)?;
        let with_port = |a: Option<SocketAddr>| a.map(|a| a.port()).filter(|p| *p > 0);
        let evaluated = connect.port_expr.as_ref().and_then(|expr| {
            let port = self.scene.as_ref()?.number(expr)?;
            u16::try_from(port).ok().filter(|port| *port > 0)
        });
        let port = connect
            .port
            .or(evaluated)
            .or(with_port(connect.address))
            .or(self.server.port)
            .or(with_port(self.server.addr))
            .or(with_port(own))?;
        address.set_port(port);
        Some(address)
    }

    async fn send(&self, talk: &mut Talk, bytes: &[u8]) -> Result<(), Problem> {
        talk.received.clear();
        talk.must_read = true;
        let Some(socket) = talk.socket.as_mut() else { return Err(Problem::Late) };
        let written = timeout_at(talk.deadline, socket.write_all(bytes)).await;
        written.map_err(|_| Problem::Late)?.map_err(Problem::Io)
    }

    /// Evaluates the expectation at `at`, and gives the place of the last one that was fulfilled with
    /// the status of the response. While bytes are missing it falls back to the first unwanted
    /// pattern of the row of expectations, which new bytes may match.
    async fn expect(&self, talk: &mut Talk, at: usize) -> Result<(usize, u16), Problem> {
        if talk.must_read {
            if let Some(limit) = self.check.answer_timeout {
                talk.deadline = Instant::now() + limit;
            }
            self.read(talk, at).await?;
            talk.must_read = false;
        }
        let mut place = at;
        loop {
            let Some((step, expect)) = self.expectation(place) else { return Ok((at, 0)) };
            let (answer, code) = self.judge(talk, step, expect);
            match answer {
                Answer::Fulfilled if place >= at => return Ok((place, code)),
                Answer::Fulfilled => place += 1,
                Answer::Failed(verdict) => return Err(Problem::Verdict(verdict)),
                Answer::Wait => {
                    self.read(talk, place).await?;
                    place = self.head_of(place);
                }
            }
        }
    }

    fn expectation(&self, at: usize) -> Option<(&Step, &Expect)> {
        let step = self.check.steps.get(at)?;
        if let Action::Expect(expect) = &step.action { Some((step, expect)) } else { None }
    }

    /// The first unwanted pattern of the row of expectations that ends at `at`, or `at`.
    fn head_of(&self, at: usize) -> usize {
        let mut head = at;
        for before in (0..at).rev() {
            match self.expectation(before) {
                Some((_, expect)) if expect.inverse => head = before,
                Some(_) => {}
                None => break,
            }
        }
        head
    }

    fn judge(&self, talk: &Talk, step: &Step, expect: &Expect) -> (Answer, u16) {
        let full = talk.received.len() >= self.bufsize;
        let last = talk.ended || full;
        if self.check.kind != Some(CheckKind::Http) {
            let answer = expect.on_bytes(step, &talk.received, last, self.scene.as_ref());
            return (answer, expect.code(self.scene.as_ref()).unwrap_or(0));
        }
        match response::parse(&talk.received) {
            Parsed::Partial if !last => (Answer::Wait, 0),
            Parsed::Partial | Parsed::Invalid => (Answer::Failed(empty(step, expect)), 0),
            Parsed::Response(response) => {
                let code = response.status;
                if let Some(scene) = &self.scene {
                    scene.has_answered(&response);
                }
                if code == 404 && self.stopping_on_404 {
                    return (Answer::Fulfilled, code);
                }
                let last = last || response.complete;
                let answer = expect.on_response(step, &response, last, self.scene.as_ref());
                (answer, expect.code(self.scene.as_ref()).unwrap_or(code))
            }
        }
    }

    /// Reads what has come. An answer that ends before its first byte is a failure.
    async fn read(&self, talk: &mut Talk, at: usize) -> Result<(), Problem> {
        let room = self.bufsize.saturating_sub(talk.received.len());
        if talk.ended || room == 0 {
            return Ok(());
        }
        let Some(socket) = talk.socket.as_mut() else { return Err(Problem::Late) };
        let mut limited = (&mut *socket).take(room as u64);
        let read = timeout_at(talk.deadline, limited.read_buf(&mut talk.received)).await;
        match read.map_err(|_| Problem::Late)? {
            Ok(0) => talk.ended = true,
            Ok(_) => return Ok(()),
            // A reset right after the last bytes is not unusual: they count.
            Err(_) if !talk.received.is_empty() => talk.ended = true,
            Err(e) => return Err(Problem::Io(e)),
        }
        match self.expectation(at) {
            Some((step, expect)) if talk.received.is_empty() => {
                Err(Problem::Verdict(empty(step, expect)))
            }
            _ => Ok(()),
        }
    }

    fn success(&self, code: u16, received: &[u8]) -> Verdict {
        let tcp = self.check.kind == Some(CheckKind::Tcp);
        let note = if tcp { "(tcp-check)" } else { "" };
        match self.check.steps.iter().rfind(|s| s.action.is_real()) {
            Some(Step { action: Action::Expect(expect), .. }) => {
                if code == 404 && self.stopping_on_404 {
                    let status = CheckStatus::L7OkConditional;
                    return Verdict { status, code, info: String::new() };
                }
                if let Pattern::Protocol(protocol) = &expect.pattern
                    && let Heard::Well(code, info) = protocol.hear(received, true)
                {
                    return Verdict { status: CheckStatus::L7Ok, code, info };
                }
                let status = expect.ok_status.unwrap_or(CheckStatus::L7Ok);
                let said = expect.on_success.as_ref().map(|text| text.words(self.scene.as_ref()));
                let info = said.unwrap_or_else(|| note.to_owned());
                Verdict { status, code, info }
            }
            Some(Step { action: Action::Connect(_), number, .. }) => {
                let note = if *number == 0 { "" } else { note };
                Verdict::new(CheckStatus::L4Ok, note)
            }
            _ => Verdict::new(CheckStatus::L7Ok, "(tcp-check)"),
        }
    }

    fn failure(&self, problem: Problem, step: &Step, connected: bool) -> Verdict {
        let place = self.place(step);
        let is_connect = matches!(step.action, Action::Connect(_));
        match problem {
            Problem::Verdict(verdict) => verdict,
            Problem::Io(error) => {
                let status = match (connected && !is_connect, out_of_descriptors(&error)) {
                    (false, false) => CheckStatus::L4Con,
                    _ => CheckStatus::SocketError,
                };
                let words = sys::error_words(&error);
                // These are told at once, without a connection being tried.
                let words = if is_local(&error) {
                    format!("General socket error ({words})")
                } else {
                    words
                };
                Verdict::new(status, format!("{words}{place}"))
            }
            Problem::Late if is_connect => Verdict::new(CheckStatus::L4Timeout, place),
            Problem::Late => {
                let status = match &step.action {
                    Action::Expect(expect) => expect.timeout_status,
                    _ => None,
                };
                Verdict::new(status.unwrap_or(CheckStatus::L7Timeout), place)
            }
        }
    }

    /// Where a `tcp-check` failed: ` at step 2 of tcp-check (send)`.
    fn place(&self, step: &Step) -> String {
        if self.check.kind != Some(CheckKind::Tcp) {
            return String::new();
        }
        if step.number == 0 {
            return " at initial connection step of tcp-check".to_owned();
        }
        let what = match &step.action {
            Action::Connect(Connect { port: Some(port), .. }) => format!(" (connect port {port})"),
            Action::Connect(_) => " (connect)".to_owned(),
            Action::Expect(expect) => expect.name(),
            _ => " (send)".to_owned(),
        };
        let comment = step.comment.as_ref().map(|c| format!(" comment: '{c}'"));
        let comment = comment.unwrap_or_default();
        format!(" at step {} of tcp-check{what}{comment}", step.number)
    }
}

fn is_local(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let local = [Errno::ENETUNREACH, Errno::EACCES, Errno::EPERM];
    error.raw_os_error().is_some_and(|code| local.contains(&Errno::from_raw(code)))
}

fn out_of_descriptors(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let code = error.raw_os_error();
    code == Some(Errno::EMFILE as i32) || code == Some(Errno::ENFILE as i32)
}

fn empty(step: &Step, expect: &Expect) -> Verdict {
    let comment = step.comment.as_ref().map(|c| format!(" comment: '{c}'")).unwrap_or_default();
    let text = format!("TCPCHK got an empty response at step {}{comment}", step.number);
    Verdict::new(expect.error_status.unwrap_or(CheckStatus::L7Response), text)
}
