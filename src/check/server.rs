//! `check`, `inter`, `rise` … on a `server` line (manual 5.2): when a server is checked, where, and
//! how often it must fail.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::catalog::{Part, ServerOption, Status};
use crate::check::agent::Agent;
use crate::check::health::{DEFAULT_FALL, DEFAULT_RISE, Health};
use crate::check::observe::{DEFAULT_LIMIT, Layer, Observe, OnError};
use crate::config::address::{Accepts, AddressSpec, HostSpec};
use crate::config::args::{NumberError, OptionLine, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::diagnostic::Diagnostic;
use crate::config::proxy::Mode;
use crate::config::spec::{ProxySpec, ServerSpec};
use crate::flow::listener::proxy_protocol::SendSpec;
use crate::flow::server::options::{argument, mistake, time};

/// `check`, `inter`, `rise` … of a server as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerCheckSpec {
    /// `check`
    pub check: bool,
    /// `inter`
    pub inter: Option<Duration>,
    /// `fastinter`
    pub fastinter: Option<Duration>,
    /// `downinter`
    pub downinter: Option<Duration>,
    /// `rise`
    pub rise: Option<u32>,
    /// `fall`
    pub fall: Option<u32>,
    /// `port`
    pub port: Option<u16>,
    /// `addr`; port 0 when it has none.
    pub addr: Option<SocketAddr>,
    /// `agent-check` and its kin.
    pub agent: AgentSpec,
    /// `observe`
    pub observe: Option<Layer>,
    /// `error-limit`
    pub error_limit: Option<u32>,
    /// `on-error`
    pub on_error: OnError,
    /// `on-marked-down shutdown-sessions`
    pub shuts_down: bool,
    /// `on-marked-up shutdown-backup-sessions`
    pub shuts_backups: bool,
    /// `slowstart`, in whole seconds.
    pub slowstart: Option<u64>,
    /// `track`: `server` or `proxy/server`.
    pub track: Option<String>,
}

/// `agent-check`, `agent-port` … of a server as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AgentSpec {
    /// `agent-check`
    pub asked: bool,
    /// `agent-inter`
    pub inter: Option<Duration>,
    /// `agent-port`
    pub port: Option<u16>,
    /// `agent-addr`
    pub addr: Option<IpAddr>,
    /// `agent-send`
    pub send: Option<Vec<u8>>,
}

/// Checks of one server.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerCheck {
    /// Between two checks of a server that is wholly up.
    pub inter: Duration,
    /// Between two checks while it changes.
    pub fastinter: Duration,
    /// Between two checks of a server that is wholly down.
    pub downinter: Duration,
    /// Where to check instead of the server's address; port 0 when only the address is given.
    pub addr: Option<SocketAddr>,
    /// The port to check instead of the server's.
    pub port: Option<u16>,
    /// Headers of the PROXY protocol.
    pub send_proxy: SendSpec,
}

/// `inter` when none is given.
const DEFAULT_INTER: Duration = Duration::from_secs(2);

impl ServerCheckSpec {
    /// The checks of a server, if it has any.
    pub fn compile(&self, _: &ProxySpec, server: &ServerSpec) -> Option<ServerCheck> {
        let inter = self.inter.unwrap_or(DEFAULT_INTER);
        self.check.then(|| ServerCheck {
            inter,
            fastinter: self.fastinter.unwrap_or(inter),
            downinter: self.downinter.unwrap_or(inter),
            addr: self.addr,
            port: self.port,
            send_proxy: server.send_proxy,
        })
    }

    /// How traffic is looked at, if it is.
    pub fn observe(&self) -> Option<Observe> {
        let limit = self.error_limit.unwrap_or(DEFAULT_LIMIT);
        Some(Observe { layer: self.observe?, limit, on_error: self.on_error })
    }

    /// How the server's agent is asked, if it is.
    pub fn compile_agent(&self) -> Option<Box<ServerCheck>> {
        let agent = &self.agent;
        let inter = agent.inter.or(self.inter).unwrap_or(DEFAULT_INTER);
        agent.asked.then(|| {
            Box::new(ServerCheck {
                inter,
                fastinter: inter,
                downinter: inter,
                addr: agent.addr.map(|ip| SocketAddr::new(ip, 0)),
                port: agent.port,
                send_proxy: SendSpec::default(),
            })
        })
    }

    /// What is known of the server's agent when it starts.
    pub fn first_agent(&self) -> Agent {
        match self.agent.asked {
            true => Agent { send: self.agent.send.clone(), ..Agent::asked() },
            false => Agent::default(),
        }
    }

    /// What is known of the server's health when it starts.
    pub fn first_health(&self) -> Health {
        if self.check {
            let (rise, fall) =
                (self.rise.unwrap_or(DEFAULT_RISE), self.fall.unwrap_or(DEFAULT_FALL));
            Health::watched(rise, fall)
        } else {
            Health::default()
        }
    }
}

impl ServerCheck {
    /// How long to wait until the next check.
    pub fn interval(&self, health: &Health, server_is_up: bool) -> Duration {
        if health.health == health.full() {
            self.inter
        } else if !server_is_up && health.health == 0 {
            self.downinter
        } else {
            self.fastinter
        }
    }
}

fn delay(line: &mut OptionLine<'_, '_>, server: &ServerSpec) -> Result<Duration, Diagnostic> {
    let value = time(line, TimeUnit::Milliseconds)?;
    if value.is_zero() {
        let (name, server) = (line.name, &server.name);
        let text = format!("invalid value 0 for argument '{name}' of server {server}");
        return Err(mistake(line, text));
    }
    Ok(value)
}

/// `rise` or `fall`.
fn positive(line: &mut OptionLine<'_, '_>) -> Result<u32, Diagnostic> {
    let value = parse_lenient(argument(line, "an integer argument")?.as_bytes());
    if value <= 0 {
        return Err(mistake(line, format!("'{}' has to be > 0", line.name)));
    }
    Ok(u32::try_from(value).unwrap_or(u32::MAX))
}

fn addr(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let word = argument(line, "<ipv4|ipv6> as argument")?;
    let accepts = Accepts { resolved: true, ..Accepts::TARGET };
    let address = AddressSpec::accept(&line.expand(&word), accepts, line.outside);
    let (subject, name) = (&line.subject, line.name);
    let address = address.map_err(|e| line.alert(format!("'{subject}' : '{name}' : {e}.")))?;
    server.check.addr = address.socket();
    Ok(())
}

fn agent_addr(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let word = argument(line, "an address as argument")?;
    match HostSpec::Name(word.clone(), None).first_address(line.outside) {
        Some(ip) => {
            server.check.agent.addr = Some(ip);
            Ok(())
        }
        None => {
            let text = format!("parsing agent-addr failed. Check if '{word}' is correct address");
            Err(mistake(line, text))
        }
    }
}

fn slowstart(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let Some(word) = line.word() else { return Ok(()) };
    let name = line.server_name();
    let value = parse_time(word.bytes(), TimeUnit::Milliseconds).map_err(|e| match e {
        NumberError::Overflow => line.bare(format!("timer overflow in argument <{word}> to <slowstart> of server {name}, maximum value is 2147483647 ms (~24.8 days).")),
        NumberError::Unexpected(c) => line.alert(format!("unexpected character '{c}' in 'slowstart' argument of server {name}.")),
    })?;
    server.check.slowstart = Some(value.as_millis().div_ceil(1000) as u64).filter(|s| *s > 0);
    Ok(())
}

fn error_limit(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let Some(word) = line.word() else {
        return Err(line.bare("'error-limit' expects an integer argument."));
    };
    match parse_lenient(word.bytes()) {
        limit @ 1.. => {
            server.check.error_limit = u32::try_from(limit).ok();
            Ok(())
        }
        _ => Err(line.bare("error-limit has to be > 0.")),
    }
}

fn observe(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let word = argument(line, "<mode> as argument")?;
    server.check.observe = match &*word {
        "none" => None,
        "layer4" => Some(Layer::Four),
        "layer7" if line.mode == Mode::Http => Some(Layer::Seven),
        "layer7" => {
            let subject = &line.subject;
            return Err(
                line.alert(format!("'{subject}' : 'layer7' can only be used in http proxies.."))
            );
        }
        other => {
            let subject = &line.subject;
            return Err(line.alert(format!("'{subject}' : 'observe' expects one of 'none', 'layer4', 'layer7' but got '{other}'.")));
        }
    };
    Ok(())
}

fn on_error(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    const LIST: &str = "one of 'fastinter', 'fail-check', 'sudden-death' or 'mark-down'";
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    server.check.on_error = match word.as_str() {
        "fastinter" => OnError::FastInter,
        "fail-check" => OnError::FailCheck,
        "sudden-death" => OnError::SuddenDeath,
        "mark-down" => OnError::MarkDown,
        other => return Err(line.bare(format!("'on-error' expects {LIST} but got '{other}'"))),
    };
    Ok(())
}

/// One of a few words.
fn one_of(line: &mut OptionLine<'_, '_>, words: &[&str], list: &str) -> Parsed {
    let given = line.word().map(|w| w.str()).unwrap_or_default();
    if words.contains(&&*given) {
        return Ok(());
    }
    Err(line.bare(format!("'{}' expects {list} but got '{given}'", line.name)))
}

fn check_proto(line: &mut OptionLine<'_, '_>, _: &mut ServerSpec) -> Parsed {
    let subject = line.subject.clone();
    match line.word().map(|w| w.str()) {
        None => Err(line.alert(format!("'{subject}' : 'check-proto' : missing value."))),
        Some(word) if matches!(&*word, "h2" | "fcgi") => Ok(()),
        Some(word) => {
            Err(line
                .alert(format!("'{subject}' : 'check-proto' :  unknown MUX protocol '{word}'.")))
        }
    }
}

const CHECK: ServerOption = ServerOption { status: Status::Works, ..ServerOption::NEW };
const PLANNED: ServerOption = ServerOption { status: Status::Planned, ..ServerOption::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    server_options: &[
        ServerOption {
            name: "addr",
            args: "<ipv4|ipv6>",
            default: "the server's address",
            doc: "Where checks connect to instead of the server's address.",
            examples: &["addr 127.0.0.1"],
            parse: addr,
            ..CHECK
        },
        ServerOption {
            name: "agent-addr",
            args: "<addr>",
            default: "the server's address",
            doc: "Where the agent is asked.",
            examples: &["agent-addr 127.0.0.1"],
            parse: agent_addr,
            ..CHECK
        },
        ServerOption {
            name: "agent-check",
            doc: "Asks an agent on the server, over TCP, how it is: its weight, its state, its maxconn.",
            examples: &["agent-check agent-port 9777"],
            parse: |_, server| {
                server.check.agent.asked = true;
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "agent-inter",
            args: "<delay>",
            default: "the value of inter",
            doc: "The time between two questions to the agent.",
            examples: &["agent-inter 5s"],
            parse: |line, server| {
                server.check.agent.inter = Some(delay(line, server)?);
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "agent-port",
            args: "<port>",
            doc: "The agent's port.",
            examples: &["agent-port 9777"],
            parse: |line, server| {
                let value = parse_lenient(argument(line, "a port number as argument")?.as_bytes());
                server.check.agent.port = u16::try_from(value).ok().filter(|p| *p > 0);
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "agent-send",
            args: "<string>",
            doc: "What the agent is sent first.",
            examples: &["agent-send hello\\n"],
            parse: |line, server| {
                server.check.agent.send =
                    Some(argument(line, "a string as argument")?.into_bytes());
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "check",
            doc: "Watches the server: it gets requests only while its checks succeed.",
            examples: &["check", "check inter 2s rise 3 fall 2"],
            parse: |_, server| {
                server.check.check = true;
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "check-alpn",
            args: "<protocols>",
            doc: "The protocols that checks over TLS offer by ALPN.",
            examples: &["check-alpn http/1.1"],
            parse: |line, _| argument(line, "an argument").map(drop),
            ..PLANNED
        },
        ServerOption {
            name: "check-proto",
            args: "<name>",
            doc: "The protocol of checks instead of the server's.",
            examples: &["check-proto h2"],
            parse: check_proto,
            ..PLANNED
        },
        ServerOption {
            name: "check-sni",
            args: "<sni>",
            doc: "The name that checks over TLS ask for.",
            examples: &["check-sni example.com"],
            parse: |line, _| argument(line, "an argument").map(drop),
            ..PLANNED
        },
        ServerOption {
            name: "check-ssl",
            doc: "Checks over TLS, even when the traffic does not use it.",
            examples: &["check-ssl"],
            ..PLANNED
        },
        ServerOption {
            name: "check-via-socks4",
            doc: "Checks through the socks4 proxy.",
            examples: &["check-via-socks4"],
            ..PLANNED
        },
        ServerOption {
            name: "downinter",
            args: "<delay>",
            default: "the value of inter",
            doc: "The time between two checks of a server that is down.",
            examples: &["downinter 10s"],
            parse: |line, server| {
                server.check.downinter = Some(delay(line, server)?);
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "error-limit",
            args: "<count>",
            default: "10",
            doc: "How many errors in a row `observe` needs.",
            examples: &["error-limit 10"],
            parse: error_limit,
            ..CHECK
        },
        ServerOption {
            name: "fall",
            args: "<count>",
            default: "3",
            doc: "How many checks in a row must fail until the server is down.",
            examples: &["fall 2"],
            parse: |line, server| {
                server.check.fall = Some(positive(line)?);
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "fastinter",
            args: "<delay>",
            default: "the value of inter",
            doc: "The time between two checks while the server is about to change.",
            examples: &["fastinter 500ms"],
            parse: |line, server| {
                server.check.fastinter = Some(delay(line, server)?);
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "inter",
            args: "<delay>",
            default: "2s",
            doc: "The time between two checks.",
            examples: &["inter 2s"],
            parse: |line, server| {
                server.check.inter = Some(delay(line, server)?);
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "no-agent-check",
            doc: "Undoes an agent-check of default-server.",
            examples: &["no-agent-check"],
            parse: |_, server| {
                server.check.agent.asked = false;
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "no-check",
            doc: "Undoes a check of default-server.",
            examples: &["no-check"],
            parse: |_, server| {
                server.check.check = false;
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "no-check-ssl",
            doc: "Undoes a check-ssl of default-server.",
            examples: &["no-check-ssl"],
            status: Status::NoEffect("checks never use TLS"),
            ..CHECK
        },
        ServerOption {
            name: "observe",
            args: "<mode>",
            doc: "Learns the server's health from traffic too: its connections (`layer4`) or also its responses (`layer7`).",
            examples: &["observe layer7"],
            parse: observe,
            ..CHECK
        },
        ServerOption {
            name: "on-error",
            args: "<mode>",
            default: "fail-check",
            doc: "What happens when `observe` has seen enough errors: `fastinter` checks sooner, `fail-check` counts as a failed check, `sudden-death` as the last one, `mark-down` takes the server down.",
            examples: &["on-error mark-down"],
            parse: on_error,
            ..CHECK
        },
        ServerOption {
            name: "on-marked-down",
            args: "<action>",
            doc: "What happens to the sessions of a server that goes down: `shutdown-sessions` ends them.",
            examples: &["on-marked-down shutdown-sessions"],
            parse: |line, server| {
                server.check.shuts_down = true;
                one_of(line, &["shutdown-sessions"], "'shutdown-sessions'")
            },
            ..CHECK
        },
        ServerOption {
            name: "on-marked-up",
            args: "<action>",
            doc: "What happens to the sessions of backup servers when this one comes up: `shutdown-backup-sessions` ends them.",
            examples: &["on-marked-up shutdown-backup-sessions"],
            parse: |line, server| {
                server.check.shuts_backups = true;
                one_of(line, &["shutdown-backup-sessions"], "'shutdown-backup-sessions'")
            },
            ..CHECK
        },
        ServerOption {
            name: "port",
            args: "<port>",
            default: "the server's port",
            doc: "The port that checks connect to instead of the server's.",
            examples: &["port 8080"],
            parse: |line, server| {
                let value = parse_lenient(argument(line, "a port number as argument")?.as_bytes());
                server.check.port = u16::try_from(value).ok().filter(|p| *p > 0);
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "rise",
            args: "<count>",
            default: "2",
            doc: "How many checks in a row must succeed until the server is up.",
            examples: &["rise 3"],
            parse: |line, server| {
                server.check.rise = Some(positive(line)?);
                Ok(())
            },
            ..CHECK
        },
        ServerOption {
            name: "slowstart",
            args: "<start_time_in_ms>",
            default: "0",
            doc: "The time during which a server that came back is given more and more requests.",
            examples: &["slowstart 30s"],
            parse: slowstart,
            ..CHECK
        },
        ServerOption {
            name: "track",
            args: "[<proxy>/]<server>",
            doc: "Follows another server's state instead of checking.",
            examples: &["track other/s1"],
            parse: |line, server| {
                server.check.track = Some(argument(line, "[<proxy>/]<server> as argument")?);
                Ok(())
            },
            ..CHECK
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_follows_the_health() {
        let ms = Duration::from_millis;
        let check = ServerCheck {
            inter: ms(2000),
            fastinter: ms(500),
            downinter: ms(9000),
            ..ServerCheck::default()
        };
        let mut health = Health::watched(2, 3);
        assert_eq!(check.interval(&health, true), ms(500));
        health.health = health.full();
        assert_eq!(check.interval(&health, true), ms(2000));
        health.health = 0;
        assert_eq!(check.interval(&health, false), ms(9000));
        health.health = 1;
        assert_eq!(check.interval(&health, false), ms(500));
    }
}
