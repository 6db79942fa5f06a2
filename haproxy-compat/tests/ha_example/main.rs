//! The HA example from its first command to its last, with processes that have names and addresses
//! of their own: two web servers (nginx) behind a balancer, updated one after the other.
//!
//! `namespaces` plays it on network namespaces, `docker` in containers of a Docker engine that the
//! test starts. `HAPROXY_TEST_BINARY` plays it with another haproxy.

// A test may stop at the first surprise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod docker;
mod load;
mod namespaces;
mod page;
mod story;
