//! `show table`, `clear table`, `set table` (management.txt 9.3).

use std::fmt::Write;
use std::sync::Arc;

use super::{Answer, Command, CommandContext, Level};
use crate::catalog::{Part, Status};
use crate::state::stick_table::{Data, Entry, KeyType, StickTable};

/// A comparison of a stored number, as `data.gpc0 gt 0`.
struct Filter {
    data: Data,
    compare: fn(&i64, &i64) -> bool,
    value: i64,
}

impl Filter {
    fn holds(&self, table: &StickTable, entry: &Entry) -> bool {
        let stored = table.get(entry, self.data).unwrap_or(0);
        (self.compare)(&i64::try_from(stored).unwrap_or(i64::MAX), &self.value)
    }
}

/// Which entries are meant.
enum Wanted {
    All,
    Filtered(Vec<Filter>),
    Key(String),
}

/// Comparisons that may stand in one command.
const MAX_FILTERS: usize = 4;

impl Wanted {
    /// Reads the arguments after the table's name.
    fn parse(table: &StickTable, args: &[String]) -> Result<Wanted, Answer> {
        match args.first().map(String::as_str) {
            None => Ok(Wanted::All),
            Some("key") => match args.get(1) {
                Some(key) => Ok(Wanted::Key(key.clone())),
                None => Err(Answer::error("Key value expected\n")),
            },
            Some(first) if first.starts_with("data.") => {
                let filters = args.chunks(3).take(MAX_FILTERS).enumerate();
                let read = filters.map(|(index, words)| filter(table, words, index + 1));
                Ok(Wanted::Filtered(read.collect::<Result<_, _>>()?))
            }
            Some(_) => Err(Answer::error(
                "Optional argument only supports \"data.<store_data_type>\" <operator> <value> and key <key>\n",
            )),
        }
    }
}

fn filter(table: &StickTable, words: &[String], number: usize) -> Result<Filter, Answer> {
    let refuse = |text: &str| Answer::error(format!("Filter entry #{number}: {text}\n"));
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    let name = word(0).strip_prefix("data.");
    let data = name.and_then(Data::of_name).ok_or_else(|| refuse("Unknown data type"))?;
    if !table.stores(data) {
        return Err(refuse("Data type not stored in this table"));
    }
    let compare: fn(&i64, &i64) -> bool = match word(1) {
        "eq" => i64::eq,
        "ne" => i64::ne,
        "le" => i64::le,
        "ge" => i64::ge,
        "lt" => i64::lt,
        "gt" => i64::gt,
        _ => {
            let text = "Require and operator among \"eq\", \"ne\", \"le\", \"ge\", \"lt\", \"gt\"";
            return Err(refuse(text));
        }
    };
    let value = word(2).parse();
    let value = value.map_err(|_| refuse("Require a valid integer value to compare against"))?;
    Ok(Filter { data, compare, value })
}

fn find(context: &CommandContext<'_>) -> Result<Arc<StickTable>, Answer> {
    let table = context.world.tables.get(context.arg(0)).cloned();
    table.ok_or_else(|| Answer::error("No such table\n"))
}

fn show(context: &mut CommandContext<'_>) -> Answer {
    if context.args.is_empty() {
        // The table declared last comes first.
        let tables = context.world.proxies.iter().rev().filter_map(|p| p.table.as_ref());
        return Answer::text(tables.map(|table| header(table)).collect::<String>());
    }
    show_one(context).unwrap_or_else(|answer| answer)
}

fn show_one(context: &CommandContext<'_>) -> Result<Answer, Answer> {
    let table = find(context)?;
    let args = context.args.get(1..).unwrap_or_default();
    let entries = match Wanted::parse(&table, args)? {
        Wanted::Key(text) => {
            let entry = one(&table, &text)?;
            let Some(entry) = entry else { return Ok(Answer::Done) };
            return Ok(Answer::text(header(&table) + &line(&table, &entry)));
        }
        Wanted::All => table_entries(&table, Vec::new()),
        Wanted::Filtered(filters) => table_entries(&table, filters),
    };
    let mut first = Some(header(&table));
    let mut entries = entries.into_iter();
    Ok(Answer::Pieces(Box::new(move |out| {
        out.extend(first.take().unwrap_or_default().into_bytes());
        for entry in entries.by_ref().take(256) {
            out.extend(line(&table, &entry).into_bytes());
        }
        entries.len() > 0
    })))
}

fn table_entries(table: &StickTable, filters: Vec<Filter>) -> Vec<Arc<Entry>> {
    let mut entries = table.entries();
    entries.retain(|entry| filters.iter().all(|f| f.holds(table, entry)));
    entries
}

/// The entry of a key as an operator wrote it.
fn one(table: &StickTable, text: &str) -> Result<Option<Arc<Entry>>, Answer> {
    Ok(table.find(&key(table, text)?))
}

fn key<'a>(
    table: &StickTable,
    text: &'a str,
) -> Result<crate::state::stick_table::Key<'a>, Answer> {
    if table.spec.kind == KeyType::Binary {
        return Err(Answer::error(
            "Inserting keys into tables of type other than ip, ipv6, string and integer is not supported\n",
        ));
    }
    table.key_of_text(text.as_bytes()).ok_or_else(|| Answer::error("Invalid key\n"))
}

fn header(table: &StickTable) -> String {
    let (name, kind) = (&table.name, table.spec.kind.word());
    format!("# table: {name}, type: {kind}, size:{}, used:{}\n", table.spec.size, table.used())
}

/// `0x7f…: key=… use=0 exp=0 gpc0=1`
fn line(table: &StickTable, entry: &Arc<Entry>) -> String {
    let mut text = format!(
        "{:#x}: key={} use={} exp={}",
        Arc::as_ptr(entry).addr(),
        key_text(table.spec.kind, entry.key()),
        entry.trackers(),
        table.remaining(entry),
    );
    for (data, period) in &table.spec.stored {
        let name = data.name();
        let value = table.get(entry, *data).unwrap_or(0);
        let _ = match data {
            Data::ServerName => {
                let server = table.server_name(entry);
                write!(text, " {name}={}", server.as_deref().unwrap_or("-"))
            }
            // An identifier is shown with its sign, as is HAProxy's way.
            Data::ServerId => write!(text, " {name}={}", value as i32),
            data if data.is_rate() => write!(text, " {name}({period})={value}"),
            _ => write!(text, " {name}={value}"),
        };
    }
    text.push('\n');
    text
}

fn key_text(kind: KeyType, key: &[u8]) -> String {
    match kind {
        KeyType::Ip => <[u8; 4]>::try_from(key)
            .map_or_else(|_| String::new(), |ip| std::net::Ipv4Addr::from(ip).to_string()),
        KeyType::Ipv6 => <[u8; 16]>::try_from(key)
            .map_or_else(|_| String::new(), |ip| std::net::Ipv6Addr::from(ip).to_string()),
        KeyType::Integer => <[u8; 4]>::try_from(key)
            .map_or_else(|_| String::new(), |n| u32::from_le_bytes(n).to_string()),
        KeyType::String | KeyType::Binary => escaped(key),
    }
}

/// Text on one line and in one word: blanks, `=`, `\` and what cannot be printed are escaped.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b' ' | b'=' | b'\\' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            0x1b => text.push_str("\\e"),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text
}

fn clear(context: &mut CommandContext<'_>) -> Answer {
    if context.args.is_empty() {
        return Answer::error(
            "Required arguments: <table> \"data.<store_data_type>\" <operator> <value> or <table> key <key>\n",
        );
    }
    clear_one(context).unwrap_or_else(|answer| answer)
}

fn clear_one(context: &CommandContext<'_>) -> Result<Answer, Answer> {
    let table = find(context)?;
    let filters = match Wanted::parse(&table, context.args.get(1..).unwrap_or_default())? {
        Wanted::Key(text) => {
            return Ok(match table.remove(&key(&table, &text)?) {
                Some(false) => Answer::error("Entry currently in use, cannot remove\n"),
                _ => Answer::Done,
            });
        }
        Wanted::All => Vec::new(),
        Wanted::Filtered(filters) => filters,
    };
    let mut entries = table_entries(&table, filters).into_iter();
    Ok(Answer::Pieces(Box::new(move |_| {
        for entry in entries.by_ref().take(256) {
            table.remove(entry.key());
        }
        entries.len() > 0
    })))
}

fn set(context: &mut CommandContext<'_>) -> Answer {
    set_one(context).unwrap_or_else(|answer| answer)
}

fn set_one(context: &CommandContext<'_>) -> Result<Answer, Answer> {
    const USAGE: &str = "Required arguments: <table> key <key> [data.<store_data_type> <value>]*\n";
    if context.args.is_empty() {
        return Err(Answer::error(USAGE));
    }
    let table = find(context)?;
    match context.arg(1) {
        "" => return Ok(Answer::Done),
        "key" => {}
        _ => return Err(Answer::error(USAGE)),
    }
    if context.arg(2).is_empty() {
        return Err(Answer::error("Key value expected\n"));
    }
    let key = key(&table, context.arg(2))?;
    let Some(entry) = table.find_or_add(&key) else {
        return Err(Answer::error("Unable to allocate a new entry\n"));
    };
    for pair in context.args.get(3..).unwrap_or_default().chunks(2) {
        let Some(name) = pair.first().and_then(|word| word.strip_prefix("data.")) else {
            return Err(Answer::error("\"data.<type>\" followed by a value expected\n"));
        };
        let data = Data::of_name(name).ok_or_else(|| Answer::error("Unknown data type\n"))?;
        if !table.stores(data) {
            return Err(Answer::error("Data type not stored in this table\n"));
        }
        let value = pair.get(1).and_then(|word| word.parse::<i64>().ok());
        let Some(value) = value else {
            return Err(Answer::error("Require a valid integer value to store\n"));
        };
        table.set(&entry, data, value as u64);
    }
    Ok(Answer::Done)
}

const COMMAND: Command = Command { status: Status::Works, ..Command::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    commands: &[
        Command {
            name: "clear table",
            args: "<table> [ data.<type> <operator> <value> ] | [ key <key> ]",
            help: "clear table    : remove an entry from a table",
            doc: "Removes the entries of a stick table that nothing tracks: all, those that a comparison holds for, or one.",
            examples: &["clear table app key 127.0.0.1", "clear table app data.gpc0 eq 1"],
            run: clear,
            ..COMMAND
        },
        Command {
            name: "set table",
            args: "<table> key <key> [data.<data_type> <value>]*",
            help: "set table [id] : update or create a table entry's data",
            doc: "Sets data of an entry of a stick table, which is made if need be.",
            examples: &["set table app key 127.0.0.1 data.gpc0 1"],
            level: Level::Operator,
            run: set,
            ..COMMAND
        },
        Command {
            name: "show table",
            args: "[ <table> [ data.<type> <operator> <value> [data.<type> ...]] | [ key <key> ] ]",
            help: "show table [id]: report table usage stats or dump this table's contents",
            doc: "Lists the stick tables, or the entries of one of them.",
            examples: &["show table", "show table app", "show table app data.gpc0 gt 0"],
            run: show,
            ..COMMAND
        },
    ],
    ..Part::NONE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_one_word_on_one_line() {
        assert_eq!(escaped(b"a b=c\\d\n\x01\xff"), "a\\ b\\=c\\\\d\\n\\x01\\xff");
        assert_eq!(key_text(KeyType::Integer, &[1, 1, 0, 0]), "257");
        assert_eq!(key_text(KeyType::Ip, &[127, 0, 0, 1]), "127.0.0.1");
    }
}
