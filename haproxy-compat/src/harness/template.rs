//! The `{name}` places in a configuration text.
//!
//! | written | becomes |
//! |---|---|
//! | `bind {fe}` | `bind 127.0.0.1:PORT`, a free port the harness reserves for the name `fe` |
//! | `{fe}` elsewhere | the same address |
//! | `{fe.port}` | its port alone |
//! | `{s1}`, `{s1.port}` | an address given by the test with `Builder::name("s1", …)` |
//! | `{dir}` | the proxy's own folder |
//! | `{cli}`, `{master}` | unix socket paths in that folder, for `stats socket` and `-S` |
//!
//! A name begins with a lower-case letter and holds lower-case letters, digits, `_`, `-`. Anything else
//! between braces (`%{+Q}o`, `[a-f]{2}`, `{ path /x }`, `"${ENV}"`) stays as it is. A name that
//! nobody defined is an error, not an empty text.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Result, bail};

/// What each name stands for.
pub type Names = BTreeMap<String, String>;

/// The addresses that stand for names.
pub type Addresses = BTreeMap<String, SocketAddr>;

/// Puts every `{name}` of `text` in place.
pub fn fill(text: &str, names: &Names) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next_place(rest) {
        out.push_str(before);
        match names.get(name) {
            Some(value) => out.push_str(value),
            None => bail!("{{{name}}} is not defined; defined are: {}", known(names)),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The names that stand after `bind` in `text`: the addresses the proxy itself listens on.
pub fn listeners(text: &str) -> Vec<String> {
    let bind_lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("bind "));
    let addresses = bind_lines.filter_map(|line| line.split_whitespace().next());
    let mut found = Vec::new();
    for mut address in addresses {
        while let Some((_, name, after)) = next_place(address) {
            let name = name.strip_suffix(".port").unwrap_or(name);
            if !matches!(name, "dir" | "cli" | "master") && !found.iter().any(|n| n == name) {
                found.push(name.to_owned());
            }
            address = after;
        }
    }
    found
}

/// Splits at the first `{name}` that is not `${name}`.
fn next_place(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let inside = &text[open + 1..];
        if let Some(close) = inside.find('}')
            && is_name(&inside[..close])
            && !text[..open].ends_with('$')
        {
            return Some((&text[..open], &inside[..close], &inside[close + 1..]));
        }
        from = open + 1;
    }
    None
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(letter)
}

fn known(names: &Names) -> String {
    names.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_other_braces_are_not() {
        let names = Names::from([("fe".to_owned(), "127.0.0.1:1".to_owned())]);
        let text = "bind {fe}\nlog-format %{+Q}o [a-f]{2} { path /x } \"${fe}\"";
        let filled = fill(text, &names).unwrap();
        assert_eq!(filled, text.replace("bind {fe}", "bind 127.0.0.1:1"));
        assert!(fill("{nobody}", &names).is_err());
    }

    #[test]
    fn listeners_are_the_names_after_bind() {
        let text = "listen a\n bind {fe},{fe2} v4v6\n bind unix@{dir}/x\n bind :{third.port}\n server s {s1}";
        assert_eq!(listeners(text), ["fe", "fe2", "third"]);
    }
}
