//! Stick tables: entries by key, with counters (manual 4.2 "stick-table"). In: the directive, keys
//! taken from samples, events. Out: entries that outlive a reload as long as the table's type, length
//! and stored data stay the same.

mod data;
mod store;

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_size, parse_time};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::section::Sections;
use crate::sample::value::{Type, Value};
use crate::state::clock;
pub use data::{Data, Datum};
pub use store::Entry;
use store::{Limits, Store};

/// The type of a table's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyType {
    /// IPv4 addresses: 4 bytes.
    #[default]
    Ip,
    /// IPv6 addresses: 16 bytes.
    Ipv6,
    /// 32-bit integers.
    Integer,
    /// Texts up to the table's length.
    String,
    /// Blocks of exactly the table's length.
    Binary,
}

impl KeyType {
    /// All types with the words that name them.
    pub const NAMES: &[(&str, KeyType)] = &[
        ("ip", KeyType::Ip),
        ("ipv6", KeyType::Ipv6),
        ("integer", KeyType::Integer),
        ("string", KeyType::String),
        ("binary", KeyType::Binary),
    ];

    /// The word that names it.
    pub fn word(self) -> &'static str {
        KeyType::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// What a sample is cast to before it becomes a key.
    pub fn sample_type(self) -> Type {
        match self {
            KeyType::Ip => Type::Ipv4,
            KeyType::Ipv6 => Type::Ipv6,
            KeyType::Integer => Type::Int,
            KeyType::String => Type::Str,
            KeyType::Binary => Type::Bin,
        }
    }
}

/// `stick-table` as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StickTableSpec {
    /// `type`
    pub kind: KeyType,
    /// `len`, in bytes; 32 when not given, and only of texts and blocks.
    pub length: usize,
    /// `size`, in entries.
    pub size: u64,
    /// `expire`, in milliseconds; `None` when entries do not expire.
    pub expire: Option<u64>,
    /// `nopurge`
    pub nopurge: bool,
    /// `peers`
    pub peers: Option<String>,
    /// `store`, in the order of [`Data`]: the types with the period of rates, in milliseconds.
    pub stored: Vec<(Data, u64)>,
    /// Where the line stands.
    pub place: Place,
}

impl StickTableSpec {
    /// The table: with the entries of the previous one when its type, length and stored data are
    /// unchanged.
    pub fn compile(&self, name: &str, previous: Option<&Arc<StickTable>>) -> Arc<StickTable> {
        let unchanged = |old: &&Arc<StickTable>| {
            let old = &old.spec;
            old.kind == self.kind && old.length == self.length && old.stored == self.stored
        };
        let store = previous.filter(unchanged).map_or_else(Arc::default, |old| old.store.clone());
        let mut slots = [None; Data::NAMES.len()];
        for (index, (data, period)) in self.stored.iter().enumerate() {
            if let Some(slot) = slots.get_mut(*data as usize) {
                *slot = Some((index, *period));
            }
        }
        Arc::new(StickTable { name: name.to_owned(), spec: self.clone(), slots, store })
    }

    /// Stores a data type too, unless it does already.
    pub fn store(&mut self, data: Data, period: u64) {
        if !self.stores(data) {
            self.stored.push((data, period));
            self.stored.sort_by_key(|(data, _)| *data);
        }
    }

    /// Whether it stores this data type.
    pub fn stores(&self, data: Data) -> bool {
        self.stored.iter().any(|(stored, _)| *stored == data)
    }
}

/// A table: one for the whole process.
#[derive(Debug)]
pub struct StickTable {
    /// The name of its proxy.
    pub name: String,
    /// What was written.
    pub spec: StickTableSpec,
    /// For each data type its place in the entries' data, and its period in milliseconds.
    slots: [Option<(usize, u64)>; Data::NAMES.len()],
    store: Arc<Store>,
}

/// A key as the table lays it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<'a> {
    /// An address or a number.
    Short([u8; 16], usize),
    /// A text or a block.
    Long(Cow<'a, [u8]>),
}

impl Deref for Key<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Key::Short(bytes, length) => bytes.get(..*length).unwrap_or_default(),
            Key::Long(bytes) => bytes,
        }
    }
}

impl Key<'_> {
    fn short(bytes: &[u8]) -> Key<'static> {
        let mut room = [0; 16];
        let length = bytes.len().min(room.len());
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        Key::Short(room, length)
    }
}

impl StickTable {
    /// The key a sample stands for; `None` when it cannot be cast to the table's type.
    pub fn key<'a>(&self, value: Value<'a>) -> Option<Key<'a>> {
        let length = self.spec.length;
        match (value.cast(self.spec.kind.sample_type())?, self.spec.kind) {
            (Value::Ip(IpAddr::V4(ip)), KeyType::Ip) => Some(Key::short(&ip.octets())),
            (Value::Ip(IpAddr::V6(ip)), KeyType::Ipv6) => Some(Key::short(&ip.octets())),
            // In the order of a little-endian machine's memory, which is the order entries are shown in.
            (Value::Int(number), KeyType::Integer) => {
                Some(Key::short(&(number as u32).to_le_bytes()))
            }
            (Value::Str(text), KeyType::String) => {
                let end = text.iter().position(|c| *c == 0).unwrap_or(text.len()).min(length);
                Some(Key::Long(cut(text, end)))
            }
            (Value::Bin(bytes), KeyType::Binary) if bytes.len() < length => {
                let mut padded = bytes.into_owned();
                padded.resize(length, 0);
                Some(Key::Long(Cow::Owned(padded)))
            }
            (Value::Bin(bytes), KeyType::Binary) => Some(Key::Long(cut(bytes, length))),
            _ => None,
        }
    }

    /// The key an operator wrote; `None` when it is none of the table's type. Blocks cannot be
    /// written.
    pub fn key_of_text<'a>(&self, text: &'a [u8]) -> Option<Key<'a>> {
        match self.spec.kind {
            KeyType::Integer => {
                let number: u32 = std::str::from_utf8(text).ok()?.parse().ok()?;
                self.key(Value::Int(i64::from(number)))
            }
            KeyType::Binary => None,
            _ => self.key(Value::text(text)),
        }
    }

    /// The entry of a key, unless it has expired.
    pub fn find(&self, key: &[u8]) -> Option<Arc<Entry>> {
        self.store.find(key, clock::now_us(), self.limits())
    }

    /// The entry of a key, made if need be; `None` when the table is full of entries that must stay.
    pub fn find_or_add(&self, key: &[u8]) -> Option<Arc<Entry>> {
        let empty = || self.spec.stored.iter().map(|(data, _)| data.empty()).collect();
        self.store.find_or_add(key, clock::now_us(), self.limits(), empty)
    }

    /// Removes the entry of a key; `Some(false)` when it is in use and stays.
    pub fn remove(&self, key: &[u8]) -> Option<bool> {
        self.store.remove(key)
    }

    /// Every entry, in the order they are shown in.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.store.all()
    }

    /// Bytes of an entry: itself, its key at its longest, its data.
    pub fn entry_size(&self) -> usize {
        let key = if self.spec.length > 0 { self.spec.length } else { 16 };
        size_of::<Entry>() + key + self.spec.stored.len() * size_of::<Datum>()
    }

    /// How many entries there are, those that have expired removed first.
    pub fn used(&self) -> u64 {
        while self.expire(4_096) {}
        self.store.used()
    }

    /// Removes expired entries, `most` for each lock taken; says whether some may be left.
    pub fn expire(&self, most: usize) -> bool {
        let Some(lifetime) = self.limits().lifetime else { return false };
        self.store.expire(clock::now_us(), lifetime, most)
    }

    /// Whether a data type is stored.
    pub fn stores(&self, data: Data) -> bool {
        self.slot(data).is_some()
    }

    /// The period of a stored rate, in milliseconds.
    pub fn period(&self, data: Data) -> Option<u64> {
        self.slot(data).map(|(_, period)| period)
    }

    /// Adds to a number or counts events of a rate; nothing when the type is not stored. Gives the new
    /// value.
    pub fn add(&self, entry: &Entry, data: Data, n: u64) -> Option<u64> {
        let now = clock::now_us();
        entry.touch(now);
        let now = now / 1_000;
        self.with(entry, data, |datum, period| match datum {
            Datum::Count(count) => {
                *count = wrap(data, count.wrapping_add(n));
                *count
            }
            Datum::Rate(rate) => {
                rate.add(n, period, now);
                rate.get(period, now)
            }
            Datum::Name(_) => 0,
        })
    }

    /// One less of a number that goes up and down; no use of the entry when the type is not stored.
    pub fn leave(&self, entry: &Entry, data: Data) {
        self.with(entry, data, |datum, _| {
            if let Datum::Count(count) = datum {
                entry.touch(clock::now_us());
                *count = count.saturating_sub(1);
            }
        });
    }

    /// A number, or a rate per its period; `None` when the type is not stored.
    pub fn get(&self, entry: &Entry, data: Data) -> Option<u64> {
        self.with(entry, data, |datum, period| match datum {
            Datum::Count(count) => *count,
            Datum::Rate(rate) => rate.get(period, clock::now_ms()),
            Datum::Name(_) => 0,
        })
    }

    /// Sets a number or a rate; says whether the type is stored.
    pub fn set(&self, entry: &Entry, data: Data, value: u64) -> bool {
        let now = clock::now_us();
        entry.touch(now);
        let now = now / 1_000;
        self.with(entry, data, |datum, _| match datum {
            Datum::Count(count) => *count = wrap(data, value),
            Datum::Rate(rate) => rate.set(value, now),
            Datum::Name(_) => {}
        })
        .is_some()
    }

    /// The stored server's name.
    pub fn server_name(&self, entry: &Entry) -> Option<Box<str>> {
        self.with(entry, Data::ServerName, |datum, _| match datum {
            Datum::Name(name) => name.clone(),
            _ => None,
        })?
    }

    /// The stored server's number, 0 for none.
    pub fn server_id(&self, entry: &Entry) -> Option<u64> {
        self.get(entry, Data::ServerId).filter(|id| *id > 0)
    }

    /// An entry is used: it expires later.
    pub fn touch(&self, entry: &Entry) {
        entry.touch(clock::now_us());
    }

    /// Stores the server a client sticks to.
    pub fn set_server(&self, entry: &Entry, id: u32, name: &str) {
        self.set(entry, Data::ServerId, u64::from(id));
        self.with(entry, Data::ServerName, |datum, _| *datum = Datum::Name(Some(name.into())));
    }

    /// Milliseconds until an entry expires; 0 when it does not.
    pub fn remaining(&self, entry: &Entry) -> u64 {
        let end = self.limits().lifetime.map_or(0, |lifetime| entry.touched() + lifetime);
        end.saturating_sub(clock::now_us()).div_ceil(1_000)
    }

    fn limits(&self) -> Limits {
        let StickTableSpec { size, expire, nopurge, .. } = self.spec;
        let lifetime = expire.map(|ms| ms.saturating_mul(1_000));
        Limits { size, lifetime, nopurge }
    }

    fn slot(&self, data: Data) -> Option<(usize, u64)> {
        *self.slots.get(data as usize)?
    }

    fn with<R>(
        &self,
        entry: &Entry,
        data: Data,
        act: impl FnOnce(&mut Datum, u64) -> R,
    ) -> Option<R> {
        let (index, period) = self.slot(data)?;
        entry.data.lock().get_mut(index).map(|datum| act(datum, period))
    }
}

/// An entry that a session or stream tracks; dropping it ends that.
#[derive(Debug)]
pub struct Tracked {
    /// Its table.
    pub table: Arc<StickTable>,
    /// The entry.
    pub entry: Arc<Entry>,
}

impl Tracked {
    /// Begins to track: one more connection of this key.
    pub fn begin(table: Arc<StickTable>, entry: Arc<Entry>) -> Tracked {
        entry.track();
        let tracked = Tracked { table, entry };
        tracked.add(Data::ConnCur, 1);
        tracked.add(Data::ConnCnt, 1);
        tracked.add(Data::ConnRate, 1);
        tracked
    }

    /// Adds to a datum, if it is stored.
    pub fn add(&self, data: Data, n: u64) {
        self.table.add(&self.entry, data, n);
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.table.leave(&self.entry, Data::ConnCur);
        self.entry.untrack();
    }
}

/// Counters of bytes hold 64 bits, the others 32.
fn wrap(data: Data, value: u64) -> u64 {
    match data {
        Data::BytesInCnt | Data::BytesOutCnt => value,
        _ => value & u64::from(u32::MAX),
    }
}

fn cut(bytes: Cow<'_, [u8]>, end: usize) -> Cow<'_, [u8]> {
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(..end).unwrap_or(bytes)),
        Cow::Owned(mut bytes) => {
            bytes.truncate(end);
            Cow::Owned(bytes)
        }
    }
}

fn stick_table(line: &mut Line<'_>) -> Parsed {
    if line.section == Sections::DEFAULTS {
        return Err(line.alert("'stick-table' is not supported in 'defaults' section."));
    }
    let name = line.proxy().name.clone();
    let first = line
        .spec
        .named(&name)
        .find_map(|p| Some((p.kind.word(), p.stick_table.as_ref()?.place.clone())));
    if let Some((kind, first)) = first {
        return Err(line.alert(format!(
            "stick-table name '{name}' conflicts with table declared in {kind} '{name}' at {first}."
        )));
    }
    let spec = arguments(line)?;
    if let Some(peers) = spec.peers.clone() {
        let place = line.words.place.clone();
        line.proxy().references.peers = Some((peers, place));
    }
    line.proxy().stick_table = Some(spec);
    Ok(())
}

/// `table <name> …` of a `peers` section.
fn peers_table(line: &mut Line<'_>) -> Parsed {
    let name = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let spec = arguments(line)?;
    if let Some(section) = line.named_section() {
        let name = format!("{}/{name}", section.name);
        section.tables.push((name, spec));
    }
    Ok(())
}

/// What follows `stick-table`, or the name of a `table`, which has no `peers`.
fn arguments(line: &mut Line<'_>) -> Result<StickTableSpec, Diagnostic> {
    let place = line.words.place.clone();
    let mut spec = StickTableSpec { place, ..StickTableSpec::default() };
    let mut has_type = false;
    while let Some(word) = line.word() {
        match &*word.str() {
            "size" => spec.size = size(line)?,
            "expire" => spec.expire = expire(line)?,
            "peers" if line.keyword.name == "stick-table" => {
                spec.peers = Some(argument(line, "peers")?)
            }
            "nopurge" => spec.nopurge = true,
            "type" => {
                key_type(line, &mut spec)?;
                has_type = true;
            }
            "store" => store(line, &mut spec)?,
            other => return Err(refuse(line, format!("unknown argument '{other}'."))),
        }
    }
    if spec.size == 0 {
        return Err(refuse(line, "missing size."));
    }
    if !has_type {
        return Err(refuse(line, "missing type."));
    }
    Ok(spec)
}

/// HAProxy's message begins with the directive.
fn refuse(line: &Line<'_>, text: impl AsRef<str>) -> Diagnostic {
    line.alert(format!("{}: {}", line.keyword.name, text.as_ref()))
}

fn argument(line: &mut Line<'_>, name: &str) -> Result<String, Diagnostic> {
    match line.word() {
        Some(word) => Ok(word.str().into_owned()),
        None => Err(refuse(line, format!("missing argument after '{name}'."))),
    }
}

fn size(line: &mut Line<'_>) -> Result<u64, Diagnostic> {
    let word = argument(line, "size")?;
    parse_size(word.as_bytes()).map_err(|e| {
        let c = match e {
            NumberError::Unexpected(c) => c,
            _ => word.chars().next().unwrap_or('\0'),
        };
        refuse(line, format!("unexpected character '{c}' in argument of 'size'."))
    })
}

fn expire(line: &mut Line<'_>) -> Result<Option<u64>, Diagnostic> {
    let word = argument(line, "expire")?;
    let limit = |what: &str, text: &str| {
        let (place, name) = (line.words.place, line.keyword.name);
        Diagnostic::alert(
            Some(&line.last_place()),
            format!("parsing [{place}]: {name}: {what} in argument <{word}> to <expire>, {text}."),
        )
    };
    match parse_time(word.as_bytes(), TimeUnit::Milliseconds) {
        Ok(time) => Ok(Some(time.as_millis() as u64).filter(|ms| *ms > 0)),
        Err(NumberError::Overflow) => {
            Err(limit("timer overflow", "maximum value is 2147483647 ms (~24.8 days)"))
        }
        Err(NumberError::Unexpected(c)) => {
            Err(refuse(line, format!("unexpected character '{c}' in argument of 'expire'.")))
        }
    }
}

/// `{ip | ipv6 | integer | string [len <length>] | binary [len <length>]}`
fn key_type(line: &mut Line<'_>, spec: &mut StickTableSpec) -> Parsed {
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let found = KeyType::NAMES.iter().find(|(name, _)| *name == word);
    let unknown = |word: &str| format!("unknown type '{word}'.");
    let Some((_, kind)) = found else { return Err(refuse(line, unknown(&word))) };
    spec.kind = *kind;
    if !matches!(kind, KeyType::String | KeyType::Binary) {
        return Ok(());
    }
    spec.length = 32;
    if line.accept("len") {
        let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
        let length = crate::config::args::parse_lenient(word.as_bytes());
        spec.length = usize::try_from(length).unwrap_or(0);
        if spec.length == 0 {
            return Err(refuse(line, unknown(&word)));
        }
    }
    Ok(())
}

/// `<data_type>[(<period>)][,…]`
fn store(line: &mut Line<'_>, spec: &mut StickTableSpec) -> Parsed {
    let Some(word) = line.word() else { return Ok(()) };
    for part in word.str().split(',') {
        let (name, period) = match part.split_once('(') {
            None => (part, None),
            Some((name, period)) => match period.strip_suffix(')') {
                Some(period) => (name, Some(period)),
                None => {
                    let text = "missing closing parenthesis after store option";
                    return Err(refuse(line, format!("{text} '{name}'.")));
                }
            },
        };
        let Some(data) = Data::of_name(name) else {
            return Err(refuse(line, format!("unknown store option '{name}'.")));
        };
        let period = match (period, data.is_rate()) {
            (Some(text), true) => parse_time(text.as_bytes(), TimeUnit::Milliseconds)
                .map(|time| time.as_millis() as u64)
                .map_err(|_| {
                    let text = "error when processing store option";
                    refuse(line, format!("{text} '{name}'."))
                })?,
            (None, false) => 0,
            (None, true) => {
                let text = "missing argument to store option";
                return Err(refuse(line, format!("{text} '{name}'.")));
            }
            (Some(_), false) => {
                let text = "unexpected argument to store option";
                return Err(refuse(line, format!("{text} '{name}'.")));
            }
        };
        if spec.stores(data) {
            let place: &Place = line.words.place;
            let text = format!(
                "parsing [{place}]: {}: store option '{name}' already enabled, ignored.",
                line.keyword.name
            );
            let warning = Diagnostic::warning(Some(&line.last_place()), text);
            line.diagnostics.push(warning);
        }
        spec.store(data, period);
    }
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "stick-table",
            sections: Sections::NAMED_PROXIES,
            args: "type {ip|ipv6|integer|string [len <length>]|binary [len <length>]} size <size> [expire <expire>] [nopurge] [peers <peersect>] [store <data_type>]*",
            doc: "A table of this proxy's name: entries by key, each with the data that `store` lists: `server_id`, `gpc0`, `gpc1`, `gpt0`, `conn_cnt`, `conn_cur`, `sess_cnt`, `http_req_cnt`, `http_err_cnt`, `bytes_in_cnt`, `bytes_out_cnt`, and the rates of these over a period, as in `http_req_rate(10s)`. `expire` removes entries that were not touched for so long; a full table gives up its oldest ones, unless `nopurge` is given.",
            examples: &[
                "stick-table type ip size 100k expire 30s store http_req_cnt,http_req_rate(10s)",
            ],
            status: Status::Works,
            parse: stick_table,
            ..Keyword::NEW
        },
        Keyword {
            name: "table",
            sections: Sections::PEERS,
            args: "<name> type <type> size <size> [expire <expire>] [nopurge] [store <data_type>]*",
            doc: "A stick table that the peers of this section share; rules name it <peers>/<name>.",
            examples: &["table t1 type ip size 100k expire 30s store gpc0"],
            status: Status::Planned,
            parse: peers_table,
            ..Keyword::NEW
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    fn table(kind: KeyType, length: usize, stored: &[(Data, u64)]) -> Arc<StickTable> {
        let spec = StickTableSpec {
            kind,
            length,
            size: 10,
            stored: stored.to_vec(),
            ..StickTableSpec::default()
        };
        spec.compile("t", None)
    }

    #[test]
    fn keys_are_laid_out_as_the_type_says() {
        let key = |kind, value| table(kind, 4, &[]).key(value).map(|key| key.to_vec());
        assert_eq!(key(KeyType::Ip, Value::text(b"1.2.3.4")), Some(vec![1, 2, 3, 4]));
        assert_eq!(key(KeyType::Ip, Value::text(b"x")), None);
        assert_eq!(key(KeyType::Integer, Value::text(b"258")), Some(vec![2, 1, 0, 0]));
        assert_eq!(key(KeyType::String, Value::text(b"abcdef")), Some(b"abcd".to_vec()));
        assert_eq!(key(KeyType::Binary, Value::text(b"ab")), Some(b"ab\0\0".to_vec()));
    }

    #[test]
    fn entries_survive_a_reload_unless_what_is_stored_changes() {
        let old = table(KeyType::String, 8, &[(Data::Gpc0, 0)]);
        let entry = old.find_or_add(b"k").unwrap();
        old.add(&entry, Data::Gpc0, 3);
        let larger = StickTableSpec { size: 99, ..old.spec.clone() }.compile("t", Some(&old));
        let found = larger.find(b"k").unwrap();
        assert_eq!(larger.get(&found, Data::Gpc0), Some(3));
        let mut spec = old.spec.clone();
        spec.store(Data::Gpc1, 0);
        assert!(spec.compile("t", Some(&old)).find(b"k").is_none());
    }

    #[test]
    fn tracking_counts_connections_and_holds_the_entry() {
        let table = table(KeyType::String, 8, &[(Data::ConnCnt, 0), (Data::ConnCur, 0)]);
        let entry = table.find_or_add(b"k").unwrap();
        let tracked = Tracked::begin(table.clone(), entry.clone());
        assert_eq!(table.get(&entry, Data::ConnCur), Some(1));
        assert_eq!(table.remove(b"k"), Some(false));
        drop(tracked);
        assert_eq!(table.get(&entry, Data::ConnCur), Some(0));
        assert_eq!(table.get(&entry, Data::ConnCnt), Some(1));
        assert_eq!(table.get(&entry, Data::HttpReqCnt), None);
        assert_eq!(table.remove(b"k"), Some(true));
    }
}
