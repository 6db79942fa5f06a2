//! Time-outs (manual 4.2 `timeout …`): each ends what it should, with the status it should.

use std::time::{Duration, Instant};

use anyhow::Result;
use haproxy_compat::harness::{Connection, Server, Web};

use crate::{GET, OK, http, testing_reference};

const SHORT: Duration = Duration::from_millis(300);

/// Runs `wait` and checks that it took at least the time-out, and was not ended by another one.
fn takes_a_timeout<T>(wait: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = wait()?;
    let took = start.elapsed();
    assert!(took >= SHORT - Duration::from_millis(20), "ended after {took:?}, too early");
    assert!(took < Duration::from_secs(8), "ended after {took:?}, by another time-out");
    Ok(result)
}

#[test]
fn a_request_that_is_never_whole_is_a_408() -> Result<()> {
    let proxy = http("    timeout http-request 300ms\nlisten main\n bind {fe}\n").start()?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HTTP/1.1\r\nHo")?;
    let answer = takes_a_timeout(|| client.response())?;
    assert_eq!(answer.start, "HTTP/1.1 408 Request Time-out");
    client.expect_close()
}

#[test]
fn slow_bytes_do_not_renew_the_request_timeout() -> Result<()> {
    let proxy = http("    timeout http-request 300ms\nlisten main\n bind {fe}\n").start()?;
    let mut client = proxy.connect("fe")?;
    let start = Instant::now();
    client.send("GET / HTTP/1.1\r\n")?;
    loop {
        let (bytes, ending) = client.read_for(Duration::from_millis(50))?;
        if !bytes.is_empty() || ending.is_some() {
            assert!(bytes.starts_with(b"HTTP/1.1 408 "));
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "still reading after 5 s");
        client.send("X: y\r\n")?;
    }
    Ok(())
}

#[test]
fn an_idle_first_connection_is_a_408_after_timeout_client() -> Result<()> {
    let proxy = http("    timeout client 300ms\nlisten main\n bind {fe}\n").start()?;
    let mut client = proxy.connect("fe")?;
    assert_eq!(takes_a_timeout(|| client.response())?.status(), 408);
    Ok(())
}

#[test]
fn an_idle_kept_connection_is_closed_without_a_word() -> Result<()> {
    let web = Web::start("v1")?;
    let config = "    timeout client 300ms\nlisten main\n bind {fe}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.get("/", "")?;
    takes_a_timeout(|| client.expect_close())
}

#[test]
fn http_keep_alive_has_its_own_timeout() -> Result<()> {
    if testing_reference() {
        println!("not run: HAProxy 2.3.0 takes `timeout client` here, against the manual");
        return Ok(());
    }
    let web = Web::start("v1")?;
    let config = "    timeout http-keep-alive 300ms\nlisten main\n bind {fe}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", web.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.get("/", "")?;
    takes_a_timeout(|| client.expect_close())
}

#[test]
fn a_server_that_does_not_answer_is_a_504() -> Result<()> {
    let server = Server::listen()?;
    let config = "    timeout server 300ms\nlisten main\n bind {fe}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    assert_eq!(takes_a_timeout(|| client.response())?.start, "HTTP/1.1 504 Gateway Time-out");
    assert!(backend.drain()?.0.is_empty());
    Ok(())
}

#[test]
fn a_server_that_stops_in_its_answer_cuts_it_short() -> Result<()> {
    let server = Server::listen()?;
    let config = "    timeout server 300ms\nlisten main\n bind {fe}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")?;
    let (bytes, _) = takes_a_timeout(|| client.drain())?;
    assert!(bytes.ends_with(b"abc"));
    Ok(())
}

#[test]
fn a_long_answer_lives_as_long_as_bytes_come() -> Result<()> {
    let server = Server::listen()?;
    let config = "    timeout server 400ms\n timeout client 400ms\nlisten main\n bind {fe}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")?;
    client.head()?;
    for byte in 0..10u8 {
        // The pause is the thing tested: each shorter, all together longer than the time-outs.
        client.expect_silence(Duration::from_millis(100))?;
        backend.send([byte])?;
        client.expect([byte])?;
    }
    Ok(())
}

#[test]
fn a_server_that_does_not_accept_is_a_503() -> Result<()> {
    let (server, _fill) = full_server()?;
    let config =
        "    timeout connect 150ms\n retries 1\nlisten main\n bind {fe}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", server).start()?;
    let mut client = proxy.connect("fe")?;
    client.send(GET)?;
    assert_eq!(takes_a_timeout(|| client.response())?.status(), 503);
    Ok(())
}

/// A listening socket whose queue is full, so that connecting to it neither succeeds nor fails.
fn full_server() -> Result<(std::net::SocketAddr, Vec<socket2::Socket>)> {
    let new = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let listener = new()?;
    listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>()?.into())?;
    listener.listen(0)?;
    let address = listener.local_addr()?;
    let mut sockets = vec![listener];
    for _ in 0..4 {
        let socket = new()?;
        socket.set_nonblocking(true)?;
        let _ = socket.connect(&address);
        sockets.push(socket);
    }
    Ok((address.as_socket().expect("a TCP address"), sockets))
}

#[test]
fn a_place_in_the_queue_has_a_timeout() -> Result<()> {
    let server = Server::listen()?;
    let config = "    timeout queue 300ms\nlisten main\n bind {fe}\n server s1 {s1} maxconn 1\n";
    let proxy = http(config).name("s1", server.address()).start()?;
    let mut first = proxy.connect("fe")?;
    first.send(GET)?;
    let mut backend = server.accept()?;
    backend.request()?;
    let mut second = proxy.connect("fe")?;
    second.send(GET)?;
    assert_eq!(takes_a_timeout(|| second.response())?.status(), 503);
    backend.send(OK)?;
    assert_eq!(first.response()?.text(), "ok");
    Ok(())
}

#[test]
fn a_tunnel_has_its_own_timeout() -> Result<()> {
    let server = Server::listen()?;
    let config = "    timeout tunnel 900ms\n timeout client 100ms\n timeout server 100ms\n\
                  listen main\n bind {fe}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")?;
    let mut backend = server.accept()?;
    backend.request()?;
    backend
        .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")?;
    client.response()?;
    client.send("a")?;
    backend.expect("a")?;
    client.expect_silence(Duration::from_millis(300))?;
    takes_a_timeout(|| {
        let (_, _) = backend.drain()?;
        Ok(())
    })
}

#[test]
fn an_idle_tcp_client_is_passed_on_as_the_end() -> Result<()> {
    let server = Server::listen()?;
    let config = "    timeout client 300ms\nlisten main\n mode tcp\n bind {fe}\n server s1 {s1}\n";
    let proxy = http(config).name("s1", server.address()).start()?;
    let mut client = proxy.connect("fe")?;
    client.send("x")?;
    let mut backend: Connection = server.accept()?;
    backend.expect("x")?;
    takes_a_timeout(|| backend.expect_close())?;
    drop(backend);
    client.expect_close()
}
