//! References while a configuration is loaded. Expressions name files from deep within words (a map in a
//! converter in a log format), so what is being loaded is kept by thread: a [`Loading`] begins it and its
//! end forgets it. In come names and words, out come `Patterns`, and all `References` once it is over.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::{Entry, Output, Patterns, Reference, References};
use crate::config::diagnostic::Place;
use crate::config::outside::Files;
use crate::sample::pattern::elements::Elements;
use crate::sample::pattern::index::Shape;
use crate::sample::pattern::{Method, Resolve};

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

struct State {
    files: Rc<dyn Files>,
    previous: Option<Arc<References>>,
    place: Option<Place>,
    list: Vec<Entry>,
    names: HashMap<Box<str>, usize>,
    given: HashSet<i32>,
}

/// A configuration is being loaded by this thread, until this is dropped.
#[must_use]
pub struct Loading(());

impl Loading {
    /// Begins; `previous` is what ran before.
    pub fn begin(files: Rc<dyn Files>, previous: Option<Arc<References>>) -> Loading {
        let state = State {
            files,
            previous,
            place: None,
            list: Vec::new(),
            names: HashMap::new(),
            given: HashSet::new(),
        };
        STATE.with_borrow_mut(|current| *current = Some(state));
        Loading(())
    }

    /// The same unless it has begun already.
    pub fn begin_alone(files: Rc<dyn Files>) -> Option<Loading> {
        let running = STATE.with_borrow(Option::is_some);
        (!running).then(|| Loading::begin(files, None))
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        STATE.with_borrow_mut(|current| *current = None);
    }
}

/// Who uses a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// As a map (`map` converters, `-M`).
    pub map: bool,
    /// In an ACL.
    pub acl: bool,
    /// Whether it has two columns.
    pub two_columns: bool,
}

/// The line that is read now.
pub fn at(place: &Place) {
    with(|state| state.place = Some(place.clone()));
}

/// Whether an id was given to an ACL already.
pub fn is_given(id: i32) -> bool {
    with(|state| state.given.contains(&id)).unwrap_or(false)
}

/// What a file holds, looked at in this way. The error is worded as HAProxy's.
pub fn file(
    name: &str,
    used: Use,
    shape: Shape,
    output: Output,
    resolve: Option<Resolve<'_>>,
) -> Result<Patterns, String> {
    let loaded = with(|state| state.file(name, used));
    let reference = loaded.ok_or("map: cannot load map at runtime")??;
    let patterns = reference.patterns(shape, output, resolve).map_err(|(error, id)| {
        let line = reference.written.line(id);
        format!("{error} at line {line} of file '{name}'")
    })?;
    with(|state| state.note(name, &patterns));
    Ok(patterns)
}

/// The words of an ACL on the line that is read now; `id` is what `-u` gave.
pub fn words(
    id: Option<i32>,
    keyword: &str,
    words: &[Vec<u8>],
    shape: Shape,
    resolve: Option<Resolve<'_>>,
) -> Result<Patterns, String> {
    let elements = Elements::of_words(words.iter().map(Vec::as_slice));
    let reference = Arc::new(Reference::new(elements, false));
    let patterns = reference.patterns(shape, Output::Nothing, resolve).map_err(|(e, _)| e)?;
    with(|state| {
        let display = format!("acl '{keyword}' {}", state.shown_place());
        let looks = vec![patterns.clone()];
        let number = id.unwrap_or(-1);
        state.given.extend(id);
        let entry =
            Entry { id: number, name: None, display, map: false, acl: true, reference, looks };
        state.list.push(entry);
    });
    Ok(patterns)
}

/// The reference of a file that something has named so far.
pub fn named(name: &str) -> Option<Arc<Reference>> {
    with(|state| {
        let at = state.names.get(name)?;
        state.list.get(*at).map(|entry| entry.reference.clone())
    })?
}

/// All references; those without an id get the lowest free ones in their order.
pub fn references() -> Arc<References> {
    let all = with(|state| {
        let mut list = std::mem::take(&mut state.list);
        let mut next = 0;
        for entry in list.iter_mut().filter(|entry| entry.id < 0) {
            while state.given.contains(&next) {
                next += 1;
            }
            entry.id = next;
            next += 1;
        }
        list.sort_by_key(|entry| entry.id);
        References::new(list)
    });
    Arc::new(all.unwrap_or_default())
}

fn with<R>(run: impl FnOnce(&mut State) -> R) -> Option<R> {
    STATE.with_borrow_mut(|state| state.as_mut().map(run))
}

impl State {
    fn shown_place(&self) -> String {
        match &self.place {
            Some(place) => format!("file '{}' line {}", place.file, place.line),
            None => "file '' line 0".to_owned(),
        }
    }

    /// The reference of a file, read if nothing has named it before.
    fn file(&mut self, name: &str, used: Use) -> Result<Arc<Reference>, String> {
        let by = format!("by {} at {}", if used.map { "map" } else { "acl" }, self.shown_place());
        if let Some(entry) = self.names.get(name).and_then(|at| self.list.get_mut(*at)) {
            if entry.reference.two_columns != used.two_columns {
                let (is, wanted) = if used.two_columns { ("one", "two") } else { ("two", "one") };
                return Err(format!(
                    "The file \"{name}\" is already used as {is} column file and cannot be used by as {wanted} column file."
                ));
            }
            entry.display = format!("{}, {by}", entry.display);
            entry.map |= used.map;
            entry.acl |= used.acl;
            return Ok(entry.reference.clone());
        }
        let bytes = self.files.read(Path::new(name));
        let bytes = bytes.map_err(|_| format!("failed to open pattern file <{name}>"))?;
        let reference = match self.adopt(name, used, &bytes) {
            Some(reference) => reference,
            None if used.two_columns => {
                Arc::new(Reference::new(Elements::of_entries(bytes)?, true))
            }
            None => Arc::new(Reference::new(Elements::of_patterns(bytes)?, false)),
        };
        self.names.insert(name.into(), self.list.len());
        self.list.push(Entry {
            id: -1,
            name: Some(name.into()),
            display: format!("pattern loaded from file '{name}' used {by}"),
            map: used.map,
            acl: used.acl,
            reference: reference.clone(),
            looks: Vec::new(),
        });
        Ok(reference)
    }

    /// What ran before, if the file has not changed since. Names in it may stand for other addresses now.
    fn adopt(&self, name: &str, used: Use, bytes: &Arc<[u8]>) -> Option<Arc<Reference>> {
        let reference = &self.previous.as_ref()?.file(name)?.reference;
        let same =
            Arc::ptr_eq(reference.written.file(), bytes) || **reference.written.file() == **bytes;
        let resolved = reference.slots.lock().iter().any(|slot| slot.resolved);
        let numeric =
            !resolved || !bytes.iter().any(|b| b.is_ascii_alphabetic() && !b.is_ascii_hexdigit());
        (same && numeric && reference.two_columns == used.two_columns).then(|| reference.clone())
    }

    /// Remembers a way of looking, unless HAProxy takes it for one that is there already.
    fn note(&mut self, name: &str, patterns: &Patterns) {
        let Some(entry) = self.names.get(name).and_then(|at| self.list.get_mut(*at)) else {
            return;
        };
        let alike = |other: &Patterns| kind(other) == kind(patterns);
        if !entry.looks.iter().any(alike) {
            entry.looks.push(patterns.clone());
        }
    }
}

/// What HAProxy takes for the same: what is read and kept in the same way.
fn kind(patterns: &Patterns) -> (Method, bool, Output) {
    let Shape { method, fold } = patterns.shape();
    let method = match method {
        Method::Sub | Method::Dir | Method::Dom => Method::End,
        Method::Len => Method::Int,
        Method::Bool => Method::Found,
        other => other,
    };
    (method, fold, patterns.output())
}
