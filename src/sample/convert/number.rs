//! Converters of integers and booleans (manual 7.3.1). In: an integer. Out: an integer or boolean;
//! arithmetic stays within 64 bits and stops at the ends.

use crate::catalog::{Converter, Part, Status};
use crate::config::args::parse_lenient;
use crate::sample::args::ArgType;
use crate::sample::value::{Type, Value};
use crate::sample::{Argument, Arguments, SampleContext};

/// The integer argument, or what the variable it names holds.
fn operand(context: &SampleContext<'_>, args: &Arguments) -> Option<i64> {
    let argument = args.0.first()?;
    if let Argument::Int(number) = argument {
        return Some(*number);
    }
    match argument.variable(context)?.cast(Type::Int)? {
        Value::Int(number) => Some(number),
        _ => None,
    }
}

/// An integer or a variable's name; an integer is read at once.
fn read_operand(args: &mut Arguments) -> Result<(), String> {
    if args.read_variable(0) {
        return Ok(());
    }
    let text = args.str(0).unwrap_or_default();
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err("expects an integer or a variable name".to_owned());
    }
    args.0 = vec![Argument::Int(parse_lenient(text))];
    Ok(())
}

/// Both operands to one result.
fn arithmetic<'a>(
    value: Value<'a>,
    context: &SampleContext<'_>,
    args: &Arguments,
    compute: fn(i64, i64) -> i64,
) -> Option<Value<'a>> {
    match value {
        Value::Int(left) => Some(Value::Int(compute(left, operand(context, args)?))),
        _ => None,
    }
}

/// Stops at the largest integer, and by HAProxy's mistake, which its later releases keep, gives it for
/// the sum of any two negative ones that does not go below the smallest.
fn add(left: i64, right: i64) -> i64 {
    match left.checked_add(right) {
        Some(_) if left < 0 && right < 0 => i64::MAX,
        Some(sum) => sum,
        None => left.saturating_add(right),
    }
}

fn subtract(left: i64, right: i64) -> i64 {
    match right.checked_neg() {
        Some(right) => add(left, right),
        None => {
            let sum = add(left, i64::MAX);
            if sum < i64::MAX { sum + 1 } else { sum }
        }
    }
}

fn divide(left: i64, right: i64) -> i64 {
    if right == 0 { i64::MAX } else { left.checked_div(right).unwrap_or(i64::MAX) }
}

fn remainder(left: i64, right: i64) -> i64 {
    left.checked_rem(right).unwrap_or(0)
}

fn map_int(value: Value<'_>, compute: fn(i64) -> i64) -> Option<Value<'static>> {
    match value {
        Value::Int(number) => Some(Value::Int(compute(number))),
        _ => None,
    }
}

fn test_int(value: Value<'_>, test: fn(i64) -> bool) -> Option<Value<'static>> {
    match value {
        Value::Int(number) => Some(Value::Bool(test(number))),
        _ => None,
    }
}

const ARITHMETIC: Converter = Converter {
    args: &[ArgType::Str],
    required: 1,
    takes: Type::Int,
    gives: Type::Int,
    check: read_operand,
    status: Status::Works,
    ..Converter::NEW
};

const TEST: Converter =
    Converter { takes: Type::Int, gives: Type::Bool, status: Status::Works, ..Converter::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    converters: &[
        Converter {
            name: "add",
            doc: "Adds an integer or a variable.",
            examples: &[
                ("int(5),add(3)", "8"),
                ("int(9223372036854775807),add(1)", "9223372036854775807"),
            ],
            run: |value, context, args| arithmetic(value, context, args, add),
            ..ARITHMETIC
        },
        Converter {
            name: "and",
            doc: "Bitwise and with an integer or a variable.",
            examples: &[("int(12),and(10)", "8")],
            run: |value, context, args| arithmetic(value, context, args, |a, b| a & b),
            ..ARITHMETIC
        },
        Converter {
            name: "bool",
            doc: "True for any integer but 0.",
            examples: &[("int(5),bool", "1"), ("int(0),bool", "0")],
            run: |value, _, _| test_int(value, |n| n != 0),
            ..TEST
        },
        Converter {
            name: "cpl",
            args: &[],
            required: 0,
            doc: "All bits inverted.",
            examples: &[("int(0),cpl", "-1"), ("int(-5),cpl", "4")],
            check: |_| Ok(()),
            run: |value, _, _| map_int(value, |n| !n),
            ..ARITHMETIC
        },
        Converter {
            name: "div",
            doc: "Divides by an integer or a variable; division by zero gives the largest integer.",
            examples: &[
                ("int(7),div(2)", "3"),
                ("int(-7),div(2)", "-3"),
                ("int(5),div(0)", "9223372036854775807"),
            ],
            run: |value, context, args| arithmetic(value, context, args, divide),
            ..ARITHMETIC
        },
        Converter {
            name: "even",
            doc: "Whether the integer is even.",
            examples: &[("int(4),even", "1"), ("int(3),even", "0")],
            run: |value, _, _| test_int(value, |n| n & 1 == 0),
            ..TEST
        },
        Converter {
            name: "mod",
            doc: "The remainder of a division; zero when dividing by zero.",
            examples: &[("int(7),mod(4)", "3"), ("int(-7),mod(4)", "-3"), ("int(5),mod(0)", "0")],
            run: |value, context, args| arithmetic(value, context, args, remainder),
            ..ARITHMETIC
        },
        Converter {
            name: "mul",
            doc: "Multiplies by an integer or a variable.",
            examples: &[("int(7),mul(6)", "42")],
            run: |value, context, args| arithmetic(value, context, args, i64::saturating_mul),
            ..ARITHMETIC
        },
        Converter {
            name: "neg",
            args: &[],
            required: 0,
            doc: "The integer with its sign changed.",
            examples: &[("int(5),neg", "-5"), ("str(12),neg", "-12")],
            check: |_| Ok(()),
            run: |value, _, _| map_int(value, i64::saturating_neg),
            ..ARITHMETIC
        },
        Converter {
            name: "not",
            doc: "True for 0, false for anything else.",
            examples: &[("int(0),not", "1"), ("int(5),not", "0")],
            run: |value, _, _| test_int(value, |n| n == 0),
            ..TEST
        },
        Converter {
            name: "odd",
            doc: "Whether the integer is odd.",
            examples: &[("int(3),odd", "1"), ("int(-1),odd", "1"), ("int(4),odd", "0")],
            run: |value, _, _| test_int(value, |n| n & 1 == 1),
            ..TEST
        },
        Converter {
            name: "or",
            doc: "Bitwise or with an integer or a variable.",
            examples: &[("int(12),or(3)", "15")],
            run: |value, context, args| arithmetic(value, context, args, |a, b| a | b),
            ..ARITHMETIC
        },
        Converter {
            name: "sub",
            doc: "Subtracts an integer or a variable.",
            examples: &[
                ("int(5),sub(8)", "-3"),
                ("int(-9223372036854775807),sub(5)", "-9223372036854775808"),
                ("int(-5),sub(3)", "9223372036854775807"),
            ],
            run: |value, context, args| arithmetic(value, context, args, subtract),
            ..ARITHMETIC
        },
        Converter {
            name: "xor",
            doc: "Bitwise exclusive or with an integer or a variable.",
            examples: &[("int(12),xor(10)", "6"), ("int(5),xor(-1)", "-6")],
            run: |value, context, args| arithmetic(value, context, args, |a, b| a ^ b),
            ..ARITHMETIC
        },
    ],
    ..Part::NONE
};
