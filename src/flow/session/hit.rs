//! A request is answered from a cache. In: a stream for which `cache-use` has found an entry. Out: its
//! response, through the same rules and filters as a server's; the body is sent from where it is stored.

use crate::flow::http::h1::framing::Body;
use crate::flow::http::h1::write;
use crate::flow::log::format::LogContext;
use crate::flow::phase::Phase;
use crate::flow::response::cache::{self, Hit};
use crate::flow::rules::capture;
use crate::flow::server::persist::{self, ResponseFate};
use crate::flow::session::exchange::{END, Ending, after_response_rules, request_failed};
use crate::flow::session::http::After;
use crate::flow::session::outcome::{Outcome, When, Who};
use crate::flow::session::way_back::{blocked_cookie, response_rules};
use crate::flow::session::{Client, Stream, filter, forward, reply};
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::Follows;
use crate::state::cache::Delimited;

/// Who answers, as logs tell it.
const LOCAL: Outcome = Outcome::new(Who::Local, When::Request);

/// Sends the entry that `cache-use` found.
pub async fn serve(stream: &mut Stream<'_>, client: &mut Client) -> Result<After, Ending> {
    let Some(hit) = cache::hit(stream).cloned() else {
        return Err(Ending::page(500, Who::Internal, When::Request));
    };
    let at_hand = take_request_body(stream, client).await?;
    if let Err(ending) = receive(stream, &hit) {
        stream.times.response = None;
        return Err(Ending { outcome: LOCAL, ..ending });
    }
    let told = hit.entry.draft.delimited != Delimited::Close || reply::is_delimited(stream);
    stream.framing.keep_alive &= at_hand && told && !stream.session.thread.stopping.get();
    send(stream, client, &hit).await?;
    if stream.framing.keep_alive {
        return Ok(After::Rest);
    }
    forward::close(client, !at_hand || client.input.is_some()).await;
    Ok(After::Close)
}

/// The request's body is of no interest. Says whether all of it was at hand: the rest of one that is
/// still to come ends the connection.
async fn take_request_body(stream: &mut Stream<'_>, client: &mut Client) -> Result<bool, Ending> {
    if stream.framing.body == Body::None {
        return Ok(true);
    }
    let received = client.input.as_ref().map_or(&[][..], Buffer::filled);
    if let Some(length) = reply::body_at_hand(stream.framing.body, received) {
        if let Some(input) = &mut client.input {
            input.consume(length);
        }
        client.input.take_if(|input| input.is_empty());
        stream.bytes_in += length as u64;
        return Ok(true);
    }
    if received.is_empty() && stream.request.has_element(b"expect", b"100-continue") {
        let (_, mut writer) = client.socket.split();
        let leave = writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n", Follows::Unknown);
        let timeout = stream.frontend().and_then(|p| p.timeouts.client);
        if !matches!(client.timer.within(timeout, leave).await, Ok(Ok(()))) {
            return Err(Ending::silent(0, Who::Client, When::Data));
        }
    }
    Ok(false)
}

/// The response's head comes, as one from a server would: it is counted, and its rules run.
fn receive(stream: &mut Stream<'_>, hit: &Hit) -> Result<(), Ending> {
    hit.fill_in(&mut stream.response);
    stream.bytes_out += stream.response.counted_size() + counted_body(stream, hit);
    let now = Some(stream.times.elapsed());
    let times = &mut stream.times;
    (times.queued, times.connected, times.response) = (now, now, now);
    stream.status = stream.response.status;
    stream.outcome = LOCAL;
    filter::begin(stream);
    let body = framing(stream, hit);
    filter::response(stream, body);
    stream.variables.end_request();
    capture::response_headers(stream);
    response_rules(stream)?;
    if persist::answer(stream) == ResponseFate::Blocked {
        return Err(blocked_cookie(stream));
    }
    if !after_response_rules(stream) {
        return Err(request_failed(stream));
    }
    Ok(())
}

/// How the body is sent, if there is one.
fn framing(stream: &Stream<'_>, hit: &Hit) -> Body {
    match hit.entry.draft.delimited {
        _ if hit.unmodified || stream.request.method() == b"HEAD" => Body::None,
        Delimited::Length => Body::Length(hit.entry.body.len() as u64),
        Delimited::Chunks => Body::Chunked,
        Delimited::Close => Body::UntilClose,
    }
}

/// Sends head and body.
async fn send(stream: &mut Stream<'_>, client: &mut Client, hit: &Hit) -> Result<(), Ending> {
    let framing = framing(stream, hit);
    let mut body: &[u8] = match framing {
        Body::None => &[],
        _ => &hit.entry.body,
    };
    let filtered;
    if stream.filters.is_some() {
        stream.reply_body.clear();
        stream.reply_body.extend_from_slice(body);
        filter::reply(stream);
        filtered = std::mem::take(&mut stream.reply_body);
        if framing != Body::None {
            body = &filtered;
        }
    }
    if let Some(context) = LogContext::of_stream(stream, Phase::Log) {
        context.frontend.log.emit_early(&context);
    }
    let mut head = std::mem::take(&mut stream.reply_body);
    head.clear();
    let connection = reply::connection(stream, stream.framing.keep_alive);
    write::response(&stream.response, connection, stream.client_names(), &mut head);
    let chunked =
        framing != Body::None && stream.response.has_element(b"transfer-encoding", b"chunked");
    let tail = match chunked {
        true => put_in_chunk(body, &hit.entry.trailers, &mut head),
        false => Vec::new(),
    };
    if body.len() <= SMALL && tail.is_empty() {
        head.extend_from_slice(body);
        body = &[];
    }
    let written = write_out(stream, client, [&head, body, &tail]).await;
    stream.reply_body = head;
    written.map_err(|who| Ending::silent(stream.status, who, When::Data))
}

/// The whole body is one chunk: what stands before it goes to `head`, what follows it is given back.
fn put_in_chunk(body: &[u8], trailers: &[u8], head: &mut Vec<u8>) -> Vec<u8> {
    let mut tail = Vec::new();
    if !body.is_empty() {
        write::chunk_size(body.len(), head);
        tail.extend_from_slice(b"\r\n");
    }
    tail.extend_from_slice(b"0\r\n");
    tail.extend_from_slice(trailers);
    tail.extend_from_slice(b"\r\n");
    tail
}

/// Writes what stands before the body, the body and what follows it. The client has its time for each
/// piece of the body.
async fn write_out(
    stream: &Stream<'_>,
    client: &mut Client,
    [head, body, tail]: [&[u8]; 3],
) -> Result<(), Who> {
    let timeout = stream.frontend().and_then(|p| p.timeouts.client);
    let end = if stream.framing.keep_alive { Follows::Unknown } else { Follows::End };
    let (_, mut writer) = client.socket.split();
    let (mut head, mut body) = (head, body);
    loop {
        let (piece, rest) = body.split_at(body.len().min(PIECE));
        let (tail, follows) =
            if rest.is_empty() { (tail, end) } else { (&[][..], Follows::Unknown) };
        let written = match piece.is_empty() && tail.is_empty() {
            true => client.timer.within(timeout, writer.write_all(head, follows)).await,
            false => {
                let parts = writer.write_parts([head, piece, tail], follows);
                client.timer.within(timeout, parts).await
            }
        };
        match written {
            Ok(Ok(())) if rest.is_empty() => return Ok(()),
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Who::Client),
            Err(_) => return Err(Who::ClientTimeout),
        }
        (head, body) = (&[], rest);
    }
}

/// Up to here it costs less to copy a body behind the head than to give the system two pieces.
const SMALL: usize = 2048;

/// Bytes of a body that are written in one go.
const PIECE: usize = 1 << 18;

/// What HAProxy counts for the body and the message's end.
fn counted_body(stream: &Stream<'_>, hit: &Hit) -> u64 {
    let length = hit.entry.body.len() as u64;
    match framing(stream, hit) {
        Body::None => END,
        Body::Length(length) => length + END,
        Body::Chunked => length + END + 1 + trailers_size(&hit.entry.trailers),
        Body::UntilClose => length,
    }
}

/// Bytes of trailers' names and values.
fn trailers_size(trailers: &[u8]) -> u64 {
    let lines = trailers.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| (line.len() as u64).saturating_sub(b": \r".len() as u64)).sum()
}
