//! Fetches of cookies (manual 7.3.6): in comes a message, out comes the value of a cookie, how many
//! there are, or the value as a number.

use crate::catalog::{AclKeyword, Fetch, Part, Status};
use crate::config::args::parse_lenient;
use crate::flow::http::cookie::{CookieHeader, Pairs};
use crate::flow::http::message::Message;
use crate::flow::phase::Phase;
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext};

/// The cookies of one name in a message, and the header they stand in.
#[derive(Debug, Clone, Copy)]
struct Cookies<'a> {
    message: &'a Message,
    header: CookieHeader,
    name: &'a [u8],
}

impl<'a> Cookies<'a> {
    fn request(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Cookies<'a>> {
        let message = &context.stream?.request;
        Some(Cookies { message, header: CookieHeader::Cookie, name: args.str(0)? })
    }

    fn response(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Cookies<'a>> {
        let message = &context.stream?.response;
        Some(Cookies { message, header: CookieHeader::SetCookie, name: args.str(0)? })
    }

    fn values(self) -> impl Iterator<Item = &'a [u8]> {
        let elements = self.message.elements(self.header.name());
        elements.flat_map(move |element| values(element, self.header, self.name))
    }

    /// One after the other in an ACL, the last one elsewhere.
    fn value(self, context: &SampleContext<'a>) -> Option<&'a [u8]> {
        let mut values = self.values();
        if context.occurrence.get() == SampleContext::LAST {
            return values.last();
        }
        let value = values.nth(context.occurrence.get())?;
        context.more.set(values.next().is_some());
        Some(value)
    }
}

/// The values of a name within one element of a header. In a response other names end the search, and a
/// value at the very end of an element needs a character, as in HAProxy.
fn values<'a>(
    element: &'a [u8],
    header: CookieHeader,
    name: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> {
    let long_enough = move |start: usize| {
        let start = if start == 0 { 0 } else { start + 1 };
        start + name.len() + 1 < element.len()
    };
    let is = move |range| element.get(range) == Some(name);
    Pairs::new(element, CookieHeader::Cookie)
        .take_while(move |pair| long_enough(pair.start))
        .filter(|pair| pair.value.is_some() && !pair.is_attribute(element))
        .take_while(move |pair| header == CookieHeader::Cookie || is(pair.name.clone()))
        .filter(move |pair| is(pair.name.clone()))
        .filter_map(|pair| element.get(pair.value?))
}

fn request_value<'a>(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    Cookies::request(context, args)?.value(context).map(Value::text)
}

fn response_value<'a>(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    Cookies::response(context, args)?.value(context).map(Value::text)
}

fn any_value<'a>(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    match context.phase >= Phase::ResponseContent {
        true => response_value(context, args),
        false => request_value(context, args),
    }
}

fn request_count<'a>(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    Some(Value::Int(Cookies::request(context, args)?.values().count() as i64))
}

fn response_count<'a>(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    Some(Value::Int(Cookies::response(context, args)?.values().count() as i64))
}

fn request_number<'a>(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    Cookies::request(context, args)?.value(context).map(|v| Value::Int(parse_lenient(v)))
}

fn response_number<'a>(context: &SampleContext<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    Cookies::response(context, args)?.value(context).map(|v| Value::Int(parse_lenient(v)))
}

const NAMED: Fetch =
    Fetch { args: &[ArgType::Str], status: Status::Works, valid: valid::REQUEST, ..Fetch::NEW };

const REQUEST: Fetch = Fetch {
    doc: "A request cookie's value, by default the last one.",
    run: request_value,
    ..NAMED
};

const REQUEST_COUNT: Fetch = Fetch {
    gives: Type::Int,
    doc: "How often a cookie occurs in the request.",
    run: request_count,
    ..NAMED
};

const REQUEST_NUMBER: Fetch = Fetch {
    gives: Type::Int,
    doc: "A request cookie's value as an integer.",
    run: request_number,
    ..NAMED
};

const RESPONSE: Fetch = Fetch {
    valid: valid::RESPONSE,
    doc: "The value of a cookie that the response sets.",
    run: response_value,
    ..NAMED
};

const RESPONSE_COUNT: Fetch = Fetch {
    gives: Type::Int,
    doc: "How often the response sets a cookie.",
    run: response_count,
    ..RESPONSE
};

const RESPONSE_NUMBER: Fetch = Fetch {
    gives: Type::Int,
    doc: "The value of a cookie that the response sets, as an integer.",
    run: response_number,
    ..RESPONSE
};

const fn acl(name: &'static str, fetch: &'static str, method: &'static str) -> AclKeyword {
    AclKeyword { name, fetch, method }
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch { name: "cook", examples: &["cook(a)"], ..REQUEST },
        Fetch { name: "cook_cnt", examples: &["cook_cnt(a)"], ..REQUEST_COUNT },
        Fetch { name: "cook_val", examples: &["cook_val(a)"], ..REQUEST_NUMBER },
        Fetch {
            name: "cookie",
            valid: valid::MESSAGE,
            doc: "The value of a cookie in the message at hand.",
            examples: &["cookie(a)"],
            run: any_value,
            ..NAMED
        },
        Fetch { name: "req.cook", examples: &["req.cook(a)"], ..REQUEST },
        Fetch { name: "req.cook_cnt", examples: &["req.cook_cnt(a)"], ..REQUEST_COUNT },
        Fetch { name: "req.cook_val", examples: &["req.cook_val(a)"], ..REQUEST_NUMBER },
        Fetch { name: "res.cook", examples: &["res.cook(a)"], ..RESPONSE },
        Fetch { name: "res.cook_cnt", examples: &["res.cook_cnt(a)"], ..RESPONSE_COUNT },
        Fetch { name: "res.cook_val", examples: &["res.cook_val(a)"], ..RESPONSE_NUMBER },
        Fetch { name: "scook", examples: &["scook(a)"], ..RESPONSE },
        Fetch { name: "scook_cnt", examples: &["scook_cnt(a)"], ..RESPONSE_COUNT },
        Fetch { name: "scook_val", examples: &["scook_val(a)"], ..RESPONSE_NUMBER },
        Fetch { name: "set-cookie", examples: &["set-cookie(a)"], ..RESPONSE },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(element: &str, header: CookieHeader) -> Vec<String> {
        let found = values(element.as_bytes(), header, b"a");
        found.map(|v| String::from_utf8_lossy(v).into_owned()).collect()
    }

    #[test]
    fn every_pair_of_a_request_and_the_first_of_a_response() {
        assert_eq!(of("a=1; b=2; a = 3 ;aa=4;$a=5", CookieHeader::Cookie), ["1", "3"]);
        assert_eq!(of("a=1; Path=/", CookieHeader::SetCookie), ["1"]);
        assert_eq!(of("b=1; a=2", CookieHeader::SetCookie), [""; 0]);
    }

    #[test]
    fn an_empty_value_counts_unless_it_is_all_there_is() {
        assert_eq!(of("a=", CookieHeader::Cookie), [""; 0]);
        assert_eq!(of("b=1; a=", CookieHeader::Cookie), [""]);
        assert_eq!(of("b=1;a=", CookieHeader::Cookie), [""; 0]);
    }
}
