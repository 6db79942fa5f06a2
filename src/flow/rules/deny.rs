//! Actions that end a request or a rule set: `allow`, `deny`, `tarpit`, `reject`, `silent-drop`
//! (manual 4.2 "http-request").

use crate::catalog::{ActionRow, Keyword, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict, rule_line};
use crate::flow::session::Stream;

/// An action that only gives a verdict.
#[derive(Debug, Clone)]
struct Decide(Verdict);

impl Action for Decide {
    fn run(&self, _: &mut Stream<'_>, _: Phase) -> Verdict {
        self.0
    }
}

/// `[ { status | deny_status } <code> ]`; other reply forms belong to `reply`.
fn status(line: &mut ActionLine<'_, '_>, default: u16) -> Result<u16, Diagnostic> {
    if !line.accept("deny_status") && !line.accept("status") {
        return Ok(default);
    }
    let name = line.row.name;
    let word = line.required(&format!("'{name}' expects <status_code> as argument."))?;
    let code = word.str().parse().ok().filter(|c| (200..=599).contains(c));
    code.ok_or_else(|| {
        line.alert(format!("'{name}': status code '{word}' must be a number between 200 and 599."))
    })
}

fn deny(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let default = if line.rule_set == RuleSets::HTTP_RESPONSE { 502 } else { 403 };
    Ok(Box::new(Decide(Verdict::Deny(status(line, default)?))))
}

const ROW: ActionRow = ActionRow {
    name: "",
    rule_sets: RuleSets::HTTP_REQUEST,
    args: "",
    doc: "",
    examples: &[],
    status: Status::Works,
    parse: |_| Ok(Box::new(Decide(Verdict::Continue))),
};

const RULES: Keyword = Keyword {
    args: "<action> [<options>...] [ { if | unless } <condition> ]",
    status: Status::Works,
    parse: rule_line,
    ..Keyword::NEW
};

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "http-after-response",
            sections: Sections::NAMED_PROXIES,
            doc: "A rule for every response, ours too.",
            examples: &["http-after-response set-header x-served-by haproxy"],
            ..RULES
        },
        Keyword {
            name: "http-request",
            sections: Sections::NAMED_PROXIES,
            doc: "A rule for requests.",
            examples: &["http-request deny if { path /private }"],
            ..RULES
        },
        Keyword {
            name: "http-response",
            sections: Sections::NAMED_PROXIES,
            doc: "A rule for the servers' responses.",
            examples: &["http-response del-header server"],
            ..RULES
        },
    ],
    actions: &[
        ActionRow {
            name: "allow",
            rule_sets: RuleSets::HTTP_REQUEST
                .and(RuleSets::HTTP_RESPONSE)
                .and(RuleSets::HTTP_AFTER_RESPONSE),
            doc: "Skips the rest of this rule set.",
            examples: &["allow"],
            parse: |_| Ok(Box::new(Decide(Verdict::Allow))),
            ..ROW
        },
        ActionRow {
            name: "deny",
            rule_sets: RuleSets::HTTP_REQUEST.and(RuleSets::HTTP_RESPONSE),
            args: "[ { status | deny_status } <code> ]",
            doc: "Refuses: 403 for requests, 502 for responses, or the given status.",
            examples: &["deny", "deny deny_status 429"],
            parse: deny,
            ..ROW
        },
        ActionRow {
            name: "reject",
            doc: "Closes the connection without an answer.",
            examples: &["reject"],
            parse: |_| Ok(Box::new(Decide(Verdict::Reject))),
            ..ROW
        },
        ActionRow {
            name: "tarpit",
            args: "[ { status | deny_status } <code> ]",
            doc: "Holds the request for timeout tarpit, then answers 500 or the given status.",
            examples: &["tarpit"],
            parse: |line| Ok(Box::new(Decide(Verdict::Tarpit(status(line, 500)?)))),
            ..ROW
        },
    ],
    ..Part::NONE
};
