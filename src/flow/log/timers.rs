//! The log's timers (manual 8.4). In: the points in time of a stream. Out: milliseconds, -1 for a phase
//! that was not reached.

use std::time::Duration;

use crate::config::proxy::Mode;
use crate::flow::log::format::LogContext;
use crate::flow::session::Times;

/// Timers of one log line.
#[derive(Debug, Clone, Copy)]
pub struct Timers {
    /// `Th`: handshakes.
    handshake: i64,
    /// `Ti`: from there to the first byte.
    idle: i64,
    /// To the end of the request's head, all included.
    request: i64,
    queued: i64,
    connected: i64,
    response: i64,
    end: i64,
}

fn ms(time: Option<Duration>) -> i64 {
    time.map_or(-1, |t| t.as_millis() as i64)
}

/// `to - from`, or -1 when `to` was not reached.
fn between(from: i64, to: i64) -> i64 {
    if to < 0 { -1 } else { to - from }
}

impl Timers {
    /// The timers of a context's stream, or of a session that had none.
    pub fn of(context: &LogContext<'_>) -> Timers {
        let session = context.session;
        let first = |times: &Times| times.start == session.accepted;
        match context.stream {
            Some(stream) => {
                let spent = if first(&stream.times) { session.handshake } else { Duration::ZERO };
                let timers = Timers::new(&stream.times, spent);
                match context.frontend.mode {
                    Mode::Http => timers,
                    _ => Timers { idle: -1, request: -1, ..timers },
                }
            }
            None => {
                let end = session.accepted.elapsed();
                let handshake = session.handshake.as_millis() as i64;
                let end = end.as_millis() as i64;
                Timers {
                    handshake,
                    idle: end - handshake,
                    request: -1,
                    queued: -1,
                    connected: -1,
                    response: -1,
                    end,
                }
            }
        }
    }

    /// Timers from points in time; `handshake` is the time handshakes took before the first request.
    pub fn new(times: &Times, handshake: Duration) -> Timers {
        let handshake = handshake.as_millis() as i64;
        let last = [times.response, times.connected, times.queued, times.request, times.first_byte];
        let end = times.end.or(last.into_iter().flatten().next()).unwrap_or_default();
        Timers {
            handshake,
            // Known once the request is complete, as for HAProxy.
            idle: times.request.map_or(-1, |_| between(handshake, ms(times.first_byte))),
            request: ms(times.request),
            queued: ms(times.queued),
            connected: ms(times.connected),
            response: ms(times.response),
            end: ms(Some(end)),
        }
    }

    /// `%Th`
    pub fn handshake(&self) -> i64 {
        self.handshake
    }

    /// `%Ti`
    pub fn idle(&self) -> i64 {
        self.idle
    }

    /// From the start to the request's first byte.
    pub fn before_request(&self) -> i64 {
        if self.idle < 0 { 0 } else { self.idle + self.handshake }
    }

    /// `%TR`
    pub fn request(&self) -> i64 {
        between(self.idle + self.handshake, self.request)
    }

    /// `%Tq`
    pub fn all_request(&self) -> i64 {
        self.request
    }

    /// `%Tw`. Without a request (TCP) HAProxy counts from -1, so that the least value is 1.
    pub fn queue(&self) -> i64 {
        between(self.request, self.queued)
    }

    /// `%Tc`
    pub fn connect(&self) -> i64 {
        between(self.queued, self.connected)
    }

    /// `%Tr`
    pub fn response(&self) -> i64 {
        between(self.connected, self.response)
    }

    /// `%Td`: from the response's head (HTTP) or the connection (TCP) to the end.
    pub fn data(&self, http: bool) -> i64 {
        let from = if http { self.response } else { self.connected };
        if from < 0 { -1 } else { self.end - from }
    }

    /// `%Ta`
    pub fn active(&self) -> i64 {
        self.end - self.before_request()
    }

    /// `%Tt`
    pub fn total(&self) -> i64 {
        self.end
    }

    /// `%Tu`
    pub fn user(&self) -> i64 {
        self.end - self.idle.max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::clock::Moment;

    fn times(list: [Option<u64>; 6]) -> Times {
        let [first_byte, request, queued, connected, response, end] =
            list.map(|ms| ms.map(Duration::from_millis));
        Times { start: Moment::now(), first_byte, request, queued, connected, response, end }
    }

    #[test]
    fn a_whole_request() {
        let t = [Some(12), Some(15), Some(16), Some(18), Some(30), Some(50)];
        let t = Timers::new(&times(t), Duration::from_millis(5));
        assert_eq!((t.handshake(), t.idle(), t.request(), t.all_request()), (5, 7, 3, 15));
        assert_eq!((t.queue(), t.connect(), t.response(), t.data(true)), (1, 2, 12, 20));
        assert_eq!((t.active(), t.total(), t.user()), (38, 50, 43));
    }

    #[test]
    fn what_was_not_reached_is_minus_one() {
        let t = Timers::new(&times([None, None, None, None, None, Some(501)]), Duration::ZERO);
        assert_eq!((t.idle(), t.request(), t.all_request()), (-1, -1, -1));
        assert_eq!((t.queue(), t.connect(), t.response(), t.data(true)), (-1, -1, -1, -1));
        assert_eq!((t.active(), t.total(), t.user()), (501, 501, 501));
        let t = [Some(0), Some(0), None, None, None, Some(3)];
        let t = Timers::new(&times(t), Duration::ZERO);
        assert_eq!((t.request(), t.queue(), t.connect(), t.active()), (0, -1, -1, 3));
    }

    #[test]
    fn tcp_waits_one_millisecond_at_least() {
        let t = [None, None, Some(0), Some(0), None, Some(1)];
        let t = Timers::new(&times(t), Duration::ZERO);
        assert_eq!((t.queue(), t.connect(), t.total(), t.data(false)), (1, 0, 1, 1));
    }
}
