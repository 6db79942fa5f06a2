//! Options of `bind` lines that concern protocols and TLS (manual 5.1). In: the option's words. Out:
//! checked words; their effects belong to the TLS and PROXY protocol families.

use crate::catalog::{BindOption, Part, Status};
use crate::config::args::{NumberError, OptionLine, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::spec::BindSpec;

/// One argument that must be there.
fn text(line: &mut OptionLine<'_, '_>, missing: &str) -> Parsed {
    let message = format!("'{}' : {missing}", line.name);
    line.required(&message).map(drop)
}

fn refuse(line: &OptionLine<'_, '_>, message: String) -> crate::config::diagnostic::Diagnostic {
    line.alert(message)
}

fn mss(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let value = line.word().map(|w| parse_lenient(w.bytes()));
    match value {
        None => Err(refuse(line, "'mss' : missing MSS value".into())),
        Some(value) if value == 0 || value.unsigned_abs() > 65_535 => Err(refuse(
            line,
            "'mss' : expects an MSS with and absolute value between 1 and 65535".into(),
        )),
        Some(value) => {
            bind.options.mss = i32::try_from(value).ok();
            Ok(())
        }
    }
}

fn process(line: &mut OptionLine<'_, '_>, _: &mut BindSpec) -> Parsed {
    let text = line.word().map(|w| w.str()).unwrap_or_default();
    let (processes, threads) = text.split_once('/').map_or((&*text, "all"), |parts| parts);
    crate::flow::listener::limits::process_set(processes)
        .and_then(|()| crate::flow::listener::limits::process_set(threads))
        .map_err(|e| refuse(line, format!("'process' : {}", e.trim_end())))
}

fn proto(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    match line.word().map(|w| w.str()) {
        None => Err(refuse(line, "'proto' : missing value".into())),
        // Release 2.3 has no name for its first protocol; later ones call it so.
        Some(word) if matches!(&*word, "h1" | "h2" | "fcgi") => {
            bind.proto = Some(word.into_owned());
            Ok(())
        }
        Some(word) => Err(refuse(line, format!("'proto' :  unknown MUX protocol '{word}'"))),
    }
}

fn tcp_ut(line: &mut OptionLine<'_, '_>, bind: &mut BindSpec) -> Parsed {
    let Some(word) = line.word() else {
        return Err(refuse(line, "'tcp-ut' : missing TCP User Timeout value".into()));
    };
    match parse_time(word.bytes(), TimeUnit::Milliseconds) {
        Ok(delay) => {
            bind.options.user_timeout = u32::try_from(delay.as_millis()).ok();
            Ok(())
        }
        Err(NumberError::Overflow) => Err(refuse(
            line,
            format!(
                "timer overflow in argument '{word}' to 'tcp-ut' (maximum value is 2147483647 ms or ~24.8 days)"
            ),
        )),
        Err(NumberError::Unexpected(_)) => {
            Err(refuse(line, "'tcp-ut' : expects a positive delay in milliseconds".into()))
        }
    }
}

fn nice(line: &mut OptionLine<'_, '_>, _: &mut BindSpec) -> Parsed {
    let Some(word) = line.word() else {
        return Err(refuse(line, "'nice' : missing value".into()));
    };
    match parse_lenient(word.bytes()) as i32 {
        -1024..=1024 => Ok(()),
        value => Err(refuse(
            line,
            format!("'nice' : invalid value {value}, allowed range is -1024..1024"),
        )),
    }
}

/// Numbers of errors in verifying, or `all`.
fn errors(line: &mut OptionLine<'_, '_>, _: &mut BindSpec) -> Parsed {
    let Some(word) = line.word().map(|w| w.str().into_owned()) else {
        let name = line.name;
        return Err(refuse(line, format!("'{name}' : missing error IDs list")));
    };
    if word == "all" {
        return Ok(());
    }
    for part in word.split(',') {
        let number = parse_lenient(part.as_bytes()) as i32;
        if !(1..64).contains(&number) {
            let name = line.name;
            return Err(refuse(
                line,
                format!("'{name}' : ID '{number}' out of range (1..63) in error IDs list '{word}'"),
            ));
        }
    }
    Ok(())
}

fn verify(line: &mut OptionLine<'_, '_>, _: &mut BindSpec) -> Parsed {
    match line.word().map(|w| w.str()) {
        Some(word) if matches!(&*word, "none" | "optional" | "required") => Ok(()),
        Some(word) => Err(refuse(
            line,
            format!(
                "'verify' : unknown verify method '{word}', only 'none', 'optional', and 'required' are supported"
            ),
        )),
        None => Err(refuse(line, "'verify' : missing verify method".into())),
    }
}

fn version(line: &mut OptionLine<'_, '_>, _: &mut BindSpec) -> Parsed {
    let name = line.name;
    match line.word().map(|w| w.str()) {
        Some(word) if matches!(&*word, "SSLv3" | "TLSv1.0" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3") => {
            Ok(())
        }
        Some(word) => Err(refuse(line, format!("'{name}' : unknown SSL/TLS version '{word}'"))),
        None => Err(refuse(line, format!("'{name}' : missing SSL/TLS version"))),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    bind_options: &[
        BindOption {
            name: "allow-0rtt",
            doc: "Takes early data.",
            examples: &["allow-0rtt"],
            ..BindOption::NEW
        },
        BindOption {
            name: "alpn",
            args: "<protocols>",
            doc: "The protocols offered by ALPN.",
            examples: &["alpn h2,http/1.1"],
            parse: |line, _| text(line, "missing ALPN protocol list"),
            ..BindOption::NEW
        },
        BindOption {
            name: "ca-file",
            args: "<file>",
            doc: "Authorities that client certificates are verified with.",
            examples: &["ca-file /etc/ssl/ca.pem"],
            parse: |line, _| text(line, "missing CAfile path"),
            ..BindOption::NEW
        },
        BindOption {
            name: "ca-ignore-err",
            args: "[all|<error>,...]",
            doc: "Errors in verifying authorities that are let pass, by number, or `all`.",
            examples: &["ca-ignore-err all"],
            parse: errors,
            ..BindOption::NEW
        },
        BindOption {
            name: "ca-sign-file",
            args: "<file>",
            doc: "The authority that signs generated certificates.",
            examples: &["ca-sign-file /etc/ssl/sign.pem"],
            parse: |line, _| text(line, "missing CAfile path"),
            ..BindOption::NEW
        },
        BindOption {
            name: "ca-sign-pass",
            args: "<passphrase>",
            doc: "The signing key's passphrase.",
            examples: &["ca-sign-pass secret"],
            parse: |line, _| text(line, "missing CAkey password"),
            ..BindOption::NEW
        },
        BindOption {
            name: "ca-verify-file",
            args: "<file>",
            doc: "Further authorities to verify with, not sent to clients.",
            examples: &["ca-verify-file /etc/ssl/ca.pem"],
            parse: |line, _| text(line, "missing CAfile path"),
            ..BindOption::NEW
        },
        BindOption {
            name: "ciphers",
            args: "<ciphers>",
            doc: "The ciphers, up to TLS 1.2.",
            examples: &["ciphers ECDHE+AESGCM"],
            parse: |line, _| text(line, "missing cipher suite"),
            ..BindOption::NEW
        },
        BindOption {
            name: "ciphersuites",
            args: "<suites>",
            doc: "The cipher suites of TLS 1.3.",
            examples: &["ciphersuites TLS_AES_128_GCM_SHA256"],
            parse: |line, _| text(line, "missing cipher suite"),
            ..BindOption::NEW
        },
        BindOption {
            name: "crl-file",
            args: "<file>",
            doc: "Revoked client certificates.",
            examples: &["crl-file /etc/ssl/crl.pem"],
            parse: |line, _| text(line, "missing CRLfile path"),
            ..BindOption::NEW
        },
        BindOption {
            name: "crt",
            args: "<file>",
            doc: "The certificate and its key, or a directory of them.",
            examples: &["crt /etc/ssl/site.pem"],
            parse: |line, _| text(line, "missing certificate location"),
            ..BindOption::NEW
        },
        BindOption {
            name: "crt-ignore-err",
            args: "<errors>",
            doc: "Errors in verifying certificates that are let pass, by number, or `all`.",
            examples: &["crt-ignore-err all"],
            parse: errors,
            ..BindOption::NEW
        },
        BindOption {
            name: "crt-list",
            args: "<file>",
            doc: "A file that lists certificates with their options.",
            examples: &["crt-list /dev/null"],
            parse: crate::flow::listener::crt_list::option,
            ..BindOption::NEW
        },
        BindOption {
            name: "curves",
            args: "<curves>",
            doc: "The elliptic curves that key exchanges may use, in the order of preference.",
            examples: &["curves X25519:P-256"],
            parse: |line, _| text(line, "missing curve suite"),
            ..BindOption::NEW
        },
        BindOption {
            name: "defer-accept",
            doc: "Accepts a connection once data has come.",
            examples: &["defer-accept"],
            status: Status::Works,
            parse: |_, bind| {
                bind.options.defer_accept = true;
                Ok(())
            },
            ..BindOption::NEW
        },
        BindOption {
            name: "ecdhe",
            args: "<curve>",
            doc: "The elliptic curve that key exchanges use.",
            examples: &["ecdhe prime256v1"],
            parse: |line, _| text(line, "missing named curve"),
            ..BindOption::NEW
        },
        BindOption {
            name: "force-sslv3",
            doc: "Speaks SSLv3 only.",
            examples: &["force-sslv3"],
            ..BindOption::NEW
        },
        BindOption {
            name: "force-tlsv10",
            doc: "Speaks TLS 1.0 only.",
            examples: &["force-tlsv10"],
            ..BindOption::NEW
        },
        BindOption {
            name: "force-tlsv11",
            doc: "Speaks TLS 1.1 only.",
            examples: &["force-tlsv11"],
            ..BindOption::NEW
        },
        BindOption {
            name: "force-tlsv12",
            doc: "Speaks TLS 1.2 only.",
            examples: &["force-tlsv12"],
            ..BindOption::NEW
        },
        BindOption {
            name: "force-tlsv13",
            doc: "Speaks TLS 1.3 only.",
            examples: &["force-tlsv13"],
            ..BindOption::NEW
        },
        BindOption {
            name: "generate-certificates",
            doc: "Makes certificates for the names clients ask for.",
            examples: &["generate-certificates"],
            ..BindOption::NEW
        },
        BindOption {
            name: "mss",
            args: "<size>",
            doc: "The largest TCP segment.",
            examples: &["mss 1300"],
            status: Status::Works,
            parse: mss,
            ..BindOption::NEW
        },
        BindOption {
            name: "namespace",
            args: "<name>",
            doc: "The network namespace to listen in.",
            examples: &["namespace blue"],
            parse: |line, _| text(line, "missing namespace id"),
            ..BindOption::NEW
        },
        BindOption {
            name: "nice",
            args: "<nice>",
            status: Status::NoEffect("tasks are scheduled by tokio"),
            default: "0",
            doc: "How urgent connections of this socket are.",
            examples: &["nice 5"],
            parse: nice,
            ..BindOption::NEW
        },
        BindOption {
            name: "no-ca-names",
            doc: "Does not send the names of authorities.",
            examples: &["no-ca-names"],
            ..BindOption::NEW
        },
        BindOption {
            name: "no-sslv3",
            doc: "Does not speak SSLv3.",
            examples: &["no-sslv3"],
            ..BindOption::NEW
        },
        BindOption {
            name: "no-tls-tickets",
            doc: "Gives no session tickets.",
            examples: &["no-tls-tickets"],
            ..BindOption::NEW
        },
        BindOption {
            name: "no-tlsv10",
            doc: "Does not speak TLS 1.0.",
            examples: &["no-tlsv10"],
            ..BindOption::NEW
        },
        BindOption {
            name: "no-tlsv11",
            doc: "Does not speak TLS 1.1.",
            examples: &["no-tlsv11"],
            ..BindOption::NEW
        },
        BindOption {
            name: "no-tlsv12",
            doc: "Does not speak TLS 1.2.",
            examples: &["no-tlsv12"],
            ..BindOption::NEW
        },
        BindOption {
            name: "no-tlsv13",
            doc: "Does not speak TLS 1.3.",
            examples: &["no-tlsv13"],
            ..BindOption::NEW
        },
        BindOption {
            name: "npn",
            args: "<protocols>",
            status: Status::NoEffect("NPN is gone from TLS; ALPN took its place"),
            doc: "The protocols offered by NPN.",
            examples: &["npn http/1.1"],
            parse: |line, _| text(line, "missing NPN protocol list"),
            ..BindOption::NEW
        },
        BindOption {
            name: "prefer-client-ciphers",
            doc: "Follows the client's preference.",
            examples: &["prefer-client-ciphers"],
            ..BindOption::NEW
        },
        BindOption {
            name: "process",
            args: "<set>[/<set>]",
            status: Status::NoEffect("there is one process, and threads share every socket"),
            default: "all",
            doc: "Which processes and threads accept here.",
            examples: &["process 1"],
            parse: process,
            ..BindOption::NEW
        },
        BindOption {
            name: "proto",
            args: "<name>",
            doc: "The protocol spoken from the first byte on, without negotiation: `h1`, `h2`.",
            examples: &["proto h1"],
            status: Status::Works,
            parse: proto,
            ..BindOption::NEW
        },
        BindOption {
            name: "ssl",
            doc: "Speaks TLS.",
            examples: &["ssl crt /etc/ssl/site.pem"],
            ..BindOption::NEW
        },
        BindOption {
            name: "ssl-max-ver",
            args: "<version>",
            doc: "The newest version spoken: SSLv3, TLSv1.0, TLSv1.1, TLSv1.2 or TLSv1.3.",
            examples: &["ssl-max-ver TLSv1.2"],
            parse: version,
            ..BindOption::NEW
        },
        BindOption {
            name: "ssl-min-ver",
            args: "<version>",
            default: "TLSv1.2",
            doc: "The oldest version spoken: SSLv3, TLSv1.0, TLSv1.1, TLSv1.2 or TLSv1.3.",
            examples: &["ssl-min-ver TLSv1.2"],
            parse: version,
            ..BindOption::NEW
        },
        BindOption {
            name: "strict-sni",
            doc: "Refuses clients without a known server name.",
            examples: &["strict-sni"],
            ..BindOption::NEW
        },
        BindOption {
            name: "tcp-ut",
            args: "<delay>",
            doc: "How long sent data may stay unacknowledged.",
            examples: &["tcp-ut 30s"],
            status: Status::Works,
            parse: tcp_ut,
            ..BindOption::NEW
        },
        BindOption {
            name: "tfo",
            doc: "TCP fast open.",
            examples: &["tfo"],
            status: Status::Works,
            parse: |_, bind| {
                bind.options.fast_open = true;
                Ok(())
            },
            ..BindOption::NEW
        },
        BindOption {
            name: "tls-ticket-keys",
            args: "<file>",
            doc: "The keys of session tickets.",
            examples: &["tls-ticket-keys /etc/ssl/tickets"],
            parse: |line, _| text(line, "missing TLS ticket keys file path"),
            ..BindOption::NEW
        },
        BindOption {
            name: "transparent",
            doc: "Binds addresses that are not of this machine.",
            examples: &["transparent"],
            status: Status::Works,
            parse: |_, bind| {
                bind.options.transparent = true;
                Ok(())
            },
            ..BindOption::NEW
        },
        BindOption {
            name: "verify",
            args: "[none|optional|required]",
            default: "none",
            doc: "Whether client certificates are asked for: not (`none`), refused only when bad (`optional`), or needed (`required`).",
            examples: &["verify required"],
            parse: verify,
            ..BindOption::NEW
        },
    ],
    ..Part::NONE
};
