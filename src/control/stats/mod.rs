//! The statistics page, CSV and JSON (management.txt 9.1; manual 4.2 "stats …").

use std::sync::Arc;

use crate::catalog::Part;
use crate::config::compile::Compiler;
use crate::config::spec::ProxySpec;
use crate::flow::session::Stream;

/// `stats …` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StatsSpec {}

impl StatsSpec {
    /// The page, if it is enabled.
    pub fn compile(&self, _: &ProxySpec, _: &mut Compiler<'_>) -> Option<Arc<StatsPage>> {
        None
    }
}

impl StatsPage {
    /// Whether the request is for this page.
    pub fn wants(&self, _stream: &Stream<'_>) -> bool {
        false
    }

    /// Answers into the stream's response; `body` is the request's body (for POST).
    pub fn answer(&self, _stream: &mut Stream<'_>, _body: &[u8]) {}
}

/// The page of a running proxy.
#[derive(Debug, Default)]
pub struct StatsPage {}

/// The rows of this family.
pub const PART: Part = Part::NONE;
