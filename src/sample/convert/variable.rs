//! Converters that look at variables or change them (manual 7.3.1 "concat", "strcmp", "set-var" …).
//! In: a value. Out: the value, with a variable's beside it or compared with it.

use crate::catalog::{Converter, Part, Status};
use crate::sample::args::ArgType;
use crate::sample::value::{Type, Value};
use crate::sample::{Arguments, SampleContext, vars};

fn concat<'a>(
    value: &Value<'_>,
    context: &SampleContext<'a>,
    args: &'a Arguments,
) -> Option<Value<'static>> {
    let mut out = value.bytes()?.to_vec();
    for place in 0..3 {
        // A variable that was not set adds nothing.
        out.extend_from_slice(&args.text(place, context).unwrap_or_default());
    }
    Some(Value::string(out))
}

/// Compares up to the shorter text's end or a NUL, then the lengths.
fn compare<'a>(
    value: &Value<'_>,
    context: &SampleContext<'a>,
    args: &'a Arguments,
) -> Option<Value<'static>> {
    let (own, other) = (value.bytes()?, args.text(0, context)?);
    let pairs = own.iter().zip(other.iter());
    let until_nul = pairs.take_while(|(a, b)| **a != 0 || **a != **b);
    let difference = until_nul.map(|(a, b)| i64::from(*a) - i64::from(*b)).find(|d| *d != 0);
    let sign = |ordering: std::cmp::Ordering| ordering as i64;
    Some(Value::Int(difference.unwrap_or_else(|| sign(own.len().cmp(&other.len())))))
}

/// Takes the same time wherever the texts differ.
fn equal<'a>(
    value: &Value<'_>,
    context: &SampleContext<'a>,
    args: &'a Arguments,
) -> Option<Value<'static>> {
    let variable = args.0.first()?.variable(context)?.cast(Type::Bin)?;
    let (own, other) = (value.bytes()?, variable.bytes()?);
    if own.len() != other.len() {
        return Some(Value::Bool(false));
    }
    let differs = own.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    Some(Value::Bool(std::hint::black_box(differs) == 0))
}

/// The argument at this place names a variable.
fn named(args: &mut Arguments, index: usize) -> Result<(), String> {
    if args.read_variable(index) {
        return Ok(());
    }
    let name = String::from_utf8_lossy(args.str(index).unwrap_or_default()).into_owned();
    Err(format!("failed to register variable name '{name}'"))
}

/// The second argument, if given, names a variable.
fn check_concat(args: &mut Arguments) -> Result<(), String> {
    match args.str(1) {
        None | Some(b"") => Ok(()),
        Some(_) => named(args, 1),
    }
}

fn check_kept(args: &mut Arguments) -> Result<(), String> {
    let name = args.str(0).unwrap_or_default();
    vars::check_name(name).map_err(|e| e.replace("{name}", &String::from_utf8_lossy(name)))
}

const COMPARE: Converter = Converter {
    args: &[ArgType::Str],
    required: 1,
    takes: Type::Str,
    status: Status::Works,
    check: |args| named(args, 0),
    ..Converter::NEW
};

const KEEP: Converter =
    Converter { takes: Type::Any, gives: Type::Any, check: check_kept, ..COMPARE };

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "concat",
            args: &[ArgType::Str, ArgType::Str, ArgType::Str],
            gives: Type::Str,
            doc: "Appends a text, a variable and another text.",
            examples: &[
                ("str(a),concat(b)", "ab"),
                ("str(a),concat(<,,>)", "a<>"),
                ("int(5),set-var(sess.five),concat(+,sess.five,=)", "5+5="),
                ("str(a),concat(<,sess.missing,>)", "a<>"),
            ],
            check: check_concat,
            run: |value, context, args| concat(&value, context, args),
            ..COMPARE
        },
        Converter {
            name: "secure_memcmp",
            takes: Type::Bin,
            gives: Type::Bool,
            doc: "Whether the bytes equal a variable's, in constant time.",
            examples: &[
                ("str(a),set-var(sess.a),secure_memcmp(sess.a)", "1"),
                ("str(a),set-var(sess.a),upper,secure_memcmp(sess.a)", "0"),
            ],
            run: |value, context, args| equal(&value, context, args),
            ..COMPARE
        },
        Converter {
            name: "set-var",
            doc: "Sets a variable and passes the value on.",
            examples: &[("int(5),set-var(sess.five)", "5")],
            run: |value, context, args| {
                vars::set(context, args.str(0)?, value.clone().into_owned());
                Some(value)
            },
            ..KEEP
        },
        Converter {
            name: "strcmp",
            gives: Type::Int,
            doc: "Compares the text with a variable: negative, zero or positive.",
            examples: &[
                ("str(a),set-var(sess.a),strcmp(sess.a)", "0"),
                ("str(a),set-var(sess.a),upper,strcmp(sess.a)", "-32"),
                ("str(a),set-var(sess.a),concat(b),strcmp(sess.a)", "1"),
            ],
            run: |value, context, args| compare(&value, context, args),
            ..COMPARE
        },
        Converter {
            name: "unset-var",
            doc: "Forgets a variable; passes the value on.",
            examples: &[("int(5),set-var(sess.five),unset-var(sess.five)", "5")],
            run: |value, context, args| {
                vars::unset(context, args.str(0)?);
                Some(value)
            },
            ..KEEP
        },
    ],
    ..Part::NONE
};
