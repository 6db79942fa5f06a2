//! Sections: in come the logical lines of the configuration files, out comes the `Spec`
//! (manual 2 and 4). A section line opens a section; every other line is looked up in the catalog.

use std::fmt;
use std::ops::BitOr;

use crate::catalog::{self, Keyword};
use crate::config::args::{Inversion, Line, Parsed, Words};
use crate::config::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::config::outside::Outside;
use crate::config::source::SourceLine;
use crate::config::spec::{NamedSection, ProxyKind, ProxySpec, Spec};
use crate::config::words::{self, Word};

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
    section: Sections,
}

impl<'a> Reader<'a> {
    /// Starts before the first section line.
    pub fn new(
        spec: &'a mut Spec,
        outside: &'a mut dyn Outside,
        diagnostics: &'a mut Diagnostics,
    ) -> Reader<'a> {
        Reader { spec, outside, diagnostics, section: Sections::NONE }
    }

    /// Splits a line into words and reads it; its mistakes are collected.
    pub fn raw_line(&mut self, place: &Place, line: &SourceLine<'_>) {
        if line.is_scope() {
            if let Err(e) = line.scope() {
                let text = format!("parsing [{place}] : {e}");
                self.diagnostics.push(Diagnostic::alert(Some(place), text));
            }
            return;
        }
        let split = {
            let outside = std::cell::RefCell::new(&mut *self.outside);
            words::split(line.bytes, &|name| outside.borrow_mut().env(name))
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
        if let Err(diagnostic) = self.read(place, words) {
            self.diagnostics.push(diagnostic);
        }
    }

    fn read(&mut self, place: &Place, words: &[Word]) -> Parsed {
        let Some(first) = words.first() else { return Ok(()) };
        let opened = Sections::NAMES.iter().find(|(name, _)| *first == **name);
        if let Some((name, section)) = opened {
            self.section = *section;
            return self.open(name, Words { all: words, next: 1, place });
        }
        let (inversion, skip) = match () {
            () if *first == *"no" => (Inversion::No, 1),
            () if *first == *"default" => (Inversion::Default, 1),
            () => (Inversion::Plain, 0),
        };
        let mut cursor = Words { all: words, next: skip, place };
        let Some(keyword) = find_keyword(self.section, &mut cursor) else {
            return Err(self.unknown(cursor));
        };
        if inversion != Inversion::Plain && !keyword.negatable {
            let word = if inversion == Inversion::No { "no" } else { "default" };
            let all = "negation/default is not supported for this keyword";
            return Err(cursor.alert(format!("{all}: '{word} {}'.", keyword.name)));
        }
        if keyword.status == catalog::Status::Planned {
            self.spec.note_planned(keyword.name, place);
        }
        let mut line = Line {
            words: cursor,
            keyword,
            section: self.section,
            inversion,
            spec: self.spec,
            outside: self.outside,
            diagnostics: self.diagnostics,
        };
        (keyword.parse)(&mut line)
    }

    /// HAProxy's message for a word that is no keyword here.
    fn unknown(&self, mut words: Words<'_>) -> Diagnostic {
        let Some((section, _)) = Sections::NAMES.iter().find(|(_, bit)| *bit == self.section)
        else {
            let file = &words.place.file;
            let line = words.place.line;
            let first = words.word().map(Word::str).unwrap_or_default();
            return Diagnostic::alert(
                Some(&words.last_place()),
                format!("parsing [{file}:{line}]: unknown keyword '{first}' out of section."),
            );
        };
        let word = words.word().map(Word::str).unwrap_or_default();
        words.alert(format!("unknown keyword '{word}' in '{section}' section"))
    }

    fn open(&mut self, name: &'static str, mut words: Words<'_>) -> Parsed {
        let place = words.place;
        if let Some(kind) = ProxyKind::of_section(self.section) {
            if kind == ProxyKind::Defaults {
                let name = words.word().map(|w| w.str().into_owned()).unwrap_or_default();
                self.spec.defaults = ProxySpec::defaults(name, place.clone());
                return Ok(());
            }
            let id = words.required(&format!(
                "'{name}' expects an <id> argument and\n  optionally supports [addr1]:port1[-end1]{{,[addr]:port[-end]}}..."
            ))?;
            let id = id.str().into_owned();
            let spec = ProxySpec::open(&self.spec.defaults, kind, id, place.clone());
            self.spec.proxies.push(spec);
            return Ok(());
        }
        if self.section == Sections::GLOBAL {
            return words.end(name);
        }
        self.spec.sections.push(NamedSection {
            section: self.section,
            name: words.word().map(|w| w.str().into_owned()).unwrap_or_default(),
            place: place.clone(),
        });
        self.spec.note_planned(name, place);
        Ok(())
    }
}

/// Finds the longest name that the words begin with; the cursor moves behind it.
fn find_keyword(section: Sections, words: &mut Words<'_>) -> Option<&'static Keyword> {
    let rest = words.all.get(words.next..)?;
    let mut name = String::new();
    let mut found = None;
    for (count, word) in rest.iter().take(3).enumerate() {
        if count > 0 {
            name.push(' ');
        }
        name.push_str(std::str::from_utf8(word.bytes()).ok()?);
        if let Some(row) = catalog::keyword(section, &name) {
            found = Some((row, count + 1));
        }
    }
    let (row, count) = found?;
    words.next += count;
    Some(row)
}
