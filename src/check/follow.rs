//! Servers that follow others (manual 5.2 "track"), and sessions that end when a server goes down or comes
//! up ("on-marked-down", "on-marked-up"), servers that ramp up ("slowstart"). In come changes of servers' states, out come those of their
//! followers and the ends of sessions.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::flow::server::assign::fill;
use crate::flow::session::outcome::Who;
use crate::flow::threads::{Shared, Thread, View};
use crate::state::server_change::ServerChange;
use crate::state::server_status::{Operational, admin};
use crate::state::world::{Proxy, Server, World};

/// A task that ends with this value.
struct Follower(JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Follows in the running configuration, whichever that is, until the thread ends.
pub async fn run(thread: Rc<Thread>) {
    let mut swapped = thread.shared.swapped();
    loop {
        let followers = start(&thread);
        if swapped.changed().await.is_err() {
            return;
        }
        drop(followers);
    }
}

fn start(thread: &Rc<Thread>) -> Vec<Follower> {
    let world = thread.world();
    let mut followers = Vec::new();
    for proxy in world.proxies.iter().filter(|p| !p.disabled) {
        for server in proxy.servers() {
            let check = &server.spec.check;
            if server.tracked.is_some()
                || check.slowstart.is_some()
                || check.shuts_down
                || check.shuts_backups
            {
                let place = (proxy.index, server.index);
                let task = follow(thread.shared.clone(), world.clone(), place);
                followers.push(Follower(tokio::task::spawn_local(task)));
            }
        }
    }
    followers
}

async fn follow(shared: Arc<Shared>, world: View, (proxy, server): (usize, usize)) {
    let Some(proxy) = world.proxies.get(proxy) else { return };
    let Some(server) = proxy.servers().get(server) else { return };
    let tracked = server.tracked.and_then(|place| server_at(&world, place));
    let mut was_running = server.status.accepts_persistent();
    loop {
        let mut own = pin!(server.status.changed.notified());
        own.as_mut().enable();
        let other = tracked.map_or(&server.status, |(_, tracked)| &tracked.status);
        let mut other = pin!(other.changed.notified());
        other.as_mut().enable();
        if let Some((owner, tracked)) = tracked {
            adopt(ServerChange::new(proxy, server), owner, tracked);
        }
        let running = server.status.accepts_persistent();
        if running != was_running {
            end_sessions(&shared, proxy, server, running);
            was_running = running;
        }
        tokio::select! {
            () = own => {}
            () = other => {}
            () = grow(proxy, server) => {}
        }
    }
}

/// A server that ramps up has more weight each second, and all of it at the end.
async fn grow(proxy: &Proxy, server: &Server) {
    if server.ramp().is_none() {
        return std::future::pending().await;
    }
    tokio::time::sleep(SECOND).await;
    match server.ramp() {
        Some(ramp) if ramp.is_over() => drop(server.status.set_operational(Operational::Running)),
        _ => server.status.has_grown(),
    }
    if let Some(backend) = &proxy.backend {
        fill(backend, server);
    }
}

/// How often a ramp is looked at.
const SECOND: Duration = Duration::from_secs(1);

/// A server by its indices, and its proxy.
pub fn server_at(world: &World, (proxy, server): (usize, usize)) -> Option<(&Proxy, &Server)> {
    let proxy = world.proxies.get(proxy)?;
    Some((proxy, proxy.servers().get(server)?))
}

/// Takes over the state of the server that is tracked.
fn adopt(change: ServerChange<'_>, owner: &Proxy, tracked: &Server) {
    let via = format!(" via {}/{}", owner.name, tracked.name);
    let status = &tracked.status;
    for (bit, wanted) in [
        (admin::INHERITED_MAINT, status.in_maintenance()),
        (admin::INHERITED_DRAIN, status.is_drained()),
    ] {
        match wanted {
            true => change.inherit(bit, &via),
            false => change.clear_admin(bit),
        };
    }
    if status.in_maintenance() {
        return;
    }
    match status.operational() {
        Operational::Stopped => change.set_stopped(&via),
        Operational::Stopping => change.set_stopping(&via),
        Operational::Running | Operational::Starting => change.set_running(&via),
    };
}

/// Ends the sessions of a server that went down, or those of its backups now that it is up.
fn end_sessions(shared: &Shared, proxy: &Proxy, server: &Server, running: bool) {
    let check = &server.spec.check;
    let (who, servers): (_, Vec<String>) = match running {
        false if check.shuts_down => (Who::Down, vec![server.name.clone()]),
        true if check.shuts_backups && !server.backup && server.status.weight() > 0 => {
            let backups = proxy.servers().iter().filter(|s| s.backup);
            (Who::Up, backups.map(|s| s.name.clone()).collect())
        }
        _ => return,
    };
    let proxy = proxy.name.clone();
    shared.on_threads(Arc::new(move |thread| {
        for server in &servers {
            thread.registry.kill_on_server(&proxy, server, who);
        }
    }));
}
