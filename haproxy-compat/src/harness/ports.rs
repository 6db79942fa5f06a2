//! Free TCP ports that no parallel test gets as well.
//!
//! A port is taken from below the kernel's ephemeral range, so no outgoing connection can sit on
//! it, and stays claimed by a lock (one byte of one file for each port) as long as the [`Port`]
//! lives. So a server may be stopped and started again on its port, and a port may be reserved
//! for having nothing listen on it.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::process::listening_ports;

/// The ephemeral range begins at 32768 on Linux.
const FIRST: u16 = 10_240;
const COUNT: u16 = 22_000;

/// A TCP port on 127.0.0.1 that is ours until dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: File,
}

impl Port {
    /// Claims a port on which nothing listens.
    pub fn reserve() -> Result<Port> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let own = std::process::id().wrapping_mul(7919) % u32::from(COUNT);
        for _ in 0..COUNT {
            let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            let number = FIRST + ((own + step) % u32::from(COUNT)) as u16;
            // Looked up, not tried: a socket opened here would live on for a moment in a child that
            // another thread is starting, and make the port look taken.
            if let Some(claim) = claim(number)?
                && !listening_ports().contains(&number)
            {
                return Ok(Port { number, _claim: claim });
            }
        }
        bail!("no free port between {FIRST} and {}", FIRST + COUNT)
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:number`.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

/// Locks the port's byte; `None` if another test, of this or another process, holds it.
fn claim(number: u16) -> Result<Option<File>> {
    let name = format!("haproxy-test-ports-{}", nix::unistd::getuid());
    let path = std::env::temp_dir().join(name);
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("opening {}", path.display()))?;
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: libc::off_t::from(number),
        l_len: 1,
        l_pid: 0,
    };
    // A lock of the open file, not of the process: threads exclude each other too.
    Ok(fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).ok().map(|_| file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_nobody_elses() {
        let port = Port::reserve().unwrap();
        assert!(claim(port.number()).unwrap().is_none());
        let number = port.number();
        drop(port);
        assert!(claim(number).unwrap().is_some());
    }
}
