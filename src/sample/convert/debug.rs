//! A converter that shows what passes through it (manual 7.3.1 "debug"). In: any value. Out: the same, and
//! a message to a ring or a standard output.

use crate::catalog::{Converter, Part, Status};
use crate::flow::log::ring;
use crate::flow::log::syslog::{self, Sender};
use crate::sample::args::ArgType;
use crate::sample::value::{Type, Value};
use crate::sample::{Arguments, SampleContext};

/// `[debug] prefix: type=str <value>`, to `buf0` unless another sink is named.
fn show(value: &Value<'_>, context: &SampleContext<'_>, args: &Arguments) -> Option<()> {
    let (world, _) = context.session.view()?;
    let name = args.str(1).unwrap_or(b"buf0");
    let sink = ring::find(&world.sinks, std::str::from_utf8(name).ok()?)?;
    let mut line = b"[debug] ".to_vec();
    line.extend_from_slice(args.str(0).unwrap_or_default());
    line.extend_from_slice(format!(": type={} <", value.kind().word()).as_bytes());
    let text = value.clone().cast(Type::Str)?;
    let visible = |b: &u8| if (b' '..=b'~').contains(b) { *b } else { b'.' };
    line.extend(text.bytes()?.iter().map(visible));
    line.push(b'>');
    let sender = Sender { tag: b"", host: b"", pid: 0, structured: b"" };
    let header = |format, now, out: &mut Vec<u8>| {
        syslog::write_header(format, 0, 0, &sender, now, out);
    };
    // What cannot be kept is counted there.
    sink.write(header, &line).ok()
}

/// The row of this family.
pub const PART: Part = Part {
    converters: &[Converter {
        name: "debug",
        args: &[ArgType::Str, ArgType::Str],
        takes: Type::Any,
        gives: Type::Any,
        doc: "Shows the value on a ring, with a text before it; passes it on.",
        examples: &[("int(5),debug(five)", "5")],
        status: Status::Works,
        run: |value, context, args| {
            // Without such a sink the value passes all the same.
            let _ = show(&value, context, args);
            Some(value)
        },
        ..Converter::NEW
    }],
    ..Part::NONE
};
