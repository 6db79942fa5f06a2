//! The evidence: one scenario, two binaries, one comparison.
//!
//! | module | what it holds |
//! |---|---|
//! | [`harness`] | real processes, scripted clients and servers: used by every test of the project |
//! | [`scenario`], [`scenarios`] | a configuration and a script; one family a file |
//! | [`mask`] | what differs between two runs of the same thing, replaced by names |
//! | [`compare`] | every scenario on two binaries, and what differs |
//! | [`machines`] | processes with names and addresses of their own, root folders of other systems |

pub mod compare;
pub mod harness;
pub mod machines;
pub mod mask;
pub mod scenario;
pub mod scenarios;
