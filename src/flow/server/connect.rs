//! A new connection to a server.

use std::io;
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;

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
            let stream = TcpStream::connect(SocketAddr::new(address.ip(), port)).await?;
            stream.set_nodelay(true)?;
            Ok(Socket::Tcp(stream))
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

/// The server's port, or the client's plus the server's offset.
fn target_port(server: &Server, stream: &Stream<'_>, port: u16) -> u16 {
    let Some(offset) = server.port_offset else { return port };
    let client = stream.session.destination().and_then(|d| d.port()).unwrap_or(0);
    (i32::from(client) + offset).rem_euclid(65_536) as u16
}
