//! Log lines: in comes a finished session or stream, or an event; out goes a line to each log target
//! (manual 8). `settings` reads the directives, `format` and `tags` make a line, `syslog` sends it.

pub mod date;
pub mod escape;
pub mod format;
pub mod forward;
pub mod message;
pub mod ring;
pub mod ring_server;
pub mod settings;
pub mod syslog;
pub mod tags;
pub mod target;
pub mod timers;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::catalog::Part;
use crate::config::address::{AddressSpec, Family, HostSpec, PortsSpec};
use crate::config::compile::Compiler;
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::proxy::Mode;
use crate::config::spec::ProxySpec;
use crate::flow::session::{Address, Stream};
use format::{LogContext, LogFormat, Purpose};
use ring::Sink;
pub use settings::{FormatSpec, GlobalLogSpec, LogSpec};
use syslog::{Descriptor, Sampler, Sender, Target, Transport, Udp, Unix};
use target::{Header, TargetAddress, TargetSpec};

/// The level of a stream's log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// As the proxy's options say.
    #[default]
    Usual,
    /// No line at all: `set-log-level silent`.
    Silent,
    /// This one, 0 `emerg` to 7 `debug`.
    Fixed(u8),
}

/// The level `err`.
const ERR: u8 = 3;
/// The level `info`.
const INFO: u8 = 6;

thread_local! {
    /// The message, the structured data, and the line with its header.
    static BUFFERS: RefCell<[Vec<u8>; 3]> = const { RefCell::new([Vec::new(), Vec::new(), Vec::new()]) };
}

/// Logging of a running proxy, or of the process.
#[derive(Debug, Default)]
pub struct Log {
    targets: Vec<Target>,
    format: Option<LogFormat>,
    structured: Option<LogFormat>,
    /// Whether everything in a line is known before the end.
    early: bool,
    /// Whether totals in an early line are marked.
    mark: bool,
    tag: Box<[u8]>,
    /// The name sent with lines.
    sent_host: Box<[u8]>,
    /// This host's name.
    pub host: Box<[u8]>,
    /// Bytes of a request line that are logged.
    pub uri_length: usize,
    /// Whether lines tell where the proxy connects from.
    pub needs_server_source: bool,
    lines: Arc<AtomicU64>,
}

impl Log {
    /// Whether lines of streams have a format of their own.
    pub fn has_format(&self) -> bool {
        self.format.is_some()
    }

    /// Whether lines may be written before the end.
    pub fn is_early(&self) -> bool {
        self.early
    }

    /// Lines so far (`%lc`).
    pub fn count(&self) -> u64 {
        self.lines.load(Relaxed)
    }

    /// Writes the line of a finished stream, or of a session that had none. The backend's and the
    /// server's session gauges were left already, the frontend's and the process's were not.
    pub fn emit(&self, context: &LogContext<'_>) {
        if self.targets.is_empty() {
            return;
        }
        let Some(format) = &self.format else { return };
        let options = &context.frontend.options;
        let level = match context.stream {
            Some(stream) => {
                if stream.logged.get() || (options.dont_log_null && is_null(stream)) {
                    return;
                }
                let failed = failed(stream, context.frontend.mode);
                if options.dont_log_normal && !failed {
                    return;
                }
                match stream.log_level {
                    LogLevel::Silent => return,
                    LogLevel::Fixed(level) => level,
                    LogLevel::Usual if failed && options.log_separate_errors => ERR,
                    LogLevel::Usual => INFO,
                }
            }
            None if options.log_separate_errors => ERR,
            None => INFO,
        };
        self.write(level, format, context);
        if let Some(stream) = context.stream {
            stream.logged.set(true);
        }
    }

    fn write(&self, level: u8, format: &LogFormat, context: &LogContext<'_>) {
        let LogContext { session, stream, frontend, phase, .. } = *context;
        // Every total of such a proxy is marked, final or not.
        let context = &LogContext { session, stream, frontend, phase, early: self.mark };
        BUFFERS.with_borrow_mut(|[message, structured, line]| {
            message.clear();
            structured.clear();
            format.write(context, message);
            if let Some(format) = &self.structured {
                format.write(context, structured);
                let end = structured.iter().rposition(|b| *b != b' ').map_or(0, |at| at + 1);
                structured.truncate(end);
            }
            if !message.is_empty() {
                self.lines.fetch_add(1, Relaxed);
                let lost = self.send(level, process_id(), message, structured, line);
                if lost > 0 {
                    context.session.thread.shared.counters.dropped_logs.add(lost);
                }
            }
        });
    }

    /// Sends to every target; gives how many lost the line because they could not take it at once.
    fn send(
        &self,
        level: u8,
        pid: u32,
        message: &[u8],
        structured: &[u8],
        line: &mut Vec<u8>,
    ) -> u64 {
        let mut lost = 0;
        let sender = Sender { tag: &self.tag, host: &self.sent_host, pid, structured };
        for target in self.targets.iter().filter(|t| t.takes(level)) {
            if let Err(error) = target.send(level, &sender, message, line)
                && error.kind() == io::ErrorKind::WouldBlock
            {
                lost += 1;
            }
        }
        lost
    }

    /// Writes the line of a stream whose response's head has just come (HTTP) or whose server
    /// connection was just made (TCP), if nothing that comes later is to be in it.
    pub fn emit_early(&self, context: &LogContext<'_>) {
        if self.early {
            self.emit(context);
        }
    }

    /// Writes `Connect from ...` for a stream that begins, if the proxy has no log format.
    pub fn begin(&self, context: &LogContext<'_>) {
        if self.targets.is_empty() || self.format.is_some() {
            return;
        }
        let (session, proxy) = (context.session, context.frontend);
        let name = &proxy.name;
        let mode = if proxy.mode == Mode::Http { "HTTP" } else { "TCP" };
        let text = match (&*session.source(), session.destination().as_deref()) {
            (Address::Inet(from), Some(Address::Inet(to))) => {
                let (from_port, to_port) = (from.port(), to.port());
                let (from, to) = (from.ip(), to.ip());
                format!("Connect from {from}:{from_port} to {to}:{to_port} ({name}/{mode})")
            }
            _ => format!("Connect to unix:{} ({name}/{mode})", session.listener.id),
        };
        let lost = self.event(INFO, &text);
        session.thread.shared.counters.dropped_logs.add(lost);
    }

    /// Writes a message about the proxy itself: `level` is 0 `emerg` to 7 `debug`. Gives how many
    /// targets lost it (`ProcessCounters::dropped_logs`).
    pub fn event(&self, level: u8, text: &str) -> u64 {
        if self.targets.is_empty() {
            return 0;
        }
        // Called before the process goes to the background too, so its number may still change.
        let pid = std::process::id();
        BUFFERS.with_borrow_mut(|[_, _, line]| self.send(level, pid, text.as_bytes(), b"", line))
    }
}

/// This process's number; asked for once a thread, because threads begin after the last fork.
fn process_id() -> u32 {
    thread_local! {
        static PID: u32 = std::process::id();
    }
    PID.with(|pid| *pid)
}

/// Whether the client sent nothing, or no whole request: HAProxy counts nothing of a head that it could
/// not read.
fn is_null(stream: &Stream<'_>) -> bool {
    stream.bytes_in == 0
}

/// Whether a stream counts as an error for `dontlog-normal` and `log-separate-errors`.
fn failed(stream: &Stream<'_>, mode: Mode) -> bool {
    use crate::flow::session::outcome::Who;
    let fault = match stream.outcome.who {
        Who::Nobody => stream.retries > 0,
        Who::Local => false,
        _ => true,
    };
    stream.redispatched || fault || (mode == Mode::Http && stream.status >= 500)
}

/// Variables that are not known before the end of a stream.
fn known_at_end(variable: &str) -> bool {
    matches!(
        variable,
        "B" | "ID"
            | "Ta"
            | "Tc"
            | "Td"
            | "Th"
            | "Ti"
            | "Tq"
            | "TR"
            | "Tr"
            | "Tt"
            | "Tu"
            | "Tw"
            | "U"
            | "ac"
            | "bc"
            | "bq"
            | "fc"
            | "rc"
            | "sc"
            | "sq"
            | "ts"
    )
}

impl LogSpec {
    /// Opens the targets and compiles the formats.
    pub fn compile(&self, proxy: &ProxySpec, compiler: &mut Compiler<'_>) -> Log {
        let mut log = base(&self.targets, self.tag.as_deref(), compiler);
        if !proxy.kind.has_frontend() || proxy.basics.disabled {
            return log;
        }
        let mode = proxy.basics.mode;
        if let Some((format, place)) = &self.format {
            // The checks of modes have told that it falls back.
            let format = format.in_mode(mode).unwrap_or(&FormatSpec::Tcp);
            log.format = parse("log-format", format.text(), mode, place, compiler);
        }
        if let Some((text, place)) = &self.structured {
            log.structured = parse("log-format-sd", text, mode, place, compiler);
        }
        let as_soon_as_possible = proxy.options.is_on("logasap");
        let awaits_end = log.format.as_ref().is_some_and(|f| f.uses(known_at_end))
            || log.structured.as_ref().is_some_and(|f| f.uses(known_at_end));
        let from_where = |name: &str| matches!(name, "bi" | "bp");
        log.needs_server_source = log.format.as_ref().is_some_and(|f| f.uses(from_where))
            || log.structured.as_ref().is_some_and(|f| f.uses(from_where));
        log.early = as_soon_as_possible || !awaits_end;
        log.mark = log.early;
        let before = compiler.previous.and_then(|world| world.frontend(&proxy.name));
        if let Some(before) = before {
            log.lines = before.log.lines.clone();
        }
        log
    }
}

impl GlobalLogSpec {
    /// Opens the targets of messages that are about no proxy.
    pub fn compile(&self, compiler: &mut Compiler<'_>) -> Log {
        base(&self.targets, None, compiler)
    }
}

fn base(targets: &[TargetSpec], tag: Option<&[u8]>, compiler: &mut Compiler<'_>) -> Log {
    let spec = compiler.spec;
    let global = &spec.global.log;
    let tag = tag.or(global.tag.as_deref()).unwrap_or(b"haproxy");
    let targets = targets.iter().filter_map(|target| open(target, "", compiler)).collect();
    Log {
        targets,
        tag: tag.into(),
        sent_host: global.host.as_deref().unwrap_or(&compiler.hostname).as_bytes().into(),
        host: compiler.hostname.as_bytes().into(),
        uri_length: global.uri_length.unwrap_or(1023),
        ..Log::default()
    }
}

fn parse(
    directive: &'static str,
    text: &[u8],
    mode: Mode,
    place: &Place,
    compiler: &mut Compiler<'_>,
) -> Option<LogFormat> {
    match LogFormat::parse(text, &Purpose::log(directive, mode)) {
        Ok((format, warnings)) => {
            for warning in warnings {
                let text = format!("parsing [{place}] : {warning}");
                compiler.diagnostics.push(Diagnostic::warning(Some(place), text));
            }
            Some(format)
        }
        Err(error) => {
            let text = format!("Parsing [{place}]: failed to parse {directive} : {error}.");
            compiler.diagnostics.push(Diagnostic::alert(Some(place), text));
            None
        }
    }
}

/// Opens a target; `None` when it has no effect or an alert was added. `owner` begins that.
fn open(spec: &TargetSpec, owner: &str, compiler: &mut Compiler<'_>) -> Option<Target> {
    let transport = match &spec.address {
        TargetAddress::Ring(name) => Transport::Ring(ring(name, owner, compiler)?),
        TargetAddress::Address(address) => match transport(address, compiler) {
            Ok(transport) => transport,
            Err(error) => {
                let place = &spec.place;
                let text = format!("parsing [{place}] : log : {error}");
                compiler.diagnostics.push(Diagnostic::alert(Some(place), text));
                return None;
            }
        },
    };
    let default = match compiler.spec.global.log.host {
        Some(_) => Header::Rfc3164,
        None => Header::Local,
    };
    Some(Target {
        transport,
        header: spec.header.unwrap_or(default),
        length: spec.length,
        facility: spec.facility,
        level: spec.level,
        least: spec.least,
        sample: spec.sample.clone().map(Sampler::new),
    })
}

/// The ring of this name. Only the start asks whether it is there, as HAProxy does.
fn ring(name: &str, owner: &str, compiler: &mut Compiler<'_>) -> Option<Arc<Sink>> {
    let found = ring::find(&compiler.sinks, name).filter(|sink| sink.is_ring()).cloned();
    if found.is_none() && compiler.purpose.bind {
        let text = format!("{owner}log server uses unknown ring named '{name}'.");
        compiler.diagnostics.push(Diagnostic::alert(None, text));
    }
    found
}

fn transport(address: &AddressSpec, compiler: &mut Compiler<'_>) -> Result<Transport, String> {
    let opened = match address {
        AddressSpec::Inherited(fd) => return Ok(Transport::Descriptor(Descriptor::new(*fd))),
        AddressSpec::Unix(path) => {
            // `-c` opens nothing; a daemon that is not there yet is found by its path later.
            let connected = match compiler.purpose.bind {
                true => compiler.outside.log_socket(path).ok(),
                false => None,
            };
            Unix::at(path.clone(), connected).map(Transport::Unix)
        }
        AddressSpec::Abstract(name) => Unix::abstract_name(name).map(Transport::Unix),
        AddressSpec::Inet { host, ports } => {
            let port = match ports {
                PortsSpec::Range(port, _) => *port,
                _ => 514,
            };
            let ip = match host {
                HostSpec::Literal(ip) => *ip,
                HostSpec::Name(name, family) => {
                    let found = compiler.outside.resolve(name).unwrap_or_default();
                    let fits = |ip: &std::net::IpAddr| match family {
                        None => true,
                        Some(Family::V4) => ip.is_ipv4(),
                        Some(Family::V6) => ip.is_ipv6(),
                    };
                    let missing = || format!("invalid address: '{name}' in '{name}'");
                    found.into_iter().find(fits).ok_or_else(missing)?
                }
            };
            Udp::open(SocketAddr::new(ip, port)).map(Transport::Udp)
        }
    };
    opened.map_err(|e| format!("cannot open a socket ({})", crate::sys::error_words(&e)))
}

/// The rows of this family.
pub const PART: Part = settings::PART;
