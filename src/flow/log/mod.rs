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

/// The level of a stream's log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// As the proxy's options say.
    #[default]
    Usual,
    /// No line at all: `set-log-level silent`.
    Silent,
    /// This one, 0 `emerg` to 7 `debug`.
    Fixed(u8),
}

/// Logging of a running proxy.
#[derive(Debug, Default)]
pub struct Log {}

impl Log {
    /// Writes the line of a finished stream, or of a session that had none. The backend's and the
    /// server's session gauges were left already, the frontend's and the process's were not.
    pub fn emit(&self, _context: &format::LogContext<'_>) {}

    /// Writes the line of a stream whose response's head has just come (HTTP) or whose server
    /// connection was just made (TCP), if nothing that comes later is to be in it.
    pub fn emit_early(&self, _context: &format::LogContext<'_>) {}

    /// Writes `Connect from ...` for a stream that begins, if the proxy has no log format.
    pub fn begin(&self, _context: &format::LogContext<'_>) {}

    /// Writes a message about the proxy itself: `level` is 0 `emerg` to 7 `debug`.
    pub fn event(&self, _level: u8, _text: &str) {}
}

/// The rows of this family.
pub const PART: Part = Part::NONE;
