//! Compression of responses (manual 4.2 "compression", 9.2). In: what a proxy says of it, a request that
//! tells what its client takes, a response. Out: the response's head as changed and its body compressed.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;
use crate::flow::http::h1::framing::Body;
use crate::flow::http::h1::head::is_token;
use crate::flow::http::message::{Message, Version};
use crate::flow::response::deflate::{Engine, Flush, Format};
use crate::flow::session::Stream;
use crate::flow::session::filter::{Filter, Then};
use crate::state::clock;
use crate::state::counters::{Counters, ProcessCounters, Rate};
use crate::state::world::Proxy;

/// `maxcomprate` and its kin as written in `global`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressionLimits {
    /// `maxcomprate`: bytes a second; 0 for no limit.
    pub rate: u32,
    /// `maxcompcpuusage`: share of a thread's time in percent.
    pub cpu: u8,
    /// `maxzlibmem`: bytes; 0 for no limit.
    pub memory: u64,
    /// `tune.comp.maxlevel`: 1 to 9.
    pub level: u8,
    /// `tune.zlib.windowsize`: 8 to 15.
    pub window: u8,
}

impl Default for CompressionLimits {
    fn default() -> CompressionLimits {
        CompressionLimits { rate: 0, cpu: 100, memory: 0, level: 1, window: 15 }
    }
}

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Identity,
    Deflate,
    RawDeflate,
    Gzip,
}

impl Algorithm {
    const ALL: [Algorithm; 4] =
        [Algorithm::Identity, Algorithm::Deflate, Algorithm::RawDeflate, Algorithm::Gzip];

    /// Its name in configurations.
    fn name(self) -> &'static str {
        match self {
            Algorithm::Identity => "identity",
            Algorithm::Deflate => "deflate",
            Algorithm::RawDeflate => "raw-deflate",
            Algorithm::Gzip => "gzip",
        }
    }

    /// Its name in HTTP.
    fn coding(self) -> &'static [u8] {
        match self {
            Algorithm::Identity => b"identity",
            Algorithm::Deflate | Algorithm::RawDeflate => b"deflate",
            Algorithm::Gzip => b"gzip",
        }
    }

    fn format(self) -> Option<Format> {
        match self {
            Algorithm::Identity => None,
            Algorithm::Deflate => Some(Format::Zlib),
            Algorithm::RawDeflate => Some(Format::Raw),
            Algorithm::Gzip => Some(Format::Gzip),
        }
    }
}

/// `compression …` lines as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CompressionSpec {
    algorithms: Vec<Algorithm>,
    types: Vec<Vec<u8>>,
    offload: bool,
}

impl CompressionSpec {
    /// All of it is taken over from the defaults but `offload`.
    pub fn inherited(&mut self) {
        self.offload = false;
    }

    /// What runs.
    pub fn compile(&self) -> Compression {
        Compression {
            // What was written last is tried first.
            algorithms: self.algorithms.iter().rev().copied().collect(),
            types: self.types.clone(),
            offload: self.offload,
        }
    }
}

/// What a proxy compresses, and how.
#[derive(Debug)]
pub struct Compression {
    /// In the order in which they are tried.
    algorithms: Vec<Algorithm>,
    /// How the content types begin; all of them if there are none.
    types: Vec<Vec<u8>>,
    /// Whether servers are kept from compressing.
    offload: bool,
}

fn of(proxy: Option<&Proxy>) -> Option<&Compression> {
    proxy?.filters.as_ref()?.compression.as_ref()
}

/// What the stream's proxies say, the backend first.
fn sides<'s>(stream: &'s Stream<'_>) -> impl Iterator<Item = &'s Compression> {
    [of(stream.backend()), of(stream.frontend())].into_iter().flatten()
}

/// Compression at work in one stream.
#[derive(Debug, Default)]
pub struct Compressing {
    /// What was chosen.
    algorithm: Option<Algorithm>,
    /// The response is compressed; with `identity` only its framing changes.
    begun: bool,
    /// What HAProxy counts for the end of the message.
    end: u64,
    engine: Option<Engine>,
    /// What came out and was not given on yet; after it was, it is cleared.
    out: Vec<u8>,
    given: bool,
}

impl Filter for Compressing {
    fn request(&mut self, stream: &mut Stream<'_>) {
        let first = sides(stream).map(|side| &side.algorithms).find(|list| !list.is_empty());
        let Some(algorithms) = first.filter(|_| !is_old_browser(&stream.request)) else { return };
        self.algorithm = acceptable(&stream.request, algorithms);
        if self.algorithm.is_none() {
            // Needs no leave.
            self.algorithm = algorithms.iter().copied().find(|a| *a == Algorithm::Identity);
        } else if sides(stream).any(|side| side.offload) {
            stream.request.remove(b"accept-encoding");
        }
    }

    fn response(&mut self, stream: &mut Stream<'_>, body: Body) {
        let Some(algorithm) = self.algorithm.filter(|_| is_compressible(stream, body)) else {
            return;
        };
        let limits = stream.world.global.spec.compression;
        let shared = &stream.session.thread.shared;
        if is_too_much(&shared.counters, &limits, &shared.counters.compression_in) {
            return;
        }
        if let Some(format) = algorithm.format() {
            self.engine = Engine::take(format, &limits, shared);
            if self.engine.is_none() {
                return;
            }
        }
        self.begun = true;
        self.end = if body == Body::Chunked { 2 } else { 1 };
    }

    fn head(&mut self, stream: &mut Stream<'_>) -> bool {
        let Some(algorithm) = self.algorithm.filter(|_| self.begun) else { return false };
        let response = &mut stream.response;
        if algorithm != Algorithm::Identity {
            response.add(b"content-encoding", algorithm.coding());
        }
        response.remove(b"content-length");
        if !response.has(b"transfer-encoding") {
            response.add(b"transfer-encoding", b"chunked");
        }
        // The same entity, but not the same bytes (RFC 9110 8.8.1).
        let tag =
            response.fields().position(|(name, value)| name == b"etag" && value.starts_with(b"\""));
        if let Some(index) = tag {
            let strong = response.get(b"etag").unwrap_or_default();
            let weak = [b"W/", strong].concat();
            response.set_value(index, &weak);
        }
        response.add(b"vary", b"Accept-Encoding");
        true
    }

    fn data<'a>(&'a mut self, stream: &Stream<'_>, data: &'a [u8], then: Then) -> &'a [u8] {
        if std::mem::take(&mut self.given) {
            self.out.clear();
        }
        let end = if then == Then::End { self.end } else { 0 };
        let Some(engine) = &mut self.engine else {
            count(stream, data.len() as u64 + end, None);
            done(stream, then);
            return data;
        };
        let flush = match then {
            Then::More => Flush::None,
            Then::Pause => Flush::Sync,
            Then::End => Flush::Finish,
        };
        // Limits are looked at after each of these.
        let step = if is_limited(stream) { LIMITED_STEP } else { usize::MAX };
        for piece in data.chunks(step) {
            let before = self.out.len();
            engine.run(piece, Flush::None, &mut self.out);
            let given = (self.out.len() - before) as u64;
            count(stream, piece.len() as u64, engine.compresses().then_some(given));
            if step == LIMITED_STEP {
                adapt(stream, engine, &mut self.out);
            }
        }
        let before = self.out.len();
        engine.run(&[], flush, &mut self.out);
        let given = (self.out.len() - before) as u64 + end;
        count(stream, end, engine.compresses().then_some(given));
        done(stream, then);
        if then == Then::More && self.out.len() < WORTH_SENDING {
            return &[];
        }
        self.given = true;
        &self.out
    }

    fn trailer(&mut self, stream: &Stream<'_>, line: &[u8]) {
        let size = (line.len() as u64).saturating_sub(2);
        let compresses = self.engine.as_ref().is_some_and(Engine::compresses);
        count(stream, size, compresses.then_some(size));
    }

    fn algorithm(&self) -> Option<&'static str> {
        self.algorithm.filter(|_| self.begun).map(Algorithm::name)
    }

    fn changes(&self) -> bool {
        true
    }
}

/// Bytes that come out before they are given on while more goes in.
const WORTH_SENDING: usize = 16_384;
/// Bytes that go in before limits are looked at again.
const LIMITED_STEP: usize = 16_384;

/// The counters of both sides.
fn each(stream: &Stream<'_>, tell: impl Fn(&Counters)) {
    tell(&stream.session.frontend_state().counters);
    if let Some(backend) = stream.backend().and_then(|p| p.backend.as_ref()) {
        tell(&backend.state.counters);
    }
}

/// What went through, and what came out if it was compressed.
fn count(stream: &Stream<'_>, taken: u64, given: Option<u64>) {
    match given {
        None => each(stream, |c| c.compression_bypassed.add(taken)),
        Some(0) if taken == 0 => {}
        Some(given) => {
            let process = &stream.session.thread.shared.counters;
            let now_ms = clock::now_ms();
            process.compression_in.add(now_ms, taken as u32);
            process.compression_out.add(now_ms, given as u32);
            each(stream, |c| {
                c.compression_in.add(taken);
                c.compression_out.add(given);
            });
        }
    }
}

/// A response that is complete is counted.
fn done(stream: &Stream<'_>, then: Then) {
    if then == Then::End {
        each(stream, |c| c.compressed_responses.inc());
    }
}

/// Whether some limit may change the level.
fn is_limited(stream: &Stream<'_>) -> bool {
    let process = &stream.session.thread.shared.counters;
    stream.world.global.spec.compression.cpu < 100
        || process.rate_limits.compression.load(Relaxed) > 0
}

/// Lowers the level while there is too much to do, raises it again when there is not.
fn adapt(stream: &Stream<'_>, engine: &mut Engine, out: &mut Vec<u8>) {
    let limits = stream.world.global.spec.compression;
    let process = &stream.session.thread.shared.counters;
    let much = is_too_much(process, &limits, &process.compression_out);
    let level = engine.level();
    let level = if much { level.saturating_sub(1) } else { limits.level.min(level + 1) };
    engine.set_level(level, out);
}

/// Whether a limit of the process is reached: `rate` is what is compared with `maxcomprate`.
fn is_too_much(process: &ProcessCounters, limits: &CompressionLimits, rate: &Rate) -> bool {
    let most = process.rate_limits.compression.load(Relaxed);
    (most > 0 && rate.get(clock::now_ms()) > most)
        || (limits.cpu < 100 && thread_load() > limits.cpu)
}

/// The share of its time in which this thread was busy of late, in percent.
fn thread_load() -> u8 {
    use nix::sys::resource::{UsageWho, getrusage};
    thread_local! {
        /// When it was looked at last, how long the thread had been busy then, and what came of it.
        static LOOKED: Cell<(u64, i64, u8)> = const { Cell::new((0, 0, 0)) };
    }
    let (then, busy_then, load) = LOOKED.get();
    let now = clock::now_ms();
    if now - then < 500 {
        return load;
    }
    let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else { return 0 };
    let ms = |t: nix::sys::time::TimeVal| t.tv_sec() * 1000 + t.tv_usec() / 1000;
    let busy = ms(usage.user_time()) + ms(usage.system_time());
    let share = (busy - busy_then).max(0) as u64 * 100 / (now - then).max(1);
    let load = share.min(100) as u8;
    LOOKED.set((now, busy, load));
    load
}

/// Browsers that say they take compressed content and cannot: all that call themselves `Mozilla/4` but
/// Internet Explorer from 6 with its second service pack on.
fn is_old_browser(request: &Message) -> bool {
    let agent = request.get(b"user-agent").unwrap_or_default();
    if !agent.starts_with(b"Mozilla/4") {
        return false;
    }
    let explorer = agent.get(25..).and_then(|rest| rest.strip_prefix(b"MSIE "));
    match explorer.and_then(<[u8]>::first) {
        Some(b'6') => !agent.get(51..).is_some_and(|rest| rest.starts_with(b"SV1")),
        Some(version) => *version < b'6',
        None => true,
    }
}

/// The algorithm that the client likes best among those at hand (RFC 9110 12.5.3).
fn acceptable(request: &Message, algorithms: &[Algorithm]) -> Option<Algorithm> {
    let mut best = (0, None);
    for element in request.elements(b"accept-encoding") {
        let length = element.iter().take_while(|b| is_token(**b)).count();
        let (coding, parameters) = element.split_at(length);
        let quality = quality(parameters);
        let fits =
            |a: &&Algorithm| coding.starts_with(b"*") || a.coding().eq_ignore_ascii_case(coding);
        if quality > best.0
            && let Some(algorithm) = algorithms.iter().find(fits)
        {
            best = (quality, Some(*algorithm));
        }
    }
    best.1
}

/// The weight among an element's parameters, in thousandths (RFC 9110 12.4.2).
fn quality(parameters: &[u8]) -> u32 {
    let mut parts = parameters.split(|b| *b == b';');
    if parts.next().is_some_and(|first| !first.trim_ascii().is_empty()) {
        return 1000;
    }
    let value = parts.find_map(|part| part.trim_ascii_start().strip_prefix(b"q="));
    let mut digits = value.unwrap_or_default().iter().copied();
    let Some(whole) = digits.next().filter(u8::is_ascii_digit) else { return 1000 };
    let mut weight = u32::from(whole - b'0') * 1000;
    if digits.next() == Some(b'.') {
        for unit in [100, 10, 1] {
            match digits.next().filter(u8::is_ascii_digit) {
                Some(b) => weight += u32::from(b - b'0') * unit,
                None => break,
            }
        }
    }
    weight.min(1000)
}

/// Whether the response may be compressed and is worth it (manual 4.2 "compression").
fn is_compressible(stream: &Stream<'_>, body: Body) -> bool {
    let (request, response) = (&stream.request, &stream.response);
    let modern = request.version >= Version::HTTP_11 && response.version >= Version::HTTP_11;
    modern
        && matches!(response.status, 200..=203)
        && request.method() != b"HEAD"
        && matches!(body, Body::Length(_) | Body::Chunked)
        && !response.has(b"content-encoding")
        && !response.has_element(b"cache-control", b"no-transform")
        && has_one_good_tag(response)
        && has_wanted_type(stream, response)
}

fn has_one_good_tag(response: &Message) -> bool {
    let mut tags = response.values(b"etag");
    let Some(tag) = tags.next() else { return true };
    let opaque = tag.strip_prefix(b"W/").unwrap_or(tag);
    tags.next().is_none()
        && opaque.len() >= 2
        && opaque.starts_with(b"\"")
        && opaque.ends_with(b"\"")
}

fn has_wanted_type(stream: &Stream<'_>, response: &Message) -> bool {
    let begins = |value: &[u8], with: &[u8]| {
        value.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    let wanted = sides(stream).map(|side| &side.types).find(|types| !types.is_empty());
    match (response.get(b"content-type"), wanted) {
        (Some(value), _) if begins(value, b"multipart") => false,
        (Some(value), Some(types)) => types.iter().any(|kind| begins(value, kind)),
        (None, Some(_)) => false,
        (_, None) => true,
    }
}

fn compression(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str()).unwrap_or_default();
    match &*word {
        "algo" => algorithms(line),
        "type" => {
            let types: Vec<_> = line.rest().iter().map(|word| word.bytes().to_vec()).collect();
            if types.is_empty() {
                return Err(line.alert("'compression' expects <type>"));
            }
            written(line).types.extend(types);
            Ok(())
        }
        "offload" => {
            written(line).offload = true;
            Ok(())
        }
        _ => Err(line.alert("'compression' expects 'algo', 'type' or 'offload'")),
    }
}

fn written<'a>(line: &'a mut Line<'_>) -> &'a mut CompressionSpec {
    line.proxy().filters.compression.get_or_insert_default()
}

fn algorithms(line: &mut Line<'_>) -> Parsed {
    if line.is_empty() {
        let place = line.words.place.clone();
        return Err(line.alert(format!("parsing [{place}] : 'compression' expects <algorithm>")));
    }
    while let Some(word) = line.word() {
        let name = word.str();
        let Some(algorithm) = Algorithm::ALL.into_iter().find(|a| a.name() == name) else {
            return Err(
                line.alert(format!("'compression' : '{name}' is not a supported algorithm."))
            );
        };
        written(line).algorithms.push(algorithm);
    }
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "compression",
        sections: Sections::PROXIES,
        args: "{ algo <algorithm>... | type <mime type>... | offload }",
        doc: "Compresses responses: `algo` lists the algorithms (`gzip`, `deflate`, `raw-deflate`, `identity`), `type` the content types, and `offload` keeps servers from compressing themselves.",
        examples: &["compression algo gzip", "compression type text/html", "compression offload"],
        status: Status::Works,
        parse: compression,
        ..Keyword::NEW
    }],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_as_far_as_they_go() {
        for (parameters, weight) in [
            ("", 1000),
            (";q=0.5", 500),
            (" ; q=0.25", 250),
            (";x=1;q=0", 0),
            (";q=2", 1000),
            (";q=.5", 1000),
            (";q=0.1234", 123),
            ("/x;q=0", 1000),
        ] {
            assert_eq!(quality(parameters.as_bytes()), weight, "{parameters}");
        }
    }

    #[test]
    fn old_browsers_are_known_by_their_name() {
        let is_old = |agent: &str| {
            let mut request = Message::default();
            request.add(b"user-agent", agent.as_bytes());
            is_old_browser(&request)
        };
        assert!(is_old("Mozilla/4.05 [en] (X11)"));
        assert!(is_old("Mozilla/4.0 (compatible; MSIE 5.5; Windows NT 5.0)"));
        assert!(is_old("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)"));
        assert!(!is_old("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)"));
        assert!(!is_old("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1)"));
        assert!(!is_old("Mozilla/5.0 (X11; Linux)"));
    }
}
