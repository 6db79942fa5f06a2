//! Pages and answers for errors, beside `errorfile` (manual 4.2): `errorfiles`, `errorloc`,
//! `http-error`, `http-errors` sections; and `email-alert`, which ends in mails.

use std::sync::Arc;

use crate::catalog::{ActionRow, Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;
use crate::flow::response::error_page::{self, ErrorLine, ErrorSectionSpec, STATUSES};
use crate::flow::rules::reply::{self, Reply};
use crate::flow::rules::{self, RuleSets};

fn errorloc(line: &mut Line<'_>) -> Parsed {
    let keyword = line.keyword.name;
    let (Some(code), Some(url)) = (line.word(), line.word()) else {
        return Err(
            line.alert(format!("{keyword} : expects <status_code> and <url> as arguments."))
        );
    };
    let status = error_page::read_status(line, keyword, code.bytes())?;
    let start = match keyword {
        "errorloc303" => "HTTP/1.1 303 See Other",
        _ => "HTTP/1.1 302 Found",
    };
    let head = "cache-control: no-cache\r\ncontent-length: 0\r\nlocation: ";
    let mut page = format!("{start}\r\n{head}").into_bytes();
    page.extend_from_slice(url.bytes());
    page.extend_from_slice(b"\r\n\r\n");
    let answer = Arc::new(Reply::page(status, page.into()));
    line.proxy().error_pages.lines.push(ErrorLine::Answer(answer));
    Ok(())
}

fn errorfiles(line: &mut Line<'_>) -> Parsed {
    let name = line.required("errorfiles : expects <name> as argument.")?.str().into_owned();
    let place = line.words.place.clone();
    let mut statuses = Vec::new();
    while let Some(code) = line.word() {
        statuses.push(error_page::read_status(line, "errorfiles", code.bytes())?);
    }
    let proxy = line.proxy();
    proxy.references.error_sections.push((name.clone(), place.clone()));
    proxy.error_pages.lines.push(ErrorLine::Section { name, statuses, place });
    Ok(())
}

/// `errorfile` of an `http-errors` section.
fn section_errorfile(line: &mut Line<'_>) -> Parsed {
    let (status, page) = error_page::read_errorfile(line, "errorfile")?;
    let name = line.spec.sections.last().map(|s| s.name.clone()).unwrap_or_default();
    let sections = &mut line.spec.error_sections;
    let at = sections.iter().position(|s| s.name == name).unwrap_or(sections.len());
    if at == sections.len() {
        sections.push(ErrorSectionSpec { name, ..ErrorSectionSpec::default() });
    }
    if let Some(section) = sections.get_mut(at) {
        section.pages.insert(status, page);
    }
    Ok(())
}

/// What `http-error` reads its reply as.
const HTTP_ERROR: ActionRow = ActionRow {
    name: "http-error",
    rule_sets: RuleSets::HTTP_ERROR,
    args: "",
    doc: "",
    examples: &[],
    status: Status::Works,
    parse: |line| Err(line.rule_error("is no rule")),
};

fn http_error(line: &mut Line<'_>) -> Parsed {
    let reply = (None, RuleSets::HTTP_ERROR, &HTTP_ERROR);
    let reply = rules::read_arguments(line, reply, "in", |line| reply::read(line, 0))?;
    let status = reply.status;
    if status == 0 {
        return Err(line.alert("http-error : expects at least a <status> as arguments."));
    }
    if !STATUSES.contains(&status) {
        return Err(line.alert(format!("http-error: status code '{status}' not handled.")));
    }
    if let Some(word) = line.word() {
        return Err(line.alert(format!("http-error : unknown keyword '{word}'.")));
    }
    let place = line.words.place.clone();
    let answer = match reply.section() {
        Some(name) => {
            let section = (name.to_owned(), place.clone());
            line.proxy().references.error_sections.push(section);
            ErrorLine::Section { name: name.to_owned(), statuses: vec![status], place }
        }
        None => ErrorLine::Answer(Arc::new(reply)),
    };
    line.proxy().error_pages.lines.push(answer);
    Ok(())
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
            default: "alert",
            doc: "How serious an event must be for a mail: a syslog level from `emerg` to `debug`.",
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
            default: "this machine's name",
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
            name: "errorfile",
            sections: Sections::HTTP_ERRORS,
            args: "<code> <file>",
            doc: "Answers errors of this status with the file's content, a whole HTTP response. The status is 200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 425, 429, 500, 501, 502, 503 or 504.",
            examples: &["errorfile 503 /dev/null"],
            status: Status::Works,
            parse: section_errorfile,
            ..Keyword::NEW
        },
        Keyword {
            name: "errorfiles",
            args: "<section> [<code>...]",
            doc: "Takes error pages from an http-errors section.",
            examples: &["errorfiles site"],
            parse: errorfiles,
            status: Status::Works,
            ..PROXY
        },
        Keyword {
            name: "errorloc",
            args: "<code> <url>",
            doc: "Redirects (302) instead of an error page.",
            examples: &["errorloc 503 http://127.0.0.1/sorry"],
            parse: errorloc,
            status: Status::Works,
            ..PROXY
        },
        Keyword {
            name: "errorloc302",
            args: "<code> <url>",
            doc: "Redirects (302) instead of an error page.",
            examples: &["errorloc302 503 http://127.0.0.1/sorry"],
            parse: errorloc,
            status: Status::Works,
            ..PROXY
        },
        Keyword {
            name: "errorloc303",
            args: "<code> <url>",
            doc: "Redirects (303) instead of an error page.",
            examples: &["errorloc303 503 http://127.0.0.1/sorry"],
            parse: errorloc,
            status: Status::Works,
            ..PROXY
        },
        Keyword {
            name: "http-error",
            args: "status <code> [content-type <type>] [<payload>] [hdr <name> <format>]*",
            doc: "The answer for a status.",
            examples: &["http-error status 503 content-type text/plain string Sorry"],
            parse: http_error,
            status: Status::Works,
            ..PROXY
        },
    ],
    ..Part::NONE
};
