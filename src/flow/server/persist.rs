//! Keeping a client on its server (manual 4.2): cookies, RDP cookies, stickiness, `use-server`.

use crate::catalog::{Keyword, Part, Status};
use crate::config::args::{Line, NumberError, Parsed, TimeUnit, parse_time};
use crate::config::section::Sections;
use crate::flow::rules::condition;
use crate::sample::expr::Expr;
use crate::sample::valid::{self, Place};

fn cookie(line: &mut Line<'_>) -> Parsed {
    line.required("'cookie' expects <cookie_name> as argument.")?;
    let mut modes = 0;
    while let Some(word) = line.word() {
        let option = word.str();
        match &*option {
            "rewrite" | "insert" | "prefix" => modes += 1,
            "indirect" | "nocache" | "postonly" | "preserve" | "httponly" | "secure"
            | "dynamic" => {}
            "domain" => {
                if line.word().is_none() {
                    return Err(line.bare("'domain' expects <domain> as argument."));
                }
            }
            "maxidle" | "maxlife" => cookie_time(line, &option)?,
            "attr" => attribute(line)?,
            _ => {
                return Err(line.alert(
                    "'cookie' supports 'rewrite', 'insert', 'prefix', 'indirect', 'nocache', 'postonly', 'domain', 'maxidle', 'dynamic', 'maxlife' and 'attr' options.",
                ));
            }
        }
    }
    if modes > 1 {
        return Err(line.alert("cookie 'rewrite', 'insert' and 'prefix' modes are incompatible."));
    }
    Ok(())
}

fn cookie_time(line: &mut Line<'_>, option: &str) -> Parsed {
    let Some(word) = line.word() else {
        return Err(line.bare(format!("'{option}' expects <idletime> in seconds as argument.")));
    };
    match parse_time(word.bytes(), TimeUnit::Seconds) {
        Ok(_) => Ok(()),
        Err(NumberError::Unexpected(c)) => {
            Err(line.bare(format!("unexpected character '{c}' in argument to <{option}>.")))
        }
        Err(NumberError::Overflow) => Err(line.bare(format!(
            "timer overflow in argument <{word}> to <{option}>, maximum value is 2147483647 s (~68 years)."
        ))),
        Err(NumberError::Underflow) => Err(line.bare(format!(
            "timer underflow in argument <{word}> to <{option}>, minimum non-null value is 1 s."
        ))),
    }
}

fn attribute(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else {
        return Err(line.bare("'attr' expects <value> as argument."));
    };
    match word.bytes().iter().find(|b| b.is_ascii_control() || **b == b';') {
        None => Ok(()),
        Some(bad) => {
            Err(line.bare(format!("character '%x{bad:02X}' is not permitted in attribute value.")))
        }
    }
}

/// `persist rdp-cookie` or `persist rdp-cookie(name)`.
fn persist(line: &mut Line<'_>) -> Parsed {
    let Some(word) = line.word() else { return Err(line.alert("missing persist method.")) };
    let word = word.str();
    let Some(rest) = word.strip_prefix("rdp-cookie") else {
        return Err(line.alert("unknown persist method."));
    };
    let named = rest
        .strip_prefix('(')
        .is_none_or(|name| name.split_once(')').is_some_and(|(name, _)| !name.is_empty()));
    if !named {
        return Err(line.alert("persist rdp-cookie(name)' requires an rdp cookie name."));
    }
    Ok(())
}

/// `force-persist` and `ignore-persist`.
fn persist_rule(line: &mut Line<'_>) -> Parsed {
    let name = line.keyword.name;
    if !line.peek().is_some_and(|w| *w == *"if" || *w == *"unless") {
        return Err(line
            .alert(format!("'{name}' requires either 'if' or 'unless' followed by a condition.")));
    }
    condition::parse_named(line, &format!("error detected while parsing a '{name}' rule")).map(drop)
}

fn use_server(line: &mut Line<'_>) -> Parsed {
    let name = line.required("'use-server' expects a server name.")?.str().into_owned();
    let place = line.last_place();
    if !line.peek().is_some_and(|w| *w == *"if" || *w == *"unless") {
        return Err(
            line.alert("'use-server' requires either 'if' or 'unless' followed by a condition.")
        );
    }
    condition::parse_named(line, "error detected while parsing switching rule")?;
    if !name.contains("%[") {
        line.proxy().references.servers.push((name, place));
    }
    Ok(())
}

/// `stick on`, `stick match`, `stick store-request`, `stick store-response`.
fn stick(line: &mut Line<'_>) -> Parsed {
    let store_response = line.keyword.name == "stick store-response";
    let Some(word) = line.word() else {
        return Err(line.alert("'stick' expects a fetch method."));
    };
    let expr = Expr::parse(&word.str()).map_err(|e| line.alert(format!("'stick': {e}")))?;
    let (place, said) = match store_response {
        true => (Place::StoreResponse, "'store-response'"),
        false => (Place::UseServer, "'store-request'"),
    };
    if !valid::at(expr.fetch, place) {
        return Err(line.alert(format!(
            "'stick': fetch method '{}' extracts information from '{}', none of which is available for {said}.",
            expr.fetch.name,
            valid::needs(expr.fetch)
        )));
    }
    if line.accept("table") {
        let name = line.word().map(|w| w.str().into_owned()).unwrap_or_default();
        let kind = match store_response || line.keyword.name == "stick store-request" {
            true => "store table",
            false => "stick-table",
        };
        let place = line.last_place();
        line.proxy().references.tables.push((kind, name, place));
    }
    match line.peek().map(|w| w.str()) {
        None => Ok(()),
        Some(word) if word == "if" || word == "unless" => {
            condition::parse_named(line, "'stick': error detected while parsing sticking condition")
                .map(drop)
        }
        Some(word) => Err(line.alert(format!("'stick': unknown keyword '{word}'."))),
    }
}

fn dynamic_cookie_key(line: &mut Line<'_>) -> Parsed {
    line.required("'dynamic-cookie-key' expects <secret_key> as argument.")?;
    Ok(())
}

const BACKEND: Keyword =
    Keyword { sections: Sections::LISTEN.and(Sections::BACKEND), ..Keyword::NEW };

/// The rows of this family.
pub const PART: Part = Part {
    keywords: &[
        Keyword {
            name: "cookie",
            sections: Sections::BACKENDS,
            args: "<name> [ rewrite | insert | prefix ] [ indirect ] [ nocache ] [ postonly ] [ preserve ] [ httponly ] [ secure ] [ domain <domain> ]* [ maxidle <idle> ] [ maxlife <life> ] [ dynamic ] [ attr <value> ]*",
            doc: "Keeps clients on their server by a cookie.",
            examples: &["cookie SRV insert indirect nocache"],
            parse: cookie,
            ..BACKEND
        },
        Keyword {
            name: "dynamic-cookie-key",
            sections: Sections::BACKENDS,
            args: "<string>",
            doc: "The secret that dynamic cookies are made with.",
            examples: &["dynamic-cookie-key secret"],
            parse: dynamic_cookie_key,
            ..BACKEND
        },
        Keyword {
            name: "force-persist",
            args: "{ if | unless } <condition>",
            doc: "Follows cookies to servers that are down when the condition holds.",
            examples: &["force-persist if { src 127.0.0.1 }"],
            parse: persist_rule,
            ..BACKEND
        },
        Keyword {
            name: "ignore-persist",
            args: "{ if | unless } <condition>",
            doc: "Ignores cookies when the condition holds.",
            examples: &["ignore-persist if { path_beg /static }"],
            parse: persist_rule,
            ..BACKEND
        },
        Keyword {
            name: "persist",
            sections: Sections::BACKENDS,
            args: "rdp-cookie[(<name>)]",
            doc: "Keeps RDP clients on their server by the cookie of their request.",
            examples: &["persist rdp-cookie(msts)"],
            parse: persist,
            ..BACKEND
        },
        Keyword {
            name: "persist rdp-cookie",
            sections: Sections::BACKENDS,
            args: "",
            doc: "As persist with a name in brackets; the cookie is msts.",
            examples: &["persist rdp-cookie"],
            parse: |line| {
                line.rest();
                Ok(())
            },
            ..BACKEND
        },
        Keyword {
            name: "stick match",
            args: "<expression> [table <table>] [{ if | unless } <condition>]",
            doc: "Sends the request to the server that a stick table names.",
            examples: &["stick match src"],
            parse: stick,
            ..BACKEND
        },
        Keyword {
            name: "stick on",
            args: "<expression> [table <table>] [{ if | unless } <condition>]",
            doc: "Looks the server up in a stick table, and stores it there.",
            examples: &["stick on src"],
            parse: stick,
            ..BACKEND
        },
        Keyword {
            name: "stick store-request",
            args: "<expression> [table <table>] [{ if | unless } <condition>]",
            doc: "Stores the request's server in a stick table.",
            examples: &["stick store-request src"],
            parse: stick,
            ..BACKEND
        },
        Keyword {
            name: "stick store-response",
            args: "<expression> [table <table>] [{ if | unless } <condition>]",
            doc: "Stores the response's server in a stick table.",
            examples: &["stick store-response res.hdr(x-session)"],
            parse: stick,
            ..BACKEND
        },
        Keyword {
            name: "use-server",
            args: "<server> { if | unless } <condition>",
            doc: "Sends the request to this server when the condition holds.",
            examples: &["use-server s1 if { path /first }"],
            parse: use_server,
            status: Status::Planned,
            ..BACKEND
        },
    ],
    ..Part::NONE
};
