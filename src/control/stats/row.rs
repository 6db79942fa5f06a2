//! The rows of the statistics: in comes the `World`, out comes one row for each frontend, listener,
//! server and backend that a request asks for (management.txt 9.1 and 9.3 "show stat").

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;

use crate::check::{CheckStatus, Health, follow};
use crate::config::outside::ListenAddress;
use crate::config::proxy::Mode;
use crate::flow::listener::bind::Listener;
use crate::state::clock;
use crate::state::counters::Counters;
use crate::state::server_status::{Operational, ServerAddress, ServerStatus, admin};
use crate::state::world::{Backend, Frontend, Proxy, Server, World};

/// What a row is about.
#[derive(Debug, Clone, Copy)]
pub enum Object<'a> {
    /// The accepting side of a proxy.
    Frontend(&'a Frontend),
    /// One of its sockets.
    Listener(&'a Listener),
    /// A server.
    Server(&'a Server),
    /// The side of a proxy that has servers.
    Backend(&'a Backend),
}

/// One row, looked at now.
#[derive(Debug)]
pub struct Row<'a> {
    /// The configuration.
    pub world: &'a World,
    /// The proxy.
    pub proxy: &'a Proxy,
    /// What the row is about.
    pub object: Object<'a>,
    /// Its counters.
    pub counters: &'a Counters,
    /// What checks of the server have found; the default for everything else.
    pub health: Health,
    /// What its agent has said; of a server that tracks another one, that one's.
    pub agent: Health,
    /// The same of checks.
    pub judged: Health,
    /// Milliseconds on the process's clock.
    pub now_ms: u64,
    /// Whether addresses, cookies and algorithms are shown.
    pub legends: bool,
    /// Whether some servers are hidden: backends then tell how many are up.
    pub hides: bool,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection<'a> {
    /// One proxy, kinds and number, as `show stat <iid> <type> <sid>` gives them.
    pub bound: Option<Bound>,
    /// Leaves out servers that are down and stay so, and those in maintenance.
    pub hide_down: bool,
    /// Leaves out servers in maintenance.
    pub hide_maintenance: bool,
    /// Whether addresses, cookies and algorithms are shown.
    pub legends: bool,
    /// Only proxies whose name contains this text, whatever the case; empty for all.
    pub name_part: &'a str,
    /// `stats scope`: only proxies with these names.
    pub scope: Option<&'a [String]>,
    /// The proxy that `.` in the scope means.
    pub own: Option<&'a str>,
}

/// `show stat <iid> <type> <sid>`; -1 means all.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The proxy's number.
    pub iid: i64,
    /// Bits: 1 frontends, 2 backends, 4 servers, 8 listeners.
    pub kinds: i64,
    /// The server's or listener's number.
    pub sid: i64,
}

/// Numbers of the kinds of row, as in the column `type`.
pub mod kind {
    /// A frontend.
    pub const FRONTEND: u32 = 0;
    /// A backend.
    pub const BACKEND: u32 = 1;
    /// A server.
    pub const SERVER: u32 = 2;
    /// A listener.
    pub const LISTENER: u32 = 3;
}

impl<'a> Selection<'a> {
    /// The proxies that are shown.
    pub fn proxies(&self, world: &'a World) -> impl Iterator<Item = &'a Proxy> {
        let this = *self;
        world.proxies.iter().filter(move |proxy| this.wants_proxy(proxy))
    }

    fn wants_proxy(&self, proxy: &Proxy) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        let stopped = proxy.frontend.as_ref().is_some_and(|f| f.state.stopped.load(Relaxed));
        let in_scope = |name: &String| {
            *name == proxy.name || (name == "." && self.own == Some(proxy.name.as_str()))
        };
        let part = self.name_part.to_ascii_lowercase();
        !proxy.disabled
            && !stopped
            && self.scope.is_none_or(|list| list.iter().any(in_scope))
            && proxy.name.to_ascii_lowercase().contains(&part)
            && self.bound.is_none_or(|b| b.iid == -1 || b.iid == i64::from(proxy.id))
    }

    /// The rows of a proxy, in their order: frontend, listeners, servers, backend.
    pub fn rows(&self, world: &'a World, proxy: &'a Proxy) -> Vec<Row<'a>> {
        let mut objects = Vec::new();
        objects.extend(proxy.frontend.as_ref().map(Object::Frontend));
        if proxy.options.socket_stats {
            objects.extend(proxy.listeners().iter().map(|l| Object::Listener(l)));
        }
        objects.extend(proxy.servers().iter().map(Object::Server));
        objects.extend(proxy.backend.as_ref().map(Object::Backend));
        let now_ms = clock::now_ms();
        objects
            .into_iter()
            .map(|object| Row::new(world, proxy, object, now_ms, self))
            .filter(|row| self.wants(row))
            .collect()
    }

    fn wants(&self, row: &Row<'_>) -> bool {
        if let Some(bound) = self.bound {
            let numbered = matches!(row.object, Object::Listener(_) | Object::Server(_));
            let other = numbered && bound.sid != -1 && bound.sid != i64::from(row.id());
            if bound.kinds & (1 << row.kind()) == 0 || other {
                return false;
            }
        }
        let Object::Server(server) = row.object else { return true };
        let status = &server.status;
        let (check, agent) = (&row.judged, &row.agent);
        let watched = check.enabled || agent.enabled;
        let down = !status.is_up()
            && (!watched
                || (agent.enabled && agent.health == 0)
                || (check.enabled && check.health == 0));
        let maintained = status.in_maintenance();
        !(self.hide_down && (maintained || down)) && !(self.hide_maintenance && maintained)
    }
}

/// The server at the end of a chain of servers that track each other.
fn end_of_track<'w>(world: &'w World, mut server: &'w Server) -> &'w Server {
    while let Some((_, next)) = server.tracked.and_then(|place| follow::server_at(world, place)) {
        server = next;
    }
    server
}

impl<'a> Row<'a> {
    fn new(
        world: &'a World,
        proxy: &'a Proxy,
        object: Object<'a>,
        now_ms: u64,
        selection: &Selection<'_>,
    ) -> Row<'a> {
        let counters = match object {
            Object::Frontend(frontend) => &frontend.state.counters,
            Object::Listener(listener) => &*listener.counters,
            Object::Server(server) => &server.status.counters,
            Object::Backend(backend) => &backend.state.counters,
        };
        let health = match object {
            Object::Server(server) => server.status.health.lock().clone(),
            _ => Health::default(),
        };
        let (judged, agent) = match object {
            Object::Server(server) => {
                let source = end_of_track(world, server);
                let judged = source.status.health.lock().clone();
                (judged, source.status.agent.lock().health.clone())
            }
            _ => Default::default(),
        };
        let hides = selection.hide_down || selection.hide_maintenance;
        let legends = selection.legends;
        Row { world, proxy, object, counters, health, agent, judged, now_ms, legends, hides }
    }

    /// As in the column `svname`.
    pub fn name(&self) -> &'a str {
        match self.object {
            Object::Frontend(_) => "FRONTEND",
            Object::Listener(listener) => &listener.name,
            Object::Server(server) => &server.name,
            Object::Backend(_) => "BACKEND",
        }
    }

    /// As in the column `type`.
    pub fn kind(&self) -> u32 {
        match self.object {
            Object::Frontend(_) => kind::FRONTEND,
            Object::Backend(_) => kind::BACKEND,
            Object::Server(_) => kind::SERVER,
            Object::Listener(_) => kind::LISTENER,
        }
    }

    /// As in the column `sid`.
    pub fn id(&self) -> u32 {
        match self.object {
            Object::Listener(listener) => listener.id,
            Object::Server(server) => server.id,
            Object::Frontend(_) | Object::Backend(_) => 0,
        }
    }

    /// Whether the proxy speaks HTTP.
    pub fn http(&self) -> bool {
        self.proxy.mode == Mode::Http
    }

    /// The server, if the row is about one.
    pub fn server(&self) -> Option<&'a Server> {
        match self.object {
            Object::Server(server) => Some(server),
            _ => None,
        }
    }

    /// The server that this one tracks: `backend/server`.
    pub fn tracked(&self) -> Option<String> {
        let (proxy, server) = follow::server_at(self.world, self.server()?.tracked?)?;
        Some(format!("{}/{}", proxy.name, server.name))
    }

    /// The state of the server or backend.
    pub fn server_status(&self) -> Option<&'a ServerStatus> {
        match self.object {
            Object::Server(server) => Some(&server.status),
            Object::Backend(backend) => Some(&backend.state.status),
            _ => None,
        }
    }

    /// What checks have found, if they are enabled.
    pub fn checked(&self) -> Option<&Health> {
        Some(&self.health).filter(|h| h.enabled)
    }

    /// What checks have found, if they are enabled and do not rest.
    pub fn watched(&self) -> Option<&Health> {
        Some(&self.health).filter(|h| h.enabled && !h.paused)
    }

    /// What its agent has said, if it is listened to.
    pub fn asked(&self) -> Option<&Health> {
        let tracks = self.server().is_some_and(|s| s.tracked.is_some());
        Some(&self.agent).filter(|h| h.enabled && !h.paused && !tracks)
    }

    /// `L7OK`, or `* L7OK` while a check runs.
    pub fn check_status(health: &Health) -> Option<Cow<'static, str>> {
        let word = health.status.word();
        Some(if health.in_progress { format!("* {word}").into() } else { word.into() })
    }

    /// Milliseconds of the last check, once there was one.
    pub fn check_duration(health: &Health) -> Option<u64> {
        let health = Some(health).filter(|h| h.status >= CheckStatus::Checked)?;
        Some(u64::try_from(health.duration.unwrap_or_default().as_millis()).unwrap_or(u64::MAX))
    }

    /// `maxconn`, or `fullconn` of a backend; 0 for none.
    pub fn session_limit(&self) -> u32 {
        use std::sync::atomic::Ordering::Relaxed;
        match self.object {
            Object::Frontend(frontend) => match frontend.state.maxconn.load(Relaxed) {
                0 => self.world.global.maxconn,
                limit => limit,
            },
            Object::Listener(listener) => listener.maxconn,
            Object::Server(server) => server.status.maxconn.load(Relaxed),
            Object::Backend(backend) => backend.full_at(self.world.global.maxconn),
        }
    }

    /// `rate-limit sessions`; 0 for none.
    pub fn rate_limit(&self) -> u32 {
        let frontend = self.proxy.frontend.as_ref();
        frontend.map_or(0, |f| f.state.rate_limit.load(Relaxed))
    }

    /// The weight in use: a server's, or the sum over a backend's servers that take sessions.
    pub fn weight(&self) -> u32 {
        let Object::Backend(backend) = self.object else {
            return self.server_status().map_or(0, ServerStatus::weight);
        };
        let all = self.proxy.options.all_backups;
        crate::flow::balance::candidates(&backend.servers, all).map(|s| s.status.weight()).sum()
    }

    /// Active and backup: 1 and 0 or 0 and 1 for a server, numbers of usable ones for a backend.
    pub fn usable(&self) -> (u32, u32) {
        match self.object {
            Object::Server(server) => (u32::from(!server.backup), u32::from(server.backup)),
            Object::Backend(backend) => backend.usable_counts(),
            _ => (0, 0),
        }
    }

    /// As in the column `status`.
    pub fn status(&self) -> Cow<'static, str> {
        match self.object {
            Object::Frontend(_) => "OPEN".into(),
            Object::Listener(listener) => {
                let sessions = listener.counters.sessions.get();
                let free = listener.maxconn == 0 || sessions < listener.maxconn;
                if free { "OPEN".into() } else { "FULL".into() }
            }
            Object::Server(server) => self.server_word(&server.status),
            Object::Backend(backend) => self.backend_word(backend),
        }
    }

    fn backend_word(&self, backend: &Backend) -> Cow<'static, str> {
        let (active, backups) = backend.usable_counts();
        let up = active + backups > 0 || backend.servers.is_empty();
        let word = if up { "UP" } else { "DOWN" };
        if !self.hides {
            return word.into();
        }
        let alive = backend.servers.iter().filter(|s| s.status.is_up()).count();
        format!("{word} ({alive}/{})", backend.servers.len()).into()
    }

    fn server_word(&self, status: &ServerStatus) -> Cow<'static, str> {
        if status.admin() & admin::RESOLUTION_MAINT != 0 {
            return "MAINT (resolution)".into();
        }
        if status.in_maintenance() {
            let inherits = status.admin() & admin::INHERITED_MAINT != 0;
            return match self.tracked().filter(|_| inherits) {
                Some(tracked) => format!("MAINT (via {tracked})").into(),
                None => "MAINT".into(),
            };
        }
        let health = &self.judged;
        let full = !health.enabled || health.health == health.full();
        let towards_down = || {
            let left = (health.health + 1).saturating_sub(health.rise);
            format!("{left}/{}", health.fall)
        };
        match status.operational() {
            Operational::Stopped if self.agent.enabled && self.agent.health == 0 => {
                "DOWN (agent)".into()
            }
            Operational::Stopped
                if (health.enabled && health.health > 0)
                    || (self.agent.enabled && !health.enabled) =>
            {
                format!("DOWN {}/{}", health.health, health.rise).into()
            }
            Operational::Stopped => "DOWN".into(),
            Operational::Stopping if full => "NOLB".into(),
            Operational::Stopping => format!("NOLB {}", towards_down()).into(),
            _ if status.is_drained() && self.agent.enabled => "DRAIN (agent)".into(),
            _ if status.is_drained() && full => "DRAIN".into(),
            _ if status.is_drained() => format!("DRAIN {}", towards_down()).into(),
            _ if !health.enabled => "no check".into(),
            _ if full => "UP".into(),
            _ => format!("UP {}", towards_down()).into(),
        }
    }

    /// The address of a listener or server, when it may be shown.
    pub fn address(&self) -> Option<Cow<'a, str>> {
        if !self.legends {
            return None;
        }
        match self.object {
            Object::Listener(listener) => match &listener.listen.address {
                ListenAddress::Tcp(address) | ListenAddress::Udp(address) => {
                    Some(address.to_string().into())
                }
                ListenAddress::Inherited(_) => None,
                _ => Some("unix".into()),
            },
            Object::Server(server) => match &**server.status.address.load() {
                ServerAddress::Inet(address) => Some(address.to_string().into()),
                ServerAddress::Unix(_) | ServerAddress::Abstract(_) => Some("unix".into()),
                ServerAddress::Named(_) | ServerAddress::None => None,
            },
            _ => None,
        }
    }

    /// The cookie's value of a server, when it may be shown.
    pub fn cookie(&self) -> Option<Cow<'a, str>> {
        let cookie = self.proxy.backend.as_ref()?.persistence.as_ref()?.cookie.as_ref();
        if !self.legends {
            return None;
        }
        let text = |bytes: &[u8]| Cow::Owned(String::from_utf8_lossy(bytes).into_owned());
        match (self.server(), cookie) {
            (Some(server), Some(cookie)) => cookie.of_server(server).as_deref().map(text),
            (Some(server), None) => server.spec.cookie.as_deref().map(Cow::Borrowed),
            (None, cookie) => Some(text(&cookie?.spec().name)),
        }
    }

    /// The balance algorithm of a backend, when it may be shown.
    pub fn algorithm(&self) -> Option<Cow<'a, str>> {
        match self.object {
            Object::Backend(backend) if self.legends => {
                Some(backend.algorithm.trim_end_matches("(*)").into())
            }
            _ => None,
        }
    }
}
