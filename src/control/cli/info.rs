//! `show info` (management.txt 9.3): the process in numbers, as lines, typed lines or JSON. The table
//! below is also what the exporter reads.

use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Answer, Command, CommandContext};
use crate::catalog::{Part, Status};
use crate::control::stats::{self, Value};
use crate::flow::threads::Thread;
use crate::state::clock;
use crate::state::counters::ProcessCounters;
use crate::state::world::World;
use crate::version;

/// One line of `show info`; its place in the table is its number.
#[derive(Debug, Clone, Copy)]
pub struct InfoField {
    /// Its name.
    pub name: &'static str,
    /// Origin, nature and scope, one letter each (management.txt 9.2).
    pub tags: &'static str,
    /// What it tells.
    pub description: &'static str,
    /// Takes the value.
    pub give: fn(&Info<'_>) -> Value<'static>,
}

/// The process at one moment.
#[derive(Debug)]
pub struct Info<'a> {
    /// The running configuration.
    pub world: Rc<Arc<World>>,
    /// Numbers of the whole process.
    pub counters: &'a ProcessCounters,
    /// Milliseconds since the process began.
    pub now_ms: u64,
    /// Seconds since the process began.
    pub seconds: u64,
    /// Memory in use, in MiB.
    pub resident_mb: u32,
    /// How many descriptors the process may have.
    pub descriptors: u32,
    /// Sockets that listen, the runtime sockets included.
    pub listeners: u32,
    /// Percent of the time since start that this process did not compute.
    pub idle: u32,
    /// Whether the process stops.
    pub stopping: bool,
}

impl Info<'_> {
    /// Connections that the process serves at once.
    fn maxconn(&self) -> u32 {
        match self.counters.maxconn.load(Relaxed) {
            0 => self.world.global.maxconn,
            set => set,
        }
    }

    /// Now.
    pub fn now(thread: &Thread) -> Info<'_> {
        let world = thread.world();
        let now_ms = clock::now_ms();
        let frontends: usize = world.proxies.iter().map(|p| p.listeners().len()).sum();
        let listeners = (frontends + world.cli.sockets.len()) as u32;
        Info {
            counters: &thread.shared.counters,
            now_ms,
            seconds: now_ms / 1000,
            resident_mb: resident_mb(),
            descriptors: descriptors(),
            listeners,
            idle: idle_percent(now_ms, world.global.threads),
            stopping: thread.stopping.get(),
            world,
        }
    }
}

/// From `/proc/self/statm`, whose second number counts pages of 4 KiB.
fn resident_mb() -> u32 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    (pages / 256) as u32
}

fn descriptors() -> u32 {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(now, _)| u32::try_from(now).unwrap_or(u32::MAX))
}

fn idle_percent(now_ms: u64, threads: usize) -> u32 {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return 100 };
    let milliseconds = |t: nix::sys::time::TimeVal| t.tv_sec() * 1000 + t.tv_usec() / 1000;
    let busy = milliseconds(usage.user_time()) + milliseconds(usage.system_time());
    let whole = (now_ms as i64 * threads as i64).max(1);
    u32::try_from(100 - (busy * 100 / whole).clamp(0, 100)).unwrap_or(0)
}

/// `0d 1h02m03s`
fn uptime(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    format!("{days}d {hours}h{:02}m{:02}s", seconds / 60 % 60, seconds % 60)
}

const fn text(text: &'static str) -> Value<'static> {
    Value::Str(std::borrow::Cow::Borrowed(text))
}

const fn field(
    name: &'static str,
    tags: &'static str,
    description: &'static str,
    give: fn(&Info<'_>) -> Value<'static>,
) -> InfoField {
    InfoField { name, tags, description, give }
}

/// Every field, in its order.
pub const FIELDS: &[InfoField] = &[
    field("Name", "POS", "Product name", |_| text("HAProxy")),
    field("Version", "POS", "Product version", |_| text(version::VERSION)),
    field("Release_date", "POS", "Date of latest source code update", |_| text(version::DATE)),
    field("Nbthread", "CGS", "Number of started threads (global.nbthread)", |i| {
        Value::U32(i.world.global.threads as u32)
    }),
    field("Nbproc", "CGS", "Number of started worker processes (global.nbproc)", |_| Value::U32(1)),
    field("Process_num", "KGP", "Relative worker process number (1..Nbproc)", |_| Value::U32(1)),
    field("Pid", "SGP", "This worker process identifier for the system", |_| {
        Value::U32(std::process::id())
    }),
    field(
        "Uptime",
        "MDP",
        "How long ago this worker process was started (days+hours+minutes+seconds)",
        |i| Value::Str(uptime(i.seconds).into()),
    ),
    field("Uptime_sec", "MDP", "How long ago this worker process was started (seconds)", |i| {
        Value::U32(i.seconds as u32)
    }),
    field(
        "Memmax_MB",
        "CLP",
        "Worker process's hard limit on memory usage in MB (-m on command line)",
        |_| Value::U32(0),
    ),
    field("PoolAlloc_MB", "MGP", "Amount of memory allocated in pools (in MB)", |i| {
        Value::U32(i.resident_mb)
    }),
    field("PoolUsed_MB", "MGP", "Amount of pool memory currently used (in MB)", |i| {
        Value::U32(i.resident_mb)
    }),
    field(
        "PoolFailed",
        "MCP",
        "Number of failed pool allocations since this worker was started",
        |_| Value::U32(0),
    ),
    field("Ulimit-n", "CLP", "Hard limit on the number of per-process file descriptors", |i| {
        Value::U32(i.descriptors)
    }),
    field("Maxsock", "CLP", "Hard limit on the number of per-process sockets", |i| {
        Value::U32(u32::try_from(i.world.global.maxsock).unwrap_or(u32::MAX))
    }),
    field(
        "Maxconn",
        "CLP",
        "Hard limit on the number of per-process connections (configured or imposed by Ulimit-n)",
        |i| Value::U32(i.maxconn()),
    ),
    field(
        "Hard_maxconn",
        "CLP",
        "Hard limit on the number of per-process connections (imposed by Memmax_MB or Ulimit-n)",
        |i| Value::U32(i.world.global.maxconn),
    ),
    field("CurrConns", "MGP", "Current number of connections on this worker process", |i| {
        Value::U32(i.counters.connections.get())
    }),
    field(
        "CumConns",
        "MCP",
        "Total number of connections on this worker process since started",
        |i| Value::U32(i.counters.connections_total.get() as u32),
    ),
    field("CumReq", "MCP", "Total number of requests on this worker process since started", |i| {
        Value::U32(i.counters.requests_total.get() as u32)
    }),
    field(
        "MaxSslConns",
        "CLP",
        "Hard limit on the number of per-process SSL endpoints (front+back), 0=unlimited",
        |_| Value::U32(0),
    ),
    field(
        "CurrSslConns",
        "MGP",
        "Current number of SSL endpoints on this worker process (front+back)",
        |_| Value::U32(0),
    ),
    field(
        "CumSslConns",
        "MCP",
        "Total number of SSL endpoints on this worker process since started (front+back)",
        |_| Value::U32(0),
    ),
    field("Maxpipes", "CLP", "Hard limit on the number of pipes for splicing, 0=unlimited", |_| {
        Value::U32(0)
    }),
    field("PipesUsed", "MGP", "Current number of pipes in use in this worker process", |_| {
        Value::U32(0)
    }),
    field(
        "PipesFree",
        "MGP",
        "Current number of allocated and available pipes in this worker process",
        |_| Value::U32(0),
    ),
    field(
        "ConnRate",
        "MRP",
        "Number of front connections created on this worker process over the last second",
        |i| Value::U32(i.counters.connection_rate.get(i.now_ms)),
    ),
    field("ConnRateLimit", "CLP", "Hard limit for ConnRate (global.maxconnrate)", |i| {
        Value::U32(i.counters.rate_limits.connections.load(Relaxed))
    }),
    field(
        "MaxConnRate",
        "MMP",
        "Highest ConnRate reached on this worker process since started (in connections per second)",
        |i| Value::U32(i.counters.connection_rate.peak()),
    ),
    field(
        "SessRate",
        "MRP",
        "Number of sessions created on this worker process over the last second",
        |i| Value::U32(i.counters.session_rate.get(i.now_ms)),
    ),
    field("SessRateLimit", "CLP", "Hard limit for SessRate (global.maxsessrate)", |i| {
        Value::U32(i.counters.rate_limits.sessions.load(Relaxed))
    }),
    field(
        "MaxSessRate",
        "MRP",
        "Highest SessRate reached on this worker process since started (in sessions per second)",
        |i| Value::U32(i.counters.session_rate.peak()),
    ),
    field(
        "SslRate",
        "MRP",
        "Number of SSL connections created on this worker process over the last second",
        |_| Value::U32(0),
    ),
    field("SslRateLimit", "CLP", "Hard limit for SslRate (global.maxsslrate)", |_| Value::U32(0)),
    field(
        "MaxSslRate",
        "MMP",
        "Highest SslRate reached on this worker process since started (in connections per second)",
        |_| Value::U32(0),
    ),
    field(
        "SslFrontendKeyRate",
        "MGP",
        "Number of SSL keys created on frontends in this worker process over the last second",
        |_| Value::U32(0),
    ),
    field(
        "SslFrontendMaxKeyRate",
        "MMP",
        "Highest SslFrontendKeyRate reached on this worker process since started (in SSL keys per second)",
        |_| Value::U32(0),
    ),
    field(
        "SslFrontendSessionReuse_pct",
        "MGP",
        "Percent of frontend SSL connections which did not require a new key",
        |_| Value::U32(0),
    ),
    field(
        "SslBackendKeyRate",
        "MRP",
        "Number of SSL keys created on backends in this worker process over the last second",
        |_| Value::U32(0),
    ),
    field(
        "SslBackendMaxKeyRate",
        "MMP",
        "Highest SslBackendKeyRate reached on this worker process since started (in SSL keys per second)",
        |_| Value::U32(0),
    ),
    field(
        "SslCacheLookups",
        "MCP",
        "Total number of SSL session ID lookups in the SSL session cache on this worker since started",
        |_| Value::U32(0),
    ),
    field(
        "SslCacheMisses",
        "MCP",
        "Total number of SSL session ID lookups that didn't find a session in the SSL session cache on this worker since started",
        |_| Value::U32(0),
    ),
    field(
        "CompressBpsIn",
        "MRP",
        "Number of bytes submitted to the HTTP compressor in this worker process over the last second",
        |i| Value::U32(i.counters.compression_in.get(i.now_ms)),
    ),
    field(
        "CompressBpsOut",
        "MRP",
        "Number of bytes emitted by the HTTP compressor in this worker process over the last second",
        |i| Value::U32(i.counters.compression_out.get(i.now_ms)),
    ),
    field(
        "CompressBpsRateLim",
        "CLP",
        "Limit of CompressBpsOut beyond which HTTP compression is automatically disabled",
        |i| Value::U32(i.counters.rate_limits.compression.load(Relaxed)),
    ),
    field(
        "ZlibMemUsage",
        "MGP",
        "Amount of memory currently used by HTTP compression on the current worker process (in bytes)",
        |i| Value::U32(i.counters.compression_memory.load(Relaxed) as u32),
    ),
    field(
        "MaxZlibMemUsage",
        "CLP",
        "Limit on the amount of memory used by HTTP compression above which it is automatically disabled (in bytes, see global.maxzlibmem)",
        |i| Value::U32(i.world.global.spec.compression.memory as u32),
    ),
    field(
        "Tasks",
        "MGP",
        "Total number of tasks in the current worker process (active + sleeping)",
        |i| Value::U32(i.counters.connections.get()),
    ),
    field(
        "Run_queue",
        "MGP",
        "Total number of active tasks+tasklets in the current worker process",
        |_| Value::U32(0),
    ),
    field(
        "Idle_pct",
        "MaP",
        "Percentage of last second spent waiting in the current worker thread",
        |i| Value::U32(i.idle),
    ),
    field("node", "COS", "Node name (global.node)", |i| {
        Value::Str(i.world.global.node.clone().into())
    }),
    field("description", "COS", "Node description (global.description)", |i| {
        Value::Str(i.world.global.spec.description.clone().unwrap_or_default().into())
    }),
    field(
        "Stopping",
        "MGP",
        "1 if the worker process is currently stopping, otherwise zero",
        |i| Value::U32(u32::from(i.stopping)),
    ),
    field(
        "Jobs",
        "MGP",
        "Current number of active jobs on the current worker process (frontend connections, master connections, listeners)",
        |i| Value::U32(i.listeners + i.counters.connections.get()),
    ),
    field(
        "Unstoppable Jobs",
        "MGP",
        "Current number of unstoppable jobs on the current worker process (master connections)",
        |_| Value::U32(0),
    ),
    field(
        "Listeners",
        "MGP",
        "Current number of active listeners on the current worker process",
        |i| Value::U32(i.listeners),
    ),
    field(
        "ActivePeers",
        "MGP",
        "Current number of verified active peers connections on the current worker process",
        |_| Value::U32(0),
    ),
    field(
        "ConnectedPeers",
        "MGP",
        "Current number of peers having passed the connection step on the current worker process",
        |_| Value::U32(0),
    ),
    field(
        "DroppedLogs",
        "MGP",
        "Total number of dropped logs for current worker process since started",
        |i| Value::U32(i.counters.dropped_logs.get() as u32),
    ),
    field(
        "BusyPolling",
        "MGP",
        "1 if busy-polling is currently in use on the worker process, otherwise zero (config.busy-polling)",
        |_| Value::U32(0),
    ),
    field(
        "FailedResolutions",
        "MGP",
        "Total number of failed DNS resolutions in current worker process since started",
        |i| Value::U32(i.counters.failed_resolutions.get() as u32),
    ),
    field(
        "TotalBytesOut",
        "MGP",
        "Total number of bytes emitted by current worker process since started",
        |i| Value::U64(i.counters.bytes_out.get()),
    ),
    field(
        "TotalSplicdedBytesOut",
        "MGP",
        "Total number of bytes emitted by current worker process through a kernel pipe since started",
        |_| Value::U64(0),
    ),
    field(
        "BytesOutRate",
        "MRP",
        "Number of bytes emitted by current worker process over the last second",
        |i| Value::U64(u64::from(i.counters.output_rate.get(i.now_ms)) * 32),
    ),
    field(
        "DebugCommandsIssued",
        "MGP",
        "Number of debug commands issued on this process (anything > 0 is unsafe)",
        |_| Value::U32(0),
    ),
    field(
        "CumRecvLogs",
        "MCP",
        "Total number of log messages received by log-forwarding listeners on this worker process since started",
        |i| Value::U32(i.counters.received_logs.get() as u32),
    ),
];

/// How `show info` is written.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    Lines,
    Typed,
    Json,
}

fn show(context: &mut CommandContext<'_>) -> Answer {
    let has = |word: &str| context.args.iter().any(|arg| arg == word);
    let format = match () {
        () if has("json") => Format::Json,
        () if has("typed") => Format::Typed,
        () => Format::Lines,
    };
    Answer::text(dump(&Info::now(context.thread), format, has("desc")))
}

fn dump(info: &Info<'_>, format: Format, described: bool) -> String {
    let mut out = String::new();
    if format == Format::Json {
        out.push('[');
    }
    for (number, field) in FIELDS.iter().enumerate() {
        let value = (field.give)(info);
        let absent = field.name == "description" && value == text("");
        if absent {
            continue;
        }
        match format {
            Format::Lines => {
                let _ = write!(out, "{}: ", field.name);
                stats::write_value(&value, &mut out);
            }
            Format::Typed => {
                let kind = stats::type_word(&value);
                let _ = write!(out, "{number}.{}.1:{}:{kind}:", field.name, field.tags);
                stats::write_value(&value, &mut out);
            }
            Format::Json => {
                if out.len() > 1 {
                    out.push(',');
                }
                let name = field.name;
                let _ = write!(
                    out,
                    "{{\"field\":{{\"pos\":{number},\"name\":\"{name}\"}},\"processNum\":1,"
                );
                stats::write_json(field.tags, &value, &mut out);
                out.push('}');
                continue;
            }
        }
        if described {
            let _ = write!(out, ":\"{}\"", field.description);
        }
        out.push('\n');
    }
    if format == Format::Json {
        out.push_str("]\n");
    }
    out
}

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[Command {
        name: "show info",
        args: "[typed|json] [desc]",
        help: "show info      : report information about the running process [desc|json|typed]*",
        doc: "The process in numbers.",
        examples: &["show info", "show info typed desc", "show info json"],
        status: Status::Works,
        run: show,
        ..Command::NEW
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_counted_in_days() {
        assert_eq!(uptime(0), "0d 0h00m00s");
        assert_eq!(uptime(90_061), "1d 1h01m01s");
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> = FIELDS.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), FIELDS.len());
    }
}
