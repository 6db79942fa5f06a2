//! What a process has cost so far: CPU time and resident memory, from /proc (proc(5)).

use std::fs;
use std::ops::Sub;

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::unistd::{SysconfVar, sysconf};

/// CPU time of a process, all its threads together, in µs. `total` has the scheduler's precision;
/// `user` and `system` share it out as the clock tick saw it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    pub user: f64,
    pub system: f64,
    pub total: f64,
}

impl Cpu {
    pub fn of(pid: u32) -> Result<Cpu> {
        let (user, system) = ticks(pid)?;
        let total = scheduled(pid).unwrap_or(user + system);
        Ok(Cpu { user, system, total })
    }

    /// Of all children that have ended and were waited for.
    pub fn of_children() -> Result<Cpu> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let (user, system) = (micros(usage.user_time()), micros(usage.system_time()));
        Ok(Cpu { user, system, total: user + system })
    }

    /// For one of `count` pieces of work, with `user` and `system` adding up to `total`.
    pub fn per(self, count: usize) -> Cpu {
        let ticked = self.user + self.system;
        let share = if ticked > 0.0 { self.user / ticked } else { 0.0 };
        let total = self.total / count as f64;
        Cpu { user: total * share, system: total * (1.0 - share), total }
    }
}

impl Sub for Cpu {
    type Output = Cpu;

    fn sub(self, before: Cpu) -> Cpu {
        Cpu {
            user: self.user - before.user,
            system: self.system - before.system,
            total: self.total - before.total,
        }
    }
}

/// Resident memory in kB.
pub fn resident(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn ticks(pid: u32) -> Result<(f64, f64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after_name) = stat.rsplit_once(") ").context("unexpected /proc/PID/stat")?;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let tick = 1e6 / sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100) as f64;
    let field = |at: usize| -> Result<f64> {
        let text = fields.get(at).context("unexpected /proc/PID/stat")?;
        Ok(text.parse::<f64>()? * tick)
    };
    Ok((field(11)?, field(12)?))
}

/// Time on a processor in µs, from the scheduler's own nanoseconds; none if this kernel keeps none.
fn scheduled(pid: u32) -> Option<f64> {
    let mut nanos = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanos += text.split(' ').next()?.parse::<f64>().ok()?;
    }
    (nanos > 0.0).then_some(nanos / 1e3)
}

fn micros(time: TimeVal) -> f64 {
    time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64
}
