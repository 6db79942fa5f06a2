//! What an operator is told about a configuration: in comes a mistake and its place, out come
//! HAProxy's line and, indented below it, what helps to mend it.

use std::fmt;
use std::sync::Arc;

/// How bad it is, in HAProxy's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For information; nothing is wrong.
    Notice,
    /// The configuration runs, but probably not as meant.
    Warning,
    /// The configuration is refused.
    Alert,
}

impl Level {
    /// The word between brackets at the start of the line.
    pub fn word(self) -> &'static str {
        match self {
            Level::Notice => "NOTICE",
            Level::Warning => "WARNING",
            Level::Alert => "ALERT",
        }
    }
}

/// Where in the configuration something stands. It is no part of what was written: all places compare
/// equal, so that two `Spec`s are equal when the same was written in other files, lines or columns.
#[derive(Debug, Clone, Default, Eq)]
pub struct Place {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// 1-based line number.
    pub line: u32,
    /// 1-based byte column of the word in question, 0 when no word is to blame.
    pub column: u32,
}

impl Place {
    /// The same line, pointing at a word.
    pub fn at(&self, column: u32) -> Place {
        Place { column, ..self.clone() }
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One message to the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// Where, when a line is to blame; draws the excerpt.
    pub place: Option<Place>,
    /// HAProxy's line after `[ALERT] 325/143135 (4331) : `.
    pub text: String,
    /// What helps: shown below the excerpt, one a line.
    pub help: Vec<String>,
    /// Whether the configuration is refused for it.
    pub refuses: bool,
}

impl Diagnostic {
    /// A mistake that refuses the configuration; `text` is the whole line as HAProxy words it.
    pub fn alert(place: Option<&Place>, text: impl Into<String>) -> Diagnostic {
        Diagnostic {
            level: Level::Alert,
            place: place.cloned(),
            text: text.into(),
            help: Vec::new(),
            refuses: true,
        }
    }

    /// Something that runs, but probably not as meant.
    pub fn warning(place: Option<&Place>, text: impl Into<String>) -> Diagnostic {
        Diagnostic { level: Level::Warning, refuses: false, ..Diagnostic::alert(place, text) }
    }

    /// Something worth knowing.
    pub fn notice(text: impl Into<String>) -> Diagnostic {
        Diagnostic { level: Level::Notice, refuses: false, ..Diagnostic::alert(None, text) }
    }

    /// An alert after which HAProxy goes on all the same.
    #[must_use]
    pub fn harmless(self) -> Diagnostic {
        Diagnostic { refuses: false, ..self }
    }

    /// Adds a line that helps.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help.push(help.into());
        self
    }
}

/// Every message of one run, in the order in which HAProxy would say them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// The messages.
    pub list: Vec<Diagnostic>,
    refusals: usize,
}

impl Diagnostics {
    /// Adds a message.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.refusals += usize::from(diagnostic.refuses);
        self.list.push(diagnostic);
    }

    /// How many of a level there are.
    pub fn count(&self, level: Level) -> usize {
        self.list.iter().filter(|d| d.level == level).count()
    }

    /// Adds lines that help to the messages from `start` on that blame a line.
    pub fn explain(&mut self, start: usize, help: &[String]) {
        let told = self.list.get_mut(start..).unwrap_or_default();
        for diagnostic in told.iter_mut().filter(|d| d.place.is_some()) {
            diagnostic.help.extend_from_slice(help);
        }
    }

    /// How many refuse the configuration.
    pub fn refusals(&self) -> usize {
        self.refusals
    }

    /// Whether the configuration is refused.
    pub fn refused(&self) -> bool {
        self.refusals > 0
    }
}
