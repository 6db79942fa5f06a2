//! The TCP rule sets (manual 4.2 "tcp-request connection", "tcp-request session", "tcp-request content",
//! "tcp-response content"): their directives and the actions that only decide. In: the words of a rule.
//! Out: a verdict.

use crate::catalog::{ActionRow, Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_time};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict, rule_line};
use crate::flow::session::{Session, Stream};

/// An action that only gives a verdict.
#[derive(Debug, Clone)]
struct Decide(Verdict);

impl Action for Decide {
    fn run(&self, _: &mut Stream<'_>, _: Phase) -> Verdict {
        self.0
    }

    fn run_on_session(&self, _: &Session, _: Phase) -> Verdict {
        self.0
    }
}

fn layer4(
    line: &mut ActionLine<'_, '_>,
    verdict: Verdict,
) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let word = line.word().map(|w| w.str()).unwrap_or_default();
    if word == "layer4" {
        return Ok(Box::new(Decide(verdict)));
    }
    let (action, kind, name) = (line.row.name, line.proxy.kind.word(), line.proxy.name.clone());
    Err(line.alert(format!(
        "'tcp-request connection {action}' only supports 'layer4' in {kind} '{name}' (got '{word}')"
    )))
}

/// `tcp-request` or `tcp-response` before something else than its rule sets.
fn rule_set_missing(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let owner = format!("{} '{}'", line.proxy().kind.word(), line.proxy().name);
    let known = match name {
        "tcp-request" => "'inspect-delay', 'connection', or 'content'",
        _ => "'inspect-delay' or 'content'",
    };
    Err(match line.word() {
        None => line.alert(format!("missing argument for '{name}' in {owner}")),
        Some(word) => line.alert(format!("'{name}' expects {known} in {owner} (got '{word}')")),
    })
}

fn inspect_delay(line: &mut Line<'_>) -> Parsed {
    let (kind, proxy) = (line.proxy().kind.word(), line.proxy().name.clone());
    let name = line.keyword.name;
    let expects = format!("'{name}' expects a positive delay in milliseconds, in {kind} '{proxy}'");
    let Some(word) = line.word() else { return Err(line.alert(expects)) };
    match parse_time(word.bytes(), TimeUnit::Milliseconds) {
        Ok(delay) => {
            let delay = Some(delay).filter(|d| !d.is_zero());
            let rules = &mut line.proxy().rules;
            match name {
                "tcp-request inspect-delay" => rules.inspect_request = delay,
                _ => rules.inspect_response = delay,
            }
            Ok(())
        }
        Err(NumberError::Unexpected(c)) => {
            Err(line.alert(format!("{expects} (unexpected character '{c}')")))
        }
        Err(NumberError::Overflow) => Err(line.alert(format!(
            "{expects} (timer overflow in '{word}', maximum value is 2147483647 ms or ~24.8 days)"
        ))),
    }
}

const ALL: RuleSets = RuleSets::TCP_REQUEST_CONNECTION
    .and(RuleSets::TCP_REQUEST_SESSION)
    .and(RuleSets::TCP_REQUEST_CONTENT)
    .and(RuleSets::TCP_RESPONSE_CONTENT);

const ROW: ActionRow = ActionRow {
    name: "",
    rule_sets: ALL,
    args: "",
    doc: "",
    examples: &[],
    status: Status::Works,
    parse: |_| Ok(Box::new(Decide(Verdict::Allow))),
};

const EVERYWHERE: RuleSets = ALL.and(RuleSets::HTTP_REQUEST).and(RuleSets::HTTP_RESPONSE);

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
            name: "tcp-request",
            sections: Sections::NAMED_PROXIES,
            doc: "Written without a rule set, to be refused.",
            examples: &[],
            parse: rule_set_missing,
            ..RULES
        },
        Keyword {
            name: "tcp-request connection",
            sections: Sections::FRONTEND.and(Sections::LISTEN),
            doc: "A rule for connections just accepted.",
            examples: &["tcp-request connection reject if { src 127.0.0.9 }"],
            ..RULES
        },
        Keyword {
            name: "tcp-request content",
            sections: Sections::NAMED_PROXIES,
            doc: "A rule for the first bytes of a connection.",
            examples: &["tcp-request content accept if { req.len gt 0 }"],
            ..RULES
        },
        Keyword {
            name: "tcp-request inspect-delay",
            sections: Sections::NAMED_PROXIES,
            args: "<timeout>",
            default: "0",
            doc: "How long content rules wait for the bytes they look at.",
            examples: &["tcp-request inspect-delay 5s"],
            parse: inspect_delay,
            ..RULES
        },
        Keyword {
            name: "tcp-request session",
            sections: Sections::FRONTEND.and(Sections::LISTEN),
            doc: "A rule for connections whose handshakes are done.",
            examples: &["tcp-request session reject if { src 127.0.0.9 }"],
            ..RULES
        },
        Keyword {
            name: "tcp-response",
            sections: Sections::NAMED_PROXIES,
            doc: "Written without a rule set, to be refused.",
            examples: &[],
            parse: rule_set_missing,
            ..RULES
        },
        Keyword {
            name: "tcp-response content",
            sections: Sections::LISTEN.and(Sections::BACKEND),
            doc: "A rule for the first bytes of a server's answer.",
            examples: &["tcp-response content accept if { res.len gt 0 }"],
            ..RULES
        },
        Keyword {
            name: "tcp-response inspect-delay",
            sections: Sections::LISTEN.and(Sections::BACKEND),
            args: "<timeout>",
            default: "0",
            doc: "How long content rules wait for the bytes they look at.",
            examples: &["tcp-response inspect-delay 5s"],
            parse: inspect_delay,
            ..RULES
        },
    ],
    actions: &[
        ActionRow {
            name: "accept",
            doc: "Skips the rest of this rule set.",
            examples: &["accept"],
            ..ROW
        },
        ActionRow {
            name: "close",
            rule_sets: RuleSets::TCP_RESPONSE_CONTENT,
            doc: "Closes the server's connection at once.",
            examples: &["close"],
            parse: |_| Ok(Box::new(Decide(Verdict::Close))),
            ..ROW
        },
        ActionRow {
            name: "expect-netscaler-cip",
            rule_sets: RuleSets::TCP_REQUEST_CONNECTION,
            args: "layer4",
            doc: "The connection begins with a NetScaler client address header.",
            examples: &["expect-netscaler-cip layer4"],
            parse: |line| layer4(line, Verdict::ExpectNetscaler),
            ..ROW
        },
        ActionRow {
            name: "expect-proxy",
            rule_sets: RuleSets::TCP_REQUEST_CONNECTION,
            args: "layer4",
            doc: "The connection begins with a PROXY protocol header.",
            examples: &["expect-proxy layer4"],
            parse: |line| layer4(line, Verdict::ExpectProxy),
            ..ROW
        },
        ActionRow {
            name: "reject",
            doc: "Closes the connection.",
            examples: &["reject"],
            parse: |_| Ok(Box::new(Decide(Verdict::Reject))),
            ..ROW
        },
        ActionRow {
            name: "silent-drop",
            rule_sets: EVERYWHERE,
            doc: "Forgets the connection without telling the client.",
            examples: &["silent-drop"],
            parse: |_| Ok(Box::new(Decide(Verdict::SilentDrop))),
            ..ROW
        },
    ],
    ..Part::NONE
};
