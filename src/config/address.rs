//! Addresses as written in a configuration: families, ports, port ranges, unix and abstract sockets,
//! inherited descriptors (manual 2.2.3 of later releases; 4.2 "bind" and 5.2 "server").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::config::args::parse_lenient;
use crate::config::outside::Outside;

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

/// What an address may be where it stands; everything else is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Accepts {
    /// A port.
    pub port: bool,
    /// Nothing without a port.
    pub port_required: bool,
    /// A range of ports.
    pub range: bool,
    /// An offset from the client's port.
    pub offset: bool,
    /// A name that is resolved at once, and must be known.
    pub resolved: bool,
    /// A name that may be resolved later.
    pub name: bool,
    /// Sockets of datagrams instead of streams.
    pub datagram: bool,
    /// An inherited descriptor.
    pub descriptor: bool,
}

impl Accepts {
    /// `bind`
    pub const BIND: Accepts = Accepts {
        port: true,
        port_required: true,
        range: true,
        offset: false,
        resolved: true,
        name: false,
        datagram: false,
        descriptor: true,
    };
    /// `server`
    pub const SERVER: Accepts = Accepts {
        port: true,
        offset: true,
        name: true,
        port_required: false,
        range: false,
        resolved: false,
        datagram: false,
        descriptor: false,
    };
    /// An address with a port, as `socks4` takes it.
    pub const PLACE: Accepts =
        Accepts { offset: false, name: false, port_required: true, resolved: true, ..Self::SERVER };
    /// An address that may lack a port, as `addr` of a check.
    pub const TARGET: Accepts = Accepts { port_required: false, ..Self::PLACE };
}

/// How many bytes the path of a unix socket may have, with room for what is put behind it.
const LONGEST_PATH: usize = 97;
/// How many bytes the name of an abstract socket may have.
const LONGEST_NAME: usize = 107;

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
            "fd" | "sockpair" => match rest.parse().ok().filter(|fd| *fd >= 0) {
                Some(fd) => Ok(AddressSpec::Inherited(fd)),
                None => Err(format!("file descriptor '{rest}' is not a valid integer in '{text}'")),
            },
            "ipv4" | "udp4" => inet(rest, Some(Family::V4), text),
            "ipv6" | "udp6" => inet(rest, Some(Family::V6), text),
            "" | "udp" => inet(rest, None, text),
            _ => inet(text, None, text),
        }
    }

    /// Reads one address and refuses what must not stand here; a name that must be known is replaced by
    /// its first address. The error is worded as HAProxy's.
    pub fn accept(
        text: &str,
        accepts: Accepts,
        outside: &mut dyn Outside,
    ) -> Result<AddressSpec, String> {
        if text.is_empty() {
            return Err(
                "'' resolves to an empty address (environment variable missing?)".to_owned()
            );
        }
        let mut address = AddressSpec::parse(text)?;
        match &mut address {
            AddressSpec::Inherited(_) if !accepts.descriptor => {
                return Err(match text.starts_with("fd@") {
                    true => format!("a file descriptor is not acceptable here in '{text}'"),
                    false => format!("unsupported protocol family for address '{text}'"),
                });
            }
            AddressSpec::Unix(path) if path.as_os_str().len() > LONGEST_PATH => {
                return Err(format!("socket path '{text}' too long (max {LONGEST_PATH})"));
            }
            AddressSpec::Abstract(name) if name.len() > LONGEST_NAME => {
                return Err(format!("socket path '{text}' too long (max {LONGEST_NAME})"));
            }
            AddressSpec::Inet { host, ports } => {
                ports.accept(text, accepts)?;
                host.accept(text, accepts, outside)?;
            }
            _ => {}
        }
        let datagram = text.starts_with("udp") && text.contains('@');
        match (datagram, accepts.datagram) {
            (true, false) => Err(format!("dgram-type socket not acceptable in '{text}'")),
            _ => Ok(address),
        }
    }
}

impl AddressSpec {
    /// The IP address and port (0 for none), if it is one that is known.
    pub fn socket(&self) -> Option<SocketAddr> {
        let AddressSpec::Inet { host: HostSpec::Literal(ip), ports } = self else { return None };
        let port = if let PortsSpec::Range(port, _) = ports { *port } else { 0 };
        Some(SocketAddr::new(*ip, port))
    }
}

impl PortsSpec {
    fn accept(&self, text: &str, accepts: Accepts) -> Result<(), String> {
        let has_port = text.rfind([':', ']']).is_some_and(|at| text.as_bytes()[at] == b':');
        if has_port && !accepts.port {
            return Err(format!("port specification not permitted here in '{text}'"));
        }
        match *self {
            PortsSpec::None if accepts.port_required => {
                Err(format!("missing port specification in '{text}'"))
            }
            PortsSpec::Offset(_) if !accepts.offset => {
                Err(format!("port offset not permitted here in '{text}'"))
            }
            PortsSpec::Range(low, high) => {
                let written = text.rsplit(':').next().unwrap_or_default();
                if written.contains('-') && !accepts.range {
                    return Err(format!("port range not permitted here in '{text}'"));
                }
                if accepts.port_required && (low == 0 || high == 0) {
                    return Err("invalid port '0'".to_owned());
                }
                if low > high {
                    return Err(format!("invalid port range '{low}-{high}'"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl HostSpec {
    /// The first of its addresses that is of the family asked for.
    pub fn first_address(&self, outside: &mut dyn Outside) -> Option<IpAddr> {
        match self {
            HostSpec::Literal(ip) => Some(*ip),
            HostSpec::Name(name, family) => {
                let found = outside.resolve(name).unwrap_or_default();
                found.into_iter().find(|ip| family.is_none_or(|family| family.fits(ip)))
            }
        }
    }

    fn accept(
        &mut self,
        text: &str,
        accepts: Accepts,
        outside: &mut dyn Outside,
    ) -> Result<(), String> {
        let HostSpec::Name(name, _) = &*self else { return Ok(()) };
        if accepts.name {
            return Ok(());
        }
        let found = if accepts.resolved { self.first_address(outside) } else { None };
        match found {
            Some(ip) => {
                *self = HostSpec::Literal(ip);
                Ok(())
            }
            None => Err(format!("invalid address: '{name}' in '{text}'")),
        }
    }
}

impl Family {
    /// Whether the address is of this family.
    pub fn fits(self, ip: &IpAddr) -> bool {
        match self {
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        }
    }
}

fn inet(rest: &str, family: Option<Family>, whole: &str) -> Result<AddressSpec, String> {
    let (host, port) = split_port(rest);
    let ports = parse_ports(port, whole)?;
    let bare = match host.strip_prefix('[') {
        Some(inside) => inside.strip_suffix(']'),
        None => Some(host),
    };
    let literal = match (host, family) {
        ("" | "*", Some(Family::V6)) | ("::", _) => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        ("" | "*", _) => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        _ => bare.and_then(|bare| bare.parse().ok()),
    };
    let host = match literal.filter(|ip| family.is_none_or(|family| family.fits(ip))) {
        Some(address) => HostSpec::Literal(address),
        None => HostSpec::Name(host.to_owned(), family),
    };
    Ok(AddressSpec::Inet { host, ports })
}

/// The last colon separates the port; `::1` without brackets needs a port after it.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rfind([':', ']']) {
        Some(at) if text.as_bytes().get(at) == Some(&b':') => (&text[..at], Some(&text[at + 1..])),
        _ => (text, None),
    }
}

/// Numbers end where their digits end, as in C.
fn parse_ports(port: Option<&str>, whole: &str) -> Result<PortsSpec, String> {
    let Some(text) = port.filter(|p| !p.is_empty()) else { return Ok(PortsSpec::None) };
    match text.as_bytes() {
        [b'0'..=b'9', ..] => {
            let (low, high) = text.split_once('-').unwrap_or((text, text));
            let number = |text: &str| {
                u16::try_from(parse_lenient(text.as_bytes()))
                    .map_err(|_| format!("invalid port '{text}'"))
            };
            Ok(PortsSpec::Range(number(low)?, number(high)?))
        }
        [sign @ (b'+' | b'-'), digits @ ..] => {
            let offset = i32::try_from(parse_lenient(digits)).unwrap_or(i32::MAX);
            Ok(PortsSpec::Offset(if *sign == b'-' { -offset } else { offset }))
        }
        _ => {
            let first = text.chars().next().unwrap_or_default();
            Err(format!("invalid character '{first}' in port number '{text}' in '{whole}'"))
        }
    }
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
        assert_eq!(AddressSpec::parse("web:8x"), inet("web", one(8)));
        assert!(AddressSpec::parse("web:x").is_err());
        assert!(AddressSpec::parse("web:99999").is_err());
    }
}
