//! `show`, `get`, `add`, `set`, `del` and `clear` of ACLs and maps (management.txt 9.3).

use std::sync::Arc;

use super::{Answer, Command, CommandContext};
use crate::catalog::{Part, Status};
use crate::sample::pattern::elements::Elements;
use crate::sample::pattern::index::{Index, Want};
use crate::sample::value::Value;
use crate::state::map_file::{Entry, Output, Patterns, Reference, int_value, ip_value};

/// Whether a command speaks of maps or of ACLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Acl,
    Map,
}

impl Side {
    fn has(self, entry: &Entry) -> bool {
        match self {
            Side::Acl => entry.acl,
            Side::Map => entry.map,
        }
    }

    fn choose(self, acl: &str, map: &str) -> Answer {
        Answer::error(if self == Side::Acl { acl } else { map })
    }

    fn unknown(self) -> Answer {
        self.choose(
            "Unknown ACL identifier. Please use #<id> or <file>.\n",
            "Unknown map identifier. Please use #<id> or <file>.\n",
        )
    }
}

/// The reference that the first argument names, on whichever side.
fn find<'c>(context: &'c CommandContext<'_>, side: Side) -> Result<&'c Entry, Answer> {
    context.world.references.find(context.arg(0)).ok_or_else(|| side.unknown())
}

/// The same, if it is used on this side.
fn find_on<'c>(context: &'c CommandContext<'_>, side: Side) -> Result<&'c Entry, Answer> {
    find(context, side)
        .and_then(|entry| if side.has(entry) { Ok(entry) } else { Err(side.unknown()) })
}

fn show(context: &CommandContext<'_>, side: Side) -> Result<Answer, Answer> {
    if context.args.is_empty() {
        let mut text = "# id (file) description\n".to_owned();
        for entry in context.world.references.iter().filter(|entry| side.has(entry)) {
            let name = entry.name.as_deref().unwrap_or_default();
            text.push_str(&format!("{} ({name}) {}\n", entry.id, entry.display));
        }
        return Ok(Answer::text(text));
    }
    let reference: Arc<Reference> = find_on(context, side)?.reference.clone();
    let mut next = Some(0);
    Ok(Answer::Pieces(Box::new(move |out| {
        next = next.and_then(|from| reference.show(from, out));
        next.is_some()
    })))
}

fn get(context: &CommandContext<'_>, side: Side) -> Result<Answer, Answer> {
    if context.arg(0).is_empty() || context.arg(1).is_empty() {
        return Err(side.choose(
            "Missing ACL identifier and/or key.\n",
            "Missing map identifier and/or key.\n",
        ));
    }
    let entry = find(context, side)?;
    let key = Value::text(context.arg(1).as_bytes());
    let mut text = String::new();
    for patterns in entry.looks() {
        text.push_str(&looked_up(patterns, &key, side));
    }
    Ok(Answer::text(text))
}

/// One way of looking a key up: `type=str, case=sensitive, found=yes, …`
fn looked_up(patterns: &Patterns, key: &Value<'_>, side: Side) -> String {
    let shape = patterns.shape();
    let case = if shape.fold { "insensitive" } else { "sensitive" };
    let (found, name) = match side {
        Side::Acl => ("match", "pattern"),
        Side::Map => ("found", "key"),
    };
    let probe = shape.method.probe(key);
    let element = |elements: &Elements, index: &Index, id| {
        let kept = if index.is_in_tree(elements, id) { "tree" } else { "list" };
        let key = match elements.contains(id) {
            true => format!("\"{}\"", String::from_utf8_lossy(elements.key(id))),
            false => "unknown".to_owned(),
        };
        let mut text = format!("yes, idx={kept}, {name}={key}");
        if side == Side::Map {
            text.push_str(&shown_value(elements.value(id), patterns.output()));
        }
        text
    };
    let result = probe.and_then(|probe| patterns.find(&probe, Want::Best, element));
    let result = result.filter(|_| shape.method != crate::sample::pattern::Method::Found);
    let result = result.unwrap_or_else(|| "no".to_owned());
    format!("type={}, case={case}, {found}={result}\n", shape.method.name())
}

fn shown_value(value: Option<&[u8]>, output: Output) -> String {
    let kind = match (value, output) {
        (Some(value), Output::Int) => int_value(value).map(|_| "sint"),
        (Some(value), Output::Ip) => {
            ip_value(value).map(|ip| if ip.is_ipv4() { "ipv4" } else { "ipv6" })
        }
        (Some(_), Output::Text) => Some("str"),
        _ => None,
    };
    match (value, kind) {
        (Some(value), Some(kind)) => {
            format!(", value=\"{}\", type=\"{kind}\"", String::from_utf8_lossy(value))
        }
        _ => ", value=none".to_owned(),
    }
}

fn add(context: &CommandContext<'_>, side: Side) -> Result<Answer, Answer> {
    let filled = |count| (0..count).all(|index| !context.arg(index).is_empty());
    match (side, &context.payload) {
        (Side::Acl, _) if !filled(2) => {
            let text = "'add acl' expects two parameters: ACL identifier and pattern.\n";
            return Err(Answer::error(text));
        }
        (Side::Map, payload) if !filled(if payload.is_some() { 1 } else { 3 }) => {
            return Err(Answer::error(
                "'add map' expects three parameters (map identifier, key and value) or one parameter (map identifier) and a payload\n",
            ));
        }
        _ => {}
    }
    let entry = find(context, side)?;
    if side == Side::Acl && entry.has_values() {
        return Err(Answer::error(
            "This ACL is shared with a map containing samples. You must use the command 'add map' to add values.\n",
        ));
    }
    let put = |key: &str, value: &str| {
        let value = (side == Side::Map).then_some(value.as_bytes());
        entry.reference.add(key.as_bytes(), value).map_err(|e| Answer::error(format!("{e}.\n")))
    };
    let Some(payload) = &context.payload else {
        put(context.arg(1), context.arg(2))?;
        return Ok(Answer::Done);
    };
    let is_blank = |c: char| c == ' ' || c == '\t';
    let mut rest = payload.trim_end_matches('\n');
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once(is_blank) else {
            if side == Side::Map {
                return Err(Answer::error(format!("Missing value for key '{rest}'.\n")));
            }
            put(rest, "")?;
            break;
        };
        let after = after.trim_start_matches(is_blank);
        let (value, after) = after.split_once('\n').unwrap_or((after, ""));
        put(key, value)?;
        rest = after;
    }
    Ok(Answer::Done)
}

/// `#0x…`: an element as `show` names it.
fn shown(word: &str) -> Result<Option<u64>, Answer> {
    let Some(number) = word.strip_prefix("#0x") else { return Ok(None) };
    let malformed = "Malformed identifier. Please use #<id> or <file>.\n";
    u64::from_str_radix(number, 16).map(Some).map_err(|_| Answer::error(malformed))
}

fn set(context: &CommandContext<'_>) -> Result<Answer, Answer> {
    if (0..3).any(|index| context.arg(index).is_empty()) {
        return Err(Answer::error(
            "'set map' expects three parameters: map identifier, key and value.\n",
        ));
    }
    let reference = &find(context, Side::Map)?.reference;
    let (key, value) = (context.arg(1), context.arg(2).as_bytes());
    let done = match shown(key)? {
        Some(number) => reference.set_shown(number, value),
        // As HAProxy, silent about a value that cannot be read once the key is there.
        None => match reference.set(key.as_bytes(), value) {
            Err(error) if error != "entry not found" => Ok(()),
            done => done,
        },
    };
    done.map(|()| Answer::Done).map_err(|e| Answer::error(format!("{e}.\n")))
}

fn del(context: &CommandContext<'_>, side: Side) -> Result<Answer, Answer> {
    if context.arg(0).is_empty() || context.arg(1).is_empty() {
        return Err(side.choose(
            "This command expects two parameters: ACL identifier and key.\n",
            "This command expects two parameters: map identifier and key.\n",
        ));
    }
    let found = find_on(context, side).map_err(|_| Side::Map.unknown())?;
    let key = context.arg(1);
    let deleted = match shown(key)? {
        Some(number) => found.reference.delete_shown(number),
        None => found.reference.delete(key.as_bytes()),
    };
    if deleted { Ok(Answer::Done) } else { Err(Answer::error("Key not found.\n")) }
}

fn clear(context: &CommandContext<'_>, side: Side) -> Result<Answer, Answer> {
    if context.arg(0).is_empty() {
        return Err(side.choose("Missing ACL identifier.\n", "Missing map identifier.\n"));
    }
    find_on(context, side)?.reference.clear();
    Ok(Answer::Done)
}

/// Either way it is an answer.
fn either(answer: Result<Answer, Answer>) -> Answer {
    answer.unwrap_or_else(|refusal| refusal)
}

const COMMAND: Command = Command { status: Status::Works, ..Command::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "add acl",
            args: "<acl> <pattern>",
            help: "add acl        : add acl entry",
            doc: "Adds a pattern to an ACL.",
            examples: &["add acl #0 /images"],
            run: |context| either(add(context, Side::Acl)),
            ..COMMAND
        },
        Command {
            name: "clear acl",
            args: "<acl>",
            help: "clear acl <id> : clear the content of this acl",
            doc: "Removes all patterns of an ACL.",
            examples: &["clear acl #0"],
            run: |context| either(clear(context, Side::Acl)),
            ..COMMAND
        },
        Command {
            name: "del acl",
            args: "<acl> { <pattern> | #<ref> }",
            help: "del acl        : delete acl entry",
            doc: "Removes a pattern of an ACL.",
            examples: &["del acl #0 /images"],
            run: |context| either(del(context, Side::Acl)),
            ..COMMAND
        },
        Command {
            name: "get acl",
            args: "<acl> <value>",
            help: "get acl        : report the patterns matching a sample for an ACL",
            doc: "Says which pattern of an ACL a value matches.",
            examples: &["get acl #0 /images/a.png"],
            run: |context| either(get(context, Side::Acl)),
            ..COMMAND
        },
        Command {
            name: "show acl",
            args: "[<acl>]",
            help: "show acl [id]  : report available acls or dump an acl's contents",
            doc: "Lists the ACLs, or the patterns of one.",
            examples: &["show acl", "show acl #0"],
            run: |context| either(show(context, Side::Acl)),
            ..COMMAND
        },
        Command {
            name: "add map",
            args: "<map> { <key> <value> | <payload> }",
            help: "add map        : add map entry",
            doc: "Adds an entry to a map, or several that follow as a payload.",
            examples: &["add map /etc/haproxy/map a 1"],
            run: |context| either(add(context, Side::Map)),
            ..COMMAND
        },
        Command {
            name: "clear map",
            args: "<map>",
            help: "clear map <id> : clear the content of this map",
            doc: "Removes all entries of a map.",
            examples: &["clear map #0"],
            run: |context| either(clear(context, Side::Map)),
            ..COMMAND
        },
        Command {
            name: "del map",
            args: "<map> { <key> | #<ref> }",
            help: "del map        : delete map entry",
            doc: "Removes an entry of a map.",
            examples: &["del map #0 a"],
            run: |context| either(del(context, Side::Map)),
            ..COMMAND
        },
        Command {
            name: "get map",
            args: "<map> <value>",
            help: "get map        : report the keys and values matching a sample for a map",
            doc: "Says which entry of a map a value matches.",
            examples: &["get map #0 a"],
            run: |context| either(get(context, Side::Map)),
            ..COMMAND
        },
        Command {
            name: "set map",
            args: "<map> { <key> | #<ref> } <value>",
            help: "set map        : modify map entry",
            doc: "Changes an entry of a map.",
            examples: &["set map #0 a 2"],
            run: |context| either(set(context)),
            ..COMMAND
        },
        Command {
            name: "show map",
            args: "[<map>]",
            help: "show map [id]  : report available maps or dump a map's contents",
            doc: "Lists the maps, or the entries of one.",
            examples: &["show map", "show map #0"],
            run: |context| either(show(context, Side::Map)),
            ..COMMAND
        },
    ],
    ..Part::NONE
};
