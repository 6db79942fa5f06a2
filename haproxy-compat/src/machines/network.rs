//! A network of its own for a test: a bridge, to which machines are joined. In: a closure. Out: what
//! it returns; the network is gone when its last process and socket are.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, unshare};

use super::run;

/// Runs `work` on a thread that has a network of its own, in which only its loopback is up. What
/// that thread starts (threads, processes) is in the same network.
pub fn in_own_network<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let inside = || {
        unshare(CloneFlags::CLONE_NEWNET).context("a network of its own needs root")?;
        ip("link set lo up")?;
        work()
    };
    std::thread::scope(|scope| match scope.spawn(inside).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// A bridge in this thread's network, 172.30.0.0/24, of which this side is .1.
pub struct Lan;

impl Lan {
    /// Makes the bridge; once in a network.
    pub fn new() -> Result<Lan> {
        ip("link add lan type bridge")?;
        ip("addr add 172.30.0.1/24 dev lan")?;
        ip("link set lan up")?;
        Ok(Lan)
    }

    /// The address with this last byte.
    pub fn address(host: u8, port: u16) -> SocketAddr {
        (Ipv4Addr::new(172, 30, 0, host), port).into()
    }

    /// Gives the network of the process `pid` a card with the address of `host` on this bridge.
    pub fn join(&self, pid: i32, host: u8) -> Result<()> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let card = format!("card{}", NEXT.fetch_add(1, Ordering::Relaxed));
        // The same address, the same hardware address, as Docker does it: who comes back under an
        // address is found at once by those who still know it.
        let mac = format!("02:42:ac:1e:00:{host:02x}");
        let peer = format!("peer name eth0 address {mac} netns {pid}");
        ip(&format!("link add {card} type veth {peer}"))?;
        ip(&format!("link set {card} master lan up"))?;
        let within = |words: &str| {
            let command = ["-t", &pid.to_string(), "--net", "ip"].map(str::to_owned);
            run(Command::new("nsenter").args(command).args(words.split(' ')))
        };
        within("link set lo up")?;
        within(&format!("addr add 172.30.0.{host}/24 dev eth0"))?;
        within("link set eth0 up")?;
        Ok(())
    }
}

fn ip(words: &str) -> Result<()> {
    run(Command::new("ip").args(words.split(' '))).map(|_| ())
}
