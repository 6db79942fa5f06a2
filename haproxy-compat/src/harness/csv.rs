//! The statistics as CSV (management guide 9.1), by proxy, server and column name.

use std::collections::HashMap;

use anyhow::{Context, Result};

/// A parsed `show stat` or `;csv` answer.
#[derive(Clone, Debug)]
pub struct Csv {
    /// The column names, in order, without the leading `# `.
    pub columns: Vec<String>,
    /// One map for each row.
    pub rows: Vec<HashMap<String, String>>,
}

impl Csv {
    /// Reads the text; its first line names the columns.
    pub fn parse(text: &str) -> Result<Csv> {
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let head = lines.next().and_then(|line| line.strip_prefix("# "));
        let head = head.with_context(|| format!("no CSV header in {text:?}"))?;
        let columns: Vec<String> = split(head.trim_end_matches(','));
        let row = |line: &str| columns.iter().cloned().zip(split(line)).collect();
        Ok(Csv { rows: lines.map(row).collect(), columns })
    }

    /// One field, for example `("be", "s1", "status")`.
    pub fn get(&self, proxy: &str, name: &str, column: &str) -> Result<&str> {
        let is = |row: &&HashMap<String, String>| {
            row.get("pxname").is_some_and(|p| p == proxy)
                && row.get("svname").is_some_and(|s| s == name)
        };
        let row = self.rows.iter().find(is).with_context(|| format!("no row {proxy}/{name}"))?;
        let field = row.get(column).with_context(|| format!("no column {column}"))?;
        Ok(field)
    }

    /// One field as a number; an empty field is an error.
    pub fn number(&self, proxy: &str, name: &str, column: &str) -> Result<i64> {
        let field = self.get(proxy, name, column)?;
        field.parse().with_context(|| format!("{proxy}/{name} {column} is {field:?}"))
    }
}

/// Splits at commas outside double quotes; a doubled quote inside stands for one.
fn split(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => fields[last].push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields[last].push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name() {
        let csv = Csv::parse("# pxname,svname,desc,\nbe,s1,\"a \"\"b\"\", c\",\n\n").unwrap();
        assert_eq!(csv.get("be", "s1", "desc").unwrap(), "a \"b\", c");
        assert!(csv.get("be", "s2", "desc").is_err());
    }
}
