//! Every action of every rule set (manual 4.2): each row is a proxy of its own with one rule, and says what
//! came of it: the answer shows the request, the connection, what is tracked, captured and stored.

use super::samples::keep;
use super::{HTTP, NEW, RETRIES, later, options, scenario};
use crate::scenario::Scenario;
use crate::scenario::Step::{self, *};

/// A scenario of many proxies.
pub(super) struct Rules {
    pub name: &'static str,
    /// How long rules on bytes wait for them: without it, 2.3 looks before any have come.
    pub delay: &'static str,
    /// What each proxy does after its rules.
    pub last: &'static str,
    /// The rules of each.
    pub rows: &'static [&'static str],
    /// What later releases do otherwise.
    pub later: &'static str,
    /// Why ours differs from 2.3.
    pub deliberate: &'static str,
}

const REQUEST: &str = "GET /a/b?c=d HTTP/1.1\r\nHost: h\r\nX-A: one\r\nX-A: two, three\r\nX-Gone: 1\r\nConnection: close\r\n\r\n";

/// What rules on requests may have changed.
const STATE: &str = "    http-request return status 200 content-type text/plain lf-string \"%[method] %[url] from %[src]:~%[src_port]~ to %[dst] var %[var(sess.v)]%[var(txn.v)] captured %[capture.req.hdr(0)] priority %[prio_class]/%[prio_offset] tracked %[sc0_tracked]%[sc1_tracked]%[sc2_tracked] gpc0 %[sc0_get_gpc0] gpc1 %[sc0_get_gpc1] gpt0 %[sc0_get_gpt0] acl %[str(x),map({dir}/a.map,none)]\\n%[req.hdrs]\"\n";

/// What rules on responses may have changed; the origin is a proxy too.
const ORIGIN: &str = "    http-request track-sc0 src table t if { path /tracked }
    http-response set-header x-state \"var %[var(txn.v)] captured %[capture.res.hdr(0)] tracked %[sc0_tracked]%[sc1_tracked]%[sc2_tracked] gpc0 %[src_get_gpc0(t)] gpc1 %[src_get_gpc1(t)] gpt0 %[src_get_gpt0(t)] map %[str(x),map({dir}/a.map,none)]\"
    http-response set-header x-listed yes if { str(new) -f {dir}/a.acl }
    http-response set-header x-old yes if { str(old) -f {dir}/a.acl }
    server origin {origin}
";

/// The server tells what it got.
pub(super) const ECHOED: &str = "    server origin {echo}\n";

/// Answers of the proxy itself.
const OWN: &str = "    http-request set-var(txn.v) path
    http-request return status 200 content-type text/plain hdr X-A \"one, two\" hdr X-Gone 1 string ok
";

const SHARED: &str = "backend t
    stick-table type ip size 10 store gpc0,gpc1,gpt0
frontend origin
    bind {origin}
    http-request return status 200 content-type text/plain hdr Server origin hdr X-A \"one, two\" hdr X-A three hdr X-Gone 1 string ok
frontend echo
    bind {echo}
    http-request return status 200 content-type text/plain hdr Server echo lf-string \"%[method] %[url]\\n%[req.hdrs]\"
http-errors shared
    errorfile 503 {dir}/503.http
    errorfile 404 {dir}/503.http
";

const TABLES: &[Rules] = &[
    Rules {
        name: "actions/tcp-request-connection",
        delay: "",
        last: STATE,
        rows: &[
            "tcp-request connection accept\ntcp-request connection reject",
            "tcp-request connection reject if { src 127.0.0.2 }",
            "tcp-request connection set-src ipv4(10.1.2.3)",
            "tcp-request connection set-src-port int(4711)\ntcp-request connection set-src src,ipmask(8)\nhttp-request set-header x-port %[src_port]",
            "tcp-request connection set-dst ipv4(10.1.2.4)",
            "tcp-request connection set-dst-port int(80)\nhttp-request set-header x-port %[dst_port]",
            "tcp-request connection track-sc0 src table t",
            "tcp-request connection track-sc1 src table t",
            "tcp-request connection track-sc2 src table t",
            "tcp-request connection track-sc0 src table t\ntcp-request connection sc-inc-gpc0(0)\ntcp-request connection sc-inc-gpc0",
            "tcp-request connection track-sc0 src table t\ntcp-request connection sc-inc-gpc1(0)\ntcp-request connection sc-inc-gpc1",
            "tcp-request connection track-sc0 src table t\ntcp-request connection sc-set-gpt0(0) 7",
            "tcp-request connection track-sc0 src table t\ntcp-request connection sc-inc-gpc0(1)",
        ],
        later: "",
        deliberate: "",
    },
    Rules {
        name: "actions/tcp-request-session",
        delay: "",
        last: STATE,
        rows: &[
            "tcp-request session accept\ntcp-request session reject",
            "tcp-request session set-src ipv4(10.1.2.3)",
            "tcp-request session set-src-port int(4711)\ntcp-request session set-src src,ipmask(8)\nhttp-request set-header x-port %[src_port]",
            "tcp-request session set-dst ipv4(10.1.2.4)",
            "tcp-request session set-dst-port int(80)\nhttp-request set-header x-port %[dst_port]",
            "tcp-request session set-var(sess.v) src",
            "tcp-request session set-var(sess.v) src\ntcp-request session unset-var(sess.v)",
            "tcp-request session track-sc0 src table t",
            "tcp-request session track-sc1 src table t",
            "tcp-request session track-sc2 src table t",
            "tcp-request session track-sc0 src table t\ntcp-request session sc-inc-gpc0(0)\ntcp-request session sc-inc-gpc0",
            "tcp-request session track-sc0 src table t\ntcp-request session sc-inc-gpc1(0)\ntcp-request session sc-inc-gpc1",
            "tcp-request session track-sc0 src table t\ntcp-request session sc-set-gpt0(0) 7",
        ],
        later: "",
        deliberate: "",
    },
    Rules {
        name: "actions/tcp-request-content",
        delay: "    tcp-request inspect-delay 1s\n",
        last: STATE,
        rows: &[
            "tcp-request content accept\ntcp-request content reject",
            "tcp-request content reject if { src 127.0.0.1 }",
            "tcp-request content capture req.hdr(x-a) len 9",
            "tcp-request content set-dst ipv4(10.1.2.4)",
            "tcp-request content set-dst-port int(80)\nhttp-request set-header x-port %[dst_port]",
            "tcp-request content set-priority-class int(-7)",
            "tcp-request content set-priority-offset int(9)",
            "tcp-request content set-var(txn.v) path if HTTP",
            "tcp-request content set-var(txn.v) path if HTTP\ntcp-request content unset-var(txn.v)",
            "tcp-request content track-sc0 src table t",
            "tcp-request content track-sc1 src table t",
            "tcp-request content track-sc2 src table t",
            "tcp-request content track-sc0 src table t\ntcp-request content sc-inc-gpc0(0)\ntcp-request content sc-inc-gpc0",
            "tcp-request content track-sc0 src table t\ntcp-request content sc-inc-gpc1(0)\ntcp-request content sc-inc-gpc1",
            "tcp-request content track-sc0 src table t\ntcp-request content sc-set-gpt0(0) 7",
        ],
        later: "",
        deliberate: "",
    },
    Rules {
        name: "actions/http-request",
        delay: "",
        last: STATE,
        rows: &[
            "http-request add-header X-A \"four %[src]\"",
            "http-request del-header X-A\nhttp-request del-header none",
            "http-request set-header X-A \"%[req.hdr(x-a)]!\"\nhttp-request set-header x-new 1",
            "http-request replace-header x-a ^t(.*)$ \"<\\\\1>\"",
            "http-request replace-header x-a (.*) \"%[method]:\\\\0\"",
            "http-request replace-value x-a ^t(.*)$ \"<\\\\1>\"",
            "http-request replace-path ^/(.)/(.) /\\\\2/\\\\1",
            "http-request replace-pathq ^/(.)/(.)\\\\?(.*) /\\\\3?\\\\1",
            "http-request replace-uri ^/(.*) http://other/\\\\1",
            "http-request set-method PATCH",
            "http-request set-path /new/%[query]",
            "http-request set-pathq /new?%[path]",
            "http-request set-query q=%[path]",
            "http-request set-uri http://other:81%[path]",
            "http-request set-src ipv4(10.1.2.3)",
            "http-request set-src-port int(4711)\nhttp-request set-src src,ipmask(8)\nhttp-request set-header x-port %[src_port]",
            "http-request set-dst ipv4(10.1.2.4)",
            "http-request set-dst-port int(80)\nhttp-request set-header x-port %[dst_port]",
            "http-request set-var(txn.v) path,upper",
            "http-request set-var(txn.v) path\nhttp-request unset-var(txn.v)",
            "http-request capture path len 3",
            "declare capture request len 2\nhttp-request capture path id 0",
            "http-request set-priority-class int(5)",
            "http-request set-priority-offset int(-5)",
            "http-request set-priority-class int(99999)",
            "http-request track-sc0 src table t",
            "http-request track-sc1 src table t",
            "http-request track-sc2 src table t",
            "http-request track-sc0 src table t\nhttp-request sc-inc-gpc0(0)\nhttp-request sc-inc-gpc0",
            "http-request track-sc0 src table t\nhttp-request sc-inc-gpc1(0)\nhttp-request sc-inc-gpc1",
            "http-request track-sc0 src table t\nhttp-request sc-set-gpt0(0) 7",
            "http-request set-map({dir}/a.map) x %[path]",
            "http-request del-map({dir}/a.map) x",
            "http-request add-acl({dir}/a.acl) new\nhttp-request deny if { str(new) -f {dir}/a.acl }",
            "http-request del-acl({dir}/a.acl) new\nhttp-request deny if { str(new) -f {dir}/a.acl }",
            "http-request allow\nhttp-request deny",
            "http-request deny",
            "http-request deny deny_status 429",
            "http-request deny status 418 content-type text/plain string \"no tea\" hdr X-N 1",
            "http-request tarpit deny_status 503",
            "http-request tarpit",
            "http-request reject",
            "http-request auth realm \"a b\"",
            "http-request redirect location /to?%[path] code 307",
            "http-request return status 201 content-type text/plain lf-string %[path]",
            "http-request return",
            "http-request disable-l7-retry",
            "http-request set-log-level silent",
            "http-request set-tos 0x10",
            "http-request set-mark 1",
        ],
        later: "",
        deliberate: "",
    },
    Rules {
        name: "actions/return-without-content",
        delay: "",
        last: STATE,
        rows: &["http-request return status 204 hdr X-N \"%[method]\""],
        later: "they send no content-length with 204",
        deliberate: "",
    },
    Rules {
        name: "actions/early-hint",
        delay: "",
        last: STATE,
        rows: &["http-request early-hint Link \"<%[path]>; rel=preload\""],
        later: "",
        deliberate: "",
    },
    Rules {
        name: "actions/http-response",
        delay: "",
        last: ORIGIN,
        rows: &[
            "http-response add-header X-A \"four %[status]\"",
            "http-response del-header X-A",
            "http-response set-header X-A \"%[res.hdr(x-a)]!\"",
            "http-response replace-header x-a ^t(.*)$ \"<\\\\1>\"",
            "http-response replace-value x-a ^t(.*)$ \"<\\\\1>\"",
            "http-response set-status 503",
            "http-response set-status 299 reason \"quite fine\"",
            "http-response set-var(txn.v) res.hdr(x-a),upper",
            "http-response set-var(txn.v) status\nhttp-response unset-var(txn.v)",
            "declare capture response len 9\nhttp-response capture res.hdr(server) id 0",
            "http-response track-sc0 src table t",
            "http-response track-sc1 src table t",
            "http-response track-sc2 src table t",
            "http-response track-sc0 src table t\nhttp-response sc-inc-gpc0(0)\nhttp-response sc-inc-gpc0",
            "http-response track-sc0 src table t\nhttp-response sc-inc-gpc1(0)\nhttp-response sc-inc-gpc1",
            "http-response track-sc0 src table t\nhttp-response sc-set-gpt0(0) 7",
            "http-response set-map({dir}/a.map) x %[status]",
            "http-response del-map({dir}/a.map) x",
            "http-response add-acl({dir}/a.acl) new",
            "http-response del-acl({dir}/a.acl) new",
            "http-response allow\nhttp-response deny",
            "http-response deny",
            "http-response deny deny_status 503",
            "http-response deny status 403 content-type text/plain lf-string %[status]",
            "http-response return status 203 content-type text/plain string new hdr X-N 1",
            "http-response redirect location /x?%[status]",
            "http-response set-log-level alert",
            "http-response set-tos 16",
            "http-response set-mark 0x1",
        ],
        later: "",
        deliberate: "",
    },
    Rules {
        name: "actions/http-after-response",
        delay: "",
        last: OWN,
        rows: &[
            "http-after-response add-header X-A \"four %[status]\"",
            "http-after-response del-header X-A",
            "http-after-response set-header X-A \"%[res.hdr(x-a)]!\"",
            "http-after-response replace-header x-a ^one(.*)$ \"<\\\\1>\"",
            "http-after-response replace-value x-a ^t(.*)$ \"<\\\\1>\"",
            "http-after-response set-status 503 reason Other",
            "http-after-response set-var(txn.v) res.hdr(x-a)\nhttp-after-response set-header x-v %[var(txn.v)]",
            "http-after-response unset-var(txn.v)\nhttp-after-response set-header x-v <%[var(txn.v)]>",
            "http-after-response allow\nhttp-after-response set-header x-v no",
            "http-request deny\nhttp-after-response set-header x-denied %[status]",
            "http-request redirect location /\nhttp-after-response del-header location",
        ],
        later: "",
        deliberate: "",
    },
    Rules {
        name: "actions/tcp-response-content",
        delay: "",
        last: ORIGIN,
        rows: &[
            "tcp-response content accept\ntcp-response content reject",
            "tcp-response content reject",
            "tcp-response content set-var(txn.v) status",
            "tcp-response content set-var(txn.v) status\ntcp-response content unset-var(txn.v)",
            "http-request track-sc0 src table t\ntcp-response content sc-inc-gpc0(0)\ntcp-response content sc-inc-gpc0",
            "http-request track-sc0 src table t\ntcp-response content sc-inc-gpc1(0)\ntcp-response content sc-inc-gpc1",
            "http-request track-sc0 src table t\ntcp-response content sc-set-gpt0(0) 7",
        ],
        later: "",
        deliberate: "",
    },
];

/// Silent drops: the client hears nothing, but they are counted.
const SILENT: &[Scenario] = &[
    scenario(
        "actions/reject-of-a-connection",
        DROPS,
        "listen main\n bind {fe}\n tcp-request connection reject\n server s1 {s1}\n",
        &[Refused("fe"), Stat("main", "FRONTEND", DENIED)],
    ),
    scenario(
        "actions/silent-drop-of-a-connection",
        DROPS,
        "listen main\n bind {fe}\n tcp-request connection silent-drop\n server s1 {s1}\n",
        &[
            Connect("fe"),
            // It is counted last.
            Until("main", "FRONTEND", "dreq", "1"),
            Stat("main", "FRONTEND", DENIED),
        ],
    ),
    scenario(
        "actions/silent-drop-of-a-session",
        DROPS,
        "listen main\n bind {fe}\n tcp-request session silent-drop\n server s1 {s1}\n",
        &[
            Connect("fe"),
            // It is counted last.
            Until("main", "FRONTEND", "dreq", "1"),
            Stat("main", "FRONTEND", DENIED),
        ],
    ),
    later(
        RETRIES,
        scenario(
            "actions/silent-drop-of-a-response",
            DROPS,
            "listen main\n bind {fe}\n tcp-response content silent-drop\n server s1 {s1}\n",
            &[Send("x"), Log],
        ),
    ),
];

const DENIED: &[&str] = &["dreq", "dresp", "dcon", "dses", "conn_tot"];

const DROPS: &str = base!(
    "tcp",
    "global\n    stats socket {cli} level admin\n    log {log} format raw local0\n",
    "    log global\n    option tcplog\n",
    ""
);

/// The tables as scenarios, and those that cannot stand in one.
pub(super) fn scenarios() -> Vec<Scenario> {
    TABLES.iter().chain(options::TABLES).map(of_rules).chain(SILENT.iter().copied()).collect()
}

fn of_rules(table: &Rules) -> Scenario {
    let mut config = format!(
        "{SHARED}defaults\n    mode http\n    timeout client 10s\n    timeout server 10s\n    timeout connect 10s\n    timeout tarpit 50ms\n"
    );
    let mut steps: Vec<Step> = Vec::new();
    for (at, row) in table.rows.iter().enumerate() {
        let lines: String = row.lines().map(|rule| format!("    {rule}\n")).collect();
        config +=
            &format!("listen r{at}\n    bind {{r{at}}}\n{}{lines}{}", table.delay, table.last);
        steps.extend([Note(row), Connect(keep(format!("r{at}"))), Send(REQUEST), End]);
    }
    let files: &[(&str, &str)] = &[
        ("a.map", "x old\n"),
        ("a.acl", "old\n"),
        ("503.http", "HTTP/1.0 503 Own\r\nX-Own: 1\r\n\r\nmine"),
    ];
    Scenario {
        name: table.name,
        base: HTTP,
        config: keep(config),
        files,
        later: table.later,
        deliberate: table.deliberate,
        steps: Box::leak(steps.into_boxed_slice()),
        ..NEW
    }
}
