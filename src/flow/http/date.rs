//! Dates in header fields (RFC 9110 5.6.7). In: the text, in any of its three formats; what follows a date
//! does not matter (old browsers add `; length=`). Out: seconds since 1970.

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The moment that a date tells, in seconds since 1970; `None` if it is no date.
pub fn parse(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (day, rest) = text.split_at_checked(text.find([',', ' '])?)?;
    let whole = DAYS.contains(&day);
    let short = DAYS.iter().any(|name| name.get(..3) == Some(day));
    match rest.strip_prefix(", ") {
        Some(rest) if short => fixed(rest),
        Some(rest) if whole => rfc850(rest),
        None if short => asctime(rest.strip_prefix(' ')?),
        _ => None,
    }
}

/// `06 Nov 1994 08:49:37 GMT`
fn fixed(text: &str) -> Option<i64> {
    let mut words = text.split_once(" GMT")?.0.split(' ');
    let (day, month) = (digits(words.next()?, 2)?, month(words.next()?)?);
    let (year, time) = (digits(words.next()?, 4)?, time(words.next()?)?);
    words.next().is_none().then_some(())?;
    moment(year, month, day, time)
}

/// `06-Nov-94 08:49:37 GMT`, or a year of four digits.
fn rfc850(text: &str) -> Option<i64> {
    let (date, time_of_day) = text.split_once(" GMT")?.0.split_once(' ')?;
    let mut parts = date.split('-');
    let (day, month) = (digits(parts.next()?, 2)?, month(parts.next()?)?);
    let year = parts.next()?;
    parts.next().is_none().then_some(())?;
    let year = match digits(year, 2) {
        // HAProxy's limit between the centuries.
        Some(year) if year <= 60 => 2000 + year,
        Some(year) => 1900 + year,
        None => digits(year, 4)?,
    };
    moment(year, month, day, time(time_of_day)?)
}

/// `Nov  6 08:49:37 1994`
fn asctime(text: &str) -> Option<i64> {
    let (name, rest) = text.split_once(' ')?;
    let (day, rest) = rest.split_at_checked(2)?;
    let day = match day.strip_prefix(' ') {
        Some(day) => digits(day, 1)?,
        None => digits(day, 2)?,
    };
    let (time_of_day, year) = rest.strip_prefix(' ')?.split_once(' ')?;
    moment(digits(year.get(..4)?, 4)?, month(name)?, day, time(time_of_day)?)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let plain = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

fn month(name: &str) -> Option<i64> {
    let at = MONTHS.iter().position(|month| *month == name)?;
    i64::try_from(at).ok()
}

/// `08:49:37` as seconds of the day.
fn time(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':').map(|part| digits(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    (hour < 24 && minute < 60 && second < 61).then_some(hour * 3_600 + minute * 60 + second)
}

/// Months count from 0; the calendar's rules are those of today for all years.
fn moment(year: i64, month: i64, day: i64, time: i64) -> Option<i64> {
    (1..=31).contains(&day).then_some(())?;
    // Years that begin in March, so that the leap day is their last.
    let (year, from_march) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = 365 * year + leap_days + (153 * from_march + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_formats_tell_the_same() {
        let moment = Some(784_111_777);
        assert_eq!(parse(b"Sun, 06 Nov 1994 08:49:37 GMT"), moment);
        assert_eq!(parse(b"Sunday, 06-Nov-94 08:49:37 GMT"), moment);
        assert_eq!(parse(b"Sunday, 06-Nov-1994 08:49:37 GMT"), moment);
        assert_eq!(parse(b"Sun, 06 Nov 1994 08:49:37 GMT; length=5"), moment);
        assert_eq!(parse(b"Saturday, 01-Jan-00 00:00:00 GMT"), Some(946_684_800));
        assert_eq!(parse(b"Sun Nov  6 08:49:37 1994"), moment);
        assert_eq!(parse(b"Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse(b"Thu, 22 Oct 2020 16:51:12 GMT"), Some(1_603_385_472));
        assert_eq!(parse(b"Tue, 29 Feb 2000 23:59:59 GMT"), Some(951_868_799));
    }

    #[test]
    fn what_is_no_date_tells_nothing() {
        for text in [
            "",
            "0",
            "-1",
            "Sun",
            "Sun, ",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Foo, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 00 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
