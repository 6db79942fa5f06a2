//! Hashes that choose servers: `hash-type`, `hash-balance-factor`, and what the hashing algorithms share
//! (manual 4.2).

use parking_lot::RwLock;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Inversion, Line, Parsed, parse_lenient};
use crate::config::section::Sections;
use crate::flow::balance::map::Map;
use crate::flow::balance::ring::{Ring, Share};
use crate::flow::balance::{BalanceSpec, Balancer, Group, Seen, all_backups, has_slot};
use crate::flow::session::Stream;
use crate::state::world::Server;

/// `hash-type`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HashType {
    /// `consistent`: a ring instead of a table.
    pub consistent: bool,
    /// The function.
    pub function: HashFunction,
    /// `avalanche`
    pub avalanche: bool,
}

/// From bytes to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashFunction {
    /// `sdbm`
    #[default]
    Sdbm,
    /// `djb2`
    Djb2,
    /// `wt6`
    Wt6,
    /// `crc32`
    Crc32,
}

impl HashFunction {
    /// The hash of these bytes.
    pub fn of(self, bytes: &[u8]) -> u32 {
        match self {
            HashFunction::Sdbm => bytes.iter().fold(0, |hash: u32, byte| {
                hash.wrapping_mul(65_599).wrapping_add(u32::from(*byte))
            }),
            HashFunction::Djb2 => bytes
                .iter()
                .fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte))),
            HashFunction::Wt6 => wt6(bytes),
            HashFunction::Crc32 => !bytes.iter().fold(!0, |crc: u32, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                    (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
                })
            }),
        }
    }
}

/// Two halves that each byte turns by amounts which depend on what came before.
fn wt6(bytes: &[u8]) -> u32 {
    let (mut one, mut two) = (0xa53c_965a_u32, 0x5ca6_953a_u32);
    let (mut first, mut second) = (6, 18);
    for byte in bytes {
        let byte = u32::from(*byte);
        let turned = (!(two.wrapping_add(byte))).rotate_left(first);
        two = (!(one ^ byte)).rotate_left(second);
        one = turned;
        let mixed = ((one >> 16) ^ two) & 0xffff;
        (first, second) = (mixed & 0x1f, mixed >> 11);
    }
    one ^ two
}

/// Bob Jenkins' integer hash with full avalanche, then spread over the ring by a large prime.
pub fn avalanche(hash: u32) -> u32 {
    let mut a = hash;
    a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
    a = (a ^ 0xc761_c23c) ^ (a >> 19);
    a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    a = (a ^ 0xb55a_4f09) ^ (a >> 16);
    a.wrapping_mul(3_221_225_473)
}

/// What an algorithm hashes.
pub trait Source: std::fmt::Debug + Send + Sync {
    /// The hash before `avalanche`; `None` when the request has nothing to hash.
    fn hash(&self, stream: &Stream<'_>, function: HashFunction) -> Option<u32>;

    /// Whether a request without anything to hash takes turns even when there is one server only.
    fn always(&self) -> bool {
        false
    }
}

/// A balancer that hashes.
#[derive(Debug)]
pub struct Hashing<S> {
    source: S,
    hash_type: HashType,
    factor: u32,
    players: RwLock<Players>,
}

#[derive(Debug)]
struct Players {
    seen: Seen,
    group: Group,
    /// Weights of the group, 0 for the others.
    weights: Vec<u32>,
    map: Map,
    ring: Ring,
}

impl Players {
    fn refresh(&mut self, servers: &[Server], consistent: bool, all_backups: bool) {
        if self.seen.refresh(servers).is_none() {
            return;
        }
        self.group = self.seen.group(servers, all_backups);
        let backup = self.group == Group::Backups;
        let plays = |server: &Server| match self.group {
            Group::One(only) => server.index == only,
            _ => server.backup == backup,
        };
        let weights = servers.iter().zip(&self.seen.weights);
        self.weights = weights.map(|(s, weight)| if plays(s) { *weight } else { 0 }).collect();
        if consistent {
            self.ring.fill(servers, &self.weights);
        } else {
            self.map.fill(servers, &self.seen.weights, all_backups);
        }
    }

    fn alone(&self) -> bool {
        matches!(self.group, Group::One(_))
            || self.weights.iter().filter(|weight| **weight > 0).count() == 1
    }
}

impl<S: Source> Hashing<S> {
    /// For these servers.
    pub fn new(spec: &BalanceSpec, servers: &[Server], source: S) -> Hashing<S> {
        let players = Players {
            seen: Seen::default(),
            group: Group::None,
            weights: Vec::new(),
            map: Map::new(servers),
            ring: Ring::default(),
        };
        Hashing {
            source,
            hash_type: spec.hash_type,
            factor: spec.hash_balance_factor,
            players: RwLock::new(players),
        }
    }

    fn of_hash(
        &self,
        players: &Players,
        servers: &[Server],
        stream: &Stream<'_>,
        hash: u32,
        avoid: Option<usize>,
    ) -> Option<usize> {
        if !self.hash_type.consistent {
            return players.map.of_hash(hash);
        }
        let served = || stream.backend()?.backend.as_ref().map(|b| b.state.counters.sessions.get());
        let served = if self.factor > 0 { served().map_or(0, u64::from) } else { 0 };
        let share = Share { factor: self.factor, served, weights: &players.weights };
        let may = |server: usize| servers.get(server).is_some_and(|s| share.allows(s));
        players.ring.of_hash(hash, avoid, &may)
    }
}

impl<S: Source> Balancer for Hashing<S> {
    fn pick(&self, servers: &[Server], stream: &Stream<'_>, avoid: Option<usize>) -> Option<usize> {
        let mut players = self.players.read();
        if players.seen.is_stale() {
            drop(players);
            let consistent = self.hash_type.consistent;
            self.players.write().refresh(servers, consistent, all_backups(stream));
            players = self.players.read();
        }
        let hash = match players.group {
            Group::None => return None,
            Group::One(only) if self.hash_type.consistent => return Some(only),
            _ if players.alone() && !self.source.always() => Some(0),
            _ => self.source.hash(stream, self.hash_type.function),
        };
        if let Some(mut hash) = hash {
            if self.hash_type.avalanche {
                hash = avalanche(hash);
            }
            return self.of_hash(&players, servers, stream, hash, avoid);
        }
        drop(players);
        let free = |index| servers.get(index).is_some_and(has_slot);
        let mut players = self.players.write();
        if self.hash_type.consistent {
            players.ring.next(&free, avoid)
        } else {
            players.map.next(&free, avoid)
        }
    }
}

fn hash_type(line: &mut Line<'_>) -> Parsed {
    let words: Vec<_> = line.rest().iter().map(|w| w.str().into_owned()).collect();
    let mut words = words.iter().map(String::as_str);
    let consistent = match words.next().unwrap_or_default() {
        "consistent" => true,
        "map-based" => false,
        "avalanche" => {
            return Err(line.alert("experimental feature 'hash-type avalanche' is not supported anymore, please use 'hash-type map-based sdbm avalanche' instead."));
        }
        _ => {
            let text = "'hash-type' only supports 'consistent' and 'map-based'.";
            return Err(line.alert(text));
        }
    };
    let function = match words.next() {
        None => {
            let hash_type =
                HashType { consistent, function: HashFunction::Sdbm, avalanche: consistent };
            line.proxy().balance.hash_type = hash_type;
            return Ok(());
        }
        Some("sdbm") => HashFunction::Sdbm,
        Some("djb2") => HashFunction::Djb2,
        Some("wt6") => HashFunction::Wt6,
        Some("crc32") => HashFunction::Crc32,
        Some(_) => {
            let text =
                "'hash-type' only supports 'sdbm', 'djb2', 'crc32', or 'wt6' hash functions.";
            return Err(line.alert(text));
        }
    };
    let avalanche = match words.next() {
        None => false,
        Some("avalanche") => true,
        Some(_) => {
            let text = "'hash-type' only supports 'avalanche' as a modifier for hash functions.";
            return Err(line.alert(text));
        }
    };
    line.proxy().balance.hash_type = HashType { consistent, function, avalanche };
    Ok(())
}

fn hash_balance_factor(line: &mut Line<'_>) -> Parsed {
    if line.inversion != Inversion::Plain {
        line.proxy().balance.hash_balance_factor = 0;
        return line.end();
    }
    let word = line.required("'hash-balance-factor' expects an integer argument.")?;
    line.rest();
    let value = parse_lenient(word.bytes());
    if value != 0 && value <= 100 {
        return Err(line.alert("'hash-balance-factor' must be 0 or greater than 100."));
    }
    line.proxy().balance.hash_balance_factor = u32::try_from(value).unwrap_or(u32::MAX);
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "hash-balance-factor",
            sections: Sections::BACKENDS,
            args: "<factor>",
            negatable: true,
            default: "0, which is no limit",
            doc: "How many percent of the mean load a server may have when a consistent hash chooses it; others take what is beyond.",
            examples: &["hash-balance-factor 150"],
            status: Status::Works,
            parse: hash_balance_factor,
            ..Keyword::NEW
        },
        Keyword {
            name: "hash-type",
            sections: Sections::BACKENDS,
            args: "<method> [<function> [avalanche]]",
            default: "map-based",
            doc: "How a hash becomes a server. `map-based` looks it up in a table made of the weights; with `consistent` the servers stand on a ring, so that few keys move when one comes or goes. The function is `sdbm` (the default), `djb2`, `wt6` or `crc32`; `avalanche` mixes its result once more.",
            examples: &["hash-type consistent", "hash-type map-based djb2 avalanche"],
            status: Status::Works,
            parse: hash_type,
            ..Keyword::NEW
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_give_the_published_values() {
        assert_eq!(HashFunction::Crc32.of(b"123456789"), 0xcbf4_3926);
        assert_eq!(HashFunction::Djb2.of(b""), 5381);
        assert_eq!(HashFunction::Djb2.of(b"a"), 177_670);
        assert_eq!(HashFunction::Sdbm.of(b"ab"), 97 * 65_599 + 98);
    }
}
