//! Time: milliseconds since the process began, and dates.

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

/// Milliseconds since the process began.
pub fn now_ms() -> u64 {
    ms_of(Instant::now())
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
        Moment {
            instant: Instant::now(),
            date: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }
}
