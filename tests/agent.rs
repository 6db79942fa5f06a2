//! Agents tell how servers are (manual 5.2 "agent-check"): weights, limits, states, up and down; what people
//! change of it (management.txt 9.3 "set server … agent", "enable agent").

use anyhow::Result;
use haproxy_compat::harness::{Proxy, Server, Web, eventually};

use crate::proxy;

const DEFAULTS: &str = "global
    stats socket {cli} level admin
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen fe
    bind {fe}
    stats uri /stats
    stats admin if TRUE
";

fn start(options: &str, web: &Web, agent: &Server) -> Result<Proxy> {
    let port = agent.address().port();
    let line = format!("    server s1 {{s1}} weight 100 agent-check agent-port {port} {options}\n");
    proxy(&format!("{DEFAULTS}{line}")).name("s1", web.address()).start()
}

/// The agent says one line, to one question.
fn say(agent: &Server, line: &str) -> Result<()> {
    agent.accept()?.send(line)
}

fn wait_for(proxy: &Proxy, column: &str, value: &str) -> Result<()> {
    eventually(&format!("{column} is {value}"), || {
        Ok(proxy.stats()?.get("fe", "s1", column)?.trim_start_matches("* ") == value)
    })
}

#[test]
fn an_agent_takes_its_server_down_and_up() -> Result<()> {
    let (web, agent) = (Web::start("a")?, Server::listen()?);
    let proxy = start("agent-inter 500ms", &web, &agent)?;
    say(&agent, "down # not well\r\n")?;
    let line = proxy.wait_for_line("Server fe/s1 is DOWN")?;
    assert!(line.contains("is DOWN, reason: Layer7 wrong status, code: 0, info: \"via agent : down (not well)\", check duration: "), "{line}");
    wait_for(&proxy, "agent_status", "L7STS")?;
    let stats = proxy.stats()?;
    for (column, value) in [
        ("status", "DOWN (agent)"),
        ("agent_rise", "1"),
        ("agent_fall", "1"),
        ("agent_health", "0"),
        ("agent_code", "0"),
        ("agent_desc", "Layer7 wrong status"),
    ] {
        assert_eq!(stats.get("fe", "s1", column)?, value, "{column}");
    }
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 503);
    say(&agent, "foo up\n")?;
    let line = proxy.wait_for_line("Server fe/s1 is UP")?;
    assert!(line.contains("info: \"via agent : up (foo)\""), "{line}");
    assert_eq!(proxy.connect("fe")?.get("/", "")?.status(), 200);
    wait_for(&proxy, "status", "no check")
}

#[test]
fn an_agent_sets_weight_limit_and_state() -> Result<()> {
    let (web, agent) = (Web::start("a")?, Server::listen()?);
    let proxy = start("agent-inter 500ms agent-send hello\\n", &web, &agent)?;
    let mut asked = agent.accept()?;
    asked.expect("hello\n")?;
    asked.send("75%,maxconn:7\tdrain\n")?;
    wait_for(&proxy, "status", "DRAIN (agent)")?;
    wait_for(&proxy, "weight", "75")?;
    wait_for(&proxy, "slim", "7")?;
    assert_eq!(proxy.stats()?.get("fe", "s1", "agent_health")?, "1");
    say(&agent, "maint\n")?;
    wait_for(&proxy, "status", "MAINT")?;
    say(&agent, "ready 100%\n")?;
    wait_for(&proxy, "status", "no check")?;
    wait_for(&proxy, "weight", "100")?;
    let state = proxy.cli("show servers state fe")?;
    assert!(state.contains(" 2 0 100 100 "), "{state}");
    say(&agent, "what is this\n")?;
    wait_for(&proxy, "last_agt", "agent reports an error : what")?;
    wait_for(&proxy, "agent_status", "CHECKED")
}

#[test]
fn an_agent_that_is_not_there_changes_nothing() -> Result<()> {
    let (web, agent) = (Web::start("a")?, Server::silent()?);
    let proxy = start("agent-inter 500ms check inter 100ms", &web, &agent)?;
    wait_for(&proxy, "agent_status", "L4CON")?;
    wait_for(&proxy, "check_status", "L4OK")?;
    assert_eq!(proxy.stats()?.get("fe", "s1", "status")?, "UP");
    assert_eq!(proxy.stats()?.get("fe", "s1", "agent_health")?, "1");
    Ok(())
}

#[test]
fn people_speak_for_an_agent() -> Result<()> {
    let (web, agent) = (Web::start("a")?, Server::listen()?);
    let proxy = start("agent-inter 1s", &web, &agent)?;
    assert_eq!(proxy.cli("set server fe/s1 agent down")?, "\n");
    wait_for(&proxy, "status", "DOWN (agent)")?;
    assert_eq!(proxy.cli("set server fe/s1 agent up")?, "\n");
    wait_for(&proxy, "status", "no check")?;
    assert_eq!(
        proxy.cli("set server fe/s1 agent sideways")?,
        "'set server <srv> agent' expects 'up' or 'down'.\n\n"
    );
    assert_eq!(
        proxy.cli("set server fe/s1 agent-addr here")?,
        "incorrect addr address given for agent.\n\n"
    );
    assert_eq!(proxy.cli("set server fe/s1 agent-send who?")?, "\n");
    agent.accept()?.send("up\n")?;
    agent.accept()?.expect("who?")?;
    assert_eq!(proxy.cli("disable agent fe/s1")?, "\n");
    assert_eq!(
        proxy.cli("set server fe/s1 agent up")?,
        "agent checks are not enabled on this server.\n\n"
    );
    assert_eq!(proxy.stats()?.get("fe", "s1", "agent_status")?, "");
    assert_eq!(proxy.cli("enable agent fe/s1")?, "\n");
    let form = "s=s1&action=adown&b=fe";
    let post =
        format!("POST /stats HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{form}", form.len());
    let mut client = proxy.connect("fe")?;
    client.send(post)?;
    assert_eq!(client.response()?.header("location"), Some("/stats;st=DONE"));
    wait_for(&proxy, "status", "DOWN (agent)")?;
    let page = proxy.connect("fe")?.get("/stats", "")?.text();
    assert!(page.contains("DOWN (agent)"), "{page}");
    Ok(())
}

#[test]
fn an_agent_is_asked_where_its_address_is() -> Result<()> {
    let (web, agent) = (Web::start("a")?, Server::listen()?);
    let proxy = start("agent-inter 500ms agent-addr 127.0.0.1", &web, &agent)?;
    assert_eq!(
        proxy.cli("set server fe/s1 addr 127.0.0.9")?.trim_end(),
        format!("IP changed from '127.0.0.1' to '127.0.0.9' by 'stats socket command'")
    );
    say(&agent, "down\n")?;
    wait_for(&proxy, "status", "DOWN (agent)")
}
