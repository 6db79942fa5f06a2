//! Sample expressions: `fetch(args),converter(args),…` (manual 7.3). In comes the text, out comes
//! something that takes a value from the traffic. Errors are worded as HAProxy 2.3 words them.

use crate::catalog::{self, Converter, Fetch, Status};
use crate::config::args::Words;
use crate::config::references::Reference;
use crate::sample::args::{self, ArgType};
use crate::sample::fetch::body;
use crate::sample::value::{Type, Value};
use crate::sample::{Arguments, SampleContext};

/// An expression as parsed; names in its arguments are not resolved yet.
#[derive(Debug, Clone)]
pub struct Expr {
    /// Where the value comes from.
    pub fetch: &'static Fetch,
    /// The fetch's arguments.
    pub args: Arguments,
    /// What is done to it, in order.
    pub converters: Vec<(&'static Converter, Arguments)>,
    /// The text it was read from.
    pub text: String,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        self.text == other.text
    }
}

impl Expr {
    /// Reads an expression that fills the whole text.
    pub fn parse(text: &str) -> Result<Expr, String> {
        let (expr, rest) = Expr::parse_prefix(text)?;
        if rest.is_empty() {
            return Ok(expr);
        }
        Err(match expr.converters.last() {
            Some((converter, _)) => format!("missing comma after converter '{}'", converter.name),
            None => format!("missing comma after fetch keyword '{}'", expr.fetch.name),
        })
    }

    /// Reads an expression from the next word of a line; words behind it that name converters belong to
    /// it too. `None` at the end of the line.
    pub fn read(words: &mut Words<'_>) -> Option<Result<Expr, String>> {
        let first = words.word()?;
        Some(Expr::parse(&first.str()).and_then(|expr| expr.followed(words)))
    }

    /// The expression with the converters that the next words name.
    pub fn followed(mut self, words: &mut Words<'_>) -> Result<Expr, String> {
        while let Some(word) = words.peek() {
            let text = word.str();
            if catalog::converter(split_name(&text).0).is_none() {
                break;
            }
            words.word();
            let text = format!(",{text}");
            let rest = self.read_converters(&text).map_err(|e| e.message)?;
            if !rest.is_empty() {
                let name = self.converters.last().map_or("", |(converter, _)| converter.name);
                return Err(format!("missing comma after converter '{name}'"));
            }
            self.text.push_str(&text);
        }
        Ok(self)
    }

    /// Reads an expression at the beginning of the text; gives what follows it too.
    pub fn parse_prefix(text: &str) -> Result<(Expr, &str), String> {
        let (name, rest) = split_name(text);
        if name.is_empty() {
            return Err("missing fetch method".to_owned());
        }
        let fetch = catalog::fetch(name).ok_or_else(|| format!("unknown fetch method '{name}'"))?;
        body::note(fetch);
        let (mut expr, rest) = Expr::of_fetch(fetch, rest)
            .map_err(|e| e.worded(&format!("fetch method '{name}' : "), name))?;
        let rest = expr.read_converters(rest).map_err(|e| e.message)?;
        expr.text = text[..text.len() - rest.len()].to_owned();
        Ok((expr, rest))
    }

    /// A fetch with the arguments at the beginning of the text, no converters yet.
    pub fn of_fetch<'a>(
        fetch: &'static Fetch,
        text: &'a str,
    ) -> Result<(Expr, &'a str), FetchError> {
        let (args, rest) = args::parse(text, fetch.args, fetch.required)
            .map_err(|e| FetchError::List(e.message))?;
        let mut args = Arguments(args);
        if !args.0.is_empty() {
            (fetch.check)(&mut args).map_err(FetchError::Check)?;
        }
        Ok((Expr { fetch, args, converters: Vec::new(), text: String::new() }, rest))
    }

    /// Reads converters up to what cannot be one; gives what is left.
    pub fn read_converters<'a>(&mut self, mut rest: &'a str) -> Result<&'a str, ConverterError> {
        while rest.starts_with(',') {
            rest = rest.trim_start_matches(',');
            if rest.is_empty() {
                break;
            }
            let (name, after) = split_name(rest);
            let error = |message| ConverterError { message };
            let converter = catalog::converter(name)
                .ok_or_else(|| error(format!("unknown converter '{name}'")))?;
            if !self.gives().casts_to(converter.takes) {
                return Err(error(format!("converter '{name}' cannot be applied")));
            }
            let (args, after) =
                args::parse(after, converter.args, converter.required).map_err(|e| {
                    let place = e.position + 1;
                    error(format!("invalid arg {place} in converter '{name}' : {}", e.message))
                })?;
            let mut args = Arguments(args);
            (converter.check)(&mut args)
                .map_err(|e| error(format!("invalid args in converter '{name}' : {e}")))?;
            self.converters.push((converter, args));
            rest = after;
        }
        Ok(rest)
    }

    /// The type of the expression's values.
    pub fn gives(&self) -> Type {
        self.converters.last().map_or(self.fetch.gives, |(converter, _)| converter.gives)
    }

    /// The names in its arguments that must exist elsewhere in the configuration.
    pub fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        let mut look = |types: &[ArgType], args: &Arguments, converter| {
            for (index, kind) in types.iter().enumerate() {
                let named = matches!(
                    kind,
                    ArgType::Frontend
                        | ArgType::Backend
                        | ArgType::Table
                        | ArgType::Server
                        | ArgType::Userlist
                );
                if let Some(name) = args.str(index).filter(|_| named) {
                    found.push(Reference {
                        kind: *kind,
                        name: String::from_utf8_lossy(name).into_owned(),
                        position: index + 1,
                        converter,
                        fetch: self.fetch.name,
                    });
                }
            }
        };
        look(self.fetch.args, &self.args, None);
        for (converter, args) in &self.converters {
            look(converter.args, args, Some(converter.name));
        }
        found
    }

    /// Names of the parts whose effect is not built yet.
    pub fn planned(&self) -> impl Iterator<Item = &'static str> {
        let fetch = Some(self.fetch).filter(|f| f.status == Status::Planned).map(|f| f.name);
        let converters = self.converters.iter().map(|(c, _)| *c);
        fetch.into_iter().chain(converters.filter(|c| c.status == Status::Planned).map(|c| c.name))
    }

    /// Takes the value; `None` when there is none or a conversion is not possible.
    pub fn eval<'a>(&'a self, context: &SampleContext<'a>) -> Option<Value<'a>> {
        let mut value = (self.fetch.run)(context, &self.args)?;
        for (converter, args) in &self.converters {
            // Text is bytes as it is, and stays text where a converter leaves its type alone: a NUL in it
            // ends it only when bytes become text.
            let as_it_is = converter.takes == Type::Bin && value.kind() == Type::Str;
            let taken = if as_it_is { value } else { value.cast(converter.takes)? };
            value = (converter.run)(taken, context, args)?;
        }
        Some(value)
    }
}

/// Why a fetch's arguments are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// The list cannot be read.
    List(String),
    /// The fetch does not take these arguments.
    Check(String),
}

impl FetchError {
    fn worded(self, list: &str, name: &str) -> String {
        match self {
            FetchError::List(message) => format!("{list}{message}"),
            FetchError::Check(message) => {
                format!("invalid args in fetch method '{name}' : {message}")
            }
        }
    }
}

/// Why a converter is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConverterError {
    /// HAProxy's words.
    pub message: String,
}

/// The longest beginning that can be a name, and the rest.
pub fn split_name(text: &str) -> (&str, &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()))
}
