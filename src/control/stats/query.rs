//! What follows the page's address in a request: `;up`, `;csv`, `;st=DONE`, `scope=…` (the links on the
//! page itself).

/// The most that a scope may be long.
pub const MAX_SCOPE: usize = 20;

/// What a request for the page asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// What is answered.
    pub output: Output,
    /// `;up`
    pub hide_down: bool,
    /// `;no-maint`
    pub hide_maintenance: bool,
    /// `;norefresh`
    pub no_refresh: bool,
    /// `scope=`: only proxies with this text in their name; empty for all.
    pub scope: String,
    /// `;st=`: what the last action came to.
    pub result: Option<Outcome>,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// The page.
    #[default]
    Html,
    /// `;csv`
    Csv,
    /// `;typed`
    Typed,
    /// `;json`
    Json,
    /// `;json-schema`
    Schema,
}

/// What an action of the form came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every server was changed.
    Done,
    /// Nothing was to be changed.
    None,
    /// Some servers were changed, some names are unknown.
    Part,
    /// Names or parameters are wrong.
    Errp,
    /// Too much was sent.
    Excd,
    /// Not allowed.
    Deny,
    /// The method is not supported.
    Ival,
    /// Anything else.
    Unkn,
}

impl Outcome {
    /// The four letters in the address.
    pub fn code(self) -> &'static str {
        match self {
            Outcome::Done => "DONE",
            Outcome::None => "NONE",
            Outcome::Part => "PART",
            Outcome::Errp => "ERRP",
            Outcome::Excd => "EXCD",
            Outcome::Deny => "DENY",
            Outcome::Ival => "IVAL",
            Outcome::Unkn => "UNKN",
        }
    }

    fn of(code: &str) -> Outcome {
        let known = [
            Outcome::Done,
            Outcome::None,
            Outcome::Part,
            Outcome::Errp,
            Outcome::Excd,
            Outcome::Deny,
            Outcome::Ival,
        ];
        known.into_iter().find(|o| code.starts_with(o.code())).unwrap_or(Outcome::Unkn)
    }
}

impl Query {
    /// Reads what follows the page's address in a target.
    pub fn parse(rest: &[u8]) -> Query {
        let text = String::from_utf8_lossy(rest);
        let has = |word: &str| text.contains(word);
        let output = match () {
            () if has(";json-schema") => Output::Schema,
            () if has(";json") => Output::Json,
            () if has(";typed") => Output::Typed,
            () if has(";csv") => Output::Csv,
            () => Output::Html,
        };
        let result = text.split_once(";st=").map(|(_, code)| Outcome::of(code));
        Query {
            output,
            hide_down: has(";up"),
            hide_maintenance: has(";no-maint"),
            no_refresh: has(";norefresh"),
            scope: text.split_once("scope=").map(|(_, s)| scope(s)).unwrap_or_default(),
            result,
        }
    }

    /// `;up;norefresh?scope=x`: what links keep.
    pub fn suffix(&self) -> String {
        let up = if self.hide_down { ";up" } else { "" };
        let norefresh = if self.no_refresh { ";norefresh" } else { "" };
        format!("{up}{norefresh}{}", self.scope_suffix())
    }

    /// `?scope=x`, or nothing.
    pub fn scope_suffix(&self) -> String {
        if self.scope.is_empty() { String::new() } else { format!("?scope={}", self.scope) }
    }
}

/// A text to look for in names; one with characters that names cannot have is none.
fn scope(text: &str) -> String {
    let end = text.find([';', '&', ' ']).unwrap_or(text.len());
    let scope: String = text[..end].chars().take(MAX_SCOPE).collect();
    let valid = scope.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
    if valid { scope } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_found_where_it_stands() {
        let query = Query::parse(b";up;norefresh;csv?scope=tw&x=y");
        assert!(query.hide_down && query.no_refresh && !query.hide_maintenance);
        assert_eq!((query.output, query.scope.as_str()), (Output::Csv, "tw"));
        assert_eq!(query.suffix(), ";up;norefresh?scope=tw");
        assert_eq!(Query::parse(b";json-schema").output, Output::Schema);
        assert_eq!(Query::parse(b";json;norefresh").output, Output::Json);
        assert_eq!(Query::parse(b"").output, Output::Html);
        assert_eq!(Query::parse(b";st=PART;up").result, Some(Outcome::Part));
        assert_eq!(Query::parse(b";st=WHAT").result, Some(Outcome::Unkn));
    }

    #[test]
    fn a_scope_that_no_name_can_have_is_ignored() {
        assert_eq!(Query::parse(b";scope=a<b").scope, "");
        assert_eq!(Query::parse(b";scope=%3Cscript%3E").scope, "");
        assert_eq!(Query::parse(b"?scope=abcdefghijklmnopqrstuvwxyz").scope.len(), MAX_SCOPE);
    }
}
