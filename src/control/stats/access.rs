//! Who may see the page: in comes a request, out comes leave, 403 or 401 with a realm (manual 4.2
//! "stats auth", "stats http-request"; RFC 7617).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::StatsPage;
use super::spec::AccessAction;
use crate::flow::phase::Phase;
use crate::flow::session::Stream;

/// The realm when none is given.
const DEFAULT_REALM: &str = "HAProxy Statistics";

/// Whether a request may go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Granted,
    /// 403.
    Denied,
    /// 401, with this realm.
    Unknown(String),
}

impl StatsPage {
    /// Whether this request may see the page.
    pub(super) fn access(&self, stream: &Stream<'_>) -> Access {
        let context = stream.sample_context(Phase::Request);
        for (action, condition) in &self.rules {
            if condition.as_ref().is_some_and(|c| !c.holds(&context)) {
                continue;
            }
            return match action {
                AccessAction::Allow => Access::Granted,
                AccessAction::Deny => Access::Denied,
                AccessAction::Auth(realm) => {
                    Access::Unknown(realm.clone().unwrap_or_else(|| DEFAULT_REALM.to_owned()))
                }
            };
        }
        let users = &self.spec.users;
        if users.is_empty() || self.knows(stream.request.get(b"authorization")) {
            return Access::Granted;
        }
        let realm = self.spec.realm.clone();
        Access::Unknown(realm.unwrap_or_else(|| DEFAULT_REALM.to_owned()))
    }

    fn knows(&self, authorization: Option<&[u8]>) -> bool {
        let Some((user, password)) = authorization.and_then(credentials) else { return false };
        // Every account is compared, so that the time taken does not tell which one fits.
        self.spec.users.iter().fold(false, |known, (name, secret)| {
            known | (same(name.as_bytes(), &user) & same(secret.as_bytes(), &password))
        })
    }
}

/// Name and password of `Basic …`.
fn credentials(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let plain = STANDARD.decode(rest.trim_ascii()).ok()?;
    let at = plain.iter().position(|b| *b == b':')?;
    Some((plain[..at].to_vec(), plain[at + 1..].to_vec()))
}

/// Compares in a time that depends on the lengths only.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_read() {
        let read = |v: &[u8]| credentials(v);
        assert_eq!(read(b"Basic dTpwOnc="), Some((b"u".to_vec(), b"p:w".to_vec())));
        assert_eq!(read(b"basic dTpw"), Some((b"u".to_vec(), b"p".to_vec())));
        assert_eq!(read(b"Bearer dTpw"), None);
        assert_eq!(read(b"Basic ###"), None);
    }
}
