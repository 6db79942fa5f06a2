//! Actions on headers (manual 4.2 "http-request add-header" and its kin). In comes a stream at a
//! checkpoint, out comes its request or response with other fields.

use crate::catalog::{ActionRow, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::flow::http::message::{Message, element_end, trim_blanks};
use crate::flow::log::format::LogFormat;
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict, strict_mode};
use crate::flow::session::Stream;
use crate::sample::pattern::regex::{Groups, Regex, compile_regex};

/// The message that rules at this checkpoint act on.
pub fn message<'s>(stream: &'s mut Stream<'_>, phase: Phase) -> &'s mut Message {
    if phase < Phase::ResponseContent { &mut stream.request } else { &mut stream.response }
}

/// `set-header` and `add-header`.
#[derive(Debug, Clone)]
struct Write {
    name: Box<[u8]>,
    value: LogFormat,
    /// Whether fields of this name are removed first.
    replace: bool,
}

impl Action for Write {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        self.value.with_text(stream, phase, |stream, value| {
            if self.replace {
                message(stream, phase).remove(&self.name);
            }
            if !strict_mode::has_room(stream, phase, self.name.len() + value.len()) {
                return strict_mode::failed(stream);
            }
            message(stream, phase).add(&self.name, value);
            Verdict::Continue
        })
    }
}

/// `del-header`
#[derive(Debug, Clone)]
struct Remove(Box<[u8]>);

impl Action for Remove {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        message(stream, phase).remove(&self.0);
        Verdict::Continue
    }
}

/// `replace-header` and `replace-value`.
#[derive(Debug, Clone)]
struct Replace {
    name: Box<[u8]>,
    regex: Regex,
    template: LogFormat,
    /// Whether each element of a comma-separated value is looked at by itself.
    elements: bool,
}

impl Action for Replace {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        self.template.with_text(stream, phase, |stream, template| {
            for index in 0..message(stream, phase).len() {
                let held = message(stream, phase);
                let field = held.fields().nth(index).filter(|(name, _)| **name == *self.name);
                let Some((_, value)) = field else { continue };
                let new = match self.elements {
                    true => replace_elements(&self.regex, template, value),
                    false => replace(&self.regex, template, value),
                };
                let Some(new) = new else { continue };
                let old = value.len();
                if !strict_mode::has_room_to_grow(stream, phase, old, new.len()) {
                    return strict_mode::failed(stream);
                }
                message(stream, phase).set_value(index, &new);
            }
            Verdict::Continue
        })
    }
}

/// What a value that matches becomes: the template, filled in.
pub fn replace(regex: &Regex, template: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let found = regex.captures(value)?;
    let mut out = Vec::with_capacity(value.len() + template.len());
    fill_in(&mut out, template, &found);
    Some(out)
}

/// The same for each element; `None` when none matches. A replaced element loses the space around it.
fn replace_elements(regex: &Regex, template: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len() + template.len());
    let mut changed = false;
    let mut rest = value;
    loop {
        let end = element_end(rest);
        let (element, after) = rest.split_at(end);
        match regex.captures(trim_blanks(element)) {
            Some(found) => {
                changed = true;
                fill_in(&mut out, template, &found);
            }
            None => out.extend_from_slice(element),
        }
        let Some((comma, after)) = after.split_first() else { break };
        out.push(*comma);
        rest = after;
    }
    changed.then_some(out)
}

/// `\0` to `\9` stand for groups, `\xHH` for a byte; before anything else a backslash vanishes.
pub fn fill_in(out: &mut Vec<u8>, template: &[u8], found: &Groups<'_>) {
    let mut rest = template;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, after) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (used, byte) = match after.get(1..).unwrap_or_default() {
            [digit @ b'0'..=b'9', ..] => {
                let group = found.get(usize::from(digit - b'0'));
                out.extend_from_slice(group.map_or(b"", |g| g.as_bytes()));
                (2, None)
            }
            [b'x', high, low, ..] => (4, hex(*high).zip(hex(*low)).map(|(h, l)| h * 16 + l)),
            [other, ..] => (2, Some(*other)),
            [] => (1, None),
        };
        out.extend(byte);
        rest = after.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|d| d as u8)
}

/// The next `count` words, when exactly so many stand before a condition.
pub fn arguments<'a>(
    line: &mut ActionLine<'a, '_>,
    count: usize,
    message: &str,
) -> Result<Vec<&'a [u8]>, Diagnostic> {
    let mut list = Vec::new();
    for _ in 0..count {
        match line.words.word().filter(|w| !w.is_empty()) {
            Some(word) => list.push(word.bytes()),
            None => return Err(line.rule_error(message)),
        }
    }
    if line.at_condition() { Ok(list) } else { Err(line.rule_error(message)) }
}

fn write(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let words = arguments(line, 2, "expects exactly 2 arguments")?;
    let [name, value] = words.as_slice() else { return Err(line.rule_error("")) };
    let value = line.format(value)?;
    let replace = line.row.name == "set-header";
    Ok(Box::new(Write { name: name.to_ascii_lowercase().into(), value, replace }))
}

fn remove(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let Some(name) = line.words.word().filter(|w| !w.is_empty()) else {
        return Err(line.rule_error("expects exactly 1 arguments"));
    };
    Ok(Box::new(Remove(name.bytes().to_ascii_lowercase().into())))
}

fn replace_line(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let words = arguments(line, 3, "expects exactly 3 arguments")?;
    let [name, regex, template] = words.as_slice() else { return Err(line.rule_error("")) };
    let regex = String::from_utf8_lossy(regex);
    let regex = compile_regex(&regex, false).map_err(|e| line.rule_error(e))?;
    let template = line.format(template)?;
    let elements = line.row.name == "replace-value";
    Ok(Box::new(Replace { name: name.to_ascii_lowercase().into(), regex, template, elements }))
}

/// The rule sets that may change a message's head.
pub const HEADS: RuleSets =
    RuleSets::HTTP_REQUEST.and(RuleSets::HTTP_RESPONSE).and(RuleSets::HTTP_AFTER_RESPONSE);

const ROW: ActionRow = ActionRow {
    name: "",
    rule_sets: HEADS,
    args: "",
    doc: "",
    examples: &[],
    status: Status::Works,
    parse: write,
};

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[
        ActionRow {
            name: "add-header",
            args: "<name> <format>",
            doc: "Adds a header after the others.",
            examples: &["add-header x-forwarded-proto https"],
            ..ROW
        },
        ActionRow {
            name: "del-header",
            args: "<name>",
            doc: "Removes every header of this name.",
            examples: &["del-header server"],
            parse: remove,
            ..ROW
        },
        ActionRow {
            name: "replace-header",
            args: "<name> <match-regex> <replace-format>",
            doc: "Puts the format, with the groups that matched, in the place of each header's whole value that matches.",
            examples: &["replace-header cookie foo=([^;]*) foo=\\1;ip=%bi"],
            parse: replace_line,
            ..ROW
        },
        ActionRow {
            name: "replace-value",
            args: "<name> <match-regex> <replace-format>",
            doc: "The same for each element of a comma-separated value.",
            examples: &["replace-value x-forwarded-for ^192.168.(.*)$ 172.16.\\1"],
            parse: replace_line,
            ..ROW
        },
        ActionRow {
            name: "set-header",
            args: "<name> <format>",
            doc: "Removes every header of this name, then adds one.",
            examples: &["set-header x-client %[src]"],
            ..ROW
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(regex: &str, template: &str, value: &str, elements: bool) -> Option<String> {
        let regex = compile_regex(regex, false).unwrap();
        let (template, value) = (template.as_bytes(), value.as_bytes());
        let new = match elements {
            true => replace_elements(&regex, template, value),
            false => replace(&regex, template, value),
        };
        new.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_value_that_matches_becomes_the_template() {
        let new = |r, t, v| replaced(r, t, v, false);
        assert_eq!(new("^(.*)b(.*)$", r"\2-\1", "xx, 3b4").as_deref(), Some("4-xx, 3"));
        assert_eq!(new("foo(.*)", r"[\0]", "bar foo1").as_deref(), Some("[foo1]"));
        assert_eq!(new("foo", r"a\x41\\\.", "foo").as_deref(), Some(r"aA\."));
        assert_eq!(new("foo", "x", "bar"), None);
    }

    #[test]
    fn elements_are_replaced_one_by_one() {
        let new = |r, t, v| replaced(r, t, v, true);
        assert_eq!(new("^(.)(.)$", r"\2\1", "ab, cd,xyz").as_deref(), Some("ba,dc,xyz"));
        assert_eq!(new("foo(.*)", r"[\0]", "foobar, bar foo1").as_deref(), Some("[foobar],[foo1]"));
        assert_eq!(new("^b$", "x", "a, b ,\"b,b\", c").as_deref(), Some("a,x,\"b,b\", c"));
        assert_eq!(new("z", "x", "a, b"), None);
    }
}
