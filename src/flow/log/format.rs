//! Log formats: text with variables and expressions (manual 8.2.4).

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
}
