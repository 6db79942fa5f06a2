//! Samples: a typed value taken from the traffic (manual 7.3). Casts follow the manual's 7.3.1.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

/// The types of HAProxy's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Whatever comes.
    Any,
    /// `bool`
    Bool,
    /// `sint`: a signed 64-bit integer.
    Int,
    /// `addr`: IPv4 or IPv6.
    Addr,
    /// `ipv4`
    Ipv4,
    /// `ipv6`
    Ipv6,
    /// `str`: bytes meant as text.
    Str,
    /// `bin`: bytes.
    Bin,
    /// `meth`: an HTTP method.
    Method,
}

impl Type {
    /// Whether some value of this type can become one of the other (manual 7.3.1).
    pub fn casts_to(self, to: Type) -> bool {
        use Type::{Addr, Any, Bin, Bool, Int, Ipv4, Ipv6, Method, Str};
        match (self, to) {
            (Any, _) | (_, Any) => true,
            (Addr, _) => false,
            (Bool, Bool | Int | Str) => true,
            (Int, to) => to != Method,
            (Ipv4, to) => !matches!(to, Bool | Method),
            (Ipv6, to) => !matches!(to, Bool | Int | Method),
            (Str, _) => true,
            (Bin | Method, Str | Bin | Method) => true,
            _ => false,
        }
    }

    /// HAProxy's name of the type.
    pub fn word(self) -> &'static str {
        match self {
            Type::Any => "any",
            Type::Bool => "bool",
            Type::Int => "sint",
            Type::Addr => "addr",
            Type::Ipv4 => "ipv4",
            Type::Ipv6 => "ipv6",
            Type::Str => "str",
            Type::Bin => "bin",
            Type::Method => "meth",
        }
    }
}

/// A sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An address.
    Ip(IpAddr),
    /// Text.
    Str(Cow<'a, [u8]>),
    /// Bytes.
    Bin(Cow<'a, [u8]>),
    /// An HTTP method.
    Method(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    /// Borrowed text.
    pub fn text(bytes: &'a [u8]) -> Value<'a> {
        Value::Str(Cow::Borrowed(bytes))
    }

    /// Owned text.
    pub fn string(bytes: impl Into<Vec<u8>>) -> Value<'a> {
        Value::Str(Cow::Owned(bytes.into()))
    }

    /// What text or bytes hold; `None` for what is neither.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Str(bytes) | Value::Bin(bytes) | Value::Method(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The value's own type.
    pub fn kind(&self) -> Type {
        match self {
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Ip(IpAddr::V4(_)) => Type::Ipv4,
            Value::Ip(IpAddr::V6(_)) => Type::Ipv6,
            Value::Str(_) => Type::Str,
            Value::Bin(_) => Type::Bin,
            Value::Method(_) => Type::Method,
        }
    }

    /// As text: what a log or a header shows.
    pub fn to_text(&self) -> Cow<'_, [u8]> {
        match self {
            Value::Bool(value) => Cow::Borrowed(if *value { b"1" } else { b"0" }),
            Value::Int(value) => Cow::Owned(value.to_string().into_bytes()),
            Value::Ip(address) => {
                let mut text = Vec::with_capacity("255.255.255.255".len());
                write_address(&mut text, *address);
                Cow::Owned(text)
            }
            Value::Str(text) | Value::Method(text) | Value::Bin(text) => Cow::Borrowed(text),
        }
    }

    /// Casts to another type, `None` where the manual's matrix has no way.
    pub fn cast(self, to: Type) -> Option<Value<'a>> {
        if to == Type::Any || self.kind() == to {
            return Some(self);
        }
        match (self, to) {
            (value @ Value::Ip(_), Type::Addr) => Some(value),
            (Value::Bool(value), Type::Int) => Some(Value::Int(i64::from(value))),
            (Value::Int(value), Type::Bool) => Some(Value::Bool(value != 0)),
            (Value::Str(text), Type::Int) => int_of_text(&text).map(Value::Int),
            (Value::Str(text), Type::Bool) => int_of_text(&text).map(|i| Value::Bool(i != 0)),
            (Value::Str(text), Type::Bin) => Some(Value::Bin(text)),
            (Value::Str(text), Type::Method) => Some(Value::Method(text)),
            // As everywhere in HAProxy, a NUL ends a text; a method becomes text, never bytes.
            (Value::Bin(bytes), Type::Str) => Some(Value::Str(until_nul(bytes))),
            (Value::Bin(bytes), Type::Method) => Some(Value::Method(bytes)),
            (Value::Method(text), Type::Str | Type::Bin) => Some(Value::Str(text)),
            (Value::Str(text), Type::Addr | Type::Ipv4 | Type::Ipv6) => {
                let address: IpAddr = std::str::from_utf8(&text).ok()?.parse().ok()?;
                Value::Ip(address).cast(to)
            }
            (Value::Ip(IpAddr::V4(ip)), Type::Ipv6) => Some(Value::Ip(ip.to_ipv6_mapped().into())),
            (Value::Ip(IpAddr::V6(ip)), Type::Ipv4) => {
                ip.to_ipv4_mapped().map(|ip| Value::Ip(ip.into()))
            }
            (Value::Ip(IpAddr::V4(ip)), Type::Int) => Some(Value::Int(i64::from(u32::from(ip)))),
            (Value::Int(value), Type::Ipv4 | Type::Addr) => {
                Some(Value::Ip(Ipv4Addr::from(value as u32).into()))
            }
            (Value::Int(value), Type::Ipv6) => {
                Some(Value::Ip(Ipv4Addr::from(value as u32).to_ipv6_mapped().into()))
            }
            (Value::Ip(IpAddr::V4(ip)), Type::Bin) => Some(Value::Bin(ip.octets().to_vec().into())),
            (Value::Ip(IpAddr::V6(ip)), Type::Bin) => Some(Value::Bin(ip.octets().to_vec().into())),
            (Value::Int(value), Type::Bin) => Some(Value::Bin(value.to_be_bytes().to_vec().into())),
            (value, Type::Str) => Some(Value::string(value.to_text().into_owned())),
            _ => None,
        }
    }

    /// Takes the value out of what it borrows.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Bool(value) => Value::Bool(value),
            Value::Int(value) => Value::Int(value),
            Value::Ip(address) => Value::Ip(address),
            Value::Str(text) => Value::Str(Cow::Owned(text.into_owned())),
            Value::Bin(bytes) => Value::Bin(Cow::Owned(bytes.into_owned())),
            Value::Method(text) => Value::Method(Cow::Owned(text.into_owned())),
        }
    }
}

/// An address as C libraries write it: of an IPv6 address that only its last 32 bits make, these are
/// written as an IPv4 address, unless the upper half of them is zero.
pub fn address_text(address: IpAddr) -> String {
    let mut text = Vec::with_capacity("255.255.255.255".len());
    write_address(&mut text, address);
    String::from_utf8(text).unwrap_or_default()
}

/// The same at the end of what is there: IPv4 addresses are written often, and `Display` is slow.
pub fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (at, byte) in v4.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(itoa::Buffer::new().format(byte).as_bytes());
            }
        }
        IpAddr::V6(v6) if v6.segments()[..6] == [0; 6] && v6.segments()[6] != 0 => {
            out.extend_from_slice(b"::");
            write_address(out, IpAddr::V4(Ipv4Addr::from(v6.to_bits() as u32)));
        }
        IpAddr::V6(v6) => out.extend_from_slice(v6.to_string().as_bytes()),
    }
}

fn until_nul(bytes: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..end]),
        Cow::Owned(mut bytes) => {
            bytes.truncate(end);
            Cow::Owned(bytes)
        }
    }
}

fn int_of_text(text: &[u8]) -> Option<i64> {
    (!text.is_empty()).then(|| crate::config::args::parse_lenient(text))
}
