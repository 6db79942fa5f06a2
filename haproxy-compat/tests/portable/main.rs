//! The release binary on systems that are not the one it was built on: Debian 11 (glibc 2.31), a
//! system with musl and no glibc, and a root folder with nothing in it. Names are looked up in
//! `/etc/hosts` and in DNS, `user` and `group` by name. And the image's entrypoint.

// A test may stop at the first surprise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod entrypoint;
mod names;
mod system;

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use haproxy_compat::harness::Folder;
use haproxy_compat::machines::{need_root, root, run};

#[test]
fn runs_on_glibc_2_31() -> Result<()> {
    let system = root::bullseye()?;
    let libc = run(Command::new("chroot").arg(&system).args(["ldd", "--version"]))?;
    assert!(libc.stdout.contains("2.31"), "{}", libc.stdout);
    on_a_copy_of(&system)
}

#[test]
fn runs_on_musl() -> Result<()> {
    let system = root::musl()?;
    let shell = run(Command::new("chroot").arg(&system).args(["/bin/sh", "-c", "ls /lib"]))?;
    assert!(shell.stdout.contains("ld-musl"), "{}", shell.stdout);
    assert!(!shell.stdout.contains("ld-linux"), "{}", shell.stdout);
    on_a_copy_of(&system)
}

#[test]
fn runs_where_nothing_is() -> Result<()> {
    need_root()?;
    system::check(Folder::new())
}

fn on_a_copy_of(root: &Path) -> Result<()> {
    need_root()?;
    let copy = Folder::new();
    run(Command::new("cp").args(["-a", "-T"]).arg(root).arg(copy.path()))?;
    system::check(copy)
}
