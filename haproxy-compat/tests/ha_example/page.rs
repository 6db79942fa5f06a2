//! The stats page as a client sees it: HTML, CSV, and the form's actions.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use haproxy_compat::harness::{Connection, Csv, Message};

/// What a browser gets.
pub struct Page {
    pub html: String,
    /// The header that makes the browser come again, in seconds.
    pub refresh: String,
}

impl Page {
    pub fn get(stats: SocketAddr, path: &str) -> Result<Page> {
        let answer = fetch(stats, path)?;
        let refresh = answer.header("refresh").unwrap_or_default().to_owned();
        Ok(Page { html: answer.text(), refresh })
    }

    pub fn csv(stats: SocketAddr) -> Result<Csv> {
        Csv::parse(&fetch(stats, "/stats;csv")?.text())
    }
}

/// Presses a button of the form for one server; the answer says where to look next.
pub fn post_action(
    stats: SocketAddr,
    backend: &str,
    server: &str,
    action: &str,
) -> Result<Message> {
    let body = format!("s={server}&action={action}&b={backend}");
    let mut connection = Connection::to(stats)?;
    connection.send(format!(
        "POST /stats HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ))?;
    connection.response()
}

fn fetch(stats: SocketAddr, path: &str) -> Result<Message> {
    let answer = Connection::to(stats)?.get(path, "Connection: close\r\n")?;
    ensure!(answer.status() == 200, "{path} is answered {}", answer.start);
    Ok(answer)
}
