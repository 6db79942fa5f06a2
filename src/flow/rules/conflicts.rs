//! Conditions that cannot hold where they stand (manual 7.3, "samples validity"): in come a condition and
//! the places at which it is asked, out comes HAProxy's warning about the first ACL whose samples have no
//! value there.

use crate::config::args::Line;
use crate::config::diagnostic::Diagnostic;
use crate::config::spec::ProxyKind;
use crate::flow::rules::RuleSets;
use crate::flow::rules::condition::{AclRef, AclSpec, Acls, ConditionSpec};
use crate::sample::valid::{self, Place};

/// Where a rule of this set asks, in a proxy of this kind.
pub fn places_of(set: RuleSets, kind: ProxyKind) -> Vec<Place> {
    let pick = |front: Place, back: Place, first: bool| vec![if first { front } else { back }];
    let both = |front: Place, back: Place| {
        let front = kind.has_frontend().then_some(front);
        front.into_iter().chain(kind.has_backend().then_some(back)).collect()
    };
    match set {
        RuleSets::TCP_REQUEST_CONNECTION => vec![Place::Connection],
        RuleSets::TCP_REQUEST_SESSION => vec![Place::Session],
        RuleSets::TCP_REQUEST_CONTENT => both(Place::FrontendContent, Place::BackendContent),
        RuleSets::TCP_RESPONSE_CONTENT => {
            both(Place::FrontendResponseContent, Place::BackendResponseContent)
        }
        RuleSets::HTTP_REQUEST => {
            pick(Place::FrontendRequest, Place::BackendRequest, kind.has_frontend())
        }
        _ => pick(Place::FrontendResponse, Place::BackendResponse, !kind.has_backend()),
    }
}

/// Where a sample in an action of this set is taken, as far as 2.3 asks when it reads the rule: it takes
/// requests for a frontend's, and responses for a backend's.
pub fn asked_at(set: RuleSets) -> Place {
    match set {
        RuleSets::TCP_REQUEST_CONNECTION => Place::Connection,
        RuleSets::TCP_REQUEST_SESSION => Place::Session,
        RuleSets::TCP_REQUEST_CONTENT => Place::FrontendContent,
        RuleSets::TCP_RESPONSE_CONTENT => Place::BackendResponseContent,
        RuleSets::HTTP_REQUEST => Place::FrontendRequest,
        _ => Place::BackendResponse,
    }
}

/// Warns of a condition that involves samples without a value at any of the places. `directive` is named
/// where a TCP rule's condition never holds.
pub fn warn(
    line: &mut Line<'_>,
    condition: Option<&ConditionSpec>,
    places: &[Place],
    directive: Option<&str>,
) {
    let Some(condition) = condition else { return };
    let acls = &line.proxy().rules.acls;
    let Some(text) = conflict(condition, acls, places, directive) else { return };
    let place = line.words.place.clone();
    let text = format!("parsing [{place}] : {text}");
    line.diagnostics.push(Diagnostic::warning(Some(&place), text));
}

fn conflict(
    condition: &ConditionSpec,
    acls: &Acls,
    places: &[Place],
    directive: Option<&str>,
) -> Option<String> {
    let wanted = places.iter().fold(0, |set, place| set | 1 << *place as u32);
    let here = || valid::first(places);
    let terms = || condition.alternatives.iter().flatten().map(|term| &term.acl);
    let within = directive.map_or(String::new(), |name| format!(" in '{name}'"));
    for acl in terms() {
        match acl {
            AclRef::Named(name) if acls.valid(&name.str()).0 & wanted == 0 => {
                return Some(format!(
                    "acl '{name}' will never match{within} because it only involves keywords that are incompatible with '{}'",
                    here()
                ));
            }
            AclRef::Inline(acl) if !is_valid(acl, places) => {
                return Some(format!(
                    "anonymous acl will never match{within} because it uses keyword '{}' which is incompatible with '{}'",
                    acl.keyword(),
                    here()
                ));
            }
            _ => {}
        }
    }
    for acl in terms() {
        let AclRef::Named(name) = acl else { continue };
        // What all its lines have in common says whether it is worth looking at each.
        if acls.valid(&name.str()).1 & wanted != 0 {
            continue;
        }
        if let Some(line) = acls.lines(&name.str()).find(|line| !is_valid(line, places)) {
            let keyword = line.keyword();
            let plural = if directive.is_some() { "keyword" } else { "keywords" };
            return Some(format!(
                "acl '{name}' involves {plural} '{keyword}' which is incompatible with '{}'",
                here()
            ));
        }
    }
    None
}

fn is_valid(acl: &AclSpec, places: &[Place]) -> bool {
    valid::at_any(acl.test.expr.fetch, places)
}
