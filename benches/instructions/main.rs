//! Instruction counts, which other processes do not disturb. In: a haproxy to count, under
//! valgrind's callgrind. Out: instructions for `-c` on two configurations and for one request, ours
//! beside a reference. `cargo bench --bench instructions -- --help` says the rest.

#[path = "../rig/mod.rs"]
mod rig;

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use rig::config::{self, Places};
use rig::proxy::{Program, Proxy, free_port};
use rig::traffic::{Answer, Connections, Traffic, Work};

const USAGE: &str = "\
cargo bench --bench instructions -- [OPTION…]
  --binary PATH      this haproxy instead of the release binary of this project
  --reference PATH   what it is compared to (default /usr/sbin/haproxy)
  --keep FOLDER      keep callgrind's files there, for callgrind_annotate";

/// Requests are counted as the difference between `2 * REQUESTS` and `REQUESTS` of them.
const REQUESTS: usize = 1000;

struct Arguments {
    binary: Option<PathBuf>,
    reference: PathBuf,
    keep: Option<PathBuf>,
}

/// One line of the table.
struct Row {
    title: &'static str,
    count: fn(&mut Counter, &Program) -> Result<f64>,
}

const ROWS: &[Row] = &[
    Row { title: "-c, the HA example", count: |counter, program| counter.check_example(program) },
    Row {
        title: "-c, 2,000 backends of 10 servers",
        count: |counter, program| counter.check_large(program),
    },
    Row {
        title: "request, kept alive, small answer",
        count: |counter, program| counter.per_request(program, Connections::Reused, Answer::Small),
    },
    Row {
        title: "request, new connection, small answer",
        count: |counter, program| counter.per_request(program, Connections::Fresh, Answer::Small),
    },
    Row {
        title: "request, kept alive, 1 MiB answer",
        count: |counter, program| {
            counter.per_request(program, Connections::Reused, Answer::OneMebibyte)
        },
    },
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Some(arguments) = arguments(std::env::args().skip(1))? else { return Ok(()) };
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("instructions: valgrind is not installed, nothing was counted");
        return Ok(());
    }
    let folder = std::env::temp_dir().join(format!("haproxy-instructions-{}", std::process::id()));
    std::fs::create_dir_all(arguments.keep.as_ref().unwrap_or(&folder))?;
    std::fs::create_dir_all(&folder)?;
    let ours = match &arguments.binary {
        Some(path) => Program::haproxy("--binary", path),
        None => Program::haproxy("haproxy-rs", Path::new(env!("CARGO_BIN_EXE_haproxy"))),
    };
    let reference = Program::reference(&arguments.reference);
    if reference.is_none() {
        println!("no haproxy at {}: no ratios", arguments.reference.display());
    }
    let outputs = arguments.keep.unwrap_or(folder.clone());
    let mut counter =
        Counter { traffic: Traffic::new()?, folder: folder.clone(), outputs, runs: 0 };
    print_table(&mut counter, &ours, reference.as_ref());
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>> {
    let mut arguments =
        Arguments { binary: None, reference: "/usr/sbin/haproxy".into(), keep: None };
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            // What `cargo bench` itself adds.
            "--bench" => {}
            "--binary" => arguments.binary = Some(value()?.into()),
            "--reference" => arguments.reference = value()?.into(),
            "--keep" => arguments.keep = Some(value()?.into()),
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(None);
            }
            _ => bail!("unknown word {word:?}; --help lists them"),
        }
    }
    Ok(Some(arguments))
}

fn print_table(counter: &mut Counter, ours: &Program, reference: Option<&Program>) {
    let other = reference.map_or("no reference", |reference| reference.name.as_str());
    println!("{:<40} {:>14} {:>16} {:>6}", "instructions in user space", ours.name, other, "ratio");
    for row in ROWS {
        let mine = (row.count)(counter, ours);
        let theirs = reference.map(|reference| (row.count)(counter, reference));
        let ratio = match (&mine, &theirs) {
            (Ok(mine), Some(Ok(theirs))) => format!("{:.2}", mine / theirs),
            _ => "-".into(),
        };
        let theirs = theirs.map_or("-".into(), |theirs| told(&theirs));
        println!("{:<40} {:>14} {theirs:>16} {ratio:>6}", row.title, told(&mine));
        if let Err(error) = mine {
            println!("    ours was not counted: {error:#}");
        }
    }
}

fn told(count: &Result<f64>) -> String {
    count.as_ref().map_or("failed".into(), |count| format!("{count:.0}"))
}

/// Runs programs under callgrind and reads what it counted.
struct Counter {
    traffic: Traffic,
    folder: PathBuf,
    outputs: PathBuf,
    runs: usize,
}

impl Counter {
    fn check_example(&mut self, program: &Program) -> Result<f64> {
        let text = config::ha_example(free_port()?, free_port()?, self.traffic.origin);
        self.check(program, &text)
    }

    fn check_large(&mut self, program: &Program) -> Result<f64> {
        self.check(program, &config::large())
    }

    fn check(&mut self, program: &Program, text: &str) -> Result<f64> {
        let file = self.folder.join("check.cfg");
        std::fs::write(&file, text)?;
        let (mut command, log) = self.under_callgrind(program, &file);
        let output = command.arg("-c").stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        ensure!(said.contains("Configuration file is valid"), "-c says: {said}");
        collected(&log)
    }

    fn per_request(
        &mut self,
        program: &Program,
        connections: Connections,
        answer: Answer,
    ) -> Result<f64> {
        let requests = if answer == Answer::Small { REQUESTS } else { REQUESTS / 20 };
        let once = self.serve(program, connections, answer, requests)?;
        let twice = self.serve(program, connections, answer, requests * 2)?;
        Ok((twice - once) / requests as f64)
    }

    /// All instructions of a process that answered `requests` requests, start and end included.
    fn serve(
        &mut self,
        program: &Program,
        connections: Connections,
        answer: Answer,
        requests: usize,
    ) -> Result<f64> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let at = Places { http: free_port()?, tcp: free_port()?, origin: self.traffic.origin };
        let file = self.folder.join("serve.cfg");
        std::fs::write(&file, config::haproxy(at))?;
        let (mut command, log) = self.under_callgrind(program, &file);
        let mut proxy = Proxy::of(command.spawn()?, at);
        let to: SocketAddr = at.http;
        proxy.wait_for(to, PATIENCE)?;
        self.traffic.run(&Work { to, answer, connections, at_once: 1, requests })?;
        proxy.finish(PATIENCE)?;
        collected(&log)
    }

    fn under_callgrind(&mut self, program: &Program, file: &Path) -> (Command, PathBuf) {
        self.runs += 1;
        let log = self.outputs.join(format!("{}.log", self.runs));
        let plain = program.command(file);
        let mut command = Command::new("valgrind");
        command
            .arg("--tool=callgrind")
            .arg(format!("--log-file={}", log.display()))
            .arg(format!("--callgrind-out-file={}/{}.out", self.outputs.display(), self.runs))
            .arg(plain.get_program())
            .args(plain.get_args())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        match File::create(self.folder.join("stderr")) {
            Ok(file) => command.stderr(file),
            Err(_) => command.stderr(Stdio::null()),
        };
        (command, log)
    }
}

/// The total at the end of callgrind's log.
fn collected(log: &Path) -> Result<f64> {
    let text = std::fs::read_to_string(log)?;
    let line = text.lines().rev().find_map(|line| line.split_once("Collected : "));
    let (_, count) = line.context("callgrind wrote no total")?;
    Ok(count.trim().parse()?)
}
