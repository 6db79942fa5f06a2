//! `set-var` and `unset-var` (manual 4.2 "http-request set-var"): rules keep values under names.

use crate::catalog::{ActionRow, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::flow::phase::Phase;
use crate::flow::rules::conflicts;
use crate::flow::rules::planned::refuse;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict};
use crate::flow::session::{Session, Stream};
use crate::sample::SampleContext;
use crate::sample::expr::Expr;
use crate::sample::valid;
use crate::sample::vars;

/// `set-var`; without a value at this moment the variable stays what it was.
#[derive(Debug, Clone)]
struct Set {
    name: Box<[u8]>,
    expr: Expr,
}

impl Action for Set {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        self.apply(&stream.sample_context(phase))
    }

    fn run_on_session(&self, session: &Session, phase: Phase) -> Verdict {
        self.apply(&session.sample_context(phase))
    }
}

impl Set {
    fn apply(&self, context: &SampleContext<'_>) -> Verdict {
        if let Some(value) = self.expr.eval(context) {
            vars::set(context, &self.name, value.into_owned());
        }
        Verdict::Continue
    }
}

/// `unset-var`
#[derive(Debug, Clone)]
struct Unset(Box<[u8]>);

impl Action for Unset {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        vars::unset(&stream.sample_context(phase), &self.0);
        Verdict::Continue
    }

    fn run_on_session(&self, session: &Session, phase: Phase) -> Verdict {
        vars::unset(&session.sample_context(phase), &self.0);
        Verdict::Continue
    }
}

fn name(line: &ActionLine<'_, '_>) -> Result<Box<[u8]>, Diagnostic> {
    let Some(name) = &line.bracket else {
        let written = line.words.next.checked_sub(1).and_then(|i| line.words.all.get(i));
        let written = written.map(|w| w.str()).unwrap_or_default();
        return Err(refuse(
            line,
            format!(
                "invalid variable '{written}'. Expects 'set-var(<var-name>)' or 'unset-var(<var-name>)'"
            ),
        ));
    };
    // HAProxy's message shows the bracket too.
    vars::check_name(name.as_bytes())
        .map_err(|e| refuse(line, e.replace("{name}", &format!("{name})"))))?;
    Ok(name.as_bytes().into())
}

fn set(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let name = name(line)?;
    let Some(expr) = Expr::read(&mut line.words) else {
        return Err(refuse(line, "missing fetch method"));
    };
    let expr = expr.map_err(|e| refuse(line, e))?;
    if !valid::at(expr.fetch, conflicts::asked_at(line.rule_set)) {
        let (name, needs) = (line.name(), valid::needs(expr.fetch));
        return Err(refuse(
            line,
            format!(
                "fetch method '{name}' extracts information from '{needs}', none of which is available here"
            ),
        ));
    }
    line.samples.extend(expr.references());
    line.planned.extend(expr.planned().map(str::to_owned));
    Ok(Box::new(Set { name, expr }))
}

fn unset(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    Ok(Box::new(Unset(name(line)?)))
}

const HTTP: RuleSets =
    RuleSets::HTTP_REQUEST.and(RuleSets::HTTP_RESPONSE).and(RuleSets::HTTP_AFTER_RESPONSE);

const SET: ActionRow = ActionRow {
    name: "set-var(*)",
    rule_sets: HTTP
        .and(RuleSets::TCP_REQUEST_SESSION)
        .and(RuleSets::TCP_REQUEST_CONTENT)
        .and(RuleSets::TCP_RESPONSE_CONTENT),
    args: "<expression>",
    doc: "Sets a variable.",
    examples: &["set-var(txn.client) src"],
    status: Status::Works,
    parse: set,
};

const UNSET: ActionRow = ActionRow {
    name: "unset-var(*)",
    args: "",
    doc: "Forgets a variable.",
    examples: &["unset-var(txn.client)"],
    parse: unset,
    ..SET
};

const BARE: ActionRow = ActionRow {
    rule_sets: HTTP,
    doc: "Written without a variable, to be refused.",
    examples: &[],
    status: Status::Planned,
    ..SET
};

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[
        ActionRow { name: "set-var", ..BARE },
        SET,
        ActionRow { name: "unset-var", parse: unset, ..BARE },
        UNSET,
    ],
    ..Part::NONE
};
