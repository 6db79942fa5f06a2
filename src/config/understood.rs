//! `-dC`: a configuration as it was understood (manual 2.1 to 2.3). In: configuration texts. Out: their
//! directives after quotes, escapes, variables and files, one a line, each with where it came from, as
//! text that parses to the same `Spec` again.

use std::fmt;

use crate::config::diagnostic::{Diagnostics, Place};
use crate::config::outside::Outside;
use crate::config::parse_told;
use crate::config::section::Sections;
use crate::config::source::Source;
use crate::config::spec::Spec;
use crate::config::words::{self, MAX_WORDS, Word};

/// One directive, or the line that opens a section.
#[derive(Debug, Clone, PartialEq)]
pub struct Directive {
    /// Where it stands.
    pub place: Place,
    /// Its words, from `no` or the keyword on; never none.
    pub words: Vec<Word>,
}

/// What was understood of a configuration.
#[derive(Debug, Clone)]
pub struct Understood {
    /// What its directives came to.
    pub spec: Spec,
    /// The directives in their order, those that were refused too.
    pub directives: Vec<Directive>,
}

/// Parses texts and keeps their directives; mistakes are collected.
pub fn understand(
    sources: &[Source],
    outside: &mut dyn Outside,
    diagnostics: &mut Diagnostics,
) -> Understood {
    let mut directives = Vec::new();
    let spec = parse_told(sources, outside, diagnostics, &mut |place, words| {
        directives.push(Directive { place: place.clone(), words: words.to_vec() });
    });
    Understood { spec, directives }
}

impl Directive {
    fn opens_section(&self) -> bool {
        self.words.first().is_some_and(|first| Sections::NAMES.iter().any(|(s, _)| *first == **s))
    }
}

impl fmt::Display for Understood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, directive) in self.directives.iter().enumerate() {
            if directive.opens_section() && index > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{directive}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Directive {
    /// The words, quoted where they need it, and `# file:line`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indent = if self.opens_section() { "" } else { "    " };
        let words: Vec<String> = self.words.iter().map(words::quote).collect();
        // A blank after the last word that fits counts as one more; a comment needs none.
        let blank = if words.len() < MAX_WORDS { " " } else { "" };
        let file = self.place.file.replace(char::is_control, "?");
        write!(f, "{indent}{}{blank}# {file}:{}", words.join(" "), self.place.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::outside::{RealOutside, Sockets};

    fn source(name: &str, text: impl Into<Vec<u8>>) -> Source {
        Source { name: name.into(), text: text.into().into() }
    }

    fn read(sources: &[Source]) -> Understood {
        let mut outside = RealOutside::new(Sockets::default()).with_variable("PORTS", "81 # \"x\"");
        let mut diagnostics = Diagnostics::default();
        let understood = understand(sources, &mut outside, &mut diagnostics);
        assert!(!diagnostics.refused(), "{:?}", diagnostics.list);
        understood
    }

    #[test]
    fn directives_are_printed_with_where_they_came_from() {
        let sources = [
            source("a.cfg", "# comment\nglobal\n setenv A 'x y'\n\n[scope]\ndefaults # here\n"),
            source("b.cfg", "  timeout   client \"10s\"\nfrontend f\n no option dontlognull\n"),
        ];
        let expected = "global # a.cfg:2\n    setenv A \"x y\" # a.cfg:3\n\n\
            defaults # a.cfg:6\n    timeout client 10s # b.cfg:1\n\n\
            frontend f # b.cfg:2\n    no option dontlognull # b.cfg:3\n";
        assert_eq!(read(&sources).to_string(), expected);
    }

    #[test]
    fn what_is_printed_parses_to_the_same_spec() {
        let many =
            format!("acl many path{}", (0..61).map(|n| format!(" /{n}")).collect::<String>());
        let lines: [&[u8]; 11] = [
            b"global",
            b" setenv NAME \"a b\"",
            b" description \"$NAME ${PORTS} \\$NAME\\t\\n\\x01\"",
            b"defaults",
            b" mode http",
            b"frontend f",
            b" log-format %ci\\ \\[%t]\\ \\\"%r\\\"\\ %{+Q}o\\ '\\'#\\\\",
            b" acl odd hdr(x) -m str \xff\xfe caf\xc3\xa9 {a} \"it's\" 'say \"no\"' $NAME \\",
            b" http-request set-header X %[str(\\'a,b\\'),lower] if odd or { path '/ x' } ! odd",
            many.as_bytes(),
            b" default_backend f # \xff",
        ];
        let mut text = lines.join(&b'\n');
        text.push(b'\n');
        let original = read(&[source("a\nb.cfg", text)]);
        let printed = original.to_string();
        let again = read(&[source("printed.cfg", printed.clone())]);
        assert_eq!(original.spec, again.spec, "{printed}");
        let bytes = |all: &Understood| {
            let words = |d: &Directive| d.words.iter().map(|w| w.bytes().to_vec()).collect();
            all.directives.iter().map(words).collect::<Vec<Vec<_>>>()
        };
        assert_eq!(bytes(&original), bytes(&again));
        assert_eq!(original.directives.len(), lines.len());
    }
}
