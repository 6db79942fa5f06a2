//! What stands between accepting a connection and serving it: `tcp-request connection` rules, the header
//! of the PROXY protocol or of a NetScaler, `tcp-request session` rules (manual 4.2 and 5.1). In: a
//! connection. Out: whether it is served. Frontends without any of these never come here.

use crate::flow::listener::bind::Listener;
use crate::flow::listener::proxy_protocol::{self, Expected, Fault, Header};
use crate::flow::log::date;
use crate::flow::phase::Phase;
use crate::flow::rules::{self, Verdict, track};
use crate::flow::session::{Address, Client, Session};
use crate::flow::transport::buffer::Buffer;
use crate::state::counters::{Counter, Counters};
use crate::state::world::Proxy;
use crate::sys;

/// Whether connections to this listener have something to pass first.
pub fn is_needed(proxy: &Proxy, listener: &Listener) -> bool {
    listener.expected != Expected::default()
        || !proxy.rules.tcp_request_connection.is_empty()
        || !proxy.rules.tcp_request_session.is_empty()
}

/// Passes a connection through its rules and handshakes; says whether it is to be served.
pub async fn run(session: &mut Session, client: &mut Client) -> bool {
    let Some((world, frontend)) = session.view() else { return false };
    let Some(proxy) = world.proxies.get(frontend) else { return false };
    let connection = &proxy.rules.tcp_request_connection;
    let mut expected = session.listener.expected;
    let verdict = rules::run_on_session(connection, session, Phase::Connection, &mut expected);
    if verdict != Verdict::Continue {
        client.socket.reset_on_close();
        refuse(session, client, verdict, |c| &c.denied_connections);
        return false;
    }
    if let Err(fault) = headers(session, client, proxy, expected).await {
        if !bytes(client).is_empty() {
            // What was sent is not taken: the client learns that nobody read it.
            client.socket.reset_on_close();
        }
        log_fault(session, proxy, fault);
        return false;
    }
    session.handshake = session.accepted.elapsed();
    let rules = &proxy.rules.tcp_request_session;
    let verdict = rules::run_on_session(rules, session, Phase::Session, &mut expected);
    if verdict != Verdict::Continue {
        refuse(session, client, verdict, |c| &c.denied_sessions);
        return false;
    }
    track::count_session(session);
    true
}

fn refuse(session: &Session, client: &Client, verdict: Verdict, denied: fn(&Counters) -> &Counter) {
    fn requests(counters: &Counters) -> &Counter {
        &counters.denied_requests
    }
    let mut denied = denied;
    if verdict == Verdict::SilentDrop {
        sys::forget_connection(client.socket.fd());
        denied = requests;
    }
    denied(&session.frontend_state().counters).inc();
    denied(&session.listener.counters).inc();
}

/// Reads the headers that come before the client's own bytes.
async fn headers(
    session: &mut Session,
    client: &mut Client,
    proxy: &Proxy,
    expected: Expected,
) -> Result<(), Fault> {
    let timeout = proxy.timeouts.client;
    if expected.proxy {
        receive(client, timeout).await.map_err(|()| Fault::Late)?;
        let header = proxy_protocol::read(bytes(client))?;
        take_over(session, client, header);
    }
    if expected.netscaler {
        let magic = expected.magic;
        receive(client, timeout).await.map_err(|()| Fault::NetscalerLate)?;
        let header = proxy_protocol::read_netscaler(bytes(client), magic)?;
        take_over(session, client, header);
    }
    client.input.take_if(|input| input.is_empty());
    Ok(())
}

fn bytes(client: &Client) -> &[u8] {
    client.input.as_ref().map_or(&[], Buffer::filled)
}

/// Reads once unless something is here already; an error says that the time is over.
async fn receive(client: &mut Client, timeout: Option<std::time::Duration>) -> Result<(), ()> {
    let input = client.input.get_or_insert_with(Buffer::take);
    if !input.is_empty() {
        return Ok(());
    }
    let (mut reader, _) = client.socket.split();
    // An error is told from an end by nobody: neither brings bytes.
    client.timer.within(timeout, reader.read(input)).await.map(drop).map_err(drop)
}

fn take_over(session: &mut Session, client: &mut Client, header: Header) {
    if let Some(input) = &mut client.input {
        input.consume(header.length);
    }
    if let Some((source, destination)) = header.ends {
        session.set_source(Address::Inet(source));
        session.set_destination(Address::Inet(destination));
    }
    session.proxied = Some(Box::new(header.more));
}

/// A line about a connection that was not served, as HAProxy writes it: only with a log format.
fn log_fault(session: &Session, proxy: &Proxy, fault: Fault) {
    if !proxy.log.has_format() || (proxy.options.dont_log_null && fault.is_null()) {
        return;
    }
    let mut line = match &*session.source() {
        Address::Inet(address) => format!("{}:{}", address.ip(), address.port()),
        Address::Unix(_) => format!("unix:{}", session.listener.id),
    }
    .into_bytes();
    line.extend(b" [");
    date::write_log(&mut line, session.accepted.date());
    let name = match session.listener.is_named {
        true => session.listener.name.clone(),
        false => session.listener.id.to_string(),
    };
    line.extend(format!("] {}/{name}: {}", proxy.name, fault.words()).into_bytes());
    let level = if proxy.options.log_separate_errors { 3 } else { 6 };
    let lost = proxy.log.event(level, &String::from_utf8_lossy(&line));
    session.thread.shared.counters.dropped_logs.add(lost);
}
