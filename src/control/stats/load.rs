//! How busy the process is: in come its CPU time and the clock, out comes the share it was idle
//! (management.txt 9.1 "idle", 9.3 "show info").

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use parking_lot::Mutex;

/// A reading: wall and CPU time, in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    wall: u64,
    cpu: u64,
}

/// The two readings between which the share is measured.
static LAST: Mutex<(Reading, Reading)> =
    Mutex::new((Reading { wall: 0, cpu: 0 }, Reading { wall: 0, cpu: 0 }));

/// A shorter time than this says little.
const SPAN_MS: u64 = 500;

/// Share of the last half second or more that all threads together had nothing to do, in percent.
pub fn idle_percent(threads: usize, now_ms: u64) -> u32 {
    let cpu = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| {
        let total = usage.user_time() + usage.system_time();
        u64::try_from(total.num_milliseconds()).unwrap_or(0)
    });
    let now = Reading { wall: now_ms, cpu };
    let mut last = LAST.lock();
    if now.wall.saturating_sub(last.1.wall) >= SPAN_MS {
        *last = (last.1, now);
    }
    share(last.0, now, threads)
}

fn share(from: Reading, to: Reading, threads: usize) -> u32 {
    let wall = to.wall.saturating_sub(from.wall) * threads.max(1) as u64;
    let busy = to.cpu.saturating_sub(from.cpu).min(wall);
    let percent = (wall - busy) * 100 / wall.max(1);
    if wall == 0 { 100 } else { u32::try_from(percent).unwrap_or(100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_counts_every_thread() {
        let at = |wall, cpu| Reading { wall, cpu };
        assert_eq!(share(at(0, 0), at(1_000, 500), 1), 50);
        assert_eq!(share(at(0, 0), at(1_000, 500), 2), 75);
        assert_eq!(share(at(0, 0), at(1_000, 5_000), 2), 0);
        assert_eq!(share(at(7, 7), at(7, 7), 2), 100);
    }
}
