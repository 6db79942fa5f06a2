//! Free TCP ports that no parallel test gets as well.
//!
//! A port is taken from below the kernel's ephemeral range, so no outgoing connection can sit on
//! it, and stays claimed until this process ends: a proxy of a test that is over may still be
//! connecting to it. A claim is a lock on one byte of a file that all test processes share. So a server
//! may be stopped and started again on its port, and a port may be reserved for having nothing
//! listen on it.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::process::listening_ports;

/// The ephemeral range begins at 32768 on Linux.
const FIRST: u16 = 10_240;
const COUNT: u16 = 22_000;

/// A TCP port on 127.0.0.1 that is ours.
#[derive(Debug)]
pub struct Port {
    number: u16,
}

impl Port {
    /// Claims a port on which nothing listens.
    pub fn reserve() -> Result<Port> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        static CLAIMS: Mutex<Option<File>> = Mutex::new(None);
        let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match claims.take() {
            Some(file) => file,
            None => shared_file()?,
        };
        let file = claims.insert(file);
        let own = std::process::id().wrapping_mul(7919) % u32::from(COUNT);
        for _ in 0..COUNT {
            let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            let number = FIRST + ((own + step) % u32::from(COUNT)) as u16;
            // Looked up, not tried: a socket opened here would live on for a moment in a child that
            // another thread is starting, and make the port look taken.
            if claim(file, number) && !listening_ports().contains(&number) {
                return Ok(Port { number });
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

/// The file whose bytes are locked, one for each port.
fn shared_file() -> Result<File> {
    let name = format!("haproxy-test-ports-{}", nix::unistd::getuid());
    let path = std::env::temp_dir().join(name);
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(&path);
    file.with_context(|| format!("opening {}", path.display()))
}

/// Locks the port's byte, unless another open file has locked it.
fn claim(file: &File, number: u16) -> bool {
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: libc::off_t::from(number),
        l_len: 1,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_nobody_elses_while_this_process_lives() {
        let number = Port::reserve().unwrap().number();
        let as_another_process = shared_file().unwrap();
        assert!(!claim(&as_another_process, number));
        assert_ne!(Port::reserve().unwrap().number(), number);
    }
}
