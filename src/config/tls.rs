//! Settings of the `global` section for TLS (manual 3.1 and 3.2, `ssl-…` and `tune.ssl.…`). In: their words.
//! Out: checked words; what has no mechanism here says so in its status.

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::section::Sections;
use crate::config::tuning::{count, flag, refuse, text};

fn texts(line: &mut Line<'_>) -> Parsed {
    if line.rest().is_empty() {
        return Err(refuse(line, "expects an argument."));
    }
    Ok(())
}

fn base(line: &mut Line<'_>) -> Parsed {
    if line.word().is_none() {
        return Err(refuse(line, "expects a directory path as an argument."));
    }
    line.end()?;
    Ok(())
}

fn server_verify(line: &mut Line<'_>) -> Parsed {
    let word = line.required("'ssl-server-verify' expects an integer argument.")?.str();
    match &*word {
        "none" | "required" => line.end(),
        _ => Err(refuse(line, "expects 'none' or 'required' as argument.")),
    }
}

fn extra_files(line: &mut Line<'_>) -> Parsed {
    let mut some = false;
    while let Some(word) = line.word() {
        some = true;
        let word = word.str();
        match &*word {
            "none" | "all" | "bundle" | "sctl" | "ocsp" | "issuer" | "key" => {}
            other => return Err(refuse(line, &format!("unknown argument '{other}'."))),
        }
    }
    if some { Ok(()) } else { Err(refuse(line, "expects an argument.")) }
}

/// The options of `bind` and `server` lines that have no argument, and the version limits.
fn tls_options(line: &mut Line<'_>) -> Parsed {
    const FLAGS: &[&str] = &[
        "force-sslv3",
        "force-tlsv10",
        "force-tlsv11",
        "force-tlsv12",
        "force-tlsv13",
        "no-sslv3",
        "no-tls-tickets",
        "no-tlsv10",
        "no-tlsv11",
        "no-tlsv12",
        "no-tlsv13",
        "prefer-client-ciphers",
    ];
    const VERSIONS: &[&str] = &["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    if line.is_empty() {
        return Err(line.alert(
            "global statement '".to_owned()
                + line.keyword.name
                + "' expects an option as an argument.",
        ));
    }
    while let Some(word) = line.word() {
        let name = word.str();
        if matches!(&*name, "ssl-min-ver" | "ssl-max-ver") {
            let version = line.word().map(|word| word.str()).unwrap_or_default();
            if version.is_empty() {
                return Err(line.alert(format!("'{name}' : missing TLS version")));
            }
            if !VERSIONS.contains(&&*version) {
                return Err(line.alert(format!("'{name}' : unknown TLS version")));
            }
        } else if !FLAGS.contains(&&*name) {
            return Err(line.alert(format!(
                "unknown option '{name}' on global statement '{}'.",
                line.keyword.name
            )));
        }
    }
    Ok(())
}

fn tls_count(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(refuse(line, "expects a positive numeric value."));
    };
    match parse_lenient(word.bytes()) {
        0.. => line.end(),
        _ => Err(refuse(line, "expects a positive numeric value.")),
    }
}

fn tls_dh(line: &mut Line<'_>) -> Parsed {
    let value = line.word().map_or(0, |word| parse_lenient(word.bytes()));
    match value {
        1024.. => line.end(),
        _ => Err(refuse(line, "expects a value >= 1024.")),
    }
}

fn tls_time(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(refuse(line, "expects ssl sessions <lifetime> in seconds as argument."));
    };
    match parse_time(word.bytes(), TimeUnit::Seconds) {
        Ok(_) => line.end(),
        Err(NumberError::Unexpected(c)) => {
            Err(line.alert(format!("unexpected character '{c}' in argument to <{}>.", line.keyword.name)))
        }
        Err(_) => Err(line.alert(format!(
            "timer overflow in argument <{word}> to <{}> (maximum value is 2147483647 s or ~68 years).",
            line.keyword.name
        ))),
    }
}

const GLOBAL: Keyword = Keyword { sections: Sections::GLOBAL, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "ca-base",
            args: "<dir>",
            doc: "The directory that relative certificate authority paths begin at.",
            examples: &["ca-base /etc/ssl/certs"],
            status: Status::Planned,
            parse: base,
            ..GLOBAL
        },
        Keyword {
            name: "crt-base",
            args: "<dir>",
            doc: "The directory that relative certificate paths begin at.",
            examples: &["crt-base /etc/ssl/private"],
            status: Status::Planned,
            parse: base,
            ..GLOBAL
        },
        Keyword {
            name: "issuers-chain-path",
            args: "<dir>",
            doc: "A directory of issuer certificates that complete chains.",
            examples: &["issuers-chain-path /etc/ssl/issuers"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "maxsslconn",
            args: "<number>",
            doc: "TLS connections at once for the whole process.",
            examples: &["maxsslconn 1000"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "maxsslrate",
            args: "<number>",
            default: "0, which is no limit",
            doc: "New TLS sessions a second for the whole process; further ones wait.",
            examples: &["maxsslrate 100"],
            status: Status::Planned,
            parse: count,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-bind-ciphers",
            args: "<ciphers>",
            doc: "The ciphers of bind lines, up to TLS 1.2.",
            examples: &["ssl-default-bind-ciphers ECDHE+AESGCM"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-bind-ciphersuites",
            args: "<suites>",
            doc: "The cipher suites of bind lines, TLS 1.3.",
            examples: &["ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-bind-curves",
            args: "<curves>",
            doc: "The curves of bind lines.",
            examples: &["ssl-default-bind-curves X25519:P-256"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-bind-options",
            args: "<option>...",
            doc: "Options of all bind lines.",
            examples: &["ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets"],
            status: Status::Planned,
            parse: tls_options,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-server-ciphers",
            args: "<ciphers>",
            doc: "The ciphers of server lines, up to TLS 1.2.",
            examples: &["ssl-default-server-ciphers ECDHE+AESGCM"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-server-ciphersuites",
            args: "<suites>",
            doc: "The cipher suites of server lines, TLS 1.3.",
            examples: &["ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256"],
            status: Status::Planned,
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-default-server-options",
            args: "<option>...",
            doc: "Options of all server lines.",
            examples: &["ssl-default-server-options ssl-min-ver TLSv1.2"],
            status: Status::Planned,
            parse: tls_options,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-dh-param-file",
            args: "<file>",
            doc: "Diffie-Hellman parameters.",
            examples: &["ssl-dh-param-file /etc/ssl/dh.pem"],
            status: Status::NoEffect("finite field Diffie-Hellman is not offered"),
            parse: text,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-engine",
            args: "<name> [algo <list>]",
            doc: "An OpenSSL engine to use.",
            examples: &["ssl-engine rdrand"],
            status: Status::NoEffect("there are no OpenSSL engines"),
            parse: texts,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-load-extra-del-ext",
            doc: "Takes the extension off before looking for extra certificate files.",
            examples: &["ssl-load-extra-del-ext"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-load-extra-files",
            args: "{ none | all | bundle | sctl | ocsp | issuer | key }...",
            default: "all",
            doc: "Which files beside a certificate are loaded too.",
            examples: &["ssl-load-extra-files key"],
            status: Status::Planned,
            parse: extra_files,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-mode-async",
            doc: "Asynchronous OpenSSL engines.",
            examples: &["ssl-mode-async"],
            status: Status::NoEffect("there are no OpenSSL engines"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-server-verify",
            args: "{ none | required }",
            default: "required",
            doc: "Whether server certificates are verified by default.",
            examples: &["ssl-server-verify required"],
            status: Status::Planned,
            parse: server_verify,
            ..GLOBAL
        },
        Keyword {
            name: "ssl-skip-self-issued-ca",
            doc: "Leaves self-issued authorities out of chains.",
            examples: &["ssl-skip-self-issued-ca"],
            status: Status::Planned,
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.cachesize",
            args: "<number>",
            default: "20000",
            doc: "Entries of the TLS session cache.",
            examples: &["tune.ssl.cachesize 20000"],
            status: Status::Planned,
            parse: tls_count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.capture-cipherlist-size",
            args: "<number>",
            default: "0",
            doc: "Bytes of the client's cipher list that are kept.",
            examples: &["tune.ssl.capture-cipherlist-size 800"],
            status: Status::Planned,
            parse: tls_count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.default-dh-param",
            args: "<number>",
            default: "2048",
            doc: "The size of generated Diffie-Hellman parameters.",
            examples: &["tune.ssl.default-dh-param 2048"],
            status: Status::NoEffect("finite field Diffie-Hellman is not offered"),
            parse: tls_dh,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.force-private-cache",
            doc: "Separate TLS session caches for processes.",
            examples: &["tune.ssl.force-private-cache"],
            status: Status::NoEffect("there is one process"),
            parse: flag,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.lifetime",
            args: "<timeout>",
            default: "300",
            doc: "How long a TLS session is kept.",
            examples: &["tune.ssl.lifetime 300"],
            status: Status::Planned,
            parse: tls_time,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.maxrecord",
            args: "<number>",
            default: "0, which is no limit",
            doc: "The largest TLS record sent at once.",
            examples: &["tune.ssl.maxrecord 1400"],
            status: Status::Planned,
            parse: tls_count,
            ..GLOBAL
        },
        Keyword {
            name: "tune.ssl.ssl-ctx-cache-size",
            args: "<number>",
            default: "1000",
            doc: "Entries of the cache of generated certificates.",
            examples: &["tune.ssl.ssl-ctx-cache-size 1000"],
            status: Status::Planned,
            parse: tls_count,
            ..GLOBAL
        },
    ],
    ..Part::NONE
};
