//! Dates as logs write them (manual 8.2.4; RFC 3164 4.1.2; RFC 5424 6.2.3). In: a time since 1970. Out:
//! text. The local zone is asked for once a second and thread at most.

use std::cell::Cell;
use std::time::Duration;

use crate::sys::{self, LocalTime};

/// The months, in three letters.
pub const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

thread_local! {
    /// The second last asked for, and its local date.
    static LAST: Cell<Option<(u64, LocalTime)>> = const { Cell::new(None) };
}

/// The local date.
pub fn local(seconds: u64) -> LocalTime {
    match LAST.get() {
        Some((at, date)) if at == seconds => date,
        _ => {
            let date = sys::local_time(i64::try_from(seconds).unwrap_or(0));
            LAST.set(Some((seconds, date)));
            date
        }
    }
}

/// The date at Greenwich (Hinnant's days-to-civil algorithm).
pub fn utc(seconds: u64) -> LocalTime {
    let days = seconds / 86_400;
    let of_day = (seconds % 86_400) as u32;
    // Counted from March 1st of year 0, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    LocalTime {
        year: year as i32,
        month: month as u32,
        day: day as u32,
        hour: of_day / 3600,
        minute: of_day / 60 % 60,
        second: of_day % 60,
        day_of_year: 0,
        weekday: ((days + 4) % 7) as u32,
        offset: 0,
    }
}

/// `22/Nov/2026:15:06:59.123`, local.
pub fn write_log(out: &mut Vec<u8>, date: Duration) {
    day_and_time(out, &local(date.as_secs()));
    out.push(b'.');
    three(out, date.subsec_millis());
}

/// `22/Nov/2026:15:06:59 +0000`, at Greenwich.
pub fn write_utc(out: &mut Vec<u8>, date: Duration) {
    day_and_time(out, &utc(date.as_secs()));
    out.extend_from_slice(b" +0000");
}

/// `22/Nov/2026:16:06:59 +0100`, local.
pub fn write_local(out: &mut Vec<u8>, date: Duration) {
    let date = local(date.as_secs());
    day_and_time(out, &date);
    out.push(b' ');
    offset(out, date.offset, b"");
}

/// `Nov 22 15:06:59`, local, as RFC 3164 has it.
pub fn write_rfc3164(out: &mut Vec<u8>, date: Duration) {
    let date = local(date.as_secs());
    out.extend_from_slice(month(&date));
    out.push(b' ');
    out.push(if date.day < 10 { b' ' } else { digit(date.day / 10) });
    out.push(digit(date.day));
    out.push(b' ');
    time(out, &date);
}

/// `2026-11-22T15:06:59.123456+00:00`, local, as RFC 5424 has it.
pub fn write_iso(out: &mut Vec<u8>, moment: Duration) {
    let date = local(moment.as_secs());
    year(out, &date);
    out.push(b'-');
    two(out, date.month);
    out.push(b'-');
    two(out, date.day);
    out.push(b'T');
    time(out, &date);
    out.push(b'.');
    let micros = moment.subsec_micros();
    three(out, micros / 1000);
    three(out, micros % 1000);
    offset(out, date.offset, b":");
}

fn day_and_time(out: &mut Vec<u8>, date: &LocalTime) {
    two(out, date.day);
    out.push(b'/');
    out.extend_from_slice(month(date));
    out.push(b'/');
    year(out, date);
    out.push(b':');
    time(out, date);
}

/// The month's three letters.
pub fn month(date: &LocalTime) -> &'static [u8] {
    MONTHS.get((date.month as usize).wrapping_sub(1)).map_or(b"Jan", |m| m.as_slice())
}

fn year(out: &mut Vec<u8>, date: &LocalTime) {
    let year = u32::try_from(date.year).unwrap_or(0);
    two(out, year / 100);
    two(out, year % 100);
}

fn time(out: &mut Vec<u8>, date: &LocalTime) {
    two(out, date.hour);
    out.push(b':');
    two(out, date.minute);
    out.push(b':');
    two(out, date.second);
}

fn offset(out: &mut Vec<u8>, seconds: i64, between: &[u8]) {
    out.push(if seconds < 0 { b'-' } else { b'+' });
    let minutes = (seconds.unsigned_abs() / 60) as u32;
    two(out, minutes / 60);
    out.extend_from_slice(between);
    two(out, minutes % 60);
}

fn digit(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}

fn two(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&[digit(number / 10), digit(number)]);
}

/// Three digits, zeros in front.
pub fn three(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&[digit(number / 100), digit(number / 10), digit(number)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: fn(&mut Vec<u8>, Duration), micros: u64) -> String {
        let mut out = Vec::new();
        write(&mut out, Duration::from_micros(micros));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn greenwich_dates() {
        assert_eq!(written(write_utc, 0), "01/Jan/1970:00:00:00 +0000");
        assert_eq!(written(write_utc, 951_782_400_000_000), "29/Feb/2000:00:00:00 +0000");
        assert_eq!(written(write_utc, 1_709_251_199_999_999), "29/Feb/2024:23:59:59 +0000");
        assert_eq!(written(write_utc, 4_102_444_800_000_000), "01/Jan/2100:00:00:00 +0000");
    }

    #[test]
    fn local_dates_are_those_of_the_system() {
        for seconds in [0, 951_782_400, 1_795_360_583, 1_795_360_583 + 86_400 * 180] {
            let date = local(seconds);
            let east = utc(seconds.saturating_add_signed(date.offset));
            assert_eq!(
                (date.year, date.month, date.day, date.hour, date.minute, date.second),
                (east.year, east.month, east.day, east.hour, east.minute, east.second)
            );
        }
    }

    #[test]
    fn widths_are_fixed() {
        let date = 1_795_360_583_007_008;
        assert_eq!(written(write_log, date).len(), "22/Nov/2026:15:06:59.123".len());
        assert!(written(write_log, date).ends_with(".007"));
        assert!(written(write_iso, date).contains(".007008"));
        assert_eq!(written(write_rfc3164, 0).len(), "Nov 22 15:06:59".len());
        assert_eq!(written(write_rfc3164, 86_400_000_000).as_bytes()[4], b' ');
    }
}
