//! `http-check connect` and `tcp-check connect` (manual 4.2): the words that follow.

use std::net::SocketAddr;

use crate::check::step::Connect;
use crate::config::address::{AddressSpec, HostSpec, PortsSpec};
use crate::config::args::Line;
use crate::config::diagnostic::Diagnostic;

/// Reads the words; gives the comment too.
pub fn parse(line: &mut Line<'_>) -> Result<(Connect, Option<String>), Diagnostic> {
    let mut connect = Connect::default();
    let mut comment = None;
    let name = line.keyword.name;
    while let Some(word) = line.word() {
        let word = word.str().into_owned();
        match word.as_str() {
            "default" => {}
            "linger" => connect.linger = true,
            "comment" => comment = Some(argument(line, &word, "a string")?),
            "port" => {
                let text = argument(line, &word, "a port number or a sample expression")?;
                match text.parse::<u32>() {
                    Ok(port @ 1..=65535) => connect.port = u16::try_from(port).ok(),
                    Ok(_) => {
                        return Err(line.alert(format!("'{name}' : expects a valid TCP port (from range 1 to 65535) or a sample expression, got {text}.")));
                    }
                    Err(_) => planned(line, "port with an expression"),
                }
            }
            "addr" => {
                let text = argument(line, &word, "<ipv4|ipv6>")?;
                connect.address = Some(
                    address(&text).map_err(|e| line.alert(format!("'{name}' : 'addr' : {e}.")))?,
                );
            }
            "send-proxy" | "via-socks4" | "ssl" => planned(line, &word),
            "sni" | "alpn" => {
                argument(line, &word, "a string")?;
                planned(line, &word);
            }
            "proto" => {
                argument(line, &word, "a MUX protocol")?;
                planned(line, &word);
            }
            _ => {
                return Err(line.alert(format!("'{name}' : expects 'comment', 'port', 'addr', 'send-proxy', 'ssl', 'sni', 'alpn' or 'via-socks4', 'linger', 'default' but got '{word}' as argument.")));
            }
        }
    }
    Ok((connect, comment))
}

fn argument(line: &mut Line<'_>, name: &str, what: &str) -> Result<String, Diagnostic> {
    let text = format!("'{}' : '{name}' expects {what} as argument.", line.keyword.name);
    Ok(line.required(&text)?.str().into_owned())
}

fn planned(line: &mut Line<'_>, what: &str) {
    let name = line.keyword.name;
    let place = line.words.place.clone();
    line.spec.note_planned(&format!("{name} {what}"), &place);
}

/// An IP address with or without a port; port 0 stands for none.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let AddressSpec::Inet { host, ports } = AddressSpec::parse(text).map_err(|e| e.to_string())?
    else {
        return Err(format!("'{text}' is no IP address"));
    };
    let port = match ports {
        PortsSpec::Range(port, _) => port,
        PortsSpec::None | PortsSpec::Offset(_) => 0,
    };
    match host {
        HostSpec::Literal(ip) => Ok(SocketAddr::new(ip, port)),
        HostSpec::Name(name, _) => Err(format!("'{name}' is a name, not an address")),
    }
}
