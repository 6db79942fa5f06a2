//! Servers of one proxy: their names, and what they track (manual 5.2). In: the proxy and the whole
//! `Spec`. Out: HAProxy's messages.

use std::collections::HashMap;

use super::{Judge, titled};
use crate::config::spec::{ProxySpec, ServerSpec};

/// A server and the proxy it belongs to.
type Owned<'a> = (&'a ProxySpec, &'a ServerSpec);

impl<'a> Judge<'a> {
    /// Two servers of one name, unless their ids tell them apart.
    pub fn server_names(&mut self, proxy: &'a ProxySpec) {
        let mut seen: HashMap<&str, u32> = HashMap::new();
        for server in proxy.servers.iter().filter(|server| server.id.is_none()) {
            match seen.get(server.name.as_str()) {
                None => drop(seen.insert(&server.name, server.place.line)),
                Some(line) => {
                    let text = format!(
                        "parsing [{}] : {}, another server named '{}' was already defined at line {line}, please use distinct names.",
                        server.place,
                        titled(proxy),
                        server.name
                    );
                    self.alert(&server.place, text);
                }
            }
        }
    }

    /// `tfo` and `track`.
    pub fn tracking(&mut self, proxy: &'a ProxySpec) {
        let mut by_name: HashMap<&str, &ServerSpec> = HashMap::new();
        for server in &proxy.servers {
            by_name.entry(&server.name).or_insert(server);
        }
        for server in &proxy.servers {
            if server.switched("tfo", "no-tfo") {
                self.fast_open(proxy, server);
            }
            let Some(wanted) = server.check.track.as_deref() else { continue };
            match self.tracked((proxy, server), wanted, &by_name) {
                Ok(found) => drop(self.tracks.insert(std::ptr::from_ref(server), found)),
                Err(mistake) => {
                    let (who, name) = (titled(proxy), &server.name);
                    let text = format!("config : {who}, server '{name}': {mistake}");
                    self.alert(&server.place, text);
                }
            }
        }
    }

    /// Data sent with the first packet is lost unless it can be sent again.
    fn fast_open(&mut self, proxy: &ProxySpec, server: &ServerSpec) {
        let retries = proxy.written("retry-on").map(|line| &line.args);
        let has = |what: &str| retries.is_some_and(|args| args.iter().any(|w| *w == *what));
        let all = has("all-retryable-errors");
        if all || (has("empty-response") && has("response-timeout")) {
            return;
        }
        let text = format!(
            "parsing [{}] : {}: server '{}' has tfo activated, the backend should be configured with at least 'conn-failure', 'empty-response' and 'response-timeout' or we wouldn't be able to retry the connection on failure.",
            server.place,
            titled(proxy),
            server.name
        );
        self.warn(&server.place, text);
    }

    /// The server that is tracked, or what is wrong with that.
    fn tracked(
        &self,
        (proxy, own): Owned<'a>,
        wanted: &'a str,
        by_name: &HashMap<&str, &'a ServerSpec>,
    ) -> Result<&'a ServerSpec, String> {
        let (owner, name) = match wanted.rsplit_once('/') {
            None => (proxy, wanted),
            Some((owner, name)) => match self.backend_named(owner) {
                Some(found) => (found, name),
                None => {
                    return Err(format!("unable to find required proxy '{owner}' for tracking."));
                }
            },
        };
        let found = match std::ptr::eq(owner, proxy) {
            true => by_name.get(name).copied(),
            false => owner.servers.iter().find(|server| server.name == name),
        };
        let Some(server) = found else {
            return Err(format!("unable to find required server '{name}' for tracking."));
        };
        let (owner_spec, owner) = (owner, &owner.name);
        if !watched(server) && server.check.track.is_none() {
            return Err(format!(
                "unable to use {owner}/{} for tracking as it does not have any check nor agent enabled.",
                server.name
            ));
        }
        if proxy.check.disable_on_404 != owner_spec.check.disable_on_404 {
            let server = &server.name;
            return Err(format!(
                "unable to use {owner}/{server} fortracking: disable-on-404 option inconsistency."
            ));
        }
        // Only what was judged before is known to track something, so that each loop is told once.
        let next = |at: &&'a ServerSpec| self.tracks.get(&std::ptr::from_ref(*at)).copied();
        let mut chain = std::iter::successors(Some(server), next);
        if chain.any(|at| std::ptr::eq(at, own)) {
            return Err(format!(
                "unable to track {owner}/{} as it belongs to a tracking chain looping back to {owner}/{}.",
                server.name, own.name
            ));
        }
        Ok(server)
    }
}

/// Whether checks or an agent tell how it is.
fn watched(server: &ServerSpec) -> bool {
    server.check.check || server.switched("agent-check", "no-agent-check")
}
