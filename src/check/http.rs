//! `option httpchk` and `http-check`: what is asked of a server and which answer is right (manual
//! 4.2). In come the words of a line, out come steps and the bytes of a request.

use crate::catalog::{Keyword, Part, Status};
use crate::check::expect::{self, Family};
use crate::check::scene::{Scene, Text};
use crate::check::step::{Action, Expect, HttpRequest, Pattern, Ruleset, Step};
use crate::check::variable;
use crate::check::{CheckKind, connect};
use crate::config::args::{Inversion, Line, Parsed};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;

impl HttpRequest {
    /// The request's bytes. `state` is the value of the header of `http-check send-state`.
    pub fn bytes(&self, state: Option<&str>, scene: Option<&Scene<'_>>) -> Vec<u8> {
        let method = self.method.as_deref().unwrap_or("OPTIONS");
        let uri = self.uri.as_ref().map(|uri| uri.say(scene));
        let uri = uri.as_deref().filter(|uri| !uri.is_empty()).unwrap_or(b"/");
        let version = self.version.as_deref().unwrap_or("HTTP/1.0");
        let body = self.body.as_ref().map(|body| body.say(scene)).unwrap_or_default();
        let mut out = [method.as_bytes(), b" ", uri, b" ", version.as_bytes(), b"\r\n"].concat();
        let mut header = |name: &str, value: &[u8]| {
            out.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        };
        for (name, value) in &self.headers {
            let value = value.say(scene);
            if !value.is_empty() {
                header(name, &value);
            }
        }
        if let Some(state) = state {
            header("x-haproxy-server-state", state.as_bytes());
        }
        header("content-length", body.len().to_string().as_bytes());
        if version != "HTTP/1.0" {
            header("connection", b"close");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&body);
        out
    }
}

/// The steps of `http-check` rules: the request in its place, an expectation at the end.
pub fn complete(rules: &Ruleset) -> Vec<Step> {
    let mut steps = rules.steps.clone();
    let is_real = |s: &Step| s.action.is_real();
    let implicit = |s: &Step| matches!(&s.action, Action::SendHttp(r) if r.from_option);
    if let Some(at) = steps.iter().position(is_real)
        && steps.get(at).is_some_and(implicit)
        && let Some(next) = steps.iter().skip(at + 1).position(is_real)
        && let Some(Step { number, action: Action::Connect(_), .. }) = steps.get(at + 1 + next)
    {
        let number = *number;
        let mut request = steps.remove(at);
        request.number = number;
        steps.insert(at + next + 1, request);
    }
    if let Some(last) = steps.iter().rev().find(|s| is_real(s))
        && matches!(last.action, Action::SendHttp(_))
    {
        let expect = Expect::new(Pattern::Status(vec![(200, 399)]));
        let number = last.number;
        steps.push(Step { number, comment: None, action: Action::Expect(expect) });
    }
    steps
}

fn httpchk(line: &mut Line<'_>) -> Parsed {
    if line.inversion != Inversion::Plain {
        line.proxy().check.kind = None;
        return line.end();
    }
    let words: Vec<_> = line.rest().iter().map(|w| w.str().into_owned()).collect();
    if let Some(extra) = words.get(3) {
        let text = format!("'option httpchk' cannot handle unexpected argument '{extra}'.");
        return Err(line.alert(text));
    }
    let mut request = HttpRequest { from_option: true, ..HttpRequest::default() };
    match words.as_slice() {
        [] => {}
        [uri] => request.uri = Some(Text::from(uri.as_str())),
        [method, uri, rest @ ..] => {
            request.method = Some(method.clone());
            request.uri = Some(Text::from(uri.as_str()));
            if let Some(version) = rest.first() {
                hidden_parts(line, &mut request, version);
            }
        }
    }
    let owner = line.proxy().place.clone();
    let check = &mut line.proxy().check;
    check.kind = Some(CheckKind::Http);
    add_implicit(check.http.of(&owner), request);
    Ok(())
}

/// Headers and a body were once written behind the version.
fn hidden_parts(line: &mut Line<'_>, request: &mut HttpRequest, version: &str) {
    let (head, body) = match version.split_once("\r\n\r\n") {
        Some((head, body)) => (head, Some(Text::from(body))),
        None => (version, None),
    };
    let mut lines = head.split("\r\n");
    request.version = lines.next().map(str::to_owned);
    for header in lines {
        if let Some((name, value)) = header.split_once(':') {
            request.headers.push((name.trim().to_ascii_lowercase(), Text::from(value.trim())));
        }
    }
    if body.is_some() || !request.headers.is_empty() {
        request.body = body;
        let text = "'option httpchk' : hiding headers or body at the end of the version string is deprecated. Please, consider to use 'http-check send' directive instead.";
        line.warn(text);
    }
}

/// The request of `option httpchk` joins the rules: before them, or into the first `send`.
fn add_implicit(rules: &mut Ruleset, request: HttpRequest) {
    let real = |s: &&mut Step| s.action.is_real();
    let mut steps = rules.steps.iter_mut().filter(real);
    let mut first = steps.next();
    if first.as_ref().is_some_and(|s| matches!(s.action, Action::Connect(_))) {
        first = steps.next();
    }
    if let Some(Step { action: Action::SendHttp(old), .. }) = first {
        if old.from_option {
            *old = request;
        } else {
            old.overwrite(request);
        }
        return;
    }
    let action = Action::SendHttp(request);
    rules.steps.insert(0, Step { number: 1, comment: None, action });
}

/// Appends a rule that was written.
fn add(line: &mut Line<'_>, action: Action, comment: Option<String>) -> Parsed {
    let owner = line.proxy().place.clone();
    let name = line.keyword.name;
    let rules = line.proxy().check.http.of(&owner);
    let implicit = |s: &Step| matches!(&s.action, Action::SendHttp(r) if r.from_option);
    let last = rules.steps.iter().rev().find(|s| s.action.is_real());
    let number = match rules.steps.last() {
        Some(last) if implicit(last) => last.number,
        Some(last) => last.number + 1,
        None => 1,
    };
    if let Some(last) = last.filter(|s| !implicit(s)) {
        let missing = match (&last.action, &action) {
            (before, Action::SendHttp(_)) if !matches!(before, Action::Connect(_)) => {
                Some(("send", "connect"))
            }
            (before, Action::Expect(_))
                if !matches!(before, Action::SendHttp(_) | Action::Expect(_)) =>
            {
                Some(("expect", "send"))
            }
            (before, Action::Connect(_)) if !matches!(before, Action::Expect(_)) => {
                Some(("connect", "expect"))
            }
            _ => None,
        };
        if let Some((rule, missing)) = missing {
            return Err(line.alert(format!(
                "'{name}' : unable to add http-check {rule} rule at step {number} (missing {missing} rule)."
            )));
        }
    }
    let mut action = action;
    if let Action::SendHttp(request) = &mut action
        && rules.steps.iter().find(|s| s.action.is_real()).is_some_and(implicit)
    {
        let at = rules.steps.iter().position(implicit).unwrap_or(0);
        if let Action::SendHttp(mut whole) = rules.steps.remove(at).action {
            whole.overwrite(std::mem::take(request));
            whole.from_option = false;
            *request = whole;
        }
    }
    rules.steps.push(Step { number, comment, action });
    Ok(())
}

fn send(line: &mut Line<'_>) -> Parsed {
    let mut request = HttpRequest::default();
    let mut comment = None;
    while let Some(word) = line.word() {
        let word = word.str().into_owned();
        match word.as_str() {
            "meth" => request.method = Some(argument(line, &word)?),
            "uri" => request.uri = Some(Text::from(argument(line, &word)?.as_str())),
            "uri-lf" => request.uri = Some(format(line, &word)?),
            "ver" => request.version = Some(argument(line, &word)?),
            "body" => request.body = Some(Text::from(argument(line, &word)?.as_str())),
            "body-lf" => request.body = Some(format(line, &word)?),
            "comment" => comment = Some(argument(line, &word)?),
            "hdr" => header(line, &mut request)?,
            _ => {
                return Err(line.alert(format!("'http-check send' : expects 'comment', 'meth', 'uri', 'uri-lf', 'ver', 'hdr', 'body' or 'body-lf' but got '{word}' as argument..")));
            }
        }
    }
    add(line, Action::SendHttp(request), comment)
}

fn argument(line: &mut Line<'_>, name: &str) -> Result<String, Diagnostic> {
    let text = format!("'{}' : '{name}' expects a string as argument..", line.keyword.name);
    Ok(line.required(&text)?.str().into_owned())
}

/// A log-format string.
fn format(line: &mut Line<'_>, name: &str) -> Result<Text, Diagnostic> {
    let text = argument(line, name)?;
    Text::format(line, text.as_bytes(), text.as_bytes())
}

fn header(line: &mut Line<'_>, request: &mut HttpRequest) -> Parsed {
    let text = "'http-check send' : 'hdr' expects <name> and <value> as arguments.";
    let name = line.required(text)?.str().to_ascii_lowercase();
    if line.is_empty() {
        return Err(line.alert(text));
    }
    let value = argument(line, "hdr")?;
    let before = |name: &str| request.headers.iter().find(|(n, _)| n == name);
    if name == "host"
        && let Some((_, before)) = before("host")
    {
        let before = before.words(None);
        return Err(line.alert(format!(
            "'http-check send' : 'host' header already defined (previous value is '{before}')."
        )));
    }
    if !matches!(name.as_str(), "connection" | "content-length" | "transfer-encoding") {
        let value = Text::read(line, value.as_bytes())
            .map_err(|e| line.alert(format!("'http-check send' : {e}.")))?;
        request.headers.push((name, value));
    }
    Ok(())
}

fn expect(line: &mut Line<'_>) -> Parsed {
    let (expect, comment) = expect::parse(line, Family::Http)?;
    add(line, Action::Expect(expect), comment)
}

fn comment(line: &mut Line<'_>) -> Parsed {
    let text = "'http-check comment' : expects a string as argument.";
    let comment = line.required(text)?.str().into_owned();
    add(line, Action::Comment, Some(comment))
}

fn unknown(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    if let Some(read) = variable::read(line, "http-check", &word) {
        return add(line, read?, None);
    }
    Err(line.alert(format!("'http-check' only supports 'disable-on-404', 'send-state', 'comment', 'connect', 'send', 'expect', 'set-var(*)', 'unset-var(*)'. but got '{word}'")))
}

/// `set-var` or `unset-var` without a bracket, to be refused.
fn bare_variable(line: &mut Line<'_>) -> Parsed {
    let word = line.keyword.name.trim_start_matches("http-check ");
    variable::read(line, "http-check", word).map_or(Ok(()), |read| read.map(drop))
}

const RULE: Keyword =
    Keyword { sections: Sections::BACKENDS, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "http-check",
            args: "<rule> [<arguments>]",
            doc: "Adds a rule to the HTTP health checks.",
            examples: &["http-check expect status 200"],
            parse: unknown,
            ..RULE
        },
        Keyword {
            name: "http-check comment",
            args: "<text>",
            doc: "Names the steps that follow, for messages.",
            examples: &["http-check comment \"is it well?\""],
            parse: comment,
            ..RULE
        },
        Keyword {
            name: "http-check connect",
            args: "[default] [port <port>] [addr <ip>] [linger] [comment <text>] ...",
            doc: "Opens a new connection for the steps that follow. `port` and `addr` say where; `ssl`, `sni`, `alpn`, `proto`, `via-socks4` and `send-proxy` how; `default` takes what the server line says, `linger` closes without a reset.",
            examples: &["http-check connect port 8080"],
            parse: |line| {
                let (connect, comment) = connect::parse(line)?;
                add(line, Action::Connect(connect), comment)
            },
            ..RULE
        },
        Keyword {
            name: "http-check disable-on-404",
            doc: "A server that is up and answers 404 takes no new sessions, but keeps its own.",
            examples: &["http-check disable-on-404"],
            parse: |line| {
                line.proxy().check.disable_on_404 = true;
                line.end()
            },
            ..RULE
        },
        Keyword {
            name: "http-check expect",
            args: "[min-recv <int>] [comment <text>] [ok-status <st>] [error-status <st>] [tout-status <st>] [on-success <text>] [on-error <text>] [!] <match> <pattern>",
            doc: "What the answer must be like: `status` with codes and ranges, `rstatus` with a regular expression, `hdr` or `fhdr` with a header's name and value, `string` or `rstring` in the body; `!` before it turns it round. The other words change what is reported.",
            examples: &["http-check expect status 200,300-310", "http-check expect ! string error"],
            parse: expect,
            ..RULE
        },
        Keyword {
            name: "http-check send",
            args: "[meth <method>] [uri <uri>] [ver <version>] [hdr <name> <value>]* [body <text>] [comment <text>]",
            doc: "The request of the check: method, target, version, headers, body; the forms with `-lf` take formats.",
            examples: &["http-check send meth GET uri / ver HTTP/1.1 hdr Host example.com"],
            parse: send,
            ..RULE
        },
        Keyword {
            name: "http-check send-state",
            doc: "Tells the server its own state in a header of the request.",
            examples: &["http-check send-state"],
            parse: |line| {
                line.proxy().check.send_state = true;
                line.end()
            },
            ..RULE
        },
        Keyword {
            name: "http-check set-var",
            args: "(<name>) <expression>",
            doc: "Sets a variable of the check.",
            examples: &["http-check set-var(check.port) int(80)"],
            parse: bare_variable,
            ..RULE
        },
        Keyword {
            name: "http-check unset-var",
            args: "(<name>)",
            doc: "Forgets a variable of the check.",
            examples: &["http-check unset-var(check.port)"],
            parse: bare_variable,
            ..RULE
        },
        Keyword {
            name: "option httpchk",
            args: "[<uri> | <method> <uri> [<version>]]",
            default: "OPTIONS / HTTP/1.0",
            doc: "Checks servers by an HTTP request: OPTIONS / in HTTP/1.0, or the given one. Statuses from 200 to 399 are right, unless `http-check expect` says otherwise.",
            examples: &["option httpchk", "option httpchk GET /health HTTP/1.1"],
            parse: httpchk,
            ..RULE
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_haproxy_does() {
        let request = HttpRequest::default();
        assert_eq!(request.bytes(None, None), b"OPTIONS / HTTP/1.0\r\ncontent-length: 0\r\n\r\n");
        let request = HttpRequest {
            method: Some("POST".into()),
            uri: Some(Text::from("/p")),
            version: Some("HTTP/1.1".into()),
            headers: vec![("host".into(), Text::from("h"))],
            body: Some(Text::from("hello")),
            from_option: false,
        };
        assert_eq!(
            request.bytes(Some("UP"), None),
            b"POST /p HTTP/1.1\r\nhost: h\r\nx-haproxy-server-state: UP\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
        );
    }

    #[test]
    fn an_expectation_is_added_to_a_lonely_request() {
        let mut rules = Ruleset::default();
        add_implicit(&mut rules, HttpRequest { from_option: true, ..HttpRequest::default() });
        let steps = complete(&rules);
        assert!(matches!(&steps[..], [_, Step { number: 1, action: Action::Expect(_), .. }]));
    }
}
