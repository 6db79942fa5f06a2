//! A request is about to leave: what it tells the server about its client. `unique-id-header`,
//! `option forwardfor` and `option originalto` (manual 4.2) add their headers.

use std::net::IpAddr;

use crate::flow::http::options::{ForwardFor, HttpOptions};
use crate::flow::http::unique_id;
use crate::flow::session::{Session, Stream};
use crate::sample::pattern::in_network;

/// Last changes to a request before it goes to a server: `unique-id-header`, `option forwardfor`,
/// `option originalto`. Says whether there was room for them.
pub fn add_headers(stream: &mut Stream<'_>) -> bool {
    let fits = unique_id::add_header(stream)
        && add_address(stream, |o| &o.forward_for, |session| session.source().ip());
    // As HAProxy does, the destination only when it is an IPv4 one.
    let destination = |session: &Session| session.destination()?.ip().filter(IpAddr::is_ipv4);
    fits && add_address(stream, |o| &o.original_to, destination)
}

fn add_address(
    stream: &mut Stream<'_>,
    which: impl Fn(&HttpOptions) -> &Option<ForwardFor>,
    address: impl Fn(&Session) -> Option<IpAddr>,
) -> bool {
    let world = stream.world.clone();
    let of = |index: Option<usize>| {
        index.and_then(|i| world.proxies.get(i)).and_then(|p| which(&p.options).as_ref())
    };
    let (frontend, backend) = (of(Some(stream.frontend)), of(stream.backend));
    if let Some(option) = backend.or(frontend)
        && let Some(address) = address(stream.session)
        && wants_forward_for(stream, address, option, frontend)
    {
        let text = address.to_canonical().to_string();
        if !stream.request.has_room(option.header.len() + text.len(), world.global.bufsize) {
            return false;
        }
        stream.request.add(option.header.as_bytes(), text.as_bytes());
    }
    true
}

fn wants_forward_for(
    stream: &Stream<'_>,
    client: IpAddr,
    option: &ForwardFor,
    frontend: Option<&ForwardFor>,
) -> bool {
    let excepted = |o: &ForwardFor| o.except.is_some_and(|network| in_network(client, network));
    let if_none = option.if_none && frontend.is_none_or(|f| f.if_none);
    let there = if_none && stream.request.has(option.header.as_bytes());
    let exempt = excepted(option) || frontend.is_some_and(excepted);
    !(there || exempt)
}
