//! Connected sockets, TCP and unix alike, and their two directions apart. A socket is taken to be ready
//! until the system says that it is not; only then is it registered with the thread's `reactor`.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::{Context, Poll, ready};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, Shutdown, recv, send, sendmsg, shutdown};
use tokio::task::coop;

use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::reactor::{self, Interest, Ready, Registration};

/// A stream socket that does not block.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    state: Cell<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// What is known without having asked for events.
    Unregistered(Ready),
    Registered(Registration),
}

/// The receiving direction.
#[derive(Debug)]
pub struct Reader<'a>(&'a Socket);

/// The sending direction.
#[derive(Debug)]
pub struct Writer<'a>(&'a Socket);

/// More follows at once (send(2)); the crate has no name for it.
const MORE: MsgFlags = MsgFlags::from_bits_retain(nix::libc::MSG_MORE);

/// What follows the bytes that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Anything, at any time: they are sent at once.
    Unknown,
    /// `shutdown`, at once: the end travels in the last packet instead of one of its own.
    End,
}

impl Follows {
    fn flags(self) -> MsgFlags {
        match self {
            Follows::Unknown => MsgFlags::MSG_NOSIGNAL,
            Follows::End => MsgFlags::MSG_NOSIGNAL | MORE,
        }
    }
}

impl Socket {
    /// A socket that was accepted: its client may have said something already.
    pub fn accepted(fd: OwnedFd) -> Socket {
        Socket::new(fd, Ready { read: true, write: true })
    }

    /// A socket that was connected: a server rarely speaks first, and if it does an event tells.
    pub fn connected(fd: OwnedFd) -> Socket {
        Socket::new(fd, Ready { read: false, write: true })
    }

    /// A socket whose connection is on its way: there is room to write once it is made, or has failed.
    pub fn connecting(fd: OwnedFd) -> Socket {
        Socket::new(fd, Ready { read: false, write: false })
    }

    fn new(fd: OwnedFd, ready: Ready) -> Socket {
        Socket { fd, state: Cell::new(State::Unregistered(ready)) }
    }

    /// Both directions, to be used at the same time.
    pub fn split(&mut self) -> (Reader<'_>, Writer<'_>) {
        (Reader(self), Writer(self))
    }

    /// Ready when there may be something to read, as far as is known without asking the system.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(Interest::Read, cx)
    }

    /// Waits until there may be room to write.
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_ready(Interest::Write, cx)).await
    }

    /// Whether nothing has come: neither data nor the other side's end.
    pub fn is_silent(&self) -> bool {
        let readable = match self.state.get() {
            State::Registered(registration) => registration.is_readable(),
            State::Unregistered(_) => None,
        };
        match readable {
            Some(readable) => !readable,
            None => {
                let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
                recv(self.fd(), &mut [0], flags) == Err(Errno::EAGAIN)
            }
        }
    }

    /// The socket leaves this thread: the next one that waits for it registers it anew.
    pub fn leave_thread(&self) {
        if let State::Registered(registration) = self.state.get() {
            reactor::forget(registration, self.fd.as_fd());
            self.state.set(State::Unregistered(Ready { read: true, write: true }));
        }
    }

    /// The descriptor, for `getsockname` and its kin.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Whether the other side has ended its direction and all it sent was read.
    pub fn is_half_closed(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        matches!(socket2::SockRef::from(self).peek(&mut byte), Ok(0))
    }

    /// Sends small pieces without waiting for more or for acknowledgements. A message that is written at
    /// once does not need it, and saves the system call.
    pub fn send_at_once(&self) {
        // Unix sockets do so anyway; a socket that is broken is found out by writing.
        let _ = socket2::SockRef::from(&self.fd).set_tcp_nodelay(true);
    }

    /// Makes the close a reset, so that no state is left behind (RFC 9293 3.10.4).
    pub fn reset_on_close(&self) {
        // Failing, as for unix sockets, only means an ordinary close.
        let _ = socket2::SockRef::from(&self.fd).set_linger(Some(std::time::Duration::ZERO));
    }

    fn poll_ready(&self, interest: Interest, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let registration = match self.state.get() {
            State::Registered(registration) => registration,
            State::Unregistered(ready) if ready.of(interest) => return Poll::Ready(Ok(())),
            State::Unregistered(ready) => {
                let registration = reactor::register(self.fd.as_fd(), ready)?;
                self.state.set(State::Registered(registration));
                registration
            }
        };
        registration.poll_ready(self.fd.as_fd(), interest, cx)
    }

    /// The system had nothing more to read, or no room to write.
    fn clear(&self, interest: Interest) {
        match self.state.get() {
            State::Registered(registration) => registration.clear(interest),
            State::Unregistered(ready) => {
                self.state.set(State::Unregistered(ready.without(interest)));
            }
        }
    }

    /// Runs a system call that moves data until it does or has to wait.
    fn poll_call(
        &self,
        interest: Interest,
        cx: &mut Context<'_>,
        mut call: impl FnMut(RawFd) -> nix::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        // A connection with much to move lets the others have their turn.
        let turn = ready!(coop::poll_proceed(cx));
        loop {
            ready!(self.poll_ready(interest, cx))?;
            match call(self.fd()) {
                Err(Errno::EAGAIN) => self.clear(interest),
                Err(Errno::EINTR) => {}
                result => {
                    turn.made_progress();
                    return Poll::Ready(result.map_err(io::Error::from));
                }
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let State::Registered(registration) = self.state.get() {
            // Closing the descriptor takes it out of the system's set.
            registration.release();
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
        let room = buffer.space();
        let call = |fd| recv(fd, room, MsgFlags::empty());
        let count = ready!(self.0.poll_call(Interest::Read, cx, call))?;
        if count > 0 && count < room.len() {
            // That was all there is: asking again would only tell so.
            self.0.clear(Interest::Read);
        }
        buffer.advance(count);
        Poll::Ready(Ok(count))
    }
}

impl Reader<'_> {
    /// Ready when the other side has ended its direction or broken the connection; what it has sent before
    /// stays to be read, and hides the end.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if ready!(self.0.poll_readable(cx)).is_err() {
                return Poll::Ready(());
            }
            let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
            match recv(self.0.fd(), &mut [0], flags) {
                Ok(1..) => return Poll::Pending,
                Err(Errno::EAGAIN) => self.0.clear(Interest::Read),
                Err(Errno::EINTR) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

impl Writer<'_> {
    /// Writes once.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes, Follows::Unknown)
    }

    /// Writes all of it.
    pub async fn write_all(&mut self, bytes: &[u8], follows: Follows) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = poll_fn(|cx| self.poll_send(cx, rest, follows)).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes all of these, one after the other, in as few calls as it takes: none of them is copied.
    pub async fn write_parts(&mut self, parts: [&[u8]; 3], follows: Follows) -> io::Result<()> {
        let mut parts = parts.map(IoSlice::new);
        let mut rest = &mut parts[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let count = poll_fn(|cx| self.poll_send_parts(cx, rest, follows)).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut rest, count);
        }
        Ok(())
    }

    fn poll_send_parts(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
        follows: Follows,
    ) -> Poll<io::Result<usize>> {
        let flags = follows.flags();
        self.0.poll_call(Interest::Write, cx, |fd| sendmsg::<()>(fd, parts, &[], flags, None))
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        follows: Follows,
    ) -> Poll<io::Result<usize>> {
        let flags = follows.flags();
        self.0.poll_call(Interest::Write, cx, |fd| send(fd, bytes, flags))
    }

    /// Ends this direction.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn shutdown(&mut self) -> io::Result<()> {
        Ok(shutdown(self.0.fd(), Shutdown::Write)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    /// Does work on a thread of its own that watches its sockets.
    fn served<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
        let thread = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            tokio::task::LocalSet::new().block_on(&runtime.unwrap(), async {
                tokio::task::spawn_local(reactor::drive());
                tokio::task::yield_now().await;
                work().await
            })
        };
        std::thread::scope(|scope| scope.spawn(thread).join().unwrap())
    }

    fn pair() -> (Socket, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Socket::accepted(ours.into()), theirs)
    }

    async fn read(socket: &mut Socket) -> Vec<u8> {
        let mut buffer = Buffer::take();
        socket.split().0.read(&mut buffer).await.unwrap();
        buffer.filled().to_vec()
    }

    /// Whether a read has to wait: after it the socket is registered.
    fn must_wait(socket: &mut Socket) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        socket.split().0.poll_read(&mut cx, &mut Buffer::take()).is_pending()
    }

    #[test]
    fn a_reader_is_woken_each_time_something_comes_and_at_the_end() {
        served(async || {
            let (mut socket, mut other) = pair();
            for text in [&b"one"[..], b"two"] {
                assert!(must_wait(&mut socket) && socket.is_silent());
                other.write_all(text).unwrap();
                assert_eq!(read(&mut socket).await, text);
            }
            other.write_all(b"last").unwrap();
            drop(other);
            assert_eq!(read(&mut socket).await, b"last");
            assert_eq!(read(&mut socket).await, b"");
            assert!(!socket.is_silent());
        });
    }

    #[test]
    fn a_writer_waits_for_room() {
        served(async || {
            let (mut socket, mut other) = pair();
            let sent = vec![7; 4 << 20];
            let reader = std::thread::spawn(move || {
                let mut received = Vec::new();
                std::io::Read::read_to_end(&mut other, &mut received).unwrap();
                received
            });
            socket.split().1.write_all(&sent, Follows::Unknown).await.unwrap();
            socket.split().1.shutdown().unwrap();
            assert!(reader.join().unwrap() == sent);
        });
    }

    #[test]
    fn a_socket_can_move_to_another_thread() {
        let (mut socket, mut other) = pair();
        let socket = served(async move || {
            assert!(must_wait(&mut socket));
            socket.leave_thread();
            socket
        });
        // What another thread knows of it is not asked for here.
        assert!(socket.is_silent());
        other.write_all(b"hello").unwrap();
        assert!(!socket.is_silent());
        let mut socket = socket;
        assert_eq!(served(async move || read(&mut socket).await), b"hello");
    }

    #[test]
    fn a_socket_dropped_elsewhere_leaves_nothing_behind() {
        served(async || {
            let (mut first, mut other) = pair();
            assert!(must_wait(&mut first));
            std::thread::scope(|scope| drop(scope.spawn(move || drop(first))));
            // The place is given to the next one, which hears only what concerns it.
            let (mut second, mut its_other) = pair();
            assert!(must_wait(&mut second));
            assert!(other.write_all(b"lost").is_err());
            its_other.write_all(b"mine").unwrap();
            assert_eq!(read(&mut second).await, b"mine");
        });
    }
}
