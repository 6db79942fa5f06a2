//! Converters that look a value up in a file (manual 7.3.1 "map"): in comes a key, out comes what the file
//! has beside the entry that matches, or a default.

use std::borrow::Cow;

use crate::catalog::{Converter, Part, Status};
use crate::flow::rules::header::fill_in;
use crate::sample::pattern::elements::Elements;
use crate::sample::pattern::index::{Index, Shape, Want};
use crate::sample::pattern::{Method, Probe};
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Argument, Arguments};
use crate::state::map_file::loading::{self, Use};
use crate::state::map_file::{Output, int_value, ip_value};

/// Reads the file, and a default address.
fn load(args: &mut Arguments, method: Method, output: Output) -> Result<(), String> {
    let name = String::from_utf8_lossy(args.str(0).unwrap_or_default()).into_owned();
    let used = Use { map: true, acl: false, two_columns: true };
    let patterns = loading::file(&name, used, Shape { method, fold: false }, output, None)?;
    if let (Output::Ip, Some(default)) = (output, args.str(1)) {
        let text = String::from_utf8_lossy(default);
        let ip =
            ip_value(default).ok_or_else(|| format!("map: cannot parse default ip <{text}>."))?;
        args.0[1] = Argument::Ip(ip);
    }
    if let Some(first) = args.0.first_mut() {
        *first = Argument::Patterns(patterns);
    }
    Ok(())
}

/// What stands beside the entry that matches.
fn look_up<'a>(key: Value<'a>, args: &'a Arguments) -> Option<Value<'a>> {
    let Some(Argument::Patterns(patterns)) = args.0.first() else { return None };
    let probe = patterns.shape().method.probe(&key)?;
    let output = patterns.output();
    let found = match patterns.unchanged() {
        Some((elements, index)) => index
            .find(elements, &probe, Want::Best)
            .map(|id| value(elements, index, id, &probe, output)),
        None => patterns.find(&probe, Want::Best, |elements, index, id| {
            value(elements, index, id, &probe, output).map(Value::into_owned)
        }),
    };
    found.unwrap_or_else(|| default(args))
}

/// An element's value as the map gives it; without one, 1.
fn value<'e>(
    elements: &'e Elements,
    index: &Index,
    id: u32,
    probe: &Probe<'_>,
    output: Output,
) -> Option<Value<'e>> {
    let Some(value) = elements.value(id) else { return Some(Value::Int(1)) };
    match (output, index.shape().method, probe) {
        (Output::Int, ..) => int_value(value).map(Value::Int),
        (Output::Ip, ..) => ip_value(value).map(Value::Ip),
        (_, Method::Regm, Probe::Text(text)) => {
            let mut out = Vec::new();
            fill_in(&mut out, value, &index.regex(id)?.captures(text)?);
            Some(Value::string(out))
        }
        _ => Some(Value::text(value)),
    }
}

fn default(args: &Arguments) -> Option<Value<'_>> {
    match args.0.get(1)? {
        Argument::Str(text) => Some(Value::Str(Cow::Borrowed(text))),
        Argument::Int(number) => Some(Value::Int(*number)),
        Argument::Ip(address) => Some(Value::Ip(*address)),
        _ => None,
    }
}

const ROW: Converter = Converter {
    args: &[ArgType::Str, ArgType::Str],
    required: 1,
    takes: Type::Str,
    gives: Type::Str,
    status: Status::Works,
    run: |key, _, args| look_up(key, args),
    ..Converter::NEW
};

const INT: Converter = Converter { args: &[ArgType::Str, ArgType::Int], gives: Type::Int, ..ROW };

const IP: Converter = Converter { gives: Type::Addr, ..ROW };

macro_rules! maps {
    ($($name:literal $row:ident $takes:ident $method:ident $output:ident $doc:literal $key:literal $default:literal,)*) => { &[$(
        Converter {
            name: $name,
            takes: Type::$takes,
            doc: concat!("Looks the value up in a file, ", $doc, "."),
            examples: &[(concat!($key, ",", $name, "(/dev/null,", $default, ")"), $default)],
            check: |args| load(args, Method::$method, Output::$output),
            ..$row
        },
    )*] };
}

/// The rows of this family.
pub const PART: Part = Part {
    converters: maps! {
        "map" ROW Str Str Text "exactly; gives text" "str(a)" "none",
        "map_beg" ROW Str Beg Text "the longest beginning; gives text" "str(a)" "none",
        "map_beg_int" INT Str Beg Int "the longest beginning; gives an integer" "str(a)" "7",
        "map_beg_ip" IP Str Beg Ip "the longest beginning; gives an address" "str(a)" "10.0.0.1",
        "map_dir" ROW Str Dir Text "parts between slashes; gives text" "str(a)" "none",
        "map_dir_int" INT Str Dir Int "parts between slashes; gives an integer" "str(a)" "7",
        "map_dir_ip" IP Str Dir Ip "parts between slashes; gives an address" "str(a)" "10.0.0.1",
        "map_dom" ROW Str Dom Text "parts between dots; gives text" "str(a)" "none",
        "map_dom_int" INT Str Dom Int "parts between dots; gives an integer" "str(a)" "7",
        "map_dom_ip" IP Str Dom Ip "parts between dots; gives an address" "str(a)" "10.0.0.1",
        "map_end" ROW Str End Text "by its end; gives text" "str(a)" "none",
        "map_end_int" INT Str End Int "by its end; gives an integer" "str(a)" "7",
        "map_end_ip" IP Str End Ip "by its end; gives an address" "str(a)" "10.0.0.1",
        "map_int" ROW Int Int Text "numbers and ranges; gives text" "int(3)" "none",
        "map_int_int" INT Int Int Int "numbers and ranges; gives an integer" "int(3)" "7",
        "map_int_ip" IP Int Int Ip "numbers and ranges; gives an address" "int(3)" "10.0.0.1",
        "map_ip" ROW Addr Ip Text "the longest prefix; gives text" "src" "none",
        "map_ip_int" INT Addr Ip Int "the longest prefix; gives an integer" "src" "7",
        "map_ip_ip" IP Addr Ip Ip "the longest prefix; gives an address" "src" "10.0.0.1",
        "map_reg" ROW Str Reg Text "regular expressions; gives text" "str(a)" "none",
        "map_reg_int" INT Str Reg Int "regular expressions; gives an integer" "str(a)" "7",
        "map_reg_ip" IP Str Reg Ip "regular expressions; gives an address" "str(a)" "10.0.0.1",
        "map_regm" ROW Str Regm Text "regular expressions; gives text with the groups that matched" "str(a)" "none",
        "map_str" ROW Str Str Text "exactly; gives text" "str(a)" "none",
        "map_str_int" INT Str Str Int "exactly; gives an integer" "str(a)" "7",
        "map_str_ip" IP Str Str Ip "exactly; gives an address" "str(a)" "10.0.0.1",
        "map_sub" ROW Str Sub Text "by what it holds; gives text" "str(a)" "none",
        "map_sub_int" INT Str Sub Int "by what it holds; gives an integer" "str(a)" "7",
        "map_sub_ip" IP Str Sub Ip "by what it holds; gives an address" "str(a)" "10.0.0.1",
    },
    ..Part::NONE
};
