//! Pages and answers for errors, beside `errorfile` (manual 4.2): `errorfiles`, `errorloc`,
//! `http-error`; and the unique id, `email-alert` and `option originalto`, which end in headers or
//! mails.

use std::path::Path;

use crate::catalog::{Keyword, Part};
use crate::config::args::{Line, Parsed, parse_lenient};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;

/// Statuses whose page can be replaced.
const STATUSES: &[i64] =
    &[200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 425, 429, 500, 501, 502, 503, 504];

fn status(line: &Line<'_>, keyword: &str, code: &str) -> Result<i64, Diagnostic> {
    let status = parse_lenient(code.as_bytes());
    if STATUSES.contains(&status) {
        return Ok(status);
    }
    Err(line.alert(format!("{keyword} : status code '{status}' not handled.")))
}

/// Checks a status and a file with the answer for it.
pub fn check_file(line: &mut Line<'_>, keyword: &str, code: &str, path: &str) -> Parsed {
    let found = line.outside.read_file(Path::new(path));
    if found.is_err() {
        return Err(line.alert(format!("{keyword} : error opening file '{path}'.")));
    }
    status(line, keyword, code).map(drop)
}

fn errorloc(line: &mut Line<'_>) -> Parsed {
    let keyword = line.keyword.name;
    let (Some(code), Some(_)) = (line.word(), line.word()) else {
        return Err(
            line.alert(format!("{keyword} : expects <status_code> and <url> as arguments."))
        );
    };
    status(line, keyword, &code.str()).map(drop)
}

fn errorfiles(line: &mut Line<'_>) -> Parsed {
    let name = line.required("errorfiles : expects <name> as argument.")?.str().into_owned();
    let place = line.words.place.clone();
    while let Some(code) = line.word() {
        status(line, "errorfiles", &code.str())?;
    }
    line.proxy().references.error_sections.push((name, place));
    Ok(())
}

fn http_error(line: &mut Line<'_>) -> Parsed {
    let fails = |line: &Line<'_>, text: &str| Err(line.alert(format!("http-error : {text}")));
    if line.is_empty() {
        return fails(line, "expects at least a <status> as arguments.");
    }
    let mut payload = false;
    let mut content_type = false;
    while let Some(word) = line.word() {
        let option = word.str();
        let what = match &*option {
            "status" => "<status_code>",
            "content-type" => "<ctype>",
            "errorfiles" => "<name>",
            "errorfile" | "file" | "lf-file" => "<file>",
            "string" => "<str>",
            "lf-string" => "<fmt>",
            "hdr" => "<name> and <value>",
            "default-errorfiles" => continue,
            other => return fails(line, &format!("unknown keyword '{other}'.")),
        };
        let Some(value) = line.word() else {
            return fails(line, &format!("'{option}' expects {what} as argument"));
        };
        let value = value.str().into_owned();
        match &*option {
            "status" => {
                let code = parse_lenient(value.as_bytes());
                if !(200..=599).contains(&code) {
                    return fails(line, &format!("Unexpected status code '{value}'."));
                }
            }
            "content-type" => content_type = true,
            "errorfile" | "file" | "lf-file" => {
                payload |= option != "errorfile";
                if line.outside.read_file(Path::new(&value)).is_err() {
                    return fails(line, &format!("error opening file '{value}'."));
                }
            }
            "string" | "lf-string" => payload = true,
            "hdr" => {
                line.word();
            }
            "errorfiles" => {
                let place = line.words.place.clone();
                line.proxy().references.error_sections.push((value, place));
            }
            _ => {}
        }
    }
    if payload && !content_type {
        return fails(line, "a content type must be defined when non-empty payload is configured.");
    }
    Ok(())
}

fn unique_id_format(line: &mut Line<'_>) -> Parsed {
    line.required("unique-id-format expects an argument.").map(drop)
}

fn unique_id_header(line: &mut Line<'_>) -> Parsed {
    line.required("unique-id-header expects an argument.").map(drop)
}

fn email_alert(line: &mut Line<'_>) -> Parsed {
    let what = line.keyword.name.trim_start_matches("email-alert ");
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    match what {
        "mailers" => {
            let place = line.words.place.clone();
            line.proxy().references.mailers = Some((word, place));
        }
        "level" => {
            let levels = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
            if !levels.contains(&&*word) {
                return Err(line.alert(format!("unknown log level 'level' after '{word}'")));
            }
        }
        "from" => line.proxy().references.mail_ends.0 = true,
        "to" => line.proxy().references.mail_ends.1 = true,
        _ => {}
    }
    Ok(())
}

fn originalto(line: &mut Line<'_>) -> Parsed {
    while let Some(word) = line.word() {
        match &*word.str() {
            "except" => {
                let network = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
                if crate::sample::pattern::network(&network).is_err() {
                    return Err(line.alert(
                        "'option originalto except' expects <address>[/mask] as argument.",
                    ));
                }
            }
            "header" => {
                line.required("'option originalto header' expects <header_name> as argument.")?;
            }
            _ => {
                return Err(line.alert(
                    "'option originalto' only supports optional values: 'except' and 'header'.",
                ));
            }
        }
    }
    Ok(())
}

const PROXY: Keyword = Keyword { sections: Sections::PROXIES, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "email-alert from",
            args: "<address>",
            doc: "The sender of mails about servers.",
            examples: &["email-alert from haproxy@example.org"],
            parse: email_alert,
            ..PROXY
        },
        Keyword {
            name: "email-alert level",
            args: "<level>",
            doc: "How serious an event must be for a mail.",
            examples: &["email-alert level alert"],
            parse: email_alert,
            ..PROXY
        },
        Keyword {
            name: "email-alert mailers",
            args: "<section>",
            doc: "The mail servers to use.",
            examples: &["email-alert mailers m"],
            parse: email_alert,
            ..PROXY
        },
        Keyword {
            name: "email-alert myhostname",
            args: "<name>",
            doc: "The name this machine gives to mail servers.",
            examples: &["email-alert myhostname lb1"],
            parse: email_alert,
            ..PROXY
        },
        Keyword {
            name: "email-alert to",
            args: "<address>",
            doc: "The recipient of mails about servers.",
            examples: &["email-alert to ops@example.org"],
            parse: email_alert,
            ..PROXY
        },
        Keyword {
            name: "errorfiles",
            args: "<section> [<code>...]",
            doc: "Takes error pages from an http-errors section.",
            examples: &["errorfiles site"],
            parse: errorfiles,
            ..PROXY
        },
        Keyword {
            name: "errorloc",
            args: "<code> <url>",
            doc: "Redirects (302) instead of an error page.",
            examples: &["errorloc 503 http://127.0.0.1/sorry"],
            parse: errorloc,
            ..PROXY
        },
        Keyword {
            name: "errorloc302",
            args: "<code> <url>",
            doc: "Redirects (302) instead of an error page.",
            examples: &["errorloc302 503 http://127.0.0.1/sorry"],
            parse: errorloc,
            ..PROXY
        },
        Keyword {
            name: "errorloc303",
            args: "<code> <url>",
            doc: "Redirects (303) instead of an error page.",
            examples: &["errorloc303 503 http://127.0.0.1/sorry"],
            parse: errorloc,
            ..PROXY
        },
        Keyword {
            name: "http-error",
            args: "status <code> [content-type <type>] [<payload>] [hdr <name> <format>]*",
            doc: "The answer for a status.",
            examples: &["http-error status 503 content-type text/plain string Sorry"],
            parse: http_error,
            ..PROXY
        },
        Keyword {
            name: "option originalto",
            args: "[ except <network> ] [ header <name> ]",
            doc: "Adds a header with the address the client connected to.",
            examples: &["option originalto"],
            parse: originalto,
            ..PROXY
        },
        Keyword {
            name: "unique-id-format",
            sections: Sections::FRONTENDS,
            args: "<format>",
            doc: "How a request's unique id is made.",
            examples: &["unique-id-format %{+X}o%ci:%cp_%Ts"],
            parse: unique_id_format,
            ..PROXY
        },
        Keyword {
            name: "unique-id-header",
            sections: Sections::FRONTENDS,
            args: "<name>",
            doc: "The header that carries the unique id to servers.",
            examples: &["unique-id-header X-Unique-ID"],
            parse: unique_id_header,
            ..PROXY
        },
    ],
    ..Part::NONE
};
