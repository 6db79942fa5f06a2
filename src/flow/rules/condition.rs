//! Conditions: `if` and `unless` with named and anonymous ACLs (manual 7.1 and 7.2). In comes a
//! sample context, out comes whether a rule applies.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::catalog::{self, Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::outside::Outside;
use crate::config::references::Reference;
use crate::config::section::{Sections, invalid_char};
use crate::config::words::Word;
use crate::sample::SampleContext;
use crate::sample::expr::{Expr, FetchError, split_name};
use crate::sample::pattern::index::Shape;
use crate::sample::pattern::{Method, Resolve, operators};
use crate::sample::valid;
use crate::sample::value::{Type, Value};
use crate::state::map_file::loading::{self, Use};
use crate::state::map_file::{Output, Patterns};

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

impl AclSpec {
    /// The criterion's name, as messages repeat it.
    pub fn keyword(&self) -> String {
        let word = self.words.first().map(Word::str).unwrap_or_default();
        split_name(&word).0.to_owned()
    }
}

impl PartialEq for AclSpec {
    fn eq(&self, other: &AclSpec) -> bool {
        self.name == other.name && self.words == other.words
    }
}

/// The named ACLs of a proxy, as written, in their order.
#[derive(Debug, Clone, Default)]
pub struct Acls {
    list: Vec<AclSpec>,
    /// The places at which some line of each name has a value, and those at which all have.
    names: HashMap<String, (u32, u32)>,
}

impl PartialEq for Acls {
    fn eq(&self, other: &Acls) -> bool {
        self.list == other.list
    }
}

impl Acls {
    /// Whether some line has this name.
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The places, as bits, at which some line of this name has a value, and those at which all have.
    pub fn valid(&self, name: &str) -> (u32, u32) {
        self.names.get(name).copied().unwrap_or((u32::MAX, u32::MAX))
    }

    /// The lines of this name.
    pub fn lines<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s AclSpec> {
        self.list.iter().filter(move |acl| acl.name == name)
    }

    fn push(&mut self, acl: AclSpec) {
        let here = valid::bits(acl.test.expr.fetch);
        let (some, all) = self.names.entry(acl.name.clone()).or_insert((0, u32::MAX));
        *some |= here;
        *all &= here;
        self.list.push(acl);
    }
}

/// A sample and the patterns it is compared with.
#[derive(Debug)]
pub struct AclTest {
    /// The sample.
    pub expr: Expr,
    /// How it is compared.
    pub method: Method,
    /// The patterns: those of each file, then those that stand in the configuration.
    pub patterns: Vec<Patterns>,
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

    /// The tests of its only ACL, if that must be true and there is nothing else.
    pub fn single(&self) -> Option<&[Arc<AclTest>]> {
        match self.alternatives.as_slice() {
            [terms] if !self.negated => match terms.as_slice() {
                [term] if !term.negated => Some(&term.acl.tests),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it holds, where bytes may still come (`tcp-request content`): `None` when they decide.
    pub fn decide(&self, context: &SampleContext<'_>) -> Option<bool> {
        let mut open = false;
        for terms in &self.alternatives {
            match decide_all(terms, context) {
                Some(true) => return Some(!self.negated),
                Some(false) => {}
                None => open = true,
            }
        }
        if open { None } else { Some(self.negated) }
    }
}

/// Whether all terms hold: the first that does not, or not yet, says so.
fn decide_all(terms: &[Term], context: &SampleContext<'_>) -> Option<bool> {
    for term in terms {
        if term.acl.decide(context)? == term.negated {
            return Some(false);
        }
    }
    Some(true)
}

impl Acl {
    fn holds(&self, context: &SampleContext<'_>) -> bool {
        self.tests.iter().any(|test| test.holds(context))
    }

    fn decide(&self, context: &SampleContext<'_>) -> Option<bool> {
        let mut open = false;
        for test in &self.tests {
            if test.holds(context) {
                return Some(true);
            }
            open |= context.may_change() || test.awaits_head(context);
        }
        if open { None } else { Some(false) }
    }
}

impl AclTest {
    /// Whether it looks at an HTTP request whose head may still come.
    fn awaits_head(&self, context: &SampleContext<'_>) -> bool {
        let preread = context.stream.and_then(|s| s.preread.as_ref());
        preread.is_some_and(|p| p.awaits_head && !p.last_look)
            && valid::needs(self.expr.fetch).starts_with("HTTP request")
    }

    /// Whether one of the sample's values matches one of the patterns.
    fn holds(&self, context: &SampleContext<'_>) -> bool {
        self.any_value(context, |value| self.matches(value))
    }

    /// Whether this is true of one of the sample's values.
    pub fn any_value(
        &self,
        context: &SampleContext<'_>,
        mut is_true: impl FnMut(&Value<'_>) -> bool,
    ) -> bool {
        context.occurrence.set(0);
        loop {
            context.more.set(false);
            context.changing.set(false);
            match self.expr.eval(context) {
                Some(value) if is_true(&value) => return true,
                _ if !context.more.get() => return false,
                _ => context.occurrence.set(context.occurrence.get() + 1),
            }
        }
    }

    /// The patterns, when all of them stand in the configuration.
    pub fn words(&self) -> Option<&Patterns> {
        match self.patterns.as_slice() {
            [words] => Some(words),
            _ => None,
        }
    }
}

impl AclTest {
    fn matches(&self, value: &Value<'_>) -> bool {
        if self.method == Method::Found {
            return true;
        }
        let probe = self.method.probe(value);
        probe.is_some_and(|probe| self.patterns.iter().any(|patterns| patterns.matches(&probe)))
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

/// Reads what is left of a line: nothing, or `if`/`unless` and a condition. `while_parsing` is how
/// HAProxy begins its message about a mistake in the condition.
pub fn parse_named(
    line: &mut Line<'_>,
    while_parsing: &str,
) -> Result<Option<ConditionSpec>, Diagnostic> {
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
    parse_words(line, negated).map(Some).map_err(|e| line.alert(format!("{while_parsing} : {e}.")))
}

/// Reads the words behind `if` or `unless`, to the end of the line.
pub fn parse_words(line: &mut Line<'_>, negated: bool) -> Result<ConditionSpec, String> {
    let words = line.rest();
    let place = line.words.place.clone();
    let mut acls = std::mem::take(acls_of(line));
    let mut reader = AclReader::new(line.outside);
    let condition = reader.condition(words, negated, &place, &mut acls);
    let found = reader.found;
    *acls_of(line) = acls;
    let condition = condition?;
    note(line, found, &place);
    Ok(condition)
}

/// The ACLs of the section being read.
fn acls_of<'l>(line: &'l mut Line<'_>) -> &'l mut Acls {
    match Sections::PROXIES.contains(line.section) {
        true => &mut line.proxy().rules.acls,
        false => &mut line.spec.section_acls,
    }
}

/// Takes over what was found while reading ACLs.
fn note(line: &mut Line<'_>, found: Found, place: &Place) {
    for name in found.planned {
        line.spec.note_planned(name, place);
    }
    for warning in found.warnings {
        line.diagnostics.push(Diagnostic::warning(Some(place), warning));
    }
    if !Sections::PROXIES.contains(line.section) {
        return;
    }
    let references = &mut line.proxy().references.args;
    references.extend(found.references.into_iter().map(|r| r.at(place, "ACL keyword", "in")));
}

/// What reading ACLs brings up beside the ACLs themselves.
#[derive(Debug, Default)]
struct Found {
    planned: Vec<&'static str>,
    warnings: Vec<String>,
    references: Vec<Reference>,
}

/// Reads ACLs and conditions.
struct AclReader<'a> {
    outside: &'a mut dyn Outside,
    found: Found,
}

impl<'a> AclReader<'a> {
    fn new(outside: &'a mut dyn Outside) -> AclReader<'a> {
        AclReader { outside, found: Found::default() }
    }

    fn condition(
        &mut self,
        words: &[Word],
        negated: bool,
        place: &Place,
        acls: &mut Acls,
    ) -> Result<ConditionSpec, String> {
        let mut alternatives: Vec<Vec<TermSpec>> = vec![Vec::new()];
        let mut rest = words;
        let mut not = false;
        while let Some((word, after)) = rest.split_first() {
            rest = after;
            let text = word.str();
            let name = text.trim_start_matches('!');
            not ^= (text.len() - name.len()) % 2 == 1;
            if name.is_empty() {
                continue;
            }
            if name.eq_ignore_ascii_case("or") || name == "||" {
                alternatives.push(Vec::new());
                not = false;
                continue;
            }
            let acl = if name == "{" {
                let end = rest.iter().position(|w| *w == *"}");
                let end = end.ok_or("missing closing '}' in condition")?;
                let spec = self.acl(String::new(), &rest[..end])?;
                rest = rest.get(end + 1..).unwrap_or_default();
                AclRef::Inline(spec)
            } else {
                if !acls.contains(name) {
                    let predefined = PREDEFINED.iter().find(|(n, _)| *n == name);
                    let (_, words) = predefined.ok_or_else(|| format!("no such ACL : '{name}'"))?;
                    let words: Vec<Word> = words.iter().map(|w| Word::new(*w)).collect();
                    acls.push(self.acl(name.to_owned(), &words)?);
                }
                AclRef::Named(Word::at(name, word.column()))
            };
            if let Some(terms) = alternatives.last_mut() {
                terms.push(TermSpec { negated: std::mem::take(&mut not), acl });
            }
        }
        // An alternative without a term never holds, as in HAProxy.
        alternatives.retain(|terms| !terms.is_empty());
        Ok(ConditionSpec { negated, alternatives, place: place.clone() })
    }

    /// `<criterion> [flags] [values]`
    fn acl(&mut self, name: String, words: &[Word]) -> Result<AclSpec, String> {
        let Some(first) = words.first() else {
            return Err("missing fetch method in ACL expression ''".to_owned());
        };
        let criterion = Criterion::parse(&first.str())?;
        let pattern = words.get(1);
        let kind = criterion.expr.gives();
        if criterion.method.is_some() && kind != Type::Bool && pattern.is_none() {
            self.found.warnings.push(format!("parsing acl keyword '{first}' :\n  no pattern to match against were provided, so this ACL will never match.\n  If this is what you intended, please add '--' to get rid of this warning.\n  If you intended to match only for existence, please use '-m found'.\n  If you wanted to force an int to match as a bool, please use '-m bool'.\n"));
        }
        if !first.bytes().contains(&b'(') && pattern.is_some_and(|p| p.bytes().starts_with(b"(")) {
            let pattern = pattern.map(Word::str).unwrap_or_default();
            self.found.warnings.push(format!("parsing acl '{name}' :\n  matching '{first}' for pattern '{pattern}' is likely a mistake and probably\n  not what you want. Maybe you need to remove the extraneous space before '('.\n  If you are really sure this is not an error, please insert '--' between the\n  match and the pattern to make this warning message disappear."));
        }
        let flags = self.flags(&criterion, words.get(1..).unwrap_or_default())?;
        let Flags { shape, mut patterns, .. } = flags;
        let values = match shape.method {
            Method::Int | Method::Len => operators(flags.rest, false)?,
            Method::Version => operators(flags.rest, true)?,
            _ => flags.rest.iter().map(|w| w.bytes().to_vec()).collect(),
        };
        let keyword = criterion.name();
        let mut resolve = resolver(self.outside);
        let resolve = flags.resolve.then_some(&mut resolve as Resolve<'_>);
        patterns.push(loading::words(flags.id, keyword, &values, shape, resolve)?);
        self.found.planned.extend(criterion.expr.planned());
        self.found.references.extend(criterion.expr.references());
        let test = Arc::new(AclTest { expr: criterion.expr, method: shape.method, patterns });
        Ok(AclSpec { name, words: words.to_vec(), test })
    }

    fn flags<'w>(&mut self, criterion: &Criterion, words: &'w [Word]) -> Result<Flags<'w>, String> {
        let fetch = criterion.name();
        let untyped = || {
            format!(
                "matching method must be specified first (using '-m') when using a sample fetch of this type ('{fetch}')"
            )
        };
        let mut method = criterion.method;
        let mut flags = Flags {
            shape: Shape { method: Method::Found, fold: false },
            resolve: true,
            id: None,
            patterns: Vec::new(),
            rest: &[],
        };
        let mut used = Use { map: false, acl: true, two_columns: false };
        let mut rest = words.iter();
        while let Some(flag) = rest.as_slice().first().filter(|w| w.bytes().starts_with(b"-")) {
            rest.next();
            let mut value = || rest.next().map(Word::str).unwrap_or_default();
            match &*flag.str() {
                "--" => break,
                "-i" => flags.shape.fold = true,
                "-n" => flags.resolve = false,
                "-M" => (used.map, used.two_columns) = (true, true),
                "-u" => flags.id = Some(id(&value())?),
                "-f" => {
                    let method = method.ok_or_else(untyped)?;
                    let shape = Shape { method, ..flags.shape };
                    let mut resolve = resolver(self.outside);
                    let resolve = flags.resolve.then_some(&mut resolve as Resolve<'_>);
                    let found = loading::file(&value(), used, shape, Output::Nothing, resolve)?;
                    flags.patterns.push(found);
                }
                "-m" if !flags.patterns.is_empty() => {
                    return Err("'-m' must only be specified before patterns and files in parsing ACL expression".to_owned());
                }
                "-m" => method = Some(criterion.method_named(&value())?),
                other => {
                    return Err(format!(
                        "'{other}' is not a valid ACL option. Please use '--' before any pattern beginning with a '-'"
                    ));
                }
            }
        }
        flags.shape.method = method.ok_or_else(untyped)?;
        flags.rest = rest.as_slice();
        Ok(flags)
    }
}

/// The number after `-u`.
fn id(text: &str) -> Result<i32, String> {
    let id = text.parse().map_err(|_| "the argument of -u must be an integer")?;
    if loading::is_given(id) { Err("the id is already used".to_owned()) } else { Ok(id) }
}

/// Looks up the first IPv4 address of a host.
fn resolver(outside: &mut dyn Outside) -> impl FnMut(&str) -> Option<Ipv4Addr> {
    |host| {
        let found = outside.resolve(host).ok()?;
        found.into_iter().find_map(|ip| match ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
    }
}

/// The flags of an ACL and what follows them.
struct Flags<'w> {
    shape: Shape,
    /// Whether host names may stand among addresses.
    resolve: bool,
    /// `-u`
    id: Option<i32>,
    /// `-f`
    patterns: Vec<Patterns>,
    rest: &'w [Word],
}

/// What an ACL looks at, and how it is compared unless `-m` says otherwise.
struct Criterion {
    expr: Expr,
    method: Option<Method>,
    keyword: Option<&'static str>,
}

impl Criterion {
    /// An ACL keyword (`path_beg`), or a sample expression.
    fn parse(text: &str) -> Result<Criterion, String> {
        let (name, rest) = split_name(text);
        let Some(row) = catalog::acl_keyword(name) else {
            let expr = Expr::parse(text).map_err(|e| format!("{e} in ACL expression '{text}'"))?;
            let method = Method::of_type(expr.gives());
            return Ok(Criterion { expr, method, keyword: None });
        };
        let keyword = row.name;
        let fetch = catalog::fetch(row.fetch)
            .ok_or_else(|| format!("unknown fetch method '{}'", row.fetch))?;
        let (mut expr, rest) = Expr::of_fetch(fetch, rest).map_err(|e| match e {
            FetchError::List(e) => format!("ACL keyword '{keyword}' : {e}"),
            FetchError::Check(e) => format!("in argument to '{keyword}', {e}"),
        })?;
        let rest = expr
            .read_converters(rest)
            .map_err(|e| format!("ACL keyword '{keyword}' : {}.", e.message))?;
        if !rest.is_empty() {
            let after = match expr.converters.last() {
                Some((converter, _)) => format!("converter '{}'", converter.name),
                None => "fetch keyword".to_owned(),
            };
            return Err(format!("ACL keyword '{keyword}' : missing comma after {after}."));
        }
        expr.text = text.to_owned();
        let method = match expr.converters.is_empty() {
            true if row.fetch == "req.ssl_ver" => Some(Method::Version),
            true => Method::of_name(row.method),
            false => Method::of_type(expr.gives()),
        };
        Ok(Criterion { expr, method, keyword: Some(keyword) })
    }

    /// What HAProxy calls it.
    fn name(&self) -> &'static str {
        match self.keyword {
            Some(keyword) if self.expr.converters.is_empty() => keyword,
            _ => self.expr.fetch.name,
        }
    }

    fn method_named(&self, name: &str) -> Result<Method, String> {
        let method = Method::of_name(name).ok_or_else(|| {
            format!("unknown matching method '{name}' when parsing ACL expression")
        })?;
        if !self.expr.gives().casts_to(method.takes()) {
            return Err(format!(
                "matching method '{name}' cannot be used with fetch keyword '{}'",
                self.name()
            ));
        }
        Ok(method)
    }
}

/// Gathers the lines of each named ACL; sorted by name.
pub fn compile_acls(specs: &Acls) -> Vec<Arc<Acl>> {
    let mut acls: BTreeMap<&str, Vec<Arc<AclTest>>> = BTreeMap::new();
    for spec in &specs.list {
        acls.entry(&spec.name).or_default().push(spec.test.clone());
    }
    acls.into_iter().map(|(name, tests)| Arc::new(Acl { name: name.to_owned(), tests })).collect()
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
    let found = acls.binary_search_by(|acl| acl.name.as_str().cmp(&text)).ok();
    found.and_then(|at| acls.get(at).cloned()).ok_or_else(|| {
        let text = format!(
            "parsing [{place}] : error detected while parsing a condition : no such ACL : '{text}'."
        );
        Diagnostic::alert(Some(&place.at(name.column())), text)
    })
}

/// Reads an `acl` line into the section being read.
pub fn acl(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(line.alert("character '' is not permitted in acl name ''."));
    };
    let name = word.str().into_owned();
    if let Some(bad) = invalid_char(word) {
        return Err(line.alert(format!("character '{bad}' is not permitted in acl name '{name}'.")));
    }
    if name.eq_ignore_ascii_case("or") {
        return Err(line.alert(format!(
            "acl name '{name}' will never match. 'or' is used to express a logical disjunction within a condition."
        )));
    }
    let words = line.rest();
    let mut reader = AclReader::new(line.outside);
    let spec = reader.acl(name.clone(), words);
    let found = reader.found;
    let spec =
        spec.map_err(|e| line.alert(format!("error detected while parsing ACL '{name}' : {e}.")))?;
    let place = line.words.place.clone();
    note(line, found, &place);
    acls_of(line).push(spec);
    Ok(())
}

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "acl",
            sections: Sections::NAMED_PROXIES,
            args: "<name> <criterion> [flags] [operator] [<value>]...",
            doc: "Names a test; several lines of one name are alternatives.",
            examples: &["acl is_static path_beg /static /img"],
            status: Status::Works,
            parse: acl,
            ..Keyword::NEW
        },
        Keyword {
            name: "acl",
            sections: Sections::FCGI_APP,
            args: "<name> <criterion> [flags] [operator] [<value>]...",
            doc: "Names a test for the conditions of this application's set-param and pass-header.",
            examples: &["acl from_tls ssl_fc"],
            status: Status::Planned,
            parse: acl,
            ..Keyword::NEW
        },
    ],
    ..Part::NONE
};
