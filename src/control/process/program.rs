//! This program starts itself again, as a worker.
//!
//! In: the command line it was started with. Out: a child, running what stands on disk under the program's name.

use super::worker::CHANNEL;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// The program's file, and what it was like when the process was started.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    identity: Option<Identity>,
    words: Vec<OsString>,
}

/// The running program, whatever its file is called by now, or gone.
const OWN: &str = "/proc/self/exe";

/// Device, inode, size and time of change: another file, or the same one rewritten, differs.
type Identity = (u64, u64, u64, i64);

impl Program {
    /// The running program; where no /proc is mounted, what the command line calls it.
    pub fn own() -> Self {
        let words: Vec<OsString> = std::env::args_os().collect();
        let called = words.first().map(PathBuf::from).unwrap_or_default();
        let path = std::env::current_exe().unwrap_or(called);
        let identity = identity(Path::new(OWN)).or_else(|| identity(&path));
        Self { path, identity, words }
    }

    /// Whether another program stands in its place by now.
    pub fn was_replaced(&self) -> bool {
        let now = identity(&self.path);
        now.is_some() && now != self.identity
    }

    /// What stands there now is the program that runs.
    pub fn accept_replacement(&mut self) {
        self.identity = identity(&self.path).or(self.identity);
    }

    /// Starts a worker with its end of the channel: a replaced program if there is one, otherwise this
    /// very one, even if its file is gone.
    ///
    /// # Errors
    /// The system gives no process.
    pub fn start_worker(&self, channel: &OwnedFd) -> io::Result<Child> {
        let own = Path::new(OWN);
        let path = if self.was_replaced() || !own.exists() { &self.path } else { own };
        let mut command = Command::new(path);
        if let Some((name, rest)) = self.words.split_first() {
            command.arg0(name).args(rest);
        }
        command.env(CHANNEL, channel.as_raw_fd().to_string());
        keep_open(channel, true)?;
        let child = command.spawn();
        keep_open(channel, false)?;
        child
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let data = fs::metadata(path).ok()?;
    Some((data.dev(), data.ino(), data.size(), data.mtime()))
}

/// Whether a program that is started keeps the descriptor. There is one thread only, so nothing else is
/// started in between.
fn keep_open(fd: &OwnedFd, keep: bool) -> io::Result<()> {
    let flags = if keep { FdFlag::empty() } else { FdFlag::FD_CLOEXEC };
    Ok(fcntl(fd.as_fd(), FcntlArg::F_SETFD(flags)).map(drop)?)
}
