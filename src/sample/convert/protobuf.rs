//! Fields of Protocol Buffers messages, plain or in gRPC frames (manual 7.3.1 "protobuf", "ungrpc"; the
//! encoding is described at protobuf.dev). In: a message and a path of field numbers. Out: the field.

use crate::catalog::{Converter, Part, Status};
use crate::sample::args::ArgType;
use crate::sample::value::{Type, Value};
use crate::sample::{Argument, Arguments};

/// How a field's bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As they are.
    Bytes,
    /// A variable-length integer.
    Plain,
    /// The same, where odd numbers stand for negative ones.
    Zigzag,
    Fixed32,
    Signed32,
    Float,
    Fixed64,
    Double,
}

const KINDS: [(&str, Kind); 15] = [
    ("", Kind::Bytes),
    ("int32", Kind::Plain),
    ("uint32", Kind::Plain),
    ("sint32", Kind::Zigzag),
    ("int64", Kind::Plain),
    ("uint64", Kind::Plain),
    ("sint64", Kind::Zigzag),
    ("bool", Kind::Plain),
    ("enum", Kind::Plain),
    ("fixed32", Kind::Fixed32),
    ("sfixed32", Kind::Signed32),
    ("float", Kind::Float),
    ("fixed64", Kind::Fixed64),
    ("sfixed64", Kind::Fixed64),
    ("double", Kind::Double),
];

/// What a field's bytes are, as the key before them says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Varint,
    Fixed64,
    Length(u64),
    Fixed32,
}

/// Reads a variable-length integer of at most ten bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..70).step_by(7) {
        // HAProxy takes nothing for 0.
        let Some((byte, rest)) = bytes.split_first() else {
            return (shift == 0).then_some(0);
        };
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn skip(bytes: &mut &[u8], wire: Wire) -> Option<()> {
    let length = match wire {
        Wire::Varint => return varint(bytes).map(drop),
        Wire::Fixed64 => 8,
        Wire::Fixed32 => 4,
        Wire::Length(length) => usize::try_from(length).ok()?,
    };
    *bytes = bytes.get(length..)?;
    Some(())
}

/// The field at the beginning of `bytes`.
fn read(bytes: &[u8], wire: Wire, kind: Kind) -> Option<Value<'static>> {
    let slice = |length: usize| bytes.get(..length);
    let raw = |bytes: &[u8]| Some(Value::Bin(bytes.to_vec().into()));
    let int = |number: i64| Some(Value::Int(number));
    match (wire, kind) {
        (Wire::Length(length), Kind::Bytes) => raw(slice(usize::try_from(length).ok()?)?),
        (Wire::Varint, Kind::Bytes) => {
            let mut rest = bytes;
            varint(&mut rest)?;
            raw(slice(bytes.len() - rest.len())?)
        }
        (Wire::Varint, Kind::Plain) => int(varint(&mut &*bytes)? as i64),
        (Wire::Varint, Kind::Zigzag) => {
            let number = varint(&mut &*bytes)?;
            int((number >> 1) as i64 ^ -((number & 1) as i64))
        }
        (Wire::Fixed32, kind) => {
            let four: [u8; 4] = slice(4)?.try_into().ok()?;
            match kind {
                Kind::Bytes => raw(&four),
                Kind::Fixed32 => int(u32::from_le_bytes(four).into()),
                Kind::Signed32 => int(i32::from_le_bytes(four).into()),
                Kind::Float => int(f32::from_le_bytes(four) as u32 as i64),
                _ => None,
            }
        }
        (Wire::Fixed64, kind) => {
            let eight: [u8; 8] = slice(8)?.try_into().ok()?;
            match kind {
                Kind::Bytes => raw(&eight),
                Kind::Fixed64 => int(i64::from_le_bytes(eight)),
                Kind::Double => int(f64::from_le_bytes(eight) as u64 as i64),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Follows the path of field numbers into the message; gives the field it ends at. The bytes that were
/// looked at are gone from `bytes`.
fn look_up(bytes: &mut &[u8], path: &[u32], kind: Kind) -> Option<Value<'static>> {
    let (mut depth, mut inner) = (0, 0u64);
    while let Some(wanted) = path.get(depth) {
        if bytes.is_empty() {
            return None;
        }
        let mut before = bytes.len();
        let key = varint(bytes)?;
        let found = (key >> 3) as u32 == *wanted;
        let wire = match key & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => {
                inner = varint(bytes).filter(|length| *length <= bytes.len() as u64)?;
                before = bytes.len();
                Wire::Length(inner)
            }
            5 => Wire::Fixed32,
            _ => return None,
        };
        if found && depth + 1 == path.len() {
            return read(bytes, wire, kind);
        }
        if !found {
            skip(bytes, wire)?;
        }
        // What is left of the message that the path has entered.
        inner = inner.saturating_sub((before - bytes.len()) as u64);
        if found {
            depth += 1;
        } else if inner == 0 {
            depth = 0;
        }
    }
    None
}

/// The same in each message of a sequence of gRPC frames.
fn look_up_framed(mut bytes: &[u8], path: &[u32], kind: Kind) -> Option<Value<'static>> {
    while bytes.len() > 5 {
        let length = u32::from_be_bytes(bytes.get(1..5)?.try_into().ok()?);
        let mut message = bytes.get(5..)?.get(..usize::try_from(length).ok()?)?;
        bytes = bytes.get(5 + message.len()..)?;
        if let Some(value) = look_up(&mut message, path, kind) {
            return Some(value);
        }
    }
    None
}

fn path(args: &Arguments) -> Option<Vec<u32>> {
    let text = std::str::from_utf8(args.str(0)?).ok()?;
    // Larger numbers wrap around, as in HAProxy.
    let number = |text: &str| {
        text.bytes().fold(0u32, |n, b| n.wrapping_mul(10).wrapping_add(u32::from(b - b'0')))
    };
    Some(text.split('.').map(number).collect())
}

fn kind(args: &Arguments) -> Option<Kind> {
    let index = usize::try_from(args.int(1).unwrap_or(0)).ok()?;
    KINDS.get(index).map(|(_, kind)| *kind)
}

fn check(args: &mut Arguments) -> Result<(), String> {
    let Some(name) = args.str(1) else { return Ok(()) };
    let name = String::from_utf8_lossy(name).into_owned();
    let index = KINDS.iter().position(|(known, _)| *known == name).filter(|index| *index > 0);
    let index = index.ok_or_else(|| format!("Wrong protocol buffer type '{name}'"))?;
    args.0[1] = Argument::Int(index as i64);
    Ok(())
}

const FIELD: Converter = Converter {
    args: &[ArgType::FieldNumber, ArgType::Str],
    required: 1,
    takes: Type::Bin,
    gives: Type::Bin,
    status: Status::Works,
    check,
    ..Converter::NEW
};

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "protobuf",
            doc: "A field of a Protocol Buffers message.",
            examples: &[
                ("bin(089601),protobuf(1,int32)", "150"),
                ("bin(0801),protobuf(1,sint64)", "-1"),
                ("bin(12076162636465666718ff01),protobuf(2)", "abcdefg"),
                ("bin(1a03089601),protobuf(3.1,uint64)", "150"),
                ("bin(0d01000000),protobuf(1,fixed32)", "1"),
            ],
            run: |value, _, args| look_up(&mut value.bytes()?, &path(args)?, kind(args)?),
            ..FIELD
        },
        Converter {
            name: "ungrpc",
            doc: "A field of a message in gRPC frames.",
            examples: &[("bin(0000000003089601),ungrpc(1,int32)", "150")],
            run: |value, _, args| look_up_framed(value.bytes()?, &path(args)?, kind(args)?),
            ..FIELD
        },
    ],
    ..Part::NONE
};
