//! Converters of times (manual 7.3.1 "http_date", "ltime", "utime"). In: seconds since 1970, or finer
//! units. Out: a date as text.

use crate::catalog::{Converter, Part, Status};
use crate::flow::log::date;
use crate::sample::args::ArgType;
use crate::sample::value::{Type, Value};
use crate::sample::{Argument, Arguments};
use crate::sys::{self, Zone};

/// What HAProxy keeps of a time, so that dates are not negative.
const MASK: i64 = 0x007f_ffff_ffff_ffff;

/// A date in the format of HTTP (RFC 9110 5.6.7), with a fraction when the unit is finer than a second.
fn http_date(value: &Value<'_>, args: &Arguments) -> Option<Value<'static>> {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let Value::Int(number) = value else { return None };
    let number = number.wrapping_add(args.int(0).unwrap_or(0));
    let per_second = args.int(1).unwrap_or(1);
    let date = date::utc(u64::try_from((number / per_second) & MASK).ok()?);
    let day = DAYS.get(usize::try_from(date.weekday).ok()?)?;
    let month = String::from_utf8_lossy(date::month(&date));
    let fraction = match per_second {
        1 => String::new(),
        units => format!(".{}", number % units),
    };
    Some(Value::string(format!(
        "{day}, {:02} {month} {:04} {:02}:{:02}:{:02}{fraction} GMT",
        date.day, date.year, date.hour, date.minute, date.second
    )))
}

/// Units become how many of them make a second.
fn check_unit(args: &mut Arguments) -> Result<(), String> {
    let per_second = match args.str(1) {
        None => return Ok(()),
        Some(b"s") => 1,
        Some(b"ms") => 1000,
        Some(b"us") => 1_000_000,
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            return Err(format!("expects 's', 'ms' or 'us', got '{other}'"));
        }
    };
    args.0[1] = Argument::Int(per_second);
    Ok(())
}

fn format(value: &Value<'_>, args: &Arguments, zone: Zone) -> Option<Value<'static>> {
    let Value::Int(number) = value else { return None };
    let seconds = (number & MASK).wrapping_add(args.int(1).unwrap_or(0));
    sys::format_date(args.str(0)?, seconds, zone).map(Value::string)
}

const DATE: Converter =
    Converter { takes: Type::Int, gives: Type::Str, status: Status::Works, ..Converter::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "http_date",
            args: &[ArgType::Int, ArgType::Str],
            doc: "A time as HTTP writes it, with an offset and a unit.",
            examples: &[
                ("int(0),http_date", "Thu, 01 Jan 1970 00:00:00 GMT"),
                ("int(1600000000123),http_date(1000,ms)", "Sun, 13 Sep 2020 12:26:41.123 GMT"),
            ],
            check: check_unit,
            run: |value, _, args| http_date(&value, args),
            ..DATE
        },
        Converter {
            name: "ltime",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            doc: "A time as local time in strftime's format, with an offset in seconds.",
            examples: &[("int(1600000000),ltime(%Y)", "2020")],
            run: |value, _, args| format(&value, args, Zone::Local),
            ..DATE
        },
        Converter {
            name: "utime",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            doc: "A time as UTC in strftime's format, with an offset in seconds.",
            examples: &[
                ("int(1600000000),utime(%Y-%m-%d %H:%M:%S)", "2020-09-13 12:26:40"),
                ("int(0),utime(%j,86400)", "002"),
            ],
            run: |value, _, args| format(&value, args, Zone::Utc),
            ..DATE
        },
    ],
    ..Part::NONE
};
