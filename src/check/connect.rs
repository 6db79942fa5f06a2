//! `http-check connect` and `tcp-check connect` (manual 4.2): the words that follow.

use crate::check::scene;
use crate::check::step::Connect;
use crate::config::address::{Accepts, AddressSpec};
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
            "default" => connect.as_server = true,
            "linger" => connect.linger = true,
            "comment" => comment = Some(argument(line, &word, "a string")?),
            "port" => {
                let text = argument(line, &word, "a port number or a sample expression")?;
                match text.parse::<u32>() {
                    Ok(port @ 1..=65535) => connect.port = u16::try_from(port).ok(),
                    Ok(_) => {
                        return Err(line.alert(format!("'{name}' : expects a valid TCP port (from range 1 to 65535) or a sample expression, got {text}..")));
                    }
                    Err(_) => {
                        let expr = scene::expression(line, &text).map_err(|e| {
                            line.alert(format!(
                                "'{name}' : error detected while parsing port expression : {}.",
                                e.of_argument()
                            ))
                        })?;
                        connect.port_expr = Some(Box::new(expr));
                    }
                }
            }
            "addr" => {
                let text = argument(line, &word, "<ipv4|ipv6>")?;
                let address =
                    AddressSpec::accept(&line.expand(&text), Accepts::TARGET, line.outside);
                let address =
                    address.map_err(|e| line.alert(format!("'{name}' : 'addr' : {e}")))?;
                connect.address = address.socket();
            }
            "send-proxy" => connect.send_proxy = true,
            "via-socks4" | "ssl" => planned(line, &word),
            "sni" | "alpn" => {
                argument(line, &word, "a string")?;
                planned(line, &word);
            }
            "proto" => {
                let text = argument(line, &word, "a MUX protocol")?;
                if !["h2", "fcgi", "none"].contains(&text.as_str()) {
                    return Err(
                        line.alert(format!("'{name}' : 'proto' : unknown MUX protocol '{text}'.."))
                    );
                }
                planned(line, &word);
            }
            _ => {
                return Err(line.alert(format!("'{name}' : expects 'comment', 'port', 'addr', 'send-proxy' or 'via-socks4', 'linger', 'default' but got '{word}' as argument..")));
            }
        }
    }
    Ok((connect, comment))
}

fn argument(line: &mut Line<'_>, name: &str, what: &str) -> Result<String, Diagnostic> {
    let text = format!("'{}' : '{name}' expects {what} as argument..", line.keyword.name);
    Ok(line.required(&text)?.str().into_owned())
}

fn planned(line: &mut Line<'_>, what: &str) {
    let name = line.keyword.name;
    let place = line.words.place.clone();
    line.spec.note_planned(&format!("{name} {what}"), &place);
}
