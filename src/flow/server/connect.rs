//! A new connection to a server.

use std::io;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixStream};

use nix::errno::Errno;
use socket2::{Domain, Protocol, SockRef, Type};

use crate::flow::http::unique_id;
use crate::flow::listener::proxy_protocol::{SendSpec, Told};
use crate::flow::session::{Address, Stream};
use crate::flow::transport::socket::{Follows, Socket};
use crate::state::server_status::ServerAddress;
use crate::state::world::Server;

/// Connects to where the server is now.
///
/// # Errors
/// The system's: nobody listens there, or the server has no address.
pub async fn connect(server: &Server, stream: &Stream<'_>) -> io::Result<Socket> {
    let mut socket = reach(server, stream).await?;
    if server.spec.send_proxy.is_on() {
        let header = proxy_header(&server.spec.send_proxy, stream);
        let (_, mut writer) = socket.split();
        writer.write_all(&header, Follows::Unknown).await?;
    }
    Ok(socket)
}

/// The header of the PROXY protocol: the client's ends of its connection.
fn proxy_header(send: &SendSpec, stream: &Stream<'_>) -> Vec<u8> {
    let session = stream.session;
    let ends = match (&*session.source(), session.destination().as_deref()) {
        (Address::Inet(source), Some(Address::Inet(destination))) => Some((*source, *destination)),
        _ => None,
    };
    let authority = session.proxied.as_ref().and_then(|p| p.authority.as_deref());
    let unique_id = if send.unique_id { unique_id::of(stream) } else { None };
    send.header(&Told { ends, authority, unique_id: unique_id.as_deref() })
}

async fn reach(server: &Server, stream: &Stream<'_>) -> io::Result<Socket> {
    if let Some(target) = &stream.target {
        return connect_tcp(**target, server, stream).await;
    }
    let address = server.status.address.load_full();
    match &*address {
        ServerAddress::Inet(address) => {
            let port = target_port(server, stream, address.port());
            let mut ip = address.ip();
            if ip.is_unspecified() {
                ip = stream.session.destination().and_then(|d| d.ip()).unwrap_or(ip);
            }
            connect_tcp(SocketAddr::new(ip, port), server, stream).await
        }
        ServerAddress::Unix(path) => connect_unix(&UnixAddress::from_pathname(path)?),
        ServerAddress::Abstract(name) => connect_unix(&UnixAddress::from_abstract_name(name)?),
        ServerAddress::Named(_) | ServerAddress::None => {
            Err(io::ErrorKind::AddrNotAvailable.into())
        }
    }
}

/// A TCP connection. To a near server it is there at once, and is found out without waiting for an event;
/// an error is asked for only when one was told.
async fn connect_tcp(
    address: SocketAddr,
    server: &Server,
    stream: &Stream<'_>,
) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = socket2::Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if let Some(tuning) = &server.tuning {
        tuning.apply(&SockRef::from(&socket));
    }
    if let Some(source) = &server.source {
        source.bind(&socket, address, Some(stream))?;
    }
    match socket.connect(&address.into()) {
        Err(e) if e.raw_os_error() != Some(Errno::EINPROGRESS as i32) => return Err(e),
        _ => {}
    }
    if socket.peer_addr().is_ok() {
        return Ok(Socket::connected(socket.into()));
    }
    let socket = Socket::connecting(socket.into());
    socket.writable().await?;
    match SockRef::from(&socket).take_error()? {
        Some(error) => Err(error),
        None => Ok(socket),
    }
}

/// A unix connection, which is there at once or not at all.
fn connect_unix(address: &UnixAddress) -> io::Result<Socket> {
    let stream = UnixStream::connect_addr(address)?;
    stream.set_nonblocking(true)?;
    Ok(Socket::connected(stream.into()))
}

/// The server's port, or the client's plus the server's offset.
fn target_port(server: &Server, stream: &Stream<'_>, port: u16) -> u16 {
    let Some(offset) = server.port_offset else { return port };
    let client = stream.session.destination().and_then(|d| d.port()).unwrap_or(0);
    (i32::from(client) + offset).rem_euclid(65_536) as u16
}
