//! `show stat`, `show schema json` (management.txt 9.3): the statistics, as text.

use super::{Answer, Command, CommandContext, resolvers};
use crate::catalog::{Part, Status};
use crate::control::stats::{self, Bound, Format, Selection};

fn show(context: &mut CommandContext<'_>) -> Answer {
    let args: &[String] = match context.args.as_slice() {
        // Only as a table.
        [domain, name] if domain == "domain" && name == "dns" => {
            return Answer::text(resolvers::table(&context.world));
        }
        [domain, name, ..] if domain == "domain" && name != "proxy" => return Answer::Done,
        [domain, _, rest @ ..] if domain == "domain" => rest,
        args => args,
    };
    let (bound, flags) = match args {
        [proxy, kinds, sid, flags @ ..] if !is_flag(proxy) => {
            match bound(context, proxy, kinds, sid) {
                Some(bound) => (Some(bound), flags),
                None => return Answer::error("No such proxy.\n"),
            }
        }
        flags => (None, flags),
    };
    let has = |word: &str| flags.iter().any(|flag| flag == word);
    let selection = Selection {
        bound,
        hide_down: has("up"),
        hide_maintenance: has("no-maint"),
        legends: context.console.level >= super::Level::Operator,
        ..Selection::default()
    };
    let format = match () {
        () if has("json") => Format::Json,
        () if has("typed") => Format::Typed { described: has("desc") },
        () => Format::Csv,
    };
    Answer::Text(stats::dump(&context.world, &selection, format))
}

fn is_flag(word: &str) -> bool {
    matches!(word, "typed" | "json" | "desc" | "up" | "no-maint")
}

/// `{<iid>|<proxy>} <type> <sid>`
fn bound(context: &CommandContext<'_>, proxy: &str, kinds: &str, sid: &str) -> Option<Bound> {
    let number = |word: &str| crate::config::args::parse_lenient(word.as_bytes());
    let iid = match proxy.parse() {
        Ok(iid) => iid,
        Err(_) => {
            let found = context.world.proxies.iter().find(|p| p.name == proxy);
            i64::from(found?.id)
        }
    };
    Some(Bound { iid, kinds: number(kinds), sid: number(sid) })
}

const COMMAND: Command = Command { status: Status::Works, ..Command::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "show stat",
            args: "[domain <dns|proxy>] [{<iid>|<proxy>} <type> <sid>] [typed|json] [desc] [up|no-maint]",
            help: "show stat      : report counters for each proxy and server [desc|json|no-maint|typed|up]*",
            doc: "The statistics as CSV, as typed lines or as JSON.",
            examples: &["show stat", "show stat json", "show stat app 4 -1"],
            run: show,
            ..COMMAND
        },
        Command {
            name: "show schema json",
            help: "show schema json : report schema used for stats",
            doc: "The JSON schema of show stat json and show info json.",
            examples: &["show schema json"],
            run: |_| Answer::text(stats::schema()),
            ..COMMAND
        },
    ],
    ..Part::NONE
};
