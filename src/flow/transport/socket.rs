//! Connected sockets: TCP and unix behind one type, and their two directions apart.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};

use crate::flow::transport::buffer::Buffer;

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// IPv4 or IPv6.
    Tcp(TcpStream),
    /// Unix, with a path or abstract.
    Unix(UnixStream),
}

/// The receiving direction.
#[derive(Debug)]
pub enum Reader<'a> {
    /// Of a TCP socket.
    Tcp(tcp::ReadHalf<'a>),
    /// Of a unix socket.
    Unix(unix::ReadHalf<'a>),
}

/// The sending direction.
#[derive(Debug)]
pub enum Writer<'a> {
    /// Of a TCP socket.
    Tcp(tcp::WriteHalf<'a>),
    /// Of a unix socket.
    Unix(unix::WriteHalf<'a>),
}

impl Socket {
    /// Both directions, to be used at the same time.
    pub fn split(&mut self) -> (Reader<'_>, Writer<'_>) {
        match self {
            Socket::Tcp(stream) => {
                let (reader, writer) = stream.split();
                (Reader::Tcp(reader), Writer::Tcp(writer))
            }
            Socket::Unix(stream) => {
                let (reader, writer) = stream.split();
                (Reader::Unix(reader), Writer::Unix(writer))
            }
        }
    }

    /// Waits until there is something to read; holds no buffer meanwhile.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_readable(cx)).await
    }

    /// Whether something can be read, as far as is known without asking the system.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(stream) => stream.poll_read_ready(cx),
            Socket::Unix(stream) => stream.poll_read_ready(cx),
        }
    }

    /// The descriptor, for `getsockname` and its kin.
    pub fn fd(&self) -> RawFd {
        match self {
            Socket::Tcp(stream) => stream.as_raw_fd(),
            Socket::Unix(stream) => stream.as_raw_fd(),
        }
    }

    /// Runs a system call that moves data when the socket is ready for it.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        call: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        match self {
            Socket::Tcp(stream) => stream.try_io(interest, call),
            Socket::Unix(stream) => stream.try_io(interest, call),
        }
    }

    /// Makes the close a reset, so that no state is left behind (RFC 9293 3.10.4).
    pub fn reset_on_close(&self) {
        if let Socket::Tcp(stream) = self {
            // Failing only means an ordinary close.
            let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
        }
    }
}

impl Reader<'_> {
    /// Reads once into a buffer's room; 0 at the end of the stream.
    pub async fn read(&mut self, buffer: &mut Buffer) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Reads once into a buffer's room; 0 at the end of the stream.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Buffer,
    ) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(buffer.space());
        ready!(self.poll_read_buf(cx, &mut room))?;
        let count = room.filled().len();
        buffer.advance(count);
        Poll::Ready(Ok(count))
    }

    /// Reads once.
    pub fn poll_read_buf(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Reader::Tcp(reader) => Pin::new(reader).poll_read(cx, room),
            Reader::Unix(reader) => Pin::new(reader).poll_read(cx, room),
        }
    }
}

impl Writer<'_> {
    /// Writes once.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Writer::Tcp(writer) => Pin::new(writer).poll_write(cx, bytes),
            Writer::Unix(writer) => Pin::new(writer).poll_write(cx, bytes),
        }
    }

    /// Writes all of it.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Ends this direction.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| match self {
            Writer::Tcp(writer) => Pin::new(writer).poll_shutdown(cx),
            Writer::Unix(writer) => Pin::new(writer).poll_shutdown(cx),
        })
        .await
    }
}
