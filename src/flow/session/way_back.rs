//! A server's response comes in: its head is read, rules and filters see it, and it goes to the
//! client with its body. Body bytes that nobody looks at do not pass through the message model.

use std::cell::Cell;

use crate::check::observe::Event;
use crate::control::process::console;
use crate::flow::http::h1::body::{self, Decoder};
use crate::flow::http::h1::framing::{self, Body, Framing};
use crate::flow::http::h1::head::{self, HeadError, Limits, Partial};
use crate::flow::http::h1::progress::Progress;
use crate::flow::http::h1::write::{self, Connection};
use crate::flow::http::message::Version;
use crate::flow::log::format::LogContext;
use crate::flow::phase::Phase;
use crate::flow::rules::{self, Verdict, capture};
use crate::flow::server::persist::{self, ResponseFate};
use crate::flow::server::retry::RetryOn;
use crate::flow::server::stick;
use crate::flow::session::exchange::{
    END, Ending, after_response_rules, count_denied, count_internal_error, too_large,
};
use crate::flow::session::filter::{self, Relay};
use crate::flow::session::forward::{Limited, ServerAfter, retries};
use crate::flow::session::outcome::{When, Who};
use crate::flow::session::reframe::Reframe;
use crate::flow::session::{Stream, bad_message, inspect, reply, request_body};
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::{Follows, Reader, Writer};
use crate::flow::transport::timer::Timer;
use crate::state::counters::{Counter, Counters};
use crate::state::server_change::ServerChange;
use crate::state::world::Proxy;
use crate::sys;

/// How the response is brought back.
pub(super) struct WayBack {
    pub(super) timeouts: Limited,
    pub(super) keep_server: bool,
    pub(super) reused: bool,
}

impl WayBack {
    /// Reads the response's head, applies the rules, sends it on with its body.
    pub(super) async fn respond(
        &self,
        stream: &mut Stream<'_>,
        server: &mut ServerSide<'_, '_>,
        to_client: &mut Writer<'_>,
        timer: &mut Timer,
    ) -> Result<ServerAfter, Ending> {
        let framing = loop {
            let framing = match self.receive_head(stream, server, timer).await? {
                Received::Head(framing) => framing,
                Received::Lost => return Ok(ServerAfter::Lost),
                Received::Again => return Ok(ServerAfter::Again),
            };
            if !matches!(stream.response.status, 100 | 102..=199) {
                break framing;
            }
            self.interim(stream, to_client, timer).await?;
        };
        if retries(stream, |on| on.has_status(stream.response.status)) {
            return Ok(ServerAfter::Again);
        }
        if inspect::looks_at_response(stream)
            && inspect::response_head(stream, stream.session.fd())?
        {
            return Err(no_response(stream));
        }
        stream.bytes_out += stream.response.counted_size();
        stream.times.response = Some(stream.times.elapsed());
        stream.status = stream.response.status;
        count_response(stream);
        // After this answer the connection speaks something else.
        let upgrade = stream.status == 101
            || (stream.request.method() == b"CONNECT" && (200..300).contains(&stream.status));
        filter::response(stream, framing.body);
        stick::store(stream, Phase::Response);
        stream.variables.end_request();
        capture::response_headers(stream);
        if stream.world.looks_at_response_bodies {
            request_body::look_at_response(stream, framing.body, server.input.filled());
        }
        if let Err(ending) = response_rules(stream) {
            count_unsent(stream, server.input, framing.body);
            return Err(ending);
        }
        if persist::answer(stream) == ResponseFate::Blocked {
            return Err(blocked_cookie(stream));
        }
        let framing = Framing { upgrade, ..framing };
        self.forward(stream, server, to_client, timer, framing).await
    }

    /// Reads until the head is complete.
    async fn receive_head(
        &self,
        stream: &mut Stream<'_>,
        server: &mut ServerSide<'_, '_>,
        timer: &mut Timer,
    ) -> Result<Received, Ending> {
        let longest = stream.world.global.bufsize.saturating_sub(stream.world.global.maxrewrite);
        let mut seen = 0;
        let mut partial = Partial::default();
        loop {
            if let Some(length) = head::length(server.input.filled(), seen) {
                let parsed = parse_response(stream, server.input, length, longest);
                return again_or(stream, parsed.map(Received::Head), RetryOn::JUNK);
            }
            seen = server.input.filled().len();
            if let Err(error) = check_partial(&mut partial, server.input, limits(stream), longest) {
                bad_message::response(stream, server.input, error);
                let failure = bad_response(stream);
                return again_or(stream, Err(failure), RetryOn::JUNK);
            }
            match timer.within(self.timeouts.server, server.reader.read(server.input)).await {
                Ok(Ok(count)) if count > 0 => {}
                Ok(_) if self.reused && seen == 0 => return Ok(Received::Lost),
                Ok(Ok(_)) if retries(stream, |on| on.has(RetryOn::EMPTY)) => {
                    return Ok(Received::Again);
                }
                Ok(_) => {
                    let failure = no_response(stream);
                    return again_or(stream, Err(failure), RetryOn::EMPTY);
                }
                Err(_) if retries(stream, |on| on.has(RetryOn::TIMEOUT)) => {
                    return Ok(Received::Again);
                }
                Err(_) => return Err(late_response(stream)),
            }
        }
    }

    /// Passes a 1xx response on; HTTP/1.0 clients do not know them.
    async fn interim(
        &self,
        stream: &mut Stream<'_>,
        to_client: &mut Writer<'_>,
        timer: &mut Timer,
    ) -> Result<(), Ending> {
        stream.bytes_out += stream.response.counted_size();
        if stream.request.version >= Version::HTTP_11 {
            let mut out = Vec::new();
            write::response(&stream.response, Connection::Implied, stream.client_names(), &mut out);
            self.send(stream, to_client, timer, (&out, Follows::Unknown)).await?;
        }
        stream.response.clear();
        Ok(())
    }

    pub(super) async fn send(
        &self,
        stream: &mut Stream<'_>,
        to_client: &mut Writer<'_>,
        timer: &mut Timer,
        (bytes, follows): (&[u8], Follows),
    ) -> Result<(), Ending> {
        match timer.within(self.timeouts.client, to_client.write_all(bytes, follows)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => {
                count_abort(stream, |c| &c.client_aborts);
                Err(Ending::silent(stream.status, Who::Client, When::Data))
            }
            Err(_) => {
                count_abort(stream, |c| &c.client_aborts);
                Err(Ending::silent(stream.status, Who::ClientTimeout, When::Data))
            }
        }
    }

    /// Sends the head and the body on.
    async fn forward(
        &self,
        stream: &mut Stream<'_>,
        server: &mut ServerSide<'_, '_>,
        to_client: &mut Writer<'_>,
        timer: &mut Timer,
        framing: Framing,
    ) -> Result<ServerAfter, Ending> {
        let chunked = sends_chunks(stream, framing.body);
        stream.framing.keep_alive &= !stream.session.thread.stopping.get();
        if !after_response_rules(stream) {
            count_unsent(stream, server.input, framing.body);
            return Err(response_failed(stream));
        }
        let filtered = !framing.upgrade && filter::head(stream);
        log_early(stream, framing.body, server.input);
        let connection = match framing.upgrade {
            true => Connection::Implied,
            false => reply::connection(stream, stream.framing.keep_alive),
        };
        let mut out = std::mem::take(&mut stream.reply_body);
        out.clear();
        write::response(&stream.response, connection, stream.client_names(), &mut out);
        if framing.upgrade {
            self.send(stream, to_client, timer, (&out, Follows::Unknown)).await?;
            let at_hand = std::mem::replace(server.input, Buffer::take());
            return Ok(ServerAfter::Tunnel(Some(at_hand).filter(|b| !b.is_empty())));
        }
        if filtered {
            let relay = Relay { way: self, to_client, timer, framing, chunked };
            return Box::pin(relay.run(stream, server, out)).await;
        }
        let mut decoder = Decoder::new(framing.body);
        let mut reframe = Reframe::new(chunked);
        let moved = Cell::new(0u64);
        loop {
            let plain = if chunked || !out.is_empty() { 0 } else { decoder.run() };
            let plain =
                server.input.filled().len().min(usize::try_from(plain).unwrap_or(usize::MAX));
            if plain > 0 {
                // Nobody looks at these bytes: they go out from where they came in.
                let bytes = server.input.filled().get(..plain).unwrap_or_default();
                decoder.moved(plain as u64);
                let follows = follows(stream, &decoder);
                self.send(stream, to_client, timer, (bytes, follows)).await?;
                stream.bytes_out += plain as u64;
                server.input.consume(plain);
            }
            let received = server.input.filled().len();
            let bad = reframe.run(&mut decoder, server.input, &mut out, &moved).is_err();
            stream.bytes_out += moved.take();
            if bad {
                let consumed = received - server.input.filled().len() + plain;
                return Err(bad_response_body(stream, server.input, &decoder, consumed));
            }
            if !out.is_empty() {
                let follows = follows(stream, &decoder);
                self.send(stream, to_client, timer, (&out, follows)).await?;
                out.clear();
            }
            if decoder.is_done() {
                let chunked = framing.body == Body::Chunked;
                stream.bytes_out += END + u64::from(chunked);
                break;
            }
            if !chunked && decoder.run() > server.input.capacity() as u64 && server.input.is_empty()
            {
                *server.input = Buffer::take_large();
            }
            match timer.within(self.timeouts.server, server.reader.read(server.input)).await {
                Ok(Ok(count)) if count > 0 => {}
                Ok(Ok(_)) if decoder.may_close() => break,
                Ok(_) => return Err(broken_response(stream)),
                Err(_) => return Err(late_body(stream)),
            }
        }
        Ok(self.done(stream, server, (framing, decoder), out))
    }

    /// The body is sent: what becomes of the server's connection. `out` is memory for the next one.
    pub(super) fn done(
        &self,
        stream: &mut Stream<'_>,
        server: &ServerSide<'_, '_>,
        (framing, decoder): (Framing, Decoder),
        mut out: Vec<u8>,
    ) -> ServerAfter {
        out.clear();
        stream.reply_body = out;
        let clean = decoder.is_done() && server.input.is_empty();
        let keep = self.keep_server && framing.keep_alive && clean;
        if keep { ServerAfter::Keep } else { ServerAfter::Close }
    }
}

/// Writes the line that does not wait for the end. What has come of the body counts.
fn log_early(stream: &mut Stream<'_>, body: Body, input: &Buffer) {
    if !stream.frontend().is_some_and(|p| p.log.is_early()) {
        return;
    }
    let (data, complete) = body::at_hand(body, input.filled());
    let counted = data + if complete { END } else { 0 };
    stream.bytes_out += counted;
    if let Some(context) = LogContext::of_stream(stream, Phase::Log) {
        context.frontend.log.emit_early(&context);
    }
    stream.bytes_out -= counted;
}

/// The server's direction of a link.
pub(super) struct ServerSide<'a, 'b> {
    pub(super) reader: &'a mut Reader<'b>,
    pub(super) input: &'a mut Buffer,
}

/// What reading a response's head has come to.
enum Received {
    Head(Framing),
    /// A kept connection turns out to be closed.
    Lost,
    /// `retry-on` has it sent again.
    Again,
}

/// What has failed for this reason, or that the request is sent again.
fn again_or(
    stream: &Stream<'_>,
    received: Result<Received, Ending>,
    reason: RetryOn,
) -> Result<Received, Ending> {
    match received {
        Err(_) if retries(stream, |on| on.has(reason)) => Ok(Received::Again),
        received => received,
    }
}

/// Whether the client gets the body in chunks: older ones cannot read them, and are told by the
/// connection's end where it stops.
fn sends_chunks(stream: &mut Stream<'_>, body: Body) -> bool {
    let modern = stream.request.version >= Version::HTTP_11;
    if body == Body::Chunked && !modern {
        stream.response.remove(b"transfer-encoding");
    }
    if body == Body::UntilClose || (body == Body::Chunked && !modern) {
        stream.framing.keep_alive = false;
    }
    body == Body::Chunked && modern
}

/// What follows the bytes that were decoded last.
pub(super) fn follows(stream: &Stream<'_>, decoder: &Decoder) -> Follows {
    match decoder.is_done() && !stream.framing.keep_alive {
        true => Follows::End,
        false => Follows::Unknown,
    }
}

fn parse_response(
    stream: &mut Stream<'_>,
    input: &mut Buffer,
    length: usize,
    longest: usize,
) -> Result<Framing, Ending> {
    let limits = limits(stream);
    stream.response.clear();
    let text = input.filled().get(..length).unwrap_or_default();
    let mut parsed = head::parse_response(text, limits, &mut stream.response).and_then(|()| {
        framing::of_response(&mut stream.response, stream.request.method())
            .map_err(|error| error.within(text))
    });
    if length > longest {
        let reason = "the head is too large";
        parsed = Err(HeadError { position: length, progress: Progress::Data, reason });
    }
    let framing = match parsed {
        Ok(framing) => framing,
        Err(error) => {
            bad_message::response(stream, input, error);
            return Err(bad_response(stream));
        }
    };
    if framing.body == Body::Chunked
        && let Some(mistake) =
            body::first_mistake(framing.body, input.filled().get(length..).unwrap_or_default())
    {
        bad_message::response_body(stream, input, length, mistake);
        return Err(bad_response(stream));
    }
    input.consume(length);
    Ok(framing)
}

fn limits(stream: &Stream<'_>) -> Limits {
    Limits {
        fields: stream.world.global.maxhdr,
        accept_invalid: stream.backend().is_some_and(|p| p.options.accept_invalid_response),
    }
}

/// Looks at the part of a head that has come so far.
fn check_partial(
    partial: &mut Partial,
    input: &Buffer,
    limits: Limits,
    longest: usize,
) -> Result<(), HeadError> {
    partial.check_response(input.filled(), limits)?;
    too_large(partial, input.filled().len(), longest, input.is_full())
}

/// The response cannot be parsed.
fn bad_response(stream: &mut Stream<'_>) -> Ending {
    count_failed_response(stream);
    observe(stream, Event::InvalidHead);
    Ending::page(502, Who::Proxy, When::Headers).keeping()
}

/// The server closed without a response.
fn no_response(stream: &mut Stream<'_>) -> Ending {
    count_failed_response(stream);
    observe(stream, Event::Closed);
    Ending::page(502, Who::Server, When::Headers).keeping()
}

/// The server took too long.
fn late_response(stream: &mut Stream<'_>) -> Ending {
    count_failed_response(stream);
    observe(stream, Event::Timeout);
    Ending::page(504, Who::ServerTimeout, When::Headers).keeping()
}

/// The body broke off: the client must not take what it has for the whole.
pub(super) fn broken_response(stream: &mut Stream<'_>) -> Ending {
    count_abort(stream, |c| &c.server_aborts);
    count_failed_response(stream);
    Ending::silent(stream.status, Who::Server, When::Data)
}

/// The body's framing is wrong, after `consumed` bytes of what came last.
fn bad_response_body(
    stream: &Stream<'_>,
    input: &Buffer,
    decoder: &Decoder,
    consumed: usize,
) -> Ending {
    let data = stream.bytes_out.saturating_sub(stream.response.counted_size());
    bad_message::later_response_body(stream, input, (consumed, decoder.progress(), data));
    count_failed_response(stream);
    Ending::silent(stream.status, Who::Server, When::Data)
}

/// The body stopped coming.
pub(super) fn late_body(stream: &Stream<'_>) -> Ending {
    count_abort(stream, |c| &c.server_aborts);
    Ending::silent(stream.status, Who::ServerTimeout, When::Data)
}

fn count_failed_response(stream: &Stream<'_>) {
    count_abort(stream, |c| &c.failed_responses);
}

/// Counts for the backend and the server.
pub(super) fn count_abort(stream: &Stream<'_>, which: fn(&Counters) -> &Counter) {
    if let Some(backend) = stream.backend().and_then(|p| p.backend.as_ref()) {
        which(&backend.state.counters).inc();
    }
    if let Some(server) = stream.server() {
        which(&server.status.counters).inc();
    }
}

fn count_response(stream: &Stream<'_>) {
    if let Some(server) = stream.server() {
        server.status.counters.response(stream.status);
        server.status.counters.requests_total.inc();
        observe(stream, Event::of_status(stream.status));
    }
}

/// Tells whoever observes the server.
fn observe(stream: &Stream<'_>, event: Event) {
    if let Some((proxy, server)) = stream.backend().zip(stream.server())
        && server.observe.is_some()
    {
        ServerChange::new(proxy, server).observe(event);
    }
}

/// `option checkcache`: the response would be cached with its cookie.
pub(super) fn blocked_cookie(stream: &Stream<'_>) -> Ending {
    let name = |p: Option<&Proxy>| p.map_or(String::new(), |p| p.name.clone());
    let server = stream.server().map_or("<dispatch>", |s| &s.name);
    let text = format!(
        "Blocking cacheable cookie in response from instance {}, server {server}.",
        name(stream.backend())
    );
    if let Some(backend) = stream.backend() {
        backend.log.event(ALERT, &text);
    }
    console::alert(&text);
    count_abort(stream, |c| &c.denied_responses);
    stream.session.frontend_state().counters.denied_responses.inc();
    Ending::page(502, Who::Proxy, When::Headers)
}

/// Syslog's level of what must be looked at at once.
const ALERT: u8 = 1;

/// `http-response` rules, of the backend and then the frontend.
pub(super) fn response_rules(stream: &mut Stream<'_>) -> Result<(), Ending> {
    let world = stream.world.clone();
    let frontend = Some(stream.frontend).filter(|f| Some(*f) != stream.backend);
    for index in stream.backend.into_iter().chain(frontend) {
        let Some(proxy) = world.proxies.get(index) else { continue };
        match rules::run(&proxy.rules.http_response, stream, Phase::Response) {
            Verdict::Continue | Verdict::Allow => {}
            Verdict::Answered => {
                stream.times.response = None;
                return Err(Ending::answered(Who::Local, When::Headers).keeping());
            }
            verdict @ (Verdict::Deny(_) | Verdict::Refused) => {
                count_abort(stream, |c| &c.denied_responses);
                stream.session.frontend_state().counters.denied_responses.inc();
                stream.times.response = None;
                let ending = match verdict {
                    Verdict::Deny(status) => Ending::page(status, Who::Proxy, When::Headers),
                    _ => Ending::answered(Who::Proxy, When::Headers),
                };
                return Err(ending.keeping());
            }
            Verdict::SilentDrop => {
                sys::forget_connection(stream.session.fd());
                count_denied(stream);
                stream.times.response = None;
                return Err(Ending::silent(stream.status, Who::Proxy, When::Request));
            }
            _ => return Err(response_failed(stream)),
        }
    }
    Ok(())
}

/// A rule could not do what it must: 500.
fn response_failed(stream: &mut Stream<'_>) -> Ending {
    count_internal_error(stream);
    if let Some(server) = stream.server() {
        // As HAProxy does: once for the rule and once for the response.
        server.status.counters.internal_errors.add(2);
    }
    stream.times.response = None;
    Ending::page(500, Who::Proxy, When::Headers).keeping()
}

/// What has come of a body that goes nowhere is counted all the same.
fn count_unsent(stream: &mut Stream<'_>, input: &mut Buffer, body: Body) {
    let mut decoder = Decoder::new(body);
    let counted = Cell::new(0);
    let whole = Reframe::new(false).run(&mut decoder, input, &mut Vec::new(), &counted).is_ok();
    stream.bytes_out += counted.get();
    if whole && decoder.is_done() {
        stream.bytes_out += END + u64::from(body == Body::Chunked);
    }
}
