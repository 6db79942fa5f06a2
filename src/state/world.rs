//! The running configuration: one immutable `World`, built from a `Spec`, swapped as a whole. What
//! people change while it runs lives in cells of its own (`ServerStatus`, counters, tables), shared
//! from one `World` to the next by name.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use crate::check::Check;
use crate::check::observe::Observe;
use crate::check::slowstart::Ramp;
use crate::config::environment::Environment;
use crate::config::global::Global;
use crate::config::outside::Bound;
use crate::config::proxy::Mode;
use crate::config::spec::{ProxyKind, ServerSpec};
use crate::control::cli::spec::CliSockets;
use crate::control::stats::StatsPage;
use crate::flow::balance::Balancer;
use crate::flow::http::options::HttpOptions;
use crate::flow::http::unique_id::UniqueId;
use crate::flow::listener::bind::Listener;
use crate::flow::log::Log;
use crate::flow::log::forward::Forwarder;
use crate::flow::log::ring::Sink;
use crate::flow::response::error_page::ErrorPages;
use crate::flow::response::monitor::Monitor;
use crate::flow::rules::Rules;
use crate::flow::rules::userlist::Userlist;
use crate::flow::server::persist::Persistence;
use crate::flow::server::pool::ServerPool;
use crate::flow::server::queue::Queue;
use crate::flow::server::resolution::ServerResolution;
use crate::flow::server::source::SourceSpec;
use crate::flow::session::filter::ProxyFilters;
use crate::flow::session::timeouts::Timeouts;
use crate::flow::transport::tuning::SocketTuning;
use crate::state::bad_message::LastBad;
use crate::state::cache::Cache;
use crate::state::clock;
use crate::state::counters::Counters;
use crate::state::map_file::References;
use crate::state::resolver::Resolvers;
use crate::state::server_status::{Operational, ServerStatus};
use crate::state::stick_table::StickTable;

/// The whole running configuration: the proxy graph.
#[derive(Debug, Default)]
pub struct World {
    /// Different for each one built in this process.
    pub generation: u64,
    /// What `global` says.
    pub global: Global,
    /// Where messages go that are about no proxy.
    pub log: Log,
    /// Whether some expression looks at requests' bodies.
    pub looks_at_bodies: bool,
    /// Whether some expression looks at responses' bodies.
    pub looks_at_response_bodies: bool,
    /// Every proxy, in the order of the configuration; indices are used as references.
    pub proxies: Vec<Proxy>,
    /// `userlist` sections by name.
    pub userlists: HashMap<String, Arc<Userlist>>,
    /// `log-forward` sections.
    pub forwarders: Vec<Arc<Forwarder>>,
    /// Rings and other places for messages.
    pub sinks: Vec<Arc<Sink>>,
    /// Stick tables by name.
    pub tables: HashMap<String, Arc<StickTable>>,
    /// Caches, in the order of the configuration.
    pub caches: Vec<Arc<Cache>>,
    /// `resolvers` sections, in their order.
    pub resolvers: Vec<Arc<Resolvers>>,
    /// What ACLs and maps look at.
    pub references: Arc<References>,
    /// The environment as `setenv` and its kin have left it.
    pub environment: Environment,
    /// The runtime sockets.
    pub cli: CliSockets,
    /// What was said of this configuration when it was loaded.
    pub startup_logs: String,
    /// Notices to print when this configuration starts to run.
    pub notices: Vec<String>,
}

impl World {
    /// The proxy of this name that has a backend side.
    pub fn backend(&self, name: &str) -> Option<&Proxy> {
        self.proxies.iter().find(|p| p.name == name && p.backend.is_some())
    }

    /// The proxy of this name that has a frontend side.
    pub fn frontend(&self, name: &str) -> Option<&Proxy> {
        self.proxies.iter().find(|p| p.name == name && p.frontend.is_some())
    }

    /// A server by the names of its backend and its own.
    pub fn server(&self, backend: &str, server: &str) -> Option<(&Proxy, &Server)> {
        let proxy = self.backend(backend)?;
        Some((proxy, proxy.servers().iter().find(|s| s.name == server)?))
    }
}

/// A frontend, a backend, or both.
#[derive(Debug)]
pub struct Proxy {
    /// Its place in `World::proxies`.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its section.
    pub kind: ProxyKind,
    /// `id`, given or counted.
    pub id: u32,
    /// What it speaks.
    pub mode: Mode,
    /// `disabled`: neither listens nor checks.
    pub disabled: bool,
    /// `description`
    pub description: Option<String>,
    /// `grace`
    pub grace: Duration,
    /// `retries`
    pub retries: u32,
    /// `timeout …`
    pub timeouts: Timeouts,
    /// `option …` that change how HTTP is handled.
    pub options: HttpOptions,
    /// `unique-id-format`, `unique-id-header`
    pub unique_id: Option<Box<UniqueId>>,
    /// `monitor-uri`, `monitor fail`
    pub monitor: Option<Box<Monitor>>,
    /// ACLs and rule sets.
    pub rules: Rules,
    /// Where and what to log.
    pub log: Log,
    /// Pages for errors.
    pub error_pages: ErrorPages,
    /// `filter`, `compression`, `None` when nothing of the kind is written.
    pub filters: Option<Box<ProxyFilters>>,
    /// The statistics page, if it is enabled here.
    pub stats: Option<Arc<StatsPage>>,
    /// The side that accepts.
    pub frontend: Option<Frontend>,
    /// The side that has servers.
    pub backend: Option<Backend>,
    /// Its own stick table.
    pub table: Option<Arc<StickTable>>,
}

impl Proxy {
    /// Its servers; none for a plain frontend.
    pub fn servers(&self) -> &[Server] {
        self.backend.as_ref().map_or(&[], |b| &b.servers)
    }

    /// Its listeners; none for a plain backend.
    pub fn listeners(&self) -> &[Arc<Listener>] {
        self.frontend.as_ref().map_or(&[], |f| &f.listeners)
    }
}

/// The accepting side of a proxy.
#[derive(Debug)]
pub struct Frontend {
    /// Where it listens.
    pub listeners: Vec<Arc<Listener>>,
    /// The open socket of each listener, `None` when only checking a configuration. Connections hold
    /// their listener, but not this: a socket that leaves the configuration is closed at once.
    pub sockets: Vec<Option<Bound>>,
    /// `default_backend`, as an index into `World::proxies`; a `listen` without one is its own.
    pub default_backend: Option<usize>,
    /// What is asked of each client's socket.
    pub tuning: Option<Box<SocketTuning>>,
    /// Statistics and limits that outlive a reload.
    pub state: Arc<FrontendState>,
}

/// What a frontend keeps across reloads.
#[derive(Debug, Default)]
pub struct FrontendState {
    /// Statistics.
    pub counters: Counters,
    /// The last request that could not be parsed.
    pub last_bad: LastBad,
    /// `maxconn`, which the runtime socket can change.
    pub maxconn: AtomicU32,
    /// `rate-limit sessions`; 0 for none.
    pub rate_limit: AtomicU32,
    /// Stopped by `disable frontend` or `SIGTTOU`: listens, but does not accept.
    pub paused: AtomicBool,
    /// Closed for good by `shutdown frontend`.
    pub stopped: AtomicBool,
}

/// The side of a proxy that has servers.
#[derive(Debug)]
pub struct Backend {
    /// Its servers, in their order.
    pub servers: Vec<Server>,
    /// Keeps clients on their server, `None` when nothing of the kind is written.
    pub persistence: Option<Box<Persistence>>,
    /// Chooses among the usable servers.
    pub balancer: Box<dyn Balancer>,
    /// Whether a hash of the request chooses, which `prefer-last-server` does not overrule.
    pub chosen_by_hash: bool,
    /// `balance`, as the statistics name it.
    pub algorithm: &'static str,
    /// `dispatch`, `transparent`: where requests go that are bound to no server, without balancing.
    pub elsewhere: Option<Box<Server>>,
    /// `option redispatch`: every so many retries (1 for each), the last one when negative; 0 never.
    pub redispatch: i32,
    /// What health checks do here.
    pub check: Check,
    /// `fullconn`; 0 when not given, see `full_at`.
    pub fullconn: u32,
    /// The frontends that may send to it.
    pub fed: Fed,
    /// Requests that wait for any server.
    pub queue: Arc<Queue>,
    /// Statistics that outlive a reload.
    pub state: Arc<BackendState>,
}

/// The limits of the frontends that may send to a backend.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fed {
    /// Sum of the limits that were given.
    pub limited: u64,
    /// How many frontends have none of their own.
    pub unlimited: u64,
}

impl Backend {
    /// How many sessions it takes to be full: `fullconn`, or a tenth of what the frontends that may
    /// send to it may have (manual 4.2 "fullconn").
    pub fn full_at(&self, global_maxconn: u32) -> u32 {
        if self.fullconn > 0 {
            return self.fullconn;
        }
        let sum = self.fed.limited + self.fed.unlimited * u64::from(global_maxconn);
        u32::try_from(sum.div_ceil(10).max(1)).unwrap_or(u32::MAX)
    }
}

/// What a backend keeps across reloads.
#[derive(Debug)]
pub struct BackendState {
    /// Statistics.
    pub counters: Counters,
    /// Changes between up and down: as for a server.
    pub status: ServerStatus,
    /// The last response that could not be parsed.
    pub last_bad: LastBad,
}

/// A server of a backend.
#[derive(Debug)]
pub struct Server {
    /// Its place in `Backend::servers`.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// `id`, given or counted.
    pub id: u32,
    /// `backup`
    pub backup: bool,
    /// How its name is resolved while it runs, `None` when it is not.
    pub resolution: Option<Box<ServerResolution>>,
    /// `+5` or `-5` or no port: the client's port plus this is taken.
    pub port_offset: Option<i32>,
    /// `maxqueue`; 0 for none.
    pub maxqueue: u32,
    /// `minconn`: the limit grows with the backend's load; `None` for a fixed limit.
    pub growing: Option<Box<GrowingLimit>>,
    /// Where connections come from, `None` when the system chooses.
    pub source: Option<Arc<SourceSpec>>,
    /// Whether idle connections may be kept (`pool-max-conn 0` says no).
    pub pool_max: Option<u32>,
    /// What is asked of each socket to it.
    pub tuning: Option<Box<SocketTuning>>,
    /// Checks of this server, `None` without `check`.
    pub check: Option<crate::check::ServerCheck>,
    /// `track`: the server whose state it takes over, as the indices of its proxy and its own.
    pub tracked: Option<(usize, usize)>,
    /// How traffic tells its health, `None` without `observe`.
    pub observe: Option<Observe>,
    /// How its agent is asked, `None` without `agent-check`.
    pub agent: Option<Box<crate::check::ServerCheck>>,
    /// State that outlives a reload.
    pub status: Arc<ServerStatus>,
    /// Its idle connections.
    pub pool: Arc<ServerPool>,
    /// Requests that wait for this server.
    pub queue: Arc<Queue>,
    /// What was written: a reload keeps the state of a server whose line is unchanged.
    pub spec: ServerSpec,
}

/// What a limit that grows depends on (manual 5.2 "minconn").
#[derive(Debug)]
pub struct GrowingLimit {
    /// The limit at low load.
    pub least: u32,
    /// Sessions of the backend at which the limit has grown to `maxconn`.
    pub full_at: u32,
    /// The backend whose sessions count.
    pub backend: Arc<BackendState>,
}

impl Server {
    /// Where it stands while it ramps up.
    pub fn ramp(&self) -> Option<Ramp> {
        let length = self.spec.check.slowstart?;
        let starting = self.status.operational() == Operational::Starting;
        starting.then(|| Ramp { elapsed: self.status.last_change(clock::now_ms()), length })
    }

    /// Its weight in parts of `scale`, fewer of them while it ramps up.
    pub fn weight_in_parts(&self, scale: u32) -> u32 {
        self.status.weight() * self.ramp().map_or(scale, |ramp| ramp.parts(scale))
    }

    /// How many sessions it may have now; 0 for no limit.
    pub fn limit(&self) -> u32 {
        let limit = self.full_limit();
        match self.ramp() {
            Some(ramp) if limit > 0 => ramp.limit(limit),
            _ => limit,
        }
    }

    fn full_limit(&self) -> u32 {
        let most = self.status.maxconn.load(std::sync::atomic::Ordering::Relaxed);
        let Some(growing) = self.growing.as_ref().filter(|g| g.least < most) else { return most };
        let sessions = u64::from(growing.backend.counters.sessions.get());
        let full = u64::from(growing.full_at);
        if sessions >= full {
            return most;
        }
        let grown = sessions * u64::from(most) / full;
        u32::try_from(grown).unwrap_or(most).max(growing.least)
    }

    /// Whether it can take one more session at once: its `maxconn` is not reached and nobody waits.
    pub fn has_room(&self) -> bool {
        let limit = self.limit();
        let counters = &self.status.counters;
        limit == 0 || (counters.queued.get() == 0 && counters.sessions.get() < limit)
    }
}
