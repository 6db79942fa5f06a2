//! Addresses as written in a configuration: families, ports, port ranges, unix and abstract sockets,
//! inherited descriptors (manual 2.2.3 of later releases; 4.2 "bind" and 5.2 "server").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

/// What an address word says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressSpec {
    /// An IP address or host name with ports.
    Inet {
        /// The host.
        host: HostSpec,
        /// The ports.
        ports: PortsSpec,
    },
    /// A unix socket's path.
    Unix(PathBuf),
    /// An abstract unix socket's name.
    Abstract(Vec<u8>),
    /// `fd@N`
    Inherited(i32),
}

/// The host part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostSpec {
    /// A literal address; `*` and the empty word are 0.0.0.0.
    Literal(IpAddr),
    /// A name to be resolved, and whether only IPv4 or only IPv6 addresses will do.
    Name(String, Option<Family>),
}

/// `ipv4@` or `ipv6@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `ipv4@`
    V4,
    /// `ipv6@`
    V6,
}

/// The port part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortsSpec {
    /// None was written.
    None,
    /// One port, or a range, both ends included.
    Range(u16, u16),
    /// `+N` or `-N`: relative to the client's port.
    Offset(i32),
}

impl AddressSpec {
    /// Reads one address. The error is worded as HAProxy's.
    pub fn parse(text: &str) -> Result<AddressSpec, String> {
        let (prefix, rest) = match text.split_once('@') {
            Some((prefix, rest)) => (prefix, rest),
            None if text.starts_with('/') => return Ok(AddressSpec::Unix(PathBuf::from(text))),
            None => ("", text),
        };
        match prefix {
            "unix" => Ok(AddressSpec::Unix(PathBuf::from(rest))),
            "abns" => Ok(AddressSpec::Abstract(rest.as_bytes().to_vec())),
            "fd" | "sockpair" => rest.parse().map(AddressSpec::Inherited).map_err(|_| {
                format!("file descriptor '{rest}' is not a valid integer in '{text}'")
            }),
            "ipv4" => inet(rest, Some(Family::V4), text),
            "ipv6" => inet(rest, Some(Family::V6), text),
            "" | "udp" | "udp4" | "udp6" => inet(rest, None, text),
            _ => inet(text, None, text),
        }
    }
}

fn inet(rest: &str, family: Option<Family>, whole: &str) -> Result<AddressSpec, String> {
    let (host, port) = split_port(rest, family);
    let ports = parse_ports(port, whole)?;
    let literal = match (host, family) {
        ("" | "*", Some(Family::V6)) | ("::", _) => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        ("" | "*", _) => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        (host, _) => host.trim_start_matches('[').trim_end_matches(']').parse().ok(),
    };
    let host = match literal {
        Some(address) => HostSpec::Literal(address),
        None => HostSpec::Name(host.to_owned(), family),
    };
    Ok(AddressSpec::Inet { host, ports })
}

/// The last colon separates the port; `::1` without brackets needs `ipv6@` or a port after it.
fn split_port(text: &str, _: Option<Family>) -> (&str, Option<&str>) {
    match text.rfind([':', ']']) {
        Some(at) if text.as_bytes().get(at) == Some(&b':') => (&text[..at], Some(&text[at + 1..])),
        _ => (text, None),
    }
}

fn parse_ports(port: Option<&str>, whole: &str) -> Result<PortsSpec, String> {
    let Some(text) = port.filter(|p| !p.is_empty()) else { return Ok(PortsSpec::None) };
    if text.starts_with(['+', '-']) {
        return text.parse().map(PortsSpec::Offset).map_err(|_| {
            format!("invalid character '{text}' in port number '{text}' in '{whole}'")
        });
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let number = |t: &str| {
        t.parse::<u16>().map_err(|_| match t.chars().find(|c| !c.is_ascii_digit()) {
            Some(c) => format!("invalid character '{c}' in port number '{text}' in '{whole}'"),
            None => format!("invalid port '{t}'"),
        })
    };
    Ok(PortsSpec::Range(number(low)?, number(high)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(host: &str, ports: PortsSpec) -> Result<AddressSpec, String> {
        let host = match host.parse() {
            Ok(address) => HostSpec::Literal(address),
            Err(_) => HostSpec::Name(host.to_owned(), None),
        };
        Ok(AddressSpec::Inet { host, ports })
    }

    #[test]
    fn every_form_of_the_manual() {
        let one = |p| PortsSpec::Range(p, p);
        assert_eq!(AddressSpec::parse("*:80"), inet("0.0.0.0", one(80)));
        assert_eq!(AddressSpec::parse(":80"), inet("0.0.0.0", one(80)));
        assert_eq!(
            AddressSpec::parse("10.0.0.1:80-89"),
            inet("10.0.0.1", PortsSpec::Range(80, 89))
        );
        assert_eq!(AddressSpec::parse("[::1]:80"), inet("::1", one(80)));
        assert_eq!(AddressSpec::parse(":::80"), inet("::", one(80)));
        assert_eq!(AddressSpec::parse("web:80"), inet("web", one(80)));
        assert_eq!(AddressSpec::parse("web"), inet("web", PortsSpec::None));
        assert_eq!(AddressSpec::parse("web:+5"), inet("web", PortsSpec::Offset(5)));
        assert_eq!(AddressSpec::parse("/run/x"), Ok(AddressSpec::Unix("/run/x".into())));
        assert_eq!(AddressSpec::parse("abns@x"), Ok(AddressSpec::Abstract(b"x".to_vec())));
        assert_eq!(AddressSpec::parse("fd@3"), Ok(AddressSpec::Inherited(3)));
        assert!(AddressSpec::parse("web:8x").is_err());
        assert!(AddressSpec::parse("web:99999").is_err());
    }
}
