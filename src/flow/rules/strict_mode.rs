//! What becomes of a message whose rule has no room for its change, and `strict-mode` (manual 4.2
//! "http-request strict-mode"). In: a stream and how much a change adds. Out: whether it fits; if not,
//! it is counted and the message refused, or with `strict-mode off` the rule skipped.

use crate::catalog::{ActionRow, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::flow::phase::Phase;
use crate::flow::rules::header::{HEADS, message};
use crate::flow::rules::{Action, ActionLine, ActionSpec, Verdict};
use crate::flow::session::Stream;

/// Whether the message that rules at this checkpoint act on has room for one more field, of so many
/// bytes together.
pub fn has_room(stream: &mut Stream<'_>, phase: Phase, bytes: usize) -> bool {
    let buffer = stream.world.global.bufsize;
    message(stream, phase).has_room(bytes, buffer)
}

/// The same for a part of the message that grows by so many bytes.
pub fn has_room_to_grow(stream: &mut Stream<'_>, phase: Phase, from: usize, to: usize) -> bool {
    let buffer = stream.world.global.bufsize;
    to <= from || message(stream, phase).has_room_to_grow(to - from, buffer)
}

/// A rule could not make its change: counts it, and says what becomes of the message.
pub fn failed(stream: &Stream<'_>) -> Verdict {
    stream.session.frontend_state().counters.failed_rewrites.inc();
    stream.session.listener.counters.failed_rewrites.inc();
    if let Some(backend) = stream.backend().and_then(|p| p.backend.as_ref()) {
        backend.state.counters.failed_rewrites.inc();
    }
    if let Some(server) = stream.server() {
        server.status.counters.failed_rewrites.inc();
    }
    if stream.skips_failed_rules { Verdict::Continue } else { Verdict::Failed }
}

/// `strict-mode`; each run of a rule set begins with it on.
#[derive(Debug, Clone)]
struct StrictMode {
    on: bool,
}

impl Action for StrictMode {
    fn run(&self, stream: &mut Stream<'_>, _: Phase) -> Verdict {
        stream.skips_failed_rules = !self.on;
        Verdict::Continue
    }
}

fn strict_mode(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let word = line.word().map(|w| w.str()).unwrap_or_default();
    match &*word {
        "on" => Ok(Box::new(StrictMode { on: true })),
        "off" => Ok(Box::new(StrictMode { on: false })),
        "" => Err(line.rule_error("expects exactly 1 arguments")),
        other => Err(line
            .rule_error(format!("Unexpected value '{other}'. Only 'on' and 'off' are supported"))),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[ActionRow {
        name: "strict-mode",
        rule_sets: HEADS,
        args: "{ on | off }",
        doc: "Whether a rule of this set that cannot change the message for lack of room fails it with status 500, as is the default, or is skipped.",
        examples: &["strict-mode on"],
        status: Status::Works,
        parse: strict_mode,
    }],
    ..Part::NONE
};
