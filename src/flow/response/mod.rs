//! The way back: pages of our own, and what happens to a server's response.

pub mod cache;
pub mod compression;
mod deflate;
pub mod error_page;
pub mod errors;
mod fixed;
pub mod monitor;
