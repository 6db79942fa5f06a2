//! Actions on headers (manual 4.2 "http-request add-header" and its kin).

use crate::catalog::Part;

/// The rows of this family.
pub const PART: Part = Part::NONE;
