//! Rules that change ACLs and maps (manual 4.2 "http-request add-acl", "set-map" and their kin): the file is
//! named as where it was loaded; one that nothing loaded is left alone.

use std::sync::Arc;

use crate::catalog::{ActionRow, Part, Status};
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::flow::log::format::LogFormat;
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict};
use crate::flow::session::Stream;
use crate::state::map_file::{Reference, loading};

/// What is done to the entry of a key.
#[derive(Debug, Clone)]
enum Change {
    /// It is there, without a value.
    Add,
    /// It has this value.
    Set(LogFormat),
    /// It is not there.
    Delete,
}

/// As written.
#[derive(Debug, Clone)]
struct ChangeSpec {
    file: String,
    key: LogFormat,
    change: Change,
}

#[derive(Debug)]
struct ChangeFile {
    reference: Option<Arc<Reference>>,
    key: LogFormat,
    change: Change,
}

impl ActionSpec for ChangeSpec {
    fn compile(&self, _: &mut Compiler<'_>) -> Result<Arc<dyn Action>, Diagnostic> {
        let ChangeSpec { file, key, change } = self.clone();
        Ok(Arc::new(ChangeFile { reference: loading::named(&file), key, change }))
    }
}

impl Action for ChangeFile {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        let Some(reference) = &self.reference else { return Verdict::Continue };
        self.key.with_text(stream, phase, |stream, key| match &self.change {
            Change::Add if reference.contains(key) => {}
            // What cannot be a key or a value there changes nothing.
            Change::Add => drop(reference.add(key, None)),
            Change::Set(value) => value.with_text(stream, phase, |_, value| {
                drop(reference.put(key, value));
            }),
            Change::Delete => drop(reference.delete(key)),
        });
        Verdict::Continue
    }
}

fn change(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let count = if line.row.name == "set-map(*)" { 2 } else { 1 };
    let mut words = Vec::new();
    for _ in 0..count {
        words.extend(line.words.word().map(|word| word.bytes().to_vec()));
    }
    if words.len() < count {
        return Err(line.rule_error(format!("expects exactly {count} arguments")));
    }
    let key = line.format(words.first().map_or(b"", Vec::as_slice))?;
    let change = match line.row.name {
        "add-acl(*)" => Change::Add,
        "set-map(*)" => Change::Set(line.format(words.last().map_or(b"", Vec::as_slice))?),
        _ => Change::Delete,
    };
    let file = line.bracket.clone().unwrap_or_default();
    Ok(Box::new(ChangeSpec { file, key, change }))
}

const ROW: ActionRow = ActionRow {
    name: "",
    rule_sets: RuleSets::HTTP_REQUEST.and(RuleSets::HTTP_RESPONSE),
    args: "<key>",
    doc: "",
    examples: &[],
    status: Status::Works,
    parse: change,
};

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[
        ActionRow {
            name: "add-acl(*)",
            doc: "Adds a pattern to an ACL that was read from a file, unless it is there.",
            examples: &["add-acl(/tmp/list) %[src]"],
            ..ROW
        },
        ActionRow {
            name: "del-acl(*)",
            doc: "Removes a pattern from an ACL that was read from a file.",
            examples: &["del-acl(/tmp/list) %[src]"],
            ..ROW
        },
        ActionRow {
            name: "del-map(*)",
            doc: "Removes an entry from a map.",
            examples: &["del-map(/tmp/map) %[src]"],
            ..ROW
        },
        ActionRow {
            name: "set-map(*)",
            args: "<key> <value>",
            doc: "Adds or changes an entry of a map.",
            examples: &["set-map(/tmp/map) %[src] 1"],
            ..ROW
        },
    ],
    ..Part::NONE
};
