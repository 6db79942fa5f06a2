//! The stats page in a real browser: headless Chromium, steered over WebDriver. What a person sees
//! and presses is asked of the page, not of its markup, so that the same test judges any haproxy:
//! `HAPROXY_TEST_BINARY` names another.

// A test may stop at the first surprise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chromium;
mod page;

use anyhow::Result;
use haproxy_compat::harness::{Proxy, Server, Web, eventually};
use haproxy_compat::machines::{in_own_network, need_root, portable_binary};

use chromium::Chromium;
use page::Page;

const CONFIG: &str = "
global
    stats socket {cli} level admin
defaults
    mode http
    timeout client 10s
    timeout connect 5s
    timeout server 10s
frontend stats
    bind {page}
    stats enable
    stats uri /stats
    stats refresh 10s
    stats admin if TRUE
frontend fe_fe
    bind {fe}
    default_backend frontends
backend frontends
    balance roundrobin
    option httpchk
    http-check send meth GET uri /
    http-check expect status 200
    server fe1 {fe1} check inter 100ms
    server fe2 {fe2} check inter 100ms
    server gone {gone} check inter 100ms
backend other
    server fe1 {fe1}
";

#[test]
fn the_stats_page_in_a_browser() -> Result<()> {
    need_root()?;
    let binary = portable_binary()?;
    in_own_network(|| {
        let (one, two) = (Web::start("v1")?, Web::start("v1")?);
        let mut gone = Server::listen()?;
        gone.close();
        let proxy = Proxy::config(CONFIG)
            .binary(&binary)
            .args(&["-db"])
            .name("fe1", one.address())
            .name("fe2", two.address())
            .name("gone", gone.address())
            .start()?;
        proxy.wait_for_stat("frontends", "gone", "status", "DOWN")?;
        let browser = Chromium::start()?;
        let page = Page::open(&browser, &format!("http://{}/stats", proxy.address("page")?))?;
        sections(&page)?;
        colours(&page)?;
        scope(&page)?;
        steering(&page, &proxy)
    })
}

/// One table for each proxy, one row for each of its parts.
fn sections(page: &Page) -> Result<()> {
    assert!(page.title()?.contains("Statistics Report for HAProxy"), "{}", page.title()?);
    for (proxy, rows) in [
        ("stats", &["Frontend"][..]),
        ("fe_fe", &["Frontend"]),
        ("frontends", &["fe1", "fe2", "gone", "Backend"]),
        ("other", &["fe1", "Backend"]),
    ] {
        assert_eq!(page.rows_of(proxy)?, rows, "{proxy}");
    }
    Ok(())
}

/// Green for who is up, red for who is down.
fn colours(page: &Page) -> Result<()> {
    let (up, down) = (page.colour_of("frontends", "fe1")?, page.colour_of("frontends", "gone")?);
    assert!(up.green > up.red && up.green > up.blue, "up is {up:?}");
    assert!(down.red > down.green && down.red > down.blue, "down is {down:?}");
    Ok(())
}

/// The box that leaves only the proxies whose names contain a word, and is emptied again.
fn scope(page: &Page) -> Result<()> {
    page.type_into_scope("front")?;
    eventually("the page shows only frontends", || Ok(page.proxies()? == ["frontends"]))?;
    page.type_into_scope("")?;
    let all = ["stats", "fe_fe", "frontends", "other"];
    eventually("the page shows all again", || Ok(page.proxies()? == all))
}

/// A server is chosen and sent into maintenance and back, with the mouse as it were.
fn steering(page: &Page, proxy: &Proxy) -> Result<()> {
    page.choose_and_apply("frontends", "fe1", "maint")?;
    eventually("the page says MAINT", || Ok(page.text_of("frontends", "fe1")?.contains("MAINT")))?;
    assert!(page.address()?.contains(";st=DONE"), "sent on to {}", page.address()?);
    assert_eq!(proxy.stats()?.get("frontends", "fe1", "status")?, "MAINT");
    assert_ne!(
        page.colour_of("frontends", "fe1")?,
        page.colour_of("frontends", "fe2")?,
        "maintenance looks like up"
    );
    page.choose_and_apply("frontends", "fe1", "ready")?;
    proxy.wait_for_stat("frontends", "fe1", "status", "UP")
}
