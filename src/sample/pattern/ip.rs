//! Addresses and networks (`ip`): hash tables of networks, asked from the longest prefix in use to the
//! shortest; masks with holes stand in a list. Manual 7.1.6.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hashbrown::HashTable;

use super::Resolve;

/// Up to so many networks are looked at one by one.
const FEW: usize = 8;

/// A network as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Address and prefix length.
    V4(u32, u8),
    /// Address and prefix length.
    V6(u128, u8),
    /// Address and a mask whose ones do not all stand in front.
    Odd(u32, u32),
}

/// Networks with the numbers of their elements.
#[derive(Debug, Clone)]
pub struct Networks {
    /// All of them while there are few.
    few: Vec<(Network, u32)>,
    v4: Prefixes<u32>,
    v6: Prefixes<u128>,
    odd: Vec<(u32, u32, u32)>,
}

impl Networks {
    /// Without networks.
    pub fn new() -> Networks {
        Networks { few: Vec::new(), v4: Prefixes::new(), v6: Prefixes::new(), odd: Vec::new() }
    }

    /// Takes in a network behind the others.
    pub fn insert(&mut self, network: Network, id: u32) {
        let indexed = !(self.v4.is_empty() && self.v6.is_empty() && self.odd.is_empty());
        if !indexed && self.few.len() < FEW {
            self.few.push((network, id));
            return;
        }
        for (network, id) in std::mem::take(&mut self.few) {
            self.index(network, id);
        }
        self.index(network, id);
    }

    fn index(&mut self, network: Network, id: u32) {
        match network {
            Network::V4(address, prefix) => self.v4.insert(address, prefix, id),
            Network::V6(address, prefix) => self.v6.insert(address, prefix, id),
            Network::Odd(address, mask) => self.odd.push((address & mask, mask, id)),
        }
    }

    /// Forgets an element; `others` are the networks that stay, in order.
    pub fn remove(
        &mut self,
        network: Network,
        id: u32,
        others: impl Iterator<Item = (Network, u32)>,
    ) {
        self.few.retain(|(_, other)| *other != id);
        let (removed, doubled) = match network {
            Network::V4(address, prefix) => (self.v4.remove(address, prefix, id), self.v4.doubled),
            Network::V6(address, prefix) => (self.v6.remove(address, prefix, id), self.v6.doubled),
            Network::Odd(..) => {
                self.odd.retain(|(_, _, other)| *other != id);
                return;
            }
        };
        if removed && doubled {
            let network = network.masked();
            if let Some((_, other)) = others.into_iter().find(|(n, _)| n.masked() == network) {
                self.index(network, other);
            }
        }
    }

    /// The element whose network holds the address: the one with the longest prefix, the first of
    /// several. IPv4 addresses within IPv6 ones are looked up as such too.
    pub fn find(&self, address: IpAddr) -> Option<u32> {
        let embedded = match address {
            IpAddr::V4(ip) => Some(ip.to_bits()),
            IpAddr::V6(ip) => embedded(ip),
        };
        let own = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => self.find_v6(ip.to_bits()),
        };
        own.or_else(|| self.find_v4(embedded?))
            .or_else(|| match address {
                IpAddr::V4(ip) => self.find_v6(ip.to_ipv6_mapped().to_bits()),
                IpAddr::V6(_) => None,
            })
            .or_else(|| self.find_odd(embedded?))
    }

    fn find_v4(&self, address: u32) -> Option<u32> {
        let few = self.few.iter().filter_map(|(network, id)| match network {
            Network::V4(other, prefix) if address.mask(*prefix) == other.mask(*prefix) => {
                Some((*prefix, *id))
            }
            _ => None,
        });
        longest(few).or_else(|| self.v4.find(address))
    }

    fn find_v6(&self, address: u128) -> Option<u32> {
        let few = self.few.iter().filter_map(|(network, id)| match network {
            Network::V6(other, prefix) if address.mask(*prefix) == other.mask(*prefix) => {
                Some((*prefix, *id))
            }
            _ => None,
        });
        longest(few).or_else(|| self.v6.find(address))
    }

    fn find_odd(&self, address: u32) -> Option<u32> {
        let few = self.few.iter().filter_map(|(network, id)| match network {
            Network::Odd(other, mask) => Some((other & mask, *mask, *id)),
            _ => None,
        });
        let mut all = few.chain(self.odd.iter().copied());
        all.find(|(other, mask, _)| address & mask == *other).map(|(_, _, id)| id)
    }
}

/// The first of those with the longest prefix.
fn longest(found: impl Iterator<Item = (u8, u32)>) -> Option<u32> {
    found.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, id)| id)
}

/// The IPv4 address within `::ffff:a.b.c.d`, `::a.b.c.d` and `2002:…` (6to4).
fn embedded(ip: Ipv6Addr) -> Option<u32> {
    let bits = ip.to_bits();
    match (bits >> 32, bits >> 112) {
        (0 | 0xffff, _) => Some(bits as u32),
        (_, 0x2002) => Some((bits >> 80) as u32),
        _ => None,
    }
}

impl Network {
    /// With the bits behind the prefix cleared.
    fn masked(self) -> Network {
        match self {
            Network::V4(address, prefix) => Network::V4(address.mask(prefix), prefix),
            Network::V6(address, prefix) => Network::V6(address.mask(prefix), prefix),
            odd => odd,
        }
    }

    /// Reads `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `::1`, `2001:db8::/32`, or with `resolve` a name.
    pub fn parse(text: &[u8], resolve: Option<Resolve<'_>>) -> Result<Network, String> {
        let text = &*String::from_utf8_lossy(text);
        let invalid = || format!("'{text}' is not a valid IPv4 or IPv6 address");
        let (host, mask) = text.rsplit_once('/').map_or((text, None), |(a, m)| (a, Some(m)));
        if let Ok(ip) = host.parse::<Ipv6Addr>() {
            let prefix = mask.map_or(Some(128), |m| m.parse().ok()).filter(|p| *p <= 128);
            return prefix.map(|p| Network::V6(ip.to_bits(), p)).ok_or_else(invalid);
        }
        let mask = match mask {
            None => u32::MAX,
            Some(dotted) if dotted.contains('.') => {
                dotted.parse::<Ipv4Addr>().map_err(|_| invalid())?.to_bits()
            }
            Some(bits) => {
                let bits = bits.parse::<u32>().ok().filter(|b| *b <= 32).ok_or_else(invalid)?;
                u32::MAX.checked_shl(32 - bits).unwrap_or(0)
            }
        };
        let address = match host.parse::<Ipv4Addr>() {
            Ok(ip) => Some(ip),
            Err(_) => resolve.and_then(|resolve| short(host).or_else(|| resolve(host))),
        };
        let address = address.ok_or_else(invalid)?.to_bits();
        Ok(match mask.leading_ones() == mask.count_ones() {
            true => Network::V4(address, mask.count_ones() as u8),
            false => Network::Odd(address, mask),
        })
    }
}

/// `10` and `10.1`: what the C library makes of numbers where it is asked for a host.
fn short(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = host.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    let bytes: Vec<u8> = first.iter().map(|p| u8::try_from(*p).ok()).collect::<Option<_>>()?;
    let room = 32u32.checked_sub(8 * bytes.len() as u32).filter(|room| *room > 0)?;
    if room < 32 && *last >> room != 0 {
        return None;
    }
    let high =
        bytes.iter().zip([24, 16, 8]).fold(0, |sum, (b, shift)| sum | u32::from(*b) << shift);
    Some(Ipv4Addr::from_bits(high | last))
}

/// An address as bits.
trait Bits: Copy + Eq {
    const WIDTH: u8;
    fn mask(self, prefix: u8) -> Self;
    fn mix(self, seed: u64) -> u64;
}

impl Bits for u32 {
    const WIDTH: u8 = 32;
    fn mask(self, prefix: u8) -> u32 {
        self & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
    }
    fn mix(self, seed: u64) -> u64 {
        (u64::from(self) ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Bits for u128 {
    const WIDTH: u8 = 128;
    fn mask(self, prefix: u8) -> u128 {
        self & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
    }
    fn mix(self, seed: u64) -> u64 {
        let high = ((self >> 64) as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (self as u64 ^ high.rotate_left(29)).wrapping_mul(0x9fb2_1c65_1e98_df25)
    }
}

/// Networks of one family.
#[derive(Debug, Clone)]
struct Prefixes<B> {
    seed: u64,
    table: HashTable<(B, u8, u32)>,
    /// The prefix lengths in use and how often, longest first.
    lengths: Vec<(u8, u32)>,
    /// Whether some network was there twice.
    doubled: bool,
}

impl<B: Bits> Prefixes<B> {
    fn new() -> Prefixes<B> {
        let seed = RandomState::new().hash_one(0u8);
        Prefixes { seed, table: HashTable::new(), lengths: Vec::new(), doubled: false }
    }

    fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn insert(&mut self, address: B, prefix: u8, id: u32) {
        let (address, prefix) = (address.mask(prefix), prefix.min(B::WIDTH));
        let seed = self.seed;
        let place = hash(seed, address, prefix);
        if self.table.find(place, |(a, p, _)| (*a, *p) == (address, prefix)).is_some() {
            self.doubled = true;
            return;
        }
        self.table.insert_unique(place, (address, prefix, id), |(a, p, _)| hash(seed, *a, *p));
        match self.lengths.binary_search_by(|(p, _)| prefix.cmp(p)) {
            Ok(at) => self.lengths[at].1 += 1,
            Err(at) => self.lengths.insert(at, (prefix, 1)),
        }
    }

    fn remove(&mut self, address: B, prefix: u8, id: u32) -> bool {
        let hash = hash(self.seed, address.mask(prefix), prefix);
        let Ok(entry) = self.table.find_entry(hash, |(_, _, other)| *other == id) else {
            return false;
        };
        entry.remove();
        if let Ok(at) = self.lengths.binary_search_by(|(p, _)| prefix.cmp(p)) {
            self.lengths[at].1 -= 1;
            if self.lengths[at].1 == 0 {
                self.lengths.remove(at);
            }
        }
        true
    }

    fn find(&self, address: B) -> Option<u32> {
        self.lengths.iter().find_map(|(prefix, _)| {
            let address = address.mask(*prefix);
            let hash = hash(self.seed, address, *prefix);
            let found = self.table.find(hash, |(a, p, _)| (*a, *p) == (address, *prefix));
            found.map(|(_, _, id)| *id)
        })
    }
}

fn hash<B: Bits>(seed: u64, address: B, prefix: u8) -> u64 {
    let mixed = (address.mix(seed) ^ u64::from(prefix) << 56).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}

/// A network of a configuration: `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `::1`, `2001:db8::/32`.
pub fn network(text: &str) -> Result<(IpAddr, u8), String> {
    match Network::parse(text.as_bytes(), None)? {
        Network::V4(address, prefix) => Ok((Ipv4Addr::from_bits(address).into(), prefix)),
        Network::V6(address, prefix) => Ok((Ipv6Addr::from_bits(address).into(), prefix)),
        Network::Odd(address, mask) => {
            Ok((Ipv4Addr::from_bits(address).into(), mask.leading_ones() as u8))
        }
    }
}

/// Whether an address lies in a network; IPv4-mapped IPv6 addresses are looked at as IPv4.
pub fn in_network(address: IpAddr, (network, prefix): (IpAddr, u8)) -> bool {
    match (address.to_canonical(), network.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let prefix = if network.is_ipv6() { prefix.saturating_sub(96) } else { prefix };
            a.to_bits().mask(prefix) == n.to_bits().mask(prefix)
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => a.to_bits().mask(prefix) == n.to_bits().mask(prefix),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let inside = |ip: &str, net: &str| in_network(ip.parse().unwrap(), network(net).unwrap());
        assert!(inside("10.1.2.3", "10.0.0.0/8"));
        assert!(inside("10.1.2.3", "10.1.0.0/255.255.0.0"));
        assert!(!inside("11.1.2.3", "10.0.0.0/8"));
        assert!(inside("::ffff:10.1.2.3", "10.0.0.0/8"));
        assert!(inside("2001:db8::1", "2001:db8::/32"));
        assert!(inside("1.2.3.4", "0.0.0.0/0"));
        assert!(network("10.0.0.0/33").is_err() && network("::1/129").is_err());
        assert!(network("localhost").is_err() && network("10").is_err());
    }

    #[test]
    fn the_longest_prefix_wins_and_the_first_of_equals() {
        let texts = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.0.0/255.0.255.0",
            "::1",
            "10.0.0.0/8",
            "10.1.2.0/24",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "::ffff:9.9.9.9",
            "8.8.8.8",
            "7.0.0.0/8",
        ];
        let all: Vec<_> = texts
            .iter()
            .zip(0..)
            .map(|(text, id)| (Network::parse(text.as_bytes(), None).unwrap(), id))
            .collect();
        for count in [texts.len(), FEW] {
            let mut networks = Networks::new();
            all.iter().take(count).for_each(|(network, id)| networks.insert(*network, *id));
            let found = |networks: &Networks, ip: &str| networks.find(ip.parse().unwrap());
            assert_eq!(found(&networks, "10.9.9.9"), Some(0));
            assert_eq!(found(&networks, "10.1.9.9"), Some(1));
            assert_eq!(found(&networks, "::ffff:10.1.2.3"), Some(5));
            assert_eq!(found(&networks, "2002:0a01:0909::"), Some(1));
            assert_eq!(found(&networks, "10.77.0.1"), Some(0));
            assert_eq!(found(&networks, "2001:db8:1::7"), Some(7));
            assert_eq!(found(&networks, "11.1.0.1"), None);
            networks.remove(all[0].0, 0, all.iter().filter(|(_, id)| *id != 0).copied());
            assert_eq!(found(&networks, "10.9.9.9"), Some(4));
            networks.remove(all[4].0, 4, std::iter::empty());
            assert_eq!(found(&networks, "10.9.0.1"), Some(2), "the mask with a hole");
        }
        let mut networks = Networks::new();
        all.iter().for_each(|(network, id)| networks.insert(*network, *id));
        assert_eq!(networks.find("9.9.9.9".parse().unwrap()), Some(8));
    }

    #[test]
    fn names_and_short_numbers_are_resolved_when_asked_to() {
        let mut resolve = |name: &str| (name == "web").then_some(Ipv4Addr::new(10, 0, 0, 7));
        let mut read = |text: &str| Network::parse(text.as_bytes(), Some(&mut resolve));
        assert_eq!(read("web/24"), Ok(Network::V4(0x0a00_0007, 24)));
        assert_eq!(read("10.1"), Ok(Network::V4(0x0a00_0001, 32)));
        assert_eq!(read("nope"), Err("'nope' is not a valid IPv4 or IPv6 address".into()));
    }
}
