//! The runtime socket (management.txt 9.3): in come lines of commands, out come their answers. One
//! file a family of commands; `serve` reads and writes, `line` cuts lines into words, `spec` holds the
//! `stats socket` directives.

pub mod basics;
pub mod cache;
pub mod clear;
pub mod dynamic_cookie;
pub mod errors;
pub mod frontend;
pub mod info;
pub mod internals;
pub mod line;
pub mod map;
pub mod planned;
pub mod resolvers;
mod serve;
pub mod server;
pub mod servers;
pub mod sess;
pub mod spec;
pub mod startup;
pub mod stat;
pub mod table;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::catalog::{PARTS, Status};
use crate::flow::log::ring::Reader;
use crate::flow::threads::Thread;
use crate::state::world::{Proxy, Server, World};
pub use serve::{adopt, execute, run};

/// Rights on the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Sees nothing sensitive.
    User,
    /// Sees everything, may clear counters.
    #[default]
    Operator,
    /// May do everything.
    Admin,
}

impl Level {
    /// The words that name the levels.
    pub const NAMES: &[(&str, Level)] =
        &[("user", Level::User), ("operator", Level::Operator), ("admin", Level::Admin)];

    /// Its word.
    pub fn word(self) -> &'static str {
        Level::NAMES.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }
}

/// Whether messages tell how severe they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SeverityOutput {
    /// They do not.
    #[default]
    None,
    /// `[3]: `
    Number,
    /// `[err]: `
    String,
}

impl SeverityOutput {
    /// The words that name the kinds.
    pub const NAMES: &[(&str, SeverityOutput)] = &[
        ("none", SeverityOutput::None),
        ("number", SeverityOutput::Number),
        ("string", SeverityOutput::String),
    ];

    /// The kind of this name.
    pub fn of_name(name: &str) -> Option<SeverityOutput> {
        SeverityOutput::NAMES.iter().find(|(n, _)| *n == name).map(|(_, kind)| *kind)
    }
}

/// How severe a message is, numbered as syslog does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It was not done.
    Error = 3,
    /// It was done, or not; look.
    Warning = 4,
    /// Something changed.
    Notice = 5,
    /// For information.
    Info = 6,
}

impl Severity {
    /// What stands before a message.
    pub fn prefix(self, output: SeverityOutput) -> String {
        let word = match self {
            Severity::Error => "err",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
            Severity::Info => "info",
        };
        match output {
            SeverityOutput::None => String::new(),
            SeverityOutput::Number => format!("[{}]: ", self as u8),
            SeverityOutput::String => format!("[{word}]: "),
        }
    }
}

/// A command.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// The words that name it.
    pub name: &'static str,
    /// Its arguments, as a usage line.
    pub args: &'static str,
    /// Its line in `help`, as HAProxy prints it.
    pub help: &'static str,
    /// For the manual page.
    pub doc: &'static str,
    /// Lines that are valid; their servers and proxies may not exist.
    pub examples: &'static [&'static str],
    /// The rights it needs.
    pub level: Level,
    /// How far its effect goes.
    pub status: Status,
    /// Does it.
    pub run: fn(&mut CommandContext<'_>) -> Answer,
}

impl Command {
    /// A row to copy from.
    pub const NEW: Command = Command {
        name: "",
        args: "",
        help: "",
        doc: "",
        examples: &[],
        level: Level::User,
        status: Status::Planned,
        run: |_| Answer::error("This command is not built yet.\n"),
    };
}

/// Adds a piece of the answer; says whether more follows.
pub type Pieces = Box<dyn FnMut(&mut Vec<u8>) -> bool>;

/// An answer that takes time.
pub type Later = Pin<Box<dyn Future<Output = Answer>>>;

/// What a command answers.
pub enum Answer {
    /// Nothing but the empty line that ends every answer.
    Done,
    /// One message.
    Message(Severity, String),
    /// Text as it is.
    Text(Vec<u8>),
    /// More text than should be in memory at once: each call adds a piece and says whether more follows.
    Pieces(Pieces),
    /// The answer takes time.
    Later(Later),
    /// Messages of a ring as they come, until the client sends something.
    Watch(Reader),
    /// The connection is closed.
    Quit,
}

impl Answer {
    /// It was not done, for this reason.
    pub fn error(text: impl Into<String>) -> Answer {
        Answer::Message(Severity::Error, text.into())
    }

    /// For information.
    pub fn info(text: impl Into<String>) -> Answer {
        Answer::Message(Severity::Info, text.into())
    }

    /// A text.
    pub fn text(text: impl Into<Vec<u8>>) -> Answer {
        Answer::Text(text.into())
    }
}

/// What a connection to the socket remembers from one command to the next.
#[derive(Debug, Clone)]
pub struct Console {
    /// Its rights; they can only be lowered.
    pub level: Level,
    /// Whether it shows a prompt and stays open.
    pub prompt: bool,
    /// Whether messages tell how severe they are.
    pub severity: SeverityOutput,
    /// How long it may stay silent; `None` for ever.
    pub timeout: Option<Duration>,
    /// Whether it may be given the listening sockets (`expose-fd listeners`).
    pub expose_listeners: bool,
}

impl Console {
    /// With these rights and nothing else.
    pub fn new(level: Level) -> Console {
        let severity = SeverityOutput::None;
        Console { level, prompt: false, severity, timeout: None, expose_listeners: false }
    }
}

/// What a command looks at and changes.
pub struct CommandContext<'a> {
    /// Thread 0, on which commands run.
    pub thread: &'a Rc<Thread>,
    /// The running configuration.
    pub world: Rc<Arc<World>>,
    /// The words after the command's name.
    pub args: Vec<String>,
    /// What followed `<<`, lines with their ends.
    pub payload: Option<String>,
    /// The connection.
    pub console: &'a mut Console,
}

impl CommandContext<'_> {
    /// The argument at this place, empty when it is missing.
    pub fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    /// The server that `backend/server` names, by names or `#` and numbers; HAProxy's message otherwise.
    pub fn server(&self, name: &str) -> Result<(&Proxy, &Server), Answer> {
        let Some((backend, server)) = name.split_once('/').filter(|(_, s)| !s.is_empty()) else {
            return Err(Answer::error("Require 'backend/server'.\n"));
        };
        let proxy = self.backend(backend).ok_or_else(|| Answer::error("No such backend.\n"))?;
        let found = match number(server) {
            Some(id) => proxy.servers().iter().find(|s| s.id == id),
            None => proxy.servers().iter().find(|s| s.name == server),
        };
        Ok((proxy, found.ok_or_else(|| Answer::error("No such server.\n"))?))
    }

    /// The backend of this name or `#` and number.
    pub fn backend(&self, name: &str) -> Option<&Proxy> {
        match number(name) {
            Some(id) => self.world.proxies.iter().find(|p| p.id == id && p.backend.is_some()),
            None => self.world.backend(name),
        }
    }

    /// The frontend of this name or `#` and number; HAProxy's message otherwise.
    pub fn frontend(&self, name: &str) -> Result<&Proxy, Answer> {
        if name.is_empty() {
            return Err(Answer::error("A frontend name is expected.\n"));
        }
        let found = match number(name) {
            Some(id) => self.world.proxies.iter().find(|p| p.id == id && p.frontend.is_some()),
            None => self.world.frontend(name),
        };
        found.ok_or_else(|| Answer::error("No such frontend.\n"))
    }
}

/// `#3`
fn number(name: &str) -> Option<u32> {
    name.strip_prefix('#')?.parse().ok()
}

static COMMANDS: LazyLock<HashMap<&'static str, &'static Command>> = LazyLock::new(|| {
    PARTS.iter().flat_map(|part| part.commands).map(|row| (row.name, row)).collect()
});

/// The command with the longest name that the words begin with, and how many words that are.
pub fn find(words: &[String]) -> Option<(&'static Command, usize)> {
    (1..=words.len().min(4)).rev().find_map(|count| {
        let name = words.get(..count)?.join(" ");
        COMMANDS.get(name.as_str()).map(|command| (*command, count))
    })
}

/// What `help` answers, and any line that is no command.
pub fn usage() -> String {
    let mut text =
        String::from("Unknown command. Please enter one of the following commands only :\n");
    let rows = PARTS.iter().flat_map(|part| part.commands);
    for row in rows.filter(|row| row.status != Status::Planned && !row.help.is_empty()) {
        text.push_str("  ");
        text.push_str(row.help);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_longest_name_is_the_command() {
        let name = |line| find(&words(line)).map(|(c, n)| (c.name, n));
        assert_eq!(name("show cli level"), Some(("show cli level", 3)));
        assert_eq!(name("set server b/s state ready"), Some(("set server", 2)));
        assert_eq!(name("set maxconn server b/s 3"), Some(("set maxconn server", 3)));
        assert_eq!(name("sh cli lev"), None);
    }

    #[test]
    fn every_row_is_documented() {
        for row in PARTS.iter().flat_map(|part| part.commands) {
            assert!(!row.doc.is_empty() && !row.examples.is_empty(), "{}", row.name);
            for example in row.examples {
                let found = find(&words(example)).map(|(c, _)| c.name);
                assert_eq!(found, Some(row.name), "{example}");
            }
        }
    }

    #[test]
    fn severities_are_told_as_asked() {
        assert_eq!(Severity::Error.prefix(SeverityOutput::Number), "[3]: ");
        assert_eq!(Severity::Info.prefix(SeverityOutput::String), "[info]: ");
        assert_eq!(Severity::Info.prefix(SeverityOutput::None), "");
    }
}
