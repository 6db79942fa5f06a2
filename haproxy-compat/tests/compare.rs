//! The second suite: every scenario on a reference haproxy and on ours. Needs a haproxy installed.
//!
//! `HAPROXY_REFERENCE` names the reference (default `/usr/sbin/haproxy`), `HAPROXY_OURS` our binary
//! (default: the one that `cargo build` at the root leaves beside this test).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use haproxy_compat::{compare, scenarios};

/// Runs the families of scenarios whose names begin with `family/`.
fn family(family: &str) -> Result<()> {
    let (reference, ours) = (reference()?, ours()?);
    let is_2_3 = is_2_3(&reference)?;
    let mut wrong = Vec::new();
    for scenario in compare::select(&[format!("{family}/")]) {
        if !is_2_3 && scenarios::changed_after_2_3(scenario.name) {
            println!("not run: {}, which the reference's version does otherwise", scenario.name);
            continue;
        }
        let comparison = compare::compare(&scenario, &reference, &ours)?;
        if comparison.is_planned() {
            println!("not run: {}, which needs what is planned", scenario.name);
        }
        if comparison.is_wrong() {
            wrong.push(comparison.to_string());
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{} differ:\n{}", wrong.len(), wrong.concat()) }
}

fn reference() -> Result<PathBuf> {
    let path = std::env::var_os("HAPROXY_REFERENCE").unwrap_or("/usr/sbin/haproxy".into());
    let path = PathBuf::from(path);
    if path.exists() {
        return Ok(path);
    }
    bail!("no {}: install haproxy or set HAPROXY_REFERENCE", path.display())
}

fn ours() -> Result<PathBuf> {
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

fn is_2_3(binary: &Path) -> Result<bool> {
    let output = std::process::Command::new(binary).arg("-v").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).starts_with("HA-Proxy version 2.3."))
}

#[test]
fn http1() -> Result<()> {
    family("http1")
}

#[test]
fn errors() -> Result<()> {
    family("errors")
}

#[test]
fn tcp() -> Result<()> {
    family("tcp")
}

#[test]
fn balance() -> Result<()> {
    family("balance")
}

#[test]
fn retries() -> Result<()> {
    family("retries")
}

#[test]
fn logs() -> Result<()> {
    family("logs")
}

#[test]
fn stats() -> Result<()> {
    family("stats")
}

#[test]
fn cli() -> Result<()> {
    family("cli")
}

#[test]
fn config() -> Result<()> {
    family("config")
}
