//! Balance algorithms whose arguments are checked and whose effect is not built yet (manual 4.2).

use crate::catalog::{Part, Status};
use crate::config::args::{Parsed, Words};
use crate::config::diagnostic::Diagnostic;
use crate::flow::balance::{Algorithm, roundrobin};

fn uri(words: &mut Words<'_>) -> Parsed {
    while let Some(word) = words.word() {
        let option = word.str();
        match &*option {
            "len" | "depth" => {
                let value = words.word().map(|w| w.str()).unwrap_or_default();
                if !value.parse::<u32>().is_ok_and(|n| n > 0) {
                    return Err(words.alert(format!(
                        "balance uri : '{option}' expects a positive integer (got '{value}')."
                    )));
                }
            }
            "whole" | "path-only" => {}
            other => {
                return Err(words.alert(format!(
                    "balance uri only accepts parameters 'len', 'depth', 'path-only', and 'whole' (got '{other}')."
                )));
            }
        }
    }
    Ok(())
}

fn url_param(words: &mut Words<'_>) -> Parsed {
    if words.word().is_none() {
        return Err(words.alert("balance url_param requires an URL parameter name."));
    }
    match words.word() {
        None => Ok(()),
        Some(option) if *option == *"check_post" => {
            words.rest();
            Ok(())
        }
        Some(option) => Err(words.alert(format!(
            "balance url_param only accepts 'check_post' modifier (got '{option}')."
        ))),
    }
}

/// What stands in the brackets of the algorithm's word.
fn bracket(words: &Words<'_>) -> Option<String> {
    let word = words.next.checked_sub(1).and_then(|at| words.all.get(at))?.str().into_owned();
    let inside = word.split_once('(')?.1.split_once(')')?.0;
    Some(inside.to_owned())
}

fn hdr(words: &mut Words<'_>) -> Parsed {
    match bracket(words) {
        Some(name) if !name.is_empty() => {
            words.accept("use_domain_only");
            Ok(())
        }
        _ => Err(words.alert("balance hdr requires an http header field name.")),
    }
}

fn random(words: &mut Words<'_>) -> Parsed {
    let Some(draws) = bracket(words) else { return Ok(()) };
    match draws.chars().find(|c| !c.is_ascii_digit()) {
        Some(bad) => {
            Err(words
                .alert(format!("balance random : unexpected character '{bad}' after argument.")))
        }
        None if draws.parse::<u32>().is_ok_and(|n| n > 0) => Ok(()),
        None => Err(words.alert("balance random : number of draws must be at least 1.")),
    }
}

fn rdp_cookie(words: &mut Words<'_>) -> Parsed {
    match bracket(words) {
        Some(name) if !name.is_empty() => Ok(()),
        _ => Err(words.alert("balance rdp-cookie : missing cookie name.")),
    }
}

fn nothing(words: &mut Words<'_>) -> Result<(), Diagnostic> {
    words.rest();
    Ok(())
}

const PLANNED: Algorithm =
    Algorithm { status: Status::Planned, parse: nothing, ..roundrobin::ALGORITHM };

/// The rows of this family.
pub const PART: Part = Part {
    algorithms: &[
        Algorithm {
            name: "first",
            doc: "The first server that has room, by number.",
            examples: &["first"],
            ..PLANNED
        },
        Algorithm {
            name: "hdr(*)",
            args: "hdr(<name>) [use_domain_only]",
            doc: "A hash of a request header.",
            examples: &["hdr(host)"],
            parse: hdr,
            ..PLANNED
        },
        Algorithm {
            name: "leastconn",
            doc: "The server with the fewest connections.",
            examples: &["leastconn"],
            ..PLANNED
        },
        Algorithm {
            name: "random",
            doc: "The less loaded of two servers drawn at random.",
            examples: &["random"],
            ..PLANNED
        },
        Algorithm {
            name: "random(*)",
            args: "random(<draws>)",
            doc: "The least loaded of so many servers drawn at random.",
            examples: &["random(3)"],
            parse: random,
            ..PLANNED
        },
        Algorithm {
            name: "rdp-cookie",
            doc: "A hash of the RDP cookie mstshash.",
            examples: &["rdp-cookie"],
            ..PLANNED
        },
        Algorithm {
            name: "rdp-cookie(*)",
            args: "rdp-cookie(<name>)",
            doc: "A hash of an RDP cookie.",
            examples: &["rdp-cookie(msts)"],
            parse: rdp_cookie,
            ..PLANNED
        },
        Algorithm {
            name: "source",
            doc: "A hash of the client's address.",
            examples: &["source"],
            ..PLANNED
        },
        Algorithm {
            name: "static-rr",
            doc: "Each server in turn, as often as its weight says; weights are fixed.",
            examples: &["static-rr"],
            ..PLANNED
        },
        Algorithm {
            name: "uri",
            args: "uri [len <len>] [depth <depth>] [path-only] [whole]",
            doc: "A hash of the request's path.",
            examples: &["uri", "uri len 32 depth 3"],
            parse: uri,
            ..PLANNED
        },
        Algorithm {
            name: "url_param",
            args: "url_param <name> [check_post]",
            doc: "A hash of a parameter of the query.",
            examples: &["url_param user"],
            parse: url_param,
            ..PLANNED
        },
    ],
    ..Part::NONE
};
