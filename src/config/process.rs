//! Settings of the `global` section for the whole process (manual 3.1). In: their words. Out: a
//! `ProcessSpec`, or checked words; what has no mechanism here says so in its status.

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed, parse_lenient};
use crate::config::section::Sections;
use crate::config::tuning::{flag, refuse, text};

/// What the process asks of the system, as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProcessSpec {
    /// `strict-limits`; on when not given.
    pub strict_limits: Option<bool>,
    /// `mworker-max-reloads`: how many reloads an old worker may live through.
    pub max_reloads: Option<u32>,
    /// `master-worker no-exit-on-failure`
    pub no_exit_on_failure: bool,
    /// `set-dumpable`
    pub dumpable: bool,
    /// `insecure-setuid-wanted`
    pub setuid_wanted: bool,
    /// `unix-bind`
    pub unix_bind: UnixBindSpec,
}

/// `unix-bind`: for the listening unix sockets of the proxies that follow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnixBindSpec {
    /// Stands before their paths.
    pub prefix: Option<String>,
    /// `mode`
    pub mode: Option<u32>,
    /// `uid` or `user`
    pub uid: Option<u32>,
    /// `gid` or `group`
    pub gid: Option<u32>,
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

fn localpeer(line: &mut Line<'_>) -> Parsed {
    if line.word().is_none() {
        return Err(refuse(line, "expects a name as an argument."));
    }
    line.end()
}

fn max_reloads(line: &mut Line<'_>) -> Parsed {
    let value = line.word().map_or(0, |word| parse_lenient(word.bytes()));
    line.rest();
    line.global().process.max_reloads = Some(u32::try_from(value.max(0)).unwrap_or(u32::MAX));
    Ok(())
}

fn unix_bind(line: &mut Line<'_>) -> Parsed {
    while let Some(word) = line.word() {
        let option = word.str();
        let value = line.word().filter(|word| !word.is_empty()).map(|word| word.str().into_owned());
        let expects = |what: &str| format!("unix_bind '{option}' expects {what} as an argument.");
        let Some(value) = value else {
            let what = match &*option {
                "prefix" => expects("a path"),
                "mode" => expects("a octal value"),
                "uid" | "gid" => expects("an integer"),
                "user" | "group" => return Err(refuse(line, &format!(": '' unknown {option}."))),
                _ => return Err(refuse(line, UNIX_BIND_OPTIONS)),
            };
            return Err(line.alert(what));
        };
        let number = u32::try_from(parse_lenient(value.as_bytes())).ok();
        let unknown = |line: &Line<'_>| refuse(line, &format!(": '{value}' unknown {option}."));
        match &*option {
            "prefix" => line.global().process.unix_bind.prefix = Some(value),
            "mode" => {
                line.global().process.unix_bind.mode = u32::from_str_radix(&value, 8).ok();
            }
            "uid" => line.global().process.unix_bind.uid = number,
            "gid" => line.global().process.unix_bind.gid = number,
            "user" => {
                let uid = line.outside.user(&value).ok_or_else(|| unknown(line))?;
                line.global().process.unix_bind.uid = Some(uid);
            }
            "group" => {
                let gid = line.outside.group(&value).ok_or_else(|| unknown(line))?;
                line.global().process.unix_bind.gid = Some(gid);
            }
            _ => return Err(refuse(line, UNIX_BIND_OPTIONS)),
        }
    }
    Ok(())
}

const UNIX_BIND_OPTIONS: &str =
    "only supports the 'prefix', 'mode', 'uid', 'gid', 'user' and 'group' options.";

const GLOBAL: Keyword = Keyword { sections: Sections::GLOBAL, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
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
            status: Status::Works,
            parse: |line| {
                line.global().process.setuid_wanted = true;
                line.end()
            },
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
            status: Status::Works,
            parse: max_reloads,
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
            status: Status::Works,
            parse: |line| {
                line.global().process.dumpable = line.switch() == Some(true);
                line.end()
            },
            ..GLOBAL
        },
        Keyword {
            name: "strict-limits",
            negatable: true,
            default: "on",
            doc: "Stops when a limit cannot be set.",
            examples: &["strict-limits"],
            status: Status::Works,
            parse: |line| {
                line.global().process.strict_limits = line.switch();
                line.end()
            },
            ..GLOBAL
        },
        Keyword {
            name: "unix-bind",
            args: "[ prefix <path> ] [ mode <mode> ] [ user <user> ] [ uid <uid> ] [ group <group> ] [ gid <gid> ]",
            doc: "What listening unix sockets begin with: a directory before their paths, access rights, owner and group.",
            examples: &["unix-bind prefix /run mode 600"],
            status: Status::Works,
            parse: unix_bind,
            ..GLOBAL
        },
    ],
    ..Part::NONE
};
