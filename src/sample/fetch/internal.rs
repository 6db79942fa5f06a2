//! Fetches from the program's own state (manual 7.3.2).

use crate::catalog::{Fetch, Part, Status};
use crate::sample::value::{Type, Value};

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "always_false",
            args: &[],
            required: 0,
            gives: Type::Bool,
            valid: "YYYYYYYYYYYYYYYYYYYYYY",
            doc: "Always false.",
            examples: &["always_false"],
            status: Status::Works,
            run: |_, _| Some(Value::Bool(false)),
        },
        Fetch {
            name: "always_true",
            args: &[],
            required: 0,
            gives: Type::Bool,
            valid: "YYYYYYYYYYYYYYYYYYYYYY",
            doc: "Always true.",
            examples: &["always_true"],
            status: Status::Works,
            run: |_, _| Some(Value::Bool(true)),
        },
    ],
    ..Part::NONE
};
