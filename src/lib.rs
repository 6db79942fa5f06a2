//! HAProxy 2.3, rebuilt.
pub mod config;
pub mod sys;
