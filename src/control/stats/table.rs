//! The tables of the page: in come the rows of a proxy, out comes HTML with HAProxy's groups of columns.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::LazyLock;

use super::csv::field;
use super::fields::{COLUMNS, FIXED, Field, Value};
use super::page::Page;
use super::row::{Object, Row};
use crate::state::world::Proxy;

/// The second line of the head: names of the columns, below their groups.
const GROUPS: &[(&str, &[&str])] = &[
    ("Queue", &["Cur", "Max", "Limit"]),
    ("Session rate", &["Cur", "Max", "Limit"]),
    ("Sessions", &["Cur", "Max", "Limit", "Total", "LbTot", "Last"]),
    ("Bytes", &["In", "Out"]),
    ("Denied", &["Req", "Resp"]),
    ("Errors", &["Req", "Conn", "Resp"]),
    ("Warnings", &["Retr", "Redis"]),
    ("Server", &["Status", "LastChk", "Wght", "Act", "Bck", "Chk", "Dwn", "Dwntme", "Thrtle"]),
];

/// What can be done to the servers that are ticked: value and label.
const ACTIONS: &[(&str, &str)] = &[
    ("", ""),
    ("ready", "Set state to READY"),
    ("drain", "Set state to DRAIN"),
    ("maint", "Set state to MAINT"),
    ("dhlth", "Health: disable checks"),
    ("ehlth", "Health: enable checks"),
    ("hrunn", "Health: force UP"),
    ("hnolb", "Health: force NOLB"),
    ("hdown", "Health: force DOWN"),
    ("dagent", "Agent: disable checks"),
    ("eagent", "Agent: enable checks"),
    ("arunn", "Agent: force UP"),
    ("adown", "Agent: force DOWN"),
    ("shutdown", "Kill Sessions"),
];

/// Writes a proxy's section: its table and, for those who may, its form.
pub fn proxy(page: &Page<'_>, proxy: &Proxy, rows: &[Row<'_>], out: &mut String) {
    let form = page.admin && !proxy.servers().is_empty();
    out.push_str("<section class=\"proxy\">\n");
    if form {
        out.push_str("<form method=\"post\">\n");
    }
    out.push_str("<div class=\"scroll\"><table class=\"rows\">\n");
    caption(page, proxy, out);
    head(page, form, out);
    out.push_str("<tbody>\n");
    for row in rows {
        Line { page, row, cells: Cells::of(row) }.write(out);
    }
    out.push_str("</tbody></table></div>\n");
    if form {
        actions(proxy, out);
    }
    out.push_str("</section>\n");
}

fn caption(page: &Page<'_>, proxy: &Proxy, out: &mut String) {
    let name = escape(&proxy.name);
    let mut title = format!("<a href=\"#{name}\">{name}</a>");
    if page.spec.legends {
        let cap = match proxy.kind.word() {
            "proxy" => "LISTEN",
            "frontend" => "FE",
            _ => "BE",
        };
        let text = format!("cap: {cap}, mode: {}, id: {}", proxy.mode.word(), proxy.id);
        title = tip(&title, &text);
    }
    let _ = write!(out, "<caption><span class=\"px\" id=\"{name}\">{title}</span>");
    if let Some(text) = &proxy.description {
        let _ = write!(out, "<span class=\"desc\">{}</span>", escape(text));
    }
    out.push_str("</caption>\n");
}

fn head(page: &Page<'_>, form: bool, out: &mut String) {
    out.push_str("<thead><tr>");
    if form {
        // Without JavaScript the servers are ticked one by one.
        out.push_str(
            "<th rowspan=\"2\"><input type=\"checkbox\" aria-label=\"All servers\" onclick=\"for(const b of this.form.querySelectorAll('input[name=s]'))b.checked=this.checked\"></th>",
        );
    } else if page.admin {
        out.push_str("<th rowspan=\"2\"></th>");
    }
    out.push_str("<th rowspan=\"2\"></th>");
    for (group, columns) in GROUPS {
        let _ = write!(out, "<th colspan=\"{}\" scope=\"colgroup\">{group}</th>", columns.len());
    }
    if page.spec.modules {
        out.push_str("<th scope=\"colgroup\">Extra modules</th>");
    }
    out.push_str("</tr>\n<tr>");
    for column in GROUPS.iter().flat_map(|(_, columns)| *columns) {
        let _ = write!(out, "<th scope=\"col\">{column}</th>");
    }
    if page.spec.modules {
        out.push_str("<th scope=\"col\">h2</th>");
    }
    out.push_str("</tr></thead>\n");
}

fn actions(proxy: &Proxy, out: &mut String) {
    out.push_str(
        "<label>Choose the action to perform on the checked servers : <select name=\"action\">",
    );
    for (value, label) in ACTIONS {
        let _ = write!(out, "<option value=\"{value}\">{label}</option>");
    }
    let _ = write!(
        out,
        "</select></label> <input type=\"hidden\" name=\"b\" value=\"#{}\"> <input type=\"submit\" value=\"Apply\">\n</form>\n",
        proxy.id
    );
}

/// Where a column stands in the table of columns.
static PLACES: LazyLock<HashMap<&'static str, usize>> = LazyLock::new(|| {
    COLUMNS.iter().enumerate().take(FIXED).map(|(index, column)| (column.name, index)).collect()
});

/// The values of a row, by the names of the columns.
struct Cells<'a>(Vec<Option<Field<'a>>>);

impl<'a> Cells<'a> {
    fn of(row: &Row<'a>) -> Cells<'a> {
        Cells(COLUMNS.iter().map(|column| field(row, column)).collect())
    }

    fn get(&self, name: &str) -> Option<&Field<'a>> {
        self.0.get(*PLACES.get(name)?)?.as_ref()
    }

    /// The number; 0 when the place is empty.
    fn n(&self, name: &str) -> u64 {
        self.get(name).map_or(0, Field::number)
    }

    /// The number as the page writes it.
    fn g(&self, name: &str) -> String {
        grouped(self.n(name))
    }

    /// The limit as the page writes it: `-` for none.
    fn limit(&self, name: &str) -> String {
        if self.n(name) == 0 { "-".to_owned() } else { self.g(name) }
    }

    /// The text, made safe; empty when the place is empty.
    fn text(&self, name: &str) -> String {
        match self.get(name).map(|f| &f.value) {
            Some(Value::Str(text)) => escape(text),
            _ => String::new(),
        }
    }

    /// Seconds as people read them.
    fn time(&self, name: &str) -> String {
        match self.get(name).map(|f| &f.value) {
            Some(Value::S32(n)) => human_time(*n),
            Some(_) => human_time(i32::try_from(self.n(name)).unwrap_or(i32::MAX)),
            None => String::new(),
        }
    }
}

/// One row being written.
struct Line<'p, 'a> {
    page: &'p Page<'p>,
    row: &'p Row<'a>,
    cells: Cells<'a>,
}

impl Line<'_, '_> {
    fn write(&self, out: &mut String) {
        let c = &self.cells;
        let proxy = escape(&self.row.proxy.name);
        let (class, anchor, name) = match self.row.object {
            Object::Frontend(_) => ("frontend".to_owned(), "Frontend".to_owned(), "Frontend"),
            Object::Backend(_) => ("backend".to_owned(), "Backend".to_owned(), "Backend"),
            Object::Listener(_) => {
                ("socket".to_owned(), format!("+{}", c.text("svname")), self.row.name())
            }
            Object::Server(_) => (self.server_class(), c.text("svname"), self.row.name()),
        };
        let anchor = format!("{proxy}/{anchor}");
        let _ = write!(out, "<tr id=\"{anchor}\" class=\"{class}\">");
        self.tick(out);
        let link = format!("<a href=\"#{anchor}\">{}</a>", escape(name));
        let _ = write!(out, "<th scope=\"row\">{}</th>", self.legend(&link));
        match self.row.object {
            Object::Frontend(_) => self.frontend(out),
            Object::Listener(_) => self.listener(out),
            Object::Server(_) => self.server(out),
            Object::Backend(_) => self.backend(out),
        }
        self.modules(out);
        out.push_str("</tr>\n");
    }

    fn tick(&self, out: &mut String) {
        if !self.page.admin {
            return;
        }
        match self.row.object {
            Object::Server(server) => {
                let name = escape(&server.name);
                let _ = write!(
                    out,
                    "<td><input type=\"checkbox\" name=\"s\" value=\"{name}\" aria-label=\"{name}\"></td>"
                );
            }
            _ => out.push_str("<td></td>"),
        }
    }

    /// The name, with address, number, cookie and algorithm when legends are shown.
    fn legend(&self, link: &str) -> String {
        if !self.page.spec.legends {
            return link.to_owned();
        }
        let c = &self.cells;
        let mut parts = Vec::new();
        match self.row.object {
            Object::Frontend(_) => return link.to_owned(),
            Object::Backend(_) => parts.push(format!("balancing: {}", c.text("algo"))),
            Object::Listener(_) | Object::Server(_) => {
                match c.text("addr") {
                    address if address.starts_with('[') => parts.push(format!("IPv6: {address}")),
                    address if address == "unix" => parts.push(address),
                    address if !address.is_empty() => parts.push(format!("IPv4: {address}")),
                    _ => {}
                }
                parts.push(format!("id: {}", c.n("sid")));
            }
        }
        if c.get("cookie").is_some() {
            parts.push(format!("cookie: '{}'", c.text("cookie")));
        }
        tip(link, &parts.join(", "))
    }

    fn frontend(&self, out: &mut String) {
        let c = &self.cells;
        let rates = |kind: &str, suffix: &str| {
            let mut lines = vec![
                line(
                    &format!("{kind} connection rate:"),
                    &per_second(c.g(&format!("conn_rate{suffix}"))),
                ),
                line(&format!("{kind} session rate:"), &per_second(c.g(&format!("rate{suffix}")))),
            ];
            if self.row.http() {
                let rate = per_second(c.g(&format!("req_rate{suffix}")));
                lines.push(line(&format!("{kind} request rate:"), &rate));
            }
            tip(&c.g(&format!("rate{suffix}")), &lines.concat())
        };
        blank(out, 3);
        cells(out, [&rates("Current", ""), &rates("Max", "_max"), &c.limit("rate_lim")]);
        let mut total =
            vec![line("Cum. connections:", &c.g("conn_tot")), line("Cum. sessions:", &c.g("stot"))];
        self.responses(&mut total, false);
        let total = tip(&c.g("stot"), &total.concat());
        cells(out, [&c.g("scur"), &c.g("smax"), &c.g("slim"), &total, "", ""]);
        cells(out, [&c.g("bin"), &self.bytes_out(), &c.g("dreq"), &c.g("dresp")]);
        cells(out, [&c.g("ereq"), "", "", "", ""]);
        let _ = write!(out, "<td class=\"mid\">{}</td>", c.text("status"));
        blank(out, 8);
    }

    fn listener(&self, out: &mut String) {
        let c = &self.cells;
        blank(out, 3);
        blank(out, 3);
        cells(out, [&c.g("scur"), &c.g("smax"), &c.g("slim"), &c.g("stot"), "", ""]);
        cells(out, [&c.g("bin"), &c.g("bout"), &c.g("dreq"), &c.g("dresp")]);
        cells(out, [&c.g("ereq"), "", "", "", ""]);
        let _ = write!(out, "<td class=\"mid\">{}</td>", c.text("status"));
        blank(out, 8);
    }

    fn server(&self, out: &mut String) {
        let c = &self.cells;
        cells(out, [&c.g("qcur"), &c.g("qmax"), &c.limit("qlimit")]);
        cells(out, [&c.g("rate"), &c.g("rate_max"), ""]);
        let idle_limit = if c.get("src_ilim").is_some() { c.g("src_ilim") } else { "-".to_owned() };
        let current = [
            line("Current active connections:", &c.g("scur")),
            line("Current used connections:", &c.g("used_conn_cur")),
            line("Current idle connections:", &c.g("srv_icur")),
            line("- unsafe:", &c.g("idle_conn_cur")),
            line("- safe:", &c.g("safe_conn_cur")),
            line("Estimated need of connections:", &c.g("need_conn_est")),
            line("Active connections limit:", &c.limit("slim")),
            line("Idle connections limit:", &idle_limit),
        ];
        let current = tip(&c.g("scur"), &current.concat());
        cells(out, [&current, &c.g("smax"), &c.limit("slim"), &self.total()]);
        cells(out, [&c.g("lbtot"), &c.time("lastsess")]);
        cells(out, [&c.g("bin"), &c.g("bout"), "", &c.g("dresp")]);
        cells(out, ["", &c.g("econ"), &self.aborts(), &c.g("wretr"), &c.g("wredis")]);
        let _ = write!(out, "<td class=\"mid\">{}</td>", self.server_state());
        let _ = write!(out, "<td class=\"mid\">{}</td>", self.last_check());
        let (active, backup) = if c.n("bck") > 0 { ("-", "Y") } else { ("Y", "-") };
        let weight = format!("{}/{}", c.n("weight"), c.n("uweight"));
        for text in [weight.as_str(), active, backup] {
            let _ = write!(out, "<td class=\"mid\">{text}</td>");
        }
        self.failures(out);
        let throttle = match c.get("throttle") {
            Some(field) => format!("{} %", field.number()),
            None => "-".to_owned(),
        };
        let _ = write!(out, "<td class=\"mid\">{throttle}</td>");
    }

    fn backend(&self, out: &mut String) {
        let c = &self.cells;
        cells(out, [&c.g("qcur"), &c.g("qmax"), "", &c.g("rate"), &c.g("rate_max"), ""]);
        cells(out, [&c.g("scur"), &c.g("smax"), &c.g("slim"), &self.total()]);
        cells(out, [&c.g("lbtot"), &c.time("lastsess")]);
        cells(out, [&c.g("bin"), &self.bytes_out(), &c.g("dreq"), &c.g("dresp")]);
        cells(out, ["", &c.g("econ"), &self.aborts(), &c.g("wretr"), &c.g("wredis")]);
        let status = c.text("status");
        let status = if status == "DOWN" { "<span class=\"dead\">DOWN</span>" } else { &status };
        let _ = write!(out, "<td class=\"mid\">{} {status}</td>", c.time("lastchg"));
        blank(out, 1);
        let weight = format!("{}/{}", c.n("weight"), c.n("uweight"));
        for text in [&weight, &c.g("act"), &c.g("bck")] {
            let _ = write!(out, "<td class=\"mid\">{text}</td>");
        }
        blank(out, 1);
        cells(out, [&c.g("chkdown"), &c.time("downtime"), ""]);
    }

    /// Sessions in all, with everything that is counted about them.
    fn total(&self) -> String {
        let c = &self.cells;
        let mut lines = vec![line("Cum. sessions:", &c.g("stot"))];
        if self.row.http() {
            let all = c.n("connect") + c.n("reuse");
            lines.push(line("New connections:", &c.g("connect")));
            lines.push(line("Reused connections:", &share(c, "reuse", all)));
        }
        self.responses(&mut lines, true);
        lines.push("<b>Max / Avg over last 1024 success. conn.</b>".to_owned());
        let mut time = |label: &str, name: &str| {
            let text = format!("{} / {} ms", c.g(&format!("{name}_max")), c.g(name));
            lines.push(line(label, &text));
        };
        time("- Queue time:", "qtime");
        time("- Connect time:", "ctime");
        if self.row.http() {
            time("- Responses time:", "rtime");
        }
        time("- Total time:", "ttime");
        tip(&c.g("stot"), &lines.concat())
    }

    /// HTTP requests and responses by class.
    fn responses(&self, lines: &mut Vec<String>, shares: bool) {
        if !self.row.http() {
            return;
        }
        let c = &self.cells;
        let total = if shares { c.n("req_tot") } else { 0 };
        let server = matches!(self.row.object, Object::Server(_));
        let class = |name: &str| if server { share(c, name, total) } else { c.g(name) };
        lines.push(line("Cum. HTTP requests:", &c.g("req_tot")));
        lines.push(line("- HTTP 1xx responses:", &class("hrsp_1xx")));
        lines.push(line("- HTTP 2xx responses:", &class("hrsp_2xx")));
        if !server {
            lines.push(line("Compressed 2xx:", &share(c, "comp_rsp", c.n("hrsp_2xx"))));
        }
        lines.push(line("- HTTP 3xx responses:", &class("hrsp_3xx")));
        lines.push(line("- HTTP 4xx responses:", &class("hrsp_4xx")));
        lines.push(line("- HTTP 5xx responses:", &class("hrsp_5xx")));
        lines.push(line("- other responses:", &class("hrsp_other")));
        if c.get("intercepted").is_some() {
            lines.push(line("Intercepted requests:", &c.g("intercepted")));
        }
        if !server {
            lines.push(line("Cache lookups:", &c.g("cache_lookups")));
            lines.push(line("Cache hits:", &share(c, "cache_hits", c.n("cache_lookups"))));
        }
        lines.push(line("Failed hdr rewrites:", &c.g("wrew")));
        lines.push(line("Internal errors:", &c.g("eint")));
    }

    /// Bytes to clients, with what compression saved once there was any.
    fn bytes_out(&self) -> String {
        let c = &self.cells;
        if c.n("comp_in") == 0 && c.n("comp_byp") == 0 {
            return c.g("bout");
        }
        let saved = c.n("comp_in").saturating_sub(c.n("comp_out"));
        let lines = [
            line("Response bytes in:", &c.g("bout")),
            line("Compression in:", &c.g("comp_in")),
            line("Compression out:", &share(c, "comp_out", c.n("comp_in"))),
            line("Compression bypass:", &c.g("comp_byp")),
            line(
                "Total bytes saved:",
                &format!("{} ({}%)", grouped(saved), percent(saved, c.n("bout"))),
            ),
        ];
        tip(&c.g("bout"), &lines.concat())
    }

    fn aborts(&self) -> String {
        let c = &self.cells;
        let text = format!(
            "Connection resets during transfers: {} client, {} server",
            c.n("cli_abrt"),
            c.n("srv_abrt")
        );
        tip(&c.g("eresp"), &text)
    }

    /// The class that colours a server's row.
    fn server_class(&self) -> String {
        let status = self.row.status();
        let health = &self.row.judged;
        let state = match &*status {
            s if s.starts_with("MAINT") => return "maint".to_owned(),
            "DOWN" | "DOWN (agent)" => "down",
            s if s.starts_with("DOWN ") => "going-up",
            "DRAIN" | "DRAIN (agent)" => "draining",
            "NOLB" => "nolb",
            "no check" => "no-check",
            _ if health.enabled && health.health < health.full() => "going-down",
            _ if self.row.weight() == 0 => "draining",
            _ => "up",
        };
        let kind = if self.cells.n("bck") > 0 { "backup" } else { "active" };
        format!("{kind} {state}")
    }

    /// `1m42s UP`, with an arrow when it is on its way to another state.
    fn server_state(&self) -> String {
        let status = self.row.status();
        let since = self.cells.time("lastchg");
        let health = &self.row.judged;
        if status.starts_with("MAINT") {
            return format!("{since} MAINT");
        }
        if status == "no check" {
            return "<i>no check</i>".to_owned();
        }
        let shown = self.row.watched().is_some();
        let arrow = match status.starts_with("DOWN") {
            true if shown && health.health > 0 => " &uarr;",
            false if shown && health.health < health.full() => " &darr;",
            _ => "",
        };
        format!("{since} {}{arrow}", escape(&status))
    }

    /// `L7OK/200 in 0ms`, with what the check said.
    fn last_check(&self) -> String {
        let c = &self.cells;
        let down = self.row.status().starts_with("DOWN");
        let by_agent = down && c.get("agent_status").is_some() && self.row.agent.health == 0;
        let [status, code, duration, description, last] = match by_agent {
            true => ["agent_status", "agent_code", "agent_duration", "agent_desc", "last_agt"],
            false => ["check_status", "check_code", "check_duration", "check_desc", "last_chk"],
        };
        if c.get(status).is_none() {
            return String::new();
        }
        let mut text = c.text(status);
        if let Some(code) = c.get(code) {
            let _ = write!(text, "/{}", code.number());
        }
        if let Some(duration) = c.get(duration) {
            let _ = write!(text, " in {}ms", duration.number());
        }
        let mut more = c.text(description);
        if !c.text(last).is_empty() {
            let _ = write!(more, ": {}", c.text(last));
        }
        tip(&text, &more)
    }

    /// Failed checks, times down and time down, or where the state comes from.
    fn failures(&self, out: &mut String) {
        let c = &self.cells;
        let status = self.row.status();
        if status == "MAINT (resolution)" {
            out.push_str("<td class=\"mid\" colspan=\"3\">resolution</td>");
        } else if c.get("chkfail").is_some() {
            let mut failed = c.g("chkfail");
            let mut text = "Failed Health Checks".to_owned();
            if let Some(analyses) = c.get("hanafail") {
                let _ = write!(failed, "/{}", analyses.number());
                text.push_str("/Health Analyses");
            }
            cells(out, [&tip(&failed, &text), &c.g("chkdown"), &c.time("downtime")]);
        } else if status != "MAINT" && c.get("tracked").is_some() {
            let tracked = c.text("tracked");
            let _ = write!(
                out,
                "<td class=\"mid\" colspan=\"3\"><a href=\"#{tracked}\">via {tracked}</a></td>"
            );
        } else {
            blank(out, 3);
        }
    }

    /// HTTP/2, where `stats show-modules` asks for it.
    fn modules(&self, out: &mut String) {
        if !self.page.spec.modules {
            return;
        }
        let lines: String = COLUMNS
            .iter()
            .zip(&self.cells.0)
            .skip(FIXED)
            .filter_map(|(column, cell)| {
                let label = column.doc.trim_end_matches('.');
                Some(line(label, &grouped(cell.as_ref()?.number())))
            })
            .collect();
        if lines.is_empty() {
            out.push_str("<td></td>");
        } else {
            let _ = write!(out, "<td class=\"mid\">{}</td>", tip("h2", &lines));
        }
    }
}

fn cells<const N: usize>(out: &mut String, texts: [&str; N]) {
    for text in texts {
        let _ = write!(out, "<td>{text}</td>");
    }
}

fn blank(out: &mut String, columns: usize) {
    if columns == 1 {
        out.push_str("<td></td>");
    } else {
        let _ = write!(out, "<td colspan=\"{columns}\"></td>");
    }
}

/// A text that tells more when it is pointed at or focused; `more` is HTML.
fn tip(text: &str, more: &str) -> String {
    format!(
        "<span class=\"tip\" tabindex=\"0\">{text}<span class=\"more\" role=\"tooltip\">{more}</span></span>"
    )
}

/// One line of what is told.
fn line(label: &str, value: &str) -> String {
    format!("<span class=\"line\"><span>{label}</span> <span>{value}</span></span>")
}

fn per_second(rate: String) -> String {
    rate + "/s"
}

/// `12 (30%)`
fn share(cells: &Cells<'_>, name: &str, total: u64) -> String {
    format!("{} ({}%)", cells.g(name), percent(cells.n(name), total))
}

fn percent(part: u64, total: u64) -> u64 {
    part.saturating_mul(100).checked_div(total).unwrap_or(0)
}

/// A number with a gap between thousands that is not part of the text, so that it can be copied.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let (mut head, mut rest) = digits.split_at(first);
    let mut out = String::new();
    while !rest.is_empty() {
        let _ = write!(out, "<span class=\"k\">{head}</span>");
        (head, rest) = rest.split_at(3);
    }
    out + head
}

/// `1d2h`, `3m4s`, `?` when there is none: the two largest units.
pub fn human_time(seconds: i32) -> String {
    let Ok(seconds) = u32::try_from(seconds) else { return "?".to_owned() };
    let units = [
        (seconds / 86_400, 'd'),
        (seconds % 86_400 / 3_600, 'h'),
        (seconds % 3_600 / 60, 'm'),
        (seconds % 60, 's'),
    ];
    let parts: Vec<_> = units.iter().filter(|(n, _)| *n > 0).take(2).collect();
    if parts.is_empty() {
        return "0s".to_owned();
    }
    parts.iter().map(|(n, unit)| format!("{n}{unit}")).collect()
}

/// Text made safe for HTML.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(524_274), "<span class=\"k\">524</span>274");
        assert_eq!(grouped(1_000_000), "<span class=\"k\">1</span><span class=\"k\">000</span>000");
    }

    #[test]
    fn times_show_their_two_largest_units() {
        let times = [(-1, "?"), (0, "0s"), (102, "1m42s"), (3_600, "1h"), (90_061, "1d1h")];
        for (seconds, text) in times {
            assert_eq!(human_time(seconds), text);
        }
    }
}
