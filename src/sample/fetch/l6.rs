//! Fetches from the buffers, before or below HTTP (manual 7.3.5).

use crate::catalog::{AclKeyword, Fetch, Part};
use crate::sample::ArgType;
use crate::sample::valid;
use crate::sample::value::Type;

const fn acl(name: &'static str, fetch: &'static str, method: &'static str) -> AclKeyword {
    AclKeyword { name, fetch, method }
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "distcc_body",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            gives: Type::Bin,
            valid: valid::MESSAGE,
            doc: "The body of a distcc token.",
            examples: &["distcc_body(DOTI)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "distcc_param",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            gives: Type::Int,
            valid: valid::MESSAGE,
            doc: "The parameter of a distcc token.",
            examples: &["distcc_param(ARGC)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "payload",
            args: &[ArgType::Int, ArgType::Int],
            required: 2,
            gives: Type::Bin,
            valid: valid::MESSAGE,
            doc: "Bytes of the request or response buffer, at an offset.",
            examples: &["payload(0,4)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "payload_lv",
            args: &[ArgType::Int, ArgType::Int, ArgType::Str],
            required: 2,
            gives: Type::Bin,
            valid: valid::MESSAGE,
            doc: "Bytes of the buffer whose length stands before them.",
            examples: &["payload_lv(1,1,x)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "rdp_cookie",
            args: &[ArgType::Str],
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "A cookie of an RDP connection request.",
            examples: &["rdp_cookie"],
            ..Fetch::NEW
        },
        Fetch {
            name: "rdp_cookie_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "How many RDP cookies were found.",
            examples: &["rdp_cookie_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "rep_ssl_hello_type",
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "The type of the TLS hello in the response buffer.",
            examples: &["rep_ssl_hello_type"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.len",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "Bytes in the request buffer.",
            examples: &["req.len"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.payload",
            args: &[ArgType::Int, ArgType::Int],
            required: 2,
            gives: Type::Bin,
            valid: valid::REQUEST,
            doc: "Bytes of the request buffer, at an offset.",
            examples: &["req.payload(0,4)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.payload_lv",
            args: &[ArgType::Int, ArgType::Int, ArgType::Str],
            required: 2,
            gives: Type::Bin,
            valid: valid::REQUEST,
            doc: "Bytes of the request buffer whose length stands before them.",
            examples: &["req.payload_lv(1,1,x)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.rdp_cookie",
            args: &[ArgType::Str],
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "A cookie of an RDP connection request.",
            examples: &["req.rdp_cookie"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.rdp_cookie_cnt",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "How many RDP cookies were found.",
            examples: &["req.rdp_cookie_cnt"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.ssl_alpn",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The protocols offered in the TLS client hello.",
            examples: &["req.ssl_alpn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.ssl_ec_ext",
            gives: Type::Bool,
            valid: valid::REQUEST,
            doc: "Whether the TLS client hello has the elliptic curves extension.",
            examples: &["req.ssl_ec_ext"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.ssl_hello_type",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "The type of the TLS hello in the request buffer.",
            examples: &["req.ssl_hello_type"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.ssl_sni",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The server name in the TLS client hello.",
            examples: &["req.ssl_sni"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.ssl_st_ext",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "State of the session ticket extension in the TLS client hello.",
            examples: &["req.ssl_st_ext"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req.ssl_ver",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "The TLS version in the client hello.",
            examples: &["req.ssl_ver"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req_len",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "Bytes in the request buffer.",
            examples: &["req_len"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req_ssl_hello_type",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "The type of the TLS hello in the request buffer.",
            examples: &["req_ssl_hello_type"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req_ssl_sni",
            gives: Type::Str,
            valid: valid::REQUEST,
            doc: "The server name in the TLS client hello.",
            examples: &["req_ssl_sni"],
            ..Fetch::NEW
        },
        Fetch {
            name: "req_ssl_ver",
            gives: Type::Int,
            valid: valid::REQUEST,
            doc: "The TLS version in the client hello.",
            examples: &["req_ssl_ver"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.len",
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "Bytes in the response buffer.",
            examples: &["res.len"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.payload",
            args: &[ArgType::Int, ArgType::Int],
            required: 2,
            gives: Type::Bin,
            valid: valid::RESPONSE,
            doc: "Bytes of the response buffer, at an offset.",
            examples: &["res.payload(0,4)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.payload_lv",
            args: &[ArgType::Int, ArgType::Int, ArgType::Str],
            required: 2,
            gives: Type::Bin,
            valid: valid::RESPONSE,
            doc: "Bytes of the response buffer whose length stands before them.",
            examples: &["res.payload_lv(1,1,x)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "res.ssl_hello_type",
            gives: Type::Int,
            valid: valid::RESPONSE,
            doc: "The type of the TLS hello in the response buffer.",
            examples: &["res.ssl_hello_type"],
            ..Fetch::NEW
        },
        Fetch {
            name: "wait_end",
            gives: Type::Bool,
            valid: valid::INTERNAL,
            doc: "True once the inspection delay is over or the buffer is complete.",
            examples: &["wait_end"],
            ..Fetch::NEW
        },
    ],
    acl_keywords: &[
        acl("payload", "req.payload", "bin"),
        acl("payload_lv", "req.payload_lv", "bin"),
        acl("req.ssl_ver", "req.ssl_ver", "int"),
        acl("req_rdp_cookie", "req.rdp_cookie", "str"),
        acl("req_rdp_cookie_cnt", "req.rdp_cookie_cnt", "int"),
        acl("req_ssl_sni", "req.ssl_sni", "str"),
        acl("req_ssl_ver", "req.ssl_ver", "int"),
    ],
    ..Part::NONE
};
