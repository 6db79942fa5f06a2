//! What checks have found: in comes the result of one check, out comes what changes (manual 5.2,
//! "rise", "fall"; management.txt 9.1, `check_status`). No sockets, no clock.

use std::time::Duration;

use crate::check::agent;
use crate::check::observe::OnError;

/// Result of a check, numbered as in a server-state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum CheckStatus {
    /// No check is configured.
    #[default]
    Unknown = 0,
    /// The first check has not ended yet.
    Initializing = 1,
    /// No change.
    Checked = 3,
    /// Traffic showed enough errors (`observe`).
    HealthAnalyze = 4,
    /// No socket could be made.
    SocketError = 5,
    /// Connected.
    L4Ok = 6,
    /// Not connected in time.
    L4Timeout = 7,
    /// Connection refused, no route …
    L4Con = 8,
    /// TLS handshake done.
    L6Ok = 9,
    /// TLS handshake not done in time.
    L6Timeout = 10,
    /// TLS handshake failed.
    L6Response = 11,
    /// No answer in time.
    L7Timeout = 12,
    /// An answer that breaks the protocol.
    L7Response = 13,
    /// The answer that was expected.
    L7Ok = 15,
    /// An answer that only lets known clients in (`disable-on-404`).
    L7OkConditional = 16,
    /// An answer that was not expected.
    L7Status = 17,
    /// The external program could not be run or was killed.
    ProcessError = 18,
    /// The external program ran too long.
    ProcessTimeout = 19,
    /// The external program says that all is well.
    ProcessOk = 20,
}

impl CheckStatus {
    /// The state of this number, as server-state files have it.
    pub fn of_number(number: u8) -> Option<CheckStatus> {
        use CheckStatus::*;
        let all = [
            Unknown,
            Initializing,
            Checked,
            HealthAnalyze,
            SocketError,
            L4Ok,
            L4Timeout,
            L4Con,
            L6Ok,
            L6Timeout,
            L6Response,
            L7Timeout,
            L7Response,
            L7Ok,
            L7OkConditional,
            L7Status,
            ProcessError,
            ProcessTimeout,
            ProcessOk,
        ];
        all.into_iter().find(|status| *status as u8 == number)
    }

    /// As in the CSV: `L4OK`.
    pub fn word(self) -> &'static str {
        self.words().0
    }

    /// As in log lines: `Layer4 check passed`.
    pub fn description(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            CheckStatus::Unknown => ("UNK", "Unknown"),
            CheckStatus::Initializing => ("INI", "Initializing"),
            CheckStatus::Checked => ("CHECKED", "No status change"),
            CheckStatus::HealthAnalyze => ("HANA", "Health analyze"),
            CheckStatus::SocketError => ("SOCKERR", "Socket error"),
            CheckStatus::L4Ok => ("L4OK", "Layer4 check passed"),
            CheckStatus::L4Timeout => ("L4TOUT", "Layer4 timeout"),
            CheckStatus::L4Con => ("L4CON", "Layer4 connection problem"),
            CheckStatus::L6Ok => ("L6OK", "Layer6 check passed"),
            CheckStatus::L6Timeout => ("L6TOUT", "Layer6 timeout"),
            CheckStatus::L6Response => ("L6RSP", "Layer6 invalid response"),
            CheckStatus::L7Timeout => ("L7TOUT", "Layer7 timeout"),
            CheckStatus::L7Response => ("L7RSP", "Layer7 invalid response"),
            CheckStatus::L7Ok => ("L7OK", "Layer7 check passed"),
            CheckStatus::L7OkConditional => ("L7OKC", "Layer7 check conditionally passed"),
            CheckStatus::L7Status => ("L7STS", "Layer7 wrong status"),
            CheckStatus::ProcessError => ("PROCERR", "External check error"),
            CheckStatus::ProcessTimeout => ("PROCTOUT", "External check timeout"),
            CheckStatus::ProcessOk => ("PROCOK", "External check passed"),
        }
    }

    /// What it says of the server.
    pub fn result(self) -> CheckResult {
        match self {
            CheckStatus::Unknown | CheckStatus::Initializing => CheckResult::Unknown,
            CheckStatus::Checked => CheckResult::Neutral,
            CheckStatus::L4Ok | CheckStatus::L6Ok | CheckStatus::L7Ok | CheckStatus::ProcessOk => {
                CheckResult::Passed
            }
            CheckStatus::L7OkConditional => CheckResult::Conditional,
            _ => CheckResult::Failed,
        }
    }

    /// Whether a code belongs to it (an HTTP status, an exit status).
    pub fn has_code(self) -> bool {
        self >= CheckStatus::L7Ok
    }
}

/// What a check's status says of the server, numbered as in a server-state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum CheckResult {
    /// Nothing yet.
    #[default]
    Unknown = 0,
    /// Nothing new.
    Neutral = 1,
    /// It is ill.
    Failed = 2,
    /// It is well.
    Passed = 3,
    /// It is well, but wants no new sessions.
    Conditional = 4,
}

impl CheckResult {
    /// The result of this number, as server-state files have it.
    pub fn of_number(number: u8) -> Option<CheckResult> {
        use CheckResult::*;
        [Unknown, Neutral, Failed, Passed, Conditional].get(usize::from(number)).copied()
    }
}

/// How one check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The result.
    pub status: CheckStatus,
    /// The HTTP status, when there is one.
    pub code: u16,
    /// What more there is to say; empty for nothing.
    pub info: String,
}

impl Verdict {
    /// A result without code.
    pub fn new(status: CheckStatus, info: impl Into<String>) -> Verdict {
        Verdict { status, code: 0, info: info.into() }
    }
}

/// What checks of one server have found; the statistics show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The server has `check`.
    pub configured: bool,
    /// Checks are enabled (`disable health` on the runtime socket disables them).
    pub enabled: bool,
    /// It is what an agent says, which a missing agent does not change.
    pub is_agent: bool,
    /// Checks rest because of maintenance.
    pub paused: bool,
    /// A check is running; the statistics put `* ` before the last result.
    pub in_progress: bool,
    /// Result of the last check.
    pub status: CheckStatus,
    /// What that says.
    pub result: CheckResult,
    /// HTTP status of the last check, 0 when it had none.
    pub code: u16,
    /// How long the last check took; `None` when it did not measure.
    pub duration: Option<Duration>,
    /// Text of the last check (`last_chk`), empty for none.
    pub description: String,
    /// Good checks until up.
    pub rise: u32,
    /// Bad checks until down.
    pub fall: u32,
    /// 0 to `rise + fall - 1`; up from `rise` on.
    pub health: u32,
    /// Checks that failed while the server was not wholly down (`chkfail`).
    pub failed_checks: u64,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            configured: false,
            enabled: false,
            is_agent: false,
            paused: false,
            in_progress: false,
            status: CheckStatus::Unknown,
            result: CheckResult::Unknown,
            code: 0,
            duration: None,
            description: String::new(),
            rise: DEFAULT_RISE,
            fall: DEFAULT_FALL,
            health: DEFAULT_RISE,
            failed_checks: 0,
        }
    }
}

/// `rise` when none is given.
pub const DEFAULT_RISE: u32 = 2;
/// `fall` when none is given.
pub const DEFAULT_FALL: u32 = 3;

/// What a check's end means for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It must be down now.
    Down,
    /// It must be up now.
    Up,
    /// It must take no new sessions now.
    Stopping,
    /// Nothing yet.
    None,
}

impl Health {
    /// A server that is watched: up, but down after one failure, until the first success.
    pub fn watched(rise: u32, fall: u32) -> Health {
        Health {
            configured: true,
            enabled: true,
            status: CheckStatus::Initializing,
            rise,
            fall,
            health: rise,
            ..Health::default()
        }
    }

    /// Whether checks say that the server is up; so they do when there are none.
    pub fn says_up(&self) -> bool {
        !self.enabled || self.health >= self.rise
    }

    /// The highest value of `health`.
    pub fn full(&self) -> u32 {
        self.rise + self.fall - 1
    }

    /// Whether the server may be checked now.
    pub fn may_run(&self) -> bool {
        self.enabled && !self.paused
    }

    /// A check begins.
    pub fn begin(&mut self) {
        self.in_progress = true;
        self.result = CheckResult::Unknown;
        self.code = 0;
        self.description.clear();
    }

    /// Takes the end of a check into account. The second value says whether
    /// `option log-health-checks` logs it: the result is another one, or `health` has moved.
    pub fn end(&mut self, verdict: Verdict, duration: Option<Duration>) -> (Effect, bool) {
        let before = self.status;
        self.in_progress = false;
        let counts = !self.is_agent || agent::counts(&verdict);
        self.status = verdict.status;
        self.result = verdict.status.result();
        self.code = verdict.code;
        self.description = verdict.info;
        self.duration = duration;
        let moved = match self.result {
            CheckResult::Unknown | CheckResult::Neutral => return (Effect::None, false),
            CheckResult::Failed if !counts => return (Effect::None, before != self.status),
            CheckResult::Failed => self.worsen(),
            CheckResult::Passed => self.improve(),
            CheckResult::Conditional => self.health > 0 && self.improve(),
        };
        (self.effect(), moved || before != self.status)
    }

    /// Traffic showed enough errors: how near the failure that follows is to the end.
    pub fn foresee(&mut self, how: OnError) {
        match how {
            OnError::SuddenDeath if self.health > self.rise => self.health = self.rise + 1,
            OnError::MarkDown => self.health = self.rise,
            _ => {}
        }
    }

    fn worsen(&mut self) -> bool {
        if self.health == 0 {
            return false;
        }
        self.failed_checks += 1;
        self.health -= 1;
        if self.health < self.rise {
            self.health = 0;
        }
        true
    }

    fn improve(&mut self) -> bool {
        if self.health >= self.full() {
            return false;
        }
        self.health += 1;
        if self.health >= self.rise {
            self.health = self.full();
        }
        true
    }

    fn effect(&self) -> Effect {
        match self.result {
            CheckResult::Failed if self.health == 0 => Effect::Down,
            CheckResult::Passed if self.health >= self.rise => Effect::Up,
            CheckResult::Conditional if self.health >= self.rise => Effect::Stopping,
            _ => Effect::None,
        }
    }

    /// `UP 2/3`, as log lines and the page count: checks until the state changes, of how many.
    pub fn progress(&self) -> (u32, u32) {
        if self.health >= self.rise {
            (self.health - self.rise + 1, self.fall)
        } else {
            (self.health, self.rise)
        }
    }

    /// `, reason: Layer7 wrong status, code: 404, info: "…", check duration: 1ms`
    pub fn reason(&self) -> String {
        let mut text = format!(", reason: {}", self.status.description());
        if self.status.has_code() {
            text.push_str(&format!(", code: {}", self.code));
        }
        if !self.description.is_empty() {
            text.push_str(&format!(", info: \"{}\"", escaped(&self.description)));
        }
        if let Some(duration) = self.duration {
            text.push_str(&format!(", check duration: {}ms", duration.as_millis()));
        }
        text
    }

    /// The line of `option log-health-checks`: `succeeded, reason: …, status: 3/3 UP`.
    pub fn report(&self, drained: bool) -> String {
        let condition = if self.result == CheckResult::Conditional { "conditionally " } else { "" };
        let word = if self.result >= CheckResult::Passed { "succeeded" } else { "failed" };
        let (done, of) = self.progress();
        let state = match self.health >= self.rise {
            true if drained => "DRAIN",
            true => "UP",
            false => "DOWN",
        };
        format!("{condition}{word}{}, status: {done}/{of} {state}", self.reason())
    }

    /// Maintenance begins: no checks.
    pub fn pause(&mut self) {
        if self.enabled {
            self.paused = true;
        }
        self.health = 0;
    }

    /// Maintenance ends: up, checked at once.
    pub fn resume(&mut self) {
        if self.enabled {
            self.paused = false;
            self.health = self.rise;
        }
    }
}

/// Quotes, angle brackets and what is not printable as `<22>`, as HAProxy writes texts in logs.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if !b"\"<>".contains(&byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("<{byte:02X}>")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(health: &mut Health, status: CheckStatus) -> (Effect, bool) {
        health.begin();
        health.end(Verdict::new(status, ""), Some(Duration::ZERO))
    }

    #[test]
    fn the_first_failure_after_start_is_enough() {
        let mut health = Health::watched(2, 3);
        assert!(health.says_up());
        assert_eq!(end(&mut health, CheckStatus::L4Con), (Effect::Down, true));
        assert_eq!((health.health, health.failed_checks), (0, 1));
        assert_eq!(end(&mut health, CheckStatus::L4Con), (Effect::Down, false));
        assert_eq!(health.failed_checks, 1);
    }

    #[test]
    fn after_a_success_it_takes_fall_failures() {
        let mut health = Health::watched(2, 3);
        assert_eq!(end(&mut health, CheckStatus::L4Ok), (Effect::Up, true));
        assert_eq!(health.health, 4);
        assert_eq!(end(&mut health, CheckStatus::L4Con), (Effect::None, true));
        assert_eq!(health.progress(), (2, 3));
        assert_eq!(end(&mut health, CheckStatus::L4Con), (Effect::None, true));
        assert_eq!(health.progress(), (1, 3));
        assert_eq!(end(&mut health, CheckStatus::L4Con), (Effect::Down, true));
        assert_eq!((health.health, health.progress()), (0, (0, 2)));
    }

    #[test]
    fn it_takes_rise_successes_to_come_back() {
        let mut health = Health::watched(2, 3);
        end(&mut health, CheckStatus::L4Con);
        assert_eq!(end(&mut health, CheckStatus::L4Ok), (Effect::None, true));
        assert_eq!(health.progress(), (1, 2));
        assert_eq!(end(&mut health, CheckStatus::L4Ok), (Effect::Up, true));
        assert_eq!(health.progress(), (3, 3));
        assert_eq!(end(&mut health, CheckStatus::L4Ok), (Effect::Up, false));
    }

    #[test]
    fn a_conditional_success_cannot_be_the_first_step_up() {
        let mut health = Health::watched(2, 3);
        end(&mut health, CheckStatus::L4Con);
        assert_eq!(end(&mut health, CheckStatus::L7OkConditional), (Effect::None, true));
        assert_eq!(health.health, 0);
        end(&mut health, CheckStatus::L7Ok);
        assert_eq!(end(&mut health, CheckStatus::L7OkConditional), (Effect::Stopping, true));
    }

    #[test]
    fn a_reason_tells_code_text_and_time() {
        let mut health = Health::watched(1, 1);
        health.begin();
        let verdict = Verdict { status: CheckStatus::L7Status, code: 404, info: "a \"b\"".into() };
        health.end(verdict, Some(Duration::from_millis(3)));
        assert_eq!(
            health.reason(),
            ", reason: Layer7 wrong status, code: 404, info: \"a <22>b<22>\", check duration: 3ms"
        );
        assert_eq!(health.report(false), format!("failed{}, status: 0/1 DOWN", health.reason()));
    }
}
