//! Servers get the addresses of their names (manual 5.3, and 5.2 "resolvers", "resolve-opts"). In: the
//! running configuration and a resolution that ended. Out: servers with another address, weight or name,
//! in maintenance or back from it, and the lines that HAProxy says of it.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::message::{Question, Service, Wanted};
use super::resolution::{Choice, Ended, Resolutions, Status};
use super::section::Hold;
use super::{Requester, Resolvers, Spot};
use crate::control::process::console;
use crate::state::clock;
use crate::state::server_change::ServerChange;
use crate::state::server_status::{Host, ServerAddress, admin};
use crate::state::world::{Proxy, Server, World};

/// The syslog level of what is said here.
const NOTICE: u8 = 5;

/// The longest name of a host, in bytes.
const LONGEST_NAME: usize = 255;

/// The servers of this configuration want to know their names from now on, those of the one before do not.
pub fn follow(world: &World, section: &Resolvers) {
    follow_in(&mut section.resolutions.lock(), world, section);
    section.wake.notify_one();
}

fn follow_in(resolutions: &mut Resolutions<Requester>, world: &World, section: &Resolvers) {
    resolutions.retain(|r| matches!(r, Requester::Rule { answer, .. } if !answer.is_closed()));
    let now = clock::now_ms();
    for proxy in world.proxies.iter().filter(|p| !p.disabled) {
        let mut services: HashSet<&str> = HashSet::new();
        for server in proxy.servers().iter().filter(|s| s.is_resolved_by(section)) {
            let spot =
                || Spot { proxy: proxy.index, server: server.index, status: server.status.clone() };
            if let Some(service) = server.service()
                && services.insert(service)
                && let Some(question) = Question::new(service, Wanted::Srv)
            {
                resolutions.link(&question, Requester::Servers(spot()), now);
            }
            if let Some(question) = server.question() {
                resolutions.link(&question, Requester::Server(spot()), now);
            }
        }
    }
    resolutions.sweep();
}

impl Server {
    fn is_resolved_by(&self, section: &Resolvers) -> bool {
        self.resolution.as_ref().is_some_and(|r| std::ptr::eq(&*r.section, section))
    }

    /// The service whose places share out the servers.
    fn service(&self) -> Option<&str> {
        self.resolution.as_ref()?.service.as_deref()
    }

    /// What is asked for its address.
    fn question(&self) -> Option<Question> {
        let host = self.status.host.load();
        let host = host.as_ref().filter(|host| !host.address_came_along)?;
        Question::new(&host.name, self.resolution.as_ref()?.preference.wanted())
    }
}

impl Spot {
    /// The server, if it is still there.
    fn find<'w>(&self, world: &'w World) -> Option<ServerChange<'w>> {
        let proxy = world.proxies.get(self.proxy)?;
        let server = proxy.servers().get(self.server)?;
        Arc::ptr_eq(&server.status, &self.status).then(|| ServerChange::new(proxy, server))
    }
}

/// Tells those who wanted to know that a resolution has ended.
pub fn tell(world: &World, section: &Resolvers, ended: &Ended) {
    let mut resolutions = section.resolutions.lock();
    let Some(resolution) = resolutions.find(&ended.question) else { return };
    let mut requesters = std::mem::take(&mut resolution.requesters);
    let mut teller = Teller {
        section,
        resolutions: &mut resolutions,
        ended,
        in_use: HashMap::new(),
        renamed: false,
    };
    let mut nameserver = ended.nameserver(section);
    requesters.retain_mut(|requester| {
        match requester {
            Requester::Server(spot) => {
                if let Some(change) = spot.find(world) {
                    let by = nameserver.map(|n| format!("{}/{}", section.spec.name, n.name));
                    if teller.settle(change, by.as_deref())
                        && let Some(nameserver) = nameserver
                    {
                        nameserver.counters.update.inc();
                    }
                }
            }
            Requester::Servers(spot) => {
                if let (Some(change), Some(_)) = (spot.find(world), ended.by) {
                    teller.share_out(change);
                }
            }
            Requester::Rule { .. } => return teller.answer(requester),
        }
        // Only the first one is served by the name server, the others by what is known already.
        nameserver = None;
        true
    });
    let renamed = teller.renamed;
    let unwanted = requesters.is_empty();
    if let Some(resolution) = resolutions.find(&ended.question) {
        resolution.requesters = requesters;
    }
    if renamed {
        follow_in(&mut resolutions, world, section);
        section.wake.notify_one();
    } else if unwanted {
        resolutions.sweep();
    }
}

/// One resolution that ended, while its requesters are told.
struct Teller<'t> {
    section: &'t Resolvers,
    resolutions: &'t mut Resolutions<Requester>,
    ended: &'t Ended,
    /// How many servers of a proxy that share the name use each address; by proxy.
    in_use: HashMap<usize, HashMap<IpAddr, u32>>,
    /// Whether some server has another name now.
    renamed: bool,
}

impl Teller<'_> {
    /// A rule gets its answer; it asks once.
    fn answer(&mut self, requester: &mut Requester) -> bool {
        let (sender, _) = tokio::sync::oneshot::channel();
        let Requester::Rule { preference, answer } = requester else { return true };
        let answer = std::mem::replace(answer, sender);
        let found = self.resolutions.find(&self.ended.question).filter(|_| self.ended.by.is_some());
        let ip = found.and_then(|r| r.choose(preference, None, |_| false).address());
        // A stream that has ended meanwhile needs no answer.
        let _ = answer.send(ip);
        false
    }

    /// A server gets an address of its name, or has none; says whether it has another one.
    fn settle(&mut self, change: ServerChange<'_>, by: Option<&str>) -> bool {
        if self.ended.by.is_none() {
            let state = self.state_of(change.server);
            judge(change, state, false, &self.section.spec.settings.hold);
            return false;
        }
        let Some(preference) = change.server.resolution.as_ref().map(|r| &r.preference) else {
            return false;
        };
        let current = ip_of(change.server);
        let in_use = self.in_use.entry(change.proxy.index).or_insert_with(|| shared(change));
        release(in_use, change.server);
        let taken = |ip: IpAddr| in_use.contains_key(&ip);
        let Some(resolution) = self.resolutions.find(&self.ended.question) else { return false };
        let state = Some((resolution.status, resolution.last_valid));
        let choice = resolution.choose(preference, current, taken);
        if let Choice::Take(ip) = choice {
            set_address(change, ip, by.unwrap_or("DNS cache"));
        }
        let nothing = choice == Choice::Nothing;
        judge(change, state, nothing, &self.section.spec.settings.hold);
        occupy(in_use, change.server);
        matches!(choice, Choice::Take(_))
    }

    /// Places of a service are shared out among the servers that have its name.
    fn share_out(&mut self, one: ServerChange<'_>) {
        let service = one.server.service();
        let of_service = |s: &&Server| s.service() == service && s.is_resolved_by(self.section);
        let servers: Vec<&Server> = one.proxy.servers().iter().filter(of_service).collect();
        for lost in &self.ended.lost {
            if let Some(server) = servers.iter().find(|s| s.is_at(lost)) {
                self.lose(ServerChange::new(one.proxy, server));
            }
        }
        let Some(resolution) = self.resolutions.find(&self.ended.question) else { return };
        let places: Vec<Service> = resolution.services().cloned().collect();
        for place in &places {
            let own = servers.iter().find(|s| s.is_at(place));
            let free = || servers.iter().find(|s| s.status.host.load().is_none());
            if let Some(server) = own.or_else(free) {
                self.give(ServerChange::new(one.proxy, server), place);
            }
        }
    }

    /// The place of a server is no more.
    fn lose(&mut self, change: ServerChange<'_>) {
        let state = self.state_of(change.server);
        judge(change, state, true, &self.section.spec.settings.hold);
        change.server.status.host.store(None);
        self.renamed = true;
    }

    /// A server takes a place.
    fn give(&mut self, change: ServerChange<'_>, place: &Service) {
        let status = &change.server.status;
        if let Some(ip) = place.address {
            set_address(change, ip, "DNS additional record");
        }
        let before = status.host.load_full();
        if before.is_none() {
            let (proxy, server) = (&change.proxy.name, &change.server.name);
            let text = format!(
                "{proxy}/{server} changed its FQDN from (null) to {} by 'SRV record'",
                place.target
            );
            change.proxy.log.event(NOTICE, &text);
            status.set_admin(admin::HOST_MAINT, 0);
        }
        let came = place.address.is_some() || before.as_ref().is_some_and(|h| h.address_came_along);
        if before.as_ref().is_none_or(|host| host.address_came_along != came) {
            let name = before.map_or_else(|| place.target.clone(), |host| host.name.clone());
            status.host.store(Some(Arc::new(Host { name, address_came_along: came })));
            self.renamed = true;
        }
        let state = self.state_of(change.server);
        judge(change, state, false, &self.section.spec.settings.hold);
        set_port(change.server, place.port);
        let ignored = change.server.resolution.as_ref().is_some_and(|r| r.ignore_weight);
        let fixed = change.proxy.backend.as_ref().is_some_and(|b| b.algorithm == "static-rr");
        // DNS counts to 65,535, HAProxy to 256; only 0 stays 0.
        let weight = u32::from(place.weight).div_ceil(256);
        if !ignored && !fixed && weight != status.weight() {
            change.set_weight(weight);
        }
    }

    /// How the resolution of a server's own name stands: `None` when it is not asked for.
    fn state_of(&mut self, server: &Server) -> Option<(Status, u64)> {
        let question = server.question()?;
        let resolution = self.resolutions.find(&question);
        Some(resolution.map_or((Status::None, 0), |r| (r.status, r.last_valid)))
    }
}

impl Server {
    fn is_at(&self, place: &Service) -> bool {
        let host = self.status.host.load();
        port_of(self) == place.port
            && host.as_ref().is_some_and(|host| host.name.eq_ignore_ascii_case(&place.target))
    }
}

/// How many servers of this proxy with the name of this server use each address.
fn shared(change: ServerChange<'_>) -> HashMap<IpAddr, u32> {
    let host = change.server.status.host.load_full();
    let name = host.map(|host| host.name.clone());
    let mut in_use = HashMap::new();
    for server in change.proxy.servers() {
        if server.status.host.load().as_ref().map(|host| &host.name) == name.as_ref() {
            occupy(&mut in_use, server);
        }
    }
    in_use
}

/// A server in maintenance for want of an address has none.
fn occupied(server: &Server) -> Option<IpAddr> {
    let lost = server.status.admin() & admin::RESOLUTION_MAINT != 0;
    ip_of(server).filter(|_| !lost)
}

fn occupy(in_use: &mut HashMap<IpAddr, u32>, server: &Server) {
    if let Some(ip) = occupied(server) {
        *in_use.entry(ip).or_default() += 1;
    }
}

fn release(in_use: &mut HashMap<IpAddr, u32>, server: &Server) {
    let Some(ip) = occupied(server) else { return };
    if let Some(count) = in_use.get_mut(&ip) {
        *count -= 1;
        if *count == 0 {
            in_use.remove(&ip);
        }
    }
}

/// What a resolution means for a server's maintenance: without an address, or once an answer was missing
/// for as long as the last one holds, it goes there.
fn judge(change: ServerChange<'_>, state: Option<(Status, u64)>, nothing: bool, hold: &Hold) {
    let lost = change.server.status.admin() & admin::RESOLUTION_MAINT != 0;
    let last_valid = state.map_or(0, |(_, last_valid)| last_valid);
    let (since, period, cause) = match state.map(|(status, _)| status) {
        None if nothing => (0, Duration::ZERO, "entry removed from SRV record"),
        None => {
            change.clear_admin(admin::RESOLUTION_MAINT);
            return;
        }
        Some(Status::None) => return,
        Some(Status::Valid) if nothing => (0, Duration::ZERO, "No IP for server "),
        Some(Status::Valid) if lost => return resolves_again(change),
        Some(Status::Valid) => return,
        Some(Status::Nx) => (last_valid, hold.nx, "DNS NX status"),
        Some(Status::Timeout) => (last_valid, hold.timeout, "DNS timeout status"),
        Some(Status::Refused) => (last_valid, hold.refused, "DNS refused status"),
        Some(Status::Other) => (last_valid, hold.other, "unspecified DNS error"),
    };
    let period = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    if !lost && clock::now_ms() >= since.saturating_add(period) {
        change.set_admin(admin::RESOLUTION_MAINT, cause);
    }
}

fn resolves_again(change: ServerChange<'_>) {
    change.clear_admin(admin::RESOLUTION_MAINT);
    let (proxy, server) = (&change.proxy.name, &change.server.name);
    let text =
        format!("Server {proxy}/{server} administratively READY thanks to valid DNS answer.");
    console::warning(&text);
    change.proxy.log.event(NOTICE, &text);
}

/// The server's IP address, if it has one.
fn ip_of(server: &Server) -> Option<IpAddr> {
    match &**server.status.address.load() {
        ServerAddress::Inet(address) => Some(address.ip()),
        _ => None,
    }
}

fn port_of(server: &Server) -> u16 {
    match &**server.status.address.load() {
        ServerAddress::Inet(address) => address.port(),
        ServerAddress::Named(port) => *port,
        _ => 0,
    }
}

/// Gives a server another IP address, and says by whom.
fn set_address(change: ServerChange<'_>, ip: IpAddr, updater: &str) {
    let server = change.server;
    let before = ip_of(server);
    if before == Some(ip) {
        return;
    }
    let before = before.map_or_else(|| "(none)".to_owned(), |ip| ip.to_string());
    let (proxy, name) = (&change.proxy.name, &server.name);
    let text = format!("{proxy}/{name} changed its IP from {before} to {ip} by {updater}.");
    console::warning(&text);
    change.proxy.log.event(NOTICE, &text);
    store(server, ServerAddress::Inet(SocketAddr::new(ip, port_of(server))));
}

fn set_port(server: &Server, port: u16) {
    if port_of(server) != port {
        let address = match ip_of(server) {
            Some(ip) => ServerAddress::Inet(SocketAddr::new(ip, port)),
            None => ServerAddress::Named(port),
        };
        store(server, address);
    }
}

fn store(server: &Server, address: ServerAddress) {
    server.status.address.store(Arc::new(address));
    server.status.generation.fetch_add(1, Relaxed);
    server.pool.clear();
}

/// `set server … fqdn`: the server's name is another one from now on. Gives what is said of it, but for
/// who did it.
pub fn rename(world: &World, proxy: &Proxy, server: &Server, name: &str) -> String {
    let before = server.status.host.load_full();
    if before.as_ref().is_some_and(|host| host.name == name) {
        return "no need to change the FDQN".to_owned();
    }
    let permitted = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if name.len() > LONGEST_NAME || !name.bytes().all(permitted) {
        return format!("invalid fqdn '{name}'");
    }
    let (owner, own) = (&proxy.name, &server.name);
    let resolution = server.resolution.as_ref();
    let known = resolution.filter(|r| Question::new(name, r.preference.wanted()).is_some());
    let Some(resolution) = known else { return format!("could not update {owner}/{own} FQDN") };
    let host = Host { name: name.to_owned(), address_came_along: false };
    server.status.host.store(Some(Arc::new(host)));
    server.status.set_admin(admin::HOST_MAINT, 0);
    follow(world, &resolution.section);
    let before = before.map_or_else(|| "(null)".to_owned(), |host| host.name.clone());
    format!("{owner}/{own} changed its FQDN from {before} to {name}")
}
