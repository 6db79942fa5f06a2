//! Captures: parts of requests and responses kept for log lines (manual 4.2, "capture" and
//! "declare capture").

use crate::catalog::{Keyword, Part};
use crate::config::args::{Line, Parsed, parse_lenient};
use crate::config::section::Sections;

fn header(line: &mut Line<'_>) -> Parsed {
    let side = line.keyword.name.rsplit_once(' ').map_or("", |(side, _)| side);
    let expects = format!("'{side}' expects 'header' <header_name> 'len' <len>.");
    let complete = line.word().is_some() && line.accept("len") && line.word().is_some();
    if !complete {
        return Err(line.alert(expects));
    }
    line.end()
}

fn cookie(line: &mut Line<'_>) -> Parsed {
    let complete = line.word().is_some() && line.accept("len") && line.word().is_some();
    if !complete {
        return Err(line.alert("'capture' expects 'cookie' <cookie_name> 'len' <len>."));
    }
    line.end()
}

fn declare(line: &mut Line<'_>) -> Parsed {
    let side = line.word().map(|w| w.str()).unwrap_or_default();
    if side != "request" && side != "response" {
        return Err(line.alert("'declare capture' requires a direction ('request' or 'response')"));
    }
    if !line.accept("len") {
        return Err(line.alert("'declare capture' requires a capture length ('len')"));
    }
    let length = line.required(
        "'declare capture': 'len' requires a numeric value that represents the capture length",
    )?;
    if parse_lenient(length.bytes()) <= 0 {
        return Err(line.alert("length must be > 0"));
    }
    let slots = &mut line.proxy().references.capture_slots;
    match &*side {
        "request" => slots.0 += 1,
        _ => slots.1 += 1,
    }
    Ok(())
}

const CAPTURE: Keyword =
    Keyword { sections: Sections::FRONTEND.and(Sections::LISTEN), ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "capture cookie",
            args: "<name> len <length>",
            doc: "Keeps a cookie of the request and of the response for the log.",
            examples: &["capture cookie SESSION len 32"],
            parse: cookie,
            ..CAPTURE
        },
        Keyword {
            name: "capture request header",
            args: "<name> len <length>",
            doc: "Keeps a request header for the log.",
            examples: &["capture request header Host len 64"],
            parse: |line| {
                line.proxy().references.capture_slots.0 += 1;
                header(line)
            },
            ..CAPTURE
        },
        Keyword {
            name: "capture response header",
            args: "<name> len <length>",
            doc: "Keeps a response header for the log.",
            examples: &["capture response header Server len 64"],
            parse: |line| {
                line.proxy().references.capture_slots.1 += 1;
                header(line)
            },
            ..CAPTURE
        },
        Keyword {
            name: "declare capture",
            args: "[ request | response ] len <length>",
            doc: "Makes a slot that rules capture into.",
            examples: &["declare capture request len 64"],
            parse: declare,
            ..CAPTURE
        },
    ],
    ..Part::NONE
};
