//! A connection passes through. Read in this order.

pub mod phase;
pub mod threads;

pub mod cpu_map;
pub mod transport;

pub mod listener;

pub mod session;

pub mod http;

pub mod rules;

pub mod balance;

pub mod server;

pub mod response;

pub mod log;
