//! What the process says on its terminal: `[ALERT] 325/143135 (4331) : text`.
//!
//! In: messages of the start and of a configuration. Out: lines on stderr, and `Configuration file is valid`
//! on stdout, as far as `-q` and `-V` allow.

use crate::config::diagnostic::{Diagnostic, Diagnostics, Level};
use crate::config::source::Source;
use crate::sys;
use crate::version::VERSION;
use std::io::{IsTerminal, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Set once the start is over and the process is to be quiet (`-q`, `quiet`, a daemon).
static QUIET: AtomicBool = AtomicBool::new(false);
/// Set when only alerts are wanted (`-q`).
static ALERTS_ONLY: AtomicBool = AtomicBool::new(false);
/// Set once the version has been told, which happens before the first alert.
static INTRODUCED: AtomicBool = AtomicBool::new(false);

/// From now on nothing but what stands in logs.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// From now on alerts only.
pub fn only_alerts() {
    ALERTS_ONLY.store(true, Ordering::Relaxed);
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

/// How many messages of one level are printed; the others are counted.
const PRINTED: usize = 100;
/// How much of a line is shown, in characters.
const SHOWN: usize = 120;

/// Every message of a load, with the lines of the configuration they speak of. Of very many about
/// lines, the first ones are printed and the others counted.
pub fn show(diagnostics: &Diagnostics, sources: &[Source]) {
    tell(diagnostics, sources, &mut say);
}

/// The same messages as text, for `show startup-logs`.
pub fn startup_logs(diagnostics: &Diagnostics, sources: &[Source], notices: &[String]) -> String {
    let mut text = String::new();
    let mut add = |level: Level, message: &str| text.push_str(&line(level.word(), message));
    tell(diagnostics, sources, &mut add);
    notices.iter().for_each(|notice| add(Level::Notice, notice));
    text
}

fn tell(diagnostics: &Diagnostics, sources: &[Source], say: &mut dyn FnMut(Level, &str)) {
    let mut printed = [0; 2];
    let mut hidden = [0; 2];
    for diagnostic in &diagnostics.list {
        let kind = usize::from(diagnostic.level != Level::Alert);
        if diagnostic.place.is_some() {
            printed[kind] += 1;
            if printed[kind] > PRINTED {
                hidden[kind] += 1;
                continue;
            }
        } else {
            told_hidden(&mut hidden, say);
        }
        say(diagnostic.level, &text_of(diagnostic, sources));
    }
    told_hidden(&mut hidden, say);
}

/// Says how many messages were not printed.
fn told_hidden(hidden: &mut [usize; 2], say: &mut dyn FnMut(Level, &str)) {
    for (count, level, what) in
        [(hidden[0], Level::Alert, "mistakes"), (hidden[1], Level::Warning, "warnings")]
    {
        if count > 0 {
            say(level, &format!("{count} more {what} are not shown, {} in all.", count + PRINTED));
        }
    }
    *hidden = [0; 2];
}

fn text_of(diagnostic: &Diagnostic, sources: &[Source]) -> String {
    let mut text = diagnostic.text.trim_end_matches('\n').to_owned();
    // What shows the line already needs no excerpt.
    let shows_line = text.lines().nth(1).is_some_and(|line| line.starts_with("  "));
    if let Some(place) = diagnostic.place.as_ref().filter(|_| !shows_line)
        && let Some(source) = sources.iter().find(|source| source.name == place.file)
        && let Some(line) = source.line(place.line)
    {
        text.push_str(&excerpt(&line, place.column));
    }
    for help in &diagnostic.help {
        text.push_str("\n  ");
        text.push_str(help);
    }
    text
}

/// The line, cut around the 1-based byte `column`, and a caret below it; none for column 0.
fn excerpt(line: &str, column: u32) -> String {
    let at = (column as usize).saturating_sub(1).min(line.len());
    let at = (0..=at).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let (before, behind) = line.split_at(at);
    let printable = |c: char| if c == '\t' || !c.is_control() { c } else { '?' };
    let skipped = before.chars().count().saturating_sub(SHOWN / 2);
    let mut shown: String = before.chars().skip(skipped).map(printable).collect();
    let blank: String = shown.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let room = SHOWN - shown.chars().count();
    shown.extend(behind.chars().take(room).map(printable));
    let (start, indent) = if skipped > 0 { ("...", "   ") } else { ("", "") };
    let end = if behind.chars().nth(room).is_some() { "..." } else { "" };
    let caret = match column {
        0 => String::new(),
        _ => format!("\n  | {indent}{blank}{}", paint("32", "^")),
    };
    format!("\n  | {start}{shown}{end}{caret}")
}

/// Coloured on a terminal, unless `NO_COLOR` is set.
fn paint(colour: &str, text: &str) -> String {
    static TERMINAL: LazyLock<bool> =
        LazyLock::new(|| std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    if *TERMINAL { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

fn say(level: Level, text: &str) {
    if QUIET.load(Ordering::Relaxed)
        || (level != Level::Alert && ALERTS_ONLY.load(Ordering::Relaxed))
    {
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
    let colour = match level {
        Level::Alert => "31",
        Level::Warning => "33",
        Level::Notice => "36",
    };
    let line = line(&paint(colour, level.word()), text);
    // One write, so that lines of several processes do not mix; nobody can be told if it fails.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

fn line(word: &str, text: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = sys::local_time(i64::try_from(now.as_secs()).unwrap_or(0));
    format!(
        "[{word}] {:03}/{:02}{:02}{:02} ({}) : {text}\n",
        date.day_of_year,
        date.hour,
        date.minute,
        date.second,
        std::process::id()
    )
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

    #[test]
    fn long_and_odd_lines_are_cut_and_cleaned() {
        let line = format!("{}é\x1b[31mX{}", "a".repeat(500), "b".repeat(500));
        let shown = excerpt(&line, 503);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].starts_with("  | ...aaa") && lines[1].ends_with("bbb..."), "{shown}");
        assert!(lines[1].contains("é?[31mX"), "{shown}");
        assert_eq!(lines[2].chars().count(), "  | ...".len() + SHOWN / 2 + 1);
        assert_eq!(excerpt("abc", 0), "\n  | abc");
        assert_eq!(excerpt("", 9), "\n  | \n  | ^");
    }
}
