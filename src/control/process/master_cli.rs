//! The master's own socket, `-S` (management.txt 9.4): `show proc`, `reload`, and `@1` to a worker.
//!
//! In: lines of commands, separated by `;`. Out: answers, each followed by an empty line, and requests to the
//! master's main loop.

use super::master::{Event, Master, Worker};
use crate::config::address::{AddressSpec, HostSpec, PortsSpec};
use crate::config::outside::{Listen, ListenAddress, ListenOptions, Outside, RealOutside};
use crate::version::VERSION;
use std::fmt::Write;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// What a connection asks of the main loop.
#[derive(Debug)]
pub enum Request {
    ShowProcesses(oneshot::Sender<String>),
    Reload(oneshot::Sender<Result<(), String>>),
    /// Lets a worker serve its runtime socket's commands on this connection. Closed if there is none.
    Connect {
        target: Target,
        socket: OwnedFd,
    },
}

/// Which process a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Master,
    /// `@1`: by its number; there is one.
    Number(u32),
    /// `@!4331`: by its process id.
    Pid(i32),
}

impl Target {
    /// Whether a worker is meant.
    pub fn is(self, worker: &Worker) -> bool {
        match self {
            Target::Master => false,
            Target::Number(number) => worker.current && number == 1,
            Target::Pid(pid) => worker.pid == pid,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        match word.strip_prefix('@')? {
            "master" | "" | "0" => Some(Target::Master),
            pid if pid.starts_with('!') => pid.get(1..)?.parse().ok().map(Target::Pid),
            number => number.parse().ok().map(Target::Number),
        }
    }
}

type Events = mpsc::UnboundedSender<Event>;

/// Opens the sockets of `-S` and serves them: `address[,option[,value]]...`.
///
/// # Errors
/// What is wrong with one of them, for the terminal.
pub fn listen(binds: &[String], events: &Events) -> Result<(), String> {
    for bind in binds {
        let wrong = |reason: String| format!("Can't create the master's CLI: '{bind}' : {reason}");
        let listen = parse(bind).map_err(wrong)?;
        let bound = RealOutside::default().bind(&listen).map_err(|e| wrong(e.to_string()))?;
        let socket = bound.socket.try_clone().map_err(|e| wrong(e.to_string()))?;
        accept(socket, events.clone()).map_err(|e| wrong(e.to_string()))?;
    }
    Ok(())
}

fn parse(bind: &str) -> Result<Listen, String> {
    let mut words = bind.split(',');
    let address = address(AddressSpec::parse(words.next().unwrap_or_default())?)?;
    let mut options = ListenOptions::default();
    while let Some(option) = words.next() {
        let mut number = |radix| {
            let word = words.next().unwrap_or_default();
            u32::from_str_radix(word, radix).map_err(|_| format!("{option} '{word}'"))
        };
        match option {
            "mode" => options.mode = Some(number(8)?),
            "uid" => options.uid = Some(number(10)?),
            "gid" => options.gid = Some(number(10)?),
            // The socket is always an administrator's.
            "level" | "severity-output" | "name" => drop(words.next()),
            "user" => options.uid = RealOutside::default().user(words.next().unwrap_or_default()),
            "group" => {
                options.gid = RealOutside::default().group(words.next().unwrap_or_default());
            }
            other => return Err(format!("unknown keyword '{other}'")),
        }
    }
    Ok(Listen { address, options })
}

fn address(spec: AddressSpec) -> Result<ListenAddress, String> {
    match spec {
        AddressSpec::Unix(path) => Ok(ListenAddress::Unix(path)),
        AddressSpec::Abstract(name) => Ok(ListenAddress::Abstract(name)),
        AddressSpec::Inherited(fd) => Ok(ListenAddress::Inherited(fd)),
        AddressSpec::Inet { host: HostSpec::Literal(ip), ports: PortsSpec::Range(port, _) } => {
            Ok(ListenAddress::Tcp((ip, port).into()))
        }
        AddressSpec::Inet { .. } => Err("an address and a port are needed".to_owned()),
    }
}

fn accept(socket: OwnedFd, events: Events) -> io::Result<()> {
    // What was inherited is of whichever family.
    if !socket2::SockRef::from(&socket).local_addr()?.is_unix() {
        let listener = TcpListener::from_std(socket.into())?;
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(Session::new(events.clone()).serve(stream));
            }
        });
    } else {
        let listener = UnixListener::from_std(socket.into())?;
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(Session::new(events.clone()).serve(stream));
            }
        });
    }
    Ok(())
}

/// The answer to `show proc`.
pub fn processes(master: &Master<'_>) -> String {
    let mut text = String::from(
        "#<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>      \n",
    );
    let row = |pid: i64, kind: &str, number: &str, reloads: u32, started: Instant| {
        let uptime = days(started.elapsed());
        format!("{pid:<15} {kind:<15} {number:<15} {reloads:<15} {uptime:<15} {VERSION:<15}\n")
    };
    let own = i64::from(std::process::id());
    text += &row(own, "master", "0", master.reloads, master.started);
    let (current, old): (Vec<_>, Vec<_>) = master.workers.iter().partition(|w| w.current);
    for (title, workers, number) in
        [("# workers", current, "1"), ("# old workers", old, "[was: 1]")]
    {
        if workers.is_empty() && number != "1" {
            continue;
        }
        let _ = writeln!(text, "{title}");
        for worker in workers {
            let pid = i64::from(worker.pid);
            text += &row(pid, "worker", number, worker.reloads, worker.started);
        }
    }
    text + "# programs\n"
}

fn days(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    format!("{days}d{:02}h{:02}m{:02}s", rest / 3600, rest / 60 % 60, rest % 60)
}

const HELP: &str = "Unknown command. Please enter one of the following commands only :
  help           : this message
  prompt         : toggle interactive mode with prompt
  quit           : disconnect
  show cli sockets : dump list of cli sockets
  show cli level   : display the level of the current CLI session
  operator       : lower the level of the current CLI session to operator
  user           : lower the level of the current CLI session to user
  @<relative pid> : send a command to the <relative pid> process
  @!<pid>        : send a command to the <pid> process
  @master        : send a command to the master process
  show proc      : show processes status
  reload         : reload haproxy
";

/// One connection to the master's socket.
struct Session {
    events: Events,
    prompt: bool,
    /// Where commands without `@` go, once a lone `@1` has been entered.
    target: Target,
    level: &'static str,
}

/// Whether a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Continue,
    Close,
}

impl Session {
    fn new(events: Events) -> Self {
        Self { events, prompt: false, target: Target::Master, level: "admin" }
    }

    async fn serve(mut self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let (read, mut write) = tokio::io::split(stream);
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let then = self.line(&line, &mut write).await;
            if then.is_err() || then.is_ok_and(|then| then == Then::Close) {
                break;
            }
            if self.prompt {
                if write.write_all(self.prompt_text().as_bytes()).await.is_err() {
                    break;
                }
            } else {
                break;
            }
        }
        // The client may be gone.
        let _ = write.shutdown().await;
    }

    fn prompt_text(&self) -> String {
        match self.target {
            Target::Master => "master> ".to_owned(),
            Target::Number(number) => format!("{number}> "),
            Target::Pid(pid) => format!("{pid}> "),
        }
    }

    async fn line(&mut self, line: &str, out: &mut (impl AsyncWrite + Unpin)) -> io::Result<Then> {
        for command in commands(line) {
            if self.command(command, out).await? == Then::Close {
                return Ok(Then::Close);
            }
        }
        Ok(Then::Continue)
    }

    async fn command(
        &mut self,
        command: &str,
        out: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<Then> {
        let (first, rest) = command.split_once(' ').unwrap_or((command, ""));
        let (target, command) = match Target::parse(first) {
            Some(target) if rest.trim().is_empty() => {
                self.target = target;
                return Ok(Then::Continue);
            }
            Some(target) => (target, rest.trim()),
            None if first.starts_with('@') => return unknown_target(first, out).await,
            None => (self.target, command),
        };
        if target != Target::Master {
            return self.forward(target, first, command, out).await;
        }
        if command == "quit" {
            return Ok(Then::Close);
        }
        let answer = self.own_command(command).await;
        out.write_all(answer.as_bytes()).await?;
        out.write_all(b"\n").await?;
        Ok(Then::Continue)
    }

    async fn own_command(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["prompt"] => {
                self.prompt = !self.prompt;
                String::new()
            }
            ["show", "proc"] => {
                let (reply, answer) = oneshot::channel();
                self.ask(Request::ShowProcesses(reply));
                answer.await.unwrap_or_default()
            }
            ["reload"] if self.level != "admin" => "Permission denied\n".to_owned(),
            ["reload"] => {
                let (reply, answer) = oneshot::channel();
                self.ask(Request::Reload(reply));
                match answer.await {
                    Ok(Ok(())) => "Success=1\n".to_owned(),
                    Ok(Err(reason)) => format!("Success=0\n--\n{reason}\n"),
                    Err(_) => "Success=0\n--\nThe process is stopping.\n".to_owned(),
                }
            }
            ["show", "cli", "level"] => format!("{}\n", self.level),
            ["operator"] => {
                self.level = if self.level == "admin" { "operator" } else { self.level };
                String::new()
            }
            ["user"] => {
                self.level = "user";
                String::new()
            }
            [] => String::new(),
            _ => HELP.to_owned(),
        }
    }

    /// Passes one command to a worker, and its answer back.
    async fn forward(
        &self,
        target: Target,
        name: &str,
        command: &str,
        out: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<Then> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut worker = UnixStream::from_std(ours)?;
        self.ask(Request::Connect { target, socket: theirs.into() });
        let asked = worker.write_all(format!("{command}\n").as_bytes()).await;
        let mut answer = Vec::new();
        let answered = worker.read_to_end(&mut answer).await;
        if asked.is_err() || answered.is_err() || answer.is_empty() {
            return unknown_target(name, out).await;
        }
        out.write_all(&answer).await?;
        Ok(Then::Continue)
    }

    fn ask(&self, request: Request) {
        // A master that is ending drops the request, which closes what it holds.
        let _ = self.events.send(Event::Command(request));
    }
}

/// The commands of a line: separated by `;`, unless a backslash stands before it.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    line.split(move |c: char| {
        let ends = c == ';' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })
    .map(str::trim_start)
}

async fn unknown_target(name: &str, out: &mut (impl AsyncWrite + Unpin)) -> io::Result<Then> {
    let text = format!("Can't find the target PID matching the prefix '{name}'\n\n");
    out.write_all(text.as_bytes()).await?;
    Ok(Then::Close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_numbers_or_process_ids() {
        assert_eq!(Target::parse("@1"), Some(Target::Number(1)));
        assert_eq!(Target::parse("@!77"), Some(Target::Pid(77)));
        assert_eq!(Target::parse("@master"), Some(Target::Master));
        assert_eq!(Target::parse("show"), None);
        assert_eq!(Target::parse("@x"), None);
    }

    #[test]
    fn lines_are_cut_at_semicolons_that_are_not_escaped() {
        let line = r"@1 add acl f a\ b\;;@1 show acl; quit";
        let cut: Vec<&str> = commands(line).collect();
        assert_eq!(cut, [r"@1 add acl f a\ b\;", "@1 show acl", "quit"]);
    }

    #[test]
    fn a_bind_takes_options_behind_commas() {
        let listen = parse("/tmp/m.sock,mode,600,uid,7,level,admin").unwrap();
        assert_eq!(listen.address, ListenAddress::Unix("/tmp/m.sock".into()));
        assert_eq!((listen.options.mode, listen.options.uid), (Some(0o600), Some(7)));
        assert!(parse("/tmp/m.sock,what").is_err());
    }

    #[test]
    fn uptimes_have_days() {
        assert_eq!(days(Duration::from_secs(93_784)), "1d02h03m04s");
    }
}
