//! Commands about the connection itself: `help`, `prompt`, `quit`, `user`, `operator`, `set timeout`,
//! `set severity-output`, `show cli …`, `show env`, `show startup-logs` (management.txt 9.3).

use std::fmt::Write;
use std::time::Duration;

use super::{Answer, Command, CommandContext, Level, SeverityOutput, usage};
use crate::catalog::{Part, Status};
use crate::config::outside::ListenAddress;

fn prompt(context: &mut CommandContext<'_>) -> Answer {
    context.console.prompt = !context.console.prompt;
    Answer::Done
}

fn lower(context: &mut CommandContext<'_>, level: Level) -> Answer {
    if context.console.level < level {
        return Answer::error("Permission denied\n");
    }
    context.console.level = level;
    Answer::Done
}

fn set_timeout(context: &mut CommandContext<'_>) -> Answer {
    if context.arg(0) != "cli" {
        return Answer::error("'set timeout' only supports 'cli'.\n");
    }
    if context.arg(1).is_empty() {
        return Answer::error("Expects an integer value.\n");
    }
    let seconds = crate::config::args::parse_time(
        context.arg(1).as_bytes(),
        crate::config::args::TimeUnit::Seconds,
    );
    match seconds {
        Ok(time) if time >= Duration::from_secs(1) => context.console.timeout = Some(time),
        _ => return Answer::error("Invalid timeout value.\n"),
    }
    Answer::Done
}

fn set_severity(context: &mut CommandContext<'_>) -> Answer {
    match SeverityOutput::of_name(context.arg(0)) {
        Some(output) => {
            context.console.severity = output;
            Answer::Done
        }
        None => Answer::error("one of 'none', 'number', 'string' is a required argument\n"),
    }
}

fn show_level(context: &mut CommandContext<'_>) -> Answer {
    Answer::info(format!("{}\n", context.console.level.word()))
}

fn show_sockets(context: &mut CommandContext<'_>) -> Answer {
    let mut text = String::from("# socket lvl processes\n");
    for socket in &context.world.cli.sockets {
        let address = match &socket.listen.address {
            ListenAddress::Unix(path) => format!("unix@{}", path.display()),
            ListenAddress::Tcp(address) if address.is_ipv4() => format!("ipv4@{address}"),
            ListenAddress::Tcp(address) => format!("ipv6@{address}"),
            other => other.to_string(),
        };
        let _ = writeln!(text, "{address} {} all", socket.level.word());
    }
    Answer::text(text)
}

fn show_env(context: &mut CommandContext<'_>) -> Answer {
    let wanted = context.arg(0);
    let mut text = Vec::new();
    for (name, value) in context.world.environment.all() {
        if wanted.is_empty() || name == wanted.as_bytes() {
            text.extend_from_slice(&name);
            text.push(b'=');
            text.extend_from_slice(&value);
            text.push(b'\n');
        }
    }
    if text.is_empty() && !wanted.is_empty() {
        return Answer::error("Variable not found\n");
    }
    Answer::Text(text)
}

const COMMAND: Command = Command { status: Status::Works, ..Command::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "help",
            help: "help           : this message",
            doc: "Lists the commands.",
            examples: &["help"],
            run: |_| Answer::info(usage()),
            ..COMMAND
        },
        Command {
            name: "prompt",
            help: "prompt         : toggle interactive mode with prompt",
            doc: "Shows a prompt and keeps the connection open; a second time, no longer.",
            examples: &["prompt"],
            run: prompt,
            ..COMMAND
        },
        Command {
            name: "quit",
            help: "quit           : disconnect",
            doc: "Closes the connection.",
            examples: &["quit"],
            run: |_| Answer::Quit,
            ..COMMAND
        },
        Command {
            name: "set severity-output",
            args: "[none|number|string]",
            help: "set severity-output [none|number|string] : set presence of severity level in feedback information",
            doc: "Begins each message of this connection with how severe it is, as a number or a word.",
            examples: &["set severity-output number"],
            run: set_severity,
            ..COMMAND
        },
        Command {
            name: "set timeout",
            args: "cli <delay>",
            help: "set timeout    : change a timeout setting",
            doc: "How many seconds this connection may stay silent.",
            examples: &["set timeout cli 60"],
            run: set_timeout,
            ..COMMAND
        },
        Command {
            name: "show env",
            args: "[<name>]",
            help: "show env [var] : dump environment variables known to the process",
            doc: "Shows one or all environment variables of the process.",
            examples: &["show env", "show env HOME"],
            level: Level::Operator,
            run: show_env,
            ..COMMAND
        },
        Command {
            name: "show cli sockets",
            help: "show cli sockets : dump list of cli sockets",
            doc: "Lists the runtime sockets with the rights they give.",
            examples: &["show cli sockets"],
            run: show_sockets,
            ..COMMAND
        },
        Command {
            name: "show cli level",
            help: "show cli level   : display the level of the current CLI session",
            doc: "The rights of this connection.",
            examples: &["show cli level"],
            run: show_level,
            ..COMMAND
        },
        Command {
            name: "operator",
            help: "operator       : lower the level of the current CLI session to operator",
            doc: "Lowers the rights of this connection to operator; they cannot be raised again.",
            examples: &["operator"],
            run: |context| lower(context, Level::Operator),
            ..COMMAND
        },
        Command {
            name: "user",
            help: "user           : lower the level of the current CLI session to user",
            doc: "Lowers the rights of this connection to user; they cannot be raised again.",
            examples: &["user"],
            run: |context| lower(context, Level::User),
            ..COMMAND
        },
    ],
    ..Part::NONE
};
