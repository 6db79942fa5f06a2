//! What is known of a server while it runs: health, weight, administrative state, sessions. It has the
//! server's name as identity and outlives a reload (manual 5.2; management.txt 9.3 "set server").

use std::net::SocketAddr;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::check::observe::Errors;
use crate::state::clock;
use crate::state::counters::Counters;

/// Counts changes of any server's state or weight.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// How often some server's state or weight has changed: balance algorithms look again when it moves.
pub fn changes() -> u64 {
    CHANGES.load(Acquire)
}

/// Operational state, numbered as in a server-state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Operational {
    /// Down.
    Stopped = 0,
    /// Up, ramping up (`slowstart`).
    Starting = 1,
    /// Up.
    Running = 2,
    /// Up, taking no new sessions (`http-check disable-on-404`).
    Stopping = 3,
}

/// Administrative state: a set of bits, numbered as in a server-state file.
pub mod admin {
    /// Put into maintenance by hand.
    pub const FORCED_MAINT: u8 = 0x01;
    /// In maintenance because the tracked server is.
    pub const INHERITED_MAINT: u8 = 0x02;
    /// `disabled` in the configuration.
    pub const CONFIG_MAINT: u8 = 0x04;
    /// Drained by hand.
    pub const FORCED_DRAIN: u8 = 0x08;
    /// Drained because the tracked server is.
    pub const INHERITED_DRAIN: u8 = 0x10;
    /// In maintenance for want of an address (`init-addr none`).
    pub const RESOLUTION_MAINT: u8 = 0x20;
    /// In maintenance because the name's address changed by `set server fqdn`.
    pub const HOST_MAINT: u8 = 0x40;
    /// Any reason for maintenance; the two that only say how it came about are none.
    pub const MAINT: u8 = FORCED_MAINT | INHERITED_MAINT | RESOLUTION_MAINT;
    /// Any reason for draining.
    pub const DRAIN: u8 = FORCED_DRAIN | INHERITED_DRAIN;
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAddress {
    /// IPv4 or IPv6; port 0 with `keep_port` set means the client's own port.
    Inet(SocketAddr),
    /// A unix socket's path.
    Unix(std::path::PathBuf),
    /// An abstract unix socket's name.
    Abstract(Vec<u8>),
    /// Not known yet: a name's, at this port.
    Named(u16),
    /// Nowhere.
    None,
}

/// The name that a server's address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The host's name.
    pub name: String,
    /// The address came with the name, from a service's record: the name is not asked for.
    pub address_came_along: bool,
}

/// What is known of a server.
#[derive(Debug)]
pub struct ServerStatus {
    /// Statistics.
    pub counters: Counters,
    operational: AtomicU8,
    admin: AtomicU8,
    /// Weight as set by the operator: 0 to 256.
    pub user_weight: AtomicU32,
    /// Weight in the configuration.
    pub initial_weight: AtomicU32,
    /// May take new sessions: up, not in maintenance, not drained, weight above 0. Kept by `refresh`.
    usable: AtomicBool,
    /// Where to connect.
    pub address: ArcSwap<ServerAddress>,
    /// The name its address comes from, if it has one at the moment.
    pub host: ArcSwapOption<Host>,
    /// `maxconn`, which the runtime socket can change; 0 for none.
    pub maxconn: AtomicU32,
    /// Second of the last change between up and down, on the process's clock, and time spent down before.
    change: Mutex<Change>,
    /// What health checks found.
    pub health: Mutex<crate::check::Health>,
    /// Told of every change of its state.
    pub changed: Notify,
    /// Errors in a row that traffic showed.
    pub errors: Errors,
    /// Wakes who checks it, before its time.
    pub check_soon: Notify,
    /// What its agent has said.
    pub agent: Mutex<crate::check::agent::Agent>,
    /// Changes with everything a balance algorithm depends on.
    pub generation: AtomicU32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Change {
    /// Milliseconds on the process's clock; negative for a change before it began.
    at_ms: i64,
    /// Milliseconds.
    down_ms: u64,
    downs: u64,
}

impl Change {
    /// Milliseconds from then to now.
    fn since(at_ms: i64, now_ms: u64) -> u64 {
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        now_ms.saturating_sub(at_ms).max(0).unsigned_abs()
    }
}

/// Milliseconds on the process's clock.
fn now() -> i64 {
    i64::try_from(clock::now_ms()).unwrap_or(i64::MAX)
}

impl ServerStatus {
    /// A server that is up and has been since now.
    pub fn new(address: ServerAddress, weight: u32) -> ServerStatus {
        ServerStatus {
            counters: Counters::default(),
            operational: AtomicU8::new(Operational::Running as u8),
            admin: AtomicU8::new(0),
            user_weight: AtomicU32::new(weight),
            initial_weight: AtomicU32::new(weight),
            usable: AtomicBool::new(weight > 0),
            address: ArcSwap::from_pointee(address),
            host: ArcSwapOption::empty(),
            maxconn: AtomicU32::new(0),
            change: Mutex::new(Change { at_ms: now(), ..Change::default() }),
            health: Mutex::new(crate::check::Health::default()),
            changed: Notify::new(),
            errors: Errors::default(),
            check_soon: Notify::new(),
            agent: Mutex::default(),
            generation: AtomicU32::new(0),
        }
    }

    /// Operational state.
    pub fn operational(&self) -> Operational {
        match self.operational.load(Relaxed) {
            0 => Operational::Stopped,
            1 => Operational::Starting,
            3 => Operational::Stopping,
            _ => Operational::Running,
        }
    }

    /// Administrative state: bits of `admin`.
    pub fn admin(&self) -> u8 {
        self.admin.load(Relaxed)
    }

    /// Whether it is up, whatever the administrator says.
    pub fn is_up(&self) -> bool {
        self.operational() != Operational::Stopped
    }

    /// Whether it is in maintenance.
    pub fn in_maintenance(&self) -> bool {
        self.admin() & admin::MAINT != 0
    }

    /// Whether it is drained.
    pub fn is_drained(&self) -> bool {
        self.admin() & admin::DRAIN != 0
    }

    /// Whether the balance algorithm may choose it.
    pub fn is_usable(&self) -> bool {
        self.usable.load(Relaxed)
    }

    /// Whether persistence may still send to it: up and not in maintenance.
    pub fn accepts_persistent(&self) -> bool {
        self.is_up() && !self.in_maintenance()
    }

    /// Sets the operational state; says whether it changed.
    pub fn set_operational(&self, state: Operational) -> bool {
        let before = self.is_running();
        let old = self.operational.swap(state as u8, Relaxed);
        self.refresh(before);
        old != state as u8
    }

    /// Starts in maintenance: down, but never gone down.
    pub fn start_in_maintenance(&self, bits: u8) {
        self.admin.fetch_or(bits, Relaxed);
        self.operational.store(Operational::Stopped as u8, Relaxed);
        self.usable.store(false, Relaxed);
        CHANGES.fetch_add(1, Release);
        self.health.lock().pause();
    }

    /// Sets and clears administrative bits; says whether anything changed.
    pub fn set_admin(&self, set: u8, clear: u8) -> bool {
        let before = self.is_running();
        let old = self.admin.load(Relaxed);
        let new = (old | set) & !clear;
        self.admin.store(new, Relaxed);
        self.refresh(before);
        old != new
    }

    /// Sets the operational state of something that starts, which does not count as going down.
    pub fn begin_as(&self, state: Operational) {
        self.operational.store(state as u8, Relaxed);
        self.refresh(self.is_running());
    }

    /// Its share of its weight has grown (`slowstart`).
    pub fn has_grown(&self) {
        self.refresh(self.is_running());
    }

    /// Weight as set by the operator.
    pub fn weight(&self) -> u32 {
        self.user_weight.load(Relaxed)
    }

    /// Sets the weight.
    pub fn set_weight(&self, weight: u32) {
        let before = self.is_running();
        self.user_weight.store(weight, Relaxed);
        self.refresh(before);
    }

    fn is_running(&self) -> bool {
        self.is_up() && !self.in_maintenance()
    }

    /// Recomputes what depends on the state; counts a change between up and down.
    fn refresh(&self, was_running: bool) {
        let running = self.is_running();
        let weight = self.user_weight.load(Relaxed);
        let stopping = self.operational() == Operational::Stopping;
        self.usable.store(running && !self.is_drained() && !stopping && weight > 0, Relaxed);
        self.generation.fetch_add(1, Relaxed);
        CHANGES.fetch_add(1, Release);
        self.changed.notify_waiters();
        if running == was_running {
            return;
        }
        let now = now();
        let mut change = self.change.lock();
        if running {
            change.down_ms += now.abs_diff(change.at_ms);
        } else {
            change.downs += 1;
        }
        change.at_ms = now;
    }

    /// Seconds since the last change between up and down.
    pub fn last_change(&self, now_ms: u64) -> u64 {
        Change::since(self.change.lock().at_ms, now_ms) / 1000
    }

    /// The last change between up and down was so many seconds ago.
    pub fn changed_before(&self, seconds: u64) {
        let millis = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX / 2);
        self.change.lock().at_ms = now().saturating_sub(millis);
    }

    /// Seconds spent down since start.
    pub fn down_time(&self, now_ms: u64) -> u64 {
        let change = *self.change.lock();
        let now = if self.is_running() { 0 } else { Change::since(change.at_ms, now_ms) };
        (change.down_ms + now) / 1000
    }

    /// How many times it went down.
    pub fn downs(&self) -> u64 {
        self.change.lock().downs
    }
}
