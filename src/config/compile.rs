//! A `Spec` becomes a `World`: names are resolved, sockets bound, and what has an identity is
//! adopted from the `World` before (DESIGN: reload).

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::config::address::{AddressSpec, HostSpec, PortsSpec};
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::outside::{Bound, Listen, Outside};
use crate::config::proxy::Mode;
use crate::config::spec::{ProxyKind, ProxySpec, ServerSpec, Spec};
use crate::control::cli::spec::CliSpec;
use crate::flow::http::options::HttpOptions;
use crate::flow::listener::bind::Listener;
use crate::flow::log::forward::Forwarder;
use crate::flow::log::ring::{self, Sink};
use crate::flow::response::cache;
use crate::flow::rules::first::FirstOf;
use crate::flow::rules::switch::Switch;
use crate::flow::rules::userlist::Userlist;
use crate::flow::rules::{self, Rule, RuleSets, Rules, condition, switch};
use crate::flow::server::options::ServerOptionsSpec;
use crate::flow::server::pool::ServerPool;
use crate::flow::server::resolution::Beginning;
use crate::flow::server::stick;
use crate::flow::session::request_body;
use crate::flow::session::timeouts::Timeouts;
use crate::flow::transport::tuning::SocketTuning;
use crate::sample::fetch::body;
use crate::state::bad_message::LastBad;
use crate::state::cache::Cache;
use crate::state::counters::Counters;
use crate::state::map_file::loading;
use crate::state::resolver::{self, Resolvers};
use crate::state::server_file::{self, States};
use crate::state::server_status::{Operational, ServerAddress, ServerStatus, admin};
use crate::state::stick_table::{Data, StickTable};
use crate::state::world::{
    Backend, BackendState, Fed, Frontend, GrowingLimit, Proxy, Server, World,
};

/// Numbers the worlds of this process.
static GENERATION: AtomicU64 = AtomicU64::new(1);

/// How a configuration is compiled.
#[derive(Debug, Clone, Copy)]
pub struct Purpose {
    /// Whether listening sockets are opened; `-c` does not.
    pub bind: bool,
    /// CPUs this process may use.
    pub cpus: usize,
    /// Whether servers whose names cannot be resolved start in maintenance (`-dr`).
    pub tolerates_names: bool,
}

/// A compilation in progress.
pub struct Compiler<'a> {
    /// What was written.
    pub spec: &'a Spec,
    /// The world outside.
    pub outside: &'a mut dyn Outside,
    /// What ran before, whose state is adopted.
    pub previous: Option<&'a World>,
    /// Where messages go.
    pub diagnostics: &'a mut Diagnostics,
    /// What for.
    pub purpose: Purpose,
    /// Rings and other places for messages.
    pub sinks: Vec<Arc<Sink>>,
    /// Stick tables by name.
    pub tables: HashMap<String, Arc<StickTable>>,
    /// This host's name.
    pub hostname: String,
    /// Caches, in the order of the configuration.
    pub caches: Vec<Arc<Cache>>,
    /// `resolvers` sections, in their order.
    resolvers: Vec<Arc<Resolvers>>,
    /// What server-state files say.
    states: States,
    /// Whether the first address of some server could not be found.
    addresses_failed: bool,
    names: HashMap<&'a str, Vec<usize>>,
    /// Backends by name, for names that are made at run time.
    backends: Option<Arc<HashMap<Box<[u8]>, usize>>>,
}

/// What ends a list of servers whose addresses could not be found.
pub const ADDRESSES_FAILED: &str = "Failed to initialize server(s) addr.";

/// Builds the `World`; `None` when an alert was added to the diagnostics.
pub fn compile(
    spec: &Spec,
    outside: &mut dyn Outside,
    previous: Option<&World>,
    purpose: Purpose,
    diagnostics: &mut Diagnostics,
) -> Option<World> {
    let mut names: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, proxy) in spec.proxies.iter().enumerate() {
        names.entry(&proxy.name).or_default().push(index);
    }
    let tables = HashMap::new();
    let backends = None;
    let sinks = ring::compile(spec, previous.map_or(&[], |world| &world.sinks), outside);
    let hostname = outside.hostname();
    let caches = cache::compile_all(spec, previous);
    let resolvers = resolver::section::compile_all(spec, previous);
    let mut compiler = Compiler {
        spec,
        outside,
        previous,
        diagnostics,
        purpose,
        sinks,
        tables,
        hostname,
        caches,
        resolvers,
        states: States::default(),
        addresses_failed: false,
        names,
        backends,
    };
    compiler.compile_tables();
    let ids = compiler.proxy_ids();
    compiler.states =
        server_file::read(spec, &ids, &mut *compiler.outside, &mut *compiler.diagnostics);
    let mut proxies: Vec<Proxy> = spec
        .proxies
        .iter()
        .enumerate()
        .map(|(index, proxy)| compiler.proxy(index, proxy, ids.get(index).copied().unwrap_or(0)))
        .collect();
    if compiler.addresses_failed {
        compiler.diagnostics.push(Diagnostic::alert(None, ADDRESSES_FAILED));
    }
    let cli = spec.global.cli.compile(&mut compiler);
    let maxconn = spec.global.compile(purpose.cpus, String::new()).maxconn;
    feed_backends(&mut proxies, maxconn);
    track_servers(&mut proxies);
    let log = spec.global.log.compile(&mut compiler);
    let forwarders = Forwarder::compile_all(&mut compiler);
    let Compiler { tables, sinks, caches, hostname, resolvers, .. } = compiler;
    if diagnostics.refused() {
        return None;
    }
    let global = spec.global.compile(purpose.cpus, hostname);
    let generation = GENERATION.fetch_add(1, Relaxed);
    let environment = spec.environment.clone();
    let notices = spec.notices();
    let references = loading::references();
    Some(World {
        generation,
        userlists: Userlist::compile_all(spec),
        global,
        environment,
        log,
        looks_at_bodies: body::LOOKED_AT.load(Relaxed),
        looks_at_response_bodies: body::RESPONSES_LOOKED_AT.load(Relaxed),
        proxies,
        forwarders,
        sinks,
        tables,
        caches,
        resolvers,
        references,
        cli,
        notices,
        startup_logs: String::new(),
    })
}

impl Compiler<'_> {
    /// The index of a proxy by name, with the side that is wanted.
    pub fn find(&self, name: &str, side: fn(ProxyKind) -> bool) -> Option<usize> {
        let list = self.names.get(name)?;
        list.iter().copied().find(|i| self.spec.proxies.get(*i).is_some_and(|p| side(p.kind)))
    }

    /// The `resolvers` section of this name.
    pub fn resolvers(&self, name: &str) -> Option<Arc<Resolvers>> {
        self.resolvers.iter().find(|resolvers| resolvers.spec.name == name).cloned()
    }

    /// Threads that will run traffic.
    fn threads(&self) -> usize {
        self.spec.global.compile(self.purpose.cpus, String::new()).threads
    }

    fn compile_tables(&mut self) {
        let of_proxies = self.spec.proxies.iter();
        let of_proxies = of_proxies.filter_map(|p| Some((&p.name, p.stick_table.as_ref()?)));
        let of_peers = self.spec.sections.iter().flat_map(|section| &section.tables);
        for (name, spec) in of_proxies.chain(of_peers.map(|(name, spec)| (name, spec))) {
            let previous = self.previous.and_then(|w| w.tables.get(name));
            let mut spec = spec.clone();
            if stick::names_table(&self.spec.proxies, name) {
                spec.store(Data::ServerId, 0);
                spec.store(Data::ServerName, 0);
            }
            self.tables.insert(name.clone(), spec.compile(name, previous));
        }
    }

    /// Given ids stay; the others get the lowest free numbers in order.
    fn proxy_ids(&self) -> Vec<u32> {
        let given: Vec<_> = self.spec.proxies.iter().map(|p| p.basics.id).collect();
        // The runtime sockets' own frontend has number 0 but takes a place.
        let first = if self.spec.global.cli == CliSpec::default() { 1 } else { 2 };
        number(first, &given)
    }

    fn proxy(&mut self, index: usize, spec: &ProxySpec, id: u32) -> Proxy {
        let mode = spec.basics.mode;
        let mut rules = self.rules(spec);
        rules.switching = self.switching(spec, mode, &rules.acls);
        let conditions = rules.switching.iter().map(|rule| rule.condition.as_ref());
        rules.first_switch = FirstOf::compile(conditions);
        let log = spec.log.compile(spec, self);
        let stats = spec.stats.compile(spec, self);
        let frontend = spec.kind.has_frontend().then(|| self.frontend(index, spec));
        let backend = spec.kind.has_backend().then(|| self.backend(spec, &rules.acls));
        Proxy {
            index,
            name: spec.name.clone(),
            kind: spec.kind,
            id,
            mode,
            disabled: spec.basics.disabled,
            description: spec.basics.description.clone(),
            grace: spec.pace.grace,
            // A frontend alone connects to nothing, which its log lines show.
            retries: if spec.kind.has_backend() { spec.basics.retries.unwrap_or(3) } else { 0 },
            timeouts: Timeouts {
                independent: spec.options.is_on("independent-streams"),
                ..spec.timeouts.compile()
            },
            options: HttpOptions {
                buffer_request: request_body::is_awaited(spec),
                ..HttpOptions::compile(&spec.options, &spec.http, &self.spec.global.case_adjust)
            },
            unique_id: spec.unique_id.compile(spec, self),
            monitor: spec.monitor.compile(spec, &rules.acls, self),
            rules,
            log,
            error_pages: spec.error_pages.compile(&spec.name, self),
            filters: spec.filters.compile(&spec.name, self.purpose.bind),
            stats,
            frontend,
            backend,
            table: self.tables.get(&spec.name).cloned(),
        }
    }

    fn rules(&mut self, spec: &ProxySpec) -> Rules {
        let acls = condition::compile_acls(&spec.rules.acls);
        Rules {
            tcp_request_connection: self.rule_set(spec, RuleSets::TCP_REQUEST_CONNECTION, &acls),
            tcp_request_session: self.rule_set(spec, RuleSets::TCP_REQUEST_SESSION, &acls),
            tcp_request_content: self.rule_set(spec, RuleSets::TCP_REQUEST_CONTENT, &acls),
            tcp_response_content: self.rule_set(spec, RuleSets::TCP_RESPONSE_CONTENT, &acls),
            http_request: self.rule_set(spec, RuleSets::HTTP_REQUEST, &acls),
            http_response: self.rule_set(spec, RuleSets::HTTP_RESPONSE, &acls),
            http_after_response: self.rule_set(spec, RuleSets::HTTP_AFTER_RESPONSE, &acls),
            switching: Vec::new(),
            first_switch: FirstOf::default(),
            inspect_request: spec.rules.inspect_request,
            inspect_response: spec.rules.inspect_response,
            redirects: self.rule_list(spec.rules.redirects.iter(), &acls),
            captures: spec.rules.captures.compile(spec, self),
            acls,
        }
    }

    fn rule_set(
        &mut self,
        spec: &ProxySpec,
        set: RuleSets,
        acls: &[Arc<condition::Acl>],
    ) -> Vec<Rule> {
        self.rule_list(spec.rules.of(set), acls)
    }

    fn rule_list<'r>(
        &mut self,
        specs: impl Iterator<Item = &'r rules::RuleSpec>,
        acls: &[Arc<condition::Acl>],
    ) -> Vec<Rule> {
        let mut list = Vec::new();
        for rule in specs {
            match self.rule(rule, acls) {
                Ok(rule) => list.push(rule),
                Err(diagnostic) => self.diagnostics.push(diagnostic),
            }
        }
        list
    }

    fn rule(
        &mut self,
        spec: &rules::RuleSpec,
        acls: &[Arc<condition::Acl>],
    ) -> Result<Rule, Diagnostic> {
        let condition = spec.condition.as_ref().map(|c| condition::compile(c, acls)).transpose()?;
        Ok(Rule { action: spec.action.compile(self)?, condition })
    }

    fn switching(
        &mut self,
        spec: &ProxySpec,
        mode: Mode,
        acls: &[Arc<condition::Acl>],
    ) -> Vec<switch::Switch> {
        let mut list = Vec::new();
        for (backend, condition) in &spec.rules.switching.rules {
            let condition = condition.as_ref().map(|c| condition::compile(c, acls)).transpose();
            let target = match &backend.format {
                Some(format) => {
                    Some(switch::Target::Named(format.clone(), self.backends_by_name()))
                }
                None => self
                    .backend_named(spec, mode, backend, "unable to find required use_backend")
                    .map(switch::Target::Fixed),
            };
            match (target, condition) {
                (Some(target), Ok(condition)) => list.push(switch::Switch { target, condition }),
                (_, Err(diagnostic)) => self.diagnostics.push(diagnostic),
                (None, _) => {}
            }
        }
        list
    }

    fn backends_by_name(&mut self) -> Arc<HashMap<Box<[u8]>, usize>> {
        if let Some(names) = &self.backends {
            return names.clone();
        }
        let proxies = self.spec.proxies.iter().enumerate().rev();
        let backends = proxies.filter(|(_, p)| p.kind.has_backend());
        let names = backends.map(|(index, p)| (p.name.as_bytes().into(), index)).collect();
        self.backends.insert(Arc::new(names)).clone()
    }

    fn backend_named(
        &mut self,
        spec: &ProxySpec,
        mode: Mode,
        wanted: &switch::BackendName,
        missing: &str,
    ) -> Option<usize> {
        let found = self.find(&wanted.name, ProxyKind::has_backend);
        let kind = spec.kind.word();
        let text = match found.and_then(|i| self.spec.proxies.get(i)) {
            None => format!("{kind} '{}' : {missing}: '{}'.", spec.name, wanted.name),
            Some(backend) if mode == Mode::Http && backend.basics.mode != mode => format!(
                "{} {} '{}' ({}:{}) tries to use incompatible {} {} '{}' ({}:{}) in a 'use_backend' rule (see 'mode').",
                mode.word(),
                kind,
                spec.name,
                spec.place.file,
                spec.place.line,
                backend.basics.mode.word(),
                backend.kind.word(),
                backend.name,
                backend.place.file,
                backend.place.line,
            ),
            Some(_) => return found,
        };
        self.diagnostics.push(Diagnostic::alert(Some(&wanted.place), text));
        None
    }

    fn frontend(&mut self, index: usize, spec: &ProxySpec) -> Frontend {
        let default_backend = match &spec.rules.switching.default {
            Some(wanted) => {
                let missing = "unable to find required default_backend";
                self.backend_named(spec, spec.basics.mode, wanted, missing)
            }
            None => spec.kind.has_backend().then_some(index),
        };
        let before = self.previous.and_then(|w| w.frontend(&spec.name));
        let state =
            before.and_then(|p| p.frontend.as_ref()).map_or_else(Arc::default, |f| f.state.clone());
        state.maxconn.store(spec.basics.maxconn.unwrap_or(0), Relaxed);
        state.rate_limit.store(spec.pace.sessions, Relaxed);
        let (listeners, sockets) = match spec.basics.disabled {
            true => Default::default(),
            false => self.listeners(index, spec, before),
        };
        let tuning = SocketTuning::of_clients(spec, &self.spec.global.kernel_buffers);
        Frontend { listeners, sockets, default_backend, tuning, state }
    }

    fn listeners(
        &mut self,
        proxy: usize,
        spec: &ProxySpec,
        before: Option<&Proxy>,
    ) -> (Vec<Arc<Listener>>, Vec<Option<Bound>>) {
        let mut list: Vec<Arc<Listener>> = Vec::new();
        let mut sockets = Vec::new();
        for bind in &spec.binds {
            let listens = match bind.listens() {
                Ok(listens) => listens,
                Err(diagnostic) => {
                    self.diagnostics.push(diagnostic);
                    continue;
                }
            };
            for listen in listens {
                let id = bind.id.unwrap_or(list.len() as u32 + 1);
                let name = bind.name.clone().unwrap_or_else(|| format!("sock-{id}"));
                let old = before.and_then(|p| p.listeners().iter().find(|l| l.name == name));
                sockets.push(self.open(spec, &listen));
                list.push(Arc::new(Listener {
                    id,
                    proxy,
                    listen,
                    proxy_name: spec.name.clone(),
                    is_named: bind.name.is_some(),
                    maxconn: bind.maxconn.unwrap_or(0),
                    expected: bind.expected,
                    counters: old.map_or_else(Arc::default, |l| l.counters.clone()),
                    name,
                }));
            }
        }
        (list, sockets)
    }

    fn open(&mut self, spec: &ProxySpec, listen: &Listen) -> Option<Bound> {
        if !self.purpose.bind {
            return None;
        }
        let who = format!("Starting {} {}", spec.kind.word(), spec.name);
        let mut listen = listen.clone();
        listen.options.no_reuse_port |= self.spec.global.no_reuse_port;
        listen.options.backlog = listen.options.backlog.or(spec.basics.backlog);
        match self.outside.bind(&listen) {
            Ok(bound) => {
                for warning in &bound.warnings {
                    self.diagnostics.push(Diagnostic::warning(None, format!("{who}: {warning}")));
                }
                Some(bound)
            }
            Err(e) => {
                self.diagnostics.push(Diagnostic::alert(None, format!("{who}: {e}")));
                None
            }
        }
    }

    fn backend(&mut self, spec: &ProxySpec, acls: &[Arc<condition::Acl>]) -> Backend {
        let before = self.previous.and_then(|w| w.backend(&spec.name));
        let check = spec.check.compile(spec, self);
        let given: Vec<_> = spec.servers.iter().map(|s| s.id).collect();
        let ids = number(1, &given);
        let servers: Vec<Server> = spec
            .servers
            .iter()
            .enumerate()
            .map(|(index, server)| {
                let id = ids.get(index).copied().unwrap_or(0);
                self.server(index, id, spec, server, before)
            })
            .collect();
        let is_fresh = |server: &Server| {
            let mut old = before.iter().flat_map(|p| p.servers());
            !old.any(|old| Arc::ptr_eq(&old.status, &server.status))
        };
        self.states.apply(spec, &servers, is_fresh, self.diagnostics);
        let algorithm = spec.balance.algorithm();
        let balancer = (algorithm.build)(&spec.balance, &servers);
        let old = before.and_then(|p| p.backend.as_ref());
        let state = old.map_or_else(
            || {
                let status = ServerStatus::new(ServerAddress::None, 1);
                Arc::new(BackendState {
                    counters: Counters::default(),
                    status,
                    last_bad: LastBad::default(),
                })
            },
            |b| b.state.clone(),
        );
        let any = servers.is_empty() || servers.iter().any(|s| s.status.is_usable());
        state.status.begin_as(if any { Operational::Running } else { Operational::Stopped });
        Backend {
            persistence: spec.persistence.compile(spec, acls, self),
            elsewhere: elsewhere(spec).map(|e| Box::new(self.server(ELSEWHERE, 0, spec, &e, None))),
            balancer,
            chosen_by_hash: !PICKED_FREELY.contains(&algorithm.name),
            algorithm: algorithm.name,
            redispatch: spec.http.redispatch.unwrap_or(0),
            check,
            fullconn: spec.basics.fullconn.unwrap_or(0),
            fed: Fed::default(),
            queue: old.map_or_else(Arc::default, |b| b.queue.clone()),
            state,
            servers,
        }
    }

    fn server(
        &mut self,
        index: usize,
        id: u32,
        proxy: &ProxySpec,
        spec: &ServerSpec,
        before: Option<&Proxy>,
    ) -> Server {
        let old = before.and_then(|p| p.servers().iter().find(|s| s.name == spec.name));
        let status = match old.filter(|o| o.spec == *spec) {
            Some(unchanged) => unchanged.status.clone(),
            None => {
                let last = self.states.last_address(&proxy.name, &spec.name);
                let beginning = spec.begin(proxy, last, self).unwrap_or_else(|diagnostic| {
                    self.addresses_failed = true;
                    self.diagnostics.push(diagnostic);
                    Beginning { address: ServerAddress::None, host: None }
                });
                Arc::new(spec.fresh_status(&beginning))
            }
        };
        let same_address = old.filter(|o| **o.status.address.load() == **status.address.load());
        Server {
            index,
            name: spec.name.clone(),
            id,
            backup: spec.backup,
            resolution: spec.resolution(self),
            port_offset: spec.port_offset(),
            maxqueue: spec.maxqueue.unwrap_or(0),
            growing: None,
            source: spec.source.clone().or_else(|| proxy.source.clone()).map(Arc::new),
            pool_max: spec.pool_max_conn.and_then(|n| u32::try_from(n).ok()),
            tuning: SocketTuning::of_server(proxy, spec, &self.spec.global.kernel_buffers),
            check: spec.check.compile(proxy, spec),
            agent: spec.check.compile_agent(),
            tracked: None,
            observe: spec.check.observe(),
            pool: same_address
                .map_or_else(|| Arc::new(ServerPool::new(self.threads())), |o| o.pool.clone()),
            queue: old.map_or_else(Arc::default, |o| o.queue.clone()),
            status,
            spec: spec.clone(),
        }
    }
}

impl ServerSpec {
    /// The state of a server that starts.
    fn fresh_status(&self, beginning: &Beginning) -> ServerStatus {
        let address = &beginning.address;
        let status = ServerStatus::new(address.clone(), self.weight.unwrap_or(1));
        status.host.store(beginning.host.clone().map(Arc::new));
        // A limit that is only given for low load is the limit.
        let limit = self.maxconn.unwrap_or(0).max(self.minconn.unwrap_or(0));
        status.maxconn.store(limit, Relaxed);
        *status.health.lock() = self.check.first_health();
        *status.agent.lock() = self.check.first_agent();
        if self.disabled {
            status.start_in_maintenance(admin::CONFIG_MAINT | admin::FORCED_MAINT);
        }
        if matches!(address, ServerAddress::None | ServerAddress::Named(_)) {
            status.start_in_maintenance(admin::RESOLUTION_MAINT);
        }
        status
    }
}

/// Algorithms that do not hash.
const PICKED_FREELY: &[&str] = &["roundrobin", "static-rr", "leastconn", "first", "random"];

/// The index of what is no server but a mere destination.
pub const ELSEWHERE: usize = usize::MAX;

/// `dispatch` or `transparent` as a server; `balance` overrules them.
fn elsewhere(spec: &ProxySpec) -> Option<ServerSpec> {
    let by_target = spec.options.is_on("http_proxy");
    if !spec.balance.words.is_empty() && !by_target {
        return None;
    }
    let transparent = by_target || spec.options.is_on("transparent");
    let own = AddressSpec::Inet {
        host: HostSpec::Literal(Ipv4Addr::UNSPECIFIED.into()),
        ports: PortsSpec::None,
    };
    let address = match transparent {
        true => own,
        false => spec.dispatch.clone()?,
    };
    let options = ServerOptionsSpec { pool_max_conn: Some(0), ..ServerOptionsSpec::default() };
    Some(ServerSpec { name: "<dispatch>".into(), address, place: spec.place.clone(), options })
}

/// Given numbers stay; each other one gets the lowest free number that is not below its place.
fn number(first: u32, given: &[Option<u32>]) -> Vec<u32> {
    let taken: std::collections::HashSet<u32> = given.iter().flatten().copied().collect();
    let mut next = first;
    let mut list = Vec::with_capacity(given.len());
    for id in given {
        if id.is_none() {
            while taken.contains(&next) {
                next += 1;
            }
        }
        list.push(id.unwrap_or(next));
        next += 1;
    }
    list
}

/// Tells each server that tracks another one where that is (manual 5.2 "track").
fn track_servers(proxies: &mut [Proxy]) {
    let find = |own: usize, wanted: &str| {
        let (proxy, server) = match wanted.rsplit_once('/') {
            None => (proxies.get(own), wanted),
            Some((name, server)) => {
                (proxies.iter().find(|p| p.name == name && p.backend.is_some()), server)
            }
        };
        let found = proxy?.servers().iter().find(|s| s.name == server)?;
        Some((proxy?.index, found.index))
    };
    let mut tracked = Vec::new();
    for proxy in proxies.iter() {
        let each = proxy.servers().iter().filter_map(|s| Some((s, s.spec.check.track.as_ref()?)));
        tracked.extend(each.map(|(s, wanted)| (proxy.index, s.index, find(proxy.index, wanted))));
    }
    for (proxy, server, found) in tracked {
        let backend = proxies.get_mut(proxy).and_then(|p| p.backend.as_mut());
        if let Some(server) = backend.and_then(|b| b.servers.get_mut(server)) {
            server.tracked = found;
        }
    }
}

/// Tells each backend which frontends may send to it: their limits give its own (`fullconn`).
fn feed_backends(proxies: &mut [Proxy], maxconn: u32) {
    let mut fed: Vec<Fed> = vec![Fed::default(); proxies.len()];
    for proxy in proxies.iter() {
        let Some(frontend) = proxy.frontend.as_ref().filter(|_| !proxy.disabled) else { continue };
        let mut targets: Vec<usize> =
            proxy.rules.switching.iter().filter_map(Switch::fixed).collect();
        targets.extend(frontend.default_backend);
        targets.sort_unstable();
        targets.dedup();
        let limit = frontend.state.maxconn.load(Relaxed);
        for target in targets {
            if let Some(fed) = fed.get_mut(target) {
                fed.limited += u64::from(limit);
                fed.unlimited += u64::from(limit == 0);
            }
        }
    }
    for (proxy, fed) in proxies.iter_mut().zip(fed) {
        let Some(backend) = &mut proxy.backend else { continue };
        backend.fed = fed;
        let full_at = backend.full_at(maxconn);
        let state = &backend.state;
        for server in &mut backend.servers {
            server.growing = server
                .spec
                .minconn
                .filter(|n| *n > 0)
                .map(|least| Box::new(GrowingLimit { least, full_at, backend: state.clone() }));
        }
    }
}
