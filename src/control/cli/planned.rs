//! Runtime commands that are not built yet: they say so, and `help` does not list them.

use super::Command;
use crate::catalog::Part;

const fn planned(
    name: &'static str,
    args: &'static str,
    doc: &'static str,
    examples: &'static [&'static str],
) -> Command {
    Command { name, args, doc, examples, ..Command::NEW }
}

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        planned(
            "abort ssl cert",
            "<certfile>",
            "Drops a certificate update that was not committed.",
            &["abort ssl cert /etc/haproxy/site.pem"],
        ),
        planned(
            "add ssl crt-list",
            "<crtlist> <certificate>",
            "Adds a certificate to a list.",
            &["add ssl crt-list /etc/haproxy/list /etc/haproxy/new.pem"],
        ),
        planned(
            "commit ssl cert",
            "<certfile>",
            "Puts an updated certificate to use.",
            &["commit ssl cert /etc/haproxy/site.pem"],
        ),
        planned(
            "del ssl cert",
            "<certfile>",
            "Removes an unused certificate.",
            &["del ssl cert /etc/haproxy/old.pem"],
        ),
        planned(
            "del ssl crt-list",
            "<filename> <certfile>",
            "Removes a certificate from a list.",
            &["del ssl crt-list /etc/haproxy/list /etc/haproxy/old.pem"],
        ),
        planned(
            "new ssl cert",
            "<certfile>",
            "Makes an empty certificate, to be filled by set ssl cert.",
            &["new ssl cert /etc/haproxy/new.pem"],
        ),
        planned(
            "set ssl cert",
            "<certfile> <payload>",
            "Loads a certificate, in the lines that follow, to be committed.",
            &["set ssl cert /etc/haproxy/site.pem <<"],
        ),
        planned(
            "set ssl tls-key",
            "<id> <tlskey>",
            "Adds the next key of TLS tickets to a file's, and drops its oldest.",
            &[
                "set ssl tls-key /etc/haproxy/keys dGhpcyBpcyBub3QgYSByZWFsIGtleSBhdCBhbGwhISEhISEhIQ==",
            ],
        ),
        planned(
            "show peers",
            "[<peers section>]",
            "Shows how the peers of each section, or of one, are connected.",
            &["show peers"],
        ),
        planned(
            "show ssl cert",
            "[<certfile>]",
            "Lists the certificates, or shows one.",
            &["show ssl cert /etc/haproxy/site.pem"],
        ),
        planned(
            "show ssl crt-list",
            "[-n] [<filename>]",
            "Lists the lists of certificates, or shows one.",
            &["show ssl crt-list -n /etc/haproxy/list"],
        ),
        planned(
            "show tls-keys",
            "[<id>|*]",
            "Lists the files of TLS ticket keys, or the keys of one or of all.",
            &["show tls-keys"],
        ),
        planned(
            "show trace",
            "[<source>]",
            "Shows what is traced, and of which source.",
            &["show trace"],
        ),
        planned(
            "trace",
            "<source> [cmd [args...]]",
            "Traces a part of the process.",
            &["trace h1 start now"],
        ),
    ],
    ..Part::NONE
};
