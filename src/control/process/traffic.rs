//! The threads that carry traffic, as the control side sees them: started, given a new configuration,
//! paused, stopped (management.txt 4).
//!
//! In: a `World`, and signals as calls. Out: running threads, and the event that all of them have ended.

use super::console;
use crate::control::{cli, pools};
use crate::flow::threads::Workers;
use crate::state::world::{Proxy, World};
use crate::sys;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;
use tokio::sync::oneshot;

/// Threads at work.
pub struct Traffic {
    world: Arc<World>,
    state: State,
}

enum State {
    Running(Workers),
    /// Told to stop; the receiver hears when the last thread has ended.
    Stopping(oneshot::Receiver<()>),
}

impl Traffic {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system gives no thread or no epoll instance.
    pub fn start(world: World) -> io::Result<Self> {
        let world = Arc::new(world);
        let workers = Workers::start(Arc::clone(&world))?;
        Ok(Self { world, state: State::Running(workers) })
    }

    /// What runs.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    /// Replaces what runs. Without effect once the threads have been told to stop.
    pub fn swap(&mut self, world: World) {
        if let State::Running(workers) = &self.state {
            self.world = Arc::new(world);
            workers.swap(Arc::clone(&self.world));
        }
    }

    /// Stops accepting, closes idle connections, lets the others finish within `hard-stop-after`. A second
    /// soft stop changes nothing.
    pub fn soft_stop(&mut self) {
        if let State::Stopping(_) = self.state {
            return;
        }
        let (done, ended) = oneshot::channel();
        let State::Running(mut workers) =
            std::mem::replace(&mut self.state, State::Stopping(ended))
        else {
            return;
        };
        let limit = self.world.global.spec.hard_stop_after;
        let world = Arc::clone(&self.world);
        if world.proxies.iter().all(|proxy| proxy.grace.is_zero()) {
            workers.soft_stop();
        }
        announce_stop(&world);
        std::thread::spawn(move || {
            let begin = Instant::now();
            if !workers.shared.stopping.load(Relaxed) {
                wait_for_grace(&world, &workers);
                workers.soft_stop();
            }
            let limit = limit.map(|limit| limit.saturating_sub(begin.elapsed()));
            workers.wait_finished(limit);
            // Nobody waits if the process is ending already.
            let _ = done.send(());
        });
    }

    /// Completes when the threads have ended, or `hard-stop-after` has passed; never before a soft stop.
    pub async fn ended(&mut self) {
        match &mut self.state {
            State::Running(_) => std::future::pending().await,
            // An error means that the waiting thread is gone, so there is nothing to wait for.
            State::Stopping(ended) => drop(ended.await),
        }
    }

    /// Stops accepting until [`resume`](Self::resume); connections wait in the kernel.
    pub fn pause(&self) {
        self.set_paused(true, "Paused");
    }

    /// Accepts again.
    pub fn resume(&self) {
        self.set_paused(false, "Resumed");
    }

    fn set_paused(&self, paused: bool, done: &str) {
        for proxy in &self.world.proxies {
            if let Some(frontend) = &proxy.frontend
                && frontend.state.paused.swap(paused, Relaxed) != paused
            {
                console::warning(format!("{done} {} {}.", proxy.kind.word(), proxy.name));
            }
        }
        if let State::Running(workers) = &self.state {
            // The threads look at their frontends again.
            workers.swap(Arc::clone(&self.world));
        }
    }

    /// Lets the runtime socket's commands be used on connections that come from the master.
    pub fn serve_runtime_sockets(&self, connections: Vec<OwnedFd>) {
        if let State::Running(workers) = &self.state {
            cli::adopt(&workers.shared, connections);
        }
    }

    /// Shows what memory is used for, and returns what is free to the system.
    pub fn show_pools(&self) {
        sys::trim_memory();
        if let State::Running(workers) = &self.state {
            let report = pools::report(Arc::clone(&workers.shared));
            tokio::task::spawn_local(async move { eprint!("{}", report.await) });
        }
    }
}

/// Stops each proxy when its `grace` is over, until none is left.
fn wait_for_grace(world: &World, workers: &Workers) {
    let mut proxies: Vec<&Proxy> = world.proxies.iter().collect();
    proxies.sort_by_key(|proxy| proxy.grace);
    let begin = Instant::now();
    for proxy in proxies {
        std::thread::sleep(proxy.grace.saturating_sub(begin.elapsed()));
        if let Some(frontend) = &proxy.frontend {
            frontend.shut_down();
            workers.shared.listening_changed();
            if !proxy.grace.is_zero() {
                console::warning(stopped(proxy));
            }
        }
    }
}

/// Says which proxies have stopped, and which will: those with `grace`, and backends with all others.
fn announce_stop(world: &World) {
    for proxy in &world.proxies {
        if proxy.frontend.is_some() && proxy.grace.is_zero() {
            console::warning(stopped(proxy));
        } else {
            let (kind, name, grace) = (proxy.kind.word(), &proxy.name, proxy.grace.as_millis());
            console::warning(format!("Stopping {kind} {name} in {grace} ms."));
        }
    }
}

fn stopped(proxy: &Proxy) -> String {
    let front = proxy.frontend.as_ref().map_or(0, |f| f.state.counters.connections_total.get());
    let back = proxy.backend.as_ref().map_or(0, |b| b.state.counters.sessions_total.get());
    format!("Proxy {} stopped (cumulated conns: FE: {front}, BE: {back}).", proxy.name)
}
