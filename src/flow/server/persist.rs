//! Keeping a client on its server (manual 4.2): cookies, RDP cookies, stickiness, `use-server`.

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::compile::Compiler;
use crate::config::diagnostic::{Diagnostic, Place as At};
use crate::config::section::Sections;
use crate::config::spec::ProxySpec;
use crate::flow::http::message::Message;
use crate::flow::log::format::{LogContext, LogFormat, Purpose};
use crate::flow::phase::Phase;
use crate::flow::rules::condition::{self, Acl, Condition, ConditionSpec};
use crate::flow::rules::{RuleOwner, RuleSets, conflicts};
use crate::flow::server::cookie::{self, Cookie, CookieCapture, CookieSpec, Own};
use crate::flow::server::cookie::{RequestCookie, ResponseCookie};
use crate::flow::server::stick::{self, StickRule, StickRuleSpec};
use crate::flow::session::Stream;
use crate::sample::valid;
use crate::state::world::{Backend, Proxy};

/// What a backend's lines say about persistence.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PersistSpec {
    /// `cookie`
    pub cookie: Option<CookieSpec>,
    /// `dynamic-cookie-key`
    pub dynamic_key: Option<Vec<u8>>,
    /// `force-persist` (true) and `ignore-persist`, in their order.
    rules: Vec<(bool, Option<ConditionSpec>)>,
    /// `use-server`, in their order.
    use_servers: Vec<UseServerSpec>,
    /// `stick …`
    pub stick: Vec<StickRuleSpec>,
    /// `persist rdp-cookie`: the cookie's name.
    pub rdp_cookie: Option<Vec<u8>>,
}

/// `use-server` as written.
#[derive(Debug, Clone, PartialEq)]
struct UseServerSpec {
    name: String,
    /// The name as a format, when it is one.
    format: Option<LogFormat>,
    condition: Option<ConditionSpec>,
}

/// How a running backend keeps clients on their server.
#[derive(Debug)]
pub struct Persistence {
    /// `cookie`
    pub cookie: Option<Cookie>,
    rules: Vec<(bool, Option<Condition>)>,
    use_servers: Vec<UseServer>,
    /// `stick …`
    pub stick: Vec<StickRule>,
    /// `persist rdp-cookie`: the cookie's name.
    pub rdp_cookie: Option<Vec<u8>>,
}

#[derive(Debug)]
struct UseServer {
    target: Target,
    condition: Option<Condition>,
}

#[derive(Debug)]
enum Target {
    /// Its index in the backend.
    Fixed(usize),
    /// Its name.
    Named(LogFormat),
}

/// What persistence found out about a stream.
#[derive(Debug, Default)]
pub struct Persisted {
    /// The server that the stream is bound to, without balancing.
    pub server: Option<usize>,
    /// `force-persist` applies: a server that is down will do, and is not left for another one.
    pub force: bool,
    /// `ignore-persist` applies.
    pub ignore: bool,
    /// A server that is down will do (`force-persist`, `option persist`).
    pub to_any_state: bool,
    /// The third letter of the termination state.
    pub request_cookie: RequestCookie,
    /// The fourth letter.
    pub response_cookie: ResponseCookie,
    /// When the cookie was last inserted, in seconds since 1970; 0 when it does not say.
    pub last_seen: i64,
    /// When the cookie was first inserted.
    pub first_seen: i64,
    /// `capture cookie`: of the request and of the response.
    pub captured: (Option<Vec<u8>>, Option<Vec<u8>>),
    /// The entries of stick tables that will name the server.
    pub stored: Vec<stick::Stored>,
}

impl PersistSpec {
    /// What runs; `None` when nothing was written.
    pub fn compile(
        &self,
        proxy: &ProxySpec,
        acls: &[std::sync::Arc<Acl>],
        compiler: &mut Compiler<'_>,
    ) -> Option<Box<Persistence>> {
        let cookie =
            self.cookie.as_ref().filter(|_| proxy.basics.mode == crate::config::proxy::Mode::Http);
        let cookie = cookie.map(|spec| Cookie::compile(spec, self.dynamic_key.as_deref()));
        let mut made = |condition: &Option<ConditionSpec>| {
            let condition = condition.as_ref().map(|c| condition::compile(c, acls)).transpose();
            condition.map_err(|diagnostic| compiler.diagnostics.push(diagnostic)).ok()
        };
        let rules: Vec<_> =
            self.rules.iter().filter_map(|(force, c)| Some((*force, made(c)?))).collect();
        let use_servers: Vec<_> = self
            .use_servers
            .iter()
            .filter_map(|rule| {
                let target = match &rule.format {
                    Some(format) => Target::Named(format.clone()),
                    None => Target::Fixed(proxy.servers.iter().position(|s| s.name == rule.name)?),
                };
                Some(UseServer { target, condition: made(&rule.condition)? })
            })
            .collect();
        let stick = stick::compile(&self.stick, proxy, acls, compiler);
        let rdp_cookie = self.rdp_cookie.clone();
        let any = cookie.is_some()
            || rdp_cookie.is_some()
            || !(rules.is_empty() && use_servers.is_empty() && stick.is_empty());
        any.then(|| Box::new(Persistence { cookie, rules, use_servers, stick, rdp_cookie }))
    }
}

/// The two letters about cookies in the termination state (manual 8.5).
pub fn letters(stream: &Stream<'_>) -> [u8; 2] {
    let logged = |p: &Proxy| cookie_of(p).is_some_and(|c| c.spec().is_logged());
    if !stream.backend().or(stream.frontend()).is_some_and(logged) {
        return *b"--";
    }
    match &stream.persisted {
        None => *b"NN",
        Some(found) => [found.request_cookie.letter(), found.response_cookie.letter()],
    }
}

fn cookie_of(proxy: &Proxy) -> Option<&Cookie> {
    proxy.backend.as_ref()?.persistence.as_ref()?.cookie.as_ref()
}

/// Looks at `force-persist` and `ignore-persist`, as soon as the backend is known.
pub fn judge(stream: &mut Stream<'_>, phase: Phase) {
    let world = stream.world.clone();
    let Some((proxy, _, persistence)) = of_backend(&world, stream.backend) else { return };
    let context = stream.sample_context(phase);
    let applies = |c: &Option<Condition>| c.as_ref().is_none_or(|c| c.holds(&context));
    let rule = persistence.rules.iter().find(|(_, condition)| applies(condition));
    let (force, ignore) = match rule {
        Some((force, _)) => (*force, !force),
        None => (false, false),
    };
    let found = stream.persisted.get_or_insert_default();
    (found.force, found.ignore) = (force, ignore);
    found.to_any_state = force || proxy.options.persist;
}

/// The backend and how it keeps clients on their server.
pub fn of_backend(
    world: &crate::state::world::World,
    index: Option<usize>,
) -> Option<(&Proxy, &Backend, &Persistence)> {
    let proxy = world.proxies.get(index?)?;
    let backend = proxy.backend.as_ref()?;
    Some((proxy, backend, backend.persistence.as_deref()?))
}

/// Binds the stream to the server that `use-server` names.
pub fn use_server(stream: &mut Stream<'_>, phase: Phase) {
    let world = stream.world.clone();
    let Some((_, backend, persistence)) = of_backend(&world, stream.backend) else { return };
    let any_state = stream.persisted.as_ref().is_some_and(|p| p.to_any_state);
    let mut chosen = None;
    for rule in &persistence.use_servers {
        if rule.condition.as_ref().is_some_and(|c| !c.holds(&stream.sample_context(phase))) {
            continue;
        }
        // A name that leads nowhere ends the search.
        let Some(index) = rule.target.find(stream, backend, phase) else { break };
        let up = |s: &crate::state::world::Server| s.status.accepts_persistent();
        if any_state || backend.servers.get(index).is_some_and(up) {
            chosen = Some(index);
            break;
        }
    }
    if chosen.is_some() {
        stream.persisted.get_or_insert_default().server = chosen;
    }
}

impl Target {
    fn find(&self, stream: &Stream<'_>, backend: &Backend, phase: Phase) -> Option<usize> {
        match self {
            Target::Fixed(index) => Some(*index),
            Target::Named(format) => {
                let mut name = Vec::new();
                format.write(&LogContext::of_stream(stream, phase)?, &mut name);
                backend.servers.iter().position(|s| s.name.as_bytes() == name)
            }
        }
    }
}

/// Looks at the cookies of the request: the backend's, and the one that the frontend captures.
pub fn read_cookies(stream: &mut Stream<'_>) {
    let capture = stream.frontend().and_then(|p| p.rules.captures.cookie.as_ref());
    let proxy = stream.backend().or(stream.frontend());
    if capture.is_none() && proxy.and_then(cookie_of).is_none() {
        return;
    }
    let world = stream.world.clone();
    let capture = captured_of(&world, stream.frontend);
    let proxy = world.proxies.get(stream.backend.unwrap_or(stream.frontend));
    let own = proxy.and_then(|p| Some((cookie_of(p)?, p.backend.as_ref()?)));
    let found = stream.persisted.get_or_insert_default();
    cookie::read_request(&mut stream.request, own, capture, found);
}

fn captured_of(world: &crate::state::world::World, frontend: usize) -> Option<&CookieCapture> {
    world.proxies.get(frontend)?.rules.captures.cookie.as_ref()
}

/// The server that the stream is bound to.
pub fn bound(stream: &Stream<'_>) -> Option<usize> {
    stream.persisted.as_ref()?.server
}

/// Any server will do from now on.
pub fn unbind(stream: &mut Stream<'_>) {
    if let Some(found) = &mut stream.persisted {
        found.server = None;
    }
}

/// The server that the cookie named is left for another one.
pub fn lost_server(stream: &mut Stream<'_>) {
    if let Some(found) = &mut stream.persisted
        && found.request_cookie == RequestCookie::Valid
    {
        found.request_cookie = RequestCookie::Down;
    }
}

/// What is to become of a response after its cookies were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseFate {
    /// It goes on.
    Sent,
    /// It sets a cookie and caches would keep it (`option checkcache`).
    Blocked,
}

/// Does to the response's cookies what the backend says, inserts ours, and checks that no cache would
/// keep a cookie.
pub fn answer(stream: &mut Stream<'_>) -> ResponseFate {
    let check = stream.backend().is_some_and(|p| p.options.check_cache);
    if !check && stream.persisted.is_none() {
        return ResponseFate::Sent;
    }
    let world = stream.world.clone();
    let capture = captured_of(&world, stream.frontend);
    let backend = stream.backend.and_then(|b| world.proxies.get(b));
    let cookie = backend.and_then(cookie_of);
    let server = stream.server().and_then(|s| cookie?.of_server(s));
    let own = cookie.map(|cookie| Own { cookie, value: server.as_deref() });
    let mut found = stream.persisted.take().unwrap_or_default();
    let sets = (own.is_some() || capture.is_some() || check)
        && cookie::read_response(&mut stream.response, own, capture, &mut found);
    let storable = Cacheable::is_safe(stream.request.method());
    let mut cacheable = Cacheable::of(stream.response.status, &stream.response, storable);
    if let Some(own) = own.filter(|_| stream.server.is_some())
        && cookie::insert(&stream.request, &mut stream.response, own, &mut found)
        && own.cookie.spec().no_cache
        && cacheable.at_all
    {
        stream.response.add(b"cache-control", b"private");
        cacheable = Cacheable { at_all: false, with_cookie: false };
    }
    stream.persisted = Some(found);
    match check && sets && cacheable.at_all && cacheable.with_cookie {
        true => ResponseFate::Blocked,
        false => ResponseFate::Sent,
    }
}

/// Whether caches on the way would keep a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cacheable {
    at_all: bool,
    with_cookie: bool,
}

impl Cacheable {
    /// Whether responses to this method may be kept.
    pub fn is_safe(method: &[u8]) -> bool {
        matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE")
    }

    /// Whether a response may be kept with the cookie it may set.
    pub fn whole(self) -> bool {
        self.at_all && self.with_cookie
    }

    /// What a response with this status says of itself; `storable`: its request allows it.
    pub fn of(status: u16, response: &Message, storable: bool) -> Cacheable {
        const YES: Cacheable = Cacheable { at_all: true, with_cookie: true };
        const NO: Cacheable = Cacheable { at_all: false, with_cookie: false };
        let kept =
            matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 404 | 405 | 410 | 414 | 501);
        let pragma = response.get(b"pragma").is_some_and(|v| v.eq_ignore_ascii_case(b"no-cache"));
        if pragma {
            return NO;
        }
        let mut verdict = if storable && kept { YES } else { NO };
        for value in response.elements(b"cache-control") {
            let value = value.to_ascii_lowercase();
            match value.as_slice() {
                b"public" => verdict = YES,
                b"private" | b"no-cache" | b"no-store" | b"max-age=0" | b"s-maxage=0" => {
                    verdict = NO;
                }
                other if other.starts_with(b"no-cache=\"set-cookie") => {
                    verdict.with_cookie = false;
                }
                _ => {}
            }
        }
        verdict
    }
}

/// `force-persist` and `ignore-persist`.
fn persist_rule(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    if !line.peek().is_some_and(|w| *w == *"if" || *w == *"unless") {
        return Err(line
            .alert(format!("'{name}' requires either 'if' or 'unless' followed by a condition.")));
    }
    let while_parsing = format!("error detected while parsing a '{name}' rule");
    let condition = condition::parse_named(line, &while_parsing)?;
    conflicts::warn(line, condition.as_ref(), &[valid::Place::BackendContent], None);
    line.proxy().persistence.rules.push((name == "force-persist", condition));
    Ok(())
}

fn use_server_line(line: &mut Line<'_>) -> Parsed {
    let name = line.required("'use-server' expects a server name.")?.str().into_owned();
    let place = line.last_place();
    if !line.peek().is_some_and(|w| *w == *"if" || *w == *"unless") {
        return Err(
            line.alert("'use-server' requires either 'if' or 'unless' followed by a condition.")
        );
    }
    let condition = condition::parse_named(line, "error detected while parsing switching rule")?;
    conflicts::warn(line, condition.as_ref(), &[valid::Place::UseServer], None);
    let format = name_format(line, &name, |place, name, e| {
        format!("Parsing [{place}]; use-server rule failed to parse log-format '{name}' : {e}.")
    })?;
    let proxy = line.proxy();
    if format.is_none() {
        proxy.references.servers.push((name.clone(), place));
    }
    proxy.persistence.use_servers.push(UseServerSpec { name, format, condition });
    Ok(())
}

/// A name that may be a format; `None` when it is a plain name.
pub fn name_format(
    line: &mut Line<'_>,
    name: &str,
    wording: impl FnOnce(&At, &str, &str) -> String,
) -> Result<Option<LogFormat>, Diagnostic> {
    if !name.contains('%') {
        return Ok(None);
    }
    let place = line.words.place.clone();
    let proxy = line.proxy();
    let owner = RuleOwner { name: proxy.name.clone(), kind: proxy.kind, mode: proxy.basics.mode };
    let purpose = Purpose::rule(RuleSets::HTTP_REQUEST, &owner);
    let (format, _) = LogFormat::parse(name.as_bytes(), &purpose)
        .map_err(|e| Diagnostic::alert(Some(&line.last_place()), wording(&place, name, &e)))?;
    for planned in format.planned() {
        line.spec.note_planned(&planned, &place);
    }
    Ok(Some(format).filter(|f| f.constant().is_none()))
}

const BACKEND: Keyword =
    Keyword { sections: Sections::LISTEN.and(Sections::BACKEND), ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "force-persist",
            args: "{ if | unless } <condition>",
            doc: "Follows cookies to servers that are down when the condition holds.",
            examples: &["force-persist if { src 127.0.0.1 }"],
            status: Status::Works,
            parse: persist_rule,
            ..BACKEND
        },
        Keyword {
            name: "ignore-persist",
            args: "{ if | unless } <condition>",
            doc: "Ignores cookies when the condition holds.",
            examples: &["ignore-persist if { path_beg /static }"],
            status: Status::Works,
            parse: persist_rule,
            ..BACKEND
        },
        Keyword {
            name: "use-server",
            args: "<server> { if | unless } <condition>",
            doc: "Sends the request to this server when the condition holds.",
            examples: &["use-server s1 if { path /first }"],
            status: Status::Works,
            parse: use_server_line,
            ..BACKEND
        },
    ],
    ..Part::NONE
};
