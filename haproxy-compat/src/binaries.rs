//! Which two binaries the second suite compares. In: `HAPROXY_REFERENCE` (default
//! `/usr/sbin/haproxy`) and `HAPROXY_OURS` (default: what `cargo build` at the root leaves beside the
//! running test). Out: paths that exist.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The haproxy to compare with.
pub fn reference() -> Result<PathBuf> {
    let path = std::env::var_os("HAPROXY_REFERENCE").unwrap_or("/usr/sbin/haproxy".into());
    let path = PathBuf::from(path);
    if path.exists() {
        return Ok(path);
    }
    bail!("no {}: install haproxy or set HAPROXY_REFERENCE", path.display())
}

/// Our own.
pub fn ours() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HAPROXY_OURS") {
        return Ok(PathBuf::from(path));
    }
    // target/debug/deps/compare-… → target/debug/haproxy
    let own = std::env::current_exe()?;
    let path = own.ancestors().nth(2).context("a test lies in target/")?.join("haproxy");
    if path.exists() {
        return Ok(path);
    }
    bail!("no {}: run `cargo build` at the root first", path.display())
}

/// Whether a binary says that it is a 2.3.
pub fn is_2_3(binary: &Path) -> Result<bool> {
    let output = std::process::Command::new(binary).arg("-v").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).starts_with("HA-Proxy version 2.3."))
}
