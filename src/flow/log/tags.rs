//! Variables of log-format (manual 8.2.4).

use std::net::IpAddr;

use crate::catalog::{LogVariable, Part, Status};
use crate::config::proxy::Mode;
use crate::flow::http::unique_id;
use crate::flow::log::format::{LogContext, Options};
use crate::flow::log::timers::Timers;
use crate::flow::log::{date, escape};
use crate::flow::phase::Phase;
use crate::flow::rules::capture::Values;
use crate::flow::server::persist;
use crate::flow::session::outcome::When;
use crate::flow::session::{Address, Stream};
use crate::sample::value::write_address;
use crate::state::server_status::ServerAddress;
use crate::state::world::{Proxy, Server};

type Out = Vec<u8>;
type Context<'a> = LogContext<'a>;

fn int(out: &mut Out, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Decimal, or with `+X` hexadecimal of at least `width` digits.
fn number(out: &mut Out, options: Options, value: u64, width: usize) {
    if options.has(Options::HEXA) {
        out.extend_from_slice(format!("{value:0width$X}").as_bytes());
    } else {
        int(out, value);
    }
}

fn ip(out: &mut Out, options: Options, address: Option<&Address>) {
    match address {
        None => escape::text(out, options, None),
        Some(Address::Unix(_)) => escape::text(out, options, Some(b"unix")),
        Some(Address::Inet(address)) if options.has(Options::HEXA) => match address.ip() {
            IpAddr::V4(ip) => ip.octets().iter().for_each(|b| escape::hex(out, *b)),
            IpAddr::V6(ip) => ip.octets().iter().for_each(|b| escape::hex(out, *b)),
        },
        Some(Address::Inet(address)) => {
            let quote = options.has(Options::QUOTE);
            if quote {
                out.push(b'"');
            }
            write_address(out, address.ip());
            if quote {
                out.push(b'"');
            }
        }
    }
}

/// A port; of a unix socket the listener's number.
fn port(c: &Context<'_>, out: &mut Out, options: Options, address: Option<&Address>) {
    match address {
        None => escape::text(out, options, None),
        Some(Address::Unix(_)) => int(out, c.session.listener.id),
        Some(Address::Inet(address)) => number(out, options, address.port().into(), 4),
    }
}

/// The address the server was reached at.
fn server_address(c: &Context<'_>) -> Option<Address> {
    let stream = c.stream?;
    stream.times.connected?;
    let elsewhere = || stream.backend()?.backend.as_ref()?.elsewhere.as_deref();
    let server = stream.server().or_else(elsewhere)?;
    match &**server.status.address.load() {
        ServerAddress::Inet(address) => {
            let mut address = *address;
            if address.ip().is_unspecified() {
                address.set_ip(stream.session.destination()?.ip()?);
            }
            if let Some(offset) = server.port_offset {
                let client = stream.session.destination()?.port().unwrap_or(0);
                address.set_port(i32::from(client).wrapping_add(offset) as u16);
            }
            Some(Address::Inet(address))
        }
        ServerAddress::Unix(path) => Some(Address::Unix(path.clone())),
        _ => None,
    }
}

fn server_source<'a>(c: &'a Context<'_>) -> Option<&'a Address> {
    c.stream?.server_source()
}

fn backend<'a>(c: &'a Context<'_>) -> &'a Proxy {
    c.stream.and_then(Stream::backend).unwrap_or(c.frontend)
}

fn server<'a>(c: &'a Context<'_>) -> Option<&'a Server> {
    c.stream.and_then(Stream::server)
}

fn server_name(c: &Context<'_>, options: Options, out: &mut Out) {
    let applet = c.stream.and_then(|s| s.applet);
    let name = applet.or(server(c).map(|s| s.name.as_str())).unwrap_or("<NOSRV>");
    escape::text(out, options, Some(name.as_bytes()));
}

fn frontend_transport(c: &Context<'_>, options: Options, out: &mut Out) {
    let quote = options.has(Options::QUOTE);
    if quote {
        out.push(b'"');
    }
    out.extend_from_slice(c.frontend.name.as_bytes());
    if quote {
        out.push(b'"');
    }
}

/// When the stream, or the session that had none, began.
fn start(c: &Context<'_>) -> std::time::Duration {
    c.stream.map_or(c.session.accepted, |s| s.times.start).date()
}

/// When the request's first byte came.
fn request_start(c: &Context<'_>) -> std::time::Duration {
    let before = u64::try_from(Timers::of(c).before_request()).unwrap_or(0);
    start(c) + std::time::Duration::from_millis(before)
}

/// The mark of a total that is not final yet.
fn plus(c: &Context<'_>, out: &mut Out) {
    if c.early {
        out.push(b'+');
    }
}

fn termination(c: &Context<'_>, out: &mut Out) {
    out.extend_from_slice(&c.stream.map_or(*b"PR", |s| s.outcome.letters()));
}

fn retries(c: &Context<'_>, out: &mut Out) {
    let proxy = c.stream.and_then(|s| s.backend()).unwrap_or(c.frontend);
    match c.stream.filter(|s| s.times.queued.is_some()) {
        Some(stream) => {
            if stream.redispatched {
                out.push(b'+');
            }
            int(out, stream.retries);
        }
        // No server to connect to.
        None if proxy.mode == Mode::Tcp
            && c.stream.is_some_and(|s| s.outcome.when == When::Connect) =>
        {
            int(out, 0);
        }
        // Nothing was tried, so all retries are left: HAProxy prints their number, which only proxies
        // with servers have.
        None => int(out, if proxy.backend.is_some() { proxy.retries } else { 0 }),
    }
}

/// How much of a request line is kept (`tune.http.logurilen`).
fn request_line<'a>(c: &'a Context<'_>) -> Option<&'a [u8]> {
    let line = c.stream.map(|s| s.request_line.as_slice()).filter(|line| !line.is_empty())?;
    line.get(..c.frontend.log.uri_length).or(Some(line))
}

const BAD: &[u8] = b"<BADREQ>";

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A request line's method, target and version, each empty when it is missing.
fn request_parts(line: &[u8]) -> [&[u8]; 3] {
    let first = line.iter().position(|b| is_blank(*b)).unwrap_or(line.len());
    let (method, rest) = line.split_at(first);
    let skip = rest.iter().position(|b| !is_blank(*b)).unwrap_or(rest.len());
    let rest = rest.get(skip..).unwrap_or_default();
    let end = rest.iter().position(|b| is_blank(*b)).unwrap_or(rest.len());
    let (target, rest) = rest.split_at(end);
    let skip = rest.iter().position(|b| !is_blank(*b)).unwrap_or(rest.len());
    [method, target, rest.get(skip..).unwrap_or_default()]
}

/// Writes a part of the request line that `find` takes out of a line with at least one blank.
fn request_part(
    c: &Context<'_>,
    options: Options,
    out: &mut Out,
    find: for<'a> fn([&'a [u8]; 3]) -> &'a [u8],
) {
    let line = request_line(c).filter(|line| line.iter().any(|b| is_blank(*b)));
    let part = line.map_or(BAD, |line| find(request_parts(line)));
    escape::quoted(out, options, &escape::URI, part);
}

fn query(c: &Context<'_>, options: Options, out: &mut Out) {
    let part = request_line(c).map_or(BAD, |line| {
        let line = memchr::memchr(b'?', line).and_then(|at| line.get(at..)).unwrap_or_default();
        let end = line.iter().position(|b| is_blank(*b)).unwrap_or(line.len());
        line.get(..end).unwrap_or_default()
    });
    escape::quoted(out, options, &escape::URI, part);
}

/// The values of the first `count` slots.
fn slots(values: &Values, count: usize) -> impl Iterator<Item = Option<&[u8]>> {
    (0..count).map(|index| values.get(index)?.as_deref())
}

/// `{first|second}`; nothing without slots.
fn captured(options: Options, out: &mut Out, values: &Values, count: usize) {
    if count == 0 {
        return;
    }
    let quote = options.has(Options::QUOTE);
    if quote {
        out.push(b'"');
    }
    for (at, value) in slots(values, count).enumerate() {
        out.push(if at > 0 { b'|' } else { b'{' });
        escape::encode(out, options, b'#', &escape::HEADER, value.unwrap_or_default());
    }
    out.push(b'}');
    if quote {
        out.push(b'"');
    }
}

/// `first second`
fn captured_list(options: Options, out: &mut Out, values: &Values, count: usize) {
    for (at, value) in slots(values, count).enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        match value {
            Some(value) => escape::quoted(out, options, &escape::HEADER, value),
            None if options.has(Options::QUOTE) => out.extend_from_slice(b"\"\""),
            None => out.push(b'-'),
        }
    }
}

fn request_captures(c: &Context<'_>, write: impl FnOnce(&Values, usize)) {
    if let Some(stream) = c.stream {
        write(&stream.captures.borrow().0, c.frontend.rules.captures.request.len());
    }
}

fn response_captures(c: &Context<'_>, write: impl FnOnce(&Values, usize)) {
    if let Some(stream) = c.stream {
        write(&stream.captures.borrow().1, c.frontend.rules.captures.response.len());
    }
}

fn sessions(proxy: &Proxy) -> u32 {
    match (&proxy.frontend, &proxy.backend) {
        (_, Some(backend)) => backend.state.counters.sessions.get(),
        (Some(frontend), None) => frontend.state.counters.sessions.get(),
        (None, None) => 0,
    }
}

fn frontend_sessions(c: &Context<'_>) -> u32 {
    c.frontend.frontend.as_ref().map_or(0, |f| f.state.counters.sessions.get())
}

/// Sessions of the backend; a frontend that chose none has none.
fn backend_sessions(c: &Context<'_>) -> u32 {
    c.stream.and_then(Stream::backend).map_or(0, sessions)
}

fn host_name(c: &Context<'_>, options: Options, out: &mut Out) {
    escape::text(out, options, Some(&c.frontend.log.host));
}

const fn row(
    name: &'static str,
    doc: &'static str,
    write: fn(&LogContext<'_>, Options, &mut Vec<u8>),
) -> LogVariable {
    LogVariable { name, doc, write, status: Status::Works, ..LogVariable::NEW }
}

const fn http(
    name: &'static str,
    doc: &'static str,
    write: fn(&LogContext<'_>, Options, &mut Vec<u8>),
) -> LogVariable {
    LogVariable { http: true, ..row(name, doc, write) }
}

const fn old(
    name: &'static str,
    new: &'static str,
    write: fn(&LogContext<'_>, Options, &mut Vec<u8>),
) -> LogVariable {
    LogVariable { replaced_by: Some(new), ..row(name, "An old name.", write) }
}

fn client_ip(c: &Context<'_>, options: Options, out: &mut Out) {
    ip(out, options, Some(&c.session.source()));
}

fn client_port(c: &Context<'_>, options: Options, out: &mut Out) {
    port(c, out, options, Some(&c.session.source()));
}

fn frontend_ip(c: &Context<'_>, options: Options, out: &mut Out) {
    ip(out, options, c.session.destination().as_deref());
}

fn frontend_port(c: &Context<'_>, options: Options, out: &mut Out) {
    port(c, out, options, c.session.destination().as_deref());
}

fn backend_ip(c: &Context<'_>, options: Options, out: &mut Out) {
    ip(out, options, server_source(c));
}

fn backend_port(c: &Context<'_>, options: Options, out: &mut Out) {
    port(c, out, options, server_source(c));
}

fn server_ip(c: &Context<'_>, options: Options, out: &mut Out) {
    ip(out, options, server_address(c).as_ref());
}

fn server_port(c: &Context<'_>, options: Options, out: &mut Out) {
    port(c, out, options, server_address(c).as_ref());
}

fn status(c: &Context<'_>, _: Options, out: &mut Out) {
    match c.stream.map(|s| s.status) {
        // HAProxy's value before a response is known.
        Some(0) if c.frontend.mode == Mode::Http => out.extend_from_slice(b"-1"),
        status => int(out, status.unwrap_or(0)),
    }
}

fn nothing(_: &Context<'_>, options: Options, out: &mut Out) {
    escape::text(out, options, None);
}

fn request_cookie(c: &Context<'_>, options: Options, out: &mut Out) {
    let found = c.stream.and_then(|s| s.persisted.as_ref());
    escape::text(out, options, found.and_then(|p| p.captured.0.as_deref()));
}

fn response_cookie(c: &Context<'_>, options: Options, out: &mut Out) {
    let found = c.stream.and_then(|s| s.persisted.as_ref());
    escape::text(out, options, found.and_then(|p| p.captured.1.as_deref()));
}

/// The rows of this family.
pub const PART: Part = Part { log_variables: VARIABLES, ..Part::NONE };

const VARIABLES: &[LogVariable] = &[
    row("B", "Bytes sent to the client.", |c, _, out| {
        plus(c, out);
        int(out, c.stream.map_or(0, |s| s.bytes_out));
    }),
    old("Bi", "bi", backend_ip),
    old("Bp", "bp", backend_port),
    http("CC", "The request's captured cookie.", request_cookie),
    http("CS", "The response's captured cookie.", response_cookie),
    old("Ci", "ci", client_ip),
    old("Cp", "cp", client_port),
    old("Fi", "fi", frontend_ip),
    old("Fp", "fp", frontend_port),
    row("H", "This host's name.", host_name),
    http("HM", "The request's method.", |c, o, out| request_part(c, o, out, |[method, ..]| method)),
    http("HP", "The request's path.", |c, o, out| {
        request_part(c, o, out, |[_, target, _]| {
            memchr::memchr(b'?', target).and_then(|at| target.get(..at)).unwrap_or(target)
        });
    }),
    http("HQ", "The request's query, with its question mark.", query),
    http("HU", "The request's target.", |c, o, out| {
        request_part(c, o, out, |[_, target, _]| target)
    }),
    http("HV", "The request's version.", |c, o, out| {
        request_part(
            c,
            o,
            out,
            |[_, _, version]| {
                if version.is_empty() { b"HTTP/0.9" } else { version }
            },
        );
    }),
    row("ID", "The unique id.", |c, o, out| {
        // It is made when the line is written at the latest.
        let id = c.stream.and_then(|s| match c.phase {
            Phase::Log => unique_id::of(s),
            _ => s.unique_id.borrow().clone(),
        });
        escape::text(out, o, id.as_deref());
    }),
    row("ST", "The status sent to the client.", status),
    old("Si", "si", server_ip),
    old("Sp", "sp", server_port),
    row("T", "When the stream began, at Greenwich.", |c, _, out| date::write_utc(out, start(c))),
    http(
        "TR",
        "Milliseconds from the request's first byte to the end of its head.",
        |c, _, out| {
            int(out, Timers::of(c).request());
        },
    ),
    http("Ta", "Milliseconds from the request's first byte to the end.", |c, _, out| {
        plus(c, out);
        int(out, Timers::of(c).active());
    }),
    row("Tc", "Milliseconds for connecting to the server.", |c, _, out| {
        int(out, Timers::of(c).connect());
    }),
    row("Td", "Milliseconds for the data.", |c, _, out| {
        int(out, Timers::of(c).data(backend(c).mode == Mode::Http));
    }),
    row("Th", "Milliseconds for handshakes.", |c, _, out| int(out, Timers::of(c).handshake())),
    http("Ti", "Milliseconds before the request's first byte.", |c, _, out| {
        int(out, Timers::of(c).idle());
    }),
    row("Tl", "When the stream began, in local time.", |c, _, out| {
        date::write_local(out, start(c));
    }),
    http("Tq", "Milliseconds to the end of the request's head.", |c, _, out| {
        int(out, Timers::of(c).all_request());
    }),
    http("Tr", "Milliseconds for the head of the server's response.", |c, _, out| {
        int(out, Timers::of(c).response());
    }),
    row("Ts", "When the stream began, in seconds since 1970.", |c, o, out| {
        number(out, o, start(c).as_secs(), 4);
    }),
    row("Tt", "Milliseconds in total.", |c, _, out| {
        plus(c, out);
        int(out, Timers::of(c).total());
    }),
    row("Tu", "Milliseconds in total, idle time left out.", |c, _, out| {
        plus(c, out);
        int(out, Timers::of(c).user());
    }),
    row("Tw", "Milliseconds in queues.", |c, _, out| int(out, Timers::of(c).queue())),
    row("U", "Bytes received from the client.", |c, _, out| {
        int(out, c.stream.map_or(0, |s| s.bytes_in));
    }),
    row("ac", "Connections of the process.", |c, _, out| {
        int(out, c.session.thread.shared.counters.connections.get());
    }),
    row("b", "The backend's name.", |c, o, out| {
        escape::text(out, o, Some(backend(c).name.as_bytes()));
    }),
    row("bc", "Sessions of the backend.", |c, _, out| int(out, backend_sessions(c))),
    row("bi", "The address the server was connected from.", backend_ip),
    row("bp", "The port the server was connected from.", backend_port),
    row("bq", "Place in the backend's queue.", |c, _, out| {
        int(out, c.stream.map_or(0, |s| s.queue_position.1));
    }),
    http("cc", "An old name.", request_cookie).replaced_by("CC"),
    row("ci", "The client's address.", client_ip),
    row("cp", "The client's port.", client_port),
    http("cs", "An old name.", response_cookie).replaced_by("CS"),
    row("f", "The frontend's name.", |c, o, out| {
        escape::text(out, o, Some(c.frontend.name.as_bytes()));
    }),
    row("fc", "Sessions of the frontend.", |c, _, out| int(out, frontend_sessions(c))),
    row("fi", "The address the client connected to.", frontend_ip),
    row("fp", "The port the client connected to.", frontend_port),
    row("ft", "The frontend's name, with a ~ for TLS.", frontend_transport),
    row("hr", "Captured request headers, in braces.", |c, o, out| {
        request_captures(c, |values, count| captured(o, out, values, count));
    }),
    row("hrl", "Captured request headers, as a list.", |c, o, out| {
        request_captures(c, |values, count| captured_list(o, out, values, count));
    }),
    row("hs", "Captured response headers, in braces.", |c, o, out| {
        response_captures(c, |values, count| captured(o, out, values, count));
    }),
    row("hsl", "Captured response headers, as a list.", |c, o, out| {
        response_captures(c, |values, count| captured_list(o, out, values, count));
    }),
    row("lc", "The frontend's log lines so far.", |c, o, out| {
        number(out, o, c.frontend.log.count(), 4);
    }),
    row("ms", "The milliseconds of when the stream began.", |c, o, out| {
        let ms = start(c).subsec_millis();
        if o.has(Options::HEXA) { number(out, o, ms.into(), 2) } else { date::three(out, ms) }
    }),
    row("o", "Nothing itself: its flags hold for every variable behind it.", |_, _, _| {}),
    row("pid", "This process's number.", |_, o, out| number(out, o, std::process::id().into(), 4)),
    http("r", "The request line.", |c, o, out| {
        escape::quoted(out, o, &escape::URI, request_line(c).unwrap_or(BAD));
    }),
    row("rc", "Retries, after a + when another server was chosen.", |c, _, out| retries(c, out)),
    row("rt", "The request's number in this process.", |c, o, out| {
        let next = || c.session.thread.shared.number();
        number(out, o, c.stream.map_or_else(next, |s| s.number), 4);
    }),
    row("s", "The server's name.", server_name),
    row("sc", "Sessions of the server.", |c, _, out| {
        int(out, server(c).map_or(0, |s| s.status.counters.sessions.get()));
    }),
    row("si", "The server's address.", server_ip),
    row("sp", "The server's port.", server_port),
    row("sq", "Place in the server's queue.", |c, _, out| {
        int(out, c.stream.map_or(0, |s| s.queue_position.0));
    }),
    LogVariable {
        status: Status::Planned,
        ..row("sslc", "The cipher on the client's side.", nothing)
    },
    LogVariable {
        status: Status::Planned,
        ..row("sslv", "The TLS version on the client's side.", nothing)
    },
    http("st", "An old name.", status).replaced_by("ST"),
    row("t", "When the stream began.", |c, _, out| date::write_log(out, start(c))),
    http("tr", "When the request's first byte came.", |c, _, out| {
        date::write_log(out, request_start(c));
    }),
    http("trg", "When the request's first byte came, at Greenwich.", |c, _, out| {
        date::write_utc(out, request_start(c));
    }),
    http("trl", "When the request's first byte came, in local time.", |c, _, out| {
        date::write_local(out, request_start(c));
    }),
    row("ts", "How it ended: two letters.", |c, _, out| termination(c, out)),
    row("tsc", "How it ended, and what happened to cookies: four letters.", |c, _, out| {
        termination(c, out);
        out.extend_from_slice(&c.stream.map_or(*b"--", persist::letters));
    }),
];

impl LogVariable {
    const fn replaced_by(self, new: &'static str) -> LogVariable {
        LogVariable { replaced_by: Some(new), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_have_three_parts() {
        assert_eq!(request_parts(b"GET  /a?b HTTP/1.1"), [&b"GET"[..], b"/a?b", b"HTTP/1.1"]);
        assert_eq!(request_parts(b"GET /"), [&b"GET"[..], b"/", b""]);
        assert_eq!(request_parts(b"GET"), [&b"GET"[..], b"", b""]);
    }

    #[test]
    fn captures_in_braces_and_as_a_list() {
        let values = vec![Some(b"a|b".to_vec()), None, Some(Vec::new())];
        let mut out = Vec::new();
        captured(Options::default(), &mut out, &values, 3);
        assert_eq!(out, b"{a#7Cb||}");
        out.clear();
        captured_list(Options::default(), &mut out, &values, 4);
        assert_eq!(out, b"a#7Cb -  -");
        out.clear();
        captured_list(Options::QUOTE, &mut out, &values, 3);
        assert_eq!(out, b"\"a#7Cb\" \"\" \"\"");
    }

    #[test]
    fn hexadecimal_numbers_have_a_least_width() {
        let mut out = Vec::new();
        number(&mut out, Options::HEXA, 7, 4);
        number(&mut out, Options::default(), 7, 4);
        assert_eq!(out, b"00077");
    }
}
