//! The statistics: in come the `World` and a request, out come the page, CSV, typed lines or JSON
//! (management.txt 9.1 and 9.2; manual 4.2 "stats …"). `fields` is the table of columns, `row` what
//! is shown of each proxy, the other files write it.

mod access;
mod actions;
mod answer;
mod csv;
mod fields;
mod json;
pub mod load;
mod page;
mod query;
mod row;
mod spec;
mod table;
#[cfg(test)]
mod tests;

use crate::flow::rules::condition::Condition;
use crate::state::world::World;
use spec::{AccessAction, PageSpec};

pub use csv::{number as write_value, type_word};
pub use fields::{COLUMNS, Column, Field, Value};
pub use json::schema;
pub use row::{Bound, Object, Row, Selection};
pub use spec::{PART, StatsSpec};

/// The page of a running proxy.
#[derive(Debug)]
pub struct StatsPage {
    /// Name of the proxy that answers with it.
    proxy: String,
    /// The beginning of the targets it answers.
    uri: String,
    /// `stats admin`: any of these lets people change servers.
    admin: Vec<Condition>,
    /// `stats http-request`
    rules: Vec<(AccessAction, Option<Condition>)>,
    /// What was written.
    spec: PageSpec,
}

/// How the statistics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A header line, then a line for each row.
    Csv,
    /// A line for each value; with the column's description if `described`.
    Typed {
        /// `desc` was given.
        described: bool,
    },
    /// One array of arrays.
    Json,
}

/// `"tags":{…},"value":{…}`, as in every JSON export.
pub fn write_json(tags: &str, value: &Value<'_>, out: &mut String) {
    json::tags(tags, out);
    json::value(value, out);
}

/// The statistics of the selected rows, as `show stat` and the page's exports give them.
pub fn dump(world: &World, selection: &Selection<'_>, format: Format) -> Vec<u8> {
    let mut out = String::new();
    match format {
        Format::Csv => csv::header(&mut out),
        Format::Json => out.push('['),
        Format::Typed { .. } => {}
    }
    let mut first = true;
    for proxy in selection.proxies(world) {
        for row in selection.rows(world, proxy) {
            match format {
                Format::Csv => csv::line(&row, &mut out),
                Format::Typed { described } => csv::typed(&row, described, &mut out),
                Format::Json => {
                    if !std::mem::take(&mut first) {
                        out.push(',');
                    }
                    json::array(&row, &mut out);
                }
            }
        }
    }
    if format == Format::Json {
        out.push(']');
    }
    out.into_bytes()
}
