//! One way of finding in `Elements`: in comes a sample as the method looks at it, out comes the number of
//! the element that matches. Manual 7.1: of several the first one wins, of prefixes (`beg`, `ip`) the longest.

use super::elements::Elements;
use super::integer::{self, Ranges};
use super::ip::{Network, Networks};
use super::keys::Keys;
use super::regex::{Regex, Regexes, compile_regex};
use super::substring::Substrings;
use super::{Method, Probe, Resolve, hex};

/// How elements are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The method.
    pub method: Method,
    /// `-i`
    pub fold: bool,
}

/// Which of several matching elements is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Whichever: only that there is one counts.
    Any,
    /// The one that stands first.
    First,
    /// The one that decides in a map: the longest prefix, otherwise the first.
    Best,
}

/// Finds elements.
#[derive(Debug, Clone)]
pub struct Index {
    shape: Shape,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Always,
    True,
    Ranges(Ranges),
    Networks(Box<Networks>),
    Keys(Box<Keys>),
    Substrings(Box<Substrings>),
    /// Sorted; each with the number of its element.
    Bytes(Vec<(Vec<u8>, u32)>),
    Regexes(Box<Regexes>),
}

impl Index {
    /// Without elements.
    pub fn new(shape: Shape) -> Index {
        let kind = match shape.method {
            Method::Found => Kind::Always,
            Method::Bool => Kind::True,
            Method::Int | Method::Version | Method::Len => Kind::Ranges(Ranges::default()),
            Method::Ip => Kind::Networks(Box::new(Networks::new())),
            Method::Bin => Kind::Bytes(Vec::new()),
            Method::Sub => Kind::Substrings(Box::new(Substrings::new(shape.fold))),
            Method::Reg | Method::Regm => Kind::Regexes(Box::new(Regexes::new(shape.fold))),
            text => Kind::Keys(Box::new(Keys::new(text, shape.fold))),
        };
        Index { shape, kind }
    }

    /// Of all elements; the error, in HAProxy's words, comes with the number of the element.
    pub fn build(
        shape: Shape,
        elements: &Elements,
        mut resolve: Option<Resolve<'_>>,
    ) -> Result<Index, (String, u32)> {
        let mut index = Index::new(shape);
        for id in elements.ids() {
            let resolve = resolve.as_mut().map(|resolve| &mut **resolve as Resolve<'_>);
            index.take_in(elements, id, resolve).map_err(|error| (error, id))?;
        }
        index.settle();
        Ok(index)
    }

    /// How it compares.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Takes in the element that was added last.
    pub fn insert(&mut self, elements: &Elements, id: u32) -> Result<(), String> {
        self.take_in(elements, id, None)?;
        self.settle();
        Ok(())
    }

    fn take_in(
        &mut self,
        elements: &Elements,
        id: u32,
        resolve: Option<Resolve<'_>>,
    ) -> Result<(), String> {
        let key = elements.key(id);
        match &mut self.kind {
            Kind::Always | Kind::True => {}
            Kind::Ranges(ranges) if self.shape.method == Method::Version => {
                ranges.insert(integer::versions(key)?, id);
            }
            Kind::Ranges(ranges) => ranges.insert(integer::range(key)?, id),
            Kind::Networks(networks) => networks.insert(Network::parse(key, resolve)?, id),
            Kind::Keys(keys) => keys.insert(elements, id),
            Kind::Substrings(substrings) => substrings.insert(elements, id),
            Kind::Bytes(list) => list.push((hex(key)?, id)),
            Kind::Regexes(regexes) => {
                let text = String::from_utf8_lossy(key);
                regexes.insert(compile_regex(&text, self.shape.fold)?, id);
            }
        }
        Ok(())
    }

    fn settle(&mut self) {
        match &mut self.kind {
            Kind::Ranges(ranges) => ranges.settle(),
            Kind::Regexes(regexes) => regexes.settle(),
            Kind::Bytes(list) => list.sort(),
            _ => {}
        }
    }

    /// Whether two elements may be written alike, as far as this index has seen.
    pub fn may_repeat(&self) -> bool {
        match &self.kind {
            Kind::Keys(keys) => keys.may_repeat(),
            _ => true,
        }
    }

    /// Forgets an element, which is still there.
    pub fn remove(&mut self, elements: &Elements, id: u32) {
        match &mut self.kind {
            Kind::Always | Kind::True => {}
            Kind::Ranges(ranges) => ranges.remove(id),
            Kind::Networks(networks) => {
                let read = |id| Network::parse(elements.key(id), None).ok();
                let others = elements.ids().filter(|other| *other != id);
                let others = others.filter_map(|id| Some((read(id)?, id)));
                if let Some(network) = read(id) {
                    networks.remove(network, id, others);
                }
            }
            Kind::Keys(keys) => keys.remove(elements, id),
            Kind::Substrings(substrings) => substrings.remove(elements, id),
            Kind::Bytes(list) => list.retain(|(_, other)| *other != id),
            Kind::Regexes(regexes) => regexes.remove(id),
        }
    }

    /// The element that matches.
    pub fn find(&self, elements: &Elements, probe: &Probe<'_>, want: Want) -> Option<u32> {
        match (&self.kind, probe) {
            (Kind::Always, _) => Some(u32::MAX),
            (Kind::True, Probe::Int(number)) => (*number != 0).then_some(u32::MAX),
            (Kind::Ranges(ranges), Probe::Int(number)) => ranges.find(*number),
            (Kind::Networks(networks), Probe::Ip(address)) => networks.find(*address),
            (Kind::Keys(keys), Probe::Text(text)) => {
                let longest = want == Want::Best && self.is_tree();
                keys.find(elements, text, longest)
            }
            (Kind::Substrings(subs), Probe::Text(text)) => {
                subs.find(elements, text, want == Want::Any)
            }
            (Kind::Bytes(list), Probe::Text(text)) => {
                let at = list.partition_point(|(bytes, _)| **bytes < **text);
                list.get(at).filter(|(bytes, _)| **bytes == **text).map(|(_, id)| *id)
            }
            (Kind::Regexes(regexes), Probe::Text(text)) => regexes.find(text),
            _ => None,
        }
    }

    /// The expression of an element, for its groups.
    pub fn regex(&self, id: u32) -> Option<&Regex> {
        match &self.kind {
            Kind::Regexes(regexes) => regexes.get(id),
            _ => None,
        }
    }

    /// The same of one element.
    pub fn is_in_tree(&self, elements: &Elements, id: u32) -> bool {
        let odd = || matches!(Network::parse(elements.key(id), None), Ok(Network::Odd(..)));
        self.is_tree() && !(self.shape.method == Method::Ip && odd())
    }

    /// Whether HAProxy keeps elements of this shape in a tree, where the longest prefix wins, and not
    /// in a list, where the first does. A mask with holes is in a list all the same.
    pub fn is_tree(&self) -> bool {
        match self.shape.method {
            Method::Ip => true,
            Method::Str | Method::Beg => !self.shape.fold,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::text_matches;
    use super::*;

    const TEXTS: [Method; 6] =
        [Method::Str, Method::Beg, Method::End, Method::Sub, Method::Dir, Method::Dom];

    /// A generator of numbers that repeat from run to run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            (self.0 >> 33) as usize % limit
        }

        fn text(&mut self, longest: usize) -> Vec<u8> {
            let length = self.below(longest + 1);
            (0..length).map(|_| b"abAB/.?x"[self.below(8)]).collect()
        }
    }

    /// What HAProxy's lists and trees give, looking at one element after the other.
    fn naive(shape: Shape, elements: &Elements, text: &[u8], want: Want) -> Option<u32> {
        let matches = |id: &u32| text_matches(shape.method, shape.fold, text, elements.key(*id));
        let mut found = elements.ids().filter(matches);
        if want != Want::Best || shape.method != Method::Beg || shape.fold {
            return found.next();
        }
        found.reduce(|best, id| match elements.key(id).len() > elements.key(best).len() {
            true => id,
            false => best,
        })
    }

    fn agree(index: &Index, elements: &Elements, random: &mut Random) {
        for _ in 0..40 {
            let text = random.text(14);
            let probe = Probe::Text(Cow::Borrowed(&text));
            for want in [Want::First, Want::Best] {
                let expected = naive(index.shape(), elements, &text, want);
                let found = index.find(elements, &probe, want);
                let shown = String::from_utf8_lossy(&text);
                assert_eq!(found, expected, "{:?} {want:?} {shown:?} {elements:?}", index.shape());
            }
            let any = index.find(elements, &probe, Want::Any).is_some();
            assert_eq!(any, naive(index.shape(), elements, &text, Want::First).is_some());
        }
    }

    #[test]
    fn an_index_finds_what_a_walk_through_the_list_finds() {
        let mut random = Random(1);
        for round in 0..400 {
            let shape = Shape { method: TEXTS[round % 6], fold: round % 4 < 2 };
            let words: Vec<Vec<u8>> = (0..random.below(40)).map(|_| random.text(5)).collect();
            let words = words.iter().filter(|word| !word.is_empty()).map(Vec::as_slice);
            let mut elements = Elements::of_words(words);
            let mut index = Index::build(shape, &elements, None).unwrap();
            agree(&index, &elements, &mut random);
            for _ in 0..30 {
                if random.below(2) == 0 {
                    let mut word = random.text(4);
                    word.push(b'a');
                    let id = elements.add(&word, None).unwrap();
                    index.insert(&elements, id).unwrap();
                } else if elements.end() > 0 {
                    let id = random.below(elements.end() as usize) as u32;
                    if elements.contains(id) {
                        index.remove(&elements, id);
                        elements.remove(id);
                    }
                }
            }
            agree(&index, &elements, &mut random);
        }
    }

    #[test]
    fn mistakes_name_their_element() {
        let build = |method, words: &[&str]| {
            let elements = Elements::of_words(words.iter().map(|w| w.as_bytes()));
            Index::build(Shape { method, fold: false }, &elements, None).map(|_| ())
        };
        assert_eq!(build(Method::Int, &["1", "x"]), Err(("'x' is not a number".into(), 1)));
        assert!(build(Method::Reg, &["("]).is_err() && build(Method::Bin, &["f"]).is_err());
        assert!(build(Method::Ip, &["1.2.3.4", "x"]).is_err());
    }
}
