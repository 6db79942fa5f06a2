//! A table of turns, as long as the weights' sum after division by their greatest common divisor:
//! `static-rr` walks through it, map-based hashes point into it (manual 4.2 "hash-type").

use crate::flow::balance::SCALE;
use crate::state::world::Server;

/// The table.
#[derive(Debug, Default)]
pub struct Map {
    /// What weights are divided by.
    divisor: u32,
    /// A server for each turn.
    pub turns: Vec<usize>,
    /// Servers in the game.
    pub used: usize,
    /// The next turn of those who walk.
    position: usize,
}

impl Map {
    /// An empty table; the divisor is that of the weights as written.
    pub fn new(servers: &[Server]) -> Map {
        let written = servers.iter().map(|s| s.spec.weight.unwrap_or(1));
        Map { divisor: written.fold(0, common_divisor).max(1), ..Map::default() }
    }

    /// Spreads the turns; `weights` are in parts of `SCALE`, 0 for servers that may not be chosen.
    /// Backup servers are used when there is no other, only the first without `all_backups`.
    pub fn fill(&mut self, servers: &[Server], weights: &[u32], all_backups: bool) {
        let divisor = self.divisor;
        let reduced = |weight: &u32| (weight / SCALE).div_ceil(divisor);
        let all = || servers.iter().zip(weights.iter().map(reduced)).filter(|(_, w)| *w > 0);
        let backup = !all().any(|(server, _)| !server.backup);
        let players: Vec<(usize, u32)> =
            all().filter(|(s, _)| s.backup == backup).map(|(s, w)| (s.index, w)).collect();
        let only_first = backup && !all_backups;
        let first = players.first().map_or(0, |(_, weight)| *weight);
        let length = if only_first { first } else { players.iter().map(|(_, w)| *w).sum() };
        self.used = if only_first { players.len().min(1) } else { players.len() };
        self.turns = spread(&players, length);
    }

    /// The server of a hash.
    pub fn of_hash(&self, hash: u32) -> Option<usize> {
        let length = u32::try_from(self.turns.len()).ok().filter(|l| *l > 0)?;
        self.turns.get((hash % length) as usize).copied()
    }

    /// The next server that has a slot; `avoid` only when there is no other.
    pub fn next(&mut self, free: &dyn Fn(usize) -> bool, avoid: Option<usize>) -> Option<usize> {
        let length = self.turns.len();
        let start = if self.position < length { self.position } else { 0 };
        let mut avoided = None;
        for step in 0..length {
            let at = (start + step) % length;
            let Some(server) = self.turns.get(at).copied().filter(|s| free(*s)) else { continue };
            if Some(server) != avoid {
                self.position = at + 1;
                return Some(server);
            }
            avoided = Some((server, at + 1));
        }
        let (server, position) = avoided?;
        self.position = position;
        Some(server)
    }
}

/// At each turn everyone gains their weight; who has most wholes, the first of equals, has the turn
/// and pays the sum.
fn spread(players: &[(usize, u32)], length: u32) -> Vec<usize> {
    let Some((first, _)) = players.first().copied() else { return Vec::new() };
    if length == 1 {
        return vec![first];
    }
    let sum = i64::from(length);
    let mut scores = vec![0i64; players.len()];
    let mut turns = Vec::with_capacity(length as usize);
    for _ in 0..length {
        let mut best: Option<(usize, i64)> = None;
        for (at, (score, (_, weight))) in scores.iter_mut().zip(players).enumerate() {
            *score += i64::from(*weight);
            // Rounded towards zero, as scores may be a little below none.
            let wholes = (*score + sum) / sum;
            if best.is_none_or(|(_, most)| wholes > most) {
                best = Some((at, wholes));
            }
        }
        let Some((at, _)) = best else { break };
        if let (Some(score), Some((server, _))) = (scores.get_mut(at), players.get(at)) {
            *score -= sum;
            turns.push(*server);
        }
    }
    turns
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_spread_as_in_haproxy_2_3() {
        let fixture = include_str!("../../../fixtures/balance/static-rr.txt");
        let lines = fixture.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
        let mut count = 0;
        for line in lines {
            let (weights, turns) = line.split_once(" : ").unwrap();
            let weights: Vec<u32> = weights.split(',').map(|w| w.parse().unwrap()).collect();
            let divisor = weights.iter().copied().fold(0, common_divisor).max(1);
            let players: Vec<(usize, u32)> =
                weights.iter().map(|w| w / divisor).enumerate().filter(|(_, w)| *w > 0).collect();
            let length = players.iter().map(|(_, w)| *w).sum();
            let mut map = Map { divisor, turns: spread(&players, length), ..Map::default() };
            let letter = |_| char::from(b'a' + map.next(&|_| true, None).unwrap() as u8);
            let played: String = (0..turns.len()).map(letter).collect();
            assert_eq!(played, turns, "{weights:?}");
            count += 1;
        }
        assert!(count > 10);
    }

    #[test]
    fn the_failed_server_is_avoided() {
        let mut map = Map { divisor: 1, turns: vec![0, 1], used: 2, position: 0 };
        assert_eq!(map.next(&|_| true, Some(0)), Some(1));
        assert_eq!(map.next(&|s| s == 0, Some(0)), Some(0));
        assert_eq!(map.next(&|_| false, None), None);
    }
}
