//! `monitor-uri` and `monitor fail` (manual 4.2): a page for those who watch the proxy itself. In comes a
//! request, out comes the status it is answered with.

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::compile::Compiler;
use crate::config::section::Sections;
use crate::config::spec::ProxySpec;
use crate::flow::http::message::Message;
use crate::flow::phase::Phase;
use crate::flow::rules::condition::{self, Condition, ConditionSpec};
use crate::flow::session::Stream;

/// What was written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MonitorSpec {
    /// `monitor-uri`
    pub uri: Option<Vec<u8>>,
    /// `monitor fail`
    pub fail: Vec<ConditionSpec>,
}

/// What a running frontend answers.
#[derive(Debug)]
pub struct Monitor {
    uri: Box<[u8]>,
    fail: Vec<Condition>,
}

impl MonitorSpec {
    /// What runs; nothing without an address.
    pub fn compile(
        &self,
        proxy: &ProxySpec,
        acls: &[std::sync::Arc<condition::Acl>],
        compiler: &mut Compiler<'_>,
    ) -> Option<Box<Monitor>> {
        let uri = self.uri.as_ref().filter(|_| proxy.kind.has_frontend())?;
        let mut fail = Vec::new();
        for spec in &self.fail {
            match condition::compile(spec, acls) {
                Ok(condition) => fail.push(condition),
                Err(diagnostic) => compiler.diagnostics.push(diagnostic),
            }
        }
        Some(Box::new(Monitor { uri: uri.clone().into(), fail }))
    }
}

impl Monitor {
    /// Whether a request asks for the monitored address.
    pub fn is_asked(&self, request: &Message) -> bool {
        let by_path = self.uri.first() == Some(&b'/');
        (by_path && request.path_and_query() == Some(&self.uri)) || request.target() == &*self.uri
    }

    /// 200, or 503 when a `monitor fail` holds.
    pub fn status(&self, stream: &Stream<'_>) -> u16 {
        let context = stream.sample_context(Phase::Request);
        if self.fail.iter().any(|condition| condition.holds(&context)) { 503 } else { 200 }
    }
}

fn uri(line: &mut Line<'_>) -> Parsed {
    let uri = line.required("'monitor-uri' expects an URI.")?.bytes().to_vec();
    line.end()?;
    line.proxy().monitor.uri = Some(uri);
    Ok(())
}

fn fail(line: &mut Line<'_>) -> Parsed {
    if !line.peek().is_some_and(|w| *w == *"if" || *w == *"unless") {
        return Err(
            line.alert("'monitor fail' requires either 'if' or 'unless' followed by a condition.")
        );
    }
    let condition =
        condition::parse_named(line, "error detected while parsing a 'monitor fail' condition")?;
    line.proxy().monitor.fail.extend(condition);
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "monitor fail",
            sections: Sections::FRONTEND.and(Sections::LISTEN),
            args: "{ if | unless } <condition>",
            doc: "When this condition holds, requests for the address of `monitor-uri` are answered by 503 instead of 200.",
            examples: &["monitor fail if { always_false }"],
            status: Status::Works,
            parse: fail,
            ..Keyword::NEW
        },
        Keyword {
            name: "monitor-uri",
            sections: Sections::FRONTENDS,
            args: "<uri>",
            doc: "Requests for this path are answered here and not logged.",
            examples: &["monitor-uri /alive"],
            status: Status::Works,
            parse: uri,
            ..Keyword::NEW
        },
    ],
    ..Part::NONE
};
