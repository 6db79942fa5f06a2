//! Text becomes a `Spec` (what was written), a `Spec` becomes a `World` (what runs).

pub mod address;
pub mod args;
pub mod compile;
mod consistency;
pub mod diagnostic;
pub mod environment;
pub mod global;
mod manual;
mod opening;
pub mod options;
mod order;
pub mod outside;
pub mod process;
pub mod proxy;
pub mod references;
pub mod section;
pub mod sections;
pub mod source;
pub mod spec;
pub mod spoe;
pub mod tls;
pub mod tuning;
pub mod understood;
mod unknown;
pub mod words;

use std::path::PathBuf;

use crate::state::map_file::loading::Loading;
use crate::state::world::World;
use compile::Purpose;
use diagnostic::{Diagnostic, Diagnostics, Place};
use outside::Outside;
use section::Reader;
use source::Source;
use spec::Spec;
use words::Word;

/// What loading gives: the running configuration if nothing refused it, all that was said, and the
/// texts for excerpts.
#[derive(Debug)]
pub struct Loaded {
    /// `None` when an alert was given.
    pub world: Option<World>,
    /// Messages in their order.
    pub diagnostics: Diagnostics,
    /// The files that were read.
    pub sources: Vec<Source>,
}

/// Reads configuration files and directories, in their order, into a `World`.
pub fn load(
    paths: &[PathBuf],
    outside: &mut dyn Outside,
    previous: Option<&World>,
    purpose: Purpose,
) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    let _loading = Loading::begin(outside.files(), previous.map(|world| world.references.clone()));
    let sources = match read(paths, outside) {
        Ok(sources) => sources,
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            return Loaded { world: None, diagnostics, sources: Vec::new() };
        }
    };
    let spec = parse(&sources, outside, &mut diagnostics);
    if !diagnostics.refused() {
        consistency::check(&spec, outside, &mut diagnostics);
        name_planned(&spec, purpose, &mut diagnostics);
    }
    let world = if diagnostics.refused() {
        None
    } else {
        compile::compile(&spec, outside, previous, purpose, &mut diagnostics)
    };
    let summed_up = diagnostics.list.last().is_some_and(|d| d.text == compile::ADDRESSES_FAILED);
    if world.is_none() && !summed_up {
        diagnostics.push(Diagnostic::alert(None, "Fatal errors found in configuration."));
    }
    Loaded { world, diagnostics, sources }
}

/// What is understood but has no effect yet: worth a warning to who checks, and no start, because what
/// was asked for would silently not happen.
fn name_planned(spec: &Spec, purpose: Purpose, diagnostics: &mut Diagnostics) {
    for used in &spec.planned {
        let text = format!("parsing [{}] : '{}' is not built yet.", used.place, used.name);
        diagnostics.push(match purpose.bind {
            true => Diagnostic::alert(Some(&used.place), text),
            false => Diagnostic::warning(Some(&used.place), text),
        });
    }
}

fn read(paths: &[PathBuf], outside: &mut dyn Outside) -> Result<Vec<Source>, Diagnostic> {
    let files = source::expand(paths, outside)?;
    files.iter().map(|file| source::read(file, outside)).collect()
}

/// Parses texts into a `Spec`; mistakes are collected.
pub fn parse(sources: &[Source], outside: &mut dyn Outside, diagnostics: &mut Diagnostics) -> Spec {
    parse_told(sources, outside, diagnostics, &mut |_, _| {})
}

/// The same, telling `told` every directive: its place and its words.
fn parse_told(
    sources: &[Source],
    outside: &mut dyn Outside,
    diagnostics: &mut Diagnostics,
    told: &mut dyn FnMut(&Place, &[Word]),
) -> Spec {
    let _loading = Loading::begin_alone(outside.files());
    let mut spec = Spec::default();
    let mut reader = Reader::new(&mut spec, outside, diagnostics, told);
    for source in sources {
        let before = reader.diagnostics.refusals();
        for line in source.lines() {
            match line {
                Ok(line) => {
                    let place = Place { file: source.name.clone(), line: line.number, column: 0 };
                    reader.raw_line(&place, &line);
                }
                Err(diagnostic) => reader.diagnostics.push(diagnostic),
            }
        }
        if reader.diagnostics.refusals() > before {
            let text = format!("Error(s) found in configuration file : {}", source.name);
            reader.diagnostics.push(Diagnostic::alert(None, text));
        }
    }
    spec
}
