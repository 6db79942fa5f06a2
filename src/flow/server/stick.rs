//! Stickiness by stick tables and by the cookies of remote desktops (manual 4.2 "stick on", "stick match",
//! "stick store-request", "stick store-response", "persist rdp-cookie"). In: a stream whose backend is
//! known. Out: the server that a table names, and the entries that will name it the next time.

use std::net::IpAddr;
use std::sync::Arc;

use crate::catalog::{Keyword, Part, ServerOption, Status};
use crate::config::args::{Line, Parsed};
use crate::config::compile::Compiler;
use crate::config::section::Sections;
use crate::config::spec::ProxySpec;
use crate::flow::phase::Phase;
use crate::flow::rules::condition::{self, Acl, Condition, ConditionSpec};
use crate::flow::rules::conflicts;
use crate::flow::server::persist;
use crate::flow::session::Stream;
use crate::sample::expr::Expr;
use crate::sample::fetch::l6;
use crate::sample::valid::{self, Place};
use crate::state::server_status::ServerAddress;
use crate::state::stick_table::{Entry, StickTable};
use crate::state::world::{Backend, Proxy, World};

/// A `stick` line as written.
#[derive(Debug, Clone, PartialEq)]
pub struct StickRuleSpec {
    /// `on`, `match`: looks the server up.
    matches: bool,
    /// `on`, `store-…`: stores it.
    stores: bool,
    /// `store-response`
    response: bool,
    key: Expr,
    /// The backend's own table when not given.
    table: Option<String>,
    condition: Option<ConditionSpec>,
}

impl StickRuleSpec {
    /// The table it works on, `own` being the backend's.
    pub fn table<'a>(&'a self, own: &'a str) -> &'a str {
        self.table.as_deref().unwrap_or(own)
    }
}

/// A `stick` line that runs.
#[derive(Debug)]
pub struct StickRule {
    matches: bool,
    stores: bool,
    response: bool,
    key: Expr,
    table: Arc<StickTable>,
    condition: Option<Condition>,
}

/// An entry to be made, or changed, once the server is known.
#[derive(Debug)]
pub struct Stored {
    table: Arc<StickTable>,
    key: Vec<u8>,
}

/// Entries that one stream may store.
const MOST: usize = 8;

/// What runs. Tables that do not exist were told of already.
pub fn compile(
    specs: &[StickRuleSpec],
    proxy: &ProxySpec,
    acls: &[Arc<Acl>],
    compiler: &mut Compiler<'_>,
) -> Vec<StickRule> {
    let mut rules = Vec::new();
    for spec in specs {
        let condition = spec.condition.as_ref().map(|c| condition::compile(c, acls)).transpose();
        let table = compiler.tables.get(spec.table(&proxy.name)).cloned();
        match (condition, table) {
            (Ok(condition), Some(table)) => rules.push(StickRule {
                matches: spec.matches,
                stores: spec.stores,
                response: spec.response,
                key: spec.key.clone(),
                table,
                condition,
            }),
            (Err(diagnostic), _) => compiler.diagnostics.push(diagnostic),
            (Ok(_), None) => {}
        }
    }
    rules
}

impl StickRule {
    /// The key of this stream, if the rule applies.
    fn key(&self, stream: &Stream<'_>, phase: Phase) -> Option<Vec<u8>> {
        let context = stream.sample_context(phase);
        if self.condition.as_ref().is_some_and(|c| !c.holds(&context)) {
            return None;
        }
        Some(self.table.key(self.key.eval(&context)?)?.to_vec())
    }
}

/// Looks up the server that this client sticks to, and remembers what is to be stored.
pub fn find(stream: &mut Stream<'_>, phase: Phase) {
    let world = stream.world.clone();
    let Some((proxy, backend, persistence)) = persist::of_backend(&world, stream.backend) else {
        return;
    };
    if let Some(name) = &persistence.rdp_cookie {
        bind(stream, rdp_server(stream, proxy, backend, name));
    }
    for rule in persistence.stick.iter().filter(|rule| !rule.response) {
        if is_stored(stream, &rule.table) {
            continue;
        }
        let Some(key) = rule.key(stream, phase) else { continue };
        if rule.matches
            && let Some(entry) = rule.table.find(&key)
        {
            if persist::bound(stream).is_none() {
                bind(stream, target(&rule.table, &entry, proxy, backend, stream));
            }
            rule.table.touch(&entry);
        }
        if rule.stores {
            remember(stream, &rule.table, key);
        }
    }
}

fn bind(stream: &mut Stream<'_>, server: Option<usize>) {
    if server.is_some() {
        stream.persisted.get_or_insert_default().server = server;
    }
}

/// Only the first key counts for each table.
fn is_stored(stream: &Stream<'_>, table: &Arc<StickTable>) -> bool {
    let stored = stream.persisted.as_ref().map_or(&[][..], |p| &p.stored);
    stored.iter().any(|stored| Arc::ptr_eq(&stored.table, table))
}

fn remember(stream: &mut Stream<'_>, table: &Arc<StickTable>, key: Vec<u8>) {
    let stored = &mut stream.persisted.get_or_insert_default().stored;
    if stored.len() < MOST {
        stored.push(Stored { table: table.clone(), key });
    }
}

/// The server that an entry names, if it may be used.
fn target(
    table: &StickTable,
    entry: &Entry,
    proxy: &Proxy,
    backend: &Backend,
    stream: &Stream<'_>,
) -> Option<usize> {
    let name = table.server_name(entry);
    let by_name = name.and_then(|name| backend.servers.iter().find(|s| *s.name == *name));
    let id = table.server_id(entry);
    let by_id = || backend.servers.iter().find(|s| Some(u64::from(s.id)) == id);
    let server = by_name.or_else(by_id)?;
    let any_state =
        proxy.options.persist || stream.persisted.as_ref().is_some_and(|p| p.to_any_state);
    (any_state || server.status.accepts_persistent()).then_some(server.index)
}

/// Stores the stream's server: with the keys of its request, and those of its response.
pub fn store(stream: &mut Stream<'_>, phase: Phase) {
    let world = stream.world.clone();
    let Some((.., persistence)) = persist::of_backend(&world, stream.backend) else { return };
    if persistence.stick.is_empty() {
        return;
    }
    for rule in persistence.stick.iter().filter(|rule| rule.response) {
        if !is_stored(stream, &rule.table)
            && let Some(key) = rule.key(stream, phase)
        {
            remember(stream, &rule.table, key);
        }
    }
    let Some(found) = &mut stream.persisted else { return };
    let stored = std::mem::take(&mut found.stored);
    let Some(server) = stream.server().filter(|s| !s.spec.non_stick) else { return };
    for Stored { table, key } in stored {
        if let Some(entry) = table.find_or_add(&key) {
            table.set_server(&entry, server.id, &server.name);
        }
    }
}

/// The name of the cookie that `persist rdp-cookie` looks for when none is given.
const RDP_COOKIE: &[u8] = b"msts";

/// The server that a remote desktop's cookie names: its address and port as decimal numbers of their bytes
/// in the network's order, `16777343.15629.0000` for 127.0.0.1:3389.
fn rdp_server(stream: &Stream<'_>, proxy: &Proxy, backend: &Backend, name: &[u8]) -> Option<usize> {
    let context = stream.sample_context(Phase::RequestContent);
    let text = std::str::from_utf8(l6::rdp_cookie(&context, name)?).ok()?;
    let mut parts = text.split('.');
    let address: u32 = parts.next()?.parse().ok()?;
    let port: u16 = parts.next()?.parse().ok()?;
    parts.next()?;
    let is_it = |address_of: &ServerAddress| match address_of {
        ServerAddress::Inet(at) => match at.ip() {
            IpAddr::V4(ip) => {
                u32::from_le_bytes(ip.octets()) == address && at.port() == port.swap_bytes()
            }
            IpAddr::V6(_) => false,
        },
        _ => false,
    };
    let usable = |s: &&crate::state::world::Server| {
        is_it(&s.status.address.load()) && (proxy.options.persist || s.status.is_up())
    };
    backend.servers.iter().find(usable).map(|s| s.index)
}

/// Whether a configuration's rules name this table: then its entries hold servers.
pub fn names_table(proxies: &[ProxySpec], table: &str) -> bool {
    proxies.iter().any(|p| p.persistence.stick.iter().any(|rule| rule.table(&p.name) == table))
}

/// Whether anything of a backend sticks (`World` is what runs).
pub fn is_on(world: &World, backend: Option<usize>) -> bool {
    persist::of_backend(world, backend)
        .is_some_and(|(.., p)| !p.stick.is_empty() || p.rdp_cookie.is_some())
}

/// `stick on`, `stick match`, `stick store-request`, `stick store-response`.
fn stick(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let response = name == "stick store-response";
    if !line.proxy().kind.has_backend() {
        // The warning about the section was given.
        line.rest();
        return Ok(());
    }
    let Some(key) = Expr::read(&mut line.words) else {
        return Err(line.alert("'stick' expects a fetch method."));
    };
    let key = key.map_err(|e| line.alert(format!("'stick': {e}")))?;
    let (place, said) = match response {
        true => (Place::StoreResponse, "'store-response'"),
        false => (Place::UseServer, "'store-request'"),
    };
    if !valid::at(key.fetch, place) {
        return Err(line.alert(format!(
            "'stick': fetch method '{}' extracts information from '{}', none of which is available for {said}.",
            key.fetch.name,
            valid::needs(key.fetch)
        )));
    }
    let at = line.words.place.clone();
    for planned in key.planned() {
        line.spec.note_planned(planned, &at);
    }
    let table =
        line.accept("table").then(|| line.word().map(|w| w.str().into_owned()).unwrap_or_default());
    let kind = match name {
        "stick store-request" | "stick store-response" => "store table",
        _ => "stick-table",
    };
    let place = line.last_place();
    let wanted = table.clone().unwrap_or_else(|| line.proxy().name.clone());
    line.proxy().references.tables.push((kind, wanted, place));
    let condition = match line.peek().map(|w| w.str()) {
        None => None,
        Some(word) if word == "if" || word == "unless" => condition::parse_named(
            line,
            "'stick': error detected while parsing sticking condition",
        )?,
        Some(word) => return Err(line.alert(format!("'stick': unknown keyword '{word}'."))),
    };
    let asked = if response { valid::Place::StoreResponse } else { valid::Place::UseServer };
    conflicts::warn(line, condition.as_ref(), &[asked], None);
    let (matches, stores) = match name {
        "stick on" => (true, true),
        "stick match" => (true, false),
        _ => (false, true),
    };
    let rule = StickRuleSpec { matches, stores, response, key, table, condition };
    line.proxy().persistence.stick.push(rule);
    Ok(())
}

/// `persist rdp-cookie` or `persist rdp-cookie(name)`.
fn persist_line(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else { return Err(line.alert("missing persist method.")) };
    let word = word.str();
    let Some(rest) = word.strip_prefix("rdp-cookie") else {
        return Err(line.alert("unknown persist method."));
    };
    let name = match rest.strip_prefix('(') {
        None => Some(RDP_COOKIE.to_vec()),
        Some(inside) => inside.split_once(')').map(|(name, _)| name.as_bytes().to_vec()),
    };
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(line.alert("persist rdp-cookie(name)' requires an rdp cookie name."));
    };
    line.words.end("persist")?;
    line.proxy().persistence.rdp_cookie = Some(name);
    Ok(())
}

const BACKEND: Keyword =
    Keyword { sections: Sections::LISTEN.and(Sections::BACKEND), ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "persist",
            sections: Sections::BACKENDS,
            args: "rdp-cookie[(<name>)]",
            doc: "Keeps RDP clients on their server by the cookie of their request.",
            examples: &["persist rdp-cookie(msts)"],
            parse: persist_line,
            status: Status::Works,
            ..BACKEND
        },
        Keyword {
            name: "persist rdp-cookie",
            sections: Sections::BACKENDS,
            args: "",
            doc: "As persist with a name in brackets; the cookie is msts.",
            examples: &["persist rdp-cookie"],
            parse: |line| {
                line.rest();
                line.proxy().persistence.rdp_cookie = Some(RDP_COOKIE.to_vec());
                Ok(())
            },
            status: Status::Works,
            ..BACKEND
        },
        Keyword {
            name: "stick match",
            args: "<expression> [table <table>] [{ if | unless } <condition>]",
            doc: "Sends the request to the server that a stick table names.",
            examples: &["stick match src"],
            parse: stick,
            status: Status::Works,
            ..BACKEND
        },
        Keyword {
            name: "stick on",
            args: "<expression> [table <table>] [{ if | unless } <condition>]",
            doc: "Looks the server up in a stick table, and stores it there.",
            examples: &["stick on src"],
            parse: stick,
            status: Status::Works,
            ..BACKEND
        },
        Keyword {
            name: "stick store-request",
            args: "<expression> [table <table>] [{ if | unless } <condition>]",
            doc: "Stores the request's server in a stick table.",
            examples: &["stick store-request src"],
            parse: stick,
            status: Status::Works,
            ..BACKEND
        },
        Keyword {
            name: "stick store-response",
            args: "<expression> [table <table>] [{ if | unless } <condition>]",
            doc: "Stores the response's server in a stick table.",
            examples: &["stick store-response res.hdr(x-session)"],
            parse: stick,
            status: Status::Works,
            ..BACKEND
        },
    ],
    server_options: &[
        ServerOption {
            name: "non-stick",
            doc: "Is never stored in stick tables.",
            examples: &["non-stick"],
            status: Status::Works,
            parse: |_, server| {
                server.non_stick = true;
                Ok(())
            },
            ..ServerOption::NEW
        },
        ServerOption {
            name: "stick",
            doc: "Undoes a non-stick of default-server.",
            examples: &["stick"],
            status: Status::Works,
            parse: |_, server| {
                server.non_stick = false;
                Ok(())
            },
            ..ServerOption::NEW
        },
    ],
    ..Part::NONE
};
