//! Steps of a start, each of which may be the last: background, pid file, rights (management.txt 4;
//! manual 3.1 `chroot`, `daemon`, `pidfile`, `user`, `group`).
//!
//! In: the configuration and the command line. Out: the process as it is to run.

use super::args::Args;
use super::console;
use super::load::program;
use crate::config::global::Global;
use crate::config::process::ProcessSpec;
use crate::sys::{self, Fork};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{
    Gid, Pid, Uid, chdir, chroot, dup2_stderr, dup2_stdin, dup2_stdout, geteuid, getgroups, setgid,
    setgroups, setsid, setuid,
};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A process that may have left its terminal, but is not yet known to run.
#[derive(Debug, Default)]
pub struct Background {
    /// The other end is the process that was started, which waits for a byte.
    waiting: Option<io::PipeWriter>,
}

/// Goes to the background if asked to. The process that was started stays until the one in the background
/// [is up](Background::up) or has failed, and ends with its exit status.
///
/// # Errors
/// The system gives no process or pipe.
pub fn go_to_background(asked: bool) -> io::Result<Background> {
    if !asked {
        return Ok(Background::default());
    }
    let (mut read, write) = io::pipe()?;
    match sys::fork()? {
        Fork::Child => {
            drop(read);
            setsid()?;
            Ok(Background { waiting: Some(write) })
        }
        Fork::Parent { child } => {
            drop(write);
            let mut byte = [0];
            let up = read.read(&mut byte).is_ok_and(|length| length == 1);
            std::process::exit(if up { 0 } else { exit_status(child) });
        }
    }
}

fn exit_status(child: i32) -> i32 {
    match waitpid(Pid::from_raw(child), None) {
        Ok(WaitStatus::Exited(_, status)) => status,
        _ => 1,
    }
}

impl Background {
    /// Everything works: leaves the terminal and lets the starting process end.
    pub fn up(self) {
        if let Some(mut waiting) = self.waiting {
            leave_terminal();
            console::be_quiet();
            // The starting process may have been killed; then nobody waits.
            let _ = waiting.write_all(&[1]);
        }
    }
}

fn leave_terminal() {
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = dup2_stdin(&null);
        let _ = dup2_stdout(&null);
        let _ = dup2_stderr(&null);
    }
}

/// Whether the process goes to the background.
pub fn is_daemon(args: &Args, global: &Global) -> bool {
    (args.daemon || global.spec.daemon) && !args.foreground && !args.debug
}

/// Makes an empty pid file, which tells early if that is impossible. `None` if none is wanted.
///
/// # Errors
/// It cannot be made, which has been said.
pub fn open_pid_file(args: &Args, global: &Global) -> io::Result<Option<File>> {
    let configured = global.spec.pidfile.as_ref().map(PathBuf::from);
    let Some(path) = args.pid_file.clone().or(configured) else { return Ok(None) };
    let master_worker = args.master_worker || global.spec.master_worker;
    if !is_daemon(args, global) && !master_worker {
        return Ok(None);
    }
    let _ = fs::remove_file(&path);
    let mut options = OpenOptions::new();
    match options.write(true).create(true).truncate(true).mode(0o644).open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) => {
            let path = path.display();
            console::alert(format!("[{}.main()] Cannot create pidfile {path}", program()));
            Err(error)
        }
    }
}

/// Writes this process's number.
pub fn write_pid(file: Option<File>) {
    if let Some(mut file) = file {
        // A full disk is no reason not to serve.
        let _ = writeln!(file, "{}", std::process::id());
    }
}

/// Gives up root's rights: `chroot`, then group, then user, as far as configured. False when one of them
/// is impossible, which has been said.
pub fn drop_rights(global: &Global) -> bool {
    let spec = &global.spec;
    if let Some(root) = &spec.chroot
        && (chroot(Path::new(root)).is_err() || chdir("/").is_err())
    {
        console::alert(format!("[{}.main()] Cannot chroot({root}).", program()));
        return false;
    }
    if let Some(gid) = spec.gid.filter(|gid| *gid > 0) {
        let extra = getgroups().map_or(0, |groups| groups.len());
        if extra > 0 && setgroups(&[]).is_err() {
            console::warning(format!(
                "[{}.main()] Failed to drop supplementary groups. Using 'gid'/'group' without \
                 'uid'/'user' is generally useless.",
                program()
            ));
        }
        if setgid(Gid::from_raw(gid)).is_err() {
            console::alert(format!("[{}.main()] Cannot set gid {gid}.", program()));
            return false;
        }
    }
    if let Some(uid) = spec.uid.filter(|uid| *uid > 0)
        && setuid(Uid::from_raw(uid)).is_err()
    {
        console::alert(format!("[{}.main()] Cannot set uid {uid}.", program()));
        return false;
    }
    restrict(&spec.process);
    true
}

/// What no configuration needs is given up for good, unless it says otherwise: gaining rights by running
/// another program. A core may be dumped only on demand once the user is another one.
fn restrict(spec: &ProcessSpec) {
    if !spec.setuid_wanted && prctl::set_no_new_privs().is_err() {
        tracing::warn!("this system cannot keep programs from gaining rights");
    }
    if spec.dumpable && prctl::set_dumpable(true).is_err() {
        console::alert(format!(
            "[{}.main()] Failed to set the dumpable flag, no core will be dumped.",
            program()
        ));
    }
}

/// Whether this process could not load a configuration as it was loaded at its start: its root directory
/// or its user is another one now.
pub fn has_dropped_rights(global: &Global) -> bool {
    let spec = &global.spec;
    spec.chroot.is_some() || (spec.uid.is_some_and(|uid| uid > 0) && !geteuid().is_root())
}

/// Tells the processes of `-sf` or `-st` something; returns how many could be told.
pub fn tell_old(pids: &[i32], signal: Signal) -> usize {
    pids.iter().filter(|pid| kill(Pid::from_raw(**pid), signal).is_ok()).count()
}

/// What the old processes are told once the new one serves.
pub fn farewell(args: &Args) -> Signal {
    if args.terminate_old { Signal::SIGTERM } else { Signal::SIGUSR1 }
}
