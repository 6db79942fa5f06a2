//! `stats …` in proxies (manual 4.2): in come the lines, out comes what they say, and from that the page
//! that a running proxy answers with.

use std::sync::Arc;

use super::StatsPage;
use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_time};
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::config::proxy::{Mode, switch_option};
use crate::config::section::Sections;
use crate::config::spec::ProxySpec;
use crate::flow::rules::condition::{self, ConditionSpec};
use crate::flow::rules::{RuleSets, conflicts};

/// Where the page is when no `stats uri` says so.
const DEFAULT_URI: &str = "/haproxy?stats";

/// `stats …` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StatsSpec {
    /// Whether this section has a line of its own: then nothing is taken from the defaults.
    own: bool,
    /// What was written, if anything.
    page: Option<PageSpec>,
}

/// The page as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PageSpec {
    /// `stats uri`
    pub uri: Option<String>,
    /// `stats realm`
    pub realm: Option<String>,
    /// `stats auth`: users and passwords.
    pub users: Vec<(String, String)>,
    /// `stats refresh`, in seconds; 0 for none.
    pub refresh: u32,
    /// `stats scope`: names of proxies, `.` for the page's own.
    pub scope: Vec<String>,
    /// `stats hide-version`
    pub hide_version: bool,
    /// `stats show-legends`
    pub legends: bool,
    /// `stats show-modules`
    pub modules: bool,
    /// `stats show-node`; empty for the global one.
    pub node: Option<String>,
    /// `stats show-desc`; empty for the global one.
    pub description: Option<String>,
    /// `stats admin`
    pub admin: Vec<ConditionSpec>,
    /// `stats http-request`
    pub rules: Vec<AccessRuleSpec>,
}

/// `stats http-request` as written.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessRuleSpec {
    /// What it does.
    pub action: AccessAction,
    /// When.
    pub condition: Option<ConditionSpec>,
}

/// What `stats http-request` can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessAction {
    /// Shows the page.
    Allow,
    /// Answers 403.
    Deny,
    /// Answers 401, with this realm.
    Auth(Option<String>),
}

impl StatsSpec {
    /// The page, if it is enabled.
    pub fn compile(
        &self,
        proxy: &ProxySpec,
        compiler: &mut Compiler<'_>,
    ) -> Option<Arc<StatsPage>> {
        let page = self.page.as_ref()?;
        if proxy.basics.mode != Mode::Http {
            let text = format!(
                "config : 'stats' statement ignored for {} '{}' as it requires HTTP mode.",
                proxy.kind.word(),
                proxy.name
            );
            compiler.diagnostics.push(Diagnostic::warning(None, text));
            return None;
        }
        if !page.rules.is_empty() && (!page.users.is_empty() || page.realm.is_some()) {
            let text = format!(
                "proxy '{}': stats 'auth'/'realm' and 'http-request' can't be used at the same time.",
                proxy.name
            );
            compiler.diagnostics.push(Diagnostic::alert(None, text));
            return None;
        }
        match page.compile(proxy) {
            Ok(page) => Some(Arc::new(page)),
            Err(diagnostic) => {
                compiler.diagnostics.push(diagnostic);
                None
            }
        }
    }
}

impl PageSpec {
    fn compile(&self, proxy: &ProxySpec) -> Result<StatsPage, Diagnostic> {
        let acls = condition::compile_acls(&proxy.rules.acls);
        let admin = self.admin.iter().map(|c| condition::compile(c, &acls));
        let rules = self.rules.iter().map(|rule| {
            let condition = rule.condition.as_ref().map(|c| condition::compile(c, &acls));
            Ok((rule.action.clone(), condition.transpose()?))
        });
        Ok(StatsPage {
            proxy: proxy.name.clone(),
            uri: self.uri.clone().unwrap_or_else(|| DEFAULT_URI.to_owned()),
            admin: admin.collect::<Result<_, _>>()?,
            rules: rules.collect::<Result<_, Diagnostic>>()?,
            spec: self.clone(),
        })
    }
}

/// The page of the section being read, made on its first `stats` line.
fn page<'l>(line: &'l mut Line<'_>) -> &'l mut PageSpec {
    let own = line.section != Sections::DEFAULTS;
    let stats = &mut line.proxy().stats;
    if own && !stats.own {
        stats.page = None;
        stats.own = true;
    }
    stats.page.get_or_insert_default()
}

/// The next word, or HAProxy's message.
fn word(line: &mut Line<'_>, missing: &str) -> Result<String, Diagnostic> {
    Ok(line.required(missing)?.str().into_owned())
}

/// `parsing [file:line]: …`, which some messages write without a space.
fn alert(line: &Line<'_>, text: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::alert(Some(&line.last_place()), format!("parsing [{}]: {text}", line.words.place))
}

fn warn(line: &mut Line<'_>, text: impl std::fmt::Display) {
    let text = format!("parsing [{}]: {text}", line.words.place);
    let warning = Diagnostic::warning(Some(&line.last_place()), text);
    line.diagnostics.push(warning);
}

/// Switches something on; HAProxy ignores what follows.
fn flag(line: &mut Line<'_>, set: fn(&mut PageSpec)) -> Parsed {
    line.rest();
    set(page(line));
    Ok(())
}

fn uri(line: &mut Line<'_>) -> Parsed {
    let uri = word(line, "'uri' needs an URI prefix.")?;
    line.rest();
    page(line).uri = Some(uri);
    Ok(())
}

fn realm(line: &mut Line<'_>) -> Parsed {
    let realm = word(line, "'realm' needs an realm name.")?;
    line.rest();
    page(line).realm = Some(realm);
    Ok(())
}

fn auth(line: &mut Line<'_>) -> Parsed {
    let account = word(line, "'auth' needs a user:password account.")?;
    line.rest();
    let (user, password) = account.split_once(':').unwrap_or((&account, ""));
    if page(line).users.iter().any(|(name, _)| name == user) {
        let text = format!("uri auth: ignoring duplicated user '{user}'.");
        line.diagnostics.push(Diagnostic::warning(None, text));
        return Ok(());
    }
    page(line).users.push((user.to_owned(), password.to_owned()));
    Ok(())
}

fn scope(line: &mut Line<'_>) -> Parsed {
    let name = word(line, "'scope' needs a proxy name.")?;
    line.rest();
    let list = &mut page(line).scope;
    if !list.contains(&name) {
        list.push(name);
    }
    Ok(())
}

fn refresh(line: &mut Line<'_>) -> Parsed {
    let text = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    line.rest();
    let seconds = match parse_time(text.as_bytes(), TimeUnit::Seconds) {
        Ok(time) => time.as_secs(),
        Err(NumberError::Overflow) => {
            return Err(alert(
                line,
                format!(
                    "timer overflow in argument <{text}> to stats refresh interval, maximum value is 2147483647 s (~68 years)."
                ),
            ));
        }
        Err(NumberError::Unexpected(c)) => {
            let text = format!("unexpected character '{c}' in argument to stats refresh interval.");
            return Err(alert(line, text));
        }
    };
    page(line).refresh = u32::try_from(seconds).unwrap_or(u32::MAX);
    Ok(())
}

fn show_node(line: &mut Line<'_>) -> Parsed {
    let node = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    line.rest();
    if !node.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
        return Err(alert(
            line,
            "'stats show-node' invalid node name - should be a stringwith digits(0-9), letters(A-Z, a-z), hyphen(-) or underscode(_).",
        ));
    }
    page(line).node = Some(node);
    Ok(())
}

fn show_desc(line: &mut Line<'_>) -> Parsed {
    let words: Vec<_> = line.rest().iter().map(|w| w.str().into_owned()).collect();
    if words.is_empty() && line.spec.global.description.is_none() {
        warn(line, "'show-desc' requires a parameter or 'desc' to be set in the global section.");
        return Ok(());
    }
    page(line).description = Some(words.join(" "));
    Ok(())
}

fn admin(line: &mut Line<'_>) -> Parsed {
    if line.section == Sections::DEFAULTS {
        return Err(alert(line, "'stats admin' not allowed in 'defaults' section."));
    }
    page(line);
    let negated = match line.word().map(|w| w.str().into_owned()).as_deref() {
        Some("if") => false,
        Some("unless") => true,
        _ => {
            return Err(line
                .alert("'stats admin' requires either 'if' or 'unless' followed by a condition."));
        }
    };
    let condition = condition::parse_words(line, negated).map_err(|e| {
        line.alert(format!("error detected while parsing a 'stats admin' rule : {e}."))
    })?;
    let places = conflicts::places_of(RuleSets::HTTP_REQUEST, line.proxy().kind);
    conflicts::warn(line, Some(&condition), &places, None);
    page(line).admin.push(condition);
    Ok(())
}

fn http_request(line: &mut Line<'_>) -> Parsed {
    if line.section == Sections::DEFAULTS {
        return Err(alert(line, "'stats' not allowed in 'defaults' section."));
    }
    if page(line).rules.last().is_some_and(|rule| rule.condition.is_none()) {
        warn(line, "previous 'stats' action has no condition attached, further entries are NOOP.");
    }
    let name = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let action = match name.as_str() {
        "allow" => AccessAction::Allow,
        "deny" => AccessAction::Deny,
        "auth" if line.accept("realm") => {
            let text = "'http-request auth' expects a realm name.";
            AccessAction::Auth(Some(word(line, text)?))
        }
        "auth" => AccessAction::Auth(None),
        other => {
            let missing = if other.is_empty() { " (missing argument)" } else { "" };
            let text = format!(
                "'http-request' expects 'allow', 'auth', 'deny', but got '{other}'{missing}."
            );
            return Err(alert(line, text));
        }
    };
    let condition = access_condition(line, &name)?;
    let places = conflicts::places_of(RuleSets::HTTP_REQUEST, line.proxy().kind);
    conflicts::warn(line, condition.as_ref(), &places, None);
    page(line).rules.push(AccessRuleSpec { action, condition });
    Ok(())
}

fn access_condition(
    line: &mut Line<'_>,
    action: &str,
) -> Result<Option<ConditionSpec>, Diagnostic> {
    let Some(first) = line.word().map(|w| w.str().into_owned()) else { return Ok(None) };
    if first != "if" && first != "unless" {
        return Err(alert(
            line,
            format!(
                "'http-request {action}' expects either 'if' or 'unless' followed by a condition but found '{first}'."
            ),
        ));
    }
    let condition = condition::parse_words(line, first == "unless").map_err(|e| {
        line.alert(format!(
            "error detected while parsing an 'http-request {action}' condition : {e}."
        ))
    })?;
    Ok(Some(condition))
}

/// Anything else after `stats`.
fn unknown(line: &mut Line<'_>) -> Parsed {
    let expected = "expects 'admin', 'uri', 'realm', 'auth', 'scope', 'enable', 'hide-version', 'show-node', 'show-desc' or 'show-legends'.";
    let text = match line.word() {
        None => format!("missing keyword in 'stats', {expected}"),
        Some(word) => format!("unknown stats parameter '{word}', {expected}"),
    };
    Err(alert(line, text))
}

const STATS: Keyword =
    Keyword { sections: Sections::PROXIES, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "option socket-stats",
            sections: Sections::FRONTENDS,
            negatable: true,
            doc: "Shows a row of statistics for each listening socket.",
            examples: &["option socket-stats"],
            parse: switch_option,
            ..STATS
        },
        Keyword {
            name: "stats",
            args: "<word> ...",
            doc: "Written with another word, to be refused.",
            examples: &[],
            parse: unknown,
            ..STATS
        },
        Keyword {
            name: "stats admin",
            sections: Sections::NAMED_PROXIES,
            args: "{ if | unless } <cond>",
            doc: "Lets those for whom the condition holds change servers on the page.",
            examples: &["stats admin if LOCALHOST"],
            parse: admin,
            ..STATS
        },
        Keyword {
            name: "stats auth",
            args: "<user>:<passwd>",
            doc: "Asks for a name and a password; repeated for each account.",
            examples: &["stats auth admin1:AdMiN123"],
            parse: auth,
            ..STATS
        },
        Keyword {
            name: "stats enable",
            doc: "Shows the page, at its default address if no stats uri gives one.",
            examples: &["stats enable"],
            parse: |line| flag(line, |_| {}),
            ..STATS
        },
        Keyword {
            name: "stats hide-version",
            doc: "Leaves the version out of the page.",
            examples: &["stats hide-version"],
            parse: |line| flag(line, |page| page.hide_version = true),
            ..STATS
        },
        Keyword {
            name: "stats http-request",
            sections: Sections::NAMED_PROXIES,
            args: "{ allow | deny | auth [realm <realm>] } [ { if | unless } <condition> ]",
            doc: "Decides who may see the page.",
            examples: &["stats http-request deny unless LOCALHOST"],
            parse: http_request,
            ..STATS
        },
        Keyword {
            name: "stats realm",
            args: "<realm>",
            default: "HAProxy Statistics",
            doc: "What the browser shows when it asks for name and password.",
            examples: &["stats realm Statistics"],
            parse: realm,
            ..STATS
        },
        Keyword {
            name: "stats refresh",
            args: "<delay>",
            doc: "Makes the browser reload the page; the delay is in seconds without a unit.",
            examples: &["stats refresh 5s"],
            parse: refresh,
            ..STATS
        },
        Keyword {
            name: "stats scope",
            args: "{ <name> | . }",
            default: "all proxies",
            doc: "Shows only this proxy, or the page's own; repeated for several.",
            examples: &["stats scope ."],
            parse: scope,
            ..STATS
        },
        Keyword {
            name: "stats show-desc",
            args: "[ <desc> ]",
            doc: "Shows a description, or the global one.",
            examples: &["stats show-desc Master node for Europe"],
            parse: show_desc,
            ..STATS
        },
        Keyword {
            name: "stats show-legends",
            doc: "Shows addresses, identifiers, cookies and algorithms too.",
            examples: &["stats show-legends"],
            parse: |line| flag(line, |page| page.legends = true),
            ..STATS
        },
        Keyword {
            name: "stats show-modules",
            doc: "Shows columns of HTTP/2 and other modules too.",
            examples: &["stats show-modules"],
            parse: |line| flag(line, |page| page.modules = true),
            ..STATS
        },
        Keyword {
            name: "stats show-node",
            args: "[ <name> ]",
            doc: "Shows a name for this machine, or the global node.",
            examples: &["stats show-node Europe-1"],
            parse: show_node,
            ..STATS
        },
        Keyword {
            name: "stats uri",
            args: "<prefix>",
            default: "/haproxy?stats",
            doc: "Where the page is: requests whose target begins so are answered with it.",
            examples: &["stats uri /stats"],
            parse: uri,
            ..STATS
        },
    ],
    ..Part::NONE
};
