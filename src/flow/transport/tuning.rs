//! What is asked of each socket of one side beyond the usual (manual 4.2 "option tcpka", "clitcpka-cnt" and
//! its kin, "option nolinger", "option tcp-smart-accept"; 3.2 "tune.rcvbuf.client" and its kin; 5.2 "tcp-ut",
//! "tfo"). In comes a connected or connecting socket, out it goes with its options set.

use std::time::Duration;

use nix::libc;
use socket2::{SockRef, TcpKeepalive};

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed, TimeUnit, parse_lenient, parse_time};
use crate::config::proxy::switch_option;
use crate::config::section::Sections;
use crate::config::spec::ProxySpec;
use crate::flow::listener::limits::{integer, seconds};
use crate::sys;

/// `clitcpka-…` or `srvtcpka-…` as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProbesSpec {
    /// Unanswered probes after which the connection is dropped.
    pub count: Option<u32>,
    /// Idle time before the first probe.
    pub idle: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
}

/// Keep-alive probes of both sides, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TuningSpec {
    /// `clitcpka-…`
    pub client: ProbesSpec,
    /// `srvtcpka-…`
    pub server: ProbesSpec,
}

/// `tune.rcvbuf.…` and `tune.sndbuf.…` in bytes; `None` leaves it to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KernelBuffersSpec {
    /// `tune.rcvbuf.client`
    pub client_receive: Option<usize>,
    /// `tune.sndbuf.client`
    pub client_send: Option<usize>,
    /// `tune.rcvbuf.server`
    pub server_receive: Option<usize>,
    /// `tune.sndbuf.server`
    pub server_send: Option<usize>,
}

/// Options for each socket of one side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SocketTuning {
    probes: Option<ProbesSpec>,
    /// The first acknowledgement waits for data to go with.
    no_quick_ack: bool,
    receive: Option<usize>,
    send: Option<usize>,
    user_timeout: Option<Duration>,
    /// The first data goes with the request to connect.
    fast_open: bool,
}

impl SocketTuning {
    /// For the clients' sockets of a frontend; `None` when nothing is asked for.
    pub fn of_clients(proxy: &ProxySpec, buffers: &KernelBuffersSpec) -> Option<Box<SocketTuning>> {
        let on = |name| proxy.options.is_on(name);
        let tuning = SocketTuning {
            probes: (on("tcpka") || on("clitcpka")).then_some(proxy.tuning.client),
            no_quick_ack: on("tcp-smart-accept"),
            receive: buffers.client_receive,
            send: buffers.client_send,
            ..SocketTuning::default()
        };
        tuning.boxed()
    }

    /// For the sockets to a server.
    pub fn of_server(
        proxy: &ProxySpec,
        server: &crate::config::spec::ServerSpec,
        buffers: &KernelBuffersSpec,
    ) -> Option<Box<SocketTuning>> {
        let on = |name| proxy.options.is_on(name);
        let tuning = SocketTuning {
            probes: (on("tcpka") || on("srvtcpka")).then_some(proxy.tuning.server),
            no_quick_ack: on("tcp-smart-connect"),
            receive: buffers.server_receive,
            send: buffers.server_send,
            user_timeout: server.user_timeout,
            fast_open: server.fast_open,
        };
        tuning.boxed()
    }

    fn boxed(self) -> Option<Box<SocketTuning>> {
        (self != SocketTuning::default()).then(|| Box::new(self))
    }

    /// Sets the options; one that a socket does not know (unix sockets) leaves it as it is.
    pub fn apply(&self, socket: &SockRef<'_>) {
        let _ = self.try_apply(socket);
    }

    fn try_apply(&self, socket: &SockRef<'_>) -> std::io::Result<()> {
        use std::os::fd::AsFd;
        if let Some(size) = self.receive {
            socket.set_recv_buffer_size(size)?;
        }
        if let Some(size) = self.send {
            socket.set_send_buffer_size(size)?;
        }
        if let Some(probes) = &self.probes {
            socket.set_tcp_keepalive(&probes.compile())?;
        }
        if self.user_timeout.is_some() {
            socket.set_tcp_user_timeout(self.user_timeout)?;
        }
        if self.no_quick_ack {
            sys::set_option(socket.as_fd(), libc::SOL_TCP, libc::TCP_QUICKACK, 0)?;
        }
        if self.fast_open {
            sys::set_option(socket.as_fd(), libc::SOL_TCP, libc::TCP_FASTOPEN_CONNECT, 1)?;
        }
        Ok(())
    }
}

impl ProbesSpec {
    fn compile(&self) -> TcpKeepalive {
        let mut wanted = TcpKeepalive::new();
        if let Some(count) = self.count {
            wanted = wanted.with_retries(count);
        }
        if let Some(idle) = self.idle {
            wanted = wanted.with_time(idle);
        }
        if let Some(interval) = self.interval {
            wanted = wanted.with_interval(interval);
        }
        wanted
    }
}

/// The probes that a directive's name speaks of.
fn probes<'a>(line: &'a mut Line<'_>) -> &'a mut ProbesSpec {
    let client = line.keyword.name.starts_with("cli");
    let tuning = &mut line.proxy().tuning;
    if client { &mut tuning.client } else { &mut tuning.server }
}

fn count(line: &mut Line<'_>) -> Parsed {
    let value = line.peek().map_or(0, |word| parse_lenient(word.bytes()));
    integer(line, "an integer value")?;
    probes(line).count = u32::try_from(value).ok();
    Ok(())
}

/// A time in whole seconds.
fn time(line: &mut Line<'_>) -> Result<Option<Duration>, crate::config::diagnostic::Diagnostic> {
    let word = line.peek();
    seconds(line)?;
    Ok(word.and_then(|word| parse_time(word.bytes(), TimeUnit::Seconds).ok()))
}

fn idle(line: &mut Line<'_>) -> Parsed {
    let time = time(line)?;
    probes(line).idle = time;
    Ok(())
}

fn interval(line: &mut Line<'_>) -> Parsed {
    let time = time(line)?;
    probes(line).interval = time;
    Ok(())
}

fn kernel_buffer(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let word = line.required(&format!("'{name}' expects an integer argument."))?;
    let size = usize::try_from(parse_lenient(word.bytes())).ok();
    line.end()?;
    let buffers = &mut line.global().kernel_buffers;
    *match name {
        "tune.rcvbuf.client" => &mut buffers.client_receive,
        "tune.rcvbuf.server" => &mut buffers.server_receive,
        "tune.sndbuf.client" => &mut buffers.client_send,
        _ => &mut buffers.server_send,
    } = size.filter(|size| *size > 0);
    Ok(())
}

const ROW: Keyword = Keyword { status: Status::Works, ..Keyword::NEW };
const CLIENT: Keyword = Keyword { sections: Sections::FRONTENDS, ..ROW };
const SERVER: Keyword = Keyword { sections: Sections::BACKENDS, ..ROW };
const SWITCH: Keyword = Keyword { negatable: true, parse: switch_option, ..ROW };
const BUFFER: Keyword =
    Keyword { sections: Sections::GLOBAL, args: "<number>", parse: kernel_buffer, ..ROW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "clitcpka-cnt",
            args: "<count>",
            default: "the kernel's",
            doc: "Unanswered keep-alive probes after which a client connection is dropped.",
            examples: &["clitcpka-cnt 5"],
            parse: count,
            ..CLIENT
        },
        Keyword {
            name: "clitcpka-idle",
            args: "<timeout>",
            default: "the kernel's",
            doc: "Idle time before a client connection is probed.",
            examples: &["clitcpka-idle 60s"],
            parse: idle,
            ..CLIENT
        },
        Keyword {
            name: "clitcpka-intvl",
            args: "<timeout>",
            default: "the kernel's",
            doc: "Time between keep-alive probes of a client connection.",
            examples: &["clitcpka-intvl 10s"],
            parse: interval,
            ..CLIENT
        },
        Keyword {
            name: "option clitcpka",
            sections: Sections::FRONTENDS,
            doc: "Keep-alive probes on client connections.",
            examples: &["option clitcpka"],
            ..SWITCH
        },
        Keyword {
            name: "option nolinger",
            sections: Sections::PROXIES,
            doc: "Closes connections without lingering, which resets them.",
            examples: &["option nolinger"],
            ..SWITCH
        },
        Keyword {
            name: "option srvtcpka",
            sections: Sections::BACKENDS,
            doc: "Keep-alive probes on server connections.",
            examples: &["option srvtcpka"],
            ..SWITCH
        },
        Keyword {
            name: "option tcp-smart-accept",
            sections: Sections::FRONTENDS,
            doc: "Delays the acknowledgement of a connection's first data.",
            examples: &["option tcp-smart-accept"],
            ..SWITCH
        },
        Keyword {
            name: "option tcp-smart-connect",
            sections: Sections::BACKENDS,
            doc: "Delays the acknowledgement of a server's answer.",
            examples: &["option tcp-smart-connect"],
            ..SWITCH
        },
        Keyword {
            name: "option tcpka",
            sections: Sections::PROXIES,
            doc: "Keep-alive probes on both sides.",
            examples: &["option tcpka"],
            negatable: false,
            ..SWITCH
        },
        Keyword {
            name: "srvtcpka-cnt",
            args: "<count>",
            default: "the kernel's",
            doc: "Unanswered keep-alive probes after which a server connection is dropped.",
            examples: &["srvtcpka-cnt 5"],
            parse: count,
            ..SERVER
        },
        Keyword {
            name: "srvtcpka-idle",
            args: "<timeout>",
            default: "the kernel's",
            doc: "Idle time before a server connection is probed.",
            examples: &["srvtcpka-idle 60s"],
            parse: idle,
            ..SERVER
        },
        Keyword {
            name: "srvtcpka-intvl",
            args: "<timeout>",
            default: "the kernel's",
            doc: "Time between keep-alive probes of a server connection.",
            examples: &["srvtcpka-intvl 10s"],
            parse: interval,
            ..SERVER
        },
        Keyword {
            name: "tune.rcvbuf.client",
            default: "the kernel's",
            once: "'tune.rcvbuf.client'",
            doc: "The kernel's receive buffer of client connections, in bytes.",
            examples: &["tune.rcvbuf.client 65536"],
            ..BUFFER
        },
        Keyword {
            name: "tune.rcvbuf.server",
            default: "the kernel's",
            once: "'tune.rcvbuf.server'",
            doc: "The kernel's receive buffer of server connections, in bytes.",
            examples: &["tune.rcvbuf.server 65536"],
            ..BUFFER
        },
        Keyword {
            name: "tune.sndbuf.client",
            default: "the kernel's",
            once: "'tune.sndbuf.client'",
            doc: "The kernel's send buffer of client connections, in bytes.",
            examples: &["tune.sndbuf.client 65536"],
            ..BUFFER
        },
        Keyword {
            name: "tune.sndbuf.server",
            default: "the kernel's",
            once: "'tune.sndbuf.server'",
            doc: "The kernel's send buffer of server connections, in bytes.",
            examples: &["tune.sndbuf.server 65536"],
            ..BUFFER
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_socket_gets_what_was_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = SockRef::from(&stream);
        let seconds = Duration::from_secs;
        let probes =
            ProbesSpec { count: Some(7), idle: Some(seconds(60)), interval: Some(seconds(11)) };
        let tuning = SocketTuning {
            probes: Some(probes),
            no_quick_ack: true,
            receive: Some(20_000),
            send: Some(30_000),
            user_timeout: Some(seconds(9)),
            fast_open: false,
        };
        tuning.try_apply(&socket).unwrap();
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 7);
        assert_eq!(socket.tcp_keepalive_time().unwrap(), seconds(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), seconds(11));
        // The kernel doubles them for its own use.
        assert_eq!(socket.recv_buffer_size().unwrap(), 40_000);
        assert_eq!(socket.send_buffer_size().unwrap(), 60_000);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(seconds(9)));
    }

    #[test]
    fn fast_open_is_asked_for_before_connecting() {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        let tuning = SocketTuning { fast_open: true, ..SocketTuning::default() };
        tuning.try_apply(&SockRef::from(&socket)).unwrap();
        let fd = std::os::fd::AsFd::as_fd(&socket);
        assert_eq!(sys::option(fd, libc::SOL_TCP, libc::TCP_FASTOPEN_CONNECT).unwrap(), 1);
    }

    #[test]
    fn nothing_asked_for_costs_nothing() {
        assert_eq!(SocketTuning::default().boxed(), None);
    }
}
