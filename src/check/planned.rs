//! The `option …-check` protocols that are not built yet (manual 4.2).

use crate::catalog::{Keyword, Part, Status};
use crate::config::section::Sections;

const PLANNED: Keyword = Keyword {
    sections: Sections::BACKENDS,
    negatable: true,
    status: Status::Planned,
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
            negatable: false,
            ..PLANNED
        },
        Keyword {
            name: "external-check command",
            args: "<command>",
            doc: "The program that checks.",
            examples: &["external-check command /bin/true"],
            negatable: false,
            ..PLANNED
        },
        Keyword {
            name: "external-check path",
            args: "<path>",
            doc: "The PATH of the program that checks.",
            examples: &["external-check path /usr/bin:/bin"],
            negatable: false,
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
            ..PLANNED
        },
        Keyword {
            name: "option pgsql-check",
            args: "user <username>",
            doc: "Checks PostgreSQL servers.",
            examples: &["option pgsql-check user haproxy"],
            ..PLANNED
        },
        Keyword {
            name: "option smtpchk",
            args: "[<hello> <domain>]",
            doc: "Checks SMTP servers.",
            examples: &["option smtpchk HELO example.com"],
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
