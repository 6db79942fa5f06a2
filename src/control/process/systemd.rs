//! `-Ws`: systemd is told what the process is doing (management.txt 3; sd_notify(3)).
//!
//! In: assignments such as `READY=1`. Out: one datagram to the socket that `NOTIFY_SOCKET` names.

use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Sends `text`. Without a listener nothing happens, as when the program was not started by systemd.
pub fn notify(text: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let _ = send(name, text);
}

fn send(name: OsString, text: &str) -> std::io::Result<()> {
    let mut path = name.as_bytes().to_vec();
    if let Some(first @ b'@') = path.first_mut() {
        *first = 0;
    }
    let socket = Socket::new(Domain::UNIX, Type::DGRAM.cloexec(), None)?;
    socket.send_to(text.as_bytes(), &SockAddr::unix(OsString::from_vec(path))?)?;
    Ok(())
}
