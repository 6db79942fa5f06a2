//! Machines for one test: processes with a network, a name and an address of their own, and root
//! folders of other systems. Needs root, `ip`, `unshare`, `nsenter`; nothing outside is touched.

mod engine;
mod machine;
mod network;
pub mod root;
mod script;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

pub use engine::Engine;
pub use machine::{Machine, Stopped};
pub use network::{Lan, in_own_network};
pub use script::{Finished, finish, run};

/// Says that `what` did not run, so that a passing run hides nothing: on stderr past the test
/// runner's capture, and as a line of the file that `HAPROXY_NOT_RUN` names.
pub fn not_run(what: &str, why: &str) {
    let line = format!("NOT RUN: {what}: {why}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("HAPROXY_NOT_RUN") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// The binary under test that runs in any image: the one in `HAPROXY_TEST_BINARY`, else what
/// `cargo portable` builds.
pub fn portable_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HAPROXY_TEST_BINARY") {
        return Ok(path.into());
    }
    let cargo = std::env::var_os("CARGO").context("not started by cargo")?;
    let built = run(std::process::Command::new(cargo)
        .args(["portable", "--message-format=json-render-diagnostics"])
        .current_dir(project()))?;
    let artifact = built.stdout.lines().find_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        let path = rest.split_once('"')?.0;
        path.ends_with("/haproxy").then(|| PathBuf::from(path))
    });
    artifact.context("cargo portable built no haproxy")
}

/// Whether the tests run against HAProxy itself, whose deliberate differences must not fail them.
pub fn testing_reference() -> bool {
    std::env::var_os("HAPROXY_TEST_BINARY").is_some()
}

/// The project's folder.
pub fn project() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Fails unless this process is root.
pub fn need_root() -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "needs root, for namespaces and chroot");
    Ok(())
}
