//! Responses that rules put together: `return`, and the long forms of `deny` and `tarpit` (manual 4.2
//! "http-request return"). In come the words of a reply, out comes what fills in `Stream::response`.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::{ActionRow, Part, Status};
use crate::config::args::parse_lenient;
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;
use crate::config::spec::NamedSection;
use crate::flow::http::message::Version;
use crate::flow::log::format::LogFormat;
use crate::flow::phase::Phase;
use crate::flow::response::error_page;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict};
use crate::flow::session::{Stream, reply};

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    content_type: Option<Vec<u8>>,
    body: Body,
    headers: Vec<(Vec<u8>, LogFormat)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    None,
    /// The page that an `http-errors` section has for the status.
    Section(String),
    /// The proxy's page for the status.
    DefaultPage,
    /// A whole response from a file.
    Page(Arc<[u8]>),
    /// These bytes.
    Raw(Arc<[u8]>),
    Format(LogFormat),
}

impl Reply {
    /// A whole response from a file, for this status.
    pub fn page(status: u16, page: Arc<[u8]>) -> Reply {
        Reply { status, content_type: None, body: Body::Page(page), headers: Vec::new() }
    }

    /// The `http-errors` section that its page is taken from.
    pub fn section(&self) -> Option<&str> {
        match &self.body {
            Body::Section(name) => Some(name),
            _ => None,
        }
    }

    /// Takes the page from its section; one without a page for the status leaves an empty answer.
    pub fn compile(&self, proxy: &str, compiler: &mut Compiler<'_>) -> Result<Reply, Diagnostic> {
        let Some(name) = self.section() else { return Ok(self.clone()) };
        let written = |s: &&NamedSection| s.section == Sections::HTTP_ERRORS && s.name == name;
        if !compiler.spec.sections.iter().any(|s| written(&s)) {
            return Err(Diagnostic::alert(
                None,
                format!(
                    "Proxy '{proxy}': unknown http-errors section '{name}' referenced by an http reply ."
                ),
            ));
        }
        let section = compiler.spec.error_sections.iter().find(|s| s.name == name);
        let page = section.and_then(|s| s.pages.get(&self.status));
        if page.is_none() {
            let status = self.status;
            compiler.diagnostics.push(Diagnostic::warning(
                None,
                format!(
                    "Proxy '{proxy}': status '{status}' referenced by an http reply not declared in http-errors section '{name}'."
                ),
            ));
        }
        let body = page.map_or(Body::None, |p| Body::Page(p.clone()));
        Ok(Reply { body, ..self.clone() })
    }

    /// Fills in the stream's response and its body. The log shows the reply's status, whatever a page
    /// says.
    pub fn fill_in(&self, stream: &mut Stream<'_>, phase: Phase) {
        stream.response.clear();
        stream.reply_body.clear();
        stream.logged_status = self.status;
        match &self.body {
            Body::DefaultPage => return reply::error_page(stream, self.status),
            Body::Page(page) => {
                reply::from_file(page, &mut stream.response, &mut stream.reply_body);
                return;
            }
            Body::None | Body::Section(_) => {}
            Body::Raw(bytes) => stream.reply_body.extend_from_slice(bytes),
            Body::Format(format) => format.with_text(stream, phase, |stream, text| {
                stream.reply_body.extend_from_slice(text);
            }),
        }
        let reason = error_page::reason(self.status).as_bytes();
        // The formats see no response, as in HAProxy, so the line is written after them.
        let mut values = Vec::with_capacity(self.headers.len());
        for (name, format) in &self.headers {
            format.with_text(stream, phase, |_, text| values.push((name, text.to_vec())));
        }
        let response = &mut stream.response;
        response.set_status_line(Version::HTTP_11, self.status, reason);
        for (name, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
            response.add(name, value);
        }
        let mut length = itoa::Buffer::new();
        response.add(b"content-length", length.format(stream.reply_body.len()).as_bytes());
        if let Some(content_type) =
            self.content_type.as_ref().filter(|_| !stream.reply_body.is_empty())
        {
            response.add(b"content-type", content_type);
        }
    }

    /// Whether it is no more than the proxy's page for its status.
    pub fn is_default_page(&self) -> bool {
        matches!(self.body, Body::DefaultPage)
    }
}

/// `return`
#[derive(Debug, Clone)]
struct Return(Reply);

impl Action for Return {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        self.0.fill_in(stream, phase);
        Verdict::Answered
    }
}

/// `return` as written.
#[derive(Debug)]
struct ReturnSpec {
    reply: Reply,
    proxy: String,
}

impl ActionSpec for ReturnSpec {
    fn compile(&self, compiler: &mut Compiler<'_>) -> Result<Arc<dyn Action>, Diagnostic> {
        Ok(Arc::new(Return(self.reply.compile(&self.proxy, compiler)?)))
    }
}

/// A payload's words before they are checked against status and content type.
#[derive(Debug)]
enum Payload<'a> {
    Empty,
    DefaultPage,
    Section(String),
    Page(Arc<[u8]>),
    Raw(Arc<[u8]>),
    Format(std::borrow::Cow<'a, [u8]>),
}

/// Reads a reply up to a word that is no part of one.
pub fn read(line: &mut ActionLine<'_, '_>, status: u16) -> Result<Reply, Diagnostic> {
    let mut reply = Reply { status, content_type: None, body: Body::None, headers: Vec::new() };
    let mut payload = Payload::Empty;
    let mut payload_name = "";
    while let Some(word) = line.words.peek() {
        let name = match word.bytes() {
            b"status" => {
                line.words.word();
                reply.status = read_status(line, "status")?;
                continue;
            }
            b"content-type" => {
                line.words.word();
                reply.content_type = Some(argument(line, "content-type", "<ctype>")?.to_vec());
                continue;
            }
            b"hdr" => {
                line.words.word();
                reply.headers.extend(read_header(line)?);
                continue;
            }
            b"errorfiles" => "errorfiles",
            b"default-errorfiles" => "default-errorfiles",
            b"errorfile" => "errorfile",
            b"file" => "file",
            b"string" => "string",
            b"lf-file" => "lf-file",
            b"lf-string" => "lf-string",
            _ => break,
        };
        line.words.word();
        if !payload_name.is_empty() {
            return Err(line.rule_error(format!(
                "unexpected '{name}' argument, '{payload_name}' already defined"
            )));
        }
        payload_name = name;
        payload = read_payload(line, name)?;
    }
    check(line, &mut reply, payload, payload_name)?;
    Ok(reply)
}

fn argument<'a>(
    line: &mut ActionLine<'a, '_>,
    name: &str,
    what: &str,
) -> Result<&'a [u8], Diagnostic> {
    match line.words.word().filter(|w| !w.is_empty()) {
        Some(word) => Ok(word.bytes()),
        None => Err(line.rule_error(format!("'{name}' expects {what} as argument"))),
    }
}

/// The number after `status` or `deny_status`.
pub fn read_status(line: &mut ActionLine<'_, '_>, name: &str) -> Result<u16, Diagnostic> {
    let status = parse_lenient(argument(line, name, "<status_code>")?);
    match u16::try_from(status).ok().filter(|s| (200..=599).contains(s)) {
        Some(status) => Ok(status),
        None => Err(line.rule_error(format!("Unexpected status code '{status}'"))),
    }
}

fn read_header(line: &mut ActionLine<'_, '_>) -> Result<Option<(Vec<u8>, LogFormat)>, Diagnostic> {
    let words = (line.words.word(), line.words.word());
    let (Some(name), Some(value)) = words else {
        return Err(line.rule_error("'hdr' expects <name> and <value> as arguments"));
    };
    let lower = name.bytes().to_ascii_lowercase();
    if [&b"content-length"[..], b"transfer-encoding", b"content-type"].contains(&lower.as_slice()) {
        line.warn(format!("header '{name}' always ignored by the http reply."));
        return Ok(None);
    }
    Ok(Some((lower, line.format(value.bytes())?)))
}

fn read_payload<'a>(line: &mut ActionLine<'a, '_>, name: &str) -> Result<Payload<'a>, Diagnostic> {
    Ok(match name {
        "default-errorfiles" => Payload::DefaultPage,
        "errorfiles" => {
            let section = argument(line, name, "<name>")?;
            Payload::Section(String::from_utf8_lossy(section).into_owned())
        }
        "errorfile" => {
            let path = argument(line, name, "<fmt>")?;
            let path = String::from_utf8_lossy(path);
            let page = line.outside.read_file(Path::new(&*path));
            let page =
                page.map_err(|_| line.rule_error(format!("error opening file '{path}'.")))?;
            if !error_page::is_page(&page) {
                return Err(line.rule_error(format!(
                    "unable to convert custom error message file '{path}' in HTX."
                )));
            }
            Payload::Page(page)
        }
        "file" => Payload::Raw(read_file(line, name)?),
        "lf-file" => Payload::Format(read_file(line, name)?.to_vec().into()),
        "string" => Payload::Raw(argument(line, name, "<str>")?.into()),
        _ => Payload::Format(argument(line, name, "<fmt>")?.into()),
    })
}

fn read_file(line: &mut ActionLine<'_, '_>, name: &str) -> Result<Arc<[u8]>, Diagnostic> {
    let path = argument(line, name, "<file>")?;
    let path = String::from_utf8_lossy(path);
    let content = line.outside.read_file(Path::new(&*path));
    content.map_err(|_| line.rule_error(format!("error opening file '{path}'")))
}

/// Checks payload, status and content type against each other.
fn check(
    line: &mut ActionLine<'_, '_>,
    reply: &mut Reply,
    payload: Payload<'_>,
    name: &str,
) -> Result<(), Diagnostic> {
    let status = reply.status;
    let bodyless = matches!(status, 204 | 304);
    reply.body = match payload {
        Payload::Empty => {
            ignore_content_type(line, reply, "because neither errorfile nor payload defined.");
            Body::None
        }
        Payload::DefaultPage | Payload::Section(_) => {
            if !error_page::STATUSES.contains(&status) {
                return Err(line.rule_error(format!(
                    "status code '{status}' not handled by default with '{name}' argument."
                )));
            }
            ignore_for_page(line, reply);
            match payload {
                Payload::Section(name) => Body::Section(name),
                _ => Body::DefaultPage,
            }
        }
        Payload::Page(page) => {
            ignore_for_page(line, reply);
            Body::Page(page)
        }
        Payload::Raw(bytes) if bytes.is_empty() => {
            ignore_content_type(line, reply, "when used with an empty payload.");
            Body::Raw(bytes)
        }
        Payload::Raw(_) | Payload::Format(_) if bodyless => {
            return Err(line.rule_error(format!("No body expected for {status} responses")));
        }
        Payload::Raw(bytes) => {
            if reply.content_type.is_none() {
                return Err(line.rule_error(
                    "a content type must be defined when non-empty payload is configured",
                ));
            }
            Body::Raw(bytes)
        }
        Payload::Format(text) => {
            if reply.content_type.is_none() {
                return Err(
                    line.rule_error("a content type must be defined with a log-format payload")
                );
            }
            Body::Format(line.format(&text)?)
        }
    };
    Ok(())
}

fn ignore_content_type(line: &mut ActionLine<'_, '_>, reply: &mut Reply, why: &str) {
    if let Some(content_type) = reply.content_type.take() {
        let content_type = String::from_utf8_lossy(&content_type);
        line.warn(format!("content-type '{content_type}' ignored by the http reply {why}"));
    }
}

fn ignore_for_page(line: &mut ActionLine<'_, '_>, reply: &mut Reply) {
    // HAProxy's own spelling.
    ignore_content_type(line, reply, "when used with an erorrfile.");
    if !reply.headers.is_empty() {
        reply.headers.clear();
        line.warn("hdr parameters ignored by the http reply when used with an erorrfile.");
    }
}

fn return_line(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let reply = read(line, 200)?;
    Ok(Box::new(ReturnSpec { reply, proxy: line.proxy.name.clone() }))
}

/// The usage of a reply.
pub const USAGE: &str = "[ status <code> ] [ content-type <type> ] [ { default-errorfiles | errorfile <file> | errorfiles <name> | file <file> | lf-file <file> | string <str> | lf-string <fmt> } ] [ hdr <name> <fmt> ]*";

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[ActionRow {
        name: "return",
        rule_sets: RuleSets::HTTP_REQUEST.and(RuleSets::HTTP_RESPONSE),
        args: USAGE,
        doc: "Answers at once: with a text, a file, an error page, or an empty body.",
        examples: &[
            "return status 200 content-type text/plain string hello",
            "return content-type text/plain lf-string \"Hello, %[src]\" hdr x-by haproxy",
        ],
        status: Status::Works,
        parse: return_line,
    }],
    ..Part::NONE
};
