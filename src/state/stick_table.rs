//! Stick tables: entries by key, with counters (manual 4.2 "stick-table").

use std::sync::Arc;

use crate::catalog::Part;

/// `stick-table` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StickTableSpec {}

impl StickTableSpec {
    /// The table: the previous one when its type, length and stored data are unchanged.
    pub fn compile(&self, _: &str, _: Option<&Arc<StickTable>>) -> Arc<StickTable> {
        Arc::default()
    }
}

/// A table.
#[derive(Debug, Default)]
pub struct StickTable {}

/// The rows of this family.
pub const PART: Part = Part::NONE;
