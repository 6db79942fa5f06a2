//! The evidence: one scenario, two binaries, one comparison.
