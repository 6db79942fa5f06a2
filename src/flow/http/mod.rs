//! HTTP: the message model and the engines that read and write it.

pub mod message;
pub mod options;
