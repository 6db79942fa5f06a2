//! roff for manual pages (man(7)): in comes text, out comes markup that shows just that text.

/// A page being written.
#[derive(Debug)]
pub struct Roff {
    text: String,
}

impl Roff {
    /// Begins a page; `source` names the program, `manual` the kind of manual.
    pub fn new(name: &str, section: u8, source: &str, manual: &str) -> Roff {
        let (name, source, manual) = (escape(&name.to_uppercase()), escape(source), escape(manual));
        let mut page = Roff { text: String::new() };
        page.line(".\\\" Generated from the catalog by `cargo run -p haproxy-compat -- man`.");
        page.line(&format!(".TH \"{name}\" {section} \"\" \"{source}\" \"{manual}\""));
        // Words of a configuration are not hyphenated, and lines end where words end.
        page.line(".nh");
        page.line(".ad l");
        page
    }

    /// The whole page.
    pub fn finish(self) -> String {
        self.text
    }

    /// A section of the page.
    pub fn section(&mut self, title: &str) {
        self.line(&format!(".SH \"{}\"", escape(&title.to_uppercase())));
    }

    /// A part of a section.
    pub fn part(&mut self, title: &str) {
        self.line(&format!(".SS \"{}\"", escape(title)));
    }

    /// A paragraph. Words between backquotes are bold.
    pub fn paragraph(&mut self, text: &str) {
        self.line(".PP");
        self.line(&line(text));
    }

    /// Begins an entry: a name in bold and its arguments; what follows is indented.
    pub fn entry(&mut self, name: &str, args: &str) {
        self.line(".TP");
        match args {
            "" => self.line(&bold(name)),
            args => self.line(&format!("{} {}", bold(name), escape(args))),
        }
    }

    /// Text of an entry. Words between backquotes are bold.
    pub fn text(&mut self, text: &str) {
        self.line(&line(text));
    }

    /// A line of its own in an entry: what it is about, and that.
    pub fn detail(&mut self, label: &str, text: &str) {
        self.line(".br");
        self.line(&format!("\\fI{}:\\fP {}", escape(label), escape(text)));
    }

    /// A line of its own in an entry: what it is about, and words of a configuration.
    pub fn words(&mut self, label: &str, text: &str) {
        self.line(".br");
        self.line(&format!("\\fI{}:\\fP {}", escape(label), bold(text)));
    }

    /// Lines that are shown as they are.
    pub fn example(&mut self, lines: &str) {
        self.line(".PP");
        self.line(".RS 4");
        self.line(".nf");
        lines.lines().for_each(|shown| self.line(&line_start(&escape(shown))));
        self.line(".fi");
        self.line(".RE");
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }
}

/// Text with its backquoted words in bold, as one line of input.
fn line(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let shown: String =
        parts.map(|(n, part)| if n % 2 == 1 { bold(part) } else { escape(part) }).collect();
    line_start(&shown)
}

fn bold(text: &str) -> String {
    format!("\\fB{}\\fP", escape(text))
}

/// A line must not begin with what would make it a request.
fn line_start(text: &str) -> String {
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text.to_owned() }
}

/// The same characters, whatever they mean to roff.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut unbroken = 0;
    for c in text.chars() {
        // A long word may be broken, without a hyphen, where it would not fit.
        unbroken = if c == ' ' { 0 } else { unbroken + 1 };
        if unbroken > 32 {
            out.push_str("\\:");
            unbroken = 1;
        }
        match c {
            '\\' => out.push_str("\\[rs]"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\[aq]"),
            '"' => out.push_str("\\[dq]"),
            '`' => out.push_str("\\[ga]"),
            '^' => out.push_str("\\[ha]"),
            '~' => out.push_str("\\[ti]"),
            '\n' => out.push(' '),
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_it_is() {
        assert_eq!(
            line("a `no-b` \\x \"q\" ~ é"),
            "a \\fBno\\-b\\fP \\[rs]x \\[dq]q\\[dq] \\[ti] \\[u00E9]"
        );
        assert_eq!(line(".x"), "\\&.x");
    }
}
