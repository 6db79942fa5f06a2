//! The last test target: says what `cargo test` did not run, and how to run it.

fn main() {
    println!("\nnot run here, because it needs other programs (a reference haproxy):");
    println!("    cargo test -p haproxy-compat         # the same scenarios on both, compared");
}
