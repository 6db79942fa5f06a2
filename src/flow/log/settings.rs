//! The directives that say what is logged and where (manual 3.1 and 4.2: "log", "log-format", "log-tag",
//! "log-send-hostname", "option httplog" and its kin).

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Inversion, Line, Parsed};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::proxy::{Mode, switch_option};
use crate::config::section::Sections;
use crate::flow::log::format::{LogFormat, Purpose};
use crate::flow::log::target::{self, TargetSpec};

/// `log …`, `log-format` … of a proxy, as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogSpec {
    /// `log` lines.
    pub targets: Vec<TargetSpec>,
    /// What a line says; `None` for `Connect from …` only.
    pub format: Option<(FormatSpec, Place)>,
    /// `log-format-sd`
    pub structured: Option<(Vec<u8>, Place)>,
    /// `log-tag`
    pub tag: Option<Vec<u8>>,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub enum FormatSpec {
    /// `option tcplog`
    Tcp,
    /// `option httplog`
    Http,
    /// `option httplog clf`
    Clf,
    /// `log-format`
    Own(Vec<u8>),
}

impl FormatSpec {
    /// The format's text.
    pub fn text(&self) -> &[u8] {
        match self {
            FormatSpec::Tcp => {
                b"%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"
            }
            FormatSpec::Http => {
                b"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r"
            }
            FormatSpec::Clf => {
                b"%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl"
            }
            FormatSpec::Own(text) => text,
        }
    }

    /// The format, if it can be used in this mode.
    pub fn in_mode(&self, mode: Mode) -> Option<&FormatSpec> {
        let needs_http = matches!(self, FormatSpec::Http | FormatSpec::Clf);
        (mode == Mode::Http || !needs_http).then_some(self)
    }

    /// The directive, as messages name it.
    fn directive(&self) -> &'static str {
        match self {
            FormatSpec::Tcp => "option tcplog",
            FormatSpec::Http => "option httplog",
            FormatSpec::Clf => "option httplog clf",
            FormatSpec::Own(_) => "log-format",
        }
    }
}

/// Logging in `global`, as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GlobalLogSpec {
    /// `log` lines.
    pub targets: Vec<TargetSpec>,
    /// `log-tag`
    pub tag: Option<Vec<u8>>,
    /// `log-send-hostname`: the name to send.
    pub host: Option<String>,
    /// `tune.http.cookielen`
    pub cookie_length: Option<usize>,
    /// `tune.http.logurilen`
    pub uri_length: Option<usize>,
}

fn log(line: &mut Line<'_>) -> Parsed {
    let in_global = line.section == Sections::GLOBAL;
    if line.inversion == Inversion::No {
        if !line.is_empty() {
            return Err(line.alert("log : 'no log' does not expect arguments"));
        }
        targets(line).clear();
        return Ok(());
    }
    let mut ahead = line.words.clone();
    if ahead.accept("global") && ahead.is_empty() {
        line.rest();
        return log_global(line, in_global);
    }
    let target = target::parse(line, in_global)?;
    if line.section.intersects(Sections::PEERS.and(Sections::LOG_FORWARD)) {
        target.check_host(line.outside).map_err(|e| line.alert(e))?;
    }
    targets(line).push(target);
    Ok(())
}

fn targets<'a>(line: &'a mut Line<'_>) -> &'a mut Vec<TargetSpec> {
    match line.section {
        Sections::GLOBAL => &mut line.global().log.targets,
        _ => &mut line.proxy().log.targets,
    }
}

/// `log global`: copies what `global` has said so far, each target once.
fn log_global(line: &mut Line<'_>, in_global: bool) -> Parsed {
    if in_global {
        return Err(line.alert("log : 'global' is not supported for a global syslog server"));
    }
    let global = line.global().log.targets.clone();
    let own = targets(line);
    for (index, mut target) in global.into_iter().enumerate() {
        if own.iter().all(|t| t.global != Some(index)) {
            target.global = Some(index);
            own.push(target);
        }
    }
    Ok(())
}

/// The one argument of `log-format` and `log-format-sd`.
fn format_text(line: &mut Line<'_>) -> Result<(Vec<u8>, Place), Diagnostic> {
    let name = line.keyword.name;
    let Some(word) = line.word().filter(|w| !w.is_empty()) else {
        return Err(line.alert(format!("{name} expects an argument.")));
    };
    let place = line.last_place();
    if line.word().is_some_and(|w| !w.is_empty()) {
        return Err(
            line.alert(format!("{name} expects only one argument, don't forget to escape spaces!"))
        );
    }
    // Mistakes are told once the proxy's mode is known.
    if let Ok((format, _)) = LogFormat::parse(word.bytes(), &Purpose::log("", Mode::Http)) {
        for planned in format.planned() {
            line.spec.note_planned(&planned, &place);
        }
    }
    Ok((word.bytes().to_vec(), place))
}

fn set_format(line: &mut Line<'_>, format: FormatSpec, place: Place) {
    let name = format.directive();
    if line.section == Sections::DEFAULTS
        && let Some((old, _)) = &line.proxy().log.format
    {
        let old = old.directive();
        let place = line.last_place();
        let text = format!(
            "parsing [{}]: '{name}' overrides previous '{old}' in 'defaults' section.",
            line.words.place
        );
        line.diagnostics.push(Diagnostic::warning(Some(&place), text));
    }
    warn_in_backend(line, name);
    line.proxy().log.format = Some((format, place));
}

fn warn_in_backend(line: &mut Line<'_>, name: &str) {
    if line.section == Sections::BACKEND {
        let name = if name == "option httplog clf" { "option httplog" } else { name };
        let proxy = line.proxy().name.clone();
        line.warn(format!("backend '{proxy}' : '{name}' directive is ignored in backends."));
    }
}

fn log_format(line: &mut Line<'_>) -> Parsed {
    let (text, place) = format_text(line)?;
    set_format(line, FormatSpec::Own(text), place);
    Ok(())
}

fn log_format_sd(line: &mut Line<'_>) -> Parsed {
    let (text, place) = format_text(line)?;
    warn_in_backend(line, "log-format-sd");
    line.proxy().log.structured = Some((text, place));
    Ok(())
}

fn log_tag(line: &mut Line<'_>) -> Parsed {
    let Some(tag) = line.word().filter(|w| !w.is_empty()) else {
        return Err(line.alert("'log-tag' expects a tag for use in syslog."));
    };
    let tag = Some(tag.bytes().to_vec());
    if line.section == Sections::GLOBAL {
        line.end()?;
        line.global().log.tag = tag;
    } else {
        line.rest();
        line.proxy().log.tag = tag;
    }
    Ok(())
}

fn log_send_hostname(line: &mut Line<'_>) -> Parsed {
    if line.global().log.host.is_some() {
        return Err(line.alert("'log-send-hostname' already specified. Continuing."));
    }
    let name = match line.word() {
        Some(word) => word.str().into_owned(),
        None => line.outside.hostname(),
    };
    line.rest();
    line.global().log.host = Some(name);
    Ok(())
}

fn log_uri_length(line: &mut Line<'_>) -> Parsed {
    let word = line.required("'tune.http.logurilen' expects an integer argument.")?;
    let length = crate::config::args::parse_lenient(word.bytes());
    line.end()?;
    line.global().log.uri_length = usize::try_from(length).ok().filter(|l| *l > 0);
    Ok(())
}

fn cookie_length(line: &mut Line<'_>) -> Parsed {
    let missing = "'tune.http.cookielen' expects an integer argument.";
    let length = crate::config::args::parse_lenient(line.required(missing)?.bytes());
    line.end()?;
    line.global().log.cookie_length = usize::try_from(length).ok();
    Ok(())
}

fn tcplog(line: &mut Line<'_>) -> Parsed {
    line.end()?;
    let place = line.last_place();
    set_format(line, FormatSpec::Tcp, place);
    Ok(())
}

fn httplog(line: &mut Line<'_>) -> Parsed {
    let place = line.last_place();
    let format = match line.word().filter(|w| !w.is_empty()) {
        None => FormatSpec::Http,
        Some(word) if *word == *"clf" => FormatSpec::Clf,
        Some(_) => return Err(line.alert("keyword 'httplog' only supports option 'clf'.")),
    };
    line.end()?;
    set_format(line, format, place);
    Ok(())
}

const LOG: Keyword = Keyword { sections: Sections::PROXIES, status: Status::Works, ..Keyword::NEW };

const SWITCH: Keyword = Keyword {
    sections: Sections::FRONTENDS,
    negatable: true,
    status: Status::Works,
    parse: switch_option,
    ..Keyword::NEW
};

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "log",
            sections: Sections::PROXIES.and(Sections::GLOBAL),
            args: "{ global | <address> [len <length>] [format <format>] [sample <ranges>:<size>] <facility> [<level> [<minlevel>]] }",
            negatable: true,
            doc: "Where log lines go: a UDP or unix socket, a descriptor (`stdout`, `stderr`, `fd@N`), a ring, or where the global section says. The format is `rfc3164`, `rfc5424`, `priority`, `short`, `timed`, `iso` or `raw`; `sample` takes only some of the lines, in turn; the levels are the lowest that is sent and the highest that is told.",
            examples: &["log 127.0.0.1:514 local0 notice", "log stdout format raw local0"],
            parse: log,
            ..LOG
        },
        Keyword {
            name: "log",
            sections: Sections::LOG_FORWARD,
            args: "{ global | <address> [len <length>] [format <format>] [sample <ranges>:<size>] <facility> [<level> [<minlevel>]] }",
            negatable: true,
            doc: "Where messages are sent that the section receives: as they are, or in the given format. The facility is for messages that tell none.",
            examples: &["log 127.0.0.1:514 local0", "log global"],
            parse: log,
            ..LOG
        },
        Keyword {
            name: "log",
            sections: Sections::PEERS,
            args: "{ global | <address> [len <length>] [format <format>] [sample <ranges>:<size>] <facility> [<level> [<minlevel>]] }",
            negatable: true,
            doc: "Where the section's own lines go.",
            examples: &["log 127.0.0.1:514 local0", "log global"],
            status: Status::Planned,
            parse: log,
            ..LOG
        },
        Keyword {
            name: "log-format",
            args: "<format>",
            default: "the format of option httplog or tcplog",
            doc: "What a log line says, as a format of log variables and samples.",
            examples: &["log-format \"%ci %ST %B\""],
            parse: log_format,
            ..LOG
        },
        Keyword {
            name: "log-format-sd",
            args: "<format>",
            doc: "The structured data of log lines in the format rfc5424.",
            examples: &["log-format-sd [id@1234\\ client=\\\"%ci\\\"]"],
            parse: log_format_sd,
            ..LOG
        },
        Keyword {
            name: "log-send-hostname",
            sections: Sections::GLOBAL,
            args: "[<name>]",
            default: "this machine's name",
            doc: "Sends this host's name, or the given one, with log lines.",
            examples: &["log-send-hostname lb1"],
            parse: log_send_hostname,
            ..LOG
        },
        Keyword {
            name: "log-tag",
            sections: Sections::PROXIES.and(Sections::GLOBAL),
            args: "<tag>",
            default: "haproxy",
            doc: "The program's name in log lines, haproxy by default.",
            examples: &["log-tag front"],
            parse: log_tag,
            ..LOG
        },
        Keyword {
            name: "option dontlog-normal",
            doc: "Logs nothing about what went well.",
            examples: &["option dontlog-normal"],
            ..SWITCH
        },
        Keyword {
            name: "option dontlognull",
            doc: "Logs nothing about connections that brought no byte.",
            examples: &["option dontlognull"],
            ..SWITCH
        },
        Keyword {
            name: "option httplog",
            args: "[ clf ]",
            doc: "Logs HTTP requests with all their timers, or with `clf` in the common log format.",
            examples: &["option httplog"],
            parse: httplog,
            ..LOG
        },
        Keyword {
            name: "option log-health-checks",
            sections: Sections::BACKENDS,
            doc: "Logs each change of a health check's result.",
            examples: &["option log-health-checks"],
            ..SWITCH
        },
        Keyword {
            name: "option log-separate-errors",
            doc: "Logs what went wrong with the level err instead of info.",
            examples: &["option log-separate-errors"],
            ..SWITCH
        },
        Keyword {
            name: "option logasap",
            doc: "Logs when the response begins instead of when it ends; totals get a +.",
            examples: &["option logasap"],
            ..SWITCH
        },
        Keyword {
            name: "option tcplog",
            doc: "Logs TCP connections with all their timers.",
            examples: &["option tcplog"],
            parse: tcplog,
            ..LOG
        },
        Keyword {
            name: "tune.http.cookielen",
            sections: Sections::GLOBAL,
            args: "<number>",
            default: "63",
            doc: "How much of a captured cookie is kept, 63 bytes by default.",
            examples: &["tune.http.cookielen 64"],
            status: Status::Works,
            parse: cookie_length,
            ..Keyword::NEW
        },
        Keyword {
            name: "tune.http.logurilen",
            sections: Sections::GLOBAL,
            args: "<number>",
            default: "1024",
            doc: "Bytes of a request line that are kept for logs, 1024 by default.",
            examples: &["tune.http.logurilen 2048"],
            parse: log_uri_length,
            ..LOG
        },
    ],
    ..Part::NONE
};
