//! Hashes (manual 7.3.1). In: bytes. Out: an integer or the digest's bytes.

use sha1::Digest;
use xxhash_rust::{xxh32::xxh32, xxh64::xxh64};

use crate::catalog::{Converter, Part, Status};
use crate::sample::args::ArgType;
use crate::sample::value::{Type, Value};
use crate::sample::{Argument, Arguments};

fn bytes_of<'v>(value: &'v Value<'_>) -> Option<&'v [u8]> {
    match value {
        Value::Bin(bytes) | Value::Str(bytes) => Some(bytes),
        _ => None,
    }
}

/// A 32-bit hash; an argument other than 0 mixes its bits once more.
fn hash32(
    value: &Value<'_>,
    args: &Arguments,
    compute: fn(&[u8]) -> u32,
) -> Option<Value<'static>> {
    let plain = compute(bytes_of(value)?);
    let mix = args.int(0).unwrap_or(0) != 0;
    Some(Value::Int(i64::from(if mix { avalanche(plain) } else { plain })))
}

/// Bob Jenkins' full avalanche, which HAProxy's `hash-type … avalanche` uses too.
pub fn avalanche(mut a: u32) -> u32 {
    a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
    a = (a ^ 0xc761_c23c) ^ (a >> 19);
    a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    a = (a ^ 0xb55a_4f09) ^ (a >> 16);
    // HAProxy spreads the result once more, for its trees of server positions.
    a.wrapping_mul(0xc000_0001)
}

/// Dan Bernstein's second hash: times 33, plus the byte.
pub fn djb2(bytes: &[u8]) -> u32 {
    bytes.iter().fold(5381u32, |hash, b| hash.wrapping_mul(33).wrapping_add(u32::from(*b)))
}

/// The hash of the SDBM library: times 65,599, plus the byte.
pub fn sdbm(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0u32, |hash, b| hash.wrapping_mul(65_599).wrapping_add(u32::from(*b)))
}

/// WT6: two words that turn each other by amounts that depend on the text; good at short texts.
pub fn wt6(bytes: &[u8]) -> u32 {
    let (mut left, mut right) = (0xa53c_965au32, 0x5ca6_953au32);
    let (mut turn_left, mut turn_right) = (18, 6);
    for byte in bytes {
        left = !(left ^ u32::from(*byte));
        right = !right.wrapping_add(u32::from(*byte));
        (left, right) = (right.rotate_left(turn_right), left.rotate_left(turn_left));
        let turns = ((left >> 16) ^ right) & 0xffff;
        (turn_right, turn_left) = (turns & 0x1f, turns >> 11);
    }
    left ^ right
}

fn crc(bytes: &[u8], reflected_polynomial: u32) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { reflected_polynomial } else { 0 }
        })
    })
}

/// CRC-32 as in zip files and Ethernet.
pub fn crc32(bytes: &[u8]) -> u32 {
    crc(bytes, 0xedb8_8320)
}

/// CRC-32C (Castagnoli), as in the PROXY protocol.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc(bytes, 0x82f6_3b78)
}

fn seed(args: &Arguments) -> i64 {
    args.int(0).unwrap_or(0)
}

fn digest(bytes: Vec<u8>) -> Option<Value<'static>> {
    Some(Value::Bin(bytes.into()))
}

fn sha2<'a>(value: &Value<'a>, args: &Arguments) -> Option<Value<'static>> {
    let bytes = bytes_of(value)?;
    digest(match args.int(0).unwrap_or(256) {
        224 => sha2::Sha224::digest(bytes).to_vec(),
        384 => sha2::Sha384::digest(bytes).to_vec(),
        512 => sha2::Sha512::digest(bytes).to_vec(),
        _ => sha2::Sha256::digest(bytes).to_vec(),
    })
}

fn check_sha2(args: &mut Arguments) -> Result<(), String> {
    match args.0.first() {
        None | Some(Argument::Int(224 | 256 | 384 | 512)) => Ok(()),
        Some(_) => Err(format!("Unsupported number of bits: '{}'", args.int(0).unwrap_or(0))),
    }
}

const HASH: Converter = Converter {
    args: &[ArgType::Int],
    takes: Type::Bin,
    gives: Type::Int,
    status: Status::Works,
    ..Converter::NEW
};

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "crc32",
            doc: "The CRC-32 of the bytes.",
            examples: &[("str(abc),crc32", "891568578"), ("str(abc),crc32(1)", "930845320")],
            run: |value, _, args| hash32(&value, args, crc32),
            ..HASH
        },
        Converter {
            name: "crc32c",
            doc: "The CRC-32C of the bytes.",
            examples: &[("str(abc),crc32c", "910901175"), ("str(abc),crc32c(1)", "1285784220")],
            run: |value, _, args| hash32(&value, args, crc32c),
            ..HASH
        },
        Converter {
            name: "djb2",
            doc: "The DJB2 hash of the bytes.",
            examples: &[("str(abc),djb2", "193485963"), ("str(abc),djb2(1)", "2235766107")],
            run: |value, _, args| hash32(&value, args, djb2),
            ..HASH
        },
        Converter {
            name: "sdbm",
            doc: "The SDBM hash of the bytes.",
            examples: &[("str(abc),sdbm", "807794786"), ("str(abc),sdbm(1)", "659243622")],
            run: |value, _, args| hash32(&value, args, sdbm),
            ..HASH
        },
        Converter {
            name: "sha1",
            args: &[],
            gives: Type::Bin,
            doc: "The SHA-1 digest of the bytes.",
            examples: &[("str(abc),sha1,hex", "A9993E364706816ABA3E25717850C26C9CD0D89D")],
            run: |value, _, _| digest(sha1::Sha1::digest(bytes_of(&value)?).to_vec()),
            ..HASH
        },
        Converter {
            name: "sha2",
            gives: Type::Bin,
            doc: "The SHA-2 digest of the bytes, of 224, 256 (the default), 384 or 512 bits.",
            examples: &[
                (
                    "str(abc),sha2,hex",
                    "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
                ),
                (
                    "str(abc),sha2(224),hex",
                    "23097D223405D8228642A477BDA255B32AADBCE4BDA0B3F7E36C9DA7",
                ),
            ],
            check: check_sha2,
            run: |value, _, args| sha2(&value, args),
            ..HASH
        },
        Converter {
            name: "wt6",
            doc: "The WT6 hash of the bytes.",
            examples: &[("str(abc),wt6", "2483038440"), ("str(abc),wt6(1)", "266135527")],
            run: |value, _, args| hash32(&value, args, wt6),
            ..HASH
        },
        Converter {
            name: "xxh32",
            doc: "The 32-bit xxHash of the bytes, with an optional seed.",
            examples: &[("str(abc),xxh32", "852579327"), ("str(abc),xxh32(5)", "1562728233")],
            run: |value, _, args| {
                let hash = xxh32(bytes_of(&value)?, seed(args) as u32);
                Some(Value::Int(i64::from(hash)))
            },
            ..HASH
        },
        Converter {
            name: "xxh64",
            doc: "The 64-bit xxHash of the bytes, with an optional seed.",
            examples: &[
                ("str(abc),xxh64", "4952883123889572249"),
                ("str(abc),xxh64(5)", "-1753195980308443340"),
            ],
            run: |value, _, args| {
                let hash = xxh64(bytes_of(&value)?, seed(args) as u64);
                Some(Value::Int(hash as i64))
            },
            ..HASH
        },
    ],
    ..Part::NONE
};
