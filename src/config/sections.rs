//! Lines of the small sections: userlist, peers, mailers, program, http-errors, ring, log-forward,
//! fcgi-app (manual 3.4 to 3.10, 10). In: the line. Out: checked words, kept
//! in the section's `NamedSection`.

use crate::catalog::{self, Keyword, Part, Status};
use crate::config::address::{AddressSpec, HostSpec, PortsSpec};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::section::Sections;
use crate::flow::rules::condition;
use crate::sample::pattern::compile_regex;

fn any(line: &mut Line<'_>) -> Parsed {
    line.rest();
    Ok(())
}

/// Checks `<address>:<port>`; `subject` is how HAProxy names the line.
fn address(line: &mut Line<'_>, subject: &str, text: &str, port: bool) -> Parsed {
    match AddressSpec::parse(&line.expand(text)) {
        Err(e) => Err(line.alert(format!("{subject} : {e}"))),
        Ok(AddressSpec::Inet { host, ports }) => {
            if let HostSpec::Name(name, _) = &host
                && line.outside.resolve(name).is_err()
            {
                return Err(
                    line.alert(format!("{subject} : invalid address: '{name}' in '{text}'"))
                );
            }
            if port && ports == PortsSpec::None {
                return Err(
                    line.alert(format!("{subject} : missing port specification in '{text}'"))
                );
            }
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

/// `<keyword> <name> <address>:<port>`
fn named_address(line: &mut Line<'_>) -> Parsed {
    let keyword = line.keyword.name;
    let (Some(name), Some(text)) = (line.word(), line.word()) else {
        return Err(
            line.alert(format!("'{keyword}' expects <name> and <addr>[:<port>] as arguments."))
        );
    };
    let subject = format!("'{keyword} {name}'");
    let text = text.str().into_owned();
    address(line, &subject, &text, true)
}

fn server_options(line: &mut Line<'_>, subject: &str) -> Parsed {
    while let Some(word) = line.word() {
        if let Some(row) = catalog::server_option(&word.str()) {
            if !row.args.is_empty() {
                line.word();
            }
            continue;
        }
        return Err(
            line.alert(format!("{subject} unknown keyword '{word}'. Registered keywords :"))
        );
    }
    Ok(())
}

fn bind_options(line: &mut Line<'_>) -> Parsed {
    let section = line.section.names().next().unwrap_or_default();
    while let Some(word) = line.word() {
        if let Some(row) = catalog::bind_option(&word.str()) {
            if !row.args.is_empty() {
                line.word();
            }
            continue;
        }
        return Err(line.alert(format!(
            "unknown keyword '{word}' in '{section}' section. Registered keywords :"
        )));
    }
    Ok(())
}

/// `peer` and `server` of `peers`.
fn peer(line: &mut Line<'_>) -> Parsed {
    let keyword = line.keyword.name;
    let Some(name) = line.word() else { return Ok(()) };
    let Some(text) = line.word() else { return Ok(()) };
    let subject = format!("'{keyword} {name}'");
    let text = text.str().into_owned();
    address(line, &subject, &text, false)?;
    server_options(line, &subject)
}

fn bind(line: &mut Line<'_>) -> Parsed {
    let Some(text) = line.word() else { return Ok(()) };
    let text = text.str().into_owned();
    let subject = format!("'{} {text}'", line.keyword.name);
    address(line, &subject, &text, true)?;
    bind_options(line)
}

fn ring_server(line: &mut Line<'_>) -> Parsed {
    let (Some(name), Some(text)) = (line.word(), line.word()) else {
        return Err(line.alert("'server' expects <name> and <addr>[:<port>] as arguments."));
    };
    let subject = format!("'server {name}'");
    let text = text.str().into_owned();
    address(line, &subject, &text, false)?;
    let mut ahead = line.words.clone();
    while let Some(word) = ahead.word() {
        // A ring's connections are plain ones so far.
        if EFFECTIVE.contains(&&*word.str()) {
            let place = line.words.place.clone();
            line.spec.note_planned(&format!("server {} in ring", word.str()), &place);
        }
    }
    let mut ahead = line.words.clone();
    while let Some(word) = ahead.word() {
        if *word == *"log-proto" {
            let value = ahead.word().map(|w| w.str().into_owned()).unwrap_or_default();
            if !matches!(&*value, "legacy" | "octet-count") {
                return Err(line.bare(format!(
                    "'log-proto' expects one of 'legacy' or 'octet-count' but got '{value}'"
                )));
            }
        }
    }
    server_options(line, &subject)
}

/// Options that would change how a ring's server is reached.
const EFFECTIVE: [&str; 9] = [
    "ssl",
    "source",
    "send-proxy",
    "send-proxy-v2",
    "namespace",
    "tfo",
    "socks4",
    "resolvers",
    "via-socks4",
];

/// A timeout whose mistakes are told without the blank before the colon.
fn timeout(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let Some(word) = line.word() else {
        return Err(line.alert(format!("'{name}' expects <time> as argument.")));
    };
    match parse_time(word.bytes(), TimeUnit::Milliseconds) {
        Ok(_) => Ok(()),
        Err(NumberError::Unexpected(c)) => {
            Err(line.bare(format!("unexpected character '{c}' in argument to <{name}>.")))
        }
        Err(NumberError::Overflow) => Err(line.bare(format!(
            "timer overflow in argument <{word}> to <{name}>, maximum value is 2147483647 ms (~24.8 days)."
        ))),
    }
}

fn ring_size(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str()).unwrap_or_default();
    if parse_lenient(word.as_bytes()) > 0 {
        return Ok(());
    }
    Err(line.alert(format!("invalid size '{word}' for new sink buffer.")))
}

fn ring_format(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str()).unwrap_or_default();
    match &*word {
        "rfc3164" | "rfc5424" | "short" | "priority" | "timed" | "iso" | "raw" | "local" => Ok(()),
        other => Err(line.alert(format!("unknown format '{other}'."))),
    }
}

fn description(line: &mut Line<'_>) -> Parsed {
    line.required("missing ring description text.")?;
    line.rest();
    Ok(())
}

fn command(line: &mut Line<'_>) -> Parsed {
    if line.rest().is_empty() {
        return Err(
            line.bare("'command' expects a command with optional arguments separated in words.")
        );
    }
    Ok(())
}

/// `user` and `group` of `program`.
fn identity(line: &mut Line<'_>) -> Parsed {
    let kind = line.keyword.name;
    let Some(word) = line.word() else {
        return Err(line.bare(format!("'{kind}' expects a {kind} name.")));
    };
    let name = word.str();
    let known = match kind {
        "user" => line.outside.user(&name).is_some(),
        _ => line.outside.group(&name).is_some(),
    };
    if known {
        return Ok(());
    }
    Err(line.alert(format!("cannot find {kind} id for '{name}' (0:Success)")))
}

/// One argument, named in the message.
fn one(line: &mut Line<'_>, expects: &str) -> Parsed {
    let keyword = line.keyword.name;
    let word = line.required(&format!("'{keyword}' expects {expects} as argument."))?;
    match line.word() {
        None => Ok(()),
        Some(extra) => {
            Err(line
                .alert(format!("'{keyword} {word}' cannot handle unexpected argument '{extra}'.")))
        }
    }
}

fn path_info(line: &mut Line<'_>) -> Parsed {
    let pattern = line.peek().map(|w| w.str().into_owned()).unwrap_or_default();
    one(line, "<regex>")?;
    match compile_regex(&pattern, false) {
        Ok(_) => Ok(()),
        Err(e) => Err(line.alert(format!("'{pattern}' : {e}."))),
    }
}

fn option(line: &mut Line<'_>) -> Parsed {
    line.end()
}

fn max_reqs(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(line.bare("option 'max-reqs' expects an integer argument."));
    };
    match parse_lenient(word.bytes()) {
        1.. => Ok(()),
        _ => Err(line.bare("option 'max-reqs' expects a strictly positive integer argument.")),
    }
}

/// `set-param <name> <format>` and `pass-header <name>`, with a condition.
fn conditional(line: &mut Line<'_>, count: usize, expects: &str) -> Parsed {
    let keyword = line.keyword.name;
    let name = line.peek().map(|w| w.str().into_owned()).unwrap_or_default();
    for _ in 0..count {
        if line.word().is_none() {
            return Err(line.alert(format!("'{keyword}' expects {expects} as arguments.")));
        }
    }
    if line.peek().is_some_and(|w| *w != *"if" && *w != *"unless") {
        return Err(line.alert(format!("'{name}' : (null).")));
    }
    condition::parse_named(line, &format!("'{name}'")).map(drop)
}

fn log_stderr(line: &mut Line<'_>) -> Parsed {
    let first = line.word().map(|w| w.str()).unwrap_or_default();
    if first == "global" || line.word().is_some() {
        line.rest();
        return Ok(());
    }
    Err(line.alert("log-stderr : expects <address> and <facility> or global as arguments"))
}

const PEERS: Keyword = Keyword { sections: Sections::PEERS, parse: any, ..Keyword::NEW };
const MAILERS: Keyword = Keyword { sections: Sections::MAILERS, ..Keyword::NEW };
const PROGRAM: Keyword = Keyword { sections: Sections::PROGRAM, ..Keyword::NEW };
const RING: Keyword = Keyword { sections: Sections::RING, ..Keyword::NEW };
const FCGI: Keyword = Keyword { sections: Sections::FCGI_APP, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "bind",
            args: "[<address>]:<port> [<option>...]",
            doc: "Where this peer listens.",
            examples: &["bind 127.0.0.1:10000"],
            parse: bind,
            ..PEERS
        },
        Keyword {
            name: "default-bind",
            args: "[<option>...]",
            doc: "Options for the bind line.",
            examples: &["default-bind"],
            parse: bind_options,
            ..PEERS
        },
        Keyword {
            name: "default-server",
            args: "[<option>...]",
            doc: "Options for the server lines.",
            examples: &["default-server"],
            parse: |line| server_options(line, "'default-server'"),
            ..PEERS
        },
        Keyword {
            name: "disabled",
            doc: "Keeps the peers from talking.",
            examples: &["disabled"],
            parse: any,
            ..PEERS
        },
        Keyword {
            name: "enabled",
            doc: "Undoes disabled.",
            examples: &["enabled"],
            parse: any,
            ..PEERS
        },
        Keyword {
            name: "peer",
            args: "<name> [<address>:<port>] [<option>...]",
            doc: "A process to share tables with, by its name; the one named as this process itself says where this one listens.",
            examples: &["peer lb2 127.0.0.1:10000"],
            parse: peer,
            ..PEERS
        },
        Keyword {
            name: "server",
            args: "<name> [<address>:<port>] [<option>...]",
            doc: "A peer.",
            examples: &["server lb2 127.0.0.1:10000"],
            parse: peer,
            ..PEERS
        },
        Keyword {
            name: "mailer",
            args: "<name> <address>:<port>",
            doc: "A mail server that is told.",
            examples: &["mailer m1 127.0.0.1:25"],
            parse: named_address,
            ..MAILERS
        },
        Keyword {
            name: "timeout mail",
            args: "<time>",
            default: "10s",
            doc: "How long delivery may take.",
            examples: &["timeout mail 10s"],
            parse: timeout,
            ..MAILERS
        },
        Keyword {
            name: "command",
            args: "<command> [<arguments>...]",
            doc: "The program to run.",
            examples: &["command /bin/true"],
            parse: command,
            ..PROGRAM
        },
        Keyword {
            name: "group",
            args: "<group>",
            doc: "The group to run as.",
            examples: &["group root"],
            parse: identity,
            ..PROGRAM
        },
        Keyword {
            name: "option start-on-reload",
            negatable: true,
            default: "on",
            doc: "Starts the program again at each reload.",
            examples: &["option start-on-reload"],
            parse: option,
            ..PROGRAM
        },
        Keyword {
            name: "user",
            args: "<user>",
            doc: "The user to run as.",
            examples: &["user root"],
            parse: identity,
            ..PROGRAM
        },
        Keyword {
            name: "description",
            args: "<text>",
            doc: "A text about the ring.",
            examples: &["description Events"],
            parse: description,
            status: Status::Works,
            ..RING
        },
        Keyword {
            name: "format",
            args: "<format>",
            doc: "How messages are stored.",
            examples: &["format rfc5424"],
            parse: ring_format,
            status: Status::Works,
            ..RING
        },
        Keyword {
            name: "maxlen",
            args: "<length>",
            default: "1024",
            doc: "The longest message that is kept, in bytes.",
            examples: &["maxlen 1024"],
            parse: ring_size,
            status: Status::Works,
            ..RING
        },
        Keyword {
            name: "server",
            args: "<name> <address> [<option>...]",
            doc: "Where messages are sent.",
            examples: &["server s1 127.0.0.1:514"],
            parse: ring_server,
            status: Status::Works,
            ..RING
        },
        Keyword {
            name: "size",
            args: "<size>",
            doc: "How many bytes the ring holds.",
            examples: &["size 32768"],
            parse: ring_size,
            status: Status::Works,
            ..RING
        },
        Keyword {
            name: "timeout connect",
            args: "<time>",
            doc: "How long connecting may take.",
            examples: &["timeout connect 5s"],
            parse: timeout,
            status: Status::Works,
            ..RING
        },
        Keyword {
            name: "timeout server",
            args: "<time>",
            doc: "How long what was sent to a server may wait to be taken.",
            examples: &["timeout server 10s"],
            parse: timeout,
            status: Status::Works,
            ..RING
        },
        Keyword {
            name: "docroot",
            args: "<path>",
            doc: "The directory of the scripts on the application's machine; DOCUMENT_ROOT and SCRIPT_FILENAME begin with it.",
            examples: &["docroot /var/www"],
            parse: |line| one(line, "<path>"),
            ..FCGI
        },
        Keyword {
            name: "index",
            args: "<script>",
            doc: "The script for paths that end in a slash.",
            examples: &["index index.php"],
            parse: |line| one(line, "<filename>"),
            ..FCGI
        },
        Keyword {
            name: "log-stderr",
            args: "{ global | <address> ... }",
            doc: "Where the application's standard error goes, as `log` says it.",
            examples: &["log-stderr global"],
            parse: log_stderr,
            ..FCGI
        },
        Keyword {
            name: "option get-values",
            negatable: true,
            doc: "Asks the application for its limits when connecting.",
            examples: &["option get-values"],
            parse: option,
            ..FCGI
        },
        Keyword {
            name: "option keep-conn",
            negatable: true,
            default: "on",
            doc: "Asks the application to keep connections open.",
            examples: &["option keep-conn"],
            parse: option,
            ..FCGI
        },
        Keyword {
            name: "option max-reqs",
            args: "<reqs>",
            default: "1",
            doc: "How many requests the application takes at once on a connection.",
            examples: &["option max-reqs 10"],
            parse: max_reqs,
            ..FCGI
        },
        Keyword {
            name: "option mpxs-conns",
            negatable: true,
            doc: "Sends several requests at once on a connection.",
            examples: &["option mpxs-conns"],
            parse: option,
            ..FCGI
        },
        Keyword {
            name: "pass-header",
            args: "<name> [{ if | unless } <condition>]",
            doc: "Passes a header of the request on that is otherwise kept back, such as Authorization.",
            examples: &["pass-header authorization"],
            parse: |line| conditional(line, 1, "<name>"),
            ..FCGI
        },
        Keyword {
            name: "path-info",
            args: "<regex>",
            doc: "A regular expression that splits a path into script name and path info, its first and second group.",
            examples: &["path-info ^(/.+\\.php)(/.*)?$"],
            parse: path_info,
            ..FCGI
        },
        Keyword {
            name: "set-param",
            args: "<name> <format> [{ if | unless } <condition>]",
            doc: "Sets a parameter of the request to a format's value.",
            examples: &["set-param REMOTE_USER anna"],
            parse: |line| conditional(line, 2, "<name> and <value>"),
            ..FCGI
        },
    ],
    ..Part::NONE
};
