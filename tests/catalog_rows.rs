//! Every row of the catalog, from outside: its example is taken, and without its arguments, or with
//! wrong ones, it is refused on the right line. What 2.3.0 lets pass all the same is listed here; each was
//! recorded by running it.

use haproxy::catalog::PARTS;
use haproxy::config::diagnostic::Diagnostics;
use haproxy::config::outside::{Outside, RealOutside, Sockets};
use haproxy::config::parse;
use haproxy::config::section::Sections;
use haproxy::config::source::Source;
use haproxy::flow::rules::RuleSets;
use haproxy::sample::args::ArgType;
use haproxy::sample::expr::Expr;
use haproxy::state::map_file::loading::Loading;

/// The first line that is refused, and in which words.
fn refused(text: &str) -> Option<(u32, String)> {
    let mut outside = RealOutside::new(Sockets::default());
    let _loading = Loading::begin(outside.files(), None);
    let source = Source { name: "row.cfg".into(), text: text.as_bytes().into() };
    let mut diagnostics = Diagnostics::default();
    parse(&[source], &mut outside, &mut diagnostics);
    let first = diagnostics.list.into_iter().find(|d| d.refuses)?;
    Some((first.place.map_or(0, |place| place.line), first.text))
}

/// The line that opens a section.
fn opening(section: Sections) -> String {
    match section.names().next().unwrap() {
        word @ ("global" | "defaults") => word.to_owned(),
        word => format!("{word} x"),
    }
}

/// Tells what of `cases` is not refused on line 3, and what of `lenient` is.
fn judge(cases: impl Iterator<Item = (String, String)>, lenient: &[&str]) {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, text) in cases {
        seen += 1;
        match (refused(&text), lenient.contains(&name.as_str())) {
            (Some((3, _)), false) | (None, true) => {}
            (Some((3, told)), true) => wrong.push(format!("{name}: 2.3 accepts it: {told}")),
            (Some((line, told)), _) => wrong.push(format!("{name}: line {line}: {told}")),
            (None, false) => wrong.push(format!("{name}: accepted")),
        }
    }
    assert!(seen > 0 && wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether the usage asks for something.
fn needs_argument(args: &str) -> bool {
    !args.is_empty() && !args.starts_with('[')
}

#[test]
fn directives_without_their_arguments() {
    let rows = PARTS.iter().flat_map(|part| part.keywords).filter(|row| needs_argument(row.args));
    let cases = rows.map(|row| {
        let word = row.sections.names().next().unwrap();
        let (_, section) = Sections::NAMES.iter().find(|(name, _)| *name == word).unwrap();
        (format!("{word}: {}", row.name), format!("{}\n\n    {}\n", opening(*section), row.name))
    });
    judge(cases, DIRECTIVES);
}

#[test]
fn options_without_their_arguments() {
    let rows =
        PARTS.iter().flat_map(|part| part.bind_options).filter(|row| needs_argument(row.args));
    let cases = rows.map(|row| {
        (format!("bind: {}", row.name), format!("frontend x\n\n    bind :80 {}\n", row.name))
    });
    judge(cases, &[]);
    let rows = PARTS.iter().flat_map(|part| part.server_options);
    let cases = rows.filter(|row| needs_argument(row.args)).map(|row| {
        (format!("server: {}", row.name), format!("backend x\n\n    server s :80 {}\n", row.name))
    });
    judge(cases, SERVER_OPTIONS);
}

#[test]
fn options_with_words_that_name_nothing() {
    judge(
        ["bind :80", "server s 127.0.0.1:80"]
            .into_iter()
            .map(|line| (line.to_owned(), format!("listen x\n\n    {line} nosuch\n"))),
        &[],
    );
}

#[test]
fn actions_without_their_arguments() {
    let rows = PARTS.iter().flat_map(|part| part.actions);
    let sets = |row: &'static haproxy::catalog::ActionRow| {
        let of_row = |(_, set): &&(&str, RuleSets)| row.rule_sets.contains(*set);
        RuleSets::NAMES.iter().filter(of_row).map(move |(name, _)| (row, *name))
    };
    let cases = rows.filter(|row| needs_argument(row.args)).flat_map(sets).map(|(row, set)| {
        let action = row.name.replace("(*)", "(x)");
        (format!("{set} {}", row.name), format!("listen x\n\n    {set} {action}\n"))
    });
    judge(cases, &[]);
}

#[test]
fn conditions_that_name_nothing() {
    let cases = RuleSets::NAMES.iter().map(|(set, _)| {
        let action = if set.starts_with("tcp-") { "accept" } else { "allow" };
        let action = if *set == "http-after-response" { "strict-mode on" } else { action };
        ((*set).to_owned(), format!("listen x\n\n    {set} {action} if nosuch\n"))
    });
    judge(cases, &[]);
}

#[test]
fn expressions_without_their_arguments() {
    let _loading = Loading::begin(RealOutside::new(Sockets::default()).files(), None);
    let mut accepted = Vec::new();
    // A name or text that is missing is an empty one, which may stand for the proxy at hand.
    let must = |types: &[ArgType]| {
        let empty = [
            ArgType::Str,
            ArgType::Frontend,
            ArgType::Backend,
            ArgType::Table,
            ArgType::Server,
            ArgType::Userlist,
        ];
        types.first().is_some_and(|first| !empty.contains(first))
    };
    for row in PARTS.iter().flat_map(|part| part.fetches).filter(|row| row.required > 0) {
        let parses = |text: String| Expr::parse(&text).is_ok();
        if (must(row.args) && parses(row.name.to_owned())) || parses(format!("{}(", row.name)) {
            accepted.push(row.name.to_owned());
        }
    }
    for row in PARTS.iter().flat_map(|part| part.converters).filter(|row| row.required > 0) {
        let (example, _) = row.examples.first().unwrap();
        let head = example.rsplit_once(&format!(",{}", row.name)).map_or("path", |(head, _)| head);
        let parses = |end: &str| Expr::parse(&format!("{head},{}{end}", row.name)).is_ok();
        if (must(row.args) && parses("")) || parses("(") {
            accepted.push(format!("{head},{}", row.name));
        }
    }
    assert!(accepted.is_empty(), "{}", accepted.join("\n"));
}

/// Whether the usage begins with a number, a time or a size.
fn takes_number(args: &str) -> bool {
    const NUMBERS: &[&str] = &[
        "<bytes>",
        "<connections>",
        "<count>",
        "<delay>",
        "<level>",
        "<megabytes>",
        "<number>",
        "<port>",
        "<seconds>",
        "<size>",
        "<time>",
        "<timeout>",
        "<weight>",
    ];
    NUMBERS.iter().any(|number| args.starts_with(number))
}

#[test]
fn directives_and_options_with_a_word_for_a_number() {
    let rows = PARTS.iter().flat_map(|part| part.keywords).filter(|row| takes_number(row.args));
    let directives = rows.map(|row| {
        let word = row.sections.names().next().unwrap();
        let (_, section) = Sections::NAMES.iter().find(|(name, _)| *name == word).unwrap();
        (format!("{word}: {}", row.name), format!("{}\n\n    {} x\n", opening(*section), row.name))
    });
    let binds =
        PARTS.iter().flat_map(|part| part.bind_options).filter(|row| takes_number(row.args));
    let binds = binds.map(|row| {
        (format!("bind: {}", row.name), format!("frontend x\n\n    bind :80 {} x\n", row.name))
    });
    let servers = PARTS.iter().flat_map(|part| part.server_options);
    let servers = servers.filter(|row| takes_number(row.args)).map(|row| {
        (format!("server: {}", row.name), format!("backend x\n\n    server s :80 {} x\n", row.name))
    });
    judge(directives.chain(binds).chain(servers), WORDS_FOR_NUMBERS);
}

/// Where 2.3.0 reads a word as 0, or looks at it later.
const WORDS_FOR_NUMBERS: &[&str] = &[
    "cache: max-age",
    "defaults: max-session-srv-conns",
    "defaults: retries",
    "global: gid",
    "global: maxcompcpuusage",
    "global: maxcomprate",
    "global: maxconn",
    "global: maxconnrate",
    "global: maxpipes",
    "global: maxsessrate",
    "global: maxsslconn",
    "global: maxsslrate",
    "global: maxzlibmem",
    "global: mworker-max-reloads",
    "global: tune.buffers.limit",
    "global: tune.buffers.reserve",
    "global: tune.chksize",
    "global: tune.h2.initial-window-size",
    "global: tune.h2.max-concurrent-streams",
    "global: tune.http.cookielen",
    "global: tune.http.logurilen",
    "global: tune.maxaccept",
    "global: tune.maxpollevents",
    "global: tune.maxrewrite",
    "global: tune.pattern.cache-size",
    "global: tune.pipesize",
    "global: tune.rcvbuf.client",
    "global: tune.rcvbuf.server",
    "global: tune.recv_enough",
    "global: tune.runqueue-depth",
    "global: tune.sndbuf.client",
    "global: tune.sndbuf.server",
    "global: tune.ssl.cachesize",
    "global: tune.ssl.capture-cipherlist-size",
    "global: tune.ssl.maxrecord",
    "global: tune.ssl.ssl-ctx-cache-size",
    "global: uid",
    "global: ulimit-n",
    "server: agent-port",
    "server: max-reuse",
    "server: port",
    "server: weight",
];

/// An argument of this type, and one that is none; `None` where any text may stand.
fn right_and_wrong(kind: ArgType) -> (&'static str, Option<&'static str>) {
    match kind {
        ArgType::Int => ("1", Some("one")),
        ArgType::Ipv4 => ("127.0.0.1", Some("no/where")),
        ArgType::Ipv6 => ("::1", Some("no/where")),
        ArgType::Mask4 => ("24", Some("24bits")),
        ArgType::Mask6 => ("64", Some("64bits")),
        ArgType::Time => ("5s", Some("5x")),
        ArgType::Size => ("10", Some("ten")),
        ArgType::Regex => ("a", Some("[")),
        ArgType::FieldNumber => ("1.2", Some("1.x")),
        _ => ("a", None),
    }
}

/// For each argument of a row that has a type, the arguments up to it, the last of them a wrong one.
fn wrong_arguments(types: &[ArgType]) -> impl Iterator<Item = String> + '_ {
    (0..types.len()).filter_map(|last| {
        let wrong = right_and_wrong(types[last]).1?;
        let right = types[..last].iter().map(|kind| right_and_wrong(*kind).0);
        Some(right.chain([wrong]).collect::<Vec<_>>().join(","))
    })
}

#[test]
fn expressions_with_arguments_of_another_type() {
    let _loading = Loading::begin(RealOutside::new(Sockets::default()).files(), None);
    let (mut seen, mut accepted) = (0, Vec::new());
    let mut judge = |text: String| {
        seen += 1;
        if Expr::parse(&text).is_ok() {
            accepted.push(text);
        }
    };
    for row in PARTS.iter().flat_map(|part| part.fetches) {
        wrong_arguments(row.args).for_each(|args| judge(format!("{}({args})", row.name)));
    }
    for row in PARTS.iter().flat_map(|part| part.converters) {
        let (example, _) = row.examples.first().unwrap();
        let head = example.rsplit_once(&format!(",{}", row.name)).map_or("path", |(head, _)| head);
        wrong_arguments(row.args).for_each(|args| judge(format!("{head},{}({args})", row.name)));
    }
    assert!(seen > 60, "{seen}");
    assert!(accepted.is_empty(), "{} of {seen}:\n{}", accepted.len(), accepted.join("\n"));
}

/// Directives that 2.3.0 takes without their argument.
const DIRECTIVES: &[&str] = &[
    "cache: max-age",
    "defaults: balance",
    "defaults: email-alert from",
    "defaults: email-alert mailers",
    "defaults: email-alert myhostname",
    "defaults: email-alert to",
    "defaults: stats refresh",
    "global: mworker-max-reloads",
    "global: tune.h2.initial-window-size",
    "global: tune.h2.max-concurrent-streams",
    "global: tune.lua.forced-yield",
    "global: tune.vars.check-max-size",
    "global: tune.vars.global-max-size",
    "global: tune.vars.proc-max-size",
    "global: tune.vars.reqres-max-size",
    "global: tune.vars.sess-max-size",
    "global: tune.vars.txn-max-size",
    "log-forward: bind",
    "log-forward: dgram-bind",
    "peers: peer",
    "peers: server",
];

/// Server options that 2.3.0 takes without their argument; `resolvers` is refused later.
const SERVER_OPTIONS: &[&str] = &[
    "server: init-addr",
    "server: maxconn",
    "server: maxqueue",
    "server: minconn",
    "server: resolve-opts",
    "server: resolvers",
    "server: slowstart",
    "server: weight",
];
