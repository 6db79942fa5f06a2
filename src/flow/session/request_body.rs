//! What has come of a request's body, for rules that look at it (manual 4.2 "option http-buffer-request",
//! 7.3.6 "req.body"). In comes a connection behind a request's head, out comes `Stream::body`; the bytes
//! themselves stay where they are, to be sent on.

use crate::config::spec::ProxySpec;
use crate::flow::http::h1::body::{self, BadBody, Decoder, Step};
use crate::flow::http::h1::framing::Body;
use crate::flow::http::h1::progress::Progress;
use crate::flow::session::exchange::{self, Ending};
use crate::flow::session::outcome::{When, Who};
use crate::flow::session::{Client, Stream};
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::Follows;
use crate::state::clock::Moment;
use crate::state::world::Proxy;

/// Whether requests of a proxy wait for their bodies.
pub fn is_awaited(proxy: &ProxySpec) -> bool {
    proxy.options.is_on("http-buffer-request") || checks_posts(proxy)
}

/// `balance url_param NAME check_post`
fn checks_posts(proxy: &ProxySpec) -> bool {
    let words = &proxy.balance.words;
    words.first().is_some_and(|w| *w == *"url_param")
        && words.get(2).is_some_and(|w| *w == *"check_post")
}

/// Waits for the body where the proxy asks for that, otherwise takes what is there already.
pub async fn receive(
    stream: &mut Stream<'_>,
    client: &mut Client,
    proxy: &Proxy,
) -> Result<(), Ending> {
    if stream.framing.body == Body::None || stream.body_complete {
        return Ok(());
    }
    if !proxy.options.buffer_request {
        // What cannot be understood is found out when it is sent on.
        let _ = look(stream, client);
        return Ok(());
    }
    let begun = stream.times.request.take();
    wait(stream, client, proxy).await?;
    stream.times.request = begun.map(|_| stream.times.elapsed());
    Ok(())
}

/// Takes a copy of what has come of the response's body together with its head.
pub fn look_at_response(stream: &mut Stream<'_>, framing: Body, received: &[u8]) {
    let mut body = Vec::new();
    // What cannot be understood is found out when it is sent on.
    let _ = decode(&mut Decoder::new(framing), received, &mut body);
    stream.body = body.into();
}

/// The body's bytes out of those that frame it.
fn decode(decoder: &mut Decoder, mut rest: &[u8], body: &mut Vec<u8>) -> Result<(), BadBody> {
    loop {
        let count = match decoder.step(rest)? {
            Step::Data(count) => {
                body.extend_from_slice(rest.get(..count).unwrap_or_default());
                count
            }
            Step::Skip(count) | Step::Trailer(count) => count,
            Step::More | Step::Done => return Ok(()),
        };
        rest = rest.get(count..).unwrap_or_default();
    }
}

/// Takes a copy of what has come; says whether there is no sense in waiting for more.
fn look(stream: &mut Stream<'_>, client: &Client) -> Result<bool, BadBody> {
    let received = client.input.as_ref().map_or(&[][..], Buffer::filled);
    let mut decoder = Decoder::new(stream.framing.body);
    let mut body = Vec::new();
    let room = room(stream);
    decode(&mut decoder, received, &mut body)?;
    let full = body.len() >= room || client.input.as_ref().is_some_and(Buffer::is_full);
    body.truncate(room);
    stream.body = body.into();
    stream.body_complete = decoder.is_done() || full;
    Ok(stream.body_complete)
}

/// Bytes of a body that have room beside the head: HAProxy keeps both in one buffer, with 8 bytes for each
/// part and 40 for itself, and `tune.maxrewrite` free.
fn room(stream: &Stream<'_>) -> usize {
    let global = &stream.world.global;
    let parts = 8 * (stream.request.len() + 4);
    let head = usize::try_from(stream.request.counted_size()).unwrap_or(usize::MAX);
    let taken = global.maxrewrite.saturating_add(40 + parts).saturating_add(head);
    global.bufsize.saturating_sub(taken)
}

async fn wait(stream: &mut Stream<'_>, client: &mut Client, proxy: &Proxy) -> Result<(), Ending> {
    let deadline = proxy.timeouts.http_request.map(|limit| Moment::now() + limit);
    loop {
        match look(stream, client) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(BadBody) => return Err(bad_body(stream, client)),
        }
        if stream.body.is_empty() && stream.request.has_element(b"expect", b"100-continue") {
            encourage(stream, client).await?;
        }
        let (mut reader, _) = client.socket.split();
        let input = client.input.get_or_insert_with(Buffer::take);
        let deadline = deadline.or_else(|| Some(Moment::now() + proxy.timeouts.client?));
        match client.timer.limit(deadline, reader.read(input)).await {
            Ok(Ok(count)) if count > 0 => {}
            Ok(_) => return Err(failed(stream, Ending::page(400, Who::Client, When::Data))),
            Err(_) => {
                return Err(failed(stream, Ending::page(408, Who::ClientTimeout, When::Data)));
            }
        }
    }
}

/// What has come is no proper body: it is kept as a whole, with the place of the mistake.
fn bad_body(stream: &Stream<'_>, client: &mut Client) -> Ending {
    let received = client.input.as_ref().map_or(&[][..], Buffer::filled);
    let Some(mistake) = body::first_mistake(stream.framing.body, received) else {
        return exchange::bad_body(stream, None, (0, Progress::Data, 0));
    };
    if let Some(input) = &mut client.input {
        input.consume(mistake.position);
    }
    let later = (mistake.position, mistake.progress, mistake.data);
    exchange::bad_body(stream, client.input.as_ref(), later)
}

fn failed(stream: &mut Stream<'_>, ending: Ending) -> Ending {
    stream.session.frontend_state().counters.failed_requests.inc();
    stream.session.listener.counters.failed_requests.inc();
    ending
}

/// Tells a client that waits for leave to send its body; the server is not asked any more.
async fn encourage(stream: &mut Stream<'_>, client: &mut Client) -> Result<(), Ending> {
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    /// What HAProxy counts for it.
    const COUNTED: u64 = 44;
    stream.request.remove(b"expect");
    let timeout = stream.frontend().and_then(|p| p.timeouts.client);
    let (_, mut writer) = client.socket.split();
    match client.timer.within(timeout, writer.write_all(CONTINUE, Follows::Unknown)).await {
        Ok(Ok(())) => {
            stream.bytes_out += COUNTED;
            Ok(())
        }
        _ => Err(Ending::silent(400, Who::Client, When::Data)),
    }
}
