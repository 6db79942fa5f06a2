//! Fetches of the request's credentials (manual 7.3.6).

use crate::catalog::{AclKeyword, Fetch, Part};
use crate::sample::ArgType;
use crate::sample::valid;
use crate::sample::value::Type;

const CREDENTIALS: Fetch = Fetch { valid: valid::REQUEST, ..Fetch::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "http_auth",
            args: &[ArgType::Userlist],
            required: 1,
            gives: Type::Bool,
            doc: "Whether the request's credentials are in a userlist.",
            examples: &["http_auth(people)"],
            ..CREDENTIALS
        },
        Fetch {
            name: "http_auth_group",
            args: &[ArgType::Userlist],
            required: 1,
            doc: "The user name, when its password is right, to be matched against groups.",
            examples: &["http_auth_group(people)"],
            ..CREDENTIALS
        },
        Fetch {
            name: "http_auth_pass",
            doc: "The password of the request's basic credentials.",
            examples: &["http_auth_pass"],
            ..CREDENTIALS
        },
        Fetch {
            name: "http_auth_type",
            doc: "The authentication scheme of the request.",
            examples: &["http_auth_type"],
            ..CREDENTIALS
        },
        Fetch {
            name: "http_auth_user",
            doc: "The user name of the request's basic credentials.",
            examples: &["http_auth_user"],
            ..CREDENTIALS
        },
    ],
    acl_keywords: &[AclKeyword {
        name: "http_auth_group",
        fetch: "http_auth_group",
        method: "str",
    }],
    ..Part::NONE
};
