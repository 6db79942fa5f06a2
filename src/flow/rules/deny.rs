//! Actions that end a request or a rule set: `allow`, `deny`, `tarpit`, `reject`, `silent-drop`
//! (manual 4.2 "http-request").

use std::sync::Arc;

use crate::catalog::{ActionRow, Keyword, Part, Status};
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;
use crate::flow::phase::Phase;
use crate::flow::response::error_page;
use crate::flow::rules::reply::{self, Reply};
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

/// `deny` or `tarpit` with a reply of its own.
#[derive(Debug, Clone)]
struct Refuse {
    reply: Reply,
    verdict: Verdict,
}

impl Action for Refuse {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        self.reply.fill_in(stream, phase);
        self.verdict
    }
}

/// The same as written.
#[derive(Debug)]
struct RefuseSpec {
    proxy: String,
    reply: Reply,
    verdict: Verdict,
}

impl ActionSpec for RefuseSpec {
    fn compile(&self, compiler: &mut Compiler<'_>) -> Result<Arc<dyn Action>, Diagnostic> {
        let reply = self.reply.compile(&self.proxy, compiler)?;
        Ok(Arc::new(Refuse { reply, verdict: self.verdict }))
    }
}

/// Reads what follows `deny` and `tarpit`. Nothing, or `deny_status` alone, means the proxy's page;
/// otherwise it is a reply.
fn refuse(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let tarpit = line.row.name == "tarpit";
    let mut status = match line.rule_set {
        _ if tarpit => 500,
        RuleSets::HTTP_RESPONSE => 502,
        _ => 403,
    };
    if line.accept("deny_status") {
        status = reply::read_status(line, "status")?;
    }
    let page = if tarpit { Verdict::Tarpit(status) } else { Verdict::Deny(status) };
    if line.at_condition() {
        if !error_page::STATUSES.contains(&status) {
            return Err(line.rule_error(format!(
                "status code '{status}' not handled by default with 'default-errorfiles' argument."
            )));
        }
        return Ok(Box::new(Decide(page)));
    }
    let reply = reply::read(line, status)?;
    let proxy = line.proxy.name.clone();
    Ok(match (reply.is_default_page(), tarpit) {
        (true, true) => Box::new(Decide(Verdict::Tarpit(reply.status))),
        (true, false) => Box::new(Decide(Verdict::Deny(reply.status))),
        (false, true) => Box::new(RefuseSpec { proxy, reply, verdict: Verdict::TarpitRefused }),
        (false, false) => Box::new(RefuseSpec { proxy, reply, verdict: Verdict::Refused }),
    })
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

/// The usage of `deny` and `tarpit`.
const DENY_USAGE: &str = "[ { status | deny_status } <code> ] [ <reply> ]";

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
            doc: "A rule for every response, this program's own too. The actions have a section of their own below.",
            examples: &["http-after-response set-header x-served-by haproxy"],
            ..RULES
        },
        Keyword {
            name: "http-request",
            sections: Sections::NAMED_PROXIES,
            doc: "A rule for requests. The actions have a section of their own below.",
            examples: &["http-request deny if { path /private }"],
            ..RULES
        },
        Keyword {
            name: "http-response",
            sections: Sections::NAMED_PROXIES,
            doc: "A rule for the servers' responses. The actions have a section of their own below.",
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
            args: DENY_USAGE,
            doc: "Refuses: 403 for requests, 502 for responses, or the given status.",
            examples: &["deny", "deny deny_status 429"],
            parse: refuse,
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
            args: DENY_USAGE,
            doc: "Holds the request for timeout tarpit, then answers 500 or the given status.",
            examples: &["tarpit"],
            parse: refuse,
            ..ROW
        },
    ],
    ..Part::NONE
};
