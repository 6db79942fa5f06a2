//! `show cache` (management.txt 9.3): the caches and what they hold.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Answer, Command, CommandContext, Level};
use crate::catalog::{Part, Status};
use crate::state::cache::{Cache, Shown};

fn show(context: &mut CommandContext<'_>) -> Answer {
    let caches = context.world.caches.clone();
    let mut caches = caches.into_iter();
    let mut entries: std::vec::IntoIter<Shown> = Vec::new().into_iter();
    Answer::Pieces(Box::new(move |out| {
        let mut text = String::new();
        if entries.len() == 0 {
            let Some(cache) = caches.next() else { return false };
            let listed = list(&cache);
            let address = Arc::as_ptr(&cache).addr();
            let (name, available) = (&cache.name, cache.available(&listed));
            // HAProxy has the memory's address and the cache's within it.
            let _ = writeln!(
                text,
                "{address:#x}: {name} (shctx:{address:#x}, available blocks:{available})"
            );
            entries = listed.into_iter();
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = since.as_secs() as u32;
        for entry in entries.by_ref().take(256) {
            line(&entry, now, &mut text);
        }
        out.extend(text.into_bytes());
        entries.len() > 0 || caches.len() > 0
    }))
}

/// The entries, in the order of their hashes.
fn list(cache: &Cache) -> Vec<Shown> {
    let mut entries = Vec::new();
    let mut from = Some(0);
    while let Some(at) = from {
        from = cache.show(at, &mut entries);
    }
    entries.sort_unstable_by_key(|entry| entry.hash);
    entries
}

/// `0x7f… hash:286881868 size:39114 (39 blocks), refcount:9, expire:237`
fn line(entry: &Shown, now: u32, text: &mut String) {
    let Shown { address, hash, size, blocks, users, expires } = entry;
    let left = expires.wrapping_sub(now) as i32;
    let _ = writeln!(
        text,
        "{address:#x} hash:{hash} size:{size} ({blocks} blocks), refcount:{users}, expire:{left}"
    );
}

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[Command {
        name: "show cache",
        help: "show cache     : show cache status",
        doc: "Lists the caches and what they hold.",
        examples: &["show cache"],
        level: Level::Admin,
        status: Status::Works,
        run: show,
        ..Command::NEW
    }],
    ..Part::NONE
};
