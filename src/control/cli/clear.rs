//! `clear counters` (management.txt 9.3).

use super::{Answer, Command, CommandContext, Level};
use crate::catalog::{Part, Status};
use crate::state::counters::Counters;

fn clear(context: &mut CommandContext<'_>) -> Answer {
    let all = context.arg(0) == "all";
    if all && context.console.level < Level::Admin {
        return Answer::error("Permission denied\n");
    }
    let reset = |counters: &Counters| {
        counters.reset_peaks();
        if all {
            counters.reset_totals();
        }
    };
    for proxy in &context.world.proxies {
        if let Some(frontend) = &proxy.frontend {
            reset(&frontend.state.counters);
        }
        if let Some(backend) = &proxy.backend {
            reset(&backend.state.counters);
        }
        proxy.listeners().iter().for_each(|listener| reset(&listener.counters));
        proxy.servers().iter().for_each(|server| reset(&server.status.counters));
    }
    let process = &context.thread.shared.counters;
    process.connections.reset_peak();
    process.connection_rate.reset_peak();
    process.session_rate.reset_peak();
    Answer::Done
}

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[Command {
        name: "clear counters",
        args: "[all]",
        help: "clear counters : clear max statistics counters (add 'all' for all counters)",
        doc: "Forgets the highest values of the statistics; with all, the totals too.",
        examples: &["clear counters", "clear counters all"],
        level: Level::Operator,
        status: Status::Works,
        run: clear,
    }],
    ..Part::NONE
};
