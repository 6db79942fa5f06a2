//! Numbers and ranges of numbers (`int`, `len`, versions): few are looked at one by one, many are cut
//! into stretches that do not overlap. Manual 7.1.2.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Up to so many ranges are looked at one by one.
const FEW: usize = 16;

/// An inclusive range.
pub type Range = (i64, i64);

/// Ranges with the numbers of their elements.
#[derive(Debug, Clone, Default)]
pub struct Ranges {
    /// In the order of the elements.
    list: Vec<(Range, u32)>,
    /// Where a stretch begins and which element of `list[..indexed]` comes first in it.
    stretches: Vec<(i64, Option<u32>)>,
    indexed: usize,
}

impl Ranges {
    /// Takes in a range behind the others.
    pub fn insert(&mut self, range: Range, id: u32) {
        self.list.push((range, id));
    }

    /// Cuts stretches anew if enough has been added.
    pub fn settle(&mut self) {
        let fresh = self.list.len() - self.indexed;
        if fresh > FEW.max(self.indexed / 8) {
            self.cut();
        }
    }

    /// Forgets an element.
    pub fn remove(&mut self, id: u32) {
        let Ok(at) = self.list.binary_search_by_key(&id, |(_, id)| *id) else { return };
        self.list.remove(at);
        if at < self.indexed {
            self.cut();
        }
    }

    /// The first element whose range holds the number.
    pub fn find(&self, number: i64) -> Option<u32> {
        let after = self.stretches.partition_point(|(start, _)| *start <= number);
        let found = after.checked_sub(1).and_then(|at| self.stretches.get(at)?.1);
        found.or_else(|| {
            let fresh = self.list.get(self.indexed..).unwrap_or_default();
            let holds = |((low, high), _): &&(Range, u32)| (*low..=*high).contains(&number);
            fresh.iter().find(holds).map(|(_, id)| *id)
        })
    }

    fn cut(&mut self) {
        self.stretches.clear();
        self.indexed = self.list.len();
        let mut starts = self.list.clone();
        starts.sort_unstable_by_key(|((low, _), _)| *low);
        let mut edges: Vec<i64> = starts.iter().map(|((low, _), _)| *low).collect();
        edges.extend(starts.iter().filter_map(|((_, high), _)| high.checked_add(1)));
        edges.sort_unstable();
        edges.dedup();
        // What has begun, the first element on top; what is over is thrown away when it comes up.
        let mut open: BinaryHeap<Reverse<(u32, i64)>> = BinaryHeap::new();
        let mut next = starts.iter().peekable();
        for edge in edges {
            while let Some(((_, high), id)) = next.next_if(|((low, _), _)| *low <= edge) {
                open.push(Reverse((*id, *high)));
            }
            while open.peek().is_some_and(|Reverse((_, high))| *high < edge) {
                open.pop();
            }
            let first = open.peek().map(|Reverse((id, _))| *id);
            if self.stretches.last().map(|(_, id)| *id) != Some(first) {
                self.stretches.push((edge, first));
            }
        }
    }
}

/// Reads `5`, `1:10`, `:10`, `1-`; the error is worded as HAProxy's.
pub fn range(text: &[u8]) -> Result<Range, String> {
    read(text, "a number", "a valid number range", whole)
}

/// The same of versions such as `3.1`: major times 65,536 plus minor.
pub fn versions(text: &[u8]) -> Result<Range, String> {
    read(text, "a dotted number", "a valid dotted number range", dotted)
}

fn read(
    text: &[u8],
    one: &str,
    several: &str,
    number: fn(&str) -> Option<i64>,
) -> Result<Range, String> {
    let text = &*String::from_utf8_lossy(text);
    let not = |what: &str| format!("'{text}' is not {what}");
    let Some(at) = text.find([':', '-']) else {
        let empty = if text.is_empty() { several } else { one };
        return number(text).map(|n| (n, n)).ok_or_else(|| not(empty));
    };
    let (low, high) = (&text[..at], &text[at + 1..]);
    let bound = |part: &str, open: i64| match part.is_empty() {
        true => Ok(open),
        false => number(part).ok_or_else(|| not(several)),
    };
    if low.is_empty() && high.is_empty() {
        return Err(not(several));
    }
    let (low, high) = (bound(low, i64::MIN)?, bound(high, i64::MAX)?);
    if low > high { Err(not(several)) } else { Ok((low, high)) }
}

fn whole(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn dotted(text: &str) -> Option<i64> {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    let (major, minor): (u16, u16) = (major.parse().ok()?, minor.parse().ok()?);
    Some(i64::from(major) << 16 | i64::from(minor))
}

/// The operators that may stand before numbers in an ACL.
pub const OPERATORS: [&str; 5] = ["eq", "gt", "ge", "lt", "le"];

/// A number after an operator, written as the range that it means.
pub fn with_operator(operator: &str, text: &str, version: bool) -> Result<String, String> {
    if operator == "eq" || text.contains([':', '-']) {
        return Ok(text.to_owned());
    }
    let neither = || format!("'{text}' is neither a number nor a supported operator");
    let (major, minor) = match text.split_once('.') {
        Some((major, minor)) if version => (major, minor.parse().map_err(|_| neither())?),
        Some((major, _)) => (major, 0),
        None => (text, 0i64),
    };
    let mut value: i64 = major.parse().map_err(|_| neither())?;
    if version {
        if minor >= 65_536 {
            return Err(format!("'{text}' contains too large a minor value"));
        }
        if value >= 65_536 {
            return Err(format!("'{text}' contains too large a major value"));
        }
        value = value << 16 | minor;
    }
    value = match operator {
        "gt" => value.wrapping_add(1),
        "lt" => value.wrapping_sub(1),
        _ => value,
    };
    let number = match version {
        true => format!("{}.{}", value >> 16, value & 0xffff),
        false => value.to_string(),
    };
    Ok(match operator {
        "gt" | "ge" => format!("{number}:"),
        _ => format!(":{number}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_open_at_either_end() {
        assert_eq!(range(b"5"), Ok((5, 5)));
        assert_eq!(range(b"1:10"), Ok((1, 10)));
        assert_eq!(range(b"-5"), Ok((i64::MIN, 5)));
        assert_eq!(range(b":-5"), Ok((i64::MIN, -5)));
        assert_eq!(range(b"7-"), Ok((7, i64::MAX)));
        assert_eq!(range(b"3:1"), Err("'3:1' is not a valid number range".into()));
        assert_eq!(range(b"x"), Err("'x' is not a number".into()));
        assert_eq!(range(b":"), Err("':' is not a valid number range".into()));
        assert_eq!(versions(b"3.0-3.1"), Ok((0x3_0000, 0x3_0001)));
        assert_eq!(versions(b"x"), Err("'x' is not a dotted number".into()));
    }

    #[test]
    fn operators_become_ranges() {
        assert_eq!(with_operator("gt", "3", false), Ok("4:".into()));
        assert_eq!(with_operator("le", "3", false), Ok(":3".into()));
        assert_eq!(with_operator("lt", "3.1", true), Ok(":3.0".into()));
        assert_eq!(with_operator("ge", "1:3", false), Ok("1:3".into()));
        let neither = "'x' is neither a number nor a supported operator";
        assert_eq!(with_operator("ge", "x", false), Err(neither.into()));
    }

    #[test]
    fn many_ranges_give_the_first_that_holds_a_number() {
        let mut state = 7u64;
        let mut random = |below: i64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as i64 % below
        };
        for _ in 0..200 {
            let mut all: Vec<(Range, u32)> = Vec::new();
            let mut ranges = Ranges::default();
            for id in 0..random(60) as u32 {
                let low = random(100) - 50;
                let range = (low, low + random(30));
                all.push((range, id));
                ranges.insert(range, id);
                ranges.settle();
            }
            for _ in 0..random(10) {
                let gone = random(60) as u32;
                all.retain(|(_, id)| *id != gone);
                ranges.remove(gone);
            }
            for number in -55..90 {
                let holds = |((low, high), _): &&(Range, u32)| (*low..=*high).contains(&number);
                assert_eq!(ranges.find(number), all.iter().find(holds).map(|(_, id)| *id));
            }
        }
    }
}
