//! Names of variables: a scope, a dot, and letters, digits, `_` and `.` (manual 2.3 and 7.3).

/// Checks a variable's name. The error holds `{name}` where HAProxy repeats what it was given.
pub fn check_name(name: &[u8]) -> Result<(), String> {
    const SCOPES: [&[u8]; 6] = [b"proc.", b"sess.", b"txn.", b"req.", b"res.", b"check."];
    if name.is_empty() {
        return Err("Empty variable name".to_owned());
    }
    let Some(scope) = SCOPES.iter().find(|scope| name.starts_with(scope)) else {
        return Err("invalid variable name '{name}'. A variable name must be start by its scope. The scope can be 'proc', 'sess', 'txn', 'req', 'res' or 'check'".to_owned());
    };
    let rest = &name[scope.len()..];
    let bad = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || b"_.".contains(b)));
    match bad {
        None => Ok(()),
        Some(at) => {
            Err(format!("invalid syntax at char '{}'", String::from_utf8_lossy(&rest[at..])))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_begin_with_a_scope() {
        assert_eq!(check_name(b"txn.a_b.c"), Ok(()));
        assert!(check_name(b"x").unwrap_err().starts_with("invalid variable name '{name}'."));
        assert_eq!(check_name(b"req.a-b"), Err("invalid syntax at char '-b'".into()));
    }
}
