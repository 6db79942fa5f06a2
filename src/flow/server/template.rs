//! `server-template` (manual 4.2): servers that differ in their number only. In: the line. Out: as many
//! servers.

use crate::catalog::{Keyword, Part, Status};
use crate::config::address::{Accepts, AddressSpec};
use crate::config::args::{Line, Parsed, parse_lenient};
use crate::config::section::{Sections, invalid_char};
use crate::config::spec::ServerSpec;
use crate::flow::server::options::{fresh, read_options};

fn template(line: &mut Line<'_>) -> Parsed {
    let (Some(prefix), Some(range), Some(address)) = (line.word(), line.word(), line.word()) else {
        return Err(line.alert(
            "'server-template' expects <prefix> <nb | range> <addr>[:<port>] as arguments.",
        ));
    };
    if let Some(bad) = invalid_char(prefix) {
        return Err(line.alert(format!(
            "character '{bad}' is not permitted in server-template prefix '{prefix}'."
        )));
    }
    let range = range.str();
    let Some((low, high)) = numbers(&range) else {
        return Err(line.alert(format!("Wrong server-template number or range arg '{range}'.")));
    };
    let text = line.expand(&address.str());
    let address = AddressSpec::accept(&text, Accepts::SERVER, line.outside);
    let address = address.map_err(|e| line.alert(format!("'server-template {prefix}' : {e}")))?;
    let prefix = prefix.str();
    let mut spec = fresh(line, prefix.clone().into_owned(), address);
    read_options(line, &mut spec, format!("server-template {prefix}"), false)?;
    let servers = &mut line.proxy().servers;
    for number in low..=high {
        let mut server = ServerSpec { name: format!("{prefix}{number}"), ..spec.clone() };
        // A number of its own can only be one server's.
        server.id = spec.id.filter(|_| number == low);
        servers.push(server);
    }
    Ok(())
}

/// `3` is from 1 to 3, `2-4` from 2 to 4; what follows a number is ignored, as in C.
fn numbers(range: &str) -> Option<(i64, i64)> {
    let number = |text: &str| parse_lenient(text.as_bytes()).clamp(-1, i64::from(i32::MAX));
    let (low, high) = match range.find('-') {
        Some(at) => (number(range.get(..at)?), number(range.get(at + 1..)?)),
        None => (1, number(range)),
    };
    (low >= 0 && high >= low).then_some((low, high))
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "server-template",
        sections: Sections::LISTEN.and(Sections::BACKEND),
        args: "<prefix> <number|range> <fqdn>[:<port>] [<option>...]",
        doc: "As many servers of one kind as the number or range says, named by the prefix and their number, which share a name whose addresses they take.",
        examples: &["server-template web 3 127.0.0.1:80"],
        status: Status::Works,
        parse: template,
        ..Keyword::NEW
    }],
    ..Part::NONE
};
