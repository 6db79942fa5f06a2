//! Fetches from HTTP messages (manual 7.3.6).

use crate::catalog::{AclKeyword, Fetch, Part, Status};
use crate::flow::http::message::Message;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext};

fn request<'a>(context: &SampleContext<'a>) -> Option<&'a Message> {
    context.stream.map(|s| &s.request).filter(|m| !m.is_empty())
}

fn method<'a>(context: &SampleContext<'a>, _: &'a Arguments) -> Option<Value<'a>> {
    Some(Value::Method(request(context)?.method().into()))
}

fn path<'a>(context: &SampleContext<'a>, _: &'a Arguments) -> Option<Value<'a>> {
    request(context)?.path().map(Value::text)
}

fn url<'a>(context: &SampleContext<'a>, _: &'a Arguments) -> Option<Value<'a>> {
    Some(Value::text(request(context)?.target()))
}

fn query<'a>(context: &SampleContext<'a>, _: &'a Arguments) -> Option<Value<'a>> {
    Some(Value::text(request(context)?.query().unwrap_or_default()))
}

/// `hdr(name[,occurrence])`: an element of a comma-separated header, by default each one in turn.
fn hdr<'a>(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    let name = args.str(0)?;
    let message = request(context)?;
    let mut elements = message.elements(name);
    match args.int(1) {
        None | Some(0) => {
            let value = elements.nth(context.occurrence.get())?;
            context.more.set(elements.next().is_some());
            Some(Value::text(value))
        }
        Some(n) if n > 0 => elements.nth(n as usize - 1).map(Value::text),
        Some(n) => {
            let all: Vec<_> = elements.collect();
            all.len()
                .checked_sub(n.unsigned_abs() as usize)
                .and_then(|i| all.get(i).copied())
                .map(Value::text)
        }
    }
}

const HTTP: Fetch = Fetch {
    name: "",
    args: &[],
    required: 0,
    gives: Type::Str,
    valid: "..YYYYYYYYY...........",
    doc: "",
    examples: &[],
    status: Status::Works,
    run: |_, _| None,
};

const fn acl(name: &'static str, fetch: &'static str, method: &'static str) -> AclKeyword {
    AclKeyword { name, fetch, method }
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "method",
            gives: Type::Method,
            doc: "The request's method.",
            examples: &["method"],
            run: method,
            ..HTTP
        },
        Fetch {
            name: "path",
            doc: "The target's path, without the query.",
            examples: &["path"],
            run: path,
            ..HTTP
        },
        Fetch {
            name: "query",
            doc: "What follows the question mark.",
            examples: &["query"],
            run: query,
            ..HTTP
        },
        Fetch {
            name: "req.hdr",
            args: &[ArgType::Str, ArgType::Int],
            doc: "An element of a request header, by default each one in turn.",
            examples: &["req.hdr(host)", "req.hdr(x-forwarded-for,-1)"],
            run: hdr,
            ..HTTP
        },
        Fetch { name: "url", doc: "The target as received.", examples: &["url"], run: url, ..HTTP },
    ],
    acl_keywords: &[
        acl("hdr", "req.hdr", "str"),
        acl("hdr_beg", "req.hdr", "beg"),
        acl("hdr_dir", "req.hdr", "dir"),
        acl("hdr_dom", "req.hdr", "dom"),
        acl("hdr_end", "req.hdr", "end"),
        acl("hdr_len", "req.hdr", "len"),
        acl("hdr_reg", "req.hdr", "reg"),
        acl("hdr_sub", "req.hdr", "sub"),
        acl("path_beg", "path", "beg"),
        acl("path_dir", "path", "dir"),
        acl("path_dom", "path", "dom"),
        acl("path_end", "path", "end"),
        acl("path_len", "path", "len"),
        acl("path_reg", "path", "reg"),
        acl("path_sub", "path", "sub"),
        acl("url_beg", "url", "beg"),
        acl("url_reg", "url", "reg"),
    ],
    ..Part::NONE
};
