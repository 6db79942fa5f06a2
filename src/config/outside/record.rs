//! A load with a copy kept of every answer, and a load that lives from such a copy.
//!
//! In: the questions of one load. Out: a [`Bundle`], or answers from one. The master records while it
//! checks a configuration; its worker, which may have given up every right, replays.

use super::bundle::{Bundle, Refusal};
use super::real::Place;
use super::{BindError, Bound, Files, Identity, Listen, Outside};
use nix::sys::stat::fstat;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// Passes every question on and writes the answers down.
pub struct Recording<'a, O> {
    inner: &'a mut O,
    files: Rc<RecordedFiles>,
    bundle: Bundle,
    asked: HashMap<Identity, u32>,
}

impl<'a, O: Outside> Recording<'a, O> {
    /// Records what `inner` answers.
    pub fn new(inner: &'a mut O) -> Self {
        let files = RecordedFiles { inner: inner.files(), read: RefCell::default() };
        Self { inner, files: Rc::new(files), bundle: Bundle::default(), asked: HashMap::new() }
    }

    /// Everything that was asked, with its answers.
    pub fn into_bundle(self) -> Bundle {
        Bundle { files: self.files.read.take(), ..self.bundle }
    }
}

/// What files hold, or why they could not be read.
type Contents = BTreeMap<PathBuf, Result<Arc<[u8]>, Refusal>>;

/// The files that were asked for.
struct RecordedFiles {
    inner: Rc<dyn Files>,
    read: RefCell<Contents>,
}

impl Files for RecordedFiles {
    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        let mut read = self.read.borrow_mut();
        let recorded = read.entry(path.to_owned());
        answer(recorded.or_insert_with(|| self.inner.read(path).map_err(Refusal::from)))
    }
}

impl<O: Outside> Outside for Recording<'_, O> {
    fn read_file(&mut self, path: &Path) -> io::Result<Arc<[u8]>> {
        self.files.read(path)
    }

    fn files(&self) -> Rc<dyn Files> {
        self.files.clone()
    }

    fn list_directory(&mut self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let inner = &mut *self.inner;
        answer(
            self.bundle
                .directories
                .entry(path.to_owned())
                .or_insert_with(|| inner.list_directory(path).map_err(Refusal::from)),
        )
    }

    fn resolve(&mut self, host: &str) -> io::Result<Vec<IpAddr>> {
        let inner = &mut *self.inner;
        answer(
            self.bundle
                .hosts
                .entry(host.to_owned())
                .or_insert_with(|| inner.resolve(host).map_err(Refusal::from)),
        )
    }

    fn user(&mut self, name: &str) -> Option<u32> {
        let inner = &mut *self.inner;
        *self.bundle.users.entry(name.to_owned()).or_insert_with(|| inner.user(name))
    }

    fn group(&mut self, name: &str) -> Option<u32> {
        let inner = &mut *self.inner;
        *self.bundle.groups.entry(name.to_owned()).or_insert_with(|| inner.group(name))
    }

    fn env(&mut self, name: &str) -> Option<Vec<u8>> {
        let inner = &mut *self.inner;
        self.bundle.env.entry(name.to_owned()).or_insert_with(|| inner.env(name)).clone()
    }

    fn hostname(&mut self) -> String {
        self.bundle.hostname.get_or_insert_with(|| self.inner.hostname()).clone()
    }

    fn bind(&mut self, listen: &Listen) -> Result<Bound, BindError> {
        let bound = self.inner.bind(listen)?;
        let place = next_place(&mut self.asked, listen);
        self.bundle.sockets.insert(place, Arc::clone(&bound.socket));
        Ok(bound)
    }

    fn log_socket(&mut self, path: &Path) -> io::Result<Arc<OwnedFd>> {
        let inner = &mut *self.inner;
        answer(
            self.bundle
                .log_sockets
                .entry(path.to_owned())
                .or_insert_with(|| inner.log_socket(path).map_err(Refusal::from)),
        )
    }
}

/// Files as they were read by another process.
struct ReplayedFiles(Contents);

impl Files for ReplayedFiles {
    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        recorded(self.0.get(path))
    }
}

/// Answers from a bundle only. What the bundle does not hold is refused.
pub struct Replay {
    files: Rc<ReplayedFiles>,
    bundle: Bundle,
    asked: HashMap<Identity, u32>,
}

impl Replay {
    /// Answers from `bundle`. Sockets that `running` already has open are used under the descriptor
    /// they have there, so that threads that wait on it need not notice.
    pub fn new(mut bundle: Bundle, running: &RunningSockets) -> Self {
        for (place, socket) in &mut bundle.sockets {
            if let Some(open) = running.0.get(place).filter(|open| same_socket(open, socket)) {
                *socket = Arc::clone(open);
            }
        }
        let files = Rc::new(ReplayedFiles(std::mem::take(&mut bundle.files)));
        Self { files, bundle, asked: HashMap::new() }
    }

    /// The sockets of this load, once it runs.
    pub fn into_running(self) -> RunningSockets {
        RunningSockets(self.bundle.sockets)
    }
}

/// The sockets a worker listens on, under the descriptors it knows them by.
#[derive(Debug, Default)]
pub struct RunningSockets(BTreeMap<Place, Arc<OwnedFd>>);

impl RunningSockets {
    /// Every socket with its identity, for handing over.
    pub fn iter(&self) -> impl Iterator<Item = (&Identity, &Arc<OwnedFd>)> {
        self.0.iter().map(|((identity, _), socket)| (identity, socket))
    }
}

impl Outside for Replay {
    fn read_file(&mut self, path: &Path) -> io::Result<Arc<[u8]>> {
        self.files.read(path)
    }

    fn files(&self) -> Rc<dyn Files> {
        self.files.clone()
    }

    fn list_directory(&mut self, path: &Path) -> io::Result<Vec<PathBuf>> {
        recorded(self.bundle.directories.get(path))
    }

    fn resolve(&mut self, host: &str) -> io::Result<Vec<IpAddr>> {
        recorded(self.bundle.hosts.get(host))
    }

    fn user(&mut self, name: &str) -> Option<u32> {
        self.bundle.users.get(name).copied().flatten()
    }

    fn group(&mut self, name: &str) -> Option<u32> {
        self.bundle.groups.get(name).copied().flatten()
    }

    fn env(&mut self, name: &str) -> Option<Vec<u8>> {
        self.bundle.env.get(name).cloned().flatten()
    }

    fn hostname(&mut self) -> String {
        self.bundle.hostname.clone().unwrap_or_default()
    }

    fn bind(&mut self, listen: &Listen) -> Result<Bound, BindError> {
        let place = next_place(&mut self.asked, listen);
        match self.bundle.sockets.get(&place) {
            // What was worth a warning has been said by the process that opened the socket.
            Some(socket) => Ok(Bound { socket: Arc::clone(socket), warnings: Vec::new() }),
            None => Err(BindError(format!(
                "cannot bind socket (not opened by the master) [{}]",
                listen.address
            ))),
        }
    }

    fn log_socket(&mut self, path: &Path) -> io::Result<Arc<OwnedFd>> {
        recorded(self.bundle.log_sockets.get(path))
    }
}

fn next_place(asked: &mut HashMap<Identity, u32>, listen: &Listen) -> Place {
    let identity = listen.identity();
    let number = asked.entry(identity.clone()).or_default();
    *number += 1;
    (identity, *number)
}

fn answer<T: Clone>(recorded: &Result<T, Refusal>) -> io::Result<T> {
    match recorded {
        Ok(given) => Ok(given.clone()),
        Err(refusal) => Err(io::Error::from(refusal)),
    }
}

fn recorded<T: Clone>(recorded: Option<&Result<T, Refusal>>) -> io::Result<T> {
    match recorded {
        Some(recorded) => answer(recorded),
        None => Err(io::Error::other("not read by the master")),
    }
}

/// Two descriptors of one socket show the same inode.
fn same_socket(one: &OwnedFd, other: &OwnedFd) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}
