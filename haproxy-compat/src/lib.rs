//! The evidence: one scenario, two binaries, one comparison.
//!
//! | module | what it holds |
//! |---|---|
//! | [`harness`] | real processes, scripted clients and servers: used by every test of the project |

pub mod harness;
