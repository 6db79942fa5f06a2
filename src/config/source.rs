//! Configuration texts are found, read and cut into lines (manual 2.1; management.txt 3, `-f`).
//!
//! In: the paths of the command line and the [`Outside`] they are read through. Out: the files in
//! the order in which they are parsed, and each one's lines with their numbers. HAProxy 2.3 has
//! no continuation lines and no limit to a line's length; a NUL ends the reading of a file.

use std::borrow::Cow;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::diagnostic::{Diagnostic, Place};
use crate::config::outside::Outside;

/// One configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name as given on the command line; of a directory's file, with the directory.
    pub name: Arc<str>,
    /// The whole content.
    pub text: Arc<[u8]>,
}

/// One line of a file, without its LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLine<'a> {
    /// 1-based.
    pub number: u32,
    /// The line's bytes, up to the first NUL.
    pub bytes: &'a [u8],
}

/// Replaces each directory by the configuration files in it: regular files whose name ends in
/// `.cfg` and does not begin with a dot, in the order of their bytes.
///
/// # Errors
/// HAProxy's alert for the first path that does not exist. It ends the run with status 1, and
/// nothing follows it.
pub fn expand(paths: &[PathBuf], outside: &mut dyn Outside) -> Result<Vec<PathBuf>, Diagnostic> {
    let mut files = Vec::new();
    for path in paths {
        match outside.list_directory(path) {
            Ok(inside) => files.extend(inside.into_iter().filter(|file| is_configuration(file))),
            // Not a directory, or one that `read` will complain about.
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => files.push(path.clone()),
            Err(e) => return Err(cannot("Cannot open configuration file/directory", path, &e)),
        }
    }
    Ok(files)
}

/// Reads one file.
///
/// # Errors
/// HAProxy's alert. It ends the run with status 1, and nothing follows it.
pub fn read(path: &Path, outside: &mut dyn Outside) -> Result<Source, Diagnostic> {
    match outside.read_file(path) {
        Ok(text) => Ok(Source { name: path.to_string_lossy().into(), text }),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
            Err(cannot("Cannot open configuration file/directory", path, &e))
        }
        Err(e) => Err(cannot("Could not open configuration file", path, &e)),
    }
}

impl Source {
    /// The lines in order. The last item may be the alert for a file that ends badly; nothing
    /// follows it.
    pub fn lines(&self) -> Lines<'_> {
        Lines { source: self, rest: &self.text, number: 0, cut: None, done: false }
    }

    /// The text of a line, for excerpts; `None` when there is no such line. `number` is 1-based.
    pub fn line(&self, number: u32) -> Option<Cow<'_, str>> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let line = self.text.split(|b| *b == b'\n').nth(index)?;
        Some(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    fn place(&self, line: u32, column: u32) -> Place {
        Place { file: self.name.clone(), line, column }
    }
}

/// The lines of a [`Source`].
#[derive(Debug)]
pub struct Lines<'a> {
    source: &'a Source,
    rest: &'a [u8],
    number: u32,
    /// How many bytes of the last line were used, if it did not end in LF.
    cut: Option<usize>,
    done: bool,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<SourceLine<'a>, Diagnostic>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if let Some(used) = self.cut {
            self.done = true;
            return Some(Err(self.broken(used)));
        }
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = match memchr::memchr(b'\n', self.rest) {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => {
                self.cut = Some(self.rest.len());
                (self.rest, &self.rest[self.rest.len()..])
            }
        };
        self.rest = rest;
        self.number = self.number.saturating_add(1);
        let bytes = match memchr::memchr(0, line) {
            Some(nul) => {
                self.cut = Some(nul);
                &line[..nul]
            }
            None => line,
        };
        Some(Ok(SourceLine { number: self.number, bytes }))
    }
}

impl Lines<'_> {
    /// The alert for a line that broke off after `used` bytes. A NUL in the last line cannot be
    /// told from a missing LF, as in 2.3.
    fn broken(&self, used: usize) -> Diagnostic {
        let position = used + 1;
        let what = match self.rest.is_empty() {
            true => format!(
                "Missing LF on last line, file might have been truncated at position {position}."
            ),
            false => format!("Stray NUL character at position {position}."),
        };
        let place = self.source.place(self.number, u32::try_from(position).unwrap_or(u32::MAX));
        Diagnostic::alert(Some(&place), format!("parsing [{place}]: {what}"))
    }
}

impl SourceLine<'_> {
    /// Whether the line is a scope (`[name]`), which stands outside of sections and words.
    pub fn is_scope(&self) -> bool {
        self.bytes.iter().find(|b| !is_blank(**b)) == Some(&b'[')
    }

    /// What is wrong with a scope line, as HAProxy words it after `parsing [file:line] : `.
    ///
    /// # Errors
    /// An empty name, a character that names may not hold, or text behind the bracket.
    pub fn scope(&self) -> Result<(), String> {
        let start = self.bytes.iter().position(|b| *b == b'[').map_or(0, |at| at + 1);
        let inside = &self.bytes[start..];
        let name = match inside.iter().position(|b| *b == b']') {
            None | Some(0) => return Err("empty scope name is forbidden.".into()),
            Some(end) => &inside[..end],
        };
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:".contains(b);
        if let Some(bad) = name.iter().find(|b| !allowed(b)) {
            return Err(format!("character '{}' is not permitted in a scope name.", *bad as char));
        }
        match inside[name.len() + 1..].iter().find(|b| !is_blank(**b)) {
            None | Some(b'#') => Ok(()),
            Some(bad) => Err(format!(
                "character '{}' is not permitted after scope declaration.",
                *bad as char
            )),
        }
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// HAProxy looks for the first `.cfg` of a name, so `a.cfg.cfg` is none.
fn is_configuration(file: &Path) -> bool {
    let name = file.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    let first = name.windows(4).position(|part| part == b".cfg");
    !name.starts_with(b".") && first.is_some_and(|at| at + 4 == name.len())
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::alert(None, format!("{what} {} : {}", path.display(), reason(error)))
}

/// What `strerror` says, without Rust's number behind it.
pub fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::outside::{RealOutside, Sockets};

    fn lines(text: &[u8]) -> (Vec<(u32, String)>, Option<String>) {
        let source = Source { name: "t.cfg".into(), text: text.into() };
        let mut found = Vec::new();
        let mut alert = None;
        for line in source.lines() {
            assert_eq!(alert, None, "nothing follows an alert");
            match line {
                Ok(line) => found.push((line.number, String::from_utf8_lossy(line.bytes).into())),
                Err(e) => alert = Some(e.text),
            }
        }
        (found, alert)
    }

    fn numbered(expected: &[&str]) -> Vec<(u32, String)> {
        (1..).zip(expected.iter().map(|l| (*l).to_owned())).collect()
    }

    #[test]
    fn lines_are_numbered() {
        assert_eq!(lines(b""), (vec![], None));
        assert_eq!(lines(b"\n a\r\n\nb\\\nc\n"), (numbered(&["", " a\r", "", "b\\", "c"]), None));
    }

    #[test]
    fn a_missing_lf_is_told_after_the_line_was_read() {
        let (found, alert) = lines(b"global\n foo\n bar");
        assert_eq!(found, numbered(&["global", " foo", " bar"]));
        assert_eq!(
            alert.as_deref(),
            Some(
                "parsing [t.cfg:3]: Missing LF on last line, file might have been truncated at position 5."
            )
        );
    }

    #[test]
    fn a_nul_ends_the_file() {
        let (found, alert) = lines(b"global\n foo\0bar\n bar\n");
        assert_eq!(found, numbered(&["global", " foo"]));
        assert_eq!(alert.as_deref(), Some("parsing [t.cfg:2]: Stray NUL character at position 5."));
        let (_, alert) = lines(b"global\n foo\0bar");
        assert!(
            alert.unwrap().ends_with(
                "Missing LF on last line, file might have been truncated at position 5."
            )
        );
    }

    #[test]
    fn only_cfg_files_of_a_directory_count() {
        let is = |name: &str| is_configuration(Path::new(name));
        assert!(is("d/a.cfg"));
        assert!(!is("d/a.cfg.cfg") && !is("d/.a.cfg") && !is("d/a.conf") && !is("d/a.cfg~"));
    }

    #[test]
    fn scopes() {
        let scope = |text: &str| SourceLine { number: 1, bytes: text.as_bytes() }.scope();
        assert_eq!(scope(" [a-b.c:1] # x"), Ok(()));
        assert_eq!(scope("[]"), Err("empty scope name is forbidden.".into()));
        assert_eq!(scope("[a"), Err("empty scope name is forbidden.".into()));
        assert_eq!(scope("[a b]"), Err("character ' ' is not permitted in a scope name.".into()));
        assert_eq!(
            scope("[a] b"),
            Err("character 'b' is not permitted after scope declaration.".into())
        );
    }

    #[test]
    fn directories_are_replaced_by_their_files() {
        let root = std::env::temp_dir().join(format!("source-{}", std::process::id()));
        std::fs::create_dir_all(root.join("x.cfg")).unwrap();
        for name in ["b.cfg", "a.cfg", ".c.cfg", "d.txt"] {
            std::fs::write(root.join(name), "global\n").unwrap();
        }
        let file = root.join("d.txt");
        let mut outside = RealOutside::new(Sockets::default());
        let found = expand(&[file.clone(), root.clone(), file.clone()], &mut outside).unwrap();
        let expected = [file.clone(), root.join("a.cfg"), root.join("b.cfg"), file.clone()];
        assert_eq!(found, expected);
        assert_eq!(&*read(&file, &mut outside).unwrap().text, b"global\n");
        let missing = root.join("missing");
        let told = expand(std::slice::from_ref(&missing), &mut outside).unwrap_err().text;
        let told = told.replace(&root.display().to_string(), "");
        assert_eq!(
            told,
            "Cannot open configuration file/directory /missing : No such file or directory"
        );
        let told = read(&file.join("x"), &mut outside).unwrap_err().text;
        let told = told.replace(&root.display().to_string(), "");
        assert_eq!(told, "Cannot open configuration file/directory /d.txt/x : Not a directory");
        std::fs::remove_dir_all(root).unwrap();
    }
}
