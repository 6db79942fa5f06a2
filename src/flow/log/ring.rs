//! Rings: messages kept in memory until newer ones need the room (manual 3.9 "ring", 4.2 "log ring@"). In:
//! messages. Out: what the runtime socket shows (management.txt 9.3 "show events"). Beside the rings of
//! the configuration there are always `buf0` and the sinks `stdout` and `stderr`.

use std::collections::VecDeque;
use std::fmt::Write;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::catalog::{Part, Status};
use crate::config::args::parse_lenient;
use crate::config::section::Sections;
use crate::config::spec::{NamedSection, Spec};
use crate::control::cli::{Answer, Command, CommandContext, Level, Severity};
use crate::flow::log::syslog::{self, Descriptor, Sender};
use crate::flow::log::target::Header;

/// The size of a ring, and the longest message, unless they are given.
const SIZE: usize = 16_384;

/// The size of `buf0`.
const BUF0_SIZE: usize = 1_048_576;

/// Where messages can be kept or written.
#[derive(Debug)]
pub struct Sink {
    /// Its name.
    pub name: String,
    shape: Shape,
    lost: AtomicU64,
    kind: Kind,
}

/// What a section says of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    description: String,
    /// What stands before a message.
    header: Header,
    /// Bytes of a message, header included.
    longest: usize,
    /// Bytes that all messages take together.
    size: usize,
}

#[derive(Debug)]
enum Kind {
    Descriptor(Descriptor),
    Ring(Mutex<Messages>),
}

/// The messages of a ring, the oldest first.
#[derive(Debug)]
struct Messages {
    list: VecDeque<Box<[u8]>>,
    used: usize,
}

impl Default for Messages {
    fn default() -> Messages {
        // A ring is never empty: it holds the count of its readers.
        Messages { list: VecDeque::new(), used: 1 }
    }
}

impl Messages {
    /// The room a message takes: its length in HAProxy's variable-length form, itself, and a count.
    fn room(message: &[u8]) -> usize {
        let mut length = 1;
        let mut rest = message.len();
        if rest >= 240 {
            rest = (rest - 240) >> 4;
            length += 1;
            while rest >= 128 {
                rest = (rest - 128) >> 7;
                length += 1;
            }
        }
        length + message.len() + 1
    }

    /// Adds a message and drops the oldest ones until there is room; `false` when it can never fit.
    fn add(&mut self, message: &[u8], size: usize) -> bool {
        let room = Messages::room(message);
        if room + 1 > size {
            return false;
        }
        while self.used + room > size {
            let Some(oldest) = self.list.pop_front() else { return false };
            self.used -= Messages::room(&oldest);
        }
        self.used += room;
        self.list.push_back(message.into());
        true
    }
}

/// What is always there.
static BUILT_IN: LazyLock<[Arc<Sink>; 3]> = LazyLock::new(|| {
    let shape = |description: &str, header, size| Shape {
        description: description.to_owned(),
        header,
        longest: SIZE,
        size,
    };
    let sink = |name: &str, shape, kind| {
        Arc::new(Sink { name: name.to_owned(), shape, lost: AtomicU64::new(0), kind })
    };
    let descriptor = |fd| Kind::Descriptor(Descriptor::new(fd));
    [
        sink("stdout", shape("standard output (fd#1)", Header::Raw, 0), descriptor(1)),
        // HAProxy 2.3 says so.
        sink("stderr", shape("standard output (fd#2)", Header::Raw, 0), descriptor(2)),
        sink(
            "buf0",
            shape("in-memory ring buffer", Header::Timed, BUF0_SIZE),
            Kind::Ring(Mutex::default()),
        ),
    ]
});

/// The sinks of a configuration: those that are always there and its rings, in their order. A ring that
/// was there before with the same shape keeps its messages.
pub fn compile(spec: &Spec, previous: &[Arc<Sink>]) -> Vec<Arc<Sink>> {
    let mut sinks: Vec<Arc<Sink>> = BUILT_IN.to_vec();
    for section in spec.sections.iter().filter(|section| section.section == Sections::RING) {
        let shape = Shape::of(section);
        let before = previous.iter().find(|sink| sink.name == section.name && sink.shape == shape);
        sinks.push(before.cloned().unwrap_or_else(|| {
            let kind = Kind::Ring(Mutex::default());
            Arc::new(Sink { name: section.name.clone(), shape, lost: AtomicU64::new(0), kind })
        }));
    }
    sinks
}

/// The sink of this name.
pub fn find<'s>(sinks: &'s [Arc<Sink>], name: &str) -> Option<&'s Arc<Sink>> {
    sinks.iter().find(|sink| sink.name == name)
}

impl Shape {
    fn of(section: &NamedSection) -> Shape {
        let mut shape = Shape {
            description: section.name.clone(),
            header: Header::Raw,
            longest: SIZE,
            size: SIZE,
        };
        for (_, words) in &section.lines {
            let [keyword, value, ..] = words.as_slice() else { continue };
            let (keyword, value) = (keyword.str(), value.str());
            let number = usize::try_from(parse_lenient(value.as_bytes())).unwrap_or(0);
            match &*keyword {
                "description" => shape.description = value.into_owned(),
                "format" => shape.header = Header::of_name(&value).unwrap_or(Header::Raw),
                "maxlen" => shape.longest = number,
                // A ring only grows.
                "size" => shape.size = shape.size.max(number),
                _ => {}
            }
        }
        shape
    }
}

impl Sink {
    /// Takes a message with the header that the ring asks for.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room.
    pub fn write(&self, priority: (u8, u8), sender: &Sender<'_>, message: &[u8]) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = Vec::with_capacity(message.len() + 64);
        let (facility, level) = priority;
        syslog::write_header(self.shape.header, facility, level, sender, now, &mut line);
        line.extend_from_slice(message);
        line.truncate(self.shape.longest);
        let written = match &self.kind {
            Kind::Descriptor(descriptor) => {
                line.push(b'\n');
                descriptor.send(&line)
            }
            Kind::Ring(messages) if messages.lock().add(&line, self.shape.size) => Ok(()),
            Kind::Ring(_) => Err(io::ErrorKind::WouldBlock.into()),
        };
        if written.is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
        written
    }

    /// Whether it is a ring.
    pub fn is_ring(&self) -> bool {
        matches!(self.kind, Kind::Ring(_))
    }

    /// Its messages, one a line; `None` when it keeps none.
    fn messages(&self) -> Option<Vec<u8>> {
        let Kind::Ring(messages) = &self.kind else { return None };
        let mut text = Vec::new();
        for message in &messages.lock().list {
            text.extend_from_slice(message);
            text.push(b'\n');
        }
        Some(text)
    }
}

fn show_events(context: &mut CommandContext<'_>) -> Answer {
    let name = context.arg(0);
    if name.is_empty() {
        return Answer::Message(Severity::Warning, overview(&context.world.sinks));
    }
    if context.console.level < Level::Operator {
        return Answer::error("Permission denied\n");
    }
    let Some(sink) = find(&context.world.sinks, name) else {
        return Answer::error("No such event sink");
    };
    let Some(messages) = sink.messages() else {
        let text = "Nothing to report for this sink".to_owned();
        return Answer::Message(Severity::Notice, text);
    };
    let mut only_new = false;
    for flag in context.args.iter().skip(1) {
        match flag.as_str() {
            "-n" => only_new = true,
            "-w" | "-nw" | "-wn" => return Answer::error("Waiting for events is not built yet."),
            _ => return Answer::error("unknown option"),
        }
    }
    if only_new { Answer::Done } else { Answer::Text(messages) }
}

fn overview(sinks: &[Arc<Sink>]) -> String {
    let mut text = String::from(
        "Supported events sinks are listed below. Add -w(wait), -n(new). Any key to stop\n",
    );
    for sink in sinks {
        let kind = if sink.is_ring() { "buffer" } else { "fd" };
        let (name, lost, about) = (&sink.name, sink.lost.load(Relaxed), &sink.shape.description);
        let _ = writeln!(text, "    {name:<10} : type={kind}, {lost} dropped, {about}");
    }
    text
}

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[Command {
        name: "show events",
        args: "[<sink> [-n]]",
        help: "show events [<sink>] : show event sink state",
        doc: "Lists the sinks of events, or shows what a ring holds; -n leaves out what is there already.",
        examples: &["show events", "show events buf0"],
        level: Level::User,
        status: Status::Works,
        run: show_events,
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_messages_make_room() {
        let mut messages = Messages::default();
        for number in 0..10u8 {
            assert!(messages.add(&[number; 8], 35));
        }
        let kept: Vec<u8> = messages.list.iter().map(|message| message[0]).collect();
        assert_eq!((kept, messages.used), (vec![7, 8, 9], 31));
        assert!(!messages.add(&[0; 40], 35));
    }
}
