//! `init-addr`, `resolvers`, `resolve-prefer`, `resolve-net`, `resolve-opts` (manual 5.2, 5.3): where a
//! server's address comes from, at start and later. In: words of a `server` line. Out: the first address,
//! and what the resolvers have to know.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::catalog::{Part, ServerOption, Status};
use crate::config::address::{AddressSpec, Family, HostSpec, PortsSpec};
use crate::config::args::{OptionLine, Parsed};
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::config::spec::{ProxySpec, ServerSpec};
use crate::sample::pattern::network as network_of;
use crate::state::resolver::Resolvers;
use crate::state::resolver::resolution::Preference;
use crate::state::server_status::{Host, ServerAddress};

/// Where a server's address comes from, as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResolutionSpec {
    /// `init-addr`, in the order in which they are tried.
    pub init_addr: Option<Vec<InitAddr>>,
    /// `resolvers`
    pub resolvers: Option<String>,
    /// `resolve-prefer`, `resolve-net`, `resolve-opts allow-dup-ip`
    pub preference: Preference,
    /// `resolve-opts ignore-weight`
    pub ignore_weight: bool,
}

/// One way to find a server's first address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum InitAddr {
    /// `last`: from the server-state file.
    Last,
    /// `libc`: from the system's resolver.
    Libc,
    /// `none`: start without, in maintenance.
    None,
    /// A fixed address.
    Literal(IpAddr),
}

/// How a running server's name is resolved.
#[derive(Debug)]
pub struct ServerResolution {
    /// The section that does it.
    pub section: Arc<Resolvers>,
    /// Which address is taken.
    pub preference: Preference,
    /// Whether the weights of a service's records do not count.
    pub ignore_weight: bool,
    /// The service whose records name the servers, when its name begins with `_`.
    pub service: Option<String>,
}

/// Where a server begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Beginning {
    /// Its first address.
    pub address: ServerAddress,
    /// The name its address comes from.
    pub host: Option<Host>,
}

impl ServerSpec {
    /// The name in its address word.
    pub fn name_to_resolve(&self) -> Option<&str> {
        match &self.address {
            AddressSpec::Inet { host: HostSpec::Name(name, _), .. } => Some(name),
            _ => None,
        }
    }

    /// The service that names it and its like (RFC 2782).
    pub fn service(&self) -> Option<&str> {
        self.name_to_resolve().filter(|name| name.starts_with('_'))
    }

    /// The port in its address word; 0 for none.
    pub fn port(&self) -> u16 {
        match &self.address {
            AddressSpec::Inet { ports: PortsSpec::Range(port, _), .. } => *port,
            _ => 0,
        }
    }

    /// How far its port is from the client's, if it is that one's. A service's record has a port.
    pub fn port_offset(&self) -> Option<i32> {
        match &self.address {
            AddressSpec::Inet { .. } if self.service().is_some() => None,
            AddressSpec::Inet { ports: PortsSpec::None | PortsSpec::Range(0, _), .. } => Some(0),
            AddressSpec::Inet { ports: PortsSpec::Offset(offset), .. } => Some(*offset),
            _ => None,
        }
    }

    /// How its name is resolved while it runs.
    pub fn resolution(&self, compiler: &Compiler<'_>) -> Option<Box<ServerResolution>> {
        let spec = &self.options.resolution;
        let section = compiler.resolvers(spec.resolvers.as_ref()?)?;
        Some(Box::new(ServerResolution {
            section,
            preference: spec.preference.clone(),
            ignore_weight: spec.ignore_weight,
            service: self.service().map(str::to_owned),
        }))
    }

    /// Where the server is at start; `last` is what a server-state file says.
    pub fn begin(
        &self,
        proxy: &ProxySpec,
        last: Option<IpAddr>,
        compiler: &mut Compiler<'_>,
    ) -> Result<Beginning, Diagnostic> {
        let known = |address| Ok(Beginning { address, host: None });
        match &self.address {
            AddressSpec::Unix(path) => known(ServerAddress::Unix(path.clone())),
            AddressSpec::Abstract(name) => known(ServerAddress::Abstract(name.clone())),
            AddressSpec::Inherited(_) => known(ServerAddress::None),
            AddressSpec::Inet { host: HostSpec::Literal(ip), .. } => {
                known(ServerAddress::Inet(SocketAddr::new(*ip, self.port())))
            }
            AddressSpec::Inet { host: HostSpec::Name(name, family), .. } => {
                let ip = self.first_address(proxy, compiler, (name, *family), last)?;
                let host = Host { name: name.clone(), address_came_along: false };
                let address = match ip {
                    Some(ip) => ServerAddress::Inet(SocketAddr::new(ip, self.port())),
                    None => ServerAddress::Named(self.port()),
                };
                Ok(Beginning { address, host: Some(host).filter(|_| self.service().is_none()) })
            }
        }
    }

    /// The ways of `init-addr` in their order, with what is added to them.
    fn ways(&self, compiler: &Compiler<'_>) -> Vec<InitAddr> {
        let spec = &self.options.resolution;
        let given = spec.init_addr.clone().filter(|ways| !ways.is_empty());
        let mut ways = given.unwrap_or_else(|| {
            let mut ways = vec![InitAddr::Last, InitAddr::Libc];
            // Whoever resolves names later need not know them now.
            ways.extend(spec.resolvers.is_some().then_some(InitAddr::None));
            ways
        });
        ways.extend(compiler.purpose.tolerates_names.then_some(InitAddr::None));
        ways
    }

    /// Tries the ways of `init-addr` in their order.
    fn first_address(
        &self,
        proxy: &ProxySpec,
        compiler: &mut Compiler<'_>,
        (name, family): (&str, Option<Family>),
        last: Option<IpAddr>,
    ) -> Result<Option<IpAddr>, Diagnostic> {
        let place = &self.place;
        let said = |what: &str| format!("parsing [{place}] : 'server {}' : {what}", self.name);
        let mut failed = false;
        for way in self.ways(compiler) {
            let (ip, instead) = match way {
                InitAddr::Last => match last {
                    Some(ip) => return Ok(Some(ip)),
                    None => continue,
                },
                InitAddr::Libc if self.service().is_some() => continue,
                InitAddr::Libc => {
                    let found = compiler.outside.resolve(name).unwrap_or_default();
                    match found.into_iter().find(|ip| family.is_none_or(|f| f.fits(ip))) {
                        Some(ip) => return Ok(Some(ip)),
                        None => failed = true,
                    }
                    continue;
                }
                InitAddr::None => (None, "disabling server"),
                InitAddr::Literal(ip) => (Some(ip), "falling back to configured address"),
            };
            if failed {
                let text = said(&format!("could not resolve address '{name}', {instead}."));
                compiler.diagnostics.push(Diagnostic::warning(Some(place), text));
            }
            return Ok(ip);
        }
        let text = match failed {
            true => said(&format!("could not resolve address '{name}'.")),
            false => said(&format!("no method found to resolve address '{name}'")),
        };
        let help = format!("in backend '{}'", proxy.name);
        Err(Diagnostic::alert(Some(place), text).with_help(help))
    }
}

fn init_addr(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let word = line.word().map(|word| word.str().into_owned()).unwrap_or_default();
    let mut list = Vec::new();
    for part in word.split(',').filter(|part| !part.is_empty()) {
        list.push(match part {
            "last" => InitAddr::Last,
            "libc" => InitAddr::Libc,
            "none" => InitAddr::None,
            literal => InitAddr::Literal(literal.parse().map_err(|_| {
                line.bare(format!(
                    "'init-addr' : unknown init-addr method '{literal}', supported methods are 'libc', 'last', 'none'."
                ))
            })?),
        });
    }
    server.resolution.init_addr = Some(list);
    Ok(())
}

fn resolve_net(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let Some(list) = line.word().map(|w| w.str()) else {
        return Err(line.bare("'resolve-net' expects a list of networks."));
    };
    for network in list.split(',') {
        match network_of(network) {
            Ok(network) => server.resolution.preference.networks.push(network),
            Err(_) => {
                return Err(line.bare(format!("'resolve-net': invalid network '{network}'.")));
            }
        }
    }
    Ok(())
}

fn resolve_opts(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let list = line.word().map(|w| w.str()).unwrap_or_default();
    for option in list.split(',').filter(|option| !option.is_empty()) {
        match option {
            "allow-dup-ip" => server.resolution.preference.duplicates = true,
            "prevent-dup-ip" => server.resolution.preference.duplicates = false,
            "ignore-weight" => server.resolution.ignore_weight = true,
            _ => {
                return Err(line.bare(format!(
                    "'resolve-opts' : unknown resolve-opts option '{option}', supported methods are 'allow-dup-ip', 'ignore-weight', and 'prevent-dup-ip'."
                )));
            }
        }
    }
    Ok(())
}

fn resolve_prefer(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let family = line.word().map(|w| w.str()).unwrap_or_default();
    server.resolution.preference.ipv4 = family == "ipv4";
    match &*family {
        "ipv4" | "ipv6" => Ok(()),
        _ => Err(line.bare("'resolve-prefer' expects either ipv4 or ipv6 as argument.")),
    }
}

fn resolvers(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    server.resolution.resolvers = line.word().map(|word| word.str().into_owned());
    Ok(())
}

const SERVER: ServerOption = ServerOption { status: Status::Works, ..ServerOption::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    server_options: &[
        ServerOption {
            name: "init-addr",
            args: "{last | libc | none | <ip>},[...]*",
            default: "last,libc",
            doc: "How the first address is found, in the order in which it is tried: `last` in the state file, `libc` by the system's resolver, `none` for later, or an address.",
            examples: &["init-addr last,libc,none"],
            parse: init_addr,
            ..SERVER
        },
        ServerOption {
            name: "resolve-net",
            args: "<network>[,<network>]*",
            doc: "Networks preferred when a name has several addresses.",
            examples: &["resolve-net 10.0.0.0/8"],
            parse: resolve_net,
            ..SERVER
        },
        ServerOption {
            name: "resolve-opts",
            args: "<option>[,<option>]*",
            doc: "How names are resolved: `allow-dup-ip`, `prevent-dup-ip`, `ignore-weight`.",
            examples: &["resolve-opts allow-dup-ip"],
            parse: resolve_opts,
            ..SERVER
        },
        ServerOption {
            name: "resolve-prefer",
            args: "<family>",
            default: "ipv6",
            doc: "The address family that is preferred when a name has both: `ipv4` or `ipv6`.",
            examples: &["resolve-prefer ipv4"],
            parse: resolve_prefer,
            ..SERVER
        },
        ServerOption {
            name: "resolvers",
            args: "<section>",
            doc: "The resolvers to use.",
            examples: &["resolvers dns"],
            parse: resolvers,
            ..SERVER
        },
    ],
    ..Part::NONE
};
