//! A proxy process: any haproxy binary, a configuration text, and all one can do to it from outside.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::template::{self, Names};
use super::{
    Cli, Connection, Csv, Folder, Output, PATIENCE, Port, Source, Usage, eventually, process,
};

/// What to start. Made by [`Proxy::config`].
pub struct Builder {
    binary: PathBuf,
    config: Option<String>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    open_files: Option<u64>,
    ready_line: Option<String>,
    place: Arc<Place>,
    quiet: bool,
}

/// A proxy's folder, and the addresses that stand for the names in its configuration. Shared by
/// the processes that follow each other there.
struct Place {
    folder: Folder,
    ports: Mutex<BTreeMap<String, Port>>,
    names: Mutex<Names>,
}

/// A running proxy. Dropping it kills it, with every process it made.
pub struct Proxy {
    place: Arc<Place>,
    pid: i32,
    exit: Exit,
    output: Output,
    marker: String,
    daemon: bool,
    quiet: bool,
}

/// A proxy that ran to its end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Proxy {
    /// Begins to describe a proxy with this configuration; see [`template`] for `{name}`.
    pub fn config(text: &str) -> Builder {
        Builder::new(Some(text.to_owned()))
    }

    /// Begins to describe a process that gets no configuration file, as for `-v`.
    pub fn without_config() -> Builder {
        Builder::new(None)
    }

    /// The process id: the master's under `-W`.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The process's running children, oldest first: the workers under `-W`.
    pub fn workers(&self) -> Vec<i32> {
        process::children(self.pid)
    }

    /// Memory and CPU time of the process that carries the traffic: the newest worker under `-W`.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.workers().last().copied().unwrap_or(self.pid))
    }

    /// The proxy's folder, which is also its working directory.
    pub fn folder(&self) -> &Path {
        self.place.folder.path()
    }

    /// The address that stands for `{name}`.
    pub fn address(&self, name: &str) -> Result<SocketAddr> {
        let names = lock(&self.place.names);
        let text = names.get(name).with_context(|| format!("{{{name}}} is not defined"))?;
        text.parse().with_context(|| format!("{{{name}}} is {text}, not an address"))
    }

    /// The text with every `{name}` in place, as in the configuration.
    pub fn fill(&self, text: &str) -> Result<String> {
        template::fill(text, &lock(&self.place.names))
    }

    /// All names and what stands for them.
    pub fn names(&self) -> Names {
        lock(&self.place.names).clone()
    }

    /// Connects to the address that stands for `{name}`.
    pub fn connect(&self, name: &str) -> Result<Connection> {
        Connection::to(self.address(name)?).with_context(|| self.report())
    }

    /// The runtime socket, if the configuration has `stats socket {cli}`.
    pub fn cli_socket(&self) -> Cli {
        Cli::at(&self.folder().join("cli.sock"))
    }

    /// Asks the runtime socket.
    pub fn cli(&self, command: &str) -> Result<String> {
        self.cli_socket().ask(command).with_context(|| self.report())
    }

    /// Asks the master's socket, if the proxy was started with `-S {master}`.
    pub fn master_cli(&self, command: &str) -> Result<String> {
        Cli::at(&self.folder().join("master.sock")).ask(command).with_context(|| self.report())
    }

    /// The statistics, from the runtime socket.
    pub fn stats(&self) -> Result<Csv> {
        Csv::parse(&self.cli("show stat")?)
    }

    /// Waits until a statistics field has this value.
    pub fn wait_for_stat(&self, proxy: &str, name: &str, column: &str, value: &str) -> Result<()> {
        let what = format!("{proxy}/{name} {column} = {value}");
        let reached = eventually(&what, || Ok(self.stats()?.get(proxy, name, column)? == value));
        reached.with_context(|| self.report())
    }

    /// What the process wrote so far.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Waits for a line on stdout or stderr that contains `part`.
    pub fn wait_for_line(&self, part: &str) -> Result<String> {
        self.output.wait_for_line(part, PATIENCE)
    }

    /// Writes a new configuration in the place of the old one, for the next reload. New names
    /// after `bind` get free ports.
    pub fn rewrite_config(&self, text: &str) -> Result<()> {
        self.place.write_config(text)
    }

    /// Writes a file into the proxy's folder, `{name}`s put in place.
    pub fn write_file(&self, name: &str, text: &str) -> Result<()> {
        self.place.folder.write(name, self.fill(text)?.as_bytes()).map(|_| ())
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        ensure!(
            self.exit.status().is_none(),
            "{signal} to a process that ended\n{}",
            self.report()
        );
        kill(Pid::from_raw(self.pid), signal).with_context(|| format!("sending {signal}"))
    }

    /// Waits for the end of the process.
    pub fn wait_for_exit(&self) -> Result<ExitStatus> {
        self.wait_for_exit_within(PATIENCE)
    }

    /// Waits for the end of the process, at most `limit`.
    pub fn wait_for_exit_within(&self, limit: Duration) -> Result<ExitStatus> {
        let status = self.exit.wait(limit);
        status.with_context(|| format!("still running after {limit:?}\n{}", self.report()))
    }

    /// Whether the process has not ended.
    pub fn is_running(&self) -> bool {
        self.exit.status().is_none()
    }

    /// Its configuration, exit status and output: what a failure message needs.
    pub fn report(&self) -> String {
        let config = std::fs::read_to_string(self.folder().join("haproxy.cfg"));
        let numbered = config.unwrap_or_default();
        let numbered = numbered.lines().enumerate().map(|(n, l)| format!("{:4} {l}\n", n + 1));
        let status = self.exit.status().map_or("running".to_owned(), |s| s.to_string());
        let lines = self.output.lines();
        let lines = lines.iter().map(|line| format!("{:?}: {}\n", line.source, line.text));
        format!(
            "--- process {} ({status})\n{}--- its output\n{}---",
            self.pid,
            numbered.collect::<String>(),
            lines.collect::<String>()
        )
    }

    fn wait_until_ready(&self, builder: &Builder) -> Result<()> {
        if let Some(line) = &builder.ready_line {
            return self.wait_for_line(line).map(|_| ());
        }
        let config = builder.config.as_deref().unwrap_or_default();
        let wanted = self.place.listening_ports(config)?;
        eventually("the proxy listens on all its addresses", || {
            ensure!(self.is_running() || self.daemon, "the proxy ended");
            let listening = process::listening_ports();
            Ok(wanted.iter().all(|port| listening.contains(port)))
        })?;
        if config.contains("stats socket {cli}") {
            // A master has the socket open before there is a worker to answer.
            eventually("the runtime socket answers", || {
                ensure!(self.is_running() || self.daemon, "the proxy ended");
                Ok(self.cli_socket().ask("show info").is_ok_and(|answer| !answer.is_empty()))
            })?;
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if !self.quiet {
            println!("{}", self.report());
        }
        if self.daemon {
            // A daemon left the process group.
            for pid in process::with_marker(&self.marker) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        let _ = killpg(Pid::from_raw(self.pid), Signal::SIGKILL);
        self.exit.wait(PATIENCE);
    }
}

impl Builder {
    fn new(config: Option<String>) -> Builder {
        Builder {
            binary: PathBuf::from("haproxy"),
            config,
            args: Vec::new(),
            env: Vec::new(),
            open_files: None,
            ready_line: None,
            place: Arc::new(Place::new()),
            quiet: false,
        }
    }

    /// The binary to run.
    pub fn binary(mut self, path: impl AsRef<Path>) -> Builder {
        self.binary = path.as_ref().to_owned();
        self
    }

    /// Lets `{name}` stand for an address.
    pub fn name(self, name: &str, address: SocketAddr) -> Builder {
        self.place.define(name, address);
        self
    }

    /// Lets `{name}` stand for any text.
    pub fn text(self, name: &str, text: &str) -> Builder {
        lock(&self.place.names).insert(name.to_owned(), text.to_owned());
        self
    }

    /// Writes a file into the proxy's folder before the start.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Result<Builder> {
        self.place.folder.write(name, content.as_ref())?;
        Ok(self)
    }

    /// The folder the proxy will run in, made if need be.
    pub fn folder(&self) -> Result<&Path> {
        self.place.folder.make()
    }

    /// Adds command line arguments, before `-f`. `{name}` works here too.
    pub fn args(mut self, args: &[&str]) -> Builder {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Builder {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs under this `ulimit -n`, soft and hard.
    pub fn open_files(mut self, limit: u64) -> Builder {
        self.open_files = Some(limit);
        self
    }

    /// Takes a line of output that contains `part` as the sign of readiness, instead of the
    /// listening sockets.
    pub fn ready_line(mut self, part: &str) -> Builder {
        self.ready_line = Some(part.to_owned());
        self
    }

    /// Does not print the report when the proxy is dropped.
    pub fn quiet(mut self) -> Builder {
        self.quiet = true;
        self
    }

    /// Runs in the folder and with the addresses of another proxy, as its successor (`-sf`).
    pub fn in_place_of(mut self, other: &Proxy) -> Builder {
        self.place = Arc::clone(&other.place);
        self
    }

    /// Starts the process and waits until it listens everywhere it should.
    pub fn start(self) -> Result<Proxy> {
        let proxy = self.spawn()?;
        match proxy.wait_until_ready(&self) {
            Ok(()) => Ok(proxy),
            Err(error) => Err(error.context(proxy.report())),
        }
    }

    /// Runs the process to its end, as for `-c`, at most [`PATIENCE`].
    pub fn run(mut self) -> Result<Finished> {
        self.quiet = true;
        let proxy = self.spawn()?;
        let status = proxy.wait_for_exit()?;
        proxy.output.wait_for_end(Duration::from_secs(1));
        let stdout = proxy.output.text(Source::Stdout);
        Ok(Finished { status, stdout, stderr: proxy.output.text(Source::Stderr) })
    }

    /// Starts the process and waits for nothing.
    pub fn spawn(&self) -> Result<Proxy> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let marker = format!("HAPROXY_TEST_RUN={}-{id}", std::process::id());
        let mut command = self.command()?;
        if let Some((name, value)) = marker.split_once('=') {
            command.env(name, value);
        }
        let mut child =
            process::spawn(&mut command).with_context(|| format!("{}", self.binary.display()))?;
        let output = Output::default();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        stdout.into_iter().for_each(|pipe| output.follow(Source::Stdout, pipe));
        stderr.into_iter().for_each(|pipe| output.follow(Source::Stderr, pipe));
        let pid = child.id() as i32;
        let daemon = self.args.iter().any(|arg| arg == "-D");
        let daemon = daemon || self.config.as_deref().is_some_and(|text| text.contains("daemon"));
        let (place, quiet) = (Arc::clone(&self.place), self.quiet);
        Ok(Proxy { place, pid, exit: Exit::of(child), output, marker, daemon, quiet })
    }

    fn command(&self) -> Result<Command> {
        let mut command = self.program();
        for arg in &self.args {
            command.arg(template::fill(arg, &lock(&self.place.names))?);
        }
        if let Some(config) = &self.config {
            self.place.write_config(config)?;
            command.args(["-f", "haproxy.cfg"]);
        }
        command.current_dir(self.place.folder.make()?).process_group(0);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// The binary, by way of a shell if the limit of open files changes.
    fn program(&self) -> Command {
        let Some(limit) = self.open_files else { return Command::new(&self.binary) };
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &limit.to_string()]);
        command.arg(&self.binary);
        command
    }
}

impl Place {
    fn new() -> Place {
        let folder = Folder::new();
        let path = folder.path().display().to_string();
        let names = Names::from([
            ("cli".to_owned(), format!("{path}/cli.sock")),
            ("master".to_owned(), format!("{path}/master.sock")),
            ("dir".to_owned(), path),
        ]);
        Place { folder, ports: Mutex::default(), names: Mutex::new(names) }
    }

    fn define(&self, name: &str, address: SocketAddr) {
        let mut names = lock(&self.names);
        names.insert(name.to_owned(), address.to_string());
        names.insert(format!("{name}.port"), address.port().to_string());
    }

    fn write_config(&self, text: &str) -> Result<()> {
        self.reserve_ports(text)?;
        let filled = template::fill(text, &lock(&self.names))?;
        self.folder.write("haproxy.cfg", filled.as_bytes()).map(|_| ())
    }

    fn reserve_ports(&self, text: &str) -> Result<()> {
        for name in template::listeners(text) {
            if !lock(&self.names).contains_key(&name) {
                let port = Port::reserve()?;
                self.define(&name, port.address());
                lock(&self.ports).insert(name, port);
            }
        }
        Ok(())
    }

    /// The ports that `text` makes the proxy listen on.
    fn listening_ports(&self, text: &str) -> Result<Vec<u16>> {
        let names = lock(&self.names);
        let number = |name: String| names.get(&format!("{name}.port"))?.parse().ok();
        Ok(template::listeners(text).into_iter().filter_map(number).collect())
    }
}

/// The end of a child process, awaited by a thread of its own.
#[derive(Clone)]
struct Exit(Arc<(Mutex<Option<ExitStatus>>, Condvar)>);

impl Exit {
    fn of(mut child: Child) -> Exit {
        let exit = Exit(Arc::default());
        let told = exit.clone();
        std::thread::spawn(move || {
            let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0xff00));
            *lock(&told.0.0) = Some(status);
            told.0.1.notify_all();
        });
        exit
    }

    fn status(&self) -> Option<ExitStatus> {
        *lock(&self.0.0)
    }

    fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        let mut status = lock(&self.0.0);
        while status.is_none() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.0.1.wait_timeout(status, left);
            status = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *status
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
