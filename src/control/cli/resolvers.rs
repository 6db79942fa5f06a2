//! `show resolvers` (management.txt 9.3).

use std::fmt::Write;

use super::{Answer, Command, CommandContext};
use crate::catalog::{Part, Status};
use crate::state::resolver::Resolvers;
use crate::state::resolver::section::NameserverCounters;
use crate::state::world::World;

fn show_resolvers(context: &mut CommandContext<'_>) -> Answer {
    let (sections, wanted) = (&context.world.resolvers, context.arg(0));
    if !wanted.is_empty() && !sections.iter().any(|s| s.spec.name == wanted) {
        return Answer::error("Can't find that resolvers section\n");
    }
    if sections.is_empty() {
        return Answer::text("No resolvers found\n");
    }
    let mut text = String::new();
    for section in sections.iter().filter(|s| wanted.is_empty() || s.spec.name == wanted) {
        show_section(section, &mut text);
    }
    Answer::text(text)
}

fn show_section(section: &Resolvers, out: &mut String) {
    let _ = writeln!(out, "Resolvers section {}", section.spec.name);
    for nameserver in &section.nameservers {
        let _ = writeln!(out, " nameserver {}:", nameserver.name);
        for (name, value) in counters(&nameserver.counters) {
            let _ = writeln!(out, "  {:<12} {value}", format!("{name}:"));
        }
    }
    out.push('\n');
}

/// The counters in their order; two of them HAProxy 2.3 never counts.
fn counters(c: &NameserverCounters) -> [(&'static str, u64); 15] {
    [
        ("sent", c.sent.get()),
        ("snd_error", c.snd_error.get()),
        ("valid", c.valid.get()),
        ("update", c.update.get()),
        ("cname", 0),
        ("cname_error", c.cname_error.get()),
        ("any_err", c.any_err.get()),
        ("nx", c.nx.get()),
        ("timeout", 0),
        ("refused", c.refused.get()),
        ("other", c.other.get()),
        ("invalid", c.invalid.get()),
        ("too_big", c.too_big.get()),
        ("truncated", c.truncated.get()),
        ("outdated", c.outdated.get()),
    ]
}

/// `show stat domain dns`: a line for each name server; how often it was asked is not in it.
pub fn table(world: &World) -> String {
    let nameservers = || world.resolvers.iter().flat_map(|section| &section.nameservers);
    let nothing = NameserverCounters::default();
    let mut text = String::from("# id,");
    counters(&nothing).iter().skip(1).for_each(|(name, _)| {
        text.push_str(column(name));
        text.push(',');
    });
    text.push('\n');
    for nameserver in nameservers() {
        text.push_str(&format!("{},", nameserver.name));
        counters(&nameserver.counters)
            .iter()
            .skip(1)
            .for_each(|(_, n)| text.push_str(&format!("{n},")));
        text.push('\n');
    }
    text
}

/// The name of a counter as a column.
fn column(name: &str) -> &str {
    if name == "snd_error" { "send_error" } else { name }
}

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[Command {
        name: "show resolvers",
        args: "[<resolvers section>]",
        help: "show resolvers [id]: dumps counters from all resolvers section and\n                     associated name servers",
        doc: "Shows what the name servers of all sections, or of one, have answered.",
        examples: &["show resolvers"],
        status: Status::Works,
        run: show_resolvers,
        ..Command::NEW
    }],
    ..Part::NONE
};
