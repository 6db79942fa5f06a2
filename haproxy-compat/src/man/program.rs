//! haproxy(1): the command line, signals and exit statuses.

use haproxy::control::process::args;
use haproxy::version;

use super::roff::Roff;

/// Signals and what the process does about them.
const SIGNALS: &[(&str, &str)] = &[
    ("HUP, USR2", "Reads the configuration again; what runs goes on."),
    (
        "USR1",
        "Stops accepting, and ends when the last connection has ended, or after `hard-stop-after`.",
    ),
    ("TERM, INT", "Ends at once."),
    ("TTOU, TTIN", "Pauses and resumes listening."),
    ("QUIT", "Shows how memory is used, and goes on."),
];

/// The whole page.
pub fn page() -> String {
    let mut page = Roff::new("haproxy", 1, version::IMPLEMENTATION, "General Commands Manual");
    page.section("Name");
    page.text("haproxy - TCP and HTTP load balancer");
    page.section("Synopsis");
    page.text("`haproxy` [options] [`-f` <file|directory>]... [`--` <file>...]");
    page.section("Description");
    for text in [
        "`haproxy` accepts connections as its configuration says, looks at what comes, and passes it to servers \
         that it chooses and watches. This program takes the place of HAProxy 2.3: the same configuration, command \
         line, signals, sockets, pages and logs.",
        "With `-W` a master process starts a worker and reloads it in place: a configuration that is wrong changes \
         nothing, one that is right replaces the running one without losing a connection.",
    ] {
        page.paragraph(text);
    }
    page.section("Options");
    page.paragraph("Letters behind those of an option are ignored, and options may not be joined.");
    for (usage, doc) in args::options() {
        let (word, argument) = usage.split_once(' ').unwrap_or((&usage, ""));
        page.entry(word, argument);
        page.text(&sentence(doc));
    }
    page.section("Signals");
    for (name, doc) in SIGNALS {
        page.entry(name, "");
        page.text(doc);
    }
    page.section("Exit status");
    for (status, doc) in [
        ("0", "The configuration is valid (`-c`), or the process was asked to stop and did."),
        ("1", "The configuration or the command line is wrong, or something could not be had."),
        ("2", "The configuration is valid but has nothing to listen on (`-c`)."),
    ] {
        page.entry(status, "");
        page.text(doc);
    }
    page.section("Examples");
    page.example(
        "haproxy -c -f haproxy.cfg          # is it right?\n\
         haproxy -dC -f haproxy.cfg         # what is understood of it\n\
         haproxy -W -db -f haproxy.cfg      # run it, as containers do\n\
         haproxy -dKsmp -q -c -f /dev/null  # which samples there are",
    );
    page.section("See also");
    page.text("`haproxy.cfg`(5), `haproxy-cli`(7)");
    page.finish()
}

/// The options' texts begin in lower case and have no full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}
