//! Every name this program knows. A family file ends its definitions in one constant `PART`;
//! `PARTS` lists them. From these rows come the parser, `help`, the man pages, the coverage
//! report, and a test for each example.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::config::args::{Line, OptionLine, Parsed};
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;
use crate::config::spec::{BindSpec, ServerSpec};
use crate::control::cli;
use crate::flow::balance;
use crate::flow::log::format::{LogContext, Options};
use crate::flow::rules::{ActionLine, ActionSpec, RuleSets};
use crate::sample::value::{Type, Value};
use crate::sample::{ArgType, Arguments, SampleContext};

/// How far a name's effect goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has the effect the manual says, and a test shows it.
    Works,
    /// Accepted; this implementation has no such mechanism, for the reason given.
    NoEffect(&'static str),
    /// Parsed and checked, effect not built yet: starting is refused.
    Planned,
}

/// A directive: the first words of a line.
#[derive(Debug, Clone, Copy)]
pub struct Keyword {
    /// The words that name it, separated by one space (`timeout client`).
    pub name: &'static str,
    /// Where it may stand.
    pub sections: Sections,
    /// Its arguments, as a usage line.
    pub args: &'static str,
    /// Whether `no` may stand before it.
    pub negatable: bool,
    /// What holds when it is not given; empty when there is nothing to say.
    pub default: &'static str,
    /// What HAProxy calls it where it tells that it stands twice; empty where it may. What says the
    /// same under another name is called the same.
    pub once: &'static str,
    /// One or two sentences for the manual page.
    pub doc: &'static str,
    /// Whole lines that are valid in each of its sections.
    pub examples: &'static [&'static str],
    /// How far its effect goes.
    pub status: Status,
    /// Reads the line into the `Spec`.
    pub parse: fn(&mut Line<'_>) -> Parsed,
}

impl Keyword {
    /// A row to copy from: `Keyword { name: …, ..Keyword::NEW }`.
    pub const NEW: Keyword = Keyword {
        name: "",
        sections: Sections::NONE,
        args: "",
        negatable: false,
        default: "",
        once: "",
        doc: "",
        examples: &[],
        status: Status::Planned,
        parse: |line| {
            line.words.rest();
            Ok(())
        },
    };
}

/// A word after `bind ADDRESS`.
#[derive(Debug, Clone, Copy)]
pub struct BindOption {
    /// The word.
    pub name: &'static str,
    /// Its arguments, as a usage line.
    pub args: &'static str,
    /// What holds when it is not given; empty when there is nothing to say.
    pub default: &'static str,
    /// For the manual page.
    pub doc: &'static str,
    /// The option with its arguments, valid after `bind 127.0.0.1:80`.
    pub examples: &'static [&'static str],
    /// How far its effect goes.
    pub status: Status,
    /// Reads the option's arguments.
    pub parse: fn(&mut OptionLine<'_, '_>, &mut BindSpec) -> Parsed,
}

impl BindOption {
    /// A row to copy from.
    pub const NEW: BindOption = BindOption {
        name: "",
        args: "",
        default: "",
        doc: "",
        examples: &[],
        status: Status::Planned,
        parse: |_, _| Ok(()),
    };
}

/// A word after `server NAME ADDRESS`.
#[derive(Debug, Clone, Copy)]
pub struct ServerOption {
    /// The word.
    pub name: &'static str,
    /// Its arguments, as a usage line.
    pub args: &'static str,
    /// Whether it may stand on a `default-server` line.
    pub in_default: bool,
    /// What holds when it is not given; empty when there is nothing to say.
    pub default: &'static str,
    /// For the manual page.
    pub doc: &'static str,
    /// The option with its arguments, valid after `server s 127.0.0.1:80`.
    pub examples: &'static [&'static str],
    /// How far its effect goes.
    pub status: Status,
    /// Reads the option's arguments.
    pub parse: fn(&mut OptionLine<'_, '_>, &mut ServerSpec) -> Parsed,
}

impl ServerOption {
    /// A row to copy from.
    pub const NEW: ServerOption = ServerOption {
        name: "",
        args: "",
        in_default: true,
        default: "",
        doc: "",
        examples: &[],
        status: Status::Planned,
        parse: |_, _| Ok(()),
    };
}

/// What a rule does when its condition holds.
#[derive(Debug, Clone, Copy)]
pub struct ActionRow {
    /// The word; `(*)` at the end says that it takes an argument in brackets.
    pub name: &'static str,
    /// The rule sets it may stand in.
    pub rule_sets: RuleSets,
    /// Its arguments, as a usage line.
    pub args: &'static str,
    /// For the manual page.
    pub doc: &'static str,
    /// The action with its arguments.
    pub examples: &'static [&'static str],
    /// How far its effect goes.
    pub status: Status,
    /// Reads the action's arguments; what is left of the line must be a condition.
    pub parse: fn(&mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic>,
}

/// A sample fetch: where a value comes from.
#[derive(Debug, Clone, Copy)]
pub struct Fetch {
    /// Its name.
    pub name: &'static str,
    /// Its arguments.
    pub args: &'static [ArgType],
    /// How many of the arguments must be given.
    pub required: usize,
    /// The type it gives.
    pub gives: Type,
    /// The checkpoints at which it has a value, in the ledger's order of 22 places, `Y` or `.`.
    pub valid: &'static str,
    /// For the manual page.
    pub doc: &'static str,
    /// Expressions that are valid.
    pub examples: &'static [&'static str],
    /// How far its effect goes.
    pub status: Status,
    /// Refuses arguments, in HAProxy's words, or makes them ready; not asked when there are none.
    pub check: fn(&mut Arguments) -> Result<(), String>,
    /// Takes the value; `None` when there is none at this moment.
    pub run: for<'a> fn(&SampleContext<'a>, &'a Arguments) -> Option<Value<'a>>,
}

impl Fetch {
    /// A row to copy from.
    pub const NEW: Fetch = Fetch {
        name: "",
        args: &[],
        required: 0,
        gives: Type::Str,
        valid: "",
        doc: "",
        examples: &[],
        status: Status::Planned,
        check: |_| Ok(()),
        run: |_, _| None,
    };
}

/// A converter: one value to another.
#[derive(Debug, Clone, Copy)]
pub struct Converter {
    /// Its name.
    pub name: &'static str,
    /// Its arguments.
    pub args: &'static [ArgType],
    /// How many of the arguments must be given.
    pub required: usize,
    /// What it takes; the input is cast to it first.
    pub takes: Type,
    /// What it gives.
    pub gives: Type,
    /// For the manual page.
    pub doc: &'static str,
    /// An expression that ends in this converter, and its value as text.
    pub examples: &'static [(&'static str, &'static str)],
    /// How far its effect goes.
    pub status: Status,
    /// Refuses arguments, in HAProxy's words, or makes them ready.
    pub check: fn(&mut Arguments) -> Result<(), String>,
    /// Converts; `None` when the input cannot be converted.
    pub run: for<'a> fn(Value<'a>, &SampleContext<'a>, &'a Arguments) -> Option<Value<'a>>,
}

impl Converter {
    /// A row to copy from.
    pub const NEW: Converter = Converter {
        name: "",
        args: &[],
        required: 0,
        takes: Type::Str,
        gives: Type::Str,
        doc: "",
        examples: &[],
        status: Status::Planned,
        check: |_| Ok(()),
        run: |_, _, _| None,
    };
}

/// An ACL keyword that is a fetch with a match method (`path_beg`).
#[derive(Debug, Clone, Copy)]
pub struct AclKeyword {
    /// Its name.
    pub name: &'static str,
    /// The fetch it stands for.
    pub fetch: &'static str,
    /// The match method, as after `-m`.
    pub method: &'static str,
}

/// A variable of log-format (`%ci`).
#[derive(Debug, Clone, Copy)]
pub struct LogVariable {
    /// The letters after `%`.
    pub name: &'static str,
    /// Whether it needs `mode http`.
    pub http: bool,
    /// For the manual page.
    pub doc: &'static str,
    /// How far its effect goes.
    pub status: Status,
    /// The name to use instead, for one that is deprecated.
    pub replaced_by: Option<&'static str>,
    /// Writes the value, quoted and escaped as the options say.
    pub write: fn(&LogContext<'_>, Options, &mut Vec<u8>),
}

impl LogVariable {
    /// A row to copy from.
    pub const NEW: LogVariable = LogVariable {
        name: "",
        http: false,
        doc: "",
        status: Status::Planned,
        replaced_by: None,
        write: |_, _, _| {},
    };
}

/// All that one family file defines.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Directives.
    pub keywords: &'static [Keyword],
    /// Words after `bind`.
    pub bind_options: &'static [BindOption],
    /// Words after `server`.
    pub server_options: &'static [ServerOption],
    /// Rule actions.
    pub actions: &'static [ActionRow],
    /// Sample fetches.
    pub fetches: &'static [Fetch],
    /// Converters.
    pub converters: &'static [Converter],
    /// ACL names that are a fetch and a match method.
    pub acl_keywords: &'static [AclKeyword],
    /// Variables of log-format.
    pub log_variables: &'static [LogVariable],
    /// Balance algorithms.
    pub algorithms: &'static [balance::Algorithm],
    /// Runtime socket commands.
    pub commands: &'static [cli::Command],
}

impl Part {
    /// A part to copy from.
    pub const NONE: Part = Part {
        keywords: &[],
        bind_options: &[],
        server_options: &[],
        actions: &[],
        fetches: &[],
        converters: &[],
        acl_keywords: &[],
        log_variables: &[],
        algorithms: &[],
        commands: &[],
    };
}

/// Every family, in the reading order of `lib.rs`.
pub static PARTS: &[&Part] = &[
    &crate::config::global::PART,
    &crate::config::process::PART,
    &crate::config::tls::PART,
    &crate::config::tuning::PART,
    &crate::config::sections::PART,
    &crate::config::environment::PART,
    &crate::flow::cpu_map::PART,
    &crate::config::proxy::PART,
    &crate::config::options::PART,
    &crate::flow::listener::bind::PART,
    &crate::flow::listener::limits::PART,
    &crate::flow::listener::options::PART,
    &crate::flow::listener::proxy_protocol::PART,
    &crate::flow::listener::rate::PART,
    &crate::flow::session::filter::PART,
    &crate::flow::session::timeouts::PART,
    &crate::flow::transport::tuning::PART,
    &crate::flow::http::case::PART,
    &crate::flow::http::options::PART,
    &crate::flow::http::unique_id::PART,
    &crate::flow::rules::condition::PART,
    &crate::flow::rules::auth::PART,
    &crate::flow::rules::capture::PART,
    &crate::flow::rules::deny::PART,
    &crate::flow::rules::address::PART,
    &crate::flow::rules::early_hint::PART,
    &crate::flow::rules::packet::PART,
    &crate::flow::rules::planned::PART,
    &crate::flow::rules::strict_mode::PART,
    &crate::flow::rules::tcp::PART,
    &crate::flow::rules::priority::PART,
    &crate::flow::rules::header::PART,
    &crate::flow::rules::log_level::PART,
    &crate::flow::rules::map::PART,
    &crate::flow::rules::redirect::PART,
    &crate::flow::rules::reply::PART,
    &crate::flow::rules::resolve::PART,
    &crate::flow::rules::start_line::PART,
    &crate::flow::rules::switch::PART,
    &crate::flow::rules::track::PART,
    &crate::flow::rules::userlist::PART,
    &crate::flow::rules::var::PART,
    &crate::flow::balance::PART,
    &crate::flow::balance::first::PART,
    &crate::flow::balance::hash::PART,
    &crate::flow::balance::hdr::PART,
    &crate::flow::balance::leastconn::PART,
    &crate::flow::balance::random::PART,
    &crate::flow::balance::rdp_cookie::PART,
    &crate::flow::balance::roundrobin::PART,
    &crate::flow::balance::source::PART,
    &crate::flow::balance::static_rr::PART,
    &crate::flow::balance::uri::PART,
    &crate::flow::balance::url_param::PART,
    &crate::flow::server::cookie::PART,
    &crate::flow::server::options::PART,
    &crate::flow::server::persist::PART,
    &crate::flow::server::resolution::PART,
    &crate::flow::server::retry::PART,
    &crate::flow::server::source::PART,
    &crate::flow::server::stick::PART,
    &crate::flow::server::template::PART,
    &crate::flow::server::transport::PART,
    &crate::flow::response::error_page::PART,
    &crate::flow::response::errors::PART,
    &crate::flow::response::monitor::PART,
    &crate::flow::response::cache::PART,
    &crate::flow::response::compression::PART,
    &crate::flow::log::PART,
    &crate::flow::log::forward::PART,
    &crate::flow::log::ring::PART,
    &crate::flow::log::tags::PART,
    &crate::sample::fetch::auth::PART,
    &crate::sample::vars::PART,
    &crate::sample::fetch::body::PART,
    &crate::sample::fetch::constant::PART,
    &crate::sample::fetch::cookie::PART,
    &crate::sample::fetch::internal::PART,
    &crate::sample::fetch::l4::PART,
    &crate::sample::fetch::l5::PART,
    &crate::sample::fetch::l6::PART,
    &crate::sample::fetch::header::PART,
    &crate::sample::fetch::http::PART,
    &crate::sample::fetch::url::PART,
    &crate::sample::fetch::htx::PART,
    &crate::sample::fetch::table::COUNTED,
    &crate::sample::fetch::table::TRACKING,
    &crate::sample::fetch::table::PART,
    &crate::sample::convert::base64::PART,
    &crate::sample::convert::crypto::PART,
    &crate::sample::convert::debug::PART,
    &crate::sample::convert::hash::PART,
    &crate::sample::convert::json::PART,
    &crate::sample::convert::map::PART,
    &crate::sample::convert::net::PART,
    &crate::sample::convert::number::PART,
    &crate::sample::convert::protobuf::PART,
    &crate::sample::convert::server::PART,
    &crate::sample::convert::string::PART,
    &crate::sample::convert::table::DATA,
    &crate::sample::convert::table::PART,
    &crate::sample::convert::time::PART,
    &crate::sample::convert::variable::PART,
    &crate::state::resolver::section::PART,
    &crate::state::server_file::PART,
    &crate::state::stick_table::PART,
    &crate::check::PART,
    &crate::check::http::PART,
    &crate::check::planned::PART,
    &crate::check::protocols::PART,
    &crate::check::server::PART,
    &crate::check::spread::PART,
    &crate::check::tcp::PART,
    &crate::control::cli::spec::PART,
    &crate::control::cli::basics::PART,
    &crate::control::cli::sess::PART,
    &crate::control::cli::clear::PART,
    &crate::control::cli::dynamic_cookie::PART,
    &crate::control::cli::info::PART,
    &crate::control::cli::stat::PART,
    &crate::control::cli::errors::PART,
    &crate::control::cli::startup::PART,
    &crate::control::cli::server::PART,
    &crate::control::cli::internals::PART,
    &crate::control::cli::table::PART,
    &crate::control::cli::frontend::PART,
    &crate::control::cli::servers::PART,
    &crate::control::cli::map::PART,
    &crate::control::cli::cache::PART,
    &crate::control::cli::planned::PART,
    &crate::control::cli::resolvers::PART,
    &crate::control::stats::PART,
];

type Index<T> = LazyLock<HashMap<&'static str, &'static T>>;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident, $static:ident, $field:ident, $row:ty) => {
        static $static: Index<$row> = LazyLock::new(|| {
            PARTS.iter().flat_map(|part| part.$field).map(|row| (row.name, row)).collect()
        });

        $(#[$doc])*
        pub fn $name(name: &str) -> Option<&'static $row> {
            $static.get(name).copied()
        }
    };
}

index!(
    /// The `bind` option of this name.
    bind_option, BIND_OPTIONS, bind_options, BindOption
);
index!(
    /// The `server` option of this name.
    server_option, SERVER_OPTIONS, server_options, ServerOption
);
index!(
    /// The sample fetch of this name.
    fetch, FETCHES, fetches, Fetch
);
index!(
    /// The converter of this name.
    converter, CONVERTERS, converters, Converter
);
index!(
    /// The ACL keyword of this name.
    acl_keyword, ACL_KEYWORDS, acl_keywords, AclKeyword
);
index!(
    /// The log variable of this name.
    log_variable, LOG_VARIABLES, log_variables, LogVariable
);
index!(
    /// The balance algorithm of this name.
    algorithm, ALGORITHMS, algorithms, balance::Algorithm
);

static KEYWORDS: LazyLock<HashMap<&'static str, Vec<&'static Keyword>>> = LazyLock::new(|| {
    let mut map: HashMap<&'static str, Vec<&'static Keyword>> = HashMap::new();
    for row in PARTS.iter().flat_map(|part| part.keywords) {
        map.entry(row.name).or_default().push(row);
    }
    map
});

/// The directives of this name, in whatever section.
pub fn keywords(name: &str) -> &'static [&'static Keyword] {
    KEYWORDS.get(name).map_or(&[], Vec::as_slice)
}

/// The directive of this name in a section.
pub fn keyword(section: Sections, name: &str) -> Option<&'static Keyword> {
    KEYWORDS.get(name)?.iter().find(|row| row.sections.contains(section)).copied()
}

static ACTIONS: LazyLock<HashMap<&'static str, Vec<&'static ActionRow>>> = LazyLock::new(|| {
    let mut map: HashMap<&'static str, Vec<&'static ActionRow>> = HashMap::new();
    for row in PARTS.iter().flat_map(|part| part.actions) {
        map.entry(row.name).or_default().push(row);
    }
    map
});

/// The action of this name (`set-var(*)` with the star) in a rule set.
pub fn action(rule_set: RuleSets, name: &str) -> Option<&'static ActionRow> {
    ACTIONS.get(name)?.iter().find(|row| row.rule_sets.contains(rule_set)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Diagnostics;
    use crate::config::outside::{Outside, RealOutside, Sockets};
    use crate::config::source::Source;
    use crate::sample::expr::Expr;
    use crate::state::map_file::loading::Loading;

    /// The alerts that a configuration gets while it is read.
    fn alerts(text: String) -> Vec<String> {
        let source = Source { name: "example.cfg".into(), text: text.into_bytes().into() };
        let mut outside = RealOutside::new(Sockets::default());
        let mut diagnostics = Diagnostics::default();
        crate::config::parse(&[source], &mut outside, &mut diagnostics);
        let alerts = diagnostics.list.into_iter().filter(|d| d.refuses);
        alerts.map(|d| d.text).filter(|text| !text.starts_with("Error(s) found")).collect()
    }

    #[test]
    fn examples_of_directives_parse_in_each_of_their_sections() {
        let mut wrong = Vec::new();
        for row in PARTS.iter().flat_map(|part| part.keywords) {
            for (example, section) in
                row.examples.iter().flat_map(|e| row.sections.names().map(move |s| (e, s)))
            {
                let opening = match section {
                    "global" | "defaults" => section.to_owned(),
                    _ => format!("{section} x"),
                };
                let text = format!("{opening}\n    {example}\n");
                wrong
                    .extend(alerts(text).into_iter().map(|a| format!("{section}: {example}: {a}")));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_row_has_a_text_and_an_example() {
        // Forms that are only there to be refused in HAProxy's words say so.
        let complete = |name: &str, doc: &str, examples: usize| {
            let refused = doc.ends_with("to be refused.");
            assert!(!doc.is_empty(), "{name} has no text");
            assert!(doc.ends_with('.'), "{name}: the text is no sentence: {doc}");
            assert_eq!(examples == 0, refused, "{name}: an example, or none for what is refused");
        };
        for part in PARTS {
            part.keywords.iter().for_each(|row| complete(row.name, row.doc, row.examples.len()));
            part.bind_options
                .iter()
                .for_each(|row| complete(row.name, row.doc, row.examples.len()));
            let options = part.server_options.iter();
            options.for_each(|row| complete(row.name, row.doc, row.examples.len()));
            part.actions.iter().for_each(|row| complete(row.name, row.doc, row.examples.len()));
            part.fetches.iter().for_each(|row| complete(row.name, row.doc, row.examples.len()));
            part.converters.iter().for_each(|row| complete(row.name, row.doc, row.examples.len()));
            part.algorithms.iter().for_each(|row| complete(row.name, row.doc, row.examples.len()));
            part.commands.iter().for_each(|row| complete(row.name, row.doc, row.examples.len()));
            part.log_variables.iter().for_each(|row| complete(row.name, row.doc, 1));
        }
    }

    #[test]
    fn examples_of_options_parse() {
        for row in PARTS.iter().flat_map(|part| part.bind_options) {
            for example in row.examples {
                let text = format!("frontend x\n    bind 127.0.0.1:80 {example}\n");
                assert_eq!(alerts(text), [""; 0], "{example}");
            }
        }
        for row in PARTS.iter().flat_map(|part| part.server_options) {
            for example in row.examples {
                let text =
                    format!("backend x\n    mode http\n    server s 127.0.0.1:80 {example}\n");
                assert_eq!(alerts(text), [""; 0], "{example}");
            }
        }
    }

    #[test]
    fn examples_of_expressions_parse() {
        let outside = RealOutside::new(Sockets::default());
        let _loading = Loading::begin_alone(outside.files());
        for row in PARTS.iter().flat_map(|part| part.fetches) {
            assert!(!row.examples.is_empty(), "{} has no example", row.name);
            for example in row.examples {
                let parsed = Expr::parse(example).map(|expr| expr.fetch.name);
                assert_eq!(parsed, Ok(row.name), "{example}");
            }
        }
        for row in PARTS.iter().flat_map(|part| part.converters) {
            for (example, _) in row.examples {
                assert_eq!(Expr::parse(example).map(drop), Ok(()), "{example}");
            }
        }
    }

    #[test]
    fn names_are_unique_where_they_are_looked_up() {
        fn unique(mut names: Vec<&str>) {
            names.sort_unstable();
            let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
            assert!(twice.is_empty(), "{twice:?}");
        }
        unique(PARTS.iter().flat_map(|part| part.fetches).map(|row| row.name).collect());
        unique(PARTS.iter().flat_map(|part| part.converters).map(|row| row.name).collect());
        unique(PARTS.iter().flat_map(|part| part.bind_options).map(|row| row.name).collect());
        unique(PARTS.iter().flat_map(|part| part.server_options).map(|row| row.name).collect());
        for (_, section) in Sections::NAMES {
            let rows = PARTS.iter().flat_map(|part| part.keywords);
            unique(
                rows.filter(|row| row.sections.contains(*section)).map(|row| row.name).collect(),
            );
        }
    }

    /// Names that are accepted without effect; one more is a decision, and its line here.
    const WITHOUT_EFFECT: &[&str] = &[
        "bind nice",
        "bind npn",
        "bind process",
        "bind-process",
        "busy-polling",
        "command set profiling",
        "command show profiling",
        "fetch cpu_calls",
        "fetch cpu_ns_avg",
        "fetch cpu_ns_tot",
        "fetch internal.htx.data",
        "fetch internal.htx.free",
        "fetch internal.htx.free_data",
        "fetch internal.htx.has_eom",
        "fetch internal.htx.nbblks",
        "fetch internal.htx.size",
        "fetch internal.htx.used",
        "fetch internal.htx_blk.data",
        "fetch internal.htx_blk.hdrname",
        "fetch internal.htx_blk.hdrval",
        "fetch internal.htx_blk.size",
        "fetch internal.htx_blk.start_line",
        "fetch internal.htx_blk.type",
        "fetch internal.strm.is_htx",
        "fetch lat_ns_avg",
        "fetch lat_ns_tot",
        "maxpipes",
        "nbproc",
        "noepoll",
        "noevports",
        "nogetaddrinfo",
        "nokqueue",
        "nopoll",
        "nosplice",
        "option contstats",
        "option http-no-delay",
        "option http-use-htx",
        "option http-use-proxy-header",
        "option splice-auto",
        "option splice-request",
        "option splice-response",
        "profiling.tasks",
        "rule set-nice",
        "server no-check-ssl",
        "server npn",
        "ssl-dh-param-file",
        "ssl-engine",
        "ssl-mode-async",
        "stats bind-process",
        "tune.buffers.limit",
        "tune.buffers.reserve",
        "tune.chksize",
        "tune.fd.edge-triggered",
        "tune.idletimer",
        "tune.listener.multi-queue",
        "tune.maxaccept",
        "tune.maxpollevents",
        "tune.pattern.cache-size",
        "tune.pipesize",
        "tune.pool-high-fd-ratio",
        "tune.pool-low-fd-ratio",
        "tune.recv_enough",
        "tune.runqueue-depth",
        "tune.sched.low-latency",
        "tune.ssl.default-dh-param",
        "tune.ssl.force-private-cache",
        "tune.zlib.memlevel",
    ];

    #[test]
    fn names_without_effect_are_listed() {
        fn add(
            all: &mut Vec<String>,
            kind: &str,
            rows: impl Iterator<Item = (&'static str, Status)>,
        ) {
            let without = rows.filter(|(_, status)| matches!(status, Status::NoEffect(_)));
            all.extend(without.map(|(name, _)| format!("{kind}{name}")));
        }
        let mut all = Vec::new();
        for part in PARTS {
            add(&mut all, "", part.keywords.iter().map(|row| (row.name, row.status)));
            add(&mut all, "bind ", part.bind_options.iter().map(|row| (row.name, row.status)));
            add(&mut all, "server ", part.server_options.iter().map(|row| (row.name, row.status)));
            add(&mut all, "rule ", part.actions.iter().map(|row| (row.name, row.status)));
            add(&mut all, "fetch ", part.fetches.iter().map(|row| (row.name, row.status)));
            add(&mut all, "converter ", part.converters.iter().map(|row| (row.name, row.status)));
            add(&mut all, "log ", part.log_variables.iter().map(|row| (row.name, row.status)));
            add(&mut all, "balance ", part.algorithms.iter().map(|row| (row.name, row.status)));
            add(&mut all, "command ", part.commands.iter().map(|row| (row.name, row.status)));
        }
        all.sort_unstable();
        assert_eq!(all, WITHOUT_EFFECT);
    }
}
