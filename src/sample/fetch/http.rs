//! Fetches from HTTP messages (manual 7.3.6).

use crate::catalog::{AclKeyword, Fetch, Part, Status};
use crate::flow::http::message::Message;
use crate::flow::http::unique_id;
use crate::sample::valid;
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
            if context.occurrence.get() == SampleContext::LAST {
                return elements.last().map(Value::text);
            }
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
            name: "base",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The Host header and the path up to the query, joined.",
            examples: &["base"],
            ..Fetch::NEW
        },
        Fetch {
            name: "base32",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "A 32-bit hash of base.",
            examples: &["base32"],
            ..Fetch::NEW
        },
        Fetch {
            name: "base32+src",
            gives: Type::Bin,
            valid: valid::REQUEST,
            doc: "The hash of base followed by the client's address, for stick tables.",
            examples: &["base32+src"],
            ..Fetch::NEW
        },
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
            name: "hdr",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Str,
            valid: valid::MESSAGE,
            doc: "A header's value: of the request, or of the response in response rules.",
            examples: &["hdr"],
            ..Fetch::NEW
        },
        Fetch {
            name: "hdr_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "How often a header occurs.",
            examples: &["hdr_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "hdr_ip",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Ipv4,
            valid: valid::REQUEST,
            doc: "A header's value as an address.",
            examples: &["hdr_ip"],
            ..Fetch::NEW
        },
        Fetch {
            name: "hdr_val",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "A header's value as an integer.",
            examples: &["hdr_val"],
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
            ..Fetch::NEW
        },
        Fetch {
            name: "http_auth_type",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The authentication scheme of the request.",
            examples: &["http_auth_type"],
            ..Fetch::NEW
        },
        Fetch {
            name: "http_auth_user",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The user name of the request's basic credentials.",
            examples: &["http_auth_user"],
            ..Fetch::NEW
        },
        Fetch {
            name: "http_first_req",
            gives: Type::Bool,
            valid: valid::REQUEST_KEPT,
            doc: "Whether this is the first request of its connection.",
            examples: &["http_first_req"],
            ..Fetch::NEW
        },
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
            name: "pathq",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The path of the request's target, with the query.",
            examples: &["pathq"],
            ..Fetch::NEW
        },
        Fetch {
            name: "query",
            doc: "What follows the question mark.",
            examples: &["query"],
            run: query,
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
            name: "req.fhdr",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "A whole request header line, commas included.",
            examples: &["req.fhdr"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.fhdr_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "How many request header lines have this name.",
            examples: &["req.fhdr_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.hdr",
            args: &[ArgType::Str, ArgType::Int],
            doc: "An element of a request header, by default each one in turn.",
            examples: &["req.hdr(host)", "req.hdr(x-forwarded-for,-1)"],
            run: hdr,
            ..HTTP
        },
        Fetch {
            name: "req.hdr_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "How many values a request header has.",
            examples: &["req.hdr_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.hdr_ip",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Ipv4,
            valid: valid::REQUEST,
            doc: "A value of a request header as an address.",
            examples: &["req.hdr_ip"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.hdr_names",
            args: &[ArgType::Str],
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "All request header names, joined.",
            examples: &["req.hdr_names"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.hdr_val",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "A value of a request header as an integer.",
            examples: &["req.hdr_val"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.hdrs",
            gives: Type::Bin,
            valid: valid::REQUEST,
            doc: "All request headers as text.",
            examples: &["req.hdrs"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.hdrs_bin",
            gives: Type::Bin,
            valid: valid::REQUEST,
            doc: "All request headers in a binary form.",
            examples: &["req.hdrs_bin"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.proto_http",
            gives: Type::Bool,
            valid: valid::REQUEST_KEPT,
            doc: "Whether the request buffer holds a valid HTTP request.",
            examples: &["req.proto_http"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.ver",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The request's HTTP version.",
            examples: &["req.ver"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req_proto_http",
            gives: Type::Bool,
            valid: valid::REQUEST_KEPT,
            doc: "Whether the request buffer holds a valid HTTP request.",
            examples: &["req_proto_http"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req_ver",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The request's HTTP version.",
            examples: &["req_ver"],
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
            name: "res.fhdr",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Str,
            valid: valid::RESPONSE,
            doc: "A whole response header line, commas included.",
            examples: &["res.fhdr"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.fhdr_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "How many response header lines have this name.",
            examples: &["res.fhdr_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.hdr",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Str,
            valid: valid::RESPONSE,
            doc: "A value of a response header; commas separate values.",
            examples: &["res.hdr"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.hdr_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "How many values a response header has.",
            examples: &["res.hdr_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.hdr_ip",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Ipv4,
            valid: valid::RESPONSE,
            doc: "A value of a response header as an address.",
            examples: &["res.hdr_ip"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.hdr_names",
            args: &[ArgType::Str],
            gives: Type::Str,
            valid: valid::RESPONSE,
            doc: "All response header names, joined.",
            examples: &["res.hdr_names"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.hdr_val",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "A value of a response header as an integer.",
            examples: &["res.hdr_val"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.hdrs",
            gives: Type::Bin,
            valid: valid::RESPONSE,
            doc: "All response headers as text.",
            examples: &["res.hdrs"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.hdrs_bin",
            gives: Type::Bin,
            valid: valid::RESPONSE,
            doc: "All response headers in a binary form.",
            examples: &["res.hdrs_bin"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.ver",
            gives: Type::Str,
            valid: valid::RESPONSE,
            doc: "The response's HTTP version.",
            examples: &["res.ver"],
            ..Fetch::NEW
        },
        Fetch {
            name: "resp_ver",
            gives: Type::Str,
            valid: valid::RESPONSE,
            doc: "The response's HTTP version.",
            examples: &["resp_ver"],
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
            name: "shdr",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Str,
            valid: valid::RESPONSE,
            doc: "A value of a response header.",
            examples: &["shdr"],
            ..Fetch::NEW
        },
        Fetch {
            name: "shdr_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "How many values a response header has.",
            examples: &["shdr_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "shdr_ip",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Ipv4,
            valid: valid::RESPONSE,
            doc: "A value of a response header as an address.",
            examples: &["shdr_ip"],
            ..Fetch::NEW
        },
        Fetch {
            name: "shdr_val",
            args: &[ArgType::Str, ArgType::Int],
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "A value of a response header as an integer.",
            examples: &["shdr_val"],
            ..Fetch::NEW
        },
        Fetch {
            name: "status",
            gives: Type::Int,
            valid: valid::RESPONSE_KEPT,
            doc: "The response's status.",
            examples: &["status"],
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
        Fetch { name: "url", doc: "The target as received.", examples: &["url"], run: url, ..HTTP },
        Fetch {
            name: "url32",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "A 32-bit hash of the Host header and the whole target.",
            examples: &["url32"],
            ..Fetch::NEW
        },
        Fetch {
            name: "url32+src",
            gives: Type::Bin,
            valid: valid::REQUEST,
            doc: "The hash of url32 followed by the client's address, for stick tables.",
            examples: &["url32+src"],
            ..Fetch::NEW
        },
        Fetch {
            name: "url_ip",
            gives: Type::Ipv4,
            valid: valid::REQUEST,
            doc: "The address in an absolute target.",
            examples: &["url_ip"],
            ..Fetch::NEW
        },
        Fetch {
            name: "url_param",
            args: &[ArgType::Str, ArgType::Str],
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "A parameter of the query.",
            examples: &["url_param"],
            ..Fetch::NEW
        },
        Fetch {
            name: "url_port",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "The port in an absolute target.",
            examples: &["url_port"],
            ..Fetch::NEW
        },
        Fetch {
            name: "urlp",
            args: &[ArgType::Str, ArgType::Str],
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "A parameter of the query.",
            examples: &["urlp"],
            ..Fetch::NEW
        },
        Fetch {
            name: "urlp_val",
            args: &[ArgType::Str, ArgType::Str],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "A parameter of the query as an integer.",
            examples: &["urlp_val"],
            ..Fetch::NEW
        },
    ],
    acl_keywords: &[
        acl("base", "base", "str"),
        acl("base_beg", "base", "beg"),
        acl("base_dir", "base", "dir"),
        acl("base_dom", "base", "dom"),
        acl("base_end", "base", "end"),
        acl("base_len", "base", "len"),
        acl("base_reg", "base", "reg"),
        acl("base_sub", "base", "sub"),
        acl("cook", "req.cook", "str"),
        acl("cook_beg", "req.cook", "beg"),
        acl("cook_dir", "req.cook", "dir"),
        acl("cook_dom", "req.cook", "dom"),
        acl("cook_end", "req.cook", "end"),
        acl("cook_len", "req.cook", "len"),
        acl("cook_reg", "req.cook", "reg"),
        acl("cook_sub", "req.cook", "sub"),
        acl("hdr", "req.hdr", "str"),
        acl("hdr_beg", "req.hdr", "beg"),
        acl("hdr_dir", "req.hdr", "dir"),
        acl("hdr_dom", "req.hdr", "dom"),
        acl("hdr_end", "req.hdr", "end"),
        acl("hdr_len", "req.hdr", "len"),
        acl("hdr_reg", "req.hdr", "reg"),
        acl("hdr_sub", "req.hdr", "sub"),
        acl("http_auth_group", "http_auth_group", "str"),
        acl("method", "method", "str"),
        acl("path", "path", "str"),
        acl("path_beg", "path", "beg"),
        acl("path_dir", "path", "dir"),
        acl("path_dom", "path", "dom"),
        acl("path_end", "path", "end"),
        acl("path_len", "path", "len"),
        acl("path_reg", "path", "reg"),
        acl("path_sub", "path", "sub"),
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
        acl("shdr", "res.hdr", "str"),
        acl("shdr_beg", "res.hdr", "beg"),
        acl("shdr_dir", "res.hdr", "dir"),
        acl("shdr_dom", "res.hdr", "dom"),
        acl("shdr_end", "res.hdr", "end"),
        acl("shdr_len", "res.hdr", "len"),
        acl("shdr_reg", "res.hdr", "reg"),
        acl("shdr_sub", "res.hdr", "sub"),
        acl("url", "url", "str"),
        acl("url_beg", "url", "beg"),
        acl("url_dir", "url", "dir"),
        acl("url_dom", "url", "dom"),
        acl("url_end", "url", "end"),
        acl("url_len", "url", "len"),
        acl("url_reg", "url", "reg"),
        acl("url_sub", "url", "sub"),
        acl("urlp", "urlp", "str"),
        acl("urlp_beg", "urlp", "beg"),
        acl("urlp_dir", "urlp", "dir"),
        acl("urlp_dom", "urlp", "dom"),
        acl("urlp_end", "urlp", "end"),
        acl("urlp_len", "urlp", "len"),
        acl("urlp_reg", "urlp", "reg"),
        acl("urlp_sub", "urlp", "sub"),
    ],
    ..Part::NONE
};
