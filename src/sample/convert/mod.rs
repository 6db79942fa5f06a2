//! Converters: one value to another (manual 7.3.1).

pub mod base64;
pub mod crypto;
pub mod debug;
pub mod hash;
pub mod json;
pub mod map;
pub mod net;
pub mod number;
pub mod protobuf;
pub mod server;
pub mod string;
pub mod table;
pub mod time;
pub mod variable;

#[cfg(test)]
mod tests {
    use crate::catalog::{PARTS, Status};
    use crate::config::outside::{Outside, RealOutside, Sockets};
    use crate::sample::expr::Expr;
    use crate::sample::tests::with_context;
    use crate::state::map_file::loading::Loading;

    #[test]
    fn examples_give_what_they_say() {
        let outside = RealOutside::new(Sockets::default());
        let _loading = Loading::begin_alone(outside.files());
        with_context(|context| {
            let mut ran = 0;
            for converter in PARTS.iter().flat_map(|part| part.converters) {
                if converter.status != Status::Works {
                    continue;
                }
                assert!(!converter.examples.is_empty(), "{} has no example", converter.name);
                // What an example with an empty value gives depends on the configuration.
                for (text, expected) in
                    converter.examples.iter().filter(|(_, value)| !value.is_empty())
                {
                    let expr = Expr::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
                    let last = expr.converters.iter().any(|(c, _)| c.name == converter.name);
                    assert!(last, "{text} does not use {}", converter.name);
                    let value = expr.eval(context).map(|v| v.to_text().into_owned());
                    let value = value.map(|v| String::from_utf8_lossy(&v).into_owned());
                    // Some have no value without a request: they say so by an empty one.
                    assert_eq!(value.as_deref().unwrap_or_default(), *expected, "{text}");
                    ran += 1;
                }
            }
            assert!(ran > 0);
        });
    }
}
