//! A proxy process under measurement. In: which program, which configuration. Out: its process id
//! and where it listens; it ends when the value is dropped.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::rig::config::{self, Places};
use crate::rig::cpus::Split;

/// A program that can be measured.
#[derive(Clone)]
pub struct Program {
    pub name: String,
    pub path: PathBuf,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Haproxy,
    Nginx,
}

/// A running proxy; killed when dropped.
pub struct Proxy {
    pub at: Places,
    child: Child,
}

impl Program {
    pub fn haproxy(name: &str, path: &Path) -> Program {
        Program { name: name.into(), path: path.into(), kind: Kind::Haproxy }
    }

    /// The reference under `path` with its version in its name; none if it does not run here.
    pub fn reference(path: &Path) -> Option<Program> {
        let output = Command::new(path).arg("-v").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version =
            text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let version = version.split('-').next()?;
        Some(Program::haproxy(&format!("haproxy {version}"), path))
    }

    pub fn nginx(path: &Path) -> Option<Program> {
        let output = Command::new(path).arg("-v").output().ok()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let version = text.split_whitespace().find_map(|word| word.strip_prefix("nginx/"))?;
        Some(Program { name: format!("nginx {version}"), path: path.into(), kind: Kind::Nginx })
    }

    /// Starts it between `origin` and two free ports and waits until both accept.
    pub fn start(&self, origin: SocketAddr, folder: &Path, cpus: &Split) -> Result<Proxy> {
        let text = |at: Places, folder: &Path| {
            Ok(match self.kind {
                Kind::Haproxy => config::haproxy(at),
                Kind::Nginx => config::nginx(at, &folder.display().to_string()),
            })
        };
        self.start_with(origin, folder, cpus, text)
    }

    /// The same with a configuration of one's own.
    pub fn start_with(
        &self,
        origin: SocketAddr,
        folder: &Path,
        cpus: &Split,
        text: impl FnOnce(Places, &Path) -> Result<String>,
    ) -> Result<Proxy> {
        let at = Places { http: free_port()?, tcp: free_port()?, origin };
        let folder = folder.join(format!("{}-{}", self.name.replace(' ', "-"), at.http.port()));
        std::fs::create_dir_all(&folder)?;
        let text = text(at, &folder)?;
        let file = folder.join("proxy.cfg");
        std::fs::write(&file, text)?;
        let mut command = self.command(&file);
        command.stderr(File::create(folder.join("stderr"))?);
        let child = cpus.spawn_on_proxy_side(|| command.spawn())?;
        let child = child.with_context(|| format!("starting {}", self.path.display()))?;
        let mut proxy = Proxy { at, child };
        proxy.wait_for(at.http, Duration::from_secs(20)).with_context(|| {
            let said = std::fs::read_to_string(folder.join("stderr")).unwrap_or_default();
            format!("{} does not listen; it said: {said}", self.name)
        })?;
        Ok(proxy)
    }

    /// In the foreground, as one process, under the configuration `file`.
    pub fn command(&self, file: &Path) -> Command {
        let mut command = Command::new(&self.path);
        match self.kind {
            Kind::Haproxy => command.arg("-db").arg("-f").arg(file),
            Kind::Nginx => command.arg("-c").arg(file).arg("-e").arg("stderr"),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

impl Proxy {
    pub fn of(child: Child, at: Places) -> Proxy {
        Proxy { at, child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn wait_for(&mut self, at: SocketAddr, patience: Duration) -> Result<()> {
        let begin = Instant::now();
        while TcpStream::connect(at).is_err() {
            self.ensure_running()?;
            ensure!(begin.elapsed() < patience, "nobody listens on {at}");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// An error with its exit status once it has ended.
    pub fn ensure_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("ended at once: {status}"),
            None => Ok(()),
        }
    }

    /// Asks it to end with `TERM` and waits for that.
    pub fn finish(mut self, patience: Duration) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid())?), Signal::SIGTERM)?;
        let begin = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(begin.elapsed() < patience, "does not end after TERM");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of 127.0.0.1 that nobody listens on now.
pub fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
