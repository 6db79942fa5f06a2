//! Which backend serves a request: `use_backend` and `default_backend` (manual 4.2).

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::section::Sections;
use crate::flow::log::format::{LogFormat, Purpose};
use crate::flow::rules::condition::{self, Condition, ConditionSpec};
use crate::flow::rules::{RuleOwner, RuleSets};

/// A backend's name and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendName {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
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
    /// The backend's index in `World::proxies`.
    pub backend: usize,
    /// When, always if `None`.
    pub condition: Option<Condition>,
}

fn use_backend(line: &mut Line<'_>) -> Parsed {
    let name = line.required("'use_backend' expects a backend name.")?.str().into_owned();
    let place = line.last_place();
    if name.contains("%[") {
        dynamic(line, &name)?;
    }
    if let Some(word) = line.peek().filter(|w| **w != *"if" && **w != *"unless") {
        return Err(line.alert(format!(
            "unexpected keyword '{word}' after switching rule, only 'if' and 'unless' are allowed."
        )));
    }
    let condition = condition::parse_named(line, "error detected while parsing switching rule")?;
    line.proxy().rules.switching.rules.push((BackendName { name, place }, condition));
    Ok(())
}

/// A backend's name that is a format: checked, its effect is not built yet.
fn dynamic(line: &mut Line<'_>, name: &str) -> Parsed {
    let place = line.words.place.clone();
    let proxy = line.proxy();
    let owner = RuleOwner { name: proxy.name.clone(), kind: proxy.kind, mode: proxy.basics.mode };
    let purpose = Purpose::rule(RuleSets::HTTP_REQUEST, &owner);
    if let Err(e) = LogFormat::parse(name.as_bytes(), &purpose) {
        let text = format!("Parsing [{place}]: failed to parse use_backend rule '{name}' : {e}.");
        return Err(Diagnostic::alert(Some(&line.last_place()), text));
    }
    line.spec.note_planned("use_backend with a format", &place);
    Ok(())
}

fn default_backend(line: &mut Line<'_>) -> Parsed {
    let name = line.required("'default_backend' expects a backend name.")?.str().into_owned();
    let place = line.last_place();
    line.end()?;
    line.proxy().rules.switching.default = Some(BackendName { name, place });
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
