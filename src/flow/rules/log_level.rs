//! `set-log-level` (manual 4.2 "http-request set-log-level").

use crate::catalog::{ActionRow, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::flow::log::{LogLevel, target};
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict};
use crate::flow::session::Stream;

#[derive(Debug, Clone)]
struct SetLogLevel(LogLevel);

impl Action for SetLogLevel {
    fn run(&self, stream: &mut Stream<'_>, _: Phase) -> Verdict {
        stream.log_level = self.0;
        Verdict::Continue
    }
}

fn set_log_level(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let name = line.words.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let level = match name.as_str() {
        "silent" => Some(LogLevel::Silent),
        name => target::level(name).map(LogLevel::Fixed),
    };
    match level.filter(|_| line.at_condition()) {
        Some(level) => Ok(Box::new(SetLogLevel(level))),
        None => Err(line.rule_error("expects exactly 1 argument (log level name or 'silent')")),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[ActionRow {
        name: "set-log-level",
        rule_sets: RuleSets::HTTP_REQUEST.and(RuleSets::HTTP_RESPONSE),
        args: "<level>",
        doc: "The level of this request's log line; silent for no line.",
        examples: &["set-log-level silent"],
        status: Status::Works,
        parse: set_log_level,
    }],
    ..Part::NONE
};
