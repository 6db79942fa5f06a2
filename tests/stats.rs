//! Statistics (manual 4.2 `stats …`; management guide 9.1): CSV columns, the page, its form.

use anyhow::{Context, Result};
use haproxy_compat::harness::{Csv, Message, Proxy, Web};

use crate::{http, http_with_cli};

const MAIN: &str = "frontend front
    bind {fe}
    default_backend back
frontend stats
    bind {stats}
    stats enable
    stats uri /stats
    stats refresh 10s
    stats admin if TRUE
backend back
    server w1 {w1}
    server w2 {w2} weight 5 backup
    server w3 {w1} disabled
";

fn serving(config: &str) -> Result<(Proxy, Web)> {
    let web = Web::start("v1")?;
    let proxy =
        http_with_cli(config).name("w1", web.address()).name("w2", web.address()).start()?;
    Ok((proxy, web))
}

fn page(proxy: &Proxy, path: &str, headers: &str) -> Result<Message> {
    proxy.connect("stats")?.get(path, headers)
}

fn csv(proxy: &Proxy) -> Result<Csv> {
    Csv::parse(&page(proxy, "/stats;csv", "")?.text())
}

#[test]
fn the_csv_has_the_columns_of_2_3() -> Result<()> {
    let (proxy, _web) = serving(MAIN)?;
    let answer = page(&proxy, "/stats;csv", "")?;
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    let text = answer.text();
    let head = text.lines().next().context("a header line")?;
    let first = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,";
    assert!(head.starts_with(first), "{head}");
    let csv = Csv::parse(&text)?;
    assert_eq!(csv.columns.len(), csv.columns.iter().filter(|c| !c.is_empty()).count());
    let rows: Vec<String> =
        csv.rows.iter().map(|row| format!("{}/{}", row["pxname"], row["svname"])).collect();
    assert_eq!(
        rows,
        ["front/FRONTEND", "stats/FRONTEND", "back/w1", "back/w2", "back/w3", "back/BACKEND"]
    );
    Ok(())
}

#[test]
fn counters_count() -> Result<()> {
    let (proxy, _web) = serving(MAIN)?;
    let mut client = proxy.connect("fe")?;
    for _ in 0..3 {
        client.get("/a", "")?;
    }
    drop(client);
    proxy.wait_for_stat("front", "FRONTEND", "scur", "0")?;
    let csv = csv(&proxy)?;
    for (name, value) in [("stot", 1), ("req_tot", 3), ("hrsp_2xx", 3)] {
        assert_eq!(csv.number("front", "FRONTEND", name)?, value, "{name}");
    }
    for (name, value) in [("stot", 3), ("lbtot", 3), ("hrsp_2xx", 3), ("weight", 1)] {
        assert_eq!(csv.number("back", "w1", name)?, value, "{name}");
    }
    assert_eq!(csv.number("back", "BACKEND", "stot")?, 3);
    assert_eq!(csv.number("back", "BACKEND", "act")?, 1);
    assert_eq!(csv.number("back", "BACKEND", "bck")?, 1);
    assert_eq!(csv.get("back", "w3", "status")?, "MAINT");
    assert_eq!(csv.get("back", "w1", "status")?, "no check");
    assert_eq!(csv.get("back", "BACKEND", "status")?, "UP");
    assert_eq!(csv.get("front", "FRONTEND", "status")?, "OPEN");
    assert_eq!(csv.get("front", "FRONTEND", "mode")?, "http");
    // Only an operator, or a page with `show-legends`, is told the algorithm.
    assert_eq!(csv.get("back", "BACKEND", "algo")?, "");
    assert_eq!(proxy.stats()?.get("back", "BACKEND", "algo")?, "roundrobin");
    Ok(())
}

#[test]
fn the_page_names_every_proxy_and_server() -> Result<()> {
    let (proxy, _web) = serving(MAIN)?;
    let answer = page(&proxy, "/stats", "")?;
    assert_eq!((answer.status(), answer.header("content-type")), (200, Some("text/html")));
    assert_eq!(answer.header("refresh"), Some("10"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    let text = answer.text();
    for part in [
        "Statistics Report",
        "front",
        "back",
        "w1",
        "w2",
        "w3",
        "Frontend",
        "Backend",
        "/stats;csv",
    ] {
        assert!(text.contains(part), "no {part:?} in the page");
    }
    assert_eq!(page(&proxy, "/stats;norefresh", "")?.header("refresh"), None);
    assert_eq!(page(&proxy, "/elsewhere", "")?.status(), 503);
    Ok(())
}

#[test]
fn the_json_form_is_json_of_the_same() -> Result<()> {
    let (proxy, _web) = serving(MAIN)?;
    let answer = page(&proxy, "/stats;json", "")?;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let text = answer.text();
    assert!(text.starts_with("[[{\"objType\":\"Frontend\","), "{}", &text[..100.min(text.len())]);
    assert!(text.trim_end().ends_with("]]"));
    Ok(())
}

#[test]
fn a_password_is_asked_for() -> Result<()> {
    let config = "listen stats
    bind {stats}
    stats uri /stats
    stats realm My\\ Realm
    stats auth joe:secret
";
    let proxy = http(config).start()?;
    let refused = page(&proxy, "/stats", "")?;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"My Realm\""));
    // joe:secret and joe:wrong, in base 64.
    assert_eq!(page(&proxy, "/stats", "Authorization: Basic am9lOnNlY3JldA==\r\n")?.status(), 200);
    assert_eq!(page(&proxy, "/stats", "Authorization: Basic am9lOndyb25n\r\n")?.status(), 401);
    Ok(())
}

#[test]
fn scope_and_hidden_version_limit_what_is_shown() -> Result<()> {
    let config = "listen stats
    bind {stats}
    stats uri /stats
    stats scope .
    stats hide-version
backend other
    server s1 127.0.0.1:9
";
    let proxy = http(config).start()?;
    let text = page(&proxy, "/stats;csv", "")?.text();
    assert!(text.contains("\nstats,FRONTEND,") && !text.contains("\nother,"), "{text}");
    let shown = page(&proxy, "/stats", "")?.text();
    assert!(!shown.contains("version 2.3"), "the version is shown");
    Ok(())
}

#[test]
fn without_admin_the_form_does_nothing() -> Result<()> {
    let (proxy, _web) = serving(&MAIN.replace("    stats admin if TRUE\n", ""))?;
    let mut client = proxy.connect("stats")?;
    client.send(
        "POST /stats HTTP/1.1\r\nHost: h\r\nContent-Length: 26\r\n\r\ns=w1&action=maint&b=back..",
    )?;
    let answer = client.response()?;
    assert_eq!((answer.status(), answer.header("location")), (303, Some("/stats;st=DENY")));
    assert_eq!(csv(&proxy)?.get("back", "w1", "status")?, "no check");
    Ok(())
}
