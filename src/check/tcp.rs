//! `option tcp-check` and `tcp-check`: a dialogue of bytes (manual 4.2).

use crate::catalog::{Keyword, Part, Status};
use crate::check::expect::{self, Family, binary};
use crate::check::scene::Text;
use crate::check::step::Action;
use crate::check::variable;
use crate::check::{CheckKind, connect};
use crate::config::args::{Inversion, Line, Parsed};
use crate::config::section::Sections;

fn tcp_check(line: &mut Line<'_>) -> Parsed {
    let plain = line.inversion == Inversion::Plain;
    line.proxy().check.kind = plain.then_some(CheckKind::Tcp);
    line.end()
}

fn add(line: &mut Line<'_>, action: Action, comment: Option<String>) -> Parsed {
    let owner = line.proxy().place.clone();
    let name = line.keyword.name;
    let rules = line.proxy().check.tcp.of(&owner);
    let first = rules.steps.iter().map(|s| &s.action).find(|a| a.is_real());
    if matches!(action, Action::Connect(_))
        && first.is_some_and(|a| !matches!(a, Action::Connect(_)))
    {
        return Err(line.alert(format!("'{name}' : first step MUST also be a 'connect', optionally preceded by a 'set-var', an 'unset-var' or a 'comment', when there is a 'connect' step in the tcp-check ruleset.")));
    }
    rules.push(action, comment);
    Ok(())
}

/// `send`, `send-binary` and their log-format kin.
fn send(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    let short = name.trim_start_matches("tcp-check ");
    let is_binary = short.starts_with("send-binary");
    let what = if short == "send-binary" { "binary string" } else { "string" };
    let text = format!("'{name}' : '{short}' expects a {what} as argument.");
    let data = line.required(&text)?.bytes().to_vec();
    let mut comment = None;
    while let Some(word) = line.word() {
        if *word != *"comment" {
            let text = format!("'{name}' : expects 'comment' but got '{word}' as argument..");
            return Err(line.alert(text));
        }
        let text = format!("'{name}' : 'comment' expects a string as argument..");
        comment = Some(line.required(&text)?.str().into_owned());
    }
    if short.ends_with("-lf") {
        let text = Text::format(line, &data, &data)?;
        return add(line, Action::SendFormat { text, binary: is_binary }, comment);
    }
    let data = if !is_binary {
        data
    } else {
        binary(&data).map_err(|e| {
            let shown = String::from_utf8_lossy(&data);
            line.alert(format!("'{name}' : '{shown}' invalid binary string ({e})."))
        })?
    };
    add(line, Action::Send(data), comment)
}

fn expect(line: &mut Line<'_>) -> Parsed {
    let (expect, comment) = expect::parse(line, Family::Tcp)?;
    add(line, Action::Expect(expect), comment)
}

fn comment(line: &mut Line<'_>) -> Parsed {
    let text = "'tcp-check comment' : expects a string as argument.";
    let comment = line.required(text)?.str().into_owned();
    add(line, Action::Comment, Some(comment))
}

fn unknown(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    if let Some(read) = variable::read(line, "tcp-check", &word) {
        return add(line, read?, None);
    }
    Err(line.alert(format!("'tcp-check' only supports 'comment', 'connect', 'send', 'send-binary', 'expect', 'set-var(*)', 'unset-var(*)'. but got '{word}'")))
}

/// `set-var` or `unset-var` without a bracket, to be refused.
fn bare_variable(line: &mut Line<'_>) -> Parsed {
    let word = line.keyword.name.trim_start_matches("tcp-check ");
    variable::read(line, "tcp-check", word).map_or(Ok(()), |read| read.map(drop))
}

const RULE: Keyword =
    Keyword { sections: Sections::BACKENDS, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "option tcp-check",
            doc: "Checks servers by the dialogue of the tcp-check rules; without any, by connecting.",
            examples: &["option tcp-check"],
            parse: tcp_check,
            ..RULE
        },
        Keyword {
            name: "tcp-check",
            args: "<rule> [<arguments>]",
            doc: "Adds a rule to the dialogue of the health checks.",
            examples: &["tcp-check expect string OK"],
            parse: unknown,
            ..RULE
        },
        Keyword {
            name: "tcp-check comment",
            args: "<text>",
            doc: "Names the steps that follow, for messages.",
            examples: &["tcp-check comment \"say hello\""],
            parse: comment,
            ..RULE
        },
        Keyword {
            name: "tcp-check connect",
            args: "[default] [port <port>] [addr <ip>] [linger] [comment <text>] ...",
            doc: "Opens a new connection for the steps that follow. `port` and `addr` say where; `ssl`, `sni`, `alpn`, `proto`, `via-socks4` and `send-proxy` how; `default` takes what the server line says, `linger` closes without a reset.",
            examples: &["tcp-check connect port 110 linger"],
            parse: |line| {
                let (connect, comment) = connect::parse(line)?;
                add(line, Action::Connect(connect), comment)
            },
            ..RULE
        },
        Keyword {
            name: "tcp-check expect",
            args: "[min-recv <int>] [comment <text>] [ok-status <st>] [error-status <st>] [tout-status <st>] [on-success <text>] [on-error <text>] [!] <match> <pattern>",
            doc: "What must come: a `string`, or what the regular expression of `rstring` matches, or either in hexadecimal by `binary` and `rbinary`; `!` before it turns it round, `min-recv` waits for so many bytes. The other words change what is reported.",
            examples: &["tcp-check expect string +OK", "tcp-check expect ! rstring ^-"],
            parse: expect,
            ..RULE
        },
        Keyword {
            name: "tcp-check send",
            args: "<text> [comment <text>]",
            doc: "Sends a text.",
            examples: &["tcp-check send PING\\r\\n"],
            parse: send,
            ..RULE
        },
        Keyword {
            name: "tcp-check send-binary",
            args: "<hexstring> [comment <text>]",
            doc: "Sends bytes written in hexadecimal.",
            examples: &["tcp-check send-binary 50494e47"],
            parse: send,
            ..RULE
        },
        Keyword {
            name: "tcp-check send-binary-lf",
            args: "<hexfmt> [comment <text>]",
            doc: "Sends the bytes that a format gives in hexadecimal.",
            examples: &["tcp-check send-binary-lf %[str(PING),hex]"],
            parse: send,
            ..RULE
        },
        Keyword {
            name: "tcp-check send-lf",
            args: "<fmt> [comment <text>]",
            doc: "Sends what a format gives.",
            examples: &["tcp-check send-lf PING\\ %[srv_name]\\r\\n"],
            parse: send,
            ..RULE
        },
        Keyword {
            name: "tcp-check set-var",
            args: "(<name>) <expression>",
            doc: "Sets a variable of the check.",
            examples: &["tcp-check set-var(check.port) int(80)"],
            parse: bare_variable,
            ..RULE
        },
        Keyword {
            name: "tcp-check unset-var",
            args: "(<name>)",
            doc: "Forgets a variable of the check.",
            examples: &["tcp-check unset-var(check.port)"],
            parse: bare_variable,
            ..RULE
        },
    ],
    ..Part::NONE
};
