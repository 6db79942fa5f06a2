//! Fetches from the buffers, before or below HTTP (manual 7.3.5): raw bytes, the hello of a TLS
//! handshake, cookies of remote desktops, distcc's tokens.

use crate::catalog::{AclKeyword, Fetch, Part, Status};
use crate::flow::http::message::Message;
use crate::flow::phase::Phase;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext, valid};

/// Bytes that HAProxy's own form of a message has beside its texts.
const MESSAGE_FRAME: usize = 26;

/// What is in a direction's buffer.
enum Held<'a> {
    /// Bytes as they came.
    Bytes(&'a [u8]),
    /// An HTTP message.
    Message(&'a Message),
}

/// The request's side of the buffers.
fn request<'a>(context: &SampleContext<'a>) -> Option<Held<'a>> {
    let stream = context.stream?;
    let raw = stream.preread.as_ref().and_then(|p| p.request.as_ref());
    match raw {
        Some(buffer) => Some(Held::Bytes(buffer.filled())),
        None if stream.request.is_empty() => Some(Held::Bytes(&[])),
        None => Some(Held::Message(&stream.request)),
    }
}

/// The response's side of the buffers.
fn response<'a>(context: &SampleContext<'a>) -> Option<Held<'a>> {
    let stream = context.stream?;
    let raw = stream.preread.as_ref().and_then(|p| p.response.as_ref());
    match raw {
        Some(buffer) => Some(Held::Bytes(buffer.filled())),
        None if stream.response.is_empty() => Some(Held::Bytes(&[])),
        None => Some(Held::Message(&stream.response)),
    }
}

/// The side that rules look at now.
fn at_hand<'a>(context: &SampleContext<'a>) -> Option<Held<'a>> {
    match context.phase {
        Phase::ResponseContent | Phase::Response => response(context),
        _ => request(context),
    }
}

type Side = for<'a> fn(&SampleContext<'a>) -> Option<Held<'a>>;

/// Raw bytes of a direction: whoever looks at them may be shown more.
fn bytes<'a>(context: &SampleContext<'a>, side: Side) -> Option<&'a [u8]> {
    context.changing.set(true);
    match side(context)? {
        Held::Bytes(bytes) => Some(bytes),
        Held::Message(_) => None,
    }
}

fn length<'a>(context: &SampleContext<'a>, side: Side) -> Option<Value<'a>> {
    context.changing.set(true);
    let length = match side(context)? {
        Held::Bytes(bytes) => bytes.len(),
        Held::Message(message) => message.text_len() + MESSAGE_FRAME,
    };
    Some(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn number(args: &Arguments, index: usize) -> Option<usize> {
    usize::try_from(args.int(index)?).ok()
}

/// `payload(offset,length)`: all there is with a length of 0, which may become more.
fn payload<'a>(context: &SampleContext<'a>, args: &Arguments, side: Side) -> Option<Value<'a>> {
    let (offset, length) = (number(args, 0)?, number(args, 1)?);
    let found = bytes(context, side)?;
    let part = match length {
        0 => found.get(offset..).filter(|part| !part.is_empty())?,
        _ => {
            let part = found.get(offset..offset + length)?;
            context.changing.set(false);
            part
        }
    };
    Some(Value::Bin(part.into()))
}

/// `payload_lv(at,size[,offset])`: a length of `size` bytes stands at `at`; what it counts begins after
/// it, or at `offset`, which is relative to there with a sign.
fn payload_lv<'a>(context: &SampleContext<'a>, args: &Arguments, side: Side) -> Option<Value<'a>> {
    let (at, size) = (number(args, 0)?, number(args, 1)?);
    let found = bytes(context, side)?;
    let counted = found.get(at..at + size)?;
    let length = counted.iter().fold(0usize, |sum, byte| (sum << 8) + usize::from(*byte));
    let start = offset(args.str(2), at + size)?;
    if length == 0 {
        context.changing.set(false);
        return None;
    }
    let part = found.get(start..start.checked_add(length)?)?;
    context.changing.set(false);
    Some(Value::Bin(part.into()))
}

fn offset(text: Option<&[u8]>, after: usize) -> Option<usize> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Some(after) };
    let number: isize = std::str::from_utf8(text).ok()?.parse().ok()?;
    match text.first() {
        Some(b'+' | b'-') => after.checked_add_signed(number),
        _ => usize::try_from(number).ok(),
    }
}

fn check_payload_lv(args: &mut Arguments) -> Result<(), String> {
    if args.int(1).is_some_and(|size| size < 1) {
        return Err("payload length must be > 0".to_owned());
    }
    let Some(text) = args.str(2).filter(|text| !text.is_empty()) else { return Ok(()) };
    if offset(Some(text), usize::MAX / 2).is_none() {
        return Err("payload offset2 is not a number".to_owned());
    }
    let base = args.int(0).unwrap_or(0) + args.int(1).unwrap_or(0);
    match offset(Some(text), usize::try_from(base).unwrap_or(0)) {
        Some(_) => Ok(()),
        None => Err("payload offset2 too negative".to_owned()),
    }
}

fn wait_end<'a>(context: &SampleContext<'a>) -> Option<Value<'a>> {
    if context.is_last_look() {
        return Some(Value::Bool(true));
    }
    context.changing.set(true);
    None
}

/// A TLS client's hello: the parts that come one after another (RFC 8446 4.1.2).
struct ClientHello<'a> {
    extensions: &'a [u8],
}

/// Whether bytes are missing, or this is no hello.
enum NoHello {
    Incomplete,
    Other,
}

/// A list whose length in `size` bytes stands before it: the list and what follows.
fn counted(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(size)?;
    let length = length.iter().fold(0usize, |sum, byte| (sum << 8) + usize::from(*byte));
    rest.split_at_checked(length)
}

impl<'a> ClientHello<'a> {
    fn find(bytes: &'a [u8]) -> Result<ClientHello<'a>, NoHello> {
        let header = bytes.first_chunk::<9>();
        if bytes.first().is_some_and(|kind| *kind != 0x16) {
            return Err(NoHello::Other);
        }
        let [_, major, _, high, low, kind, ..] = *header.ok_or(NoHello::Incomplete)?;
        if major < 3 || kind != 1 {
            return Err(NoHello::Other);
        }
        let record = usize::from(u16::from_be_bytes([high, low]));
        if record < 4 {
            return Err(NoHello::Other);
        }
        let record = bytes.get(5..5 + record).ok_or(NoHello::Incomplete)?;
        let hello = counted(record.get(1..).unwrap_or_default(), 3).ok_or(NoHello::Other)?.0;
        let extensions = (|| {
            // Version and random numbers, then session id, ciphers, compression.
            let (_, rest) = counted(hello.get(34..)?, 1)?;
            let (_, rest) = counted(rest, 2)?;
            let (_, rest) = counted(rest, 1)?;
            if rest.is_empty() { Some(rest) } else { Some(counted(rest, 2)?.0) }
        })();
        Ok(ClientHello { extensions: extensions.ok_or(NoHello::Other)? })
    }

    fn extension(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = self.extensions;
        while let Some((kind, after)) = rest.split_first_chunk::<2>() {
            let (value, next) = counted(after, 2)?;
            if u16::from_be_bytes(*kind) == wanted {
                return Some(value);
            }
            rest = next;
        }
        None
    }
}

/// The client's hello in the request's buffer.
fn client_hello<'a>(context: &SampleContext<'a>) -> Option<ClientHello<'a>> {
    match ClientHello::find(bytes(context, request)?) {
        Ok(hello) => {
            context.changing.set(false);
            Some(hello)
        }
        Err(NoHello::Incomplete) => None,
        Err(NoHello::Other) => {
            context.changing.set(false);
            None
        }
    }
}

/// `server_name` (RFC 6066 3), `supported_groups`, ALPN (RFC 7301), session tickets (RFC 5077).
const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const ALPN: u16 = 16;
const TICKET: u16 = 35;

fn sni<'a>(context: &SampleContext<'a>) -> Option<Value<'a>> {
    let list = counted(client_hello(context)?.extension(SERVER_NAME)?, 2)?.0;
    let (kind, rest) = list.split_first()?;
    let name = counted(rest, 2)?.0;
    (*kind == 0).then(|| Value::text(name))
}

fn alpn<'a>(context: &SampleContext<'a>) -> Option<Value<'a>> {
    let mut rest = counted(client_hello(context)?.extension(ALPN)?, 2)?.0;
    let mut names = Vec::new();
    while let Some((name, after)) = counted(rest, 1) {
        names.push(name);
        rest = after;
    }
    Some(Value::string(names.join(&b',')))
}

/// 0 without the extension, 1 when it is empty, 2 with a ticket.
fn ticket<'a>(context: &SampleContext<'a>) -> Option<Value<'a>> {
    let state = match client_hello(context)?.extension(TICKET) {
        None => 0,
        Some([]) => 1,
        Some(_) => 2,
    };
    Some(Value::Int(state))
}

/// The type of the handshake message in a buffer: 1 is a client's hello, 2 a server's.
fn hello_type<'a>(context: &SampleContext<'a>, side: Side) -> Option<Value<'a>> {
    let found = bytes(context, side)?;
    if found.first().is_some_and(|kind| *kind != 0x16 && *kind & 0x80 == 0) {
        context.changing.set(false);
        return None;
    }
    let header = found.first_chunk::<6>()?;
    let kind = match header[0] {
        0x16 if header[1] >= 3 => header[5],
        // The hello of SSL version 2.
        first if first & 0x80 != 0 && header[2] == 1 && matches!(header[3], 2 | 3) => 1,
        _ => {
            context.changing.set(false);
            return None;
        }
    };
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if header[0] == 0x16 && side_is_request(side) && found.len() < 5 + length {
        return None;
    }
    context.changing.set(false);
    Some(Value::Int(kind.into()))
}

fn side_is_request(side: Side) -> bool {
    std::ptr::fn_addr_eq(side, request as Side)
}

/// The version of the client's hello: 0x0303 is TLS 1.2 as 3.3, that is 196611.
fn version<'a>(context: &SampleContext<'a>) -> Option<Value<'a>> {
    let found = bytes(context, request)?;
    if found.first().is_some_and(|kind| *kind != 0x16) {
        context.changing.set(false);
        return None;
    }
    let [_, major, _, high, low, _, _, _, _, hello_major, hello_minor] = *found.first_chunk()?;
    let record = usize::from(u16::from_be_bytes([high, low]));
    if major < 3 || record < 6 {
        context.changing.set(false);
        return None;
    }
    found.get(..5 + record.min(16_384))?;
    context.changing.set(false);
    // The version of the hello, not of the record around it.
    Some(Value::Int((i64::from(hello_major) << 16) + i64::from(hello_minor)))
}

/// Finds the cookie in a remote desktop's connection request (MS-RDPBCGR 2.2.1.1): `None` when there is
/// none, or not yet. As HAProxy does, the headers before it are skipped unseen.
pub fn rdp_cookie<'a>(context: &SampleContext<'a>, name: &[u8]) -> Option<&'a [u8]> {
    let body = bytes(context, request)?.get(RDP_HEADERS..)?;
    let (word, text) = body.split_at_checked(7)?;
    let none = || {
        context.changing.set(false);
        None
    };
    if !word.eq_ignore_ascii_case(b"Cookie:") {
        return none();
    }
    let text = text.get(text.iter().take_while(|b| **b == b' ').count()..)?;
    let line = text.get(..memchr::memchr(b'\r', text)?)?;
    context.changing.set(false);
    let (found, value) = line.split_at_checked(memchr::memchr(b'=', line)?)?;
    let is_it = name.is_empty() || found.eq_ignore_ascii_case(name);
    value.get(1..).filter(|_| is_it)
}

/// Bytes of the TPKT header and of the X.224 connection request before its variable part.
const RDP_HEADERS: usize = 11;

fn rdp_cookie_value<'a>(context: &SampleContext<'a>, args: &Arguments) -> Option<Value<'a>> {
    rdp_cookie(context, args.str(0).unwrap_or_default()).map(Value::text)
}

fn rdp_cookie_count<'a>(context: &SampleContext<'a>, args: &Arguments) -> Option<Value<'a>> {
    let found = rdp_cookie(context, args.str(0).unwrap_or_default()).is_some();
    // Not before it is known; in HTTP there is none.
    let known = !context.changing.get() || bytes(context, request).is_none();
    known.then_some(Value::Int(found.into()))
}

/// A token of the distcc protocol: four letters and eight hexadecimal digits; some are followed by as
/// many bytes. Gives the parameter and where the bytes begin.
fn distcc<'a>(context: &SampleContext<'a>, args: &Arguments) -> Option<(usize, &'a [u8])> {
    let wanted = args.str(0)?;
    let mut occurrence = args.int(1).filter(|n| *n > 0).unwrap_or(1);
    let mut rest = bytes(context, at_hand)?;
    loop {
        let (token, after) = rest.split_at_checked(12)?;
        let (name, digits) = token.split_at(4);
        let parameter = std::str::from_utf8(digits).ok();
        let Some(parameter) = parameter.and_then(|d| usize::from_str_radix(d, 16).ok()) else {
            context.changing.set(false);
            return None;
        };
        if name == wanted {
            occurrence -= 1;
            if occurrence == 0 {
                return Some((parameter, after));
            }
        }
        let has_body = [b"ARGV", b"DOTI", b"DOTO", b"SERR", b"SOUT"].iter().any(|n| *n == name);
        rest = if has_body { after.get(parameter..)? } else { after };
    }
}

fn distcc_parameter<'a>(context: &SampleContext<'a>, args: &Arguments) -> Option<Value<'a>> {
    let (parameter, _) = distcc(context, args)?;
    context.changing.set(false);
    Some(Value::Int(i64::try_from(parameter).unwrap_or(i64::MAX)))
}

fn distcc_body<'a>(context: &SampleContext<'a>, args: &Arguments) -> Option<Value<'a>> {
    let (parameter, rest) = distcc(context, args)?;
    let body = rest.get(..parameter).filter(|body| !body.is_empty())?;
    context.changing.set(false);
    Some(Value::Bin(body.into()))
}

fn check_distcc(args: &mut Arguments) -> Result<(), String> {
    if args.str(0).is_some_and(|token| token.len() != 4) {
        return Err("expects a distcc token name as first argument".to_owned());
    }
    Ok(())
}

const fn acl(name: &'static str, fetch: &'static str, method: &'static str) -> AclKeyword {
    AclKeyword { name, fetch, method }
}

const L6: Fetch =
    Fetch { gives: Type::Int, valid: valid::REQUEST, status: Status::Works, ..Fetch::NEW };

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
            check: check_distcc,
            run: distcc_body,
            ..L6
        },
        Fetch {
            name: "distcc_param",
            args: &[ArgType::Str, ArgType::Int],
            required: 1,
            valid: valid::MESSAGE,
            doc: "The parameter of a distcc token.",
            examples: &["distcc_param(ARGC)"],
            check: check_distcc,
            run: distcc_parameter,
            ..L6
        },
        Fetch {
            name: "payload",
            args: &[ArgType::Int, ArgType::Int],
            required: 2,
            gives: Type::Bin,
            valid: valid::MESSAGE,
            doc: "Bytes of the request or response buffer, at an offset.",
            examples: &["payload(0,4)"],
            run: |c, a| payload(c, a, at_hand),
            ..L6
        },
        Fetch {
            name: "payload_lv",
            args: &[ArgType::Int, ArgType::Int, ArgType::Str],
            required: 2,
            gives: Type::Bin,
            valid: valid::MESSAGE,
            doc: "Bytes of the buffer whose length stands before them.",
            examples: &["payload_lv(1,1,+1)"],
            check: check_payload_lv,
            run: |c, a| payload_lv(c, a, at_hand),
            ..L6
        },
        Fetch {
            name: "rdp_cookie",
            args: &[ArgType::Str],
            gives: Type::Str,
            doc: "A cookie of an RDP connection request.",
            examples: &["rdp_cookie"],
            run: rdp_cookie_value,
            ..L6
        },
        Fetch {
            name: "rdp_cookie_cnt",
            args: &[ArgType::Str],
            doc: "How many RDP cookies were found.",
            examples: &["rdp_cookie_cnt"],
            run: rdp_cookie_count,
            ..L6
        },
        Fetch {
            name: "rep_ssl_hello_type",
            valid: valid::RESPONSE,
            doc: "The type of the TLS hello in the response buffer.",
            examples: &["rep_ssl_hello_type"],
            run: |c, _| hello_type(c, response),
            ..L6
        },
        Fetch {
            name: "req.len",
            doc: "Bytes in the request buffer.",
            examples: &["req.len"],
            run: |c, _| length(c, request),
            ..L6
        },
        Fetch {
            name: "req.payload",
            args: &[ArgType::Int, ArgType::Int],
            required: 2,
            gives: Type::Bin,
            doc: "Bytes of the request buffer, at an offset.",
            examples: &["req.payload(0,4)"],
            run: |c, a| payload(c, a, request),
            ..L6
        },
        Fetch {
            name: "req.payload_lv",
            args: &[ArgType::Int, ArgType::Int, ArgType::Str],
            required: 2,
            gives: Type::Bin,
            doc: "Bytes of the request buffer whose length stands before them.",
            examples: &["req.payload_lv(1,1,+1)"],
            check: check_payload_lv,
            run: |c, a| payload_lv(c, a, request),
            ..L6
        },
        Fetch {
            name: "req.rdp_cookie",
            args: &[ArgType::Str],
            gives: Type::Str,
            doc: "A cookie of an RDP connection request.",
            examples: &["req.rdp_cookie"],
            run: rdp_cookie_value,
            ..L6
        },
        Fetch {
            name: "req.rdp_cookie_cnt",
            args: &[ArgType::Str],
            doc: "How many RDP cookies were found.",
            examples: &["req.rdp_cookie_cnt"],
            run: rdp_cookie_count,
            ..L6
        },
        Fetch {
            name: "req.ssl_alpn",
            gives: Type::Str,
            doc: "The protocols offered in the TLS client hello.",
            examples: &["req.ssl_alpn"],
            run: |c, _| alpn(c),
            ..L6
        },
        Fetch {
            name: "req.ssl_ec_ext",
            gives: Type::Bool,
            doc: "Whether the TLS client hello has the elliptic curves extension.",
            examples: &["req.ssl_ec_ext"],
            run: |c, _| Some(Value::Bool(client_hello(c)?.extension(GROUPS).is_some())),
            ..L6
        },
        Fetch {
            name: "req.ssl_hello_type",
            doc: "The type of the TLS hello in the request buffer.",
            examples: &["req.ssl_hello_type"],
            run: |c, _| hello_type(c, request),
            ..L6
        },
        Fetch {
            name: "req.ssl_sni",
            gives: Type::Str,
            doc: "The server name in the TLS client hello.",
            examples: &["req.ssl_sni"],
            run: |c, _| sni(c),
            ..L6
        },
        Fetch {
            name: "req.ssl_st_ext",
            doc: "State of the session ticket extension in the TLS client hello.",
            examples: &["req.ssl_st_ext"],
            run: |c, _| ticket(c),
            ..L6
        },
        Fetch {
            name: "req.ssl_ver",
            doc: "The TLS version in the client hello.",
            examples: &["req.ssl_ver"],
            run: |c, _| version(c),
            ..L6
        },
        Fetch {
            name: "req_len",
            doc: "Bytes in the request buffer.",
            examples: &["req_len"],
            run: |c, _| length(c, request),
            ..L6
        },
        Fetch {
            name: "req_ssl_hello_type",
            doc: "The type of the TLS hello in the request buffer.",
            examples: &["req_ssl_hello_type"],
            run: |c, _| hello_type(c, request),
            ..L6
        },
        Fetch {
            name: "req_ssl_sni",
            gives: Type::Str,
            doc: "The server name in the TLS client hello.",
            examples: &["req_ssl_sni"],
            run: |c, _| sni(c),
            ..L6
        },
        Fetch {
            name: "req_ssl_ver",
            doc: "The TLS version in the client hello.",
            examples: &["req_ssl_ver"],
            run: |c, _| version(c),
            ..L6
        },
        Fetch {
            name: "res.len",
            valid: valid::RESPONSE,
            doc: "Bytes in the response buffer.",
            examples: &["res.len"],
            run: |c, _| length(c, response),
            ..L6
        },
        Fetch {
            name: "res.payload",
            args: &[ArgType::Int, ArgType::Int],
            required: 2,
            gives: Type::Bin,
            valid: valid::RESPONSE,
            doc: "Bytes of the response buffer, at an offset.",
            examples: &["res.payload(0,4)"],
            run: |c, a| payload(c, a, response),
            ..L6
        },
        Fetch {
            name: "res.payload_lv",
            args: &[ArgType::Int, ArgType::Int, ArgType::Str],
            required: 2,
            gives: Type::Bin,
            valid: valid::RESPONSE,
            doc: "Bytes of the response buffer whose length stands before them.",
            examples: &["res.payload_lv(1,1,+1)"],
            check: check_payload_lv,
            run: |c, a| payload_lv(c, a, response),
            ..L6
        },
        Fetch {
            name: "res.ssl_hello_type",
            valid: valid::RESPONSE,
            doc: "The type of the TLS hello in the response buffer.",
            examples: &["res.ssl_hello_type"],
            run: |c, _| hello_type(c, response),
            ..L6
        },
        Fetch {
            name: "wait_end",
            gives: Type::Bool,
            valid: valid::INTERNAL,
            doc: "True once the inspection delay is over or the buffer is complete.",
            examples: &["wait_end"],
            run: |c, _| wait_end(c),
            ..L6
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
