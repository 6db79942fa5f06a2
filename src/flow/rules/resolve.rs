//! `do-resolve` (manual 4.2 "http-request do-resolve", "tcp-request content do-resolve"): a rule asks for
//! the address of a name and waits for it. In: the name, an expression. Out: a variable with an address.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::catalog::{ActionRow, Part, Status};
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::flow::phase::Phase;
use crate::flow::rules::planned::{expression, refuse};
use crate::flow::rules::{self, Action, ActionLine, ActionSpec, Rule, RuleSets, Verdict};
use crate::flow::session::Stream;
use crate::sample::expr::Expr;
use crate::sample::value::{Type, Value};
use crate::sample::vars;
use crate::state::resolver::message::Question;
use crate::state::resolver::resolution::Preference;
use crate::state::resolver::{Lookup, Resolvers};

/// A rule that waits for an address.
#[derive(Debug)]
pub struct Resolving {
    answer: oneshot::Receiver<Option<std::net::IpAddr>>,
    /// The variable.
    name: Box<[u8]>,
    /// How long it may take until the section has given up, whatever happens.
    limit: Duration,
    /// The rule to go on with.
    next: usize,
}

/// `do-resolve` as written.
#[derive(Debug, Clone)]
struct DoResolveSpec {
    variable: Box<[u8]>,
    section: String,
    ipv4: bool,
    expr: Expr,
    proxy: String,
}

#[derive(Debug)]
struct DoResolve {
    variable: Box<[u8]>,
    section: Arc<Resolvers>,
    preference: Preference,
    expr: Expr,
}

impl ActionSpec for DoResolveSpec {
    fn compile(&self, compiler: &mut Compiler<'_>) -> Result<Arc<dyn Action>, Diagnostic> {
        let Some(section) = compiler.resolvers(&self.section) else {
            let text = format!(
                "Proxy '{}': Can't find resolvers section '{}' for do-resolve action.",
                self.proxy, self.section
            );
            return Err(Diagnostic::alert(None, text));
        };
        let (variable, expr) = (self.variable.clone(), self.expr.clone());
        let preference = Preference { ipv4: self.ipv4, ..Preference::default() };
        Ok(Arc::new(DoResolve { variable, section, preference, expr }))
    }
}

impl Action for DoResolve {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        let context = stream.sample_context(phase);
        let name = self.expr.eval(&context).and_then(|value| value.cast(Type::Str));
        let Some(Value::Str(name)) = name else { return Verdict::Continue };
        let name = String::from_utf8_lossy(&name);
        let Some(question) = Question::new(&name, self.preference.wanted()) else {
            stream.session.thread.shared.counters.failed_resolutions.inc();
            return Verdict::Continue;
        };
        match self.section.look_up(&question, &self.preference) {
            Lookup::Known(ip) => {
                keep(stream, phase, &self.variable, ip);
                Verdict::Continue
            }
            Lookup::Asked(answer) => {
                let name = self.variable.clone();
                let limit = self.section.spec.settings.longest();
                stream.resolving = Some(Box::new(Resolving { answer, name, limit, next: 0 }));
                Verdict::Resolve
            }
        }
    }
}

fn keep(stream: &Stream<'_>, phase: Phase, name: &[u8], ip: Option<std::net::IpAddr>) {
    if let Some(ip) = ip {
        vars::set(&stream.sample_context(phase), name, Value::Ip(ip));
    }
}

/// Notes where the rules are to go on.
pub fn pause(stream: &mut Stream<'_>, index: usize) -> Verdict {
    if let Some(resolving) = &mut stream.resolving {
        resolving.next = index + 1;
    }
    Verdict::Resolve
}

/// Waits for the address that a rule has asked for, `limit` at most; gives the rule to go on with, as
/// its place among those that were run.
pub async fn wait(stream: &mut Stream<'_>, phase: Phase, limit: Option<Duration>) -> usize {
    let Some(resolving) = stream.resolving.take() else { return usize::MAX };
    let Resolving { answer, name, limit: longest, next } = *resolving;
    let limit = limit.map_or(longest, |limit| limit.min(longest));
    // Without an answer the variable stays what it was. A timer of no time takes a millisecond.
    if !limit.is_zero()
        && let Ok(Ok(ip)) = tokio::time::timeout(limit, answer).await
    {
        keep(stream, phase, &name, ip);
    }
    next
}

/// Goes on with rules that had to wait, until they end without having to.
pub async fn resume(rules: &[Rule], stream: &mut Stream<'_>, phase: Phase) -> Verdict {
    let mut rest = rules;
    loop {
        let next = wait(stream, phase, None).await;
        rest = rest.get(next..).unwrap_or_default();
        match rules::go_on(rest, stream, phase) {
            Verdict::Resolve => {}
            verdict => return verdict,
        }
    }
}

/// `do-resolve(<var>,<resolvers>[,ipv4|ipv6]*)`
fn do_resolve(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let inside = line.bracket.clone().unwrap_or_default();
    let mut parts = inside.split(',');
    let (variable, section) = (parts.next().unwrap_or_default(), parts.next());
    let mut ipv4 = false;
    // HAProxy compares as many letters as there are.
    let known = parts.all(|option| {
        let is_ipv4 = "ipv4".starts_with(option);
        ipv4 = is_ipv4;
        is_ipv4 || "ipv6".starts_with(option)
    });
    let Some(section) = section.filter(|_| known) else {
        let name = line.name();
        return Err(refuse(
            line,
            format!(
                "Can't parse '{name}'. Expects 'do-resolve(<varname>,<resolvers>[,<options>]) <expr>'. Available options are 'ipv4' and 'ipv6'"
            ),
        ));
    };
    let expr = expression(line)?;
    line.planned.extend(expr.planned().map(str::to_owned));
    line.references.extend(expr.references());
    Ok(Box::new(DoResolveSpec {
        variable: variable.as_bytes().into(),
        section: section.to_owned(),
        ipv4,
        expr,
        proxy: line.proxy.name.clone(),
    }))
}

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[ActionRow {
        name: "do-resolve(*)",
        rule_sets: RuleSets::HTTP_REQUEST.and(RuleSets::TCP_REQUEST_CONTENT),
        args: "<expression>",
        doc: "Resolves a name into a variable; the brackets name the variable, the `resolvers` section and perhaps `ipv4` or `ipv6`, the family that is preferred. `tcp-request content` waits no longer than its inspect-delay.",
        examples: &["do-resolve(txn.ip,dns,ipv4) hdr(host)"],
        status: Status::Works,
        parse: do_resolve,
    }],
    ..Part::NONE
};
