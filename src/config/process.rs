//! Settings of the `global` section for the whole process (manual 3.1). In: their words. Out: checked
//! words; what has no mechanism here says so in its status.

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;
use crate::config::tuning::{flag, refuse, text};

fn any(line: &mut Line<'_>) -> Parsed {
    line.rest();
    Ok(())
}

fn lua_path(line: &mut Line<'_>) -> Parsed {
    if line.word().is_none() {
        return Err(refuse(line, "expects to receive a string as an argument"));
    }
    match line.word().map(|word| word.str()) {
        None => Ok(()),
        Some(kind) if kind == "path" || kind == "cpath" => Ok(()),
        Some(_) => Err(refuse(line, "only supports to be passed 'path' or 'cpath' as type")),
    }
}

fn case_adjust(line: &mut Line<'_>) -> Parsed {
    let (Some(from), Some(to)) = (line.word(), line.word()) else {
        return Err(refuse(line, "expects <from> and <to> as argument."));
    };
    if from.bytes().eq_ignore_ascii_case(to.bytes()) {
        return Ok(());
    }
    Err(line.alert("<from> and <to> must not differ execpt the case"))
}

fn case_file(line: &mut Line<'_>) -> Parsed {
    line.word().map(drop).ok_or_else(|| refuse(line, "expects <file> as argument."))
}

fn localpeer(line: &mut Line<'_>) -> Parsed {
    if line.word().is_none() {
        return Err(refuse(line, "expects a name as an argument."));
    }
    line.end()
}

fn unix_bind(line: &mut Line<'_>) -> Parsed {
    while let Some(word) = line.word() {
        let option = word.str();
        let value = line.word().filter(|word| !word.is_empty());
        let expects = |what: &str| format!("unix_bind '{option}' expects {what} as an argument.");
        match &*option {
            "prefix" if value.is_none() => return Err(line.alert(expects("a path"))),
            "mode" if value.is_none() => return Err(line.alert(expects("a octal value"))),
            "uid" | "gid" if value.is_none() => return Err(line.alert(expects("an integer"))),
            "prefix" | "mode" | "uid" | "gid" => {}
            "user" | "group" => {
                let name = value.map(|word| word.str()).unwrap_or_default();
                let known = match &*option {
                    "user" => line.outside.user(&name).is_some(),
                    _ => line.outside.group(&name).is_some(),
                };
                if !known {
                    return Err(refuse(line, &format!(": '{name}' unknown {option}.")));
                }
            }
            _ => {
                return Err(refuse(
                    line,
                    "only supports the 'prefix', 'mode', 'uid', 'gid', 'user' and 'group' options.",
                ));
            }
        }
    }
    Ok(())
}

const GLOBAL: Keyword = Keyword { sections: Sections::GLOBAL, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "h1-case-adjust",
            args: "<from> <to>",
            doc: "How a header name is written towards peers that need upper case.",
            examples: &["h1-case-adjust content-length Content-Length"],
            status: Status::Planned,
            parse: case_adjust,
            ..GLOBAL
        },
        Keyword {
            name: "h1-case-adjust-file",
            args: "<file>",
            doc: "A file of header names as h1-case-adjust takes them.",
            examples: &["h1-case-adjust-file /etc/haproxy/headers"],
            status: Status::Planned,
            parse: case_file,
            ..GLOBAL
        },
        Keyword {
            name: "insecure-fork-wanted",
            negatable: true,
            doc: "Lets the process start others while it runs, as external checks need.",
            examples: &["insecure-fork-wanted"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "insecure-setuid-wanted",
            doc: "Lets programs that are started change their user, as setuid programs do.",
            examples: &["insecure-setuid-wanted"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "localpeer",
            args: "<name>",
            default: "this machine's name",
            doc: "The name of this peer, instead of the host name.",
            examples: &["localpeer lb1"],
            status: Status::Planned,
            parse: localpeer,
            ..GLOBAL
        },
        Keyword {
            name: "lua-load",
            args: "<file>",
            doc: "Loads a Lua program.",
            examples: &["lua-load /etc/haproxy/a.lua"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "lua-prepend-path",
            args: "<path> [<type>]",
            doc: "Adds to Lua's search path.",
            examples: &["lua-prepend-path /usr/share/lua/?.lua"],
            status: Status::Planned,
            parse: lua_path,
            ..GLOBAL
        },
        Keyword {
            name: "mworker-max-reloads",
            args: "<number>",
            default: "no limit",
            doc: "Reloads an old worker lives through.",
            examples: &["mworker-max-reloads 5"],
            status: Status::Planned,
            parse: any,
            ..GLOBAL
        },
        Keyword {
            name: "pp2-never-send-local",
            doc: "Health checks send PROXY v2 headers as if for a client.",
            examples: &["pp2-never-send-local"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "set-dumpable",
            negatable: true,
            doc: "Leaves core dumps possible after a change of user.",
            examples: &["set-dumpable"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "strict-limits",
            negatable: true,
            default: "on",
            doc: "Stops when a limit cannot be set.",
            examples: &["strict-limits"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "unix-bind",
            args: "[ prefix <path> ] [ mode <mode> ] [ user <user> ] [ uid <uid> ] [ group <group> ] [ gid <gid> ]",
            doc: "What listening unix sockets begin with: a directory before their paths, access rights, owner and group.",
            examples: &["unix-bind prefix /run mode 600"],
            status: Status::Planned,
            parse: unix_bind,
            ..GLOBAL
        },
    ],
    ..Part::NONE
};
