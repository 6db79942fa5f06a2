//! `haproxy-compat`: compare, coverage, check.
fn main() {}
