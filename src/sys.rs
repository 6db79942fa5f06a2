//! System calls that no safe interface covers: the only module that may be `unsafe`.
//!
//! In: descriptors and plain numbers. Out: safe results with the system's own errors.
#![allow(unsafe_code)]

use nix::libc;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The system's words for an error, without Rust's `(os error 98)`.
pub fn error_words(error: &io::Error) -> String {
    let words = error.to_string();
    match words.find(" (os error ") {
        Some(end) => words[..end].to_owned(),
        None => words,
    }
}

/// A descriptor of our own for `fd`, which the process was started with and which stays open.
pub fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl takes any number and reports those that are no descriptor.
    let copy = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the kernel has just created `copy` for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Closes what `fd` leads to, though its owners keep the number: it leads to an unused socket from now on.
pub fn close_shared(fd: BorrowedFd<'_>) -> io::Result<()> {
    replace(fd, &std::os::unix::net::UnixDatagram::unbound()?.into())
}

fn replace(fd: BorrowedFd<'_>, by: &OwnedFd) -> io::Result<()> {
    // SAFETY: both are open descriptors, and `fd` still belongs to its owners.
    check(unsafe { libc::dup3(by.as_raw_fd(), fd.as_raw_fd(), libc::O_CLOEXEC) }).map(drop)
}

/// Sets a socket option whose value is one `int`.
pub fn set_option(fd: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    let pointer = (&raw const value).cast();
    // SAFETY: `pointer` leads to one int that lives until the call returns.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, pointer, length) }).map(drop)
}

/// What the kernel keeps about a TCP connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpInfo {
    /// Microseconds.
    pub rtt: u32,
    /// Microseconds.
    pub rttvar: u32,
    pub unacked: u32,
    pub sacked: u32,
    pub lost: u32,
    pub retrans: u32,
    pub fackets: u32,
    pub reordering: u32,
}

/// Asks the kernel about a TCP connection.
pub fn tcp_info(fd: RawFd) -> io::Result<TcpInfo> {
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    let pointer = info.as_mut_ptr().cast();
    // SAFETY: `pointer` leads to `length` bytes; a number that is no TCP socket is reported.
    check(unsafe {
        libc::getsockopt(fd, libc::SOL_TCP, libc::TCP_INFO, pointer, &raw mut length)
    })?;
    // SAFETY: plain numbers, all of which the zeroes or the kernel have set.
    let info = unsafe { info.assume_init() };
    Ok(TcpInfo {
        rtt: info.tcpi_rtt,
        rttvar: info.tcpi_rttvar,
        unacked: info.tcpi_unacked,
        sacked: info.tcpi_sacked,
        lost: info.tcpi_lost,
        retrans: info.tcpi_retrans,
        fackets: info.tcpi_fackets,
        reordering: info.tcpi_reordering,
    })
}

/// Makes the coming close of a TCP connection silent: the other end learns nothing of it. Without the
/// right to do so, the packet that tells of it comes no further than the next router.
pub fn forget_connection(fd: RawFd) {
    // SAFETY: the callers' sockets are open while they ask; any other number is reported.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    // What has come is acknowledged: the other end would send it again, and be told.
    let _ = set_option(fd, libc::SOL_TCP, libc::TCP_QUICKACK, 1);
    let linger = socket2::SockRef::from(&fd).set_linger(Some(std::time::Duration::ZERO));
    let repair = set_option(fd, libc::SOL_TCP, libc::TCP_REPAIR, 1);
    if linger.and(repair).is_err() {
        // Nothing more can be done.
        let _ = set_option(fd, libc::SOL_IP, libc::IP_TTL, 1);
    }
}

/// Sets the type of service of what a TCP connection sends. Failing, as for unix sockets, changes
/// nothing.
pub fn set_tos(fd: RawFd, tos: u8) {
    let tos = i32::from(tos);
    let _ = set_option_of(fd, libc::SOL_IP, libc::IP_TOS, tos);
    let _ = set_option_of(fd, libc::SOL_IPV6, libc::IPV6_TCLASS, tos);
}

/// Marks what a connection sends for the kernel's routing; without the right to do so, nothing changes.
pub fn set_mark(fd: RawFd, mark: u32) {
    let _ = set_option_of(fd, libc::SOL_SOCKET, libc::SO_MARK, mark.cast_signed());
}

/// The value of a socket option that is one `int`.
pub fn option(fd: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<i32> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let pointer = (&raw mut value).cast();
    // SAFETY: both pointers lead to variables that live until the call returns, with their true sizes.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, pointer, &raw mut length) })?;
    Ok(value)
}

/// The same as [`set_option`], whoever owns the socket.
pub fn set_option_of(fd: RawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    let pointer = (&raw const value).cast();
    // SAFETY: `pointer` leads to one int that lives until the call returns; a number that is no
    // descriptor is reported.
    check(unsafe { libc::setsockopt(fd, level, name, pointer, length) }).map(drop)
}

/// Listens, or changes the backlog of a socket that listens already.
pub fn listen(fd: BorrowedFd<'_>, backlog: u32) -> io::Result<()> {
    let backlog = libc::c_int::try_from(backlog).unwrap_or(libc::c_int::MAX);
    // SAFETY: plain numbers.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

/// Accepts a connection that does not block, and says where it comes from.
pub fn accept(fd: BorrowedFd<'_>) -> io::Result<(OwnedFd, socket2::SockAddr)> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: `storage` and `length` describe room for any address and live until the call returns; a
    // descriptor that is returned was made for us alone.
    unsafe {
        socket2::SockAddr::try_init(|storage, length| {
            let accepted = check(libc::accept4(fd.as_raw_fd(), storage.cast(), length, flags))?;
            Ok(OwnedFd::from_raw_fd(accepted))
        })
    }
}

/// Reads and writes return at once.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: plain numbers.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    let flags = flags | libc::O_NONBLOCK;
    // SAFETY: plain numbers.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) }).map(drop)
}

/// Writes to `fd`, whoever owns it; gives how much was taken.
pub fn write_to(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: `bytes` lives until the call returns; a number that is no descriptor is reported.
    let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// Writes to `fd`, whoever owns it, return at once from now on.
pub fn make_nonblocking(fd: RawFd) -> io::Result<()> {
    // SAFETY: plain numbers; one that is no descriptor is reported.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    // SAFETY: plain numbers.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A date of the local time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    /// 0 to 60.
    pub second: u32,
    /// Days since the first of January, from 0.
    pub day_of_year: u32,
    /// 0 is Sunday.
    pub weekday: u32,
    /// Seconds east of UTC.
    pub offset: i64,
}

/// The local date of a moment, in seconds since 1970. The zone is read once, at the first call, so call
/// this before `chroot`.
pub fn local_time(seconds: i64) -> LocalTime {
    static ZONE: std::sync::Once = std::sync::Once::new();
    unsafe extern "C" {
        fn tzset();
    }
    // SAFETY: called once, and the environment is not changed while this program runs.
    ZONE.call_once(|| unsafe { tzset() });
    let mut date = std::mem::MaybeUninit::<libc::tm>::zeroed();
    let seconds = seconds as libc::time_t;
    // SAFETY: both pointers lead to valid memory; all-zero is a valid tm should the call fail.
    let date = unsafe {
        libc::localtime_r(&raw const seconds, date.as_mut_ptr());
        date.assume_init()
    };
    let positive = |number: libc::c_int| u32::try_from(number).unwrap_or(0);
    LocalTime {
        year: date.tm_year + 1900,
        month: positive(date.tm_mon) + 1,
        day: positive(date.tm_mday),
        hour: positive(date.tm_hour),
        minute: positive(date.tm_min),
        second: positive(date.tm_sec),
        day_of_year: positive(date.tm_yday),
        weekday: positive(date.tm_wday),
        offset: date.tm_gmtoff,
    }
}

/// The zone that a date is told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// The process's own.
    Local,
    /// Greenwich.
    Utc,
}

/// A moment, in seconds since 1970, as `strftime`'s format says; `None` beyond the years that a date can
/// tell, empty when nothing or too much is to be written.
pub fn format_date(format: &[u8], seconds: i64, zone: Zone) -> Option<Vec<u8>> {
    // The zone is known from here on.
    local_time(0);
    let format = std::ffi::CString::new(format).ok()?;
    let mut date = std::mem::MaybeUninit::<libc::tm>::zeroed();
    let seconds = seconds as libc::time_t;
    let mut text = vec![0u8; 16_384];
    // SAFETY: all pointers lead to valid memory, and the date is read only when it was filled in.
    let length = unsafe {
        let filled = match zone {
            Zone::Local => libc::localtime_r(&raw const seconds, date.as_mut_ptr()),
            Zone::Utc => libc::gmtime_r(&raw const seconds, date.as_mut_ptr()),
        };
        if filled.is_null() {
            return None;
        }
        libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), filled)
    };
    text.truncate(length);
    Some(text)
}

/// Who one is after [`fork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    Parent { child: i32 },
    Child,
}

/// Splits the process in two.
///
/// # Errors
/// The system's, and `ResourceBusy` when there is more than one thread: the others would be missing in
/// the child, with whatever they had locked.
pub fn fork() -> io::Result<Fork> {
    if std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        return Err(io::Error::from(io::ErrorKind::ResourceBusy));
    }
    // SAFETY: there is only this thread, so the child has all of the program's state.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        child => Ok(Fork::Parent { child }),
    }
}

/// Takes over a descriptor that the process was started with, and keeps it from programs it starts.
///
/// # Errors
/// `fd` is no open descriptor.
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    let copy = duplicate(fd)?;
    // SAFETY: the one who started us opened `fd` for us and nothing else here knows its number.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(copy)
}

/// Most descriptors that one message carries, one less than the kernel's limit, as HAProxy does.
pub const DESCRIPTORS_AT_ONCE: usize = 252;

/// Sends bytes and, with the first of them, descriptors; at most [`DESCRIPTORS_AT_ONCE`]. Returns how
/// many bytes were taken.
pub fn send_with(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[RawFd]) -> io::Result<usize> {
    let slices = [io::IoSlice::new(bytes)];
    let messages = [ControlMessage::ScmRights(descriptors)];
    let messages = if descriptors.is_empty() { &[][..] } else { &messages[..] };
    let flags = MsgFlags::MSG_NOSIGNAL;
    Ok(sendmsg::<()>(socket.as_raw_fd(), &slices, messages, flags, None)?)
}

/// Receives bytes into `buffer`, with the descriptors that came along. 0 bytes: the other side closed.
pub fn receive_with(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = nix::cmsg_space!([RawFd; DESCRIPTORS_AT_ONCE + 1]);
    let mut slices = [io::IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    let mut descriptors = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(list) = part {
            // SAFETY: the kernel has just made these descriptors for us alone.
            descriptors.extend(list.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok((message.bytes, descriptors))
}

/// Waits for a descriptor that tokio has no type for; call inside a runtime.
pub fn watch_readable(fd: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: the descriptor is owned, so it stays open and the same as long as the watch holds it.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

/// The system's word for a signal: `Terminated`.
pub fn signal_words(signal: i32) -> String {
    // SAFETY: strsignal returns null or a string that stays valid until this thread's next call.
    unsafe {
        let words = libc::strsignal(signal);
        match words.is_null() {
            true => signal.to_string(),
            false => std::ffi::CStr::from_ptr(words).to_string_lossy().into_owned(),
        }
    }
}

/// Returns memory that is free to the system; does nothing where the allocator has no such call.
pub fn trim_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a plain number.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn descriptors_cross_a_socket() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut passed, other_end) = UnixStream::pair().unwrap();
        let sent = send_with(here.as_fd(), b"x", &[other_end.as_raw_fd()]).unwrap();
        assert_eq!(sent, 1);
        drop(other_end);
        let mut byte = [0];
        let (length, mut received) = receive_with(there.as_fd(), &mut byte).unwrap();
        assert_eq!((length, byte[0], received.len()), (1, b'x', 1));
        let mut end = UnixStream::from(received.remove(0));
        io::Write::write_all(&mut end, b"hello").unwrap();
        let mut text = [0; 5];
        io::Read::read_exact(&mut passed, &mut text).unwrap();
        assert_eq!(&text, b"hello");
    }

    #[test]
    fn a_date_has_its_parts() {
        let date = local_time(0);
        let midnight = i64::from(date.hour) * 3600 + i64::from(date.minute) * 60;
        assert_eq!((midnight - date.offset).rem_euclid(86_400), 0);
        assert!((1..=31).contains(&date.day) && (1969..=1970).contains(&date.year));
    }

    #[test]
    fn errors_and_signals_have_words() {
        let error = io::Error::from_raw_os_error(libc::EADDRINUSE);
        assert_eq!(error_words(&error), "Address already in use");
        assert_eq!(signal_words(libc::SIGTERM), "Terminated");
    }
}
