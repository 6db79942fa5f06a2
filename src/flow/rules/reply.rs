//! `reply` actions (manual 4.2).

use crate::catalog::Part;

/// The rows of this family.
pub const PART: Part = Part::NONE;
