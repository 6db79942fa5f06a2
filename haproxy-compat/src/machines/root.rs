//! Root folders of other systems, for `chroot`: Debian 11 (glibc 2.31), musl, and one that is empty.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{project, run};
use crate::harness::Folder;

/// Debian 11 with nginx in it; made once by debootstrap and kept below `target/`.
pub fn bullseye() -> Result<PathBuf> {
    const MIRROR: &str = "http://deb.debian.org/debian";
    kept("bullseye", |folder| {
        run(Command::new("debootstrap")
            .args(["--variant=minbase", "--include=nginx-light", "bullseye"])
            .arg(folder)
            .arg(MIRROR))
        .map(|_| ())
    })
}

/// A system without glibc: Debian's musl and a statically linked busybox, kept below `target/`.
pub fn musl() -> Result<PathBuf> {
    kept("musl", |folder| {
        let packages = Folder::new();
        run(Command::new("apt-get")
            .args(["download", "musl", "busybox-static"])
            .current_dir(packages.make()?))?;
        for package in std::fs::read_dir(packages.path())? {
            run(Command::new("dpkg").arg("-x").arg(package?.path()).arg(folder))?;
        }
        std::os::unix::fs::symlink("busybox", folder.join("bin/sh"))?;
        Ok(())
    })
}

/// Makes `target/roots/NAME` once; a half-made one is never taken for whole.
fn kept(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let roots = project().join("target/roots");
    let (done, making) = (roots.join(name), roots.join(format!("{name}.making")));
    if !done.exists() {
        let _ = std::fs::remove_dir_all(&making);
        std::fs::create_dir_all(&making)?;
        make(&making).with_context(|| format!("making the root folder {name}"))?;
        std::fs::rename(&making, &done)?;
    }
    Ok(done)
}
