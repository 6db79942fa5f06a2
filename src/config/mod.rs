//! Text becomes a specification.
pub mod words;
