//! Server-state files (manual 3.1 "server-state-file", 4.2 "load-server-state-from-file"; management.txt 9.3
//! "show servers state"): what was known of servers when a process ended. In: the files that the
//! configuration names. Out: servers that begin as they were, and HAProxy's warnings.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::catalog::{Keyword, Part, Status};
use crate::check::{CheckResult, CheckStatus};
use crate::config::args::{Line, Parsed};
use crate::config::diagnostic::{Diagnostic, Diagnostics, Level};
use crate::config::outside::Outside;
use crate::config::section::Sections;
use crate::config::spec::{ProxySpec, Spec};
use crate::state::server_status::{Host, Operational, ServerAddress, ServerStatus, admin};
use crate::state::world::Server;

/// `server-state-base`, `server-state-file` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StateFilesSpec {
    /// Where files are whose names are not absolute.
    pub base: Option<String>,
    /// The file of the whole process.
    pub file: Option<String>,
}

/// `load-server-state-from-file`, `server-state-file-name` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadSpec {
    /// Which file is read.
    pub from: From,
    /// The proxy's own file; the proxy's name when there is none.
    pub name: Option<String>,
}

/// Which file the state of a proxy's servers is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum From {
    /// None.
    #[default]
    Nowhere,
    /// The process's.
    Global,
    /// Its own.
    Local,
}

/// What the files say of each server, by the names of its backend and its own.
#[derive(Debug, Default)]
pub struct States(HashMap<String, HashMap<String, Record>>);

/// What a line says of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    ip: Option<IpAddr>,
    operational: Operational,
    admin: u8,
    user_weight: u32,
    initial_weight: u32,
    /// Seconds since the last change between up and down.
    since: u64,
    check_status: u8,
    check_result: u8,
    health: u32,
    check_state: u8,
    host: Option<String>,
    port: u16,
    service: Option<String>,
}

/// How many words a line has in the one version there is.
const FIELDS: usize = 20;
/// The words that tell the state, after those that name the server.
const STATE: usize = 4;

/// Reads the files that a configuration names; `ids` are the proxies' numbers.
pub fn read(
    spec: &Spec,
    ids: &[u32],
    outside: &mut dyn Outside,
    diagnostics: &mut Diagnostics,
) -> States {
    let files = &spec.global.server_state;
    let mut states = States::default();
    let global = files.file.as_deref().map(|name| {
        let path = files.path(name);
        outside.read_file(&path).map_err(|e| {
            let words = crate::sys::error_words(&e);
            let text = format!("Can't open global server state file '{}': {words}", path.display());
            warn(diagnostics, text);
        })
    });
    let global = global.and_then(Result::ok).filter(|content| content.first() == Some(&b'1'));
    let global = global.map(|content| by_name(&String::from_utf8_lossy(&content)));
    for (proxy, id) in spec.proxies.iter().zip(ids).filter(|(p, _)| p.kind.has_backend()) {
        match proxy.server_state.from {
            From::Nowhere => {}
            From::Global => {
                let lines = global.as_ref().and_then(|lines| lines.get(&proxy.name));
                for server in lines.iter().flat_map(|_| &proxy.servers) {
                    if let Some(fields) = lines.and_then(|lines| lines.get(&server.name)) {
                        states.take(proxy, &server.name, fields, diagnostics);
                    }
                }
            }
            From::Local => {
                let name = proxy.server_state.name.as_ref().unwrap_or(&proxy.name);
                let path = files.path(name);
                if let Ok(content) = outside.read_file(&path) {
                    states.read_local((proxy, *id), &path, &content, diagnostics);
                }
            }
        }
    }
    states
}

/// The words of each line, by backend and server; the first of two lines counts.
fn by_name(content: &str) -> HashMap<String, HashMap<String, Vec<String>>> {
    let mut all: HashMap<String, HashMap<String, Vec<String>>> = HashMap::new();
    for fields in content.split_inclusive('\n').filter_map(fields) {
        let [_, backend, _, server, ..] = fields.as_slice() else { continue };
        let servers = all.entry(backend.clone()).or_default();
        servers.entry(server.clone()).or_insert(fields);
    }
    all
}

/// The words of a line; none for a comment, and for a line that is too short or not ended.
fn fields(line: &str) -> Option<Vec<String>> {
    let line = line.strip_suffix('\n')?.trim_start();
    let fields: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
    (!line.starts_with('#') && fields.len() >= FIELDS).then_some(fields)
}

fn warn(diagnostics: &mut Diagnostics, text: String) {
    let warning = Diagnostic { level: Level::Warning, ..Diagnostic::alert(None, text) };
    diagnostics.push(warning.harmless());
}

impl StateFilesSpec {
    fn path(&self, name: &str) -> PathBuf {
        match &self.base {
            Some(base) => Path::new(base).join(name),
            None => PathBuf::from(name),
        }
    }
}

impl States {
    /// The address that a server had.
    pub fn last_address(&self, backend: &str, server: &str) -> Option<IpAddr> {
        self.0.get(backend)?.get(server)?.ip
    }

    /// Lets a proxy's servers begin as they were, but for those whose state was adopted.
    pub fn apply(
        &self,
        proxy: &ProxySpec,
        servers: &[Server],
        is_fresh: impl Fn(&Server) -> bool,
        diagnostics: &mut Diagnostics,
    ) {
        let Some(records) = self.0.get(&proxy.name) else { return };
        for server in servers {
            let record = records.get(&server.name).filter(|_| is_fresh(server));
            let Some(record) = record else { continue };
            let mut beginning =
                Beginning { proxy: &proxy.name, server, servers, record, diagnostics };
            beginning.begin();
        }
    }

    /// Takes a line of which the server is known; what is wrong with it is told.
    fn take(
        &mut self,
        proxy: &ProxySpec,
        server: &str,
        fields: &[String],
        diagnostics: &mut Diagnostics,
    ) {
        match Record::read(fields.get(STATE..).unwrap_or_default()) {
            Ok(record) => {
                let records = self.0.entry(proxy.name.clone()).or_default();
                records.insert(server.to_owned(), record);
            }
            Err(mistakes) => warn(diagnostics, failed(&proxy.name, server, &mistakes)),
        }
    }

    fn read_local(
        &mut self,
        (proxy, id): (&ProxySpec, u32),
        path: &Path,
        content: &[u8],
        diagnostics: &mut Diagnostics,
    ) {
        if content.first() != Some(&b'1') {
            let path = path.display();
            let text = format!("Can't get version of the server state file '{path}'");
            return warn(diagnostics, text);
        }
        for fields in String::from_utf8_lossy(content).split_inclusive('\n').filter_map(fields) {
            let word = |at: usize| fields.get(at).map_or("", String::as_str);
            let (same_id, same_name) = (word(0).parse() == Ok(id), word(1) == proxy.name);
            match (same_id, same_name) {
                (false, false) => continue,
                (true, true) => {}
                (false, true) => warn(
                    diagnostics,
                    format!(
                        "backend ID mismatch: from server state file: '{}', from running config '{id}'",
                        word(0)
                    ),
                ),
                (true, false) => {
                    let text = format!(
                        "backend name mismatch: from server state file: '{}', from running config '{}'",
                        word(1),
                        proxy.name
                    );
                    warn(diagnostics, text);
                    // A number that was given tells enough.
                    if word(15) != "1" {
                        continue;
                    }
                }
            }
            let name = word(3);
            if proxy.servers.iter().any(|server| server.name == name) {
                self.take(proxy, name, &fields, diagnostics);
            } else {
                let text = format!("can't find server '{name}' in backend '{}'", word(1));
                warn(diagnostics, text);
            }
        }
    }
}

fn failed(proxy: &str, server: &str, mistakes: &str) -> String {
    format!("server-state application failed for server '{proxy}/{server}'{mistakes}")
}

/// A number at the beginning of a word, as C's `strtol` reads it.
fn leading(word: &str) -> Option<i64> {
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let sign = word.len() - unsigned.len();
    word.get(..sign + digits).filter(|_| digits > 0)?.parse().ok()
}

impl Record {
    /// Reads the words from the address on; otherwise all that is wrong with them.
    fn read(words: &[String]) -> Result<Record, String> {
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        let mut mistakes = String::new();
        let mut number = |at: usize, name: &str, fits: &dyn Fn(i64) -> bool| {
            let value = leading(word(at)).filter(|n| fits(*n));
            if value.is_none() {
                mistakes.push_str(&format!(", invalid {name} value '{}'", word(at)));
            }
            value.unwrap_or(0)
        };
        let inherited =
            i64::from(admin::INHERITED_MAINT | admin::INHERITED_DRAIN | admin::HOST_MAINT);
        let bits = |n: i64| n & !0x1f == 0;
        let flag = |n: i64| n == 0 || n == 1;
        let operational = number(1, "srv_op_state", &|n| (0..=3).contains(&n));
        let admin = number(2, "srv_admin_state", &|n| ADMIN_STATES.contains(&(n & !inherited)));
        let user_weight = number(3, "srv_uweight", &|n| (0..=256).contains(&n));
        let initial_weight = number(4, "srv_iweight", &|n| (0..=256).contains(&n));
        let since = number(5, "srv_last_time_change", &|_| true);
        let check_status = number(6, "srv_check_status", &|n| (0..CHECK_STATUSES).contains(&n));
        let check_result = number(7, "srv_check_result", &|n| (0..=4).contains(&n));
        let health = number(8, "srv_check_health", &|_| true);
        let check_state = number(9, "srv_check_state", &bits);
        number(10, "srv_agent_state", &bits);
        number(11, "bk_f_forced_id", &flag);
        number(12, "srv_f_forced_id", &flag);
        let host = Some(word(13)).filter(|host| !host.starts_with('-'));
        let permitted = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if host.is_some_and(|host| host.len() > 255 || !host.bytes().all(permitted)) {
            mistakes.push_str(&format!(", invalid srv_fqdn value '{}'", word(13)));
        }
        let port = leading(word(14)).unwrap_or(0);
        if !(0..=0xffff).contains(&port) {
            mistakes.push_str(&format!(", invalid srv_port value '{}'", word(14)));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Record {
            ip: word(0).parse().ok(),
            operational: match operational {
                0 => Operational::Stopped,
                1 => Operational::Starting,
                2 => Operational::Running,
                _ => Operational::Stopping,
            },
            admin: admin as u8,
            user_weight: user_weight as u32,
            initial_weight: initial_weight as u32,
            since: u64::try_from(since).unwrap_or(0),
            check_status: check_status as u8,
            check_result: check_result as u8,
            health: u32::try_from(health).unwrap_or(0),
            check_state: check_state as u8,
            host: host.map(str::to_owned),
            port: port as u16,
            service: Some(word(15)).filter(|word| word.starts_with('_')).map(str::to_owned),
        })
    }
}

/// The administrative states that a file may tell, without what tracking and names make of them.
const ADMIN_STATES: &[i64] = &[0, 1, 4, 5, 8, 12];
/// How many states of checks there are.
const CHECK_STATUSES: i64 = 21;
/// Bits of `srv_check_state`.
const CHECK_CONFIGURED: u8 = 2;
const CHECK_ENABLED: u8 = 4;

/// A server that begins as it was.
struct Beginning<'b> {
    proxy: &'b str,
    server: &'b Server,
    servers: &'b [Server],
    record: &'b Record,
    diagnostics: &'b mut Diagnostics,
}

impl Beginning<'_> {
    fn begin(&mut self) {
        let (status, record) = (&self.server.status, self.record);
        self.operational();
        self.administrative();
        status.changed_before(record.since);
        {
            let mut health = status.health.lock();
            health.status = CheckStatus::of_number(record.check_status).unwrap_or(health.status);
            health.result = CheckResult::of_number(record.check_result).unwrap_or(health.result);
            let enabled = record.check_state & CHECK_ENABLED != 0;
            if health.configured && record.check_state & CHECK_CONFIGURED != 0 && !enabled {
                health.enabled = false;
            }
        }
        if record.initial_weight == status.initial_weight.load(Relaxed) {
            status.set_weight(record.user_weight);
        }
        if self.name() && self.server.port_offset.is_none() {
            set_port(status, record.port);
        }
    }

    /// Up or down; the line that tells it.
    fn operational(&mut self) {
        let (status, record) = (&self.server.status, self.record);
        let (rise, fall, full) = {
            let health = status.health.lock();
            (health.rise, health.fall, health.full())
        };
        let (state, health) = match record.operational {
            Operational::Stopped => (Operational::Stopped, 0),
            Operational::Starting if rise == 1 => (Operational::Running, full),
            Operational::Starting if (1..rise).contains(&record.health) => {
                (Operational::Starting, record.health)
            }
            Operational::Starting => (Operational::Starting, rise - 1),
            Operational::Stopping if fall == 1 => (Operational::Stopped, 0),
            Operational::Stopping if (rise..full).contains(&record.health) => {
                (Operational::Stopping, record.health)
            }
            Operational::Stopping => (Operational::Stopping, rise),
            Operational::Running => (Operational::Running, full),
        };
        status.health.lock().health = health;
        if status.in_maintenance() || state == status.operational() {
            return;
        }
        status.begin_as(state);
        let usable = || self.servers.iter().filter(|s| s.status.is_usable());
        let backups = usable().filter(|s| s.backup).count();
        let active = usable().count() - backups;
        let on_backup = if active == 0 && backups > 0 { " Running on backup." } else { "" };
        let why = "changed from server-state after a reload";
        match state {
            Operational::Stopped => self.say(&format!(
                "is DOWN, {why}. {active} active and {backups} backup servers left.{on_backup} 0 sessions active, 0 requeued, 0 remaining in queue"
            )),
            Operational::Stopping => self.say(&format!(
                "is stopping, {why}. {active} active and {backups} backup servers online.{on_backup} 0 sessions requeued, 0 total in queue"
            )),
            Operational::Starting | Operational::Running => {}
        }
    }

    /// Maintenance and draining by hand, unless the configuration says otherwise than it did.
    fn administrative(&mut self) {
        let (status, record) = (&self.server.status, self.record);
        let own = status.admin();
        let disabled = own & admin::CONFIG_MAINT != 0;
        let was_disabled = record.admin & admin::CONFIG_MAINT != 0;
        let maintained = record.admin & admin::FORCED_MAINT != 0;
        if disabled == was_disabled && maintained && !disabled {
            status.start_in_maintenance(admin::FORCED_MAINT);
        } else if disabled == was_disabled && !maintained && disabled {
            status.health.lock().resume();
            status.set_admin(0, admin::FORCED_MAINT);
            status.begin_as(Operational::Running);
            self.say("is UP/READY (leaving forced maintenance)");
        }
        let drained = record.admin & admin::FORCED_DRAIN != 0;
        // Draining that came from a weight of 0 ends with it.
        let lasts = record.initial_weight > 0 || status.initial_weight.load(Relaxed) == 0;
        if drained && lasts && status.admin() & admin::FORCED_MAINT == 0 {
            status.set_admin(admin::FORCED_DRAIN, 0);
            self.say("remains in forced drain mode");
        }
    }

    /// The name that the runtime socket or a service's record gave; says whether nothing is wrong with it.
    fn name(&mut self) -> bool {
        let (server, record) = (self.server, self.record);
        let Some(name) = &record.host else { return true };
        let host = Host { name: name.clone(), address_came_along: false };
        if let Some(own) = server.status.host.load_full() {
            if own.name != *name
                && record.admin & admin::HOST_MAINT != 0
                && server.resolution.is_some()
            {
                server.status.host.store(Some(Arc::new(host)));
                server.status.set_admin(admin::HOST_MAINT, 0);
            }
            return true;
        }
        match (server.spec.service(), &record.service) {
            (Some(own), Some(other)) if own != other => {
                let mistake = format!(
                    ", SRV record mismatch between configuration ('{own}') and state file ('{other}) for server '{}'. Previous state not applied",
                    server.name
                );
                warn(self.diagnostics, failed(self.proxy, &server.name, &mistake));
                return false;
            }
            (Some(_), Some(_)) => server.status.host.store(Some(Arc::new(host))),
            _ => {}
        }
        true
    }

    fn say(&mut self, what: &str) {
        let backup = if self.server.backup { "Backup " } else { "" };
        let text = format!("{backup}Server {}/{} {what}.", self.proxy, self.server.name);
        warn(self.diagnostics, text);
    }
}

fn set_port(status: &ServerStatus, port: u16) {
    let address = match **status.address.load() {
        ServerAddress::Inet(address) => ServerAddress::Inet(SocketAddr::new(address.ip(), port)),
        ServerAddress::Named(_) => ServerAddress::Named(port),
        _ => return,
    };
    status.address.store(Arc::new(address));
}

fn base(line: &mut Line<'_>) -> Parsed {
    let word = line.required("'server-state-base' expects one argument: a directory path.")?;
    let base = word.str().into_owned();
    line.rest();
    line.global().server_state.base = Some(base);
    Ok(())
}

fn file(line: &mut Line<'_>) -> Parsed {
    let word = line.required("'server-state-file' expect one argument: a file path.")?;
    let file = word.str().into_owned();
    line.rest();
    line.global().server_state.file = Some(file);
    Ok(())
}

fn load(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str()).unwrap_or_default();
    line.proxy().server_state.from = match &*word {
        "global" => From::Global,
        "local" => From::Local,
        "none" => From::Nowhere,
        other => {
            return Err(line.alert(format!(
                "'load-server-state-from-file' expects 'global', 'local' or 'none'. Got '{other}'"
            )));
        }
    };
    Ok(())
}

const BACKEND: Keyword =
    Keyword { sections: Sections::BACKENDS, status: Status::Works, ..Keyword::NEW };
const GLOBAL: Keyword =
    Keyword { sections: Sections::GLOBAL, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "load-server-state-from-file",
            args: "{ global | local | none }",
            default: "none",
            doc: "Where the servers' state is read from at start: the file of the whole process (`global`), the proxy's own (`local`), or nowhere (`none`).",
            examples: &["load-server-state-from-file global"],
            parse: load,
            ..BACKEND
        },
        Keyword {
            name: "server-state-base",
            once: "'server-state-base'",
            args: "<dir>",
            doc: "The directory of server state files.",
            examples: &["server-state-base /var/lib/haproxy"],
            parse: base,
            ..GLOBAL
        },
        Keyword {
            name: "server-state-file",
            once: "'server-state-file'",
            args: "<file>",
            doc: "The file with the state of all servers, as `show servers state` tells it.",
            examples: &["server-state-file /var/lib/haproxy/state"],
            parse: file,
            ..GLOBAL
        },
        Keyword {
            name: "server-state-file-name",
            args: "[<file>]",
            default: "the proxy's name",
            doc: "The proxy's own server state file.",
            examples: &["server-state-file-name app.state"],
            parse: |line| {
                let name = line.word().map(|word| word.str().into_owned());
                line.rest();
                line.proxy().server_state.name = name;
                Ok(())
            },
            ..BACKEND
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_line_is_read_as_it_is_written() {
        let line = "127.0.0.5 3 8 5 10 200 6 3 4 6 0 0 0 web.test 82 -";
        let record = Record::read(&words(line)).unwrap();
        assert_eq!(record.ip, Some(IpAddr::from([127, 0, 0, 5])));
        assert_eq!((record.operational, record.admin), (Operational::Stopping, 8));
        assert_eq!((record.user_weight, record.initial_weight, record.since), (5, 10, 200));
        assert_eq!((record.host.as_deref(), record.port), (Some("web.test"), 82));
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let line = "- 9 99 999 -1 x 99 99 y 999 999 5 5 bad!name 99999 -";
        let expected = ", invalid srv_op_state value '9', invalid srv_admin_state value '99', invalid srv_uweight value '999', invalid srv_iweight value '-1', invalid srv_last_time_change value 'x', invalid srv_check_status value '99', invalid srv_check_result value '99', invalid srv_check_health value 'y', invalid srv_check_state value '999', invalid srv_agent_state value '999', invalid bk_f_forced_id value '5', invalid srv_f_forced_id value '5', invalid srv_fqdn value 'bad!name', invalid srv_port value '99999'";
        assert_eq!(Record::read(&words(line)), Err(expected.to_owned()));
    }

    #[test]
    fn lines_that_are_short_or_not_ended_do_not_count() {
        let line = "3 be 1 a 127.0.0.5 2 0 1 1 0 1 0 2 0 0 0 0 - 80 -";
        assert!(fields(&format!("  {line}\n")).is_some());
        assert!(fields(line).is_none());
        assert!(fields(&format!("#{line}\n")).is_none());
        assert!(fields("3 be 1 a\n").is_none());
    }
}
