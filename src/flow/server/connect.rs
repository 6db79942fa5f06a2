//! A new connection to a server.

use std::io;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;

use socket2::{Domain, Protocol, Type};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use crate::flow::session::Stream;
use crate::flow::transport::socket::Socket;
use crate::state::server_status::ServerAddress;
use crate::state::world::Server;

/// Connects to where the server is now.
pub async fn connect(server: &Server, stream: &Stream<'_>) -> io::Result<Socket> {
    let address = server.status.address.load_full();
    match &*address {
        ServerAddress::Inet(address) => {
            let port = target_port(server, stream, address.port());
            connect_tcp(SocketAddr::new(address.ip(), port)).await.map(Socket::Tcp)
        }
        ServerAddress::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path).await?)),
        ServerAddress::Abstract(name) => {
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            let stream = std::os::unix::net::UnixStream::connect_addr(&address)?;
            stream.set_nonblocking(true)?;
            Ok(Socket::Unix(UnixStream::from_std(stream)?))
        }
        ServerAddress::None => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

/// A TCP connection. Whether it failed is known from the readiness; the error itself is asked for only
/// then, which saves a system call for each connection.
async fn connect_tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = socket2::Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Err(e) if e.raw_os_error() != Some(nix::errno::Errno::EINPROGRESS as i32) => return Err(e),
        _ => {}
    }
    let stream = TcpStream::from_std(socket.into())?;
    let ready = stream.ready(Interest::WRITABLE | Interest::ERROR).await?;
    if (ready.is_error() || ready.is_write_closed())
        && let Some(error) = stream.take_error()?
    {
        return Err(error);
    }
    Ok(stream)
}

/// The server's port, or the client's plus the server's offset.
fn target_port(server: &Server, stream: &Stream<'_>, port: u16) -> u16 {
    let Some(offset) = server.port_offset else { return port };
    let client = stream.session.destination().and_then(|d| d.port()).unwrap_or(0);
    (i32::from(client) + offset).rem_euclid(65_536) as u16
}
