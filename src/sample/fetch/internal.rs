//! Fetches from the program's own state (manual 7.3.2).

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::catalog::{Fetch, Part, Status};
use crate::flow::balance::candidates;
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext, vars};
use crate::state::clock;
use crate::state::world::{Backend, Proxy, Server};

fn variable_name(args: &mut Arguments) -> Result<(), String> {
    let name = args.str(0).unwrap_or_default();
    vars::check_name(name).map_err(|e| e.replace("{name}", &String::from_utf8_lossy(name)))
}

/// The proxy named by the first argument, or the proxy at hand, with its servers.
fn backend<R>(
    context: &SampleContext<'_>,
    args: &Arguments,
    look: impl FnOnce(&Proxy, &Backend) -> R,
) -> Option<R> {
    let (world, frontend, chosen) = context.place()?;
    let own = || world.proxies.get(chosen.unwrap_or(frontend));
    let proxy = match args.str(0).filter(|name| !name.is_empty()) {
        None => own()?,
        Some(name) => world.backend(std::str::from_utf8(name).ok()?)?,
    };
    Some(look(proxy, proxy.backend.as_ref()?))
}

fn of_backend(
    context: &SampleContext<'_>,
    args: &Arguments,
    take: impl FnOnce(&Proxy, &Backend) -> i64,
) -> Option<Value<'static>> {
    backend(context, args, take).map(Value::Int)
}

/// The server named by the first argument, `backend/server` or one of the backend at hand.
fn of_server(
    context: &SampleContext<'_>,
    args: &Arguments,
    take: impl FnOnce(&Server) -> i64,
) -> Option<Value<'static>> {
    let name = std::str::from_utf8(args.str(0)?).ok()?;
    let (world, frontend, chosen) = context.place()?;
    let (proxy, name) = match name.split_once('/') {
        Some((proxy, name)) => (world.backend(proxy)?, name),
        None => (world.proxies.get(chosen.unwrap_or(frontend))?, name),
    };
    proxy.servers().iter().find(|s| s.name == name).map(|server| Value::Int(take(server)))
}

fn usable(proxy: &Proxy, backend: &Backend) -> i64 {
    candidates(&backend.servers, proxy.options.all_backups).count() as i64
}

/// Requests in all queues for each usable server, rounded up; twice as many when there is none.
fn average_queue(proxy: &Proxy, backend: &Backend) -> i64 {
    let queued = i64::from(backend.state.counters.queued.get());
    match usable(proxy, backend) {
        0 => queued * 2,
        servers => (queued + servers - 1) / servers,
    }
}

fn limit(server: &Server) -> i64 {
    i64::from(server.status.maxconn.load(Relaxed))
}

/// Free connections of one server; -1 without a limit.
fn free(server: &Server) -> i64 {
    match limit(server) {
        0 => -1,
        limit => (limit - i64::from(server.status.counters.sessions.get())).max(0),
    }
}

fn free_of_all(proxy: &Proxy, backend: &Backend) -> i64 {
    let each: Vec<_> = candidates(&backend.servers, proxy.options.all_backups).map(free).collect();
    if each.contains(&-1) { -1 } else { each.iter().sum() }
}

/// Free connections and places in queues; -1 when a server has no limit of either.
fn slots(_: &Proxy, backend: &Backend) -> i64 {
    let up = backend.servers.iter().filter(|s| s.status.is_up());
    let each: Vec<_> = up
        .map(|server| {
            let counters = &server.status.counters;
            let unlimited = limit(server) == 0 || server.maxqueue == 0;
            let queue = i64::from(server.maxqueue) - i64::from(counters.queued.get());
            (!unlimited).then(|| limit(server) - i64::from(counters.sessions.get()) + queue)
        })
        .collect();
    each.into_iter().sum::<Option<i64>>().unwrap_or(-1)
}

fn check_date(args: &mut Arguments) -> Result<(), String> {
    match args.str(1) {
        None | Some(b"" | b"s" | b"ms" | b"us") => Ok(()),
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            Err(format!("expects 's', 'ms' or 'us', got '{other}'"))
        }
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn date(args: &Arguments) -> i64 {
    let now = since_1970();
    let number = match args.str(1) {
        Some(b"ms") => now.as_millis() as i64,
        Some(b"us") => now.as_micros() as i64,
        _ => now.as_secs() as i64,
    };
    number + args.int(0).unwrap_or(0)
}

fn random() -> u64 {
    RandomState::new().hash_one(0)
}

/// `rand(limit)`: a number below the limit, or any of 32 bits.
fn rand(args: &Arguments) -> i64 {
    let any = random() & u64::from(u32::MAX);
    match args.int(0).and_then(|limit| u64::try_from(limit).ok()) {
        None | Some(0) => any as i64,
        Some(limit) => ((any * limit) >> 32) as i64,
    }
}

fn check_uuid(args: &mut Arguments) -> Result<(), String> {
    match args.int(0) {
        None | Some(4) => Ok(()),
        Some(_) => Err("Unsupported UUID version: '1' expected '4'".to_owned()),
    }
}

/// RFC 9562 5.4.
fn uuid() -> String {
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff,
    )
}

fn environment(context: &SampleContext<'_>, args: &Arguments) -> Option<Value<'static>> {
    let name = std::str::from_utf8(args.str(0)?).ok()?;
    let (world, ..) = context.place()?;
    world.environment.value(name).map(Value::string)
}

/// What profiling would count: it is off in HAProxy too unless asked for.
const PROFILING: Status =
    Status::NoEffect("runs of tasks are not measured: tokio schedules them, and 0 is given");

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "always_false",
            gives: Type::Bool,
            valid: "YYYYYYYYYYYYYYYYYYYYYY",
            doc: "Always false.",
            examples: &["always_false"],
            status: Status::Works,
            run: |_, _| Some(Value::Bool(false)),
            ..Fetch::NEW
        },
        Fetch {
            name: "always_true",
            gives: Type::Bool,
            valid: "YYYYYYYYYYYYYYYYYYYYYY",
            doc: "Always true.",
            examples: &["always_true"],
            status: Status::Works,
            run: |_, _| Some(Value::Bool(true)),
            ..Fetch::NEW
        },
        Fetch {
            name: "avg_queue",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Queued connections of a backend divided by its usable servers.",
            examples: &["avg_queue(app)"],
            status: Status::Works,
            run: |c, a| of_backend(c, a, average_queue),
            ..Fetch::NEW
        },
        Fetch {
            name: "be_conn",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Established connections of a backend.",
            examples: &["be_conn(app)"],
            status: Status::Works,
            run: |c, a| of_backend(c, a, |_, b| b.state.counters.sessions.get().into()),
            ..Fetch::NEW
        },
        Fetch {
            name: "be_conn_free",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Connections a backend could still take on its usable servers.",
            examples: &["be_conn_free(app)"],
            status: Status::Works,
            run: |c, a| of_backend(c, a, free_of_all),
            ..Fetch::NEW
        },
        Fetch {
            name: "be_sess_rate",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "New sessions of a backend in the last second.",
            examples: &["be_sess_rate(app)"],
            status: Status::Works,
            run: |c, a| {
                of_backend(c, a, |_, b| b.state.counters.session_rate.get(clock::now_ms()).into())
            },
            ..Fetch::NEW
        },
        Fetch {
            name: "connslots",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Free connection and queue slots of all usable servers of a backend.",
            examples: &["connslots(app)"],
            status: Status::Works,
            run: |c, a| of_backend(c, a, slots),
            ..Fetch::NEW
        },
        Fetch {
            name: "cpu_calls",
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "How often the stream's task has run.",
            examples: &["cpu_calls"],
            status: PROFILING,
            run: |_, _| Some(Value::Int(0)),
            ..Fetch::NEW
        },
        Fetch {
            name: "cpu_ns_avg",
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Average CPU time of one run of the stream's task, in nanoseconds.",
            examples: &["cpu_ns_avg"],
            status: PROFILING,
            run: |_, _| Some(Value::Int(0)),
            ..Fetch::NEW
        },
        Fetch {
            name: "cpu_ns_tot",
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "CPU time the stream has used, in nanoseconds.",
            examples: &["cpu_ns_tot"],
            status: PROFILING,
            run: |_, _| Some(Value::Int(0)),
            ..Fetch::NEW
        },
        Fetch {
            name: "date",
            args: &[ArgType::Int, ArgType::Str],
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "The current time since the epoch, with an offset and a unit (s, ms, us).",
            examples: &["date(0)"],
            status: Status::Works,
            check: check_date,
            run: |_, a| Some(Value::Int(date(a))),
            ..Fetch::NEW
        },
        Fetch {
            name: "date_us",
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "The microseconds of the current time.",
            examples: &["date_us"],
            status: Status::Works,
            run: |_, _| Some(Value::Int(since_1970().subsec_micros().into())),
            ..Fetch::NEW
        },
        Fetch {
            name: "env",
            args: &[ArgType::Str],
            required: 1,
            gives: Type::Str,
            valid: valid::ANYWHERE,
            doc: "The value of an environment variable.",
            examples: &["env(HOME)"],
            status: Status::Works,
            run: environment,
            ..Fetch::NEW
        },
        Fetch {
            name: "hostname",
            gives: Type::Str,
            valid: valid::ANYWHERE,
            doc: "The name of this machine.",
            examples: &["hostname"],
            status: Status::Works,
            run: |_, _| Some(Value::string(nix::unistd::gethostname().ok()?.into_encoded_bytes())),
            ..Fetch::NEW
        },
        Fetch {
            name: "lat_ns_avg",
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Average scheduling delay of the stream's task, in nanoseconds.",
            examples: &["lat_ns_avg"],
            status: PROFILING,
            run: |_, _| Some(Value::Int(0)),
            ..Fetch::NEW
        },
        Fetch {
            name: "lat_ns_tot",
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Summed scheduling delay of the stream's task, in nanoseconds.",
            examples: &["lat_ns_tot"],
            status: PROFILING,
            run: |_, _| Some(Value::Int(0)),
            ..Fetch::NEW
        },
        Fetch {
            name: "nbproc",
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "The number of processes.",
            examples: &["nbproc"],
            status: Status::Works,
            run: |_, _| Some(Value::Int(1)),
            ..Fetch::NEW
        },
        Fetch {
            name: "nbsrv",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Usable servers of a backend.",
            examples: &["nbsrv(app)"],
            status: Status::Works,
            run: |c, a| of_backend(c, a, usable),
            ..Fetch::NEW
        },
        Fetch {
            name: "proc",
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "The number of the current process.",
            examples: &["proc"],
            status: Status::Works,
            run: |_, _| Some(Value::Int(1)),
            ..Fetch::NEW
        },
        Fetch {
            name: "queue",
            args: &[ArgType::Backend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Queued connections of a backend and its servers.",
            examples: &["queue(app)"],
            status: Status::Works,
            run: |c, a| of_backend(c, a, |_, b| b.state.counters.queued.get().into()),
            ..Fetch::NEW
        },
        Fetch {
            name: "rand",
            args: &[ArgType::Int],
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "A random integer below the given limit.",
            examples: &["rand"],
            status: Status::Works,
            run: |_, a| Some(Value::Int(rand(a))),
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_conn",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Connections on a server.",
            examples: &["srv_conn(app/s1)"],
            status: Status::Works,
            run: |c, a| of_server(c, a, |s| s.status.counters.sessions.get().into()),
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_conn_free",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Connections a server could still take.",
            examples: &["srv_conn_free(app/s1)"],
            status: Status::Works,
            run: |c, a| of_server(c, a, free),
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_is_up",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Bool,
            valid: valid::INTERNAL,
            doc: "Whether a server is up.",
            examples: &["srv_is_up(app/s1)"],
            status: Status::Works,
            run: |c, a| of_server(c, a, |s| s.status.accepts_persistent().into())?.cast(Type::Bool),
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_iweight",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "A server's weight as configured.",
            examples: &["srv_iweight(app/s1)"],
            status: Status::Works,
            run: |c, a| of_server(c, a, |s| s.spec.weight.unwrap_or(1).into()),
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_queue",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Connections waiting for a server.",
            examples: &["srv_queue(app/s1)"],
            status: Status::Works,
            run: |c, a| of_server(c, a, |s| s.status.counters.queued.get().into()),
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_sess_rate",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "New sessions of a server in the last second.",
            examples: &["srv_sess_rate(app/s1)"],
            status: Status::Works,
            run: |c, a| {
                of_server(c, a, |s| s.status.counters.session_rate.get(clock::now_ms()).into())
            },
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_uweight",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "A server's weight as set at run time.",
            examples: &["srv_uweight(app/s1)"],
            status: Status::Works,
            run: |c, a| of_server(c, a, |s| s.status.weight().into()),
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_weight",
            args: &[ArgType::Server],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "A server's effective weight.",
            examples: &["srv_weight(app/s1)"],
            status: Status::Works,
            run: |c, a| of_server(c, a, |s| s.status.weight().into()),
            ..Fetch::NEW
        },
        Fetch {
            name: "stopping",
            gives: Type::Bool,
            valid: valid::INTERNAL,
            doc: "Whether the process is stopping.",
            examples: &["stopping"],
            status: Status::Works,
            run: |c, _| Some(Value::Bool(c.session.thread.stopping.get())),
            ..Fetch::NEW
        },
        Fetch {
            name: "thread",
            gives: Type::Int,
            valid: valid::ANYWHERE,
            doc: "The number of the current thread.",
            examples: &["thread"],
            status: Status::Works,
            run: |c, _| Some(Value::Int(c.session.thread.index as i64)),
            ..Fetch::NEW
        },
        Fetch {
            name: "uuid",
            args: &[ArgType::Int],
            gives: Type::Str,
            valid: valid::ANYWHERE,
            doc: "A new random UUID.",
            examples: &["uuid(4)"],
            status: Status::Works,
            check: check_uuid,
            run: |_, _| Some(Value::string(uuid())),
            ..Fetch::NEW
        },
        Fetch {
            name: "var",
            args: &[ArgType::Str],
            check: variable_name,
            required: 1,
            gives: Type::Any,
            valid: valid::ANYWHERE,
            doc: "The value of a variable.",
            examples: &["var(txn.x)"],
            status: Status::Works,
            run: |context, args| vars::get(context, args.str(0)?),
            ..Fetch::NEW
        },
    ],
    ..Part::NONE
};
