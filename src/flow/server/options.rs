//! `server` and `default-server`: where requests go (manual 4.2 "server" and 5.2).

use std::time::Duration;

use crate::catalog::{self, Keyword, Part, ServerOption, Status};
use crate::config::address::{Accepts, AddressSpec, PortsSpec};
use crate::config::args::{Line, OptionLine, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::section::Sections;
use crate::flow::listener::proxy_protocol::SendSpec;
use crate::flow::server::resolution::ResolutionSpec;
use crate::flow::server::source::SourceSpec;

/// A `server` line as written.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSpec {
    /// Its name.
    pub name: String,
    /// The address word.
    pub address: AddressSpec,
    /// Where it stands.
    pub place: Place,
    /// Its options, those of `default-server` included.
    pub options: ServerOptionsSpec,
}

impl std::ops::Deref for ServerSpec {
    type Target = ServerOptionsSpec;
    fn deref(&self) -> &ServerOptionsSpec {
        &self.options
    }
}

impl std::ops::DerefMut for ServerSpec {
    fn deref_mut(&mut self) -> &mut ServerOptionsSpec {
        &mut self.options
    }
}

/// Options of a server; each family of options has its struct in its own file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerOptionsSpec {
    /// `check`, `inter`, `rise`, `port` …
    pub check: crate::check::ServerCheckSpec,
    /// `weight`, 1 when not given.
    pub weight: Option<u32>,
    /// `backup`
    pub backup: bool,
    /// `disabled`
    pub disabled: bool,
    /// `id`
    pub id: Option<u32>,
    /// `maxconn`
    pub maxconn: Option<u32>,
    /// `minconn`
    pub minconn: Option<u32>,
    /// `maxqueue`
    pub maxqueue: Option<u32>,
    /// `init-addr`, `resolvers`, `resolve-…`
    pub resolution: ResolutionSpec,
    /// `pool-max-conn`; negative for no limit.
    pub pool_max_conn: Option<i64>,
    /// `pool-purge-delay`
    pub pool_purge_delay: Option<Duration>,
    /// `pool-low-conn`
    pub pool_low_conn: u32,
    /// `send-proxy`, `send-proxy-v2`, `proxy-v2-options`, `check-send-proxy`
    pub send_proxy: SendSpec,
    /// `non-stick`
    pub non_stick: bool,
    /// `source`
    pub source: Option<SourceSpec>,
    /// `redir`
    pub redir: Option<Vec<u8>>,
    /// `cookie`
    pub cookie: Option<String>,
    /// Every option in its order, with its first argument.
    pub written: Vec<(&'static str, String)>,
    /// `tcp-ut`
    pub user_timeout: Option<Duration>,
    /// `tfo`
    pub fast_open: bool,
    /// `proto`
    pub proto: Option<String>,
}

impl ServerOptionsSpec {
    /// The argument of the last option of this name; empty for one that has none.
    pub fn option(&self, name: &str) -> Option<&str> {
        let last = self.written.iter().rev().find(|(option, _)| *option == name)?;
        Some(&last.1)
    }

    /// `agent-port`; 0 when there is none.
    pub fn agent_port(&self) -> i64 {
        self.option("agent-port").map_or(0, |text| parse_lenient(text.as_bytes()))
    }

    /// Whether `on` was written, and `off` not after it.
    pub fn switched(&self, on: &str, off: &str) -> bool {
        let mut options = self.written.iter().rev().map(|(option, _)| *option);
        options.find(|option| *option == on || *option == off) == Some(on)
    }
}

impl ServerSpec {
    /// Whether its port is the client's, as it is or moved.
    pub fn maps_ports(&self) -> bool {
        matches!(
            &self.address,
            AddressSpec::Inet {
                ports: PortsSpec::None | PortsSpec::Offset(_) | PortsSpec::Range(0, _),
                ..
            }
        )
    }
}

fn server(line: &mut Line<'_>) -> Parsed {
    let (Some(name), Some(address)) = (line.word(), line.word()) else {
        return Err(line.alert("'server' expects <name> and <addr>[:<port>] as arguments."));
    };
    let name = name.str().into_owned();
    let place = line.words.place.at(address.column());
    if let Some(c) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.:".contains(*c)) {
        return Err(
            line.alert(format!("character '{c}' is not permitted in server name '{name}'."))
        );
    }
    let text = line.expand(&address.str());
    let address = AddressSpec::accept(&text, Accepts::SERVER, line.outside);
    let address = address.map_err(|e| line.alert(format!("'server {name}' : {e}")))?;
    let options = line.proxy().default_server.clone();
    let subject = format!("server {name}");
    let mut spec = ServerSpec { name, address, place, options };
    read_options(line, &mut spec, subject, false)?;
    finish(line, &spec)?;
    line.proxy().servers.push(spec);
    Ok(())
}

/// What is wrong with a server's options together.
fn finish(line: &mut Line<'_>, spec: &ServerSpec) -> Parsed {
    let name = &spec.name;
    if spec.switched("agent-check", "no-agent-check") && spec.agent_port() == 0 {
        return Err(line.alert(format!(
            "server {name} does not have agent port. Agent check has been disabled."
        )));
    }
    if spec.check.check && spec.check.track.is_some() {
        return Err(line.bare("unable to enable checks and tracking at the same time!"));
    }
    let Some(id) = spec.id else { return Ok(()) };
    let proxy = line.proxy();
    let at = proxy.servers.len();
    let first = *proxy.server_ids.entry(id).or_insert(at);
    if let Some(other) = proxy.servers.get(first) {
        let (place, other) = (other.place.clone(), other.name.clone());
        return Err(line.alert(format!(
            "'server {name}' : 'id' : custom id {id} already used at {place} ('server {other}')."
        )));
    }
    Ok(())
}

fn default_server(line: &mut Line<'_>) -> Parsed {
    let mut options = line.proxy().default_server.clone();
    // Each such line begins with these anew.
    options.resolution.preference.ipv4 = false;
    options.resolution.preference.duplicates = false;
    let mut spec = ServerSpec {
        name: "default-server".to_owned(),
        address: AddressSpec::Inherited(-1),
        place: line.place.clone(),
        options,
    };
    let first = line.peek().map(|w| w.str().into_owned()).unwrap_or_default();
    read_options(line, &mut spec, format!("default-server {first}"), true)?;
    line.proxy().default_server = spec.options;
    Ok(())
}

/// A server with nothing but the options of `default-server`.
pub fn fresh(line: &mut Line<'_>, name: String, address: AddressSpec) -> ServerSpec {
    let place = line.last_place();
    ServerSpec { name, address, place, options: line.proxy().default_server.clone() }
}

/// Reads options to the end of the line; `subject` is how HAProxy names the line.
pub fn read_options(
    line: &mut Line<'_>,
    spec: &mut ServerSpec,
    subject: String,
    in_default: bool,
) -> Parsed {
    while let Some(word) = line.word() {
        let row = catalog::server_option(&word.str());
        let Some(row) = row.filter(|row| !(in_default && row.name == "check-sni")) else {
            return Err(
                line.alert(format!("'{subject}' unknown keyword '{word}'. Registered keywords :"))
            );
        };
        line.spec.note(&format!("server {}", row.name), row.status, line.words.place);
        if in_default && row.name == "id" {
            // HAProxy says so and goes on.
            let text =
                format!("'{subject}' : 'id' option is not accepted in default-server sections.");
            let told = line.alert(text).harmless();
            line.diagnostics.push(told);
        }
        if in_default && !row.in_default {
            return Err(line.alert(format!(
                "'{subject}' : '{}' option is not accepted in default-server sections.",
                row.name
            )));
        }
        let first = line.peek().filter(|_| !row.args.is_empty()).map(|w| w.str().into_owned());
        let mut option = line.option(row.name, subject.clone());
        option.in_default = in_default;
        (row.parse)(&mut option, spec)?;
        spec.written.push((row.name, first.unwrap_or_default()));
        line.words = option.words;
    }
    if let Some(other) = spec.proto.as_deref().filter(|proto| *proto != "h1") {
        line.spec.note_planned(&format!("server proto {other}"), line.words.place);
    }
    Ok(())
}

/// HAProxy's message about an option, which ends in two dots.
pub fn mistake(line: &OptionLine<'_, '_>, text: impl AsRef<str>) -> Diagnostic {
    line.alert(format!("'{}' : {}..", line.subject, text.as_ref()))
}

/// An option's argument; `expects` says of what kind.
pub fn argument(line: &mut OptionLine<'_, '_>, expects: &str) -> Result<String, Diagnostic> {
    match line.word() {
        Some(word) => Ok(word.str().into_owned()),
        None => Err(mistake(line, format!("'{}' expects {expects}", line.name))),
    }
}

/// An option's number, as HAProxy reads it.
pub fn number(line: &mut OptionLine<'_, '_>) -> Result<u32, Diagnostic> {
    // Without an argument it is 0, as in HAProxy.
    let value = line.word().map_or(0, |word| parse_lenient(word.bytes()));
    Ok(u32::try_from(value.max(0)).unwrap_or(u32::MAX))
}

/// An option's time.
pub fn time(line: &mut OptionLine<'_, '_>, unit: TimeUnit) -> Result<Duration, Diagnostic> {
    let word = argument(line, "a delay as argument")?;
    let server = if line.in_default { "default-server" } else { line.server_name() };
    parse_time(word.as_bytes(), unit).map_err(|e| {
        use crate::config::args::NumberError::{Overflow, Unexpected};
        let name = line.name;
        mistake(line, match e {
            Overflow => format!("timer overflow in argument <{word}> to <{name}> of server {server}, maximum value is 2147483647 ms (~24.8 days)"),
            // HAProxy names another option here, whichever it is.
            Unexpected(c) => format!("unexpected character '{c}' in 'agent-inter' argument of server {server}"),
        })
    })
}

fn weight(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    // C's `atol`, kept in an int.
    let value = line.word().map_or(0, |word| parse_lenient(word.bytes())) as i32;
    if !(0..=256).contains(&value) {
        let name = if line.in_default { "(null)" } else { &server.name };
        return Err(
            line.alert(format!("weight of server {name} is not within 0 and 256 ({value})."))
        );
    }
    server.weight = u32::try_from(value).ok();
    Ok(())
}

fn id(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    if line.in_default {
        line.word();
        return Ok(());
    }
    if line.peek().is_none() {
        let subject = &line.subject;
        return Err(line.alert(format!("'{subject}' : 'id' : expects an integer argument.")));
    }
    let value = number(line)?;
    if value == 0 {
        let subject = &line.subject;
        return Err(line.alert(format!("'{subject}' : 'id' : custom id has to be > 0.")));
    }
    server.id = Some(value);
    Ok(())
}

const SERVER: ServerOption = ServerOption { status: Status::Works, ..ServerOption::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "default-server",
            sections: Sections::BACKENDS,
            args: "[<option>...]",
            doc: "Options for the servers that follow.",
            examples: &["default-server inter 3s rise 2 fall 3"],
            status: Status::Works,
            parse: default_server,
            ..Keyword::NEW
        },
        Keyword {
            name: "server",
            sections: Sections::BACKEND.and(Sections::LISTEN),
            args: "<name> <address>[:[<port>]] [<option>...]",
            doc: "A server that requests may be sent to. The address is as in `bind`, without a range of ports; a port that begins with + or - is an offset to the client's, none takes the client's.",
            examples: &["server web1 127.0.0.1:8081 check"],
            status: Status::Works,
            parse: server,
            ..Keyword::NEW
        },
    ],
    server_options: &[
        ServerOption {
            name: "backup",
            doc: "Used only when no server without this option is up.",
            examples: &["backup"],
            parse: |_, server| {
                server.backup = true;
                Ok(())
            },
            ..SERVER
        },
        ServerOption {
            name: "no-backup",
            doc: "Takes back a `backup` of `default-server`.",
            examples: &["no-backup"],
            parse: |_, server| {
                server.backup = false;
                Ok(())
            },
            ..SERVER
        },
        ServerOption {
            name: "disabled",
            doc: "Starts in maintenance.",
            examples: &["disabled"],
            parse: |_, server| {
                server.disabled = true;
                Ok(())
            },
            ..SERVER
        },
        ServerOption {
            name: "enabled",
            doc: "Undoes a disabled of default-server.",
            examples: &["enabled"],
            parse: |_, server| {
                server.disabled = false;
                Ok(())
            },
            ..SERVER
        },
        ServerOption {
            name: "id",
            args: "<value>",
            doc: "The server's number in statistics, unique in its backend.",
            examples: &["id 12"],
            parse: id,
            ..SERVER
        },
        ServerOption {
            name: "maxconn",
            args: "<maxconn>",
            default: "0, which is no limit",
            doc: "How many requests or connections the server gets at once; the others wait.",
            examples: &["maxconn 100"],
            parse: |line, server| number(line).map(|n| server.maxconn = Some(n)),
            ..SERVER
        },
        ServerOption {
            name: "maxqueue",
            args: "<maxqueue>",
            default: "0, which is no limit",
            doc: "How many requests may wait for this server; the others go elsewhere.",
            examples: &["maxqueue 50"],
            parse: |line, server| number(line).map(|n| server.maxqueue = Some(n)),
            ..SERVER
        },
        ServerOption {
            name: "minconn",
            args: "<minconn>",
            default: "the value of maxconn",
            doc: "The limit at low load; it grows to maxconn as the backend fills up.",
            examples: &["minconn 10"],
            parse: |line, server| number(line).map(|n| server.minconn = Some(n)),
            ..SERVER
        },
        ServerOption {
            name: "pool-max-conn",
            args: "<max>",
            default: "-1, which is no limit",
            doc: "How many idle connections may be kept; -1 for no limit.",
            examples: &["pool-max-conn 20"],
            parse: |line, server| {
                let value = parse_lenient(argument(line, "<value> as argument")?.as_bytes());
                if value < -1 {
                    let subject = &line.subject;
                    return Err(line.alert(format!("'{subject}' : 'pool-max-conn' must be >= -1.")));
                }
                server.pool_max_conn = Some(value);
                Ok(())
            },
            ..SERVER
        },
        ServerOption {
            name: "weight",
            args: "<weight>",
            default: "1",
            doc: "The server's share, 0 to 256; 0 takes no new sessions.",
            examples: &["weight 10"],
            parse: weight,
            ..SERVER
        },
    ],
    ..Part::NONE
};
