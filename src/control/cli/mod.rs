//! The runtime socket (management.txt 9.3). One file a family of commands.

use crate::catalog::Part;

/// Rights on the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Sees nothing sensitive.
    User,
    /// Sees everything, may clear counters.
    Operator,
    /// May do everything.
    Admin,
}

/// A command.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// The words that name it.
    pub name: &'static str,
    /// Its arguments, as a usage line.
    pub args: &'static str,
    /// One line for `help`.
    pub doc: &'static str,
}

/// The rows of this family.
pub const PART: Part = Part::NONE;

/// Serves the runtime sockets until the process stops.
pub async fn run(_thread: std::rc::Rc<crate::flow::threads::Thread>) {}
