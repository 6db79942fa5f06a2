//! Variables of log-format (manual 8.2.4).

use crate::catalog::Part;

/// The rows of this family.
pub const PART: Part = Part::NONE;
