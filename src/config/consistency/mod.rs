//! What can only be judged once all of a configuration was read: names that lead nowhere, modes that
//! do not fit, proxies that lack something (manual 4). In: the `Spec`. Out: HAProxy 2.3's alerts and
//! warnings in its order: proxy by proxy, as they stand in the files, then section by section.

mod modes;
mod proxies;
mod sections;
mod servers;

use std::collections::HashMap;

use crate::config::args::parse_lenient;
use crate::config::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::config::outside::Outside;
use crate::config::section::Sections;
use crate::config::spec::{NamedSection, ProxySpec, ServerSpec, Spec};

/// Says what is wrong with a configuration that could be read.
pub fn check(spec: &Spec, outside: &mut dyn Outside, diagnostics: &mut Diagnostics) {
    let mut judge = Judge::new(spec, outside, diagnostics);
    if judge.processes().is_err() || judge.userlists().is_err() {
        return;
    }
    judge.proxy_ids();
    for proxy in spec.proxies.iter().filter(|proxy| !proxy.basics.disabled) {
        judge.proxy(proxy);
    }
    judge.sections();
}

/// Judges a configuration: what was written, with its names in order, and where messages go.
struct Judge<'a> {
    spec: &'a Spec,
    diagnostics: &'a mut Diagnostics,
    /// The proxies of each name.
    proxies: HashMap<&'a str, Vec<&'a ProxySpec>>,
    /// The small sections by kind and name.
    named: HashMap<(Sections, &'a str), &'a NamedSection>,
    /// What the servers judged so far track.
    tracks: HashMap<*const ServerSpec, &'a ServerSpec>,
    /// This process's name among peers, unless `localpeer` says another.
    local_name: String,
}

/// What could not be judged because of an alert that was given.
struct Stop;

impl<'a> Judge<'a> {
    fn new(
        spec: &'a Spec,
        outside: &mut dyn Outside,
        diagnostics: &'a mut Diagnostics,
    ) -> Judge<'a> {
        let mut proxies: HashMap<&str, Vec<&ProxySpec>> = HashMap::new();
        for proxy in &spec.proxies {
            proxies.entry(&proxy.name).or_default().push(proxy);
        }
        let named = spec.sections.iter().rev().map(|s| ((s.section, s.name.as_str()), s)).collect();
        let given = spec.environment.get("HAPROXY_LOCALPEER", outside);
        let given = given.map(|name| String::from_utf8_lossy(&name).into_owned());
        let local_name = given.unwrap_or_else(|| outside.hostname());
        let tracks = HashMap::new();
        Judge { spec, diagnostics, proxies, named, tracks, local_name }
    }

    fn alert(&mut self, place: &Place, text: String) {
        self.diagnostics.push(Diagnostic::alert(Some(place), text));
    }

    fn warn(&mut self, place: &Place, text: String) {
        self.diagnostics.push(Diagnostic::warning(Some(place), text));
    }

    fn section_exists(&self, section: Sections, name: &str) -> bool {
        self.named.contains_key(&(section, name))
    }

    /// The backend of this name.
    fn backend_named(&self, name: &str) -> Option<&'a ProxySpec> {
        self.proxies.get(name)?.iter().copied().find(|proxy| proxy.kind.has_backend())
    }

    /// `nbproc` beside `nbthread`.
    fn processes(&mut self) -> Result<(), Stop> {
        let global = &self.spec.global;
        if global.nbproc.is_none_or(|n| n < 2) {
            return Ok(());
        }
        if global.nbthread.is_some_and(|n| n > 1) {
            let text = "config : cannot enable multiple processes if multiple threads are configured. Please use either nbproc or nbthread but not both.";
            self.diagnostics.push(Diagnostic::alert(None, text));
            return Err(Stop);
        }
        Ok(())
    }
}

/// `config : ` and what HAProxy calls the proxy.
fn titled(proxy: &ProxySpec) -> String {
    format!("{} '{}'", proxy.kind.word(), proxy.name)
}

/// A number as HAProxy reads it.
fn number(text: &str) -> i64 {
    parse_lenient(text.as_bytes())
}
