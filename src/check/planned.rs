//! The `option …-check` protocols that are not built yet (manual 4.2).

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;

/// `external-check command` and `external-check path`.
fn external(line: &mut Line<'_>) -> Parsed {
    let what = line.keyword.name.trim_start_matches("external-check ");
    line.required(&format!("missing argument after '{what}'."))?;
    line.words.end("external-check")
}

const PLANNED: Keyword = Keyword {
    sections: Sections::BACKENDS,
    status: Status::Planned,
    parse: |line| line.end(),
    ..Keyword::NEW
};

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "external-check",
            sections: Sections::GLOBAL,
            doc: "Allows checks by external programs.",
            examples: &["external-check"],
            ..PLANNED
        },
        Keyword {
            name: "external-check command",
            args: "<command>",
            doc: "The program that checks.",
            examples: &["external-check command /bin/true"],
            parse: external,
            ..PLANNED
        },
        Keyword {
            name: "external-check path",
            args: "<path>",
            doc: "The PATH of the program that checks.",
            examples: &["external-check path /usr/bin:/bin"],
            parse: external,
            ..PLANNED
        },
        Keyword {
            name: "option external-check",
            doc: "Checks servers by the program of `external-check command`, which `external-check` in the global section must allow.",
            examples: &["option external-check"],
            ..PLANNED
        },
    ],
    ..Part::NONE
};
