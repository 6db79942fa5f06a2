//! A server changes its state: in comes what checks or an operator want, out come the new state, the
//! lines that HAProxy says about it, and work for the requests that wait (management.txt 9.3,
//! "set server"; manual 5.2 "rise", "fall").

use std::sync::atomic::Ordering::Relaxed;

use crate::check::CheckStatus;
use crate::check::health::{Effect, Verdict};
use crate::check::observe::{Event, OnError};
use crate::control::process::console;
use crate::flow::server::assign::fill;
use crate::state::server_status::{Operational, admin};
use crate::state::world::{Backend, Proxy, Server};

/// How urgent a line is, numbered as syslog does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A backend has no server left.
    Emergency = 0,
    /// A server goes down.
    Alert = 1,
    /// Anything else.
    Notice = 5,
}

/// A server whose state is to be changed, and its backend.
#[derive(Debug, Clone, Copy)]
pub struct ServerChange<'a> {
    /// The proxy it belongs to.
    pub proxy: &'a Proxy,
    /// The server.
    pub server: &'a Server,
}

impl Backend {
    /// Usable servers: active ones and backups.
    pub fn usable_counts(&self) -> (u32, u32) {
        let usable = || self.servers.iter().filter(|s| s.status.is_usable());
        let backups = usable().filter(|s| s.backup).count() as u32;
        (usable().count() as u32 - backups, backups)
    }
}

impl<'a> ServerChange<'a> {
    /// To change this server.
    pub fn new(proxy: &'a Proxy, server: &'a Server) -> ServerChange<'a> {
        ServerChange { proxy, server }
    }

    /// Up. `reason` follows "is UP" in the log: `, reason: …`, `, changed from Web interface`. Does
    /// nothing in maintenance or when it is up already; says whether it did.
    pub fn set_running(&self, reason: &str) -> bool {
        let status = &self.server.status;
        let running = matches!(status.operational(), Operational::Running | Operational::Starting);
        if status.in_maintenance() || running {
            return false;
        }
        self.change(|| {
            status.set_operational(self.coming_up());
            status.errors.forget();
            let line = self.line(&format!("is UP{reason}"), true);
            (Urgency::Notice, line)
        });
        true
    }

    /// Up, but without new sessions (`NOLB`). As `set_running` otherwise.
    pub fn set_stopping(&self, reason: &str) -> bool {
        let status = &self.server.status;
        if status.in_maintenance() || status.operational() == Operational::Stopping {
            return false;
        }
        self.change(|| {
            status.set_operational(Operational::Stopping);
            (Urgency::Notice, self.line(&format!("is stopping{reason}"), true))
        });
        true
    }

    /// Down. As `set_running` otherwise.
    pub fn set_stopped(&self, reason: &str) -> bool {
        let status = &self.server.status;
        if status.in_maintenance() || status.operational() == Operational::Stopped {
            return false;
        }
        let urgency = self.urgency_of_loss();
        self.change(|| {
            status.set_operational(Operational::Stopped);
            (urgency, self.line(&format!("is DOWN{reason}"), true))
        });
        true
    }

    /// `set server … state ready`.
    pub fn ready(&self) {
        self.clear_admin(admin::FORCED_DRAIN);
        self.clear_admin(admin::FORCED_MAINT);
    }

    /// `set server … state drain`.
    pub fn drain(&self) {
        self.set_admin(admin::FORCED_DRAIN, "");
        self.clear_admin(admin::FORCED_MAINT);
    }

    /// `set server … state maint`.
    pub fn maintain(&self) {
        self.set_admin(admin::FORCED_MAINT, "");
        self.clear_admin(admin::FORCED_DRAIN);
    }

    /// Adds one administrative bit; `cause` stands in brackets in the log, empty for none. Says
    /// whether it was new.
    pub fn set_admin(&self, bit: u8, cause: &str) -> bool {
        let status = &self.server.status;
        if status.admin() & bit != 0 {
            return false;
        }
        let cause = if cause.is_empty() { String::new() } else { format!(" ({cause})") };
        let maintained = status.in_maintenance();
        let drained = status.is_drained();
        if bit & admin::MAINT != 0 && !maintained {
            self.enter_maintenance(bit, &cause);
        } else if bit & admin::DRAIN != 0 && !maintained && !drained {
            self.change(|| {
                status.set_admin(bit, 0);
                (Urgency::Notice, self.line(&format!("enters drain state{cause}"), true))
            });
        } else {
            status.set_admin(bit, 0);
        }
        true
    }

    /// Adds an inherited administrative bit; `via` tells from whom. Says whether it was new.
    pub fn inherit(&self, bit: u8, via: &str) -> bool {
        let status = &self.server.status;
        if status.admin() & bit != 0 {
            return false;
        }
        if bit & admin::MAINT != 0 && !status.in_maintenance() {
            self.enter_maintenance(bit, via);
        } else if bit & admin::DRAIN != 0 && !status.in_maintenance() && !status.is_drained() {
            self.change(|| {
                status.set_admin(bit, 0);
                (Urgency::Notice, self.line(&format!("enters drain state{via}"), true))
            });
        } else {
            let drained = bit & admin::DRAIN != 0 && !status.in_maintenance();
            status.set_admin(bit, 0);
            if drained {
                self.say(Urgency::Notice, &self.line("remains in forced drain mode", false));
            }
        }
        true
    }

    /// Takes one administrative bit away; says whether it was there.
    pub fn clear_admin(&self, bit: u8) -> bool {
        let status = &self.server.status;
        if status.admin() & bit == 0 {
            return false;
        }
        let left = status.admin() & !bit;
        if bit & admin::MAINT != 0 && left & admin::MAINT == 0 {
            self.leave_maintenance(bit);
        } else if bit & admin::MAINT != 0 {
            status.set_admin(0, bit);
            self.say(Urgency::Notice, &self.line(remaining(bit), false));
        } else if left & admin::DRAIN == 0 && left & admin::MAINT == 0 {
            self.change(|| {
                status.set_admin(0, bit);
                let up = self.up_word();
                (Urgency::Notice, self.line(&format!("is {up} (leaving forced drain)"), false))
            });
        } else {
            status.set_admin(0, bit);
        }
        true
    }

    /// `set server … health up`, `stopping` or `down`; `reason` as for `set_running`.
    pub fn force_health(&self, state: Operational, reason: &str) {
        let mut health = self.server.status.health.lock();
        health.health = if state == Operational::Stopped { 0 } else { health.full() };
        drop(health);
        match state {
            Operational::Stopped => self.set_stopped(reason),
            Operational::Stopping => self.set_stopping(reason),
            Operational::Running | Operational::Starting => self.set_running(reason),
        };
    }

    /// Sets the operator's weight, 0 to 256.
    pub fn set_weight(&self, weight: u32) {
        let before = self.usable_total();
        self.server.status.set_weight(weight);
        self.settle(before);
    }

    /// Sets the weight that a runtime command or an agent asks for: `5` or `50%` of the configured one.
    ///
    /// # Errors
    /// HAProxy's message.
    pub fn request_weight(&self, word: &str) -> Result<(), &'static str> {
        self.set_weight(parse_weight(word, *self)?);
        Ok(())
    }

    /// Sets the `maxconn` that a runtime command or an agent asks for.
    ///
    /// # Errors
    /// HAProxy's message.
    pub fn request_maxconn(&self, word: &str) -> Result<(), &'static str> {
        if word.is_empty() {
            return Err("Require <maxconn>.\n");
        }
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Err("maxconn string empty or preceded by garbage");
        }
        if digits < word.len() {
            return Err("Trailing garbage in maxconn string");
        }
        self.server.status.maxconn.store(word.parse().unwrap_or(u32::MAX), Relaxed);
        // A higher limit opens slots for requests that wait.
        if let Some(backend) = &self.proxy.backend {
            fill(backend, self.server);
        }
        Ok(())
    }

    /// Counts what traffic shows of the server (`observe`); enough errors in a row count as a failed check,
    /// or as more.
    pub fn observe(&self, event: Event) {
        let Some(observe) = &self.server.observe else { return };
        let status = &self.server.status;
        if !status.health.lock().enabled {
            return;
        }
        let Some(errors) = status.errors.count(observe, event) else { return };
        status.counters.failed_analyses.inc();
        if observe.on_error != OnError::FastInter {
            let last = event.description();
            let text = format!("Detected {errors} consecutive errors, last one was: {last}");
            self.fail_check(observe.on_error, text);
        }
        status.check_soon.notify_one();
    }

    /// Pretends that a check has failed.
    fn fail_check(&self, how: OnError, text: String) {
        let logs = self.proxy.options.log_health_checks;
        let (down, reason, report) = {
            let mut health = self.server.status.health.lock();
            health.foresee(how);
            let (running, duration) = (health.in_progress, health.duration);
            let verdict = Verdict::new(CheckStatus::HealthAnalyze, text);
            let (effect, moved) = health.end(verdict, duration);
            health.in_progress = running;
            let drained = self.server.status.weight() == 0;
            let report = (logs && moved).then(|| health.report(drained));
            let reason = if logs { String::new() } else { health.reason() };
            (effect == Effect::Down, reason, report)
        };
        self.tell("Health", report);
        if down {
            self.set_stopped(&reason);
        }
    }

    /// Says what a check or an agent has found, where `option log-health-checks` wants to know it.
    pub fn tell(&self, who: &str, report: Option<String>) {
        let Some(report) = report else { return };
        let backup = if self.server.backup { "backup " } else { "" };
        let (proxy, server) = (&self.proxy.name, &self.server.name);
        let text = format!("{who} check for {backup}server {proxy}/{server} {report}.");
        self.say(Urgency::Notice, &text);
    }

    /// `set server … agent up` or `down`; `reason` as for `set_running`.
    pub fn force_agent(&self, up: bool, reason: &str) {
        let mut agent = self.server.status.agent.lock();
        agent.health.health = if up { agent.health.full() } else { 0 };
        drop(agent);
        match up {
            true => self.set_running(reason),
            false => self.set_stopped(reason),
        };
    }

    /// `enable agent` and `disable agent`; says whether there is one.
    pub fn enable_agent(&self, enabled: bool) -> bool {
        let health = &mut self.server.status.agent.lock().health;
        health.enabled = enabled && health.configured;
        health.configured
    }

    fn enter_maintenance(&self, bit: u8, cause: &str) {
        let status = &self.server.status;
        status.health.lock().pause();
        if status.operational() == Operational::Stopped {
            status.set_admin(bit, 0);
            let text = format!("was DOWN and now enters maintenance{cause}");
            self.say(Urgency::Notice, &self.line(&text, false));
            return;
        }
        let urgency = self.urgency_of_loss();
        self.change(|| {
            status.set_admin(bit, 0);
            status.set_operational(Operational::Stopped);
            (urgency, self.line(&format!("is going DOWN for maintenance{cause}"), true))
        });
    }

    fn leave_maintenance(&self, bit: u8) {
        let status = &self.server.status;
        let says_up = {
            let mut health = status.health.lock();
            health.resume();
            health.says_up()
        };
        self.change(|| {
            status.set_admin(0, bit);
            if says_up {
                status.set_operational(self.coming_up());
            }
            let up = self.up_word();
            let ready = if status.is_drained() { "DRAIN" } else { "READY" };
            let text = match bit {
                admin::RESOLUTION_MAINT => {
                    let host = status.host.load();
                    let host = host.as_ref().map_or("", |host| &host.name);
                    format!("('{host}') is {up}/{ready} (resolves again)")
                }
                admin::INHERITED_MAINT => format!("is {up}/{ready} (leaving maintenance)"),
                _ => format!("is {up}/{ready} (leaving forced maintenance)"),
            };
            (Urgency::Notice, self.line(&text, false))
        });
    }

    /// Applies a change, lets go or wakes waiting requests, says the line, and notices when the
    /// backend has lost or found its last server.
    fn change(&self, apply: impl FnOnce() -> (Urgency, String)) {
        let before = self.usable_total();
        let (urgency, line) = apply();
        self.say(urgency, &line);
        self.settle(before);
    }

    /// Keeps the backend's own state: down when no server is usable.
    fn settle(&self, before: u32) {
        let Some(backend) = &self.proxy.backend else { return };
        let after = self.usable_total();
        if after == 0 && before > 0 {
            backend.queue.give_up();
            backend.state.status.set_operational(Operational::Stopped);
            let (kind, name) = (self.proxy.kind.word(), &self.proxy.name);
            console::alert(format!("{kind} '{name}' has no server available!"));
            let text = format!("{kind} {name} has no server available!");
            self.proxy.log.event(Urgency::Emergency as u8, &text);
        } else if after > 0 {
            backend.state.status.set_operational(Operational::Running);
            fill(backend, self.server);
        }
    }

    /// `Backup Server b/s is …`, with the servers left when `counts` is wanted.
    fn line(&self, what: &str, counts: bool) -> String {
        let backup = if self.server.backup { "Backup " } else { "" };
        let (proxy, server) = (&self.proxy.name, &self.server.name);
        let counts = if counts { self.requeue() } else { String::new() };
        format!("{backup}Server {proxy}/{server} {what}{counts}.")
    }

    /// Finds a place for the requests that wait, and says how many those were and who is left.
    fn requeue(&self) -> String {
        let status = &self.server.status;
        let Some(backend) = &self.proxy.backend else { return String::new() };
        let requeued = if status.is_usable() {
            fill(backend, self.server)
        } else {
            self.redistribute(backend)
        };
        let (active, backups) = backend.usable_counts();
        let on_backup = if active == 0 && backups > 0 { " Running on backup." } else { "" };
        let queued = status.counters.queued.get();
        if status.is_up() {
            return format!(
                ". {active} active and {backups} backup servers online.{on_backup} {requeued} sessions requeued, {queued} total in queue"
            );
        }
        self.server.pool.clear();
        let sessions = status.counters.sessions.get();
        format!(
            ". {active} active and {backups} backup servers left.{on_backup} {sessions} sessions active, {requeued} requeued, {queued} remaining in queue"
        )
    }

    /// With `option redispatch`, those who wait for this server may go to any other.
    fn redistribute(&self, backend: &Backend) -> u32 {
        if backend.redispatch == 0 || self.proxy.options.persist {
            return 0;
        }
        let moved = self.server.queue.move_to(&backend.queue);
        for server in backend.servers.iter().filter(|s| s.status.is_usable()) {
            fill(backend, server);
        }
        moved
    }

    /// The state of a server that comes up: ramping up first, with `slowstart`.
    fn coming_up(&self) -> Operational {
        match self.server.spec.check.slowstart {
            Some(_) => Operational::Starting,
            None => Operational::Running,
        }
    }

    fn up_word(&self) -> &'static str {
        if self.server.status.is_up() { "UP" } else { "DOWN" }
    }

    fn usable_total(&self) -> u32 {
        let (active, backups) = self.proxy.backend.as_ref().map_or((0, 0), Backend::usable_counts);
        active + backups
    }

    /// Losing a server that took no new sessions any more is not alarming.
    fn urgency_of_loss(&self) -> Urgency {
        let status = &self.server.status;
        let stopping = status.operational() == Operational::Stopping || status.is_drained();
        if stopping { Urgency::Notice } else { Urgency::Alert }
    }

    /// Tells the operator and the log.
    fn say(&self, urgency: Urgency, line: &str) {
        console::warning(line);
        self.proxy.log.event(urgency as u8, line);
    }
}

/// What is said when one reason for maintenance is gone and another one stays.
fn remaining(bit: u8) -> &'static str {
    match bit {
        admin::FORCED_MAINT => "is leaving forced maintenance but remains in maintenance",
        admin::INHERITED_MAINT => "remains in forced maintenance",
        _ => "resolves again but remains in maintenance",
    }
}

/// Reads `<weight>` or `<weight>%`, relative to the configured one; HAProxy's message otherwise.
fn parse_weight(word: &str, change: ServerChange<'_>) -> Result<u32, &'static str> {
    if word.is_empty() {
        return Err("Require <weight> or <weight%>.\n");
    }
    let initial = change.server.status.initial_weight.load(Relaxed);
    let (number, relative) = match word.strip_suffix('%') {
        Some(number) => (number, true),
        None => (word, false),
    };
    let digits = number.strip_prefix(['-', '+']).unwrap_or(number);
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return Err("Empty weight string empty or preceded by garbage");
    }
    if count < digits.len() {
        return Err("Trailing garbage in weight string");
    }
    let value: i64 = number.parse().unwrap_or(i64::MAX);
    if relative && value < 0 {
        return Err("Relative weight must be positive.\n");
    }
    if !relative && !(0..=256).contains(&value) {
        return Err("Absolute weight can only be between 0 and 256 inclusive.\n");
    }
    let weight = if relative {
        u32::try_from(i64::from(initial).saturating_mul(value) / 100).unwrap_or(u32::MAX).min(256)
    } else {
        u32::try_from(value).unwrap_or(0)
    };
    if is_static(change.proxy) && weight != 0 && weight != initial {
        return Err(
            "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n",
        );
    }
    Ok(weight)
}

/// Whether the backend's algorithm cannot change weights while it runs.
fn is_static(proxy: &Proxy) -> bool {
    proxy.backend.as_ref().is_some_and(|backend| backend.algorithm == "static-rr")
}
