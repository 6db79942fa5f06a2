//! Compression and filters (manual 4.2 "compression", 9): what may change a message's body.

use crate::catalog::{Keyword, Part};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;

fn compression(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str()).unwrap_or_default();
    match &*word {
        "algo" => {
            if line.is_empty() {
                let place = line.words.place.clone();
                return Err(
                    line.alert(format!("parsing [{place}] : 'compression' expects <algorithm>"))
                );
            }
            while let Some(algorithm) = line.word() {
                let name = algorithm.str();
                if !matches!(&*name, "identity" | "gzip" | "deflate" | "raw-deflate") {
                    return Err(line
                        .alert(format!("'compression' : '{name}' is not a supported algorithm.")));
                }
            }
            Ok(())
        }
        "type" => match line.rest().is_empty() {
            true => Err(line.alert("'compression' expects <type>")),
            false => Ok(()),
        },
        "offload" => Ok(()),
        _ => Err(line.alert("'compression' expects 'algo', 'type' or 'offload'")),
    }
}

/// What may stand behind `filter`.
pub const FILTERS: &[&str] = &["cache", "compression", "fcgi-app", "spoe", "trace"];

fn filter(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        let (kind, name) = (line.proxy().kind.word(), line.proxy().name.clone());
        let place = line.words.place.clone();
        return Err(line.alert(format!(
            "parsing [{place}] : missing argument for 'filter' in {kind} '{name}'."
        )));
    };
    match &*word.str() {
        "compression" => match line.word() {
            None => Ok(()),
            Some(extra) => {
                Err(line.alert(format!("'filter compression' : unknown keyword '{extra}'.")))
            }
        },
        "cache" => {
            let Some(name) = line.word() else {
                return Err(line.alert("'filter' : 'cache : expects a <name> argument'"));
            };
            let name = name.str().into_owned();
            let place = line.last_place();
            line.proxy().references.caches.push((name, place));
            Ok(())
        }
        "fcgi-app" => {
            let Some(name) = line.word() else {
                return Err(line.alert("'filter' : 'fcgi-app : expects a <name> argument'"));
            };
            let name = name.str().into_owned();
            let place = line.last_place();
            line.proxy().references.applications.push((name, place));
            Ok(())
        }
        "trace" => trace(line),
        "spoe" => spoe(line),
        other => {
            Err(line.alert(format!("'filter' : unknown keyword '{other}'. Registered keywords :")))
        }
    }
}

fn trace(line: &mut Line<'_>) -> Parsed {
    while let Some(word) = line.word() {
        match &*word.str() {
            "name" => {
                line.word();
            }
            "random-parsing" | "random-forwarding" | "hexdump" => {}
            other => {
                return Err(line.alert(format!("'filter trace' : unknown keyword '{other}'.")));
            }
        }
    }
    Ok(())
}

fn spoe(line: &mut Line<'_>) -> Parsed {
    let mut file = None;
    while let Some(word) = line.word() {
        let option = word.str();
        match &*option {
            "config" | "engine" => {
                let Some(value) = line.word() else {
                    return Err(line
                        .alert(format!("'filter' : ''spoe' : '{option}' option without value'")));
                };
                if option == "config" {
                    file = Some(value.str().into_owned());
                }
            }
            other => {
                return Err(line.alert(format!("'filter' : ''spoe' : unknown keyword '{other}''")));
            }
        }
    }
    let Some(file) = file else {
        return Err(line.alert("'filter' : ''spoe' : missing config file'"));
    };
    match line.outside.read_file(std::path::Path::new(&file)) {
        Ok(_) => Ok(()),
        Err(_) => Err(line.alert(format!(
            "'filter' : 'Could not open configuration file {file} : No such file or directory'"
        ))),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "compression",
            sections: Sections::PROXIES,
            args: "{ algo <algorithm>... | type <mime type>... | offload }",
            doc: "Compresses responses: `algo` lists the algorithms (`gzip`, `deflate`, `raw-deflate`, `identity`), `type` the content types, and `offload` keeps servers from compressing themselves.",
            examples: &[
                "compression algo gzip",
                "compression type text/html",
                "compression offload",
            ],
            parse: compression,
            ..Keyword::NEW
        },
        Keyword {
            name: "filter",
            sections: Sections::NAMED_PROXIES,
            args: "<name> [<option>...]",
            doc: "Puts a filter into the stream: `cache`, `compression`, `fcgi-app`, `spoe` or `trace`.",
            examples: &["filter compression", "filter trace"],
            parse: filter,
            ..Keyword::NEW
        },
    ],
    ..Part::NONE
};
