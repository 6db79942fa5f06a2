//! A machine: one process with a name, an address, process numbers and an `/etc/hosts` of its own,
//! as a container has them. In: its command. Out: its end.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Finished, Lan, finish};
use crate::harness::PATIENCE;

/// Waits for its network before it becomes the command, so that the command finds it complete.
const FIRST: &str = "mount --bind \"$1\" /etc/hosts && hostname \"$2\" && shift 2 && echo && read go && exec \"$@\"";

/// A running machine. Dropping it takes it away as `docker rm -f` would.
pub struct Machine {
    outer: Child,
    first: i32,
    log: PathBuf,
}

/// The end of a machine's first process.
#[derive(Clone, Copy, Debug)]
pub struct Stopped {
    /// Its exit status.
    pub status: ExitStatus,
    /// How long that took.
    pub after: Duration,
}

impl Machine {
    /// Starts `command` as the first process of a machine called `name` at the address of `host`.
    /// `hosts` is its `/etc/hosts`; what it says goes to `NAME.log` beside that file.
    pub fn start(
        lan: &Lan,
        name: &str,
        host: u8,
        hosts: &Path,
        command: &[&str],
    ) -> Result<Machine> {
        let log = hosts.with_file_name(format!("{name}.log"));
        let said = File::options().create(true).append(true).open(&log)?;
        let mut outer = Command::new("unshare")
            .args(["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", FIRST, "sh"])
            .arg(hosts)
            .arg(name)
            // Its standard output is the pipe on which it says that it is there; then it is the log.
            .args(["sh", "-c", "exec \"$@\" >&2", "sh"])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .context("unshare")?;
        let there = outer.stdout.take().context("no stdout")?;
        BufReader::new(there).read_line(&mut String::new())?;
        let first = only_child(outer.id()).with_context(|| format!("no machine {name}"))?;
        let mut go = outer.stdin.take().context("no stdin")?;
        let machine = Machine { outer, first, log };
        lan.join(first, host)?;
        writeln!(go)?;
        Ok(machine)
    }

    /// Runs a command in it to its end.
    pub fn run(&self, command: &[&str]) -> Result<Finished> {
        let first = self.first.to_string();
        let within = ["-t", &first, "--net", "--mount", "--uts", "--pid"];
        finish(Command::new("nsenter").args(within).args(command))
    }

    /// Sends `signal` to its first process and waits for the end, as `docker stop` does.
    pub fn stop(mut self, signal: Signal) -> Result<Stopped> {
        let begin = Instant::now();
        kill(Pid::from_raw(self.first), signal)?;
        loop {
            if let Some(status) = self.outer.try_wait()? {
                return Ok(Stopped { status, after: begin.elapsed() });
            }
            if begin.elapsed() > PATIENCE * 2 {
                bail!("still there {:?} after {signal}", begin.elapsed());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// What it has written so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The end of a process namespace's first process is the end of all in it.
        let _ = kill(Pid::from_raw(self.first), Signal::SIGKILL);
        let _ = self.outer.wait();
    }
}

fn only_child(pid: u32) -> Result<i32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(children.trim().parse()?)
}
