//! Lines that open a section (manual 2.1 and 4): in comes the line after its first word, out come the
//! section in the `Spec`, and what HAProxy says of missing, odd and repeated names.

use crate::config::args::{Parsed, Words};
use crate::config::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::config::section::{Sections, invalid_char};
use crate::config::spec::{NamedSection, ProxyKind, ProxySpec, Spec};
use crate::flow::response::cache;
use crate::flow::rules::condition::Acls;
use crate::state::resolver::section::ResolversSpec;

/// A section line being read.
pub(super) struct Opening<'a> {
    pub name: &'static str,
    pub spec: &'a mut Spec,
    pub diagnostics: &'a mut Diagnostics,
}

impl Opening<'_> {
    pub fn defaults(self, words: &mut Words<'_>) -> Parsed {
        let name = words.word().map(|w| w.str().into_owned()).unwrap_or_default();
        self.spec.defaults = ProxySpec::defaults(name, words.place.clone());
        words.end(self.name)
    }

    pub fn proxy(self, kind: ProxyKind, words: &mut Words<'_>) -> Parsed {
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
            (kind.has_frontend() && other.kind.has_frontend())
                || (!kind.has_frontend() && other.kind.has_backend())
        };
        if let Some(other) = self.spec.named(&id).find(same_side) {
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
        self.spec.add_proxy(spec);
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
    pub fn named(mut self, section: Sections, words: &mut Words<'_>) -> Parsed {
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
        let id = self.kept(section, id, words);
        let key = (section, id.clone());
        let first = self.spec.section_names.get(&key).and_then(|at| self.spec.sections.get(*at));
        // HAProxy forgets a cache without size at once.
        let first = first.filter(|s| section != Sections::CACHE || cache::settings(s).blocks > 0);
        let declared = first.map(|s| s.place.clone());
        if let Some(declared) = declared {
            match (rules.same)(&id, words.place, &declared) {
                Some(text) => self.diagnostics.push(Diagnostic::alert(Some(words.place), text)),
                None => return Ok(()),
            }
        }
        if section == Sections::LOG_FORWARD
            && let Some(other) = self.spec.named(&id).next()
        {
            let (at, kind, place) = (words.place, other.kind.word(), &other.place);
            let text = format!(
                "Parsing [{at}]: log forward section '{id}' has the same name as {kind} '{id}' declared at {}:{}.",
                place.file, place.line
            );
            self.diagnostics.push(Diagnostic::alert(Some(at), text));
        }
        self.spec.section_acls = Acls::default();
        let at = self.spec.sections.len();
        self.spec.section_names.entry(key).or_insert(at);
        self.spec.sections.push(NamedSection {
            section,
            proxy: Box::new(ProxySpec::defaults(id.clone(), words.place.clone())),
            name: id,
            place: words.place.clone(),
            lines: Vec::new(),
            tables: Vec::new(),
            resolvers: ResolversSpec::default(),
        });
        Ok(())
    }

    /// What is kept of a section's name.
    fn kept(&mut self, section: Sections, id: String, words: &Words<'_>) -> String {
        let end = id.floor_char_boundary(CACHE_NAME);
        if section != Sections::CACHE || end == id.len() {
            return id;
        }
        let kept = id.get(..end).unwrap_or_default().to_owned();
        let place = words.place;
        let text = format!(
            "parsing [{place}]: cache name is limited to {CACHE_NAME} characters, truncate to '{kept}'."
        );
        self.diagnostics.push(Diagnostic::warning(Some(place), text));
        kept
    }
}

/// Bytes of a cache's name.
const CACHE_NAME: usize = 32;

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

    fn of(section: Sections) -> &'static SectionName {
        SECTION_NAMES.iter().find(|(bit, _)| *bit == section).map_or(&NAMED, |(_, row)| row)
    }
}

/// A row to copy from.
const NAMED: SectionName =
    SectionName { missing: "", bare: false, checked: true, alone: true, same: |_, _, _| None };

const SECTION_NAMES: &[(Sections, SectionName)] = &[
    (
        Sections::USERLIST,
        SectionName { missing: "'userlist' expects <name> as arguments.", bare: true, ..NAMED },
    ),
    (
        Sections::PEERS,
        SectionName {
            missing: "missing name for peers section.",
            same: |id, at, other| {
                Some(format!(
                    "Parsing [{at}]: peers section '{id}' has the same name as another peers section declared at {other}."
                ))
            },
            ..NAMED
        },
    ),
    (
        Sections::MAILERS,
        SectionName {
            missing: "missing name for mailers section.",
            alone: false,
            same: |id, at, other| {
                Some(format!(
                    "Parsing [{at}]: mailers section '{id}' has the same name as another mailers section declared at {other}."
                ))
            },
            ..NAMED
        },
    ),
    (
        Sections::PROGRAM,
        SectionName {
            missing: "'program' expects an <id> argument",
            same: |id, at, _| {
                Some(format!(
                    "parsing [{at}]: '{id}' program section already exists in the configuration."
                ))
            },
            ..NAMED
        },
    ),
    (
        Sections::HTTP_ERRORS,
        SectionName {
            missing: "missing name for http-errors section.",
            alone: false,
            same: |id, at, other| {
                Some(format!(
                    "parsing [{at}]: http-errors section '{id}' already declared at {other}."
                ))
            },
            ..NAMED
        },
    ),
    (
        Sections::RING,
        SectionName {
            missing: "missing ring name.",
            alone: false,
            same: |id, at, _| Some(format!("parsing [{at}] : sink named '{id}' already exists.")),
            ..NAMED
        },
    ),
    (
        Sections::LOG_FORWARD,
        SectionName {
            missing: "missing name for ip-forward section.",
            same: |id, at, other| {
                Some(format!(
                    "Parsing [{at}]: log-forward section '{id}' has the same name as another log-forward section declared at {other}."
                ))
            },
            ..NAMED
        },
    ),
    (
        Sections::RESOLVERS,
        SectionName {
            missing: "missing name for resolvers section.",
            alone: false,
            same: |id, at, other| {
                Some(format!(
                    "Parsing [{at}]: resolvers '{id}' has same name as another resolvers (declared at {other})."
                ))
            },
            ..NAMED
        },
    ),
    (
        Sections::CACHE,
        SectionName {
            missing: "'cache' expects a <name> argument",
            checked: false,
            same: |id, at, _| Some(format!("parsing [{at}]: Duplicate cache name '{id}'.")),
            ..NAMED
        },
    ),
    (
        Sections::FCGI_APP,
        SectionName {
            missing: "'fcgi-app' expects <name> as argument.",
            bare: true,
            same: |id, at, other| {
                Some(format!(
                    "Parsing [{at}]: fcgi-app section '{id}' has the same name as another one declared at {other}."
                ))
            },
            ..NAMED
        },
    ),
];
