//! Sample expressions: `fetch(args),converter(args),…` (manual 7.3). In comes the text, out comes
//! something that takes a value from the traffic.

use crate::catalog::{self, Converter, Fetch, Status};
use crate::config::args::{TimeUnit, parse_number, parse_size, parse_time};
use crate::sample::value::Value;
use crate::sample::{ArgType, Argument, Arguments, SampleContext};

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
    /// Reads an expression that fills the whole text. The error is worded as HAProxy's.
    pub fn parse(text: &str) -> Result<Expr, String> {
        let (name, rest) = split_name(text);
        let fetch = catalog::fetch(name).ok_or_else(|| format!("unknown fetch method '{name}'"))?;
        let (args, rest) = take_args(rest).ok_or_else(|| {
            format!("missing closing ')' after arguments to fetch keyword '{name}'")
        })?;
        let args = read_args(args, fetch.args, fetch.required)
            .map_err(|e| format!("invalid args in fetch method '{name}' : {e}"))?;
        let mut expr = Expr { fetch, args, converters: Vec::new(), text: text.to_owned() };
        expr.read_converters(rest)?;
        Ok(expr)
    }

    fn read_converters(&mut self, mut rest: &str) -> Result<(), String> {
        while !rest.is_empty() {
            let Some(after) = rest.strip_prefix(',') else {
                return Err(format!("unexpected character(s) '{rest}' after expression"));
            };
            let (name, after) = split_name(after);
            if name.is_empty() {
                rest = after;
                continue;
            }
            let converter =
                catalog::converter(name).ok_or_else(|| format!("unknown converter '{name}'"))?;
            let (args, after) = take_args(after)
                .ok_or_else(|| format!("syntax error: missing ')' after converter '{name}'"))?;
            let args = read_args(args, converter.args, converter.required)
                .map_err(|e| format!("invalid args in converter '{name}' : {e}"))?;
            self.converters.push((converter, args));
            rest = after;
        }
        Ok(())
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
            value = (converter.run)(value.cast(converter.takes)?, context, args)?;
        }
        Some(value)
    }
}

/// A name up to `(` or `,`, and the rest.
fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(['(', ',']).unwrap_or(text.len());
    text.split_at(end)
}

/// The text between brackets, if any, and what follows; `None` when the bracket is not closed.
fn take_args(text: &str) -> Option<(Option<&str>, &str)> {
    let Some(inner) = text.strip_prefix('(') else { return Some((None, text)) };
    let mut quote = None;
    for (at, c) in inner.char_indices() {
        match (quote, c) {
            (None, ')') => return Some((Some(&inner[..at]), &inner[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
    }
    None
}

fn read_args(
    text: Option<&str>,
    types: &'static [ArgType],
    required: usize,
) -> Result<Arguments, String> {
    let words = text.filter(|t| !t.is_empty()).map(split_args).unwrap_or_default();
    if words.len() < required {
        return Err(format!("missing arguments (got {}/{required})", words.len()));
    }
    if words.len() > types.len() {
        return Err(format!("too many arguments (got {}, at most {})", words.len(), types.len()));
    }
    let args = words.iter().zip(types).map(|(word, kind)| read_arg(word, *kind));
    Ok(Arguments(args.collect::<Result<_, _>>()?))
}

/// Splits at commas outside quotes; the quotes are taken off.
fn split_args(text: &str) -> Vec<String> {
    let mut args = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (None, ',') => args.push(String::new()),
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            (_, c) => {
                if let Some(last) = args.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    args
}

fn read_arg(word: &str, kind: ArgType) -> Result<Argument, String> {
    let invalid = || format!("failed to parse '{word}'");
    match kind {
        ArgType::Int => parse_number(word.as_bytes()).map(Argument::Int).ok_or_else(invalid),
        ArgType::Time => parse_time(word.as_bytes(), TimeUnit::Milliseconds)
            .map(|t| Argument::Int(t.as_millis() as i64))
            .map_err(|_| invalid()),
        ArgType::Size => {
            parse_size(word.as_bytes()).map(|s| Argument::Int(s as i64)).map_err(|_| invalid())
        }
        ArgType::Ipv4 | ArgType::Ipv6 | ArgType::Mask4 | ArgType::Mask6 => {
            word.parse().map(Argument::Ip).map_err(|_| invalid())
        }
        ArgType::Regex => {
            regex::bytes::Regex::new(word).map(Argument::Regex).map_err(|_| invalid())
        }
        _ => Ok(Argument::Str(word.as_bytes().into())),
    }
}
