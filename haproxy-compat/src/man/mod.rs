//! `haproxy-compat man`: the manual pages, generated from the catalog and the table of options. In: their rows.
//! Out: roff, which `man/` holds, and whether what is there is still what the rows say.

mod commands;
mod configuration;
mod program;
mod roff;

use std::path::Path;

use anyhow::{Context, Result};
use haproxy::catalog::Status;

/// A manual page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its file's name.
    pub name: &'static str,
    /// Its roff text.
    pub text: String,
}

/// Every generated page.
pub fn pages() -> Vec<Page> {
    vec![
        Page { name: "haproxy.1", text: program::page() },
        Page { name: "haproxy.cfg.5", text: configuration::page() },
        Page { name: "haproxy-cli.7", text: commands::page() },
    ]
}

/// Writes the pages into a folder.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for page in pages() {
        let path = folder.join(page.name);
        std::fs::write(&path, page.text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The pages of a folder that are missing, or not what the rows say.
pub fn stale(folder: &Path) -> Vec<&'static str> {
    let is_current = |page: &Page| {
        std::fs::read(folder.join(page.name)).is_ok_and(|text| text == page.text.as_bytes())
    };
    pages().iter().filter(|page| !is_current(page)).map(|page| page.name).collect()
}

/// What is said of a name that does not have its whole effect; nothing of one that works.
fn status(status: Status) -> Option<String> {
    match status {
        Status::Works => None,
        Status::NoEffect(why) => Some(format!("accepted without effect: {why}.")),
        Status::Planned => Some("planned, not built yet.".to_owned()),
    }
}
