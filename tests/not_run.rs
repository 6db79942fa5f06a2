//! The last test target: says what `cargo test` did not run, and how to run it.

fn main() {
    println!("\nnot run here, because it needs other programs (haproxy, nginx, Docker, Chromium):");
    println!("    cargo test -p haproxy-compat         # what is compared and played with them");
    println!("    .ci/run                              # installs them and runs everything");
}
