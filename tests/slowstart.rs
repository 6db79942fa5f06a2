//! Servers that came back are given more and more requests (manual 5.2 "slowstart").

use anyhow::Result;
use haproxy_compat::harness::{Web, eventually};

use crate::proxy;

const CONFIG: &str = "global
    stats socket {cli} level admin
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen fe
    bind {fe}
    balance roundrobin
    server s1 {s1} maxconn 40
    server s2 {s2} maxconn 40 slowstart 3s
";

#[test]
fn a_server_that_comes_back_ramps_up() -> Result<()> {
    let (one, two) = (Web::start("1")?, Web::start("2")?);
    let proxy = proxy(CONFIG).name("s1", one.address()).name("s2", two.address()).start()?;
    let throttle =
        || Ok::<_, anyhow::Error>(proxy.stats()?.get("fe", "s2", "throttle")?.to_owned());
    // At the start it has all its weight.
    assert_eq!(throttle()?, "");
    proxy.cli("set server fe/s2 state maint")?;
    proxy.cli("set server fe/s2 state ready")?;
    // A sixteenth of its weight and then a third more each second, as the clock goes.
    let first: u32 = throttle()?.parse()?;
    assert!([7, 38].contains(&first), "{first}");
    let state = proxy.cli("show servers state fe")?;
    assert!(state.contains(" s2 127.0.0.1 1 0 "), "{state}");
    let requests = two.requests().len();
    for _ in 0..34 {
        assert_eq!(proxy.connect("fe")?.get("/", "Connection: close\r\n")?.status(), 200);
    }
    let share = two.requests().len() - requests;
    assert!(share < 14, "{share} of 34 requests");
    eventually("it has more weight", || Ok(["38", "69"].contains(&&*throttle()?)))?;
    eventually("it has all its weight", || Ok(throttle()?.is_empty()))?;
    let state = proxy.cli("show servers state fe")?;
    assert!(state.contains(" s2 127.0.0.1 2 0 "), "{state}");
    Ok(())
}
