//! Rings: messages kept in memory until newer ones need the room (manual 3.9 "ring", 4.2 "log ring@"). In:
//! messages. Out: what the runtime socket shows (management.txt 9.3 "show events"). Beside the rings of
//! the configuration there are always `buf0` and the sinks `stdout` and `stderr`.

use std::collections::VecDeque;
use std::fmt::Write;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::catalog::{Part, Status};
use crate::config::address::AddressSpec;
use crate::config::args::{TimeUnit, parse_lenient, parse_time};
use crate::config::outside::Outside;
use crate::config::section::Sections;
use crate::config::spec::{NamedSection, Spec};
use crate::config::words::Word;
use crate::control::cli::{Answer, Command, CommandContext, Level, Severity};
use crate::flow::log::ring_server::{RingServer, Timeouts};
use crate::flow::log::syslog::Descriptor;
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
    /// Where what it holds is sent.
    pub servers: Vec<RingServer>,
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
    Ring(Arc<Ring>),
}

/// Messages that several threads write and several readers follow.
#[derive(Debug, Default)]
pub struct Ring {
    messages: Mutex<Messages>,
    changed: Notify,
}

impl Ring {
    /// Ready at the next message after this was asked for.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }
}

/// One that follows a ring. What it has not read stays, even if new messages are lost for that.
#[derive(Debug)]
pub struct Reader {
    /// What it reads.
    pub ring: Arc<Ring>,
    number: usize,
}

impl Reader {
    /// Hands the next message over; `false` when there is none.
    pub fn next(&mut self, take: impl FnOnce(&[u8])) -> bool {
        let mut messages = self.ring.messages.lock();
        let first = messages.first;
        let Some(Some(next)) = messages.readers.get(self.number).copied() else { return false };
        let at = usize::try_from(next - first).unwrap_or(usize::MAX);
        let Some(message) = messages.list.get(at) else { return false };
        take(message);
        if let Some(reader) = messages.readers.get_mut(self.number) {
            *reader = Some(next + 1);
        }
        true
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(reader) = self.ring.messages.lock().readers.get_mut(self.number) {
            *reader = None;
        }
    }
}

/// The messages of a ring, the oldest first.
#[derive(Debug)]
struct Messages {
    list: VecDeque<Box<[u8]>>,
    used: usize,
    /// The number of the oldest one.
    first: u64,
    /// The number of the message that each reader reads next.
    readers: Vec<Option<u64>>,
}

impl Default for Messages {
    fn default() -> Messages {
        // A ring is never empty: it holds the count of its readers.
        Messages { list: VecDeque::new(), used: 1, first: 0, readers: Vec::new() }
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
            if self.readers.iter().flatten().any(|next| *next == self.first) {
                return false;
            }
            let Some(oldest) = self.list.pop_front() else { return false };
            self.first += 1;
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
        let (name, lost, servers) = (name.to_owned(), AtomicU64::new(0), Vec::new());
        Arc::new(Sink { name, shape, lost, kind, servers })
    };
    let descriptor = |fd| Kind::Descriptor(Descriptor::new(fd));
    [
        sink("stdout", shape("standard output (fd#1)", Header::Raw, 0), descriptor(1)),
        // HAProxy 2.3 says so.
        sink("stderr", shape("standard output (fd#2)", Header::Raw, 0), descriptor(2)),
        sink(
            "buf0",
            shape("in-memory ring buffer", Header::Timed, BUF0_SIZE),
            Kind::Ring(Arc::default()),
        ),
    ]
});

/// The sinks of a configuration: those that are always there and its rings, in their order. A ring that
/// was there before with the same shape keeps its messages.
pub fn compile(spec: &Spec, previous: &[Arc<Sink>], outside: &mut dyn Outside) -> Vec<Arc<Sink>> {
    let mut sinks: Vec<Arc<Sink>> = BUILT_IN.to_vec();
    for section in spec.sections.iter().filter(|section| section.section == Sections::RING) {
        let shape = Shape::of(section);
        let servers = servers(section, outside);
        let before = previous.iter().find(|sink| sink.name == section.name && sink.shape == shape);
        sinks.push(match before {
            Some(before) if before.servers == servers => before.clone(),
            before => {
                let ring = match before.map(|sink| &sink.kind) {
                    Some(Kind::Ring(ring)) => ring.clone(),
                    _ => Arc::default(),
                };
                let (name, lost) = (section.name.clone(), AtomicU64::new(0));
                Arc::new(Sink { name, shape, lost, kind: Kind::Ring(ring), servers })
            }
        });
    }
    sinks
}

/// The `server` lines of a ring.
fn servers(section: &NamedSection, outside: &mut dyn Outside) -> Vec<RingServer> {
    let mut timeouts = Timeouts::default();
    let mut servers = Vec::new();
    for (_, words) in &section.lines {
        let texts: Vec<_> = words.iter().map(Word::str).collect();
        let words: Vec<&str> = texts.iter().map(|text| &**text).collect();
        let time = |word: &str| parse_time(word.as_bytes(), TimeUnit::Milliseconds).ok();
        match words.as_slice() {
            ["timeout", "connect", time_word, ..] => timeouts.connect = time(time_word),
            ["timeout", "server", time_word, ..] => timeouts.server = time(time_word),
            ["server", _, address, options @ ..] => {
                let octet_count =
                    options.windows(2).any(|pair| pair == ["log-proto", "octet-count"]);
                servers.push(((*address).to_owned(), octet_count));
            }
            _ => {}
        }
    }
    let known = |(address, octet_count): (String, bool)| {
        RingServer::new(&AddressSpec::parse(&address).ok()?, octet_count, timeouts, outside)
    };
    servers.into_iter().filter_map(known).collect()
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
    /// Takes a message; `header` appends one of the format that the ring asks for.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room.
    pub fn write(
        &self,
        header: impl FnOnce(Header, Duration, &mut Vec<u8>),
        message: &[u8],
    ) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = Vec::with_capacity(message.len() + 64);
        header(self.shape.header, now, &mut line);
        line.extend_from_slice(message);
        line.truncate(self.shape.longest);
        let written = match &self.kind {
            Kind::Descriptor(descriptor) => {
                line.push(b'\n');
                descriptor.send(&line)
            }
            Kind::Ring(ring) if ring.messages.lock().add(&line, self.shape.size) => {
                ring.changed.notify_waiters();
                Ok(())
            }
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

    /// One that follows it from its oldest message on, or from the next one; `None` when it keeps none.
    pub fn reader(&self, only_new: bool) -> Option<Reader> {
        let Kind::Ring(ring) = &self.kind else { return None };
        let mut messages = ring.messages.lock();
        let skipped = if only_new { messages.list.len() as u64 } else { 0 };
        let next = Some(messages.first + skipped);
        let number = match messages.readers.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                messages.readers.push(None);
                messages.readers.len() - 1
            }
        };
        if let Some(reader) = messages.readers.get_mut(number) {
            *reader = next;
        }
        drop(messages);
        Some(Reader { ring: ring.clone(), number })
    }

    /// Its messages, one a line; `None` when it keeps none.
    fn messages(&self) -> Option<Vec<u8>> {
        let Kind::Ring(ring) = &self.kind else { return None };
        let mut text = Vec::new();
        for message in &ring.messages.lock().list {
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
    let (mut wait, mut only_new) = (false, false);
    for flag in context.args.iter().skip(1) {
        match flag.as_str() {
            "-n" => only_new = true,
            "-w" => wait = true,
            "-nw" | "-wn" => (wait, only_new) = (true, true),
            _ => return Answer::error("unknown option"),
        }
    }
    match sink.reader(only_new).filter(|_| wait) {
        Some(reader) => Answer::Watch(reader),
        None if only_new => Answer::Done,
        None => Answer::Text(messages),
    }
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
        args: "[<sink> [-w] [-n]]",
        help: "show events [<sink>] : show event sink state",
        doc: "Lists the sinks of events, or shows what a ring holds; -n leaves out what is there already, and -w goes on with what comes until something is sent.",
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

    #[test]
    fn what_a_reader_has_not_read_stays() {
        let mut messages = Messages::default();
        messages.readers.push(Some(1));
        let added: Vec<bool> = (0..5u8).map(|number| messages.add(&[number; 8], 35)).collect();
        assert_eq!(added, [true, true, true, true, false]);
        assert_eq!((messages.first, messages.list.len()), (1, 3));
        messages.readers[0] = None;
        assert!(messages.add(&[9; 8], 35));
    }
}
