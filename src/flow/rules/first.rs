//! Rules of which the first that applies decides (`use_backend`): where many in a row compare the same
//! sample in the same way, they are looked up at once instead of asked one after the other. In comes a
//! sample context, out comes the number of the rule. Manual 4.2 "use_backend", 7.1.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::flow::rules::condition::{AclTest, Condition};
use crate::sample::SampleContext;
use crate::sample::pattern::Method;
use crate::sample::pattern::elements::Elements;
use crate::sample::pattern::index::{Index, Shape, Want};

/// From so many rules in a row on they are looked up at once.
const SEVERAL: usize = 8;

/// Finds the first rule that applies.
#[derive(Debug, Default)]
pub struct FirstOf {
    runs: Vec<Run>,
}

/// Rules in a row.
#[derive(Debug)]
struct Run {
    rules: Range<usize>,
    table: Option<Table>,
}

/// What the rules of a run compare, all together.
#[derive(Debug)]
struct Table {
    /// Takes the sample.
    test: Arc<AclTest>,
    elements: Elements,
    index: Index,
    /// The rule of each element.
    rules: Vec<usize>,
    /// Set when one of the ACLs was changed at run time: from then on they are asked one by one.
    changed: Vec<Arc<AtomicBool>>,
}

impl FirstOf {
    /// For rules with these conditions.
    pub fn compile<'c>(conditions: impl Iterator<Item = Option<&'c Condition>>) -> FirstOf {
        let tests: Vec<&[Arc<AclTest>]> =
            conditions.map(|condition| condition.map_or(&[][..], compared)).collect();
        let mut runs: Vec<Run> = Vec::new();
        let mut start = 0;
        while let Some(first) = tests.get(start) {
            let alike = |other: &&&[Arc<AclTest>]| alike(first, other);
            let length = tests[start..].iter().take_while(alike).count().max(1);
            let rules = start..start + length;
            start = rules.end;
            let table = (length >= SEVERAL)
                .then(|| Table::of(&tests[rules.clone()], rules.start))
                .flatten();
            match runs.last_mut() {
                Some(last) if last.table.is_none() && table.is_none() => last.rules.end = rules.end,
                _ => runs.push(Run { rules, table }),
            }
        }
        FirstOf { runs }
    }

    /// The number of the first rule that applies; `holds` asks the condition of a single one.
    pub fn find(
        &self,
        context: &SampleContext<'_>,
        mut holds: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        self.runs.iter().find_map(|run| match &run.table {
            Some(table) if !table.is_changed() => table.find(context),
            _ => run.rules.clone().find(|rule| holds(*rule)),
        })
    }
}

/// The tests of a condition that is one ACL of words, which must be true.
fn compared(condition: &Condition) -> &[Arc<AclTest>] {
    let tests = condition.single().unwrap_or_default();
    let first = tests.first();
    let plain = |test: &Arc<AclTest>| {
        test.words().is_some()
            && is_steady(test)
            && first.is_some_and(|first| same_sample(first, test))
    };
    if tests.iter().all(plain) { tests } else { &[] }
}

fn alike(one: &[Arc<AclTest>], other: &[Arc<AclTest>]) -> bool {
    match (one.first(), other.first()) {
        (Some(one), Some(other)) => same_sample(one, other),
        _ => false,
    }
}

/// Whether the sample is the same however often it is taken within one rule set.
fn is_steady(test: &AclTest) -> bool {
    const FETCHES: &[&str] = &[
        "base",
        "cook",
        "dst",
        "dst_port",
        "hdr",
        "method",
        "path",
        "pathq",
        "query",
        "req.cook",
        "req.fhdr",
        "req.hdr",
        "req.ssl_sni",
        "req_ssl_sni",
        "ssl_fc_sni",
        "src",
        "url",
        "url_param",
        "urlp",
    ];
    const CONVERTERS: &[&str] =
        &["field", "host_only", "length", "lower", "ltrim", "regsub", "rtrim", "upper", "word"];
    let converters = || test.expr.converters.iter().map(|(converter, _)| converter.name);
    FETCHES.contains(&test.expr.fetch.name) && converters().all(|name| CONVERTERS.contains(&name))
}

/// Whether two tests compare the same sample in the same way. Where not the first element decides but the
/// longest prefix, the order of the rules would be lost.
fn same_sample(one: &AclTest, other: &AclTest) -> bool {
    let shape = |test: &AclTest| test.words().map(|patterns| patterns.shape());
    let ordered = !matches!(one.method, Method::Ip | Method::Found | Method::Bool);
    ordered && shape(one) == shape(other) && one.expr == other.expr
}

impl Table {
    fn of(tests: &[&[Arc<AclTest>]], first_rule: usize) -> Option<Table> {
        let test = tests.first()?.first()?.clone();
        let shape: Shape = test.words()?.shape();
        let (mut words, mut rules) = (Vec::new(), Vec::new());
        let mut changed: Vec<Arc<AtomicBool>> = vec![Arc::default()];
        for (rule, tests) in tests.iter().enumerate() {
            for patterns in tests.iter().filter_map(|test| test.words()) {
                let flag = patterns.watch(&changed[0]);
                if !changed.iter().any(|known| Arc::ptr_eq(known, &flag)) {
                    changed.push(flag);
                }
                let (elements, _) = patterns.unchanged()?;
                for id in elements.ids() {
                    words.push(elements.key(id));
                    rules.push(first_rule + rule);
                }
            }
        }
        let elements = Elements::of_words(words.into_iter());
        let index = Index::build(shape, &elements, None).ok()?;
        Some(Table { test, elements, index, rules, changed })
    }

    fn is_changed(&self) -> bool {
        self.changed.iter().any(|changed| changed.load(Relaxed))
    }

    fn find(&self, context: &SampleContext<'_>) -> Option<usize> {
        let mut first: Option<u32> = None;
        self.test.any_value(context, |value| {
            let probe = self.test.method.probe(value);
            let found = probe.and_then(|p| self.index.find(&self.elements, &p, Want::First));
            first = match (first, found) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            first == Some(0)
        });
        self.rules.get(first? as usize).copied()
    }
}
