//! What a process writes to stdout and stderr, line by line, with waiting.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Which of the two a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// One line, without its line end. Bytes that are not UTF-8 are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it was written.
    pub source: Source,
    /// What was written.
    pub text: String,
}

/// The lines so far, growing while the process lives.
#[derive(Clone, Debug, Default)]
pub struct Output(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    open: usize,
}

impl Output {
    /// Reads `pipe` in a thread of its own until its end.
    pub(super) fn follow(&self, source: Source, pipe: impl Read + Send + 'static) {
        self.state().open += 1;
        let output = self.clone();
        std::thread::spawn(move || output.read(source, pipe));
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.state().lines.clone()
    }

    /// The lines of one source so far, each ended by a line feed.
    pub fn text(&self, source: Source) -> String {
        let state = self.state();
        let lines = state.lines.iter().filter(|line| line.source == source);
        lines.map(|line| format!("{}\n", line.text)).collect()
    }

    /// The first line that contains `part`, from either source, waiting for it if need be.
    pub fn wait_for_line(&self, part: &str, limit: Duration) -> Result<String> {
        self.wait_for_nth_line(part, 1, limit)
    }

    /// The `nth` line (from 1) that contains `part`, waiting for it if need be.
    pub fn wait_for_nth_line(&self, part: &str, nth: usize, limit: Duration) -> Result<String> {
        let end = Instant::now() + limit;
        let mut state = self.state();
        loop {
            let mut matching = state.lines.iter().filter(|line| line.text.contains(part));
            if let Some(line) = matching.nth(nth.saturating_sub(1)) {
                return Ok(line.text.clone());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("no line {nth} with {part:?} within {limit:?}; output:\n{}", show(&state));
            }
            let waited = self.0.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until the process and all its children have closed both pipes.
    pub(super) fn wait_for_end(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut state = self.state();
        while state.open > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.0.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn read(&self, source: Source, pipe: impl Read) {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(count) if count > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
            self.state().lines.push(Line { source, text });
            self.0.1.notify_all();
            bytes.clear();
        }
        self.state().open -= 1;
        self.0.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn show(state: &State) -> String {
    state.lines.iter().map(|line| format!("  {:?}: {}\n", line.source, line.text)).collect()
}
