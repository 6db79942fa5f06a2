//! `balance static-rr`: turns by a fixed table (manual 4.2 "balance"). Weights do not change at run time,
//! but servers come and go.

use parking_lot::Mutex;

use crate::catalog::{Part, Status};
use crate::flow::balance::map::Map;
use crate::flow::balance::{Algorithm, Balancer, Seen, all_backups, has_slot};
use crate::flow::session::Stream;
use crate::state::world::Server;

#[derive(Debug)]
struct StaticRr(Mutex<(Seen, Map)>);

impl Balancer for StaticRr {
    fn pick(&self, servers: &[Server], stream: &Stream<'_>, avoid: Option<usize>) -> Option<usize> {
        let mut state = self.0.lock();
        let (seen, map) = &mut *state;
        if seen.refresh(servers).is_some() {
            map.fill(servers, &seen.weights, all_backups(stream));
        }
        map.next(&|index| servers.get(index).is_some_and(has_slot), avoid)
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    algorithms: &[Algorithm {
        name: "static-rr",
        args: "",
        doc: "Each server in turn, as often as its weight says; weights stay as written.",
        examples: &["static-rr"],
        status: Status::Works,
        parse: |_| Ok(()),
        build: |_, servers| Box::new(StaticRr(Mutex::new((Seen::default(), Map::new(servers))))),
    }],
    ..Part::NONE
};
