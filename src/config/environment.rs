//! `setenv`, `presetenv`, `unsetenv`, `resetenv` (manual 3.1): variables of the lines that follow.
//!
//! In: these lines, and the environment the process was started with. Out: what `"${NAME}"` stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::diagnostic::Diagnostic;
use crate::config::outside::Outside;
use crate::config::section::Sections;

/// What the configuration has changed in the environment so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// Values that were set, and `None` for variables that were removed.
    changed: BTreeMap<String, Option<Vec<u8>>>,
    /// After `resetenv`: the only variables of the process's own environment that are left.
    left: Option<BTreeSet<String>>,
}

impl Environment {
    /// The value of a variable, as the lines read so far leave it.
    pub fn get(&self, name: &str, outside: &mut dyn Outside) -> Option<Vec<u8>> {
        if let Some(value) = self.changed.get(name) {
            return value.clone();
        }
        match &self.left {
            Some(left) if !left.contains(name) => None,
            _ => outside.env(name),
        }
    }

    /// The value of a variable while the process runs: `env()` asks for it.
    pub fn value(&self, name: &str) -> Option<Vec<u8>> {
        match (self.changed.get(name), &self.left) {
            (Some(value), _) => value.clone(),
            (None, Some(left)) if !left.contains(name) => None,
            (None, _) => std::env::var_os(name).map(OsString::into_vec),
        }
    }

    /// Every variable with its value while the process runs, those of the process first.
    pub fn all(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let own = std::env::vars_os().filter(|(name, _)| {
            name.to_str().is_none_or(|name| {
                let left = self.left.as_ref().is_none_or(|left| left.contains(name));
                left && !self.changed.contains_key(name)
            })
        });
        let own = own.map(|(name, value)| (name.into_vec(), value.into_vec()));
        let changed = self.changed.iter();
        let set = changed.filter_map(|(n, v)| Some((n.clone().into_bytes(), v.clone()?)));
        own.chain(set).collect()
    }

    /// A text in which `$NAME` and `${NAME}` stand for variables, as they do in addresses outside of quotes
    /// too; for what is not there stands nothing.
    pub fn expand(&self, text: &str, outside: &mut dyn Outside) -> String {
        let mut pieces = text.split('$');
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let piece = piece.strip_prefix('{').unwrap_or(piece);
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = piece.find(|c| !is_name(c)).unwrap_or(piece.len());
            let (name, rest) = piece.split_at(end);
            let value = self.get(name, outside).unwrap_or_default();
            out.push_str(&String::from_utf8_lossy(&value));
            out.push_str(rest.strip_prefix('}').unwrap_or(rest));
        }
        out
    }

    fn keep_only(&mut self, names: BTreeSet<String>) {
        self.changed.retain(|name, _| names.contains(name));
        self.left = Some(match self.left.take() {
            Some(left) => left.intersection(&names).cloned().collect(),
            None => names,
        });
    }
}

fn refuse(line: &Line<'_>, text: &str) -> Diagnostic {
    let place = line.words.place;
    let text = format!("parsing [{place}]: '{}' {text}", line.keyword.name);
    Diagnostic::alert(Some(place), text)
}

fn set(line: &mut Line<'_>, overwrite: bool) -> Parsed {
    let name = line.word().map(|word| word.str().into_owned());
    let value = line.word().map(|word| word.bytes().to_vec());
    let (Some(name), Some(value)) = (name, value) else {
        return Err(refuse(line, "expects a name and a value."));
    };
    if name.is_empty() || name.contains('=') {
        return Err(refuse(line, &format!("failed on variable '{name}' : Invalid argument.")));
    }
    if overwrite || line.spec.environment.get(&name, line.outside).is_none() {
        line.spec.environment.changed.insert(name, Some(value));
    }
    Ok(())
}

fn names(line: &mut Line<'_>) -> BTreeSet<String> {
    line.rest().iter().map(|word| word.str().into_owned()).collect()
}

fn unset(line: &mut Line<'_>) -> Parsed {
    let names = names(line);
    if names.is_empty() {
        return Err(refuse(line, "expects at least one variable name."));
    }
    line.spec.environment.changed.extend(names.into_iter().map(|name| (name, None)));
    Ok(())
}

const GLOBAL: Keyword =
    Keyword { sections: Sections::GLOBAL, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "presetenv",
            args: "<name> <value>",
            doc: "Sets a variable of the environment unless it is set already.",
            examples: &["presetenv PORT 8080"],
            parse: |line| set(line, false),
            ..GLOBAL
        },
        Keyword {
            name: "resetenv",
            args: "[<name> ...]",
            doc: "Removes all variables of the environment but these.",
            examples: &["resetenv PATH HOME"],
            parse: |line| {
                let names = names(line);
                line.spec.environment.keep_only(names);
                Ok(())
            },
            ..GLOBAL
        },
        Keyword {
            name: "setenv",
            args: "<name> <value>",
            doc: "Sets a variable of the environment.",
            examples: &["setenv PORT 8080"],
            parse: |line| set(line, true),
            ..GLOBAL
        },
        Keyword {
            name: "unsetenv",
            args: "<name> ...",
            doc: "Removes variables of the environment.",
            examples: &["unsetenv PORT"],
            parse: unset,
            ..GLOBAL
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::outside::RealOutside;

    #[test]
    fn what_is_changed_hides_the_process() {
        let mut outside = RealOutside::default().with_variable("A", "own").with_variable("B", "b");
        let mut environment = Environment::default();
        assert_eq!(environment.get("A", &mut outside).as_deref(), Some(&b"own"[..]));
        environment.changed.insert("A".into(), Some(b"new".to_vec()));
        assert_eq!(environment.get("A", &mut outside).as_deref(), Some(&b"new"[..]));
        environment.keep_only(["B".to_owned()].into());
        assert_eq!(environment.get("A", &mut outside), None);
        assert_eq!(environment.get("B", &mut outside).as_deref(), Some(&b"b"[..]));
    }
}
