//! What a master and its worker tell each other, over a pair of sockets.
//!
//! In and out: frames, each a kind, bytes and descriptors. Both ends are the same program; numbers are
//! little-endian.

use crate::sys::{self, DESCRIPTORS_AT_ONCE};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// What a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To the worker: a bundle to load and run.
    Load,
    /// To the worker: a connection that wants to use the runtime socket.
    Connection,
    /// To the master: what was to be loaded runs.
    Ready,
    /// To the master: it does not, and the bytes say why.
    Failed,
}

/// One message.
#[derive(Debug)]
pub struct Frame {
    pub kind: Kind,
    pub bytes: Vec<u8>,
    pub descriptors: Vec<OwnedFd>,
}

/// One end. Clones are the same end.
#[derive(Debug, Clone)]
pub struct Channel(Rc<UnixStream>);

const HEADER: usize = 16;

impl Channel {
    /// An end from a connected socket; call inside a runtime.
    ///
    /// # Errors
    /// The socket cannot be waited for.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = std::os::unix::net::UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self(Rc::new(UnixStream::from_std(socket)?)))
    }

    /// Sends one frame. Frames of concurrent calls would mix.
    ///
    /// # Errors
    /// The other end is gone.
    pub async fn send(
        &self,
        kind: Kind,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&(kind as u32).to_le_bytes());
        header.extend_from_slice(&(descriptors.len() as u32).to_le_bytes());
        header.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.send_all(&header, &[]).await?;
        self.send_all(bytes, &[]).await?;
        for batch in descriptors.chunks(DESCRIPTORS_AT_ONCE) {
            let batch: Vec<RawFd> = batch.iter().map(AsRawFd::as_raw_fd).collect();
            self.send_all(b"+", &batch).await?;
        }
        Ok(())
    }

    /// The next frame; `None` when the other end is gone. Must not be dropped half-way.
    ///
    /// # Errors
    /// The other end sent something else than frames.
    pub async fn receive(&self) -> io::Result<Option<Frame>> {
        let mut header = [0; HEADER];
        let mut descriptors = Vec::new();
        if !self.receive_all(&mut header, &mut descriptors).await? {
            return Ok(None);
        }
        let [k0, k1, k2, k3, d0, d1, d2, d3, length @ ..] = header;
        let kind = kind_of(u32::from_le_bytes([k0, k1, k2, k3]))?;
        let count = u32::from_le_bytes([d0, d1, d2, d3]) as usize;
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| malformed())?;
        let mut bytes = vec![0; length];
        let mut marks = vec![0; count.div_ceil(DESCRIPTORS_AT_ONCE)];
        let mut whole = self.receive_all(&mut bytes, &mut descriptors).await?;
        for mark in &mut marks {
            whole &= self.receive_all(std::slice::from_mut(mark), &mut descriptors).await?;
        }
        match whole && descriptors.len() == count {
            true => Ok(Some(Frame { kind, bytes, descriptors })),
            false => Err(malformed()),
        }
    }

    async fn send_all(&self, mut bytes: &[u8], descriptors: &[RawFd]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.0.writable().await?;
            let send = || sys::send_with(self.0.as_fd(), bytes, descriptors);
            match self.0.try_io(Interest::WRITABLE, send) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Fills `buffer`; false when the other end was gone before the first byte.
    async fn receive_all(
        &self,
        buffer: &mut [u8],
        descriptors: &mut Vec<OwnedFd>,
    ) -> io::Result<bool> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            self.0.readable().await?;
            let receive = || sys::receive_with(self.0.as_fd(), rest);
            match self.0.try_io(Interest::READABLE, receive) {
                Ok((0, _)) if filled == 0 => return Ok(false),
                Ok((0, _)) => return Err(malformed()),
                Ok((length, received)) => {
                    filled += length;
                    descriptors.extend(received);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn kind_of(number: u32) -> io::Result<Kind> {
    [Kind::Load, Kind::Connection, Kind::Ready, Kind::Failed]
        .into_iter()
        .find(|kind| *kind as u32 == number)
        .ok_or_else(malformed)
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed frame")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_keep_bytes_and_descriptors() {
        let (here, there) = std::os::unix::net::UnixStream::pair().unwrap();
        let (here, there) =
            (Channel::new(here.into()).unwrap(), Channel::new(there.into()).unwrap());
        let file = std::fs::File::open("/dev/null").unwrap();
        let many = vec![file.as_fd(); 600];
        let large = vec![7; 3_000_000];
        let send = async {
            here.send(Kind::Load, &large, &many).await.unwrap();
            here.send(Kind::Failed, b"why", &[]).await.unwrap();
        };
        let receive = async {
            let first = there.receive().await.unwrap().unwrap();
            (first, there.receive().await.unwrap().unwrap())
        };
        let ((), (first, second)) = tokio::join!(send, receive);
        assert_eq!((first.kind, first.bytes.len()), (Kind::Load, 3_000_000));
        assert_eq!(first.descriptors.len(), 600);
        assert_eq!((second.kind, second.bytes.as_slice()), (Kind::Failed, &b"why"[..]));
        drop(here);
        assert!(there.receive().await.unwrap().is_none());
    }
}
