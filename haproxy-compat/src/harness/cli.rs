//! The runtime socket (management guide 9.3): one command, one answer; or a kept session.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Connection;

/// A unix stream socket on which a proxy listens for commands.
#[derive(Clone, Debug)]
pub struct Cli {
    path: PathBuf,
}

impl Cli {
    /// The socket at `path`; nothing is opened yet.
    pub fn at(path: &Path) -> Cli {
        Cli { path: path.to_owned() }
    }

    /// Sends one line of commands on a connection of its own and reads the whole answer.
    pub fn ask(&self, command: &str) -> Result<String> {
        let mut connection = self.connect()?;
        connection.send(format!("{command}\n"))?;
        let answer = connection.read_to_end().with_context(|| format!("asking {command:?}"))?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Opens a connection, for `prompt` sessions and hostile input.
    pub fn connect(&self) -> Result<Connection> {
        Connection::to_path(&self.path)
    }
}
