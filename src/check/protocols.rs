//! `option redis-check`, `option smtpchk` and their kin: dialogues that are known by a name (manual 4.2).

use crate::catalog::{Keyword, Part, Status};
use crate::check::answers::Protocol;
use crate::check::scene::Text;
use crate::check::step::{Action, Expect, Pattern, RegexWord, Ruleset};
use crate::check::{CheckKind, CheckStatus};
use crate::config::args::{Inversion, Line, Parsed};
use crate::config::section::Sections;

/// A PING must be answered by PONG.
pub fn redis() -> Ruleset {
    let mut rules = Ruleset::default();
    rules.push(Action::Send(b"*1\r\n$4\r\nPING\r\n".to_vec()), None);
    let expect = Expect {
        error_status: Some(CheckStatus::L7Status),
        on_success: Some(Text::from("Redis server is ok")),
        quotes_answer: true,
        ..Expect::new(Pattern::Text(b"+PONG\r\n".to_vec()))
    };
    rules.push(Action::Expect(expect), None);
    rules
}

/// A hello must be answered by a TLS record: an alert or a handshake.
pub fn ssl_hello() -> Ruleset {
    let mut rules = Ruleset::default();
    rules.push(Action::SendHello, None);
    let record = RegexWord::new("^1[56]", false);
    let expect = record.map(|record| Expect {
        min_recv: Some(5),
        ok_status: Some(CheckStatus::L6Ok),
        error_status: Some(CheckStatus::L6Response),
        timeout_status: Some(CheckStatus::L6Timeout),
        on_error: Some(Text::from("")),
        ..Expect::new(Pattern::BinaryRegex(record))
    });
    if let Ok(expect) = expect {
        rules.push(Action::Expect(expect), None);
    }
    rules
}

/// An SSLv3 ClientHello (RFC 6101 5.6.1.2) that offers the cipher suites of its time; its random part
/// begins with the seconds since 1970, and then names its sender.
pub fn client_hello(seconds: u32) -> Vec<u8> {
    let mut body = vec![3, 0];
    body.extend(seconds.to_be_bytes());
    body.extend(b"HAPROXYSSLCHK\nHAPROXYSSLCHK\n");
    body.push(0);
    let suites: Vec<u8> = (0x01..=0x1b_u16).chain(0x2f..=0x3a).flat_map(u16::to_be_bytes).collect();
    body.extend((suites.len() as u16).to_be_bytes());
    body.extend(suites);
    body.extend([1, 0]);
    let length = body.len() as u16;
    let mut out = vec![0x16, 3, 0];
    out.extend((length + 4).to_be_bytes());
    out.extend([1, 0]);
    out.extend(length.to_be_bytes());
    out.extend(body);
    out
}

/// A dialogue of one question and one answer.
fn ask(question: Vec<u8>, protocol: Protocol) -> Ruleset {
    let mut rules = Ruleset::default();
    rules.push(Action::Send(question), None);
    rules.push(Action::Expect(Expect::new(Pattern::Protocol(protocol))), None);
    rules
}

fn named(line: &mut Line<'_>, rules: Ruleset) -> Parsed {
    let plain = line.inversion == Inversion::Plain;
    let check = &mut line.proxy().check;
    check.kind = plain.then_some(CheckKind::Named);
    check.named = rules;
    line.end()
}

/// `HELO localhost` unless another hello is given.
fn smtp(line: &mut Line<'_>) -> Parsed {
    let words: Vec<_> = (0..2).filter_map(|_| line.word().map(|w| w.str().into_owned())).collect();
    let hello = match words.as_slice() {
        [word, domain] if ["EHLO", "HELO"].contains(&word.as_str()) => format!("{word} {domain}"),
        _ => "HELO localhost".to_owned(),
    };
    let mut rules = Ruleset::default();
    let expect = |protocol| Action::Expect(Expect::new(Pattern::Protocol(protocol)));
    rules.push(expect(Protocol::SmtpGreeting), None);
    rules.push(Action::Send(format!("{hello}\r\n").into_bytes()), None);
    rules.push(expect(Protocol::SmtpReply), None);
    named(line, rules)
}

/// A bind of nobody (RFC 4511 4.2).
fn ldap(line: &mut Line<'_>) -> Parsed {
    named(line, ask(b"0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\0\x80\0".to_vec(), Protocol::Ldap))
}

fn pgsql(line: &mut Line<'_>) -> Parsed {
    let user = line.accept("user").then(|| line.word()).flatten().map(|word| word.bytes().to_vec());
    let Some(user) = user else {
        return Err(line.alert("'option pgsql-check' expects 'user <username>' as argument."));
    };
    let mut start = b"\0\x03\0\0user\0".to_vec();
    start.extend_from_slice(&user);
    start.extend_from_slice(b"\0\0");
    let length = (start.len() as u32 + 4).to_be_bytes();
    named(line, ask([&length[..], &start].concat(), Protocol::Postgres))
}

fn mysql(line: &mut Line<'_>) -> Parsed {
    match line.word().map(|w| w.str()) {
        None => {
            let mut rules = Ruleset::default();
            let expect = Expect::new(Pattern::Protocol(Protocol::MySqlGreeting));
            rules.push(Action::Expect(expect), None);
            return named(line, rules);
        }
        Some(word) if word == "user" => {}
        Some(word) => {
            return Err(line.alert(format!(
                "'option mysql-check' only supports optional values: 'user' (got '{word}')."
            )));
        }
    }
    let user = line.required("'option mysql-check user' expects <username> as argument.")?;
    let user = user.bytes().to_vec();
    let old = match line.word().map(|w| w.str()) {
        None => false,
        Some(word) if word == "post-41" => false,
        Some(word) if word == "pre-41" => true,
        Some(word) => {
            return Err(line.alert(format!(
                "keyword 'user' only supports 'post-41' and 'pre-41' (got '{word}')."
            )));
        }
    };
    named(line, ask(mysql_login(&user, old), Protocol::MySqlLogin))
}

/// A log-in without a password and a farewell, as clients before and after 4.1 do.
fn mysql_login(user: &[u8], old: bool) -> Vec<u8> {
    let mut login = match old {
        // Capabilities, the longest packet.
        true => b"\0\x80\0\0\x01".to_vec(),
        // The same, longer, with a character set and a filler.
        false => [&b"\0\x82\0\0\0\x80\0\x01\x21"[..], &[0; 23]].concat(),
    };
    login.extend_from_slice(user);
    login.extend_from_slice(b"\0\0");
    let length = (login.len() as u32).to_le_bytes();
    let mut out = length.get(..3).unwrap_or_default().to_vec();
    out.push(1);
    out.extend(login);
    out.extend(b"\x01\0\0\0\x01");
    out
}

/// HAProxy's hello of a health check (SPOE.txt 3.2.4); `largest` is the longest frame.
pub fn spop_hello(largest: usize) -> Vec<u8> {
    let mut frame =
        b"\x01\0\0\0\x01\0\0\x12supported-versions\x08\x032.0\x0emax-frame-size\x03".to_vec();
    put_number(&mut frame, largest as u64);
    frame.extend(b"\x0ccapabilities\x08\0\x0bhealthcheck\x11");
    let length = (frame.len() as u32).to_be_bytes();
    [&length[..], &frame].concat()
}

/// A number of variable length (SPOE.txt 3.1).
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    if number < 240 {
        return out.push(number as u8);
    }
    out.push(number as u8 | 240);
    number = (number - 240) >> 4;
    while number >= 128 {
        out.push(number as u8 | 128);
        number = (number - 128) >> 7;
    }
    out.push(number as u8);
}

fn spop(line: &mut Line<'_>) -> Parsed {
    let mut rules = Ruleset::default();
    rules.push(Action::SendSpopHello, None);
    rules.push(Action::Expect(Expect::new(Pattern::Protocol(Protocol::Spop))), None);
    named(line, rules)
}

fn set(line: &mut Line<'_>, kind: CheckKind) -> Parsed {
    let plain = line.inversion == Inversion::Plain;
    line.proxy().check.kind = plain.then_some(kind);
    line.end()
}

const CHECK: Keyword =
    Keyword { sections: Sections::BACKENDS, status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "option ldap-check",
            doc: "Checks LDAP servers by a bind of nobody.",
            examples: &["option ldap-check"],
            parse: ldap,
            ..CHECK
        },
        Keyword {
            name: "option mysql-check",
            args: "[user <username> [{ post-41 | pre-41 }]]",
            doc: "Checks MySQL servers by their greeting, or by a log-in.",
            examples: &["option mysql-check user haproxy"],
            parse: mysql,
            ..CHECK
        },
        Keyword {
            name: "option pgsql-check",
            args: "user <username>",
            doc: "Checks PostgreSQL servers by the start of a session.",
            examples: &["option pgsql-check user haproxy"],
            parse: pgsql,
            ..CHECK
        },
        Keyword {
            name: "option redis-check",
            doc: "Checks Redis servers by a PING.",
            examples: &["option redis-check"],
            parse: |line| set(line, CheckKind::Redis),
            ..CHECK
        },
        Keyword {
            name: "option smtpchk",
            args: "[<hello> <domain>]",
            default: "HELO localhost",
            doc: "Checks SMTP servers by a hello: `HELO localhost`, or the given one.",
            examples: &["option smtpchk HELO example.com"],
            parse: smtp,
            ..CHECK
        },
        Keyword {
            name: "option spop-check",
            doc: "Checks SPOP agents by a hello.",
            examples: &["option spop-check"],
            parse: spop,
            ..CHECK
        },
        Keyword {
            name: "option ssl-hello-chk",
            doc: "Checks that servers answer an SSLv3 hello.",
            examples: &["option ssl-hello-chk"],
            parse: |line| set(line, CheckKind::SslHello),
            ..CHECK
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_as_long_as_they_say() {
        let new = b"%\0\0\x01\0\x82\0\0\0\x80\0\x01!";
        let login = mysql_login(b"hap", false);
        assert_eq!((login.get(..new.len()), login.len()), (Some(&new[..]), 46));
        let old = b"\x0a\0\0\x01\0\x80\0\0\x01hap\0\0\x01\0\0\0\x01";
        assert_eq!(mysql_login(b"hap", true), old);
        let hello = spop_hello(16_380);
        assert_eq!((hello.get(..4), hello.len()), (Some(&[0, 0, 0, 78][..]), 82));
        assert!(hello.windows(4).any(|part| part == b"\x03\xfc\xf0\x06"), "{hello:?}");
    }

    #[test]
    fn a_hello_is_as_long_as_it_says() {
        let hello = client_hello(0x0102_0304);
        assert_eq!(hello.len(), 126);
        assert_eq!(hello.get(..11), Some(&[22, 3, 0, 0, 121, 1, 0, 0, 117, 3, 0][..]));
        assert_eq!(hello.get(11..15), Some(&[1, 2, 3, 4][..]));
    }
}
