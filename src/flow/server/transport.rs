//! Options of `server` lines that concern protocols and TLS
//! (manual 4.2 and 5.2). In: the option's words. Out: checked words.

use crate::catalog::{Part, ServerOption, Status};
use crate::config::address::{Accepts, AddressSpec};
use crate::config::args::{NumberError, OptionLine, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::diagnostic::Diagnostic;
use crate::config::spec::ServerSpec;
use crate::flow::server::options::{argument, mistake};
use crate::flow::server::source::SourceSpec;
use crate::sample::expr::Expr;
use crate::sample::valid;

/// A mistake in the option's argument.
pub fn refuse(line: &OptionLine<'_, '_>, message: impl AsRef<str>) -> Diagnostic {
    line.alert(format!("'{}' : {}.", line.subject, message.as_ref()))
}

/// The option's argument, or `'option' expects <…> as argument`.
fn word(line: &mut OptionLine<'_, '_>, what: &str) -> Result<String, Diagnostic> {
    argument(line, &format!("{what} as argument"))
}

fn text(line: &mut OptionLine<'_, '_>, _: &mut ServerSpec) -> Parsed {
    let what = format!("'{}' : missing value", line.name);
    line.word().map(drop).ok_or_else(|| refuse(line, what))
}

fn log_proto(line: &mut OptionLine<'_, '_>, _: &mut ServerSpec) -> Parsed {
    match &*line.word().map(|w| w.str()).unwrap_or_default() {
        "legacy" | "octet-count" => Ok(()),
        other => Err(line.bare(format!(
            "'log-proto' expects one of 'legacy' or 'octet-count' but got '{other}'"
        ))),
    }
}

fn lenient(line: &mut OptionLine<'_, '_>, _: &mut ServerSpec) -> Parsed {
    let value = word(line, "<value>")?;
    match parse_lenient(value.as_bytes()) {
        -1.. => Ok(()),
        _ => Err(mistake(line, "'max-reuse' must be >= -1")),
    }
}

fn namespace(line: &mut OptionLine<'_, '_>, _: &mut ServerSpec) -> Parsed {
    let subject = line.subject.clone();
    line.required(&format!("'{subject}' : 'namespace' : expects <name> as argument."))?;
    Ok(())
}

fn pool_low(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let value = parse_lenient(word(line, "<value>")?.as_bytes());
    server.pool_low_conn = u32::try_from(value).unwrap_or(0);
    Ok(())
}

fn purge_delay(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let value = word(line, "<value>")?;
    match parse_time(value.as_bytes(), TimeUnit::Milliseconds) {
        Ok(delay) => {
            server.pool_purge_delay = Some(delay);
            Ok(())
        }
        Err(NumberError::Overflow) => Err(refuse(
            line,
            format!(
                "timer overflow in argument '{value}' to 'pool-purge-delay' (maximum value is 2147483647 ms or ~24.8 days)"
            ),
        )),
        Err(NumberError::Unexpected(c)) => Err(mistake(
            line,
            format!("unexpected character '{c}' in argument to <pool-purge-delay>"),
        )),
    }
}

fn proto(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let Some(value) = line.word().map(|w| w.str()) else {
        return Err(refuse(line, "'proto' : missing value"));
    };
    match &*value {
        "h1" | "h2" | "fcgi" => {
            server.proto = Some(value.into_owned());
            Ok(())
        }
        other => Err(refuse(line, format!("'proto' :  unknown MUX protocol '{other}'"))),
    }
}

fn redir(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    server.redir = Some(word(line, "<prefix>")?.into_bytes());
    Ok(())
}

fn sni(line: &mut OptionLine<'_, '_>, _: &mut ServerSpec) -> Parsed {
    let text = word(line, "<expression>")?;
    let wrong = |e| format!("error detected while parsing sni expression : {e}");
    let expr = Expr::parse(&text).map_err(|e| refuse(line, wrong(e)))?;
    if !valid::at(expr.fetch, valid::Place::Connect) {
        let needs = valid::needs(expr.fetch);
        let text = format!(
            " fetch method '{text}' extracts information from '{needs}', none of which is available here."
        );
        return Err(refuse(line, wrong(text)));
    }
    Ok(())
}

fn socks4(line: &mut OptionLine<'_, '_>, _: &mut ServerSpec) -> Parsed {
    let text = word(line, "<addr>:<port>")?;
    let text = line.expand(&text);
    match AddressSpec::accept(&text, Accepts::PLACE, line.outside) {
        Ok(_) => Ok(()),
        Err(e) => Err(refuse(line, format!("'socks4 {text}' : {e}"))),
    }
}

fn source(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let Some(text) = line.word() else {
        return Err(mistake(
            line,
            "'source' expects <addr>[:<port>[-<port>]], and optionally 'usesrc' <addr>, and 'interface' <name> as argument",
        ));
    };
    let text = line.expand(&text.str());
    let outside = &mut line.outside;
    let read = SourceSpec::of_address(&text, |name| outside.resolve(name).ok()?.first().copied());
    let mut source = read.map_err(|e| refuse(line, format!("'source {text}' : {e}")))?;
    loop {
        if line.accept("usesrc") {
            let Some(word) = line.word() else {
                let place = line.last_place();
                let text = "'usesrc' expects <addr>[:<port>], 'client', 'clientip', or 'hdr_ip(name,#)' as argument.";
                return Err(Diagnostic::alert(Some(&place), text));
            };
            source
                .use_source(&word.str())
                .map_err(|e| refuse(line, format!("'usesrc {word}' : {e}")))?;
        } else if line.accept("interface") {
            let Some(word) = line.word() else {
                let place = line.last_place();
                return Err(Diagnostic::alert(Some(&place), "'server' : missing interface name."));
            };
            source.through(&word.str());
        } else {
            server.source = Some(source);
            return Ok(());
        }
    }
}

fn tcp_ut(line: &mut OptionLine<'_, '_>, server: &mut ServerSpec) -> Parsed {
    let Some(value) = line.word() else {
        return Err(refuse(line, "'tcp-ut' : missing TCP User Timeout value"));
    };
    match parse_time(value.bytes(), TimeUnit::Milliseconds) {
        Ok(delay) => {
            server.user_timeout = Some(delay);
            Ok(())
        }
        Err(NumberError::Overflow) => Err(refuse(
            line,
            format!(
                "timer overflow in argument '{value}' to 'tcp-ut' (maximum value is 2147483647 ms or ~24.8 days)"
            ),
        )),
        Err(NumberError::Unexpected(_)) => {
            Err(refuse(line, "'tcp-ut' : expects a positive delay in milliseconds"))
        }
    }
}

fn verify(line: &mut OptionLine<'_, '_>, _: &mut ServerSpec) -> Parsed {
    match line.word().map(|w| w.str()) {
        Some(value) if matches!(&*value, "none" | "required") => Ok(()),
        Some(value) => Err(refuse(
            line,
            format!(
                "'verify' : unknown verify method '{value}', only 'none' and 'required' are supported"
            ),
        )),
        None => Err(refuse(line, "'verify' : missing verify method")),
    }
}

fn version(line: &mut OptionLine<'_, '_>, _: &mut ServerSpec) -> Parsed {
    let name = line.name;
    match line.word().map(|w| w.str()) {
        Some(value)
            if matches!(&*value, "SSLv3" | "TLSv1.0" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3") =>
        {
            Ok(())
        }
        Some(value) => Err(refuse(line, format!("'{name}' : unknown SSL/TLS version '{value}'"))),
        None => Err(refuse(line, format!("'{name}' : missing SSL/TLS version"))),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    server_options: &[
        ServerOption {
            name: "allow-0rtt",
            doc: "Sends early data on.",
            examples: &["allow-0rtt"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "alpn",
            args: "<protocols>",
            doc: "The protocols offered by ALPN.",
            examples: &["alpn h2,http/1.1"],
            parse: text,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "ca-file",
            args: "<file>",
            doc: "Authorities that the server is verified with.",
            examples: &["ca-file /etc/ssl/ca.pem"],
            parse: text,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "ciphers",
            args: "<ciphers>",
            doc: "The ciphers, up to TLS 1.2.",
            examples: &["ciphers ECDHE+AESGCM"],
            parse: text,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "ciphersuites",
            args: "<suites>",
            doc: "The cipher suites of TLS 1.3.",
            examples: &["ciphersuites TLS_AES_128_GCM_SHA256"],
            parse: text,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "crl-file",
            args: "<file>",
            doc: "Revoked certificates.",
            examples: &["crl-file /etc/ssl/crl.pem"],
            parse: text,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "crt",
            args: "<file>",
            doc: "The certificate shown to the server.",
            examples: &["crt /etc/ssl/client.pem"],
            parse: text,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "force-sslv3",
            doc: "Speaks SSLv3 only.",
            examples: &["force-sslv3"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "force-tlsv10",
            doc: "Speaks TLS 1.0 only.",
            examples: &["force-tlsv10"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "force-tlsv11",
            doc: "Speaks TLS 1.1 only.",
            examples: &["force-tlsv11"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "force-tlsv12",
            doc: "Speaks TLS 1.2 only.",
            examples: &["force-tlsv12"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "force-tlsv13",
            doc: "Speaks TLS 1.3 only.",
            examples: &["force-tlsv13"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "log-proto",
            args: "{ legacy | octet-count }",
            default: "legacy",
            doc: "How log messages are framed on their way from a ring to this server.",
            examples: &["log-proto octet-count"],
            status: Status::Works,
            parse: log_proto,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "max-reuse",
            args: "<count>",
            default: "-1, which is no limit",
            doc: "Requests a connection may carry.",
            examples: &["max-reuse 100"],
            parse: lenient,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "namespace",
            args: "<name>",
            doc: "The network namespace to connect from.",
            examples: &["namespace blue"],
            parse: namespace,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-send-proxy-v2-ssl",
            doc: "Undoes a send-proxy-v2-ssl of default-server.",
            examples: &["no-send-proxy-v2-ssl"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-send-proxy-v2-ssl-cn",
            doc: "Undoes a send-proxy-v2-ssl-cn of default-server.",
            examples: &["no-send-proxy-v2-ssl-cn"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-ssl",
            doc: "Undoes an ssl of default-server.",
            examples: &["no-ssl"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-ssl-reuse",
            doc: "Does not resume TLS sessions.",
            examples: &["no-ssl-reuse"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-sslv3",
            doc: "Does not speak SSLv3.",
            examples: &["no-sslv3"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-tfo",
            doc: "Undoes a tfo of default-server.",
            examples: &["no-tfo"],
            status: Status::Works,
            parse: |_, server| {
                server.fast_open = false;
                Ok(())
            },
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-tls-tickets",
            doc: "Uses no session tickets.",
            examples: &["no-tls-tickets"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-tlsv10",
            doc: "Does not speak TLS 1.0.",
            examples: &["no-tlsv10"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-tlsv11",
            doc: "Does not speak TLS 1.1.",
            examples: &["no-tlsv11"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-tlsv12",
            doc: "Does not speak TLS 1.2.",
            examples: &["no-tlsv12"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-tlsv13",
            doc: "Does not speak TLS 1.3.",
            examples: &["no-tlsv13"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "no-verifyhost",
            doc: "Does not check the name in the certificate.",
            examples: &["no-verifyhost"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "npn",
            args: "<protocols>",
            status: Status::NoEffect("NPN is gone from TLS; ALPN took its place"),
            doc: "The protocols offered by NPN.",
            examples: &["npn http/1.1"],
            parse: text,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "pool-low-conn",
            args: "<max>",
            default: "0",
            doc: "With fewer idle connections than this, no thread takes one from another.",
            examples: &["pool-low-conn 2"],
            parse: pool_low,
            status: Status::Works,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "pool-purge-delay",
            args: "<delay>",
            default: "5s",
            doc: "How often half of the idle connections that were not needed are closed.",
            examples: &["pool-purge-delay 5s"],
            parse: purge_delay,
            status: Status::Works,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "proto",
            args: "<name>",
            doc: "The protocol spoken from the first byte on: `h1`, `h2` or `fcgi`.",
            examples: &["proto h1"],
            parse: proto,
            status: Status::Works,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "redir",
            args: "<prefix>",
            doc: "Answers GET and HEAD requests with a redirection to this prefix and their path.",
            examples: &["redir http://127.0.0.1"],
            status: Status::Works,
            parse: redir,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "send-proxy-v2-ssl",
            doc: "Connections begin with a PROXY v2 header that tells about the client's TLS.",
            examples: &["send-proxy-v2-ssl"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "send-proxy-v2-ssl-cn",
            doc: "The same, with the common name of the client's certificate.",
            examples: &["send-proxy-v2-ssl-cn"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "sni",
            args: "<expression>",
            doc: "The name asked for in the TLS handshake, as a sample.",
            examples: &["sni str(example.org)"],
            parse: sni,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "socks4",
            args: "<address>:<port>",
            doc: "Connects through a SOCKS4 proxy.",
            examples: &["socks4 127.0.0.1:1080"],
            parse: socks4,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "source",
            args: "<address>[:<port>[-<port>]] [usesrc ...] [interface <name>]",
            doc: "The address to connect from.",
            examples: &["source 127.0.0.1"],
            status: Status::Works,
            parse: source,
            ..ServerOption::NEW
        },
        ServerOption { name: "ssl", doc: "Speaks TLS.", examples: &["ssl"], ..ServerOption::NEW },
        ServerOption {
            name: "ssl-max-ver",
            args: "<version>",
            doc: "The newest version spoken: SSLv3, TLSv1.0, TLSv1.1, TLSv1.2 or TLSv1.3.",
            examples: &["ssl-max-ver TLSv1.2"],
            parse: version,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "ssl-min-ver",
            args: "<version>",
            doc: "The oldest version spoken: SSLv3, TLSv1.0, TLSv1.1, TLSv1.2 or TLSv1.3.",
            examples: &["ssl-min-ver TLSv1.2"],
            parse: version,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "ssl-reuse",
            doc: "Undoes a no-ssl-reuse of default-server.",
            examples: &["ssl-reuse"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "tcp-ut",
            args: "<delay>",
            doc: "How long sent data may stay unacknowledged.",
            examples: &["tcp-ut 30s"],
            parse: tcp_ut,
            status: Status::Works,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "tfo",
            doc: "Sends data with the first packet (TCP fast open).",
            examples: &["tfo"],
            status: Status::Works,
            parse: |_, server| {
                server.fast_open = true;
                Ok(())
            },
            ..ServerOption::NEW
        },
        ServerOption {
            name: "tls-tickets",
            doc: "Undoes a no-tls-tickets of default-server.",
            examples: &["tls-tickets"],
            ..ServerOption::NEW
        },
        ServerOption {
            name: "verify",
            args: "[none|required]",
            default: "required",
            doc: "Whether the server's certificate is verified; `none` takes any.",
            examples: &["verify none"],
            parse: verify,
            ..ServerOption::NEW
        },
        ServerOption {
            name: "verifyhost",
            args: "<hostname>",
            doc: "The name the certificate must have.",
            examples: &["verifyhost example.org"],
            parse: text,
            ..ServerOption::NEW
        },
    ],
    ..Part::NONE
};
