//! What memory is used for (`show pools`; management.txt 4, SIGQUIT). In: what each thread tells of its
//! buffers and streams, and the running configuration. Out: HAProxy's list, one line a kind of object,
//! with what this implementation has. The sizes are those of the objects themselves, without what the
//! allocator adds.

use std::fmt::Write;
use std::mem::size_of;
use std::rc::Rc;
use std::sync::Arc;

use crate::control::cli::internals::ask_threads;
use crate::flow::session::{Client, Session, Stream};
use crate::flow::threads::{Shared, Thread};
use crate::flow::transport::buffer::{self, Buffers};
use crate::flow::transport::socket::Socket;
use crate::state::world::World;

/// Objects of one kind.
#[derive(Debug, PartialEq, Eq)]
struct Pool {
    name: &'static str,
    /// Bytes of one.
    size: usize,
    /// How many there are, those kept for the next use included.
    allocated: usize,
    /// How many are in use.
    used: usize,
    /// How many things in the configuration use the kind: proxies, tables, servers.
    users: usize,
}

/// The list, asked of all threads; a thread that does not answer in a second is left out.
pub async fn report(shared: Arc<Shared>) -> String {
    let world = shared.world.load_full();
    let threads = ask_threads(shared, OfThread::now).await;
    let mut pools = of_threads(threads.into_iter().map(|(_, thread)| thread));
    pools.extend(of_servers(&world));
    pools.extend(of_tables(&world));
    pools.sort_by_key(|pool| pool.size);
    list(&pools)
}

/// What a thread holds.
struct OfThread {
    sessions: usize,
    streams: usize,
    buffers: Buffers,
    large: Buffers,
}

impl OfThread {
    fn now(thread: &Rc<Thread>) -> OfThread {
        let (buffers, large) = buffer::of_this_thread();
        let sessions = thread.connections() as usize;
        OfThread { sessions, streams: thread.registry.all().len(), buffers, large }
    }
}

fn of_threads(threads: impl Iterator<Item = OfThread>) -> Vec<Pool> {
    let session = size_of::<Session>() + size_of::<Client>();
    let mut pools = [
        Pool { name: "session", size: session, allocated: 0, used: 0, users: 0 },
        Pool { name: "stream", size: size_of::<Stream<'_>>(), allocated: 0, used: 0, users: 0 },
        Pool { name: "buffer", size: 0, allocated: 0, used: 0, users: 0 },
        Pool { name: "large_buf", size: 0, allocated: 0, used: 0, users: 0 },
    ];
    for thread in threads {
        let OfThread { sessions, streams, buffers, large } = thread;
        let of_buffers = |b: Buffers| (b.size, b.allocated, b.allocated.saturating_sub(b.free));
        let told = [
            (session, sessions, sessions),
            (size_of::<Stream<'_>>(), streams, streams),
            of_buffers(buffers),
            of_buffers(large),
        ];
        for (pool, (size, allocated, used)) in pools.iter_mut().zip(told) {
            pool.size = size;
            pool.allocated += allocated;
            pool.used += used;
            pool.users += 1;
        }
    }
    pools.into()
}

/// Connections to servers: those that serve, and those that wait for a request.
fn of_servers(world: &World) -> Option<Pool> {
    let servers = || world.proxies.iter().flat_map(|proxy| proxy.servers());
    let used: u32 = servers().map(|server| server.pool.used()).sum();
    let idle: u32 = servers().map(|server| server.pool.idle()).sum();
    let (used, idle) = (used as usize, idle as usize);
    let pool = Pool {
        name: "srv_conn",
        size: size_of::<Socket>(),
        allocated: used + idle,
        used,
        users: servers().count(),
    };
    (pool.users > 0).then_some(pool)
}

/// Entries of stick tables, by their size.
fn of_tables(world: &World) -> Vec<Pool> {
    let mut pools: Vec<Pool> = Vec::new();
    for table in world.tables.values() {
        let (size, used) = (table.entry_size(), table.used() as usize);
        match pools.iter_mut().find(|pool| pool.size == size) {
            Some(pool) => {
                pool.allocated += used;
                pool.used += used;
                pool.users += 1;
            }
            None => {
                pools.push(Pool { name: "sticktables", size, allocated: used, used, users: 1 });
            }
        }
    }
    pools
}

fn list(pools: &[Pool]) -> String {
    let mut text = "Dumping pools usage. Use SIGQUIT to flush them.\n".to_owned();
    let (mut allocated, mut used) = (0, 0);
    for pool in pools {
        let bytes = pool.allocated * pool.size;
        allocated += bytes;
        used += pool.used * pool.size;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  - Pool {} ({} bytes) : {} allocated ({bytes} bytes), {} used, needed_avg {}, 0 failures, {} users",
            pool.name, pool.size, pool.allocated, pool.used, pool.used, pool.users,
        );
    }
    let count = pools.len();
    let _ = writeln!(text, "Total: {count} pools, {allocated} bytes allocated, {used} used.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_added_up() {
        let thread = |free: usize| OfThread {
            sessions: 2,
            streams: 1,
            buffers: Buffers { size: 100, allocated: 3, free },
            large: Buffers { size: 1_000, allocated: 0, free: 0 },
        };
        let pools = of_threads([thread(1), thread(2)].into_iter());
        let buffers = Pool { name: "buffer", size: 100, allocated: 6, used: 3, users: 2 };
        assert_eq!(pools[2], buffers);
        assert_eq!((pools[0].used, pools[1].used), (4, 2));
        let text = list(&pools[2..]);
        let line = "  - Pool buffer (100 bytes) : 6 allocated (600 bytes), 3 used, needed_avg 3, 0 failures, 2 users\n";
        assert!(text.contains(line), "{text}");
        assert!(text.ends_with("Total: 2 pools, 600 bytes allocated, 300 used.\n"), "{text}");
    }
}
