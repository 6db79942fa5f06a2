//! Actions on a message's first line (manual 4.2 "http-request set-path" and its kin, "http-response
//! set-status").

use crate::catalog::{ActionRow, Part, Status};
use crate::config::args::parse_lenient;
use crate::config::diagnostic::Diagnostic;
use crate::flow::http::message::Message;
use crate::flow::log::format::LogFormat;
use crate::flow::phase::Phase;
use crate::flow::response::error_page;
use crate::flow::rules::header::{arguments, replace};
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict, strict_mode};
use crate::flow::session::Stream;
use crate::sample::pattern::regex::{Regex, compile_regex};

/// A part of the request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestPart {
    Method,
    Path,
    PathAndQuery,
    Query,
    Uri,
}

impl RequestPart {
    /// The part that an action's name speaks of.
    fn of_action(name: &str) -> RequestPart {
        match name {
            "set-method" => RequestPart::Method,
            "set-path" | "replace-path" => RequestPart::Path,
            "set-pathq" | "replace-pathq" => RequestPart::PathAndQuery,
            "set-query" => RequestPart::Query,
            _ => RequestPart::Uri,
        }
    }

    /// The present text; a target without a path has an empty one.
    fn get(self, request: &Message) -> &[u8] {
        match self {
            RequestPart::Method => request.method(),
            RequestPart::Path => request.path().unwrap_or_default(),
            RequestPart::PathAndQuery => request.path_and_query().unwrap_or_default(),
            RequestPart::Query => request.query().unwrap_or_default(),
            RequestPart::Uri => request.target(),
        }
    }

    /// Changes it, if there is room.
    fn change(self, stream: &mut Stream<'_>, phase: Phase, text: &[u8]) -> Verdict {
        let old = self.get(&stream.request).len();
        let fits = strict_mode::has_room_to_grow(stream, phase, old, text.len());
        match fits && self.set(&mut stream.request, text) {
            true => Verdict::Continue,
            false => strict_mode::failed(stream),
        }
    }

    /// Changes it; what stands before and behind it in the target stays. Says whether that is possible.
    fn set(self, request: &mut Message, text: &[u8]) -> bool {
        let target = request.target();
        // A target without a path is taken for one.
        let path = request.path_and_query().unwrap_or(target);
        let path_at = target.len() - path.len();
        let path_end = memchr::memchr(b'?', path).map_or(target.len(), |at| path_at + at);
        let (before, behind) = match self {
            RequestPart::Method => {
                request.set_method(text);
                return true;
            }
            RequestPart::Uri => {
                request.set_target(text);
                return follow_authority(request);
            }
            RequestPart::Path => (path_at, path_end),
            RequestPart::PathAndQuery => (path_at, target.len()),
            RequestPart::Query => match memchr::memchr(b'?', target) {
                Some(at) => (at + 1, target.len()),
                None => (target.len(), target.len()),
            },
        };
        let mut new = target.get(..before).unwrap_or_default().to_vec();
        if self == RequestPart::Query && !new.contains(&b'?') && !text.is_empty() {
            new.push(b'?');
        }
        new.extend_from_slice(text);
        new.extend_from_slice(target.get(behind..).unwrap_or_default());
        request.set_target(&new);
        true
    }
}

/// A target that names a host gives it to the `Host` headers; says whether it does name one, if it must.
fn follow_authority(request: &mut Message) -> bool {
    let target = request.target();
    if matches!(target.first(), None | Some(b'/' | b'*')) {
        return true;
    }
    let authority = match request.method() {
        b"CONNECT" => Some(target),
        _ => request.authority().filter(|authority| !authority.is_empty()),
    };
    let Some(authority) = authority.map(<[u8]>::to_vec) else { return false };
    for index in 0..request.len() {
        if request.fields().nth(index).is_some_and(|(name, _)| name == b"host") {
            request.set_value(index, &authority);
        }
    }
    true
}

/// `set-method`, `set-path` …
#[derive(Debug, Clone)]
struct Set {
    part: RequestPart,
    text: LogFormat,
}

impl Action for Set {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        self.text.with_text(stream, phase, |stream, text| self.part.change(stream, phase, text))
    }
}

/// `replace-path`, `replace-pathq`, `replace-uri`
#[derive(Debug, Clone)]
struct Replace {
    part: RequestPart,
    regex: Regex,
    template: LogFormat,
}

impl Action for Replace {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        self.template.with_text(stream, phase, |stream, template| {
            match replace(&self.regex, template, self.part.get(&stream.request)) {
                Some(new) => self.part.change(stream, phase, &new),
                None => Verdict::Continue,
            }
        })
    }
}

/// `set-status`
#[derive(Debug, Clone)]
struct SetStatus {
    status: u16,
    reason: Option<Vec<u8>>,
}

impl Action for SetStatus {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        let usual = error_page::reason(self.status).as_bytes();
        let reason = self.reason.as_deref().unwrap_or(usual);
        let old = stream.response.reason().len();
        if !strict_mode::has_room_to_grow(stream, phase, old, reason.len()) {
            return strict_mode::failed(stream);
        }
        let version = stream.response.version;
        stream.response.set_status_line(version, self.status, reason);
        stream.status = self.status;
        Verdict::Continue
    }
}

fn set(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let words = arguments(line, 1, "expects exactly 1 argument <format>")?;
    let text = line.format(words.first().copied().unwrap_or_default())?;
    Ok(Box::new(Set { part: RequestPart::of_action(line.row.name), text }))
}

fn replace_line(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let message = "expects exactly 2 arguments <match-regex> and <replace-format>";
    let words = arguments(line, 2, message)?;
    let [regex, template] = words.as_slice() else { return Err(line.rule_error(message)) };
    let regex = compile_regex(&String::from_utf8_lossy(regex), false)
        .map_err(|e| line.rule_error(format!("failed to parse the regex : {e}")))?;
    let template = line.format(template)?;
    Ok(Box::new(Replace { part: RequestPart::of_action(line.row.name), regex, template }))
}

fn set_status(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let Some(word) = line.words.word().filter(|w| !w.is_empty()) else {
        return Err(
            line.rule_error("expects 1 argument: <status>; or 3 arguments: <status> reason <fmt>")
        );
    };
    let status =
        u16::try_from(parse_lenient(word.bytes())).ok().filter(|s| (100..=999).contains(s));
    let Some(status) = status else {
        return Err(line.rule_error("expects an integer status code between 100 and 999"));
    };
    // `reason` without a text is left for the condition to stumble over.
    let mut ahead = line.words.clone();
    let reason = match ahead.accept("reason") {
        true => ahead.word().map(|w| w.bytes().to_vec()),
        false => None,
    };
    if reason.is_some() {
        line.words = ahead;
    }
    Ok(Box::new(SetStatus { status, reason }))
}

const SET: ActionRow = ActionRow {
    name: "",
    rule_sets: RuleSets::HTTP_REQUEST,
    args: "<format>",
    doc: "",
    examples: &[],
    status: Status::Works,
    parse: set,
};

const REPLACE: ActionRow =
    ActionRow { args: "<match-regex> <replace-format>", parse: replace_line, ..SET };

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[
        ActionRow {
            name: "replace-path",
            doc: "Puts the format, with the groups that matched, in the place of a path that matches.",
            examples: &["replace-path /old/(.*) /new/\\1"],
            ..REPLACE
        },
        ActionRow {
            name: "replace-pathq",
            doc: "The same for path and query together.",
            examples: &["replace-pathq /old/(.*) /new/\\1"],
            ..REPLACE
        },
        ActionRow {
            name: "replace-uri",
            doc: "The same for the whole target.",
            examples: &["replace-uri ^http://(.*) https://\\1"],
            ..REPLACE
        },
        ActionRow {
            name: "set-method",
            doc: "Changes the method.",
            examples: &["set-method GET"],
            ..SET
        },
        ActionRow {
            name: "set-path",
            doc: "Changes the path; the query stays.",
            examples: &["set-path /%[hdr(host)]%[path]"],
            ..SET
        },
        ActionRow {
            name: "set-pathq",
            doc: "Changes path and query.",
            examples: &["set-pathq /find?%[query]"],
            ..SET
        },
        ActionRow {
            name: "set-query",
            doc: "Changes what follows the question mark.",
            examples: &["set-query a=b"],
            ..SET
        },
        ActionRow {
            name: "set-status",
            rule_sets: RuleSets::HTTP_RESPONSE.and(RuleSets::HTTP_AFTER_RESPONSE),
            args: "<status> [ reason <text> ]",
            doc: "Changes the status, and the reason phrase to the usual or the given one.",
            examples: &["set-status 503 reason \"Slow Down\""],
            parse: set_status,
            ..SET
        },
        ActionRow {
            name: "set-uri",
            doc: "Changes the whole target.",
            examples: &["set-uri http://%[hdr(host)]%[path]"],
            ..SET
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::http::message::Version;

    fn set(part: RequestPart, target: &str, text: &str) -> String {
        let mut request = Message::default();
        request.set_request_line(b"GET", target.as_bytes(), Version::HTTP_11);
        part.set(&mut request, text.as_bytes());
        String::from_utf8(request.target().to_vec()).unwrap()
    }

    #[test]
    fn what_stands_around_a_part_stays() {
        assert_eq!(set(RequestPart::Path, "/a?b", "/x"), "/x?b");
        assert_eq!(set(RequestPart::Path, "http://h/a?b", "/x"), "http://h/x?b");
        assert_eq!(set(RequestPart::PathAndQuery, "http://h/a?b", "/x"), "http://h/x");
        assert_eq!(set(RequestPart::Query, "/a?b", "c"), "/a?c");
        assert_eq!(set(RequestPart::Query, "/a", "c"), "/a?c");
        assert_eq!(set(RequestPart::Uri, "/a?b", "http://h/"), "http://h/");
    }
}
