//! A request's place in queues: `set-priority-class`, `set-priority-offset` (manual 4.2 "http-request
//! set-priority-class"), and the fetches that tell them.

use crate::catalog::{ActionRow, Fetch, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::flow::phase::Phase;
use crate::flow::rules::planned::expression;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict};
use crate::flow::session::Stream;
use crate::sample::expr::Expr;
use crate::sample::valid;
use crate::sample::value::{Type, Value};

/// Where a request stands among those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Priority {
    /// Lower classes are served first, -2047 to 2047.
    pub class: i32,
    /// Milliseconds by which it counts as later, -524287 to 524287.
    pub offset: i32,
}

/// The largest class, and the largest offset.
const CLASSES: i64 = 2047;
const OFFSETS: i64 = 524_287;

/// `set-priority-class` or `set-priority-offset`
#[derive(Debug, Clone)]
struct SetPriority {
    expr: Expr,
    class: bool,
}

impl Action for SetPriority {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        let value = self.expr.eval(&stream.sample_context(phase)).and_then(|v| v.cast(Type::Int));
        let Some(Value::Int(value)) = value else { return Verdict::Continue };
        let within = |limit: i64| i32::try_from(value.clamp(-limit, limit)).unwrap_or(0);
        match self.class {
            true => stream.priority.class = within(CLASSES),
            false => stream.priority.offset = within(OFFSETS),
        }
        Verdict::Continue
    }
}

fn action(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let class = line.row.name == "set-priority-class";
    let expr = expression(line)?;
    line.planned.extend(expr.planned().map(str::to_owned));
    line.references.extend(expr.references());
    Ok(Box::new(SetPriority { expr, class }))
}

const CONTENT: RuleSets = RuleSets::HTTP_REQUEST.and(RuleSets::TCP_REQUEST_CONTENT);

const PRIORITY: Fetch =
    Fetch { gives: Type::Int, valid: valid::INTERNAL, status: Status::Works, ..Fetch::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[
        ActionRow {
            name: "set-priority-class",
            rule_sets: CONTENT,
            args: "<expression>",
            doc: "Sets the request's class in queues, -2047 to 2047; the lowest is served first.",
            examples: &["set-priority-class int(5)"],
            status: Status::Works,
            parse: action,
        },
        ActionRow {
            name: "set-priority-offset",
            rule_sets: CONTENT,
            args: "<expression>",
            doc: "Sets by how many milliseconds a request in a queue counts as later, or, if negative, as earlier.",
            examples: &["set-priority-offset int(5)"],
            status: Status::Works,
            parse: action,
        },
    ],
    fetches: &[
        Fetch {
            name: "prio_class",
            doc: "The stream's priority class in the queue.",
            examples: &["prio_class"],
            run: |c, _| Some(Value::Int(i64::from(c.stream?.priority.class))),
            ..PRIORITY
        },
        Fetch {
            name: "prio_offset",
            doc: "The stream's priority offset in the queue, in milliseconds.",
            examples: &["prio_offset"],
            run: |c, _| Some(Value::Int(i64::from(c.stream?.priority.offset))),
            ..PRIORITY
        },
    ],
    ..Part::NONE
};
