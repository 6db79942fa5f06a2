//! `option …` switches that change how HTTP is handled, and what they become in a running proxy
//! (manual 4.2, "option …").

use std::sync::Arc;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Inversion, Line, Parsed, parse_lenient};
use crate::config::diagnostic::{Diagnostic, Level};
use crate::config::proxy::{OptionsSpec, switch_option};
use crate::config::section::Sections;
use crate::flow::http::case::CaseAdjust;
use crate::flow::server::retry::RetryOn;

/// When a connection to a server may serve another client's request (`http-reuse`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reuse {
    /// Never.
    Never,
    /// Not for a client's first request, which could not be repeated if it failed.
    #[default]
    Safe,
    /// Also for first requests, on connections that have served several.
    Aggressive,
    /// Always.
    Always,
}

/// Whether connections are kept after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepAlive {
    /// Both sides are kept.
    #[default]
    Both,
    /// The server's side is closed (`option http-server-close`).
    ClientOnly,
    /// Both are closed (`option httpclose`).
    Neither,
}

/// `option forwardfor` or `option originalto` as written.
#[derive(Debug, Clone, PartialEq)]
pub struct ForwardFor {
    /// The header's name in lower case.
    pub header: String,
    /// Addresses for which it is not added.
    pub except: Option<(std::net::IpAddr, u8)>,
    /// Only when the request has none.
    pub if_none: bool,
}

/// Switches of a running proxy.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    /// `option httpclose`, `option http-server-close`
    pub keep_alive: KeepAlive,
    /// `http-reuse`
    pub reuse: Reuse,
    /// `option forwardfor`
    pub forward_for: Option<ForwardFor>,
    /// `option originalto`
    pub original_to: Option<ForwardFor>,
    /// `option http-buffer-request`, or what else waits for bodies.
    pub buffer_request: bool,
    /// `retry-on`
    pub retry_on: RetryOn,
    /// `option nolinger`
    pub no_linger: bool,
    /// `option http-pretend-keepalive`
    pub pretend_keep_alive: bool,
    /// `option abortonclose`
    pub abort_on_close: bool,
    /// `option allbackups`
    pub all_backups: bool,
    /// `option logasap`
    pub log_asap: bool,
    /// `option dontlognull`
    pub dont_log_null: bool,
    /// `option dontlog-normal`
    pub dont_log_normal: bool,
    /// `option log-health-checks`
    pub log_health_checks: bool,
    /// `option log-separate-errors`
    pub log_separate_errors: bool,
    /// `option http-ignore-probes`
    pub ignore_probes: bool,
    /// `option http-no-delay`
    pub no_delay: bool,
    /// `option accept-invalid-http-request`
    pub accept_invalid_request: bool,
    /// `option accept-invalid-http-response`
    pub accept_invalid_response: bool,
    /// `option prefer-last-server`
    pub prefer_last_server: bool,
    /// `max-keep-alive-queue`; `None` for no limit.
    pub max_keep_alive_queue: Option<u32>,
    /// `max-session-srv-conns`
    pub own_links: usize,
    /// `option persist`
    pub persist: bool,
    /// `option splice-request` or `-auto`
    pub splice_request: bool,
    /// `option splice-response` or `-auto`
    pub splice_response: bool,
    /// `option tcpka`, `option clitcpka`
    pub client_keepalive: bool,
    /// `option tcpka`, `option srvtcpka`
    pub server_keepalive: bool,
    /// `option socket-stats`
    pub socket_stats: bool,
    /// `option checkcache`
    pub check_cache: bool,
    /// `http-send-name-header`: the header, in lower case.
    pub send_name_header: Option<Box<[u8]>>,
    /// `option http_proxy`
    pub http_proxy: bool,
    /// `option h1-case-adjust-bogus-client`: how names are written.
    pub adjust_client: Option<Arc<CaseAdjust>>,
    /// `option h1-case-adjust-bogus-server`
    pub adjust_server: Option<Arc<CaseAdjust>>,
}

impl HttpOptions {
    /// Gathers the switches that were written.
    pub fn compile(options: &OptionsSpec, http: &HttpSpec, names: &CaseAdjust) -> HttpOptions {
        let on = |name| options.is_on(name);
        let adjusting = |name| on(name).then(|| Arc::new(names.clone()));
        let auto = on("splice-auto");
        HttpOptions {
            keep_alive: http.keep_alive.unwrap_or_default(),
            reuse: http.reuse.unwrap_or_default(),
            forward_for: http.forward_for.clone(),
            original_to: http.original_to.clone(),
            buffer_request: false,
            retry_on: http.retry_on.unwrap_or_default(),
            no_linger: on("nolinger"),
            pretend_keep_alive: on("http-pretend-keepalive"),
            abort_on_close: on("abortonclose"),
            all_backups: on("allbackups"),
            log_asap: on("logasap"),
            dont_log_null: on("dontlognull"),
            dont_log_normal: on("dontlog-normal"),
            log_health_checks: on("log-health-checks"),
            log_separate_errors: on("log-separate-errors"),
            ignore_probes: on("http-ignore-probes"),
            no_delay: on("http-no-delay"),
            accept_invalid_request: on("accept-invalid-http-request"),
            accept_invalid_response: on("accept-invalid-http-response"),
            prefer_last_server: on("prefer-last-server"),
            max_keep_alive_queue: http.max_keep_alive_queue,
            own_links: http.own_links.unwrap_or(5),
            persist: on("persist"),
            splice_request: auto || on("splice-request"),
            splice_response: auto || on("splice-response"),
            client_keepalive: on("tcpka") || on("clitcpka"),
            server_keepalive: on("tcpka") || on("srvtcpka"),
            socket_stats: on("socket-stats"),
            check_cache: on("checkcache"),
            send_name_header: http.send_name_header.clone(),
            http_proxy: on("http_proxy"),
            adjust_client: adjusting("h1-case-adjust-bogus-client"),
            adjust_server: adjusting("h1-case-adjust-bogus-server"),
        }
    }
}

/// HTTP options with arguments, or that exclude each other, as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HttpSpec {
    /// The connection mode written last.
    pub keep_alive: Option<KeepAlive>,
    /// `http-reuse`
    pub reuse: Option<Reuse>,
    /// `option forwardfor`
    pub forward_for: Option<ForwardFor>,
    /// `option originalto`
    pub original_to: Option<ForwardFor>,
    /// `max-keep-alive-queue`; `None` for no limit.
    pub max_keep_alive_queue: Option<u32>,
    /// `max-session-srv-conns`
    pub own_links: Option<usize>,
    /// `http-send-name-header`: the header, in lower case.
    pub send_name_header: Option<Box<[u8]>>,
    /// `retry-on`
    pub retry_on: Option<RetryOn>,
    /// `option redispatch`: every so many retries; negative counts from the end.
    pub redispatch: Option<i32>,
}

fn connection_mode(line: &mut Line<'_>) -> Parsed {
    line.end()?;
    if line.keyword.name == "option forceclose" {
        let text = "keyword 'forceclose' is deprecated in favor of 'httpclose', and will not be supported by future versions.";
        let warning = Diagnostic { level: Level::Warning, ..line.bare(text) }.harmless();
        line.diagnostics.push(warning);
    }
    let wanted = match line.keyword.name {
        "option httpclose" | "option forceclose" => KeepAlive::Neither,
        "option http-server-close" => KeepAlive::ClientOnly,
        _ => KeepAlive::Both,
    };
    let plain = line.inversion == Inversion::Plain;
    let current = &mut line.proxy().http.keep_alive;
    if plain {
        *current = Some(wanted);
    } else if *current == Some(wanted) {
        *current = None;
    }
    Ok(())
}

/// Reads what follows `option forwardfor` and `option originalto`.
fn address_header(line: &mut Line<'_>, default: &str) -> Result<ForwardFor, Diagnostic> {
    let name = line.keyword.name;
    let mut spec = ForwardFor { header: default.into(), except: None, if_none: false };
    let forward = name == "option forwardfor";
    while let Some(word) = line.word() {
        match &*word.str() {
            "except" => {
                let network = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
                let network = crate::sample::pattern::network(&network);
                spec.except = Some(network.map_err(|_| {
                    line.alert(format!("'{name} except' expects <address>[/mask] as argument."))
                })?);
            }
            "header" => {
                let missing = format!("'{name} header' expects <header_name> as argument.");
                spec.header = line.required(&missing)?.str().to_ascii_lowercase();
            }
            "if-none" if forward => spec.if_none = true,
            _ => {
                let known = match forward {
                    true => "'except', 'header' and 'if-none'",
                    false => "'except' and 'header'",
                };
                return Err(line.alert(format!("'{name}' only supports optional values: {known}.")));
            }
        }
    }
    Ok(spec)
}

fn forwardfor(line: &mut Line<'_>) -> Parsed {
    if line.inversion != Inversion::Plain {
        line.proxy().http.forward_for = None;
        return line.end();
    }
    let spec = address_header(line, "x-forwarded-for")?;
    line.proxy().http.forward_for = Some(spec);
    Ok(())
}

fn originalto(line: &mut Line<'_>) -> Parsed {
    let spec = address_header(line, "x-original-to")?;
    line.proxy().http.original_to = Some(spec);
    Ok(())
}

fn redispatch(line: &mut Line<'_>) -> Parsed {
    let interval = match line.word() {
        None => -1,
        Some(word) => parse_lenient(word.bytes()) as i32,
    };
    // 2.3 looks at nothing behind the number.
    line.rest();
    let on = line.inversion == Inversion::Plain;
    line.proxy().http.redispatch = on.then_some(interval);
    Ok(())
}

fn http_reuse(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    line.proxy().http.reuse = Some(match word.as_str() {
        "never" => Reuse::Never,
        "safe" => Reuse::Safe,
        "aggressive" => Reuse::Aggressive,
        "always" => Reuse::Always,
        _ => {
            return Err(
                line.alert("'http-reuse' only supports 'never', 'safe', 'aggressive', 'always'.")
            );
        }
    });
    line.end()
}

const MODE: Keyword = Keyword {
    sections: Sections::PROXIES,
    negatable: true,
    status: Status::Works,
    parse: connection_mode,
    ..Keyword::NEW
};

const SWITCH: Keyword =
    Keyword { negatable: true, status: Status::Works, parse: switch_option, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "http-reuse",
            sections: Sections::BACKENDS,
            args: "{ never | safe | aggressive | always }",
            default: "safe",
            doc: "When a connection to a server may serve another client's request: `never`; `safe`, if it is not the first request of its client's connection; `aggressive`, first requests too on connections that were reused before; or `always`.",
            examples: &["http-reuse safe"],
            status: Status::Works,
            parse: http_reuse,
            ..Keyword::NEW
        },
        Keyword {
            name: "option allbackups",
            sections: Sections::BACKENDS,
            doc: "Uses all backup servers together instead of the first one that is up.",
            examples: &["option allbackups"],
            ..SWITCH
        },
        Keyword {
            name: "option forceclose",
            doc: "The old name of option httpclose.",
            examples: &["option forceclose"],
            ..MODE
        },
        Keyword {
            name: "option forwardfor",
            sections: Sections::PROXIES,
            args: "[ except <network> ] [ header <name> ] [ if-none ]",
            doc: "Adds a header with the client's address to requests, X-Forwarded-For unless `header` names another; not for clients of the `except` network and, with `if-none`, not where the request has one.",
            examples: &["option forwardfor except 127.0.0.0/8 header X-Client"],
            status: Status::Works,
            parse: forwardfor,
            ..Keyword::NEW
        },
        Keyword {
            name: "option http-keep-alive",
            doc: "Keeps the connections on both sides between requests, as is the default.",
            examples: &["option http-keep-alive"],
            ..MODE
        },
        Keyword {
            name: "option http-server-close",
            doc: "Closes the server's connection after each response, keeps the client's.",
            examples: &["option http-server-close"],
            ..MODE
        },
        Keyword {
            name: "option httpclose",
            doc: "Closes both connections after each response.",
            examples: &["option httpclose"],
            ..MODE
        },
        Keyword {
            name: "option http-pretend-keepalive",
            sections: Sections::BACKENDS,
            doc: "Does not tell servers that the connection will be closed.",
            examples: &["option http-pretend-keepalive"],
            ..SWITCH
        },
        Keyword {
            name: "option originalto",
            sections: Sections::PROXIES,
            args: "[ except <network> ] [ header <name> ]",
            doc: "Adds a header with the address the client connected to, X-Original-To unless `header` names another; not for addresses of the `except` network.",
            examples: &["option originalto except 127.0.0.1 header X-Client-Dst"],
            status: Status::Works,
            parse: originalto,
            ..Keyword::NEW
        },
        Keyword {
            name: "option redispatch",
            sections: Sections::BACKENDS,
            args: "[<interval>]",
            negatable: true,
            default: "-1, the last retry only",
            doc: "Retries on another server. An interval of N does so every N retries, of -N counted from the last one; by default only the last retry may go elsewhere.",
            examples: &["option redispatch"],
            status: Status::Works,
            parse: redispatch,
            ..Keyword::NEW
        },
    ],
    ..Part::NONE
};
