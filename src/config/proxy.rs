//! What every proxy has: its mode, its limits, its switches (manual 4.2: mode, maxconn, id,
//! description, disabled, enabled, retries, fullconn, backlog, and the `option` switches).

use std::collections::BTreeMap;

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, Parsed, parse_lenient};
use crate::config::section::Sections;

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Mode {
    /// Bytes.
    #[default]
    Tcp,
    /// HTTP messages.
    Http,
    /// Nothing: the proxy only answers health checks. Removed in 2.3, kept to say so.
    Health,
}

impl Mode {
    /// As in `mode`, the CSV and messages.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Tcp => "tcp",
            Mode::Http => "http",
            Mode::Health => "health",
        }
    }
}

/// Mode and limits of a proxy, as written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProxyBasicsSpec {
    /// `mode`
    pub mode: Mode,
    /// `maxconn`
    pub maxconn: Option<u32>,
    /// `fullconn`
    pub fullconn: Option<u32>,
    /// `backlog`
    pub backlog: Option<u32>,
    /// `retries`, 3 when not given.
    pub retries: Option<u32>,
    /// `id`
    pub id: Option<u32>,
    /// `description`
    pub description: Option<String>,
    /// `disabled`
    pub disabled: bool,
}

/// `option` switches that were written, by name: on or, after `no`, off.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptionsSpec(BTreeMap<&'static str, bool>);

impl OptionsSpec {
    /// Whether the switch is on; one that was not written is off.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name) == Some(true)
    }

    /// What was written, if anything.
    pub fn get(&self, name: &str) -> Option<bool> {
        self.0.get(name).copied()
    }

    /// Sets a switch, or forgets it (`default option …`).
    pub fn set(&mut self, name: &'static str, on: Option<bool>) {
        match on {
            Some(on) => drop(self.0.insert(name, on)),
            None => drop(self.0.remove(name)),
        }
    }
}

/// The `parse` of every `option` that is a plain switch.
pub fn switch_option(line: &mut Line<'_>) -> Parsed {
    line.end()?;
    let on = line.switch();
    let name = line.keyword.name.trim_start_matches("option ");
    line.proxy().options.set(name, on);
    Ok(())
}

/// What a number's word holds, as HAProxy reads it: digits, the rest ignored.
fn count(line: &mut Line<'_>) -> Result<u32, crate::config::diagnostic::Diagnostic> {
    let name = line.keyword.name;
    let word = line.required(&format!("'{name}' expects an integer argument."))?;
    let value = parse_lenient(word.bytes());
    line.end()?;
    Ok(u32::try_from(value.max(0)).unwrap_or(u32::MAX))
}

fn mode(line: &mut Line<'_>) -> Parsed {
    let word = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
    line.proxy().basics.mode = match word.as_str() {
        "http" => Mode::Http,
        "tcp" => Mode::Tcp,
        "health" => {
            return Err(line.alert(
                "'mode health' doesn't exist anymore. Please use 'http-request return status 200' instead.",
            ));
        }
        other => return Err(line.alert(format!("unknown proxy mode '{other}'."))),
    };
    line.end()
}

fn maxconn(line: &mut Line<'_>) -> Parsed {
    let value = count(line)?;
    line.proxy().basics.maxconn = Some(value);
    Ok(())
}

fn fullconn(line: &mut Line<'_>) -> Parsed {
    let value = count(line)?;
    line.proxy().basics.fullconn = Some(value);
    Ok(())
}

fn backlog(line: &mut Line<'_>) -> Parsed {
    let value = count(line)?;
    line.proxy().basics.backlog = Some(value);
    Ok(())
}

fn retries(line: &mut Line<'_>) -> Parsed {
    if line.is_empty() {
        return Err(line.alert("'retries' expects an integer argument (dispatch counts for one)."));
    }
    let value = count(line)?;
    line.proxy().basics.retries = Some(value);
    Ok(())
}

fn id(line: &mut Line<'_>) -> Parsed {
    if line.section == Sections::DEFAULTS {
        return Err(line.bare("'id' not allowed in 'defaults' section."));
    }
    let Some(word) = line.word() else {
        return Err(line.bare("'id' expects an integer argument."));
    };
    let value = parse_lenient(word.bytes());
    line.end()?;
    if value <= 0 {
        return Err(line.bare("custom id has to be > 0."));
    }
    let value = u32::try_from(value).unwrap_or(u32::MAX);
    line.proxy().basics.id = Some(value);
    Ok(())
}

fn description(line: &mut Line<'_>) -> Parsed {
    let words: Vec<_> = line.rest().iter().map(|w| w.str().into_owned()).collect();
    if words.is_empty() {
        return Err(line.bare("'description' expects a string argument."));
    }
    line.proxy().basics.description = Some(words.join(" "));
    Ok(())
}

const PROXY: Keyword = Keyword { status: Status::Works, ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "backlog",
            sections: Sections::FRONTENDS,
            args: "<conns>",
            default: "the value of maxconn",
            doc: "How many connections the kernel may hold until they are accepted. Defaults to maxconn.",
            examples: &["backlog 1024"],
            parse: backlog,
            ..PROXY
        },
        Keyword {
            name: "description",
            sections: Sections::NAMED_PROXIES,
            args: "<text>",
            doc: "A text shown beside the proxy's name on the statistics page.",
            examples: &["description Web servers"],
            parse: description,
            ..PROXY
        },
        Keyword {
            name: "disabled",
            sections: Sections::PROXIES,
            doc: "Keeps the proxy from starting.",
            examples: &["disabled"],
            parse: |line| {
                line.proxy().basics.disabled = true;
                line.end()
            },
            ..PROXY
        },
        Keyword {
            name: "enabled",
            sections: Sections::PROXIES,
            doc: "Undoes a disabled of the defaults.",
            examples: &["enabled"],
            parse: |line| {
                line.proxy().basics.disabled = false;
                line.end()
            },
            ..PROXY
        },
        Keyword {
            name: "fullconn",
            sections: Sections::BACKENDS,
            args: "<conns>",
            default: "a tenth of the maxconns of the frontends that may choose the backend",
            doc: "The number of connections at which a server's minconn has grown to its maxconn.",
            examples: &["fullconn 10000"],
            parse: fullconn,
            status: Status::Works,
            ..PROXY
        },
        Keyword {
            name: "id",
            sections: Sections::NAMED_PROXIES,
            args: "<number>",
            doc: "The proxy's number in statistics, unique and positive.",
            examples: &["id 1000"],
            parse: id,
            ..PROXY
        },
        Keyword {
            name: "maxconn",
            sections: Sections::FRONTENDS,
            args: "<conns>",
            doc: "How many connections the frontend serves at once; further ones wait in the kernel's queue.",
            examples: &["maxconn 2000"],
            parse: maxconn,
            ..PROXY
        },
        Keyword {
            name: "mode",
            sections: Sections::PROXIES,
            args: "{ tcp|http }",
            default: "tcp",
            doc: "What the proxy speaks: `tcp` passes bytes on, `http` looks at messages. A frontend and its backends must speak the same.",
            examples: &["mode http"],
            parse: mode,
            ..PROXY
        },
        Keyword {
            name: "retries",
            sections: Sections::BACKENDS,
            args: "<count>",
            default: "3",
            doc: "How many times a failed connection to a server is tried again. Defaults to 3.",
            examples: &["retries 3"],
            parse: retries,
            ..PROXY
        },
    ],
    ..Part::NONE
};
