//! Converters: one value to another (manual 7.3.1).

pub mod string;
