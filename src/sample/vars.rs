//! Variables: values that rules keep (manual 2.3 and 7.3). A name is a scope, a dot, and letters, digits,
//! `_` and `.`; the scope says who shares it and how long it lives.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed, parse_lenient};
use crate::config::section::Sections;
use crate::flow::phase::Phase;
use crate::sample::SampleContext;
use crate::sample::value::Value;

type List = Vec<(Box<[u8]>, Value<'static>)>;

/// The variables of a session, a stream or a health check, by whole name. Takes no memory before the first is set.
#[derive(Debug, Default)]
pub struct Variables(OnceCell<Box<Kept>>);

/// Variables, and how much of them counts towards what the process may keep.
#[derive(Debug, Default)]
struct Kept {
    list: RefCell<List>,
    counted: Cell<u64>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        COUNTED.fetch_sub(self.counted.get(), Relaxed);
    }
}

/// What the variables of all sessions and streams take, as far as it is limited.
static COUNTED: AtomicU64 = AtomicU64::new(0);

/// `tune.vars.…`: bytes that variables may take; 0 for as many as there are. A request's count for the
/// transaction too, a transaction's for the session, a session's and a health check's for the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VariableLimits {
    /// `global-max-size`
    pub global: u64,
    /// `proc-max-size`
    pub process: u64,
    /// `sess-max-size`
    pub session: u64,
    /// `txn-max-size`
    pub transaction: u64,
    /// `check-max-size`
    pub check: u64,
    /// `reqres-max-size`
    pub request: u64,
}

/// What a variable takes beside its text, as HAProxy counts it.
const VARIABLE: u64 = 72;

/// The variables of the process.
static PROCESS: Mutex<List> = Mutex::new(Vec::new());

impl Variables {
    fn get(&self, name: &[u8]) -> Option<Value<'static>> {
        find(&self.0.get()?.list.borrow(), name)
    }

    fn set(&self, name: &[u8], value: Value<'static>) {
        put(&mut self.0.get_or_init(Box::default).list.borrow_mut(), name, value);
    }

    fn unset(&self, unwanted: impl Fn(&[u8]) -> bool) {
        if let Some(kept) = self.0.get() {
            kept.list.borrow_mut().retain(|(name, _)| !unwanted(name));
        }
    }

    /// What the variables with these beginnings take.
    fn size(&self, scopes: &[&[u8]]) -> u64 {
        self.0.get().map_or(0, |kept| size(&kept.list.borrow(), scopes))
    }

    /// Counts anew what the process keeps here.
    fn count(&self) {
        if let Some(kept) = self.0.get() {
            let now = size(&kept.list.borrow(), &[b""]);
            let before = kept.counted.replace(now);
            COUNTED.fetch_add(now.wrapping_sub(before), Relaxed);
        }
    }

    /// Forgets what lives no longer than the request: called when the response comes.
    pub fn end_request(&self) {
        self.unset(|name| name.starts_with(b"req."));
    }
}

fn find(list: &List, name: &[u8]) -> Option<Value<'static>> {
    list.iter().find(|(n, _)| **n == *name).map(|(_, value)| value.clone())
}

fn put(list: &mut List, name: &[u8], value: Value<'static>) {
    match list.iter_mut().find(|(n, _)| **n == *name) {
        Some((_, old)) => *old = value,
        None => list.push((name.into(), value)),
    }
}

fn size(list: &List, scopes: &[&[u8]]) -> u64 {
    let wanted = list.iter().filter(|(name, _)| scopes.iter().any(|s| name.starts_with(s)));
    wanted.map(|(_, value)| VARIABLE + text_size(value)).sum()
}

fn text_size(value: &Value<'_>) -> u64 {
    match value {
        Value::Str(text) | Value::Bin(text) => text.len() as u64,
        _ => 0,
    }
}

impl VariableLimits {
    fn of(context: &SampleContext<'_>) -> Option<VariableLimits> {
        let limits = match context.stream {
            Some(stream) => stream.world.global.spec.variables,
            None => context.session.thread.world().global.spec.variables,
        };
        (limits != VariableLimits::default()).then_some(limits)
    }

    /// Whether so many bytes more fit into the variable's scope and those around it.
    fn allow(&self, context: &SampleContext<'_>, name: &[u8], more: u64) -> bool {
        let fits = |limit: u64, used: &dyn Fn() -> u64| limit == 0 || used() + more <= limit;
        let stream = |scopes: &[&[u8]]| context.stream.map_or(0, |s| s.variables.size(scopes));
        let short = name.starts_with(b"req.") || name.starts_with(b"res.");
        let in_stream = short || name.starts_with(b"txn.");
        let in_check = name.starts_with(b"check.");
        let in_session = in_stream || name.starts_with(b"sess.");
        let session = || context.session.variables.size(&[b""]) + stream(&[b""]);
        let process = || COUNTED.load(Relaxed) + size(&PROCESS.lock(), &[b""]);
        (!in_check || fits(self.check, &|| stream(&[b"check."])))
            && (!short || fits(self.request, &|| stream(&[b"req.", b"res."])))
            && (!in_stream || fits(self.transaction, &|| stream(&[b""])))
            && (!in_session || fits(self.session, &session))
            && fits(self.process, &process)
            && fits(self.global, &process)
    }
}

/// Where a variable is kept; `None` when this moment has no such place.
enum Home<'a> {
    Process,
    Here(&'a Variables),
}

fn home<'a>(context: &SampleContext<'a>, name: &[u8]) -> Option<Home<'a>> {
    match name.split(|b| *b == b'.').next()? {
        b"proc" => Some(Home::Process),
        b"sess" => Some(Home::Here(&context.session.variables)),
        b"check" if context.phase == Phase::Check => Some(Home::Here(&context.stream?.variables)),
        b"txn" | b"req" | b"res" if context.phase != Phase::Check => {
            Some(Home::Here(&context.stream?.variables))
        }
        _ => None,
    }
}

/// A variable's value; `None` when it was not set.
pub fn get(context: &SampleContext<'_>, name: &[u8]) -> Option<Value<'static>> {
    match home(context, name)? {
        Home::Process => find(&PROCESS.lock(), name),
        Home::Here(variables) => variables.get(name),
    }
}

/// Sets a variable.
pub fn set(context: &SampleContext<'_>, name: &[u8], value: Value<'static>) {
    match VariableLimits::of(context) {
        Some(limits) => set_within(limits, context, name, value),
        None => store(context, name, value),
    }
}

/// Sets a variable where memory for them is limited: a new one that does not fit is not made; one whose
/// text does not fit is there without it.
fn set_within(
    limits: VariableLimits,
    context: &SampleContext<'_>,
    name: &[u8],
    value: Value<'static>,
) {
    if get(context, name).is_none() && !limits.allow(context, name, VARIABLE) {
        return;
    }
    store(context, name, Value::Bool(false));
    count(context);
    if limits.allow(context, name, text_size(&value)) {
        store(context, name, value);
        count(context);
    }
}

fn count(context: &SampleContext<'_>) {
    context.session.variables.count();
    if let Some(stream) = context.stream {
        stream.variables.count();
    }
}

fn store(context: &SampleContext<'_>, name: &[u8], value: Value<'static>) {
    match home(context, name) {
        Some(Home::Process) => put(&mut PROCESS.lock(), name, value),
        Some(Home::Here(variables)) => variables.set(name, value),
        None => {}
    }
}

/// Forgets a variable.
pub fn unset(context: &SampleContext<'_>, name: &[u8]) {
    match home(context, name) {
        Some(Home::Process) => PROCESS.lock().retain(|(n, _)| **n != *name),
        Some(Home::Here(variables)) => variables.unset(|n| n == name),
        None => {}
    }
}

/// Checks a variable's name. The error holds `{name}` where HAProxy repeats what it was given.
pub fn check_name(name: &[u8]) -> Result<(), String> {
    const SCOPES: [&[u8]; 6] = [b"proc.", b"sess.", b"txn.", b"req.", b"res.", b"check."];
    if name.is_empty() {
        return Err("Empty variable name".to_owned());
    }
    // A scope alone names nothing.
    let named = |scope: &&&[u8]| name.starts_with(scope) && name.len() > scope.len();
    let Some(scope) = SCOPES.iter().find(named) else {
        return Err("invalid variable name '{name}'. A variable name must be start by its scope. The scope can be 'proc', 'sess', 'txn', 'req', 'res' or 'check'".to_owned());
    };
    let rest = &name[scope.len()..];
    let bad = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || b"_.".contains(b)));
    match bad {
        None => Ok(()),
        Some(at) => {
            Err(format!("invalid syntax at char '{}'", String::from_utf8_lossy(&rest[at..])))
        }
    }
}

fn limit(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    // Without a size there is no limit, as in 2.3.
    let size = match line.word() {
        Some(word) => {
            // A number of bytes without a unit; below zero it is no limit either.
            let digits = word.str();
            let digits = digits.strip_prefix(['-', '+']).unwrap_or(&digits);
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(line.alert(format!("{name}: '{word}' is an invalid size")));
            }
            u64::try_from(parse_lenient(word.bytes())).unwrap_or(0)
        }
        None => 0,
    };
    let limits = &mut line.global().variables;
    match name {
        "tune.vars.check-max-size" => limits.check = size,
        "tune.vars.global-max-size" => limits.global = size,
        "tune.vars.proc-max-size" => limits.process = size,
        "tune.vars.sess-max-size" => limits.session = size,
        "tune.vars.txn-max-size" => limits.transaction = size,
        _ => limits.request = size,
    }
    Ok(())
}

const LIMIT: Keyword = Keyword {
    sections: Sections::GLOBAL,
    args: "<size>",
    status: Status::Works,
    parse: limit,
    ..Keyword::NEW
};

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "tune.vars.check-max-size",
            doc: "Memory that the variables of a health check may use.",
            examples: &["tune.vars.check-max-size 1024"],
            ..LIMIT
        },
        Keyword {
            name: "tune.vars.global-max-size",
            doc: "Memory that all variables may use.",
            examples: &["tune.vars.global-max-size 1048576"],
            ..LIMIT
        },
        Keyword {
            name: "tune.vars.proc-max-size",
            doc: "Memory that the variables of the process, and of all sessions, may use.",
            examples: &["tune.vars.proc-max-size 1048576"],
            ..LIMIT
        },
        Keyword {
            name: "tune.vars.reqres-max-size",
            doc: "Memory that the variables of a request or a response may use.",
            examples: &["tune.vars.reqres-max-size 1024"],
            ..LIMIT
        },
        Keyword {
            name: "tune.vars.sess-max-size",
            doc: "Memory that the variables of a session, and of its requests, may use.",
            examples: &["tune.vars.sess-max-size 1024"],
            ..LIMIT
        },
        Keyword {
            name: "tune.vars.txn-max-size",
            doc: "Memory that the variables of a request and its response may use together.",
            examples: &["tune.vars.txn-max-size 1024"],
            ..LIMIT
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_set_changed_and_forgotten() {
        crate::sample::tests::with_context(|context| {
            assert_eq!(get(context, b"sess.a"), None);
            set(context, b"sess.a", Value::Int(1));
            set(context, b"sess.a", Value::Int(2));
            assert_eq!(get(context, b"sess.a"), Some(Value::Int(2)));
            unset(context, b"sess.a");
            assert_eq!(get(context, b"sess.a"), None);
            // There is no stream to keep it.
            set(context, b"txn.a", Value::Int(1));
            assert_eq!(get(context, b"txn.a"), None);
            set(context, b"proc.vars_test", Value::Bool(true));
            assert_eq!(get(context, b"proc.vars_test"), Some(Value::Bool(true)));
        });
    }
    #[test]
    fn names_begin_with_a_scope() {
        assert_eq!(check_name(b"txn.a_b.c"), Ok(()));
        assert!(check_name(b"x").unwrap_err().starts_with("invalid variable name '{name}'."));
        assert_eq!(check_name(b"req.a-b"), Err("invalid syntax at char '-b'".into()));
    }
}
