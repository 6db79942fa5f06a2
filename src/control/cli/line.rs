//! Lines of commands (management.txt 9.3): in come bytes as they arrive, out come commands, cut at
//! line ends and semicolons, with the payload that may follow them. No sockets.

/// A command as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its words, without escapes.
    pub words: Vec<String>,
    /// The lines after `<<`.
    pub payload: Option<String>,
}

/// What the bytes that have arrived amount to.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A command.
    Request(Request),
    /// A line of a payload: more are expected.
    Payload,
    /// Nothing complete yet.
    Incomplete,
    /// More bytes than a command may have.
    TooLong,
}

/// Bytes that have arrived.
#[derive(Debug)]
pub struct Input {
    bytes: Vec<u8>,
    /// Bytes of a command with its payload at most.
    limit: usize,
    /// A command whose payload is arriving.
    pending: Option<(Vec<String>, String)>,
}

/// Words of a command that are looked at.
const MAX_WORDS: usize = 64;

impl Input {
    /// Nothing yet; `limit` is how many bytes a command with its payload may have.
    pub fn new(limit: usize) -> Input {
        Input { bytes: Vec::new(), limit, pending: None }
    }

    /// Takes more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether there is nothing that has not been looked at.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.pending.is_none()
    }

    /// Takes the next command, if it is complete.
    pub fn take(&mut self) -> Next {
        if let Some((words, mut payload)) = self.pending.take() {
            return match self.cut(|bytes| bytes.iter().position(|c| *c == b'\n')) {
                Some(line) if line.is_empty() => {
                    Next::Request(Request { words, payload: Some(payload) })
                }
                Some(line) if payload.len() + line.len() < self.limit => {
                    payload.push_str(&String::from_utf8_lossy(&line));
                    payload.push('\n');
                    self.pending = Some((words, payload));
                    Next::Payload
                }
                Some(_) => Next::TooLong,
                None => {
                    self.pending = Some((words, payload));
                    self.incomplete()
                }
            };
        }
        let Some(line) = self.cut(command_end) else { return self.incomplete() };
        let mut words = split(&line);
        if words.len() > 1 && words.last().is_some_and(|w| w == "<<") {
            words.pop();
            self.pending = Some((words, String::new()));
            return Next::Payload;
        }
        Next::Request(Request { words, payload: None })
    }

    fn incomplete(&self) -> Next {
        if self.bytes.len() >= self.limit { Next::TooLong } else { Next::Incomplete }
    }

    /// Takes the bytes up to an end and drops the end itself, and the carriage return before it.
    fn cut(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Option<Vec<u8>> {
        let at = end(&self.bytes)?;
        let rest = self.bytes.split_off(at + 1);
        let mut line = std::mem::replace(&mut self.bytes, rest);
        line.truncate(at);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(line)
    }
}

/// Where a command ends: a line end or semicolon without a backslash before it.
fn command_end(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    bytes.iter().position(|c| {
        let end = !escaped && matches!(c, b'\n' | b';');
        escaped = !escaped && *c == b'\\';
        end
    })
}

/// Splits at blanks; a backslash takes the meaning from what follows it.
fn split(line: &[u8]) -> Vec<String> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let (mut in_word, mut escaped) = (false, false);
    for &c in line {
        if !escaped && matches!(c, b' ' | b'\t') {
            in_word = false;
            continue;
        }
        if !in_word {
            words.push(Vec::new());
            in_word = true;
        }
        if !escaped && c == b'\\' {
            escaped = true;
            continue;
        }
        escaped = false;
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.truncate(MAX_WORDS);
    words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(words: &[&str], payload: Option<&str>) -> Next {
        let words = words.iter().map(|w| (*w).to_owned()).collect();
        Next::Request(Request { words, payload: payload.map(str::to_owned) })
    }

    #[test]
    fn semicolons_and_line_ends_separate_commands() {
        let mut input = Input::new(100);
        input.push(b"show  info;show\tstat\r\nsho");
        assert_eq!(input.take(), request(&["show", "info"], None));
        assert_eq!(input.take(), request(&["show", "stat"], None));
        assert_eq!(input.take(), Next::Incomplete);
        input.push(b"w\n\n");
        assert_eq!(input.take(), request(&["show"], None));
        assert_eq!(input.take(), request(&[], None));
        assert!(input.is_empty());
    }

    #[test]
    fn a_backslash_takes_the_meaning_away() {
        let mut input = Input::new(100);
        input.push(b"add map f a\\;b c\\ d \\\\ \\x;y\n");
        assert_eq!(input.take(), request(&["add", "map", "f", "a;b", "c d", "\\", "x"], None));
        assert_eq!(input.take(), request(&["y"], None));
    }

    #[test]
    fn a_payload_ends_at_an_empty_line() {
        let mut input = Input::new(100);
        input.push(b"add map f <<\nk v; w\nl m\n");
        assert_eq!(input.take(), Next::Payload);
        assert_eq!(input.take(), Next::Payload);
        assert_eq!(input.take(), Next::Payload);
        assert_eq!(input.take(), Next::Incomplete);
        assert!(!input.is_empty());
        input.push(b"\nquit\n");
        assert_eq!(input.take(), request(&["add", "map", "f"], Some("k v; w\nl m\n")));
        assert_eq!(input.take(), request(&["quit"], None));
    }

    #[test]
    fn endless_lines_and_payloads_are_refused() {
        let mut input = Input::new(8);
        input.push(b"123456789");
        assert_eq!(input.take(), Next::TooLong);
        let mut input = Input::new(8);
        input.push(b"a <<\n12345\n12345\n");
        assert_eq!(input.take(), Next::Payload);
        assert_eq!(input.take(), Next::Payload);
        assert_eq!(input.take(), Next::TooLong);
    }
}
