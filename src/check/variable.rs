//! `set-var` and `unset-var` of checks (manual 4.2 "http-check set-var", "tcp-check set-var"). In: the
//! line after its first word. Out: a step that keeps or forgets a value.

use crate::check::scene;
use crate::check::step::Action;
use crate::config::args::Line;
use crate::config::diagnostic::Diagnostic;
use crate::sample::vars;

/// Reads `set-var(<name>) <expression>` or `unset-var(<name>)`; `None` for another `word`.
pub fn read(line: &mut Line<'_>, family: &str, word: &str) -> Option<Result<Action, Diagnostic>> {
    let (rule, inside) = word.split_once('(').unwrap_or((word, ""));
    ["set-var", "unset-var"].contains(&rule).then(|| action(line, family, word, rule, inside))
}

fn action(
    line: &mut Line<'_>,
    family: &str,
    word: &str,
    rule: &str,
    inside: &str,
) -> Result<Action, Diagnostic> {
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
    let name: Box<[u8]> = name.as_bytes().into();
    if rule == "unset-var" {
        line.rest();
        return Ok(Action::Unset(name));
    }
    let expression = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    let expr = scene::expression(line, &expression).map_err(|e| refuse(line, &e.named(word)))?;
    // Converters may follow as words; 2.3 looks at nothing behind them.
    let expr = expr.followed(&mut line.words).map_err(|e| refuse(line, &e))?;
    line.rest();
    Ok(Action::Set { name, expr: Box::new(expr) })
}
