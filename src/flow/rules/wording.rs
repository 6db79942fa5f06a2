//! What HAProxy says about rules it cannot read: unknown actions, words behind an action that begin no
//! condition, mistakes in a condition (manual 4.2). The HTTP and the TCP rule sets word them differently.

use crate::config::args::Line;
use crate::config::diagnostic::Diagnostic;
use crate::flow::rules::RuleSets;

/// The actions of each rule set, in the order in which HAProxy lists them.
const ACTIONS: &[(RuleSets, &str)] = &[
    (
        RuleSets::HTTP_REQUEST,
        ", 'use-service', 'send-spoe-group', 'sc-inc-gpc0(*)', 'sc-inc-gpc1(*)', 'sc-set-gpt0(*)', 'do-resolve(*)', 'add-acl(*)', 'add-header', 'allow', 'auth', 'capture', 'del-acl(*)', 'del-header', 'del-map(*)', 'deny', 'disable-l7-retry', 'early-hint', 'redirect', 'reject', 'replace-header', 'replace-path', 'replace-pathq', 'replace-uri', 'replace-value', 'return', 'set-header', 'set-log-level', 'set-map(*)', 'set-method', 'set-mark', 'set-nice', 'set-path', 'set-pathq', 'set-query', 'set-tos', 'set-uri', 'strict-mode', 'tarpit', 'track-sc(*)', 'cache-use', 'set-var(*)', 'unset-var(*)', 'set-priority-class', 'set-priority-offset', 'silent-drop', 'set-src', 'set-src-port', 'set-dst', 'set-dst-port'",
    ),
    (
        RuleSets::HTTP_RESPONSE,
        ", 'send-spoe-group', 'sc-inc-gpc0(*)', 'sc-inc-gpc1(*)', 'sc-set-gpt0(*)', 'add-acl(*)', 'add-header', 'allow', 'capture', 'del-acl(*)', 'del-header', 'del-map(*)', 'deny', 'redirect', 'replace-header', 'replace-value', 'return', 'set-header', 'set-log-level', 'set-map(*)', 'set-mark', 'set-nice', 'set-status', 'set-tos', 'strict-mode', 'track-sc(*)', 'cache-store', 'set-var(*)', 'unset-var(*)', 'silent-drop'",
    ),
    (
        RuleSets::HTTP_AFTER_RESPONSE,
        ", 'add-header', 'allow', 'del-header', 'replace-header', 'replace-value', 'set-header', 'set-status', 'strict-mode', 'set-var(*)', 'unset-var(*)'",
    ),
    (
        RuleSets::TCP_REQUEST_CONNECTION,
        "'accept', 'reject', 'track-sc0' ... 'track-sc2', 'sc-inc-gpc0(*)', 'sc-inc-gpc1(*)', 'sc-set-gpt0(*)', 'set-src', 'set-src-port', 'set-dst', 'set-dst-port', 'silent-drop'",
    ),
    (
        RuleSets::TCP_REQUEST_SESSION,
        "'accept', 'reject', 'track-sc0' ... 'track-sc2', 'sc-inc-gpc0(*)', 'sc-inc-gpc1(*)', 'sc-set-gpt0(*)', 'set-var(*)', 'unset-var(*)', 'set-src', 'set-src-port', 'set-dst', 'set-dst-port', 'silent-drop'",
    ),
    (
        RuleSets::TCP_REQUEST_CONTENT,
        "'accept', 'reject', 'track-sc0' ... 'track-sc2', 'use-service', 'send-spoe-group', 'sc-inc-gpc0(*)', 'sc-inc-gpc1(*)', 'sc-set-gpt0(*)', 'do-resolve(*)', 'set-var(*)', 'unset-var(*)', 'set-priority-class', 'set-priority-offset', 'set-dst', 'set-dst-port', 'silent-drop'",
    ),
    (
        RuleSets::TCP_RESPONSE_CONTENT,
        "'accept', 'close', 'reject', 'send-spoe-group', 'sc-inc-gpc0(*)', 'sc-inc-gpc1(*)', 'sc-set-gpt0(*)', 'set-var(*)', 'unset-var(*)', 'silent-drop'",
    ),
];

fn is_http(set: RuleSets) -> bool {
    [RuleSets::HTTP_REQUEST, RuleSets::HTTP_RESPONSE, RuleSets::HTTP_AFTER_RESPONSE].contains(&set)
}

fn owner(line: &mut Line<'_>) -> String {
    let proxy = line.proxy();
    format!("{} '{}'", proxy.kind.word(), proxy.name)
}

/// The alert for a word that names no action of the rule set; empty when there is none.
pub fn unknown_action(line: &mut Line<'_>, set: RuleSets, word: &str) -> Diagnostic {
    let known = ACTIONS.iter().find(|(s, _)| *s == set).map_or("", |(_, list)| list);
    let name = set.name();
    if is_http(set) {
        let missing = if word.is_empty() { " (missing argument)" } else { "" };
        return line.bare(format!("'{name}' expects {known}, but got '{word}'{missing}."));
    }
    let owner = owner(line);
    let end = if set == RuleSets::TCP_RESPONSE_CONTENT { "" } else { "." };
    line.alert(format!("'{name}' expects {known} in {owner} (got '{word}'){end}"))
}

/// The alert for a word behind an action that begins no condition.
pub fn unexpected(line: &mut Line<'_>, set: RuleSets, action: &str) -> Diagnostic {
    let name = set.name();
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    if is_http(set) {
        return line.bare(format!(
            "'{name} {action}' expects either 'if' or 'unless' followed by a condition but found '{word}'."
        ));
    }
    let owner = owner(line);
    line.alert(format!(
        "'{name} {action}' only accepts 'if' or 'unless', in {owner} (got '{word}')"
    ))
}

/// How the message about a mistake in the rule's condition begins.
pub fn in_condition(line: &mut Line<'_>, set: RuleSets, action: &str) -> String {
    let name = set.name();
    if is_http(set) {
        return format!("error detected while parsing an '{name} {action}' condition");
    }
    let owner = owner(line);
    let word = line.peek().map(|w| w.str().into_owned()).unwrap_or_default();
    format!("'{name} {action}' : error detected in {owner} while parsing '{word}' condition")
}
