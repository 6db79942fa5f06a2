//! One proxy: the names it refers to, and what it needs to work (manual 4.2). In: the proxy and the whole
//! `Spec`. Out: HAProxy's messages in its order.

use std::collections::HashMap;

use super::{Judge, titled};
use crate::check::CheckKind;
use crate::config::diagnostic::Diagnostic;
use crate::config::proxy::Mode;
use crate::config::references;
use crate::config::section::Sections;
use crate::config::spec::{ProxySpec, WrittenLine};
use crate::config::spoe::{self, AgentSpec};
use crate::flow::rules::RuleSets;
use crate::flow::rules::switch::BackendName;

impl<'a> Judge<'a> {
    pub fn proxy(&mut self, proxy: &'a ProxySpec) {
        self.processes_of(proxy);
        if proxy.basics.mode != Mode::Http {
            self.needs_http(proxy);
        }
        if proxy.kind.has_frontend() && proxy.binds.is_empty() {
            self.warn(
                &proxy.place,
                format!(
                    "config : {} has no 'bind' directive. Please declare it as a backend if this was intended.",
                    titled(proxy)
                ),
            );
        }
        self.balance_mode(proxy);
        self.check_rules(proxy);
        self.email_alert(proxy);
        self.external_check(proxy);
        self.switching(proxy);
        self.use_server(proxy);
        self.tables(proxy);
        self.rule_names(proxy);
        self.peers_and_mailers(proxy);
        let args = references::check_args(self.spec, proxy);
        args.into_iter().for_each(|d| self.diagnostics.push(d));
        self.timeouts(proxy);
        let rules = own_lines(proxy).any(|line| line.name.starts_with("tcp-check"));
        if proxy.kind.has_backend() && rules && proxy.check.kind != Some(CheckKind::Tcp) {
            self.warn(&proxy.place, format!("config : {} uses tcp-check rules without 'option tcp-check', so the rules are ignored.", titled(proxy)));
        }
        self.capture_length(proxy);
        self.server_names(proxy);
        self.tracking(proxy);
        if proxy.kind.has_frontend() && proxy.log.targets.is_empty() {
            self.unused_format(proxy);
        }
        if proxy.basics.mode != Mode::Http {
            self.ignored_without_http(proxy);
        }
        self.servers_of_mode(proxy);
        self.filters(proxy);
        self.engines(proxy);
        self.protocols(proxy);
    }

    /// Two proxies of one `id`: told where the second one is written.
    pub fn proxy_ids(&mut self) {
        let spec = self.spec;
        let mut seen: HashMap<u32, &ProxySpec> = HashMap::new();
        for proxy in &spec.proxies {
            let Some(id) = proxy.basics.id else { continue };
            let Some(other) = seen.insert(id, proxy) else { continue };
            let place = proxy.written("id").map_or(&proxy.place, |line| &line.place);
            self.alert(
                place,
                format!(
                    "parsing [{place}]: {} {} reuses same custom id as {} {} (declared at {}).",
                    proxy.kind.word(),
                    proxy.name,
                    other.kind.word(),
                    other.name,
                    other.place
                ),
            );
        }
    }

    /// `bind-process`, which names processes that do not exist.
    fn processes_of(&mut self, proxy: &ProxySpec) {
        let Some(line) = proxy.written("bind-process") else { return };
        let first = line.args.first().map(|w| w.str().into_owned()).unwrap_or_default();
        if matches!(first.as_str(), "all" | "odd" | "" | "even") {
            return;
        }
        let processes = self.spec.global.nbproc.unwrap_or(1).into();
        let ranges = line.args.iter().map(|w| w.str().into_owned());
        let ranges: Vec<(i64, i64)> = ranges
            .map(|text| match text.split_once('-') {
                Some((low, high)) => {
                    let (low, high) = (super::number(low), super::number(high));
                    (low.min(high), low.max(high))
                }
                None => (super::number(&text), super::number(&text)),
            })
            .collect();
        if ranges.iter().any(|(low, _)| *low <= processes) {
            return;
        }
        let (place, name) = (line.place.clone(), &proxy.name);
        self.warn(&place, match ranges.as_slice() {
            [(low, high)] if low == high => format!("Proxy '{name}': the process specified on the 'bind-process' directive refers to a process number that is higher than global.nbproc. The proxy has been forced to run on process 1 only."),
            _ => format!("Proxy '{name}': all processes specified on the 'bind-process' directive refer to numbers that are all higher than global.nbproc. The directive was ignored and the proxy will run on all processes."),
        });
    }

    /// `balance` beside what chooses the destination otherwise.
    fn balance_mode(&mut self, proxy: &ProxySpec) {
        if !proxy.kind.has_backend() || proxy.balance.words.is_empty() {
            return;
        }
        let transparent =
            proxy.written("transparent").or_else(|| proxy.written("option transparent"));
        if let Some(line) = transparent {
            let place = line.place.clone();
            self.alert(
                &place,
                format!("config : {} cannot use both transparent and balance mode.", titled(proxy)),
            );
        } else if let Some(line) = proxy.written("dispatch") {
            let place = line.place.clone();
            self.warn(
                &place,
                format!(
                    "config : dispatch address of {} will be ignored in balance mode.",
                    titled(proxy)
                ),
            );
        }
    }

    /// Rules of checks that are not made.
    fn check_rules(&mut self, proxy: &ProxySpec) {
        if !proxy.kind.has_backend() {
            return;
        }
        let who = titled(proxy);
        let rules = own_lines(proxy).any(|line| {
            line.name.starts_with("http-check")
                && !["http-check disable-on-404", "http-check send-state"].contains(&line.name)
        });
        if rules && proxy.check.kind != Some(CheckKind::Http) {
            self.warn(&proxy.place, format!("config : {who} uses http-check rules without 'option httpchk', so the rules are ignored."));
        }
        if matches!(proxy.check.kind, None | Some(CheckKind::Http)) {
            return;
        }
        for what in ["disable-on-404", "send-state"] {
            if let Some(line) = proxy.written(&format!("http-check {what}")) {
                let place = line.place.clone();
                self.warn(
                    &place,
                    format!(
                        "config : '{what}' will be ignored for {who} (requires 'option httpchk')."
                    ),
                );
            }
        }
    }

    fn email_alert(&mut self, proxy: &ProxySpec) {
        let Some(first) = proxy.lines.iter().find(|l| l.name.starts_with("email-alert ")) else {
            return;
        };
        let all = ["email-alert from", "email-alert mailers", "email-alert to"];
        if !all.iter().all(|name| proxy.written(name).is_some()) {
            let place = first.place.clone();
            self.warn(&place, format!(
                "config : 'email-alert' will be ignored for {} (the presence any of 'email-alert from', 'email-alert level' 'email-alert mailers', 'email-alert myhostname', or 'email-alert to' requires each of 'email-alert from', 'email-alert mailers' and 'email-alert to' to be present).",
                titled(proxy)
            ));
        }
    }

    /// `option external-check` and what it needs; it counts when it was written after other checks.
    fn external_check(&mut self, proxy: &ProxySpec) {
        let name = &proxy.name;
        let checks = [
            "option external-check",
            "option httpchk",
            "option ldap-check",
            "option mysql-check",
            "option pgsql-check",
            "option redis-check",
            "option smtpchk",
            "option spop-check",
            "option ssl-hello-chk",
            "option tcp-check",
        ];
        let last = proxy.lines.iter().rev().find(|line| checks.contains(&line.name));
        let external = last.filter(|line| line.name == checks[0]);
        let command = proxy.written("external-check command");
        let path = proxy.written("external-check path");
        if let Some(line) = external {
            let place = line.place.clone();
            let missing = |what: &str| {
                format!(
                    "Proxy '{name}' : 'option external-check' unable to find required '{what}'."
                )
            };
            if self.spec.global_line("external-check").is_none() {
                self.alert(&place, missing("global.external-check"));
            }
            if command.is_none() {
                self.alert(&place, missing("external-check command"));
            }
            if self.spec.global_line("insecure-fork-wanted").is_none() {
                self.warn(&place, format!("Proxy '{name}' : 'insecure-fork-wanted' not enabled in the global section, 'option external-check' will likely fail."));
            }
        }
        let ignored = |what: &str| {
            format!(
                "config : '{what}' will be ignored for {} (requires 'option external-check').",
                titled(proxy)
            )
        };
        if let Some(line) = command {
            if external.is_none() {
                self.warn(&line.place, ignored("external-check command"));
            }
            let absolute = line.args.first().is_some_and(|w| w.bytes().starts_with(b"/"));
            if !absolute && path.is_none() {
                self.alert(&line.place, format!("Proxy '{name}': 'external-check command' does not have a leading '/' and 'external-check path' is not set."));
            }
        }
        if let Some(line) = path.filter(|_| external.is_none()) {
            self.warn(&line.place, ignored("external-check path"));
        }
    }

    /// `use_backend` and `default_backend`.
    fn switching(&mut self, proxy: &ProxySpec) {
        let switching = &proxy.rules.switching;
        if let Some(wanted) = &switching.default {
            let found = self.backend(proxy, wanted, "default_backend", "as its default backend");
            if found && !proxy.servers.is_empty() {
                let text = format!(
                    "In proxy '{}', the 'default_backend' rule always has precedence over the servers, which will never be used.",
                    proxy.name
                );
                self.warn(&wanted.place, text);
            }
        }
        for (wanted, _) in &switching.rules {
            if wanted.format.is_none() {
                self.backend(proxy, wanted, "use_backend", "in a 'use_backend' rule");
            }
        }
    }

    /// Whether the backend exists and fits.
    fn backend(
        &mut self,
        proxy: &ProxySpec,
        wanted: &BackendName,
        keyword: &str,
        role: &str,
    ) -> bool {
        let (name, target) = (&proxy.name, &wanted.name);
        let mistake = match self.backend_named(target) {
            None => format!("Proxy '{name}': unable to find required {keyword}: '{target}'."),
            Some(backend) if std::ptr::eq(backend, proxy) => {
                format!("Proxy '{name}': loop detected for {keyword}: '{target}'.")
            }
            Some(backend)
                if proxy.basics.mode == Mode::Http && backend.basics.mode == Mode::Tcp =>
            {
                let (ours, theirs) = (proxy.kind.word(), backend.kind.word());
                format!(
                    "http {ours} '{name}' ({}) tries to use incompatible tcp {theirs} '{target}' ({}) {role} (see 'mode').",
                    proxy.place, backend.place
                )
            }
            Some(_) => return true,
        };
        let known = self.proxies.keys().copied();
        let near = crate::config::unknown::nearest(target, known).map(str::to_owned);
        let diagnostic = Diagnostic::alert(Some(&wanted.place), mistake);
        self.diagnostics.push(match near {
            Some(near) if self.backend_named(target).is_none() => {
                diagnostic.with_help(format!("did you mean '{near}'?"))
            }
            _ => diagnostic,
        });
        false
    }

    fn use_server(&mut self, proxy: &ProxySpec) {
        for (server, place) in &proxy.references.servers {
            if !proxy.servers.iter().any(|s| s.name == *server) {
                let text = format!(
                    "config : {} '{}' : unable to find server '{server}' referenced in a 'use-server' rule.",
                    proxy.kind.word(),
                    proxy.name
                );
                self.alert(place, text);
            }
        }
    }

    fn tables(&mut self, proxy: &ProxySpec) {
        let name = &proxy.name;
        for (what, table, place) in &proxy.references.tables {
            if !self.spec.has_table(table) {
                self.alert(place, format!("Proxy '{name}': unable to find {what} '{table}'."));
            }
        }
    }

    fn peers_and_mailers(&mut self, proxy: &ProxySpec) {
        let (name, references) = (&proxy.name, &proxy.references);
        if let Some((peers, place)) = &references.peers {
            match self.named.get(&(Sections::PEERS, peers.as_str())) {
                None => self
                    .alert(place, format!("Proxy '{name}': unable to find sync peers '{peers}'.")),
                Some(section) if self.lacks_local_peer(section) => {
                    let local = self.local_peer();
                    self.alert(place, format!("Proxy '{name}': unable to find local peer '{local}' in peers section '{peers}'."));
                }
                Some(_) => {}
            }
        }
        for (errors, place) in &references.error_sections {
            if !self.section_exists(Sections::HTTP_ERRORS, errors) {
                self.alert(
                    place,
                    format!(
                        "config : proxy '{name}': unknown http-errors section '{errors}' (at {place})."
                    ),
                );
            }
        }
        if let Some((mailers, place)) = &references.mailers
            && references.mail_ends == (true, true)
            && !self.section_exists(Sections::MAILERS, mailers)
        {
            self.alert(place, format!("Proxy '{name}': unable to find mailers '{mailers}'."));
        }
    }

    fn timeouts(&mut self, proxy: &ProxySpec) {
        let unset = |t: Option<std::time::Duration>| t.is_none_or(|t| t.is_zero());
        let timeouts = &proxy.timeouts;
        let server =
            !unset(timeouts.server) || (proxy.basics.mode == Mode::Tcp && !unset(timeouts.tunnel));
        let has_servers = proxy.kind.has_backend() && !proxy.servers.is_empty();
        let missing = (proxy.kind.has_frontend() && unset(timeouts.client))
            || (has_servers && (unset(timeouts.connect) || !server));
        if missing {
            self.warn(&proxy.place, format!(
                "config : missing timeouts for {}.\n   | While not properly invalid, you will certainly encounter various problems\n   | with such a configuration. To fix this, please ensure that all following\n   | timeouts are set to a non-zero value: 'client', 'connect', 'server'.",
                titled(proxy)
            ));
        }
    }

    /// Captured cookies are cut to what fits.
    fn capture_length(&mut self, proxy: &ProxySpec) {
        let Some(line) = proxy.written("capture cookie") else { return };
        let length = line.args.get(2).map(|w| super::number(&w.str())).unwrap_or_default();
        let limit = self.spec.global_line("tune.http.cookielen");
        let limit = limit.and_then(|l| l.args.first()).map(|w| super::number(&w.str()) + 1);
        let limit = limit.unwrap_or(64);
        if length >= limit {
            let place = line.place.clone();
            let text = format!(
                "config : truncating capture length to {} bytes for {}.",
                limit - 1,
                titled(proxy)
            );
            self.warn(&place, text);
        }
    }

    fn unused_format(&mut self, proxy: &ProxySpec) {
        let format = proxy.log.format.as_ref().map(|(_, place)| place);
        if let Some(place) = format.or(proxy.log.structured.as_ref().map(|(_, place)| place)) {
            let text = format!(
                "config : log format ignored for {} since it has no log address.",
                titled(proxy)
            );
            self.warn(place, text);
        }
    }

    /// Engines and groups of `send-spoe-group`.
    fn rule_names(&mut self, proxy: &ProxySpec) {
        for (_, set) in RuleSets::NAMES {
            for rule in proxy.rules.of(*set) {
                let mut words = rule.words.iter().map(|word| word.str());
                if words.next().as_deref() != Some("send-spoe-group") {
                    continue;
                }
                let (engine, group) = (words.next(), words.next());
                let (engine, group) = (engine.unwrap_or_default(), group.unwrap_or_default());
                if let Some(text) = spoe::misnamed_group(proxy, *set, (&*engine, &*group)) {
                    self.alert(&rule.place, format!("Proxy '{}': {text}.", proxy.name));
                }
            }
        }
    }

    /// The agents of `filter spoe`.
    fn engines(&mut self, proxy: &ProxySpec) {
        let (name, engines) = (&proxy.name, &proxy.references.engines);
        for (index, spec) in engines.iter().enumerate() {
            let (engine, AgentSpec { name: agent, place, backend, .. }) =
                (&spec.engine, &spec.agent);
            let wanted = backend.as_deref().unwrap_or_default();
            let twice = engines.iter().enumerate().any(|(i, s)| i != index && s.engine == *engine);
            let mistake = match self.backend_named(wanted) {
                _ if twice => format!("duplicated name for SPOE engine '{engine}'."),
                None => format!(
                    "unknown backend '{wanted}' used by SPOE agent '{agent}' declared at {place}."
                ),
                Some(backend) if backend.basics.mode != Mode::Tcp => format!(
                    "backend '{wanted}' used by SPOE agent '{agent}' declared at {place} does not support HTTP mode."
                ),
                Some(_) => continue,
            };
            self.alert(place, format!("Proxy {name} : {mistake}"));
        }
    }

    /// Caches and applications.
    fn filters(&mut self, proxy: &ProxySpec) {
        let caches = proxy.references.caches.iter().map(|(name, _)| name.as_str());
        let caches = caches.filter(|name| self.section_exists(Sections::CACHE, name));
        let mistakes = proxy.filters.mistakes(caches);
        for mistake in mistakes {
            let line = proxy.written("filter").or_else(|| proxy.written("compression"));
            let place = line.map_or(&proxy.place, |line| &line.place);
            self.alert(place, format!("config: {}: {mistake}", titled(proxy)));
        }
        let mut told: Vec<&str> = Vec::new();
        for (cache, place) in &proxy.references.caches {
            if told.contains(&cache.as_str()) {
                continue;
            }
            told.push(cache);
            if !self.section_exists(Sections::CACHE, cache) {
                self.alert(place, format!(
                    "config: {}: unable to find the cache '{cache}' referenced by the filter 'cache'.",
                    titled(proxy)
                ));
            }
        }
        for (application, place) in &proxy.references.applications {
            if !self.section_exists(Sections::FCGI_APP, application) {
                self.alert(
                    place,
                    format!(
                        "config : proxy '{}' : fcgi-app '{application}' not found.",
                        proxy.name
                    ),
                );
            }
        }
    }
}

/// The proxy's own lines, without those that come from the defaults.
fn own_lines(proxy: &ProxySpec) -> impl Iterator<Item = &WrittenLine> {
    let start = &proxy.place;
    proxy.lines.iter().filter(|line| line.place.file == start.file && line.place.line >= start.line)
}
