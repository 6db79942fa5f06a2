//! Processes are started, and what `/proc` tells of them: memory, CPU time, children, listening sockets.

use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

static STARTING: Mutex<()> = Mutex::new(());

/// As long as this is held no process is being started, which would have a copy of every descriptor
/// until it runs its program: a connection closed meanwhile would end only then.
pub(super) fn none_starts() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a process.
pub(super) fn spawn(command: &mut Command) -> std::io::Result<Child> {
    let _alone = none_starts();
    command.spawn()
}

/// Runs a process to its end and gives what it said.
pub fn run(command: &mut Command) -> std::io::Result<Output> {
    spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?.wait_with_output()
}

/// Memory and CPU time of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory, in kB.
    pub resident_kb: u64,
    /// CPU time in user mode, of all threads. The kernel counts in steps of 10 ms.
    pub user: Duration,
    /// CPU time in the kernel.
    pub system: Duration,
}

impl Usage {
    /// Reads the usage of `pid`.
    pub fn of(pid: i32) -> Result<Usage> {
        let fields = stat_fields(pid)?;
        let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
        // A tick is 10 ms on every Linux that HAProxy runs on (USER_HZ is 100).
        let time = |at: usize| Duration::from_millis(ticks(at) * 10);
        Ok(Usage { resident_kb: resident_kb(pid)?, user: time(11), system: time(12) })
    }
}

/// The processes whose parent is `pid`, oldest first.
pub(super) fn children(pid: i32) -> Vec<i32> {
    let mut found: Vec<(u64, i32)> = all_pids().filter_map(|child| child_of(child, pid)).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, child)| child).collect()
}

/// The processes that have `marker` in their environment, whatever their parent is now.
pub(super) fn with_marker(marker: &str) -> Vec<i32> {
    let has = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|b| *b == 0).any(|entry| entry == marker.as_bytes())
    };
    all_pids().filter(has).collect()
}

/// The TCP ports on which some process of this machine listens.
pub(super) fn listening_ports() -> Vec<u16> {
    let read = |name| std::fs::read_to_string(name).unwrap_or_default();
    let tables = read("/proc/thread-self/net/tcp") + &read("/proc/thread-self/net/tcp6");
    tables.lines().filter_map(listening_port).collect()
}

/// The port of a line of `/proc/thread-self/net/tcp`, if its state is LISTEN (0A).
fn listening_port(line: &str) -> Option<u16> {
    let mut fields = line.split_whitespace();
    let port = fields.nth(1)?.rsplit(':').next()?;
    (fields.nth(1)? == "0A").then(|| u16::from_str_radix(port, 16).ok())?
}

fn all_pids() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The start time and id of `child`, if it is a running child of `parent`.
fn child_of(child: i32, parent: i32) -> Option<(u64, i32)> {
    let fields = stat_fields(child).ok()?;
    let alive = fields.first()? != "Z" && fields.get(1)?.parse() == Ok(parent);
    alive.then(|| Some((fields.get(19)?.parse().ok()?, child)))?
}

/// The fields of `/proc/PID/stat` after the name, which may hold spaces: state is the first.
fn stat_fields(pid: i32) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("no process {pid}"))?;
    let after_name = text.rsplit_once(')').context("a stat line names its process")?.1;
    Ok(after_name.split_whitespace().map(str::to_owned).collect())
}

fn resident_kb(pid: i32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).with_context(|| format!("process {pid} has no memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_usage_and_own_listener_are_seen() {
        let own = std::process::id() as i32;
        assert!(Usage::of(own).unwrap().resident_kb > 100);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listening_ports().contains(&port));
        drop(listener);
        assert!(!listening_ports().contains(&port));
    }
}
