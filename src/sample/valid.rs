//! Where a fetch has a value (manual 7.3, "samples validity"): the 22 places in HAProxy's order, `Y`
//! for those where it has, and what it is that is missing elsewhere.

use crate::catalog::Fetch;

/// Constants, and what any rule may ask of the process.
pub const ANYWHERE: &str = "YYYYYYYYYYYYYYYYYYYYYY";
/// The process' and the proxies' state.
pub const INTERNAL: &str = "YYYYYYYYYYYYYYYYYYYY.Y";
/// The client's addresses, health checks' too.
pub const CLIENT_OR_CHECK: &str = "YYYYYYYYYYYYYYYYYYYY..";
/// The listener, the frontend and the counters that track a client.
pub const CLIENT: &str = "YYYYYYYYYYYYYYYYYYY...";
/// What the handshakes with the client gave.
pub const CLIENT_CONNECTION: &str = ".YYYYYYYYYYYYYYYYYY...";
/// The request, while it is in the buffer.
pub const REQUEST: &str = "..YYYYYYYYY...........";
/// What of the request is remembered until the log line.
pub const REQUEST_KEPT: &str = "..YYYYYYYYYYYYYYYYY...";
/// The message at hand: the request, then the response.
pub const MESSAGE: &str = "..YYYYYYYYYYYYYYYY.Y..";
/// The backend, once chosen.
pub const BACKEND: &str = "......YYYYYYYYYYYYYY..";
/// The server, once chosen.
pub const SERVER: &str = "..........YYYYYYYYYY..";
/// The response, while it is in the buffer.
pub const RESPONSE: &str = "...........YYYYYYY.Y..";
/// What of the response is remembered until the log line.
pub const RESPONSE_KEPT: &str = "...........YYYYYYYYY..";

/// The places, in the order of the strings above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `tcp-request connection`
    Connection,
    /// `tcp-request session`
    Session,
    /// `tcp-request content` of a frontend.
    FrontendContent,
    /// `http-request` and its kin in a frontend.
    FrontendRequest,
    /// The request's body in a frontend.
    FrontendBody,
    /// `use_backend`
    Switch,
    /// `tcp-request content` of a backend.
    BackendContent,
    /// `http-request` and its kin in a backend.
    BackendRequest,
    /// The request's body in a backend.
    BackendBody,
    /// `use-server`, `balance`, `stick`.
    UseServer,
    /// Connecting to the server: `source`.
    Connect,
    /// `tcp-response content` of a backend.
    BackendResponseContent,
    /// `http-response` in a backend.
    BackendResponse,
    /// The response's body in a backend.
    BackendResponseBody,
    /// `stick store-response`
    StoreResponse,
    /// `tcp-response content` of a frontend.
    FrontendResponseContent,
    /// `http-response` in a frontend.
    FrontendResponse,
    /// The response's body in a frontend.
    FrontendResponseBody,
    /// The log line.
    Log,
    /// Rules of health checks.
    Check,
    /// The command line's and configuration's own expressions.
    Configuration,
    /// The runtime socket.
    Cli,
}

impl Place {
    /// Every place, in the order of the strings above.
    pub const ALL: [Place; 22] = [
        Place::Connection,
        Place::Session,
        Place::FrontendContent,
        Place::FrontendRequest,
        Place::FrontendBody,
        Place::Switch,
        Place::BackendContent,
        Place::BackendRequest,
        Place::BackendBody,
        Place::UseServer,
        Place::Connect,
        Place::BackendResponseContent,
        Place::BackendResponse,
        Place::BackendResponseBody,
        Place::StoreResponse,
        Place::FrontendResponseContent,
        Place::FrontendResponse,
        Place::FrontendResponseBody,
        Place::Log,
        Place::Check,
        Place::Configuration,
        Place::Cli,
    ];

    /// How HAProxy names the place in warnings.
    pub fn word(self) -> &'static str {
        match self {
            Place::Connection => "frontend tcp-request connection rule",
            Place::Session => "frontend tcp-request session rule",
            Place::FrontendContent => "frontend tcp-request content rule",
            Place::FrontendRequest => "frontend http-request header rule",
            Place::FrontendBody => "frontend http-request body rule",
            Place::Switch => "frontend use-backend rule",
            Place::BackendContent => "backend tcp-request content rule",
            Place::BackendRequest => "backend http-request header rule",
            Place::BackendBody => "backend http-request body rule",
            Place::UseServer => "backend use-server, balance or stick-match rule",
            Place::Connect => "server source selection",
            Place::BackendResponseContent => "backend tcp-response content rule",
            Place::BackendResponse => "backend http-response header rule",
            Place::BackendResponseBody => "backend http-response body rule",
            Place::StoreResponse => "backend stick-store rule",
            Place::FrontendResponseContent => "frontend tcp-response content rule",
            Place::FrontendResponse => "frontend http-response header rule",
            Place::FrontendResponseBody => "frontend http-response body rule",
            Place::Log => "logs",
            Place::Check => "backend tcp-check rule",
            Place::Configuration => "configuration",
            Place::Cli => "command line",
        }
    }
}

/// How HAProxy names several places: by the first of them.
pub fn first(places: &[Place]) -> &'static str {
    places.iter().min_by_key(|place| **place as u32).map_or("", |place| place.word())
}

/// What the fetch needs, as the messages about SPOE arguments name it: 2.3 looks the need's number up
/// among the places.
pub fn needs_as_place(fetch: &Fetch) -> &'static str {
    let need = needs(fetch);
    let number = NEEDS.iter().position(|name| need.split(',').next() == Some(name));
    number.and_then(|number| Place::ALL.get(number)).map_or("", |place| place.word())
}

/// What fetches may need, in HAProxy's order.
const NEEDS: &[&str] = &[
    "internal state",
    "listener",
    "frontend",
    "client address",
    "client-side connection",
    "tracked counters",
    "request buffer",
    "HTTP request headers",
    "HTTP request",
    "HTTP request body",
    "backend",
    "server",
    "server-side connection",
    "server-side connection",
    "response buffer",
    "HTTP response headers",
    "HTTP response",
    "HTTP response body",
];

/// Whether the fetch has a value at the place.
pub fn at(fetch: &Fetch, place: Place) -> bool {
    fetch.valid.as_bytes().get(place as usize) == Some(&b'Y')
}

/// The places at which the fetch has a value, the first as the lowest bit.
pub fn bits(fetch: &Fetch) -> u32 {
    let places = fetch.valid.bytes().enumerate().filter(|(_, c)| *c == b'Y');
    places.fold(0, |set, (index, _)| set | 1 << index)
}

/// Whether the fetch has a value at one of the places.
pub fn at_any(fetch: &Fetch, places: &[Place]) -> bool {
    places.iter().any(|place| at(fetch, *place))
}

/// What the fetch needs, as HAProxy names it when that is missing.
pub fn needs(fetch: &Fetch) -> &'static str {
    let buffer = fetch.name.contains("payload")
        || fetch.name.contains("ssl_")
        || fetch.name.contains("rdp_cookie")
        || ["req.len", "req_len", "res.len", "wait_end", "req.proto_http", "req_proto_http"]
            .contains(&fetch.name)
        || fetch.name.starts_with("distcc");
    match (fetch.valid, buffer) {
        (REQUEST, true) => "request buffer",
        (REQUEST, false) => "HTTP request headers",
        (REQUEST_KEPT, _) => "HTTP request",
        (MESSAGE, true) => "request buffer,response buffer",
        (MESSAGE, false) => "HTTP request headers,HTTP response headers",
        (RESPONSE, true) => "response buffer",
        (RESPONSE, false) => "HTTP response headers",
        (RESPONSE_KEPT, _) => "HTTP response",
        (BACKEND, _) => "backend",
        (SERVER, _) => "server",
        (CLIENT_CONNECTION, _) => "client-side connection",
        (CLIENT, _) => "frontend",
        (CLIENT_OR_CHECK, _) => "client address",
        _ => "internal state",
    }
}
