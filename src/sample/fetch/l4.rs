//! Fetches from the connection (manual 7.3.3).

use std::net::IpAddr;

use crate::catalog::{Fetch, Part, Status};
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext};
use crate::state::clock;
use crate::state::counters::Counters;
use crate::state::world::Proxy;
use crate::sys;

const L4: Fetch = Fetch {
    gives: Type::Ipv4,
    valid: "YYYYYYYYYYYYYYYYYYYY..",
    status: Status::Works,
    ..Fetch::NEW
};

fn unit(args: &mut Arguments) -> Result<(), String> {
    match args.str(0) {
        None | Some(b"" | b"us" | b"ms") => Ok(()),
        Some(other) => {
            Err(format!("expects 'us' or 'ms', got '{}'", String::from_utf8_lossy(other)))
        }
    }
}

/// The frontend named by the argument, or the one the client came in by.
fn frontend<R>(
    context: &SampleContext<'_>,
    args: &Arguments,
    look: impl FnOnce(&Proxy) -> Option<R>,
) -> Option<R> {
    let (world, own, _) = context.place()?;
    match args.str(0).filter(|name| !name.is_empty()) {
        None => look(world.proxies.get(own)?),
        Some(name) => look(world.frontend(std::str::from_utf8(name).ok()?)?),
    }
}

fn of_frontend(
    context: &SampleContext<'_>,
    args: &Arguments,
    take: impl FnOnce(&Counters) -> u32,
) -> Option<Value<'static>> {
    let counted = |p: &Proxy| Some(take(&p.frontend.as_ref()?.state.counters));
    frontend(context, args, counted).map(|n| Value::Int(n.into()))
}

/// The backend at hand: the frontend itself before one is chosen.
fn backend<'a>(context: &SampleContext<'a>) -> Option<&'a Proxy> {
    let stream = context.stream?;
    stream.backend().or(stream.frontend())
}

/// The name of the frontend's default backend.
fn default_backend(context: &SampleContext<'_>, args: &Arguments) -> Option<Value<'static>> {
    let (world, ..) = context.place()?;
    let named = |p: &Proxy| p.frontend.as_ref()?.default_backend.filter(|b| *b != p.index);
    let index = frontend(context, args, named)?;
    Some(Value::string(world.proxies.get(index)?.name.as_str()))
}

/// Whether an address is one of this machine: then a socket can be bound to it.
fn is_local(address: Option<IpAddr>) -> Option<Value<'static>> {
    let address = address?;
    Some(Value::Bool(std::net::UdpSocket::bind((address, 0)).is_ok()))
}

/// A number that the kernel keeps about the client's connection; TCP only.
fn kernel(
    context: &SampleContext<'_>,
    take: impl FnOnce(&sys::TcpInfo) -> u32,
) -> Option<Value<'static>> {
    let info = sys::tcp_info(context.session.fd()).ok()?;
    Some(Value::Int(take(&info).into()))
}

/// A time that the kernel keeps in microseconds, by default in milliseconds.
fn kernel_time(
    context: &SampleContext<'_>,
    args: &Arguments,
    take: impl FnOnce(&sys::TcpInfo) -> u32,
) -> Option<Value<'static>> {
    let unit = if args.str(0) == Some(b"us") { 1 } else { 1_000 };
    kernel(context, |info| take(info) / unit)
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "bc_http_major",
            gives: Type::Int,
            valid: valid::RESPONSE_KEPT,
            doc: "The major HTTP version spoken with the server.",
            examples: &["bc_http_major"],
            status: Status::Works,
            run: |c, _| c.stream?.times.connected.map(|_| Value::Int(1)),
            ..Fetch::NEW
        },
        Fetch {
            name: "be_id",
            gives: Type::Int,
            valid: valid::BACKEND,
            doc: "The number of the current backend.",
            examples: &["be_id"],
            status: Status::Works,
            run: |c, _| Some(Value::Int(backend(c)?.id.into())),
            ..Fetch::NEW
        },
        Fetch {
            name: "be_name",
            gives: Type::Str,
            valid: valid::BACKEND,
            doc: "The name of the current backend.",
            examples: &["be_name"],
            status: Status::Works,
            run: |c, _| Some(Value::text(backend(c)?.name.as_bytes())),
            ..Fetch::NEW
        },
        Fetch {
            name: "dst",
            doc: "The address the client connected to.",
            examples: &["dst"],
            run: |c, _| c.session.destination()?.ip().map(Value::Ip),
            ..L4
        },
        Fetch {
            name: "dst_conn",
            gives: Type::Int,
            valid: valid::CLIENT,
            doc: "Connections on the same listener.",
            examples: &["dst_conn"],
            status: Status::Works,
            run: |c, _| Some(Value::Int(c.session.listener.counters.sessions.get().into())),
            ..Fetch::NEW
        },
        Fetch {
            name: "dst_is_local",
            gives: Type::Bool,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Whether the destination address is one of this machine.",
            examples: &["dst_is_local"],
            status: Status::Works,
            run: |c, _| is_local(c.session.destination()?.ip()),
            ..Fetch::NEW
        },
        Fetch {
            name: "dst_port",
            gives: Type::Int,
            doc: "The port the client connected to.",
            examples: &["dst_port"],
            run: |c, _| c.session.destination()?.port().map(|p| Value::Int(p.into())),
            ..L4
        },
        Fetch {
            name: "fc_fackets",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Forward-acknowledged segments counted by the kernel for the client connection.",
            examples: &["fc_fackets"],
            status: Status::Works,
            run: |c, _| kernel(c, |i| i.fackets),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_http_major",
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "The major HTTP version spoken with the client.",
            examples: &["fc_http_major"],
            status: Status::Works,
            run: |_, _| Some(Value::Int(1)),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_lost",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Lost segments counted by the kernel for the client connection.",
            examples: &["fc_lost"],
            status: Status::Works,
            run: |c, _| kernel(c, |i| i.lost),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_pp_authority",
            gives: Type::Str,
            valid: valid::CLIENT_OR_CHECK,
            doc: "The authority a PROXY protocol header carried.",
            examples: &["fc_pp_authority"],
            status: Status::Works,
            run: |c, _| c.session.proxied.as_ref()?.authority.as_deref().map(Value::text),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_pp_unique_id",
            gives: Type::Str,
            valid: valid::CLIENT_OR_CHECK,
            doc: "The unique id a PROXY protocol header carried.",
            examples: &["fc_pp_unique_id"],
            status: Status::Works,
            run: |c, _| c.session.proxied.as_ref()?.unique_id.as_deref().map(Value::text),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_rcvd_proxy",
            gives: Type::Bool,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Whether the client connection began with a PROXY protocol header.",
            examples: &["fc_rcvd_proxy"],
            status: Status::Works,
            run: |c, _| Some(Value::Bool(c.session.proxied.as_ref().is_some_and(|p| p.proxy))),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_reordering",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "The kernel's reordering measure for the client connection.",
            examples: &["fc_reordering"],
            status: Status::Works,
            run: |c, _| kernel(c, |i| i.reordering),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_retrans",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Retransmitted segments of the client connection.",
            examples: &["fc_retrans"],
            status: Status::Works,
            run: |c, _| kernel(c, |i| i.retrans),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_rtt",
            check: unit,
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Round trip time of the client connection, in ms or us.",
            examples: &["fc_rtt(us)"],
            status: Status::Works,
            run: |c, a| kernel_time(c, a, |i| i.rtt),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_rttvar",
            check: unit,
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Variance of the round trip time, in ms or us.",
            examples: &["fc_rttvar"],
            status: Status::Works,
            run: |c, a| kernel_time(c, a, |i| i.rttvar),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_sacked",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Selectively acknowledged segments of the client connection.",
            examples: &["fc_sacked"],
            status: Status::Works,
            run: |c, _| kernel(c, |i| i.sacked),
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_unacked",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Unacknowledged segments of the client connection.",
            examples: &["fc_unacked"],
            status: Status::Works,
            run: |c, _| kernel(c, |i| i.unacked),
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_conn",
            args: &[ArgType::Frontend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Established connections of a frontend.",
            examples: &["fe_conn(web)"],
            status: Status::Works,
            run: |c, a| of_frontend(c, a, |n| n.sessions.get()),
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_defbe",
            gives: Type::Str,
            valid: valid::CLIENT,
            doc: "The name of the frontend's default backend.",
            examples: &["fe_defbe"],
            status: Status::Works,
            run: default_backend,
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_id",
            gives: Type::Int,
            valid: valid::CLIENT,
            doc: "The number of the current frontend.",
            examples: &["fe_id"],
            status: Status::Works,
            run: |c, a| frontend(c, a, |p| Some(Value::Int(p.id.into()))),
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_name",
            gives: Type::Str,
            valid: valid::CLIENT,
            doc: "The name of the current frontend.",
            examples: &["fe_name"],
            status: Status::Works,
            run: |c, a| frontend(c, a, |p| Some(Value::string(p.name.as_str()))),
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_req_rate",
            args: &[ArgType::Frontend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Requests of a frontend in the last second.",
            examples: &["fe_req_rate(web)"],
            status: Status::Works,
            run: |c, a| of_frontend(c, a, |n| n.request_rate.get(clock::now_ms())),
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_sess_rate",
            args: &[ArgType::Frontend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "New sessions of a frontend in the last second.",
            examples: &["fe_sess_rate(web)"],
            status: Status::Works,
            run: |c, a| of_frontend(c, a, |n| n.session_rate.get(clock::now_ms())),
            ..Fetch::NEW
        },
        Fetch {
            name: "so_id",
            gives: Type::Int,
            valid: valid::CLIENT,
            doc: "The number of the listening socket.",
            examples: &["so_id"],
            status: Status::Works,
            run: |c, _| Some(Value::Int(c.session.listener.id.into())),
            ..Fetch::NEW
        },
        Fetch {
            name: "so_name",
            gives: Type::Str,
            valid: valid::CLIENT,
            doc: "The name of the listening socket.",
            examples: &["so_name"],
            status: Status::Works,
            run: |c, _| {
                let listener = &c.session.listener;
                listener.is_named.then(|| Value::text(listener.name.as_bytes()))
            },
            ..Fetch::NEW
        },
        Fetch {
            name: "src",
            doc: "The client's address.",
            examples: &["src"],
            run: |c, _| c.session.source().ip().map(Value::Ip),
            ..L4
        },
        Fetch {
            name: "src_is_local",
            gives: Type::Bool,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Whether the client's address is one of this machine.",
            examples: &["src_is_local"],
            status: Status::Works,
            run: |c, _| is_local(c.session.source().ip()),
            ..Fetch::NEW
        },
        Fetch {
            name: "src_port",
            gives: Type::Int,
            doc: "The client's port.",
            examples: &["src_port"],
            run: |c, _| c.session.source().port().map(|p| Value::Int(p.into())),
            ..L4
        },
        Fetch {
            name: "srv_id",
            gives: Type::Int,
            valid: valid::SERVER,
            doc: "The number of the chosen server.",
            examples: &["srv_id"],
            status: Status::Works,
            run: |c, _| Some(Value::Int(c.stream?.server()?.id.into())),
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_name",
            gives: Type::Str,
            valid: valid::SERVER,
            doc: "The name of the chosen server.",
            examples: &["srv_name"],
            status: Status::Works,
            run: |c, _| Some(Value::text(c.stream?.server()?.name.as_bytes())),
            ..Fetch::NEW
        },
    ],
    ..Part::NONE
};
