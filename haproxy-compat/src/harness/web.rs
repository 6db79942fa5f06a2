//! An HTTP server that is always there: answers every request, and remembers what it saw.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use socket2::Socket;

use super::server::listen_on;
use super::{Connection, Message, PATIENCE, Port};

type Answer = Box<dyn Fn(&Message) -> Vec<u8> + Send + Sync>;

/// A running server with its port. Stopped when dropped.
pub struct Web {
    port: Port,
    listener: Option<Socket>,
    seen: Arc<Seen>,
}

/// What all the server's threads share.
struct Seen {
    answer: Mutex<Arc<Answer>>,
    connections: AtomicUsize,
    requests: Mutex<Vec<Message>>,
    arrived: Condvar,
    /// A handle for each open connection, by its number.
    open: Mutex<BTreeMap<usize, Socket>>,
}

impl Web {
    /// Starts a server that answers 200 with `identity` as its body, keep-alive.
    pub fn start(identity: &str) -> Result<Web> {
        let answer = ok(identity);
        Web::answering(move |_| answer.clone())
    }

    /// Starts a server that answers with the bytes `answer` makes of each request.
    /// An answer that says `Connection: close` closes; so does an empty one.
    pub fn answering(answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Result<Web> {
        let seen = Seen {
            answer: Mutex::new(Arc::new(Box::new(answer))),
            connections: AtomicUsize::new(0),
            requests: Mutex::default(),
            arrived: Condvar::new(),
            open: Mutex::default(),
        };
        let mut web = Web { port: Port::reserve()?, listener: None, seen: Arc::new(seen) };
        web.restart()?;
        Ok(web)
    }

    /// The address to name in the configuration.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Answers in another way from the next request on.
    pub fn answer_with(&self, answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) {
        *lock(&self.seen.answer) = Arc::new(Box::new(answer));
    }

    /// Stops listening and closes every connection: from now on, connecting is refused.
    pub fn stop(&mut self) {
        if let Some(listener) = self.listener.take() {
            // Wakes the accepting thread, which owns another handle of the same socket.
            let _ = listener.shutdown(Shutdown::Both);
        }
        self.close_connections();
    }

    /// Listens on the same port again.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        let listener = listen_on(self.address(), 1024)?;
        let accepting = listener.try_clone()?;
        let seen = Arc::clone(&self.seen);
        std::thread::spawn(move || seen.accept(&accepting));
        self.listener = Some(listener);
        Ok(())
    }

    /// Closes every open connection and goes on listening.
    pub fn close_connections(&self) {
        for socket in lock(&self.seen.open).values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> usize {
        lock(&self.seen.open).len()
    }

    /// The requests so far, each with its exact bytes.
    pub fn requests(&self) -> Vec<Message> {
        lock(&self.seen.requests).clone()
    }

    /// Waits until at least `count` requests have come, and gives them all.
    pub fn wait_for_requests(&self, count: usize) -> Result<Vec<Message>> {
        let end = Instant::now() + PATIENCE;
        let mut requests = lock(&self.seen.requests);
        while requests.len() < count {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("{} of {count} requests within {PATIENCE:?}", requests.len());
            }
            let waited = self.seen.arrived.wait_timeout(requests, left);
            requests = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(requests.clone())
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Seen {
    fn accept(self: Arc<Seen>, listener: &Socket) {
        while let Ok((socket, _)) = listener.accept() {
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            if let Ok(handle) = socket.try_clone() {
                lock(&self.open).insert(number, handle);
            }
            let seen = Arc::clone(&self);
            std::thread::spawn(move || {
                seen.serve(socket);
                // The last handle: the connection closes.
                lock(&seen.open).remove(&number);
            });
        }
    }

    fn serve(&self, socket: Socket) {
        let Ok(mut connection) = Connection::over(socket) else { return };
        connection.set_patience(Duration::from_secs(3600));
        while let Ok(request) = connection.request() {
            let answer = Arc::clone(&lock(&self.answer));
            lock(&self.requests).push(request.clone());
            self.arrived.notify_all();
            let bytes = answer(&request);
            if bytes.is_empty() || send_answer(&mut connection, &request, &bytes).is_err() {
                break;
            }
            if wants_close(&bytes) || request.header("connection") == Some("close") {
                break;
            }
        }
    }
}

fn send_answer(connection: &mut Connection, request: &Message, bytes: &[u8]) -> Result<()> {
    let head_only = request.method() == "HEAD";
    connection.send(if head_only { head_of(bytes) } else { bytes })
}

fn head_of(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    end.map_or(bytes, |at| &bytes[..at + 4])
}

fn wants_close(answer: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head_of(answer)).to_ascii_lowercase();
    head.contains("\r\nconnection: close\r\n")
}

fn ok(identity: &str) -> Vec<u8> {
    let length = identity.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nX-Server: {identity}\r\n\r\n{identity}")
        .into_bytes()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_counts_stops_and_comes_back() {
        let mut web = Web::start("v1").unwrap();
        let mut client = Connection::to(web.address()).unwrap();
        assert_eq!(client.get("/a", "").unwrap().body, b"v1");
        assert_eq!(client.get("/b", "").unwrap().body, b"v1");
        assert_eq!((web.connections(), web.requests().len()), (1, 2));
        web.stop();
        assert!(Connection::to(web.address()).is_err());
        assert!(client.get("/c", "").is_err());
        web.restart().unwrap();
        let mut client = Connection::to(web.address()).unwrap();
        assert_eq!(client.get("/d", "").unwrap().body, b"v1");
        assert_eq!(web.requests()[2].target(), "/d");
    }
}
