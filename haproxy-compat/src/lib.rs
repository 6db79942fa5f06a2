//! The evidence: one scenario, two binaries, one comparison.
//!
//! | module | what it holds |
//! |---|---|
//! | [`harness`] | real processes, scripted clients and servers: used by every test of the project |
//! | [`scenario`], [`scenarios`] | a configuration and a script; one family a file |
//! | [`binaries`] | which two are compared |
//! | [`mask`] | what differs between two runs of the same thing, replaced by names |
//! | [`names`] | which names of the catalog the scenarios use |
//! | [`releases`] | what releases of haproxy word otherwise everywhere |
//! | [`mod@compare`] | every scenario on two binaries, and what differs |
//! | [`ledger`], [`mod@coverage`] | the names that HAProxy knows, and how far each goes here |
//! | [`mod@check`], [`corpus`] | one configuration, or a folder of them, judged by several binaries |
//! | [`man`] | the manual pages that are generated from the catalog |
//! | [`machines`] | processes with names and addresses of their own, root folders of other systems |

pub mod binaries;
pub mod check;
pub mod compare;
pub mod corpus;
pub mod coverage;
pub mod harness;
pub mod ledger;
pub mod machines;
pub mod man;
pub mod mask;
pub mod names;
pub mod releases;
pub mod scenario;
pub mod scenarios;
