//! Fetches from HTTP messages (manual 7.3.6).

use crate::catalog::{AclKeyword, Fetch, Part, Status};
use crate::flow::http::message::{Message, raw_elements};
use crate::flow::http::unique_id;
use crate::sample::convert::base64;
use crate::sample::fetch::header;
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, SampleContext};

fn method<'a>(context: &SampleContext<'a>) -> Option<Value<'a>> {
    let message = context.stream.map(|s| &s.request).filter(|m| !m.is_empty())?;
    Some(Value::Method(message.method().into()))
}

/// `1.1`
fn version(message: &Message) -> Value<'static> {
    let version = message.version;
    Value::string(format!("{}.{}", version.major, version.minor))
}

/// The credentials of `Authorization`: user and password of the scheme Basic (RFC 7617).
fn credentials(context: &SampleContext<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let request = header::request(context)?;
    let value = raw_elements(request.get(b"authorization")?).next()?;
    let space = memchr::memchr(b' ', value)?;
    let (scheme, rest) = value.split_at(space);
    if scheme.is_empty() || !b"basic".starts_with(scheme.to_ascii_lowercase().as_slice()) {
        return None;
    }
    let decoded = base64::decode(rest.get(1..)?)?;
    // HAProxy keeps the text as a C string.
    let end = memchr::memchr(0, &decoded).unwrap_or(decoded.len());
    let decoded = decoded.get(..end)?;
    let colon = memchr::memchr(b':', decoded)?;
    let (user, password) = decoded.split_at(colon);
    Some((user.to_vec(), password.get(1..)?.to_vec()))
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
            name: "capture.req.hdr",
            args: &[ArgType::Int],
            required: 1,
            gives: Type::Str,
            valid: valid::REQUEST_KEPT,
            doc: "The request header captured in the given slot.",
            examples: &["capture.req.hdr(1)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "capture.req.method",
            gives: Type::Str,
            valid: valid::REQUEST_KEPT,
            doc: "The captured request's method.",
            examples: &["capture.req.method"],
            ..Fetch::NEW
        },
        Fetch {
            name: "capture.req.uri",
            gives: Type::Str,
            valid: valid::REQUEST_KEPT,
            doc: "The captured request's target.",
            examples: &["capture.req.uri"],
            ..Fetch::NEW
        },
        Fetch {
            name: "capture.req.ver",
            gives: Type::Str,
            valid: valid::REQUEST_KEPT,
            doc: "The captured request's version.",
            examples: &["capture.req.ver"],
            ..Fetch::NEW
        },
        Fetch {
            name: "capture.res.hdr",
            args: &[ArgType::Int],
            required: 1,
            gives: Type::Str,
            valid: valid::RESPONSE_KEPT,
            doc: "The response header captured in the given slot.",
            examples: &["capture.res.hdr(1)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "capture.res.ver",
            gives: Type::Str,
            valid: valid::REQUEST_KEPT,
            doc: "The captured response's version.",
            examples: &["capture.res.ver"],
            ..Fetch::NEW
        },
        Fetch {
            name: "cook",
            args: &[ArgType::Str],
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The last value of a request cookie.",
            examples: &["cook"],
            ..Fetch::NEW
        },
        Fetch {
            name: "cook_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "How often a cookie occurs in the request.",
            examples: &["cook_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "cook_val",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "A request cookie as an integer.",
            examples: &["cook_val"],
            ..Fetch::NEW
        },
        Fetch {
            name: "cookie",
            args: &[ArgType::Str],
            gives: Type::Str,
            valid: valid::MESSAGE,
            doc: "The value of a request or response cookie, for stick tables.",
            examples: &["cookie"],
            ..Fetch::NEW
        },
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
            name: "http_auth",
            args: &[ArgType::Userlist],
            required: 1,
            gives: Type::Bool,
            valid: valid::REQUEST,
            doc: "Whether the request's credentials are in a userlist.",
            examples: &["http_auth(people)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "http_auth_group",
            args: &[ArgType::Userlist],
            required: 1,
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The user name, when its password is right, to be matched against groups.",
            examples: &["http_auth_group(people)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "http_auth_pass",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The password of the request's basic credentials.",
            examples: &["http_auth_pass"],
            status: Status::Works,
            run: |c, _| credentials(c).map(|(_, password)| Value::string(password)),
            ..Fetch::NEW
        },
        Fetch {
            name: "http_auth_type",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The authentication scheme of the request.",
            examples: &["http_auth_type"],
            status: Status::Works,
            run: |c, _| credentials(c).map(|_| Value::text(b"Basic")),
            ..Fetch::NEW
        },
        Fetch {
            name: "http_auth_user",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The user name of the request's basic credentials.",
            examples: &["http_auth_user"],
            status: Status::Works,
            run: |c, _| credentials(c).map(|(user, _)| Value::string(user)),
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
            doc: "The request's method.",
            examples: &["method"],
            run: |c, _| method(c),
            ..HTTP
        },
        Fetch {
            name: "req.body",
            gives: Type::Bin,
            valid: valid::REQUEST,
            doc: "The part of the request's body that has arrived.",
            examples: &["req.body"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.body_len",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "How many bytes of the request's body have arrived.",
            examples: &["req.body_len"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.body_param",
            args: &[ArgType::Str],
            gives: Type::Bin,
            valid: valid::REQUEST,
            doc: "A parameter of a form in the request's body.",
            examples: &["req.body_param"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.body_size",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "The announced length of the request's body.",
            examples: &["req.body_size"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.cook",
            args: &[ArgType::Str],
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The last value of a request cookie.",
            examples: &["req.cook"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.cook_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "How often a cookie occurs in the request.",
            examples: &["req.cook_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.cook_val",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "A request cookie as an integer.",
            examples: &["req.cook_val"],
            ..Fetch::NEW
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
            name: "res.body",
            gives: Type::Bin,
            valid: valid::RESPONSE,
            doc: "The part of the response's body that has arrived.",
            examples: &["res.body"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.body_len",
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "How many bytes of the response's body have arrived.",
            examples: &["res.body_len"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.body_size",
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "The announced length of the response's body.",
            examples: &["res.body_size"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.cache_hit",
            gives: Type::Bool,
            valid: valid::SERVER,
            doc: "Whether the response came from a cache.",
            examples: &["res.cache_hit"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.cache_name",
            gives: Type::Str,
            valid: valid::SERVER,
            doc: "The name of the cache the response came from.",
            examples: &["res.cache_name"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.comp",
            gives: Type::Bool,
            valid: valid::RESPONSE_KEPT,
            doc: "Whether the response is compressed here.",
            examples: &["res.comp"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.comp_algo",
            gives: Type::Str,
            valid: valid::RESPONSE_KEPT,
            doc: "The algorithm the response is compressed with.",
            examples: &["res.comp_algo"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.cook",
            args: &[ArgType::Str],
            gives: Type::Str,
            valid: valid::RESPONSE,
            doc: "The value of a cookie the response sets.",
            examples: &["res.cook"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.cook_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "How often the response sets a cookie.",
            examples: &["res.cook_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.cook_val",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "A cookie the response sets, as an integer.",
            examples: &["res.cook_val"],
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
            name: "scook",
            args: &[ArgType::Str],
            gives: Type::Str,
            valid: valid::RESPONSE,
            doc: "The value of a cookie the response sets.",
            examples: &["scook"],
            ..Fetch::NEW
        },
        Fetch {
            name: "scook_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "How often the response sets a cookie.",
            examples: &["scook_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "scook_val",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "A cookie the response sets, as an integer.",
            examples: &["scook_val"],
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
        acl("cook", "req.cook", "str"),
        acl("cook_beg", "req.cook", "beg"),
        acl("cook_dir", "req.cook", "dir"),
        acl("cook_dom", "req.cook", "dom"),
        acl("cook_end", "req.cook", "end"),
        acl("cook_len", "req.cook", "len"),
        acl("cook_reg", "req.cook", "reg"),
        acl("cook_sub", "req.cook", "sub"),
        acl("http_auth_group", "http_auth_group", "str"),
        acl("method", "method", "str"),
        acl("req_ver", "req.ver", "str"),
        acl("resp_ver", "res.ver", "str"),
        acl("scook", "res.cook", "str"),
        acl("scook_beg", "res.cook", "beg"),
        acl("scook_dir", "res.cook", "dir"),
        acl("scook_dom", "res.cook", "dom"),
        acl("scook_end", "res.cook", "end"),
        acl("scook_len", "res.cook", "len"),
        acl("scook_reg", "res.cook", "reg"),
        acl("scook_sub", "res.cook", "sub"),
    ],
    ..Part::NONE
};
