//! `balance random`: a few draws, of which the least loaded server wins (manual 4.2 "balance").

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;

use crate::catalog::{Part, Status};
use crate::config::args::Words;
use crate::config::diagnostic::Diagnostic;
use crate::flow::balance::ring::Ring;
use crate::flow::balance::{Algorithm, BalanceSpec, Balancer, Group, Seen, all_backups, has_slot};
use crate::flow::session::Stream;
use crate::state::world::Server;

#[derive(Debug)]
struct Random {
    draws: u32,
    state: AtomicU64,
    players: RwLock<(Seen, Group, Ring)>,
}

impl Random {
    /// The next number of a sequence that differs from process to process (SplitMix64).
    fn number(&self) -> u32 {
        let mut z = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 32) as u32
    }

    fn refresh(&self, servers: &[Server], all_backups: bool) {
        if !self.players.read().0.is_stale() {
            return;
        }
        let mut players = self.players.write();
        let (seen, group, ring) = &mut *players;
        if seen.refresh(servers).is_some() {
            *group = seen.group(servers, all_backups);
            let backup = *group == Group::Backups;
            let weights = servers.iter().zip(&seen.weights);
            let weights: Vec<u32> =
                weights.map(|(s, weight)| if s.backup == backup { *weight } else { 0 }).collect();
            ring.fill(servers, &weights);
        }
    }
}

impl Balancer for Random {
    fn pick(&self, servers: &[Server], stream: &Stream<'_>, avoid: Option<usize>) -> Option<usize> {
        self.refresh(servers, all_backups(stream));
        let players = self.players.read();
        let (seen, group, ring) = &*players;
        match group {
            Group::None => return None,
            Group::One(only) => return Some(*only),
            Group::Active | Group::Backups => {}
        }
        let sessions = |at: usize| servers.get(at).map_or(0, |s| s.status.counters.sessions.get());
        let weight = |at: usize| seen.weights.get(at).copied().unwrap_or(0);
        let load =
            |server: usize, other: usize| u64::from(sessions(server)) * u64::from(weight(other));
        let mut chosen = ring.of_hash(self.number(), avoid, &|_| true)?;
        for _ in 1..self.draws {
            let drawn = ring.of_hash(self.number(), avoid, &|_| true)?;
            if load(drawn, chosen) <= load(chosen, drawn) {
                chosen = drawn;
            }
        }
        servers.get(chosen).is_some_and(has_slot).then_some(chosen)
    }
}

fn parse(words: &mut Words<'_>) -> Result<(), Diagnostic> {
    let name = words.next.checked_sub(1).and_then(|at| words.all.get(at));
    let name = name.map(|w| w.str().into_owned()).unwrap_or_default();
    let Some((_, inside)) = name.split_once('(') else { return Ok(()) };
    if inside == ")" {
        return Ok(());
    }
    let digits = inside.trim_end_matches(|c: char| !c.is_ascii_digit());
    let after = inside.get(digits.len()..).unwrap_or_default();
    match after.chars().next() {
        None => Err(words.alert("balance random : missing closing parenthesis.")),
        Some(')') if digits.parse().is_ok_and(|n: u32| n >= 1) => Ok(()),
        Some(')') => Err(words.alert("balance random : number of draws must be at least 1.")),
        Some(c) => {
            Err(words.alert(format!("balance random : unexpected character '{c}' after argument.")))
        }
    }
}

fn build(spec: &BalanceSpec, _: &[Server]) -> Box<dyn Balancer> {
    Box::new(Random {
        draws: spec.bracket().and_then(|n| n.parse().ok()).unwrap_or(2),
        state: AtomicU64::new(RandomState::new().hash_one(0)),
        players: RwLock::new((Seen::default(), Group::None, Ring::default())),
    })
}

/// The rows of this family.
pub const PART: Part = Part {
    algorithms: &[Algorithm {
        name: "random",
        args: "[(<draws>)]",
        doc: "Servers drawn at random by weight, 2 unless said otherwise; the least loaded of them wins.",
        examples: &["random", "random(3)"],
        status: Status::Works,
        parse,
        build,
    }],
    ..Part::NONE
};
