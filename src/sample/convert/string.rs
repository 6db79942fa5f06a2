//! String converters (manual 7.3.1).

use crate::catalog::{Converter, Part, Status};
use crate::sample::value::{Type, Value};

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "lower",
            args: &[],
            required: 0,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Lower case, ASCII only.",
            examples: &[("AbC", "abc")],
            status: Status::Works,
            run: |value, _, _| Some(Value::string(value.to_text().to_ascii_lowercase())),
        },
        Converter {
            name: "upper",
            args: &[],
            required: 0,
            takes: Type::Str,
            gives: Type::Str,
            doc: "Upper case, ASCII only.",
            examples: &[("AbC", "ABC")],
            status: Status::Works,
            run: |value, _, _| Some(Value::string(value.to_text().to_ascii_uppercase())),
        },
    ],
    ..Part::NONE
};
