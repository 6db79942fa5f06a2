//! `early-hint` (manual 4.2 "http-request early-hint"; RFC 8297). In: a request at its rules. Out:
//! responses of status 103, which go to the client before anything else does.

use crate::catalog::{ActionRow, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::flow::http::message::{Message, Version};
use crate::flow::log::format::LogFormat;
use crate::flow::phase::Phase;
use crate::flow::rules::header::arguments;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict};
use crate::flow::session::Stream;

/// `early-hint`
#[derive(Debug, Clone)]
struct EarlyHint {
    name: Box<[u8]>,
    value: LogFormat,
    /// Whether the rule before it is one too: they make one response together.
    joins: bool,
}

impl Action for EarlyHint {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        if stream.request.version < Version::HTTP_11 {
            // Such a client does not know that more than one response may come.
            return Verdict::Continue;
        }
        let buffer = stream.world.global.bufsize;
        self.value.with_text(stream, phase, |stream, value| {
            let hints = &mut stream.hints;
            if !self.joins || hints.is_empty() {
                let mut hint = Message::default();
                hint.set_status_line(Version::HTTP_11, 103, b"Early Hints");
                hints.push(hint);
            }
            match hints.last_mut() {
                Some(hint) if hint.has_room(self.name.len() + value.len(), buffer) => {
                    hint.add(&self.name, value);
                    Verdict::Continue
                }
                _ => {
                    hints.pop();
                    Verdict::Failed
                }
            }
        })
    }
}

fn early_hint(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let words = arguments(line, 2, "expects exactly 2 arguments")?;
    let [name, value] = words.as_slice() else { return Err(line.rule_error("")) };
    let value = line.format(value)?;
    let joins = line.previous.as_deref() == Some("early-hint");
    Ok(Box::new(EarlyHint { name: name.to_ascii_lowercase().into(), value, joins }))
}

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[ActionRow {
        name: "early-hint",
        rule_sets: RuleSets::HTTP_REQUEST,
        args: "<name> <format>",
        doc: "Sends a header ahead of the response, with status 103; with the headers of the early-hint rules that follow at once. Clients of HTTP/1.0 get none.",
        examples: &["early-hint link \"</style.css>; rel=preload\""],
        status: Status::Works,
        parse: early_hint,
    }],
    ..Part::NONE
};
