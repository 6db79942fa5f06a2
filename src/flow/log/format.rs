//! Log formats: text with variables and expressions (manual 8.2.4). In comes a string, out comes what
//! writes a line about a stream. Log lines, header values and replies are made of the same formats.

use crate::flow::phase::Phase;
use crate::flow::session::{Session, Stream};
use crate::state::world::Proxy;

/// What a log line can tell about.
#[derive(Debug)]
pub struct LogContext<'a> {
    /// The client connection.
    pub session: &'a Session,
    /// The request, when there was one.
    pub stream: Option<&'a Stream<'a>>,
    /// The frontend.
    pub frontend: &'a Proxy,
    /// The checkpoint that expressions are evaluated at.
    pub phase: Phase,
    /// Whether the line is written before the end (`option logasap`): totals get a `+`.
    pub early: bool,
}

impl<'a> LogContext<'a> {
    /// For the line of a finished session that had no stream.
    pub fn of_session(session: &'a Session, frontend: &'a Proxy) -> LogContext<'a> {
        LogContext { session, stream: None, frontend, phase: Phase::Log, early: false }
    }

    /// For a stream at a checkpoint; `None` when its frontend is unknown.
    pub fn of_stream(stream: &'a Stream<'a>, phase: Phase) -> Option<LogContext<'a>> {
        let frontend = stream.frontend()?;
        Some(LogContext {
            session: stream.session,
            stream: Some(stream),
            frontend,
            phase,
            early: false,
        })
    }
}

/// How a value is written: the flags of `%{+Q,-E}x` and what the use of the format asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options(u8);

impl Options {
    /// `M`: `-` stands for a missing value.
    pub const MANDATORY: Options = Options(1);
    /// `Q`: in double quotes.
    pub const QUOTE: Options = Options(1 << 1);
    /// `X`: in hexadecimal.
    pub const HEXA: Options = Options(1 << 2);
    /// `E`: `"`, `\\` and `]` get a backslash (RFC 5424 6.3.3).
    pub const ESCAPE: Options = Options(1 << 3);
    /// Expressions are made fit for a header's value.
    pub const HTTP: Options = Options(1 << 4);
    /// Several spaces become one.
    pub const MERGE_SPACES: Options = Options(1 << 5);

    /// Both together.
    pub const fn and(self, other: Options) -> Options {
        Options(self.0 | other.0)
    }

    /// Without these.
    pub const fn without(self, other: Options) -> Options {
        Options(self.0 & !other.0)
    }

    /// Whether these are all set.
    pub const fn has(self, other: Options) -> bool {
        self.0 & other.0 == other.0
    }
}
