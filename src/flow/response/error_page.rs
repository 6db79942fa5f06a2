//! Pages for errors (manual 4.2 "errorfile" and 8.?; built-in pages): HAProxy's status, or the
//! operator's own file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed, parse_lenient, parse_number};
use crate::config::compile::Compiler;
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::section::Sections;
use crate::flow::http::h1::head::{self, Limits};
use crate::flow::http::message::Message;
use crate::flow::rules::reply::Reply;

/// Statuses that have a page.
pub const STATUSES: &[u16] =
    &[200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 425, 429, 500, 501, 502, 503, 504];

/// What a proxy says about its pages, in its order: the last word counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ErrorPagesSpec {
    /// `errorfile`, `errorloc`, `http-error`, `errorfiles`
    pub lines: Vec<ErrorLine>,
}

/// One line about pages.
#[derive(Debug, Clone, PartialEq)]
pub enum ErrorLine {
    /// The answer for one status.
    Answer(Arc<Reply>),
    /// The pages of an `http-errors` section.
    Section {
        /// Its name.
        name: String,
        /// The statuses that were asked for; all it has when there are none.
        statuses: Vec<u16>,
        /// Where it is asked for.
        place: Place,
    },
}

/// An `http-errors` section.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ErrorSectionSpec {
    /// Its name.
    pub name: String,
    /// Status to page.
    pub pages: BTreeMap<u16, Arc<[u8]>>,
}

/// Pages of a running proxy.
#[derive(Debug, Default)]
pub struct ErrorPages {
    pages: BTreeMap<u16, Arc<Reply>>,
}

impl ErrorPagesSpec {
    /// The pages of a running proxy.
    pub fn compile(&self, proxy: &str, compiler: &mut Compiler<'_>) -> ErrorPages {
        let mut pages = BTreeMap::new();
        for line in &self.lines {
            match line {
                ErrorLine::Answer(answer) if answer.is_default_page() => {
                    pages.remove(&answer.status);
                }
                ErrorLine::Answer(answer) => {
                    pages.insert(answer.status, answer.clone());
                }
                ErrorLine::Section { name, statuses, place } => {
                    let found = compiler.spec.error_sections.iter().find(|s| s.name == *name);
                    let Some(section) = found else { continue };
                    for status in statuses.iter().filter(|s| !section.pages.contains_key(s)) {
                        compiler.diagnostics.push(Diagnostic::warning(
                            Some(place),
                            format!(
                                "config: proxy '{proxy}' : status '{status}' not declared in http-errors section '{name}' (at {place})."
                            ),
                        ));
                    }
                    let wanted = |s: &u16| statuses.is_empty() || statuses.contains(s);
                    let found = section.pages.iter().filter(|(s, _)| wanted(s));
                    pages.extend(found.map(|(s, p)| (*s, Arc::new(Reply::page(*s, p.clone())))));
                }
            }
        }
        ErrorPages { pages }
    }
}

impl ErrorPages {
    /// The operator's answer.
    pub fn get(&self, status: u16) -> Option<&Arc<Reply>> {
        self.pages.get(&status)
    }
}

/// Whether an operator's file can be sent: nothing at all, or a whole response whose length, if it says
/// one, is right.
pub fn is_page(page: &[u8]) -> bool {
    let limits = Limits { fields: 101, accept_invalid: true };
    let mut message = Message::default();
    let Some(length) = head::length(page, 0) else { return page.is_empty() };
    if head::parse_response(page.get(..length).unwrap_or_default(), limits, &mut message).is_err() {
        return false;
    }
    let body = page.len() - length;
    match message.status {
        100 | 102..=199 => false,
        204 | 304 => body == 0,
        _ if message.has(b"transfer-encoding") => false,
        _ => match message.get(b"content-length") {
            Some(said) => parse_number(said) == Some(body),
            None => true,
        },
    }
}

/// Reason phrases (RFC 9110 15 and its registry); for others HAProxy's word for their class.
pub fn reason(status: u16) -> &'static str {
    let known = REASONS.binary_search_by_key(&status, |(code, _)| *code);
    match known.ok().and_then(|at| REASONS.get(at)) {
        Some((_, reason)) => reason,
        None => match status / 100 {
            1 => "Informational",
            2 => "Success",
            3 => "Redirection",
            4 => "Client Error",
            5 => "Server Error",
            _ => "Other",
        },
    }
}

const REASONS: &[(u16, &str)] = &[
    (100, "Continue"),
    (101, "Switching Protocols"),
    (102, "Processing"),
    (103, "Early Hints"),
    (200, "OK"),
    (201, "Created"),
    (202, "Accepted"),
    (203, "Non-Authoritative Information"),
    (204, "No Content"),
    (205, "Reset Content"),
    (206, "Partial Content"),
    (207, "Multi-Status"),
    (210, "Content Different"),
    (226, "IM Used"),
    (300, "Multiple Choices"),
    (301, "Moved Permanently"),
    (302, "Moved Temporarily"),
    (303, "See Other"),
    (304, "Not Modified"),
    (305, "Use Proxy"),
    (307, "Temporary Redirect"),
    (308, "Permanent Redirect"),
    (310, "Too many Redirects"),
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (406, "Not Acceptable"),
    (407, "Proxy Authentication Required"),
    (408, "Request Time-out"),
    (409, "Conflict"),
    (410, "Gone"),
    (411, "Length Required"),
    (412, "Precondition Failed"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Long"),
    (415, "Unsupported Media Type"),
    (416, "Requested range unsatisfiable"),
    (417, "Expectation failed"),
    (418, "I'm a teapot"),
    (421, "Misdirected Request"),
    (422, "Unprocessable entity"),
    (423, "Locked"),
    (424, "Method failure"),
    (425, "Too Early"),
    (426, "Upgrade Required"),
    (428, "Precondition Required"),
    (429, "Too Many Requests"),
    (431, "Request Header Fields Too Large"),
    (449, "Retry With"),
    (450, "Blocked by Windows Parental Controls"),
    (451, "Unavailable For Legal Reasons"),
    (456, "Unrecoverable Error"),
    (499, "client has closed connection"),
    (500, "Internal Server Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway or Proxy Error"),
    (503, "Service Unavailable"),
    (504, "Gateway Time-out"),
    (505, "HTTP Version not supported"),
    (506, "Variant also negotiate"),
    (507, "Insufficient storage"),
    (508, "Loop detected"),
    (509, "Bandwidth Limit Exceeded"),
    (510, "Not extended"),
    (511, "Network authentication required"),
    (520, "Web server is returning an unknown error"),
];

/// The built-in page: title and text, as HAProxy's users know them.
pub fn built_in(status: u16) -> (String, String) {
    let title = match status {
        400 => "Bad request",
        407 => "Unauthorized",
        408 => "Request Time-out",
        413 => "Payload Too Large",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Time-out",
        other => reason(other),
    };
    let text = match status {
        200 => "Service ready.",
        400 => "Your browser sent an invalid request.",
        401 | 407 => "You need a valid user and password to access this content.",
        403 => "Request forbidden by administrative rules.",
        404 => "The resource could not be found.",
        405 => {
            "A request was made of a resource using a request method not supported by that resource"
        }
        408 => "Your browser didn't send a complete request in time.",
        410 => "The resource is no longer available and will not be available again.",
        413 => "The request entity exceeds the maximum allowed.",
        425 => "Your browser sent early data.",
        429 => "You have sent too many requests in a given amount of time.",
        500 => "An internal server error occurred.",
        501 => ".\nThe server does not support the functionality required to fulfill the request.",
        502 => "The server returned an invalid or incomplete response.",
        503 => "No server is available to handle this request.",
        _ => "The server didn't respond in time.",
    };
    (format!("{status} {title}"), text.to_owned())
}

/// The status and the content of `errorfile` (`keyword`), read and checked.
pub fn read_errorfile(line: &mut Line<'_>, keyword: &str) -> Result<(u16, Arc<[u8]>), Diagnostic> {
    let (Some(code), Some(path)) = (line.word(), line.word()) else {
        let blank = if line.section == Sections::HTTP_ERRORS { "" } else { " " };
        return Err(
            line.alert(format!("{keyword}{blank}: expects <status_code> and <file> as arguments."))
        );
    };
    let path = path.str().into_owned();
    let status = read_status(line, keyword, code.bytes())?;
    let content = line
        .outside
        .read_file(Path::new(&path))
        .map_err(|_| line.alert(format!("{keyword} : error opening file '{path}'.")))?;
    if !is_page(&content) {
        return Err(line.alert(format!(
            "{keyword} : unable to convert custom error message file '{path}' in HTX."
        )));
    }
    Ok((status, content))
}

/// A status whose page can be replaced.
pub fn read_status(line: &Line<'_>, keyword: &str, code: &[u8]) -> Result<u16, Diagnostic> {
    let number = parse_lenient(code);
    let status = u16::try_from(number).ok().filter(|s| STATUSES.contains(s));
    status.ok_or_else(|| line.alert(format!("{keyword} : status code '{number}' not handled.")))
}

fn errorfile(line: &mut Line<'_>) -> Parsed {
    let (status, content) = read_errorfile(line, "errorfile")?;
    line.end()?;
    let answer = Arc::new(Reply::page(status, content));
    line.proxy().error_pages.lines.push(ErrorLine::Answer(answer));
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "errorfile",
        sections: Sections::PROXIES,
        args: "<code> <file>",
        default: "this program's own page",
        doc: "Answers errors of this status with the file's content, a whole HTTP response. The status is 200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 425, 429, 500, 501, 502, 503 or 504.",
        examples: &["errorfile 503 /dev/null"],
        status: Status::Works,
        parse: errorfile,
        ..Keyword::NEW
    }],
    ..Part::NONE
};
