//! Serves the runtime sockets of the running `World` on thread 0: in come connections, out go answers.
//! A client that does not read or write costs only its own connection (management.txt 9.3).

use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time;

use super::line::{Input, Next, Request};
use super::spec::CliSocket;
use super::{Answer, CommandContext, Console, Level, find, usage};
use crate::catalog::Status;
use crate::config::outside::Identity;
use crate::control::process::handover;
use crate::flow::log::ring::Reader;
use crate::flow::threads::{Shared, Thread};
use crate::state::world::World;

/// Serves until the process stops: each socket of the running configuration has a task; connections
/// outlive reloads.
pub async fn run(thread: Rc<Thread>) {
    spawn_local(expire_tables(thread.clone()));
    let mut swapped = thread.shared.swapped();
    loop {
        swapped.borrow_and_update();
        let acceptors = listen(&thread);
        let changed = swapped.changed().await;
        acceptors.iter().for_each(JoinHandle::abort);
        if changed.is_err() {
            return;
        }
    }
}

/// Removes expired entries of all stick tables, a few at a time.
async fn expire_tables(thread: Rc<Thread>) {
    loop {
        time::sleep(Duration::from_millis(500)).await;
        let tables: Vec<_> = thread.world().tables.values().cloned().collect();
        for table in tables {
            while table.expire(256) {
                tokio::task::yield_now().await;
            }
        }
    }
}

fn listen(thread: &Rc<Thread>) -> Vec<JoinHandle<()>> {
    let world = thread.world();
    let places = Rc::new(Semaphore::new(world.cli.maxconn));
    let mut tasks = Vec::new();
    for socket in &world.cli.sockets {
        let Some(bound) = &socket.bound else { continue };
        let Ok(fd) = bound.socket.try_clone() else { continue };
        let console = Console { timeout: world.cli.timeout, ..socket.console() };
        let acceptor = Acceptor {
            thread: thread.clone(),
            places: places.clone(),
            console,
            limit: world.global.bufsize,
        };
        tasks.extend(acceptor.start(fd, socket));
    }
    tasks
}

struct Acceptor {
    thread: Rc<Thread>,
    /// `stats maxconn`
    places: Rc<Semaphore>,
    console: Console,
    /// Bytes of a command.
    limit: usize,
}

impl Acceptor {
    fn start(self, fd: OwnedFd, socket: &CliSocket) -> Option<JoinHandle<()>> {
        crate::sys::set_nonblocking(std::os::fd::AsFd::as_fd(&fd)).ok()?;
        if socket.is_unix() {
            let listener = std::os::unix::net::UnixListener::from(fd);
            let listener = tokio::net::UnixListener::from_std(listener).ok()?;
            return Some(spawn_local(async move {
                loop {
                    let permit = self.permit().await;
                    match listener.accept().await {
                        Ok((stream, _)) => self.serve_unix(stream, permit),
                        Err(_) => pause().await,
                    }
                }
            }));
        }
        let listener = std::net::TcpListener::from(fd);
        let listener = tokio::net::TcpListener::from_std(listener).ok()?;
        Some(spawn_local(async move {
            loop {
                let permit = self.permit().await;
                match listener.accept().await {
                    Ok((stream, _)) => self.serve(stream, permit),
                    Err(_) => pause().await,
                }
            }
        }))
    }

    async fn permit(&self) -> Option<Permit> {
        // The semaphore is never closed; without a permit one more is served.
        let permit = self.places.clone();
        permit.acquire().await.ok()?.forget();
        Some(Permit(permit))
    }

    fn serve(&self, mut stream: TcpStream, permit: Option<Permit>) {
        let (thread, console, limit) = (self.thread.clone(), self.console.clone(), self.limit);
        spawn_local(async move {
            let _permit = permit;
            // A client that is gone needs no answer.
            let _ = serve(&thread, &mut stream, console, limit).await;
        });
    }

    fn serve_unix(&self, stream: UnixStream, permit: Option<Permit>) {
        let (thread, console, limit) = (self.thread.clone(), self.console.clone(), self.limit);
        spawn_local(async move {
            let _permit = permit;
            serve_unix(thread, stream, console, limit).await;
        });
    }
}

/// One of the connections that may be open at once.
struct Permit(Rc<Semaphore>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// Out of descriptors or memory: waits before the next attempt.
async fn pause() {
    time::sleep(Duration::from_millis(100)).await;
}

/// Serves connections that the master passes on, with all rights.
pub fn adopt(shared: &Shared, connections: Vec<OwnedFd>) {
    let connections = Mutex::new(connections);
    shared.on_threads(Arc::new(move |thread| {
        if thread.index != 0 {
            return;
        }
        for connection in std::mem::take(&mut *connections.lock()) {
            let stream = std::os::unix::net::UnixStream::from(connection);
            let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
            let Ok(stream) = stream else { continue };
            let limit = thread.world().global.bufsize;
            let console =
                Console { timeout: thread.world().cli.timeout, ..Console::new(Level::Admin) };
            spawn_local(serve_unix(thread.clone(), stream, console, limit));
        }
    }));
}

async fn serve_unix(thread: Rc<Thread>, mut stream: UnixStream, console: Console, limit: usize) {
    // A client that is gone needs no answer.
    if let Ok(Ended::WantsSockets) = serve(&thread, &mut stream, console, limit).await
        && let Ok(stream) = stream.into_std()
    {
        let sockets = listening_sockets(&thread.world());
        // It may take a second for each batch: on a thread of its own.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = handover::offer(stream.into(), &sockets) {
                tracing::warn!(%error, "listening sockets were not handed over");
            }
        });
    }
}

/// Every listening socket of the running configuration.
fn listening_sockets(world: &World) -> Vec<(Identity, Arc<OwnedFd>)> {
    let frontends = world.proxies.iter().filter_map(|p| p.frontend.as_ref());
    let frontends = frontends.flat_map(|f| f.listeners.iter().zip(&f.sockets));
    let frontends = frontends.map(|(listener, bound)| (&listener.listen, bound));
    let own = world.cli.sockets.iter().map(|s| (&s.listen, &s.bound));
    let all = frontends.chain(own);
    all.filter_map(|(listen, bound)| Some((listen.identity(), bound.as_ref()?.socket.clone())))
        .collect()
}

/// How a connection ended.
enum Ended {
    /// It was closed.
    Closed,
    /// `_getsocks`: it shall be given the listening sockets.
    WantsSockets,
}

/// Serves one connection; `limit` is how many bytes a command may have.
async fn serve<S>(
    thread: &Rc<Thread>,
    stream: &mut S,
    mut console: Console,
    limit: usize,
) -> io::Result<Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut input = Input::new(limit);
    let mut served = false;
    loop {
        match input.take() {
            Next::Request(request) if request.words == ["_getsocks"] => {
                if console.expose_listeners {
                    return Ok(Ended::WantsSockets);
                }
                // A successor takes the end for an answer, but not `help`.
                break;
            }
            Next::Request(request) => {
                served = true;
                match answer(thread, &mut console, request, stream).await? {
                    Answered::Fully => {}
                    Answered::Quit => break,
                    Answered::Watching(reader) => {
                        if input.is_empty() {
                            watch(&console, stream, reader).await?;
                        }
                        end(&console, stream).await?;
                    }
                }
            }
            Next::Payload if console.prompt => write(&console, stream, b"+ ").await?,
            Next::Payload => {}
            Next::TooLong => break,
            Next::Incomplete => {
                if served && !console.prompt && input.is_empty() {
                    break;
                }
                let mut bytes = [0; 1024];
                let read = within(&console, stream.read(&mut bytes)).await?;
                if read == 0 {
                    break;
                }
                input.push(bytes.get(..read).unwrap_or_default());
            }
        }
    }
    stream.shutdown().await?;
    Ok(Ended::Closed)
}

/// Executes one line of commands, separated by semicolons, and writes all answers.
pub async fn execute<W>(
    thread: &Rc<Thread>,
    line: &[u8],
    level: Level,
    out: &mut W,
) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let mut console = Console::new(level);
    let mut input = Input::new(usize::MAX);
    input.push(line);
    input.push(b"\n");
    while let Next::Request(request) = input.take() {
        let answered = answer(thread, &mut console, request, out).await?;
        if let Answered::Watching(_) = answered {
            // Nobody could end it.
            end(&console, out).await?;
        }
        if matches!(answered, Answered::Quit) || input.is_empty() {
            break;
        }
    }
    Ok(())
}

/// How far a command was answered.
enum Answered {
    Fully,
    /// Messages of a ring follow, as they come.
    Watching(Reader),
    /// The connection is closed.
    Quit,
}

/// Shows what a reader gives until the client sends something or closes.
async fn watch<S>(console: &Console, stream: &mut S, mut reader: Reader) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ring = reader.ring.clone();
    let mut key = [0; 1024];
    let mut out = Vec::new();
    loop {
        let mut changed = pin!(ring.changed());
        changed.as_mut().enable();
        out.clear();
        let mut add = |message: &[u8]| {
            out.extend_from_slice(message);
            out.push(b'\n');
        };
        while reader.next(&mut add) {}
        if !out.is_empty() {
            write(console, stream, &out).await?;
            continue;
        }
        tokio::select! {
            () = changed => {}
            read = stream.read(&mut key) => return read.map(drop),
        }
    }
}

/// What ends every answer.
async fn end<W>(console: &Console, out: &mut W) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let end: &[u8] = if console.prompt { b"\n> " } else { b"\n" };
    write(console, out, end).await
}

/// Answers one command.
async fn answer<W>(
    thread: &Rc<Thread>,
    console: &mut Console,
    request: Request,
    out: &mut W,
) -> io::Result<Answered>
where
    W: AsyncWrite + Unpin,
{
    let mut answer = dispatch(thread, console, request);
    loop {
        match answer {
            Answer::Done => break,
            Answer::Quit => return Ok(Answered::Quit),
            Answer::Watch(reader) => return Ok(Answered::Watching(reader)),
            Answer::Message(severity, text) => {
                let text = severity.prefix(console.severity) + &text;
                write(console, out, text.as_bytes()).await?;
                break;
            }
            Answer::Text(text) => {
                write(console, out, &text).await?;
                break;
            }
            Answer::Pieces(mut more) => {
                let mut piece = Vec::new();
                while more(&mut piece) {
                    write(console, out, &piece).await?;
                    piece.clear();
                    tokio::task::yield_now().await;
                }
                write(console, out, &piece).await?;
                break;
            }
            Answer::Later(later) => answer = later.await,
        }
    }
    end(console, out).await?;
    Ok(Answered::Fully)
}

fn dispatch(thread: &Rc<Thread>, console: &mut Console, request: Request) -> Answer {
    let Request { mut words, payload } = request;
    let Some((command, count)) = find(&words) else { return Answer::info(usage()) };
    if console.level < command.level {
        return Answer::error("Permission denied\n");
    }
    if command.status == Status::Planned {
        return Answer::error(format!("'{}' is not built yet.\n", command.name));
    }
    let args = words.split_off(count);
    let world = thread.world();
    (command.run)(&mut CommandContext { thread, world, args, payload, console })
}

async fn write<W>(console: &Console, out: &mut W, bytes: &[u8]) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    // In pieces, so that the time limit is for each of them.
    for piece in bytes.chunks(16_384) {
        within(console, out.write_all(piece)).await?;
    }
    within(console, out.flush()).await
}

/// Limits how long one read or write may take.
async fn within<T>(console: &Console, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match console.timeout {
        Some(limit) => time::timeout(limit, work).await?,
        None => work.await,
    }
}
