//! The body of a request that we answer ourselves: in comes a connection behind a request's head, out
//! comes the body without its framing (RFC 9112 section 7.1, RFC 9110 section 10.1.1).

use std::time::Duration;

use crate::flow::http::h1::body::{Decoder, Step};
use crate::flow::http::h1::framing::Body;
use crate::flow::session::exchange::Ending;
use crate::flow::session::outcome::{When, Who};
use crate::flow::session::{Client, Stream};
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::Follows;

/// Reads the body, at most a buffer of it: what is left then keeps the connection from living on. A
/// client that waits for leave to send it (`expect: 100-continue`) gets that.
pub async fn body(
    stream: &mut Stream<'_>,
    client: &mut Client,
    timeout: Option<Duration>,
) -> Result<Vec<u8>, Ending> {
    let mut decoder = Decoder::new(stream.framing.body);
    let mut body = Vec::new();
    if decoder.is_done() {
        return Ok(body);
    }
    let limit = stream.world.global.bufsize;
    let mut encourage = stream.request.has_element(b"expect", b"100-continue");
    loop {
        let input = client.input.get_or_insert_with(Buffer::take);
        stream.bytes_in += take(&mut decoder, input, &mut body)? as u64;
        if decoder.is_done() || body.len() >= limit {
            break;
        }
        if std::mem::take(&mut encourage) && body.is_empty() {
            let (_, mut writer) = client.socket.split();
            let sent = writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n", Follows::Unknown);
            if !matches!(client.timer.within(timeout, sent).await, Ok(Ok(()))) {
                return Err(Ending::silent(400, Who::Client, When::Data));
            }
        }
        let (mut reader, _) = client.socket.split();
        match client.timer.within(timeout, reader.read(input)).await {
            Ok(Ok(count)) if count > 0 => {}
            Ok(_) => return Err(Ending::silent(400, Who::Client, When::Data)),
            Err(_) => return Err(Ending::page(408, Who::ClientTimeout, When::Data)),
        }
    }
    client.input.take_if(|input| input.is_empty());
    if decoder.is_done() {
        stream.framing.body = Body::None;
    } else if let Body::Length(length) = &mut stream.framing.body {
        *length -= body.len() as u64;
    }
    Ok(body)
}

/// Takes what was received; gives the number of bytes of data.
fn take(decoder: &mut Decoder, input: &mut Buffer, body: &mut Vec<u8>) -> Result<usize, Ending> {
    let before = body.len();
    loop {
        let bytes = input.filled();
        let step = decoder.step(bytes);
        match step.map_err(|_| Ending::page(400, Who::Proxy, When::Data))? {
            Step::Data(count) => {
                body.extend_from_slice(bytes.get(..count).unwrap_or_default());
                input.consume(count);
            }
            Step::Skip(count) | Step::Trailer(count) => input.consume(count),
            Step::More | Step::Done => return Ok(body.len() - before),
        }
    }
}
