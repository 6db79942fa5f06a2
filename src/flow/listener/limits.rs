//! What a frontend lets in, and what watches it (manual 4.2): rates, keep-alive probes.

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;

/// `expects …` for a number that fills its word.
pub fn integer(line: &mut Line<'_>, expects: &str) -> Result<i64, Diagnostic> {
    let name = line.keyword.name;
    let Some(word) = line.word() else {
        return Err(line.alert(format!("'{name}' expects {expects}")));
    };
    let digits = word.str().strip_prefix('-').map_or(word.str(), |d| d.to_owned().into());
    match digits.chars().find(|c| !c.is_ascii_digit()) {
        None => Ok(parse_lenient(word.bytes())),
        Some(bad) => Err(line
            .alert(format!("'{name}' : unexpected character '{bad}' in integer value '{word}'"))),
    }
}

/// A time in seconds, as `clitcpka-idle` and its kin take it.
pub fn seconds(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let Some(word) = line.word() else {
        return Err(line.alert(format!("'{name}' expects an integer value")));
    };
    match parse_time(word.bytes(), TimeUnit::Seconds) {
        Ok(_) => Ok(()),
        Err(NumberError::Unexpected(c)) => {
            Err(line.alert(format!("unexpected character '{c}' in argument to <{name}>.")))
        }
        Err(NumberError::Overflow) => Err(line.alert(format!(
            "timer overflow in argument <{word}> to <{name}>, maximum value is 2147483647 s (~68 years)."
        ))),
    }
}

/// `all`, `odd`, `even`, or numbers from 1 to 64 and ranges of them.
pub fn process_set(text: &str) -> Result<(), String> {
    if matches!(text, "all" | "odd" | "even") {
        return Ok(());
    }
    let bounds = text.split_once('-').map_or((text, text), |bounds| bounds);
    // Without digits before a bound, HAProxy's `strtol` finds 0.
    let number = |text: &str| if text.is_empty() { Ok(0) } else { text.parse::<u64>() };
    match (number(bounds.0), number(bounds.1)) {
        (Ok(low), Ok(high)) if (1..=64).contains(&low) && (1..=64).contains(&high) => Ok(()),
        (Ok(_), Ok(_)) => Err(format!(
            "'{text}' is not a valid number/range. It supports numbers from 1 to 64.\n"
        )),
        _ => Err(format!("'{text}' is not a valid number/range.")),
    }
}

fn bind_process(line: &mut Line<'_>) -> Parsed {
    while let Some(word) = line.word() {
        process_set(&word.str())
            .map_err(|e| line.alert(format!("bind-process : {}", e.trim_end())))?;
    }
    Ok(())
}

const FRONTEND: Keyword = Keyword { sections: Sections::FRONTENDS, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "bind-process",
        sections: Sections::PROXIES,
        args: "[ all | odd | even | <process>[-<process>] ] ...",
        doc: "Which processes run this proxy.",
        examples: &["bind-process 1"],
        status: Status::NoEffect("there is one process"),
        parse: bind_process,
        ..FRONTEND
    }],
    ..Part::NONE
};
