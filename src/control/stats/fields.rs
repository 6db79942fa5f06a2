//! The columns of the statistics, one row of the table each: name, meaning, and what a frontend, a
//! listener, a server or a backend shows there (management.txt 9.1). The page, CSV, JSON and the
//! runtime socket read this table.

use std::borrow::Cow;

use super::row::Row;
use crate::flow::balance::SCALE;
use crate::state::counters::Counter;

/// A value with its kind, as the typed formats write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Signed, 32 bits.
    S32(i32),
    /// Unsigned, 32 bits.
    U32(u32),
    /// Unsigned, 64 bits.
    U64(u64),
    /// Text.
    Str(Cow<'a, str>),
}

/// What stands in one place of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// Origin, nature and scope, one letter each (management.txt 9.2).
    pub tags: &'static str,
    /// The value.
    pub value: Value<'a>,
}

impl Field<'_> {
    /// The number; 0 for text.
    pub fn number(&self) -> u64 {
        match self.value {
            Value::S32(n) => u64::try_from(n).unwrap_or(0),
            Value::U32(n) => n.into(),
            Value::U64(n) => n,
            Value::Str(_) => 0,
        }
    }
}

/// Gives a row's value; `None` leaves the place empty.
pub type Give = for<'a> fn(&Row<'a>) -> Option<Field<'a>>;

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name in the CSV header.
    pub name: &'static str,
    /// What it tells.
    pub doc: &'static str,
    /// For frontends.
    pub frontend: Give,
    /// For listeners.
    pub listener: Give,
    /// For servers.
    pub server: Give,
    /// For backends.
    pub backend: Give,
}

impl Column {
    const fn new(name: &'static str, doc: &'static str) -> Column {
        let none: Give = |_| None;
        Column { name, doc, frontend: none, listener: none, server: none, backend: none }
    }

    const fn fe(self, give: Give) -> Column {
        Column { frontend: give, ..self }
    }

    const fn li(self, give: Give) -> Column {
        Column { listener: give, ..self }
    }

    const fn sv(self, give: Give) -> Column {
        Column { server: give, ..self }
    }

    const fn be(self, give: Give) -> Column {
        Column { backend: give, ..self }
    }

    const fn all(self, give: Give) -> Column {
        self.fe(give).li(give).sv(give).be(give)
    }
}

/// How many columns stand before the `-` that ends the fixed ones.
pub const FIXED: usize = 100;

const fn n32<'a>(tags: &'static str, n: u32) -> Option<Field<'a>> {
    Some(Field { tags, value: Value::U32(n) })
}

const fn n64<'a>(tags: &'static str, n: u64) -> Option<Field<'a>> {
    Some(Field { tags, value: Value::U64(n) })
}

fn text<'a>(tags: &'static str, text: impl Into<Cow<'a, str>>) -> Option<Field<'a>> {
    Some(Field { tags, value: Value::Str(text.into()) })
}

/// A present number.
const fn gauge<'a>(n: u32) -> Option<Field<'a>> {
    n32("MGP", n)
}

/// A peak.
const fn peak<'a>(n: u32) -> Option<Field<'a>> {
    n32("MMP", n)
}

/// A mean.
const fn mean<'a>(n: u32) -> Option<Field<'a>> {
    n32("MaP", n)
}

/// A total since start.
fn count<'a>(counter: &Counter) -> Option<Field<'a>> {
    n64("MCP", counter.get())
}

/// The number of HTTP responses of a class, in mode http.
fn responses<'a>(row: &Row<'a>, class: usize) -> Option<Field<'a>> {
    row.http().then(|| n64("MCP", row.counters.responses_of(class)))?
}

/// Seconds since the last session, -1 for none.
fn last_session<'a>(row: &Row<'a>) -> Option<Field<'a>> {
    let value = match row.counters.last_session.get() {
        0 => -1,
        at => i32::try_from((row.now_ms / 1000 + 1).saturating_sub(at)).unwrap_or(i32::MAX),
    };
    Some(Field { tags: "MAP", value: Value::S32(value) })
}

/// A total that only mode http has.
fn http_count<'a>(row: &Row<'a>, counter: &Counter) -> Option<Field<'a>> {
    if row.http() { count(counter) } else { None }
}

/// Seconds as the statistics count them.
fn seconds(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

const fn col(name: &'static str, doc: &'static str) -> Column {
    Column::new(name, doc)
}

/// Every column, in the order of the CSV.
pub const COLUMNS: &[Column] = &[
    col("pxname", "The proxy's name.").all(|r| text("KNS", r.proxy.name.as_str())),
    col("svname", "FRONTEND, BACKEND, or the name of the server or listener.")
        .all(|r| text("KNS", r.name())),
    col("qcur", "Requests that wait now.")
        .sv(|r| gauge(r.counters.queued.get()))
        .be(|r| gauge(r.counters.queued.get())),
    col("qmax", "The most requests that waited at once.")
        .sv(|r| peak(r.counters.queued.peak()))
        .be(|r| peak(r.counters.queued.peak())),
    col("scur", "Sessions now.").all(|r| gauge(r.counters.sessions.get())),
    col("smax", "The most sessions at once.").all(|r| peak(r.counters.sessions.peak())),
    col("slim", "The limit on sessions: maxconn, or fullconn of a backend.")
        .fe(|r| n32("CLP", r.session_limit()))
        .li(|r| n32("CLP", r.session_limit()))
        .sv(|r| if r.session_limit() > 0 { n32("CLP", r.session_limit()) } else { None })
        .be(|r| n32("CLP", r.session_limit())),
    col("stot", "Sessions since start.").all(|r| count(&r.counters.sessions_total)),
    col("bin", "Bytes from clients.").all(|r| count(&r.counters.bytes_in)),
    col("bout", "Bytes to clients.").all(|r| count(&r.counters.bytes_out)),
    col("dreq", "Requests that rules refused.")
        .fe(|r| count(&r.counters.denied_requests))
        .li(|r| count(&r.counters.denied_requests))
        .be(|r| count(&r.counters.denied_requests)),
    col("dresp", "Responses that rules refused.").all(|r| count(&r.counters.denied_responses)),
    col("ereq", "Requests that were malformed or did not arrive.")
        .fe(|r| count(&r.counters.failed_requests))
        .li(|r| count(&r.counters.failed_requests)),
    col("econ", "Connections to servers that failed.")
        .sv(|r| count(&r.counters.failed_connections))
        .be(|r| count(&r.counters.failed_connections)),
    col("eresp", "Responses that were malformed or did not arrive.")
        .sv(|r| count(&r.counters.failed_responses))
        .be(|r| count(&r.counters.failed_responses)),
    col("wretr", "Connection attempts that were repeated.")
        .sv(|r| count(&r.counters.retries))
        .be(|r| count(&r.counters.retries)),
    col("wredis", "Requests that were sent to another server than the first choice.")
        .sv(|r| count(&r.counters.redispatches))
        .be(|r| count(&r.counters.redispatches)),
    col("status", "OPEN, FULL or STOP of a frontend or listener; UP, DOWN, MAINT … of the others.")
        .all(|r| text("SGP", r.status())),
    col("weight", "A server's weight; the sum of a backend's usable ones.")
        .sv(|r| mean(r.weight()))
        .be(|r| mean(r.weight())),
    col("act", "Usable active servers; 1 for an active server.")
        .sv(|r| n32("SGP", r.usable().0))
        .be(|r| gauge(r.usable().0)),
    col("bck", "Usable backup servers; 1 for a backup server.")
        .sv(|r| n32("SGP", r.usable().1))
        .be(|r| gauge(r.usable().1)),
    col("chkfail", "Checks that failed while the server was up.")
        .sv(|r| n64("MCP", r.checked()?.failed_checks)),
    col("chkdown", "Times it went down.")
        .sv(|r| r.checked().and_then(|_| n64("MCP", r.server_status()?.downs())))
        .be(|r| n64("MCP", r.server_status()?.downs())),
    col("lastchg", "Seconds since it went up or down.")
        .sv(|r| n32("MAP", seconds(r.server_status()?.last_change(r.now_ms))))
        .be(|r| n32("MAP", seconds(r.server_status()?.last_change(r.now_ms)))),
    col("downtime", "Seconds it was down in all.")
        .sv(|r| {
            r.checked()?;
            n32("MCP", seconds(r.server_status()?.down_time(r.now_ms)))
        })
        .be(|r| {
            let served = !r.proxy.servers().is_empty();
            served.then(|| n32("MCP", seconds(r.server_status()?.down_time(r.now_ms))))?
        }),
    col("qlimit", "How many requests may wait for this server (maxqueue).")
        .sv(|r| Some(r.server()?.maxqueue).filter(|n| *n > 0).and_then(|n| n32("CGS", n))),
    col("pid", "The process's number, always 1.").all(|_| n32("KGP", 1)),
    col("iid", "The proxy's number.").all(|r| n32("KGS", r.proxy.id)),
    col("sid", "The server's or listener's number; 0 for the proxy itself.")
        .all(|r| n32("KGS", r.id())),
    col("throttle", "Share of its weight, in percent, that a starting server gets (slowstart).")
        .sv(|r| {
            let server = r.server().filter(|s| !s.status.is_drained())?;
            n32("MaP", server.ramp()?.percent(SCALE))
        }),
    col("lbtot", "Times the balance algorithm chose it.")
        .sv(|r| count(&r.counters.balanced))
        .be(|r| count(&r.counters.balanced)),
    col("tracked", "The server whose state this one takes over (track).")
        .sv(|r| text("CNS", r.tracked()?)),
    col("type", "0 frontend, 1 backend, 2 server, 3 listener.").all(|r| n32("CGS", r.kind())),
    col("rate", "New sessions in the last second.")
        .fe(|r| n32("MRP", r.counters.session_rate.get(r.now_ms)))
        .sv(|r| n32("MRP", r.counters.session_rate.get(r.now_ms)))
        .be(|r| gauge(r.counters.session_rate.get(r.now_ms))),
    col("rate_lim", "The limit on new sessions a second (rate-limit sessions).")
        .fe(|r| n32("CLP", r.rate_limit())),
    col("rate_max", "The most new sessions in a second.")
        .fe(|r| peak(r.counters.session_rate.peak()))
        .sv(|r| peak(r.counters.session_rate.peak()))
        .be(|r| gauge(r.counters.session_rate.peak())),
    col("check_status", "Result of the last health check; * before it while one runs.")
        .sv(|r| text("MOP", Row::check_status(r.watched()?)?)),
    col("check_code", "Status code of the last health check.").sv(|r| {
        let health = r.watched()?;
        if health.status.has_code() { n32("MOP", health.code.into()) } else { None }
    }),
    col("check_duration", "Milliseconds that the last health check took.")
        .sv(|r| n64("MDP", Row::check_duration(r.watched()?)?)),
    col("hrsp_1xx", "Responses with a status of 100 to 199.")
        .fe(|r| responses(r, 1))
        .sv(|r| responses(r, 1))
        .be(|r| responses(r, 1)),
    col("hrsp_2xx", "Responses with a status of 200 to 299.")
        .fe(|r| responses(r, 2))
        .sv(|r| responses(r, 2))
        .be(|r| responses(r, 2)),
    col("hrsp_3xx", "Responses with a status of 300 to 399.")
        .fe(|r| responses(r, 3))
        .sv(|r| responses(r, 3))
        .be(|r| responses(r, 3)),
    col("hrsp_4xx", "Responses with a status of 400 to 499.")
        .fe(|r| responses(r, 4))
        .sv(|r| responses(r, 4))
        .be(|r| responses(r, 4)),
    col("hrsp_5xx", "Responses with a status of 500 to 599.")
        .fe(|r| responses(r, 5))
        .sv(|r| responses(r, 5))
        .be(|r| responses(r, 5)),
    col("hrsp_other", "Responses with another status.")
        .fe(|r| responses(r, 0))
        .sv(|r| responses(r, 0))
        .be(|r| responses(r, 0)),
    col("hanafail", "Failures that traffic showed (observe).").sv(|r| {
        r.server()?.observe?;
        n64("MCP", r.counters.failed_analyses.get())
    }),
    col("req_rate", "HTTP requests in the last second.")
        .fe(|r| n32("MRP", r.counters.request_rate.get(r.now_ms))),
    col("req_rate_max", "The most HTTP requests in a second.")
        .fe(|r| peak(r.counters.request_rate.peak())),
    col("req_tot", "HTTP requests since start.")
        .fe(|r| count(&r.counters.requests_total))
        .sv(|r| http_count(r, &r.counters.requests_total))
        .be(|r| http_count(r, &r.counters.requests_total)),
    col("cli_abrt", "Transfers that the client aborted.")
        .sv(|r| count(&r.counters.client_aborts))
        .be(|r| count(&r.counters.client_aborts)),
    col("srv_abrt", "Transfers that the server aborted.")
        .sv(|r| count(&r.counters.server_aborts))
        .be(|r| count(&r.counters.server_aborts)),
    col("comp_in", "Bytes given to the compressor.")
        .fe(|r| count(&r.counters.compression_in))
        .be(|r| count(&r.counters.compression_in)),
    col("comp_out", "Bytes that came out of the compressor.")
        .fe(|r| count(&r.counters.compression_out))
        .be(|r| count(&r.counters.compression_out)),
    col("comp_byp", "Bytes that were not compressed for want of resources.")
        .fe(|r| count(&r.counters.compression_bypassed))
        .be(|r| count(&r.counters.compression_bypassed)),
    col("comp_rsp", "Responses that were compressed.")
        .fe(|r| count(&r.counters.compressed_responses))
        .be(|r| count(&r.counters.compressed_responses)),
    col("lastsess", "Seconds since the last session, -1 for none.")
        .sv(last_session)
        .be(last_session),
    col("last_chk", "What the last health check said.")
        .sv(|r| text("MOP", r.watched()?.description.clone())),
    col("last_agt", "What the last agent check said.")
        .sv(|r| text("MOP", r.asked()?.description.clone())),
    col("qtime", "Mean milliseconds in the queue.")
        .sv(|r| mean(r.counters.queue_time.get()))
        .be(|r| mean(r.counters.queue_time.get())),
    col("ctime", "Mean milliseconds to connect.")
        .sv(|r| mean(r.counters.connect_time.get()))
        .be(|r| mean(r.counters.connect_time.get())),
    col("rtime", "Mean milliseconds until the response; 0 in mode tcp.")
        .sv(|r| mean(r.counters.response_time.get()))
        .be(|r| mean(r.counters.response_time.get())),
    col("ttime", "Mean milliseconds of a whole session.")
        .sv(|r| mean(r.counters.total_time.get()))
        .be(|r| mean(r.counters.total_time.get())),
    col("agent_status", "Result of the last agent check; * before it while one runs.")
        .sv(|r| text("MOP", Row::check_status(r.asked()?)?)),
    col("agent_code", "Code of the last agent check.")
        .sv(|r| n32("MOP", r.asked().filter(|h| h.status.has_code())?.code.into())),
    col("agent_duration", "Milliseconds that the last agent check took.")
        .sv(|r| n64("MDP", Row::check_duration(r.asked()?)?)),
    col("check_desc", "Result of the last health check, in words.")
        .sv(|r| text("MOP", r.watched()?.status.description())),
    col("agent_desc", "Result of the last agent check, in words.")
        .sv(|r| text("MOP", r.asked()?.status.description())),
    col("check_rise", "Good health checks until up (rise).").sv(|r| n32("CGS", r.watched()?.rise)),
    col("check_fall", "Bad health checks until down (fall).").sv(|r| n32("CGS", r.watched()?.fall)),
    col("check_health", "0 to rise+fall-1; up from rise on.")
        .sv(|r| n32("CGS", r.watched()?.health)),
    col("agent_rise", "Good agent checks until up.").sv(|r| n32("CGS", r.asked()?.rise)),
    col("agent_fall", "Bad agent checks until down.").sv(|r| n32("CGS", r.asked()?.fall)),
    col("agent_health", "As check_health, for the agent.").sv(|r| n32("CGS", r.asked()?.health)),
    col("addr", "Its address, with show-legends or an operator's socket.")
        .li(|r| text("CGS", r.address()?))
        .sv(|r| text("CGS", r.address()?)),
    col("cookie", "Its cookie's value or name, with show-legends or an operator's socket.")
        .sv(|r| text("CNS", r.cookie()?))
        .be(|r| text("CNS", r.cookie()?)),
    col("mode", "tcp or http.").all(|r| text("CGS", r.proxy.mode.word())),
    col("algo", "The balance algorithm, with show-legends or an operator's socket.")
        .be(|r| text("CGS", r.algorithm()?)),
    col("conn_rate", "New connections in the last second.")
        .fe(|r| n32("MRP", r.counters.connection_rate.get(r.now_ms))),
    col("conn_rate_max", "The most new connections in a second.")
        .fe(|r| peak(r.counters.connection_rate.peak())),
    col("conn_tot", "Connections since start.").fe(|r| count(&r.counters.connections_total)),
    col("intercepted", "Requests answered by the proxy itself: redirects, statistics, returns.")
        .fe(|r| http_count(r, &r.counters.intercepted)),
    col("dcon", "Connections that tcp-request connection rules refused.")
        .fe(|r| count(&r.counters.denied_connections))
        .li(|r| count(&r.counters.denied_connections)),
    col("dses", "Sessions that tcp-request session rules refused.")
        .fe(|r| count(&r.counters.denied_sessions))
        .li(|r| count(&r.counters.denied_sessions)),
    col("wrew", "Header edits that failed.").all(|r| count(&r.counters.failed_rewrites)),
    col("connect", "Connections made to servers.")
        .sv(|r| count(&r.counters.connects))
        .be(|r| count(&r.counters.connects)),
    col("reuse", "Requests sent on a connection that existed.")
        .sv(|r| count(&r.counters.reuses))
        .be(|r| count(&r.counters.reuses)),
    col("cache_lookups", "Requests looked up in the cache.")
        .fe(|r| http_count(r, &r.counters.cache_lookups))
        .be(|r| http_count(r, &r.counters.cache_lookups)),
    col("cache_hits", "Requests answered from the cache.")
        .fe(|r| http_count(r, &r.counters.cache_hits))
        .be(|r| http_count(r, &r.counters.cache_hits)),
    col("srv_icur", "Idle connections to the server now.").sv(|r| gauge(r.server()?.pool.idle())),
    col("src_ilim", "How many idle connections are kept at most (pool-max-conn).")
        .sv(|r| n32("CLP", r.server()?.pool_max?)),
    col("qtime_max", "Most milliseconds in the queue.")
        .sv(|r| peak(r.counters.queue_time.max()))
        .be(|r| peak(r.counters.queue_time.max())),
    col("ctime_max", "Most milliseconds to connect.")
        .sv(|r| peak(r.counters.connect_time.max()))
        .be(|r| peak(r.counters.connect_time.max())),
    col("rtime_max", "Most milliseconds until the response.")
        .sv(|r| peak(r.counters.response_time.max()))
        .be(|r| peak(r.counters.response_time.max())),
    col("ttime_max", "Most milliseconds of a whole session.")
        .sv(|r| peak(r.counters.total_time.max()))
        .be(|r| peak(r.counters.total_time.max())),
    col("eint", "Our own faults.").all(|r| count(&r.counters.internal_errors)),
    col("idle_conn_cur", "Idle connections not proven safe to share.")
        .sv(|r| gauge(r.server()?.pool.idle_by_proof().0)),
    col("safe_conn_cur", "Idle connections proven safe to share.")
        .sv(|r| gauge(r.server()?.pool.idle_by_proof().1)),
    col("used_conn_cur", "Connections in use.").sv(|r| gauge(r.server()?.pool.used())),
    col("need_conn_est", "Connections that will probably be needed at once.")
        .sv(|r| gauge(r.server()?.pool.expected())),
    col("uweight", "The weight as set; the sum of a backend's usable ones.")
        .sv(|r| mean(r.weight()))
        .be(|r| mean(r.weight())),
    h2("h2_headers_rcvd", "HEADERS frames received.", |r| count(&r.counters.h2.headers)),
    h2("h2_data_rcvd", "DATA frames received.", |r| count(&r.counters.h2.data)),
    h2("h2_settings_rcvd", "SETTINGS frames received.", |r| count(&r.counters.h2.settings)),
    h2("h2_rst_stream_rcvd", "RST_STREAM frames received.", |r| count(&r.counters.h2.resets)),
    h2("h2_goaway_rcvd", "GOAWAY frames received.", |r| count(&r.counters.h2.goaways)),
    h2("h2_detected_conn_protocol_errors", "Errors that cost a connection.", |r| {
        count(&r.counters.h2.connection_errors)
    }),
    h2("h2_detected_strm_protocol_errors", "Errors that cost a stream.", |r| {
        count(&r.counters.h2.stream_errors)
    }),
    h2("h2_rst_stream_resp", "RST_STREAM frames sent.", |r| count(&r.counters.h2.resets_sent)),
    h2("h2_goaway_resp", "GOAWAY frames sent.", |r| count(&r.counters.h2.goaways_sent)),
    h2("h2_open_connections", "HTTP/2 connections now.", |r| {
        n64("MGP", r.counters.h2.connections.get().into())
    }),
    h2("h2_backend_open_streams", "HTTP/2 streams to servers now.", |r| {
        n64("MGP", r.counters.h2.backend_streams.get().into())
    }),
    h2("h2_open_connections", "HTTP/2 connections since start.", |r| {
        count(&r.counters.h2.connections_total)
    }),
    h2("h2_backend_open_streams", "HTTP/2 streams to servers since start.", |r| {
        count(&r.counters.h2.backend_streams_total)
    }),
];

/// A column of the HTTP/2 engine: frontends and backends.
const fn h2(name: &'static str, doc: &'static str, give: Give) -> Column {
    col(name, doc).fe(give).be(give)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_one_tools_know() {
        let names: Vec<_> = COLUMNS.iter().map(|c| c.name).collect();
        assert_eq!(names.len(), 113);
        assert_eq!(names.get(FIXED - 1), Some(&"uweight"));
        assert_eq!(names.get(FIXED), Some(&"h2_headers_rcvd"));
        assert!(COLUMNS.iter().all(|c| c.doc.ends_with('.')));
    }
}
