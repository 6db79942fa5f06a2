//! The cache (manual 6): which requests are answered from it and which responses it keeps. In: requests at
//! `cache-use`, responses at `cache-store`. Out: an entry to answer with, or a response being stored.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::catalog::{ActionRow, Fetch, Keyword, Part, Status};
use crate::config::args::{Line, Parsed, parse_lenient};
use crate::config::compile::Compiler;
use crate::config::diagnostic::Diagnostic;
use crate::config::section::Sections;
use crate::config::spec::{NamedSection, Spec};
use crate::flow::http::date;
use crate::flow::http::message::Message;
use crate::flow::http::message::Version;
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict};
use crate::flow::server::persist::Cacheable;
use crate::flow::session::Stream;
use crate::flow::session::filter::{self, Filter, Then};
use crate::sample::SampleContext;
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::state::cache::{self, BLOCK, Cache, CacheSettings, Delimited, Draft, Entry, Storing};
use crate::state::counters::Counters;
use crate::state::world::World;

/// The name of what answers, in logs.
pub const ANSWERS: &str = "<CACHE>";

/// `cache` sections in their order, those with unchanged settings as they were.
pub fn compile_all(spec: &Spec, previous: Option<&World>) -> Vec<Arc<Cache>> {
    let sections = spec.sections.iter().filter(|s| s.section == Sections::CACHE);
    let compiled = sections.map(|section| {
        let old = previous.and_then(|world| world.caches.iter().find(|c| c.name == section.name));
        Cache::adopt(&section.name, settings(section), old)
    });
    compiled.collect()
}

/// What a `cache` section says.
pub fn settings(section: &NamedSection) -> CacheSettings {
    let value = |keyword: &str| {
        let mut lines = section.lines.iter().rev();
        let (_, words) = lines.find(|(_, words)| words.first().is_some_and(|w| *w == *keyword))?;
        Some(words.get(1).map_or(0, |word| parse_lenient(word.bytes())))
    };
    // As wide as HAProxy's.
    let bytes = |value: i64| u64::from(value as u32);
    let total = bytes(value("total-max-size").unwrap_or(0)) << 20;
    let max_object = match bytes(value("max-object-size").unwrap_or(0)) {
        0 => total / 256,
        given => given,
    };
    let max_age = value("max-age").map_or(60, |seconds| seconds as u32);
    CacheSettings { blocks: total / BLOCK, max_object, max_age }
}

/// What a stream has to do with caches, boxed: most have nothing.
#[derive(Debug)]
pub struct Cached {
    /// What its response would be stored under.
    key: Option<Box<[u8]>>,
    /// The request asks for a fresh response.
    fresh: bool,
    /// Whether the request lets its response be stored.
    storable: bool,
    /// What answers it.
    hit: Option<Rc<Hit>>,
}

/// An answer from a cache.
#[derive(Debug)]
pub struct Hit {
    /// The cache's name.
    pub cache: Arc<Cache>,
    /// What is sent.
    pub entry: Arc<Entry>,
    /// The client has it already: 304.
    pub unmodified: bool,
    /// `Age`, in seconds.
    age: u32,
}

impl Hit {
    /// Fills in the response's head.
    pub fn fill_in(&self, response: &mut Message) {
        let draft = &self.entry.draft;
        response.copy(&draft.head);
        if self.unmodified {
            response.set_status_line(draft.head.version, 304, b"Not Modified");
        }
        response.add(b"age", itoa::Buffer::new().format(self.age).as_bytes());
    }
}

/// The greatest age that can be told (RFC 9111 1.2.2).
const MAX_AGE: u32 = 1 << 31;

/// What answers this stream, if it is a cache.
pub fn hit<'a>(stream: &'a Stream<'_>) -> Option<&'a Rc<Hit>> {
    stream.cached.as_ref()?.hit.as_ref()
}

/// Seconds since 1970.
fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() as u32
}

/// `cache-use`
#[derive(Debug)]
struct CacheUse(Arc<Cache>);

impl Action for CacheUse {
    fn run(&self, stream: &mut Stream<'_>, _: Phase) -> Verdict {
        let mut cached = stream.cached.take().unwrap_or_else(|| {
            let storable = Cacheable::is_safe(stream.request.method());
            Box::new(Cached { key: None, fresh: false, storable, hit: None })
        });
        if cached.may_be_served(&stream.request) {
            self.look_up(stream, &mut cached);
        }
        stream.cached = Some(cached);
        Verdict::Continue
    }
}

impl CacheUse {
    fn look_up(&self, stream: &mut Stream<'_>, cached: &mut Cached) {
        let counters = proxy_counters(stream);
        if let Some(counters) = counters {
            counters.cache_lookups.inc();
        }
        let key = cached.key.as_deref().unwrap_or_default();
        let now = now();
        let Some(entry) = self.0.find(key, now) else { return };
        if let Some(counters) = counters {
            counters.cache_hits.inc();
        }
        let unmodified = is_unmodified(&stream.request, &entry.draft);
        let Draft { received, age, .. } = entry.draft;
        let age = now.saturating_sub(received).saturating_add(age).min(MAX_AGE);
        cached.hit = Some(Rc::new(Hit { cache: self.0.clone(), entry, unmodified, age }));
        stream.applet = Some(ANSWERS);
    }
}

/// What the proxy counts whose rules run.
fn proxy_counters<'a>(stream: &'a Stream<'_>) -> Option<&'a Counters> {
    match stream.backend() {
        None => Some(&stream.session.frontend_state().counters),
        Some(backend) => backend.backend.as_ref().map(|b| &b.state.counters),
    }
}

impl Cached {
    /// Looks at the request, and makes the key. False if no entry may answer it.
    fn may_be_served(&mut self, request: &Message) -> bool {
        let may_hit = matches!(request.method(), b"GET" | b"HEAD");
        self.fresh |= request.version < Version::HTTP_11 || !may_hit;
        if self.storable || !self.fresh {
            self.heed(request);
        }
        if (self.fresh && !self.storable) || !may_hit {
            return false;
        }
        let host = match request.scheme_and_authority() {
            Some(_) => None,
            None => match request.get(b"host").filter(|host| !host.is_empty()) {
                Some(host) => Some(host),
                None => return false,
            },
        };
        self.key = Some(cache::key(host, request.target()));
        !self.fresh
    }

    /// What `Authorization`, `Cache-Control` and `Pragma` ask for (RFC 9111 3.5, 5.2.1, 5.4).
    fn heed(&mut self, request: &Message) {
        if request.has(b"authorization") {
            (self.fresh, self.storable) = (true, false);
        }
        let mut controlled = false;
        for element in request.elements(b"cache-control") {
            controlled = true;
            let begins = |word: &&[u8]| begins_with(element, word);
            if FRESHENERS.iter().any(begins) {
                self.fresh = true;
            } else if begins_with(element, b"no-store") {
                self.storable = false;
            }
        }
        let pragma = || request.get(b"pragma").is_some_and(|v| v.eq_ignore_ascii_case(b"no-cache"));
        self.fresh |= !controlled && pragma();
    }
}

/// Words of a request's `Cache-Control` for which its answer is fetched anew.
const FRESHENERS: [&[u8]; 4] = [b"max-age", b"no-cache", b"max-stale", b"min-fresh"];

fn begins_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
}

/// Whether the client has this response already (RFC 9110 13.1.2, 13.1.3).
fn is_unmodified(request: &Message, draft: &Draft) -> bool {
    let mut conditions = request.elements(b"if-none-match").peekable();
    if conditions.peek().is_some() {
        let stored = draft.head.values(b"etag").next_back().and_then(opaque);
        return conditions
            .take_while(|given| *given == b"*" || stored.is_some())
            .any(|given| given == b"*" || opaque(given).is_some_and(|tag| Some(tag) == stored));
    }
    let since = request.get(b"if-modified-since").and_then(date::parse);
    since.is_some_and(|since| draft.last_modified <= since)
}

/// An entity tag without the sign that it is weak; `None` if it is none.
fn opaque(tag: &[u8]) -> Option<&[u8]> {
    let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
    let quoted = tag.len() >= 2 && tag.starts_with(b"\"") && tag.ends_with(b"\"");
    quoted.then_some(tag)
}

/// `cache-store`
#[derive(Debug)]
struct CacheStore(Arc<Cache>);

impl Action for CacheStore {
    fn run(&self, stream: &mut Stream<'_>, _: Phase) -> Verdict {
        if let Some(storing) = self.begin(stream) {
            filter::insert(stream, Box::new(Store(Some(storing))));
        }
        Verdict::Continue
    }
}

impl CacheStore {
    fn begin(&self, stream: &mut Stream<'_>) -> Option<Storing> {
        let cached = stream.cached.as_ref().filter(|cached| cached.hit.is_none())?;
        let key = cached.key.as_ref()?;
        let request = &stream.request;
        if request.version < Version::HTTP_11 || request.method() != b"GET" || stream.status != 200
        {
            return None;
        }
        let response = &stream.response;
        let length = response.get(b"content-length").map(parse_lenient);
        if length.is_some_and(|length| self.is_too_large(response, length))
            || response.elements(b"vary").next().is_some()
            || !Cacheable::of(stream.status, response, cached.storable).whole()
        {
            return None;
        }
        let key = key.clone();
        let now = now();
        let age = take_age(&mut stream.response);
        let response = &stream.response;
        let room = stream.world.global.bufsize.saturating_sub(stream.world.global.maxrewrite);
        if response.counted_size() + 8 * (response.len() as u64 + 2) > room as u64 {
            return None;
        }
        let delimited = match length {
            Some(_) => Delimited::Length,
            None if response.has(b"transfer-encoding") => Delimited::Chunks,
            None => Delimited::Close,
        };
        let lifetime = lifetime(response, now, self.0.settings.max_age);
        let draft = Draft {
            key,
            head: response.compacted(),
            delimited,
            age,
            received: now,
            expires: now.wrapping_add(lifetime),
            last_modified: last_modified(response).unwrap_or(i64::from(now)),
        };
        self.0.begin(draft, length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0))
    }

    fn is_too_large(&self, response: &Message, length: i64) -> bool {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        response.counted_size().saturating_add(length) > self.0.settings.max_object
    }
}

/// Takes the response's first `Age` out; gives it, in seconds.
fn take_age(response: &mut Message) -> u32 {
    let Some(first) = response.elements(b"age").next() else { return 0 };
    let digits = first.iter().all(u8::is_ascii_digit);
    let age = if digits { parse_lenient(first).clamp(0, i64::from(MAX_AGE)) } else { 0 };
    let mut seen = false;
    response.edit(b"age", |value| {
        use crate::flow::http::message::{Edit, element_end};
        if value.trim_ascii().is_empty() || std::mem::replace(&mut seen, true) {
            return Edit::Keep;
        }
        match value.get(element_end(value) + 1..) {
            Some(rest) => Edit::Set(rest.to_vec()),
            None => Edit::Remove,
        }
    });
    u32::try_from(age).unwrap_or(MAX_AGE)
}

/// For how many seconds a response may be served (RFC 9111 4.2.1), at most `limit`.
fn lifetime(response: &Message, now: u32, limit: u32) -> u32 {
    let (mut shared, mut private) = (None, None);
    for element in response.elements(b"cache-control") {
        shared = directive(element, b"s-maxage").or(shared);
        private = directive(element, b"max-age").or(private);
    }
    let told = [shared, private].into_iter().flatten().find(|seconds| *seconds > 0);
    if let Some(seconds) = told {
        return u32::try_from(seconds).unwrap_or(0).min(limit);
    }
    if shared.or(private).is_some() {
        return limit;
    }
    match response.get(b"expires") {
        // What cannot be read is a date in the past.
        Some(text) => {
            let left = date::parse(text).unwrap_or(0).saturating_sub(i64::from(now)).max(0);
            u32::try_from(left).unwrap_or(u32::MAX).min(limit)
        }
        None => limit,
    }
}

/// The number of a `word=number` element.
fn directive(element: &[u8], word: &[u8]) -> Option<i32> {
    let value = element.get(word.len()..)?.strip_prefix(b"=").filter(|value| !value.is_empty())?;
    begins_with(element, word).then(|| parse_lenient(value.trim_ascii_start()) as i32)
}

/// What `If-Modified-Since` is compared with.
fn last_modified(response: &Message) -> Option<i64> {
    let date = |name: &[u8]| response.get(name).and_then(date::parse).filter(|date| *date != 0);
    date(b"last-modified").or_else(|| date(b"date"))
}

/// Copies a response's body into a cache as it passes.
#[derive(Debug)]
struct Store(Option<Storing>);

impl Filter for Store {
    fn head(&mut self, _: &mut Stream<'_>) -> bool {
        true
    }

    fn data<'a>(&'a mut self, _: &Stream<'_>, data: &'a [u8], _: Then) -> &'a [u8] {
        self.0.take_if(|storing| !storing.data(data));
        data
    }

    fn trailer(&mut self, _: &Stream<'_>, line: &[u8]) {
        self.0.take_if(|storing| !storing.trailer(line));
    }

    fn complete(&mut self) {
        if let Some(storing) = self.0.take() {
            storing.finish();
        }
    }
}

type Making = fn(Arc<Cache>) -> Arc<dyn Action>;

/// `cache-use` or `cache-store` as written.
#[derive(Debug, Clone)]
struct OfCache(String, Making);

impl ActionSpec for OfCache {
    fn compile(&self, compiler: &mut Compiler<'_>) -> Result<Arc<dyn Action>, Diagnostic> {
        let OfCache(name, make) = self;
        let found = compiler.caches.iter().find(|cache| cache.name == *name);
        let missing = || Diagnostic::alert(None, format!("unable to find the cache '{name}'."));
        found.map(|cache| make(cache.clone())).ok_or_else(missing)
    }
}

fn action(line: &mut ActionLine<'_, '_>, make: Making) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    match (!line.at_condition()).then(|| line.word()).flatten() {
        Some(name) => {
            let name = name.str().into_owned();
            line.caches.push(name.clone());
            Ok(Box::new(OfCache(name, make)))
        }
        None => Err(line.rule_error("expects a cache name")),
    }
}

/// A mistake that HAProxy calls a warning and refuses all the same.
fn refused(line: &Line<'_>, text: &str) -> Diagnostic {
    let place = line.last_place();
    let text = format!("parsing [{place}]: {text}");
    Diagnostic { refuses: true, ..Diagnostic::warning(Some(&place), text) }
}

fn warn_if_missing(line: &mut Line<'_>, what: &str) {
    if line.peek().is_none() {
        let (place, keyword) = (line.last_place(), line.keyword.name);
        let text = format!("parsing [{place}]: '{keyword}' expects {what}.");
        line.diagnostics.push(Diagnostic::warning(Some(&place), text));
    }
}

fn max_age(line: &mut Line<'_>) -> Parsed {
    warn_if_missing(line, "an age parameter in seconds");
    line.word();
    line.end()
}

fn max_object_size(line: &mut Line<'_>) -> Parsed {
    let text = one_word(line)?;
    line.words.next -= usize::from(!text.is_empty());
    warn_if_missing(line, "a maximum file size parameter in bytes");
    line.words.rest();
    match number(&text) {
        Some(_) => Ok(()),
        None => Err(refused(line, &format!("max-object-size wrong value '{text}'"))),
    }
}

fn total_max_size(line: &mut Line<'_>) -> Parsed {
    let text = one_word(line)?;
    match number(&text) {
        Some(..=MAX_MEGABYTES) => Ok(()),
        Some(_) => Err(refused(
            line,
            &format!("\"total-max-size\" ({text}) must not be greater than {MAX_MEGABYTES}"),
        )),
        None => Err(refused(line, &format!("total-max-size wrong value '{text}'"))),
    }
}

const MAX_MEGABYTES: u64 = 4095;

/// The line's only argument, empty when there is none.
fn one_word(line: &mut Line<'_>) -> Result<String, Diagnostic> {
    let text = line.word().map(|word| word.str().into_owned()).unwrap_or_default();
    line.end()?;
    Ok(text)
}

/// A number as C's `strtoul` reads it, with nothing behind it; a negative one is very large.
fn number(text: &str) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse().unwrap_or(u64::MAX);
    Some(if text.starts_with('-') && value != u64::MAX { 0u64.wrapping_sub(value) } else { value })
}

fn cache_name<'a>(context: &SampleContext<'a>) -> Option<Value<'a>> {
    Some(Value::text(hit(context.stream?)?.cache.name.as_bytes()))
}

const ROW: Keyword = Keyword { sections: Sections::CACHE, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "max-age",
            args: "<seconds>",
            default: "60",
            doc: "For how many seconds an object is kept at most; less when its response says so.",
            examples: &["max-age 60"],
            parse: max_age,
            ..ROW
        },
        Keyword {
            name: "max-object-size",
            args: "<bytes>",
            default: "a 256th of total-max-size",
            doc: "The largest object that is kept, in bytes with its headers; at most half the cache.",
            examples: &["max-object-size 100000"],
            parse: max_object_size,
            ..ROW
        },
        Keyword {
            name: "total-max-size",
            args: "<megabytes>",
            doc: "The size of the cache in memory, in megabytes, up to 4095.",
            examples: &["total-max-size 4"],
            parse: total_max_size,
            ..ROW
        },
    ],
    actions: &[
        ActionRow {
            name: "cache-store",
            rule_sets: RuleSets::HTTP_RESPONSE,
            args: "<name>",
            doc: "Stores the response in a cache, with the headers it has at this rule, if its request went through `cache-use` and neither of them forbids it.",
            examples: &["cache-store c"],
            status: Status::Works,
            parse: |line| action(line, |cache| Arc::new(CacheStore(cache))),
        },
        ActionRow {
            name: "cache-use",
            rule_sets: RuleSets::HTTP_REQUEST,
            args: "<name>",
            doc: "Answers from a cache what it holds. The rules that follow are run all the same, and so are those on the response.",
            examples: &["cache-use c"],
            status: Status::Works,
            parse: |line| action(line, |cache| Arc::new(CacheUse(cache))),
        },
    ],
    fetches: &[
        Fetch {
            name: "res.cache_hit",
            gives: Type::Bool,
            valid: valid::SERVER,
            doc: "Whether the response came from a cache.",
            examples: &["res.cache_hit"],
            status: Status::Works,
            run: |context, _| Some(Value::Bool(context.stream.is_some_and(|s| hit(s).is_some()))),
            ..Fetch::NEW
        },
        Fetch {
            name: "res.cache_name",
            gives: Type::Str,
            valid: valid::SERVER,
            doc: "The name of the cache the response came from.",
            examples: &["res.cache_name"],
            status: Status::Works,
            run: |context, _| cache_name(context),
            ..Fetch::NEW
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str, fields: &[(&str, &str)]) -> Message {
        let mut message = Message::default();
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let version = match words.next() {
            Some("HTTP/1.0") => Version::HTTP_10,
            _ => Version::HTTP_11,
        };
        message.set_request_line(method.as_bytes(), target.as_bytes(), version);
        for (name, value) in fields {
            message.add(name.as_bytes(), value.as_bytes());
        }
        message
    }

    fn response(fields: &[(&str, &str)]) -> Message {
        let mut message = Message::default();
        message.set_status_line(Version::HTTP_11, 200, b"OK");
        for (name, value) in fields {
            message.add(name.as_bytes(), value.as_bytes());
        }
        message
    }

    /// Whether an entry may answer, whether there is a key to store under, whether storing is allowed.
    fn judge(line: &str, fields: &[(&str, &str)]) -> (bool, bool, bool) {
        let request = request(line, fields);
        let storable = Cacheable::is_safe(request.method());
        let mut cached = Cached { key: None, fresh: false, storable, hit: None };
        let served = cached.may_be_served(&request);
        (served, cached.key.is_some(), cached.storable)
    }

    #[test]
    fn requests_say_whether_a_cache_may_answer() {
        const HOST: (&str, &str) = ("host", "h");
        assert_eq!(judge("GET /", &[HOST]), (true, true, true));
        assert_eq!(judge("HEAD /", &[HOST]), (true, true, true));
        assert_eq!(judge("GET http://h/", &[]), (true, true, true));
        assert_eq!(judge("GET /", &[]), (false, false, true));
        assert_eq!(judge("GET /", &[("host", "")]), (false, false, true));
        assert_eq!(judge("GET / HTTP/1.0", &[HOST]), (false, true, true));
        assert_eq!(judge("POST /", &[HOST]), (false, false, false));
        assert_eq!(judge("OPTIONS /", &[HOST]), (false, false, true));
        assert_eq!(judge("GET /", &[HOST, ("authorization", "")]), (false, false, false));
        for value in ["no-cache", "Max-Age=100", "x, max-stale", "min-fresh=1"] {
            assert_eq!(judge("GET /", &[HOST, ("cache-control", value)]), (false, true, true));
        }
        assert_eq!(judge("GET /", &[HOST, ("cache-control", "no-store")]), (true, true, false));
        let pragma = ("pragma", "No-Cache");
        assert_eq!(judge("GET /", &[HOST, pragma]), (false, true, true));
        assert_eq!(judge("GET /", &[HOST, pragma, ("cache-control", "x")]), (true, true, true));
    }

    #[test]
    fn responses_say_how_long_they_are_served() {
        let of = |fields: &[(&str, &str)]| lifetime(&response(fields), 784_111_777, 60);
        assert_eq!(of(&[]), 60);
        assert_eq!(of(&[("cache-control", "max-age=5")]), 5);
        assert_eq!(of(&[("cache-control", "max-age=5, S-MaxAge=7")]), 7);
        assert_eq!(of(&[("cache-control", "s-maxage=0, max-age=5")]), 5);
        assert_eq!(of(&[("cache-control", "max-age=500")]), 60);
        assert_eq!(of(&[("cache-control", "max-age=\"5\"")]), 60);
        assert_eq!(of(&[("cache-control", "max-age")]), 60);
        let soon = ("expires", "Sun, 06 Nov 1994 08:49:40 GMT");
        assert_eq!(of(&[soon]), 3);
        assert_eq!(of(&[soon, ("cache-control", "max-age=9")]), 9);
        assert_eq!(of(&[("expires", "Sun, 06 Nov 1994 08:49:30 GMT")]), 0);
        assert_eq!(of(&[("expires", "0")]), 0);
    }

    #[test]
    fn conditions_are_held_against_what_is_stored() {
        let stored = |fields: &[(&str, &str)]| Draft {
            key: Box::default(),
            head: response(fields),
            delimited: Delimited::Length,
            age: 0,
            received: 0,
            expires: 0,
            last_modified: 784_111_777,
        };
        let tagged = stored(&[("etag", "W/\"a\"")]);
        let asked = |draft: &Draft, name: &str, value: &str| {
            is_unmodified(&request("GET /", &[(name, value)]), draft)
        };
        for (value, unmodified) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("a", false),
            ("\"b\"", false),
        ] {
            assert_eq!(asked(&tagged, "if-none-match", value), unmodified, "{value}");
        }
        let untagged = stored(&[]);
        assert!(asked(&untagged, "if-none-match", "*"));
        assert!(!asked(&untagged, "if-none-match", "\"a\""));
        for (date, unmodified) in [("36", false), ("37", true), ("38", true)] {
            let date = format!("Sun, 06 Nov 1994 08:49:{date} GMT");
            assert_eq!(asked(&untagged, "if-modified-since", &date), unmodified, "{date}");
        }
        let both =
            [("if-none-match", "\"b\""), ("if-modified-since", "Sun, 06 Nov 1994 09:00:00 GMT")];
        assert!(!is_unmodified(&request("GET /", &both), &tagged));
    }

    #[test]
    fn the_first_age_is_taken_out() {
        let take = |value: &str| {
            let mut message = response(&[("age", value), ("x", "y")]);
            let age = take_age(&mut message);
            (age, message.get(b"age").map(|left| String::from_utf8_lossy(left).into_owned()))
        };
        assert_eq!(take("17"), (17, None));
        assert_eq!(take("-1"), (0, None));
        assert_eq!(take("99999999999"), (MAX_AGE, None));
        assert_eq!(take("1, 2"), (1, Some(" 2".to_owned())));
    }
}
