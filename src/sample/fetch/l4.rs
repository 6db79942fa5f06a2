//! Fetches from the connection (manual 7.3.3).

use crate::catalog::{Fetch, Part, Status};
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments};

const L4: Fetch = Fetch {
    gives: Type::Ipv4,
    valid: "YYYYYYYYYYYYYYYYYYYY..",
    status: Status::Works,
    ..Fetch::NEW
};

fn unit(args: &mut Arguments) -> Result<(), String> {
    match args.str(0) {
        None | Some(b"" | b"us" | b"ms") => Ok(()),
        Some(other) => {
            Err(format!("expects 'us' or 'ms', got '{}'", String::from_utf8_lossy(other)))
        }
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "bc_http_major",
            gives: Type::Int,
            valid: valid::RESPONSE_KEPT,
            doc: "The major HTTP version spoken with the server.",
            examples: &["bc_http_major"],
            ..Fetch::NEW
        },
        Fetch {
            name: "be_id",
            gives: Type::Int,
            valid: valid::BACKEND,
            doc: "The number of the current backend.",
            examples: &["be_id"],
            ..Fetch::NEW
        },
        Fetch {
            name: "be_name",
            gives: Type::Str,
            valid: valid::BACKEND,
            doc: "The name of the current backend.",
            examples: &["be_name"],
            ..Fetch::NEW
        },
        Fetch {
            name: "dst",
            doc: "The address the client connected to.",
            examples: &["dst"],
            run: |c, _| c.session.destination()?.ip().map(Value::Ip),
            ..L4
        },
        Fetch {
            name: "dst_conn",
            gives: Type::Int,
            valid: valid::CLIENT,
            doc: "Connections on the same listener.",
            examples: &["dst_conn"],
            ..Fetch::NEW
        },
        Fetch {
            name: "dst_is_local",
            gives: Type::Bool,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Whether the destination address is one of this machine.",
            examples: &["dst_is_local"],
            ..Fetch::NEW
        },
        Fetch {
            name: "dst_port",
            gives: Type::Int,
            doc: "The port the client connected to.",
            examples: &["dst_port"],
            run: |c, _| c.session.destination()?.port().map(|p| Value::Int(p.into())),
            ..L4
        },
        Fetch {
            name: "fc_fackets",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Forward-acknowledged segments counted by the kernel for the client connection.",
            examples: &["fc_fackets"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_http_major",
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "The major HTTP version spoken with the client.",
            examples: &["fc_http_major"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_lost",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Lost segments counted by the kernel for the client connection.",
            examples: &["fc_lost"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_pp_authority",
            gives: Type::Str,
            valid: valid::CLIENT_OR_CHECK,
            doc: "The authority a PROXY protocol header carried.",
            examples: &["fc_pp_authority"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_pp_unique_id",
            gives: Type::Str,
            valid: valid::CLIENT_OR_CHECK,
            doc: "The unique id a PROXY protocol header carried.",
            examples: &["fc_pp_unique_id"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_rcvd_proxy",
            gives: Type::Bool,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Whether the client connection began with a PROXY protocol header.",
            examples: &["fc_rcvd_proxy"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_reordering",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "The kernel's reordering measure for the client connection.",
            examples: &["fc_reordering"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_retrans",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Retransmitted segments of the client connection.",
            examples: &["fc_retrans"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_rtt",
            check: unit,
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Round trip time of the client connection, in ms or us.",
            examples: &["fc_rtt(us)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_rttvar",
            check: unit,
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Variance of the round trip time, in ms or us.",
            examples: &["fc_rttvar"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_sacked",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Selectively acknowledged segments of the client connection.",
            examples: &["fc_sacked"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fc_unacked",
            args: &[ArgType::Str],
            gives: Type::Int,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Unacknowledged segments of the client connection.",
            examples: &["fc_unacked"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_conn",
            args: &[ArgType::Frontend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Established connections of a frontend.",
            examples: &["fe_conn(web)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_defbe",
            gives: Type::Str,
            valid: valid::CLIENT,
            doc: "The name of the frontend's default backend.",
            examples: &["fe_defbe"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_id",
            gives: Type::Int,
            valid: valid::CLIENT,
            doc: "The number of the current frontend.",
            examples: &["fe_id"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_name",
            gives: Type::Str,
            valid: valid::CLIENT,
            doc: "The name of the current frontend.",
            examples: &["fe_name"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_req_rate",
            args: &[ArgType::Frontend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "Requests of a frontend in the last second.",
            examples: &["fe_req_rate(web)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "fe_sess_rate",
            args: &[ArgType::Frontend],
            required: 1,
            gives: Type::Int,
            valid: valid::INTERNAL,
            doc: "New sessions of a frontend in the last second.",
            examples: &["fe_sess_rate(web)"],
            ..Fetch::NEW
        },
        Fetch {
            name: "so_id",
            gives: Type::Int,
            valid: valid::CLIENT,
            doc: "The number of the listening socket.",
            examples: &["so_id"],
            ..Fetch::NEW
        },
        Fetch {
            name: "so_name",
            gives: Type::Str,
            valid: valid::CLIENT,
            doc: "The name of the listening socket.",
            examples: &["so_name"],
            ..Fetch::NEW
        },
        Fetch {
            name: "src",
            doc: "The client's address.",
            examples: &["src"],
            run: |c, _| c.session.source().ip().map(Value::Ip),
            ..L4
        },
        Fetch {
            name: "src_is_local",
            gives: Type::Bool,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Whether the client's address is one of this machine.",
            examples: &["src_is_local"],
            ..Fetch::NEW
        },
        Fetch {
            name: "src_port",
            gives: Type::Int,
            doc: "The client's port.",
            examples: &["src_port"],
            run: |c, _| c.session.source().port().map(|p| Value::Int(p.into())),
            ..L4
        },
        Fetch {
            name: "srv_id",
            gives: Type::Int,
            valid: valid::SERVER,
            doc: "The number of the chosen server.",
            examples: &["srv_id"],
            ..Fetch::NEW
        },
        Fetch {
            name: "srv_name",
            gives: Type::Str,
            valid: valid::SERVER,
            doc: "The name of the chosen server.",
            examples: &["srv_name"],
            ..Fetch::NEW
        },
    ],
    ..Part::NONE
};
