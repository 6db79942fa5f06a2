//! `set-src`, `set-src-port`, `set-dst`, `set-dst-port` (manual 4.2 "http-request set-src" and its kin):
//! the ends of the client's connection as everything later sees them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::catalog::{ActionRow, Part, Status};
use crate::config::diagnostic::Diagnostic;
use crate::flow::phase::Phase;
use crate::flow::rules::planned::expression;
use crate::flow::rules::{Action, ActionLine, ActionSpec, RuleSets, Verdict};
use crate::flow::session::{Address, Session, Stream};
use crate::sample::SampleContext;
use crate::sample::expr::Expr;
use crate::sample::value::{Type, Value};

/// Which end, and what of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part4 {
    Source,
    SourcePort,
    Destination,
    DestinationPort,
}

#[derive(Debug, Clone)]
struct Set {
    part: Part4,
    expr: Expr,
}

impl Action for Set {
    fn run(&self, stream: &mut Stream<'_>, phase: Phase) -> Verdict {
        self.apply(&stream.sample_context(phase));
        Verdict::Continue
    }

    fn run_on_session(&self, session: &Session, phase: Phase) -> Verdict {
        self.apply(&session.sample_context(phase));
        Verdict::Continue
    }
}

impl Set {
    /// Without a value at this moment everything stays what it was.
    fn apply(&self, context: &SampleContext<'_>) {
        let Some(value) = self.expr.eval(context) else { return };
        let session = context.session;
        let before = match self.part {
            Part4::Source | Part4::SourcePort => Some(session.source().clone()),
            _ => session.destination().map(|address| address.clone()),
        };
        let (ip, port) = match &before {
            Some(Address::Inet(address)) => (address.ip(), address.port()),
            _ => (IpAddr::from(Ipv4Addr::UNSPECIFIED), 0),
        };
        let changed = match self.part {
            Part4::Source | Part4::Destination => match value.cast(Type::Addr) {
                Some(Value::Ip(ip)) => SocketAddr::new(ip, port),
                _ => return,
            },
            Part4::SourcePort | Part4::DestinationPort => match value.cast(Type::Int) {
                Some(Value::Int(port)) => SocketAddr::new(ip, port as u16),
                _ => return,
            },
        };
        match self.part {
            Part4::Source | Part4::SourcePort => session.set_source(Address::Inet(changed)),
            _ => session.set_destination(Address::Inet(changed)),
        }
    }
}

fn parse(line: &mut ActionLine<'_, '_>, part: Part4) -> Result<Box<dyn ActionSpec>, Diagnostic> {
    let expr = expression(line)?;
    line.planned.extend(expr.planned().map(str::to_owned));
    line.references.extend(expr.references());
    Ok(Box::new(Set { part, expr }))
}

const SOURCE: RuleSets =
    RuleSets::HTTP_REQUEST.and(RuleSets::TCP_REQUEST_CONNECTION).and(RuleSets::TCP_REQUEST_SESSION);

const ROW: ActionRow = ActionRow {
    name: "",
    rule_sets: SOURCE,
    args: "<expression>",
    doc: "",
    examples: &[],
    status: Status::Works,
    parse: |line| parse(line, Part4::Source),
};

/// The rows of this family.
pub const PART: Part = Part {
    actions: &[
        ActionRow {
            name: "set-dst",
            rule_sets: SOURCE.and(RuleSets::TCP_REQUEST_CONTENT),
            doc: "Changes the destination address.",
            examples: &["set-dst dst"],
            parse: |line| parse(line, Part4::Destination),
            ..ROW
        },
        ActionRow {
            name: "set-dst-port",
            rule_sets: SOURCE.and(RuleSets::TCP_REQUEST_CONTENT),
            doc: "Changes the destination port.",
            examples: &["set-dst-port int(80)"],
            parse: |line| parse(line, Part4::DestinationPort),
            ..ROW
        },
        ActionRow {
            name: "set-src",
            doc: "Changes the client's address.",
            examples: &["set-src src,ipmask(24)"],
            ..ROW
        },
        ActionRow {
            name: "set-src-port",
            doc: "Changes the client's port.",
            examples: &["set-src-port int(1000)"],
            parse: |line| parse(line, Part4::SourcePort),
            ..ROW
        },
    ],
    ..Part::NONE
};
