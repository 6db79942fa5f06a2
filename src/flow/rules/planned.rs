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

/// What `use-service` knows without Lua.
pub const SERVICES: &[&str] = &["prometheus-exporter"];

fn service(line: &mut ActionLine<'_, '_>) -> Read {
    match (!line.at_condition()).then(|| line.word()).flatten() {
        None => Err(refuse(line, "'use-service' expects a service name.")),
        Some(name) if SERVICES.contains(&&*name.str()) || name.bytes().starts_with(b"lua.") => {
            not_built()
        }
        // The TCP rule sets name the word that HAProxy looks at there.
        Some(_) if line.rule_set == RuleSets::TCP_REQUEST_CONTENT => {
            Err(refuse(line, "'content' unknown service name."))
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
            name: "use-service",
            rule_sets: CONTENT,
            args: "<service>",
            doc: "Answers with a service of this program: `prometheus-exporter`.",
            examples: &["use-service prometheus-exporter"],
            parse: service,
            ..ROW
        },
    ],
    ..Part::NONE
};
