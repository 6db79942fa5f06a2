//! Which two binaries the second suite compares. In: `HAPROXY_REFERENCE` (default
//! `/usr/sbin/haproxy`) and `HAPROXY_OURS` (default: what `cargo build` at the root leaves beside the
//! running test). Out: paths that exist.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A haproxy to compare with.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it says that it is a 2.3.
    pub is_2_3: bool,
    /// Whether it was built with OpenSSL.
    pub openssl: bool,
}

impl Reference {
    /// Asks the binary what it is.
    pub fn of(path: &Path) -> Result<Reference> {
        let output = std::process::Command::new(path).arg("-vv").output();
        let output = output.with_context(|| format!("running {}", path.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Reference {
            path: path.to_owned(),
            is_2_3: text.starts_with("HA-Proxy version 2.3."),
            openssl: text.contains("+OPENSSL"),
        })
    }
}

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
