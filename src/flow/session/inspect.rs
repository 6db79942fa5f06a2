//! `tcp-request content` and `tcp-response content` rules (manual 4.2): they look at the first bytes of
//! either direction and wait for more, `inspect-delay` at most, until they can decide. In: a stream
//! whose proxy has such rules. Out: whether it goes on.

use std::future::poll_fn;

use crate::config::proxy::Mode;
use crate::flow::http::h1::head::{self, Limits};
use crate::flow::phase::Phase;
use crate::flow::rules::{self, Rule, Verdict, resolve};
use crate::flow::server::assign::Link;
use crate::flow::server::stick;
use crate::flow::session::exchange::Ending;
use crate::flow::session::outcome::{When, Who};
use crate::flow::session::{Client, Stream, tunnel};
use crate::flow::transport::buffer::Buffer;
use crate::state::clock::Moment;
use crate::state::counters::{Counter, Counters};
use crate::state::world::Proxy;
use crate::sys;

/// Bytes that rules look at before they go on.
#[derive(Debug)]
pub struct Preread {
    /// What the client has sent, in TCP mode.
    pub request: Option<Buffer>,
    /// What the server has sent, in TCP mode.
    pub response: Option<Buffer>,
    /// Whether what is here now decides: the delay is over, or nothing more can come.
    pub last_look: bool,
    /// Whether a request's head may still come.
    pub awaits_head: bool,
}

impl Preread {
    fn new(awaits_head: bool) -> Box<Preread> {
        Box::new(Preread { request: None, response: None, last_look: true, awaits_head })
    }
}

/// Runs the `tcp-request content` rules of a proxy. In TCP mode what was received stays with the
/// stream, for whoever chooses backend and server, until `resume` gives it back.
pub async fn request(
    stream: &mut Stream<'_>,
    client: &mut Client,
    proxy: usize,
) -> Result<(), Ending> {
    let world = stream.world.clone();
    let Some(proxy) = world.proxies.get(proxy) else { return Ok(()) };
    let raw = stream.frontend().is_some_and(|p| p.mode == Mode::Tcp);
    if stream.preread.is_none() {
        stream.preread = Some(Preread::new(raw));
    }
    if let Some(preread) = stream.preread.as_mut().filter(|_| raw) {
        preread.request.get_or_insert_with(|| client.input.take().unwrap_or_else(Buffer::take));
    }
    let mut deadline: Option<Moment> = None;
    let mut ended = false;
    let mut rules: &[Rule] = &proxy.rules.tcp_request_content;
    let verdict = loop {
        let late = deadline.is_some_and(|deadline| Moment::now() >= deadline);
        let last = proxy.rules.inspect_request.is_none() || late || ended || is_full(stream);
        look_for_head(stream, raw);
        if let Some(preread) = &mut stream.preread {
            preread.last_look = last;
        }
        let verdict = rules::look(rules, stream, Phase::RequestContent);
        let delay = proxy.rules.inspect_request.unwrap_or_default();
        match verdict {
            Verdict::Wait if !last => {}
            Verdict::Resolve => {
                let until = *deadline.get_or_insert_with(|| Moment::now() + delay);
                let left = until.since(Moment::now());
                let next = resolve::wait(stream, Phase::RequestContent, Some(left)).await;
                rules = rules.get(next..).unwrap_or_default();
                continue;
            }
            verdict => break verdict,
        }
        let until = *deadline.get_or_insert_with(|| Moment::now() + delay);
        ended = receive(stream, client, raw, until).await;
    };
    if let Some(preread) = &mut stream.preread {
        preread.last_look = true;
    }
    conclude(stream, client, verdict)?;
    if !raw {
        stream.preread = None;
    }
    Ok(())
}

/// Gives what was received back to the client's side: from here on it is only copied.
pub fn resume(stream: &mut Stream<'_>, client: &mut Client) {
    if let Some(preread) = stream.preread.take() {
        client.input = preread.request.filter(|input| !input.is_empty());
        if client.input.is_some() || !stream.request.is_empty() {
            stream.request.clear();
        }
    }
}

fn is_full(stream: &Stream<'_>) -> bool {
    let room = stream.world.global.maxrewrite;
    let input = stream.preread.as_ref().and_then(|p| p.request.as_ref());
    input.is_some_and(|input| input.filled().len() + room >= input.capacity())
}

/// In TCP mode: takes the head of an HTTP request for what it is, once it is complete, so that samples
/// find it.
fn look_for_head(stream: &mut Stream<'_>, raw: bool) {
    let Some(preread) = stream.preread.as_mut().filter(|p| raw && p.awaits_head) else { return };
    let Some(input) = &preread.request else { return };
    let bytes = input.filled();
    let start = head::leading_line_ends(bytes);
    let bytes = bytes.get(start..).unwrap_or_default();
    let limits = Limits { fields: stream.world.global.maxhdr, accept_invalid: true };
    if let Some(length) = head::length(bytes, 0) {
        preread.awaits_head = false;
        let text = bytes.get(..length).unwrap_or_default();
        if head::parse_request(text, limits, &mut stream.request).is_err() {
            stream.request.clear();
        }
    } else if bytes.first().is_some_and(|b| !b.is_ascii_graphic())
        || head::Partial::default().check_request(bytes, limits).is_err()
    {
        preread.awaits_head = false;
    }
}

/// Waits for bytes, at most until `deadline`; says whether nothing more can come.
async fn receive(
    stream: &mut Stream<'_>,
    client: &mut Client,
    raw: bool,
    deadline: Moment,
) -> bool {
    let (mut reader, _) = client.socket.split();
    let input = match stream.preread.as_mut().filter(|_| raw) {
        Some(preread) => preread.request.get_or_insert_with(Buffer::take),
        None => client.input.get_or_insert_with(Buffer::take),
    };
    if input.is_full() {
        return true;
    }
    let read = client.timer.limit(Some(deadline), reader.read(input)).await;
    if !raw {
        client.input.take_if(|input| input.is_empty());
    }
    matches!(read, Ok(Ok(0) | Err(_)))
}

/// What the rules' verdict means for the stream.
fn conclude(stream: &mut Stream<'_>, client: &mut Client, verdict: Verdict) -> Result<(), Ending> {
    let refused = Ending::silent(0, Who::Proxy, When::Request);
    match verdict {
        Verdict::Continue | Verdict::Allow | Verdict::Wait => return Ok(()),
        Verdict::SilentDrop => {
            sys::forget_connection(client.socket.fd());
            // HAProxy counts it for the backend, which is the frontend itself before one is chosen.
            if let Some(backend) = stream.backend().and_then(|p| p.backend.as_ref()) {
                backend.state.counters.denied_requests.inc();
            }
        }
        Verdict::Reject => {}
        _ => {
            stream.session.frontend_state().counters.internal_errors.inc();
            return Err(refused);
        }
    }
    stream.session.frontend_state().counters.denied_requests.inc();
    stream.session.listener.counters.denied_requests.inc();
    // Nothing of the request was looked at: the log shows none.
    stream.request_line.clear();
    stream.bytes_in = 0;
    if stream.backend.is_none() {
        stream.times.first_byte = None;
        stream.times.request = None;
    }
    Err(refused)
}

/// Whether a backend's `tcp-response content` rules are to be run.
pub fn looks_at_response(stream: &Stream<'_>) -> bool {
    stream.backend().is_some_and(|p| !p.rules.tcp_response_content.is_empty())
}

/// Runs the `tcp-response content` rules in TCP mode, while the client's bytes go on to the server.
/// Gives what the server has sent so far; `None` with `close`, the server's side being over.
pub async fn response(
    stream: &mut Stream<'_>,
    client: &mut Client,
    link: &mut Link,
) -> Result<(Buffer, bool), Ending> {
    let world = stream.world.clone();
    let Some(proxy) = stream.backend.and_then(|b| world.proxies.get(b)) else {
        return Ok((Buffer::take(), false));
    };
    let deadline = proxy.rules.inspect_response.map(|delay| Moment::now() + delay);
    stream.preread = Some(Preread::new(false));
    let mut input = Buffer::take();
    let mut early = tunnel::Early::new(client, link);
    let mut ended = false;
    let verdict = loop {
        let late = deadline.is_none_or(|deadline| Moment::now() >= deadline);
        let last =
            late || ended || input.filled().len() + world.global.maxrewrite >= input.capacity();
        // As in 2.3 the first look is at nothing; without a delay it decides.
        if let Some(verdict) = look(stream, proxy, &mut input, last) {
            break verdict;
        }
        let limit = deadline.filter(|_| !late);
        match poll_fn(|cx| early.poll(cx, &mut input, limit)).await {
            tunnel::Came::Bytes => {}
            tunnel::Came::End => ended = true,
            tunnel::Came::Late => {}
            tunnel::Came::Failure(outcome) => {
                stream.bytes_in += early.finish();
                stream.preread = None;
                return Err(Ending { outcome, ..Ending::silent(0, Who::Nobody, When::Data) });
            }
        }
    };
    stream.bytes_in += early.finish();
    if matches!(verdict, Verdict::Continue | Verdict::Allow) {
        store_server(stream, &mut input);
    }
    stream.preread = None;
    match refuse_head(stream, client.socket.fd(), verdict) {
        Ok(close) => Ok((input, close)),
        Err(ending) => {
            // What the server has sent is counted, though it goes nowhere.
            stream.bytes_out += input.filled().len() as u64;
            Err(ending)
        }
    }
}

/// Stores the server in stick tables, by what it has sent.
fn store_server(stream: &mut Stream<'_>, input: &mut Buffer) {
    if let Some(preread) = &mut stream.preread {
        preread.response = Some(std::mem::replace(input, Buffer::empty()));
        preread.last_look = true;
    }
    stick::store(stream, Phase::ResponseContent);
    if let Some(bytes) = stream.preread.as_mut().and_then(|p| p.response.take()) {
        *input = bytes;
    }
}

/// One look; `None` to wait for more.
fn look(stream: &mut Stream<'_>, proxy: &Proxy, input: &mut Buffer, last: bool) -> Option<Verdict> {
    if let Some(preread) = &mut stream.preread {
        preread.response = Some(std::mem::replace(input, Buffer::empty()));
        preread.last_look = last;
    }
    let verdict = rules::look(&proxy.rules.tcp_response_content, stream, Phase::ResponseContent);
    if let Some(bytes) = stream.preread.as_mut().and_then(|p| p.response.take()) {
        *input = bytes;
    }
    (verdict != Verdict::Wait || last).then_some(verdict)
}

/// Runs the `tcp-response content` rules on a response whose head is here; says whether the server's
/// side is closed.
pub fn response_head(stream: &mut Stream<'_>, client: i32) -> Result<bool, Ending> {
    let world = stream.world.clone();
    let Some(proxy) = stream.backend.and_then(|b| world.proxies.get(b)) else { return Ok(false) };
    let rules = &proxy.rules.tcp_response_content;
    if proxy.rules.inspect_response.is_some() {
        let verdict = rules::look(rules, stream, Phase::ResponseContent);
        return refuse_head(stream, client, verdict);
    }
    // As in 2.3: nobody waits for the response, so that the rules cannot see it.
    let response = std::mem::take(&mut stream.response);
    let verdict = rules::look(rules, stream, Phase::ResponseContent);
    stream.response = response;
    refuse_head(stream, client, verdict)
}

fn refuse_head(stream: &Stream<'_>, client: i32, verdict: Verdict) -> Result<bool, Ending> {
    match verdict {
        Verdict::Close => Ok(true),
        Verdict::Reject => {
            count(stream, |c| &c.denied_responses);
            if let Some(server) = stream.server() {
                server.status.counters.denied_responses.inc();
            }
            Err(Ending::silent(0, Who::Proxy, When::Data))
        }
        Verdict::SilentDrop => {
            sys::forget_connection(client);
            count(stream, |c| &c.denied_requests);
            stream.session.listener.counters.denied_requests.inc();
            Err(Ending::silent(0, Who::Proxy, When::Request))
        }
        Verdict::Continue | Verdict::Allow | Verdict::Wait => Ok(false),
        _ => Err(Ending::silent(0, Who::Internal, When::Headers)),
    }
}

/// Counts for the frontend and the backend.
fn count(stream: &Stream<'_>, which: fn(&Counters) -> &Counter) {
    which(&stream.session.frontend_state().counters).inc();
    if let Some(backend) = stream.backend().and_then(|p| p.backend.as_ref()) {
        which(&backend.state.counters).inc();
    }
}
