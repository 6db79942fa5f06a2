//! Filters: what looks at messages on their way to the client, at bodies without their framing, or changes
//! them (manual 9). In: the `filter` lines of a proxy and what implies them; a stream. Out: the filters of the
//! stream in their order, and a body that has passed through them. Never is a whole body collected here.

use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::section::Sections;
use crate::flow::http::h1::body::{BadBody, Decoder, Step};
use crate::flow::http::h1::framing::{Body, Framing};
use crate::flow::response::compression::{Compressing, Compression, CompressionSpec};
use crate::flow::session::Stream;
use crate::flow::session::exchange::{END, Ending};
use crate::flow::session::forward::ServerAfter;
use crate::flow::session::reframe::Reframe;
use crate::flow::session::trace::{Trace, TraceSpec, Tracing};
use crate::flow::session::way_back::{ServerSide, WayBack, broken_response, follows, late_body};
use crate::flow::transport::buffer::Buffer;
use crate::flow::transport::socket::Writer;
use crate::flow::transport::timer::Timer;
use crate::state::world::Proxy;

/// A `filter` line, or what stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterSpec {
    /// `filter cache NAME`
    Cache(String),
    /// A cache that a rule names, and no line before it.
    ImpliedCache(String),
    /// `filter compression`
    Compression,
    /// `filter fcgi-app NAME`
    FcgiApp(String),
    /// `filter spoe …`
    Spoe,
    /// `filter trace …`
    Trace(TraceSpec),
}

impl FilterSpec {
    /// The cache's name, and whether only a rule implies the filter.
    fn cache(&self) -> Option<(&str, bool)> {
        match self {
            FilterSpec::Cache(name) => Some((name, false)),
            FilterSpec::ImpliedCache(name) => Some((name, true)),
            _ => None,
        }
    }
}

/// What a proxy says of filters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FiltersSpec {
    /// The `filter` lines in their order.
    pub listed: Vec<FilterSpec>,
    /// `compression …`
    pub compression: Option<CompressionSpec>,
}

impl FiltersSpec {
    /// These are those of a proxy that takes them over from the defaults.
    pub fn inherited(&mut self) {
        if let Some(compression) = &mut self.compression {
            compression.inherited();
        }
    }

    /// A rule names a cache: its filter stands here, unless it has its place already.
    pub fn imply_cache(&mut self, name: &str) {
        let listed = |filter: &FilterSpec| filter.cache().is_some_and(|(known, _)| known == name);
        if !self.listed.iter().any(listed) {
            self.listed.push(FilterSpec::ImpliedCache(name.to_owned()));
        }
    }

    /// `filter cache`, which moves to here what a rule has implied. False if the line stands twice.
    fn place_cache(&mut self, name: String) -> bool {
        if self.listed.contains(&FilterSpec::Cache(name.clone())) {
            return false;
        }
        self.listed.retain(|filter| filter.cache() != Some((&name, true)));
        self.listed.push(FilterSpec::Cache(name));
        true
    }

    /// What is wrong with the order of the filters, or with what is missing, in HAProxy's words. `caches`:
    /// those that the proxy names anywhere.
    pub fn mistakes<'a>(&self, caches: impl Iterator<Item = &'a str>) -> Vec<String> {
        let compression = self.listed.iter().position(|f| *f == FilterSpec::Compression);
        let other = |filter: &FilterSpec| matches!(filter, FilterSpec::Spoe | FilterSpec::Trace(_));
        let other = self.listed.iter().any(other);
        let mut seen: Vec<&str> = Vec::new();
        let (mut late, mut mistakes) = (false, Vec::new());
        for cache in caches {
            if seen.contains(&cache) {
                continue;
            }
            seen.push(cache);
            let of_it = |f: &FilterSpec| f.cache().is_some_and(|(name, _)| name == cache);
            let line = self.listed.iter().position(of_it);
            let implied = FilterSpec::ImpliedCache(cache.to_owned());
            if other && self.listed.contains(&implied) {
                let text = "require an explicit filter declaration to use the cache";
                mistakes.push(format!("{text} '{cache}'."));
            } else if compression.is_some_and(|at| line.is_none_or(|line| at < line)) {
                late = true;
                let text = "unable to enable the compression filter before the cache";
                mistakes.push(format!("{text} '{cache}'."));
            }
        }
        let of_compression = match compression {
            Some(_) if late => "unable to enable the compression filter before any cache filter.",
            None if other => "require an explicit filter declaration to use HTTP compression",
            _ => return mistakes,
        };
        if self.compression.is_some() {
            mistakes.insert(0, of_compression.to_owned());
        }
        mistakes
    }

    /// What runs in a proxy of this name; `None` when none of its streams has a filter. `begins`: the
    /// configuration is to run.
    pub fn compile(&self, proxy: &str, begins: bool) -> Option<Box<ProxyFilters>> {
        let mut order: Vec<_> = self
            .listed
            .iter()
            .filter_map(|filter| match filter {
                FilterSpec::Compression => Some(Kind::Compression),
                FilterSpec::Trace(trace) => Some(Kind::Trace(trace.compile(proxy, begins))),
                FilterSpec::Cache(_) | FilterSpec::ImpliedCache(_) => None,
                FilterSpec::FcgiApp(_) | FilterSpec::Spoe => None,
            })
            .collect();
        if self.compression.is_some() && !self.listed.contains(&FilterSpec::Compression) {
            order.push(Kind::Compression);
        }
        if order.is_empty() {
            return None;
        }
        let compression = self.compression.as_ref().map(CompressionSpec::compile);
        Some(Box::new(ProxyFilters { order, compression }))
    }
}

/// The filters of a proxy.
#[derive(Debug)]
pub struct ProxyFilters {
    /// In the order in which they see a message. Compression that no line places comes last.
    order: Vec<Kind>,
    /// `compression …`
    pub compression: Option<Compression>,
}

/// A filter that streams of a proxy have. What stores in a cache is not among them: the rule that
/// decides to store puts its filter into the stream (`insert`).
#[derive(Debug)]
enum Kind {
    Compression,
    Trace(Arc<Trace>),
}

/// What follows the bytes that a filter is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// More, at once.
    More,
    /// Nothing for now: whatever was held back should go on.
    Pause,
    /// Nothing: the body is complete. A body that breaks off does not get here.
    End,
}

/// A filter at work in one stream. Its methods are called in this order.
pub trait Filter: Debug {
    /// The request's rules are done; it goes to a server, or to what answers in its place.
    fn request(&mut self, _stream: &mut Stream<'_>) {}

    /// The response's head is here, in `stream.response`; no rule has seen it. `body` is what follows it.
    fn response(&mut self, _stream: &mut Stream<'_>, _body: Body) {}

    /// The response's rules are done and its head, in `stream.response`, is about to be sent: the filter may
    /// still change it. Says whether the body is to be given to `data`. Who changes the body's length
    /// replaces `Content-Length` by `Transfer-Encoding: chunked`.
    fn head(&mut self, stream: &mut Stream<'_>) -> bool;

    /// The next bytes of the body. Gives what goes on in their place: they themselves, or bytes of its own.
    fn data<'a>(&'a mut self, _stream: &Stream<'_>, data: &'a [u8], _then: Then) -> &'a [u8] {
        data
    }

    /// A trailer behind the body, without its line end.
    fn trailer(&mut self, _stream: &Stream<'_>, _line: &[u8]) {}

    /// The message is complete, trailers and all. One that breaks off does not get here.
    fn complete(&mut self) {}

    /// The algorithm with which it compresses the response, as the configuration names it.
    fn algorithm(&self) -> Option<&'static str> {
        None
    }

    /// Whether it changes bodies: who only looks is placed before it.
    fn changes(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct Attached {
    filter: Box<dyn Filter>,
    /// Whether it wants the body.
    looks: bool,
}

/// The filters of a stream, in their order.
#[derive(Debug, Default)]
pub struct Filters {
    list: Vec<Attached>,
    /// Whether they were told of the body's end.
    ended: bool,
}

impl Filters {
    /// The algorithm with which the response is compressed.
    pub fn algorithm(&self) -> Option<&'static str> {
        self.list.iter().find_map(|attached| attached.filter.algorithm())
    }

    fn pass<'a>(&'a mut self, stream: &Stream<'_>, data: &'a [u8], then: Then) -> &'a [u8] {
        let looking = self.list.iter_mut().filter(|attached| attached.looks);
        looking.fold(data, |data, attached| attached.filter.data(stream, data, then))
    }

    fn complete(&mut self) {
        let looking = self.list.iter_mut().filter(|attached| attached.looks);
        looking.for_each(|attached| attached.filter.complete());
    }

    fn trailer(&mut self, stream: &Stream<'_>, line: &[u8]) {
        let looking = self.list.iter_mut().filter(|attached| attached.looks);
        looking.for_each(|attached| attached.filter.trailer(stream, line));
    }
}

/// Puts one more filter into a stream, before those that change bodies.
pub fn insert(stream: &mut Stream<'_>, filter: Box<dyn Filter>) {
    let list = &mut stream.filters.get_or_insert_default().list;
    let at = list.iter().position(|other| other.filter.changes()).unwrap_or(list.len());
    list.insert(at, Attached { filter, looks: false });
}

/// The request goes to a server, or to what answers in its place: gives the stream the filters of its
/// frontend and of its backend.
pub fn begin(stream: &mut Stream<'_>) {
    let of = |proxy: Option<&Proxy>| proxy.is_some_and(|p| p.filters.is_some());
    if of(stream.frontend()) || of(stream.backend()) {
        attach(stream);
        with(stream, |filter, stream| filter.request(stream));
    }
}

fn attach(stream: &mut Stream<'_>) {
    let world = stream.world.clone();
    let backend = stream.backend.filter(|b| *b != stream.frontend);
    let sides = [(Some(stream.frontend), "frontend"), (backend, "backend")];
    let mut filters = stream.filters.take().unwrap_or_default();
    for (proxy, side) in sides {
        let proxy = proxy.and_then(|index| world.proxies.get(index)?.filters.as_ref());
        for kind in proxy.iter().flat_map(|filters| &filters.order) {
            let filter: Box<dyn Filter> = match kind {
                // One does the work of both sides.
                Kind::Compression if filters.list.iter().any(|a| a.filter.changes()) => continue,
                Kind::Compression => Box::<Compressing>::default(),
                Kind::Trace(trace) => Box::new(Tracing::attach(trace, side, stream)),
            };
            filters.list.push(Attached { filter, looks: false });
        }
    }
    stream.filters = Some(filters);
}

/// Calls each filter in turn.
fn with(stream: &mut Stream<'_>, mut call: impl FnMut(&mut dyn Filter, &mut Stream<'_>)) {
    let Some(mut filters) = stream.filters.take() else { return };
    for attached in &mut filters.list {
        call(attached.filter.as_mut(), stream);
    }
    match &mut stream.filters {
        None => stream.filters = Some(filters),
        // It was given more meanwhile.
        Some(more) => more.list.append(&mut filters.list),
    }
}

/// A response's head has come.
pub fn response(stream: &mut Stream<'_>, body: Body) {
    if stream.filters.is_some() {
        with(stream, |filter, stream| filter.response(stream, body));
    }
}

/// A response's head is about to be sent; says whether a filter wants its body.
pub fn head(stream: &mut Stream<'_>) -> bool {
    let Some(mut filters) = stream.filters.take() else { return false };
    let mut any = false;
    for attached in &mut filters.list {
        attached.looks = attached.filter.head(stream);
        any |= attached.looks;
    }
    stream.filters = Some(filters);
    any
}

/// Passes an answer of our own, `stream.response` with `stream.reply_body`, through the filters, after its
/// rules and before it is written.
pub fn reply(stream: &mut Stream<'_>) {
    if !head(stream) {
        return;
    }
    let Some(mut filters) = stream.filters.take() else { return };
    let body = std::mem::take(&mut stream.reply_body);
    stream.reply_body = filters.pass(stream, &body, Then::End).to_vec();
    stream.filters = Some(filters);
    // What is counted is what came, not what was made of it.
    let more = (body.len() as u64).wrapping_sub(stream.reply_body.len() as u64);
    stream.bytes_out = stream.bytes_out.wrapping_add(more);
}

/// A response's body on its way through the stream's filters to the client.
pub(super) struct Relay<'a, 'b> {
    pub(super) way: &'a WayBack,
    pub(super) to_client: &'a mut Writer<'b>,
    pub(super) timer: &'a mut Timer,
    /// The framing in which it comes.
    pub(super) framing: Framing,
    /// Whether it goes on in chunks if no filter changes that.
    pub(super) chunked: bool,
}

impl Relay<'_, '_> {
    /// Sends on the head, which is in `out`, and the body.
    pub(super) async fn run(
        mut self,
        stream: &mut Stream<'_>,
        server: &mut ServerSide<'_, '_>,
        out: Vec<u8>,
    ) -> Result<ServerAfter, Ending> {
        let chunked = self.chunked || stream.response.has_element(b"transfer-encoding", b"chunked");
        let mut passage = Passage {
            filters: stream.filters.take().unwrap_or_default(),
            decoder: Decoder::new(self.framing.body),
            reframe: Reframe::new(chunked),
            out,
            taken: 0,
        };
        loop {
            let bad = passage.take(stream, server.input).is_err();
            stream.bytes_out += std::mem::take(&mut passage.taken);
            if bad {
                self.send_rest(stream, &mut passage).await?;
                return Err(broken_response(stream));
            }
            if passage.decoder.is_done() {
                stream.bytes_out += END + u64::from(self.framing.body == Body::Chunked);
                break;
            }
            if passage.out.len() >= SENT_AT_ONCE {
                self.send(stream, &mut passage).await?;
            }
            if !self.receive(stream, server, &mut passage).await? {
                passage.end(stream);
                passage.filters.complete();
                break;
            }
        }
        self.send(stream, &mut passage).await?;
        stream.filters = Some(passage.filters);
        let sent = (self.framing, passage.decoder);
        Ok(self.way.done(stream, server, sent, passage.out))
    }

    /// Reads more; false where the body ends with the connection. Before it has to wait for the server,
    /// the client is sent all there is.
    async fn receive(
        &mut self,
        stream: &mut Stream<'_>,
        server: &mut ServerSide<'_, '_>,
        passage: &mut Passage,
    ) -> Result<bool, Ending> {
        if passage.decoder.run() > server.input.capacity() as u64 && server.input.is_empty() {
            *server.input = Buffer::take_large();
        }
        let at_hand = poll_fn(|cx| Poll::Ready(server.reader.poll_read(cx, server.input))).await;
        let read = match at_hand {
            Poll::Ready(read) => Ok(read),
            Poll::Pending => {
                self.send_rest(stream, passage).await?;
                let limit = self.way.timeouts.server;
                self.timer.within(limit, server.reader.read(server.input)).await
            }
        };
        match read {
            Ok(Ok(count)) if count > 0 => Ok(true),
            Ok(Ok(_)) if passage.decoder.may_close() => Ok(false),
            Ok(_) => {
                self.send_rest(stream, passage).await?;
                Err(broken_response(stream))
            }
            Err(_) => Err(late_body(stream)),
        }
    }

    /// Sends what is there, though more should follow.
    async fn send_rest(
        &mut self,
        stream: &mut Stream<'_>,
        passage: &mut Passage,
    ) -> Result<(), Ending> {
        passage.pass(stream, &[], Then::Pause);
        self.send(stream, passage).await
    }

    async fn send(&mut self, stream: &mut Stream<'_>, passage: &mut Passage) -> Result<(), Ending> {
        let follows = follows(stream, &passage.decoder);
        self.way.send(stream, self.to_client, self.timer, (&passage.out, follows)).await?;
        passage.out.clear();
        Ok(())
    }
}

/// Bytes that are worth a system call of their own while more comes at once.
const SENT_AT_ONCE: usize = 65_536;

/// Takes a body's framing off, shows the body to the filters, and puts the framing on with which it goes on.
struct Passage {
    filters: Box<Filters>,
    decoder: Decoder,
    reframe: Reframe,
    /// What is to be sent.
    out: Vec<u8>,
    /// Bytes taken and not counted yet.
    taken: u64,
}

impl Passage {
    /// Takes what was received.
    fn take(&mut self, stream: &Stream<'_>, input: &mut Buffer) -> Result<(), BadBody> {
        loop {
            let bytes = input.filled();
            let count = match self.decoder.step(bytes)? {
                Step::More => return Ok(()),
                Step::Done => {
                    self.end(stream);
                    self.reframe.end(&mut self.out);
                    self.filters.complete();
                    return Ok(());
                }
                Step::Skip(count) => count,
                Step::Trailer(count) => {
                    self.end(stream);
                    self.reframe.last_chunk(&mut self.out);
                    let line = bytes.get(..count).unwrap_or_default().trim_ascii_end();
                    self.reframe.trailer(line, &mut self.out);
                    self.filters.trailer(stream, line);
                    self.taken += (line.len() as u64).saturating_sub(2);
                    count
                }
                Step::Data(count) => {
                    self.taken += count as u64;
                    self.pass(stream, bytes.get(..count).unwrap_or_default(), Then::More);
                    count
                }
            };
            input.consume(count);
        }
    }

    fn pass(&mut self, stream: &Stream<'_>, data: &[u8], then: Then) {
        let data = self.filters.pass(stream, data, then);
        if !data.is_empty() {
            self.reframe.data(data, &mut self.out);
        }
    }

    /// Tells the filters, once, that the body is complete.
    fn end(&mut self, stream: &Stream<'_>) {
        if !std::mem::replace(&mut self.filters.ended, true) {
            self.pass(stream, &[], Then::End);
        }
    }
}

/// What may stand behind `filter`.
pub const FILTERS: &[&str] = &["cache", "compression", "fcgi-app", "spoe", "trace"];

fn filter(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        let (kind, name) = (line.proxy().kind.word(), line.proxy().name.clone());
        let place = line.words.place.clone();
        return Err(line.alert(format!(
            "parsing [{place}] : missing argument for 'filter' in {kind} '{name}'."
        )));
    };
    let kind = word.str();
    if matches!(&*kind, "fcgi-app" | "spoe") {
        let place = line.last_place();
        line.spec.note_planned(&format!("filter {kind}"), &place);
    }
    match &*kind {
        "compression" => {
            only(line, &kind)?;
            let name = line.proxy().name.clone();
            let listed = &mut line.proxy().filters.listed;
            if listed.contains(&FilterSpec::Compression) {
                let text =
                    format!("'filter' : '{name}: Proxy supports only one compression filter");
                return Err(line.alert(format!("{text}\n'")));
            }
            listed.push(FilterSpec::Compression);
            Ok(())
        }
        "cache" => {
            let (name, place) = named(line, &kind)?;
            let proxy = line.proxy();
            proxy.references.caches.push((name.clone(), place));
            if proxy.filters.place_cache(name.clone()) {
                return Ok(());
            }
            let id = proxy.name.clone();
            Err(line.alert(format!(
                "'filter' : '{id}: multiple explicit declarations of the cache filter '{name}''"
            )))
        }
        "fcgi-app" => {
            let (name, place) = named(line, &kind)?;
            line.proxy().filters.listed.push(FilterSpec::FcgiApp(name.clone()));
            line.proxy().references.applications.push((name, place));
            Ok(())
        }
        "trace" => {
            let trace = TraceSpec::parse(line)?;
            line.proxy().filters.listed.push(FilterSpec::Trace(trace));
            Ok(())
        }
        "spoe" => {
            crate::config::spoe::filter(line)?;
            line.proxy().filters.listed.push(FilterSpec::Spoe);
            Ok(())
        }
        other => {
            Err(line.alert(format!("'filter' : unknown keyword '{other}'. Registered keywords :")))
        }
    }
}

/// A filter's one argument and where it stands.
fn named(line: &mut Line<'_>, kind: &str) -> Result<(String, Place), Diagnostic> {
    let Some(name) = line.word() else {
        return Err(line.alert(format!("'filter' : '{kind} : expects a <name> argument'")));
    };
    let name = name.str().into_owned();
    let place = line.last_place();
    only(line, kind)?;
    Ok((name, place))
}

/// Nothing more may stand there.
fn only(line: &mut Line<'_>, kind: &str) -> Parsed {
    match line.word() {
        None => Ok(()),
        Some(extra) => Err(line.alert(format!("'filter {kind}' : unknown keyword '{extra}'."))),
    }
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "filter",
        sections: Sections::NAMED_PROXIES,
        args: "<name> [<option>...]",
        doc: "Puts a filter into the stream: `cache`, `compression`, `fcgi-app`, `spoe` or `trace`, which tells on standard error what HTTP messages pass, and the bodies of responses.",
        examples: &["filter compression", "filter trace"],
        status: Status::Works,
        parse: filter,
        ..Keyword::NEW
    }],
    ..Part::NONE
};
