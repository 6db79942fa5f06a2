//! Commands that look inside the process: `show activity`, `show threads`, `show fd`, `show pools`
//! (management.txt 9.3). What they show is about this implementation, in HAProxy's form.

use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use tokio::sync::mpsc;
use tokio::time;

use super::{Answer, Command, CommandContext, Level};
use crate::catalog::{Part, Status};
use crate::control::pools;
use crate::flow::threads::{Shared, Thread};
use crate::state::clock::Moment;

/// How long a thread may take to tell about itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks every thread something; the answers come in the threads' order, without those that are busy
/// for too long.
pub async fn ask_threads<T: Send + 'static>(
    shared: Arc<Shared>,
    ask: impl Fn(&Rc<Thread>) -> T + Send + Sync + 'static,
) -> Vec<(usize, T)> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    shared.on_threads(Arc::new(move |thread| {
        // Nobody listens any more when it was too late.
        let _ = sender.send((thread.index, ask(thread)));
    }));
    let mut answers = Vec::new();
    while answers.len() < shared.threads() {
        match time::timeout(PATIENCE, receiver.recv()).await {
            Ok(Some(answer)) => answers.push(answer),
            Ok(None) | Err(_) => break,
        }
    }
    answers.sort_by_key(|(index, _)| *index);
    answers
}

/// What a thread tells about itself.
struct Activity {
    connections: u64,
    switches: u64,
    faults: u64,
    busy_ms: u64,
}

/// A line of `show activity`: its name, and what it takes of each thread.
type Row = (&'static str, fn(&Activity) -> u64);

impl Activity {
    fn of(thread: &Rc<Thread>) -> Activity {
        let connections = thread.connections().into();
        let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else {
            return Activity { connections, switches: 0, faults: 0, busy_ms: 0 };
        };
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        let ms = |t: nix::sys::time::TimeVal| t.tv_sec() * 1000 + t.tv_usec() / 1000;
        Activity {
            connections,
            switches: number(
                usage.voluntary_context_switches() + usage.involuntary_context_switches(),
            ),
            faults: number(usage.minor_page_faults() + usage.major_page_faults()),
            busy_ms: number(ms(usage.user_time()) + ms(usage.system_time())),
        }
    }
}

fn show_activity(context: &mut CommandContext<'_>) -> Answer {
    let thread = context.thread.clone();
    Answer::Later(Box::pin(async move {
        let index = thread.index + 1;
        let threads = ask_threads(thread.shared.clone(), Activity::of).await;
        let date = Moment::now().date();
        let mut text = format!("thread_id: {index} (1..{})\n", threads.len());
        let _ = writeln!(text, "date_now: {}.{:06}", date.as_secs(), date.subsec_micros());
        let rows: [Row; 4] = [
            ("connections", |a| a.connections),
            ("ctxsw", |a| a.switches),
            ("page_faults", |a| a.faults),
            ("cpu_ms_tot", |a| a.busy_ms),
        ];
        for (name, take) in rows {
            let total: u64 = threads.iter().map(|(_, a)| take(a)).sum();
            let each: Vec<_> = threads.iter().map(|(_, a)| take(a).to_string()).collect();
            let _ = writeln!(text, "{name}: {total} [ {} ]", each.join(" "));
        }
        Answer::text(text)
    }))
}

fn show_threads(context: &mut CommandContext<'_>) -> Answer {
    let thread = context.thread.clone();
    Answer::Later(Box::pin(async move {
        let own = thread.index;
        let mut text = String::new();
        for (index, activity) in ask_threads(thread.shared.clone(), Activity::of).await {
            let mark = if index == own { '*' } else { ' ' };
            let (number, connections) = (index + 1, activity.connections);
            let active = u8::from(index == own);
            let _ = writeln!(text, "{mark} Thread {number} : act={active} conn={connections}");
            let _ = writeln!(text, "             cpu_ms={}", activity.busy_ms);
        }
        Answer::text(text)
    }))
}

fn show_fd(context: &mut CommandContext<'_>) -> Answer {
    let wanted = context.arg(0).parse::<u32>().ok();
    let Ok(folder) = std::fs::read_dir("/proc/self/fd") else {
        return Answer::error("The list of descriptors cannot be read.\n");
    };
    let number = |entry: &std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let mut list: Vec<_> = folder
        .filter_map(Result::ok)
        .filter_map(|entry| Some((number(&entry)?, std::fs::read_link(entry.path()).ok()?)))
        .filter(|(fd, _)| wanted.is_none_or(|wanted| wanted == *fd))
        .collect();
    list.sort();
    let mut text = String::new();
    for (fd, what) in list {
        let _ = writeln!(text, "{fd:>7} : {}", what.display());
    }
    Answer::text(text)
}

fn show_pools(context: &mut CommandContext<'_>) -> Answer {
    let shared = context.thread.shared.clone();
    Answer::Later(Box::pin(async move { Answer::text(pools::report(shared).await) }))
}

const COMMAND: Command = Command { status: Status::Works, ..Command::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "show fd",
            args: "[<fd>]",
            help: "show fd [num] : dump list of file descriptors in use",
            doc: "The open file descriptors and what they lead to.",
            examples: &["show fd", "show fd 3"],
            level: Level::Operator,
            run: show_fd,
            ..COMMAND
        },
        Command {
            name: "show activity",
            help: "show activity : show per-thread activity stats (for support/developers)",
            doc: "What each thread has done.",
            examples: &["show activity"],
            run: show_activity,
            ..COMMAND
        },
        Command {
            name: "show threads",
            help: "show threads   : show some threads debugging information",
            doc: "The threads, their connections and their CPU time.",
            examples: &["show threads"],
            run: show_threads,
            ..COMMAND
        },
        Command {
            name: "show pools",
            help: "show pools     : report information about the memory pools usage",
            doc: "What memory is used for.",
            examples: &["show pools"],
            run: show_pools,
            ..COMMAND
        },
    ],
    ..Part::NONE
};
