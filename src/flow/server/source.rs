//! How servers are reached (manual 4.2): the address to connect from, sending the server's name,
//! keep-alive probes, fixed and transparent destinations, many servers from one line.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use nix::sys::socket::sockopt::IpBindAddressNoPort;
use socket2::Socket;

use crate::catalog::{Keyword, Part, Status};
use crate::config::address::{AddressSpec, HostSpec, PortsSpec};
use crate::config::args::{Line, Parsed, parse_lenient};
use crate::config::section::Sections;
use crate::flow::listener::limits::integer;
use crate::flow::session::Stream;

/// `source` as written: the address to connect from.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSpec {
    /// The address; unspecified when the system is to choose.
    address: IpAddr,
    /// The ports to choose from; 0 when the system is to choose.
    ports: (u16, u16),
    /// `usesrc`: the address that servers see, without it being ours.
    seen: Seen,
    /// `interface`
    interface: Option<Vec<u8>>,
}

/// What servers see of a connection (`usesrc`).
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    /// Our own address.
    Own,
    /// This one.
    Fixed(SocketAddr),
    /// `client`: the client's address and port.
    Client,
    /// `clientip`: the client's address.
    ClientIp,
    /// `hdr_ip(name,occurrence)`: the address in a request header.
    Header(Vec<u8>, i64),
}

/// Moves through the ports of ranges.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

impl SourceSpec {
    /// Whether connections look as if they came from a client: they serve no other one.
    pub fn is_of_client(&self) -> bool {
        matches!(self.seen, Seen::Client | Seen::ClientIp | Seen::Header(..))
    }

    /// Has a socket that is about to connect come from here; a health check has no stream.
    ///
    /// # Errors
    /// The system's: the address is not ours, or no port is free.
    pub fn bind(
        &self,
        socket: &Socket,
        to: SocketAddr,
        stream: Option<&Stream<'_>>,
    ) -> io::Result<()> {
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface))?;
        }
        if let Some(seen) = self.seen_address(stream) {
            socket.set_reuse_address(true)?;
            if seen.is_ipv4() {
                socket.set_ip_transparent_v4(true)?;
            }
            return socket.bind(&seen.into());
        }
        if self.address.is_unspecified() && self.ports == (0, 0) {
            return Ok(());
        }
        let own = match (self.address, to) {
            // The unspecified address is of every family.
            (ip, SocketAddr::V6(_)) if ip.is_unspecified() => Ipv6Addr::UNSPECIFIED.into(),
            (ip, _) => ip,
        };
        socket.set_reuse_address(true)?;
        let (low, high) = self.ports;
        if low == 0 {
            nix::sys::socket::setsockopt(socket, IpBindAddressNoPort, &true)?;
            return socket.bind(&SocketAddr::new(own, 0).into());
        }
        let count = u32::from(high - low) + 1;
        let mut last = io::ErrorKind::AddrInUse.into();
        for _ in 0..count {
            let step = u32::from(NEXT_PORT.fetch_add(1, Relaxed)) % count;
            let port = low + u16::try_from(step).unwrap_or(0);
            match socket.bind(&SocketAddr::new(own, port).into()) {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn seen_address(&self, stream: Option<&Stream<'_>>) -> Option<SocketAddr> {
        if let Seen::Fixed(address) = self.seen {
            return Some(address);
        }
        let stream = stream?;
        let source = stream.session.source();
        match &self.seen {
            Seen::Own | Seen::Fixed(_) => None,
            Seen::Client => Some(SocketAddr::new(source.ip()?, source.port()?)),
            Seen::ClientIp => Some(SocketAddr::new(source.ip()?, 0)),
            Seen::Header(name, occurrence) => {
                let values: Vec<_> = stream.request.elements(name).collect();
                let last = i64::try_from(values.len()).ok()?;
                let at = if *occurrence < 0 { last + occurrence } else { occurrence - 1 };
                let value = values.get(usize::try_from(at).ok()?)?;
                let ip: IpAddr = std::str::from_utf8(value).ok()?.parse().ok()?;
                Some(SocketAddr::new(ip, 0))
            }
        }
    }

    /// The address word, its name resolved.
    pub fn of_address(
        word: &str,
        resolve: impl FnOnce(&str) -> Option<IpAddr>,
    ) -> Result<SourceSpec, String> {
        let (address, ports) = match AddressSpec::parse(word)? {
            AddressSpec::Inet { host, ports } => {
                let address = match &host {
                    HostSpec::Literal(ip) => *ip,
                    HostSpec::Name(name, _) => resolve(name)
                        .ok_or_else(|| format!("invalid address: '{name}' in '{word}'"))?,
                };
                let ports = match ports {
                    PortsSpec::Range(low, high) => (low, high),
                    PortsSpec::None | PortsSpec::Offset(_) => (0, 0),
                };
                (address, ports)
            }
            _ => (Ipv4Addr::UNSPECIFIED.into(), (0, 0)),
        };
        Ok(SourceSpec { address, ports, seen: Seen::Own, interface: None })
    }

    /// The word after `usesrc`.
    pub fn use_source(&mut self, word: &str) -> Result<(), String> {
        self.seen = match word {
            "client" => Seen::Client,
            "clientip" => Seen::ClientIp,
            _ => match word.strip_prefix("hdr_ip(").and_then(|rest| rest.strip_suffix(')')) {
                Some(inner) => {
                    let (name, occurrence) = inner.split_once(',').unwrap_or((inner, "-1"));
                    let occurrence = parse_lenient(occurrence.trim().as_bytes());
                    Seen::Header(name.trim().to_ascii_lowercase().into_bytes(), occurrence)
                }
                None => {
                    let other = SourceSpec::of_address(word, |_| None)?;
                    Seen::Fixed(SocketAddr::new(other.address, other.ports.0))
                }
            },
        };
        Ok(())
    }

    /// The word after `interface`.
    pub fn through(&mut self, interface: &str) {
        self.interface = Some(interface.as_bytes().to_vec());
    }
}

fn source(line: &mut Line<'_>) -> Parsed {
    const USAGE: &str =
        "'source' expects <addr>[:<port>], and optionally 'usesrc' <addr>, and 'interface' <name>.";
    let word = line.required(USAGE)?.str().into_owned();
    let word = line.expand(&word);
    let outside = &mut line.outside;
    let read = SourceSpec::of_address(&word, |name| outside.resolve(name).ok()?.first().copied());
    let mut source = read.map_err(|e| line.alert(format!("'source {word}' : {e}")))?;
    while let Some(option) = line.word() {
        match &*option.str() {
            "usesrc" => {
                let word = line.required(
                    "'usesrc' expects <addr>[:<port>], 'client', or 'clientip' as argument.",
                )?;
                let word = word.str().into_owned();
                source
                    .use_source(&word)
                    .map_err(|e| line.alert(format!("'usesrc {word}' : {e}")))?;
            }
            "interface" => {
                let name = line.required("'source' : missing interface name.")?;
                source.through(&name.str());
            }
            _ => {
                return Err(line
                    .alert("'source' only supports optional keywords 'interface' and 'usesrc'."));
            }
        }
    }
    line.proxy().source = Some(source);
    Ok(())
}

fn dispatch(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let word = line.expand(&word);
    let fails = |e: &str| format!("'dispatch' : {e}");
    if word.is_empty() {
        return Err(
            line.alert(fails("'' resolves to an empty address (environment variable missing?)"))
        );
    }
    match AddressSpec::parse(&word) {
        Err(e) => return Err(line.alert(fails(&e))),
        Ok(AddressSpec::Inet { host, ports }) => {
            if let HostSpec::Name(name, _) = &host
                && line.outside.resolve(name).is_err()
            {
                return Err(line.alert(fails(&format!("invalid address: '{name}' in '{word}'"))));
            }
            match ports {
                PortsSpec::None => {
                    return Err(
                        line.alert(fails(&format!("missing port specification in '{word}'")))
                    );
                }
                PortsSpec::Range(low, high) if low != high => {
                    return Err(
                        line.alert(fails(&format!("port range not permitted here in '{word}'")))
                    );
                }
                _ => {}
            }
        }
        Ok(_) => {}
    }
    line.proxy().dispatch = AddressSpec::parse(&word).ok();
    line.end()
}

fn transparent(line: &mut Line<'_>) -> Parsed {
    line.proxy().options.set("transparent", Some(true));
    line.end()
}

fn http_send_name_header(line: &mut Line<'_>) -> Parsed {
    let name = line.required("'http-send-name-header' requires a header string.")?;
    line.proxy().http.send_name_header = Some(name.bytes().to_ascii_lowercase().into());
    Ok(())
}

fn max_keep_alive_queue(line: &mut Line<'_>) -> Parsed {
    let limit = line.peek().map_or(0, |word| parse_lenient(word.bytes()));
    integer(line, "expects an integer value (or -1 to disable)")?;
    line.proxy().http.max_keep_alive_queue = u32::try_from(limit).ok();
    Ok(())
}

fn max_session_srv_conns(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        let place = line.last_place();
        return Err(crate::config::diagnostic::Diagnostic::alert(
            Some(&place),
            format!(
                "parsine [{place}] : 'max-session-srv-conns' expects a number. Got no argument"
            ),
        ));
    };
    let most = parse_lenient(word.bytes());
    line.proxy().http.own_links = usize::try_from(most).ok();
    Ok(())
}

fn use_fcgi_app(line: &mut Line<'_>) -> Parsed {
    let name = line.required("'use-fcgi-app' expects <name> as argument")?.str().into_owned();
    let place = line.last_place();
    line.proxy().references.applications.push((name, place));
    line.end()
}

const BACKEND: Keyword = Keyword { sections: Sections::BACKENDS, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "dispatch",
            sections: Sections::LISTEN.and(Sections::BACKEND),
            args: "<address>:<port>",
            doc: "Where requests go when there are no servers.",
            examples: &["dispatch 127.0.0.1:8080"],
            status: Status::Works,
            parse: dispatch,
            ..BACKEND
        },
        Keyword {
            name: "http-send-name-header",
            args: "[<header>]",
            doc: "Adds a header with the chosen server's name to requests.",
            examples: &["http-send-name-header X-Server"],
            status: Status::Works,
            parse: http_send_name_header,
            ..BACKEND
        },
        Keyword {
            name: "max-keep-alive-queue",
            args: "<value>",
            default: "-1, which is no limit",
            doc: "Queue length above which a client's last server is not kept.",
            examples: &["max-keep-alive-queue 10"],
            status: Status::Works,
            parse: max_keep_alive_queue,
            ..BACKEND
        },
        Keyword {
            name: "max-session-srv-conns",
            sections: Sections::FRONTENDS,
            args: "<number>",
            default: "5",
            doc: "Server connections a client connection may hold idle.",
            examples: &["max-session-srv-conns 5"],
            status: Status::Works,
            parse: max_session_srv_conns,
            ..BACKEND
        },
        Keyword {
            name: "source",
            args: "<addr>[:<port>] [usesrc { <addr2>[:<port2>] | client | clientip | hdr_ip(<hdr>[,<occ>]) }] [interface <name>]",
            doc: "The address that servers are connected from; `usesrc` takes the client's address or one from a header, where the kernel allows it, and `interface` binds to a network interface.",
            examples: &["source 127.0.0.1"],
            status: Status::Works,
            parse: source,
            ..BACKEND
        },
        Keyword {
            name: "transparent",
            doc: "As option transparent.",
            examples: &["transparent"],
            status: Status::Works,
            parse: transparent,
            ..BACKEND
        },
        Keyword {
            name: "use-fcgi-app",
            sections: Sections::LISTEN.and(Sections::BACKEND),
            args: "<name>",
            doc: "Servers of this backend speak FastCGI.",
            examples: &["use-fcgi-app php"],
            parse: use_fcgi_app,
            ..BACKEND
        },
    ],
    ..Part::NONE
};
