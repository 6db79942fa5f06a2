//! Converters that look a value up in a stick table (manual 7.3.1 "in_table", "table_…").

use crate::catalog::{Converter, Part, Status};
use crate::sample::fetch::table::table;
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext};
use crate::state::stick_table::{Data, Entry, StickTable};

/// What the entry of a value holds: `absent` without an entry; `None` when the value cannot be a key
/// or the table does not store it.
fn look_up<'a>(
    value: Value<'a>,
    context: &SampleContext<'_>,
    args: &Arguments,
    absent: Value<'a>,
    take: fn(&StickTable, &Entry) -> Option<Value<'static>>,
) -> Option<Value<'a>> {
    let table = table(context, args.str(0).unwrap_or_default())?;
    match table.find(&table.key(value)?) {
        Some(entry) => take(&table, &entry),
        None => Some(absent),
    }
}

fn int(number: u64) -> Value<'static> {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

const LOOK_UP: Converter = Converter {
    args: &[ArgType::Table],
    required: 1,
    takes: Type::Any,
    gives: Type::Int,
    status: Status::Works,
    ..Converter::NEW
};

macro_rules! data {
    ($($name:literal $doc:literal $take:expr,)*) => { &[$(
        Converter {
            name: concat!("table_", $name),
            doc: concat!($doc, ", of the value's entry."),
            examples: &[(concat!("int(7),table_", $name, "(app)"), "0")],
            run: |value, context, args| look_up(value, context, args, Value::Int(0), $take),
            ..LOOK_UP
        },
    )*] };
}

/// The rows for each kind of datum.
pub const DATA: Part = Part {
    converters: data! {
        "bytes_in_rate" "Bytes received per period" |t, e| t.get(e, Data::BytesInRate).map(int),
        "bytes_out_rate" "Bytes sent per period" |t, e| t.get(e, Data::BytesOutRate).map(int),
        "conn_cnt" "Connections so far" |t, e| t.get(e, Data::ConnCnt).map(int),
        "conn_cur" "Connections now" |t, e| t.get(e, Data::ConnCur).map(int),
        "conn_rate" "New connections per period" |t, e| t.get(e, Data::ConnRate).map(int),
        "gpc0" "The first general counter" |t, e| t.get(e, Data::Gpc0).map(int),
        "gpc0_rate" "Increments of the first general counter per period" |t, e| t.get(e, Data::Gpc0Rate).map(int),
        "gpc1" "The second general counter" |t, e| t.get(e, Data::Gpc1).map(int),
        "gpc1_rate" "Increments of the second general counter per period" |t, e| t.get(e, Data::Gpc1Rate).map(int),
        "gpt0" "The general tag" |t, e| t.get(e, Data::Gpt0).map(int),
        "http_err_cnt" "HTTP errors so far" |t, e| t.get(e, Data::HttpErrCnt).map(int),
        "http_err_rate" "HTTP errors per period" |t, e| t.get(e, Data::HttpErrRate).map(int),
        "http_req_cnt" "HTTP requests so far" |t, e| t.get(e, Data::HttpReqCnt).map(int),
        "http_req_rate" "HTTP requests per period" |t, e| t.get(e, Data::HttpReqRate).map(int),
        "server_id" "The server the value sticks to" |t, e| t.get(e, Data::ServerId).map(int),
        "sess_cnt" "Sessions so far" |t, e| t.get(e, Data::SessCnt).map(int),
        "sess_rate" "New sessions per period" |t, e| t.get(e, Data::SessRate).map(int),
        "kbytes_in" "Kilobytes received so far" |t, e| t.get(e, Data::BytesInCnt).map(|n| int(n >> 10)),
        "kbytes_out" "Kilobytes sent so far" |t, e| t.get(e, Data::BytesOutCnt).map(|n| int(n >> 10)),
        "trackers" "Connections that track it" |_, e| Some(Value::Int(i64::from(e.trackers()) + 1)),
    },
    ..Part::NONE
};

/// The other rows of this family.
pub const PART: Part = Part {
    converters: &[Converter {
        name: "in_table",
        gives: Type::Bool,
        doc: "Whether the table has an entry for the value.",
        examples: &[("int(7),in_table(app)", "0")],
        run: |value, context, args| {
            let found = |_: &StickTable, _: &Entry| Some(Value::Bool(true));
            look_up(value, context, args, Value::Bool(false), found)
        },
        ..LOOK_UP
    }],
    ..Part::NONE
};
