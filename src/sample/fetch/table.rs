//! Fetches from stick tables (manual 7.3.2 and 7.3.3): what is counted of the client's address
//! (`src_…`) or of what the rules track (`sc_…`, `sc0_…` to `sc2_…`).

use std::sync::Arc;

use crate::catalog::{Fetch, Part, Status};
use crate::flow::rules::track::with_tracked;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext, valid};
use crate::state::stick_table::{Data, Entry, StickTable};

const TRACKED: Fetch =
    Fetch { gives: Type::Int, valid: valid::INTERNAL, status: Status::Works, ..Fetch::NEW };

/// What is taken from an entry, or done to it; `None` when the table does not store it.
type Take = fn(&StickTable, &Entry) -> Option<u64>;

/// The table of this name; the empty name is the table of the proxy at hand.
pub fn table(context: &SampleContext<'_>, name: &[u8]) -> Option<Arc<StickTable>> {
    let (world, frontend, backend) = match context.stream {
        Some(stream) => (stream.world.clone(), stream.frontend, stream.backend),
        None => {
            let (world, frontend) = context.session.view()?;
            (world, frontend, None)
        }
    };
    if !name.is_empty() {
        return world.tables.get(std::str::from_utf8(name).ok()?).cloned();
    }
    let own = |index: usize| world.proxies.get(index)?.table.clone();
    backend.and_then(own).or_else(|| own(frontend))
}

/// From what a counter tracks, or from the entry of the same key in another table.
fn tracked<'a>(
    context: &SampleContext<'a>,
    counter: usize,
    other: Option<&[u8]>,
    take: Take,
) -> Option<Value<'a>> {
    let other = match other {
        None | Some([]) => None,
        Some(name) => Some(table(context, name)?),
    };
    let value = with_tracked(context.session, context.stream, counter, |tracked| match &other {
        None => take(&tracked.table, &tracked.entry),
        Some(table) => match table.find(tracked.entry.key()) {
            Some(entry) => take(table, &entry),
            None => Some(0),
        },
    });
    value?.map(int)
}

/// As `tracked`, the counter's number being the first argument.
fn any<'a>(context: &SampleContext<'a>, args: &Arguments, take: Take) -> Option<Value<'a>> {
    let counter = usize::try_from(args.int(0)?).ok()?;
    tracked(context, counter, args.str(1), take)
}

/// From the entry of the client's address: 0 without one, which is made first if `make`.
fn source<'a>(
    context: &SampleContext<'a>,
    args: &Arguments,
    make: bool,
    take: Take,
) -> Option<Value<'a>> {
    let table = table(context, args.str(0).unwrap_or_default())?;
    let key = table.key(Value::Ip(context.session.source().ip()?))?;
    let entry = if make { table.find_or_add(&key) } else { table.find(&key) };
    match entry {
        Some(entry) => take(&table, &entry).map(int),
        None => Some(Value::Int(0)),
    }
}

fn int(number: u64) -> Value<'static> {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Sets a counter to 0; gives its former value.
fn clear(table: &StickTable, entry: &Entry, data: Data) -> Option<u64> {
    let before = table.get(entry, data)?;
    table.set(entry, data, 0);
    Some(before)
}

/// Adds one to a counter and to its rate; gives the counter's new value, or the rate's when only that
/// is stored.
fn increase(table: &StickTable, entry: &Entry, count: Data, rate: Data) -> Option<u64> {
    let rate = table.add(entry, rate, 1);
    table.add(entry, count, 1).or(rate)
}

fn tracked_at_all<'a>(context: &SampleContext<'a>, counter: usize) -> Option<Value<'a>> {
    let found = with_tracked(context.session, context.stream, counter, |_| ()).is_some();
    Some(Value::Bool(found))
}

/// Five fetches of one kind of datum: of each counter, of a given counter, of the client's address.
macro_rules! counted {
    ($($name:literal $doc:literal $make:literal ($take:expr),)*) => { &[$(
        Fetch {
            name: concat!("sc0_", $name),
            args: &[ArgType::Table],
            doc: concat!($doc, ", of what the first counter tracks."),
            examples: &[concat!("sc0_", $name)],
            run: |context, args| tracked(context, 0, args.str(0), $take),
            ..TRACKED
        },
        Fetch {
            name: concat!("sc1_", $name),
            args: &[ArgType::Table],
            doc: concat!($doc, ", of what the second counter tracks."),
            examples: &[concat!("sc1_", $name)],
            run: |context, args| tracked(context, 1, args.str(0), $take),
            ..TRACKED
        },
        Fetch {
            name: concat!("sc2_", $name),
            args: &[ArgType::Table],
            doc: concat!($doc, ", of what the third counter tracks."),
            examples: &[concat!("sc2_", $name)],
            run: |context, args| tracked(context, 2, args.str(0), $take),
            ..TRACKED
        },
        Fetch {
            name: concat!("sc_", $name),
            args: &[ArgType::Int, ArgType::Table],
            required: 1,
            doc: concat!($doc, ", of what the given counter tracks."),
            examples: &[concat!("sc_", $name, "(0)")],
            run: |context, args| any(context, args, $take),
            ..TRACKED
        },
        Fetch {
            name: concat!("src_", $name),
            args: &[ArgType::Table],
            required: 1,
            valid: valid::CLIENT_OR_CHECK,
            doc: concat!($doc, ", of the client's address."),
            examples: &[concat!("src_", $name, "(app)")],
            run: |context, args| source(context, args, $make, $take),
            ..TRACKED
        },
    )*] };
}

/// The rows that exist for each counter and for the client's address.
pub const COUNTED: Part = Part {
    fetches: counted! {
        "bytes_in_rate" "Bytes received per period" false (|t, e| t.get(e, Data::BytesInRate)),
        "bytes_out_rate" "Bytes sent per period" false (|t, e| t.get(e, Data::BytesOutRate)),
        "clr_gpc0" "Clears the first general counter and gives its former value" true (|t, e| clear(t, e, Data::Gpc0)),
        "clr_gpc1" "Clears the second general counter and gives its former value" true (|t, e| clear(t, e, Data::Gpc1)),
        "conn_cnt" "Connections so far" false (|t, e| t.get(e, Data::ConnCnt)),
        "conn_cur" "Connections now" false (|t, e| t.get(e, Data::ConnCur)),
        "conn_rate" "New connections per period" false (|t, e| t.get(e, Data::ConnRate)),
        "get_gpc0" "The first general counter" false (|t, e| t.get(e, Data::Gpc0)),
        "get_gpc1" "The second general counter" false (|t, e| t.get(e, Data::Gpc1)),
        "get_gpt0" "The general tag" false (|t, e| t.get(e, Data::Gpt0)),
        "gpc0_rate" "Increments of the first general counter per period" false (|t, e| t.get(e, Data::Gpc0Rate)),
        "gpc1_rate" "Increments of the second general counter per period" false (|t, e| t.get(e, Data::Gpc1Rate)),
        "http_err_cnt" "HTTP errors so far" false (|t, e| t.get(e, Data::HttpErrCnt)),
        "http_err_rate" "HTTP errors per period" false (|t, e| t.get(e, Data::HttpErrRate)),
        "http_req_cnt" "HTTP requests so far" false (|t, e| t.get(e, Data::HttpReqCnt)),
        "http_req_rate" "HTTP requests per period" false (|t, e| t.get(e, Data::HttpReqRate)),
        "inc_gpc0" "Increments the first general counter and gives its new value" true (|t, e| increase(t, e, Data::Gpc0, Data::Gpc0Rate)),
        "inc_gpc1" "Increments the second general counter and gives its new value" true (|t, e| increase(t, e, Data::Gpc1, Data::Gpc1Rate)),
        "kbytes_in" "Kilobytes received so far" false (|t, e| t.get(e, Data::BytesInCnt).map(|n| n >> 10)),
        "kbytes_out" "Kilobytes sent so far" false (|t, e| t.get(e, Data::BytesOutCnt).map(|n| n >> 10)),
        "sess_cnt" "Sessions so far" false (|t, e| t.get(e, Data::SessCnt)),
        "sess_rate" "New sessions per period" false (|t, e| t.get(e, Data::SessRate)),
    },
    ..Part::NONE
};

/// Whether a counter tracks, and how many connections track its entry.
macro_rules! tracking {
    ($($prefix:literal $args:expr, $required:literal $call:literal $which:literal $counter:expr, $table:literal)*) => { &[$(
        Fetch {
            name: concat!($prefix, "tracked"),
            args: $args,
            required: $required,
            gives: Type::Bool,
            doc: concat!("Whether ", $which, " tracks something."),
            examples: &[concat!($prefix, "tracked", $call)],
            run: |context, args| {
                let counter: fn(&Arguments) -> Option<usize> = $counter;
                tracked_at_all(context, counter(args)?)
            },
            ..TRACKED
        },
        Fetch {
            name: concat!($prefix, "trackers"),
            args: $args,
            required: $required,
            doc: concat!("How many connections track the entry of ", $which, "."),
            examples: &[concat!($prefix, "trackers", $call)],
            run: |context, args| {
                let counter: fn(&Arguments) -> Option<usize> = $counter;
                let other = args.str($table);
                tracked(context, counter(args)?, other, |_, entry| Some(entry.trackers().into()))
            },
            ..TRACKED
        },
    )*] };
}

/// The rows that exist for each counter only.
pub const TRACKING: Part = Part {
    fetches: tracking! {
        "sc0_" &[ArgType::Table], 0 "" "the first counter" |_| Some(0), 0
        "sc1_" &[ArgType::Table], 0 "" "the second counter" |_| Some(1), 0
        "sc2_" &[ArgType::Table], 0 "" "the third counter" |_| Some(2), 0
        "sc_" &[ArgType::Int, ArgType::Table], 1 "(0)" "the given counter" |args| usize::try_from(args.int(0)?).ok(), 1
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
            run: |context, args| source(context, args, true, |t, e| t.add(e, Data::ConnCnt, 1)),
            ..TRACKED
        },
        Fetch {
            name: "table_avl",
            args: &[ArgType::Table],
            required: 1,
            doc: "Free entries of a stick table.",
            examples: &["table_avl(app)"],
            run: |context, args| {
                let table = table(context, args.str(0)?)?;
                Some(int(table.spec.size.saturating_sub(table.used())))
            },
            ..TRACKED
        },
        Fetch {
            name: "table_cnt",
            args: &[ArgType::Table],
            required: 1,
            doc: "Entries in use of a stick table.",
            examples: &["table_cnt(app)"],
            run: |context, args| Some(int(table(context, args.str(0)?)?.used())),
            ..TRACKED
        },
    ],
    ..Part::NONE
};
