//! Commands that change one server: `set server`, `set weight`, `get weight`, `set maxconn server`,
//! `enable` and `disable` `server`, `health`, `agent` (management.txt 9.3).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Answer, Command, CommandContext, Level, Severity};
use crate::catalog::{Part, Status};
use crate::state::resolver::servers::rename;
use crate::state::server_change::ServerChange;
use crate::state::server_status::{Operational, ServerAddress, admin};
use crate::state::world::Server;

/// Why a change is made, as the log tells it.
const FROM_CLI: &str = ", changed from CLI";
/// Who makes it, as messages tell it.
const BY: &str = "by 'stats socket command'";

/// Runs an action on the server that the first argument names.
fn with_server(
    context: &CommandContext<'_>,
    act: impl FnOnce(&CommandContext<'_>, ServerChange<'_>) -> Answer,
) -> Answer {
    match context.server(context.arg(0)) {
        Ok((proxy, server)) => act(context, ServerChange::new(proxy, server)),
        Err(answer) => answer,
    }
}

fn set_server(context: &mut CommandContext<'_>) -> Answer {
    with_server(context, |context, change| match context.arg(1) {
        "weight" => set_weight_of(context.arg(2), change),
        "state" => set_state(context.arg(2), change),
        "health" => set_health(context.arg(2), change),
        "addr" => set_address(context, change),
        "agent" | "agent-addr" | "agent-send"
            if !change.server.status.agent.lock().health.enabled =>
        {
            Answer::error("agent checks are not enabled on this server.\n")
        }
        "agent" => set_agent(context.arg(2), change),
        "agent-addr" => match context.arg(2).parse() {
            Ok(ip) => {
                change.server.status.agent.lock().address = Some(SocketAddr::new(ip, 0));
                Answer::Done
            }
            Err(_) => Answer::error("incorrect addr address given for agent.\n"),
        },
        "agent-send" => {
            change.server.status.agent.lock().send = Some(context.arg(2).as_bytes().to_vec());
            Answer::Done
        }
        "fqdn" if context.arg(2).is_empty() => {
            Answer::error("set server <b>/<s> fqdn requires a FQDN.\n")
        }
        "fqdn" => {
            let name = context.arg(2);
            let said = rename(&context.world, change.proxy, change.server, name);
            Answer::Message(Severity::Warning, format!("{said} {BY}\n"))
        }
        _ => Answer::error(
            "'set server <srv>' only supports 'agent', 'health', 'state', 'weight', 'addr', 'fqdn' and 'check-port'.\n",
        ),
    })
}

fn set_state(word: &str, change: ServerChange<'_>) -> Answer {
    match word {
        "ready" => change.ready(),
        "drain" => change.drain(),
        "maint" => change.maintain(),
        _ => {
            let text = "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n";
            return Answer::error(text);
        }
    }
    Answer::Done
}

fn set_health(word: &str, change: ServerChange<'_>) -> Answer {
    if change.server.tracked.is_some() {
        return Answer::error("cannot change health on a tracking server.\n");
    }
    let state = match word {
        "up" => Operational::Running,
        "stopping" => Operational::Stopping,
        "down" => Operational::Stopped,
        _ => {
            let text = "'set server <srv> health' expects 'up', 'stopping', or 'down'.\n";
            return Answer::error(text);
        }
    };
    change.force_health(state, FROM_CLI);
    Answer::Done
}

fn set_agent(word: &str, change: ServerChange<'_>) -> Answer {
    let up = match word {
        "up" => true,
        "down" => false,
        _ => return Answer::error("'set server <srv> agent' expects 'up' or 'down'.\n"),
    };
    change.force_agent(up, FROM_CLI);
    Answer::Done
}

/// `addr <ip> [port <port>]`
fn set_address(context: &CommandContext<'_>, change: ServerChange<'_>) -> Answer {
    let answer = move_server(context, change.server);
    if !context.arg(2).is_empty() {
        change.clear_admin(admin::RESOLUTION_MAINT);
    }
    answer
}

fn move_server(context: &CommandContext<'_>, server: &Server) -> Answer {
    let warn = |text: String| Answer::Message(Severity::Warning, text);
    let word = context.arg(2);
    if word.is_empty() {
        return Answer::error(
            "set server <b>/<s> addr requires an address and optionally a port.\n",
        );
    }
    let Ok(ip) = word.parse::<IpAddr>() else {
        return warn(format!("Invalid addr '{word}' {BY}\n"));
    };
    let (before, port_before) = match **server.status.address.load() {
        ServerAddress::Inet(address) => (address.ip(), address.port()),
        _ => {
            return warn(format!(
                "Update for the current server address family is only supported through configuration file {BY}\n"
            ));
        }
    };
    let mut text = match before == ip {
        true => "no need to change the addr".to_owned(),
        false => format!("IP changed from '{before}' to '{ip}'"),
    };
    let mut port = port_before;
    if context.arg(3) == "port" {
        match new_port(context.arg(4), port_before) {
            Ok(new) if new == port_before => text.push_str(", no need to change the port"),
            Ok(new) => {
                text.push_str(&format!(", port changed from '{port_before}' to '{new}'"));
                port = new;
            }
            Err(reason) => {
                text.push_str(", ");
                text.push_str(&reason);
            }
        }
    }
    let address = ServerAddress::Inet(SocketAddr::new(ip, port));
    if **server.status.address.load() != address {
        server.status.address.store(Arc::new(address));
        server.status.generation.fetch_add(1, Relaxed);
        server.pool.clear();
    }
    warn(format!("{text} {BY}\n"))
}

fn new_port(word: &str, _: u16) -> Result<u16, String> {
    if word.starts_with(['+', '-']) {
        return Err("can't change <port> to port map because it is incompatible with current health check port configuration (use 'port' statement from the 'server' directive.".to_owned());
    }
    word.parse().map_err(|_| format!("problem converting port '{word}' to an int"))
}

fn set_weight_of(word: &str, change: ServerChange<'_>) -> Answer {
    match change.request_weight(word) {
        Ok(()) => Answer::Done,
        Err(text) => Answer::error(text),
    }
}

fn set_weight(context: &mut CommandContext<'_>) -> Answer {
    with_server(context, |context, change| set_weight_of(context.arg(1), change))
}

fn get_weight(context: &mut CommandContext<'_>) -> Answer {
    with_server(context, |_, change| {
        let status = &change.server.status;
        let initial = status.initial_weight.load(Relaxed);
        Answer::text(format!("{} (initial {initial})\n", status.weight()))
    })
}

fn set_maxconn(context: &mut CommandContext<'_>) -> Answer {
    with_server(context, |context, change| match change.request_maxconn(context.arg(1)) {
        Ok(()) => Answer::Done,
        Err(text) => Answer::error(text),
    })
}

fn enable_health(context: &mut CommandContext<'_>, enabled: bool) -> Answer {
    with_server(context, |_, change| {
        let mut health = change.server.status.health.lock();
        health.enabled = enabled && health.configured;
        Answer::Done
    })
}

const ADMIN: Command = Command { level: Level::Admin, status: Status::Works, ..Command::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "disable agent",
            args: "<backend>/<server>",
            help: "disable agent  : disable agent checks (use 'set server' instead)",
            doc: "Stops asking the server's agent.",
            examples: &["disable agent app/web1"],
            run: |context| {
                with_server(context, |_, change| {
                    change.enable_agent(false);
                    Answer::Done
                })
            },
            ..ADMIN
        },
        Command {
            name: "disable health",
            args: "<backend>/<server>",
            help: "disable health : disable health checks (use 'set server' instead)",
            doc: "Stops checking the server.",
            examples: &["disable health app/web1"],
            run: |context| enable_health(context, false),
            ..ADMIN
        },
        Command {
            name: "disable server",
            args: "<backend>/<server>",
            help: "disable server : disable a server for maintenance (use 'set server' instead)",
            doc: "Puts the server into maintenance.",
            examples: &["disable server app/web1"],
            run: |context| with_server(context, |_, change| set_state("maint", change)),
            ..ADMIN
        },
        Command {
            name: "enable agent",
            args: "<backend>/<server>",
            help: "enable agent   : enable agent checks (use 'set server' instead)",
            doc: "Asks the server's agent again.",
            examples: &["enable agent app/web1"],
            run: |context| {
                with_server(context, |_, change| match change.enable_agent(true) {
                    true => Answer::Done,
                    false => {
                        Answer::error("Agent was not configured on this server, cannot enable.\n")
                    }
                })
            },
            ..ADMIN
        },
        Command {
            name: "enable health",
            args: "<backend>/<server>",
            help: "enable health  : enable health checks (use 'set server' instead)",
            doc: "Checks the server again.",
            examples: &["enable health app/web1"],
            run: |context| enable_health(context, true),
            ..ADMIN
        },
        Command {
            name: "enable server",
            args: "<backend>/<server>",
            help: "enable server  : enable a disabled server (use 'set server' instead)",
            doc: "Ends the server's maintenance.",
            examples: &["enable server app/web1"],
            run: |context| with_server(context, |_, change| set_state("ready", change)),
            ..ADMIN
        },
        Command {
            name: "set maxconn server",
            args: "<backend>/<server> <value>",
            help: "set maxconn server : change a server's maxconn setting",
            doc: "How many requests the server is given at once.",
            examples: &["set maxconn server app/web1 100"],
            run: set_maxconn,
            ..ADMIN
        },
        Command {
            name: "set server",
            args: "<backend>/<server> { addr <ip> [port <port>] | agent { up | down } | agent-addr <addr> | agent-send <string> | health <state> | state <state> | weight <weight>[%] }",
            help: "set server     : change a server's state, weight or address",
            doc: "Changes where a server is, whether it is up, whether it is used, or its weight.",
            examples: &["set server app/web1 state drain", "set server app/web1 weight 50%"],
            run: set_server,
            ..ADMIN
        },
        Command {
            name: "get weight",
            args: "<backend>/<server>",
            help: "get weight     : report a server's current weight",
            doc: "The server's weight, and the one in the configuration.",
            examples: &["get weight app/web1"],
            level: Level::User,
            run: get_weight,
            ..ADMIN
        },
        Command {
            name: "set weight",
            args: "<backend>/<server> <weight>[%]",
            help: "set weight     : change a server's weight (deprecated)",
            doc: "Changes the server's weight, absolutely or relative to the configured one.",
            examples: &["set weight app/web1 50%"],
            run: set_weight,
            ..ADMIN
        },
    ],
    ..Part::NONE
};
