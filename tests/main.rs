//! The main suite: real traffic through the real binary, over loopback; needs the Rust toolchain only.
//!
//! One module a theme. `HAPROXY_TEST_BINARY=/usr/sbin/haproxy cargo test --test main` runs the same
//! tests against another haproxy, which shows whether the tests themselves are right.

// A test may stop at the first surprise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acls;
mod agent;
mod auth;
mod bad_messages;
mod balance;
mod bytes;
mod cache;
mod catalog_rows;
mod check_protocols;
mod check_rules;
mod checks;
mod cli;
mod compression;
mod config;
mod config_files;
mod endings;
mod error_pages;
mod hostile;
mod http1;
mod http_options;
mod limits;
mod linear;
mod log_forward;
mod logs;
mod maps;
mod observe;
mod persist;
mod process;
mod properties;
mod proxy_options;
mod proxy_protocol;
mod reload;
mod request_body;
mod resolvers;
mod retries;
mod rings;
mod rows;
mod rule_actions;
mod rules;
mod samples;
mod server_state;
mod servers;
mod settings;
mod slowstart;
mod sockets;
mod state_samples;
mod stats;
mod stats_page;
mod stick;
mod tables;
mod tcp;
mod tcp_rules;
mod timeouts;
mod track;

use haproxy_compat::harness::{Builder, Proxy};

/// HTTP mode, and time-outs that no passing test reaches.
const HTTP: &str = "defaults
    mode http
    timeout client 20s
    timeout server 20s
    timeout connect 20s
";

/// A runtime socket for the test, at the highest level.
const CLI: &str = "global
    stats socket {cli} level admin
";

/// One request that leaves the connection open.
const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// One request that asks for the end of the connection.
const GET_CLOSE: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/// A small answer.
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

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

/// The same, after [`HTTP`].
fn http(config: &str) -> Builder {
    proxy(&format!("{HTTP}{config}"))
}

/// The same, after [`CLI`] and [`HTTP`].
fn http_with_cli(config: &str) -> Builder {
    proxy(&format!("{CLI}{HTTP}{config}"))
}
