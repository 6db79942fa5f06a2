//! A request goes to a server: `run` is the exchange itself, the rest uploads its body, keeps or
//! closes the connections and counts.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use crate::flow::http::h1::body::Decoder;
use crate::flow::http::h1::framing::Body;
use crate::flow::http::h1::progress::Progress;
use crate::flow::http::h1::write::{self, Connection};
use crate::flow::http::message::Version;
use crate::flow::http::options::KeepAlive;
use crate::flow::server::assign::{self, Link, Slot};
use crate::flow::server::own_links;
use crate::flow::server::retry::RetryOn;
use crate::flow::session::exchange::{Ending, bad_body};
use crate::flow::session::http::After;
use crate::flow::session::outcome::{When, Who};
use crate::flow::session::reframe::Reframe;
use crate::flow::session::way_back::{ServerSide, WayBack, count_abort};
use crate::flow::session::{Client, Stream, abort, tunnel};
use crate::flow::threads::View;
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::{Follows, Reader, Writer};
use crate::flow::transport::timer::Timer;
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

/// What became of the server's connection.
pub(super) enum ServerAfter {
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
    let mut link = match abort::is_on(stream) {
        false => assign::connect(stream, &mut client.timer, false).await?,
        true => Box::pin(abort::connect(stream, client, false)).await?,
    };
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
pub(super) fn retries(stream: &Stream<'_>, is_reason: impl Fn(RetryOn) -> bool) -> bool {
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
        if server.spec.pool_purge_delay.is_some_and(|delay| delay.is_zero()) {
            socket.reset_on_close();
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
    let opening = open(stream, &link.slot, keep_server, &mut client.input)?;
    let Opening { bytes: mut head, decoder, reframe, sent } = opening;
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
        if abort::is_on(stream) {
            let timer = &mut client.timer;
            let respond = way_back.respond(stream, &mut server, &mut to_client, timer);
            let responded = Box::pin(abort::unless_gone(&mut from_client, respond)).await;
            return responded.unwrap_or_else(|| Err(abort::while_answered(stream)));
        }
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
    match result {
        Ok(after) => Ok(if uploaded { after } else { ServerAfter::Close }),
        Err(Failed::Response(ending)) => Err(ending),
        Err(Failed::Upload(failure)) => Err(upload_failed(stream, client.input.as_ref(), failure)),
    }
}

/// What a server is sent first, and how it goes on.
struct Opening {
    /// The head, and what is here of the body.
    bytes: Vec<u8>,
    decoder: Decoder,
    reframe: Reframe,
    /// Bytes of the body so far.
    sent: Cell<u64>,
}

/// Writes the request's head, and what is here already of its body: both go out in one packet.
fn open(
    stream: &mut Stream<'_>,
    slot: &Slot,
    keep_server: bool,
    input: &mut Option<Buffer>,
) -> Result<Opening, Ending> {
    let mut head = std::mem::take(&mut stream.reply_body);
    head.clear();
    name_server(stream, slot);
    let connection = request_connection(stream, keep_server);
    write::request(&stream.request, connection, stream.server_names(), &mut head);
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
        && let Some(here) = input
    {
        let received = here.filled().len();
        if reframe.run(&mut decoder, here, &mut head, &sent).is_err() {
            let later = (received - here.filled().len(), decoder.progress(), sent.get() - 1);
            return Err(bad_body(stream, Some(here), later));
        }
        input.take_if(|i| i.is_empty());
    }
    if decoder.is_done() && stream.kept_body.is_none() && may_be_repeated(stream) {
        stream.kept_body = head.get(head_length..).map(Into::into);
    }
    Ok(Opening { bytes: head, decoder, reframe, sent })
}

/// Which direction has failed.
enum Failed {
    Response(Ending),
    Upload(UploadFailure),
}

/// Why an upload has failed.
enum UploadFailure {
    /// Its framing is wrong: how many bytes of what came last were fine, what was being read, how much data
    /// came before.
    Bad(usize, Progress, u64),
    /// The client has closed.
    Closed,
    /// The client was silent for too long.
    ClientLate,
    /// The server took nothing for too long.
    ServerLate,
}

/// What a failed upload means for the client, to whom the response may be on its way already.
fn upload_failed(stream: &Stream<'_>, input: Option<&Buffer>, failure: UploadFailure) -> Ending {
    let (status, who, when) = match failure {
        UploadFailure::Bad(consumed, progress, data) => {
            bad_body(stream, input, (consumed, progress, data));
            (400, Who::Proxy, When::Headers)
        }
        UploadFailure::Closed => (0, Who::Client, When::Data),
        UploadFailure::ClientLate => (408, Who::ClientTimeout, When::Data),
        UploadFailure::ServerLate => (504, Who::ServerTimeout, When::Data),
    };
    if matches!(who, Who::Client | Who::ClientTimeout) {
        count_abort(stream, |c| &c.client_aborts);
    }
    match stream.times.response {
        Some(_) => Ending::silent(stream.status, who, When::Data),
        None if status == 0 => Ending::silent(0, who, when),
        None => Ending::page(status, who, when),
    }
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
    mut upload: Pin<&mut impl Future<Output = Result<(), UploadFailure>>>,
    mut respond: Pin<&mut impl Future<Output = Result<ServerAfter, Ending>>>,
) -> (Result<ServerAfter, Failed>, bool) {
    let mut uploaded = None;
    poll_fn(|cx| {
        if uploaded.is_none()
            && let Poll::Ready(result) = upload.as_mut().poll(cx)
        {
            if let Err(failure) = result {
                return Poll::Ready((Err(Failed::Upload(failure)), false));
            }
            uploaded = Some(());
        }
        let response = respond.as_mut().poll(cx);
        response.map(|after| (after.map_err(Failed::Response), uploaded.is_some()))
    })
    .await
}

/// The timeouts that matter while data moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limited {
    pub(super) client: Option<Duration>,
    pub(super) server: Option<Duration>,
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
) -> Result<(), UploadFailure> {
    let mut out = Vec::new();
    loop {
        let input = from.input.get_or_insert_with(Buffer::take);
        let received = input.filled().len();
        if from.reframe.run(&mut from.decoder, input, &mut out, from.sent).is_err() {
            let consumed = received - input.filled().len();
            let data = from.sent.get() - 1;
            return Err(UploadFailure::Bad(consumed, from.decoder.progress(), data));
        }
        if !out.is_empty() {
            match timer.within(timeouts.server, to.write_all(&out, Follows::Unknown)).await {
                Ok(Ok(())) => out.clear(),
                Ok(Err(_)) => return std::future::pending().await,
                Err(_) => return Err(UploadFailure::ServerLate),
            }
        }
        if from.decoder.is_done() {
            from.input.take_if(|i| i.is_empty());
            return Ok(());
        }
        match timer.within(timeouts.client, from.reader.read(input)).await {
            Ok(Ok(count)) if count > 0 => {}
            Ok(_) => return Err(UploadFailure::Closed),
            Err(_) => return Err(UploadFailure::ClientLate),
        }
    }
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
