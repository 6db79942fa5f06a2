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
/// Waiting, waking and one runtime, and the set of sockets with its watch: descriptors of a thread.
const FOR_EACH_THREAD: u64 = 5;
/// The default that HAProxy is built with, and the least that is computed.
const LEAST_CONNECTIONS: u64 = 100;

/// Takes memory from the system in small pages only, in workers too: with huge ones it comes 2 MiB at a
/// time, most of which stays unused.
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
}

/// Raises the limits of the process to what `world` needs. False when it must not start.
pub fn raise(world: &World, args: &Args) -> bool {
    let needed = u64::from(world.global.maxconn) * 2 + fixed(world);
    let wanted = world.global.spec.ulimit_n.unwrap_or(needed);
    raise_files(wanted, args) && limit_memory(args)
}

fn raise_files(wanted: u64, args: &Args) -> bool {
    let (_, hard) = at_start();
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted.max(hard)).is_ok() {
        return true;
    }
    // What can be had without more rights: the hard limit.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    console::alert(format!(
        "[{}.main()] Cannot raise FD limit to {wanted}, limit is {limit}.",
        program()
    ));
    args.master_worker
}

fn limit_memory(args: &Args) -> bool {
    if args.memory_limit == 0 {
        return true;
    }
    let bytes = args.memory_limit.saturating_mul(1 << 20);
    if setrlimit(Resource::RLIMIT_AS, bytes, bytes).is_ok() {
        return true;
    }
    let megs = args.memory_limit;
    console::alert(format!("[{}.main()] Cannot fix MEM limit to {megs} megs.", program()));
    args.master_worker
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
