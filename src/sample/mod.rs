//! Expressions evaluated on the way: in comes a session or stream, out comes a typed value
//! (manual 7). `fetch` takes values, `convert` changes them, `pattern` matches them.

pub mod convert;
pub mod expr;
pub mod fetch;
pub mod pattern;
pub mod value;

use std::cell::Cell;

use crate::flow::phase::Phase;
use crate::flow::session::{Session, Stream};

/// The kinds of argument a fetch or converter may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgType {
    /// An integer.
    Int,
    /// Text.
    Str,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// An IPv4 mask.
    Mask4,
    /// An IPv6 mask.
    Mask6,
    /// A time.
    Time,
    /// A size.
    Size,
    /// The name of a frontend.
    Frontend,
    /// The name of a backend.
    Backend,
    /// The name of a stick table.
    Table,
    /// `server` or `backend/server`.
    Server,
    /// The name of a userlist.
    Userlist,
    /// A regular expression.
    Regex,
    /// A variable's name with its scope.
    Var,
    /// A map file's name.
    Map,
}

/// An argument that was given; names are resolved when the `World` is built.
#[derive(Debug, Clone)]
pub enum Argument {
    /// An integer, a time in milliseconds or a size in bytes.
    Int(i64),
    /// Text, or a name that stands for itself.
    Str(Box<[u8]>),
    /// An address or mask.
    Ip(std::net::IpAddr),
    /// An index into `World::proxies`.
    Proxy(usize),
    /// Indices of the proxy and of its server.
    Server(usize, usize),
    /// A compiled regular expression.
    Regex(regex::bytes::Regex),
}

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

    /// The text at this place.
    pub fn str(&self, index: usize) -> Option<&[u8]> {
        match self.0.get(index)? {
            Argument::Str(text) => Some(text),
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
    /// Which of several values a fetch shall give (a header that occurs several times), from 0.
    pub occurrence: Cell<usize>,
    /// Set by a fetch that has a further value at the next occurrence.
    pub more: Cell<bool>,
}
