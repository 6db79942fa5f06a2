//! `cpu-map` (manual 3.1): which CPUs each thread may run on.
//!
//! In: the lines of `global`. Out: a set of CPUs for a thread, and the calling thread bound to it.

use std::ops::RangeInclusive;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;

/// Threads and CPUs are numbered up to this many, as in a 64-bit build of HAProxy.
const MOST: u32 = 64;

/// One `cpu-map` line that speaks of process 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuMapSpec {
    /// `auto:`: one CPU for each thread, in order.
    auto: bool,
    /// Thread numbers, from 1.
    threads: Vec<u32>,
    cpus: Vec<u32>,
}

/// The CPUs of a thread (0 for the first); empty when no line speaks of it. Later lines win.
pub fn cpus_of(lines: &[CpuMapSpec], thread: usize) -> Vec<u32> {
    let of_line = |line: &CpuMapSpec| {
        let at = line.threads.iter().position(|number| *number as usize == thread + 1)?;
        match line.auto {
            true => line.cpus.get(at).map(|cpu| vec![*cpu]),
            false => Some(line.cpus.clone()),
        }
    };
    lines.iter().rev().find_map(of_line).unwrap_or_default()
}

/// Binds the calling thread. CPUs that do not exist are left out by the system; if none is left, the thread
/// runs anywhere.
pub fn bind_thread(lines: &[CpuMapSpec], thread: usize) {
    let cpus = cpus_of(lines, thread);
    if cpus.is_empty() {
        return;
    }
    let mut set = CpuSet::new();
    for cpu in cpus {
        // Numbers are below 64, which every set holds.
        let _ = set.set(cpu as usize);
    }
    if let Err(error) = sched_setaffinity(Pid::from_raw(0), &set) {
        tracing::warn!(%error, thread, "cannot bind a thread to its CPUs");
    }
}

/// `all`, `odd`, `even`, `3`, `1-4`, `2-`: numbers from 1.
fn numbers(word: &str) -> Option<Vec<u32>> {
    let all = 1..=MOST;
    Some(match word {
        "all" => all.collect(),
        "odd" => all.filter(|n| n % 2 == 1).collect(),
        "even" => all.filter(|n| n % 2 == 0).collect(),
        _ => range(word, all)?.collect(),
    })
}

fn range(word: &str, allowed: RangeInclusive<u32>) -> Option<RangeInclusive<u32>> {
    let (low, high) = match word.split_once('-') {
        None => (word.parse().ok()?, word.parse().ok()?),
        Some((low, "")) => (low.parse().ok()?, *allowed.end()),
        Some((low, high)) => (low.parse().ok()?, high.parse().ok()?),
    };
    let (low, high) = if low <= high { (low, high) } else { (high, low) };
    (allowed.contains(&low) && allowed.contains(&high)).then_some(low..=high)
}

fn cpu_map(line: &mut Line<'_>) -> Parsed {
    let wrong = format!(
        "parsing [{}] : cpu-map expects a process number  ('all', 'odd', 'even', a number from 1 to \
         {MOST} or a range),  followed by a list of CPU ranges with numbers from 0 to {}.",
        line.words.place,
        MOST - 1
    );
    let wrong = crate::config::diagnostic::Diagnostic::alert(Some(line.words.place), wrong);
    let Some(which) = line.word().map(|word| word.str().into_owned()) else { return Err(wrong) };
    let (auto, which) = match which.strip_prefix("auto:") {
        Some(rest) => (true, rest),
        None => (false, which.as_str()),
    };
    let (processes, threads) = which.split_once('/').unwrap_or((which, "all"));
    let mut cpus = Vec::new();
    for word in line.rest() {
        match range(&word.str(), 0..=MOST - 1) {
            Some(some) => cpus.extend(some),
            None => return Err(wrong),
        }
    }
    let (Some(processes), Some(threads)) = (numbers(processes), numbers(threads)) else {
        return Err(wrong);
    };
    if cpus.is_empty() {
        return Err(wrong);
    }
    if processes.contains(&1) {
        line.global().cpu_map.push(CpuMapSpec { auto, threads, cpus });
    }
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "cpu-map",
        sections: Sections::GLOBAL,
        args: "[auto:]<process-set>[/<thread-set>] <cpu-set>...",
        doc: "Binds processes and threads to CPUs; with `auto:` each of the first to one of the second.",
        examples: &["cpu-map 1/1-2 0", "cpu-map auto:1/all 0-3"],
        status: Status::Works,
        parse: cpu_map,
        ..Keyword::NEW
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    fn line(auto: bool, threads: &str, cpus: &[u32]) -> CpuMapSpec {
        CpuMapSpec { auto, threads: numbers(threads).unwrap(), cpus: cpus.to_vec() }
    }

    #[test]
    fn each_thread_gets_its_cpus() {
        let lines = [line(false, "all", &[0, 1]), line(true, "2-3", &[5, 6])];
        assert_eq!(cpus_of(&lines, 0), [0, 1]);
        assert_eq!(cpus_of(&lines, 1), [5]);
        assert_eq!(cpus_of(&lines, 2), [6]);
        assert!(cpus_of(&lines[1..], 0).is_empty());
    }

    #[test]
    fn sets_are_words_numbers_or_ranges() {
        assert_eq!(numbers("odd").unwrap()[..3], [1, 3, 5]);
        assert_eq!(numbers("2-4"), Some(vec![2, 3, 4]));
        assert_eq!(numbers("63-"), Some(vec![63, 64]));
        assert_eq!((numbers("0"), numbers("x"), numbers("3-99")), (None, None, None));
    }
}
