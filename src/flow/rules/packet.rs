//! `set-tos` and `set-mark` (manual 4.2 "http-request set-tos"), what every packet to the client carries
//! from then on; `wait-for-handshake`, which has nothing to wait for once a request is there; `set-nice`.

use crate::catalog::{ActionRow, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, ActionLine, RuleSets, Verdict};
use crate::flow::session::Stream;
use crate::sys;

/// Type of service: all eight bits, DSCP and ECN.
#[derive(Debug, Clone)]
struct SetTos(u8);

impl Action for SetTos {
    fn run(&self, stream: &mut Stream<'_>, _: Phase) -> Verdict {
        sys::set_tos(stream.session.fd(), self.0);
        Verdict::Continue
    }
}

/// A mark that the kernel's routing and filtering know.
#[derive(Debug, Clone)]
struct SetMark(u32);

impl Action for SetMark {
    fn run(&self, stream: &mut Stream<'_>, _: Phase) -> Verdict {
        sys::set_mark(stream.session.fd(), self.0);
        Verdict::Continue
    }
}

/// `wait-for-handshake`: early data is not taken before its handshake is done, and every other handshake
/// comes before the request. `set-nice`, which has no effect.
#[derive(Debug, Clone)]
struct GoOn;

impl Action for GoOn {
    fn run(&self, _: &mut Stream<'_>, _: Phase) -> Verdict {
        Verdict::Continue
    }
}

/// A number as C writes it: hexadecimal after `0x`, octal after `0`; what does not fit wraps around.
fn number(line: &mut ActionLine<'_, '_>) -> Result<i64, Diagnostic> {
    let word = line.word().filter(|word| !word.is_empty());
    let Some(word) = word else {
        return Err(line.rule_error("expects exactly 1 argument (integer/hex value)"));
    };
    let text = word.str();
    read_number(&text).map_err(|rest| {
        line.rule_error(format!(
            "invalid character starting at '{rest}' (integer/hex value expected)"
        ))
    })
}

/// The number, or from where on it is none.
fn read_number(text: &str) -> Result<i64, &str> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (base, digits) =
        match hexadecimal.filter(|d| d.starts_with(|c: char| c.is_ascii_hexdigit())) {
            Some(rest) => (16, rest),
            None if digits.starts_with('0') => (8, digits),
            None => (10, digits),
        };
    let length = digits.bytes().take_while(|b| char::from(*b).is_digit(base)).count();
    let (digits, rest) = digits.split_at(length);
    if digits.is_empty() {
        return Err(text);
    }
    if !rest.is_empty() {
        return Err(rest);
    }
    let number = i64::from_str_radix(digits, base).unwrap_or(i64::MAX);
    Ok(if negative { -number } else { number })
}

const ROW: ActionRow = ActionRow {
    name: "",
    rule_sets: RuleSets::HTTP_REQUEST.and(RuleSets::HTTP_RESPONSE),
    args: "",
    doc: "",
    examples: &[],
    status: Status::Works,
    parse: |_| Ok(Box::new(GoOn)),
};

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[
        ActionRow {
            name: "set-mark",
            args: "<mark>",
            doc: "Marks packets to the client for the kernel's routing and filtering; needs root.",
            examples: &["set-mark 0x10"],
            parse: |line| Ok(Box::new(SetMark(number(line)? as u32))),
            ..ROW
        },
        ActionRow {
            name: "set-nice",
            args: "<nice>",
            doc: "Sets how urgent the stream's task is.",
            examples: &["set-nice 100"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: |line| match line.word().filter(|word| !word.is_empty()) {
                Some(_) => Ok(Box::new(GoOn)),
                None => Err(line.rule_error("expects exactly 1 argument (integer value)")),
            },
            ..ROW
        },
        ActionRow {
            name: "set-tos",
            args: "<tos>",
            doc: "Sets the type of service (DSCP and ECN) of the packets to the client.",
            examples: &["set-tos 8"],
            parse: |line| Ok(Box::new(SetTos(number(line)? as u8))),
            ..ROW
        },
        ActionRow {
            name: "wait-for-handshake",
            rule_sets: RuleSets::HTTP_REQUEST,
            doc: "Holds a request that came as early data until the handshake is done.",
            examples: &["wait-for-handshake"],
            ..ROW
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::read_number;

    #[test]
    fn numbers_are_read_as_c_does() {
        let cases = [("12", Ok(12)), ("0x2E", Ok(46)), ("010", Ok(8)), ("-1", Ok(-1))];
        for (text, number) in cases.into_iter().chain([
            ("0", Ok(0)),
            ("08", Err("8")),
            ("12x", Err("x")),
            ("0x1g", Err("g")),
            ("0x", Err("x")),
            ("zz", Err("zz")),
        ]) {
            assert_eq!(read_number(text), number, "{text}");
        }
    }
}
