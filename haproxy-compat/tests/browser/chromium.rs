//! Chromium through chromedriver: the four requests of WebDriver that a test of one page needs.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use haproxy_compat::harness::{Connection, Folder, Port, eventually};

const ARGUMENTS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one window and a profile of its own. Ends when dropped.
pub struct Chromium {
    driver: Child,
    address: SocketAddr,
    session: String,
    /// The profile; removed with the browser.
    _profile: Folder,
}

impl Chromium {
    pub fn start() -> Result<Chromium> {
        let (port, profile) = (Port::reserve()?, Folder::new());
        let driver = Command::new("chromedriver")
            .arg(format!("--port={}", port.number()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("chromedriver (Debian's package chromium-driver)")?;
        let address = port.address();
        let session = String::new();
        let mut browser = Chromium { driver, address, session, _profile: profile };
        eventually("chromedriver listens", || Ok(Connection::to(address).is_ok()))?;
        let profile = format!("--user-data-dir={}", browser._profile.make()?.display());
        let arguments: Vec<String> =
            ARGUMENTS.iter().copied().chain([&*profile]).map(quoted).collect();
        let options = format!("{{\"args\":[{}]}}", arguments.join(","));
        let wanted = format!(
            "{{\"capabilities\":{{\"alwaysMatch\":{{\"goog:chromeOptions\":{options}}}}}}}"
        );
        let answer = browser.ask("POST", "", &wanted)?;
        browser.session = string_after(&answer, "\"sessionId\":")?;
        Ok(browser)
    }

    /// Shows a page and waits until it is loaded.
    pub fn open(&self, address: &str) -> Result<()> {
        let path = format!("/{}/url", self.session);
        self.ask("POST", &path, &format!("{{\"url\":{}}}", quoted(address))).map(|_| ())
    }

    /// Runs a function body in the page; what it returns, as text.
    pub fn run(&self, body: &str) -> Result<String> {
        let script = format!("return encodeURIComponent((function () {{ {body} }})());");
        let path = format!("/{}/execute/sync", self.session);
        let answer =
            self.ask("POST", &path, &format!("{{\"script\":{},\"args\":[]}}", quoted(&script)))?;
        decoded(&string_after(&answer, "\"value\":")?)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let mut connection = Connection::to(self.address)?;
        connection.send(format!(
            "{method} /session{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        ))?;
        let answer = connection.response()?;
        ensure!(answer.status() == 200, "WebDriver says: {}", answer.text());
        Ok(answer.text())
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The browser is the driver's child and goes with its session.
        let _ = self.ask("DELETE", &format!("/{}", self.session), "");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// A JSON string.
pub fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if (c as u32) < 0x20 => json.push_str(&format!("\\u{:04x}", c as u32)),
            c => json.push(c),
        }
    }
    json + "\""
}

/// The JSON string that follows `mark`; it holds no escapes, because ours are percent-encoded.
fn string_after(json: &str, mark: &str) -> Result<String> {
    let (_, rest) = json.split_once(mark).with_context(|| format!("no {mark} in {json}"))?;
    let text = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
    text.map(|(text, _)| text.to_owned()).with_context(|| format!("no text in {json}"))
}

fn decoded(text: &str) -> Result<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).context("a cut percent code")?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits)?, 16)?);
        rest = after;
    }
    Ok(String::from_utf8(bytes)?)
}
