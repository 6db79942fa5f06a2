//! Everything that loading a configuration takes from the world around it.
//!
//! In: questions asked while parsing and compiling (files, names, users, sockets). Out: the answers,
//! from the system itself ([`RealOutside`]), from the system with a copy kept ([`Recording`]), or from
//! such a copy ([`Replay`]). The master records, its worker replays, so a worker that has given up its
//! rights loads exactly what the master has checked. Manual: management.txt chapters 3 and 4.

mod bundle;
pub mod embedded;
mod real;
mod record;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

pub use bundle::Bundle;
pub use real::{RealOutside, Sockets};
pub use record::{Recording, Replay, RunningSockets};

/// Reads files, apart from everything else that loading may ask.
pub trait Files {
    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Arc<[u8]>>;
}

/// What loading may ask. Asking the same thing twice in one load gives the same answer.
pub trait Outside {
    /// The whole content of a file: configuration, map, error page, certificate.
    fn read_file(&mut self, path: &Path) -> io::Result<Arc<[u8]>>;

    /// The same for those who cannot borrow this: expressions read maps from deep within words.
    fn files(&self) -> Rc<dyn Files>;

    /// The regular files directly inside a directory, as full paths, in the order of their bytes; names
    /// that begin with a dot are left out. `NotADirectory` when `path` is something else.
    fn list_directory(&mut self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// All addresses of a host name, in the resolver's order, without repetitions.
    fn resolve(&mut self, host: &str) -> io::Result<Vec<IpAddr>>;

    /// The numeric id of a user.
    fn user(&mut self, name: &str) -> Option<u32>;

    /// The numeric id of a group.
    fn group(&mut self, name: &str) -> Option<u32>;

    /// An environment variable of the process, before any `setenv` of the configuration.
    fn env(&mut self, name: &str) -> Option<Vec<u8>>;

    /// The host's name, as `gethostname` gives it.
    fn hostname(&mut self) -> String;

    /// A listening socket. One that is already open for the same [`Listen::identity`] is given again, so
    /// that a reload never closes it.
    /// `-c` checks without asking this.
    fn bind(&mut self, listen: &Listen) -> Result<Bound, BindError>;

    /// A datagram socket connected to a syslog daemon's unix socket, opened while its path is still in
    /// reach (before `chroot`).
    fn log_socket(&mut self, path: &Path) -> io::Result<Arc<OwnedFd>>;
}

/// A socket that a `bind` line (or `stats socket`) asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Listen {
    pub address: ListenAddress,
    pub options: ListenOptions,
}

/// Where to listen. One entry for each port of a range and each address of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// `ipv4@`, `ipv6@` and plain addresses.
    Tcp(SocketAddr),
    /// `dgram-bind`: datagrams.
    Udp(SocketAddr),
    /// `unix@` and paths, with `unix-bind prefix` already applied.
    Unix(PathBuf),
    /// `abns@`: the name without its leading zero byte.
    Abstract(Vec<u8>),
    /// `fd@`: a descriptor the process was started with, already listening.
    Inherited(RawFd),
}

/// The options of a `bind` line that belong to the socket itself (manual 5.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ListenOptions {
    /// `backlog`, in connections; `None` takes the default of 1,024 (the kernel's limit applies).
    pub backlog: Option<u32>,
    /// `v6only` is `Some(true)`, `v4v6` is `Some(false)`.
    pub v6only: Option<bool>,
    /// `transparent`.
    pub transparent: bool,
    /// `interface`.
    pub interface: Option<String>,
    /// `namespace`.
    pub namespace: Option<String>,
    /// `mss`, in bytes; negative is below the advertised one.
    pub mss: Option<i32>,
    /// `tfo`.
    pub fast_open: bool,
    /// `defer-accept`.
    pub defer_accept: bool,
    /// `tcp-ut`, in milliseconds.
    pub user_timeout: Option<u32>,
    /// `mode`, of a unix socket's path.
    pub mode: Option<u32>,
    /// `uid` or `user`, of a unix socket's path.
    pub uid: Option<u32>,
    /// `gid` or `group`, of a unix socket's path.
    pub gid: Option<u32>,
    /// `global`'s `noreuseport` or `-dR`.
    pub no_reuse_port: bool,
}

/// What makes two listening sockets the same one: the address and what cannot be changed after binding.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The address as HAProxy prints it: `127.0.0.1:80`, `/run/haproxy.sock`, `abns@name`, `fd@3`.
    pub address: String,
    pub interface: String,
    pub namespace: String,
    pub v6only: bool,
    pub transparent: bool,
}

/// A socket that listens.
#[derive(Debug, Clone)]
pub struct Bound {
    pub socket: Arc<OwnedFd>,
    /// What did not work but does not keep the socket from listening, as `[WARNING]` lines word it.
    pub warnings: Vec<String>,
}

/// Why a socket could not be had, in HAProxy's words and with the address, as it stands after
/// `Starting frontend NAME: `: `cannot bind socket (Address already in use) [127.0.0.1:80]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindError(pub String);

impl Listen {
    /// What a running socket is recognised by at a reload.
    pub fn identity(&self) -> Identity {
        Identity {
            address: match self.address {
                ListenAddress::Udp(_) => format!("udp@{}", self.address),
                _ => self.address.to_string(),
            },
            interface: self.options.interface.clone().unwrap_or_default(),
            namespace: self.options.namespace.clone().unwrap_or_default(),
            v6only: self.options.v6only.unwrap_or(false),
            transparent: self.options.transparent,
        }
    }
}

impl fmt::Display for ListenAddress {
    /// As HAProxy's messages name it: IPv6 addresses without brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) | Self::Udp(address) => {
                write!(f, "{}:{}", address.ip(), address.port())
            }
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Abstract(name) => write!(f, "abns@{}", String::from_utf8_lossy(name)),
            Self::Inherited(fd) => write!(f, "fd@{fd}"),
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BindError {}
