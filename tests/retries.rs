//! Connection failures (manual 4.2 `retries`, `option redispatch`, `retry-on`).

use anyhow::Result;
use haproxy_compat::harness::{Server, Web};

use crate::{GET, http, http_with_cli};

#[test]
fn an_unreachable_server_is_tried_again_and_then_a_503() -> Result<()> {
    let dead = Server::silent()?;
    let config = "listen main\n bind {fe}\n retries 2\n server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", dead.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    let stats = proxy.stats()?;
    assert_eq!(stats.number("main", "s1", "wretr")?, 2);
    assert_eq!(stats.number("main", "s1", "econ")?, 1);
    assert_eq!(stats.number("main", "BACKEND", "hrsp_5xx")?, 1);
    Ok(())
}

#[test]
fn without_retries_it_fails_at_once() -> Result<()> {
    let dead = Server::silent()?;
    let config = "listen main\n bind {fe}\n retries 0\n server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", dead.address()).start()?;
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    assert_eq!(proxy.stats()?.number("main", "s1", "wretr")?, 0);
    Ok(())
}

#[test]
fn redispatch_takes_the_other_server() -> Result<()> {
    let (dead, web) = (Server::silent()?, Web::start("v1")?);
    let config = "listen main
    bind {fe}
    balance roundrobin
    retries 1
    option redispatch
    server s1 {s1}
    server s2 {s2}
";
    let proxy =
        http_with_cli(config).name("s1", dead.address()).name("s2", web.address()).start()?;
    for _ in 0..4 {
        assert_eq!(proxy.connect("fe")?.get("/", "")?.text(), "v1");
    }
    assert!(proxy.stats()?.number("main", "s1", "wredis")? >= 2);
    Ok(())
}

#[test]
fn a_server_that_comes_up_between_two_tries_gets_the_request() -> Result<()> {
    let mut server = Server::silent()?;
    let config = "listen main\n bind {fe}\n retries 5\n server s1 {s1}\n";
    let proxy = http_with_cli(config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    // Tries are a second apart; the first has failed once it is counted.
    haproxy_compat::harness::eventually("a try has failed", || {
        Ok(proxy.stats()?.number("main", "s1", "wretr")? >= 1)
    })?;
    server.open()?;
    let mut backend = server.accept()?;
    assert_eq!(backend.request()?.target(), "/");
    backend.send(crate::OK)?;
    assert_eq!(client.response()?.text(), "ok");
    Ok(())
}

#[test]
fn an_idle_server_connection_that_was_closed_is_replaced() -> Result<()> {
    let web = Web::start("v1")?;
    let config = "listen main\n bind {fe}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    for n in 1..=3 {
        assert_eq!(client.get("/", "")?.text(), "v1");
        assert_eq!(web.connections(), n);
        web.close_connections();
        haproxy_compat::harness::eventually("the proxy closed its side too", || {
            Ok(web.open_connections() == 0)
        })?;
    }
    Ok(())
}
