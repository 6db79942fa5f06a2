//! What a check does, step by step, as it was written (manual 4.2, "http-check", "tcp-check"). Both
//! families of rules end in these steps; `Ruleset` says in which section they were written.

use regex::bytes::{Regex, RegexBuilder};

use crate::check::CheckStatus;
use crate::check::answers::Protocol;
use crate::check::scene::{Scene, Text};
use crate::config::diagnostic::Place;
use crate::sample::expr::Expr;

/// The steps of a check.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ruleset {
    /// The section they were written in: another section's first rule starts a new set.
    pub owner: Option<Place>,
    /// The steps, in their order.
    pub steps: Vec<Step>,
}

impl Ruleset {
    /// The set of this section: an inherited one is left behind.
    pub fn of(&mut self, owner: &Place) -> &mut Ruleset {
        // Places compare equal, wherever they are.
        let same = |place: &Place| place.file == owner.file && place.line == owner.line;
        if !self.owner.as_ref().is_some_and(same) {
            *self = Ruleset { owner: Some(owner.clone()), steps: Vec::new() };
        }
        self
    }

    /// Appends a step that counts one more than the last one.
    pub fn push(&mut self, action: Action, comment: Option<String>) {
        let number = self.steps.last().map_or(0, |s| s.number) + 1;
        self.steps.push(Step { number, comment, action });
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// As messages count it, from 1; 0 for the connection that nobody wrote.
    pub number: usize,
    /// `comment`, shown when the step fails.
    pub comment: Option<String>,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A new connection.
    Connect(Connect),
    /// Bytes are sent.
    Send(Vec<u8>),
    /// What a format says is sent.
    SendFormat {
        /// The format.
        text: Text,
        /// Whether it says bytes in hexadecimal.
        binary: bool,
    },
    /// A variable is set.
    Set {
        /// Its name, with its scope.
        name: Box<[u8]>,
        /// Its value.
        expr: Box<Expr>,
    },
    /// A variable is forgotten.
    Unset(Box<[u8]>),
    /// An SSLv3 hello with the time of day is sent.
    SendHello,
    /// A hello of SPOP is sent.
    SendSpopHello,
    /// An HTTP request is sent.
    SendHttp(HttpRequest),
    /// The answer must be like this.
    Expect(Expect),
    /// A comment for the steps that follow.
    Comment,
}

impl Action {
    /// Whether it does something with the server: comments and variables do not.
    pub fn is_real(&self) -> bool {
        !matches!(self, Action::Comment | Action::Set { .. } | Action::Unset(_))
    }

    /// The connection it makes, if it makes one.
    pub fn connect(&self) -> Option<&Connect> {
        if let Action::Connect(connect) = self { Some(connect) } else { None }
    }

    /// Whether it evaluates formats or expressions.
    pub fn varies(&self) -> bool {
        let varies = |text: &Option<Text>| text.as_ref().is_some_and(Text::varies);
        match self {
            Action::SendFormat { .. } | Action::Set { .. } | Action::Unset(_) => true,
            Action::Connect(connect) => connect.port_expr.is_some(),
            Action::SendHttp(request) => {
                varies(&request.uri)
                    || varies(&request.body)
                    || request.headers.iter().any(|(_, value)| value.varies())
            }
            Action::Expect(expect) => {
                varies(&expect.on_success)
                    || varies(&expect.on_error)
                    || expect.status_code.is_some()
                    || expect.pattern.varies()
            }
            Action::Send(_) | Action::SendHello | Action::SendSpopHello | Action::Comment => false,
        }
    }
}

/// `connect`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Connect {
    /// `addr`, with its port if it has one.
    pub address: Option<std::net::SocketAddr>,
    /// `port`
    pub port: Option<u16>,
    /// `port` with an expression.
    pub port_expr: Option<Box<Expr>>,
    /// `default`: as the server's line says.
    pub as_server: bool,
    /// `send-proxy`
    pub send_proxy: bool,
    /// `linger`: close properly instead of by a reset.
    pub linger: bool,
}

/// `http-check send`, or the request of `option httpchk`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HttpRequest {
    /// OPTIONS when not given.
    pub method: Option<String>,
    /// `/` when not given.
    pub uri: Option<Text>,
    /// HTTP/1.0 when not given.
    pub version: Option<String>,
    /// Names in lower case, and values.
    pub headers: Vec<(String, Text)>,
    /// The body.
    pub body: Option<Text>,
    /// Whether it comes from `option httpchk`: a rule of the same section replaces its parts.
    pub from_option: bool,
}

impl HttpRequest {
    /// Takes over what `other` says.
    pub fn overwrite(&mut self, other: HttpRequest) {
        let HttpRequest { method, uri, version, headers, body, .. } = other;
        self.method = method.or(self.method.take());
        self.uri = uri.or(self.uri.take());
        self.version = version.or(self.version.take());
        self.headers = headers;
        self.body = body.or(self.body.take());
    }
}

/// `expect`
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// What is looked for.
    pub pattern: Pattern,
    /// `!`
    pub inverse: bool,
    /// `min-recv`: bytes to wait for; `None` waits until it matches.
    pub min_recv: Option<usize>,
    /// `ok-status`
    pub ok_status: Option<CheckStatus>,
    /// `error-status`
    pub error_status: Option<CheckStatus>,
    /// `tout-status`
    pub timeout_status: Option<CheckStatus>,
    /// `on-success`
    pub on_success: Option<Text>,
    /// `on-error`
    pub on_error: Option<Text>,
    /// `status-code`
    pub status_code: Option<Box<Expr>>,
    /// A failure is described by the first line of the answer.
    pub quotes_answer: bool,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// `string`: in the bytes received, or in the body.
    Text(Vec<u8>),
    /// `binary`
    Binary(Vec<u8>),
    /// `string-lf`
    TextFormat(Text),
    /// `binary-lf`: in hexadecimal.
    BinaryFormat(Text),
    /// `rstring`
    TextRegex(RegexWord),
    /// `rbinary`: on the bytes in hexadecimal.
    BinaryRegex(RegexWord),
    /// `status`: ranges, both ends included.
    Status(Vec<(u16, u16)>),
    /// `rstatus`
    StatusRegex(RegexWord),
    /// `hdr`, `fhdr`
    Header(HeaderPattern),
    /// What a well-known server answers.
    Protocol(Protocol),
    /// What an agent answers: a line.
    Agent,
}

impl Pattern {
    fn varies(&self) -> bool {
        match self {
            Pattern::TextFormat(text) | Pattern::BinaryFormat(text) => text.varies(),
            Pattern::Header(header) => {
                header.name.varies() || header.value.as_ref().is_some_and(Match::varies)
            }
            _ => false,
        }
    }
}

/// `hdr name … value …`
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderPattern {
    /// What the name must be like, letters' case aside.
    pub name: Match,
    /// What the value must be like, if anything.
    pub value: Option<Match>,
    /// `fhdr`: the whole value instead of its parts between commas.
    pub full: bool,
}

/// `-m`
#[derive(Debug, Clone, PartialEq)]
pub enum Match {
    /// `str`
    Exactly(Text),
    /// `beg`
    Beginning(Text),
    /// `end`
    End(Text),
    /// `sub`
    Contained(Text),
    /// `reg`
    Regex(RegexWord),
}

impl Match {
    /// Whether these bytes are so; `fold` compares without regard to case.
    pub fn holds(&self, text: &[u8], fold: bool, scene: Option<&Scene<'_>>) -> bool {
        let same = |a: &[u8], b: &[u8]| if fold { a.eq_ignore_ascii_case(b) } else { a == b };
        match self {
            Match::Exactly(word) => same(text, &word.say(scene)),
            Match::Beginning(word) => {
                let word = word.say(scene);
                text.get(..word.len()).is_some_and(|start| same(start, &word))
            }
            Match::End(word) => {
                let word = word.say(scene);
                let end = text.len().checked_sub(word.len()).and_then(|at| text.get(at..));
                end.is_some_and(|end| same(end, &word))
            }
            Match::Contained(word) => {
                let word = word.say(scene);
                word.is_empty() || text.windows(word.len()).any(|part| same(part, &word))
            }
            Match::Regex(regex) => regex.is_match(text),
        }
    }

    fn varies(&self) -> bool {
        match self {
            Match::Exactly(text)
            | Match::Beginning(text)
            | Match::End(text)
            | Match::Contained(text) => text.varies(),
            Match::Regex(_) => false,
        }
    }
}

/// A regular expression that knows how it was written.
#[derive(Debug, Clone)]
pub struct RegexWord(Regex);

impl RegexWord {
    /// Compiles it; the error is the engine's.
    pub fn new(text: &str, fold: bool) -> Result<RegexWord, String> {
        let built = RegexBuilder::new(text)
            .unicode(false)
            .dot_matches_new_line(false)
            .case_insensitive(fold)
            .build();
        built.map(RegexWord).map_err(|e| e.to_string())
    }

    /// Whether it matches somewhere.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for RegexWord {
    fn eq(&self, other: &RegexWord) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// The running order of a ruleset: comments moved to the steps they speak of, a connection first.
pub fn in_order(steps: &[Step]) -> Vec<Step> {
    let mut list: Vec<Step> = Vec::new();
    let first = steps.iter().find(|s| s.action.is_real());
    if !first.is_some_and(|s| matches!(s.action, Action::Connect(_))) {
        let connect = Connect { as_server: true, ..Connect::default() };
        list.push(Step { number: 0, comment: None, action: Action::Connect(connect) });
    }
    let mut comment = None;
    let mut before = None;
    for step in steps {
        let kind = std::mem::discriminant(&step.action);
        if before.is_some_and(|b| b != kind) {
            comment = None;
        }
        if step.action == Action::Comment {
            comment.clone_from(&step.comment);
            before = None;
            continue;
        }
        before = Some(kind);
        let mut step = step.clone();
        if step.comment.is_none() {
            step.comment.clone_from(&comment);
        }
        if matches!(step.action, Action::Connect(_)) {
            comment = None;
        }
        list.push(step);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_comes_first_and_comments_move() {
        let mut set = Ruleset::default();
        set.push(Action::Comment, Some("say hello".into()));
        set.push(Action::Send(b"hello".to_vec()), None);
        set.push(Action::Connect(Connect::default()), None);
        let list = in_order(&set.steps);
        let shown: Vec<_> = list.iter().map(|s| (s.number, s.comment.as_deref())).collect();
        assert_eq!(shown, [(0, None), (2, Some("say hello")), (3, None)]);
    }

    #[test]
    fn header_names_fold_and_values_do_not() {
        let word = Match::Beginning("X-a".into());
        assert!(word.holds(b"x-abc", true, None) && !word.holds(b"x-abc", false, None));
        assert!(Match::End("c".into()).holds(b"abc", false, None));
        assert!(Match::Contained("b".into()).holds(b"abc", false, None));
        assert!(!Match::End("abcd".into()).holds(b"abc", false, None));
    }
}
