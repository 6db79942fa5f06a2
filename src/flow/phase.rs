//! The checkpoints that a connection passes, in their order: where rules run and samples are valid
//! (manual 7.3, "samples validity").

/// A checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// `tcp-request connection`: just accepted.
    Connection,
    /// `tcp-request session`: handshakes are done.
    Session,
    /// `tcp-request content`: first bytes are here.
    RequestContent,
    /// `http-request` and all that comes with the request's head.
    Request,
    /// The server was chosen and its connection is being made.
    Server,
    /// `tcp-response content`
    ResponseContent,
    /// `http-response`
    Response,
    /// `http-after-response`: any response, our own too.
    AfterResponse,
    /// Everything is over; the log line is written.
    Log,
    /// A health check: no client, no request, only a server's response.
    Check,
}
