//! Fetches from the connection (manual 7.3.3).

use crate::catalog::{Fetch, Part, Status};
use crate::sample::value::{Type, Value};

const L4: Fetch = Fetch {
    name: "",
    args: &[],
    required: 0,
    gives: Type::Addr,
    valid: "YYYYYYYYYYYYYYYYYYYY..",
    doc: "",
    examples: &[],
    status: Status::Works,
    run: |_, _| None,
};

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "dst",
            doc: "The address the client connected to.",
            examples: &["dst"],
            run: |c, _| c.session.destination.ip().map(Value::Ip),
            ..L4
        },
        Fetch {
            name: "dst_port",
            gives: Type::Int,
            doc: "The port the client connected to.",
            examples: &["dst_port"],
            run: |c, _| c.session.destination.port().map(|p| Value::Int(p.into())),
            ..L4
        },
        Fetch {
            name: "src",
            doc: "The client's address.",
            examples: &["src"],
            run: |c, _| c.session.source.ip().map(Value::Ip),
            ..L4
        },
        Fetch {
            name: "src_port",
            gives: Type::Int,
            doc: "The client's port.",
            examples: &["src_port"],
            run: |c, _| c.session.source.port().map(|p| Value::Int(p.into())),
            ..L4
        },
    ],
    ..Part::NONE
};
