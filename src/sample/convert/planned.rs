//! Converters whose arguments are checked and whose effect is not built yet (manual 7.3.1).

use crate::catalog::{Converter, Part};
use crate::sample::args::ArgType;
use crate::sample::value::Type;

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[Converter {
        name: "debug",
        args: &[ArgType::Str, ArgType::Str],
        takes: Type::Any,
        gives: Type::Any,
        doc: "Shows the value on a ring; passes it on.",
        examples: &[("src,debug(a)", "")],
        ..Converter::NEW
    }],
    ..Part::NONE
};
