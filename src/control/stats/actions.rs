//! The form of the page: in comes what a browser posts, out come changes of servers and what they came
//! to (manual 4.2 "stats admin").

use std::sync::Arc;

use super::query::Outcome;
use crate::flow::session::outcome::Who;
use crate::flow::threads::Shared;
use crate::state::server_change::ServerChange;
use crate::state::server_status::{Operational, admin};
use crate::state::world::{Proxy, Server, World};

/// What follows the server's name in the log when its health is forced.
const REASON: &str = ", changed from Web interface";
/// The longest parameter.
const MAX_PARAMETER: usize = 2047;

/// What can be done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Ready,
    Drain,
    Maintain,
    DisableHealth,
    EnableHealth,
    Force(Operational),
    DisableAgent,
    EnableAgent,
    /// Forces what the agent says: up or down.
    ForceAgent(bool),
    Shutdown,
    /// Four names of older versions.
    Disable,
    Enable,
    Stop,
    Start,
}

impl Action {
    fn of(name: &str) -> Option<Action> {
        Some(match name {
            "ready" => Action::Ready,
            "drain" => Action::Drain,
            "maint" => Action::Maintain,
            "dhlth" => Action::DisableHealth,
            "ehlth" => Action::EnableHealth,
            "hrunn" => Action::Force(Operational::Running),
            "hnolb" => Action::Force(Operational::Stopping),
            "hdown" => Action::Force(Operational::Stopped),
            "dagent" => Action::DisableAgent,
            "eagent" => Action::EnableAgent,
            "arunn" => Action::ForceAgent(true),
            "adown" => Action::ForceAgent(false),
            "shutdown" => Action::Shutdown,
            "disable" => Action::Disable,
            "enable" => Action::Enable,
            "stop" => Action::Stop,
            "start" => Action::Start,
            _ => return None,
        })
    }

    /// Does it; says whether it was possible.
    fn run(self, shared: &Shared, proxy: &Proxy, server: &Server) -> bool {
        let change = ServerChange::new(proxy, server);
        match self {
            Action::Ready => change.ready(),
            Action::Drain => change.drain(),
            Action::Maintain => change.maintain(),
            Action::DisableHealth => return enable_health(server, false),
            Action::EnableHealth => return enable_health(server, true),
            Action::Force(state) => change.force_health(state, REASON),
            Action::DisableAgent => return change.enable_agent(false),
            Action::EnableAgent => return change.enable_agent(true),
            Action::ForceAgent(_) if !server.status.agent.lock().health.enabled => return false,
            Action::ForceAgent(up) => change.force_agent(up, REASON),
            Action::Shutdown if proxy.disabled => return false,
            Action::Shutdown => {
                let (proxy, server) = (proxy.name.clone(), server.name.clone());
                shared.on_threads(Arc::new(move |thread| {
                    thread.registry.kill_on_server(&proxy, &server, Who::Killed);
                }));
            }
            Action::Disable => {
                return change.set_admin(admin::FORCED_MAINT, "'disable' on stats page");
            }
            Action::Enable => return change.clear_admin(admin::FORCED_MAINT),
            Action::Stop => return change.set_admin(admin::FORCED_DRAIN, "'stop' on stats page"),
            Action::Start => return change.clear_admin(admin::FORCED_DRAIN),
        }
        true
    }
}

fn enable_health(server: &Server, enabled: bool) -> bool {
    let mut health = server.status.health.lock();
    if health.configured {
        health.enabled = enabled;
    }
    health.configured
}

/// Does what a form asks for: `s=<server>…&action=<name>&b=<backend or #id>`.
pub fn run(shared: &Shared, world: &World, body: &[u8]) -> Outcome {
    let mut action = None;
    let mut backend = None;
    let mut names = Vec::new();
    // The last one of a name counts, so they are read from the end.
    for parameter in body.split(|b| *b == b'&').rev() {
        if parameter.len() > MAX_PARAMETER {
            return Outcome::Errp;
        }
        let Some((key, value)) = decode(parameter) else { break };
        match key.as_str() {
            "b" if backend.is_none() => {
                backend = find_backend(world, &value);
                if backend.is_none() {
                    return Outcome::Errp;
                }
            }
            "action" if action.is_none() => {
                action = Action::of(&value);
                if action.is_none() {
                    return Outcome::Errp;
                }
            }
            "s" => names.push(value),
            _ => {}
        }
    }
    match (action, backend) {
        (Some(action), Some(backend)) => change_all(shared, action, backend, &names),
        _ => Outcome::None,
    }
}

fn change_all(shared: &Shared, action: Action, backend: &Proxy, names: &[String]) -> Outcome {
    let (mut total, mut altered) = (0, 0);
    for name in names {
        match backend.servers().iter().find(|s| s.name == *name) {
            None => total += 1,
            Some(server) => {
                let changed = usize::from(action.run(shared, backend, server));
                total += changed;
                altered += changed;
            }
        }
    }
    match (total, altered) {
        (0, _) => Outcome::None,
        (_, 0) => Outcome::Errp,
        (total, altered) if total == altered => Outcome::Done,
        _ => Outcome::Part,
    }
}

fn find_backend<'w>(world: &'w World, name: &str) -> Option<&'w Proxy> {
    match name.strip_prefix('#') {
        Some(id) => {
            let id: u32 = id.parse().ok()?;
            world.proxies.iter().find(|p| p.id == id && p.backend.is_some())
        }
        None => world.backend(name),
    }
}

/// Name and value of one parameter; `None` for a broken percent code.
fn decode(parameter: &[u8]) -> Option<(String, String)> {
    let at = parameter.iter().position(|b| *b == b'=');
    let (key, value) = match at {
        Some(at) => (&parameter[..at], &parameter[at + 1..]),
        None => (parameter, &[][..]),
    };
    Some((decode_text(key)?, decode_text(value)?))
}

fn decode_text(text: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(*bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => *other,
        });
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_as_forms_encode_them() {
        assert_eq!(decode(b"b=%23a+b"), Some(("b".to_owned(), "#a b".to_owned())));
        assert_eq!(decode(b"s"), Some(("s".to_owned(), String::new())));
        assert_eq!(decode(b"s=%2"), None);
    }
}
