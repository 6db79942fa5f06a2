//! A Docker engine for one test, in this thread's network, with images and containers of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Finished, finish, run};
use crate::harness::Folder;

/// A running engine. Dropping it ends its containers and removes all it kept.
pub struct Engine {
    daemon: Child,
    socket: String,
    folder: Folder,
}

impl Engine {
    /// Starts it and waits until it answers; an error says why it cannot run here.
    pub fn start() -> Result<Engine> {
        let folder = Folder::new();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let log = File::create(folder.make()?.join("log"))?;
        let socket = format!("unix://{}", path("socket"));
        let daemon = Command::new("dockerd")
            .args(["--host", &socket, "--data-root", &path("data"), "--exec-root", &path("exec")])
            .args(["--pidfile", &path("pid")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("dockerd")?;
        let mut engine = Engine { daemon, socket, folder };
        engine.wait_until_ready()?;
        Ok(engine)
    }

    /// Makes an image of a root folder.
    pub fn import(&self, root: &Path, tag: &str) -> Result<()> {
        let mut tar = Command::new("tar")
            .args(["--create", "--numeric-owner", "--directory"])
            .args([root, Path::new(".")])
            .stdout(Stdio::piped())
            .spawn()?;
        let archive = tar.stdout.take().context("no stdout")?;
        let output = self.docker(&["import", "-", tag]).stdin(archive).output()?;
        ensure!(tar.wait()?.success(), "tar failed");
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "docker import: {said}");
        Ok(())
    }

    /// `docker WORDS`, which must succeed.
    pub fn run(&self, words: &[&str]) -> Result<Finished> {
        run(&mut self.docker(words))
    }

    /// `docker WORDS`, however it ends.
    pub fn finish(&self, words: &[&str]) -> Result<Finished> {
        finish(&mut self.docker(words))
    }

    /// What makes a script's `docker` talk to this engine, with the builder that needs no plugin.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [("DOCKER_HOST", self.socket.clone()), ("DOCKER_BUILDKIT", "0".to_owned())]
    }

    fn docker(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.envs(self.environment()).args(words);
        command
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        const LIMIT: Duration = Duration::from_secs(30);
        let begin = Instant::now();
        while !self.finish(&["version"])?.status.success() {
            if let Some(status) = self.daemon.try_wait()? {
                bail!("dockerd ended with {status}: {}", self.last_words());
            }
            ensure!(begin.elapsed() < LIMIT, "dockerd does not answer: {}", self.last_words());
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let path: PathBuf = self.folder.path().join("log");
        let log = std::fs::read_to_string(path).unwrap_or_default();
        log.lines().rev().take(3).collect::<Vec<_>>().join(" | ")
    }

    fn remove_containers(&self) -> Result<()> {
        let all = self.finish(&["ps", "--all", "--quiet"])?.stdout;
        let mut words = vec!["rm", "-f"];
        words.extend(all.split_whitespace());
        if words.len() > 2 { self.run(&words).map(|_| ()) } else { Ok(()) }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.remove_containers();
        // It ends its containerd, and unmounts what it mounted.
        let _ = kill(Pid::from_raw(self.daemon.id() as i32), Signal::SIGTERM);
        let _ = self.daemon.wait();
    }
}
