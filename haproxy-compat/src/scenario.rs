//! A scenario: a configuration and a script for both its ends; and the run of it on one binary.
//!
//! Servers and receivers are made by the names the configuration uses:
//!
//! | name | what stands there |
//! |---|---|
//! | `{s1}`, `{s2}` … | a scripted server, driven by the steps |
//! | `{web1}`, `{web2}` … | an HTTP server that answers 200 with its name |
//! | `{dead}` | a port on which nothing listens |
//! | `{log}` | a UDP log receiver |

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};

use crate::harness::{
    Connection, Dns, Ending, Message, Port, Proxy, Server, Syslog, Web, template,
};
use crate::mask::Mask;

/// How long a step may take; a proxy that does not answer is an observation, not a hang.
const PATIENCE: Duration = Duration::from_secs(4);

/// One entry of a family's table.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// `family/what`.
    pub name: &'static str,
    /// Text before [`Scenario::config`], shared by a family.
    pub base: &'static str,
    /// The configuration, with `{name}`s.
    pub config: &'static str,
    /// Files in the proxy's folder (`{dir}`): name and content.
    pub files: &'static [(&'static str, &'static str)],
    /// The script.
    pub steps: &'static [Step],
    /// Why ours is meant to differ from 2.3 here; empty when it is not.
    pub deliberate: &'static str,
    /// What releases after 2.3 do otherwise here, where ours does as 2.3; empty when nothing.
    pub later: &'static str,
    /// Whether only a reference with OpenSSL knows the names.
    pub openssl: bool,
}

/// One step of a script. What it brings is recorded.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Runs the binary to its end with these arguments, and records output and exit status.
    Run(&'static [&'static str]),
    /// What the steps up to the next note are about; told with what is seen.
    Note(&'static str),
    /// Opens another client connection, to the address of this name. The first is to `{fe}`.
    Connect(&'static str),
    /// A client connects to this name and is refused without a byte, before or after it knows it is connected.
    Refused(&'static str),
    /// The client sends.
    Send(&'static str),
    /// The client reads one response to a GET.
    Response,
    /// The client reads one response to a request with this method.
    ResponseTo(&'static str),
    /// The client reads one response to a GET, whose body is recorded as it was before it was compressed:
    /// two compressors need not agree on their bytes.
    Decoded,
    /// The client reads this many bytes.
    Bytes(usize),
    /// The client reads until the end.
    End,
    /// The client says that it sends nothing more.
    HalfClose,
    /// The client resets.
    Reset,
    /// The client closes.
    Close,
    /// The server of this name accepts a connection, which becomes the current one.
    Accept(&'static str),
    /// The current server connection (accepted at `{s1}` if there is none) reads one request.
    Request,
    /// The same, but only its head.
    RequestHead,
    /// The server reads this many bytes.
    ServerBytes(usize),
    /// The server sends.
    Answer(&'static str),
    /// The server reads until the end.
    ServerEnd,
    /// The server says that it sends nothing more.
    ServerHalfClose,
    /// The server closes.
    ServerClose,
    /// The server resets.
    ServerReset,
    /// Waits for the next log line.
    Log,
    /// Asks the runtime socket (`stats socket {cli}`).
    Cli(&'static str),
    /// Waits until a field of the statistics has a value: proxy, name, column, value.
    Until(&'static str, &'static str, &'static str, &'static str),
    /// Records these columns of one row of the statistics: proxy, name, columns.
    Stat(&'static str, &'static str, &'static [&'static str]),
}

/// What was seen, in order, masked: who saw it (and what it is about, in brackets), and what.
pub type Record = Vec<(String, String)>;

impl Scenario {
    /// Runs the scenario on `binary`. An error means that the scenario itself could not be set up;
    /// a proxy that misbehaves shows in the record.
    pub fn run(&self, binary: &Path) -> Result<Record> {
        let text = format!("{}{}", self.base, self.config);
        let zone = self.files.iter().find(|(name, _)| *name == "zone").map_or("", |(_, text)| text);
        let mut stage = Stage::new(&text, zone)?;
        let mut builder = Proxy::config(&text).binary(binary).quiet();
        for (name, address) in stage.addresses()? {
            builder = builder.name(&name, address);
        }
        for (name, content) in self.files {
            builder = builder.file(name, content)?;
        }
        if let Some(Step::Run(args)) = self.steps.first() {
            let finished = builder.args(args).run()?;
            return Ok(stage.finished(&finished));
        }
        match builder.start() {
            Ok(proxy) => {
                stage.mask = Mask::of(&proxy);
                stage.play(&proxy, self.steps);
            }
            Err(error) => stage.see("start", &messages(&format!("{error:#}"))),
        }
        Ok(stage.record)
    }
}

/// A response's head with its body, uncompressed and without framing, and its trailers.
fn decoded(response: &Message) -> Result<Vec<u8>> {
    let body = &response.body[..];
    let mut seen = response.head.clone();
    match response.header("content-encoding") {
        Some("gzip") => GzDecoder::new(body).read_to_end(&mut seen)?,
        Some("deflate") if body.first().is_some_and(|byte| byte & 15 == 8) => {
            ZlibDecoder::new(body).read_to_end(&mut seen)?
        }
        Some("deflate") => DeflateDecoder::new(body).read_to_end(&mut seen)?,
        _ => (&response.body[..]).read_to_end(&mut seen)?,
    };
    for (name, value) in &response.trailers {
        seen.extend_from_slice(format!("\r\n{name}: {value}").as_bytes());
    }
    Ok(seen)
}

/// What a process that did not start said: the lines of its stderr, out of its report.
fn messages(report: &str) -> String {
    let lines = report.lines().filter_map(|line| line.trim_start().strip_prefix("Stderr: "));
    let lines: Vec<&str> = lines.collect();
    if lines.is_empty() { report.to_owned() } else { lines.join("\n") }
}

/// The two ends of a running scenario.
struct Stage {
    servers: BTreeMap<String, Server>,
    webs: BTreeMap<String, Web>,
    dead: Option<Port>,
    log: Option<Syslog>,
    /// The name server `{dns}`, whose zone is the file `zone`.
    dns: Option<Dns>,
    lines_seen: usize,
    client: Option<Connection>,
    backend: Option<Connection>,
    mask: Mask,
    about: &'static str,
    record: Record,
}

impl Stage {
    fn new(text: &str, zone: &str) -> Result<Stage> {
        let mut stage = Stage {
            servers: BTreeMap::new(),
            webs: BTreeMap::new(),
            dead: text.contains("{dead}").then(Port::reserve).transpose()?,
            log: text.contains("{log}").then(Syslog::udp).transpose()?,
            dns: text.contains("{dns}").then(|| Dns::start(zone)).transpose()?,
            lines_seen: 0,
            client: None,
            backend: None,
            mask: Mask::default(),
            about: "",
            record: Record::new(),
        };
        for number in 1..=4 {
            let (server, web) = (format!("s{number}"), format!("web{number}"));
            if text.contains(&format!("{{{server}}}")) {
                stage.servers.insert(server, Server::listen()?);
            }
            if text.contains(&format!("{{{web}}}")) {
                let started = Web::start(&web)?;
                stage.webs.insert(web, started);
            }
        }
        Ok(stage)
    }

    fn addresses(&self) -> Result<template::Addresses> {
        let servers = self.servers.iter().map(|(name, server)| (name.clone(), server.address()));
        let webs = self.webs.iter().map(|(name, web)| (name.clone(), web.address()));
        let dead = self.dead.iter().map(|port| ("dead".to_owned(), port.address()));
        let mut all: template::Addresses = servers.chain(webs).chain(dead).collect();
        if let Some(log) = &self.log {
            all.insert("log".to_owned(), log.address()?);
        }
        if let Some(dns) = &self.dns {
            all.insert("dns".to_owned(), dns.address());
        }
        Ok(all)
    }

    fn finished(mut self, finished: &crate::harness::Finished) -> Record {
        self.see("stdout", &finished.stdout);
        self.see("stderr", &finished.stderr);
        self.see("exit", &finished.status.to_string());
        self.record
    }

    /// Plays the steps until one fails; the failure is the last thing recorded.
    fn play(&mut self, proxy: &Proxy, steps: &[Step]) {
        for step in steps {
            if let Err(error) = self.step(proxy, *step) {
                self.see("failed", &format!("{step:?}: {}", error.root_cause()));
                return;
            }
        }
    }

    fn step(&mut self, proxy: &Proxy, step: Step) -> Result<()> {
        match step {
            Step::Run(_) => anyhow::bail!("Run is a whole script"),
            Step::Refused(name) => {
                let answer = self.connect(proxy, name).ok().and_then(|()| self.client.take());
                let bytes = answer.map(|mut client| client.drain()).transpose()?;
                let bytes = bytes.map_or(Vec::new(), |(bytes, _)| bytes);
                self.see("client", &format!("refused after {} bytes", bytes.len()));
            }
            Step::Note(about) => self.about = about,
            Step::Connect(name) => self.connect(proxy, name)?,
            Step::Cli(command) => {
                let answer = proxy.cli_socket().ask(command)?;
                self.see("cli", &answer);
            }
            Step::Log => {
                let line = self.next_log_line()?;
                self.see("log", &line);
            }
            Step::Until(proxy_name, name, column, value) => {
                proxy.wait_for_stat(proxy_name, name, column, value)?;
            }
            Step::Stat(proxy_name, name, columns) => {
                let stats = proxy.stats()?;
                for column in columns {
                    let value = stats.get(proxy_name, name, column)?.to_owned();
                    self.see("csv", &format!("{proxy_name}/{name} {column}={value}"));
                }
            }
            Step::Accept(_)
            | Step::Request
            | Step::RequestHead
            | Step::ServerBytes(_)
            | Step::Answer(_)
            | Step::ServerEnd
            | Step::ServerHalfClose
            | Step::ServerClose
            | Step::ServerReset => self.server_step(step)?,
            _ => self.client_step(proxy, step)?,
        }
        Ok(())
    }

    fn client_step(&mut self, proxy: &Proxy, step: Step) -> Result<()> {
        if self.client.is_none() {
            self.connect(proxy, "fe")?;
        }
        let client = self.client.as_mut().context("a client is connected")?;
        let seen = match step {
            Step::Send(bytes) => return client.send(bytes),
            Step::HalfClose => return client.half_close(),
            Step::Reset => return self.client.take().context("a client")?.reset(),
            Step::Close => {
                self.client = None;
                return Ok(());
            }
            Step::Response => client.response()?.raw,
            Step::ResponseTo(method) => client.response_to(method)?.raw,
            Step::Decoded => decoded(&client.response()?)?,
            Step::Bytes(count) => client.read_exactly(count)?,
            _ => {
                let (bytes, ending) = client.drain()?;
                return self.ended("client", &bytes, ending);
            }
        };
        self.see("client", &String::from_utf8_lossy(&seen));
        Ok(())
    }

    fn server_step(&mut self, step: Step) -> Result<()> {
        if let Step::Accept(name) = step {
            return self.accept(name);
        }
        if self.backend.is_none() {
            self.accept("s1")?;
        }
        let backend = self.backend.as_mut().context("a server connection")?;
        let seen = match step {
            Step::Answer(bytes) => return backend.send(bytes),
            Step::ServerHalfClose => return backend.half_close(),
            Step::ServerReset => return self.backend.take().context("a connection")?.reset(),
            Step::ServerClose => {
                self.backend = None;
                return Ok(());
            }
            Step::Request => backend.request()?.raw,
            Step::RequestHead => backend.head()?.raw,
            Step::ServerBytes(count) => backend.read_exactly(count)?,
            _ => {
                let (bytes, ending) = backend.drain()?;
                return self.ended("server", &bytes, ending);
            }
        };
        self.see("server", &String::from_utf8_lossy(&seen));
        Ok(())
    }

    fn connect(&mut self, proxy: &Proxy, name: &str) -> Result<()> {
        let mut client = proxy.connect(name)?;
        client.set_patience(PATIENCE);
        self.client = Some(client);
        Ok(())
    }

    fn accept(&mut self, name: &str) -> Result<()> {
        let server = self.servers.get(name).with_context(|| format!("no server {{{name}}}"))?;
        let accepted = server.accept_within(PATIENCE)?;
        let mut backend = accepted.with_context(|| format!("no connection to {{{name}}}"))?;
        backend.set_patience(PATIENCE);
        self.backend = Some(backend);
        Ok(())
    }

    fn next_log_line(&mut self) -> Result<String> {
        self.lines_seen += 1;
        let log = self.log.as_mut().context("the scenario has no {log}")?;
        let lines = log.wait_for(self.lines_seen)?;
        lines.get(self.lines_seen - 1).cloned().context("a log line")
    }

    fn ended(&mut self, who: &str, bytes: &[u8], ending: Ending) -> Result<()> {
        if !bytes.is_empty() {
            self.see(who, &String::from_utf8_lossy(bytes));
        }
        self.see(who, &format!("{ending:?}"));
        Ok(())
    }

    fn see(&mut self, who: &str, what: &str) {
        let masked = self.mask.apply(what);
        let about =
            if self.about.is_empty() { String::new() } else { format!(" ({})", self.about) };
        self.record.push((format!("{who}{about}"), masked));
    }
}
