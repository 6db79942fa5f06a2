//! The small sections (manual 3.4 to 3.10, 5.3, 6, 10): names within userlists, sections that lack
//! something or are used by nobody. In: the `Spec`. Out: HAProxy's messages.

use super::{Judge, Stop, titled};
use crate::config::diagnostic::Place;
use crate::config::proxy::Mode;
use crate::config::section::Sections;
use crate::config::spec::NamedSection;
use crate::config::words::Word;
use crate::flow::response::cache;
use crate::state::cache::BLOCK;

impl<'a> Judge<'a> {
    /// Users name groups and groups name users; the first mistake ends it, as in HAProxy.
    pub fn userlists(&mut self) -> Result<(), Stop> {
        let spec = self.spec;
        for list in spec.sections.iter().filter(|s| s.section == Sections::USERLIST) {
            if let Some((place, mistake)) = unknown_member(list) {
                self.alert(place, format!("userlist '{}': {mistake}", list.name));
                return Err(Stop);
            }
        }
        Ok(())
    }

    /// What HAProxy says once all proxies are judged.
    pub fn sections(&mut self) {
        let spec = self.spec;
        let of = |kind: Sections| spec.sections.iter().filter(move |s| s.section == kind);
        for section in of(Sections::PEERS) {
            if !has(section, "disabled") && self.lacks_local_peer(section) {
                let (name, local) = (&section.name, self.local_peer());
                self.warn(
                    &section.place,
                    format!(
                        "Removing incomplete section 'peers {name}' (no peer named '{local}')."
                    ),
                );
            }
        }
        for section in of(Sections::MAILERS) {
            let used = spec.proxies.iter().filter(|p| !p.basics.disabled).any(|p| {
                let references = &p.references;
                references.mail_ends == (true, true)
                    && references.mailers.as_ref().is_some_and(|(name, _)| *name == section.name)
            });
            if !used {
                let text = format!("Removing incomplete section 'mailers {}'.", section.name);
                self.warn(&section.place, text);
            }
        }
        for section in of(Sections::RESOLVERS) {
            if !has(section, "nameserver") && !has(section, "parse-resolv-conf") {
                let (name, place) = (&section.name, &section.place);
                let text =
                    format!("config : resolvers '{name}' [{place}] has no nameservers configured!");
                self.warn(place, text);
            }
        }
        self.resolvers();
        self.applications();
        self.programs();
        for section in of(Sections::CACHE) {
            self.cache(section);
        }
    }

    /// `resolvers` of servers.
    fn resolvers(&mut self) {
        for proxy in self.spec.proxies.iter().filter(|p| !p.basics.disabled) {
            for server in &proxy.servers {
                let wanted = server.option("resolvers");
                if let Some(name) = wanted.filter(|n| !self.section_exists(Sections::RESOLVERS, n))
                {
                    let text = format!(
                        "config : {}, server '{}': unable to find required resolvers '{name}'",
                        titled(proxy),
                        server.name
                    );
                    self.alert(&server.place, text);
                }
            }
        }
    }

    /// FastCGI applications and the servers that need them; the first mistake ends it.
    fn applications(&mut self) {
        for proxy in &self.spec.proxies {
            let application = proxy.references.applications.first();
            let name = &proxy.name;
            if let Some((_, place)) = application.filter(|_| proxy.basics.mode == Mode::Tcp) {
                self.alert(
                    place,
                    format!(
                        "config : proxy '{name}': FCGI application cannot be used in non-HTTP mode."
                    ),
                );
                return;
            }
            let mut servers = proxy.servers.iter().filter(|s| s.option("proto") == Some("fcgi"));
            match (application, servers.next()) {
                (None, Some(server)) => {
                    let text = format!(
                        "config : proxy '{name}': FCGI server '{}' has no FCGI app configured.",
                        server.name
                    );
                    return self.alert(&server.place, text);
                }
                (Some((_, place)), None) => {
                    return self.alert(
                        place,
                        format!(
                            "config : proxy '{name}': FCGI app configured but no FCGI server found."
                        ),
                    );
                }
                _ => {}
            }
        }
        let spec = self.spec;
        for section in spec.sections.iter().filter(|s| s.section == Sections::FCGI_APP) {
            let name = &section.name;
            if !has(section, "docroot") {
                let text = format!("config : fcgi-app '{name}': no docroot configured.");
                return self.alert(&section.place, text);
            }
            let option = |what: &str| {
                let mut lines = section.lines.iter().rev();
                lines.find(|(_, w)| is(w, 0, "option") && is(w, 1, what))
            };
            let requests = option("max-reqs").and_then(|(_, w)| w.get(2));
            let requests = requests.map_or(1, |w| super::number(&w.str()));
            if requests > 1 && option("mpxs-conns").is_none() && option("get-values").is_none() {
                self.warn(&section.place, format!("config : fcgi-app '{name}': multiplexing not supported, ignore the option 'max-reqs'."));
            }
        }
    }

    fn programs(&mut self) {
        let spec = self.spec;
        let programs = || spec.sections.iter().filter(|s| s.section == Sections::PROGRAM);
        for section in programs().filter(|section| !has(section, "command")) {
            let text = format!("The program section '{}' lacks a command to launch.", section.name);
            self.alert(&section.place, text);
        }
        if let Some(section) = programs().next().filter(|_| !spec.global.master_worker) {
            let text = "Can't use a 'program' section without master worker mode.";
            self.alert(&section.place, text.to_owned());
        }
    }

    fn cache(&mut self, section: &NamedSection) {
        let name = &section.name;
        let settings = cache::settings(section);
        if settings.blocks == 0 {
            return self.alert(&section.place, format!("Size not specified for cache '{name}'"));
        }
        let half = settings.blocks * BLOCK / 2;
        if settings.max_object > half {
            self.alert(
                &section.place,
                format!(
                    "\"max-object-size\" is limited to an half of \"total-max-size\" => {half}"
                ),
            );
        }
    }

    /// Whether no line of a peers section names this process.
    pub fn lacks_local_peer(&self, section: &NamedSection) -> bool {
        let local = self.local_peer();
        !section.lines.iter().any(|(_, words)| {
            (is(words, 0, "peer") || is(words, 0, "server")) && is(words, 1, &local)
        })
    }

    /// This process among peers: `localpeer`, `-L`, or the host's name.
    pub fn local_peer(&self) -> String {
        let line = self.spec.global_line("localpeer").and_then(|line| line.args.first());
        line.map_or_else(|| self.local_name.clone(), |w| w.str().into_owned())
    }
}

fn is(words: &[Word], index: usize, text: &str) -> bool {
    words.get(index).is_some_and(|w| *w == *text)
}

fn has(section: &NamedSection, keyword: &str) -> bool {
    section.lines.iter().any(|(_, words)| is(words, 0, keyword))
}

/// The first group of a user, or user of a group, that is not in the list.
fn unknown_member(list: &NamedSection) -> Option<(&Place, String)> {
    let names = |kind: &str| {
        let lines = list.lines.iter().filter(move |(_, w)| is(w, 0, kind));
        lines
            .filter_map(|(_, w)| w.get(1))
            .map(|w| w.bytes())
            .collect::<std::collections::HashSet<_>>()
    };
    let (users, groups) = (names("user"), names("group"));
    let after = |words: &'_ [Word], option: &str| {
        let at = words.iter().skip(2).position(|w| *w == *option)?;
        words.get(at + 3).map(|w| w.bytes().to_vec())
    };
    let rounds = [("user", "groups", &groups, "group"), ("group", "users", &users, "user")];
    for (kind, option, known, member) in rounds {
        for (place, words) in list.lines.iter().rev().filter(|(_, w)| is(w, 0, kind)) {
            let Some(members) = after(words, option) else { continue };
            let mut unknown = members.split(|b| *b == b',').filter(|name| !name.is_empty());
            if let Some(name) = unknown.find(|name| !known.contains(name)) {
                let name = String::from_utf8_lossy(name);
                let owner = words.get(1).map(|w| w.str()).unwrap_or_default();
                return Some((
                    place,
                    format!("no such {member} '{name}' specified in {kind} '{owner}'"),
                ));
            }
        }
    }
    None
}
