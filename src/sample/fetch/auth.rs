//! Fetches of the request's credentials (manual 7.3.6).

use crate::catalog::{AclKeyword, Fetch, Part, Status};
use crate::flow::http::message::raw_elements;
use crate::flow::rules::userlist::Userlist;
use crate::sample::convert::base64;
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext};

/// The credentials of `Authorization`: user and password of the scheme Basic (RFC 7617).
pub fn credentials(context: &SampleContext<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let request = &context.stream?.request;
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

/// The list that is named, and the user whose password is right; no user when it is wrong.
fn accepted<'a>(
    context: &SampleContext<'a>,
    args: &'a Arguments,
) -> Option<Option<(&'a Userlist, Vec<u8>)>> {
    let stream = context.stream?;
    let name = std::str::from_utf8(args.str(0)?).ok()?;
    let list = stream.world.userlists.get(name)?;
    let (user, password) = credentials(context)?;
    Some(list.knows(&user, &password).then_some((&**list, user)))
}

/// The user; in an ACL its groups, one after the other.
fn group<'a>(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    let (list, user) = accepted(context, args)??;
    if context.occurrence.get() == SampleContext::LAST {
        return Some(Value::string(user));
    }
    let groups = list.groups(&user);
    let group = groups.get(context.occurrence.get())?;
    context.more.set(context.occurrence.get() + 1 < groups.len());
    Some(Value::text(group))
}

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
            status: Status::Works,
            run: |c, args| accepted(c, args).map(|found| Value::Bool(found.is_some())),
            ..CREDENTIALS
        },
        Fetch {
            name: "http_auth_group",
            args: &[ArgType::Userlist],
            required: 1,
            doc: "The user name, when its password is right, to be matched against groups.",
            examples: &["http_auth_group(people)"],
            status: Status::Works,
            run: group,
            ..CREDENTIALS
        },
        Fetch {
            name: "http_auth_pass",
            doc: "The password of the request's basic credentials.",
            examples: &["http_auth_pass"],
            status: Status::Works,
            run: |c, _| credentials(c).map(|(_, password)| Value::string(password)),
            ..CREDENTIALS
        },
        Fetch {
            name: "http_auth_type",
            doc: "The authentication scheme of the request.",
            examples: &["http_auth_type"],
            status: Status::Works,
            run: |c, _| credentials(c).map(|_| Value::text(b"Basic")),
            ..CREDENTIALS
        },
        Fetch {
            name: "http_auth_user",
            doc: "The user name of the request's basic credentials.",
            examples: &["http_auth_user"],
            status: Status::Works,
            run: |c, _| credentials(c).map(|(user, _)| Value::string(user)),
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
