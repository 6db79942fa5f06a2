//! Answers to requests for the page: in comes a request, out go the page, an export, a redirect after an
//! action, or a refusal.

use super::access::Access;
use super::page::{Page, ProcessInfo};
use super::query::{Outcome, Output, Query};
use super::row::Selection;
use super::{Format, StatsPage, actions, dump, schema};
use crate::flow::http::message::Version;
use crate::flow::phase::Phase;
use crate::flow::rules::{Verdict, auth};
use crate::flow::session::Stream;
use crate::state::clock;

impl StatsPage {
    /// Whether the request is for this page: its target begins with the page's address.
    pub fn wants(&self, stream: &Stream<'_>) -> bool {
        matches!(stream.request.method(), b"GET" | b"HEAD" | b"POST") && self.rest(stream).is_some()
    }

    /// What follows the page's address in the target.
    fn rest<'s>(&self, stream: &'s Stream<'_>) -> Option<&'s [u8]> {
        let request = &stream.request;
        let target =
            if self.uri.starts_with('/') { request.path_and_query()? } else { request.target() };
        target.strip_prefix(self.uri.as_bytes())
    }

    /// Answers into the stream's response, or refuses. `body` is the request's body; of one that is too
    /// large its beginning will do. The head says `transfer-encoding: chunked` where HAProxy's does;
    /// the body is not cut into chunks here.
    pub fn answer(&self, stream: &mut Stream<'_>, body: &[u8]) -> Verdict {
        match self.access(stream) {
            Access::Granted => {}
            Access::Denied => return Verdict::Deny(403),
            Access::Unknown(realm) => {
                auth::ask(stream, realm.as_bytes());
                return Verdict::Answered;
            }
        }
        let query = Query::parse(self.rest(stream).unwrap_or_default());
        let context = stream.sample_context(Phase::Request);
        let admin = self.admin.iter().any(|condition| condition.holds(&context));
        if stream.request.method() == b"POST" {
            let outcome = if admin { self.act(stream, body) } else { Outcome::Deny };
            self.send_on(stream, &query, outcome);
        } else {
            self.show(stream, &query, admin);
        }
        Verdict::Answered
    }

    fn act(&self, stream: &Stream<'_>, body: &[u8]) -> Outcome {
        let global = &stream.world.global;
        if body.len() > global.bufsize.saturating_sub(global.maxrewrite) {
            return Outcome::Excd;
        }
        actions::run(&stream.session.thread.shared, &stream.world, body)
    }

    /// A browser is sent back to the page with GET, so that reloading it does not post again.
    fn send_on(&self, stream: &mut Stream<'_>, query: &Query, outcome: Outcome) {
        let location = format!("{};st={}{}", self.uri, outcome.code(), query.suffix());
        let response = &mut stream.response;
        response.clear();
        response.set_status_line(Version::HTTP_11, 303, b"See Other");
        response.add(b"cache-control", b"no-cache");
        response.add(b"content-type", b"text/plain");
        response.add(b"content-length", b"0");
        response.add(b"location", location.as_bytes());
        stream.reply_body.clear();
    }

    fn show(&self, stream: &mut Stream<'_>, query: &Query, admin: bool) {
        let (kind, body) = self.body(stream, query, admin);
        let modern = stream.request.version >= Version::HTTP_11;
        let head_only = stream.request.method() == b"HEAD";
        let response = &mut stream.response;
        response.clear();
        response.set_status_line(Version::HTTP_11, 200, b"OK");
        response.add(b"cache-control", b"no-cache");
        response.add(b"content-type", kind.as_bytes());
        if self.spec.refresh > 0 && !query.no_refresh {
            response.add(b"refresh", self.spec.refresh.to_string().as_bytes());
        }
        match (head_only, modern) {
            (true, _) => {}
            (false, true) => response.add(b"transfer-encoding", b"chunked"),
            (false, false) => response.add(b"content-length", body.len().to_string().as_bytes()),
        }
        stream.reply_body = body;
    }

    fn body(&self, stream: &Stream<'_>, query: &Query, admin: bool) -> (&'static str, Vec<u8>) {
        let world = &stream.world;
        let selection = Selection {
            hide_down: query.hide_down,
            hide_maintenance: query.hide_maintenance,
            legends: self.spec.legends,
            name_part: &query.scope,
            scope: Some(&*self.spec.scope).filter(|list| !list.is_empty()),
            own: Some(&self.proxy),
            bound: None,
        };
        let format = match query.output {
            Output::Html => {
                let process = ProcessInfo::of(stream);
                let (spec, uri) = (&self.spec, &*self.uri);
                let page = Page { world, spec, uri, query, admin, process };
                return ("text/html", page.html(&selection).into_bytes());
            }
            Output::Schema => return ("application/json", schema().into_bytes()),
            Output::Json => ("application/json", Format::Json),
            Output::Csv => ("text/plain", Format::Csv),
            Output::Typed => ("text/plain", Format::Typed { described: false }),
        };
        (format.0, dump(world, &selection, format.1))
    }
}

impl ProcessInfo {
    fn of(stream: &Stream<'_>) -> ProcessInfo {
        let counters = &stream.session.thread.shared.counters;
        let now_ms = clock::now_ms();
        let ulimit_n = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
            .map_or(0, |(soft, _)| soft);
        let backends = stream.world.proxies.iter().filter_map(|p| p.backend.as_ref());
        ProcessInfo {
            pid: std::process::id(),
            uptime: now_ms / 1000,
            ulimit_n,
            maxsock: ulimit_n,
            connections: counters.connections.get(),
            connection_rate: counters.connection_rate.get(now_ms),
            bit_rate: u64::from(counters.output_rate.get(now_ms)) * 32 * 8,
            running: backends.map(|b| b.state.counters.sessions.get()).sum(),
            idle: super::load::idle_percent(stream.world.global.threads, now_ms),
        }
    }
}
