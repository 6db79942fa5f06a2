//! `show startup-logs`, `show profiling`, `set profiling` (management.txt 9.3): what was said at the start, and
//! whether tasks would be measured.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Answer, Command, CommandContext, Level};
use crate::catalog::{Part, Status};

fn show_startup_logs(context: &mut CommandContext<'_>) -> Answer {
    match context.world.startup_logs.as_str() {
        "" => Answer::info("\n"),
        text => Answer::info(text),
    }
}

/// The words for whether tasks are measured, as `profiling.tasks` and `set profiling` have them.
const SETTINGS: [&str; 3] = ["off", "auto", "on"];

/// What `set profiling` has said last: an index into `SETTINGS`.
static SET: AtomicUsize = AtomicUsize::new(usize::MAX);

fn show_profiling(context: &mut CommandContext<'_>) -> Answer {
    let configured = context.world.global.spec.profiling.as_deref().unwrap_or("auto");
    let setting = SETTINGS.get(SET.load(Relaxed)).copied().unwrap_or(configured);
    Answer::info(format!(
        "Per-task CPU profiling              : {setting}      # set profiling tasks {{on|auto|off}}\n"
    ))
}

fn set_profiling(context: &mut CommandContext<'_>) -> Answer {
    if context.arg(0) != "tasks" {
        return Answer::error("Expects 'tasks'.\n");
    }
    match SETTINGS.iter().position(|setting| *setting == context.arg(1)) {
        Some(setting) => {
            SET.store(setting, Relaxed);
            Answer::Done
        }
        None => Answer::error("Expects 'on', 'auto', or 'off'.\n"),
    }
}

/// Why profiling has no effect.
const UNMEASURED: Status =
    Status::NoEffect("tasks are not profiled; the setting is kept and shown");

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "set profiling",
            args: "tasks { auto | on | off }",
            help: "set  profiling : enable/disable CPU profiling",
            doc: "Whether CPU time is measured for each task.",
            examples: &["set profiling tasks on"],
            level: Level::Admin,
            status: UNMEASURED,
            run: set_profiling,
        },
        Command {
            name: "show profiling",
            args: "",
            help: "show profiling : show CPU profiling options",
            doc: "Tells whether CPU time is to be measured for each task.",
            examples: &["show profiling"],
            level: Level::User,
            status: UNMEASURED,
            run: show_profiling,
        },
        Command {
            name: "show startup-logs",
            args: "",
            help: "show startup-logs : report logs emitted during HAProxy startup",
            doc: "Shows what was said about the configuration when it was loaded.",
            examples: &["show startup-logs"],
            level: Level::Operator,
            status: Status::Works,
            run: show_startup_logs,
        },
    ],
    ..Part::NONE
};
