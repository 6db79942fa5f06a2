//! Log receivers: a UDP port or a unix datagram socket (manual 8, RFC 3164 and 5424 transport).

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::PATIENCE;

/// A bound datagram socket; one datagram is one log line.
#[derive(Debug)]
pub struct Syslog {
    socket: Receiver,
    lines: Vec<String>,
}

#[derive(Debug)]
enum Receiver {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Syslog {
    /// Receives on a free UDP port of 127.0.0.1.
    pub fn udp() -> Result<Syslog> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Syslog { socket: Receiver::Udp(socket), lines: Vec::new() })
    }

    /// Receives on a new unix datagram socket at `path`.
    pub fn unix(path: &Path) -> Result<Syslog> {
        let socket = UnixDatagram::bind(path);
        let socket = socket.with_context(|| format!("binding {}", path.display()))?;
        Ok(Syslog { socket: Receiver::Unix(socket), lines: Vec::new() })
    }

    /// The UDP address to name in the configuration.
    pub fn address(&self) -> Result<SocketAddr> {
        match &self.socket {
            Receiver::Udp(socket) => Ok(socket.local_addr()?),
            Receiver::Unix(_) => bail!("a unix log socket has a path, not an address"),
        }
    }

    /// Waits until `count` lines have come since the start, and gives all lines so far.
    pub fn wait_for(&mut self, count: usize) -> Result<&[String]> {
        let end = Instant::now() + PATIENCE;
        while self.lines.len() < count {
            let had = self.lines.len();
            self.receive(end)?;
            let (lines, wanted) = (&self.lines, count);
            ensure!(
                lines.len() > had,
                "{had} of {wanted} log lines within {PATIENCE:?}: {lines:#?}"
            );
        }
        Ok(&self.lines)
    }

    /// Waits for a line, old or new, that contains `part`.
    pub fn wait_for_line(&mut self, part: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        let mut next = 0;
        loop {
            if let Some(line) = self.lines[next..].iter().find(|line| line.contains(part)) {
                return Ok(line.clone());
            }
            next = self.lines.len();
            self.receive(end)?;
            let lines = &self.lines;
            ensure!(lines.len() > next, "no log line with {part:?} in {PATIENCE:?}: {lines:#?}");
        }
    }

    /// Everything that has come, and comes within `time`.
    pub fn lines_within(&mut self, time: Duration) -> Result<&[String]> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.receive(end)?;
        }
        Ok(&self.lines)
    }

    /// Receives one datagram; adds nothing when none comes before `end`.
    fn receive(&mut self, end: Instant) -> Result<()> {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let mut bytes = vec![0; 65536];
        let received = match &self.socket {
            Receiver::Udp(socket) => {
                socket.set_read_timeout(Some(left))?;
                socket.recv(&mut bytes)
            }
            Receiver::Unix(socket) => {
                socket.set_read_timeout(Some(left))?;
                socket.recv(&mut bytes)
            }
        };
        if let Ok(count) = received {
            self.lines.push(String::from_utf8_lossy(&bytes[..count]).into_owned());
        }
        Ok(())
    }
}
