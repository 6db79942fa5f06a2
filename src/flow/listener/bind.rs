//! `bind`: where a frontend listens (manual 4.2 "bind" and 5.1). In comes the line, out come the
//! sockets to ask for.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::catalog::{self, BindOption, Keyword, Part, Status};
use crate::config::address::{Accepts, AddressSpec, HostSpec, PortsSpec};
use crate::config::args::{Line, OptionLine, Parsed, parse_lenient, parse_number};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::outside::{Listen, ListenAddress, ListenOptions};
use crate::config::section::Sections;
use crate::control::cli::spec::CliBindSpec;
use crate::flow::listener::proxy_protocol::Expected;
use crate::state::counters::Counters;

/// One `bind` line as written.
#[derive(Debug, Clone, PartialEq)]
pub struct BindSpec {
    /// Its addresses, in their order.
    pub addresses: Vec<AddressSpec>,
    /// Where it stands.
    pub place: Place,
    /// The socket's options; users and groups are resolved already.
    pub options: ListenOptions,
    /// `name`
    pub name: Option<String>,
    /// `id`
    pub id: Option<u32>,
    /// `maxconn`
    pub maxconn: Option<u32>,
    /// The address word, for messages.
    pub text: String,
    /// `proto`
    pub proto: Option<String>,
    /// `accept-proxy`, `accept-netscaler-cip`
    pub expected: Expected,
    /// `level`, `severity-output`, `expose-fd`: what only runtime sockets heed.
    pub cli: CliBindSpec,
    /// `dgram-bind`: datagrams are received.
    pub datagrams: bool,
}

/// A socket a frontend listens on.
#[derive(Debug)]
pub struct Listener {
    /// Its name: `name`, or `sock-1`, `sock-2` …
    pub name: String,
    /// `id`, given or counted within the frontend.
    pub id: u32,
    /// Index of its frontend in the `World` it was made for.
    pub proxy: usize,
    /// Name of its frontend.
    pub proxy_name: String,
    /// What was asked for.
    pub listen: Listen,
    /// Whether the name was given.
    pub is_named: bool,
    /// `maxconn`; 0 for none.
    pub maxconn: u32,
    /// Headers that come before the client's own bytes.
    pub expected: Expected,
    /// Statistics, shared from one `World` to the next by name.
    pub counters: Arc<Counters>,
}

impl BindSpec {
    /// The sockets of this line: one for each address and each port.
    pub fn listens(&self) -> Result<Vec<Listen>, Diagnostic> {
        let mut list = Vec::new();
        for address in &self.addresses {
            match address {
                AddressSpec::Unix(path) => list.push(ListenAddress::Unix(path.clone())),
                AddressSpec::Abstract(name) => list.push(ListenAddress::Abstract(name.clone())),
                AddressSpec::Inherited(fd) => list.push(ListenAddress::Inherited(*fd)),
                AddressSpec::Inet {
                    host: HostSpec::Literal(ip),
                    ports: PortsSpec::Range(low, high),
                } => {
                    let addresses = (*low..=*high).map(|p| SocketAddr::new(*ip, p));
                    list.extend(addresses.map(|address| match self.datagrams {
                        true => ListenAddress::Udp(address),
                        false => ListenAddress::Tcp(address),
                    }));
                }
                AddressSpec::Inet { .. } => {}
            }
        }
        let listen = |address| Listen { address, options: self.options.clone() };
        Ok(list.into_iter().map(listen).collect())
    }
}

fn bind(line: &mut Line<'_>) -> Parsed {
    let word = line.required(
        "'bind' expects {<path>|[addr1]:port1[-end1]}{,[addr]:port[-end]}... as arguments.",
    )?;
    let text = word.str().into_owned();
    let place = line.last_place();
    let unix = line.global().process.unix_bind.clone();
    let mut addresses = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let address = AddressSpec::accept(&line.expand(part), Accepts::BIND, line.outside);
        let mut address = address.map_err(|e| line.alert(format!("'bind' : {e}")))?;
        if let (AddressSpec::Unix(path), Some(prefix)) = (&mut address, &unix.prefix) {
            *path = format!("{prefix}{}", path.display()).into();
        }
        addresses.push(address);
    }
    let mut spec = BindSpec {
        addresses,
        place,
        options: ListenOptions {
            mode: unix.mode,
            uid: unix.uid,
            gid: unix.gid,
            ..ListenOptions::default()
        },
        name: None,
        id: None,
        maxconn: None,
        text: text.clone(),
        proto: None,
        expected: Expected::default(),
        cli: CliBindSpec::default(),
        datagrams: false,
    };
    while let Some(word) = line.word() {
        let Some(row) = catalog::bind_option(&word.str()) else {
            return Err(line
                .alert(format!("'bind {text}' unknown keyword '{word}'. Registered keywords :")));
        };
        line.spec.note(&format!("bind {}", row.name), row.status, line.words.place);
        let mut option = line.option(row.name, format!("bind {text}"));
        let read = (row.parse)(&mut option, &mut spec);
        read.map_err(|e| within(e, &text))?;
        line.words = option.words;
    }
    check_id(line, &spec)?;
    if let Some(other) = spec.proto.as_deref().filter(|proto| *proto != "h1") {
        let place = spec.place.clone();
        line.spec.note_planned(&format!("bind proto {other}"), &place);
    }
    line.proxy().binds.push(spec);
    Ok(())
}

/// An option's mistake as HAProxy words it for this line.
fn within(mut diagnostic: Diagnostic, addresses: &str) -> Diagnostic {
    diagnostic.text = diagnostic.text.replacen("] : ", &format!("] : 'bind {addresses}' : "), 1);
    diagnostic
}

fn text(line: &mut OptionLine<'_, '_>, what: &str) -> Result<String, Diagnostic> {
    let name = line.name;
    Ok(line.required(&format!("'{name}' : missing {what}"))?.str().into_owned())
}

/// A number from 0; `bound` is what HAProxy says it must be.
fn number(line: &mut OptionLine<'_, '_>, bound: &str) -> Result<u32, Diagnostic> {
    // C's `atol`, kept in an int.
    let value = parse_lenient(text(line, "value")?.as_bytes()) as i32;
    let name = line.name;
    u32::try_from(value)
        .ok()
        .ok_or_else(|| line.alert(format!("'{name}' : invalid value {value}, must be {bound}")))
}

fn id(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let Some(word) = line.word().map(|w| w.str().into_owned()) else {
        return Err(line.alert("'id' : expects an integer argument"));
    };
    if !word.bytes().all(|b| b.is_ascii_digit() || b"+- ".contains(&b)) {
        return Err(line.alert(format!("'id' : expects an integer argument, found '{word}'")));
    }
    match u32::try_from(parse_lenient(word.as_bytes()) as i32).unwrap_or(0) {
        0 => Err(line.alert("'id' : custom id has to be > 0")),
        number => {
            bind.id = Some(number);
            Ok(())
        }
    }
}

/// Two sockets of one number within a proxy.
fn check_id(line: &mut Line<'_>, spec: &BindSpec) -> Parsed {
    let Some(number) = spec.id else { return Ok(()) };
    let same = line.proxy().binds.iter().find(|other| other.id == Some(number));
    let Some((place, text)) = same.map(|other| (other.place.clone(), other.text.clone())) else {
        return Ok(());
    };
    Err(line.alert(format!(
        "'bind {}' : 'id' : custom id {number} already used at {place} ('bind {text}')",
        spec.text
    )))
}

fn user(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let name = text(line, "user name")?;
    let uid = line.outside.user(&name);
    bind.options.uid =
        Some(uid.ok_or_else(|| line.alert(format!("'user' : unknown user name '{name}'")))?);
    Ok(())
}

fn group(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let name = text(line, "group name")?;
    let gid = line.outside.group(&name);
    bind.options.gid =
        Some(gid.ok_or_else(|| line.alert(format!("'group' : unknown group name '{name}'")))?);
    Ok(())
}

fn mode(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let Ok(mode) = u32::from_str_radix(&word, 8) else {
        return Err(line
            .alert(format!("'mode' : missing or invalid mode '{word}' (octal integer expected)")));
    };
    bind.options.mode = Some(mode);
    Ok(())
}

const BIND: BindOption = BindOption { status: Status::Works, ..BindOption::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "bind",
        sections: Sections::FRONTEND.and(Sections::LISTEN),
        args: "[<address>]:<port_range> [, ...] [<option>...]",
        doc: "Listens on these addresses. An address is IPv4, IPv6 or a name, or begins with `ipv4@`, `ipv6@`, `unix@` (as every path does), `abns@` or `fd@`; none and `*` are all addresses. Ports may be ranges.",
        examples: &["bind 127.0.0.1:8080"],
        status: Status::Works,
        parse: bind,
        ..Keyword::NEW
    }],
    bind_options: &[
        BindOption {
            name: "backlog",
            args: "<backlog>",
            default: "the frontend's backlog",
            doc: "How many connections the kernel holds until they are accepted.",
            examples: &["backlog 512"],
            parse: |line, bind| {
                number(line, "> 0").map(|n| bind.options.backlog = Some(n).filter(|n| *n > 0))
            },
            ..BIND
        },
        BindOption {
            name: "gid",
            args: "<gid>",
            doc: "The group of a unix socket, by number.",
            examples: &["gid 1000"],
            parse: |line, bind| {
                bind.options.gid = parse_number(text(line, "value")?.as_bytes());
                Ok(())
            },
            ..BIND
        },
        BindOption {
            name: "group",
            args: "<group>",
            doc: "The group of a unix socket, by name.",
            examples: &["group root"],
            parse: group,
            ..BIND
        },
        BindOption {
            name: "id",
            args: "<id>",
            doc: "The socket's number in statistics.",
            examples: &["id 7"],
            parse: id,
            ..BIND
        },
        BindOption {
            name: "interface",
            args: "<interface>",
            doc: "Listens only on this network interface.",
            examples: &["interface lo"],
            parse: |line, bind| {
                bind.options.interface = Some(text(line, "interface name")?);
                Ok(())
            },
            ..BIND
        },
        BindOption {
            name: "maxconn",
            args: "<maxconn>",
            default: "the frontend's maxconn",
            doc: "How many connections this socket serves at once.",
            examples: &["maxconn 100"],
            parse: |line, bind| number(line, ">= 0").map(|n| bind.maxconn = Some(n)),
            ..BIND
        },
        BindOption {
            name: "mode",
            args: "<mode>",
            doc: "The access rights of a unix socket, in octal.",
            examples: &["mode 600"],
            parse: mode,
            ..BIND
        },
        BindOption {
            name: "name",
            args: "<name>",
            doc: "The socket's name in statistics.",
            examples: &["name http-in"],
            parse: |line, bind| {
                bind.name = Some(text(line, "name")?);
                Ok(())
            },
            ..BIND
        },
        BindOption {
            name: "uid",
            args: "<uid>",
            doc: "The user of a unix socket, by number.",
            examples: &["uid 1000"],
            parse: |line, bind| {
                bind.options.uid = parse_number(text(line, "value")?.as_bytes());
                Ok(())
            },
            ..BIND
        },
        BindOption {
            name: "user",
            args: "<user>",
            doc: "The user of a unix socket, by name.",
            examples: &["user root"],
            parse: user,
            ..BIND
        },
        BindOption {
            name: "v4v6",
            doc: "An IPv6 socket takes IPv4 connections too.",
            examples: &["v4v6"],
            parse: |_, bind| {
                bind.options.v6only = Some(false);
                Ok(())
            },
            ..BIND
        },
        BindOption {
            name: "v6only",
            doc: "An IPv6 socket takes no IPv4 connections.",
            examples: &["v6only"],
            parse: |_, bind| {
                bind.options.v6only = Some(true);
                Ok(())
            },
            ..BIND
        },
    ],
    ..Part::NONE
};
