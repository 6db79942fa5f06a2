//! Sections: in come the logical lines of the configuration files, out comes the `Spec`
//! (manual 2 and 4). A section line opens a section; every other line is looked up in the catalog.

use std::fmt;
use std::ops::BitOr;

use crate::catalog::{self, Keyword};
use crate::config::args::{Inversion, Line, Parsed, Words};
use crate::config::diagnostic::{Diagnostic, Diagnostics, Level, Place};
use crate::config::outside::Outside;
use crate::config::source::SourceLine;
use crate::config::spec::{NamedSection, ProxyKind, ProxySpec, Spec};
use crate::config::unknown;
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
        if let Err(diagnostic) = self.read(place, &words[..end]) {
            self.diagnostics.push(diagnostic);
        }
    }

    fn read(&mut self, place: &Place, words: &[Word]) -> Parsed {
        let (inversion, words) = match words.split_first() {
            Some((first, rest)) if *first == *"no" => (Inversion::No, rest),
            Some((first, rest)) if *first == *"default" => (Inversion::Default, rest),
            _ => (Inversion::Plain, words),
        };
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
        if let Some(opened) = self.spec.sections.last_mut().filter(|s| s.section == self.section) {
            opened.lines.push((place.clone(), words.to_vec()));
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
        (keyword.parse)(&mut line)
    }

    /// The row for a line in this section. A proxy's directive that needs the other side of a
    /// proxy is read all the same, after a warning, as 2.3 does.
    fn keyword(
        &mut self,
        words: &mut Words<'_>,
        inversion: Inversion,
    ) -> Result<Option<&'static Keyword>, Diagnostic> {
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
            return Err(unknown::diagnostic(self.section, words));
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
        let before = self.section;
        self.section = section;
        let place = words.place;
        let opening = Opening { name, before, spec: self.spec, diagnostics: self.diagnostics };
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
        self.spec.note_planned(name, place);
        named
    }
}

/// What `no` and `default` may stand before.
const INVERTIBLE: &[&str] =
    &["option", "log", "busy-polling", "set-dumpable", "strict-limits", "insecure-fork-wanted"];

/// A section line being read.
struct Opening<'a> {
    name: &'static str,
    before: Sections,
    spec: &'a mut Spec,
    diagnostics: &'a mut Diagnostics,
}

impl Opening<'_> {
    fn defaults(self, words: &mut Words<'_>) -> Parsed {
        let name = words.word().map(|w| w.str().into_owned()).unwrap_or_default();
        self.spec.defaults = ProxySpec::defaults(name, words.place.clone());
        words.end(self.name)
    }

    fn proxy(self, kind: ProxyKind, words: &mut Words<'_>) -> Parsed {
        let name = self.name;
        let Some(word) = words.word() else {
            return Err(words.alert(format!(
                "'{name}' expects an <id> argument and\n  optionally supports [addr1]:port1[-end1]{{,[addr]:port[-end]}}..."
            )));
        };
        let id = word.str().into_owned();
        let place = words.place;
        if let Some(bad) = invalid_char(word) {
            self.diagnostics.push(
                words.alert(format!("character '{bad}' is not permitted in '{name}' name '{id}'.")),
            );
        }
        let same_side = |other: &&ProxySpec| {
            other.name == id
                && ((kind.has_frontend() && other.kind.has_frontend())
                    || (!kind.has_frontend() && other.kind.has_backend()))
        };
        if let Some(other) = self.spec.proxies.iter().find(same_side) {
            let (ours, theirs) = (kind.word(), other.kind.word());
            let (file, line) = (&other.place.file, other.place.line);
            self.diagnostics.push(Diagnostic::alert(
                Some(place),
                format!(
                    "Parsing [{place}]: {ours} '{id}' has the same name as {theirs} '{id}' declared at {file}:{line}."
                ),
            ));
        }
        let spec = ProxySpec::open(&self.spec.defaults, kind, id, place.clone());
        self.spec.proxies.push(spec);
        if let Err(extra) = words.end(name) {
            self.diagnostics.push(extra);
            if kind.has_frontend() {
                self.diagnostics
                    .push(words.alert("please use the 'bind' keyword for listening addresses."));
            }
        }
        Ok(())
    }

    /// A section that is neither `global` nor a proxy.
    fn named(self, section: Sections, words: &mut Words<'_>) -> Parsed {
        let _ = self.before;
        let rules = SectionName::of(section);
        let name = self.name;
        let Some(word) = words.word() else {
            return Err(rules.place(words, rules.missing.to_owned()));
        };
        let id = word.str().into_owned();
        if let Some(bad) = invalid_char(word).filter(|_| rules.checked) {
            let text = format!("character '{bad}' is not permitted in '{name}' name '{id}'.");
            return Err(rules.place(words, text));
        }
        if rules.alone {
            words.end(name)?;
        }
        let same = |s: &&NamedSection| s.section == section && s.name == id;
        let declared = self.spec.sections.iter().find(same).map(|s| s.place.clone());
        if let Some(declared) = declared {
            match (rules.same)(&id, words.place, &declared) {
                Some(text) => self.diagnostics.push(Diagnostic::alert(Some(words.place), text)),
                None => return Ok(()),
            }
        }
        self.spec.sections.push(NamedSection {
            section,
            name: id,
            place: words.place.clone(),
            lines: Vec::new(),
        });
        Ok(())
    }
}

/// How a small section's line is checked, and what is said about it.
struct SectionName {
    missing: &'static str,
    /// Whether the message lacks the blank before the colon.
    bare: bool,
    checked: bool,
    alone: bool,
    /// What is said of a second section of one name; `None` when it is let pass.
    same: fn(&str, &Place, &Place) -> Option<String>,
}

impl SectionName {
    fn place(&self, words: &Words<'_>, text: String) -> Diagnostic {
        if self.bare { words.bare(text) } else { words.alert(text) }
    }

    fn of(section: Sections) -> SectionName {
        let row = SectionName {
            missing: "",
            bare: false,
            checked: true,
            alone: true,
            same: |_, _, _| None,
        };
        match section {
            Sections::USERLIST => SectionName {
                missing: "'userlist' expects <name> as arguments.",
                bare: true,
                ..row
            },
            Sections::PEERS => SectionName {
                missing: "missing name for peers section.",
                same: |id, at, other| {
                    Some(format!(
                        "Parsing [{at}]: peers section '{id}' has the same name as another peers section declared at {other}."
                    ))
                },
                ..row
            },
            Sections::MAILERS => SectionName {
                missing: "missing name for mailers section.",
                alone: false,
                same: |id, at, other| {
                    Some(format!(
                        "Parsing [{at}]: mailers section '{id}' has the same name as another mailers section declared at {other}."
                    ))
                },
                ..row
            },
            Sections::PROGRAM => SectionName {
                missing: "'program' expects an <id> argument",
                same: |id, at, _| {
                    Some(format!(
                        "parsing [{at}]: '{id}' program section already exists in the configuration."
                    ))
                },
                ..row
            },
            Sections::HTTP_ERRORS => SectionName {
                missing: "missing name for http-errors section.",
                alone: false,
                same: |id, at, other| {
                    Some(format!(
                        "parsing [{at}]: http-errors section '{id}' already declared at {other}."
                    ))
                },
                ..row
            },
            Sections::RING => SectionName {
                missing: "missing ring name.",
                alone: false,
                same: |id, at, _| {
                    Some(format!("parsing [{at}] : sink named '{id}' already exists."))
                },
                ..row
            },
            Sections::LOG_FORWARD => SectionName {
                missing: "missing name for ip-forward section.",
                same: |id, at, other| {
                    Some(format!(
                        "Parsing [{at}]: log-forward section '{id}' has the same name as another log-forward section declared at {other}."
                    ))
                },
                ..row
            },
            Sections::RESOLVERS => SectionName {
                missing: "missing name for resolvers section.",
                alone: false,
                same: |id, at, other| {
                    Some(format!(
                        "Parsing [{at}]: resolvers '{id}' has same name as another resolvers (declared at {other})."
                    ))
                },
                ..row
            },
            Sections::CACHE => {
                SectionName { missing: "'cache' expects a <name> argument", checked: false, ..row }
            }
            _ => SectionName {
                missing: "'fcgi-app' expects <name> as argument.",
                bare: true,
                same: |id, at, other| {
                    Some(format!(
                        "Parsing [{at}]: fcgi-app section '{id}' has the same name as another one declared at {other}."
                    ))
                },
                ..row
            },
        }
    }
}

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
        if count > 0 {
            name.push(' ');
        }
        name.push_str(std::str::from_utf8(word.bytes()).ok()?);
        if let Some(row) = catalog::keywords(&name).iter().find(|row| wanted(row)) {
            found = Some((*row, count + 1));
        }
    }
    let (row, count) = found?;
    words.next += count;
    Some(row)
}
