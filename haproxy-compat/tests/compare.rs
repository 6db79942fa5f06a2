//! The second suite: every scenario on a reference haproxy and on ours. Needs a haproxy installed.
//!
//! `HAPROXY_REFERENCE` names the reference (default `/usr/sbin/haproxy`), `HAPROXY_OURS` our binary
//! (default: the one that `cargo build` at the root leaves beside this test).

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Result, bail};
use haproxy_compat::binaries::{Reference, ours, reference};
use haproxy_compat::compare;
use haproxy_compat::scenario::Scenario;

/// Scenarios that run at once; they mostly wait.
const WORKERS: usize = 4;

#[test]
fn every_scenario() -> Result<()> {
    let (reference, ours) = (Reference::of(&reference()?)?, ours()?);
    let waiting = Mutex::new(compare::select(&[]).into_iter());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(scenario) = waiting.lock().unwrap().next() else { break };
                    let difference = judge(&scenario, &reference, &ours);
                    wrong.lock().unwrap().extend(difference);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    if wrong.is_empty() { Ok(()) } else { bail!("{} differ:\n{}", wrong.len(), wrong.concat()) }
}

/// What is wrong with ours, if anything is.
fn judge(scenario: &Scenario, reference: &Reference, ours: &Path) -> Option<String> {
    if let Some(why) = compare::unfit(scenario, reference) {
        println!("not run: {}: {why}", scenario.name);
        return None;
    }
    match compare::compare(scenario, reference, ours) {
        Ok(comparison) => {
            if comparison.is_planned() {
                println!("not run: {}, which needs what is planned", scenario.name);
            }
            comparison.is_wrong().then(|| comparison.to_string())
        }
        Err(error) => Some(format!("broken     {}: {error:#}\n", scenario.name)),
    }
}
