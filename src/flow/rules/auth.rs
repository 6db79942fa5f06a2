//! Asking for credentials (manual 4.2 "http-request auth"; RFC 7617). In comes a request, out goes 401
//! with a realm.

use std::sync::Arc;

use crate::catalog::{ActionRow, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::flow::phase::Phase;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict, track};
use crate::flow::session::{Stream, reply};

/// `auth`
#[derive(Debug, Clone)]
struct Auth {
    realm: Arc<[u8]>,
}

impl Action for Auth {
    fn run(&self, stream: &mut Stream<'_>, _: Phase) -> Verdict {
        ask(stream, &self.realm);
        track::count_error(stream);
        Verdict::Answered
    }
}

/// Fills in 401, with the operator's page if there is one, and the realm.
pub fn ask(stream: &mut Stream<'_>, realm: &[u8]) {
    reply::error_page(stream, 401);
    if stream.response.is_empty() {
        return;
    }
    stream.response.remove(b"www-authenticate");
    stream.response.add(b"www-authenticate", &[b"Basic realm=\"", realm, b"\""].concat());
}

fn auth(line: &mut ActionLine<'_, '_>) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let mut realm = line.proxy.name.as_bytes().to_vec();
    if line.accept("realm") {
        match line.at_condition() {
            false => realm = line.word().map(|w| w.bytes().to_vec()).unwrap_or_default(),
            true => return Err(line.rule_error("missing realm value")),
        }
    }
    Ok(Box::new(Auth { realm: realm.into() }))
}

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[ActionRow {
        name: "auth",
        rule_sets: RuleSets::HTTP_REQUEST,
        args: "[realm <realm>]",
        doc: "Asks for a name and a password; the realm is the proxy's name by default.",
        examples: &["auth realm Members"],
        status: Status::Works,
        parse: auth,
    }],
    ..Part::NONE
};
