//! Configurations with many rules, ACLs and maps, the files they read, and what requests ask for, so that
//! no answer is the one given before.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use crate::rig::config::Places;

/// What decides about a request.
#[derive(Clone, Copy, PartialEq)]
pub enum Lists {
    /// 6 ACLs with expressions and lists, 8 rules on headers, variables, a log line over UDP.
    Usual,
    /// 10,000 `use_backend` lines, of which the last applies.
    UseBackend,
    /// 100,000 substrings, none of which is found.
    Substrings,
    /// A million entries, by the whole key.
    MapStr,
    /// The same by their beginning.
    MapBeg,
    /// The same by prefixes of addresses.
    MapIp,
    /// All three maps.
    Maps,
}

const BACKENDS: usize = 10_000;
const SUBSTRINGS: usize = 100_000;
const ENTRIES: usize = 1_000_000;

/// How many different requests there are: more than HAProxy keeps answers of lists for
/// (`tune.pattern.cache-size`).
const REQUESTS: usize = 20_000;

impl Lists {
    /// The configuration; its files are written into `folder` if they are not there.
    pub fn config(self, at: Places, folder: &Path, log: SocketAddr) -> Result<String> {
        let Places { http, origin, .. } = at;
        let mut text = format!(
            "global\n nbthread 1\n maxconn 6000\n log {log} local0\ndefaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\nfrontend in\n bind {http}\n"
        );
        let file = |name: &str, content: fn() -> String| {
            let path = folder.join(name);
            if !path.exists() {
                std::fs::write(&path, content())?;
            }
            anyhow::Ok(path.display().to_string())
        };
        match self {
            Lists::Usual => text += USUAL,
            Lists::UseBackend => {
                for number in 0..BACKENDS {
                    writeln!(text, " use_backend out if {{ hdr(host) -i site{number}.example }}")?;
                }
            }
            Lists::Substrings => {
                let file = file("substrings", substrings)?;
                writeln!(text, " http-request deny if {{ req.hdr(x-key) -m sub -f {file} }}")?;
            }
            _ => {}
        }
        if matches!(self, Lists::MapStr | Lists::Maps) {
            map(&mut text, "map_str", &file("keys.map", keys)?)?;
        }
        if matches!(self, Lists::MapBeg | Lists::Maps) {
            map(&mut text, "map_beg", &file("keys.map", keys)?)?;
        }
        if matches!(self, Lists::MapIp | Lists::Maps) {
            map(&mut text, "map_ip", &file("networks.map", networks)?)?;
        }
        writeln!(text, " default_backend out\nbackend out\n server s1 {origin}")?;
        Ok(text)
    }

    /// The requests to send, in turn.
    pub fn requests(self) -> Vec<Vec<u8>> {
        let host = match self {
            Lists::UseBackend => format!("Site{}.example", BACKENDS - 1),
            _ => "www.bench.example".to_owned(),
        };
        let request = |n| {
            let headers = self.headers(n);
            format!("GET /small HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n{headers}\r\n")
                .into_bytes()
        };
        (0..REQUESTS).map(request).collect()
    }

    /// The header lines that tell a request from the others.
    fn headers(self, n: usize) -> String {
        let entry = n * (ENTRIES / REQUESTS);
        match self {
            Lists::Usual => {
                format!("User-Agent: agent/{n} (like others)\r\nCookie: session={n}; lang=en\r\n")
            }
            Lists::UseBackend => String::new(),
            Lists::Substrings => {
                format!("X-Key: /some/path/{:x}/{n}/index.php?x={:x}\r\n", spread(n), spread(n + 1))
            }
            Lists::MapStr | Lists::Maps => format!("X-Key: {}\r\n", key(entry)),
            Lists::MapBeg => format!("X-Key: {}/and/more\r\n", key(entry)),
            Lists::MapIp => {
                let network = network(entry);
                format!("X-Key: {}\r\n", network.split('/').next().unwrap_or_default())
            }
        }
    }
}

fn map(text: &mut String, converter: &str, file: &str) -> Result<()> {
    let rule =
        format!("http-request set-header x-value %[req.hdr(x-key),{converter}({file},none)]");
    Ok(writeln!(text, " {rule}")?)
}

fn substrings() -> String {
    (0..SUBSTRINGS).map(|n| format!("/{:x}-{n}.html\n", spread(n))).collect()
}

fn keys() -> String {
    (0..ENTRIES).map(|n| format!("{} value{n}\n", key(n))).collect()
}

fn networks() -> String {
    (0..ENTRIES).map(|n| format!("{} value{n}\n", network(n))).collect()
}

/// A number that looks like no neighbour.
fn spread(n: usize) -> u64 {
    (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn key(n: usize) -> String {
    format!("/tenant{:x}/item{n}", spread(n) % 65_536)
}

/// A prefix of 12 to 32 bits.
fn network(n: usize) -> String {
    let bits = spread(n) as u32;
    let prefix = 12 + (n % 21) as u32;
    let address = std::net::Ipv4Addr::from_bits(bits & (u32::MAX << (32 - prefix)));
    format!("{address}/{prefix}")
}

const USUAL: &str = " option httplog
 log global
 acl static path_end .css .js .png .jpg .gif
 acl api path_reg ^/api/v[0-9]+/
 acl robots hdr_sub(user-agent) -i bot crawler spider
 acl inside src 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fd00::/8
 acl hosts hdr(host) -i www.bench.example bench.example static.bench.example
 acl session hdr_reg(cookie) session=[0-9]+
 http-request set-var(txn.host) req.hdr(host),lower
 http-request set-var(txn.path) path
 http-request deny if api !session
 http-request set-header x-static 1 if static
 http-request set-header x-robot 1 if robots
 http-request set-header x-client %[src] unless inside
 http-request set-header x-host %[var(txn.host)] if hosts
 http-request add-header x-path %[var(txn.path)]
 http-request del-header x-internal
 http-response set-header x-served-for %[var(txn.host)]
 http-response del-header server
";
