//! `filter trace` (manual 9.1): tells on standard error what passes. In: the words of the line, then heads
//! and bodies. Out: HAProxy's lines about them, the bodies as hexadecimal numbers with `hexdump`.

use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::io::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::args::{Line, Parsed};
use crate::config::diagnostic::Diagnostic;
use crate::flow::http::message::{Message, Version};
use crate::flow::session::Stream;
use crate::flow::session::exchange::END;
use crate::flow::session::filter::{Filter, Then};

/// `filter trace` as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceSpec {
    name: Option<String>,
    random_parsing: bool,
    random_forwarding: bool,
    hexdump: bool,
}

impl TraceSpec {
    /// Reads what follows `filter trace`.
    ///
    /// # Errors
    /// `name` without one, and what is no option.
    pub fn parse(line: &mut Line<'_>) -> Result<TraceSpec, Diagnostic> {
        let mut spec = TraceSpec::default();
        while let Some(word) = line.word() {
            match &*word.str() {
                "name" => spec.name = Some(name(line)?),
                "random-parsing" => spec.random_parsing = true,
                "random-forwarding" => spec.random_forwarding = true,
                "hexdump" => spec.hexdump = true,
                other => unknown(line, other)?,
            }
        }
        Ok(spec)
    }

    /// What runs in a proxy of this name. `begins`: the configuration is to run.
    pub fn compile(&self, proxy: &str, begins: bool) -> Arc<Trace> {
        let name = format!("{}/{proxy}", self.name.as_deref().unwrap_or("TRACE"));
        let trace = Trace { spec: self.clone(), name };
        if begins {
            trace.tell(
                "",
                &format!(
                    "filter initialized [read random={} - fwd random={} - hexdump={}]",
                    self.random_parsing, self.random_forwarding, self.hexdump
                ),
            );
        }
        Arc::new(trace)
    }
}

fn name(line: &mut Line<'_>) -> Result<String, Diagnostic> {
    match line.word() {
        Some(name) => Ok(name.str().into_owned()),
        None => Err(line.alert("'filter' : ''trace' : 'name' option without value'")),
    }
}

fn unknown(line: &Line<'_>, word: &str) -> Parsed {
    Err(line.alert(format!("'filter trace' : unknown keyword '{word}'.")))
}

/// A `filter trace` that runs.
#[derive(Debug)]
pub struct Trace {
    spec: TraceSpec,
    name: String,
}

impl Trace {
    /// Writes a line.
    fn tell(&self, of_stream: &str, text: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, micros) = (now.as_secs(), now.subsec_micros());
        let line = format!("{seconds}.{micros:06} [{:<20}] {of_stream}{text}\n", self.name);
        // Nobody listens any more: nothing to be done about it.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

/// A trace at work in one stream.
#[derive(Debug)]
pub struct Tracing {
    trace: Arc<Trace>,
    side: &'static str,
    /// What names the stream in each line.
    of_stream: String,
    /// Where the next bytes stand behind the head that goes with them.
    offset: u64,
    /// What `random-forwarding` goes by.
    chance: u64,
}

impl Tracing {
    /// The filter begins its work; `side` is whose it is, `frontend` or `backend`.
    pub fn attach(trace: &Arc<Trace>, side: &'static str, stream: &Stream<'_>) -> Tracing {
        // An address to tell streams apart by, and nothing of the analysers that HAProxy has.
        let number = stream.number;
        let of_stream = format!("[strm {:p}({number:x}) 0x00000000 0x00000000] ", stream.session);
        let tracing = Tracing {
            trace: trace.clone(),
            side,
            of_stream,
            offset: 0,
            chance: RandomState::new().hash_one(number),
        };
        tracing.call("trace_attach", &format!(": filter-type={side}"));
        tracing
    }

    /// A number below `most`, as it happens.
    fn below(&mut self, most: usize) -> usize {
        const FACTOR: u64 = 6_364_136_223_846_793_005;
        self.chance = self.chance.wrapping_mul(FACTOR).wrapping_add(1);
        (self.chance >> 33) as usize % most.max(1)
    }

    fn call(&self, what: &str, text: &str) {
        self.trace.tell(&self.of_stream, &format!("{what:<25}{text}"));
    }

    fn head_of(&mut self, channel: &str, message: &Message) {
        let version = |v: Version| format!("HTTP/{}.{}", v.major, v.minor);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let start = match message.status {
            0 => [text(message.method()), text(message.target()), version(message.version)],
            status => [version(message.version), status.to_string(), text(message.reason())],
        };
        self.on("trace_http_headers", channel, &format!("\t{}", start.join(" ")));
        for (name, value) in message.fields() {
            self.trace.tell(&self.of_stream, &format!("\t{}: {}", text(name), text(value)));
        }
        self.offset = message.counted_size();
    }

    fn on(&self, what: &str, channel: &str, text: &str) {
        self.call(what, &format!(": channel={channel:<10} - mode=HTTP  (backend){text}"));
    }

    fn payload(&mut self, length: u64, forward: u64, data: &[u8]) {
        let offset = std::mem::take(&mut self.offset);
        let text = format!(" - offset={offset} - len={length} - forward={forward}");
        self.on("trace_http_payload", "RESPONSE", &text);
        if self.trace.spec.hexdump && !data.is_empty() {
            // Nobody listens any more: nothing to be done about it.
            let _ = std::io::stderr().write_all(hexdump(data).as_bytes());
        }
    }
}

impl Filter for Tracing {
    fn request(&mut self, stream: &mut Stream<'_>) {
        self.head_of("REQUEST", &stream.request);
    }

    fn head(&mut self, stream: &mut Stream<'_>) -> bool {
        self.head_of("RESPONSE", &stream.response);
        true
    }

    fn data<'a>(&'a mut self, _stream: &Stream<'_>, data: &'a [u8], then: Then) -> &'a [u8] {
        let end = if then == Then::End { END } else { 0 };
        let mut rest = data;
        while !rest.is_empty() {
            let length = rest.len() as u64 + end;
            let taken = match self.trace.spec.random_forwarding {
                true => 1 + self.below(rest.len()),
                false => rest.len(),
            };
            let (piece, left) = rest.split_at(taken.min(rest.len()));
            let forward = piece.len() as u64 + if left.is_empty() { end } else { 0 };
            self.payload(length, forward, piece);
            rest = left;
        }
        if then == Then::End {
            if data.is_empty() {
                self.payload(END, END, &[]);
            }
            self.on("trace_http_end", "RESPONSE", "");
        }
        data
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        self.call("trace_detach", &format!(": filter-type={}", self.side));
    }
}

/// Sixteen bytes a line, as numbers and as text.
fn hexdump(data: &[u8]) -> String {
    let mut text = String::new();
    for (number, line) in data.chunks(16).enumerate() {
        let _ = write!(text, "\t0x{:06x}: ", number * 16);
        for at in 0..16 {
            if at == 8 {
                text += "  ";
            }
            match line.get(at) {
                Some(byte) => drop(write!(text, "{byte:02x} ")),
                None => text += "   ",
            }
        }
        let printable =
            |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' };
        let shown: String = line.iter().map(printable).collect();
        let _ = writeln!(text, "  |{shown}|");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_numbers_and_as_text() {
        let shown = hexdump(b"01234567890123\n5hello");
        assert_eq!(
            shown,
            "\t0x000000: 30 31 32 33 34 35 36 37   38 39 30 31 32 33 0a 35   |01234567890123.5|\n\
             \t0x000010: 68 65 6c 6c 6f                                      |hello|\n"
        );
    }
}
