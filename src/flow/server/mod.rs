//! The way to a server: its options, the queue before it, connecting, its idle connections.

pub mod assign;
pub mod connect;
pub mod cookie;
pub mod options;
pub mod own_links;
pub mod persist;
pub mod pool;
pub mod queue;
pub mod resolution;
pub mod retry;
pub mod source;
pub mod stick;
pub mod template;
pub mod transport;
