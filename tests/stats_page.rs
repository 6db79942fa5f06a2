//! The statistics page as programs and people use it: exports, links, the form and what it does to servers
//! (manual 4.2 "stats …"; management guide 9.1).

use anyhow::{Context, Result};
use haproxy_compat::harness::{Csv, Message, Proxy, Server, Web, eventually};

use crate::{proxy, testing_reference};

const CONFIG: &str = "global
    stats socket {cli} level admin
    maxconn 1000
defaults
    mode http
    timeout client 10s
    timeout connect 5s
    timeout server 10s
frontend stats
    bind {stats}
    stats enable
    stats uri /stats
    stats refresh 10s
    stats admin if TRUE
frontend front
    bind {fe} name in
    option socket-stats
    default_backend back
backend back
    option httpchk
    http-check send meth GET uri /
    server a {web} check inter 100ms
    server b {web} weight 5 backup
    server gone {gone} check inter 100ms maxconn 10 maxqueue 5
";

fn start(config: &str) -> Result<(Proxy, Web)> {
    let web = Web::start("v1")?;
    let mut gone = Server::listen()?;
    gone.close();
    let proxy = proxy(config).name("web", web.address()).name("gone", gone.address()).start()?;
    Ok((proxy, web))
}

fn get(proxy: &Proxy, path: &str) -> Result<Message> {
    proxy.connect("stats")?.get(path, "")
}

fn post(proxy: &Proxy, path: &str, body: &str) -> Result<Message> {
    let mut client = proxy.connect("stats")?;
    client.send(format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))?;
    client.response()
}

/// Where a posted form sends the browser to.
fn sent_to(proxy: &Proxy, body: &str) -> Result<String> {
    let answer = post(proxy, "/stats", body)?;
    assert_eq!(answer.status(), 303, "{body}");
    Ok(answer.header("location").context("a location")?.to_owned())
}

fn status(proxy: &Proxy, name: &str) -> Result<String> {
    Ok(Csv::parse(&get(proxy, "/stats;csv")?.text())?.get("back", name, "status")?.to_owned())
}

#[test]
fn heads_are_haproxys_byte_for_byte() -> Result<()> {
    let (proxy, _web) = start(CONFIG)?;
    for (path, kind, refresh) in [
        ("/stats", "text/html", "refresh: 10\r\n"),
        ("/stats;norefresh", "text/html", ""),
        ("/stats;csv", "text/plain", "refresh: 10\r\n"),
        ("/stats;typed;norefresh", "text/plain", ""),
        ("/stats;json;norefresh", "application/json", ""),
        ("/stats;json-schema", "application/json", "refresh: 10\r\n"),
    ] {
        let head = String::from_utf8(get(&proxy, path)?.head)?;
        let expected = format!(
            "HTTP/1.1 200 OK\r\ncache-control: no-cache\r\ncontent-type: {kind}\r\n{refresh}transfer-encoding: chunked\r\n\r\n"
        );
        assert_eq!(head, expected, "{path}");
    }
    let mut client = proxy.connect("stats")?;
    client.send("HEAD /stats;csv;norefresh HTTP/1.1\r\nHost: h\r\n\r\n")?;
    assert_eq!(
        String::from_utf8(client.response_to("HEAD")?.head)?,
        "HTTP/1.1 200 OK\r\ncache-control: no-cache\r\ncontent-type: text/plain\r\n\r\n"
    );
    // The connection lives on, also after an action.
    client.send("POST /stats;up;scope=ba HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")?;
    assert_eq!(
        String::from_utf8(client.response()?.head)?,
        "HTTP/1.1 303 See Other\r\ncache-control: no-cache\r\ncontent-type: text/plain\r\ncontent-length: 0\r\nlocation: /stats;st=NONE;up?scope=ba\r\n\r\n"
    );
    assert_eq!(client.get("/stats;csv", "")?.status(), 200);
    Ok(())
}

#[test]
fn rows_of_servers_and_their_backend_tell_what_checks_found() -> Result<()> {
    let (proxy, _web) = start(CONFIG)?;
    proxy.wait_for_stat("back", "gone", "status", "DOWN")?;
    proxy.wait_for_stat("back", "a", "check_health", "4")?;
    let csv = Csv::parse(&get(&proxy, "/stats;csv")?.text())?;
    for (name, column, value) in [
        ("a", "status", "UP"),
        ("a", "check_code", "200"),
        ("a", "check_desc", "Layer7 check passed"),
        ("a", "check_rise", "2"),
        ("a", "check_fall", "3"),
        ("a", "chkfail", "0"),
        ("a", "act", "1"),
        ("a", "addr", ""),
        ("b", "status", "no check"),
        ("b", "bck", "1"),
        ("b", "weight", "5"),
        ("b", "chkfail", ""),
        ("b", "check_status", ""),
        ("b", "slim", ""),
        ("gone", "check_desc", "Layer4 connection problem"),
        ("gone", "last_chk", "Connection refused"),
        ("gone", "check_health", "0"),
        ("gone", "chkfail", "1"),
        ("gone", "chkdown", "1"),
        ("gone", "slim", "10"),
        ("gone", "qlimit", "5"),
        ("BACKEND", "status", "UP"),
        ("BACKEND", "weight", "1"),
        ("BACKEND", "act", "1"),
        ("BACKEND", "bck", "1"),
        ("BACKEND", "slim", "100"),
    ] {
        assert_eq!(csv.get("back", name, column)?, value, "{name} {column}");
    }
    assert!(matches!(csv.get("back", "a", "check_status")?, "L7OK" | "* L7OK"));
    assert_eq!(csv.get("front", "in", "type")?, "3");
    assert_eq!(csv.get("front", "FRONTEND", "slim")?, "1000");
    Ok(())
}

#[test]
fn every_action_of_the_form_changes_a_server() -> Result<()> {
    let (proxy, _web) = start(CONFIG)?;
    proxy.wait_for_stat("back", "gone", "status", "DOWN")?;
    proxy.wait_for_stat("back", "a", "status", "UP")?;
    for (name, action, result, after) in [
        ("b", "drain", "DONE", "DRAIN"),
        ("b", "maint", "DONE", "MAINT"),
        ("b", "ready", "DONE", "no check"),
        ("b", "hdown", "DONE", "DOWN"),
        ("b", "hrunn", "DONE", "no check"),
        ("b", "hnolb", "DONE", "NOLB"),
        ("b", "hrunn", "DONE", "no check"),
        ("b", "dhlth", "NONE", "no check"),
        ("a", "dhlth", "DONE", "no check"),
        ("a", "ehlth", "DONE", "UP"),
        ("b", "stop", "DONE", "DRAIN"),
        ("b", "start", "DONE", "no check"),
        ("b", "disable", "DONE", "MAINT"),
        ("b", "disable", "NONE", "MAINT"),
        ("b", "enable", "DONE", "no check"),
        ("b", "nonsense", "ERRP", "no check"),
        ("nobody", "drain", "ERRP", "no check"),
    ] {
        let body = format!("s={name}&action={action}&b=back");
        assert_eq!(sent_to(&proxy, &body)?, format!("/stats;st={result}"), "{body}");
        if name != "nobody" {
            assert_eq!(status(&proxy, name)?, after, "{body}");
        }
    }
    assert_eq!(sent_to(&proxy, "s=nobody&s=b&action=drain&b=back")?, "/stats;st=PART");
    assert_eq!(status(&proxy, "b")?, "DRAIN");
    assert_eq!(sent_to(&proxy, "s=b&action=ready&b=nowhere")?, "/stats;st=ERRP");
    let large = format!("s={}&action=ready&b=back", "x&s=".repeat(5_000));
    assert_eq!(sent_to(&proxy, &large)?, "/stats;st=EXCD");
    Ok(())
}

#[test]
fn what_the_form_does_is_said_in_haproxys_words() -> Result<()> {
    let (proxy, _web) = start(CONFIG)?;
    proxy.wait_for_stat("back", "gone", "status", "DOWN")?;
    proxy.wait_for_stat("back", "a", "status", "UP")?;
    let left = "0 sessions active, 0 requeued, 0 remaining in queue.";
    let online = "0 sessions requeued, 0 total in queue.";
    for (name, action, line) in [
        (
            "a",
            "maint",
            format!(
                "Server back/a is going DOWN for maintenance. 0 active and 1 backup servers left. Running on backup. {left}"
            ),
        ),
        ("a", "ready", "Server back/a is UP/READY (leaving forced maintenance).".into()),
        (
            "b",
            "drain",
            format!(
                "Backup Server back/b enters drain state. 1 active and 0 backup servers online. {online}"
            ),
        ),
        ("b", "ready", "Backup Server back/b is UP (leaving forced drain).".into()),
        (
            "b",
            "hdown",
            format!(
                "Backup Server back/b is DOWN, changed from Web interface. 1 active and 0 backup servers left. {left}"
            ),
        ),
        (
            "b",
            "hrunn",
            format!(
                "Backup Server back/b is UP, changed from Web interface. 1 active and 1 backup servers online. {online}"
            ),
        ),
        (
            "b",
            "disable",
            format!(
                "Backup Server back/b is going DOWN for maintenance ('disable' on stats page). 1 active and 0 backup servers left. {left}"
            ),
        ),
        ("gone", "maint", "Server back/gone was DOWN and now enters maintenance.".into()),
        (
            "a",
            "hdown",
            format!(
                "Server back/a is DOWN, changed from Web interface. 0 active and 0 backup servers left. {left}"
            ),
        ),
    ] {
        // Checks must not speak between the actions.
        if action.starts_with('h') && name == "a" {
            sent_to(&proxy, "s=a&action=dhlth&b=back")?;
        }
        sent_to(&proxy, &format!("s={name}&action={action}&b=back"))?;
        proxy.wait_for_line(&line)?;
    }
    proxy.wait_for_line("backend 'back' has no server available!")?;
    assert_eq!(status(&proxy, "BACKEND")?, "DOWN");
    Ok(())
}

#[test]
fn a_drained_server_gets_no_new_requests() -> Result<()> {
    let (proxy, web) = start(CONFIG)?;
    proxy.wait_for_stat("back", "a", "check_health", "4")?;
    assert_eq!(proxy.connect("fe")?.get("/x", "")?.status(), 200);
    assert_eq!(sent_to(&proxy, "s=a&s=b&s=gone&action=drain&b=back")?, "/stats;st=DONE");
    assert_eq!(proxy.connect("fe")?.get("/y", "")?.status(), 503);
    assert_eq!(sent_to(&proxy, "s=a&action=ready&b=back")?, "/stats;st=DONE");
    assert_eq!(proxy.connect("fe")?.get("/z", "")?.status(), 200);
    let asked: Vec<String> = web.requests().iter().map(|r| r.target().to_owned()).collect();
    assert!(asked.contains(&"/x".to_owned()) && asked.contains(&"/z".to_owned()));
    assert!(!asked.contains(&"/y".to_owned()));
    Ok(())
}

#[test]
fn the_sessions_of_a_server_are_killed() -> Result<()> {
    let mut silent = Server::listen()?;
    let config = CONFIG.replace(
        "    default_backend back\n",
        "    use_backend other if { path /kept }\n    default_backend held\nbackend other\n    server s {kept}\nbackend held\n    server s {silent}\n",
    );
    let (web, mut kept) = (Web::start("v1")?, Server::listen()?);
    let proxy = proxy(&config)
        .name("web", web.address())
        .name("gone", web.address())
        .name("kept", kept.address())
        .name("silent", silent.address())
        .start()?;
    let mut clients = Vec::new();
    for (path, server) in [("/killed", &mut silent), ("/kept", &mut kept)] {
        let mut client = proxy.connect("fe")?;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))?;
        let mut held = server.accept()?;
        held.expect(format!("GET {path} "))?;
        clients.push((client, held));
    }
    assert_eq!(sent_to(&proxy, "s=s&action=shutdown&b=held")?, "/stats;st=DONE");
    let (killed, _) = &mut clients[0];
    assert_eq!(killed.response()?.status(), 502);
    let (client, held) = &mut clients[1];
    held.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    assert_eq!(client.response()?.status(), 200);
    // Also where there is nothing to kill.
    assert_eq!(sent_to(&proxy, "s=s&action=shutdown&b=held")?, "/stats;st=DONE");
    Ok(())
}

#[test]
fn hidden_servers_leave_the_page_and_its_exports() -> Result<()> {
    let (proxy, _web) = start(CONFIG)?;
    proxy.wait_for_stat("back", "gone", "status", "DOWN")?;
    sent_to(&proxy, "s=b&action=maint&b=back")?;
    let names = |path: &str| -> Result<Vec<String>> {
        let csv = Csv::parse(&get(&proxy, path)?.text())?;
        let rows = csv.rows.iter().filter(|row| row["pxname"] == "back");
        Ok(rows.map(|row| row["svname"].clone()).collect())
    };
    assert_eq!(names("/stats;csv")?, ["a", "b", "gone", "BACKEND"]);
    assert_eq!(names("/stats;csv;up")?, ["a", "BACKEND"]);
    assert_eq!(names("/stats;csv;no-maint")?, ["a", "gone", "BACKEND"]);
    assert_eq!(names("/stats;csv?scope=ck")?, ["a", "b", "gone", "BACKEND"]);
    assert_eq!(names("/stats;csv?scope=FRONT")?, [""; 0]);
    let page = get(&proxy, "/stats;up")?.text();
    assert!(page.contains("Show all servers") && page.contains("UP (1/3)"), "{page}");
    Ok(())
}

#[test]
fn results_are_shown_as_banners() -> Result<()> {
    let (proxy, _web) = start(CONFIG)?;
    for (code, text) in [
        ("DONE", "Action processed successfully."),
        ("NONE", "Nothing has changed."),
        ("PART", "Action partially processed."),
        ("ERRP", "Action not processed because of invalid parameters."),
        ("EXCD", "Action not processed : the buffer couldn't store all the data."),
        ("DENY", "Action denied."),
        ("WHAT", "Unexpected result."),
    ] {
        let page = get(&proxy, &format!("/stats;st={code}"))?.text();
        assert!(page.contains(text), "{code}");
    }
    Ok(())
}

#[test]
fn names_and_descriptions_are_shown_where_asked_for() -> Result<()> {
    let config = CONFIG
        .replace(
            "    stats enable\n",
            "    stats show-node n-1\n    stats show-desc Front door\n    stats show-legends\n",
        )
        .replace(
            "backend back\n",
            "backend back\n    description Two web servers\n    balance leastconn\n",
        );
    let (proxy, web) = start(&config)?;
    let page = get(&proxy, "/stats")?.text();
    for part in [
        " on n-1: Front door",
        "Two web servers",
        "balancing: leastconn",
        &format!("IPv4: {}, id: 1", web.address()),
        "mode: http, id: ",
    ] {
        assert!(page.contains(part), "no {part:?}");
    }
    // Exports tell addresses and algorithms too.
    let csv = Csv::parse(&get(&proxy, "/stats;csv")?.text())?;
    assert_eq!(csv.get("back", "a", "addr")?, web.address().to_string());
    assert_eq!(csv.get("back", "BACKEND", "algo")?, "leastconn");
    Ok(())
}

#[test]
fn rules_decide_who_may_see_the_page() -> Result<()> {
    let rules = "    stats http-request allow if { path_end ;csv }\n    stats http-request auth realm Who\\ are\\ you if { path_end ;json }\n    stats http-request deny\n";
    let (proxy, _web) = start(&CONFIG.replace("    stats enable\n", rules))?;
    assert_eq!(get(&proxy, "/stats;csv")?.status(), 200);
    let asked = get(&proxy, "/stats;json")?;
    assert_eq!(
        (asked.status(), asked.header("www-authenticate")),
        (401, Some("Basic realm=\"Who are you\""))
    );
    let denied = get(&proxy, "/stats")?;
    assert_eq!(denied.status(), 403);
    assert!(denied.text().contains("Request forbidden by administrative rules."));
    Ok(())
}

#[test]
fn a_listen_and_a_backend_have_pages_too() -> Result<()> {
    let config = "defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
    stats uri /inherited
frontend front
    bind {fe}
    default_backend back
backend back
    stats uri /own
    stats scope .
listen both
    bind {both}
    stats hide-version
";
    let proxy = proxy(config).start()?;
    let ask = |name: &str, path: &str| proxy.connect(name)?.get(path, "");
    assert_eq!(ask("fe", "/inherited")?.status(), 200);
    let own = ask("fe", "/own;csv")?.text();
    assert!(own.contains("\nback,BACKEND,") && !own.contains("\nfront,"), "{own}");
    // A line of its own takes the place of all that was inherited.
    assert_eq!(ask("both", "/inherited")?.status(), 503);
    let page = ask("both", "/haproxy?stats")?;
    assert_eq!((page.status(), page.text().contains("version 2.3")), (200, false));
    Ok(())
}

#[test]
fn a_request_that_is_not_get_head_or_post_is_not_for_the_page() -> Result<()> {
    let (proxy, _web) = start(CONFIG)?;
    let mut client = proxy.connect("stats")?;
    client.send("PUT /stats HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")?;
    assert_eq!(client.response()?.status(), 503);
    Ok(())
}

#[test]
fn the_runtime_socket_selects_rows() -> Result<()> {
    let (proxy, _web) = start(CONFIG)?;
    let rows = |command: &str| -> Result<Vec<String>> {
        let csv = Csv::parse(&proxy.cli(command)?)?;
        Ok(csv.rows.iter().map(|r| format!("{}/{}", r["pxname"], r["svname"])).collect())
    };
    assert_eq!(rows("show stat back 4 -1")?, ["back/a", "back/b", "back/gone"]);
    assert_eq!(rows("show stat back 4 2")?, ["back/b"]);
    assert_eq!(rows("show stat -1 1 -1")?, ["stats/FRONTEND", "front/FRONTEND"]);
    assert_eq!(rows("show stat -1 8 -1")?, ["front/in"]);
    assert_eq!(rows("show stat front 3 -1")?, ["front/FRONTEND"]);
    assert!(proxy.cli("show stat back 2 -1 typed")?.contains(".32.type.1:CGS:u32:1\n"));
    let json = proxy.cli("show stat back 2 -1 json")?;
    assert!(json.starts_with("[[{\"objType\":\"Backend\",") && json.ends_with("}]]\n"), "{json}");
    let schema = proxy.cli("show schema json")?;
    assert_eq!(schema.len(), 2_783);
    assert_eq!(get(&proxy, "/stats;json-schema")?.text(), schema.trim_end());
    Ok(())
}

#[test]
fn seconds_since_the_last_session_go_up() -> Result<()> {
    let (proxy, _web) = start(CONFIG)?;
    proxy.wait_for_stat("back", "a", "check_health", "4")?;
    assert_eq!(proxy.stats()?.get("back", "a", "lastsess")?, "-1");
    proxy.connect("fe")?.get("/", "")?;
    proxy.wait_for_stat("back", "a", "lastsess", "0")?;
    eventually("a second has passed", || Ok(proxy.stats()?.number("back", "a", "lastsess")? == 1))
}

#[test]
fn what_a_name_cannot_have_is_not_written_into_the_page() -> Result<()> {
    if testing_reference() {
        // HAProxy writes descriptions into the page as they stand.
        return Ok(());
    }
    let config = CONFIG.replace("    stats enable\n", "    stats show-desc \"<i>x</i>\"\n");
    let (proxy, _web) = start(&config)?;
    let page = get(&proxy, "/stats?scope=<b>")?.text();
    assert!(page.contains("&lt;i&gt;x&lt;/i&gt;") && !page.contains("<b>\""), "{page}");
    Ok(())
}

#[test]
fn a_form_may_come_in_chunks_or_ask_for_leave_first() -> Result<()> {
    let (proxy, _web) = start(CONFIG)?;
    let mut client = proxy.connect("stats")?;
    client.send("POST /stats HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    client.send("a\r\ns=b&action\r\n")?;
    client.send("d\r\n=drain&b=back\r\n0\r\n\r\n")?;
    assert_eq!(client.response()?.header("location"), Some("/stats;st=DONE"));
    assert_eq!(status(&proxy, "b")?, "DRAIN");
    let body = "s=b&action=ready&b=back";
    client.send(format!(
        "POST /stats HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ))?;
    assert_eq!(client.response()?.status(), 100);
    client.send(body)?;
    assert_eq!(client.response()?.header("location"), Some("/stats;st=DONE"));
    assert_eq!(status(&proxy, "b")?, "no check");
    Ok(())
}

#[test]
fn the_log_names_the_page_as_the_server() -> Result<()> {
    let config = CONFIG
        .replace("defaults\n", "defaults\n    log stdout format raw local0\n    option httplog\n")
        .replace("    stats refresh 10s\n", "    stats auth u:p\n");
    let (proxy, _web) = start(&config)?;
    let mut client = proxy.connect("stats")?;
    assert_eq!(client.get("/stats;csv", "")?.status(), 401);
    let line = proxy.wait_for_line(" 401 268 - - LR-- ")?;
    let timers = line.split_once("stats stats/<STATS> ").context("the server")?.1;
    let refused = |ms, all| timers.starts_with(&format!("{ms}/-1/-1/-1/{all} 401 "));
    assert!(refused(0, 0) || refused(0, 1) || refused(1, 1) || refused(1, 2), "{line}");
    // u:p in base 64.
    client.get("/stats;csv", "Authorization: Basic dTpw\r\n")?;
    let line = proxy.wait_for_line(" 200 ")?;
    let timers = line.split_once("stats stats/<STATS> ").context("the server")?.1;
    let timers: Vec<_> = timers.split(' ').next().context("timers")?.split('/').collect();
    // All but the time between the requests: waiting, connecting, answering.
    for timer in timers.get(1..4).context("three timers")? {
        assert!(matches!(*timer, "0" | "1"), "{line}");
    }
    assert!(line.contains(" LR-- "), "{line}");
    Ok(())
}
