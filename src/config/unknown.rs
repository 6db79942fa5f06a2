//! What is said of lines that no row of the catalog takes: removed keywords, group words without a
//! known second word, keywords of other sections, and typing mistakes (manual 2.1 and 4.1).

use crate::catalog::{Keyword, PARTS};
use crate::config::args::{Parsed, Words};
use crate::config::diagnostic::{Diagnostic, Level};
use crate::config::section::Sections;
use crate::config::spec::Spec;

/// The alert for a line whose first words name nothing in this section; `explain` looks for what may
/// have been meant.
pub fn diagnostic(section: Sections, words: &mut Words<'_>, explain: bool) -> Diagnostic {
    let first = words.word().map(|word| word.str()).unwrap_or_default();
    let second = words.peek().map(|word| word.str()).unwrap_or_default();
    if Sections::PROXIES.contains(section)
        && let Some(diagnostic) =
            removed(&first, &second, words).or_else(|| group(section, &first, &second, words))
    {
        return diagnostic;
    }
    let unknown = match section {
        Sections::NONE => words.bare(format!("unknown keyword '{first}' out of section.")),
        Sections::USERLIST => words.bare(format!("unknown keyword '{first}' in 'users' section")),
        Sections::FCGI_APP if first == "option" => option(&second, words),
        Sections::FCGI_APP => {
            words.bare(format!("unknown keyword '{first}' in 'fcgi-app' section"))
        }
        Sections::RING if first == "timeout" => timeout(&second, words),
        Sections::RING => words.alert(format!("unknown statement '{first}'.")),
        Sections::LOG_FORWARD if first == "timeout" => {
            words.alert(format!("unknown keyword 'timeout {second}' in log-forward section."))
        }
        Sections::LOG_FORWARD => {
            words.alert(format!("unknown keyword '{first}' in log-forward section."))
        }
        Sections::PROGRAM if first == "option" => option(&second, words),
        Sections::MAILERS if first == "timeout" => section_timeout("'mail'", &second, words),
        Sections::RESOLVERS if first == "timeout" => {
            section_timeout("'retry' or 'resolve'", &second, words)
        }
        Sections::GLOBAL if first == "stats" => words.alert(format!(
            "'stats' only supports 'socket', 'maxconn', 'bind-process' and 'timeout' (got '{second}')"
        )),
        _ => {
            let name = section.names().next().unwrap_or_default();
            words.alert(format!("unknown keyword '{first}' in '{name}' section"))
        }
    };
    match explain {
        true => with_neighbour(unknown, section, &first, &second),
        false => unknown,
    }
}

/// Refuses `no` before an option that cannot be inverted.
pub fn refuse_inversion(section: Sections, words: &Words<'_>) -> Parsed {
    let (Some(first), Some(option)) = (words.all.first(), words.all.get(1)) else { return Ok(()) };
    if *first != *"option" {
        return Ok(());
    }
    let name = format!("option {option}");
    // An option of the other side is only warned of.
    let sections = match Sections::NAMED_PROXIES.contains(section) {
        true => Sections::NAMED_PROXIES,
        false => section,
    };
    let row = |row: &&Keyword| row.name == name && row.sections.intersects(sections);
    let negatable = PARTS.iter().flat_map(|part| part.keywords).any(|k| row(&k) && k.negatable);
    if negatable {
        return Ok(());
    }
    Err(words.bare(format!("negation/default is not supported for option '{option}'.")))
}

/// What is said when a proxy's directive stands in a proxy of another kind.
pub fn misplaced(
    row: &Keyword,
    section: Sections,
    spec: &Spec,
    words: &Words<'_>,
) -> Option<Diagnostic> {
    let proxy = spec.proxies.last()?;
    let (kind, name) = (proxy.kind.word(), &proxy.name);
    if row.name.starts_with("tcp-request ") {
        return Some(words.alert(format!(
            "{} is not allowed because {kind} {name} is not a frontend",
            row.name
        )));
    }
    if row.name.starts_with("tcp-response ") {
        return Some(words.alert(format!("{} is only allowed in 'backend' sections", row.name)));
    }
    if row.name == "use-fcgi-app" {
        return Some(words.alert("'use-fcgi-app' only available in backend or listen section"));
    }
    if row.name == "retry-on" {
        return Some(words.alert("'retry-on' only available in backend or listen section"));
    }
    if row.name == "hash-balance-factor" {
        return None;
    }
    if row.name.starts_with("declare ") {
        return Some(words.alert("'declare' only available in frontend or listen section"));
    }
    let side = if section == Sections::BACKEND { "frontend" } else { "backend" };
    let mut parts = row.name.splitn(2, ' ');
    let first = parts.next().unwrap_or_default();
    let said = match (first, parts.next()) {
        ("option" | "http-check" | "tcp-check", Some(second)) => second,
        _ => first,
    };
    let hint = match said {
        "maxconn" => " Maybe you want 'fullconn' instead ?",
        "fullconn" => " Maybe you want 'maxconn' instead ?",
        _ => "",
    };
    let place = words.place;
    let text = match first {
        "timeout"
        | "rate-limit"
        | "max-keep-alive-queue"
        | "clitcpka-cnt"
        | "clitcpka-idle"
        | "clitcpka-intvl"
        | "srvtcpka-cnt"
        | "srvtcpka-idle"
        | "srvtcpka-intvl" => {
            format!(
                "parsing [{place}] : '{}' will be ignored because {kind} '{name}' has no {side} capability",
                row.name
            )
        }
        _ => format!(
            "parsing [{place}] : '{said}' ignored because {kind} '{name}' has no {side} capability.{hint}"
        ),
    };
    Some(Diagnostic::warning(Some(&words.last_place()), text))
}

fn option(second: &str, words: &Words<'_>) -> Diagnostic {
    match second {
        "" => words.bare("'option' expects an option name."),
        _ => words.alert(format!("unknown option '{second}'.")),
    }
}

fn timeout(second: &str, words: &Words<'_>) -> Diagnostic {
    words.alert(format!("unknown timeout '{second}'."))
}

fn section_timeout(known: &str, second: &str, words: &Words<'_>) -> Diagnostic {
    match second {
        "" => words.alert(format!("'timeout' expects {known} and <time> as arguments.")),
        _ => words
            .alert(format!("'timeout' expects {known} and <time> as arguments got '{second}'.")),
    }
}

/// Keywords of older releases, with what replaces them.
fn removed(first: &str, second: &str, words: &Words<'_>) -> Option<Diagnostic> {
    const SINCE: &str = "not supported anymore since HAProxy 2.1.";
    let use_instead = |what: &str| {
        words.alert(format!("The '{first}' directive is {SINCE} Use '{what}' instead."))
    };
    Some(match first {
        "clitimeout" | "contimeout" | "srvtimeout" => {
            let side = match first {
                "clitimeout" => "client",
                "contimeout" => "connect",
                _ => "server",
            };
            words.alert(format!("the '{first}' directive is {SINCE} Use 'timeout {side}'."))
        }
        "redispatch" | "redisp" => {
            words.alert(format!("keyword '{first}' directive is {SINCE} Use 'option redispatch'."))
        }
        "reqadd" => use_instead("http-request add-header"),
        "reqallow" | "reqiallow" => use_instead("http-request allow"),
        "reqdel" | "reqidel" => use_instead("http-request del-header"),
        "reqdeny" => {
            words.alert(format!("The 'reqdeny' {SINCE} Use 'http-request deny' instead."))
        }
        "reqideny" => use_instead("http-request deny"),
        "reqpass" => words.alert(format!("The 'reqpass' {SINCE}")),
        "reqipass" => words.alert(format!("The 'reqipass' directive is {SINCE}")),
        "reqrep" => words.alert(format!(
            "The 'reqrep' directive is {SINCE} Use 'http-request replace-path', 'http-request replace-uri' or 'http-request replace-header' instead."
        )),
        "reqirep" => use_instead("http-request replace-header"),
        "reqtarpit" | "reqitarpit" => use_instead("http-request tarpit"),
        "rspadd" => use_instead("http-response add-header"),
        "rspdel" => {
            words.alert(format!("The 'rspdel' directive is {SINCE} Use 'http-response del-header' ."))
        }
        "rspidel" => use_instead("http-response del-header"),
        "rspdeny" | "rspideny" => use_instead("http-response deny"),
        "rsprep" | "rspirep" => use_instead("http-response replace-header"),
        "block" => words.alert(format!(
            "The 'block' directive is {SINCE} Use 'http-request deny' which uses the exact same syntax."
        )),
        "monitor-net" => words.alert(format!(
            "'monitor-net' doesn't exist anymore. Please use 'http-request return status 200 if {{ src {second} }}' instead."
        )),
        "appsession" => {
            words.alert("'appsession' is not supported anymore since HAProxy 1.6.")
        }
        _ => return None,
    })
}

/// Words that only mean something with a second word behind them.
fn group(section: Sections, first: &str, second: &str, words: &Words<'_>) -> Option<Diagnostic> {
    if section == Sections::DEFAULTS
        && let Some(diagnostic) = not_in_defaults(first, second, words)
    {
        return Some(diagnostic);
    }
    Some(match first {
        "timeout" => words.alert(format!(
            "'timeout' supports 'client', 'server', 'connect', 'check', 'queue', 'http-keep-alive', 'http-request', 'tunnel', 'tarpit', 'client-fin' and 'server-fin' (got '{second}')"
        )),
        "option" => option(second, words),
        "stats" => {
            const KNOWN: &str = "expects 'admin', 'uri', 'realm', 'auth', 'scope', 'enable', 'hide-version', 'show-node', 'show-desc' or 'show-legends'.";
            match second {
                "" => words.bare(format!("missing keyword in 'stats', {KNOWN}")),
                _ => words.bare(format!("unknown stats parameter '{second}', {KNOWN}")),
            }
        }
        "capture" => words.alert("'capture' expects 'cookie' or 'request header' or 'response header'."),
        "rate-limit" => {
            words.alert(format!("'rate-limit' only supports 'sessions' (got '{second}')"))
        }
        "persist" => words.alert(match second {
            "" => "missing persist method.",
            _ => "unknown persist method.",
        }),
        "monitor" => words.alert("'monitor' only supports 'fail'."),
        "stick" => words.alert("'stick' expects 'on', 'match', or 'store'."),
        "http-check" => words.alert(format!(
            "'http-check' only supports 'disable-on-404', 'send-state', 'comment', 'connect', 'send', 'expect', 'set-var(*)', 'unset-var(*)'. but got '{second}'"
        )),
        "tcp-check" => words.alert(format!(
            "'tcp-check' only supports 'comment', 'connect', 'send', 'send-binary', 'expect', 'set-var(*)', 'unset-var(*)'. but got '{second}'"
        )),
        "email-alert" => match second {
            "" => words.alert("missing argument after 'email-alert'."),
            _ => words.alert(format!("email-alert: unknown argument '{second}'.")),
        },
        "external-check" => match second {
            "" => words.alert("missing argument after 'external-check'."),
            _ => words.alert(format!("external-check: unknown argument '{second}'.")),
        },
        "declare" => declare(second, words),
        _ => return None,
    })
}

fn declare(second: &str, words: &Words<'_>) -> Diagnostic {
    match second {
        "" => words.alert(
            "'declare' needs a second keyword that specify the type of declaration ('capture')",
        ),
        _ => words.alert(format!("unknown declaration type '{second}' (supports 'capture')")),
    }
}

/// Directives that cannot be inherited.
fn not_in_defaults(first: &str, second: &str, words: &Words<'_>) -> Option<Diagnostic> {
    let is = |text: String| Some(words.alert(text));
    match (first, second) {
        ("stats", "admin") => Some(words.bare("'stats admin' not allowed in 'defaults' section.")),
        ("stats", "http-request") | ("id" | "description", _) => {
            Some(words.bare(format!("'{first}' not allowed in 'defaults' section.")))
        }
        ("http-request" | "http-response" | "http-after-response", _) => {
            Some(words.bare(format!("'{first}' not allowed in 'defaults' section.")))
        }
        ("tcp-request" | "tcp-response", _) => {
            is(format!("{first} {second} is not allowed in 'defaults' sections"))
        }
        ("stick-table", _) => is("'stick-table' is not supported in 'defaults' section.".into()),
        ("declare", _) => is("'declare' not available in default section".into()),
        ("capture", "request" | "response") => {
            is(format!("'capture {second}' not allowed in 'defaults' section."))
        }
        ("capture", "cookie") => is("'capture cookie' not allowed in 'defaults' section.".into()),
        (
            "acl" | "bind" | "server" | "server-template" | "use_backend" | "use-server" | "stick"
            | "monitor" | "redirect" | "dispatch" | "force-persist" | "ignore-persist" | "filter"
            | "use-fcgi-app",
            _,
        ) => is(format!("'{first}' not allowed in 'defaults' section.")),
        _ => None,
    }
}

/// Adds the nearest keyword of the section, if one is near.
fn with_neighbour(
    diagnostic: Diagnostic,
    section: Sections,
    first: &str,
    second: &str,
) -> Diagnostic {
    let both = format!("{first} {second}");
    let distance = |name: &str| {
        let words = name.split(' ').count();
        crate::config::unknown::distance(name, if words > 1 { &both } else { first })
    };
    let rows = PARTS.iter().flat_map(|part| part.keywords);
    let near = rows
        .filter(|row| row.sections.intersects(section))
        .map(|row| (distance(row.name), row.name))
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len() / 2)
        .min();
    match near {
        Some((_, name)) if diagnostic.level == Level::Alert => {
            diagnostic.with_help(format!("did you mean '{name}'?"))
        }
        _ => diagnostic,
    }
}

/// The nearest of the known words, if one is near.
pub fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let near = known.map(|name| (distance(name, word), name));
    let near = near.filter(|(d, name)| *d > 0 && *d <= 2 && *d < name.len().min(word.len()) / 2);
    near.min().map(|(_, name)| name)
}

/// How many letters must be added, taken away, changed or swapped.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 3 {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let before = &rows[i];
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least =
                (before[j] + usize::from(x != y)).min(before[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("timeout client", "timout client"), 1);
        assert_eq!(distance("server", "sevrer"), 1);
        assert_eq!(distance("bind", "bind"), 0);
    }
}
