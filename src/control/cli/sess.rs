//! `show sess`, `shutdown session`, `shutdown sessions server` (management.txt 9.3).

use std::fmt::Write;

use super::internals::ask_threads;
use super::{Answer, Command, CommandContext, Level};
use crate::catalog::{Part, Status};
use crate::flow::log::date;
use crate::flow::session::Address;
use crate::flow::session::outcome::Who;
use crate::flow::session::registry::Entry;

/// How much is told of each stream.
#[derive(Clone, Copy)]
enum Detail {
    Line,
    All,
    One(usize),
}

fn show(context: &mut CommandContext<'_>) -> Answer {
    let detail = match context.arg(0) {
        "" => Detail::Line,
        "all" => Detail::All,
        word => number(word).map_or(Detail::Line, Detail::One),
    };
    let thread = context.thread.clone();
    Answer::Later(Box::pin(async move {
        let texts = ask_threads(thread.shared.clone(), move |thread| {
            let mut text = String::new();
            for entry in thread.registry.all() {
                match detail {
                    Detail::Line => line(&entry, &mut text),
                    Detail::All => full(&entry, &mut text),
                    Detail::One(id) if entry.id() == id => full(&entry, &mut text),
                    Detail::One(_) => {}
                }
            }
            text
        });
        let text: String = texts.await.into_iter().map(|(_, text)| text).collect();
        match detail {
            Detail::One(_) if text.is_empty() => Answer::error("Session not found.\n"),
            _ => Answer::text(text),
        }
    }))
}

/// `0x7fbe34017d60`
fn number(word: &str) -> Option<usize> {
    usize::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

/// `tcpv4` and the client's address.
fn source(entry: &Entry) -> (&'static str, String) {
    match &entry.source {
        Address::Inet(address) if address.is_ipv4() => ("tcpv4", address.to_string()),
        Address::Inet(address) => ("tcpv6", format!("{}:{}", address.ip(), address.port())),
        Address::Unix(_) => ("unix_stream", format!("unix:{}", entry.listener)),
    }
}

fn line(entry: &Entry, out: &mut String) {
    let (protocol, source) = source(entry);
    let frontend = entry.world.proxies.get(entry.frontend).map_or("<NONE>", |p| &p.name);
    let age = entry.began.elapsed().as_secs();
    let _ = writeln!(
        out,
        "{:#x}: proto={protocol} src={source} fe={frontend} be={} srv={} ts=00 age={} calls=1 rate=0 cpu=0 lat=0 rq[f=000000h,i=0,an=00h,rx=,wx=,ax=] rp[f=000000h,i=0,an=00h,rx=,wx=,ax=] s0=[8,000000h,fd=-1,ex=] s1=[8,000000h,fd=-1,ex=] exp=",
        entry.id(),
        entry.backend().map_or("<NONE>", |p| &p.name),
        entry.server().map_or("<none>", |s| &s.name),
        human(age),
    );
}

fn full(entry: &Entry, out: &mut String) {
    let (protocol, source) = source(entry);
    let mut began = Vec::new();
    date::write_log(&mut began, entry.began.date());
    let began = String::from_utf8_lossy(&began).into_owned();
    let began = began.split('.').next().unwrap_or_default();
    let micros = entry.began.date().subsec_micros();
    let _ = writeln!(
        out,
        "{:#x}: [{began}.{micros:06}] id={} proto={protocol} source={source}",
        entry.id(),
        entry.session,
    );
    out.push_str("  flags=0x0, conn_retries=0, srv_conn=(nil), pend_pos=(nil) waiting=0\n");
    if let Some(frontend) = entry.world.proxies.get(entry.frontend) {
        let listener = frontend.listeners().iter().find(|l| l.id == entry.listener);
        let address = listener.map_or_else(|| "?".to_owned(), |l| l.listen.address.to_string());
        let _ = writeln!(
            out,
            "  frontend={} (id={} mode={}), listener={} (id={}) addr={address}",
            frontend.name,
            frontend.id,
            frontend.mode.word(),
            listener.map_or("?", |l| &l.name),
            entry.listener,
        );
    }
    let _ = match entry.backend() {
        Some(p) => writeln!(out, "  backend={} (id={} mode={})", p.name, p.id, p.mode.word()),
        None => writeln!(out, "  backend=<NONE> (id=-1 mode=-)"),
    };
    let _ = match entry.server() {
        Some(s) => writeln!(out, "  server={} (id={})", s.name, s.id),
        None => writeln!(out, "  server=<NONE> (id=-1)"),
    };
    let age = human(entry.began.elapsed().as_secs());
    let _ = writeln!(out, "  task={:#x} (age={age})", entry.id());
}

/// The two largest units: `5s`, `1m5s`, `1h1m`, `1d1h`.
fn human(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

fn shut_down(context: &mut CommandContext<'_>) -> Answer {
    if context.arg(0).is_empty() {
        return Answer::error("Session pointer expected (use 'show sess').\n");
    }
    let Some(wanted) = number(context.arg(0)) else {
        return Answer::error("No such session (use 'show sess').\n");
    };
    let thread = context.thread.clone();
    Answer::Later(Box::pin(async move {
        let killed = ask_threads(thread.shared.clone(), move |thread| {
            let found = thread.registry.all().into_iter().find(|entry| entry.id() == wanted);
            found.map(|entry| entry.kill(Who::Killed)).is_some()
        });
        match killed.await.iter().any(|(_, killed)| *killed) {
            true => Answer::Done,
            false => Answer::error("No such session (use 'show sess').\n"),
        }
    }))
}

fn shut_down_of_server(context: &mut CommandContext<'_>) -> Answer {
    let (proxy, server_name) = match context.server(context.arg(0)) {
        Ok((proxy, server)) => (proxy.name.clone(), server.name.clone()),
        Err(answer) => return answer,
    };
    let thread = context.thread.clone();
    Answer::Later(Box::pin(async move {
        let killed = ask_threads(thread.shared.clone(), move |thread| {
            thread.registry.kill_on_server(&proxy, &server_name, Who::Killed);
        });
        killed.await;
        Answer::Done
    }))
}

const COMMAND: Command = Command { status: Status::Works, ..Command::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "show sess",
            args: "[ all | <id> ]",
            help: "show sess [id] : report the list of current sessions or dump this session",
            doc: "Lists the streams in progress, or tells more of all or one of them.",
            examples: &["show sess", "show sess all"],
            level: Level::Operator,
            run: show,
            ..COMMAND
        },
        Command {
            name: "shutdown session",
            args: "<id>",
            help: "shutdown session : kill a specific session",
            doc: "Ends a stream that show sess lists.",
            examples: &["shutdown session 0x7fbe34017d60"],
            level: Level::Admin,
            run: shut_down,
            ..COMMAND
        },
        Command {
            name: "shutdown sessions server",
            args: "<backend>/<server>",
            help: "shutdown sessions server : kill sessions on a server",
            doc: "Ends the streams that a server serves.",
            examples: &["shutdown sessions server app/web1"],
            level: Level::Admin,
            run: shut_down_of_server,
            ..COMMAND
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units() {
        assert_eq!(human(5), "5s");
        assert_eq!(human(65), "1m5s");
        assert_eq!(human(3_660), "1h1m");
        assert_eq!(human(90_000), "1d1h");
    }
}
