//! A ring of points, as many for each server as its weight says: a hash belongs to the nearest point, so
//! that a server that goes takes only its own share with it (manual 4.2 "hash-type consistent").

use crate::flow::balance::hash::avalanche;
use crate::state::world::Server;

/// The ring.
#[derive(Debug, Default)]
pub struct Ring {
    /// Points in their order, and whose they are.
    points: Vec<(u32, usize)>,
    /// The last point of those who walk.
    last: Option<usize>,
}

/// What decides whether a server may take one more request under `hash-balance-factor`.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    /// Percent of the mean load.
    pub factor: u32,
    /// Requests in the backend now.
    pub served: u64,
    /// Weights of the players, in parts.
    pub weights: &'a [u32],
}

impl Share<'_> {
    /// Whether the server has not had its share yet.
    pub fn allows(&self, server: &Server) -> bool {
        if self.factor == 0 {
            return true;
        }
        let players = || self.weights.iter().map(|w| u64::from(*w));
        let total = players().sum::<u64>().max(1);
        let slots = ((self.served + 1) * u64::from(self.factor)).div_ceil(100);
        let weight = self.weights.get(server.index).copied().map_or(0, u64::from);
        let before: u64 = players().take(server.index).sum();
        let (whole, rest) = (slots / total, slots % total);
        let own = weight * whole + (before + weight) * rest / total - before * rest / total;
        u64::from(server.status.counters.sessions.get()) < own.max(1)
    }
}

/// Distance between the points of two servers' numbers.
const NUMBERS_APART: u32 = 4096;

impl Ring {
    /// Puts the players' points on the ring; weights are in parts, 0 for who does not play.
    pub fn fill(&mut self, servers: &[Server], weights: &[u32]) {
        let before = self.last.and_then(|at| self.points.get(at)).copied();
        let points = servers.iter().zip(weights).flat_map(|(server, weight)| {
            let number = server.id.wrapping_mul(NUMBERS_APART);
            (0..*weight).map(move |n| (avalanche(number.wrapping_add(n)), server.index))
        });
        self.points = points.collect();
        // Stable: equal points stay in the servers' order.
        self.points.sort_by_key(|(point, _)| *point);
        self.last = before.and_then(|(point, _)| {
            self.points.partition_point(|(p, _)| *p <= point).checked_sub(1)
        });
    }

    /// The server whose point is nearest; from there on the next one that is not `avoid` and may.
    pub fn of_hash(
        &self,
        hash: u32,
        avoid: Option<usize>,
        may: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        let count = self.points.len();
        let after = self.points.partition_point(|(point, _)| *point < hash);
        let after = if after < count { after } else { 0 };
        let before = (after + count).checked_sub(1)? % count;
        let point = |at: usize| self.points.get(at).map_or(0, |(point, _)| *point);
        let back = hash.wrapping_sub(point(before));
        let forth = point(after).wrapping_sub(hash);
        let start = if back <= forth { before } else { after };
        let around = self.points.iter().cycle().skip(start).map(|(_, server)| *server);
        let mut list = around.take(2 * count);
        let nearest = list.next()?;
        if Some(nearest) != avoid && may(nearest) {
            return Some(nearest);
        }
        list.find(|server| Some(*server) != avoid && may(*server)).or(Some(nearest))
    }

    /// The server of the next point that has a slot; `avoid` only when there is no other.
    pub fn next(&mut self, free: &dyn Fn(usize) -> bool, avoid: Option<usize>) -> Option<usize> {
        let count = self.points.len();
        let start = self.last.map_or(0, |at| at + 1);
        let mut avoided = None;
        for step in 0..count {
            let at = (start + step) % count;
            let server = self.points.get(at).map(|(_, server)| *server);
            let Some(server) = server.filter(|s| free(*s)) else { continue };
            if Some(server) != avoid {
                self.last = Some(at);
                return Some(server);
            }
            avoided = Some((at, server));
        }
        let (at, server) = avoided?;
        self.last = Some(at);
        Some(server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Ring {
        Ring { points: vec![(10, 0), (20, 1), (4_000_000_000, 2)], last: None }
    }

    #[test]
    fn a_hash_belongs_to_the_nearest_point() {
        let all = |_| true;
        assert_eq!(ring().of_hash(14, None, &all), Some(0));
        assert_eq!(ring().of_hash(15, None, &all), Some(0));
        assert_eq!(ring().of_hash(16, None, &all), Some(1));
        assert_eq!(ring().of_hash(4_100_000_000, None, &all), Some(2));
        assert_eq!(ring().of_hash(4_294_967_290, None, &all), Some(0));
        assert_eq!(ring().of_hash(14, Some(0), &all), Some(1));
        assert_eq!(ring().of_hash(14, None, &|s| s == 2), Some(2));
        assert_eq!(Ring::default().of_hash(1, None, &all), None);
    }

    #[test]
    fn walking_goes_from_point_to_point() {
        let mut ring = ring();
        let walk: Vec<_> = (0..4).filter_map(|_| ring.next(&|_| true, None)).collect();
        assert_eq!(walk, [0, 1, 2, 0]);
        assert_eq!(ring.next(&|s| s == 0, Some(0)), Some(0));
    }
}
