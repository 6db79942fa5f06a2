//! What outlives a request, and a reload.

pub mod bad_message;
pub mod cache;
pub mod clock;
pub mod counters;
pub mod map_file;
pub mod resolver;
pub mod server_change;
pub mod server_file;
pub mod server_status;
pub mod stick_table;
pub mod world;
