//! Settings of the `global` section that tune the process (manual 3.1 and 3.2). In: their words.
//! Out: checked words; most have no mechanism here to tune, as their status says.

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{
    Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_size, parse_time,
};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;

/// `parsing [file:line] : 'keyword' text`
fn refuse(line: &Line<'_>, text: &str) -> Diagnostic {
    line.alert(format!("'{}' {text}", line.keyword.name))
}

fn flag(line: &mut Line<'_>) -> Parsed {
    line.end()
}

fn any(line: &mut Line<'_>) -> Parsed {
    line.rest();
    Ok(())
}

/// A number, read as C's `atol` reads it, and nothing behind it.
fn number(line: &mut Line<'_>, message: &str) -> Result<i64, Diagnostic> {
    let Some(word) = line.word().filter(|word| !word.is_empty()) else {
        return Err(refuse(line, message));
    };
    let value = parse_lenient(word.bytes());
    line.end()?;
    Ok(value)
}

fn count(line: &mut Line<'_>) -> Parsed {
    number(line, "expects an integer argument.").map(drop)
}

fn kbps(line: &mut Line<'_>) -> Parsed {
    number(line, "expects an integer argument in kb/s.").map(drop)
}

/// A number that may be missing, as 2.3 lets it be.
fn some_count(line: &mut Line<'_>) -> Parsed {
    line.word();
    line.end()
}

fn within(line: &mut Line<'_>, range: std::ops::RangeInclusive<i64>, message: &str) -> Parsed {
    let value = line.word().map_or(0, |word| parse_lenient(word.bytes()));
    line.end()?;
    if range.contains(&value) { Ok(()) } else { Err(refuse(line, message)) }
}

fn not_negative(line: &mut Line<'_>) -> Parsed {
    within(line, 0..=i64::MAX, "expects a positive numeric value.")
}

fn pattern_cache(line: &mut Line<'_>) -> Parsed {
    within(line, 0..=i64::MAX, "expects a positive numeric value")
}

fn percent(line: &mut Line<'_>) -> Parsed {
    const MESSAGE: &str = "expects an integer argument between 0 and 100.";
    match number(line, MESSAGE)? {
        0..=100 => Ok(()),
        _ => Err(refuse(line, MESSAGE)),
    }
}

fn percent_low(line: &mut Line<'_>) -> Parsed {
    percent(line)
}

/// `parsing [file:line]: text`, without the blank before the colon.
fn bare(line: &Line<'_>, text: &str) -> Diagnostic {
    let place = line.last_place();
    Diagnostic::alert(Some(&place), format!("parsing [{place}]: {text}"))
}

fn idle_timer(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(refuse(line, "expects a timer value between 0 and 65535 ms."));
    };
    match parse_time(word.bytes(), TimeUnit::Milliseconds) {
        Ok(time) if time.as_millis() <= 65_535 => line.end(),
        Err(NumberError::Unexpected(c)) => {
            Err(bare(line, &format!("unexpected character '{c}' in argument to <tune.idletimer>.")))
        }
        _ => Err(refuse(line, "expects a timer value between 0 and 65535 ms.")),
    }
}

fn any_time(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let Some(word) = line.word() else {
        return Err(refuse(line, "expects a time argument"));
    };
    match parse_time(word.bytes(), TimeUnit::Milliseconds) {
        Ok(_) => Ok(()),
        Err(NumberError::Overflow) => Err(line.alert(format!(
            "timer overflow in argument <{word}> to <{name}> (maximum value is 2147483647 ms or ~24.8 days)"
        ))),
        Err(NumberError::Underflow) => Err(line.alert(format!(
            "timer underflow in argument <{word}> to <{name}> (minimum value is 1 ms)"
        ))),
        Err(NumberError::Unexpected(c)) => {
            Err(line.alert(format!("unexpected character '{c}' in argument <{word}> to <{name}>")))
        }
    }
}

fn on_off(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|word| word.str()).unwrap_or_default();
    match &*word {
        "on" | "off" => line.end(),
        other => Err(refuse(line, &format!("expects either 'on' or 'off' but got '{other}'."))),
    }
}

fn on_auto_off(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|word| word.str()).unwrap_or_default();
    match &*word {
        "on" | "auto" | "off" => line.end(),
        other => {
            Err(refuse(line, &format!("expects either 'on', 'auto', or 'off' but got '{other}'.")))
        }
    }
}

fn text(line: &mut Line<'_>) -> Parsed {
    if line.word().is_none() {
        return Err(refuse(line, "expects an argument."));
    }
    line.end()
}

fn texts(line: &mut Line<'_>) -> Parsed {
    if line.rest().is_empty() {
        return Err(refuse(line, "expects an argument."));
    }
    Ok(())
}

fn base(line: &mut Line<'_>) -> Parsed {
    if line.word().is_none() {
        return Err(refuse(line, "expects a directory path as an argument."));
    }
    line.end()?;
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

fn state_base(line: &mut Line<'_>) -> Parsed {
    if !line.rest().is_empty() {
        Ok(())
    } else {
        Err(refuse(line, "expects one argument: a directory path."))
    }
}

fn state_file(line: &mut Line<'_>) -> Parsed {
    if !line.rest().is_empty() {
        Ok(())
    } else {
        Err(refuse(line, "expect one argument: a file path."))
    }
}

fn server_verify(line: &mut Line<'_>) -> Parsed {
    let word = line.required("'ssl-server-verify' expects an integer argument.")?.str();
    match &*word {
        "none" | "required" => line.end(),
        _ => Err(refuse(line, "expects 'none' or 'required' as argument.")),
    }
}

fn extra_files(line: &mut Line<'_>) -> Parsed {
    let mut some = false;
    while let Some(word) = line.word() {
        some = true;
        let word = word.str();
        match &*word {
            "none" | "all" | "bundle" | "sctl" | "ocsp" | "issuer" | "key" => {}
            other => return Err(refuse(line, &format!("unknown argument '{other}'."))),
        }
    }
    if some { Ok(()) } else { Err(refuse(line, "expects an argument.")) }
}

/// The options of `bind` and `server` lines that have no argument, and the version limits.
fn tls_options(line: &mut Line<'_>) -> Parsed {
    const FLAGS: &[&str] = &[
        "force-sslv3",
        "force-tlsv10",
        "force-tlsv11",
        "force-tlsv12",
        "force-tlsv13",
        "no-sslv3",
        "no-tls-tickets",
        "no-tlsv10",
        "no-tlsv11",
        "no-tlsv12",
        "no-tlsv13",
        "prefer-client-ciphers",
    ];
    const VERSIONS: &[&str] = &["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    if line.is_empty() {
        return Err(line.alert(
            "global statement '".to_owned()
                + line.keyword.name
                + "' expects an option as an argument.",
        ));
    }
    while let Some(word) = line.word() {
        let name = word.str();
        if matches!(&*name, "ssl-min-ver" | "ssl-max-ver") {
            let version = line.word().map(|word| word.str()).unwrap_or_default();
            if version.is_empty() {
                return Err(line.alert(format!("'{name}' : missing TLS version")));
            }
            if !VERSIONS.contains(&&*version) {
                return Err(line.alert(format!("'{name}' : unknown TLS version")));
            }
        } else if !FLAGS.contains(&&*name) {
            return Err(line.alert(format!(
                "unknown option '{name}' on global statement '{}'.",
                line.keyword.name
            )));
        }
    }
    Ok(())
}

fn tls_count(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(refuse(line, "expects a positive numeric value."));
    };
    match parse_lenient(word.bytes()) {
        0.. => line.end(),
        _ => Err(refuse(line, "expects a positive numeric value.")),
    }
}

fn tls_dh(line: &mut Line<'_>) -> Parsed {
    let value = line.word().map_or(0, |word| parse_lenient(word.bytes()));
    match value {
        1024.. => line.end(),
        _ => Err(refuse(line, "expects a value >= 1024.")),
    }
}

fn tls_time(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(refuse(line, "expects ssl sessions <lifetime> in seconds as argument."));
    };
    match parse_time(word.bytes(), TimeUnit::Seconds) {
        Ok(_) => line.end(),
        Err(NumberError::Unexpected(c)) => {
            Err(line.alert(format!("unexpected character '{c}' in argument to <{}>.", line.keyword.name)))
        }
        Err(_) => Err(line.alert(format!(
            "timer overflow in argument <{word}> to <{}> (maximum value is 2147483647 s or ~68 years).",
            line.keyword.name
        ))),
    }
}

fn vars_size(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let Some(word) = line.word() else {
        return Err(refuse(line, "expects a size argument"));
    };
    match parse_size(word.bytes()) {
        Ok(_) => Ok(()),
        Err(_) => Err(line.alert(format!("{name}: '{word}' is an invalid size"))),
    }
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
            name: "busy-polling",
            negatable: true,
            doc: "Polls without sleeping when there is nothing to do.",
            examples: &["busy-polling"],
            status: Status::NoEffect("threads sleep in epoll until there is work"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "ca-base",
            args: "<dir>",
            doc: "The directory that relative certificate authority paths begin at.",
            examples: &["ca-base /etc/ssl/certs"],
            status: Status::Planned,
            parse: base,
            ..GLOBAL
        },
        Keyword {
            name: "crt-base",
            args: "<dir>",
            doc: "The directory that relative certificate paths begin at.",
            examples: &["crt-base /etc/ssl/private"],
            status: Status::Planned,
            parse: base,
            ..GLOBAL
        },
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
            doc: "Allows new processes while running.",
            examples: &["insecure-fork-wanted"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "insecure-setuid-wanted",
            doc: "Allows programs that change their user id.",
            examples: &["insecure-setuid-wanted"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "issuers-chain-path",
            args: "<dir>",
            doc: "A directory of issuer certificates that complete chains.",
            examples: &["issuers-chain-path /etc/ssl/issuers"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "localpeer",
            args: "<name>",
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
            name: "maxcompcpuusage",
            args: "<number>",
            doc: "CPU use above which compression is lowered, in percent.",
            examples: &["maxcompcpuusage 80"],
            status: Status::Planned,
            parse: percent,
            ..GLOBAL
        },
        Keyword {
            name: "maxcomprate",
            args: "<number>",
            doc: "Compression input limit of the process, in kilobytes a second.",
            examples: &["maxcomprate 1000"],
            status: Status::Planned,
            parse: kbps,
            ..GLOBAL
        },
        Keyword {
            name: "maxconnrate",
            args: "<number>",
            doc: "New connections a second for the whole process.",
            examples: &["maxconnrate 500"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "maxpipes",
            args: "<number>",
            doc: "How many pipes splicing may use.",
            examples: &["maxpipes 100"],
            status: Status::NoEffect("splicing needs no pipes of its own"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "maxsessrate",
            args: "<number>",
            doc: "New sessions a second for the whole process.",
            examples: &["maxsessrate 500"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "maxsslconn",
            args: "<number>",
            doc: "TLS connections at once for the whole process.",
            examples: &["maxsslconn 1000"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "maxsslrate",
            args: "<number>",
            doc: "New TLS sessions a second for the whole process.",
            examples: &["maxsslrate 100"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "maxzlibmem",
            args: "<number>",
            doc: "Memory compression may use, in megabytes.",
            examples: &["maxzlibmem 50"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "mworker-max-reloads",
            args: "<number>",
            doc: "Reloads an old worker lives through.",
            examples: &["mworker-max-reloads 5"],
            status: Status::Planned,
            parse: any,
            ..GLOBAL
        },
        Keyword {
            name: "noepoll",
            doc: "Disables epoll.",
            examples: &["noepoll"],
            status: Status::NoEffect("connections are always watched with epoll"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "noevports",
            doc: "Disables event ports.",
            examples: &["noevports"],
            status: Status::NoEffect("connections are always watched with epoll"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "nogetaddrinfo",
            doc: "Disables getaddrinfo.",
            examples: &["nogetaddrinfo"],
            status: Status::NoEffect("names are always resolved with getaddrinfo"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "nokqueue",
            doc: "Disables kqueue.",
            examples: &["nokqueue"],
            status: Status::NoEffect("connections are always watched with epoll"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "nopoll",
            doc: "Disables poll.",
            examples: &["nopoll"],
            status: Status::NoEffect("connections are always watched with epoll"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "noreuseport",
            doc: "Does not bind with SO_REUSEPORT.",
            examples: &["noreuseport"],
            status: Status::Works,
            parse: |line| {
                line.global().no_reuse_port = true;
                line.end()
            },
            ..GLOBAL
        },
        Keyword {
            name: "nosplice",
            doc: "Disables splicing.",
            examples: &["nosplice"],
            status: Status::NoEffect("splicing is used only where it is faster"),
            parse: flag,
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
            name: "profiling.tasks",
            args: "{ on | auto | off }",
            doc: "Measures the CPU time of tasks.",
            examples: &["profiling.tasks on"],
            status: Status::NoEffect("tasks are not profiled"),
            parse: on_auto_off,
            ..GLOBAL
        },
        Keyword {
            name: "quiet",
            doc: "Suppresses messages at start.",
            examples: &["quiet"],
            status: Status::Works,
            parse: |line| {
                line.global().quiet = true;
                line.end()
            },
            ..GLOBAL
        },
        Keyword {
            name: "server-state-base",
            args: "<dir>",
            doc: "The directory of server state files.",
            examples: &["server-state-base /var/lib/haproxy"],
            status: Status::Planned,
            parse: state_base,
            ..GLOBAL
        },
        Keyword {
            name: "server-state-file",
            args: "<file>",
            doc: "The file with the state of all servers.",
            examples: &["server-state-file /var/lib/haproxy/state"],
            status: Status::Planned,
            parse: state_file,
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
            name: "ssl-default-bind-ciphers",
            args: "<ciphers>",
            doc: "The ciphers of bind lines, up to TLS 1.2.",
            examples: &["ssl-default-bind-ciphers ECDHE+AESGCM"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-bind-ciphersuites",
            args: "<suites>",
            doc: "The cipher suites of bind lines, TLS 1.3.",
            examples: &["ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-bind-curves",
            args: "<curves>",
            doc: "The curves of bind lines.",
            examples: &["ssl-default-bind-curves X25519:P-256"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-bind-options",
            args: "<option>...",
            doc: "Options of all bind lines.",
            examples: &["ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets"],
            status: Status::Planned,
            parse: tls_options,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-server-ciphers",
            args: "<ciphers>",
            doc: "The ciphers of server lines, up to TLS 1.2.",
            examples: &["ssl-default-server-ciphers ECDHE+AESGCM"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-server-ciphersuites",
            args: "<suites>",
            doc: "The cipher suites of server lines, TLS 1.3.",
            examples: &["ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-server-options",
            args: "<option>...",
            doc: "Options of all server lines.",
            examples: &["ssl-default-server-options ssl-min-ver TLSv1.2"],
            status: Status::Planned,
            parse: tls_options,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-dh-param-file",
            args: "<file>",
            doc: "Diffie-Hellman parameters.",
            examples: &["ssl-dh-param-file /etc/ssl/dh.pem"],
            status: Status::NoEffect("finite field Diffie-Hellman is not offered"),
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-engine",
            args: "<name> [algo <list>]",
            doc: "An OpenSSL engine to use.",
            examples: &["ssl-engine rdrand"],
            status: Status::NoEffect("there are no OpenSSL engines"),
            parse: texts,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-load-extra-del-ext",
            doc: "Takes the extension off before looking for extra certificate files.",
            examples: &["ssl-load-extra-del-ext"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-load-extra-files",
            args: "{ none | all | bundle | sctl | ocsp | issuer | key }...",
            doc: "Which files beside a certificate are loaded too.",
            examples: &["ssl-load-extra-files key"],
            status: Status::Planned,
            parse: extra_files,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-mode-async",
            doc: "Asynchronous OpenSSL engines.",
            examples: &["ssl-mode-async"],
            status: Status::NoEffect("there are no OpenSSL engines"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-server-verify",
            args: "{ none | required }",
            doc: "Whether server certificates are verified by default.",
            examples: &["ssl-server-verify required"],
            status: Status::Planned,
            parse: server_verify,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-skip-self-issued-ca",
            doc: "Leaves self-issued authorities out of chains.",
            examples: &["ssl-skip-self-issued-ca"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "strict-limits",
            negatable: true,
            doc: "Stops when a limit cannot be set.",
            examples: &["strict-limits"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "tune.buffers.limit",
            args: "<number>",
            doc: "Buffers at once.",
            examples: &["tune.buffers.limit 100"],
            status: Status::NoEffect("buffers are pooled for each thread and need no such limit"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.buffers.reserve",
            args: "<number>",
            doc: "Buffers kept for emergencies.",
            examples: &["tune.buffers.reserve 2"],
            status: Status::NoEffect("buffers are pooled for each thread and need no such limit"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.chksize",
            args: "<number>",
            doc: "The size of check buffers.",
            examples: &["tune.chksize 16384"],
            status: Status::NoEffect("check answers are read into a buffer of their own"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.comp.maxlevel",
            args: "<number>",
            doc: "The highest compression level.",
            examples: &["tune.comp.maxlevel 1"],
            status: Status::Planned,
            parse: |line| within(line, 1..=9, "expects a numeric value between 1 and 9"),
            ..GLOBAL
        },
        Keyword {
            name: "tune.fd.edge-triggered",
            args: "{ on | off }",
            doc: "Edge-triggered polling.",
            examples: &["tune.fd.edge-triggered on"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: on_off,
            ..GLOBAL
        },
        Keyword {
            name: "tune.h2.header-table-size",
            args: "<number>",
            doc: "The HTTP/2 header table, in bytes.",
            examples: &["tune.h2.header-table-size 4096"],
            status: Status::Planned,
            parse: |line| {
                within(line, 4096..=65536, "expects a numeric value between 4096 and 65536.")
            },
            ..GLOBAL
        },
        Keyword {
            name: "tune.h2.initial-window-size",
            args: "<number>",
            doc: "The HTTP/2 window of a stream, in bytes.",
            examples: &["tune.h2.initial-window-size 65535"],
            status: Status::Planned,
            parse: not_negative,
            ..GLOBAL
        },
        Keyword {
            name: "tune.h2.max-concurrent-streams",
            args: "<number>",
            doc: "HTTP/2 streams at once on a connection.",
            examples: &["tune.h2.max-concurrent-streams 100"],
            status: Status::Planned,
            parse: not_negative,
            ..GLOBAL
        },
        Keyword {
            name: "tune.h2.max-frame-size",
            args: "<number>",
            doc: "The largest HTTP/2 frame, in bytes.",
            examples: &["tune.h2.max-frame-size 16384"],
            status: Status::Planned,
            parse: |line| {
                within(
                    line,
                    16384..=16777215,
                    "expects a numeric value between 16384 and 16777215.",
                )
            },
            ..GLOBAL
        },
        Keyword {
            name: "tune.http.cookielen",
            args: "<number>",
            doc: "How much of a captured cookie is kept.",
            examples: &["tune.http.cookielen 64"],
            status: Status::Planned,
            parse: some_count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.idle-pool.shared",
            args: "{ on | off }",
            doc: "Whether threads take idle server connections from each other.",
            examples: &["tune.idle-pool.shared on"],
            status: Status::Planned,
            parse: on_off,
            ..GLOBAL
        },
        Keyword {
            name: "tune.idletimer",
            args: "<timeout>",
            doc: "When a stream counts as idle.",
            examples: &["tune.idletimer 1000"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: idle_timer,
            ..GLOBAL
        },
        Keyword {
            name: "tune.listener.multi-queue",
            args: "{ on | off }",
            doc: "How accepted connections are handed to threads.",
            examples: &["tune.listener.multi-queue on"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: on_off,
            ..GLOBAL
        },
        Keyword {
            name: "tune.lua.forced-yield",
            args: "<number>",
            doc: "Lua instructions between interruptions.",
            examples: &["tune.lua.forced-yield 10000"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.lua.maxmem",
            args: "<megabytes>",
            doc: "Memory all Lua programs may use.",
            examples: &["tune.lua.maxmem 100"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.lua.service-timeout",
            args: "<timeout>",
            doc: "How long a Lua service may run.",
            examples: &["tune.lua.service-timeout 4s"],
            status: Status::Planned,
            parse: any_time,
            ..GLOBAL
        },
        Keyword {
            name: "tune.lua.session-timeout",
            args: "<timeout>",
            doc: "How long Lua may run for a session.",
            examples: &["tune.lua.session-timeout 4s"],
            status: Status::Planned,
            parse: any_time,
            ..GLOBAL
        },
        Keyword {
            name: "tune.lua.task-timeout",
            args: "<timeout>",
            doc: "How long a Lua task may run.",
            examples: &["tune.lua.task-timeout 4s"],
            status: Status::Planned,
            parse: any_time,
            ..GLOBAL
        },
        Keyword {
            name: "tune.maxaccept",
            args: "<number>",
            doc: "Connections accepted in a row.",
            examples: &["tune.maxaccept 64"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.maxpollevents",
            args: "<number>",
            doc: "Events handled in a row.",
            examples: &["tune.maxpollevents 200"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.pattern.cache-size",
            args: "<number>",
            doc: "Remembered pattern matches.",
            examples: &["tune.pattern.cache-size 10000"],
            status: Status::NoEffect("patterns are looked up in trees and automata"),
            parse: pattern_cache,
            ..GLOBAL
        },
        Keyword {
            name: "tune.pipesize",
            args: "<number>",
            doc: "The size of pipes.",
            examples: &["tune.pipesize 65536"],
            status: Status::NoEffect("splicing needs no pipes of its own"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.pool-high-fd-ratio",
            args: "<percent>",
            doc: "Share of descriptors above which idle connections are closed.",
            examples: &["tune.pool-high-fd-ratio 25"],
            status: Status::NoEffect(
                "idle connections are bounded by pool-max-conn and the process limit",
            ),
            parse: percent_low,
            ..GLOBAL
        },
        Keyword {
            name: "tune.pool-low-fd-ratio",
            args: "<percent>",
            doc: "Share of descriptors above which idle connections are not kept.",
            examples: &["tune.pool-low-fd-ratio 20"],
            status: Status::NoEffect(
                "idle connections are bounded by pool-max-conn and the process limit",
            ),
            parse: percent_low,
            ..GLOBAL
        },
        Keyword {
            name: "tune.rcvbuf.client",
            args: "<number>",
            doc: "The kernel's receive buffer of client connections.",
            examples: &["tune.rcvbuf.client 65536"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.rcvbuf.server",
            args: "<number>",
            doc: "The kernel's receive buffer of server connections.",
            examples: &["tune.rcvbuf.server 65536"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.recv_enough",
            args: "<number>",
            doc: "Bytes after which reading stops for now.",
            examples: &["tune.recv_enough 10136"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.runqueue-depth",
            args: "<number>",
            doc: "Tasks run in a row.",
            examples: &["tune.runqueue-depth 200"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.sched.low-latency",
            args: "{ on | off }",
            doc: "Interrupts batches for urgent tasks.",
            examples: &["tune.sched.low-latency on"],
            status: Status::NoEffect("tasks are scheduled by tokio"),
            parse: on_off,
            ..GLOBAL
        },
        Keyword {
            name: "tune.sndbuf.client",
            args: "<number>",
            doc: "The kernel's send buffer of client connections.",
            examples: &["tune.sndbuf.client 65536"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.sndbuf.server",
            args: "<number>",
            doc: "The kernel's send buffer of server connections.",
            examples: &["tune.sndbuf.server 65536"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.cachesize",
            args: "<number>",
            doc: "Entries of the TLS session cache.",
            examples: &["tune.ssl.cachesize 20000"],
            status: Status::Planned,
            parse: tls_count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.capture-cipherlist-size",
            args: "<number>",
            doc: "Bytes of the client's cipher list that are kept.",
            examples: &["tune.ssl.capture-cipherlist-size 800"],
            status: Status::Planned,
            parse: tls_count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.default-dh-param",
            args: "<number>",
            doc: "The size of generated Diffie-Hellman parameters.",
            examples: &["tune.ssl.default-dh-param 2048"],
            status: Status::NoEffect("finite field Diffie-Hellman is not offered"),
            parse: tls_dh,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.force-private-cache",
            doc: "Separate TLS session caches for processes.",
            examples: &["tune.ssl.force-private-cache"],
            status: Status::NoEffect("there is one process"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.lifetime",
            args: "<timeout>",
            doc: "How long a TLS session is kept.",
            examples: &["tune.ssl.lifetime 300"],
            status: Status::Planned,
            parse: tls_time,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.maxrecord",
            args: "<number>",
            doc: "The largest TLS record sent at once.",
            examples: &["tune.ssl.maxrecord 1400"],
            status: Status::Planned,
            parse: tls_count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.ssl-ctx-cache-size",
            args: "<number>",
            doc: "Entries of the cache of generated certificates.",
            examples: &["tune.ssl.ssl-ctx-cache-size 1000"],
            status: Status::Planned,
            parse: tls_count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.vars.check-max-size",
            args: "<size>",
            doc: "Memory the variables of the scope check may use.",
            examples: &["tune.vars.check-max-size 1k"],
            status: Status::Planned,
            parse: vars_size,
            ..GLOBAL
        },
        Keyword {
            name: "tune.vars.global-max-size",
            args: "<size>",
            doc: "Memory the variables of the scope global may use.",
            examples: &["tune.vars.global-max-size 1k"],
            status: Status::Planned,
            parse: vars_size,
            ..GLOBAL
        },
        Keyword {
            name: "tune.vars.proc-max-size",
            args: "<size>",
            doc: "Memory the variables of the scope proc may use.",
            examples: &["tune.vars.proc-max-size 1k"],
            status: Status::Planned,
            parse: vars_size,
            ..GLOBAL
        },
        Keyword {
            name: "tune.vars.reqres-max-size",
            args: "<size>",
            doc: "Memory the variables of the scope reqres may use.",
            examples: &["tune.vars.reqres-max-size 1k"],
            status: Status::Planned,
            parse: vars_size,
            ..GLOBAL
        },
        Keyword {
            name: "tune.vars.sess-max-size",
            args: "<size>",
            doc: "Memory the variables of the scope sess may use.",
            examples: &["tune.vars.sess-max-size 1k"],
            status: Status::Planned,
            parse: vars_size,
            ..GLOBAL
        },
        Keyword {
            name: "tune.vars.txn-max-size",
            args: "<size>",
            doc: "Memory the variables of the scope txn may use.",
            examples: &["tune.vars.txn-max-size 1k"],
            status: Status::Planned,
            parse: vars_size,
            ..GLOBAL
        },
        Keyword {
            name: "tune.zlib.memlevel",
            args: "<number>",
            doc: "zlib's memory level.",
            examples: &["tune.zlib.memlevel 8"],
            status: Status::NoEffect("zlib-rs has no such setting"),
            parse: |line| within(line, 1..=9, "expects a numeric value between 1 and 9."),
            ..GLOBAL
        },
        Keyword {
            name: "tune.zlib.windowsize",
            args: "<number>",
            doc: "zlib's window size.",
            examples: &["tune.zlib.windowsize 15"],
            status: Status::NoEffect("zlib-rs has no such setting"),
            parse: |line| within(line, 8..=15, "expects a numeric value between 8 and 15."),
            ..GLOBAL
        },
        Keyword {
            name: "unix-bind",
            args: "[ prefix <path> ] [ mode <mode> ] [ user <user> ] [ uid <uid> ] [ group <group> ] [ gid <gid> ]",
            doc: "Defaults for listening unix sockets.",
            examples: &["unix-bind prefix /run mode 600"],
            status: Status::Planned,
            parse: unix_bind,
            ..GLOBAL
        },
        Keyword {
            name: "zero-warning",
            doc: "Refuses to start when there are warnings.",
            examples: &["zero-warning"],
            status: Status::Works,
            parse: |line| {
                line.global().zero_warning = true;
                line.end()
            },
            ..GLOBAL
        },
    ],
    ..Part::NONE
};
