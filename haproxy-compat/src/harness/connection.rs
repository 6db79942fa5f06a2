//! One connection and a script for it, for the client's side and the server's alike.
//!
//! Every read has a limit; a failure shows what had come until then.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, SockAddr, Socket, Type};

use super::message::{Framing, Message, chunked_length};
use super::{PATIENCE, process};

/// A connected stream socket (TCP or unix), the bytes read from it and not yet used.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    unread: Vec<u8>,
    patience: Duration,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The other side closed its direction: end of file.
    Closed,
    /// The other side reset the connection.
    Reset,
}

/// What one read brought.
enum Arrival {
    Bytes,
    Ended(Ending),
    Nothing,
}

impl Connection {
    /// Connects over TCP.
    pub fn to(address: SocketAddr) -> Result<Connection> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        let connected = socket.connect_timeout(&address.into(), PATIENCE);
        connected.with_context(|| format!("connecting to {address}"))?;
        Connection::over(socket)
    }

    /// Connects over TCP from a chosen local address, for example 127.0.0.2.
    pub fn from_to(source: SocketAddr, address: SocketAddr) -> Result<Connection> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.bind(&source.into())?;
        let connected = socket.connect_timeout(&address.into(), PATIENCE);
        connected.with_context(|| format!("connecting from {source} to {address}"))?;
        Connection::over(socket)
    }

    /// Connects to a unix stream socket.
    pub fn to_path(path: &Path) -> Result<Connection> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let connected = socket.connect(&SockAddr::unix(path)?);
        connected.with_context(|| format!("connecting to {}", path.display()))?;
        Connection::over(socket)
    }

    /// Takes over a connected socket.
    pub fn over(socket: Socket) -> Result<Connection> {
        socket.set_write_timeout(Some(PATIENCE))?;
        let _ = socket.set_tcp_nodelay(true);
        Ok(Connection { socket, unread: Vec::new(), patience: PATIENCE })
    }

    /// Waits at most `patience` in each step from now on, instead of [`PATIENCE`].
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The local TCP address.
    pub fn local_address(&self) -> Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().context("not a TCP connection")
    }

    /// The other side's TCP address.
    pub fn peer_address(&self) -> Result<SocketAddr> {
        self.socket.peer_addr()?.as_socket().context("not a TCP connection")
    }

    /// The socket, for options and for copies of the handle.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sends these bytes, all of them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let bytes = bytes.as_ref();
        self.socket.write_all(bytes).with_context(|| format!("sending {}", show(bytes)))
    }

    /// Says that nothing more will be sent; reading goes on.
    pub fn half_close(&self) -> Result<()> {
        self.socket.shutdown(Shutdown::Write).context("half-closing")
    }

    /// Ends the connection with a reset.
    pub fn reset(self) -> Result<()> {
        let _closed_here_only = process::none_starts();
        let lingers = self.socket.set_linger(Some(Duration::ZERO));
        drop(self);
        lingers.context("setting SO_LINGER to 0")
    }

    /// Reads one response to a request that had a method other than HEAD or CONNECT.
    /// An interim response (1xx) counts as one.
    pub fn response(&mut self) -> Result<Message> {
        self.response_to("GET")
    }

    /// Reads one response to a request with `method`.
    pub fn response_to(&mut self, method: &str) -> Result<Message> {
        let mut message = self.head().context("reading a response")?;
        let framing = message.response_framing(method);
        self.body(&mut message, framing)?;
        Ok(message)
    }

    /// Sends a request and reads its response; an empty `headers` is fine, each line needs CR LF.
    pub fn get(&mut self, path: &str, headers: &str) -> Result<Message> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n"))?;
        self.response()
    }

    /// Reads one request.
    pub fn request(&mut self) -> Result<Message> {
        let mut message = self.head().context("reading a request")?;
        let framing = message.request_framing();
        self.body(&mut message, framing)?;
        Ok(message)
    }

    /// Reads the head of a message and leaves its body unread.
    pub fn head(&mut self) -> Result<Message> {
        let head = self.read_through("\r\n\r\n")?;
        Message::from_head(&head)
    }

    /// Reads as many bytes as `expected` has and compares.
    pub fn expect(&mut self, expected: impl AsRef<[u8]>) -> Result<()> {
        let expected = expected.as_ref();
        let got = self.read_exactly(expected.len())?;
        ensure!(got == expected, "expected {}\n     got {}", show(expected), show(&got));
        Ok(())
    }

    /// Reads exactly `count` bytes.
    pub fn read_exactly(&mut self, count: usize) -> Result<Vec<u8>> {
        self.fill_until(&format!("{count} bytes"), |bytes| {
            Ok((bytes.len() >= count).then_some(count))
        })
    }

    /// Reads up to and with the first `mark`.
    pub fn read_through(&mut self, mark: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        let mark = mark.as_ref();
        let mut searched = 0;
        self.fill_until(&show(mark), |bytes| {
            let found = find(&bytes[searched..], mark).map(|at| searched + at + mark.len());
            searched = bytes.len().saturating_sub(mark.len());
            Ok(found)
        })
    }

    /// Reads whatever comes until the other side closes. A reset is an error.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let (bytes, ending) = self.drain()?;
        ensure!(ending == Ending::Closed, "reset after {}", show(&bytes));
        Ok(bytes)
    }

    /// Reads whatever comes until the connection ends, and how it ended.
    pub fn drain(&mut self) -> Result<(Vec<u8>, Ending)> {
        let end = Instant::now() + self.patience;
        loop {
            match self.arrival(end)? {
                Arrival::Bytes => {}
                Arrival::Ended(ending) => return Ok((std::mem::take(&mut self.unread), ending)),
                Arrival::Nothing => {
                    bail!("not closed within {:?}; read {}", self.patience, show(&self.unread))
                }
            }
        }
    }

    /// Expects the other side to close, having sent nothing more.
    pub fn expect_close(&mut self) -> Result<()> {
        let rest = self.read_to_end()?;
        ensure!(rest.is_empty(), "expected the end, got {}", show(&rest));
        Ok(())
    }

    /// Expects that for `time` neither bytes nor the end arrive.
    pub fn expect_silence(&mut self, time: Duration) -> Result<()> {
        ensure!(self.unread.is_empty(), "expected silence, got {}", show(&self.unread));
        match self.arrival(Instant::now() + time)? {
            Arrival::Nothing => Ok(()),
            Arrival::Ended(ending) => bail!("expected silence, got the end: {ending:?}"),
            Arrival::Bytes => bail!("expected silence, got {}", show(&self.unread)),
        }
    }

    /// What has arrived within `time`, which may be nothing, and the end if it came.
    pub fn read_for(&mut self, time: Duration) -> Result<(Vec<u8>, Option<Ending>)> {
        let end = Instant::now() + time;
        loop {
            match self.arrival(end)? {
                Arrival::Bytes => {}
                Arrival::Ended(ending) => {
                    return Ok((std::mem::take(&mut self.unread), Some(ending)));
                }
                Arrival::Nothing => return Ok((std::mem::take(&mut self.unread), None)),
            }
        }
    }

    fn body(&mut self, message: &mut Message, framing: Framing) -> Result<()> {
        let bytes = match framing {
            Framing::None => Ok(Vec::new()),
            Framing::Length(length) => self.read_exactly(length),
            Framing::Chunked => self.fill_until("a chunked body", chunked_length),
            Framing::UntilClose => self.read_to_end(),
        };
        let head = String::from_utf8_lossy(&message.head).into_owned();
        let bytes = bytes.with_context(|| format!("reading the body after {head:?}"))?;
        message.take_body(framing, &bytes)
    }

    /// Reads until `enough` says how many of the bytes are wanted, and takes those.
    fn fill_until(
        &mut self,
        what: &str,
        mut enough: impl FnMut(&[u8]) -> Result<Option<usize>>,
    ) -> Result<Vec<u8>> {
        let end = Instant::now() + self.patience;
        loop {
            if let Some(count) = enough(&self.unread)? {
                let rest = self.unread.split_off(count);
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            match self.arrival(end)? {
                Arrival::Bytes => {}
                Arrival::Ended(how) => {
                    bail!("waiting for {what}: {how:?} after {}", show(&self.unread))
                }
                Arrival::Nothing => bail!(
                    "waiting for {what}: not within {:?}; read {}",
                    self.patience,
                    show(&self.unread)
                ),
            }
        }
    }

    fn arrival(&mut self, end: Instant) -> Result<Arrival> {
        let mut chunk = [0; 16 * 1024];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Arrival::Nothing);
            }
            self.socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.socket.read(&mut chunk) {
                Ok(0) => return Ok(Arrival::Ended(Ending::Closed)),
                Ok(count) => {
                    self.unread.extend_from_slice(&chunk[..count]);
                    return Ok(Arrival::Bytes);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                        return Ok(Arrival::Ended(Ending::Reset));
                    }
                    _ => return Err(error).context("reading"),
                },
            }
        }
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len().max(1)).position(|part| part == mark)
}

/// Bytes as a quoted text, cut in the middle when long.
fn show(bytes: &[u8]) -> String {
    const MOST: usize = 1500;
    if bytes.len() <= MOST {
        return format!("{:?}", String::from_utf8_lossy(bytes));
    }
    let (head, tail) = (&bytes[..MOST / 2], &bytes[bytes.len() - MOST / 2..]);
    format!("{} … {} ({} bytes)", show(head), show(tail), bytes.len())
}
