//! Regular expressions (`reg`, `regm`): on bytes, in linear time; those that only PCRE has (look-around,
//! back-references) are tried step by step, up to a limit. Several are looked for at once. Manual 7.1.4.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::control::process::console;
use regex::bytes::{RegexBuilder, RegexSet, RegexSetBuilder};

/// Steps that a search may take where linear time is impossible. PCRE's own limit is ten times that.
const MOST_STEPS: usize = 1_000_000;

/// From so many expressions on they are looked for at once.
const SEVERAL: usize = 4;

/// Expressions that may wait beside a set before it is made anew.
const WAITING: usize = 16;

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub enum Regex {
    /// In linear time.
    Linear(regex::bytes::Regex),
    /// With look-around or back-references.
    Stepwise(Arc<Stepwise>),
}

/// One that is tried step by step.
#[derive(Debug)]
pub struct Stepwise {
    regex: fancy_regex::Regex,
    /// How often the limit was hit.
    given_up: AtomicU64,
}

/// The groups of a match.
#[derive(Debug)]
pub struct Groups<'t> {
    text: &'t [u8],
    spans: Vec<Option<(usize, usize)>>,
}

/// One group of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group<'t> {
    text: &'t [u8],
    start: usize,
    end: usize,
}

impl Regex {
    /// Whether it matches somewhere.
    pub fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Regex::Linear(regex) => regex.is_match(text),
            Regex::Stepwise(stepwise) => match stepwise.regex.is_match(text) {
                Ok(found) => found,
                Err(error) => stepwise.give_up(&error),
            },
        }
    }

    /// The first match with its groups.
    pub fn captures<'t>(&self, text: &'t [u8]) -> Option<Groups<'t>> {
        self.captures_at(text, 0)
    }

    /// The first match that begins at or after a place, with its groups.
    pub fn captures_at<'t>(&self, text: &'t [u8], from: usize) -> Option<Groups<'t>> {
        let spans = match self {
            Regex::Linear(regex) => {
                let mut locations = regex.capture_locations();
                regex.captures_read_at(&mut locations, text, from)?;
                (0..locations.len()).map(|index| locations.get(index)).collect()
            }
            Regex::Stepwise(stepwise) => match stepwise.regex.captures_from_pos(text, from) {
                Ok(found) => {
                    let found = found?;
                    let span = |index| found.get(index).map(|group| (group.start(), group.end()));
                    (0..found.len()).map(span).collect()
                }
                Err(error) => {
                    stepwise.give_up(&error);
                    return None;
                }
            },
        };
        Some(Groups { text, spans })
    }
}

impl Stepwise {
    /// The search took too long: it counts as no match. Said the first time and then ever more rarely.
    fn give_up(&self, error: &fancy_regex::Error) -> bool {
        let times = self.given_up.fetch_add(1, Relaxed) + 1;
        if times.is_power_of_two() {
            let regex = self.regex.as_str();
            let text = format!(
                "regex '{regex}' took too many steps and matches nothing, {times} times by now ({error})."
            );
            console::warning(text);
        }
        false
    }
}

impl<'t> Groups<'t> {
    /// A group by its number; 0 is the whole match.
    pub fn get(&self, index: usize) -> Option<Group<'t>> {
        let (start, end) = (*self.spans.get(index)?)?;
        Some(Group { text: self.text, start, end })
    }
}

impl<'t> Group<'t> {
    /// Where it begins.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Where it ends.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &'t [u8] {
        self.text.get(self.start..self.end).unwrap_or_default()
    }
}

/// Compiles a regular expression. The error is worded as HAProxy words PCRE's.
pub fn compile_regex(text: &str, ignore_case: bool) -> Result<Regex, String> {
    let linear = RegexBuilder::new(text).unicode(false).case_insensitive(ignore_case).build();
    let error = match linear {
        Ok(regex) => return Ok(Regex::Linear(regex)),
        Err(error) => error,
    };
    let translated = references(text).map_err(|offset| {
        let error = "reference to non-existent subpattern";
        format!("regex '{text}' is invalid (error={error}, erroffset={offset})")
    })?;
    let stepwise = fancy_regex::RegexBuilder::new(&translated)
        .bytes_mode(fancy_regex::BytesMode::Ascii)
        .case_insensitive(ignore_case)
        .backtrack_limit(MOST_STEPS)
        .build();
    match stepwise {
        Ok(regex) => Ok(Regex::Stepwise(Arc::new(Stepwise { regex, given_up: AtomicU64::new(0) }))),
        Err(_) => {
            let (error, offset) = pcre_error(text, &error.to_string());
            Err(format!("regex '{text}' is invalid (error={error}, erroffset={offset})"))
        }
    }
}

/// `\g1` and `\g{1}`, which are back-references to PCRE, written as `\1`. To fancy-regex they call a group,
/// and a group that calls itself takes memory without end; such calls are refused with their place.
fn references(text: &str) -> Result<Cow<'_, str>, usize> {
    if !text.contains("\\g") {
        return Ok(text.into());
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let Some(after) = escape.strip_prefix("\\g") else {
            let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
            let (escape, after) = escape.split_at(length);
            out.push_str(escape);
            rest = after;
            continue;
        };
        let braced = after.strip_prefix('{');
        let digits = braced.unwrap_or(after);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (number, after) = digits.split_at(end);
        let closed = if braced.is_some() { after.strip_prefix('}') } else { Some(after) };
        let group: Option<u32> = number.parse().ok().filter(|group| *group > 0);
        let (Some(group), Some(after)) = (group, closed) else {
            return Err(text.len() - closed.unwrap_or(after).len());
        };
        out.push_str(&format!("(?:\\{group})"));
        rest = after;
    }
    out.push_str(rest);
    Ok(out.into())
}

/// PCRE's words for the commonest mistakes, and where it sees them.
fn pcre_error(text: &str, error: &str) -> (String, usize) {
    let known = [
        ("unclosed group", "missing closing parenthesis", text.len()),
        ("unclosed character class", "missing terminating ] for character class", text.len()),
        ("unopened group", "unmatched closing parenthesis", text.rfind(')').unwrap_or_default()),
        (
            "repetition operator missing expression",
            "quantifier does not follow a repeatable item",
            text.find(['*', '+', '?']).unwrap_or_default(),
        ),
        ("incomplete escape sequence", "\\ at end of pattern", text.len()),
        ("backreferences are not supported", "reference to non-existent subpattern", text.len()),
    ];
    match known.into_iter().find(|(ours, _, _)| error.contains(ours)) {
        Some((_, pcre, offset)) => (pcre.to_owned(), offset),
        None => {
            let last = error.lines().last().unwrap_or_default();
            (last.trim_start_matches("error: ").to_owned(), 0)
        }
    }
}

/// Expressions with the numbers of their elements.
#[derive(Debug, Clone)]
pub struct Regexes {
    fold: bool,
    list: Vec<(u32, Regex)>,
    /// Looks for `list[..covered]` at once.
    set: Option<RegexSet>,
    covered: usize,
}

impl Regexes {
    /// Without expressions; `fold` ignores the case of letters.
    pub fn new(fold: bool) -> Regexes {
        Regexes { fold, list: Vec::new(), set: None, covered: 0 }
    }

    /// Takes in an expression behind the others.
    pub fn insert(&mut self, regex: Regex, id: u32) {
        self.list.push((id, regex));
    }

    /// Makes the set anew if enough has been added.
    pub fn settle(&mut self) {
        let waiting = self.list.len() - self.covered;
        if waiting >= SEVERAL && (self.covered == 0 || waiting > WAITING) {
            self.combine();
        }
    }

    /// Forgets an element.
    pub fn remove(&mut self, id: u32) {
        let Ok(at) = self.list.binary_search_by_key(&id, |(id, _)| *id) else { return };
        self.list.remove(at);
        if at < self.covered {
            (self.set, self.covered) = (None, 0);
            self.settle();
        }
    }

    /// The first element that matches.
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        let mut rest = self.list.as_slice();
        if let Some(set) = self.set.as_ref().filter(|set| !set.is_match(text)) {
            rest = rest.get(set.len()..).unwrap_or_default();
        }
        rest.iter().find(|(_, regex)| regex.is_match(text)).map(|(id, _)| *id)
    }

    /// The expression of an element.
    pub fn get(&self, id: u32) -> Option<&Regex> {
        let at = self.list.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.list.get(at).map(|(_, regex)| regex)
    }

    /// A set tells in one pass that none matches, which is what most searches find. It covers the
    /// expressions up to the first that is not linear.
    fn combine(&mut self) {
        let linear = self.list.iter().map_while(|(_, regex)| match regex {
            Regex::Linear(regex) => Some(regex.as_str()),
            Regex::Stepwise(_) => None,
        });
        let texts: Vec<&str> = linear.collect();
        let mut builder = RegexSetBuilder::new(&texts);
        builder.unicode(false).case_insensitive(self.fold);
        // One that would be too large is left out.
        self.set = Some(texts.len()).filter(|n| *n >= SEVERAL).and_then(|_| builder.build().ok());
        self.covered = self.list.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_worded_as_pcre_does() {
        let error = |text| compile_regex(text, false).map(|_| ()).unwrap_err();
        let expected = "regex '(' is invalid (error=missing closing parenthesis, erroffset=1)";
        assert_eq!(error("("), expected);
        assert!(error("a\\2").contains("reference to non-existent subpattern"));
    }

    #[test]
    fn references_are_what_pcre_takes_them_for() {
        for text in [r"^(a)b\g1$", r"^(a)b\g{1}$", r"^(a)(?=b)b\1$"] {
            let regex = compile_regex(text, false).unwrap();
            assert!(regex.is_match(b"aba") && !regex.is_match(b"abb"), "{text}");
        }
        let calls = [(r"a\g0b\g0c|", 4), (r"(a\g<1>b|)", 4), (r"a\g{0}", 6), (r"\\a\gx", 5)];
        for (text, offset) in calls {
            let told = compile_regex(text, false).map(|_| ()).unwrap_err();
            let expected =
                format!("(error=reference to non-existent subpattern, erroffset={offset})");
            assert!(told.ends_with(&expected), "{told}");
        }
    }

    #[test]
    fn bytes_match_whatever_they_are() {
        let regex = compile_regex(r"^(.)\xff(\w+)$", false).unwrap();
        let groups = regex.captures(b"a\xffb1").unwrap();
        assert_eq!(groups.get(2).map(|g| (g.start(), g.as_bytes())), Some((2, &b"b1"[..])));
        assert!(groups.get(3).is_none());
    }

    #[test]
    fn what_only_pcre_has_works_within_a_limit() {
        let repeated = compile_regex(r"^(a+)-\1$", true).unwrap();
        assert!(matches!(repeated, Regex::Stepwise(_)));
        assert!(repeated.is_match(b"aa-AA") && !repeated.is_match(b"aa-a"));
        let behind = compile_regex(r"(?<!x)b\xff", false).unwrap();
        assert!(behind.is_match(b"ab\xff") && !behind.is_match(b"xb\xff"));
        let hopeless = compile_regex(r"^(?=a)(a|aa|a(?!b))+\1$", false).unwrap();
        let mut text = vec![b'a'; 64];
        text.push(b'!');
        assert!(!hopeless.is_match(&text));
        let Regex::Stepwise(stepwise) = hopeless else { panic!("linear?") };
        assert_eq!(stepwise.given_up.load(Relaxed), 1);
    }

    #[test]
    fn the_first_of_several_is_found() {
        let mut regexes = Regexes::new(false);
        for (text, id) in ["^/a", "b$", r"(x)\1", "^/", "zz", "yy"].iter().zip(0..) {
            regexes.insert(compile_regex(text, false).unwrap(), id);
            regexes.settle();
        }
        assert_eq!(regexes.find(b"/ab"), Some(0));
        assert_eq!(regexes.find(b"xxb"), Some(1));
        assert_eq!(regexes.find(b"-xx-"), Some(2));
        assert_eq!(regexes.find(b"/q"), Some(3));
        assert_eq!(regexes.find(b"q"), None);
        regexes.remove(3);
        assert_eq!(regexes.find(b"/q"), None);
        assert_eq!(regexes.find(b"-yy"), Some(5));
    }
}
