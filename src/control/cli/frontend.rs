//! Commands about frontends: `enable`, `disable` and `shutdown frontend`, `set maxconn frontend`
//! and `global` (management.txt 9.3).

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::Ordering::Relaxed;

use nix::sys::socket::{Shutdown, shutdown};

use super::{Answer, Command, CommandContext, Level};
use crate::catalog::{Part, Status};
use crate::config::args::parse_lenient;
use crate::config::outside::ListenAddress;
use crate::state::world::Frontend;

fn with_frontend(
    context: &CommandContext<'_>,
    act: impl FnOnce(&CommandContext<'_>, &Frontend) -> Answer,
) -> Answer {
    match context.frontend(context.arg(0)) {
        Err(answer) => answer,
        Ok(proxy) => match &proxy.frontend {
            Some(frontend) => act(context, frontend),
            None => Answer::error("No such frontend.\n"),
        },
    }
}

impl Frontend {
    /// Takes no new connection any more; says whether it did before. The threads are to be told.
    pub fn shut_down(&self) -> bool {
        let before = self.state.stopped.swap(true, Relaxed);
        if !before {
            refuse(self);
        }
        !before
    }
}

/// Has the kernel refuse new connections: the socket stays bound, but listens no more.
fn refuse(frontend: &Frontend) {
    for (bound, listener) in frontend.sockets.iter().zip(&frontend.listeners) {
        // A unix socket cannot be told to listen again; nobody accepts from it while it is paused.
        if let (Some(bound), ListenAddress::Tcp(_)) = (bound, &listener.listen.address) {
            // It may have been shut down before.
            let _ = shutdown(bound.socket.as_raw_fd(), Shutdown::Read);
        }
    }
}

/// Listens again.
fn listen(frontend: &Frontend) {
    for (bound, listener) in frontend.sockets.iter().zip(&frontend.listeners) {
        if let (Some(bound), ListenAddress::Tcp(_)) = (bound, &listener.listen.address) {
            let backlog = listener.listen.options.backlog.unwrap_or(1024);
            if let Err(error) = crate::sys::listen(bound.socket.as_fd(), backlog) {
                tracing::error!(%error, listener = %listener.name, "cannot listen again");
            }
        }
    }
}

fn disable(context: &mut CommandContext<'_>) -> Answer {
    with_frontend(context, |context, frontend| {
        if frontend.state.stopped.load(Relaxed) {
            return Answer::error("Frontend was previously shut down, cannot disable.\n");
        }
        if frontend.state.paused.swap(true, Relaxed) {
            return Answer::error("All sockets are already disabled.\n");
        }
        refuse(frontend);
        context.thread.shared.listening_changed();
        Answer::Done
    })
}

fn enable(context: &mut CommandContext<'_>) -> Answer {
    with_frontend(context, |context, frontend| {
        if frontend.state.stopped.load(Relaxed) {
            return Answer::error("Frontend was previously shut down, cannot enable.\n");
        }
        if !frontend.state.paused.load(Relaxed) {
            return Answer::error("All sockets are already enabled.\n");
        }
        listen(frontend);
        frontend.state.paused.store(false, Relaxed);
        context.thread.shared.listening_changed();
        Answer::Done
    })
}

fn shut_down(context: &mut CommandContext<'_>) -> Answer {
    with_frontend(context, |context, frontend| {
        if !frontend.shut_down() {
            return Answer::error("Frontend was already shut down.\n");
        }
        context.thread.shared.listening_changed();
        Answer::Done
    })
}

fn set_maxconn(context: &mut CommandContext<'_>) -> Answer {
    with_frontend(context, |context, frontend| {
        let word = context.arg(1);
        if word.is_empty() {
            return Answer::error("Integer value expected.\n");
        }
        let Ok(limit) = u32::try_from(parse_lenient(word.as_bytes())) else {
            return Answer::error("Value out of range.\n");
        };
        frontend.state.maxconn.store(limit, Relaxed);
        context.thread.shared.room.notify_waiters();
        Answer::Done
    })
}

fn set_global_maxconn(context: &mut CommandContext<'_>) -> Answer {
    let word = context.arg(0);
    if word.is_empty() {
        return Answer::error("Expects an integer value.\n");
    }
    let hard = context.world.global.maxconn;
    let shared = &context.thread.shared;
    match u32::try_from(parse_lenient(word.as_bytes())) {
        Ok(limit) if hard == 0 || limit <= hard => shared.counters.maxconn.store(limit, Relaxed),
        _ => return Answer::error("Value out of range.\n"),
    }
    shared.room.notify_waiters();
    Answer::Done
}

const ADMIN: Command = Command { level: Level::Admin, status: Status::Works, ..Command::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "disable frontend",
            args: "<frontend>",
            help: "disable frontend : temporarily disable specific frontend",
            doc: "The frontend accepts no more connections until it is enabled again; its ports stay open.",
            examples: &["disable frontend www"],
            run: disable,
            ..ADMIN
        },
        Command {
            name: "enable frontend",
            args: "<frontend>",
            help: "enable frontend : re-enable specific frontend",
            doc: "The frontend accepts connections again.",
            examples: &["enable frontend www"],
            run: enable,
            ..ADMIN
        },
        Command {
            name: "set maxconn frontend",
            args: "<frontend> <value>",
            help: "set maxconn frontend : change a frontend's maxconn setting",
            doc: "How many connections the frontend serves at once.",
            examples: &["set maxconn frontend www 1000"],
            run: set_maxconn,
            ..ADMIN
        },
        Command {
            name: "set maxconn global",
            args: "<maxconn>",
            help: "set maxconn global : change the per-process maxconn setting",
            doc: "How many connections the process serves at once, up to the configured maxconn; 0 for that.",
            examples: &["set maxconn global 1000"],
            run: set_global_maxconn,
            ..ADMIN
        },
        Command {
            name: "shutdown frontend",
            args: "<frontend>",
            help: "shutdown frontend : stop a specific frontend",
            doc: "Closes the frontend's ports for good; connections in progress go on.",
            examples: &["shutdown frontend www"],
            run: shut_down,
            ..ADMIN
        },
    ],
    ..Part::NONE
};
