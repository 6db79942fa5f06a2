//! Arbitrary configurations: no panic, no hang, memory in proportion. The targets are those of
//! `tests/fuzz`; here a seeded generator feeds them, so that every run is the same.

#[path = "fuzz/targets.rs"]
mod targets;

use std::path::Path;
use std::time::{Duration, Instant};

/// Inputs for each target in one run of the suite.
const ROUNDS: u64 = 1_500;
/// Longest input, in bytes.
const LONGEST: usize = 4_096;
/// One input may take this long, on a busy machine and without optimization.
const PATIENCE: Duration = Duration::from_secs(5);

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 11).unwrap() % end.max(1)
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// Pieces that mean something to one grammar or another.
const PIECES: &[&str] = &[
    "%[",
    "]",
    "(",
    ")",
    ",",
    "'",
    "\"",
    "\\",
    "${A}",
    "\"${A[*]}\"",
    "\\x4",
    "{ ",
    " }",
    " || ",
    "!",
    " if ",
    " unless ",
    "%{+Q}",
    "%{-",
    "%ci",
    "%%",
    "[",
    "]",
    "\n",
    "\r\n",
    "\0",
    "#",
    " ",
    "\t",
    "-m reg ",
    "-i ",
    "-f /data ",
    "0",
    "-1",
    "4294967296",
    "99999999999999999999",
    "1.2.3.4/33",
    "::/0",
    "1-5",
    "10s",
    "1g",
    "frontend f\n ",
    "backend b\n ",
    "global\n ",
    "no ",
    "default ",
    "path",
    "src",
    "req.hdr(host)",
    "lower",
    "regsub(a,b)",
    "map_beg(/data)",
    "word(1,.)",
    "str(x)",
    "(((((",
    "[[[[",
    "\u{fffd}",
    "é",
];

/// Lines that are known to mean something: of the fixtures.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config");
    let mut files = Vec::new();
    for kind in ["valid", "invalid"] {
        let entries = std::fs::read_dir(folder.join(kind)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// A mutation of something known, or nothing but pieces.
fn input(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = match random.below(4) {
        0 => Vec::new(),
        1 => random.pick(corpus).clone(),
        _ => {
            let whole = random.pick(corpus);
            let lines: Vec<&[u8]> = whole.split(|b| *b == b'\n').collect();
            random.pick(&lines).to_vec()
        }
    };
    for _ in 0..=random.below(8) {
        let at = random.below(data.len() + 1);
        match random.below(5) {
            0 => drop(data.splice(at..at, random.pick(PIECES).bytes())),
            1 => data.insert(at, (random.next() >> 56) as u8),
            2 if !data.is_empty() => drop(data.remove(at.min(data.len() - 1))),
            3 => {
                let end = (at + random.below(16)).min(data.len());
                let copy = data[at..end].to_vec();
                data.splice(at..at, copy);
            }
            _ => {
                let end = (at + random.below(8)).min(data.len());
                data.drain(at..end);
            }
        }
    }
    data.truncate(LONGEST);
    data
}

#[test]
fn no_input_makes_a_target_panic_or_hang() {
    // A longer run by hand: `FUZZ_ROUNDS=1000000 FUZZ_SEED=7 cargo test --release --test main properties`.
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let rounds = number("FUZZ_ROUNDS").unwrap_or(ROUNDS);
    let mut random = Random(number("FUZZ_SEED").unwrap_or(0x9e37_79b9_7f4a_7c15));
    let corpus = corpus();
    for _ in 0..rounds {
        let data = input(&mut random, &corpus);
        for (name, target) in targets::TARGETS {
            let start = Instant::now();
            let ran = std::panic::catch_unwind(|| target(&data));
            assert!(ran.is_ok(), "{name} panics on {:?}", data.escape_ascii().to_string());
            let took = start.elapsed();
            assert!(
                took < PATIENCE,
                "{name} took {took:?} for {:?}",
                data.escape_ascii().to_string()
            );
        }
    }
}

/// What libFuzzer has found, ten minutes a target; each must stay mended.
const FOUND: &[&[u8]] = &[
    // A regular expression that calls itself took 5 GB.
    b"#a c\n /gdq\xfdopt\x1a/Z/r0ec\\g0n\xff\xff\xff\xff\xff\xff\xffsc1_sess_rate\xeb.n?noeset??\\\xf8r0ec\\g0n\xff\xff\xff\xff\xffgdq\xfdopt|",
    b"(a\\g1b\\g1|)\n(a\\g<1>b\\g<1>c|)\n(a\\g<1>?b\\g<1>?c|x)\\1\nxa\\g0b\\g{0}c|\n",
];

#[test]
fn what_was_found_stays_mended() {
    for data in FOUND {
        for (name, target) in targets::TARGETS {
            let start = Instant::now();
            target(data);
            assert!(start.elapsed() < PATIENCE, "{name}: {}", data.escape_ascii());
        }
    }
}

#[test]
fn deep_nesting_is_only_an_error() {
    let deep = "(".repeat(100_000);
    let conditions = "{ path ".repeat(50_000);
    for text in
        [&deep, &format!("str({deep}"), &format!("path,{}", "lower,".repeat(20_000)), &conditions]
    {
        for (_, target) in targets::TARGETS {
            target(text.as_bytes());
            target(
                format!("frontend f\n http-request deny if {text}\n log-format \"%[{text}\"\n")
                    .as_bytes(),
            );
        }
    }
}
