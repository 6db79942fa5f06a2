//! Directives that mean nothing in a proxy's mode (manual 4.2, "mode"). In: the proxy. Out: HAProxy's
//! warnings.

use super::{Judge, titled};
use crate::config::diagnostic::Place;
use crate::config::spec::ProxySpec;
use crate::flow::log::FormatSpec;
use crate::flow::rules::RuleSets;

/// Options that need HTTP, in the order in which HAProxy looks at them.
const HTTP_OPTIONS: &[&str] = &[
    "option forwardfor",
    "option originalto",
    "option checkcache",
    "option http_proxy",
    "option http-buffer-request",
    "option http-ignore-probes",
    "option prefer-last-server",
    "option accept-invalid-http-request",
    "option accept-invalid-http-response",
    "option http-use-proxy-header",
    "option http-pretend-keepalive",
    "option http-no-delay",
    "option h1-case-adjust-bogus-client",
    "option h1-case-adjust-bogus-server",
    "option disable-h2-upgrade",
];

impl<'a> Judge<'a> {
    /// What HAProxy says first of a proxy in TCP mode.
    pub fn needs_http(&mut self, proxy: &'a ProxySpec) {
        let who = titled(proxy);
        for name in ["cookie", "monitor-uri"] {
            if let Some(line) = proxy.written(name) {
                self.warn(
                    &line.place,
                    format!("config : {name} will be ignored for {who} (needs 'mode http')."),
                );
            }
        }
        let algorithm = proxy.balance.words.first().map(|w| w.str()).unwrap_or_default();
        let base = algorithm.split('(').next().unwrap_or_default();
        if proxy.kind.has_backend() && ["uri", "url_param", "hdr"].contains(&base) {
            let place = proxy.written("balance").map_or(&proxy.place, |line| &line.place);
            self.warn(place, format!(
                "config : Layer 7 hash not possible for {who} (needs 'mode http'). Falling back to round robin."
            ));
        }
        if let Some((FormatSpec::Http | FormatSpec::Clf, place)) = &proxy.log.format
            && proxy.kind.has_frontend()
        {
            self.warn(place, format!(
                "parsing [{place}] : 'option httplog' not usable with {who} (needs 'mode http'). Falling back to 'option tcplog'."
            ));
        }
    }

    /// Lines that mean nothing in this mode.
    pub fn ignored_without_http(&mut self, proxy: &'a ProxySpec) {
        let who = titled(proxy);
        let ignored = |what: &str, verb: &str| {
            let pronoun = if verb == "rules" { "they require" } else { "it requires" };
            format!("config : '{what}' {verb} ignored for {who} as {pronoun} HTTP mode.")
        };
        if let Some(line) = proxy.written("capture cookie") {
            self.warn(&line.place, ignored("capture", "statement"));
        }
        for (set, word) in
            [(RuleSets::HTTP_REQUEST, "http-request"), (RuleSets::HTTP_RESPONSE, "http-response")]
        {
            if let Some(rule) = proxy.rules.of(set).next() {
                self.warn(&rule.place, ignored(word, "rules"));
            }
        }
        if let Some(rule) = proxy.rules.redirects.first() {
            self.warn(&rule.place, ignored("redirect", "rules"));
        }
        for name in HTTP_OPTIONS {
            if let Some(line) = proxy.written(name) {
                let option = name.trim_start_matches("option ");
                let text = format!(
                    "config : 'option {option}' ignored for {who} as it requires HTTP mode."
                );
                self.warn(&line.place, text);
            }
        }
    }

    /// Servers that only HTTP can use.
    pub fn servers_of_mode(&mut self, proxy: &'a ProxySpec) {
        let tcp = proxy.basics.mode != crate::config::proxy::Mode::Http;
        let rdp = proxy.written("persist").is_some();
        for server in &proxy.servers {
            let place: &Place = &server.place;
            if tcp && server.option("redir").is_some() {
                self.alert(place, format!(
                    "config : {} : server cannot have cookie or redirect prefix in non-HTTP mode.",
                    titled(proxy)
                ));
            }
            if tcp && server.cookie.is_some() {
                self.warn(
                    place,
                    format!(
                        "config : {} : ignoring cookie for server '{}' as HTTP mode is disabled.",
                        titled(proxy),
                        server.name
                    ),
                );
            }
            if rdp && server.maps_ports() {
                self.warn(place, format!(
                    "config : {} : RDP cookie persistence will not work for server '{}' because it lacks an explicit port number.",
                    titled(proxy), server.name
                ));
            }
        }
    }

    /// `proto`: what is spoken must fit the mode.
    pub fn protocols(&mut self, proxy: &'a ProxySpec) {
        let http = proxy.basics.mode == crate::config::proxy::Mode::Http;
        let usable = |proto: &str| match proto {
            "h2" | "fcgi" | "h1" => http,
            "none" => !http,
            _ => true,
        };
        for bind in &proxy.binds {
            if let Some(proto) = bind.proto.as_ref().filter(|p| !usable(p) || *p == "fcgi") {
                let text = format!(
                    "config : {} : MUX protocol '{proto}' is not usable for 'bind {}' at [{}].",
                    titled(proxy),
                    bind.text,
                    bind.place
                );
                self.alert(&bind.place, text);
            }
        }
        for server in &proxy.servers {
            if let Some(proto) = server.option("proto").filter(|p| !usable(p)) {
                let text = format!(
                    "config : {} : MUX protocol '{proto}' is not usable for server '{}' at [{}].",
                    titled(proxy),
                    server.name,
                    server.place
                );
                self.alert(&server.place, text);
            }
        }
    }
}
