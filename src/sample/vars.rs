//! Variables: values that rules keep (manual 2.3 and 7.3). A name is a scope, a dot, and letters, digits,
//! `_` and `.`; the scope says who shares it and how long it lives.

use std::cell::{OnceCell, RefCell};

use parking_lot::Mutex;

use crate::sample::SampleContext;
use crate::sample::value::Value;

type List = Vec<(Box<[u8]>, Value<'static>)>;

/// The variables of a session or a stream, by whole name. Takes no memory before the first is set.
#[derive(Debug, Default)]
pub struct Variables(OnceCell<Box<RefCell<List>>>);

/// The variables of the process.
static PROCESS: Mutex<List> = Mutex::new(Vec::new());

impl Variables {
    fn get(&self, name: &[u8]) -> Option<Value<'static>> {
        find(&self.0.get()?.borrow(), name)
    }

    fn set(&self, name: &[u8], value: Value<'static>) {
        put(&mut self.0.get_or_init(Box::default).borrow_mut(), name, value);
    }

    fn unset(&self, unwanted: impl Fn(&[u8]) -> bool) {
        if let Some(list) = self.0.get() {
            list.borrow_mut().retain(|(name, _)| !unwanted(name));
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

/// Where a variable is kept; `None` when this moment has no such place.
enum Home<'a> {
    Process,
    Here(&'a Variables),
}

fn home<'a>(context: &SampleContext<'a>, name: &[u8]) -> Option<Home<'a>> {
    match name.split(|b| *b == b'.').next()? {
        b"proc" => Some(Home::Process),
        b"sess" => Some(Home::Here(&context.session.variables)),
        b"txn" | b"req" | b"res" => Some(Home::Here(&context.stream?.variables)),
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
    let Some(scope) = SCOPES.iter().find(|scope| name.starts_with(scope)) else {
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
