//! One command run to its end.

use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, ensure};

/// How a command ended and what it wrote.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// Runs it to its end, whatever that is.
pub fn finish(command: &mut Command) -> Result<Finished> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    Ok(Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs it to its end, which must be exit status 0.
pub fn run(command: &mut Command) -> Result<Finished> {
    let finished = finish(command)?;
    let Finished { status, stdout, stderr } = &finished;
    ensure!(status.success(), "{command:?} ended with {status}: {stdout}{stderr}");
    Ok(finished)
}
