//! The PROXY protocol, versions 1 and 2, and NetScaler's client address header (proxy-protocol.txt;
//! manual 5.1 "accept-proxy", 5.2 "send-proxy"). In: the first bytes of a connection, or the ends of
//! one. Out: the ends that a header names, or the header that names them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::catalog::{BindOption, Part, ServerOption, Status};
use crate::config::args::{OptionLine, Parsed, parse_lenient};
use crate::config::spec::{BindSpec, ServerSpec};
use crate::flow::server::transport::refuse;

/// What a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expected {
    /// A PROXY protocol header: `accept-proxy`, or a rule.
    pub proxy: bool,
    /// A NetScaler's header: `accept-netscaler-cip`, or a rule.
    pub netscaler: bool,
    /// The NetScaler's magic number.
    pub magic: u32,
}

/// What the header says beside the addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxied {
    /// Whether it was a PROXY protocol header, not NetScaler's.
    pub proxy: bool,
    /// The name that the client asked for (`PP2_TYPE_AUTHORITY`).
    pub authority: Option<Vec<u8>>,
    /// The unique id of the proxy before this one (`PP2_TYPE_UNIQUE_ID`).
    pub unique_id: Option<Vec<u8>>,
}

/// A header that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// Bytes it takes.
    pub length: usize,
    /// Source and destination; `None` when the connection's own stand.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// The rest.
    pub more: Proxied,
}

/// Why a header is refused: HAProxy's words for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection was closed before a byte came.
    Empty,
    /// Not all of it came at once.
    Truncated,
    /// It does not begin as one.
    NotOne,
    /// It breaks the rules.
    Invalid,
    /// A protocol that cannot be used.
    Unhandled,
    /// Nothing came in time.
    Late,
    /// NetScaler: closed before a byte came.
    NetscalerEmpty,
    /// NetScaler: not all of it came at once.
    NetscalerTruncated,
    /// NetScaler: another magic number.
    NetscalerMagic,
    /// NetScaler: a protocol that cannot be used.
    NetscalerUnhandled,
    /// NetScaler: nothing came in time.
    NetscalerLate,
}

impl Fault {
    /// What the log says.
    pub fn words(self) -> &'static str {
        match self {
            Fault::Empty => "Connection closed while waiting for PROXY protocol header",
            Fault::Truncated => "Truncated PROXY protocol header received",
            Fault::NotOne => "Received something which does not look like a PROXY protocol header",
            Fault::Invalid => "Received an invalid PROXY protocol header",
            Fault::Unhandled => "Received an unhandled protocol in the PROXY protocol header",
            Fault::Late => "Timeout while waiting for PROXY protocol header",
            Fault::NetscalerEmpty => {
                "Connection closed while waiting for NetScaler Client IP header"
            }
            Fault::NetscalerTruncated => "Truncated NetScaler Client IP header received",
            Fault::NetscalerMagic => "Received an invalid NetScaler Client IP magic number",
            Fault::NetscalerUnhandled => {
                "Received an unhandled protocol in the NetScaler Client IP header"
            }
            Fault::NetscalerLate => "Timeout while waiting for NetScaler Client IP header",
        }
    }

    /// Whether the client just connected and closed (`option dontlognull`).
    pub fn is_null(self) -> bool {
        matches!(self, Fault::Empty | Fault::Late | Fault::NetscalerEmpty | Fault::NetscalerLate)
    }
}

/// The 12 bytes that begin a header of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// A header of version 1 is no longer than this, its line end included.
const LONGEST_V1: usize = 107;

/// `PP2_TYPE_AUTHORITY`, `PP2_TYPE_CRC32C`, `PP2_TYPE_UNIQUE_ID`, `PP2_TYPE_ALPN`, `PP2_TYPE_SSL`
const AUTHORITY: u8 = 0x02;
const CRC32C: u8 = 0x03;
const UNIQUE_ID: u8 = 0x05;
const SSL: u8 = 0x20;

/// A unique id is no longer than this.
const LONGEST_ID: usize = 128;
/// A name is no longer than this.
const LONGEST_NAME: usize = 255;

/// Reads a PROXY protocol header; like HAProxy it must have come in one piece.
pub fn read(bytes: &[u8]) -> Result<Header, Fault> {
    if bytes.is_empty() {
        return Err(Fault::Empty);
    }
    let begins = |with: &[u8]| {
        let length = with.len().min(bytes.len());
        bytes.get(..length) == with.get(..length)
    };
    if begins(b"PROXY ") {
        read_v1(bytes)
    } else if begins(SIGNATURE) {
        read_v2(bytes)
    } else if bytes.len() < 6 {
        Err(Fault::Truncated)
    } else {
        Err(Fault::NotOne)
    }
}

/// `PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n`
fn read_v1(bytes: &[u8]) -> Result<Header, Fault> {
    let line = bytes.get(..bytes.len().min(LONGEST_V1)).unwrap_or_default();
    let words = line.get(6..).ok_or(Fault::Truncated)?;
    if words.starts_with(b"UNKNOWN") && !words.starts_with(b"UNKNOWN\r") && words.len() > 7 {
        return Err(Fault::Unhandled);
    }
    let end = memchr::memchr(b'\n', line);
    let Some(end) = end else {
        return Err(if bytes.len() >= LONGEST_V1 { Fault::Invalid } else { Fault::Truncated });
    };
    let text = line.get(6..end).and_then(|l| l.strip_suffix(b"\r")).ok_or(Fault::Invalid)?;
    let text = std::str::from_utf8(text).map_err(|_| Fault::Invalid)?;
    let more = Proxied { proxy: true, ..Proxied::default() };
    let length = end + 1;
    let mut words = text.split(' ');
    let v6 = match words.next() {
        Some("TCP4") => false,
        Some("TCP6") => true,
        Some("UNKNOWN") => return Ok(Header { length, ends: None, more }),
        _ => return Err(Fault::Unhandled),
    };
    let mut next = || words.next().ok_or(Fault::Invalid);
    let (source, destination) = (address(next()?, v6)?, address(next()?, v6)?);
    let (source_port, port) = (port(next()?)?, port(next()?)?);
    if words.next().is_some() {
        return Err(Fault::Invalid);
    }
    let ends = (SocketAddr::new(source, source_port), SocketAddr::new(destination, port));
    Ok(Header { length, ends: Some(ends), more })
}

fn address(text: &str, v6: bool) -> Result<IpAddr, Fault> {
    let found = match v6 {
        true => text.parse().ok().map(IpAddr::V6),
        false => text.parse().ok().map(IpAddr::V4),
    };
    found.ok_or(Fault::Invalid)
}

fn port(text: &str) -> Result<u16, Fault> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(Fault::Invalid)
}

fn read_v2(bytes: &[u8]) -> Result<Header, Fault> {
    let &[command, family, high, low] =
        bytes.get(12..16).and_then(|b| b.first_chunk::<4>()).ok_or(Fault::Truncated)?;
    let length = 16 + usize::from(u16::from_be_bytes([high, low]));
    if command & 0xf0 != 0x20 {
        return Err(Fault::NotOne);
    }
    let body = bytes.get(16..length).ok_or(Fault::Truncated)?;
    let mut header =
        Header { length, ends: None, more: Proxied { proxy: true, ..Proxied::default() } };
    match command & 0x0f {
        // LOCAL: a health check of the proxy before this one.
        0 => return Ok(header),
        1 => {}
        _ => return Err(Fault::Invalid),
    }
    let (ends, used) = match family {
        0x11 => (ends_v4(body), 12),
        0x21 => (ends_v6(body), 36),
        _ => return Err(Fault::Invalid),
    };
    header.ends = Some(ends.ok_or(Fault::Invalid)?);
    read_values(bytes.get(..length).unwrap_or_default(), 16 + used, &mut header.more)?;
    Ok(header)
}

fn ends_v4(body: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let b: &[u8; 12] = body.first_chunk()?;
    let ip = |at: usize| Ipv4Addr::new(b[at], b[at + 1], b[at + 2], b[at + 3]);
    let port = |at: usize| u16::from_be_bytes([b[at], b[at + 1]]);
    Some((SocketAddr::new(ip(0).into(), port(8)), SocketAddr::new(ip(4).into(), port(10))))
}

fn ends_v6(body: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let ip = |at: usize| {
        let octets: [u8; 16] = *body.get(at..)?.first_chunk()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    };
    let port = |at: usize| Some(u16::from_be_bytes(*body.get(at..)?.first_chunk()?));
    Some((SocketAddr::new(ip(0)?, port(32)?), SocketAddr::new(ip(16)?, port(34)?)))
}

/// The type-length-value triples after the addresses.
fn read_values(header: &[u8], mut at: usize, more: &mut Proxied) -> Result<(), Fault> {
    while at < header.len() {
        let &[kind, high, low] =
            header.get(at..).and_then(|b| b.first_chunk::<3>()).ok_or(Fault::Invalid)?;
        let start = at + 3;
        at = start + usize::from(u16::from_be_bytes([high, low]));
        let value = header.get(start..at).ok_or(Fault::Invalid)?;
        match kind {
            AUTHORITY if value.len() <= LONGEST_NAME => more.authority = Some(value.to_vec()),
            UNIQUE_ID if value.len() <= LONGEST_ID => more.unique_id = Some(value.to_vec()),
            CRC32C => {
                let sent: &[u8; 4] = value.try_into().map_err(|_| Fault::Invalid)?;
                let zeroed = header.iter().enumerate();
                let zeroed = zeroed.map(|(i, b)| if (start..at).contains(&i) { 0 } else { *b });
                if crc32c(zeroed) != u32::from_be_bytes(*sent) {
                    return Err(Fault::Invalid);
                }
            }
            AUTHORITY | UNIQUE_ID => return Err(Fault::Invalid),
            _ => {}
        }
    }
    Ok(())
}

/// The checksum of RFC 3720, appendix B.4.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}

/// Reads NetScaler's client address header: the magic number, a length, and the client's IP and TCP
/// headers.
pub fn read_netscaler(bytes: &[u8], magic: u32) -> Result<Header, Fault> {
    if bytes.is_empty() {
        return Err(Fault::NetscalerEmpty);
    }
    let number = |at: usize| {
        let four: Option<[u8; 4]> = bytes.get(at..).and_then(|b| b.first_chunk()).copied();
        four.map(u32::from_be_bytes).ok_or(Fault::NetscalerTruncated)
    };
    if number(0)? != magic {
        return Err(Fault::NetscalerMagic);
    }
    // The older header's length is followed by the IP header at once.
    let (start, length) = match *bytes.get(8).ok_or(Fault::NetscalerTruncated)? {
        first if first & 0xd0 == 0x40 => (8, number(4)? as usize),
        0 => (12, (number(8)? & 0xffff) as usize),
        _ => return Err(Fault::NetscalerUnhandled),
    };
    let body = bytes.get(start..start + length).ok_or(Fault::NetscalerTruncated)?;
    let ends = packet_ends(body)?;
    Ok(Header { length: start + length, ends: Some(ends), more: Proxied::default() })
}

/// The ends that an IP and a TCP header name.
fn packet_ends(body: &[u8]) -> Result<(SocketAddr, SocketAddr), Fault> {
    let part = |at: usize, length: usize| {
        body.get(at..at + length).ok_or(Fault::NetscalerTruncated).map(<[u8]>::to_vec)
    };
    let octets = |at: usize| {
        let octets: [u8; 16] = part(at, 16)?.try_into().map_err(|_| Fault::NetscalerTruncated)?;
        Ok(IpAddr::from(octets))
    };
    let quad = |at: usize| {
        let octets: [u8; 4] = part(at, 4)?.try_into().map_err(|_| Fault::NetscalerTruncated)?;
        Ok(IpAddr::from(octets))
    };
    let first = *body.first().ok_or(Fault::NetscalerTruncated)?;
    let (protocol, source, destination, tcp) = match first >> 4 {
        4 => (part(9, 1)?, quad(12)?, quad(16)?, usize::from(first & 15) * 4),
        6 => (part(6, 1)?, octets(8)?, octets(24)?, 40),
        _ => return Err(Fault::NetscalerUnhandled),
    };
    if protocol != [6] {
        return Err(Fault::NetscalerUnhandled);
    }
    let port = |at: usize| {
        let two: [u8; 2] = part(at, 2)?.try_into().map_err(|_| Fault::NetscalerTruncated)?;
        Ok(u16::from_be_bytes(two))
    };
    Ok((SocketAddr::new(source, port(tcp)?), SocketAddr::new(destination, port(tcp + 2)?)))
}

/// What a server is to be sent before anything else (manual 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendSpec {
    /// `send-proxy`
    pub v1: bool,
    /// `send-proxy-v2`, which goes before.
    pub v2: bool,
    /// `check-send-proxy`
    pub check: bool,
    /// `send-proxy-v2-ssl` and `proxy-v2-options ssl`: what is known of the client's TLS.
    pub ssl: bool,
    /// `proxy-v2-options crc32c`
    pub crc32c: bool,
    /// `proxy-v2-options authority`
    pub authority: bool,
    /// `proxy-v2-options unique-id`
    pub unique_id: bool,
}

/// What a header to be sent says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// Source and destination; `None` for a connection of our own.
    pub ends: Option<(SocketAddr, SocketAddr)>,
    /// The name that the client asked for.
    pub authority: Option<&'a [u8]>,
    /// The stream's unique id.
    pub unique_id: Option<&'a [u8]>,
}

impl SendSpec {
    /// Whether connections begin with a header at all.
    pub fn is_on(&self) -> bool {
        self.v1 || self.v2
    }

    /// The header of a health check's connection, from our end to the server's; `elsewhere` when the
    /// check goes to an address or a port of its own.
    pub fn of_check(&self, ends: Option<(SocketAddr, SocketAddr)>, elsewhere: bool) -> Vec<u8> {
        match self.check || (self.is_on() && !elsewhere) {
            false => Vec::new(),
            true => self.of_own(ends),
        }
    }

    /// The header of a connection of our own, in the version that the server is sent: LOCAL in the
    /// second one.
    pub fn of_own(&self, ends: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
        match self.v2 {
            true => SendSpec { v2: true, ..SendSpec::default() }.header(&Told::default()),
            false => header_v1(ends),
        }
    }

    /// The header's bytes.
    pub fn header(&self, told: &Told<'_>) -> Vec<u8> {
        if self.v2 { self.header_v2(told) } else { header_v1(told.ends) }
    }

    fn header_v2(&self, told: &Told<'_>) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        match told.ends {
            None => out.extend([0x20, 0, 0, 0]),
            Some((source, destination)) => {
                let port = |out: &mut Vec<u8>| {
                    out.extend(source.port().to_be_bytes());
                    out.extend(destination.port().to_be_bytes());
                };
                match (source.ip(), destination.ip()) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => {
                        out.extend([0x21, 0x11, 0, 0]);
                        out.extend(from.octets());
                        out.extend(to.octets());
                    }
                    (from, to) => {
                        out.extend([0x21, 0x21, 0, 0]);
                        out.extend(in_v6(from).octets());
                        out.extend(in_v6(to).octets());
                    }
                }
                port(&mut out);
            }
        }
        let sum_at = out.len() + 3;
        if self.crc32c {
            value(&mut out, CRC32C, &[0; 4]);
        }
        if let Some(name) = told.authority.filter(|_| self.authority) {
            value(&mut out, AUTHORITY, name);
        }
        if let Some(id) = told.unique_id.filter(|id| self.unique_id && !id.is_empty()) {
            value(&mut out, UNIQUE_ID, id);
        }
        if self.ssl {
            // Not by TLS, and so not verified: `client` 0, `verify` 0.
            value(&mut out, SSL, &[0; 5]);
        }
        let length = (out.len().saturating_sub(16) as u16).to_be_bytes();
        if let Some(place) = out.get_mut(14..16) {
            place.copy_from_slice(&length);
        }
        if self.crc32c {
            let sum = crc32c(out.iter().copied()).to_be_bytes();
            if let Some(place) = out.get_mut(sum_at..sum_at + 4) {
                place.copy_from_slice(&sum);
            }
        }
        out
    }
}

fn value(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend((bytes.len() as u16).to_be_bytes());
    out.extend(bytes);
}

fn in_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

fn header_v1(ends: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let family = match ends {
        Some((from, to)) if from.is_ipv4() && to.is_ipv4() => "TCP4",
        Some((from, to)) if from.is_ipv6() && to.is_ipv6() => "TCP6",
        _ => return b"PROXY UNKNOWN\r\n".to_vec(),
    };
    let Some((from, to)) = ends else { return Vec::new() };
    format!("PROXY {family} {} {} {} {}\r\n", from.ip(), to.ip(), from.port(), to.port())
        .into_bytes()
}

fn netscaler(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let value = line.word().map(|w| parse_lenient(w.bytes()));
    match value {
        None => Err(line.alert("'accept-netscaler-cip' : missing value")),
        Some(0) => Err(line.alert("'accept-netscaler-cip' : invalid value 0, must be >= 0")),
        Some(value) => {
            bind.expected.netscaler = true;
            bind.expected.magic = value as u32;
            Ok(())
        }
    }
}

fn no_option(name: &str) -> String {
    format!("'{name}' : proxy v2 option not implemented")
}

fn v2_options(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let list = line.word().map(|w| w.str()).unwrap_or_default();
    for option in list.split(',') {
        let send = &mut server.send_proxy;
        match option {
            "ssl" | "cert-cn" | "cert-key" | "cert-sig" | "ssl-cipher" => send.ssl = true,
            "authority" => send.authority = true,
            "crc32c" => send.crc32c = true,
            "unique-id" => send.unique_id = true,
            other => return Err(refuse(line, no_option(other))),
        }
    }
    Ok(())
}

fn send(server: &mut ServerSpec, change: fn(&mut SendSpec)) -> Parsed {
    change(&mut server.send_proxy);
    Ok(())
}

const SERVER: ServerOption = ServerOption { status: Status::Works, ..ServerOption::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    bind_options: &[
        BindOption {
            name: "accept-netscaler-cip",
            args: "<magic number>",
            doc: "Connections begin with a NetScaler client address header.",
            examples: &["accept-netscaler-cip 5"],
            status: Status::Works,
            parse: netscaler,
            ..BindOption::NEW
        },
        BindOption {
            name: "accept-proxy",
            doc: "Connections begin with a PROXY protocol header.",
            examples: &["accept-proxy"],
            status: Status::Works,
            parse: |_, bind| {
                bind.expected.proxy = true;
                Ok(())
            },
            ..BindOption::NEW
        },
    ],
    server_options: &[
        ServerOption {
            name: "check-send-proxy",
            doc: "Checks begin with a PROXY protocol header.",
            examples: &["check-send-proxy"],
            parse: |_, server| send(server, |s| s.check = true),
            ..SERVER
        },
        ServerOption {
            name: "no-check-send-proxy",
            doc: "Undoes a check-send-proxy of default-server.",
            examples: &["no-check-send-proxy"],
            parse: |_, server| send(server, |s| s.check = false),
            ..SERVER
        },
        ServerOption {
            name: "no-send-proxy",
            doc: "Undoes send-proxy.",
            examples: &["no-send-proxy"],
            parse: |_, server| send(server, |s| s.v1 = false),
            ..SERVER
        },
        ServerOption {
            name: "no-send-proxy-v2",
            doc: "Undoes send-proxy-v2.",
            examples: &["no-send-proxy-v2"],
            parse: |_, server| send(server, |s| s.v2 = false),
            ..SERVER
        },
        ServerOption {
            name: "proxy-v2-options",
            args: "<option>[,<option>]*",
            doc: "What headers of version 2 of the PROXY protocol tell beside the addresses.",
            examples: &["proxy-v2-options ssl,crc32c"],
            parse: v2_options,
            ..SERVER
        },
        ServerOption {
            name: "send-proxy",
            doc: "Connections begin with a PROXY protocol header, version 1.",
            examples: &["send-proxy"],
            parse: |_, server| send(server, |s| s.v1 = true),
            ..SERVER
        },
        ServerOption {
            name: "send-proxy-v2",
            doc: "Connections begin with a PROXY protocol header, version 2.",
            examples: &["send-proxy-v2"],
            parse: |_, server| send(server, |s| s.v2 = true),
            ..SERVER
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(from: &str, to: &str) -> Option<(SocketAddr, SocketAddr)> {
        Some((from.parse().unwrap(), to.parse().unwrap()))
    }

    #[test]
    fn version_1_is_read_strictly() {
        let header = read(b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\nGET").unwrap();
        assert_eq!((header.length, header.ends), (36, ends("1.2.3.4:1111", "5.6.7.8:80")));
        let header = read(b"PROXY TCP6 ::1 2001:db8::2 1 2\r\n").unwrap();
        assert_eq!(header.ends, ends("[::1]:1", "[2001:db8::2]:2"));
        assert_eq!(read(b"PROXY UNKNOWN\r\n").unwrap().ends, None);
        let cases: &[(&[u8], Fault)] = &[
            (b"", Fault::Empty),
            (b"PRO", Fault::Truncated),
            (b"GET / HTTP/1.1\r\n", Fault::NotOne),
            (b"PROXY TCP4 1.2.3.4 5.6", Fault::Truncated),
            (b"PROXY TCP4 1.2.3.400 5.6.7.8 1 2\r\n", Fault::Invalid),
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 70000\r\n", Fault::Invalid),
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", Fault::Invalid),
            (b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", Fault::Invalid),
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", Fault::Invalid),
            (b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", Fault::Unhandled),
            (b"PROXY UNKNOWN foo\r\n", Fault::Unhandled),
        ];
        for (bytes, fault) in cases {
            assert_eq!(read(bytes), Err(*fault), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_sent_can_be_read() {
        let every = SendSpec {
            v1: false,
            check: false,
            v2: true,
            ssl: true,
            crc32c: true,
            authority: true,
            unique_id: true,
        };
        for ends in [ends("1.2.3.4:1", "5.6.7.8:2"), ends("[::1]:1", "[::2]:2")] {
            let told = Told { ends, authority: Some(b"name"), unique_id: Some(b"id") };
            let bytes = every.header(&told);
            let header = read(&bytes).unwrap();
            assert_eq!((header.length, header.ends), (bytes.len(), ends));
            assert_eq!(header.more.authority.as_deref(), Some(&b"name"[..]));
            assert_eq!(header.more.unique_id.as_deref(), Some(&b"id"[..]));
            let mut broken = bytes.clone();
            *broken.last_mut().unwrap() ^= 1;
            assert_eq!(read(&broken), Err(Fault::Invalid));
            assert_eq!(read(&SendSpec::default().header(&told)).unwrap().ends, ends);
        }
        assert_eq!(read(&every.header(&Told::default())).unwrap().ends, None);
    }

    #[test]
    fn values_that_overrun_the_header_are_refused() {
        let send = SendSpec { v2: true, ..SendSpec::default() };
        let told = Told { ends: ends("1.2.3.4:1", "5.6.7.8:2"), ..Told::default() };
        let mut bytes = send.header(&told);
        bytes.extend([2, 0, 16, b'a']);
        bytes[15] += 4;
        assert_eq!(read(&bytes), Err(Fault::Invalid));
    }

    #[test]
    fn netscaler_headers_of_both_kinds_are_read() {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 0, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        packet.extend([0x04, 0x57, 0, 80]);
        packet.resize(40, 0);
        let old = [&[0, 0, 0, 9, 0, 0, 0, 40][..], &packet].concat();
        let new = [&[0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 40][..], &packet].concat();
        for bytes in [old, new] {
            let header = read_netscaler(&bytes, 9).unwrap();
            assert_eq!(
                (header.length, header.ends),
                (bytes.len(), ends("1.2.3.4:1111", "5.6.7.8:80"))
            );
            assert_eq!(read_netscaler(&bytes, 8), Err(Fault::NetscalerMagic));
            assert_eq!(read_netscaler(&bytes[..20], 9), Err(Fault::NetscalerTruncated));
        }
    }
}
