//! The process: command line, start, signals, master and worker. Manual: management.txt 3 and 4.

pub mod args;
pub mod console;
pub mod signals;
