//! Bytes both ways: TCP mode, CONNECT, and protocols changed by `Upgrade` (manual 4.2 "timeout
//! tunnel"). A direction holds a buffer only while bytes are on their way.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::flow::server::assign::Link;
use crate::flow::session::exchange::Ending;
use crate::flow::session::http::After;
use crate::flow::session::outcome::{Outcome, When, Who};
use crate::flow::session::timeouts::Timeouts;
use crate::flow::session::{Client, Stream};
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::{Reader, Writer};
use crate::flow::transport::timer::Timer;
use crate::state::clock::Moment;

/// One direction of a tunnel.
struct Direction<'a> {
    reader: Reader<'a>,
    writer: Writer<'a>,
    buffer: Option<Buffer>,
    /// The reader has come to its end.
    ended: bool,
    /// The end was passed on to the writer.
    closed: bool,
    /// The writer's connection is not ended, but reset.
    resets: bool,
    bytes: u64,
}

/// Which side failed.
enum Failure {
    Reader,
    Writer,
}

impl Direction<'_> {
    /// Moves what can be moved; ready when this direction is closed. `moved` is set when bytes moved.
    fn poll_move(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<Result<(), Failure>> {
        while !self.closed {
            if let Some(buffer) = self.buffer.as_mut().filter(|b| !b.is_empty()) {
                match ready!(self.writer.poll_write(cx, buffer.filled())) {
                    Ok(count) => {
                        buffer.consume(count);
                        self.bytes += count as u64;
                        *moved = true;
                    }
                    Err(_) => return Poll::Ready(Err(Failure::Writer)),
                }
                continue;
            }
            if self.ended {
                self.closed = true;
                if !self.resets {
                    // Failing means that the other side has gone altogether, as reading from it tells.
                    let _ = self.writer.shutdown();
                }
                break;
            }
            match self.poll_fill(cx) {
                Poll::Ready(Ok(0)) => self.ended = true,
                Poll::Ready(Ok(_)) => *moved = true,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Failure::Reader)),
                Poll::Pending => {
                    self.buffer = None;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let buffer = self.buffer.get_or_insert_with(Buffer::take_large);
        self.reader.poll_read(cx, buffer)
    }
}

/// When each side sent something last.
#[derive(Clone, Copy)]
struct Heard {
    client: Moment,
    server: Moment,
}

impl Heard {
    /// Since when a side is silent: unless it is `independent`, what it is sent counts as well.
    fn since(self, own: Moment, independent: bool) -> Moment {
        let last = if self.client < self.server { self.server } else { self.client };
        if independent { own } else { last }
    }
}

/// When silence ends a tunnel, given whether a direction is closed.
fn silence(
    frontend: &Timeouts,
    backend: &Timeouts,
    half_closed: bool,
    heard: Heard,
    late: Option<Who>,
) -> Option<(Moment, Who)> {
    let of_client = heard.since(heard.client, frontend.independent);
    let of_server = heard.since(heard.server, backend.independent);
    if let Some(limit) = backend.tunnel.or(frontend.tunnel).filter(|_| !half_closed) {
        // Both have the same patience; the client's is looked at first.
        return Some(match of_client <= of_server {
            true => (of_client + limit, Who::ClientTimeout),
            false => (of_server + limit, Who::ServerTimeout),
        });
    }
    let fin = |fin: Option<Duration>, plain| if half_closed { fin.or(plain) } else { plain };
    let client = fin(frontend.client_fin, frontend.client);
    let server = fin(backend.server_fin, backend.server);
    let client = client.map(|limit| (of_client + limit, Who::ClientTimeout));
    let server = server.map(|limit| (of_server + limit, Who::ServerTimeout));
    let client = client.filter(|(_, who)| late != Some(*who));
    let server = server.filter(|(_, who)| late != Some(*who));
    match (client, server) {
        (Some(client), Some(server)) => Some(if server.0 < client.0 { server } else { client }),
        (client, server) => client.or(server),
    }
}

/// Copies both ways until both are closed, one fails, or both are silent for too long. `at_hand` are
/// bytes received already: from the client and from the server.
pub async fn copy(
    client: &mut Client,
    link: &mut Link,
    timeouts: (Timeouts, Timeouts),
    from_server: Option<Buffer>,
) -> (Outcome, u64, u64) {
    let resets_client = client.no_linger;
    let resets_server = link.slot.proxy().is_some_and(|p| p.options.no_linger);
    let (client_reader, client_writer) = client.socket.split();
    link.socket.send_at_once();
    let (server_reader, server_writer) = link.socket.split();
    let direction = |reader, writer, buffer| Direction {
        reader,
        writer,
        buffer,
        ended: false,
        closed: false,
        resets: false,
        bytes: 0,
    };
    let mut up = direction(client_reader, server_writer, client.input.take());
    up.resets = resets_server;
    let mut down = direction(server_reader, client_writer, from_server);
    let timer = &mut client.timer;
    let now = Moment::now();
    let mut heard = Heard { client: now, server: now };
    // The side that was silent for too long while the other one goes on (`option independent-streams`).
    let mut late = None;
    let outcome = poll_fn(|cx| {
        let (mut from_client, mut from_server) = (false, false);
        let sent = up.poll_move(cx, &mut from_client);
        down.resets = resets_client && up.ended;
        let received = down.poll_move(cx, &mut from_server);
        match (sent, received) {
            (Poll::Ready(Err(Failure::Reader)), _) | (_, Poll::Ready(Err(Failure::Writer))) => {
                return Poll::Ready(Outcome::new(Who::Client, When::Data));
            }
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => {
                return Poll::Ready(Outcome::new(Who::Server, When::Data));
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(Outcome::default()),
            (Poll::Ready(Ok(())), _) if resets_server => {
                // `option nolinger`: nothing is left of the server's connection.
                return Poll::Ready(Outcome::default());
            }
            _ => {}
        }
        if from_client {
            heard.client = Moment::now();
        }
        if from_server {
            heard.server = Moment::now();
        }
        let half_closed = up.closed || down.closed;
        let limit = silence(&timeouts.0, &timeouts.1, half_closed, heard, late);
        let Some((end, who)) = limit else { return Poll::Pending };
        ready!(timer.poll_elapsed(Some(end), cx));
        let (side, direction) = match who {
            Who::ClientTimeout => (&timeouts.0, &mut up),
            _ => (&timeouts.1, &mut down),
        };
        if side.independent && !half_closed {
            direction.ended = true;
            late = Some(who);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Outcome::new(who, When::Data))
    })
    .await;
    let outcome = match late {
        Some(who) if outcome == Outcome::default() => Outcome::new(who, When::Data),
        _ => outcome,
    };
    let (up, down) = (up.bytes, down.bytes);
    if resets_server || outcome == Outcome::new(Who::Client, When::Data) {
        // The server shall see that the client did not end properly.
        link.socket.reset_on_close();
    }
    (outcome, up, down)
}

/// What came while a server's first bytes are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// Bytes.
    Bytes,
    /// The end of what the server sends.
    End,
    /// The time to wait is over.
    Late,
    /// One side failed.
    Failure(Outcome),
}

/// A tunnel whose way back is not open yet: the client's bytes go on, the server's are only read.
pub struct Early<'a> {
    up: Direction<'a>,
    from_server: Reader<'a>,
    /// The client's, for what is left when the way back opens.
    rest: &'a mut Option<Buffer>,
    timer: &'a mut Timer,
}

impl<'a> Early<'a> {
    /// Between these two.
    pub fn new(client: &'a mut Client, link: &'a mut Link) -> Early<'a> {
        let (reader, _) = client.socket.split();
        let (from_server, writer) = link.socket.split();
        let buffer = client.input.take();
        let up = Direction {
            reader,
            writer,
            buffer,
            ended: false,
            closed: false,
            resets: false,
            bytes: 0,
        };
        Early { up, from_server, rest: &mut client.input, timer: &mut client.timer }
    }

    /// Moves the client's bytes on and reads the server's; ready when something came.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut Buffer,
        deadline: Option<Moment>,
    ) -> Poll<Came> {
        if let Poll::Ready(Err(failure)) = self.up.poll_move(cx, &mut false) {
            let who = match failure {
                Failure::Reader => Who::Client,
                Failure::Writer => Who::Server,
            };
            return Poll::Ready(Came::Failure(Outcome::new(who, When::Data)));
        }
        match self.from_server.poll_read(cx, input) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Came::End),
            Poll::Ready(Ok(_)) => return Poll::Ready(Came::Bytes),
            Poll::Ready(Err(_)) => {
                return Poll::Ready(Came::Failure(Outcome::new(Who::Server, When::Data)));
            }
            Poll::Pending => {}
        }
        self.timer.poll_elapsed(deadline, cx).map(|()| Came::Late)
    }

    /// Gives the client's unsent bytes back; says how many have gone.
    pub fn finish(self) -> u64 {
        *self.rest = self.up.buffer;
        self.up.bytes
    }
}

/// A tunnel after `101 Switching Protocols` or CONNECT.
pub async fn upgraded(
    stream: &mut Stream<'_>,
    client: &mut Client,
    mut link: Link,
    from_server: Option<Buffer>,
) -> Result<After, Ending> {
    let timeouts = pair(stream);
    let (outcome, up, down) = copy(client, &mut link, timeouts, from_server).await;
    stream.outcome = outcome;
    stream.bytes_in += up;
    stream.bytes_out += down;
    Ok(After::Close)
}

/// Timeouts of the frontend and the backend.
pub fn pair(stream: &Stream<'_>) -> (Timeouts, Timeouts) {
    let frontend = stream.frontend().map(|p| p.timeouts).unwrap_or_default();
    let backend = stream.backend().map(|p| p.timeouts).unwrap_or(frontend);
    (frontend, backend)
}
