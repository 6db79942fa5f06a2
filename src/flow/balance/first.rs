//! `balance first`: the server with the lowest number that has a free slot (manual 4.2 "balance").

use parking_lot::RwLock;

use crate::catalog::{Part, Status};
use crate::flow::balance::{Algorithm, Balancer, Group, Seen, all_backups, has_slot};
use crate::flow::session::Stream;
use crate::state::world::Server;

#[derive(Debug)]
struct First {
    seen: RwLock<Seen>,
    /// Servers by number.
    order: Vec<usize>,
}

impl Balancer for First {
    fn pick(&self, servers: &[Server], stream: &Stream<'_>, avoid: Option<usize>) -> Option<usize> {
        if self.seen.read().is_stale() {
            self.seen.write().refresh(servers);
        }
        let seen = self.seen.read();
        let backup = match seen.group(servers, all_backups(stream)) {
            Group::None => return None,
            Group::One(only) => return Some(only),
            Group::Active => false,
            Group::Backups => true,
        };
        let plays = |server: &&Server| {
            let weight = seen.weights.get(server.index).copied();
            weight.is_some_and(|w| w > 0) && server.backup == backup && has_slot(server)
        };
        let mut free = self.order.iter().filter_map(|at| servers.get(*at)).filter(plays);
        let first = free.next()?.index;
        let second = (Some(first) == avoid).then(|| free.next()).flatten();
        Some(second.map_or(first, |server| server.index))
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    algorithms: &[Algorithm {
        name: "first",
        args: "",
        doc: "The server with the lowest number that has a free slot.",
        examples: &["first"],
        status: Status::Works,
        parse: |_| Ok(()),
        build: |_, servers| {
            let mut order: Vec<usize> = (0..servers.len()).collect();
            order.sort_by_key(|at| servers.get(*at).map(|server| server.id));
            Box::new(First { seen: RwLock::default(), order })
        },
    }],
    ..Part::NONE
};
