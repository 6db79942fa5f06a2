//! Text becomes a specification.
pub mod outside;
pub mod words;
