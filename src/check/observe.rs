//! Traffic tells how servers are (manual 5.2 "observe", "error-limit", "on-error"). In come what became of
//! connections and responses, out comes what enough errors in a row lead to. No sockets, no clock.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// `observe`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// `layer4`: connections.
    Four,
    /// `layer7`: responses too.
    Seven,
}

/// `on-error`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// `fastinter`: checks sooner.
    FastInter,
    /// `fail-check`: counts as a failed check.
    #[default]
    FailCheck,
    /// `sudden-death`: so does this, and one more will be the last.
    SuddenDeath,
    /// `mark-down`: takes the server down.
    MarkDown,
}

/// What became of a connection or a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Connected.
    Connected,
    /// Not connected.
    NotConnected,
    /// A response that tells nothing bad.
    Response,
    /// A response with a status that blames the server.
    WrongStatus,
    /// A response whose head cannot be understood.
    InvalidHead,
    /// A response that is broken or unwanted otherwise.
    Invalid,
    /// The connection broke before the response.
    ReadError,
    /// No response in time.
    Timeout,
    /// The server closed without a response.
    Closed,
}

impl Event {
    /// What a response with this status tells.
    pub fn of_status(status: u16) -> Event {
        match status {
            100..=499 | 501 | 505 => Event::Response,
            _ => Event::WrongStatus,
        }
    }

    /// As the check's text tells it.
    pub fn description(self) -> &'static str {
        match self {
            Event::Connected => "L4 successful connection",
            Event::NotConnected => "L4 unsuccessful connection",
            Event::Response => "Correct http response",
            Event::WrongStatus => "Wrong http response",
            Event::InvalidHead => "Invalid http response (headers)",
            Event::Invalid => "Invalid http response",
            Event::ReadError => "Read error (http)",
            Event::Timeout => "Read timeout (http)",
            Event::Closed => "Close from server (http)",
        }
    }

    /// Whether it is an error for one who looks at this layer; `None` when it tells nothing there.
    fn is_error(self, layer: Layer) -> Option<bool> {
        match (self, layer) {
            (Event::Connected, Layer::Four) => Some(false),
            (Event::NotConnected, _) => Some(true),
            (_, Layer::Four) | (Event::Connected, Layer::Seven) => None,
            (event, Layer::Seven) => Some(event != Event::Response),
        }
    }
}

/// `observe`, `error-limit` and `on-error` of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observe {
    /// What is looked at.
    pub layer: Layer,
    /// How many errors in a row it takes.
    pub limit: u32,
    /// What happens then.
    pub on_error: OnError,
}

/// `error-limit` when none is given.
pub const DEFAULT_LIMIT: u32 = 10;

/// Errors in a row.
#[derive(Debug, Default)]
pub struct Errors(AtomicU32);

impl Errors {
    /// Counts an event; gives the errors in a row once there are enough, and begins anew.
    pub fn count(&self, observe: &Observe, event: Event) -> Option<u32> {
        match event.is_error(observe.layer)? {
            false => self.0.store(0, Relaxed),
            true => {
                let errors = self.0.fetch_add(1, Relaxed) + 1;
                if errors >= observe.limit {
                    self.0.store(0, Relaxed);
                    return Some(errors);
                }
            }
        }
        None
    }

    /// The server was marked up anew.
    pub fn forget(&self) {
        self.0.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(layer: Layer) -> Observe {
        Observe { layer, limit: 3, on_error: OnError::default() }
    }

    #[test]
    fn enough_errors_in_a_row_count() {
        let (errors, seven) = (Errors::default(), observe(Layer::Seven));
        let count = |event| errors.count(&seven, event);
        assert_eq!(count(Event::Timeout), None);
        assert_eq!(count(Event::WrongStatus), None);
        assert_eq!(count(Event::Response), None);
        assert_eq!(count(Event::Closed), None);
        assert_eq!(count(Event::Connected), None);
        assert_eq!(count(Event::NotConnected), None);
        assert_eq!(count(Event::Invalid), Some(3));
        assert_eq!(count(Event::Invalid), None);
    }

    #[test]
    fn layer_4_looks_at_connections_only() {
        let (errors, four) = (Errors::default(), observe(Layer::Four));
        let count = |event| errors.count(&four, event);
        for _ in 0..5 {
            assert_eq!(count(Event::WrongStatus), None);
        }
        count(Event::NotConnected);
        count(Event::NotConnected);
        assert_eq!(count(Event::Connected), None);
        count(Event::NotConnected);
        count(Event::NotConnected);
        assert_eq!(count(Event::NotConnected), Some(3));
    }

    #[test]
    fn some_statuses_blame_the_server() {
        assert_eq!(Event::of_status(404), Event::Response);
        assert_eq!(Event::of_status(501), Event::Response);
        assert_eq!(Event::of_status(500), Event::WrongStatus);
        assert_eq!(Event::of_status(503), Event::WrongStatus);
    }
}
