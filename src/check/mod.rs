//! Servers are watched (manual 4.2 "option httpchk", "option tcp-check", 5.2 "check"). `health` decides
//! what results mean, `expect` and `response` judge answers, `dialogue` talks to a server, `run` does so
//! for every server at its times.

pub mod agent;
pub mod answers;
pub mod connect;
pub mod dialogue;
pub mod expect;
pub mod follow;
pub mod health;
pub mod http;
pub mod observe;
pub mod planned;
pub mod protocols;
pub mod response;
mod run;
pub mod scene;
pub mod server;
pub mod slowstart;
pub mod spread;
pub mod step;
pub mod tcp;
mod variable;

pub use health::{CheckResult, CheckStatus, Health};
pub use run::run;
pub use server::{ServerCheck, ServerCheckSpec};

use std::time::Duration;

use crate::catalog::Part;
use crate::config::address::{AddressSpec, PortsSpec};
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::config::spec::{ProxySpec, ServerSpec};
use step::{Ruleset, Step};

/// Which `option …-check` was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    /// `option httpchk`
    Http,
    /// `option tcp-check`
    Tcp,
    /// `option redis-check`
    Redis,
    /// `option ssl-hello-chk`
    SslHello,
    /// `option smtpchk` and its kin.
    Named,
}

/// `option httpchk`, `http-check`, `tcp-check` … as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckSpec {
    /// What is checked; a connection when `None`.
    pub kind: Option<CheckKind>,
    /// `http-check` rules and the request of `option httpchk`.
    pub http: Ruleset,
    /// `tcp-check` rules.
    pub tcp: Ruleset,
    /// The dialogue of `option smtpchk` and its kin.
    pub named: Ruleset,
    /// `http-check disable-on-404`
    pub disable_on_404: bool,
    /// `http-check send-state`
    pub send_state: bool,
}

/// What a backend's checks do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Check {
    /// Which family of rules; a mere connection when `None`.
    pub kind: Option<CheckKind>,
    /// The steps, a connection first.
    pub steps: Vec<Step>,
    /// Whether formats or expressions are evaluated.
    pub varies: bool,
    /// `http-check disable-on-404`
    pub disable_on_404: bool,
    /// `http-check send-state`
    pub send_state: bool,
    /// `timeout connect`, which counts when there is a `timeout check`.
    pub connect_timeout: Option<Duration>,
    /// `timeout check`: for each answer.
    pub answer_timeout: Option<Duration>,
}

impl CheckSpec {
    /// What the checks of a backend do.
    pub fn compile(&self, proxy: &ProxySpec, compiler: &mut Compiler<'_>) -> Check {
        let steps = match self.kind {
            Some(CheckKind::Http) => step::in_order(&http::complete(&self.http)),
            Some(CheckKind::Tcp) => step::in_order(&self.tcp.steps),
            Some(CheckKind::Redis) => step::in_order(&protocols::redis().steps),
            Some(CheckKind::SslHello) => step::in_order(&protocols::ssl_hello().steps),
            Some(CheckKind::Named) => step::in_order(&self.named.steps),
            None => step::in_order(&[]),
        };
        for server in proxy.servers.iter().filter(|s| s.check.check && !has_port(s)) {
            if let Some(diagnostic) = missing_port(proxy, server, &steps) {
                compiler.diagnostics.push(diagnostic);
            }
        }
        let timeouts = proxy.timeouts.compile();
        Check {
            kind: self.kind,
            varies: steps.iter().any(|s| s.action.varies()),
            steps,
            disable_on_404: self.disable_on_404,
            send_state: self.send_state,
            connect_timeout: timeouts.connect.filter(|_| timeouts.check.is_some()),
            answer_timeout: timeouts.check,
        }
    }
}

impl Check {
    /// How an agent is asked in a backend with these time limits; `question` is what it is sent first.
    pub fn of_agent(&self, question: Option<Vec<u8>>) -> Check {
        let mut rules = Ruleset::default();
        if let Some(question) = question.filter(|question| !question.is_empty()) {
            rules.push(step::Action::Send(question), None);
        }
        rules.push(step::Action::Expect(step::Expect::new(step::Pattern::Agent)), None);
        Check {
            kind: Some(CheckKind::Named),
            steps: step::in_order(&rules.steps),
            connect_timeout: self.connect_timeout,
            answer_timeout: self.answer_timeout,
            ..Check::default()
        }
    }
}

/// Whether it is known which port of a server is checked.
fn has_port(server: &ServerSpec) -> bool {
    let own = match &server.address {
        AddressSpec::Inet { ports: PortsSpec::Range(port, _), .. } => *port > 0,
        // A service's record has a port.
        AddressSpec::Inet { .. } => server.service().is_some(),
        _ => true,
    };
    own || server.check.port.is_some() || server.check.addr.is_some_and(|a| a.port() > 0)
}

/// HAProxy's message about a server whose check has no port, unless its steps name one.
fn missing_port(proxy: &ProxySpec, server: &ServerSpec, steps: &[Step]) -> Option<Diagnostic> {
    let connects = || steps.iter().filter_map(|s| Some((s.number, s.action.connect()?)));
    let named = |c: &step::Connect| {
        c.port.is_some() || c.port_expr.is_some() || c.address.is_some_and(|a| a.port() > 0)
    };
    let what = match connects().next() {
        Some((0, _)) | None => "has neither service port nor check port.",
        Some((_, first)) if !named(first) => {
            "has neither service port nor check port nor tcp_check rule 'connect' with port information."
        }
        // HAProxy wants both a port and an address with one of every connection.
        _ if connects()
            .any(|(_, c)| c.port.is_none() || c.address.is_none_or(|a| a.port() == 0)) =>
        {
            "has neither service port nor check port, and a tcp_check rule 'connect' with no port information."
        }
        _ => return None,
    };
    let (kind, name) = (proxy.kind.word(), &proxy.name);
    let text = format!("config: {kind} '{name}': server '{}' {what}", server.name);
    Some(Diagnostic::alert(Some(&server.place), text))
}

/// The rows of this family: those of the files below.
pub const PART: Part = Part::NONE;
