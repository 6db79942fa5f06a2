//! What ACLs and maps were told to match, by name: a file that several of them name is one reference,
//! and what is changed in it at run time is seen by all. In come files and words while a configuration is
//! loaded, out come `Patterns` that find in them. At a reload a file whose bytes are unchanged is not
//! parsed again and keeps what was changed at run time. Manual 7.1, 7.3.1 "map"; management.txt 9.3.

pub mod loading;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};

use crate::sample::pattern::elements::Elements;
use crate::sample::pattern::index::{Index, Shape, Want};
use crate::sample::pattern::{Method, Probe, Resolve};

/// What values are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Output {
    /// There are none, or they are not looked at.
    Nothing,
    /// Text.
    Text,
    /// Integers.
    Int,
    /// Addresses.
    Ip,
}

impl Output {
    /// Whether a value can be read so.
    fn takes(self, value: &[u8]) -> bool {
        match self {
            Output::Nothing | Output::Text => true,
            Output::Int => int_value(value).is_some(),
            Output::Ip => ip_value(value).is_some(),
        }
    }
}

/// A value as an integer: all of it must be one.
pub fn int_value(value: &[u8]) -> Option<i64> {
    let digits = value.strip_prefix(b"-").or(value.strip_prefix(b"+")).unwrap_or(value);
    let whole = digits.iter().all(u8::is_ascii_digit);
    whole.then(|| crate::config::args::parse_lenient(value))
}

/// A value as an address.
pub fn ip_value(value: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// What one file, or the words of one ACL, hold: what was written and, once something was changed at run
/// time, what holds now.
#[derive(Debug)]
pub struct Reference {
    written: Elements,
    /// Whether it was read as two columns.
    two_columns: bool,
    /// The ways it is looked at; a place in this list is never given to another.
    slots: Mutex<Vec<Slot>>,
    live: OnceLock<Box<RwLock<Live>>>,
    /// Set when it is changed, for those who have looked only at what was written.
    changed: OnceLock<Arc<AtomicBool>>,
}

/// One way of looking at a reference.
#[derive(Debug, Clone)]
struct Slot {
    shape: Shape,
    output: Output,
    /// Host names stand for what they resolved to.
    resolved: bool,
    index: Arc<Index>,
}

/// A reference that was changed at run time.
#[derive(Debug)]
struct Live {
    elements: Elements,
    /// One for each slot.
    indexes: Vec<Index>,
    outputs: Vec<Output>,
    /// Finds elements by what was written.
    keys: Index,
    /// How often elements were numbered anew.
    epoch: u32,
}

/// Elements as some ACL or map looks at them.
#[derive(Debug, Clone)]
pub struct Patterns {
    reference: Arc<Reference>,
    slot: usize,
    output: Output,
    index: Arc<Index>,
}

impl Patterns {
    /// Whether one of them matches.
    pub fn matches(&self, probe: &Probe<'_>) -> bool {
        self.find(probe, Want::Any, |_, _, _| ()).is_some()
    }

    /// Gives the element that matches to `then`.
    pub fn find<R>(
        &self,
        probe: &Probe<'_>,
        want: Want,
        then: impl FnOnce(&Elements, &Index, u32) -> R,
    ) -> Option<R> {
        match self.reference.live.get() {
            None => {
                let written = &self.reference.written;
                let id = self.index.find(written, probe, want)?;
                Some(then(written, &self.index, id))
            }
            Some(live) => {
                let live = live.read();
                let index = live.indexes.get(self.slot)?;
                let id = index.find(&live.elements, probe, want)?;
                Some(then(&live.elements, index, id))
            }
        }
    }

    /// What was written, with its index; `None` once it was changed.
    pub fn unchanged(&self) -> Option<(&Elements, &Index)> {
        self.reference.live.get().is_none().then_some((&self.reference.written, &*self.index))
    }

    /// How it compares.
    pub fn shape(&self) -> Shape {
        self.index.shape()
    }

    /// What values are read as.
    pub fn output(&self) -> Output {
        self.output
    }

    /// From now on the flag is set when an element changes; gives the flag that is used, which is another
    /// one if somebody else was first.
    pub fn watch(&self, flag: &Arc<AtomicBool>) -> Arc<AtomicBool> {
        self.reference.changed.get_or_init(|| flag.clone()).clone()
    }
}

impl Reference {
    fn new(written: Elements, two_columns: bool) -> Reference {
        Reference {
            written,
            two_columns,
            slots: Mutex::default(),
            live: OnceLock::new(),
            changed: OnceLock::new(),
        }
    }

    /// Looks at the elements in one more way, or in one that it is looked at already.
    fn patterns(
        self: &Arc<Self>,
        shape: Shape,
        output: Output,
        mut resolve: Option<Resolve<'_>>,
    ) -> Result<Patterns, (String, u32)> {
        let resolved = resolve.is_some() && shape.method == Method::Ip;
        let mut slots = self.slots.lock();
        let same = |s: &Slot| (s.shape, s.output, s.resolved) == (shape, output, resolved);
        if let Some(slot) = slots.iter().position(same) {
            let index = slots[slot].index.clone();
            return Ok(Patterns { reference: self.clone(), slot, output, index });
        }
        for id in self.written.ids() {
            let value = self.written.value(id).unwrap_or_default();
            if !output.takes(value) {
                return Err((format!("unable to parse '{}'", String::from_utf8_lossy(value)), id));
            }
        }
        let alike = slots.iter().find(|s| (s.shape, s.resolved) == (shape, resolved));
        let index = match alike {
            Some(slot) => slot.index.clone(),
            None => Arc::new(Index::build(shape, &self.written, resolve.take())?),
        };
        if let Some(live) = self.live.get() {
            let mut live = live.write();
            // What was valid when it was written is not refused later.
            let built = Index::build(shape, &live.elements, None);
            live.indexes.push(built.unwrap_or_else(|_| Index::new(shape)));
            live.outputs.push(output);
        }
        let slot = slots.len();
        slots.push(Slot { shape, output, resolved, index: index.clone() });
        Ok(Patterns { reference: self.clone(), slot, output, index })
    }

    fn live(&self) -> &RwLock<Live> {
        if let Some(changed) = self.changed.get() {
            changed.store(true, Relaxed);
        }
        self.live.get_or_init(|| {
            let slots = self.slots.lock();
            let elements = self.written.clone();
            let shape = Shape { method: Method::Str, fold: false };
            let keys = Index::build(shape, &elements, None).unwrap_or_else(|_| Index::new(shape));
            Box::new(RwLock::new(Live {
                indexes: slots.iter().map(|slot| (*slot.index).clone()).collect(),
                outputs: slots.iter().map(|slot| slot.output).collect(),
                elements,
                keys,
                epoch: 0,
            }))
        })
    }

    /// What holds now.
    fn read<R>(&self, look: impl FnOnce(&Elements, u32) -> R) -> R {
        match self.live.get() {
            None => look(&self.written, 0),
            Some(live) => {
                let live = live.read();
                look(&live.elements, live.epoch)
            }
        }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.read(|elements, _| elements.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an element; the error, in HAProxy's words, says why nothing was added.
    pub fn add(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        self.live().write().add(key, value)
    }

    /// Whether an element is written exactly so.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.live().read().first(key).is_some()
    }

    /// Removes every element that is written exactly so; whether there was one.
    pub fn delete(&self, key: &[u8]) -> bool {
        let mut live = self.live().write();
        let all = live.all(key);
        all.iter().for_each(|id| live.remove(*id));
        live.settle();
        !all.is_empty()
    }

    /// Removes the element that was shown with this number.
    pub fn delete_shown(&self, shown: u64) -> bool {
        let mut live = self.live().write();
        let Some(id) = live.of_shown(shown) else { return false };
        live.remove(id);
        live.settle();
        true
    }

    /// Gives every element that is written exactly so another value.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let mut live = self.live().write();
        let all = live.all(key);
        if all.is_empty() {
            return Err("entry not found".to_owned());
        }
        live.set(&all, value)
    }

    /// The same of the element that was shown with this number.
    pub fn set_shown(&self, shown: u64, value: &[u8]) -> Result<(), String> {
        let mut live = self.live().write();
        match live.of_shown(shown) {
            Some(id) => live.set(&[id], value),
            None => Err("key or pattern not found".to_owned()),
        }
    }

    /// Changes an element's value or adds the element (`http-request set-map`).
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let mut live = self.live().write();
        let all = live.all(key);
        if all.is_empty() { live.add(key, Some(value)) } else { live.set(&all, value) }
    }

    /// Removes everything.
    pub fn clear(&self) {
        let mut live = self.live().write();
        live.elements = Elements::default();
        live.keys = Index::new(live.keys.shape());
        live.epoch += 1;
        let shapes: Vec<Shape> = live.indexes.iter().map(Index::shape).collect();
        live.indexes = shapes.into_iter().map(Index::new).collect();
    }

    /// Writes some elements from number `from` on, one a line, as `show map` does; gives where to go on,
    /// `None` at the end.
    pub fn show(&self, from: u32, out: &mut Vec<u8>) -> Option<u32> {
        self.read(|elements, epoch| {
            let end = elements.end().min(from.saturating_add(1024));
            for id in (from..end).filter(|id| elements.contains(*id)) {
                out.extend_from_slice(format!("{:#x} ", shown(id, epoch)).as_bytes());
                out.extend_from_slice(elements.key(id));
                if let Some(value) = elements.value(id) {
                    out.push(b' ');
                    out.extend_from_slice(value);
                }
                out.push(b'\n');
            }
            (end < elements.end()).then_some(end)
        })
    }
}

/// How an element's number is shown: it looks like the address that HAProxy shows.
fn shown(id: u32, epoch: u32) -> u64 {
    ((0x7f00 + u64::from(epoch % 0x100)) << 32) + u64::from(id) + 1
}

impl Live {
    fn first(&self, key: &[u8]) -> Option<u32> {
        let probe = Probe::Text(key.into());
        self.keys.find(&self.elements, &probe, Want::First)
    }

    /// Every element that is written so.
    fn all(&self, key: &[u8]) -> Vec<u32> {
        let Some(first) = self.first(key) else { return Vec::new() };
        if !self.keys.may_repeat() {
            return vec![first];
        }
        self.elements.ids().filter(|id| self.elements.key(*id) == key).collect()
    }

    fn of_shown(&self, number: u64) -> Option<u32> {
        let id = u32::try_from((number & 0xffff_ffff).checked_sub(1)?).ok()?;
        (shown(id, self.epoch) == number && self.elements.contains(id)).then_some(id)
    }

    fn check(&self, value: &[u8]) -> Result<(), String> {
        match self.outputs.iter().all(|output| output.takes(value)) {
            true => Ok(()),
            false => Err(format!("unable to parse '{}'", String::from_utf8_lossy(value))),
        }
    }

    fn add(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        if let Some(value) = value {
            self.check(value)?;
        }
        let id = self.elements.add(key, value).ok_or("out of memory error")?;
        let elements = &self.elements;
        let failed = self
            .indexes
            .iter_mut()
            .enumerate()
            .find_map(|(at, index)| index.insert(elements, id).err().map(|error| (at, error)));
        if let Some((at, error)) = failed {
            self.indexes.iter_mut().take(at).for_each(|index| index.remove(elements, id));
            self.elements.remove(id);
            return Err(error);
        }
        self.keys.insert(elements, id)
    }

    fn set(&mut self, ids: &[u32], value: &[u8]) -> Result<(), String> {
        self.check(value)?;
        match ids.iter().all(|id| self.elements.set_value(*id, value)) {
            true => Ok(()),
            false => Err("out of memory error".to_owned()),
        }
    }

    fn remove(&mut self, id: u32) {
        self.indexes.iter_mut().for_each(|index| index.remove(&self.elements, id));
        self.keys.remove(&self.elements, id);
        self.elements.remove(id);
    }

    /// Numbers anew when most numbers are out of use; not if that would need names resolved again.
    fn settle(&mut self) {
        if !self.elements.is_sparse() {
            return;
        }
        let mut elements = self.elements.clone();
        elements.renumber();
        let build = |index: &Index| Index::build(index.shape(), &elements, None);
        let indexes: Result<Vec<Index>, _> = self.indexes.iter().map(build).collect();
        if let (Ok(indexes), Ok(keys)) = (indexes, build(&self.keys)) {
            (self.elements, self.indexes, self.keys) = (elements, indexes, keys);
            self.epoch += 1;
        }
    }
}

/// A reference of a configuration.
#[derive(Debug)]
pub struct Entry {
    /// Given with `-u`, or counted.
    pub id: i32,
    /// The file; none for the words of an ACL.
    pub name: Option<Box<str>>,
    /// Where it is used.
    pub display: String,
    /// Whether it is used by a map.
    pub map: bool,
    /// Whether it is used by an ACL.
    pub acl: bool,
    /// What it holds.
    pub reference: Arc<Reference>,
    /// The ways it is looked at, without those that HAProxy takes for the same.
    looks: Vec<Patterns>,
}

impl Entry {
    /// Whether it has values.
    pub fn has_values(&self) -> bool {
        self.reference.two_columns
    }

    /// The ways it is looked at.
    pub fn looks(&self) -> &[Patterns] {
        &self.looks
    }
}

/// The references of a configuration, in the order of their ids.
#[derive(Debug, Default)]
pub struct References {
    list: Vec<Entry>,
    names: HashMap<Box<str>, usize>,
}

impl References {
    fn new(list: Vec<Entry>) -> References {
        let names = list.iter().enumerate().filter_map(|(at, e)| Some((e.name.clone()?, at)));
        References { names: names.collect(), list }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.list.iter()
    }

    /// The reference of this file.
    pub fn file(&self, name: &str) -> Option<&Entry> {
        self.names.get(name).and_then(|at| self.list.get(*at))
    }

    /// The reference that an operator names: `#id` or a file.
    pub fn find(&self, word: &str) -> Option<&Entry> {
        match word.strip_prefix('#') {
            Some(id) => {
                let id: i32 = id.parse().ok()?;
                let at = self.list.binary_search_by_key(&id, |entry| entry.id).ok()?;
                self.list.get(at)
            }
            None => self.file(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    const STR: Shape = Shape { method: Method::Str, fold: false };
    const INT: Shape = Shape { method: Method::Int, fold: false };

    fn map(text: &str) -> Arc<Reference> {
        let elements = Elements::of_entries(Arc::from(text.as_bytes())).unwrap();
        Arc::new(Reference::new(elements, true))
    }

    fn value(patterns: &Patterns, key: &str) -> Option<String> {
        let probe = Probe::Text(Cow::Borrowed(key.as_bytes()));
        let text = |elements: &Elements, _: &Index, id| {
            String::from_utf8_lossy(elements.value(id).unwrap_or_default()).into_owned()
        };
        patterns.find(&probe, Want::Best, text)
    }

    #[test]
    fn changes_are_seen_by_all_who_look() {
        let reference = map("a 1\nb 2\na 3\n");
        let exact = reference.patterns(STR, Output::Text, None).unwrap();
        let beg = Shape { method: Method::Beg, fold: false };
        let prefix = reference.patterns(beg, Output::Text, None).unwrap();
        assert_eq!(value(&exact, "a").as_deref(), Some("1"));
        reference.add(b"ab", Some(b"4")).unwrap();
        assert_eq!(value(&exact, "ab").as_deref(), Some("4"));
        assert_eq!(value(&prefix, "abc").as_deref(), Some("4"));
        reference.set(b"a", b"5").unwrap();
        assert_eq!(value(&prefix, "a").as_deref(), Some("5"));
        assert_eq!(reference.set(b"x", b"5"), Err("entry not found".into()));
        assert!(reference.delete(b"a") && !reference.delete(b"a"));
        assert_eq!((value(&exact, "a"), reference.len()), (None, 2));
        reference.put(b"z", b"6").unwrap();
        reference.put(b"z", b"7").unwrap();
        assert_eq!(value(&exact, "z").as_deref(), Some("7"));
        reference.clear();
        assert!(reference.is_empty() && value(&exact, "z").is_none());
    }

    #[test]
    fn what_one_of_them_cannot_read_is_not_added() {
        let reference = map("1 10\n");
        let ints = reference.patterns(INT, Output::Int, None).unwrap();
        let texts = reference.patterns(STR, Output::Text, None).unwrap();
        assert_eq!(reference.add(b"x", Some(b"1")), Err("'x' is not a number".into()));
        assert_eq!(reference.add(b"2", Some(b"y")), Err("unable to parse 'y'".into()));
        assert_eq!((value(&texts, "x"), value(&texts, "2"), reference.len()), (None, None, 1));
        let found = ints.find(&Probe::Int(1), Want::Best, |_, _, id| id);
        assert_eq!(found, Some(0));
        let error = map("a x\n").patterns(STR, Output::Ip, None).map(|_| ()).unwrap_err();
        assert_eq!(error, ("unable to parse 'x'".into(), 0));
    }

    #[test]
    fn shown_numbers_name_elements_until_they_are_numbered_anew() {
        let reference = map("a 1\nb 2\n");
        let mut out = Vec::new();
        assert_eq!(reference.show(0, &mut out), None);
        assert_eq!(String::from_utf8_lossy(&out), "0x7f0000000001 a 1\n0x7f0000000002 b 2\n");
        reference.set_shown(0x7f00_0000_0002, b"3").unwrap();
        assert!(reference.delete_shown(0x7f00_0000_0001));
        assert!(!reference.delete_shown(0x7f00_0000_0001));
        for key in 0..2_000 {
            reference.add(key.to_string().as_bytes(), Some(b"v")).unwrap();
            reference.delete(key.to_string().as_bytes());
        }
        assert!(!reference.delete_shown(0x7f00_0000_0002), "an old number names nothing");
        let mut out = Vec::new();
        reference.show(0, &mut out);
        let shown = String::from_utf8_lossy(&out).into_owned();
        assert!(shown.ends_with(" b 3\n") && shown.lines().count() == 1, "{shown}");
    }
}
