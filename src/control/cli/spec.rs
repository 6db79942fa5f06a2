//! `stats socket`, `stats timeout`, `stats maxconn`, `stats bind-process` in `global`, and the `bind`
//! options that only they take (manual 3.1 and 5.1).

use std::time::Duration;

use super::{Console, Level, SeverityOutput};
use crate::catalog::{self, BindOption, Keyword, Part, Status};
use crate::config::address::{AddressSpec, PortsSpec};
use crate::config::args::{
    Line, NumberError, OptionLine, Parsed, TimeUnit, parse_lenient, parse_time,
};
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::config::outside::{Bound, Listen, ListenAddress, ListenOptions};
use crate::config::section::Sections;
use crate::config::spec::BindSpec;

/// The `stats …` lines of `global` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CliSpec {
    /// `stats socket`
    pub sockets: Vec<BindSpec>,
    /// `stats timeout`, 10 s when not given.
    pub timeout: Option<Duration>,
    /// `stats maxconn`, 10 when not given.
    pub maxconn: Option<usize>,
}

/// The runtime sockets of a running process.
#[derive(Debug, Default)]
pub struct CliSockets {
    /// Each address.
    pub sockets: Vec<CliSocket>,
    /// How long a client may stay silent.
    pub timeout: Option<Duration>,
    /// Connections that are served at once.
    pub maxconn: usize,
}

/// One runtime socket.
#[derive(Debug)]
pub struct CliSocket {
    /// What was asked for.
    pub listen: Listen,
    /// The open socket; `None` when only checking a configuration.
    pub bound: Option<Bound>,
    /// The rights it gives.
    pub level: Level,
    /// Whether messages tell how severe they are.
    pub severity: SeverityOutput,
    /// `expose-fd listeners`: gives away the listening sockets.
    pub expose_listeners: bool,
}

impl CliSpec {
    /// Opens the sockets.
    pub fn compile(&self, compiler: &mut Compiler<'_>) -> CliSockets {
        let mut sockets = Vec::new();
        for spec in &self.sockets {
            let listens = match spec.listens() {
                Ok(listens) => listens,
                Err(diagnostic) => {
                    compiler.diagnostics.push(diagnostic);
                    continue;
                }
            };
            for listen in listens {
                let bound = open(compiler, &listen);
                sockets.push(CliSocket {
                    listen,
                    bound,
                    level: spec.cli.level,
                    severity: spec.cli.severity,
                    expose_listeners: spec.cli.expose_listeners,
                });
            }
        }
        CliSockets {
            sockets,
            timeout: Some(self.timeout.unwrap_or(Duration::from_secs(10))),
            maxconn: self.maxconn.unwrap_or(10),
        }
    }
}

fn open(compiler: &mut Compiler<'_>, listen: &Listen) -> Option<Bound> {
    if !compiler.purpose.bind {
        return None;
    }
    match compiler.outside.bind(listen) {
        Ok(bound) => Some(bound),
        Err(e) => {
            let text = format!("Starting frontend GLOBAL: {e}");
            compiler.diagnostics.push(Diagnostic::alert(None, text));
            None
        }
    }
}

impl CliSocket {
    /// What a new connection starts with.
    pub fn console(&self) -> Console {
        let (severity, expose_listeners) = (self.severity, self.expose_listeners);
        Console { severity, expose_listeners, ..Console::new(self.level) }
    }

    /// Whether it is a unix socket.
    pub fn is_unix(&self) -> bool {
        match &self.listen.address {
            ListenAddress::Tcp(_) | ListenAddress::Udp(_) => false,
            ListenAddress::Unix(_) | ListenAddress::Abstract(_) => true,
            ListenAddress::Inherited(_) => {
                self.bound.as_ref().is_some_and(|bound| is_unix(bound).unwrap_or(false))
            }
        }
    }
}

fn is_unix(bound: &Bound) -> std::io::Result<bool> {
    let socket = socket2::Socket::from(bound.socket.try_clone()?);
    Ok(socket.local_addr()?.domain() == socket2::Domain::UNIX)
}

/// What only runtime sockets say on a `bind` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CliBindSpec {
    /// `level`
    pub level: Level,
    /// `severity-output`
    pub severity: SeverityOutput,
    /// `expose-fd listeners`
    pub expose_listeners: bool,
}

/// `stats socket <address> [<option>...]`
fn socket(line: &mut Line<'_>) -> Parsed {
    let missing = "'stats socket' in global section expects an address or a path to a UNIX socket";
    let word = line.required(missing)?.str().into_owned();
    let word = line.expand(&word);
    let place = line.last_place();
    let address = AddressSpec::parse(&word).and_then(|address| match address {
        AddressSpec::Inet { ports: PortsSpec::None, .. } => {
            Err(format!("missing port specification in '{word}'"))
        }
        address => Ok(address),
    });
    let address = address.map_err(|e| {
        let place = line.words.place;
        line.alert(format!("parsing [{place}] : 'stats socket' : {e}\n"))
    })?;
    let mut spec = BindSpec {
        expected: Default::default(),
        addresses: vec![address],
        place,
        options: ListenOptions::default(),
        name: None,
        id: None,
        maxconn: None,
        text: word,
        proto: None,
        cli: CliBindSpec::default(),
        datagrams: false,
    };
    while let Some(word) = line.word() {
        let Some(row) = catalog::bind_option(&word.str()) else {
            return Err(line.alert(format!("'stats socket' : unknown keyword '{word}'.")));
        };
        let place = line.words.place;
        let mut option = line.option(row.name, "stats socket".to_owned());
        (row.parse)(&mut option, &mut spec).map_err(|e| worded(e, place))?;
        line.words = option.words;
    }
    line.global().cli.sockets.push(spec);
    Ok(())
}

/// An option's mistake as HAProxy words it for this line.
fn worded(mut diagnostic: Diagnostic, place: &crate::config::diagnostic::Place) -> Diagnostic {
    let prefix = format!("parsing [{place}] : ");
    if let Some(text) = diagnostic.text.strip_prefix(&prefix) {
        diagnostic.text = format!("{prefix}'stats socket' : '{text}'");
    }
    diagnostic
}

fn timeout(line: &mut Line<'_>) -> Parsed {
    let positive = "'stats timeout' expects a positive value";
    let word = line.required("'stats timeout' expects a positive value")?.str().into_owned();
    let time = parse_time(word.as_bytes(), TimeUnit::Milliseconds).map_err(|e| {
        line.alert(match e {
            NumberError::Overflow => format!(
                "timer overflow in argument '{word}' to 'stats timeout' (maximum value is 2147483647 ms or ~24.8 days)"
            ),
            NumberError::Unexpected(c) => {
                format!("'stats timeout' : unexpected character '{c}'")
            }
        })
    })?;
    if time.is_zero() {
        return Err(line.alert(positive));
    }
    line.global().cli.timeout = Some(time);
    line.rest();
    Ok(())
}

fn maxconn(line: &mut Line<'_>) -> Parsed {
    let positive = "'stats maxconn' expects a positive value";
    let value = parse_lenient(line.required(positive)?.bytes());
    if value <= 0 {
        return Err(line.alert(positive));
    }
    line.global().cli.maxconn = usize::try_from(value).ok();
    line.rest();
    Ok(())
}

/// `stats bind-process { all | odd | even | <number>[-[<number>]] }`
fn bind_process(line: &mut Line<'_>) -> Parsed {
    for word in line.rest() {
        let text = word.str();
        let range = text.split('-').all(|n| n.is_empty() || n.parse::<u32>().is_ok());
        if !matches!(&*text, "all" | "odd" | "even") && !range {
            return Err(
                line.alert(format!("'stats bind-process' : '{text}' is not a valid number/range."))
            );
        }
    }
    Ok(())
}

fn word_of(line: &mut OptionLine<'_, '_>, missing: &str) -> Result<String, Diagnostic> {
    let message = format!("'{}' : {missing}", line.name);
    Ok(line.required(&message)?.str().into_owned())
}

fn level(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let word = word_of(line, "missing level")?;
    let found = Level::NAMES.iter().find(|(name, _)| *name == word);
    bind.cli.level = found.map(|(_, level)| *level).ok_or_else(|| {
        line.alert(format!("'level' only supports 'user', 'operator', and 'admin' (got '{word}')"))
    })?;
    Ok(())
}

fn severity_output(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let word = word_of(line, "missing severity format")?;
    bind.cli.severity = SeverityOutput::of_name(&word).ok_or_else(|| {
        let text = "'severity-output' only supports 'none', 'number', and 'string'";
        line.alert(format!("{text} (got '{word}')"))
    })?;
    Ok(())
}

fn expose_fd(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let word = word_of(line, "missing fd type")?;
    if word != "listeners" {
        return Err(line.alert(format!("'expose-fd' only supports 'listeners' (got '{word}')")));
    }
    bind.cli.expose_listeners = true;
    Ok(())
}

const GLOBAL: Keyword =
    Keyword { sections: Sections::GLOBAL, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "stats bind-process",
            args: "[ all | odd | even | <process_num>[-[<process_num>]] ] ...",
            doc: "The processes that serve the runtime sockets.",
            examples: &["stats bind-process 1"],
            status: Status::NoEffect("one process serves on all threads"),
            parse: bind_process,
            ..GLOBAL
        },
        Keyword {
            name: "stats maxconn",
            args: "<connections>",
            default: "10",
            doc: "How many connections to the runtime sockets are served at once, 10 by default.",
            examples: &["stats maxconn 20"],
            parse: maxconn,
            ..GLOBAL
        },
        Keyword {
            name: "stats socket",
            args: "[<address:port>|<path>] [param*]",
            doc: "A socket that takes commands while the process runs: an address or a path, and options of `bind`, `level` above all.",
            examples: &["stats socket /tmp/haproxy.sock mode 600 level admin"],
            parse: socket,
            ..GLOBAL
        },
        Keyword {
            name: "stats timeout",
            args: "<timeout, in milliseconds>",
            default: "10s",
            doc: "How long a client of a runtime socket may stay silent, 10 s by default.",
            examples: &["stats timeout 30s"],
            parse: timeout,
            ..GLOBAL
        },
    ],
    bind_options: &[
        BindOption {
            name: "expose-fd",
            args: "listeners",
            doc: "Gives the listening sockets to a process started with -x.",
            examples: &["expose-fd listeners"],
            status: Status::Works,
            parse: expose_fd,
            ..BindOption::NEW
        },
        BindOption {
            name: "level",
            args: "<level>",
            default: "operator",
            doc: "The rights of the clients of a runtime socket: user, operator or admin.",
            examples: &["level admin"],
            status: Status::Works,
            parse: level,
            ..BindOption::NEW
        },
        BindOption {
            name: "severity-output",
            args: "<format>",
            default: "none",
            doc: "Whether a runtime socket's messages begin with their severity: none, number or string.",
            examples: &["severity-output none"],
            status: Status::Works,
            parse: severity_output,
            ..BindOption::NEW
        },
    ],
    ..Part::NONE
};
