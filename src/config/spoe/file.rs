//! The file that `filter spoe` names (SPOE.txt 2.1): in comes its text, out come its sections, as far as
//! they stand in the engine's scope (`[name]`). Mistakes are told as they are found.

use std::io;
use std::path::Path;

use crate::config::args::{Inversion, Line, Words};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::section::{INVERTIBLE, Sections, invalid_char};
use crate::config::source::{Source, SourceLine};
use crate::config::spoe::{AgentSpec, GroupSpec, MessageSpec, agent, message};
use crate::config::words::{self, Word};

/// The sections of a file.
#[derive(Debug, Default)]
pub struct FileSpec {
    /// `spoe-agent`
    pub agent: Option<AgentSpec>,
    /// `spoe-message`
    pub messages: Vec<MessageSpec>,
    /// `spoe-group`
    pub groups: Vec<GroupSpec>,
}

/// Why a line is refused.
pub enum Refusal {
    /// The following lines are read all the same.
    Line(Diagnostic),
    /// Nothing more is read.
    File(Diagnostic),
}

impl From<Diagnostic> for Refusal {
    fn from(diagnostic: Diagnostic) -> Refusal {
        Refusal::Line(diagnostic)
    }
}

/// The section being read.
#[derive(Clone, Copy)]
enum Section {
    Agent,
    Group,
    Message,
}

impl Section {
    fn of(word: &Word) -> Option<Section> {
        match &*word.str() {
            "spoe-agent" => Some(Section::Agent),
            "spoe-group" => Some(Section::Group),
            "spoe-message" => Some(Section::Message),
            _ => None,
        }
    }
}

/// Reads the sections that are in the scope of `engine`; without a name, those in no scope.
///
/// # Errors
/// HAProxy's words for a file that cannot be read or has mistakes.
pub fn read(line: &mut Line<'_>, path: &Path, engine: Option<&str>) -> Result<FileSpec, String> {
    let name = path.display();
    let text = match line.outside.read_file(path) {
        Ok(text) => text,
        // 2.3 reads nothing from a directory.
        Err(e) if e.kind() == io::ErrorKind::IsADirectory => Vec::new().into(),
        Err(e) => {
            let why = crate::config::source::reason(&e);
            return Err(format!("Could not open configuration file {name} : {why}"));
        }
    };
    let source = Source { name: path.to_string_lossy().into(), text };
    let before = line.diagnostics.refusals();
    let acls = std::mem::take(&mut line.spec.section_acls);
    let mut reader = Reader { content: FileSpec::default(), section: None, engine, scope: None };
    for raw in source.lines() {
        let raw = match raw {
            Ok(raw) => raw,
            Err(diagnostic) => {
                line.diagnostics.push(diagnostic);
                break;
            }
        };
        let place = Place { file: source.name.clone(), line: raw.number, column: 0 };
        match reader.raw_line(line, &place, &raw) {
            Ok(()) => {}
            Err(Refusal::Line(diagnostic)) => line.diagnostics.push(diagnostic),
            Err(Refusal::File(diagnostic)) => {
                line.diagnostics.push(diagnostic);
                break;
            }
        }
    }
    line.spec.section_acls = acls;
    match line.diagnostics.refusals() > before {
        true => Err(format!("Error(s) found in configuration file {name}")),
        false => Ok(reader.content),
    }
}

struct Reader<'e> {
    content: FileSpec,
    section: Option<Section>,
    engine: Option<&'e str>,
    scope: Option<String>,
}

impl Reader<'_> {
    fn raw_line(
        &mut self,
        line: &mut Line<'_>,
        place: &Place,
        raw: &SourceLine<'_>,
    ) -> Result<(), Refusal> {
        if raw.is_scope() {
            raw.scope()
                .map_err(|e| Diagnostic::alert(Some(place), format!("parsing [{place}] : {e}")))?;
            let text = String::from_utf8_lossy(raw.bytes).into_owned();
            let name = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
            self.scope = name.map(|(name, _)| name.to_owned());
            return Ok(());
        }
        let split = {
            let outside = std::cell::RefCell::new(&mut *line.outside);
            let environment = &line.spec.environment;
            words::split(raw.bytes, &|name| environment.get(name, &mut **outside.borrow_mut()))
        };
        let words = split.map_err(|e| {
            let text = format!("parsing [{place}]: {e}");
            Diagnostic::alert(Some(&place.at(e.column())), text)
        })?;
        let end = words.iter().position(Word::is_empty).unwrap_or(words.len());
        let (inversion, words) = Inversion::split(&words[..end]);
        let Some(first) = words.first() else { return Ok(()) };
        let mut inner = Line {
            words: Words { all: &words, next: 1, place },
            keyword: line.keyword,
            section: Sections::SPOE,
            inversion,
            spec: &mut *line.spec,
            outside: &mut *line.outside,
            diagnostics: &mut *line.diagnostics,
        };
        if inversion != Inversion::Plain && !INVERTIBLE.contains(&&*first.str()) {
            let told = inner.bare("negation/default currently supported only for options, log, busy-polling, set-dumpable, strict-limits, and insecure-fork-wanted.");
            inner.diagnostics.push(told);
        }
        self.words(&mut inner, first)
    }

    fn words(&mut self, line: &mut Line<'_>, first: &Word) -> Result<(), Refusal> {
        let opened = Section::of(first);
        self.section = opened.or(self.section);
        let Some(section) = self.section else {
            let text = format!("unknown keyword '{first}' out of section.");
            return Err(line.bare(text).into());
        };
        if self.scope.as_deref() != self.engine {
            return Ok(());
        }
        if opened.is_some() {
            return self.open(line, section, first);
        }
        // Without its section's own line in this scope, there is nothing to fill in.
        let content = &mut self.content;
        match section {
            Section::Agent => match &mut content.agent {
                Some(agent) => agent::keyword(line, agent, first),
                None => Ok(()),
            },
            Section::Message => match content.messages.last_mut() {
                Some(message) => message::keyword(line, message, first),
                None => Ok(()),
            },
            Section::Group => match content.groups.last_mut() {
                Some(group) => group_keyword(line, group, first),
                None => Ok(()),
            },
        }
        .map_err(Refusal::Line)
    }

    /// `spoe-agent NAME` and its kin.
    fn open(&mut self, line: &mut Line<'_>, section: Section, kind: &Word) -> Result<(), Refusal> {
        let Some(word) = line.word() else {
            return Err(Refusal::File(line.alert(format!("missing name for {kind} section."))));
        };
        let name = word.str().into_owned();
        line.words.end(&kind.str()).map_err(Refusal::File)?;
        if let Some(bad) = invalid_char(word) {
            return Err(Refusal::File(
                line.alert(format!(
                    "character '{bad}' is not permitted in '{kind}' name '{name}'."
                )),
            ));
        }
        let place = line.words.place.clone();
        let content = &mut self.content;
        let same = match section {
            Section::Agent => {
                if content.agent.is_some() {
                    let text = "another spoe-agent section previously defined.";
                    return Err(Refusal::File(line.alert(text)));
                }
                content.agent = Some(AgentSpec::new(name, place));
                return Ok(());
            }
            Section::Message => content.messages.iter().find(|m| m.name == name).map(|m| &m.place),
            Section::Group => content.groups.iter().find(|g| g.name == name).map(|g| &g.place),
        };
        if let Some(other) = same {
            let text = format!(
                "{kind} section '{name}' has the same name as another one declared at {other}."
            );
            return Err(line.bare(text).into());
        }
        match section {
            Section::Message => {
                content.messages.push(MessageSpec::new(name, place));
            }
            _ => content.groups.push(GroupSpec { name, place, messages: Vec::new() }),
        }
        Ok(())
    }
}

fn group_keyword(
    line: &mut Line<'_>,
    group: &mut GroupSpec,
    keyword: &Word,
) -> Result<(), Diagnostic> {
    if *keyword == *"messages" {
        return names(line, &mut group.messages, "spoe-message");
    }
    Err(line.alert(format!("unknown keyword '{keyword}' in spoe-group section.")))
}

/// Names that may each be given once.
pub fn names(line: &mut Line<'_>, list: &mut Vec<String>, kind: &str) -> Result<(), Diagnostic> {
    while let Some(word) = line.word() {
        let name = word.str().into_owned();
        if list.contains(&name) {
            return Err(line.bare(format!("{kind} '{name}' already used.")));
        }
        list.push(name);
    }
    Ok(())
}
