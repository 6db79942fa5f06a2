//! `option http_proxy` (manual 4.2): the server is the one that the request's target names by its IP
//! address. In: a request. Out: the stream's target, and the request as that server expects it.

use std::net::{IpAddr, SocketAddr};

use crate::flow::session::Stream;

/// Takes the address from the target; false if it names none.
pub fn follow(stream: &mut Stream<'_>) -> bool {
    let request = &mut stream.request;
    if request.method() == b"CONNECT" {
        return false;
    }
    let found = request.scheme_and_authority().filter(|(scheme, _)| !scheme.is_empty());
    let Some(target) = found.and_then(|(_, authority)| address(authority)) else { return false };
    // Unlike HAProxy 2.3, which leaves parts of the absolute form behind.
    let path = request.path_and_query().unwrap_or(b"/").to_vec();
    request.set_target(&path);
    stream.target = Some(Box::new(target));
    true
}

/// An IP address with its port, which is 80 where none is written.
fn address(authority: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(authority).ok()?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, 80))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn only_addresses_are_followed() {
        let found = |text: &str| address(text.as_bytes()).map(|a| a.to_string());
        assert_eq!(found("127.0.0.1").as_deref(), Some("127.0.0.1:80"));
        assert_eq!(found("127.0.0.1:8080").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(found("[::1]:81").as_deref(), Some("[::1]:81"));
        assert_eq!(found("[::1]").as_deref(), Some("[::1]:80"));
        assert_eq!(found("localhost:80"), None);
        assert_eq!(found("127.0.0.1:x"), None);
    }
}
