//! Sections: in come the logical lines of the configuration files, out comes the `Spec`
//! (manual 2 and 4). A section line opens a section; every other line is looked up in the catalog.

use std::collections::HashSet;
use std::fmt;
use std::ops::BitOr;

use crate::catalog::{self, Keyword};
use crate::config::args::{Inversion, Line, Parsed, Words};
use crate::config::diagnostic::{Diagnostic, Diagnostics, Level, Place};
use crate::config::manual;
use crate::config::opening::Opening;
use crate::config::outside::Outside;
use crate::config::source::SourceLine;
use crate::config::spec::{ProxyKind, Spec, WrittenLine};
use crate::config::unknown;
use crate::config::words::{self, Word};
use crate::state::map_file::loading;

/// A set of sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sections(u32);

impl Sections {
    /// No section.
    pub const NONE: Sections = Sections(0);
    /// `global`
    pub const GLOBAL: Sections = Sections(1);
    /// `defaults`
    pub const DEFAULTS: Sections = Sections(1 << 1);
    /// `frontend`
    pub const FRONTEND: Sections = Sections(1 << 2);
    /// `listen`
    pub const LISTEN: Sections = Sections(1 << 3);
    /// `backend`
    pub const BACKEND: Sections = Sections(1 << 4);
    /// `userlist`
    pub const USERLIST: Sections = Sections(1 << 5);
    /// `peers`
    pub const PEERS: Sections = Sections(1 << 6);
    /// `mailers`
    pub const MAILERS: Sections = Sections(1 << 7);
    /// `program`
    pub const PROGRAM: Sections = Sections(1 << 8);
    /// `http-errors`
    pub const HTTP_ERRORS: Sections = Sections(1 << 9);
    /// `ring`
    pub const RING: Sections = Sections(1 << 10);
    /// `log-forward`
    pub const LOG_FORWARD: Sections = Sections(1 << 11);
    /// `resolvers`
    pub const RESOLVERS: Sections = Sections(1 << 12);
    /// `cache`
    pub const CACHE: Sections = Sections(1 << 13);
    /// `fcgi-app`
    pub const FCGI_APP: Sections = Sections(1 << 14);
    /// The sections of a file that `filter spoe` names; none of them stands in a configuration file.
    pub const SPOE: Sections = Sections(1 << 15);

    /// The sections with a frontend side, and the defaults.
    pub const FRONTENDS: Sections = Sections(Self::DEFAULTS.0 | Self::FRONTEND.0 | Self::LISTEN.0);
    /// The sections with a backend side, and the defaults.
    pub const BACKENDS: Sections = Sections(Self::DEFAULTS.0 | Self::LISTEN.0 | Self::BACKEND.0);
    /// Every proxy section and the defaults.
    pub const PROXIES: Sections = Sections(Self::FRONTENDS.0 | Self::BACKENDS.0);
    /// Every proxy section, without the defaults.
    pub const NAMED_PROXIES: Sections =
        Sections(Self::FRONTEND.0 | Self::LISTEN.0 | Self::BACKEND.0);

    /// Section words and their bits.
    pub const NAMES: &[(&str, Sections)] = &[
        ("global", Self::GLOBAL),
        ("defaults", Self::DEFAULTS),
        ("frontend", Self::FRONTEND),
        ("listen", Self::LISTEN),
        ("backend", Self::BACKEND),
        ("userlist", Self::USERLIST),
        ("peers", Self::PEERS),
        ("mailers", Self::MAILERS),
        ("program", Self::PROGRAM),
        ("http-errors", Self::HTTP_ERRORS),
        ("ring", Self::RING),
        ("log-forward", Self::LOG_FORWARD),
        ("resolvers", Self::RESOLVERS),
        ("cache", Self::CACHE),
        ("fcgi-app", Self::FCGI_APP),
    ];

    /// Both sets together.
    pub const fn and(self, other: Sections) -> Sections {
        Sections(self.0 | other.0)
    }

    /// Whether every section of `other` is in this set.
    pub const fn contains(self, other: Sections) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether some section of `other` is in this set.
    pub const fn intersects(self, other: Sections) -> bool {
        self.0 & other.0 != 0
    }

    /// The words of the sections in this set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(_, bit)| self.contains(*bit)).map(|(name, _)| *name)
    }
}

impl BitOr for Sections {
    type Output = Sections;
    fn bitor(self, other: Sections) -> Sections {
        self.and(other)
    }
}

impl fmt::Display for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}

/// Reads lines, one after the other, into a `Spec`.
pub struct Reader<'a> {
    /// What is filled in.
    pub spec: &'a mut Spec,
    /// The world outside.
    pub outside: &'a mut dyn Outside,
    /// Where messages go.
    pub diagnostics: &'a mut Diagnostics,
    told: &'a mut dyn FnMut(&Place, &[Word]),
    section: Sections,
    /// The directive being read.
    reading: Option<&'static Keyword>,
    /// Directives read so far of those that may stand once.
    seen: HashSet<&'static str>,
}

impl<'a> Reader<'a> {
    /// Starts before the first section line; `told` hears every directive before it is read.
    pub fn new(
        spec: &'a mut Spec,
        outside: &'a mut dyn Outside,
        diagnostics: &'a mut Diagnostics,
        told: &'a mut dyn FnMut(&Place, &[Word]),
    ) -> Reader<'a> {
        Reader {
            spec,
            outside,
            diagnostics,
            told,
            section: Sections::NONE,
            reading: None,
            seen: HashSet::new(),
        }
    }

    /// Splits a line into words and reads it; its mistakes are collected.
    pub fn raw_line(&mut self, place: &Place, line: &SourceLine<'_>) {
        loading::at(place);
        if line.is_scope() {
            if let Err(e) = line.scope() {
                let text = format!("parsing [{place}] : {e}");
                self.diagnostics.push(Diagnostic::alert(Some(place), text));
            }
            return;
        }
        let split = {
            let outside = std::cell::RefCell::new(&mut *self.outside);
            let environment = &self.spec.environment;
            words::split(line.bytes, &|name| environment.get(name, &mut **outside.borrow_mut()))
        };
        match split {
            Ok(words) => self.line(place, &words),
            Err(e) => {
                let text = format!("parsing [{place}]: {e}");
                self.diagnostics.push(Diagnostic::alert(Some(&place.at(e.column())), text));
            }
        }
    }

    /// Reads one logical line; its mistakes are collected.
    pub fn line(&mut self, place: &Place, words: &[Word]) {
        // An empty word ends a line for nearly all of HAProxy's parsers.
        let end = words.iter().position(Word::is_empty).unwrap_or(words.len());
        let words = &words[..end];
        if !words.is_empty() {
            (self.told)(place, words);
        }
        let before = self.diagnostics.list.len();
        self.reading = None;
        if let Err(diagnostic) = self.read(place, words) {
            self.diagnostics.push(diagnostic);
        }
        // What is said of the thousandth mistake nobody reads.
        if self.diagnostics.refusals() <= manual::EXPLAINED {
            let about = manual::about(self.section, self.reading);
            self.diagnostics.explain(before, &about);
        }
    }

    fn read(&mut self, place: &Place, words: &[Word]) -> Parsed {
        let (inversion, words) = Inversion::split(words);
        let words = &*words;
        let mut cursor = Words { all: words, next: 0, place };
        let Some(first) = words.first() else { return Ok(()) };
        if inversion != Inversion::Plain && !INVERTIBLE.contains(&&*first.str()) {
            self.diagnostics.push(cursor.bare(
                "negation/default currently supported only for options, log, busy-polling, \
                 set-dumpable, strict-limits, and insecure-fork-wanted.",
            ));
        }
        if let Some((name, section)) = Sections::NAMES.iter().find(|(name, _)| *first == **name) {
            cursor.next = 1;
            return self.open(name, *section, cursor);
        }
        let Some(keyword) = self.keyword(&mut cursor, inversion)? else { return Ok(()) };
        self.reading = Some(keyword);
        if let Some(opened) = self.spec.sections.last_mut().filter(|s| s.section == self.section) {
            opened.lines.push((place.clone(), words.to_vec()));
        }
        if !keyword.once.is_empty() && !self.seen.insert(keyword.once) {
            let told = cursor.alert(format!("{} already specified. Continuing.", keyword.once));
            self.diagnostics.push(told.harmless());
            return Ok(());
        }
        self.spec.note(keyword.name, keyword.status, place);
        let mut line = Line {
            words: cursor,
            keyword,
            section: self.section,
            inversion,
            spec: self.spec,
            outside: self.outside,
            diagnostics: self.diagnostics,
        };
        let after = line.words.next;
        (keyword.parse)(&mut line)?;
        if Sections::NAMED_PROXIES.contains(self.section)
            && let Some(warning) = line.proxy().rules_seen.note(keyword.name, place)
        {
            line.diagnostics.push(warning);
        }
        let list = match self.section {
            Sections::GLOBAL => &mut line.spec.global_lines,
            section if Sections::PROXIES.contains(section) => &mut line.proxy().lines,
            _ => return Ok(()),
        };
        if keyword.sections.contains(self.section) && !OWN_LIST.contains(&keyword.name) {
            let args = words.get(after..).unwrap_or_default().to_vec();
            let (name, sections, place) = (keyword.name, keyword.sections, place.clone());
            list.push(WrittenLine { name, sections, inversion, args, place });
        }
        Ok(())
    }

    /// The row for a line in this section. A proxy's directive that needs the other side of a
    /// proxy is read all the same, after a warning, as 2.3 does.
    fn keyword(
        &mut self,
        words: &mut Words<'_>,
        inversion: Inversion,
    ) -> Result<Option<&'static Keyword>, Diagnostic> {
        let explain = self.diagnostics.refusals() < manual::EXPLAINED;
        if self.section == Sections::NONE {
            return Err(unknown::diagnostic(self.section, words, explain));
        }
        if inversion != Inversion::Plain {
            unknown::refuse_inversion(self.section, words)?;
        }
        let mut here = words.clone();
        let found = find_keyword(self.section, &mut here);
        // A longer name of another section tells better what was meant.
        let longer = Sections::PROXIES.contains(self.section).then(|| {
            let named = |row: &Keyword| row.sections.intersects(Sections::NAMED_PROXIES);
            find_keyword_of(&mut words.clone(), named).map_or(0, |row| row.name.len())
        });
        if let Some(found) = found.filter(|row| longer.is_none_or(|l| l <= row.name.len())) {
            *words = here;
            return Ok(Some(found));
        }
        let elsewhere = (self.section != Sections::DEFAULTS
            && Sections::NAMED_PROXIES.contains(self.section))
        .then(|| find_keyword_of(words, |row| row.sections.intersects(Sections::NAMED_PROXIES)))
        .flatten();
        let Some(found) = elsewhere else {
            return Err(unknown::diagnostic(self.section, words, explain));
        };
        if let Some(diagnostic) = unknown::misplaced(found, self.section, self.spec, words) {
            if diagnostic.level == Level::Alert {
                return Err(diagnostic);
            }
            self.diagnostics.push(diagnostic);
        }
        Ok(Some(found))
    }

    fn open(&mut self, name: &'static str, section: Sections, mut words: Words<'_>) -> Parsed {
        self.section = section;
        let place = words.place;
        let opening = Opening { name, spec: self.spec, diagnostics: self.diagnostics };
        if let Some(kind) = ProxyKind::of_section(section) {
            return match kind {
                ProxyKind::Defaults => opening.defaults(&mut words),
                kind => opening.proxy(kind, &mut words),
            };
        }
        if section == Sections::GLOBAL {
            return words.end(name);
        }
        let named = opening.named(section, &mut words);
        if !BUILT.contains(&section) {
            self.spec.note_planned(name, place);
        }
        named
    }
}

/// Small sections that have their effect.
const BUILT: &[Sections] = &[
    Sections::CACHE,
    Sections::HTTP_ERRORS,
    Sections::LOG_FORWARD,
    Sections::RESOLVERS,
    Sections::RING,
    Sections::USERLIST,
];

/// Directives of which there may be very many, and which have lists of their own.
const OWN_LIST: &[&str] = &[
    "acl",
    "bind",
    "http-after-response",
    "http-request",
    "http-response",
    "server",
    "tcp-request connection",
    "tcp-request content",
    "tcp-request session",
    "tcp-response content",
    "use_backend",
];

/// What `no` and `default` may stand before.
pub const INVERTIBLE: &[&str] =
    &["option", "log", "busy-polling", "set-dumpable", "strict-limits", "insecure-fork-wanted"];

/// The first character that names may not hold.
pub fn invalid_char(name: &Word) -> Option<char> {
    let allowed = |b: &&u8| !(b.is_ascii_alphanumeric() || b"_-.:".contains(b));
    name.bytes().iter().find(allowed).map(|b| char::from(*b))
}

/// Finds the longest name that the words begin with; the cursor moves behind it.
fn find_keyword(section: Sections, words: &mut Words<'_>) -> Option<&'static Keyword> {
    find_keyword_of(words, |row| row.sections.contains(section))
}

fn find_keyword_of(
    words: &mut Words<'_>,
    wanted: impl Fn(&Keyword) -> bool,
) -> Option<&'static Keyword> {
    let rest = words.all.get(words.next..)?;
    let mut name = String::new();
    let mut found = None;
    for (count, word) in rest.iter().take(3).enumerate() {
        let Ok(text) = std::str::from_utf8(word.bytes()) else { break };
        if count > 0 {
            name.push(' ');
        }
        name.push_str(text);
        if let Some(row) = catalog::keywords(&name).iter().find(|row| wanted(row)) {
            found = Some((*row, count + 1));
        }
    }
    let (row, count) = found?;
    words.next += count;
    Some(row)
}
