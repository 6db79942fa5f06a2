//! Clients that go on asking while the story changes the machines behind the balancer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, ensure};
use haproxy_compat::harness::eventually;

use crate::story::version;

/// Clients in parallel, and the pause of each between two requests: about 300 requests a second.
const CLIENTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(10);

/// Clients at work; each request on a connection of its own.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    served: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Starts the clients.
    pub fn start(address: SocketAddr) -> Load {
        let shared = Arc::<Shared>::default();
        let client = |_| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.ask(address))
        };
        Load { clients: (0..CLIENTS).map(client).collect(), shared }
    }

    /// Waits for `count` more answers.
    pub fn wait_for(&self, count: usize) -> Result<()> {
        let goal = self.shared.served.load(Ordering::Relaxed) + count;
        eventually("clients are served", || Ok(self.shared.served.load(Ordering::Relaxed) >= goal))
    }

    /// Ends the clients and asks whether all they sent was answered.
    pub fn finish_without_failure(mut self) -> Result<()> {
        self.shared.over.store(true, Ordering::Relaxed);
        self.clients.drain(..).for_each(|client| client.join().unwrap());
        let failures = self.shared.failures.lock().unwrap();
        let served = self.shared.served.load(Ordering::Relaxed);
        ensure!(failures.is_empty(), "{served} served, {} not: {failures:#?}", failures.len());
        Ok(())
    }
}

impl Shared {
    fn ask(&self, address: SocketAddr) {
        while !self.over.load(Ordering::Relaxed) {
            match version(address) {
                Ok(_) => _ = self.served.fetch_add(1, Ordering::Relaxed),
                Err(error) => self.failures.lock().unwrap().push(format!("{error:#}")),
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}
