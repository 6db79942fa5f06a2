//! Log lines: in comes a finished session or stream, out goes a line to each log target (manual 8).

pub mod format;
pub mod tags;

use crate::catalog::Part;
use crate::config::compile::Compiler;
use crate::config::spec::ProxySpec;

/// `log …`, `log-format` … as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogSpec {}

impl LogSpec {
    /// Opens the targets and compiles the format.
    pub fn compile(&self, _proxy: &ProxySpec, _compiler: &mut Compiler<'_>) -> Log {
        Log {}
    }
}

/// Logging of a running proxy.
#[derive(Debug, Default)]
pub struct Log {}

impl Log {
    /// Writes the line of a finished stream, or of a session that had none.
    pub fn emit(&self, _context: &format::LogContext<'_>) {}
}

/// The rows of this family.
pub const PART: Part = Part::NONE;
