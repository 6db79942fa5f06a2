//! Rules: in comes a stream at a checkpoint, out comes a verdict (manual 4.2, "http-request" and
//! its kin). One file an action; `condition` decides whether a rule applies.

pub mod address;
pub mod auth;
pub mod capture;
pub mod condition;
pub mod conflicts;
pub mod deny;
pub mod early_hint;
pub mod first;
pub mod header;
pub mod log_level;
pub mod map;
pub mod packet;
pub mod planned;
pub mod priority;
pub mod redirect;
pub mod reply;
pub mod resolve;
pub mod start_line;
pub mod strict_mode;
pub mod switch;
pub mod tcp;
pub mod track;
pub mod userlist;
pub mod var;
mod wording;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use crate::catalog;
use crate::config::args::{Line, Parsed, Words};
use crate::config::compile::Compiler;
use crate::config::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::config::outside::Outside;
use crate::config::proxy::Mode;
use crate::config::references::Reference;
use crate::config::spec::ProxyKind;
use crate::config::words::Word;
use crate::flow::listener::proxy_protocol::Expected;
use crate::flow::log::format::{LogFormat, Purpose};
use crate::flow::phase::Phase;
use crate::flow::session::{Session, Stream};
use condition::{Acl, Acls, Condition, ConditionSpec};

/// A set of rule sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleSets(u16);

impl RuleSets {
    /// `tcp-request connection`
    pub const TCP_REQUEST_CONNECTION: RuleSets = RuleSets(1);
    /// `tcp-request session`
    pub const TCP_REQUEST_SESSION: RuleSets = RuleSets(1 << 1);
    /// `tcp-request content`
    pub const TCP_REQUEST_CONTENT: RuleSets = RuleSets(1 << 2);
    /// `tcp-response content`
    pub const TCP_RESPONSE_CONTENT: RuleSets = RuleSets(1 << 3);
    /// `http-request`
    pub const HTTP_REQUEST: RuleSets = RuleSets(1 << 4);
    /// `http-response`
    pub const HTTP_RESPONSE: RuleSets = RuleSets(1 << 5);
    /// `http-after-response`
    pub const HTTP_AFTER_RESPONSE: RuleSets = RuleSets(1 << 6);
    /// No rule set: `http-error`, whose reply is written as a rule's.
    pub const HTTP_ERROR: RuleSets = RuleSets(1 << 7);

    /// The directive that adds to a rule set.
    pub const NAMES: &[(&str, RuleSets)] = &[
        ("tcp-request connection", Self::TCP_REQUEST_CONNECTION),
        ("tcp-request session", Self::TCP_REQUEST_SESSION),
        ("tcp-request content", Self::TCP_REQUEST_CONTENT),
        ("tcp-response content", Self::TCP_RESPONSE_CONTENT),
        ("http-request", Self::HTTP_REQUEST),
        ("http-response", Self::HTTP_RESPONSE),
        ("http-after-response", Self::HTTP_AFTER_RESPONSE),
    ];

    /// Both together.
    pub const fn and(self, other: RuleSets) -> RuleSets {
        RuleSets(self.0 | other.0)
    }

    /// Whether every rule set of `other` is in this one.
    pub const fn contains(self, other: RuleSets) -> bool {
        self.0 & other.0 == other.0
    }

    /// The directive of a single rule set.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, set)| *set == self).map_or("", |(name, _)| name)
    }
}

/// What a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The next rule is looked at.
    Continue,
    /// The rest of this rule set is skipped.
    Allow,
    /// Refused with this status and its page.
    Deny(u16),
    /// Refused with 500 (this status) after `timeout tarpit`.
    Tarpit(u16),
    /// The connection is closed without an answer.
    Reject,
    /// The connection is forgotten without telling the client.
    SilentDrop,
    /// `Stream::response` and `Stream::reply_body` hold our answer.
    Answered,
    /// Refused; `Stream::response` and `Stream::reply_body` hold the answer.
    Refused,
    /// Refused after `timeout tarpit`; `Stream::response` and `Stream::reply_body` hold the answer.
    TarpitRefused,
    /// Something went wrong that must not: 500.
    Failed,
    /// It cannot be decided before more bytes have come (`tcp-request content`).
    Wait,
    /// A name is being resolved: `Stream::resolving` says what for, and where to go on.
    Resolve,
    /// The server's connection is closed at once (`tcp-response content`).
    Close,
    /// The connection begins with a PROXY protocol header; the next rule is looked at.
    ExpectProxy,
    /// The connection begins with a NetScaler's header; the next rule is looked at.
    ExpectNetscaler,
}

/// What an action does; runs on the data path.
pub trait Action: fmt::Debug + Send + Sync {
    /// Acts on the stream at a checkpoint.
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict;

    /// Acts on a connection that is no stream yet: `tcp-request connection` and `session` rules.
    fn run_on_session(&self, _: &Session, _: Phase) -> Verdict {
        Verdict::Continue
    }
}

/// An action as written; it knows how to become one that runs.
pub trait ActionSpec: fmt::Debug + Send + Sync {
    /// Resolves names and gives what runs.
    fn compile(&self, compiler: &mut Compiler<'_>) -> Result<Arc<dyn Action>, Diagnostic>;
}

/// An action that needs nothing resolved is its own specification.
impl<T: Action + Clone + 'static> ActionSpec for T {
    fn compile(&self, _: &mut Compiler<'_>) -> Result<Arc<dyn Action>, Diagnostic> {
        Ok(Arc::new(self.clone()))
    }
}

/// The arguments of an action being read.
pub struct ActionLine<'a, 'b> {
    /// The words; the action's name is read already.
    pub words: Words<'a>,
    /// What stood in the brackets of `set-var(name)`.
    pub bracket: Option<String>,
    /// The rule set.
    pub rule_set: RuleSets,
    /// The row that matched.
    pub row: &'static catalog::ActionRow,
    /// The proxy that the rule stands in.
    pub proxy: RuleOwner,
    /// The world outside.
    pub outside: &'b mut dyn Outside,
    /// Where warnings go.
    pub diagnostics: &'b mut Diagnostics,
    /// Names used in arguments whose effect is not built yet.
    pub planned: Vec<String>,
    /// The proxy's slots for captures; an action may add to them.
    pub captures: capture::CapturesSpec,
    /// Names that must exist elsewhere in the configuration.
    pub references: Vec<Reference>,
    /// The same, of samples that stand alone: HAProxy calls them ACL keywords.
    pub samples: Vec<Reference>,
    /// Caches that are named.
    pub caches: Vec<String>,
    /// The action of the rule before it in the rule set.
    pub previous: Option<String>,
}

/// The proxy that a rule stands in, as far as it has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleOwner {
    /// Its name.
    pub name: String,
    /// Its section.
    pub kind: ProxyKind,
    /// What it speaks.
    pub mode: Mode,
}

impl<'a> Deref for ActionLine<'a, '_> {
    type Target = Words<'a>;
    fn deref(&self) -> &Self::Target {
        &self.words
    }
}

impl DerefMut for ActionLine<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.words
    }
}

/// What reading an action has found besides the action.
struct Findings<'a> {
    words: Words<'a>,
    planned: Vec<String>,
    captures: capture::CapturesSpec,
    references: Vec<Reference>,
    samples: Vec<Reference>,
    caches: Vec<String>,
}

/// Reads arguments of a line as an action's; what they name is noted for the proxy. `within` says where
/// a name stands that leads nowhere.
pub fn read_arguments<T>(
    line: &mut Line<'_>,
    (bracket, rule_set, row): (Option<String>, RuleSets, &'static catalog::ActionRow),
    within: &'static str,
    read: impl FnOnce(&mut ActionLine<'_, '_>) -> Result<T, Diagnostic>,
) -> Result<T, Diagnostic> {
    let proxy = line.proxy();
    let owner = RuleOwner { name: proxy.name.clone(), kind: proxy.kind, mode: proxy.basics.mode };
    let captures = std::mem::take(&mut proxy.rules.captures);
    let previous = proxy.rules.sets.iter().rev().find(|(set, _)| *set == rule_set.0);
    let previous = previous.and_then(|(_, rule)| rule.words.first());
    let previous = previous.map(|word| word.str().into_owned());
    let mut action_line = ActionLine {
        words: line.words.clone(),
        bracket,
        rule_set,
        row,
        proxy: owner,
        outside: line.outside,
        diagnostics: line.diagnostics,
        planned: Vec::new(),
        captures,
        references: Vec::new(),
        samples: Vec::new(),
        caches: Vec::new(),
        previous,
    };
    let value = read(&mut action_line)?;
    let ActionLine { words, planned, captures, references, samples, caches, .. } = action_line;
    note(line, Findings { words, planned, captures, references, samples, caches }, within);
    Ok(value)
}

fn note<'a>(line: &mut Line<'a>, found: Findings<'a>, within: &'static str) {
    let Findings { words, planned, captures, references, samples, caches } = found;
    line.words = words;
    let place = line.words.place.clone();
    for name in planned {
        line.spec.note_planned(&name, &place);
    }
    let proxy = line.proxy();
    proxy.rules.captures = captures;
    let references = references.into_iter().map(|r| r.at(&place, "sample fetch keyword", within));
    proxy.references.args.extend(references);
    let samples = samples.into_iter().map(|r| r.at(&place, "ACL keyword", "in"));
    proxy.references.args.extend(samples);
    caches.iter().for_each(|name| proxy.filters.imply_cache(name));
    proxy.references.caches.extend(caches.into_iter().map(|name| (name, place.clone())));
}

impl ActionLine<'_, '_> {
    /// Whether the action's arguments are over: the end of the line or a condition.
    pub fn at_condition(&self) -> bool {
        self.words.peek().is_none_or(|w| *w == *"if" || *w == *"unless")
    }

    /// The action's name as it was written.
    pub fn name(&self) -> String {
        match &self.bracket {
            Some(inner) => format!("{}({inner})", self.row.name.trim_end_matches("(*)")),
            None => self.row.name.to_owned(),
        }
    }

    /// HAProxy's message for a mistake in this rule.
    pub fn rule_error(&self, text: impl AsRef<str>) -> Diagnostic {
        if self.rule_set == RuleSets::HTTP_ERROR {
            return self.alert(format!("{} : {}", self.row.name, text.as_ref()));
        }
        let RuleOwner { name, kind, .. } = &self.proxy;
        self.alert(format!(
            "error detected in {} '{name}' while parsing '{} {}' rule : {}.",
            kind.word(),
            self.rule_set.name(),
            self.name(),
            text.as_ref()
        ))
    }

    /// An argument that is a log format.
    pub fn format(&mut self, text: &[u8]) -> Result<LogFormat, Diagnostic> {
        let purpose = Purpose::rule(self.rule_set, &self.proxy);
        let (format, warnings) =
            LogFormat::parse(text, &purpose).map_err(|e| self.rule_error(e))?;
        self.planned.extend(format.planned());
        self.references.extend(format.references());
        for warning in warnings {
            self.warn(warning);
        }
        Ok(format)
    }

    /// Says something that does not refuse the configuration.
    pub fn warn(&mut self, text: impl AsRef<str>) {
        let warning = self.words.warning(text);
        self.diagnostics.push(warning);
    }
}

/// One rule as written. Two are equal when their words are.
#[derive(Debug, Clone)]
pub struct RuleSpec {
    /// The words from the action on.
    pub words: Vec<Word>,
    /// Where it stands.
    pub place: Place,
    /// The action.
    pub action: Arc<dyn ActionSpec>,
    /// `if` or `unless`.
    pub condition: Option<ConditionSpec>,
}

impl PartialEq for RuleSpec {
    fn eq(&self, other: &RuleSpec) -> bool {
        self.words == other.words
    }
}

/// ACLs and rule sets of a proxy, as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RulesSpec {
    /// `acl`
    pub acls: Acls,
    /// The rules of each rule set, in their order.
    pub sets: Vec<(u16, RuleSpec)>,
    /// `use_backend`, `default_backend`
    pub switching: switch::SwitchSpec,
    /// `redirect`
    pub redirects: Vec<RuleSpec>,
    /// `capture`, `declare capture`
    pub captures: capture::CapturesSpec,
    /// `tcp-request inspect-delay`
    pub inspect_request: Option<Duration>,
    /// `tcp-response inspect-delay`
    pub inspect_response: Option<Duration>,
}

impl RulesSpec {
    /// The rules of one rule set, in their order.
    pub fn of(&self, set: RuleSets) -> impl Iterator<Item = &RuleSpec> {
        self.sets.iter().filter(move |(s, _)| *s == set.0).map(|(_, rule)| rule)
    }
}

/// One rule that runs.
#[derive(Debug)]
pub struct Rule {
    /// What it does.
    pub action: Arc<dyn Action>,
    /// When, always if `None`.
    pub condition: Option<Condition>,
}

/// The rule sets of a running proxy.
#[derive(Debug, Default)]
pub struct Rules {
    /// `tcp-request connection`
    pub tcp_request_connection: Vec<Rule>,
    /// `tcp-request session`
    pub tcp_request_session: Vec<Rule>,
    /// `tcp-request content`
    pub tcp_request_content: Vec<Rule>,
    /// `tcp-response content`
    pub tcp_response_content: Vec<Rule>,
    /// `http-request`
    pub http_request: Vec<Rule>,
    /// `http-response`
    pub http_response: Vec<Rule>,
    /// `http-after-response`
    pub http_after_response: Vec<Rule>,
    /// `tcp-request inspect-delay`
    pub inspect_request: Option<Duration>,
    /// `tcp-response inspect-delay`
    pub inspect_response: Option<Duration>,
    /// `use_backend`
    pub switching: Vec<switch::Switch>,
    /// Finds the first of them that applies.
    pub first_switch: first::FirstOf,
    /// Named ACLs.
    pub acls: Vec<Arc<Acl>>,
    /// `redirect`
    pub redirects: Vec<Rule>,
    /// `capture`, `declare capture`
    pub captures: capture::Captures,
}

/// Runs a rule set; `Continue` when no rule ended it.
pub fn run(rules: &[Rule], stream: &mut Stream<'_>, phase: Phase) -> Verdict {
    stream.skips_failed_rules = false;
    go_on(rules, stream, phase)
}

/// Runs the rest of a rule set, as strict as it is by now.
pub fn go_on(rules: &[Rule], stream: &mut Stream<'_>, phase: Phase) -> Verdict {
    for (index, rule) in rules.iter().enumerate() {
        if let Some(condition) = &rule.condition
            && !condition.holds(&stream.sample_context(phase))
        {
            continue;
        }
        match rule.action.run(stream, phase) {
            Verdict::Continue => {}
            Verdict::Allow => return Verdict::Continue,
            Verdict::Resolve => return resolve::pause(stream, index),
            verdict => return verdict,
        }
    }
    Verdict::Continue
}

/// Runs `content` rules, which may have to wait for bytes: then `Wait`.
pub fn look(rules: &[Rule], stream: &mut Stream<'_>, phase: Phase) -> Verdict {
    for (index, rule) in rules.iter().enumerate() {
        if let Some(condition) = &rule.condition {
            match condition.decide(&stream.sample_context(phase)) {
                Some(true) => {}
                Some(false) => continue,
                None => return Verdict::Wait,
            }
        }
        match rule.action.run(stream, phase) {
            Verdict::Continue => {}
            Verdict::Allow => return Verdict::Continue,
            Verdict::Resolve => return resolve::pause(stream, index),
            verdict => return verdict,
        }
    }
    Verdict::Continue
}

/// Runs rules on a connection that is no stream yet; what they say that it begins with goes into
/// `expected`.
pub fn run_on_session(
    rules: &[Rule],
    session: &Session,
    phase: Phase,
    expected: &mut Expected,
) -> Verdict {
    for rule in rules {
        if let Some(condition) = &rule.condition
            && !condition.holds(&session.sample_context(phase))
        {
            continue;
        }
        match rule.action.run_on_session(session, phase) {
            Verdict::Continue => {}
            Verdict::ExpectProxy => expected.proxy = true,
            Verdict::ExpectNetscaler => expected.netscaler = true,
            Verdict::Allow => return Verdict::Continue,
            verdict => return verdict,
        }
    }
    Verdict::Continue
}

/// Reads one line of a rule set: an action, then `if` or `unless`. The `parse` of every directive
/// that adds to a rule set.
pub fn rule_line(line: &mut Line<'_>) -> Parsed {
    let directive = line.keyword.name;
    let Some((_, set)) = RuleSets::NAMES.iter().find(|(name, _)| *name == directive) else {
        return Err(line.alert(format!("'{directive}' adds to no rule set")));
    };
    let start = line.words.next;
    let text = line.word().map(|word| word.str().into_owned()).unwrap_or_default();
    let (name, bracket) = split_bracket(&text);
    // Brackets may be left out: then they count as empty.
    let named = || catalog::action(*set, &name);
    let Some(row) = named().or_else(|| catalog::action(*set, &format!("{name}(*)"))) else {
        return Err(wording::unknown_action(line, *set, &text));
    };
    let used = format!("{directive} {}", row.name);
    line.spec.note(&used, row.status, line.words.place);
    let action_name = match &bracket {
        Some(inner) => format!("{}({inner})", row.name.trim_end_matches("(*)")),
        None => row.name.to_owned(),
    };
    let within = match *set {
        RuleSets::HTTP_REQUEST => "in http-request header format string in",
        RuleSets::HTTP_RESPONSE => "in http-response header format string in",
        _ => "in",
    };
    let action = read_arguments(line, (bracket, *set, row), within, |line| (row.parse)(line))?;
    let action = action.into();
    if let Some(word) = line.peek()
        && !(*word == *"if" || *word == *"unless")
    {
        return Err(wording::unexpected(line, *set, &action_name));
    }
    let while_parsing = wording::in_condition(line, *set, &action_name);
    let condition = condition::parse_named(line, &while_parsing)?;
    let places = conflicts::places_of(*set, line.proxy().kind);
    let tcp = directive.starts_with("tcp-").then_some(directive);
    conflicts::warn(line, condition.as_ref(), &places, tcp);
    let words = line.words.all.get(start..).unwrap_or_default().to_vec();
    let rule = RuleSpec { words, place: line.place.clone(), action, condition };
    let bits = set.0;
    line.proxy().rules.sets.push((bits, rule));
    Ok(())
}

/// `set-var(txn.x)` to `set-var(*)` and `txn.x`.
fn split_bracket(text: &str) -> (String, Option<String>) {
    match text.split_once('(') {
        Some((name, rest)) if rest.ends_with(')') => {
            (format!("{name}(*)"), Some(rest.trim_end_matches(')').to_owned()))
        }
        _ => (text.to_owned(), None),
    }
}
