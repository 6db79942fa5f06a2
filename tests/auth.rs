//! Credentials: userlists, `http_auth*`, `http-request auth`, `stats auth` (manual 3.4, 4.2, 7.3.6).

use anyhow::Result;
use haproxy_compat::harness::Proxy;

use crate::http;

/// Passwords are `pass`, as crypt(3) stores them, but for bob's.
const USERS: &str = "userlist L
    group staff users anna,bob
    group all
    user anna password $6$saltsalt$KN.twvCyfwE67paW76hS2/bacYkY9PxIhxqYG9vL5bZmIwWBGDJ6mu4HlCosKUBfQwVXKXxXVXPcqdwd1Ip0X/ groups all
    user bob insecure-password pw
    user carl password $y$j75$saltsalt$02uBulIsvLI5ZKAeg1YegqtfMHVVcPUxHxUsdQ5M9s9 groups all
    user dora password $2b$04$abcdefghijklmnopqrstuufznL8bkzdtHwLhca4To/v9Lo9bA7fR6
    user emil password abccBcrPOxnLU
    user fred password $1$saltsalt$hZR.9zfJXcVTsa9iTxnQR1
";

/// `Authorization` for a name and a password.
fn basic(credentials: &str) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(credentials);
    format!("Authorization: Basic {text}\r\n")
}

/// Status and `WWW-Authenticate`.
fn ask(proxy: &Proxy, path: &str, headers: &str) -> Result<(u16, Option<String>)> {
    let response = proxy.connect("fe")?.get(path, headers)?;
    Ok((response.status(), response.header("www-authenticate").map(str::to_owned)))
}

#[test]
fn only_known_users_get_through() -> Result<()> {
    let config = format!(
        "{USERS}frontend fe\n bind {{fe}}\n\
         http-request auth realm Staff\\ only if {{ path_beg /staff }} !{{ http_auth_group(L) staff }}\n\
         http-request auth if {{ path_beg /any }} !{{ http_auth_group(L) staff all }}\n\
         http-request auth unless {{ http_auth(L) }}\n\
         http-request return status 200 hdr x-who \"%[http_auth(L)] %[http_auth_group(L)] %[http_auth_user] %[http_auth_type]\"\n"
    );
    let proxy = http(&config).start()?;
    let refused = |realm: &str| (401, Some(format!("Basic realm=\"{realm}\"")));
    assert_eq!(ask(&proxy, "/", "")?, refused("fe"));
    for user in ["anna:pass", "bob:pw", "carl:pass", "dora:pass", "emil:pass", "fred:pass"] {
        // The second time it is known without looking.
        for _ in 0..2 {
            assert_eq!(ask(&proxy, "/", &basic(user))?, (200, None), "{user}");
        }
    }
    for wrong in ["anna:pasS", "anna:", "bob:pass", "nobody:pass", "carl:x", "emil:x", "anna"] {
        assert_eq!(ask(&proxy, "/", &basic(wrong))?, refused("fe"), "{wrong}");
    }
    assert_eq!(ask(&proxy, "/", "Authorization: Bearer YW5uYTpwYXNz\r\n")?, refused("fe"));
    for (user, staff, any) in [
        ("anna:pass", 200, 200),
        ("bob:pw", 200, 200),
        ("carl:pass", 401, 200),
        ("dora:pass", 401, 401),
    ] {
        assert_eq!(ask(&proxy, "/staff", &basic(user))?.0, staff, "{user}");
        assert_eq!(ask(&proxy, "/any", &basic(user))?.0, any, "{user}");
    }
    assert_eq!(ask(&proxy, "/staff", "")?, refused("Staff only"));
    let response = proxy.connect("fe")?.get("/", &basic("carl:pass"))?;
    assert_eq!(response.header("x-who"), Some("1 carl carl Basic"));
    Ok(())
}

#[test]
fn the_operators_page_asks_too() -> Result<()> {
    let page = "HTTP/1.0 401 Who\r\nWWW-Authenticate: old\r\nContent-Type: text/plain\r\n\r\nwho";
    let config = "frontend fe\n bind {fe}\n errorfile 401 page\n http-request auth realm R\n";
    let proxy = http(config).file("page", page)?.start()?;
    let response = proxy.connect("fe")?.get("/", "")?;
    assert_eq!((response.status(), response.text().as_str()), (401, "who"));
    assert_eq!(response.all("www-authenticate"), ["Basic realm=\"R\""]);
    Ok(())
}

#[test]
fn the_statistics_page_uses_a_userlist() -> Result<()> {
    let config = format!(
        "{USERS}listen fe\n bind {{fe}}\n stats uri /s\n stats http-request auth realm S unless {{ http_auth_group(L) staff }}\n stats http-request allow\n"
    );
    let proxy = http(&config).start()?;
    assert_eq!(ask(&proxy, "/s", "")?, (401, Some("Basic realm=\"S\"".to_owned())));
    assert_eq!(ask(&proxy, "/s", &basic("carl:pass"))?.0, 401);
    assert_eq!(ask(&proxy, "/s", &basic("bob:pw"))?.0, 200);
    Ok(())
}
