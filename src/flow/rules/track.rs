//! `track-sc0` to `track-sc2`, `sc-inc-gpc0`, `sc-inc-gpc1`, `sc-set-gpt0` (manual 4.2 "http-request",
//! "tcp-request content"): a key is taken from the traffic, and what happens is counted in its entry of
//! a stick table.

use std::cell::RefCell;
use std::sync::Arc;

use crate::catalog::{ActionRow, Part, Status};
use crate::config::args::parse_lenient;
use crate::config::compile::Compiler;
use crate::config::diagnostic::{Diagnostic, Place};
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict};
use crate::flow::session::{Session, Stream};
use crate::sample::SampleContext;
use crate::sample::expr::Expr;
use crate::sample::value::{Type, Value};
use crate::state::stick_table::{Data, StickTable, Tracked};

/// How many entries a session or stream may track at once.
pub const COUNTERS: usize = 3;

/// The entries that a session or a stream tracks.
#[derive(Debug, Default)]
pub struct Trackers(RefCell<[Option<Tracked>; COUNTERS]>);

impl Trackers {
    /// Whether this counter tracks an entry.
    pub fn is_tracking(&self, counter: usize) -> bool {
        self.0.borrow().get(counter).is_some_and(Option::is_some)
    }

    /// Looks at what a counter tracks.
    pub fn with<R>(&self, counter: usize, look: impl FnOnce(&Tracked) -> R) -> Option<R> {
        self.0.borrow().get(counter)?.as_ref().map(look)
    }

    fn begin(&self, counter: usize, tracked: Tracked) {
        if let Some(slot) = self.0.borrow_mut().get_mut(counter) {
            *slot = Some(tracked);
        }
    }
}

/// Looks at what a counter tracks: the stream's own entry, or else the session's.
pub fn with_tracked<R>(
    session: &Session,
    stream: Option<&Stream<'_>>,
    counter: usize,
    look: impl FnOnce(&Tracked) -> R,
) -> Option<R> {
    match stream {
        Some(stream) if stream.tracked.is_tracking(counter) => stream.tracked.with(counter, look),
        _ => session.tracked.with(counter, look),
    }
}

fn add_to_all(stream: &Stream<'_>, list: &[(Data, u64)]) {
    for counter in 0..COUNTERS {
        with_tracked(stream.session, Some(stream), counter, |tracked| {
            for (data, n) in list {
                tracked.add(*data, *n);
            }
        });
    }
}

/// A session was accepted by its `tcp-request connection` and `session` rules.
pub fn count_session(session: &Session) {
    for counter in 0..COUNTERS {
        session.tracked.with(counter, |tracked| {
            tracked.add(Data::SessCnt, 1);
            tracked.add(Data::SessRate, 1);
        });
    }
}

/// The head of a request has arrived: counted before the `http-request` rules, which count for what they
/// begin to track themselves.
pub fn count_request(stream: &Stream<'_>) {
    add_to_all(stream, &[(Data::HttpReqCnt, 1), (Data::HttpReqRate, 1)]);
}

/// The client is to blame for an error: a malformed, truncated or denied request, or a 4xx answer of the
/// server.
pub fn count_error(stream: &Stream<'_>) {
    add_to_all(stream, &[(Data::HttpErrCnt, 1), (Data::HttpErrRate, 1)]);
}

/// Bytes went from the client and to the client.
pub fn count_bytes(stream: &Stream<'_>, from_client: u64, to_client: u64) {
    if from_client > 0 {
        add_to_all(stream, &[(Data::BytesInCnt, from_client), (Data::BytesInRate, from_client)]);
    }
    if to_client > 0 {
        add_to_all(stream, &[(Data::BytesOutCnt, to_client), (Data::BytesOutRate, to_client)]);
    }
}

/// `track-scN <key> [table <table>]` as written.
#[derive(Debug, Clone)]
struct TrackSpec {
    counter: usize,
    key: Expr,
    /// The proxy's own table when not given.
    table: Option<String>,
    proxy: String,
    place: Place,
}

#[derive(Debug)]
struct Track {
    counter: usize,
    key: Expr,
    table: Arc<StickTable>,
}

impl ActionSpec for TrackSpec {
    fn compile(&self, compiler: &mut Compiler<'_>) -> Result<Arc<dyn Action>, Diagnostic> {
        let (proxy, counter) = (&self.proxy, self.counter);
        let name = self.table.as_ref().unwrap_or(proxy);
        let refuse = |text: String| {
            Err(Diagnostic::alert(Some(&self.place), format!("Proxy '{proxy}': {text}")))
        };
        let Some(table) = compiler.tables.get(name) else {
            return refuse(match self.table {
                Some(_) => {
                    format!("unable to find table '{name}' referenced by track-sc{counter}.")
                }
                None => format!("table '{name}' used but not configured."),
            });
        };
        Ok(Arc::new(Track { counter, key: self.key.clone(), table: table.clone() }))
    }
}

impl Track {
    /// The entry of the sample's key, tracked from now on.
    fn begin(&self, context: &SampleContext<'_>) -> Option<Tracked> {
        let key = self.key.eval(context).and_then(|value| self.table.key(value))?;
        let entry = self.table.find_or_add(&key)?;
        Some(Tracked::begin(self.table.clone(), entry))
    }
}

impl Action for Track {
    fn run_on_session(&self, session: &Session, phase: Phase) -> Verdict {
        if !session.tracked.is_tracking(self.counter)
            && let Some(tracked) = self.begin(&session.sample_context(phase))
        {
            session.tracked.begin(self.counter, tracked);
        }
        Verdict::Continue
    }

    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        let trackers = &stream.tracked;
        if trackers.is_tracking(self.counter) {
            return Verdict::Continue;
        }
        let context = stream.sample_context(phase);
        let Some(tracked) = self.begin(&context) else {
            let wait = phase == Phase::RequestContent && context.may_change();
            return if wait { Verdict::Wait } else { Verdict::Continue };
        };
        match phase {
            Phase::Request => {
                tracked.add(Data::HttpReqCnt, 1);
                tracked.add(Data::HttpReqRate, 1);
            }
            Phase::Response if (400..500).contains(&stream.response.status) => {
                tracked.add(Data::HttpErrCnt, 1);
                tracked.add(Data::HttpErrRate, 1);
            }
            _ => {}
        }
        trackers.begin(self.counter, tracked);
        Verdict::Continue
    }
}

/// The action as it was written, brackets included.
fn written(line: &ActionLine<'_, '_>) -> String {
    match &line.bracket {
        Some(inside) => format!("{}({inside})", line.row.name.trim_end_matches("(*)")),
        None => line.row.name.to_owned(),
    }
}

fn refused(line: &ActionLine<'_, '_>, text: &str) -> Diagnostic {
    let (set, name) = (line.rule_set, written(line));
    if set == RuleSets::HTTP_REQUEST || set == RuleSets::HTTP_RESPONSE {
        let subject = format!("{} '{}'", line.proxy.kind.word(), line.proxy.name);
        let rule = format!("'{} {name}' rule", set.name());
        return line.alert(format!("error detected in {subject} while parsing {rule} : {text}."));
    }
    line.alert(format!("'{} {name}' : {text}", set.name()))
}

fn track(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let digit = line.row.name.trim_start_matches("track-sc");
    let counter: usize = digit.parse().unwrap_or(0);
    let Some(key) = Expr::read(&mut line.words) else {
        return Err(refused(line, "missing fetch method"));
    };
    let key = key.map_err(|e| refused(line, &e))?;
    let mut table = None;
    if line.accept("table") {
        let Some(word) = line.word() else { return Err(refused(line, "missing table name")) };
        table = Some(word.str().into_owned());
    }
    let (proxy, place) = (line.proxy.name.clone(), line.place.clone());
    Ok(Box::new(TrackSpec { counter, key, table, proxy, place }))
}

/// What a `sc-…` action does to the entry.
#[derive(Debug, Clone)]
enum Change {
    /// Adds one to a counter and its rate.
    Increase(Data, Data),
    /// Sets the tag.
    Tag(i64),
    /// Sets the tag from a sample.
    TagFrom(Box<Expr>),
}

#[derive(Debug, Clone)]
struct ChangeTracked {
    counter: usize,
    change: Change,
}

impl Action for ChangeTracked {
    fn run_on_session(&self, session: &Session, phase: Phase) -> Verdict {
        self.apply(&session.sample_context(phase))
    }

    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        self.apply(&stream.sample_context(phase))
    }
}

impl ChangeTracked {
    fn apply(&self, context: &SampleContext<'_>) -> Verdict {
        let tag = match &self.change {
            Change::Increase(..) => None,
            Change::Tag(value) => Some(*value),
            Change::TagFrom(expr) => {
                let value = expr.eval(context);
                match value.and_then(|v| v.cast(Type::Int)) {
                    Some(Value::Int(value)) => Some(value),
                    _ => return Verdict::Continue,
                }
            }
        };
        with_tracked(context.session, context.stream, self.counter, |tracked| {
            match (&self.change, tag) {
                (Change::Increase(count, rate), _) => {
                    tracked.add(*rate, 1);
                    tracked.add(*count, 1);
                }
                (_, Some(value)) => {
                    tracked.table.set(&tracked.entry, Data::Gpt0, value as u32 as u64);
                }
                _ => {}
            }
        });
        Verdict::Continue
    }
}

/// The number of the counter, in the brackets after the action's name; 0 when there are none.
fn counter(line: &ActionLine<'_, '_>) -> Result<usize, Diagnostic> {
    let Some(text) = &line.bracket else { return Ok(0) };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number = digits.bytes().all(|b| b.is_ascii_digit());
    match parse_lenient(text.as_bytes()) as i32 {
        // There is no such counter, but 2.3 lets it pass.
        ..0 if number => Ok(usize::MAX),
        counter if number && (counter as usize) < COUNTERS => Ok(counter as usize),
        _ if number => Err(refused(line, "invalid stick table track ID. The max allowed ID is 2")),
        _ => {
            let name = written(line);
            let text = format!("invalid stick table track ID. Expects {name}(<Track ID>)");
            Err(refused(line, &text))
        }
    }
}

fn increase(
    line: &mut ActionLine<'_, '_>,
    count: Data,
    rate: Data,
) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let change = Change::Increase(count, rate);
    Ok(Box::new(ChangeTracked { counter: counter(line)?, change }))
}

fn set_tag(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let counter = counter(line)?;
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let digits = word.strip_prefix(['-', '+']).unwrap_or(&word);
    let change = match digits.bytes().all(|b| b.is_ascii_digit()) {
        true => Change::Tag(parse_lenient(word.as_bytes())),
        false => Change::TagFrom(Box::new(Expr::parse(&word).map_err(|e| refused(line, &e))?)),
    };
    Ok(Box::new(ChangeTracked { counter, change }))
}

const REQUESTS: RuleSets = RuleSets::TCP_REQUEST_CONNECTION
    .and(RuleSets::TCP_REQUEST_SESSION)
    .and(RuleSets::TCP_REQUEST_CONTENT)
    .and(RuleSets::HTTP_REQUEST);

const TRACK: ActionRow = ActionRow {
    name: "",
    rule_sets: REQUESTS.and(RuleSets::HTTP_RESPONSE),
    args: "<key> [table <table>]",
    doc: "",
    examples: &[],
    status: Status::Works,
    parse: track,
};

const CHANGE: ActionRow = ActionRow {
    name: "",
    rule_sets: REQUESTS.and(RuleSets::TCP_RESPONSE_CONTENT).and(RuleSets::HTTP_RESPONSE),
    args: "",
    doc: "",
    examples: &[],
    status: Status::Works,
    parse: set_tag,
};

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[
        ActionRow {
            name: "sc-inc-gpc0",
            doc: "Adds one to the first general counter of what the first counter tracks.",
            examples: &["sc-inc-gpc0"],
            parse: |line| increase(line, Data::Gpc0, Data::Gpc0Rate),
            ..CHANGE
        },
        ActionRow {
            name: "sc-inc-gpc0(*)",
            doc: "Adds one to the first general counter of the entry that a counter tracks.",
            examples: &["sc-inc-gpc0(0)"],
            parse: |line| increase(line, Data::Gpc0, Data::Gpc0Rate),
            ..CHANGE
        },
        ActionRow {
            name: "sc-inc-gpc1",
            doc: "Adds one to the second general counter of what the first counter tracks.",
            examples: &["sc-inc-gpc1"],
            parse: |line| increase(line, Data::Gpc1, Data::Gpc1Rate),
            ..CHANGE
        },
        ActionRow {
            name: "sc-inc-gpc1(*)",
            doc: "Adds one to the second general counter of the entry that a counter tracks.",
            examples: &["sc-inc-gpc1(0)"],
            parse: |line| increase(line, Data::Gpc1, Data::Gpc1Rate),
            ..CHANGE
        },
        ActionRow {
            name: "sc-set-gpt0(*)",
            args: "{ <int> | <expr> }",
            doc: "Sets the tag of the entry that a counter tracks, to a number or a sample.",
            examples: &["sc-set-gpt0(0) 1337"],
            ..CHANGE
        },
        ActionRow {
            name: "track-sc0",
            doc: "Counts in the entry of a sample, as the first counter, until the request is over.",
            examples: &["track-sc0 src"],
            ..TRACK
        },
        ActionRow {
            name: "track-sc1",
            doc: "Counts in the entry of a sample, as the second counter, until the request is over.",
            examples: &["track-sc1 src"],
            ..TRACK
        },
        ActionRow {
            name: "track-sc2",
            doc: "Counts in the entry of a sample, as the third counter, until the request is over.",
            examples: &["track-sc2 src"],
            ..TRACK
        },
    ],
    ..Part::NONE
};
