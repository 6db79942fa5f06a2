//! A fresh folder for one proxy: its configuration, sockets and files; removed at the end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// A temporary folder, deleted with all it holds when dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Chooses a name that no other folder has, and makes nothing yet. Its path is short: unix
    /// socket addresses hold about 100 bytes.
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hap-{}-{id}", std::process::id()));
        // Left over by a process that had the same id and could not clean up.
        let _ = std::fs::remove_dir_all(&path);
        Folder { path }
    }

    /// Where it is, or will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder, if it is not there yet.
    pub fn make(&self) -> Result<&Path> {
        let made = std::fs::create_dir_all(&self.path);
        made.with_context(|| format!("making {}", self.path.display()))?;
        Ok(&self.path)
    }

    /// Writes a file below the folder, making the folders between.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

impl Default for Folder {
    fn default() -> Folder {
        Folder::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
