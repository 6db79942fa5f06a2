//! Where the manual speaks of what is being read. In: a section and a directive. Out: what helps someone
//! whose line was refused: how the directive is used, and the chapter.

use crate::catalog::Keyword;
use crate::config::section::Sections;

/// So many mistakes are explained; later ones are only counted.
pub const EXPLAINED: usize = 100;

/// How the directive is used, and where the manual says so.
pub fn about(section: Sections, directive: Option<&Keyword>) -> Vec<String> {
    let Some(row) = directive else {
        return vec![format!("manual: chapter {}", chapter(section, ""))];
    };
    let chapter = chapter(section, row.name);
    let manual = format!("manual: chapter {chapter}, \"{}\"", row.name);
    match row.args {
        "" => vec![manual],
        args => vec![format!("usage: {} {args}", row.name), manual],
    }
}

/// The chapter of the configuration manual.
fn chapter(section: Sections, directive: &str) -> &'static str {
    let tuning = ["tune.", "max", "no", "spread-", "server-state-", "profiling.", "busy-"];
    match section {
        Sections::NONE => "2.1",
        Sections::GLOBAL if directive.is_empty() => "3",
        Sections::GLOBAL if ["quiet", "zero-warning"].contains(&directive) => "3.3",
        Sections::GLOBAL if tuning.iter().any(|t| directive.starts_with(t)) => "3.2",
        Sections::GLOBAL => "3.1",
        Sections::USERLIST => "3.4",
        Sections::PEERS => "3.5",
        Sections::MAILERS => "3.6",
        Sections::PROGRAM => "3.7",
        Sections::HTTP_ERRORS => "3.8",
        Sections::RING => "3.9",
        Sections::LOG_FORWARD => "3.10",
        Sections::RESOLVERS => "5.3.2",
        Sections::CACHE => "6.2",
        Sections::FCGI_APP => "10.1",
        _ => match directive {
            "" => "4.1",
            "acl" => "7",
            "bind" => "5.1",
            "default-server" | "server" | "server-template" => "5.2",
            "filter" => "9",
            "log-format" | "log-format-sd" => "8.2.4",
            _ => "4.2",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_a_chapter() {
        let bind = crate::catalog::keywords("bind")
            .iter()
            .find(|row| row.sections.contains(Sections::FRONTEND));
        let told = about(Sections::FRONTEND, bind.copied());
        assert_eq!(told.len(), 2);
        assert!(told[0].starts_with("usage: bind ["), "{told:?}");
        assert_eq!(told[1], "manual: chapter 5.1, \"bind\"");
        assert_eq!(about(Sections::CACHE, None), ["manual: chapter 6.2"]);
        assert_eq!(chapter(Sections::GLOBAL, "tune.bufsize"), "3.2");
    }
}
