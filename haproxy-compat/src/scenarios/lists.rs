//! ACLs and maps (configuration manual 7.1, 7.3.1 `map`; management guide 9.3): which entry decides, what
//! the runtime socket answers.

use super::{later, scenario, with_files};
use crate::scenario::Scenario;
use crate::scenario::Step::*;

const BASE: &str = base!(
    "http",
    "global\n    stats socket {cli} level admin\n",
    "",
    "frontend front\n    bind {fe}\n"
);

const FILES: &[(&str, &str)] = &[
    ("text.map", "# comment\n  /a A value \n\n/ab\tAB\n/abc ABC\n/a second\n"),
    // One of its own: 2.3 remembers what `map_end` found in a file for `map_sub` in the same file.
    ("sub.map", "/a A value\n/ab AB\n/abc ABC\n"),
    ("int.map", "/a 1\n/b -7\n"),
    ("ip.map", "127.0.0.0/8 eight\n127.0.0.0/16 sixteen\n127.0.0.0/16 again\n::/0 six\n"),
    ("num.map", "1-2 low\n2-9 mid\n10- high\n"),
    ("regm.map", "^/(a+)(b*)$ <\\2-\\1>\n^/ \\0!\n"),
    ("list.acl", "# comment\n/one\n\n  /two three\n/five\r\n"),
];

const MAPS: &str = "    http-request return status 200 content-type text/plain lf-string \"%[path,map({dir}/text.map,none)] %[path,map_beg({dir}/text.map,none)] %[path,map_end({dir}/text.map,none)] %[path,map_sub({dir}/sub.map,none)] %[path,map_dir({dir}/text.map,none)] %[path,map_dom({dir}/text.map,none)] %[path,map_str_int({dir}/int.map,7)] %[src,map_ip({dir}/ip.map,none)] %[path,length,map_int({dir}/num.map,none)] %[path,map_regm({dir}/regm.map,none)] %[path,map_reg({dir}/regm.map,none)]\"
";

const LISTS: &str = "    acl exact path -f {dir}/list.acl
    acl begins path_beg -i -f {dir}/list.acl /own
    acl words path_dir -u 70 css /img/
    http-request return status 200 content-type text/plain string exact if exact
    http-request return status 200 content-type text/plain string begins if begins
    http-request return status 200 content-type text/plain string words if words
    http-request return status 200 content-type text/plain string none
";

pub(super) const SCENARIOS: &[Scenario] = &[
    with_files(
        FILES,
        scenario(
            "lists/maps",
            BASE,
            MAPS,
            &[
                Send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Send("GET /abcd HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Send("GET /x/ab/y HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Send("GET /x.ab.y/abc HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Send("GET /aab HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
            ],
        ),
    ),
    later("they tell versions and counts of entries", with_files(
        FILES,
        scenario(
            "lists/maps-asked",
            BASE,
            MAPS,
            &[
                Cli("show map"),
                Cli("get map #0 /a"),
                Cli("get map #0 /x/abc"),
                Cli("get map #2 /b"),
                Cli("get map #3 127.0.0.1"),
                Cli("get map #3 2001:db8::1"),
                Cli("get map #4 2"),
                Cli("get map #5 /aab"),
                Cli("get map #77 x"),
                Cli("get map #0"),
            ],
        ),
    )),
    with_files(
        FILES,
        scenario(
            "lists/maps-changed",
            BASE,
            MAPS,
            &[
                Cli("add map #0 /new fresh value"),
                Cli("add map #0 /new"),
                Cli("set map #0 /a changed"),
                Cli("set map #0 /nope x"),
                Cli("del map #0 /ab"),
                Cli("del map #0 /ab"),
                Cli("add map #2 /c x"),
                Cli("add map #4 x 1"),
                Cli("set map #0 #0xzz x"),
                Send("GET /abcd HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Send("GET /new HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Cli("clear map #0"),
                Cli("show map #0"),
                Send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
            ],
        ),
    ),
    later("they tell versions and counts of entries", with_files(
        FILES,
        scenario(
            "lists/acls",
            BASE,
            LISTS,
            &[
                Send("GET /one HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Send("GET /FIVE/ HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Send("GET /x/css HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Cli("show acl"),
                Cli("get acl #0 /one"),
                Cli("get acl #70 /img"),
                Cli("get acl #99 x"),
                Cli("add acl #0 /more"),
                Cli("del acl #0 /one"),
                Cli("clear acl #70"),
                Send("GET /more HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Send("GET /one HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
                Send("GET /img HTTP/1.1\r\nHost: h\r\n\r\n"),
                Response,
            ],
        ),
    )),
    with_files(
        FILES,
        scenario(
            "lists/changed-by-rules",
            BASE,
            "    acl listed path -f {dir}/list.acl
    http-request set-map({dir}/text.map) %[path] %[req.hdr(set)] if { req.hdr(set) -m found }
    http-request del-map({dir}/text.map) %[path] if { req.hdr(del) -m found }
    http-request add-acl({dir}/list.acl) %[path] if { req.hdr(add) -m found }
    http-request del-acl({dir}/list.acl) %[path] if { req.hdr(remove) -m found }
    http-request deny if listed
    http-request return status 200 content-type text/plain lf-string %[path,map({dir}/text.map,none)]
",
            &[
                Send("GET /k HTTP/1.1\r\nHost: h\r\nSet: 1\r\n\r\n"),
                Response,
                Send("GET /k HTTP/1.1\r\nHost: h\r\nSet: 2\r\n\r\n"),
                Response,
                Send("GET /k HTTP/1.1\r\nHost: h\r\nDel: 1\r\n\r\n"),
                Response,
                Send("GET /k HTTP/1.1\r\nHost: h\r\nAdd: 1\r\n\r\n"),
                Response,
                Send("GET /k HTTP/1.1\r\nHost: h\r\nRemove: 1\r\n\r\n"),
                Response,
            ],
        ),
    ),
];
