//! Time: moments since the process began, and their dates. While a connection's task is polled the clock
//! stands still: it is read once, not at each of the twenty places that want to know.

use std::cell::Cell;
use std::num::NonZeroU64;
use std::ops::Add;
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

/// A point in time: nanoseconds since the process began, plus one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(NonZeroU64);

impl Moment {
    /// Now, or the time at which the clock stands still.
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

    /// Now, even while the clock stands still.
    pub fn read() -> Moment {
        let since = START.instant.elapsed();
        Moment::at(since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos()))
    }

    fn at(nanos: u64) -> Moment {
        Moment(NonZeroU64::MIN.saturating_add(nanos))
    }

    fn nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// Milliseconds since the process began.
    pub fn ms(self) -> u64 {
        self.nanos() / 1_000_000
    }

    /// The time that passed since `earlier`; none if that is later.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.nanos().saturating_sub(earlier.nanos()))
    }

    /// The time that passed since then, even while the clock stands still.
    pub fn elapsed(self) -> Duration {
        Moment::read().since(self)
    }

    /// The moment that much earlier, the process's beginning at the earliest.
    pub fn before(self, duration: Duration) -> Moment {
        Moment::at(self.nanos().saturating_sub(nanos(duration)))
    }

    /// For the system's own timers.
    pub fn instant(self) -> Instant {
        START.instant + Duration::from_nanos(self.nanos())
    }

    /// What the calendar's clock showed, since 1970, given what it shows today.
    pub fn date(self) -> Duration {
        let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        date.saturating_sub(self.elapsed())
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;
    fn add(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(nanos(duration)))
    }
}

/// Six hundred years at most.
fn nanos(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(duration.subsec_nanos()))
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

/// Milliseconds since the process began.
pub fn now_ms() -> u64 {
    Moment::now().ms()
}

/// Microseconds since the process began.
pub fn now_us() -> u64 {
    Moment::read().nanos() / 1_000
}

/// The date at which the process began, since 1970.
pub fn start_date() -> Duration {
    START.date
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_stands_still_during_a_poll_only() {
        for _ in 0..2 {
            let before = Moment::now();
            standing_still(|| {
                let first = Moment::now();
                assert!(first >= before);
                std::thread::sleep(Duration::from_millis(2));
                assert_eq!(Moment::now(), first);
                assert!(first.elapsed() >= Duration::from_millis(2));
            });
        }
        let after = Moment::now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(Moment::now() > after);
    }

    #[test]
    fn moments_have_distances_and_dates() {
        let moment = Moment::now();
        let later = moment + Duration::from_millis(1_500);
        assert_eq!(later.since(moment), Duration::from_millis(1_500));
        assert_eq!(moment.since(later), Duration::ZERO);
        assert_eq!(later.before(Duration::from_millis(1_500)), moment);
        assert_eq!(moment.before(Duration::from_secs(1 << 40)), Moment::at(0));
        assert_eq!(later.instant() - moment.instant(), Duration::from_millis(1_500));
        let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let distance = date.abs_diff(Moment::now().date());
        assert!(distance < Duration::from_millis(100), "{distance:?}");
        assert_eq!(size_of::<Option<Moment>>(), 8);
    }
}
