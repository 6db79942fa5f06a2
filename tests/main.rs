//! The main suite: real traffic through the real binary, over loopback; needs the Rust toolchain only.
//!
//! One module a theme. `HAPROXY_TEST_BINARY=/usr/sbin/haproxy cargo test --test main` runs the same
//! tests against another haproxy, which shows whether the tests themselves are right.

// A test may stop at the first surprise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod balance;
mod checks;
mod cli;
mod config;
mod logs;
mod process;
mod reload;
mod rules;
mod stats_page;
mod tables;

use haproxy_compat::harness::{Builder, Proxy};

/// The binary under test: ours, or the one in `HAPROXY_TEST_BINARY`.
fn binary() -> String {
    std::env::var("HAPROXY_TEST_BINARY").unwrap_or(env!("CARGO_BIN_EXE_haproxy").to_owned())
}

/// Whether the tests run against HAProxy itself, whose deliberate differences must not fail them.
fn testing_reference() -> bool {
    std::env::var_os("HAPROXY_TEST_BINARY").is_some()
}

/// A proxy with this configuration, to be started with the binary under test.
fn proxy(config: &str) -> Builder {
    Proxy::config(config).binary(binary())
}
