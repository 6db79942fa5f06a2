//! What the process says on its terminal: `[ALERT] 325/143135 (4331) : text`.
//!
//! In: messages of the start and of a configuration. Out: lines on stderr, and `Configuration file is valid`
//! on stdout, as far as `-q` and `-V` allow.

use crate::config::diagnostic::{Diagnostic, Diagnostics, Level};
use crate::config::source::Source;
use crate::sys;
use crate::version::VERSION;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Set once the start is over and the process is to be quiet (`-q`, `quiet`, a daemon).
static QUIET: AtomicBool = AtomicBool::new(false);
/// Set once the version has been told, which happens before the first alert.
static INTRODUCED: AtomicBool = AtomicBool::new(false);

/// From now on nothing but what stands in logs.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// `[ALERT]`: something does not work.
pub fn alert(text: impl AsRef<str>) {
    say(Level::Alert, text.as_ref());
}

/// `[WARNING]`: something works, but perhaps not as meant.
pub fn warning(text: impl AsRef<str>) {
    say(Level::Warning, text.as_ref());
}

/// `[NOTICE]`: something happened.
pub fn notice(text: impl AsRef<str>) {
    say(Level::Notice, text.as_ref());
}

/// Every message of a load, with the lines of the configuration they speak of.
pub fn show(diagnostics: &Diagnostics, sources: &[Source]) {
    for diagnostic in &diagnostics.list {
        say(diagnostic.level, &text_of(diagnostic, sources));
    }
}

fn text_of(diagnostic: &Diagnostic, sources: &[Source]) -> String {
    let mut text = diagnostic.text.clone();
    if let Some(place) = &diagnostic.place
        && place.column > 0
        && let Some(source) = sources.iter().find(|source| source.name == place.file)
        && let Some(line) = source.line(place.line)
    {
        let before = line.chars().take(place.column as usize - 1);
        let blank: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        text.push_str(&format!("\n  | {line}\n  | {blank}^"));
    }
    for help in &diagnostic.help {
        text.push_str("\n  ");
        text.push_str(help);
    }
    text
}

fn say(level: Level, text: &str) {
    if QUIET.load(Ordering::Relaxed) {
        return;
    }
    if level == Level::Alert && !INTRODUCED.swap(true, Ordering::Relaxed) {
        write(Level::Notice, &format!("haproxy version is {VERSION}"));
        if let Ok(path) = std::env::current_exe() {
            write(Level::Notice, &format!("path to executable is {}", path.display()));
        }
    }
    write(level, text);
}

fn write(level: Level, text: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = sys::local_time(i64::try_from(now.as_secs()).unwrap_or(0));
    let line = format!(
        "[{}] {:03}/{:02}{:02}{:02} ({}) : {text}\n",
        level.word(),
        date.day_of_year,
        date.hour,
        date.minute,
        date.second,
        std::process::id()
    );
    // One write, so that lines of several processes do not mix; nobody can be told if it fails.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Place;

    #[test]
    fn a_caret_points_at_the_word() {
        let source = Source { name: "a.cfg".into(), text: b"global\n\tfoo bar\n"[..].into() };
        let place = Place { file: "a.cfg".into(), line: 2, column: 6 };
        let diagnostic = Diagnostic::alert(Some(&place), "unknown").with_help("did you mean baz?");
        let text = text_of(&diagnostic, &[source]);
        assert_eq!(text, "unknown\n  | \tfoo bar\n  | \t    ^\n  did you mean baz?");
    }
}
