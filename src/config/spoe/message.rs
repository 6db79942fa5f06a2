//! The lines of a `spoe-message` section (SPOE.txt 2.3). In: a line's words. Out: what they change in the
//! message.

use crate::config::args::{Line, Parsed};
use crate::config::diagnostic::Place;
use crate::config::spoe::{Event, MessageSpec};
use crate::config::words::Word;
use crate::flow::rules::condition::{self, Acls};
use crate::sample::expr::Expr;

impl MessageSpec {
    /// A message without lines.
    pub fn new(name: String, place: Place) -> MessageSpec {
        MessageSpec {
            name,
            place,
            args: Vec::new(),
            acls: Acls::default(),
            event: None,
            condition: None,
        }
    }
}

/// Reads one line; its keyword is read already. Other keywords are let pass, as 2.3 does.
pub fn keyword(line: &mut Line<'_>, message: &mut MessageSpec, keyword: &Word) -> Parsed {
    match &*keyword.str() {
        "args" => args(line, message),
        "acl" => {
            std::mem::swap(&mut line.spec.section_acls, &mut message.acls);
            let read = condition::acl(line);
            std::mem::swap(&mut line.spec.section_acls, &mut message.acls);
            read
        }
        "event" => event(line, message),
        _ => Ok(()),
    }
}

fn args(line: &mut Line<'_>, message: &mut MessageSpec) -> Parsed {
    while let Some(word) = line.word() {
        let text = word.str();
        let (name, sample) = match text.split_once('=') {
            Some((name, sample)) => (Some(name.to_owned()), sample),
            None => (None, &*text),
        };
        let expr = Expr::parse(sample).map_err(|e| line.alert(format!("'args': {e}.")))?;
        let place = line.last_place();
        for planned in expr.planned() {
            line.spec.note_planned(planned, &place);
        }
        let within = "in spoe-message directive in";
        let references = expr.references().into_iter();
        let references: Vec<_> =
            references.map(|r| r.at(line.words.place, "sample fetch keyword", within)).collect();
        line.proxy().references.args.extend(references);
        message.args.push((name, expr));
    }
    Ok(())
}

fn event(line: &mut Line<'_>, message: &mut MessageSpec) -> Parsed {
    let Some(name) = line.word().map(|w| w.str().into_owned()) else {
        return Err(line.alert("missing event name."));
    };
    let event = Event::NAMES.iter().find(|(known, _)| *known == name);
    let (_, event) = event.ok_or_else(|| line.alert(format!("unknown event '{name}'.")))?;
    message.event = Some(*event);
    let negated = match line.word().map(|w| w.str()).as_deref() {
        None => return Ok(()),
        Some("if") => false,
        Some("unless") => true,
        Some(other) => {
            return Err(line.bare(format!(
                "'event {name}' expects either 'if' or 'unless' followed by a condition but found '{other}'."
            )));
        }
    };
    std::mem::swap(&mut line.spec.section_acls, &mut message.acls);
    let condition = condition::parse_words(line, negated);
    std::mem::swap(&mut line.spec.section_acls, &mut message.acls);
    message.condition = Some(condition.map_err(|e| {
        line.alert(format!("error detected while parsing an 'event {name}' condition : {e}."))
    })?);
    Ok(())
}
