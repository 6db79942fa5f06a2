//! One request and its response. `pass` names the phases in their order; what goes wrong in one is an
//! `Ending`, which is turned into page, log letters and counters in one place, `conclude`.

use std::pin::pin;
use std::time::Duration;

use crate::flow::http::forwarded;
use crate::flow::http::h1::body;
use crate::flow::http::h1::framing::{self, Body};
use crate::flow::http::h1::head::{self, HeadError, Limits, Partial};
use crate::flow::http::h1::progress::Progress;
use crate::flow::http::h1::write::{self, Connection};
use crate::flow::http::options::KeepAlive;
use crate::flow::log::LogLevel;
use crate::flow::log::format::LogContext;
use crate::flow::phase::Phase;
use crate::flow::response::cache;
use crate::flow::rules::{self, Verdict, capture, resolve, switch, track};
use crate::flow::server::{persist, stick};
use crate::flow::session::http::{After, Awake};
use crate::flow::session::outcome::{Outcome, When, Who};
use crate::flow::session::{
    Client, Session, Stream, bad_message, collect, filter, forward, hit, inspect, reply,
    request_body, target,
};
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::Follows;
use crate::state::clock::{self, Moment};
use crate::sys;

/// Why a request did not run its course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The status of the page the client is sent; with `silent`, only of the log line.
    pub status: u16,
    /// Who ended it, and at which point.
    pub outcome: Outcome,
    /// The connection is closed without an answer.
    pub silent: bool,
    /// The connection may live on after the page.
    pub keep: bool,
    /// The answer is in `Stream::response` already, no page is needed.
    pub answered: bool,
}

impl Ending {
    /// An error page, then the connection is closed.
    pub const fn page(status: u16, who: Who, when: When) -> Ending {
        Ending {
            status,
            outcome: Outcome::new(who, when),
            silent: false,
            keep: false,
            answered: false,
        }
    }

    /// The connection is closed; the log shows this status.
    pub const fn silent(status: u16, who: Who, when: When) -> Ending {
        Ending { silent: true, ..Ending::page(status, who, when) }
    }

    /// What a rule has put into `Stream::response` is sent.
    pub const fn answered(who: Who, when: When) -> Ending {
        Ending { answered: true, ..Ending::page(0, who, when) }
    }

    /// The connection lives on after the page, if the client wants it to.
    pub const fn keeping(self) -> Ending {
        Ending { keep: true, ..self }
    }
}

/// What is counted for the end of a message.
pub const END: u64 = 1;
/// What is counted for `connection: close`.
const CLOSE_SIZE: u64 = 15;

/// Passes one request through; says what becomes of the connection.
pub async fn run(session: &Session, client: &mut Client, start: Moment, awake: Awake) -> After {
    let Some((world, frontend)) = session.view() else { return After::Close };
    let mut stream = Stream::new(session, world, frontend, start);
    if let Some(context) = LogContext::of_stream(&stream, Phase::Log) {
        context.frontend.log.begin(&context);
    }
    let entry = stream.registered.entry();
    let passed = {
        let passing = pin!(pass(&mut stream, client, awake));
        entry.unless_killed(passing).await
    };
    let after = match passed {
        Some(Ok(after)) => after,
        Some(Err(ending)) => conclude(&mut stream, client, ending).await,
        None => match killed(&stream) {
            Some(ending) => conclude(&mut stream, client, ending).await,
            None => {
                stream.outcome = Outcome::new(stream.registered.killed_by(), When::Data);
                After::Close
            }
        },
    };
    finish(&mut stream);
    if session.thread.stopping.get() { After::Close } else { after }
}

/// What a client is told whose stream an operator has ended; `None` once it was sent something.
fn killed(stream: &Stream<'_>) -> Option<Ending> {
    let (code, when) = match (stream.status, stream.backend, stream.times.connected) {
        (0, Some(_), Some(_)) => (502, When::Headers),
        (0, Some(_), None) => (503, When::Connect),
        _ => return None,
    };
    Some(Ending::page(code, stream.registered.killed_by(), when).keeping())
}

/// The phases of a request, in their order.
async fn pass(stream: &mut Stream<'_>, client: &mut Client, awake: Awake) -> Result<After, Ending> {
    receive_head(stream, client, awake).await?;
    let frontend = stream.frontend;
    content_rules(stream, client, frontend).await?;
    accept_request(stream);
    limit_keep_alive(stream);
    if let Some(ending) = monitored(stream) {
        return Err(ending);
    }
    receive_body(stream, client, frontend).await?;
    if let Some(after) = request_rules(stream, client, frontend).await? {
        return Ok(after);
    }
    let backend = switch::choose(stream, Phase::Request);
    let Some(backend) = backend else {
        stream.times.request = None;
        return Err(Ending::page(503, Who::Server, When::Connect).keeping());
    };
    stream.backend = Some(backend);
    stream.show_target();
    let _counted = forward::BackendSession::begin(stream, backend);
    persist::judge(stream, Phase::Request);
    if backend != frontend {
        content_rules(stream, client, backend).await?;
        receive_body(stream, client, backend).await?;
        if let Some(after) = request_rules(stream, client, backend).await? {
            return Ok(after);
        }
    }
    persist::use_server(stream, Phase::Request);
    persist::read_cookies(stream);
    stick::find(stream, Phase::Request);
    if !forwarded::add_headers(stream) {
        return Err(request_failed(stream));
    }
    if stream.backend().is_some_and(|p| p.options.http_proxy) && !target::follow(stream) {
        count_failed_request(stream);
        stream.times.request = None;
        return Err(Ending::page(400, Who::Proxy, When::Request));
    }
    filter::begin(stream);
    forward::run(stream, client).await
}

/// Lets rules look at the body, where a proxy waits for it or has an expression about it.
async fn receive_body(
    stream: &mut Stream<'_>,
    client: &mut Client,
    proxy: usize,
) -> Result<(), Ending> {
    let world = stream.world.clone();
    match world.proxies.get(proxy) {
        Some(proxy) if proxy.options.buffer_request || world.looks_at_bodies => {
            Box::pin(request_body::receive(stream, client, proxy)).await
        }
        _ => Ok(()),
    }
}

/// The body's framing is wrong: `later` says how many bytes of what came last were fine, what was being
/// read, and how much data came before.
pub fn bad_body(
    stream: &Stream<'_>,
    input: Option<&Buffer>,
    later: (usize, Progress, u64),
) -> Ending {
    if let Some(input) = input {
        bad_message::later_request_body(stream, input, later);
    }
    stream.session.frontend_state().counters.failed_requests.inc();
    stream.session.listener.counters.failed_requests.inc();
    Ending::page(400, Who::Proxy, When::Data)
}

/// The answer for who watches the proxy itself (`monitor-uri`): no rule sees it, no log.
fn monitored(stream: &mut Stream<'_>) -> Option<Ending> {
    let monitor = stream.frontend()?.monitor.as_ref()?;
    if !monitor.is_asked(&stream.request) {
        return None;
    }
    let status = monitor.status(stream);
    stream.session.frontend_state().counters.intercepted.inc();
    stream.log_level = LogLevel::Silent;
    Some(Ending::page(status, Who::Local, When::Request).keeping())
}

/// Reads until the head is complete, then parses it.
async fn receive_head(
    stream: &mut Stream<'_>,
    client: &mut Client,
    awake: Awake,
) -> Result<(), Ending> {
    let world = stream.world.clone();
    let timeouts = world.proxies.get(stream.frontend).map(|p| p.timeouts).unwrap_or_default();
    let first = stream.session.requests.get() == 0;
    if awake == Awake::Expired {
        return Err(no_request(stream, first, true));
    }
    let longest = world.global.bufsize.saturating_sub(world.global.maxrewrite);
    let mut begun: Option<Moment> = None;
    let mut seen = 0;
    let mut skipped = 0;
    let mut partial = Partial::default();
    loop {
        if let Some(input) = &mut client.input {
            if begun.is_none() {
                let blank = head::leading_line_ends(input.filled());
                input.consume(blank);
                skipped += blank;
            }
            if !input.is_empty() {
                let began = *begun.get_or_insert_with(Moment::now);
                stream.times.first_byte = Some(began.since(stream.times.start));
            }
            if let Some(length) = head::length(input.filled(), seen) {
                return parse_head(stream, client, length, (longest, skipped));
            }
            seen = input.filled().len();
            if let Err(error) = check_partial(&mut partial, input, limits(stream), longest) {
                bad_message::request(stream, input, skipped, error);
                return Err(bad_request(stream));
            }
        }
        let deadline = match timeouts.http_request {
            Some(limit) if first => Some(stream.times.start + limit),
            Some(limit) => Some(begun.unwrap_or_else(Moment::now) + limit),
            None => timeouts.client.map(|limit| Moment::now() + limit),
        };
        let (mut reader, _) = client.socket.split();
        let input = client.input.get_or_insert_with(Buffer::take);
        match client.timer.limit(deadline, reader.read(input)).await {
            Ok(Ok(count)) if count > 0 => {}
            Ok(_) => return Err(no_request(stream, first, false)),
            Err(_) if begun.is_none() && !first => {
                return Err(Ending::silent(0, Who::Nobody, When::End));
            }
            Err(_) => return Err(no_request(stream, first || begun.is_some(), true)),
        }
    }
}

/// Looks at the part of a head that has come so far.
fn check_partial(
    partial: &mut Partial,
    input: &Buffer,
    limits: Limits,
    longest: usize,
) -> Result<(), HeadError> {
    let bytes = input.filled();
    partial.check_request(bytes, limits)?;
    too_large(partial, bytes.len(), longest, input.is_full())
}

/// Whether `length` bytes of a head are too many.
pub fn too_large(
    partial: &Partial,
    length: usize,
    longest: usize,
    full: bool,
) -> Result<(), HeadError> {
    if length <= longest && !full {
        return Ok(());
    }
    let reason = "the head is too large";
    Err(HeadError { position: length, progress: partial.progress, reason })
}

/// The client sent no complete head: it closed, or took too long. Only a first request is answered and
/// logged, and not with `option http-ignore-probes`.
fn no_request(stream: &mut Stream<'_>, answer: bool, expired: bool) -> Ending {
    if !answer || stream.frontend().is_some_and(|p| p.options.ignore_probes) {
        return Ending::silent(0, Who::Nobody, When::End);
    }
    count_request(stream);
    count_failed_request(stream);
    match expired {
        true => Ending::page(408, Who::ClientTimeout, When::Request),
        false => Ending::page(400, Who::Client, When::Request),
    }
}

/// The head cannot be parsed or is too large.
fn bad_request(stream: &mut Stream<'_>) -> Ending {
    count_request(stream);
    count_failed_request(stream);
    stream.request.clear();
    Ending::page(400, Who::Proxy, When::Request)
}

fn limits(stream: &Stream<'_>) -> Limits {
    Limits {
        fields: stream.world.global.maxhdr,
        accept_invalid: stream.frontend().is_some_and(|p| p.options.accept_invalid_request),
    }
}

fn parse_head(
    stream: &mut Stream<'_>,
    client: &mut Client,
    length: usize,
    (longest, skipped): (usize, usize),
) -> Result<(), Ending> {
    let Some(input) = &mut client.input else {
        return Err(Ending::page(500, Who::Internal, When::Request));
    };
    let limits = limits(stream);
    let text = input.filled().get(..length).unwrap_or_default();
    let parsed = if length > longest {
        let reason = "the head is too large";
        Err(HeadError { position: length, progress: Progress::Data, reason })
    } else {
        head::parse_request(text, limits, &mut stream.request).and_then(|()| {
            framing::of_request(&mut stream.request, limits.accept_invalid)
                .map_err(|error| error.within(text))
        })
    };
    let framing = match parsed {
        Ok(framing) => framing,
        Err(error) => {
            bad_message::request(stream, input, skipped, error);
            return Err(bad_request(stream));
        }
    };
    if framing.body == Body::Chunked
        && let Some(mistake) =
            body::first_mistake(framing.body, input.filled().get(length..).unwrap_or_default())
    {
        bad_message::request_body(stream, input, (skipped, length), mistake);
        return Err(bad_request(stream));
    }
    let line = memchr::memchr2(b'\r', b'\n', text).unwrap_or(text.len());
    stream.request_line.extend_from_slice(text.get(..line).unwrap_or_default());
    stream.bytes_in += stream.request.counted_size() + END;
    input.consume(length);
    if input.is_empty() {
        client.input = None;
    }
    stream.times.request = Some(stream.times.elapsed());
    stream.framing = framing;
    Ok(())
}

/// `tcp-request content` rules of a proxy.
async fn content_rules(
    stream: &mut Stream<'_>,
    client: &mut Client,
    proxy: usize,
) -> Result<(), Ending> {
    match stream.world.proxies.get(proxy) {
        Some(p) if !p.rules.tcp_request_content.is_empty() => {
            Box::pin(inspect::request(stream, client, proxy)).await
        }
        _ => Ok(()),
    }
}

/// A request begins: it is counted, and what is declared of it captured.
fn accept_request(stream: &mut Stream<'_>) {
    count_request(stream);
    capture::request_headers(stream);
}

fn count_request(stream: &Stream<'_>) {
    let now_ms = clock::now_ms();
    stream.session.thread.shared.counters.requests_total.inc();
    let counters = &stream.session.frontend_state().counters;
    counters.requests_total.inc();
    counters.request_rate.event(now_ms);
    track::count_request(stream);
}

fn count_failed_request(stream: &Stream<'_>) {
    stream.session.frontend_state().counters.failed_requests.inc();
    stream.session.listener.counters.failed_requests.inc();
    track::count_error(stream);
}

/// The frontend's `option httpclose` ends the client's connection after this request.
fn limit_keep_alive(stream: &mut Stream<'_>) {
    if stream.frontend().is_some_and(|p| p.options.keep_alive == KeepAlive::Neither) {
        stream.framing.keep_alive = false;
    }
}

/// Runs the `http-request` rules of a proxy and its statistics page. Gives `Some` when that answered.
async fn request_rules(
    stream: &mut Stream<'_>,
    client: &mut Client,
    proxy: usize,
) -> Result<Option<After>, Ending> {
    let world = stream.world.clone();
    let Some(proxy) = world.proxies.get(proxy) else { return Ok(None) };
    let mut verdict = rules::run(&proxy.rules.http_request, stream, Phase::Request);
    if verdict == Verdict::Resolve {
        let going_on = resolve::resume(&proxy.rules.http_request, stream, Phase::Request);
        verdict = Box::pin(going_on).await;
    }
    if !stream.hints.is_empty() {
        Box::pin(send_hints(stream, client)).await;
    }
    match verdict {
        Verdict::Continue | Verdict::Allow => {}
        Verdict::Answered => {
            stream.outcome = Outcome::new(Who::Local, When::Request);
            return answer(stream, client).await.map(Some);
        }
        verdict => return Err(refused(stream, client, verdict, proxy.timeouts.tarpit).await),
    }
    if stream.cached.is_some() && cache::hit(stream).is_some() {
        if proxy.index == stream.frontend {
            stream.session.frontend_state().counters.intercepted.inc();
        }
        return Box::pin(hit::serve(stream, client)).await.map(Some);
    }
    let Some(page) = proxy.stats.as_ref().filter(|page| page.wants(stream)) else {
        return match rules::run(&proxy.rules.redirects, stream, Phase::Request) {
            Verdict::Answered => {
                stream.outcome = Outcome::new(Who::Local, When::Request);
                answer(stream, client).await.map(Some)
            }
            _ => Ok(None),
        };
    };
    let body = collect::body(stream, client, proxy.timeouts.client).await?;
    if proxy.index == stream.frontend {
        // Before the page is made: it counts its own request.
        stream.session.frontend_state().counters.intercepted.inc();
    }
    if let Some(backend) = &proxy.backend {
        let now_ms = crate::state::clock::now_ms();
        backend.state.counters.last_session.set(now_ms / 1000 + 1);
    }
    let verdict = page.answer(stream, &body);
    filter::begin(stream);
    stream.applet = Some("<STATS>");
    match verdict {
        Verdict::Answered => {
            if stream.response.status != 401 {
                // It has been connected to at once, as it were.
                let now = Some(stream.times.elapsed());
                let times = &mut stream.times;
                (times.queued, times.connected, times.response) = (now, now, now);
            }
            stream.outcome = Outcome::new(Who::Local, When::Request);
            send_own(stream, client).await.map(Some)
        }
        verdict => Err(refused(stream, client, verdict, proxy.timeouts.tarpit).await),
    }
}

/// Sends what is to be told ahead of the response.
async fn send_hints(stream: &mut Stream<'_>, client: &mut Client) {
    let mut bytes = Vec::new();
    for hint in std::mem::take(&mut stream.hints) {
        stream.bytes_out += hint.counted_size();
        write::response(&hint, Connection::Implied, stream.client_names(), &mut bytes);
    }
    let timeout = stream.frontend().and_then(|p| p.timeouts.client);
    let (_, mut writer) = client.socket.split();
    // A client that takes none is noticed when the response is sent.
    let _ = client.timer.within(timeout, writer.write_all(&bytes, Follows::Unknown)).await;
}

/// A rule has closed the client's connection: the log shows no times and no status.
fn dropped(stream: &mut Stream<'_>, client: &Client, verdict: Verdict) -> Ending {
    if verdict == Verdict::SilentDrop {
        sys::forget_connection(client.socket.fd());
    }
    count_denied(stream);
    let listen = stream.frontend().and_then(|p| p.backend.as_ref());
    if let Some(listen) = listen.filter(|_| verdict == Verdict::Reject && stream.backend.is_none())
    {
        // A `listen` section is its own backend already.
        listen.state.counters.denied_requests.inc();
    }
    stream.times.request = None;
    Ending::silent(0, Who::Proxy, When::Request)
}

/// Counts a denied request everywhere that it has passed.
pub fn count_denied(stream: &Stream<'_>) {
    stream.session.frontend_state().counters.denied_requests.inc();
    stream.session.listener.counters.denied_requests.inc();
    if let Some(backend) = stream.backend().and_then(|p| p.backend.as_ref()) {
        backend.state.counters.denied_requests.inc();
    }
}

/// A rule could not do what it must: 500.
pub fn request_failed(stream: &mut Stream<'_>) -> Ending {
    count_internal_error(stream);
    stream.times.request = None;
    Ending::page(500, Who::Proxy, When::Request).keeping()
}

/// Counts an internal error everywhere that the request has passed.
pub fn count_internal_error(stream: &Stream<'_>) {
    stream.session.frontend_state().counters.internal_errors.inc();
    stream.session.listener.counters.internal_errors.inc();
    if let Some(backend) = stream.backend().and_then(|p| p.backend.as_ref()) {
        backend.state.counters.internal_errors.inc();
    }
}

/// A rule refused the request.
async fn refused(
    stream: &mut Stream<'_>,
    client: &mut Client,
    verdict: Verdict,
    tarpit: Option<Duration>,
) -> Ending {
    match verdict {
        Verdict::Reject | Verdict::SilentDrop => return dropped(stream, client, verdict),
        Verdict::Deny(_) | Verdict::Refused | Verdict::Tarpit(_) | Verdict::TarpitRefused => {}
        _ => return request_failed(stream),
    }
    stream.session.frontend_state().counters.denied_requests.inc();
    track::count_error(stream);
    // For the log line.
    persist::read_cookies(stream);
    if let Some(backend) = stream.backend().and_then(|p| p.backend.as_ref()) {
        backend.state.counters.denied_requests.inc();
    } else {
        stream.session.listener.counters.denied_requests.inc();
    }
    match verdict {
        Verdict::Deny(status) => Ending::page(status, Who::Proxy, When::Request).keeping(),
        Verdict::Refused => Ending::answered(Who::Proxy, When::Request).keeping(),
        _ => {
            let (status, page) = match verdict {
                Verdict::Tarpit(status) => (status, Ending::page(status, Who::Proxy, When::Tarpit)),
                _ => (stream.response.status, Ending::answered(Who::Proxy, When::Tarpit)),
            };
            // The time is over, or the client has gone: only the first comes with a page.
            let gone = client.timer.within(tarpit, closed(&mut client.socket)).await;
            match gone {
                Err(_) => page,
                Ok(()) => Ending::silent(status, Who::Proxy, When::Tarpit),
            }
        }
    }
}

/// Ready when the client has closed; what it sends meanwhile is thrown away.
async fn closed(socket: &mut crate::flow::transport::socket::Socket) {
    let (mut reader, _) = socket.split();
    let mut scratch = Buffer::take();
    while matches!(reader.read(&mut scratch).await, Ok(count) if count > 0) {
        let count = scratch.filled().len();
        scratch.consume(count);
    }
}

/// Sends `stream.response` with `stream.reply_body`.
pub async fn answer(stream: &mut Stream<'_>, client: &mut Client) -> Result<After, Ending> {
    stream.session.frontend_state().counters.intercepted.inc();
    send_own(stream, client).await
}

async fn send_own(stream: &mut Stream<'_>, client: &mut Client) -> Result<After, Ending> {
    stream.status = own_status(stream);
    filter::response(stream, reply::body(stream));
    if !after_response_rules(stream) {
        return Err(request_failed(stream));
    }
    filter::reply(stream);
    send_reply(stream, client).await
}

/// The status of our own answer.
fn own_status(stream: &mut Stream<'_>) -> u16 {
    match std::mem::take(&mut stream.logged_status) {
        0 => stream.response.status,
        status => status,
    }
}

/// Writes a reply; the connection lives on if the request's body is out of the way.
async fn send_reply(stream: &mut Stream<'_>, client: &mut Client) -> Result<After, Ending> {
    let framing = stream.framing;
    let received = client.input.as_ref().map_or(&[][..], Buffer::filled);
    let at_hand = reply::body_at_hand(framing.body, received);
    if let (Some(length), Some(input)) = (at_hand, &mut client.input) {
        input.consume(length);
        stream.bytes_in += length as u64;
    }
    client.input.take_if(|input| input.is_empty());
    if stream.response.is_empty() {
        // An operator's page may be empty: nothing is said then.
        return Ok(After::Close);
    }
    let counted = stream.response.counted_size();
    let closing =
        stream.response.has_element(b"connection", b"close") || !reply::is_delimited(stream);
    stream.response.remove(b"connection");
    let keep_alive = framing.keep_alive
        && !closing
        && at_hand.is_some()
        && !stream.session.thread.stopping.get();
    let bytes = reply::bytes(stream, keep_alive);
    let timeout = stream.frontend().and_then(|p| p.timeouts.client);
    let (_, mut writer) = client.socket.split();
    let follows = if keep_alive { Follows::Unknown } else { Follows::End };
    match client.timer.within(timeout, writer.write_all(&bytes, follows)).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Err(Ending::silent(stream.status, Who::Client, When::Data)),
        Err(_) => return Err(Ending::silent(stream.status, Who::ClientTimeout, When::Data)),
    }
    let chunked = stream.response.has(b"transfer-encoding");
    let body = if stream.request.method() == b"HEAD" { 0 } else { stream.reply_body.len() as u64 };
    stream.bytes_out += counted + body + END + u64::from(chunked);
    if stream.request.is_empty() {
        // The page of a request that was never understood is counted with its connection header.
        stream.bytes_out += CLOSE_SIZE;
    }
    if keep_alive {
        return Ok(After::Rest);
    }
    forward::close(client, at_hand.is_none() || client.input.is_some()).await;
    Ok(After::Close)
}

/// `http-after-response`, of the backend and then the frontend; says whether they could do their work.
pub fn after_response_rules(stream: &mut Stream<'_>) -> bool {
    let world = stream.world.clone();
    // To these rules nothing has gone wrong yet.
    let outcome = std::mem::take(&mut stream.outcome);
    let mut passed = true;
    let backend = stream.backend.filter(|b| *b != stream.frontend);
    for index in backend.into_iter().chain([stream.frontend]) {
        if let Some(proxy) = world.proxies.get(index) {
            let after = &proxy.rules.http_after_response;
            passed &= rules::run(after, stream, Phase::AfterResponse) != Verdict::Failed;
        }
        if !passed {
            break;
        }
    }
    stream.outcome = outcome;
    passed
}

/// Turns an ending into what the client and the log see.
async fn conclude(stream: &mut Stream<'_>, client: &mut Client, ending: Ending) -> After {
    stream.outcome = ending.outcome;
    if ending.silent {
        stream.status = ending.status;
        return After::Close;
    }
    if !ending.answered {
        reply::error_page(stream, ending.status);
    }
    stream.status = own_status(stream);
    if !after_response_rules(stream) {
        // Then the page as it is, without them.
        reply::error_page(stream, 500);
        stream.status = own_status(stream);
        if !matches!(ending.outcome.who, Who::Client | Who::ClientTimeout) {
            stream.outcome.who = Who::Proxy;
        }
    }
    stream.framing.keep_alive &= ending.keep;
    match send_reply(stream, client).await {
        Ok(after) => after,
        Err(_) => After::Close,
    }
}

/// Counts and logs what has ended.
fn finish(stream: &mut Stream<'_>) {
    stream.times.end = Some(stream.times.elapsed());
    if stream.status == 0 && stream.outcome.is_clean() {
        return;
    }
    count_outcome(stream);
    if let Some(context) = LogContext::of_stream(stream, Phase::Log) {
        context.frontend.log.emit(&context);
    }
}

fn count_outcome(stream: &Stream<'_>) {
    let process = &stream.session.thread.shared.counters;
    process.bytes_out.add(stream.bytes_out);
    let units = u32::try_from(stream.bytes_out.div_ceil(32)).unwrap_or(u32::MAX);
    process.output_rate.add(crate::state::clock::now_ms(), units);
    track::count_bytes(stream, stream.bytes_in, stream.bytes_out);
    let frontend = &stream.session.frontend_state().counters;
    let listener = &stream.session.listener.counters;
    for counters in [frontend, listener.as_ref()] {
        counters.bytes_in.add(stream.bytes_in);
        counters.bytes_out.add(stream.bytes_out);
    }
    // Whatever was asked is counted, also what was given no status.
    if stream.status != 0 || !stream.request_line.is_empty() {
        frontend.response(stream.status);
    }
    let Some(backend) = stream.backend().and_then(|p| p.backend.as_ref()) else { return };
    let backend = &backend.state.counters;
    if stream.status != 0 || !stream.request_line.is_empty() {
        backend.response(stream.status);
    }
    let server = stream.server().map(|s| &s.status.counters);
    for counters in [Some(backend), server].into_iter().flatten() {
        counters.bytes_in.add(stream.bytes_in);
        counters.bytes_out.add(stream.bytes_out);
    }
    forward::count_times(stream);
}
