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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_what_the_rows_say() {
        let stale = stale(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../man"));
        assert!(stale.is_empty(), "stale: {stale:?}; mend: cargo run -p haproxy-compat -- man");
    }

    #[test]
    fn a_page_that_was_edited_is_stale() {
        let folder = std::env::temp_dir().join(format!("man-{}", std::process::id()));
        write(&folder).unwrap();
        assert_eq!(stale(&folder), [""; 0]);
        std::fs::write(folder.join("haproxy-cli.7"), "edited").unwrap();
        std::fs::remove_file(folder.join("haproxy.1")).unwrap();
        assert_eq!(stale(&folder), ["haproxy.1", "haproxy-cli.7"]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
