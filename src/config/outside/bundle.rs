//! Every answer that one load was given, in a form that crosses a socket.
//!
//! In: what [`super::Recording`] wrote down. Out: bytes, and beside them the descriptors that belong to
//! them, in the order of the bytes. Lengths and numbers are little-endian; both ends are one program.

use super::Identity;
use super::real::Place;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Answers by what was asked.
#[derive(Debug, Default)]
pub struct Bundle {
    pub(super) files: BTreeMap<PathBuf, Result<Arc<[u8]>, Refusal>>,
    pub(super) directories: BTreeMap<PathBuf, Result<Vec<PathBuf>, Refusal>>,
    pub(super) hosts: BTreeMap<String, Result<Vec<IpAddr>, Refusal>>,
    pub(super) users: BTreeMap<String, Option<u32>>,
    pub(super) groups: BTreeMap<String, Option<u32>>,
    pub(super) env: BTreeMap<String, Option<Vec<u8>>>,
    pub(super) hostname: Option<String>,
    pub(super) sockets: BTreeMap<Place, Arc<OwnedFd>>,
    pub(super) log_sockets: BTreeMap<PathBuf, Result<Arc<OwnedFd>, Refusal>>,
}

/// An `io::Error` that can be kept and given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    errno: Option<i32>,
    words: String,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self { errno: error.raw_os_error(), words: error.to_string() }
    }
}

impl From<&Refusal> for io::Error {
    fn from(refusal: &Refusal) -> Self {
        match refusal.errno {
            Some(errno) => Self::from_raw_os_error(errno),
            None => Self::other(refusal.words.clone()),
        }
    }
}

impl Bundle {
    /// The bytes, and the descriptors they speak of.
    pub fn encode(&self) -> (Vec<u8>, Vec<BorrowedFd<'_>>) {
        let mut out = Writer::default();
        out.map(
            &self.files,
            |out, path| out.path(path),
            |out, a| out.result(a, |out, v| out.bytes(v)),
        );
        out.map(
            &self.directories,
            |out, path| out.path(path),
            |out, a| {
                out.result(a, |out, v| out.list(v, |out, path| out.path(path)));
            },
        );
        out.map(&self.hosts, Writer::text, |out, a| {
            out.result(a, |out, v| out.list(v, |out, ip| out.text(&ip.to_string())));
        });
        out.map(&self.users, Writer::text, |out, id| out.option(id, |out, id| out.number(*id)));
        out.map(&self.groups, Writer::text, |out, id| out.option(id, |out, id| out.number(*id)));
        out.map(&self.env, Writer::text, |out, v| out.option(v, |out, v| out.bytes(v)));
        out.option(&self.hostname, Writer::text);
        out.map(&self.sockets, Writer::place, |out, fd| out.descriptors.push(fd.as_fd()));
        out.map(
            &self.log_sockets,
            |out, path| out.path(path),
            |out, a| {
                out.result(a, |out, fd| out.descriptors.push(fd.as_fd()));
            },
        );
        (out.bytes, out.descriptors)
    }

    /// The bundle back; an error when bytes or descriptors are missing or left over.
    pub fn decode(bytes: &[u8], descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let mut from = Reader { bytes, descriptors: descriptors.into_iter() };
        let bundle = Self {
            files: from.map(Reader::path, |r| r.result(|r| Ok(Arc::from(r.bytes()?))))?,
            directories: from.map(Reader::path, |r| r.result(|r| r.list(Reader::path)))?,
            hosts: from.map(Reader::text, |r| r.result(|r| r.list(Reader::address)))?,
            users: from.map(Reader::text, |r| r.option(Reader::number))?,
            groups: from.map(Reader::text, |r| r.option(Reader::number))?,
            env: from.map(Reader::text, |r| r.option(|r| Ok(r.bytes()?.to_vec())))?,
            hostname: from.option(Reader::text)?,
            sockets: from.map(Reader::place, Reader::descriptor)?,
            log_sockets: from.map(Reader::path, |r| r.result(Reader::descriptor))?,
        };
        match from.bytes.is_empty() && from.descriptors.next().is_none() {
            true => Ok(bundle),
            false => Err(malformed()),
        }
    }
}

#[derive(Default)]
struct Writer<'a> {
    bytes: Vec<u8>,
    descriptors: Vec<BorrowedFd<'a>>,
}

impl<'a> Writer<'a> {
    fn number(&mut self, number: u32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &String) {
        self.bytes(text.as_bytes());
    }

    fn path(&mut self, path: &Path) {
        self.bytes(path.as_os_str().as_bytes());
    }

    fn place(&mut self, (identity, number): &Place) {
        self.text(&identity.address);
        self.text(&identity.interface);
        self.text(&identity.namespace);
        self.bytes.push(u8::from(identity.v6only));
        self.bytes.push(u8::from(identity.transparent));
        self.number(*number);
    }

    fn list<T>(&mut self, list: &[T], each: impl Fn(&mut Self, &T)) {
        self.number(u32::try_from(list.len()).unwrap_or(u32::MAX));
        list.iter().for_each(|item| each(self, item));
    }

    fn map<K, V>(
        &mut self,
        map: &'a BTreeMap<K, V>,
        key: impl Fn(&mut Self, &K),
        value: impl Fn(&mut Self, &'a V),
    ) {
        self.number(u32::try_from(map.len()).unwrap_or(u32::MAX));
        for (name, answer) in map {
            key(self, name);
            value(self, answer);
        }
    }

    fn option<T>(&mut self, option: &'a Option<T>, some: impl Fn(&mut Self, &'a T)) {
        self.bytes.push(u8::from(option.is_some()));
        if let Some(value) = option {
            some(self, value);
        }
    }

    fn result<T>(&mut self, result: &'a Result<T, Refusal>, ok: impl Fn(&mut Self, &'a T)) {
        self.bytes.push(u8::from(result.is_ok()));
        match result {
            Ok(value) => ok(self, value),
            Err(refusal) => {
                self.bytes.extend_from_slice(&refusal.errno.unwrap_or(0).to_le_bytes());
                self.text(&refusal.words);
            }
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    descriptors: std::vec::IntoIter<OwnedFd>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(malformed)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| malformed())
    }

    fn flag(&mut self) -> io::Result<bool> {
        Ok(self.array::<1>()? == [1])
    }

    fn number(&mut self) -> io::Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let length = u64::from_le_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| malformed())?)
    }

    fn text(&mut self) -> io::Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| malformed())
    }

    fn path(&mut self) -> io::Result<PathBuf> {
        Ok(PathBuf::from(OsString::from_vec(self.bytes()?.to_vec())))
    }

    fn address(&mut self) -> io::Result<IpAddr> {
        self.text()?.parse().map_err(|_| malformed())
    }

    fn descriptor(&mut self) -> io::Result<Arc<OwnedFd>> {
        self.descriptors.next().map(Arc::new).ok_or_else(malformed)
    }

    fn place(&mut self) -> io::Result<Place> {
        let identity = Identity {
            address: self.text()?,
            interface: self.text()?,
            namespace: self.text()?,
            v6only: self.flag()?,
            transparent: self.flag()?,
        };
        Ok((identity, self.number()?))
    }

    fn list<T>(&mut self, each: impl Fn(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        (0..self.number()?).map(|_| each(self)).collect()
    }

    fn map<K: Ord, V>(
        &mut self,
        key: impl Fn(&mut Self) -> io::Result<K>,
        value: impl Fn(&mut Self) -> io::Result<V>,
    ) -> io::Result<BTreeMap<K, V>> {
        (0..self.number()?).map(|_| Ok((key(self)?, value(self)?))).collect()
    }

    fn option<T>(&mut self, some: impl Fn(&mut Self) -> io::Result<T>) -> io::Result<Option<T>> {
        self.flag()?.then(|| some(self)).transpose()
    }

    fn result<T>(
        &mut self,
        ok: impl Fn(&mut Self) -> io::Result<T>,
    ) -> io::Result<Result<T, Refusal>> {
        if self.flag()? {
            return ok(self).map(Ok);
        }
        let errno = i32::from_le_bytes(self.array()?);
        Ok(Err(Refusal { errno: (errno != 0).then_some(errno), words: self.text()? }))
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed bundle")
}

#[cfg(test)]
mod tests {
    use super::super::{
        Listen, ListenAddress, ListenOptions, Outside, RealOutside, Recording, Replay,
        record::RunningSockets,
    };
    use super::*;

    fn ask(outside: &mut dyn Outside, listen: &Listen) -> Vec<String> {
        let file = Path::new("/etc/hostname");
        vec![
            format!("{:?}", outside.read_file(file)),
            outside.read_file(Path::new("/nonexistent")).unwrap_err().to_string(),
            outside.list_directory(file).unwrap_err().to_string(),
            format!("{:?}", outside.list_directory(Path::new("/proc/sys/kernel")).unwrap().len()),
            format!("{:?}", outside.resolve("127.0.0.1").unwrap()),
            format!("{:?} {:?}", outside.user("root"), outside.user("no such user")),
            format!("{:?}", outside.group("root")),
            format!("{:?} {:?}", outside.env("PATH"), outside.env("NO_SUCH_VARIABLE")),
            outside.hostname(),
            format!("{:?}", outside.bind(listen).map(|bound| bound.warnings)),
            format!("{:?}", outside.log_socket(Path::new("/nonexistent")).unwrap_err().kind()),
        ]
    }

    #[test]
    fn a_replay_answers_as_the_system_did() {
        let listen = Listen {
            address: ListenAddress::Abstract(format!("bundle-{}", std::process::id()).into()),
            options: ListenOptions::default(),
        };
        let mut real = RealOutside::default();
        let mut recording = Recording::new(&mut real);
        let first = ask(&mut recording, &listen);
        let bundle = recording.into_bundle();
        let (bytes, descriptors) = bundle.encode();
        assert_eq!(descriptors.len(), 1);
        let copies = descriptors.iter().map(|fd| fd.try_clone_to_owned().unwrap()).collect();
        let decoded = Bundle::decode(&bytes, copies).unwrap();
        let mut replay = Replay::new(decoded, &RunningSockets::default());
        assert_eq!(ask(&mut replay, &listen), first);
        assert!(replay.read_file(Path::new("/etc/passwd")).is_err(), "was never asked for");
        assert!(replay.bind(&listen).is_err(), "was asked for once, not twice");
    }

    #[test]
    fn a_worker_keeps_the_descriptor_it_listens_on() {
        use std::os::fd::AsRawFd;
        let listen = Listen {
            address: ListenAddress::Abstract(format!("keep-{}", std::process::id()).into()),
            options: ListenOptions::default(),
        };
        let mut real = RealOutside::default();
        let mut recording = Recording::new(&mut real);
        recording.bind(&listen).unwrap();
        let bundle = recording.into_bundle();
        let copy = || {
            let (bytes, descriptors) = bundle.encode();
            let copies = descriptors.iter().map(|fd| fd.try_clone_to_owned().unwrap()).collect();
            Bundle::decode(&bytes, copies).unwrap()
        };
        let mut first = Replay::new(copy(), &RunningSockets::default());
        let before = first.bind(&listen).unwrap().socket.as_raw_fd();
        let mut second = Replay::new(copy(), &first.into_running());
        assert_eq!(second.bind(&listen).unwrap().socket.as_raw_fd(), before);
    }

    #[test]
    fn cut_bytes_are_refused() {
        let mut real = RealOutside::default();
        let mut recording = Recording::new(&mut real);
        recording.hostname();
        let bundle = recording.into_bundle();
        let (bytes, _) = bundle.encode();
        for length in 0..bytes.len() {
            assert!(Bundle::decode(&bytes[..length], Vec::new()).is_err(), "{length}");
        }
    }
}
