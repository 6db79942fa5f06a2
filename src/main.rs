//! argv to exit code.

fn main() {
    std::process::exit(haproxy::control::process::run(std::env::args_os().skip(1)));
}
