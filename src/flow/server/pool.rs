//! Idle connections to a server.

/// Idle connections of one server, kept for each thread.
#[derive(Debug, Default)]
pub struct ServerPool {}
