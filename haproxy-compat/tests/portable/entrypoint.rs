//! What `docker run IMAGE WORDS` runs, without Docker: the entrypoint with a haproxy that only says
//! how it was called.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::Result;
use haproxy_compat::harness::Folder;
use haproxy_compat::machines::{project, run};

#[test]
fn haproxy_becomes_master_and_worker_in_the_foreground() -> Result<()> {
    let config = "/usr/local/etc/haproxy/haproxy.cfg";
    assert_eq!(called(&["haproxy", "-f", config])?, format!("haproxy -W -db -f {config}"));
    Ok(())
}

#[test]
fn options_alone_are_haproxys() -> Result<()> {
    assert_eq!(called(&["-c", "-f", "a b"])?, "haproxy -W -db -c -f a b");
    Ok(())
}

#[test]
fn other_commands_run_as_they_stand() -> Result<()> {
    assert_eq!(called(&["echo", "haproxy", "-v"])?, "haproxy -v");
    Ok(())
}

fn called(words: &[&str]) -> Result<String> {
    let folder = Folder::new();
    let haproxy = folder.write("haproxy", b"#!/bin/sh\necho haproxy \"$@\"\n")?;
    std::fs::set_permissions(haproxy, PermissionsExt::from_mode(0o755))?;
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let entrypoint = project().join("haproxy-compat/image/docker-entrypoint.sh");
    let said = run(Command::new(entrypoint).args(words).env("PATH", path))?;
    Ok(said.stdout.trim_end().to_owned())
}
