//! Sample fetches: where values come from (manual 7.3.2 to 7.3.6).

pub mod http;
pub mod internal;
pub mod l4;
