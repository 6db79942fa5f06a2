//! Settings of the `global` section that tune the process (manual 3.2). In: their words.
//! Out: checked words; most have no mechanism here to tune, as their status says.

use std::ops::RangeInclusive;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;

/// `parsing [file:line] : 'keyword' text`
pub fn refuse(line: &Line<'_>, text: &str) -> Diagnostic {
    line.alert(format!("'{}' {text}", line.keyword.name))
}

pub(super) fn flag(line: &mut Line<'_>) -> Parsed {
    line.end()
}

/// A number, read as C's `atol` reads it, and nothing behind it.
fn number(line: &mut Line<'_>, message: &str) -> Result<i64, Diagnostic> {
    let Some(word) = line.word().filter(|word| !word.is_empty()) else {
        return Err(refuse(line, message));
    };
    let value = parse_lenient(word.bytes());
    line.end()?;
    Ok(value)
}

pub(super) fn count(line: &mut Line<'_>) -> Parsed {
    number(line, "expects an integer argument.").map(drop)
}

fn kbps(line: &mut Line<'_>) -> Result<i64, Diagnostic> {
    number(line, "expects an integer argument in kb/s.")
}

/// Kilobytes a second as bytes.
fn compression_rate(line: &mut Line<'_>) -> Parsed {
    let bytes = kbps(line)?.wrapping_mul(1024);
    line.global().compression.rate = bytes as u32;
    Ok(())
}

/// Megabytes as bytes.
fn compression_memory(line: &mut Line<'_>) -> Parsed {
    let bytes = number(line, "expects an integer argument.")?.wrapping_mul(1024 * 1024);
    line.global().compression.memory = u64::from(bytes as u32);
    Ok(())
}

fn within(line: &mut Line<'_>, range: RangeInclusive<i64>, message: &str) -> Parsed {
    ranged(line, range, message).map(drop)
}

fn ranged(
    line: &mut Line<'_>,
    range: RangeInclusive<i64>,
    message: &str,
) -> Result<i64, Diagnostic> {
    let value = line.word().map_or(0, |word| parse_lenient(word.bytes()));
    line.end()?;
    if range.contains(&value) { Ok(value) } else { Err(refuse(line, message)) }
}

fn max_accept(line: &mut Line<'_>) -> Parsed {
    match number(line, "expects an integer argument.")? {
        -1..=0x7fff_ffff => Ok(()),
        _ => Err(refuse(line, "expects -1 or an integer from 0 to INT_MAX.")),
    }
}

fn not_negative(line: &mut Line<'_>) -> Parsed {
    within(line, 0..=i64::MAX, "expects a positive numeric value.")
}

fn pattern_cache(line: &mut Line<'_>) -> Parsed {
    if line.peek().is_none() {
        return Err(refuse(line, "expects a positive numeric value"));
    }
    within(line, 0..=i64::MAX, "expects a positive numeric value")
}

fn compression_cpu(line: &mut Line<'_>) -> Parsed {
    const MESSAGE: &str = "expects an integer argument between 0 and 100.";
    match number(line, MESSAGE)? {
        share @ 0..=100 => line.global().compression.cpu = share as u8,
        _ => return Err(refuse(line, MESSAGE)),
    }
    Ok(())
}

fn percent(line: &mut Line<'_>) -> Parsed {
    const MESSAGE: &str = "expects an integer argument between 0 and 100.";
    match number(line, MESSAGE)? {
        0..=100 => Ok(()),
        _ => Err(refuse(line, MESSAGE)),
    }
}

fn percent_low(line: &mut Line<'_>) -> Parsed {
    percent(line)
}

/// `parsing [file:line]: text`, without the blank before the colon.
fn bare(line: &Line<'_>, text: &str) -> Diagnostic {
    let place = line.last_place();
    Diagnostic::alert(Some(&place), format!("parsing [{place}]: {text}"))
}

fn idle_timer(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(refuse(line, "expects a timer value between 0 and 65535 ms."));
    };
    match parse_time(word.bytes(), TimeUnit::Milliseconds) {
        Ok(time) if time.as_millis() <= 65_535 => line.end(),
        Err(NumberError::Unexpected(c)) => {
            Err(bare(line, &format!("unexpected character '{c}' in argument to <tune.idletimer>.")))
        }
        Err(NumberError::Overflow) => Err(bare(
            line,
            &format!(
                "timer overflow in argument <{word}> to <tune.idletimer>, maximum value is 65535 ms."
            ),
        )),
        _ => Err(refuse(line, "expects a timer value between 0 and 65535 ms.")),
    }
}

fn any_time(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let Some(word) = line.word() else {
        return Err(refuse(line, "expects a time argument"));
    };
    match parse_time(word.bytes(), TimeUnit::Milliseconds) {
        Ok(_) => Ok(()),
        Err(NumberError::Overflow) => Err(line.alert(format!(
            "timer overflow in argument <{word}> to <{name}> (maximum value is 2147483647 ms or ~24.8 days)"
        ))),
        Err(NumberError::Unexpected(c)) => {
            Err(line.alert(format!("unexpected character '{c}' in argument <{word}> to <{name}>")))
        }
    }
}

fn on_off(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|word| word.str()).unwrap_or_default();
    match &*word {
        "on" | "off" => line.end(),
        other => Err(refuse(line, &format!("expects either 'on' or 'off' but got '{other}'."))),
    }
}

fn on_auto_off(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|word| word.str()).unwrap_or_default();
    match &*word {
        "on" | "auto" | "off" => {
            line.global().profiling = Some(word.into_owned());
            line.end()
        }
        other => {
            Err(refuse(line, &format!("expects either 'on', 'auto', or 'off' but got '{other}'.")))
        }
    }
}

pub(super) fn text(line: &mut Line<'_>) -> Parsed {
    if line.word().is_none() {
        return Err(refuse(line, "expects an argument."));
    }
    line.end()
}

/// A number with nothing behind it.
fn lua_number(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let Some(word) = line.word().map(|word| word.str().into_owned()) else {
        let missing = "expects an integer argument (Lua memory size in MB).";
        return match name {
            "tune.lua.maxmem" => Err(line.alert(format!("'{name}' {missing}"))),
            // No digits are 0.
            _ => Ok(()),
        };
    };
    let digits = word.strip_prefix(['+', '-']).unwrap_or(&word);
    match digits.chars().find(|c| !c.is_ascii_digit()) {
        None => line.end(),
        Some(at) if name == "tune.lua.maxmem" => {
            Err(line.alert(format!("{name}: invalid number {word} (error at '{at}')")))
        }
        Some(_) => Err(line.alert(format!("{name}: invalid number"))),
    }
}

const GLOBAL: Keyword = Keyword { sections: Sections::GLOBAL, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "busy-polling",
            negatable: true,
            doc: "Polls without sleeping when there is nothing to do.",
            examples: &["busy-polling"],
            status: Status::NoEffect("threads sleep in epoll until there is work"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "maxcompcpuusage",
            args: "<number>",
            default: "100",
            doc: "CPU use above which compression is lowered, in percent.",
            examples: &["maxcompcpuusage 80"],
            status: Status::Works,
            parse: compression_cpu,
            ..GLOBAL
        },
        Keyword {
            name: "maxcomprate",
            args: "<number>",
            default: "0, which is no limit",
            doc: "Compression input limit of the process, in kilobytes a second.",
            examples: &["maxcomprate 1000"],
            status: Status::Works,
            parse: compression_rate,
            ..GLOBAL
        },
        Keyword {
            name: "maxpipes",
            once: "'maxpipes'",
            args: "<number>",
            doc: "How many pipes splicing may use.",
            examples: &["maxpipes 100"],
            status: Status::NoEffect("splicing needs no pipes of its own"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "maxzlibmem",
            args: "<number>",
            default: "0, which is no limit",
            doc: "Memory compression may use, in megabytes.",
            examples: &["maxzlibmem 50"],
            status: Status::Works,
            parse: compression_memory,
            ..GLOBAL
        },
        Keyword {
            name: "noepoll",
            doc: "Disables epoll.",
            examples: &["noepoll"],
            status: Status::NoEffect("connections are always watched with epoll"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "noevports",
            doc: "Disables event ports.",
            examples: &["noevports"],
            status: Status::NoEffect("connections are always watched with epoll"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "nogetaddrinfo",
            doc: "Disables getaddrinfo.",
            examples: &["nogetaddrinfo"],
            status: Status::NoEffect("names are always resolved with getaddrinfo"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "nokqueue",
            doc: "Disables kqueue.",
            examples: &["nokqueue"],
            status: Status::NoEffect("connections are always watched with epoll"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "nopoll",
            doc: "Disables poll.",
            examples: &["nopoll"],
            status: Status::NoEffect("connections are always watched with epoll"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "noreuseport",
            doc: "Does not bind with SO_REUSEPORT.",
            examples: &["noreuseport"],
            status: Status::Works,
            parse: |line| {
                line.global().no_reuse_port = true;
                line.end()
            },
            ..GLOBAL
        },
        Keyword {
            name: "nosplice",
            doc: "Disables splicing.",
            examples: &["nosplice"],
            status: Status::NoEffect("splicing is used only where it is faster"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "profiling.tasks",
            args: "{ on | auto | off }",
            default: "auto",
            doc: "Measures the CPU time of tasks.",
            examples: &["profiling.tasks on"],
            status: Status::NoEffect("tasks are not profiled"),
            parse: on_auto_off,
            ..GLOBAL
        },
        Keyword {
            name: "tune.buffers.limit",
            args: "<number>",
            default: "0, which is no limit",
            doc: "Buffers at once.",
            examples: &["tune.buffers.limit 100"],
            status: Status::NoEffect("buffers are pooled for each thread and need no such limit"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.buffers.reserve",
            args: "<number>",
            default: "2",
            doc: "Buffers kept for emergencies.",
            examples: &["tune.buffers.reserve 2"],
            status: Status::NoEffect("buffers are pooled for each thread and need no such limit"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.chksize",
            args: "<number>",
            default: "16384",
            doc: "The size of the buffers of checks, in bytes.",
            examples: &["tune.chksize 16384"],
            status: Status::NoEffect("check answers are read into a buffer of their own"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.comp.maxlevel",
            args: "<number>",
            default: "1",
            doc: "The highest compression level.",
            examples: &["tune.comp.maxlevel 1"],
            status: Status::Works,
            parse: |line| {
                let level = ranged(line, 1..=9, "expects a numeric value between 1 and 9")?;
                line.global().compression.level = level as u8;
                Ok(())
            },
            ..GLOBAL
        },
        Keyword {
            name: "tune.fd.edge-triggered",
            args: "{ on | off }",
            default: "off",
            doc: "Edge-triggered polling.",
            examples: &["tune.fd.edge-triggered on"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: on_off,
            ..GLOBAL
        },
        Keyword {
            name: "tune.h2.header-table-size",
            args: "<number>",
            default: "4096",
            doc: "The HTTP/2 header table, in bytes.",
            examples: &["tune.h2.header-table-size 4096"],
            status: Status::Planned,
            parse: |line| {
                within(line, 4096..=65536, "expects a numeric value between 4096 and 65536.")
            },
            ..GLOBAL
        },
        Keyword {
            name: "tune.h2.initial-window-size",
            args: "<number>",
            default: "65535",
            doc: "The HTTP/2 window of a stream, in bytes.",
            examples: &["tune.h2.initial-window-size 65535"],
            status: Status::Planned,
            parse: not_negative,
            ..GLOBAL
        },
        Keyword {
            name: "tune.h2.max-concurrent-streams",
            args: "<number>",
            default: "100",
            doc: "HTTP/2 streams at once on a connection.",
            examples: &["tune.h2.max-concurrent-streams 100"],
            status: Status::Planned,
            parse: not_negative,
            ..GLOBAL
        },
        Keyword {
            name: "tune.h2.max-frame-size",
            args: "<number>",
            default: "16384",
            doc: "The largest HTTP/2 frame, in bytes.",
            examples: &["tune.h2.max-frame-size 16384"],
            status: Status::Planned,
            parse: |line| {
                within(
                    line,
                    16384..=16777215,
                    "expects a numeric value between 16384 and 16777215.",
                )
            },
            ..GLOBAL
        },
        Keyword {
            name: "tune.idle-pool.shared",
            args: "{ on | off }",
            default: "on",
            doc: "Whether threads take idle server connections from each other.",
            examples: &["tune.idle-pool.shared on"],
            status: Status::Works,
            parse: |line| {
                let off = line.words.peek().is_some_and(|word| *word == *"off");
                line.global().separate_pools = off;
                on_off(line)
            },
            ..GLOBAL
        },
        Keyword {
            name: "tune.idletimer",
            args: "<timeout>",
            default: "1000",
            doc: "For how long nothing must pass until a stream counts as idle.",
            examples: &["tune.idletimer 1000"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: idle_timer,
            ..GLOBAL
        },
        Keyword {
            name: "tune.listener.multi-queue",
            args: "{ on | off }",
            default: "on",
            doc: "How accepted connections are handed to threads.",
            examples: &["tune.listener.multi-queue on"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: on_off,
            ..GLOBAL
        },
        Keyword {
            name: "tune.lua.forced-yield",
            args: "<number>",
            default: "10000",
            doc: "Lua instructions between interruptions.",
            examples: &["tune.lua.forced-yield 10000"],
            status: Status::Planned,
            parse: lua_number,
            ..GLOBAL
        },
        Keyword {
            name: "tune.lua.maxmem",
            args: "<megabytes>",
            default: "0, which is no limit",
            doc: "Memory all Lua programs may use.",
            examples: &["tune.lua.maxmem 100"],
            status: Status::Planned,
            parse: lua_number,
            ..GLOBAL
        },
        Keyword {
            name: "tune.lua.service-timeout",
            args: "<timeout>",
            default: "4s",
            doc: "How long a Lua service may run.",
            examples: &["tune.lua.service-timeout 4s"],
            status: Status::Planned,
            parse: any_time,
            ..GLOBAL
        },
        Keyword {
            name: "tune.lua.session-timeout",
            args: "<timeout>",
            default: "4s",
            doc: "How long Lua may run for a session.",
            examples: &["tune.lua.session-timeout 4s"],
            status: Status::Planned,
            parse: any_time,
            ..GLOBAL
        },
        Keyword {
            name: "tune.lua.task-timeout",
            args: "<timeout>",
            default: "no limit",
            doc: "How long a Lua task may run.",
            examples: &["tune.lua.task-timeout 4s"],
            status: Status::Planned,
            parse: any_time,
            ..GLOBAL
        },
        Keyword {
            name: "tune.maxaccept",
            once: "'tune.maxaccept'",
            args: "<number>",
            default: "64",
            doc: "Connections accepted in a row.",
            examples: &["tune.maxaccept 64"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: max_accept,
            ..GLOBAL
        },
        Keyword {
            name: "tune.maxpollevents",
            once: "'tune.maxpollevents'",
            args: "<number>",
            default: "200",
            doc: "Events handled in a row.",
            examples: &["tune.maxpollevents 200"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.pattern.cache-size",
            args: "<number>",
            default: "10000",
            doc: "Remembered pattern matches.",
            examples: &["tune.pattern.cache-size 10000"],
            status: Status::NoEffect("patterns are looked up in trees and automata"),
            parse: pattern_cache,
            ..GLOBAL
        },
        Keyword {
            name: "tune.pipesize",
            args: "<number>",
            doc: "The size of pipes.",
            examples: &["tune.pipesize 65536"],
            status: Status::NoEffect("splicing needs no pipes of its own"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.pool-high-fd-ratio",
            args: "<percent>",
            default: "25",
            doc: "Share of descriptors above which idle connections are closed.",
            examples: &["tune.pool-high-fd-ratio 25"],
            status: Status::NoEffect(
                "idle connections are bounded by pool-max-conn and the process limit",
            ),
            parse: percent_low,
            ..GLOBAL
        },
        Keyword {
            name: "tune.pool-low-fd-ratio",
            args: "<percent>",
            default: "20",
            doc: "Share of descriptors above which idle connections are not kept.",
            examples: &["tune.pool-low-fd-ratio 20"],
            status: Status::NoEffect(
                "idle connections are bounded by pool-max-conn and the process limit",
            ),
            parse: percent_low,
            ..GLOBAL
        },
        Keyword {
            name: "tune.recv_enough",
            args: "<number>",
            doc: "Bytes after which reading stops for now.",
            examples: &["tune.recv_enough 10136"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.runqueue-depth",
            once: "'tune.runqueue-depth'",
            args: "<number>",
            default: "200",
            doc: "Tasks run in a row.",
            examples: &["tune.runqueue-depth 200"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.sched.low-latency",
            args: "{ on | off }",
            default: "off",
            doc: "Interrupts batches for urgent tasks.",
            examples: &["tune.sched.low-latency on"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: on_off,
            ..GLOBAL
        },
        Keyword {
            name: "tune.zlib.memlevel",
            args: "<number>",
            default: "8",
            doc: "zlib's memory level.",
            examples: &["tune.zlib.memlevel 8"],
            status: Status::NoEffect("compressors have the memory they need"),
            parse: |line| within(line, 1..=9, "expects a numeric value between 1 and 9."),
            ..GLOBAL
        },
        Keyword {
            name: "tune.zlib.windowsize",
            args: "<number>",
            default: "15",
            doc: "How far back compression looks: two to the power of this many bytes. What is smaller than 9 means 9.",
            examples: &["tune.zlib.windowsize 15"],
            status: Status::Works,
            parse: |line| {
                let bits = ranged(line, 8..=15, "expects a numeric value between 8 and 15.")?;
                line.global().compression.window = bits as u8;
                Ok(())
            },
            ..GLOBAL
        },
    ],
    ..Part::NONE
};
