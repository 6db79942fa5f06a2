//! A server for a request, and a connection to it: balancing, the queue, retries and redispatch
//! (manual 4.2 "retries", "option redispatch"; 5.2 "maxconn").

use std::time::Duration;

use crate::check::observe::Event;
use crate::config::compile::ELSEWHERE;
use crate::flow::http::message::Version;
use crate::flow::http::options::Reuse;
use crate::flow::server::retry::RetryOn;
use crate::flow::server::{connect, own_links, persist};
use crate::flow::session::Stream;
use crate::flow::session::exchange::Ending;
use crate::flow::session::outcome::{When, Who};
use crate::flow::threads::View;
use crate::flow::transport::socket::Socket;
use crate::flow::transport::timer::Timer;
use crate::state::server_change::ServerChange;
use crate::state::world::{Backend, Proxy, Server};

/// A connection to a server, with the session slot it occupies there.
#[derive(Debug)]
pub struct Link {
    /// The connection.
    pub socket: Socket,
    /// The server's session.
    pub slot: Slot,
    /// Whether the connection has served a request before.
    pub reused: bool,
}

/// A session of a server, counted against its `maxconn`; dropping it frees it for the queue.
#[derive(Debug)]
pub struct Slot {
    world: View,
    backend: usize,
    server: usize,
}

impl Slot {
    /// The server.
    pub fn server(&self) -> Option<&Server> {
        let backend = self.backend()?;
        match self.server {
            ELSEWHERE => backend.elsewhere.as_deref(),
            index => backend.servers.get(index),
        }
    }

    /// The server's proxy.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.world.proxies.get(self.backend)
    }

    fn backend(&self) -> Option<&Backend> {
        self.proxy()?.backend.as_ref()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some((backend, server)) = self.backend().zip(self.server()) else { return };
        if self.server != ELSEWHERE {
            backend.balancer.left(&backend.servers, self.server);
        }
        server.pool.end_use();
        let sessions = &server.status.counters.sessions;
        sessions.leave();
        fill(backend, server);
    }
}

/// Gives a server's free slots to requests that wait for it, or for any server; says how many.
pub fn fill(backend: &Backend, server: &Server) -> u32 {
    let sessions = &server.status.counters.sessions;
    let mut given = 0;
    while !(server.queue.is_empty() && backend.queue.is_empty()) {
        let limit = server.limit();
        let limit = if limit == 0 { u32::MAX } else { limit };
        if !server.status.accepts_persistent() || !sessions.enter_below(limit) {
            break;
        }
        let shared = server.status.is_usable() && !server.queue.comes_before(&backend.queue);
        let taken = shared && backend.queue.give(server.index)
            || server.queue.give(server.index)
            || server.status.is_usable() && backend.queue.give(server.index);
        if !taken {
            sessions.leave();
            break;
        }
        given += 1;
    }
    given
}

/// Waits at most this long before the same server is tried again (HAProxy's turn-around).
const TURN_AROUND: Duration = Duration::from_secs(1);

/// Chooses a server and connects to it, as often as `retries` allows. `fresh` asks for a connection
/// that has served nothing yet.
pub async fn connect(
    stream: &mut Stream<'_>,
    timer: &mut Timer,
    fresh: bool,
) -> Result<Link, Ending> {
    let world = stream.world.clone();
    let unavailable = Ending::page(503, Who::Server, When::Connect).keeping();
    let proxy = stream.backend.and_then(|b| world.proxies.get(b)).ok_or(unavailable)?;
    let backend = proxy.backend.as_ref().ok_or(unavailable)?;
    let slot = assign(stream, timer, backend, None).await?;
    connect_from(stream, timer, (proxy, backend), slot, fresh).await
}

/// Connects anew after a failed response: to the same server, or to another one where `option redispatch`
/// lets it.
pub async fn again(stream: &mut Stream<'_>, timer: &mut Timer, link: Link) -> Result<Link, Ending> {
    let world = stream.world.clone();
    let unavailable = Ending::page(503, Who::Server, When::Connect).keeping();
    let proxy = stream.backend.and_then(|b| world.proxies.get(b)).ok_or(unavailable)?;
    let backend = proxy.backend.as_ref().ok_or(unavailable)?;
    let Link { socket, mut slot, .. } = link;
    socket.reset_on_close();
    drop(socket);
    stream.server_disconnected();
    let server = slot.server().ok_or(unavailable)?;
    stream.retries += 1;
    let count_retry = |server: &Server| {
        server.status.counters.retries.inc();
        backend.state.counters.retries.inc();
    };
    count_retry(server);
    let last = server.index;
    if redispatches(stream, backend, server, proxy.retries) {
        drop(slot);
        persist::unbind(stream);
        slot = assign(stream, timer, backend, Some(last)).await?;
        if slot.server().is_some_and(|s| s.index != last) {
            count_redispatch(stream, backend, last);
        }
    } else {
        // HAProxy counts it once more when it stays with the server.
        count_retry(server);
        server.status.counters.sessions_total.inc();
    }
    connect_from(stream, timer, (proxy, backend), slot, true).await
}

/// Connects to the server of a slot, or of another one while attempts fail.
async fn connect_from(
    stream: &mut Stream<'_>,
    timer: &mut Timer,
    (proxy, backend): (&Proxy, &Backend),
    mut slot: Slot,
    fresh: bool,
) -> Result<Link, Ending> {
    let unavailable = Ending::page(503, Who::Server, When::Connect).keeping();
    let mut failed: Option<usize> = None;
    loop {
        let server = slot.server().ok_or(unavailable)?;
        if stream.times.queued.is_none() {
            stream.times.queued = Some(stream.times.elapsed());
        }
        if let Some(prefix) = &server.spec.redir
            && matches!(stream.request.method(), b"GET" | b"HEAD")
        {
            return Err(redirect(stream, prefix));
        }
        if !fresh && let Some(socket) = idle(stream, server) {
            count_reuse(backend, server);
            stream.times.connected = Some(stream.times.elapsed());
            stream.server_connected(socket.fd());
            return Ok(Link { socket, slot, reused: true });
        }
        count_connect(backend, server);
        let attempt = timer.within(proxy.timeouts.connect, connect::connect(server, stream)).await;
        let (who, pause) = match attempt {
            Ok(Ok(socket)) => {
                observe(proxy, server, Event::Connected);
                stream.times.connected = Some(stream.times.elapsed());
                stream.server_connected(socket.fd());
                return Ok(Link { socket, slot, reused: false });
            }
            Ok(Err(error)) => {
                tracing::debug!(server = %server.name, %error, "cannot connect");
                (Who::Server, TURN_AROUND.min(proxy.timeouts.connect.unwrap_or(TURN_AROUND)))
            }
            Err(_) => (Who::ServerTimeout, Duration::ZERO),
        };
        if let Some(server) = slot.server() {
            observe(proxy, server, Event::NotConnected);
        }
        if stream.retries >= proxy.retries || !proxy.options.retry_on.has(RetryOn::CONNECTION) {
            server.status.counters.failed_connections.inc();
            backend.state.counters.failed_connections.inc();
            return Err(Ending::page(503, who, When::Connect).keeping());
        }
        stream.retries += 1;
        let last = server.index;
        if redispatches(stream, backend, server, proxy.retries) {
            failed = Some(last);
            drop(slot);
            persist::unbind(stream);
            slot = assign(stream, timer, backend, failed).await?;
            if slot.server().is_some_and(|s| s.index != last) {
                count_redispatch(stream, backend, last);
                continue;
            }
            // There is no other one.
        }
        let server = slot.server().ok_or(unavailable)?;
        server.status.counters.retries.inc();
        backend.state.counters.retries.inc();
        tokio::time::sleep(pause).await;
        if server.status.accepts_persistent() || persist::bound(stream) == Some(server.index) {
            server.status.counters.sessions_total.inc();
        } else {
            drop(slot);
            slot = assign(stream, timer, backend, failed).await?;
        }
    }
}

/// Tells whoever observes the server.
fn observe(proxy: &Proxy, server: &Server, event: Event) {
    if server.observe.is_some() {
        ServerChange::new(proxy, server).observe(event);
    }
}

/// `redir`: the client is sent to the server.
fn redirect(stream: &mut Stream<'_>, prefix: &[u8]) -> Ending {
    let path = stream.request.path_and_query().unwrap_or_default();
    let location = [prefix, path].concat();
    let response = &mut stream.response;
    response.clear();
    response.set_status_line(Version::HTTP_11, 302, b"Found");
    response.add(b"cache-control", b"no-cache");
    response.add(b"content-length", b"0");
    response.add(b"location", &location);
    stream.reply_body.clear();
    // Counted with its `connection: close`.
    stream.bytes_out += 15;
    Ending::answered(Who::Local, When::Connect)
}

/// Another server is tried than the one before.
fn count_redispatch(stream: &mut Stream<'_>, backend: &Backend, left: usize) {
    if let Some(left) = backend.servers.get(left) {
        left.status.counters.redispatches.inc();
    }
    backend.state.counters.redispatches.inc();
    stream.redispatched = true;
    persist::lost_server(stream);
}

/// Whether this retry goes to another server: each so many retries, a negative interval counts from the
/// last one. `force-persist` stays (manual 4.2 "option redispatch").
fn redispatches(stream: &Stream<'_>, backend: &Backend, server: &Server, retries: u32) -> bool {
    if backend.redispatch == 0
        || server.index == ELSEWHERE
        || stream.persisted.as_ref().is_some_and(|p| p.force)
    {
        return false;
    }
    if !server.status.is_up() || server.status.in_maintenance() {
        return true;
    }
    // Where it makes no difference which server it is, there is no need to wait for the first one.
    let any_does = matches!(backend.algorithm, "roundrobin" | "static-rr" | "random");
    let usable = || backend.servers.iter().filter(|s| !s.backup && s.status.is_usable()).count();
    if any_does && persist::bound(stream).is_none() && usable() > 1 {
        return true;
    }
    let (retries, this) = (i64::from(retries), i64::from(stream.retries));
    match i64::from(backend.redispatch) {
        every if every > 0 => this % every == 0,
        from_first => this % (retries + 1 + from_first).max(1) == 0,
    }
}

/// An idle connection that this request may use (manual 4.2 "http-reuse").
fn idle(stream: &Stream<'_>, server: &Server) -> Option<Socket> {
    if own_links::is_own(stream, server) {
        return stream.session.own_links.take(server);
    }
    let first = stream.session.requests.get() == 0;
    let proven_only = match stream.backend()?.options.reuse {
        Reuse::Never => return None,
        Reuse::Safe if first => return None,
        Reuse::Aggressive if first => true,
        Reuse::Safe | Reuse::Aggressive | Reuse::Always => false,
    };
    let least = match stream.world.global.spec.separate_pools {
        true => u32::MAX,
        false => server.spec.pool_low_conn,
    };
    server.pool.take(stream.session.thread.index, proven_only, least)
}

fn count_reuse(backend: &Backend, server: &Server) {
    server.status.counters.reuses.inc();
    backend.state.counters.reuses.inc();
}

/// Counts an attempt to connect.
fn count_connect(backend: &Backend, server: &Server) {
    server.status.counters.connects.inc();
    backend.state.counters.connects.inc();
}

/// Chooses a server and takes a slot there, waiting in the queue if all are full.
async fn assign(
    stream: &mut Stream<'_>,
    timer: &mut Timer,
    backend: &Backend,
    avoid: Option<usize>,
) -> Result<Slot, Ending> {
    loop {
        if let Some(server) = persist::bound(stream).and_then(|i| backend.servers.get(i)) {
            match enter_bound(stream, timer, backend, server).await? {
                Some(slot) => return Ok(slot),
                None => continue,
            }
        }
        if let Some(elsewhere) = &backend.elsewhere {
            elsewhere.status.counters.sessions.enter();
            elsewhere.pool.begin_use();
            let (world, backend) = (stream.world.clone(), stream.backend.unwrap_or_default());
            return Ok(Slot { world, backend, server: ELSEWHERE });
        }
        let preferred = match avoid {
            None => stream.backend().and_then(|p| own_links::preferred(stream, p, backend)),
            Some(_) => None,
        };
        let picked = preferred.or_else(|| backend.balancer.pick(&backend.servers, stream, avoid));
        let Some(server) = picked.and_then(|i| backend.servers.get(i)) else {
            return wait_for_any(stream, timer, backend).await;
        };
        let limit = server.limit();
        let sessions = &server.status.counters.sessions;
        if limit == 0 {
            sessions.enter();
            return Ok(take(stream, backend, server));
        }
        if server.queue.is_empty() && sessions.enter_below(limit) {
            return Ok(take(stream, backend, server));
        }
        if server.maxqueue > 0 && server.status.counters.queued.get() >= server.maxqueue {
            return wait_for_any(stream, timer, backend).await;
        }
        if !server.has_room() {
            return wait_for(stream, timer, backend, server).await;
        }
    }
}

/// Takes a slot of the server that the stream is bound to, or waits in its queue. When that is full too,
/// `option redispatch` lets the stream go: `None`.
async fn enter_bound(
    stream: &mut Stream<'_>,
    timer: &mut Timer,
    backend: &Backend,
    server: &Server,
) -> Result<Option<Slot>, Ending> {
    let limit = server.limit();
    let counters = &server.status.counters;
    if limit == 0 {
        counters.sessions.enter();
        return Ok(Some(take(stream, backend, server)));
    }
    if server.queue.is_empty() && counters.sessions.enter_below(limit) {
        return Ok(Some(take(stream, backend, server)));
    }
    if server.maxqueue == 0 || counters.queued.get() < server.maxqueue {
        return wait_for(stream, timer, backend, server).await.map(Some);
    }
    let forced = stream.persisted.as_ref().is_some_and(|p| p.force);
    if backend.redispatch != 0 && !forced {
        persist::unbind(stream);
        return Ok(None);
    }
    counters.failed_connections.inc();
    backend.state.counters.failed_connections.inc();
    Err(Ending::page(503, Who::Server, When::Queue).keeping())
}

/// Waits until some server of the backend has a free slot; none can come when none is usable.
async fn wait_for_any(
    stream: &mut Stream<'_>,
    timer: &mut Timer,
    backend: &Backend,
) -> Result<Slot, Ending> {
    if !backend.servers.iter().any(|s| s.status.is_usable()) {
        backend.state.counters.failed_connections.inc();
        return Err(Ending::page(503, Who::Server, When::Connect).keeping());
    }
    stream.queue_position.1 = backend.state.counters.queued.get();
    let waiting = Waiting::begin([&backend.state.counters.queued].into_iter());
    let given = backend.queue.join(stream.priority);
    // A slot may have been freed before this request joined.
    for server in &backend.servers {
        fill(backend, server);
    }
    let slot = wait(stream, timer, backend, given).await;
    drop(waiting);
    slot
}

/// Waits in one server's queue.
async fn wait_for(
    stream: &mut Stream<'_>,
    timer: &mut Timer,
    backend: &Backend,
    server: &Server,
) -> Result<Slot, Ending> {
    stream.server = Some(server.index);
    stream.show_target();
    stream.queue_position.0 = server.status.counters.queued.get();
    let queues = [&server.status.counters.queued, &backend.state.counters.queued];
    let waiting = Waiting::begin(queues.into_iter());
    let given = server.queue.join(stream.priority);
    fill(backend, server);
    let slot = wait(stream, timer, backend, given).await;
    drop(waiting);
    slot
}

async fn wait(
    stream: &mut Stream<'_>,
    timer: &mut Timer,
    backend: &Backend,
    given: tokio::sync::oneshot::Receiver<usize>,
) -> Result<Slot, Ending> {
    let timeout = stream.backend().and_then(|p| p.timeouts.queue);
    let mut place = Place { given, backend };
    let expired = Ending::page(503, Who::ServerTimeout, When::Queue).keeping();
    let index = match timer.within(timeout, &mut place.given).await {
        Ok(Ok(index)) => index,
        Ok(Err(_)) => return Err(expired),
        Err(_) => {
            backend.state.counters.failed_connections.inc();
            return Err(expired);
        }
    };
    let server = backend.servers.get(index).ok_or(expired)?;
    Ok(take(stream, backend, server))
}

/// A place in a queue. A slot that is given when nobody waits any more goes to the next one.
struct Place<'a> {
    given: tokio::sync::oneshot::Receiver<usize>,
    backend: &'a Backend,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.given.close();
        if let Ok(index) = self.given.try_recv()
            && let Some(server) = self.backend.servers.get(index)
        {
            server.status.counters.sessions.leave();
            fill(self.backend, server);
        }
    }
}

/// Counts one more in queues as long as it lives.
struct Waiting<'a>(Vec<&'a crate::state::counters::Gauge>);

impl<'a> Waiting<'a> {
    fn begin(queues: impl Iterator<Item = &'a crate::state::counters::Gauge>) -> Waiting<'a> {
        let queues: Vec<_> = queues.collect();
        for queue in &queues {
            queue.enter();
        }
        Waiting(queues)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        for queue in &self.0 {
            queue.leave();
        }
    }
}

/// The server's session was counted already: ties it to the stream.
fn take(stream: &mut Stream<'_>, backend: &Backend, server: &Server) -> Slot {
    stream.server = Some(server.index);
    stream.show_target();
    match persist::bound(stream) {
        Some(bound) if bound == server.index => {}
        bound => {
            if let Some(left) = bound {
                // Its server went down while it was waiting there.
                persist::unbind(stream);
                count_redispatch(stream, backend, left);
            }
            server.status.counters.balanced.inc();
            backend.state.counters.balanced.inc();
        }
    }
    let now_ms = crate::state::clock::now_ms();
    let counters = &server.status.counters;
    counters.sessions_total.inc();
    counters.session_rate.event(now_ms);
    counters.last_session.set(now_ms / 1000 + 1);
    backend.state.counters.last_session.set(now_ms / 1000 + 1);
    backend.balancer.entered(&backend.servers, server.index);
    server.pool.begin_use();
    Slot {
        world: stream.world.clone(),
        backend: stream.backend.unwrap_or_default(),
        server: server.index,
    }
}
