//! When the first checks are made, and how much later ones vary (manual 3.2, "spread-checks",
//! "max-spread-checks"). No clock.

use std::time::Duration;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::section::Sections;

/// `spread-checks` and `max-spread-checks` as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpreadSpec {
    /// Percent, 0 to 50.
    pub percent: u32,
    /// The longest time over which the first checks are spread.
    pub max: Option<Duration>,
}

/// Intervals below this do not draw the others' first checks together.
const THRESHOLD: Duration = Duration::from_secs(1);

impl SpreadSpec {
    /// How long after the start each check is made for the first time, given their intervals.
    pub fn first_checks(self, intervals: &[Duration]) -> Vec<Duration> {
        let shortest = intervals.iter().filter(|i| **i >= THRESHOLD).min().copied();
        let count = intervals.len().max(1) as u64;
        let delay = |(place, interval): (usize, &Duration)| {
            let mut over = shortest.unwrap_or_default().max(*interval);
            if let Some(max) = self.max {
                over = over.min(max);
            }
            Duration::from_millis(over.as_millis() as u64 * place as u64 / count)
        };
        intervals.iter().enumerate().map(delay).collect()
    }

    /// An interval varied by up to `percent` either way; `random` is even from 0 to 1.
    pub fn vary(self, interval: Duration, random: f64) -> Duration {
        let span = interval * self.percent / 100;
        (interval + span).saturating_sub(span.mul_f64(2.0 * random.clamp(0.0, 1.0)))
    }
}

fn spread_checks(line: &mut Line<'_>) -> Parsed {
    if line.global().spread.percent != 0 {
        // HAProxy says so and goes on.
        let told = line.bare("spread-checks already specified. Continuing.");
        line.diagnostics.push(told.harmless());
        return Ok(());
    }
    let Some(word) = line.word() else {
        return Err(line.bare("'spread-checks' expects an integer argument (0..50)."));
    };
    let value = parse_lenient(word.bytes());
    line.end()?;
    if !(0..=50).contains(&value) {
        return Err(line.bare("'spread-checks' needs a positive value in range 0..50."));
    }
    line.global().spread.percent = u32::try_from(value).unwrap_or_default();
    Ok(())
}

fn max_spread_checks(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(line.bare("'max-spread-checks' expects an integer argument (0..50)."));
    };
    let time = parse_time(word.bytes(), TimeUnit::Milliseconds).map_err(|e| {
        line.bare(match e {
            NumberError::Overflow => format!("timer overflow in argument <{word}> to <max-spread-checks>, maximum value is 2147483647 ms (~24.8 days)."),
            NumberError::Unexpected(c) => format!("unsupported character '{c}' in 'max-spread-checks' (wants an integer delay)."),
        })
    })?;
    line.end()?;
    line.global().spread.max = Some(time).filter(|t| !t.is_zero());
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "max-spread-checks",
            sections: Sections::GLOBAL,
            args: "<delay>",
            default: "no limit",
            doc: "The longest time over which the first checks after the start are spread.",
            examples: &["max-spread-checks 10s"],
            status: Status::Works,
            parse: max_spread_checks,
            ..Keyword::NEW
        },
        Keyword {
            name: "spread-checks",
            sections: Sections::GLOBAL,
            args: "<0..50, in percent>",
            default: "0",
            doc: "By how many percent the time between two checks varies.",
            examples: &["spread-checks 5"],
            status: Status::Works,
            parse: spread_checks,
            ..Keyword::NEW
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(list: &[u64]) -> Vec<Duration> {
        list.iter().map(|n| Duration::from_millis(*n)).collect()
    }

    #[test]
    fn first_checks_are_spread_over_the_shortest_interval() {
        let spread = SpreadSpec::default();
        assert_eq!(spread.first_checks(&ms(&[2000, 2000])), ms(&[0, 1000]));
        assert_eq!(spread.first_checks(&ms(&[2000, 100, 4000])), ms(&[0, 666, 2666]));
        let spread = SpreadSpec { percent: 0, max: Some(Duration::from_millis(300)) };
        assert_eq!(spread.first_checks(&ms(&[2000, 2000, 4000])), ms(&[0, 100, 200]));
    }

    #[test]
    fn an_interval_varies_both_ways() {
        let spread = SpreadSpec { percent: 10, max: None };
        let second = Duration::from_secs(1);
        assert_eq!(spread.vary(second, 0.0), Duration::from_millis(1100));
        assert_eq!(spread.vary(second, 1.0), Duration::from_millis(900));
        assert_eq!(SpreadSpec::default().vary(second, 0.3), second);
    }
}
