//! Moving bytes: sockets, buffers from a pool, and the one timer of a connection.

pub mod buffer;
pub mod reactor;
pub mod socket;
pub mod timer;
pub mod tuning;
