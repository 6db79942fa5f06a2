//! People look and steer: the process and its signals, the runtime socket, the statistics.

pub mod cli;
pub mod pools;
pub mod process;
pub mod stats;
