//! A scenario for each log variable (manual 8.2.4): with and without flags, in the lines of a request that
//! passes, of one that is denied and of one that cannot be parsed. The names are the catalog's.

use haproxy::catalog::{LogVariable, PARTS};

use super::samples::keep;
use super::{HTTP, NEW};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

/// Variables that tell times, ports and numbers of processes: written, and masked.
const VARYING: &[&str] = &[
    "T", "Ta", "Tc", "Td", "Tl", "Th", "Ti", "Tq", "TR", "Tr", "Ts", "Tt", "Tu", "Tw", "bp", "cp",
    "fp", "ms", "pid", "rt", "sp", "t", "tr", "trg", "trl",
];

pub(super) fn scenarios() -> Vec<Scenario> {
    let variables = PARTS.iter().flat_map(|part| part.log_variables);
    // A build without OpenSSL, which the reference may be, has no %sslc and %sslv.
    let known = |v: &&LogVariable| v.replaced_by.is_none() && !v.name.starts_with("ssl");
    variables.filter(known).map(of).collect()
}

fn of(variable: &LogVariable) -> Scenario {
    let name = variable.name;
    let uses = match name {
        "o" => "%{+Q}o %HM %ST %{-Q}HV".to_owned(),
        _ if VARYING.contains(&name) => format!("~%{name}~ ~%{{+Q}}{name}~ ~%{{-M}}{name}~"),
        _ => format!("<%{name}> <%{{+Q}}{name}> <%{{+X}}{name}> <%{{+E}}{name}> <%{{-M}}{name}>"),
    };
    let format = uses.replace('"', "\\\"");
    let config = format!(
        "    log {{log}} format raw local0
    log-format \"{format}\"
frontend main
    bind {{fe}}
    capture request header x len 40
    capture request header none len 4
    capture response header a len 40
    capture cookie sid len 10
    unique-id-format \"%{{+X}}o %ST id\"
    http-request deny if {{ path /no }}
    default_backend be
backend be
    server s1 {{s1}}
"
    );
    let get = "GET /p?q=\"]1 HTTP/1.1\r\nHost: h\r\nX: a\"]{|b\r\nCookie: sid=abc\r\nConnection: close\r\n\r\n";
    let steps = vec![
        Send(get),
        Request,
        Answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b|c\r\nSet-Cookie: sid=def\r\n\r\nok"),
        End,
        Log,
        Connect("fe"),
        Send("GET /no HTTP/1.0\r\n\r\n"),
        End,
        Log,
        Connect("fe"),
        Send("bad\r\n\r\n"),
        End,
        Log,
    ];
    Scenario {
        name: keep(format!("log-variables/{name}")),
        base: HTTP,
        config: keep(config),
        steps: Box::leak(steps.into_boxed_slice()),
        later: changed(name),
        ..NEW
    }
}

/// What later releases write otherwise.
fn changed(name: &str) -> &'static str {
    match name {
        "B" | "U" => super::BYTES,
        "ID" => "they make an identifier for what is no request too",
        "Ti" | "hr" | "hrl" | "hs" | "hsl" => {
            "they write nothing, or a dash, where there is no request"
        }
        _ => "",
    }
}
