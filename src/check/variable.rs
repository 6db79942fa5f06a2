//! `set-var` and `unset-var` of checks (manual 4.2 "http-check set-var", "tcp-check set-var"). In: the
//! line after its first word. Out: checked words; the effect is not built yet.

use crate::config::args::{Line, Parsed};
use crate::sample::expr::Expr;
use crate::sample::vars;

/// Reads `set-var(<name>) <expression>` or `unset-var(<name>)`; `None` for another `word`.
pub fn read(line: &mut Line<'_>, family: &str, word: &str) -> Option<Parsed> {
    let (rule, inside) = word.split_once('(').unwrap_or((word, ""));
    ["set-var", "unset-var"].contains(&rule).then(|| check(line, family, word, rule, inside))
}

fn check(line: &mut Line<'_>, family: &str, word: &str, rule: &str, inside: &str) -> Parsed {
    let refuse =
        |line: &Line<'_>, text: &str| line.alert(format!("'{family} {word}' : '{rule}' : {text}."));
    if inside.is_empty() {
        let text = format!(
            "invalid variable '{word}'. Expects 'set-var(<var-name>)' or 'unset-var(<var-name>)'"
        );
        return Err(refuse(line, &text));
    }
    let name = inside.trim_end_matches(')');
    // HAProxy shows the name with its bracket.
    vars::check_name(name.as_bytes()).map_err(|e| {
        refuse(
            line,
            &e.replace("{name}", inside).replacen(&format!("'{name}'"), &format!("'{inside}'"), 1),
        )
    })?;
    if rule == "set-var" {
        let expression = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
        Expr::parse(&expression).map_err(|e| refuse(line, &e))?;
    }
    line.end()?;
    let place = line.words.place.clone();
    line.spec.note_planned(&format!("{family} {rule}"), &place);
    Ok(())
}
