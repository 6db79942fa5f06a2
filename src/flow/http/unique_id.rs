//! `unique-id-format` and `unique-id-header` (manual 4.2): a name for each request. In comes a stream, out
//! comes its unique id, made when somebody first asks for it.

use std::rc::Rc;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::compile::Compiler;
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::proxy::Mode;
use crate::config::section::Sections;
use crate::config::spec::ProxySpec;
use crate::flow::log::format::{LogContext, LogFormat, Options, Purpose};
use crate::flow::phase::Phase;
use crate::flow::session::Stream;
use crate::sample::valid;

/// What was written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UniqueIdSpec {
    /// `unique-id-format`, and where it stands.
    pub format: Option<(Vec<u8>, Place)>,
    /// `unique-id-header`
    pub header: Option<String>,
}

/// What a running frontend does.
#[derive(Debug)]
pub struct UniqueId {
    format: LogFormat,
    header: Option<Box<[u8]>>,
}

impl UniqueIdSpec {
    /// What runs; nothing without a format.
    pub fn compile(&self, proxy: &ProxySpec, compiler: &mut Compiler<'_>) -> Option<Box<UniqueId>> {
        let (text, place) = self.format.as_ref().filter(|_| proxy.kind.has_frontend())?;
        let mut purpose = Purpose::log("unique-id", proxy.basics.mode);
        purpose.options = Options::HTTP.and(Options::MERGE_SPACES);
        purpose.places = match proxy.basics.mode {
            Mode::Http => vec![valid::Place::FrontendRequest],
            _ => vec![valid::Place::FrontendContent],
        };
        match LogFormat::parse(text, &purpose) {
            Ok((format, _)) => {
                let header =
                    self.header.as_ref().map(|h| h.to_ascii_lowercase().into_bytes().into());
                Some(Box::new(UniqueId { format, header }))
            }
            Err(error) => {
                let text = format!("Parsing [{place}]: failed to parse unique-id : {error}.");
                compiler.diagnostics.push(Diagnostic::alert(Some(place), text));
                None
            }
        }
    }
}

/// The stream's unique id; `None` without `unique-id-format`.
pub fn of(stream: &Stream<'_>) -> Option<Rc<[u8]>> {
    if let Some(made) = &*stream.unique_id.borrow() {
        return Some(made.clone());
    }
    let format = &stream.frontend()?.unique_id.as_ref()?.format;
    // A format that asks for the unique id finds an empty one.
    *stream.unique_id.borrow_mut() = Some(Rc::default());
    let mut text = Vec::new();
    if let Some(context) = LogContext::of_stream(stream, Phase::Request) {
        format.write(&context, &mut text);
    }
    let made: Rc<[u8]> = text.into();
    *stream.unique_id.borrow_mut() = Some(made.clone());
    Some(made)
}

/// Makes the id, whose variables are told as they are now, and adds the header for the server; `false` when
/// there is no room for it.
pub fn add_header(stream: &mut Stream<'_>) -> bool {
    let world = stream.world.clone();
    let frontend = world.proxies.get(stream.frontend);
    let Some(unique) = frontend.and_then(|f| f.unique_id.as_ref()) else { return true };
    if let Some(id) = of(stream)
        && let Some(header) = unique.header.as_deref()
    {
        if !stream.request.has_room(header.len() + id.len(), world.global.bufsize) {
            return false;
        }
        stream.request.add(header, &id);
    }
    true
}

fn format(line: &mut Line<'_>) -> Parsed {
    let word = line.required("unique-id-format expects an argument.")?;
    let place = line.words.place.clone();
    if line.word().is_some() {
        return Err(line
            .alert("unique-id-format expects only one argument, don't forget to escape spaces!"));
    }
    // Mistakes are told once the proxy's mode is known.
    if let Ok((format, _)) = LogFormat::parse(word.bytes(), &Purpose::log("", Mode::Http)) {
        for planned in format.planned() {
            line.spec.note_planned(&planned, &place);
        }
    }
    line.proxy().unique_id.format = Some((word.bytes().to_vec(), place));
    Ok(())
}

fn header(line: &mut Line<'_>) -> Parsed {
    let name = line.required("unique-id-header expects an argument.")?.str().into_owned();
    line.proxy().unique_id.header = Some(name);
    Ok(())
}

const ROW: Keyword =
    Keyword { sections: Sections::FRONTENDS, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "unique-id-format",
            args: "<format>",
            doc: "How a request's unique id is made.",
            examples: &["unique-id-format %{+X}o%ci:%cp_%Ts"],
            parse: format,
            ..ROW
        },
        Keyword {
            name: "unique-id-header",
            args: "<name>",
            doc: "The header that carries the unique id to servers.",
            examples: &["unique-id-header X-Unique-ID"],
            parse: header,
            ..ROW
        },
    ],
    ..Part::NONE
};
