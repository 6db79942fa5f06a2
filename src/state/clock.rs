//! Time: milliseconds since the process began, and dates. While a connection's task is polled the clock
//! stands still: it is read once, not at each of the twenty places that want to know.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

struct Start {
    instant: Instant,
    date: Duration,
}

static START: LazyLock<Start> = LazyLock::new(|| Start {
    instant: Instant::now(),
    date: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
});

/// Fixes the beginning; called once at start so that the first reading is not the beginning.
pub fn init() {
    LazyLock::force(&START);
}

/// What the clock shows on this thread.
#[derive(Debug, Clone, Copy)]
enum Reading {
    /// The time.
    Running,
    /// The time, which is then kept.
    Next,
    /// This.
    Standing(Moment),
}

thread_local! {
    static READING: Cell<Reading> = const { Cell::new(Reading::Running) };
}

/// Lets the clock stand still while `poll` runs. It takes the poll, not the future: a function that
/// took the future would keep it twice.
pub fn standing_still<R>(poll: impl FnOnce() -> R) -> R {
    READING.set(Reading::Next);
    let _restart = Restart;
    poll()
}

/// Lets the clock run again, after a panic too.
struct Restart;

impl Drop for Restart {
    fn drop(&mut self) {
        READING.set(Reading::Running);
    }
}

/// Now, for intervals.
pub fn now() -> Instant {
    Moment::now().instant
}

/// Milliseconds since the process began.
pub fn now_ms() -> u64 {
    ms_of(now())
}

/// Microseconds since the process began.
pub fn now_us() -> u64 {
    Instant::now().saturating_duration_since(START.instant).as_micros() as u64
}

/// Milliseconds from the process's beginning to `instant`.
pub fn ms_of(instant: Instant) -> u64 {
    instant.saturating_duration_since(START.instant).as_millis() as u64
}

/// The date at which the process began, since 1970.
pub fn start_date() -> Duration {
    START.date
}

/// A moment: monotonic for intervals, and a date for logs.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// For intervals.
    pub instant: Instant,
    /// Since 1970.
    pub date: Duration,
}

impl Moment {
    /// Now.
    pub fn now() -> Moment {
        match READING.get() {
            Reading::Running => Moment::read(),
            Reading::Standing(moment) => moment,
            Reading::Next => {
                let moment = Moment::read();
                READING.set(Reading::Standing(moment));
                moment
            }
        }
    }

    fn read() -> Moment {
        Moment {
            instant: Instant::now(),
            date: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_stands_still_during_a_poll_only() {
        for _ in 0..2 {
            let before = Instant::now();
            standing_still(|| {
                let first = now();
                assert!(first >= before);
                std::thread::sleep(Duration::from_millis(2));
                assert_eq!(now(), first);
            });
        }
        let after = now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(now() > after);
    }
}
