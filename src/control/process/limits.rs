//! File descriptors, memory and connections of the process (manual 3.1 `ulimit-n`, 3.2 `maxconn`;
//! management.txt `-n`, `-m`).
//!
//! In: what the configuration asks for and what the system allows. Out: the `maxconn` that fits, and the
//! limits raised as far as they need be.

use super::args::Args;
use super::console;
use super::load::program;
use crate::state::world::World;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::sync::OnceLock;

/// Descriptors that a process needs besides connections.
const RESERVED: u64 = 10;
/// Descriptors of a thread as HAProxy computes them: waiting, waking and one runtime.
const FOR_EACH_THREAD: u64 = 3;
/// Descriptors allowed beyond what is computed so, and those of each thread: the set of sockets with its
/// watch, copies of listening sockets.
const SPARE: u64 = 64;
const SPARE_FOR_EACH_THREAD: u64 = 2;
/// The default that HAProxy is built with, and the least that is computed.
const LEAST_CONNECTIONS: u64 = 100;

/// Takes memory from the system in small pages only, in workers too: with huge ones it comes 2 MiB at a
/// time, most of which stays unused, and is slow to be had when memory is in pieces.
pub fn take_small_pages() {
    // An old kernel that cannot be told only costs memory.
    let _ = nix::sys::prctl::set_thp_disable(true);
}

/// Decides `maxconn` where neither `-n` nor the configuration does.
pub fn fill_in(world: &mut World, args: &Args) {
    let mut wanted = u64::from(world.global.maxconn);
    if args.max_connections > 0 {
        wanted = args.max_connections;
    }
    if wanted == 0 {
        let (soft, hard) = at_start();
        let limit = world.global.spec.ulimit_n.unwrap_or(soft.max(hard));
        wanted = connections_for(limit, fixed(world));
    }
    world.global.maxconn = u32::try_from(wanted).unwrap_or(u32::MAX);
    world.global.maxsock = u64::from(world.global.maxconn) * 2 + fixed(world);
}

/// Raises the limits of the process to what `world` needs. False when it must not start.
pub fn raise(world: &World, args: &Args) -> bool {
    let needed = world.global.maxsock;
    let given = world.global.spec.ulimit_n;
    let spare = SPARE + SPARE_FOR_EACH_THREAD * world.global.threads as u64;
    let (wanted, spare) = given.map_or((needed, spare), |given| (given, 0));
    let strict = world.global.spec.process.strict_limits.unwrap_or(true);
    let missed = Missed { strict, fatal: strict && !args.master_worker };
    raise_files(wanted, spare, missed)
        && limit_memory(args, missed)
        && enough_files(needed, world.global.maxconn, missed)
}

/// What to do about a limit that could not be set (manual 3.1 "strict-limits").
#[derive(Debug, Clone, Copy)]
struct Missed {
    /// It is an `[ALERT]`.
    strict: bool,
    /// The process does not start. A master, which serves nobody, does.
    fatal: bool,
}

impl Missed {
    /// Says so; false when the process must not start.
    fn tell(self, text: &str) -> bool {
        let text = format!("[{}.main()] {text}", program());
        if self.strict {
            console::alert(text)
        } else {
            console::warning(text)
        }
        !self.fatal
    }
}

fn raise_files(wanted: u64, spare: u64, missed: Missed) -> bool {
    let (_, hard) = at_start();
    let set = |limit: u64| setrlimit(Resource::RLIMIT_NOFILE, limit, limit.max(hard)).is_ok();
    if set(wanted + spare) || set(wanted) {
        return true;
    }
    // What can be had without more rights: the hard limit.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    missed.tell(&format!("Cannot raise FD limit to {wanted}, limit is {}.", files()))
}

/// Whether there are enough descriptors, whatever limited them.
fn enough_files(needed: u64, maxconn: u32, missed: Missed) -> bool {
    let limit = files();
    if limit >= needed {
        return true;
    }
    console::alert(format!(
        "[{}.main()] FD limit ({limit}) too low for maxconn={maxconn}/maxsock={needed}. Please raise 'ulimit-n' to {needed} or more to avoid any trouble.",
        program()
    ));
    !missed.fatal
}

/// Descriptors that this process may have now.
fn files() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft)
}

fn limit_memory(args: &Args, missed: Missed) -> bool {
    if args.memory_limit == 0 {
        return true;
    }
    let bytes = args.memory_limit.saturating_mul(1 << 20);
    if setrlimit(Resource::RLIMIT_AS, bytes, bytes).is_ok() {
        return true;
    }
    let megs = args.memory_limit;
    missed.tell(&format!("Cannot fix MEM limit to {megs} megs."))
}

/// Descriptors that do not depend on how many connections there are.
fn fixed(world: &World) -> u64 {
    let listeners: usize = world.proxies.iter().map(|proxy| proxy.listeners().len()).sum();
    let checks: usize = world
        .proxies
        .iter()
        .map(|proxy| proxy.servers().iter().filter(|server| server.check.is_some()).count())
        .sum();
    RESERVED + (listeners + checks) as u64 + FOR_EACH_THREAD * world.global.threads as u64
}

/// Two descriptors a connection, and never fewer connections than HAProxy's built-in default.
fn connections_for(limit: u64, fixed: u64) -> u64 {
    (limit.saturating_sub(fixed) / 2).max(LEAST_CONNECTIONS)
}

/// Soft and hard limit of descriptors that this process was started with.
fn at_start() -> (u64, u64) {
    static LIMITS: OnceLock<(u64, u64)> = OnceLock::new();
    *LIMITS.get_or_init(|| getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024)))
}

/// Remembers the limits before anything changes them.
pub fn remember() {
    at_start();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_follow_the_limit() {
        assert_eq!(connections_for(20_000, 20), 9_990);
        assert_eq!(connections_for(64, 20), LEAST_CONNECTIONS);
        assert_eq!(connections_for(1_073_741_816, 20), 536_870_898);
    }
}
