//! The `option …-check` protocols that are not built yet (manual 4.2).

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed};
use crate::config::section::Sections;

/// `external-check command` and `external-check path`.
fn external(line: &mut Line<'_>) -> Parsed {
    let what = line.keyword.name.trim_start_matches("external-check ");
    line.required(&format!("missing argument after '{what}'."))?;
    line.rest();
    Ok(())
}

fn mysql(line: &mut Line<'_>) -> Parsed {
    match line.word().map(|w| w.str()) {
        None => return Ok(()),
        Some(word) if word == "user" => {}
        Some(word) => {
            return Err(line.alert(format!(
                "'option mysql-check' only supports optional values: 'user' (got '{word}')."
            )));
        }
    }
    line.required("'option mysql-check user' expects <username> as argument.")?;
    match line.word().map(|w| w.str()) {
        None => Ok(()),
        Some(word) if word == "post-41" || word == "pre-41" => line.end(),
        Some(word) => Err(line
            .alert(format!("keyword 'user' only supports 'post-41' and 'pre-41' (got '{word}')."))),
    }
}

fn pgsql(line: &mut Line<'_>) -> Parsed {
    if !line.accept("user") || line.word().is_none() {
        return Err(line.alert("'option pgsql-check' expects 'user <username>' as argument."));
    }
    line.end()
}

fn smtp(line: &mut Line<'_>) -> Parsed {
    line.word();
    line.word();
    line.end()
}

const PLANNED: Keyword = Keyword {
    sections: Sections::BACKENDS,
    status: Status::Planned,
    parse: |line| line.end(),
    ..Keyword::NEW
};

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "external-check",
            sections: Sections::GLOBAL,
            doc: "Allows checks by external programs.",
            examples: &["external-check"],
            ..PLANNED
        },
        Keyword {
            name: "external-check command",
            args: "<command>",
            doc: "The program that checks.",
            examples: &["external-check command /bin/true"],
            parse: external,
            ..PLANNED
        },
        Keyword {
            name: "external-check path",
            args: "<path>",
            doc: "The PATH of the program that checks.",
            examples: &["external-check path /usr/bin:/bin"],
            parse: external,
            ..PLANNED
        },
        Keyword {
            name: "option external-check",
            doc: "Checks servers by the program of `external-check command`, which `external-check` in the global section must allow.",
            examples: &["option external-check"],
            ..PLANNED
        },
        Keyword {
            name: "option ldap-check",
            doc: "Checks LDAP servers.",
            examples: &["option ldap-check"],
            ..PLANNED
        },
        Keyword {
            name: "option mysql-check",
            args: "[user <username> [{ post-41 | pre-41 }]]",
            doc: "Checks MySQL servers.",
            examples: &["option mysql-check user haproxy"],
            parse: mysql,
            ..PLANNED
        },
        Keyword {
            name: "option pgsql-check",
            args: "user <username>",
            doc: "Checks PostgreSQL servers.",
            examples: &["option pgsql-check user haproxy"],
            parse: pgsql,
            ..PLANNED
        },
        Keyword {
            name: "option smtpchk",
            args: "[<hello> <domain>]",
            doc: "Checks SMTP servers.",
            examples: &["option smtpchk HELO example.com"],
            parse: smtp,
            ..PLANNED
        },
        Keyword {
            name: "option spop-check",
            sections: Sections::BACKEND,
            doc: "Checks SPOP agents.",
            examples: &["option spop-check"],
            ..PLANNED
        },
    ],
    ..Part::NONE
};
