//! The master: keeps its rights, loads and checks configurations, and watches over the worker that serves
//! (management.txt 4, master-worker).
//!
//! In: the command line, signals, commands of the master socket. Out: a worker with a configuration that has
//! been checked, and the exit status. At a reload a live worker is given the new configuration; only what it
//! cannot change in itself needs a new worker.

use super::args::Args;
use super::channel::{Channel, Frame, Kind};
use super::master_cli::{self, Request};
use super::program::Program;
use super::signals::Signals;
use super::{console, load, start, systemd};
use crate::config::outside::{Bundle, Recording, Sockets};
use crate::state::world::World;
use crate::sys;
use nix::libc::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;
use tokio::sync::mpsc;

/// How the exit status of a process killed by `SIGTERM` reads, which counts as a wanted end.
const TERMINATED: i32 = 128 + SIGTERM;

/// What a running worker cannot change in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fixed {
    uid: Option<u32>,
    gid: Option<u32>,
    chroot: Option<String>,
    threads: usize,
}

/// What the configuration says of workers that are not the newest.
#[derive(Debug, Clone, Copy)]
struct Habits {
    /// `mworker-max-reloads`: how many reloads one may live through.
    max_reloads: Option<u32>,
    /// Whether the end of one by mistake ends all (without `no-exit-on-failure`).
    exit_on_failure: bool,
}

impl Habits {
    fn of(world: &World) -> Habits {
        let spec = &world.global.spec.process;
        Habits { max_reloads: spec.max_reloads, exit_on_failure: !spec.no_exit_on_failure }
    }
}

impl Fixed {
    fn of(world: &World) -> Self {
        let spec = &world.global.spec;
        let threads = world.global.threads;
        Self { uid: spec.uid, gid: spec.gid, chroot: spec.chroot.clone(), threads }
    }
}

/// A worker process.
#[derive(Debug)]
pub struct Worker {
    pub pid: i32,
    pub started: Instant,
    /// Reloads that it has lived through.
    pub reloads: u32,
    /// Serves; otherwise it finishes what it had begun.
    pub current: bool,
    channel: Channel,
}

/// What the main loop hears of.
#[derive(Debug)]
pub enum Event {
    Frame(i32, Frame),
    /// A worker's end of the channel is closed.
    Closed(i32),
    Command(Request),
}

/// The state of the master.
pub struct Master<'a> {
    pub started: Instant,
    pub reloads: u32,
    pub workers: Vec<Worker>,
    args: &'a Args,
    program: Program,
    sockets: Sockets,
    fixed: Fixed,
    habits: Habits,
    signals: Signals,
    /// Signals that came while a worker was being waited for.
    pending: VecDeque<i32>,
    sender: mpsc::UnboundedSender<Event>,
    events: mpsc::UnboundedReceiver<Event>,
    /// Set once no worker is to be left: the exit status.
    ending: Option<i32>,
}

/// Starts a worker with a configuration that has been loaded, and watches over it until the end.
pub fn run(args: &Args, world: World, bundle: Bundle, sockets: Sockets) -> i32 {
    let Ok(pid_file) = start::open_pid_file(args, &world.global) else { return 1 };
    let daemon = start::is_daemon(args, &world.global);
    let background = match start::go_to_background(daemon) {
        Ok(background) => background,
        Err(error) => {
            console::alert(format!("[{}.main()] Cannot fork: {error}.", load::program()));
            return 1;
        }
    };
    start::write_pid(pid_file);
    let quiet = (args.quiet || world.global.spec.quiet) && !args.verbose;
    let (fixed, habits) = (Fixed::of(&world), Habits::of(&world));
    // The worker builds its own; this one has shown that it can be built.
    drop(world);
    super::on_runtime(async move {
        let mut master = match Master::new(args, sockets, fixed, habits) {
            Ok(master) => master,
            Err(error) => {
                console::alert(format!("Cannot start the master: {error}."));
                return 1;
            }
        };
        if let Err(reason) = master_cli::listen(&args.master_sockets, &master.sender) {
            console::alert(reason);
            return 1;
        }
        if let Err(reason) = master.start_worker(&bundle).await {
            // It ends by itself, or by the signal that ended the waiting.
            console::alert(format!("The worker did not start: {reason}"));
            return master.watch().await;
        }
        drop(bundle);
        start::tell_old(&args.old_pids, start::farewell(args));
        background.up();
        master.notify_ready();
        if quiet {
            console::be_quiet();
        }
        master.watch().await
    })
}

impl<'a> Master<'a> {
    fn new(args: &'a Args, sockets: Sockets, fixed: Fixed, habits: Habits) -> io::Result<Self> {
        let wanted =
            [SIGHUP, SIGUSR2, SIGUSR1, SIGTERM, SIGINT, SIGTTOU, SIGTTIN, SIGQUIT, SIGCHLD];
        let (sender, events) = mpsc::unbounded_channel();
        Ok(Self {
            started: Instant::now(),
            reloads: 0,
            workers: Vec::new(),
            args,
            program: Program::own(),
            sockets,
            fixed,
            habits,
            signals: Signals::of(&wanted)?,
            pending: VecDeque::new(),
            sender,
            events,
            ending: None,
        })
    }

    /// Lives until the last worker has ended.
    async fn watch(mut self) -> i32 {
        loop {
            self.reap();
            if let Some(status) = self.ending.filter(|_| self.workers.is_empty()) {
                console::warning(format!("All workers exited. Exiting... ({status})"));
                return status;
            }
            if let Some(signal) = self.pending.pop_front() {
                self.on_signal(signal).await;
                continue;
            }
            tokio::select! {
                signal = self.signals.next() => self.on_signal(signal).await,
                event = self.events.recv() => self.on_event(event).await,
            }
        }
    }

    async fn on_signal(&mut self, signal: i32) {
        match signal {
            SIGHUP | SIGUSR2 => drop(self.reload().await),
            SIGTERM | SIGINT | SIGUSR1 => self.end(signal),
            SIGTTOU | SIGTTIN => self.tell_workers(signal),
            SIGQUIT => sys::trim_memory(),
            // SIGCHLD: the main loop reaps.
            _ => {}
        }
    }

    async fn on_event(&mut self, event: Option<Event>) {
        let Some(Event::Command(request)) = event else { return };
        match request {
            Request::Reload(reply) => {
                // If the one who asked is gone, the terminal has the answer too.
                let _ = reply.send(self.reload().await);
            }
            Request::ShowProcesses(reply) => drop(reply.send(master_cli::processes(self))),
            Request::Connect { target, socket } => {
                let found = self.workers.iter().find(|worker| target.is(worker));
                if let Some(worker) = found {
                    let sent = worker.channel.send(Kind::Connection, &[], &[socket.as_fd()]).await;
                    // A worker that is gone leaves the connection closed.
                    drop(sent);
                }
            }
        }
    }

    /// Loads the configuration again and has it run. If anything is wrong, nothing changes.
    async fn reload(&mut self) -> Result<(), String> {
        if self.ending.is_some() {
            return Err("The process is stopping.".to_owned());
        }
        if self.args.notify_systemd {
            systemd::notify("RELOADING=1");
        }
        let done = self.try_reload().await;
        match &done {
            Ok(()) => self.reloads += 1,
            Err(reason) => {
                console::alert(format!(
                    "Reload refused, the running configuration serves on: {reason}"
                ));
            }
        }
        self.notify_ready();
        sys::trim_memory();
        done
    }

    async fn try_reload(&mut self) -> Result<(), String> {
        let mut outside = load::outside(self.args, std::mem::take(&mut self.sockets));
        let mut recording = Recording::new(&mut outside);
        let loaded = load::run(self.args, &mut recording, None);
        let bundle = recording.into_bundle();
        let done = match loaded {
            Ok(world) => {
                let (fixed, habits) = (Fixed::of(&world), Habits::of(&world));
                drop(world);
                let done = self.put_to_work(bundle, fixed).await;
                if done.is_ok() {
                    self.habits = habits;
                    self.end_the_oldest();
                }
                done
            }
            Err(reason) => Err(reason),
        };
        self.sockets = if done.is_ok() { outside.keep() } else { outside.give_up() };
        done
    }

    /// Gives a configuration to the live worker, or to a new one if the live one could not run it.
    async fn put_to_work(&mut self, bundle: Bundle, fixed: Fixed) -> Result<(), String> {
        let replaced = self.program.was_replaced();
        let current = self.workers.iter_mut().find(|worker| worker.current);
        if let Some(worker) = current
            && fixed == self.fixed
            && !replaced
        {
            let (pid, channel) = (worker.pid, worker.channel.clone());
            send_bundle(&channel, &bundle).await?;
            self.answer_of(pid).await?;
            self.workers.iter_mut().for_each(|worker| worker.reloads += 1);
            console::notice(format!("Configuration reloaded in place by worker #1 ({pid})"));
            return Ok(());
        }
        let old: Vec<i32> = self.workers.iter().map(|worker| worker.pid).collect();
        if let Err(reason) = self.start_worker(&bundle).await {
            // It must not take the serving ones along when it ends.
            for failed in self.workers.iter_mut().filter(|worker| !old.contains(&worker.pid)) {
                failed.current = false;
                tell(failed.pid, SIGTERM);
            }
            return Err(reason);
        }
        for worker in self.workers.iter_mut().filter(|worker| old.contains(&worker.pid)) {
            worker.current = false;
            worker.reloads += 1;
            tell(worker.pid, SIGUSR1);
        }
        self.fixed = fixed;
        if replaced {
            self.program.accept_replacement();
        }
        Ok(())
    }

    /// Ends old workers that have lived through more reloads than they may.
    fn end_the_oldest(&self) {
        let Some(most) = self.habits.max_reloads else { return };
        for worker in self.workers.iter().filter(|worker| !worker.current && worker.reloads > most)
        {
            tell(worker.pid, SIGTERM);
        }
    }

    /// Starts a worker and waits until it serves.
    async fn start_worker(&mut self, bundle: &Bundle) -> Result<(), String> {
        let (ours, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
        let theirs = OwnedFd::from(theirs);
        let child = self.program.start_worker(&theirs).map_err(|error| error.to_string())?;
        drop(theirs);
        let pid = i32::try_from(child.id()).unwrap_or_default();
        let channel = Channel::new(ours.into()).map_err(|error| error.to_string())?;
        console::notice(format!("New worker #1 ({pid}) forked"));
        follow(pid, channel.clone(), self.sender.clone());
        let sent = send_bundle(&channel, bundle).await;
        let started = Instant::now();
        self.workers.push(Worker { pid, started, reloads: 0, current: true, channel });
        match sent {
            Ok(()) => self.answer_of(pid).await,
            Err(error) => Err(error),
        }
    }

    /// Waits until a worker says whether it runs what it was sent. Signals wait meanwhile, but one that
    /// ends the process ends the waiting too.
    async fn answer_of(&mut self, pid: i32) -> Result<(), String> {
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(Event::Frame(from, frame)) if from == pid => {
                        return match frame.kind {
                            Kind::Ready => Ok(()),
                            _ => Err(String::from_utf8_lossy(&frame.bytes).into_owned()),
                        };
                    }
                    Some(Event::Closed(from)) if from == pid => {
                        return Err(format!("worker ({pid}) has ended"));
                    }
                    Some(Event::Command(Request::ShowProcesses(reply))) => {
                        drop(reply.send(master_cli::processes(self)));
                    }
                    // Answers of other workers; a command finds its connection closed.
                    Some(_) => {}
                    None => return Err("no worker".to_owned()),
                },
                signal = self.signals.next() => {
                    self.pending.push_back(signal);
                    if matches!(signal, SIGTERM | SIGINT | SIGUSR1) {
                        return Err("stopped".to_owned());
                    }
                }
            }
        }
    }

    /// Begins to end: every worker is told, and no configuration is loaded any more.
    fn end(&mut self, signal: i32) {
        if self.ending.is_none() {
            self.ending = Some(0);
            console::warning("Exiting Master process...");
            if self.args.notify_systemd {
                systemd::notify("STOPPING=1");
            }
        }
        self.tell_workers(signal);
    }

    fn tell_workers(&self, signal: i32) {
        self.workers.iter().for_each(|worker| tell(worker.pid, signal));
    }

    fn notify_ready(&self) {
        if self.args.notify_systemd {
            systemd::notify(&format!("READY=1\nMAINPID={}", std::process::id()));
        }
    }

    /// Takes note of every child that has ended; as process 1 these may be others' children.
    fn reap(&mut self) {
        let any = Pid::from_raw(-1);
        loop {
            let (pid, code, words) = match waitpid(any, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, code, "Exit".to_owned()),
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    (pid, 128 + signal as i32, sys::signal_words(signal as i32))
                }
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            let ended = self.workers.iter().position(|worker| worker.pid == pid.as_raw());
            if let Some(index) = ended {
                let worker = self.workers.swap_remove(index);
                self.on_end(&worker, code, &words);
            }
        }
    }

    fn on_end(&mut self, worker: &Worker, code: i32, words: &str) {
        let kind = if worker.current { "Current" } else { "Former" };
        let pid = worker.pid;
        let text = format!("{kind} worker #1 ({pid}) exited with code {code} ({words})");
        if !worker.current {
            console::warning(text);
            return;
        }
        let wanted = code == 0 || code == TERMINATED;
        match code {
            0 => console::warning(text),
            _ => console::alert(text),
        }
        if !wanted && !self.habits.exit_on_failure {
            // What is left finishes what it had begun.
        } else if !wanted && code != 128 + SIGINT {
            console::alert("exit-on-failure: killing every processes with SIGTERM");
            self.tell_workers(SIGTERM);
        } else if self.ending.is_none() {
            self.tell_workers(SIGUSR1);
        }
        self.ending = Some(if wanted { 0 } else { code });
    }
}

/// A worker's frames become events.
fn follow(pid: i32, channel: Channel, events: mpsc::UnboundedSender<Event>) {
    tokio::task::spawn_local(async move {
        while let Ok(Some(frame)) = channel.receive().await {
            if events.send(Event::Frame(pid, frame)).is_err() {
                return;
            }
        }
        // Nobody listens any more when the master is ending.
        let _ = events.send(Event::Closed(pid));
    });
}

async fn send_bundle(channel: &Channel, bundle: &Bundle) -> Result<(), String> {
    let (bytes, descriptors) = bundle.encode();
    channel.send(Kind::Load, &bytes, &descriptors).await.map_err(|error| error.to_string())
}

fn tell(pid: i32, signal: i32) {
    if let Ok(signal) = Signal::try_from(signal) {
        // A process that has ended already is reaped soon.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}
