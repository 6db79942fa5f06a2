//! How fast connections are let in (manual 3.2 "maxconnrate", "maxsessrate", 4.2 "rate-limit sessions";
//! management.txt 9.3 "set rate-limit"). In: rates and limits. Out: how long accepting rests; meanwhile
//! connections wait in the kernel's queue.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::diagnostic::Diagnostic;
use crate::config::global::GlobalSpec;
use crate::config::section::Sections;
use crate::control::cli::{Answer, Command, CommandContext, Level};
use crate::flow::listener::limits::integer;
use crate::state::clock;
use crate::state::counters::{ProcessCounters, Rate};
use crate::state::world::FrontendState;

/// `maxconnrate`, `maxsessrate` as written; 0 for none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RatesSpec {
    /// New connections a second.
    pub connections: u32,
    /// New sessions a second.
    pub sessions: u32,
}

/// `rate-limit sessions` and `grace` of a proxy as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PaceSpec {
    /// New sessions a second; 0 for no limit.
    pub sessions: u32,
    /// How long the proxy serves on after a soft stop.
    pub grace: Duration,
}

/// Limits of rates that the runtime socket can change; 0 for none.
#[derive(Debug, Default)]
pub struct RateLimits {
    /// New connections a second.
    pub connections: AtomicU32,
    /// New sessions a second.
    pub sessions: AtomicU32,
    /// Bytes a second that are compressed.
    pub compression: AtomicU32,
}

impl RateLimits {
    /// Takes the limits of a configuration that begins to run.
    pub fn follow(&self, spec: &GlobalSpec) {
        self.connections.store(spec.rates.connections, Relaxed);
        self.sessions.store(spec.rates.sessions, Relaxed);
        self.compression.store(spec.compression.rate, Relaxed);
    }
}

/// How long no connection may be accepted for a frontend now.
pub fn pause(process: &ProcessCounters, frontend: &FrontendState) -> Option<Duration> {
    let limits = [
        (&process.rate_limits.connections, &process.connection_rate),
        (&process.rate_limits.sessions, &process.session_rate),
        (&frontend.rate_limit, &frontend.counters.session_rate),
    ];
    let set = limits.iter().map(|(limit, rate)| (limit.load(Relaxed), rate));
    set.filter(|(limit, _)| *limit > 0)
        .filter_map(|(limit, rate)| over(limit, rate, clock::now_ms()))
        .max()
}

/// How long until another event keeps a rate within its limit.
fn over(limit: u32, rate: &Rate, now_ms: u64) -> Option<Duration> {
    if rate.get(now_ms) < limit {
        return None;
    }
    let within = |ms: &u64| rate.get(now_ms + ms) < limit;
    let ms = (1..=2_000).find(within).unwrap_or(2_000);
    Some(Duration::from_millis(ms))
}

fn per_second(line: &mut Line<'_>) -> Result<u32, Diagnostic> {
    let name = line.keyword.name;
    let word = line.required(&format!("'{name}' expects an integer argument."))?;
    let value = parse_lenient(word.bytes());
    line.end()?;
    Ok(u32::try_from(value.max(0)).unwrap_or(u32::MAX))
}

fn sessions(line: &mut Line<'_>) -> Parsed {
    let limit = integer(line, "expects an integer value (in sessions/second)")?;
    line.proxy().pace.sessions = u32::try_from(limit.max(0)).unwrap_or(u32::MAX);
    Ok(())
}

fn grace(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(line.alert("'grace' expects a time in milliseconds."));
    };
    let time = match parse_time(word.bytes(), TimeUnit::Milliseconds) {
        Ok(time) => time,
        Err(NumberError::Unexpected(c)) => {
            return Err(line.alert(format!("unexpected character '{c}' in grace time.")));
        }
        Err(NumberError::Overflow) => return Err(line.alert(format!(
            "timer overflow in grace time <{word}>, maximum value is 2147483647 ms (~24.8 days)."
        ))),
    };
    line.end()?;
    line.proxy().pace.grace = time;
    let place = line.words.place;
    let text = format!(
        "parsing [{place}]: the 'grace' is deprecated and will be removed in a future version."
    );
    line.diagnostics.push(Diagnostic::warning(Some(place), text));
    Ok(())
}

const SET_USAGE: &str = "'set rate-limit' only supports :
   - 'connections global' to set the per-process maximum connection rate
   - 'sessions global' to set the per-process maximum session rate
   - 'http-compression global' to set the per-process maximum compression speed in kB/s
";

fn set_rate_limit(context: &mut CommandContext<'_>) -> Answer {
    let shared = &context.thread.shared;
    let limits = &shared.counters.rate_limits;
    let limit = match (context.arg(0), context.arg(1)) {
        ("connections", "global") => &limits.connections,
        ("sessions", "global") => &limits.sessions,
        ("http-compression", "global") => &limits.compression,
        _ => return Answer::error(SET_USAGE),
    };
    let word = context.arg(2);
    if word.is_empty() {
        return Answer::error("Expects an integer value.\n");
    }
    let Ok(value) = u32::try_from(parse_lenient(word.as_bytes())) else {
        return Answer::error("Value out of range.\n");
    };
    // Compression is told in kilobytes.
    let unit = if context.arg(0) == "http-compression" { 1024 } else { 1 };
    limit.store(value.wrapping_mul(unit), Relaxed);
    shared.room.notify_waiters();
    Answer::Done
}

const GLOBAL: Keyword =
    Keyword { sections: Sections::GLOBAL, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "grace",
            sections: Sections::PROXIES,
            args: "<time>",
            default: "0",
            doc: "How long the proxy serves on after a soft stop.",
            examples: &["grace 10s"],
            status: Status::Works,
            parse: grace,
            ..Keyword::NEW
        },
        Keyword {
            name: "maxconnrate",
            once: "'maxconnrate'",
            args: "<number>",
            default: "0, which is no limit",
            doc: "New connections a second for the whole process; further ones wait in the kernel's queue.",
            examples: &["maxconnrate 500"],
            parse: |line| per_second(line).map(|n| line.global().rates.connections = n),
            ..GLOBAL
        },
        Keyword {
            name: "maxsessrate",
            once: "'maxsessrate'",
            args: "<number>",
            default: "0, which is no limit",
            doc: "New sessions a second for the whole process; further connections wait in the kernel's queue.",
            examples: &["maxsessrate 500"],
            parse: |line| per_second(line).map(|n| line.global().rates.sessions = n),
            ..GLOBAL
        },
        Keyword {
            name: "rate-limit sessions",
            sections: Sections::FRONTENDS,
            args: "<rate>",
            default: "0, which is no limit",
            doc: "New sessions a second; further connections wait in the kernel's queue.",
            examples: &["rate-limit sessions 100"],
            status: Status::Works,
            parse: sessions,
            ..Keyword::NEW
        },
    ],
    commands: &[Command {
        name: "set rate-limit",
        args: "{ connections | sessions | http-compression } global <value>",
        help: "set rate-limit : change a rate limiting value",
        doc: "How many connections or sessions a second the process lets in, or how many kilobytes a second it compresses; 0 for no limit.",
        examples: &["set rate-limit connections global 500"],
        level: Level::Admin,
        status: Status::Works,
        run: set_rate_limit,
        ..Command::NEW
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepting_rests_until_the_rate_allows_one_more() {
        let rate = Rate::default();
        for _ in 0..5 {
            rate.event(10_000);
        }
        assert_eq!(over(6, &rate, 10_000), None);
        // The five slide out over the second that follows their own.
        assert_eq!(over(5, &rate, 10_900), Some(Duration::from_millis(101)));
        assert_eq!(over(5, &rate, 11_001), None);
    }
}
