//! Idle connections to servers that belong to one client connection (manual 4.2 "http-reuse never",
//! "option prefer-last-server", "max-session-srv-conns"): no other client's request may use them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::flow::http::message::Message;
use crate::flow::http::options::Reuse;
use crate::flow::session::Stream;
use crate::flow::transport::socket::Socket;
use crate::state::server_status::ServerStatus;
use crate::state::world::{Backend, Proxy, Server};

/// An idle connection, and the server that it leads to.
#[derive(Debug)]
struct OwnLink {
    server: Arc<ServerStatus>,
    socket: Socket,
}

/// The connections of one client, the last used at the end.
#[derive(Debug, Default)]
pub struct OwnLinks {
    links: RefCell<Vec<OwnLink>>,
    /// A server has authenticated the connection itself: what follows must go the same way.
    authenticated: Cell<bool>,
}

impl OwnLinks {
    /// Takes a living connection to this server.
    pub fn take(&self, server: &Server) -> Option<Socket> {
        let mut links = self.links.borrow_mut();
        loop {
            let at = links.iter().rposition(|link| Arc::ptr_eq(&link.server, &server.status))?;
            let socket = links.remove(at).socket;
            if socket.is_silent() {
                return Some(socket);
            }
        }
    }

    /// Keeps a connection, unless there are `most` already.
    pub fn put(&self, server: &Server, socket: Socket, most: usize) {
        let mut links = self.links.borrow_mut();
        if links.len() >= most {
            socket.reset_on_close();
            return;
        }
        links.push(OwnLink { server: server.status.clone(), socket });
    }

    /// The server of the connection used last that can still be used.
    fn last_server(&self, backend: &Backend) -> Option<usize> {
        let links = self.links.borrow();
        let known = |status: &Arc<ServerStatus>| {
            backend.servers.iter().find(|s| Arc::ptr_eq(&s.status, status))
        };
        let mut servers = links.iter().rev().filter_map(|link| known(&link.server));
        servers.find(|s| s.status.is_usable()).map(|s| s.index)
    }
}

/// Whether a connection to this server belongs to its client alone.
pub fn is_own(stream: &Stream<'_>, server: &Server) -> bool {
    let never = stream.backend().is_some_and(|p| p.options.reuse == Reuse::Never);
    never
        || stream.session.own_links.authenticated.get()
        || server.source.as_ref().is_some_and(|s| s.is_of_client())
        // A PROXY protocol header has named this client.
        || server.spec.send_proxy.is_on()
}

/// Notes that a server authenticates the connection and not the request (NTLM, Negotiate).
pub fn note_authentication(stream: &Stream<'_>) {
    let header: &[u8] = match stream.response.status {
        401 => b"www-authenticate",
        407 => b"proxy-authenticate",
        _ => return,
    };
    if of_connection(&stream.response, header) {
        stream.session.own_links.authenticated.set(true);
    }
}

fn of_connection(response: &Message, header: &[u8]) -> bool {
    let begins = |value: &[u8], scheme: &[u8]| {
        value.get(..scheme.len()).is_some_and(|v| v.eq_ignore_ascii_case(scheme))
    };
    response.values(header).any(|v| begins(v, b"negotiate") || begins(v, b"ntlm"))
}

/// The server that `option prefer-last-server` keeps the client on.
pub fn preferred(stream: &Stream<'_>, proxy: &Proxy, backend: &Backend) -> Option<usize> {
    let links = &stream.session.own_links;
    let told = proxy.options.prefer_last_server;
    if !(told || links.authenticated.get()) || backend.chosen_by_hash {
        return None;
    }
    let last = links.last_server(backend)?;
    let server = backend.servers.get(last)?;
    let waiting = server.status.counters.queued.get();
    let short = proxy.options.max_keep_alive_queue.is_none_or(|most| waiting < most);
    (links.authenticated.get() || server.has_room() || short).then_some(last)
}
