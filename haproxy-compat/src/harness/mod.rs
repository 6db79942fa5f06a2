//! The test harness: real processes and real sockets on loopback, and scripts for both ends.
//!
//! What comes in: a configuration text with `{name}` places (see [`template`]), and a script.
//! What goes out: bytes, log lines and exit statuses as observed. No chapter of the manual: this
//! is the evidence about all of them.
//!
//! ```no_run
//! use haproxy_compat::harness::{Proxy, Web};
//! # fn main() -> anyhow::Result<()> {
//! let web = Web::start("v1")?;
//! let proxy = Proxy::config(
//!     "defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n\
//!      listen main\n bind {fe}\n server s1 {s1}\n",
//! )
//! .binary("/usr/sbin/haproxy")
//! .name("s1", web.address())
//! .start()?;
//! let mut client = proxy.connect("fe")?;
//! client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
//! assert_eq!(client.response()?.body, b"v1");
//! # Ok(())
//! # }
//! ```
//!
//! Every wait has a limit ([`PATIENCE`]) and says at its end what it waited for. A [`Proxy`] prints
//! its configuration and its output when it is dropped, which the test runner shows for failed
//! tests only.

mod cli;
mod connection;
mod csv;
mod dns;
mod folder;
mod message;
mod output;
mod ports;
mod process;
mod proxy;
mod server;
mod syslog;
pub mod template;
mod web;

use std::time::{Duration, Instant};

pub use cli::Cli;
pub use connection::{Connection, Ending};
pub use csv::Csv;
pub use dns::Dns;
pub use folder::Folder;
pub use message::Message;
pub use nix::sys::signal::Signal;
pub use output::{Line, Output, Source};
pub use ports::Port;
pub use process::{Usage, run};
pub use proxy::{Builder, Finished, Proxy};
pub use server::Server;
pub use syslog::Syslog;
pub use web::Web;

/// How long anything may take before it is called a failure. Long, because a busy build machine
/// is slow; no passing test waits for it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Repeats `ask` until it says yes, for conditions that announce themselves by no event (a CSV
/// column, a line in `/proc`). An error of `ask` ends it, as does [`PATIENCE`].
pub fn eventually(what: &str, mut ask: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let start = Instant::now();
    while !ask()? {
        anyhow::ensure!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
