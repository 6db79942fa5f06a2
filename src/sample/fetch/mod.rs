//! Sample fetches: where values come from (manual 7.3.2 to 7.3.6).

pub mod auth;
pub mod body;
pub mod constant;
pub mod cookie;
pub mod header;
pub mod http;
pub mod htx;
pub mod internal;
pub mod l4;
pub mod l5;
pub mod l6;
pub mod table;
pub mod url;
