//! `option redis-check`, `option ssl-hello-chk`: dialogues that are known by a name (manual 4.2).

use crate::catalog::{Keyword, Part, Status};
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
            name: "option redis-check",
            doc: "Checks Redis servers by a PING.",
            examples: &["option redis-check"],
            parse: |line| set(line, CheckKind::Redis),
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
    fn a_hello_is_as_long_as_it_says() {
        let hello = client_hello(0x0102_0304);
        assert_eq!(hello.len(), 126);
        assert_eq!(hello.get(..11), Some(&[22, 3, 0, 0, 121, 1, 0, 0, 117, 3, 0][..]));
        assert_eq!(hello.get(11..15), Some(&[1, 2, 3, 4][..]));
    }
}
