//! The second suite: every scenario on a reference haproxy and on ours. Needs a haproxy installed.
//!
//! `HAPROXY_REFERENCE` names the reference (default `/usr/sbin/haproxy`), `HAPROXY_OURS` our binary
//! (default: the one that `cargo build` at the root leaves beside this test).

use anyhow::{Result, bail};
use haproxy_compat::binaries::{is_2_3, ours, reference};
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
fn cache() -> Result<()> {
    family("cache")
}

#[test]
fn retries() -> Result<()> {
    family("retries")
}

#[test]
fn compression() -> Result<()> {
    family("compression")
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

#[test]
fn samples() -> Result<()> {
    family("samples")
}
