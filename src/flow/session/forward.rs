//! A request goes to a server and its response comes back: `run` is the exchange itself, the rest
//! counts and cleans up. Body bytes that nobody looks at do not pass through the message model.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use crate::control::process::console;
use crate::flow::http::h1::body::{Decoder, Step};
use crate::flow::http::h1::framing::{self, Body, Framing};
use crate::flow::http::h1::head::{self, Limits};
use crate::flow::http::h1::write::{self, Connection};
use crate::flow::http::message::Version;
use crate::flow::http::options::{ForwardFor, HttpOptions, KeepAlive};
use crate::flow::http::unique_id;
use crate::flow::log::format::LogContext;
use crate::flow::phase::Phase;
use crate::flow::rules::{self, Verdict, capture};
use crate::flow::server::assign::{self, Link, Slot};
use crate::flow::server::own_links;
use crate::flow::server::persist::{self, ResponseFate};
use crate::flow::server::retry::RetryOn;
use crate::flow::server::stick;
use crate::flow::session::exchange::{END, Ending, after_response_rules, bad_body};
use crate::flow::session::http::After;
use crate::flow::session::outcome::{When, Who};
use crate::flow::session::{Client, Session, Stream, inspect, reply, tunnel};
use crate::flow::threads::View;
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::{Follows, Reader, Writer};
use crate::flow::transport::timer::Timer;
use crate::sample::pattern::in_network;
use crate::state::clock;
use crate::state::counters::Counters;
use crate::state::world::{Proxy, World};

/// A stream counted in its backend as long as this lives.
#[derive(Debug)]
pub struct BackendSession {
    world: View,
    backend: usize,
}

impl BackendSession {
    /// Counts the stream in.
    pub fn begin(stream: &Stream<'_>, backend: usize) -> BackendSession {
        let session = BackendSession { world: stream.world.clone(), backend };
        if let Some(counters) = session.counters() {
            counters.sessions.enter();
            counters.sessions_total.inc();
            counters.requests_total.inc();
            counters.session_rate.event(clock::now_ms());
        }
        session
    }

    fn counters(&self) -> Option<&Counters> {
        let backend = self.world.proxies.get(self.backend)?.backend.as_ref()?;
        Some(&backend.state.counters)
    }
}

impl Drop for BackendSession {
    fn drop(&mut self) {
        if let Some(counters) = self.counters() {
            counters.sessions.leave();
        }
    }
}

/// Last changes to a request before it goes to a server: `unique-id-header`, `option forwardfor`,
/// `option originalto`.
pub fn prepare(stream: &mut Stream<'_>) {
    unique_id::add_header(stream);
    add_address(stream, |o| &o.forward_for, |session| session.source().ip());
    // As HAProxy does, the destination only when it is an IPv4 one.
    let destination = |session: &Session| session.destination()?.ip().filter(IpAddr::is_ipv4);
    add_address(stream, |o| &o.original_to, destination);
}

fn add_address(
    stream: &mut Stream<'_>,
    which: impl Fn(&HttpOptions) -> &Option<ForwardFor>,
    address: impl Fn(&Session) -> Option<IpAddr>,
) {
    let world = stream.world.clone();
    let of = |index: Option<usize>| {
        index.and_then(|i| world.proxies.get(i)).and_then(|p| which(&p.options).as_ref())
    };
    let (frontend, backend) = (of(Some(stream.frontend)), of(stream.backend));
    if let Some(option) = backend.or(frontend)
        && let Some(address) = address(stream.session)
        && wants_forward_for(stream, address, option, frontend)
    {
        let text = address.to_canonical().to_string();
        stream.request.add(option.header.as_bytes(), text.as_bytes());
    }
}

fn wants_forward_for(
    stream: &Stream<'_>,
    client: IpAddr,
    option: &ForwardFor,
    frontend: Option<&ForwardFor>,
) -> bool {
    let excepted = |o: &ForwardFor| o.except.is_some_and(|network| in_network(client, network));
    let if_none = option.if_none && frontend.is_none_or(|f| f.if_none);
    let there = if_none && stream.request.has(option.header.as_bytes());
    let exempt = excepted(option) || frontend.is_some_and(excepted);
    !(there || exempt)
}

/// What became of the server's connection.
enum ServerAfter {
    /// It can serve another request.
    Keep,
    /// It is closed.
    Close,
    /// The protocol was changed: bytes are copied both ways from here on, those at hand first.
    Tunnel(Option<Buffer>),
    /// Nothing came back on a connection that had served before: it may have been closed meanwhile.
    Lost,
    /// The answer, or its lack, is a reason to send the request again (`retry-on`).
    Again,
}

/// Sends the request, brings the response back.
pub async fn run(stream: &mut Stream<'_>, client: &mut Client) -> Result<After, Ending> {
    let result = through_server(stream, client).await;
    stream.server_disconnected();
    result
}

async fn through_server(stream: &mut Stream<'_>, client: &mut Client) -> Result<After, Ending> {
    let mut link = assign::connect(stream, &mut client.timer, false).await?;
    loop {
        let after = exchange(stream, client, &mut link).await?;
        match after {
            ServerAfter::Lost if repeatable(stream) => {
                drop(link);
                link = assign::connect(stream, &mut client.timer, true).await?;
            }
            ServerAfter::Lost => {
                // The client is expected to repeat what was sent on a kept connection.
                return Err(Ending::silent(0, Who::Server, When::Headers));
            }
            ServerAfter::Again => {
                link = Box::pin(assign::again(stream, &mut client.timer, link)).await?;
            }
            ServerAfter::Tunnel(at_hand) => {
                return tunnel::upgraded(stream, client, link, at_hand).await;
            }
            after => {
                let keep_client = stream.framing.keep_alive;
                if !keep_client {
                    end(client);
                }
                release(stream, link, matches!(after, ServerAfter::Keep));
                if keep_client {
                    return Ok(After::Rest);
                }
                if client.input.is_some() {
                    drain(client).await;
                }
                return Ok(After::Close);
            }
        }
    }
}

/// Whether a request may be sent again without asking (RFC 9110 9.2.2).
fn repeatable(stream: &Stream<'_>) -> bool {
    let idempotent = matches!(
        stream.request.method(),
        b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE"
    );
    idempotent && stream.framing.body == Body::None
}

/// Whether `retry-on` may ask for the request once more after it was sent.
fn may_be_repeated(stream: &Stream<'_>) -> bool {
    let retry_on = stream.backend().map(|p| p.options.retry_on);
    !stream.retries_disabled && retry_on.is_some_and(RetryOn::beyond_connecting)
}

/// Whether the request is sent again for this reason.
fn retries(stream: &Stream<'_>, is_reason: impl Fn(RetryOn) -> bool) -> bool {
    stream.kept_body.is_some()
        && stream
            .backend()
            .is_some_and(|p| stream.retries < p.retries && is_reason(p.options.retry_on))
}

/// Keeps a connection for the next request, or closes it.
fn release(stream: &Stream<'_>, link: Link, keep: bool) {
    let Link { socket, slot, reused } = link;
    if !keep {
        // No TIME_WAIT for a port that the next connection may need.
        socket.reset_on_close();
        return;
    }
    if let Some(server) = slot.server()
        && server.status.accepts_persistent()
    {
        own_links::note_authentication(stream);
        if own_links::is_own(stream, server) {
            let most = stream.frontend().map_or(0, |p| p.options.own_links);
            if stream.framing.keep_alive {
                stream.session.own_links.put(server, socket, most);
            }
            return;
        }
        server.pool.put(stream.session.thread.index, socket, reused, server.pool_max);
    }
}

/// The request's and the response's way at the same time.
async fn exchange(
    stream: &mut Stream<'_>,
    client: &mut Client,
    link: &mut Link,
) -> Result<ServerAfter, Ending> {
    let world = stream.world.clone();
    let timeouts = Limited::of(&world, stream);
    let keep_server = keeps_server(stream);
    let (mut from_client, mut to_client) = client.socket.split();
    if stream.framing.body != Body::None {
        link.socket.send_at_once();
    }
    let (mut from_server, mut to_server) = link.socket.split();
    let mut out = Buffer::take();
    let mut head = std::mem::take(&mut stream.reply_body);
    head.clear();
    name_server(stream, &link.slot);
    write::request(&stream.request, request_connection(stream, keep_server), &mut head);
    let head_length = head.len();
    let body = match &stream.kept_body {
        Some(body) => {
            head.extend_from_slice(body);
            Body::None
        }
        None => stream.framing.body,
    };
    let mut decoder = Decoder::new(body);
    let sent = Cell::new(u64::from(body == Body::Chunked));
    let mut reframe = Reframe::new(body == Body::Chunked);
    if !decoder.is_done()
        && let Some(input) = &mut client.input
    {
        // What is here already goes out with the head, in one packet.
        let bad = reframe.run(&mut decoder, input, &mut head, &sent).is_err();
        if bad {
            return Err(bad_body(stream));
        }
        client.input.take_if(|i| i.is_empty());
    }
    if decoder.is_done() && stream.kept_body.is_none() && may_be_repeated(stream) {
        stream.kept_body = head.get(head_length..).map(Into::into);
    }
    let written =
        client.timer.within(timeouts.server, to_server.write_all(&head, Follows::Unknown)).await;
    head.clear();
    stream.reply_body = head;
    let way_back = WayBack { timeouts, keep_server, reused: link.reused };
    if !matches!(written, Ok(Ok(()))) && link.reused && decoder.is_done() {
        return Ok(ServerAfter::Lost);
    }
    if decoder.is_done() {
        stream.bytes_in += sent.get();
        let mut server = ServerSide { reader: &mut from_server, input: &mut out };
        return way_back.respond(stream, &mut server, &mut to_client, &mut client.timer).await;
    }
    let mut upload_timer = Timer::default();
    let upload = upload(
        Upload {
            reader: &mut from_client,
            input: &mut client.input,
            decoder,
            reframe,
            sent: &sent,
        },
        &mut to_server,
        &mut upload_timer,
        timeouts,
    );
    let mut server = ServerSide { reader: &mut from_server, input: &mut out };
    let respond = way_back.respond(stream, &mut server, &mut to_client, &mut client.timer);
    let (result, uploaded) = both(pin!(upload), pin!(respond)).await;
    stream.bytes_in += sent.get();
    if !uploaded {
        stream.framing.keep_alive = false;
    }
    result.map(|after| if uploaded { after } else { ServerAfter::Close })
}

/// `http-send-name-header`: tells the server by which name it was chosen.
fn name_server(stream: &mut Stream<'_>, slot: &Slot) {
    let world = stream.world.clone();
    let backend = stream.backend.and_then(|b| world.proxies.get(b));
    if let Some(name) = backend.and_then(|p| p.options.send_name_header.as_deref())
        && let Some(server) = slot.server().filter(|_| stream.server.is_some())
    {
        stream.request.set(name, server.name.as_bytes());
    }
}

/// Runs upload and response together. The response decides, unless the client fails before it came.
/// Also says whether the upload is complete.
async fn both(
    mut upload: Pin<&mut impl Future<Output = Result<(), Ending>>>,
    mut respond: Pin<&mut impl Future<Output = Result<ServerAfter, Ending>>>,
) -> (Result<ServerAfter, Ending>, bool) {
    let mut uploaded = None;
    poll_fn(|cx| {
        if uploaded.is_none()
            && let Poll::Ready(result) = upload.as_mut().poll(cx)
        {
            if let Err(ending) = result {
                return Poll::Ready((Err(ending), false));
            }
            uploaded = Some(());
        }
        respond.as_mut().poll(cx).map(|after| (after, uploaded.is_some()))
    })
    .await
}

/// The timeouts that matter while data moves.
#[derive(Debug, Clone, Copy)]
struct Limited {
    client: Option<Duration>,
    server: Option<Duration>,
}

impl Limited {
    fn of(world: &World, stream: &Stream<'_>) -> Limited {
        let timeouts = |i: usize| world.proxies.get(i).map(|p| p.timeouts).unwrap_or_default();
        Limited {
            client: timeouts(stream.frontend).client,
            server: stream.backend.and_then(|b| timeouts(b).server),
        }
    }
}

/// Whether the server's connection is to be kept after this request.
fn keeps_server(stream: &Stream<'_>) -> bool {
    let keeps = |p: Option<&Proxy>| p.is_none_or(|p| p.options.keep_alive == KeepAlive::Both);
    keeps(stream.frontend()) && keeps(stream.backend()) && stream.framing.body != Body::UntilClose
}

fn request_connection(stream: &Stream<'_>, keep: bool) -> Connection {
    let pretend = || stream.backend().is_some_and(|p| p.options.pretend_keep_alive);
    match (keep || pretend(), stream.request.version >= Version::HTTP_11) {
        (true, true) => Connection::Implied,
        (true, false) => Connection::KeepAlive,
        (false, true) => Connection::Close,
        (false, false) => Connection::Implied,
    }
}

/// Takes a body's framing off and, where it goes on in chunks, puts ours on.
struct Reframe {
    chunked: bool,
    ended: bool,
}

impl Reframe {
    fn new(chunked: bool) -> Reframe {
        Reframe { chunked, ended: false }
    }

    /// Moves what is in `input` to `out`; data bytes are added to `count`.
    fn run(
        &mut self,
        decoder: &mut Decoder,
        input: &mut Buffer,
        out: &mut Vec<u8>,
        count: &Cell<u64>,
    ) -> Result<(), crate::flow::http::h1::body::BadBody> {
        loop {
            let bytes = input.filled();
            let taken = match decoder.step(bytes)? {
                Step::More => return Ok(()),
                Step::Done => {
                    self.end(out);
                    return Ok(());
                }
                Step::Skip(n) => n,
                Step::Trailer(n) => {
                    self.last_chunk(out);
                    let line = bytes.get(..n).unwrap_or_default().trim_ascii_end();
                    self.trailer(line, out);
                    count.set(count.get() + (line.len() as u64).saturating_sub(2));
                    n
                }
                Step::Data(n) => {
                    let data = bytes.get(..n).unwrap_or_default();
                    count.set(count.get() + n as u64);
                    if self.chunked {
                        write::chunk_size(n, out);
                        out.extend_from_slice(data);
                        out.extend_from_slice(b"\r\n");
                    } else {
                        out.extend_from_slice(data);
                    }
                    n
                }
            };
            input.consume(taken);
        }
    }

    /// A trailer goes on as headers do: with its name in lower case.
    fn trailer(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if self.chunked {
            let start = out.len();
            out.extend_from_slice(line);
            let name = line.iter().position(|b| *b == b':').unwrap_or(line.len());
            if let Some(name) = out.get_mut(start..start + name) {
                name.make_ascii_lowercase();
            }
            out.extend_from_slice(b"\r\n");
        }
    }

    fn last_chunk(&mut self, out: &mut Vec<u8>) {
        if self.chunked && !self.ended {
            out.extend_from_slice(b"0\r\n");
        }
        self.ended = true;
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.last_chunk(out);
        if self.chunked {
            out.extend_from_slice(b"\r\n");
            self.chunked = false;
        }
    }
}

/// What an upload reads from.
struct Upload<'a, 'b> {
    reader: &'a mut Reader<'b>,
    input: &'a mut Option<Buffer>,
    decoder: Decoder,
    reframe: Reframe,
    sent: &'a Cell<u64>,
}

/// Sends the rest of a request's body. A server that takes no more is not the upload's failure: its
/// response, or the lack of one, decides.
async fn upload(
    mut from: Upload<'_, '_>,
    to: &mut Writer<'_>,
    timer: &mut Timer,
    timeouts: Limited,
) -> Result<(), Ending> {
    let mut out = Vec::new();
    loop {
        let input = from.input.get_or_insert_with(Buffer::take);
        if from.reframe.run(&mut from.decoder, input, &mut out, from.sent).is_err() {
            return Err(Ending::page(400, Who::Proxy, When::Data));
        }
        if !out.is_empty() {
            match timer.within(timeouts.server, to.write_all(&out, Follows::Unknown)).await {
                Ok(Ok(())) => out.clear(),
                Ok(Err(_)) => return std::future::pending().await,
                Err(_) => return Err(Ending::page(504, Who::ServerTimeout, When::Data)),
            }
        }
        if from.decoder.is_done() {
            from.input.take_if(|i| i.is_empty());
            return Ok(());
        }
        match timer.within(timeouts.client, from.reader.read(input)).await {
            Ok(Ok(count)) if count > 0 => {}
            Ok(_) => return Err(Ending::silent(400, Who::Client, When::Data)),
            Err(_) => return Err(Ending::page(408, Who::ClientTimeout, When::Data)),
        }
    }
}

/// The server's direction of a link.
struct ServerSide<'a, 'b> {
    reader: &'a mut Reader<'b>,
    input: &'a mut Buffer,
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

/// How the response is brought back.
struct WayBack {
    timeouts: Limited,
    keep_server: bool,
    reused: bool,
}

impl WayBack {
    /// Reads the response's head, applies the rules, sends it on with its body.
    async fn respond(
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
        stick::store(stream, Phase::Response);
        stream.variables.end_request();
        capture::response_headers(stream);
        response_rules(stream)?;
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
        loop {
            if let Some(length) = head::length(server.input.filled(), seen) {
                let parsed = parse_response(stream, server.input, length, longest);
                return again_or(stream, parsed.map(Received::Head), RetryOn::JUNK);
            }
            seen = server.input.filled().len();
            if seen > longest || server.input.is_full() {
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
            write::response(&stream.response, Connection::Implied, &mut out);
            self.send(stream, to_client, timer, (&out, Follows::Unknown)).await?;
        }
        stream.response.clear();
        Ok(())
    }

    async fn send(
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
        after_response_rules(stream);
        if let Some(context) = LogContext::of_stream(stream, Phase::Log) {
            context.frontend.log.emit_early(&context);
        }
        let connection = match framing.upgrade {
            true => Connection::Implied,
            false => reply::connection(stream, stream.framing.keep_alive),
        };
        let mut out = std::mem::take(&mut stream.reply_body);
        out.clear();
        write::response(&stream.response, connection, &mut out);
        if framing.upgrade {
            self.send(stream, to_client, timer, (&out, Follows::Unknown)).await?;
            let at_hand = std::mem::replace(server.input, Buffer::take());
            return Ok(ServerAfter::Tunnel(Some(at_hand).filter(|b| !b.is_empty())));
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
            let bad = reframe.run(&mut decoder, server.input, &mut out, &moved).is_err();
            stream.bytes_out += moved.take();
            if bad {
                return Err(broken_response(stream));
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
                Err(_) => {
                    count_abort(stream, |c| &c.server_aborts);
                    return Err(Ending::silent(stream.status, Who::ServerTimeout, When::Data));
                }
            }
        }
        out.clear();
        stream.reply_body = out;
        let clean = decoder.is_done() && server.input.is_empty();
        let keep = self.keep_server && framing.keep_alive && clean;
        Ok(if keep { ServerAfter::Keep } else { ServerAfter::Close })
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
fn follows(stream: &Stream<'_>, decoder: &Decoder) -> Follows {
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
    let limits = Limits {
        fields: stream.world.global.maxhdr,
        accept_invalid: stream.backend().is_some_and(|p| p.options.accept_invalid_response),
    };
    stream.response.clear();
    let text = input.filled().get(..length).unwrap_or_default();
    let parsed = head::parse_response(text, limits, &mut stream.response)
        .and_then(|()| framing::of_response(&mut stream.response, stream.request.method()));
    input.consume(length);
    match parsed {
        Ok(framing) if length <= longest => Ok(framing),
        _ => Err(bad_response(stream)),
    }
}

/// The response cannot be parsed.
fn bad_response(stream: &mut Stream<'_>) -> Ending {
    count_failed_response(stream);
    Ending::page(502, Who::Proxy, When::Headers).keeping()
}

/// The server closed without a response.
fn no_response(stream: &mut Stream<'_>) -> Ending {
    count_failed_response(stream);
    Ending::page(502, Who::Server, When::Headers).keeping()
}

/// The server took too long.
fn late_response(stream: &mut Stream<'_>) -> Ending {
    count_failed_response(stream);
    Ending::page(504, Who::ServerTimeout, When::Headers).keeping()
}

/// The body broke off: the client must not take what it has for the whole.
fn broken_response(stream: &mut Stream<'_>) -> Ending {
    count_abort(stream, |c| &c.server_aborts);
    Ending::silent(stream.status, Who::Server, When::Data)
}

fn count_failed_response(stream: &Stream<'_>) {
    count_abort(stream, |c| &c.failed_responses);
}

/// Counts for the backend and the server.
fn count_abort(stream: &Stream<'_>, which: fn(&Counters) -> &crate::state::counters::Counter) {
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
    }
}

/// `option checkcache`: the response would be cached with its cookie.
fn blocked_cookie(stream: &Stream<'_>) -> Ending {
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
fn response_rules(stream: &mut Stream<'_>) -> Result<(), Ending> {
    let world = stream.world.clone();
    let frontend = Some(stream.frontend).filter(|f| Some(*f) != stream.backend);
    for index in stream.backend.into_iter().chain(frontend) {
        let Some(proxy) = world.proxies.get(index) else { continue };
        match rules::run(&proxy.rules.http_response, stream, Phase::Response) {
            Verdict::Continue | Verdict::Allow => {}
            Verdict::Answered => {
                return Err(Ending::answered(Who::Local, When::Headers).keeping());
            }
            verdict @ (Verdict::Deny(_) | Verdict::Refused) => {
                count_abort(stream, |c| &c.denied_responses);
                stream.session.frontend_state().counters.denied_responses.inc();
                return Err(match verdict {
                    Verdict::Deny(status) => Ending::page(status, Who::Proxy, When::Headers),
                    _ => Ending::answered(Who::Proxy, When::Headers),
                });
            }
            _ => return Err(Ending::page(500, Who::Proxy, When::Headers)),
        }
    }
    Ok(())
}

/// Ends the client's connection so that what was sent last still arrives: the sending direction first,
/// then, if the client is `still_sending`, that is taken for a short while (RFC 9112 9.6).
pub async fn close(client: &mut Client, still_sending: bool) {
    if end(client) && still_sending {
        drain(client).await;
    }
}

/// Ends the sending direction; false if the connection is broken.
fn end(client: &mut Client) -> bool {
    client.socket.split().1.shutdown().is_ok()
}

async fn drain(client: &mut Client) {
    let (mut reader, _) = client.socket.split();
    let mut scratch = Buffer::take();
    let drain = async {
        while matches!(reader.read(&mut scratch).await, Ok(count) if count > 0) {
            let count = scratch.filled().len();
            scratch.consume(count);
        }
    };
    // Whether the client closes in time makes no difference any more.
    let _ = client.timer.within(Some(LINGER), drain).await;
}

/// How long a client that still sends is listened to after the last response.
const LINGER: Duration = Duration::from_secs(1);

/// Adds a finished stream's times to the means.
pub fn count_times(stream: &Stream<'_>) {
    let ms = |d: Option<Duration>| d.map(|d| d.as_millis() as u32);
    let between =
        |from: Option<Duration>, to: Option<Duration>| Some(ms(to)?.saturating_sub(ms(from)?));
    let times = &stream.times;
    if times.connected.is_none() {
        // Only sessions that reached a server count.
        return;
    }
    let backend = stream.backend().and_then(|p| p.backend.as_ref());
    let server = stream.server().map(|s| &s.status.counters);
    for counters in backend.map(|b| &b.state.counters).into_iter().chain(server) {
        let begin = times.request.or(Some(Duration::ZERO));
        let record = |mean: &crate::state::counters::TimeMean, value: Option<u32>| {
            if let Some(value) = value {
                mean.record(value);
            }
        };
        record(&counters.queue_time, between(begin, times.queued));
        record(&counters.connect_time, between(times.queued, times.connected));
        record(&counters.response_time, between(times.connected, times.response));
        record(&counters.total_time, between(begin, times.end));
    }
}
