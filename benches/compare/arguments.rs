//! The words after `--`, read into plain values.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::rows::ROWS;

pub struct Arguments {
    pub rows: Vec<String>,
    pub binary: Option<PathBuf>,
    pub reference: PathBuf,
    pub rounds: Option<usize>,
    pub quick: bool,
    pub itself: bool,
    pub nginx: bool,
    pub strict: bool,
}

const USAGE: &str = "\
cargo bench --bench compare -- [ROW…] [OPTION…]
  --binary PATH      this haproxy instead of the release binary of this project
  --reference PATH   what it is compared to (default /usr/sbin/haproxy)
  --self             compare our binary to itself: what the measurement itself varies by
  --quick            fewer rounds and requests
  --rounds N         rounds for each row
  --no-nginx         without nginx
  --strict           exit with 2 if a target is missed
rows:";

impl Arguments {
    /// None if only the usage was asked for (and printed).
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>> {
        let mut arguments = Arguments {
            rows: Vec::new(),
            binary: None,
            reference: "/usr/sbin/haproxy".into(),
            rounds: None,
            quick: false,
            itself: false,
            nginx: true,
            strict: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                // What `cargo bench` itself adds.
                "--bench" => {}
                "--binary" => arguments.binary = Some(value()?.into()),
                "--reference" => arguments.reference = value()?.into(),
                "--rounds" => arguments.rounds = Some(value()?.parse()?),
                "--self" => arguments.itself = true,
                "--quick" => arguments.quick = true,
                "--no-nginx" => arguments.nginx = false,
                "--strict" => arguments.strict = true,
                "--help" | "-h" => {
                    print_usage();
                    return Ok(None);
                }
                name if ROWS.iter().any(|row| row.name == name) => arguments.rows.push(word),
                _ => bail!("unknown word {word:?}; --help lists them"),
            }
        }
        Ok(Some(arguments))
    }

    pub fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| wanted == row)
    }
}

fn print_usage() {
    println!("{USAGE}");
    for row in ROWS {
        println!("  {:<18} {}", row.name, row.title);
    }
}
