//! A scripted server: the test accepts each connection itself and decides what happens on it.

use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Socket, Type};

use super::{Connection, PATIENCE, Port};

/// A listening socket on a port of its own. Until the test calls [`Server::accept`], connections
/// wait in the backlog, as with a stalled server.
#[derive(Debug)]
pub struct Server {
    port: Port,
    listener: Option<Socket>,
}

impl Server {
    /// Listens on a free port.
    pub fn listen() -> Result<Server> {
        let mut server = Server::silent()?;
        server.open()?;
        Ok(server)
    }

    /// Reserves a port on which nothing listens: connections are refused until [`Server::open`].
    pub fn silent() -> Result<Server> {
        Ok(Server { port: Port::reserve()?, listener: None })
    }

    /// The address to name in the configuration.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Begins to listen, again or for the first time.
    pub fn open(&mut self) -> Result<()> {
        self.listener = Some(listen_on(self.address(), 128)?);
        Ok(())
    }

    /// Stops listening; accepted connections live on.
    pub fn close(&mut self) {
        if let Some(listener) = self.listener.take() {
            // A child that another thread is starting may hold a copy for a moment.
            let _ = listener.shutdown(Shutdown::Both);
        }
    }

    /// The next connection, waiting for it.
    pub fn accept(&self) -> Result<Connection> {
        let accepted = self.accept_within(PATIENCE)?;
        accepted.with_context(|| format!("no connection to {} in {PATIENCE:?}", self.address()))
    }

    /// The next connection, if it comes within `time`.
    pub fn accept_within(&self, time: Duration) -> Result<Option<Connection>> {
        let listener = self.listener.as_ref().context("the server does not listen")?;
        let mut wanted = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        if poll(&mut wanted, time)? == 0 {
            return Ok(None);
        }
        let (socket, _) = listener.accept()?;
        Ok(Some(Connection::over(socket)?))
    }

    /// Expects that no connection comes within `time`.
    pub fn expect_no_connection(&self, time: Duration) -> Result<()> {
        let came = self.accept_within(time)?;
        ensure!(came.is_none(), "a connection to {} that should not be", self.address());
        Ok(())
    }
}

/// A listening TCP socket that may follow another one on the same port at once.
pub(super) fn listen_on(address: SocketAddr, backlog: i32) -> Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into()).with_context(|| format!("binding {address}"))?;
    socket.listen(backlog)?;
    Ok(socket)
}
