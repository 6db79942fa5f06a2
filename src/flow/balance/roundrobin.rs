//! `balance roundrobin`: each server in turn, as often as its weight says (manual 4.2 "balance").
//! Weights may change at run time; the turns are one sequence for the whole process.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::catalog::{Part, Status};
use crate::flow::balance::{
    Algorithm, BalanceSpec, Balancer, Group, SCALE, Seen, all_backups, has_slot,
};
use crate::flow::session::Stream;
use crate::state::world::Server;

/// Turns of the active servers and of the backup servers.
#[derive(Debug)]
struct RoundRobin(Mutex<State>);

#[derive(Debug)]
struct State {
    seen: Seen,
    active: Turns,
    backups: Turns,
}

impl Balancer for RoundRobin {
    fn pick(&self, servers: &[Server], stream: &Stream<'_>, avoid: Option<usize>) -> Option<usize> {
        let mut state = self.0.lock();
        state.refresh(servers);
        let free = |index| servers.get(index).is_some_and(has_slot);
        match state.seen.group(servers, all_backups(stream)) {
            Group::None => None,
            Group::One(only) => Some(only),
            Group::Active => state.active.next(&free, avoid),
            Group::Backups => state.backups.next(&free, avoid),
        }
    }
}

impl State {
    fn refresh(&mut self, servers: &[Server]) {
        let Some(before) = self.seen.refresh(servers) else { return };
        for (server, weight) in servers.iter().zip(&self.seen.weights) {
            let turns = if server.backup { &mut self.backups } else { &mut self.active };
            let before = before.get(server.index).copied();
            match before {
                Some(before) => turns.set_weight(server.index, before, *weight),
                None => turns.begin(server.index, *weight),
            }
        }
    }
}

/// Where a server waits for its next turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shelf {
    /// Nowhere: it may not be chosen.
    Out,
    /// Not chosen in this round yet: the heaviest first.
    A,
    /// Done with this round; exchanged with `A` at the round's end.
    B,
    /// By the position at which its next turn comes.
    Running,
}

/// What is known of one server.
#[derive(Debug, Clone, Copy)]
struct Place {
    shelf: Shelf,
    key: (u64, u64),
    weight: u32,
    /// Position of its next turn.
    next: u64,
    /// Position of its last turn.
    last: u64,
    /// What integer division has left of the distances between its turns.
    rest: u64,
}

/// The turns of one group. A round is as many positions long as the weights' sum; a server's turns are
/// that sum divided by its weight apart.
#[derive(Debug)]
struct Turns {
    places: Vec<Place>,
    a: BTreeSet<(u64, u64, usize)>,
    b: BTreeSet<(u64, u64, usize)>,
    running: BTreeSet<(u64, u64, usize)>,
    /// Which of the two is the shelf of those not chosen yet.
    fresh: Shelf,
    /// Sum of the weights when the round began.
    round: u64,
    /// Sum of the weights now, for the next round.
    sum: u64,
    position: u64,
    inserted: u64,
}

/// The highest weight, in parts.
const MAX_WEIGHT: u64 = 256 * SCALE as u64;

impl Turns {
    fn new(servers: usize) -> Turns {
        let place = Place { shelf: Shelf::Out, key: (0, 0), weight: 0, next: 0, last: 0, rest: 0 };
        Turns {
            places: vec![place; servers],
            a: BTreeSet::new(),
            b: BTreeSet::new(),
            running: BTreeSet::new(),
            fresh: Shelf::A,
            round: 0,
            sum: 0,
            position: 0,
            inserted: 0,
        }
    }

    /// A server that is there from the start.
    fn begin(&mut self, server: usize, weight: u32) {
        if weight == 0 {
            return;
        }
        self.sum += u64::from(weight);
        (self.round, self.position) = (self.sum, self.sum);
        if let Some(place) = self.places.get_mut(server) {
            place.weight = weight;
        }
        self.shelve_by_weight(self.fresh, server);
    }

    fn set_weight(&mut self, server: usize, before: u32, weight: u32) {
        let Some(place) = self.places.get(server).copied() else { return };
        if before == weight {
            return;
        }
        self.sum = self.sum - u64::from(before) + u64::from(weight);
        self.take_out(server);
        if weight == 0 {
            self.edit(server, |p| p.shelf = Shelf::Out);
            return;
        }
        self.edit(server, |p| p.weight = weight);
        if before == 0 {
            let span = self.sum + self.round - self.position.min(self.sum + self.round);
            let next = self.position + span / u64::from(weight);
            self.edit(server, |p| p.next = next);
            self.shelve(server);
        } else if place.shelf == self.fresh {
            self.shelve_by_weight(self.fresh, server);
        } else {
            self.move_closer(server, place);
        }
    }

    /// A new weight while running: the next turn may come earlier, not later.
    fn move_closer(&mut self, server: usize, place: Place) {
        let (round, sum, position) = (self.round, self.sum, self.position);
        let done = place.shelf != Shelf::Running;
        self.edit(server, |p| {
            let planned = if done { p.next + round } else { p.next };
            let step = sum / u64::from(p.weight);
            p.next = (p.last + step).min(planned);
            if p.next < position + 2 {
                p.next = position + step;
            }
            p.rest = 0;
        });
        self.shelve(server);
    }

    /// Whose turn it is, `avoid` last. A server without a free slot loses its turn.
    fn next(&mut self, free: &dyn Fn(usize) -> bool, avoid: Option<usize>) -> Option<usize> {
        let mut passed = Vec::new();
        let mut avoided = None;
        let mut turned = false;
        let chosen = loop {
            if self.round == 0 {
                (self.round, self.position) = (self.sum, self.sum);
            }
            let Some(server) = self.foremost() else {
                if turned {
                    break avoided;
                }
                turned = true;
                self.turn_round();
                continue;
            };
            self.advance(server);
            self.take_out(server);
            self.position += 1;
            if free(server) {
                if Some(server) != avoid || avoided.is_some() {
                    break Some(server);
                }
                avoided = Some(server);
            }
            passed.push(server);
        };
        if let Some(server) = chosen {
            self.shelve(server);
        }
        for server in passed.into_iter().rev().filter(|s| Some(*s) != chosen) {
            if turned {
                self.shelve_by_weight(self.fresh, server);
            } else {
                self.shelve(server);
            }
        }
        chosen
    }

    /// The server whose position has come, else the heaviest that has not had a turn in this round,
    /// else the one that comes next.
    fn foremost(&mut self) -> Option<usize> {
        let running = self.running.first().map(|(_, _, server)| *server);
        let next = running.and_then(|s| self.places.get(s)).map(|p| p.next);
        if next.is_some_and(|next| next <= self.position) {
            return running;
        }
        let fresh = if self.fresh == Shelf::A { &self.a } else { &self.b };
        let Some((_, _, server)) = fresh.first().copied() else { return running };
        self.edit(server, |p| (p.next, p.rest) = (0, 0));
        Some(server)
    }

    /// Plans the turn after this one.
    fn advance(&mut self, server: usize) {
        let (position, sum) = (self.position, self.sum);
        self.edit(server, |p| {
            let weight = u64::from(p.weight.max(1));
            if p.next == 0 {
                p.next = position;
            }
            p.last = p.next;
            p.next += sum / weight;
            p.rest += sum % weight;
            if p.rest >= weight {
                p.rest -= weight;
                p.next += 1;
            }
        });
    }

    fn turn_round(&mut self) {
        self.fresh = self.done();
        (self.round, self.position) = (self.sum, self.sum);
    }

    /// The shelf of those that are done with this round.
    fn done(&self) -> Shelf {
        if self.fresh == Shelf::A { Shelf::B } else { Shelf::A }
    }

    /// Puts a server where its next turn says; a turn beyond this round waits for the next one.
    fn shelve(&mut self, server: usize) {
        let Some(place) = self.places.get(server).copied() else { return };
        if place.next >= (2 * self.round).min(self.round + self.sum) {
            let round = self.round;
            self.edit(server, |p| p.next -= round);
            self.shelve_by_weight(self.done(), server);
            return;
        }
        let tie = (MAX_WEIGHT + place.rest - u64::from(place.weight)) / u64::from(SCALE);
        self.insert(Shelf::Running, server, 256 * place.next + tie);
    }

    fn shelve_by_weight(&mut self, shelf: Shelf, server: usize) {
        let weight = self.places.get(server).map_or(0, |p| u64::from(p.weight));
        self.insert(shelf, server, MAX_WEIGHT - weight.min(MAX_WEIGHT));
    }

    fn insert(&mut self, shelf: Shelf, server: usize, key: u64) {
        self.inserted += 1;
        let key = (key, self.inserted);
        self.edit(server, |p| (p.shelf, p.key) = (shelf, key));
        if let Some(set) = self.set(shelf) {
            set.insert((key.0, key.1, server));
        }
    }

    /// Takes a server off its shelf; it still knows which one that was.
    fn take_out(&mut self, server: usize) {
        let Some(place) = self.places.get(server).copied() else { return };
        if let Some(set) = self.set(place.shelf) {
            set.remove(&(place.key.0, place.key.1, server));
        }
    }

    fn set(&mut self, shelf: Shelf) -> Option<&mut BTreeSet<(u64, u64, usize)>> {
        match shelf {
            Shelf::Out => None,
            Shelf::A => Some(&mut self.a),
            Shelf::B => Some(&mut self.b),
            Shelf::Running => Some(&mut self.running),
        }
    }

    fn edit(&mut self, server: usize, change: impl FnOnce(&mut Place)) {
        if let Some(place) = self.places.get_mut(server) {
            change(place);
        }
    }
}

fn build(_: &BalanceSpec, servers: &[Server]) -> Box<dyn Balancer> {
    let turns = || Turns::new(servers.len());
    let state = State { seen: Seen::default(), active: turns(), backups: turns() };
    Box::new(RoundRobin(Mutex::new(state)))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a line of the fixture: weights, then counts of requests and changes between them.
    fn play(script: &str) -> String {
        let mut words = script.split_whitespace();
        let weights: Vec<u32> =
            words.next().unwrap().split(',').map(|w| w.parse().unwrap()).collect();
        let mut turns = Turns::new(weights.len());
        for (server, weight) in weights.iter().enumerate() {
            turns.begin(server, weight * SCALE);
        }
        let mut out = String::new();
        for word in words {
            match word.split_once('=') {
                Some((server, weight)) => {
                    let server = usize::from(server.as_bytes()[0] - b'a');
                    let before = match turns.places[server] {
                        Place { shelf: Shelf::Out, .. } => 0,
                        place => place.weight,
                    };
                    turns.set_weight(server, before, weight.parse::<u32>().unwrap() * SCALE);
                }
                None => {
                    for _ in 0..word.parse().unwrap() {
                        let server = turns.next(&|_| true, None).unwrap();
                        out.push(char::from(b'a' + server as u8));
                    }
                }
            }
        }
        out
    }

    #[test]
    fn turns_come_as_in_haproxy_2_3() {
        let fixture = include_str!("../../../fixtures/balance/roundrobin.txt");
        let lines = fixture.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
        let mut count = 0;
        for line in lines {
            let (script, turns) = line.split_once(" : ").unwrap();
            assert_eq!(play(script), turns, "{script}");
            count += 1;
        }
        assert!(count > 10);
    }

    #[test]
    fn the_failed_server_comes_last_and_saturated_ones_lose_their_turn() {
        let mut turns = Turns::new(3);
        (0..3).for_each(|server| turns.begin(server, SCALE));
        assert_eq!(turns.next(&|_| true, Some(0)), Some(1));
        assert_eq!(turns.next(&|server| server == 2, None), Some(2));
        assert_eq!(turns.next(&|_| false, None), None);
        let mut one = Turns::new(1);
        one.begin(0, SCALE);
        assert_eq!(one.next(&|_| true, Some(0)), Some(0));
    }
}
