//! The statistics as CSV and as typed lines (management.txt 9.1 and 9.2): in come rows, out comes text.

use std::fmt::Write;

use super::fields::{COLUMNS, Column, FIXED, Field, Value};
use super::row::{Object, Row};

/// The value of a row in a column.
pub fn field<'a>(row: &Row<'a>, column: &Column) -> Option<Field<'a>> {
    let give = match row.object {
        Object::Frontend(_) => column.frontend,
        Object::Listener(_) => column.listener,
        Object::Server(_) => column.server,
        Object::Backend(_) => column.backend,
    };
    give(row)
}

/// The first line: `# pxname,svname,…`.
pub fn header(out: &mut String) {
    out.push_str("# ");
    for (index, column) in COLUMNS.iter().enumerate() {
        out.push_str(column.name);
        out.push(',');
        end_of_fixed(out, index);
    }
    out.push('\n');
}

/// One line of the table.
pub fn line(row: &Row<'_>, out: &mut String) {
    for (index, column) in COLUMNS.iter().enumerate() {
        match field(row, column).map(|f| f.value) {
            Some(Value::Str(text)) => quoted(&text, out),
            Some(value) => number(&value, out),
            None => {}
        }
        out.push(',');
        end_of_fixed(out, index);
    }
    out.push('\n');
}

/// `-` separates the fixed columns from those of modules.
fn end_of_fixed(out: &mut String, index: usize) {
    if index + 1 == FIXED {
        out.push_str("-,");
    }
}

/// Writes a number as decimal digits; text as it is.
pub fn number(value: &Value<'_>, out: &mut String) {
    let _ = match value {
        Value::S32(n) => write!(out, "{n}"),
        Value::U32(n) => write!(out, "{n}"),
        Value::U64(n) => write!(out, "{n}"),
        Value::Str(text) => out.write_str(text),
    };
}

/// Quotes a text that would break a line of CSV (RFC 4180).
fn quoted(text: &str, out: &mut String) {
    if !text.contains(['"', ',', '\r', '\n']) {
        out.push_str(text);
        return;
    }
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

/// `F.2.0.4.scur.1:MGP:u32:0`, a line for each value; `described` adds the column's name in quotes.
pub fn typed(row: &Row<'_>, described: bool, out: &mut String) {
    let kind = match row.object {
        Object::Frontend(_) => 'F',
        Object::Listener(_) => 'L',
        Object::Server(_) => 'S',
        Object::Backend(_) => 'B',
    };
    for (index, column) in COLUMNS.iter().enumerate() {
        let Some(field) = field(row, column) else { continue };
        let name = column.name;
        let _ = write!(out, "{kind}.{}.{}.{index}.{name}.1:", row.proxy.id, row.id());
        let _ = write!(out, "{}:{}:", field.tags, type_word(&field.value));
        number(&field.value, out);
        if described {
            let _ = write!(out, ":\"{name}\"");
        }
        out.push('\n');
    }
}

/// `u32`, `str` …
pub fn type_word(value: &Value<'_>) -> &'static str {
    match value {
        Value::S32(_) => "s32",
        Value::U32(_) => "u32",
        Value::U64(_) => "u64",
        Value::Str(_) => "str",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_would_break_a_line_are_quoted() {
        let mut out = String::new();
        for text in ["plain 'x'", "a,b", "say \"hi\""] {
            quoted(text, &mut out);
            out.push('|');
        }
        assert_eq!(out, "plain 'x'|\"a,b\"|\"say \"\"hi\"\"\"|");
    }

    #[test]
    fn the_header_ends_its_fixed_columns_with_a_dash() {
        let mut out = String::new();
        header(&mut out);
        assert!(out.starts_with("# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,"));
        assert!(out.contains(",need_conn_est,uweight,-,h2_headers_rcvd,"));
        assert!(out.ends_with(",h2_open_connections,h2_backend_open_streams,\n"));
    }
}
