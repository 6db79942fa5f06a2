//! Converters of addresses and of numbers on the wire (manual 7.3.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::catalog::{Converter, Part, Status};
use crate::sample::args::ArgType;
use crate::sample::value::{Type, Value};
use crate::sample::{Argument, Arguments};

fn ipmask(value: Value<'_>, args: &Arguments) -> Option<Value<'static>> {
    // An IPv4 address within an IPv6 address counts as what it is.
    let value = match value {
        Value::Ip(ip) => Value::Ip(ip.to_canonical()),
        value => value,
    };
    let address = match (value, args.0.first()?, args.0.get(1)) {
        (Value::Ip(IpAddr::V4(ip)), Argument::Ip(IpAddr::V4(mask)), _) => {
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask.to_bits()))
        }
        (Value::Ip(IpAddr::V6(ip)), _, Some(Argument::Ip(IpAddr::V6(mask)))) => {
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask.to_bits()))
        }
        _ => return None,
    };
    Some(Value::Ip(address))
}

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "htonl",
            takes: Type::Int,
            gives: Type::Bin,
            doc: "The integer as four bytes in network order.",
            examples: &[("int(65),htonl,hex", "00000041")],
            status: Status::Works,
            run: |value, _, _| match value {
                Value::Int(number) => {
                    Some(Value::Bin((number as u32).to_be_bytes().to_vec().into()))
                }
                _ => None,
            },
            ..Converter::NEW
        },
        Converter {
            name: "ipmask",
            args: &[ArgType::Mask4, ArgType::Mask6],
            required: 1,
            takes: Type::Addr,
            gives: Type::Ipv4,
            doc: "The address cut to a prefix; IPv6 needs a mask of its own.",
            examples: &[
                ("ipv4(10.1.2.3),ipmask(8)", "10.0.0.0"),
                ("ipv4(10.1.2.3),ipmask(255.255.0.0)", "10.1.0.0"),
                ("ipv6(2001:db8::1),ipmask(24,32)", "2001:db8::"),
                ("str(10.1.2.3),ipmask(8)", "10.0.0.0"),
            ],
            status: Status::Works,
            run: |value, _, args| ipmask(value, args),
            ..Converter::NEW
        },
    ],
    ..Part::NONE
};
