//! What both benches stand on. In: a binary and a piece of work. Out: answers counted, CPU time read.
//!
//! `traffic` is the clients and the origin, in this one thread; `proxy` starts a process under a
//! generated configuration (`config`) and `usage` reads what it cost.
#![allow(dead_code, reason = "each bench uses its own part of the rig")]

pub mod config;
pub mod cpus;
pub mod lists;
pub mod proxy;
pub mod traffic;
pub mod usage;
