//! The system itself answers: files, the resolver, the user database, listening sockets.
//!
//! In: the questions of one load, and the sockets that are open already. Out: the answers, and the set of
//! sockets that the next load starts from. Manual: configuration.txt 5.1, management.txt 4.

use super::{
    BindError, Bound, Files, Identity, Listen, ListenAddress, ListenOptions, Outside, embedded,
};
use crate::sys;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Group, Pid, User, gethostname};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The kernel cuts it down to `net.core.somaxconn`.
const DEFAULT_BACKLOG: u32 = 1024;
/// Connections that may wait with data in their first segment (`tfo`).
const FAST_OPEN_QUEUE: i32 = 1024;
const RETRY_PAUSE: Duration = Duration::from_millis(10);
const RETRY_FOR: Duration = Duration::from_secs(2);

/// A listening socket's place: its identity, and its number among those of the same identity.
pub(super) type Place = (Identity, u32);

/// Listening sockets that live longer than one load.
#[derive(Debug, Default)]
pub struct Sockets {
    /// In use by the running configuration.
    open: BTreeMap<Place, Arc<OwnedFd>>,
    /// Received from an older process (`-x`) and not claimed yet.
    received: Vec<(Identity, OwnedFd)>,
}

/// Answers of the system, for one load.
#[derive(Debug, Default)]
pub struct RealOutside {
    sockets: Sockets,
    /// How often each identity was asked for in this load.
    asked: HashMap<Identity, u32>,
    used: BTreeMap<Place, Arc<OwnedFd>>,
    old: OldProcesses,
    no_reuse_port: bool,
    /// Variables that stand above those of the environment.
    variables: BTreeMap<String, Vec<u8>>,
}

impl Sockets {
    /// Every open socket with its identity, for handing over.
    pub fn iter(&self) -> impl Iterator<Item = (&Identity, &Arc<OwnedFd>)> {
        self.open.iter().map(|((identity, _), socket)| (identity, socket))
    }

    fn claim(&mut self, identity: &Identity) -> Option<OwnedFd> {
        let found = self.received.iter().position(|(candidate, _)| candidate == identity)?;
        Some(self.received.swap_remove(found).1)
    }
}

impl RealOutside {
    /// Starts a load from the sockets that are open now.
    pub fn new(sockets: Sockets) -> Self {
        Self { sockets, ..Self::default() }
    }

    /// Uses sockets received from an older process (`-x`) where they fit.
    pub fn with_received(mut self, received: Vec<(Identity, OwnedFd)>) -> Self {
        self.sockets.received = received;
        self
    }

    /// Asks these processes to release an address that is occupied (`-sf`, `-st`), and tries again for a
    /// while.
    pub fn replacing(mut self, pids: &[i32]) -> Self {
        self.old.pids = pids.to_vec();
        self
    }

    /// Listens without `SO_REUSEPORT` (`-dR`).
    pub fn without_reuse_port(mut self, without: bool) -> Self {
        self.no_reuse_port = without;
        self
    }

    /// Sets a variable for the configuration.
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.as_bytes().to_vec());
        self
    }

    /// The load is now what runs: sockets it did not ask for are closed.
    pub fn keep(self) -> Sockets {
        Sockets { open: self.used, received: Vec::new() }
    }

    /// The load has failed: what was open stays open, what it opened itself is closed.
    pub fn give_up(self) -> Sockets {
        self.old.take_back();
        self.sockets
    }

    fn place(&mut self, identity: Identity) -> Place {
        let number = self.asked.entry(identity.clone()).or_default();
        *number += 1;
        (identity, *number)
    }

    fn open_with_patience(&mut self, listen: &Listen, warnings: &mut Warnings) -> Opened {
        loop {
            match open_socket(listen, warnings) {
                Err(Failure { retry: true, .. }) if self.old.may_let_go() => {
                    warnings.0.clear();
                    std::thread::sleep(RETRY_PAUSE);
                }
                done => return done,
            }
        }
    }
}

/// Processes that are being replaced and may hold an address.
#[derive(Debug, Default)]
struct OldProcesses {
    pids: Vec<i32>,
    /// Until when they may take to let go; set once they have been asked to.
    until: Option<Instant>,
}

impl OldProcesses {
    /// Whether it makes sense to try again: they have been asked, now or a moment ago.
    fn may_let_go(&mut self) -> bool {
        if let Some(until) = self.until {
            return Instant::now() < until;
        }
        self.until = Some(Instant::now() + RETRY_FOR);
        self.tell(Signal::SIGTTOU)
    }

    /// They are to go on, since there will be no successor.
    fn take_back(&self) {
        if self.until.is_some() {
            self.tell(Signal::SIGTTIN);
        }
    }

    fn tell(&self, signal: Signal) -> bool {
        let told = self.pids.iter().filter(|pid| kill(Pid::from_raw(**pid), signal).is_ok());
        told.count() > 0
    }
}

/// The file system.
struct FileSystem;

impl Files for FileSystem {
    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>> {
        match embedded::read(path) {
            Some(content) => Ok(content),
            None => fs::read(path).map(Arc::from),
        }
    }
}

impl Outside for RealOutside {
    fn read_file(&mut self, path: &Path) -> io::Result<Arc<[u8]>> {
        FileSystem.read(path)
    }

    fn files(&self) -> Rc<dyn Files> {
        Rc::new(FileSystem)
    }

    fn list_directory(&mut self, path: &Path) -> io::Result<Vec<PathBuf>> {
        if embedded::read(path).is_some() {
            return Err(nix::errno::Errno::ENOTDIR.into());
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let hidden = entry.file_name().as_bytes().starts_with(b".");
            if !hidden && fs::metadata(entry.path()).is_ok_and(|data| data.is_file()) {
                files.push(entry.path());
            }
        }
        files.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
        Ok(files)
    }

    fn resolve(&mut self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut addresses = Vec::new();
        for address in (host, 0).to_socket_addrs()? {
            if !addresses.contains(&address.ip()) {
                addresses.push(address.ip());
            }
        }
        Ok(addresses)
    }

    fn user(&mut self, name: &str) -> Option<u32> {
        Some(User::from_name(name).ok()??.uid.as_raw())
    }

    fn group(&mut self, name: &str) -> Option<u32> {
        Some(Group::from_name(name).ok()??.gid.as_raw())
    }

    fn env(&mut self, name: &str) -> Option<Vec<u8>> {
        let own = self.variables.get(name).cloned();
        own.or_else(|| std::env::var_os(name).map(OsStringExt::into_vec))
    }

    fn hostname(&mut self) -> String {
        gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn bind(&mut self, listen: &Listen) -> Result<Bound, BindError> {
        let mut listen = listen.clone();
        listen.options.no_reuse_port |= self.no_reuse_port;
        let listen = &listen;
        let place = self.place(listen.identity());
        let mut warnings = Warnings(Vec::new());
        let socket = match self.sockets.open.get(&place) {
            Some(open) => Arc::clone(open),
            None => match self.sockets.claim(&place.0) {
                Some(received) => Arc::new(received),
                None => Arc::new(self.open_with_patience(listen, &mut warnings)?),
            },
        };
        start_listening(socket.as_fd(), listen, &mut warnings)?;
        self.used.insert(place, Arc::clone(&socket));
        let address = listen.address.to_string();
        let warnings = warnings.0.into_iter().map(|words| format!("{words} [{address}]")).collect();
        Ok(Bound { socket, warnings })
    }

    fn log_socket(&mut self, path: &Path) -> io::Result<Arc<OwnedFd>> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(path)?;
        Ok(Arc::new(OwnedFd::from(socket)))
    }
}

type Opened = Result<OwnedFd, Failure>;

struct Warnings(Vec<String>);

/// A step that failed; `retry` when an old process may still hold the address.
struct Failure {
    words: String,
    address: String,
    retry: bool,
}

impl From<Failure> for BindError {
    fn from(failure: Failure) -> Self {
        Self(format!("{} [{}]", failure.words, failure.address))
    }
}

impl Warnings {
    fn note(&mut self, words: &str, result: io::Result<()>) {
        if let Err(reason) = result {
            self.0.push(format!("{words} ({})", sys::error_words(&reason)));
        }
    }
}

fn open_socket(listen: &Listen, warnings: &mut Warnings) -> Opened {
    match &listen.address {
        ListenAddress::Tcp(address) | ListenAddress::Udp(address) => {
            open_inet(*address, listen, warnings)
        }
        ListenAddress::Unix(path) => open_path(path, listen),
        ListenAddress::Abstract(name) => open_abstract(name, listen),
        ListenAddress::Inherited(fd) => sys::duplicate(*fd)
            .map_err(|reason| failure(listen, "cannot use inherited socket", &reason, false)),
    }
}

fn open_inet(address: SocketAddr, listen: &Listen, warnings: &mut Warnings) -> Opened {
    let options = &listen.options;
    let kind = match listen.address {
        ListenAddress::Udp(_) => (Type::DGRAM, Protocol::UDP),
        _ => (Type::STREAM, Protocol::TCP),
    };
    let socket = inet_socket(address, kind, options.namespace.as_deref())
        .map_err(|reason| failure(listen, "cannot create receiving socket", &reason, true))?;
    if kind.0 == Type::STREAM {
        // Two programs must not share a port's datagrams.
        warnings.note("cannot do so_reuseaddr", socket.set_reuse_address(true));
    }
    if !options.no_reuse_port {
        // Lets an old and a new process listen side by side; refused only by ancient kernels.
        let _ = socket.set_reuse_port(true);
    }
    if options.transparent {
        make_transparent(&socket, address).map_err(|reason| {
            failure(listen, "cannot make receiving socket transparent", &reason, false)
        })?;
    }
    if let Some(interface) = &options.interface {
        let bound = socket.bind_device(Some(interface.as_bytes()));
        warnings.note("cannot bind receiver to device", bound);
    }
    if address.is_ipv6() {
        let _ = socket.set_only_v6(options.v6only.unwrap_or_else(v6only_by_default));
    }
    socket
        .bind(&SockAddr::from(address))
        .map_err(|reason| failure(listen, "cannot bind socket", &reason, true))?;
    Ok(socket.into())
}

/// The system's `bindv6only`, which rules when neither `v4v6` nor `v6only` is given.
fn v6only_by_default() -> bool {
    fs::read("/proc/sys/net/ipv6/bindv6only").is_ok_and(|text| text.starts_with(b"1"))
}

fn make_transparent(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let result = match address {
        SocketAddr::V4(_) => socket.set_ip_transparent_v4(true),
        SocketAddr::V6(_) => socket.set_ip_transparent_v6(true),
    };
    // Without the right to be transparent, binding to a foreign address may still be allowed.
    result.or_else(|_| match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true),
        SocketAddr::V6(_) => socket.set_freebind_v6(true),
    })
}

fn inet_socket(
    address: SocketAddr,
    (kind, protocol): (Type, Protocol),
    namespace: Option<&str>,
) -> io::Result<Socket> {
    let create = || {
        let kind = kind.nonblocking().cloexec();
        Socket::new(Domain::for_address(address), kind, Some(protocol))
    };
    let Some(namespace) = namespace else { return create() };
    let own = fs::File::open("/proc/self/ns/net")?;
    let other = fs::File::open(Path::new("/var/run/netns").join(namespace))?;
    setns(&other, CloneFlags::CLONE_NEWNET)?;
    let socket = create();
    setns(&own, CloneFlags::CLONE_NEWNET)?;
    socket
}

/// Binds beside the path and moves the socket there, so that the path always leads to a socket.
fn open_path(path: &Path, listen: &Listen) -> Opened {
    let temporary = PathBuf::from(format!("{}.{}.tmp", path.display(), std::process::id()));
    let fail = |words: &str, reason: &io::Error| failure(listen, words, reason, false);
    if let Err(reason) = fs::remove_file(&temporary)
        && reason.kind() != io::ErrorKind::NotFound
    {
        return Err(fail("error when trying to unlink previous UNIX socket", &reason));
    }
    let socket = unix_socket(listen)?;
    SockAddr::unix(&temporary)
        .and_then(|address| socket.bind(&address))
        .map_err(|reason| fail("cannot bind UNIX socket", &reason))?;
    let prepared = set_ownership(&temporary, &listen.options)
        .map_err(|reason| fail("cannot change UNIX socket ownership", &reason))
        .and_then(|()| {
            fs::rename(&temporary, path)
                .map_err(|reason| fail("cannot switch final and temporary UNIX sockets", &reason))
        });
    if prepared.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    prepared.map(|()| socket.into())
}

fn open_abstract(name: &[u8], listen: &Listen) -> Opened {
    let socket = unix_socket(listen)?;
    match SockAddr::unix(abstract_path(name)).and_then(|address| socket.bind(&address)) {
        Ok(()) => Ok(socket.into()),
        Err(reason) if reason.kind() == io::ErrorKind::AddrInUse => Err(Failure {
            words: "cannot bind UNIX socket (already in use)".to_owned(),
            address: listen.address.to_string(),
            retry: true,
        }),
        Err(reason) => Err(failure(listen, "cannot bind UNIX socket", &reason, false)),
    }
}

/// HAProxy's abstract names fill the whole address with zero bytes, and so must those of its peers.
fn abstract_path(name: &[u8]) -> OsString {
    const LENGTH: usize = 108;
    let mut whole = vec![0];
    whole.extend_from_slice(name);
    whole.resize(LENGTH, 0);
    OsString::from_vec(whole)
}

fn unix_socket(listen: &Listen) -> Result<Socket, Failure> {
    Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)
        .map_err(|reason| failure(listen, "cannot create receiving socket", &reason, false))
}

fn set_ownership(path: &Path, options: &ListenOptions) -> io::Result<()> {
    if options.uid.is_some() || options.gid.is_some() {
        std::os::unix::fs::chown(path, options.uid, options.gid)?;
    }
    match options.mode {
        Some(mode) if mode != 0 => {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            fs::set_permissions(path, mode)
        }
        _ => Ok(()),
    }
}

/// Options that may change while a socket is open, then `listen`; also done for sockets that listen
/// already, so that a reload can change the backlog.
fn start_listening(
    socket: BorrowedFd<'_>,
    listen: &Listen,
    warnings: &mut Warnings,
) -> Result<(), BindError> {
    use nix::libc::{IPPROTO_TCP, TCP_DEFER_ACCEPT, TCP_FASTOPEN, TCP_MAXSEG, TCP_USER_TIMEOUT};
    let options = &listen.options;
    if matches!(listen.address, ListenAddress::Tcp(_)) {
        let mut set = |name: i32, value: i32, words: &str| {
            if let Err(_reason) = sys::set_option(socket, IPPROTO_TCP, name, value) {
                warnings.0.push(words.to_owned());
            }
        };
        if let Some(mss) = options.mss {
            set(TCP_MAXSEG, mss, "cannot set MSS");
        }
        if let Some(limit) = options.user_timeout {
            let limit = i32::try_from(limit).unwrap_or(i32::MAX);
            set(TCP_USER_TIMEOUT, limit, "cannot set TCP User Timeout");
        }
        if options.defer_accept {
            set(TCP_DEFER_ACCEPT, 1, "cannot enable DEFER_ACCEPT");
        }
        if options.fast_open {
            set(TCP_FASTOPEN, FAST_OPEN_QUEUE, "cannot enable TCP_FASTOPEN");
        }
    }
    let words = match listen.address {
        ListenAddress::Tcp(_) => "cannot listen to socket",
        ListenAddress::Udp(_) => return Ok(()),
        ListenAddress::Inherited(_) => {
            return sys::set_nonblocking(socket).map_err(|reason| {
                failure(listen, "cannot make socket non-blocking", &reason, false).into()
            });
        }
        ListenAddress::Unix(_) | ListenAddress::Abstract(_) => "cannot listen to UNIX socket",
    };
    sys::listen(socket, options.backlog.unwrap_or(DEFAULT_BACKLOG))
        .map_err(|_reason| BindError(format!("{words} [{}]", listen.address)))
}

fn failure(listen: &Listen, words: &str, reason: &io::Error, retry: bool) -> Failure {
    Failure {
        words: format!("{words} ({})", sys::error_words(reason)),
        address: listen.address.to_string(),
        retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    fn loopback(port: u16) -> Listen {
        Listen {
            address: ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], port))),
            options: ListenOptions { no_reuse_port: true, ..ListenOptions::default() },
        }
    }

    #[test]
    fn a_socket_survives_the_loads_that_ask_for_it() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut first = RealOutside::default();
        let socket = first.bind(&loopback(port)).unwrap().socket;
        let mut second = RealOutside::new(first.keep());
        let again = second.bind(&loopback(port)).unwrap().socket;
        assert_eq!(socket.as_raw_fd(), again.as_raw_fd());
        let mut third = RealOutside::new(second.give_up());
        assert!(third.bind(&loopback(port)).is_ok());
        let kept = RealOutside::new(third.keep()).keep();
        assert_eq!(kept.iter().count(), 0, "a load that asks for nothing keeps nothing");
    }

    #[test]
    fn an_occupied_address_is_reported_in_haproxys_words() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = RealOutside::default().bind(&loopback(port)).unwrap_err();
        let expected = format!("cannot bind socket (Address already in use) [127.0.0.1:{port}]");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_path_always_leads_to_a_socket() {
        let folder = std::env::temp_dir().join(format!("haproxy-bind-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("stats.sock");
        let listen = Listen {
            address: ListenAddress::Unix(path.clone()),
            options: ListenOptions { mode: Some(0o600), ..ListenOptions::default() },
        };
        let mut first = RealOutside::default();
        first.bind(&listen).unwrap();
        let mut second = RealOutside::default();
        second.bind(&listen).unwrap();
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary name is left");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_listening_socket_gets_its_options() {
        use nix::libc::{IPPROTO_TCP, TCP_DEFER_ACCEPT, TCP_FASTOPEN, TCP_USER_TIMEOUT};
        let mut listen = loopback(0);
        listen.options.user_timeout = Some(7_000);
        listen.options.defer_accept = true;
        listen.options.fast_open = true;
        listen.options.mss = Some(1_200);
        let bound = RealOutside::default().bind(&listen).unwrap();
        assert_eq!(bound.warnings, [""; 0]);
        let option = |name| sys::option(bound.socket.as_fd(), IPPROTO_TCP, name).unwrap();
        assert_eq!(option(TCP_USER_TIMEOUT), 7_000);
        assert_eq!(option(TCP_DEFER_ACCEPT), 1);
        assert_eq!(option(TCP_FASTOPEN), FAST_OPEN_QUEUE);
    }

    #[test]
    fn an_address_of_another_machine_is_bound_only_transparently() {
        let mut listen = loopback(0);
        // One of those that are for documentation (RFC 5737); nothing is sent.
        listen.address = ListenAddress::Tcp("192.0.2.1:0".parse().unwrap());
        let plain = RealOutside::default().bind(&listen).unwrap_err().to_string();
        assert!(
            plain.starts_with("cannot bind socket (Cannot assign requested address)"),
            "{plain}"
        );
        listen.options.transparent = true;
        let bound = RealOutside::default().bind(&listen).map(drop).map_err(|e| e.to_string());
        match nix::unistd::geteuid().is_root() {
            true => assert_eq!(bound, Ok(())),
            false => assert!(bound.unwrap_err().contains("transparent")),
        }
    }

    #[test]
    fn two_binds_of_one_address_are_two_sockets() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut shared = loopback(port);
        shared.options.no_reuse_port = false;
        let mut outside = RealOutside::default();
        let one = outside.bind(&shared).unwrap().socket;
        let two = outside.bind(&shared).unwrap().socket;
        assert_ne!(one.as_raw_fd(), two.as_raw_fd());
        assert_eq!(outside.keep().iter().count(), 2);
    }
}
