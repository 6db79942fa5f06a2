//! Samples (manual 7.3) and log variables (8.2.4): tables of expressions. Each table is one scenario: one
//! proxy that answers request number N with what expression N gives, or that writes them all to a log.

use super::{BYTES, HTTP, NEW};
use crate::scenario::Scenario;
use crate::scenario::Step::{self, *};

/// Expressions over one request.
struct Table {
    name: &'static str,
    /// Rules before those of the table.
    before: &'static str,
    /// The request line and headers, without the blank line.
    request: &'static str,
    rows: &'static [&'static str],
}

const REQUEST: &str = "GET /a/b;k=0?a=1&b=%41+c;a=3&n=-7x&c HTTP/1.1\r\nHost: h.example:80, x\r\nA: 1, 2\r\na: \"x,y\",\r\nB:\r\nIp: x, 10.1.2.3:80, 2001:db8::1\r\nN: -12x, 7\r\nL: fr;q=0.2, en-US;q=0.8\r\nAuthorization: Basic dXNlcjpwYTpzcw==\r\n";

const TABLES: &[Table] = &[
    Table {
        name: "samples/request-headers",
        before: "",
        request: REQUEST,
        rows: &[
            "hdr(a)",
            "hdr(A,1)",
            "hdr(a,3)",
            "hdr(a,4)",
            "hdr(a,-2)",
            "hdr(a,9)",
            "hdr(none)",
            "hdr",
            "hdr_cnt(a)",
            "hdr_cnt(b)",
            "hdr_cnt",
            "hdr_ip(ip)",
            "hdr_ip(ip,2)",
            "hdr_ip(ip,1)",
            "hdr_val(n)",
            "hdr_val(n,1)",
            "req.hdr(host)",
            "req.hdr(host,1)",
            "req.hdr_cnt(a)",
            "req.hdr_ip(ip)",
            "req.hdr_val(n,1)",
            "req.fhdr(a)",
            "req.fhdr(a,1)",
            "req.fhdr(a,-2)",
            "req.fhdr_cnt(a)",
            "req.fhdr_cnt(none)",
            "req.hdr_names",
            "req.hdr_names(;)",
            "req.hdrs,cut_crlf",
            "req.hdrs,length",
            "req.hdrs_bin,hex",
        ],
    },
    Table {
        name: "samples/target",
        before: "",
        request: REQUEST,
        rows: &[
            "base",
            "base32",
            "base32+src,hex",
            "url",
            "url32",
            "url32+src,hex",
            "path",
            "pathq",
            "query",
            "method",
            "req.ver",
            "req_ver",
            "req.proto_http",
            "req_proto_http",
            "http_first_req",
            "url_param(a)",
            "url_param(b)",
            "url_param(c)",
            "url_param(k,;)",
            "url_param",
            "urlp(b)",
            "urlp(a,&)",
            "urlp_val(n)",
            "urlp_val(c)",
            "url_ip",
            "url_port",
            "http_auth_user",
            "http_auth_pass",
            "http_auth_type",
        ],
    },
    Table {
        name: "samples/absolute-target",
        before: "",
        request: "GET http://127.0.0.5:8080/x/?p=1 HTTP/1.1\r\nHost: 127.0.0.5:8080\r\n",
        rows: &["url", "url_ip", "url_port", "path", "pathq", "query", "base", "urlp(p)"],
    },
    Table {
        name: "samples/numbers",
        before: SEVEN,
        request: REQUEST,
        rows: &[
            "int(5),add(7)",
            "int(5),add(txn.seven)",
            "int(5),add(txn.none)",
            "int(-5),sub(3)",
            "int(5),sub(8)",
            "int(9223372036854775807),add(1)",
            "int(6),mul(-7)",
            "int(7),div(0)",
            "int(-7),div(2)",
            "int(-7),mod(4)",
            "int(7),mod(0)",
            "int(12),and(10)",
            "int(12),or(3)",
            "int(12),xor(-1)",
            "int(5),neg",
            "int(5),not",
            "int(0),not",
            "int(3),odd",
            "int(3),even",
            "int(3),bool",
            "int(0),cpl",
            "str(12abc),add(0)",
            "str(-9223372036854775809),add(0)",
            "int(65),htonl,hex",
            "str(7f),hex2i",
            "str(fffffffffffffffff),hex2i",
            "bool(true),iif(y,n)",
        ],
    },
    Table {
        name: "samples/texts",
        before: SEVEN,
        request: REQUEST,
        rows: &[
            "str(AbC),lower",
            "str(AbC),debug",
            "str(AbC),upper",
            "str(abc),length",
            "str(abc),hex",
            "str(abc),base64",
            "str(YWI=),b64dec",
            "str(YWI),b64dec",
            "str(abcdef),bytes(2,3)",
            "str(abc),bytes(9)",
            "str(f1_f2__f4),field(3,_)",
            "str(f1_f2__f4),field(-1,_,2)",
            "str(f1_f2__f4),field(9,_)",
            "str(f1_f2__f4),word(3,_)",
            "str(f1_f2__f4),word(2,_,0)",
            "str(f1_f2),word(9,_)",
            "str(xxaxx),ltrim(x)",
            "str(xxaxx),rtrim(x)",
            "str(aXbX),regsub(X,-,g)",
            "str(abab),regsub(b,<\\\\0>)",
            "str(abab),regsub(A,x,ig)",
            "str(a%20b+c?d+e),url_dec",
            "str(a+b),url_dec(1)",
            "str(a%2),url_dec",
            "str(a/b),json",
            "bin(e282ac),json(utf8)",
            "bin(e282acff),json(utf8s)",
            "bin(ff),json(utf8)",
            "req.fhdr(l),language(\"en;fr\",xx)",
            "req.fhdr(l),language(\"de;es\",xx)",
            "req.fhdr(l),language(\"de;es\")",
            "str(a),concat(<,txn.seven,>)",
            "str(a),concat(b)",
            "str(a),concat(<,txn.none,>)",
            "str(7),strcmp(txn.seven)",
            "str(8),strcmp(txn.seven)",
            "str(a),strcmp(txn.none)",
            "int(1),set-var(txn.new),concat(,txn.new)",
            "var(txn.seven),unset-var(txn.seven),concat(,txn.seven)",
            "bin(610a62),cut_crlf",
            "bin(610062)",
        ],
    },
    Table {
        name: "samples/hashes",
        before: "",
        request: REQUEST,
        rows: &[
            "str(abc),crc32",
            "str(abc),crc32(1)",
            "str(abc),crc32c",
            "str(abc),djb2",
            "str(abc),djb2(1)",
            "str(abc),sdbm",
            "str(abc),sdbm(1)",
            "str(abc),wt6",
            "str(abc),wt6(1)",
            "str(abc),xxh32",
            "str(abc),xxh32(5)",
            "str(abc),xxh64",
            "str(abc),xxh64(-1)",
            "str(abc),sha1,hex",
            "bin(fffe80),sdbm",
            "bin(fffe80),djb2",
        ],
    },
    Table {
        name: "samples/times",
        before: "",
        request: REQUEST,
        rows: &[
            "int(0),http_date",
            "int(1600000000),http_date(-60)",
            "int(1600000000123),http_date(0,ms)",
            "int(1600000000),utime(%Y-%m-%d %H:%M:%S %j %U %a %b)",
            "int(1600000000),utime(%s,5)",
            "int(1600000000),ltime(%c)",
            "int(-1),utime(%Y)",
        ],
    },
    Table {
        name: "samples/addresses",
        before: "",
        request: REQUEST,
        rows: &[
            "src",
            "src,ipmask(8)",
            "ipv4(10.1.2.3),ipmask(255.255.0.0)",
            "ipv6(2001:db8::1),ipmask(8,32)",
            "ipv6(::ffff:10.1.2.3),ipmask(16)",
            "ipv6(2001:db8::1)",
            "ipv6(::10.1.2.3)",
            "ipv4(10.1.2.3),hex",
            "ipv6(::1),hex",
            "ipv4(10.1.2.3),add(1)",
            "str(10.1.2.3),ipmask(24)",
            "int(167838211),ipmask(32)",
            "meth(GET)",
            "meth(OTHER)",
            "bool(true)",
            "bin(ff00),hex",
            "str(x y)",
            "always_true",
            "always_false",
        ],
    },
    Table {
        name: "samples/messages-in-bytes",
        before: "",
        request: REQUEST,
        rows: &[
            "bin(089601),protobuf(1,int32)",
            "bin(089601),protobuf(1)",
            "bin(0801),protobuf(1,sint32)",
            "bin(089601),protobuf(2,int32)",
            "bin(12076162636465666718ff01),protobuf(2)",
            "bin(1a03089601),protobuf(3.1,int64)",
            "bin(0d01000000),protobuf(1,fixed32)",
            "bin(0dffffffff),protobuf(1,sfixed32)",
            "bin(090100000000000000),protobuf(1,fixed64)",
            "bin(0000000003089601),ungrpc(1,uint32)",
            "bin(00000000050896),ungrpc(1,uint32)",
        ],
    },
    Table {
        name: "samples/backends",
        before: "",
        request: REQUEST,
        rows: &["str(be),nbsrv", "str(nowhere),nbsrv"],
    },
    // Later releases refuse, word or count these in another way.
    Table {
        name: "samples/of-2.3",
        before: "",
        request: "GET http://127.0.0.5 HTTP/1.1\r\nHost: 127.0.0.5\r\n",
        rows: &["path", "pathq", "base"],
    },
];

const SEVEN: &str = "    http-request set-var(txn.seven) int(7)\n";

/// Samples of the response, all in one answer.
const RESPONSE_ROWS: &[&str] = &[
    "status",
    "res.ver",
    "resp_ver",
    "res.hdr(a)",
    "res.hdr(a,1)",
    "res.hdr(a,-2)",
    "res.hdr_cnt(a)",
    "res.hdr_ip(ip)",
    "res.hdr_val(content-length)",
    "res.fhdr(a)",
    "res.fhdr(a,1)",
    "res.fhdr_cnt(a)",
    "shdr(a)",
    "shdr_cnt(a)",
    "shdr_ip(ip)",
    "shdr_val(content-length)",
    "res.hdr_names,bytes(0,22)",
    "res.hdrs,cut_crlf",
    "res.hdrs_bin,bytes(0,8),hex",
];

/// Variables whose value does not depend on how fast the machine is.
const LOG_ROWS: &[&str] = &[
    "B", "CC", "CS", "H", "HM", "HP", "HQ", "HU", "HV", "ID", "ST", "U", "ac", "b", "bc", "bi",
    "bq", "ci", "f", "fc", "fi", "ft", "lc", "hr", "hs", "hrl", "hsl", "r", "rc", "s", "sc", "si",
    "sq", "ts", "tsc",
];

/// Variables that tell times, ports and numbers of processes: written, and masked.
const LOG_VARYING: &[&str] = &[
    "T", "Ta", "Tc", "Td", "Tl", "Th", "Ti", "Tq", "TR", "Tr", "Ts", "Tt", "Tu", "Tw", "bp", "cp",
    "fp", "ms", "pid", "rt", "sp", "t", "tr", "trg", "trl",
];

/// Names of old that still work.
const LOG_REPLACED: &[&str] = &["Bi", "Bp", "Ci", "Cp", "Fi", "Fp", "Si", "Sp", "cc", "cs", "st"];

/// What the flags do to variables and expressions.
const FLAG_ROWS: &[&str] = &[
    "%{+Q}HU",
    "%{+E}HU",
    "%{+Q,+E}HU",
    "%{+X}ci",
    "%{+X}ST",
    "%{+X,+Q}ST",
    "%{+Q}[var(txn.x)]",
    "%{+Q}hr",
    "%{+E}hr",
    "%{+Q}hrl",
    "%{-M}CC",
    "%{+Q}CC",
    "%[var(txn.x)]",
    "%{+Q}o %HM %ST %{-Q}o%HV",
    "%%",
    "%{+X}[src]",
    "%{+Q}ID",
];

const OK: &str =
    "HTTP/1.1 207 Fine\r\nA: 1, 2\r\nA: 3\r\nIp: 10.0.0.1\r\nContent-Length: 2\r\n\r\nok";

/// The tables as scenarios.
pub fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = TABLES.iter().map(of_table).collect();
    all.push(of_responses());
    let rows = LOG_ROWS.iter().map(|name| format!("{name}=%{name}")).collect();
    all.push(Scenario { later: BYTES, ..of_log("samples/log-variables", rows) });
    let varying = LOG_VARYING.iter().map(|name| format!("{name}=~%{name}~")).collect();
    all.push(of_log("samples/log-variables-that-vary", varying));
    let escaped = vec!["%{+E}[var(txn.x)]".to_owned(), "%{+Q,+E}[var(txn.x)]".to_owned()];
    all.push(Scenario {
        deliberate: "2.3.0 cuts an escaped value to the length it had before; later releases do not",
        ..of_log("samples/log-escaped-expression", escaped)
    });
    let old = LOG_REPLACED.iter().map(|name| format!("{name}=~%{name}~")).collect();
    all.push(Scenario {
        later: "they do not know these names any more",
        ..of_log("samples/log-variables-replaced", old)
    });
    all.push(of_log("samples/log-flags", FLAG_ROWS.iter().map(|row| (*row).to_owned()).collect()));
    all
}

/// What is made once stays until the end of the program.
pub(super) fn keep(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn scenario(name: &'static str, config: String, steps: Vec<Step>) -> Scenario {
    let steps = Box::leak(steps.into_boxed_slice());
    Scenario { name, base: HTTP, config: keep(config), steps, ..NEW }
}

/// One rule and one request for each row.
fn of_table(table: &Table) -> Scenario {
    let rule = |(at, row): (usize, &&str)| {
        let row = row.replace('"', "\\\"");
        format!(
            "    http-request return status 200 content-type text/plain lf-string \"<%[{row}]>\" if {{ req.hdr(x-row) r{at} }}\n"
        )
    };
    let rules: String = table.rows.iter().enumerate().map(rule).collect();
    let config =
        format!("listen be\n    bind {{fe}}\n{}{rules}    server s1 {{s1}}\n", table.before);
    let ask = |at: usize| {
        let request = format!("{}X-Row: r{at}\r\n\r\n", table.request);
        [Connect("fe"), Send(keep(request)), Response]
    };
    scenario(table.name, config, (0..table.rows.len()).flat_map(ask).collect())
}

fn of_responses() -> Scenario {
    let rule =
        |(at, row): (usize, &&str)| format!("    http-response set-header x-{at} \"<%[{row}]>\"\n");
    let rules: String = RESPONSE_ROWS.iter().enumerate().map(rule).collect();
    let config = format!("listen be\n    bind {{fe}}\n{rules}    server s1 {{s1}}\n");
    let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    scenario("samples/response", config, vec![Send(get), Request, Answer(OK), Response])
}

/// One log line with every row; fields stand on one line because that is what a log line is.
fn of_log(name: &'static str, rows: Vec<String>) -> Scenario {
    let format = rows.join(" ").replace('"', "\\\"");
    let config = format!(
        "listen be\n    bind {{fe}}\n    log {{log}} len 8192 format raw local0\n    http-request set-var(txn.x) req.fhdr(x)\n    capture request header x len 40\n    capture request header none len 4\n    capture response header a len 40\n    log-format \"{format}\"\n    server s1 {{s1}}\n"
    );
    let get =
        "GET /p\"]?q=\\1 HTTP/1.1\r\nHost: h\r\nX: a\"]{\\|b\u{e9}\r\nConnection: close\r\n\r\n";
    scenario(name, config, vec![Send(get), Request, Answer(OK), End, Log])
}

#[cfg(test)]
mod tests {
    use super::*;
    use haproxy::catalog::{PARTS, Status};

    fn expressions() -> Vec<&'static str> {
        let rows = TABLES.iter().flat_map(|table| table.rows);
        rows.chain(RESPONSE_ROWS).copied().collect()
    }

    /// Other families' tables: samples that need a table, a map, a TLS connection or a health check.
    const ELSEWHERE: &[&str] =
        &["table", "sc_", "sc0_", "sc1_", "sc2_", "src_", "map", "ssl_", "var"];

    #[test]
    fn every_http_fetch_has_a_row() {
        let rows = expressions();
        let names: Vec<&str> = rows.iter().map(|row| name_of(row)).collect();
        let parts = [&haproxy::sample::fetch::header::PART, &haproxy::sample::fetch::url::PART];
        for fetch in parts.iter().flat_map(|part| part.fetches) {
            let has = names.contains(&fetch.name);
            assert!(has || fetch.status != Status::Works, "no row for {}", fetch.name);
        }
    }

    fn name_of(row: &str) -> &str {
        row.split(['(', ',']).next().unwrap_or(row)
    }

    #[test]
    fn every_converter_has_a_row() {
        // A build without OpenSSL does not know these.
        let openssl = ["aes_gcm_dec", "digest", "hmac", "secure_memcmp", "sha2"];
        let rows = expressions();
        for converter in PARTS.iter().flat_map(|part| part.converters) {
            let name = converter.name;
            let used = |row: &&&str| row.split(',').skip(1).any(|part| name_of(part) == name);
            let elsewhere = ELSEWHERE.iter().any(|family| name.contains(family))
                || openssl.contains(&name)
                || name == "srv_queue"
                || name.starts_with("capture-");
            let has = rows.iter().find(used).is_some();
            assert!(has || elsewhere || converter.status != Status::Works, "no row for {name}");
        }
    }

    #[test]
    fn every_log_variable_has_a_row() {
        for variable in PARTS.iter().flat_map(|part| part.log_variables) {
            let name = variable.name;
            // A build without OpenSSL has no %sslc and %sslv.
            let old = variable.replaced_by.is_some() || name.starts_with("ssl");
            let has = LOG_ROWS.contains(&name) || LOG_VARYING.contains(&name) || name == "o" || old;
            assert!(has, "no row for %{name}");
        }
    }
}
