//! What can only be judged once all of a configuration was read: names that lead nowhere, modes that
//! do not fit, proxies that lack something (manual 4). In: the `Spec`. Out: HAProxy 2.3's alerts and
//! warnings in its order: proxy by proxy, as they stand in the files.

use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::proxy::Mode;
use crate::config::references;
use crate::config::section::Sections;
use crate::config::spec::{ProxySpec, Spec};
use crate::flow::rules::RuleSets;
use crate::flow::rules::switch::BackendName;

/// Says what is wrong with a configuration that could be read.
pub fn check(spec: &Spec, diagnostics: &mut Diagnostics) {
    let mut judge = Judge { spec, diagnostics };
    for proxy in &spec.proxies {
        if !proxy.basics.disabled {
            judge.proxy(proxy);
        }
    }
    for proxy in &spec.proxies {
        if !proxy.basics.disabled {
            judge.usable(proxy);
        }
    }
    judge.sections();
}

struct Judge<'a> {
    spec: &'a Spec,
    diagnostics: &'a mut Diagnostics,
}

impl Judge<'_> {
    fn alert(&mut self, text: String) {
        self.diagnostics.push(Diagnostic::alert(None, text));
    }

    fn warn(&mut self, text: String) {
        self.diagnostics.push(Diagnostic::warning(None, text));
    }

    fn section_exists(&self, section: Sections, name: &str) -> bool {
        self.spec.sections.iter().any(|s| s.section == section && s.name == name)
    }

    fn proxy(&mut self, proxy: &ProxySpec) {
        let name = &proxy.name;
        if proxy.kind.has_frontend() {
            self.switching(proxy);
        }
        self.use_server(proxy);
        for (what, table, _) in &proxy.references.tables {
            let table = if table.is_empty() && *what == "table" { name } else { table };
            let exists =
                self.spec.proxies.iter().any(|p| p.name == *table && p.stick_table.is_some());
            if !exists {
                self.alert(format!("Proxy '{name}': unable to find {what} '{table}'."));
            }
        }
        if let Some((peers, _)) = &proxy.references.peers
            && !self.section_exists(Sections::PEERS, peers)
        {
            self.alert(format!("Proxy '{name}': unable to find sync peers '{peers}'."));
        }
        for (errors, place) in &proxy.references.error_sections {
            if !self.section_exists(Sections::HTTP_ERRORS, errors) {
                self.alert(format!(
                    "config : proxy '{name}': unknown http-errors section '{errors}' (at {place})."
                ));
            }
        }
        self.mailers(proxy);
        let args = references::check_args(self.spec, proxy);
        args.into_iter().for_each(|d| self.diagnostics.push(d));
        self.modes(proxy);
        self.server_names(proxy);
        self.references(proxy);
    }

    /// `use_backend` and `default_backend`.
    fn switching(&mut self, proxy: &ProxySpec) {
        if let Some(wanted) = &proxy.rules.switching.default {
            self.backend(proxy, wanted, "default_backend", "as its default backend");
        }
        for (wanted, _) in &proxy.rules.switching.rules {
            if !wanted.name.contains("%[") {
                self.backend(proxy, wanted, "use_backend", "in a 'use_backend' rule");
            }
        }
    }

    fn backend(&mut self, proxy: &ProxySpec, wanted: &BackendName, keyword: &str, role: &str) {
        let (name, target) = (&proxy.name, &wanted.name);
        let mut found = self.spec.proxies.iter().filter(|p| p.name == *target);
        match found.find(|p| p.kind.has_backend()) {
            None => self
                .alert(format!("Proxy '{name}': unable to find required {keyword}: '{target}'.")),
            Some(backend) if std::ptr::eq(backend, proxy) => {
                self.alert(format!("Proxy '{name}': loop detected for {keyword}: '{target}'."));
            }
            Some(backend)
                if proxy.basics.mode == Mode::Http && backend.basics.mode == Mode::Tcp =>
            {
                let (ours, theirs) = (proxy.kind.word(), backend.kind.word());
                self.alert(format!(
                    "http {ours} '{name}' ({}) tries to use incompatible tcp {theirs} '{target}' ({}) {role} (see 'mode').",
                    proxy.place, backend.place
                ));
            }
            Some(_) => {}
        }
    }

    fn use_server(&mut self, proxy: &ProxySpec) {
        for (server, _) in &proxy.references.servers {
            if !proxy.servers.iter().any(|s| s.name == *server) {
                let kind = proxy.kind.word();
                self.alert(format!(
                    "config : {kind} '{}' : unable to find server '{server}' referenced in a 'use-server' rule.",
                    proxy.name
                ));
            }
        }
    }

    fn mailers(&mut self, proxy: &ProxySpec) {
        if let Some((mailers, _)) = &proxy.references.mailers
            && proxy.references.mail_ends == (true, true)
            && !self.section_exists(Sections::MAILERS, mailers)
        {
            self.alert(format!("Proxy '{}': unable to find mailers '{mailers}'.", proxy.name));
        }
    }

    /// Lines that mean nothing in this mode.
    fn modes(&mut self, proxy: &ProxySpec) {
        if proxy.basics.mode == Mode::Http {
            return;
        }
        let (kind, name) = (proxy.kind.word(), &proxy.name);
        let sets = [
            (RuleSets::HTTP_REQUEST, "http-request"),
            (RuleSets::HTTP_RESPONSE, "http-response"),
            (RuleSets::HTTP_AFTER_RESPONSE, "http-after-response"),
        ];
        for (set, word) in sets {
            if proxy.rules.of(set).next().is_some() {
                self.warn(format!(
                    "config : '{word}' rules ignored for {kind} '{name}' as they require HTTP mode."
                ));
            }
        }
        let layer7 = ["uri", "url_param", "hdr"];
        let algorithm = proxy.balance.words.first().map(|w| w.str()).unwrap_or_default();
        let base = algorithm.split('(').next().unwrap_or_default();
        if proxy.kind.has_backend() && layer7.contains(&base) {
            self.warn(format!(
                "config : Layer 7 hash not possible for {kind} '{name}' (needs 'mode http'). Falling back to round robin."
            ));
        }
    }

    /// Two servers of one name.
    fn server_names(&mut self, proxy: &ProxySpec) {
        let mut seen: std::collections::HashMap<&str, u32> = std::collections::HashMap::new();
        for server in &proxy.servers {
            let before = seen.insert(&server.name, server.place.line);
            if let Some(line) = before {
                let text = format!(
                    "parsing [{}] : {} '{}', another server named '{}' was already defined at line {line}, please use distinct names.",
                    server.place,
                    proxy.kind.word(),
                    proxy.name,
                    server.name
                );
                self.diagnostics.push(Diagnostic::alert(Some(&server.place), text));
            }
        }
    }

    /// Caches and applications.
    fn references(&mut self, proxy: &ProxySpec) {
        let (kind, name) = (proxy.kind.word(), &proxy.name);
        for (cache, _) in &proxy.references.caches {
            if !self.section_exists(Sections::CACHE, cache) {
                self.alert(format!(
                    "config: {kind} '{name}': unable to find the cache '{cache}' referenced by the filter 'cache'."
                ));
            }
        }
        for (application, _) in &proxy.references.applications {
            if !self.section_exists(Sections::FCGI_APP, application) {
                self.alert(format!(
                    "config : proxy '{name}' : fcgi-app '{application}' not found."
                ));
            }
        }
    }

    /// Whether a proxy has what it needs to work.
    fn usable(&mut self, proxy: &ProxySpec) {
        let (kind, name) = (proxy.kind.word(), &proxy.name);
        if proxy.kind.has_frontend() && proxy.binds.is_empty() {
            self.warn(format!(
                "config : {kind} '{name}' has no 'bind' directive. Please declare it as a backend if this was intended."
            ));
        }
        let unset = |t: Option<std::time::Duration>| t.is_none_or(|t| t.is_zero());
        let timeouts = &proxy.timeouts;
        let has_servers = proxy.kind.has_backend() && !proxy.servers.is_empty();
        let missing = (proxy.kind.has_frontend() && unset(timeouts.client))
            || (has_servers && (unset(timeouts.connect) || unset(timeouts.server)));
        if missing {
            self.warn(format!(
                "config : missing timeouts for {kind} '{name}'.\n   | While not properly invalid, you will certainly encounter various problems\n   | with such a configuration. To fix this, please ensure that all following\n   | timeouts are set to a non-zero value: 'client', 'connect', 'server'."
            ));
        }
    }

    /// Small sections that lack something.
    fn sections(&mut self) {
        for section in &self.spec.sections {
            let has = |keyword: &str| {
                section.lines.iter().any(|(_, words)| words.first().is_some_and(|w| *w == *keyword))
            };
            let name = &section.name;
            match section.section {
                Sections::CACHE if !has("total-max-size") => {
                    self.alert(format!("Size not specified for cache '{name}'"));
                }
                Sections::PROGRAM if !has("command") => {
                    self.alert(format!("The program section '{name}' lacks a command to launch."));
                }
                Sections::PROGRAM if !self.spec.global.master_worker => {
                    self.alert("Can't use a 'program' section without master worker mode.".into());
                }
                Sections::FCGI_APP if !has("docroot") => {
                    self.alert(format!("config : fcgi-app '{name}': no docroot configured."));
                }
                _ => {}
            }
        }
    }
}
