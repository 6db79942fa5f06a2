//! The story itself, told to a `Stage`, which knows how machines come and go there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use haproxy_compat::harness::{Connection, PATIENCE, eventually};
use haproxy_compat::machines::{Finished, Stopped, testing_reference};

use crate::load::Load;
use crate::page::{Page, post_action};

/// Where the story is played.
pub trait Stage {
    /// `docker run … lb:v1 haproxy -c …`: the configuration's check, names included.
    fn validate(&mut self) -> Result<Finished>;
    /// `docker run -d --name NAME frontend:VERSION`.
    fn run_web(&mut self, name: &str, version: &str) -> Result<()>;
    /// `docker run -d --name lb … lb:v1`; done as soon as the process exists.
    fn run_balancer(&mut self) -> Result<()>;
    /// `docker rm -f NAME`.
    fn remove(&mut self, name: &str) -> Result<()>;
    /// `docker stop lb`.
    fn stop_balancer(&mut self) -> Result<Stopped>;
    /// Where `curl localhost` and the browser of the example arrive: ports 80 and 8404.
    fn address(&self, port: u16) -> SocketAddr;
    /// What the balancer has said.
    fn said(&self) -> String;
}

/// Plays the whole story; what the balancer said goes with an error.
pub fn play(stage: &mut impl Stage) -> Result<()> {
    tell(stage).with_context(|| format!("the balancer said:\n{}", stage.said()))
}

fn tell(stage: &mut impl Stage) -> Result<()> {
    stage.run_web("fe1", "v1")?;
    stage.run_web("fe2", "v1")?;
    validate(stage)?;
    ensure!(Connection::to(stage.address(80)).is_err(), "somebody listens before the balancer");
    serve(stage)?;
    update(stage, "fe1").context("updating fe1")?;
    alternate(stage)?;
    update(stage, "fe2").context("updating fe2")?;
    ensure!(versions(stage, 6)? == ["v2"; 6], "fe2 is not updated");
    look(stage).context("the stats page")?;
    steer(stage).context("an action on the stats page")?;
    restart_all(stage).context("restarting everything")?;
    stop(stage).context("stopping the balancer")
}

fn validate(stage: &mut impl Stage) -> Result<()> {
    let Finished { status, stdout, stderr } = stage.validate()?;
    ensure!(status.success(), "-c ended with {status}: {stdout}{stderr}");
    ensure!((stdout + &stderr).contains("Configuration file is valid"), "-c does not say so");
    Ok(())
}

fn serve(stage: &mut impl Stage) -> Result<()> {
    stage.run_balancer()?;
    let address = stage.address(80);
    eventually("the balancer answers", || Ok(version(address).is_ok()))?;
    ensure!(versions(stage, 4)? == ["v1"; 4], "somebody answers that is not v1");
    Ok(())
}

/// `docker rm -f` of one web server and `docker run` of its new version.
///
/// Until the checks have found out, HAProxy goes on sending every other request to the server that
/// is gone, and without `option redispatch` tries no other: one of two tries in a row is served.
/// From then on clients see no failure, and none when the new version joins in.
fn update(stage: &mut impl Stage, name: &str) -> Result<()> {
    stage.remove(name)?;
    wait_until(name, "DOWN", || {
        let tries = [(); 2].map(|()| version_within(stage.address(80), Duration::from_secs(1)));
        ensure!(tries.iter().any(Result::is_ok), "twice not served in a row: {tries:?}");
        status(stage, name)
    })?;
    let load = Load::start(stage.address(80));
    load.wait_for(50)?;
    stage.run_web(name, "v2")?;
    wait_until(name, "UP", || status(stage, name))?;
    load.wait_for(50)?;
    load.finish_without_failure()
}

/// Two versions, one after the other without exception.
fn alternate(stage: &mut impl Stage) -> Result<()> {
    let seen = versions(stage, 20)?;
    ensure!(seen.windows(2).all(|two| two[0] != two[1]), "not in turn: {seen:?}");
    Ok(())
}

/// The page a browser shows, and the rows on it.
fn look(stage: &mut impl Stage) -> Result<()> {
    let page = Page::get(stage.address(8404), "/stats")?;
    for name in ["stats", "fe_fe", "frontends", "fe1", "fe2", "Frontend", "Backend"] {
        ensure!(page.html.contains(name), "{name} is not on the page");
    }
    ensure!(page.html.contains("UP"), "nobody is up on the page");
    ensure!(page.html.contains("<form") && page.html.contains("method=\"post\""), "no admin form");
    ensure!(page.refresh == "10", "refreshed every {:?}", page.refresh);
    for name in ["fe1", "fe2"] {
        wait_for_status(stage, name, "UP")?;
    }
    Ok(())
}

/// Maintenance for one server and back, as the form's buttons do it.
fn steer(stage: &mut impl Stage) -> Result<()> {
    let stats = stage.address(8404);
    let answer = post_action(stats, "frontends", "fe1", "maint")?;
    ensure!(answer.status() == 303, "answered {}", answer.start);
    let next = answer.header("location").unwrap_or_default().to_owned();
    ensure!(next.starts_with("/stats;st=DONE"), "sent on to {next:?}");
    ensure!(Page::get(stats, &next)?.html.contains("MAINT"), "fe1 is not in maintenance");
    wait_for_status(stage, "fe1", "MAINT")?;
    let before = Page::csv(stats)?.number("frontends", "fe1", "stot")?;
    versions(stage, 6)?;
    let after = Page::csv(stats)?.number("frontends", "fe1", "stot")?;
    ensure!(before == after, "fe1 had {} requests in maintenance", after - before);
    post_action(stats, "frontends", "fe1", "ready")?;
    wait_for_status(stage, "fe1", "UP")
}

/// `docker compose down` and `up`, or the host's restart.
fn restart_all(stage: &mut impl Stage) -> Result<()> {
    for name in ["lb", "fe2", "fe1"] {
        stage.remove(name)?;
    }
    ensure!(Connection::to(stage.address(80)).is_err(), "somebody listens after the end");
    stage.run_web("fe1", "v1")?;
    stage.run_web("fe2", "v1")?;
    serve(stage)
}

/// `docker stop`, while a client keeps a connection open and says nothing.
fn stop(stage: &mut impl Stage) -> Result<()> {
    let mut idle = Connection::to(stage.address(80))?;
    ensure!(idle.get("/", "")?.status() == 200, "not served");
    let Stopped { status, after } = stage.stop_balancer()?;
    if !testing_reference() {
        ensure!(status.code() == Some(0), "ended with {status}");
        ensure!(after < Duration::from_secs(1), "took {after:?}");
        idle.expect_close()?;
    }
    Ok(())
}

fn wait_for_status(stage: &impl Stage, name: &str, wanted: &str) -> Result<()> {
    wait_until(name, wanted, || status(stage, name))
}

/// Asks until `name` is `wanted`. Checks come every 2 s and three must fail, each after 2 s without
/// an answer: longer than the harness is ready to wait for anything.
fn wait_until(name: &str, wanted: &str, mut ask: impl FnMut() -> Result<String>) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(30);
    let begin = Instant::now();
    // `UP 1/3`, `DOWN 1/2`: a server on its way; only the word alone is meant.
    while ask()? != wanted {
        ensure!(begin.elapsed() < LIMIT, "{name} is not {wanted} within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn status(stage: &impl Stage, name: &str) -> Result<String> {
    Ok(Page::csv(stage.address(8404))?.get("frontends", name, "status")?.to_owned())
}

/// What one `curl localhost` after the other shows.
fn versions(stage: &impl Stage, count: usize) -> Result<Vec<String>> {
    (0..count).map(|_| version(stage.address(80))).collect()
}

/// The version on the page that one new client gets.
pub fn version(address: SocketAddr) -> Result<String> {
    version_within(address, PATIENCE)
}

fn version_within(address: SocketAddr, patience: Duration) -> Result<String> {
    let mut connection = Connection::to(address)?;
    connection.set_patience(patience);
    let answer = connection.get("/", "Connection: close\r\n")?;
    ensure!(answer.status() == 200, "answered {}", answer.start);
    let text = answer.text();
    let version = ["v1", "v2"].into_iter().find(|version| text.contains(version));
    version.map(str::to_owned).with_context(|| format!("no version in {text:?}"))
}
