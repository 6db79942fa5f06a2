//! Fetches from stick tables (manual 7.3.2 and 7.3.3): what is counted of the client's address
//! (`src_…`) or of what the rules track (`sc_…`, `sc0_…` to `sc2_…`).

use crate::catalog::{Fetch, Part};
use crate::sample::value::Type;
use crate::sample::{ArgType, valid};

const TRACKED: Fetch = Fetch { gives: Type::Int, valid: valid::INTERNAL, ..Fetch::NEW };

/// Five fetches of one kind of datum: of each counter, of a given counter, of the client's address.
macro_rules! counted {
    ($($name:literal $doc:literal)*) => { &[$(
        Fetch {
            name: concat!("sc0_", $name),
            args: &[ArgType::Table],
            doc: concat!($doc, ", of what the first counter tracks."),
            examples: &[concat!("sc0_", $name)],
            ..TRACKED
        },
        Fetch {
            name: concat!("sc1_", $name),
            args: &[ArgType::Table],
            doc: concat!($doc, ", of what the second counter tracks."),
            examples: &[concat!("sc1_", $name)],
            ..TRACKED
        },
        Fetch {
            name: concat!("sc2_", $name),
            args: &[ArgType::Table],
            doc: concat!($doc, ", of what the third counter tracks."),
            examples: &[concat!("sc2_", $name)],
            ..TRACKED
        },
        Fetch {
            name: concat!("sc_", $name),
            args: &[ArgType::Int, ArgType::Table],
            required: 1,
            doc: concat!($doc, ", of what the given counter tracks."),
            examples: &[concat!("sc_", $name, "(0)")],
            ..TRACKED
        },
        Fetch {
            name: concat!("src_", $name),
            args: &[ArgType::Table],
            required: 1,
            valid: valid::CLIENT_OR_CHECK,
            doc: concat!($doc, ", of the client's address."),
            examples: &[concat!("src_", $name, "(app)")],
            ..TRACKED
        },
    )*] };
}

/// The rows that exist for each counter and for the client's address.
pub const COUNTED: Part = Part {
    fetches: counted! {
        "bytes_in_rate" "Bytes received per period"
        "bytes_out_rate" "Bytes sent per period"
        "clr_gpc0" "Clears the first general counter and gives its former value"
        "clr_gpc1" "Clears the second general counter and gives its former value"
        "conn_cnt" "Connections so far"
        "conn_cur" "Connections now"
        "conn_rate" "New connections per period"
        "get_gpc0" "The first general counter"
        "get_gpc1" "The second general counter"
        "get_gpt0" "The general tag"
        "gpc0_rate" "Increments of the first general counter per period"
        "gpc1_rate" "Increments of the second general counter per period"
        "http_err_cnt" "HTTP errors so far"
        "http_err_rate" "HTTP errors per period"
        "http_req_cnt" "HTTP requests so far"
        "http_req_rate" "HTTP requests per period"
        "inc_gpc0" "Increments the first general counter and gives its new value"
        "inc_gpc1" "Increments the second general counter and gives its new value"
        "kbytes_in" "Kilobytes received so far"
        "kbytes_out" "Kilobytes sent so far"
        "sess_cnt" "Sessions so far"
        "sess_rate" "New sessions per period"
    },
    ..Part::NONE
};

/// Whether a counter tracks, and how many connections track its entry.
macro_rules! tracking {
    ($($prefix:literal $args:expr, $required:literal $call:literal $which:literal)*) => { &[$(
        Fetch {
            name: concat!($prefix, "tracked"),
            args: $args,
            required: $required,
            gives: Type::Bool,
            doc: concat!("Whether ", $which, " tracks something."),
            examples: &[concat!($prefix, "tracked", $call)],
            ..TRACKED
        },
        Fetch {
            name: concat!($prefix, "trackers"),
            args: $args,
            required: $required,
            doc: concat!("How many connections track the entry of ", $which, "."),
            examples: &[concat!($prefix, "trackers", $call)],
            ..TRACKED
        },
    )*] };
}

/// The rows that exist for each counter only.
pub const TRACKING: Part = Part {
    fetches: tracking! {
        "sc0_" &[ArgType::Table], 0 "" "the first counter"
        "sc1_" &[ArgType::Table], 0 "" "the second counter"
        "sc2_" &[ArgType::Table], 0 "" "the third counter"
        "sc_" &[ArgType::Int, ArgType::Table], 1 "(0)" "the given counter"
    },
    ..Part::NONE
};

/// The other rows of this family.
pub const PART: Part = Part {
    fetches: &[
        Fetch {
            name: "src_updt_conn_cnt",
            args: &[ArgType::Table],
            required: 1,
            valid: valid::CLIENT_OR_CHECK,
            doc: "Counts a connection of the client's address and gives the count.",
            examples: &["src_updt_conn_cnt(app)"],
            ..TRACKED
        },
        Fetch {
            name: "table_avl",
            args: &[ArgType::Table],
            required: 1,
            doc: "Free entries of a stick table.",
            examples: &["table_avl(app)"],
            ..TRACKED
        },
        Fetch {
            name: "table_cnt",
            args: &[ArgType::Table],
            required: 1,
            doc: "Entries in use of a stick table.",
            examples: &["table_cnt(app)"],
            ..TRACKED
        },
    ],
    ..Part::NONE
};
