//! Every checked server has a task that checks it at its times and tells the server's state; the tasks
//! follow the running configuration. A server whose line is unchanged keeps its task, its schedule
//! and its health (manual 5.2 "check"; DESIGN: reload).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::check::agent::{Said, Wish};
use crate::check::dialogue::Dialogue;
use crate::check::health::{CheckResult, Effect, Health, Verdict};
use crate::check::scene::Scene;
use crate::check::server::ServerCheck;
use crate::flow::session::Session;
use crate::flow::threads::{Thread, View};
use crate::state::server_change::ServerChange;
use crate::state::server_status::{Operational, ServerAddress, ServerStatus};
use crate::state::world::{Proxy, Server, World};

/// The task of one server; ends with this value.
struct Watcher {
    /// The identity: another one after a reload that changed the server's line.
    status: Arc<ServerStatus>,
    task: JoinHandle<()>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A backend's and a server's name.
type Name = (String, String);

/// What is asked how a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    /// The server itself.
    Server,
    /// Its agent.
    Agent,
}

impl Who {
    /// How this server is asked, if it is.
    fn check(self, server: &Server) -> Option<&ServerCheck> {
        match self {
            Who::Server => server.check.as_ref(),
            Who::Agent => server.agent.as_deref(),
        }
    }

    /// How long to wait until it is asked again.
    fn interval(self, server: &Server) -> Option<Duration> {
        let check = self.check(server)?;
        let health = match self {
            Who::Server => server.status.health.lock().clone(),
            Who::Agent => server.status.agent.lock().health.clone(),
        };
        Some(check.interval(&health, server.status.is_up()))
    }
}

/// Watches the servers of the running configuration, whichever that is, until the thread ends.
pub async fn run(thread: Rc<Thread>) {
    let mut swapped = thread.shared.swapped();
    let mut watchers = HashMap::new();
    loop {
        watchers = reconcile(&thread, watchers);
        if swapped.changed().await.is_err() {
            return;
        }
    }
}

/// Keeps the tasks of servers that are the same, starts the others, ends those without a server.
fn reconcile(
    thread: &Rc<Thread>,
    mut old: HashMap<(Name, Who), Watcher>,
) -> HashMap<(Name, Who), Watcher> {
    let world = thread.world();
    let mut kept = HashMap::new();
    let mut fresh = Vec::new();
    for proxy in &world.proxies {
        let each = proxy.servers().iter().flat_map(|s| [(s, Who::Server), (s, Who::Agent)]);
        for (server, who) in each {
            let Some(interval) = who.interval(server) else { continue };
            let name = ((proxy.name.clone(), server.name.clone()), who);
            match old.remove(&name) {
                Some(watcher) if Arc::ptr_eq(&watcher.status, &server.status) => {
                    kept.insert(name, watcher);
                }
                _ => fresh.push((name, server.status.clone(), interval)),
            }
        }
    }
    let intervals: Vec<_> = fresh.iter().map(|(_, _, interval)| *interval).collect();
    let delays = world.global.spec.spread.first_checks(&intervals);
    for ((name, status, _), delay) in fresh.into_iter().zip(delays) {
        let watch = watch(thread.clone(), name.clone(), Instant::now() + delay);
        let task = tokio::task::spawn_local(watch);
        kept.insert(name, Watcher { status, task });
    }
    kept
}

/// Where a server stands in a `World`; a hint for the next one.
#[derive(Debug, Clone, Copy, Default)]
struct Spot {
    proxy: usize,
    server: usize,
}

impl Spot {
    /// The server of this name, looked for where it stood last.
    fn find<'w>(&mut self, world: &'w World, name: &Name) -> Option<(&'w Proxy, &'w Server)> {
        let is_proxy = |p: &&Proxy| p.name == name.0 && p.backend.is_some();
        let is_server = |s: &&Server| s.name == name.1;
        let near = || {
            let proxy = world.proxies.get(self.proxy).filter(is_proxy)?;
            Some((proxy, proxy.servers().get(self.server).filter(is_server)?))
        };
        let found = near().or_else(|| world.server(&name.0, &name.1));
        if let Some((proxy, server)) = found {
            *self = Spot { proxy: proxy.index, server: server.index };
        }
        found
    }
}

/// Checks one server at its times.
async fn watch(thread: Rc<Thread>, (name, who): (Name, Who), first: Instant) {
    let mut spot = Spot::default();
    let mut next = first;
    loop {
        wait(&thread, &mut spot, &name, who, &mut next).await;
        let world = thread.world();
        let Some((proxy, server)) = spot.find(&world, &name) else { return };
        let Some(check) = who.check(server) else { return };
        if !begin(proxy, server, who) {
            while next <= Instant::now() {
                next += check.inter;
            }
            continue;
        }
        let started = Instant::now();
        let found = match who {
            Who::Server => (ask(&thread, &world, proxy, server).await, None),
            Who::Agent => ask_agent(&world, proxy, server).await,
        };
        let world = thread.world();
        let Some((proxy, server)) = spot.find(&world, &name) else { return };
        let change = ServerChange::new(proxy, server);
        match found {
            (verdict, None) if who == Who::Agent => {
                conclude_agent(change, verdict, started.elapsed())
            }
            (verdict, None) => conclude(change, verdict, started.elapsed()),
            (_, Some(said)) => obey(change, &said, started.elapsed()),
        }
        let Some(interval) = who.interval(server) else { return };
        next = Instant::now() + world.global.spec.spread.vary(interval, random());
    }
}

/// Waits for the next check's time, which comes sooner when traffic shows errors.
async fn wait(thread: &Rc<Thread>, spot: &mut Spot, name: &Name, who: Who, next: &mut Instant) {
    let world = thread.world();
    let server = spot.find(&world, name).map(|(_, server)| server);
    let observed = server.filter(|s| who == Who::Server && s.observe.is_some());
    let Some((server, check)) = observed.and_then(|s| Some((s, s.check.as_ref()?))) else {
        drop(world);
        return sleep_until(*next).await;
    };
    let (status, fastinter) = (server.status.clone(), check.fastinter);
    drop(world);
    while timeout_at(*next, status.check_soon.notified()).await.is_ok() {
        *next = (*next).min(Instant::now() + fastinter);
    }
}

/// Says that a check begins, unless the server is not to be checked now.
fn begin(proxy: &Proxy, server: &Server, who: Who) -> bool {
    let begin = |health: &mut Health| {
        let may_run = health.may_run() && !proxy.disabled;
        if may_run {
            health.begin();
        }
        may_run
    };
    match who {
        Who::Server => begin(&mut server.status.health.lock()),
        Who::Agent => begin(&mut server.status.agent.lock().health),
    }
}

/// Asks the server's agent; gives what it says, or what went wrong.
async fn ask_agent(world: &View, proxy: &Proxy, server: &Server) -> (Verdict, Option<Said>) {
    let (Some(backend), Some(check)) = (&proxy.backend, &server.agent) else {
        return (Verdict::new(super::CheckStatus::SocketError, ""), None);
    };
    let (elsewhere, question, before) = {
        let agent = server.status.agent.lock();
        (agent.address, agent.send.clone(), agent.health.status)
    };
    let address = server.status.address.load_full();
    let check = ServerCheck { addr: elsewhere.or(check.addr), ..(**check).clone() };
    let dialogue = Dialogue {
        check: &backend.check.of_agent(question),
        server: &check,
        address: &address,
        state: None,
        stopping_on_404: false,
        bufsize: world.global.bufsize,
        source: server.source.as_deref(),
        scene: None,
    };
    let (verdict, received) = dialogue.hear().await;
    if verdict.status.result() != CheckResult::Passed {
        return (verdict, None);
    }
    match Said::read(&received) {
        Some(said) => (verdict, Some(said)),
        None => (Verdict::new(before, "Ignoring incomplete line from agent"), None),
    }
}

/// Does what an agent says, as long as it is listened to.
fn obey(change: ServerChange<'_>, said: &Said, duration: Duration) {
    let status = &change.server.status;
    if !status.agent.lock().health.enabled {
        return;
    }
    match said.wish {
        Some(Wish::Ready) => change.ready(),
        Some(Wish::Drain) => change.drain(),
        Some(Wish::Maintenance) => change.maintain(),
        None => {}
    }
    let weight = said.weight.as_ref().map(|word| change.request_weight(word));
    let maxconn = said.maxconn.as_ref().map(|word| change.request_maxconn(word));
    let warning = weight.and_then(Result::err).or(maxconn.and_then(Result::err));
    if let Some(up) = said.is_up() {
        let mut health = status.health.lock();
        health.health = if up { health.full() } else { 0 };
    }
    conclude_agent(change, said.verdict(warning), duration);
}

/// Takes what an agent's answer has come to into account.
fn conclude_agent(change: ServerChange<'_>, verdict: Verdict, duration: Duration) {
    let status = &change.server.status;
    let logs = change.proxy.options.log_health_checks;
    let (effect, reason, report) = {
        let health = &mut status.agent.lock().health;
        let (effect, moved) = health.end(verdict, Some(duration));
        let report = (logs && moved).then(|| health.report(status.weight() == 0));
        (effect, if logs { String::new() } else { health.reason() }, report)
    };
    change.tell("Agent", report);
    let well = {
        let health = status.health.lock();
        !health.enabled || health.health >= health.rise
    };
    match effect {
        Effect::Down => change.set_stopped(&reason),
        Effect::Up if well => change.set_running(&reason),
        _ => false,
    };
}

async fn ask(thread: &Rc<Thread>, world: &View, proxy: &Proxy, server: &Server) -> Verdict {
    let (Some(backend), Some(check)) = (&proxy.backend, &server.check) else {
        return Verdict::new(super::CheckStatus::SocketError, "");
    };
    let address = server.status.address.load_full();
    let session = backend.check.varies.then(|| Session::of_check(thread.clone(), world, proxy));
    let scene = session.as_ref().map(|s| Scene::new(s, world.clone(), proxy.index, server.index));
    let dialogue = Dialogue {
        check: &backend.check,
        server: check,
        address: &address,
        state: backend.check.send_state.then(|| state_header(world, proxy, server)),
        stopping_on_404: backend.check.disable_on_404 && server.status.is_up(),
        bufsize: world.global.bufsize,
        source: server.source.as_deref(),
        scene,
    };
    dialogue.run().await
}

/// Takes a verdict into account: health, the server's state, the lines that are said about it.
fn conclude(change: ServerChange<'_>, verdict: Verdict, duration: Duration) {
    let status = &change.server.status;
    let logs = change.proxy.options.log_health_checks;
    let (effect, reason, report) = {
        let mut health = status.health.lock();
        let (effect, moved) = health.end(verdict, Some(duration));
        let report = (logs && moved).then(|| health.report(status.weight() == 0));
        (effect, if logs { String::new() } else { health.reason() }, report)
    };
    change.tell("Health", report);
    match effect {
        Effect::Down => change.set_stopped(&reason),
        // What the agent says must fit.
        _ if status.agent.lock().says_down() => false,
        Effect::Up => change.set_running(&reason),
        Effect::Stopping => change.set_stopping(&reason),
        Effect::None => false,
    };
}

/// An even number from 0 to 1.
fn random() -> f64 {
    (RandomState::new().hash_one(0) >> 11) as f64 / (1u64 << 53) as f64
}

/// The value of the header that `http-check send-state` adds.
fn state_header(world: &World, proxy: &Proxy, server: &Server) -> String {
    let status = &server.status;
    let (word, (done, of)) = {
        let health = status.health.lock();
        let word = match (status.is_up(), health.health) {
            _ if !health.enabled => "no check",
            (true, now) if now == health.full() => "UP",
            (true, _) => "UP n/m",
            (false, 0) => "DOWN",
            (false, _) => "DOWN n/m",
        };
        let progress = match status.is_up() {
            true => (i64::from(health.health) - i64::from(health.rise) + 1, health.fall),
            false => (i64::from(health.health), health.rise),
        };
        (word, progress)
    };
    let nolb = status.operational() == Operational::Stopping;
    let word = if nolb { word.replace("UP", "NOLB") } else { word.to_owned() };
    let word = word.replace("n/m", &format!("{done}/{of}"));
    let address = status.address.load();
    let (address, port) = match &**address {
        ServerAddress::Inet(address) => (address.ip().to_string(), address.port().to_string()),
        _ => (String::new(), String::new()),
    };
    let backend = proxy.backend.as_ref();
    let total: u32 = backend.map_or(0, |b| {
        crate::flow::balance::candidates(&b.servers, true).map(|s| s.status.weight()).sum()
    });
    let usable = if status.is_usable() { status.weight() } else { 0 };
    let sessions = |c: &crate::state::counters::Counters| c.sessions.get();
    let of_backend = backend.map_or(0, |b| {
        let queued = b.state.counters.queued.get();
        sessions(&b.state.counters).saturating_sub(queued)
    });
    format!(
        "{word}; address={address}; port={port}; name={}/{}; node={}; weight={usable}/{total}; scur={}/{of_backend}; qcur={}",
        proxy.name,
        server.name,
        world.global.node,
        sessions(&status.counters),
        status.counters.queued.get(),
    )
}
