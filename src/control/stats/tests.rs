//! The statistics of worlds built for the purpose; what HAProxy 2.3.0 writes for the same is the measure.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Bound, Format, Selection, dump};
use crate::check::CheckStatus;
use crate::check::health::Verdict as CheckVerdict;
use crate::config::compile::{Purpose, compile};
use crate::config::diagnostic::Diagnostics;
use crate::config::outside::{RealOutside, Sockets};
use crate::config::source::Source;
use crate::flow::http::message::Version;
use crate::flow::rules::Verdict;
use crate::flow::session::Stream;
use crate::flow::session::tests::session;
use crate::state::clock::Moment;
use crate::state::server_change::ServerChange;
use crate::state::server_status::Operational;
use crate::state::world::{Server, World};

const CONFIG: &str = "global
    maxconn 1000
defaults
    mode http
    timeout client 1s
    timeout connect 1s
    timeout server 1s
listen web
    bind 127.0.0.1:8701 name in
    option socket-stats
    stats enable
    stats uri /s
    stats refresh 5s
    stats admin if TRUE
    server a 127.0.0.1:9 maxconn 10 maxqueue 5
    server b 127.0.0.1:9 check backup weight 7 pool-max-conn 3
    server c 127.0.0.1:9 disabled check
    server d 127.0.0.1:9 weight 0
backend none
listen raw
    mode tcp
    bind 127.0.0.1:8702
    server t 127.0.0.1:9
";

fn world(text: &str) -> World {
    let mut outside = RealOutside::new(Sockets::default());
    let mut diagnostics = Diagnostics::default();
    let source = Source { name: "test.cfg".into(), text: text.as_bytes().into() };
    let spec = crate::config::parse(&[source], &mut outside, &mut diagnostics);
    let purpose = Purpose { bind: false, cpus: 1, tolerates_names: false };
    compile(&spec, &mut outside, None, purpose, &mut diagnostics)
        .unwrap_or_else(|| panic!("{:#?}", diagnostics.list))
}

fn text(world: &World, selection: &Selection<'_>, format: Format) -> String {
    String::from_utf8(dump(world, selection, format)).unwrap()
}

fn csv(world: &World) -> String {
    text(world, &Selection::default(), Format::Csv)
}

fn server<'w>(world: &'w World, name: &str) -> &'w Server {
    world.server("web", name).unwrap().1
}

/// The status of a server in the CSV.
fn status(world: &World, name: &str) -> String {
    let csv = csv(world);
    let start = format!("web,{name},");
    let line = csv.lines().find(|line| line.starts_with(&start)).unwrap();
    line.split(',').nth(17).unwrap().to_owned()
}

/// Lines as HAProxy 2.3.0 writes them just after its start.
const FRESH: &str = "\
web,FRONTEND,,,0,0,1000,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,1,0,,,,0,0,0,0,,,,0,0,0,0,0,0,,0,0,0,,,0,0,0,0,,,,,,,,,,,,,,,,,,,,,http,,0,0,0,0,0,0,0,,,0,0,,,,,,,0,,,,,,-,0,0,0,0,0,0,0,0,0,0,0,0,0,
web,in,,,0,0,0,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,1,1,,,,3,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,http,,,,,,0,0,0,,,,,,,,,,,0,,,,,,-,,,,,,,,,,,,,,
web,a,0,0,0,0,10,0,0,0,,0,,0,0,0,0,no check,1,1,0,,,0,,5,1,1,1,,0,,2,0,,0,,,,0,0,0,0,0,0,,,,0,0,0,,,,,-1,,,0,0,0,0,,,,,,,,,,,,,,http,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,0,1,-,,,,,,,,,,,,,,
web,b,0,0,0,0,,0,0,0,,0,,0,0,0,0,UP 1/3,7,0,1,0,0,0,0,,1,1,2,,0,,2,0,,0,INI,,,0,0,0,0,0,0,,,,0,0,0,,,,,-1,,,0,0,0,0,,,,Initializing,,2,3,2,,,,,,http,,,,,,,,0,0,0,,,0,3,0,0,0,0,0,0,0,0,0,7,-,,,,,,,,,,,,,,
web,c,0,0,0,0,,0,0,0,,0,,0,0,0,0,MAINT,1,1,0,0,0,0,0,,1,1,3,,0,,2,0,,0,,,,0,0,0,0,0,0,,,,0,0,0,,,,,-1,,,0,0,0,0,,,,,,,,,,,,,,http,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,0,1,-,,,,,,,,,,,,,,
web,d,0,0,0,0,,0,0,0,,0,,0,0,0,0,no check,0,1,0,,,0,,,1,1,4,,0,,2,0,,0,,,,0,0,0,0,0,0,,,,0,0,0,,,,,-1,,,0,0,0,0,,,,,,,,,,,,,,http,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,0,0,-,,,,,,,,,,,,,,
web,BACKEND,0,0,0,0,100,0,0,0,0,0,,0,0,0,0,UP,1,1,1,,0,0,0,,1,1,0,,0,,1,0,,0,,,,0,0,0,0,0,0,,,,0,0,0,0,0,0,0,-1,,,0,0,0,0,,,,,,,,,,,,,,http,,,,,,,,0,0,0,0,0,,,0,0,0,0,0,,,,,1,-,0,0,0,0,0,0,0,0,0,0,0,0,0,
none,BACKEND,0,0,0,0,1,0,0,0,0,0,,0,0,0,0,UP,0,0,0,,0,0,,,1,2,0,,0,,1,0,,0,,,,0,0,0,0,0,0,,,,0,0,0,0,0,0,0,-1,,,0,0,0,0,,,,,,,,,,,,,,http,,,,,,,,0,0,0,0,0,,,0,0,0,0,0,,,,,0,-,0,0,0,0,0,0,0,0,0,0,0,0,0,
raw,FRONTEND,,,0,0,1000,0,0,0,0,0,0,,,,,OPEN,,,,,,,,,1,3,0,,,,0,0,0,0,,,,,,,,,,,0,0,0,,,0,0,0,0,,,,,,,,,,,,,,,,,,,,,tcp,,0,0,0,,0,0,0,,,,,,,,,,,0,,,,,,-,0,0,0,0,0,0,0,0,0,0,0,0,0,
raw,t,0,0,0,0,,0,0,0,,0,,0,0,0,0,no check,1,1,0,,,0,,,1,3,1,,0,,2,0,,0,,,,,,,,,,,,,,0,0,,,,,-1,,,0,0,0,0,,,,,,,,,,,,,,tcp,,,,,,,,0,0,0,,,0,,0,0,0,0,0,0,0,0,0,1,-,,,,,,,,,,,,,,
raw,BACKEND,0,0,0,0,100,0,0,0,0,0,,0,0,0,0,UP,1,1,0,,0,0,0,,1,3,0,,0,,1,0,,0,,,,,,,,,,,,,,0,0,0,0,0,0,-1,,,0,0,0,0,,,,,,,,,,,,,,tcp,,,,,,,,0,0,0,,,,,0,0,0,0,0,,,,,1,-,0,0,0,0,0,0,0,0,0,0,0,0,0,
";

#[test]
fn fresh_rows_are_haproxys_byte_for_byte() {
    let csv = csv(&world(CONFIG));
    let (_, rows) = csv.split_once('\n').unwrap();
    for (ours, theirs) in rows.lines().zip(FRESH.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(rows.lines().count(), FRESH.lines().count());
}

#[test]
fn a_server_tells_its_state_in_haproxys_words() {
    let world = world(CONFIG);
    let b = server(&world, "b");
    let change = ServerChange::new(world.backend("web").unwrap(), b);
    let check = |status| {
        let mut health = b.status.health.lock();
        health.begin();
        health.end(CheckVerdict::new(status, ""), None);
    };
    check(CheckStatus::L4Ok);
    assert_eq!(status(&world, "b"), "UP");
    check(CheckStatus::L4Con);
    assert_eq!(status(&world, "b"), "UP 2/3");
    change.drain();
    assert_eq!(status(&world, "b"), "DRAIN 2/3");
    check(CheckStatus::L4Con);
    check(CheckStatus::L4Con);
    change.set_stopped("");
    assert_eq!(status(&world, "b"), "DOWN");
    check(CheckStatus::L4Ok);
    assert_eq!(status(&world, "b"), "DOWN 1/2");
    change.ready();
    change.force_health(Operational::Stopping, "");
    assert_eq!(status(&world, "b"), "NOLB");
    change.maintain();
    assert_eq!(status(&world, "b"), "MAINT");
    change.ready();
    assert_eq!(status(&world, "b"), "UP 1/3");
}

#[test]
fn maintenance_is_counted_and_left_as_haproxy_does() {
    let world = world(CONFIG);
    let a = server(&world, "a");
    let change = ServerChange::new(world.backend("web").unwrap(), a);
    assert!(change.set_admin(crate::state::server_status::admin::FORCED_MAINT, ""));
    assert!(!change.set_admin(crate::state::server_status::admin::FORCED_MAINT, ""));
    assert!(!a.status.is_usable() && !a.status.is_up());
    assert_eq!(a.status.downs(), 1);
    // Nothing but leaving it ends maintenance.
    assert!(!change.set_running(""));
    change.ready();
    assert!(a.status.is_usable() && a.status.is_up());
    assert_eq!(a.status.downs(), 1);
}

#[test]
fn the_last_server_takes_its_backend_down() {
    let world = world(CONFIG);
    let web = world.backend("web").unwrap();
    let backend = web.backend.as_ref().unwrap();
    for name in ["a", "b"] {
        assert!(backend.state.status.is_up());
        ServerChange::new(web, server(&world, name)).maintain();
    }
    assert_eq!((backend.state.status.downs(), status(&world, "BACKEND")), (1, "DOWN".into()));
    ServerChange::new(web, server(&world, "a")).ready();
    assert_eq!(status(&world, "BACKEND"), "UP");
    ServerChange::new(web, server(&world, "a")).set_weight(0);
    assert_eq!(status(&world, "BACKEND"), "DOWN");
}

#[test]
fn rows_are_selected_as_show_stat_does() {
    let world = world(CONFIG);
    let names = |selection: Selection<'_>| {
        let csv = text(&world, &selection, Format::Csv);
        let name = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join("/");
        csv.lines().skip(1).map(name).collect::<Vec<_>>()
    };
    let bound = |iid, kinds, sid| Selection {
        bound: Some(Bound { iid, kinds, sid }),
        ..Selection::default()
    };
    assert_eq!(names(bound(1, 4, 2)), ["web/b"]);
    assert_eq!(names(bound(1, 3, -1)), ["web/FRONTEND", "web/BACKEND"]);
    assert_eq!(names(bound(-1, 2, -1)), ["web/BACKEND", "none/BACKEND", "raw/BACKEND"]);
    assert_eq!(names(bound(-1, 8, -1)), ["web/in"]);
    let part = Selection { name_part: "RA", ..Selection::default() };
    assert_eq!(names(part), ["raw/FRONTEND", "raw/t", "raw/BACKEND"]);
    let scope = ["none".to_owned(), ".".to_owned()];
    let scope = Selection { scope: Some(&scope), own: Some("raw"), ..Selection::default() };
    assert_eq!(names(scope), ["none/BACKEND", "raw/FRONTEND", "raw/t", "raw/BACKEND"]);
    let up = Selection { hide_down: true, ..bound(1, 6, -1) };
    assert_eq!(names(up), ["web/a", "web/b", "web/d", "web/BACKEND"]);
    let counted = text(&world, &up, Format::Csv);
    assert!(counted.contains(",UP (3/4),"), "{counted}");
}

#[test]
fn typed_lines_and_json_carry_kinds() {
    let world = world(CONFIG);
    let one = Selection {
        bound: Some(Bound { iid: 1, kinds: 4, sid: 1 }),
        legends: true,
        ..Selection::default()
    };
    let typed = text(&world, &one, Format::Typed { described: true });
    for line in [
        "S.1.1.0.pxname.1:KNS:str:web:\"pxname\"",
        "S.1.1.6.slim.1:CLP:u32:10:\"slim\"",
        "S.1.1.17.status.1:SGP:str:no check:\"status\"",
        "S.1.1.55.lastsess.1:MAP:s32:-1:\"lastsess\"",
        "S.1.1.73.addr.1:CGS:str:127.0.0.1:9:\"addr\"",
    ] {
        assert!(typed.lines().any(|l| l == line), "no {line} in {typed}");
    }
    let json = text(&world, &one, Format::Json);
    assert!(json.starts_with(
        "[[{\"objType\":\"Server\",\"proxyId\":1,\"id\":1,\"field\":{\"pos\":0,\"name\":\"pxname\"},\"processNum\":1,\"tags\":{\"origin\":\"Key\",\"nature\":\"Name\",\"scope\":\"Service\"},\"value\":{\"type\":\"str\",\"value\":\"web\"}},"
    ));
    assert!(json.ends_with("}]]"));
}

/// Asks the page of `web`; gives the verdict, the head as lines, and the body.
fn ask(world: &Arc<World>, method: &str, target: &str, body: &[u8]) -> (Verdict, String, String) {
    let session = session();
    let mut stream = Stream::new(&session, Rc::new(world.clone()), 0, Moment::now());
    stream.request.set_request_line(method.as_bytes(), target.as_bytes(), Version::HTTP_11);
    let page = world.proxies[0].stats.clone().unwrap();
    assert!(page.wants(&stream), "{target}");
    let verdict = page.answer(&mut stream, body);
    let head = stream.response.fields().map(|(name, value)| {
        format!("{}: {}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
    });
    let head = format!("{}\n{}", stream.response.status, head.collect::<String>());
    (verdict, head, String::from_utf8(stream.reply_body.clone()).unwrap())
}

#[test]
fn every_output_has_haproxys_head() {
    let world = Arc::new(world(CONFIG));
    let head = |target: &str| ask(&world, "GET", target, b"").1;
    assert_eq!(
        head("/s"),
        "200\ncache-control: no-cache\ncontent-type: text/html\nrefresh: 5\ntransfer-encoding: chunked\n"
    );
    assert_eq!(
        head("/s;csv;norefresh"),
        "200\ncache-control: no-cache\ncontent-type: text/plain\ntransfer-encoding: chunked\n"
    );
    for target in ["/s;json", "/s;json-schema"] {
        assert!(head(target).contains("\ncontent-type: application/json\n"), "{target}");
    }
    let posted = ask(&world, "POST", "/s;up;norefresh;scope=we", b"").1;
    assert_eq!(
        posted,
        "303\ncache-control: no-cache\ncontent-type: text/plain\ncontent-length: 0\nlocation: /s;st=NONE;up;norefresh?scope=we\n"
    );
}

#[test]
fn the_form_tells_what_came_of_it() {
    let world = Arc::new(world(CONFIG));
    let post = |body: &str| {
        let head = ask(&world, "POST", "/s", body.as_bytes()).1;
        head.split_once("/s;st=").unwrap().1[..4].to_owned()
    };
    for (body, result) in [
        ("s=a&action=maint&b=%231", "DONE"),
        ("s=a&action=ready&b=web", "DONE"),
        ("b=web&action=drain&s=a", "DONE"),
        ("s=nope&s=a&action=drain&b=%231", "PART"),
        ("s=nope&action=drain&b=%231", "ERRP"),
        ("s=a&action=drain&b=nope", "ERRP"),
        ("s=a&action=nonsense&b=web", "ERRP"),
        ("s=a&action=&b=web", "ERRP"),
        ("action=drain&b=web", "NONE"),
        ("s=a&b=web", "NONE"),
        ("", "NONE"),
        // `a` has no checks to switch off.
        ("s=a&action=dhlth&b=web", "NONE"),
        ("s=b&action=dhlth&b=web", "DONE"),
        ("s=b&action=ehlth&b=web", "DONE"),
        ("s=a&action=hdown&b=web", "DONE"),
        ("s=a&action=hrunn&b=web", "DONE"),
        ("s=a&action=disable&b=web", "DONE"),
        ("s=a&action=disable&b=web", "NONE"),
        ("s=a&action=enable&b=web", "DONE"),
    ] {
        assert_eq!(post(body), result, "{body}");
    }
    let large = format!("s={}&action=ready&b=web", "x&s=".repeat(5_000));
    assert_eq!(post(&large), "EXCD");
    assert_eq!(post(&format!("s={}&action=ready&b=web", "x".repeat(3_000))), "ERRP");
}

#[test]
fn without_an_admin_rule_nothing_can_be_posted() {
    let world = Arc::new(world(&CONFIG.replace("stats admin if TRUE", "stats admin if FALSE")));
    let (_, head, _) = ask(&world, "POST", "/s", b"s=a&action=maint&b=web");
    assert!(head.contains("location: /s;st=DENY\n"), "{head}");
    assert_eq!(status(&world, "a"), "no check");
    assert!(!ask(&world, "GET", "/s", b"").2.contains("<form method=\"post\">"));
}

#[test]
fn the_page_shows_every_proxy_and_escapes_what_it_shows() {
    let config = CONFIG.replace(
        "    stats enable\n",
        "    stats show-desc \"<script>alert(1)</script>\"\n    stats show-node n1\n    stats show-legends\n    stats show-modules\n    stats hide-version\n",
    );
    let world = Arc::new(world(&config));
    let (verdict, _, page) = ask(&world, "GET", "/s;st=DONE", b"");
    assert_eq!(verdict, Verdict::Answered);
    for part in [
        "<title>Statistics Report for HAProxy</title>",
        " on n1: &lt;script&gt;alert(1)&lt;/script&gt;</h2>",
        "Action processed successfully.",
        "id=\"web/Frontend\"",
        "id=\"web/+in\"",
        "id=\"web/b\" class=\"backup going-down\"",
        "id=\"web/c\" class=\"maint\"",
        "id=\"web/d\" class=\"active no-check\"",
        "id=\"none/Backend\"",
        "name=\"s\" value=\"a\"",
        "name=\"b\" value=\"#1\"",
        "<option value=\"hnolb\">",
        "balancing: roundrobin",
        "cap: LISTEN, mode: http, id: 1",
        "<a href=\"/s;csv;norefresh\">CSV export</a>",
        "HTTP/2 connections now",
    ] {
        assert!(page.contains(part), "no {part:?} in {page}");
    }
    assert!(!page.contains("<script>alert") && !page.contains("version 2.3"));
    let scoped = ask(&world, "GET", "/s?scope=raw", b"").2;
    assert!(scoped.contains("id=\"raw/t\"") && !scoped.contains("id=\"web/a\""));
}

#[test]
fn columns_of_each_row_add_up() {
    let config = CONFIG.replace("    stats enable\n", "    stats show-modules\n");
    let page = ask(&Arc::new(world(&config)), "GET", "/s", b"").2;
    let width = |row: &str| -> usize {
        let cells = row.split("<t").skip(1).filter(|c| c.starts_with("d") || c.starts_with("h "));
        cells
            .map(|cell| {
                let tag = &cell[..cell.find('>').unwrap()];
                tag.split_once("colspan=\"")
                    .map_or(1, |(_, n)| n.split('"').next().unwrap().parse().unwrap())
            })
            .sum()
    };
    let rows: Vec<_> = page.split("<tr id=").skip(1).collect();
    assert_eq!(rows.len(), 11);
    for row in rows {
        let row = row.split("</tr>").next().unwrap();
        assert_eq!(width(row), 33, "{row}");
    }
}

#[test]
fn access_rules_decide_who_sees_the_page() {
    let with = |rule: &str| Arc::new(world(&CONFIG.replace("    stats enable\n", rule)));
    let denied = with("    stats http-request deny if TRUE\n");
    assert_eq!(ask(&denied, "GET", "/s", b"").0, Verdict::Deny(403));
    let allowed = with("    stats http-request allow if TRUE\n    stats http-request deny\n");
    assert_eq!(ask(&allowed, "GET", "/s", b"").0, Verdict::Answered);
    let asked = with("    stats auth u:p\n");
    let (_, head, body) = ask(&asked, "GET", "/s", b"");
    assert_eq!(
        head,
        "401\ncontent-length: 112\ncache-control: no-cache\ncontent-type: text/html\nwww-authenticate: Basic realm=\"HAProxy Statistics\"\n"
    );
    assert_eq!(body.len(), 112);
}

#[test]
fn a_frontends_limit_falls_back_to_the_process() {
    let world = world(CONFIG);
    let frontend = world.frontend("raw").unwrap().frontend.as_ref().unwrap();
    frontend.state.maxconn.store(7, Relaxed);
    assert!(csv(&world).contains("\nraw,FRONTEND,,,0,0,7,"));
}

#[test]
fn wrong_lines_are_refused_in_haproxys_words() {
    let refused = |line: &str| {
        let mut outside = RealOutside::new(Sockets::default());
        let mut diagnostics = Diagnostics::default();
        let text = format!("listen l\n mode http\n {line}\n");
        let source = Source { name: "t".into(), text: text.as_bytes().into() };
        crate::config::parse(&[source], &mut outside, &mut diagnostics);
        diagnostics.list.first().map(|d| d.text.clone()).unwrap_or_default()
    };
    let expected = "expects 'admin', 'uri', 'realm', 'auth', 'scope', 'enable', 'hide-version', 'show-node', 'show-desc' or 'show-legends'.";
    for (line, text) in [
        ("stats", format!("parsing [t:3]: missing keyword in 'stats', {expected}")),
        ("stats foo", format!("parsing [t:3]: unknown stats parameter 'foo', {expected}")),
        ("stats uri", "parsing [t:3] : 'uri' needs an URI prefix.".into()),
        ("stats realm", "parsing [t:3] : 'realm' needs an realm name.".into()),
        ("stats auth", "parsing [t:3] : 'auth' needs a user:password account.".into()),
        ("stats scope", "parsing [t:3] : 'scope' needs a proxy name.".into()),
        ("stats refresh x", "parsing [t:3]: unexpected character 'x' in argument to stats refresh interval.".into()),
        ("stats refresh 99999999999", "parsing [t:3]: timer overflow in argument <99999999999> to stats refresh interval, maximum value is 2147483647 s (~68 years).".into()),
        ("stats refresh", String::new()),
        ("stats admin foo", "parsing [t:3] : 'stats admin' requires either 'if' or 'unless' followed by a condition.".into()),
        ("stats http-request auth foo", "parsing [t:3]: 'http-request auth' expects either 'if' or 'unless' followed by a condition but found 'foo'.".into()),
        ("stats show-desc", "parsing [t:3]: 'show-desc' requires a parameter or 'desc' to be set in the global section.".into()),
        ("stats enable extra", String::new()),
    ] {
        assert_eq!(refused(line), text, "{line}");
    }
}
