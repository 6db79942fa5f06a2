//! The rows of the table: what each one does with a proxy, and what it must reach.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::arguments::Arguments;
use crate::rig::config;
use crate::rig::cpus::Split;
use crate::rig::lists::Lists;
use crate::rig::proxy::{Kind, Program, Proxy, free_port};
use crate::rig::traffic::{Answer, Connections, Timing, Traffic, Work};
use crate::rig::usage::{Cpu, resident};

pub struct Row {
    pub name: &'static str,
    pub title: &'static str,
    /// What `Sample::cost` counts.
    pub unit: &'static str,
    pub target: Target,
    rounds: usize,
    act: Act,
}

/// At most this, of our cost.
pub enum Target {
    /// Divided by the reference's.
    Ratio(f64),
    Absolute(f64),
}

enum Act {
    /// Load on one process that stays for all rounds.
    Load {
        answer: Answer,
        connections: Connections,
        at_once: usize,
        requests: usize,
        tcp: bool,
    },
    /// The same under this configuration.
    Configured {
        config: fn(config::Places) -> String,
        answer: Answer,
        at_once: usize,
        requests: usize,
    },
    Rest,
    CheckLarge,
    FirstAnswer,
    /// Load on one process whose rules and maps decide about each request.
    Lists {
        lists: Lists,
        at_once: usize,
        requests: usize,
    },
    /// Resident memory of one process with these maps.
    Memory(Lists),
}

/// One program in one round.
pub struct Sample {
    pub cost: f64,
    /// Of `cost`, if that is CPU time: user, system.
    pub split: Option<(f64, f64)>,
    /// Requests a second, p50 and p99 in µs.
    pub load: Option<(f64, f64, f64)>,
    /// Time on the wall in ms, where `cost` is CPU time of a whole process.
    pub wall: Option<f64>,
}

/// All rounds of one program, or why there are none.
pub type Measured = Result<Vec<Sample>>;

const fn load(answer: Answer, connections: Connections, at_once: usize, requests: usize) -> Act {
    Act::Load { answer, connections, at_once, requests, tcp: false }
}

pub const ROWS: &[Row] = &[
    Row {
        name: "keep-alive",
        title: "64 kept-alive connections, small answer",
        unit: "µs CPU/request",
        target: Target::Ratio(0.88),
        rounds: 9,
        act: load(Answer::Small, Connections::Reused, 64, 24_000),
    },
    Row {
        name: "close",
        title: "a new connection for each request, 64 at once",
        unit: "µs CPU/request",
        target: Target::Ratio(0.95),
        rounds: 9,
        act: load(Answer::Small, Connections::Fresh, 64, 6_000),
    },
    Row {
        name: "large-http",
        title: "1 MiB answers in HTTP mode, 8 at once",
        unit: "µs CPU/answer",
        target: Target::Ratio(0.75),
        rounds: 25,
        act: load(Answer::OneMebibyte, Connections::Reused, 8, 300),
    },
    Row {
        name: "large-tcp",
        title: "1 MiB answers in TCP mode, 8 at once",
        unit: "µs CPU/answer",
        target: Target::Ratio(0.95),
        rounds: 25,
        act: Act::Load {
            answer: Answer::OneMebibyte,
            connections: Connections::Reused,
            at_once: 8,
            requests: 300,
            tcp: true,
        },
    },
    Row {
        name: "rest",
        title: "4,000 kept-alive connections at rest, each after one request",
        unit: "kB/connection",
        target: Target::Absolute(1.25),
        rounds: 3,
        act: Act::Rest,
    },
    Row {
        name: "check-large",
        title: "-c on 2,000 backends of 10 servers, 2,000 use_backend lines",
        unit: "ms CPU",
        target: Target::Ratio(0.8),
        rounds: 7,
        act: Act::CheckLarge,
    },
    Row {
        name: "first-answer",
        title: "the HA example: start to first answer",
        unit: "ms",
        target: Target::Ratio(1.0),
        rounds: 15,
        act: Act::FirstAnswer,
    },
    Row {
        name: "rules",
        title: "6 ACLs with expressions and lists, 8 header rules, variables, httplog over UDP",
        unit: "µs CPU/request",
        target: Target::Ratio(0.75),
        rounds: 9,
        act: lists(Lists::Usual, 64, 12_000),
    },
    Row {
        name: "use-backend",
        title: "10,000 use_backend lines, the last one applies",
        unit: "µs CPU/request",
        target: Target::Ratio(0.10),
        rounds: 5,
        act: lists(Lists::UseBackend, 16, 1_500),
    },
    Row {
        name: "substrings",
        title: "an ACL file of 100,000 substrings (-m sub -f)",
        unit: "µs CPU/request",
        target: Target::Ratio(0.01),
        rounds: 3,
        act: lists(Lists::Substrings, 64, 900),
    },
    Row {
        name: "map-str",
        title: "map_str with 1,000,000 entries",
        unit: "µs CPU/request",
        target: Target::Ratio(0.9),
        rounds: 9,
        act: lists(Lists::MapStr, 64, 12_000),
    },
    Row {
        name: "map-beg",
        title: "map_beg with 1,000,000 entries",
        unit: "µs CPU/request",
        target: Target::Ratio(0.9),
        rounds: 9,
        act: lists(Lists::MapBeg, 64, 12_000),
    },
    Row {
        name: "map-ip",
        title: "map_ip with 1,000,000 entries",
        unit: "µs CPU/request",
        target: Target::Ratio(0.9),
        rounds: 9,
        act: lists(Lists::MapIp, 64, 12_000),
    },
    Row {
        name: "gzip",
        title: "gzip of a page of 100 kB, 16 at once",
        unit: "µs CPU/answer",
        target: Target::Ratio(0.8),
        rounds: 9,
        act: Act::Configured {
            config: config::gzip,
            answer: Answer::Page,
            at_once: 16,
            requests: 1_500,
        },
    },
    Row {
        name: "cache",
        title: "64 kept-alive connections, a small answer from the cache",
        unit: "µs CPU/request",
        target: Target::Ratio(0.8),
        rounds: 9,
        act: Act::Configured {
            config: config::cached,
            answer: Answer::Small,
            at_once: 64,
            requests: 24_000,
        },
    },
    Row {
        name: "map-memory",
        title: "map_str, map_beg and map_ip with 1,000,000 entries each",
        unit: "MB resident",
        target: Target::Ratio(1.0),
        rounds: 1,
        act: Act::Memory(Lists::Maps),
    },
];

const fn lists(lists: Lists, at_once: usize, requests: usize) -> Act {
    Act::Lists { lists, at_once, requests }
}

/// Everything a row needs: the programs in the order of the columns, and the load.
pub struct Bench {
    pub programs: Vec<Program>,
    pub cpus: Split,
    pub traffic: Traffic,
    pub log: UdpSocket,
    pub folder: PathBuf,
}

impl Bench {
    /// Round by round, each program once a round, in turn.
    pub fn measure(&mut self, row: &Row, arguments: &Arguments) -> Vec<Measured> {
        let usual = if arguments.quick { (row.rounds / 3).max(1) } else { row.rounds };
        let rounds = arguments.rounds.unwrap_or(usual);
        let programs = self.programs.clone();
        let mut running: Vec<Option<Proxy>> = programs.iter().map(|_| None).collect();
        let mut measured: Vec<Measured> = programs.iter().map(|_| Ok(Vec::new())).collect();
        for _ in 0..rounds {
            for (at, program) in programs.iter().enumerate() {
                let Ok(samples) = &mut measured[at] else { continue };
                match self.sample(row, program, &mut running[at], arguments.quick) {
                    Ok(sample) => samples.push(sample),
                    Err(error) => measured[at] = Err(error),
                }
            }
        }
        self.traffic.hang_up();
        measured
    }

    fn sample(
        &mut self,
        row: &Row,
        program: &Program,
        running: &mut Option<Proxy>,
        quick: bool,
    ) -> Result<Sample> {
        match &row.act {
            Act::Load { answer, connections, at_once, requests, tcp } => {
                ensure!(!tcp || program.kind == Kind::Haproxy, "not configured");
                let proxy = match running {
                    Some(proxy) => proxy,
                    None => running.insert(program.start(
                        self.traffic.origin,
                        &self.folder,
                        &self.cpus,
                    )?),
                };
                let to = if *tcp { proxy.at.tcp } else { proxy.at.http };
                let requests = if quick { requests / 3 } else { *requests };
                let (answer, connections, at_once) = (*answer, *connections, *at_once);
                self.load(proxy.pid(), Work { to, answer, connections, at_once, requests })
            }
            Act::Configured { config, answer, at_once, requests } => {
                ensure!(program.kind == Kind::Haproxy, "not configured");
                let proxy = match running {
                    Some(proxy) => proxy,
                    None => {
                        let write = |at, _: &_| Ok(config(at));
                        let origin = self.traffic.origin;
                        running.insert(program.start_with(
                            origin,
                            &self.folder,
                            &self.cpus,
                            write,
                        )?)
                    }
                };
                let requests = if quick { requests / 3 } else { *requests };
                let (to, connections) = (proxy.at.http, Connections::Reused);
                let (answer, at_once) = (*answer, *at_once);
                self.load(proxy.pid(), Work { to, answer, connections, at_once, requests })
            }
            Act::Rest => self.rest(program),
            Act::CheckLarge => self.check_large(program),
            Act::FirstAnswer => self.first_answer(program),
            Act::Lists { lists, at_once, requests } => {
                let proxy = match running {
                    Some(proxy) => proxy,
                    None => running.insert(self.start_lists(*lists, program)?),
                };
                let work = Work {
                    to: proxy.at.http,
                    answer: Answer::Small,
                    connections: Connections::Reused,
                    at_once: *at_once,
                    requests: if quick { requests / 3 } else { *requests },
                };
                self.traffic.varied = lists.requests();
                let sample = self.load(proxy.pid(), work);
                self.traffic.varied.clear();
                sample
            }
            Act::Memory(lists) => {
                let proxy = self.start_lists(*lists, program)?;
                let cost = resident(proxy.pid())? / 1024.0;
                Ok(Sample { cost, split: None, load: None, wall: None })
            }
        }
    }

    fn start_lists(&self, lists: Lists, program: &Program) -> Result<Proxy> {
        ensure!(program.kind == Kind::Haproxy, "not configured");
        let log = self.log.local_addr()?;
        // The files are the same for all.
        let files = &self.folder;
        program.start_with(self.traffic.origin, &self.folder, &self.cpus, |at, _| {
            lists.config(at, files, log)
        })
    }

    fn load(&mut self, pid: u32, work: Work) -> Result<Sample> {
        let warm_up = Work { requests: work.at_once * 2, ..work };
        self.traffic.run(&warm_up)?;
        let before = Cpu::of(pid)?;
        let Timing { elapsed, p50, p99 } = self.traffic.run(&work)?;
        let cpu = (Cpu::of(pid)? - before).per(work.requests);
        Ok(Sample {
            cost: cpu.total,
            split: Some((cpu.user, cpu.system)),
            load: Some((work.requests as f64 / elapsed.as_secs_f64(), p50, p99)),
            wall: None,
        })
    }

    fn rest(&mut self, program: &Program) -> Result<Sample> {
        const CONNECTIONS: usize = 4000;
        let proxy = program.start(self.traffic.origin, &self.folder, &self.cpus)?;
        let work = |connections, requests| Work {
            to: proxy.at.http,
            answer: Answer::Small,
            connections,
            at_once: 16,
            requests,
        };
        self.traffic.run(&work(Connections::Reused, 2000))?;
        let before = resident(proxy.pid())?;
        self.traffic.run(&work(Connections::Held, CONNECTIONS))?;
        let after = resident(proxy.pid())?;
        self.traffic.hang_up();
        let cost = (after - before) / CONNECTIONS as f64;
        Ok(Sample { cost, split: None, load: None, wall: None })
    }

    fn check_large(&mut self, program: &Program) -> Result<Sample> {
        ensure!(program.kind == Kind::Haproxy, "not configured");
        let file = self.folder.join("large.cfg");
        if !file.exists() {
            std::fs::write(&file, config::large())?;
        }
        let mut command = program.command(&file);
        command.arg("-c").stdout(Stdio::piped()).stderr(Stdio::piped());
        let before = Cpu::of_children()?;
        let begin = Instant::now();
        let output = self.cpus.spawn_on_proxy_side(|| command.output())??;
        let wall = begin.elapsed().as_secs_f64() * 1e3;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let valid = output.status.success() && said.contains("Configuration file is valid");
        ensure!(valid, "-c says: {}", said.lines().take(5).collect::<Vec<_>>().join(" "));
        let cpu = (Cpu::of_children()? - before).per(1000);
        let split = Some((cpu.user, cpu.system));
        Ok(Sample { cost: cpu.total, split, load: None, wall: Some(wall) })
    }

    fn first_answer(&mut self, program: &Program) -> Result<Sample> {
        ensure!(program.kind == Kind::Haproxy, "not configured");
        let (page, stats) = (free_port()?, free_port()?);
        let file = self.folder.join("ha_example.cfg");
        std::fs::write(&file, config::ha_example(page, stats, self.traffic.origin))?;
        let mut command = program.command(&file);
        command.stderr(Stdio::null());
        let begin = Instant::now();
        let child = self.cpus.spawn_on_proxy_side(|| command.spawn())?.context("starting")?;
        let origin = self.traffic.origin;
        let mut proxy = Proxy::of(child, config::Places { http: page, tcp: stats, origin });
        let elapsed = self.traffic.first_answer(page, begin, || proxy.ensure_running())?;
        Ok(Sample { cost: elapsed.as_secs_f64() * 1e3, split: None, load: None, wall: None })
    }
}
