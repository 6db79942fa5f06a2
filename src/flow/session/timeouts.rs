//! `timeout …`: how long each side may stay silent (manual 4.2, "timeout …").

use std::time::Duration;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_time};
use crate::config::section::Sections;

/// Timeouts as written; `None` was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeoutsSpec {
    /// Between two checks' phases once connected.
    pub check: Option<Duration>,
    /// The client's silence.
    pub client: Option<Duration>,
    /// The client's silence after it has closed its direction.
    pub client_fin: Option<Duration>,
    /// Connecting to a server.
    pub connect: Option<Duration>,
    /// Waiting for the next request on a kept-alive connection.
    pub http_keep_alive: Option<Duration>,
    /// From a request's first byte to the end of its headers.
    pub http_request: Option<Duration>,
    /// Waiting for a server's free slot.
    pub queue: Option<Duration>,
    /// The server's silence.
    pub server: Option<Duration>,
    /// The server's silence after it has closed its direction.
    pub server_fin: Option<Duration>,
    /// How long a tarpitted request waits.
    pub tarpit: Option<Duration>,
    /// Both sides' silence once a tunnel is established.
    pub tunnel: Option<Duration>,
}

/// Timeouts of a running proxy: zero, as HAProxy takes it, means for ever and is `None` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// The timeouts, without those that are zero, the documented fall-backs filled in.
    pub spec: TimeoutsSpec,
    /// `option independent-streams`: what is sent to this side does not renew its patience.
    pub independent: bool,
}

impl std::ops::Deref for Timeouts {
    type Target = TimeoutsSpec;
    fn deref(&self) -> &TimeoutsSpec {
        &self.spec
    }
}

impl TimeoutsSpec {
    /// Fills in what the manual says is taken instead: `queue` and `tarpit` from `connect`.
    pub fn compile(&self) -> Timeouts {
        let limit = |timeout: Option<Duration>| timeout.filter(|t| !t.is_zero());
        Timeouts {
            independent: false,
            spec: TimeoutsSpec {
                check: limit(self.check),
                client: limit(self.client),
                client_fin: limit(self.client_fin),
                connect: limit(self.connect),
                http_keep_alive: limit(self.http_keep_alive),
                http_request: limit(self.http_request),
                queue: limit(self.queue.or(self.connect)),
                server: limit(self.server),
                server_fin: limit(self.server_fin),
                tarpit: limit(self.tarpit.or(self.connect)),
                tunnel: limit(self.tunnel),
            },
        }
    }
}

/// The place of a timeout in the `Spec`.
type Slot = fn(&mut TimeoutsSpec) -> &mut Option<Duration>;

fn set(line: &mut Line<'_>, slot: Slot) -> Parsed {
    let name = line.keyword.name;
    let Some(word) = line.word() else {
        return Err(line.alert(format!("'{name}' expects an integer value (in milliseconds)")));
    };
    let time = match parse_time(word.bytes(), TimeUnit::Milliseconds) {
        Ok(time) => time,
        Err(NumberError::Overflow) => {
            return Err(line.alert(format!(
                "timer overflow in argument '{word}' to '{name}' (maximum value is 2147483647 ms or ~24.8 days)"
            )));
        }
        Err(NumberError::Unexpected(character)) => {
            return Err(line.alert(format!("unexpected character '{character}' in '{name}'")));
        }
    };
    if let Some(extra) = line.word() {
        return Err(line.alert(format!(
            "'{name}' : unexpected extra argument '{extra}' after value '{word}'."
        )));
    }
    *slot(&mut line.proxy().timeouts) = Some(time);
    Ok(())
}

const TIMEOUT: Keyword = Keyword { args: "<timeout>", status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "timeout check",
            sections: Sections::BACKENDS,
            default: "the interval of checks",
            doc: "Limits a health check once it is connected; without it, the check interval does.",
            examples: &["timeout check 2s"],
            parse: |line| set(line, |t| &mut t.check),
            ..TIMEOUT
        },
        Keyword {
            name: "timeout client",
            sections: Sections::FRONTENDS,
            doc: "How long a client may stay silent when it should send or take data.",
            examples: &["timeout client 10s"],
            parse: |line| set(line, |t| &mut t.client),
            ..TIMEOUT
        },
        Keyword {
            name: "timeout client-fin",
            sections: Sections::FRONTENDS,
            default: "timeout client",
            doc: "The client's timeout once one direction is closed.",
            examples: &["timeout client-fin 5s"],
            parse: |line| set(line, |t| &mut t.client_fin),
            ..TIMEOUT
        },
        Keyword {
            name: "timeout connect",
            sections: Sections::BACKENDS,
            doc: "How long connecting to a server may take.",
            examples: &["timeout connect 5s"],
            parse: |line| set(line, |t| &mut t.connect),
            ..TIMEOUT
        },
        Keyword {
            name: "timeout http-keep-alive",
            sections: Sections::PROXIES,
            default: "timeout http-request, then timeout client",
            doc: "How long a kept-alive client may wait before its next request; without it, timeout http-request, then timeout client.",
            examples: &["timeout http-keep-alive 2s"],
            parse: |line| set(line, |t| &mut t.http_keep_alive),
            ..TIMEOUT
        },
        Keyword {
            name: "timeout http-request",
            sections: Sections::PROXIES,
            default: "timeout client",
            doc: "How long the headers of a request may take to arrive.",
            examples: &["timeout http-request 10s"],
            parse: |line| set(line, |t| &mut t.http_request),
            ..TIMEOUT
        },
        Keyword {
            name: "timeout queue",
            sections: Sections::BACKENDS,
            default: "timeout connect",
            doc: "How long a request may wait for a server's free slot; without it, timeout connect.",
            examples: &["timeout queue 30s"],
            parse: |line| set(line, |t| &mut t.queue),
            ..TIMEOUT
        },
        Keyword {
            name: "timeout server",
            sections: Sections::BACKENDS,
            doc: "How long a server may stay silent when it should send or take data.",
            examples: &["timeout server 10s"],
            parse: |line| set(line, |t| &mut t.server),
            ..TIMEOUT
        },
        Keyword {
            name: "timeout server-fin",
            sections: Sections::BACKENDS,
            default: "timeout server",
            doc: "The server's timeout once one direction is closed.",
            examples: &["timeout server-fin 5s"],
            parse: |line| set(line, |t| &mut t.server_fin),
            ..TIMEOUT
        },
        Keyword {
            name: "timeout tarpit",
            sections: Sections::PROXIES,
            default: "timeout connect",
            doc: "How long a tarpitted connection is held; without it, timeout connect.",
            examples: &["timeout tarpit 1m"],
            parse: |line| set(line, |t| &mut t.tarpit),
            ..TIMEOUT
        },
        Keyword {
            name: "timeout tunnel",
            sections: Sections::BACKENDS,
            default: "timeout client and timeout server",
            doc: "How long both sides of a tunnel may stay silent: after an upgrade, or CONNECT, and in TCP mode.",
            examples: &["timeout tunnel 1h"],
            parse: |line| set(line, |t| &mut t.tunnel),
            ..TIMEOUT
        },
    ],
    ..Part::NONE
};
