//! `redirect`: as a directive and as an action (manual 4.2 "redirect"). In comes a request, out goes a
//! 30x response of our own.

use std::sync::Arc;

use crate::catalog::{ActionRow, Keyword, Part, Status};
use crate::config::args::{Line, Parsed, Words, parse_lenient};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;
use crate::flow::http::message::Version;
use crate::flow::log::format::LogFormat;
use crate::flow::phase::Phase;
use crate::flow::response::error_page;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, RuleSpec, Verdict};
use crate::flow::rules::{condition, conflicts};
use crate::flow::session::Stream;

/// What the new place is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The text is the whole place.
    Location,
    /// The text stands before the request's path.
    Prefix,
    /// The text is the scheme; host and path are the request's.
    Scheme,
}

#[derive(Debug, Clone)]
struct Redirect {
    kind: Kind,
    text: LogFormat,
    code: u16,
    /// The whole `Set-Cookie` value.
    cookie: Option<Vec<u8>>,
    drop_query: bool,
    append_slash: bool,
}

impl Action for Redirect {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        self.text.with_text(stream, phase, |stream, text| {
            let location = self.location(stream, text);
            let reason = if self.code == 302 { "Found" } else { error_page::reason(self.code) };
            let response = &mut stream.response;
            response.clear();
            response.set_status_line(Version::HTTP_11, self.code, reason.as_bytes());
            response.add(b"content-length", b"0");
            response.add(b"location", &location);
            if matches!(self.code, 302 | 303 | 307) {
                response.add(b"cache-control", b"no-cache");
            }
            if let Some(cookie) = &self.cookie {
                response.add(b"set-cookie", cookie);
            }
            stream.reply_body.clear();
        });
        Verdict::Answered
    }
}

impl Redirect {
    fn location(&self, stream: &Stream<'_>, text: &[u8]) -> Vec<u8> {
        let mut out = text.to_vec();
        if self.kind == Kind::Location {
            return out;
        }
        let request = &stream.request;
        if self.kind == Kind::Scheme {
            out.extend_from_slice(b"://");
            out.extend_from_slice(request.elements(b"host").next().unwrap_or_default());
        }
        let path = if self.drop_query { request.path() } else { request.path_and_query() };
        out.extend_from_slice(path.unwrap_or(b"/"));
        if self.append_slash && out.last() != Some(&b'/') {
            out.push(b'/');
        }
        out
    }
}

/// A redirection's words before its text is made a format.
struct Written<'a> {
    kind: Kind,
    text: &'a [u8],
    code: u16,
    cookie: Option<Vec<u8>>,
    drop_query: bool,
    append_slash: bool,
}

/// Reads words up to a condition. The error is what HAProxy writes after the directive.
fn read<'a>(words: &mut Words<'a>) -> Result<Written<'a>, String> {
    let mut place = None;
    let mut written = Written {
        kind: Kind::Location,
        text: b"",
        code: 302,
        cookie: None,
        drop_query: false,
        append_slash: false,
    };
    while let Some(word) = words.peek() {
        if *word == *"if" || *word == *"unless" {
            break;
        }
        words.word();
        let name = word.str();
        let mut argument = || match words.word().filter(|w| !w.is_empty()) {
            Some(word) => Ok(word.bytes()),
            None => Err(format!("missing argument for '{name}'")),
        };
        match &*name {
            "location" => place = Some((Kind::Location, argument()?)),
            "prefix" => place = Some((Kind::Prefix, argument()?)),
            "scheme" => place = Some((Kind::Scheme, argument()?)),
            "set-cookie" => written.cookie = Some([argument()?, b"; path=/;"].concat()),
            "clear-cookie" => {
                written.cookie = Some([argument()?, b"; path=/; Max-Age=0;"].concat());
            }
            "code" => written.code = read_code(argument()?)?,
            "drop-query" => written.drop_query = true,
            "append-slash" => written.append_slash = true,
            other => {
                return Err(format!(
                    "expects 'code', 'prefix', 'location', 'scheme', 'set-cookie', 'clear-cookie', 'drop-query' or 'append-slash' (was '{other}')"
                ));
            }
        }
    }
    let missing = "redirection type expected ('prefix', 'location', or 'scheme')";
    (written.kind, written.text) = place.ok_or(missing)?;
    Ok(written)
}

fn read_code(word: &[u8]) -> Result<u16, String> {
    match parse_lenient(word) {
        code @ (301..=303 | 307 | 308) => Ok(code as u16),
        _ => Err(format!(
            "'code': unsupported HTTP code '{}' (must be one of 301, 302, 303, 307 or 308)",
            String::from_utf8_lossy(word)
        )),
    }
}

impl Written<'_> {
    /// `prefix /` adds nothing, so that one can redirect to oneself.
    fn with(self, text: LogFormat) -> Redirect {
        let Written { kind, code, cookie, drop_query, append_slash, .. } = self;
        Redirect { kind, text, code, cookie, drop_query, append_slash }
    }

    fn is_bare_slash(&self) -> bool {
        self.kind == Kind::Prefix && self.text == b"/"
    }
}

fn action(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let written = read(&mut line.words).map_err(|e| line.rule_error(e))?;
    if line.rule_set == RuleSets::HTTP_RESPONSE && written.kind != Kind::Location {
        return Err(line.rule_error("response only supports redirect type 'location'"));
    }
    let text =
        if written.is_bare_slash() { LogFormat::literal(b"") } else { line.format(written.text)? };
    Ok(Box::new(written.with(text)))
}

/// The directive: its text is no format, and its rules run after all `http-request` rules.
fn directive(line: &mut Line<'_>) -> Parsed {
    let start = line.words.next;
    let wrong = |line: &mut Line<'_>, error: String| {
        let (kind, name) = (line.proxy().kind.word(), line.proxy().name.clone());
        line.alert(format!(
            "error detected in {kind} '{name}' while parsing redirect rule : {error}."
        ))
    };
    let mut words = line.words.clone();
    let written = read(&mut words);
    line.words = words;
    let written = written.map_err(|e| wrong(line, e))?;
    let text = if written.is_bare_slash() { b"" } else { written.text };
    let text = LogFormat::literal(text);
    let (kind, name) = (line.proxy().kind.word(), line.proxy().name.clone());
    let before = format!("error detected in {kind} '{name}' while parsing redirect rule");
    let condition = condition::parse_named(line, &format!("{before} : error in condition"));
    let condition = condition.map_err(|mut e| {
        e.text = e.text.replace("error in condition : ", "error in condition: ");
        e
    })?;
    let places = conflicts::places_of(RuleSets::HTTP_REQUEST, line.proxy().kind);
    conflicts::warn(line, condition.as_ref(), &places, None);
    let words = line.words.all.get(start..).unwrap_or_default().to_vec();
    let place = line.place.clone();
    let action: Arc<dyn ActionSpec> = Arc::new(written.with(text));
    let rule = RuleSpec { words, place, action, condition };
    line.proxy().rules.redirects.push(rule);
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "redirect",
        sections: Sections::NAMED_PROXIES,
        args: "{ location | prefix | scheme } <to> [code <code>] [drop-query] [append-slash] [set-cookie <cookie>] [clear-cookie <cookie>] [{ if | unless } <condition>]",
        doc: "Answers with a redirection; looked at after all http-request rules.",
        examples: &["redirect scheme https code 301 if { path_beg /login }"],
        status: Status::Works,
        parse: directive,
        ..Keyword::NEW
    }],
    actions: &[ActionRow {
        name: "redirect",
        rule_sets: RuleSets::HTTP_REQUEST.and(RuleSets::HTTP_RESPONSE),
        args: "{ location | prefix | scheme } <format> [code <code>] [drop-query] [append-slash] [set-cookie <cookie>] [clear-cookie <cookie>]",
        doc: "Answers with a redirection.",
        examples: &["redirect location /new"],
        status: Status::Works,
        parse: action,
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Place;
    use crate::config::words::Word;

    fn written(text: &str) -> Result<(Kind, u16, Option<Vec<u8>>), String> {
        let words: Vec<Word> = text.split_whitespace().map(Word::new).collect();
        let place = Place { file: "f".into(), line: 1, column: 0 };
        let mut words = Words { all: &words, next: 0, place: &place };
        read(&mut words).map(|w| (w.kind, w.code, w.cookie))
    }

    #[test]
    fn the_words_of_a_redirection() {
        assert_eq!(
            written("prefix /x code 303 set-cookie a=b if TRUE"),
            Ok((Kind::Prefix, 303, Some(b"a=b; path=/;".to_vec())))
        );
        assert_eq!(
            written("location / clear-cookie X"),
            Ok((Kind::Location, 302, Some(b"X; path=/; Max-Age=0;".to_vec())))
        );
        assert_eq!(written("location").unwrap_err(), "missing argument for 'location'");
        assert_eq!(
            written("code 200 location /").unwrap_err(),
            "'code': unsupported HTTP code '200' (must be one of 301, 302, 303, 307 or 308)"
        );
        assert_eq!(
            written("code 301").unwrap_err(),
            "redirection type expected ('prefix', 'location', or 'scheme')"
        );
    }
}
