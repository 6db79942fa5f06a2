//! A connection in HTTP mode: it rests, then a request passes, then it rests again (manual 1.1, "The
//! HTTP transaction model").

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::flow::session::timeouts::Timeouts;
use crate::flow::session::{Client, Session, exchange};
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::Socket;
use crate::state::clock::Moment;

/// What becomes of the connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It waits for the next request.
    Rest,
    /// It is closed.
    Close,
}

/// How a rest ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awake {
    /// There is something to read.
    Readable,
    /// The time is over.
    Expired,
    /// The process stops.
    Stopping,
}

/// Serves requests until the connection ends. At rest it holds no buffer; what a request in progress
/// needs is boxed.
pub async fn run(session: &Session, client: &mut Client) {
    let mut start = session.accepted;
    loop {
        let awake = match client.input {
            Some(_) => Awake::Readable,
            None => rest(session, client, start).await,
        };
        let first = session.requests.get() == 0;
        if awake == Awake::Stopping || (awake == Awake::Expired && !first) {
            return;
        }
        if Box::pin(exchange::run(session, client, start, awake)).await == After::Close {
            return;
        }
        session.requests.set(session.requests.get().saturating_add(1));
        start = Moment::now();
    }
}

/// How long a connection that was just made may take to send its request once the process is stopping:
/// its client had no way to know.
const FIRST_REQUEST_GRACE: Duration = Duration::from_millis(200);

/// Waits for the next request's first byte.
async fn rest(session: &Session, client: &mut Client, start: Moment) -> Awake {
    let thread = &session.thread;
    let timeout = session.view().and_then(|(world, index)| {
        let timeouts = &world.proxies.get(index)?.timeouts;
        rest_timeout(timeouts, session.requests.get() == 0)
    });
    let deadline = timeout.map(|t| start + t);
    let mut registered: Option<usize> = None;
    let mut grace: Option<Moment> = None;
    let Client { socket, input, timer, .. } = client;
    let mut fresh = session.requests.get() == 0;
    let awake = poll_fn(|cx| {
        let readable = match std::mem::take(&mut fresh) {
            true => read_at_once(socket, input, cx),
            false => socket.poll_readable(cx).map(drop),
        };
        if readable.is_ready() {
            return Poll::Ready(Awake::Readable);
        }
        if !thread.stopping.get() {
            if timer.poll_elapsed(deadline, cx).is_ready() {
                return Poll::Ready(Awake::Expired);
            }
        } else if session.requests.get() > 0 {
            return Poll::Ready(Awake::Stopping);
        } else {
            let until = *grace.get_or_insert_with(|| Moment::now() + FIRST_REQUEST_GRACE);
            if timer.poll_elapsed(Some(until), cx).is_ready() {
                return Poll::Ready(Awake::Stopping);
            }
        }
        registered.get_or_insert_with(|| thread.begin_rest(cx.waker()));
        Poll::Pending
    })
    .await;
    if let Some(number) = registered {
        thread.end_rest(number);
    }
    awake
}

/// A client mostly sends as soon as it is connected: what is there already is read without having waited
/// for an event. Ready as well when there is an end or an error to be found.
fn read_at_once(socket: &mut Socket, input: &mut Option<Buffer>, cx: &mut Context<'_>) -> Poll<()> {
    let mut buffer = Buffer::take();
    let result = ready!(socket.split().0.poll_read(cx, &mut buffer));
    *input = Some(buffer).filter(|_| matches!(result, Ok(count) if count > 0));
    Poll::Ready(())
}

/// Manual 4.2, "timeout http-keep-alive" and "timeout http-request".
fn rest_timeout(timeouts: &Timeouts, first: bool) -> Option<Duration> {
    let request = timeouts.http_request;
    let wanted = if first { request } else { timeouts.http_keep_alive.or(request) };
    wanted.or(timeouts.client)
}
