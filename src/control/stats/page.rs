//! The page: in come the `World` and what was asked for, out comes HTML that works without scripts
//! (manual 4.2 "stats enable").

use std::fmt::Write;

use super::query::{MAX_SCOPE, Outcome, Query};
use super::row::Selection;
use super::spec::PageSpec;
use super::table::{self, escape};
use crate::state::world::World;
use crate::version;

/// What the page tells of the process.
#[derive(Debug, Clone, Default)]
pub struct ProcessInfo {
    /// Its number.
    pub pid: u32,
    /// Seconds since it began.
    pub uptime: u64,
    /// File descriptors it may have.
    pub ulimit_n: u64,
    /// Sockets it expects to need at most.
    pub maxsock: u64,
    /// Client connections at this moment.
    pub connections: u32,
    /// New connections a second.
    pub connection_rate: u32,
    /// Bits sent a second.
    pub bit_rate: u64,
    /// Requests in progress.
    pub running: u32,
    /// Share of the last moments that it had nothing to do, in percent.
    pub idle: u32,
}

/// A page being written.
#[derive(Debug)]
pub struct Page<'a> {
    /// The configuration.
    pub world: &'a World,
    /// What was written about the page.
    pub spec: &'a PageSpec,
    /// Its address.
    pub uri: &'a str,
    /// What was asked for.
    pub query: &'a Query,
    /// Whether servers may be changed.
    pub admin: bool,
    /// The process.
    pub process: ProcessInfo,
}

/// The stylesheet.
const STYLE: &str = include_str!("page.css");

impl Page<'_> {
    /// The whole page.
    pub fn html(&self, selection: &Selection<'_>) -> String {
        let mut out = String::with_capacity(16_384);
        out.push_str("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
        out.push_str("<title>Statistics Report for HAProxy</title>\n");
        out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.push_str("<link rel=\"icon\" href=\"data:,\">\n<style>\n");
        out.push_str(STYLE);
        out.push_str("</style></head>\n<body>\n");
        self.header(&mut out);
        self.overview(&mut out);
        self.result(&mut out);
        out.push_str("<main>\n");
        for proxy in selection.proxies(self.world) {
            table::proxy(self, proxy, &selection.rows(self.world, proxy), &mut out);
        }
        out.push_str("</main>\n</body></html>\n");
        out
    }

    fn header(&self, out: &mut String) {
        let version = match self.spec.hide_version {
            true => String::new(),
            false => format!(" version {}, released {}", version::VERSION, version::DATE),
        };
        let global = &self.world.global;
        let or_global = |own: &String, global: &str| {
            if own.is_empty() { escape(global) } else { escape(own) }
        };
        let node = self.spec.node.as_ref().map(|own| or_global(own, &global.node));
        let text = global.spec.description.as_deref().unwrap_or_default();
        let text = self.spec.description.as_ref().map(|own| or_global(own, text));
        let _ = write!(
            out,
            "<header>\n<h1><a href=\"http://www.haproxy.org/\">HAProxy{version}</a></h1>\n<h2>Statistics Report for pid {}{}{}</h2>\n</header>\n",
            self.process.pid,
            node.map(|n| format!(" on {n}")).unwrap_or_default(),
            text.map(|d| format!(": {d}")).unwrap_or_default(),
        );
    }

    fn overview(&self, out: &mut String) {
        out.push_str("<h3>&gt; General process information</h3>\n<div class=\"overview\">\n");
        self.process(out);
        legend(out);
        self.options(out);
        out.push_str(
            "<nav><h4>External resources:</h4><ul>\n\
             <li><a href=\"http://www.haproxy.org/\">Primary site</a></li>\n\
             <li><a href=\"http://www.haproxy.org/#down\">Updates (v2.3)</a></li>\n\
             <li><a href=\"http://www.haproxy.org/#docs\">Online manual</a></li>\n\
             </ul></nav>\n</div>\n",
        );
    }

    fn process(&self, out: &mut String) {
        let p = &self.process;
        let (global, up) = (&self.world.global, p.uptime);
        let _ = write!(
            out,
            "<div class=\"process\">\n\
             <p><b>pid = </b>{} (process #1, nbproc = 1, nbthread = {})</p>\n\
             <p><b>uptime = </b>{}d {}h{:02}m{:02}s</p>\n\
             <p><b>system limits:</b> memmax = unlimited; ulimit-n = {}</p>\n\
             <p><b>maxsock = </b>{}; <b>maxconn = </b>{}; <b>maxpipes = </b>0</p>\n\
             <p>current conns = {}; current pipes = 0/0; conn rate = {}/sec; bit rate = {}</p>\n\
             <p>Running tasks: {}/{}; idle = {} %</p>\n",
            p.pid,
            global.threads,
            up / 86_400,
            up % 86_400 / 3_600,
            up % 3_600 / 60,
            up % 60,
            p.ulimit_n,
            p.maxsock,
            global.maxconn,
            p.connections,
            p.connection_rate,
            bit_rate(p.bit_rate),
            p.running,
            p.connections,
            p.idle,
        );
        if !self.spec.hide_version {
            let _ = writeln!(out, "<p>{}</p>", version::IMPLEMENTATION);
        }
        out.push_str("</div>\n");
    }

    fn options(&self, out: &mut String) {
        let query = self.query;
        // A form replaces the query of its address, so what the address needs of it goes along.
        let (path, parameter) = self.uri.split_once('?').unwrap_or((self.uri, ""));
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let hidden = match key {
            "" => String::new(),
            key => format!(
                "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
                escape(key),
                escape(value)
            ),
        };
        let flags = if parameter.is_empty() {
            Query { scope: String::new(), ..query.clone() }.suffix()
        } else {
            String::new()
        };
        let _ = write!(
            out,
            "<nav><h4>Display option:</h4><ul>\n\
             <li><form method=\"get\" action=\"{}{flags}\">{hidden}<label>Scope : <input name=\"scope\" value=\"{}\" size=\"8\" maxlength=\"{MAX_SCOPE}\"></label></form></li>\n",
            escape(path),
            query.scope,
        );
        let link = |out: &mut String, query: &Query, label: &str| {
            let address = escape(&format!("{}{}", self.uri, query.suffix()));
            let _ = writeln!(out, "<li><a href=\"{address}\">{label}</a></li>");
        };
        let down = if query.hide_down { "Show all servers" } else { "Hide 'DOWN' servers" };
        link(out, &Query { hide_down: !query.hide_down, ..query.clone() }, down);
        if self.spec.refresh > 0 {
            let label = if query.no_refresh { "Enable refresh" } else { "Disable refresh" };
            link(out, &Query { no_refresh: !query.no_refresh, ..query.clone() }, label);
        }
        link(out, query, "Refresh now");
        self.exports(out);
        out.push_str("</ul></nav>\n");
    }

    fn exports(&self, out: &mut String) {
        let uri = escape(self.uri);
        let norefresh = if self.spec.refresh > 0 { ";norefresh" } else { "" };
        let scope = self.query.scope_suffix();
        let _ = write!(
            out,
            "<li><a href=\"{uri};csv{norefresh}{scope}\">CSV export</a></li>\n\
             <li><a href=\"{uri};json{norefresh}{scope}\">JSON export</a> (<a href=\"{uri};json-schema\">schema</a>)</li>\n"
        );
    }

    /// What the last action came to.
    fn result(&self, out: &mut String) {
        let Some(outcome) = self.query.result else { return };
        let (class, text) = match outcome {
            Outcome::Done => ("up", "Action processed successfully."),
            Outcome::None => ("going-down", "Nothing has changed."),
            Outcome::Part => (
                "going-down",
                "Action partially processed.<br>Some server names are probably unknown or ambiguous (duplicated names in the backend).",
            ),
            Outcome::Errp => (
                "down",
                "Action not processed because of invalid parameters.<ul><li>The action is maybe unknown.</li><li>Invalid key parameter (empty or too long).</li><li>The backend name is probably unknown or ambiguous (duplicated names).</li><li>Some server names are probably unknown or ambiguous (duplicated names in the backend).</li></ul>",
            ),
            Outcome::Excd => (
                "down",
                "<b>Action not processed : the buffer couldn't store all the data.<br>You should retry with less servers at a time.</b>",
            ),
            Outcome::Deny => ("down", "<b>Action denied.</b>"),
            Outcome::Ival => {
                ("down", "<b>Invalid requests (unsupported method or chunked encoded request).</b>")
            }
            Outcome::Unkn => ("no-check", "Unexpected result."),
        };
        let back = escape(&format!("{}{}", self.uri, self.query.suffix()));
        let _ = writeln!(
            out,
            "<div class=\"result {class}\" role=\"status\"><a href=\"{back}\" title=\"Remove this message\">[X]</a> {text}</div>"
        );
    }
}

/// What the colours mean.
fn legend(out: &mut String) {
    let entry = |class: &str, text: &str| format!("<dt class=\"{class}\"></dt><dd>{text}</dd>");
    out.push_str("<div class=\"legend\"><dl>\n");
    for (class, text) in [
        ("up", "active UP"),
        ("backup up", "backup UP"),
        ("going-down", "active UP, going down"),
        ("backup going-down", "backup UP, going down"),
        ("going-up", "active DOWN, going up"),
        ("backup going-up", "backup DOWN, going up"),
        ("down", "active or backup DOWN"),
        ("no-check", "not checked"),
    ] {
        out.push_str(&entry(class, text));
    }
    for (class, text) in [
        ("maint", "active or backup DOWN for maintenance (MAINT)"),
        ("draining", "active or backup SOFT STOPPED for maintenance"),
    ] {
        let _ = write!(out, "<dt class=\"{class}\"></dt><dd class=\"wide\">{text}</dd>");
    }
    out.push_str("</dl><p>Note: \"NOLB\"/\"DRAIN\" = UP with load-balancing disabled.</p></div>\n");
}

/// `0.271 kbps`; counts what Ethernet, IP and TCP add to full packets, as HAProxy's page does.
fn bit_rate(bits: u64) -> String {
    let bits = bits as f64 * 1538.0 / 1448.0;
    let (scale, unit) = match bits {
        b if b >= 1e9 => (1e9, 'G'),
        b if b >= 1e6 => (1e6, 'M'),
        _ => (1e3, 'k'),
    };
    format!("{:.3} {unit}bps", bits / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_rates_choose_their_unit() {
        assert_eq!(bit_rate(0), "0.000 kbps");
        assert_eq!(bit_rate(256), "0.272 kbps");
        assert_eq!(bit_rate(2_000_000), "2.124 Mbps");
    }
}
