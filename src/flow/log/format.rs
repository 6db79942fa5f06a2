//! Log formats: text with variables and expressions (manual 8.2.4). In comes a string, out comes what
//! writes a line about a stream. Log lines, header values and replies are made of the same formats.

use std::cell::Cell;

use crate::catalog::{self, LogVariable, Status};
use crate::config::proxy::Mode;
use crate::config::references::Reference;
use crate::flow::log::escape;
use crate::flow::phase::Phase;
use crate::flow::rules::{RuleOwner, RuleSets};
use crate::flow::session::{Session, Stream};
use crate::sample::SampleContext;
use crate::sample::expr::Expr;
use crate::sample::valid::{self, Place};
use crate::sample::value::Type;
use crate::state::world::Proxy;

/// What a log line can tell about.
#[derive(Debug)]
pub struct LogContext<'a> {
    /// The client connection.
    pub session: &'a Session,
    /// The request, when there was one.
    pub stream: Option<&'a Stream<'a>>,
    /// The frontend.
    pub frontend: &'a Proxy,
    /// The checkpoint that expressions are evaluated at.
    pub phase: Phase,
    /// Whether the line is written before the end (`option logasap`): totals get a `+`.
    pub early: bool,
}

impl<'a> LogContext<'a> {
    /// For the line of a finished session that had no stream.
    pub fn of_session(session: &'a Session, frontend: &'a Proxy) -> LogContext<'a> {
        LogContext { session, stream: None, frontend, phase: Phase::Log, early: false }
    }

    /// For a stream at a checkpoint; `None` when its frontend is unknown.
    pub fn of_stream(stream: &'a Stream<'a>, phase: Phase) -> Option<LogContext<'a>> {
        let frontend = stream.frontend()?;
        Some(LogContext {
            session: stream.session,
            stream: Some(stream),
            frontend,
            phase,
            early: false,
        })
    }

    fn sample_context(&self) -> SampleContext<'a> {
        SampleContext {
            session: self.session,
            stream: self.stream,
            phase: self.phase,
            occurrence: Cell::new(SampleContext::LAST),
            changing: std::cell::Cell::new(false),
            more: Cell::new(false),
        }
    }
}

/// How a value is written: the flags of `%{+Q,-E}x` and what the use of the format asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options(u8);

impl Options {
    /// `M`: `-` stands for a missing value.
    pub const MANDATORY: Options = Options(1);
    /// `Q`: in double quotes.
    pub const QUOTE: Options = Options(1 << 1);
    /// `X`: in hexadecimal.
    pub const HEXA: Options = Options(1 << 2);
    /// `E`: `"`, `\\` and `]` get a backslash (RFC 5424 6.3.3).
    pub const ESCAPE: Options = Options(1 << 3);
    /// Expressions are made fit for a header's value.
    pub const HTTP: Options = Options(1 << 4);
    /// Several spaces become one.
    pub const MERGE_SPACES: Options = Options(1 << 5);

    /// Both together.
    pub const fn and(self, other: Options) -> Options {
        Options(self.0 | other.0)
    }

    /// Without these.
    pub const fn without(self, other: Options) -> Options {
        Options(self.0 & !other.0)
    }

    /// Whether these are all set.
    pub const fn has(self, other: Options) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a format is for: which variables and samples it may use, and how it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Purpose {
    /// The directive, as warnings name it.
    pub directive: &'static str,
    /// Whether the proxy speaks HTTP, so that HTTP variables are allowed.
    pub http: bool,
    /// Where the format is evaluated; a sample must have a value at one of these places.
    pub places: Vec<Place>,
    /// How values are written unless flags say otherwise.
    pub options: Options,
}

impl Purpose {
    /// `log-format` and the built-in formats, or `log-format-sd`.
    pub fn log(directive: &'static str, mode: Mode) -> Purpose {
        Purpose {
            directive,
            http: mode == Mode::Http,
            places: vec![Place::Log],
            options: Options::MANDATORY.and(Options::MERGE_SPACES),
        }
    }

    /// An argument of an action.
    pub fn rule(set: RuleSets, owner: &RuleOwner) -> Purpose {
        let frontend = owner.kind.has_frontend();
        let request = set == RuleSets::HTTP_REQUEST;
        let place = match (request, frontend) {
            (_, true) if set == RuleSets::TCP_REQUEST_CONTENT => Place::FrontendContent,
            (_, false) if set == RuleSets::TCP_REQUEST_CONTENT => Place::BackendContent,
            (true, true) => Place::FrontendRequest,
            (true, false) => Place::BackendRequest,
            (false, true) => Place::FrontendResponse,
            (false, false) => Place::BackendResponse,
        };
        if set == RuleSets::HTTP_ERROR {
            return Purpose {
                directive: "http-error",
                http: owner.mode == Mode::Http,
                places: vec![Place::FrontendRequest, Place::BackendRequest],
                options: Options::HTTP,
            };
        }
        Purpose {
            directive: if request { "http-request" } else { "http-response" },
            http: owner.mode == Mode::Http,
            places: vec![place],
            options: Options::HTTP,
        }
    }
}

/// A format that was read.
#[derive(Debug, Clone)]
pub struct LogFormat {
    nodes: Vec<Node>,
    text: Box<[u8]>,
}

impl PartialEq for LogFormat {
    fn eq(&self, other: &LogFormat) -> bool {
        self.text == other.text
    }
}

#[derive(Debug, Clone)]
enum Node {
    Text(Box<[u8]>),
    /// One space, unless one was just written.
    Space,
    Variable(&'static LogVariable, Options),
    Expression(Box<Expr>, Options),
}

impl LogFormat {
    /// Reads a format. Gives warnings too. The error is what HAProxy writes after the directive.
    pub fn parse(text: &[u8], purpose: &Purpose) -> Result<(LogFormat, Vec<String>), String> {
        let mut parser = Parser {
            text,
            at: 0,
            purpose,
            options: purpose.options,
            literal: Vec::new(),
            nodes: Vec::new(),
            warnings: Vec::new(),
        };
        parser.run()?;
        Ok((LogFormat { nodes: parser.nodes, text: text.into() }, parser.warnings))
    }

    /// A format of only this text.
    pub fn literal(text: &[u8]) -> LogFormat {
        LogFormat { nodes: vec![Node::Text(text.into())], text: text.into() }
    }

    /// Writes what the format says about a context.
    pub fn write(&self, context: &LogContext<'_>, out: &mut Vec<u8>) {
        let mut after_space = true;
        for node in &self.nodes {
            match node {
                Node::Space if after_space => continue,
                Node::Space => out.push(b' '),
                Node::Text(text) => out.extend_from_slice(text),
                Node::Variable(row, options) => {
                    let before = out.len();
                    (row.write)(context, *options, out);
                    // Only the captured headers count as absent when they write nothing.
                    if out.len() == before && row.name.starts_with('h') {
                        continue;
                    }
                }
                Node::Expression(expr, options) => write_expression(expr, *options, context, out),
            }
            after_space = matches!(node, Node::Space);
        }
    }

    /// Lets `use_it` see what the format says about a stream; the text's memory is used again.
    pub fn with_text<R>(
        &self,
        stream: &mut Stream<'_>,
        phase: Phase,
        use_it: impl FnOnce(&mut Stream<'_>, &[u8]) -> R,
    ) -> R {
        thread_local! {
            static TEXT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
        }
        let mut text = TEXT.take();
        text.clear();
        if let Some(context) = LogContext::of_stream(stream, phase) {
            self.write(&context, &mut text);
        }
        let result = use_it(stream, &text);
        TEXT.set(text);
        result
    }

    /// Names in it whose effect is not built yet.
    pub fn planned(&self) -> Vec<String> {
        let mut names = Vec::new();
        for node in &self.nodes {
            match node {
                Node::Variable(row, _) if row.status == Status::Planned => {
                    names.push(format!("%{}", row.name));
                }
                Node::Expression(expr, _) => names.extend(expr.planned().map(str::to_owned)),
                _ => {}
            }
        }
        names
    }

    /// The names in its expressions that must exist elsewhere in the configuration.
    pub fn references(&self) -> Vec<Reference> {
        let expressions = self.nodes.iter().filter_map(|node| match node {
            Node::Expression(expr, _) => Some(expr.references()),
            _ => None,
        });
        expressions.flatten().collect()
    }

    /// Whether a variable of the format satisfies this.
    pub fn uses(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::Variable(row, _) if wanted(row.name)))
    }

    /// The whole text, when nothing in it varies.
    pub fn constant(&self) -> Option<&[u8]> {
        match self.nodes.as_slice() {
            [] => Some(b""),
            [Node::Text(text)] => Some(text),
            _ => None,
        }
    }
}

fn write_expression(expr: &Expr, options: Options, context: &LogContext<'_>, out: &mut Vec<u8>) {
    let samples = context.sample_context();
    let value = expr.eval(&samples).and_then(|value| value.cast(Type::Str));
    let text = value.as_ref().map(|value| value.to_text());
    if options.has(Options::HTTP) {
        escape::encode(out, options, b'%', &escape::HTTP, text.as_deref().unwrap_or_default());
    } else {
        escape::text(out, options, text.as_deref());
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    purpose: &'a Purpose,
    /// Options of what follows; `%{+Q}o` changes them.
    options: Options,
    literal: Vec<u8>,
    nodes: Vec<Node>,
    warnings: Vec<String>,
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), String> {
        let merge = self.purpose.options.has(Options::MERGE_SPACES);
        while let Some(&byte) = self.text.get(self.at) {
            self.at += 1;
            match byte {
                b'%' => self.percent()?,
                b' ' if merge => self.push(Node::Space),
                other => self.literal.push(other),
            }
        }
        self.flush();
        Ok(())
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            let literal = std::mem::take(&mut self.literal);
            self.nodes.push(Node::Text(literal.into()));
        }
    }

    fn push(&mut self, node: Node) {
        self.flush();
        self.nodes.push(node);
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What follows a `%`.
    fn percent(&mut self) -> Result<(), String> {
        match self.rest() {
            [] => Err("truncated line after '%'".to_owned()),
            [b'%', ..] => {
                self.at += 1;
                self.literal.push(b'%');
                Ok(())
            }
            [b'{', ..] => self.flags(),
            [b'[', ..] => self.expression(self.options),
            [c, ..] if c.is_ascii_alphabetic() => self.variable(self.options),
            [c @ (b'0'..=b'9' | b' ' | b'\t'), ..] => Err(format!(
                "unexpected variable name near '{}' at position {} line : '{}'. Maybe you want to write a single '%', use the syntax '%%'",
                char::from(*c),
                self.at,
                String::from_utf8_lossy(self.text)
            )),
            // Before anything else the percent sign vanishes.
            _ => Ok(()),
        }
    }

    /// `{+Q,-E}` and what it applies to.
    fn flags(&mut self) -> Result<(), String> {
        let inside = self.rest().get(1..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'}', inside) else {
            return Err(format!("truncated line after '{}'", String::from_utf8_lossy(inside)));
        };
        let flags = inside.get(..end).unwrap_or_default();
        let options = apply_flags(flags, self.options);
        self.at += end + 2;
        match self.rest().first() {
            Some(b'[') => self.expression(options),
            Some(c) if c.is_ascii_alphanumeric() => self.variable(options),
            _ => Err(format!(
                "parse argument modifier without variable name near '%{{{}}}'",
                String::from_utf8_lossy(flags)
            )),
        }
    }

    fn variable(&mut self, options: Options) -> Result<(), String> {
        let rest = self.rest();
        let length = rest.iter().take_while(|c| c.is_ascii_alphanumeric()).count();
        let name = rest.get(..length).unwrap_or_default();
        let name = std::str::from_utf8(name).unwrap_or_default();
        self.at += length;
        if name == "o" {
            self.options = options;
            return Ok(());
        }
        let row = catalog::log_variable(name).ok_or_else(|| {
            format!("no such format variable '{name}'. If you wanted to emit the '%' character verbatim, you need to use '%%'")
        })?;
        if row.http && !self.purpose.http {
            return Err(format!("format variable '{name}' is reserved for HTTP mode"));
        }
        if let Some(new) = row.replaced_by {
            let directive = self.purpose.directive;
            self.warnings.push(format!(
                "deprecated variable '{name}' in '{directive}', please replace it with '{new}'."
            ));
        }
        self.push(Node::Variable(row, options));
        Ok(())
    }

    /// `[expression]`
    fn expression(&mut self, options: Options) -> Result<(), String> {
        self.at += 1;
        let rest = String::from_utf8_lossy(self.rest());
        let (expr, after) = Expr::parse_prefix(&rest)
            .map_err(|e| format!("failed to parse sample expression <{rest}> : {e}"))?;
        if !valid::at_any(expr.fetch, &self.purpose.places) {
            return Err(format!(
                "sample fetch <{rest}> may not be reliably used here because it needs '{}' which is not available here",
                valid::needs(expr.fetch)
            ));
        }
        let read = rest.len() - after.len();
        let before = rest.get(..read).unwrap_or_default();
        match after.chars().next() {
            Some(']') => {}
            Some(c) if (' '..='~').contains(&c) => {
                return Err(format!("expected ']' after '{before}', but found '{c}'"));
            }
            _ => return Err(format!("missing ']' after '{before}'")),
        }
        // A byte that is no text has become three.
        self.at += read - 2 * before.matches('\u{FFFD}').count() + 1;
        self.push(Node::Expression(Box::new(expr), options));
        Ok(())
    }
}

/// `+Q,-E`: unknown letters are ignored, as HAProxy does.
fn apply_flags(flags: &[u8], mut options: Options) -> Options {
    for flag in flags.split(|b| *b == b',') {
        let Some(sign) = flag.iter().rposition(|b| matches!(b, b'+' | b'-')) else { continue };
        let option = match flag.get(sign + 1..) {
            Some(b"M") => Options::MANDATORY,
            Some(b"Q") => Options::QUOTE,
            Some(b"X") => Options::HEXA,
            Some(b"E") => Options::ESCAPE,
            _ => continue,
        };
        let plus = flag.get(sign) == Some(&b'+');
        options = if plus { options.and(option) } else { options.without(option) };
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::spec::ProxyKind;

    fn log(text: &str) -> Result<(LogFormat, Vec<String>), String> {
        LogFormat::parse(text.as_bytes(), &Purpose::log("log-format", Mode::Http))
    }

    fn rule(text: &str) -> Result<(LogFormat, Vec<String>), String> {
        let owner = RuleOwner { name: "f".into(), kind: ProxyKind::Frontend, mode: Mode::Http };
        LogFormat::parse(text.as_bytes(), &Purpose::rule(RuleSets::HTTP_REQUEST, &owner))
    }

    #[test]
    fn mistakes_are_worded_as_haproxy_words_them() {
        let cases = [
            ("%[xyz] b", "failed to parse sample expression <xyz] b> : unknown fetch method 'xyz'"),
            (
                "%foo b",
                "no such format variable 'foo'. If you wanted to emit the '%' character verbatim, you need to use '%%'",
            ),
            ("%[path b", "expected ']' after 'path', but found ' '"),
            ("%[path", "missing ']' after 'path'"),
            (
                "% b",
                "unexpected variable name near ' ' at position 1 line : '% b'. Maybe you want to write a single '%', use the syntax '%%'",
            ),
            ("%{+Q} b", "parse argument modifier without variable name near '%{+Q}'"),
            ("%{+Q", "truncated line after '+Q'"),
            ("%", "truncated line after '%'"),
            (
                "%[path,foo] b",
                "failed to parse sample expression <path,foo] b> : unknown converter 'foo'",
            ),
        ];
        for (text, error) in cases {
            assert_eq!(rule(text).unwrap_err(), error, "{text}");
        }
        assert_eq!(
            log("%[path]").unwrap_err(),
            "sample fetch <path]> may not be reliably used here because it needs 'HTTP request headers' which is not available here"
        );
        let tcp = LogFormat::parse(b"%r", &Purpose::log("log-format", Mode::Tcp));
        assert_eq!(tcp.unwrap_err(), "format variable 'r' is reserved for HTTP mode");
    }

    #[test]
    fn old_names_are_warned_about() {
        assert_eq!(
            rule("%cc").unwrap().1,
            ["deprecated variable 'cc' in 'http-request', please replace it with 'CC'."]
        );
    }

    #[test]
    fn percent_signs() {
        let constant = |text| rule(text).unwrap().0.constant().map(<[u8]>::to_vec);
        assert_eq!(constant("a%%b"), Some(b"a%b".to_vec()));
        assert_eq!(constant("a%-b"), Some(b"a-b".to_vec()));
        assert_eq!(constant(""), Some(Vec::new()));
        assert_eq!(constant("%%%%"), Some(b"%%".to_vec()));
        assert_eq!(rule("%%%f").unwrap().0.nodes.len(), 2);
    }

    #[test]
    fn brackets_may_follow_an_expression() {
        let format = rule("[%[path]] x]").unwrap().0;
        let last = format.nodes.last().unwrap();
        assert!(matches!(last, Node::Text(text) if **text == *b"] x]"), "{last:?}");
        let owner = RuleOwner { name: "f".into(), kind: ProxyKind::Frontend, mode: Mode::Http };
        let purpose = Purpose::rule(RuleSets::HTTP_REQUEST, &owner);
        let format = LogFormat::parse(b"\xff%[path]\xff]", &purpose).unwrap().0;
        let last = format.nodes.last().unwrap();
        assert!(matches!(last, Node::Text(text) if **text == *b"\xff]"), "{last:?}");
    }

    #[test]
    fn flags_add_and_remove() {
        let q = Options::QUOTE;
        assert_eq!(apply_flags(b"+Q", Options::default()), q);
        assert_eq!(apply_flags(b"-Q,+E", q), Options::ESCAPE);
        assert_eq!(apply_flags(b"+Z, +X", q), q.and(Options::HEXA));
    }
}
