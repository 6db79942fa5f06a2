//! HTTP: the message model and the engines that read and write it.

pub mod case;
pub mod cookie;
pub mod date;
pub mod forwarded;
pub mod h1;
pub mod message;
pub mod options;
pub mod unique_id;
