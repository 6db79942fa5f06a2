//! haproxy.cfg(5): every directive, option, action, fetch, converter, log variable and algorithm.

use haproxy::catalog::{self, AclKeyword, ActionRow, Fetch, Keyword, PARTS, Status};
use haproxy::config::section::Sections;
use haproxy::flow::rules::RuleSets;
use haproxy::sample::args::signature;
use haproxy::sample::valid::{self, Place};
use haproxy::version;

use super::roff::Roff;
use super::status;

/// Each kind of section: what is written behind its word, and what it is for.
const SECTIONS: &[(&str, &str, &str)] = &[
    ("global", "", "The process itself: users, limits, logs, the runtime socket, TLS and tuning."),
    ("defaults", "[<name>]", "What the proxies below it begin with, up to the next such section."),
    ("frontend", "<name>", "Where clients connect, and what is done with their requests."),
    ("backend", "<name>", "Servers, how one is chosen, and what is done with their responses."),
    ("listen", "<name>", "A frontend and a backend in one."),
    ("userlist", "<name>", "Users and groups for `http_auth` and its kin."),
    ("peers", "<name>", "Processes that share stick tables, and tables of their own."),
    ("mailers", "<name>", "Mail servers that are told when a server changes its state."),
    ("program", "<name>", "Another program that the master starts and ends."),
    ("http-errors", "<name>", "Error pages that proxies can refer to together."),
    ("ring", "<name>", "A buffer of log lines, which a server may read."),
    ("log-forward", "<name>", "Receives log messages and passes them on."),
    ("resolvers", "<name>", "Name servers for servers whose addresses change."),
    ("cache", "<name>", "A cache of responses."),
    ("fcgi-app", "<name>", "How servers that speak FastCGI are talked to."),
];

/// The whole page.
pub fn page() -> String {
    let mut page = Roff::new("haproxy.cfg", 5, version::IMPLEMENTATION, "File Formats Manual");
    page.section("Name");
    page.text("haproxy.cfg - configuration of haproxy");
    introduction(&mut page);
    sections(&mut page);
    directives(&mut page);
    bind_options(&mut page);
    server_options(&mut page);
    algorithms(&mut page);
    actions(&mut page);
    fetches(&mut page);
    converters(&mut page);
    acl_keywords(&mut page);
    log_variables(&mut page);
    page.section("See also");
    page.text("`haproxy`(1), `haproxy-cli`(7)");
    page.finish()
}

fn introduction(page: &mut Roff) {
    page.section("Description");
    for text in [
        "A configuration is one or more text files, read in the order in which they are named. A file is a \
         list of lines; a line holds one directive, or opens a section. Everything up to the next section \
         line belongs to the section. Indentation means nothing.",
        "This page lists every name that may stand in a configuration of HAProxy 2.3, which this program \
         takes the place of. A name whose status is planned is understood: a configuration that uses it can be \
         checked, but starting is refused. `haproxy -c -f FILE` checks a configuration, `haproxy -dC -f FILE` prints it as it \
         was understood, and `haproxy -dKall -c -f /dev/null` lists all names.",
    ] {
        page.paragraph(text);
    }
    page.part("Words");
    for text in [
        "Blanks separate the words of a line, of which there may be 64. `#` begins a comment. A backslash \
         takes the meaning from a following blank, `#`, quote or backslash; `\\t`, `\\n` and `\\r` stand for \
         control characters, and `\\xHH` for the byte of a hexadecimal number.",
        "Between single quotes every character stands for itself. Between double quotes backslashes keep \
         their meaning, and `$NAME` or `${NAME}` is replaced by a variable of the environment; \
         `\"${NAME[*]}\"` becomes one word for each word of the value. An empty word ends a line for nearly all \
         directives.",
        "Arguments in brackets, as those of fetches and converters, may be quoted once more: commas and \
         brackets between such inner quotes belong to the argument.",
    ] {
        page.paragraph(text);
    }
    page.part("Times and sizes");
    page.paragraph(
        "A time is a number and a unit: `us`, `ms`, `s`, `m`, `h` or `d`. Without a unit it is in \
         milliseconds, unless its directive says otherwise. A size is in bytes, or in units of 1,024 with `k`, \
         `m` or `g`.",
    );
    page.part("Conditions");
    page.paragraph(
        "Many directives end in `if` or `unless` and a condition: names of ACLs, all of which must hold. `!` \
         before a name negates it, `or` or `||` begins an alternative. Between `{` and `}` an ACL is written in \
         place. An ACL is a sample expression or an ACL keyword, flags, and patterns, one of which must match:",
    );
    page.example(
        "acl is_static path_beg -i /static/ /images/\n\
         http-request deny if is_static !{ src 10.0.0.0/8 } or { req.hdr(host) -m len 0 }",
    );
    page.paragraph(
        "The flags are `-i` (letters' case does not matter), `-f` (patterns from a file), `-m` (how to match: `found`, \
         `bool`, `int`, `ip`, `bin`, `len`, `str`, `sub`, `reg`, `beg`, `end`, `dir`, `dom`), `-n` (no name \
         is looked up), `-M` and `-u` (for the runtime socket), and `--`, which ends the flags.",
    );
    page.part("Expressions");
    page.paragraph(
        "A sample expression is a fetch and any number of converters, separated by commas: \
         `req.hdr(host),lower,word(1,:)`. Each converter takes what the one before it gives; values are cast \
         between booleans, integers, addresses, texts and binary blocks where that makes sense.",
    );
    page.part("Formats");
    page.paragraph(
        "Log lines, headers and redirections are written by a format: text in which `%name` is replaced by a \
         log variable and `%[expression]` by a sample. Flags in braces change how they are shown: `%{+Q}r` in quotes, \
         `%{+X}Ts` in hexadecimal, `%{+E}hr` with escapes for RFC 5424. Blanks within a format must be \
         quoted or escaped, and `%%` stands for a percent sign.",
    );
}

fn sections(page: &mut Roff) {
    page.section("Sections");
    for (name, args, doc) in SECTIONS {
        page.entry(name, args);
        page.text(doc);
    }
}

fn directives(page: &mut Roff) {
    page.section("Global directives");
    page.paragraph("What may stand in a `global` section.");
    each_directive(page, |row| row.sections.contains(Sections::GLOBAL), false);
    page.section("Directives of proxies");
    page.paragraph(
        "What may stand in `defaults`, `frontend`, `listen` and `backend` sections. What stands in `defaults` holds \
         for the proxies below it, unless they say otherwise.",
    );
    each_directive(page, |row| row.sections.intersects(Sections::PROXIES), true);
    page.section("Directives of other sections");
    let small = |bit: &Sections| *bit != Sections::GLOBAL && !bit.intersects(Sections::PROXIES);
    for (name, bit) in Sections::NAMES.iter().filter(|(_, bit)| small(bit)) {
        page.part(name);
        each_directive(page, |row| row.sections.contains(*bit), false);
    }
}

/// The directives that are wanted, sorted; with the sections where they may stand, if asked.
fn each_directive(page: &mut Roff, wanted: impl Fn(&Keyword) -> bool, with_sections: bool) {
    let rows = PARTS.iter().flat_map(|part| part.keywords).filter(|row| wanted(row));
    // A row without an example only says what is wrong with its form.
    let rows = rows.filter(|row| !row.examples.is_empty());
    for row in sorted(rows, |row| row.name) {
        page.entry(row.name, row.args);
        page.text(row.doc);
        if row.negatable {
            page.words("Off", &format!("no {}", row.name));
        }
        if with_sections {
            page.detail("In", &row.sections.to_string());
        }
        end_of_entry(page, row.default, row.examples.first().copied(), row.status);
    }
}

fn bind_options(page: &mut Roff) {
    page.section("Options of bind");
    page.paragraph("What may follow the address of a `bind` line, in any order.");
    for row in sorted(PARTS.iter().flat_map(|part| part.bind_options), |row| row.name) {
        page.entry(row.name, row.args);
        page.text(row.doc);
        let example = row.examples.first().map(|example| format!("bind 127.0.0.1:80 {example}"));
        end_of_entry(page, row.default, example.as_deref(), row.status);
    }
}

fn server_options(page: &mut Roff) {
    page.section("Options of server");
    page.paragraph(
        "What may follow the address of a `server` or `server-template` line, in any order. All but those that say so \
         may also stand on a `default-server` line, which the servers below it begin with.",
    );
    for row in sorted(PARTS.iter().flat_map(|part| part.server_options), |row| row.name) {
        page.entry(row.name, row.args);
        page.text(row.doc);
        if !row.in_default {
            page.text("Not for `default-server`.");
        }
        let example =
            row.examples.first().map(|example| format!("server web1 127.0.0.1:80 {example}"));
        end_of_entry(page, row.default, example.as_deref(), row.status);
    }
}

fn algorithms(page: &mut Roff) {
    page.section("Balance algorithms");
    page.paragraph("What may follow `balance`.");
    for row in sorted(PARTS.iter().flat_map(|part| part.algorithms), |row| row.name) {
        page.entry(row.name.trim_end_matches("(*)"), row.args);
        page.text(row.doc);
        let example = row.examples.first().map(|example| format!("balance {example}"));
        end_of_entry(page, "", example.as_deref(), row.status);
    }
}

fn actions(page: &mut Roff) {
    page.section("Actions of rules");
    page.paragraph(
        "What a rule may do. A rule is the directive of a rule set, an action, and perhaps a condition; the rules of a \
         set are looked at in their order.",
    );
    let rows = PARTS.iter().flat_map(|part| part.actions).filter(|row| !row.examples.is_empty());
    for row in sorted(rows, |row| row.name) {
        let name = row.name.strip_suffix("(*)");
        page.entry(&name.map_or(row.name.to_owned(), |name| format!("{name}(...)")), row.args);
        page.text(row.doc);
        page.detail("Rule sets", &rule_sets(row).collect::<Vec<_>>().join(", "));
        let directive = match row.rule_sets.contains(RuleSets::HTTP_REQUEST) {
            true => RuleSets::HTTP_REQUEST.name(),
            false => rule_sets(row).next().unwrap_or_default(),
        };
        let example = row.examples.first().map(|example| format!("{directive} {example}"));
        end_of_entry(page, "", example.as_deref(), row.status);
    }
}

fn rule_sets(row: &ActionRow) -> impl Iterator<Item = &'static str> {
    let sets = RuleSets::NAMES.iter().filter(|(_, set)| row.rule_sets.contains(*set));
    sets.map(|(name, _)| *name)
}

fn fetches(page: &mut Roff) {
    page.section("Fetches");
    page.paragraph("Where sample expressions begin. Behind each stands the type of what it gives.");
    for row in sorted(PARTS.iter().flat_map(|part| part.fetches), |row| row.name) {
        page.entry(&format!("{}{}", row.name, signature(row.args, row.required)), row.gives.word());
        page.text(row.doc);
        page.detail("Where", &places(row));
        end_of_entry(page, "", row.examples.first().copied(), row.status);
    }
}

/// Where a fetch has a value, in words.
fn places(row: &Fetch) -> String {
    match row.valid {
        valid::ANYWHERE => "anywhere".to_owned(),
        valid::INTERNAL => "all rules, logs and health checks".to_owned(),
        valid::CLIENT_OR_CHECK => "all rules, logs and health checks".to_owned(),
        valid::CLIENT => "all rules and logs".to_owned(),
        valid::CLIENT_CONNECTION => "all rules but tcp-request connection, and logs".to_owned(),
        valid::REQUEST => "rules of the request, once its content is there".to_owned(),
        valid::REQUEST_KEPT => {
            "rules of the request, once its content is there, rules of the response, and logs"
                .to_owned()
        }
        valid::MESSAGE => "rules of the request and of the response, and health checks".to_owned(),
        valid::BACKEND => {
            "rules of the backend, rules of the response, logs and health checks".to_owned()
        }
        valid::SERVER => "rules of the response, logs, health checks, and source".to_owned(),
        valid::RESPONSE => "rules of the response, and health checks".to_owned(),
        valid::RESPONSE_KEPT => "rules of the response, logs and health checks".to_owned(),
        _ => {
            let here = Place::ALL.into_iter().filter(|place| valid::at(row, *place));
            here.map(Place::word).collect::<Vec<_>>().join(", ")
        }
    }
}

fn converters(page: &mut Roff) {
    page.section("Converters");
    page.paragraph("What may follow a fetch or another converter. Behind each stand the types it takes and gives.");
    for row in sorted(PARTS.iter().flat_map(|part| part.converters), |row| row.name) {
        let types = format!("{} => {}", row.takes.word(), row.gives.word());
        page.entry(&format!("{}{}", row.name, signature(row.args, row.required)), &types);
        page.text(row.doc);
        let example = row.examples.first();
        end_of_entry(page, "", example.map(|(expression, _)| *expression), row.status);
        if let Some((_, value)) = example.filter(|(_, value)| !value.is_empty()) {
            page.text(&format!("gives {value:?}."));
        }
    }
}

fn acl_keywords(page: &mut Roff) {
    page.section("ACL keywords");
    page.paragraph(
        "Names that stand for a fetch and a method of matching. The name of any fetch is an ACL keyword too, matched as \
         its type is.",
    );
    for row in sorted(PARTS.iter().flat_map(|part| part.acl_keywords), |row| row.name) {
        page.entry(row.name, "");
        let args =
            catalog::fetch(row.fetch).map_or(String::new(), |f| signature(f.args, f.required));
        page.text(&format!("The same as `{}{args} -m {}`.", row.fetch, row.method));
        let status_of_fetch = catalog::fetch(row.fetch).map_or(Status::Planned, |f| f.status);
        end_of_entry(page, "", Some(&acl_example(row)), status_of_fetch);
    }
}

/// A condition with this keyword: the arguments of its fetch's example, and a pattern that suits the method.
fn acl_example(row: &AclKeyword) -> String {
    let of_fetch = catalog::fetch(row.fetch).and_then(|fetch| fetch.examples.first());
    let args = of_fetch.and_then(|example| example.strip_prefix(row.fetch)).map_or("", |rest| {
        rest.split_inclusive(')').next().filter(|args| args.starts_with('(')).unwrap_or_default()
    });
    let pattern = match (row.method, row.fetch) {
        ("beg", _) => "/static",
        ("bin", _) => "16030100",
        ("bool", _) => "",
        ("dir", _) => "images",
        ("dom", _) | (_, "ssl_fc_sni" | "req.ssl_sni") => "example.com",
        ("end", _) => ".html",
        ("int", "req.ssl_ver") => "3.1:3.3",
        ("int", _) => "1:",
        ("len", _) => "8:64",
        ("reg", _) => "^[a-z]+$",
        ("sub", _) => "example",
        (_, "base") => "example.com/index.html",
        (_, "method") => "GET HEAD",
        (_, "req.hdr") => "www.example.com",
        (_, "path" | "url") => "/index.html",
        (_, "req.ver" | "res.ver") => "1.1",
        (_, "http_auth_group") => "admins",
        _ => "one two",
    };
    format!("acl found {}{args} {pattern}", row.name).trim_end().to_owned()
}

fn log_variables(page: &mut Roff) {
    page.section("Log variables");
    page.paragraph(
        "What may follow a percent sign in a format, with flags in braces before the name:",
    );
    page.example("log-format \"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %{+Q}r\"");
    for row in sorted(PARTS.iter().flat_map(|part| part.log_variables), |row| row.name) {
        page.entry(&format!("%{}", row.name), "");
        match row.replaced_by {
            Some(new) => page.text(&format!("The old name of `%{new}`.")),
            None => page.text(row.doc),
        }
        if row.http {
            page.text("In HTTP mode only.");
        }
        end_of_entry(page, "", Some(&format!("log-format %{}", row.name)), row.status);
    }
}

/// What every entry ends in: the default, the status unless it works, an example.
fn end_of_entry(page: &mut Roff, default: &str, example: Option<&str>, row_status: Status) {
    if !default.is_empty() {
        page.detail("Default", default);
    }
    if let Some(text) = status(row_status) {
        page.detail("Status", &text);
    }
    if let Some(example) = example {
        page.words("Example", example);
    }
}

fn sorted<T>(
    rows: impl Iterator<Item = &'static T>,
    name: fn(&T) -> &'static str,
) -> Vec<&'static T> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|row| name(row));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use haproxy::config::diagnostic::Diagnostics;
    use haproxy::config::outside::{RealOutside, Sockets};
    use haproxy::config::source::Source;

    #[test]
    fn examples_that_are_made_up_here_are_valid() {
        let of_keyword = |row: &AclKeyword| (catalog::fetch(row.fetch), acl_example(row));
        let keywords = PARTS.iter().flat_map(|part| part.acl_keywords).map(of_keyword);
        let works = |fetch: Option<&Fetch>| fetch.is_some_and(|f| f.status == Status::Works);
        let acls = keywords.filter(|(fetch, _)| works(*fetch)).map(|(_, example)| example);
        let variables = PARTS.iter().flat_map(|part| part.log_variables);
        let formats = variables.map(|row| format!("log-format %{}", row.name));
        for example in acls.chain(formats) {
            let text = format!("userlist a\nfrontend x\n    mode http\n    {example}\n");
            let source = Source { name: "example.cfg".into(), text: text.into_bytes().into() };
            let mut outside = RealOutside::new(Sockets::default());
            let mut told = Diagnostics::default();
            haproxy::config::parse(&[source], &mut outside, &mut told);
            let refusal = told.list.into_iter().find(|d| d.refuses).map(|d| d.text);
            assert_eq!(refusal, None, "{example}");
        }
    }
}
