//! The threads that run traffic: each has its own runtime, buffers and view of the `World`. In come
//! worlds and orders from the process, out come finished threads.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::LocalSet;

use crate::flow::cpu_map;
use crate::flow::listener::accept::{self, Accepted, Acceptors};
use crate::flow::session::registry::Registry;
use crate::flow::transport::{buffer, reactor};
use crate::state::clock::Moment;
use crate::state::counters::ProcessCounters;
use crate::state::world::{Server, World};

/// Work for a thread.
pub type Job = Arc<dyn Fn(&Rc<Thread>) + Send + Sync>;

/// What a thread is told.
enum Order {
    /// The `World` was swapped: listen where it says.
    Swapped,
    /// Serve a connection that another thread has accepted.
    Serve(Box<Accepted>),
    /// Run this.
    Run(Job),
    /// Accept nothing more, close idle connections, end when the last connection does.
    SoftStop,
}

/// What all threads share.
#[derive(Debug)]
pub struct Shared {
    /// The running configuration.
    pub world: ArcSwap<World>,
    /// Numbers of the whole process.
    pub counters: ProcessCounters,
    /// The number of the next session or stream.
    pub next_number: AtomicU64,
    /// Woken when a connection ends while somebody waits for room.
    pub room: Notify,
    /// How many acceptors wait for room.
    pub waiting_for_room: AtomicU32,
    /// No more connections are accepted.
    pub stopping: AtomicBool,
    /// Connections of each thread.
    loads: Vec<AtomicU32>,
    orders: Vec<mpsc::UnboundedSender<Order>>,
    swaps: watch::Sender<u64>,
    /// How often the `World` was swapped: cheaper to ask than which one it is.
    swapped: AtomicU64,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Order")
    }
}

impl Shared {
    /// The shared state of threads that are told what to do through the channels.
    fn new(world: Arc<World>, orders: Vec<mpsc::UnboundedSender<Order>>) -> Shared {
        let counters = ProcessCounters::default();
        counters.rate_limits.follow(&world.global.spec);
        Shared {
            world: ArcSwap::new(world),
            counters,
            next_number: AtomicU64::new(0),
            room: Notify::new(),
            waiting_for_room: AtomicU32::new(0),
            stopping: AtomicBool::new(false),
            loads: orders.iter().map(|_| AtomicU32::new(0)).collect(),
            orders,
            swaps: watch::Sender::new(0),
            swapped: AtomicU64::new(0),
        }
    }

    /// Changes with each new `World`.
    pub fn swapped(&self) -> watch::Receiver<u64> {
        self.swaps.subscribe()
    }

    /// A frontend was paused, resumed or stopped: the threads look again where they listen.
    pub fn listening_changed(&self) {
        for sender in &self.orders {
            // A thread that has ended listens nowhere.
            let _ = sender.send(Order::Swapped);
        }
    }

    /// Runs something on every thread.
    pub fn on_threads(&self, job: Job) {
        for sender in &self.orders {
            // A thread that has ended has nothing to run it on.
            let _ = sender.send(Order::Run(job.clone()));
        }
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.orders.len()
    }

    /// The thread with the fewest connections; `own` unless another has clearly fewer.
    pub fn least_loaded(&self, own: usize) -> usize {
        let load = |t: usize| self.loads.get(t).map_or(u32::MAX, |l| l.load(Relaxed));
        let least = (0..self.loads.len()).min_by_key(|t| load(*t)).unwrap_or(own);
        if load(least) < load(own) { least } else { own }
    }

    /// Has another thread serve a connection.
    pub fn hand_over(&self, thread: usize, accepted: Accepted) {
        if let Some(sender) = self.orders.get(thread) {
            // A thread that has ended drops, and so closes, the connection.
            let _ = sender.send(Order::Serve(Box::new(accepted)));
        }
    }

    /// Counts a connection that a thread will serve.
    pub fn load_begins(&self, thread: usize) {
        if let Some(load) = self.loads.get(thread) {
            load.fetch_add(1, Relaxed);
        }
    }

    /// Counts the end of a connection.
    pub fn load_ends(&self, thread: usize) {
        if let Some(load) = self.loads.get(thread) {
            load.fetch_sub(1, Relaxed);
        }
    }

    /// The next number for a session or stream.
    pub fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Relaxed)
    }
}

/// A thread's view of the `World`: one count inside for all threads, one outside for this thread,
/// so that connections take and drop it without touching memory that threads share.
#[allow(clippy::redundant_allocation, reason = "the outer count spares the shared one")]
pub type View = Rc<Arc<World>>;

/// One thread.
#[derive(Debug)]
pub struct Thread {
    /// 0 for the first.
    pub index: usize,
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// Connections are being closed as soon as they are idle.
    pub stopping: Cell<bool>,
    /// The streams in progress.
    pub registry: Rc<Registry>,
    /// This thread's view of the `World`: cloned without touching a shared counter.
    world: RefCell<View>,
    /// How often the `World` had been swapped when the view was taken.
    seen: Cell<u64>,
    /// Wakers of connections that wait for a request.
    resting: RefCell<Resting>,
    finished: Notify,
}

#[derive(Debug, Default)]
struct Resting {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Thread {
    fn new(index: usize, shared: Arc<Shared>) -> Thread {
        let seen = Cell::new(shared.swapped.load(Acquire));
        let world = RefCell::new(Rc::new(shared.world.load_full()));
        Thread {
            index,
            shared,
            stopping: Cell::new(false),
            registry: Rc::default(),
            world,
            seen,
            resting: RefCell::default(),
            finished: Notify::new(),
        }
    }

    /// The running configuration.
    pub fn world(&self) -> View {
        let swapped = self.shared.swapped.load(Acquire);
        let mut world = self.world.borrow_mut();
        if self.seen.replace(swapped) != swapped {
            *world = Rc::new(self.shared.world.load_full());
        }
        world.clone()
    }

    /// A connection of this thread has ended, and its place within the limits is free: wakes whoever
    /// waits for one.
    pub fn connection_ended(&self) {
        if self.shared.waiting_for_room.load(Relaxed) > 0 {
            self.shared.room.notify_waiters();
        }
        if self.connections() == 0 && self.stopping.get() {
            self.finished.notify_one();
        }
    }

    /// Connections of this thread.
    pub fn connections(&self) -> u32 {
        self.shared.loads.get(self.index).map_or(0, |l| l.load(Relaxed))
    }

    /// Registers a resting connection's waker; the number is given back to `end_rest`.
    pub fn begin_rest(&self, waker: &Waker) -> usize {
        let mut resting = self.resting.borrow_mut();
        match resting.free.pop() {
            Some(at) => {
                if let Some(slot) = resting.wakers.get_mut(at) {
                    *slot = Some(waker.clone());
                }
                at
            }
            None => {
                resting.wakers.push(Some(waker.clone()));
                resting.wakers.len() - 1
            }
        }
    }

    /// Forgets a resting connection's waker.
    pub fn end_rest(&self, at: usize) {
        let mut resting = self.resting.borrow_mut();
        if let Some(slot) = resting.wakers.get_mut(at) {
            *slot = None;
            resting.free.push(at);
        }
    }

    fn wake_resting(&self) {
        let wakers: Vec<Waker> = self.resting.borrow().wakers.iter().flatten().cloned().collect();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The running threads.
#[derive(Debug)]
pub struct Workers {
    /// What they share.
    pub shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts the threads that `world` asks for and begins to accept.
    ///
    /// # Errors
    /// The system gives no thread, or no epoll instance.
    pub fn start(world: Arc<World>) -> io::Result<Workers> {
        let count = world.global.threads.max(1);
        let (orders, receivers): (Vec<_>, Vec<_>) =
            (0..count).map(|_| mpsc::unbounded_channel()).unzip();
        let shared = Arc::new(Shared::new(world, orders));
        let mut threads = Vec::new();
        for (index, receiver) in receivers.into_iter().enumerate() {
            let shared = shared.clone();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let main = move || {
                cpu_map::bind_thread(&shared.world.load().global.spec.cpu_map, index);
                runtime.block_on(LocalSet::new().run_until(run(index, shared, receiver)));
            };
            threads.push(std::thread::Builder::new().name(format!("traffic-{index}")).spawn(main)?);
        }
        Ok(Workers { shared, threads })
    }

    /// Replaces the running configuration.
    pub fn swap(&self, world: Arc<World>) {
        self.shared.counters.rate_limits.follow(&world.global.spec);
        self.shared.world.store(world);
        self.shared.swapped.fetch_add(1, Release);
        self.shared.swaps.send_modify(|n| *n += 1);
        self.order(|| Order::Swapped);
    }

    /// Stops accepting, closes idle connections, lets the others finish.
    pub fn soft_stop(&self) {
        self.shared.stopping.store(true, Relaxed);
        self.order(|| Order::SoftStop);
    }

    /// Waits until every thread has ended after a soft stop, for `limit` at most; says whether they did.
    pub fn wait_finished(&mut self, limit: Option<Duration>) -> bool {
        let deadline = limit.map(|l| Instant::now() + l);
        while let Some(thread) = self.threads.last() {
            if deadline.is_some_and(|d| Instant::now() >= d) {
                return false;
            }
            if thread.is_finished() || deadline.is_none() {
                if let Some(thread) = self.threads.pop() {
                    // A thread that panicked has ended too.
                    let _ = thread.join();
                }
            } else {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
        true
    }

    /// Whether every thread has ended.
    pub fn are_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    fn order(&self, order: impl Fn() -> Order) {
        for sender in &self.shared.orders {
            // A thread that has ended needs no orders.
            let _ = sender.send(order());
        }
    }
}

/// The life of a thread: it accepts, serves, and obeys orders until its last connection ends.
async fn run(index: usize, shared: Arc<Shared>, mut orders: mpsc::UnboundedReceiver<Order>) {
    let thread = Rc::new(Thread::new(index, shared));
    buffer::set_size(thread.world().global.bufsize);
    let mut acceptors = Acceptors::default();
    tokio::task::spawn_local(drive_sockets());
    // It has to be there before the first connection is.
    tokio::task::yield_now().await;
    acceptors.follow(&thread);
    tokio::task::spawn_local(purge_pools(thread.clone()));
    if index == 0 {
        tokio::task::spawn_local(crate::check::run(thread.clone()));
        tokio::task::spawn_local(crate::check::follow::run(thread.clone()));
        tokio::task::spawn_local(crate::state::resolver::run::run(thread.clone()));
        tokio::task::spawn_local(crate::control::cli::run(thread.clone()));
        tokio::task::spawn_local(crate::flow::log::ring_server::run(thread.clone()));
        tokio::task::spawn_local(crate::flow::log::forward::run(thread.clone()));
    }
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            () = thread.finished.notified() => return,
        };
        match order {
            None => return,
            Some(Order::Run(job)) => job(&thread),
            Some(Order::Serve(accepted)) => accept::serve(&thread, *accepted),
            Some(Order::Swapped) => {
                buffer::set_size(thread.world().global.bufsize);
                acceptors.follow(&thread);
            }
            Some(Order::SoftStop) => {
                thread.stopping.set(true);
                acceptors.close(&thread);
                thread.wake_resting();
                // Lets the connections begin that were accepted last.
                tokio::task::yield_now().await;
                if thread.connections() == 0 {
                    return;
                }
            }
        }
    }
}

/// Wakes tasks whose sockets became ready.
async fn drive_sockets() {
    if let Err(error) = reactor::drive().await {
        tracing::error!(%error, "cannot watch sockets");
    }
}

/// How long an idle server connection is kept at least (`pool-purge-delay`'s default).
const PURGE_DELAY: Duration = Duration::from_secs(5);

/// Closes server connections that have been idle for long.
async fn purge_pools(thread: Rc<Thread>) {
    let start = Moment::now();
    let mut last = Duration::ZERO;
    loop {
        let world = thread.world();
        let servers = || world.proxies.iter().flat_map(|p| p.servers());
        // Servers differ: this wakes as often as the quickest of them wants.
        let step = servers().map(purge_delay).min().unwrap_or(PURGE_DELAY).min(PURGE_DELAY);
        tokio::time::sleep(step).await;
        let now = start.elapsed();
        for server in servers() {
            let delay = purge_delay(server);
            if now.as_millis() / delay.as_millis() == last.as_millis() / delay.as_millis() {
                continue;
            }
            server.pool.purge(thread.index, Moment::now().before(delay));
            if thread.index == 0 {
                server.pool.estimate();
            }
        }
        last = now;
    }
}

/// `pool-purge-delay`; what is not kept at all is not looked for.
fn purge_delay(server: &Server) -> Duration {
    let delay = server.spec.pool_purge_delay.filter(|delay| !delay.is_zero());
    delay.unwrap_or(PURGE_DELAY).max(Duration::from_millis(10))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A thread that runs nothing, with no configuration but a stick table `app`.
    pub(crate) fn thread() -> Rc<Thread> {
        use crate::state::stick_table::{Data, KeyType, StickTableSpec};
        let stored = Data::NAMES.iter().map(|(_, data)| (*data, 1_000)).collect();
        let kind = KeyType::Integer;
        let spec = StickTableSpec { kind, size: 10, stored, ..StickTableSpec::default() };
        let mut world = World::default();
        world.tables.insert("app".to_owned(), spec.compile("app", None));
        Rc::new(Thread::new(0, Arc::new(Shared::new(Arc::new(world), Vec::new()))))
    }
}
