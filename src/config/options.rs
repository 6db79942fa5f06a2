//! `option` switches without arguments that belong to no family of their own (manual 4.2,
//! "option …"). In: the line. Out: the switch in the proxy's `OptionsSpec`.

use crate::catalog::{Keyword, Part, Status};
use crate::config::proxy::switch_option;
use crate::config::section::Sections;

const SWITCH: Keyword = Keyword { negatable: true, parse: switch_option, ..Keyword::NEW };
const FRONT: Keyword = Keyword { sections: Sections::FRONTENDS, ..SWITCH };
const BACK: Keyword = Keyword { sections: Sections::BACKENDS, ..SWITCH };
const BOTH: Keyword = Keyword { sections: Sections::PROXIES, ..SWITCH };

/// Measured on loopback, 1 MiB in TCP mode: copying in large chunks costs 0.4 of what HAProxy's copying
/// does, and splicing was no faster.
const SPLICE: &str = "bytes are copied in large chunks, which costs no more than splicing";

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "option abortonclose",
            doc: "Drops queued requests whose client has closed.",
            examples: &["option abortonclose"],
            status: Status::Works,
            ..BACK
        },
        Keyword {
            name: "option accept-invalid-http-request",
            doc: "Lets requests pass that break HTTP's rules.",
            examples: &["option accept-invalid-http-request"],
            status: Status::Works,
            ..FRONT
        },
        Keyword {
            name: "option accept-invalid-http-response",
            doc: "Lets responses pass that break HTTP's rules.",
            examples: &["option accept-invalid-http-response"],
            status: Status::Works,
            ..BACK
        },
        Keyword {
            name: "option checkcache",
            doc: "Refuses cacheable responses that set a cookie.",
            examples: &["option checkcache"],
            status: Status::Works,
            ..BACK
        },
        Keyword {
            name: "option contstats",
            status: Status::NoEffect("counters are always updated as bytes pass"),
            doc: "Counts bytes while they pass, not at the end.",
            examples: &["option contstats"],
            ..FRONT
        },
        Keyword {
            name: "option disable-h2-upgrade",
            doc: "Takes an HTTP/2 preface for an error instead of changing over.",
            examples: &["option disable-h2-upgrade"],
            ..FRONT
        },
        Keyword {
            name: "option h1-case-adjust-bogus-client",
            doc: "Writes header names to clients as h1-case-adjust says.",
            examples: &["option h1-case-adjust-bogus-client"],
            status: Status::Works,
            ..FRONT
        },
        Keyword {
            name: "option h1-case-adjust-bogus-server",
            doc: "Writes header names to servers as h1-case-adjust says.",
            examples: &["option h1-case-adjust-bogus-server"],
            status: Status::Works,
            ..BACK
        },
        Keyword {
            name: "option http-buffer-request",
            doc: "Waits for the request's body before rules run.",
            examples: &["option http-buffer-request"],
            status: Status::Works,
            ..BOTH
        },
        Keyword {
            name: "option http-ignore-probes",
            doc: "Neither logs nor answers connections without a request.",
            examples: &["option http-ignore-probes"],
            status: Status::Works,
            ..FRONT
        },
        Keyword {
            name: "option http-no-delay",
            doc: "Sends every piece of a message at once.",
            examples: &["option http-no-delay"],
            status: Status::NoEffect("every piece is sent at once anyway"),
            ..BOTH
        },
        Keyword {
            name: "option http-use-htx",
            sections: Sections::PROXIES,
            status: Status::NoEffect("there is one HTTP engine"),
            doc: "Chose the HTTP engine of release 1.9.",
            examples: &["option http-use-htx"],
            ..SWITCH
        },
        Keyword {
            name: "option http-use-proxy-header",
            doc: "Uses Proxy-Connection instead of Connection.",
            examples: &["option http-use-proxy-header"],
            status: Status::NoEffect(
                "HAProxy's HTTP engine heeds only Connection since release 2.0",
            ),
            ..FRONT
        },
        Keyword {
            name: "option http_proxy",
            doc: "Connects to the address in the request's target.",
            examples: &["option http_proxy"],
            status: Status::Works,
            ..BOTH
        },
        Keyword {
            name: "option independent-streams",
            doc: "Data in one direction does not renew the other direction's timeout.",
            examples: &["option independent-streams"],
            status: Status::Works,
            ..BOTH
        },
        Keyword {
            name: "option persist",
            doc: "Sends requests with a cookie to their server even when it is down.",
            examples: &["option persist"],
            status: Status::Works,
            ..BACK
        },
        Keyword {
            name: "option prefer-last-server",
            doc: "Keeps a client on the server of its last request where that is possible.",
            examples: &["option prefer-last-server"],
            status: Status::Works,
            ..BACK
        },
        Keyword {
            name: "option splice-auto",
            doc: "Splices in both directions where it seems worth it.",
            examples: &["option splice-auto"],
            status: Status::NoEffect(SPLICE),
            ..BOTH
        },
        Keyword {
            name: "option splice-request",
            doc: "Splices requests where it seems worth it.",
            examples: &["option splice-request"],
            status: Status::NoEffect(SPLICE),
            ..BOTH
        },
        Keyword {
            name: "option splice-response",
            doc: "Splices responses where it seems worth it.",
            examples: &["option splice-response"],
            status: Status::NoEffect(SPLICE),
            ..BOTH
        },
        Keyword {
            name: "option transparent",
            doc: "Connects to the address the client connected to.",
            examples: &["option transparent"],
            status: Status::Works,
            ..BACK
        },
    ],
    ..Part::NONE
};
