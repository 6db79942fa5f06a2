//! The statistics as JSON, and the schema of that (management.txt 9.3 "show stat", "show schema json").

use std::fmt::Write;

use super::csv::{field, number, type_word};
use super::fields::{COLUMNS, Value};
use super::row::{Object, Row};

/// The values of a row, as an array.
pub fn array(row: &Row<'_>, out: &mut String) {
    let kind = match row.object {
        Object::Frontend(_) => "Frontend",
        Object::Listener(_) => "Listener",
        Object::Server(_) => "Server",
        Object::Backend(_) => "Backend",
    };
    out.push('[');
    let mut first = true;
    for (index, column) in COLUMNS.iter().enumerate() {
        let Some(field) = field(row, column) else { continue };
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        let _ = write!(
            out,
            "{{\"objType\":\"{kind}\",\"proxyId\":{},\"id\":{},\"field\":{{\"pos\":{index},\"name\":\"{}\"}},\"processNum\":1,",
            row.proxy.id,
            row.id(),
            column.name,
        );
        tags(field.tags, out);
        value(&field.value, out);
        out.push('}');
    }
    out.push(']');
}

/// `"tags":{"origin":…,"nature":…,"scope":…}` of three letters (management.txt 9.2).
pub fn tags(letters: &str, out: &mut String) {
    let mut letters = letters.chars();
    let origin = match letters.next() {
        Some('S') => "Status",
        Some('K') => "Key",
        Some('C') => "Config",
        Some('P') => "Product",
        _ => "Metric",
    };
    let nature = match letters.next() {
        Some('L') => "Limit",
        Some('m') => "Min",
        Some('M') => "Max",
        Some('R') => "Rate",
        Some('C') => "Counter",
        Some('D') => "Duration",
        Some('A') => "Age",
        Some('T') => "Time",
        Some('N') => "Name",
        Some('O') => "Output",
        Some('a') => "Avg",
        _ => "Gauge",
    };
    let scope = match letters.next() {
        Some('S') => "Service",
        Some('s') => "System",
        Some('C') => "Cluster",
        _ => "Process",
    };
    let _ = write!(
        out,
        "\"tags\":{{\"origin\":\"{origin}\",\"nature\":\"{nature}\",\"scope\":\"{scope}\"}}"
    );
}

/// `,"value":{"type":…,"value":…}`.
pub fn value(value: &Value<'_>, out: &mut String) {
    let _ = write!(out, ",\"value\":{{\"type\":\"{}\",\"value\":", type_word(value));
    match value {
        Value::Str(text) => string(text, out),
        Value::U64(n) => {
            // Larger integers are not exact in every reader (RFC 8259 section 6).
            let _ = write!(out, "{}", (*n).min((1 << 53) - 1));
        }
        small => number(small, out),
    }
    out.push('}');
}

/// A string in quotes.
fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The schema of `show info json` and `show stat json`.
pub fn schema() -> String {
    let item = |extra: &str, value: &str, required: &str| {
        format!(
            r##"{{"title":"InfoItem","type":"object","properties":{{{extra}"field":{{"$ref":"#/definitions/field"}},"processNum":{{"$ref":"#/definitions/processNum"}},"tags":{{"$ref":"#/definitions/tags"}},"{value}":{{"$ref":"#/definitions/typedValue"}}}},"required":[{required}"field","processNum","tags","value"]}}"##
        )
    };
    let object = r#""objType":{"enum":["Frontend","Backend","Listener","Server","Unknown"]},"proxyId":{"type":"integer","minimum":0},"id":{"type":"integer","minimum":0},"#;
    let info = item("", "value", "");
    let stat = item(object, "typedValue", r#""objType","proxyId","id","#);
    format!(
        r##"{{"$schema":"http://json-schema.org/draft-04/schema#","oneOf":[{{"title":"Info","type":"array","items":{info}}},{{"title":"Stat","type":"array","items":{stat}}},{{"title":"Error","type":"object","properties":{{"errorStr":{{"type":"string"}}}},"required":["errorStr"]}}],"definitions":{{{}}}}}"##,
        definitions()
    )
}

fn definitions() -> String {
    let words = |list: &[&str]| {
        let quoted: Vec<_> = list.iter().map(|word| format!("\"{word}\"")).collect();
        format!("{{\"type\":\"string\",\"enum\":[{}]}}", quoted.join(","))
    };
    let origins = words(&["Metric", "Status", "Key", "Config", "Product", "Unknown"]);
    let natures = words(&[
        "Gauge", "Limit", "Min", "Max", "Rate", "Counter", "Duration", "Age", "Time", "Name",
        "Output", "Avg", "Unknown",
    ])
    // HAProxy writes one space here.
    .replace("\"Avg\",", "\"Avg\", ");
    let scopes = words(&["Cluster", "Process", "Service", "System", "Unknown"]);
    format!(
        r##""field":{{"type":"object","pos":{{"type":"integer","minimum":0}},"name":{{"type":"string"}},"required":["pos","name"]}},"processNum":{{"type":"integer","minimum":1}},"tags":{{"type":"object","origin":{origins},"nature":{natures},"scope":{scopes},"required":["origin","nature","scope"]}},{}"##,
        typed_value()
    )
}

fn typed_value() -> String {
    let integer = |name: &str, low: &str, high: &str| {
        format!(
            r#""{name}Value":{{"properties":{{"type":{{"type":"string","enum":["{name}"]}},"value":{{"type":"integer","minimum":{low},"maximum":{high}}}}},"required":["type","value"]}}"#
        )
    };
    let references: Vec<_> = ["s32", "s64", "u32", "u64", "str"]
        .iter()
        .map(|t| format!(r##"{{"$ref":"#/definitions/typedValue/definitions/{t}Value"}}"##))
        .collect();
    let definitions = [
        integer("s32", "-2147483648", "2147483647"),
        integer("s64", "-9007199254740991", "9007199254740991"),
        integer("u32", "0", "4294967295"),
        integer("u64", "0", "9007199254740991"),
        r#""strValue":{"properties":{"type":{"type":"string","enum":["str"]},"value":{"type":"string"}},"required":["type","value"]}"#.to_owned(),
        r#""unknownValue":{"properties":{"type":{"type":"integer","minimum":0},"value":{"type":"string","enum":["unknown"]}},"required":["type","value"]}"#.to_owned(),
    ];
    format!(
        r#""typedValue":{{"type":"object","oneOf":[{}],"definitions":{{{}}}}}"#,
        references.join(","),
        definitions.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        let mut out = String::new();
        string("a\"b\\c\n", &mut out);
        assert_eq!(out, r#""a\"b\\c\u000a""#);
    }

    #[test]
    fn the_schema_is_balanced() {
        let schema = schema();
        assert_eq!(schema.matches('{').count(), schema.matches('}').count());
        assert_eq!(schema.len(), 2782);
    }
}
