//! `balance leastconn`: the server with the fewest sessions for its weight (manual 4.2 "balance"). Among
//! equals, the one that has been so for longest.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;

use crate::catalog::{Part, Status};
use crate::flow::balance::{Algorithm, Balancer, Group, Seen, all_backups};
use crate::flow::session::Stream;
use crate::state::world::Server;

#[derive(Debug)]
struct LeastConn {
    seen: RwLock<Seen>,
    /// When each server's sessions changed last, counted in such changes.
    since: Vec<AtomicU64>,
    changes: AtomicU64,
}

/// The highest weight, in parts.
const MAX_WEIGHT: u64 = 4096;

impl LeastConn {
    fn moved(&self, server: usize) {
        if let Some(since) = self.since.get(server) {
            since.store(self.changes.fetch_add(1, Relaxed) + 1, Relaxed);
        }
    }

    /// Sessions for the weight, then how long that has been so: the lowest is chosen.
    fn rank(&self, server: &Server, weight: u32) -> (u64, u64, usize) {
        let counters = &server.status.counters;
        let load = u64::from(counters.sessions.get()) + u64::from(counters.queued.get());
        let key = if load == 0 { 0 } else { (load + 1) * MAX_WEIGHT / u64::from(weight.max(1)) };
        let since = self.since.get(server.index).map_or(0, |since| since.load(Relaxed));
        (key, since, server.index)
    }
}

/// Whether one more session may go to a server or into its queue.
fn may_wait(server: &Server) -> bool {
    let limit = server.limit();
    let counters = &server.status.counters;
    let load = counters.sessions.get().saturating_add(counters.queued.get());
    limit == 0 || load < limit.saturating_add(server.maxqueue)
}

impl Balancer for LeastConn {
    fn pick(&self, servers: &[Server], stream: &Stream<'_>, avoid: Option<usize>) -> Option<usize> {
        if self.seen.read().is_stale() {
            let mut seen = self.seen.write();
            if let Some(before) = seen.refresh(servers) {
                let now = seen.weights.iter();
                let changed = now.enumerate().filter(|(i, w)| before.get(*i) != Some(*w));
                changed.for_each(|(server, _)| self.moved(server));
            }
        }
        let seen = self.seen.read();
        let backup = match seen.group(servers, all_backups(stream)) {
            Group::None => return None,
            Group::One(only) => return Some(only),
            Group::Active => false,
            Group::Backups => true,
        };
        let players = servers.iter().zip(&seen.weights);
        let players = players.filter(|(s, weight)| **weight > 0 && s.backup == backup);
        let ranked = players
            .filter(|(server, _)| may_wait(server))
            .map(|(server, weight)| (Some(server.index) == avoid, self.rank(server, *weight)));
        ranked.min().map(|(_, (_, _, server))| server)
    }

    fn entered(&self, _: &[Server], server: usize) {
        self.moved(server);
    }

    fn left(&self, _: &[Server], server: usize) {
        self.moved(server);
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    algorithms: &[Algorithm {
        name: "leastconn",
        args: "",
        doc: "The server with the fewest sessions for its weight.",
        examples: &["leastconn"],
        status: Status::Works,
        parse: |_| Ok(()),
        build: |_, servers| {
            Box::new(LeastConn {
                seen: RwLock::default(),
                since: servers.iter().map(|_| AtomicU64::new(0)).collect(),
                changes: AtomicU64::new(0),
            })
        },
    }],
    ..Part::NONE
};
