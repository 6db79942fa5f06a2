//! Converters of the names of backends and servers (manual 7.3.1 "nbsrv", "srv_queue"). In: a name. Out:
//! what is counted there.

use crate::catalog::{Converter, Part, Status};
use crate::sample::SampleContext;
use crate::sample::value::{Type, Value};
use crate::state::world::{Proxy, Server};

/// The name, which ends at a NUL.
fn name<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    let bytes = value.bytes()?;
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    std::str::from_utf8(bytes.get(..end)?).ok()
}

/// How many servers of a backend take traffic now.
pub fn usable(proxy: &Proxy) -> u32 {
    let Some(backend) = &proxy.backend else { return 0 };
    match backend.usable_counts() {
        (0, backups) if proxy.options.all_backups => backups,
        (0, backups) => backups.min(1),
        (active, _) => active,
    }
}

fn count_usable(value: &Value<'_>, context: &SampleContext<'_>) -> Option<Value<'static>> {
    let (world, _) = context.session.view()?;
    let proxy = world.backend(name(value)?)?;
    Some(Value::Int(usable(proxy).into()))
}

/// How many wait for a server: `backend/server`, or a server of the proxy at hand.
fn queue(value: &Value<'_>, context: &SampleContext<'_>) -> Option<Value<'static>> {
    let (world, frontend) = context.session.view()?;
    let at_hand = context.stream.and_then(|s| s.backend).unwrap_or(frontend);
    let name = name(value)?;
    let (proxy, server) = match name.split_once('/') {
        Some((backend, server)) => (world.backend(backend)?, server),
        None => (world.proxies.get(at_hand).filter(|p| p.backend.is_some())?, name),
    };
    let waiting = |s: &Server| i64::from(s.status.counters.queued.get());
    proxy.servers().iter().find(|s| s.name == server).map(|s| Value::Int(waiting(s)))
}

const NAME: Converter =
    Converter { takes: Type::Str, gives: Type::Int, status: Status::Works, ..Converter::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "nbsrv",
            doc: "Usable servers of the backend of this name.",
            examples: &[("str(app),nbsrv", "")],
            run: |value, context, _| count_usable(&value, context),
            ..NAME
        },
        Converter {
            name: "srv_queue",
            doc: "The queue of the server of this name.",
            examples: &[("str(app/s1),srv_queue", "")],
            run: |value, context, _| queue(&value, context),
            ..NAME
        },
    ],
    ..Part::NONE
};
