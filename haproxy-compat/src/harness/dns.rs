//! A name server (RFC 1035) on a UDP port of 127.0.0.1, which answers what a few lines of text say.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::eventually;

/// A name server that answers until it is dropped.
///
/// Its zone is lines of a name, what is known of it, and its values:
///
/// | line | answer |
/// |---|---|
/// | `web.test A 127.0.0.2`, `AAAA ::1`, `CNAME other.test` | such a record |
/// | `_http._tcp.test SRV <weight> <port> <target>` | a place of a service |
/// | `_http._tcp.test WITH <target> <address>` | an address in the additional section |
/// | `web.test CODE 3` | this response code |
/// | `web.test SILENT` | none |
/// | `web.test CUT` | the truncated flag |
/// | `web.test LONG` | more bytes than anybody takes |
/// | `web.test FORGED <address>` | before the true answer one about another name, with this address |
/// | `web.test STRANGER <address>` | before the true answer one with this address from another port |
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    zone: Mutex<String>,
    asked: Mutex<Vec<String>>,
    ended: AtomicBool,
}

impl Dns {
    /// Answers on a free port, by this zone.
    pub fn start(zone: &str) -> Result<Dns> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let thread = std::thread::spawn(move || serve(&socket, &own));
        let dns = Dns { address, shared, thread: Some(thread) };
        dns.set(zone);
        Ok(dns)
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers by another zone from now on.
    pub fn set(&self, zone: &str) {
        zone.clone_into(&mut lock(&self.shared.zone));
    }

    /// What was asked so far: `web.test AAAA`.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.shared.asked).clone()
    }

    /// Fails if anything is asked within that time.
    pub fn expect_silence(&self, time: Duration) -> Result<()> {
        let before = self.asked().len();
        std::thread::sleep(time);
        let asked = self.asked();
        ensure!(asked.len() == before, "asked within {time:?}: {asked:#?}");
        Ok(())
    }

    /// Forgets what was asked, and waits until this is.
    pub fn wait_for(&self, question: &str) -> Result<()> {
        lock(&self.shared.asked).clear();
        let asked = || Ok(self.asked().iter().any(|asked| asked == question));
        eventually(&format!("{question} is asked"), asked)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it could say of its end the test has no use for.
            let _ = thread.join();
        }
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut bytes = [0; 65_536];
    while !shared.ended.load(Ordering::Relaxed) {
        let Ok((count, from)) = socket.recv_from(&mut bytes) else { continue };
        // What is no question gets no answer.
        let Ok(question) = Message::from_vec(&bytes[..count]) else { continue };
        let zone = lock(&shared.zone).clone();
        if let Some(query) = question.queries.first() {
            let name = query.name.to_ascii();
            let asked = format!("{} {}", name.trim_end_matches('.'), query.query_type);
            lock(&shared.asked).push(asked);
        }
        // An answer that cannot be made or sent is one that does not come.
        let _ = answer(socket, from, question, &zone);
    }
}

fn answer(socket: &UdpSocket, to: SocketAddr, question: Message, zone: &str) -> Result<()> {
    let mut message = question;
    message.metadata.message_type = MessageType::Response;
    let query = message.queries.first().context("no question")?.clone();
    let name = query.name.to_ascii().to_ascii_lowercase();
    let lines = zone.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own = lines.filter(|words| words.first().is_some_and(|n| *n == name.trim_end_matches('.')));
    for words in own {
        match words.get(1..).unwrap_or_default() {
            ["SILENT"] => return Ok(()),
            ["CUT"] => message.metadata.truncation = true,
            ["LONG"] => drop(socket.send_to(&long(&message)?, to)?),
            ["CODE", code] => {
                message.metadata.response_code = ResponseCode::from_low(code.parse()?)
            }
            ["FORGED", ip] => {
                let mut forged = message.clone();
                forged.queries[0].name = Name::from_ascii("forged.test.")?;
                forged.add_answer(Record::from_rdata(name_of("forged.test")?, 5, address(ip)?));
                socket.send_to(&forged.to_vec()?, to)?;
            }
            ["STRANGER", ip] => {
                let mut strange = message.clone();
                strange.add_answer(Record::from_rdata(query.name.clone(), 5, address(ip)?));
                UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.send_to(&strange.to_vec()?, to)?;
            }
            ["WITH", target, ip] if query.query_type == RecordType::SRV => {
                message.add_additional(Record::from_rdata(name_of(target)?, 5, address(ip)?));
            }
            words => follow(&mut message, &query.name, query.query_type, words, zone)?,
        }
    }
    socket.send_to(&message.to_vec()?, to)?;
    Ok(())
}

/// Adds a record, if it is one of those that were asked for; where a name leads to another, that one's.
fn follow(
    message: &mut Message,
    name: &Name,
    wanted: RecordType,
    words: &[&str],
    zone: &str,
) -> Result<()> {
    let data = match *words {
        ["A" | "AAAA", ip] => address(ip)?,
        ["SRV", weight, port, target] => {
            RData::SRV(SRV::new(1, weight.parse()?, port.parse()?, name_of(target)?))
        }
        ["CNAME", target] => {
            let data = RData::CNAME(CNAME(name_of(target)?));
            message.add_answer(Record::from_rdata(name.clone(), 5, data));
            for line in zone.lines() {
                let words: Vec<_> = line.split_whitespace().collect();
                if words.first() == Some(&target) {
                    follow(message, &name_of(target)?, wanted, &words[1..], zone)?;
                }
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    if data.record_type() == wanted {
        message.add_answer(Record::from_rdata(name.clone(), 5, data));
    }
    Ok(())
}

fn long(message: &Message) -> Result<Vec<u8>> {
    let mut bytes = message.to_vec()?;
    bytes.resize(9_000, 0);
    Ok(bytes)
}

fn name_of(text: &str) -> Result<Name> {
    Ok(Name::from_ascii(format!("{text}."))?)
}

fn address(text: &str) -> Result<RData> {
    Ok(match text.parse()? {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    })
}
