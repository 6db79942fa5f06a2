//! Expressions evaluated on the way: in comes a session or stream, out comes a typed value
//! (manual 7). `fetch` takes values, `convert` changes them, `pattern` matches them.

pub mod args;
pub mod convert;
pub mod expr;
pub mod fetch;
pub mod pattern;
pub mod valid;
pub mod value;
pub mod vars;

use std::borrow::Cow;
use std::cell::Cell;

use crate::flow::phase::Phase;
use crate::flow::session::{Session, Stream};
use crate::flow::threads::View;
pub use args::{ArgType, Argument};
use value::{Type, Value};

/// The arguments of one fetch or converter.
#[derive(Debug, Clone, Default)]
pub struct Arguments(pub Vec<Argument>);

impl Arguments {
    /// The integer at this place.
    pub fn int(&self, index: usize) -> Option<i64> {
        match self.0.get(index)? {
            Argument::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// Takes the text at this place for a variable's name, if it can be one; says whether it is.
    pub fn read_variable(&mut self, index: usize) -> bool {
        let Some(argument) = self.0.get_mut(index) else { return false };
        if let Argument::Str(name) = argument
            && vars::check_name(name).is_ok()
        {
            *argument = Argument::Variable(std::mem::take(name));
        }
        matches!(argument, Argument::Variable(_))
    }

    /// The argument at this place as text: as it stands, or what the variable it names holds.
    pub fn text<'a>(&'a self, index: usize, context: &SampleContext<'a>) -> Option<Cow<'a, [u8]>> {
        match self.0.get(index)? {
            Argument::Str(text) => Some(Cow::Borrowed(text)),
            argument => match argument.variable(context)?.cast(Type::Str)? {
                Value::Str(text) => Some(text),
                _ => None,
            },
        }
    }

    /// Makes the text at this place lower case.
    pub fn lower(&mut self, index: usize) {
        if let Some(Argument::Str(text)) = self.0.get_mut(index) {
            text.make_ascii_lowercase();
        }
    }

    /// The text at this place.
    pub fn str(&self, index: usize) -> Option<&[u8]> {
        match self.0.get(index)? {
            Argument::Str(text) => Some(text),
            _ => None,
        }
    }
}

impl Argument {
    /// What the variable that the argument names holds.
    pub fn variable(&self, context: &SampleContext<'_>) -> Option<Value<'static>> {
        match self {
            Argument::Variable(name) => vars::get(context, name),
            _ => None,
        }
    }
}

/// What a fetch can look at.
#[derive(Debug)]
pub struct SampleContext<'a> {
    /// The client connection.
    pub session: &'a Session,
    /// The request in progress, when there is one.
    pub stream: Option<&'a Stream<'a>>,
    /// The checkpoint.
    pub phase: Phase,
    /// Which of several values a fetch shall give (a header that occurs several times), from 0, or
    /// [`SampleContext::LAST`], as everywhere but in ACLs.
    pub occurrence: Cell<usize>,
    /// Set by a fetch that has a further value at the next occurrence.
    pub more: Cell<bool>,
    /// Set by a fetch whose value may still change or come: bytes are awaited.
    pub changing: Cell<bool>,
}

impl SampleContext<'_> {
    /// The configuration at hand, and the indices of the frontend and of the backend, once chosen.
    pub fn place(&self) -> Option<(View, usize, Option<usize>)> {
        match self.stream {
            Some(stream) => Some((stream.world.clone(), stream.frontend, stream.backend)),
            None => self.session.view().map(|(world, frontend)| (world, frontend, None)),
        }
    }

    /// Whether the value that was just looked at may still change, and there will be another look.
    pub fn may_change(&self) -> bool {
        self.changing.get() && !self.is_last_look()
    }

    /// Whether what is here now decides: always, but for rules that wait for bytes.
    pub fn is_last_look(&self) -> bool {
        self.stream.and_then(|s| s.preread.as_ref()).is_none_or(|preread| preread.last_look)
    }

    /// The `occurrence` that asks for the last value.
    pub const LAST: usize = usize::MAX;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Runs something with a context of an idle connection, for expressions that look at nothing.
    pub(crate) fn with_context(run: impl FnOnce(&SampleContext<'_>)) {
        let session = crate::flow::session::tests::session();
        run(&SampleContext {
            session: &session,
            stream: None,
            phase: Phase::Session,
            occurrence: Cell::new(0),
            more: Cell::new(false),
            changing: Cell::new(false),
        });
    }
}
