//! Many expressions at once (manual 7.1 to 7.3): each table is one proxy that writes what its expressions give
//! into headers, so that one request shows them all and each line names its expression.

use super::samples::keep;
use super::{HTTP, NEW};
use crate::scenario::Scenario;
use crate::scenario::Step::{self, *};

/// Expressions that are taken one after the other, in one pass.
struct Table {
    name: &'static str,
    /// Sections before the proxy's own.
    sections: &'static str,
    /// The proxy's lines before the expressions.
    before: &'static str,
    /// `http-request` or `http-response`.
    set: &'static str,
    /// What the client sends.
    request: &'static str,
    rows: &'static [&'static str],
    openssl: bool,
    later: &'static str,
    deliberate: &'static str,
}

const REQUEST: Table = Table {
    name: "",
    sections: "",
    before: "",
    set: "http-request",
    request: "GET /a/b.c?k=v HTTP/1.1\r\nHost: h.example\r\nCookie: s=1; t=x; s=7\r\nX-List: a, b\r\n\r\n",
    rows: &[],
    openssl: false,
    later: "",
    deliberate: "",
};

/// Everything a table can count, under a key of this type.
macro_rules! counts {
    ($type:literal) => {
        concat!(
            "    stick-table type ", $type, " size 100 expire 1h store gpc0,gpc0_rate(1h),gpc1,gpc1_rate(1h),gpt0,",
            "conn_cnt,conn_cur,conn_rate(1h),sess_cnt,sess_rate(1h),http_req_cnt,http_req_rate(1h),http_err_cnt,",
            "http_err_rate(1h),bytes_in_cnt,bytes_in_rate(1h),bytes_out_cnt,bytes_out_rate(1h),server_id\n"
        )
    };
}

const TABLES_OF_COUNTS: &str = concat!(
    "backend ips\n",
    counts!("ip"),
    "backend names\n",
    counts!("string len 20"),
    "backend numbers\n",
    counts!("integer")
);

/// Tracks three keys in three tables, and gives them something to count.
const TRACKED: &str = "    tcp-request connection track-sc0 src table ips
    tcp-request connection sc-set-gpt0(0) 9
    http-request track-sc1 req.hdr(host) table names
    http-request track-sc2 path,length table numbers
    http-request sc-set-gpt0(1) 77
    http-request sc-set-gpt0(2) 4294967295
    http-request sc-inc-gpc0(1)
    http-request sc-inc-gpc1(1)
    http-request sc-inc-gpc1(1)
    http-request sc-inc-gpc1(2)
";

/// The counters of one tracker; the last rows change what they read.
macro_rules! tracker {
    ($name:literal, $begin:literal, $end:literal) => {
        Table {
            name: concat!("tracking/", $name),
            sections: TABLES_OF_COUNTS,
            before: TRACKED,
            rows: &[
                concat!($begin, "bytes_in_rate", $end),
                concat!($begin, "bytes_out_rate", $end),
                concat!($begin, "conn_cnt", $end),
                concat!($begin, "conn_cur", $end),
                concat!($begin, "conn_rate", $end),
                concat!($begin, "get_gpc0", $end),
                concat!($begin, "get_gpc1", $end),
                concat!($begin, "get_gpt0", $end),
                concat!($begin, "gpc0_rate", $end),
                concat!($begin, "gpc1_rate", $end),
                concat!($begin, "http_err_cnt", $end),
                concat!($begin, "http_err_rate", $end),
                concat!($begin, "http_req_cnt", $end),
                concat!($begin, "http_req_rate", $end),
                concat!($begin, "kbytes_in", $end),
                concat!($begin, "kbytes_out", $end),
                concat!($begin, "sess_cnt", $end),
                concat!($begin, "sess_rate", $end),
                concat!($begin, "inc_gpc0", $end),
                concat!($begin, "inc_gpc0", $end),
                concat!($begin, "inc_gpc1", $end),
                concat!($begin, "clr_gpc0", $end),
                concat!($begin, "clr_gpc1", $end),
                concat!($begin, "get_gpc0", $end),
                concat!($begin, "get_gpc1", $end),
                concat!($begin, "gpc0_rate", $end),
            ],
            ..REQUEST
        }
    };
}

/// One map of a method for texts, numbers and addresses: what it finds, and what it finds not.
macro_rules! maps {
    ($method:literal, $sample:literal) => {
        concat!(
            $sample,
            ",map_",
            $method,
            "({dir}/",
            $method,
            ".map,none)|",
            $sample,
            ",map_",
            $method,
            "_int({dir}/",
            $method,
            "_int.map,-1)|",
            $sample,
            ",map_",
            $method,
            "_ip({dir}/",
            $method,
            "_ip.map,192.0.2.9)"
        )
    };
}

const TABLES: &[Table] = &[
    tracker!("sc0", "sc0_", ""),
    tracker!("sc1", "sc1_", ""),
    tracker!("sc2", "sc2_", ""),
    tracker!("sc0-in-a-table", "sc0_", "(names)"),
    tracker!("sc-of-number", "sc_", "(1)"),
    tracker!("sc-of-number-in-a-table", "sc_", "(2,numbers)"),
    tracker!("src", "src_", "(ips)"),
    Table {
        name: "tracking/trackers",
        sections: TABLES_OF_COUNTS,
        before: TRACKED,
        rows: &[
            "sc0_tracked",
            "sc1_tracked",
            "sc2_tracked",
            "sc_tracked(0)",
            "sc_tracked(2)",
            "sc0_trackers",
            "sc1_trackers",
            "sc2_trackers",
            "sc_trackers(0)",
            "sc_trackers(1)",
            "src_updt_conn_cnt(ips)",
            "src_updt_conn_cnt(ips)",
            "src_conn_cnt(ips)",
            "table_cnt(ips)",
            "table_avl(ips)",
            "table_cnt(names)",
            "table_avl(numbers)",
            "sc0_conn_cnt(numbers)",
            "sc_get_gpt0(1,names)",
        ],
        ..REQUEST
    },
    Table {
        name: "tracking/untracked",
        sections: TABLES_OF_COUNTS,
        before: "",
        rows: &[
            "sc0_conn_cnt",
            "sc1_tracked",
            "sc2_get_gpc0",
            "sc0_inc_gpc0",
            "sc0_trackers",
            "src_conn_cnt(ips)",
            "src_inc_gpc0(ips)",
            "src_get_gpc0(ips)",
            "src_clr_gpc0(ips)",
            "src_updt_conn_cnt(ips)",
        ],
        ..REQUEST
    },
    Table {
        name: "tracking/looked-up",
        sections: TABLES_OF_COUNTS,
        before: TRACKED,
        rows: &[
            "src,in_table(ips)",
            "str(nobody),in_table(names)",
            "src,table_bytes_in_rate(ips)",
            "src,table_bytes_out_rate(ips)",
            "src,table_conn_cnt(ips)",
            "src,table_conn_cur(ips)",
            "src,table_conn_rate(ips)",
            "src,table_gpc0(ips)",
            "src,table_gpc0_rate(ips)",
            "src,table_gpc1(ips)",
            "src,table_gpc1_rate(ips)",
            "src,table_gpt0(ips)",
            "src,table_http_err_cnt(ips)",
            "src,table_http_err_rate(ips)",
            "src,table_http_req_cnt(ips)",
            "src,table_http_req_rate(ips)",
            "src,table_kbytes_in(ips)",
            "src,table_kbytes_out(ips)",
            "src,table_server_id(ips)",
            "src,table_sess_cnt(ips)",
            "src,table_sess_rate(ips)",
            "src,table_trackers(ips)",
            "str(h.example),table_gpc0(names)",
            "str(h.example),table_gpc1_rate(names)",
            "str(h.example),table_gpt0(names)",
            "path,length,table_gpt0(numbers)",
            "path,length,table_trackers(numbers)",
            "str(nobody),table_gpc0(names)",
            "str(nobody),table_conn_cnt(names)",
            "str(nobody),table_trackers(names)",
        ],
        ..REQUEST
    },
    Table {
        name: "expressions/cookies",
        rows: &[
            "req.cook(s)",
            "req.cook(t)",
            "req.cook(none)",
            "req.cook_cnt(s)",
            "req.cook_cnt(none)",
            "req.cook_val(s)",
            "req.cook_val(t)",
            "cook(s)",
            "cook_cnt(s)",
            "cook_val(s)",
            "cookie(s)",
            "cookie(none)",
        ],
        ..REQUEST
    },
    Table {
        name: "expressions/cookies-set",
        set: "http-response",
        rows: &[
            "res.cook(s)",
            "res.cook(t)",
            "res.cook(none)",
            "res.cook_cnt(s)",
            "res.cook_val(s)",
            "res.cook_val(t)",
            "scook(s)",
            "scook_cnt(s)",
            "scook_val(s)",
            "cookie(t)",
        ],
        ..REQUEST
    },
    Table {
        name: "expressions/body",
        request: "POST /?q=1 HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 21\r\n\r\na=1&b=%41+c&c&d=x;y=2",
        before: "    option http-buffer-request\n",
        rows: &[
            "req.body",
            "req.body_len",
            "req.body_size",
            "req.body_param(a)",
            "req.body_param(b)",
            "req.body_param(c)",
            "req.body_param(none)",
            "req.body_param",
            "url_param(q)",
            "url_param(a)",
            "req.body,length",
        ],
        ..REQUEST
    },
    Table {
        name: "expressions/captures",
        before: "    capture request header X-List len 3\n    capture request header X-None len 3\n    capture response header Server len 3\n    declare capture request len 8\n    declare capture response len 8\n    http-request capture path id 2\n    http-request set-method PUT\n    http-request set-uri /changed\n",
        rows: &[
            "capture.req.hdr(0)",
            "capture.req.hdr(1)",
            "capture.req.hdr(2)",
            "capture.req.hdr(7)",
            "capture.req.method",
            "capture.req.uri",
            "str(abcdefghijk),capture-req(2)",
            "capture.req.hdr(2)",
            "str(x),capture-res(1)",
            "str(x),capture-req(9)",
        ],
        ..REQUEST
    },
    Table {
        name: "expressions/captures-of-responses",
        set: "http-response",
        before: "    capture request header X-List len 3\n    capture response header Server len 3\n    declare capture response len 8\n    http-response capture res.hdr(content-length) id 1\n",
        rows: &[
            "capture.res.hdr(0)",
            "capture.res.hdr(1)",
            "capture.req.hdr(0)",
            "capture.req.method",
            "capture.req.uri",
            "str(late),capture-res(1)",
            "capture.res.hdr(1)",
        ],
        ..REQUEST
    },
    Table {
        name: "expressions/way-back",
        set: "http-response",
        rows: &[
            "res.body",
            "res.body_size",
            "res.body,length",
            "be_id",
            "be_name",
            "srv_id",
            "srv_name",
            "bc_http_major",
            "fc_http_major",
            "fe_name",
            "status",
            "res.ver",
            "fe_id",
            "be_conn(main)",
            "srv_conn(main/s1)",
        ],
        ..REQUEST
    },
    Table {
        name: "expressions/cookies-without-name",
        rows: &["req.cook", "req.cook_cnt", "req.cook_val"],
        later: "they take the first cookie",
        ..REQUEST
    },
    Table {
        name: "expressions/set-cookie",
        set: "http-response",
        rows: &["set-cookie(s)", "set-cookie(t)", "set-cookie(none)"],
        later: "they have no fetch set-cookie",
        ..REQUEST
    },
    Table {
        name: "expressions/version-captured",
        set: "http-response",
        before: "    capture request header X-List len 3\n",
        rows: &["capture.res.ver", "capture.req.ver"],
        deliberate: "2.3.0 finds no version in responses, later releases and ours do",
        ..REQUEST
    },
    Table {
        name: "expressions/process",
        before: "    unique-id-format id-%{+X}o\\ %fi-%ID-%rt\n",
        rows: &[
            "thread",
            "proc",
            "nbproc",
            "stopping",
            "always_true",
            "date,length",
            "date_us,div(1000000)",
            "date(3600),length",
            "date(0,ms),length",
            "date(0,us),length",
            "uuid,length",
            "uuid(4),length",
            "uuid,field(3,-),bytes(0,1)",
            "unique-id",
            "rand,div(4294967296)",
            "rand(1)",
            "fc_rtt,div(100000000)",
            "fc_rttvar,div(100000000)",
            "fc_rtt(us),div(100000000)",
            "fc_pp_unique_id",
            "wait_end",
            "rdp_cookie",
            "rdp_cookie_cnt",
            "req.rdp_cookie_cnt(msts)",
            "str(s1),srv_queue",
            "str(main/s1),srv_queue",
            "str(nowhere/s1),srv_queue",
            "fc_http_major",
        ],
        ..REQUEST
    },
    Table {
        name: "expressions/crypto",
        openssl: true,
        before: "    http-request wait-for-handshake\n    http-request set-var(txn.key) str(a2V5)\n    http-request set-var(txn.same) str(abc)\n",
        rows: &[
            "str(abc),sha2,hex",
            "str(abc),sha2(224),hex",
            "str(abc),sha2(384),hex",
            "str(abc),sha2(512),hex",
            "str(abc),digest(sha1),hex",
            "str(abc),digest(sha256),hex",
            "str(abc),digest(md5),hex",
            "str(abc),hmac(sha1,a2V5),hex",
            "str(abc),hmac(sha256,txn.key),hex",
            "str(abc),hmac(sha512,txn.key),base64",
            "str(abc),secure_memcmp(txn.same)",
            "str(abd),secure_memcmp(txn.same)",
            "str(ab),secure_memcmp(txn.same)",
            "str(abc),secure_memcmp(txn.none)",
            "bin(0388dace60b6a392f328c2b971b2fe78),aes_gcm_dec(128,yv66vvrbrd3erYiI,/v/pkoZlcxxtao+UZzCDCA==,q25H1Ow9FJBI4QuJ5ol+2A==),hex",
        ],
        ..REQUEST
    },
    Table {
        name: "expressions/maps",
        before: "",
        request: "GET /a/b.c?k=v HTTP/1.1\r\nHost: h.example\r\nX-Miss: zzz\r\n\r\n",
        rows: &[
            maps!("beg", "path"),
            maps!("dir", "path"),
            maps!("dom", "req.hdr(host)"),
            maps!("end", "path"),
            maps!("reg", "path"),
            maps!("str", "path"),
            maps!("sub", "path"),
            maps!("ip", "src"),
            maps!("int", "path,length"),
            maps!("beg", "req.hdr(x-miss)"),
            maps!("dir", "req.hdr(x-miss)"),
            maps!("dom", "req.hdr(x-miss)"),
            maps!("end", "req.hdr(x-miss)"),
            maps!("reg", "req.hdr(x-miss)"),
            maps!("str", "req.hdr(x-miss)"),
            maps!("sub", "req.hdr(x-miss)"),
            "path,map_regm({dir}/regm.map,none)",
            "path,map({dir}/str.map,none)",
        ],
        ..REQUEST
    },
];

/// Maps of each method; the same keys with a text, a number and an address as values.
const MAPS: &[(&str, &str)] = &[
    ("beg.map", "/a text\n/a/b longer\n"),
    ("beg_int.map", "/a 1\n/b 2\n"),
    ("beg_ip.map", "/a 192.0.2.1\n/b 192.0.2.2\n"),
    ("dir.map", "a text\n"),
    ("dir_int.map", "a -1\n"),
    ("dir_ip.map", "a 192.0.2.3\n"),
    ("dom.map", "example text\n"),
    ("dom_int.map", "example 3\n"),
    ("dom_ip.map", "example 192.0.2.4\n"),
    ("end.map", ".c text\n"),
    ("end_int.map", ".c 4\n"),
    ("end_ip.map", ".c 192.0.2.5\n"),
    ("reg.map", "^/[a-f]/ text\n"),
    ("reg_int.map", "^/[a-f]/ 5\n"),
    ("reg_ip.map", "^/[a-f]/ 192.0.2.6\n"),
    ("regm.map", "^/([a-f])/(.) <\\2\\1>\n"),
    ("str.map", "/a/b.c text\n"),
    ("str_int.map", "/a/b.c 6\n"),
    ("str_ip.map", "/a/b.c 192.0.2.7\n"),
    ("sub.map", "/b. text\n"),
    ("sub_int.map", "/b. 7\n"),
    ("sub_ip.map", "/b. 192.0.2.8\n"),
    ("ip.map", "127.0.0.0/8 text\n"),
    ("ip_int.map", "127.0.0.1 8\n127.0.0.0/8 9\n"),
    ("ip_ip.map", "0.0.0.0/0 192.0.2.10\n"),
    ("int.map", "1:5 low\n6: text\n"),
    ("int_int.map", "6 10\n"),
    ("int_ip.map", "6 192.0.2.11\n"),
];

const OK: &str = "HTTP/1.1 200 OK\r\nServer: origin\r\nSet-Cookie: s=1; path=/\r\nSet-Cookie: t=x7, s=2\r\nContent-Length: 2\r\n\r\nok";

/// Each ACL keyword with what it is to match, and whether it does.
const CONDITIONS: &[(&str, &str, &[&str])] = &[
    (
        "conditions/base",
        "base",
        &[
            "_beg h.example/a",
            "_dir a",
            "_dom h.example",
            "_end b.c",
            "_len 14",
            "_reg ^h.*c$",
            "_sub mple/",
            "_beg x",
            "_dir b.",
            "_dom xampl",
            "_end b",
            "_len 5",
            "_reg x$",
            "_sub zz",
        ],
    ),
    (
        "conditions/path",
        "path",
        &[
            "_beg /a", "_dir a", "_dom a", "_end .c", "_len 6", "_reg ^/a", "_sub /b", " /a/b.c",
            "_beg b", "_dir c", "_dom x", "_end b", "_len 5", "_reg ^a", "_sub z", " /a",
        ],
    ),
    (
        "conditions/url",
        "url",
        &[
            "_beg /a",
            "_dir a",
            "_dom a",
            "_end =v",
            "_len 10",
            "_reg k=.$",
            "_sub c?k",
            " /a/b.c?k=v",
            "_beg b",
            "_dir c",
            "_dom x",
            "_end b",
            "_len 5",
            "_reg ^a",
            "_sub z",
        ],
    ),
    (
        "conditions/urlp",
        "urlp",
        &[
            "_beg(k) v",
            "_dir(k) v",
            "_dom(k) v",
            "_end(k) v",
            "_len(k) 1",
            "_reg(k) ^v",
            "_sub(k) v",
            "(k) v",
            "_beg(k) b",
            "_dir(n) v",
            "_dom(n) v",
            "_end(k) b",
            "_len(k) 5",
            "_reg(k) ^a",
            "_sub(k) z",
            "(n) v",
        ],
    ),
    (
        "conditions/hdr",
        "hdr",
        &[
            "_beg(host) h.",
            "_dir(x-p) b",
            "_dom(host) example",
            "_end(host) ple",
            "_len(host) 9",
            "_reg(x-list) ^b$",
            "_sub(x-list) b",
            "(x-list) b",
            "_beg(host) b",
            "_dir(x-p) c",
            "_dom(host) xam",
            "_end(host) b",
            "_len(host) 5",
            "_reg(host) ^a",
            "_sub(none) z",
        ],
    ),
    (
        "conditions/cook",
        "cook",
        &[
            "_beg(t) x",
            "_dir(t) x",
            "_dom(t) x",
            "_end(t) x",
            "_len(t) 1",
            "_reg(t) ^x",
            "_sub(t) x",
            "(t) x",
            "(s) 7",
            "_beg(t) b",
            "_dir(n) x",
            "_dom(n) x",
            "_end(t) b",
            "_len(t) 5",
            "_reg(t) ^a",
            "_sub(t) z",
            "(n) v",
        ],
    ),
    (
        "conditions/shdr",
        "shdr",
        &[
            "_beg(server) or",
            "_dir(x-p) b",
            "_dom(server) origin",
            "_end(server) gin",
            "_len(server) 6",
            "_reg(server) ^o",
            "_sub(server) ig",
            "(server) origin",
            "_beg(server) b",
            "_dir(server) c",
            "_dom(server) rig",
            "_end(server) b",
            "_len(server) 5",
            "_reg(server) ^a",
            "_sub(server) z",
        ],
    ),
    (
        "conditions/scook",
        "scook",
        &[
            "_beg(t) x",
            "_dir(s) 1",
            "_dom(s) 1",
            "_end(t) 7",
            "_len(t) 2",
            "_reg(t) ^x",
            "_sub(t) 7",
            "(t) x7",
            "_beg(t) b",
            "_dir(n) x",
            "_dom(n) x",
            "_end(t) b",
            "_len(t) 5",
            "_reg(t) ^a",
            "_sub(t) z",
            "(n) v",
        ],
    ),
];

/// A TLS 1.2 hello of a client: name, groups, protocols, ticket.
const CLIENT_HELLO: &str = "\x16\x03\x01\x00\x56\x01\x00\x00\x52\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x00\x00\x02\x00\x2f\x01\x00\x00\x27\x00\x00\x00\x0e\x00\x0c\x00\x00\x09h.example\x00\x0a\x00\x04\x00\x02\x00\x17\x00\x10\x00\x05\x00\x03\x02h2\x00\x23\x00\x00";

/// The begin of a server's hello, as long as a type needs.
const SERVER_HELLO: &str = "\x16\x03\x03\x00\x0a\x02\x00\x00\x06\x03\x03aaaa";

/// What a client of Windows' remote desktop says first.
const RDP: &str = "\x03\x00\x00\x1d\x18\x60\x00\x00\x00\x00\x00Cookie: msts=abc\r\n";

/// Expressions and conditions over the bytes of a TCP connection, and what the client sends.
const BYTES: &[(&str, &str, &[&str], &[&str])] = &[
    (
        "bytes/hello",
        CLIENT_HELLO,
        &[
            "req.ssl_sni",
            "req_ssl_sni",
            "req.ssl_ver",
            "req_ssl_ver",
            "req.ssl_hello_type",
            "req_ssl_hello_type",
            "req.ssl_alpn",
            "req.ssl_ec_ext",
            "req.ssl_st_ext",
            "req.len",
            "req_len",
            "payload(0,3),hex",
            "req.payload(5,1),hex",
            "payload_lv(3,2),length",
            "req.payload_lv(3,2),bytes(0,1),hex",
            "wait_end",
            "rdp_cookie_cnt",
            "req.proto_http",
        ],
        &[
            "req.ssl_sni -i H.EXAMPLE",
            "req_ssl_sni -m end example",
            "req.ssl_ver 3.3",
            "req_ssl_ver 3.0:3.1",
            "req.ssl_ver 3.1",
            "req.ssl_hello_type 1",
            "req_ssl_hello_type 2",
            "payload(0,2) -m bin 1603",
            "payload_lv(3,2) -m len 86",
            "req.len ge 91",
            "req_len lt 91",
            "req.ssl_ec_ext 1",
            "req.ssl_st_ext 1",
            "req.ssl_alpn h2",
            "wait_end",
            "req_rdp_cookie_cnt 0",
        ],
    ),
    (
        "bytes/remote-desktop",
        RDP,
        &[
            "rdp_cookie",
            "rdp_cookie(msts)",
            "rdp_cookie(none)",
            "rdp_cookie_cnt",
            "rdp_cookie_cnt(none)",
            "req.rdp_cookie(msts)",
            "req.rdp_cookie_cnt(msts)",
            "req.ssl_hello_type",
            "req.ssl_sni",
        ],
        &[
            "req_rdp_cookie(msts) abc",
            "req_rdp_cookie(msts) -m beg b",
            "req_rdp_cookie_cnt 1",
            "req_rdp_cookie_cnt(none) 1",
        ],
    ),
];

/// What the answer's bytes say.
const ANSWERED: &[&str] = &[
    "res.ssl_hello_type",
    "rep_ssl_hello_type",
    "res.len",
    "res.payload(0,3),hex",
    "res.payload_lv(3,2),hex",
    "payload(5,1),hex",
    "payload_lv(3,2),length",
];

/// Everything goes to variables, and from there into the log.
fn of_bytes(
    (name, bytes, rows, conditions): &(&'static str, &'static str, &[&str], &[&str]),
) -> Scenario {
    let (mut rules, mut format) = (String::new(), String::new());
    let mut row = |rule: String, at: usize, label: &str| {
        rules += &rule;
        format += &format!("{}=<%[var(sess.v{at})]> ", label.replace([' ', '%'], "_"));
    };
    for (at, text) in rows.iter().enumerate() {
        row(format!("    tcp-request content set-var(sess.v{at}) {text}\n"), at, text);
    }
    for (at, text) in (100..).zip(*conditions) {
        let rule =
            format!("    tcp-request content set-var(sess.v{at}) str(yes) if {{ {text} }}\n");
        row(rule, at, text);
    }
    for (at, text) in (200..).zip(ANSWERED) {
        row(format!("    tcp-response content set-var(sess.v{at}) {text}\n"), at, text);
    }
    let config = format!(
        "listen main\n    bind {{fe}}\n    tcp-request inspect-delay 1s\n    tcp-response inspect-delay 1s\n{rules}    log-format \"{format} %ts\"\n    server s1 {{s1}}\n"
    );
    let steps = vec![
        Send(bytes),
        ServerBytes(bytes.len()),
        Answer(SERVER_HELLO),
        Bytes(SERVER_HELLO.len()),
        Close,
        ServerClose,
        Log,
    ];
    let steps = Box::leak(steps.into_boxed_slice());
    Scenario { name, base: TCP_LOG, config: keep(config), steps, ..NEW }
}

/// TCP mode and a log whose lines are long enough.
const TCP_LOG: &str =
    base!("tcp", "global\n    log {log} len 8192 format raw local0\n", "    log global\n", "");

/// The tables as scenarios.
pub(super) fn scenarios() -> Vec<Scenario> {
    let tables = TABLES.iter().map(of_table);
    tables.chain(CONDITIONS.iter().map(of_conditions)).chain(BYTES.iter().map(of_bytes)).collect()
}

fn of_table(table: &Table) -> Scenario {
    let rule = |(at, row): (usize, &&str)| {
        let label = row.split('(').next().unwrap_or(row);
        let values: Vec<String> = row.split('|').map(|row| format!("<%[{row}]>")).collect();
        let text = format!("{label} {}", values.join(" ")).replace('"', "\\\"");
        format!("    {} set-header x-{at} \"{text}\"\n", table.set)
    };
    let rules: String = table.rows.iter().enumerate().map(rule).collect();
    let config = format!(
        "{}listen main\n    bind {{fe}}\n{}{rules}    server s1 {{s1}}\n",
        table.sections, table.before
    );
    let files = if table.name.ends_with("maps") { MAPS } else { &[] };
    Scenario {
        name: table.name,
        base: HTTP,
        config: keep(config),
        files,
        steps: pass(table.request),
        openssl: table.openssl,
        later: table.later,
        deliberate: table.deliberate,
        ..NEW
    }
}

/// One request and its response.
fn pass(request: &'static str) -> &'static [Step] {
    Box::leak(Box::new([Send(request), Request, Answer(OK), Response]))
}

fn of_conditions((name, keyword, rows): &(&'static str, &str, &[&str])) -> Scenario {
    let set = if keyword.starts_with('s') { "http-response" } else { "http-request" };
    let rule = |(at, row): (usize, &&str)| {
        // A dollar would begin the name of a variable.
        let condition = match row.rsplit_once(' ') {
            Some((end, value)) => format!("{keyword}{end} '{value}'"),
            None => format!("{keyword}{row}"),
        };
        format!("    {set} set-header x-{at} '{keyword}{row}' if {{ {condition} }}\n")
    };
    let rules: String = rows.iter().enumerate().map(rule).collect();
    let config = format!(
        "listen main\n    bind {{fe}}\n    http-request set-header x-p /a/b?c\n{rules}    server s1 {{s1}}\n"
    );
    Scenario { name, base: HTTP, config: keep(config), steps: pass(REQUEST.request), ..NEW }
}
