//! Which backend serves a request: `use_backend` and `default_backend` (manual 4.2).

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::diagnostic::Place;
use crate::config::section::Sections;
use crate::flow::log::format::{LogContext, LogFormat};
use crate::flow::phase::Phase;
use crate::flow::rules::condition::{self, Condition, ConditionSpec};
use crate::flow::rules::conflicts;
use crate::flow::server::persist;
use crate::flow::session::Stream;
use crate::sample::valid;

/// A backend's name and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendName {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// The name as a format, when it is one.
    pub format: Option<LogFormat>,
}

/// `use_backend` and `default_backend` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SwitchSpec {
    /// `use_backend` lines, in their order.
    pub rules: Vec<(BackendName, Option<ConditionSpec>)>,
    /// `default_backend`
    pub default: Option<BackendName>,
}

/// A `use_backend` that runs.
#[derive(Debug)]
pub struct Switch {
    /// Where to.
    pub target: Target,
    /// When, always if `None`.
    pub condition: Option<Condition>,
}

/// The backend of a `use_backend`.
#[derive(Debug)]
pub enum Target {
    /// Its index in `World::proxies`.
    Fixed(usize),
    /// Its name, which is made for each request, and all backends by name.
    Named(LogFormat, Arc<HashMap<Box<[u8]>, usize>>),
}

impl Switch {
    /// The backend, when it is always the same.
    pub fn fixed(&self) -> Option<usize> {
        match self.target {
            Target::Fixed(index) => Some(index),
            Target::Named(..) => None,
        }
    }

    fn find(&self, stream: &Stream<'_>, phase: Phase) -> Option<usize> {
        match &self.target {
            Target::Fixed(index) => Some(*index),
            Target::Named(format, names) => {
                let mut name = Vec::new();
                format.write(&LogContext::of_stream(stream, phase)?, &mut name);
                names.get(name.as_slice()).copied()
            }
        }
    }
}

/// The backend of a stream: the first `use_backend` that applies, else `default_backend`, also when the
/// rule's name is no backend's.
pub fn choose(stream: &Stream<'_>, phase: Phase) -> Option<usize> {
    let proxy = stream.frontend()?;
    let default = proxy.frontend.as_ref()?.default_backend;
    if proxy.rules.switching.is_empty() {
        return default;
    }
    let context = stream.sample_context(phase);
    let applies = |rule: &Switch| rule.condition.as_ref().is_none_or(|c| c.holds(&context));
    let rules = &proxy.rules.switching;
    let first = proxy.rules.first_switch.find(&context, |at| rules.get(at).is_some_and(applies));
    first.and_then(|at| rules.get(at)?.find(stream, phase)).or(default)
}

fn use_backend(line: &mut Line<'_>) -> Parsed {
    let name = line.required("'use_backend' expects a backend name.")?.str().into_owned();
    let place = line.last_place();
    let format = persist::name_format(line, &name, |place, name, e| {
        format!("Parsing [{place}]: failed to parse use_backend rule '{name}' : {e}.")
    })?;
    if let Some(word) = line.peek().filter(|w| **w != *"if" && **w != *"unless") {
        return Err(line.alert(format!(
            "unexpected keyword '{word}' after switching rule, only 'if' and 'unless' are allowed."
        )));
    }
    let condition = condition::parse_named(line, "error detected while parsing switching rule")?;
    conflicts::warn(line, condition.as_ref(), &[valid::Place::Switch], None);
    line.proxy().rules.switching.rules.push((BackendName { name, place, format }, condition));
    Ok(())
}

fn default_backend(line: &mut Line<'_>) -> Parsed {
    let name = line.required("'default_backend' expects a backend name.")?.str().into_owned();
    let place = line.last_place();
    line.end()?;
    line.proxy().rules.switching.default = Some(BackendName { name, place, format: None });
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "default_backend",
            sections: Sections::FRONTENDS,
            args: "<backend>",
            doc: "The backend for requests that no use_backend rule took.",
            examples: &["default_backend web"],
            status: Status::Works,
            parse: default_backend,
            ..Keyword::NEW
        },
        Keyword {
            name: "use_backend",
            sections: Sections::FRONTEND.and(Sections::LISTEN),
            args: "<backend> [{ if | unless } <condition>]",
            doc: "Sends the request to this backend when the condition holds; the first rule that applies decides.",
            examples: &["use_backend web if { path_beg /static }"],
            status: Status::Works,
            parse: use_backend,
            ..Keyword::NEW
        },
    ],
    ..Part::NONE
};
