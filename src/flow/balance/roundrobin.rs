//! `balance roundrobin`: each server in turn, as often as its weight says (manual 4.2 "balance").
//! Weights may change at run time; the turns are one sequence for the whole process.

use parking_lot::Mutex;

use crate::catalog::{Part, Status};
use crate::config::words::Word;
use crate::flow::balance::{Algorithm, Balancer, candidates};
use crate::flow::session::Stream;
use crate::state::world::Server;

/// Smooth weighted turns: at each pick every candidate gains its weight, the richest is chosen and
/// pays the sum of all weights. Servers of equal weight take turns in their order.
#[derive(Debug)]
struct RoundRobin {
    credits: Mutex<Vec<i64>>,
}

impl Balancer for RoundRobin {
    fn pick(&self, servers: &[Server], stream: &Stream<'_>, avoid: Option<usize>) -> Option<usize> {
        let all_backups = stream.backend().is_some_and(|b| b.options.all_backups);
        let mut credits = self.credits.lock();
        let mut total = 0;
        let mut best: Option<usize> = None;
        for server in candidates(servers, all_backups) {
            if !server.has_room() {
                continue;
            }
            let weight = i64::from(server.status.weight());
            total += weight;
            let Some(credit) = credits.get_mut(server.index) else { continue };
            *credit += weight;
            let credit = *credit;
            let better = best.is_none_or(|b| {
                avoid == Some(b)
                    || (avoid != Some(server.index) && credits.get(b).is_some_and(|c| credit > *c))
            });
            if better {
                best = Some(server.index);
            }
        }
        let chosen = best?;
        *credits.get_mut(chosen)? -= total;
        Some(chosen)
    }
}

fn build(_: &[Word], servers: &[Server]) -> Box<dyn Balancer> {
    Box::new(RoundRobin { credits: Mutex::new(vec![0; servers.len()]) })
}

/// The algorithm's row.
pub const ALGORITHM: Algorithm = Algorithm {
    name: "roundrobin",
    args: "",
    doc: "Each server in turn, as often as its weight says; weights may change at run time.",
    examples: &["roundrobin"],
    status: Status::Works,
    parse: |_| Ok(()),
    build,
};

/// The rows of this family.
pub const PART: Part = Part { algorithms: &[ALGORITHM], ..Part::NONE };
