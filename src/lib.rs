//! HAProxy 2.3, rebuilt.
pub mod config;
pub mod control;
pub mod sys;
pub mod version;
