//! What was written: plain data, no sockets, no files. Each family owns its part of it in its own
//! file and has one line here.

use std::collections::{BTreeSet, HashMap};

use crate::catalog::Status;
use crate::check::CheckSpec;
use crate::config::address::AddressSpec;
use crate::config::args::Inversion;
use crate::config::diagnostic::Place;
use crate::config::environment::Environment;
use crate::config::global::GlobalSpec;
use crate::config::order::Seen;
use crate::config::proxy::{OptionsSpec, ProxyBasicsSpec};
use crate::config::references::References;
use crate::config::section::Sections;
use crate::config::words::Word;
use crate::control::stats::StatsSpec;
use crate::flow::balance::BalanceSpec;
use crate::flow::http::options::HttpSpec;
use crate::flow::http::unique_id::UniqueIdSpec;
pub use crate::flow::listener::bind::BindSpec;
use crate::flow::listener::rate::PaceSpec;
use crate::flow::log::LogSpec;
use crate::flow::response::error_page::{ErrorPagesSpec, ErrorSectionSpec};
use crate::flow::response::monitor::MonitorSpec;
use crate::flow::rules::RulesSpec;
use crate::flow::rules::condition::Acls;
use crate::flow::server::options::ServerOptionsSpec;
pub use crate::flow::server::options::ServerSpec;
use crate::flow::server::persist::PersistSpec;
use crate::flow::server::source::SourceSpec;
use crate::flow::session::filter::FiltersSpec;
use crate::flow::session::timeouts::TimeoutsSpec;
use crate::flow::transport::tuning::TuningSpec;
use crate::state::resolver::section::ResolversSpec;
use crate::state::server_file::LoadSpec;
use crate::state::stick_table::StickTableSpec;

/// A whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// What `setenv` and the like have changed.
    pub environment: Environment,
    /// The `global` sections together.
    pub global: GlobalSpec,
    /// The directives of `global`, in their order.
    pub global_lines: Vec<WrittenLine>,
    /// The `defaults` section that the next proxy inherits from.
    pub defaults: ProxySpec,
    /// `frontend`, `backend` and `listen` sections, in their order.
    pub proxies: Vec<ProxySpec>,
    /// Where in `proxies` each name is.
    pub proxy_names: HashMap<String, Vec<usize>>,
    /// The other sections that were opened.
    pub sections: Vec<NamedSection>,
    /// Where in `sections` each kind and name was declared first.
    pub section_names: HashMap<(Sections, String), usize>,
    /// The ACLs of the small section being read.
    pub section_acls: Acls,
    /// What `http-errors` sections hold.
    pub error_sections: Vec<ErrorSectionSpec>,
    /// Uses of names whose effect is not built yet.
    pub planned: Vec<PlannedUse>,
    /// Names in use that have no effect here.
    pub no_effect: BTreeSet<String>,
}

impl Default for Spec {
    fn default() -> Spec {
        let start = Place { file: "".into(), line: 0, column: 0 };
        Spec {
            environment: Environment::default(),
            global: GlobalSpec::default(),
            global_lines: Vec::new(),
            defaults: ProxySpec::defaults(String::new(), start),
            proxies: Vec::new(),
            proxy_names: HashMap::new(),
            sections: Vec::new(),
            section_names: HashMap::new(),
            section_acls: Acls::default(),
            error_sections: Vec::new(),
            planned: Vec::new(),
            no_effect: BTreeSet::new(),
        }
    }
}

impl Spec {
    /// The proxy section opened last; the defaults before the first one.
    pub fn current_proxy(&mut self) -> &mut ProxySpec {
        self.proxies.last_mut().unwrap_or(&mut self.defaults)
    }

    /// The last line of `global` of this name, unless `no` or `default` took it back.
    pub fn global_line(&self, name: &str) -> Option<&WrittenLine> {
        let last = self.global_lines.iter().rev().find(|line| line.name == name)?;
        Some(last).filter(|line| line.inversion == Inversion::Plain)
    }

    /// The proxies of this name, in their order.
    pub fn named<'s>(&'s self, name: &str) -> impl Iterator<Item = &'s ProxySpec> {
        let places = self.proxy_names.get(name).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|index| self.proxies.get(*index))
    }

    /// Adds a proxy section, which is the current one from then on.
    pub fn add_proxy(&mut self, proxy: ProxySpec) {
        let places = self.proxy_names.entry(proxy.name.clone()).or_default();
        places.push(self.proxies.len());
        self.proxies.push(proxy);
    }

    /// Whether there is a small section of this kind and name.
    pub fn has_section(&self, section: Sections, name: &str) -> bool {
        self.section_names.contains_key(&(section, name.to_owned()))
    }

    /// Records the use of a name, if it is worth telling.
    pub fn note(&mut self, name: &str, status: Status, place: &Place) {
        match status {
            Status::Works => {}
            Status::NoEffect(_) => drop(self.no_effect.insert(name.to_owned())),
            Status::Planned => self.note_planned(name, place),
        }
    }

    /// Whether there is a stick table of this name: a proxy's, or `<peers>/<table>`.
    pub fn has_table(&self, name: &str) -> bool {
        let peers = name.split_once('/').map(|(peers, _)| (Sections::PEERS, peers.to_owned()));
        let peers = peers.and_then(|key| self.sections.get(*self.section_names.get(&key)?));
        self.named(name).any(|p| p.stick_table.is_some())
            || peers.is_some_and(|section| section.tables.iter().any(|(table, _)| table == name))
    }

    /// What is said once at start of the names that have no effect here.
    pub fn notices(&self) -> Vec<String> {
        let names: Vec<_> = self.no_effect.iter().map(|name| format!("'{name}'")).collect();
        match names.is_empty() {
            true => Vec::new(),
            false => vec![format!("accepted without effect: {}.", names.join(", "))],
        }
    }

    /// Records the use of a name whose effect is not built yet.
    pub fn note_planned(&mut self, name: &str, place: &Place) {
        self.planned.push(PlannedUse { name: name.into(), place: place.clone() });
    }
}

/// A use of a name whose effect is not built yet.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedUse {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

/// A section that is neither `global` nor a proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedSection {
    /// Which kind: one bit.
    pub section: Sections,
    /// Its name, empty when it has none.
    pub name: String,
    /// Where it begins.
    pub place: Place,
    /// Its lines, as words from the keyword on, each with its place.
    pub lines: Vec<(Place, Vec<Word>)>,
    /// What its lines say that a proxy can say too: log targets, ACLs.
    pub proxy: Box<ProxySpec>,
    /// What a `resolvers` section says.
    pub resolvers: ResolversSpec,
    /// The tables of a `peers` section by the name that rules use, `<peers>/<table>`.
    pub tables: Vec<(String, StickTableSpec)>,
}

/// The kinds of proxy section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyKind {
    /// `defaults`
    Defaults,
    /// `frontend`
    Frontend,
    /// `listen`
    Listen,
    /// `backend`
    Backend,
}

impl ProxyKind {
    /// The kind that a section word opens.
    pub fn of_section(section: Sections) -> Option<ProxyKind> {
        match section {
            Sections::DEFAULTS => Some(ProxyKind::Defaults),
            Sections::FRONTEND => Some(ProxyKind::Frontend),
            Sections::LISTEN => Some(ProxyKind::Listen),
            Sections::BACKEND => Some(ProxyKind::Backend),
            _ => None,
        }
    }

    /// The section's bit.
    pub fn section(self) -> Sections {
        match self {
            ProxyKind::Defaults => Sections::DEFAULTS,
            ProxyKind::Frontend => Sections::FRONTEND,
            ProxyKind::Listen => Sections::LISTEN,
            ProxyKind::Backend => Sections::BACKEND,
        }
    }

    /// Whether it accepts connections.
    pub fn has_frontend(self) -> bool {
        matches!(self, ProxyKind::Frontend | ProxyKind::Listen)
    }

    /// Whether it has servers.
    pub fn has_backend(self) -> bool {
        matches!(self, ProxyKind::Backend | ProxyKind::Listen)
    }

    /// The word HAProxy uses for a section of this kind in messages.
    pub fn word(self) -> &'static str {
        match self {
            ProxyKind::Defaults => "defaults",
            ProxyKind::Frontend => "frontend",
            ProxyKind::Listen => "proxy",
            ProxyKind::Backend => "backend",
        }
    }
}

/// A `defaults`, `frontend`, `backend` or `listen` section.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxySpec {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ProxyKind,
    /// Where it begins.
    pub place: Place,
    /// Mode, limits, default backend.
    pub basics: ProxyBasicsSpec,
    /// HTTP options with arguments.
    pub http: HttpSpec,
    /// `option …` switches.
    pub options: OptionsSpec,
    /// `timeout …`
    pub timeouts: TimeoutsSpec,
    /// `rate-limit sessions`, `grace`
    pub pace: PaceSpec,
    /// `bind`
    pub binds: Vec<BindSpec>,
    /// Names that must exist elsewhere in the configuration.
    pub references: References,
    /// `clitcpka-…`, `srvtcpka-…`
    pub tuning: TuningSpec,
    /// `unique-id-format`, `unique-id-header`
    pub unique_id: UniqueIdSpec,
    /// `monitor-uri`, `monitor fail`
    pub monitor: MonitorSpec,
    /// ACLs and rule sets.
    pub rules: RulesSpec,
    /// `balance`, `hash-type`
    pub balance: BalanceSpec,
    /// `default-server`
    pub default_server: ServerOptionsSpec,
    /// `server`
    pub servers: Vec<ServerSpec>,
    /// Where in `servers` each given id is.
    pub server_ids: HashMap<u32, usize>,
    /// `option httpchk`, `http-check`, `tcp-check`
    pub check: CheckSpec,
    /// `log`, `log-format`, `log-tag`
    pub log: LogSpec,
    /// `errorfile` and its kin.
    pub error_pages: ErrorPagesSpec,
    /// `filter`, `compression`
    pub filters: FiltersSpec,
    /// `stats …`
    pub stats: StatsSpec,
    /// `dispatch`
    pub dispatch: Option<AddressSpec>,
    /// `source`
    pub source: Option<SourceSpec>,
    /// `cookie`, `use-server`, `force-persist` …
    pub persistence: PersistSpec,
    /// `stick-table`
    pub stick_table: Option<StickTableSpec>,
    /// `load-server-state-from-file`, `server-state-file-name`
    pub server_state: LoadSpec,
    /// Which kinds of rule it has.
    pub rules_seen: Seen,
    /// Its directives in their order, those taken over from the defaults first; without `server`,
    /// `acl` and rules, which have their own lists.
    pub lines: Vec<WrittenLine>,
}

/// A directive of a proxy as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenLine {
    /// The keyword's name.
    pub name: &'static str,
    /// Where the keyword may stand.
    pub sections: Sections,
    /// What stood before it.
    pub inversion: Inversion,
    /// The words after the name.
    pub args: Vec<Word>,
    /// Where it stands.
    pub place: Place,
}

impl ProxySpec {
    /// The last line of this name, unless `no` or `default` took it back.
    pub fn written(&self, name: &str) -> Option<&WrittenLine> {
        let last = self.lines.iter().rev().find(|line| line.name == name)?;
        Some(last).filter(|line| line.inversion == Inversion::Plain)
    }

    /// A fresh `defaults` section.
    pub fn defaults(name: String, place: Place) -> ProxySpec {
        ProxySpec {
            name,
            kind: ProxyKind::Defaults,
            place,
            basics: ProxyBasicsSpec::default(),
            http: HttpSpec::default(),
            options: OptionsSpec::default(),
            timeouts: TimeoutsSpec::default(),
            pace: PaceSpec::default(),
            binds: Vec::new(),
            references: References::default(),
            tuning: TuningSpec::default(),
            unique_id: UniqueIdSpec::default(),
            monitor: MonitorSpec::default(),
            rules: RulesSpec::default(),
            balance: BalanceSpec::default(),
            default_server: ServerOptionsSpec::default(),
            servers: Vec::new(),
            server_ids: HashMap::new(),
            check: CheckSpec::default(),
            log: LogSpec::default(),
            error_pages: ErrorPagesSpec::default(),
            filters: FiltersSpec::default(),
            stats: StatsSpec::default(),
            dispatch: None,
            source: None,
            persistence: PersistSpec::default(),
            stick_table: None,
            server_state: LoadSpec::default(),
            rules_seen: Seen::default(),
            lines: Vec::new(),
        }
    }

    /// A new proxy that inherits from the defaults.
    pub fn open(defaults: &ProxySpec, kind: ProxyKind, name: String, place: Place) -> ProxySpec {
        let mut proxy = ProxySpec { name, kind, place, ..defaults.clone() };
        proxy.filters.inherited();
        if !kind.has_frontend() {
            proxy.rules.switching.default = None;
        }
        proxy.lines.retain(|line| line.sections.contains(kind.section()));
        proxy
    }
}
