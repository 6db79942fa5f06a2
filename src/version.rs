//! The version that `-v`, `show info` and the stats page name, in one place.
//!
//! Out: HAProxy's version, which is the one whose behaviour this program has, and this program's own.

use std::fmt::Write;

/// The release of HAProxy that this program stands in for.
pub const VERSION: &str = "2.3.21-3ce4ee0";
/// The day of that release, as `-v` writes it.
pub const DATE: &str = "2022/07/27";
/// The program itself, named beside HAProxy's version.
pub const IMPLEMENTATION: &str = concat!("haproxy-rs ", env!("CARGO_PKG_VERSION"));

/// What `-v` prints. Tools read the first line.
pub fn banner() -> String {
    let mut text = format!("HA-Proxy version {VERSION} {DATE} - https://haproxy.org/\n");
    let _ = writeln!(text, "This is {IMPLEMENTATION}, a rebuild of HAProxy 2.3 in Rust.");
    if let Ok(system) = nix::sys::utsname::uname() {
        let part = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        let _ = writeln!(
            text,
            "Running on: {} {} {} {}",
            part(system.sysname()),
            part(system.release()),
            part(system.version()),
            part(system.machine())
        );
    }
    text
}

/// What `-vv` adds: how the program was built, and what that means for a configuration.
pub fn build_options() -> String {
    let mut text = String::from("Build options :\n");
    let _ = writeln!(text, "  TARGET  = {}-{}", std::env::consts::OS, libc_name());
    let _ = writeln!(text, "  CPU     = {}", std::env::consts::ARCH);
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let _ = writeln!(text, "  PROFILE = {profile}");
    text.push_str(
        "\nFeature list : +EPOLL +THREAD +NETFILTER +TPROXY +LINUX_TPROXY +LINUX_SPLICE +GETADDRINFO \
         +ACCEPT4 +CPU_AFFINITY +TFO +NS +PRCTL +SYSTEMD\n",
    );
    text.push_str(
        "\nDefault settings :\n  bufsize = 16384, maxrewrite = 1024, maxpollevents = 200\n",
    );
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let _ =
        writeln!(text, "\nBuilt with multi-threading support (MAX_THREADS=64, default={threads}).");
    text.push_str(
        "Built with network namespace support.\n\
         Built with transparent proxy support using: IP_TRANSPARENT IPV6_TRANSPARENT IP_FREEBIND\n\
         \nAvailable polling systems :\n      epoll : pref=300,  test result OK\n\
         Total: 1 (1 usable), will use epoll.\n",
    );
    text
}

fn libc_name() -> &'static str {
    if cfg!(target_env = "musl") { "musl" } else { "glibc" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_find_the_version_in_the_first_line() {
        let banner = banner();
        let mut lines = banner.lines();
        let first = "HA-Proxy version 2.3.21-3ce4ee0 2022/07/27 - https://haproxy.org/";
        assert_eq!(lines.next(), Some(first));
        assert!(lines.next().is_some_and(|line| line.contains(IMPLEMENTATION)));
    }
}
