//! Conditions: `if` and `unless` with named and anonymous ACLs (manual 7.1 and 7.2). In comes a
//! sample context, out comes whether a rule applies.

use std::sync::Arc;

use crate::catalog::{self, Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::section::Sections;
use crate::config::words::Word;
use crate::sample::SampleContext;
use crate::sample::expr::Expr;
use crate::sample::pattern::{Method, Patterns};

/// One `acl` line, or one anonymous ACL: what is looked at and what it is compared with.
#[derive(Debug, Clone)]
pub struct AclSpec {
    /// Its name; empty for an anonymous one.
    pub name: String,
    /// The words after the name.
    pub words: Vec<Word>,
    /// What it compares.
    pub test: Arc<AclTest>,
}

impl PartialEq for AclSpec {
    fn eq(&self, other: &AclSpec) -> bool {
        self.name == other.name && self.words == other.words
    }
}

/// A sample and the patterns it is compared with.
#[derive(Debug)]
pub struct AclTest {
    /// The sample.
    pub expr: Expr,
    /// The patterns.
    pub patterns: Patterns,
}

/// A named ACL: it holds when one of its lines does.
#[derive(Debug)]
pub struct Acl {
    /// Its name.
    pub name: String,
    /// Its lines.
    pub tests: Vec<Arc<AclTest>>,
}

/// A condition as written.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionSpec {
    /// Whether it stands after `unless`.
    pub negated: bool,
    /// Alternatives (`or`), each a list of terms that must all hold.
    pub alternatives: Vec<Vec<TermSpec>>,
    /// Where it stands.
    pub place: Place,
}

/// One ACL in a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct TermSpec {
    /// Whether a `!` stands before it.
    pub negated: bool,
    /// The ACL: named, or in braces.
    pub acl: AclRef,
}

/// An ACL named or written in place.
#[derive(Debug, Clone, PartialEq)]
pub enum AclRef {
    /// By name.
    Named(Word),
    /// `{ … }`
    Inline(AclSpec),
}

/// A condition that runs.
#[derive(Debug)]
pub struct Condition {
    negated: bool,
    alternatives: Vec<Vec<Term>>,
}

#[derive(Debug)]
struct Term {
    negated: bool,
    acl: Arc<Acl>,
}

impl Condition {
    /// Whether it holds for this sample context.
    pub fn holds(&self, context: &SampleContext<'_>) -> bool {
        let any = self
            .alternatives
            .iter()
            .any(|terms| terms.iter().all(|term| term.acl.holds(context) != term.negated));
        any != self.negated
    }
}

impl Acl {
    fn holds(&self, context: &SampleContext<'_>) -> bool {
        self.tests.iter().any(|test| test.holds(context))
    }
}

impl AclTest {
    /// Whether one of the sample's values matches one of the patterns.
    fn holds(&self, context: &SampleContext<'_>) -> bool {
        context.occurrence.set(0);
        loop {
            context.more.set(false);
            match self.expr.eval(context) {
                Some(value) if self.patterns.matches(&value) => return true,
                None if !context.more.get() => return false,
                _ if !context.more.get() => return false,
                _ => context.occurrence.set(context.occurrence.get() + 1),
            }
        }
    }
}

/// ACLs that exist without being declared (manual 7.4).
const PREDEFINED: &[(&str, &[&str])] = &[
    ("TRUE", &["always_true"]),
    ("FALSE", &["always_false"]),
    ("LOCALHOST", &["src", "127.0.0.1/8"]),
    ("HTTP", &["req.proto_http"]),
    ("HTTP_1.0", &["req.ver", "1.0"]),
    ("HTTP_1.1", &["req.ver", "1.1"]),
    ("METH_CONNECT", &["method", "CONNECT"]),
    ("METH_DELETE", &["method", "DELETE"]),
    ("METH_GET", &["method", "GET", "HEAD"]),
    ("METH_HEAD", &["method", "HEAD"]),
    ("METH_OPTIONS", &["method", "OPTIONS"]),
    ("METH_POST", &["method", "POST"]),
    ("METH_PUT", &["method", "PUT"]),
    ("METH_TRACE", &["method", "TRACE"]),
    ("HTTP_URL_ABS", &["url_reg", "^[^/:]*://"]),
    ("HTTP_URL_SLASH", &["url_beg", "/"]),
    ("HTTP_URL_STAR", &["url", "*"]),
    ("HTTP_CONTENT", &["req.hdr_val(content-length)", "gt", "0"]),
    ("RDP_COOKIE", &["req.rdp_cookie_cnt", "gt", "0"]),
    ("REQ_CONTENT", &["req.len", "gt", "0"]),
    ("WAIT_END", &["wait_end"]),
];

/// Reads what is left of a line: nothing, or `if`/`unless` and a condition.
pub fn parse_optional(line: &mut Line<'_>) -> Result<Option<ConditionSpec>, Diagnostic> {
    let Some(word) = line.word() else { return Ok(None) };
    let negated = match &*word.str() {
        "if" => false,
        "unless" => true,
        other => {
            let keyword = line.keyword.name;
            return Err(line.alert(format!(
                "'{keyword}' expects 'if' or 'unless' followed by a condition, but got '{other}'"
            )));
        }
    };
    let words = line.rest();
    let (condition, planned) = parse(words, negated, line.words.place)
        .map_err(|e| line.alert(format!("error detected while parsing a condition : {e}.")))?;
    for name in planned {
        let place = line.words.place.clone();
        line.spec.note_planned(name, &place);
    }
    Ok(Some(condition))
}

/// Reads a condition's words; also gives the names in it whose effect is not built yet.
pub fn parse(
    words: &[Word],
    negated: bool,
    place: &Place,
) -> Result<(ConditionSpec, Vec<&'static str>), String> {
    let mut planned = Vec::new();
    let mut alternatives = vec![Vec::new()];
    let mut rest = words;
    let mut not = false;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        let text = word.str();
        let mut name: &str = &text;
        while let Some(stripped) = name.strip_prefix('!') {
            not = !not;
            name = stripped;
        }
        if name.is_empty() {
            continue;
        }
        if matches!(name, "or" | "OR" | "||") {
            alternatives.push(Vec::new());
            continue;
        }
        let acl = if name == "{" {
            let end =
                rest.iter().position(|w| *w == *"}").ok_or("missing closing '}' in condition")?;
            let spec = parse_acl(String::new(), &rest[..end])?;
            planned.extend(spec.test.expr.planned());
            rest = rest.get(end + 1..).unwrap_or_default();
            AclRef::Inline(spec)
        } else {
            AclRef::Named(Word::at(name, word.column()))
        };
        if let Some(terms) = alternatives.last_mut() {
            terms.push(TermSpec { negated: std::mem::take(&mut not), acl });
        }
    }
    if alternatives.iter().any(Vec::is_empty) {
        return Err("unexpected end of condition".to_owned());
    }
    Ok((ConditionSpec { negated, alternatives, place: place.clone() }, planned))
}

/// Reads `<criterion> [flags] [values]`.
pub fn parse_acl(name: String, words: &[Word]) -> Result<AclSpec, String> {
    let first = words.first().ok_or("missing fetch method in ACL expression")?;
    let (expr, mut method) = parse_criterion(&first.str())?;
    let mut ignore_case = false;
    let mut at = 1;
    while let Some(flag) = words.get(at).map(Word::str).filter(|w| w.starts_with('-')) {
        at += 1;
        match &*flag {
            "--" => break,
            "-i" => ignore_case = true,
            "-m" => {
                let word = words.get(at).map(Word::str).unwrap_or_default();
                at += 1;
                method =
                    Some(Method::of_name(&word).ok_or_else(|| {
                        format!("unknown match method '{word}' in ACL expression")
                    })?);
            }
            "-n" => {}
            other => return Err(format!("unsupported flag '{other}' in ACL expression")),
        }
    }
    let method = method.ok_or_else(|| {
        format!("matching method must be specified first (using '-m') when using a sample fetch of this type ('{}')", expr.fetch.name)
    })?;
    let values: Vec<&[u8]> = words.get(at..).unwrap_or_default().iter().map(Word::bytes).collect();
    let patterns = Patterns::parse(method, ignore_case, &values)?;
    let test = Arc::new(AclTest { expr, patterns });
    Ok(AclSpec { name, words: words.to_vec(), test })
}

/// An ACL keyword (`path_beg`) or a sample expression, and the match method it implies.
fn parse_criterion(text: &str) -> Result<(Expr, Option<Method>), String> {
    let end = text.find(['(', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if let Some(keyword) = catalog::acl_keyword(name) {
        let expr = Expr::parse(&format!("{}{rest}", keyword.fetch))?;
        return Ok((expr, Method::of_name(keyword.method)));
    }
    let expr = Expr::parse(text)?;
    let kind = expr.converters.last().map_or(expr.fetch.gives, |(c, _)| c.gives);
    Ok((expr, Method::of_type(kind)))
}

/// Gathers the lines of each named ACL.
pub fn compile_acls(specs: &[AclSpec]) -> Vec<Arc<Acl>> {
    let mut acls: Vec<Acl> = Vec::new();
    for spec in specs {
        match acls.iter_mut().find(|acl| acl.name == spec.name) {
            Some(acl) => acl.tests.push(spec.test.clone()),
            None => acls.push(Acl { name: spec.name.clone(), tests: vec![spec.test.clone()] }),
        }
    }
    acls.into_iter().map(Arc::new).collect()
}

/// Resolves the names in a condition.
pub fn compile(spec: &ConditionSpec, acls: &[Arc<Acl>]) -> Result<Condition, Diagnostic> {
    let term = |term: &TermSpec| {
        let acl = match &term.acl {
            AclRef::Inline(spec) => {
                Arc::new(Acl { name: String::new(), tests: vec![spec.test.clone()] })
            }
            AclRef::Named(name) => named(name, acls, &spec.place)?,
        };
        Ok(Term { negated: term.negated, acl })
    };
    let alternatives = spec
        .alternatives
        .iter()
        .map(|terms| terms.iter().map(term).collect())
        .collect::<Result<_, Diagnostic>>()?;
    Ok(Condition { negated: spec.negated, alternatives })
}

fn named(name: &Word, acls: &[Arc<Acl>], place: &Place) -> Result<Arc<Acl>, Diagnostic> {
    let text = name.str();
    if let Some(acl) = acls.iter().find(|acl| acl.name == *text) {
        return Ok(acl.clone());
    }
    let unknown = || {
        Diagnostic::alert(
            Some(&place.at(name.column())),
            format!(
                "parsing [{place}] : error detected while parsing a condition : no such ACL : '{text}'."
            ),
        )
    };
    let (_, words) = PREDEFINED.iter().find(|(n, _)| *n == text).ok_or_else(unknown)?;
    let words: Vec<Word> = words.iter().map(|w| Word::new(*w)).collect();
    let spec = parse_acl(text.to_string(), &words).map_err(|_| unknown())?;
    Ok(Arc::new(Acl { name: spec.name, tests: vec![spec.test] }))
}

fn acl(line: &mut Line<'_>) -> Parsed {
    let name = line.required("missing ACL name.")?.str().into_owned();
    let words = line.rest();
    let spec = parse_acl(name.clone(), words)
        .map_err(|e| line.alert(format!("error detected while parsing ACL '{name}' : {e}.")))?;
    let place = line.place.clone();
    for name in spec.test.expr.planned() {
        line.spec.note_planned(name, &place);
    }
    line.proxy().rules.acls.push(spec);
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[Keyword {
        name: "acl",
        sections: Sections::NAMED_PROXIES,
        args: "<name> <criterion> [flags] [operator] [<value>]...",
        doc: "Names a test; several lines of one name are alternatives.",
        examples: &["acl is_static path_beg /static /img"],
        status: Status::Works,
        parse: acl,
        ..Keyword::NEW
    }],
    ..Part::NONE
};
