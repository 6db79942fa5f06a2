//! How servers are reached (manual 4.2): the address to connect from, sending the server's name,
//! keep-alive probes, fixed and transparent destinations, many servers from one line.

use crate::catalog::{Keyword, Part, Status};
use crate::config::address::{AddressSpec, HostSpec, PortsSpec};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;
use crate::flow::listener::limits::integer;

fn source(line: &mut Line<'_>) -> Parsed {
    const USAGE: &str =
        "'source' expects <addr>[:<port>], and optionally 'usesrc' <addr>, and 'interface' <name>.";
    let word = line.required(USAGE)?.str().into_owned();
    let fails = |e: String| format!("'source {word}' : {e}");
    match AddressSpec::parse(&word) {
        Err(e) => return Err(line.alert(fails(e))),
        Ok(AddressSpec::Inet { host: HostSpec::Name(name, _), .. })
            if line.outside.resolve(&name).is_err() =>
        {
            return Err(line.alert(fails(format!("invalid address: '{name}' in '{word}'"))));
        }
        Ok(_) => {}
    }
    while let Some(option) = line.word() {
        match &*option.str() {
            "usesrc" => {
                line.required(
                    "'usesrc' expects <addr>[:<port>], 'client', or 'clientip' as argument.",
                )?;
            }
            "interface" => {
                line.required("'source' : missing interface name.")?;
            }
            _ => {
                return Err(line
                    .alert("'source' only supports optional keywords 'interface' and 'usesrc'."));
            }
        }
    }
    Ok(())
}

fn dispatch(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let fails = |e: &str| format!("'dispatch' : {e}");
    if word.is_empty() {
        return Err(
            line.alert(fails("'' resolves to an empty address (environment variable missing?)"))
        );
    }
    match AddressSpec::parse(&word) {
        Err(e) => return Err(line.alert(fails(&e))),
        Ok(AddressSpec::Inet { host, ports }) => {
            if let HostSpec::Name(name, _) = &host
                && line.outside.resolve(name).is_err()
            {
                return Err(line.alert(fails(&format!("invalid address: '{name}' in '{word}'"))));
            }
            match ports {
                PortsSpec::None => {
                    return Err(
                        line.alert(fails(&format!("missing port specification in '{word}'")))
                    );
                }
                PortsSpec::Range(low, high) if low != high => {
                    return Err(
                        line.alert(fails(&format!("port range not permitted here in '{word}'")))
                    );
                }
                _ => {}
            }
        }
        Ok(_) => {}
    }
    line.end()
}

fn transparent(line: &mut Line<'_>) -> Parsed {
    line.proxy().options.set("transparent", Some(true));
    line.end()
}

fn http_send_name_header(line: &mut Line<'_>) -> Parsed {
    line.required("'http-send-name-header' requires a header string.")?;
    Ok(())
}

fn max_keep_alive_queue(line: &mut Line<'_>) -> Parsed {
    integer(line, "expects an integer value (or -1 to disable)")
}

fn max_session_srv_conns(line: &mut Line<'_>) -> Parsed {
    if line.word().is_none() {
        let place = line.last_place();
        return Err(crate::config::diagnostic::Diagnostic::alert(
            Some(&place),
            format!(
                "parsine [{place}] : 'max-session-srv-conns' expects a number. Got no argument"
            ),
        ));
    }
    Ok(())
}

fn retry_on(line: &mut Line<'_>) -> Parsed {
    let mut seen = 0;
    let mut none = false;
    while let Some(word) = line.word() {
        seen += 1;
        match &*word.str() {
            "none" => none = true,
            "conn-failure"
            | "empty-response"
            | "response-timeout"
            | "0rtt-rejected"
            | "junk-response"
            | "all-retryable-errors"
            | "404"
            | "408"
            | "425"
            | "500"
            | "501"
            | "502"
            | "503"
            | "504" => {}
            other => {
                return Err(line.alert(format!("'retry-on': unknown keyword '{other}'")));
            }
        }
    }
    match (seen, none) {
        (0, _) => Err(line.alert("'retry-on' needs at least one keyword to specify when to retry")),
        (2.., true) => Err(line.alert("'retry-on' 'none' keyworld only usable alone")),
        _ => Ok(()),
    }
}

fn load_state(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str()).unwrap_or_default();
    match &*word {
        "global" | "local" | "none" => Ok(()),
        other => Err(line.alert(format!(
            "'load-server-state-from-file' expects 'global', 'local' or 'none'. Got '{other}'"
        ))),
    }
}

fn use_fcgi_app(line: &mut Line<'_>) -> Parsed {
    let name = line.required("'use-fcgi-app' expects <name> as argument")?.str().into_owned();
    let place = line.last_place();
    line.proxy().references.applications.push((name, place));
    line.end()
}

const BACKEND: Keyword = Keyword { sections: Sections::BACKENDS, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "dispatch",
            sections: Sections::LISTEN.and(Sections::BACKEND),
            args: "<address>:<port>",
            doc: "Where requests go when there are no servers.",
            examples: &["dispatch 127.0.0.1:8080"],
            parse: dispatch,
            ..BACKEND
        },
        Keyword {
            name: "http-send-name-header",
            sections: Sections::LISTEN.and(Sections::BACKEND),
            args: "[<header>]",
            doc: "Adds a header with the chosen server's name to requests.",
            examples: &["http-send-name-header X-Server"],
            parse: http_send_name_header,
            ..BACKEND
        },
        Keyword {
            name: "load-server-state-from-file",
            args: "{ global | local | none }",
            default: "none",
            doc: "Where the servers' state is read from at start: the file of the whole process (`global`), the proxy's own (`local`), or nowhere (`none`).",
            examples: &["load-server-state-from-file global"],
            parse: load_state,
            ..BACKEND
        },
        Keyword {
            name: "max-keep-alive-queue",
            args: "<value>",
            default: "-1, which is no limit",
            doc: "Queue length above which a client's last server is not kept.",
            examples: &["max-keep-alive-queue 10"],
            parse: max_keep_alive_queue,
            ..BACKEND
        },
        Keyword {
            name: "max-session-srv-conns",
            sections: Sections::FRONTENDS,
            args: "<number>",
            default: "5",
            doc: "Server connections a client connection may hold idle.",
            examples: &["max-session-srv-conns 5"],
            parse: max_session_srv_conns,
            ..BACKEND
        },
        Keyword {
            name: "retry-on",
            args: "[<keyword>...]",
            default: "conn-failure",
            doc: "Which failures are retried: `none`, `conn-failure`, `empty-response`, `junk-response`, `response-timeout`, `0rtt-rejected`, `all-retryable-errors`, or the status 404, 408, 425, 500, 501, 502, 503 or 504.",
            examples: &["retry-on conn-failure empty-response 503"],
            parse: retry_on,
            ..BACKEND
        },
        Keyword {
            name: "server-state-file-name",
            args: "[<file>]",
            doc: "The proxy's own server state file.",
            examples: &["server-state-file-name app.state"],
            parse: |line| {
                line.rest();
                Ok(())
            },
            ..BACKEND
        },
        Keyword {
            name: "source",
            args: "<addr>[:<port>] [usesrc { <addr2>[:<port2>] | client | clientip | hdr_ip(<hdr>[,<occ>]) }] [interface <name>]",
            doc: "The address that servers are connected from; `usesrc` takes the client's address or one from a header, where the kernel allows it, and `interface` binds to a network interface.",
            examples: &["source 127.0.0.1"],
            parse: source,
            ..BACKEND
        },
        Keyword {
            name: "transparent",
            doc: "As option transparent.",
            examples: &["transparent"],
            status: Status::Planned,
            parse: transparent,
            ..BACKEND
        },
        Keyword {
            name: "use-fcgi-app",
            sections: Sections::LISTEN.and(Sections::BACKEND),
            args: "<name>",
            doc: "Servers of this backend speak FastCGI.",
            examples: &["use-fcgi-app php"],
            parse: use_fcgi_app,
            ..BACKEND
        },
    ],
    ..Part::NONE
};
