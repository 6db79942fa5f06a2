//! haproxy-cli(7): the commands of the runtime socket.

use haproxy::catalog::PARTS;
use haproxy::control::cli::Level;
use haproxy::version;

use super::roff::Roff;
use super::status;

/// What only the master's socket knows.
const MASTER: &[(&str, &str)] = &[
    (
        "@<relative pid>",
        "Sends the rest of the line, or all that follows, to a worker by its place: `@1` is the first.",
    ),
    ("@!<pid>", "The same, by a worker's process number."),
    ("@master", "Goes back to the master."),
    ("show proc", "Lists the master, its workers and its programs, with how long they run."),
    ("reload", "Reads the configuration again, as the signals HUP and USR2 do."),
];

/// The whole page.
pub fn page() -> String {
    let mut page =
        Roff::new("haproxy-cli", 7, version::IMPLEMENTATION, "Miscellaneous Information Manual");
    page.section("Name");
    page.text("haproxy-cli - commands of the runtime socket of haproxy");
    introduction(&mut page);
    page.section("Commands");
    let mut rows: Vec<_> = PARTS.iter().flat_map(|part| part.commands).collect();
    rows.sort_by_key(|row| row.name);
    for row in rows {
        page.entry(row.name, row.args);
        page.text(row.doc);
        if row.level != Level::User {
            page.detail("Level", row.level.word());
        }
        if let Some(text) = status(row.status) {
            page.detail("Status", &text);
        }
        if let Some(example) = row.examples.first() {
            page.words("Example", example);
        }
    }
    page.section("Commands of the master");
    page.paragraph(
        "The socket that the option `-S` opens belongs to the master process of `-W`. It knows `help`, `prompt`, \
         `quit`, `operator`, `user`, `show cli level` and `show cli sockets`, and these:",
    );
    for (name, doc) in MASTER {
        page.entry(name, "");
        page.text(doc);
    }
    page.section("See also");
    page.text("`haproxy`(1), `haproxy.cfg`(5)");
    page.finish()
}

fn introduction(page: &mut Roff) {
    page.section("Description");
    page.paragraph(
        "A running process is looked at and steered through sockets that its configuration opens with `stats socket`. \
         A connection sends a line and gets an answer that ends in an empty line:",
    );
    page.example("$ echo \"show info\" | socat - /run/haproxy/admin.sock");
    for text in [
        "Several commands may stand on one line, separated by `;`. After the line the connection is closed, unless it \
         began with `prompt`, which keeps it open and writes `> ` before each line. A command that takes a text of \
         several lines ends in `<<`; the text follows and an empty line ends it.",
        "A blank or `;` within an argument is written with a backslash before it.",
        "What a connection may do depends on its level, which the socket's `level` says: `user` may look at what \
         is not sensitive, `operator` (the default) may look at everything and clear the largest values seen, `admin` \
         may change things. Where a command below names no level, every connection may use it.",
    ] {
        page.paragraph(text);
    }
}
