//! Which processor does what: the proxy alone on one, the clients and the origin on another.

use anyhow::Result;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The processors this process may use, split between the proxy and everything else.
pub struct Split {
    proxy: CpuSet,
    rest: CpuSet,
    pub apart: bool,
}

impl Split {
    /// The first allowed processor for the proxy, the second for the rest; one and the same where
    /// there is only one.
    pub fn of_this_process() -> Result<Split> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut numbers = (0..CpuSet::count()).filter(|n| allowed.is_set(*n).unwrap_or(false));
        let first = numbers.next().unwrap_or(0);
        let second = numbers.next();
        Ok(Split {
            proxy: only(first)?,
            rest: only(second.unwrap_or(first))?,
            apart: second.is_some(),
        })
    }

    /// Runs `spawn` on the proxy's processor, so that the child inherits it, and returns to ours.
    pub fn spawn_on_proxy_side<T>(&self, spawn: impl FnOnce() -> T) -> Result<T> {
        sched_setaffinity(Pid::from_raw(0), &self.proxy)?;
        let spawned = spawn();
        self.stay_on_our_side()?;
        Ok(spawned)
    }

    pub fn stay_on_our_side(&self) -> Result<()> {
        Ok(sched_setaffinity(Pid::from_raw(0), &self.rest)?)
    }
}

fn only(number: usize) -> Result<CpuSet> {
    let mut set = CpuSet::new();
    set.set(number)?;
    Ok(set)
}
