//! The configurations that are measured, in the words of haproxy and of nginx.

use std::fmt::Write;
use std::net::SocketAddr;

/// Where a proxy listens and where its server is.
#[derive(Clone, Copy)]
pub struct Places {
    pub http: SocketAddr,
    pub tcp: SocketAddr,
    pub origin: SocketAddr,
}

/// One thread, an HTTP and a TCP entrance, one server behind both.
pub fn haproxy(at: Places) -> String {
    let Places { http, tcp, origin } = at;
    format!(
        "global
    nbthread 1
    maxconn 6000
defaults
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend http_in
    mode http
    bind {http}
    default_backend http_out
backend http_out
    mode http
    server s1 {origin}
listen tcp_in
    mode tcp
    bind {tcp}
    server s1 {origin}
"
    )
}

/// A cache that holds what is asked for; later releases keep only what says for how long.
pub fn cached(at: Places) -> String {
    let Places { http, origin, .. } = at;
    format!(
        "global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen in
    bind {http}
    http-request cache-use stock
    http-response set-header cache-control max-age=3600
    http-response cache-store stock
    server s1 {origin}
cache stock
    total-max-size 4
    max-age 3600
"
    )
}

/// Everything is compressed, at the level that both take by default.
pub fn gzip(at: Places) -> String {
    let Places { http, origin, .. } = at;
    format!(
        "global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen in
    bind {http}
    compression algo gzip
    server s1 {origin}
"
    )
}

/// The HTTP entrance only: nginx's TCP proxy is a package of its own.
pub fn nginx(at: Places, folder: &str) -> String {
    let Places { http, origin, .. } = at;
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 10000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    proxy_max_temp_file_size 0;
    upstream origin {{ server {origin}; keepalive 128; keepalive_requests 1000000000; }}
    server {{
        listen {http};
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
}}
"
    )
}

/// 2,000 backends of 10 servers, and as many `use_backend` lines that choose between them.
pub fn large() -> String {
    const BACKENDS: usize = 2000;
    const SERVERS: usize = 10;
    let mut text = String::from(
        "defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend in
    bind 127.0.0.1:8080
",
    );
    for backend in 0..BACKENDS {
        let _ = writeln!(text, "    use_backend b{backend} if {{ path_beg /app{backend}/ }}");
    }
    for backend in 0..BACKENDS {
        let _ = writeln!(text, "backend b{backend}\n    balance roundrobin");
        for server in 0..SERVERS {
            let port = 10000 + (backend * SERVERS + server) % 50000;
            let _ = writeln!(text, "    server s{server} 127.0.0.1:{port} check weight 10");
        }
    }
    text
}

/// The HA example with addresses of this machine in the place of its names and ports.
pub fn ha_example(page: SocketAddr, stats: SocketAddr, origin: SocketAddr) -> String {
    include_str!("../../fixtures/ha-example/haproxy.cfg")
        .replace("*:80\n", &format!("{page}\n"))
        .replace("*:8404\n", &format!("{stats}\n"))
        .replace("fe1:80", &origin.to_string())
        .replace("fe2:80", &origin.to_string())
}
