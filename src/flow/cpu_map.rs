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

/// `all`, `odd`, `even`, `3`, `1-4`, `2-`: numbers from 1. The error is worded as HAProxy's.
fn numbers(word: &str) -> Result<Vec<u32>, String> {
    let all = 1..=MOST;
    Ok(match word {
        "all" => all.collect(),
        "odd" => all.filter(|n| n % 2 == 1).collect(),
        "even" => all.filter(|n| n % 2 == 0).collect(),
        _ => range(word, all)?.collect(),
    })
}

fn range(word: &str, allowed: RangeInclusive<u32>) -> Result<RangeInclusive<u32>, String> {
    let (low, high) = word.split_once('-').unwrap_or((word, word));
    let number = |text: &str| match text.parse::<u64>() {
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        Err(_) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => Ok(u32::MAX),
        Err(_) if text.is_empty() => Ok(0),
        Err(_) => Err(format!("'{word}' is not a valid number/range.")),
    };
    let outside =
        || format!("'{word}' is not a valid number/range. It supports numbers from 1 to {MOST}.");
    let (low, high) = match (number(low)?, high) {
        (low, "") if word.ends_with('-') => (low, *allowed.end()),
        (low, high) => (low, number(high)?),
    };
    let (low, high) = if low <= high { (low, high) } else { (high, low) };
    match allowed.contains(&low) && allowed.contains(&high) {
        true => Ok(low..=high),
        false => Err(outside()),
    }
}

/// One word of a CPU list; what follows the numbers is not looked at, as in HAProxy.
fn cpus(word: &str) -> Result<RangeInclusive<u32>, String> {
    let digits = |text: &str| -> Option<u32> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number = text[..end].parse::<u64>().ok()?;
        Some(u32::try_from(number).unwrap_or(u32::MAX))
    };
    let (low, high) = word.split_once('-').unwrap_or((word, word));
    let (Some(low), Some(high)) = (digits(low), digits(high)) else {
        return Err(format!("'{word}' is not a CPU range."));
    };
    if low.max(high) >= MOST {
        return Err(format!("supports CPU numbers from 0 to {}.", MOST - 1));
    }
    Ok(low.min(high)..=low.max(high))
}

fn cpu_map(line: &mut Line<'_>) -> Parsed {
    if line.words.all.len() < line.words.next + 2 {
        return Err(line.alert(format!(
            "cpu-map expects a process number  ('all', 'odd', 'even', a number from 1 to {MOST} or a range),  followed by a list of CPU ranges with numbers from 0 to {}.",
            MOST - 1
        )));
    }
    let which = line.word().map(|word| word.str().into_owned()).unwrap_or_default();
    let (auto, which) = match which.strip_prefix("auto:") {
        Some(rest) => (true, rest),
        None => (false, which.as_str()),
    };
    let (processes, threads) = match which.split_once('/') {
        Some((processes, threads)) => (processes, Some(threads)),
        None => (which, None),
    };
    let refuse = |line: &Line<'_>, e: String| line.alert(format!("cpu-map : {e}"));
    let processes = numbers(processes).map_err(|e| refuse(line, e))?;
    let threads = numbers(threads.unwrap_or("all")).map_err(|e| refuse(line, e))?;
    let mut list = Vec::new();
    while let Some(word) = line.word() {
        list.extend(cpus(&word.str()).map_err(|e| refuse(line, e))?);
    }
    list.sort_unstable();
    list.dedup();
    if auto && ![processes.len(), threads.len()].contains(&list.len()) {
        return Err(refuse(
            line,
            "PROC/THREAD range and CPU sets must have the same size to be automatically bound"
                .into(),
        ));
    }
    if processes.contains(&1) {
        line.global().cpu_map.push(CpuMapSpec { auto, threads, cpus: list });
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
        examples: &["cpu-map 1/1-2 0", "cpu-map auto:1/1-4 0-3"],
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
        assert_eq!(numbers("2-4"), Ok(vec![2, 3, 4]));
        assert_eq!(numbers("63-"), Ok(vec![63, 64]));
        for wrong in ["0", "x", "3-99"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
    }
}
