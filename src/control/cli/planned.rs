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
            &["abort ssl cert"],
        ),
        planned(
            "add ssl crt-list",
            "<crtlist> <certificate>",
            "Adds a certificate to a list.",
            &["add ssl crt-list"],
        ),
        planned(
            "commit ssl cert",
            "<certfile>",
            "Puts an updated certificate to use.",
            &["commit ssl cert"],
        ),
        planned("del ssl cert", "<certfile>", "Removes an unused certificate.", &["del ssl cert"]),
        planned(
            "del ssl crt-list",
            "<filename> <certfile>",
            "Removes a certificate from a list.",
            &["del ssl crt-list"],
        ),
        planned("new ssl cert", "<certfile>", "Makes an empty certificate.", &["new ssl cert"]),
        planned(
            "set profiling",
            "tasks { auto | on | off }",
            "Whether CPU time is measured for each task.",
            &["set profiling"],
        ),
        planned(
            "set rate-limit",
            "<setting> <value>",
            "Limits of the whole process.",
            &["set rate-limit"],
        ),
        planned(
            "set ssl cert",
            "<certfile> <payload>",
            "Loads a certificate to be committed.",
            &["set ssl cert"],
        ),
        planned(
            "set ssl tls-key",
            "<id> <tlskey>",
            "The next key of TLS tickets.",
            &["set ssl tls-key"],
        ),
        planned("show cache", "", "What the caches hold.", &["show cache"]),
        planned(
            "show errors",
            "[<iid>|<proxy>] [request|response]",
            "The last malformed request and response of each proxy.",
            &["show errors"],
        ),
        planned(
            "show events",
            "[<sink>]",
            "Lists the sinks of events, or shows one.",
            &["show events"],
        ),
        planned("show peers", "[<peers section>]", "The state of peers.", &["show peers"]),
        planned("show profiling", "", "Whether CPU time is measured.", &["show profiling"]),
        planned(
            "show resolvers",
            "[<resolvers section>]",
            "What resolvers have counted.",
            &["show resolvers"],
        ),
        planned(
            "show ssl cert",
            "[<certfile>]",
            "Lists the certificates, or shows one.",
            &["show ssl cert"],
        ),
        planned(
            "show ssl crt-list",
            "[-n] [<filename>]",
            "Lists the lists of certificates, or shows one.",
            &["show ssl crt-list"],
        ),
        planned("show startup-logs", "", "What was said at start.", &["show startup-logs"]),
        planned("show tls-keys", "[<id>|*]", "The keys of TLS tickets.", &["show tls-keys"]),
        planned("show trace", "[<source>]", "What is traced.", &["show trace"]),
        planned("trace", "<source> [cmd [args...]]", "Traces a part of the process.", &["trace"]),
    ],
    ..Part::NONE
};
