//! What the formats and expressions of a check look at: in come the server that is checked and what it
//! has answered, out come values and texts (manual 4.2 "http-check set-var", 7.3). A check keeps the
//! variables of the scopes `sess` and `check` until it ends.

use std::borrow::Cow;
use std::cell::RefCell;

use crate::catalog::Fetch;
use crate::check::response::Response;
use crate::config::args::Line;
use crate::config::diagnostic::Diagnostic;
use crate::config::proxy::Mode;
use crate::flow::http::message::Version;
use crate::flow::log::format::{LogContext, LogFormat, Options, Purpose};
use crate::flow::phase::Phase;
use crate::flow::session::{Session, Stream};
use crate::flow::threads::View;
use crate::sample::expr::Expr;
use crate::sample::valid::{self, Place};
use crate::sample::value::{Type, Value};
use crate::sample::vars;

/// The stage on which a check that has formats or expressions plays.
#[derive(Debug)]
pub struct Scene<'s>(RefCell<Stream<'s>>);

impl<'s> Scene<'s> {
    /// For a check of this server of this proxy, both as indices.
    pub fn new(session: &'s Session, world: View, proxy: usize, server: usize) -> Scene<'s> {
        let mut stream = Stream::new(session, world, proxy, session.accepted);
        stream.backend = Some(proxy);
        stream.server = Some(server);
        Scene(RefCell::new(stream))
    }

    /// The expression's value.
    pub fn value(&self, expr: &Expr) -> Option<Value<'static>> {
        let stream = self.0.borrow();
        expr.eval(&stream.sample_context(Phase::Check)).map(Value::into_owned)
    }

    /// The expression's value as a number.
    pub fn number(&self, expr: &Expr) -> Option<i64> {
        match self.value(expr)?.cast(Type::Int)? {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }

    /// `set-var`: without a value the variable stays what it was.
    pub fn set(&self, name: &[u8], expr: &Expr) {
        if let Some(value) = self.value(expr) {
            vars::set(&self.0.borrow().sample_context(Phase::Check), name, value);
        }
    }

    /// `unset-var`
    pub fn unset(&self, name: &[u8]) {
        vars::unset(&self.0.borrow().sample_context(Phase::Check), name);
    }

    /// A response, as far as it has arrived.
    pub fn has_answered(&self, response: &Response) {
        let stream = &mut *self.0.borrow_mut();
        let minor = response.minor_version;
        stream.status = response.status;
        stream.response.clear();
        let version = Version { major: 1, minor };
        stream.response.set_status_line(version, response.status, response.reason.as_bytes());
        for (name, value) in &response.headers {
            stream.response.add(&name.to_ascii_lowercase(), value);
        }
        stream.body = response.body.as_slice().into();
    }

    fn write(&self, format: &LogFormat) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(context) = LogContext::of_stream(&self.0.borrow(), Phase::Check) {
            format.write(&context, &mut out);
        }
        out
    }
}

/// Text of a rule: as it stands, or a format that is evaluated when the check comes to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    /// As it stands.
    Plain(Vec<u8>),
    /// With variables.
    Format(LogFormat),
}

impl Text {
    /// Reads a log-format string. What is not built yet in it is noted.
    ///
    /// # Errors
    /// HAProxy's message about the format, without what stands around it.
    pub fn read(line: &mut Line<'_>, text: &[u8]) -> Result<Text, String> {
        let purpose = Purpose {
            directive: line.keyword.name,
            http: line.proxy().basics.mode == Mode::Http,
            places: vec![Place::Check],
            options: Options::HTTP,
        };
        let (format, warnings) = LogFormat::parse(text, &purpose)?;
        for warning in warnings {
            line.warn(warning);
        }
        for name in format.planned() {
            let place = line.words.place.clone();
            line.spec.note_planned(&name, &place);
        }
        Ok(match format.constant() {
            Some(text) => Text::Plain(text.to_vec()),
            None => Text::Format(format),
        })
    }

    /// As `read`, with the words that HAProxy puts around most mistakes; they show `shown`.
    ///
    /// # Errors
    /// The whole message.
    pub fn format(line: &mut Line<'_>, text: &[u8], shown: &[u8]) -> Result<Text, Diagnostic> {
        Text::read(line, text).map_err(|e| {
            let (name, shown) = (line.keyword.name, String::from_utf8_lossy(shown));
            line.alert(format!("'{name}' : '{shown}' invalid log-format string ({e}).\n."))
        })
    }

    /// What it says now.
    pub fn say(&self, scene: Option<&Scene<'_>>) -> Cow<'_, [u8]> {
        match (self, scene) {
            (Text::Plain(text), _) => Cow::Borrowed(text),
            (Text::Format(format), Some(scene)) => Cow::Owned(scene.write(format)),
            (Text::Format(_), None) => Cow::Borrowed(b""),
        }
    }

    /// As `say`, what is not UTF-8 replaced.
    pub fn words(&self, scene: Option<&Scene<'_>>) -> String {
        String::from_utf8_lossy(&self.say(scene)).into_owned()
    }

    /// Whether it has to be evaluated.
    pub fn varies(&self) -> bool {
        matches!(self, Text::Format(_))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::Plain(text.as_bytes().to_vec())
    }
}

/// Reads an expression that has a value in checks.
///
/// # Errors
/// HAProxy's message, without what stands around it.
pub fn expression(line: &mut Line<'_>, text: &str) -> Result<Expr, Unfit> {
    let expr = Expr::parse(text).map_err(Unfit::Unreadable)?;
    if !valid::at(expr.fetch, Place::Check) {
        return Err(Unfit::NoValue(expr.fetch));
    }
    for name in expr.planned() {
        let place = line.words.place.clone();
        line.spec.note_planned(name, &place);
    }
    Ok(expr)
}

/// Why an expression cannot be used.
#[derive(Debug)]
pub enum Unfit {
    /// It cannot be read; HAProxy's message.
    Unreadable(String),
    /// It never has a value in checks.
    NoValue(&'static Fetch),
}

impl Unfit {
    /// HAProxy's message; it shows the fetch by this name.
    pub fn named(&self, name: &str) -> String {
        match self {
            Unfit::Unreadable(message) => message.clone(),
            Unfit::NoValue(fetch) => {
                let needs = valid::needs(fetch);
                format!(
                    "fetch method '{name}' extracts information from '{needs}', none of which is available here"
                )
            }
        }
    }

    /// As an argument of `connect` or `expect` has it.
    pub fn of_argument(&self) -> String {
        match self {
            Unfit::Unreadable(message) => message.clone(),
            Unfit::NoValue(fetch) => format!(" {}.\n", self.named(fetch.name)),
        }
    }
}
