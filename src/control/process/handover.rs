//! Listening sockets go from one process to another over a runtime socket: `-x` on one side, `expose-fd
//! listeners` on the other (management.txt 3 `-x`; the wire format is HAProxy 2.3's, as observed).
//!
//! The receiver asks `_getsocks`. It is sent the number of sockets (an `int` of the machine), then, in batches
//! of 252, the descriptors and for each of them: length and text of its namespace, length and text of its
//! interface, four zero bytes. Each batch is acknowledged with an `int`, and the sender waits for that
//! after each full one.

use crate::config::outside::Identity;
use crate::sys::{self, DESCRIPTORS_AT_ONCE};
use socket2::{SockAddr, SockRef};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long either side may keep the other waiting.
const PATIENCE: Duration = Duration::from_secs(1);
/// A path as namespace, an interface, two lengths, four zero bytes.
const LARGEST_ENTRY: usize = 1 + 255 + 1 + 255 + 4;
/// More would be no process's listeners but a mistake.
const MOST_SOCKETS: usize = 1 << 20;

/// Sockets of another process.
pub type Received = Vec<(Identity, OwnedFd)>;

/// Asks the process behind the runtime socket `path` for its listening sockets.
///
/// # Errors
/// There is no such process, it does not hand over, or it breaks off.
pub fn fetch(path: &Path) -> io::Result<Received> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"_getsocks\n")?;
    let mut count = [0; 4];
    stream.read_exact(&mut count)?;
    let count = usize::try_from(i32::from_ne_bytes(count)).map_err(|_| inconsistent())?;
    if count > MOST_SOCKETS {
        return Err(inconsistent());
    }
    let (mut texts, mut sockets) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; DESCRIPTORS_AT_ONCE * LARGEST_ENTRY];
    while sockets.len() < count {
        let (length, received) = sys::receive_with(stream.as_fd(), &mut buffer)?;
        if length == 0 {
            return Err(inconsistent());
        }
        texts.extend_from_slice(buffer.get(..length).unwrap_or_default());
        // After its last batch the sender may not wait, and be gone already.
        let _ = stream.write_all(&(sockets.len() as i32).to_ne_bytes());
        sockets.extend(received);
    }
    identify(&texts, sockets)
}

/// Hands listening sockets to whoever asked `_getsocks` on `stream`, which may be non-blocking.
///
/// # Errors
/// The receiver is gone or does not acknowledge.
pub fn offer(stream: OwnedFd, sockets: &[(Identity, Arc<OwnedFd>)]) -> io::Result<()> {
    let mut stream = UnixStream::from(stream);
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&(sockets.len() as i32).to_ne_bytes())?;
    for batch in sockets.chunks(DESCRIPTORS_AT_ONCE) {
        let mut text = Vec::new();
        for (identity, _) in batch {
            push_text(&mut text, &identity.namespace);
            push_text(&mut text, &identity.interface);
            text.extend_from_slice(&[0; 4]);
        }
        let descriptors: Vec<RawFd> = batch.iter().map(|(_, fd)| fd.as_raw_fd()).collect();
        let sent = sys::send_with(stream.as_fd(), &text, &descriptors)?;
        stream.write_all(text.get(sent..).unwrap_or_default())?;
        if batch.len() == DESCRIPTORS_AT_ONCE {
            stream.read_exact(&mut [0; 4])?;
        }
    }
    Ok(())
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or(0);
    out.push(length);
    out.extend_from_slice(text.as_bytes().get(..usize::from(length)).unwrap_or_default());
}

fn identify(mut texts: &[u8], sockets: Vec<OwnedFd>) -> io::Result<Received> {
    let mut identified = Vec::new();
    for socket in sockets {
        let namespace = take_text(&mut texts)?;
        let interface = take_text(&mut texts)?;
        texts = texts.get(4..).ok_or_else(inconsistent)?;
        if let Some(address) = address_of(&socket) {
            let sock = SockRef::from(&socket);
            let is_v6 = sock.domain().is_ok_and(|domain| domain == socket2::Domain::IPV6);
            let transparent = match is_v6 {
                true => sock.ip_transparent_v6(),
                false => sock.ip_transparent_v4(),
            };
            let identity = Identity {
                address,
                interface,
                namespace,
                v6only: is_v6 && sock.only_v6().unwrap_or(false),
                transparent: transparent.unwrap_or(false),
            };
            identified.push((identity, socket));
        }
    }
    Ok(identified)
}

fn take_text(texts: &mut &[u8]) -> io::Result<String> {
    let (length, rest) = texts.split_first().ok_or_else(inconsistent)?;
    let (text, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(inconsistent)?;
    *texts = rest;
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// The address in the form of [`crate::config::outside::ListenAddress`]'s text.
fn address_of(socket: &OwnedFd) -> Option<String> {
    let address: SockAddr = SockRef::from(socket).local_addr().ok()?;
    if let Some(address) = address.as_socket() {
        return Some(format!("{}:{}", address.ip(), address.port()));
    }
    if let Some(name) = address.as_abstract_namespace() {
        let end = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let name = String::from_utf8_lossy(name.get(..end)?).into_owned();
        return Some(format!("abns@{name}"));
    }
    let path = String::from_utf8_lossy(address.as_pathname()?.as_os_str().as_bytes()).into_owned();
    Some(final_path(&path).to_owned())
}

/// A unix socket keeps the temporary name it was bound under: `/run/x.sock.123.tmp`.
fn final_path(path: &str) -> &str {
    let stripped = path.strip_suffix(".tmp").and_then(|path| path.rsplit_once('.'));
    match stripped {
        Some((path, pid)) if pid.bytes().all(|byte| byte.is_ascii_digit()) => path,
        _ => path,
    }
}

fn inconsistent() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "Inconsistency while transferring sockets")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::outside::{Listen, ListenAddress, ListenOptions, Outside, RealOutside};

    #[test]
    fn many_sockets_change_hands() {
        let folder = std::env::temp_dir().join(format!("haproxy-handover-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut outside = RealOutside::default();
        let mut bind = |address| {
            outside.bind(&Listen { address, options: ListenOptions::default() }).unwrap();
        };
        bind(ListenAddress::Unix(folder.join("x.sock")));
        bind(ListenAddress::Abstract(b"handover-test".to_vec()));
        for _ in 0..300 {
            bind(ListenAddress::Tcp(([127, 0, 0, 1], 0).into()));
        }
        let ours = outside.keep();
        let offered: Vec<_> =
            ours.iter().map(|(identity, fd)| (identity.clone(), Arc::clone(fd))).collect();
        let path = folder.join("stats");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let sender = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = [0; 10];
            stream.read_exact(&mut question).unwrap();
            assert_eq!(&question, b"_getsocks\n");
            offer(stream.into(), &offered).unwrap();
        });
        let received = fetch(&path).unwrap();
        sender.join().unwrap();
        let addresses: Vec<_> = received.iter().map(|(id, _)| id.address.clone()).collect();
        assert_eq!(addresses.len(), 302);
        assert!(addresses.contains(&folder.join("x.sock").display().to_string()));
        assert!(addresses.contains(&"abns@handover-test".to_owned()));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_temporary_name_is_not_an_address() {
        assert_eq!(final_path("/run/a.sock.77.tmp"), "/run/a.sock");
        assert_eq!(final_path("/run/a.sock.x.tmp"), "/run/a.sock.x.tmp");
        assert_eq!(final_path("/run/a.sock"), "/run/a.sock");
    }
}
