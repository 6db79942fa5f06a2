//! Names that a proxy's lines refer to and that may stand further down in the configuration: tables,
//! servers, proxies, userlists. In: the names with their places. Out: HAProxy's alerts for those that
//! do not exist (manual 7.3, and the directives themselves).

use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::section::Sections;
use crate::config::spec::{ProxySpec, Spec};
use crate::config::spoe::SpoeSpec;
use crate::flow::log::format::{LogFormat, Purpose};
use crate::flow::log::settings::FormatSpec;
use crate::sample::args::ArgType;

/// What one proxy refers to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct References {
    /// Arguments of fetches and converters.
    pub args: Vec<ArgReference>,
    /// Servers of `use-server`.
    pub servers: Vec<(String, Place)>,
    /// Stick tables, with what HAProxy calls them in its message.
    pub tables: Vec<(&'static str, String, Place)>,
    /// Caches of `cache-use`, `cache-store` and `filter cache`.
    pub caches: Vec<(String, Place)>,
    /// FastCGI applications.
    pub applications: Vec<(String, Place)>,
    /// `filter spoe`, whose agents name backends and whose groups rules name.
    pub engines: Vec<SpoeSpec>,
    /// `errorfiles` and `http-errors` sections.
    pub error_sections: Vec<(String, Place)>,
    /// `email-alert mailers`
    pub mailers: Option<(String, Place)>,
    /// Whether `email-alert from` and `to` are there.
    pub mail_ends: (bool, bool),
    /// `peers` of the stick table.
    pub peers: Option<(String, Place)>,
}

/// A name in the arguments of an expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// What it names.
    pub kind: ArgType,
    /// The name; empty stands for the proxy itself.
    pub name: String,
    /// 1-based position of the argument.
    pub position: usize,
    /// The converter whose argument it is.
    pub converter: Option<&'static str>,
    /// The fetch at the beginning of the expression.
    pub fetch: &'static str,
}

impl Reference {
    /// The reference with where it stands: `context` is `ACL keyword` or `sample fetch keyword`,
    /// `within` ends in `in`.
    pub fn at(self, place: &Place, context: &'static str, within: &'static str) -> ArgReference {
        ArgReference { reference: self, place: place.clone(), context, within }
    }
}

/// A name in the arguments of an expression, and where the expression stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgReference {
    reference: Reference,
    place: Place,
    context: &'static str,
    within: &'static str,
}

impl ArgReference {
    /// HAProxy's alert when what is named does not exist.
    fn check(&self, spec: &Spec, proxy: &ProxySpec) -> Option<Diagnostic> {
        let Reference { kind, name, .. } = &self.reference;
        let named = |name: &str| if name.is_empty() { proxy.name.clone() } else { name.to_owned() };
        match kind {
            ArgType::Backend => self.proxy(spec, proxy, "backend"),
            ArgType::Frontend => self.proxy(spec, proxy, "frontend"),
            ArgType::Table => {
                let name = named(name);
                (!spec.has_table(&name)).then(|| {
                    self.alert(proxy, &format!("unable to find table '{name}' referenced in"), "")
                })
            }
            ArgType::Server => self.server(spec, proxy),
            ArgType::Userlist if name.is_empty() => {
                Some(self.alert(proxy, "missing userlist name in", ""))
            }
            ArgType::Userlist => {
                let exists = spec.has_section(Sections::USERLIST, name);
                (!exists).then(|| {
                    self.alert(
                        proxy,
                        &format!("unable to find userlist '{name}' referenced in"),
                        "",
                    )
                })
            }
            _ => None,
        }
    }

    fn proxy(&self, spec: &Spec, proxy: &ProxySpec, side: &str) -> Option<Diagnostic> {
        let name = &self.reference.name;
        let has_side = |p: &ProxySpec| match side {
            "backend" => p.kind.has_backend(),
            _ => p.kind.has_frontend(),
        };
        if name.is_empty() {
            return (!has_side(proxy)).then(|| {
                let before = format!("proxy '{}', referenced in", proxy.name);
                self.alert(proxy, &before, &format!(", has not {side} capability"))
            });
        }
        let exists = spec.named(name).any(has_side);
        (!exists).then(|| {
            self.alert(proxy, &format!("unable to find {side} '{name}' referenced in"), "")
        })
    }

    fn server(&self, spec: &Spec, proxy: &ProxySpec) -> Option<Diagnostic> {
        let name = &self.reference.name;
        if name.is_empty() {
            return Some(self.alert(proxy, "missing server name in", ""));
        }
        let (owner, server) = match name.rsplit_once('/') {
            Some((owner, server)) => (owner, server),
            None => (proxy.name.as_str(), name.as_str()),
        };
        let is_owner = |p: &&ProxySpec| p.kind.has_backend();
        let Some(found) =
            spec.named(owner).find(is_owner).or((owner == proxy.name).then_some(proxy))
        else {
            return Some(self.alert(
                proxy,
                &format!("unable to find proxy '{owner}' referenced in"),
                "",
            ));
        };
        let exists = found.servers.iter().any(|s| s.name == server);
        (!exists).then(|| {
            let before =
                format!("unable to find server '{server}' in proxy '{owner}', referenced in");
            self.alert(proxy, &before, "")
        })
    }

    fn alert(&self, proxy: &ProxySpec, before: &str, after: &str) -> Diagnostic {
        let Reference { position, converter, fetch, .. } = &self.reference;
        let conversion =
            converter.map(|c| format!("conversion keyword '{c}' for ")).unwrap_or_default();
        let ArgReference { place, context, within, .. } = self;
        let text = format!(
            "parsing [{place}] : {before} arg {position} of {conversion}{context} '{fetch}' {within} proxy '{}'{after}.",
            proxy.name
        );
        Diagnostic::alert(Some(place), text)
    }
}

/// HAProxy's alerts for the names of one proxy that lead nowhere, in its order.
pub fn check_args(spec: &Spec, proxy: &ProxySpec) -> Vec<Diagnostic> {
    let written = proxy.references.args.iter().filter_map(|r| r.check(spec, proxy));
    let formats = of_formats(proxy);
    written.chain(formats.iter().filter_map(|r| r.check(spec, proxy))).collect()
}

/// What the formats refer to that count only as the proxy's last lines leave them.
fn of_formats(proxy: &ProxySpec) -> Vec<ArgReference> {
    let mut found = Vec::new();
    let mut look = |text: &[u8], place: &Place, within: &'static str| {
        if !text.contains(&b'(') {
            return;
        }
        let purpose = Purpose::log("log-format", proxy.basics.mode);
        if let Ok((format, _)) = LogFormat::parse(text, &purpose) {
            let names = format.references().into_iter();
            found.extend(names.map(|r| r.at(place, "sample fetch keyword", within)));
        }
    };
    if let Some((FormatSpec::Own(text), place)) = &proxy.log.format {
        look(text, place, "in log-format string in");
    }
    if let Some((text, place)) = &proxy.log.structured {
        look(text, place, "in log-format-sd string in");
    }
    if let Some((text, place)) = &proxy.unique_id.format {
        look(text, place, "in unique-id-format string in");
    }
    for (name, _) in &proxy.rules.switching.rules {
        if let Some(format) = &name.format {
            let names = format.references().into_iter();
            found.extend(names.map(|r| r.at(&name.place, "sample fetch keyword", "in")));
        }
    }
    found
}
