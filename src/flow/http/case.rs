//! How header names are written to peers that want upper case (manual 3.1 "h1-case-adjust", 4.2 "option
//! h1-case-adjust-bogus-client"). In: names in lower case. Out: as the operator has written them.

use std::collections::HashMap;
use std::path::Path;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;
use crate::config::tuning::refuse;

/// Names that are not written in lower case, by their names in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaseAdjust {
    names: HashMap<Box<[u8]>, Box<[u8]>>,
}

impl CaseAdjust {
    /// The name as it is written.
    pub fn name<'a>(&'a self, name: &'a [u8]) -> &'a [u8] {
        self.names.get(name).map_or(name, |adjusted| adjusted)
    }

    /// Takes in one that differs in case only.
    fn insert(&mut self, from: &[u8], to: &[u8]) -> Result<(), String> {
        if !from.eq_ignore_ascii_case(to) {
            return Err("<from> and <to> must not differ execpt the case".to_owned());
        }
        if self.names.contains_key(&*from.to_ascii_lowercase()) {
            return Err(format!("duplicate entry '{}'", String::from_utf8_lossy(from)));
        }
        self.names.insert(from.to_ascii_lowercase().into(), to.into());
        Ok(())
    }

    /// Takes in the lines of a file; blank ones and those that begin with `#` say nothing.
    fn read(&mut self, text: &[u8]) -> Result<(), String> {
        for (number, line) in text.split(|b| *b == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let at = |what: &str| format!("{what} at line {}", number + 1);
            let Some(end) = line.iter().position(u8::is_ascii_whitespace) else {
                return Err(at("expect <to>"));
            };
            let (from, to) = line.split_at(end);
            self.insert(from, to.trim_ascii()).map_err(|error| at(&error))?;
        }
        Ok(())
    }
}

fn case_adjust(line: &mut Line<'_>) -> Parsed {
    let (Some(from), Some(to)) = (line.word(), line.word()) else {
        return Err(refuse(line, "expects <from> and <to> as argument."));
    };
    line.end()?;
    line.global().case_adjust.insert(from.bytes(), to.bytes()).map_err(|e| line.alert(e))
}

fn case_file(line: &mut Line<'_>) -> Parsed {
    let Some(path) = line.word() else { return Err(refuse(line, "expects <file> as argument.")) };
    line.end()?;
    let mistake =
        |what: &str| format!("config : h1-outgoing-headers-case-adjust-file '{path}': {what}");
    let Ok(text) = line.outside.read_file(Path::new(&*path.str())) else {
        return Err(line.bare(mistake("failed to open file.")));
    };
    // Names in the file are added to those that are written here.
    let read = line.global().case_adjust.read(&text);
    read.map_err(|what| line.bare(mistake(&what).replacen("': ", "' : ", 1) + "."))
}

const GLOBAL: Keyword =
    Keyword { sections: Sections::GLOBAL, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "h1-case-adjust",
            args: "<from> <to>",
            doc: "How a header name is written towards peers that need upper case, where option h1-case-adjust-bogus-client or -server asks for it.",
            examples: &["h1-case-adjust content-length Content-Length"],
            parse: case_adjust,
            ..GLOBAL
        },
        Keyword {
            name: "h1-case-adjust-file",
            args: "<file>",
            doc: "A file of header names as h1-case-adjust takes them.",
            examples: &["h1-case-adjust-file /dev/null"],
            parse: case_file,
            ..GLOBAL
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_file_are_written_as_it_says() {
        let mut names = CaseAdjust::default();
        names.read(b"# names\n\n  host   Host  \r\nx-a\tX-A").unwrap();
        assert_eq!(names.name(b"host"), b"Host");
        assert_eq!(names.name(b"x-a"), b"X-A");
        assert_eq!(names.name(b"x-b"), b"x-b");
        let mistake = |text: &[u8]| CaseAdjust::default().read(text).unwrap_err();
        assert_eq!(mistake(b"\na"), "expect <to> at line 2");
        assert_eq!(mistake(b"a A b"), "<from> and <to> must not differ execpt the case at line 1");
    }
}
