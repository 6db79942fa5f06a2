//! Captures: values kept for log lines (manual 4.2 "capture request header", "declare capture",
//! "http-request capture"). Slots are declared on frontends; rules and headers fill them in.

use std::sync::Arc;

use crate::catalog::{ActionRow, Converter, Fetch, Keyword, Part, Status};
use crate::config::args::{Line, Parsed, parse_lenient};
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;
use crate::config::spec::ProxySpec;
use crate::flow::http::message::{Message, Version, path_of};
use crate::flow::log::format::Purpose;
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict};
use crate::flow::server::cookie::CookieCapture;
use crate::flow::session::Stream;
use crate::sample::expr::Expr;
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext};

/// A place for one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The header it is taken from, in lower case; `None` when only rules fill it in.
    pub header: Option<Vec<u8>>,
    /// Bytes that are kept.
    pub length: usize,
}

/// The slots of a frontend, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CapturesSpec {
    /// Of requests.
    pub request: Vec<Slot>,
    /// Of responses.
    pub response: Vec<Slot>,
    /// `capture cookie`
    pub cookie: Option<CookieCapture>,
}

/// The slots of a running frontend.
pub type Captures = CapturesSpec;

/// Values by slot; the list is as long as the last slot that was filled in needs.
pub type Values = Vec<Option<Vec<u8>>>;

fn put(values: &mut Values, index: usize, slot: &Slot, value: &[u8]) {
    if values.len() <= index {
        values.resize(index + 1, None);
    }
    if let Some(place) = values.get_mut(index) {
        *place = Some(value.get(..slot.length).unwrap_or(value).to_vec());
    }
}

/// Takes what is declared from a head; of several headers the last one.
fn take(slots: &[Slot], message: &Message, values: &mut Values) {
    for (index, slot) in slots.iter().enumerate() {
        let Some(header) = &slot.header else { continue };
        if let Some(value) = message.values(header).next_back() {
            put(values, index, slot, value);
        }
    }
}

/// Fills in the slots of request headers. Called once the request's head was parsed.
pub fn request_headers(stream: &Stream<'_>) {
    if let Some(proxy) = stream.frontend().filter(|p| !p.rules.captures.request.is_empty()) {
        take(&proxy.rules.captures.request, &stream.request, &mut stream.captures.borrow_mut().0);
    }
}

/// Fills in the slots of response headers. Called once the server's response's head was parsed.
pub fn response_headers(stream: &Stream<'_>) {
    if let Some(proxy) = stream.frontend().filter(|p| !p.rules.captures.response.is_empty()) {
        take(&proxy.rules.captures.response, &stream.response, &mut stream.captures.borrow_mut().1);
    }
}

impl CapturesSpec {
    /// What runs in a proxy; no more of a cookie is kept than `tune.http.cookielen` allows.
    pub fn compile(&self, proxy: &ProxySpec, compiler: &mut Compiler<'_>) -> Captures {
        let mut captures = self.clone();
        let longest = compiler.spec.global.log.cookie_length.unwrap_or(63);
        if let Some(cookie) = captures.cookie.as_mut().filter(|c| c.length > longest) {
            cookie.length = longest;
            let (kind, name) = (proxy.kind.word(), &proxy.name);
            compiler.diagnostics.push(Diagnostic::warning(
                None,
                format!(
                    "config : truncating capture length to {longest} bytes for {kind} '{name}'."
                ),
            ));
        }
        captures
    }
}

/// `capture EXPRESSION`
#[derive(Debug, Clone)]
struct Capture {
    expr: Expr,
    slot: usize,
    response: bool,
}

impl Action for Capture {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        let context = stream.sample_context(phase);
        let value = self.expr.eval(&context).and_then(|value| value.cast(Type::Str));
        if value.is_none() && phase == Phase::RequestContent && context.may_change() {
            return Verdict::Wait;
        }
        let slots = stream.frontend().map(|p| &p.rules.captures);
        if let (Some(value), Some(slots)) = (value, slots) {
            let mut captures = stream.captures.borrow_mut();
            let (values, slots) = match self.response {
                true => (&mut captures.1, &slots.response),
                false => (&mut captures.0, &slots.request),
            };
            if let Some(slot) = slots.get(self.slot) {
                put(values, self.slot, slot, &value.to_text());
            }
        }
        Verdict::Continue
    }
}

/// A `capture … id N` whose slot is looked for once the whole section was read.
#[derive(Debug)]
struct ById {
    capture: Capture,
    proxy: String,
    directive: &'static str,
}

impl ActionSpec for ById {
    fn compile(&self, compiler: &mut Compiler<'_>) -> Result<Arc<dyn Action>, Diagnostic> {
        let owner = compiler.spec.proxies.iter().find(|p| p.name == self.proxy);
        let slots = owner.filter(|p| p.kind.has_frontend()).map(|p| &p.rules.captures);
        let count = slots.map(|s| match self.capture.response {
            true => s.response.len(),
            false => s.request.len(),
        });
        let slot = self.capture.slot;
        if count.is_some_and(|count| slot >= count) {
            let (proxy, directive) = (&self.proxy, self.directive);
            return Err(Diagnostic::alert(
                None,
                format!(
                    "Proxy '{proxy}': unable to find capture id '{slot}' referenced by {directive} capture rule."
                ),
            ));
        }
        Ok(Arc::new(self.capture.clone()))
    }
}

/// `tcp-request content capture <sample> len <length>`: no `id`, and messages of its own.
fn tcp_action(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let refuse = |line: &ActionLine<'_, '_>, text: String| {
        line.alert(format!("'tcp-request content capture' : {text}"))
    };
    let text = line.words.peek().map(|w| w.str().into_owned()).unwrap_or_default();
    let expr = Expr::read(&mut line.words);
    let expr = expr.unwrap_or_else(|| Err("missing fetch method".to_owned()));
    let expr = expr.map_err(|e| refuse(line, e))?;
    line.samples.extend(expr.references());
    if !valid::at_any(expr.fetch, &Purpose::rule(line.rule_set, &line.proxy).places) {
        let needs = valid::needs(expr.fetch);
        return Err(refuse(
            line,
            format!(
                "fetch method '{text}' extracts information from '{needs}', none of which is available here"
            ),
        ));
    }
    line.planned.extend(expr.planned().map(str::to_owned));
    if !line.words.accept("len") {
        return Err(refuse(line, "a positive 'len' argument is mandatory".to_owned()));
    }
    if !line.proxy.kind.has_frontend() {
        let name = &line.proxy.name;
        return Err(refuse(line, format!("proxy '{name}' has no frontend capability")));
    }
    let length = line.words.word().map_or(0, |word| parse_lenient(word.bytes()));
    let length = usize::try_from(length).ok().filter(|length| *length > 0);
    let length = length.ok_or_else(|| refuse(line, "length must be > 0".to_owned()))?;
    let slot = line.captures.request.len();
    line.captures.request.push(Slot { header: None, length });
    Ok(Box::new(Capture { expr, slot, response: false }))
}

fn action(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let response = line.rule_set == RuleSets::HTTP_RESPONSE;
    let usage = match response {
        true => "expects <expression> id <idx>",
        false => "expects <expression> [ 'len' <length> | id <idx> ]",
    };
    let after: Vec<_> = line.words.all.iter().skip(line.words.next).collect();
    let [text, _, _, ..] = after.as_slice() else { return Err(line.rule_error(usage)) };
    let expr = Expr::read(&mut line.words).unwrap_or_else(|| Err(String::new()));
    let expr = expr.map_err(|e| line.rule_error(e))?;
    let (how, number) = (line.words.word(), line.words.word());
    let (Some(how), Some(number)) = (how, number) else { return Err(line.rule_error(usage)) };
    line.samples.extend(expr.references());
    if !valid::at_any(expr.fetch, &Purpose::rule(line.rule_set, &line.proxy).places) {
        return Err(line.rule_error(format!(
            "fetch method '{text}' extracts information from '{}', none of which is available here",
            valid::needs(expr.fetch)
        )));
    }
    line.planned.extend(expr.planned().map(str::to_owned));
    match how.bytes() {
        b"len" if !response => {
            if !line.proxy.kind.has_frontend() {
                let name = &line.proxy.name;
                return Err(line.rule_error(format!("proxy '{name}' has no frontend capability")));
            }
            let length = usize::try_from(parse_lenient(number.bytes())).ok().filter(|l| *l > 0);
            let length = length.ok_or_else(|| line.rule_error("length must be > 0"))?;
            let slot = line.captures.request.len();
            line.captures.request.push(Slot { header: None, length });
            Ok(Box::new(Capture { expr, slot, response }))
        }
        b"id" => {
            let slot = number.str().parse();
            let slot = slot.map_err(|_| line.rule_error(format!("cannot parse id '{number}'")))?;
            let capture = Capture { expr, slot, response };
            let directive = line.rule_set.name();
            Ok(Box::new(ById { capture, proxy: line.proxy.name.clone(), directive }))
        }
        _ if response => Err(line.rule_error(format!("expects 'id', found '{how}'"))),
        _ => Err(line.rule_error(format!("expects 'len' or 'id', found '{how}'"))),
    }
}

/// `capture request header NAME len N` and the same for responses.
fn header(line: &mut Line<'_>) -> Parsed {
    let response = line.keyword.name == "capture response header";
    let direction = if response { "response" } else { "request" };
    let usage = format!("'capture {direction}' expects 'header' <header_name> 'len' <len>.");
    let name = line.required(&usage)?.bytes().to_ascii_lowercase();
    if !line.accept("len") {
        return Err(line.alert(usage));
    }
    let length = parse_lenient(line.required(&usage)?.bytes());
    line.end()?;
    let slot = Slot { header: Some(name), length: usize::try_from(length).unwrap_or(0) };
    slots(line, response).push(slot);
    Ok(())
}

fn cookie(line: &mut Line<'_>) -> Parsed {
    let words = (line.word(), line.word(), line.word());
    let (Some(name), Some(_), Some(length)) = words else {
        return Err(line.alert("'capture' expects 'cookie' <cookie_name> 'len' <len>."));
    };
    // 2.3 looks at nothing behind the length.
    line.rest();
    let length = usize::try_from(parse_lenient(length.bytes())).unwrap_or(0);
    let capture = CookieCapture { name: name.bytes().to_vec(), length };
    line.proxy().rules.captures.cookie = Some(capture);
    Ok(())
}

fn slots<'a>(line: &'a mut Line<'_>, response: bool) -> &'a mut Vec<Slot> {
    let captures = &mut line.proxy().rules.captures;
    if response { &mut captures.response } else { &mut captures.request }
}

/// `declare capture { request | response } len N`
fn declare(line: &mut Line<'_>) -> Parsed {
    let response = match line.word().map(|w| w.bytes()) {
        Some(b"request") => false,
        Some(b"response") => true,
        _ => {
            return Err(
                line.alert("'declare capture' requires a direction ('request' or 'response')")
            );
        }
    };
    if !line.accept("len") {
        return Err(line.alert("'declare capture' requires a capture length ('len')"));
    }
    let number =
        "'declare capture': 'len' requires a numeric value that represents the capture length";
    let word = line.required(number)?;
    let digits = word.str();
    let digits = digits.strip_prefix(['-', '+']).unwrap_or(&digits);
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(line.alert("'declare capture': cannot parse the length 'len'."));
    }
    let length = usize::try_from(parse_lenient(word.bytes())).ok().filter(|l| *l > 0);
    let length = length.ok_or_else(|| line.alert("length must be > 0"))?;
    line.end()?;
    slots(line, response).push(Slot { header: None, length });
    Ok(())
}

const KEPT: Fetch = Fetch { status: Status::Works, valid: valid::REQUEST_KEPT, ..Fetch::NEW };

const KEEP: Converter = Converter {
    args: &[ArgType::Int],
    required: 1,
    takes: Type::Str,
    gives: Type::Str,
    status: Status::Works,
    ..Converter::NEW
};

/// What is kept in a slot.
fn captured<'a>(
    context: &SampleContext<'a>,
    args: &'a Arguments,
    response: bool,
) -> Option<Value<'a>> {
    let captures = context.stream?.captures.borrow();
    let values = if response { &captures.1 } else { &captures.0 };
    let value = values.get(usize::try_from(args.int(0)?).ok()?)?.as_ref()?;
    Some(Value::string(value.as_slice()))
}

/// Keeps a value in a slot. There is none to keep it in outside of requests.
fn keep<'a>(
    value: Value<'a>,
    context: &SampleContext<'a>,
    args: &'a Arguments,
    response: bool,
) -> Option<Value<'a>> {
    let stream = context.stream?;
    let slots = &stream.frontend()?.rules.captures;
    let slots = if response { &slots.response } else { &slots.request };
    let index = usize::try_from(args.int(0)?).ok()?;
    let slot = slots.get(index)?;
    let mut captures = stream.captures.borrow_mut();
    let values = if response { &mut captures.1 } else { &mut captures.0 };
    put(values, index, slot, &value.to_text());
    drop(captures);
    Some(value)
}

/// A word of the request line as it was received, as much of it as logs keep.
fn request_word<'a>(context: &SampleContext<'a>, index: usize) -> Option<&'a [u8]> {
    let stream = context.stream?;
    let line = stream.request_line.as_slice();
    let line = line.get(..stream.frontend()?.log.uri_length).unwrap_or(line);
    line.split(|b| *b == b' ').nth(index).filter(|word| !word.is_empty())
}

fn request_part<'a>(context: &SampleContext<'a>, index: usize) -> Option<Value<'a>> {
    request_word(context, index).map(Value::text)
}

fn received_path<'a>(context: &SampleContext<'a>, _: &'a Arguments) -> Option<Value<'a>> {
    path_of(request_word(context, 1)?).map(Value::text)
}

fn version<'a>(message: &Message) -> Option<Value<'a>> {
    let modern = message.version >= Version::HTTP_11;
    let text: &[u8] = if modern { b"HTTP/1.1" } else { b"HTTP/1.0" };
    (!message.is_empty()).then(|| Value::text(text))
}

const CAPTURE: Keyword = Keyword {
    sections: Sections::FRONTEND.and(Sections::LISTEN),
    status: Status::Works,
    parse: header,
    ..Keyword::NEW
};

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "capture cookie",
            args: "<name> len <length>",
            doc: "Keeps a cookie of request and response for log lines.",
            examples: &["capture cookie ASPSESSION len 32"],
            parse: cookie,
            ..CAPTURE
        },
        Keyword {
            name: "capture request header",
            args: "<name> len <length>",
            doc: "Keeps a request header for log lines.",
            examples: &["capture request header Host len 15"],
            ..CAPTURE
        },
        Keyword {
            name: "capture response header",
            args: "<name> len <length>",
            doc: "Keeps a response header for log lines.",
            examples: &["capture response header Content-length len 9"],
            ..CAPTURE
        },
        Keyword {
            name: "declare capture",
            args: "{ request | response } len <length>",
            doc: "Declares a slot for what capture rules keep.",
            examples: &["declare capture request len 40"],
            parse: declare,
            ..CAPTURE
        },
    ],
    actions: &[ActionRow {
        name: "capture",
        rule_sets: RuleSets::HTTP_REQUEST
            .and(RuleSets::HTTP_RESPONSE)
            .and(RuleSets::TCP_REQUEST_CONTENT),
        args: "<sample> [ len <length> | id <id> ]",
        doc: "Keeps a sample for log lines, in a slot of its own or, by id, in a declared one; in TCP rules always in one of its own.",
        examples: &["capture src len 15"],
        status: Status::Works,
        parse: |line| match line.rule_set {
            RuleSets::TCP_REQUEST_CONTENT => tcp_action(line),
            _ => action(line),
        },
    }],
    fetches: &[
        Fetch {
            name: "capture.req.hdr",
            args: &[ArgType::Int],
            required: 1,
            doc: "The request header captured in the given slot.",
            examples: &["capture.req.hdr(1)"],
            run: |context, args| captured(context, args, false),
            ..KEPT
        },
        Fetch {
            name: "capture.req.method",
            doc: "The method of the request as it was received.",
            examples: &["capture.req.method"],
            run: |context, _| request_part(context, 0),
            ..KEPT
        },
        Fetch {
            name: "capture.req.uri",
            doc: "The target of the request as it was received, from its path on.",
            examples: &["capture.req.uri"],
            run: received_path,
            ..KEPT
        },
        Fetch {
            name: "capture.req.ver",
            doc: "The request's version.",
            examples: &["capture.req.ver"],
            run: |context, _| version(&context.stream?.request),
            ..KEPT
        },
        Fetch {
            name: "capture.res.hdr",
            args: &[ArgType::Int],
            required: 1,
            valid: valid::RESPONSE_KEPT,
            doc: "The response header captured in the given slot.",
            examples: &["capture.res.hdr(1)"],
            run: |context, args| captured(context, args, true),
            ..KEPT
        },
        Fetch {
            name: "capture.res.ver",
            doc: "The response's version.",
            examples: &["capture.res.ver"],
            run: |context, _| version(&context.stream?.response),
            ..KEPT
        },
    ],
    converters: &[
        Converter {
            name: "capture-req",
            doc: "Keeps the text in a request's slot, and passes it on.",
            examples: &[("str(abc),capture-req(0)", "")],
            run: |value, context, args| keep(value, context, args, false),
            ..KEEP
        },
        Converter {
            name: "capture-res",
            doc: "Keeps the text in a response's slot, and passes it on.",
            examples: &[("str(abc),capture-res(0)", "")],
            run: |value, context, args| keep(value, context, args, true),
            ..KEEP
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::http::message::Version;

    #[test]
    fn the_last_header_is_kept_and_cut() {
        let mut message = Message::default();
        message.set_request_line(b"GET", b"/", Version::HTTP_11);
        message.add(b"x-a", b"one");
        message.add(b"x-a", b"second");
        let slot = |header: Option<&[u8]>, length| Slot { header: header.map(Into::into), length };
        let slots = [slot(None, 5), slot(Some(b"x-a"), 3), slot(Some(b"x-b"), 3)];
        let mut values = Values::new();
        take(&slots, &message, &mut values);
        assert_eq!(values, [None, Some(b"sec".to_vec())]);
    }
}
