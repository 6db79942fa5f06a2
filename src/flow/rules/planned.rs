//! Actions whose arguments are checked and whose effect is not built yet (manual 4.2: "tcp-request",
//! "tcp-response", "http-request").

use crate::catalog::{ActionRow, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets};
use crate::sample::expr::Expr;

/// An action that cannot run: starting with one is refused before this is asked.
#[derive(Debug, Clone)]
struct NotBuilt;

impl Action for NotBuilt {
    fn run(
        &self,
        _: &mut crate::flow::session::Stream<'_>,
        _: crate::flow::phase::Phase,
    ) -> crate::flow::rules::Verdict {
        crate::flow::rules::Verdict::Failed
    }
}

type Read = Result<Box<dyn ActionSpec>, Diagnostic>;

/// A mistake in the action's arguments; the TCP rule sets say nothing around it.
pub fn refuse(line: &ActionLine<'_, '_>, text: impl AsRef<str>) -> Diagnostic {
    if HTTP.and(RuleSets::HTTP_AFTER_RESPONSE).contains(line.rule_set) {
        return line.rule_error(text);
    }
    line.alert(text)
}

fn not_built() -> Read {
    Ok(Box::new(NotBuilt))
}

/// A sample expression.
pub fn expression(line: &mut ActionLine<'_, '_>) -> Result<Expr, Diagnostic> {
    let word = match line.at_condition() {
        true => None,
        false => line.word(),
    };
    let Some(word) = word else { return Err(refuse(line, "missing fetch method")) };
    Expr::parse(&word.str()).map_err(|e| refuse(line, e))
}

/// `send-spoe-group`: an engine and a group, which are looked up when everything is read.
fn spoe_group(line: &mut ActionLine<'_, '_>) -> Read {
    let named = line.word().is_some() && line.word().is_some();
    if !named || !line.at_condition() {
        return Err(refuse(line, "expects 2 arguments: <engine-id> <group-id>"));
    }
    not_built()
}

fn nice(line: &mut ActionLine<'_, '_>) -> Read {
    match line.word() {
        Some(_) => not_built(),
        None => Err(refuse(line, "expects exactly 1 argument (integer value)")),
    }
}

/// `set-tos`, `set-mark`: a number, also in hexadecimal.
fn number(line: &mut ActionLine<'_, '_>) -> Read {
    let Some(word) = (!line.at_condition()).then(|| line.word()).flatten() else {
        return Err(refuse(line, "expects exactly 1 argument (integer/hex value)"));
    };
    let text = word.str();
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).is_ok(),
        None => text.parse::<i64>().is_ok(),
    };
    if !parsed {
        return Err(refuse(
            line,
            format!("invalid character starting at '{text}' (integer/hex value expected)"),
        ));
    }
    not_built()
}

fn on_off(line: &mut ActionLine<'_, '_>) -> Read {
    let word = line.word().map(|w| w.str()).unwrap_or_default();
    match &*word {
        "on" | "off" => not_built(),
        "" => Err(refuse(line, "expects exactly 1 arguments")),
        other => Err(refuse(
            line,
            format!("Unexpected value '{other}'. Only 'on' and 'off' are supported"),
        )),
    }
}

/// What `use-service` knows without Lua.
pub const SERVICES: &[&str] = &["prometheus-exporter"];

fn service(line: &mut ActionLine<'_, '_>) -> Read {
    match (!line.at_condition()).then(|| line.word()).flatten() {
        None => Err(refuse(line, "'use-service' expects a service name.")),
        Some(name) if SERVICES.contains(&&*name.str()) || name.bytes().starts_with(b"lua.") => {
            not_built()
        }
        Some(name) => Err(refuse(line, format!("'{name}' unknown service name."))),
    }
}

const NONE: RuleSets = RuleSets::HTTP_REQUEST;
const HTTP: RuleSets = RuleSets::HTTP_REQUEST.and(RuleSets::HTTP_RESPONSE);
const CONTENT: RuleSets = RuleSets::HTTP_REQUEST.and(RuleSets::TCP_REQUEST_CONTENT);

const ROW: ActionRow = ActionRow {
    name: "",
    rule_sets: NONE,
    args: "",
    doc: "",
    examples: &[],
    status: Status::Planned,
    parse: |_| not_built(),
};

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[
        ActionRow {
            name: "send-spoe-group",
            rule_sets: HTTP.and(RuleSets::TCP_REQUEST_CONTENT).and(RuleSets::TCP_RESPONSE_CONTENT),
            args: "<engine> <group>",
            doc: "Sends the messages of a group to the agents.",
            examples: &["send-spoe-group engine group"],
            parse: spoe_group,
            ..ROW
        },
        ActionRow {
            name: "set-mark",
            rule_sets: HTTP,
            args: "<mark>",
            doc: "Marks packets to the client for the kernel's routing.",
            examples: &["set-mark 0x10"],
            parse: number,
            ..ROW
        },
        ActionRow {
            name: "set-nice",
            rule_sets: HTTP,
            args: "<nice>",
            doc: "Sets how urgent the stream's task is.",
            examples: &["set-nice 100"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: nice,
            ..ROW
        },
        ActionRow {
            name: "set-tos",
            rule_sets: HTTP,
            args: "<tos>",
            doc: "Sets the type of service (DSCP and ECN) of the packets to the client.",
            examples: &["set-tos 8"],
            parse: number,
            ..ROW
        },
        ActionRow {
            name: "silent-drop",
            rule_sets: HTTP,
            doc: "Forgets the connection without telling the client.",
            examples: &["silent-drop"],
            ..ROW
        },
        ActionRow {
            name: "strict-mode",
            rule_sets: HTTP.and(RuleSets::HTTP_AFTER_RESPONSE),
            args: "{ on | off }",
            doc: "Whether a rule that cannot change a header for lack of room fails the message.",
            examples: &["strict-mode on"],
            parse: on_off,
            ..ROW
        },
        ActionRow {
            name: "use-service",
            rule_sets: CONTENT,
            args: "<service>",
            doc: "Answers with a service of this program: `prometheus-exporter`.",
            examples: &["use-service prometheus-exporter"],
            parse: service,
            ..ROW
        },
        ActionRow {
            name: "wait-for-handshake",
            doc: "Holds a request that came as early data until the handshake is done.",
            examples: &["wait-for-handshake"],
            ..ROW
        },
    ],
    ..Part::NONE
};
