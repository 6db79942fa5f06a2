//! Redirections (manual 4.2 `redirect`, 5.2 `redir`), credentials that are asked for, and requests that go
//! elsewhere (`dispatch`, `http-send-name-header`).

use super::scenario;
use crate::scenario::Scenario;
use crate::scenario::Step::*;

/// A log receiver, and a listener.
const BASE: &str = "global
    log {log} local0
userlist L
    group staff users anna
    user anna insecure-password pw
defaults
    mode http
    log {log} format raw local0
    timeout client 10s
    timeout server 10s
    timeout connect 10s
listen main
    bind {fe}
    log-format \"%b/%s %ts %ST\"
";

const GET: &str = "GET /a/b?c=d HTTP/1.1\r\nHost: h.x\r\nConnection: close\r\n\r\n";
const KNOWN: &str =
    "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YW5uYTpwdw==\r\nConnection: close\r\n\r\n";
const WRONG: &str =
    "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YW5uYTpwcA==\r\nConnection: close\r\n\r\n";
const PLAIN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const fn answered(name: &'static str, config: &'static str) -> Scenario {
    scenario(name, BASE, config, &[Send(GET), End, Log])
}

pub(super) const SCENARIOS: &[Scenario] = &[
    answered("redirects/location", "    redirect location /new code 301\n"),
    answered("redirects/prefix", "    redirect prefix http://x.y drop-query append-slash\n"),
    answered("redirects/bare-prefix", "    redirect prefix / set-cookie SEEN=1 code 303\n"),
    answered("redirects/scheme", "    redirect scheme https code 307 clear-cookie SEEN\n"),
    answered(
        "redirects/format",
        "    http-request redirect location https://%[hdr(host)]/%[path] code 308\n",
    ),
    answered(
        "redirects/unless",
        "    redirect location /x if { path /other }\n    http-request redirect prefix /p unless { path /other }\n",
    ),
    scenario(
        "redirects/of-a-response",
        BASE,
        "    server s1 {s1}\n    http-response redirect location /r code 302\n",
        &[Send(GET), Request, Answer(PLAIN), End],
    ),
    answered("redirects/of-a-server", "    server s1 {s1} redir http://x.y/p\n"),
    answered("auth/asked", "    http-request auth realm Some\\ where unless { http_auth(L) }\n"),
    scenario(
        "auth/known",
        BASE,
        "    http-request auth unless { http_auth_group(L) staff }\n    http-request return status 200 hdr x-u %[http_auth_user]\n",
        &[Send(KNOWN), End, Log],
    ),
    scenario(
        "auth/wrong",
        BASE,
        "    http-request auth unless { http_auth(L) }\n",
        &[Send(WRONG), End, Log],
    ),
    scenario(
        "servers/name-header",
        BASE,
        "    http-send-name-header X-Name\n    server s1 {s1}\n",
        &[Send(GET), Request, Answer(PLAIN), End, Log],
    ),
    scenario(
        "servers/dispatch",
        BASE,
        "    dispatch {s1}\n",
        &[Send(GET), Request, Answer(PLAIN), End, Log],
    ),
];
