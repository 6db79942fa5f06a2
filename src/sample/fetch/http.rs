//! Fetches from HTTP messages (manual 7.3.6).

use crate::catalog::{AclKeyword, Fetch, Part, Status};
use crate::flow::http::message::Message;
use crate::flow::http::unique_id;
use crate::flow::phase::Phase;
use crate::sample::SampleContext;
use crate::sample::fetch::header;
use crate::sample::valid;
use crate::sample::value::{Type, Value};

/// Methods that HAProxy knows by number.
const KNOWN: [&[u8]; 8] =
    [b"OPTIONS", b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"TRACE", b"CONNECT"];

/// A method that is known stays what the client sent, whatever `set-method` says; of another one the
/// present text is taken, while there is one.
fn method<'a>(context: &SampleContext<'a>) -> Option<Value<'a>> {
    let stream = context.stream.filter(|s| !s.request.is_empty())?;
    let sent = stream.request_line.split(|b| *b == b' ').next().unwrap_or_default();
    if KNOWN.contains(&sent) {
        return Some(Value::Method(sent.into()));
    }
    let here = context.phase < Phase::ResponseContent;
    here.then(|| Value::Method(stream.request.method().into()))
}

/// `1.1`
fn version(message: &Message) -> Value<'static> {
    let version = message.version;
    Value::string(format!("{}.{}", version.major, version.minor))
}

/// With what the response is compressed.
fn algorithm(context: &SampleContext<'_>) -> Option<&'static str> {
    context.stream?.filters.as_ref()?.algorithm()
}

const HTTP: Fetch = Fetch {
    gives: Type::Str,
    valid: "..YYYYYYYYY...........",
    status: Status::Works,
    ..Fetch::NEW
};

const fn acl(name: &'static str, fetch: &'static str, method: &'static str) -> AclKeyword {
    AclKeyword { name, fetch, method }
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "fcgi.docroot",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The document root of the FastCGI application.",
            examples: &["fcgi.docroot"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fcgi.index",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The index name of the FastCGI application.",
            examples: &["fcgi.index"],
            ..Fetch::NEW
        },
        Fetch {
            name: "http_first_req",
            gives: Type::Bool,
            valid: valid::REQUEST_KEPT,
            doc: "Whether this is the first request of its connection.",
            examples: &["http_first_req"],
            status: Status::Works,
            run: |c, _| c.stream.map(|_| Value::Bool(c.session.requests.get() == 0)),
            ..Fetch::NEW
        },
        Fetch {
            name: "method",
            gives: Type::Method,
            valid: valid::REQUEST_KEPT,
            doc: "The request's method.",
            examples: &["method"],
            run: |c, _| method(c),
            ..HTTP
        },
        Fetch {
            name: "req.proto_http",
            gives: Type::Bool,
            valid: valid::REQUEST_KEPT,
            doc: "Whether the request buffer holds a valid HTTP request.",
            examples: &["req.proto_http"],
            status: Status::Works,
            run: |c, _| header::request(c).map(|_| Value::Bool(true)),
            ..Fetch::NEW
        },
        Fetch {
            name: "req.ver",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The request's HTTP version.",
            examples: &["req.ver"],
            status: Status::Works,
            run: |c, _| header::request(c).map(version),
            ..Fetch::NEW
        },
        Fetch {
            name: "req_proto_http",
            gives: Type::Bool,
            valid: valid::REQUEST_KEPT,
            doc: "Whether the request buffer holds a valid HTTP request.",
            examples: &["req_proto_http"],
            status: Status::Works,
            run: |c, _| header::request(c).map(|_| Value::Bool(true)),
            ..Fetch::NEW
        },
        Fetch {
            name: "req_ver",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The request's HTTP version.",
            examples: &["req_ver"],
            status: Status::Works,
            run: |c, _| header::request(c).map(version),
            ..Fetch::NEW
        },
        Fetch {
            name: "res.comp",
            gives: Type::Bool,
            valid: valid::RESPONSE_KEPT,
            doc: "Whether the response is compressed here.",
            examples: &["res.comp"],
            status: Status::Works,
            run: |c, _| Some(Value::Bool(algorithm(c).is_some())),
            ..Fetch::NEW
        },
        Fetch {
            name: "res.comp_algo",
            gives: Type::Str,
            valid: valid::RESPONSE_KEPT,
            doc: "The algorithm the response is compressed with.",
            examples: &["res.comp_algo"],
            status: Status::Works,
            run: |c, _| algorithm(c).map(Value::string),
            ..Fetch::NEW
        },
        Fetch {
            name: "res.ver",
            gives: Type::Str,
            valid: valid::RESPONSE,
            doc: "The response's HTTP version.",
            examples: &["res.ver"],
            status: Status::Works,
            run: |c, _| header::response(c).map(version),
            ..Fetch::NEW
        },
        Fetch {
            name: "resp_ver",
            gives: Type::Str,
            valid: valid::RESPONSE,
            doc: "The response's HTTP version.",
            examples: &["resp_ver"],
            status: Status::Works,
            run: |c, _| header::response(c).map(version),
            ..Fetch::NEW
        },
        Fetch {
            name: "status",
            gives: Type::Int,
            valid: valid::RESPONSE_KEPT,
            doc: "The response's status.",
            examples: &["status"],
            status: Status::Works,
            run: |c, _| header::response(c).map(|m| Value::Int(m.status.into())),
            ..Fetch::NEW
        },
        Fetch {
            name: "unique-id",
            gives: Type::Str,
            valid: valid::ANYWHERE,
            doc: "The request's unique id.",
            examples: &["unique-id"],
            status: Status::Works,
            run: |context, _| {
                let id = unique_id::of(context.stream?)?;
                Some(Value::Str(id.to_vec().into()))
            },
            ..Fetch::NEW
        },
    ],
    acl_keywords: &[
        acl("method", "method", "str"),
        acl("req_ver", "req.ver", "str"),
        acl("resp_ver", "res.ver", "str"),
    ],
    ..Part::NONE
};
