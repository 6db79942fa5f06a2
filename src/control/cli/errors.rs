//! `show errors` (management.txt 9.3, 13.1): the messages that could not be parsed or were refused.

use std::fmt::Write;

use super::{Answer, Command, CommandContext, Level};
use crate::catalog::{Part, Status};
use crate::config::args::parse_lenient;
use crate::flow::log::date;
use crate::flow::session::Address;
use crate::state::bad_message::{self, BadMessage};
use crate::state::clock::Moment;
use crate::state::world::{Proxy, World};

/// What is shown.
struct Wanted {
    /// The proxy's number, all if negative.
    id: i64,
    requests: bool,
    responses: bool,
}

fn show(context: &mut CommandContext<'_>) -> Answer {
    let id = match context.arg(0) {
        "" => -1,
        name => match context.world.proxies.iter().find(|p| p.name == name) {
            Some(proxy) => i64::from(proxy.id),
            None => parse_lenient(name.as_bytes()),
        },
    };
    if id == 0 {
        return Answer::error("No such proxy.\n");
    }
    let direction = context.arg(1);
    let (requests, responses) = (direction != "response", direction != "request");
    let wanted = Wanted { id, requests, responses };
    let world = context.world.clone();
    let mut next = 0;
    let mut begun = false;
    Answer::Pieces(Box::new(move |out| {
        if !std::mem::replace(&mut begun, true) {
            out.extend_from_slice(b"Total events captured on [");
            date::write_log(out, Moment::now().date());
            out.extend_from_slice(format!("] : {}\n", bad_message::events()).as_bytes());
        }
        let Some(proxy) = world.proxies.get(next) else { return false };
        next += 1;
        of_proxy(&world, proxy, &wanted, out);
        true
    }))
}

fn of_proxy(world: &World, proxy: &Proxy, wanted: &Wanted, out: &mut Vec<u8>) {
    let mut tell = |bad: &BadMessage, response: bool| {
        let fits = |id: u32| i64::from(id) == wanted.id;
        let other = bad.other.as_ref().is_some_and(|(_, id)| fits(*id));
        if wanted.id < 0 || fits(proxy.id) || other {
            head(world, proxy, bad, response, out);
            lines(&bad.bytes, out);
        }
    };
    let request = proxy.frontend.as_ref().and_then(|f| f.state.last_bad.get());
    if let Some(bad) = request.filter(|_| wanted.requests) {
        tell(&bad, false);
    }
    let response = proxy.backend.as_ref().and_then(|b| b.state.last_bad.get());
    if let Some(bad) = response.filter(|_| wanted.responses) {
        tell(&bad, true);
    }
}

fn head(world: &World, proxy: &Proxy, bad: &BadMessage, response: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b" \n[");
    date::write_log(out, bad.at);
    let (side, what, other) = match response {
        true => ("backend", "response", "frontend"),
        false => ("frontend", "request", "backend"),
    };
    let name = |party: &Option<(String, u32)>| match party {
        Some((name, id)) => format!("{name} (#{id})"),
        None => "<NONE> (#-1)".to_owned(),
    };
    let source = match &bad.source {
        Address::Inet(address) => format!("{}:{}", address.ip(), address.port()),
        Address::Unix(_) => "unix:0".to_owned(),
    };
    let size = world.global.bufsize;
    let (length, wraps) = (bad.bytes.len(), size.saturating_sub(bad.offset));
    let mut text = format!("] {side} {} (#{}): invalid {what}\n", proxy.name, proxy.id);
    let _ = write!(
        text,
        "  {other} {}, server {}, event #{}, src {source}\n  buffer starts at 0 (including 0 out), {} free,\n  len {length}, wraps at {wraps}, error at position {}\n",
        name(&bad.other),
        name(&bad.server),
        bad.event,
        size.saturating_sub(length),
        bad.position,
    );
    let _ = write!(
        text,
        "  H1 connection flags {:#010x}, H1 stream flags {:#010x}\n  H1 msg state {}({}), H1 msg flags {:#010x}\n  H1 chunk len {} bytes, H1 body len {} bytes :\n  \n",
        if bad.full { 0x20 } else { 0 },
        bad.stream_flags,
        bad.progress.name(),
        bad.progress as u8,
        bad.known.flags,
        bad.known.length,
        bad.body,
    );
    out.extend_from_slice(text.as_bytes());
}

/// The longest line, its end not counted.
const WIDTH: usize = 79;

/// The bytes with their positions, a line each; longer lines go on in the next one, marked with `+`.
fn lines(bytes: &[u8], out: &mut Vec<u8>) {
    let mut line = 0;
    let mut at = 0;
    while at < bytes.len() {
        let start = out.len();
        let mark = if at == line { ' ' } else { '+' };
        out.extend_from_slice(format!("  {at:05}{mark} ").as_bytes());
        while let Some(byte) = bytes.get(at) {
            let before = out.len();
            escaped(*byte, out);
            if out.len() - start > WIDTH {
                out.truncate(before);
                break;
            }
            at += 1;
            if *byte == b'\n' {
                line = at;
                break;
            }
        }
        out.push(b'\n');
    }
}

fn escaped(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'\t' => out.extend_from_slice(b"\\t"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        27 => out.extend_from_slice(b"\\e"),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b' '..=b'~' => out.push(byte),
        _ => out.extend_from_slice(format!("\\x{byte:02X}").as_bytes()),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[Command {
        name: "show errors",
        args: "[<iid>|<proxy>] [request|response]",
        help: "show errors    : report last request and response errors for each proxy",
        doc: "The last malformed request and response of each proxy, or of one and what it talked to; -1 stands for all.",
        examples: &["show errors", "show errors -1 response"],
        level: Level::Operator,
        status: Status::Works,
        run: show,
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        lines(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn bytes_are_escaped_and_lines_are_kept() {
        assert_eq!(
            shown(b"a\\b\t\x1b\x00\xff\r\n\r\nend"),
            "  00000  a\\\\b\\t\\e\\x00\\xFF\\r\\n\n  00009  \\r\\n\n  00011  end\n"
        );
    }

    #[test]
    fn long_lines_are_broken() {
        let text = shown(&[&[b'a'; 100][..], b"\n"].concat());
        let expected = format!("  00000  {}\n  00070+ {}\\n\n", "a".repeat(70), "a".repeat(30));
        assert_eq!(text, expected);
    }
}
