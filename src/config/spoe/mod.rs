//! `filter spoe` and the file it names (SPOE.txt 2): in come the words of the line and the file's text, out
//! comes an engine with its agent, messages and groups, or HAProxy's messages about them. Which backend
//! the agent has, and whether rules name groups that exist, is judged once the whole configuration is read.

mod agent;
mod file;
mod message;

use std::path::Path;
use std::time::Duration;

use crate::config::args::{Line, Parsed};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::spec::ProxySpec;
use crate::flow::log::target::TargetSpec;
use crate::flow::rules::RuleSets;
use crate::flow::rules::condition::{Acls, ConditionSpec};
use crate::flow::rules::conflicts;
use crate::sample::expr::Expr;
use crate::sample::valid;
use crate::sample::vars;
use file::FileSpec;

/// What one `filter spoe` line asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct SpoeSpec {
    /// The engine's name: of the line, or else the agent's.
    pub engine: String,
    /// Who is asked.
    pub agent: AgentSpec,
    /// What may be sent.
    pub messages: Vec<MessageSpec>,
    /// What rules may send.
    pub groups: Vec<GroupSpec>,
    /// When which message is sent: indices into `messages`.
    pub events: Vec<(Event, usize)>,
}

/// `spoe-agent`
#[derive(Debug, Clone, PartialEq)]
pub struct AgentSpec {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub place: Place,
    /// `use-backend`
    pub backend: Option<String>,
    /// `messages`
    pub messages: Vec<String>,
    /// `groups`
    pub groups: Vec<String>,
    /// `timeout hello`, `idle` and `processing`
    pub timeouts: AgentTimeouts,
    /// `option var-prefix`
    pub prefix: Option<String>,
    /// `option set-on-error`
    pub on_error: Option<String>,
    /// `option set-process-time`
    pub process_time: Option<String>,
    /// `option set-total-time`
    pub total_time: Option<String>,
    /// `option pipelining`
    pub pipelining: bool,
    /// `option async`
    pub asynchronous: bool,
    /// `option send-frag-payload`
    pub fragments: bool,
    /// `option dontlog-normal`
    pub errors_only: bool,
    /// `option force-set-var`
    pub force_variables: bool,
    /// `option continue-on-error`
    pub continue_on_error: bool,
    /// `maxconnrate`: connections to agents a second, 0 for any number.
    pub connection_rate: i64,
    /// `maxerrrate`: errors a second, 0 for any number.
    pub error_rate: i64,
    /// `max-frame-size`, in bytes.
    pub frame_size: u32,
    /// `max-waiting-frames`
    pub waiting_frames: u32,
    /// `register-var-names`
    pub variables: Vec<String>,
    /// `log`
    pub log: Vec<TargetSpec>,
}

/// `timeout` of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentTimeouts {
    /// For the agent's answer to the first frame.
    pub hello: Option<Duration>,
    /// For a connection without frames.
    pub idle: Option<Duration>,
    /// For one event.
    pub processing: Option<Duration>,
}

/// `spoe-message`
#[derive(Debug, Clone, PartialEq)]
pub struct MessageSpec {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub place: Place,
    /// `args`: samples, with names or without.
    pub args: Vec<(Option<String>, Expr)>,
    /// `acl`
    pub acls: Acls,
    /// `event`
    pub event: Option<Event>,
    /// `if` or `unless` behind the event.
    pub condition: Option<ConditionSpec>,
}

/// `spoe-group`
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub place: Place,
    /// `messages`
    pub messages: Vec<String>,
}

/// When a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// `on-client-session`
    ClientSession,
    /// `on-server-session`
    ServerSession,
    /// `on-frontend-tcp-request`
    FrontendTcpRequest,
    /// `on-backend-tcp-request`
    BackendTcpRequest,
    /// `on-tcp-response`
    TcpResponse,
    /// `on-frontend-http-request`
    FrontendHttpRequest,
    /// `on-backend-http-request`
    BackendHttpRequest,
    /// `on-http-response`
    HttpResponse,
}

impl Event {
    const NAMES: &[(&str, Event)] = &[
        ("on-client-session", Event::ClientSession),
        ("on-server-session", Event::ServerSession),
        ("on-frontend-tcp-request", Event::FrontendTcpRequest),
        ("on-backend-tcp-request", Event::BackendTcpRequest),
        ("on-tcp-response", Event::TcpResponse),
        ("on-frontend-http-request", Event::FrontendHttpRequest),
        ("on-backend-http-request", Event::BackendHttpRequest),
        ("on-http-response", Event::HttpResponse),
    ];

    /// The same event, where a `listen` section has only one of two.
    fn of_both_sides(self) -> Event {
        match self {
            Event::BackendTcpRequest => Event::FrontendTcpRequest,
            Event::BackendHttpRequest => Event::FrontendHttpRequest,
            other => other,
        }
    }

    fn needs_frontend(self) -> bool {
        matches!(
            self,
            Event::ClientSession | Event::FrontendTcpRequest | Event::FrontendHttpRequest
        )
    }

    /// Where samples of the message are taken: (with a frontend side, with a backend side).
    fn places(self, proxy: &ProxySpec) -> Vec<valid::Place> {
        use valid::Place::*;
        let (front, back) = match self {
            Event::ClientSession => return vec![Connection],
            Event::ServerSession => return vec![Connect],
            Event::FrontendTcpRequest => return vec![FrontendContent],
            Event::FrontendHttpRequest => return vec![FrontendRequest],
            Event::BackendTcpRequest => (FrontendContent, BackendContent),
            Event::BackendHttpRequest => (FrontendRequest, BackendRequest),
            Event::TcpResponse => (FrontendResponseContent, BackendResponseContent),
            Event::HttpResponse => (FrontendResponse, BackendResponse),
        };
        let front = proxy.kind.has_frontend().then_some(front);
        front.into_iter().chain(proxy.kind.has_backend().then_some(back)).collect()
    }
}

/// Reads what stands behind `filter spoe`, and the file it names.
pub fn filter(line: &mut Line<'_>) -> Parsed {
    let (mut file, mut engine) = (None, None);
    while let Some(word) = line.word() {
        let option = word.str();
        let slot = match &*option {
            "config" => &mut file,
            "engine" => &mut engine,
            other => {
                return Err(line.alert(format!("'filter' : 'unknown keyword '{other}''")));
            }
        };
        let Some(value) = line.word() else {
            return Err(
                line.alert(format!("'filter' : ''spoe' : '{option}' option without value'"))
            );
        };
        *slot = Some(value.str().into_owned());
    }
    let Some(file) = file else {
        return Err(line.alert("'filter' : ''spoe' : missing config file'"));
    };
    let spec = file::read(line, Path::new(&file), engine.as_deref())
        .and_then(|content| link(line, content, engine, &file))
        .map_err(|e| line.alert(format!("'filter' : '{e}'")))?;
    line.proxy().references.engines.push(spec);
    Ok(())
}

/// Finds what the agent names, and checks it.
fn link(
    line: &mut Line<'_>,
    content: FileSpec,
    engine: Option<String>,
    file: &str,
) -> Result<SpoeSpec, String> {
    let FileSpec { agent, messages, groups } = content;
    let agent = agent.ok_or_else(|| format!("No SPOE agent found in file {file}"))?;
    let (name, place) = (agent.name.clone(), agent.place.clone());
    if agent.backend.is_none() {
        return Err(format!("No backend declared for SPOE agent '{name}' declared at {place}"));
    }
    let engine = engine.unwrap_or_else(|| name.clone());
    let mut spec = SpoeSpec { engine, agent, messages, groups, events: Vec::new() };
    let proxy = line.proxy().name.clone();
    let AgentTimeouts { hello, idle, processing } = spec.agent.timeouts;
    if [hello, idle, processing].iter().any(|t| t.is_none_or(|t| t.is_zero())) {
        warn(
            line,
            &place,
            format!(
                "Proxy '{proxy}': missing timeouts for SPOE agent '{name}' declare at {place}.\n   | While not properly invalid, you will certainly encounter various problems\n   | with such a configuration. To fix this, please ensure that all following\n   | timeouts are set to a non-zero value: 'hello', 'idle', 'processing'."
            ),
        );
    }
    let prefix = spec.prefix()?.to_owned();
    let AgentSpec { on_error, process_time, total_time, .. } = &spec.agent;
    for variable in [on_error, process_time, total_time].into_iter().flatten() {
        spec.check_variable("txn", &prefix, variable)?;
    }
    if spec.agent.messages.is_empty() && spec.agent.groups.is_empty() {
        warn(
            line,
            &place,
            format!(
                "Proxy '{proxy}': No message/group used by SPOE agent '{name}' declared at {place}."
            ),
        );
    } else {
        spec.find_messages(line)?;
        spec.find_groups()?;
    }
    for variable in &spec.agent.variables {
        spec.check_variable("proc", &prefix, variable)?;
    }
    Ok(spec)
}

fn warn(line: &mut Line<'_>, place: &Place, text: String) {
    line.diagnostics.push(Diagnostic::warning(Some(place), text));
}

impl SpoeSpec {
    /// What the agent's variables begin with.
    fn prefix(&self) -> Result<&str, String> {
        let AgentSpec { name, place, prefix, .. } = &self.agent;
        match prefix {
            Some(prefix) => Ok(prefix),
            None if agent::is_variable(name) => Ok(name),
            None => Err(format!(
                "Invalid variable prefix '{name}' for SPOE agent '{name}' declared at {place}. Use 'option var-prefix' to set it. Only [a-zA-Z0-9_.] chars are supported.\n"
            )),
        }
    }

    fn check_variable(&self, scope: &str, prefix: &str, name: &str) -> Result<(), String> {
        let full = format!("{scope}.{prefix}.{name}");
        vars::check_name(full.as_bytes()).map_err(|e| {
            let why = e.replace("{name}", &full);
            let agent = &self.agent.name;
            format!("SPOE agent '{agent}': failed to register variable {prefix}.{name} ({why})")
        })
    }

    /// The messages that the agent is sent at events.
    fn find_messages(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        for name in &self.agent.messages {
            let found = self.messages.iter().position(|message| message.name == *name);
            let Some((index, message)) = found.and_then(|i| Some((i, self.messages.get_mut(i)?)))
            else {
                let AgentSpec { name: agent, place, .. } = &self.agent;
                return Err(format!(
                    "SPOE agent '{agent}' try to use undefined SPOE message '{name}' at {place}"
                ));
            };
            let proxy = line.proxy();
            if proxy.kind.has_frontend() && proxy.kind.has_backend() {
                message.event = message.event.map(Event::of_both_sides);
            }
            let (of, place) = (proxy.name.clone(), message.place.clone());
            let Some(event) = message.event else {
                warn(
                    line,
                    &place,
                    format!("Proxy '{of}': Ignore SPOE message '{name}' without event at {place}."),
                );
                continue;
            };
            if event.needs_frontend() && !proxy.kind.has_frontend() {
                warn(
                    line,
                    &place,
                    format!("Proxy '{of}': frontend event used on a backend proxy at {place}."),
                );
                continue;
            }
            let places = event.places(proxy);
            if let Some((needs, here)) = message.misplaced(&places) {
                return Err(format!(
                    "Ignore SPOE message '{name}' at {place}: some args extract information from '{needs}', none of which is available here ('{here}')"
                ));
            }
            self.events.push((event, index));
        }
        Ok(())
    }

    /// The groups that rules may name.
    fn find_groups(&self) -> Result<(), String> {
        let AgentSpec { name: agent, place, groups, .. } = &self.agent;
        let mut owners: Vec<(&str, &GroupSpec)> = Vec::new();
        for name in groups {
            if !self.groups.iter().any(|group| group.name == *name) {
                return Err(format!(
                    "SPOE agent '{agent}' try to use undefined SPOE group '{name}' at {place}"
                ));
            }
        }
        for group in groups.iter().filter_map(|name| self.groups.iter().find(|g| g.name == *name)) {
            for message in &group.messages {
                if !self.messages.iter().any(|m| m.name == *message) {
                    let group = &group.name;
                    return Err(format!(
                        "SPOE group '{group}' try to use undefined SPOE message '{message}' at {place}"
                    ));
                }
                if let Some((_, owner)) = owners.iter().find(|(name, _)| name == message) {
                    let GroupSpec { name: owner, place, .. } = owner;
                    return Err(format!(
                        "SPOE message '{message}' already belongs to the SPOE group '{owner}' declare at {place}"
                    ));
                }
                owners.push((message, group));
            }
        }
        Ok(())
    }
}

impl MessageSpec {
    /// The first sample that has no value at any of the places: what it needs, and what is there.
    fn misplaced(&self, places: &[valid::Place]) -> Option<(&'static str, &'static str)> {
        let fetch = self.args.iter().map(|(_, expr)| expr.fetch);
        let fetch = fetch.into_iter().find(|fetch| !valid::at_any(fetch, places))?;
        Some((valid::needs_as_place(fetch), valid::first(places)))
    }
}

/// What is wrong with a rule `send-spoe-group ENGINE GROUP` of this proxy.
pub fn misnamed_group(
    proxy: &ProxySpec,
    set: RuleSets,
    (engine, group): (&str, &str),
) -> Option<String> {
    let Some(spec) = proxy.references.engines.iter().find(|spec| spec.engine == engine) else {
        return Some(format!(
            "unable to find SPOE engine '{engine}' used by the send-spoe-group '{group}'"
        ));
    };
    let named = spec.agent.groups.iter().any(|name| name == group);
    let Some(found) = spec.groups.iter().find(|g| named && g.name == group) else {
        return Some(format!(
            "unable to find SPOE group '{group}' into SPOE engine '{engine}' configuration"
        ));
    };
    let place = conflicts::asked_at(set);
    let messages = spec.messages.iter().filter(|message| found.messages.contains(&message.name));
    messages.into_iter().find_map(|message| {
        let (needs, here) = message.misplaced(&[place])?;
        let MessageSpec { name, place, .. } = message;
        Some(format!(
            "Invalid SPOE message '{name}' used by SPOE group '{group}' at {place}: some args extract information from '{needs}',none of which is available here ('{here}')"
        ))
    })
}
