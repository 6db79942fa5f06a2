//! `option abortonclose` (manual 4.2): a request whose client has closed is given up while it waits for
//! a server, for a connection or for the response. In: that work and the client's side. Out: what the
//! work gives, or how the request ended.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::flow::server::assign::{self, Link};
use crate::flow::session::exchange::Ending;
use crate::flow::session::outcome::{When, Who};
use crate::flow::session::way_back::count_abort;
use crate::flow::session::{Client, Stream};
use crate::flow::transport::socket::Reader;

/// Whether the backend asks for it.
pub fn is_on(stream: &Stream<'_>) -> bool {
    stream.backend().is_some_and(|p| p.options.abort_on_close)
}

/// A connection to a server, as `assign::connect` gives it.
pub async fn connect(
    stream: &mut Stream<'_>,
    client: &mut Client,
    fresh: bool,
) -> Result<Link, Ending> {
    let Client { socket, timer, .. } = client;
    let (mut reader, _) = socket.split();
    match unless_gone(&mut reader, assign::connect(stream, timer, fresh)).await {
        Some(connected) => connected,
        None => Err(before_connected(stream)),
    }
}

/// Waits for the work, or, giving `None`, for the client's end.
pub async fn unless_gone<T>(client: &mut Reader<'_>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => client.poll_gone(cx).map(|()| None),
    })
    .await
}

fn before_connected(stream: &mut Stream<'_>) -> Ending {
    if stream.times.queued.is_some() {
        return Ending::silent(0, Who::Client, When::Connect);
    }
    stream.times.queued = Some(stream.times.elapsed());
    stream.server = None;
    Ending::silent(0, Who::Client, When::Queue)
}

/// The client closed while the response was waited for, or on its way.
pub fn while_answered(stream: &mut Stream<'_>) -> Ending {
    count_abort(stream, |c| &c.client_aborts);
    if stream.status != 0 {
        return Ending::silent(stream.status, Who::Client, When::Data);
    }
    Ending::page(400, Who::Client, When::Headers)
}
