//! `balance source`: the client's address chooses (manual 4.2 "balance").

use std::net::IpAddr;

use crate::catalog::{Part, Status};
use crate::flow::balance::Algorithm;
use crate::flow::balance::hash::{HashFunction, Hashing, Source};
use crate::flow::session::Stream;

#[derive(Debug)]
struct Client;

impl Source for Client {
    fn hash(&self, stream: &Stream<'_>, _: HashFunction) -> Option<u32> {
        stream.session.source().ip().map(of_address)
    }
}

/// The address's words of four bytes, combined.
fn of_address(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            (0..4).fold(0, |hash, word| hash ^ (bits >> (32 * word)) as u32)
        }
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    algorithms: &[Algorithm {
        name: "source",
        args: "",
        doc: "The client's address chooses the server.",
        examples: &["source"],
        status: Status::Works,
        parse: |_| Ok(()),
        build: |spec, servers| Box::new(Hashing::new(spec, servers, Client)),
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_combined_from_words() {
        assert_eq!(of_address("1.2.3.4".parse().unwrap()), 0x0102_0304);
        assert_eq!(of_address("1:2::3:4".parse().unwrap()), 0x0001_0002 ^ 0x0003_0004);
    }
}
