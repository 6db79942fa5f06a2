//! Answers to requests for the page.

use super::StatsPage;
use crate::flow::session::Stream;

impl StatsPage {
    /// Whether the request is for this page.
    pub fn wants(&self, _stream: &Stream<'_>) -> bool {
        false
    }

    /// Answers into the stream's response; `body` is the request's body (for POST).
    pub fn answer(&self, _stream: &mut Stream<'_>, _body: &[u8]) {}
}
