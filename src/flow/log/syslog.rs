//! Sending log lines (manual 4.2 "log"; RFC 3164, RFC 5424). In: a level and a message. Out: a datagram
//! or a line on a descriptor; never waits: what cannot be sent at once is lost and counted.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};
use parking_lot::Mutex;

use crate::flow::log::date;
use crate::flow::log::message::Message;
use crate::flow::log::ring::Sink;
use crate::flow::log::target::{Header, SampleSpec};
use crate::sys;

/// A target that runs.
#[derive(Debug)]
pub struct Target {
    /// How lines get there.
    pub transport: Transport,
    /// What stands before a message.
    pub header: Header,
    /// Bytes of a line, header included.
    pub length: usize,
    /// The facility's code.
    pub facility: u8,
    /// Lines less urgent than this are left out.
    pub level: u8,
    /// Lines more urgent than this are sent with this level.
    pub least: u8,
    /// Which lines are taken.
    pub sample: Option<Sampler>,
}

/// Counts lines, and says which are taken.
#[derive(Debug)]
pub struct Sampler {
    spec: SampleSpec,
    count: AtomicU64,
}

impl Sampler {
    /// Begins to count.
    pub fn new(spec: SampleSpec) -> Sampler {
        Sampler { spec, count: AtomicU64::new(0) }
    }

    fn takes_next(&self) -> bool {
        let number = self.count.fetch_add(1, Relaxed) % u64::from(self.spec.size) + 1;
        self.spec.ranges.iter().any(|(l, h)| (u64::from(*l)..=u64::from(*h)).contains(&number))
    }
}

/// Who sends a message.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// `log-tag`
    pub tag: &'a [u8],
    /// This host's name.
    pub host: &'a [u8],
    /// The process's number.
    pub pid: u32,
    /// RFC 5424's structured data, empty for none.
    pub structured: &'a [u8],
}

impl Target {
    /// Whether a line of this level goes here. Asked once a line, because sampling counts.
    pub fn takes(&self, level: u8) -> bool {
        level <= self.level && self.sample.as_ref().is_none_or(Sampler::takes_next)
    }

    /// Sends a message; `buffer` is overwritten.
    ///
    /// # Errors
    /// `WouldBlock` when the line was lost because nobody reads fast enough, or the system's own.
    pub fn send(
        &self,
        level: u8,
        sender: &Sender<'_>,
        message: &[u8],
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        if let Transport::Ring(sink) = &self.transport {
            let message = message.get(..self.length).unwrap_or(message);
            let priority = (self.facility, level.max(self.least));
            let header = |format, now, line: &mut Vec<u8>| {
                write_header(format, priority.0, priority.1, sender, now, line);
            };
            return sink.write(header, message);
        }
        buffer.clear();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let level = level.max(self.least);
        write_header(self.header, self.facility, level, sender, now, buffer);
        self.finish(message, buffer)
    }

    /// Sends a message of another program, in `format` or its own; `buffer` is overwritten.
    ///
    /// # Errors
    /// `WouldBlock` when the line was lost because nobody reads fast enough, or the system's own.
    pub fn forward(
        &self,
        message: &Message<'_>,
        format: Option<Header>,
        now: Duration,
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        let facility = message.priority.map_or(u32::from(self.facility), |p| p / 8);
        let level = u32::from(message.level().unwrap_or(0).max(self.least));
        if let Transport::Ring(sink) = &self.transport {
            let text = message.text.get(..self.length).unwrap_or(message.text);
            let facility = u32::from(self.facility);
            let header = |format, now, line: &mut Vec<u8>| {
                message.write_header(Some(format), (facility, level), now, line);
            };
            return sink.write(header, text);
        }
        buffer.clear();
        message.write_header(format, (facility, level), now, buffer);
        self.finish(message.text, buffer)
    }

    /// Sends a message behind the header in `buffer`.
    fn finish(&self, message: &[u8], buffer: &mut Vec<u8>) -> io::Result<()> {
        let ends = message.iter().rposition(|b| !matches!(b, b'\n' | 0)).map_or(0, |at| at + 1);
        buffer.extend_from_slice(message.get(..ends).unwrap_or_default());
        // On a descriptor the line's end counts.
        let limit = match self.transport {
            Transport::Descriptor(_) => self.length - 1,
            _ => self.length,
        };
        buffer.truncate(limit);
        buffer.push(b'\n');
        match &self.transport {
            Transport::Udp(udp) => udp.send(buffer),
            Transport::Unix(unix) => unix.send(buffer),
            Transport::Descriptor(descriptor) => descriptor.send(buffer),
            // It has taken the message above.
            Transport::Ring(_) => Ok(()),
        }
    }
}

/// Appends what stands before a message.
pub fn write_header(
    header: Header,
    facility: u8,
    level: u8,
    sender: &Sender<'_>,
    now: Duration,
    out: &mut Vec<u8>,
) {
    let facility = u16::from(facility) * 8;
    match header {
        Header::Local | Header::Rfc3164 => {
            priority(out, facility + u16::from(level));
            date::write_rfc3164(out, now);
            out.push(b' ');
            if header == Header::Rfc3164 {
                push_all(out, &[sender.host, b" "]);
            }
            let mut pid = itoa::Buffer::new();
            push_all(out, &[sender.tag, b"[", pid.format(sender.pid).as_bytes(), b"]: "]);
        }
        Header::Rfc5424 => {
            priority(out, facility + u16::from(level));
            out.extend_from_slice(b"1 ");
            date::write_iso(out, now);
            let mut pid = itoa::Buffer::new();
            let data = if sender.structured.is_empty() { b"-" } else { sender.structured };
            let pid = pid.format(sender.pid).as_bytes();
            push_all(out, &[b" ", sender.host, b" ", sender.tag, b" ", pid, b" - ", data, b" "]);
        }
        Header::Priority => priority(out, facility + u16::from(level)),
        Header::Short => priority(out, level.into()),
        Header::Timed => {
            priority(out, level.into());
            date::write_iso(out, now);
            out.push(b' ');
        }
        Header::Iso => {
            date::write_iso(out, now);
            out.push(b' ');
        }
        Header::Raw => {}
    }
}

fn push_all(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn priority(out: &mut Vec<u8>, number: u16) {
    out.push(b'<');
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.push(b'>');
}

/// How lines get to a target.
#[derive(Debug)]
pub enum Transport {
    /// UDP.
    Udp(Udp),
    /// A unix datagram socket.
    Unix(Unix),
    /// A descriptor that somebody else opened.
    Descriptor(Descriptor),
    /// A ring.
    Ring(Arc<Sink>),
}

const FLAGS: MsgFlags = MsgFlags::MSG_DONTWAIT.union(MsgFlags::MSG_NOSIGNAL);

/// A UDP target. The socket is connected when that is possible, because this saves the look-up of the
/// route for each line.
#[derive(Debug)]
pub struct Udp {
    connected: Option<UdpSocket>,
    plain: UdpSocket,
    address: SocketAddr,
}

impl Udp {
    /// Opens the sockets.
    pub fn open(address: SocketAddr) -> io::Result<Udp> {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let plain = UdpSocket::bind((any, 0))?;
        plain.set_nonblocking(true)?;
        let connected = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.connect(address)?;
            Ok(socket)
        });
        Ok(Udp { connected: connected.ok(), plain, address })
    }

    fn send(&self, line: &[u8]) -> io::Result<()> {
        if let Some(socket) = &self.connected {
            match send(socket.as_raw_fd(), line, FLAGS) {
                Ok(_) => return Ok(()),
                Err(Errno::EAGAIN) => return Err(ErrorKind::WouldBlock.into()),
                // The answer to an earlier line, or routes that have changed.
                Err(_) => {}
            }
        }
        self.plain.send_to(line, self.address).map(drop)
    }
}

/// A unix datagram target: connected once, so that it works from inside `chroot`; and by its path
/// when the daemon behind it has begun anew.
#[derive(Debug)]
pub struct Unix {
    connected: Option<Arc<OwnedFd>>,
    plain: UnixDatagram,
    path: Option<PathBuf>,
}

impl Unix {
    /// A target at a path, and the socket that loading the configuration has connected, if it could.
    pub fn at(path: PathBuf, connected: Option<Arc<OwnedFd>>) -> io::Result<Unix> {
        let plain = UnixDatagram::unbound()?;
        plain.set_nonblocking(true)?;
        Ok(Unix { connected, plain, path: Some(path) })
    }

    /// A target in the abstract name space.
    pub fn abstract_name(name: &[u8]) -> io::Result<Unix> {
        let plain = UnixDatagram::unbound()?;
        plain.set_nonblocking(true)?;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        let connected = UnixDatagram::unbound()?;
        connected.set_nonblocking(true)?;
        let connected = connected.connect_addr(&address).map(|()| Arc::new(connected.into()));
        Ok(Unix { connected: connected.ok(), plain, path: None })
    }

    fn send(&self, line: &[u8]) -> io::Result<()> {
        let mut error = io::Error::from(ErrorKind::NotConnected);
        if let Some(socket) = &self.connected {
            match send(socket.as_fd().as_raw_fd(), line, FLAGS) {
                Ok(_) => return Ok(()),
                Err(Errno::EAGAIN) => return Err(ErrorKind::WouldBlock.into()),
                Err(e) => error = e.into(),
            }
        }
        match &self.path {
            Some(path) => self.plain.send_to(line, path).map(drop),
            None => Err(error),
        }
    }
}

/// A descriptor: `stdout`, `stderr`, `fd@N`. Lines of several threads do not mix.
#[derive(Debug)]
pub struct Descriptor {
    fd: RawFd,
    /// Whether it was made not to block.
    ready: Mutex<bool>,
}

impl Descriptor {
    /// A target that is descriptor `fd`, which stays its owner's.
    pub fn new(fd: RawFd) -> Descriptor {
        Descriptor { fd, ready: Mutex::new(false) }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// The system's, `WouldBlock` when nobody reads fast enough.
    pub fn send(&self, line: &[u8]) -> io::Result<()> {
        let mut ready = self.ready.lock();
        if !*ready {
            sys::make_nonblocking(self.fd)?;
            *ready = true;
        }
        sys::write_to(self.fd, line).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(header: Header, length: usize, transport: Transport) -> Target {
        Target { transport, header, length, facility: 16, level: 7, least: 0, sample: None }
    }

    fn header(header: Header) -> String {
        let target = target(header, 1024, Transport::Descriptor(Descriptor::new(-1)));
        let sender = Sender { tag: b"tag", host: b"host", pid: 42, structured: b"[a b=\"c\"]" };
        let mut out = Vec::new();
        let now = Duration::from_micros(1_795_360_583_000_001);
        write_header(target.header, target.facility, 6, &sender, now, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn headers() {
        let mut legacy = Vec::new();
        date::write_rfc3164(&mut legacy, Duration::from_secs(1_795_360_583));
        let legacy = String::from_utf8(legacy).unwrap();
        let mut iso = Vec::new();
        date::write_iso(&mut iso, Duration::from_micros(1_795_360_583_000_001));
        let iso = String::from_utf8(iso).unwrap();
        assert_eq!(header(Header::Local), format!("<134>{legacy} tag[42]: "));
        assert_eq!(header(Header::Rfc3164), format!("<134>{legacy} host tag[42]: "));
        assert_eq!(header(Header::Rfc5424), format!("<134>1 {iso} host tag 42 - [a b=\"c\"] "));
        assert_eq!(header(Header::Priority), "<134>");
        assert_eq!(header(Header::Short), "<6>");
        assert_eq!(header(Header::Timed), format!("<6>{iso} "));
        assert_eq!(header(Header::Iso), format!("{iso} "));
        assert_eq!(header(Header::Raw), "");
    }

    #[test]
    fn a_sample_takes_its_ranges_of_each_round() {
        let sampler = Sampler::new(SampleSpec { ranges: vec![(2, 3), (5, 5)], size: 6 });
        let taken: Vec<bool> = (0..8).map(|_| sampler.takes_next()).collect();
        assert_eq!(taken, [false, true, true, false, true, false, false, true]);
    }

    #[test]
    fn udp_lines_end_in_one_newline_and_are_cut() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let udp = Udp::open(receiver.local_addr().unwrap()).unwrap();
        let target = target(Header::Raw, 80, Transport::Udp(udp));
        let sender = Sender { tag: b"", host: b"", pid: 1, structured: b"" };
        let mut buffer = Vec::new();
        let mut received = [0; 200];
        target.send(6, &sender, b"hello\n\n", &mut buffer).unwrap();
        let length = receiver.recv(&mut received).unwrap();
        assert_eq!(&received[..length], b"hello\n");
        target.send(6, &sender, &[b'x'; 150], &mut buffer).unwrap();
        assert_eq!(receiver.recv(&mut received).unwrap(), 81);
    }

    #[test]
    fn a_receiver_that_went_away_is_no_error() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let udp = Udp::open(receiver.local_addr().unwrap()).unwrap();
        drop(receiver);
        for _ in 0..3 {
            udp.send(b"x").unwrap();
        }
    }

    #[test]
    fn a_full_unix_socket_loses_lines_and_does_not_wait() {
        let name = format!("haproxy-log-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let receiver = UnixDatagram::bind_addr(&address).unwrap();
        let unix = Unix::abstract_name(name.as_bytes()).unwrap();
        let lost = (0..100_000).find_map(|_| unix.send(&[b'x'; 1000]).err());
        assert_eq!(lost.map(|e| e.kind()), Some(ErrorKind::WouldBlock));
        drop(receiver);
    }
}
